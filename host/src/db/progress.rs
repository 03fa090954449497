//! The public row of a job follows the private counter: at most twice a second
//! while images come in, and always on a change of state. Each refresh raises
//! `revision` and tells the listeners, with the job's id only.
//!
//! Its functions fail when the database does.

use sqlx::{PgConnection, PgPool};

use crate::model::JobId;

/// Listeners of this channel are told `job:{id}` when a job's row was refreshed and
/// `cancel:{id}` when its workers are to let go.
pub const CHANNEL: &str = "pixcrawler";

/// Refreshes the job's public row.
pub async fn refresh(connection: &mut PgConnection, job: JobId) -> sqlx::Result<()> {
    refresh_after(connection, job, None).await.map(drop)
}

/// Refreshes the job's public row unless that was done within the last half second;
/// whether it was done.
pub async fn refresh_if_due(connection: &mut PgConnection, job: JobId) -> sqlx::Result<bool> {
    refresh_after(connection, job, Some(0.5)).await
}

/// The same outside of a transaction, for counts that came too soon after a refresh.
pub async fn catch_up(pool: &PgPool, job: JobId) -> sqlx::Result<bool> {
    let mut tx = pool.begin().await?;
    let refreshed = refresh_after(&mut tx, job, Some(0.5)).await?;
    tx.commit().await?;
    Ok(refreshed)
}

/// The clock is that of the statement: a transaction may begin long before it has its locks.
async fn refresh_after(
    connection: &mut PgConnection,
    job: JobId,
    seconds: Option<f64>,
) -> sqlx::Result<bool> {
    let refreshed = sqlx::query(
        "with due as (
            update pixcrawler.job
               set refreshed_at = case when $2 is null then refreshed_at else clock_timestamp() end
             where job_id = $1 and ($2 is null or refreshed_at <= clock_timestamp() - make_interval(secs => $2))
         returning kept, wanted, judged, downloaded),
         chunks as (
            select count(*) filter (where state = 'running') as active,
                   count(*) filter (where state in ('exhausted', 'cancelled') or state = 'satisfied' and over) as completed,
                   count(*) filter (where state = 'failed') as failed
              from pixcrawler.chunk,
                   (select status in ('completed', 'failed', 'cancelled') as over
                      from public.crawl_jobs where id = $1) as job
             where job_id = $1)
         update public.crawl_jobs j
            set total_images = due.judged, downloaded_images = due.downloaded, valid_images = due.kept,
                progress = greatest(j.progress, least(99, due.kept::bigint * 100 / due.wanted)::integer),
                active_chunks = chunks.active, completed_chunks = chunks.completed, failed_chunks = chunks.failed, updated_at = now()
           from due, chunks
          where j.id = $1",
    )
    .bind(job)
    .bind(seconds)
    .execute(&mut *connection)
    .await?
    .rows_affected()
        == 1;
    if refreshed {
        notify(connection, &format!("job:{job}")).await?;
    }
    Ok(refreshed)
}

/// Tells the listeners when the transaction is committed.
pub async fn notify(connection: &mut PgConnection, payload: &str) -> sqlx::Result<()> {
    sqlx::query("select pg_notify($1, $2)").bind(CHANNEL).bind(payload).execute(connection).await?;
    Ok(())
}
