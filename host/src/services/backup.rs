//! Backup and restore of an installation: its database, objects, keys and plugins.
//!
//! Of a private Postgres all is taken; of a database of one's own, which others may have a part in, the
//! schemas with the tables of the frontend, ours and those of the queue, and the users in `auth.users`.
//!
//! A backup is a folder: `manifest.json`, which is written last and names one of the folders `run-…`, with
//! the database, keys and plugins of one moment, and `objects`, which all runs share. A run adds the
//! objects that are new, and takes away what only runs before it named when it is whole. Whatever
//! interrupts it, the manifest speaks of a backup that is whole.
//!
//! A restore into a data folder makes all in its folder `restoring` and moves it to its places at the end,
//! the database last. One into a database of one's own is noted there, reads that in one transaction, and adds the
//! objects; nothing starts on that database before its end.
//!
//! The restored database has another name than the one of which the backup is, so that each knows in a store or a
//! backup of both what it may not delete.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    app::{Announce, Database, StartError},
    atomic_write,
    config::Config,
    db::{
        self, PgPool, ServerAddress,
        objects::{NamedObject, RowCounts, StoreHold},
        transfer::DefaultGrants,
    },
    model::{Format, Sha256, UserId},
    postgres::{Durability, PostgresError, PostgresTools, PrivatePostgres},
    private, queue,
    store::{Store, StoreError},
};

/// Of the folder, up to which it is read: 1 is of a private Postgres, 2 of a database of one's own.
const FORMAT: u32 = 2;
const MANIFEST: &str = "manifest.json";
const DUMP: &str = "database.dump";
const OBJECTS: &str = "objects";
/// Rows of `auth.users` of a database of one's own, as JSON, one a line.
const ACCOUNTS: &str = "accounts.jsonl";
/// What of a database of one's own is taken along: the tables of the frontend, ours, and those of the queue.
const SCHEMAS: [&str; 3] = ["public", "pixcrawler", queue::SCHEMA];
/// Paths of the objects of a run, one a line.
const LIST: &str = "objects.list";
const RUN: &str = "run-";
/// Locked while a backup is made, in the folder.
const LOCK: &str = "backup.lock";
/// Parts of the data folder that cannot be made anew, beside the database and the objects.
const FILES: [&str; 2] = ["keys", "plugins"];
/// What may be in a data folder into which a restore goes.
const HARMLESS: [&str; 8] = [
    "cache",
    "lost+found",
    "postgres.lock",
    "postgres.users",
    "postgres.log",
    // Of a restore that was killed.
    "postgres-restore.list",
    private::RESTORING,
    private::RESTORE_LOCK,
];
/// Objects that are looked up, and that are copied, at a time.
const PAGE: i64 = 1000;
const COPIES: usize = 8;
/// Users that are inserted at a time.
const ROWS: usize = 1000;
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
    /// Name of the database of which it is; one that is restored from it gets another.
    pub database: String,
    /// The moment of which it is.
    pub made_at: DateTime<Utc>,
    /// Folder of the database, keys and plugins.
    pub run: String,
    /// Bytes of the database's file.
    pub dump_bytes: u64,
    /// SHA-256 of it.
    pub dump_sha256: Sha256,
    /// SHA-256 of the list of objects.
    pub list_sha256: Sha256,
    /// SHA-256 of the rows of `auth.users`; none of a private Postgres, whose dump has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts_sha256: Option<Sha256>,
    /// Roles that must be there before the dump is read, beside those that Supabase brings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
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

/// What a look at a backup, or its restore, came to.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Of the backup.
    pub manifest: Manifest,
    /// Objects that are as they should be.
    pub objects: u64,
    /// Of these.
    pub bytes: u64,
    /// All others.
    pub faults: Faults,
}

/// How a backup is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// What is in the folder may be of another database, or damaged.
    pub replace: bool,
    /// Objects that are there are read and compared with their hash, and copied anew where they are damaged.
    pub verify: bool,
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

/// What came of putting objects back.
#[derive(Clone, Debug)]
pub struct PutBack {
    /// Objects that were missing and are there now.
    pub new: u64,
    /// Of these.
    pub bytes: u64,
    /// Objects that were there.
    pub there: u64,
    /// Objects that rows name and that are neither in the store nor, whole, in the backup.
    pub faults: Faults,
}

/// Why there is no backup, or why it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It goes into a data folder only.
    #[error(
        "the backup is of a private Postgres and is restored into a data folder, but DATABASE_URL is set; unset it"
    )]
    OfPrivate,
    /// Something would be mixed up.
    #[error(
        "the database of DATABASE_URL has {0} already; name an empty one (of another Postgres, or of a new Supabase project)"
    )]
    Occupied(String),
    /// The database is there, and the rest is not.
    #[error(
        "the database was restored, but not all objects; the same `pixcrawler restore` again goes on with them"
    )]
    Objects(#[source] Box<Self>),
    /// What one of them deletes the other may need.
    #[error(
        "{0} has the objects of the database that the backup is of: for a copy beside that one unset PIXCRAWLER_S3_BUCKET \
         and the other PIXCRAWLER_S3_ settings (objects are then in the data folder), or name another bucket or \
         PIXCRAWLER_S3_PREFIX; only when that database is gone for good, give --take-over"
    )]
    OfTheOther(String),
    /// Half of one, and half of another.
    #[error(
        "a restore of another backup, {0}, into the database of DATABASE_URL has not come to its end: give that one again, \
         or name an empty database"
    )]
    HalfOfAnother(String),
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
    /// It may be the only one of what is lost.
    #[error(
        "{0} is a backup of another database, as of {1}, and stays as it is; name another folder, or give --replace if \
         that backup is to go"
    )]
    OfAnother(PathBuf, String),
    /// Another restore into the same folder.
    #[error("another restore into {0} is under way")]
    RestoredTwice(PathBuf),
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
    #[error(
        "the backup is damaged: {0}/manifest.json is not what was written; to make a new one, name another folder or give \
         `pixcrawler backup` --replace"
    )]
    Manifest(PathBuf, #[source] serde_json::Error),
    /// From the future.
    #[error(
        "the {what} of the backup is {found}, and this program knows them up to {known}: use the pixcrawler that made it, \
         {version}, or a later one"
    )]
    Newer {
        /// Format of the folder, or last migration of the tables.
        what: &'static str,
        /// Of the backup.
        found: i64,
        /// Of this program.
        known: i64,
        /// Who made it.
        version: String,
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
    #[error("cannot connect to the database")]
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
    pub(super) fn add(&mut self, path: &str, what: &str) {
        self.count += 1;
        if self.named.len() < MOST_NAMED {
            self.named.push(format!("{path} {what}"));
        }
    }
}

/// How a copy of an object went.
pub(super) enum Copied {
    /// It was there.
    Before(u64),
    /// It is there now.
    Now(u64),
    Faulty(&'static str),
}

/// Makes a backup in `target`, or brings the one there up to date, while others work.
///
/// # Errors
/// When it is not whole; the one before, if any, is.
pub async fn back_up(
    config: &Config,
    database: &Database,
    target: &Path,
    options: Options,
    tell: Announce<'_>,
) -> Result<BackedUp, BackupError> {
    let data_dir = &config.data_dir();
    let lock = claim(target, data_dir)?;
    // Rows may be of a version before.
    database.migrate().await?;
    let name = db::secrets::database_name(&database.pool).await?;
    if !options.replace {
        may_go_on(target, &name)?;
    }
    let tools = tools(config, database, data_dir).await?;
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
    let schemas = if database.is_private() { &[][..] } else { &SCHEMAS };
    tools.dump(&snapshot, schemas, file.try_clone().map_err(BackupError::io("write", &dump))?).await?;
    file.sync_all().map_err(BackupError::io("write", &dump))?;
    let (dump_bytes, dump_sha256) = digest(&dump)?;
    let (accounts_sha256, roles) = if database.is_private() {
        (None, Vec::new())
    } else {
        (Some(save_accounts(&mut hold, &folder).await?), hold.grantees(&SCHEMAS).await?)
    };
    for part in FILES {
        copy_folder(&data_dir.join(part), &folder.join(part), true, tell)?;
    }

    tell("copying objects");
    let path = folder.join(LIST);
    let list = private::file().write(true).create_new(true).open(&path);
    let mut list = BufWriter::new(list.map_err(BackupError::io("make", &path))?);
    let (mut new, mut copied, mut bytes, mut faults) = (0, 0, 0, Faults::default());
    let mut last = Some(0);
    while let Some(after) = last {
        let page;
        (page, last) = hold.page(after, PAGE).await?;
        let mut copies = futures_util::stream::iter(page)
            .map(|object| copy_object(&source, &copy, object, options.verify))
            .buffer_unordered(COPIES);
        while let Some((object, done)) = copies.try_next().await? {
            let object = Store::path(object.user, &object.sha256, object.format);
            match done {
                Copied::Faulty(what) => {
                    faults.add(&object, what);
                    continue;
                }
                Copied::Now(size) => {
                    new += 1;
                    bytes += size;
                }
                Copied::Before(size) => bytes += size,
            }
            copied += 1;
            writeln!(list, "{object}").map_err(BackupError::io("write", &path))?;
        }
    }
    list.flush().and_then(|()| list.get_ref().sync_all()).map_err(BackupError::io("write", &path))?;
    let (_, list_sha256) = digest(&path)?;

    let version = env!("CARGO_PKG_VERSION").to_owned();
    let manifest = Manifest {
        format: if accounts_sha256.is_some() { 2 } else { 1 },
        version,
        database: name,
        made_at,
        run,
        dump_bytes,
        dump_sha256,
        list_sha256,
        accounts_sha256,
        roles,
        rows,
        copied,
        bytes,
    };
    let path = target.join(MANIFEST);
    let text = serde_json::to_vec_pretty(&manifest)
        .map_err(|error| BackupError::Manifest(target.to_owned(), error))?;
    atomic_write::write(&path, &text).map_err(BackupError::io("write", &path))?;
    remove_older(target, &manifest, &mut hold, &copy).await?;
    hold.end().await?;
    drop(lock);
    Ok(BackedUp { manifest, new, faults })
}

/// Finds the programs that write the database into a file, and read it from one.
async fn tools<'a>(
    config: &Config,
    database: &'a Database,
    data_dir: &'a Path,
) -> Result<PostgresTools<'a>, BackupError> {
    let server = match (database.private(), ServerAddress::configured(&config.database)) {
        (Some(private), _) => return Ok(private.tools().await?),
        (None, server) => server.ok_or_else(|| BackupError::Nothing(data_dir.to_owned()))?,
    };
    let major = db::server_major(&database.pool).await?.unsigned_abs();
    Ok(PostgresTools::of(server.for_tools()?, major, config.database.pg_bin.as_deref(), data_dir).await?)
}

/// Writes the users of a project, as of the moment of the backup.
async fn save_accounts(hold: &mut StoreHold, folder: &Path) -> Result<Sha256, BackupError> {
    let path = folder.join(ACCOUNTS);
    let file = private::file().write(true).create_new(true).open(&path);
    let mut file = BufWriter::new(file.map_err(BackupError::io("make", &path))?);
    let mut last = Some(Uuid::nil());
    while let Some(after) = last {
        let rows;
        (rows, last) = hold.accounts(after, PAGE).await?;
        for row in rows {
            writeln!(file, "{row}").map_err(BackupError::io("write", &path))?;
        }
    }
    file.flush().and_then(|()| file.get_ref().sync_all()).map_err(BackupError::io("write", &path))?;
    Ok(digest(&path)?.1)
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
    lock(&target.join(LOCK))?.ok_or_else(|| BackupError::Twice(target.to_owned()))
}

/// Locks a file, unless another process has it locked.
fn lock(path: &Path) -> Result<Option<File>, BackupError> {
    let file = private::file().write(true).create(true).truncate(false).open(path);
    let file = file.map_err(BackupError::io("open", path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(fs::TryLockError::WouldBlock) => Ok(None),
        Err(fs::TryLockError::Error(error)) => Err(BackupError::io("lock", path)(error)),
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

/// Copies an object unless it is there, by its size or by its hash, and looks whether it is what its name
/// says.
pub(super) async fn copy_object(
    from: &Store,
    to: &Store,
    object: NamedObject,
    verify: bool,
) -> Result<(NamedObject, Copied), StoreError> {
    let NamedObject { user, sha256, format, .. } = object;
    let size = from.size(user, &sha256, format).await?;
    if let Some(there) = to.size(user, &sha256, format).await? {
        let alike = !verify && size.is_none_or(|size| size == there);
        if alike || sound(to, user, sha256, format).await?.is_ok() {
            return Ok((object, Copied::Before(there)));
        }
    }
    Ok((
        object,
        match sound(from, user, sha256, format).await? {
            Err(fault) => Copied::Faulty(fault),
            Ok(bytes) => {
                let size = bytes.len() as u64;
                to.put(user, &sha256, format, bytes).await?;
                Copied::Now(size)
            }
        },
    ))
}

/// Reads an object, or says what is wrong with it.
pub(super) async fn sound(
    store: &Store,
    user: UserId,
    sha256: Sha256,
    format: Format,
) -> Result<Result<Bytes, &'static str>, StoreError> {
    let Some(found) = store.get(user, &sha256, format, None).await? else {
        return Ok(Err("is missing"));
    };
    let bytes = found.bytes().await?;
    Ok(if Sha256::of(&bytes) == sha256 { Ok(bytes) } else { Err("is damaged") })
}

/// Sees that a folder has no backup yet, or one of this database, which a new run may take the place of.
fn may_go_on(target: &Path, database: &str) -> Result<(), BackupError> {
    let there = match read(target) {
        Ok(there) => there,
        // Of the first run, or of one that was interrupted.
        Err(BackupError::NoBackup(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    if there.database == database {
        return Ok(());
    }
    Err(BackupError::OfAnother(target.to_owned(), moment(there.made_at)))
}

/// A moment as people read it.
#[must_use]
pub fn moment(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%S UTC").to_string()
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
    let newer = |what, found, known| {
        let version = head.version.clone();
        if found > known { Err(BackupError::Newer { what, found, known, version }) } else { Ok(()) }
    };
    newer("format", head.format.into(), FORMAT.into())?;
    newer("last migration", head.migration, db::newest_migration())?;
    let manifest: Manifest = serde_json::from_slice(&text).map_err(unreadable)?;
    // It is made part of paths.
    let plain = |run: &str| run.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if manifest.run.strip_prefix(RUN).is_some_and(plain) {
        Ok(manifest)
    } else {
        Err(BackupError::Damaged(path))
    }
}

/// Looks whether a backup is whole: the database's file and each object of its list against its digest.
///
/// # Errors
/// When it cannot be read, or its database is damaged.
pub async fn verify(folder: &Path) -> Result<Checked, BackupError> {
    let manifest = read(folder)?;
    verify_dump(folder, &manifest)?;
    verify_accounts(folder, &manifest)?;
    let path = folder.join(&manifest.run).join(LIST);
    let damaged = || BackupError::Damaged(path.clone());
    if digest(&path)?.1 != manifest.list_sha256 {
        return Err(damaged());
    }
    let list = File::open(&path).map_err(BackupError::io("open", &path))?;
    // It must be there, as nothing is made in a backup to look at it.
    let place = folder.join(OBJECTS);
    fs::metadata(&place).map_err(BackupError::io("open", &place))?;
    let store = Store::local(&place)?;
    let (mut objects, mut bytes, mut faults) = (0, 0, Faults::default());
    for line in BufReader::new(list).lines() {
        let line = line.map_err(BackupError::io("read", &path))?;
        let (user, sha256, format) = Store::parse(&line).ok_or_else(damaged)?;
        match sound(&store, user, sha256, format).await? {
            Ok(found) => {
                objects += 1;
                bytes += found.len() as u64;
            }
            Err(fault) => faults.add(&line, fault),
        }
    }
    Ok(Checked { manifest, objects, bytes, faults })
}

fn verify_dump(folder: &Path, manifest: &Manifest) -> Result<PathBuf, BackupError> {
    let dump = folder.join(&manifest.run).join(DUMP);
    if digest(&dump)? == (manifest.dump_bytes, manifest.dump_sha256) {
        Ok(dump)
    } else {
        Err(BackupError::Damaged(dump))
    }
}

/// Finds the rows of `auth.users`, where the backup has them apart.
fn verify_accounts(folder: &Path, manifest: &Manifest) -> Result<Option<PathBuf>, BackupError> {
    let Some(sha256) = manifest.accounts_sha256 else { return Ok(None) };
    let accounts = folder.join(&manifest.run).join(ACCOUNTS);
    if digest(&accounts)?.1 == sha256 { Ok(Some(accounts)) } else { Err(BackupError::Damaged(accounts)) }
}

/// Makes a data folder of a backup, or fills the database that is configured and its store. Objects that are missing there or damaged are left out and told.
///
/// # Errors
/// When the data folder is not a new one, or the backup cannot be restored, or `stop` came first; then there
/// is nothing of it in the data folder. When the bucket of the settings has the objects of the database that the
/// backup is of, unless the restored one is to take it over.
pub async fn restore(
    config: &Config,
    source: &Path,
    take_over: bool,
    stop: &CancellationToken,
    tell: Announce<'_>,
) -> Result<Checked, BackupError> {
    let manifest = read(source)?;
    let bucket = Store::bucket(&config.objects)?;
    if let Some(bucket) = bucket.as_ref().filter(|_| !take_over) {
        let marked = stop.run_until_cancelled(bucket.mark(&manifest.database)).await;
        if marked.ok_or(StartError::Stopped)??.is_some() {
            return Err(BackupError::OfTheOther(bucket.place()));
        }
    }
    let before = manifest.database.clone();
    let checked = restore_whole(config, source, manifest, stop, tell).await?;
    if let Some(bucket) = bucket.filter(|_| take_over) {
        // Where it is there still, nothing is deleted; `pixcrawler sweep` says so.
        bucket.forget_database(&before).await?;
    }
    Ok(checked)
}

async fn restore_whole(
    config: &Config,
    source: &Path,
    manifest: Manifest,
    stop: &CancellationToken,
    tell: Announce<'_>,
) -> Result<Checked, BackupError> {
    let data_dir = crate::app::make_data_dir(config)?;
    let path = data_dir.join(private::RESTORE_LOCK);
    // Stays: who removes it may remove the lock of the next.
    let lock = lock(&path)?.ok_or_else(|| BackupError::RestoredTwice(data_dir.clone()))?;
    if config.database.database_url.is_some() {
        return restore_into_database(config, &data_dir, source, manifest, stop, tell).await;
    }
    let restoring = data_dir.join(private::RESTORING);
    make_room(&data_dir, &restoring)?;

    let mut inner = config.clone();
    inner.data_dir = Some(restoring.clone());
    let filled = async {
        tell("checking the database's file");
        let dump = verify_dump(source, &manifest)?;
        tell("making a private Postgres");
        let accounts = verify_accounts(source, &manifest)?;
        let database = load(&inner, &restoring, &manifest, (&dump, accounts.as_deref()), stop, tell).await?;
        let filled =
            stop.run_until_cancelled(fill(&database, &restoring, source, &manifest, false, tell)).await;
        database.close().await;
        filled.unwrap_or(Err(StartError::Stopped.into()))
    };
    let checked = filled.await.inspect_err(|_| {
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
    drop(lock);
    Ok(checked)
}

/// Fills a database of one's own, which must be empty, and then its store.
async fn restore_into_database(
    config: &Config,
    data_dir: &Path,
    source: &Path,
    manifest: Manifest,
    stop: &CancellationToken,
    tell: Announce<'_>,
) -> Result<Checked, BackupError> {
    let restoring = data_dir.join(private::RESTORING);
    see_room(data_dir, &restoring)?;
    let database =
        Database::to_restore(config).await?.ok_or_else(|| BackupError::Nothing(data_dir.to_owned()))?;
    let filled = async {
        let found = db::server_major(&database.pool).await?;
        if manifest.rows.postgres > found {
            return Err(BackupError::NewerPostgres { backup: manifest.rows.postgres, found });
        }
        if !db::transfer::is_half_restored(&database.pool).await?
            && let Some(what) = db::transfer::occupied_by(&database.pool, &SCHEMAS).await?
        {
            return Err(BackupError::Occupied(what));
        }
        tell("checking the database's file");
        let dump = verify_dump(source, &manifest)?;
        let accounts = verify_accounts(source, &manifest)?.ok_or(BackupError::OfPrivate)?;
        let begun = db::transfer::begin_restore(&database.pool, &manifest.run).await?;
        if begun != manifest.run {
            return Err(BackupError::HalfOfAnother(begun));
        }
        make_room(data_dir, &restoring)?;
        let is_loaded = db::transfer::is_loaded(&database.pool).await?;
        if is_loaded {
            DefaultGrants::resume(&database.pool).await?;
        } else {
            tell("reading the database");
            let tools = tools(config, &database, data_dir).await?;
            load_parts(&database.pool, &tools, &manifest, &dump, &accounts).await?;
        }
        let filled = fill(&database, data_dir, source, &manifest, is_loaded, tell).await;
        let checked = filled.map_err(|error| BackupError::Objects(Box::new(error)))?;
        fs::remove_dir_all(&restoring).map_err(BackupError::io("remove", &restoring))?;
        // From now on others begin.
        db::transfer::end_restore(&database.pool).await?;
        Ok(checked)
    };
    let filled = stop.run_until_cancelled(filled).await;
    if filled.is_none() {
        tell(
            "interrupted: the same command again goes on, and until its end nothing else starts on that database",
        );
    }
    database.close().await;
    filled.unwrap_or(Err(StartError::Stopped.into()))
}

/// Reads the parts of a database into another that has none of them, and where the restore is noted.
async fn load_parts(
    pool: &PgPool,
    tools: &PostgresTools<'_>,
    manifest: &Manifest,
    dump: &Path,
    accounts: &Path,
) -> Result<(), BackupError> {
    db::prepare(pool).await?;
    db::transfer::make_roles(pool, &manifest.roles).await?;
    // Before the tables that refer to them.
    let lines = File::open(accounts).map_err(BackupError::io("open", accounts))?;
    let lines = BufReader::new(lines).lines().collect::<io::Result<Vec<_>>>();
    for rows in lines.map_err(BackupError::io("read", accounts))?.chunks(ROWS) {
        db::transfer::insert_accounts(pool, rows).await?;
    }
    let open = || File::open(dump).map_err(BackupError::io("open", dump));
    let list = tools.list(open()?).await?;
    let dump = open()?;
    DefaultGrants::suspend(pool).await?;
    let loaded = tools.load_listed(dump, &without_what_is_there(&list)).await;
    DefaultGrants::resume(pool).await?;
    Ok(loaded?)
}

/// Leaves out of a dump's list what a database has from its beginning: the schema `public` with its rights, and
/// what is to be granted by default, which may name roles that are nowhere else.
fn without_what_is_there(list: &str) -> String {
    const THERE: [&str; 4] =
        [" SCHEMA - public ", " COMMENT - SCHEMA public ", " ACL - SCHEMA public ", " DEFAULT ACL "];
    let wanted = |line: &&str| line.starts_with(';') || !THERE.iter().any(|there| line.contains(there));
    list.lines().filter(wanted).map(|line| format!("{line}\n")).collect()
}

/// Puts back what rows name and the store lacks, as far as the backup has it, and changes nothing else: after
/// the database was brought back by other means.
///
/// # Errors
/// When there is no backup, or the store or the database fails.
pub async fn restore_objects(
    config: &Config,
    source: &Path,
    tell: Announce<'_>,
) -> Result<PutBack, BackupError> {
    let from = source.join(OBJECTS);
    read(source)?;
    fs::metadata(&from).map_err(BackupError::io("open", &from))?;
    let database = Database::connect(config).await?;
    let done = async {
        database.migrate().await?;
        let mut hold = StoreHold::to_read(&database.pool).await?.ok_or(BackupError::Busy)?;
        hold.list().await?;
        let (from, to) = (Store::local(&from)?, database.store(&config.data_dir()).await?);
        let (put_back, there, faults) = copy_named(&mut hold, &from, &to, tell).await?;
        hold.end().await?;
        Ok(PutBack { new: put_back.0, there: there.0, bytes: put_back.1, faults })
    };
    let done = done.await;
    database.close().await;
    done
}

/// Copies what rows name and the store lacks. Gives how many objects, and of how many bytes, came and were there.
async fn copy_named(
    hold: &mut StoreHold,
    from: &Store,
    to: &Store,
    tell: Announce<'_>,
) -> Result<((u64, u64), (u64, u64), Faults), BackupError> {
    tell("copying objects");
    let (mut new, mut there, mut faults) = ((0, 0), (0, 0), Faults::default());
    let mut last = Some(0);
    while let Some(after) = last {
        let page;
        (page, last) = hold.page(after, PAGE).await?;
        let mut copies = futures_util::stream::iter(page)
            .map(|object| copy_object(from, to, object, false))
            .buffer_unordered(COPIES);
        while let Some((object, done)) = copies.try_next().await? {
            match done {
                Copied::Faulty(what) => {
                    faults.add(&Store::path(object.user, &object.sha256, object.format), what);
                }
                Copied::Now(size) => new = (new.0 + 1, new.1 + size),
                Copied::Before(size) => there = (there.0 + 1, there.1 + size),
            }
        }
    }
    Ok((new, there, faults))
}

/// Sees that the data folder is a new one, or one into which a restore was interrupted; tells whether it is that.
fn see_room(data_dir: &Path, restoring: &Path) -> Result<bool, BackupError> {
    let names = names(data_dir)?;
    let interrupted = restoring.exists() && !names.iter().any(|name| name == "postgres");
    let is_half = |name: &str| interrupted && (name == OBJECTS || FILES.contains(&name));
    match names.into_iter().find(|name| !is_half(name) && !HARMLESS.contains(&&**name)) {
        Some(entry) => Err(BackupError::NotEmpty { folder: data_dir.to_owned(), entry }),
        None => Ok(interrupted),
    }
}

/// The same; undoes what was interrupted, and makes the folder for this one.
fn make_room(data_dir: &Path, restoring: &Path) -> Result<(), BackupError> {
    if see_room(data_dir, restoring)? {
        for path in [OBJECTS].into_iter().chain(FILES).map(|name| data_dir.join(name)) {
            if path.exists() {
                fs::remove_dir_all(&path).map_err(BackupError::io("remove", &path))?;
            }
        }
    }
    if restoring.exists() {
        fs::remove_dir_all(restoring).map_err(BackupError::io("remove", restoring))?;
    }
    // From now on nobody begins with something else here.
    private::folder(restoring).map_err(BackupError::io("make", restoring))
}

/// Makes a database of the dump, and brings it up to date.
async fn load(
    config: &Config,
    folder: &Path,
    manifest: &Manifest,
    (dump, accounts): (&Path, Option<&Path>),
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
        let tools = server.tools().await?;
        match accounts {
            None => {
                make_roles(&server).await?;
                let file = File::open(dump).map_err(BackupError::io("open", dump))?;
                tools.load(file).await?;
            }
            Some(accounts) => {
                let pool = db::connect(&server.url(), 2).await?;
                let loaded = async {
                    db::transfer::begin_restore(&pool, &manifest.run).await?;
                    load_parts(&pool, &tools, manifest, dump, accounts).await?;
                    Ok::<_, BackupError>(db::transfer::end_restore(&pool).await?)
                };
                let loaded = loaded.await;
                pool.close().await;
                loaded?;
            }
        }
        Ok(())
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

/// Compares the database with what the backup says, brings it up to date, which a restore that goes on may have
/// done, and adds objects and files.
async fn fill(
    database: &Database,
    folder: &Path,
    source: &Path,
    manifest: &Manifest,
    goes_on: bool,
    tell: Announce<'_>,
) -> Result<Checked, BackupError> {
    let mut hold = StoreHold::to_read(&database.pool).await?.ok_or(BackupError::Busy)?;
    hold.list().await?;
    let mut found = RowCounts { postgres: manifest.rows.postgres, ..hold.counts().await? };
    if goes_on {
        found.migration = manifest.rows.migration;
    }
    if found != manifest.rows {
        return Err(BackupError::Counts { expected: Box::new(manifest.rows), found: Box::new(found) });
    }
    database.migrate().await?;
    // Of a store that knows both each leaves alone what the other may need.
    db::secrets::leave_database_name(&database.pool, &manifest.database).await?;
    for part in FILES {
        copy_folder(&source.join(&manifest.run).join(part), &folder.join(part), false, tell)?;
    }
    let from = Store::local(&source.join(OBJECTS))?;
    let to = database.store(folder).await?;
    let (new, there, faults) = copy_named(&mut hold, &from, &to, tell).await?;
    let (objects, bytes) = (new.0 + there.0, new.1 + there.1);
    hold.end().await?;
    Ok(Checked { manifest: manifest.clone(), objects, bytes, faults })
}

/// Copies a folder with all files that are in it; nothing where it is absent. Links are followed or left out,
/// as is what is no file, and that is told.
fn copy_folder(from: &Path, to: &Path, follow: bool, tell: Announce<'_>) -> Result<(), BackupError> {
    let kind = |path: &Path| {
        let there = if follow { fs::metadata(path) } else { fs::symlink_metadata(path) };
        there.map(|there| there.file_type()).ok()
    };
    if !kind(from).is_some_and(|kind| kind.is_dir()) {
        return Ok(());
    }
    private::folder(to).map_err(BackupError::io("make", to))?;
    for name in names(from)? {
        let (file, copy) = (from.join(&name), to.join(&name));
        match kind(&file) {
            Some(kind) if kind.is_dir() => copy_folder(&file, &copy, follow, tell)?,
            Some(kind) if kind.is_file() => {
                let bytes = fs::read(&file).map_err(BackupError::io("read", &file))?;
                atomic_write::write(&copy, &bytes).map_err(BackupError::io("write", &copy))?;
            }
            _ => tell(&format!("left out, as it is neither a file nor a folder: {}", file.display())),
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
