//! What a user is told, and what they want to be told.

use chrono::{DateTime, NaiveTime, Utc};
use poem::web::Data;
use poem_openapi::{
    Enum, Object, OpenApi,
    param::{Path, Query},
    payload::Json,
    types::{Any, Example},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Tag,
    bearer::{Access, DELETE, READ, WRITE},
    body::JsonBody,
    compat::paging::{ListMeta, Window},
    cut,
    error::{BODY, NOT_FOUND, PARAMETER, Problem, ProblemSet, SIGNED_IN},
    nullable::Nullable,
    word,
};
use crate::{
    app::App,
    db::{self, notifications::NotificationRow},
    services::notifications::{check_mark, check_preferences},
};

pub(super) struct NotificationsApi;

/// A row of `notifications`.
#[derive(Clone, Object)]
#[oai(example)]
struct Notification {
    /// Id of the notification.
    id: i32,
    /// Whose it is.
    user_id: Uuid,
    /// How it is meant; what whoever wrote the row calls something else is `info`.
    #[oai(rename = "type")]
    kind: NotificationType,
    /// What it is about: `crawl_job` where this system made it, the others where the frontend did; null for
    /// what it calls something else.
    category: Nullable<NotificationCategory>,
    /// In a few words.
    title: String,
    /// In one or two sentences.
    message: String,
    /// Name of an icon of the frontend.
    icon: Nullable<String>,
    /// `green`, `yellow`, `red` or `blue`.
    color: Nullable<String>,
    /// Path of the page in the frontend where it leads to.
    action_url: Nullable<String>,
    /// What that is called.
    action_label: Nullable<String>,
    /// For programs. Of a job: `job_id`, `dataset_id`, `status`, `valid_images` and `max_images`.
    metadata: Nullable<Any<Value>>,
    /// Whether its user has read it.
    is_read: bool,
    /// When that was.
    read_at: Nullable<DateTime<Utc>>,
    /// When it was made.
    created_at: DateTime<Utc>,
}

/// How a notification is meant.
#[derive(Clone, Copy, Enum)]
#[oai(rename_all = "lowercase")]
enum NotificationType {
    /// Something went well.
    Success,
    /// Something is the case.
    Info,
    /// Something may go wrong.
    Warning,
    /// Something went wrong.
    Error,
}

/// What a notification is about.
#[derive(Clone, Copy, Enum)]
#[oai(rename_all = "snake_case")]
enum NotificationCategory {
    /// A crawl job.
    CrawlJob,
    /// A payment.
    Payment,
    /// The whole system.
    System,
    /// Who may do what.
    Security,
    /// A dataset.
    Dataset,
    /// A project.
    Project,
}

/// A page of notifications.
#[derive(Object)]
#[oai(example)]
struct NotificationPage {
    /// Newest first.
    items: Vec<Notification>,
    /// `after` of the next page; null on the last.
    next: Nullable<i32>,
    /// The original's name of `items`.
    #[oai(deprecated)]
    data: Vec<Notification>,
    /// What the original says of the page.
    #[oai(deprecated)]
    meta: ListMeta,
}

/// What is to change in a notification.
#[derive(Object)]
#[oai(example, deny_unknown_fields)]
struct MarkNotification {
    /// Whether its user has read it.
    is_read: bool,
}

/// A notification that was changed.
#[derive(Object)]
#[oai(example)]
struct MarkedNotification {
    #[oai(flatten)]
    notification: Notification,
    /// What the original answers.
    #[oai(deprecated)]
    data: ReadMark,
}

/// Whether a notification was read.
#[derive(Object)]
struct ReadMark {
    /// Id of the notification.
    id: i32,
    /// Whether its user has read it.
    is_read: bool,
}

/// All notifications were marked as read.
#[derive(Object)]
#[oai(example)]
struct AllRead {
    /// Notifications that were not read before.
    count: u64,
    /// What the original answers.
    #[oai(deprecated)]
    data: AllReadData,
}

/// All notifications were marked as read, as the original says it.
#[derive(Object)]
struct AllReadData {
    /// Always true.
    success: bool,
    /// Notifications that were not read before.
    count: u64,
}

/// A notification that is gone.
#[derive(Object)]
#[oai(example)]
struct DeletedNotification {
    /// Its id.
    id: i32,
    /// Always true.
    success: bool,
}

/// A row of `notification_preferences`. Quiet hours, digests and the three ways (e-mail, push, SMS) concern
/// whoever sends; a row of `notifications` is made whenever its category is wanted.
#[derive(Object)]
#[oai(example)]
struct NotificationPreferences {
    /// By e-mail.
    email_enabled: bool,
    /// To the browser or telephone.
    push_enabled: bool,
    /// By SMS.
    sms_enabled: bool,
    /// How crawl jobs ended.
    crawl_jobs_enabled: bool,
    /// What becomes of datasets.
    datasets_enabled: bool,
    /// Payments and credit.
    billing_enabled: bool,
    /// Sign-ins and keys.
    security_enabled: bool,
    /// Offers.
    marketing_enabled: bool,
    /// What is new.
    product_updates_enabled: bool,
    /// `realtime`, `daily`, `weekly` or `never`.
    digest_frequency: String,
    /// When nothing is sent, from this time of the day (UTC) …
    quiet_hours_start: Nullable<String>,
    /// … to this one, of the next day where it is earlier.
    quiet_hours_end: Nullable<String>,
    /// When something was first said.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

/// What is to change in the preferences; what is absent stays.
#[derive(Object)]
#[oai(example, deny_unknown_fields, skip_serializing_if_is_none)]
struct ChangeNotificationPreferences {
    /// By e-mail.
    email_enabled: Option<bool>,
    /// To the browser or telephone.
    push_enabled: Option<bool>,
    /// By SMS.
    sms_enabled: Option<bool>,
    /// How crawl jobs ended.
    crawl_jobs_enabled: Option<bool>,
    /// What becomes of datasets.
    datasets_enabled: Option<bool>,
    /// Payments and credit.
    billing_enabled: Option<bool>,
    /// Sign-ins and keys.
    security_enabled: Option<bool>,
    /// Offers.
    marketing_enabled: Option<bool>,
    /// What is new.
    product_updates_enabled: Option<bool>,
    /// How often what is to be told may be put together.
    digest_frequency: Option<DigestFrequency>,
    /// Time of the day (UTC), such as `22:00` or `22:00:00`; null takes it away.
    #[oai(nullable, validator(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"))]
    quiet_hours_start: Option<String>,
    /// The same.
    #[oai(nullable, validator(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$"))]
    quiet_hours_end: Option<String>,
}

/// How often what is to be told may be put together.
#[derive(Enum)]
#[oai(rename_all = "lowercase")]
enum DigestFrequency {
    /// At once.
    Realtime,
    /// Once a day.
    Daily,
    /// Once a week.
    Weekly,
    /// Not at all.
    Never,
}

#[OpenApi(tag = "Tag::Notifications")]
impl NotificationsApi {
    /// List the caller's notifications
    ///
    /// Newest first. A job that ends makes one, unless its user does not want to be told.
    #[oai(path = "/notifications", method = "get", operation_id = "listNotifications")]
    async fn list(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ>,
        /// Most notifications in the answer; 50 by default.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        Query(limit): Query<Option<u8>>,
        /// `next` of the page before.
        Query(after): Query<Option<i32>>,
        /// Only those that were not read.
        #[oai(default)]
        Query(unread_only): Query<bool>,
        /// Notifications to leave out first: the original's way to ask, not together with `after`.
        #[oai(deprecated, validator(minimum(value = "0"), maximum(value = "1000000")))]
        Query(skip): Query<Option<i32>>,
    ) -> Result<Json<NotificationPage>, ProblemSet<{ SIGNED_IN | PARAMETER }>> {
        let window = Window::of_skip(limit, after, skip)?;
        let mut rows = db::notifications::list(
            &app.db,
            caller.user,
            unread_only,
            window.after,
            window.skip,
            window.rows(),
        )
        .await?;
        let next = cut(&mut rows, window.limit, |row| row.id);
        let items: Vec<_> = rows.into_iter().map(Notification::from).collect();
        let total = db::notifications::count(&app.db, caller.user, unread_only).await?;
        Ok(Json(NotificationPage { data: items.clone(), items, next, meta: window.meta(total) }))
    }

    /// Show a notification
    #[oai(path = "/notifications/:id", method = "get", operation_id = "getNotification")]
    async fn show(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ>,
        /// Id of the notification.
        #[oai(example = "example_id")]
        Path(id): Path<i32>,
    ) -> Result<Json<Notification>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        let row = db::notifications::show(&app.db, caller.user, id).await?.ok_or_else(not_found)?;
        Ok(Json(row.into()))
    }

    /// Mark a notification as read
    ///
    /// Or as not read.
    #[oai(path = "/notifications/:id", method = "patch", operation_id = "markNotification")]
    async fn mark(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<WRITE>,
        /// Id of the notification.
        #[oai(example = "example_id")]
        Path(id): Path<i32>,
        body: JsonBody<MarkNotification>,
    ) -> Result<Json<MarkedNotification>, ProblemSet<{ SIGNED_IN | NOT_FOUND | BODY }>> {
        let is_read = check_mark(body.value).map_err(Problem::rules)?;
        let row = db::notifications::mark(&app.db, caller.user, id, is_read).await?.ok_or_else(not_found)?;
        Ok(Json(MarkedNotification::of(row.into())))
    }

    /// Mark all of the caller's notifications as read
    #[oai(path = "/notifications/mark-all-read", method = "post", operation_id = "markAllNotificationsRead")]
    async fn mark_all_read(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<WRITE>,
    ) -> Result<Json<AllRead>, ProblemSet<SIGNED_IN>> {
        let count = db::notifications::mark_all_read(&app.db, caller.user).await?;
        Ok(Json(AllRead { count, data: AllReadData { success: true, count } }))
    }

    /// Delete a notification
    #[oai(path = "/notifications/:id", method = "delete", operation_id = "deleteNotification")]
    async fn delete(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<DELETE>,
        /// Id of the notification.
        #[oai(example = "example_id")]
        Path(id): Path<i32>,
    ) -> Result<Json<DeletedNotification>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        if db::notifications::delete(&app.db, caller.user, id).await? {
            Ok(Json(DeletedNotification { id, success: true }))
        } else {
            Err(not_found().into())
        }
    }

    /// Show what the caller wants to be told
    #[oai(path = "/notification-preferences", method = "get", operation_id = "getNotificationPreferences")]
    async fn preferences(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ>,
    ) -> Result<Json<NotificationPreferences>, ProblemSet<SIGNED_IN>> {
        Ok(Json(app.preferences(&caller).await?.into()))
    }

    /// Change what the caller wants to be told
    #[oai(
        path = "/notification-preferences",
        method = "patch",
        operation_id = "changeNotificationPreferences"
    )]
    async fn change_preferences(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<WRITE>,
        body: JsonBody<ChangeNotificationPreferences>,
    ) -> Result<Json<NotificationPreferences>, ProblemSet<{ SIGNED_IN | BODY }>> {
        let change = check_preferences(body.value).map_err(Problem::rules)?;
        Ok(Json(app.change_preferences(&caller, &change).await?.into()))
    }
}

fn not_found() -> Problem {
    Problem::not_found("notification")
}

/// Id in the examples.
const fn example_id() -> i32 {
    1
}

/// As Postgres writes it.
fn time_of_day(time: NaiveTime) -> String {
    time.format("%H:%M:%S").to_string()
}

impl From<NotificationRow> for Notification {
    fn from(row: NotificationRow) -> Self {
        Self {
            id: row.id,
            user_id: row.user_id.0,
            kind: word(&row.kind).unwrap_or(NotificationType::Info),
            category: row.category.as_deref().and_then(word).into(),
            title: row.title,
            message: row.message,
            icon: row.icon.into(),
            color: row.color.into(),
            action_url: row.action_url.into(),
            action_label: row.action_label.into(),
            metadata: row.metadata.map(|metadata| Any(metadata.0)).into(),
            is_read: row.is_read,
            read_at: row.read_at.map(Into::into).into(),
            created_at: row.created_at.into(),
        }
    }
}

impl From<db::notifications::PreferencesRow> for NotificationPreferences {
    fn from(row: db::notifications::PreferencesRow) -> Self {
        Self {
            email_enabled: row.email_enabled,
            push_enabled: row.push_enabled,
            sms_enabled: row.sms_enabled,
            crawl_jobs_enabled: row.crawl_jobs_enabled,
            datasets_enabled: row.datasets_enabled,
            billing_enabled: row.billing_enabled,
            security_enabled: row.security_enabled,
            marketing_enabled: row.marketing_enabled,
            product_updates_enabled: row.product_updates_enabled,
            digest_frequency: row.digest_frequency,
            quiet_hours_start: row.quiet_hours_start.map(time_of_day).into(),
            quiet_hours_end: row.quiet_hours_end.map(time_of_day).into(),
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        }
    }
}

impl MarkedNotification {
    fn of(notification: Notification) -> Self {
        let data = ReadMark { id: notification.id, is_read: notification.is_read };
        Self { notification, data }
    }
}

impl Example for Notification {
    fn example() -> Self {
        Self {
            id: example_id(),
            user_id: Uuid::from_u128(1),
            kind: NotificationType::Success,
            category: Some(NotificationCategory::CrawlJob).into(),
            title: "Crawl job completed".to_owned(),
            message: "“Red pandas” is ready with 200 images".to_owned(),
            icon: Some("circle-check-big".to_owned()).into(),
            color: Some("green".to_owned()).into(),
            action_url: Some("/dashboard/datasets/1".to_owned()).into(),
            action_label: Some("View dataset".to_owned()).into(),
            metadata: Some(Any(json!({
                "job_id": 1, "dataset_id": 1, "status": "completed", "valid_images": 200, "max_images": 200,
            })))
            .into(),
            is_read: false,
            read_at: None.into(),
            created_at: DateTime::UNIX_EPOCH,
        }
    }
}

impl Example for NotificationPage {
    fn example() -> Self {
        let items = vec![Notification::example()];
        Self { data: items.clone(), items, next: None.into(), meta: ListMeta::example() }
    }
}

impl Example for MarkNotification {
    fn example() -> Self {
        Self { is_read: true }
    }
}

impl Example for MarkedNotification {
    fn example() -> Self {
        let read_at = Some(DateTime::UNIX_EPOCH).into();
        Self::of(Notification { is_read: true, read_at, ..Notification::example() })
    }
}

impl Example for AllRead {
    fn example() -> Self {
        Self { count: 3, data: AllReadData { success: true, count: 3 } }
    }
}

impl Example for DeletedNotification {
    fn example() -> Self {
        Self { id: example_id(), success: true }
    }
}

impl Example for NotificationPreferences {
    fn example() -> Self {
        Self {
            email_enabled: true,
            push_enabled: false,
            sms_enabled: false,
            crawl_jobs_enabled: true,
            datasets_enabled: true,
            billing_enabled: true,
            security_enabled: true,
            marketing_enabled: false,
            product_updates_enabled: true,
            digest_frequency: "daily".to_owned(),
            quiet_hours_start: Some("22:00:00".to_owned()).into(),
            quiet_hours_end: Some("07:00:00".to_owned()).into(),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }
}

impl Example for ChangeNotificationPreferences {
    fn example() -> Self {
        Self {
            email_enabled: Some(false),
            push_enabled: None,
            sms_enabled: None,
            crawl_jobs_enabled: Some(true),
            datasets_enabled: None,
            billing_enabled: None,
            security_enabled: None,
            marketing_enabled: None,
            product_updates_enabled: None,
            digest_frequency: Some(DigestFrequency::Weekly),
            quiet_hours_start: Some("22:00".to_owned()),
            quiet_hours_end: Some("07:00".to_owned()),
        }
    }
}
