//! What is installed: the components of the binary and of the folder of plugins, what each is
//! granted, and which build of it runs.
//!
//! One `.wasm` file is called after what is known of it:
//!
//! | Word | What it is |
//! | --- | --- |
//! | component | the bytes, from the binary or a file; `ComponentFile` as it was found |
//! | locked build | how `plugins.toml` records it: version, digest, what was granted ([`LockedBuild`]) |
//! | compiled build | compiled, and asked what it is (`CompiledBuild`) |
//! | described component | the same of a file that is named, installed or not ([`DescribedComponent`]) |
//! | inspected component | what is seen of such a file from outside, source or not ([`InspectedComponent`]) |
//! | failed build | one that faulted too often, so that an earlier one runs ([`FailedBuilds`]) |
//! | set aside | the build that is meant while an earlier one runs, because it failed or lacks a credential ([`SetAside`]) |
//! | loaded plugin, source | the entry of the catalog under one id: the build that runs, or why none does ([`LoadedPlugin`]) |
//!
//! Likewise what lets a source reach others:
//!
//! | Word | What it is |
//! | --- | --- |
//! | trust source | how a component came here, which decides what must be granted (`TrustSource`) |
//! | granted ids | the sources that the configuration grants by name: `--grant`, `PIXCRAWLER_GRANT` |
//! | granted capabilities | what the operator was shown and agreed to, as recorded for a build ([`GrantedCapabilities`]) |
//! | granted by | which of these decided that the source may run ([`GrantedBy`]) |
//! | grants | what follows for its requests: hosts, robots.txt, secrets ([`Grants`](crate::model::Grants)) |
//!
//! The files see one another in one direction: `granted_capabilities` ← { `grants`, `lockfile` ← `inventory` }
//! ← `catalog` ← { `load`, `inspect` ← `install` }. What all of them see stands here: the state that
//! they work on, and its errors.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::Permissions,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use tokio::{fs, sync::Mutex};

use crate::{
    config,
    model::{Answer, Query},
    private,
    sandbox::{EngineError, EngineMode, MeteredStep, Sandbox, StepError},
};

mod granted_capabilities;
mod grants;
mod lockfile;
mod inventory;
mod catalog;
mod load;
mod inspect;
mod install;
#[cfg(test)]
mod tests;

pub use catalog::{LoadedPlugin, PluginStatus};
pub use granted_capabilities::{GrantedCapabilities, GrantedCredential};
pub use grants::GrantedBy;
pub use inspect::{DescribedComponent, InspectedComponent, OpenError, SandboxUse, inspect};
pub use install::{FolderError, RolledBack};
pub use inventory::{FailedBuilds, RefusedPlugin, SetAside};
pub use lockfile::{LockedBuild, LockfileError};

use catalog::Catalog;
use load::Loader;

/// The components that this binary carries: name and bytes.
const BUNDLED: Bundled = include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

type Bundled = &'static [(&'static str, &'static [u8])];

/// Name of the folder of plugins in the data folder, where no other is configured.
const FOLDER: &str = "plugins";

/// The installed sources. Cheap to clone; all clones are the same sources.
#[derive(Clone)]
pub struct Plugins {
    shared: Arc<PluginsState>,
}

struct PluginsState {
    sandbox: Arc<Sandbox>,
    bundled: Bundled,
    folder: PathBuf,
    /// Of the sources that the configuration grants by name.
    granted_ids: Vec<String>,
    /// Held while the folder is read and built from, which takes seconds: nobody who only uses a
    /// source waits for it.
    loader: Mutex<Loader>,
    /// Held for moments.
    catalog: RwLock<Catalog>,
}

/// Why no source can be run at all.
#[derive(Debug, thiserror::Error)]
pub enum PluginsError {
    /// The engine does not start.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The folder of plugins or that of compiled code.
    #[error("cannot use the folder `{}`", path.display())]
    Folder {
        /// Which one.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The record of the folder.
    #[error(transparent)]
    Lock(#[from] LockfileError),
}

impl PluginsError {
    fn folder(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Folder { path, source }
    }
}

impl Plugins {
    /// Loads the bundled components and every `*.wasm` of the folder of plugins, which is the
    /// configured one or else `plugins` in the data folder; one of the folder takes the
    /// place of a bundled one with the same id. What cannot be loaded is named and skipped:
    /// see [`Plugins::refused`]. A file that is neither recorded nor granted by its name is not
    /// looked into. What takes long to compile is compiled after this has returned.
    ///
    /// # Errors
    /// When the engine does not start, the folder was configured and cannot be read, or its
    /// record cannot be understood.
    pub async fn load(config: &config::Plugins, data_dir: &Path) -> Result<Self, PluginsError> {
        Self::load_from(BUNDLED, config, data_dir).await
    }

    async fn load_from(
        bundled: Bundled,
        config: &config::Plugins,
        data_dir: &Path,
    ) -> Result<Self, PluginsError> {
        // The one in the data folder may be absent; one that was named must be there.
        if let Some(folder) = &config.plugins_dir {
            drop(fs::read_dir(folder).await.map_err(PluginsError::folder(folder))?);
        }
        let state = PluginsState::new(config, data_dir, EngineMode::Serve)?;
        let shared = Arc::new(PluginsState { bundled, ..state });
        shared.begin().await?;
        shared.warn_of_unknown_grants();
        Ok(Self { shared })
    }

    /// Names the folder of plugins: the configured one, or that of the data folder.
    #[must_use]
    pub fn folder(config: &config::Plugins, data_dir: &Path) -> PathBuf {
        config.plugins_dir.clone().unwrap_or_else(|| data_dir.join(FOLDER))
    }

    /// Reloads what has changed in the folder since, and sets aside the builds that `failed`
    /// from now on. What runs goes on until the moment in which the new takes its place.
    ///
    /// # Errors
    /// When the folder cannot be read or its record understood: then everything stays as it
    /// is until the folder changes again.
    pub async fn follow(&self, failed: Option<FailedBuilds>) -> Result<(), PluginsError> {
        self.shared.follow(failed).await
    }

    /// Takes up which credentials are configured, names by source: a build that requires another gives way to
    /// an earlier one that does not, until it is there. Before this is said, none does.
    ///
    /// # Errors
    /// When the folder cannot be read or its record understood: then everything stays as it is.
    pub async fn configure(
        &self,
        credentials: BTreeMap<String, BTreeSet<String>>,
    ) -> Result<(), PluginsError> {
        self.shared.configure(credentials).await
    }

    /// Tells whether a build of a source could be set aside for an earlier one.
    pub async fn can_go_back(&self, source: &LoadedPlugin) -> bool {
        let loader = self.shared.loader.lock().await;
        loader.can_go_back(&source.info.id, &source.digest, &self.shared.granted_ids)
    }

    /// Counts the components that this process compiled itself, because what the cache had of them
    /// was spoilt.
    #[must_use]
    pub fn cache_misses(&self) -> u64 {
        self.shared.sandbox.cache_misses()
    }

    /// Lists every source, sorted by id.
    #[must_use]
    pub fn list(&self) -> Vec<LoadedPlugin> {
        self.shared.read().list()
    }

    /// Finds the source with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<LoadedPlugin> {
        self.shared.read().get(id).cloned()
    }

    /// Tells whether this source is being compiled, so that it will be there soon.
    #[must_use]
    pub fn is_preparing(&self, id: &str) -> bool {
        self.get(id).is_some_and(|source| source.status == PluginStatus::Preparing)
    }

    /// Tells whether all that is wanted was compiled or refused.
    pub async fn is_settled(&self) -> bool {
        self.shared.loader.lock().await.compiling.is_empty()
    }

    /// Lists what was left out until now, and why.
    #[must_use]
    pub fn refused(&self) -> Vec<RefusedPlugin> {
        self.shared.read().refused.clone()
    }

    /// Makes the first step of a crawl.
    ///
    /// # Errors
    /// Says whose fault it was and which limit was passed; see [`StepError`].
    pub async fn start(&self, source: &LoadedPlugin, query: &Query) -> Result<MeteredStep, StepError> {
        let build = source.build()?;
        self.shared.sandbox.step(&build.compiled, &build.name, query, None).await
    }

    /// Makes every other step: `answers` to what the last one asked for, in that order. Together
    /// they may be 16 MiB; those that do not fit are answered `too-large`. `state` must be
    /// of the same build.
    ///
    /// # Errors
    /// Says whose fault it was and which limit was passed; see [`StepError`].
    pub async fn resume(
        &self,
        source: &LoadedPlugin,
        query: &Query,
        state: &str,
        answers: &[Answer],
    ) -> Result<MeteredStep, StepError> {
        let build = source.build()?;
        self.shared.sandbox.step(&build.compiled, &build.name, query, Some((state, answers))).await
    }
}

impl PluginsState {
    /// Starts the sandbox; nothing is loaded yet.
    fn new(config: &config::Plugins, data_dir: &Path, mode: EngineMode) -> Result<Self, PluginsError> {
        let cache = cache_folder(config, data_dir)?;
        Ok(Self {
            sandbox: Arc::new(Sandbox::new(config, &cache, mode)?),
            bundled: BUNDLED,
            folder: Plugins::folder(config, data_dir),
            granted_ids: config.grant.clone(),
            loader: Mutex::default(),
            catalog: RwLock::default(),
        })
    }

    /// The lock guards plain data that no panic can leave half changed.
    fn read(&self) -> RwLockReadGuard<'_, Catalog> {
        self.catalog.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Catalog> {
        self.catalog.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn warn_of_unknown_grants(&self) {
        let catalog = self.read();
        let known: BTreeSet<_> = catalog.sources.keys().chain(catalog.preparing.keys()).collect();
        for id in self.granted_ids.iter().filter(|id| !known.contains(id)) {
            tracing::warn!(source = id, "granted, but there is no such source");
        }
    }
}

/// Makes the folder of compiled code, if absent. It is this user's alone: what lies in it is run.
///
/// # Errors
/// When it cannot be made, or belongs to somebody else.
fn cache_folder(config: &config::Plugins, data_dir: &Path) -> Result<PathBuf, PluginsError> {
    let cache = config.cache_dir.clone().unwrap_or_else(|| data_dir.join("cache"));
    let path = std::path::absolute(&cache).unwrap_or(cache).join("plugins");
    let own = || {
        if config.cache_dir.is_none() {
            private::data_folder(data_dir)?;
        }
        private::folder(&path)?;
        std::fs::set_permissions(&path, Permissions::from_mode(0o700))
    };
    match own() {
        Ok(()) => Ok(path),
        Err(source) => Err(PluginsError::Folder { path, source }),
    }
}
