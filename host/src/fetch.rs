//! The outbound door: the only place that opens sockets to the internet.
//!
//! Every request goes through the same gates, again on every redirect: address
//! (`guard`, `names`), grants, robots.txt, the host's pace, and bounds on time and
//! bytes. Nothing here sleeps longer than a few seconds; who must wait longer is told.
//! Sockets are served, and bodies unpacked, on a runtime of their own (`io_runtime`).

mod user_agent;
mod source_request;
mod redact;
mod body;
mod download;
mod outbound;
mod address_policy;
mod redirect;
mod io_runtime;
mod cookies;
mod dns;
mod origin_map;
mod service;
mod throttle;
mod referrer;
mod robots;
mod memory_budget;
mod credentials;
mod slots;
mod charset;
mod error;

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use url::Url;

pub use address_policy::Blocked;
pub use charset::declared_encoding;
pub use cookies::CookieJar;
pub use service::ServiceClient;
pub use source_request::check_named;

use crate::{
    config,
    model::{self, Candidate, Failure, Grants},
};

/// Performs the requests of sources and downloads images. Cheap to clone; clones share
/// connections, pace and what is known of sites. Every future may be dropped at any
/// time, which closes its connection.
#[derive(Clone)]
pub struct Fetcher {
    inner: Arc<Inner>,
    jar: Option<CookieJar>,
}

/// An image as it came.
#[derive(Clone, Debug)]
pub struct Download {
    /// The body, not looked at.
    pub bytes: Bytes,
    /// Where it came from, after redirects; holds no secret.
    pub url: String,
    /// As declared by the site.
    pub content_type: Option<String>,
}

/// Why there is no image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DownloadError {
    /// The code that is stored.
    pub reason: model::Refusal,
    /// For people; holds no secret.
    pub detail: String,
    /// What the site or its breaker says: worth another try after this time.
    pub retry_after: Option<Duration>,
    /// The site does not accept the credential that went along: with another one it may be there.
    pub unauthorized: bool,
}

/// Why a source has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestError {
    /// For the plugin.
    pub failure: Failure,
    /// What the site or its breaker says; whether to sleep or to queue is the caller's choice.
    pub retry_after: Option<Duration>,
}

impl RequestError {
    /// How long the site itself wants to be left alone, which binds everybody. Of what could not be
    /// reached or read nobody knows that; it may be well for the next who asks.
    #[must_use]
    pub fn asked_to_wait(&self) -> Option<Duration> {
        self.retry_after.filter(|_| matches!(self.failure, Failure::Status(_)))
    }
}

/// Why the door cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum FetchSetupError {
    /// `per_host` or `per_host_rate` is 0.
    #[error("at least one connection and one request a second must be allowed to a host")]
    NoPace,
    /// The contact has line breaks or the like.
    #[error("the contact cannot be put into a User-Agent header")]
    Contact,
    /// A configured User-Agent cannot be read.
    #[error("cannot read PIXCRAWLER_USER_AGENTS or --user-agent")]
    UserAgents(#[from] config::UserAgentError),
    /// A configured User-Agent has no product name or cannot be a header.
    #[error(
        "the User-Agent of the source {source_id} must begin with a product name and be on one line, \
         such as MyCrawler/1.0 (+https://example.org/crawler)"
    )]
    UserAgent {
        /// Whose.
        source_id: String,
    },
    /// The resolver.
    #[error("the resolver cannot be set up")]
    Resolver(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No thread for them.
    #[error("cannot start the runtime of outbound requests")]
    Runtime(#[source] std::io::Error),
    /// The client, most often because no root certificates are installed.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Header lines of an answer over HTTP/1. Real sites send 150; together they are bounded in bytes.
const MOST_HEADERS: usize = 512;

struct Inner {
    /// Where all below is polled that touches a socket.
    io: io_runtime::IoRuntime,
    guard: address_policy::AddressPolicy,
    agents: user_agent::UserAgents,
    origins: origin_map::OriginMap,
    /// Reach only public addresses.
    public: Clients,
    /// Reach what the operator chose: the targets of mapped origins, and its own services.
    mapped: Clients,
    pace: throttle::Throttle,
    robots: robots::RobotsCache,
    tokens: credentials::TokenCache,
    room: memory_budget::MemoryBudget,
    max_image_bytes: u64,
    request_timeout: Duration,
    /// Within which the head of an answer must be whole, connecting included.
    longest_head: Duration,
    /// Over which time the least rate is measured.
    window: Duration,
    reach: Reachability,
}

/// The same client twice.
struct Clients {
    /// Keeps connections for the next request.
    keeping: reqwest::Client,
    /// Opens one for every request.
    opening: reqwest::Client,
}

/// Whether sites were reached.
#[derive(Default)]
struct Reachability {
    /// One of them answered.
    somewhere: AtomicBool,
    /// A source had no answer, because nobody could be reached.
    nowhere: AtomicBool,
}

impl Clients {
    fn new(
        kept: usize,
        build: impl Fn(usize) -> reqwest::Result<reqwest::Client>,
    ) -> Result<Self, FetchSetupError> {
        let built = |kept| build(kept).map_err(|error| FetchSetupError::Client(error.into()));
        Ok(Self { keeping: built(kept)?, opening: built(0)? })
    }
}

impl Fetcher {
    /// Builds clients, resolver and pace from the configuration, and the threads on which they work.
    ///
    /// # Errors
    /// When a setting cannot be used, or the machine has no root certificates.
    pub fn new(config: &config::Fetch) -> Result<Self, FetchSetupError> {
        let rate = NonZeroU32::new(config.per_host_rate).filter(|_| config.per_host > 0);
        let guard = address_policy::AddressPolicy::new(config.allow_private.clone());
        let io = io_runtime::IoRuntime::new().map_err(FetchSetupError::Runtime)?;
        let entered = io.enter();
        let names = dns::GuardedResolver::new(config.name_server, guard.clone())
            .map_err(|error| FetchSetupError::Resolver(error.into()))?;
        let agents = user_agent::UserAgents::new(config)?;
        let client = |names: dns::GuardedResolver, kept: usize| {
            reqwest::Client::builder()
                .user_agent(agents.own.header.clone())
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .dns_resolver(names)
                .connect_timeout(Duration::from_secs(10))
                .pool_max_idle_per_host(kept)
                .pool_idle_timeout(Duration::from_secs(10))
                // As browsers do: a fold is a space (RFC 9112, 5.2), a line that is no header is none.
                .http1_allow_obsolete_multiline_headers_in_responses(true)
                .http1_allow_spaces_after_header_name_in_responses(true)
                .http1_ignore_invalid_headers_in_responses(true)
                .http1_max_headers(MOST_HEADERS)
                .http2_max_header_list_size(64 << 10)
        };
        let public = |kept: usize| client(names.clone(), kept).build();
        // Over HTTP/2 the `Host` of a mapped origin would contradict `:authority`.
        let mapped = |kept: usize| client(names.unguarded(), kept).http1_only().build();
        let public = Clients::new(config.per_host, public)?;
        let mapped = Clients::new(config.per_host, mapped)?;
        drop(entered);
        Ok(Self {
            inner: Arc::new(Inner {
                io,
                guard,
                agents,
                origins: origin_map::OriginMap(config.map_origin.clone()),
                public,
                mapped,
                pace: throttle::Throttle::new(config.per_host, rate.ok_or(FetchSetupError::NoPace)?),
                robots: robots::cache(),
                tokens: slots::KeyedCache::new(1_000),
                room: memory_budget::MemoryBudget::new(config.max_image_bytes),
                max_image_bytes: config.max_image_bytes,
                request_timeout: config.request_timeout,
                longest_head: Duration::from_secs(10),
                window: Duration::from_secs(10),
                reach: Reachability::default(),
            }),
            jar: None,
        })
    }

    /// The same door for one crawl: cookies that granted hosts set are put into `jar`, and sent
    /// to granted hosts by the standard rules. Without a jar there are no cookies.
    #[must_use]
    pub fn with_cookies(&self, jar: CookieJar) -> Self {
        Self { inner: Arc::clone(&self.inner), jar: Some(jar) }
    }

    /// Parses an address that a user named and checks what can be checked without asking anyone.
    ///
    /// # Errors
    /// Whose text is for that user.
    pub fn check(&self, url: &str) -> Result<Url, Blocked> {
        self.inner.guard.parse(url)
    }

    /// Whether a download from this address could begin now, as far as its host's pace goes.
    #[must_use]
    pub fn has_capacity(&self, url: &str) -> bool {
        Url::parse(url).ok().is_none_or(|url| self.inner.pace.has_room(&url))
    }

    /// What is to be said where the host of this address wants time between requests (`Crawl-delay` and
    /// `Request-rate` of its robots.txt): at most 30 s are kept.
    #[must_use]
    pub fn crawl_delay_note(&self, url: &str) -> Option<String> {
        let url = Url::parse(url).ok()?;
        let host = url.host_str()?;
        let asked = self.inner.pace.interval(&url)?;
        let kept = match asked > robots::LONGEST_INTERVAL {
            true => format!(", of which {:?} are kept", robots::LONGEST_INTERVAL),
            false => String::new(),
        };
        Some(format!("the robots.txt of {host} asks for {asked:?} between requests{kept}"))
    }

    /// A source's own request. The grants are checked on the address and again on every redirect;
    /// robots.txt is asked for hosts of kind `web`.
    ///
    /// # Errors
    /// Any status but 429 and 5xx is an answer; those are tried again twice first, like
    /// timeouts and lost connections, where the wait is at most 5 s. For a connection that was
    /// kept and is lost, another one is opened besides.
    pub async fn ask(
        &self,
        grants: &Grants,
        request: &model::Request,
    ) -> Result<model::Response, RequestError> {
        let asked = self.inner.ask(grants, self.jar.as_ref(), request).await.map_err(RequestError::from);
        if let Err(RequestError { failure: Failure::Network(_) | Failure::Timeout, .. }) = &asked {
            self.inner.reach.nowhere.store(true, Ordering::Relaxed);
        }
        asked
    }

    /// Whether any site has answered since this was built.
    #[must_use]
    pub fn was_answered(&self) -> bool {
        self.inner.reach.somewhere.load(Ordering::Relaxed)
    }

    /// Whether sources have asked for something, and no site could be reached since this was built.
    #[must_use]
    pub fn reaches_nobody(&self) -> bool {
        self.inner.reach.nowhere.load(Ordering::Relaxed) && !self.was_answered()
    }

    /// An image, from this address only. `headers` and `credential` of the candidate are sent to
    /// hosts in `grants` only, and no further than the first origin. Where it has no `referer`, not
    /// even an empty one, its page is named as a browser would by default; so it is where `url` is of
    /// another origin than the candidate's own, unless that `referer` is empty.
    ///
    /// # Errors
    /// With the code to store. While the host must be left alone for more than 5 s, the
    /// error comes at once, with that time.
    pub async fn download(
        &self,
        grants: &Grants,
        candidate: &Candidate,
        url: &str,
    ) -> Result<Download, DownloadError> {
        self.inner.download(grants, self.jar.as_ref(), candidate, url).await
    }
}

/// Says loudly what is opened beyond the default, and that sites cannot tell whom to write to.
pub fn warn_of_openings(config: &config::Fetch) {
    if config.contact.is_none() {
        tracing::warn!(
            "no contact is set (PIXCRAWLER_CONTACT): sites are shown the project's page instead of yours"
        );
    }
    for range in &config.allow_private {
        tracing::warn!(%range, "a private range may be reached, by every source and every user");
    }
    for mapping in &config.map_origin {
        let from = mapping.from.as_ref().map_or_else(|| "*".to_owned(), url::Origin::ascii_serialization);
        tracing::warn!(%from, to = %mapping.to, "requests to an origin are sent elsewhere");
    }
}

#[cfg(test)]
mod tests;
