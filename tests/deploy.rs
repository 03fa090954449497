//! What lies in `deploy/` fits the program.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use tokio::process::Command;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

fn read(file: &str) -> String {
    fs::read_to_string(deploy().join(file)).unwrap()
}

/// Words that are names of variables.
fn variables(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = |word: &&str| {
        ["PIXCRAWLER_", "SUPABASE_", "DATABASE_", "ALLOWED_"].iter().any(|start| word.starts_with(start))
            && word.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
            && !word.ends_with('_')
    };
    words.filter(ours).collect()
}

#[tokio::test]
async fn what_is_set_and_run_is_there() {
    let help =
        Command::new(env!("CARGO_BIN_EXE_pixcrawler")).args(["worker", "--help"]).output().await.unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    // Accepted, and not shown.
    let known = &variables(&help) | &BTreeSet::from(["SUPABASE_SERVICE_ROLE_KEY"]);
    for file in [
        "README.md",
        "Containerfile",
        "nginx.conf",
        "systemd/pixcrawler.env",
        "systemd/pixcrawler.service",
        "systemd/pixcrawler-worker@.service",
    ] {
        let text = read(file);
        let set = variables(&text);
        let unknown: Vec<_> = set.difference(&known).collect();
        assert!(!set.is_empty() && unknown.is_empty(), "{file}: {unknown:?}");
    }
}

#[tokio::test]
async fn the_units_are_sound() {
    let folder = tempfile::tempdir().unwrap();
    for (unit, command) in [("pixcrawler.service", "serve"), ("pixcrawler-worker@.service", "worker")] {
        let text = read(&format!("systemd/{unit}"));
        let start = format!("ExecStart=/usr/local/bin/pixcrawler {command}\n");
        assert!(text.contains(&start), "{unit}");
        let here = format!("ExecStart={} {command}\n", env!("CARGO_BIN_EXE_pixcrawler"));
        let path = folder.path().join(unit);
        fs::write(&path, text.replace(&start, &here)).unwrap();
        // Where there is no systemd nobody can say.
        let Ok(told) = Command::new("systemd-analyze").arg("verify").arg(&path).output().await else {
            continue;
        };
        // Of others it speaks, too.
        let said = String::from_utf8_lossy(&told.stderr).into_owned();
        assert!(told.status.success() && !said.contains("pixcrawler"), "{unit}: {said}");
    }
}

/// It cannot be built in a test; what it is built of can be looked at.
#[test]
fn the_container_is_of_this_repository() {
    let root = deploy().join("..");
    let container = read("Containerfile");
    let toolchain = fs::read_to_string(root.join("rust-toolchain.toml")).unwrap();
    let version = toolchain.lines().find_map(|line| line.strip_prefix("channel = \"")).unwrap();
    let from = format!("FROM docker.io/library/rust:{}-", version.trim_end_matches('"'));
    assert!(container.contains(&from), "{from}");

    let ignored = read("Containerfile.dockerignore");
    let copied: BTreeSet<&str> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    assert!(copied.iter().all(|path| root.join(path).exists()), "{copied:?}");
    let workspace = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let (_, members) = workspace.split_once("members = [").unwrap();
    let (members, _) = members.split_once(']').unwrap();
    for member in members.split('"').skip(1).step_by(2) {
        let top = member.split('/').next().unwrap();
        assert!(copied.contains(top), "{member} is not copied");
    }
}
