//! The only place that knows poem: the list of API parts, and the door in front of them.

use poem::{
    Endpoint, EndpointExt as _, IntoEndpoint as _, Route, endpoint::make_sync, middleware::CatchPanic,
};
use poem_openapi::{LicenseObject, OpenApiService, Tags};

use crate::app::App;

pub use server::{BindError, Server};

mod auth;
mod body;
mod caller;
mod door;
mod error;
mod events;
mod health;
mod images;
mod jobs;
mod server;
mod sources;

/// Every part of the API; the routes stand in their files.
type Parts = (health::Api, auth::Api, jobs::Api, events::Api, images::Api, sources::Api);

/// What all paths of the API begin with.
const PREFIX: &str = "/api/v1";

/// Groups of operations in the document.
#[derive(Tags)]
enum Tag {
    /// Whether the system works.
    Health,
    /// Who is calling.
    Auth,
    /// Crawl jobs: keywords or addresses in, images out.
    #[oai(rename = "Crawl jobs")]
    CrawlJobs,
    /// What a crawl brought: kept, refused and duplicate.
    Images,
    /// Where images come from.
    Sources,
}

/// The whole HTTP service.
pub fn service(app: App) -> impl Endpoint {
    let api = parts();
    let document = document();
    let swagger = api.swagger_ui();
    let local_keys = app.auth.issuer().map(|issuer| serde_json::json!(issuer.key_set()).to_string());
    let mut routes = Route::new()
        .nest(PREFIX, api.into_endpoint())
        .at("/docs", swagger)
        .at("/openapi.json", make_sync(move |_| json(document.clone())));
    if let Some(keys) = local_keys {
        routes = routes.at("/auth/v1/.well-known/jwks.json", make_sync(move |_| json(keys.clone())));
    }
    let door = door::Door::new(&app.config.http.allowed_origins);
    door.before(routes.data(app).with(CatchPanic::new()))
}

/// The OpenAPI document, as JSON; needs no running system.
#[must_use]
pub fn document() -> String {
    parts().spec()
}

fn parts() -> OpenApiService<Parts, ()> {
    let parts = (health::Api, auth::Api, jobs::Api, events::Api, images::Api, sources::Api);
    OpenApiService::new(parts, "PixCrawler", env!("CARGO_PKG_VERSION"))
        .summary("Keywords in, trustworthy image dataset out.")
        .description(include_str!("api/description.md"))
        .license(LicenseObject::new("MIT OR Apache-2.0").identifier("MIT OR Apache-2.0"))
        .url_prefix(PREFIX)
        .server("/")
}

fn json(body: String) -> poem::Response {
    poem::Response::builder().content_type("application/json").body(body)
}
