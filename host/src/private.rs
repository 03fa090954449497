//! Folders and files that nobody but this user may read: the data folder and all that is in it.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use rustix::{
    fs::{Mode, chmod},
    process::{geteuid, umask},
};

/// Bits that let others in.
const OTHERS: u32 = 0o077;
/// Bit of a folder in which everybody has files, such as /tmp.
const STICKY: u32 = 0o1000;
/// Folder in the data folder in which a restore makes all that will be in it.
pub const RESTORING: &str = "restoring";
/// File in the data folder that a restore into it holds locked.
pub const RESTORE_LOCK: &str = "restore.lock";

/// What an entry of the data folder is, by its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum EntryKind {
    /// Ours, wherever it is.
    Ours,
    /// Ours where there is nothing else: others have such folders, too.
    Common,
    /// It sees to itself: the folder of Postgres, who keeps it closed, another data folder, figures,
    /// and what a file system keeps in its own root.
    Apart,
    /// Somebody else's.
    Other,
}

impl EntryKind {
    fn of(entry: &fs::DirEntry) -> Self {
        match &*entry.file_name().to_string_lossy() {
            "objects" | "keys" | RESTORE_LOCK => Self::Ours,
            "cache" | "plugins" => Self::Common,
            "postgres" | "demo" | "bench" | "lost+found" | RESTORING => Self::Apart,
            // Files beside the folder of Postgres, and one that is half made.
            name if name.starts_with("postgres") => Self::Ours,
            _ => Self::Other,
        }
    }
}

/// A folder that is held open, to tell whether what is at its path is the same still. The number that a
/// file system has for a folder may go to another once that is gone, but not while it is open.
#[derive(Debug)]
pub struct HeldFolder {
    path: PathBuf,
    held: File,
}

impl HeldFolder {
    /// Holds a folder.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), held: File::open(path)? })
    }

    /// Where it was.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Tells whether it is where it was: neither moved nor deleted. What cannot be told is taken for yes.
    #[must_use]
    pub fn is_in_place(&self) -> bool {
        match (fs::metadata(&self.path), self.held.metadata()) {
            (Ok(there), Ok(held)) => (there.dev(), there.ino()) == (held.dev(), held.ino()),
            (Err(error), _) => {
                !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
            }
            (_, Err(_)) => true,
        }
    }
}

/// What was withheld from others before [`begin`].
static USUAL: OnceLock<Mode> = OnceLock::new();

/// Closes whatever this process and its children make from now on to other users, also what
/// libraries write. Done before there are threads.
pub fn begin() {
    // Only the first time is it what the user wants.
    let _ = USUAL.set(umask(Mode::RWXG | Mode::RWXO));
}

/// Makes the data folder if it is absent, and closes what is open in it, which earlier
/// versions left so. As root others may pass through, because another user runs Postgres.
/// A folder that holds other things too is not ours to close; objects, keys and the files of the
/// database in it are.
///
/// # Errors
/// When it cannot be made or read.
pub fn data_folder(path: &Path) -> io::Result<()> {
    let passage = if geteuid().is_root() { Mode::XGRP | Mode::XOTH } else { Mode::empty() };
    make(path, Mode::RWXU | passage)?;
    let entries = fs::read_dir(path)?.collect::<io::Result<Vec<_>>>()?;
    let mode = fs::metadata(path)?.mode();
    let shared = mode & STICKY != 0 || entries.iter().any(|entry| EntryKind::of(entry) == EntryKind::Other);
    if !shared {
        close(path, passage);
        let_through(path, passage);
    } else if mode & OTHERS != 0 {
        tracing::warn!(folder = %path.display(), "the data folder holds other things too, and stays as open as it is");
    }
    let to_close = |entry: &fs::DirEntry| match EntryKind::of(entry) {
        EntryKind::Ours => true,
        EntryKind::Common => !shared,
        EntryKind::Apart | EntryKind::Other => false,
    };
    for entry in entries.into_iter().filter(to_close) {
        if entry.file_type().is_ok_and(|kind| kind.is_file()) {
            close(&entry.path(), Mode::empty());
        } else if fs::metadata(entry.path()).is_ok_and(|there| there.mode() & OTHERS != 0) {
            close_tree(&entry.path());
        }
    }
    Ok(())
}

/// Makes a folder, and those above it that are absent.
///
/// # Errors
/// When it cannot be made.
pub fn folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Gives the options to open a file that is made where it is absent.
#[must_use]
pub fn file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Makes a folder that the user asked for, and those above it that are absent, as open as the
/// user's own.
///
/// # Errors
/// When it cannot be made.
pub fn shared_folder(path: &Path) -> io::Result<()> {
    match USUAL.get() {
        Some(usual) => make(path, (Mode::RWXU | Mode::RWXG | Mode::RWXO).difference(*usual)),
        None => fs::create_dir_all(path),
    }
}

/// Makes a file that the user asked for as open as the user's own.
///
/// # Errors
/// When it is not this user's.
pub fn share(path: &Path) -> io::Result<()> {
    match USUAL.get() {
        Some(usual) => {
            let all = Mode::RUSR | Mode::WUSR | Mode::RGRP | Mode::WGRP | Mode::ROTH | Mode::WOTH;
            Ok(chmod(path, all.difference(*usual))?)
        }
        None => Ok(()),
    }
}

/// Makes a folder with this mode, and those above it that are absent.
fn make(path: &Path, mode: Mode) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent().filter(|above| !above.as_os_str().is_empty()) {
        make(above, mode)?;
    }
    match fs::create_dir(path) {
        Ok(()) => Ok(chmod(path, mode)?),
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Closes all that is in a folder, then the folder itself: one that is closed needs no second look.
fn close_tree(folder: &Path) {
    match fs::read_dir(folder) {
        Ok(entries) => {
            for entry in entries.flatten() {
                // Where a link leads is not ours.
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => close_tree(&entry.path()),
                    Ok(kind) if kind.is_file() => close(&entry.path(), Mode::empty()),
                    _ => {}
                }
            }
        }
        Err(error) => warn_if_failed(folder, Err(error)),
    }
    close(folder, Mode::empty());
}

/// Takes from others what they may do, but for what is `left`.
fn close(path: &Path, left: Mode) {
    let Ok(mode) = fs::metadata(path).map(|there| Mode::from(there.mode())) else { return };
    let open = (Mode::RWXG | Mode::RWXO).difference(left);
    if mode.intersects(open) {
        warn_if_failed(path, chmod(path, mode.difference(open)).map_err(io::Error::from));
    }
}

/// Gives others the way through that they need, where it was taken.
fn let_through(path: &Path, passage: Mode) {
    let Ok(mode) = fs::metadata(path).map(|there| Mode::from(there.mode())) else { return };
    if !mode.contains(passage) {
        warn_if_failed(path, chmod(path, mode.union(passage)).map_err(io::Error::from));
    }
}

/// Warns of what cannot be closed: it may be somebody else's.
fn warn_if_failed(path: &Path, tried: io::Result<()>) {
    match tried {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "the rights of other users cannot be changed");
        }
        _ => {}
    }
}
