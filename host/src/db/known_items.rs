//! Things of a source that a dataset has already.
//!
//! Fails when the database does.

use std::collections::HashSet;

use sqlx::PgPool;

use super::chunks::ClaimedChunk;

/// Which of the things with these ids need not be asked for again: those of which the job has
/// a picture that was not refused, from another chunk or an earlier walk of this one, and those of which the
/// dataset has every picture that an earlier job found.
pub async fn known(pool: &PgPool, chunk: &ClaimedChunk, ids: &[&str]) -> sqlx::Result<HashSet<String>> {
    let known: Vec<String> = sqlx::query_scalar(
        "select c.candidate ->> 'id'
           from pixcrawler.job j
           join pixcrawler.candidate c on c.job_id = j.job_id and c.candidate ->> 'id' = any ($1)
           join pixcrawler.chunk k on k.id = c.chunk_id and k.source = $2
          where j.dataset_id = $3 and (k.id <> $4 or c.position <= k.walk_from)
          group by c.candidate ->> 'id'
         having bool_or(c.job_id = $5 and c.verdict is distinct from 'refused')
             or bool_and(c.image_id is not null and coalesce(c.verdict in ('kept', 'duplicate'), false))",
    )
    .bind(ids)
    .bind(&chunk.source)
    .bind(chunk.dataset_id)
    .bind(chunk.id)
    .bind(chunk.job_id)
    .fetch_all(pool)
    .await?;
    Ok(known.into_iter().collect())
}
