//! What the host of a picture is told of the page that shows it: as much as a browser says where
//! the page asks for nothing else (Referrer Policy, `strict-origin-when-cross-origin`).

use url::{Position, Url};

/// Longest address that is told whole, in bytes.
const MAX_BYTES: usize = 4096;

/// The `Referer` of a request for `target`: to the page's own origin its address, to others its
/// origin, and nothing from https to http. What comes of it stands for the page on the next hop, so
/// that a redirect never learns more than the one before.
pub(super) fn referrer(page: &Url, target: &Url) -> Option<Url> {
    if !matches!(page.scheme(), "http" | "https") || (page.scheme() == "https" && target.scheme() != "https")
    {
        return None;
    }
    let mut referrer = page.clone();
    referrer.set_fragment(None);
    referrer.set_username("").and_then(|()| referrer.set_password(None)).ok()?;
    if page.origin() != target.origin() || referrer.as_str().len() > MAX_BYTES {
        referrer = Url::parse(&referrer[..Position::BeforePath]).ok()?;
    }
    Some(referrer)
}

/// Whether a `referer` that a source says may go to `target`: from https to http none, and to an origin that
/// is not the `same` as the one for which it was said, an origin only.
pub(super) fn may_be_sent(referer: &str, target: &Url, same_origin: bool) -> bool {
    let Ok(referer) = Url::parse(referer) else { return same_origin };
    let downgrades = referer.scheme() == "https" && target.scheme() != "https";
    let is_bare = referer.username().is_empty() && referer.password().is_none();
    !downgrades && (same_origin || is_bare && matches!(&referer[Position::BeforePath..], "" | "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_source_may_say() {
        let check = |referer: &str, target: &str, here: bool, elsewhere: bool| {
            let target = target.parse().unwrap();
            let sent = (may_be_sent(referer, &target, true), may_be_sent(referer, &target, false));
            assert_eq!(sent, (here, elsewhere), "{referer} → {target}");
        };
        for origin in ["https://a.test/", "https://a.test", "https://a.test:8443/"] {
            check(origin, "https://b.test/b.png", true, true);
            check(origin, "http://a.test/b.png", false, false);
        }
        for whole in ["https://a.test/x", "https://a.test/?x", "https://a.test/#x", "https://user@a.test/"] {
            check(whole, "https://b.test/b.png", true, false);
            check(whole, "http://a.test/b.png", false, false);
        }
        check(" HTTPS://a.test/x", "http://a.test/b.png", false, false);
        check("http://a.test/x", "http://b.test/b.png", true, false);
        check("album 7", "http://b.test/b.png", true, false);
    }

    #[test]
    fn as_much_as_browsers_say() {
        let check = |page: &str, target: &str, expect: Option<&str>| {
            let sent = referrer(&page.parse().unwrap(), &target.parse().unwrap());
            assert_eq!(sent.as_ref().map(Url::as_str), expect, "{page} → {target}");
        };
        let page = "https://a.test/album?page=2#picture";
        check(page, "https://a.test/b.png", Some("https://a.test/album?page=2"));
        check(page, "https://b.test/b.png", Some("https://a.test/"));
        check(page, "https://a.test:8443/b.png", Some("https://a.test/"));
        check(page, "http://a.test/b.png", None);
        check("http://a.test/x", "https://a.test/b.png", Some("http://a.test/"));
        check("http://a.test:8080/x", "http://b.test/b.png", Some("http://a.test:8080/"));
        check("https://user:secret@a.test/x", "https://a.test/", Some("https://a.test/x"));
        check("https://user:secret@a.test/x", "https://b.test/", Some("https://a.test/"));
        check("file:///home/x.html", "https://a.test/", None);
        check("about:blank", "https://a.test/", None);
        let long = format!("https://a.test/{}", "x".repeat(MAX_BYTES));
        check(&long, "https://a.test/b.png", Some("https://a.test/"));
    }
}
