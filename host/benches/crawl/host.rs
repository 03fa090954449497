//! The program that is measured, as a process, and what Linux says of it.

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process};

/// Linux counts CPU time in these.
const TICK: Duration = Duration::from_millis(10);

/// `pixcrawler serve` with a private Postgres.
pub(crate) struct Host {
    process: Child,
    data: PathBuf,
    pub(crate) address: SocketAddr,
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
    pub(crate) fn start(data: &Path) -> anyhow::Result<Self> {
        let mut process = pixcrawler(data)
            .args(["serve", "--port", "0", "--log-format", "json", "--slots", "10"])
            .args(["--allow-private", "127.0.0.0/8", "--per-host", "256", "--per-host-rate", "1000000"])
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot start pixcrawler")?;
        let log = process.stderr.take().context("no log")?;
        let mut log = BufReader::new(log).lines();
        let address = loop {
            let Some(line) = log.next() else { bail!("pixcrawler ended before it was ready") };
            let line: serde_json::Value =
                serde_json::from_str(&line?).context("a line of log is not JSON")?;
            if let (Some("ready"), Some(address)) = (line["message"].as_str(), line["address"].as_str()) {
                break address.parse()?;
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
        Ok(Self { process, data: data.to_owned(), address })
    }

    /// A token for its API.
    ///
    /// # Errors
    /// When none is issued.
    pub(crate) fn token(&self) -> anyhow::Result<String> {
        let issued = pixcrawler(&self.data).args(["token", "--email", "bench@example.org"]).output()?;
        anyhow::ensure!(issued.status.success(), "no token: {}", String::from_utf8_lossy(&issued.stderr));
        Ok(String::from_utf8(issued.stdout)?.trim().to_owned())
    }

    /// CPU time of the process, and of its Postgres with all that it started.
    ///
    /// # Errors
    /// When Linux does not say.
    pub(crate) fn cpu(&self) -> anyhow::Result<Cpu> {
        let stats = fs::read_dir("/proc")?.filter_map(|entry| Stat::read(entry.ok()?.path()));
        let stats: Vec<Stat> = stats.collect();
        let data = self.data.to_string_lossy();
        let server = stats.iter().find(|stat| stat.id != self.process.id() && stat.is_server(&data));
        let server = server.context("its Postgres is not there")?;
        let workers =
            stats.iter().filter(|stat| stat.parent == server.id).map(|stat| stat.own).sum::<Duration>();
        let host = stats.iter().find(|stat| stat.id == self.process.id()).context("it has ended")?;
        Ok(Cpu { host: host.own, postgres: server.own + server.reaped + workers })
    }

    /// Most memory it has held, in MiB.
    ///
    /// # Errors
    /// When Linux does not say.
    pub(crate) fn peak_memory(&self) -> anyhow::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Ok(id) = i32::try_from(self.process.id()) {
            let _ = Pid::from_raw(id).map(|id| kill_process(id, Signal::TERM));
        }
        let _ = self.process.wait();
    }
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
}
