//! Reading HTML as browsers do (the tokenizer of the HTML standard), as far as finding links
//! and pictures needs it: tags with attributes and text, in the order of the document. No
//! tree is built. Any text at all can be read; what is broken is skipped. U+0000 stays as it is.
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

use entity::{Place, replace};

mod address;
pub(crate) mod entity;
pub mod picture;
mod pictures;
mod referrer;
mod style;
mod text;

pub use entity::decode;
pub use pictures::{LeftOut, Pictures, complete};
pub use text::text;

/// The tags and texts of a document, in order.
#[must_use]
pub const fn tokens(html: &str) -> Tokens<'_> {
    Tokens { html, at: 0, raw: None, drawings: 0, is_xml: false, closing: None }
}

/// Those of a document that is XML (`application/xhtml+xml`): every element may close itself, and CDATA is text.
#[must_use]
pub const fn xhtml(html: &str) -> Tokens<'_> {
    Tokens { is_xml: true, ..tokens(html) }
}

/// A piece of a document. Comments and declarations are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A start tag; void ones have no end tag.
    Open(Tag<'a>),
    /// The name in an end tag, as written; follows at once where an element closes itself.
    Close(&'a str),
    /// Text; an element's text may come in several pieces.
    Text(Text<'a>),
}

/// A piece of text; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text<'a> {
    /// As written.
    pub raw: &'a str,
    /// Whether references mean nothing in it: in `script`, `style` and the like, in CDATA.
    pub is_data: bool,
    place: Place,
}

impl<'a> Text<'a> {
    pub(crate) const fn new(raw: &'a str, place: Place) -> Self {
        Self { raw, is_data: false, place }
    }

    pub(crate) const fn data(raw: &'a str) -> Self {
        Self { raw, is_data: true, place: Place::Text }
    }

    /// What it means. References to entities that a document of XML declares stay as written.
    #[must_use]
    pub fn decode(&self) -> Cow<'a, str> {
        if self.is_data { Cow::Borrowed(self.raw) } else { replace(self.raw, self.place) }
    }
}

/// A start tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag<'a> {
    /// As written.
    pub name: &'a str,
    attributes: &'a str,
    place: Place,
}

impl<'a> Tag<'a> {
    /// The tag whose name is followed by `rest`, and where in `rest` its `>` is;
    /// `None` for one that the document's end cuts off.
    pub(crate) fn read(name: &'a str, rest: &'a str, place: Place) -> Option<(Self, usize)> {
        let mut attributes = Attributes { text: rest, at: 0, closed: false };
        attributes.by_ref().for_each(drop);
        let end = attributes.at;
        attributes.closed.then(|| (Self { name, attributes: &rest[..end], place }, end))
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
        let (_, value) = self.raw().find(|(key, _)| key.eq_ignore_ascii_case(name))?;
        Some(replace(value, self.place))
    }

    /// All attributes in order: names as written, values decoded. Cheaper than
    /// to [`get`](Self::get) many of them. Of several with one name the first counts.
    pub fn attributes(&self) -> impl Iterator<Item = (&'a str, Cow<'a, str>)> + use<'a> {
        let place = self.place;
        self.raw().map(move |(name, value)| (name, replace(value, place)))
    }

    const fn raw(&self) -> Attributes<'a> {
        Attributes { text: self.attributes, at: 0, closed: false }
    }

    fn closes_itself(&self) -> bool {
        self.attributes.ends_with('/')
    }
}

/// See [`tokens`].
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    html: &'a str,
    at: usize,
    /// The element whose content is text up to its own end tag.
    raw: Option<(&'a str, Raw)>,
    /// Elements that are open whose content is a drawing or a formula, by XML's rules.
    drawings: usize,
    /// All is read by XML's rules.
    is_xml: bool,
    /// The name of the element before, which closed itself.
    closing: Option<&'a str>,
}

/// How an element's content is read that is text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Raw {
    /// With references.
    Words,
    Data,
    /// May hold end tags of its own in what looks like a comment.
    Script,
    /// Up to the document's end.
    Rest,
}

/// As browsers read it that run no scripts: `noscript` holds markup.
const RAW: [(&str, Raw); 9] = [
    ("script", Raw::Script),
    ("style", Raw::Data),
    ("title", Raw::Words),
    ("textarea", Raw::Words),
    ("iframe", Raw::Data),
    ("noembed", Raw::Data),
    ("noframes", Raw::Data),
    ("xmp", Raw::Data),
    ("plaintext", Raw::Rest),
];

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        if let Some(name) = self.closing.take() {
            return Some(Token::Close(name));
        }
        loop {
            let rest = self.html.get(self.at..).filter(|rest| !rest.is_empty())?;
            let raw = self.raw.take();
            let length = match raw {
                Some((name, raw)) => raw_length(rest, name, raw),
                None => text_length(rest),
            };
            if length > 0 {
                self.at += length;
                let text = &rest[..length];
                return Some(Token::Text(match raw {
                    None | Some((_, Raw::Words)) => Text::new(text, Place::Text),
                    // In XML that has references unless it is CDATA.
                    _ if self.is_xml && !text.contains("<![CDATA[") => Text::new(text, Place::Text),
                    Some(_) => Text::data(text),
                }));
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
        if rest.starts_with("<!--") {
            self.at += comment_length(rest);
            return None;
        }
        let by_xml = self.is_xml || self.drawings > 0;
        if let Some(data) = rest.strip_prefix("<![CDATA[").filter(|_| by_xml) {
            let length = data.find("]]>").unwrap_or(data.len());
            self.at = (self.at + 9 + length + 3).min(self.html.len());
            return (length > 0).then(|| Token::Text(Text::data(&data[..length])));
        }
        let closes = rest.starts_with("</");
        let from = 1 + usize::from(closes);
        let name = name(&rest[from..]);
        if name.is_empty() {
            // Some declaration, or a comment to browsers.
            self.at += rest.find('>').map_or(rest.len(), |at| at + 1);
            return None;
        }
        let from = from + name.len();
        let Some((tag, end)) = Tag::read(name, &rest[from..], Place::Attribute) else {
            // A tag that the document's end cuts off is no tag.
            self.at = self.html.len();
            return None;
        };
        self.at += from + end + 1;
        let is_drawing = tag.is("svg") || tag.is("math");
        if closes {
            self.drawings = self.drawings.saturating_sub(usize::from(is_drawing));
            return Some(Token::Close(name));
        }
        if tag.closes_itself() && (is_drawing || by_xml) {
            // Elsewhere the slash means nothing.
            self.closing = Some(name);
            return Some(Token::Open(tag));
        }
        self.drawings += usize::from(is_drawing);
        self.raw = RAW.into_iter().find(|(raw, _)| tag.is(raw)).map(|(_, raw)| (name, raw));
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

/// The length of the comment at the start of `rest`, which ends with `-->` or `--!>`.
fn comment_length(rest: &str) -> usize {
    // The opening dashes may be the closing ones as well: `<!-->` is a whole comment.
    let dashes = rest.as_bytes().windows(2).enumerate().skip(2).filter(|(_, pair)| pair == b"--");
    let mut ends = dashes.filter_map(|(at, _)| match rest.as_bytes().get(at + 2..)? {
        [b'>', ..] => Some(at + 3),
        [b'!', b'>', ..] if at >= 4 => Some(at + 4),
        _ => None,
    });
    ends.next().unwrap_or(rest.len())
}

/// The length of the text before the next markup. A `<` that begins none is text.
fn text_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let begins = |at: &usize| match bytes.get(at + 1) {
        Some(b'!' | b'?') => true,
        Some(b'/') => at + 2 < bytes.len(),
        next => next.is_some_and(u8::is_ascii_alphabetic),
    };
    rest.match_indices('<').map(|(at, _)| at).find(begins).unwrap_or(bytes.len())
}

/// The length of the text before the end tag of the element of that name, or all of it.
fn raw_length(rest: &str, name: &str, raw: Raw) -> usize {
    if raw == Raw::Rest {
        return rest.len();
    }
    // Of a script: how far into `<!-- <script> </script> -->` it is.
    let (mut in_comment, mut in_script) = (false, false);
    let tag = |at: usize, name: &str| {
        let end = at + name.len();
        let is_it = rest.get(at..end).is_some_and(|found| found.eq_ignore_ascii_case(name));
        is_it && rest.as_bytes().get(end).is_some_and(|&byte| matches!(byte, b'/' | b'>') || is_space(byte))
    };
    let mut until = 0;
    for (at, mark) in rest.bytes().enumerate().filter(|(_, byte)| matches!(byte, b'<' | b'>')) {
        let behind = &rest[at + 1..];
        match mark {
            b'<' if raw == Raw::Script && !in_comment && behind.starts_with("!--") => {
                in_comment = true;
                // Its dashes may be the closing ones as well.
                until = at + 2;
            }
            b'<' if in_comment && !in_script && tag(at + 1, "script") => in_script = true,
            b'<' if behind.starts_with('/') && tag(at + 2, name) => {
                if !in_script {
                    return at;
                }
                in_script = false;
            }
            b'>' if in_comment && at >= until + 2 && rest[..at].ends_with("--") => {
                (in_comment, in_script) = (false, false);
            }
            _ => {}
        }
    }
    rest.len()
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
