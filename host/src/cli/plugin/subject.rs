//! What a command of authors is about: a component by its file, or a project with one.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{build::shown, stale};
use crate::{
    cli::{tell, wrong_usage},
    config::Config,
    plugins::{LoadedPlugin, Plugins, SandboxUse},
    runner::cassette::{Cassette, CassetteError},
};

/// Where a project keeps the component that was built.
const BUILT: &str = "dist";
/// Where a project keeps its cassettes.
const CASSETTES: &str = "cassettes";

/// A component that is ready.
pub(super) struct Subject {
    pub(super) plugins: Plugins,
    pub(super) source: LoadedPlugin,
    /// The project's own cassettes, when it is one that has some.
    cassettes: Option<PathBuf>,
}

impl Subject {
    /// Compiles the component; warns where that of a project is older than its sources.
    ///
    /// # Errors
    /// When there is none, or it is no source; says what to do.
    pub(super) async fn open(path: &Path, purpose: SandboxUse, config: &Config) -> anyhow::Result<Self> {
        let file = component(path)?;
        warn_if_stale(path, &file);
        let cassettes = Some(path.join(CASSETTES)).filter(|folder| folder.is_dir());
        let (plugins, source) = Plugins::open(&file, purpose, &config.plugins, &config.data_dir()).await?;
        Ok(Self { plugins, source, cassettes })
    }

    /// Lists the files that are named, and all `.toml` of folders that are; else the project's own.
    ///
    /// # Errors
    /// When a folder cannot be read, or there is no cassette at all.
    pub(super) fn cassettes(&self, named: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
        let files = self.cassettes_if_any(named)?;
        if files.is_empty() { Err(no_cassette()) } else { Ok(files) }
    }

    /// The same, but for a project that has none.
    ///
    /// # Errors
    /// When a folder cannot be read, or those that are named hold none.
    pub(super) fn cassettes_if_any(&self, named: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
        let is_named = !named.is_empty();
        let named = if named.is_empty() { self.cassettes.as_slice() } else { named };
        let mut files = Vec::new();
        for path in named {
            if path.is_dir() {
                files
                    .extend(within(path, "toml").with_context(|| format!("cannot read {}", path.display()))?);
            } else if path.try_exists().is_ok_and(|exists| !exists) {
                return Err(wrong_usage(format!("there is no cassette `{}`", path.display())));
            } else {
                files.push(path.clone());
            }
        }
        if files.is_empty() && is_named { Err(no_cassette()) } else { Ok(files) }
    }
}

fn no_cassette() -> anyhow::Error {
    wrong_usage("there is no cassette; name one, or a folder of them")
}

/// Reads the cassette in `file`.
///
/// # Errors
/// That name the file.
pub(super) fn read(file: &Path) -> anyhow::Result<Cassette> {
    Cassette::read(file).map_err(|error: CassetteError| {
        let what = match error {
            CassetteError::Form(_) => format!("{}:\n{error}", file.display()),
            error => format!("{}: {}", file.display(), crate::error::chain(&error)),
        };
        anyhow::anyhow!(what)
    })
}

/// Finds the component: the file itself, or the one of a project.
///
/// # Errors
/// When there is no such file, or the project has none or several.
pub(super) fn component(path: &Path) -> anyhow::Result<PathBuf> {
    if !path.is_dir() {
        return match path.try_exists() {
            Ok(false) => Err(wrong_usage(format!(
                "there is no `{}`; name a component (.wasm) or the folder of a project",
                path.display()
            ))),
            _ => Ok(path.to_owned()),
        };
    }
    let project = path;
    let folder = project.join(BUILT);
    let files = match within(&folder, "wasm") {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot read {}", folder.display()));
        }
        files => files.unwrap_or_default(),
    };
    match &files[..] {
        [file] => Ok(file.clone()),
        [] => Err(wrong_usage(format!(
            "{0} has no {BUILT}/*.wasm; build it with `pixcrawler plugin build {0}`, or name a file",
            project.display()
        ))),
        _ => Err(wrong_usage(format!("{} has several components; name one of them", folder.display()))),
    }
}

/// Warns when the project's sources were changed after the component was built.
pub(super) fn warn_if_stale(path: &Path, component: &Path) {
    if let Some(newer) = stale::newer(path, component) {
        let [newer, component, project] = [&newer, component, path].map(shown);
        tell(&format!(
            "Warning: {newer} is newer than {component}, which is used as it is; build it anew with \
             `pixcrawler plugin build {project}`"
        ));
    }
}

/// Lists the folder's files of one kind, by name.
fn within(folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let entries: io::Result<Vec<_>> = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect();
    let mut files = entries?;
    files.retain(|file| file.extension().is_some_and(|found| found == extension));
    files.sort();
    Ok(files)
}
