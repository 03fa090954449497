//! Who is calling: a bearer credential, which is a user's token or an API key, or, for what browsers
//! fetch by themselves, a signed link.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use poem::{Request, RequestBody};
use poem_openapi::{
    ApiExtractor, ApiExtractorType, ExtractParamOptions, SecurityScheme,
    auth::{self, BearerAuthorization as _},
    registry::{MetaSecurityScheme, Registry},
};
use uuid::Uuid;

use super::{
    connection::ConnectionTable,
    error::{Problem, ProblemCode},
};
use crate::{
    app::App,
    auth::{Caller, api_key, link::LinkHolder},
    db,
    model::{ApiKeyId, Permission, UserId},
    services::{
        api_keys::{AuthenticatedKey, permissions_of},
        profiles::ProfileError,
    },
};

/// A token of the Supabase project or, where there is none, one that `pixcrawler token` prints.
#[derive(SecurityScheme)]
#[oai(rename = "Bearer", ty = "bearer", bearer_format = "JWT", checker = "verify")]
pub(super) struct Bearer(pub(super) Caller);

/// A user's token, or an API key with one of the permissions in `NEED`, which is one of the constants
/// below.
pub(super) struct Access<const NEED: u16>(pub(super) Caller);

/// An [`Access`], or else the query of a signed link.
pub(super) enum AccessOrLink<const NEED: u16> {
    Access(Caller),
    /// What was sent besides, if it was not accepted.
    Link(Option<Box<Problem>>),
}

// What an API key needs for an operation: one of these. `admin` is enough for each.

/// Of any permission: what is the same for all users.
pub(super) const ANY_KEY: u16 = u16::MAX;
pub(super) const READ: u16 = Permission::Read.bit();
pub(super) const WRITE: u16 = Permission::Write.bit();
pub(super) const DELETE: u16 = Permission::Delete.bit();
pub(super) const READ_JOBS: u16 = READ | Permission::CrawlJobsRead.bit();
pub(super) const CREATE_JOBS: u16 = WRITE | Permission::CrawlJobsCreate.bit();
pub(super) const CANCEL_JOBS: u16 = WRITE | Permission::CrawlJobsCancel.bit();
pub(super) const READ_DATASETS: u16 = READ | Permission::DatasetsRead.bit();
pub(super) const EXPORT_DATASETS: u16 = READ | Permission::DatasetsExport.bit();
pub(super) const READ_IMAGES: u16 = READ_JOBS | READ_DATASETS;
/// Who takes whole datasets gets the files that these name.
pub(super) const READ_FILES: u16 = READ_IMAGES | EXPORT_DATASETS;

/// Who takes whole datasets sees what there is to take.
pub(super) const READ_EXPORTS: u16 = READ_DATASETS | EXPORT_DATASETS;

/// How the document names each, and what it says of it: a scheme each, because the standard has no
/// other place for what one of several is enough for.
const SCHEMES: [(u16, &str, &str); 12] = [
    (ANY_KEY, "ApiKey", "An API key, whatever its permissions."),
    (READ, "ApiKeyRead", "An API key with one of the permissions `read`, `admin`."),
    (WRITE, "ApiKeyWrite", "An API key with one of the permissions `write`, `admin`."),
    (DELETE, "ApiKeyDelete", "An API key with one of the permissions `delete`, `admin`."),
    (
        READ_JOBS,
        "ApiKeyReadJobs",
        "An API key with one of the permissions `read`, `admin`, `crawl_jobs:read`.",
    ),
    (
        CREATE_JOBS,
        "ApiKeyCreateJobs",
        "An API key with one of the permissions `write`, `admin`, `crawl_jobs:create`.",
    ),
    (
        CANCEL_JOBS,
        "ApiKeyCancelJobs",
        "An API key with one of the permissions `write`, `admin`, `crawl_jobs:cancel`.",
    ),
    (
        READ_DATASETS,
        "ApiKeyReadDatasets",
        "An API key with one of the permissions `read`, `admin`, `datasets:read`.",
    ),
    (
        EXPORT_DATASETS,
        "ApiKeyExportDatasets",
        "An API key with one of the permissions `read`, `admin`, `datasets:export`.",
    ),
    (
        READ_EXPORTS,
        "ApiKeyReadExports",
        "An API key with one of the permissions `read`, `admin`, `datasets:read`, `datasets:export`.",
    ),
    (
        READ_IMAGES,
        "ApiKeyReadImages",
        "An API key with one of the permissions `read`, `admin`, `crawl_jobs:read`, `datasets:read`.",
    ),
    (
        READ_FILES,
        "ApiKeyReadFiles",
        "An API key with one of the permissions `read`, `admin`, `crawl_jobs:read`, `datasets:read`, `datasets:export`.",
    ),
];

/// The query of a signed link.
pub(super) struct Link {
    pub(super) user: Option<Uuid>,
    pub(super) key: Option<Uuid>,
    pub(super) expires: Option<i64>,
    pub(super) signature: Option<String>,
}

/// Who may read something, and until when, if no key of theirs ends before.
pub(super) struct AuthorizedReader {
    pub(super) holder: LinkHolder,
    pub(super) until: DateTime<Utc>,
    /// What a key needs for it.
    need: u16,
}

/// Accepts tokens of users.
async fn verify(request: &Request, bearer: auth::Bearer) -> poem::Result<Caller> {
    let app = app(request)?;
    if api_key::is_key(&bearer.token) {
        authenticate(app, request, &bearer.token).await?;
        let detail = "This is not for API keys: it needs the token of a user who is signed in.";
        return Err(Problem::new(ProblemCode::KeyNotEnough, detail).into());
    }
    Ok(verify_token(app, &bearer.token).await?)
}

async fn verify_token(app: &App, token: &str) -> Result<Caller, Problem> {
    let caller = app.auth.verify(token).await?;
    if app.deleted_users.since(caller.user, caller.issued) {
        return Err(ProfileError::UserGone.into());
    }
    app.user_traffic.called(caller.user);
    Ok(caller)
}

async fn authenticate(app: &App, request: &Request, key: &str) -> Result<AuthenticatedKey, Problem> {
    let connections = request.data::<Arc<ConnectionTable>>();
    let from = connections.and_then(|connections| connections.address_of(request));
    let key = app.authenticate_key(key, from).await?;
    app.user_traffic.called(key.caller.user);
    Ok(key)
}

/// Accepts tokens of users and keys that have one of the permissions in `need`.
async fn access(request: &Request, credential: &str, need: u16) -> Result<Caller, Problem> {
    let app = app(request)?;
    if !api_key::is_key(credential) {
        return verify_token(app, credential).await;
    }
    let key = authenticate(app, request, credential).await?;
    if !is_enough(key.permissions, need) {
        return Err(lacking("This API key", need));
    }
    Ok(key.caller)
}

/// Whether a key with these permissions may do what needs one of those.
const fn is_enough(permissions: u16, need: u16) -> bool {
    permissions & (need | Permission::Admin.bit()) != 0
}

/// What is told where `key` has none of the permissions in `need`.
fn lacking(key: &str, need: u16) -> Problem {
    let names: Vec<_> =
        Permission::within(need).map(|permission| format!("`{}`", permission.name())).collect();
    let detail = format!("{key} lacks a permission for that: {}, or `admin`.", names.join(", "));
    Problem::new(ProblemCode::KeyNotEnough, detail)
}

fn app(request: &Request) -> Result<&App, Problem> {
    request.data::<App>().ok_or_else(|| Problem::internal(anyhow::anyhow!("routes without their app")))
}

/// Says in the document what is accepted.
fn register_schemes<const NEED: u16>(registry: &mut Registry) {
    Bearer::register(registry);
    for (_, name, description) in SCHEMES.into_iter().filter(|(need, ..)| *need == NEED) {
        let scheme = MetaSecurityScheme {
            ty: "http",
            description: Some(description),
            name: None,
            key_in: None,
            scheme: Some("bearer"),
            bearer_format: Some("pk_live_…"),
            flows: None,
            openid_connect_url: None,
        };
        registry.create_security_scheme(name, scheme);
    }
}

fn names_of_schemes<const NEED: u16>() -> Vec<&'static str> {
    let of_keys = SCHEMES.into_iter().filter(|(need, ..)| *need == NEED).map(|(_, name, _)| name);
    [Bearer::security_schemes(), of_keys.collect()].concat()
}

impl<'a, const NEED: u16> ApiExtractor<'a> for Access<NEED> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register_schemes::<NEED>(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        names_of_schemes::<NEED>()
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        let bearer = auth::Bearer::from_request(request)?;
        Ok(Self(access(request, &bearer.token, NEED).await?))
    }
}

impl<'a, const NEED: u16> ApiExtractor<'a> for AccessOrLink<NEED> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::SecurityScheme];

    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register_schemes::<NEED>(registry);
    }

    fn security_schemes() -> Vec<&'static str> {
        names_of_schemes::<NEED>()
    }

    fn has_security_fallback() -> bool {
        true
    }

    async fn from_request(
        request: &'a Request,
        _: &mut RequestBody,
        _: ExtractParamOptions<Self::ParamType>,
    ) -> poem::Result<Self> {
        let Ok(bearer) = auth::Bearer::from_request(request) else { return Ok(Self::Link(None)) };
        Ok(match access(request, &bearer.token, NEED).await {
            Ok(caller) => Self::Access(caller),
            Err(problem) => Self::Link(Some(Box::new(problem))),
        })
    }
}

impl<const NEED: u16> AccessOrLink<NEED> {
    /// Who reads `path`, which is the whole path without the host.
    pub(super) async fn reader(
        self,
        app: &App,
        path: &str,
        link: &Link,
    ) -> Result<AuthorizedReader, Problem> {
        let refused = match self {
            Self::Access(caller) => {
                let (holder, until) = (caller.holder(), caller.expires);
                return Ok(AuthorizedReader { holder, until, need: NEED });
            }
            Self::Link(refused) => refused,
        };
        let (Some(user), Some(expires), Some(signature)) = (link.user, link.expires, &link.signature) else {
            let nothing = || {
                let detail = "A bearer token that is accepted, or a signed link, is needed.";
                Box::new(Problem::unauthorized(detail))
            };
            return Err(*refused.unwrap_or_else(nothing));
        };
        let holder = LinkHolder { user: UserId(user), api_key: link.key.map(ApiKeyId) };
        app.links
            .check(path, holder, expires, signature, Utc::now())
            .map_err(|error| Problem::unauthorized(format!("The link is not accepted: {error}.")))?;
        let until = DateTime::from_timestamp(expires, 0).unwrap_or_default();
        let reader = AuthorizedReader { holder, until, need: NEED };
        // Links stand in all answers, also in those to keys that may not open them.
        match reader.permissions(app).await? {
            Some(permissions) if is_enough(permissions, NEED) => Ok(reader),
            Some(_) => Err(lacking("The link is not accepted: the API key that asked for it", NEED)),
            None => Err(Problem::unauthorized(
                "The link is not accepted: the API key that asked for it has ended.",
            )),
        }
    }
}

impl AuthorizedReader {
    /// Whether the key by which they came, if they did, is good and enough still.
    pub(super) async fn may_go_on(&self, app: &App) -> Result<bool, db::Error> {
        Ok(self.permissions(app).await?.is_some_and(|permissions| is_enough(permissions, self.need)))
    }

    /// What the key by which they came may do, while it is good; everything where they came by none.
    async fn permissions(&self, app: &App) -> Result<Option<u16>, db::Error> {
        match self.holder.api_key {
            Some(key) => permissions_of(&app.db, self.holder.user, key).await,
            None => Ok(Some(u16::MAX)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_says_what_is_checked() {
        for (need, name, description) in SCHEMES {
            let told: Vec<&str> = description.split('`').skip(1).step_by(2).collect();
            let checked = need | Permission::Admin.bit();
            let names: Vec<&str> = Permission::within(checked).map(Permission::name).collect();
            assert!(told == names || need == ANY_KEY && told.is_empty(), "{name}: {told:?} {names:?}");
        }
    }
}
