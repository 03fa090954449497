//! Steps of a source, written by the worker that holds its chunk.

use sqlx::{PgPool, types::Json};

use super::chunks::{ClaimedChunk, Deferral};
use crate::model::{Candidate, Cookies, Request, Sha256};

/// A chunk with this many warnings takes no more.
const MOST_WARNINGS: i32 = 50;

/// What a step changes in the checkpoint.
#[derive(Debug)]
pub struct StepRecord<'a> {
    /// The plugin's new state.
    pub state: &'a str,
    /// Digest of the component.
    pub digest: Sha256,
    /// Requests that it waits for from now on.
    pub requests: &'a [Request],
    /// Call again with the same answers.
    pub again: bool,
    /// No more will come.
    pub done: bool,
    /// What it found, with the SHA-256 of each normalised address.
    pub candidates: &'a [(Sha256, Candidate)],
    /// For the user.
    pub warnings: &'a [String],
    /// Those of the crawl, where they have changed.
    pub cookies: Option<&'a Cookies>,
    /// What it took to make it.
    pub spent: Usage,
}

/// What the source's own requests took, against the budgets of its chunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Requests made.
    pub asked: i32,
    /// Bytes of answers to them.
    pub received: i64,
}

/// Writes a step: state, requests and candidates, of which those that the job has
/// seen before are left out. Earlier crashes are forgotten. False when the lease is lost.
///
/// # Errors
/// When the database fails.
pub async fn record(pool: &PgPool, chunk: &ClaimedChunk, step: &StepRecord<'_>) -> sqlx::Result<bool> {
    let mut tx = pool.begin().await?;
    let found = i32::try_from(step.candidates.len()).unwrap_or(i32::MAX);
    let first: Option<(i32,)> = sqlx::query_as(
        "update pixcrawler.chunk
            set plugin_state = $3, plugin_digest = $4, requests = $5, again = $6, source_done = $7,
                warnings = case when jsonb_array_length(warnings) < $12 then warnings || $8 else warnings end,
                steps = steps + 1, asked = asked + $9, received = received + $10,
                found = found + $11, walk_from = case when $13 then found else walk_from end,
                cookies = coalesce($14, cookies), errors_in_row = 0, step_not_before = null,
                paused_since = null, crash_count = 0, gave_way = false, idle_since = null
          where id = $1 and lease = $2
      returning found - $11",
    )
    .bind(chunk.id)
    .bind(chunk.lease)
    .bind(step.state)
    .bind(step.digest.to_string())
    .bind(Json(step.requests))
    .bind(step.again)
    .bind(step.done)
    .bind(Json(step.warnings))
    .bind(step.spent.asked)
    .bind(step.spent.received)
    .bind(found)
    .bind(MOST_WARNINGS)
    // The first step of a walk.
    .bind(chunk.requests.is_none())
    .bind(step.cookies.map(Json))
    .fetch_optional(&mut *tx)
    .await?;
    let Some((first,)) = first else { return Ok(false) };
    sqlx::query(
        "insert into pixcrawler.candidate (job_id, chunk_id, position, url_digest, candidate)
         select $1, $2, $3 + ordinal::integer, digest, candidate
           from unnest($4::bytea[], $5::jsonb[]) with ordinality as found (digest, candidate, ordinal)
          order by digest, ordinal
             on conflict (job_id, url_digest) do nothing",
    )
    .bind(chunk.job_id)
    .bind(chunk.id)
    .bind(first)
    .bind(step.candidates.iter().map(|(digest, _)| digest.0.to_vec()).collect::<Vec<_>>())
    .bind(step.candidates.iter().map(|(_, candidate)| Json(candidate)).collect::<Vec<_>>())
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(true)
}

/// Adds what the host has to say to the chunk's warnings, once; nothing when the lease is lost.
///
/// # Errors
/// When the database fails.
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

/// Puts off the next step of the source, for which this was spent, and writes the cookies
/// where they have changed. False when the lease is lost.
///
/// # Errors
/// When the database fails.
pub async fn defer(
    pool: &PgPool,
    chunk: &ClaimedChunk,
    wait: &Deferral,
    spent: Usage,
    cookies: Option<&Cookies>,
) -> sqlx::Result<bool> {
    let deferred = sqlx::query(
        "update pixcrawler.chunk
            set step_not_before = $3, reason = $4, errors_in_row = errors_in_row + $5,
                asked = asked + $6, received = received + $7, cookies = coalesce($8, cookies)
          where id = $1 and lease = $2",
    )
    .bind(chunk.id)
    .bind(chunk.lease)
    .bind(wait.until)
    .bind(&wait.reason)
    .bind(i32::from(wait.error))
    .bind(spent.asked)
    .bind(spent.received)
    .bind(cookies.map(Json))
    .execute(pool)
    .await?;
    Ok(deferred.rows_affected() == 1)
}
