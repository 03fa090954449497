//! Plugins for a host under test: the guests, and folders to find them in.

use std::{fs, path::Path};

use tempfile::TempDir;

/// A component that `make guests` built.
pub(crate) fn guest(name: &str) -> Vec<u8> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../target/guests/{name}.wasm"));
    fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}; run `make guests` first", file.display()))
}

/// A folder of plugins.
pub(crate) fn folder(files: &[(&str, Vec<u8>)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}
