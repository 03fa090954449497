//! Runs sources in sandboxed WebAssembly. The only place that knows wasmtime.

use crate::source::SourceInfo;

/// The installed sources.
#[derive(Default)]
pub struct Plugins(pub Vec<Installed>);

/// An installed source.
#[derive(Clone)]
#[expect(missing_docs, reason = "stands in")]
pub struct Installed {
    pub info: SourceInfo,
    pub bundled: bool,
    pub granted: bool,
}

impl Installed {
    /// Why no crawl can be begun.
    pub fn unavailable(&self) -> Option<String> {
        (!self.granted).then(|| "it is not granted".to_owned())
    }
}

impl Plugins {
    /// All, by id.
    pub fn list(&self) -> Vec<Installed> {
        self.0.clone()
    }

    /// One.
    pub fn get(&self, id: &str) -> Option<Installed> {
        self.0.iter().find(|source| source.info.id == id).cloned()
    }
}
