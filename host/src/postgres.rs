//! The private Postgres: started from installed binaries, kept in the data folder, shared
//! by the processes that use that folder, stopped by the last of them.
//!
//! Two locked files say who is there. `postgres.lock` is held while starting or stopping,
//! so these take turns; `postgres.users` is held, shared, as long as a process uses the
//! server. The kernel lets go of both when a process dies, however it dies: the server
//! then goes on, and whoever starts next adopts it.
//!
//! Each of these processes watches the server. When it dies, the first that gets the turn
//! starts it again; the others find it there. When its folder is moved or deleted nobody starts it
//! again, and the process that stops ends it by its number.

mod account;
mod binaries;
mod cluster;
mod dump;

use std::{
    fs::{File, TryLockError},
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use secrecy::SecretString;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::dump::PostgresTools;
use self::{account::Account, cluster::Cluster};
use crate::private::{self, HeldFolder};

/// A running private Postgres, and this process's share in it. Dropped without
/// [`PrivatePostgres::stop`], it goes on and is adopted at the next start.
pub struct PrivatePostgres {
    server: Arc<ServerCommand>,
    folder: Arc<HeldFolder>,
    /// Cancelled when the folder is gone.
    lost: CancellationToken,
    /// Locked, shared.
    user: File,
    watch: JoinHandle<()>,
    /// Ends the watch, also when this is dropped.
    unwatch: DropGuard,
}

/// What it takes to start the server again.
struct ServerCommand {
    cluster: Cluster,
    pg_bin: Option<PathBuf>,
    durability: Durability,
    alive: Liveness,
}

/// Whether the private Postgres was alive when it was last looked at; cheap to clone.
#[derive(Clone, Debug)]
pub struct Liveness(Arc<AtomicBool>);

/// What a crash of the machine may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Nothing that was committed.
    Kept,
    /// Everything: for tests.
    ThrownAway,
}

/// Longest wait for another process that starts or stops the server.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);
/// Locked while starting or stopping.
const START_LOCK: &str = "postgres.lock";
/// Locked, shared, by each process that uses the server.
const USERS_LOCK: &str = "postgres.users";
/// How often each process looks whether the server lives: that reads two small files.
const LOOK: Duration = Duration::from_millis(500);
/// Wait after a start that failed.
const AGAIN: Duration = Duration::from_secs(5);

impl PrivatePostgres {
    /// Starts the server of `data_dir`, or joins the one that runs. The folder, the
    /// database in it and whatever a crash left behind are taken care of. As root, whom
    /// Postgres refuses, it is run by the user `postgres` (or `nobody`).
    ///
    /// # Errors
    /// See [`PostgresError`]; the server is ready within 30 s or not at all.
    pub async fn start(
        data_dir: &Path,
        pg_bin: Option<&Path>,
        durability: Durability,
    ) -> Result<Self, PostgresError> {
        private::data_folder(data_dir).map_err(PostgresError::io("make", data_dir))?;
        let data_dir = data_dir.canonicalize().map_err(PostgresError::io("find", data_dir))?;
        let _starting = lock(&data_dir).await?;
        let users_lock = data_dir.join(USERS_LOCK);
        let user = open(&users_lock)?;
        // Only who holds the other one ever locks this one alone.
        user.try_lock_shared().map_err(|error| PostgresError::io("lock", &users_lock)(error.into()))?;

        let account = Account::of(&data_dir.join("postgres"))?;
        account.check_access(&data_dir)?;
        let server = Arc::new(ServerCommand {
            cluster: Cluster::new(&data_dir, account)?,
            pg_bin: pg_bin.map(Path::to_owned),
            durability,
            alive: Liveness(Arc::new(AtomicBool::new(true))),
        });
        server.ensure().await?;
        // Its process is remembered from here on.
        server.cluster.is_alive();
        let dir = &server.cluster.dir;
        let folder = Arc::new(HeldFolder::open(dir).map_err(PostgresError::io("open", dir))?);
        let (end, lost) = (CancellationToken::new(), CancellationToken::new());
        let watch = tokio::spawn(watch(server.clone(), folder.clone(), lost.clone(), end.clone()));
        Ok(Self { server, folder, lost, user, watch, unwatch: end.drop_guard() })
    }

    /// Says where to connect, as a superuser.
    #[must_use]
    pub fn url(&self) -> SecretString {
        self.server.cluster.url().into()
    }

    /// Gives what is cancelled when the folder of the data is moved or deleted.
    #[must_use]
    pub fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Gives whether it lives, for who wants to say so.
    #[must_use]
    pub fn alive(&self) -> Liveness {
        self.server.alive.clone()
    }

    /// Ends this process's share, and with the last one the server: what is under way is
    /// rolled back, what was committed stays.
    ///
    /// # Errors
    /// The server did not end within 30 s; it still may.
    pub async fn stop(self) -> Result<(), PostgresError> {
        drop(self.unwatch);
        // Not in the middle of a start: a server that is just beginning would be left behind.
        // Should the watch have failed, there is nothing that it could still do.
        let _ = self.watch.await;
        if !self.folder.is_in_place() {
            // What is there now, if anything, is not ours, its locks and its record included.
            return self.server.cluster.stop_remembered().await;
        }
        let data_dir = &self.server.cluster.data_dir;
        let _stopping = lock(data_dir).await?;
        let users_lock = data_dir.join(USERS_LOCK);
        // Not left to closing the file: a child that is just beginning has it open, too.
        let unlock = |file: &File| file.unlock().map_err(PostgresError::io("unlock", &users_lock));
        unlock(&self.user)?;
        let everybody = open(&users_lock)?;
        match everybody.try_lock() {
            Ok(()) => {
                let stopped = self.server.cluster.stop().await;
                unlock(&everybody)?;
                stopped
            }
            Err(TryLockError::WouldBlock) => Ok(()),
            Err(error) => Err(PostgresError::io("lock", &users_lock)(error.into())),
        }
    }
}

impl ServerCommand {
    /// Makes what is absent and starts the server unless it answers. Only who holds the lock
    /// does this. Tells whether it had to.
    async fn ensure(&self) -> Result<bool, PostgresError> {
        let cluster = &self.cluster;
        if cluster.answers().await {
            return Ok(false);
        }
        let bin = binaries::find(self.pg_bin.as_deref(), cluster.version()?, &cluster.dir).await?;
        cluster.make(&bin, self.durability).await?;
        cluster.run(&bin, self.durability).await?;
        Ok(true)
    }

    /// The same for a server that has run: where its data are gone, no new ones are made in their place.
    async fn revive(&self) -> Result<bool, PostgresError> {
        if self.cluster.version()?.is_none() {
            return Err(PostgresError::io("find", &self.cluster.dir)(io::ErrorKind::NotFound.into()));
        }
        self.ensure().await
    }
}

impl Liveness {
    /// Tells whether it was alive.
    #[must_use]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, alive: bool) {
        self.0.store(alive, Ordering::Relaxed);
    }
}

/// Looks after the server until the end, or until its folder is lost; an attempt to start it is made to
/// its end.
async fn watch(
    server: Arc<ServerCommand>,
    folder: Arc<HeldFolder>,
    lost: CancellationToken,
    end: CancellationToken,
) {
    let mut wait = LOOK;
    while end.run_until_cancelled(tokio::time::sleep(wait)).await.is_some() {
        wait = LOOK;
        if !folder.is_in_place() {
            server.alive.set(false);
            lost.cancel();
            return;
        }
        if server.cluster.is_alive() {
            continue;
        }
        if server.alive.get() {
            tracing::error!(event = "postgres-died", data = %server.cluster.data_dir.display(), "the private Postgres has died");
            server.alive.set(false);
        }
        let revived = async {
            let _starting = lock(&server.cluster.data_dir).await?;
            server.revive().await
        };
        match revived.await {
            Ok(by_us) => {
                server.alive.set(true);
                if by_us {
                    tracing::warn!(event = "postgres-restarted", "the private Postgres was started again");
                } else {
                    tracing::info!(event = "postgres-found-again", "the private Postgres is there again");
                }
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "the private Postgres does not start again");
                wait = AGAIN;
            }
        }
    }
}

/// Tells whether there is a database in `data_dir` already.
#[must_use]
pub fn is_made(data_dir: &Path) -> bool {
    data_dir.join("postgres").is_dir()
}

/// Finds the folder of the programs that would make a private Postgres in `data_dir`, where there is none.
///
/// # Errors
/// When none is installed that is new enough.
pub async fn programs(data_dir: &Path, pg_bin: Option<&Path>) -> Result<PathBuf, PostgresError> {
    binaries::find(pg_bin, None, data_dir).await
}

/// Finds where the server of `data_dir` answers, if one runs.
pub async fn running(data_dir: &Path) -> Option<SecretString> {
    let data_dir = data_dir.canonicalize().ok()?;
    let made = data_dir.join("postgres");
    let account = Account::of(&made).ok().filter(|_| made.is_dir())?;
    let cluster = Cluster::new(&data_dir, account).ok()?;
    cluster.answers().await.then(|| cluster.url().into())
}

/// Why there is no private Postgres.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// None is installed, or none new enough.
    #[error(
        "no Postgres 15 or newer found; install it (`apt install postgresql`, `brew install postgresql@17`), \
         name the folder of its programs with --pg-bin, or use a database of your own with --database-url; \
         looked in {looked}"
    )]
    NoBinaries {
        /// Folders.
        looked: String,
    },
    /// The programs for a database elsewhere are missing, or older than its server.
    #[error(
        "no pg_dump and pg_restore of Postgres {needed} or newer found; install them (`apt install \
         postgresql-client-{needed}`), or name their folder with --pg-bin; looked in {looked}"
    )]
    NoClient {
        /// Major version of the server.
        needed: u32,
        /// Folders.
        looked: String,
    },
    /// The data are of another major version than all binaries.
    #[error(
        "the data in {data} are of Postgres {needed}, found is {found}; install Postgres {needed} beside it or \
         name the folder of its programs with --pg-bin; to change to another version, make a `pixcrawler \
         backup` with Postgres {needed}, move the data folder away, and `pixcrawler restore` it with the other"
    )]
    WrongVersion {
        /// Folder of the cluster.
        data: PathBuf,
        /// Its major version.
        needed: u32,
        /// What is installed.
        found: String,
    },
    /// Postgres refuses to be run by root.
    #[error("root may not run Postgres, and there is no user `postgres` or `nobody` who could")]
    NoAccount,
    /// The other user cannot get at the data.
    #[error(
        "user `{user}`, who runs the private Postgres because root may not, cannot enter {folder}; \
         allow it with `chmod o+x {folder}` or choose another folder with --data-dir"
    )]
    Unreachable {
        /// Who runs Postgres.
        user: String,
        /// The first folder on the way that keeps them out.
        folder: PathBuf,
    },
    /// Somebody else made the folder, and could listen in.
    #[error("{0} must be a folder of the user who runs Postgres, closed to others; remove it")]
    SocketFolder(PathBuf),
    /// Another process holds the lock.
    #[error("another process has been starting or stopping Postgres for a minute; it holds {0}")]
    Busy(PathBuf),
    /// `initdb` failed.
    #[error("cannot make the private database: {0}")]
    Make(String),
    /// It ended or is not ready in time.
    #[error("the private Postgres {what}; the end of its log, {log}:\n{tail}")]
    Start {
        /// What it did.
        what: &'static str,
        /// The file.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// A program of Postgres that is not always installed with the server.
    #[error("there is no {}; install the client programs of Postgres, or name a folder that has them with --pg-bin", .0.display())]
    NoProgram(PathBuf),
    /// A program of Postgres failed.
    #[error("{program} failed: {said}")]
    Program {
        /// Its name.
        program: &'static str,
        /// Its last words.
        said: String,
    },
    /// It goes on after it was told to end.
    #[error("the private Postgres (process {0}) did not end in time")]
    Stop(i32),
    /// A file or program could not be used.
    #[error("cannot {action} {path}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl PostgresError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

/// Waits for this process's turn to start or stop the server of `data_dir`; it ends with the file.
///
/// # Errors
/// When another process has its turn for too long, or the lock cannot be had.
async fn lock(data_dir: &Path) -> Result<File, PostgresError> {
    let path = data_dir.join(START_LOCK);
    let file = open(&path)?;
    let since = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(PostgresError::io("lock", &path)(error)),
            Err(TryLockError::WouldBlock) if since.elapsed() > LOCK_PATIENCE => {
                return Err(PostgresError::Busy(path));
            }
            Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

fn open(path: &Path) -> Result<File, PostgresError> {
    private::file()
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(PostgresError::io("open", path))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::*;

    #[tokio::test]
    async fn what_a_new_child_still_has_open_holds_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let server = PrivatePostgres::start(dir.path(), None, Durability::ThrownAway).await.unwrap();
        // As a child has it between its fork and its program.
        let copy = server.user.try_clone().unwrap();
        server.stop().await.unwrap();
        assert!(running(dir.path()).await.is_none(), "the last who stops ends the server");
        drop(copy);
    }
}
