//! Who asks: the `User-Agent` that is sent, and the name under which robots.txt is judged.

use std::collections::HashMap;

use http::HeaderValue;

use super::error::FetchSetupError;
use crate::{config, consent::PRODUCT};

/// One name towards sites.
pub(super) struct UserAgent {
    pub(super) header: HeaderValue,
    /// The product token, by which a robots.txt speaks of it (RFC 9309, 2.2.1).
    pub(super) product: String,
}

/// The host's own name, and those that the operator gave to sources.
pub(super) struct UserAgents {
    pub(super) own: UserAgent,
    of_sources: HashMap<String, UserAgent>,
}

impl UserAgents {
    pub(super) fn new(config: &config::Fetch) -> Result<Self, FetchSetupError> {
        let contact = config.contact.as_deref().unwrap_or("https://github.com/pixcrawler/pixcrawler");
        let own = format!("{PRODUCT}/{} (+{contact})", env!("CARGO_PKG_VERSION"));
        let own = UserAgent::new(&own).ok_or(FetchSetupError::Contact)?;
        let mut of_sources = HashMap::new();
        for (source, text) in config.user_agents()? {
            let Some(agent) = UserAgent::new(&text) else {
                return Err(FetchSetupError::UserAgent { source_id: source });
            };
            of_sources.insert(source, agent);
        }
        Ok(Self { own, of_sources })
    }

    /// The name for the own requests of a source.
    pub(super) fn of(&self, source: &str) -> &UserAgent {
        self.of_sources.get(source).unwrap_or(&self.own)
    }
}

impl UserAgent {
    fn new(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !c.is_ascii_alphabetic() && !matches!(c, '-' | '_'));
        let product = &text[..end.unwrap_or(text.len())];
        let header = HeaderValue::try_from(text).ok().filter(|_| !product.is_empty())?;
        Some(Self { header, product: product.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn product_tokens() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(UserAgent::new(text).map(|agent| agent.product).as_deref(), expect, "{text}");
        };
        check("PixCrawler/0.1.0 (+https://example.org/)", Some("PixCrawler"));
        check("my-crawler_x 2", Some("my-crawler_x"));
        check("Mozilla/5.0 (X11; Linux)", Some("Mozilla"));
        check("name", Some("name"));
        for wrong in ["", "1.0", " name", "(comment)", "na\nme"] {
            check(wrong, None);
        }
    }
}
