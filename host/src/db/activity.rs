//! `activity_logs`: what happened, for the user to read.
//!
//! Fails when the database does.

use sqlx::{PgPool, types::Json};

use crate::{
    db::column::Timestamp,
    model::{JobId, UserId},
};

/// A row of `activity_logs`.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "columns, as the frontend declares them")]
pub struct ActivityEntry {
    pub id: i32,
    pub action: String,
    pub metadata: Option<Json<serde_json::Value>>,
    pub timestamp: Timestamp,
}

/// At most `limit` entries about a job of this user, newest first, older than `after`.
pub async fn list_of_job(
    db: &PgPool,
    user: UserId,
    job: JobId,
    after: Option<i32>,
    limit: i64,
) -> sqlx::Result<Vec<ActivityEntry>> {
    sqlx::query_as(
        "select id, action, metadata, timestamp from public.activity_logs
         where user_id = $1 and resource_type = 'crawl_job' and resource_id = $2
           and ($3::integer is null or id < $3)
         order by id desc limit $4",
    )
    .bind(user)
    .bind(job.to_string())
    .bind(after)
    .bind(limit)
    .fetch_all(db)
    .await
}
