//! What an operator does to the folder of plugins: install, enable, disable, remove.

use std::{fs, io};

use chrono::{SubsecRound as _, Utc};

use super::{
    GrantedCapabilities, InspectedComponent, LoadedPlugin, LockedBuild, LockfileError, Plugins,
    lockfile::{self, FolderLock},
};
use crate::atomic_write;

/// Why the folder was not changed.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder or its record.
    #[error(transparent)]
    Lock(#[from] LockfileError),
    /// There is nothing of this id to remove.
    #[error("{id} is not installed: {instead}")]
    NotInstalled {
        /// As asked for.
        id: String,
        /// What may have been meant.
        instead: String,
    },
}

/// What was removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Files that are gone.
    pub files: Vec<String>,
}

impl Plugins {
    /// What was granted to the build of this source that is recorded.
    ///
    /// # Errors
    /// When the record cannot be read.
    pub fn consent(&self, id: &str) -> Result<Option<GrantedCapabilities>, FolderError> {
        let entry = lockfile::read(&self.shared.folder)?.remove(id);
        Ok(entry.and_then(|entry| entry.build).map(|build| build.granted))
    }

    /// Puts a component into the folder and records it, with everything it asks for granted.
    /// The build before it is kept to go back to.
    ///
    /// # Errors
    /// When the folder cannot be written; then the record is as it was.
    pub async fn install(&self, component: &InspectedComponent) -> Result<LockedBuild, FolderError> {
        let folder = &self.shared.folder;
        fs::create_dir_all(folder).map_err(LockfileError::io("make", folder))?;
        let mut turn = FolderLock::take(folder).await?;
        let info = &component.info;
        let recorded = turn.entries.get(&info.id).and_then(|entry| entry.build.as_ref());
        let file = recorded.filter(|build| build.sha256 == component.digest).map(|build| build.file.clone());
        let file = file.unwrap_or_else(|| lockfile::file_name(info, &component.digest));
        let path = folder.join(&file);
        atomic_write::write(&path, &component.wasm).map_err(LockfileError::io("write", &path))?;
        let pinned = LockedBuild {
            version: info.version.clone(),
            file,
            sha256: component.digest,
            size: component.wasm.len() as u64,
            installed_at: Utc::now().trunc_subsecs(0),
            granted: GrantedCapabilities::to(info),
        };
        let was_off = turn.entries.get(&info.id).is_some_and(|entry| !entry.enabled);
        let entry = turn.entries.entry(info.id.clone()).or_default();
        entry.enable();
        entry.enabled = !was_off;
        let dropped = entry.replace(pinned.clone());
        turn.save()?;
        for file in dropped {
            // Left behind it is off, and named by `plugin list`.
            let _ = fs::remove_file(folder.join(file));
        }
        Ok(pinned)
    }

    /// Turns a source on, and forgives what it was paused for. With `grant` all that it
    /// asks for is granted; a file that was only put into the folder is recorded then.
    ///
    /// # Errors
    /// When the folder cannot be written; then the record is as it was.
    pub async fn enable(&self, source: &LoadedPlugin, grant: bool) -> Result<(), FolderError> {
        let folder = &self.shared.folder;
        fs::create_dir_all(folder).map_err(LockfileError::io("make", folder))?;
        let mut turn = FolderLock::take(folder).await?;
        let entry = turn.entries.entry(source.info.id.clone()).or_default();
        entry.enable();
        if grant {
            let granted = GrantedCapabilities::to(&source.info);
            let file = source.file.as_ref().and_then(|file| file.file_name());
            match (file, entry.build_mut(&source.digest)) {
                (None, _) => entry.bundled_granted = Some(granted),
                (Some(_), Some(build)) => build.granted = granted,
                (Some(file), None) => {
                    entry.build = Some(LockedBuild {
                        version: source.info.version.clone(),
                        file: file.to_string_lossy().into_owned(),
                        sha256: source.digest,
                        size: source.size as u64,
                        installed_at: Utc::now().trunc_subsecs(0),
                        granted,
                    });
                }
            }
        }
        Ok(turn.save()?)
    }

    /// Turns a source off.
    ///
    /// # Errors
    /// When the folder cannot be written; then the record is as it was.
    pub async fn disable(&self, id: &str) -> Result<(), FolderError> {
        let folder = &self.shared.folder;
        fs::create_dir_all(folder).map_err(LockfileError::io("make", folder))?;
        let mut turn = FolderLock::take(folder).await?;
        turn.entries.entry(id.to_owned()).or_default().enabled = false;
        Ok(turn.save()?)
    }

    /// Forgets a source that was installed, and removes its files with those of its earlier builds.
    ///
    /// # Errors
    /// When it is not installed, or the folder cannot be written; then it is there still.
    pub async fn remove(&self, id: &str) -> Result<Removed, FolderError> {
        let folder = &self.shared.folder;
        let not_installed = || {
            let instead = match self.get(id) {
                Some(LoadedPlugin { file: Some(file), .. }) => {
                    format!("{} was put into the folder by hand; delete it there", file.display())
                }
                Some(_) => {
                    format!("it comes with the program; turn it off with `pixcrawler plugin disable {id}`")
                }
                None => "`pixcrawler plugin list` shows what is there".to_owned(),
            };
            FolderError::NotInstalled { id: id.to_owned(), instead }
        };
        if !folder.is_dir() {
            return Err(not_installed());
        }
        let mut turn = FolderLock::take(folder).await?;
        let gone = turn.entries.remove(id).filter(|entry| entry.build.is_some()).ok_or_else(not_installed)?;
        turn.save()?;
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
        Ok(Removed { files })
    }
}
