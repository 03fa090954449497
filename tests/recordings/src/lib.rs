//! Recorded answers of real sites. They are third-party data and not part of the repository:
//! `PIXCRAWLER_RECORDINGS` names a folder that has one folder for each kind.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry};
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};

/// The recordings of that folder, by the names of their files; none where the tests do
/// without, which is said.
///
/// # Panics
///
/// When the folder cannot be read or is empty.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "only the environment can say where recordings are")]
pub fn recordings(folder: &str) -> Option<BTreeMap<String, PathBuf>> {
    let Some(all) = std::env::var_os("PIXCRAWLER_RECORDINGS") else {
        say(&format!("skipped all recordings in {folder}: PIXCRAWLER_RECORDINGS is unset"));
        return None;
    };
    let folder = Path::new(&all).join(folder);
    let files = fs::read_dir(&folder).and_then(|entries| {
        let named = |entry: DirEntry| (entry.file_name().to_string_lossy().into_owned(), entry.path());
        entries.map(|entry| entry.map(named)).collect()
    });
    let files: BTreeMap<_, _> = files.unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    assert!(!files.is_empty(), "{} is empty", folder.display());
    Some(files)
}

/// Says that where it is seen of tests that pass, too.
///
/// # Panics
///
/// When nothing can be said.
pub fn say(line: &str) {
    let told = writeln!(stderr(), "{line}");
    told.unwrap_or_else(|error| panic!("standard error: {error}"));
}
