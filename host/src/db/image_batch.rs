//! Verdicts on pictures, written in batches: the one place where a job's quota is counted,
//! duplicates found and image rows made, so that a job keeps exactly what was asked.
//!
//! When the database fails, nothing is written.

use std::collections::HashMap;

use serde::Serialize;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, types::Json};

use crate::{
    db::{
        chunks::{ChunkProgress, ClaimedChunk, ReceivedBody, RejectedCopy},
        labels, progress,
    },
    model::{AcceptedImage, Candidate, ImageId, Provenance, Rejection, Verdict},
};

/// A picture of the backlog that was tried to the end.
#[derive(Clone, Debug)]
pub struct JudgedImage {
    /// `pixcrawler.candidate.id`.
    pub id: i64,
    /// What the source said.
    pub candidate: Candidate,
    /// The address of the copy that the outcome is about: the candidate's own or an alternate.
    pub address: String,
    /// What was received from there, when it was received whole.
    pub body: Option<ReceivedBody>,
    /// Copies that were rejected besides.
    pub rejected_copies: Vec<RejectedCopy>,
    /// Whether it is a picture that the job accepts.
    pub outcome: Result<AcceptedImage, Rejection>,
}

/// What a batch came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchResult {
    /// Images that were kept.
    pub kept: usize,
    /// Pictures that the dataset has already.
    pub duplicates: usize,
    /// Whether there was any verdict.
    pub written: bool,
    /// Whether the job's public row was refreshed.
    pub refreshed: bool,
}

/// Writes a batch in one transaction; none when the lease is lost, and then nothing is written.
/// Good pictures beyond the quota get no row and stay in the backlog. A verdict makes earlier crashes of
/// the chunk forgotten.
pub async fn record(
    pool: &PgPool,
    chunk: &mut ClaimedChunk,
    batch: &[JudgedImage],
) -> sqlx::Result<Option<BatchResult>> {
    let mut tx = pool.begin().await?;
    super::lock_dataset(&mut tx, chunk.dataset_id).await?;
    let Some(mut quota) = lock_quota(&mut tx, chunk).await? else { return Ok(None) };
    let known = known(&mut tx, chunk, batch).await?;
    let labels = labels::in_backlog(&mut tx, batch.iter().map(|judged| judged.id).collect()).await?;
    let rows = decide(chunk, batch, &known, &labels, &mut quota);
    insert(&mut tx, chunk, &rows).await?;
    let more = rows.iter().filter_map(|row| Some((row.duplicate_of?, row.labels.clone())));
    let mut changed = labels::add_to_images(&mut tx, chunk, more).await?;

    let count = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
    let (kept, duplicates) = (count(Verdict::Kept), count(Verdict::Duplicate));
    let bytes: i64 = rows
        .iter()
        .filter(|row| row.verdict == Verdict::Kept)
        .filter_map(|row| row.file_size.map(i64::from))
        .sum();
    let downloaded = integer(rows.iter().filter(|row| row.hash.is_some()).count());
    let got_on = !rows.is_empty();
    let progress: ChunkProgress = sqlx::query_as(
        "update pixcrawler.chunk
            set kept = kept + $2, crash_count = case when $3 then 0 else crash_count end,
                gave_way = gave_way and not $3, idle_since = case when $3 then null else idle_since end
          where id = $1
      returning kept, steps, asked, received, crash_count, errors_in_row, step_not_before, idle_since",
    )
    .bind(chunk.id)
    .bind(integer(kept))
    .bind(got_on)
    .fetch_one(&mut *tx)
    .await?;
    sqlx::query(
        "update pixcrawler.job
            set kept = kept + $2, judged = judged + $3, downloaded = downloaded + $4, bytes = bytes + $5
          where job_id = $1",
    )
    .bind(chunk.job_id)
    .bind(integer(kept))
    .bind(integer(rows.len()))
    .bind(downloaded)
    .bind(bytes)
    .execute(&mut *tx)
    .await?;
    let refreshed = progress::refresh_if_due(&mut tx, chunk.job_id).await?;
    changed.remove(&chunk.job_id);
    for job in changed {
        progress::refresh(&mut tx, job).await?;
    }
    tx.commit().await?;
    chunk.progress = progress;
    Ok(Some(BatchResult { kept, duplicates, written: got_on, refreshed }))
}

/// What a batch may still add.
struct Quota {
    of_chunk: i32,
    of_job: i32,
}

impl Quota {
    const fn take(&mut self) -> bool {
        let free = self.of_chunk > 0 && self.of_job > 0;
        if free {
            self.of_chunk -= 1;
            self.of_job -= 1;
        }
        free
    }
}

/// Locks the chunk by its lease and then the job's counter; none when the lease is lost.
async fn lock_quota(connection: &mut PgConnection, chunk: &ClaimedChunk) -> sqlx::Result<Option<Quota>> {
    let of_chunk: Option<(i32,)> = sqlx::query_as(
        "update pixcrawler.chunk set lease = lease where id = $1 and lease = $2 returning share - kept",
    )
    .bind(chunk.id)
    .bind(chunk.lease)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((of_chunk,)) = of_chunk else { return Ok(None) };
    let (of_job,): (i32,) =
        sqlx::query_as("select wanted - kept from pixcrawler.job where job_id = $1 for update")
            .bind(chunk.job_id)
            .fetch_one(&mut *connection)
            .await?;
    Ok(Some(Quota { of_chunk, of_job }))
}

/// Which of the batch's hashes the dataset has already, and as which image.
async fn known(
    connection: &mut PgConnection,
    chunk: &ClaimedChunk,
    batch: &[JudgedImage],
) -> sqlx::Result<HashMap<String, ImageId>> {
    let hashes: Vec<String> =
        batch.iter().filter_map(|judged| Some(judged.outcome.as_ref().ok()?.sha256.to_string())).collect();
    let known: Vec<(String, ImageId)> = sqlx::query_as(
        "select hash, id from public.images
          where dataset_id = $1 and hash = any ($2) and is_valid and not is_duplicate",
    )
    .bind(chunk.dataset_id)
    .bind(hashes)
    .fetch_all(connection)
    .await?;
    Ok(known.into_iter().collect())
}

/// Decides, in the order of the batch; good pictures beyond the quota get no row. What is there twice in
/// the batch is kept with the classes of both.
fn decide<'a>(
    chunk: &ClaimedChunk,
    batch: &'a [JudgedImage],
    known: &HashMap<String, ImageId>,
    own: &HashMap<i64, Vec<String>>,
    quota: &mut Quota,
) -> Vec<ImageInsert<'a>> {
    let mut kept_here = HashMap::new();
    let mut rows: Vec<ImageInsert<'_>> = Vec::with_capacity(batch.len());
    for judged in batch {
        let labels = labels::of(chunk, own.get(&judged.id).map_or(&[], Vec::as_slice));
        let (verdict, duplicate_of) = match &judged.outcome {
            Err(_) => (Verdict::Refused, None),
            Ok(accepted) => match known.get(&accepted.sha256.to_string()) {
                Some(image) => (Verdict::Duplicate, Some(*image)),
                None => match kept_here.get(&accepted.sha256) {
                    Some(row) => {
                        let kept: &mut ImageInsert<'_> = &mut rows[*row];
                        labels::join(&mut kept.labels, &labels);
                        (Verdict::Duplicate, None)
                    }
                    None if quota.take() => {
                        kept_here.insert(accepted.sha256, rows.len());
                        (Verdict::Kept, None)
                    }
                    None => continue,
                },
            },
        };
        rows.push(ImageInsert::new(judged, labels, verdict, duplicate_of));
    }
    rows
}

/// A row of `public.images` as a batch writes it, under the names of its columns, and what
/// `pixcrawler.candidate` learns.
#[derive(Serialize)]
struct ImageInsert<'a> {
    candidate: i64,
    verdict: Verdict,
    labels: Vec<String>,
    original_url: &'a str,
    asked_url: Option<&'a str>,
    filename: String,
    width: Option<u32>,
    height: Option<u32>,
    file_size: Option<i32>,
    format: Option<&'static str>,
    frames: Option<u32>,
    hash: Option<String>,
    crc32: Option<u32>,
    phash: Option<i64>,
    is_valid: bool,
    is_duplicate: bool,
    /// Where that was there before this batch.
    duplicate_of: Option<ImageId>,
    reason: Option<&'static str>,
    #[serde(flatten)]
    provenance: Provenance,
    source_id: Option<&'a str>,
    declared_width: Option<i32>,
    declared_height: Option<i32>,
    declared_mime: Option<&'a str>,
    declared_size: Option<i64>,
    metadata: serde_json::Value,
}

impl<'a> ImageInsert<'a> {
    fn new(
        judged: &'a JudgedImage,
        labels: Vec<String>,
        verdict: Verdict,
        duplicate_of: Option<ImageId>,
    ) -> Self {
        let JudgedImage { candidate, address, body, outcome, .. } = judged;
        let accepted = outcome.as_ref().ok();
        let rejection = outcome.as_ref().err();
        // Of what was rejected, the address that was asked is the one to be found by.
        let original_url = if accepted.is_some() { address } else { &candidate.url };
        let final_url = body.as_ref().map_or(address, |body| &body.final_url);
        let rejected_copies = (!judged.rejected_copies.is_empty()).then_some(&judged.rejected_copies);
        Self {
            candidate: judged.id,
            verdict,
            labels,
            original_url,
            asked_url: (*original_url != candidate.url).then_some(&candidate.url),
            filename: accepted.map_or_else(
                || last_segment(final_url),
                |accepted| format!("{}.{}", accepted.sha256, accepted.format.extension()),
            ),
            width: accepted.map(|accepted| accepted.width),
            height: accepted.map(|accepted| accepted.height),
            file_size: body.as_ref().map(|body| integer(body.size)),
            format: accepted.map(|accepted| accepted.format.name()),
            frames: accepted.map(|accepted| accepted.frames),
            hash: body.as_ref().map(|body| body.sha256.to_string()),
            crc32: accepted.map(|accepted| accepted.crc32),
            phash: accepted.map(|accepted| accepted.phash.cast_signed()),
            is_valid: accepted.is_some(),
            is_duplicate: verdict == Verdict::Duplicate,
            duplicate_of,
            reason: rejection.map(|rejection| rejection.reason.code()),
            provenance: candidate.into(),
            source_id: candidate.id.as_deref(),
            declared_width: candidate.dimensions.map(|(width, _)| integer(width)),
            declared_height: candidate.dimensions.map(|(_, height)| integer(height)),
            declared_mime: candidate.mime.as_deref(),
            declared_size: candidate.byte_size.map(|size| i64::try_from(size).unwrap_or(i64::MAX)),
            metadata: serde_json::json!({
                "detail": rejection.map(|rejection| &rejection.detail),
                "final_url": (final_url != original_url).then_some(final_url),
                "refused_copies": rejected_copies,
                "published": candidate.published,
                "tags": candidate.tags,
                "extra": candidate.extra,
            }),
        }
    }
}

/// Writes the rows, and the verdicts into the backlog. A picture that was judged before, in an earlier try
/// of the job, has its row changed in place.
async fn insert(
    connection: &mut PgConnection,
    chunk: &ClaimedChunk,
    rows: &[ImageInsert<'_>],
) -> sqlx::Result<()> {
    sqlx::query(AssertSqlSafe(format!(
        "with judged as (
            select i.*, j.judged_image
              from jsonb_array_elements($5) as j (judged_image)
              join pixcrawler.candidate c on c.id = (j.judged_image ->> 'candidate')::bigint
             cross join jsonb_populate_record(null::public.images, j.judged_image || jsonb_build_object(
                        'id', coalesce(c.image_id, nextval('public.images_id_seq')))) as i),
         written as (
            insert into public.images (
                   id, crawl_job_id, chunk_id, user_id, dataset_id, source, labels, storage_url, duplicate_of,
                   original_url, asked_url, filename, width, height, file_size, format, frames, hash, crc32,
                   phash, is_valid, is_duplicate, reason, metadata, source_id, declared_width, declared_height,
                   declared_mime, declared_size, {provenance})
            select id, $1, $2, $3, $4, $6, labels,
                   case when is_valid and not is_duplicate then '/api/v1/images/' || id || '/file' end,
                   -- Of an image of the same batch the id is known only now.
                   coalesce(duplicate_of, (select kept.id from judged kept
                                            where judged.is_duplicate and kept.hash = judged.hash
                                              and kept.is_valid and not kept.is_duplicate)),
                   original_url, asked_url, filename, width, height, file_size, format, frames, hash, crc32,
                   phash, is_valid, is_duplicate, reason, jsonb_strip_nulls(metadata), source_id, declared_width,
                   declared_height, declared_mime, declared_size, {provenance}
              from judged
                on conflict (id) do update
               set labels = excluded.labels, original_url = excluded.original_url, asked_url = excluded.asked_url,
                   filename = excluded.filename, storage_url = excluded.storage_url, width = excluded.width,
                   height = excluded.height, file_size = excluded.file_size, format = excluded.format,
                   frames = excluded.frames, hash = excluded.hash, crc32 = excluded.crc32, phash = excluded.phash,
                   is_valid = excluded.is_valid, is_duplicate = excluded.is_duplicate,
                   duplicate_of = excluded.duplicate_of, reason = excluded.reason,
                   metadata = excluded.metadata, downloaded_at = now())
         update pixcrawler.candidate c set verdict = judged.judged_image ->> 'verdict', image_id = judged.id
           from judged where c.id = (judged.judged_image ->> 'candidate')::bigint",
        provenance = Provenance::COLUMNS,
    )))
    .bind(chunk.job_id)
    .bind(chunk.id)
    .bind(chunk.user_id)
    .bind(chunk.dataset_id)
    .bind(Json(rows))
    .bind(&chunk.source)
    .execute(connection)
    .await?;
    Ok(())
}

/// The last segment of an address' path, as a name for what has no content to be named by.
fn last_segment(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').find(|segment| !segment.is_empty()).unwrap_or("unnamed").chars().take(255).collect()
}

/// What no column holds is the most that one does.
fn integer(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}
