//! Where the programs of Postgres are.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tokio::process::Command;

use super::PostgresError;

/// Folders and the beginnings of what is in them, before the version.
const INSTALLED: [(&str, &str); 4] = [
    ("/usr/lib/postgresql", ""),
    ("/usr", "pgsql-"),
    ("/opt/homebrew/opt", "postgresql@"),
    ("/usr/local/opt", "postgresql@"),
];

/// Finds the folder of `postgres` and `initdb` to use: of the version that the `data` need, else the
/// first that are new enough. With `given`, only those.
pub(super) async fn find(
    given: Option<&Path>,
    needed: Option<u32>,
    data: &Path,
) -> Result<PathBuf, PostgresError> {
    let folders = match given {
        Some(dir) => vec![dir.to_owned()],
        None => folders().await,
    };
    let mut found = Vec::new();
    for dir in &folders {
        let Some(major) = version(dir).await else { continue };
        if needed.map_or(major >= 15, |needed| needed == major) {
            return Ok(dir.clone());
        }
        found.push(format!("{major} in {}", dir.display()));
    }
    match needed {
        Some(needed) if !found.is_empty() => {
            Err(PostgresError::WrongVersion { data: data.to_owned(), needed, found: found.join(", ") })
        }
        _ => {
            let looked: Vec<_> = folders.iter().map(|dir| dir.display().to_string()).collect();
            Err(PostgresError::NoBinaries { looked: looked.join(", ") })
        }
    }
}

/// Finds the folder of `pg_dump` and `pg_restore` for a server of this major version, which may not be newer
/// than they are. With `given`, only that.
pub(super) async fn find_client(given: Option<&Path>, server: u32) -> Result<PathBuf, PostgresError> {
    let folders = match given {
        Some(dir) => vec![dir.to_owned()],
        None => folders().await,
    };
    for dir in &folders {
        let both = ["pg_dump", "pg_restore"].iter().all(|program| dir.join(program).is_file());
        if both && version_of(&dir.join("pg_dump")).await.is_some_and(|major| major >= server) {
            return Ok(dir.clone());
        }
    }
    let looked: Vec<_> = folders.iter().map(|dir| dir.display().to_string()).collect();
    Err(PostgresError::NoClient { needed: server, looked: looked.join(", ") })
}

/// Lists the folders that may hold them, best first.
async fn folders() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    folders.extend(shell("pg_config --bindir").await);
    for (parent, prefix) in INSTALLED {
        folders.extend(versions(Path::new(parent), prefix));
    }
    let on_path = shell("command -v postgres").await.and_then(|program| program.canonicalize().ok());
    folders.extend(on_path.as_deref().and_then(Path::parent).map(Path::to_owned));
    let mut seen = std::collections::BTreeSet::new();
    folders.retain(|folder| seen.insert(folder.clone()));
    folders
}

/// Lists `parent/{prefix}{version}/bin`, newest first.
fn versions(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(parent)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version = entry.file_name().to_str()?.strip_prefix(prefix)?.parse().ok()?;
            Some((version, entry.path().join("bin")))
        })
        .collect();
    versions.sort_by(|a, b| b.cmp(a));
    versions.into_iter().map(|(_, path)| path).collect()
}

/// Runs a command that prints a path. The shell looks it up on PATH.
async fn shell(command: &str) -> Option<PathBuf> {
    let output = Command::new("/bin/sh").args(["-c", command]).output().await.ok()?;
    let path = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    path.is_absolute().then_some(path)
}

/// Asks for the major version of the programs in `dir`, if both are there and run.
async fn version(dir: &Path) -> Option<u32> {
    if !dir.join("initdb").is_file() {
        return None;
    }
    version_of(&dir.join("postgres")).await
}

async fn version_of(program: &Path) -> Option<u32> {
    let output = Command::new(program).arg("--version").output().await.ok()?;
    parse_version(&String::from_utf8(output.stdout).ok()?)
}

/// Parses `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, `… 17beta2`.
fn parse_version(line: &str) -> Option<u32> {
    let number = line.split_once(") ")?.1;
    let digits = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
    number[..digits].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_they_are_printed() {
        let check = |line: &str, expect: Option<u32>| assert_eq!(parse_version(line), expect, "{line}");
        check("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some(15));
        check("postgres (PostgreSQL) 17beta2", Some(17));
        check("postgres (PostgreSQL) 16", Some(16));
        check("postgres: not found", None);
        check("", None);
    }

    #[test]
    fn newest_first() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["pgsql-9", "pgsql-15", "pgsql-17", "pgsql-old", "other"] {
            fs::create_dir(parent.path().join(name)).unwrap();
        }
        let found = versions(parent.path(), "pgsql-");
        let expect = ["pgsql-17/bin", "pgsql-15/bin", "pgsql-9/bin"].map(|name| parent.path().join(name));
        assert_eq!(found, expect);
    }
}
