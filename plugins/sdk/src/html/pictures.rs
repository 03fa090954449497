//! The pictures of a document.

use std::collections::BTreeMap;

use super::address::{derived_from, is_stand_in};
use super::picture::{self, Copies};
use super::referrer::Policy;
use super::{Tag, Text, Token, style};
use crate::{Candidate, text, url, xml};

/// Characters of a title or description; more is not one.
const LINE: usize = 500;
/// Other copies of a picture.
const ALTERNATES: usize = 8;
/// Bytes of the addresses of a document's pictures, most of which are short. What has more wants to
/// cost memory.
const MOST_BYTES: usize = 8 << 20;

/// Collects the pictures of a document while its tokens are read, each once and in their order, by the
/// rule that stands in the guide for authors of sources.
///
/// ```
/// use pixcrawler_sdk::html::{Pictures, tokens};
///
/// let mut pictures = Pictures::new("https://example.org/", 1_000);
/// let page = "<a href=fox.jpg><img src=fox-150x150.jpg alt=Fox></a><div style='background: url(hare.jpg)'></div>";
/// tokens(page).for_each(|token| pictures.read(&token));
/// let urls: Vec<_> = pictures.finish().into_iter().map(|candidate| candidate.url).collect();
/// assert_eq!(urls, ["https://example.org/fox.jpg", "https://example.org/hare.jpg"]);
/// ```
#[derive(Clone, Debug)]
pub struct Pictures {
    found: Vec<Candidate>,
    /// Pictures at most.
    most: usize,
    /// Where each picture of `found` lets itself be asked from.
    policies: Vec<Policy>,
    /// Index in `found` of each picture, by what is the same for all its sizes.
    known: BTreeMap<String, usize>,
    /// Bytes of the addresses in `known`.
    bytes: usize,
    /// What is left out.
    left_out: LeftOut,
    /// Of the document itself.
    address: String,
    /// What addresses are relative to.
    base: String,
    policy: Policy,
    /// The open `a` that names a picture file.
    link: Option<Link>,
    /// Copies from the sources of the open `picture`.
    sources: Option<Copies>,
    /// Number of pictures when the open `figure` began.
    figure: Option<usize>,
    caption: Option<String>,
    /// Number of pictures when the last caption ended: later ones name what follows.
    captioned: usize,
    /// The last picture that is shown, unless there is a text behind it.
    last: Option<Placeholder>,
    /// The picture that an open `noscript` may have in full.
    blurred: Option<Placeholder>,
    /// How many `template` elements are open, which show nothing.
    templates: usize,
    /// The style sheet that is open.
    sheet: bool,
}

/// What is no picture of a document though it might have been.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Pictures beyond what is read of a document.
    pub surplus: usize,
    /// Copies whose address is longer than one may be.
    pub too_long: usize,
    /// Pictures without an address that is one: `#`, a template that nobody filled in.
    pub rubbish: usize,
    /// Pictures in a `template`, which only a script can show.
    pub templates: usize,
}

/// A link to a picture file, which may show a small copy of it.
#[derive(Clone, Debug)]
struct Link {
    copies: Copies,
    /// What it says in place of a picture.
    text: String,
    /// Icons in it: what it shows where there is nothing else.
    icons: Vec<Shown>,
}

/// What shows a picture.
#[derive(Clone, Debug)]
struct Shown {
    copies: Copies,
    title: Option<String>,
    description: Option<String>,
    policy: Policy,
    /// It says that it shows it until there is a better one.
    is_placeholder: bool,
}

/// A picture that may be a blurred copy, shown until a script runs.
#[derive(Clone, Copy, Debug)]
struct Placeholder {
    index: usize,
    is_certain: bool,
}

impl Pictures {
    /// Those of the document at `address`, at most `most`.
    #[must_use]
    pub fn new(address: &str, most: usize) -> Self {
        Self {
            found: Vec::new(),
            policies: Vec::new(),
            most,
            known: BTreeMap::new(),
            bytes: 0,
            left_out: LeftOut::default(),
            address: address.to_owned(),
            base: address.to_owned(),
            policy: Policy::default(),
            link: None,
            sources: None,
            figure: None,
            caption: None,
            captioned: 0,
            last: None,
            blurred: None,
            templates: 0,
            sheet: false,
        }
    }

    /// Those of a document that stands in this one (`srcdoc`): with the same address, base and policy.
    #[must_use]
    pub fn within(&self) -> Self {
        Self { base: self.base.clone(), policy: self.policy, ..Self::new(&self.address, self.most) }
    }

    /// Whether what is read stands in a `template`, where nothing counts.
    #[must_use]
    pub const fn is_inert(&self) -> bool {
        self.templates > 0
    }

    /// What addresses are relative to from here on; at first the document's own.
    pub fn set_base(&mut self, base: String) {
        self.base = base;
    }

    /// What addresses are relative to.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    /// What the document says about where its pictures are asked from (`Referrer-Policy`,
    /// `<meta name=referrer>`); what is no policy changes nothing.
    pub fn set_policy(&mut self, policy: &str) {
        self.policy = Policy::of(policy).unwrap_or(self.policy);
    }

    /// What is left out so far.
    #[must_use]
    pub const fn left_out(&self) -> LeftOut {
        self.left_out
    }

    /// The picture of that index in what was found so far.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut Candidate> {
        self.found.get_mut(index)
    }

    /// Takes what a token says of pictures. Names may carry the prefix of a vocabulary.
    pub fn read(&mut self, token: &Token<'_>) {
        match token {
            Token::Open(tag) => self.open(tag),
            Token::Close(name) => self.close(name),
            Token::Text(text) => self.text(text),
        }
    }

    /// What was found.
    #[must_use]
    pub fn finish(mut self) -> Vec<Candidate> {
        self.end_picture();
        self.end_link();
        for (candidate, policy) in self.found.iter_mut().zip(self.policies) {
            let Candidate { url, alternates, headers, .. } = candidate;
            if headers.is_empty() {
                headers.extend(policy.header(&self.address, url));
            }
            alternates.retain(|copy| policy.covers(&self.address, url, copy));
        }
        self.found
    }

    fn open(&mut self, tag: &Tag<'_>) {
        let name = xml::local(tag.name).to_ascii_lowercase();
        let is_shown = name == "template" && tag.get("shadowrootmode").is_some();
        if self.templates > 0 || name == "template" && !is_shown {
            self.templates += usize::from(name == "template" && !is_shown);
            let is_picture = matches!(name.as_str(), "img" | "amp-img" | "picture" | "image");
            self.left_out.templates += usize::from(is_picture && name != "picture");
            return;
        }
        match name.as_str() {
            "picture" => {
                self.end_picture();
                self.sources = Some(Copies::default());
            }
            "source" if self.sources.is_some() => {
                let more = picture::copies(tag, &self.base);
                if let Some(sources) = &mut self.sources {
                    sources.extend(more);
                }
            }
            "img" | "image" | "amp-img" | "amp-anim" => self.shown(tag),
            "input" if tag.get("type").is_some_and(|kind| kind.trim().eq_ignore_ascii_case("image")) => {
                self.shown(tag);
            }
            "object" | "embed" => {
                let kind = tag.get("type").unwrap_or_default().to_ascii_lowercase();
                let copies = picture::copies(tag, &self.base);
                if kind.starts_with("image/")
                    || copies.clone().best_first().iter().any(|url| picture::is_file(url))
                {
                    self.add_copies(copies, tag);
                }
            }
            "video" => {
                let mut copies = picture::copies_beside(tag, &self.base);
                if let Some(poster) = tag.get("poster").filter(|poster| !poster.trim().is_empty()) {
                    copies.push(&poster, &self.base);
                }
                self.add_copies(copies, tag);
            }
            "a" => self.begin_link(tag),
            "source" | "script" | "input" | "meta" | "link" | "base" | "iframe" | "option" | "param"
            | "track" => {}
            "style" => self.sheet = true,
            _ => self.beside(tag),
        }
        match name.as_str() {
            "figure" => self.figure = Some(self.found.len()),
            "figcaption" => self.caption = Some(String::new()),
            "noscript" => {
                let in_figure = self.figure.filter(|from| *from < self.found.len());
                let last = Placeholder { index: self.found.len().saturating_sub(1), is_certain: true };
                self.blurred = in_figure.map(|_| last).or(self.last);
            }
            _ => {}
        }
        if let Some(style) = tag.get("style").filter(|_| name != "img") {
            self.backgrounds(style::backgrounds(&style));
        }
    }

    fn close(&mut self, name: &str) {
        let name = xml::local(name).to_ascii_lowercase();
        if self.templates > 0 {
            self.templates -= usize::from(name == "template");
            return;
        }
        match name.as_str() {
            "picture" => self.end_picture(),
            "a" => self.end_link(),
            "noscript" => (self.blurred, self.last) = (None, None),
            "style" => self.sheet = false,
            "figcaption" => self.end_caption(),
            "figure" => {
                self.end_caption();
                self.figure = None;
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &Text<'_>) {
        if self.templates > 0 {
            return;
        }
        if self.sheet {
            self.backgrounds(style::photographs(&text.decode()));
            return;
        }
        self.last = self.last.filter(|_| text.raw.trim_ascii().is_empty());
        let of_link = self.link.as_mut().map(|link| &mut link.text);
        for place in [of_link, self.caption.as_mut()].into_iter().flatten() {
            if place.len() < 4 * LINE && !text.is_data {
                place.push_str(&text.decode());
            }
        }
    }

    /// An element that shows a picture.
    fn shown(&mut self, tag: &Tag<'_>) {
        if self.is_full() {
            self.left_out.surplus += 1;
            return;
        }
        if is_invisible(tag) {
            return;
        }
        let mut copies = picture::copies(tag, &self.base);
        if let Some(sources) = &mut self.sources {
            copies.extend(std::mem::take(sources));
        }
        self.add_copies(copies, tag);
    }

    fn add_copies(&mut self, copies: Copies, tag: &Tag<'_>) {
        self.count(&copies);
        if copies.is_empty() {
            return;
        }
        let line = |name| tag.get(name).and_then(|said| text::line(&said, LINE));
        let is_icon = self.link.is_some() && is_icon_tag(tag);
        let shown = Shown {
            copies,
            title: line("title"),
            description: line("alt"),
            policy: tag.get("referrerpolicy").and_then(|said| Policy::of(&said)).unwrap_or(self.policy),
            is_placeholder: says(tag, &PLACEHOLDERS),
        };
        match &mut self.link {
            Some(link) if is_icon && link.icons.len() < ALTERNATES => link.icons.push(shown),
            _ => drop(self.show(shown)),
        }
    }

    /// Adds a picture that is shown; its index.
    fn show(&mut self, shown: Shown) -> Option<usize> {
        let Shown { copies, title, description, policy, is_placeholder } = shown;
        let mut urls = copies.best_first();
        let mut thumbnail_url = None;
        let mut icons = Vec::new();
        // What is linked to is larger than what is shown, of which the smallest is the preview. It may
        // turn out to be no picture: then what is shown is one.
        if let Some(link) = self.link.take_if(|_| !urls.is_empty()) {
            let mut larger = link.copies.best_first();
            if let Some(best) = larger.first() {
                urls.retain(|url| url != best);
                thumbnail_url = urls.last().cloned();
            }
            larger.extend(urls);
            urls = larger;
            icons = link.icons;
        }
        let mut urls = urls.into_iter();
        let url = urls.next()?;
        let original = self.blurred.take().filter(|_| !self.known.contains_key(&picture::identity(&url)));
        if let Some(Placeholder { index, is_certain }) = original
            && let Some(blurred) = self.found.get_mut(index)
            && (is_certain || names(&blurred.url) == names(&url))
        {
            if blurred.thumbnail_url.is_some() {
                // What a link leads to is larger still.
                blurred.alternates.insert(0, url.clone());
            } else {
                blurred.thumbnail_url = Some(std::mem::replace(&mut blurred.url, url.clone()));
                blurred.alternates.clear();
            }
            self.known.insert(picture::identity(&url), index);
        }
        let is_certain = is_placeholder || is_stand_in(&url);
        let alternates = urls.take(ALTERNATES).collect();
        let candidate = Candidate { alternates, thumbnail_url, title, description, ..Candidate::new(url) };
        let index = self.add_with(candidate, policy);
        self.last = index.map(|index| Placeholder { index, is_certain });
        for icon in icons {
            self.show(icon);
        }
        index
    }

    fn begin_link(&mut self, tag: &Tag<'_>) {
        self.end_link();
        let mut copies = picture::copies_beside(tag, &self.base);
        let href = tag.get("href").unwrap_or_default();
        match url::parse(&self.base, &href) {
            Ok(target) if picture::is_file(&target) => copies.push(&target, &self.base),
            Err(url::Fault::TooLong) if picture::is_file(&href) => copies.too_long += 1,
            _ => {}
        }
        self.left_out.too_long += copies.too_long;
        self.link = (!copies.is_empty()).then(|| Link { copies, text: String::new(), icons: Vec::new() });
    }

    /// What any other element names in some attribute.
    fn beside(&mut self, tag: &Tag<'_>) {
        let copies = picture::copies_beside(tag, &self.base);
        self.left_out.too_long += copies.too_long;
        if copies.is_one {
            self.show(self.plain(copies));
        } else {
            self.backgrounds(copies.best_first());
        }
    }

    /// A picture of which nothing is said.
    const fn plain(&self, copies: Copies) -> Shown {
        Shown { copies, title: None, description: None, policy: self.policy, is_placeholder: false }
    }

    /// The sources of a `picture` that shows none.
    fn end_picture(&mut self) {
        let Some(sources) = self.sources.take() else { return };
        self.count(&sources);
        let mut urls = sources.best_first().into_iter();
        if let Some(url) = urls.next() {
            self.add(Candidate { alternates: urls.take(ALTERNATES).collect(), ..Candidate::new(url) });
        }
    }

    /// A link to a picture file that shows no picture.
    fn end_link(&mut self) {
        for icon in self.link.as_mut().map(|link| std::mem::take(&mut link.icons)).into_iter().flatten() {
            self.show(icon);
        }
        let Some(Link { copies, text, .. }) = self.link.take() else { return };
        let mut urls = copies.best_first().into_iter();
        if let Some(url) = urls.next() {
            let title = text::line(&text, LINE);
            self.add(Candidate { title, alternates: urls.take(ALTERNATES).collect(), ..Candidate::new(url) });
        }
    }

    /// A caption names what its figure shows.
    fn end_caption(&mut self) {
        let title = self.caption.take().and_then(|caption| text::line(&caption, LINE));
        let (Some(from), Some(title)) = (self.figure, title) else { return };
        for candidate in self.found.iter_mut().skip(from.max(self.captioned)) {
            candidate.title.get_or_insert_with(|| title.clone());
        }
        self.captioned = self.found.len();
    }

    fn backgrounds(&mut self, addresses: Vec<String>) {
        for address in addresses {
            self.add_reference(&address);
        }
    }

    /// Adds the picture of that address, unless it is none; its index.
    pub fn add_reference(&mut self, reference: &str) -> Option<usize> {
        let mut copies = Copies::default();
        copies.push(reference, &self.base);
        self.count(&copies);
        self.show(self.plain(copies))
    }

    /// Counts what is left out of a picture.
    fn count(&mut self, copies: &Copies) {
        self.left_out.too_long += copies.too_long;
        self.left_out.rubbish += usize::from(copies.is_empty() && copies.rubbish > 0);
    }

    fn is_full(&self) -> bool {
        self.found.len() >= self.most || self.bytes >= MOST_BYTES
    }

    /// Adds a picture, or what is new about one that is known already; its index. None where there
    /// are too many.
    pub fn add(&mut self, candidate: Candidate) -> Option<usize> {
        self.add_with(candidate, self.policy)
    }

    fn add_with(&mut self, mut candidate: Candidate, policy: Policy) -> Option<usize> {
        if candidate.url == self.address && !picture::is_file(&candidate.url) {
            self.left_out.rubbish += 1;
            return None;
        }
        candidate.page_url = Some(self.address.clone());
        let own = picture::identity(&candidate.url);
        if let Some(&index) = self.known.get(&own) {
            complete(&mut self.found[index], candidate);
            let Candidate { url, alternates, .. } = &self.found[index];
            let copies = std::iter::once(url).chain(alternates);
            let known = &mut self.policies[index];
            *known = known.stricter(policy, &self.address, copies);
            return Some(index);
        }
        if self.is_full() {
            self.left_out.surplus += 1;
            return None;
        }
        let index = self.found.len();
        let others = candidate.alternates.iter().chain(&candidate.thumbnail_url);
        let all: Vec<String> = std::iter::once(own).chain(others.map(|url| picture::identity(url))).collect();
        for identity in all {
            self.bytes += identity.len();
            self.known.entry(identity).or_insert(index);
        }
        self.found.push(candidate);
        self.policies.push(policy);
        Some(index)
    }
}

/// Whether the element says that it shows nothing: one pixel, to count visitors.
fn is_invisible(tag: &Tag<'_>) -> bool {
    let tiny =
        |name| tag.get(name).is_some_and(|size| matches!(size.trim().trim_end_matches("px"), "0" | "1"));
    tiny("width") && tiny("height")
}

/// Whether the element says by its size, its name or the name of its file that it shows an icon: a loupe
/// beside the picture that it enlarges.
fn is_icon_tag(tag: &Tag<'_>) -> bool {
    let small = |name| {
        let size = tag.get(name).and_then(|size| size.trim().trim_end_matches("px").parse::<u32>().ok());
        size.is_some_and(|size| size <= 64)
    };
    small("width") && small("height") || says(tag, &ICONS)
}

/// How words begin in the class, the id or the address of what stands beside a picture, and in its place.
const ICONS: [&str; 9] = ["icon", "zoom", "magnif", "loupe", "lupe", "enlarge", "expand", "search", "play"];
const PLACEHOLDERS: [&str; 6] = ["blur", "lazy", "lqip", "placeholder", "progressive", "preview"];

fn says(tag: &Tag<'_>, words: &[&str]) -> bool {
    ["class", "id", "src"].iter().filter_map(|name| tag.get(name)).any(|said| {
        let said = said.to_ascii_lowercase();
        let mut said = said.split(|c: char| !c.is_ascii_alphanumeric());
        said.any(|said| words.iter().any(|word| said.starts_with(word)))
    })
}

/// What tells the picture at an address from others by the name of its file.
fn names(address: &str) -> Option<String> {
    let identity = picture::identity(address);
    let path = identity.split('?').next()?;
    path.rsplit('/').next().filter(|name| !name.is_empty()).map(str::to_owned)
}

/// How large the copy at an address is by its name; one that names no size is the picture itself.
fn width(url: &str) -> u32 {
    picture::named_width(url).unwrap_or(u32::MAX)
}

/// Fills what is not known of a picture from what stands elsewhere; a larger copy takes its place.
pub fn complete(known: &mut Candidate, mut more: Candidate) {
    fn fill<T>(known: &mut Option<T>, more: Option<T>) {
        if known.is_none() {
            *known = more;
        }
    }
    let is_new = known.url != more.url && known.thumbnail_url.as_ref() != Some(&more.url);
    let is_larger = width(&more.url) > width(&known.url) || derived_from(&known.url) == Some(&more.url);
    if is_new && is_larger && !known.alternates.contains(&more.url) {
        // What is said of the copy is not true of the larger one.
        std::mem::swap(&mut known.url, &mut more.url);
        std::mem::swap(&mut known.headers, &mut more.headers);
        known.alternates.insert(0, more.url.clone());
        known.dimensions = more.dimensions.take();
        known.mime = more.mime.take();
        known.byte_size = more.byte_size.take();
        known.checksum = more.checksum.take();
    }
    let is_same = known.url == more.url;
    fill(&mut known.thumbnail_url, more.thumbnail_url);
    fill(&mut known.title, more.title);
    fill(&mut known.description, more.description);
    fill(&mut known.creator, more.creator);
    fill(&mut known.creator_url, more.creator_url);
    fill(&mut known.license, more.license);
    fill(&mut known.published, more.published);
    if is_same {
        fill(&mut known.dimensions, more.dimensions);
        fill(&mut known.mime, more.mime);
        if known.headers.is_empty() {
            known.headers = more.headers;
        }
    }
    for url in std::iter::once(more.url).chain(more.alternates) {
        if url != known.url && !known.alternates.contains(&url) {
            known.alternates.push(url);
        }
    }
    known.alternates.retain(|url| *url != known.url);
    known.alternates.truncate(ALTERNATES);
}
