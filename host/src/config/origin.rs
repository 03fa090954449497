//! Origins that are served from elsewhere.

use std::str::FromStr;

use url::Url;

/// One origin served from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginMapping {
    /// The public origin; none means every origin that has no mapping of its own.
    pub from: Option<url::Origin>,
    /// Scheme, host and port that are really asked.
    pub to: Url,
}

impl FromStr for OriginMapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (from, to) = text.split_once('=').ok_or("expected FROM=TO")?;
        let origin = |text: &str| match Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.path() == "/" => Ok(url),
            _ => Err(format!("`{text}` is not an origin such as https://example.org")),
        };
        let from = if from == "*" { None } else { Some(origin(from)?.origin()) };
        Ok(Self { from, to: origin(to)? })
    }
}
