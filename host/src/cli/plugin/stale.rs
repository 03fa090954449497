//! Whether a project's sources are newer than the component that was built from them.

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// Finds the newest of the files that a component is built from, if it is newer than the component.
/// What cannot be looked at counts as old: this is for a warning only.
pub(super) fn newer(project: &Path, component: &Path) -> Option<PathBuf> {
    let built = fs::metadata(component).and_then(|found| found.modified()).ok()?;
    let mut newest = None;
    search(project, &mut newest);
    newest.filter(|(changed, _)| *changed > built).map(|(_, file)| file)
}

/// What a project says of itself, in each language.
const MANIFESTS: [&str; 3] = ["Cargo.toml", "package.json", "pyproject.toml"];
/// Extensions of what is compiled, the contract included.
const SOURCES: [&str; 5] = ["rs", "js", "mjs", "py", "wit"];
/// Folders of what is built, installed or only tested; beside them those that are hidden.
const APART: [&str; 9] =
    ["build", "dist", "target", "node_modules", "__pycache__", "env", "venv", "cassettes", "tests"];
/// What makes a folder of any name a virtual environment of Python.
const ENVIRONMENT: &str = "pyvenv.cfg";

fn search(folder: &Path, newest: &mut Option<(SystemTime, PathBuf)>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        // Not followed: what is linked to is no part of the project.
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder {
            let path = entry.path();
            if !name.starts_with('.') && !APART.contains(&&*name) && !path.join(ENVIRONMENT).exists() {
                search(&path, newest);
            }
        } else if is_built_from(&name)
            && let Ok(changed) = entry.metadata().and_then(|file| file.modified())
            && newest.as_ref().is_none_or(|(latest, _)| changed > *latest)
        {
            *newest = Some((changed, entry.path()));
        }
    }
}

fn is_built_from(name: &str) -> bool {
    let is_test = name.ends_with(".test.js") || name.starts_with("test_");
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    MANIFESTS.contains(&name) || (!is_test && extension.is_some_and(|found| SOURCES.contains(&found)))
}
