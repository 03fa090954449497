//! Reading HTML as browsers do, as far as finding links and pictures needs it:
//! tags with attributes, text and entities, in the order of the document. No
//! tree is built. Any text at all can be read; what is broken is skipped.
//!
//! ```
//! use pixcrawler_sdk::html::{Token, tokens};
//!
//! let page = r#"<p>Two: <img src="/a.jpg?w=1&amp;h=2"><IMG SRC=b.jpg>"#;
//! let sources: Vec<_> = tokens(page)
//!     .filter_map(|token| match token {
//!         Token::Open(tag) if tag.is("img") => tag.get("src"),
//!         _ => None,
//!     })
//!     .collect();
//! assert_eq!(sources, ["/a.jpg?w=1&h=2", "b.jpg"]);
//! ```

use std::borrow::Cow;

mod entity;
pub mod picture;
mod text;

pub use entity::decode;
pub use text::text;

/// The tags and texts of a document, in order.
#[must_use]
pub const fn tokens(html: &str) -> Tokens<'_> {
    Tokens { html, at: 0, raw: None }
}

/// A piece of a document. Comments and declarations are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A start tag; void and self-closing ones have no end tag.
    Open(Tag<'a>),
    /// The name in an end tag, as written.
    Close(&'a str),
    /// As written, see [`decode`]; never empty. In `script` and `style`, entities mean nothing.
    Text(&'a str),
}

/// A start tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag<'a> {
    /// As written.
    pub name: &'a str,
    attributes: &'a str,
}

impl<'a> Tag<'a> {
    /// The tag whose name is followed by `rest`, and where in `rest` its `>` is;
    /// `None` for one that the document's end cuts off.
    pub(crate) fn read(name: &'a str, rest: &'a str) -> Option<(Self, usize)> {
        let mut attributes = Attributes { text: rest, at: 0, closed: false };
        attributes.by_ref().for_each(drop);
        let end = attributes.at;
        attributes.closed.then(|| (Self { name, attributes: &rest[..end] }, end))
    }

    /// Whether that is the tag's name, without regard to case.
    #[must_use]
    pub const fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value of the first attribute of that name (without regard to case),
    /// decoded; empty for one without a value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        self.raw().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| decode(value))
    }

    /// All attributes in order: names as written, values decoded. Cheaper than
    /// to [`get`](Self::get) many of them.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> + use<'a> {
        self.raw().map(|(name, value)| (name, decode(value)))
    }

    const fn raw(&self) -> Attributes<'a> {
        Attributes { text: self.attributes, at: 0, closed: false }
    }
}

/// See [`tokens`].
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    html: &'a str,
    at: usize,
    /// The element whose content is text up to its own end tag.
    raw: Option<&'a str>,
}

const RAW: [&str; 6] = ["script", "style", "textarea", "title", "xmp", "iframe"];

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let rest = self.html.get(self.at..).filter(|rest| !rest.is_empty())?;
            let text = match self.raw.take() {
                Some(name) => raw_length(rest, name),
                None => text_length(rest),
            };
            if text > 0 {
                self.at += text;
                return Some(Token::Text(&rest[..text]));
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
        let start = self.at;
        let past =
            |mark: &str, from: usize| rest[from..].find(mark).map_or(rest.len(), |at| from + at + mark.len());
        if rest.starts_with("<!--") {
            // The opening dashes may be the closing ones as well: `<!-->` is a whole comment.
            self.at += past("-->", 2);
            return None;
        }
        if let Some(closing) = rest.strip_prefix("</") {
            self.at += past(">", 0);
            let name = name(closing);
            return (!name.is_empty()).then_some(Token::Close(name));
        }
        let name = name(&rest[1..]);
        if name.is_empty() {
            self.at += past(">", 0);
            return None;
        }
        let from = 1 + name.len();
        let Some((tag, end)) = Tag::read(name, &rest[from..]) else {
            // A tag that the document's end cuts off is no tag.
            self.at = self.html.len();
            return None;
        };
        self.at = start + from + end + 1;
        self.raw = RAW.into_iter().any(|raw| tag.is(raw)).then_some(name);
        Some(Token::Open(tag))
    }
}

/// Attributes as written, from behind a tag's name up to its `>`.
struct Attributes<'a> {
    text: &'a str,
    at: usize,
    /// Whether the `>` was found; `at` is its place then.
    closed: bool,
}

impl<'a> Attributes<'a> {
    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip(&mut self, these: impl Fn(u8) -> bool) {
        while self.byte().is_some_and(&these) {
            self.at += 1;
        }
    }

    /// What stands before the first byte that is one of the (ASCII) `ends`.
    fn until(&mut self, ends: impl Fn(u8) -> bool) -> &'a str {
        let from = self.at;
        self.skip(|byte| !ends(byte));
        &self.text[from..self.at]
    }
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<(&'a str, &'a str)> {
        self.skip(|byte| byte == b'/' || is_space(byte));
        if self.byte()? == b'>' {
            self.closed = true;
            return None;
        }
        let from = self.at;
        // A `=` in first place belongs to the name.
        if self.byte() == Some(b'=') {
            self.at += 1;
        }
        self.until(|byte| matches!(byte, b'/' | b'>' | b'=') || is_space(byte));
        let name = &self.text[from..self.at];
        self.skip(is_space);
        if self.byte() != Some(b'=') {
            return Some((name, ""));
        }
        self.at += 1;
        self.skip(is_space);
        let value = match self.byte() {
            Some(quote @ (b'"' | b'\'')) => {
                self.at += 1;
                let value = self.until(|byte| byte == quote);
                self.byte()?;
                self.at += 1;
                value
            }
            _ => self.until(|byte| byte == b'>' || is_space(byte)),
        };
        Some((name, value))
    }
}

/// The length of the text before the next markup. A `<` that begins none is text.
fn text_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let begins = |at: &usize| {
        bytes[*at] == b'<'
            && bytes.get(at + 1).is_some_and(|&b| b.is_ascii_alphabetic() || b"/!?".contains(&b))
    };
    (0..bytes.len()).find(begins).unwrap_or(bytes.len())
}

/// The length of the text before `</name`, or all of it.
fn raw_length(rest: &str, name: &str) -> usize {
    let bytes = rest.as_bytes();
    let ends = |at: &usize| {
        let Some(tag) = bytes[*at..].strip_prefix(b"</") else { return false };
        tag.get(..name.len()).is_some_and(|found| found.eq_ignore_ascii_case(name.as_bytes()))
            && tag.get(name.len()).is_none_or(|&byte| matches!(byte, b'/' | b'>') || is_space(byte))
    };
    (0..bytes.len()).find(ends).unwrap_or(bytes.len())
}

/// The tag name at the start of `rest`; empty if there is none.
fn name(rest: &str) -> &str {
    if !rest.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return "";
    }
    let end = rest.bytes().position(|byte| matches!(byte, b'/' | b'>') || is_space(byte));
    &rest[..end.unwrap_or(rest.len())]
}

const fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace()
}

#[cfg(test)]
mod tests;
