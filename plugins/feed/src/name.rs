//! Names of elements: which vocabulary a prefix stands for.

use pixcrawler_sdk::xml::{Tag, split};

/// A vocabulary. Those of RSS and Atom are one: feeds mix them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Vocabulary {
    Feed,
    /// Media RSS.
    Media,
    /// Dublin Core.
    Dublin,
    /// `content:encoded`.
    Content,
    /// Creative Commons, in both of its forms.
    Commons,
    Podcast,
    /// Enclosures of RSS 1.0.
    Enclosure,
    Feedburner,
    Other,
}

/// What namespaces have in their address, and the prefix that is used for them where
/// it is not declared.
const KNOWN: [(&str, &str, Vocabulary); 14] = [
    ("search.yahoo.com/mrss", "media", Vocabulary::Media),
    ("purl.org/dc/elements", "dc", Vocabulary::Dublin),
    ("purl.org/rss/1.0/modules/content", "content", Vocabulary::Content),
    ("purl.org/rss/1.0", "rss", Vocabulary::Feed),
    ("w3.org/2005/atom", "atom", Vocabulary::Feed),
    ("purl.org/atom/ns", "atom03", Vocabulary::Feed),
    ("w3.org/1999/02/22-rdf-syntax", "rdf", Vocabulary::Feed),
    ("backend.userland.com/creativecommonsrssmodule", "creativeCommons", Vocabulary::Commons),
    ("cyber.law.harvard.edu/rss/creativecommons", "creativecommons", Vocabulary::Commons),
    ("creativecommons.org/ns", "cc", Vocabulary::Commons),
    ("web.resource.org/cc", "cc10", Vocabulary::Commons),
    ("itunes.com/dtds/podcast", "itunes", Vocabulary::Podcast),
    ("rss_2.0/enc", "enc", Vocabulary::Enclosure),
    ("feedburner/ext", "feedburner", Vocabulary::Feedburner),
];

/// Declarations in a document; one that has more wants to cost time.
const MOST: usize = 1_000;

/// The prefixes that a document has declared so far.
#[derive(Debug, Default)]
pub(crate) struct Prefixes<'a> {
    declared: Vec<(&'a str, Vocabulary)>,
    count: usize,
}

impl<'a> Prefixes<'a> {
    /// Takes what the tag declares. A prefix that is declared again means the new thing from
    /// there on, which is right for all feeds that there are.
    pub(crate) fn declare(&mut self, tag: &Tag<'a>) {
        for (name, address) in tag.attributes() {
            let Some(prefix) = name.strip_prefix("xmlns:").filter(|_| self.count < MOST) else { continue };
            self.count += 1;
            let address = address.to_ascii_lowercase();
            let known = KNOWN.iter().find(|(part, ..)| address.contains(part));
            let vocabulary = known.map_or(Vocabulary::Other, |(.., vocabulary)| *vocabulary);
            match self.declared.iter_mut().find(|(known, _)| *known == prefix) {
                Some(declared) => declared.1 = vocabulary,
                None => self.declared.push((prefix, vocabulary)),
            }
        }
    }

    /// The vocabulary and the name without prefix.
    pub(crate) fn resolve(&self, name: &'a str) -> (Vocabulary, &'a str) {
        let (prefix, local) = split(name);
        if prefix.is_empty() {
            return (Vocabulary::Feed, local);
        }
        let declared =
            self.declared.iter().find(|(known, _)| *known == prefix).map(|(_, vocabulary)| *vocabulary);
        let usual =
            || KNOWN.iter().find(|(_, usual, _)| *usual == prefix).map(|(.., vocabulary)| *vocabulary);
        (declared.or_else(usual).unwrap_or(Vocabulary::Other), local)
    }
}

#[cfg(test)]
mod tests {
    use pixcrawler_sdk::xml::{Token, tokens};

    use super::*;

    #[test]
    fn prefixes() {
        let mut prefixes = Prefixes::default();
        let xml = "<rss xmlns:m='http://search.yahoo.com/mrss/' xmlns:a10='http://www.w3.org/2005/Atom' xmlns:dc='urn:x' \
            xmlns='http://www.w3.org/2005/Atom' xmlns:c='http://purl.org/rss/1.0/modules/content/'>";
        let Some(Token::Open(tag)) = tokens(xml).next() else { panic!() };
        prefixes.declare(&tag);
        for (name, expect) in [
            ("title", (Vocabulary::Feed, "title")),
            ("m:title", (Vocabulary::Media, "title")),
            ("media:title", (Vocabulary::Media, "title")),
            ("a10:link", (Vocabulary::Feed, "link")),
            ("dc:creator", (Vocabulary::Other, "creator")),
            ("c:encoded", (Vocabulary::Content, "encoded")),
            ("itunes:image", (Vocabulary::Podcast, "image")),
            ("x:y", (Vocabulary::Other, "y")),
        ] {
            assert_eq!(prefixes.resolve(name), expect, "{name}");
        }
    }
}
