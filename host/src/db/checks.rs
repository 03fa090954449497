//! What a dataset has kept, looked at again under other rules: what is known of each picture, and the end of
//! those that break one.
//!
//! Its functions fail when the database does.

use std::collections::BTreeSet;

use sqlx::{PgConnection, PgPool};

use crate::{
    db::{
        column::{ConsentSignals, LenientJson},
        job_lifecycle::{self, PlaceGivenBack, ToEnqueue},
        progress,
    },
    model::{ChunkId, ConsentSignal, DatasetId, Format, ImageId, JobId, PictureFacts, Rejection, Scores},
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
    consent: Option<LenientJson<ConsentSignals>>,
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

    /// What was read of its use; nothing where nobody looked.
    #[must_use]
    pub fn signals(&self) -> &[ConsentSignal] {
        self.consent.as_ref().map_or(&[], |consent| consent.0.0.as_slice())
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
        "select id, license, format, width, height, file_size, frames, brightness, contrast, sharpness,
                jpeg_quality, consent
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
/// look for others, also among the copies for which these stood. Objects are left to the sweep. Gives the chunks
/// that go on for it, to enqueue in the same transaction.
pub async fn refuse(
    connection: &mut PgConnection,
    dataset: DatasetId,
    broken: &[(ImageId, Rejection)],
) -> sqlx::Result<Vec<(JobId, ToEnqueue)>> {
    job_lifecycle::lock_dataset(connection, dataset).await?;
    let images: Vec<ImageId> = broken.iter().map(|(image, _)| *image).collect();
    let kept: Vec<(ImageId, JobId, Option<ChunkId>, i64)> = sqlx::query_as(
        "select id, crawl_job_id, chunk_id, coalesce(file_size, 0)::bigint from public.images
          where dataset_id = $1 and id = any ($2) and is_valid and not is_duplicate",
    )
    .bind(dataset)
    .bind(&images)
    .fetch_all(&mut *connection)
    .await?;
    if kept.is_empty() {
        return Ok(Vec::new());
    }
    let still: BTreeSet<ImageId> = kept.iter().map(|(image, ..)| *image).collect();
    let copies = copies_of_jobs_under_way(connection, dataset, &still).await?;
    let of_kept = kept.iter().map(|(_, job, ..)| *job);
    let jobs: BTreeSet<JobId> = of_kept.chain(copies.iter().map(|copy| copy.job_id)).collect();
    let given: Vec<PlaceGivenBack> = kept
        .iter()
        .map(|(_, job, chunk, bytes)| PlaceGivenBack { job: *job, chunk: *chunk, bytes: *bytes })
        .collect();
    job_lifecycle::lock_losers(connection, &jobs).await?;
    job_lifecycle::give_back(connection, &given).await?;
    write_refusals(connection, broken.iter().filter(|(image, _)| still.contains(image))).await?;
    try_again(connection, &copies).await?;
    let queued = job_lifecycle::make_up(connection, &jobs).await?;
    for job in jobs {
        progress::refresh(connection, job).await?;
    }
    job_lifecycle::publish_fewer(connection, dataset, kept.len() as i64).await?;
    Ok(queued)
}

/// A candidate that has the verdict that it is a duplicate.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
struct CopyRow {
    id: i64,
    job_id: JobId,
    chunk_id: ChunkId,
}

/// Those of these pictures' duplicates that jobs under way have found in the dataset.
async fn copies_of_jobs_under_way(
    connection: &mut PgConnection,
    dataset: DatasetId,
    images: &BTreeSet<ImageId>,
) -> sqlx::Result<Vec<CopyRow>> {
    sqlx::query_as(
        "select c.id, c.job_id, c.chunk_id
           from public.images i
           join pixcrawler.candidate c on c.image_id = i.id
           join public.crawl_jobs j on j.id = c.job_id
          where i.duplicate_of = any ($2) and i.is_duplicate and i.dataset_id = $1 and c.verdict is not null
            and j.status in ('pending', 'running')",
    )
    .bind(dataset)
    .bind(images.iter().copied().collect::<Vec<_>>())
    .fetch_all(connection)
    .await
}

/// Has candidates judged again, by jobs whose rows are locked: what they repeat is not kept any more.
async fn try_again(connection: &mut PgConnection, copies: &[CopyRow]) -> sqlx::Result<()> {
    if copies.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update pixcrawler.candidate
            set verdict = null, not_before = null, holds = 0, interruptions = 0, copy = 0, refused = '[]'
          where id = any ($1)",
    )
    .bind(copies.iter().map(|copy| copy.id).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    // One that had nothing more may be asked for these.
    sqlx::query(
        "update pixcrawler.chunk set state = 'satisfied', share = kept where id = any ($1) and state = 'exhausted'",
    )
    .bind(copies.iter().map(|copy| copy.chunk_id).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "update pixcrawler.job j set judged = j.judged - again.pictures
           from (select job, count(*)::integer as pictures from unnest($1::integer[]) as job group by job) as again
          where j.job_id = again.job",
    )
    .bind(copies.iter().map(|copy| copy.job_id).collect::<Vec<_>>())
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
