//! The program that is measured, as a process, and what Linux says of it.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context as _, bail};
use pixcrawler::{
    db::{self, PgPool},
    postgres,
};
use rustix::process::{Pid, Signal, kill_process};

/// Linux counts CPU time in these.
const TICK: Duration = Duration::from_millis(10);
/// Between two looks at memory.
const LOOK: Duration = Duration::from_millis(100);

/// `pixcrawler serve` with a private Postgres.
pub(crate) struct Host {
    process: Process,
    data: PathBuf,
    pub(crate) address: SocketAddr,
}

/// A process of the program; asked to end when dropped.
pub(crate) struct Process(Child);

/// All processes of the program on a data folder; Postgres is not one of them.
pub(crate) struct Processes {
    data: PathBuf,
}

/// Looks at how much memory is held, again and again.
pub(crate) struct Watch {
    over: Sender<()>,
    thread: JoinHandle<u64>,
}

/// CPU time so far, user and system.
#[derive(Clone, Copy)]
pub(crate) struct Cpu {
    pub(crate) host: Duration,
    pub(crate) postgres: Duration,
}

impl Host {
    /// Starts it in `data`, a folder that the user who runs Postgres can enter, and
    /// waits until it is ready. What is policy towards other people's sites is opened.
    ///
    /// # Errors
    /// When it does not become ready; its log is on standard error.
    pub(crate) fn start(data: &Path, slots: usize) -> anyhow::Result<Self> {
        let (process, ready) = Process::start(data, "serve", slots)?;
        let address = ready["address"].as_str().context("no address")?.parse()?;
        Ok(Self { process, data: data.to_owned(), address })
    }

    /// A worker on the same data folder.
    ///
    /// # Errors
    /// When it does not become ready.
    pub(crate) fn worker(&self, slots: usize) -> anyhow::Result<Process> {
        Ok(Process::start(&self.data, "worker", slots)?.0)
    }

    /// All processes on its data folder.
    pub(crate) fn processes(&self) -> Processes {
        Processes { data: self.data.clone() }
    }

    /// Ends its Postgres as a fault would.
    ///
    /// # Errors
    /// When there is none.
    pub(crate) fn kill_postgres(&self) -> anyhow::Result<()> {
        let data = self.data.to_string_lossy();
        let server = Stat::all()?.into_iter().find(|stat| stat.is_server(&data));
        let id = server.and_then(|server| Pid::from_raw(server.id.try_into().ok()?));
        Ok(kill_process(id.context("its Postgres is not there")?, Signal::KILL)?)
    }

    /// Its database.
    ///
    /// # Errors
    /// When it cannot be reached.
    pub(crate) async fn database(&self) -> anyhow::Result<PgPool> {
        let url = postgres::running(&self.data).await.context("its Postgres is not there")?;
        Ok(db::connect(&url, 1).await?)
    }

    /// A token for its API.
    ///
    /// # Errors
    /// When none is issued.
    pub(crate) fn token(&self, email: &str) -> anyhow::Result<String> {
        let issued = pixcrawler(&self.data).args(["token", "--email", email]).output()?;
        anyhow::ensure!(issued.status.success(), "no token: {}", String::from_utf8_lossy(&issued.stderr));
        Ok(String::from_utf8(issued.stdout)?.trim().to_owned())
    }

    /// CPU time of the process with its children, and of its Postgres with all that it started.
    ///
    /// # Errors
    /// When Linux does not say.
    pub(crate) fn cpu(&self) -> anyhow::Result<Cpu> {
        let stats = Stat::all()?;
        let data = self.data.to_string_lossy();
        let server = stats.iter().find(|stat| stat.is_server(&data)).context("its Postgres is not there")?;
        let of = |parent: &Stat| {
            let children = stats.iter().filter(|stat| stat.parent == parent.id && stat.id != server.id);
            parent.own + parent.reaped + children.map(|stat| stat.own).sum::<Duration>()
        };
        let host = stats.iter().find(|stat| stat.id == self.process.0.id()).context("it has ended")?;
        Ok(Cpu { host: of(host), postgres: of(server) })
    }

    /// Most memory that it and each of its children have held, in MiB.
    ///
    /// # Errors
    /// When Linux does not say.
    pub(crate) fn peak_memory(&self) -> anyhow::Result<u64> {
        let own = self.process.0.id();
        let data = self.data.to_string_lossy();
        let stats = Stat::all()?.into_iter().filter(|stat| !stat.is_server(&data));
        let processes = stats.filter(|stat| stat.id == own || stat.parent == own);
        Ok(processes.filter_map(|stat| memory(stat.id, "status", "VmHWM:")).sum::<u64>() / 1024)
    }
}

impl Process {
    /// Starts it, and gives the line of its log that says that it is ready.
    fn start(data: &Path, command: &str, slots: usize) -> anyhow::Result<(Self, serde_json::Value)> {
        let mut process = pixcrawler(data)
            .args([command, "--port", "0", "--log-format", "json", "--slots", &slots.to_string()])
            .args(["--allow-private", "127.0.0.0/8", "--per-host", "256", "--per-host-rate", "1000000"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start pixcrawler")?;
        let log = process.stderr.take().context("no log")?;
        let mut log = BufReader::new(log).lines();
        let ready = loop {
            let Some(line) = log.next() else { bail!("pixcrawler ended before it was ready") };
            let line: serde_json::Value =
                serde_json::from_str(&line?).context("a line of log is not JSON")?;
            if line["event"] == "ready" {
                break line;
            }
            if line["level"] == "ERROR" {
                eprintln!("{line}");
            }
        };
        // The pipe must not fill up.
        thread::spawn(move || {
            log.map_while(Result::ok)
                .filter(|line| line.contains("\"WARN\""))
                .for_each(|line| eprintln!("{line}"))
        });
        Ok((Self(process), ready))
    }

    /// Sends it a signal, if it has not ended.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Ok(id) = i32::try_from(self.0.id()) {
            let _ = Pid::from_raw(id).map(|id| kill_process(id, signal));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        let _ = self.0.wait();
    }
}

impl Processes {
    /// Memory that one of them holds now with its children, the most that any does, in MiB. What
    /// several share is divided among them. Children that compile, which have a limit of their own,
    /// do not count.
    pub(crate) fn memory(&self) -> u64 {
        let data = self.data.to_string_lossy().into_owned();
        let stats = Stat::all().unwrap_or_default();
        let family = |host: &Stat| {
            let members = stats.iter().filter(|stat| {
                stat.id == host.id
                    || (stat.parent == host.id && !stat.is_server(&data) && !stat.is_compiler())
            });
            members.filter_map(|stat| memory(stat.id, "smaps_rollup", "Pss:")).sum::<u64>() / 1024
        };
        stats.iter().filter(|stat| stat.is_host(&data)).map(family).max().unwrap_or(0)
    }
}

impl Watch {
    /// `memory` says what is held now, in MiB.
    pub(crate) fn start(memory: impl Fn() -> u64 + Send + 'static) -> Self {
        let (over, ends) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut peak = memory();
            while ends.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                peak = memory().max(peak);
            }
            peak
        });
        Self { over, thread }
    }

    /// The most that was held, in MiB.
    pub(crate) fn peak(self) -> u64 {
        drop(self.over);
        self.thread.join().unwrap_or_default()
    }
}

/// Memory that a process holds now with all that it started, in MiB. What several share is divided among them.
pub(crate) fn memory_of_all(root: u32) -> u64 {
    let stats = Stat::all().unwrap_or_default();
    let mut family = vec![root];
    let mut at = 0;
    while let Some(parent) = family.get(at).copied() {
        family.extend(stats.iter().filter(|stat| stat.parent == parent).map(|stat| stat.id));
        at += 1;
    }
    family.into_iter().filter_map(|id| memory(id, "smaps_rollup", "Pss:")).sum::<u64>() / 1024
}

/// CPU time of all children of this process that have ended.
pub(crate) fn reaped() -> Duration {
    Stat::read(format!("/proc/{}", std::process::id()).into()).map_or(Duration::ZERO, |own| own.reaped)
}

/// A figure of a file of a process in `/proc`, in KiB.
fn memory(id: u32, file: &str, name: &str) -> Option<u64> {
    let figures = fs::read_to_string(format!("/proc/{id}/{file}")).ok()?;
    figures.lines().find_map(|line| line.strip_prefix(name)?.trim().trim_end_matches(" kB").parse().ok())
}

/// The released program, with nothing from this environment.
#[expect(clippy::disallowed_methods, reason = "the child gets this one variable and no setting")]
fn pixcrawler(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pixcrawler"));
    command.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default()).arg("--data-dir").arg(data);
    command
}

/// A process, from `/proc/ID/stat`.
struct Stat {
    id: u32,
    parent: u32,
    own: Duration,
    /// Of children that have ended.
    reaped: Duration,
    command: String,
}

impl Stat {
    fn all() -> anyhow::Result<Vec<Self>> {
        Ok(fs::read_dir("/proc")?.filter_map(|entry| Self::read(entry.ok()?.path())).collect())
    }

    /// None for what is not a process, or not any more.
    fn read(folder: PathBuf) -> Option<Self> {
        let id = folder.file_name()?.to_str()?.parse().ok()?;
        let stat = fs::read_to_string(folder.join("stat")).ok()?;
        // The name in parentheses may hold spaces; the state comes first behind it.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let time = |at: usize| Some(TICK * fields.get(at)?.parse::<u32>().ok()?);
        Some(Self {
            id,
            parent: fields.get(1)?.parse().ok()?,
            own: time(11)? + time(12)?,
            reaped: time(13)? + time(14)?,
            command: fs::read_to_string(folder.join("cmdline")).ok()?,
        })
    }

    fn is_server(&self, data: &str) -> bool {
        let program = self.command.split('\0').next().unwrap_or_default();
        program.ends_with("/postgres") && self.command.contains(data)
    }

    fn is_compiler(&self) -> bool {
        self.command.split('\0').nth(1) == Some("compile-component")
    }

    fn is_host(&self, data: &str) -> bool {
        let program = self.command.split('\0').next().unwrap_or_default();
        program.ends_with("/pixcrawler") && self.command.contains(data)
    }
}
