//! What can go wrong on the way to an answer, and how it is told to those who asked.

use std::{error::Error, io, iter::successors, time::Duration};

use super::{DownloadError, RequestError, address_policy::Blocked, dns::NoSuchName};
use crate::model::{Failure, Refusal};

/// Why a request brought nothing.
#[derive(Clone, Debug, thiserror::Error)]
pub(super) enum FetchError {
    /// Not an address that is asked.
    #[error(transparent)]
    Blocked(#[from] Blocked),
    /// By what the source is granted.
    #[error("{0}")]
    Denied(String),
    /// By robots.txt; with a time when it could not be read.
    #[error("{detail}")]
    Robots { detail: String, retry_after: Option<Duration> },
    /// The configured credential is not accepted.
    #[error("{0}")]
    Unauthorized(String),
    /// By `X-Robots-Tag`.
    #[error("the site opts out by `X-Robots-Tag: {0}`")]
    OptOut(String),
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
    /// No connection, TLS, an answer that breaks HTTP. What may not pass is met again by whoever
    /// asks the same. A connection is `lost` before an answer came.
    #[error("{detail}")]
    Network { detail: String, may_pass: bool, lost: bool },
    /// 429 or 5xx.
    #[error("status {status}")]
    Status { status: u16, retry_after: Option<Duration> },
    /// The origin is left alone: it asked for that (then with its status), or it failed too often.
    #[error("the site is left alone for {} s", retry_after.as_secs())]
    Held { status: Option<u16>, retry_after: Duration },
    /// Was tried lately and is not tried again until then.
    #[error("{cause}")]
    Later { cause: Box<Self>, retry_after: Duration },
}

/// A trouble after all tries.
#[derive(Debug)]
pub(super) struct FailedFetch {
    pub(super) trouble: FetchError,
    /// What the site or the breaker says.
    pub(super) retry_after: Option<Duration>,
}

impl FetchError {
    pub(super) fn network(detail: impl Into<String>) -> Self {
        Self::Network { detail: detail.into(), may_pass: false, lost: false }
    }

    /// Whether another try at once may bring more.
    pub(super) const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Timeout | Self::LateHead(_) | Self::Status { .. } | Self::Network { may_pass: true, .. }
        )
    }

    /// What the endpoint of tokens says of a credential that it does not accept.
    pub(super) fn refused_credential(&self) -> Option<&str> {
        match self {
            Self::Unauthorized(words) => Some(words),
            Self::Later { cause, .. } => cause.refused_credential(),
            _ => None,
        }
    }

    /// When to come back, where that is known.
    pub(super) const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } | Self::Robots { retry_after, .. } => *retry_after,
            Self::Held { retry_after, .. } | Self::Later { retry_after, .. } => Some(*retry_after),
            _ => None,
        }
    }
}

impl From<FetchError> for FailedFetch {
    fn from(trouble: FetchError) -> Self {
        Self { retry_after: trouble.retry_after(), trouble }
    }
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        if error.is_timeout() {
            return Self::Timeout;
        }
        // An address may carry a secret.
        let error = error.without_url();
        let begun = error.is_request() && !error.is_connect();
        let mut may_pass = !error.is_builder();
        let mut detail = String::new();
        for cause in chain(&error) {
            if let Some(blocked) = cause.downcast_ref::<Blocked>() {
                return Self::Blocked(blocked.clone());
            }
            // TLS reports what it dislikes as invalid data.
            let final_io =
                cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::InvalidData);
            // A head that breaks HTTP is not sent by chance.
            let no_http = cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse);
            may_pass &= !final_io && !no_http && !cause.is::<NoSuchName>();
            detail = cause.to_string();
        }
        Self::Network { detail, may_pass, lost: begun && may_pass }
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

impl From<io::Error> for FetchError {
    fn from(error: io::Error) -> Self {
        match error.downcast::<Self>() {
            Ok(trouble) => trouble,
            Err(error) => Self::network(format!("the answer cannot be decompressed: {error}")),
        }
    }
}

impl From<FailedFetch> for DownloadError {
    fn from(FailedFetch { trouble, retry_after }: FailedFetch) -> Self {
        let (detail, unauthorized) = (trouble.to_string(), trouble.refused_credential().is_some());
        let reason = match trouble {
            FetchError::Later { cause, .. } => {
                return Self { retry_after, ..FailedFetch::from(*cause).into() };
            }
            FetchError::Blocked(Blocked::NotPublic { .. }) => Refusal::PrivateAddress,
            FetchError::Blocked(_) => Refusal::BadUrl,
            // What a credential ran into: the site's refusal, one way or another.
            FetchError::Denied(_) | FetchError::Unauthorized(_) => Refusal::HttpStatus,
            FetchError::Robots { .. } => Refusal::Robots,
            FetchError::OptOut(_) => Refusal::OptOut,
            FetchError::TooManyRedirects(_) => Refusal::TooManyRedirects,
            FetchError::TooLarge(_) => Refusal::TooLarge,
            FetchError::Timeout | FetchError::LateHead(_) => Refusal::Timeout,
            FetchError::Network { .. } => Refusal::Network,
            FetchError::Status { status: 429, .. } | FetchError::Held { status: Some(429), .. } => {
                Refusal::RateLimited
            }
            FetchError::Status { .. } | FetchError::Held { .. } => Refusal::ServerError,
        };
        Self { reason, detail, retry_after, unauthorized }
    }
}

impl From<FailedFetch> for RequestError {
    fn from(FailedFetch { trouble, retry_after }: FailedFetch) -> Self {
        let detail = trouble.to_string();
        let failure = match trouble {
            FetchError::Later { cause, .. } => {
                return Self { retry_after, ..FailedFetch::from(*cause).into() };
            }
            FetchError::Blocked(_)
            | FetchError::Denied(_)
            | FetchError::Unauthorized(_)
            | FetchError::OptOut(_) => Failure::Denied(detail),
            FetchError::Robots { .. } => Failure::Robots(detail),
            FetchError::TooLarge(limit) => Failure::TooLarge(limit),
            FetchError::Timeout | FetchError::LateHead(_) => Failure::Timeout,
            FetchError::Network { may_pass: false, .. } | FetchError::TooManyRedirects(_) => {
                Failure::Lasting(detail)
            }
            FetchError::Network { .. } | FetchError::Held { status: None, .. } => Failure::Network(detail),
            FetchError::Status { status, .. } | FetchError::Held { status: Some(status), .. } => {
                Failure::Status(status)
            }
        };
        Self { failure, retry_after }
    }
}
