//! Which sources there are, and which of two with one id it is.

use std::{collections::BTreeMap, sync::Arc};

use super::{Installed, RefusedPlugin, runtime::Compiled};

/// Everything that was found.
#[derive(Default)]
pub(super) struct Registry {
    /// By id.
    pub(super) sources: BTreeMap<String, Arc<Source>>,
    /// Still being compiled, by the name of their file.
    pub(super) preparing: BTreeMap<String, Installed>,
    /// Left out.
    pub(super) refused: Vec<RefusedPlugin>,
}

/// A source that can be run, if it is granted.
pub(super) struct Source {
    /// Its id, for logs.
    pub(super) name: Arc<str>,
    pub(super) installed: Installed,
    pub(super) compiled: Compiled,
}

impl Registry {
    /// Adds `source`. One from the folder takes the place of one from the binary, in
    /// whatever order they are ready.
    ///
    /// # Errors
    /// When another one of the same origin has this id.
    pub(super) fn register(&mut self, source: Source) -> Result<(), String> {
        let id = &source.installed.info.id;
        if let Some(other) = self.sources.get(id) {
            let other = &other.installed;
            match (&source.installed.file, &other.file) {
                (Some(_), None) => tracing::info!(source = id, "the bundled plugin is overridden"),
                (None, Some(_)) => return Ok(()),
                (_, file) => {
                    let owner = file.as_ref().map_or_else(|| id.clone(), |file| file.display().to_string());
                    return Err(format!("the id `{id}` is taken by {owner}"));
                }
            }
        }
        self.sources.insert(id.clone(), Arc::new(source));
        Ok(())
    }

    /// The source with this id, or the file with this name while it is being prepared.
    pub(super) fn get(&self, id: &str) -> Option<&Installed> {
        self.sources.get(id).map(|source| &source.installed).or_else(|| self.preparing.get(id))
    }

    /// All of them, sorted by id.
    pub(super) fn list(&self) -> Vec<Installed> {
        let ids: std::collections::BTreeSet<_> = self.sources.keys().chain(self.preparing.keys()).collect();
        ids.into_iter().filter_map(|id| self.get(id)).cloned().collect()
    }
}
