//! JSON as Baidu writes it.

use std::borrow::Cow;

/// The text as JSON proper: without the backslash before what needs none (`\'`),
/// and with spaces in the place of control characters, which stand unescaped in titles.
pub(crate) fn mend(text: &str) -> Cow<'_, str> {
    if !text.contains(|c: char| c == '\\' || c < ' ') {
        return Cow::Borrowed(text);
    }
    let mut mended = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match (c, characters.peek()) {
            ('\\', Some(&next @ ('"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' | 'u'))) => {
                mended.extend(['\\', next]);
                characters.next();
            }
            ('\\', _) => {}
            (c, _) => mended.push(if c < ' ' { ' ' } else { c }),
        }
    }
    Cow::Owned(mended)
}

#[cfg(test)]
mod tests {
    use super::mend;

    #[test]
    fn what_is_wrong_is_mended_and_nothing_else() {
        for (text, expect) in [
            (r#"{"a": "b"}"#, r#"{"a": "b"}"#),
            (r#"{"a": "it\'s"}"#, r#"{"a": "it's"}"#),
            (r#"{"a": "\"\\\/\n\u00fc"}"#, r#"{"a": "\"\\\/\n\u00fc"}"#),
            (r#"{"a": "\\'\\\'"}"#, r#"{"a": "\\'\\'"}"#),
            ("{\"a\": \"b\tc\nd\"}\r\n", "{\"a\": \"b c d\"}  "),
            ("\\", ""),
        ] {
            assert_eq!(mend(text), expect);
        }
    }
}
