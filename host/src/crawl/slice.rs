//! A slice of a chunk: steps and downloads side by side until its time is up, its
//! share is reached, its source has no more, or all that is left must wait.

mod host_queues;

use std::{
    collections::{HashMap, HashSet},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use tokio::{
    task::{JoinError, JoinSet},
    time::{Instant, MissedTickBehavior, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::{
    crawl::{
        Interrupted, SliceEnd, budget,
        process_image::{ChunkContext, ImageOutcome},
        source_state::{MOST_BACKLOG, Phase, Remainder, SourceEvent, SourceState, Supply},
        step::{StepOutcome, StepTask},
    },
    db::{
        self,
        chunks::{self, ClaimedChunk},
        fairness,
        image_batch::{self, JudgedImage},
        job_lifecycle::ChunkEnd,
        progress, steps,
    },
    model::{Answer, Next},
    plugins::LoadedPlugin,
    services::jobs::messages,
};

use host_queues::HostQueues;

/// Verdicts are written at this number, or this long after the last ones, whichever comes first.
const BATCH: usize = 50;
const BATCH_AGE: Duration = Duration::from_millis(500);
/// A picture that takes longer to come keeps no other from being tried in its place.
const SLOW: Duration = Duration::from_secs(2);
/// When no download ends for so long, the source is asked for others.
const STALLED: Duration = Duration::from_secs(1);
/// Pictures taken from the backlog at a time.
const LOAD: usize = 64;

/// How far a picture is that was taken from the backlog.
enum EntryState {
    /// It waits for a place.
    Loaded,
    /// It is tried since then.
    Downloading(Instant),
    /// Its verdict is to be written.
    Judged,
    /// It is left for another credential, for this reason.
    Unauthorized(String),
}

/// A picture that was tried.
struct FinishedDownload {
    entry: i64,
    host: String,
    /// Why that goes slowly, if it does.
    note: Option<String>,
    outcome: ImageOutcome,
}

/// Steps in a row that asked to be called again with the same answers.
struct Repetition {
    /// These; none after an error, when the source is to see what the site says by then.
    answers: Option<Arc<Vec<Answer>>>,
    times: u32,
}

/// A chunk being worked on.
pub(super) struct Slice {
    chunk: ClaimedChunk,
    plugin: LoadedPlugin,
    context: Arc<ChunkContext>,
    phase: Phase,
    source: SourceState,
    /// At most one.
    step: JoinSet<Result<StepOutcome, db::Error>>,
    repeated: Option<Repetition>,
    /// What was taken from the backlog and is not written back yet, by id; what of it is to be
    /// tried, in order.
    taken: HashMap<i64, EntryState>,
    queues: HostQueues,
    /// The backlog had no more for now.
    backlog_exhausted: bool,
    /// What is in hand is a suspect.
    alone: bool,
    downloads: JoinSet<FinishedDownload>,
    /// When one of them ended last.
    last_finished: Instant,
    batch: Vec<JudgedImage>,
    /// When verdicts were written last.
    last_flush: Option<Instant>,
    /// What the user was told beside what the source says.
    notes: HashSet<String>,
    /// Counts were written that the public row does not show yet.
    refresh_pending: bool,
    /// Something was written that counts as progress: a verdict, a step, or a refused copy.
    achieved: bool,
}

impl Slice {
    pub(super) fn new(
        chunk: ClaimedChunk,
        plugin: LoadedPlugin,
        source: SourceState,
        context: ChunkContext,
    ) -> Self {
        Self {
            chunk,
            plugin,
            phase: Phase::Running,
            source,
            step: JoinSet::new(),
            repeated: None,
            taken: HashMap::new(),
            queues: HostQueues::new(context.app.config.fetch.per_host),
            backlog_exhausted: false,
            alone: false,
            downloads: JoinSet::new(),
            last_finished: Instant::now(),
            batch: Vec::new(),
            last_flush: None,
            notes: HashSet::new(),
            refresh_pending: false,
            achieved: false,
            context: Arc::new(context),
        }
    }

    /// Works until the slice ends, which it does soon after `give_way`. Dropping the future
    /// drops all that is in flight.
    pub(super) async fn run(
        &mut self,
        time: Duration,
        give_way: &CancellationToken,
        stop: &CancellationToken,
    ) -> Result<SliceEnd, Interrupted> {
        let mut over = pin!(sleep(time));
        let mut stopped = pin!(stop.cancelled().fuse());
        let mut tick = tokio::time::interval(BATCH_AGE / 2);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut idle = false;
        loop {
            if self.phase.is_running() {
                self.fill().await?;
            }
            if self.has_share() {
                self.step.abort_all();
                self.downloads.abort_all();
            }
            if self.downloads.is_empty() && self.step.is_empty() {
                self.flush().await?;
                if let Some(end) = self.end().await? {
                    return Ok(end);
                }
                // There is more to do; should nothing come of it, the next look waits for the tick.
                if !std::mem::replace(&mut idle, true) {
                    continue;
                }
            } else {
                idle = false;
            }
            let running = self.phase.is_running();
            let cut_off = self.cut_off();
            tokio::select! {
                Some(finished) = self.downloads.join_next() => match finished {
                    Ok(finished) => self.on_download(finished).await?,
                    Err(error) => self.on_lost_download(&error),
                },
                Some(outcome) = self.step.join_next() => match outcome {
                    Ok(outcome) => self.on_step(outcome?).await?,
                    Err(error) => self.on_lost_step(&error),
                },
                _ = tick.tick() => self.on_tick().await?,
                () = &mut over, if running => self.drain(SliceEnd::Again),
                () = give_way.cancelled(), if running => self.drain(SliceEnd::GaveWay),
                () = &mut stopped => {
                    self.drain(SliceEnd::Again);
                    self.step.abort_all();
                }
                () = sleep_until(cut_off.unwrap_or_else(Instant::now)), if cut_off.is_some() => {
                    self.drop_local_work().await;
                }
            }
        }
    }

    const fn has_share(&self) -> bool {
        self.chunk.progress.kept >= self.chunk.share
    }

    /// Begins nothing more; the slice ends so when nothing is in flight.
    fn drain(&mut self, end: SliceEnd) {
        self.phase.drain(end, Instant::now());
        if self.phase.drops_step() {
            self.step.abort_all();
        }
    }

    /// When what is in flight is cut off, if any of it is.
    fn cut_off(&self) -> Option<Instant> {
        let Phase::Draining { until, .. } = self.phase else { return None };
        let cuts_step = !self.step.is_empty() && self.phase.cuts_step();
        (cuts_step || !self.downloads.is_empty()).then_some(until)
    }

    /// Drops what had its time to end by itself; the next slice does it anew.
    async fn drop_local_work(&mut self) {
        self.downloads.shutdown().await;
        if self.phase.cuts_step() {
            self.step.shutdown().await;
        }
    }

    /// Pictures that the chunk may still keep, beyond those that are on their way. One that is slow
    /// to come reserves nothing; should it come after all, it stays in the backlog.
    fn remaining_capacity(&self) -> usize {
        let good = self.batch.iter().filter(|judged| judged.outcome.is_ok()).count();
        let missing = usize::try_from(self.chunk.share - self.chunk.progress.kept).unwrap_or(0);
        let is_quick =
            |state: &&EntryState| matches!(state, EntryState::Downloading(since) if since.elapsed() < SLOW);
        missing.saturating_sub(good + self.taken.values().filter(is_quick).count())
    }

    /// Starts downloads, takes more from the backlog and makes the next step, as far as there is room.
    async fn fill(&mut self) -> Result<(), Interrupted> {
        let places = self.context.app.config.crawl.downloads;
        loop {
            self.start_downloads(places);
            if self.remaining_capacity() == 0
                || self.downloads.len() >= places
                || self.backlog_exhausted
                || !self.load(places).await?
            {
                break;
            }
        }
        let supply = Supply {
            capacity: self.remaining_capacity(),
            loaded: self.queues.len(),
            places,
            backlog_exhausted: self.backlog_exhausted,
            stalled: self.last_finished.elapsed() > STALLED,
        };
        if !self.source.wants_step(&supply, Utc::now()) {
            return Ok(());
        }
        if !self.context.app.is_current(&self.plugin) {
            // Another build has taken its place; the next slice works with that.
            self.drain(SliceEnd::Again);
            return Ok(());
        }
        let (left, _) = self.left().await?;
        if left < MOST_BACKLOG {
            self.start_step();
        }
        Ok(())
    }

    /// Starts what is ready and whose hosts have room, up to so many downloads at a time.
    fn start_downloads(&mut self, places: usize) {
        while self.remaining_capacity() > 0 && self.downloads.len() < places {
            // Nobody else is to be held guilty of what a suspect does.
            if self.alone && !self.downloads.is_empty() {
                return;
            }
            let fetcher = &self.context.fetcher;
            let Some(entry) = self.queues.next(|entry| fetcher.has_capacity(entry.address())) else {
                return;
            };
            let context = Arc::clone(&self.context);
            self.taken.insert(entry.id, EntryState::Downloading(Instant::now()));
            self.downloads.spawn(async move {
                let (id, host, url) = (entry.id, entry.host.clone(), entry.candidate.url.clone());
                let outcome = context.process(entry).await;
                FinishedDownload { entry: id, host, note: context.fetcher.crawl_delay_note(&url), outcome }
            });
        }
    }

    /// Takes pictures from the backlog, of hosts of which there are few; a suspect only when nothing
    /// else is in hand. Whether there were any.
    async fn load(&mut self, places: usize) -> Result<bool, Interrupted> {
        let nothing_in_hand = self.queues.is_empty() && self.downloads.is_empty();
        if self.alone && !nothing_in_hand {
            return Ok(false);
        }
        let taken: Vec<i64> = self.taken.keys().copied().collect();
        let full = self.queues.with_enough(places);
        let mut loaded =
            chunks::backlog(&self.context.app.db, self.chunk.id, &taken, &full, LOAD as i64).await?;
        self.backlog_exhausted = loaded.len() < LOAD;
        // They come last.
        let others = loaded.partition_point(|entry| !entry.is_suspect());
        if others < loaded.len() {
            self.backlog_exhausted = false;
            loaded.truncate(if others == 0 && nothing_in_hand { 1 } else { others });
        }
        if loaded.is_empty() {
            return Ok(false);
        }
        self.alone = loaded[0].is_suspect();
        if self.alone {
            self.flush().await?;
        }
        self.taken.extend(loaded.iter().map(|entry| (entry.id, EntryState::Loaded)));
        self.queues.extend(loaded);
        let trying: Vec<i64> = self
            .taken
            .iter()
            .filter(|(_, state)| !matches!(state, EntryState::Unauthorized(_)))
            .map(|(id, _)| *id)
            .collect();
        fenced(chunks::note_trying(&self.context.app.db, &self.chunk, &trying).await?)?;
        Ok(true)
    }

    /// Pictures of the backlog, without those that need another credential; until when, if all
    /// of them are deferred.
    async fn left(&self) -> Result<(i64, Option<DateTime<Utc>>), db::Error> {
        let unauthorized: Vec<i64> = self.unauthorized().map(|(id, _)| id).collect();
        chunks::left(&self.context.app.db, self.chunk.id, &unauthorized).await
    }

    fn unauthorized(&self) -> impl Iterator<Item = (i64, &str)> {
        self.taken.iter().filter_map(|(id, state)| match state {
            EntryState::Unauthorized(reason) => Some((*id, reason.as_str())),
            _ => None,
        })
    }

    fn start_step(&mut self) {
        if let Some(budget) = budget::exceeded(&self.chunk.progress, &self.context.app.config.crawl) {
            self.source.apply(SourceEvent::Failed(budget));
            return;
        }
        let task = StepTask {
            context: Arc::clone(&self.context),
            source: self.plugin.clone(),
            chunk: self.chunk.clone(),
            answers: self.repeated.as_ref().and_then(|repeated| repeated.answers.clone()),
            again: self.repeated.as_ref().map_or(0, |repeated| repeated.times),
        };
        self.source.apply(SourceEvent::StepStarted);
        self.step.spawn(task.make());
    }

    /// Writes what became of a step.
    async fn on_step(&mut self, outcome: StepOutcome) -> Result<(), Interrupted> {
        let fetcher = &self.context.fetcher;
        let requests = self.chunk.requests.iter().flatten();
        let notes: Vec<_> = requests.filter_map(|request| fetcher.crawl_delay_note(&request.url)).collect();
        let (db, chunk) = (&self.context.app.db, &mut self.chunk);
        let event = match outcome {
            StepOutcome::Made { step, digest, answers, usage } => {
                let (done, again) = (step.next == Next::Done, step.next == Next::Again);
                let cookies = self.context.jar.changes();
                fenced(steps::record(db, chunk, step, digest, usage, cookies.as_ref()).await?)?;
                self.context.failpoint.hit("after-step", &chunk.source);
                self.achieved = true;
                self.backlog_exhausted = false;
                let times = self.repeated.take().map_or(0, |repeated| repeated.times) + 1;
                self.repeated = again.then_some(Repetition { answers: Some(answers), times });
                SourceEvent::StepMade { done }
            }
            // What it gave before is tried meanwhile.
            StepOutcome::Deferred(wait, usage) => {
                tracing::info!(event = "source-deferred", chunk = %chunk.id, source = chunk.source, reason = wait.reason, "the source waits");
                let cookies = self.context.jar.changes();
                fenced(steps::defer(db, chunk, &wait, usage, cookies.as_ref()).await?)?;
                if let Some(repeated) = &mut self.repeated {
                    repeated.answers = None;
                }
                SourceEvent::StepDeferred(wait)
            }
            StepOutcome::Failed(reason) => SourceEvent::Failed(reason),
        };
        self.source.apply(event);
        for note in notes {
            self.note(note).await?;
        }
        Ok(())
    }

    /// Writes what became of a picture, or puts it into the next batch.
    async fn on_download(&mut self, finished: FinishedDownload) -> Result<(), Interrupted> {
        let FinishedDownload { entry, host, note, outcome } = finished;
        self.last_finished = Instant::now();
        self.queues.ended(&host);
        if let Some(note) = note {
            self.note(note).await?;
        }
        let db = &self.context.app.db;
        match outcome {
            ImageOutcome::Judged(judged) => {
                self.taken.insert(entry, EntryState::Judged);
                self.batch.push(*judged);
                if self.batch.len() >= BATCH || self.is_due() {
                    self.flush().await?;
                }
            }
            ImageOutcome::NextCopy(mut next) => {
                fenced(chunks::next_copy(db, &mut self.chunk, &mut next).await?)?;
                self.achieved = true;
                self.taken.insert(entry, EntryState::Loaded);
                self.queues.extend(vec![*next]);
            }
            ImageOutcome::Deferred { until } => {
                fenced(chunks::defer_entry(db, &self.chunk, entry, until).await?)?;
                self.taken.remove(&entry);
            }
            ImageOutcome::Unauthorized { reason } => {
                self.taken.insert(entry, EntryState::Unauthorized(reason));
            }
            ImageOutcome::HostFailed(wait) => {
                self.taken.remove(&entry);
                self.drain(SliceEnd::Wait(wait));
            }
        }
        Ok(())
    }

    /// Goes on after a step that was dropped on purpose, or that panicked.
    fn on_lost_step(&mut self, error: &JoinError) {
        self.source.apply(if error.is_panic() {
            SourceEvent::Failed("a fault of the host, which its log tells, while it made a step".to_owned())
        } else {
            SourceEvent::StepDropped
        });
    }

    /// The same for a picture. Which one it was is not known, so a panic ends the chunk.
    fn on_lost_download(&mut self, error: &JoinError) {
        if error.is_panic() {
            let reason = "a fault of the host, which its log tells, while it tried a picture";
            self.drain(SliceEnd::End(ChunkEnd::Failed(reason.to_owned())));
        }
    }

    /// Tells the user something, once.
    async fn note(&mut self, note: String) -> Result<(), Interrupted> {
        if !self.notes.contains(&note) {
            steps::note(&self.context.app.db, &self.chunk, &note).await?;
            self.notes.insert(note);
        }
        Ok(())
    }

    async fn on_tick(&mut self) -> Result<(), Interrupted> {
        // Pictures that were deferred may have their time by now.
        self.backlog_exhausted = false;
        if !self.batch.is_empty() && self.is_due() {
            self.flush().await?;
        } else if self.refresh_pending {
            self.refresh_pending = !progress::catch_up(&self.context.app.db, self.chunk.job_id).await?;
        }
        Ok(())
    }

    /// Nothing was written for a while: what comes now need not wait for others.
    fn is_due(&self) -> bool {
        self.last_flush.is_none_or(|at| at.elapsed() >= BATCH_AGE)
    }

    /// Writes the verdicts there are.
    async fn flush(&mut self) -> Result<(), Interrupted> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let app = &self.context.app;
        let mut tx = app.db.begin().await?;
        let recorded = image_batch::record(&mut tx, &mut self.chunk, &self.batch).await?;
        let recorded = recorded.ok_or(Interrupted::LeaseLost)?;
        for (job, chunks) in &recorded.queued {
            let turns = fairness::turns(&mut tx, *job, chunks, None).await?;
            app.queue.enqueue(&mut tx, *job, &messages(&turns), None).await?;
        }
        tx.commit().await?;
        let refused = self.batch.iter().filter_map(|judged| Some(judged.outcome.as_ref().err()?.reason));
        self.context.stats.judged(recorded.kept as u64, recorded.duplicates as u64, refused);
        for judged in self.batch.drain(..) {
            self.taken.remove(&judged.id);
        }
        self.achieved |= recorded.written;
        self.refresh_pending = !recorded.refreshed;
        self.last_flush = Some(Instant::now());
        self.context.failpoint.hit("after-batch", &self.chunk.source);
        Ok(())
    }

    /// Nothing is in flight: how the slice ends, or nothing when there is more to do.
    async fn end(&mut self) -> Result<Option<SliceEnd>, Interrupted> {
        if let Phase::Draining { end, .. } = &self.phase {
            if *end == SliceEnd::GaveWay && !self.achieved {
                chunks::note_gave_way(&self.context.app.db, &self.chunk).await?;
            }
            return Ok(Some(end.clone()));
        }
        let (backlog, deferred_until) = self.left().await?;
        let end = self.source.end(&Remainder {
            now: Utc::now(),
            kept: self.chunk.progress.kept,
            share: self.chunk.share,
            loaded: self.queues.len(),
            backlog,
            deferred_until,
            unauthorized: self.unauthorized().min_by_key(|(id, _)| *id).map(|(_, reason)| reason),
            idle_since: self.chunk.progress.idle_since,
            longest_wait: self.context.app.config.crawl.longest_wait(),
        });
        if end.is_none() {
            self.backlog_exhausted = false;
        }
        Ok(end)
    }
}

/// A write that touched no row of the chunk was undone.
const fn fenced(written: bool) -> Result<(), Interrupted> {
    if written { Ok(()) } else { Err(Interrupted::LeaseLost) }
}
