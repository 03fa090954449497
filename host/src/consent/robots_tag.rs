//! `X-Robots-Tag`, and the same directives in a page.

use http::HeaderMap;

use super::PRODUCT;
use crate::model::{ConsentMeaning, ConsentPlace, ConsentSignal, ConsentVocabulary};

/// Where it says `noai` or `noimageai` to all or to us.
pub(super) fn signals(headers: &HeaderMap, place: ConsentPlace, url: Option<&str>) -> Vec<ConsentSignal> {
    let mut signals = Vec::new();
    for value in headers.get_all("x-robots-tag") {
        // `agent: a, b` is meant for that agent only, up to the next agent.
        let mut for_us = true;
        for part in String::from_utf8_lossy(value.as_bytes()).split(',') {
            let directive = match part.split_once(':').map(|(agent, rest)| (agent.trim(), rest)) {
                Some((agent, rest)) if agent == "*" || agent.eq_ignore_ascii_case(PRODUCT) => {
                    for_us = true;
                    rest
                }
                Some((agent, rest)) if is_agent(agent) && is_directive(rest) => {
                    for_us = false;
                    rest
                }
                _ => part,
            };
            signals.extend(signal(directive, place, url).filter(|_| for_us));
        }
    }
    signals
}

/// A directive, where it is one of these.
pub(super) fn signal(directive: &str, place: ConsentPlace, url: Option<&str>) -> Option<ConsentSignal> {
    let directive = directive.trim().to_ascii_lowercase();
    matches!(directive.as_str(), "noai" | "noimageai").then(|| {
        ConsentSignal::new(ConsentVocabulary::Noai, place, url, &directive, ConsentMeaning::Reserved)
    })
}

/// Directives that take a value.
const VALUED: [&str; 4] = ["unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"];
/// Those that take none.
const PLAIN: [&str; 19] = [
    "all",
    "none",
    "index",
    "noindex",
    "follow",
    "nofollow",
    "archive",
    "noarchive",
    "nocache",
    "nosnippet",
    "noimageindex",
    "notranslate",
    "indexifembedded",
    "nositelinkssearchbox",
    "noodp",
    "noydir",
    "noai",
    "noimageai",
    "noml",
];

/// Whether what stands before a colon may name a crawler, and is not a directive that
/// takes a value, nor part of a date such as `25 Jun 2010 15:00:00`.
fn is_agent(text: &str) -> bool {
    !text.is_empty() && !text.contains(char::is_whitespace) && !is_one_of(&VALUED, text)
}

/// Whether what stands after that colon is a directive. Otherwise it is the value of one that is not known here, and
/// what came before goes on.
fn is_directive(text: &str) -> bool {
    match text.split_once(':') {
        Some((directive, _)) => is_one_of(&VALUED, directive.trim()),
        None => is_one_of(&PLAIN, text.trim()),
    }
}

fn is_one_of(directives: &[&str], text: &str) -> bool {
    directives.iter().any(|directive| directive.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        let check = |values: &[&str], expect: Option<&str>| {
            let headers = values
                .iter()
                .map(|value| (http::HeaderName::from_static("x-robots-tag"), value.parse().unwrap()));
            let found = signals(&headers.collect(), ConsentPlace::Header, None);
            assert_eq!(found.first().map(|signal| signal.value.as_str()), expect, "{values:?}");
        };
        check(&[], None);
        check(&["noindex, nofollow"], None);
        check(&["noai"], Some("noai"));
        check(&["noindex", "NoImageAI"], Some("noimageai"));
        check(&["noindex, noai"], Some("noai"));
        check(&["otherbot: noai, noimageai"], None);
        check(&["otherbot: noai", "noai"], Some("noai"));
        check(&["pixcrawler: noai"], Some("noai"));
        check(&["PixCrawler : noindex, noimageai"], Some("noimageai"));
        check(&["*: noai"], Some("noai"));
        check(&["otherbot: noai, pixcrawler: noimageai"], Some("noimageai"));
        check(&["pixcrawler: noindex, otherbot: noai"], None);
        check(&["unavailable_after: 25 Jun 2010 15:00:00 PST, noai"], Some("noai"));
        check(&["unavailable_after: Friday, 25-Jun-10 15:00:00 UTC, noai"], Some("noai"));
        check(&["max-snippet: 5, noai"], Some("noai"));
        check(&["foo: 5, noai"], Some("noai"));
        check(&["max-foo-preview: large, noai"], Some("noai"));
        check(&["foo:, noai"], Some("noai"));
        check(&["otherbot: max-snippet: 5, noai"], None);
        check(&["otherbot: unavailable_after: 25 Jun 2010 15:00:00 PST, noai"], None);
        check(&["otherbot: noindex, foo: 5, noai"], None);
        check(&["otherbot: NoIndex, noai"], None);
        check(&["otherbot: noindex, pixcrawler: foo, noai"], Some("noai"));
        check(&["noaix, xnoai"], None);
        check(&[",:,"], None);
    }

    proptest::proptest! {
        #[test]
        fn any_tag_is_read(tag: Vec<u8>) {
            if let Ok(value) = http::HeaderValue::from_bytes(&tag) {
                let headers = HeaderMap::from_iter([(http::HeaderName::from_static("x-robots-tag"), value)]);
                let _ = signals(&headers, ConsentPlace::Header, None);
            }
        }
    }
}
