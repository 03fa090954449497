//! `activity_logs`: what happened, for the user to read.
//!
//! Fails when the database does.

use std::fmt;

use serde_json::Value;
use sqlx::{PgConnection, PgPool};

use crate::{
    db::column::{LenientJson, Timestamp},
    model::{JobId, UserId},
};

/// A row of `activity_logs`.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "columns, as the frontend declares them")]
pub struct ActivityEntry {
    pub id: i32,
    pub user_id: UserId,
    pub action: String,
    pub resource_type: Option<String>,
    pub resource_id: Option<String>,
    pub metadata: Option<LenientJson<Value>>,
    pub timestamp: Timestamp,
}

/// What was done, in the frontend's vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "words")]
pub enum Action {
    CreateProject,
    UpdateProject,
    DeleteProject,
    CreateDataset,
    UpdateDataset,
    DeleteDataset,
    StartCrawlJob,
    CompleteCrawlJob,
    CancelCrawlJob,
}

impl Action {
    /// As stored: the word, and the type of what it was done to.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::CreateProject => ("CREATE_PROJECT", "project"),
            Self::UpdateProject => ("UPDATE_PROJECT", "project"),
            Self::DeleteProject => ("DELETE_PROJECT", "project"),
            Self::CreateDataset => ("CREATE_DATASET", "dataset"),
            Self::UpdateDataset => ("UPDATE_DATASET", "dataset"),
            Self::DeleteDataset => ("DELETE_DATASET", "dataset"),
            Self::StartCrawlJob => ("START_CRAWL_JOB", "crawl_job"),
            Self::CompleteCrawlJob => ("COMPLETE_CRAWL_JOB", "crawl_job"),
            Self::CancelCrawlJob => ("CANCEL_CRAWL_JOB", "crawl_job"),
        }
    }
}

/// Logs what this user did to the resource with this id; in the transaction that does it, so that one is
/// never there without the other. `metadata` is an object for people and programs.
pub async fn log(
    connection: &mut PgConnection,
    user: UserId,
    action: Action,
    id: impl fmt::Display,
    metadata: Value,
) -> sqlx::Result<()> {
    let (action, resource) = action.words();
    sqlx::query(
        "insert into public.activity_logs (user_id, action, resource_type, resource_id, metadata)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(user)
    .bind(action)
    .bind(resource)
    .bind(id.to_string())
    .bind(metadata)
    .execute(connection)
    .await?;
    Ok(())
}

/// Logs what this user did to all resources of a kind that they have, those that come later included; nothing of
/// somebody who was never here.
pub async fn log_of_all(
    connection: &mut PgConnection,
    user: UserId,
    action: Action,
    metadata: Value,
) -> sqlx::Result<()> {
    let (action, resource) = action.words();
    sqlx::query(
        "insert into public.activity_logs (user_id, action, resource_type, metadata)
         select id, $2, $3, $4 from public.profiles where id = $1",
    )
    .bind(user)
    .bind(action)
    .bind(resource)
    .bind(metadata)
    .execute(connection)
    .await?;
    Ok(())
}

/// At most `limit` entries of this user, newest first, older than `after`, without the first `skip` of
/// these.
pub async fn list(
    db: &PgPool,
    user: UserId,
    resource_type: Option<&str>,
    after: Option<i32>,
    skip: i64,
    limit: i64,
) -> sqlx::Result<Vec<ActivityEntry>> {
    sqlx::query_as(
        "select * from public.activity_logs
         where user_id = $1 and ($2::text is null or resource_type = $2) and ($3::integer is null or id < $3)
         order by id desc offset $4 limit $5",
    )
    .bind(user)
    .bind(resource_type)
    .bind(after)
    .bind(skip)
    .bind(limit)
    .fetch_all(db)
    .await
}

/// How many entries this user has.
pub async fn count(db: &PgPool, user: UserId, resource_type: Option<&str>) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "select count(*) from public.activity_logs where user_id = $1 and ($2::text is null or resource_type = $2)",
    )
    .bind(user)
    .bind(resource_type)
    .fetch_one(db)
    .await
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
        "select * from public.activity_logs
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
