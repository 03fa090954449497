//! Lines of JSON, and what other tools write there that is none.

use std::borrow::Cow;

use pixcrawler_sdk::json;
use serde_json::value::RawValue;

/// The value in a line: the line as it stands, else without the comma behind it and the bracket of an array
/// around all lines, and with `null` for words such as `NaN`. None where that is no JSON either.
#[must_use]
pub(crate) fn value(line: &str) -> Option<Cow<'_, str>> {
    let line = json::mend(line.trim());
    if is_value(&line) {
        return Some(line);
    }
    let text = words(line.trim_matches([',', ' ', '\t']));
    let opened = text.strip_prefix('[');
    let rests =
        [Some(&*text), opened, text.strip_suffix(']'), opened.and_then(|text| text.strip_suffix(']'))];
    rests.into_iter().flatten().find(|rest| is_value(rest)).map(|rest| Cow::Owned(rest.to_owned()))
}

/// Whether nothing but the brackets of an array around all lines stands there.
#[must_use]
pub(crate) fn is_bracket(line: &str) -> bool {
    line.trim_matches(['[', ']', ',', ' ', '\t']).is_empty()
}

fn is_value(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

/// The text with words of JSON in the place of those that Python and others write: `NaN`, `-Infinity`, `True`.
fn words(text: &str) -> String {
    let mut mended = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = match c {
            '"' => string(rest),
            '-' | '.' | '_' | '0'..='9' | 'a'..='z' | 'A'..='Z' => {
                let is_part = |c: char| c.is_ascii_alphanumeric() || "+-._".contains(c);
                rest.find(|c| !is_part(c)).unwrap_or(rest.len())
            }
            _ => c.len_utf8(),
        };
        let (word, behind) = rest.split_at(length);
        let is_number = word.trim_start_matches('-').starts_with(|c: char| c.is_ascii_digit());
        mended.push_str(match c {
            _ if is_number || !(c.is_ascii_alphabetic() || "-._".contains(c)) => word,
            _ if word.eq_ignore_ascii_case("true") => "true",
            _ if word.eq_ignore_ascii_case("false") => "false",
            _ => "null",
        });
        rest = behind;
    }
    mended
}

/// The length of the text in quotes at the start.
fn string(text: &str) -> usize {
    let mut is_escaped = false;
    let end = text.bytes().skip(1).position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    });
    end.map_or(text.len(), |end| end + 2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values() {
        for (line, expect) in [
            (r#" {"a": 1} "#, Some(r#"{"a": 1}"#)),
            (
                r#"{"a": NaN, "b": [-Infinity, 1e999, -1.5E+3]},"#,
                Some(r#"{"a": null, "b": [null, 1e999, -1.5E+3]}"#),
            ),
            (
                r#"{"a": True, "b": None, "c": nan, "d\" NaN": "NaN"}"#,
                Some(r#"{"a": true, "b": null, "c": null, "d\" NaN": "NaN"}"#),
            ),
            (r#"["a","#, Some(r#""a""#)),
            (r#"["a"]"#, Some(r#"["a"]"#)),
            (r#"{"a": [1]}],"#, Some(r#"{"a": [1]}"#)),
            (r#"[{"a": inf}]"#, Some(r#"[{"a": null}]"#)),
            (r#", {"a": 1}]"#, Some(r#"{"a": 1}"#)),
            ("null", Some("null")),
            (r"\N", None),
            ("{", None),
            (r#"{"a": "b"#, None),
            (r#"{'a': 1}"#, None),
            ("", None),
        ] {
            assert_eq!(value(line).as_deref(), expect, "{line}");
        }
        assert!(["[", "],", " , ", "[]"].into_iter().all(is_bracket) && !is_bracket("[{"));
    }

    proptest! {
        #[test]
        fn what_is_json_stays(text in r#"[\[\]{}",:\\ a-zN0-9.+é-]{0,40}"#) {
            let found = value(&text);
            if is_value(&text) {
                prop_assert_eq!(found.as_deref(), Some(text.trim()));
                prop_assert_eq!(&words(&text), &text);
            }
            prop_assert!(found.is_none_or(|found| is_value(&found)));
        }
    }
}
