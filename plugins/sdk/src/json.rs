//! JSON as sites write it.

use std::borrow::Cow;

/// The text with `\ufffd` in the place of every half of a character (`\ud83d` without the other
/// one), which is legal JSON and no text: sites that cut titles by their length write it.
/// [`Response::json`](crate::Response::json) does so, too.
#[must_use]
pub fn mend(text: &str) -> Cow<'_, str> {
    if !text.contains("\\ud") && !text.contains("\\uD") {
        return Cow::Borrowed(text);
    }
    let mut mended = String::new();
    let (mut at, mut copied) = (0, 0);
    while let Some(escape) = text[at..].find('\\') {
        let start = at + escape;
        // Where the escape ends, and whether it is half of a character.
        let (end, is_half) = match (unit(text, start), unit(text, start + UNIT)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => (start + 2 * UNIT, false),
            (Some(0xd800..=0xdfff), _) => (start + UNIT, true),
            // The backslash of `\\u` is not one of an escape that follows.
            _ => (start + if text[start..].starts_with("\\\\") { 2 } else { 1 }, false),
        };
        if is_half {
            mended.push_str(&text[copied..start]);
            mended.push_str("\\ufffd");
            copied = end;
        }
        at = end;
    }
    mended.push_str(&text[copied..]);
    Cow::Owned(mended)
}

/// Bytes of an escape such as `\u00fc`.
const UNIT: usize = 6;

/// The code unit (UTF-16) that is written at that place as an escape.
fn unit(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at + UNIT)?.strip_prefix("\\u")?;
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Answer;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    // This table stands in the tests of every SDK.
    #[test]
    fn halves_of_characters_are_marked() {
        for (json, expect) in [
            (r"\ud800", "\u{fffd}"),
            (r"a\uDC00b", "a\u{fffd}b"),
            (r"\ud83e\udd8a", "🦊"),
            (r"\ud83e\ud83e\udd8a", "\u{fffd}🦊"),
            (r"\udd8a\ud83e", "\u{fffd}\u{fffd}"),
            (r"\\ud800", r"\ud800"),
            (r"\\\ud800", "\\\u{fffd}"),
            (r"\ud800\n", "\u{fffd}\n"),
            (r"ü\ud83dü", "ü\u{fffd}ü"),
        ] {
            let json = format!(r#"{{"{json}": ["{json}"]}}"#);
            let answer = Answer::of("https://example.org/", 200, &json).response().unwrap();
            let read: BTreeMap<String, Vec<String>> = answer.json().unwrap();
            assert_eq!(read, BTreeMap::from([(expect.to_owned(), vec![expect.to_owned()])]), "{json}");
        }
    }

    #[test]
    fn all_else_stays() {
        for text in
            ["", "{}", r#"["\u00fc", "\n"]"#, r"\\udead", "\\", r"\ud", r"\ud83", r"\ud83ü", r"\u+d80"]
        {
            assert_eq!(mend(text), text);
        }
        assert!(matches!(mend(r#"["\u00fc\u2019"]"#), Cow::Borrowed(_)));
    }

    proptest! {
        #[test]
        fn any_text_of_escapes_can_be_read(escapes in r"(\\ud8[0-9a-f]{2}|\\uD[D-F]00|\\u00e9|\\\\|u|d8|é)*") {
            let mended = mend(&escapes);
            prop_assert_eq!(mended.len(), escapes.len());
            let json = format!("\"{mended}\"");
            prop_assert!(serde_json::from_str::<String>(&json).is_ok(), "{}", json);
        }
    }
}
