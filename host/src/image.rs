//! What becomes of a picture: kept, duplicate or refused, and why.

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

/// A picture that passed every check: what was measured, never what was declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcceptedImage {
    /// From the bytes, not from a name or header.
    pub format: Format,
    /// In pixels, as stored (before any EXIF rotation).
    pub width: u32,
    /// In pixels, as stored.
    pub height: u32,
    /// 1 for a still picture.
    pub frames: u32,
    /// Of the original bytes.
    pub sha256: Sha256,
    /// 64-bit difference hash of the upright picture (EXIF orientation applied).
    pub phash: u64,
}

/// SHA-256 of the original bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sha256(pub [u8; 32]);

impl Sha256 {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// Reads 64 hexadecimal digits.
    #[must_use]
    pub fn parse(hex: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(hex, &mut bytes).ok()?;
        Some(Self(bytes))
    }
}

impl TryFrom<String> for Sha256 {
    type Error = &'static str;

    fn try_from(hex: String) -> Result<Self, Self::Error> {
        Self::parse(&hex).ok_or("a SHA-256 has 64 hexadecimal digits")
    }
}

impl From<Sha256> for String {
    fn from(digest: Sha256) -> Self {
        digest.to_string()
    }
}

impl std::fmt::Display for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl std::fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// Formats that are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// JPEG.
    Jpeg,
    /// PNG, APNG included.
    Png,
    /// GIF.
    Gif,
    /// WebP.
    Webp,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Jpeg, Self::Png, Self::Gif, Self::Webp];

    /// As in `images.format` and in job rules.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Gif => "gif",
            Self::Webp => "webp",
        }
    }

    /// File extension without the dot.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            _ => self.name(),
        }
    }

    /// Media type.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
        }
    }
}

/// What a job accepts beyond being a sound picture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// Licence ids that are accepted; empty accepts all. `*` at the end stands for anything.
    pub licenses: Vec<String>,
    /// In pixels.
    pub min_width: u32,
    /// In pixels.
    pub min_height: u32,
    /// Empty accepts all.
    pub formats: Vec<Format>,
}

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
