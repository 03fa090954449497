//! Folders that one command works in at a time.

use std::{
    fs::{File, TryLockError},
    path::Path,
};

use anyhow::Context as _;

use super::wrong_usage;

/// Keeps others out of a folder, of whom `who` is at work there already where that fails. The kernel lets go of it
/// with the process.
///
/// # Errors
/// When somebody is at work there, or it cannot be locked.
pub(super) fn lock_folder(path: &Path, who: &str) -> anyhow::Result<File> {
    let lock = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(wrong_usage(format!("{who} is at work in {}", path.display()))),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}
