//! What the host of a picture is told of the page that shows it: as much as a browser says where
//! the page asks for nothing else (Referrer Policy, `strict-origin-when-cross-origin`).

use url::{Position, Url};

/// Longest address that is told whole, in bytes.
const LONGEST: usize = 4096;

/// The `Referer` of a request for `target`: to the page's own origin its address, to others its
/// origin, and nothing from https to http. What comes of it stands for the page on the next hop, so
/// that a redirect never learns more than the one before.
pub(super) fn referrer(page: &Url, target: &Url) -> Option<Url> {
    if !matches!(page.scheme(), "http" | "https") || (page.scheme() == "https" && target.scheme() != "https")
    {
        return None;
    }
    let mut told = page.clone();
    told.set_fragment(None);
    told.set_username("").and_then(|()| told.set_password(None)).ok()?;
    if page.origin() != target.origin() || told.as_str().len() > LONGEST {
        told = Url::parse(&told[..Position::BeforePath]).ok()?;
    }
    Some(told)
}

/// Whether a `referer` that a source says may go to `target`: from https to http none, and to another
/// origin than the one that it `is_for` an origin only.
pub(super) fn may_be_told(said: &str, target: &Url, is_for: bool) -> bool {
    let Ok(said) = Url::parse(said) else { return is_for };
    let downgrades = said.scheme() == "https" && target.scheme() != "https";
    let is_bare = said.username().is_empty() && said.password().is_none();
    !downgrades && (is_for || is_bare && matches!(&said[Position::BeforePath..], "" | "/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_source_may_say() {
        let check = |said: &str, target: &str, here: bool, elsewhere: bool| {
            let target = target.parse().unwrap();
            let told = (may_be_told(said, &target, true), may_be_told(said, &target, false));
            assert_eq!(told, (here, elsewhere), "{said} → {target}");
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
            let told = referrer(&page.parse().unwrap(), &target.parse().unwrap());
            assert_eq!(told.as_ref().map(Url::as_str), expect, "{page} → {target}");
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
        let long = format!("https://a.test/{}", "x".repeat(LONGEST));
        check(&long, "https://a.test/b.png", Some("https://a.test/"));
    }
}
