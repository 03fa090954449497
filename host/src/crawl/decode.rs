//! Decoding, in children of this process: a decoder cannot be interrupted, but a child can be
//! killed, and takes no more memory than it was given.
//!
//! A picture begins on any child. One that is not done after a [`QUANTUM`] of processor time
//! counts as slow, and slow ones may have all children but one; for a slow one too many the
//! child is killed, and its picture begins again when there is a place for it. So there is
//! always a child that is free within a quantum, and users have it in turn. One that needs
//! more than its [deadline](deadline) is killed for good.

mod child;
mod turns;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use moka::sync::Cache;
use tokio::{
    sync::{Notify, oneshot},
    task::JoinSet,
};

pub use child::{SUBCOMMAND, serve};
pub(super) use turns::Owner;

use self::{child::DecoderChild, turns::FairQueue};
use crate::{
    app::{App, decode_limits},
    config::{self, Config},
    model::{Decoded, Refusal, Rejection, Sha256},
    validate::{self, DecodeLimits, Header},
};

/// Processor time after which a picture is slow: most are done in a tenth of it.
const QUANTUM: Duration = Duration::from_millis(250 * SLOWER as u64);
/// A build that is not optimised has this many times as long for everything.
const SLOWER: u32 = if cfg!(debug_assertions) { 4 } else { 1 };
/// A part of the memory, one in so many, is left to pictures that are not slow.
const LIGHT: u64 = 4;
/// A child that is not given the processor is given up after this long; it may have been stopped.
const PATIENCE: Duration = Duration::from_secs(60);
/// Verdicts on bytes that are remembered, and for how long.
const REMEMBERED: u64 = 10_000;
const MEMORY: Duration = Duration::from_secs(600);
/// Pause after a child could not be started.
const PAUSE: Duration = Duration::from_secs(1);
/// How often a child may end in the middle of a picture by itself before that is the picture's fault.
const MOST_ENDS: u32 = 2;

/// What decoding tells of a sound picture, or why it is none.
pub(super) type DecodeResult = Result<Decoded, Rejection>;

/// No child can be started for now; nothing is said about the picture.
#[derive(Debug, thiserror::Error)]
#[error("a child that decodes pictures cannot be started")]
pub(super) struct DecoderUnavailable(#[source] io::Error);

impl DecoderUnavailable {
    pub(super) const fn new(source: io::Error) -> Self {
        Self(source)
    }
}

/// How many times as much memory and time pictures may have that are larger than usual ones, as a
/// fraction.
fn growth(config: &Config) -> (u64, u64) {
    (config.fetch.max_image_pixels.max(config::Fetch::USUAL_PIXELS), config::Fetch::USUAL_PIXELS)
}

/// The children of this process, started when there is work for them.
pub(super) struct Decoders {
    shared: Arc<DecoderPool>,
    /// One for each child; ended with this.
    _tasks: JoinSet<()>,
}

struct DecoderPool {
    limits: DecodeLimits,
    /// In bytes, for all children together.
    memory: u64,
    /// Slow pictures that may be decoded at a time.
    most_slow: usize,
    state: Mutex<DecoderPoolState>,
    /// There is work, or room for it.
    changed: Notify,
    known: Cache<Sha256, DecodeResult>,
    app: App,
}

#[derive(Default)]
struct DecoderPoolState {
    fresh: FairQueue<DecodeTask>,
    slow: FairQueue<DecodeTask>,
    /// Of all pictures being decoded, in bytes.
    memory: u64,
    /// How many of them are slow, and their memory.
    slow_running: usize,
    slow_memory: u64,
}

/// One picture to decode.
struct DecodeTask {
    owner: Owner,
    sha256: Sha256,
    bytes: Bytes,
    header: Header,
    /// In bytes, with its own copy in the child.
    memory: u64,
    /// How often it ended a child.
    ends: u32,
    answer: oneshot::Sender<Result<DecodeResult, DecoderUnavailable>>,
}

/// What became of a picture in a child.
enum ChildOutcome {
    Decoded(Box<DecodeResult>),
    /// The child is of no more use.
    Killed(ChildEnded),
}

/// Why a child has no answer.
enum ChildEnded {
    /// The picture is slow, and there are enough of these.
    Slow,
    /// It had all the time that it may have.
    Deadline(Duration),
    /// By itself, or by somebody else.
    Itself,
}

impl ChildEnded {
    /// As metrics name it.
    const fn name(&self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Deadline(_) => "deadline",
            Self::Itself => "itself",
        }
    }
}

impl Decoders {
    /// At least two children, so that one can be left to others. Needs a tokio runtime.
    pub(super) fn new(app: App) -> Self {
        let children = std::thread::available_parallelism().map_or(2, std::num::NonZero::get).max(2);
        let (pixels, usual) = growth(&app.config);
        let shared = Arc::new(DecoderPool {
            limits: decode_limits(&app.config),
            memory: (u64::from(app.config.crawl.decode_memory) << 20) * pixels / usual,
            most_slow: children - 1,
            state: Mutex::default(),
            changed: Notify::new(),
            known: Cache::builder().max_capacity(REMEMBERED).time_to_live(MEMORY).build(),
            app,
        });
        let mut tasks = JoinSet::new();
        for _ in 0..children {
            tasks.spawn(Arc::clone(&shared).run());
        }
        Self { shared, _tasks: tasks }
    }

    /// What is refused without being decoded.
    pub(super) fn limits(&self) -> &DecodeLimits {
        &self.shared.limits
    }

    /// What is known of bytes that were decoded not long ago, whoever asked.
    pub(super) fn known(&self, sha256: &Sha256) -> Option<DecodeResult> {
        self.shared.known.get(sha256)
    }

    /// Forgets what is known of bytes: they are to be tried again.
    pub(super) fn forget(&self, sha256: &Sha256) {
        self.shared.known.invalidate(sha256);
    }

    /// Decodes a picture when its owner has a turn. It may go on when nobody waits any more, and is
    /// known then.
    ///
    /// # Errors
    /// When no child can be started.
    pub(super) async fn decode(
        &self,
        owner: Owner,
        sha256: Sha256,
        bytes: Bytes,
        header: Header,
    ) -> Result<DecodeResult, DecoderUnavailable> {
        let memory = header.memory().saturating_add(bytes.len() as u64);
        let most = self.shared.slow_share();
        if memory > most {
            let detail = format!("decoding takes {} MiB, at most {} are allowed", memory >> 20, most >> 20);
            return Ok(Err(Rejection::new(Refusal::TooCostly, detail)));
        }
        let (answer, decoded) = oneshot::channel();
        // One that could take all memory from others waits with the slow ones.
        let slow = memory > self.shared.memory / LIGHT;
        self.shared.put(DecodeTask { owner, sha256, bytes, header, memory, ends: 0, answer }, slow);
        // The tasks end only with this.
        decoded.await.unwrap_or_else(|_| Err(DecoderUnavailable(io::ErrorKind::Interrupted.into())))
    }
}

/// Decodes files one after the other, outside of a crawl, in a child as a crawl does.
pub struct FileDecoder {
    program: Option<PathBuf>,
    limits: DecodeLimits,
    child: Option<DecoderChild>,
}

impl FileDecoder {
    /// Starts no child yet.
    #[must_use]
    pub fn new(program: Option<&Path>, limits: DecodeLimits) -> Self {
        Self { program: program.map(Path::to_owned), limits, child: None }
    }

    /// What decoding a file tells, or why it is no sound picture.
    ///
    /// # Errors
    /// When no child can be started.
    pub async fn decode(&mut self, bytes: Bytes) -> io::Result<Result<Decoded, Rejection>> {
        let (file, limits) = (bytes.clone(), self.limits);
        let inspected = tokio::task::spawn_blocking(move || validate::inspect(&file, &limits));
        let header = match inspected.await.map_err(io::Error::other)? {
            Ok(header) => header,
            Err(rejection) => return Ok(Err(rejection)),
        };
        let mut child = match self.child.take() {
            Some(child) => child,
            None => DecoderChild::start(self.program.as_deref(), &self.limits)?,
        };
        let memory = header.memory().saturating_add(bytes.len() as u64);
        let decoded = tokio::time::timeout(PATIENCE, async {
            child.give(&bytes, memory).await?;
            child.answer().await
        });
        match decoded.await {
            Ok(Ok((decoded, _))) => {
                self.child = Some(child);
                Ok(decoded)
            }
            ended => {
                child.kill().await;
                let detail = match ended {
                    Ok(_) => format!(
                        "the decoder ended in the middle of it; it had {} MiB of memory",
                        memory >> 20
                    ),
                    Err(_) => format!("decoding takes longer than {} s", PATIENCE.as_secs()),
                };
                Ok(Err(Rejection::new(Refusal::TooCostly, detail)))
            }
        }
    }
}

impl DecoderPool {
    fn state(&self) -> MutexGuard<'_, DecoderPoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a picture wait for its turn.
    fn put(&self, work: DecodeTask, slow: bool) {
        let mut state = self.state();
        let queue = if slow { &mut state.slow } else { &mut state.fresh };
        queue.push(work.owner, work);
        drop(state);
        self.changed.notify_waiters();
    }

    /// The next picture, with its place.
    async fn next(self: &Arc<Self>) -> (DecodeTask, DecodePermit) {
        loop {
            // Begun before the look, so that no change is missed.
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if let Some(next) = self.take() {
                return next;
            }
            changed.await;
        }
    }

    fn take(self: &Arc<Self>) -> Option<(DecodeTask, DecodePermit)> {
        let mut state = self.state();
        loop {
            let fresh_memory = state.memory - state.slow_memory;
            let waiting = state.slow.front().map(|work| work.memory);
            let waiting = waiting.filter(|memory| self.has_room_for_slow(&state, *memory));
            let slow = waiting.is_some_and(|memory| state.memory + memory <= self.memory);
            let work = if slow {
                state.slow.pop()?
            } else {
                // What only waits for memory would wait for ever if others went on taking it. These
                // wait for nothing but each other, and what runs leaves room soon.
                let kept_free = if waiting.is_some() { self.slow_share() } else { state.slow_memory };
                let fits = |work: &&DecodeTask| fresh_memory + work.memory + kept_free <= self.memory;
                state.fresh.front().filter(fits)?;
                state.fresh.pop()?
            };
            // Whoever asked may have let go meanwhile.
            if work.answer.is_closed() {
                continue;
            }
            if let Some(decoded) = self.known.get(&work.sha256) {
                let _ = work.answer.send(Ok(decoded));
                continue;
            }
            state.memory += work.memory;
            let place =
                DecodePermit { shared: Arc::clone(self), memory: work.memory, slow: AtomicBool::new(slow) };
            if slow {
                state.slow_running += 1;
                state.slow_memory += work.memory;
            }
            return Some((work, place));
        }
    }

    fn has_room_for_slow(&self, state: &DecoderPoolState, memory: u64) -> bool {
        state.slow_running < self.most_slow && state.slow_memory + memory <= self.slow_share()
    }

    /// Memory that slow pictures may have together, in bytes; one that needs more is refused.
    const fn slow_share(&self) -> u64 {
        self.memory - self.memory / LIGHT
    }

    /// What the task of one child does.
    async fn run(self: Arc<Self>) {
        let mut child: Option<DecoderChild> = None;
        loop {
            let (mut work, place) = self.next().await;
            let mut running = match self.hand_over(child.take(), &work).await {
                Ok(running) => running,
                Err(error) => {
                    tracing::error!(%error, "a child that decodes pictures cannot be started");
                    drop(place);
                    let _ = work.answer.send(Err(DecoderUnavailable(error)));
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let outcome = self.attempt(&mut running, &work, &place).await;
            let ended = match outcome {
                ChildOutcome::Decoded(decoded) => {
                    drop(place);
                    child = Some(running);
                    self.finish(work, *decoded);
                    continue;
                }
                ChildOutcome::Killed(ended) => ended,
            };
            // Its place is free only when it is gone.
            running.kill().await;
            drop(place);
            self.app.metrics.decoder_killed(ended.name());
            match ended {
                ChildEnded::Slow => self.put(work, true),
                ChildEnded::Deadline(deadline) => {
                    let detail = format!("decoding takes longer than {} ms", deadline.as_millis());
                    let rejected = Rejection::new(Refusal::TooCostly, detail);
                    self.finish(work, Err(rejected));
                }
                ChildEnded::Itself => {
                    work.ends += 1;
                    if work.ends < MOST_ENDS {
                        self.put(work, true);
                        continue;
                    }
                    let mib = work.memory >> 20;
                    let detail = format!("the decoder ended in the middle of it; it had {mib} MiB of memory");
                    // Not remembered: it may have been ended by somebody who knows nothing of the picture.
                    let rejected = Rejection::new(Refusal::TooCostly, detail);
                    let _ = work.answer.send(Ok(Err(rejected)));
                }
            }
        }
    }

    /// Gives a picture to the child that waits for one, or else to a new one.
    async fn hand_over(&self, waiting: Option<DecoderChild>, work: &DecodeTask) -> io::Result<DecoderChild> {
        // It may have been ended since it had the last one.
        if let Some(mut child) = waiting
            && Self::give(&mut child, work).await.is_ok()
        {
            return Ok(child);
        }
        let mut child = DecoderChild::start(self.app.config.plugins.program.as_deref(), &self.limits)?;
        Self::give(&mut child, work).await?;
        Ok(child)
    }

    async fn give(child: &mut DecoderChild, work: &DecodeTask) -> io::Result<()> {
        tokio::time::timeout(PATIENCE, child.give(&work.bytes, work.memory)).await?
    }

    fn finish(&self, work: DecodeTask, decoded: DecodeResult) {
        self.known.insert(work.sha256, decoded.clone());
        let _ = work.answer.send(Ok(decoded));
    }

    /// Has a picture decoded, as long as it may take.
    async fn attempt(
        &self,
        child: &mut DecoderChild,
        work: &DecodeTask,
        place: &DecodePermit,
    ) -> ChildOutcome {
        let meter = child.meter();
        let begun = Instant::now();
        let (pixels, usual) = growth(&self.app.config);
        let most = self.app.config.crawl.decode_deadline.mul_f64(pixels as f64 / usual as f64);
        let deadline = deadline(work.header.pixels(), work.bytes.len(), most);
        let mut allowed = if place.is_slow() { deadline } else { QUANTUM.min(deadline) };
        let mut look = allowed;
        let mut decoding = std::pin::pin!(child.answer());
        loop {
            match tokio::time::timeout(look, &mut decoding).await {
                Ok(Ok((decoded, took))) => {
                    self.app.metrics.decoded(took);
                    return ChildOutcome::Decoded(Box::new(decoded));
                }
                Ok(Err(error)) => {
                    tracing::debug!(%error, sha256 = %work.sha256, "a child that decodes pictures ended");
                    return ChildOutcome::Killed(ChildEnded::Itself);
                }
                Err(_) => {}
            }
            if begun.elapsed() > PATIENCE {
                return ChildOutcome::Killed(ChildEnded::Itself);
            } else if let Some(rest) = meter.rest(begun, allowed) {
                look = rest;
            } else if allowed >= deadline {
                return ChildOutcome::Killed(ChildEnded::Deadline(deadline));
            } else if self.become_slow(place) {
                look = deadline - allowed;
                allowed = deadline;
            } else {
                return ChildOutcome::Killed(ChildEnded::Slow);
            }
        }
    }

    /// Counts a picture that is being decoded as slow, if there may be one more.
    fn become_slow(&self, place: &DecodePermit) -> bool {
        let mut state = self.state();
        let may = self.has_room_for_slow(&state, place.memory);
        if may {
            state.slow_running += 1;
            state.slow_memory += place.memory;
            place.slow.store(true, Ordering::Relaxed);
        }
        may
    }
}

/// Processor time that a picture may take: several times what sound ones of this many pixels in all
/// frames and this many bytes do, and never more than `most`.
fn deadline(pixels: u64, bytes: usize, most: Duration) -> Duration {
    const LEAST: Duration = Duration::from_millis(250);
    // 60 ns a pixel, twice what the slowest decoder needs, and 10 ns a byte.
    let nanos = pixels.saturating_mul(60).saturating_add((bytes as u64).saturating_mul(10));
    LEAST.saturating_add(Duration::from_nanos(nanos)).min(most) * SLOWER
}

/// What a picture that is being decoded takes from others; given back when dropped.
struct DecodePermit {
    shared: Arc<DecoderPool>,
    memory: u64,
    slow: AtomicBool,
}

impl DecodePermit {
    fn is_slow(&self) -> bool {
        self.slow.load(Ordering::Relaxed)
    }
}

impl Drop for DecodePermit {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.memory -= self.memory;
        if self.is_slow() {
            state.slow_running -= 1;
            state.slow_memory -= self.memory;
        }
        drop(state);
        self.shared.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_made_of_pixels_and_bytes() {
        let millis = |pixels, bytes, most| {
            deadline(pixels, bytes, Duration::from_millis(most)).as_millis() / u128::from(SLOWER)
        };
        assert_eq!(millis(0, 0, 2000), 250);
        assert_eq!(millis(10_000_000, 2_000_000, 2000), 870);
        assert_eq!(millis(64_000_000, 10_000_000, 2000), 2000);
        assert_eq!(millis(u64::MAX, usize::MAX, 3000), 3000);
        assert_eq!(millis(0, 0, 100), 100);
    }
}
