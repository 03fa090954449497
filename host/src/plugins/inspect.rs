//! What a component is made of, whether it is a source or not.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{OpenError, PluginsError, dirs};
use crate::sandbox::{Compiler, EngineMode, SandboxEngine};
use crate::{config, model::Sha256};

/// The world of a source, as `package/interface@version`.
const EXPORT: &str = "pixcrawler:source/source@0.1.0";
const IMPORTS: [&str; 2] = ["pixcrawler:source/log@0.1.0", "pixcrawler:source/types@0.1.0"];
/// Of WASI 0.2, which languages bring along; there is nothing behind them.
const WASI: [&str; 6] = ["cli", "clocks", "filesystem", "io", "random", "sockets"];

/// A component from outside.
#[derive(Clone, Debug)]
pub struct Inspection {
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

/// Compiles the component in `file`, past the cache, and looks at its outside.
///
/// # Errors
/// When the file cannot be read or is no component at all.
pub async fn outside(
    file: &Path,
    config: &config::Plugins,
    data_dir: &Path,
) -> Result<Inspection, OpenError> {
    let read = |source| OpenError::Read { path: file.to_owned(), source };
    let wasm = dirs::read(file).await.map_err(read)?;
    let cache = dirs::cache_folder(config, data_dir)?.join(format!("check-{}", std::process::id()));
    let compiler = Compiler::in_children(config, &cache, EngineMode::Serve);
    let runtime =
        SandboxEngine::new(config, &cache, EngineMode::Serve, compiler).map_err(PluginsError::from)?;
    let begun = Instant::now();
    let compiled = runtime.prepare(&wasm, false).await;
    let compiled_in = begun.elapsed();
    let names = compiled.and_then(|()| runtime.names(&wasm));
    // What is left of it is found by nobody.
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
    Ok(Inspection {
        size: wasm.len(),
        digest: Sha256::of(&wasm),
        imports: names.imports,
        exports: names.exports,
        compiled_in,
        misfits,
    })
}

fn provided(import: &str) -> bool {
    let wasi = import.strip_prefix("wasi:").and_then(|rest| rest.split_once('/'));
    IMPORTS.contains(&import)
        || wasi.is_some_and(|(package, rest)| WASI.contains(&package) && rest.contains("@0.2."))
}
