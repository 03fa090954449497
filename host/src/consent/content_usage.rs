//! Preferences: `Content-Usage` by the AI preferences of the IETF (draft-ietf-aipref-vocab and -attach), which is a
//! dictionary of structured fields (RFC 9651), and `Content-Signal` in robots.txt, which looks like one but has no
//! grammar.

use http::HeaderMap;
use sfv::{BareItem, Dictionary, Item, ListEntry, Parser};

use crate::model::{ConsentMeaning, ConsentPlace, ConsentSignal, ConsentVocabulary};

/// What the header says. Of a field that comes in several lines the lines are one (RFC 9651, 4.2).
pub(super) fn in_header(
    headers: &HeaderMap,
    place: ConsentPlace,
    url: Option<&str>,
) -> Option<ConsentSignal> {
    let lines: Vec<&[u8]> = headers.get_all("content-usage").iter().map(|line| line.as_bytes()).collect();
    let value = (!lines.is_empty()).then(|| lines.join(&b", "[..]))?;
    let vocabulary = ConsentVocabulary::ContentUsage;
    let meaning = meaning(vocabulary, &value);
    Some(ConsentSignal::new(vocabulary, place, url, &String::from_utf8_lossy(&value), meaning))
}

/// What a statement says of training. Categories that are not known, and values that are neither yes nor
/// no, say nothing; nor does what is no dictionary.
pub(super) fn meaning(vocabulary: ConsentVocabulary, statement: &[u8]) -> ConsentMeaning {
    if vocabulary == ConsentVocabulary::ContentSignal {
        return of_signal(&String::from_utf8_lossy(statement));
    }
    let Ok(statement) = Parser::new(statement).parse::<Dictionary>() else {
        return ConsentMeaning::Unreadable;
    };
    match statement.get("train-ai") {
        Some(ListEntry::Item(Item { bare_item: BareItem::Token(value), .. })) => match value.as_str() {
            "y" => ConsentMeaning::Allowed,
            "n" => ConsentMeaning::Reserved,
            _ => ConsentMeaning::Noted,
        },
        _ => ConsentMeaning::Noted,
    }
}

/// The same of `Content-Signal`, as people write it: in any case, and with space and commas anywhere. Of several
/// values the one that reserves counts.
fn of_signal(statement: &str) -> ConsentMeaning {
    if !statement.trim().is_empty() && !statement.contains('=') {
        return ConsentMeaning::Unreadable;
    }
    let pairs = statement.split(',').filter_map(|pair| pair.split_once('='));
    let mut meaning = ConsentMeaning::Noted;
    for (_, value) in pairs.filter(|(category, _)| category.trim().eq_ignore_ascii_case("ai-train")) {
        // Parameters mean nothing.
        let value = value.split(';').next().unwrap_or_default().trim();
        if value.eq_ignore_ascii_case("no") {
            return ConsentMeaning::Reserved;
        }
        if value.eq_ignore_ascii_case("yes") {
            meaning = ConsentMeaning::Allowed;
        }
    }
    meaning
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_drafts() {
        use ConsentMeaning::{Allowed, Noted, Reserved, Unreadable};
        for (statement, expect) in [
            // draft-ietf-aipref-attach, 1.2, and -vocab, 6.
            ("train-ai=n", Reserved),
            ("train-ai=y, search=n", Allowed),
            // 6.5.1 and 6.5.2.
            ("train-ai=y, train-ai, search=n, search=\"n\"", Noted),
            ("train-ai;allow=n, train-ai=y", Allowed),
            ("train-ai;has;parameters=\"?\";", Unreadable),
            ("train-ai;has;parameters=\"?\"", Noted),
            ("train-ai=n;until=never", Reserved),
            // What is not known is no error; what is no dictionary says nothing.
            ("search=n", Noted),
            ("train-genai=n, bots=n", Noted),
            ("train-ai=no", Noted),
            ("train-ai=?0", Noted),
            ("train-ai=(n)", Noted),
            ("", Noted),
            ("Train-AI=n", Unreadable),
            ("train-ai=n,", Unreadable),
            ("train-ai: n", Unreadable),
            ("train-ai=n train-ai=n", Unreadable),
            ("träin-ai=n", Unreadable),
        ] {
            let found = meaning(ConsentVocabulary::ContentUsage, statement.as_bytes());
            assert_eq!(found, expect, "{statement}");
        }
        for (statement, expect) in [
            ("search=yes, ai-train=no", Reserved),
            ("search=yes,ai-train=yes", Allowed),
            ("ai-input=no", Noted),
            ("Search=yes, AI-train=no", Reserved),
            ("ai-train = no", Reserved),
            ("ai-train=No", Reserved),
            ("search=yes, ai-train=no,", Reserved),
            ("ai-train=no;until=never", Reserved),
            ("(, ai-train=no", Reserved),
            ("ai-train=no, ai-train=yes", Reserved),
            ("AI-Train = YES ,", Allowed),
            ("ai-train=maybe, xai-train=no", Noted),
            ("", Noted),
            ("ai-train: no", Unreadable),
        ] {
            assert_eq!(
                meaning(ConsentVocabulary::ContentSignal, statement.as_bytes()),
                expect,
                "{statement}"
            );
        }
    }

    #[test]
    fn lines_of_a_header_are_one() {
        let check = |lines: &[&str], expect: Option<(&str, ConsentMeaning)>| {
            let name = http::HeaderName::from_static("content-usage");
            let headers = lines.iter().map(|line| (name.clone(), line.parse().unwrap())).collect();
            let found = in_header(&headers, ConsentPlace::Header, None);
            assert_eq!(found.as_ref().map(|found| (&*found.value, found.meaning)), expect, "{lines:?}");
        };
        check(&[], None);
        check(&["search=y", "train-ai=n"], Some(("search=y, train-ai=n", ConsentMeaning::Reserved)));
        check(&["train-ai=n", "train-ai=y"], Some(("train-ai=n, train-ai=y", ConsentMeaning::Allowed)));
        check(&["nonsense ("], Some(("nonsense (", ConsentMeaning::Unreadable)));
    }

    proptest::proptest! {
        #[test]
        fn any_statement_is_read(
            noise: Vec<u8>,
            likely in "((train-ai|search|\\*|a)(=(y|n|yes|\"n\"|1|\\(n y\\)|:bg==:))?(;a(=1)?)?,? ?){0,9}",
        ) {
            for statement in [&noise[..], likely.as_bytes()] {
                let _ = meaning(ConsentVocabulary::ContentUsage, statement);
                let _ = meaning(ConsentVocabulary::ContentSignal, statement);
            }
        }
    }
}
