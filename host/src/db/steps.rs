//! Steps of a source, written by the worker that holds its chunk.
//!
//! Its functions fail when the database does.

use sqlx::{FromRow, PgPool, types::Json};

use super::{
    chunks::{ChunkProgress, ClaimedChunk, Deferral},
    consent, labels, progress,
};
use crate::model::{self, Cookies, Next, Sha256, Step};

/// A chunk with this many warnings takes no more.
const MOST_WARNINGS: i32 = 50;

/// What the source's own requests took, against the budgets of its chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests made.
    pub asked: i32,
    /// Bytes of answers to them.
    pub received: i64,
}

/// The row of a chunk after a step, and the place of its first candidate in the backlog.
#[derive(FromRow)]
struct StepRow {
    first: i32,
    #[sqlx(flatten)]
    progress: ChunkProgress,
}

/// Writes a step of the component `made_by`: state, requests, cookies where they have changed, and
/// candidates. Of those that the job has seen before nothing is taken but their classes and what
/// their pages say of their use, which the picture gets besides its own. Earlier crashes are forgotten.
/// False when the lease is lost.
pub async fn record(
    pool: &PgPool,
    chunk: &mut ClaimedChunk,
    step: Step,
    made_by: Sha256,
    spent: Usage,
    cookies: Option<&Cookies>,
) -> sqlx::Result<bool> {
    // The first step of a walk.
    let is_first = chunk.requests.is_none();
    let again = step.next == Next::Again;
    let done = step.next == Next::Done;
    let requests = match step.next {
        Next::Done => Vec::new(),
        Next::Fetch(requests) => requests,
        // The answered requests stay open: after a crash they are made anew.
        Next::Again => chunk.requests.clone().unwrap_or_default(),
    };
    let made_by = made_by.to_string();
    let found: Vec<_> = step.candidates.iter().map(|found| (digest_of(&found.url), found)).collect();
    let mut tx = pool.begin().await?;
    // As those do who write verdicts: classes may be added to a picture that is about to get one.
    if !found.is_empty() {
        super::lock_dataset(&mut tx, chunk.dataset_id).await?;
    }
    let row: Option<StepRow> = sqlx::query_as(
        "update pixcrawler.chunk
            set plugin_state = $3, plugin_digest = $4, requests = $5, again = $6, source_done = $7,
                warnings = case when jsonb_array_length(warnings) < $12 then warnings || $8 else warnings end,
                steps = steps + 1, asked = asked + $9, received = received + $10,
                found = found + $11, walk_from = case when $13 then found else walk_from end,
                cookies = coalesce($14, cookies), errors_in_row = 0, step_not_before = null,
                paused_since = null, crash_count = 0, gave_way = false, idle_since = null
          where id = $1 and lease = $2
      returning found - $11 as first, kept, steps, asked, received, crash_count, errors_in_row,
                step_not_before, idle_since",
    )
    .bind(chunk.id)
    .bind(chunk.lease)
    .bind(&step.state)
    .bind(&made_by)
    .bind(Json(&requests))
    .bind(again)
    .bind(done)
    .bind(Json(&step.warnings))
    .bind(spent.asked)
    .bind(spent.received)
    .bind(i32::try_from(found.len()).unwrap_or(i32::MAX))
    .bind(MOST_WARNINGS)
    .bind(is_first)
    .bind(cookies.map(Json))
    .fetch_optional(&mut *tx)
    .await?;
    let Some(row) = row else { return Ok(false) };
    let new = sqlx::query(
        "insert into pixcrawler.candidate (job_id, chunk_id, position, url_digest, candidate)
         select $1, $2, $3 + ordinal::integer, digest, candidate
           from unnest($4::bytea[], $5::jsonb[]) with ordinality as found (digest, candidate, ordinal)
          order by digest, ordinal
             on conflict (job_id, url_digest) do nothing",
    )
    .bind(chunk.job_id)
    .bind(chunk.id)
    .bind(row.first)
    .bind(found.iter().map(|(digest, _)| digest.0.to_vec()).collect::<Vec<_>>())
    .bind(found.iter().map(|(_, candidate)| Json(candidate)).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if new < found.len() as u64 {
        let mut changed = labels::add_to_known(&mut tx, chunk, &found).await?;
        changed.extend(consent::add_to_known(&mut tx, chunk, &found).await?);
        for job in changed {
            progress::refresh(&mut tx, job).await?;
        }
    }
    tx.commit().await?;
    chunk.plugin_state = step.state;
    chunk.plugin_digest = Some(made_by);
    chunk.requests = Some(requests);
    chunk.source_done = done;
    chunk.paused_since = None;
    chunk.progress = row.progress;
    Ok(true)
}

/// The same picture under spellings of one address is one candidate.
fn digest_of(url: &str) -> Sha256 {
    let normal = url::Url::parse(url).map_or_else(|_| url.to_owned(), |url| model::normalise(&url));
    Sha256::of(normal.as_bytes())
}

/// Adds what the host has to say to the chunk's warnings, once; nothing when the lease is lost.
pub async fn note(pool: &PgPool, chunk: &ClaimedChunk, note: &str) -> sqlx::Result<()> {
    sqlx::query(
        "update pixcrawler.chunk set warnings = warnings || $3
          where id = $1 and lease = $2 and jsonb_array_length(warnings) < $4 and not warnings @> $3",
    )
    .bind(chunk.id)
    .bind(chunk.lease)
    .bind(Json([note]))
    .bind(MOST_WARNINGS)
    .execute(pool)
    .await?;
    Ok(())
}

/// Defers the next step of the source, for which this was spent, and writes the cookies
/// where they have changed. False when the lease is lost.
pub async fn defer(
    pool: &PgPool,
    chunk: &mut ClaimedChunk,
    wait: &Deferral,
    spent: Usage,
    cookies: Option<&Cookies>,
) -> sqlx::Result<bool> {
    let progress: Option<ChunkProgress> = sqlx::query_as(
        "update pixcrawler.chunk
            set step_not_before = $3, reason = $4, errors_in_row = errors_in_row + $5,
                asked = asked + $6, received = received + $7, cookies = coalesce($8, cookies)
          where id = $1 and lease = $2
      returning kept, steps, asked, received, crash_count, errors_in_row, step_not_before, idle_since",
    )
    .bind(chunk.id)
    .bind(chunk.lease)
    .bind(wait.until)
    .bind(&wait.reason)
    .bind(i32::from(wait.error))
    .bind(spent.asked)
    .bind(spent.received)
    .bind(cookies.map(Json))
    .fetch_optional(pool)
    .await?;
    let Some(progress) = progress else { return Ok(false) };
    chunk.progress = progress;
    Ok(true)
}
