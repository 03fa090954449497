//! The original's way to make an API key.

use chrono::{DateTime, TimeDelta, Utc};
use poem::web::Data;
use poem_openapi::{ApiResponse, Object, OpenApi, payload::Json, types::Example};
use secrecy::ExposeSecret as _;

use super::formerly_open::FormerlyOpenToUsers;
use crate::{
    api::{
        Tag,
        bearer::Bearer,
        error::{NOT_FOUND, Problem, ProblemCode, ProblemSet, RULES, SIGNED_IN},
    },
    app::App,
    model::Permission,
    services::api_keys::{ApiKeySpec, DEFAULT_RATE},
};

pub(in crate::api) struct TokensApi;

/// An API key, as the original has one.
#[derive(Object)]
#[oai(example)]
struct ServiceToken {
    /// The key itself: it is shown this once, and kept nowhere.
    token: String,
    /// Always `service`.
    token_type: String,
    /// When it ends.
    expires_at: DateTime<Utc>,
    /// When it was made.
    created_at: DateTime<Utc>,
}

#[derive(ApiResponse)]
enum Generated {
    /// The key is made.
    #[oai(status = 201)]
    New(Json<ServiceToken>),
}

#[OpenApi(prefix_path = "/tokens", tag = "Tag::Compatibility")]
impl TokensApi {
    /// Make an API key for a year
    ///
    /// With the permissions `read` and `write`. In place of `POST /api-keys`, for the frontend of the original,
    /// which has to send the token of its user.
    #[oai(path = "/generate", method = "post", operation_id = "generateToken", deprecated)]
    async fn generate(
        &self,
        Data(app): Data<&App>,
        FormerlyOpenToUsers(caller): FormerlyOpenToUsers,
    ) -> Result<Generated, ProblemSet<{ SIGNED_IN | RULES }>> {
        let now = Utc::now();
        let expires_at = now + TimeDelta::days(365);
        let spec = ApiKeySpec {
            name: format!("Token of {}", now.format("%Y-%m-%d")),
            permissions: vec![Permission::Read, Permission::Write],
            rate_limit: DEFAULT_RATE,
            expires_at: Some(expires_at),
        };
        let (row, key) = app.create_key(&caller, &spec).await?;
        Ok(Generated::New(Json(ServiceToken {
            token: key.expose_secret().to_owned(),
            token_type: "service".to_owned(),
            expires_at,
            created_at: row.created_at.into(),
        })))
    }

    /// Say that no key is shown twice
    ///
    /// Always 404: the original made a new one here each time.
    #[oai(path = "/current", method = "get", operation_id = "getCurrentToken", deprecated)]
    async fn current(
        &self,
        _caller: Bearer,
    ) -> Result<Json<ServiceToken>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        let detail = "An API key is shown once, when it is made, and kept nowhere: make another with \
                      POST /api/v1/api-keys, and see those that there are with GET.";
        Err(Problem::new(ProblemCode::NotFound, detail).into())
    }
}

impl Example for ServiceToken {
    fn example() -> Self {
        Self {
            token: "pk_live_0f1e2d3c…".to_owned(),
            token_type: "service".to_owned(),
            expires_at: DateTime::UNIX_EPOCH + TimeDelta::days(365),
            created_at: DateTime::UNIX_EPOCH,
        }
    }
}
