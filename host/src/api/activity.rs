//! What a user did, or had done.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{
    Object, OpenApi,
    param::Query,
    payload::Json,
    types::{Any, Example},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Tag,
    bearer::{Access, READ},
    compat::paging::{ListMeta, Window},
    cut,
    error::{PARAMETER, Problem, ProblemSet, SIGNED_IN},
    nullable::Nullable,
};
use crate::{
    app::App,
    db::{self, activity::ActivityEntry},
};

pub(super) struct ActivityApi;

/// A row of `activity_logs`.
#[derive(Clone, Object)]
#[oai(example)]
struct Activity {
    /// Id of the entry.
    id: i32,
    /// Whose it is.
    user_id: Uuid,
    /// `CREATE_PROJECT`, `START_CRAWL_JOB`, `COMPLETE_CRAWL_JOB`, `CANCEL_CRAWL_JOB`, …
    action: String,
    /// What it was done to: `project`, `dataset` or `crawl_job`; others may write others.
    resource_type: Nullable<String>,
    /// Id of that; null where it was done to all that the user has.
    resource_id: Nullable<String>,
    /// What belongs to it, such as the name.
    metadata: Nullable<Any<Value>>,
    /// When it happened.
    timestamp: DateTime<Utc>,
}

/// A page of activity.
#[derive(Object)]
#[oai(example)]
struct ActivityPage {
    /// Newest first.
    items: Vec<Activity>,
    /// `after` of the next page; null on the last.
    next: Nullable<i32>,
    /// The original's name of `items`.
    #[oai(deprecated)]
    data: Vec<Activity>,
    /// What the original says of the page.
    #[oai(deprecated)]
    meta: ListMeta,
}

#[OpenApi(prefix_path = "/activity", tag = "Tag::Activity")]
impl ActivityApi {
    /// List what the caller did
    ///
    /// Newest first: what was done to projects, datasets and crawl jobs, and how these ended.
    #[oai(path = "/", method = "get", operation_id = "listActivity")]
    async fn list(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ>,
        /// Most entries in the answer; 50 by default.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        Query(limit): Query<Option<u8>>,
        /// `next` of the page before.
        Query(after): Query<Option<i32>>,
        /// Only what was done to this: `project`, `dataset`, `crawl_job`, …
        Query(resource_type): Query<Option<String>>,
        /// Entries to leave out first: the original's way to ask, not together with `after`.
        #[oai(deprecated, validator(minimum(value = "0"), maximum(value = "1000000")))]
        Query(skip): Query<Option<i32>>,
    ) -> Result<Json<ActivityPage>, ProblemSet<{ SIGNED_IN | PARAMETER }>> {
        // Postgres cannot even compare with the first of them.
        if resource_type.as_ref().is_some_and(|kind| kind.contains(char::is_control)) {
            return Err(Problem::parameter("resource_type", "must not contain control characters").into());
        }
        let window = Window::of_skip(limit, after, skip)?;
        let kind = resource_type.as_deref();
        let mut rows =
            db::activity::list(&app.db, caller.user, kind, window.after, window.skip, window.rows()).await?;
        let next = cut(&mut rows, window.limit, |row| row.id);
        let items: Vec<_> = rows.into_iter().map(Activity::from).collect();
        let total = db::activity::count(&app.db, caller.user, kind).await?;
        Ok(Json(ActivityPage { data: items.clone(), items, next, meta: window.meta(total) }))
    }
}

impl From<ActivityEntry> for Activity {
    fn from(row: ActivityEntry) -> Self {
        Self {
            id: row.id,
            user_id: row.user_id.0,
            action: row.action,
            resource_type: row.resource_type.into(),
            resource_id: row.resource_id.into(),
            metadata: row.metadata.map(|metadata| Any(metadata.0)).into(),
            timestamp: row.timestamp.into(),
        }
    }
}

impl Example for Activity {
    fn example() -> Self {
        Self {
            id: 7,
            user_id: Uuid::from_u128(1),
            action: "START_CRAWL_JOB".to_owned(),
            resource_type: Some("crawl_job".to_owned()).into(),
            resource_id: Some("1".to_owned()).into(),
            metadata: Some(Any(json!({ "name": "Red pandas", "sources": ["openverse"] }))).into(),
            timestamp: DateTime::UNIX_EPOCH,
        }
    }
}

impl Example for ActivityPage {
    fn example() -> Self {
        let items = vec![Activity::example()];
        Self { data: items.clone(), items, next: None.into(), meta: ListMeta::example() }
    }
}
