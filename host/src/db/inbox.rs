//! `pixcrawler.inbox`: jobs that the frontend wrote or cancelled with its own client, on which
//! nobody has acted yet. A trigger fills it and tells the listeners `inbox:{id}`.
//!
//! Its functions fail when the database does; the transaction is then lost.

use sqlx::{PgConnection, PgPool};

use super::jobs::JobRow;
use crate::model::{JobId, UserId};

/// The one that waits longest, and whose it is, of none of the users that were `served`: who writes
/// many does not keep others waiting.
pub async fn next(pool: &PgPool, served: &[UserId]) -> sqlx::Result<Option<(JobId, UserId)>> {
    sqlx::query_as(
        "select job.id, job.user_id from pixcrawler.inbox join public.crawl_jobs job on job.id = job_id
          where job.user_id <> all ($1) order by since limit 1",
    )
    .bind(served)
    .fetch_optional(pool)
    .await
}

/// Takes a job out, locked as for any change of it. None when somebody else did.
pub async fn take(connection: &mut PgConnection, user: UserId, job: JobId) -> sqlx::Result<Option<JobRow>> {
    let Some(found) = super::job_lifecycle::lock(connection, user, job).await? else { return Ok(None) };
    let taken = sqlx::query("delete from pixcrawler.inbox where job_id = $1").bind(job);
    let taken = taken.execute(connection).await?.rows_affected() == 1;
    Ok(taken.then_some(found))
}

/// Puts a job behind the others, for one that cannot be acted on must not hold them up.
pub async fn defer(pool: &PgPool, job: JobId) -> sqlx::Result<()> {
    let behind = sqlx::query("update pixcrawler.inbox set since = clock_timestamp() where job_id = $1");
    behind.bind(job).execute(pool).await.map(drop)
}
