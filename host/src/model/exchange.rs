//! What a source has the host fetch, and what comes back.

use std::borrow::Cow;

use encoding_rs::Encoding;
use serde::{Deserialize, Serialize};

use super::address;

/// Something for the host to fetch on behalf of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Comes back in the answer.
    pub key: String,
    /// GET or POST.
    pub method: Method,
    /// Absolute, http or https, as the source wrote it.
    pub url: String,
    /// Of its query; none is UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoding: Option<&'static Encoding>,
    /// Without those that are the host's business.
    pub headers: Vec<(String, String)>,
    /// For POST.
    pub body: Option<Content>,
    /// Name of a declared credential.
    pub credential: Option<String>,
    /// The source's id of the one thing this is about.
    pub item: Option<String>,
    /// The answer will be asked for again in this crawl.
    pub keep: bool,
}

impl Request {
    /// A plain GET.
    #[must_use]
    pub const fn get(url: String) -> Self {
        Self {
            key: String::new(),
            method: Method::Get,
            url,
            encoding: None,
            headers: Vec::new(),
            body: None,
            credential: None,
            item: None,
            keep: false,
        }
    }

    /// The address that is asked; what is none stays as it is.
    #[must_use]
    pub fn address(&self) -> Cow<'_, str> {
        let address = self.encoding.and_then(|encoding| address(&self.url, encoding).ok());
        address.map_or(Cow::Borrowed(&self.url), |address| Cow::Owned(address.into()))
    }

    /// Whether both ask a site for the same; what they are to the plugin does not matter.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.url == other.url
            && self.encoding == other.encoding
            && self.method == other.method
            && self.body == other.body
            && self.headers == other.headers
            && self.credential == other.credential
    }
}

/// How a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}

/// The body of a request or an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Decompressed and decoded.
    Text(String),
    /// Anything not known to be text.
    Binary(Vec<u8>),
}

impl Content {
    /// Size in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One request's outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// As asked.
    pub key: String,
    /// As asked.
    pub url: String,
    /// What came back, or why nothing did.
    pub outcome: Result<Response, Failure>,
}

impl Answer {
    /// Bytes of the body.
    #[must_use]
    pub fn size(&self) -> usize {
        self.outcome.as_ref().map_or(0, |response| response.body.len())
    }
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Any status but those retried in vain.
    pub status: u16,
    /// Where the answer came from, after redirects.
    pub url: String,
    /// Names in lower case, without `set-cookie`.
    pub headers: Vec<(String, String)>,
    /// Decompressed.
    pub body: Content,
    /// In which a document with links (HTML, XML) was written; browsers write their queries in it.
    pub encoding: Option<&'static Encoding>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// By the host's rules; says which, and what to change.
    #[error("denied: {0}")]
    Denied(String),
    /// By the site's robots.txt.
    #[error("robots.txt forbids it: {0}")]
    Robots(String),
    /// Left out because of `Request::item`.
    #[error("left out, the item is already there")]
    Skipped,
    /// More than this many bytes.
    #[error("larger than {0} bytes")]
    TooLarge(u64),
    /// Longer than the host waits, retries included.
    #[error("timed out")]
    Timeout,
    /// No connection, or it was lost.
    #[error("network: {0}")]
    Network(String),
    /// What another try would meet again: no such name, a certificate that nobody vouches for, an
    /// answer that cannot be read. To the plugin it is the network.
    #[error("{0}")]
    Lasting(String),
    /// Still this status after all retries.
    #[error("still status {0} after all retries")]
    Status(u16),
    /// What has no case of its own.
    #[error("{0}")]
    Other(String),
}

/// Whether this header (its name in lower case) says how a message is sent, which is the host's
/// business: neither a plugin nor a credential may take its place.
#[must_use]
pub fn is_hosts_header(name: &str) -> bool {
    const HEADERS: [&str; 11] = [
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
    ];
    HEADERS.contains(&name) || name.starts_with("proxy-")
}
