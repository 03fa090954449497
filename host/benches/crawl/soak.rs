//! Whether anybody can hold up the rest: a system under everything at once that was found to
//! hold it up, and what others see of that. Fails over the bounds.
//!
//! `cargo bench -p pixcrawler --bench crawl -- --soak`

mod hostile;

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder},
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use rustix::process::Signal;
use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, net::TcpSocket, task::JoinSet};

use self::hostile::{Site, bomb};
use crate::{client::Client, host::Host, milliseconds, percentile, round, show};

/// Users, jobs of each at once, and pictures of each job.
const USERS: usize = 20;
const JOBS: usize = 10;
const PICTURES: usize = 20;
/// Chunks that each of two processes works on at a time.
const SLOTS: usize = 4;
/// Connections that are opened and not used.
const CONNECTIONS: usize = 1000;
/// Longest time for everything.
const PATIENCE: Duration = Duration::from_secs(600);
/// Between two looks at health, and at memory.
const LOOK: Duration = Duration::from_millis(100);

/// What nobody may be kept waiting for longer than.
const HEALTH_P99: Duration = Duration::from_millis(100);
const FIRST_PICTURE: Duration = Duration::from_secs(10);
const BYSTANDER: Duration = Duration::from_secs(1);
const CALLER: Duration = Duration::from_secs(1);
/// MiB of one process of the program and its children, at any time.
const MEMORY: u64 = 400;

/// What is seen while it runs.
#[derive(Default)]
struct Seen {
    health: Mutex<Vec<Duration>>,
    memory: Mutex<Vec<u64>>,
    over: AtomicBool,
}

/// Runs everything and says what was seen.
///
/// # Errors
/// When something cannot be run, is lost or there twice, or a bound is passed.
pub(crate) async fn soak() -> anyhow::Result<()> {
    let data = tempfile::tempdir()?;
    fs::set_permissions(data.path(), fs::Permissions::from_mode(0o711))?;
    let site = Site::start().await?;
    let disk = Disk::mount(&data.path().join("objects"))?;
    // Compiled while it starts, or not.
    bomb::record(data.path(), "bomb", &bomb::bomb(990, 1990))?;
    let host = Host::start(data.path(), SLOTS)?;
    let mut other = host.worker(SLOTS)?;
    let seen = Arc::new(Seen::default());
    let mut watching = JoinSet::new();
    watching.spawn(watch_health(host.address, Arc::clone(&seen)));
    let processes = host.processes();
    watching.spawn_blocking({
        let seen = Arc::clone(&seen);
        move || {
            while !seen.over.load(Ordering::Relaxed) {
                let held = processes.memory();
                seen.memory.lock().unwrap_or_else(PoisonError::into_inner).push(held);
                std::thread::park_timeout(LOOK);
            }
        }
    });

    println!("A picture of a bystander, alone …");
    let bystander = Client::new(host.address, host.token("bystander@example.org")?);
    let alone = bystander.crawl(&site.page("alone", 1), 1).await?.first;

    println!("Hostile files and servers, as one user's jobs …");
    let attacker = Client::new(host.address, host.token("attacker@example.org")?);
    for url in site.attacks() {
        attacker.create(&url, 100).await?;
    }
    let mut delays = Vec::new();
    for number in 0..10 {
        let page = site.page(&format!("bystander-{number}"), 1);
        let crawl = tokio::time::timeout(PATIENCE / 10, bystander.crawl(&page, 1));
        delays.push(crawl.await.context("a bystander's job does not end")??.first.saturating_sub(alone));
    }
    let worst_delay = delays.iter().max().copied().unwrap_or_default();

    println!("{CONNECTIONS} connections of one address that say nothing …");
    let idle = connect(host.address, CONNECTIONS).await;
    let begun = Instant::now();
    reqwest::Client::new()
        .get(format!("http://{}/api/v1/health/", host.address))
        .send()
        .await?
        .error_for_status()?;
    let caller = begun.elapsed();
    drop(idle);
    let hostile_health = sorted(&seen.health);

    println!("{USERS} users with {JOBS} jobs of {PICTURES} pictures each, while workers are killed …");
    let mut firsts = JoinSet::new();
    let mut jobs = Vec::new();
    for user in 0..USERS {
        let client = Client::new(host.address, host.token(&format!("user-{user}@example.org"))?);
        let begun = Instant::now();
        let mut own = Vec::new();
        for job in 0..JOBS {
            own.push(client.create(&site.page(&format!("{user}-{job}"), PICTURES), PICTURES).await?);
        }
        let client = Arc::new(client);
        for job in &own {
            jobs.push((Arc::clone(&client), job.id));
        }
        firsts.spawn(async move { client.first_image(&own, begun).await });
    }
    let mut waits = Vec::new();
    while let Some(first) = tokio::time::timeout(PATIENCE / 10, firsts.join_next()).await? {
        waits.push(first??);
    }
    waits.sort_unstable();

    if let Some(disk) = &disk {
        println!("The disk is full for a moment …");
        disk.fill()?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        disk.empty()?;
    }
    for kill in 0..4 {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        if kill % 2 == 0 {
            other.signal(Signal::KILL);
            other = host.worker(SLOTS)?;
        } else {
            other.signal(Signal::STOP);
            tokio::time::sleep(Duration::from_secs(3)).await;
            other.signal(Signal::CONT);
        }
    }
    host.kill_postgres()?;

    let begun = Instant::now();
    let mut unfinished = jobs;
    while !unfinished.is_empty() {
        anyhow::ensure!(begun.elapsed() < PATIENCE, "{} jobs do not end", unfinished.len());
        let mut still = Vec::new();
        for (client, id) in unfinished {
            match client.show(id).await {
                Ok((_, job)) if job.is_over() => {
                    anyhow::ensure!(job.kept == PICTURES, "job {id} kept {} of {PICTURES}", job.kept);
                    let addresses = client.addresses(id).await?;
                    let different: BTreeSet<&String> = addresses.iter().collect();
                    anyhow::ensure!(
                        different.len() == PICTURES && addresses.len() == PICTURES,
                        "job {id} has {} rows of {} addresses",
                        addresses.len(),
                        different.len()
                    );
                }
                // The database may be away for a moment.
                Ok(_) | Err(_) => still.push((client, id)),
            }
        }
        unfinished = still;
        tokio::time::sleep(LOOK).await;
    }
    seen.over.store(true, Ordering::Relaxed);
    while watching.join_next().await.is_some() {}
    report(&seen, &hostile_health, worst_delay, caller, &waits)
}

fn report(
    seen: &Seen,
    hostile_health: &[Duration],
    worst_delay: Duration,
    caller: Duration,
    waits: &[Duration],
) -> anyhow::Result<()> {
    let health = sorted(&seen.health);
    let memory = seen.memory.lock().unwrap_or_else(PoisonError::into_inner).iter().max().copied();
    let memory = memory.context("no memory was seen")?;
    let last = waits.last().copied().unwrap_or_default();
    let figure = |time: Duration| Value::from(round(milliseconds(time)));
    show(&[
        ("health p50 amid hostile servers, ms", figure(percentile(hostile_health, 50))),
        ("health p99 amid hostile servers, ms", figure(percentile(hostile_health, 99))),
        ("health, worst of all, ms", figure(health.last().copied().unwrap_or_default())),
        ("a bystander's picture, worst delay, ms", figure(worst_delay)),
        ("a caller amid 1000 connections, ms", figure(caller)),
        ("first picture of the first user, ms", figure(waits.first().copied().unwrap_or_default())),
        ("first picture of the last user, ms", figure(last)),
        ("memory of a process and its children, most, MiB", Value::from(memory)),
        ("lost or double rows", Value::from(0)),
    ]);
    let passed = [
        ("health", percentile(hostile_health, 99) > HEALTH_P99),
        ("a bystander's picture", worst_delay > BYSTANDER),
        ("a caller", caller > CALLER),
        ("the last user's first picture", last > FIRST_PICTURE),
        ("memory", memory > MEMORY),
    ];
    let passed: Vec<&str> = passed.into_iter().filter_map(|(what, is)| is.then_some(what)).collect();
    anyhow::ensure!(passed.is_empty(), "over the bound: {}", passed.join(", "));
    Ok(())
}

/// A small disk of its own for the objects; gone when dropped.
struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// None where this user may not make one, which is said.
    fn mount(folder: &Path) -> anyhow::Result<Option<Self>> {
        DirBuilder::new().mode(0o700).create(folder)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=128m,mode=0700", "pixcrawler-soak"])
            .arg(folder)
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Ok(Some(Self { folder: folder.to_owned() }));
        }
        println!("No disk can be mounted here, so none will be full.");
        Ok(None)
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }

    fn fill(&self) -> anyhow::Result<()> {
        let mut file = fs::File::create(self.filler())?;
        while file.write_all(&[0; 1 << 16]).is_ok() {}
        Ok(())
    }

    fn empty(&self) -> anyhow::Result<()> {
        Ok(fs::remove_file(self.filler())?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: the program may have files open still.
        let _ = Command::new("umount").arg("-l").arg(&self.folder).status();
    }
}

/// Asks for health again and again, on one connection.
async fn watch_health(address: SocketAddr, seen: Arc<Seen>) {
    let client = reqwest::Client::new();
    while !seen.over.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let _ = client.get(format!("http://{address}/api/v1/health/")).send().await;
        seen.health.lock().unwrap_or_else(PoisonError::into_inner).push(begun.elapsed());
        tokio::time::sleep(LOOK).await;
    }
}

fn sorted(times: &Mutex<Vec<Duration>>) -> Vec<Duration> {
    let mut times = times.lock().unwrap_or_else(PoisonError::into_inner).clone();
    times.sort_unstable();
    times
}

/// Opens connections from an address of its own: a third say nothing, a third begin a head, a
/// third begin a body.
async fn connect(address: SocketAddr, count: usize) -> Vec<tokio::net::TcpStream> {
    let mut open = Vec::new();
    for number in 0..count {
        let connect = async {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::from(([127, 0, 0, 2], 0)))?;
            let mut stream = socket.connect(address).await?;
            let begin: &[u8] = match number % 3 {
                0 => b"",
                1 => b"GET /api/v1/health/ HTTP/1.1\r\nhost:",
                _ => b"POST /api/v1/crawl-jobs/ HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n{",
            };
            stream.write_all(begin).await?;
            anyhow::Ok(stream)
        };
        // Those that are refused are refused.
        if let Ok(Ok(stream)) = tokio::time::timeout(LOOK, connect).await {
            open.push(stream);
        }
    }
    open
}
