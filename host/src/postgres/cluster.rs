//! One database folder: how it is made, run, recognised and ended.

use std::{
    fs::{self, DirBuilder, File},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    process::Stdio,
    sync::atomic::{AtomicI32, Ordering},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use sha2::{Digest, Sha256};
use sqlx::Connection;
use tokio::process::Child;
use uuid::Uuid;

use super::{Durability, PostgresError, account::Account};
use crate::private;

/// The superuser, whom nobody but the owner of the socket's folder can be.
const SUPERUSER: &str = "pixcrawler";
/// Only names the socket: there is no TCP.
const PORT: u16 = 5432;
/// The longest path of a socket's folder, so that the socket's own fits (104 bytes with
/// the closing zero on macOS, 108 on Linux).
const LONGEST_SOCKET_FOLDER: usize = 103 - "/.s.PGSQL.5432".len();
/// How the names of folders begin that are to become clusters.
const HALF_MADE: &str = "postgres.new-";
/// Bytewise order; letters as Unicode has them where the system knows how.
const LOCALE: &str = if cfg!(target_os = "linux") { "C.UTF-8" } else { "C" };
/// Longest wait for the server to be ready, and to end.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a server that ends at once is started again: the processes of one that was
/// killed hold its memory for a moment.
const RETRIES: Duration = Duration::from_secs(5);
/// A server without its folder is told to end more and more plainly, after so long each.
const ENDING: Duration = Duration::from_secs(5);
/// A longer log is put aside at the next start.
const LONG_LOG: u64 = 4 << 20;

/// The folder `postgres` of the data folder.
pub(super) struct Cluster {
    pub(super) data_dir: PathBuf,
    pub(super) dir: PathBuf,
    socket: PathBuf,
    log: PathBuf,
    pub(super) account: Account,
    /// The server's process when it was last looked for and found; else 0.
    remembered: AtomicI32,
}

impl Cluster {
    /// Names the places; makes a folder for the socket if the cluster's own will not do.
    pub(super) fn new(data_dir: &Path, account: Account) -> Result<Self, PostgresError> {
        let dir = data_dir.join("postgres");
        let socket = socket_folder(&dir, &account)?;
        let log = data_dir.join("postgres.log");
        Ok(Self { dir, socket, log, data_dir: data_dir.to_owned(), account, remembered: AtomicI32::new(0) })
    }

    /// Reads its major version; none before it is made.
    pub(super) fn version(&self) -> Result<Option<u32>, PostgresError> {
        let path = self.dir.join("PG_VERSION");
        match fs::read_to_string(&path) {
            Ok(version) => Ok(version.trim().parse().ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(PostgresError::io("read", &path)(error)),
        }
    }

    /// Makes it if it is absent: under another name, so that nothing half made stays.
    pub(super) async fn make(&self, bin: &Path, durability: Durability) -> Result<(), PostgresError> {
        if self.version()?.is_some() {
            return Ok(());
        }
        self.remove_half_made()?;
        // A name that was never used: an `initdb` whose parent was killed may still be at
        // work, and clears its folder when it fails.
        let new = self.data_dir.join(format!("{HALF_MADE}{}", Uuid::new_v4().simple()));
        DirBuilder::new().mode(0o700).create(&new).map_err(PostgresError::io("make", &new))?;
        self.account.own(&new)?;

        let initdb = bin.join("initdb");
        let mut command = self.account.command(&initdb, &new);
        command.arg("--pgdata").arg(&new).args(["--username", SUPERUSER, "--auth", "trust"]);
        command.args(["--encoding", "UTF8", "--locale", LOCALE]);
        if durability == Durability::ThrownAway {
            command.arg("--no-sync");
        }
        let output = command.kill_on_drop(true).output().await.map_err(PostgresError::io("run", &initdb))?;
        if !output.status.success() {
            return Err(PostgresError::Make(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
        }
        fs::rename(&new, &self.dir)
            .and_then(|()| File::open(&self.data_dir)?.sync_all())
            .map_err(PostgresError::io("make", &self.dir))
    }

    fn remove_half_made(&self) -> Result<(), PostgresError> {
        let entries = fs::read_dir(&self.data_dir).map_err(PostgresError::io("list", &self.data_dir))?;
        for entry in entries.flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(HALF_MADE.as_bytes()) {
                let path = entry.path();
                fs::remove_dir_all(&path).map_err(PostgresError::io("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Starts the server, or waits for one that is starting, until it answers.
    pub(super) async fn run(&self, bin: &Path, durability: Durability) -> Result<(), PostgresError> {
        let since = Instant::now();
        let mut child = StartingServer(None);
        while !self.answers().await {
            let failed = |what| Err(PostgresError::Start { what, log: self.log.clone(), tail: self.tail() });
            if since.elapsed() > PATIENCE {
                // It may still be recovering: the next start finds it further on.
                child.0 = None;
                return failed("is not ready in time");
            }
            let ours_runs = child.0.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)));
            if !ours_runs && self.server().is_none() {
                if child.0.is_some() {
                    if since.elapsed() > RETRIES {
                        return failed("ends at once");
                    }
                    tokio::time::sleep(Duration::from_millis(250)).await;
                }
                child.0 = Some(self.spawn(bin, durability)?);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        child.0 = None;
        Ok(())
    }

    /// Tells whether queries are answered.
    pub(super) async fn answers(&self) -> bool {
        if !self.socket.join(format!(".s.PGSQL.{PORT}")).exists() {
            return false;
        }
        let attempt = async {
            let mut connection = sqlx::PgConnection::connect(&self.url()).await?;
            connection.ping().await?;
            connection.close().await
        };
        matches!(tokio::time::timeout(Duration::from_secs(2), attempt).await, Ok(Ok(())))
    }

    /// Tells whether its process lives, whether it answers or not.
    pub(super) fn is_alive(&self) -> bool {
        self.server().is_some()
    }

    /// Says where to connect.
    pub(super) fn url(&self) -> String {
        self.url_of("postgres")
    }

    /// The same for another database than the usual one.
    pub(super) fn url_of(&self, database: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("host", &self.socket.to_string_lossy()).append_pair("sslmode", "disable");
        format!("postgresql://{SUPERUSER}@localhost:{PORT}/{database}?{}", query.finish())
    }

    /// Ends the server at once, without losing anything, and waits until it is gone.
    pub(super) async fn stop(&self) -> Result<(), PostgresError> {
        let Some(pid) = self.server() else { return Ok(()) };
        // "Fast shutdown". That it has just ended by itself is fine.
        let _ = kill_process(pid, Signal::INT);
        let since = Instant::now();
        while self.server().is_some() {
            if since.elapsed() > PATIENCE {
                return Err(PostgresError::Stop(pid.as_raw_nonzero().get()));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.remove_socket_folder();
        Ok(())
    }

    /// Ends the server whose folder was moved or deleted, with the record of its process in it. Moved, its
    /// data are as after any stop.
    pub(super) async fn stop_remembered(&self) -> Result<(), PostgresError> {
        let Some(pid) = Pid::from_raw(self.remembered.load(Ordering::Relaxed)) else { return Ok(()) };
        for signal in [Signal::INT, Signal::QUIT, Signal::KILL] {
            if !self.is_server(pid) {
                break;
            }
            let _ = kill_process(pid, signal);
            let since = Instant::now();
            while self.is_server(pid) && since.elapsed() < ENDING {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        self.remove_socket_folder();
        if self.is_server(pid) { Err(PostgresError::Stop(pid.as_raw_nonzero().get())) } else { Ok(()) }
    }

    /// Removes the folder that was made for the socket alone.
    fn remove_socket_folder(&self) {
        if self.socket != self.dir {
            // Made anew at the next start; one that is not empty is not only ours.
            let _ = fs::remove_dir(&self.socket);
        }
    }

    fn spawn(&self, bin: &Path, durability: Durability) -> Result<Child, PostgresError> {
        self.forget_stale_server()?;
        if fs::metadata(&self.log).is_ok_and(|log| log.len() > LONG_LOG) {
            let _ = fs::rename(&self.log, self.log.with_extension("log.old"));
        }
        let log = private::file()
            .create(true)
            .append(true)
            .open(&self.log)
            .and_then(|log| Ok((log.try_clone()?, log)))
            .map_err(PostgresError::io("open", &self.log))?;
        let program = bin.join("postgres");
        let mut command = self.account.command(&program, &self.dir);
        command.arg("-D").arg(&self.dir);
        let mut set = |name: &str, value: &str| {
            command.arg("-c").arg(format!("{name}={value}"));
        };
        set("listen_addresses", "");
        set("unix_socket_directories", &self.socket.to_string_lossy());
        set("unix_socket_permissions", "0700");
        set("port", &PORT.to_string());
        set("shared_buffers", "64MB");
        set("timezone", "UTC");
        set("log_timezone", "UTC");
        set("log_checkpoints", "off");
        match durability {
            Durability::Kept => set("max_connections", "60"),
            Durability::ThrownAway => {
                set("fsync", "off");
                set("full_page_writes", "off");
                // Many tests, each with several processes, share one server.
                set("max_connections", "1000");
                // What Supabase has, whose Realtime reads the changes.
                set("wal_level", "logical");
                set("max_replication_slots", "50");
            }
        }
        command
            .stdin(Stdio::null())
            .stdout(log.0)
            .stderr(log.1)
            // A Ctrl-C in the terminal is for us: the server is ended last.
            .process_group(0)
            .spawn()
            .map_err(PostgresError::io("run", &program))
    }

    /// Finds the server that runs on this folder.
    fn server(&self) -> Option<Pid> {
        let pid = self.recorded_server().filter(|pid| self.is_server(*pid))?;
        self.remembered.store(pid.as_raw_nonzero().get(), Ordering::Relaxed);
        Some(pid)
    }

    /// Tells whether this process is the server of this folder.
    fn is_server(&self, pid: Pid) -> bool {
        if !Path::new("/proc/self/cmdline").exists() {
            return test_kill_process(pid).is_ok();
        }
        // The number may have gone to another process since, or to one that waits to be
        // buried, which has no arguments.
        let Ok(arguments) = fs::read(format!("/proc/{pid}/cmdline")) else { return false };
        let arguments: Vec<&[u8]> = arguments.split(|&byte| byte == 0).collect();
        let ours = [b"-D".as_slice(), self.dir.as_os_str().as_encoded_bytes()];
        arguments.windows(2).any(|pair| pair == ours)
    }

    /// Removes the record of a server that is gone. Postgres refuses to start while the process that it has recorded lives, whatever
    /// that is by now. It also looks at the shared memory of this folder, so a server that
    /// runs all the same is noticed.
    fn forget_stale_server(&self) -> Result<(), PostgresError> {
        let stale = self.recorded_server().is_some_and(|pid| test_kill_process(pid).is_ok());
        let file = self.dir.join("postmaster.pid");
        if stale && self.server().is_none() {
            tracing::warn!(file = %file.display(), "removing the record of a server that is gone");
            fs::remove_file(&file).map_err(PostgresError::io("remove", &file))?;
        }
        Ok(())
    }

    fn recorded_server(&self) -> Option<Pid> {
        let record = fs::read_to_string(self.dir.join("postmaster.pid")).ok()?;
        Pid::from_raw(record.lines().next()?.trim().parse().ok().filter(|&pid| pid > 0)?)
    }

    /// Reads the last lines of the log, which is short when a start has failed.
    fn tail(&self) -> String {
        match fs::read(&self.log) {
            Ok(log) => String::from_utf8_lossy(&log[log.len().saturating_sub(2048)..]).trim().to_owned(),
            Err(error) => format!("cannot be read: {error}"),
        }
    }
}

/// A server that does not answer yet: ended when it is waited for no longer.
struct StartingServer(Option<Child>);

impl Drop for StartingServer {
    fn drop(&mut self) {
        let pid = self.0.as_ref().and_then(Child::id).and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        if let Some(pid) = pid {
            // It may have ended by itself.
            let _ = kill_process(pid, Signal::INT);
        }
    }
}

/// Finds a folder that only the account enters and whose name a socket's address has room for:
/// the cluster's own, or one in /tmp that is named after it, so that others find it too.
fn socket_folder(cluster: &Path, account: &Account) -> Result<PathBuf, PostgresError> {
    let name = cluster.as_os_str().as_encoded_bytes();
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-".contains(byte);
    if name.len() <= LONGEST_SOCKET_FOLDER && name.iter().all(plain) {
        return Ok(cluster.to_owned());
    }
    let digest = hex::encode(&Sha256::digest(name)[..8]);
    let folder = PathBuf::from(format!("/tmp/pixcrawler-{digest}"));
    match DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(PostgresError::io("make", &folder)(error));
        }
        _ => {}
    }
    let metadata = fs::symlink_metadata(&folder).map_err(PostgresError::io("look at", &folder))?;
    let ours = [account.uid, rustix::process::geteuid().as_raw()].contains(&metadata.uid());
    if !(metadata.is_dir() && ours && metadata.mode() & 0o077 == 0) {
        return Err(PostgresError::SocketFolder(folder));
    }
    account.own(&folder)?;
    Ok(folder)
}
