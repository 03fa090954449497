//! Work waiting to be done. The only place that knows the queue engine, which lives
//! in the same Postgres: claiming, wake-up, retries and recovery from dead workers
//! are its business; what a message means is the business of a [`ChunkHandler`].

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use graphile_worker::{
    FailureReason, IntoTaskHandlerResult, JobRecovery, JobRecoveryContext, JobRecoveryResult, JobSpec,
    RawJobSpec, TaskHandler, WorkerContext, WorkerOptions, WorkerRecoveryConfig, WorkerShutdownConfig,
    WorkerUtils,
};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    metrics::Metrics,
    model::{ChunkId, JobId},
};

/// The engine's schema; granted to nobody.
pub const SCHEMA: &str = "graphile_worker";
/// The engine listens here. It hands out one message a signal and slot, and sends
/// one signal a transaction however many messages that adds, so whoever adds more sends
/// more, and whoever ends a message signals for the next.
const WAKE_CHANNEL: &str = "jobs:insert";
/// Signals for messages that are added together, at most: no process has more slots.
const MOST_SIGNALS: i64 = 64;
/// How often every slot looks for a message by itself, in heartbeats: a signal may be lost.
const POLL: u32 = 3;
/// Processes that see a message become due wait up to this long, so that one of them is first.
const JITTER: Duration = Duration::from_millis(200);
/// An error is retried after e^attempt seconds (at most six hours); a message is
/// never given up, because the chunk itself says when it is over.
const MAX_ATTEMPTS: i16 = i16::MAX;

/// The queue, for adding and for working.
#[derive(Clone)]
pub struct Queue {
    pool: PgPool,
    utils: WorkerUtils,
    next_due: Arc<NextDue>,
}

/// When the first of the messages is due that this process added for later, since it last looked.
#[derive(Default)]
struct NextDue {
    first: Mutex<Option<DateTime<Utc>>>,
    added: Notify,
}

/// Work on this chunk, if `run` is still its current run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkMessage {
    /// Which chunk.
    pub chunk: ChunkId,
    /// Raised by each enqueue, so that a message left over from before is known as stale.
    pub run: i32,
}

/// How many messages there are.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct QueueCounts {
    /// To be taken as soon as there is a slot.
    pub ready: i64,
    /// For later.
    pub scheduled: i64,
    /// Held by a worker.
    pub running: i64,
    /// For how long the first of those that are ready has been so, in seconds.
    pub oldest: f64,
}

/// What a worker does with messages.
pub trait ChunkHandler: Send + Sync + 'static {
    /// Works on a message. An error puts it back for later; a worker that lost its
    /// lease must answer with an error, because success would end the message that
    /// another worker holds by now.
    fn perform(
        &self,
        message: ChunkMessage,
    ) -> Pin<Box<dyn Future<Output = Result<(), Abandoned>> + Send + '_>>;

    /// Called once for each message that a dead worker held; answers when it may be begun again.
    fn recover(&self, message: ChunkMessage) -> Pin<Box<dyn Future<Output = DateTime<Utc>> + Send + '_>>;
}

/// Why a message was not worked to its end; it comes back by itself.
#[derive(Debug)]
pub struct Abandoned(pub String);

/// How a process takes part in the work.
#[derive(Clone, Copy, Debug)]
pub struct Participation {
    /// Messages worked on at a time.
    pub slots: usize,
    /// How often this process says that it lives. It counts as dead after three
    /// times this, and its messages are taken over within half as long again.
    pub heartbeat: Duration,
    /// Longest time that running work is given to end at a stop.
    pub grace: Duration,
    /// Take the messages of this job only.
    pub only: Option<JobId>,
}

/// The queue is out of reach or refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {doing}")]
pub struct QueueError {
    doing: &'static str,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl Queue {
    /// The queue in this database; see [`Queue::migrate`].
    #[must_use]
    pub fn new(pool: &PgPool) -> Self {
        Self { pool: pool.clone(), utils: WorkerUtils::new(pool.clone(), SCHEMA), next_due: Arc::default() }
    }

    /// The same queue by sessions of another pool.
    #[must_use]
    pub fn by(&self, pool: &PgPool) -> Self {
        Self { next_due: Arc::clone(&self.next_due), ..Self::new(pool) }
    }

    /// Makes or updates the engine's own tables. May be called by several processes at once.
    ///
    /// # Errors
    /// When the database is out of reach or the role may not create a schema.
    pub async fn migrate(&self) -> Result<(), QueueError> {
        self.utils.migrate().await.map_err(failed("migrate the queue"))?;
        // What the engine's functions call is theirs wherever the caller looks first.
        sqlx::raw_sql(
            "do $$
             declare
                 open regprocedure;
             begin
                 perform pg_advisory_xact_lock(hashtext('pixcrawler.queue'));
                 for open in
                     select oid from pg_proc
                      where pronamespace = 'graphile_worker'::regnamespace and prokind = 'f'
                        and not coalesce(proconfig::text like '%search_path=%', false)
                 loop
                     execute format(
                         'alter function %s set search_path = pg_catalog, graphile_worker, pg_temp', open);
                 end loop;
             end $$",
        )
        .execute(&self.pool)
        .await
        .map_err(failed("close the queue's functions"))?;
        Ok(())
    }

    /// Whether the queue's tables can be read.
    ///
    /// # Errors
    /// When they cannot.
    pub async fn check(&self) -> Result<(), QueueError> {
        let read = sqlx::query("select from graphile_worker.jobs limit 1").execute(&self.pool).await;
        read.map(drop).map_err(failed("read the queue"))
    }

    /// Counts the messages, of all jobs.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn count(&self) -> Result<QueueCounts, QueueError> {
        let counts = sqlx::query_as(
            "select count(*) filter (where is_available and run_at <= now()) as ready,
                    count(*) filter (where is_available and run_at > now()) as scheduled,
                    count(*) filter (where locked_at is not null) as running,
                    coalesce(extract(epoch from
                        now() - min(run_at) filter (where is_available and run_at <= now())), 0)::float8 as oldest
               from graphile_worker._private_jobs",
        );
        counts.fetch_one(&self.pool).await.map_err(failed("read the queue"))
    }

    /// Adds messages of a job in the caller's transaction, each with its priority, of which the
    /// least come first; to be begun at `at` or at once.
    ///
    /// # Errors
    /// When the database refuses; the transaction is then lost.
    pub async fn enqueue(
        &self,
        connection: &mut PgConnection,
        job: JobId,
        messages: &[(ChunkMessage, i16)],
        at: Option<DateTime<Utc>>,
    ) -> Result<(), QueueError> {
        let jobs = messages.iter().map(|(message, priority)| {
            let spec = JobSpec {
                run_at: at,
                max_attempts: Some(MAX_ATTEMPTS),
                priority: Some(*priority),
                job_key: Some(key(*message)),
                flags: Some(vec![flag(job)]),
                ..JobSpec::default()
            };
            let payload = serde_json::to_value(message)?;
            Ok(RawJobSpec { identifier: ChunkMessage::IDENTIFIER.to_owned(), payload, spec })
        });
        let jobs: Vec<_> =
            jobs.collect::<Result<_, _>>().map_err(failed::<serde_json::Error>("write a message"))?;
        if jobs.is_empty() {
            return Ok(());
        }
        let mut utils = self.utils.clone().with_executor(&mut *connection);
        let count = jobs.len();
        // Of typed messages the engine warns each time, because only its workers know their tasks by number.
        utils.add_raw_jobs(&jobs).await.map_err(failed("add to the queue"))?;
        // The engine sends one. Those for later are seen by whoever waits for them.
        match at {
            Some(at) => self.next_due.add(at),
            None if count > 1 => signal(connection, i64::try_from(count).unwrap_or(i64::MAX) - 1).await?,
            None => {}
        }
        Ok(())
    }

    /// Signals for messages when their time comes, for ever.
    async fn wake(&self, look: Duration) {
        let mut since = DateTime::<Utc>::UNIX_EPOCH;
        loop {
            let mut pause = look;
            // When this fails the engine notices, too, and is built anew.
            if let Ok((now, next)) = self.wake_what_is_due(since).await {
                // Some were added before the last look, and were seen only when their transaction ended.
                since = now - look;
                pause = pause.min(until(next, now));
            }
            let look_again = tokio::time::Instant::now() + pause;
            while !self.next_due.waited(look_again).await {}
            tokio::time::sleep(JITTER.mul_f64(rand::random())).await;
        }
    }

    /// Signals for messages that are due since then: what time it is, and when the next will be.
    async fn wake_what_is_due(
        &self,
        since: DateTime<Utc>,
    ) -> Result<(DateTime<Utc>, Option<DateTime<Utc>>), QueueError> {
        let mut connection = self.pool.acquire().await.map_err(failed("reach the queue"))?;
        let due = sqlx::query_as(
            "select now(), count(*) filter (where run_at > $1 and run_at <= now()),
                    min(run_at) filter (where run_at > now())
               from graphile_worker._private_jobs where is_available",
        );
        let (now, due, next): (DateTime<Utc>, i64, Option<DateTime<Utc>>) =
            due.bind(since).fetch_one(&mut *connection).await.map_err(failed("read the queue"))?;
        if due > 0 {
            signal(&mut connection, due).await?;
        }
        Ok((now, next))
    }

    /// Lowers all priorities in the caller's transaction, as far as they go.
    ///
    /// # Errors
    /// When the database refuses; the transaction is then lost.
    pub async fn lower_priorities(&self, connection: &mut PgConnection, by: i64) -> Result<(), QueueError> {
        // The engine's own call sets one and the same for all.
        let q =
            sqlx::query("update graphile_worker._private_jobs set priority = greatest(priority - $1, $2)");
        let lowered = q.bind(by).bind(i32::from(i16::MIN)).execute(connection).await;
        lowered.map(drop).map_err(failed("lower priorities in the queue"))
    }

    /// Works until `stop`. When the database goes away the engine is built anew, with
    /// growing pauses, so that this ends only when it is told to.
    pub async fn work(
        &self,
        participation: Participation,
        handler: Arc<dyn ChunkHandler>,
        metrics: &Metrics,
        stop: CancellationToken,
    ) {
        const FIRST: Duration = Duration::from_millis(200);
        let mut pause = FIRST;
        while !stop.is_cancelled() {
            let begun = std::time::Instant::now();
            let ended = tokio::select! {
                ended = self.participate(participation, Arc::clone(&handler), stop.clone()) => ended,
                () = self.wake(participation.heartbeat / 2) => break,
            };
            match ended {
                Ok(()) => break,
                Err(error) => {
                    // It worked for a while, so this is another failure.
                    if begun.elapsed() > Duration::from_secs(30) {
                        pause = FIRST;
                    }
                    // What the engine says between the two is the same again and again.
                    let error = format!("{error}: {}", root(&error));
                    if pause == FIRST {
                        tracing::warn!(event = "queue-failed", error, "the queue failed; trying again");
                    } else {
                        tracing::debug!(event = "queue-failed", error, "the queue failed again");
                    }
                }
            }
            metrics.queue_restarted();
            tokio::select! {
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(Duration::from_secs(5)),
                () = stop.cancelled() => {}
            }
        }
    }

    async fn participate(
        &self,
        participation: Participation,
        handler: Arc<dyn ChunkHandler>,
        stop: CancellationToken,
    ) -> Result<(), QueueError> {
        let shared = MessageContext { handler: Arc::clone(&handler), pool: self.pool.clone() };
        let options = match participation.only {
            Some(job) => WorkerOptions::default().add_accepted_flag(&flag(job)),
            None => WorkerOptions::default(),
        };
        let worker = options
            .pg_pool(self.pool.clone())
            .schema(SCHEMA)
            .concurrency(participation.slots)
            .poll_interval(participation.heartbeat * POLL)
            .worker_shutdown(
                WorkerShutdownConfig::default()
                    .listen_os_shutdown_signals(false)
                    .shutdown_signal(async move { stop.cancelled().await })
                    .grace_period(participation.grace)
                    .interrupted_job_retry_delay(Duration::ZERO),
            )
            .worker_recovery(
                WorkerRecoveryConfig::default()
                    .heartbeat_interval(participation.heartbeat)
                    .sweep_interval(participation.heartbeat)
                    .sweep_threshold(participation.heartbeat * 3)
                    .recovery_delay(Duration::ZERO),
            )
            .on(JobRecovery, move |context| recover(Arc::clone(&handler), context))
            .add_extension(shared)
            .define_job::<ChunkMessage>()
            .init()
            .await
            .map_err(failed("join the queue"))?;
        worker.run().await.map_err(failed("work on the queue"))
    }
}

impl NextDue {
    fn add(&self, at: DateTime<Utc>) {
        let mut first = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        *first = Some(first.map_or(at, |first| first.min(at)));
        self.added.notify_one();
    }

    /// Waits until `end` or until the first of these is due, whichever comes first. False when one was
    /// added meanwhile, which may be sooner.
    async fn waited(&self, end: tokio::time::Instant) -> bool {
        let first = *self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let end = match first {
            Some(_) => end.min(tokio::time::Instant::now() + until(first, Utc::now())),
            None => end,
        };
        tokio::select! {
            () = tokio::time::sleep_until(end) => {
                *self.first.lock().unwrap_or_else(PoisonError::into_inner) = None;
                true
            }
            () = self.added.notified() => false,
        }
    }
}

/// From `now` to a time; long where there is none.
fn until(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Duration {
    at.map_or(Duration::MAX, |at| (at - now).to_std().unwrap_or_default())
}

/// What the engine hands to every message.
#[derive(Clone)]
struct MessageContext {
    handler: Arc<dyn ChunkHandler>,
    pool: PgPool,
}

impl fmt::Debug for MessageContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MessageContext")
    }
}

impl TaskHandler for ChunkMessage {
    const IDENTIFIER: &'static str = "crawl_chunk";

    async fn run(self, context: WorkerContext) -> impl IntoTaskHandlerResult {
        let Some(shared) = context.get_ext::<MessageContext>() else {
            return Err("this worker has no handler".to_owned());
        };
        let done = shared.handler.perform(self).await.map_err(|Abandoned(reason)| reason);
        // A lost signal costs one poll interval and nothing else.
        let _ = sqlx::query("select pg_notify($1, '{}')").bind(WAKE_CHANNEL).execute(&shared.pool).await;
        done
    }
}

async fn recover(handler: Arc<dyn ChunkHandler>, context: JobRecoveryContext) -> JobRecoveryResult {
    if context.reason != FailureReason::WorkerCrashed {
        return JobRecoveryResult::Default;
    }
    match serde_json::from_value(context.job.payload().clone()) {
        Ok(message) => {
            JobRecoveryResult::Reschedule { run_at: handler.recover(message).await, attempts: None }
        }
        Err(_) => JobRecoveryResult::Default,
    }
}

/// The first cause of an error.
fn root(error: &QueueError) -> &dyn std::error::Error {
    std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source())
        .last()
        .unwrap_or(error)
}

/// Signals for so many messages. What is the same would be told once.
async fn signal(connection: &mut PgConnection, count: i64) -> Result<(), QueueError> {
    let sent = sqlx::query("select pg_notify($1, n::text) from generate_series(1, $2) as n")
        .bind(WAKE_CHANNEL)
        .bind(count.min(MOST_SIGNALS))
        .execute(connection)
        .await;
    sent.map(drop).map_err(failed("signal for the queue"))
}

fn key(message: ChunkMessage) -> String {
    format!("chunk:{}:{}", message.chunk, message.run)
}

/// Lets a worker take the messages of one job only.
fn flag(job: JobId) -> String {
    format!("job:{job}")
}

fn failed<E>(doing: &'static str) -> impl FnOnce(E) -> QueueError
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    move |source| QueueError { doing, source: source.into() }
}
