//! The outbound door: the only place that opens sockets to the internet.
//!
//! Every request goes through the same gates, again on every redirect: address
//! (`guard`, `names`), grants, robots.txt, the host's pace, and bounds on time and
//! bytes. Nothing here sleeps longer than a few seconds; who must wait longer is told.

mod body;
mod errand;
mod guard;
mod names;
mod origins;
mod pace;
mod robots;
mod secret;
mod slots;
mod text;
mod trouble;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use url::Url;

pub use guard::Blocked;

use crate::{
    config, image,
    source::{self, Candidate, Content, CredentialKind, Failure, Grants},
};
use body::Bounds;
use errand::{Errand, Purpose, Reply};
use trouble::{Failed, Trouble};

/// Performs the requests of sources and downloads images. Cheap to clone; clones share
/// connections, pace and what is known of sites. Every future may be dropped at any
/// time, which closes its connection.
#[derive(Clone)]
pub struct Fetcher {
    inner: Arc<Inner>,
}

/// An image as it came.
#[derive(Clone, Debug)]
pub struct Download {
    /// The body, not looked at.
    pub bytes: Bytes,
    /// Where it came from, after redirects.
    pub url: Url,
    /// As declared by the site.
    pub content_type: Option<String>,
}

/// Why there is no image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The code that is stored.
    pub reason: image::Refusal,
    /// For people; holds no secret.
    pub detail: String,
    /// What the site or its breaker says: worth another try after this time.
    pub retry_after: Option<Duration>,
}

/// Why a source has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unanswered {
    /// For the plugin.
    pub failure: Failure,
    /// What the site or its breaker says; whether to sleep or to queue is the caller's choice.
    pub retry_after: Option<Duration>,
}

/// Why the door cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// `per_host` or `per_host_rate` is 0.
    #[error("at least one connection and one request a second must be allowed to a host")]
    NoPace,
    /// The contact has line breaks or the like.
    #[error("the contact cannot be put into a User-Agent header")]
    Contact,
    /// The resolver.
    #[error("the resolver cannot be set up")]
    Resolver(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The client, most often because no root certificates are installed.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

struct Inner {
    guard: guard::Guard,
    origins: origins::Origins,
    /// Reaches only public addresses.
    client: reqwest::Client,
    /// Reaches the targets of mapped origins.
    mapped: reqwest::Client,
    pace: pace::Pace,
    robots: robots::RobotsCache,
    tokens: secret::Tokens,
    max_image_bytes: u64,
    request_timeout: Duration,
    /// Over which time the least rate is measured.
    window: Duration,
}

/// Our name in `User-Agent` and robots.txt.
const PRODUCT: &str = "PixCrawler";
/// Most bytes of an answer to a source.
const MAX_ANSWER_BYTES: u64 = 16 << 20;

impl Fetcher {
    /// Builds clients, resolver and pace from the configuration. Says loudly what is opened
    /// beyond the default. Needs a tokio runtime.
    ///
    /// # Errors
    /// When a setting cannot be used, or the machine has no root certificates.
    pub fn new(config: &config::Fetch) -> Result<Self, SetupError> {
        warn_of_what_is_open(config);
        let rate = NonZeroU32::new(config.per_host_rate).filter(|_| config.per_host > 0);
        let guard = guard::Guard::new(config.allow_private.clone());
        let names = names::Names::new(config.name_server, guard.clone())
            .map_err(|error| SetupError::Resolver(error.into()))?;
        let contact = config.contact.as_deref().unwrap_or("https://github.com/pixcrawler/pixcrawler");
        let agent = format!("{PRODUCT}/{} (+{contact})", env!("CARGO_PKG_VERSION"));
        let agent = HeaderValue::try_from(agent).map_err(|_| SetupError::Contact)?;
        let client = |names: names::Names| {
            reqwest::Client::builder()
                .user_agent(agent.clone())
                .redirect(reqwest::redirect::Policy::none())
                .no_proxy()
                .dns_resolver(names)
                .connect_timeout(Duration::from_secs(10))
                .pool_max_idle_per_host(config.per_host)
                .pool_idle_timeout(Duration::from_secs(30))
                .http2_max_header_list_size(64 << 10)
        };
        // Over HTTP/2 the `Host` of a mapped origin would contradict `:authority`.
        let mapped = client(names.unguarded()).http1_only().build();
        Ok(Self {
            inner: Arc::new(Inner {
                guard,
                origins: origins::Origins(config.map_origin.clone()),
                client: client(names).build().map_err(|error| SetupError::Client(error.into()))?,
                mapped: mapped.map_err(|error| SetupError::Client(error.into()))?,
                pace: pace::Pace::new(config.per_host, rate.ok_or(SetupError::NoPace)?),
                robots: slots::Slots::new(10_000),
                tokens: slots::Slots::new(1_000),
                max_image_bytes: config.max_image_bytes,
                request_timeout: config.request_timeout,
                window: Duration::from_secs(10),
            }),
        })
    }

    /// Parses an address that a user named and checks what can be checked without asking anyone.
    ///
    /// # Errors
    /// Whose text is for that user.
    pub fn check(&self, url: &str) -> Result<Url, Blocked> {
        self.inner.guard.parse(url)
    }

    /// A source's own request. The grants are checked on the address and again on every redirect;
    /// robots.txt is asked for hosts of kind `web`.
    ///
    /// # Errors
    /// Any status but 429 and 5xx is an answer; those are tried again twice first, like
    /// timeouts and lost connections, where the wait is at most 5 s.
    pub async fn ask(
        &self,
        grants: &Grants,
        request: &source::Request,
    ) -> Result<source::Response, Unanswered> {
        Ok(self.inner.ask(grants, request).await?)
    }

    /// An image, from this address only. `headers` and `credential` of the candidate are sent to
    /// hosts in `grants` only, and no further than the first origin.
    ///
    /// # Errors
    /// With the code to store. While the host must be left alone for more than 5 s, the
    /// error comes at once, with that time.
    pub async fn download(
        &self,
        grants: &Grants,
        candidate: &Candidate,
        url: &str,
    ) -> Result<Download, Refused> {
        let inner = &*self.inner;
        let url = inner.guard.parse(url).map_err(|blocked| Failed::from(Trouble::from(blocked)))?;
        let errand = Errand {
            purpose: Purpose::Image(grants),
            method: Method::GET,
            headers: HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))]),
            // What may not be set is left out: the picture may come without it.
            plugin_headers: candidate.headers.iter().filter_map(|pair| header(pair).ok()).collect(),
            credential: credential(grants, candidate.credential.as_deref()),
            body: None,
            bounds: Bounds { bytes: inner.max_image_bytes, cut: false, window: inner.window },
        };
        let reply = inner.perform(&errand, &url).await?;
        let status = reply.status.as_u16();
        let reason = match status {
            206 => image::Refusal::HttpStatus,
            200..300 => {
                let content_type = reply.headers.get(header::CONTENT_TYPE);
                let content_type =
                    content_type.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
                return Ok(Download { bytes: reply.body.into(), url: reply.url, content_type });
            }
            404 | 410 => image::Refusal::NotFound,
            _ => image::Refusal::HttpStatus,
        };
        Err(Refused { reason, detail: format!("status {status}"), retry_after: None })
    }
}

impl Inner {
    async fn ask(&self, grants: &Grants, request: &source::Request) -> Result<source::Response, Failed> {
        let url = self.guard.parse(&request.url).map_err(Trouble::from)?;
        let mut plugin_headers = HeaderMap::new();
        for pair in &request.headers {
            let (name, value) = header(pair).map_err(Trouble::Denied)?;
            plugin_headers.append(name, value);
        }
        let credential = credential(grants, request.credential.as_deref());
        if let Some(credential) = credential.filter(|credential| !secret::reaches(credential, &url)) {
            return Err(Trouble::Denied(format!(
                "credential `{}` may be sent to {} only",
                credential.spec.name,
                credential.spec.hosts.join(", ")
            ))
            .into());
        }
        // A part of a compressed answer could not be decompressed.
        let codings = if plugin_headers.contains_key(header::RANGE) { "identity" } else { "gzip, br" };
        let errand = Errand {
            purpose: Purpose::Ask(grants),
            method: match request.method {
                source::Method::Get => Method::GET,
                source::Method::Post => Method::POST,
            },
            headers: HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(codings))]),
            plugin_headers,
            credential,
            body: request.body.as_ref().map(|body| match body {
                Content::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
                Content::Binary(bytes) => Bytes::copy_from_slice(bytes),
            }),
            bounds: Bounds { bytes: MAX_ANSWER_BYTES, cut: false, window: self.window },
        };
        let mut reply = self.perform(&errand, &url).await?;
        // A token can be withdrawn before its time.
        if let Some(credential) = credential.filter(|credential| {
            reply.status == http::StatusCode::UNAUTHORIZED
                && matches!(credential.spec.kind, CredentialKind::Oauth2ClientCredentials { .. })
        }) {
            self.forget_token(grants, credential).await;
            reply = self.perform(&errand, &url).await?;
        }
        Ok(answer(reply, errand.bounds).await?)
    }
}

/// What a plugin sees of a reply.
async fn answer(reply: Reply, bounds: Bounds) -> Result<source::Response, Trouble> {
    let secrets = reply.secrets;
    let mut headers = Vec::new();
    for (name, value) in &reply.headers {
        // The last two describe the body before it was decompressed.
        if !matches!(name.as_str(), "set-cookie" | "content-encoding" | "content-length") {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            headers.push((name.as_str().to_owned(), secret::blot(value, &secrets)));
        }
    }
    let content_type =
        headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.as_str());
    let body = if reply.status == http::StatusCode::PARTIAL_CONTENT {
        Content::Binary(reply.body)
    } else if reply.body.starts_with(&[0x1f, 0x8b]) {
        // A file such as `sitemap.xml.gz`.
        match text::content(None, body::unpack(&reply.body, bounds).await?) {
            Content::Text(text) => Content::Text(text),
            Content::Binary(_) => Content::Binary(reply.body),
        }
    } else {
        text::content(content_type, reply.body)
    };
    if body.len() as u64 > bounds.bytes {
        return Err(Trouble::TooLarge(bounds.bytes));
    }
    let body = match body {
        Content::Text(text) => Content::Text(secret::blot(text, &secrets)),
        binary => binary,
    };
    Ok(source::Response { status: reply.status.as_u16(), url: reply.url.into(), headers, body })
}

/// A plugin's header, or why it may not be sent.
fn header((name, value): &(String, String)) -> Result<(HeaderName, HeaderValue), String> {
    const HOSTS_BUSINESS: [&str; 13] = [
        "accept-encoding",
        "authorization",
        "connection",
        "content-length",
        "cookie",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    ];
    let invalid = || format!("header `{}` is not valid", name.escape_debug());
    let name = HeaderName::try_from(name.as_str()).map_err(|_| invalid())?;
    if HOSTS_BUSINESS.contains(&name.as_str()) || name.as_str().starts_with("proxy-") {
        return Err(format!("header `{name}` may not be set by a plugin"));
    }
    let value = HeaderValue::try_from(value.as_str()).map_err(|_| invalid())?;
    Ok((name, value))
}

/// The configured credential of that name; one that is not configured is left out.
fn credential<'a>(grants: &'a Grants, name: Option<&str>) -> Option<&'a source::Credential> {
    let name = name?;
    grants.credentials.iter().find(|credential| credential.spec.name == name)
}

fn warn_of_what_is_open(config: &config::Fetch) {
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
