//! The outbound client: the only place that opens sockets to the internet.
//!
//! Every request passes the same gates, again on every redirect, in one function (`client`): the address
//! policy (against SSRF; with DNS rebinding in mind, names are checked once more as they are resolved),
//! grants, robots.txt (and tdmrep.json), credentials at home only, and the throttle of its host with its rate limit,
//! `Retry-After` and circuit breaker. What may pass is retried with a backoff. Bodies are bounded on the wire
//! and decompressed (decompression bombs), in time and in memory. Nothing here sleeps longer than a few
//! seconds; who must wait longer is told. Sockets are served, and bodies decompressed, on a runtime of their
//! own (`io_runtime`).
//!
//! Files use those on the lines below theirs:
//!
//! ```text
//! source_request download              methods of `Fetcher`: what is asked, and what is seen of the
//! operator_service                     answer
//! retry client robots bearer_token     attempts and gates; robots.txt, tdmrep.json and tokens are requests,
//!                                      too, so these four need each other
//! redirect connector
//! request throttle
//! credentials cookies body user_agent io_runtime memory_budget expiring_cache
//! error
//! dns
//! address_policy charset redact referrer origin_map
//! ```

mod address_policy;
mod bearer_token;
mod body;
mod charset;
mod client;
mod connector;
mod cookies;
mod credentials;
mod dns;
mod download;
mod error;
mod expiring_cache;
mod io_runtime;
mod memory_budget;
mod origin_map;
mod redact;
mod redirect;
mod referrer;
mod request;
mod retry;
mod robots;
mod operator_service;
mod source_request;
mod throttle;
mod user_agent;

use std::{
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use url::Url;

pub use address_policy::Blocked;
pub use charset::declared_encoding;
pub use cookies::CookieJar;
pub use download::Download;
pub use error::{FetchError, FetchSetupError};
pub use operator_service::ServiceClient;
pub use source_request::check_named;

use crate::{config, model::ConsentPolicy};

/// Performs the requests of sources and downloads images. Cheap to clone; clones share
/// connections, throttle and what is known of sites. Every future may be dropped at any
/// time, which closes its connection.
#[derive(Clone)]
pub struct Fetcher {
    client: Arc<client::OutboundClient>,
    cookies: Option<CookieJar>,
    consent: ConsentPolicy,
}

impl Fetcher {
    /// Builds all of it from the configuration, and the threads on which it works.
    ///
    /// # Errors
    /// When a setting cannot be used, or the machine has no root certificates.
    pub fn new(config: &config::Fetch) -> Result<Self, FetchSetupError> {
        let rate = NonZeroU32::new(config.per_host_rate).filter(|_| config.per_host > 0);
        let address_policy = address_policy::AddressPolicy::new(config.allow_private.clone());
        let user_agents = user_agent::UserAgents::new(config)?;
        let connector = connector::Connector::new(config, &address_policy, &user_agents.own.header)?;
        let client = client::OutboundClient {
            address_policy,
            user_agents,
            connector,
            throttle: throttle::Throttle::new(config.per_host, rate.ok_or(FetchSetupError::NoPace)?),
            robots: robots::cache(),
            tdm: robots::tdm_cache(),
            tokens: expiring_cache::expiring_cache(1_000, |_| 1),
            memory: memory_budget::MemoryBudget::new(config.max_image_bytes),
            max_image_bytes: config.max_image_bytes,
            request_timeout: config.request_timeout,
            head_timeout: Duration::from_secs(10),
            rate_window: Duration::from_secs(10),
            was_answered: AtomicBool::new(false),
            was_unanswered: AtomicBool::new(false),
        };
        Ok(Self { client: Arc::new(client), cookies: None, consent: ConsentPolicy::default() })
    }

    /// The same for one crawl: cookies that granted hosts set are put into `jar`, and sent
    /// to granted hosts by the standard rules. Without a jar there are no cookies.
    #[must_use]
    pub fn with_cookies(&self, jar: CookieJar) -> Self {
        Self { cookies: Some(jar), ..self.clone() }
    }

    /// The same for images of which what owners say of their use is judged by `policy`.
    #[must_use]
    pub fn with_consent(&self, policy: ConsentPolicy) -> Self {
        Self { consent: policy, ..self.clone() }
    }

    /// Parses an address that a user named and checks what can be checked without asking anyone.
    ///
    /// # Errors
    /// Whose text is for that user.
    pub fn check(&self, url: &str) -> Result<Url, Blocked> {
        self.client.address_policy.parse(url)
    }

    /// Whether a download from this address could begin now, as far as its host's throttle goes.
    #[must_use]
    pub fn has_capacity(&self, url: &str) -> bool {
        Url::parse(url).ok().is_none_or(|url| self.client.throttle.has_capacity(&url))
    }

    /// What is to be said where the host of this address wants time between requests (`Crawl-delay` and
    /// `Request-rate` of its robots.txt): at most 30 s are kept.
    #[must_use]
    pub fn crawl_delay_note(&self, url: &str) -> Option<String> {
        let url = Url::parse(url).ok()?;
        let host = url.host_str()?;
        let asked = self.client.throttle.interval(&url)?;
        let limit = match asked > throttle::MAX_INTERVAL {
            true => format!(", of which {:?} are kept", throttle::MAX_INTERVAL),
            false => String::new(),
        };
        Some(format!("the robots.txt of {host} asks for {asked:?} between requests{limit}"))
    }

    /// Whether any site has answered since this was built.
    #[must_use]
    pub fn was_answered(&self) -> bool {
        self.client.was_answered.load(Ordering::Relaxed)
    }

    /// Whether sources have asked for something, and no site could be reached since this was built.
    #[must_use]
    pub fn reaches_nobody(&self) -> bool {
        self.client.was_unanswered.load(Ordering::Relaxed) && !self.was_answered()
    }
}

/// Logs what is opened beyond the default for all users of a host, and that sites cannot tell whom to
/// write to.
pub fn warn_of_openings(config: &config::Fetch) {
    if config.contact.is_none() {
        tracing::warn!(
            "no contact is set (PIXCRAWLER_CONTACT): sites are shown the project's page instead of yours"
        );
    }
    for opening in openings(config) {
        tracing::warn!("{opening}");
    }
}

/// What is opened beyond the default, each in a sentence.
#[must_use]
pub fn openings(config: &config::Fetch) -> Vec<String> {
    let ranges = config.allow_private.iter();
    let ranges = ranges
        .map(|range| format!("the private range {range} may be reached, by every source and every user"));
    let mappings = config.map_origin.iter().map(|mapping| {
        let from =
            mapping.from.as_ref().map_or_else(|| "every site".to_owned(), url::Origin::ascii_serialization);
        format!("requests to {from} are sent to {}", mapping.to)
    });
    ranges.chain(mappings).collect()
}

#[cfg(test)]
mod tests;
