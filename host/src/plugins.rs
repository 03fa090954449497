//! What is installed: the components of the binary and of the folder of plugins, what each is
//! granted, and which build of it runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use chrono::{DateTime, Utc};
use tokio::{fs, sync::Mutex};

use crate::{
    config::{self, ConfiguredCredential},
    model::{Answer, Grants, Query, Sha256, SourceInfo},
    sandbox::{Compiler, EngineError, EngineMode, MeteredStep, SandboxEngine, StepError},
};

mod capabilities;
mod install;
mod dirs;
mod grant;
mod load;
mod lockfile;
mod open;
mod inspect;
mod catalog;
#[cfg(test)]
mod tests;

pub use capabilities::{GrantedCapabilities, GrantedCredential};
pub use grant::GrantedBy;
pub use inspect::{Inspection, outside};
pub use install::{FolderError, Removed};
pub use lockfile::{LockedBuild, LockfileError};
pub use open::{InspectedComponent, OpenError, SandboxUse};

use catalog::{Catalog, CompiledBuild};
use load::Loader;

/// The components that this binary carries: name and bytes.
const BUNDLED: Bundled = include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// How a compiler is made for an engine with this cache.
type MakeCompiler = fn(&config::Plugins, &Path, EngineMode) -> Compiler;

type Bundled = &'static [(&'static str, &'static [u8])];

/// Name of the folder of plugins in the data folder, where no other is configured.
const FOLDER: &str = "plugins";

/// The installed sources. Cheap to clone; all clones are the same sources.
#[derive(Clone)]
pub struct Plugins {
    shared: Arc<PluginsState>,
}

struct PluginsState {
    runtime: Arc<SandboxEngine>,
    bundled: Bundled,
    folder: PathBuf,
    granted: Vec<String>,
    loader: Mutex<Loader>,
    registry: RwLock<Catalog>,
}

/// A source that is there, whether it may run or not. Holds the build that it had when it
/// was looked up: steps made with it are made by that build, whatever was installed since.
#[derive(Clone, Debug)]
pub struct LoadedPlugin {
    /// What it says of itself; where that is not known, id and name are the name of its file.
    pub info: SourceInfo,
    /// Of the component.
    pub digest: Sha256,
    /// Whether this very component came with the binary.
    pub bundled: bool,
    /// Why it may reach the hosts it declares; none while it may not.
    pub granted_by: Option<GrantedBy>,
    /// Whether it can be used now.
    pub status: PluginStatus,
    /// Of the component, in bytes.
    pub size: usize,
    /// Where it was found, unless it came with the binary.
    pub file: Option<PathBuf>,
    /// Whether the operator has it on.
    pub enabled: bool,
    /// When it was last installed or enabled; what came before that is forgiven.
    pub enabled_at: DateTime<Utc>,
    /// How the folder records this build, if it does.
    pub pinned: Option<LockedBuild>,
    /// The build that is meant but left aside, because it faulted too often.
    pub rolled_back: Option<LockedBuild>,
    build: Option<Arc<CompiledBuild>>,
}

/// Whether a source can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PluginStatus {
    /// Now.
    Ready,
    /// Soon: it is being compiled.
    Preparing,
    /// Not before the operator says so; the reason says how.
    Off(String),
}

/// A component that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedPlugin {
    /// Its file, or its name among the bundled ones.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
}

/// What all workers know of builds that counts when one is chosen to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedBuild {
    /// Those that faulted too often, by source and digest, each with the `enabled_at` of then.
    pub builds: BTreeMap<(String, Sha256), DateTime<Utc>>,
    /// Those that ever did well.
    pub did_well: BTreeSet<Sha256>,
}

impl FailedBuild {
    /// One that was enabled anew since is given another chance.
    fn has(&self, id: &str, entry: &lockfile::LockEntry, digest: &Sha256) -> bool {
        let under = self.builds.get(&(id.to_owned(), *digest));
        let enabled_at = entry.enabled_at.unwrap_or_default().timestamp_millis();
        under.is_some_and(|under| enabled_at <= under.timestamp_millis())
    }
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

impl LoadedPlugin {
    /// Why it cannot be used now, and what to do about it; none when it can.
    #[must_use]
    pub fn unavailable(&self) -> Option<String> {
        match &self.status {
            PluginStatus::Ready => None,
            PluginStatus::Preparing => Some(format!("the source {} is still being prepared", self.info.id)),
            PluginStatus::Off(reason) => Some(reason.clone()),
        }
    }

    /// Whether it could be looked into, so that what it asks for is known.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.build.is_some()
    }

    /// What the source may reach, with those of `credentials` that it declares.
    /// Nothing while it is not granted.
    #[must_use]
    pub fn grants(&self, credentials: &[ConfiguredCredential]) -> Grants {
        grant::grants(&self.info, self.granted_by, credentials)
    }

    /// The build to make steps with.
    fn build(&self) -> Result<&CompiledBuild, StepError> {
        let id = || self.info.id.clone();
        match (&self.status, &self.build) {
            (PluginStatus::Ready, Some(build)) => Ok(build),
            (PluginStatus::Off(reason), _) => Err(StepError::Off { id: id(), reason: reason.clone() }),
            (PluginStatus::Preparing | PluginStatus::Ready, _) => Err(StepError::Preparing { id: id() }),
        }
    }
}

impl Plugins {
    /// The bundled components and every `*.wasm` of the folder of plugins, which is the
    /// configured one or else `plugins` in the data folder; one of the folder takes the
    /// place of a bundled one with the same id. What cannot be loaded is named and skipped:
    /// see [`Plugins::refused`]. A file that is neither recorded nor granted by its name is not
    /// looked into. What takes long to compile is compiled after this has returned.
    ///
    /// # Errors
    /// When the engine does not start, the folder was configured and cannot be read, or its
    /// record cannot be understood.
    pub async fn load(config: &config::Plugins, data_dir: &Path) -> Result<Self, PluginsError> {
        Self::load_from(BUNDLED, config, data_dir, Compiler::in_children).await
    }

    async fn load_from(
        bundled: Bundled,
        config: &config::Plugins,
        data_dir: &Path,
        compiler: MakeCompiler,
    ) -> Result<Self, PluginsError> {
        if let Some(folder) = &config.plugins_dir {
            drop(fs::read_dir(folder).await.map_err(PluginsError::folder(folder))?);
        }
        let shared = Arc::new(PluginsState {
            bundled,
            ..PluginsState::new(config, data_dir, EngineMode::Serve, compiler).await?
        });
        shared.begin().await?;
        shared.warn_of_unknown_grants();
        Ok(Self { shared })
    }

    /// The folder of plugins.
    #[must_use]
    pub fn folder(config: &config::Plugins, data_dir: &Path) -> PathBuf {
        config.plugins_dir.clone().unwrap_or_else(|| data_dir.join(FOLDER))
    }

    /// Takes up what has changed in the folder since, and leaves aside what is `condemned`
    /// from now on. What runs goes on until the moment in which the new is put in its place.
    ///
    /// # Errors
    /// When the folder cannot be read or its record understood: then everything stays as it
    /// is until the folder changes again.
    pub async fn follow(&self, condemned: Option<FailedBuild>) -> Result<(), PluginsError> {
        self.shared.follow(condemned).await
    }

    /// Whether a build of a source could be left aside for an earlier one.
    pub async fn can_go_back(&self, source: &LoadedPlugin) -> bool {
        let loader = self.shared.loader.lock().await;
        loader.can_go_back(&source.info.id, &source.digest, &self.shared.granted)
    }

    /// Components that this process compiled itself, because what the cache had of them was spoilt.
    #[must_use]
    pub fn cache_misses(&self) -> u64 {
        self.shared.runtime.cache_misses()
    }

    /// Every source, sorted by id.
    #[must_use]
    pub fn list(&self) -> Vec<LoadedPlugin> {
        self.shared.read().list()
    }

    /// The source with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<LoadedPlugin> {
        self.shared.read().get(id).cloned()
    }

    /// Whether this source is being compiled, so that it will be there soon.
    #[must_use]
    pub fn is_preparing(&self, id: &str) -> bool {
        self.get(id).is_some_and(|source| source.status == PluginStatus::Preparing)
    }

    /// Whether all that is wanted was compiled or refused.
    pub async fn is_settled(&self) -> bool {
        self.shared.loader.lock().await.compiling.is_empty()
    }

    /// What was left out until now, and why.
    #[must_use]
    pub fn refused(&self) -> Vec<RefusedPlugin> {
        self.shared.read().refused.clone()
    }

    /// The first step of a crawl.
    ///
    /// # Errors
    /// Says whose fault it was and which limit was passed; see [`StepError`].
    pub async fn start(&self, source: &LoadedPlugin, query: &Query) -> Result<MeteredStep, StepError> {
        let build = source.build()?;
        self.shared.runtime.step(&build.compiled, &build.name, query, None).await
    }

    /// Every other step: `answers` to what the last one asked for, in that order. Together
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
        self.shared.runtime.step(&build.compiled, &build.name, query, Some((state, answers))).await
    }
}

impl PluginsState {
    /// With nothing loaded yet.
    async fn new(
        config: &config::Plugins,
        data_dir: &Path,
        mode: EngineMode,
        compiler: MakeCompiler,
    ) -> Result<Self, PluginsError> {
        let cache = dirs::cache_folder(config, data_dir)?;
        let compiler = compiler(config, &cache, mode);
        Ok(Self {
            runtime: Arc::new(SandboxEngine::new(config, &cache, mode, compiler)?),
            bundled: BUNDLED,
            folder: Plugins::folder(config, data_dir),
            granted: config.grant.clone(),
            loader: Mutex::default(),
            registry: RwLock::default(),
        })
    }

    /// The lock guards plain data that no panic can leave half changed.
    fn read(&self) -> RwLockReadGuard<'_, Catalog> {
        self.registry.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Catalog> {
        self.registry.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn warn_of_unknown_grants(&self) {
        let registry = self.read();
        let known: BTreeSet<_> = registry.sources.keys().chain(registry.preparing.keys()).collect();
        for id in self.granted.iter().filter(|id| !known.contains(id)) {
            tracing::warn!(source = id, "granted, but there is no such source");
        }
    }
}
