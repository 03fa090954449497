//! Why a candidate was refused: the code, and the words beside it.

use serde::{Deserialize, Serialize};

/// Why a candidate was refused. The code is stored, shown and counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// Not an absolute http(s) address that may be asked.
    BadUrl,
    /// The address is not public, or a redirect leads to one that is not.
    PrivateAddress,
    /// The site's robots.txt forbids it.
    Robots,
    /// The site opts out of image datasets (`noai`, `noimageai`).
    OptOut,
    /// 404 or 410.
    NotFound,
    /// Another status that will not pass.
    HttpStatus,
    /// 429 after all retries.
    RateLimited,
    /// 5xx after all retries.
    ServerError,
    /// Longer than the host waits.
    Timeout,
    /// No connection, TLS, an answer that breaks HTTP.
    Network,
    /// More redirects than allowed.
    TooManyRedirects,
    /// More bytes than allowed.
    TooLarge,
    /// No bytes.
    Empty,
    /// Not a picture by its first bytes.
    NotAnImage,
    /// A picture in a format that is not kept.
    UnsupportedFormat,
    /// Cut off before its end.
    Truncated,
    /// Its data contradict the format.
    Corrupt,
    /// More pixels than allowed.
    TooManyPixels,
    /// More frames than allowed.
    TooManyFrames,
    /// The decoder itself failed.
    DecoderFault,
    /// Decoding it takes more memory or processor time than a picture of its size may.
    TooCostly,
    /// Smaller than the job's rules ask for.
    TooSmall,
    /// A format that the job's rules leave out.
    FormatNotWanted,
    /// A licence that the job's rules leave out.
    LicenseNotAllowed,
    /// Not the bytes that the source declared.
    ChecksumMismatch,
}

impl Refusal {
    /// The code, as stored in `images.reason`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::BadUrl => "bad-url",
            Self::PrivateAddress => "private-address",
            Self::Robots => "robots",
            Self::OptOut => "opt-out",
            Self::NotFound => "not-found",
            Self::HttpStatus => "http-status",
            Self::RateLimited => "rate-limited",
            Self::ServerError => "server-error",
            Self::Timeout => "timeout",
            Self::Network => "network",
            Self::TooManyRedirects => "too-many-redirects",
            Self::TooLarge => "too-large",
            Self::Empty => "empty",
            Self::NotAnImage => "not-an-image",
            Self::UnsupportedFormat => "unsupported-format",
            Self::Truncated => "truncated",
            Self::Corrupt => "corrupt",
            Self::TooManyPixels => "too-many-pixels",
            Self::TooManyFrames => "too-many-frames",
            Self::DecoderFault => "decoder-fault",
            Self::TooCostly => "too-costly",
            Self::TooSmall => "too-small",
            Self::FormatNotWanted => "format-not-wanted",
            Self::LicenseNotAllowed => "license-not-allowed",
            Self::ChecksumMismatch => "checksum-mismatch",
        }
    }

    /// Whether trying again later may succeed: a retry of the job tries these again.
    #[must_use]
    pub const fn may_pass(self) -> bool {
        // What is too costly may not be under the settings of another day.
        matches!(
            self,
            Self::RateLimited | Self::ServerError | Self::Timeout | Self::Network | Self::TooCostly
        )
    }

    /// Codes that a retry of the job tries again.
    pub const PASSING: [&'static str; 5] =
        ["rate-limited", "server-error", "timeout", "network", "too-costly"];
}

/// Why a picture was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{}: {detail}", .reason.code())]
pub struct Rejection {
    /// The code.
    pub reason: Refusal,
    /// For people.
    pub detail: String,
}

impl Rejection {
    /// A rejection with this code and these words.
    #[must_use]
    pub fn new(reason: Refusal, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}
