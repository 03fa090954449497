//! Verdicts on pictures, written in batches: the one place where slots are counted,
//! duplicates found and image rows made, so that a job keeps exactly what was asked.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgConnection, PgPool, types::Json};

use crate::{
    db::chunks::ClaimedChunk,
    model::{AcceptedImage, Candidate, ImageId, Refusal, Sha256},
};

/// What became of one picture of the backlog.
#[derive(Clone, Debug)]
pub struct JudgedImage {
    /// `pixcrawler.candidate.id`.
    pub candidate: i64,
    /// What the source said.
    pub said: Candidate,
    /// The address of the copy that the outcome is about: the candidate's own or an alternate.
    pub address: String,
    /// What was received from there, when it was received whole.
    pub body: Option<ReceivedBody>,
    /// Copies that were refused besides.
    pub refused: Vec<RejectedCopy>,
    /// Whether it is a picture that the job accepts.
    pub outcome: Result<AcceptedImage, Rejection>,
}

/// Why a picture was refused.
#[derive(Clone, Debug)]
pub struct Rejection {
    /// The code.
    pub reason: Refusal,
    /// For people.
    pub detail: String,
}

/// A copy of a picture that was refused, while there was another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedCopy {
    /// Its address.
    pub url: String,
    /// The code.
    pub reason: Refusal,
    /// For people.
    pub detail: String,
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

/// What a batch came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchResult {
    /// Images that the chunk has now.
    pub kept: i32,
    /// Pictures that the dataset has already.
    pub duplicates: usize,
    /// Good pictures for which there was no slot; they stay in the backlog.
    pub surplus: usize,
    /// Whether there was any verdict.
    pub written: bool,
    /// Whether the job's public row was refreshed.
    pub refreshed: bool,
}

/// Writes a batch in one transaction; none when the lease is lost, and then nothing is written.
/// A verdict makes earlier crashes of the chunk forgotten.
///
/// # Errors
/// When the database fails; nothing is written.
pub async fn record(
    pool: &PgPool,
    chunk: &ClaimedChunk,
    batch: &[JudgedImage],
) -> sqlx::Result<Option<BatchResult>> {
    let mut tx = pool.begin().await?;
    super::lock_dataset(&mut tx, chunk.dataset_id).await?;
    let Some(mut slots) = slots(&mut tx, chunk).await? else { return Ok(None) };
    let known = known(&mut tx, chunk, batch).await?;
    let rows = rows(batch, &known, &mut slots);

    let images = insert_images(&mut tx, chunk, &rows).await?;
    judge(&mut tx, &rows, &images).await?;
    link_duplicates(&mut tx, &rows, &images).await?;

    let kept = count(&rows, RowVerdict::Kept);
    let downloaded =
        i32::try_from(rows.iter().filter(|row| row.judged.body.is_some()).count()).unwrap_or(i32::MAX);
    let got_on = !rows.is_empty();
    sqlx::query(
        "update pixcrawler.chunk
            set kept = kept + $2, crash_count = case when $3 then 0 else crash_count end,
                gave_way = gave_way and not $3, idle_since = case when $3 then null else idle_since end
          where id = $1",
    )
    .bind(chunk.id)
    .bind(kept)
    .bind(got_on)
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "update pixcrawler.job set kept = kept + $2, judged = judged + $3, downloaded = downloaded + $4 where job_id = $1",
    )
    .bind(chunk.job_id)
    .bind(kept)
    .bind(i32::try_from(rows.len()).unwrap_or(i32::MAX))
    .bind(downloaded)
    .execute(&mut *tx)
    .await?;
    let refreshed = super::progress::refresh_if_due(&mut tx, chunk.job_id).await?;
    tx.commit().await?;
    let duplicates = rows.iter().filter(|row| row.verdict == RowVerdict::Duplicate).count();
    Ok(Some(BatchResult {
        kept: slots.kept,
        duplicates,
        surplus: batch.len() - rows.len(),
        written: got_on,
        refreshed,
    }))
}

/// Slots that a batch may still fill.
struct Quota {
    kept: i32,
    of_chunk: i32,
    of_job: i32,
}

impl Quota {
    const fn take(&mut self) -> bool {
        let free = self.of_chunk > 0 && self.of_job > 0;
        if free {
            self.kept += 1;
            self.of_chunk -= 1;
            self.of_job -= 1;
        }
        free
    }
}

/// One image row to be.
struct VerdictRow<'a> {
    judged: &'a JudgedImage,
    verdict: RowVerdict,
    /// For a duplicate of an image that was there before this batch.
    duplicate_of: Option<ImageId>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum RowVerdict {
    Kept,
    Duplicate,
    Refused,
}

impl RowVerdict {
    const fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Duplicate => "duplicate",
            Self::Refused => "refused",
        }
    }
}

/// Locks the chunk by its lease and then the job's counter; none when the lease is lost.
async fn slots(connection: &mut PgConnection, chunk: &ClaimedChunk) -> sqlx::Result<Option<Quota>> {
    let of_chunk: Option<(i32, i32)> = sqlx::query_as(
        "update pixcrawler.chunk set lease = lease where id = $1 and lease = $2 returning kept, share - kept",
    )
    .bind(chunk.id)
    .bind(chunk.lease)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((kept, of_chunk)) = of_chunk else { return Ok(None) };
    let (of_job,): (i32,) =
        sqlx::query_as("select wanted - kept from pixcrawler.job where job_id = $1 for update")
            .bind(chunk.job_id)
            .fetch_one(&mut *connection)
            .await?;
    Ok(Some(Quota { kept, of_chunk, of_job }))
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

/// Decides, in the order of the batch; good pictures without a slot get no row.
fn rows<'a>(
    batch: &'a [JudgedImage],
    known: &HashMap<String, ImageId>,
    slots: &mut Quota,
) -> Vec<VerdictRow<'a>> {
    let mut kept_here = std::collections::HashSet::new();
    let mut rows = Vec::with_capacity(batch.len());
    for judged in batch {
        let (verdict, duplicate_of) = match &judged.outcome {
            Err(_) => (RowVerdict::Refused, None),
            Ok(measured) => match known.get(&measured.sha256.to_string()) {
                Some(image) => (RowVerdict::Duplicate, Some(*image)),
                None if kept_here.contains(&measured.sha256) => (RowVerdict::Duplicate, None),
                None if slots.take() => {
                    kept_here.insert(measured.sha256);
                    (RowVerdict::Kept, None)
                }
                None => continue,
            },
        };
        rows.push(VerdictRow { judged, verdict, duplicate_of });
    }
    rows
}

/// A row of `public.images` as a batch writes it.
#[derive(serde::Serialize)]
struct ImageInsert<'a> {
    candidate: i64,
    original_url: &'a str,
    asked_url: Option<&'a str>,
    filename: String,
    width: Option<i64>,
    height: Option<i64>,
    file_size: Option<i32>,
    format: Option<&'static str>,
    frames: Option<u32>,
    hash: Option<String>,
    phash: Option<i64>,
    is_valid: bool,
    is_duplicate: bool,
    duplicate_of: Option<ImageId>,
    reason: Option<&'static str>,
    page_url: Option<&'a str>,
    title: Option<&'a str>,
    description: Option<&'a str>,
    creator: Option<&'a str>,
    creator_url: Option<&'a str>,
    license: Option<&'a str>,
    license_url: Option<&'a str>,
    attribution: Option<&'a str>,
    source_id: Option<&'a str>,
    declared_width: Option<i32>,
    declared_height: Option<i32>,
    declared_mime: Option<&'a str>,
    declared_size: Option<i64>,
    metadata: serde_json::Value,
}

impl<'a> ImageInsert<'a> {
    fn new(row: &VerdictRow<'a>) -> Self {
        let said = &row.judged.said;
        let measured = row.judged.outcome.as_ref().ok();
        let refused = row.judged.outcome.as_ref().err();
        // Of what was refused, the address that was asked is the one to be found by.
        let address = if measured.is_some() { &row.judged.address } else { &said.url };
        let url = row.judged.body.as_ref().map_or(&row.judged.address, |body| &body.final_url);
        let refused_copies = (!row.judged.refused.is_empty()).then_some(&row.judged.refused);
        Self {
            candidate: row.judged.candidate,
            original_url: address,
            asked_url: (*address != said.url).then_some(&said.url),
            filename: measured.map_or_else(
                || last_segment(url),
                |measured| format!("{}.{}", measured.sha256, measured.format.extension()),
            ),
            width: measured.map(|measured| measured.width.into()),
            height: measured.map(|measured| measured.height.into()),
            file_size: row.judged.body.as_ref().map(|body| integer(body.size)),
            format: measured.map(|measured| measured.format.name()),
            frames: measured.map(|measured| measured.frames),
            hash: row.judged.body.as_ref().map(|body| body.sha256.to_string()),
            phash: measured.map(|measured| measured.phash.cast_signed()),
            is_valid: measured.is_some(),
            is_duplicate: row.verdict == RowVerdict::Duplicate,
            duplicate_of: row.duplicate_of,
            reason: refused.map(|refused| refused.reason.code()),
            page_url: said.page_url.as_deref(),
            title: said.title.as_deref(),
            description: said.description.as_deref(),
            creator: said.creator.as_deref(),
            creator_url: said.creator_url.as_deref(),
            license: said.license.as_ref().map(|license| license.id.as_str()),
            license_url: said.license.as_ref().and_then(|license| license.url.as_deref()),
            attribution: said.license.as_ref().and_then(|license| license.attribution.as_deref()),
            source_id: said.id.as_deref(),
            declared_width: said.dimensions.map(|(width, _)| integer(width)),
            declared_height: said.dimensions.map(|(_, height)| integer(height)),
            declared_mime: said.mime.as_deref(),
            declared_size: said.byte_size.map(|size| i64::try_from(size).unwrap_or(i64::MAX)),
            metadata: serde_json::json!({
                "detail": refused.map(|refused| &refused.detail),
                "final_url": (url != address).then_some(url),
                "refused_copies": refused_copies,
                "published": said.published,
                "tags": said.tags,
                "extra": said.extra,
            }),
        }
    }
}

/// `images.id` by candidate. A picture that was judged before, in an earlier try of
/// the job, has its row changed in place.
#[derive(FromRow)]
struct InsertedImage {
    candidate: i64,
    id: ImageId,
}

async fn insert_images(
    connection: &mut PgConnection,
    chunk: &ClaimedChunk,
    rows: &[VerdictRow<'_>],
) -> sqlx::Result<HashMap<i64, ImageId>> {
    let new: Vec<ImageInsert<'_>> = rows.iter().map(ImageInsert::new).collect();
    let inserted: Vec<InsertedImage> = sqlx::query_as(
        "with new as (
            select coalesce(c.image_id, nextval('public.images_id_seq')::integer) as id, n.*
              from jsonb_to_recordset($5) as n (
                     candidate bigint, original_url text, asked_url text, filename text, width integer, height integer,
                     file_size integer, format text, frames integer, hash text, phash bigint, is_valid boolean,
                     is_duplicate boolean, duplicate_of integer, reason text, page_url text, title text,
                     description text, creator text, creator_url text, license text, license_url text,
                     attribution text, source_id text, declared_width integer, declared_height integer,
                     declared_mime text, declared_size bigint, metadata jsonb)
              join pixcrawler.candidate c on c.id = n.candidate),
         written as (
            insert into public.images (
                   id, crawl_job_id, chunk_id, user_id, dataset_id, source, original_url, asked_url, filename, storage_url,
                   width, height, file_size, format, frames, hash, phash, is_valid, is_duplicate, duplicate_of,
                   reason, page_url, title, description, creator, creator_url, license, license_url, attribution,
                   source_id, declared_width, declared_height, declared_mime, declared_size, labels, metadata)
            select id, $1, $2, $3, $4, $6, original_url, asked_url, left(filename, 255),
                   case when is_valid and not is_duplicate then '/api/v1/images/' || id || '/file' end,
                   width, height, file_size, format, frames, hash, phash, is_valid,
                   is_duplicate, duplicate_of, reason, page_url, title, description, creator, creator_url,
                   license, license_url, attribution, source_id, declared_width,
                   declared_height, declared_mime, declared_size,
                   jsonb_build_array($7::text), jsonb_strip_nulls(metadata)
              from new
                on conflict (id) do update
               set original_url = excluded.original_url, asked_url = excluded.asked_url,
                   filename = excluded.filename, storage_url = excluded.storage_url, width = excluded.width,
                   height = excluded.height, file_size = excluded.file_size, format = excluded.format,
                   frames = excluded.frames, hash = excluded.hash, phash = excluded.phash,
                   is_valid = excluded.is_valid, is_duplicate = excluded.is_duplicate,
                   duplicate_of = excluded.duplicate_of, reason = excluded.reason,
                   metadata = excluded.metadata, downloaded_at = now())
         select candidate, id from new",
    )
    .bind(chunk.job_id)
    .bind(chunk.id)
    .bind(chunk.user_id)
    .bind(chunk.dataset_id)
    .bind(Json(new))
    .bind(&chunk.source)
    .bind(&chunk.label)
    .fetch_all(connection)
    .await?;
    Ok(inserted.into_iter().map(|row| (row.candidate, row.id)).collect())
}

async fn judge(
    connection: &mut PgConnection,
    rows: &[VerdictRow<'_>],
    images: &HashMap<i64, ImageId>,
) -> sqlx::Result<()> {
    let candidates: Vec<i64> = rows.iter().map(|row| row.judged.candidate).collect();
    let verdicts: Vec<&str> = rows.iter().map(|row| row.verdict.name()).collect();
    let ids: Vec<Option<i32>> =
        candidates.iter().map(|candidate| images.get(candidate).map(|id| id.0)).collect();
    sqlx::query(
        "update pixcrawler.candidate c set verdict = j.verdict, image_id = j.image
           from unnest($1::bigint[], $2::text[], $3::integer[]) as j (candidate, verdict, image)
          where c.id = j.candidate",
    )
    .bind(candidates)
    .bind(verdicts)
    .bind(ids)
    .execute(connection)
    .await?;
    Ok(())
}

/// Duplicates of an image of the same batch learn its id only now.
async fn link_duplicates(
    connection: &mut PgConnection,
    rows: &[VerdictRow<'_>],
    images: &HashMap<i64, ImageId>,
) -> sqlx::Result<()> {
    let hash = |row: &VerdictRow<'_>| row.judged.outcome.as_ref().ok().map(|measured| measured.sha256);
    let kept: HashMap<_, _> = rows
        .iter()
        .filter(|row| row.verdict == RowVerdict::Kept)
        .filter_map(|row| Some((hash(row)?, images.get(&row.judged.candidate)?.0)))
        .collect();
    let (duplicates, originals): (Vec<i32>, Vec<i32>) = rows
        .iter()
        .filter(|row| row.verdict == RowVerdict::Duplicate && row.duplicate_of.is_none())
        .filter_map(|row| Some((images.get(&row.judged.candidate)?.0, *kept.get(&hash(row)?)?)))
        .unzip();
    if duplicates.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update public.images i set duplicate_of = d.original
           from unnest($1::integer[], $2::integer[]) as d (id, original) where i.id = d.id",
    )
    .bind(duplicates)
    .bind(originals)
    .execute(connection)
    .await?;
    Ok(())
}

fn count(rows: &[VerdictRow<'_>], verdict: RowVerdict) -> i32 {
    i32::try_from(rows.iter().filter(|row| row.verdict == verdict).count()).unwrap_or(i32::MAX)
}

/// The last segment of an address' path, as a name for what has no content to be named by.
fn last_segment(url: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    path.rsplit('/').find(|segment| !segment.is_empty()).unwrap_or("unnamed").chars().take(255).collect()
}

/// Sizes that no column holds are the largest that one does.
fn integer(size: impl TryInto<i32>) -> i32 {
    size.try_into().unwrap_or(i32::MAX)
}
