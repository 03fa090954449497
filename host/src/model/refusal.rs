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
    /// Training of models, or text and data mining, is reserved: by the site, the page or the file.
    OptOut,
    /// The file says that a generative model made it.
    AiGenerated,
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
    /// Larger than the job's rules ask for.
    SizeNotWanted,
    /// Longer and narrower than the job's rules allow.
    AspectRatioNotWanted,
    /// Fewer or more bytes than the job's rules ask for.
    BytesNotWanted,
    /// Of several frames, which the job's rules leave out.
    Animated,
    /// Blank, or nearly.
    Uniform,
    /// Darker than the job's rules ask for.
    TooDark,
    /// Brighter than the job's rules ask for.
    TooBright,
    /// Less sharp than the job's rules ask for.
    Blurred,
    /// A JPEG of less quality than the job's rules ask for.
    OverCompressed,
    /// A licence that the job's rules leave out.
    LicenseNotAllowed,
    /// Not the bytes that the source declared.
    ChecksumMismatch,
    /// Looks like a picture that the job does not want.
    Unwanted,
    /// Taken out of the dataset, or kept out since.
    Removed,
}

/// What a code says to the person whose picture it is, in Markdown.
#[derive(Clone, Copy, Debug)]
pub struct RefusalHelp {
    /// What was the case.
    pub meaning: &'static str,
    /// What that person can do.
    pub advice: &'static str,
}

impl Refusal {
    /// All of them, in the order of what is looked at.
    pub const ALL: [Self; 37] = [
        Self::BadUrl,
        Self::PrivateAddress,
        Self::Robots,
        Self::OptOut,
        Self::AiGenerated,
        Self::NotFound,
        Self::HttpStatus,
        Self::RateLimited,
        Self::ServerError,
        Self::Timeout,
        Self::Network,
        Self::TooManyRedirects,
        Self::TooLarge,
        Self::Empty,
        Self::NotAnImage,
        Self::UnsupportedFormat,
        Self::Truncated,
        Self::Corrupt,
        Self::TooManyPixels,
        Self::TooManyFrames,
        Self::DecoderFault,
        Self::TooCostly,
        Self::TooSmall,
        Self::FormatNotWanted,
        Self::SizeNotWanted,
        Self::AspectRatioNotWanted,
        Self::BytesNotWanted,
        Self::Animated,
        Self::Uniform,
        Self::TooDark,
        Self::TooBright,
        Self::Blurred,
        Self::OverCompressed,
        Self::LicenseNotAllowed,
        Self::ChecksumMismatch,
        Self::Unwanted,
        Self::Removed,
    ];

    /// The refusal with this code.
    #[must_use]
    pub fn with_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.code() == code)
    }

    /// What it means and what to do. The table in the README, the pages of the API and the command
    /// line say this, and nothing else.
    #[must_use]
    pub const fn help(self) -> RefusalHelp {
        let (meaning, advice) = match self {
            Self::BadUrl => (
                "The address is not one of `http` or `https` that may be asked.",
                "Correct the address where it comes from: the list, the page or the source.",
            ),
            Self::PrivateAddress => (
                "The address, or one that it redirects to, is not public: it is of this machine or of a network at home.",
                "If it is yours and meant, let it be reached with `PIXCRAWLER_ALLOW_PRIVATE`.",
            ),
            Self::Robots => (
                "The site's robots.txt forbids the address.",
                "Ask the site for permission, or take the picture from a source that allows it.",
            ),
            Self::OptOut => (
                "The site, the page or the file reserves AI training or data mining; the detail says what was read where.",
                "Nothing; it is the wish of the picture's owner. If you have their leave, ask for `consent: record` (`--consent record`) in a new job.",
            ),
            Self::AiGenerated => (
                "The file says that a generative model made it, or a part of it.",
                "Ask for `consent: respect` (`--consent respect`) in a new job, if such pictures are wanted.",
            ),
            Self::NotFound => (
                "The site says that there is nothing at the address (status 404 or 410).",
                "Look at the address in a browser; if it opens there, the site wants cookies or a sign-in.",
            ),
            Self::HttpStatus => (
                "The site answered with another status that does not pass, such as 401 or 403.",
                "Look at the address in a browser; pictures behind a sign-in or for its own pages only are not given.",
            ),
            Self::RateLimited => (
                "The site said that it was asked too often (status 429), again and again.",
                "Retry the job later, or ask the site less often with `PIXCRAWLER_PER_HOST_RATE`.",
            ),
            Self::ServerError => (
                "The site failed (status 5xx), again and again.",
                "Retry the job when the site is well again.",
            ),
            Self::Timeout => (
                "The site did not answer, or not to the end, in the time that the host waits.",
                "Retry the job later, or wait for longer with `PIXCRAWLER_REQUEST_TIMEOUT`.",
            ),
            Self::Network => (
                "There was no connection: the name, the network, TLS, or an answer that breaks HTTP.",
                "The detail says which; when it is not the site's fault for good, retry the job.",
            ),
            Self::TooManyRedirects => (
                "The address leads from one to the next, further than is followed.",
                "Look at the address in a browser; the site may want cookies, or goes round in circles.",
            ),
            Self::TooLarge => (
                "The file has more bytes than are allowed.",
                "Allow more with `PIXCRAWLER_MAX_IMAGE_BYTES` and begin a new job.",
            ),
            Self::Empty => {
                ("The answer has no bytes.", "Look at the address in a browser; the fault is the site's.")
            }
            Self::NotAnImage => (
                "The first bytes are not those of a picture; mostly it is a page of HTML, such as a sign-in.",
                "Crawl that page by the source `webpage`, or look why the site does not give the picture.",
            ),
            Self::UnsupportedFormat => (
                "It is a picture in a format, or a kind of JPEG, that is not kept, such as AVIF, HEIC, SVG or TIFF.",
                "Look whether the source has a copy as JPEG, PNG, GIF or WebP.",
            ),
            Self::Truncated => (
                "The file ends before the picture does.",
                "Nothing where the file at the site is cut; if it opens there whole, update the job.",
            ),
            Self::Corrupt => (
                "The bytes contradict the format, so that a part of the picture would be made up.",
                "The file at the site is damaged; once it is mended, update the job.",
            ),
            Self::TooManyPixels => (
                "The picture, or all its frames, has more pixels than are allowed.",
                "Allow more with `PIXCRAWLER_MAX_IMAGE_PIXELS` and begin a new job.",
            ),
            Self::TooManyFrames => {
                ("The animation has more frames than are allowed.", "Nothing; look for a still copy.")
            }
            Self::DecoderFault => (
                "The decoder itself failed at this file.",
                "Report it with the address: it is a fault of PixCrawler.",
            ),
            Self::TooCostly => (
                "Decoding it takes more memory or processor time than a picture of its size may.",
                "Allow more with `PIXCRAWLER_DECODE_MEMORY` and `PIXCRAWLER_DECODE_DEADLINE`, and retry the job.",
            ),
            Self::TooSmall => (
                "It is smaller than the job's rules ask for.",
                "Ask for a smaller `min_width` and `min_height` (`--min-size`) in a new job.",
            ),
            Self::FormatNotWanted => (
                "It has a format that the job's rules leave out.",
                "Add the format to `formats` (`--format`) in a new job.",
            ),
            Self::SizeNotWanted => (
                "It has more pixels on a side than the job's rules allow.",
                "Ask for a larger `max_width` and `max_height` (`--max-size`) in a new job.",
            ),
            Self::AspectRatioNotWanted => (
                "It is longer and narrower than the job's rules allow, such as a banner.",
                "Ask for a larger `max_aspect_ratio` (`--max-aspect-ratio`) in a new job.",
            ),
            Self::BytesNotWanted => (
                "The file has fewer or more bytes than the job's rules ask for.",
                "Ask for others by `min_bytes` and `max_bytes` (`--min-bytes`, `--max-bytes`) in a new job.",
            ),
            Self::Animated => (
                "It is an animation, and the job's rules ask for still pictures.",
                "Allow it with `animation` (`--animation allowed`) in a new job.",
            ),
            Self::Uniform => (
                "It is blank, or nearly: its contrast is lower than the job's rules ask for.",
                "Ask for a lower `min_contrast` (`--min-contrast`) in a new job.",
            ),
            Self::TooDark => (
                "It is darker than the job's rules ask for.",
                "Ask for a lower `min_brightness` (`--min-brightness`) in a new job.",
            ),
            Self::TooBright => (
                "It is brighter than the job's rules ask for, nearly white.",
                "Ask for a higher `max_brightness` (`--max-brightness`) in a new job.",
            ),
            Self::Blurred => (
                "It is less sharp than the job's rules ask for.",
                "Ask for a lower `min_sharpness` (`--min-sharpness`) in a new job.",
            ),
            Self::OverCompressed => (
                "It is a JPEG that was encoded with less quality than the job's rules ask for.",
                "Ask for a lower `min_jpeg_quality` (`--min-jpeg-quality`) in a new job.",
            ),
            Self::LicenseNotAllowed => (
                "Its licence is not one that the job's rules allow, or not known.",
                "Add the licence to `licenses` (`--license`) in a new job, if you may use it.",
            ),
            Self::ChecksumMismatch => (
                "The bytes are not those that the source declared.",
                "Update the job later; if it stays, the source or its cache has another file.",
            ),
            Self::Unwanted => (
                "It looks like a picture that the job's list of unwanted ones has.",
                "Nothing where it is that; else leave its hash out of `unlike` (`--unlike`) in a new job.",
            ),
            Self::Removed => (
                "It was taken out, or it looks like, has the address of or is by the creator of what was.",
                "Nothing where that was meant; else lift the removal, see `GET /removals` and `pixcrawler dataset \
                 removals`, and ask in a new job.",
            ),
        };
        RefusalHelp { meaning, advice }
    }

    /// The code, as stored in `images.reason`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::BadUrl => "bad-url",
            Self::PrivateAddress => "private-address",
            Self::Robots => "robots",
            Self::OptOut => "opt-out",
            Self::AiGenerated => "ai-generated",
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
            Self::SizeNotWanted => "size-not-wanted",
            Self::AspectRatioNotWanted => "aspect-ratio-not-wanted",
            Self::BytesNotWanted => "bytes-not-wanted",
            Self::Animated => "animated",
            Self::Uniform => "uniform",
            Self::TooDark => "too-dark",
            Self::TooBright => "too-bright",
            Self::Blurred => "blurred",
            Self::OverCompressed => "over-compressed",
            Self::LicenseNotAllowed => "license-not-allowed",
            Self::ChecksumMismatch => "checksum-mismatch",
            Self::Unwanted => "unwanted",
            Self::Removed => "removed",
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

    /// Whether the site may have mended it: an update of the job tries these again, too, and what
    /// [may pass](Self::may_pass).
    #[must_use]
    pub const fn may_be_mended(self) -> bool {
        matches!(
            self,
            Self::NotFound
                | Self::HttpStatus
                | Self::Empty
                | Self::NotAnImage
                | Self::UnsupportedFormat
                | Self::Truncated
                | Self::Corrupt
                | Self::ChecksumMismatch
        )
    }

    /// Whether it is about the picture, wherever it is: no other copy of it is tried then.
    #[must_use]
    pub const fn is_of_all_copies(self) -> bool {
        matches!(self, Self::OptOut | Self::AiGenerated | Self::Unwanted | Self::Removed)
    }

    /// When a picture is tried again, in a word.
    #[must_use]
    pub const fn tried_again(self) -> &'static str {
        if self.may_pass() {
            "yes"
        } else if self.may_be_mended() {
            "an update does"
        } else {
            "no"
        }
    }

    /// Codes that an update of the job tries again besides.
    pub const MENDED: [&'static str; 8] = [
        "not-found",
        "http-status",
        "empty",
        "not-an-image",
        "unsupported-format",
        "truncated",
        "corrupt",
        "checksum-mismatch",
    ];
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_are_complete() {
        // Serde knows all variants, and names them to whoever gives it none of them.
        let unknown = serde_json::from_str::<Refusal>("\"none of them\"").unwrap_err().to_string();
        let codes = Refusal::ALL.map(Refusal::code);
        let named: Vec<&str> = unknown.split('`').skip(1).step_by(2).skip(1).collect();
        assert_eq!(named, codes, "{unknown}");
        let passing: Vec<&str> =
            Refusal::ALL.into_iter().filter(|refusal| refusal.may_pass()).map(Refusal::code).collect();
        assert_eq!(passing, Refusal::PASSING);
        let mended: Vec<&str> =
            Refusal::ALL.into_iter().filter(|refusal| refusal.may_be_mended()).map(Refusal::code).collect();
        assert_eq!(mended, Refusal::MENDED);
        assert!(codes.iter().all(|code| Refusal::with_code(code).is_some_and(|found| found.code() == *code)));
        assert_eq!(Refusal::with_code("banana"), None);
    }
}
