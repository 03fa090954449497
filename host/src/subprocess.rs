//! This same program as a child that does hostile work: it may be killed in the middle of
//! anything, and takes no more memory than it was given.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Resource, Rlimit};
use tokio::process::{Child, Command};

/// How often a child looks whether its parent still lives.
const LOOK: Duration = Duration::from_secs(1);
/// How willingly a child, and whoever else serves nobody who waits, lets others have the cores, from 0 to 19: others
/// have ten times as much where there is not enough for all.
const NICE: i32 = 10;

/// Makes the command for a child that runs `subcommand` of `program`, which is this one unless told otherwise: with nothing
/// of the environment, spoken to by its standard input and output, and killed when the handle is dropped.
#[must_use]
pub fn command(program: Option<&Path>, subcommand: &str) -> Command {
    let mut command = Command::new(program.map_or_else(own_program, Path::to_owned));
    command
        .arg(subcommand)
        .env_clear()
        // Large blocks go back to the system as soon as they are freed, also after the first. Smaller
        // ones do not: to have the pages made anew costs a picture of a megapixel a millisecond.
        .env("MALLOC_MMAP_THRESHOLD_", "16777216")
        .env("MALLOC_TRIM_THRESHOLD_", "33554432")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

/// Begins what a child does: lets others go before, and ends when the parent does, even in the middle
/// of something. Its input may be closed without being read again.
pub fn begin() {
    lower_priority();
    end_with_parent();
}

/// Lets others go before; on Linux only this thread and those that it starts.
pub fn lower_priority() {
    // Where it cannot be, all are served alike.
    if rustix::process::getpriority_process(None).is_ok_and(|nice| nice < NICE) {
        let _ = rustix::process::setpriority_process(None, NICE);
    }
}

/// Ends this process when its parent ends; for what somebody waits for, so that nobody goes before.
pub fn end_with_parent() {
    // What it is ended in the middle of is nothing to look at, and others' pictures are in it.
    let _ = rustix::process::setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let parent = rustix::process::getppid();
    thread::spawn(move || {
        loop {
            thread::park_timeout(LOOK);
            if rustix::process::getppid() != parent {
                std::process::exit(1);
            }
        }
    });
}

/// Processor time of a child, seen while it works.
#[derive(Clone, Copy, Debug)]
pub struct Meter {
    process: Option<u32>,
    before: Duration,
}

impl Meter {
    /// Measures what `child` has beyond `before`.
    #[must_use]
    pub fn of(child: &Child, before: Duration) -> Self {
        Self { process: child.id(), before }
    }

    /// Reads the processor time; none where the system does not say.
    #[must_use]
    pub fn cpu(self) -> Option<Duration> {
        /// Linux counts processor time in these.
        const TICK: Duration = Duration::from_millis(10);
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process?)).ok()?;
        // The name, in parentheses, may hold anything; user and system time are 12 fields on.
        let (_, fields) = stat.rsplit_once(')')?;
        let ticks = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u32>());
        let ticks = ticks.sum::<Result<u32, _>>().ok()?;
        Some((TICK * ticks).saturating_sub(self.before))
    }

    /// Says how much longer to wait for a child that may use `allowed` of the processor; none when it
    /// had that. Where the system does not say what it had, it had all the time since `begun`.
    #[must_use]
    pub fn rest(self, begun: Instant, allowed: Duration) -> Option<Duration> {
        /// Looks that are closer to one another only cost time.
        const SHORTEST: Duration = Duration::from_millis(20);
        let used = self.cpu().unwrap_or_else(|| begun.elapsed());
        (used < allowed).then(|| (allowed - used).max(SHORTEST))
    }
}

/// Bounds what this process may allocate, in bytes beside what it has now; whoever wants more is ended
/// by it. Address space that is only reserved does not count, the stacks of threads do.
///
/// # Errors
/// When the system refuses, for example more than it allowed this process before.
pub fn limit_memory(bytes: u64) -> rustix::io::Result<()> {
    let maximum = rustix::process::getrlimit(Resource::Data).maximum;
    let current = Some(held_memory().saturating_add(bytes));
    rustix::process::setrlimit(Resource::Data, Rlimit { current, maximum })
}

/// Reads what counts already, in bytes; nothing where the system does not say.
fn held_memory() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.and_then(|pages| pages.split_whitespace().nth(5)?.parse::<u64>().ok());
    pages.unwrap_or(0).saturating_mul(rustix::param::page_size() as u64)
}

/// Finds this program, also when its file was replaced or removed since it started.
fn own_program() -> PathBuf {
    let running = PathBuf::from("/proc/self/exe");
    if running.exists() { running } else { std::env::current_exe().unwrap_or_else(|_| "pixcrawler".into()) }
}
