//! Text for a terminal or a log, in which nothing is hidden: what plugins, sites and users wrote
//! may hold characters that turn the direction of what follows, or that take no room.

use std::{borrow::Cow, fmt::Write as _};

/// The text with each character that deceives the eye written as JSON escapes it, so that JSON
/// says the same as before.
pub(super) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(deceives) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if deceives(c) {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a string does not fail.
                let _ = write!(shown, "\\u{unit:04x}");
            }
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Whether it is not seen itself but changes what is seen: marks, embeddings and isolates of
/// direction, joiners and spaces without width, separators of lines, tags.
const fn deceives(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_shown_and_json_says_the_same() {
        assert!(matches!(visible("öffentlich, 漢字, \u{1f98a}\n"), Cow::Borrowed(_)));
        assert_eq!(visible("gpj.\u{202e}exe\u{200b}"), "gpj.\\u202eexe\\u200b");
        let json = serde_json::json!("a\u{2028}b\u{e0041}c\u{2067}").to_string();
        let shown = visible(&json);
        assert!(shown.is_ascii(), "{shown}");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), "a\u{2028}b\u{e0041}c\u{2067}");
    }
}
