//! `plugins.toml`, the record of a folder of plugins: which file is which build, what is
//! on, and what was granted. Made to be read by people, reviewed and deployed like code.

use std::{
    collections::BTreeMap,
    fs::{self, File, TryLockError},
    io, mem,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use chrono::{DateTime, SubsecRound as _, Utc};
use serde::{Deserialize, Serialize};

use super::granted_capabilities::GrantedCapabilities;
use crate::{
    atomic_write,
    model::{Sha256, SourceInfo},
};

/// Name of the file, in the folder of plugins.
pub(super) const NAME: &str = "plugins.toml";
/// Of the file's form.
const VERSION: u32 = 1;
/// Longest wait for a program that changes or reads the folder, which takes less than a second.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is looked whether that is done.
const LOOK: Duration = Duration::from_millis(10);
/// Builds before the present one that are kept to go back to.
const MOST_PREVIOUS: usize = 3;
/// Characters of a version in the name of a file.
const MOST_OF_VERSION: usize = 40;

const HEADER: &str = "\
# The plugins of this folder: which build of each is meant, whether it is on, and what was
# granted to it. `pixcrawler plugin` writes this file; hosts that run follow it within seconds.

";

/// What is recorded, by the id of the source.
pub(super) type LockEntries = BTreeMap<String, LockEntry>;

/// What is recorded of one source.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LockEntry {
    pub(super) enabled: bool,
    /// When it was last installed or enabled: what it was paused for before that is forgiven.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) enabled_at: Option<DateTime<Utc>>,
    /// What was granted to the build that comes with the program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) bundled_granted: Option<GrantedCapabilities>,
    /// The build that is meant; none for a source that comes with the program, be it by going back to
    /// that, or for a file that was only turned off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) build: Option<LockedBuild>,
    /// Builds before it, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) previous: Vec<LockedBuild>,
}

/// One build of a source in the folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedBuild {
    /// As it says itself.
    pub version: String,
    /// Its name in the folder.
    pub file: String,
    /// Of the file.
    pub sha256: Sha256,
    /// Of the file, in bytes.
    pub size: u64,
    /// When it came here.
    pub installed_at: DateTime<Utc>,
    /// What was granted to it.
    pub granted: GrantedCapabilities,
}

/// Why the record cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LockfileError {
    /// A file or the folder.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// It is not what this program writes.
    #[error("{} cannot be understood; mend it, or move it away and install the plugins again: {message}", path.display())]
    Form {
        /// The record.
        path: PathBuf,
        /// Where and what.
        message: String,
    },
    /// Another program does not end.
    #[error("another program has been changing or reading the plugins in {} for {} s; try again when it has ended", .0.display(), PATIENCE.as_secs())]
    Busy(PathBuf),
    /// A newer program wrote it.
    #[error("{} has version {found}, this program knows up to {VERSION}; use a newer one", path.display())]
    Version {
        /// The record.
        path: PathBuf,
        /// As written.
        found: u32,
    },
}

impl LockfileError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// The whole file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LockDocument<E> {
    version: u32,
    #[serde(default)]
    plugin: E,
}

/// What a newer program wrote may have any other form.
#[derive(Deserialize)]
struct LockVersion {
    version: u32,
}

impl LockedBuild {
    /// Makes the record of a build that is installed now, with all granted that it asks for.
    pub(super) fn new(info: &SourceInfo, file: String, sha256: Sha256, size: usize) -> Self {
        Self {
            version: info.version.clone(),
            file,
            sha256,
            size: size as u64,
            installed_at: Utc::now().trunc_subsecs(0),
            granted: GrantedCapabilities::to(info),
        }
    }
}

impl LockEntry {
    /// Turns the source on, and forgives what was before.
    pub(super) fn enable(&mut self) {
        self.enabled = true;
        // To the millisecond, which every database keeps.
        self.enabled_at = Some(Utc::now().trunc_subsecs(3));
    }

    /// Makes `build` the one that is meant, or none and so the one that comes with the program, and keeps the one
    /// before. Gives the files that are of no use any more.
    pub(super) fn replace(&mut self, build: Option<LockedBuild>) -> Vec<String> {
        let meant = build.as_ref().map(|build| build.sha256);
        let before = mem::replace(&mut self.build, build);
        self.previous.splice(0..0, before);
        self.previous.retain(|previous| Some(previous.sha256) != meant);
        let dropped = self.previous.split_off(self.previous.len().min(MOST_PREVIOUS));
        dropped.into_iter().map(|dropped| dropped.file).filter(|file| !self.names(file)).collect()
    }

    /// Tells whether it is about this file.
    pub(super) fn names(&self, file: &str) -> bool {
        self.builds().any(|build| build.file == file)
    }

    /// Finds the recorded build with these bytes.
    pub(super) fn build_mut(&mut self, digest: &Sha256) -> Option<&mut LockedBuild> {
        self.build.iter_mut().chain(&mut self.previous).find(|build| build.sha256 == *digest)
    }

    /// Lists the build that is meant, then those before it.
    pub(super) fn builds(&self) -> impl Iterator<Item = &LockedBuild> {
        self.build.iter().chain(&self.previous)
    }
}

/// Names the file in which a build is kept: beside all others of its source.
pub(super) fn file_name(info: &SourceInfo, digest: &Sha256) -> String {
    let version: String = info.version.chars().take(MOST_OF_VERSION).collect();
    format!("{}@{version}-{}.wasm", info.id, &digest.to_string()[..8])
}

/// Reads what `folder` records; nothing when there is no record.
///
/// # Errors
/// When it cannot be read or understood.
pub(super) fn read(folder: &Path) -> Result<LockEntries, LockfileError> {
    let path = folder.join(NAME);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(LockEntries::new()),
        Err(error) => return Err(LockfileError::io("read", &path)(error)),
    };
    let form =
        |error: toml::de::Error| LockfileError::Form { path: path.clone(), message: error.to_string() };
    let found = toml::from_str::<LockVersion>(&text).map_err(form)?.version;
    if found != VERSION {
        return Err(LockfileError::Version { path, found });
    }
    let entries = toml::from_str::<LockDocument<LockEntries>>(&text).map_err(form)?.plugin;
    let names = entries.values().flat_map(LockEntry::builds).map(|build| build.file.as_str());
    if let Some(name) = names.into_iter().find(|name| Path::new(name).file_name() != Some(name.as_ref())) {
        let message = format!("`{name}` is not the name of a file in the folder");
        return Err(LockfileError::Form { path, message });
    }
    Ok(entries)
}

/// The lock of who changes a folder and what it records. Until it ends, which is when it is
/// dropped, others who want to change or read the folder wait: they see all of a change,
/// the files included, or nothing.
pub(super) struct FolderLock {
    folder: PathBuf,
    pub(super) entries: LockEntries,
    _lock: File,
}

impl FolderLock {
    /// Waits for the lock and reads the record.
    ///
    /// # Errors
    /// When the folder cannot be made or locked, or its record cannot be read.
    pub(super) async fn take(folder: &Path) -> Result<Self, LockfileError> {
        fs::create_dir_all(folder).map_err(LockfileError::io("make", folder))?;
        let lock = File::open(folder).map_err(LockfileError::io("open", folder))?;
        // The folder itself, because the record is replaced as a whole.
        match patiently(|| lock.try_lock()).await {
            Ok(()) => Ok(Self { folder: folder.to_owned(), entries: read(folder)?, _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(LockfileError::Busy(folder.to_owned())),
            Err(TryLockError::Error(error)) => Err(LockfileError::io("lock", folder)(error)),
        }
    }

    /// Writes the record.
    ///
    /// # Errors
    /// When it cannot be written; then it is as it was.
    pub(super) fn save(&self) -> Result<(), LockfileError> {
        let path = self.folder.join(NAME);
        let document = LockDocument { version: VERSION, plugin: &self.entries };
        let text = toml::to_string_pretty(&document)
            .map_err(|error| LockfileError::Form { path: path.clone(), message: error.to_string() })?;
        atomic_write::write(&path, format!("{HEADER}{text}").as_bytes())
            .map_err(LockfileError::io("write", &path))
    }
}

/// Keeps others from changing the folder until what it gives is dropped, so that it is read whole. Nothing where there
/// is no such folder or it cannot be locked, or where one who changes it takes too long.
pub(super) async fn lock_shared(folder: &Path) -> Option<File> {
    let lock = File::open(folder).ok()?;
    match patiently(|| lock.try_lock_shared()).await {
        Ok(()) => return Some(lock),
        Err(TryLockError::WouldBlock) => {
            let folder = folder.display();
            tracing::warn!(%folder, "a program that changes the plugins does not end; they are read as they are");
        }
        Err(TryLockError::Error(_)) => {}
    }
    None
}

/// Tries to lock until somebody else has ended, or has not for too long.
async fn patiently(lock: impl Fn() -> Result<(), TryLockError>) -> Result<(), TryLockError> {
    let since = Instant::now();
    loop {
        match lock() {
            Err(TryLockError::WouldBlock) if since.elapsed() < PATIENCE => tokio::time::sleep(LOOK).await,
            done => return done,
        }
    }
}
