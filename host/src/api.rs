//! The only place that knows poem: the list of API parts, and the middleware in front of them; and
//! what a worker shows, which has no API.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use poem::{
    Endpoint, EndpointExt as _, IntoEndpoint as _, Route,
    endpoint::{make, make_sync},
    http::header,
    listener::TcpAcceptor,
    middleware::CatchPanic,
    web::Html,
};
use poem_openapi::{LicenseObject, OpenApiService, Tags, types::ParseFromParameter};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::{
    connection::{ConnectionTable, Connections},
    middleware::Middleware,
    nullable::Nullable,
    operations::Operations,
};
use crate::{app::App, auth::issuer::Issuer, metrics::TextFormat};

mod activity;
mod api_keys;
mod profile;
mod body;
mod bearer;
mod compat;
mod connection;
mod datasets;
mod document;
mod middleware;
mod error;
mod events;
mod exports;
mod health;
mod images;
mod jobs;
mod notifications;
mod nullable;
mod operations;
mod pages;
mod projects;
mod provenance;
mod ranges;
mod removals;
mod sources;
mod statistics;

/// Every part of the API; the routes stand in their files.
type Routes = (
    health::HealthApi,
    profile::ProfileApi,
    jobs::JobsApi,
    events::EventsApi,
    images::ImagesApi,
    removals::RemovalsApi,
    sources::SourcesApi,
    notifications::NotificationsApi,
    activity::ActivityApi,
    api_keys::ApiKeysApi,
    projects::ProjectsApi,
    datasets::DatasetsApi,
    exports::ExportsApi,
    statistics::StatisticsApi,
    compat::CompatApi,
);

/// What all paths of the API begin with.
const PREFIX: &str = "/api/v1";

/// How long requests may go on after the stop; streams of events do not end by themselves.
const GRACE: Duration = Duration::from_secs(5);

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
    /// What a user is told, and what they want to be told.
    Notifications,
    /// What a user did, or had done.
    Activity,
    /// What programs send in place of a token.
    #[oai(rename = "API keys")]
    ApiKeys,
    /// What datasets are grouped by.
    Projects,
    /// Where images are gathered.
    Datasets,
    /// What a dataset had at one moment, packed for others to read.
    Exports,
    /// What is there for the original's frontend only; new clients use the operations above.
    Compatibility,
}

/// What is served on a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Surface {
    /// The whole API.
    Api,
    /// What a worker shows: its health and the figures.
    Probes,
}

/// The API on its port, or what a worker shows.
pub struct ApiServer {
    app: App,
    surface: Surface,
    acceptor: TcpAcceptor,
    address: SocketAddr,
}

/// Why the API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address is taken, or not of this machine.
    #[error("cannot listen on {address}; choose another with {setting}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// How another is chosen.
        setting: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Connections can no longer be accepted.
    #[error("the server failed")]
    Serve(#[source] io::Error),
}

impl ApiServer {
    /// Takes the configured port for the whole API.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn bind(app: App) -> Result<Self, ServeError> {
        let address = app.config.listen();
        Self::listen(app, Surface::Api, address, "--host and --port").await
    }

    /// Takes a port for `/metrics`, `/health` and `/health/ready` only.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn bind_probes(app: App, address: SocketAddr) -> Result<Self, ServeError> {
        Self::listen(app, Surface::Probes, address, "--metrics-listen").await
    }

    async fn listen(
        app: App,
        surface: Surface,
        address: SocketAddr,
        setting: &'static str,
    ) -> Result<Self, ServeError> {
        let listen = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            Ok((TcpAcceptor::from_tokio(listener)?, address))
        };
        let (acceptor, address) =
            listen.await.map_err(|source| ServeError::Listen { address, setting, source })?;
        Ok(Self { app, surface, acceptor, address })
    }

    /// Where it really listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`; requests that are under way then have a few seconds to end.
    ///
    /// # Errors
    /// When connections can no longer be accepted.
    pub async fn run(self, stop: CancellationToken) -> Result<(), ServeError> {
        let http = &self.app.config.http;
        let table = Arc::new(ConnectionTable::new(http));
        let connections = Connections::new(self.acceptor, table.clone(), http.connection_timeout);
        let service = match self.surface {
            Surface::Api => service(self.app, table).boxed(),
            Surface::Probes => probes(self.app, table).boxed(),
        };
        poem::Server::new_with_acceptor(connections)
            .run_with_graceful_shutdown(service, stop.cancelled_owned(), Some(GRACE))
            .await
            .map_err(ServeError::Serve)
    }
}

/// The whole HTTP service.
fn service(app: App, table: Arc<ConnectionTable>) -> impl Endpoint<Output = poem::Response> {
    let api = parts();
    let document = document();
    let described = serde_json::from_str(&document).unwrap_or_default();
    let swagger = api.swagger_ui_html().replacen(&api.spec(), &document, 1);
    let issues = app.auth.issuer().is_some();
    let mut routes = watched(&app)
        .nest(PREFIX, api.into_endpoint())
        .at("/docs", make_sync(move |_| Html(swagger.clone())))
        .at("/openapi.json", make_sync(move |_| json(document.clone())))
        .nest(error::PAGES, pages::of_problems())
        .nest("/refusals", pages::of_refusals());
    if issues {
        let auth = app.auth.clone();
        // Anew for each request: they may be changed.
        let keys = move |_| json(serde_json::json!(auth.issuer().map(Issuer::key_set)).to_string());
        routes = routes.at("/auth/v1/.well-known/jwks.json", make_sync(keys));
    }
    let routes = routes.data(app.clone()).data(table.clone()).with(CatchPanic::new());
    Middleware::new(app, Operations::of(&described), table, routes)
}

/// What a worker shows.
fn probes(app: App, table: Arc<ConnectionTable>) -> impl Endpoint<Output = poem::Response> {
    let described = serde_json::from_str(&health().spec()).unwrap_or_default();
    let routes = watched(&app).data(app.clone()).data(table.clone()).with(CatchPanic::new());
    Middleware::new(app, Operations::of(&described), table, routes)
}

/// What every process shows to those who watch it.
fn watched(app: &App) -> Route {
    let (health, measured) = (Arc::new(health().into_endpoint()), app.clone());
    Route::new()
        .at("/health", Arc::clone(&health))
        .at("/health/ready", health)
        .at("/metrics", make(move |request| metrics(measured.clone(), request)))
}

fn health() -> OpenApiService<health::HealthApi, ()> {
    OpenApiService::new(health::HealthApi, "PixCrawler", env!("CARGO_PKG_VERSION"))
}

/// The OpenAPI document, as JSON; needs no running system.
#[must_use]
pub fn document() -> String {
    document::complete(&parts().spec())
}

fn parts() -> OpenApiService<Routes, ()> {
    let parts = (
        health::HealthApi,
        profile::ProfileApi,
        jobs::JobsApi,
        events::EventsApi,
        images::ImagesApi,
        removals::RemovalsApi,
        sources::SourcesApi::default(),
        notifications::NotificationsApi,
        activity::ActivityApi,
        api_keys::ApiKeysApi,
        projects::ProjectsApi,
        datasets::DatasetsApi,
        exports::ExportsApi,
        statistics::StatisticsApi,
        compat::api(),
    );
    OpenApiService::new(parts, "PixCrawler", env!("CARGO_PKG_VERSION"))
        .description(include_str!("api/description.md"))
        .license(LicenseObject::new("MIT OR Apache-2.0").url("https://spdx.org/licenses/"))
        .url_prefix(PREFIX)
        .server("/")
}

/// Without a token, as is usual: it holds counts and times, and no address or name of anyone.
async fn metrics(app: App, request: poem::Request) -> poem::Response {
    let accept = request.headers().get_all(header::ACCEPT).into_iter();
    let format = TextFormat::accepted(accept.filter_map(|value| value.to_str().ok()));
    poem::Response::builder()
        .content_type(format.content_type())
        .header(header::VARY, "Accept")
        .body(app.render_metrics(format).await)
}

/// Cuts off the row beyond `limit` that was asked for to see whether there are more; if so, gives the
/// `id` of the last row left, which is where the next page begins.
fn cut<R, I>(rows: &mut Vec<R>, limit: impl Into<usize>, id: impl Fn(&R) -> I) -> Nullable<I> {
    let limit = limit.into();
    let more = rows.len() > limit;
    rows.truncate(limit);
    rows.last().map(id).filter(|_| more).into()
}

/// What a word of a row means; none when whoever wrote it means something else.
fn word<T: ParseFromParameter>(word: &str) -> Option<T> {
    T::parse_from_parameter(word).ok()
}

fn json(body: String) -> poem::Response {
    poem::Response::builder().content_type("application/json").body(body)
}
