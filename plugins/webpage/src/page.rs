//! Reads one page: its pictures in the order of the document, and which page follows.

use std::collections::BTreeMap;

use pixcrawler_sdk::html::picture::{self, Copy};
use pixcrawler_sdk::html::{Tag, Text, Token, tokens};
use pixcrawler_sdk::{Candidate, Dimensions, Whole, text, url};

use crate::json_ld;

/// What stands on a page.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// Where it came from, after redirects.
    pub url: String,
    /// Each picture once.
    pub candidates: Vec<Candidate>,
    /// The page that follows.
    pub next: Option<String>,
    /// For the person whose crawl it is.
    pub warnings: Vec<String>,
}

/// Reads the page that came from `url`. Any text is read.
#[must_use]
pub fn read(html: &str, url: &str) -> Page {
    let mut reader = Reader {
        base: url.to_owned(),
        page: Page { url: url.to_owned(), ..Page::default() },
        ..Reader::default()
    };
    for token in tokens(html) {
        match token {
            Token::Open(tag) => reader.open(&tag),
            Token::Close(name) => reader.close(name),
            Token::Text(text) => reader.text(&text),
        }
    }
    reader.finish()
}

/// Characters of a title or description; more is not one.
const TEXT_LENGTH: usize = 500;
/// Other copies of a picture.
const ALTERNATES: usize = 8;
/// Pictures of a page, and bytes of their addresses, most of which are short. What has more wants
/// to cost memory.
pub(crate) const MOST: usize = 10_000;
const MOST_BYTES: usize = 8 << 20;

#[derive(Default)]
struct Reader {
    page: Page,
    /// Index in `page.candidates` of each address that is known for a picture.
    known: BTreeMap<String, usize>,
    /// What addresses are relative to.
    base: String,
    based: bool,
    /// Bytes of the addresses in `known`.
    bytes: usize,
    /// Pictures beyond what is read of a page.
    surplus: usize,
    /// The page asks not to be used for what this is.
    opted_out: bool,
    /// Index and width of the picture that the page's head describes.
    described: Option<(usize, Option<u32>)>,
    /// The picture file that the open `a` links to, and the text in it.
    link: Option<(String, String)>,
    /// Copies from the sources of the open `picture`.
    picture: Option<Vec<Copy>>,
    /// Number of candidates when the open `figure` began.
    figure: Option<usize>,
    caption: Option<String>,
    /// Number of candidates when the last caption ended: later ones name what follows.
    captioned: usize,
    /// In a `figure`, the picture that an open `noscript` has in full: the one
    /// before it is a blurred copy, shown until a script runs.
    blurred: Option<usize>,
    /// The script of linked data that is open.
    data: Option<String>,
}

impl Reader {
    fn open(&mut self, tag: &Tag<'_>) {
        match tag.name.to_ascii_lowercase().as_str() {
            "base" => self.rebase(tag),
            "meta" => self.meta(tag),
            "link" => self.relation(tag),
            "a" => {
                self.end_link();
                self.relation(tag);
                let target = tag.get("href").and_then(|href| url::resolve(&self.base, &href));
                self.link =
                    target.filter(|target| picture::is_file(target)).map(|target| (target, String::new()));
            }
            "picture" => self.picture = Some(Vec::new()),
            "source" => {
                if let Some(sources) =
                    self.picture.as_mut().filter(|known| known.len() < picture::MOST_COPIES)
                {
                    sources.extend(picture::copies(tag, &self.base));
                }
            }
            "img" => self.img(tag),
            "figure" => self.figure = Some(self.page.candidates.len()),
            "figcaption" => self.caption = Some(String::new()),
            "noscript" => {
                let last = self.page.candidates.len().checked_sub(1);
                self.blurred = last.filter(|last| self.figure.is_some_and(|from| from <= *last));
            }
            "script" => {
                let is_data = tag
                    .get("type")
                    .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/ld+json"));
                self.data = is_data.then(String::new);
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name.to_ascii_lowercase().as_str() {
            "a" => self.end_link(),
            "picture" => self.picture = None,
            "noscript" => self.blurred = None,
            "figcaption" => self.end_caption(),
            "figure" => {
                self.end_caption();
                self.figure = None;
            }
            "script" => {
                let pictures = self.data.take().map(|data| json_ld::pictures(&data, &self.base));
                for candidate in pictures.into_iter().flatten() {
                    self.add(candidate);
                }
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &Text<'_>) {
        if let Some(data) = &mut self.data {
            data.push_str(text.raw);
            return;
        }
        let places = [self.link.as_mut().map(|(_, inside)| inside), self.caption.as_mut()];
        for place in places.into_iter().flatten().filter(|place| place.len() < 4 * TEXT_LENGTH) {
            place.push_str(&text.decode());
        }
    }

    fn finish(mut self) -> Page {
        self.end_link();
        let mut page = self.page;
        if self.opted_out {
            page.candidates.clear();
            page.warnings.push(format!("{} asks not to be used for datasets (noai)", page.url));
        } else if page.candidates.is_empty() {
            page.warnings
                .push(format!("no pictures found on {}; a script in the browser may load them", page.url));
        } else if self.surplus > 0 {
            let read = page.candidates.len();
            page.warnings.push(format!("{}: read the first {read} pictures only", page.url));
        }
        page
    }

    /// The first `base` counts.
    fn rebase(&mut self, tag: &Tag<'_>) {
        if let Some(base) =
            tag.get("href").and_then(|href| url::resolve(&self.base, &href)).filter(|_| !self.based)
        {
            self.base = base;
            self.based = true;
        }
    }

    fn meta(&mut self, tag: &Tag<'_>) {
        let name = tag
            .get("property")
            .or_else(|| tag.get("name"))
            .or_else(|| tag.get("itemprop"))
            .unwrap_or_default();
        let content = tag.get("content").unwrap_or_default();
        let described = self.described.and_then(|(index, _)| self.page.candidates.get_mut(index));
        match (name.trim().to_ascii_lowercase().as_str(), described) {
            (
                "og:image"
                | "og:image:url"
                | "og:image:secure_url"
                | "twitter:image"
                | "twitter:image:src"
                | "image",
                _,
            ) => {
                self.described = self.add_reference(&content).map(|index| (index, None));
            }
            ("og:image:alt" | "twitter:image:alt", Some(candidate)) => {
                candidate.description = candidate.description.take().or_else(|| short(&content));
            }
            ("og:image:type", Some(candidate)) => candidate.mime = short(&content),
            ("og:image:width", Some(_)) => {
                self.described = self.described.map(|(index, _)| (index, pixels(&content)));
            }
            ("og:image:height", Some(candidate)) => {
                let width = self.described.and_then(|(_, width)| width);
                candidate.dimensions = Dimensions::known(width, pixels(&content));
            }
            ("robots", _) => {
                self.opted_out |= content.split(',').any(|word| {
                    word.trim().eq_ignore_ascii_case("noai") || word.trim().eq_ignore_ascii_case("noimageai")
                });
            }
            _ => {}
        }
    }

    fn relation(&mut self, tag: &Tag<'_>) {
        let (Some(rel), Some(href)) = (tag.get("rel"), tag.get("href")) else { return };
        for word in rel.split_ascii_whitespace() {
            if word.eq_ignore_ascii_case("next") && self.page.next.is_none() {
                self.page.next = url::resolve(&self.base, &href);
            } else if word.eq_ignore_ascii_case("image_src") {
                self.add_reference(&href);
            }
        }
    }

    fn img(&mut self, tag: &Tag<'_>) {
        if self.is_full() {
            self.surplus += 1;
            return;
        }
        if picture::is_invisible(tag) {
            return;
        }
        let mut copies = picture::copies(tag, &self.base);
        copies.extend(self.picture.take().unwrap_or_default());
        let mut urls = picture::best_first(copies);
        let mut thumbnail_url = None;
        if let Some((target, _)) = self.link.take() {
            urls.retain(|url| *url != target);
            // The smallest of those that are shown; what is a preview is no copy.
            thumbnail_url = urls.pop();
            urls.insert(0, target);
        }
        let mut urls = urls.into_iter();
        let Some(url) = urls.next() else { return };
        if let Some(index) = self.blurred.take().filter(|_| !self.known.contains_key(&url)) {
            let blurred = &mut self.page.candidates[index];
            blurred.thumbnail_url = Some(std::mem::replace(&mut blurred.url, url.clone()));
            blurred.alternates.clear();
            self.known.insert(url.clone(), index);
        }
        self.add(Candidate {
            alternates: urls.take(ALTERNATES).collect(),
            thumbnail_url,
            title: tag.get("title").and_then(|title| short(&title)),
            description: tag.get("alt").and_then(|alt| short(&alt)),
            ..Candidate::new(url)
        });
    }

    /// A link to a picture file that shows no picture.
    fn end_link(&mut self) {
        if let Some((target, inside)) = self.link.take() {
            self.add(Candidate { title: short(&inside), ..Candidate::new(target) });
        }
    }

    /// A caption names what its figure shows.
    fn end_caption(&mut self) {
        let title = self.caption.take().and_then(|caption| short(&caption));
        let (Some(from), Some(title)) = (self.figure, title) else { return };
        for candidate in self.page.candidates.iter_mut().skip(from.max(self.captioned)) {
            candidate.title.get_or_insert_with(|| title.clone());
        }
        self.captioned = self.page.candidates.len();
    }

    fn add_reference(&mut self, reference: &str) -> Option<usize> {
        let url = url::resolve(&self.base, reference).filter(|_| !reference.trim().is_empty())?;
        self.add(Candidate::new(url))
    }

    const fn is_full(&self) -> bool {
        self.page.candidates.len() >= MOST || self.bytes >= MOST_BYTES
    }

    /// Adds a picture, or what is new about one that is known already; its index. None where there
    /// are too many.
    fn add(&mut self, mut candidate: Candidate) -> Option<usize> {
        candidate.page_url = Some(self.page.url.clone());
        if let Some(&index) = self.known.get(&candidate.url) {
            complete(&mut self.page.candidates[index], candidate);
            return Some(index);
        }
        if self.is_full() {
            self.surplus += 1;
            return None;
        }
        let index = self.page.candidates.len();
        for url in [&candidate.url].into_iter().chain(&candidate.alternates).chain(&candidate.thumbnail_url) {
            self.bytes += url.len();
            self.known.entry(url.clone()).or_insert(index);
        }
        self.page.candidates.push(candidate);
        Some(index)
    }
}

/// Fills what is not known of a picture from what stands elsewhere on the page.
fn complete(known: &mut Candidate, more: Candidate) {
    fn fill<T>(known: &mut Option<T>, more: Option<T>) {
        if known.is_none() {
            *known = more;
        }
    }
    fill(&mut known.thumbnail_url, more.thumbnail_url);
    fill(&mut known.title, more.title);
    fill(&mut known.description, more.description);
    fill(&mut known.creator, more.creator);
    fill(&mut known.creator_url, more.creator_url);
    fill(&mut known.license, more.license);
    fill(&mut known.published, more.published);
    fill(&mut known.dimensions, more.dimensions);
    fill(&mut known.mime, more.mime);
    for url in more.alternates {
        if known.alternates.len() < ALTERNATES && url != known.url && !known.alternates.contains(&url) {
            known.alternates.push(url);
        }
    }
    known.alternates.retain(|url| Some(url) != known.thumbnail_url.as_ref());
}

/// A width or height in pixels, such as `640` or `640px`.
pub(crate) fn pixels(text: &str) -> Option<u32> {
    let number = text.trim().trim_end_matches("px").trim_end();
    number.parse().ok().map(|Whole(side)| side)
}

/// The text on one line, cut to a sensible length; none if there is nothing.
pub(crate) fn short(text: &str) -> Option<String> {
    text::line(text, TEXT_LENGTH)
}
