//! What can go wrong on the way to an answer, and how it is told to plugins and in a dataset.

use std::{error::Error, io, iter::successors, time::Duration};

use super::{address_policy::Blocked, dns::NoSuchName};
use crate::{
    config,
    model::{ConsentSignal, Failure, Refusal, Rejection},
};

/// Why a request brought nothing, after all attempts. Its text is for people and holds no secret.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{kind}")]
pub struct FetchError {
    pub(super) kind: FetchErrorKind,
    /// Worth another request after this time, as the site, its robots.txt or its circuit breaker has it;
    /// whether to sleep or to queue is the caller's choice.
    pub retry_after: Option<Duration>,
    /// Whether another attempt at once may bring more.
    pub(super) is_retryable: bool,
}

/// What went wrong.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum FetchErrorKind {
    /// Not an address that is asked.
    #[error(transparent)]
    Blocked(#[from] Blocked),
    /// By what the source is granted.
    #[error("{0}")]
    Denied(String),
    /// By robots.txt, or because it could not be read.
    #[error("{0}")]
    Robots(String),
    /// By what owners say of the use of an image.
    #[error("{}", rejection.detail)]
    Reserved { rejection: Rejection, signals: Vec<ConsentSignal> },
    /// The configured credential is not accepted.
    #[error("{0}")]
    Unauthorized(String),
    /// A status that comes with no image.
    #[error("status {0}")]
    NotAnImage(u16),
    /// More hops than are followed.
    #[error("more than {0} redirects")]
    TooManyRedirects(usize),
    /// More bytes than this.
    #[error("larger than {0} bytes")]
    TooLarge(u64),
    /// Not in time, or too slowly.
    #[error("timed out")]
    Timeout,
    /// Connected or not, there was no whole head of an answer by then.
    #[error("the head of the answer did not come within {0:?}")]
    LateHead(Duration),
    /// No connection, or it was lost: where `unanswered`, after the request was begun and before an answer.
    #[error("{detail}")]
    Network { detail: String, unanswered: bool },
    /// What is met again by whoever asks the same: no such name, no trust in a certificate, no HTTP.
    #[error("{0}")]
    Lasting(String),
    /// 429 or 5xx.
    #[error("status {0}")]
    Status(u16),
    /// The origin is left alone: it asked for that (then with its status), or it failed too often.
    #[error("the site is left alone for {} s", wait.as_secs())]
    Held { status: Option<u16>, wait: Duration },
}

impl FetchError {
    pub(super) fn denied(detail: impl Into<String>) -> Self {
        FetchErrorKind::Denied(detail.into()).into()
    }

    pub(super) fn lasting(detail: impl Into<String>) -> Self {
        FetchErrorKind::Lasting(detail.into()).into()
    }

    /// The same for who may not try again before `wait` is over.
    pub(super) fn held_for(self, wait: Duration) -> Self {
        Self { retry_after: Some(wait), is_retryable: false, ..self }
    }

    /// How long the site itself wants to be left alone, which binds everybody. Of what could not be
    /// reached or read nobody knows that; it may be well for the next who asks.
    #[must_use]
    pub fn asked_to_wait(&self) -> Option<Duration> {
        self.retry_after.filter(|_| {
            matches!(self.kind, FetchErrorKind::Status(_) | FetchErrorKind::Held { status: Some(_), .. })
        })
    }

    /// Whether the site, or its token endpoint, does not accept the credential that went along: with another
    /// one there may be an answer.
    #[must_use]
    pub const fn is_unauthorized(&self) -> bool {
        matches!(self.kind, FetchErrorKind::Unauthorized(_))
    }

    /// What the plugin is told.
    #[must_use]
    pub fn failure(&self) -> Failure {
        let detail = self.to_string();
        match self.kind {
            FetchErrorKind::Blocked(_)
            | FetchErrorKind::Denied(_)
            | FetchErrorKind::Unauthorized(_)
            | FetchErrorKind::Reserved { .. } => Failure::Denied(detail),
            FetchErrorKind::Robots(_) => Failure::Robots(detail),
            FetchErrorKind::TooLarge(limit) => Failure::TooLarge(limit),
            FetchErrorKind::Timeout | FetchErrorKind::LateHead(_) => Failure::Timeout,
            FetchErrorKind::Lasting(_) | FetchErrorKind::TooManyRedirects(_) => Failure::Lasting(detail),
            FetchErrorKind::Network { .. } | FetchErrorKind::Held { status: None, .. } => {
                Failure::Network(detail)
            }
            FetchErrorKind::Status(status)
            | FetchErrorKind::NotAnImage(status)
            | FetchErrorKind::Held { status: Some(status), .. } => Failure::Status(status),
        }
    }

    /// What was read by then of the use of an image, where that is why it was not taken.
    #[must_use]
    pub fn signals(&self) -> &[ConsentSignal] {
        match &self.kind {
            FetchErrorKind::Reserved { signals, .. } => signals,
            _ => &[],
        }
    }

    /// The code that is stored of an image.
    #[must_use]
    pub const fn refusal(&self) -> Refusal {
        match self.kind {
            FetchErrorKind::Blocked(Blocked::NotPublic { .. }) => Refusal::PrivateAddress,
            FetchErrorKind::Blocked(_) => Refusal::BadUrl,
            FetchErrorKind::NotAnImage(404 | 410) => Refusal::NotFound,
            // What a credential ran into: the site's refusal, one way or another.
            FetchErrorKind::NotAnImage(_) | FetchErrorKind::Denied(_) | FetchErrorKind::Unauthorized(_) => {
                Refusal::HttpStatus
            }
            FetchErrorKind::Robots(_) => Refusal::Robots,
            FetchErrorKind::Reserved { rejection: Rejection { reason, .. }, .. } => reason,
            FetchErrorKind::TooManyRedirects(_) => Refusal::TooManyRedirects,
            FetchErrorKind::TooLarge(_) => Refusal::TooLarge,
            FetchErrorKind::Timeout | FetchErrorKind::LateHead(_) => Refusal::Timeout,
            FetchErrorKind::Network { .. } | FetchErrorKind::Lasting(_) => Refusal::Network,
            FetchErrorKind::Status(429) | FetchErrorKind::Held { status: Some(429), .. } => {
                Refusal::RateLimited
            }
            FetchErrorKind::Status(_) | FetchErrorKind::Held { .. } => Refusal::ServerError,
        }
    }
}

impl<K: Into<FetchErrorKind>> From<K> for FetchError {
    fn from(kind: K) -> Self {
        let kind = kind.into();
        let is_retryable = matches!(
            kind,
            FetchErrorKind::Timeout
                | FetchErrorKind::LateHead(_)
                | FetchErrorKind::Status(_)
                | FetchErrorKind::Network { .. }
        );
        let retry_after = match kind {
            FetchErrorKind::Held { wait, .. } => Some(wait),
            _ => None,
        };
        Self { kind, retry_after, is_retryable }
    }
}

impl From<reqwest::Error> for FetchErrorKind {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::Timeout;
        }
        // An address may carry a secret.
        let error = error.without_url();
        let was_sent = error.is_request() && !error.is_connect();
        let mut lasts = error.is_builder();
        let mut detail = String::new();
        for cause in chain(&error) {
            if let Some(blocked) = cause.downcast_ref::<Blocked>() {
                return Self::Blocked(blocked.clone());
            }
            // TLS reports what it dislikes as invalid data.
            lasts |=
                cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::InvalidData);
            // A head that breaks HTTP is not sent by chance.
            lasts |= cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse);
            lasts |= cause.is::<NoSuchName>();
            detail = cause.to_string();
        }
        if lasts { Self::Lasting(detail) } else { Self::Network { detail, unanswered: was_sent } }
    }
}

impl From<FetchError> for io::Error {
    fn from(error: FetchError) -> Self {
        Self::other(error)
    }
}

impl From<io::Error> for FetchError {
    fn from(error: io::Error) -> Self {
        error
            .downcast::<Self>()
            .unwrap_or_else(|error| Self::lasting(format!("the answer cannot be decompressed: {error}")))
    }
}

/// An error and what it came from, one after the other.
pub(super) fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    successors(Some(error), cause_of)
}

/// What `error` came from. An `io::Error` leaves itself out of its chain, and thereby what it wraps.
fn cause_of<'a>(&error: &&'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

/// Why the outbound client cannot be built.
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
