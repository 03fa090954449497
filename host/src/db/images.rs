//! `images`: every download leaves a row, kept or not.
//!
//! Its functions fail when the database does.

use sqlx::{AssertSqlSafe, PgConnection, PgPool, types::Json};

use crate::{
    db::column::{LenientJson, Texts, Timestamp},
    model::{
        ChunkId, ConsentSignal, DatasetId, Decoded, ImageId, JobId, PictureHash, Provenance, Refusal,
        Rejection, Scores, Sha256, UserId, Verdict,
    },
};

/// A row of `images`.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "columns, as the frontend declares them; meanings are in the API's document")]
pub struct ImageRow {
    pub id: ImageId,
    pub user_id: UserId,
    pub crawl_job_id: JobId,
    pub dataset_id: Option<DatasetId>,
    pub chunk_id: Option<ChunkId>,
    pub original_url: String,
    pub asked_url: Option<String>,
    pub filename: String,
    pub storage_url: Option<String>,
    pub width: Option<i32>,
    pub height: Option<i32>,
    pub file_size: Option<i32>,
    pub format: Option<String>,
    pub hash: Option<String>,
    pub pdq: Option<String>,
    pub pdq_quality: Option<i16>,
    pub pdq_trimmed: Option<String>,
    #[sqlx(flatten)]
    pub scores: Scores,
    pub frames: Option<i32>,
    pub is_valid: bool,
    pub is_duplicate: bool,
    pub duplicate_of: Option<ImageId>,
    pub reason: Option<String>,
    pub source: Option<String>,
    pub source_id: Option<String>,
    #[sqlx(flatten)]
    pub provenance: Provenance,
    pub declared_width: Option<i32>,
    pub declared_height: Option<i32>,
    pub declared_mime: Option<String>,
    pub declared_size: Option<i64>,
    pub labels: Option<LenientJson<Texts>>,
    pub consent: Option<LenientJson<Vec<ConsentSignal>>>,
    pub metadata: Option<Json<serde_json::Value>>,
    pub downloaded_at: Timestamp,
    pub created_at: Timestamp,
}

impl ImageRow {
    /// What became of it.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        match (self.is_duplicate, self.is_valid) {
            (true, _) => Verdict::Duplicate,
            (false, true) => Verdict::Kept,
            (false, false) => Verdict::Refused,
        }
    }
}

/// Where images are looked for.
#[derive(Clone, Copy, Debug)]
pub enum ImageScope {
    /// What a job brought.
    Job(JobId),
    /// What the jobs of a dataset brought.
    Dataset(DatasetId),
}

impl ImageScope {
    /// The column that says so, and what stands in it.
    pub(super) const fn column(self) -> (&'static str, i32) {
        match self {
            Self::Job(job) => ("crawl_job_id", job.0),
            Self::Dataset(dataset) => ("dataset_id", dataset.0),
        }
    }
}

/// Which images are wanted; none of the fields means all.
#[derive(Clone, Debug, Default)]
pub struct ImageFilter {
    /// With this verdict.
    pub verdict: Option<Verdict>,
    /// Refused for this.
    pub reason: Option<Refusal>,
    /// From exactly this address, or asked for there first.
    pub url: Option<String>,
    /// With this among their labels.
    pub label: Option<String>,
    /// From this source.
    pub source: Option<String>,
    /// Under this licence; an empty one means those of which none is known.
    pub license: Option<String>,
}

/// At most `limit` images of this user, in the order in which they came, after `after`.
pub async fn list(
    db: &PgPool,
    user: UserId,
    scope: ImageScope,
    filter: &ImageFilter,
    after: Option<ImageId>,
    limit: i64,
) -> sqlx::Result<Vec<ImageRow>> {
    let (column, id) = scope.column();
    sqlx::query_as(AssertSqlSafe(format!(
        // The inner query walks an index that has the order; seen together with the filters, of which few
        // rows are expected, the planner would rather read all rows of the dataset, and sort.
        "select * from (
            select * from public.images
             where user_id = $1 and {column} = $2 and id > coalesce($3, 0)
             order by id offset 0) as listed
          where case $4
                    when 'kept' then is_valid and not is_duplicate
                    when 'refused' then not is_valid and not is_duplicate
                    when 'duplicate' then is_duplicate
                    else true
                end
            and ($5::text is null or reason = $5)
            and ($6::text is null or original_url = $6 or asked_url = $6)
            and ($7::text is null or to_jsonb(labels) @> jsonb_build_array($7))
            and ($8::text is null or source = $8)
            and ($9::text is null or coalesce(license, '') = $9)
          order by id limit $10",
    )))
    .bind(user)
    .bind(id)
    .bind(after)
    .bind(filter.verdict.map(Verdict::name))
    .bind(filter.reason.map(Refusal::code))
    .bind(&filter.url)
    .bind(&filter.label)
    .bind(&filter.source)
    .bind(&filter.license)
    .bind(limit)
    .fetch_all(db)
    .await
}

/// An image of this user.
pub async fn show(db: &PgPool, user: UserId, image: ImageId) -> sqlx::Result<Option<ImageRow>> {
    sqlx::query_as("select * from public.images where user_id = $1 and id = $2")
        .bind(user)
        .bind(image)
        .fetch_optional(db)
        .await
}

/// An image of whoever: for the operator, never for a user.
pub async fn of_anybody(db: &PgPool, image: ImageId) -> sqlx::Result<Option<ImageRow>> {
    sqlx::query_as("select * from public.images where id = $1").bind(image).fetch_optional(db).await
}

/// Gives a kept image of this user, in this dataset, these labels, which no crawl changes after that: its
/// job. None when it is not kept.
pub async fn set_labels(
    connection: &mut PgConnection,
    user: UserId,
    dataset: Option<DatasetId>,
    image: ImageId,
    labels: &[String],
) -> sqlx::Result<Option<JobId>> {
    // Crawls take it before they look at labels, and write them.
    if let Some(dataset) = dataset {
        super::lock_dataset(connection, dataset).await?;
    }
    sqlx::query_scalar(
        "update public.images set labels = $3, labels_set_at = now()
          where user_id = $1 and id = $2 and is_valid and not is_duplicate
      returning crawl_job_id",
    )
    .bind(user)
    .bind(image)
    .bind(Json(labels))
    .fetch_optional(connection)
    .await
}

/// The files of a job.
#[derive(Clone, Debug)]
pub struct KeptFiles {
    /// How many.
    pub count: i64,
    /// Of all.
    pub bytes: i64,
    /// The first ones, in the order in which they came.
    pub first: Vec<KeptFile>,
}

/// A file that was kept.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct KeptFile {
    /// Its image.
    pub id: ImageId,
    /// SHA-256 and extension.
    pub filename: String,
    /// Its size.
    pub bytes: i64,
}

/// What a job of this user has kept, with at most `limit` files by name.
pub async fn kept_files(db: &PgPool, user: UserId, job: JobId, limit: i64) -> sqlx::Result<KeptFiles> {
    let (count, bytes) = sqlx::query_as(
        "select count(*), coalesce(sum(file_size), 0)::bigint from public.images
          where user_id = $1 and crawl_job_id = $2 and is_valid and not is_duplicate",
    )
    .bind(user)
    .bind(job)
    .fetch_one(db)
    .await?;
    let first = sqlx::query_as(
        "select id, filename, coalesce(file_size, 0)::bigint as bytes from public.images
          where user_id = $1 and crawl_job_id = $2 and is_valid and not is_duplicate
          order by id limit $3",
    )
    .bind(user)
    .bind(job)
    .bind(limit)
    .fetch_all(db)
    .await?;
    Ok(KeptFiles { count, bytes, first })
}

/// What decoding bytes with this hash came to when this dataset got them before, whatever the job asked
/// for: they are a sound picture, or refused as `corrupt`, `decoder-fault`, `too-costly`, `truncated` or
/// `unsupported-format`. None also for what a retry tries again.
pub async fn known_bytes(
    pool: &PgPool,
    dataset: DatasetId,
    sha256: &Sha256,
) -> sqlx::Result<Option<Result<Decoded, Rejection>>> {
    /// The hash, the scores and the frames of a sound one, or why it was refused and how.
    type KnownBytesRow =
        (Option<Json<PictureHash>>, Option<Json<Scores>>, Option<i32>, Option<Json<Refusal>>, Option<String>);
    let row: Option<KnownBytesRow> = sqlx::query_as(
        "(select jsonb_build_object('pdq', pdq, 'quality', pdq_quality, 'trimmed', pdq_trimmed),
                jsonb_build_object('brightness', brightness, 'contrast', contrast, 'sharpness', sharpness,
                                   'jpeg_quality', jpeg_quality),
                frames, null::jsonb, null
            from public.images
           where dataset_id = $1 and hash = $2 and is_valid and not is_duplicate
             -- Rows of earlier versions have another hash, and no scores.
             and pdq is not null and pdq_quality is not null and sharpness is not null)
         union all
         (select null, null, null, to_jsonb(reason), metadata->>'detail' from public.images i
           where dataset_id = $1 and hash = $2 and reason in ('corrupt', 'decoder-fault', 'too-costly', 'truncated', 'unsupported-format')
             -- The limits of another day may be others.
             and (reason <> 'too-costly' or created_at > now() - interval '1 day')
             and not exists (select from pixcrawler.candidate c where c.image_id = i.id and c.verdict is null))
         limit 1",
    )
    .bind(dataset)
    .bind(sha256.to_string())
    .fetch_optional(pool)
    .await?;
    Ok(row.and_then(|row| match row {
        (Some(Json(hash)), scores, frames, ..) => {
            let frames = frames.and_then(|frames| u32::try_from(frames).ok()).unwrap_or(1);
            let scores = scores.map(|Json(scores)| scores).unwrap_or_default();
            Some(Ok(Decoded { hash, scores, frames }))
        }
        (None, _, _, Some(Json(reason)), detail) => {
            Some(Err(Rejection::new(reason, detail.unwrap_or_default())))
        }
        (None, _, _, None, _) => None,
    }))
}
