//! One component by its file, installed or not: seen from outside, asked what it is, or opened alone
//! to be used.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Plugins, PluginsError, PluginsState, cache_folder,
    catalog::{CompiledBuild, LoadedPlugin},
    grants::{self, TrustSource},
    inventory,
};
use crate::{
    config,
    model::{Sha256, SourceInfo},
    sandbox::{EngineMode, Sandbox},
};

/// The world of a source, as `package/interface@version`.
const EXPORT: &str = "pixcrawler:source/source@0.1.0";
const IMPORTS: [&str; 2] = ["pixcrawler:source/log@0.1.0", "pixcrawler:source/types@0.1.0"];
/// Of WASI 0.2, which languages bring along; there is nothing behind them.
const WASI: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// A component in a file that said what it is.
#[derive(Clone, Debug)]
pub struct DescribedComponent {
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
    /// Opens the component in `file`, alone, compiled by the time this returns.
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
        let plugins = Self { shared: Arc::new(PluginsState::new(config, data_dir, mode)?) };
        let component = plugins.describe(file).await?;
        let trust = match purpose {
            SandboxUse::Offline | SandboxUse::Compare => TrustSource::Offline,
            SandboxUse::Live if component.bundled => TrustSource::Bundled,
            SandboxUse::Live => TrustSource::Named,
        };
        let by_name = config.grant.contains(&component.info.id);
        let decided = grants::decide(&component.info, trust, by_name, None);
        let source = LoadedPlugin {
            bundled: component.bundled,
            size: component.wasm.len(),
            file: Some(file.to_owned()),
            ..LoadedPlugin::of(&component.build, component.digest, decided)
        };
        Ok((plugins, source))
    }

    /// Asks the component in `file` what it is, without installing it.
    ///
    /// # Errors
    /// When the file cannot be read or is not a source of this contract.
    pub async fn describe(&self, file: &Path) -> Result<DescribedComponent, OpenError> {
        let wasm = read(file).await?;
        let digest = Sha256::of(&wasm);
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let compiled = self.shared.sandbox.compile(wasm.clone().into(), false).await;
        let build = self.shared.describe(&name, compiled).await;
        let build = build.map_err(|reason| OpenError::Refused { path: file.to_owned(), reason })?;
        let bundled = self.shared.bundled.iter().any(|(_, wasm)| Sha256::of(wasm) == digest);
        Ok(DescribedComponent { info: build.info.clone(), digest, bundled, wasm, build })
    }
}

/// What a component is made of, whether it is a source or not.
#[derive(Clone, Debug)]
pub struct InspectedComponent {
    /// In bytes.
    pub size: usize,
    /// Of the component.
    pub digest: Sha256,
    /// Names of what it imports.
    pub imports: Vec<String>,
    /// Names of what it exports.
    pub exports: Vec<String>,
    /// How long it took to compile, on as many cores as were free.
    pub compiled_in: Duration,
    /// Why it does not fit the world of a source; empty when it does.
    pub misfits: Vec<String>,
}

/// Compiles the component in `file`, past the cache, and looks at it from outside.
///
/// # Errors
/// When the file cannot be read or is no component at all.
pub async fn inspect(
    file: &Path,
    config: &config::Plugins,
    data_dir: &Path,
) -> Result<InspectedComponent, OpenError> {
    let wasm = read(file).await?;
    let cache = cache_folder(config, data_dir)?.join(format!("check-{}", std::process::id()));
    let sandbox = Sandbox::new(config, &cache, EngineMode::Serve).map_err(PluginsError::from)?;
    let begun = Instant::now();
    let compiled = sandbox.prepare(&wasm, false).await;
    let compiled_in = begun.elapsed();
    let names = compiled.and_then(|()| sandbox.names(&wasm));
    // Should this fail, what is left is found by nobody.
    let _ = std::fs::remove_dir_all(&cache);
    let names = names.map_err(|reason| OpenError::Refused { path: file.to_owned(), reason })?;
    let mut misfits: Vec<String> = names
        .imports
        .iter()
        .filter(|name| !provided(name))
        .map(|name| {
            format!(
                "it imports {name}, which the host does not have: a source does no input or output itself"
            )
        })
        .collect();
    if !names.exports.iter().any(|name| name == EXPORT) {
        misfits.push(format!("it does not export {EXPORT}"));
    }
    // What has the right names may still have the wrong types.
    misfits.extend(names.unlinked.filter(|_| misfits.is_empty()));
    Ok(InspectedComponent {
        size: wasm.len(),
        digest: Sha256::of(&wasm),
        imports: names.imports,
        exports: names.exports,
        compiled_in,
        misfits,
    })
}

async fn read(file: &Path) -> Result<Vec<u8>, OpenError> {
    let read = inventory::read(file).await;
    read.map_err(|source| OpenError::Read { path: file.to_owned(), source })
}

/// Tells whether the host links an import of this name.
fn provided(import: &str) -> bool {
    let wasi = import.strip_prefix("wasi:").and_then(|rest| rest.split_once('/'));
    IMPORTS.contains(&import)
        || wasi.is_some_and(|(package, rest)| WASI.contains(&package) && rest.contains("@0.2."))
}
