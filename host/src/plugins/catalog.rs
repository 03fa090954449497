//! Which sources there are: what was found, put together with what was compiled, recorded
//! and granted. Made anew as a whole whenever one of these changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    path::PathBuf,
    sync::Arc,
};

use chrono::{DateTime, Utc};

use super::{
    grants::{self, GrantedBy, TrustSource},
    inventory::{ComponentFile, Inventory, RefusedPlugin, SetAside},
    lockfile::LockedBuild,
};
use crate::{
    config::ConfiguredCredential,
    model::{Grants, Sha256, SourceInfo},
    sandbox::{Compiled, StepError},
};

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
    pub locked: Option<LockedBuild>,
    /// The build that is meant but set aside for this one.
    pub set_aside: Option<SetAside>,
    pub(super) build: Option<Arc<CompiledBuild>>,
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

/// What came of compiling each component, by its digest; else why it is no source.
pub(super) type CompiledBuilds = BTreeMap<Sha256, Result<Arc<CompiledBuild>, String>>;

impl Catalog {
    /// Puts together the sources of `inventory`; the configuration grants `granted_ids` by name.
    /// While the next build of one is being compiled, the one that `before` has stays.
    pub(super) fn assemble(
        inventory: &Inventory,
        builds: &CompiledBuilds,
        granted_ids: &[String],
        before: &Self,
    ) -> Self {
        let mut catalog = Self { refused: inventory.refused.clone(), ..Self::default() };
        for found in &inventory.found {
            if catalog.is_replaced(inventory, found) {
                continue;
            }
            if !found.is_wanted(granted_ids) {
                let reason = format!(
                    "is not recorded, so it was not looked into; to see what it asks for and to have it: \
                     `pixcrawler plugin install {found}`"
                );
                catalog.refused.push(RefusedPlugin { name: found.to_string(), reason });
                continue;
            }
            let added = match builds.get(&found.digest) {
                Some(Ok(build)) => found
                    .check_id(&build.info)
                    .and_then(|()| catalog.register(ready(inventory, found, build, granted_ids))),
                Some(Err(reason)) => Err(reason.clone()),
                None => {
                    catalog.await_build(inventory, found, before);
                    Ok(())
                }
            };
            if let Err(reason) = added {
                catalog.refused.push(RefusedPlugin { name: found.to_string(), reason });
            }
        }
        for (id, reason) in &inventory.broken {
            if inventory.set_aside.contains_key(id) && catalog.is_granted(id) {
                continue;
            }
            // What was read when it was as recorded goes on; the file may be on its way.
            let recorded = |source: &&LoadedPlugin| {
                let entry = inventory.entries.get(id);
                source.build.is_some()
                    && entry.is_some_and(|entry| entry.builds().any(|build| build.sha256 == source.digest))
            };
            let source = match before.sources.get(id).filter(recorded) {
                Some(source) => turned_on_or_off(inventory, source.clone()),
                None => inventory.damaged(id, reason),
            };
            catalog.sources.insert(id.clone(), source);
        }
        catalog
    }

    /// Tells whether this build is set aside for the one that comes with the binary, which may run.
    fn is_replaced(&self, inventory: &Inventory, found: &ComponentFile) -> bool {
        let Some((id, locked)) = &found.locked else { return false };
        inventory.set_aside.get(id).is_some_and(|meant| meant.build == *locked) && self.is_granted(id)
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
            let instead = match (&other.locked, &source.file) {
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

    /// Adds a component that is not compiled yet: what was there before stands in for it.
    fn await_build(&mut self, inventory: &Inventory, found: &ComponentFile, before: &Self) {
        let is_before = |source: &&LoadedPlugin| match &found.locked {
            Some((id, _)) => source.info.id == *id && source.build.is_some(),
            None => source.file.is_some() && source.file == found.file,
        };
        let stays = before.sources.values().find(is_before).cloned();
        let stays = stays.map(|source| turned_on_or_off(inventory, source));
        // What cannot be registered is told of once it is compiled.
        if stays.is_none_or(|stays| self.register(stays).is_err()) {
            let id = found.locked.as_ref().map_or(&found.name, |(id, _)| id);
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

    /// Finds the source with this id, or the file with this name while it is being prepared.
    pub(super) fn get(&self, id: &str) -> Option<&LoadedPlugin> {
        self.sources.get(id).or_else(|| self.preparing.get(id))
    }

    /// Lists all of them, sorted by id.
    pub(super) fn list(&self) -> Vec<LoadedPlugin> {
        let ids: BTreeSet<_> = self.sources.keys().chain(self.preparing.keys()).collect();
        ids.into_iter().filter_map(|id| self.get(id)).cloned().collect()
    }

    /// Logs how it differs from what was there before; at the start only what was left out.
    pub(super) fn log_changes(&self, before: &Self) {
        let is_start = before.sources.is_empty() && before.preparing.is_empty();
        for (id, source) in self.sources.iter().filter(|_| !is_start) {
            let (version, digest) = (&source.info.version, source.digest);
            match before.sources.get(id) {
                Some(other) if other.digest == digest && other.status == source.status => {}
                other => {
                    let before = other.map(|other| other.info.version.as_str());
                    let off = source.unavailable();
                    tracing::info!(event = "source-loaded", source = id, version, %digest, before, off, "source taken up");
                }
            }
        }
        for id in before.sources.keys().filter(|id| !self.sources.contains_key(*id)) {
            tracing::info!(event = "source-removed", source = id, "source removed");
        }
        for new in self.refused.iter().filter(|refused| !before.refused.contains(refused)) {
            tracing::warn!(
                event = "plugin-left-out",
                plugin = new.name,
                reason = new.reason,
                "plugin left out"
            );
        }
    }
}

/// Decides who grants a build what it asks for.
///
/// # Errors
/// Why nobody does, and what to do about it.
pub(super) fn decide(
    inventory: &Inventory,
    found: &ComponentFile,
    build: &CompiledBuild,
    granted_ids: &[String],
) -> Result<GrantedBy, String> {
    let id = &build.info.id;
    let entry = inventory.entries.get(id);
    let capabilities = match &found.locked {
        Some((_, locked)) => Some(&locked.granted),
        None if found.file.is_none() => entry.and_then(|entry| entry.bundled_granted.as_ref()),
        None => None,
    };
    let trust = if found.bundled { TrustSource::Bundled } else { TrustSource::Installed };
    grants::decide(&build.info, trust, granted_ids.contains(id), capabilities)
}

/// Makes the entry of a source that was compiled, with what it may do.
fn ready(
    inventory: &Inventory,
    found: &ComponentFile,
    build: &Arc<CompiledBuild>,
    granted_ids: &[String],
) -> LoadedPlugin {
    let locked = found.locked.as_ref().map(|(_, locked)| locked.clone());
    // Where the one that is meant runs after all, because the one to go back to is not granted,
    // nothing is set aside.
    let set_aside =
        inventory.set_aside.get(&build.info.id).filter(|meant| locked.as_ref() != Some(&meant.build));
    let source = LoadedPlugin {
        bundled: found.bundled,
        size: found.size,
        file: found.file.clone(),
        set_aside: set_aside.cloned(),
        locked,
        ..LoadedPlugin::of(build, found.digest, decide(inventory, found, build, granted_ids))
    };
    turned_on_or_off(inventory, source)
}

fn turned_on_or_off(inventory: &Inventory, mut source: LoadedPlugin) -> LoadedPlugin {
    let id = &source.info.id;
    let Some(entry) = inventory.entries.get(id) else { return source };
    source.enabled = entry.enabled;
    source.enabled_at = entry.enabled_at.unwrap_or_default();
    if !entry.enabled {
        source.status = PluginStatus::Off(format!(
            "it was turned off; the operator turns it on with `pixcrawler plugin enable {id}`"
        ));
    }
    source
}

impl Inventory {
    /// Makes the entry of a recorded source whose file is not as it was: what the record says of it.
    fn damaged(&self, id: &str, reason: &str) -> LoadedPlugin {
        let mut source = LoadedPlugin::unknown(id, PluginStatus::Off(reason.to_owned()));
        if let Some(meant) = self.entries.get(id).and_then(|entry| entry.build.as_ref()) {
            source.info.version.clone_from(&meant.version);
            source.digest = meant.sha256;
            source.size = usize::try_from(meant.size).unwrap_or(usize::MAX);
            source.file = Some(self.folder.join(&meant.file));
            source.locked = Some(meant.clone());
        }
        source
    }
}

impl ComponentFile {
    /// Checks that a recorded component is the source that it is recorded as.
    fn check_id(&self, info: &SourceInfo) -> Result<(), String> {
        match &self.locked {
            Some((id, _)) if *id != info.id => {
                Err(format!("it is recorded as `{id}` but says that it is `{}`", info.id))
            }
            _ => Ok(()),
        }
    }
}

impl LoadedPlugin {
    /// Says why it cannot be used now, and what to do about it; none when it can.
    #[must_use]
    pub fn unavailable(&self) -> Option<String> {
        match &self.status {
            PluginStatus::Ready => None,
            PluginStatus::Preparing => Some(format!("the source {} is still being prepared", self.info.id)),
            PluginStatus::Off(reason) => Some(reason.clone()),
        }
    }

    /// Tells whether it could be looked into, so that what it asks for is known.
    #[must_use]
    pub const fn is_known(&self) -> bool {
        self.build.is_some()
    }

    /// Gives what the source may reach, with those of `credentials` that it declares.
    /// Nothing while it is not granted.
    #[must_use]
    pub fn grants(&self, credentials: &[ConfiguredCredential]) -> Grants {
        grants::grants(&self.info, self.granted_by, credentials)
    }

    /// Finds the build to make steps with.
    ///
    /// # Errors
    /// When there is none now.
    pub(super) fn build(&self) -> Result<&CompiledBuild, StepError> {
        let id = || self.info.id.clone();
        match (&self.status, &self.build) {
            (PluginStatus::Ready, Some(build)) => Ok(build),
            (PluginStatus::Off(reason), _) => Err(StepError::Off { id: id(), reason: reason.clone() }),
            (PluginStatus::Preparing | PluginStatus::Ready, _) => Err(StepError::Preparing { id: id() }),
        }
    }

    /// Makes the entry of a source that was compiled; whether it may run was `decided`.
    pub(super) fn of(build: &Arc<CompiledBuild>, digest: Sha256, decided: Result<GrantedBy, String>) -> Self {
        Self {
            digest,
            granted_by: decided.as_ref().ok().copied(),
            info: build.info.clone(),
            build: Some(Arc::clone(build)),
            ..Self::unknown("", decided.map_or_else(PluginStatus::Off, |_| PluginStatus::Ready))
        }
    }

    /// Makes the entry of a source of which only the name is known.
    fn unknown(name: &str, status: PluginStatus) -> Self {
        let info = SourceInfo { id: name.to_owned(), name: name.to_owned(), ..SourceInfo::default() };
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
            locked: None,
            set_aside: None,
            build: None,
        }
    }
}
