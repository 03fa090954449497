//! Backup and restore of the private Postgres with its objects, keys and plugins.
//!
//! A backup is a folder: `manifest.json`, which is written last and names one of the folders `run-…`, with
//! the database, keys and plugins of one moment, and `objects`, which all runs share. A run adds the
//! objects that are new, and takes away what only runs before it named when it is whole. Whatever
//! interrupts it, the manifest speaks of a backup that is whole.
//!
//! A restore makes all in the folder `restoring` of the data folder and moves it to its places at the
//! end, the database last.

use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use tokio_util::sync::CancellationToken;

use crate::{
    app::{Announce, Database, StartError},
    atomic_write,
    config::Config,
    db::{
        self,
        objects::{NamedObject, RowCounts, StoreHold},
    },
    model::Sha256,
    postgres::{Durability, PostgresError, PrivatePostgres},
    private,
    store::{Store, StoreError},
};

/// Of the folder; another one is not read.
const FORMAT: u32 = 1;
const MANIFEST: &str = "manifest.json";
const DUMP: &str = "database.dump";
const OBJECTS: &str = "objects";
const RUN: &str = "run-";
/// Locked while a backup is made, in the folder.
const LOCK: &str = "backup.lock";
/// Parts of the data folder that cannot be made anew, beside the database and the objects.
const FILES: [&str; 2] = ["keys", "plugins"];
/// What may be in a data folder into which a restore goes.
const HARMLESS: [&str; 6] =
    ["cache", "lost+found", "postgres.lock", "postgres.users", "postgres.log", private::RESTORING];
/// Objects that are looked up, and that are copied, at a time.
const PAGE: i64 = 1000;
const COPIES: usize = 8;
/// A sweep is waited for so long.
const SWEEP: Duration = Duration::from_mins(10);
/// Objects that are named.
const MOST_NAMED: usize = 20;
/// Only there while a restore makes the roles.
const ROLES: &str = "pixcrawler_roles";

/// What `manifest.json` says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Of the folder.
    pub format: u32,
    /// Of the program that made it.
    pub version: String,
    /// The moment of which it is.
    pub made_at: DateTime<Utc>,
    /// Folder of the database, keys and plugins.
    pub run: String,
    /// Bytes of the database's file.
    pub dump_bytes: u64,
    /// SHA-256 of it.
    pub dump_sha256: Sha256,
    /// How much there is.
    #[serde(flatten)]
    pub rows: RowCounts,
    /// Objects in the backup, and their bytes.
    pub copied: u64,
    /// Of these.
    pub bytes: u64,
}

/// What was wrong with some objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// How many are not there, or are not what their name says.
    pub count: u64,
    /// Paths of the first of them, each with what is wrong.
    pub named: Vec<String>,
}

/// What a backup came to.
#[derive(Clone, Debug)]
pub struct BackedUp {
    /// As written.
    pub manifest: Manifest,
    /// Objects that the backup had not had.
    pub new: u64,
    /// Objects that rows name and that could not be had.
    pub faults: Faults,
}

/// Why there is no backup, or why it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Its owner has tools for it.
    #[error(
        "DATABASE_URL is set, and a database of your own is saved with its own tools (Supabase's backups, pg_dump); after \
         it copy the folders objects, keys and plugins of the data folder; unset it to work on the private Postgres"
    )]
    NotPrivate,
    /// There is no database.
    #[error("there is no database in {0} to back up; name the data folder with --data-dir")]
    Nothing(PathBuf),
    /// The target is used for something else.
    #[error("{folder} is not a backup and holds other things, such as `{entry}`; name a new folder")]
    NotOurs {
        /// The target.
        folder: PathBuf,
        /// In it.
        entry: String,
    },
    /// Two at a time in one folder.
    #[error("another backup into {0} is under way")]
    Twice(PathBuf),
    /// A backup of data in themselves would grow for ever.
    #[error("{0} is in the data folder; name a folder elsewhere, best on another disk")]
    Inside(PathBuf),
    /// A sweep goes on for very long, or hangs.
    #[error("objects without rows have been deleted for ten minutes; try again when that is done")]
    Busy,
    /// None was made, or none whole.
    #[error("{0} is no backup: it has no `manifest.json`, which is written when all else is there")]
    NoBackup(PathBuf),
    /// It cannot be read.
    #[error("{0}/manifest.json cannot be read")]
    Manifest(PathBuf, #[source] serde_json::Error),
    /// From the future.
    #[error("the backup is of pixcrawler {backup}, which is newer than this, {own}: use that or a later one")]
    Newer {
        /// Who made it.
        backup: String,
        /// Who reads it.
        own: &'static str,
    },
    /// Only the other way round works.
    #[error(
        "the backup is of Postgres {backup}, which is newer than the one found here, {found}; install Postgres {backup} or \
         a later one, or name the folder of its programs with --pg-bin"
    )]
    NewerPostgres {
        /// Of the backup.
        backup: i32,
        /// What would run.
        found: i32,
    },
    /// The file of the database is not the one that was written.
    #[error("the backup is damaged: {0} is not what was written")]
    Damaged(PathBuf),
    /// Something would be lost.
    #[error(
        "{folder} is in use, it has `{entry}`: name a new folder with --data-dir, or move this one away first"
    )]
    NotEmpty {
        /// The data folder.
        folder: PathBuf,
        /// In it.
        entry: String,
    },
    /// What was read is not what was written.
    #[error("the restored database has {found:?}, but the backup says {expected:?}")]
    Counts {
        /// By the manifest.
        expected: Box<RowCounts>,
        /// In the database.
        found: Box<RowCounts>,
    },
    /// A file.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The store of the data folder, or that of the backup.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The private Postgres.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// What makes a database ready.
    #[error(transparent)]
    Start(#[from] StartError),
    /// It cannot be reached.
    #[error("cannot connect to the restored database")]
    Connect(#[from] db::ConnectError),
    /// The roles.
    #[error("cannot make the roles of the database")]
    Roles(#[from] db::BootstrapError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] db::Error),
}

impl BackupError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

impl Faults {
    fn add(&mut self, path: &str, what: &str) {
        self.count += 1;
        if self.named.len() < MOST_NAMED {
            self.named.push(format!("{path} {what}"));
        }
    }
}

/// How a copy of an object went.
enum Copied {
    /// It was there.
    Before(u64),
    /// It is there now.
    Now(u64),
    Faulty(NamedObject, &'static str),
}

/// Makes a backup in `target`, or brings the one there up to date, while others work.
///
/// # Errors
/// When it is not whole; the one before, if any, is.
pub async fn back_up(
    database: &Database,
    data_dir: &Path,
    target: &Path,
    tell: Announce<'_>,
) -> Result<BackedUp, BackupError> {
    let postgres = database.private().ok_or(BackupError::NotPrivate)?;
    let lock = claim(target, data_dir)?;
    // Rows may be of a version before.
    database.migrate().await?;
    let source = database.store(data_dir).await?;
    let copy = Store::local(&target.join(OBJECTS))?;

    let (mut hold, snapshot) = begin(database, tell).await?;
    let made_at = Utc::now();
    let rows = hold.counts().await?;
    let run = format!("{RUN}{}", made_at.format("%Y%m%dT%H%M%S%3fZ"));
    let folder = target.join(&run);
    private::folder(&folder).map_err(BackupError::io("make", &folder))?;
    tell("writing the database");
    let dump = folder.join(DUMP);
    let file = private::file().write(true).create_new(true).open(&dump);
    let file = file.map_err(BackupError::io("make", &dump))?;
    postgres.dump(&snapshot, file.try_clone().map_err(BackupError::io("write", &dump))?).await?;
    file.sync_all().map_err(BackupError::io("write", &dump))?;
    let (dump_bytes, dump_sha256) = digest(&dump)?;
    for part in FILES {
        copy_folder(&data_dir.join(part), &folder.join(part))?;
    }

    tell("copying objects");
    let (mut new, mut copied, mut bytes, mut faults) = (0, 0, 0, Faults::default());
    let mut last = Some(0);
    while let Some(after) = last {
        let page;
        (page, last) = hold.page(after, PAGE).await?;
        let mut copies = futures_util::stream::iter(page)
            .map(|object| copy_object(&source, &copy, object))
            .buffer_unordered(COPIES);
        while let Some(done) = copies.try_next().await? {
            match done {
                Copied::Faulty(object, what) => {
                    faults.add(&Store::path(object.user, &object.sha256, object.format), what);
                    continue;
                }
                Copied::Now(size) => {
                    new += 1;
                    bytes += size;
                }
                Copied::Before(size) => bytes += size,
            }
            copied += 1;
        }
    }

    let version = env!("CARGO_PKG_VERSION").to_owned();
    let manifest =
        Manifest { format: FORMAT, version, made_at, run, dump_bytes, dump_sha256, rows, copied, bytes };
    let path = target.join(MANIFEST);
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| BackupError::Manifest(target.to_owned(), error))?;
    atomic_write::write(&path, &text).map_err(BackupError::io("write", &path))?;
    remove_older(target, &manifest, &mut hold, &copy).await?;
    hold.end().await?;
    drop(lock);
    Ok(BackedUp { manifest, new, faults })
}

/// Takes the store and the moment of which the backup is.
async fn begin(database: &Database, tell: Announce<'_>) -> Result<(StoreHold, String), BackupError> {
    let since = std::time::Instant::now();
    loop {
        if let Some(mut hold) = StoreHold::to_read(&database.pool).await? {
            let snapshot = hold.list_as_of_now().await?;
            return Ok((hold, snapshot));
        }
        if since.elapsed() > SWEEP {
            return Err(BackupError::Busy);
        }
        tell("waiting for a sweep of objects to end");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Makes the target ready and keeps others out, as long as the file is there.
fn claim(target: &Path, data_dir: &Path) -> Result<File, BackupError> {
    let place = std::path::absolute(target).map_err(BackupError::io("find", target))?;
    let place = place.ancestors().find_map(|folder| folder.canonicalize().ok()).unwrap_or_default();
    if data_dir.canonicalize().is_ok_and(|data_dir| place.starts_with(data_dir)) {
        return Err(BackupError::Inside(target.to_owned()));
    }
    private::folder(target).map_err(BackupError::io("make", target))?;
    for name in names(target)? {
        let ours = [MANIFEST, OBJECTS, LOCK, "lost+found"].contains(&&*name)
            || name.starts_with(RUN)
            // Half of one, which was never put in its place.
            || name.starts_with(&format!(".{MANIFEST}."));
        if !ours {
            return Err(BackupError::NotOurs { folder: target.to_owned(), entry: name });
        }
    }
    let path = target.join(LOCK);
    let lock = private::file().write(true).create(true).truncate(false).open(&path);
    let lock = lock.map_err(BackupError::io("open", &path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(fs::TryLockError::WouldBlock) => Err(BackupError::Twice(target.to_owned())),
        Err(fs::TryLockError::Error(error)) => Err(BackupError::io("lock", &path)(error)),
    }
}

/// Removes what only runs before this one need: their folders, and objects that no row named any more.
async fn remove_older(
    target: &Path,
    manifest: &Manifest,
    hold: &mut StoreHold,
    copy: &Store,
) -> Result<(), BackupError> {
    for name in names(target)? {
        if name.starts_with(RUN) && name != manifest.run {
            let path = target.join(name);
            fs::remove_dir_all(&path).map_err(BackupError::io("remove", &path))?;
        }
    }
    for user in copy.users().await? {
        let mut pages = copy.objects(user);
        while let Some(page) = pages.try_next().await? {
            let hashes: Vec<String> = page.iter().map(|object| object.sha256.to_string()).collect();
            let named = hold.named(user, &hashes).await?;
            for (object, _) in page.iter().zip(&hashes).filter(|(_, hash)| !named.contains(*hash)) {
                copy.delete_object(object).await?;
            }
        }
    }
    Ok(())
}

/// Copies an object unless it is there, and looks whether it is what its name says.
async fn copy_object(from: &Store, to: &Store, object: NamedObject) -> Result<Copied, StoreError> {
    let NamedObject { user, sha256, format, .. } = object;
    let size = from.size(user, &sha256, format).await?;
    if let Some(there) = to.size(user, &sha256, format).await?
        && size.is_none_or(|size| size == there)
    {
        return Ok(Copied::Before(there));
    }
    let Some(found) = from.get(user, &sha256, format, None).await? else {
        return Ok(Copied::Faulty(object, "is missing"));
    };
    let bytes = found.bytes().await?;
    if Sha256::of(&bytes) != sha256 {
        return Ok(Copied::Faulty(object, "is damaged"));
    }
    let size = bytes.len() as u64;
    to.put(user, &sha256, format, bytes).await?;
    Ok(Copied::Now(size))
}

/// Reads what a backup says of itself, and whether this program can restore it.
///
/// # Errors
/// When there is none, or it is of a newer version.
pub fn read(folder: &Path) -> Result<Manifest, BackupError> {
    /// What every format has.
    #[derive(Deserialize)]
    struct Head {
        format: u32,
        version: String,
        migration: i64,
    }
    let path = folder.join(MANIFEST);
    let text = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(BackupError::NoBackup(folder.to_owned()));
        }
        read => read.map_err(BackupError::io("read", &path))?,
    };
    let unreadable = |error| BackupError::Manifest(folder.to_owned(), error);
    let head: Head = serde_json::from_slice(&text).map_err(unreadable)?;
    if head.format > FORMAT || head.migration > db::newest_migration() {
        return Err(BackupError::Newer { backup: head.version, own: env!("CARGO_PKG_VERSION") });
    }
    serde_json::from_slice(&text).map_err(unreadable)
}

/// Looks whether a backup is whole: the database's file and each object against its digest.
///
/// # Errors
/// When it cannot be read, or its database is damaged.
pub async fn verify(folder: &Path) -> Result<(Manifest, Faults), BackupError> {
    let manifest = read(folder)?;
    verify_dump(folder, &manifest)?;
    let store = Store::local(&folder.join(OBJECTS))?;
    let (mut sound, mut faults) = (0, Faults::default());
    for user in store.users().await? {
        let mut pages = store.objects(user);
        while let Some(page) = pages.try_next().await? {
            for object in page {
                let (sha256, format) = (object.sha256, object.format);
                let found = store.get(user, &sha256, format, None).await?;
                let bytes = match found {
                    Some(found) => found.bytes().await?,
                    None => continue,
                };
                if Sha256::of(&bytes) == sha256 {
                    sound += 1;
                } else {
                    faults.add(&Store::path(user, &sha256, format), "is damaged");
                }
            }
        }
    }
    let missing = manifest.copied.saturating_sub(sound + faults.count);
    if missing > 0 {
        faults.named.push(format!("{missing} of {} objects are missing", manifest.copied));
        faults.count += missing;
    }
    Ok((manifest, faults))
}

fn verify_dump(folder: &Path, manifest: &Manifest) -> Result<PathBuf, BackupError> {
    let dump = folder.join(&manifest.run).join(DUMP);
    if digest(&dump)? == (manifest.dump_bytes, manifest.dump_sha256) {
        Ok(dump)
    } else {
        Err(BackupError::Damaged(dump))
    }
}

/// Makes a data folder of a backup. Objects that are missing there or damaged are left out and told.
///
/// # Errors
/// When the data folder is not a new one, or the backup cannot be restored, or `stop` came first; then there
/// is nothing of it in the data folder.
pub async fn restore(
    config: &Config,
    source: &Path,
    stop: &CancellationToken,
    tell: Announce<'_>,
) -> Result<(Manifest, Faults), BackupError> {
    if config.database.database_url.is_some() {
        return Err(BackupError::NotPrivate);
    }
    let manifest = read(source)?;
    let data_dir = crate::app::make_data_dir(config)?;
    let restoring = data_dir.join(private::RESTORING);
    make_room(&data_dir, &restoring)?;
    tell("checking the database's file");
    let dump = verify_dump(source, &manifest)?;

    tell("making a private Postgres");
    let mut inner = config.clone();
    inner.data_dir = Some(restoring.clone());
    let filled = async {
        let database = load(&inner, &restoring, &manifest, &dump, stop, tell).await?;
        let filled = stop.run_until_cancelled(fill(&database, &restoring, source, &manifest, tell)).await;
        database.close().await;
        filled.unwrap_or(Err(StartError::Stopped.into()))
    };
    let faults = filled.await.inspect_err(|_| {
        // What stays is undone by the next restore.
        let _ = fs::remove_dir_all(&restoring);
    })?;

    // The database last: without it nobody takes the rest for a data folder.
    for part in [OBJECTS].into_iter().chain(FILES).chain(["postgres"]) {
        let (from, to) = (restoring.join(part), data_dir.join(part));
        if from.exists() {
            fs::rename(&from, &to).map_err(BackupError::io("move", &from))?;
        }
    }
    File::open(&data_dir)
        .and_then(|folder| folder.sync_all())
        .map_err(BackupError::io("write", &data_dir))?;
    fs::remove_dir_all(&restoring).map_err(BackupError::io("remove", &restoring))?;
    Ok((manifest, faults))
}

/// Sees that the data folder is a new one, or one into which a restore was interrupted, which is undone.
fn make_room(data_dir: &Path, restoring: &Path) -> Result<(), BackupError> {
    let names = names(data_dir)?;
    let interrupted = restoring.exists() && !names.iter().any(|name| name == "postgres");
    for name in names {
        let path = data_dir.join(&name);
        if interrupted && (name == OBJECTS || FILES.contains(&&*name)) {
            fs::remove_dir_all(&path).map_err(BackupError::io("remove", &path))?;
        } else if !HARMLESS.contains(&&*name) {
            return Err(BackupError::NotEmpty { folder: data_dir.to_owned(), entry: name });
        }
    }
    if restoring.exists() {
        fs::remove_dir_all(restoring).map_err(BackupError::io("remove", restoring))?;
    }
    Ok(())
}

/// Makes a database of the dump, and brings it up to date.
async fn load(
    config: &Config,
    folder: &Path,
    manifest: &Manifest,
    dump: &Path,
    stop: &CancellationToken,
    tell: Announce<'_>,
) -> Result<Database, BackupError> {
    let pg_bin = config.database.pg_bin.as_deref();
    let server = PrivatePostgres::start(folder, pg_bin, Durability::Kept).await?;
    let loaded = async {
        let found = fs::read_to_string(folder.join("postgres/PG_VERSION"));
        let found = found.ok().and_then(|version| version.trim().parse().ok()).unwrap_or_default();
        if manifest.rows.postgres > found {
            return Err(BackupError::NewerPostgres { backup: manifest.rows.postgres, found });
        }
        tell("reading the database");
        make_roles(&server).await?;
        let file = File::open(dump).map_err(BackupError::io("open", dump))?;
        Ok(server.load(file).await?)
    };
    let loaded = stop.run_until_cancelled(loaded).await.unwrap_or(Err(StartError::Stopped.into()));
    if let Err(error) = loaded {
        server.stop().await?;
        return Err(error);
    }
    // Joins the one that runs.
    let database = Database::connect(config).await;
    server.stop().await?;
    Ok(database?)
}

/// Roles belong to the server, and no dump of a database has them.
async fn make_roles(server: &PrivatePostgres) -> Result<(), BackupError> {
    let admin = db::connect(&server.url(), 1).await?;
    db::create_database(&admin, ROLES).await?;
    let made = async {
        let pool = db::connect(&server.url_of(ROLES), 1).await?;
        let made = db::bootstrap(&pool).await;
        pool.close().await;
        Ok::<_, BackupError>(made?)
    };
    made.await?;
    db::drop_database(&admin, ROLES).await?;
    admin.close().await;
    Ok(())
}

/// Compares the database with what the backup says, brings it up to date, and adds objects and files.
async fn fill(
    database: &Database,
    folder: &Path,
    source: &Path,
    manifest: &Manifest,
    tell: Announce<'_>,
) -> Result<Faults, BackupError> {
    let mut hold = StoreHold::to_read(&database.pool).await?.ok_or(BackupError::Busy)?;
    hold.list().await?;
    let found = RowCounts { postgres: manifest.rows.postgres, ..hold.counts().await? };
    if found != manifest.rows {
        return Err(BackupError::Counts { expected: Box::new(manifest.rows), found: Box::new(found) });
    }
    database.migrate().await?;
    for part in FILES {
        copy_folder(&source.join(&manifest.run).join(part), &folder.join(part))?;
    }
    tell("copying objects");
    let from = Store::local(&source.join(OBJECTS))?;
    let to = database.store(folder).await?;
    let mut faults = Faults::default();
    let mut last = Some(0);
    while let Some(after) = last {
        let page;
        (page, last) = hold.page(after, PAGE).await?;
        let mut copies = futures_util::stream::iter(page)
            .map(|object| copy_object(&from, &to, object))
            .buffer_unordered(COPIES);
        while let Some(done) = copies.try_next().await? {
            if let Copied::Faulty(object, what) = done {
                faults.add(&Store::path(object.user, &object.sha256, object.format), what);
            }
        }
    }
    hold.end().await?;
    Ok(faults)
}

/// Copies a folder with all that is in it; nothing where it is absent.
fn copy_folder(from: &Path, to: &Path) -> Result<(), BackupError> {
    if !from.is_dir() {
        return Ok(());
    }
    private::folder(to).map_err(BackupError::io("make", to))?;
    for name in names(from)? {
        let (file, copy) = (from.join(&name), to.join(&name));
        if file.is_dir() {
            copy_folder(&file, &copy)?;
        } else {
            let bytes = fs::read(&file).map_err(BackupError::io("read", &file))?;
            atomic_write::write(&copy, &bytes).map_err(BackupError::io("write", &copy))?;
        }
    }
    Ok(())
}

fn names(folder: &Path) -> Result<Vec<String>, BackupError> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = entries.map_err(BackupError::io("list", folder))?;
    Ok(entries.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect())
}

/// Size and SHA-256 of a file, which may be larger than the memory.
fn digest(path: &Path) -> Result<(u64, Sha256), BackupError> {
    let mut file = File::open(path).map_err(BackupError::io("open", path))?;
    let (mut bytes, mut sha256) = (0, sha2::Sha256::new());
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer).map_err(BackupError::io("read", path))?;
        if read == 0 {
            return Ok((bytes, Sha256(sha256.finalize().into())));
        }
        bytes += read as u64;
        sha256.update(&buffer[..read]);
    }
}
