//! Elements whose text counts, and what it means.

use pixcrawler_sdk::html::{self, picture};
use pixcrawler_sdk::xml::{Tag, Token, local, tokens};
use pixcrawler_sdk::{date, text, url};

use crate::media::{LINE, MOST_TAGS, Media, license, rights};
use crate::name::Vocabulary;
use crate::reader::Reader;

/// An element whose text counts.
#[derive(Debug)]
pub(crate) struct Field {
    /// Number of open elements with it.
    pub(crate) depth: usize,
    attributes: Vec<(String, String)>,
    /// Where in the document its content begins.
    start: usize,
    pub(crate) said: String,
    /// There are elements in it, so that it is markup as it stands.
    pub(crate) is_markup: bool,
}

impl Field {
    /// `start`: where the content of the element begins, which is the last of `depth` open ones.
    pub(crate) fn begin(tag: &Tag<'_>, depth: usize, start: usize) -> Self {
        let attributes =
            tag.attributes().map(|(name, value)| (local(name).to_owned(), value.into_owned())).collect();
        Self { depth, attributes, start, said: String::new(), is_markup: false }
    }
}

impl Reader<'_> {
    /// Takes what the open field says.
    pub(crate) fn end_field(&mut self) {
        let Some(field) = self.field.take() else { return };
        let Some((vocabulary, name)) = field
            .depth
            .checked_sub(1)
            .and_then(|at| self.open.get(at))
            .map(|element| (element.vocabulary, element.name))
        else {
            return;
        };
        let said = if field.is_markup {
            let content = self.xml.get(field.start..self.tokens.offset()).unwrap_or_default();
            // Up to the end tag that was just read.
            content.rfind("</").map_or(content, |end| &content[..end]).to_owned()
        } else {
            field.said
        };
        if vocabulary == Vocabulary::Media {
            self.said().take(name, &field.attributes, &said);
            return;
        }
        let attribute = |name: &str| {
            field.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
        };
        // Atom tells text from HTML (RFC 4287, 3.1.1). Content that says nothing is mostly HTML all the same.
        let is_atom =
            || self.open.iter().any(|open| open.name == "entry" && open.vocabulary == Vocabulary::Feed);
        let is_text = !field.is_markup
            && match attribute("type").map(str::trim) {
                Some(kind) => ["text", "text/plain"].iter().any(|text| kind.eq_ignore_ascii_case(text)),
                None => name == "title" && is_atom(),
            };
        let line = if is_text { text::line(&said, LINE) } else { text::line(&html::text(&said), LINE) };
        let (own, base) = (self.own_base(), self.base());
        let Some(entry) = &mut self.entry else {
            match (vocabulary, name) {
                (Vocabulary::Feed, "link") => self.around.link = url::resolve(self.address, &said),
                (Vocabulary::Commons, "license") => {
                    self.around.license = Some(license(attribute("resource").unwrap_or(&said), ""));
                }
                (Vocabulary::Feed, "copyright" | "rights") | (Vocabulary::Dublin, "rights") => {
                    self.around.rights = line.map(rights);
                }
                _ => {}
            }
            return;
        };
        match (vocabulary, name) {
            (Vocabulary::Feed, "title") => entry.title = line,
            (Vocabulary::Feed, "link") => entry.link = url::resolve(&base, &said).filter(|_| line.is_some()),
            (Vocabulary::Feedburner, "origLink") => entry.original_link = url::resolve(&base, &said),
            (Vocabulary::Feed, "guid" | "id") => {
                let is_link = name == "guid" && attribute("isPermaLink") != Some("false");
                let link = url::resolve(&said, "").filter(|_| is_link);
                entry.link = entry.link.take().or(link);
                entry.id = line;
            }
            (Vocabulary::Feed, "pubDate") => {
                entry.published = date::from_rfc822(&said).or_else(|| date::from_iso(&said))
            }
            (Vocabulary::Feed, "published" | "issued") | (Vocabulary::Dublin, "date") => {
                entry.published = entry.published.take().or_else(|| date::from_iso(&said));
            }
            (Vocabulary::Feed, "author")
            | (Vocabulary::Dublin, "creator")
            | (Vocabulary::Podcast, "author") => {
                let (name, address) = person(&said);
                if entry.author.is_none() {
                    (entry.author, entry.author_url) =
                        (name, address.and_then(|address| url::resolve(&base, &address)));
                }
            }
            (Vocabulary::Feed, "category") | (Vocabulary::Dublin, "subject") => {
                let label = attribute("label").or_else(|| attribute("term"));
                let tag = label.and_then(|label| text::line(label, LINE)).or(line);
                entry.tags.extend(tag.filter(|_| entry.tags.len() < MOST_TAGS));
            }
            (Vocabulary::Commons, "license") => {
                entry.license = Some(license(attribute("resource").unwrap_or(&said), ""));
            }
            (Vocabulary::Feed, "rights") | (Vocabulary::Dublin, "rights") => entry.rights = line.map(rights),
            (Vocabulary::Feed, "image") => {
                let named = child(&said, "url").unwrap_or(said);
                let url = picture::address(&base, &named);
                self.add(Media { url, is_picture: true, ..Media::default() });
            }
            _ if is_text => {}
            _ => entry.texts.push((own, said)),
        }
    }
}

/// Whether the text of such an element counts.
pub(crate) fn is_field(vocabulary: Vocabulary, name: &str) -> bool {
    match vocabulary {
        Vocabulary::Feed => matches!(
            name,
            "title"
                | "link"
                | "description"
                | "summary"
                | "content"
                | "guid"
                | "id"
                | "pubDate"
                | "published"
                | "issued"
                | "author"
                | "category"
                | "rights"
                | "copyright"
                | "image"
        ),
        Vocabulary::Media => matches!(
            name,
            "title"
                | "description"
                | "credit"
                | "license"
                | "copyright"
                | "keywords"
                | "category"
                | "hash"
                | "rating"
                | "adult"
        ),
        Vocabulary::Dublin => matches!(name, "creator" | "date" | "rights" | "subject"),
        Vocabulary::Content => name == "encoded",
        Vocabulary::Commons => name == "license",
        Vocabulary::Podcast => name == "author",
        Vocabulary::Feedburner => name == "origLink",
        Vocabulary::Enclosure | Vocabulary::Other => false,
    }
}

/// Name and address of an author: in elements, or `mail@example.org (Name)`.
fn person(said: &str) -> (Option<String>, Option<String>) {
    let named = child(said, "name");
    let address = child(said, "uri").or_else(|| child(said, "url"));
    let line = named.or_else(|| text::line(&html::text(said), LINE));
    let name = line.map(|line| match line.split_once(" (").and_then(|(_, name)| name.strip_suffix(')')) {
        Some(name) => name.to_owned(),
        None => line,
    });
    // A mail address is nobody's name, and nobody's business.
    (name.filter(|name| !name.contains('@')), address)
}

/// The text of the first element of that name in a piece of XML.
fn child(xml: &str, name: &str) -> Option<String> {
    let mut inside = false;
    for token in tokens(xml) {
        match token {
            Token::Open(tag) => inside = local(tag.name) == name,
            Token::Close(_) => inside = false,
            Token::Text(piece) if inside => return text::line(&piece.decode(), LINE),
            Token::Text(_) => {}
        }
    }
    None
}
