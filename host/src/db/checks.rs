//! What a dataset has kept, looked at again under other rules: what is known of each picture, and the end of
//! those that break one.
//!
//! Its functions fail when the database does.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{PgConnection, PgPool};

use crate::{
    db::{job_lifecycle, progress},
    model::{ChunkId, DatasetId, Format, ImageId, JobId, PictureFacts, Rejection, Scores},
};

/// A kept picture as rules look at it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct KeptRow {
    /// Its row.
    pub id: ImageId,
    /// Licence id, where one is known.
    pub license: Option<String>,
    format: Option<String>,
    width: Option<i32>,
    height: Option<i32>,
    file_size: Option<i32>,
    frames: Option<i32>,
    #[sqlx(flatten)]
    scores: Scores,
}

/// What went out of a dataset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// Pictures that were kept until now.
    pub images: u64,
    /// Of all of them.
    pub bytes: u64,
}

impl KeptRow {
    /// What rules look at; none where the row, which somebody else wrote, says too little.
    #[must_use]
    pub fn facts(&self) -> Option<PictureFacts> {
        let number = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
        Some(PictureFacts {
            format: self.format.as_deref().and_then(Format::named)?,
            width: number(self.width)?,
            height: number(self.height)?,
            bytes: self.bytes(),
            frames: number(self.frames).unwrap_or(1),
            scores: self.scores,
        })
    }

    /// Of the file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.file_size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default()
    }
}

/// How many pictures a dataset has kept.
pub async fn count(pool: &PgPool, dataset: DatasetId) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "select count(*) from public.images where dataset_id = $1 and is_valid and not is_duplicate",
    )
    .bind(dataset)
    .fetch_one(pool)
    .await
}

/// At most `limit` pictures that a dataset has kept, in the order in which they came, after `after`.
pub async fn page(
    pool: &PgPool,
    dataset: DatasetId,
    after: ImageId,
    limit: i64,
) -> sqlx::Result<Vec<KeptRow>> {
    sqlx::query_as(
        "select id, license, format, width, height, file_size, frames, brightness, contrast, sharpness, jpeg_quality
           from public.images
          where dataset_id = $1 and id > $2 and is_valid and not is_duplicate
          order by id limit $3",
    )
    .bind(dataset)
    .bind(after)
    .bind(limit)
    .fetch_all(pool)
    .await
}

/// Makes refusals of pictures that the dataset has kept still: its jobs have as many less, and those that go on
/// look for others. Objects are left to the sweep.
pub async fn refuse(
    pool: &PgPool,
    dataset: DatasetId,
    broken: &[(ImageId, Rejection)],
) -> sqlx::Result<Refused> {
    let mut tx = pool.begin().await?;
    job_lifecycle::lock_dataset(&mut tx, dataset).await?;
    let images: Vec<ImageId> = broken.iter().map(|(image, _)| *image).collect();
    let kept: Vec<(ImageId, JobId, Option<ChunkId>, i64)> = sqlx::query_as(
        "select id, crawl_job_id, chunk_id, coalesce(file_size, 0)::bigint from public.images
          where dataset_id = $1 and id = any ($2) and is_valid and not is_duplicate",
    )
    .bind(dataset)
    .bind(&images)
    .fetch_all(&mut *tx)
    .await?;
    if kept.is_empty() {
        return Ok(Refused::default());
    }
    let mut of_chunks: BTreeMap<ChunkId, i32> = BTreeMap::new();
    let mut of_jobs: BTreeMap<JobId, (i32, i64)> = BTreeMap::new();
    for (_, job, chunk, bytes) in &kept {
        let (images, all_bytes) = of_jobs.entry(*job).or_default();
        (*images, *all_bytes) = (*images + 1, *all_bytes + bytes);
        if let Some(chunk) = chunk {
            *of_chunks.entry(*chunk).or_default() += 1;
        }
    }
    lower_counters(&mut tx, &of_chunks, &of_jobs).await?;
    let still: BTreeSet<ImageId> = kept.iter().map(|(image, ..)| *image).collect();
    write_refusals(&mut tx, broken.iter().filter(|(image, _)| still.contains(image))).await?;
    for job in of_jobs.keys() {
        progress::refresh(&mut tx, *job).await?;
    }
    job_lifecycle::publish_dataset(&mut tx, dataset).await?;
    tx.commit().await?;
    let bytes: i64 = kept.iter().map(|(.., bytes)| bytes).sum();
    Ok(Refused { images: kept.len() as u64, bytes: u64::try_from(bytes).unwrap_or_default() })
}

/// Counts what went off chunks and jobs, in the common order. Chunks that are over gave as many less.
async fn lower_counters(
    connection: &mut PgConnection,
    of_chunks: &BTreeMap<ChunkId, i32>,
    of_jobs: &BTreeMap<JobId, (i32, i64)>,
) -> sqlx::Result<()> {
    let chunks: Vec<ChunkId> = of_chunks.keys().copied().collect();
    let jobs: Vec<JobId> = of_jobs.keys().copied().collect();
    sqlx::query("select from pixcrawler.chunk where id = any ($1) order by id for update")
        .bind(&chunks)
        .execute(&mut *connection)
        .await?;
    sqlx::query("select from pixcrawler.job where job_id = any ($1) order by job_id for update")
        .bind(&jobs)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "update pixcrawler.chunk c
            set kept = kept - gone.images,
                share = case when state in ('queued', 'running', 'waiting') then share else share - gone.images end
           from unnest($1::integer[], $2::integer[]) as gone (id, images)
          where c.id = gone.id",
    )
    .bind(&chunks)
    .bind(of_chunks.values().copied().collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "update pixcrawler.job j set kept = kept - gone.images, bytes = j.bytes - gone.bytes
           from unnest($1::integer[], $2::integer[], $3::bigint[]) as gone (id, images, bytes)
          where j.job_id = gone.id",
    )
    .bind(&jobs)
    .bind(of_jobs.values().map(|(images, _)| *images).collect::<Vec<_>>())
    .bind(of_jobs.values().map(|(_, bytes)| *bytes).collect::<Vec<_>>())
    .execute(connection)
    .await
    .map(drop)
}

/// Writes the refusals into rows and backlog.
async fn write_refusals(
    connection: &mut PgConnection,
    refusals: impl Iterator<Item = &(ImageId, Rejection)>,
) -> sqlx::Result<()> {
    let (mut images, mut reasons, mut details) = (Vec::new(), Vec::new(), Vec::new());
    for (image, rejection) in refusals {
        images.push(*image);
        reasons.push(rejection.reason.code());
        details.push(rejection.detail.as_str());
    }
    sqlx::query(
        "update public.images i
            set is_valid = false, storage_url = null, reason = refused.reason,
                metadata = coalesce(to_jsonb(metadata), '{}') || jsonb_build_object('detail', refused.detail)
           from unnest($1::integer[], $2::text[], $3::text[]) as refused (id, reason, detail)
          where i.id = refused.id",
    )
    .bind(&images)
    .bind(&reasons)
    .bind(&details)
    .execute(&mut *connection)
    .await?;
    sqlx::query("update pixcrawler.candidate set verdict = 'refused' where image_id = any ($1)")
        .bind(&images)
        .execute(connection)
        .await
        .map(drop)
}
