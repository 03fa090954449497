//! Pictures that a feed names itself: Media RSS, enclosures, covers.

use pixcrawler_sdk::html::picture;
use pixcrawler_sdk::xml::Tag;
use pixcrawler_sdk::{Candidate, Checksum, Digest, Dimensions, License, Whole, text, url};

/// Characters of what is shown in a line, and of a description.
pub(crate) const LINE: usize = 500;
pub(crate) const DESCRIPTION: usize = 5_000;
/// Tags of a thing; the host takes no more.
pub(crate) const MOST_TAGS: usize = 100;

/// A picture, or what else a `media:content` or an enclosure is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Media {
    pub(crate) url: Option<String>,
    pub(crate) is_picture: bool,
    /// There is an address, longer than one may be.
    pub(crate) is_too_long: bool,
    pub(crate) width: Option<u32>,
    pub(crate) height: Option<u32>,
    pub(crate) mime: Option<String>,
    pub(crate) byte_size: Option<u64>,
    /// Of a `media:group`: its members are the same thing in several forms.
    pub(crate) group: Option<u32>,
    pub(crate) said: Said,
}

/// What Media RSS says of a thing, or of all things in what is around it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Said {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) credit: Option<String>,
    pub(crate) license: Option<License>,
    pub(crate) thumbnails: Vec<Media>,
    pub(crate) tags: Vec<String>,
    pub(crate) checksum: Option<Checksum>,
    pub(crate) is_adult: bool,
}

impl Media {
    /// What the attributes of an element say: Media RSS and enclosures mostly agree on names.
    pub(crate) fn of(tag: &Tag<'_>, base: &str) -> Self {
        let mut media = Self::default();
        let (mut medium, mut mime) = (String::new(), String::new());
        let mut plays = false;
        for (name, value) in tag.attributes() {
            let value = value.trim();
            match pixcrawler_sdk::xml::local(name) {
                "url" | "href" | "resource" | "src" => {
                    media.url = picture::address(base, value);
                    media.is_too_long = url::parse(base, value) == Err(url::Fault::TooLong);
                }
                "width" => media.width = pixels(value),
                "height" => media.height = pixels(value),
                "medium" => medium = value.to_ascii_lowercase(),
                "type" => mime = value.to_ascii_lowercase(),
                "duration" | "bitrate" | "framerate" | "samplingrate" | "channels" => plays = true,
                "fileSize" | "length" => media.byte_size = whole(value).filter(|size| *size > 0),
                _ => {}
            }
        }
        let has_size = media.width.is_some() && media.height.is_some() && !plays;
        media.is_picture = match medium.as_str() {
            "image" => true,
            "" => shows(&mime, media.url.as_deref(), has_size),
            _ => false,
        };
        media.mime = Some(mime).filter(|mime| mime.starts_with("image/"));
        media
    }

    /// The candidate; none where there is no address.
    pub(crate) fn candidate(self) -> Option<Candidate> {
        let thumbnail = self.said.thumbnails.iter().max_by_key(|thumbnail| thumbnail.area());
        Some(Candidate {
            thumbnail_url: thumbnail.and_then(|thumbnail| thumbnail.url.clone()),
            title: self.said.title,
            description: self.said.description,
            creator: self.said.credit,
            license: self.said.license,
            dimensions: Dimensions::known(self.width, self.height),
            mime: self.mime,
            // Feeds that do not know it often say 1.
            byte_size: self.byte_size.filter(|size| *size > 1),
            checksum: self.said.checksum,
            tags: self.said.tags,
            ..Candidate::new(self.url?)
        })
    }

    /// How large it is said to be; one side is enough, or what its address says.
    pub(crate) fn area(&self) -> u64 {
        let named = || self.url.as_deref().and_then(picture::named_width);
        let side = |side: Option<u32>| u64::from(side.unwrap_or(1).max(1));
        match (self.width, self.height) {
            (None, None) => side(named()),
            (width, height) => side(width) * side(height),
        }
    }
}

/// Whether a file is a picture: by its type, else by its name, or because it has a size in pixels and no
/// name of another kind.
pub(crate) fn shows(mime: &str, url: Option<&str>, has_size: bool) -> bool {
    let is_file = || url.is_some_and(picture::is_file);
    match mime.split('/').next().unwrap_or_default() {
        "image" => true,
        "" => is_file() || (has_size && url.is_some_and(|url| !is_other(url))),
        // Some call everything that.
        "binary" | "application" => is_file(),
        _ => false,
    }
}

/// Whether the name of a file says that it is something else; programs that give one have names of their own.
fn is_other(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let name = path.rsplit('/').next().unwrap_or(path);
    let kind = name.rsplit_once('.').map(|(_, kind)| kind.to_ascii_lowercase()).unwrap_or_default();
    !matches!(kind.as_str(), "" | "php" | "asp" | "aspx" | "ashx" | "axd" | "cgi" | "jsp" | "do" | "pl")
}

impl Said {
    /// Fills what is not said with what is said around it.
    pub(crate) fn or(self, around: &Self) -> Self {
        let else_around = |own: Option<String>, around: &Option<String>| own.or_else(|| around.clone());
        Self {
            title: else_around(self.title, &around.title),
            description: else_around(self.description, &around.description),
            credit: else_around(self.credit, &around.credit),
            license: self.license.or_else(|| around.license.clone()),
            tags: if self.tags.is_empty() { around.tags.clone() } else { self.tags },
            is_adult: self.is_adult || around.is_adult,
            ..self
        }
    }

    /// Takes what an element of Media RSS says.
    pub(crate) fn take(&mut self, name: &str, tag: &[(String, String)], said: &str) {
        let attribute =
            |name: &str| tag.iter().find(|(known, _)| known == name).map(|(_, value)| value.trim());
        let line = || text::line(said, LINE);
        match name {
            "title" if attribute("type").is_some_and(|kind| kind.eq_ignore_ascii_case("html")) => {
                self.title = text::line(&pixcrawler_sdk::html::text(said), LINE);
            }
            "title" => self.title = line(),
            "description" => self.description = text::line(&pixcrawler_sdk::html::text(said), DESCRIPTION),
            // The first is the one who made it; agencies and the like follow.
            "credit" if self.credit.is_none() => self.credit = line(),
            "license" => {
                let address = attribute("href").or_else(|| attribute("url")).unwrap_or(said);
                self.license = Some(license(address, said));
            }
            "copyright" if self.license.is_none() => {
                self.license =
                    line().map(|line| License { url: attribute("url").and_then(address), ..rights(line) });
            }
            "keywords" => {
                self.tags.extend(said.split(',').filter_map(|tag| text::line(tag, LINE)));
            }
            "category" => {
                self.tags.extend(attribute("label").and_then(|label| text::line(label, LINE)).or_else(line));
            }
            "hash" => self.checksum = checksum(attribute("algo").unwrap_or("md5"), said.trim()),
            "rating" => self.is_adult |= said.trim().eq_ignore_ascii_case("adult"),
            "adult" => self.is_adult |= said.trim().eq_ignore_ascii_case("true"),
            _ => {}
        }
        self.tags.truncate(MOST_TAGS);
    }
}

/// The licence with that address; words beside it are what to print.
pub(crate) fn license(named: &str, words: &str) -> License {
    let words = text::line(words, LINE).filter(|words| address(words).is_none());
    match address(named) {
        Some(url) => License { attribution: words, ..License::from_url(&url) },
        None => License { attribution: words, ..License::new("unknown") },
    }
}

/// What a line of copyright says.
pub(crate) fn rights(line: String) -> License {
    let words = line.to_ascii_lowercase();
    let reserved = words.contains("all rights reserved") && !words.contains("not all rights");
    let id = if reserved { "all-rights-reserved" } else { "unknown" };
    match address(&line) {
        Some(url) => License::from_url(&url),
        None => License { attribution: Some(line), ..License::new(id) },
    }
}

fn address(text: &str) -> Option<String> {
    url::resolve(text.trim(), "")
}

fn pixels(value: &str) -> Option<u32> {
    whole(value.trim_end_matches("px").trim())
}

fn whole<T: TryFrom<u64>>(text: &str) -> Option<T> {
    text.parse().ok().map(|Whole(number)| number)
}

fn checksum(algorithm: &str, hex: &str) -> Option<Checksum> {
    let (digest, length) = match algorithm.to_ascii_lowercase().as_str() {
        "md5" => (Digest::Md5, 32),
        "sha-1" | "sha1" => (Digest::Sha1, 40),
        "sha-256" | "sha256" => (Digest::Sha256, 64),
        _ => return None,
    };
    let is_hex = hex.len() == length && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_hex.then(|| Checksum { digest, hex: hex.to_ascii_lowercase() })
}
