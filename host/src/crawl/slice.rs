//! A slice of a chunk: steps and downloads side by side until its time is up, its
//! share is reached, its source has no more, or all that is left must wait.

mod host_queues;
mod stepped;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use crate::{
    crawl::{
        Interrupted, SliceEnd, budget,
        process_image::{ChunkContext, ImageOutcome},
        step::{StepOutcome, StepTask},
    },
    db::{
        chunks::{self, ClaimedChunk, Deferral},
        image_batch::{self, JudgedImage},
        lifecycle::ChunkEnd,
        progress, steps,
    },
    model::Answer,
    plugins::LoadedPlugin,
};

use host_queues::HostQueues;

/// Verdicts are written at this number, or this long after the last ones, whichever comes first.
const BATCH: usize = 50;
const BATCH_AGE: Duration = Duration::from_millis(500);
/// A picture that takes longer to come keeps no other from being tried in its place.
const SLOW: Duration = Duration::from_secs(2);
/// When no download ends for so long, the source is asked for others.
const STALLED: Duration = Duration::from_secs(1);
/// No step is made while the backlog holds this many.
const MOST_BACKLOG: i64 = 1000;
/// Pictures taken from the backlog at a time.
const LOAD: i64 = 64;
/// What is in flight when a slice ends is given this long.
pub(super) const CLOSING: Duration = Duration::from_secs(5);

/// The same where another user waits.
const GIVING_WAY: Duration = Duration::from_secs(1);

/// Why no step is made now; what the source gave before is tried all the same.
pub(super) enum Pause {
    /// Until it is looked at again.
    Passing(Deferral),
    /// It has no more for this chunk.
    Lasting(String),
}

/// A picture that was tried.
struct FinishedDownload {
    candidate: i64,
    host: String,
    /// Why that goes slowly, if it does.
    note: Option<String>,
    tried: ImageOutcome,
}

/// A chunk being worked on.
pub(super) struct Slice {
    chunk: ClaimedChunk,
    source: LoadedPlugin,
    bench: Arc<ChunkContext>,
    /// Pictures to try, in order, and all ids that are on their way to a verdict.
    ready: HostQueues,
    taken: HashSet<i64>,
    /// Pictures that are left for another credential, and why they need one.
    locked: Vec<i64>,
    locked_for: String,
    /// The backlog had no more for now.
    drained: bool,
    downloads: JoinSet<FinishedDownload>,
    /// When each of them was started.
    started: HashMap<i64, Instant>,
    /// When one of them ended last.
    moved: Instant,
    /// What is in hand is a suspect.
    alone: bool,
    step: JoinSet<Result<StepOutcome, crate::db::Error>>,
    answers: Option<Arc<Vec<Answer>>>,
    again: u32,
    batch: Vec<JudgedImage>,
    /// When verdicts were written last.
    flushed: Option<Instant>,
    /// The source is paused, until then at least.
    paused: Option<Deferral>,
    /// Why the source waits.
    waits_for: Option<String>,
    /// Why the source has no more; what it gave until then is tried first.
    failed: Option<String>,
    /// What the user is to know beside what the source says; and all of that so far.
    notes: Vec<String>,
    noted: HashSet<String>,
    /// Counts were written that the public row does not show yet.
    behind: bool,
    /// A verdict or a step was written.
    achieved: bool,
    /// How the slice ends as soon as nothing is in flight.
    ending: Option<SliceEnd>,
}

impl Slice {
    pub(super) fn new(
        mut chunk: ClaimedChunk,
        source: LoadedPlugin,
        pause: Option<Pause>,
        bench: ChunkContext,
    ) -> Self {
        // Only the build of the plugin that made a state can read it.
        if chunk.plugin_digest.as_ref().is_some_and(|digest| *digest != source.digest.to_string()) {
            chunk.requests = None;
            chunk.plugin_state.clear();
            chunk.again = false;
            chunk.source_done = false;
            bench.jar.clear();
            // They came with cookies that are gone.
            bench.kept.remove_chunk(chunk.id);
        }
        let (paused, failed) = match pause.filter(|_| !chunk.source_done) {
            None => (None, None),
            Some(Pause::Passing(wait)) => (Some(wait), None),
            Some(Pause::Lasting(reason)) => (None, Some(reason)),
        };
        let ready = HostQueues::new(bench.app.config.fetch.per_host);
        Self {
            chunk,
            source,
            bench: Arc::new(bench),
            ready,
            taken: HashSet::new(),
            locked: Vec::new(),
            locked_for: String::new(),
            drained: false,
            downloads: JoinSet::new(),
            started: HashMap::new(),
            moved: Instant::now(),
            alone: false,
            step: JoinSet::new(),
            answers: None,
            again: 0,
            batch: Vec::new(),
            flushed: None,
            paused,
            waits_for: None,
            failed,
            notes: Vec::new(),
            noted: HashSet::new(),
            behind: false,
            achieved: false,
            ending: None,
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
        let over = tokio::time::sleep(time);
        tokio::pin!(over);
        let closed = tokio::time::sleep(Duration::MAX);
        tokio::pin!(closed);
        let mut tick = tokio::time::interval(BATCH_AGE / 2);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut closing, mut stopping, mut idle) = (false, false, false);
        loop {
            match &self.ending {
                None => self.fill().await?,
                Some(ending) if !closing => {
                    closing = true;
                    // A step under way when the time is up is finished: one that takes longer
                    // than a slice would never be, if each slice began it anew.
                    if !matches!(ending, SliceEnd::Again | SliceEnd::GaveWay) {
                        self.step.abort_all();
                    }
                    let time = if matches!(ending, SliceEnd::GaveWay) { GIVING_WAY } else { CLOSING };
                    closed.as_mut().reset(Instant::now() + time);
                }
                Some(_) => {}
            }
            if self.chunk.kept >= self.chunk.share {
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
            tokio::select! {
                Some(tried) = self.downloads.join_next() => self.tried(tried).await?,
                Some(made) = self.step.join_next() => self.stepped(made).await?,
                _ = tick.tick() => self.on_tick().await?,
                () = &mut over, if self.ending.is_none() => self.ending = Some(SliceEnd::Again),
                () = give_way.cancelled(), if self.ending.is_none() => self.ending = Some(SliceEnd::GaveWay),
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    self.step.abort_all();
                    self.ending.get_or_insert(SliceEnd::Again);
                }
                () = &mut closed, if closing && !self.is_closed() => self.close().await,
            }
        }
    }

    /// Whether nothing is in flight that the end of the slice cuts off.
    fn is_closed(&self) -> bool {
        let gives_way = matches!(self.ending, Some(SliceEnd::GaveWay));
        self.downloads.is_empty() && (self.step.is_empty() || !gives_way)
    }

    async fn close(&mut self) {
        self.downloads.shutdown().await;
        if matches!(self.ending, Some(SliceEnd::GaveWay)) {
            self.step.shutdown().await;
        }
    }

    /// Pictures that the chunk may still keep, beyond those that are on their way. One that is slow
    /// to come reserves nothing; should it come after all, it stays in the backlog.
    fn remaining_capacity(&self) -> usize {
        let good = self.batch.iter().filter(|judged| judged.outcome.is_ok()).count();
        let missing = usize::try_from(self.chunk.share - self.chunk.kept).unwrap_or(0);
        let quick = self.started.values().filter(|started| started.elapsed() < SLOW).count();
        missing.saturating_sub(good + quick)
    }

    /// Starts downloads, takes more from the backlog and makes the next step, as far as there is room.
    async fn fill(&mut self) -> Result<(), Interrupted> {
        let most = self.bench.app.config.crawl.downloads;
        loop {
            self.start_downloads(most);
            if self.remaining_capacity() == 0
                || self.downloads.len() >= most
                || self.drained
                || !self.load(most).await?
            {
                break;
            }
        }
        let may_step = self.step.is_empty()
            && !self.chunk.source_done
            && self.failed.is_none()
            && !self.is_source_deferred();
        let few = self.ready.len() < most || self.moved.elapsed() > STALLED;
        if may_step && self.drained && self.remaining_capacity() > self.ready.len() && few {
            let (left, _) = self.left().await?;
            if !self.bench.app.is_current(&self.source) {
                self.ending = Some(SliceEnd::Again);
            } else if left < MOST_BACKLOG {
                self.start_step();
            }
        }
        Ok(())
    }

    /// Starts what is ready and whose hosts have room, up to `most` downloads at a time.
    fn start_downloads(&mut self, most: usize) {
        while self.remaining_capacity() > 0 && self.downloads.len() < most {
            // Nobody else is to be held guilty of what a suspect does.
            if self.alone && !self.downloads.is_empty() {
                return;
            }
            let fetcher = &self.bench.fetcher;
            let Some(waiting) = self.ready.next(|waiting| fetcher.has_capacity(waiting.address())) else {
                return;
            };
            let bench = Arc::clone(&self.bench);
            self.started.insert(waiting.id, Instant::now());
            self.downloads.spawn(async move {
                let (candidate, host) = (waiting.id, waiting.host.clone());
                let url = waiting.candidate.url.clone();
                let tried = bench.process(waiting).await;
                FinishedDownload { candidate, host, note: bench.fetcher.crawl_delay_note(&url), tried }
            });
        }
    }

    /// Takes pictures from the backlog, of hosts of which there are few; a suspect only when nothing
    /// else is in hand. Whether there were any.
    async fn load(&mut self, most: usize) -> Result<bool, Interrupted> {
        let nothing_in_hand = self.ready.is_empty() && self.downloads.is_empty();
        if self.alone && !nothing_in_hand {
            return Ok(false);
        }
        let taken: Vec<i64> = self.taken.iter().copied().collect();
        let full = self.ready.with_enough(most);
        let mut loaded = chunks::backlog(&self.bench.app.db, self.chunk.id, &taken, &full, LOAD).await?;
        self.drained = loaded.len() < LOAD as usize;
        // They come last.
        let others = loaded.partition_point(|waiting| !waiting.is_suspect());
        if others < loaded.len() {
            self.drained = false;
            loaded.truncate(if others == 0 && nothing_in_hand { 1 } else { others });
        }
        if loaded.is_empty() {
            return Ok(false);
        }
        self.alone = loaded[0].is_suspect();
        if self.alone {
            self.flush().await?;
        }
        self.taken.extend(loaded.iter().map(|waiting| waiting.id));
        self.ready.extend(loaded);
        let trying: Vec<i64> = self.taken.iter().copied().filter(|id| !self.locked.contains(id)).collect();
        if !chunks::note_trying(&self.bench.app.db, &self.chunk, &trying).await? {
            return Err(Interrupted::LeaseLost);
        }
        Ok(true)
    }

    async fn left(&self) -> Result<(i64, Option<DateTime<Utc>>), crate::db::Error> {
        chunks::left(&self.bench.app.db, self.chunk.id, &self.locked).await
    }

    fn is_source_deferred(&self) -> bool {
        self.paused.is_some() || self.chunk.step_not_before.is_some_and(|at| at > Utc::now())
    }

    fn start_step(&mut self) {
        if let Some(budget) = budget::exceeded(&self.chunk, &self.bench.app.config.crawl) {
            self.failed = Some(budget);
            return;
        }
        let task = StepTask {
            app: self.bench.app.clone(),
            fetcher: self.bench.fetcher.clone(),
            source: self.source.clone(),
            grants: self.bench.grants.clone(),
            tally: Arc::clone(&self.bench.tally),
            kept: Arc::clone(&self.bench.kept),
            chunk: self.chunk.clone(),
            answers: self.answers.take().filter(|_| self.chunk.again),
            again: self.again,
        };
        self.step.spawn(task.make());
    }

    async fn tried(
        &mut self,
        tried: Result<FinishedDownload, tokio::task::JoinError>,
    ) -> Result<(), Interrupted> {
        self.moved = Instant::now();
        if let Ok(ended) = &tried {
            self.ready.ended(&ended.host);
            self.started.remove(&ended.candidate);
            self.note(ended.note.clone());
        }
        match tried.map(|ended| ended.tried) {
            Ok(ImageOutcome::Judged(judged)) => {
                self.batch.push(*judged);
                if self.batch.len() >= BATCH || self.is_due() {
                    self.flush().await?;
                }
            }
            Ok(ImageOutcome::Next(mut waiting)) => {
                let host = chunks::next_copy(&self.bench.app.db, &self.chunk, &waiting).await?;
                waiting.host = host.ok_or(Interrupted::LeaseLost)?;
                self.ready.extend(vec![*waiting]);
            }
            Ok(ImageOutcome::Held { candidate, until }) => {
                if !chunks::defer_entry(&self.bench.app.db, &self.chunk, candidate, until).await? {
                    return Err(Interrupted::LeaseLost);
                }
                self.taken.remove(&candidate);
            }
            Ok(ImageOutcome::Unauthorized { candidate, reason }) => {
                self.locked.push(candidate);
                self.locked_for = reason;
            }
            Ok(ImageOutcome::HostFailed { candidate, wait }) => {
                self.taken.remove(&candidate);
                self.ending.get_or_insert(SliceEnd::Wait(wait));
            }
            Err(panic) if panic.is_panic() => {
                let reason = "a fault of the host, which its log tells, while it tried a picture";
                self.ending = Some(SliceEnd::End(ChunkEnd::Failed(reason.to_owned())));
            }
            // Dropped on purpose.
            Err(_) => {}
        }
        Ok(())
    }

    /// Says something once.
    fn note(&mut self, note: Option<String>) {
        self.notes.extend(note.filter(|note| self.noted.insert(note.clone())));
    }

    async fn on_tick(&mut self) -> Result<(), Interrupted> {
        // Pictures that were held back may have their time by now.
        self.drained = false;
        if !self.batch.is_empty() && self.is_due() {
            self.flush().await?;
        } else if self.behind {
            self.behind = !progress::catch_up(&self.bench.app.db, self.chunk.job_id).await?;
        }
        Ok(())
    }

    /// Nothing was written for a while: what comes now need not wait for others.
    fn is_due(&self) -> bool {
        self.flushed.is_none_or(|at| at.elapsed() >= BATCH_AGE)
    }

    /// Writes the verdicts and notes there are.
    async fn flush(&mut self) -> Result<(), Interrupted> {
        for note in self.notes.drain(..) {
            steps::note(&self.bench.app.db, &self.chunk, &note).await?;
        }
        if self.batch.is_empty() {
            return Ok(());
        }
        let recorded = image_batch::record(&self.bench.app.db, &self.chunk, &self.batch).await?;
        let recorded = recorded.ok_or(Interrupted::LeaseLost)?;
        let kept = recorded.kept.abs_diff(self.chunk.kept).into();
        let refused = self.batch.iter().filter_map(|judged| Some(judged.outcome.as_ref().err()?.reason));
        self.bench.tally.judged(kept, recorded.duplicates as u64, refused);
        for judged in self.batch.drain(..) {
            self.taken.remove(&judged.id);
        }
        self.achieved |= recorded.written;
        self.chunk.kept = recorded.kept;
        self.behind = !recorded.refreshed;
        self.flushed = Some(Instant::now());
        self.bench.failpoint.hit("after-batch", &self.chunk.source);
        Ok(())
    }

    /// Nothing is in flight: how the slice ends, or nothing when there is more to do.
    async fn end(&mut self) -> Result<Option<SliceEnd>, Interrupted> {
        if let Some(ending) = self.ending.take() {
            if matches!(ending, SliceEnd::GaveWay) && !self.achieved {
                chunks::note_gave_way(&self.bench.app.db, &self.chunk).await?;
            }
            return Ok(Some(ending));
        }
        if self.chunk.kept >= self.chunk.share {
            return Ok(Some(SliceEnd::End(ChunkEnd::Share)));
        }
        if !self.ready.is_empty() {
            return Ok(None);
        }
        let (left, held_until) = self.left().await?;
        if left == 0
            && let Some(reason) = self.failed.take()
        {
            return Ok(Some(SliceEnd::End(ChunkEnd::Failed(reason))));
        }
        if left == 0 && self.chunk.source_done {
            let end = match self.locked.is_empty() {
                true => ChunkEnd::Exhausted,
                false => ChunkEnd::Failed(std::mem::take(&mut self.locked_for)),
            };
            return Ok(Some(SliceEnd::End(end)));
        }
        let may_step = !self.chunk.source_done && self.failed.is_none() && left < MOST_BACKLOG;
        let step_at = self.paused.as_ref().map(|wait| wait.until).or(self.chunk.step_not_before);
        let step_at = step_at.filter(|_| may_step);
        if self.paused.is_some() && step_at.is_some_and(|at| at <= Utc::now()) {
            return Ok(Some(SliceEnd::Again));
        }
        // One has its time since it was last looked at.
        let may_try = left > 0 && held_until.is_none();
        let Some(until) =
            step_at.into_iter().chain(held_until).min().filter(|until| !may_try && *until > Utc::now())
        else {
            self.drained = false;
            return Ok(None);
        };
        let reason = if step_at == Some(until) {
            let reason = self.paused.as_ref().map(|wait| &wait.reason).or(self.waits_for.as_ref());
            reason.cloned().unwrap_or_else(|| format!("{} waits", self.chunk.source))
        } else {
            "the hosts of the pictures that are left ask to come back later".to_owned()
        };
        if self.paused.is_none() || step_at != Some(until) {
            let since = self.chunk.idle_since.filter(|_| !self.achieved).unwrap_or_else(Utc::now);
            let longest = self.bench.app.config.crawl.longest_wait();
            if (until - since).to_std().is_ok_and(|wait| wait > longest) {
                let at = until.format("%Y-%m-%d %H:%M UTC");
                let pictures = match left {
                    0 => String::new(),
                    1 => "1 picture is left; ".to_owned(),
                    left => format!("{left} pictures are left; "),
                };
                let reason = format!("{pictures}nothing can be done before {at}: {reason}");
                return Ok(Some(SliceEnd::End(ChunkEnd::Failed(reason))));
            }
            chunks::note_idle(&self.bench.app.db, &self.chunk).await?;
        }
        Ok(Some(SliceEnd::Wait(Deferral { until, reason, error: false })))
    }
}
