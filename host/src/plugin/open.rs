//! One component by its file, for the tools of its author.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
};

use super::{
    BUNDLED, EngineError, Installed, Plugins, Shared, found,
    grant::Standing,
    runtime::{Mode, Runtime},
};
use crate::config;

/// What is done with a component that is opened by its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It is given recorded answers; what it may reach does not matter.
    Offline,
    /// As offline; every call is made twice, and it is an error when the two differ in what
    /// comes of them or in the instructions they take.
    Compare,
    /// It is run against the network. Who names the file grants the hosts it declares, but neither
    /// any host nor what robots.txt forbids: that must be granted by id.
    Live,
}

/// Why a component cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The engine does not start.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// It is no source.
    #[error("{} is not a source: {reason}", path.display())]
    Refused {
        /// Its file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl Plugins {
    /// The component in `file`, alone, compiled by the time this returns.
    ///
    /// # Errors
    /// When the file cannot be read or is not a source of this contract.
    pub async fn open(
        file: &Path,
        purpose: Use,
        config: &config::Plugins,
        data_dir: &Path,
    ) -> Result<(Self, Installed), OpenError> {
        let is_bundled = |digest: &_| BUNDLED.iter().any(|(_, wasm)| found::digest(wasm) == *digest);
        let found = found::one(file, is_bundled)
            .await
            .map_err(|source| OpenError::Read { path: file.to_owned(), source })?;
        let standing = match purpose {
            Use::Offline | Use::Compare => Standing::Offline,
            Use::Live if found.bundled => Standing::Bundled,
            Use::Live => Standing::Named,
        };
        let mode = if purpose == Use::Compare { Mode::Compare } else { Mode::Author };
        let runtime = Runtime::new(config, Some(&found::cache_folder(data_dir).await?), mode)?;
        let shared = Shared { runtime, granted: config.grant.clone(), registry: RwLock::default() };
        let refused = |reason| OpenError::Refused { path: file.to_owned(), reason };
        let compiled = shared.runtime.compile(&found.wasm).map_err(refused)?;
        let source = shared.describe(found, compiled, standing).await.map_err(refused)?;
        let installed = source.installed.clone();
        shared.write().register(source).map_err(refused)?;
        Ok((Self { shared: Arc::new(shared) }, installed))
    }
}
