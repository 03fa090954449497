//! Writes a new job: everything of it or, if the transaction is rolled back, nothing.
//!
//! Its functions fail when the database does; the transaction is then lost.

use serde_json::json;
use sqlx::{PgConnection, types::Json};

use super::{Inputs, JobOptions, JobRow};
use crate::{
    db::activity::{self, Action},
    model::{ChunkId, DatasetId, Destination, JobId, JobSpec, JobState, ProjectId, UserId},
};

/// A job that was written, and what the queue must be told in the same transaction.
#[derive(Debug)]
pub struct InsertedJob {
    /// The new job.
    pub job: JobId,
    /// Where its images go.
    pub dataset: DatasetId,
    /// Chunks to begin with, and their run.
    pub queued: Vec<(ChunkId, i32)>,
}

/// Why a job was not written.
#[derive(Debug, thiserror::Error)]
pub enum InsertError {
    /// The user has no such dataset or project.
    #[error("no such dataset or project")]
    NoDestination,
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// Writes the job, its chunks and the entry in the activity log. The caller's transaction
/// must also queue what is returned.
///
/// # Errors
/// When the user has no such dataset or project, or the database fails; the transaction is then lost.
pub async fn insert(
    transaction: &mut PgConnection,
    user: UserId,
    spec: &JobSpec,
) -> Result<InsertedJob, InsertError> {
    let dataset = match spec.destination {
        Destination::Dataset(id) => {
            let lock = "select from public.datasets where user_id = $1 and id = $2 for key share";
            lock_owned(transaction, user, id.0, lock).await?;
            id
        }
        Destination::Project(id) => {
            let lock = "select from public.projects where user_id = $1 and id = $2 for key share";
            lock_owned(transaction, user, id.0, lock).await?;
            insert_dataset(transaction, user, Some(id), spec).await?
        }
        Destination::New => insert_dataset(transaction, user, None, spec).await?,
    };
    let job = insert_job(transaction, user, dataset, spec).await?;
    let queued = begin(transaction, user, dataset, job, spec).await?;
    Ok(InsertedJob { job, dataset, queued })
}

/// Gives a job that somebody else wrote what belongs to one, as it was understood: what the queue
/// must be told in the same transaction.
pub async fn begin_inserted(
    transaction: &mut PgConnection,
    job: &JobRow,
    spec: &JobSpec,
) -> sqlx::Result<Vec<(ChunkId, i32)>> {
    sqlx::query("delete from pixcrawler.inbox where job_id = $1")
        .bind(job.id)
        .execute(&mut *transaction)
        .await?;
    sqlx::query(
        "update public.crawl_jobs
            set name = $2, keywords = $3, status = $4, total_chunks = $5, sources = $6, options = $7, rules = $8,
                error = null, progress = 0, completed_at = null, updated_at = now()
          where id = $1",
    )
    .bind(job.id)
    .bind(&spec.name)
    .bind(Json(&spec.keywords))
    .bind(JobState::Pending.name())
    .bind(i32::try_from(spec.chunks.len()).unwrap_or(i32::MAX))
    .bind(Json(&spec.sources))
    .bind(Json(options(spec)))
    .bind(Json(&spec.rules))
    .execute(&mut *transaction)
    .await?;
    begin(transaction, job.user_id, job.dataset_id, job.id, spec).await
}

/// What the backend keeps beside the row of a job.
async fn begin(
    transaction: &mut PgConnection,
    user: UserId,
    dataset: DatasetId,
    job: JobId,
    spec: &JobSpec,
) -> sqlx::Result<Vec<(ChunkId, i32)>> {
    // As if refreshed long ago, so that the first image shows at once.
    sqlx::query(
        "insert into pixcrawler.job (job_id, dataset_id, wanted, wanted_is_default, refreshed_at, input, unlike)
         values ($1, $2, $3, $4, '-infinity', $5, nullif($6, ''::bytea))",
    )
    .bind(job)
    .bind(dataset)
    .bind(spec.max_images)
    .bind(spec.max_is_default)
    .bind(Json(Inputs { urls: spec.urls.clone(), labels: spec.labels.clone() }))
    .bind(spec.unlike.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>())
    .execute(&mut *transaction)
    .await?;
    sqlx::query("update public.datasets set crawl_job_id = $2, status = 'processing' where id = $1")
        .bind(dataset)
        .bind(job)
        .execute(&mut *transaction)
        .await?;
    let queued = insert_chunks(transaction, user, job, spec).await?;
    let metadata = json!({
        "name": spec.name,
        "keywords": spec.keywords,
        "urls": spec.urls,
        "sources": spec.sources,
        "max_images": spec.max_images,
    });
    activity::log(transaction, user, Action::StartCrawlJob, job, metadata).await?;
    Ok(queued)
}

fn options(spec: &JobSpec) -> JobOptions {
    JobOptions {
        sources: spec.options.clone(),
        safe_search: spec.safe_search,
        language: spec.language.clone(),
    }
}

/// Locks a dataset or project, so that it is not deleted until the job refers to it.
async fn lock_owned(
    transaction: &mut PgConnection,
    user: UserId,
    id: i32,
    lock: &'static str,
) -> Result<(), InsertError> {
    let found = sqlx::query(lock).bind(user).bind(id).fetch_optional(transaction).await?;
    found.map(drop).ok_or(InsertError::NoDestination)
}

async fn insert_dataset(
    transaction: &mut PgConnection,
    user: UserId,
    project: Option<ProjectId>,
    spec: &JobSpec,
) -> sqlx::Result<DatasetId> {
    sqlx::query_scalar(
        "insert into public.datasets (user_id, project_id, name, keywords, max_images, search_engines)
         values ($1, $2, $3, $4, $5, $6) returning id",
    )
    .bind(user)
    .bind(project)
    .bind(&spec.name)
    .bind(Json(&spec.keywords))
    .bind(spec.max_images)
    .bind(Json(&spec.sources))
    .fetch_one(transaction)
    .await
}

async fn insert_job(
    transaction: &mut PgConnection,
    user: UserId,
    dataset: DatasetId,
    spec: &JobSpec,
) -> sqlx::Result<JobId> {
    sqlx::query_scalar(
        "insert into public.crawl_jobs
             (user_id, dataset_id, name, keywords, max_images, status, total_chunks, sources, options, rules)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) returning id",
    )
    .bind(user)
    .bind(dataset)
    .bind(&spec.name)
    .bind(Json(&spec.keywords))
    .bind(spec.max_images)
    .bind(JobState::Pending.name())
    .bind(i32::try_from(spec.chunks.len()).unwrap_or(i32::MAX))
    .bind(Json(&spec.sources))
    .bind(Json(options(spec)))
    .bind(Json(&spec.rules))
    .fetch_one(transaction)
    .await
}

/// `image_range` is the chunk's share of the job's images as `{start, end}`, the end not
/// included. Chunks without a share wait as reserve.
async fn insert_chunks(
    transaction: &mut PgConnection,
    user: UserId,
    job: JobId,
    spec: &JobSpec,
) -> sqlx::Result<Vec<(ChunkId, i32)>> {
    let mut start = 0;
    let ranges = spec.chunks.iter().map(|chunk| {
        let range = json!({ "start": start, "end": start + chunk.share });
        start += chunk.share;
        range
    });
    let ranges: Vec<_> = ranges.collect();
    // An insert from a sorted select gives the ids in that order.
    let mut ids: Vec<ChunkId> = sqlx::query_scalar(
        "insert into public.job_chunks (user_id, job_id, chunk_index, image_range)
         select $1, $2, position - 1, range
         from unnest($3::jsonb[]) with ordinality as given (range, position)
         order by position
         returning id",
    )
    .bind(user)
    .bind(job)
    .bind(ranges)
    .fetch_all(&mut *transaction)
    .await?;
    ids.sort_unstable();

    let mut queued: Vec<(ChunkId, i32)> = sqlx::query_as(
        "insert into pixcrawler.chunk (id, job_id, source, label, input, rank, query, share, run, state, warnings)
         select id, $1, source, label, input, rank, query, share, (share > 0)::integer,
                case when share > 0 then 'queued' else 'satisfied' end, warnings
           from unnest($2::integer[], $3::jsonb[]) as given (id, chunk),
                jsonb_to_record(chunk) as c (source text, label text, input integer, rank integer, query jsonb,
                                             share integer, warnings jsonb)
         returning id, run",
    )
    .bind(job)
    .bind(&ids)
    .bind(spec.chunks.iter().map(Json).collect::<Vec<_>>())
    .fetch_all(transaction)
    .await?;
    queued.retain(|(_, run)| *run > 0);
    queued.sort_unstable();
    Ok(queued)
}
