//! Objects: the original bytes of pictures, in a local folder.
//!
//! An object's path is made of its content, so putting it again changes nothing. A put
//! writes a temporary file beside the object, flushes it, renames it and flushes the
//! folder: after a crash the object is whole or not there.

use std::{error::Error as _, io, ops::Range, path::Path, sync::Arc};

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt};
use object_store::{
    Error, GetOptions, GetRange, GetResult, ObjectStore, ObjectStoreExt, local::LocalFileSystem,
    path::Path as Location,
};

use crate::{
    model::{Format, Sha256, UserId},
    private,
};

/// The objects of all users. Clones share the same store.
#[derive(Clone, Debug)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
}

impl Store {
    /// Opens the objects in a folder, which is made when absent.
    ///
    /// # Errors
    /// When the folder cannot be made or found.
    pub fn local(folder: &Path) -> Result<Self, StoreError> {
        let open = || {
            private::folder(folder)
                .map_err(|error| Error::Generic { store: "LocalFileSystem", source: error.into() })?;
            LocalFileSystem::new_with_prefix(folder)
        };
        match open() {
            // The library's default leaves flushing to the system.
            Ok(objects) => Ok(Self { objects: Arc::new(objects.with_fsync(true)) }),
            Err(error) => Err(StoreError::new("open", &folder.display().to_string(), error)),
        }
    }

    /// Says where the object with this content is: `{user}/{sha[0..2]}/{sha256}.{ext}`.
    #[must_use]
    pub fn path(user: UserId, sha256: &Sha256, format: Format) -> String {
        let name = sha256.to_string();
        format!("{user}/{}/{name}.{}", &name[..2], format.extension())
    }

    /// Keeps `bytes`. When this returns, they survive a crash.
    ///
    /// # Errors
    /// When they could not be kept; then there is no object, or the one that was there.
    pub async fn put(
        &self,
        user: UserId,
        sha256: &Sha256,
        format: Format,
        bytes: Bytes,
    ) -> Result<(), StoreError> {
        let path = Self::path(user, sha256, format);
        match self.objects.put(&Location::from(path.as_str()), bytes.into()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(StoreError::new("write", &path, error)),
        }
    }

    /// Finds the object, or the part of it in `range`, whose end may lie behind the object's end.
    /// None when there is no such object.
    ///
    /// # Errors
    /// [`StoreError::Range`] when the range begins behind the end, else when reading failed.
    pub async fn get(
        &self,
        user: UserId,
        sha256: &Sha256,
        format: Format,
        range: Option<Range<u64>>,
    ) -> Result<Option<Object>, StoreError> {
        let path = Self::path(user, sha256, format);
        let location = Location::from(path.as_str());
        let mut options = GetOptions::default();
        if let Some(range) = range {
            let size = match self.objects.head(&location).await {
                Ok(meta) => meta.size,
                Err(Error::NotFound { .. }) => return Ok(None),
                Err(error) => return Err(StoreError::new("read", &path, error)),
            };
            if range.start >= size || range.start >= range.end {
                return Err(StoreError::Range { size });
            }
            options.range = Some(GetRange::Bounded(range.start..range.end.min(size)));
        }
        match self.objects.get_opts(&location, options).await {
            Ok(result) => Ok(Some(Object { path, result })),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(StoreError::new("read", &path, error)),
        }
    }

    /// Checks that objects can be written and deleted now: writes a small one and deletes it.
    ///
    /// # Errors
    /// When either failed.
    pub async fn check(&self) -> Result<(), StoreError> {
        const PROBE: &str = "readiness-probe";
        let location = Location::from(PROBE);
        let put = self.objects.put(&location, Bytes::from_static(b"probe").into()).await;
        put.map_err(|error| StoreError::new("write", PROBE, error))?;
        match self.objects.delete(&location).await {
            // Another probe at the same time deleted it.
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(StoreError::new("delete", PROBE, error)),
        }
    }
}

/// An object that is there.
#[derive(Debug)]
pub struct Object {
    path: String,
    result: GetResult,
}

impl Object {
    /// Gives the bytes of the whole object.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.result.meta.size
    }

    /// Gives which bytes of the object are read.
    #[must_use]
    pub const fn range(&self) -> &Range<u64> {
        &self.result.range
    }

    /// Reads the bytes into memory.
    ///
    /// # Errors
    /// When reading failed.
    pub async fn bytes(self) -> Result<Bytes, StoreError> {
        let Self { path, result } = self;
        result.bytes().await.map_err(|error| StoreError::new("read", &path, error))
    }

    /// Reads the bytes a piece at a time. An error ends the stream.
    pub fn stream(self) -> impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static {
        let Self { path, result } = self;
        result.into_stream().map_err(move |error| StoreError::new("read", &path, error))
    }
}

/// Why objects cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something could not be done.
    #[error("cannot {action} `{path}`{}", kind.words())]
    Failed {
        /// What was tried.
        action: &'static str,
        /// Of the object or folder.
        path: String,
        /// Whether it passes.
        kind: FailureKind,
        /// What the store said.
        #[source]
        source: Box<Error>,
    },
    /// The range asked for begins behind the end.
    #[error("the range is outside of the object's {size} bytes")]
    Range {
        /// Of the object, in bytes.
        size: u64,
    },
}

/// Whether a failure of the store passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// No space, or no space for this user of the machine.
    Full,
    /// Something that can pass by itself.
    Unavailable,
    /// Something that must be put right first: permissions, the path, the medium.
    Lasting,
}

impl FailureKind {
    const fn words(self) -> &'static str {
        match self {
            Self::Full => ": the disk is full",
            Self::Unavailable => " for now",
            Self::Lasting => "",
        }
    }

    const fn of(error: io::ErrorKind) -> Self {
        match error {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::WriteZero => {
                Self::Full
            }
            io::ErrorKind::Interrupted
            | io::ErrorKind::TimedOut
            | io::ErrorKind::WouldBlock
            | io::ErrorKind::ResourceBusy
            | io::ErrorKind::OutOfMemory
            | io::ErrorKind::StaleNetworkFileHandle
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted => Self::Unavailable,
            _ => Self::Lasting,
        }
    }
}

impl StoreError {
    /// Tells whether the same may succeed later without anyone changing a setting.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Failed { kind: FailureKind::Full | FailureKind::Unavailable, .. })
    }

    fn new(action: &'static str, path: &str, error: Error) -> Self {
        let kind = io_error(&error).map_or(FailureKind::Lasting, FailureKind::of);
        Self::Failed { action, path: path.to_owned(), kind, source: Box::new(error) }
    }
}

/// Finds what the operating system said, wherever it stands in the chain of causes.
fn io_error(error: &Error) -> Option<io::ErrorKind> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use uuid::Uuid;

    const USER: UserId = UserId(Uuid::from_u128(7));
    const SHA: Sha256 = Sha256([0xab; 32]);

    async fn read(store: &Store, range: Option<Range<u64>>) -> Option<(u64, Range<u64>, Vec<u8>)> {
        let object = store.get(USER, &SHA, Format::Png, range).await.unwrap()?;
        let (size, range) = (object.size(), object.range().clone());
        Some((size, range, object.bytes().await.unwrap().to_vec()))
    }

    #[tokio::test]
    async fn what_is_put_is_there_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::local(&folder.path().join("a/b")).unwrap();
        assert_eq!(read(&store, None).await, None);
        assert_eq!(read(&store, Some(0..1)).await, None);
        for _ in 0..2 {
            store.put(USER, &SHA, Format::Png, Bytes::from_static(b"0123456789")).await.unwrap();
        }
        assert_eq!(read(&store, None).await, Some((10, 0..10, b"0123456789".to_vec())));
        assert_eq!(read(&store, Some(2..4)).await, Some((10, 2..4, b"23".to_vec())));
        assert_eq!(read(&store, Some(8..u64::MAX)).await, Some((10, 8..10, b"89".to_vec())));
        for range in [10..11, 3..3] {
            let error = store.get(USER, &SHA, Format::Png, Some(range)).await.unwrap_err();
            assert!(matches!(error, StoreError::Range { size: 10 }), "{error:?}");
        }
        let object = store.get(USER, &SHA, Format::Png, Some(1..9)).await.unwrap().unwrap();
        let pieces: Vec<Bytes> = object.stream().try_collect().await.unwrap();
        assert_eq!(pieces.concat(), b"12345678");

        let shard = folder.path().join(format!("a/b/{}/ab", USER.0));
        let names: Vec<_> = shard.read_dir().unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [format!("{SHA}.png").as_str()], "nothing temporary is left");
    }

    #[tokio::test]
    async fn puts_at_the_same_time_do_not_disturb_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::local(folder.path()).unwrap();
        let bytes = Bytes::from(vec![3; 100_000]);
        let puts = (0..16).map(|_| store.put(USER, &SHA, Format::Png, bytes.clone()));
        futures_util::future::try_join_all(puts).await.unwrap();
        assert_eq!(read(&store, None).await.unwrap().2, bytes);
    }

    #[tokio::test]
    async fn a_store_says_whether_it_can_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::local(folder.path()).unwrap();
        futures_util::future::try_join_all((0..8).map(|_| store.check())).await.unwrap();
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "the probe is deleted");

        // Root writes where others may not, so the folder is taken away as well.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o500)).unwrap();
        let moved = folder.path().with_extension("moved");
        std::fs::rename(folder.path(), &moved).unwrap();
        std::fs::write(folder.path(), "a file where the folder was").unwrap();
        let error = store.check().await.unwrap_err();
        assert!(!error.is_passing(), "{error:?}");
        let error = store.put(USER, &SHA, Format::Png, Bytes::from_static(b"x")).await.unwrap_err();
        assert!(matches!(error, StoreError::Failed { kind: FailureKind::Lasting, .. }), "{error:?}");
        assert!(Store::local(&folder.path().join("below")).is_err());

        std::fs::remove_file(folder.path()).unwrap();
        std::fs::rename(&moved, folder.path()).unwrap();
    }

    /// A full disk cannot be made without rights to mount one; what the system says can.
    #[test]
    fn a_full_disk_passes() {
        let failed = |kind: io::ErrorKind| {
            StoreError::new(
                "write",
                "x",
                Error::Generic { store: "test", source: io::Error::from(kind).into() },
            )
        };
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded] {
            assert!(matches!(failed(kind), StoreError::Failed { kind: FailureKind::Full, .. }));
        }
        assert!(failed(io::ErrorKind::StorageFull).is_passing());
        assert!(failed(io::ErrorKind::TimedOut).is_passing());
        assert!(!failed(io::ErrorKind::PermissionDenied).is_passing());
        let message = failed(io::ErrorKind::StorageFull).to_string();
        assert_eq!(message, "cannot write `x`: the disk is full");
    }
}
