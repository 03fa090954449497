//! What an operator does to the folder of plugins: install, roll back, enable, disable, remove.

use std::{fs, io, path::PathBuf};

use super::{
    Plugins,
    catalog::LoadedPlugin,
    granted_capabilities::GrantedCapabilities,
    inspect::DescribedComponent,
    inventory,
    lockfile::{self, FolderLock, LockedBuild, LockfileError},
};
use crate::{atomic_write, error::meant};

/// Why the folder was not changed.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder or its record.
    #[error(transparent)]
    Lock(#[from] LockfileError),
    /// There is no other build of this id.
    #[error("there is no build of {id} to go back to: {instead}")]
    NoBuildBefore {
        /// As asked for.
        id: String,
        /// What there is.
        instead: String,
    },
    /// The file of the build to go back to is not as it was.
    #[error("nothing was changed: {} {reason}", file.display())]
    Damaged {
        /// Where it should be.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There is nothing of this id to remove.
    #[error("{id} is not installed: {instead}")]
    NotInstalled {
        /// As asked for.
        id: String,
        /// What may have been meant.
        instead: String,
    },
}

/// From which version of a source to which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolledBack {
    /// The one that was meant before.
    pub from: String,
    /// The one that is meant now.
    pub to: String,
    /// Whether that comes with the program.
    pub is_bundled: bool,
}

impl Plugins {
    /// Reads what was granted to the build of this source that is recorded.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn granted_capabilities(&self, id: &str) -> Result<Option<GrantedCapabilities>, FolderError> {
        let entry = lockfile::read(&self.shared.folder)?.remove(id);
        Ok(entry.and_then(|entry| entry.build).map(|build| build.granted))
    }

    /// Puts a component into the folder and records it, with everything it asks for granted.
    /// The build before it is kept to go back to.
    ///
    /// # Errors
    /// When the folder cannot be written; then the record is as it was.
    pub async fn install(&self, component: &DescribedComponent) -> Result<LockedBuild, FolderError> {
        let folder = &self.shared.folder;
        let mut lock = FolderLock::take(folder).await?;
        let info = &component.info;
        let recorded = lock.entries.get(&info.id).and_then(|entry| entry.build.as_ref());
        let file = recorded.filter(|build| build.sha256 == component.digest).map(|build| build.file.clone());
        let file = file.unwrap_or_else(|| lockfile::file_name(info, &component.digest));
        let path = folder.join(&file);
        atomic_write::write(&path, &component.wasm).map_err(LockfileError::io("write", &path))?;
        let locked = LockedBuild::new(info, file, component.digest, component.wasm.len());
        // A new version of one that was turned off does not turn it on.
        let was_off = lock.entries.get(&info.id).is_some_and(|entry| !entry.enabled);
        let entry = lock.entries.entry(info.id.clone()).or_default();
        entry.enable();
        entry.enabled = !was_off;
        let dropped = entry.replace(Some(locked.clone()));
        lock.save()?;
        self.drop_files(dropped);
        Ok(locked)
    }

    fn drop_files(&self, files: Vec<String>) {
        for file in files {
            // Left behind it is off, and named by `plugin list`.
            let _ = fs::remove_file(self.shared.folder.join(file));
        }
    }

    /// Goes back to the build before the one that is meant, or to that of the version `to`; what comes with the
    /// program is before all that was installed. What was granted to that build holds. The other one is kept, so
    /// that the same again undoes it.
    ///
    /// # Errors
    /// When there is no such build, its file is not as it was, or the folder cannot be written; then the
    /// record is as it was.
    pub async fn roll_back(&self, id: &str, to: Option<&str>) -> Result<RolledBack, FolderError> {
        let folder = &self.shared.folder;
        let bundled = self.shared.loader.lock().await.bundled_version(id).map(str::to_owned);
        let none = |instead: String| FolderError::NoBuildBefore { id: id.to_owned(), instead };
        if !folder.is_dir() {
            return Err(none("it was never installed".to_owned()));
        }
        let mut lock = FolderLock::take(folder).await?;
        let Some(entry) = lock.entries.get_mut(id).filter(|entry| entry.builds().next().is_some()) else {
            return Err(none("it was never installed".to_owned()));
        };
        let from = entry.build.as_ref().map(|build| build.version.clone()).or_else(|| bundled.clone());
        let from = from.unwrap_or_default();
        let bundled = bundled.filter(|_| entry.build.is_some());
        let is_wanted = |version: &str| to.is_none_or(|to| to == version);
        let target = entry.previous.iter().find(|build| is_wanted(&build.version)).cloned();
        let bundled_wanted = bundled.as_deref().filter(|version| is_wanted(version));
        let Some(version) = target.as_ref().map(|build| build.version.as_str()).or(bundled_wanted) else {
            let earlier = entry.previous.iter().map(|build| build.version.as_str());
            let earlier: Vec<&str> = earlier.chain(bundled.as_deref()).collect();
            return Err(none(match earlier.as_slice() {
                [] => format!("{from} is all that was installed"),
                _ => format!("beside {from} there are: {}", earlier.join(", ")),
            }));
        };
        let done = RolledBack { from, to: version.to_owned(), is_bundled: target.is_none() };
        if let Some(build) = &target {
            let sound = inventory::read_locked(folder, build).await;
            let damaged = |reason| FolderError::Damaged { file: folder.join(&build.file), reason };
            sound.map_err(damaged)?;
        }
        let was_on = entry.enabled;
        // It may have been set aside for faults itself.
        entry.enable();
        entry.enabled = was_on;
        let dropped = entry.replace(target);
        lock.save()?;
        self.drop_files(dropped);
        Ok(done)
    }

    /// Turns a source on, and forgives what it was paused for. With `grant` all that it
    /// asks for is granted; a file that was only put into the folder is recorded then.
    ///
    /// # Errors
    /// When the folder cannot be written; then the record is as it was.
    pub async fn enable(&self, source: &LoadedPlugin, grant: bool) -> Result<(), FolderError> {
        let folder = &self.shared.folder;
        let mut lock = FolderLock::take(folder).await?;
        let entry = lock.entries.entry(source.info.id.clone()).or_default();
        entry.enable();
        if grant {
            let granted = GrantedCapabilities::to(&source.info);
            let file = source.file.as_ref().and_then(|file| file.file_name());
            match (file, entry.build_mut(&source.digest)) {
                (None, _) => entry.bundled_granted = Some(granted),
                (Some(_), Some(build)) => build.granted = granted,
                (Some(file), None) => {
                    let file = file.to_string_lossy().into_owned();
                    entry.build = Some(LockedBuild::new(&source.info, file, source.digest, source.size));
                }
            }
        }
        Ok(lock.save()?)
    }

    /// Turns a source off.
    ///
    /// # Errors
    /// When the folder cannot be written; then the record is as it was.
    pub async fn disable(&self, id: &str) -> Result<(), FolderError> {
        let folder = &self.shared.folder;
        let mut lock = FolderLock::take(folder).await?;
        lock.entries.entry(id.to_owned()).or_default().enabled = false;
        Ok(lock.save()?)
    }

    /// Forgets a source that was installed, and removes its files with those of its earlier builds:
    /// gives their names.
    ///
    /// # Errors
    /// When it is not installed, or the folder cannot be written; then it is there still.
    pub async fn remove(&self, id: &str) -> Result<Vec<String>, FolderError> {
        let folder = &self.shared.folder;
        let not_installed = || {
            let instead = match self.get(id) {
                Some(LoadedPlugin { file: Some(file), .. }) => {
                    format!("{} was put into the folder by hand; delete it there", file.display())
                }
                Some(_) => {
                    format!("it comes with the program; turn it off with `pixcrawler plugin disable {id}`")
                }
                None => {
                    let installed = self.list().into_iter().filter(|source| source.file.is_some());
                    let ids: Vec<String> = installed.map(|source| source.info.id).collect();
                    let meant = meant(id, ids.iter().map(String::as_str));
                    format!("`pixcrawler plugin list` shows what is there{meant}")
                }
            };
            FolderError::NotInstalled { id: id.to_owned(), instead }
        };
        if !folder.is_dir() {
            return Err(not_installed());
        }
        let mut lock = FolderLock::take(folder).await?;
        let gone = lock.entries.remove(id).filter(|entry| entry.builds().next().is_some());
        let gone = gone.ok_or_else(not_installed)?;
        lock.save()?;
        let mut files: Vec<String> = gone.builds().map(|build| build.file.clone()).collect();
        // Only after it is no longer recorded, so that nobody misses it.
        for file in &files {
            match fs::remove_file(folder.join(file)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(LockfileError::io("remove", &folder.join(file))(error).into());
                }
                _ => {}
            }
        }
        files.sort();
        Ok(files)
    }
}
