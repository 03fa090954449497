//! Reads one document: which kind it is, and its entries one after the other.

use pixcrawler_sdk::xml::{Token, Tokens, local, tokens, tokens_from};
use pixcrawler_sdk::{Candidate, Error, License, Result, text, url};

/// What a document lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Pages, with their pictures.
    Pages,
    /// Other sitemaps.
    Index,
}

/// What the document at `address` lists, by its first element.
///
/// # Errors
///
/// `invalid-query` for what another source reads; `layout-changed` for what looks
/// like neither this nor that.
pub fn kind(document: &str, address: &str) -> Result<Kind> {
    let instead = |what: &str| Err(Error::InvalidQuery(format!("{address} is no sitemap but {what}")));
    let mut names = tokens(document).filter_map(|token| match token {
        Token::Open(tag) => Some(tag.name),
        _ => None,
    });
    let root = names.next();
    // Some program may have written a warning before the first element.
    let found = root.into_iter().chain(names).find_map(|name| {
        let name = local(name).to_ascii_lowercase();
        match name.as_str() {
            "urlset" => Some(Ok(Kind::Pages)),
            "sitemapindex" => Some(Ok(Kind::Index)),
            "html" | "head" | "body" => Some(instead(
                "a web page; the source `webpage` reads it. To look for a site's sitemap, give only its origin",
            )),
            "rss" | "feed" | "rdf" => Some(instead("a feed; the source `feed` reads it")),
            _ => None,
        }
    });
    let start = document.trim_start_matches('\u{feff}').trim_start();
    match (found, root) {
        (Some(found), _) => found,
        (None, Some(root)) if start.starts_with('<') => Err(Error::LayoutChanged(format!(
            "expected `urlset` or `sitemapindex` at {address}, found `{}`",
            root.chars().take(40).collect::<String>()
        ))),
        _ if url::resolve(start.lines().next().unwrap_or_default(), "").is_some() => {
            instead("a plain list; where that is of pictures, the source `url-list` reads it")
        }
        _ => instead("some other file"),
    }
}

/// The entries of a document that begin at that byte or behind it.
#[must_use]
pub fn entries(document: &str, offset: usize) -> Entries<'_> {
    Entries { tokens: tokens_from(document, offset), start: offset, foreign: false }
}

/// What a `url` or `sitemap` element says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The address of the page or sitemap, as written.
    pub location: Option<String>,
    /// When that changed last, as written.
    pub changed: Option<String>,
    /// In their order, at most [`MOST_PICTURES`].
    pub pictures: Vec<Picture>,
    /// Pictures beyond those.
    pub surplus: usize,
    /// Addresses in the vocabulary of something else than the page, that are in no picture.
    pub strays: usize,
}

/// What an `image` element says, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Picture {
    location: Option<String>,
    title: Option<String>,
    caption: Option<String>,
    license: Option<String>,
    place: Option<String>,
}

/// Pictures of a page, by the protocol.
pub const MOST_PICTURES: usize = 1_000;
/// Characters of what is shown in a line, and of a caption.
const LINE: usize = 500;
const CAPTION: usize = 5_000;
/// Bytes of one element's text; more is not one of these.
const LONGEST_TEXT: usize = 32 << 10;

impl Entry {
    /// The pictures of the page, where `base` is the sitemap's address.
    pub fn candidates(&self, base: &str) -> impl Iterator<Item = Candidate> {
        let page = self.location.as_deref().and_then(|page| url::resolve(base, page));
        let base = page.clone().unwrap_or_else(|| base.to_owned());
        self.pictures.iter().filter_map(move |picture| {
            let extra = [("place", &picture.place), ("page-changed", &self.changed)];
            let extra = extra.into_iter().filter_map(|(name, value)| {
                Some((format!("sitemap.{name}"), text::line(value.as_deref()?, LINE)?))
            });
            Some(Candidate {
                page_url: page.clone(),
                title: picture.title.as_deref().and_then(|title| text::line(title, LINE)),
                description: picture.caption.as_deref().and_then(|caption| text::line(caption, CAPTION)),
                license: picture.license.as_deref().and_then(license),
                extra: extra.collect(),
                ..Candidate::new(url::resolve(&base, picture.location.as_deref()?)?)
            })
        })
    }

    /// How many of them have an address that is longer than one may be.
    pub(crate) fn too_long(&self, base: &str) -> usize {
        let page = self.location.as_deref().and_then(|page| url::resolve(base, page));
        let base = page.as_deref().unwrap_or(base);
        let address =
            |picture: &&Picture| picture.location.as_deref().map(|address| url::parse(base, address));
        self.pictures.iter().filter(|picture| address(picture) == Some(Err(url::Fault::TooLong))).count()
    }

    fn add(&mut self, picture: Option<Picture>) {
        match picture {
            Some(picture) if self.pictures.len() < MOST_PICTURES => self.pictures.push(picture),
            Some(_) => self.surplus += 1,
            None => {}
        }
    }
}

/// A licence is named by its address; other words say nothing certain.
fn license(named: &str) -> Option<License> {
    let named = text::line(named, LINE)?;
    match url::resolve(&named, "") {
        Some(url) => Some(License::from_url(&url)),
        None => Some(License { attribution: Some(named), ..License::new("unknown") }),
    }
}

/// See [`entries`].
#[derive(Clone, Debug)]
pub struct Entries<'a> {
    tokens: Tokens<'a>,
    start: usize,
    foreign: bool,
}

impl Entries<'_> {
    /// Where the last entry ended; where one begins that the document's end cuts off.
    #[must_use]
    pub const fn offset(&self) -> usize {
        self.start
    }

    /// Whether there were elements that are no entries.
    #[must_use]
    pub const fn has_foreign(&self) -> bool {
        self.foreign
    }
}

impl Iterator for Entries<'_> {
    type Item = Entry;

    fn next(&mut self) -> Option<Entry> {
        loop {
            let before = self.tokens.offset();
            match self.tokens.next()? {
                Token::Open(tag) if is_entry(tag.name) => {
                    self.start = before;
                    let entry = read(&mut self.tokens, prefix(tag.name))?;
                    self.start = self.tokens.offset();
                    return Some(entry);
                }
                Token::Open(tag) => {
                    self.foreign |= !matches!(local(tag.name), "urlset" | "sitemapindex");
                }
                _ => self.start = self.tokens.offset(),
            }
        }
    }
}

fn is_entry(name: &str) -> bool {
    matches!(local(name), "url" | "sitemap")
}

/// The vocabulary that a name belongs to, as far as it says: `image` of `image:loc`.
fn prefix(name: &str) -> &str {
    name.split_once(':').map_or("", |(prefix, _)| prefix)
}

/// Reads on to the end of an entry of that vocabulary, and of pictures that stand behind it instead of in it;
/// none where there is no end, or another entry begins before it.
fn read(tokens: &mut Tokens<'_>, vocabulary: &str) -> Option<Entry> {
    let mut entry = Entry::default();
    let mut picture: Option<Picture> = None;
    // The element that is open, where it is of use, and its text.
    let mut open: Option<(&str, String)> = None;
    // Where the entry is at its end, as far as is known.
    let mut end: Option<Tokens<'_>> = None;
    loop {
        let before = tokens.clone();
        match tokens.next() {
            None => {
                *tokens = end?;
                return Some(entry);
            }
            Some(Token::Open(tag)) if is_entry(tag.name) => {
                *tokens = before;
                entry.add(picture);
                return Some(entry);
            }
            Some(Token::Open(tag)) => {
                let name = local(tag.name);
                if name == "image" {
                    entry.add(picture.replace(Picture::default()));
                } else if picture.is_none() && end.is_some() {
                    *tokens = before;
                    return Some(entry);
                }
                if name == "loc" && picture.is_none() && !["", vocabulary].contains(&prefix(tag.name)) {
                    entry.strays += 1;
                    open = None;
                    continue;
                }
                open = field(&mut entry, picture.as_mut(), name).is_some().then(|| (name, String::new()));
            }
            Some(Token::Text(piece)) => {
                if let Some((_, text)) = &mut open {
                    let piece = piece.decode();
                    text.push_str(&piece[..piece.floor_char_boundary(LONGEST_TEXT - text.len())]);
                }
            }
            Some(Token::Close(name)) => {
                let name = local(name);
                if let Some((_, text)) = open.take().filter(|(open, _)| *open == name)
                    && !text.trim().is_empty()
                    && let Some(field) = field(&mut entry, picture.as_mut(), name)
                {
                    field.get_or_insert(text);
                }
                let is_end = is_entry(name);
                if name == "image" || is_end {
                    entry.add(picture.take());
                } else if picture.is_none() && end.is_some() {
                    *tokens = before;
                    return Some(entry);
                }
                if is_end || (end.is_some() && picture.is_none()) {
                    end = Some(tokens.clone());
                }
            }
        }
    }
}

/// Where the text of an element of that name belongs.
fn field<'a>(
    entry: &'a mut Entry,
    picture: Option<&'a mut Picture>,
    name: &str,
) -> Option<&'a mut Option<String>> {
    match (picture, name) {
        (Some(picture), "loc") => Some(&mut picture.location),
        (Some(picture), "title") => Some(&mut picture.title),
        (Some(picture), "caption") => Some(&mut picture.caption),
        (Some(picture), "license") => Some(&mut picture.license),
        (Some(picture), "geo_location") => Some(&mut picture.place),
        (None, "loc") => Some(&mut entry.location),
        (None, "lastmod") => Some(&mut entry.changed),
        _ => None,
    }
}
