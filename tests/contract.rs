//! The contract with plugin authors: what is frozen stays as it is, and components made
//! for it load and run for ever.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use sha2::Digest as _;

/// Items of 0.1.0, as a hash of its lines without comments: the copy that is kept beside the
/// components may not change with the contract.
const ITEMS_OF_0_1_0: &str = "521fb36b0dca16adb6ca5c49acddf8db468ec11eaaaca0c7eef1ce4a287d3849";

/// A folder for each frozen version: `source.wit` as it was then, components made for it
/// and, in a folder named like each, the cassettes that it replays.
const GOLDEN: &str = "tests/golden";

#[test]
fn a_frozen_contract_does_not_change() {
    let served: BTreeMap<String, String> = files("wit", "wit")
        .into_iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .filter_map(|text| Some((version(&text)?.to_owned(), text)))
        .collect();
    let mut broken = Vec::new();
    for folder in versions() {
        let frozen = fs::read_to_string(folder.join("source.wit")).unwrap();
        let version = version(&frozen).unwrap();
        if version == "0.1.0" {
            let hash = hex::encode(sha2::Sha256::digest(items(&frozen).join("\n")));
            assert_eq!(hash, ITEMS_OF_0_1_0, "tests/golden/0.1.0/source.wit was edited");
        }
        assert!(folder.ends_with(version), "{} holds version {version}", folder.display());
        let Some(today) = served.get(version) else {
            broken.push(format!("contract {version} is frozen but no longer in wit/"));
            continue;
        };
        let (then, today) = (items(&frozen), items(today));
        if let Some(at) = (0..then.len().max(today.len())).find(|&at| then.get(at) != today.get(at)) {
            broken.push(format!(
                "contract {version} is frozen: `{}` became `{}`; give the change a version of its own \
                 and keep serving {version}",
                then.get(at).unwrap_or(&"nothing"),
                today.get(at).unwrap_or(&"nothing"),
            ));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn components_of_every_frozen_version_run() {
    for folder in versions() {
        let components = files(folder.strip_prefix(root()).unwrap(), "wasm");
        assert!(!components.is_empty(), "{} has no component", folder.display());
        for component in components {
            replay(&component, &component.with_extension(""));
        }
    }
}

/// The golden component is what its source, built today, still is.
#[test]
fn todays_build_does_what_the_golden_one_does() {
    let guest = root().join("target/guests/contract.wasm");
    assert!(guest.exists(), "{} is missing: run `make guests`", guest.display());
    replay(&guest, &root().join(GOLDEN).join("0.1.0/contract"));
}

fn replay(component: &Path, cassette: &Path) {
    let data = tempfile::tempdir().unwrap();
    let ended = Command::new(env!("CARGO_BIN_EXE_pixcrawler"))
        .args(["plugin", "test"])
        .args([component, cassette])
        .env("PIXCRAWLER_DATA_DIR", data.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ended.stdout);
    let log = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{}: {told}{log}", component.display());
}

/// The lines of a contract without its comments, which may get better.
fn items(wit: &str) -> Vec<&str> {
    wit.lines()
        .map(|line| line.split("//").next().unwrap_or_default().trim())
        .filter(|line| !line.is_empty())
        .collect()
}

fn version(wit: &str) -> Option<&str> {
    wit.lines().find_map(|line| line.strip_prefix("package pixcrawler:source@")?.strip_suffix(';'))
}

fn versions() -> Vec<PathBuf> {
    let folders = fs::read_dir(root().join(GOLDEN)).unwrap().map(|entry| entry.unwrap().path());
    let folders: Vec<_> = folders.filter(|path| path.is_dir()).collect();
    assert!(folders.iter().any(|folder| folder.ends_with("0.1.0")), "the first frozen contract is gone");
    folders
}

fn files(folder: impl AsRef<Path>, extension: &str) -> Vec<PathBuf> {
    let all = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
