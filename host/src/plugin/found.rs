//! Where components come from: the binary and a folder.

use std::{
    borrow::Cow,
    collections::BTreeSet,
    fmt,
    fs::Permissions,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use sha2::Digest as _;
use tokio::fs;

use super::{EngineError, Installed, RefusedPlugin, Status};
use crate::{
    image::Sha256,
    source::{Input, SourceInfo},
};

/// Bytes of one component; Python's, the largest, have 20 MB.
const MAX_SIZE: u64 = 100 << 20;

/// A component that was found, not yet looked into.
pub(super) struct Found {
    /// Name of the file without `.wasm`.
    pub(super) name: String,
    pub(super) wasm: Cow<'static, [u8]>,
    pub(super) digest: Sha256,
    /// None for one from the binary.
    pub(super) file: Option<PathBuf>,
    /// Whether these very bytes are in the binary.
    pub(super) bundled: bool,
}

impl Found {
    /// What can be said before it is compiled.
    pub(super) fn preparing(&self) -> Installed {
        let info = SourceInfo {
            id: self.name.clone(),
            name: self.name.clone(),
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
        Installed {
            info,
            digest: self.digest,
            bundled: self.bundled,
            granted: false,
            status: Status::Preparing,
            size: self.wasm.len(),
            file: self.file.clone(),
            granted_by_name: false,
        }
    }
}

/// The file, or the name in the binary.
impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{}", file.display()),
            None => f.write_str(&self.name),
        }
    }
}

/// Everything there is: the bundled ones, then those of `folder` by name of their file.
/// A file that cannot be read goes to `refused`.
///
/// # Errors
/// When the folder cannot be read.
pub(super) async fn all(
    bundled: &[(&'static str, &'static [u8])],
    folder: Option<&Path>,
    refused: &mut Vec<RefusedPlugin>,
) -> Result<Vec<Found>, EngineError> {
    let mut all: Vec<Found> = bundled
        .iter()
        .map(|(name, wasm)| Found {
            name: (*name).to_owned(),
            digest: digest(wasm),
            wasm: Cow::Borrowed(wasm),
            file: None,
            bundled: true,
        })
        .collect();
    let Some(folder) = folder else { return Ok(all) };
    let known: BTreeSet<Sha256> = all.iter().map(|found| found.digest).collect();
    let files =
        files(folder).await.map_err(|source| EngineError::Folder { path: folder.to_owned(), source })?;
    for file in files {
        match one(&file, |digest| known.contains(digest)).await {
            Ok(found) => all.push(found),
            Err(error) => {
                let (name, reason) = (file.display().to_string(), format!("cannot be read: {error}"));
                tracing::warn!(plugin = name, reason, "plugin left out");
                refused.push(RefusedPlugin { name, reason });
            }
        }
    }
    Ok(all)
}

/// The component in `file`.
///
/// # Errors
/// When it cannot be read or is too large.
pub(super) async fn one(file: &Path, is_bundled: impl Fn(&Sha256) -> bool) -> std::io::Result<Found> {
    let wasm = read(file).await?;
    let digest = digest(&wasm);
    Ok(Found {
        name: file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        wasm: Cow::Owned(wasm),
        digest,
        bundled: is_bundled(&digest),
        file: Some(file.to_owned()),
    })
}

/// The folder of compiled code, made if absent. It is this user's alone: what lies in it is run.
///
/// # Errors
/// When it cannot be made, or belongs to somebody else.
pub(super) async fn cache_folder(data_dir: &Path) -> Result<PathBuf, EngineError> {
    let path = std::path::absolute(data_dir).unwrap_or_else(|_| data_dir.to_owned()).join("cache/plugins");
    let own = async {
        fs::create_dir_all(&path).await?;
        fs::set_permissions(&path, Permissions::from_mode(0o700)).await
    };
    match own.await {
        Ok(()) => Ok(path),
        Err(source) => Err(EngineError::Folder { path, source }),
    }
}

async fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut entries = fs::read_dir(folder).await?;
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

async fn read(file: &Path) -> std::io::Result<Vec<u8>> {
    let size = fs::metadata(file).await?.len();
    if size > MAX_SIZE {
        return Err(std::io::Error::other(format!("{size} bytes, at most {MAX_SIZE} are allowed")));
    }
    fs::read(file).await
}

pub(super) fn digest(wasm: &[u8]) -> Sha256 {
    Sha256(sha2::Sha256::digest(wasm).into())
}
