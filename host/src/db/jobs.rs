//! `crawl_jobs`, `job_chunks` and what the backend keeps beside them: creating and showing.
//!
//! Its functions fail when the database does.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection, PgExecutor, PgPool, types::Json};

use crate::{
    db::{
        column::{LenientJson, LenientStatus, Texts, Timestamp},
        usage,
    },
    model::{ChunkId, ChunkState, DatasetId, JobId, JobState, ProjectId, Rules, UserId},
};

mod insert;

pub use insert::{InsertError, InsertedJob, begin_inserted, insert};

/// A row of `crawl_jobs`.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "columns, as the frontend declares them; meanings are in the API's document")]
pub struct JobRow {
    pub id: JobId,
    pub user_id: UserId,
    pub dataset_id: DatasetId,
    pub project_id: Option<ProjectId>,
    pub name: String,
    pub keywords: LenientJson<Texts>,
    pub max_images: i32,
    pub status: LenientStatus,
    pub progress: i32,
    pub total_images: i32,
    pub downloaded_images: i32,
    pub valid_images: i32,
    pub total_chunks: i32,
    pub active_chunks: i32,
    pub completed_chunks: i32,
    pub failed_chunks: i32,
    pub task_ids: LenientJson<Texts>,
    pub sources: LenientJson<Texts>,
    pub options: LenientJson<JobOptions>,
    pub rules: LenientJson<Rules>,
    pub error: Option<String>,
    pub revision: i64,
    pub started_at: Option<Timestamp>,
    pub completed_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// `pixcrawler.job.input`; none when the job has no parts, because somebody else wrote its row.
    pub input: Option<LenientJson<Inputs>>,
    /// Nobody said how many images: `max_images` is the default.
    pub max_is_default: bool,
    /// Pictures that are left to try, once all sources of a running job have named all that they have.
    pub backlog: Option<i64>,
}

impl JobRow {
    /// Whether it was begun: what somebody else wrote is checked before that.
    #[must_use]
    pub const fn has_parts(&self) -> bool {
        self.input.is_some()
    }

    /// The most images that are still to come; none when nobody knows how many there are.
    #[must_use]
    pub fn images_left(&self) -> Option<i32> {
        let missing = (self.max_images - self.valid_images).max(0);
        match self.backlog {
            Some(backlog) => Some(i32::try_from(backlog).unwrap_or(i32::MAX).min(missing)),
            None if self.max_is_default => None,
            None => Some(missing),
        }
    }
}

/// What a [`JobRow`] is made of, where `shown` is the row and `pixcrawler.job` is joined.
const JOB_ROW: &str = "shown.*, input, coalesce(wanted_is_default, false) as max_is_default,
    case when shown.status = 'running' and not exists (
              select from pixcrawler.chunk c
               where c.job_id = shown.id and not c.source_done
                 and c.state in ('queued', 'running', 'waiting', 'satisfied'))
         then (select count(*) from pixcrawler.chunk c join pixcrawler.candidate b on b.chunk_id = c.id
                where c.job_id = shown.id and c.state in ('queued', 'running', 'waiting', 'satisfied')
                  and b.verdict is null) end as backlog";

/// `crawl_jobs.options`: what a job was asked for beyond its keywords.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct JobOptions {
    /// Values per source.
    pub sources: BTreeMap<String, BTreeMap<String, String>>,
    /// Leave out what is not safe for work.
    pub safe_search: bool,
    /// BCP 47.
    pub language: Option<String>,
}

impl Default for JobOptions {
    fn default() -> Self {
        Self { sources: BTreeMap::new(), safe_search: true, language: None }
    }
}

/// `pixcrawler.job.input`: what may be too large for a row that is sent to browsers at every change.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Inputs {
    /// Addresses to crawl.
    pub urls: Vec<String>,
    /// Input to class.
    pub labels: BTreeMap<String, String>,
}

/// A job with everything that its user sees of it, as of one moment.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct JobDetail {
    /// The job itself.
    #[sqlx(flatten)]
    pub job: JobRow,
    /// In order.
    pub chunks: Json<Vec<ChunkDetail>>,
    /// What was not kept, counted.
    pub reasons: Json<Vec<ReasonCount>>,
}

/// A chunk as its user sees it, with what the backend knows.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct ChunkDetail {
    /// `job_chunks.id`.
    pub id: ChunkId,
    /// Position in the job.
    pub chunk_index: i32,
    /// `pending`, `processing`, `completed` or `failed`.
    pub status: String,
    /// Id of the source.
    pub source: String,
    /// The keyword or address.
    pub keyword: String,
    /// Class of the images.
    pub label: String,
    /// What the backend knows.
    pub state: ChunkState,
    /// Why it waits, or how it ended.
    pub reason: Option<String>,
    /// Images it may keep for now.
    pub share: i32,
    /// Images it has kept.
    pub kept: i32,
    /// Why it failed.
    pub error: Option<String>,
    /// Nothing happens before this time.
    pub waiting_until: Option<DateTime<Utc>>,
    /// What the source said.
    pub warnings: Vec<String>,
}

/// How many images were refused for a reason, or are duplicates.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct ReasonCount {
    /// Whether these are duplicates.
    pub is_duplicate: bool,
    /// Code of the refusal.
    pub reason: Option<String>,
    /// How many.
    pub images: i64,
}

/// A job of this user.
pub async fn show(db: impl PgExecutor<'_>, user: UserId, job: JobId) -> sqlx::Result<Option<JobRow>> {
    sqlx::query_as(AssertSqlSafe(format!(
        "select {JOB_ROW} from public.crawl_jobs shown left join pixcrawler.job on job_id = id
          where user_id = $1 and id = $2",
    )))
    .bind(user)
    .bind(job)
    .fetch_optional(db)
    .await
}

/// A job of this user with everything that is known of it.
pub async fn detail(db: impl PgExecutor<'_>, user: UserId, job: JobId) -> sqlx::Result<Option<JobDetail>> {
    sqlx::query_as(AssertSqlSafe(format!(
        // What was not kept is counted in an index of its own; see the migration of images.
        "select {JOB_ROW},
                (select coalesce(jsonb_agg(to_jsonb(chunk) order by chunk_index), '[]')
                   from (select part.id, part.chunk_index, part.status, chunk.source, chunk.label, chunk.state,
                                chunk.query ->> 'text' as keyword, chunk.reason, chunk.share, chunk.kept,
                                part.error_message as error, chunk.warnings,
                                case when chunk.state = 'waiting' then chunk.not_before end as waiting_until
                           from public.job_chunks part join pixcrawler.chunk chunk on chunk.id = part.id
                          where part.job_id = shown.id) chunk) as chunks,
                (select coalesce(jsonb_agg(to_jsonb(counted)), '[]')
                   from (select is_duplicate, reason, count(*) as images
                           from public.images
                          where user_id = $1 and crawl_job_id = shown.id and (is_duplicate or not is_valid)
                          group by is_duplicate, reason) counted) as reasons
           from public.crawl_jobs shown left join pixcrawler.job on job_id = shown.id
          where shown.user_id = $1 and shown.id = $2",
    )))
    .bind(user)
    .bind(job)
    .fetch_optional(db)
    .await
}

/// The revision of a job of this user: moves with every change that can be seen.
pub async fn revision(db: impl PgExecutor<'_>, user: UserId, job: JobId) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar("select revision from public.crawl_jobs where user_id = $1 and id = $2")
        .bind(user)
        .bind(job)
        .fetch_optional(db)
        .await
}

/// Which jobs of a user are wanted; none of the fields means all.
#[derive(Clone, Copy, Debug, Default)]
pub struct JobFilter {
    /// With this status.
    pub status: Option<JobState>,
    /// Of this dataset.
    pub dataset: Option<DatasetId>,
}

/// At most `limit` jobs of this user, newest first, older than `after`, without the first `skip` of these.
pub async fn list(
    db: &PgPool,
    user: UserId,
    filter: JobFilter,
    after: Option<JobId>,
    skip: i64,
    limit: i64,
) -> sqlx::Result<Vec<JobRow>> {
    sqlx::query_as(AssertSqlSafe(format!(
        "select {JOB_ROW} from public.crawl_jobs shown left join pixcrawler.job on job_id = id
         where user_id = $1 and ($2::text is null or status = $2)
           and ($3::integer is null or shown.dataset_id = $3) and ($4::integer is null or id < $4)
         order by id desc offset $5 limit $6",
    )))
    .bind(user)
    .bind(filter.status.map(JobState::name))
    .bind(filter.dataset)
    .bind(after)
    .bind(skip)
    .bind(limit)
    .fetch_all(db)
    .await
}

/// How many jobs this user has.
pub async fn count(db: &PgPool, user: UserId, filter: JobFilter) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "select count(*) from public.crawl_jobs
          where user_id = $1 and ($2::text is null or status = $2) and ($3::integer is null or dataset_id = $3)",
    )
    .bind(user)
    .bind(filter.status.map(JobState::name))
    .bind(filter.dataset)
    .fetch_one(db)
    .await
}

/// At most `limit` jobs of whoever, newest first: for the operator, never for a user.
pub async fn list_of_all(db: &PgPool, status: Option<JobState>, limit: i64) -> sqlx::Result<Vec<JobRow>> {
    sqlx::query_as(AssertSqlSafe(format!(
        "select {JOB_ROW} from public.crawl_jobs shown left join pixcrawler.job on job_id = id
         where $1::text is null or status = $1
         order by id desc limit $2",
    )))
    .bind(status.map(JobState::name))
    .bind(limit)
    .fetch_all(db)
    .await
}

/// Whose job it is: for the operator, never for a user.
pub async fn owner(db: &PgPool, job: JobId) -> sqlx::Result<Option<UserId>> {
    sqlx::query_scalar("select user_id from public.crawl_jobs where id = $1")
        .bind(job)
        .fetch_optional(db)
        .await
}

/// Perceptual hashes of pictures that a job does not want, 32 bytes each: for the worker, never for a user.
pub async fn unlike(db: &PgPool, job: JobId) -> sqlx::Result<Vec<u8>> {
    sqlx::query_scalar("select coalesce(unlike, '') from pixcrawler.job where job_id = $1")
        .bind(job)
        .fetch_optional(db)
        .await
        .map(Option::unwrap_or_default)
}

/// How many different pictures the sources have named for a job of this user so far.
pub async fn found(db: &PgPool, user: UserId, job: JobId) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "select count(*) from pixcrawler.candidate candidate
         join public.crawl_jobs job on job.id = candidate.job_id
         where job.user_id = $1 and job.id = $2",
    )
    .bind(user)
    .bind(job)
    .fetch_one(db)
    .await
}

impl ReasonCount {
    /// Separates codes of refusals from the number of duplicates.
    #[must_use]
    pub fn split(counts: Vec<Self>) -> (BTreeMap<String, i64>, i64) {
        let mut refused = BTreeMap::new();
        let mut duplicates = 0;
        for count in counts {
            match count.reason {
                _ if count.is_duplicate => duplicates += count.images,
                Some(reason) => *refused.entry(reason).or_default() += count.images,
                // A row that the frontend wrote itself.
                None => {}
            }
        }
        (refused, duplicates)
    }
}

/// Jobs of this user that were begun and are not over. Who asks is alone to open one for this user until
/// the end of the transaction.
pub async fn open(connection: &mut PgConnection, user: UserId) -> sqlx::Result<i64> {
    usage::lock(&mut *connection, user).await?;
    sqlx::query_scalar(
        "select count(*) from public.crawl_jobs join pixcrawler.job on job_id = id
          where user_id = $1 and status in ('pending', 'running')",
    )
    .bind(user)
    .fetch_one(connection)
    .await
}
