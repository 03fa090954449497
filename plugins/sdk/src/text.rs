//! Texts of a site: words that are shown beside a picture, and tokens to ask with.

use crate::{Error, Result};

/// The text on one line, cut to `longest` characters; none if there is nothing.
#[must_use]
pub fn line(text: &str, longest: usize) -> Option<String> {
    let mut line = String::new();
    let mut room = longest;
    for word in text.split_whitespace() {
        if !line.is_empty() {
            if room < 2 {
                break;
            }
            line.push(' ');
            room -= 1;
        }
        let end = word.char_indices().nth(room).map_or(word.len(), |(end, _)| end);
        line.push_str(&word[..end]);
        room -= word[..end].chars().count();
    }
    (!line.is_empty()).then_some(line)
}

/// Bytes of a token; no site has one as long.
const LONGEST_TOKEN: usize = 2_000;

/// What a site gives to ask with next (a token, a cursor), for the state and for an address.
///
/// # Errors
///
/// `layout-changed` when it has more than 2 000 bytes.
pub fn token(text: &str) -> Result<String> {
    match text.len() {
        0..=LONGEST_TOKEN => Ok(text.to_owned()),
        bytes => Err(Error::LayoutChanged(format!(
            "what to ask with next has {bytes} bytes, more than {LONGEST_TOKEN}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        for (text, longest, expect) in [
            ("", 9, None),
            (" \n\t", 9, None),
            ("a", 0, None),
            (" red\n  fox ", 9, Some("red fox")),
            ("grüne Füchse", 8, Some("grüne Fü")),
            ("red fox", 3, Some("red")),
            ("red fox", 4, Some("red")),
        ] {
            assert_eq!(line(text, longest).as_deref(), expect, "{text} {longest}");
        }
    }
}
