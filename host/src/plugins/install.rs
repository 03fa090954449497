//! What an operator does to the folder of plugins: install, enable, disable, remove.

use std::{fs, io};

use super::{
    Plugins,
    catalog::LoadedPlugin,
    granted_capabilities::GrantedCapabilities,
    inspect::DescribedComponent,
    lockfile::{self, FolderLock, LockedBuild, LockfileError},
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
        let dropped = entry.replace(locked.clone());
        lock.save()?;
        for file in dropped {
            // Left behind it is off, and named by `plugin list`.
            let _ = fs::remove_file(folder.join(file));
        }
        Ok(locked)
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
                None => "`pixcrawler plugin list` shows what is there".to_owned(),
            };
            FolderError::NotInstalled { id: id.to_owned(), instead }
        };
        if !folder.is_dir() {
            return Err(not_installed());
        }
        let mut lock = FolderLock::take(folder).await?;
        let gone = lock.entries.remove(id).filter(|entry| entry.build.is_some()).ok_or_else(not_installed)?;
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
