//! Chunks as a worker sees them: claimed under a lease, worked on and given back, or taken from
//! a worker that crashed ([`crashed`]).
//!
//! Every write begins with an update of the chunk's row by id and lease; where that touches no row
//! the worker has lost the chunk and the write is undone. Writes that count return what they made of
//! the counters ([`ChunkProgress`]); the [`ClaimedChunk`] takes these over and counts nothing itself.
//!
//! Its functions fail when the database does.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgConnection, PgPool, types::Json};
use uuid::Uuid;

use crate::{
    db::{fairness, progress},
    model::{
        Candidate, ChunkId, Cookies, DatasetId, JobId, Query, Rejection, Request, Rules, Sha256, UserId,
    },
};

/// A chunk in the hands of a worker: its checkpoint and what it belongs to.
#[derive(Clone, Debug, FromRow)]
pub struct ClaimedChunk {
    /// Which chunk.
    pub id: ChunkId,
    /// Proof of possession.
    pub lease: Uuid,
    /// Its job.
    pub job_id: JobId,
    /// Where its images go.
    pub dataset_id: DatasetId,
    /// Whose job it is.
    pub user_id: UserId,
    /// Which plugin.
    pub source: String,
    /// Class of the images.
    pub label: String,
    /// What the plugin is asked, the same in every step.
    #[sqlx(json)]
    pub query: Query,
    /// What the job accepts.
    #[sqlx(json)]
    pub rules: Rules,
    /// Images that it may keep.
    pub share: i32,
    /// What it has come to.
    #[sqlx(flatten)]
    pub progress: ChunkProgress,
    /// The plugin's state.
    pub plugin_state: String,
    /// SHA-256 of the component that made the state, in hexadecimal.
    pub plugin_digest: Option<String>,
    /// Requests that the plugin waits for; none before the first step.
    #[sqlx(json(nullable))]
    pub requests: Option<Vec<Request>>,
    /// What sites gave to be sent back.
    #[sqlx(json)]
    pub cookies: Cookies,
    /// The source has no more to give.
    pub source_done: bool,
    /// Since when it waits for its source, which is paused.
    pub paused_since: Option<DateTime<Utc>>,
    /// Virtual time at which it was claimed, see [`fairness`].
    pub begun: f64,
    /// How long it waited for its turn, in seconds; not known after a crash.
    pub waited: Option<f64>,
}

/// The columns of a chunk that the writes of a slice count and set; each of them gives all back.
#[derive(Clone, Copy, Debug, Default, FromRow)]
pub struct ChunkProgress {
    /// Images kept.
    pub kept: i32,
    /// Steps made.
    pub steps: i32,
    /// Requests made for steps.
    pub asked: i32,
    /// Bytes of answers to them.
    pub received: i64,
    /// Workers in a row that died while they held it, since a verdict or a step was written.
    pub crash_count: i32,
    /// Passing errors in a row.
    pub errors_in_row: i32,
    /// The source is not asked before this.
    pub step_not_before: Option<DateTime<Utc>>,
    /// Since when nothing is left of it but what must wait.
    pub idle_since: Option<DateTime<Utc>>,
}

impl ClaimedChunk {
    /// Forgets the checkpoint if another build of the plugin made it, because only that can read
    /// it; the next step is the first again.
    pub fn restart_unless_made_by(&mut self, digest: Sha256) {
        let digest = digest.to_string();
        if self.plugin_digest.take_if(|made_by| *made_by != digest).is_some() {
            self.requests = None;
            self.plugin_state.clear();
            self.source_done = false;
        }
    }
}

/// One picture of the backlog.
#[derive(Clone, Debug, FromRow)]
pub struct BacklogEntry {
    /// `pixcrawler.candidate.id`.
    pub id: i64,
    /// What the source said.
    #[sqlx(json)]
    pub candidate: Candidate,
    /// Which copy of it is tried: 0 its own address, then its alternates.
    pub copy: i16,
    /// Those before it, which were refused.
    #[sqlx(json)]
    pub refused: Vec<RejectedCopy>,
    /// Times that its host asked to come back later.
    pub holds: i32,
    /// Workers that died while they had it in hand.
    pub interruptions: i16,
    /// Where the address of the copy is, in lower case; with a port where that is named.
    pub host: String,
    /// It was refused before, and a retry tries it again.
    pub again: bool,
}

/// A copy of a picture that was rejected, while there was another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedCopy {
    /// Its address.
    pub url: String,
    /// Why.
    #[serde(flatten)]
    pub rejection: Rejection,
    /// What was received, if it was received whole.
    #[serde(flatten)]
    pub body: Option<ReceivedBody>,
}

/// What was received of a picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedBody {
    /// Where it came from in the end.
    pub final_url: String,
    /// In bytes.
    pub size: u64,
    /// Of the bytes.
    pub sha256: Sha256,
}

impl BacklogEntry {
    /// The address of the copy that is tried.
    #[must_use]
    pub fn address(&self) -> &str {
        let alternate = usize::try_from(self.copy).ok().and_then(|copy| copy.checked_sub(1));
        let alternate = alternate.and_then(|at| self.candidate.alternates.get(at));
        alternate.unwrap_or(&self.candidate.url)
    }

    /// Whether it may be what kills its workers: then it is tried alone.
    #[must_use]
    pub const fn is_suspect(&self) -> bool {
        self.interruptions >= SUSPECT_AFTER
    }
}

/// Pictures of a backlog that are looked at when some are taken.
const VIEW: i64 = 1000;
/// Longest wait of a chunk whose user has enough slots, in seconds.
const LONGEST_WAIT_FOR_SLOT: i64 = 30;

/// Takes a chunk whose current run is `run`; none when the message is stale.
/// The first claim of a job starts it.
pub async fn claim(
    pool: &PgPool,
    chunk: ChunkId,
    run: i32,
    lease: Uuid,
) -> sqlx::Result<Option<ClaimedChunk>> {
    let mut tx = pool.begin().await?;
    let mut claimed: Option<ClaimedChunk> = sqlx::query_as(
        "update pixcrawler.chunk c
            set state = 'running', lease = $3, reason = null, trying = '{}', since = now()
           from public.crawl_jobs j, (select id, state, since from pixcrawler.chunk where id = $1 for update) as before
          where c.id = before.id and c.run = $2 and c.state in ('queued', 'waiting', 'running') and j.id = c.job_id
      returning c.id, c.lease, c.job_id, j.dataset_id, j.user_id, c.source, c.label, c.query, j.rules, c.share,
                c.kept, c.plugin_state, c.plugin_digest, c.requests, c.cookies, c.source_done, c.steps, c.asked,
                c.received, c.crash_count, c.errors_in_row, c.step_not_before,
                c.paused_since, c.idle_since, c.turn as begun,
                case when before.state <> 'running' then extract(epoch from now() - before.since)::float8 end as waited",
    )
    .bind(chunk)
    .bind(run)
    .bind(lease)
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(claimed) = &mut claimed {
        sqlx::query("update public.job_chunks set status = 'processing', retry_count = $2, updated_at = now() where id = $1")
            .bind(chunk)
            .bind(claimed.progress.crash_count)
            .execute(&mut *tx)
            .await?;
        // Before the public row, as those lock it who refresh that.
        sqlx::query("select from pixcrawler.job where job_id = $1 for update")
            .bind(claimed.job_id)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "update public.crawl_jobs
                set status = 'running', started_at = coalesce(started_at, now()), updated_at = now()
              where id = $1 and status = 'pending'",
        )
        .bind(claimed.job_id)
        .execute(&mut *tx)
        .await?;
        progress::refresh(&mut tx, claimed.job_id).await?;
        // Last, because all who claim take this lock.
        claimed.begun = fairness::begin(&mut tx, claimed.begun).await?;
    }
    tx.commit().await?;
    Ok(claimed)
}

/// Lets a chunk that was claimed be worked on if fewer than `most` of its user are. If not, gives
/// for how many seconds it had better wait, so that not all that wait come back at once.
pub async fn admit(pool: &PgPool, chunk: &ClaimedChunk, most: i64) -> sqlx::Result<Option<i64>> {
    let mut tx = pool.begin().await?;
    // One after the other, so that each sees those let in before it.
    sqlx::query("select pg_advisory_xact_lock(hashtext('pixcrawler.user_slots'), hashtext($1::text))")
        .bind(chunk.user_id)
        .execute(&mut *tx)
        .await?;
    let (running, open): (i64, i64) = sqlx::query_as(
        "select count(*) filter (where c.lease = c.admitted), count(*)
           from pixcrawler.chunk c join public.crawl_jobs j on j.id = c.job_id
          where j.user_id = $1 and j.status in ('pending', 'running')
            and c.state in ('queued', 'waiting', 'running')",
    )
    .bind(chunk.user_id)
    .fetch_one(&mut *tx)
    .await?;
    if running >= most {
        return Ok(Some((open / most).clamp(1, LONGEST_WAIT_FOR_SLOT)));
    }
    sqlx::query("update pixcrawler.chunk set admitted = lease where id = $1 and lease = $2")
        .bind(chunk.id)
        .bind(chunk.lease)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(None)
}

/// The next pictures of the backlog that may be tried now, by host in turn and then in order, without
/// those in `taken` or of one of `hosts`. Those that a worker died with come last.
pub async fn backlog(
    pool: &PgPool,
    chunk: ChunkId,
    taken: &[i64],
    hosts: &[String],
    limit: i64,
) -> sqlx::Result<Vec<BacklogEntry>> {
    sqlx::query_as(
        "with next as (
            select id, candidate, copy, refused, holds, interruptions, host, position, image_id is not null as again
              from pixcrawler.candidate,
                   coalesce(case when copy > 0 then candidate -> 'alternates' ->> (copy - 1) end,
                            candidate ->> 'url') as address,
                   coalesce(lower(substring(address from '^[^:]*://([^/?#]*)')), '') as host
             where chunk_id = $1 and verdict is null and id <> all ($2) and host <> all ($3)
               and coalesce(not_before, now()) <= now()
             order by interruptions, position limit $5)
         select id, candidate, copy, refused, holds, interruptions, host, again from next
          order by interruptions, row_number() over (partition by interruptions, host order by position), position
          limit $4",
    )
    .bind(chunk)
    .bind(taken)
    .bind(hosts)
    .bind(limit)
    .bind(VIEW)
    .fetch_all(pool)
    .await
}

/// Notes which pictures the worker has in hand, so that its death tells which it may have been
/// that killed it. False when the lease is lost.
pub async fn note_trying(pool: &PgPool, chunk: &ClaimedChunk, trying: &[i64]) -> sqlx::Result<bool> {
    let noted = sqlx::query("update pixcrawler.chunk set trying = $3 where id = $1 and lease = $2")
        .bind(chunk.id)
        .bind(chunk.lease)
        .bind(trying)
        .execute(pool)
        .await?;
    Ok(noted.rows_affected() == 1)
}

/// How many pictures of the backlog are left, but for those in `unauthorized`, and, when all of
/// them are deferred, until when.
pub async fn left(
    pool: &PgPool,
    chunk: ChunkId,
    unauthorized: &[i64],
) -> sqlx::Result<(i64, Option<DateTime<Utc>>)> {
    sqlx::query_as(
        "select count(*), case when min(coalesce(not_before, now())) > now() then min(not_before) end
           from pixcrawler.candidate where chunk_id = $1 and verdict is null and id <> all ($2)",
    )
    .bind(chunk)
    .bind(unauthorized)
    .fetch_one(pool)
    .await
}

/// Defers one picture until its host may be asked again. False when the lease is lost.
pub async fn defer_entry(
    pool: &PgPool,
    chunk: &ClaimedChunk,
    entry: i64,
    until: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let deferred = sqlx::query(
        "with held as (update pixcrawler.chunk set lease = lease where id = $1 and lease = $2 returning id)
         update pixcrawler.candidate c set not_before = $4, holds = holds + 1
           from held where c.id = $3 and c.chunk_id = held.id",
    )
    .bind(chunk.id)
    .bind(chunk.lease)
    .bind(entry)
    .bind(until)
    .execute(pool)
    .await?;
    Ok(deferred.rows_affected() == 1)
}

/// The host that the next copy of a picture is on, and the row of the chunk.
#[derive(FromRow)]
struct NextCopyRow {
    host: String,
    #[sqlx(flatten)]
    progress: ChunkProgress,
}

/// Notes that a picture goes on to the copy that `entry` says by now, and fills in its host. False
/// when the lease is lost. A refused copy makes earlier crashes of the chunk forgotten, as a
/// verdict does.
pub async fn next_copy(
    pool: &PgPool,
    chunk: &mut ClaimedChunk,
    entry: &mut BacklogEntry,
) -> sqlx::Result<bool> {
    let noted: Option<NextCopyRow> = sqlx::query_as(
        "with held as (
            update pixcrawler.chunk set crash_count = 0, gave_way = false, idle_since = null
             where id = $1 and lease = $2 returning *)
         update pixcrawler.candidate c set copy = $4, refused = $5, holds = $6
           from held where c.id = $3 and c.chunk_id = held.id
      returning coalesce(lower(substring(c.candidate -> 'alternates' ->> ($4 - 1) from '^[^:]*://([^/?#]*)')), '') as host,
                held.kept, held.steps, held.asked, held.received, held.crash_count, held.errors_in_row,
                held.step_not_before, held.idle_since",
    )
    .bind(chunk.id)
    .bind(chunk.lease)
    .bind(entry.id)
    .bind(entry.copy)
    .bind(Json(&entry.refused))
    .bind(entry.holds)
    .fetch_optional(pool)
    .await?;
    let Some(noted) = noted else { return Ok(false) };
    entry.host = noted.host;
    chunk.progress = noted.progress;
    Ok(true)
}

/// Gives a chunk back, to be queued again at once or, with the reason, for later; `idle` where
/// nothing is left of it but what must wait. The run to enqueue in the same transaction, or none
/// when the lease is lost. A slice that ends well makes earlier crashes forgotten.
pub async fn requeue(
    connection: &mut PgConnection,
    chunk: &ClaimedChunk,
    wait: Option<&Deferral>,
    idle: bool,
) -> sqlx::Result<Option<i32>> {
    let run: Option<(i32,)> = sqlx::query_as(
        "update pixcrawler.chunk
            set state = case when $3::timestamptz is null then 'queued' else 'waiting' end, lease = null,
                run = run + 1, crash_count = 0, not_before = $3, reason = $4,
                idle_since = case when $5 then coalesce(idle_since, now()) else idle_since end
          where id = $1 and lease = $2
      returning run",
    )
    .bind(chunk.id)
    .bind(chunk.lease)
    .bind(wait.map(|wait| wait.until))
    .bind(wait.map(|wait| &wait.reason))
    .bind(idle)
    .fetch_optional(&mut *connection)
    .await?;
    if run.is_some() {
        sqlx::query("update public.job_chunks set status = 'pending', updated_at = now() where id = $1")
            .bind(chunk.id)
            .execute(&mut *connection)
            .await?;
        progress::refresh(connection, chunk.job_id).await?;
    }
    Ok(run.map(|(run,)| run))
}

/// Notes whether the chunk's source is paused, and since when the chunk waits for it.
pub async fn note_pause(pool: &PgPool, chunk: &ClaimedChunk, paused: bool) -> sqlx::Result<()> {
    if !paused && chunk.paused_since.is_none() {
        return Ok(());
    }
    sqlx::query(
        "update pixcrawler.chunk set paused_since = case when $3 then coalesce(paused_since, now()) end
          where id = $1 and lease = $2",
    )
    .bind(chunk.id)
    .bind(chunk.lease)
    .bind(paused)
    .execute(pool)
    .await?;
    Ok(())
}

/// Notes that the chunk's slice gave way before it had achieved anything, so that the next one
/// has longer. Does nothing when the lease is lost.
pub async fn note_gave_way(pool: &PgPool, chunk: &ClaimedChunk) -> sqlx::Result<()> {
    sqlx::query("update pixcrawler.chunk set gave_way = true where id = $1 and lease = $2")
        .bind(chunk.id)
        .bind(chunk.lease)
        .execute(pool)
        .await?;
    Ok(())
}

/// Lets go of a chunk that is as the last write left it; its message comes back by itself.
/// Does nothing when the lease is lost.
pub async fn release(pool: &PgPool, chunk: &ClaimedChunk) -> sqlx::Result<()> {
    sqlx::query("update pixcrawler.chunk set state = 'queued', lease = null where id = $1 and lease = $2")
        .bind(chunk.id)
        .bind(chunk.lease)
        .execute(pool)
        .await?;
    Ok(())
}

/// Why nothing is done for a while.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deferral {
    /// When it goes on.
    pub until: DateTime<Utc>,
    /// For the user.
    pub reason: String,
    /// Whether it counts as a passing error in a row.
    pub error: bool,
}

/// Crashes of its workers in a row that a chunk may survive; one more and it fails.
pub const MOST_SURVIVED: i32 = 2;
/// After this many deaths a picture is tried alone; it may have been another until then.
const SUSPECT_AFTER: i16 = 2;
/// Deaths with which a picture may be tried once more. With chance alone it would be alone in
/// hand at each of the last ones.
pub const MOST_INTERRUPTIONS: i16 = 3;

/// Counts a crash of the worker that held this chunk, and for each picture that it had in
/// hand. The lease is no more. At the second in a row, of the chunk or of a picture, the suspects come back apart
/// from one another by `spread`; the answer is when. One that is to fail comes back at once.
pub async fn crashed(
    pool: &PgPool,
    chunk: ChunkId,
    run: i32,
    spread: std::time::Duration,
) -> sqlx::Result<DateTime<Utc>> {
    let mut tx = pool.begin().await?;
    // One after the other, so that each sees the times given to those before it.
    sqlx::query("select pg_advisory_xact_lock(hashtext('pixcrawler.crashed'))").execute(&mut *tx).await?;
    let trying: Option<Vec<i64>> = sqlx::query_scalar(
        "select trying from pixcrawler.chunk where id = $1 and run = $2 and state = 'running' for update",
    )
    .bind(chunk)
    .bind(run)
    .fetch_optional(&mut *tx)
    .await?;
    let most: Option<i16> = sqlx::query_scalar(
        "with interrupted as (
            update pixcrawler.candidate set interruptions = interruptions + 1
             where id = any ($1) and verdict is null
         returning interruptions)
         select max(interruptions) from interrupted",
    )
    .bind(trying.unwrap_or_default())
    .fetch_one(&mut *tx)
    .await?;
    let at: Option<(DateTime<Utc>,)> = sqlx::query_as(
        "update pixcrawler.chunk c
            set crash_count = greatest(crash_count + 1, $5), lease = null,
                not_before = case when greatest(crash_count + 1, $5) between 2 and $4
                                  then greatest(now(), last.at + make_interval(secs => $3))
                                  else now() end
           from (select max(not_before) as at from pixcrawler.chunk
                  where crash_count between 2 and $4 and state = 'running' and id <> $1) as last
          where c.id = $1 and c.run = $2 and c.state = 'running'
      returning c.not_before",
    )
    .bind(chunk)
    .bind(run)
    .bind(spread.as_secs_f64())
    .bind(MOST_SURVIVED)
    // A suspect picture ends by its own count and not its chunk by this one.
    .bind(most.map_or(0, i32::from).min(MOST_SURVIVED))
    .fetch_optional(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(at.map_or_else(Utc::now, |(at,)| at))
}

/// Whether a message for this run of a chunk still means work: not when the chunk was
/// cancelled, ended, queued again or deleted since.
pub async fn is_current(pool: &PgPool, chunk: ChunkId, run: i32) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (select from pixcrawler.chunk
                         where id = $1 and run = $2 and state in ('queued', 'waiting', 'running'))",
    )
    .bind(chunk)
    .bind(run)
    .fetch_one(pool)
    .await
}

/// Which of these leases are lost.
pub async fn lost(pool: &PgPool, leases: &[Uuid]) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar(
        "select lease from unnest($1::uuid[]) as held (lease)
          where not exists (select from pixcrawler.chunk c where c.lease = held.lease)",
    )
    .bind(leases)
    .fetch_all(pool)
    .await
}
