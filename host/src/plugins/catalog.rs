//! Which sources there are: what was found, put together with what was compiled, recorded
//! and granted. Made anew as a whole whenever one of these changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use chrono::DateTime;

use super::{
    GrantedBy, LoadedPlugin, PluginStatus, RefusedPlugin,
    dirs::{ComponentFile, PluginDirs},
    grant::{self, TrustSource},
};
use crate::model::{Input, Sha256, SourceInfo};
use crate::sandbox::Compiled;

/// Every source, as of one moment.
#[derive(Default)]
pub(super) struct Catalog {
    /// By id.
    pub(super) sources: BTreeMap<String, LoadedPlugin>,
    /// Still being compiled, by the id that is recorded or else the name of their file.
    pub(super) preparing: BTreeMap<String, LoadedPlugin>,
    /// Left out.
    pub(super) refused: Vec<RefusedPlugin>,
}

/// A component that was compiled and has said what it is.
pub(super) struct CompiledBuild {
    /// Its id, for logs.
    pub(super) name: Arc<str>,
    pub(super) info: SourceInfo,
    pub(super) compiled: Compiled,
}

impl fmt::Debug for CompiledBuild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.info.id, self.info.version)
    }
}

/// What came of compiling each component, by its digest.
pub(super) type CatalogEntry = BTreeMap<Sha256, Result<Arc<CompiledBuild>, String>>;

impl Catalog {
    /// The sources of `library`; `granted` are those that the configuration grants by name.
    /// While the next build of one is being compiled, the one that `before` has stays.
    pub(super) fn assemble(
        library: &PluginDirs,
        builds: &CatalogEntry,
        granted: &[String],
        before: &Self,
    ) -> Self {
        let mut registry = Self { refused: library.refused.clone(), ..Self::default() };
        for found in &library.found {
            if registry.is_replaced(library, found) {
                continue;
            }
            if !found.is_wanted(granted) {
                let reason = format!(
                    "is not recorded, so it was not looked into; to see what it asks for and to have it: \
                     `pixcrawler plugin install {found}`"
                );
                registry.refused.push(RefusedPlugin { name: found.to_string(), reason });
                continue;
            }
            let added = match builds.get(&found.digest) {
                Some(Ok(build)) => found
                    .check_id(&build.info)
                    .and_then(|()| registry.register(ready(library, found, build, granted))),
                Some(Err(reason)) => Err(reason.clone()),
                None => {
                    registry.await_build(library, found, before);
                    Ok(())
                }
            };
            if let Err(reason) = added {
                registry.refused.push(RefusedPlugin { name: found.to_string(), reason });
            }
        }
        for (id, reason) in &library.broken {
            if library.rolled_back.contains_key(id) && registry.is_granted(id) {
                continue;
            }
            // What was read when it was as recorded goes on; the file may be on its way.
            let recorded = |source: &&LoadedPlugin| {
                let entry = library.entries.get(id);
                source.build.is_some()
                    && entry.is_some_and(|entry| entry.builds().any(|build| build.sha256 == source.digest))
            };
            let source = match before.sources.get(id).filter(recorded) {
                Some(source) => turned_on_or_off(library, source.clone()),
                None => library.damaged(id, reason),
            };
            registry.sources.insert(id.clone(), source);
        }
        registry
    }

    /// Whether this build is left aside for the one that comes with the binary, which may run.
    fn is_replaced(&self, library: &PluginDirs, found: &ComponentFile) -> bool {
        let Some((id, pinned)) = &found.pinned else { return false };
        library.rolled_back.get(id) == Some(pinned) && self.is_granted(id)
    }

    fn is_granted(&self, id: &str) -> bool {
        self.sources.get(id).is_some_and(|source| source.granted_by.is_some())
    }

    /// Adds a source. One from the folder takes the place of one from the binary; what is
    /// recorded comes before any other file.
    ///
    /// # Errors
    /// When another one has its id.
    fn register(&mut self, source: LoadedPlugin) -> Result<(), String> {
        let id = &source.info.id;
        if let Some(other) = self.sources.get(id).filter(|other| other.file.is_some()) {
            let owner = other.file.as_ref().map_or_else(|| id.clone(), |file| file.display().to_string());
            let instead = match (&other.pinned, &source.file) {
                (Some(_), Some(file)) => {
                    format!("; to have this one in its place: `pixcrawler plugin install {}`", file.display())
                }
                _ => String::new(),
            };
            return Err(format!("the id `{id}` is taken by {owner}{instead}"));
        }
        self.sources.insert(id.clone(), source);
        Ok(())
    }

    /// A component that is not compiled yet: what was there before stands in for it.
    fn await_build(&mut self, library: &PluginDirs, found: &ComponentFile, before: &Self) {
        let is_before = |source: &&LoadedPlugin| match &found.pinned {
            Some((id, _)) => source.info.id == *id && source.build.is_some(),
            None => source.file.is_some() && source.file == found.file,
        };
        let stays = before.sources.values().find(is_before).cloned();
        let stays = stays.map(|source| turned_on_or_off(library, source));
        // What cannot be registered is told of once it is compiled.
        if stays.is_none_or(|stays| self.register(stays).is_err()) {
            let id = found.pinned.as_ref().map_or(&found.name, |(id, _)| id);
            let preparing = LoadedPlugin {
                digest: found.digest,
                size: found.size,
                bundled: found.bundled,
                file: found.file.clone(),
                ..LoadedPlugin::unknown(id, PluginStatus::Preparing)
            };
            self.preparing.insert(id.clone(), preparing);
        }
    }

    /// The source with this id, or the file with this name while it is being prepared.
    pub(super) fn get(&self, id: &str) -> Option<&LoadedPlugin> {
        self.sources.get(id).or_else(|| self.preparing.get(id))
    }

    /// All of them, sorted by id.
    pub(super) fn list(&self) -> Vec<LoadedPlugin> {
        let ids: BTreeSet<_> = self.sources.keys().chain(self.preparing.keys()).collect();
        ids.into_iter().filter_map(|id| self.get(id)).cloned().collect()
    }

    /// Says in the log how it differs from what was there before; at the start only what was left out.
    pub(super) fn log_changes(&self, before: &Self) {
        let is_start = before.sources.is_empty() && before.preparing.is_empty();
        for (id, source) in self.sources.iter().filter(|_| !is_start) {
            let (version, digest) = (&source.info.version, source.digest);
            match before.sources.get(id) {
                Some(other) if other.digest == digest && other.status == source.status => {}
                other => {
                    let before = other.map(|other| other.info.version.as_str());
                    let off = source.unavailable();
                    tracing::info!(source = id, version, %digest, before, off, "source taken up");
                }
            }
        }
        for id in before.sources.keys().filter(|id| !self.sources.contains_key(*id)) {
            tracing::info!(source = id, "source removed");
        }
        for new in self.refused.iter().filter(|refused| !before.refused.contains(refused)) {
            tracing::warn!(plugin = new.name, reason = new.reason, "plugin left out");
        }
    }
}

/// Who grants a build what it asks for.
///
/// # Errors
/// Why nobody does, and what to do about it.
pub(super) fn decide(
    library: &PluginDirs,
    found: &ComponentFile,
    build: &CompiledBuild,
    granted: &[String],
) -> Result<GrantedBy, String> {
    let id = &build.info.id;
    let entry = library.entries.get(id);
    let consent = match &found.pinned {
        Some((_, pinned)) => Some(&pinned.granted),
        None if found.file.is_none() => entry.and_then(|entry| entry.bundled_granted.as_ref()),
        None => None,
    };
    let standing = if found.bundled { TrustSource::Bundled } else { TrustSource::Installed };
    grant::decide(&build.info, standing, granted.contains(id), consent)
}

/// A source that was compiled, with what it may do.
fn ready(
    library: &PluginDirs,
    found: &ComponentFile,
    build: &Arc<CompiledBuild>,
    granted: &[String],
) -> LoadedPlugin {
    let pinned = found.pinned.as_ref().map(|(_, pinned)| pinned.clone());
    let left_aside = library.rolled_back.get(&build.info.id).filter(|meant| pinned.as_ref() != Some(meant));
    let source = LoadedPlugin {
        bundled: found.bundled,
        size: found.size,
        file: found.file.clone(),
        rolled_back: left_aside.cloned(),
        pinned,
        ..LoadedPlugin::of(build, found.digest, decide(library, found, build, granted))
    };
    turned_on_or_off(library, source)
}

fn turned_on_or_off(library: &PluginDirs, mut source: LoadedPlugin) -> LoadedPlugin {
    let id = &source.info.id;
    let Some(entry) = library.entries.get(id) else { return source };
    source.enabled = entry.enabled;
    source.enabled_at = entry.enabled_at.unwrap_or_default();
    if !entry.enabled {
        source.status =
            PluginStatus::Off(format!("it was turned off; turn it on with `pixcrawler plugin enable {id}`"));
    }
    source
}

impl PluginDirs {
    /// A recorded source whose file is not as it was: what the record says of it.
    fn damaged(&self, id: &str, reason: &str) -> LoadedPlugin {
        let mut source = LoadedPlugin::unknown(id, PluginStatus::Off(reason.to_owned()));
        if let Some(meant) = self.entries.get(id).and_then(|entry| entry.build.as_ref()) {
            source.info.version.clone_from(&meant.version);
            source.digest = meant.sha256;
            source.size = usize::try_from(meant.size).unwrap_or(usize::MAX);
            source.file = Some(self.folder.join(&meant.file));
            source.pinned = Some(meant.clone());
        }
        source
    }
}

impl ComponentFile {
    /// Whether a recorded component is the source that it is recorded as.
    fn check_id(&self, info: &SourceInfo) -> Result<(), String> {
        match &self.pinned {
            Some((id, _)) if *id != info.id => {
                Err(format!("it is recorded as `{id}` but says that it is `{}`", info.id))
            }
            _ => Ok(()),
        }
    }
}

impl LoadedPlugin {
    /// A source that was compiled; whether it may run was `decided`.
    pub(super) fn of(build: &Arc<CompiledBuild>, digest: Sha256, decided: Result<GrantedBy, String>) -> Self {
        Self {
            digest,
            granted_by: decided.as_ref().ok().copied(),
            info: build.info.clone(),
            build: Some(Arc::clone(build)),
            ..Self::unknown("", decided.map_or_else(PluginStatus::Off, |_| PluginStatus::Ready))
        }
    }

    /// A source of which only the name is known.
    fn unknown(name: &str, status: PluginStatus) -> Self {
        let info = SourceInfo {
            id: name.to_owned(),
            name: name.to_owned(),
            version: String::new(),
            description: String::new(),
            homepage: None,
            terms_url: None,
            input: Input::Keywords,
            hosts: Vec::new(),
            ignores_robots: false,
            restriction: None,
            options: Vec::new(),
            credentials: Vec::new(),
            requests_per_minute: None,
            max_results: None,
        };
        Self {
            info,
            digest: Sha256([0; 32]),
            bundled: false,
            granted_by: None,
            status,
            size: 0,
            file: None,
            enabled: true,
            enabled_at: DateTime::UNIX_EPOCH,
            pinned: None,
            rolled_back: None,
            build: None,
        }
    }
}
