//! `notifications` and `notification_preferences`: what a user is told, and what they want to be told.
//!
//! Its functions fail when the database does.

use chrono::NaiveTime;
use serde_json::{Value, json};
use sqlx::{PgConnection, PgExecutor, PgPool};

use crate::{
    db::column::{LenientJson, Timestamp},
    model::{DatasetId, JobId, JobState, UserId},
};

/// A row of `notifications`.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "columns, as the frontend declares them; meanings are in the API's document")]
pub struct NotificationRow {
    pub id: i32,
    pub user_id: UserId,
    #[sqlx(rename = "type")]
    pub kind: String,
    pub category: Option<String>,
    pub title: String,
    pub message: String,
    pub icon: Option<String>,
    pub color: Option<String>,
    pub action_url: Option<String>,
    pub action_label: Option<String>,
    pub metadata: Option<LenientJson<Value>>,
    pub is_read: bool,
    pub read_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// A row of `notification_preferences`.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "columns, as the frontend declares them; meanings are in the API's document")]
pub struct PreferencesRow {
    pub email_enabled: bool,
    pub push_enabled: bool,
    pub sms_enabled: bool,
    pub crawl_jobs_enabled: bool,
    pub datasets_enabled: bool,
    pub billing_enabled: bool,
    pub security_enabled: bool,
    pub marketing_enabled: bool,
    pub product_updates_enabled: bool,
    pub digest_frequency: String,
    pub quiet_hours_start: Option<NaiveTime>,
    pub quiet_hours_end: Option<NaiveTime>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What is to change in the preferences; none leaves a column as it is, and a none in it empties it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "columns")]
pub struct PreferencesChange {
    pub email_enabled: Option<bool>,
    pub push_enabled: Option<bool>,
    pub sms_enabled: Option<bool>,
    pub crawl_jobs_enabled: Option<bool>,
    pub datasets_enabled: Option<bool>,
    pub billing_enabled: Option<bool>,
    pub security_enabled: Option<bool>,
    pub marketing_enabled: Option<bool>,
    pub product_updates_enabled: Option<bool>,
    pub digest_frequency: Option<String>,
    pub quiet_hours_start: Option<Option<NaiveTime>>,
    pub quiet_hours_end: Option<Option<NaiveTime>>,
}

/// How a job ended, as far as its user is told.
#[derive(Clone, Copy, Debug)]
pub struct JobEnd<'a> {
    /// Which.
    pub job: JobId,
    /// Whose.
    pub user: UserId,
    /// Where its images are.
    pub dataset: DatasetId,
    /// For people.
    pub name: &'a str,
    /// Completed or failed.
    pub state: JobState,
    /// Images that it has.
    pub kept: i32,
    /// Images that it was asked for.
    pub wanted: i32,
    /// Why it has fewer.
    pub reason: Option<&'a str>,
}

/// At most `limit` notifications of this user, newest first, older than `after`, without the first `skip`
/// of these.
pub async fn list(
    db: &PgPool,
    user: UserId,
    unread_only: bool,
    after: Option<i32>,
    skip: i64,
    limit: i64,
) -> sqlx::Result<Vec<NotificationRow>> {
    sqlx::query_as(
        "select * from public.notifications
         where user_id = $1 and not ($2 and is_read) and ($3::integer is null or id < $3)
         order by id desc offset $4 limit $5",
    )
    .bind(user)
    .bind(unread_only)
    .bind(after)
    .bind(skip)
    .bind(limit)
    .fetch_all(db)
    .await
}

/// How many notifications this user has.
pub async fn count(db: &PgPool, user: UserId, unread_only: bool) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "select count(*) from public.notifications where user_id = $1 and not ($2 and is_read)",
    )
    .bind(user)
    .bind(unread_only)
    .fetch_one(db)
    .await
}

/// A notification of this user.
pub async fn show(db: &PgPool, user: UserId, id: i32) -> sqlx::Result<Option<NotificationRow>> {
    sqlx::query_as("select * from public.notifications where user_id = $1 and id = $2")
        .bind(user)
        .bind(id)
        .fetch_optional(db)
        .await
}

/// Marks a notification of this user as read, or as not read. When it was read first stays.
pub async fn mark(
    db: &PgPool,
    user: UserId,
    id: i32,
    is_read: bool,
) -> sqlx::Result<Option<NotificationRow>> {
    sqlx::query_as(
        "update public.notifications
            set is_read = $3, read_at = case when not $3 then null when is_read then read_at else now() end
          where user_id = $1 and id = $2
      returning *",
    )
    .bind(user)
    .bind(id)
    .bind(is_read)
    .fetch_optional(db)
    .await
}

/// Marks all notifications of this user as read; how many were not.
pub async fn mark_all_read(db: &PgPool, user: UserId) -> sqlx::Result<u64> {
    let marked = sqlx::query(
        "update public.notifications set is_read = true, read_at = now() where user_id = $1 and not is_read",
    )
    .bind(user)
    .execute(db)
    .await?;
    Ok(marked.rows_affected())
}

/// Deletes a notification of this user; whether there was one.
pub async fn delete(db: &PgPool, user: UserId, id: i32) -> sqlx::Result<bool> {
    let deleted = sqlx::query("delete from public.notifications where user_id = $1 and id = $2")
        .bind(user)
        .bind(id)
        .execute(db)
        .await?;
    Ok(deleted.rows_affected() > 0)
}

/// Tells a user how a job ended, if they want to be told; in the transaction that ends it.
pub async fn tell_job_end(connection: &mut PgConnection, end: &JobEnd<'_>) -> sqlx::Result<()> {
    let JobEnd { job, user, dataset, name, state, kept, wanted, reason } = *end;
    let images = if kept == 1 { "image" } else { "images" };
    // Types, icons and colours are those that the frontend knows.
    let (kind, icon, color, title, message) = match (state, reason) {
        (JobState::Failed, reason) => {
            let reason = reason.unwrap_or("no reason is known");
            ("error", "circle-x", "red", "Crawl job failed", format!("“{name}” failed: {reason}"))
        }
        (_, Some(reason)) => {
            let message = format!("“{name}” could not bring all images: {reason}");
            ("warning", "triangle-alert", "yellow", "Crawl job completed with fewer images", message)
        }
        (_, None) => {
            let message = format!("“{name}” is ready with {kept} {images}");
            ("success", "circle-check-big", "green", "Crawl job completed", message)
        }
    };
    let metadata = json!({
        "job_id": job, "dataset_id": dataset, "status": state.name(), "valid_images": kept, "max_images": wanted,
    });
    sqlx::query(
        "insert into public.notifications
             (user_id, type, category, title, message, icon, color, action_url, action_label, metadata)
         select $1, $2, 'crawl_job', $3, $4, $5, $6, $7, 'View dataset', $8
          where not exists (
                select from public.notification_preferences where user_id = $1 and not crawl_jobs_enabled)",
    )
    .bind(user)
    .bind(kind)
    .bind(title)
    .bind(message)
    .bind(icon)
    .bind(color)
    // The frontend shows a job with its dataset.
    .bind(format!("/dashboard/datasets/{dataset}"))
    .bind(metadata)
    .execute(connection)
    .await?;
    Ok(())
}

/// What this user wants to be told; none where nothing was ever said.
pub async fn preferences(db: impl PgExecutor<'_>, user: UserId) -> sqlx::Result<Option<PreferencesRow>> {
    sqlx::query_as("select * from public.notification_preferences where user_id = $1")
        .bind(user)
        .fetch_optional(db)
        .await
}

/// Changes what this user, who has a profile, wants to be told.
pub async fn change_preferences(
    connection: &mut PgConnection,
    user: UserId,
    change: &PreferencesChange,
) -> sqlx::Result<PreferencesRow> {
    sqlx::query("insert into public.notification_preferences (user_id) values ($1) on conflict do nothing")
        .bind(user)
        .execute(&mut *connection)
        .await?;
    sqlx::query_as(
        "update public.notification_preferences
            set email_enabled = coalesce($2, email_enabled),
                push_enabled = coalesce($3, push_enabled),
                sms_enabled = coalesce($4, sms_enabled),
                crawl_jobs_enabled = coalesce($5, crawl_jobs_enabled),
                datasets_enabled = coalesce($6, datasets_enabled),
                billing_enabled = coalesce($7, billing_enabled),
                security_enabled = coalesce($8, security_enabled),
                marketing_enabled = coalesce($9, marketing_enabled),
                product_updates_enabled = coalesce($10, product_updates_enabled),
                digest_frequency = coalesce($11, digest_frequency),
                quiet_hours_start = case when $12 then $13 else quiet_hours_start end,
                quiet_hours_end = case when $14 then $15 else quiet_hours_end end,
                updated_at = now()
          where user_id = $1
      returning *",
    )
    .bind(user)
    .bind(change.email_enabled)
    .bind(change.push_enabled)
    .bind(change.sms_enabled)
    .bind(change.crawl_jobs_enabled)
    .bind(change.datasets_enabled)
    .bind(change.billing_enabled)
    .bind(change.security_enabled)
    .bind(change.marketing_enabled)
    .bind(change.product_updates_enabled)
    .bind(&change.digest_frequency)
    .bind(change.quiet_hours_start.is_some())
    .bind(change.quiet_hours_start.flatten())
    .bind(change.quiet_hours_end.is_some())
    .bind(change.quiet_hours_end.flatten())
    .fetch_one(connection)
    .await
}
