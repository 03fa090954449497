//! One component by its file, installed or not.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    LoadedPlugin, Plugins, PluginsError, PluginsState,
    catalog::CompiledBuild,
    dirs,
    grant::{self, TrustSource},
};
use crate::sandbox::{Compiler, EngineMode};
use crate::{
    config,
    model::{Sha256, SourceInfo},
};

/// A component in a file that was looked into.
#[derive(Clone, Debug)]
pub struct InspectedComponent {
    /// What it says of itself.
    pub info: SourceInfo,
    /// Of the file.
    pub digest: Sha256,
    /// Whether this very component comes with the program.
    pub bundled: bool,
    /// The file.
    pub wasm: Vec<u8>,
    build: Arc<CompiledBuild>,
}

/// What is done with a component that is opened by its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxUse {
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
    Engine(#[from] PluginsError),
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
        purpose: SandboxUse,
        config: &config::Plugins,
        data_dir: &Path,
    ) -> Result<(Self, LoadedPlugin), OpenError> {
        let mode = if purpose == SandboxUse::Compare { EngineMode::Compare } else { EngineMode::Author };
        let plugins = Self {
            shared: Arc::new(PluginsState::new(config, data_dir, mode, Compiler::in_children).await?),
        };
        let component = plugins.component(file).await?;
        let standing = match purpose {
            SandboxUse::Offline | SandboxUse::Compare => TrustSource::Offline,
            SandboxUse::Live if component.bundled => TrustSource::Bundled,
            SandboxUse::Live => TrustSource::Named,
        };
        let by_name = config.grant.contains(&component.info.id);
        let decided = grant::decide(&component.info, standing, by_name, None);
        let source = LoadedPlugin {
            bundled: component.bundled,
            size: component.wasm.len(),
            file: Some(file.to_owned()),
            ..LoadedPlugin::of(&component.build, component.digest, decided)
        };
        Ok((plugins, source))
    }

    /// Looks into a component without installing it.
    ///
    /// # Errors
    /// When the file cannot be read or is not a source of this contract.
    pub async fn component(&self, file: &Path) -> Result<InspectedComponent, OpenError> {
        let read = |source| OpenError::Read { path: file.to_owned(), source };
        let wasm = dirs::read(file).await.map_err(read)?;
        let digest = Sha256::of(&wasm);
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let compiled = self.shared.runtime.compile(wasm.clone().into(), false).await;
        let build = self.shared.describe(&name, compiled).await;
        let build = build.map_err(|reason| OpenError::Refused { path: file.to_owned(), reason })?;
        let bundled = self.shared.bundled.iter().any(|(_, wasm)| Sha256::of(wasm) == digest);
        Ok(InspectedComponent { info: build.info.clone(), digest, bundled, wasm, build })
    }
}
