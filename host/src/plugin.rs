//! Runs sources in sandboxed WebAssembly. The only place that knows wasmtime.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    thread,
};

use tokio::{sync::mpsc, task};

use crate::{
    config::{self, ConfiguredCredential},
    image::Sha256,
    source::{Answer, Grants, Query, SourceInfo},
};

mod bindings;
mod bounds;
mod compare;
mod convert;
mod found;
mod grant;
mod info;
mod inspect;
mod open;
mod registry;
mod runtime;
mod sandbox;
mod stderr;
mod step;
mod text;
mod trap;
#[cfg(test)]
mod tests;

pub use info::check_id;
pub use inspect::{Inspection, inspect};
pub use open::{OpenError, Use};
pub use step::{MOST_AGAIN, Made, StepError};

use found::Found;
use grant::Standing;
use registry::{Registry, Source};
use runtime::{Mode, Runtime};

/// The components that this binary carries: name and bytes.
const BUNDLED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// The installed sources. Cheap to clone; all clones are the same sources.
#[derive(Clone)]
pub struct Plugins {
    shared: Arc<Shared>,
}

struct Shared {
    runtime: Runtime,
    granted: Vec<String>,
    registry: RwLock<Registry>,
}

/// A source that is there, whether it may run or not.
#[derive(Clone, Debug)]
pub struct Installed {
    /// What it says of itself; while it is being prepared only id and name are known,
    /// and both are the name of its file.
    pub info: SourceInfo,
    /// Of the component.
    pub digest: Sha256,
    /// Whether this very component came with the binary.
    pub bundled: bool,
    /// Whether it may reach the hosts it declares.
    pub granted: bool,
    /// Whether it can be used now.
    pub status: Status,
    /// Of the component, in bytes.
    pub size: usize,
    /// Where it was found, unless it came with the binary.
    pub file: Option<PathBuf>,
    granted_by_name: bool,
}

/// Whether a source can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Now.
    Ready,
    /// Soon: it is being compiled.
    Preparing,
    /// Not before the configuration says so; the reason says what to write.
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

/// Why no source can be run at all.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Wasmtime does not start with these settings on this machine.
    #[error("cannot start the WebAssembly engine: {message}")]
    Engine {
        /// Wasmtime's words.
        message: String,
    },
    /// No thread for the clock of deadlines, or for compiling.
    #[error("cannot start a thread of the WebAssembly engine")]
    Thread {
        /// The system's answer.
        source: std::io::Error,
    },
    /// The folder of plugins or that of compiled code.
    #[error("cannot use the folder `{}`", path.display())]
    Folder {
        /// Which one.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
}

impl EngineError {
    fn engine(error: wasmtime::Error) -> Self {
        Self::Engine { message: format!("{error:#}") }
    }
}

impl Installed {
    /// Why it cannot be used now, and what to do about it; none when it can.
    #[must_use]
    pub fn unavailable(&self) -> Option<String> {
        match &self.status {
            Status::Ready => None,
            Status::Preparing => Some(format!("the source {} is still being prepared", self.info.id)),
            Status::Off(reason) => Some(reason.clone()),
        }
    }

    /// What the source may reach, with those of `credentials` that it declares.
    /// Nothing while it is not granted.
    #[must_use]
    pub fn grants(&self, credentials: &[ConfiguredCredential]) -> Grants {
        grant::grants(&self.info, self.granted, self.granted_by_name, credentials)
    }
}

impl Plugins {
    /// The bundled components and every `*.wasm` of the configured folder; one of the
    /// folder takes the place of a bundled one with the same id. What cannot be loaded
    /// is named and skipped: see [`Plugins::refused`]. Components over 5 MB are compiled
    /// after this has returned.
    ///
    /// # Errors
    /// When the engine does not start, or the folder was configured and cannot be read.
    pub async fn load(config: &config::Plugins, data_dir: &Path) -> Result<Self, EngineError> {
        Self::load_from(BUNDLED, config, data_dir).await
    }

    async fn load_from(
        bundled: &[(&'static str, &'static [u8])],
        config: &config::Plugins,
        data_dir: &Path,
    ) -> Result<Self, EngineError> {
        let cache = found::cache_folder(data_dir).await?;
        let runtime = Runtime::new(config, Some(&cache), Mode::Serve)?;
        let mut registry = Registry::default();
        let all = found::all(bundled, config.plugins_dir.as_deref(), &mut registry.refused).await?;
        let (big, small): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|found| found.wasm.len() > runtime::BIG);
        for found in &big {
            registry.preparing.insert(found.name.clone(), found.preparing());
        }
        let shared =
            Arc::new(Shared { runtime, granted: config.grant.clone(), registry: RwLock::new(registry) });
        shared.install_all(small).await;
        if !big.is_empty() {
            shared.prepare(big)?;
        }
        shared.warn_of_unknown_grants();
        Ok(Self { shared })
    }

    /// Every source, sorted by id.
    #[must_use]
    pub fn list(&self) -> Vec<Installed> {
        self.shared.read().list()
    }

    /// The source with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<Installed> {
        self.shared.read().get(id).cloned()
    }

    /// Whether this source is being compiled, so that it will be there soon.
    #[must_use]
    pub fn is_preparing(&self, id: &str) -> bool {
        self.get(id).is_some_and(|source| source.status == Status::Preparing)
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
    pub async fn start(&self, id: &str, query: &Query) -> Result<Made, StepError> {
        let source = self.shared.runnable(id)?;
        self.shared.runtime.step(&source.compiled, &source.name, query, None).await
    }

    /// Every other step: `answers` to what the last one asked for, in that order. Together
    /// they may be 16 MiB; those that do not fit are answered `too-large`.
    ///
    /// # Errors
    /// Says whose fault it was and which limit was passed; see [`StepError`].
    pub async fn resume(
        &self,
        id: &str,
        query: &Query,
        state: &str,
        answers: &[Answer],
    ) -> Result<Made, StepError> {
        let source = self.shared.runnable(id)?;
        self.shared.runtime.step(&source.compiled, &source.name, query, Some((state, answers))).await
    }
}

impl Shared {
    /// The lock guards plain data that no panic can leave half changed.
    fn read(&self) -> RwLockReadGuard<'_, Registry> {
        self.registry.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Registry> {
        self.registry.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn runnable(&self, id: &str) -> Result<Arc<Source>, StepError> {
        let registry = self.read();
        let Some(source) = registry.sources.get(id) else {
            let id = id.to_owned();
            return Err(match registry.preparing.contains_key(&id) {
                true => StepError::Preparing { id },
                false => StepError::Unknown { id },
            });
        };
        match &source.installed.status {
            Status::Off(reason) => Err(StepError::Off { id: id.to_owned(), reason: reason.clone() }),
            Status::Ready | Status::Preparing => Ok(Arc::clone(source)),
        }
    }

    /// Compiles all at once, then installs them in their order.
    async fn install_all(self: &Arc<Self>, all: Vec<Found>) {
        let compile = |found: Found| {
            let shared = Arc::clone(self);
            task::spawn_blocking(move || {
                let compiled = shared.runtime.compile(&found.wasm);
                (found, compiled)
            })
        };
        let compiling: Vec<_> = all.into_iter().map(compile).collect();
        for compiled in compiling {
            match compiled.await {
                Ok((found, compiled)) => self.install(found, compiled).await,
                Err(error) => tracing::error!(%error, "compiling a plugin was broken off"),
            }
        }
    }

    /// Compiles one after the other, beside everything else. A plain thread, because the
    /// runtime would wait for its own blocking threads when the process ends.
    fn prepare(self: &Arc<Self>, all: Vec<Found>) -> Result<(), EngineError> {
        let (done, mut compiled) = mpsc::unbounded_channel();
        let shared = Arc::clone(self);
        let compile = move || {
            for found in all {
                let compiled = shared.runtime.compile(&found.wasm);
                if done.send((found, compiled)).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new()
            .name("plugin-compiler".to_owned())
            .spawn(compile)
            .map_err(|source| EngineError::Thread { source })?;
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            while let Some((found, compiled)) = compiled.recv().await {
                let name = found.name.clone();
                shared.install(found, compiled).await;
                shared.write().preparing.remove(&name);
            }
        });
        Ok(())
    }

    /// Asks a compiled component what it is, and registers it or says why not.
    async fn install(&self, found: Found, compiled: Result<runtime::Compiled, String>) {
        let name = found.to_string();
        let installed = match compiled {
            Ok(compiled) => {
                let standing = if found.bundled { Standing::Bundled } else { Standing::Installed };
                self.describe(found, compiled, standing).await
            }
            Err(reason) => Err(reason),
        };
        let registered = installed.and_then(|source| self.write().register(source));
        if let Err(reason) = registered {
            tracing::warn!(plugin = name, reason, "plugin left out");
            self.write().refused.push(RefusedPlugin { name, reason });
        }
    }

    async fn describe(
        &self,
        found: Found,
        compiled: runtime::Compiled,
        standing: Standing,
    ) -> Result<Source, String> {
        let name = Arc::from(found.name.as_str());
        let info = self
            .runtime
            .describe(&compiled, &name)
            .await
            .map_err(|error| format!("it cannot say what it is: {error}"))?;
        info::check(&info)?;
        let granted_by_name = self.granted.contains(&info.id);
        let granted = grant::decide(&info, standing, granted_by_name);
        let installed = Installed {
            digest: found.digest,
            bundled: found.bundled,
            granted: granted.is_ok(),
            status: granted.map_or_else(Status::Off, |()| Status::Ready),
            size: found.wasm.len(),
            file: found.file,
            granted_by_name,
            info,
        };
        Ok(Source { name: Arc::from(installed.info.id.as_str()), installed, compiled })
    }

    fn warn_of_unknown_grants(&self) {
        let registry = self.read();
        let known: BTreeSet<_> = registry.sources.keys().chain(registry.preparing.keys()).collect();
        for id in self.granted.iter().filter(|id| !known.contains(id)) {
            tracing::warn!(source = id, "granted, but there is no such source");
        }
    }
}
