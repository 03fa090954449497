//! Reading XML as it is found: elements, attributes and text in the order of the
//! document, with CDATA. No tree is built, no entity is expanded but the known
//! characters, and nothing need be well-formed: what is broken is skipped.
//!
//! ```
//! use pixcrawler_sdk::xml::{Token, local, tokens};
//!
//! let document = "<x:map><x:loc>https://example.org/?a=1&amp;b=2</x:loc></x:map>";
//! let mut inside = false;
//! let mut found = Vec::new();
//! for token in tokens(document) {
//!     match token {
//!         Token::Open(tag) => inside = local(tag.name) == "loc",
//!         Token::Close(_) => inside = false,
//!         Token::Text(text) if inside => found.push(text.decode()),
//!         Token::Text(_) => {}
//!     }
//! }
//! assert_eq!(found, ["https://example.org/?a=1&b=2"]);
//! ```

use crate::html::entity::Place;

pub use crate::html::{Tag, Text};

/// The elements and texts of a document, in order.
#[must_use]
pub const fn tokens(xml: &str) -> Tokens<'_> {
    tokens_from(xml, 0)
}

/// Those that begin at that byte, for example at a [`Tokens::offset`], or behind it.
#[must_use]
pub const fn tokens_from(xml: &str, offset: usize) -> Tokens<'_> {
    Tokens { xml, at: offset, closing: None }
}

/// A piece of a document. Comments, instructions and declarations are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A start tag.
    Open(Tag<'a>),
    /// The name in an end tag, as written; follows at once where an element closes itself.
    Close(&'a str),
    /// Text; an element's text may come in several pieces.
    Text(Text<'a>),
}

/// The name without its prefix.
#[must_use]
pub fn local(name: &str) -> &str {
    split(name).1
}

/// Prefix, or an empty text, and the name without it.
#[must_use]
pub fn split(name: &str) -> (&str, &str) {
    name.split_once(':').unwrap_or(("", name))
}

/// See [`tokens`].
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    xml: &'a str,
    at: usize,
    /// The name of the element before, which closed itself.
    closing: Option<&'a str>,
}

impl Tokens<'_> {
    /// The byte behind the last token.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.at
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if let Some(name) = self.closing.take() {
            return Some(Token::Close(name));
        }
        loop {
            let rest = self.xml.get(self.at..).filter(|rest| !rest.is_empty())?;
            let text = text_length(rest);
            if text > 0 {
                self.at += text;
                return Some(Token::Text(Text::new(&rest[..text], Place::Xml)));
            }
            if let Some(token) = self.markup(rest) {
                return Some(token);
            }
        }
    }
}

impl<'a> Tokens<'a> {
    /// Reads what begins with `<` at the start of `rest`; `None` for what is skipped.
    fn markup(&mut self, rest: &'a str) -> Option<Token<'a>> {
        if let Some(data) = rest.strip_prefix("<![CDATA[") {
            // One that is never closed goes on to the end.
            let length = data.find("]]>").unwrap_or(data.len());
            self.at = (self.at + 9 + length + 3).min(self.xml.len());
            return (length > 0).then_some(Token::Text(Text::data(&data[..length])));
        }
        if let Some(length) = passed_over(rest) {
            self.at += length;
            return None;
        }
        if let Some(closing) = rest.strip_prefix("</") {
            self.at += past(rest, ">");
            let name = name(closing);
            return (!name.is_empty()).then_some(Token::Close(name));
        }
        let name = name(&rest[1..]);
        let from = 1 + name.len();
        let Some((tag, end)) = Tag::read(name, &rest[from..], Place::Xml) else {
            // A tag that the document's end cuts off is no tag.
            self.at = self.xml.len();
            return None;
        };
        self.at += from + end + 1;
        self.closing = rest[..from + end].ends_with('/').then_some(name);
        Some(Token::Open(tag))
    }
}

/// The length of the comment, instruction or declaration at the start of `rest`.
fn passed_over(rest: &str) -> Option<usize> {
    match rest.as_bytes() {
        [b'<', b'!', b'-', b'-', ..] => Some(past(rest, "-->")),
        [b'<', b'?', ..] => Some(past(rest, "?>")),
        [b'<', b'!', ..] => {
            // A document type may declare things in brackets.
            let declares = rest.split('>').next().is_some_and(|start| start.contains('['));
            Some(if declares { past_brackets(rest) } else { past(rest, ">") })
        }
        _ => None,
    }
}

/// Where `mark` ends, or the end.
fn past(rest: &str, mark: &str) -> usize {
    rest.find(mark).map_or(rest.len(), |at| at + mark.len())
}

/// Where the `>` behind a closing bracket ends, or the end.
fn past_brackets(rest: &str) -> usize {
    let mut closed = rest.match_indices(']').map(|(at, _)| &rest[at + 1..]);
    let end = closed.find_map(|behind| behind.trim_start().strip_prefix('>'));
    rest.len() - end.map_or(0, str::len)
}

/// The length of the text before the next markup. A `<` that begins none is text.
fn text_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut from = 0;
    while let Some(at) = rest[from..].find('<') {
        let begins = |byte: &u8| byte.is_ascii_alphabetic() || b"/!?_:".contains(byte) || !byte.is_ascii();
        if bytes.get(from + at + 1).is_some_and(begins) {
            return from + at;
        }
        from += at + 1;
    }
    rest.len()
}

/// The name at the start of `rest`.
fn name(rest: &str) -> &str {
    let end = rest.bytes().position(|byte| matches!(byte, b'/' | b'>' | b'<') || byte.is_ascii_whitespace());
    &rest[..end.unwrap_or(rest.len())]
}

#[cfg(test)]
mod tests;
