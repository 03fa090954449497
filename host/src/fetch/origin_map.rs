//! Origins that are served from elsewhere: mirrors, air-gapped use and tests. The mapped
//! server sees the public host in `Host`, so that one server can stand for many origins;
//! TLS is verified for the name of the mapped target, which is the one connected to.

use url::{Position, Url};

use crate::config::OriginMapping;

/// The configured mappings; one for an origin by name wins over the one for every origin.
pub(super) struct OriginMap(pub(super) Vec<OriginMapping>);

impl OriginMap {
    /// Where `url` is really asked: the mapped scheme, host and port with the path and query of `url`.
    pub(super) fn target(&self, url: &Url) -> Option<Url> {
        let origin = url.origin();
        let named = self.0.iter().find(|mapping| mapping.from.as_ref() == Some(&origin));
        let mapping = named.or_else(|| self.0.iter().find(|mapping| mapping.from.is_none()))?;
        let mut target = mapping.to.clone();
        target.set_path(&url[Position::BeforePath..Position::AfterPath]);
        target.set_query(url.query());
        Some(target)
    }
}

/// `host` or `host:port`, as in the `Host` header.
pub(super) fn authority(url: &Url) -> &str {
    &url[Position::BeforeHost..Position::AfterPort]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_origin_wins() {
        let origins = OriginMap(
            [
                "*=http://127.0.0.1:1",
                "https://a.test=http://127.0.0.1:2",
                "http://b.test:8080=https://c.test",
            ]
            .map(|text| text.parse().unwrap())
            .into(),
        );
        let check = |url: &str, expect: &str| {
            assert_eq!(origins.target(&url.parse().unwrap()).unwrap().as_str(), expect);
        };
        check("https://a.test/x/../y?q=%20#f", "http://127.0.0.1:2/y?q=%20");
        check("http://a.test/", "http://127.0.0.1:1/");
        check("http://b.test:8080/%2F", "https://c.test/%2F");
        check("http://b.test/", "http://127.0.0.1:1/");
        assert!(OriginMap(Vec::new()).target(&"https://a.test/".parse().unwrap()).is_none());
    }

    #[test]
    fn authorities() {
        assert_eq!(authority(&"https://a.test:443/x".parse().unwrap()), "a.test");
        assert_eq!(authority(&"https://a.test:8443/x".parse().unwrap()), "a.test:8443");
        assert_eq!(authority(&"http://[2606::1]:81/".parse().unwrap()), "[2606::1]:81");
    }
}
