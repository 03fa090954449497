//! A worker: what this process does with messages from the queue. Each means work on a chunk
//! ([`ChunkHandler::perform`]), or that the worker died that had it ([`ChunkHandler::recover`]).

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    app::{App, Signal},
    crawl::{
        Interrupted, SliceEnd, balance,
        decode::{Decoders, Owner},
        failpoint::Failpoint,
        process_image::{ChunkContext, store_failed_deferral},
        slice::Slice,
        source_state::{DRAINING, SourceState},
        stats::SliceStats,
        step::{MOST_ERRORS, preparing},
    },
    db::{
        self,
        chunks::{self, ClaimedChunk, Deferral},
        fairness,
        job_lifecycle::{self, ChunkEnd, EndedJob},
        sources::SourceProblem,
        steps::{self, Usage},
    },
    error::chain,
    fetch::CookieJar,
    model::{JobId, JobState, SourceStats},
    plugins::LoadedPlugin,
    queue::{Abandoned, ChunkHandler, ChunkMessage, Participation},
    runner::ResponseCache,
    services::{jobs::messages, sources::Condition},
};

/// What is running at a stop is given this long; it uses half of that by itself.
const GRACE: Duration = Duration::from_secs(9);
/// A chunk whose source is not installed here is left to other workers this long.
const ELSEWHERE: Duration = Duration::from_secs(10);
/// How often rows that have had their day are deleted.
const TIDY: Duration = Duration::from_hours(1);
/// A chunk whose source is paused looks this often whether it still is: its operator may
/// have enabled it.
const PAUSED: Duration = Duration::from_secs(30);
/// A chunk waits this long in all for a paused source to make a step for it.
const LONGEST_PAUSED: Duration = Duration::from_hours(24);
/// How often a worker looks whether its leases are lost, and whether others wait.
const LOOK: Duration = Duration::from_millis(500);
/// A slice that goes on for so long after it was asked to give way is held by a worker that is
/// stopped or gone, or works for one job only: others are asked.
const DEAF: Duration = Duration::from_secs(3);
/// The last writes of a slice are given this long.
const MARGIN: Duration = Duration::from_secs(1);

/// One process's part in the work.
pub struct Worker {
    app: App,
    decoders: Arc<Decoders>,
    failpoint: Arc<Failpoint>,
    responses: ResponseCache,
    store_failed: Arc<AtomicBool>,
    leases: Mutex<HashMap<Uuid, HeldLease>>,
    /// Slices that are to give way, here or elsewhere, since when.
    yielding: Mutex<HashMap<Uuid, Instant>>,
    /// Its slots are of use to one job only.
    for_one_job: bool,
    stop: CancellationToken,
}

struct HeldLease {
    job: JobId,
    lost: CancellationToken,
    give_way: CancellationToken,
}

impl Worker {
    /// Works until `stop`, then gives back what it holds.
    pub async fn run(app: App, stop: CancellationToken) {
        Self::take_part(app, None, stop).await;
    }

    /// The same for one job, whatever else is in the queue.
    pub async fn run_job(app: App, job: JobId, stop: CancellationToken) {
        Self::take_part(app, Some(job), stop).await;
    }

    async fn take_part(app: App, only: Option<JobId>, stop: CancellationToken) {
        let crawl = &app.config.crawl;
        // Who runs one job wants it done, even where the settings make `serve` an API only.
        let slots = if only.is_some() { crawl.slots.max(1) } else { crawl.slots };
        let how = Participation { slots, heartbeat: crawl.heartbeat, grace: GRACE, only };
        let worker = Arc::new(Self {
            decoders: Arc::new(Decoders::new(app.clone())),
            failpoint: Arc::new(Failpoint::new(crawl)),
            responses: ResponseCache::default(),
            store_failed: Arc::default(),
            leases: Mutex::default(),
            yielding: Mutex::default(),
            for_one_job: only.is_some(),
            stop: stop.clone(),
            app,
        });
        let watch = tokio::spawn(Arc::clone(&worker).watch());
        let app = worker.app.clone();
        let overdue = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE + MARGIN).await;
        };
        tokio::select! {
            () = app.queue.work(how, worker, &app.metrics, stop.clone()) => {}
            // Without the database nothing can be given back; the others find out by themselves.
            () = overdue => tracing::warn!(event = "stop-overdue", "stopped before everything was given back"),
        }
        watch.abort();
    }

    /// Drops the work on chunks whose leases are gone: told by a signal, and found by a slow
    /// look when the signal was lost. Tidies the database and has slices give way beside that.
    async fn watch(self: Arc<Self>) {
        let mut signals = self.app.signals.subscribe();
        let mut tidy = tokio::time::interval(TIDY);
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                signal = signals.recv() => {
                    if let Ok(Signal::Cancelled(job)) = signal {
                        tracing::debug!(event = "cancel-heard", %job, "a job was cancelled");
                        self.drop_local_work(|_, held| held.job == job);
                    }
                }
                _ = tidy.tick() => {
                    if let Err(error) = db::tidy(&self.app.db).await {
                        tracing::debug!(%error, "old rows were not deleted");
                    }
                    if let Err(error) = self.app.settle_left().await {
                        tracing::debug!(%error, "jobs of an older version are not counted yet");
                    }
                }
                _ = look.tick() => {
                    let leases: Vec<Uuid> = self.leases().keys().copied().collect();
                    if leases.is_empty() {
                        continue;
                    }
                    // When the database is away the slices find out by themselves.
                    if let Ok(lost) = chunks::lost(&self.app.db, &leases).await {
                        self.drop_local_work(|lease, _| lost.contains(lease));
                    }
                    if let Err(error) = self.rebalance().await {
                        tracing::debug!(%error, "it was not seen who waits");
                    }
                }
            }
        }
    }

    /// Has slices give way where other users wait and have less, and keeps the count of turns
    /// within what the queue can hold.
    async fn rebalance(&self) -> Result<(), Interrupted> {
        let mut tx = self.app.db.begin().await?;
        if let Some(by) = fairness::renumber(&mut tx).await? {
            self.app.queue.lower_priorities(&mut tx, by).await?;
            tx.commit().await?;
            tracing::debug!(event = "turns-renumbered", by, "turns are counted anew");
        } else {
            // Not held while another is asked for: there are few.
            tx.rollback().await?;
        }
        let mut waiting = fairness::waiting(&self.app.db).await?;
        if self.for_one_job || waiting.is_empty() {
            return Ok(());
        }
        tracing::debug!(event = "users-waiting", users = waiting.len(), "others wait");
        let running = fairness::running(&self.app.db).await?;
        if let Some(most) = self.app.config.crawl.user_slots {
            let has = |user| running.iter().filter(|slice| slice.user_id == user).count() as i64;
            for user in &mut waiting {
                user.chunks = user.chunks.min(most - has(user.user_id));
            }
            waiting.retain(|user| user.chunks > 0);
        }
        let mut yielding = self.yielding.lock().unwrap_or_else(PoisonError::into_inner);
        yielding.retain(|lease, _| running.iter().any(|slice| slice.lease == *lease));
        let deaf =
            yielding.iter().filter(|(_, since)| since.elapsed() > DEAF).map(|(lease, _)| *lease).collect();
        let leases = self.leases();
        for lease in balance::give_way(&running, &waiting, &deaf) {
            yielding.entry(lease).or_insert_with(Instant::now);
            if let Some(held) = leases.get(&lease) {
                tracing::debug!(event = "slice-asked-to-yield", job = %held.job, "asked to give way");
                held.give_way.cancel();
            }
        }
        Ok(())
    }

    fn drop_local_work(&self, which: impl Fn(&Uuid, &HeldLease) -> bool) {
        // Those whose work was dropped, because the queue failed, are removed here only.
        self.leases().retain(|lease, held| {
            let lost = which(lease, held);
            if lost {
                held.lost.cancel();
            }
            !lost
        });
    }

    fn leases(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, HeldLease>> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn work_on(&self, message: ChunkMessage) -> Result<(), Interrupted> {
        let lease = Uuid::new_v4();
        let Some(chunk) = chunks::claim(&self.app.db, message.chunk, message.run, lease).await? else {
            tracing::debug!(chunk = %message.chunk, run = message.run, "a message in the queue means nothing any more");
            return Ok(());
        };
        tracing::debug!(event = "chunk-claimed", job = %chunk.job_id, chunk = %chunk.id, source = chunk.source, "claimed");
        self.failpoint.hit("after-claim", &chunk.source);
        self.app.metrics.queue_wait(chunk.waited);
        let begun = Instant::now();
        let (lost, give_way) = (CancellationToken::new(), CancellationToken::new());
        let held = HeldLease { job: chunk.job_id, lost: lost.clone(), give_way: give_way.clone() };
        self.leases().insert(lease, held);
        let mut stats = None;
        let done = tokio::select! {
            done = self.slice(&chunk, &give_way, &mut stats) => done,
            () = lost.cancelled() => Err(Interrupted::LeaseLost),
        };
        self.leases().remove(&lease);
        if matches!(done, Ok(SliceEnd::End(_)) | Err(Interrupted::LeaseLost)) {
            self.responses.of(chunk.id).clear();
        }
        let end = match done {
            // The same data would be refused the next time.
            Err(Interrupted::Database(error)) if db::refuses_data(&error) => {
                tracing::error!(chunk = %chunk.id, source = chunk.source, %error, "what the source gave cannot be written");
                SliceEnd::End(ChunkEnd::Failed(
                    "what the source gave cannot be written to the database".to_owned(),
                ))
            }
            Err(Interrupted::Database(error)) => {
                self.release(&chunk).await;
                return Err(error.into());
            }
            Err(Interrupted::LeaseLost) => {
                // What was done was done, though for nothing.
                if let Ok(mut connection) = self.app.db.acquire().await {
                    if let Some(stats) = stats {
                        let _ = stats.write(&mut connection).await;
                    }
                    let _ = charge(&mut connection, &chunk, begun).await;
                }
                return Err(Interrupted::LeaseLost);
            }
            done => done?,
        };
        self.finish_slice(&chunk, begun, end, stats.as_deref()).await
    }

    /// Releases a chunk because the database failed, as soon as that is possible again:
    /// found as running, it would count as held by a worker that died.
    async fn release(&self, chunk: &ClaimedChunk) {
        let mut pause = Duration::from_millis(200);
        while chunks::release(&self.app.db, chunk).await.is_err() {
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(5)),
                () = self.stop.cancelled() => return,
            }
        }
    }

    /// Works on the chunk for a while; what its source does is counted in `stats`.
    async fn slice(
        &self,
        chunk: &ClaimedChunk,
        give_way: &CancellationToken,
        stats: &mut Option<Arc<SliceStats>>,
    ) -> Result<SliceEnd, Interrupted> {
        if let Some(end) = self.not_now(chunk).await? {
            return Ok(end);
        }
        let mut chunk = chunk.clone();
        let plugin = match self.app.source(&chunk.source) {
            Ok(plugin) => plugin,
            Err(reason) => return self.without_plugin(&mut chunk, reason).await,
        };
        chunk.restart_unless_made_by(plugin.digest);
        let Some(source) = self.source_state(&chunk, &plugin).await? else {
            return Ok(SliceEnd::Again);
        };
        let credentials = self.app.credentials.now();
        let counted = SliceStats::new(self.app.clone(), plugin.clone(), Arc::clone(&credentials));
        let stats = stats.insert(Arc::new(counted));
        let jar = CookieJar::restore(&chunk.cookies);
        if chunk.requests.is_none() {
            // A walk that begins anew begins without what sites gave for the one before.
            jar.clear();
            self.responses.of(chunk.id).clear();
        }
        let context = ChunkContext {
            app: self.app.clone(),
            fetcher: self.app.fetcher.with_cookies(jar.clone()).with_consent(chunk.rules.consent),
            jar,
            decoders: Arc::clone(&self.decoders),
            failpoint: Arc::clone(&self.failpoint),
            responses: self.responses.of(chunk.id),
            store_failed: Arc::clone(&self.store_failed),
            owner: Owner { user: chunk.user_id, chunk: chunk.id },
            dataset: chunk.dataset_id,
            rules: chunk.rules.clone(),
            unlike: db::jobs::unlike(&self.app.db, chunk.job_id).await?,
            keeps_out: db::removals::any(&self.app.db, chunk.user_id, chunk.dataset_id).await?,
            grants: credentials.grants(&plugin),
            credentials,
            stats: Arc::clone(stats),
        };
        if matches!(source, SourceState::Paused { .. }) {
            tracing::debug!(event = "chunk-taken", job = %chunk.job_id, chunk = %chunk.id, source = chunk.source, "chunk taken, whose source is paused");
        } else {
            tracing::info!(
                event = "chunk-taken",
                job = %chunk.job_id,
                chunk = %chunk.id,
                source = chunk.source,
                kept = chunk.progress.kept,
                share = chunk.share,
                waited_seconds = chunk.waited.map(milliseconds),
                "chunk taken"
            );
        }
        let mut slice = Slice::new(chunk, plugin, source, context);
        slice.run(self.app.config.crawl.slice, give_way, &self.stop).await
    }

    /// How a slice ends before it begins, whatever the source: its chunk kills workers, its user has
    /// enough slots, or nothing can be stored.
    async fn not_now(&self, chunk: &ClaimedChunk) -> Result<Option<SliceEnd>, Interrupted> {
        let crashes = chunk.progress.crash_count;
        if crashes > chunks::MOST_SURVIVED {
            let reason = format!("the worker died {crashes} times in a row while it held this part");
            return Ok(Some(SliceEnd::End(ChunkEnd::Failed(reason))));
        }
        // A suspect is not made to wait, because who waits is a suspect no more.
        if let Some(most) = self.app.config.crawl.user_slots.filter(|_| crashes == 0)
            && let Some(seconds) = chunks::admit(&self.app.db, chunk, most).await?
        {
            let reason = format!("{most} parts of your jobs are worked on, which is as many as are allowed");
            let until = Utc::now() + Duration::from_secs(seconds.unsigned_abs());
            return Ok(Some(SliceEnd::Wait(Deferral { until, reason, error: false })));
        }
        if self.store_failed.load(Ordering::Relaxed) {
            if self.app.store.check().await.is_err() {
                return Ok(Some(SliceEnd::Wait(store_failed_deferral())));
            }
            self.store_failed.store(false, Ordering::Relaxed);
        }
        Ok(None)
    }

    /// How a slice ends whose source cannot be asked here, for this reason.
    async fn without_plugin(
        &self,
        chunk: &mut ClaimedChunk,
        reason: String,
    ) -> Result<SliceEnd, Interrupted> {
        if self.app.plugins.is_preparing(&chunk.source) {
            return Ok(SliceEnd::Wait(preparing(&chunk.source)));
        }
        let is_installed = self.app.plugins.get(&chunk.source).is_some();
        if is_installed || chunk.progress.errors_in_row + 1 >= MOST_ERRORS {
            return Ok(SliceEnd::End(ChunkEnd::Failed(reason)));
        }
        // Another worker may have it: this one lets the others try first, a few times.
        let wait = Deferral { until: Utc::now() + ELSEWHERE, reason, error: true };
        steps::defer(&self.app.db, chunk, &wait, Usage::default(), None).await?;
        Ok(SliceEnd::Wait(wait))
    }

    /// How the source stands at the begin of a slice; none when an earlier build is to take the place
    /// of this one.
    async fn source_state(
        &self,
        chunk: &ClaimedChunk,
        plugin: &LoadedPlugin,
    ) -> Result<Option<SourceState>, Interrupted> {
        let source = SourceState::of(chunk, Utc::now());
        let health = self.app.health(plugin).await?;
        if health.condition != Condition::Paused {
            chunks::note_pause(&self.app.db, chunk, false).await?;
            return Ok(Some(source));
        }
        // Another worker may have found that it goes back to an earlier build.
        self.app.set_aside_failed_builds().await?;
        if !self.app.is_current(plugin) {
            return Ok(None);
        }
        // Nothing is asked of it any more.
        if source == SourceState::Exhausted {
            return Ok(Some(source));
        }
        let reason = health.reason.unwrap_or_default();
        if health.problem == Some(SourceProblem::Unauthorized) {
            return Ok(Some(SourceState::Failed(reason)));
        }
        if chunk.paused_since.is_some_and(|since| since + LONGEST_PAUSED <= Utc::now()) {
            return Ok(Some(SourceState::Failed(format!("{reason}; waited for 24 hours"))));
        }
        chunks::note_pause(&self.app.db, chunk, true).await?;
        let look = Utc::now() + PAUSED;
        let until = health.resumes_at.map_or(look, |resumes_at| resumes_at.min(look));
        Ok(Some(SourceState::Paused { until, reason }))
    }

    /// Gives the chunk back, for now, for later or for good, and queues what follows from that.
    async fn finish_slice(
        &self,
        chunk: &ClaimedChunk,
        begun: Instant,
        end: SliceEnd,
        stats: Option<&SliceStats>,
    ) -> Result<(), Interrupted> {
        let mut tx = self.app.db.begin().await?;
        charge(&mut tx, chunk, begun).await?;
        let wait = match &end {
            SliceEnd::Wait(wait) | SliceEnd::Idle(wait) => Some(wait),
            SliceEnd::Again | SliceEnd::GaveWay | SliceEnd::End(_) => None,
        };
        let mut job_end = None;
        let next = if let SliceEnd::End(end) = &end {
            job_lifecycle::end_chunk(&mut tx, chunk, end).await?.map(|ended| {
                job_end = ended.job;
                ended.queued
            })
        } else {
            let idle = matches!(end, SliceEnd::Idle(_));
            chunks::requeue(&mut tx, chunk, wait, idle).await?.map(|run| vec![(chunk.id, run)])
        };
        let next = next.ok_or(Interrupted::LeaseLost)?;
        let at = wait.map(|wait| wait.until);
        let turns = fairness::turns(&mut tx, chunk.job_id, &next, at).await?;
        self.app.queue.enqueue(&mut tx, chunk.job_id, &messages(&turns), at).await?;
        let did = stats.map(SliceStats::so_far).unwrap_or_default();
        if let Some(stats) = stats {
            stats.write(&mut tx).await?;
        }
        tx.commit().await?;
        self.app.metrics.slice_ended(end.name());
        log_end(chunk, &end, &did, begun.elapsed());
        if let Some(ended) = job_end {
            log_job_end(chunk.job_id, &ended);
        }
        Ok(())
    }
}

/// As exact as who reads a log has use for.
fn milliseconds(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// Logs how a job ended, as a warning where an operator may have to do something about it.
fn log_job_end(job: JobId, ended: &EndedJob) {
    let EndedJob { state, kept, wanted, failed, reason } = ended;
    macro_rules! log {
        ($level:ident) => {
            tracing::$level!(
                event = "job-done",
                job = %job,
                state = state.name(),
                kept,
                wanted,
                failed_parts = failed,
                reason,
                "job done"
            )
        };
    }
    let is_ill = *failed > 0 || (*kept == 0 && *state != JobState::Cancelled);
    if is_ill { log!(warn) } else { log!(info) }
}

/// Logs how a slice ended and what it did. One that did nothing but wait is nothing to follow.
fn log_end(chunk: &ClaimedChunk, end: &SliceEnd, did: &SourceStats, took: Duration) {
    let SourceStats { steps, requests, candidates: found, kept, duplicates, .. } = did;
    let refused: u64 = did.refused.values().sum();
    let codes: Vec<String> = did.refused.iter().map(|(code, count)| format!("{code}={count}")).collect();
    let codes = (!codes.is_empty()).then(|| codes.join(", "));
    let (until, reason) = match end {
        SliceEnd::Wait(wait) | SliceEnd::Idle(wait) => (Some(wait.until), Some(&wait.reason)),
        SliceEnd::End(ChunkEnd::Failed(reason)) => (None, Some(reason)),
        SliceEnd::Again | SliceEnd::GaveWay | SliceEnd::End(_) => (None, None),
    };
    let until = until.map(tracing::field::display);
    macro_rules! log {
        ($level:ident, $event:literal, $message:literal) => {
            tracing::$level!(
                event = $event,
                job = %chunk.job_id,
                chunk = %chunk.id,
                source = chunk.source,
                end = end.name(),
                steps,
                requests,
                found,
                kept,
                duplicates,
                refused,
                codes,
                seconds = milliseconds(took.as_secs_f64()),
                until,
                reason,
                $message
            )
        };
    }
    match end {
        SliceEnd::End(ChunkEnd::Failed(_)) => log!(warn, "chunk-failed", "chunk failed"),
        SliceEnd::End(_) => log!(info, "chunk-done", "chunk done"),
        _ if *did == SourceStats::default() => log!(debug, "chunk-put-back", "chunk put back untouched"),
        _ => log!(info, "chunk-put-back", "chunk put back"),
    }
}

/// Charges the chunk's user for the slice that was begun then.
async fn charge(
    connection: &mut db::PgConnection,
    chunk: &ClaimedChunk,
    begun: Instant,
) -> Result<(), db::Error> {
    fairness::charge(connection, chunk.user_id, chunk.begun, begun.elapsed().as_secs_f64()).await
}

impl ChunkHandler for Worker {
    /// Claims the chunk that is meant, works on it for a slice and gives it back.
    fn perform(
        &self,
        message: ChunkMessage,
    ) -> Pin<Box<dyn Future<Output = Result<(), Abandoned>> + Send + '_>> {
        Box::pin(async move {
            let Err(interrupted) = self.work_on(message).await else { return Ok(()) };
            let reason = chain(&interrupted);
            if !matches!(interrupted, Interrupted::LeaseLost) {
                tracing::warn!(event = "chunk-interrupted", chunk = %message.chunk, reason, "work on a chunk was interrupted; it goes on later");
                return Err(Abandoned(reason));
            }
            tracing::info!(event = "chunk-dropped", chunk = %message.chunk, reason, "work on a chunk was dropped");
            // A message that no longer means work is done with; one that another worker
            // holds by now must not be ended from here.
            match chunks::is_current(&self.app.db, message.chunk, message.run).await {
                Ok(false) => Ok(()),
                Ok(true) | Err(_) => Err(Abandoned(reason)),
            }
        })
    }

    /// Counts the crash of the worker that had the chunk. It goes on from its last write when the
    /// message is delivered again, which is at the time that this gives.
    fn recover(&self, message: ChunkMessage) -> Pin<Box<dyn Future<Output = DateTime<Utc>> + Send + '_>> {
        Box::pin(async move {
            // Suspects run apart from one another, so that only the guilty one dies again.
            let spread = self.app.config.crawl.slice + DRAINING + MARGIN;
            match chunks::crashed(&self.app.db, message.chunk, message.run, spread).await {
                Ok(at) => {
                    tracing::warn!(event = "chunk-recovered", chunk = %message.chunk, begins = %at, "the worker that had a chunk is gone; another goes on with it");
                    at
                }
                Err(error) => {
                    tracing::warn!(chunk = %message.chunk, error = %chain(&error), "the worker that had a chunk is gone, which could not be recorded");
                    Utc::now()
                }
            }
        })
    }
}
