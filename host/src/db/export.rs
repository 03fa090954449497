//! What a job or a dataset has kept and what a job has not, for dataset folders and listings.
//!
//! Its functions fail when the database does.

use serde::Serialize;
use sqlx::{AssertSqlSafe, FromRow, PgPool};

use crate::{
    db::{column::ConsentTexts, images::ImageScope},
    model::{ImageId, JobId, Provenance, Scores, UserId},
};

/// A kept image with its provenance, under the keys of `metadata.jsonl`.
#[derive(Clone, Debug, FromRow, Serialize)]
pub struct DatasetRecord {
    /// Which image.
    #[serde(skip)]
    pub id: ImageId,
    /// Class of the image: that of its folder.
    pub label: String,
    /// All its classes, that one first.
    #[sqlx(json)]
    pub labels: Vec<String>,
    /// The source's own words for what it shows.
    #[sqlx(json)]
    pub tags: Vec<String>,
    /// Where it came from.
    pub url: String,
    /// The address that was asked first, where that is another.
    pub asked_url: Option<String>,
    /// Which plugin.
    pub source: Option<String>,
    /// What the source says of it.
    #[serde(flatten)]
    #[sqlx(flatten)]
    pub provenance: Provenance,
    /// What its owner says of its use by machines; none where nothing was read or nobody looked.
    #[sqlx(json)]
    pub consent: ConsentTexts,
    /// In pixels.
    pub width: i32,
    /// In pixels.
    pub height: i32,
    /// In bytes.
    pub size: i32,
    /// In hexadecimal.
    pub sha256: String,
    /// Perceptual hash, 64 hexadecimal digits.
    pub pdq: Option<String>,
    /// How good it looks.
    #[serde(flatten)]
    #[sqlx(flatten)]
    pub scores: Scores,
    /// Format, as in `Format::name`.
    #[serde(skip)]
    pub format: String,
}

/// A picture that a job found and did not keep, under the keys of `refused.jsonl`.
#[derive(Clone, Debug, FromRow, Serialize)]
pub struct RefusedRecord {
    /// Which image.
    #[serde(skip)]
    pub id: ImageId,
    /// Where it was looked for.
    pub url: String,
    /// Code of the refusal, or `duplicate`.
    pub code: String,
    /// For people.
    pub detail: Option<String>,
    /// SHA-256 of the picture that it is a copy of, in hexadecimal.
    pub duplicate_of: Option<String>,
    /// The page a person would open to see it.
    pub page_url: Option<String>,
    /// Which plugin.
    pub source: Option<String>,
    /// Class that it would have had.
    pub label: String,
}

/// The classes of a job or dataset of this user, each once: those of its inputs, with images or not, and those
/// of images.
pub async fn classes(pool: &PgPool, user: UserId, scope: ImageScope) -> sqlx::Result<Vec<String>> {
    let (column, id) = scope.column();
    let of_job = match scope {
        ImageScope::Job(_) => "id",
        ImageScope::Dataset(_) => "dataset_id",
    };
    sqlx::query_scalar(AssertSqlSafe(format!(
        "select chunk.label from pixcrawler.chunk join public.crawl_jobs job on job.id = chunk.job_id
          where job.user_id = $1 and job.{of_job} = $2
          union
         select labels ->> 0 from public.images
          where user_id = $1 and {column} = $2 and is_valid and not is_duplicate and labels ->> 0 is not null",
    )))
    .bind(user)
    .bind(id)
    .fetch_all(pool)
    .await
}

/// The next images that a job or dataset of this user has kept, after `after`, by id.
pub async fn kept(
    pool: &PgPool,
    user: UserId,
    scope: ImageScope,
    after: ImageId,
    limit: i64,
) -> sqlx::Result<Vec<DatasetRecord>> {
    let (column, id) = scope.column();
    sqlx::query_as(AssertSqlSafe(format!(
        "select id, coalesce(labels ->> 0, '') as label, coalesce(to_jsonb(labels), '[]') as labels,
                coalesce(to_jsonb(metadata) -> 'tags', '[]') as tags, original_url as url, asked_url, source, {provenance},
                coalesce(consent, '[]') as consent, width, height, file_size as size, hash as sha256, pdq,
                {scores}, format
           from public.images
          where user_id = $1 and {column} = $2 and id > $3 and is_valid and not is_duplicate
          order by id limit $4",
        provenance = Provenance::COLUMNS,
        scores = Scores::COLUMNS,
    )))
    .bind(user)
    .bind(id)
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// The next pictures that a job of this user has found and not kept, after `after`, by id.
pub async fn refused(
    pool: &PgPool,
    user: UserId,
    job: JobId,
    after: ImageId,
    limit: i64,
) -> sqlx::Result<Vec<RefusedRecord>> {
    sqlx::query_as(
        "select id, original_url as url, case when is_duplicate then 'duplicate' else reason end as code,
                metadata ->> 'detail' as detail, case when is_duplicate then coalesce((select kept.hash from public.images kept where kept.id = images.duplicate_of), hash) end
                    as duplicate_of, page_url,
                source, coalesce(labels ->> 0, '') as label
           from public.images
          where user_id = $1 and crawl_job_id = $2 and id > $3 and (is_duplicate or not is_valid)
            -- Rows of the frontend's own have neither.
            and (is_duplicate or reason is not null)
          order by id limit $4",
    )
    .bind(user)
    .bind(job)
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await
}
