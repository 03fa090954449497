//! Reads a feed: RSS of all versions and Atom, well-formed or not, and JSON Feed.

use pixcrawler_sdk::xml::{Tag, Token, Tokens, local, tokens, tokens_from};
use pixcrawler_sdk::{Candidate, Error, Result, url};

use crate::entry::{Around, Entry};
use crate::field::{Field, is_field};
use crate::json;
use crate::media::{Media, Said, license};
use crate::name::{Prefixes, Vocabulary};

/// What a feed holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// In the order of the entries.
    pub candidates: Vec<Candidate>,
    /// The document that goes on where this one ends.
    pub next: Option<String>,
    /// For the person whose crawl it is.
    pub warnings: Vec<String>,
}

/// What the user wants of a feed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wishes {
    /// Previews too, where there is nothing larger.
    pub previews: bool,
    /// Nothing that only adults should see.
    pub only_safe: bool,
}

/// Reads the feed that came from `address`.
///
/// # Errors
///
/// `invalid-query` for what is no feed, `layout-changed` for one of which nothing can be read.
pub fn read(xml: &str, address: &str, wishes: Wishes) -> Result<Page> {
    if xml.trim_start_matches('\u{feff}').trim_start().starts_with('{') {
        return json::read(xml, address, wishes);
    }
    let mut reader = Reader::new(xml, address, wishes);
    while let Some(token) = reader.tokens.next() {
        match token {
            Token::Open(tag) => reader.open(&tag)?,
            Token::Close(name) => reader.close(name),
            Token::Text(piece) => {
                if let Some(field) = &mut reader.field {
                    field.said.push_str(&piece.decode());
                }
            }
        }
        if reader.is_full() {
            return Ok(reader.page);
        }
    }
    reader.finish()
}

/// Where the feed begins: at its first element, or behind what some program wrote before it (a warning of PHP).
fn beginning(xml: &str) -> usize {
    let mut tokens = tokens(xml);
    loop {
        let at = tokens.offset();
        match tokens.next() {
            Some(Token::Open(tag)) => match local(tag.name).to_ascii_lowercase().as_str() {
                "rss" | "feed" | "rdf" => return at,
                // Something else altogether, which `Reader::root` names.
                "channel" | "html" | "head" | "body" | "meta" | "title" | "urlset" | "sitemapindex" => {
                    return 0;
                }
                _ => {}
            },
            Some(_) => {}
            None => return 0,
        }
    }
}

/// Pictures of one document.
const MOST: usize = 10_000;
/// Media of an entry, and pictures in one of its texts.
pub(crate) const MOST_IN_ENTRY: usize = 500;
/// Previews of a thing.
const MOST_PREVIEWS: usize = 50;
/// Elements in one another; what is deeper belongs to the one above.
const DEEPEST: usize = 100;
/// What stands in a feed beside its entries.
const FEED: [&str; 33] = [
    "author",
    "category",
    "channel",
    "cloud",
    "contributor",
    "copyright",
    "description",
    "docs",
    "entry",
    "generator",
    "icon",
    "id",
    "image",
    "item",
    "items",
    "language",
    "lastBuildDate",
    "link",
    "logo",
    "managingEditor",
    "modified",
    "pubDate",
    "rating",
    "rights",
    "skipDays",
    "skipHours",
    "subtitle",
    "tagline",
    "textInput",
    "textinput",
    "title",
    "ttl",
    "updated",
];

pub(crate) struct Reader<'a> {
    pub(crate) xml: &'a str,
    pub(crate) address: &'a str,
    wishes: Wishes,
    pub(crate) tokens: Tokens<'a>,
    prefixes: Prefixes<'a>,
    /// The elements that are open.
    pub(crate) open: Vec<Element<'a>>,
    /// The one of them whose text counts.
    pub(crate) field: Option<Field>,
    pub(crate) around: Around,
    pub(crate) entry: Option<Entry>,
    /// The `media:content` that is open, and the `media:group`.
    media: Option<Media>,
    group: Option<(u32, Said)>,
    groups: u32,
    seen: Seen,
    pub(crate) page: Page,
}

#[derive(Debug)]
pub(crate) struct Element<'a> {
    pub(crate) vocabulary: Vocabulary,
    pub(crate) name: &'a str,
    /// What addresses in it are relative to, where it says so.
    base: Option<String>,
}

/// What was seen of a document.
#[derive(Debug, Default)]
struct Seen {
    entries: usize,
    /// Elements that no feed has where entries are.
    foreign: bool,
    /// Pictures without an address.
    nameless: usize,
    /// Media beyond what is read of an entry.
    surplus: usize,
    previews: usize,
    adult: usize,
    /// Addresses in texts that are longer than one may be, and pictures in them without one.
    too_long: usize,
    rubbish: usize,
    is_closed: bool,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(xml: &'a str, address: &'a str, wishes: Wishes) -> Self {
        Self {
            xml,
            address,
            wishes,
            tokens: tokens_from(xml, beginning(xml)),
            prefixes: Prefixes::default(),
            open: Vec::new(),
            field: None,
            around: Around::default(),
            entry: None,
            media: None,
            group: None,
            groups: 0,
            seen: Seen::default(),
            page: Page::default(),
        }
    }

    /// Whether no more pictures are taken, which is then said.
    pub(crate) fn is_full(&mut self) -> bool {
        let is_full = self.page.candidates.len() >= MOST;
        if is_full {
            self.page.warnings.push(format!("{}: read the first {MOST} pictures only", self.address));
        }
        is_full
    }

    /// Takes an entry that was read elsewhere, from a document that has an end.
    pub(crate) fn take(&mut self, entry: Entry) {
        self.entry = Some(entry);
        self.end_entry();
    }

    /// There are no more elements, and no fewer than there should be.
    pub(crate) fn end(mut self) -> Result<Page> {
        self.seen.is_closed = true;
        self.finish()
    }

    fn open(&mut self, tag: &Tag<'a>) -> Result<()> {
        self.prefixes.declare(tag);
        let (vocabulary, name) = self.prefixes.resolve(tag.name);
        if self.open.is_empty() && !self.seen.is_closed {
            self.root(name)?;
        }
        let is_entry = vocabulary == Vocabulary::Feed && matches!(name, "item" | "entry");
        if is_entry {
            // Whatever should have been closed before.
            self.end_field();
            self.end_entry();
        }
        let own = tag.get("xml:base").and_then(|base| url::resolve(&self.document_base(), &base));
        if self.open.len() >= DEEPEST {
            return Ok(());
        }
        self.open.push(Element { vocabulary, name, base: own });
        if let Some(field) = &mut self.field {
            field.is_markup = true;
            return Ok(());
        }
        match (vocabulary, name) {
            _ if is_entry => {
                self.entry = Some(Entry { base: self.own_base(), ..Entry::default() });
            }
            (Vocabulary::Feed, "link") if tag.get("href").is_some() => self.link(tag),
            (Vocabulary::Feed, "enclosure") | (Vocabulary::Enclosure, "enclosure") => self.named(tag, false),
            // Content of Atom that stands elsewhere; no text of it stands here.
            (Vocabulary::Feed, "content") if tag.get("src").is_some() => self.named(tag, false),
            (Vocabulary::Podcast, "image") => self.named(tag, true),
            (Vocabulary::Media, "group") => {
                self.groups += 1;
                self.group = Some((self.groups, Said::default()));
            }
            (Vocabulary::Media, "content") => {
                let media = Media::of(tag, &self.base());
                self.media = Some(Media { group: self.group.as_ref().map(|(number, _)| *number), ..media });
            }
            (Vocabulary::Media, "thumbnail") => {
                let thumbnail = Media::of(tag, &self.base());
                let previews = &mut self.said().thumbnails;
                if thumbnail.url.is_some() && previews.len() < MOST_PREVIEWS {
                    previews.push(thumbnail);
                }
            }
            _ if is_field(vocabulary, name) => {
                self.field = Some(Field::begin(tag, self.open.len(), self.tokens.offset()));
            }
            (Vocabulary::Feed, _) if self.is_beside_entries() => self.seen.foreign |= !FEED.contains(&name),
            _ => {}
        }
        Ok(())
    }

    fn close(&mut self, name: &'a str) {
        let (vocabulary, name) = self.prefixes.resolve(name);
        let is_it = |element: &Element<'_>| element.vocabulary == vocabulary && element.name == name;
        // An end without a beginning means nothing.
        let Some(at) = self.open.iter().rposition(is_it) else { return };
        if self.field.as_ref().is_some_and(|field| field.depth > at) {
            self.end_field();
        }
        for element in self.open.split_off(at).into_iter().rev() {
            match (element.vocabulary, element.name) {
                (Vocabulary::Media, "content") => self.end_media(),
                (Vocabulary::Media, "group") => self.end_group(),
                (Vocabulary::Feed, "item" | "entry") => self.end_entry(),
                _ => {}
            }
        }
        self.seen.is_closed |= self.open.is_empty();
    }

    /// The first element says what the document is.
    fn root(&self, name: &str) -> Result<()> {
        match name.to_ascii_lowercase().as_str() {
            "rss" | "feed" | "rdf" | "channel" => Ok(()),
            "html" | "head" | "body" | "meta" | "title" | "base" | "link" => {
                Err(Error::InvalidQuery(format!(
                    "{} is no feed but a web page that names none; the source `webpage` reads it",
                    self.address
                )))
            }
            "urlset" | "sitemapindex" => Err(Error::InvalidQuery(format!(
                "{} is a sitemap; the source `sitemap` reads it",
                self.address
            ))),
            _ => Err(Error::LayoutChanged(format!(
                "expected `rss`, `feed` or `RDF` at {}, found `{}`",
                self.address,
                name.chars().take(40).collect::<String>()
            ))),
        }
    }

    /// What addresses in entries are relative to; without an `xml:base` RSS means the site.
    pub(crate) fn base(&self) -> String {
        self.own_base().or_else(|| self.around.link.clone()).unwrap_or_else(|| self.address.to_owned())
    }

    /// What links of Atom are relative to.
    fn document_base(&self) -> String {
        self.own_base().unwrap_or_else(|| self.address.to_owned())
    }

    /// The `xml:base` that holds here.
    pub(crate) fn own_base(&self) -> Option<String> {
        self.open.iter().rev().find_map(|element| element.base.clone())
    }

    fn is_beside_entries(&self) -> bool {
        let parent = self.open.len().checked_sub(2).and_then(|at| self.open.get(at));
        let parent = parent.filter(|parent| parent.vocabulary == Vocabulary::Feed);
        self.entry.is_none() && parent.is_some_and(|parent| matches!(parent.name, "channel" | "feed" | "RDF"))
    }

    /// What is said here is true of this: a `media:content`, its group, the entry or all entries.
    pub(crate) fn said(&mut self) -> &mut Said {
        match (&mut self.media, &mut self.group, &mut self.entry) {
            (Some(media), ..) => &mut media.said,
            (_, Some((_, said)), _) => said,
            (.., Some(entry)) => &mut entry.said,
            _ => &mut self.around.said,
        }
    }

    /// A link of Atom.
    fn link(&mut self, tag: &Tag<'a>) {
        let target = tag.get("href").and_then(|href| url::resolve(&self.document_base(), &href));
        let Some(target) = target else { return };
        let relation = tag.get("rel").unwrap_or_default().trim().to_ascii_lowercase();
        // RFC 4287, 4.2.7.2: a name that stands for this address.
        let relation =
            relation.strip_prefix("http://www.iana.org/assignments/relation/").unwrap_or(&relation);
        match (relation, &mut self.entry) {
            ("" | "alternate", Some(entry)) => entry.link = entry.link.take().or(Some(target)),
            ("" | "alternate", None) => self.around.link = self.around.link.take().or(Some(target)),
            ("license", Some(entry)) => entry.license = Some(license(&target, "")),
            ("license", None) => self.around.license = Some(license(&target, "")),
            ("enclosure", Some(_)) => self.named(tag, false),
            // RFC 5005; archives lead from the newest document to the oldest.
            ("next", None) => self.page.next = Some(target),
            ("prev-archive", None) => self.page.next = self.page.next.take().or(Some(target)),
            _ => {}
        }
    }

    /// An element that is a picture, or another file, by its attributes alone.
    fn named(&mut self, tag: &Tag<'a>, is_picture: bool) {
        let media = Media::of(tag, &self.base());
        let is_picture = is_picture || media.is_picture;
        if self.entry.is_some() {
            self.miss(&media, is_picture);
            self.add(Media { is_picture: is_picture && media.url.is_some(), ..media });
        }
    }

    /// Counts a picture without an address.
    fn miss(&mut self, media: &Media, is_picture: bool) {
        let is_missing = is_picture && media.url.is_none();
        self.seen.too_long += usize::from(media.is_too_long);
        self.seen.nameless += usize::from(is_missing && !media.is_too_long);
    }

    /// Adds to the media of the entry.
    pub(crate) fn add(&mut self, media: Media) {
        let Some(entry) = &mut self.entry else { return };
        if entry.media.len() < MOST_IN_ENTRY {
            entry.media.push(media);
        } else {
            self.seen.surplus += 1;
        }
    }

    fn end_media(&mut self) {
        let Some(media) = self.media.take() else { return };
        let is_named = media.url.is_some();
        self.miss(&media, media.is_picture);
        // A film that only a player shows has previews all the same.
        self.add(Media { is_picture: media.is_picture && is_named, ..media });
    }

    fn end_group(&mut self) {
        self.end_media();
        let (Some((number, said)), Some(entry)) = (self.group.take(), &mut self.entry) else { return };
        for media in entry.media.iter_mut().filter(|media| media.group == Some(number)) {
            media.said = std::mem::take(&mut media.said).or(&said);
        }
        entry.said.is_adult |= said.is_adult;
        entry.said.thumbnails.extend(said.thumbnails);
    }

    fn end_entry(&mut self) {
        self.end_group();
        let Some(entry) = self.entry.take() else { return };
        self.seen.entries += 1;
        if self.wishes.only_safe && entry.is_adult(&self.around) {
            self.seen.adult += 1;
            return;
        }
        let has_previews = entry.has_previews();
        let (found, left_out) = entry.candidates(&self.around, self.address, self.wishes.previews);
        self.seen.too_long += left_out.too_long;
        self.seen.rubbish += left_out.rubbish;
        self.seen.previews += usize::from(found.is_empty() && has_previews);
        self.page.candidates.extend(found);
    }

    fn finish(mut self) -> Result<Page> {
        let Self { address, .. } = self;
        if self.open.is_empty() && !self.seen.is_closed {
            return Err(Error::InvalidQuery(format!("{address} is no feed")));
        }
        // What an entry said before the document's end cut it off is good.
        self.end_field();
        self.end_entry();
        let Seen { entries, foreign, nameless, surplus, previews, adult, too_long, rubbish, is_closed } =
            self.seen;
        let expected =
            |what: &str| Err(Error::LayoutChanged(format!("expected {what} at {address}, found none")));
        if entries == 0 && (foreign || !is_closed) {
            return expected("`item` or `entry`");
        }
        if self.page.candidates.is_empty() && nameless > 0 {
            return expected("`url` of `media:content` or `enclosure`");
        }
        let warnings = &mut self.page.warnings;
        if !is_closed {
            warnings.push(format!("{address} is cut off; what was missing cannot be read"));
        }
        if entries == 0 {
            warnings.push(format!("{address} has no entries"));
        } else if self.page.candidates.is_empty() && adult + previews < entries {
            warnings.push(format!("no picture stands in the {entries} entries of {address}; the source `webpage` reads their pages"));
        }
        if surplus > 0 {
            warnings
                .push(format!("left out because an entry may have {MOST_IN_ENTRY} media, media: {surplus}"));
        }
        if previews > 0 {
            warnings.push(format!(
                "entries with nothing but a preview: {previews} (option `previews` takes those)"
            ));
        }
        if too_long > 0 {
            warnings
                .push(format!("{address}: left out {too_long} addresses longer than {} bytes", url::LONGEST));
        }
        if rubbish > 0 {
            warnings.push(format!("{address}: left out {rubbish} pictures without an address that is one"));
        }
        if adult > 0 {
            warnings.push(format!("entries left out as not safe: {adult}"));
        }
        Ok(self.page)
    }
}
