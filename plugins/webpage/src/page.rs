//! Reads one page: its pictures in the order of the document, and which page follows.

use pixcrawler_sdk::html::{LeftOut, Pictures, Tag, Token, Tokens, picture, tokens};
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

/// Reads the page that came from `url`, whose answer named that policy for the `referer` of
/// its pictures. Any text is read.
#[must_use]
pub fn read(page: Tokens<'_>, url: &str, policy: &str) -> Page {
    let mut pictures = Pictures::new(url, MOST);
    pictures.set_policy(policy);
    read_into(pictures, page, url, 0)
}

fn read_into(pictures: Pictures, page: Tokens<'_>, url: &str, depth: usize) -> Page {
    let mut reader = Reader {
        url,
        depth,
        pictures,
        next: None,
        refreshed: None,
        refreshed_bare: false,
        based: false,
        bare: false,
        has_scripts: false,
        described: None,
        data: None,
    };
    for token in page {
        if !reader.pictures.is_inert() {
            match token {
                Token::Open(tag) => reader.open(&tag),
                Token::Close(name) => reader.close(name),
                Token::Text(text) => {
                    if let Some(data) = &mut reader.data {
                        data.push_str(&text.decode());
                    }
                }
            }
        }
        reader.pictures.read(&token);
    }
    reader.finish()
}

/// Documents that stand in one another (`srcdoc`).
const MOST_FRAMES: usize = 3;
/// Characters of a title or description; more is not one.
const TEXT_LENGTH: usize = 500;
/// Pictures of a page; what has more wants to cost memory.
pub(crate) const MOST: usize = 10_000;

struct Reader<'a> {
    url: &'a str,
    /// Of the documents around it.
    depth: usize,
    pictures: Pictures,
    next: Option<String>,
    /// The page that is shown in its place.
    refreshed: Option<String>,
    /// Only where no scripts run: that is asked for where there is nothing else to see.
    refreshed_bare: bool,
    /// There was a `base`.
    based: bool,
    /// A `noscript` is open.
    bare: bool,
    has_scripts: bool,
    /// Index and width of the picture that the page's head describes.
    described: Option<(usize, Option<u32>)>,
    /// The script of linked data that is open.
    data: Option<String>,
}

impl Reader<'_> {
    fn open(&mut self, tag: &Tag<'_>) {
        match tag.name.to_ascii_lowercase().as_str() {
            "base" => self.rebase(tag),
            "meta" => self.meta(tag),
            "link" | "a" => self.relation(tag),
            "script" => {
                let kind = tag.get("type").unwrap_or_default().to_ascii_lowercase();
                let kind = kind.split(';').next().unwrap_or_default().trim();
                self.data = (kind == "application/ld+json").then(String::new);
                // The others are not run.
                self.has_scripts |= matches!(kind, "" | "module") || kind.ends_with("script");
            }
            "noscript" => self.bare = true,
            "iframe" if self.depth < MOST_FRAMES => {
                let Some(frame) = tag.get("srcdoc") else { return };
                let page = read_into(self.pictures.within(), tokens(&frame), self.url, self.depth + 1);
                for candidate in page.candidates {
                    self.pictures.add(candidate);
                }
            }
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        self.bare &= !name.eq_ignore_ascii_case("noscript");
        if !name.eq_ignore_ascii_case("script") {
            return;
        }
        let Some(data) = self.data.take() else { return };
        for candidate in json_ld::pictures(&data, self.pictures.base()) {
            self.pictures.add(candidate);
        }
    }

    fn finish(self) -> Page {
        let Self { url, pictures, has_scripts, refreshed_bare, .. } = self;
        let left_out = pictures.left_out();
        let candidates = pictures.finish();
        let refreshed = self.refreshed.filter(|_| candidates.is_empty() || !refreshed_bare);
        let is_last = refreshed.is_none();
        let next = self.next.or(refreshed);
        let mut page = Page { url: url.to_owned(), candidates, next, ..Page::default() };
        if page.candidates.is_empty() && is_last {
            let script = if has_scripts { "; a script in the browser may load them" } else { "" };
            page.warnings.push(format!("no pictures found on {url}{script}"));
        }
        page.warnings.extend(warnings(url, page.candidates.len(), left_out));
        page
    }

    /// The first `base` with an address counts, even where that is none.
    fn rebase(&mut self, tag: &Tag<'_>) {
        let Some(href) = tag.get("href").filter(|_| !self.based) else { return };
        self.based = true;
        if let Some(base) = url::resolve(self.pictures.base(), &href) {
            self.pictures.set_base(base);
        }
    }

    fn meta(&mut self, tag: &Tag<'_>) {
        let name = tag
            .get("property")
            .or_else(|| tag.get("name"))
            .or_else(|| tag.get("itemprop"))
            .unwrap_or_default();
        let content = tag.get("content").unwrap_or_default();
        if tag.get("http-equiv").is_some_and(|header| header.trim().eq_ignore_ascii_case("refresh")) {
            let refreshed = refreshed(&content, self.pictures.base());
            self.refreshed_bare |= self.bare && self.refreshed.is_none();
            self.refreshed = self.refreshed.take().or(refreshed).filter(|page| page != self.url);
        }
        let described = self.described.and_then(|(index, _)| self.pictures.get_mut(index));
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
                self.described = self.pictures.add_reference(&content).map(|index| (index, None));
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
            ("referrer", _) => self.pictures.set_policy(&content),
            _ => {}
        }
    }

    fn relation(&mut self, tag: &Tag<'_>) {
        let word = |name: &str, known: &[&str]| {
            tag.get(name).is_some_and(|words| {
                words
                    .split_ascii_whitespace()
                    .any(|word| known.iter().any(|known| word.eq_ignore_ascii_case(known)))
            })
        };
        let href = tag.get("href");
        if word("rel", &["next"]) && self.next.is_none() {
            self.next = href.as_ref().and_then(|href| url::resolve(self.pictures.base(), href));
        }
        if word("rel", &["image_src"]) || tag.is("link") && word("itemprop", &["image"]) {
            self.pictures.add_reference(&href.unwrap_or_default());
        } else if tag.is("link") && word("rel", &["preload"]) && word("as", &["image"]) {
            // What is worth to be asked for before the page is read stands on it.
            let mut urls = picture::copies(tag, self.pictures.base()).best_first().into_iter();
            if let Some(url) = urls.next().filter(|url| picture::is_file(url)) {
                self.pictures.add(Candidate { alternates: urls.collect(), ..Candidate::new(url) });
            }
        }
    }
}

/// Where `Refresh: 0; url=/home` leads from `base`, as the HTML standard reads it. What is shown for a
/// while is a page of its own.
pub(crate) fn refreshed(said: &str, base: &str) -> Option<String> {
    let said = said.trim_start();
    let (seconds, rest) = said.split_at(said.find(|c: char| !c.is_ascii_digit()).unwrap_or(said.len()));
    let is_time = !seconds.is_empty() || rest.starts_with('.');
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    if !is_time || seconds.bytes().any(|digit| digit != b'0') {
        return None;
    }
    let is_parted = |c: char| matches!(c, ';' | ',') || c.is_ascii_whitespace();
    let rest = rest.starts_with(is_parted).then(|| rest.trim_start())?;
    let rest = rest.strip_prefix([';', ',']).unwrap_or(rest).trim_start();
    let named = rest.get(..3).filter(|name| name.eq_ignore_ascii_case("url"));
    let target = named.and_then(|_| rest[3..].trim_start().strip_prefix('=')).unwrap_or(rest).trim_start();
    let target = match target.strip_prefix(['"', '\'']) {
        Some(quoted) => quoted.split(&target[..1]).next().unwrap_or_default(),
        None => target,
    };
    if target.is_empty() { None } else { url::resolve(base, target) }
}

/// What is left out of a page.
fn warnings(url: &str, read: usize, left_out: LeftOut) -> Vec<String> {
    let LeftOut { surplus, too_long, rubbish, templates } = left_out;
    let mut warnings = Vec::new();
    if surplus > 0 {
        warnings.push(format!("{url}: read the first {read} pictures only"));
    }
    let left_out = [
        (too_long, format!("addresses longer than {} bytes", url::LONGEST)),
        (rubbish, "pictures without an address that is one (`#`, a template of a script)".to_owned()),
        (templates, "pictures in `template`, which only a script shows".to_owned()),
    ];
    for (count, what) in left_out {
        if count > 0 {
            warnings.push(format!("{url}: left out {count} {what}"));
        }
    }
    warnings
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
