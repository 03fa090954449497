//! Cookies by the standard rules (RFC 6265, public suffixes). They are secrets of the crawl
//! that got them: sent by the host, never shown.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use cookie_store::{Cookie, CookieDomain};
use http::{HeaderMap, HeaderValue, header};
use serde_json::Value;
use url::Url;

use super::redact::holds;
use crate::model::Cookies;

/// The cookies of one crawl. Clones are the same jar. Bounded: 50 cookies of a domain, 300 and
/// 64 KiB in all, of which the oldest goes first; one of more than 4 KiB is not taken.
#[derive(Clone, Default)]
pub struct CookieJar {
    state: Arc<Mutex<JarState>>,
}

#[derive(Default)]
struct JarState {
    /// In the order in which they were set first.
    cookies: Vec<Cookie<'static>>,
    changed: bool,
}

/// Bytes of one `Set-Cookie`.
const MAX_COOKIE_BYTES: usize = 4096;
const MAX_OF_DOMAIN: usize = 50;
const MAX: usize = 300;
const MAX_BYTES: usize = 64 << 10;

impl CookieJar {
    /// A jar as it was stored. What cannot be read is left out: the site gives it anew.
    #[must_use]
    pub fn restore(stored: &Cookies) -> Self {
        let stored = stored.0.as_array().map_or(&[][..], Vec::as_slice);
        let cookies = stored.iter().filter_map(|cookie| serde_json::from_value(cookie.clone()).ok());
        Self { state: Arc::new(Mutex::new(JarState { cookies: cookies.collect(), changed: false })) }
    }

    /// All of it, to be stored, when it has changed since this was asked last.
    #[must_use]
    pub fn changes(&self) -> Option<Cookies> {
        let mut state = self.state();
        if !std::mem::take(&mut state.changed) {
            return None;
        }
        let cookies = state.cookies.iter().filter_map(|cookie| serde_json::to_value(cookie).ok());
        Some(Cookies(Value::Array(cookies.collect())))
    }

    /// Forgets all.
    pub fn clear(&self) {
        *self.state() = JarState { cookies: Vec::new(), changed: true };
    }

    fn state(&self) -> MutexGuard<'_, JarState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds what is meant for `url` to the headers of a request for it.
    pub(super) fn attach(&self, url: &Url, headers: &mut HeaderMap) {
        let state = self.state();
        let mut meant: Vec<_> =
            state.cookies.iter().filter(|cookie| cookie.matches(url) && !cookie.is_expired()).collect();
        if meant.is_empty() {
            return;
        }
        // Those of longer paths first; the order is stable.
        meant.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        // There may be one already that a credential brought.
        let mut line = headers.get(header::COOKIE).map_or_else(Vec::new, |value| value.as_bytes().to_vec());
        for cookie in meant {
            let separator = if line.is_empty() { "" } else { "; " };
            line.extend(format!("{separator}{}={}", cookie.name(), cookie.value()).bytes());
        }
        if let Ok(mut line) = HeaderValue::from_bytes(&line) {
            line.set_sensitive(true);
            headers.insert(header::COOKIE, line);
        }
    }

    /// Takes what an answer of `url` sets. Jars are stored and sources may see what comes of
    /// them, so a cookie that repeats one of the `secrets` is not taken.
    pub(super) fn take(&self, url: &Url, headers: &HeaderMap, secrets: &[String]) {
        for set in headers.get_all(header::SET_COOKIE) {
            if set.len() <= MAX_COOKIE_BYTES
                && let Ok(text) = std::str::from_utf8(set.as_bytes())
                && !holds(text, secrets)
                && let Ok(cookie) = Cookie::parse(text, url)
                && let Some(cookie) = of_no_public_suffix(cookie.into_owned(), url)
            {
                self.state().set(cookie);
            }
        }
    }
}

/// No cookie goes to all of `.com` or `.co.uk`: one that is set for such a domain is refused,
/// unless that is the very host that sets it, which then keeps it to itself.
fn of_no_public_suffix(mut cookie: Cookie<'static>, url: &Url) -> Option<Cookie<'static>> {
    if let CookieDomain::Suffix(domain) = &cookie.domain
        && psl::suffix_str(domain) == Some(domain)
    {
        if !cookie.domain.host_is_identical(url) {
            return None;
        }
        cookie.domain = CookieDomain::host_only(url).ok()?;
    }
    Some(cookie)
}

impl JarState {
    fn set(&mut self, cookie: Cookie<'static>) {
        let same = |other: &Cookie<'_>| {
            other.name() == cookie.name()
                && other.domain.as_cow() == cookie.domain.as_cow()
                && other.path.as_ref() == cookie.path.as_ref()
        };
        let found = self.cookies.iter().position(same);
        match found {
            Some(at) if self.cookies[at] == cookie => return,
            Some(at) if cookie.is_expired() => drop(self.cookies.remove(at)),
            Some(at) => self.cookies[at] = cookie,
            None if cookie.is_expired() => return,
            None => {
                self.evict_for(&cookie);
                self.cookies.push(cookie);
            }
        }
        self.changed = true;
    }

    fn evict_for(&mut self, new: &Cookie<'_>) {
        self.cookies.retain(|cookie| !cookie.is_expired());
        let of_domain = |cookie: &Cookie<'_>| cookie.domain.as_cow() == new.domain.as_cow();
        if self.cookies.iter().filter(|cookie| of_domain(cookie)).count() >= MAX_OF_DOMAIN
            && let Some(oldest) = self.cookies.iter().position(of_domain)
        {
            self.cookies.remove(oldest);
        }
        while self.cookies.len() >= MAX || self.bytes() + size(new) > MAX_BYTES {
            self.cookies.remove(0);
        }
    }

    fn bytes(&self) -> usize {
        self.cookies.iter().map(size).sum()
    }
}

fn size(cookie: &Cookie<'_>) -> usize {
    let domain = cookie.domain.as_cow().map_or(0, |domain| domain.len());
    cookie.name().len() + cookie.value().len() + cookie.path.len() + domain
}

impl fmt::Debug for CookieJar {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("CookieJar").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(url: &str) -> Url {
        url.parse().unwrap()
    }

    fn take(jar: &CookieJar, from: &str, cookies: &[&str]) {
        let headers = cookies.iter().map(|cookie| (header::SET_COOKIE, cookie.parse().unwrap()));
        jar.take(&url(from), &headers.collect(), &[]);
    }

    fn sent(jar: &CookieJar, to: &str) -> String {
        let mut headers = HeaderMap::new();
        jar.attach(&url(to), &mut headers);
        headers.get(header::COOKIE).map_or_else(String::new, |line| {
            assert!(line.is_sensitive());
            line.to_str().unwrap().to_owned()
        })
    }

    #[test]
    fn who_gets_which() {
        let check = |set: &str, to: &[(&str, bool)]| {
            let jar = CookieJar::default();
            take(&jar, "https://www.example.co.uk/dir/page", &[set]);
            for (to, expect) in to {
                assert_eq!(sent(&jar, to) == "a=b", *expect, "`{set}` to {to}");
            }
        };
        check(
            "a=b",
            &[
                ("https://www.example.co.uk/dir/", true),
                ("http://www.example.co.uk/dir/other?q", true),
                ("https://www.example.co.uk/", false),
                ("https://www.example.co.uk/directory", false),
                ("https://example.co.uk/dir/", false),
                ("https://sub.www.example.co.uk/dir/", false),
                ("https://other.co.uk/dir/", false),
            ],
        );
        check(
            "a=b; Domain=.example.co.uk; Path=/",
            &[
                ("https://example.co.uk/", true),
                ("https://sub.www.example.co.uk/", true),
                ("https://badexample.co.uk/", false),
                ("https://co.uk/", false),
            ],
        );
        check(
            "a=b; Path=/; Secure; HttpOnly",
            &[("https://www.example.co.uk/", true), ("http://www.example.co.uk/", false)],
        );
        // For others, for all of a public suffix, and for a host that is none of its own.
        for domain in ["other.co.uk", "co.uk", "uk", "sub.www.example.co.uk", "..", "1.2.3.4"] {
            check(
                &format!("a=b; Path=/; Domain={domain}"),
                &[
                    ("https://www.example.co.uk/", false),
                    ("https://other.co.uk/", false),
                    ("https://sub.www.example.co.uk/", false),
                ],
            );
        }
    }

    #[test]
    fn a_public_suffix_keeps_its_own_to_itself() {
        let jar = CookieJar::default();
        take(&jar, "https://github.io/", &["a=b; Domain=github.io"]);
        assert_eq!(
            (sent(&jar, "https://github.io/"), sent(&jar, "https://x.github.io/")),
            ("a=b".into(), "".into())
        );
    }

    #[test]
    fn they_change_and_end() {
        let jar = CookieJar::default();
        take(
            &jar,
            "https://a.test/x/",
            &["one=1; Path=/", "two=2; Path=/x/", "one=3; Path=/", "", "=", ";;"],
        );
        assert_eq!(sent(&jar, "https://a.test/x/y"), "two=2; one=3", "the longer path comes first");
        take(&jar, "https://a.test/", &["one=4; Max-Age=0", "gone=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]);
        take(
            &jar,
            "https://a.test/",
            &["long=1; Max-Age=99999999999999999999", "past=1; Max-Age=-9999999999999"],
        );
        assert_eq!(sent(&jar, "https://a.test/x/y"), "two=2; long=1");
        let mut headers = HeaderMap::from_iter([(header::COOKIE, HeaderValue::from_static("session=s"))]);
        jar.attach(&url("https://a.test/"), &mut headers);
        assert_eq!(headers[header::COOKIE], "session=s; long=1");
    }

    #[test]
    fn they_are_stored_and_not_shown() {
        let jar = CookieJar::default();
        assert!(jar.changes().is_none());
        take(
            &jar,
            "https://a.test/",
            &["secret=canary; Secure", "later=1; Max-Age=1000", "raw=\"q\"; SameSite=Lax"],
        );
        let stored = jar.changes().unwrap();
        assert!(jar.changes().is_none());
        take(&jar, "https://a.test/", &["secret=canary; Secure"]);
        assert!(jar.changes().is_none(), "the same again is no change");
        let again = CookieJar::restore(&stored);
        assert_eq!(sent(&again, "https://a.test/"), "secret=canary; later=1; raw=\"q\"");
        assert_eq!(sent(&again, "http://a.test/"), "later=1; raw=\"q\"");
        assert!(!format!("{jar:?} {stored:?}").contains("canary"));
        for broken in [Value::Null, Value::from("x"), serde_json::json!([1, {}, null])] {
            assert_eq!(sent(&CookieJar::restore(&Cookies(broken)), "https://a.test/"), "");
        }
        jar.clear();
        assert_eq!(jar.changes().unwrap().0, serde_json::json!([]));
    }

    #[test]
    fn they_are_bounded() {
        let jar = CookieJar::default();
        take(&jar, "https://a.test/", &["kept=1"]);
        take(&jar, "https://a.test/", &[&format!("long={}", "x".repeat(MAX_COOKIE_BYTES))]);
        assert_eq!(sent(&jar, "https://a.test/"), "kept=1");
        for number in 0..MAX_OF_DOMAIN {
            take(&jar, "https://a.test/", &[&format!("n{number}=1")]);
        }
        let line = sent(&jar, "https://a.test/");
        assert!(line.starts_with("n0=1; ") && line.split("; ").count() == MAX_OF_DOMAIN, "{line}");
        for host in 0..20 {
            for number in 0..20 {
                take(&jar, &format!("https://h{host}.test/"), &[&format!("n{number}=1")]);
            }
        }
        assert_eq!(jar.state().cookies.len(), MAX);
        for number in 0..MAX_OF_DOMAIN {
            take(&jar, "https://big.test/", &[&format!("n{number}={}", "x".repeat(4000))]);
        }
        let state = jar.state();
        assert!(state.bytes() <= MAX_BYTES && state.cookies.len() >= 16, "{}", state.cookies.len());
    }

    proptest::proptest! {
        #[test]
        fn any_cookie_is_read(set: Vec<u8>, text in "[a-zA-Z=;, ./0-9-]{0,80}") {
            let jar = CookieJar::default();
            for bytes in [set, format!("a={text}").into_bytes(), format!("a=b; {text}").into_bytes()] {
                if let Ok(value) = HeaderValue::from_bytes(&bytes) {
                    jar.take(&url("https://a.test/"), &HeaderMap::from_iter([(header::SET_COOKIE, value)]), &[]);
                    let _ = CookieJar::restore(&jar.changes().unwrap_or_default());
                    let _ = sent(&jar, "https://a.test/");
                }
            }
        }
    }
}
