//! `pixcrawler.idempotency_key`: which job a request with an `Idempotency-Key` made.
//!
//! Its functions fail when the database does.

use sqlx::PgConnection;

use crate::model::{JobId, UserId};

/// A request that was made under a key.
#[derive(Debug, sqlx::FromRow)]
pub struct EarlierRequest {
    /// SHA-256 of its body.
    pub request_digest: Vec<u8>,
    /// The job it created.
    pub job_id: JobId,
}

/// Lets others with the same key wait until the end of this transaction.
pub async fn lock(transaction: &mut PgConnection, user: UserId, key: &str) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtextextended('idempotency ' || $1::text || ' ' || $2, 0))")
        .bind(user)
        .bind(key)
        .execute(transaction)
        .await?;
    Ok(())
}

/// What was requested under this key within the last day.
pub async fn find(db: &mut PgConnection, user: UserId, key: &str) -> sqlx::Result<Option<EarlierRequest>> {
    sqlx::query_as(
        "select request_digest, job_id from pixcrawler.idempotency_key
         where user_id = $1 and key = $2 and created_at > now() - interval '1 day'",
    )
    .bind(user)
    .bind(key)
    .fetch_optional(db)
    .await
}

/// Remembers a request for a day.
pub async fn keep(
    transaction: &mut PgConnection,
    user: UserId,
    key: &str,
    request_digest: &[u8],
    job: JobId,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into pixcrawler.idempotency_key (user_id, key, request_digest, job_id) values ($1, $2, $3, $4)
         on conflict (user_id, key) do update
         set request_digest = excluded.request_digest, job_id = excluded.job_id, created_at = now()",
    )
    .bind(user)
    .bind(key)
    .bind(request_digest)
    .bind(job)
    .execute(transaction)
    .await?;
    Ok(())
}
