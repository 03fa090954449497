//! What there is, not yet looked into: the components of the binary, and those of the folder with
//! its record.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use tokio::fs;

use super::{
    PluginsError,
    lockfile::{self, LockEntries, LockEntry, LockedBuild},
};
use crate::{
    model::{CredentialSpec, Sha256},
    sandbox::MAX_SIZE,
};

/// Why a source is off whose file is not as it was recorded; what is wrong with the file is
/// told to the operator, who is shown what was left out.
const BROKEN: &str =
    "its component is not there as it was installed; the operator sees more with `pixcrawler plugin list`";

/// Everything there is, as of one reading of the folder.
#[derive(Default)]
pub(super) struct Inventory {
    /// Where all but the bundled ones are.
    pub(super) folder: PathBuf,
    /// What the folder records.
    pub(super) entries: LockEntries,
    /// The bundled ones, then those that the record means, then the other files by name.
    pub(super) found: Vec<ComponentFile>,
    /// Files that were left out.
    pub(super) refused: Vec<RefusedPlugin>,
    /// Sources whose recorded build is not there as it was, with the reason for everybody.
    pub(super) broken: BTreeMap<String, &'static str>,
    /// Sources of which an earlier build runs, with the one that is set aside.
    pub(super) set_aside: BTreeMap<String, SetAside>,
}

/// A component that was found.
#[derive(Clone)]
pub(super) struct ComponentFile {
    /// Name of the file without `.wasm`.
    pub(super) name: String,
    /// Empty once it was taken to be compiled.
    pub(super) wasm: Cow<'static, [u8]>,
    pub(super) digest: Sha256,
    /// In bytes.
    pub(super) size: usize,
    /// None for one from the binary.
    pub(super) file: Option<PathBuf>,
    /// Whether these very bytes are in the binary.
    pub(super) bundled: bool,
    /// The id under which it is recorded, and how.
    pub(super) locked: Option<(String, LockedBuild)>,
}

impl ComponentFile {
    /// Tells whether the operator wants it looked into: it came with the binary, is recorded, or is
    /// granted by the name of its file. What merely lies in the folder is not.
    pub(super) fn is_wanted(&self, granted_ids: &[String]) -> bool {
        self.bundled || self.locked.is_some() || granted_ids.contains(&self.name)
    }
}

/// The file, or the name in the binary.
impl fmt::Display for ComponentFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}", file.display()),
            None => f.write_str(&self.name),
        }
    }
}

/// A component that was left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedPlugin {
    /// Its file, or its name among the bundled ones.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
}

/// The build that is meant, but set aside for an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// As it is recorded.
    pub build: LockedBuild,
    /// What it requires and is not configured: it runs as soon as that is. None where it faulted too often.
    pub lacks: Option<CredentialSpec>,
}

/// Builds that require a credential which is not configured, by digest.
pub(super) type LackingBuilds = BTreeMap<Sha256, CredentialSpec>;

/// What all workers know of builds that counts when one is chosen to run, above all which failed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailedBuilds {
    /// Those that faulted too often, by source and digest, each with the `enabled_at` of then.
    pub failed: BTreeMap<(String, Sha256), DateTime<Utc>>,
    /// Those that ever did well.
    pub did_well: BTreeSet<Sha256>,
}

impl FailedBuilds {
    /// Tells whether this build failed; one that was enabled anew since is given another chance.
    fn has(&self, id: &str, entry: &LockEntry, digest: &Sha256) -> bool {
        let failed_at = self.failed.get(&(id.to_owned(), *digest));
        let enabled_at = entry.enabled_at.unwrap_or_default().timestamp_millis();
        failed_at.is_some_and(|failed_at| enabled_at <= failed_at.timestamp_millis())
    }
}

/// What tells that a folder has changed: name, identity, time and size of each file that counts.
pub(super) type Fingerprint = Vec<(PathBuf, u64, i64, i64, u64)>;

impl Inventory {
    /// Reads everything. Of each recorded source the newest build is taken that neither has `failed` nor is
    /// `lacking`; where there is none, the one that is meant.
    ///
    /// # Errors
    /// When the record cannot be understood, or the folder cannot be read.
    pub(super) async fn read(
        bundled: &[(&'static str, &'static [u8])],
        folder: &Path,
        failed: &FailedBuilds,
        lacking: &LackingBuilds,
    ) -> Result<Self, PluginsError> {
        let _lock = lockfile::lock_shared(folder).await;
        let mut inventory =
            Self { folder: folder.to_owned(), entries: lockfile::read(folder)?, ..Self::default() };
        inventory.found.extend(bundled.iter().map(|(name, wasm)| ComponentFile {
            name: (*name).to_owned(),
            wasm: Cow::Borrowed(wasm),
            digest: Sha256::of(wasm),
            size: wasm.len(),
            file: None,
            bundled: true,
            locked: None,
        }));
        for (id, entry) in inventory.entries.clone() {
            if let Some(meant) = &entry.build {
                inventory.add_locked(&id, &entry, meant, failed, lacking).await;
            }
        }
        for file in files(folder).await.map_err(PluginsError::folder(folder))? {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if inventory.entries.values().any(|entry| entry.names(&name)) {
                continue;
            }
            match read(&file).await {
                Ok(wasm) => inventory.add(file, wasm, None),
                Err(error) => inventory.refuse(&file, format!("cannot be read: {error}")),
            }
        }
        Ok(inventory)
    }

    /// Adds the build of a recorded source that is to run.
    async fn add_locked(
        &mut self,
        id: &str,
        entry: &LockEntry,
        meant: &LockedBuild,
        failed: &FailedBuilds,
        lacking: &LackingBuilds,
    ) {
        let folder = self.folder.clone();
        let is_out = |digest: &Sha256| failed.has(id, entry, digest) || lacking.contains_key(digest);
        if is_out(&meant.sha256) {
            let has_failed = failed.has(id, entry, &meant.sha256);
            let lacks = lacking.get(&meant.sha256).filter(|_| !has_failed).cloned();
            let set_aside = SetAside { build: meant.clone(), lacks };
            let did_well = |digest: &Sha256| failed.did_well.contains(digest);
            // One that is known to do well, else the one before.
            let mut earlier: Vec<_> = entry.previous.iter().filter(|build| !is_out(&build.sha256)).collect();
            earlier.sort_by_key(|build| !did_well(&build.sha256));
            let bundled = self.bundled(id).map(|bundled| bundled.digest);
            let bundled = bundled.filter(|bundled| !is_out(bundled));
            if earlier.first().is_some_and(|first| !did_well(&first.sha256))
                && bundled.is_some_and(|bundled| did_well(&bundled))
            {
                earlier.clear();
            }
            for build in earlier {
                match read_locked(&folder, build).await {
                    Ok(wasm) => {
                        self.set_aside.insert(id.to_owned(), set_aside);
                        self.add(folder.join(&build.file), wasm, Some((id.to_owned(), build.clone())));
                        return;
                    }
                    Err(reason) => self.refuse(&folder.join(&build.file), reason),
                }
            }
            if bundled.is_some() {
                // The one that is meant is added still, for the case that this one is not granted.
                self.set_aside.insert(id.to_owned(), set_aside);
            }
        }
        match read_locked(&folder, meant).await {
            Ok(wasm) => self.add(folder.join(&meant.file), wasm, Some((id.to_owned(), meant.clone()))),
            Err(reason) => {
                self.refuse(&folder.join(&meant.file), reason);
                self.broken.insert(id.to_owned(), BROKEN);
            }
        }
    }

    fn add(&mut self, file: PathBuf, wasm: Vec<u8>, locked: Option<(String, LockedBuild)>) {
        let digest = Sha256::of(&wasm);
        self.found.push(ComponentFile {
            name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
            size: wasm.len(),
            bundled: self.found.iter().any(|found| found.file.is_none() && found.digest == digest),
            digest,
            wasm: Cow::Owned(wasm),
            file: Some(file),
            locked,
        });
    }

    fn refuse(&mut self, file: &Path, reason: String) {
        self.refused.push(RefusedPlugin { name: file.display().to_string(), reason });
    }

    /// Finds what comes with the binary under this id.
    pub(super) fn bundled(&self, id: &str) -> Option<&ComponentFile> {
        self.found.iter().find(|found| found.file.is_none() && found.name == id)
    }

    /// Tells whether a source has an earlier build that neither has `failed` nor is `lacking`, `bundled` included.
    pub(super) fn can_go_back(
        &self,
        id: &str,
        from: &Sha256,
        failed: &FailedBuilds,
        lacking: &LackingBuilds,
        bundled: Option<&ComponentFile>,
    ) -> bool {
        let Some(entry) = self.entries.get(id) else { return false };
        let earlier = entry.builds().skip_while(|build| build.sha256 != *from).skip(1);
        let earlier = earlier.map(|build| &build.sha256);
        let bundled = bundled.map(|bundled| &bundled.digest).filter(|bundled| *bundled != from);
        let may_run = |digest: &Sha256| !failed.has(id, entry, digest) && !lacking.contains_key(digest);
        entry.build.is_some() && earlier.chain(bundled).any(may_run)
    }

    /// Gives the digests that are in use or may be.
    pub(super) fn digests(&self) -> BTreeSet<Sha256> {
        self.found.iter().map(|found| found.digest).collect()
    }
}

/// Reads the bytes that are recorded.
///
/// # Errors
/// Why they are not there.
pub(super) async fn read_locked(folder: &Path, build: &LockedBuild) -> Result<Vec<u8>, String> {
    let file = folder.join(&build.file);
    let wasm = match read(&file).await {
        Ok(wasm) => wasm,
        Err(error) => return Err(format!("is recorded in {} but cannot be read: {error}", lockfile::NAME)),
    };
    let found = Sha256::of(&wasm);
    if found == build.sha256 {
        return Ok(wasm);
    }
    Err(format!(
        "was changed: its SHA-256 is {found}, {} has {}; put the file back as it was, or look at what is there \
         now and install it: `pixcrawler plugin install {}`",
        lockfile::NAME,
        build.sha256,
        file.display()
    ))
}

/// Takes what the folder looks like from outside; nothing when there is none.
pub(super) async fn fingerprint(folder: &Path) -> Fingerprint {
    let mut seen = Fingerprint::new();
    let files = files(folder).await.unwrap_or_default();
    for file in files.into_iter().chain([folder.join(lockfile::NAME)]) {
        if let Ok(about) = fs::metadata(&file).await {
            seen.push((file, about.ino(), about.mtime(), about.mtime_nsec(), about.len()));
        }
    }
    seen
}

/// Lists the components in a folder, by name.
async fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = match fs::read_dir(folder).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    while let Some(entry) = entries.next_entry().await? {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads a component from a file.
///
/// # Errors
/// When it cannot be read or is too large.
pub(super) async fn read(file: &Path) -> io::Result<Vec<u8>> {
    let size = fs::metadata(file).await?.len();
    if size > MAX_SIZE {
        return Err(io::Error::other(format!("{size} bytes, at most {MAX_SIZE} are allowed")));
    }
    fs::read(file).await
}
