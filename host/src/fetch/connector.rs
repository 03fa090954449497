//! Connections: to public addresses only, or to where the operator has an origin served from.

use std::time::Duration;

use http::{HeaderValue, header};
use reqwest::{Client, Request, Response};
use url::Url;

use super::{
    address_policy::AddressPolicy,
    dns::GuardedResolver,
    error::{FetchError, FetchSetupError},
    io_runtime::IoRuntime,
    origin_map::{OriginMap, authority},
};
use crate::config;

/// Header lines of an answer over HTTP/1. Real sites send 150; together they are bounded in bytes.
const MAX_HEADERS: usize = 512;

/// Sends requests, which have passed all gates.
pub(super) struct Connector {
    /// Where all is polled that touches a socket.
    pub(super) io: IoRuntime,
    origins: OriginMap,
    /// Reach only public addresses.
    public: Clients,
    /// Reach what the operator chose: the targets of mapped origins, and its own services.
    mapped: Clients,
}

/// The same client twice.
struct Clients {
    /// Keeps connections for the next request.
    pooled: Client,
    /// Opens one for every request.
    unpooled: Client,
}

impl Connector {
    pub(super) fn new(
        config: &config::Fetch,
        policy: &AddressPolicy,
        user_agent: &HeaderValue,
    ) -> Result<Self, FetchSetupError> {
        let io = IoRuntime::new().map_err(FetchSetupError::Runtime)?;
        let entered = io.enter();
        let resolver = GuardedResolver::new(config.name_server, policy.clone())
            .map_err(|error| FetchSetupError::Resolver(error.into()))?;
        let builder = |resolver: GuardedResolver, max_idle: usize| {
            Client::builder()
                .user_agent(user_agent.clone())
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .dns_resolver(resolver)
                .connect_timeout(Duration::from_secs(10))
                .pool_max_idle_per_host(max_idle)
                .pool_idle_timeout(Duration::from_secs(10))
                // As browsers do: a fold is a space (RFC 9112, 5.2), a line that is no header is none.
                .http1_allow_obsolete_multiline_headers_in_responses(true)
                .http1_allow_spaces_after_header_name_in_responses(true)
                .http1_ignore_invalid_headers_in_responses(true)
                .http1_max_headers(MAX_HEADERS)
                .http2_max_header_list_size(64 << 10)
        };
        let clients = |build: &dyn Fn(usize) -> reqwest::Result<Client>| {
            let built = |max_idle| build(max_idle).map_err(|error| FetchSetupError::Client(error.into()));
            Ok::<_, FetchSetupError>(Clients { pooled: built(config.per_host)?, unpooled: built(0)? })
        };
        let public = clients(&|max_idle| builder(resolver.clone(), max_idle).build())?;
        // Over HTTP/2 the `Host` of a mapped origin would contradict `:authority`.
        let mapped = clients(&|max_idle| builder(resolver.unguarded(), max_idle).http1_only().build())?;
        drop(entered);
        Ok(Self { io, origins: OriginMap(config.map_origin.clone()), public, mapped })
    }

    /// Whether the origin of `url` is served from elsewhere.
    pub(super) fn is_mapped(&self, url: &Url) -> bool {
        self.origins.target(url).is_some()
    }

    /// Sends one request to its address, or to where its origin is mapped, and waits for the head of the
    /// answer. With `may_reuse`, on a connection that was kept, if there is one; it may be dead.
    pub(super) async fn send(&self, request: Request, may_reuse: bool) -> Result<Response, FetchError> {
        self.send_to(self.origins.target(request.url()), request, may_reuse).await
    }

    /// The same for an address that comes from the settings, and may be a private one.
    pub(super) async fn send_to_service(&self, request: Request) -> Result<Response, FetchError> {
        let target = self.origins.target(request.url()).unwrap_or_else(|| request.url().clone());
        self.send_to(Some(target), request, true).await
    }

    /// Sends to `target`, which the operator chose, or to the request's own address.
    async fn send_to(
        &self,
        target: Option<Url>,
        mut request: Request,
        may_reuse: bool,
    ) -> Result<Response, FetchError> {
        let clients = if target.is_some() { &self.mapped } else { &self.public };
        if let Some(target) = target {
            // The public host, so that one server can stand for many origins.
            let host = HeaderValue::from_str(authority(request.url()));
            let host = host.map_err(|_| FetchError::lasting("not a host name"))?;
            request.headers_mut().insert(header::HOST, host);
            *request.url_mut() = target;
        }
        let client = if may_reuse { &clients.pooled } else { &clients.unpooled }.clone();
        self.io.run(async move { client.execute(request).await }).await
    }
}
