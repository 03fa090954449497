//! Objects: the original bytes of pictures, in a local folder or in a bucket that speaks S3.
//!
//! An object's path is made of its content, so putting it again changes nothing. After a crash it is
//! whole or not there: in a folder a put writes a temporary file beside it, flushes that, renames it and
//! flushes the folder; a bucket promises as much. It is always put, also where it is there already, so that
//! its time says when somebody last wanted it kept.
//!
//! A folder is held open: what was put where it has been is not taken for kept.
//!
//! Beside the users' folders `databases` names the databases whose rows name the objects: what only
//! one of several names is no waste.

mod bucket;
mod error;

use std::{collections::BTreeMap, fs, ops::Range, path::Path, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    Error, GetOptions, GetRange, GetResult, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, WriteMultipart,
    local::LocalFileSystem, path::Path as Location,
};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};
use url::Url;
use uuid::Uuid;

use crate::{
    config,
    model::{ExportKey, Format, Sha256, UserId},
    private::{self, HeldFolder},
};

pub use bucket::BucketSettingsError;
pub use error::{FailureKind, StoreError};

use bucket::Bucket;

/// Objects that are listed at a time.
const PAGE: usize = 1000;
/// Folder of the objects in a data folder.
pub const FOLDER: &str = "objects";
/// Folder of the names of databases.
const DATABASES: &str = "databases";
/// Folder of what is made of a user's exports, in that of the user.
const EXPORTS: &str = "exports";
/// Bytes of it that are put at a time, and how many such parts are on their way: a bucket has at most 10 000.
const PART: usize = 16 << 20;
const PARTS_AT_A_TIME: usize = 2;
/// How the name of an object ends that is put aside to be deleted.
const ASIDE: &str = ".aside";

/// The objects of all users. Clones share the same store.
#[derive(Clone, Debug)]
pub struct Store {
    objects: Arc<dyn ObjectStore>,
    place: Place,
}

/// Where the objects are.
#[derive(Clone, Debug)]
enum Place {
    Folder(Arc<HeldFolder>),
    Bucket(Arc<Bucket>),
}

impl Store {
    /// Opens the bucket of the settings, or else the folder in the data folder, which is made when absent.
    /// Of a bucket nothing is asked yet.
    ///
    /// # Errors
    /// When the settings mean no bucket, or the folder cannot be made or found.
    pub fn open(config: &config::Objects, data_dir: &Path) -> Result<Self, StoreError> {
        match Self::bucket(config)? {
            Some(bucket) => Ok(bucket),
            None => Self::local(&data_dir.join(FOLDER)),
        }
    }

    /// Opens the bucket of the settings, if they name one.
    ///
    /// # Errors
    /// When they mean none.
    pub fn bucket(config: &config::Objects) -> Result<Option<Self>, StoreError> {
        let opened = Bucket::open(config)?.map(Arc::new);
        Ok(opened.map(|bucket| Self { objects: bucket.objects.clone(), place: Place::Bucket(bucket) }))
    }

    /// Opens the objects in a folder, which is made when absent.
    ///
    /// # Errors
    /// When the folder cannot be made or found.
    pub fn local(folder: &Path) -> Result<Self, StoreError> {
        let open = || {
            let held = private::folder(folder)
                // Through links, as the library goes once and for all.
                .and_then(|()| HeldFolder::open(&folder.canonicalize()?))
                .map_err(|error| Error::Generic { store: "LocalFileSystem", source: error.into() })?;
            Ok((LocalFileSystem::new_with_prefix(held.path())?, held))
        };
        match open() {
            // The library's default leaves flushing to the system.
            Ok((objects, held)) => {
                // Of a user who is gone no folder stays either.
                let objects = objects.with_fsync(true).with_automatic_cleanup(true);
                Ok(Self { objects: Arc::new(objects), place: Place::Folder(Arc::new(held)) })
            }
            Err(error) => Err(StoreError::new("open", &folder.display().to_string(), error)),
        }
    }

    /// Says where the objects are, for people.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.place {
            Place::Folder(folder) => format!("the folder {}", folder.path().display()),
            Place::Bucket(bucket) => bucket.place().to_owned(),
        }
    }

    /// Tells whether they are in a bucket: whoever deletes one there has to see to it that nobody puts it
    /// meanwhile.
    #[must_use]
    pub const fn is_bucket(&self) -> bool {
        matches!(self.place, Place::Bucket(_))
    }

    /// Says where the object with this content is: `{user}/{sha[0..2]}/{sha256}.{ext}`.
    #[must_use]
    pub fn path(user: UserId, sha256: &Sha256, format: Format) -> String {
        let name = sha256.to_string();
        format!("{user}/{}/{name}.{}", &name[..2], format.extension())
    }

    /// The reverse of [`Store::path`].
    #[must_use]
    pub fn parse(path: &str) -> Option<(UserId, Sha256, Format)> {
        let (user, file) = path.split_once('/')?;
        let (sha256, format) = Format::of_name(file.split_once('/')?.1)?;
        Some((UserId(user.parse().ok()?), sha256, format))
    }

    /// Keeps `bytes`. When this returns, they survive a crash.
    ///
    /// # Errors
    /// When they could not be kept, or the folder is no longer where it was; then there is no object, or the
    /// one that was there.
    pub async fn put(
        &self,
        user: UserId,
        sha256: &Sha256,
        format: Format,
        bytes: Bytes,
    ) -> Result<(), StoreError> {
        self.put_at(&Location::from(Self::path(user, sha256, format)), bytes).await
    }

    async fn put_at(&self, location: &Location, bytes: Bytes) -> Result<(), StoreError> {
        self.is_in_place()?;
        let put = self.objects.put(location, bytes.into()).await;
        // The library makes folders that are absent, also those that were moved away meanwhile.
        self.is_in_place().inspect_err(|_| self.take_back(location))?;
        put.map(drop).map_err(|error| StoreError::new("write", location.as_ref(), error))
    }

    fn is_in_place(&self) -> Result<(), StoreError> {
        match &self.place {
            Place::Folder(folder) if !folder.is_in_place() => {
                Err(StoreError::Moved { folder: folder.path().to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// Removes what a put left where the folder was, with the folders made for it. Another store that is
    /// there now is left alone: what is in it may have been there before.
    fn take_back(&self, location: &Location) {
        let Place::Folder(folder) = &self.place else { return };
        let root = folder.path();
        if root.join(DATABASES).exists() {
            return;
        }
        let file = root.join(location.as_ref());
        // Where it fails there is nothing of ours, or something of others.
        let _ = fs::remove_file(&file);
        let folders = location.parts().count();
        // Up to the data folder.
        let _ = file.ancestors().skip(1).take(folders + 1).try_for_each(fs::remove_dir);
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
        // In a file system, and for some servers, the last byte that there can be is too large a number.
        let asked = range.clone().map(|range| match range.end {
            u64::MAX => GetRange::Offset(range.start),
            _ => GetRange::Bounded(range),
        });
        let options = GetOptions { range: asked, ..GetOptions::default() };
        let error = match self.objects.get_opts(&location, options).await {
            Ok(result) => return Ok(Some(Object { path, result })),
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => error,
        };
        if let Some(range) = range
            && let Some(ObjectMeta { size, .. }) = self.meta(&location).await?
            && (range.start >= size || range.is_empty())
        {
            return Err(StoreError::Range { size });
        }
        Err(StoreError::new("read", &path, error))
    }

    /// Signs an address at which anybody can read an object for so long, whether it is there or not; none of
    /// a folder.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub async fn signed_url(
        &self,
        user: UserId,
        sha256: &Sha256,
        format: Format,
        expires_in: Duration,
    ) -> Result<Option<Url>, StoreError> {
        let Place::Bucket(bucket) = &self.place else { return Ok(None) };
        let location = Location::from(Self::path(user, sha256, format));
        let signed = bucket.signed_url(&location, format, expires_in).await;
        signed.map(Some).map_err(|error| StoreError::new("sign", location.as_ref(), error))
    }

    /// Finds the size of an object in bytes; none when there is no such object.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn size(
        &self,
        user: UserId,
        sha256: &Sha256,
        format: Format,
    ) -> Result<Option<u64>, StoreError> {
        let path = Self::path(user, sha256, format);
        let meta = self.meta(&Location::from(path.as_str())).await?;
        Ok(meta.map(|meta| meta.size))
    }

    /// Finds when an object was last put; none when there is no such object.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn written(
        &self,
        user: UserId,
        sha256: &Sha256,
        format: Format,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let path = Self::path(user, sha256, format);
        let meta = self.meta(&Location::from(path.as_str())).await?;
        Ok(meta.map(|meta| meta.last_modified))
    }

    /// Keeps a file of an export that was made, whatever its size. When this returns, it survives a crash.
    ///
    /// # Errors
    /// When it could not be kept, or the file cannot be read.
    pub async fn put_made(
        &self,
        user: UserId,
        place: MadePlace,
        file: std::fs::File,
    ) -> Result<(), StoreError> {
        let location = place.location(user);
        let failed = |error| StoreError::new("write", location.as_ref(), error);
        let broken = |error: std::io::Error| failed(Error::Generic { store: "file", source: error.into() });
        self.is_in_place()?;
        let mut file = tokio::fs::File::from_std(file);
        let upload = self.objects.put_multipart(&location).await.map_err(failed)?;
        let mut upload = WriteMultipart::new_with_chunk_size(upload, PART);
        let copied = async {
            file.rewind().await.map_err(broken)?;
            loop {
                let mut part = BytesMut::with_capacity(PART);
                while part.len() < PART && file.read_buf(&mut part).await.map_err(broken)? > 0 {}
                if part.is_empty() {
                    return Ok(());
                }
                upload.wait_for_capacity(PARTS_AT_A_TIME).await.map_err(failed)?;
                upload.put(part.freeze());
            }
        };
        if let Err(error) = copied.await {
            let _ = upload.abort().await;
            return Err(error);
        }
        let put = upload.finish().await;
        self.is_in_place().inspect_err(|_| self.take_back(&location))?;
        put.map(drop).map_err(failed)
    }

    /// Finds a file of an export that was made, or the part of it in `range`, which is within it. None when it
    /// is not there.
    ///
    /// # Errors
    /// When reading failed.
    pub async fn get_made(
        &self,
        user: UserId,
        place: MadePlace,
        range: Option<Range<u64>>,
    ) -> Result<Option<Object>, StoreError> {
        let location = place.location(user);
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        match self.objects.get_opts(&location, options).await {
            Ok(result) => Ok(Some(Object { path: location.to_string(), result })),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(StoreError::new("read", location.as_ref(), error)),
        }
    }

    /// Lists the files that were made of exports of a user, a page at a time, each with when it was last put.
    pub fn made(&self, user: UserId) -> BoxStream<'_, Result<Vec<MadeObject>, StoreError>> {
        let folder = Location::from(format!("{user}/{EXPORTS}"));
        let listed = self.objects.list(Some(&folder));
        let pages = listed.try_chunks(PAGE);
        let read = |meta: ObjectMeta| {
            Some(MadeObject {
                place: MadePlace::parse(&meta.location)?,
                size: meta.size,
                written: meta.last_modified,
            })
        };
        pages
            .map_ok(move |page| page.into_iter().filter_map(read).collect())
            .map_err(move |error| StoreError::new("list", folder.as_ref(), error.1))
            .boxed()
    }

    /// Deletes a file that was made of an export. Tells whether it was there, which a bucket does not know: it
    /// says yes.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn delete_made(&self, user: UserId, place: MadePlace) -> Result<bool, StoreError> {
        self.delete(&place.location(user)).await
    }

    /// Notes that rows of this database name objects of this store. Gives what tells the store from others
    /// of this database. One process does it at a time: a bucket knows no "unless it is there".
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub async fn serve_database(&self, name: &str) -> Result<String, StoreError> {
        let mode = match self.mark(name).await? {
            Some(mark) if !mark.is_empty() => return Ok(mark),
            None if !self.is_bucket() => PutMode::Create,
            // Of an earlier version, or not there.
            _ => PutMode::Overwrite,
        };
        let (location, mark) = (mark_location(name), Uuid::new_v4().to_string());
        match self.objects.put_opts(&location, mark.clone().into(), mode.into()).await {
            Ok(_) => Ok(mark),
            // Another process did at the same time.
            Err(Error::AlreadyExists { .. }) => Ok(self.mark(name).await?.unwrap_or_default()),
            Err(error) => Err(StoreError::new("write", location.as_ref(), error)),
        }
    }

    /// Reads what tells this store from others of this database; none where it does not serve it, nothing
    /// where only an earlier version has noted so.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn mark(&self, database: &str) -> Result<Option<String>, StoreError> {
        let location = mark_location(database);
        let failed = |error| StoreError::new("read", location.as_ref(), error);
        let mark = match self.objects.get(&location).await {
            Err(Error::NotFound { .. }) => return Ok(None),
            got => got.map_err(failed)?.bytes().await.map_err(failed)?,
        };
        Ok(Some(String::from_utf8_lossy(&mark).into_owned()))
    }

    /// Forgets that rows of a database name objects of this store: there is no such database any more.
    ///
    /// # Errors
    /// When that cannot be written.
    pub async fn forget_database(&self, name: &str) -> Result<(), StoreError> {
        self.delete(&mark_location(name)).await.map(drop)
    }

    /// Lists the databases whose rows name objects of this store, each with when it was noted.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn databases(&self) -> Result<BTreeMap<String, DateTime<Utc>>, StoreError> {
        let listed = self.objects.list(Some(&Location::from(DATABASES)));
        let names = listed
            .map_ok(|meta| (meta.location.filename().unwrap_or_default().to_owned(), meta.last_modified));
        names.try_collect().await.map_err(|error| StoreError::new("list", DATABASES, error))
    }

    /// Lists the users who have objects.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn users(&self) -> Result<Vec<UserId>, StoreError> {
        let listed = self.objects.list_with_delimiter(None).await;
        let folders = listed.map_err(|error| StoreError::new("list", "", error))?.common_prefixes;
        let users = folders.iter().filter_map(|folder| Some(UserId(folder.filename()?.parse().ok()?)));
        Ok(users.collect())
    }

    /// Lists the objects of a user, a page at a time. What an interrupted [`Store::delete_if_old`] left is
    /// an object again.
    pub fn objects(&self, user: UserId) -> BoxStream<'_, Result<Vec<StoredObject>, StoreError>> {
        let listed = self.objects.list(Some(&Location::from(user.to_string())));
        let pages =
            listed.try_chunks(PAGE).map_err(move |error| StoreError::new("list", &user.to_string(), error.1));
        pages
            .and_then(move |page| async move {
                let mut objects = Vec::with_capacity(page.len());
                for meta in page {
                    match meta.location.as_ref().strip_suffix(ASIDE) {
                        Some(path) => {
                            let location = Location::from(path);
                            if self.put_back(&location, &meta.location).await? {
                                objects.extend(self.meta(&location).await?.and_then(StoredObject::of));
                            }
                        }
                        None => objects.extend(StoredObject::of(meta)),
                    }
                }
                Ok(objects)
            })
            .boxed()
    }

    /// Deletes an object that was last written before `limit`, and no other that was put in its place
    /// meanwhile; in a bucket the caller keeps others from putting it. Tells whether it did.
    ///
    /// # Errors
    /// When the store failed; then it may be aside until the objects are listed again.
    pub async fn delete_if_old(
        &self,
        object: &StoredObject,
        limit: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        if self.is_bucket() {
            let found = self.meta(&object.location).await?;
            // Where a server does not say when, the library says 1970.
            let is_old = |meta: &ObjectMeta| meta.last_modified < limit && meta.last_modified.timestamp() > 0;
            return match found.filter(is_old) {
                Some(_) => self.delete(&object.location).await,
                None => Ok(false),
            };
        }
        let aside = Location::from(format!("{}{ASIDE}", object.location));
        // Between a look at its time and the end of a file it may be put again. Whatever is moved aside
        // can be looked at in peace: a put makes a file of its own.
        match self.objects.rename(&object.location, &aside).await {
            Ok(()) => {}
            Err(Error::NotFound { .. }) => return Ok(false),
            Err(error) => return Err(StoreError::new("move", object.location.as_ref(), error)),
        }
        if self.meta(&aside).await?.is_none_or(|meta| meta.last_modified >= limit) {
            self.put_back(&object.location, &aside).await?;
            return Ok(false);
        }
        self.delete(&aside).await
    }

    /// Deletes the object with this content, which the caller keeps others from putting. Tells whether it was
    /// there, which a bucket does not know: it says yes.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn remove(&self, user: UserId, sha256: &Sha256, format: Format) -> Result<bool, StoreError> {
        self.delete(&Location::from(Self::path(user, sha256, format))).await
    }

    /// Deletes an object, however old. Tells whether it was there, which a bucket does not know: it says yes.
    ///
    /// # Errors
    /// When the store failed.
    pub async fn delete_object(&self, object: &StoredObject) -> Result<bool, StoreError> {
        self.delete(&object.location).await
    }

    async fn delete(&self, location: &Location) -> Result<bool, StoreError> {
        match self.objects.delete(location).await {
            Ok(()) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(error) => Err(StoreError::new("delete", location.as_ref(), error)),
        }
    }

    /// Puts back what is aside, unless there is another in its place; tells whether it did.
    async fn put_back(&self, location: &Location, aside: &Location) -> Result<bool, StoreError> {
        match self.objects.rename_if_not_exists(aside, location).await {
            Ok(()) => Ok(true),
            Err(Error::NotFound { .. }) => Ok(false),
            Err(Error::AlreadyExists { .. }) => self.delete(aside).await.map(|_| false),
            Err(error) => Err(StoreError::new("move", aside.as_ref(), error)),
        }
    }

    async fn meta(&self, location: &Location) -> Result<Option<ObjectMeta>, StoreError> {
        match self.objects.head(location).await {
            Ok(meta) => Ok(Some(meta)),
            Err(Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(StoreError::new("read", location.as_ref(), error)),
        }
    }

    /// Checks that objects can be written and deleted now: writes a small one and deletes it.
    ///
    /// # Errors
    /// When either failed.
    pub async fn check(&self) -> Result<(), StoreError> {
        const PROBE: &str = "readiness-probe";
        let location = Location::from(PROBE);
        self.put_at(&location, Bytes::from_static(b"probe")).await?;
        match self.objects.delete(&location).await {
            // Another probe at the same time deleted it.
            Ok(()) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(StoreError::new("delete", PROBE, error)),
        }
    }
}

fn mark_location(database: &str) -> Location {
    Location::from(format!("{DATABASES}/{database}"))
}

/// An object as the store lists it.
#[derive(Clone, Debug)]
pub struct StoredObject {
    location: Location,
    /// Of the bytes, by its name.
    pub sha256: Sha256,
    /// By its name.
    pub format: Format,
    /// In bytes.
    pub size: u64,
    /// When it was last put.
    pub written: DateTime<Utc>,
}

impl StoredObject {
    /// None for what is no object.
    fn of(meta: ObjectMeta) -> Option<Self> {
        let (sha256, format) = Format::of_name(meta.location.filename()?)?;
        Some(Self { location: meta.location, sha256, format, size: meta.size, written: meta.last_modified })
    }
}

/// Which file was made of which export, and as of which revision of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MadePlace {
    /// The export.
    pub export: ExportKey,
    /// Of the file.
    pub number: i32,
    /// Of the file.
    pub revision: i32,
}

/// A file that was made of an export, as the store lists it.
#[derive(Clone, Copy, Debug)]
pub struct MadeObject {
    /// Which.
    pub place: MadePlace,
    /// In bytes.
    pub size: u64,
    /// When it was last put.
    pub written: DateTime<Utc>,
}

impl MadePlace {
    /// `{user}/exports/{export}/{number}-{revision}`.
    fn location(self, user: UserId) -> Location {
        let Self { export, number, revision } = self;
        Location::from(format!("{user}/{EXPORTS}/{export}/{number}-{revision}"))
    }

    fn parse(location: &Location) -> Option<Self> {
        let (folder, file) = location.as_ref().rsplit_once('/')?;
        let (number, revision) = file.split_once('-')?;
        let export = ExportKey(folder.rsplit_once('/')?.1.parse().ok()?);
        Some(Self { export, number: number.parse().ok()?, revision: revision.parse().ok()? })
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
    async fn what_is_put_again_is_not_deleted_for_what_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::local(folder.path()).unwrap();
        let listed = async || -> Vec<StoredObject> { store.objects(USER).try_concat().await.unwrap() };
        let put =
            async || store.put(USER, &SHA, Format::Png, Bytes::from_static(b"0123456789")).await.unwrap();
        put().await;
        let old = listed().await.remove(0);
        assert_eq!((old.sha256, old.format, old.size), (SHA, Format::Png, 10));
        assert_eq!(store.users().await.unwrap(), [USER]);

        // Put again between the look at its time and the end.
        put().await;
        assert!(!store.delete_if_old(&old, old.written).await.unwrap());
        assert_eq!(listed().await.len(), 1);
        // As a crash in the middle leaves it: with nothing in its place, and with another.
        let file = folder.path().join(old.location.as_ref());
        let aside = folder.path().join(format!("{}{ASIDE}", old.location));
        for again in [false, true] {
            std::fs::rename(&file, &aside).unwrap();
            if again {
                put().await;
            }
            assert_eq!(listed().await.len(), 1, "in the same page");
            assert_eq!(listed().await.len(), 1);
            assert!(file.exists() && !aside.exists());
        }

        let later = Utc::now() + chrono::TimeDelta::days(1);
        assert!(store.delete_if_old(&old, later).await.unwrap());
        assert!(!store.delete_if_old(&old, later).await.unwrap());
        assert_eq!(folder.path().read_dir().unwrap().count(), 0, "no folder of the user is left");
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
        assert!(matches!(error, StoreError::Moved { .. }), "{error:?}");
        assert!(Store::local(&folder.path().join("below")).is_err());

        std::fs::remove_file(folder.path()).unwrap();
        std::fs::rename(&moved, folder.path()).unwrap();
        store.check().await.unwrap();
    }
}
