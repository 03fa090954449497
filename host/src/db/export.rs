//! What a job has kept, for a dataset folder.

use sqlx::{FromRow, PgPool};

use crate::model::{ImageId, JobId, UserId};

/// A kept image with its provenance.
#[derive(Clone, Debug, FromRow)]
pub struct DatasetRecord {
    /// Which image.
    pub id: ImageId,
    /// Class of the image.
    pub label: String,
    /// SHA-256 in hexadecimal.
    pub hash: String,
    /// Format, as in `Format::name`.
    pub format: String,
    /// In pixels.
    pub width: i32,
    /// In pixels.
    pub height: i32,
    /// In bytes.
    pub file_size: i32,
    /// Perceptual hash.
    pub phash: Option<i64>,
    /// Where it came from.
    pub original_url: String,
    /// The address that was asked first, where that is another.
    pub asked_url: Option<String>,
    /// Which plugin.
    pub source: Option<String>,
    /// The page a person would open.
    pub page_url: Option<String>,
    /// Title.
    pub title: Option<String>,
    /// Description or alternative text.
    pub description: Option<String>,
    /// Who made it.
    pub creator: Option<String>,
    /// The creator's page.
    pub creator_url: Option<String>,
    /// Licence id.
    pub license: Option<String>,
    /// The licence's text.
    pub license_url: Option<String>,
    /// The line to print beside it.
    pub attribution: Option<String>,
}

/// The classes of a job of this user, those without images included.
///
/// # Errors
/// When the database fails.
pub async fn classes(pool: &PgPool, user: UserId, job: JobId) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar(
        "select distinct chunk.label from pixcrawler.chunk join public.crawl_jobs job on job.id = chunk.job_id
          where job.user_id = $1 and job.id = $2",
    )
    .bind(user)
    .bind(job)
    .fetch_all(pool)
    .await
}

/// The next images that a job of this user has kept, after `after`, by id.
///
/// # Errors
/// When the database fails.
pub async fn kept(
    pool: &PgPool,
    user: UserId,
    job: JobId,
    after: ImageId,
    limit: i64,
) -> sqlx::Result<Vec<DatasetRecord>> {
    sqlx::query_as(
        "select id, coalesce(labels ->> 0, '') as label, hash, format, width, height, file_size, phash, original_url,
                asked_url, source, page_url, title, description, creator, creator_url, license, license_url, attribution
           from public.images
          where user_id = $1 and crawl_job_id = $2 and id > $3 and is_valid and not is_duplicate
          order by id limit $4",
    )
    .bind(user)
    .bind(job)
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await
}
