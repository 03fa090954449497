//! The TDM Reservation Protocol: text and data mining, reserved or not, in a header or in
//! `/.well-known/tdmrep.json`. What pages say by it is read by `page`.

use http::HeaderMap;
use serde_json::Value;

use super::robots_txt::PathPattern;
use crate::model::{ConsentMeaning, ConsentPlace, ConsentSignal, ConsentVocabulary};

/// Most bytes of a tdmrep.json, as of a robots.txt.
pub const MAX_TDMREP_BYTES: usize = 500 << 10;
/// Longest address of a policy, in bytes.
const LONGEST_POLICY: usize = 2048;

/// The rules of a site in their order, of which the first that fits an address decides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TdmRules {
    rules: Vec<TdmRule>,
    /// It is JSON and no list of rules.
    is_unreadable: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct TdmRule {
    location: PathPattern,
    reservation: String,
    policy: Option<String>,
}

impl TdmRules {
    /// Reads a tdmrep.json. What is no JSON, such as the page of a site that answers so to everything, is
    /// none; entries without location and reservation are passed over.
    #[must_use]
    pub fn parse(file: &[u8]) -> Self {
        let file = file.strip_prefix(b"\xef\xbb\xbf").unwrap_or(file);
        let rules = match serde_json::from_slice(file) {
            Ok(Value::Array(rules)) => rules,
            Ok(_) => return Self { is_unreadable: true, ..Self::default() },
            Err(_) => {
                let is_list = file.trim_ascii_start().first() == Some(&b'[');
                return Self { is_unreadable: is_list, ..Self::default() };
            }
        };
        let rules = rules.into_iter().filter_map(|rule| {
            let location = PathPattern::new(rule.get("location")?.as_str()?.as_bytes());
            let reservation = match rule.get("tdm-reservation")? {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let policy = rule.get("tdm-policy").and_then(Value::as_str).and_then(policy);
            Some(TdmRule { location, reservation, policy })
        });
        Self { rules: rules.collect(), is_unreadable: false }
    }

    /// What it says of this path and query; `file` is its own address.
    #[must_use]
    pub fn signal(&self, path: &str, file: &str) -> Option<ConsentSignal> {
        if self.is_unreadable {
            return Some(ConsentSignal::new(
                ConsentVocabulary::TdmReservation,
                ConsentPlace::TdmrepJson,
                Some(file),
                "no list of rules",
                ConsentMeaning::Unreadable,
            ));
        }
        let path = PathPattern::path(path);
        let rule = self.rules.iter().find(|rule| rule.location.matches(&path))?;
        Some(signal(&rule.reservation, rule.policy.clone(), ConsentPlace::TdmrepJson, Some(file)))
    }

    /// How many rules there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are no rules.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// About the bytes that they take in memory.
    #[must_use]
    pub fn weight(&self) -> usize {
        const EACH: usize = size_of::<TdmRule>() + 48;
        let policy = |rule: &TdmRule| rule.policy.as_ref().map_or(0, String::len);
        self.rules
            .iter()
            .map(|rule| rule.location.weight() + rule.reservation.len() + policy(rule) + EACH)
            .sum()
    }
}

/// What a header says. Of several lines one that reserves counts, else the first.
pub(super) fn in_header(
    headers: &HeaderMap,
    place: ConsentPlace,
    url: Option<&str>,
) -> Option<ConsentSignal> {
    let lines = |name: &'static str| {
        headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()))
    };
    let policy = lines("tdm-policy").find_map(|address| policy(&address));
    let reserving = lines("tdm-reservation").find(|reservation| reservation.trim() == "1");
    let reservation = reserving.or_else(|| lines("tdm-reservation").next())?;
    Some(signal(&reservation, policy, place, url))
}

/// A reservation: 1 or 0. Other values are errors, and leave it unset.
pub(super) fn signal(
    reservation: &str,
    policy: Option<String>,
    place: ConsentPlace,
    url: Option<&str>,
) -> ConsentSignal {
    let meaning = match reservation.trim() {
        "1" => ConsentMeaning::Reserved,
        "0" => ConsentMeaning::Allowed,
        _ => ConsentMeaning::Unreadable,
    };
    // Without a reservation there is nothing to be had.
    let policy = policy.filter(|_| meaning == ConsentMeaning::Reserved);
    let signal = ConsentSignal::new(ConsentVocabulary::TdmReservation, place, url, reservation, meaning);
    ConsentSignal { policy, ..signal }
}

/// The address of a policy, where it is one.
pub(super) fn policy(address: &str) -> Option<String> {
    let address = url::Url::parse(address.trim()).ok()?;
    let is_sound = matches!(address.scheme(), "http" | "https") && address.as_str().len() <= LONGEST_POLICY;
    is_sound.then(|| address.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the file says of a path: the reservation, and the policy.
    fn said(file: &str, path: &str) -> Option<(String, Option<String>)> {
        let signal =
            TdmRules::parse(file.as_bytes()).signal(path, "https://a.test/.well-known/tdmrep.json")?;
        Some((signal.value, signal.policy))
    }

    #[test]
    fn the_examples_of_the_protocol() {
        let reserved = Some(("1".to_owned(), None));
        let everything = r#"[ { "location": "/", "tdm-reservation": 1 } ]"#;
        assert_eq!(said(everything, "/a/b.jpg?c"), reserved);
        let groups = r#"[
            { "location": "/directory-a/", "tdm-reservation": 1 },
            { "location": "/directory-b/html/", "tdm-reservation": 1,
              "tdm-policy": "https://provider.com/policies/policy.json" },
            { "location": "/directory-b/images/*.jpg", "tdm-reservation": 0 }
        ]"#;
        assert_eq!(said(groups, "/directory-a/x.pdf"), reserved);
        let policy = Some("https://provider.com/policies/policy.json".to_owned());
        assert_eq!(said(groups, "/directory-b/html/a"), Some(("1".to_owned(), policy)));
        assert_eq!(said(groups, "/directory-b/images/a.jpg"), Some(("0".to_owned(), None)));
        assert_eq!(said(groups, "/directory-b/images/a.png"), None);
        assert_eq!(said(groups, "/directory-c/"), None);
        // The first in sequence, signs, and escapes.
        let order =
            r#"[{ "location": "/a", "tdm-reservation": 0 }, { "location": "/a/b", "tdm-reservation": 1 }]"#;
        assert_eq!(said(order, "/a/b"), Some(("0".to_owned(), None)));
        let exactly = r#"[{ "location": "/this/*/exactly$", "tdm-reservation": 1 }]"#;
        assert_eq!(said(exactly, "/this/path/exactly"), reserved);
        assert_eq!(said(exactly, "/this/path/exactly/not"), None);
        let sign = r#"[{ "location": "/path/foo-%24", "tdm-reservation": 1 }]"#;
        assert_eq!(said(sign, "/path/foo-$"), reserved);
    }

    #[test]
    fn what_breaks_the_protocol_reserves_nothing() {
        let meaning = |file: &str| {
            TdmRules::parse(file.as_bytes()).signal("/a", "https://a.test/x").map(|signal| signal.meaning)
        };
        for nothing in [
            "",
            "<html>",
            "[]",
            "[1, null, {}]",
            r#"[{ "location": "/" }]"#,
            r#"[{ "tdm-reservation": 1 }]"#,
            r#"[{ "location": 1, "tdm-reservation": 1 }]"#,
        ] {
            assert_eq!(meaning(nothing), None, "{nothing}");
        }
        for unreadable in [
            r#"{ "location": "/", "tdm-reservation": 1 }"#,
            r#"[{ "location": "/", "tdm-reservation": 1 },]"#,
            r#"[{ "location": "/", "tdm-reservation": 2 }]"#,
            r#"[{ "location": "/", "tdm-reservation": true }]"#,
        ] {
            assert_eq!(meaning(unreadable), Some(ConsentMeaning::Unreadable), "{unreadable}");
        }
        // Written as in a header.
        let text = r#"[{ "location": "/", "tdm-reservation": "1", "tdm-policy": "javascript:x" }]"#;
        assert_eq!(said(text, "/a"), Some(("1".to_owned(), None)));
        let nested = "[".repeat(100_000);
        assert_eq!(meaning(&nested), Some(ConsentMeaning::Unreadable));
    }

    #[test]
    fn headers() {
        let check = |fields: &[(&'static str, &str)], expect: Option<(ConsentMeaning, Option<&str>)>| {
            let name = http::HeaderName::from_static;
            let mut headers = HeaderMap::new();
            for (field, value) in fields {
                headers.append(name(field), value.parse().unwrap());
            }
            let found = in_header(&headers, ConsentPlace::Header, None);
            let found = found.as_ref().map(|found| (found.meaning, found.policy.as_deref()));
            assert_eq!(found, expect, "{fields:?}");
        };
        let policy = "https://provider.com/policies/policy.json";
        check(&[], None);
        check(&[("tdm-policy", policy)], None);
        check(&[("tdm-reservation", "1")], Some((ConsentMeaning::Reserved, None)));
        let both = [("tdm-reservation", "1"), ("tdm-policy", policy)];
        check(&both, Some((ConsentMeaning::Reserved, Some(policy))));
        check(&[("tdm-reservation", "0"), ("tdm-policy", policy)], Some((ConsentMeaning::Allowed, None)));
        // Several lines, in any order.
        for lines in [["0", "1"], ["1", "0"], ["maybe", "1"]] {
            let fields = lines.map(|line| ("tdm-reservation", line));
            check(&fields, Some((ConsentMeaning::Reserved, None)));
        }
        let lines = [("tdm-reservation", "0"), ("tdm-reservation", "maybe")];
        check(&lines, Some((ConsentMeaning::Allowed, None)));
        for broken in ["", "2", "yes", "1, 0"] {
            check(&[("tdm-reservation", broken)], Some((ConsentMeaning::Unreadable, None)));
        }
    }

    proptest::proptest! {
        #[test]
        fn any_file_is_read(
            noise: Vec<u8>,
            likely in "\\[?(\\{ ?(\"(location|tdm-reservation|tdm-policy)\": ?(\"/?(\\*|\\$|%|a){0,3}\"|0|1|null|\\[\\]),? ?){0,3}\\},? ?){0,4}\\]?",
            path in "/(a|\\*|%|\\$|\\?){0,9}",
        ) {
            for file in [&noise[..], likely.as_bytes()] {
                let _ = TdmRules::parse(file).signal(&path, "https://a.test/x");
            }
        }
    }
}
