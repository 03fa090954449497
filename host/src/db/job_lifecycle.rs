//! What concerns all chunks of a job at once: the end of a chunk with redistribution
//! of what it did not bring, the end of the job, cancel, retry and delete. All take
//! the same locks in the same order (dataset and its row, chunk rows by id, the job's rows), so
//! that none deadlocks with another, with a batch of verdicts, or with the end of a project, which
//! the frontend deletes by itself.
//!
//! Its functions fail when the database does; the transaction is then lost.

use std::collections::BTreeSet;

use serde_json::json;
use sqlx::{PgConnection, types::Json};

use crate::{
    db::{
        activity::{self, Action},
        chunks::ClaimedChunk,
        column::LenientStatus,
        jobs::{self, JobRow},
        notifications::{self, JobEnd},
        progress, usage,
    },
    model::{
        ChunkId, ChunkState, DatasetId, DuplicateScope, FinishedChunk, JobId, JobState, QuotaShare, Refusal,
        UserId, outcome, shares_of_missing,
    },
};

/// Chunks to enqueue in the same transaction, each with its run.
pub type ToEnqueue = Vec<(ChunkId, i32)>;

/// Longest reason of a job, in bytes.
const LONGEST_REASON: usize = 1_500;

/// How a chunk came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChunkEnd {
    /// It has its share; whether its source has more shows in the backlog.
    Share,
    /// The source has no more.
    Exhausted,
    /// An error, with the reason for the user.
    Failed(String),
}

/// What a cancel or a delete found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// No such job of this user.
    NotFound,
    /// It had ended before, in this state.
    Over(JobState),
    /// It is cancelled now, with so many parts that were not over; their messages are stale and end by
    /// themselves.
    Now(u64),
}

/// How a retry goes beyond what the job was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryOptions {
    /// Images wanted from now on. What is kept stays, if it is more.
    pub max_images: Option<i32>,
    /// Ask every source from its beginning, for what is new.
    pub update: bool,
}

/// What a retry found.
#[derive(Debug)]
pub enum RetryFound {
    /// No such job of this user.
    NotFound,
    /// It is in this state, no part of it failed, and nothing else is asked of it.
    NotOver(JobState),
    /// It has as many images as were asked for, which leaves no room for new ones.
    Full(i32),
    /// It has no parts: somebody else wrote its row, which is locked.
    NoParts(Box<JobRow>),
    /// It goes on.
    Now {
        /// To be enqueued in the same transaction.
        queued: ToEnqueue,
        /// It was over.
        reopened: bool,
        /// It is to have more images than before.
        grows: bool,
    },
}

/// What came of the end of a chunk.
#[derive(Debug)]
pub struct EndedChunk {
    /// Others that go on for what it did not bring.
    pub queued: ToEnqueue,
    /// How its job ended with it, if it did.
    pub job: Option<EndedJob>,
}

/// How a job ended.
#[derive(Debug)]
pub struct EndedJob {
    /// For good, unless it is retried.
    pub state: JobState,
    /// Images that it has.
    pub kept: i32,
    /// Images that it was asked for.
    pub wanted: i32,
    /// Chunks that failed.
    pub failed: usize,
    /// Why it has fewer, for the user.
    pub reason: Option<String>,
}

impl EndedJob {
    /// Of a job that ends as a whole.
    const fn of(job: &JobRow, state: JobState) -> Self {
        Self { state, kept: job.valid_images, wanted: job.max_images, failed: 0, reason: None }
    }
}

/// Ends a chunk and shares out what it did not bring; ends the job when no chunk is
/// left to work on. None when the lease is lost.
pub async fn end_chunk(
    connection: &mut PgConnection,
    chunk: &ClaimedChunk,
    end: &ChunkEnd,
) -> sqlx::Result<Option<EndedChunk>> {
    if chunk.rules.duplicates_within == DuplicateScope::User {
        super::lock_datasets_of(connection, chunk.user_id).await?;
    }
    lock_dataset(connection, chunk.dataset_id).await?;
    lock_rows(connection, chunk.job_id).await?;
    let (state, reason) = match end {
        ChunkEnd::Share => (ChunkState::Satisfied, None),
        ChunkEnd::Exhausted => (ChunkState::Exhausted, None),
        ChunkEnd::Failed(reason) => (ChunkState::Failed, Some(reason)),
    };
    let ended = sqlx::query(
        "update pixcrawler.chunk
            set state = $3, reason = $4, lease = null, crash_count = 0, paused_since = null,
                share = kept
          where id = $1 and lease = $2",
    )
    .bind(chunk.id)
    .bind(chunk.lease)
    .bind(state.name())
    .bind(reason)
    .execute(&mut *connection)
    .await?;
    if ended.rows_affected() == 0 {
        return Ok(None);
    }
    let queued = redistribute(connection, chunk.job_id).await?;
    let job = finish_if_over(connection, chunk.job_id).await?;
    Ok(Some(EndedChunk { queued, job }))
}

/// Cancels a job of this user. Its workers see that their leases are gone.
pub async fn cancel(connection: &mut PgConnection, user: UserId, job: JobId) -> sqlx::Result<Cancelled> {
    let Some(locked) = lock(connection, user, job).await? else { return Ok(Cancelled::NotFound) };
    if locked.status.0.is_over() {
        return Ok(Cancelled::Over(locked.status.0));
    }
    Ok(Cancelled::Now(stop(connection, &locked).await?))
}

/// Stops what goes on for a job that is locked, and ends it as cancelled; how many parts were not over.
pub async fn stop(connection: &mut PgConnection, job: &JobRow) -> sqlx::Result<u64> {
    let stopped = sqlx::query(
        "update pixcrawler.chunk
            set state = 'cancelled', lease = null, not_before = null, reason = 'cancelled'
          where job_id = $1 and state in ('queued', 'running', 'waiting', 'satisfied')",
    )
    .bind(job.id)
    .execute(&mut *connection)
    .await?;
    end_job(connection, job.id, &EndedJob::of(job, JobState::Cancelled)).await?;
    progress::notify(connection, &format!("cancel:{}", job.id)).await?;
    Ok(stopped.rows_affected())
}

/// Ends a job that is locked and has no parts, because it cannot be begun.
pub async fn refuse(connection: &mut PgConnection, job: &JobRow, reason: &str) -> sqlx::Result<()> {
    let ended = EndedJob { reason: Some(reason.to_owned()), ..EndedJob::of(job, JobState::Failed) };
    end_job(connection, job.id, &ended).await
}

/// Begins a job again with what it has, which failed, was cancelled, or completed with fewer
/// images because a part failed: chunks that failed or were cancelled go on from their
/// checkpoints, and pictures that were left, or refused for a reason that may pass, are tried again.
/// With another number of images any job goes on, also one that is under way; with `update` any that
/// is over, and all its sources begin anew; pictures that the site may have mended are tried again, too, and
/// duplicates of one that was refused since, unless it was taken out or they have its very bytes.
/// Whatever else has a verdict is known and not fetched again.
pub async fn retry(
    connection: &mut PgConnection,
    user: UserId,
    job: JobId,
    options: RetryOptions,
) -> sqlx::Result<RetryFound> {
    let Some(mut locked) = lock(connection, user, job).await? else { return Ok(RetryFound::NotFound) };
    if !locked.has_parts() {
        if let Some(max_images) = options.max_images {
            sqlx::query("update public.crawl_jobs set max_images = $2 where id = $1")
                .bind(job)
                .bind(max_images)
                .execute(&mut *connection)
                .await?;
            locked.max_images = max_images;
        }
        return Ok(RetryFound::NoParts(Box::new(locked)));
    }
    let state = locked.status.0;
    let (kept, before): (i32, i32) =
        sqlx::query_as("select kept, wanted from pixcrawler.job where job_id = $1")
            .bind(job)
            .fetch_one(&mut *connection)
            .await?;
    let wanted = options.max_images.map_or(before, |max_images| max_images.max(kept));
    if options.update && state.is_over() && kept >= wanted {
        return Ok(RetryFound::Full(kept));
    }
    let goes_on = match state {
        JobState::Failed | JobState::Cancelled => true,
        JobState::Completed => options.update || wanted != before || lacks_a_part(connection, job).await?,
        JobState::Pending | JobState::Running => !options.update && wanted != before,
    };
    if !goes_on {
        return Ok(RetryFound::NotOver(state));
    }
    let mut tried_again = Refusal::PASSING.to_vec();
    if options.update {
        tried_again.extend(Refusal::MENDED);
    }
    let reopened: Vec<(ChunkId,)> = sqlx::query_as(
        "update pixcrawler.candidate c set verdict = null, not_before = null, holds = 0, interruptions = 0, copy = 0, refused = '[]'
           from public.images i left join public.images stood on stood.id = i.duplicate_of
          where c.job_id = $1 and i.id = c.image_id
            and (c.verdict = 'refused' and i.reason = any ($2)
                 or $3 and c.verdict is not null and i.is_duplicate and not stood.is_valid and stood.reason <> $4
                    -- What is wrong with bytes is wrong with them everywhere; each address has a licence of its own.
                    and (stood.hash is distinct from i.hash or stood.reason = $5))
      returning c.chunk_id",
    )
    .bind(job)
    .bind(tried_again)
    .bind(options.update)
    .bind(Refusal::Removed.code())
    .bind(Refusal::LicenseNotAllowed.code())
    .fetch_all(&mut *connection)
    .await?;
    sqlx::query(
        "update pixcrawler.candidate set not_before = null, holds = 0 where job_id = $1 and verdict is null",
    )
    .bind(job)
    .execute(&mut *connection)
    .await?;
    let chunks: Vec<ChunkId> = reopened.iter().map(|(chunk,)| *chunk).collect();
    // For another number the shares of all are made anew, and whoever holds a lease has the old one.
    sqlx::query(
        "update pixcrawler.chunk
            set state = 'satisfied', share = kept, lease = null, crash_count = 0, errors_in_row = 0,
                not_before = null, step_not_before = null, reason = null, paused_since = null, idle_since = null
          where job_id = $1 and (state in ('failed', 'cancelled') or id = any ($2) or $4
                                 or $3 and state in ('queued', 'running', 'waiting', 'satisfied'))",
    )
    .bind(job)
    .bind(&chunks)
    .bind(wanted != before)
    .bind(options.update)
    .execute(&mut *connection)
    .await?;
    if options.update {
        begin_sources_anew(connection, job, wanted).await?;
    }
    sqlx::query(
        "update pixcrawler.job
            set judged = judged - $2, wanted = $3, wanted_is_default = wanted_is_default and not $4,
                gives_way = false
          where job_id = $1",
    )
    .bind(job)
    .bind(i32::try_from(chunks.len()).unwrap_or(i32::MAX))
    .bind(wanted)
    .bind(options.max_images.is_some())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "update public.crawl_jobs
            set status = 'pending', error = null, progress = 0, completed_at = null, updated_at = now(),
                max_images = $2
          where id = $1",
    )
    .bind(job)
    .bind(wanted)
    .execute(&mut *connection)
    .await?;
    // The number of a dataset that was made for the job is that of the job.
    sqlx::query("update public.datasets set max_images = $2 where id = $1 and max_images = $3")
        .bind(locked.dataset_id)
        .bind(wanted)
        .bind(before)
        .execute(&mut *connection)
        .await?;
    let queued = redistribute(connection, job).await?;
    publish_dataset(connection, locked.dataset_id).await?;
    finish_if_over(connection, job).await?;
    Ok(RetryFound::Now { queued, reopened: state.is_over(), grows: wanted > before })
}

/// Lets the sources of all chunks begin a new walk, with the budgets and the limit of one.
async fn begin_sources_anew(connection: &mut PgConnection, job: JobId, wanted: i32) -> sqlx::Result<()> {
    sqlx::query(
        "update pixcrawler.chunk
            set plugin_state = '', plugin_digest = null, requests = null, again = false, source_done = false,
                cookies = '[]', warnings = '[]', steps = 0, asked = 0, received = 0,
                query = jsonb_set(query, '{limit}', to_jsonb($2::integer))
          where job_id = $1",
    )
    .bind(job)
    .bind(wanted)
    .execute(connection)
    .await?;
    Ok(())
}

/// Whether the job has fewer images than were asked for, and a part of it failed.
async fn lacks_a_part(connection: &mut PgConnection, job: JobId) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select kept < wanted and exists (
                select from pixcrawler.chunk c where c.job_id = j.job_id and c.state = 'failed')
           from pixcrawler.job j where job_id = $1",
    )
    .bind(job)
    .fetch_one(connection)
    .await
}

/// Deletes a job of this user with all its rows; objects are left to the sweep.
/// The job must have been cancelled or have ended.
pub async fn delete(connection: &mut PgConnection, user: UserId, job: JobId) -> sqlx::Result<bool> {
    let Some(locked) = lock(connection, user, job).await? else { return Ok(false) };
    sqlx::query("delete from public.images where crawl_job_id = $1")
        .bind(job)
        .execute(&mut *connection)
        .await?;
    sqlx::query("update public.datasets set crawl_job_id = null where crawl_job_id = $1")
        .bind(job)
        .execute(&mut *connection)
        .await?;
    sqlx::query("delete from public.crawl_jobs where id = $1").bind(job).execute(&mut *connection).await?;
    publish_dataset(connection, locked.dataset_id).await?;
    Ok(true)
}

/// Locks a job of this user in the common order; none when there is no such job.
pub async fn lock(connection: &mut PgConnection, user: UserId, job: JobId) -> sqlx::Result<Option<JobRow>> {
    let found: Option<(DatasetId, bool)> = sqlx::query_as(
        "select dataset_id, rules ->> 'duplicates_within' is not distinct from 'user'
           from public.crawl_jobs where id = $1 and user_id = $2",
    )
    .bind(job)
    .bind(user)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((dataset, is_of_user)) = found else { return Ok(None) };
    if is_of_user {
        super::lock_datasets_of(connection, user).await?;
    }
    lock_dataset(connection, dataset).await?;
    lock_rows(connection, job).await?;
    // Last, as by those who refresh it; the frontend may write it, too.
    sqlx::query("select from public.crawl_jobs where id = $1 for update")
        .bind(job)
        .execute(&mut *connection)
        .await?;
    jobs::show(connection, user, job).await
}

/// The dataset, and its row before those of its jobs: a project that is deleted lets go of its datasets
/// first and then of their jobs.
pub(super) async fn lock_dataset(connection: &mut PgConnection, dataset: DatasetId) -> sqlx::Result<()> {
    super::lock_dataset(connection, dataset).await?;
    sqlx::query("select from public.datasets where id = $1 for no key update")
        .bind(dataset)
        .execute(connection)
        .await
        .map(drop)
}

/// Chunk rows by id, then the counter, which those who refresh the public row lock first.
async fn lock_rows(connection: &mut PgConnection, job: JobId) -> sqlx::Result<()> {
    for rows in [
        "select from pixcrawler.chunk where job_id = $1 order by id for update",
        "select from pixcrawler.job where job_id = $1 for update",
    ] {
        sqlx::query(rows).bind(job).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Locks what a batch of verdicts looks at and may change: the dataset, and where the job looks at all datasets
/// of its user, those of its jobs that do so, too, and may lose pictures, with their rows. Others are only looked
/// at.
pub(super) async fn lock_compared(connection: &mut PgConnection, chunk: &ClaimedChunk) -> sqlx::Result<()> {
    let mut datasets = BTreeSet::from([chunk.dataset_id]);
    if chunk.rules.duplicates_within == DuplicateScope::User {
        super::lock_datasets_of(connection, chunk.user_id).await?;
        let others: Vec<DatasetId> = sqlx::query_scalar(
            "select distinct c.dataset_id from public.crawl_jobs c join pixcrawler.job j on j.job_id = c.id
              where c.user_id = $1 and c.rules ->> 'duplicates_within' = 'user'
                and (c.status in ('pending', 'running') or j.gives_way)",
        )
        .bind(chunk.user_id)
        .fetch_all(&mut *connection)
        .await?;
        datasets.extend(others);
    }
    for dataset in datasets {
        if dataset == chunk.dataset_id {
            super::lock_dataset(connection, dataset).await?;
        } else {
            lock_dataset(connection, dataset).await?;
        }
    }
    Ok(())
}

/// Locks the rows of jobs of which pictures are about to lose their place, in the common order. Their dataset
/// is locked.
pub(super) async fn lock_losers(connection: &mut PgConnection, jobs: &BTreeSet<JobId>) -> sqlx::Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let jobs: Vec<JobId> = jobs.iter().copied().collect();
    for rows in [
        "select from pixcrawler.chunk where job_id = any ($1) order by id for update",
        "select from pixcrawler.job where job_id = any ($1) order by job_id for update",
    ] {
        sqlx::query(rows).bind(&jobs).execute(&mut *connection).await?;
    }
    Ok(())
}

/// A picture that was kept and is not any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlaceGivenBack {
    pub(super) job: JobId,
    pub(super) chunk: Option<ChunkId>,
    /// Of the file.
    pub(super) bytes: i64,
}

/// Lowers the counters of chunks and jobs, whose rows the caller has locked. Chunks that are not over may keep as
/// many others; those that are gave as many less.
pub(super) async fn give_back(connection: &mut PgConnection, given: &[PlaceGivenBack]) -> sqlx::Result<()> {
    sqlx::query(
        "update pixcrawler.chunk c
            set kept = kept - given.pictures,
                share = case when state in ('queued', 'running', 'waiting') then share else share - given.pictures end
           from (select id, count(*)::integer as pictures from unnest($1::integer[]) as id group by id) as given
          where c.id = given.id",
    )
    .bind(given.iter().filter_map(|given| given.chunk).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "update pixcrawler.job j set kept = j.kept - given.pictures, bytes = j.bytes - given.bytes
           from (select job, count(*)::integer as pictures, sum(bytes)::bigint as bytes
                   from unnest($1::integer[], $2::bigint[]) as given (job, bytes) group by job) as given
          where j.job_id = given.job",
    )
    .bind(given.iter().map(|given| given.job).collect::<Vec<_>>())
    .bind(given.iter().map(|given| given.bytes).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
}

/// Shares out what these jobs lack since pictures of them have lost their place; those that are over say how
/// many they have by now. The caller has locked their rows; what others wrote and has no parts stays as it is.
pub(super) async fn make_up(
    connection: &mut PgConnection,
    jobs: &BTreeSet<JobId>,
) -> sqlx::Result<Vec<(JobId, ToEnqueue)>> {
    let states: Vec<(JobId, LenientStatus)> =
        sqlx::query_as(
            "select id, status from public.crawl_jobs join pixcrawler.job on job_id = id where id = any ($1) order by id",
        )
        .bind(jobs.iter().copied().collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await?;
    let mut queued = Vec::new();
    for (job, status) in states {
        if status.0.is_over() {
            let reason = how_it_ended(connection, job).await?.reason;
            sqlx::query("update public.crawl_jobs set error = $2 where id = $1 and status = 'completed'")
                .bind(job)
                .bind(reason.as_deref().map(short))
                .execute(&mut *connection)
                .await?;
        } else {
            queued.push((job, redistribute(connection, job).await?));
        }
    }
    Ok(queued)
}

/// Gives the slots that nobody works on to chunks that had reached their share but
/// not their end, and marks those that have nothing more to give.
async fn redistribute(connection: &mut PgConnection, job: JobId) -> sqlx::Result<ToEnqueue> {
    let (wanted,): (i32,) = sqlx::query_as("select wanted from pixcrawler.job where job_id = $1 for update")
        .bind(job)
        .fetch_one(&mut *connection)
        .await?;
    let rows: Vec<(ChunkId, i32, i32, ChunkState, i32, i32, bool)> = sqlx::query_as(
        "select id, input, rank, state, share, kept,
                not source_done or exists (
                    select from pixcrawler.candidate b where b.chunk_id = c.id and b.verdict is null) as has_more
           from pixcrawler.chunk c where job_id = $1 order by rank, input",
    )
    .bind(job)
    .fetch_all(&mut *connection)
    .await?;
    let mut exhausted: Vec<ChunkId> = Vec::new();
    let mut quotas: Vec<QuotaShare> = Vec::with_capacity(rows.len());
    for (chunk, input, rank, mut state, share, kept, has_more) in rows {
        if state == ChunkState::Satisfied && !has_more {
            state = ChunkState::Exhausted;
            exhausted.push(chunk);
        }
        quotas.push(QuotaShare { chunk, input, rank, state, share, kept });
    }
    sqlx::query("update pixcrawler.chunk set state = 'exhausted', share = kept where id = any ($1)")
        .bind(&exhausted)
        .execute(&mut *connection)
        .await?;
    let (chunks, extra): (Vec<ChunkId>, Vec<i32>) = shares_of_missing(wanted, &quotas).into_iter().unzip();
    let queued: ToEnqueue = sqlx::query_as(
        "update pixcrawler.chunk c
            set share = c.share + m.extra, state = 'queued', run = run + 1
           from unnest($1::integer[], $2::integer[]) as m (id, extra)
          where c.id = m.id
      returning c.id, c.run",
    )
    .bind(&chunks)
    .bind(&extra)
    .fetch_all(&mut *connection)
    .await?;
    publish_chunks(connection, job).await?;
    Ok(queued)
}

/// The frontend's view of the chunks: state in its vocabulary, error and share. One that waits with its
/// share may be asked for more, until the job is over.
async fn publish_chunks(connection: &mut PgConnection, job: JobId) -> sqlx::Result<()> {
    sqlx::query(
        "update public.job_chunks p
            set status = v.status, error_message = v.error, updated_at = now(),
                image_range = jsonb_build_object('start', v.first, 'end', v.first + v.share)
           from (select id, share, sum(share) over (order by input, rank) - share as first,
                        case when state in ('queued', 'waiting') or state = 'satisfied' and not over then 'pending'
                             when state = 'running' then 'processing'
                             when state = 'failed' then 'failed'
                             else 'completed' end as status,
                        case when state in ('failed', 'cancelled') then reason end as error
                   from pixcrawler.chunk,
                        (select status in ('completed', 'failed', 'cancelled') as over
                           from public.crawl_jobs where id = $1) as job
                  where job_id = $1) as v
          where p.id = v.id
            and (p.status, p.error_message, p.image_range) is distinct from
                (v.status, v.error, jsonb_build_object('start', v.first, 'end', v.first + v.share))",
    )
    .bind(job)
    .execute(connection)
    .await?;
    Ok(())
}

/// Ends the job when none of its chunks is to be worked on; says how.
async fn finish_if_over(connection: &mut PgConnection, job: JobId) -> sqlx::Result<Option<EndedJob>> {
    let open: Option<(i32,)> = sqlx::query_as(
        "select 1 from pixcrawler.chunk where job_id = $1 and state in ('queued', 'running', 'waiting') limit 1",
    )
    .bind(job)
    .fetch_optional(&mut *connection)
    .await?;
    if open.is_some() {
        progress::refresh(connection, job).await?;
        return Ok(None);
    }
    let ended = how_it_ended(connection, job).await?;
    end_job(connection, job, &ended).await?;
    Ok(Some(ended))
}

/// How a job ends, or has ended, of which no chunk is to be worked on.
async fn how_it_ended(connection: &mut PgConnection, job: JobId) -> sqlx::Result<EndedJob> {
    let (kept, wanted, is_default, status): (i32, i32, bool, LenientStatus) = sqlx::query_as(
        "select kept, wanted, wanted_is_default, status
           from pixcrawler.job join public.crawl_jobs on id = job_id where id = $1",
    )
    .bind(job)
    .fetch_one(&mut *connection)
    .await?;
    // The frontend writes that by itself, and it is the user's last word.
    if status.0 == JobState::Cancelled {
        return Ok(EndedJob { state: JobState::Cancelled, kept, wanted, failed: 0, reason: None });
    }
    let chunks: Vec<FinishedChunk> = sqlx::query_as::<_, (_, _, _, Json<_>)>(
        "select source, state, reason, warnings from pixcrawler.chunk where job_id = $1 order by input, rank",
    )
    .bind(job)
    .fetch_all(&mut *connection)
    .await?
    .into_iter()
    .map(|(source, state, reason, Json(warnings))| FinishedChunk { source, state, reason, warnings })
    .collect();
    let (state, reason) = outcome(kept, wanted, is_default, &chunks);
    let failed = chunks.iter().filter(|chunk| chunk.state == ChunkState::Failed).count();
    Ok(EndedJob { state, kept, wanted, failed, reason })
}

/// Writes the end of a job, each one once: the only place that does, so that whoever is to hear of one
/// hears of all.
async fn end_job(connection: &mut PgConnection, job: JobId, ended: &EndedJob) -> sqlx::Result<()> {
    let EndedJob { state, kept, wanted, .. } = *ended;
    let reason = ended.reason.as_deref().map(short);
    let (user, dataset, name): (UserId, DatasetId, String) = sqlx::query_as(
        "update public.crawl_jobs
            set status = $2, error = $3, completed_at = now(), updated_at = now(),
                progress = case when $2 = 'completed' then 100 else progress end
          where id = $1
      returning user_id, dataset_id, name",
    )
    .bind(job)
    .bind(state.name())
    .bind(&reason)
    .fetch_one(&mut *connection)
    .await?;
    fix_pictures(connection, job).await?;
    publish_chunks(connection, job).await?;
    publish_dataset(connection, dataset).await?;
    usage::settle(connection, user, job).await?;
    let mut metadata = json!({ "status": state.name() });
    if let Some(reason) = &reason {
        metadata["reason"] = json!(reason);
    }
    if state == JobState::Cancelled {
        // By its user, who need not be told.
        activity::log(connection, user, Action::CancelCrawlJob, job, metadata).await?;
    } else {
        activity::log(connection, user, Action::CompleteCrawlJob, job, metadata).await?;
        let reason = reason.as_deref();
        let end = JobEnd { job, user, dataset, name: &name, state, kept, wanted, reason };
        notifications::tell_job_end(connection, &end).await?;
    }
    progress::refresh(connection, job).await?;
    // Of one without parts nobody is told by a refresh.
    progress::notify(connection, &format!("job:{job}")).await
}

/// Fixes pictures at the end of a job: what it has was promised, and stays from now on, whatever looks like it
/// and is better. But of jobs that are under way together it must not make a difference which one ends first.
/// So one whose sources have no more keeps its pictures open until no job of the dataset is under way: what
/// others take from it is nothing that it could have had beside. One that has what was asked for, or was
/// cancelled, is not touched any more.
///
/// Under way together are jobs of one dataset, and those of one user that look at all datasets.
async fn fix_pictures(connection: &mut PgConnection, job: JobId) -> sqlx::Result<()> {
    sqlx::query(
        "update pixcrawler.job
            set gives_way = not fixed.at_once,
                fixed_to = case when fixed.at_once
                                then coalesce((select max(id) from public.images where crawl_job_id = $1), 0)
                                else fixed_to end
           from (select exists (select from pixcrawler.chunk
                                 where job_id = $1 and state in ('satisfied', 'cancelled')) as at_once) as fixed
          where job_id = $1",
    )
    .bind(job)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "update pixcrawler.job j
            set gives_way = false,
                fixed_to = coalesce((select max(id) from public.images where crawl_job_id = j.job_id), 0)
           from public.crawl_jobs ended, public.crawl_jobs c
          where ended.id = $1 and c.id = j.job_id and j.gives_way and c.user_id = ended.user_id
            and (c.dataset_id = ended.dataset_id
                 or c.rules ->> 'duplicates_within' = 'user' and ended.rules ->> 'duplicates_within' = 'user')
            and not exists (
                select from public.crawl_jobs o
                 where o.user_id = c.user_id and o.status in ('pending', 'running')
                   and (o.dataset_id = c.dataset_id
                        or o.rules ->> 'duplicates_within' = 'user' and c.rules ->> 'duplicates_within' = 'user'))",
    )
    .bind(job)
    .execute(connection)
    .await
    .map(drop)
}

/// Of a reason as much as a row may hold that every change is sent of: how it begins and how it ends,
/// because causes stand last.
fn short(reason: &str) -> String {
    if reason.len() <= LONGEST_REASON {
        return reason.to_owned();
    }
    let begin = reason.floor_char_boundary(LONGEST_REASON / 2);
    let end = reason.ceil_char_boundary(reason.len() - LONGEST_REASON / 2);
    format!("{} … {}", &reason[..begin], &reason[end..])
}

/// The dataset's row where it holds so many pictures less: they are not counted anew, which takes longer the
/// more there are. The end of a job does that.
pub(super) async fn publish_fewer(
    connection: &mut PgConnection,
    dataset: DatasetId,
    fewer: i64,
) -> sqlx::Result<()> {
    if fewer == 0 {
        return Ok(());
    }
    sqlx::query(
        "update public.datasets d
            set images_collected = left_over.images, updated_at = now(),
                progress = least(100, left_over.images * 100.0 / greatest(d.max_images, 1))
           from (select greatest(images_collected - $2, 0) as images from public.datasets where id = $1) as left_over
          where d.id = $1",
    )
    .bind(dataset)
    .bind(fewer)
    .execute(connection)
    .await
    .map(drop)
}

/// The dataset's row: what it holds, and how its jobs stand, of which one that is under
/// way counts before all others and else the latest.
pub(super) async fn publish_dataset(connection: &mut PgConnection, dataset: DatasetId) -> sqlx::Result<()> {
    sqlx::query(
        "update public.datasets d
            set images_collected = held.images, updated_at = now(),
                progress = least(100, held.images * 100.0 / greatest(d.max_images, 1)),
                status = case when latest.status in ('pending', 'running') then 'processing'
                              else coalesce(latest.status, 'pending') end,
                error_message = case when latest.status = 'failed' then latest.error end
           from (select count(*) as images from public.images
                  where dataset_id = $1 and is_valid and not is_duplicate) as held
           left join (select status, error from public.crawl_jobs where dataset_id = $1
                       order by status in ('pending', 'running') desc, id desc limit 1) as latest on true
          where d.id = $1",
    )
    .bind(dataset)
    .execute(connection)
    .await?;
    Ok(())
}
