//! Who is calling: a bearer token or, for what browsers fetch by themselves, a signed link.

use chrono::{DateTime, Utc};
use poem::Request;
use poem_openapi::{SecurityScheme, auth};
use uuid::Uuid;

use super::error::Problem;
use crate::{app::App, auth::Caller, model::UserId, services::profiles::ProfileError};

/// A token of the Supabase project or, where there is none, one that `pixcrawler token` prints.
#[derive(SecurityScheme)]
#[oai(rename = "Bearer", ty = "bearer", bearer_format = "JWT", checker = "verify")]
pub(super) struct Bearer(pub(super) Caller);

/// A token, or else the query of a signed link.
#[derive(SecurityScheme)]
pub(super) enum BearerOrLink {
    Bearer(Bearer),
    #[oai(fallback)]
    Link,
}

/// The query of a signed link.
pub(super) struct Link {
    pub(super) user: Option<Uuid>,
    pub(super) expires: Option<i64>,
    pub(super) signature: Option<String>,
}

/// Who may read something, and until when.
pub(super) struct AuthorizedReader {
    pub(super) user: UserId,
    pub(super) until: DateTime<Utc>,
}

async fn verify(request: &Request, bearer: auth::Bearer) -> poem::Result<Caller> {
    let app = request
        .data::<App>()
        .ok_or_else(|| Problem::internal(anyhow::anyhow!("routes without their app")))?;
    let caller = app.auth.verify(&bearer.token).await.map_err(Problem::from)?;
    if app.deleted_users.since(caller.user, caller.issued) {
        return Err(Problem::from(ProfileError::UserGone).into());
    }
    Ok(caller)
}

impl BearerOrLink {
    /// Who reads `path`, which is the whole path without the host.
    pub(super) fn reader(&self, app: &App, path: &str, link: &Link) -> Result<AuthorizedReader, Problem> {
        if let Self::Bearer(Bearer(caller)) = self {
            return Ok(AuthorizedReader { user: caller.user, until: caller.expires });
        }
        let (Some(user), Some(expires), Some(signature)) = (link.user, link.expires, &link.signature) else {
            return Err(Problem::unauthorized(
                "A bearer token that is accepted, or a signed link, is needed.",
            ));
        };
        let user = UserId(user);
        app.links
            .check(path, user, expires, signature, Utc::now())
            .map_err(|error| Problem::unauthorized(format!("The link is not accepted: {error}.")))?;
        let until = DateTime::from_timestamp(expires, 0).unwrap_or_default();
        Ok(AuthorizedReader { user, until })
    }
}
