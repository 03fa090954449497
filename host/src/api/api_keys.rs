//! API keys of the caller: make, list, rename, revoke, and what each was used for.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{
    ApiResponse, Enum, Object, OpenApi,
    param::{Path, Query},
    payload::Json,
    types::Example,
};
use secrecy::ExposeSecret as _;
use uuid::Uuid;

use super::{
    Tag,
    bearer::Bearer,
    body::JsonBody,
    compat::paging::{ListMeta, Window},
    cut,
    error::{BODY, NOT_FOUND, PARAMETER, Problem, ProblemCode, ProblemSet, SIGNED_IN},
    nullable::Nullable,
};
use crate::{
    app::App,
    db::{self, api_keys::ApiKeyRow},
    model::{self, ApiKeyId},
    services::api_keys::{ApiKeyRequest, KeyError, MakeKeyError, RenameRequest},
};

pub(super) struct ApiKeysApi;

/// What a key is to be.
#[derive(Object)]
#[oai(example, deny_unknown_fields, skip_serializing_if_is_none)]
struct CreateApiKey {
    /// For people.
    #[oai(validator(min_length = 1, max_length = 200))]
    name: String,
    /// What it may do; `read` is enough for a program that looks and downloads.
    #[oai(validator(min_items = 1, max_items = 9))]
    permissions: Vec<Permission>,
    /// Requests an hour, which begins on the hour; 1000 by default.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    rate_limit: Option<i32>,
    /// When it ends; never by default.
    expires_at: Option<DateTime<Utc>>,
    /// The same in days from now; not together with `expires_at`.
    #[oai(validator(minimum(value = "1"), maximum(value = "3650")))]
    days: Option<i32>,
}

/// A new name.
#[derive(Object)]
#[oai(example, deny_unknown_fields)]
struct RenameApiKey {
    /// For people.
    #[oai(validator(min_length = 1, max_length = 200))]
    name: String,
}

/// What a key may do.
#[derive(Clone, Copy, Enum)]
#[oai(remote = "model::Permission")]
enum Permission {
    /// Look at everything.
    #[oai(rename = "read")]
    Read,
    /// Make and change everything.
    #[oai(rename = "write")]
    Write,
    /// Delete everything.
    #[oai(rename = "delete")]
    Delete,
    /// All that a key may; not more than its user may.
    #[oai(rename = "admin")]
    Admin,
    /// Begin crawl jobs.
    #[oai(rename = "crawl_jobs:create")]
    CrawlJobsCreate,
    /// Look at crawl jobs and their images.
    #[oai(rename = "crawl_jobs:read")]
    CrawlJobsRead,
    /// Cancel crawl jobs.
    #[oai(rename = "crawl_jobs:cancel")]
    CrawlJobsCancel,
    /// Look at datasets and images.
    #[oai(rename = "datasets:read")]
    DatasetsRead,
    /// Take whole datasets.
    #[oai(rename = "datasets:export")]
    DatasetsExport,
}

/// Whether a key is good.
#[derive(Clone, Copy, Enum)]
#[oai(rename_all = "lowercase")]
enum ApiKeyStatus {
    /// It is.
    Active,
    /// Its user has ended it.
    Revoked,
    /// Its time is over.
    Expired,
}

/// A row of `api_keys`. What opens the API is not in it.
#[derive(Clone, Object)]
#[oai(example)]
struct ApiKey {
    /// Names it.
    id: Uuid,
    /// Whose it is.
    user_id: Uuid,
    /// For people.
    name: String,
    /// How it begins.
    key_prefix: String,
    /// Whether it is good.
    status: ApiKeyStatus,
    /// What it may do.
    permissions: Vec<Permission>,
    /// Requests an hour.
    rate_limit: i32,
    /// Requests so far; some seconds behind.
    usage_count: i32,
    /// When it was used last; some seconds behind.
    last_used_at: Nullable<DateTime<Utc>>,
    /// From where.
    last_used_ip: Nullable<String>,
    /// When it ends, if ever.
    expires_at: Nullable<DateTime<Utc>>,
    /// When it was made.
    created_at: DateTime<Utc>,
    /// When its row last changed.
    updated_at: DateTime<Utc>,
}

/// A key that was just made.
#[derive(Object)]
#[oai(example)]
struct CreatedApiKey {
    #[oai(flatten)]
    row: ApiKey,
    /// The key itself: it is shown this once, and kept nowhere.
    key: String,
}

/// Keys of the caller.
#[derive(Object)]
#[oai(rename = "ApiKeyPage", example)]
struct ApiKeyPage {
    /// Newest first.
    items: Vec<ApiKey>,
    /// `after` of the next page; null on the last.
    next: Nullable<Uuid>,
    /// The same as `items`.
    #[oai(deprecated)]
    data: Vec<ApiKey>,
    /// Where this page stands in the whole list.
    #[oai(deprecated)]
    meta: ListMeta,
}

/// A key that is good no more.
#[derive(Object)]
#[oai(example)]
struct RevokedApiKey {
    /// For people.
    message: String,
    /// Which.
    key_id: Uuid,
}

/// What a key was used for.
#[derive(Object)]
#[oai(example)]
struct ApiKeyUsage {
    /// Which.
    key_id: Uuid,
    /// For people.
    name: String,
    /// Whether it is good.
    status: ApiKeyStatus,
    /// Requests so far; some seconds behind.
    total_usage: i32,
    /// The same for each day since it was made.
    average_daily_usage: f64,
    /// Requests an hour.
    rate_limit: i32,
    /// When it was used last.
    last_used_at: Nullable<DateTime<Utc>>,
    /// From where.
    last_used_ip: Nullable<String>,
    /// When it was made.
    created_at: DateTime<Utc>,
}

#[derive(ApiResponse)]
enum Made {
    /// The key is made.
    #[oai(status = 201)]
    New(Json<CreatedApiKey>),
}

#[OpenApi(prefix_path = "/api-keys", tag = "Tag::ApiKeys")]
impl ApiKeysApi {
    /// Make an API key
    ///
    /// A program sends it as `Authorization: Bearer pk_live_…` in place of a token, and may do what its
    /// permissions let it. The answer is the only one that has it. Keys are made, seen and ended with
    /// the token of a user, never with a key. A user has at most 100 that are good.
    #[oai(path = "/", method = "post", operation_id = "createApiKey")]
    async fn create(
        &self,
        Data(app): Data<&App>,
        Bearer(caller): Bearer,
        body: JsonBody<CreateApiKey>,
    ) -> Result<Made, ProblemSet<{ SIGNED_IN | BODY }>> {
        let spec = ApiKeyRequest::from(body.value).check(Utc::now()).map_err(Problem::rules)?;
        let (row, key) = app.create_key(&caller, &spec).await?;
        Ok(Made::New(Json(CreatedApiKey { row: row.into(), key: key.expose_secret().to_owned() })))
    }

    /// List the caller's API keys
    ///
    /// Newest first, those that are over, too.
    #[oai(path = "/", method = "get", operation_id = "listApiKeys")]
    async fn list(
        &self,
        Data(app): Data<&App>,
        Bearer(caller): Bearer,
        /// Most keys in the answer; 50 by default.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        Query(limit): Query<Option<u8>>,
        /// `next` of the page before.
        Query(after): Query<Option<Uuid>>,
        /// Keys to leave out, from the first: the original's way to ask, not together with `after`.
        #[oai(deprecated, validator(minimum(value = "0")))]
        Query(skip): Query<Option<i32>>,
    ) -> Result<Json<ApiKeyPage>, ProblemSet<{ SIGNED_IN | PARAMETER }>> {
        let window = Window::of_skip(limit, after, skip)?;
        let after = window.after.map(ApiKeyId);
        let mut rows = db::api_keys::list(&app.db, caller.user, after, window.skip, window.rows()).await?;
        let next = cut(&mut rows, window.limit, |key| key.id.0);
        let items: Vec<_> = rows.into_iter().map(ApiKey::from).collect();
        let meta = window.meta(db::api_keys::count(&app.db, caller.user).await?);
        Ok(Json(ApiKeyPage { data: items.clone(), items, next, meta }))
    }

    /// Rename an API key
    #[oai(path = "/:id", method = "patch", operation_id = "renameApiKey")]
    async fn rename(
        &self,
        Data(app): Data<&App>,
        Bearer(caller): Bearer,
        /// Id of the key.
        #[oai(example = "example_id")]
        Path(id): Path<Uuid>,
        body: JsonBody<RenameApiKey>,
    ) -> Result<Json<ApiKey>, ProblemSet<{ SIGNED_IN | BODY | NOT_FOUND }>> {
        let name = RenameRequest::from(body.value).check().map_err(Problem::rules)?;
        let row = db::api_keys::rename(&app.db, caller.user, ApiKeyId(id), &name).await?;
        Ok(Json(row.ok_or_else(not_found)?.into()))
    }

    /// Revoke an API key
    ///
    /// For good, and at once: links that were made for it and streams of events that it opened end with it,
    /// these within two seconds.
    #[oai(path = "/:id", method = "delete", operation_id = "revokeApiKey")]
    async fn revoke(
        &self,
        Data(app): Data<&App>,
        Bearer(caller): Bearer,
        /// Id of the key.
        #[oai(example = "example_id")]
        Path(id): Path<Uuid>,
    ) -> Result<Json<RevokedApiKey>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        if !db::api_keys::revoke(&app.db, caller.user, ApiKeyId(id)).await? {
            return Err(not_found().into());
        }
        tracing::info!(event = "api-key-revoked", key = %id, user = %caller.user, "an API key was revoked");
        Ok(Json(RevokedApiKey { message: "The API key is revoked.".to_owned(), key_id: id }))
    }

    /// Show what an API key was used for
    #[oai(path = "/:id/usage", method = "get", operation_id = "getApiKeyUsage")]
    async fn usage(
        &self,
        Data(app): Data<&App>,
        Bearer(caller): Bearer,
        /// Id of the key.
        #[oai(example = "example_id")]
        Path(id): Path<Uuid>,
    ) -> Result<Json<ApiKeyUsage>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        let row = db::api_keys::show(&app.db, caller.user, ApiKeyId(id)).await?.ok_or_else(not_found)?;
        let key = ApiKey::from(row);
        let days = (Utc::now() - key.created_at).as_seconds_f64() / 86_400.0;
        Ok(Json(ApiKeyUsage {
            key_id: key.id,
            name: key.name,
            status: key.status,
            total_usage: key.usage_count,
            average_daily_usage: f64::from(key.usage_count) / days.max(1.0),
            rate_limit: key.rate_limit,
            last_used_at: key.last_used_at,
            last_used_ip: key.last_used_ip,
            created_at: key.created_at,
        }))
    }
}

fn not_found() -> Problem {
    Problem::not_found("API key")
}

/// Id of the key in all examples.
const fn example_id() -> Uuid {
    Uuid::from_u128(1)
}

impl From<ApiKeyRow> for ApiKey {
    fn from(row: ApiKeyRow) -> Self {
        // What else is in the row counts for nothing.
        let permissions = row.permissions.0.iter().filter_map(|name| model::Permission::named(name));
        Self {
            id: row.id.0,
            user_id: row.user_id.0,
            name: row.name,
            key_prefix: row.key_prefix,
            status: match row.status.as_str() {
                "active" => ApiKeyStatus::Active,
                "expired" => ApiKeyStatus::Expired,
                _ => ApiKeyStatus::Revoked,
            },
            permissions: permissions.map(Into::into).collect(),
            rate_limit: row.rate_limit,
            usage_count: row.usage_count,
            last_used_at: row.last_used_at.map(Into::into).into(),
            last_used_ip: row.last_used_ip.into(),
            expires_at: row.expires_at.map(Into::into).into(),
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        }
    }
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        match error {
            KeyError::Database(error) => error.into(),
            KeyError::TooMany { retry_after, .. } => {
                Self::of_rate(format!("{}.", sentence(&error)), retry_after)
            }
            error => Self::new(ProblemCode::Unauthorized, format!("{}.", sentence(&error))),
        }
    }
}

impl From<MakeKeyError> for Problem {
    fn from(error: MakeKeyError) -> Self {
        match error {
            MakeKeyError::Rules(broken) => Self::rules(broken),
            MakeKeyError::Caller(error) => error.into(),
            MakeKeyError::Database(error) => error.into(),
        }
    }
}

/// What an error says, with a capital letter.
fn sentence(error: &KeyError) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl Example for CreateApiKey {
    fn example() -> Self {
        Self {
            name: "Training".to_owned(),
            permissions: vec![Permission::Read],
            rate_limit: Some(1000),
            expires_at: None,
            days: Some(90),
        }
    }
}

impl Example for RenameApiKey {
    fn example() -> Self {
        Self { name: "Training, second try".to_owned() }
    }
}

impl Example for ApiKey {
    fn example() -> Self {
        Self {
            id: example_id(),
            user_id: Uuid::from_u128(1),
            name: "Training".to_owned(),
            key_prefix: "pk_live_0f1e2d3c".to_owned(),
            status: ApiKeyStatus::Active,
            permissions: vec![Permission::Read],
            rate_limit: 1000,
            usage_count: 0,
            last_used_at: None.into(),
            last_used_ip: None.into(),
            expires_at: Some(DateTime::UNIX_EPOCH).into(),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }
}

impl Example for CreatedApiKey {
    fn example() -> Self {
        Self { row: ApiKey::example(), key: "pk_live_0f1e2d3c…".to_owned() }
    }
}

impl Example for ApiKeyPage {
    fn example() -> Self {
        let items = vec![ApiKey::example()];
        Self { data: items.clone(), items, next: None.into(), meta: ListMeta::example() }
    }
}

impl Example for RevokedApiKey {
    fn example() -> Self {
        Self { message: "The API key is revoked.".to_owned(), key_id: example_id() }
    }
}

impl Example for ApiKeyUsage {
    fn example() -> Self {
        Self {
            key_id: example_id(),
            name: "Training".to_owned(),
            status: ApiKeyStatus::Active,
            total_usage: 1500,
            average_daily_usage: 50.0,
            rate_limit: 1000,
            last_used_at: Some(DateTime::UNIX_EPOCH).into(),
            last_used_ip: Some("192.0.2.1".to_owned()).into(),
            created_at: DateTime::UNIX_EPOCH,
        }
    }
}
