//! What a record says of a picture.

use pixcrawler_sdk::{Candidate, Checksum, Digest, Dimensions, License, date, text, url};

use crate::column::Field;
use crate::license::license;

/// A picture, put together from the cells of its record.
#[derive(Debug)]
pub(crate) struct Picture {
    candidate: Candidate,
    /// Its classes, the foremost first.
    labels: Vec<String>,
    /// Addresses of further pictures, of which the record says the same.
    further: Vec<String>,
    width: Option<u32>,
    height: Option<u32>,
    license: Option<String>,
    license_version: Option<String>,
    license_url: Option<String>,
    attribution: Option<String>,
    is_unsafe: bool,
}

/// Why a record gives no picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No absolute http(s) address stands where it should.
    Address,
    /// Not safe for work, where only what is safe is wanted.
    Unsafe,
}

/// Characters of what is shown in a line, and of a description.
const LINE: usize = 500;
const DESCRIPTION: usize = 5_000;
/// From where on a score from 0 to 1 means that a picture is not safe for work.
const NOT_SAFE: f64 = 0.5;
/// What tags and labels are set apart by in one cell.
const SEPARATORS: [char; 3] = [',', ';', '|'];

impl Picture {
    /// Nothing is known yet.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self {
            candidate: Candidate::new(""),
            labels: Vec::new(),
            further: Vec::new(),
            width: None,
            height: None,
            license: None,
            license_version: None,
            license_url: None,
            attribution: None,
            is_unsafe: false,
        }
    }

    /// Adds what a column holds.
    pub(crate) fn set(&mut self, field: Field, value: &str) {
        let Some(value) = text::line(value, DESCRIPTION) else { return };
        let candidate = &mut self.candidate;
        match field {
            Field::Url => candidate.url = address(&value).unwrap_or_default(),
            Field::Description => candidate.description = Some(value),
            Field::Title => candidate.title = text::line(&value, LINE),
            Field::Label => self.labels.extend(text::line(&value, LINE)),
            Field::Labels => self.labels.extend(several(&value)),
            Field::Tags => candidate.tags.extend(several(&value)),
            Field::License => self.license = Some(value),
            Field::LicenseVersion => self.license_version = Some(value),
            Field::LicenseUrl => self.license_url = address(&value),
            Field::Attribution => self.attribution = text::line(&value, LINE),
            Field::Creator => candidate.creator = text::line(&value, LINE),
            Field::CreatorUrl => candidate.creator_url = address(&value),
            Field::Page => candidate.page_url = address(&value),
            Field::Thumbnail => candidate.thumbnail_url = address(&value),
            Field::Id => candidate.id = text::line(&value, LINE),
            Field::Width => self.width = number(&value).and_then(|number| number.try_into().ok()),
            Field::Height => self.height = number(&value).and_then(|number| number.try_into().ok()),
            Field::Md5 => checksum(candidate, Some(Digest::Md5), &value),
            Field::Sha1 => checksum(candidate, Some(Digest::Sha1), &value),
            Field::Sha256 => checksum(candidate, Some(Digest::Sha256), &value),
            Field::Checksum => checksum(candidate, None, &value),
            Field::Mime => {
                candidate.mime = Some(value.to_ascii_lowercase()).filter(|mime| mime.starts_with("image/"))
            }
            Field::ByteSize => candidate.byte_size = number(&value).filter(|size| *size > 0),
            Field::Published => candidate.published = date::from_iso(&value),
            Field::Unsafe => self.is_unsafe |= is_unsafe(&value),
        }
    }

    /// Adds one element of a list, which is set apart already.
    pub(crate) fn add(&mut self, field: Field, value: &str) {
        match field {
            Field::Tags => self.candidate.tags.extend(text::line(value, LINE)),
            Field::Labels => self.set(Field::Label, value),
            field => self.set(field, value),
        }
    }

    /// Sets the addresses where there are any: one, or those of several pictures.
    pub(crate) fn set_urls(&mut self, urls: Vec<String>) {
        let mut urls = urls.into_iter();
        if let Some(first) = urls.next() {
            self.candidate.url = first;
            self.further = urls.collect();
        }
    }

    /// The address, where only that is known: the cell is no other column's.
    pub(crate) fn guess(&mut self, value: &str) -> bool {
        let found = self.candidate.url.is_empty().then(|| address(value)).flatten();
        let is_found = found.is_some();
        self.candidate.url = found.unwrap_or_else(|| std::mem::take(&mut self.candidate.url));
        is_found
    }

    /// The picture, or several, under `otherwise` where it names no licence.
    ///
    /// # Errors
    ///
    /// Why it is none.
    pub(crate) fn finish(
        self,
        only_safe: bool,
        otherwise: Option<&License>,
    ) -> Result<Vec<Candidate>, Fault> {
        if self.candidate.url.is_empty() {
            return Err(Fault::Address);
        }
        if only_safe && self.is_unsafe {
            return Err(Fault::Unsafe);
        }
        let [named, version, url] =
            [&self.license, &self.license_version, &self.license_url].map(|said| said.as_deref());
        let license = license(named, version, url)
            .or_else(|| otherwise.cloned())
            .or_else(|| self.attribution.as_ref().map(|_| License::new("unknown")));
        let license = license
            .map(|license| License { attribution: self.attribution.or(license.attribution), ..license });
        let dimensions = Dimensions::known(self.width, self.height);
        let first = Candidate { license, dimensions, ..self.candidate }.with_labels(self.labels);
        if self.further.is_empty() {
            return Ok(vec![first]);
        }
        // Which of them these belong to nobody knows.
        let shared = Candidate {
            id: None,
            thumbnail_url: None,
            dimensions: None,
            byte_size: None,
            checksum: None,
            ..first
        };
        let further = self.further.into_iter().map(|url| Candidate { url, ..shared.clone() });
        Ok(std::iter::once(shared.clone()).chain(further).collect())
    }
}

impl Default for Picture {
    fn default() -> Self {
        Self::new()
    }
}

/// Words in one cell.
fn several(cell: &str) -> impl Iterator<Item = String> {
    cell.split(SEPARATORS).filter_map(|word| text::line(word, LINE))
}

/// An absolute http(s) address, also in `<…>` or quotes and behind `URL:` (RFC 3986, appendix C).
#[must_use]
pub(crate) fn address(text: &str) -> Option<String> {
    let text = text.trim();
    let listed = text.strip_suffix(',').unwrap_or(text);
    let inside = [('<', '>'), ('"', '"'), ('\'', '\'')]
        .into_iter()
        .find_map(|(open, close)| listed.strip_prefix(open)?.strip_suffix(close))
        .unwrap_or(text);
    let is_named = inside.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("url:"));
    url::resolve(if is_named { &inside[4..] } else { inside }, "")
}

/// The address in a line of a plain list, which may have a note behind it (` # the fox`) or words before it (`- `).
#[must_use]
pub(crate) fn address_of(line: &str) -> &str {
    let note = line.match_indices('#').map(|(at, _)| at).find(|at| line[..*at].ends_with([' ', '\t']));
    let line = &line[..note.unwrap_or(line.len())];
    if address(line).is_some() {
        return line;
    }
    let mut words = line.split_whitespace().filter(|word| address(word).is_some());
    match (words.next(), words.next()) {
        (Some(only), None) => only,
        _ => line,
    }
}

/// Whether that says so: in a word, or as a score.
fn is_unsafe(value: &str) -> bool {
    let word = value.to_ascii_lowercase();
    let score = || value.parse().is_ok_and(|score: f64| score >= NOT_SAFE);
    ["nsfw", "unsafe", "true", "yes"].contains(&word.as_str()) || score()
}

/// A whole number, also as other tools write one (`640.0`).
fn number(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    fraction.bytes().all(|byte| byte == b'0').then(|| whole.parse().ok())?
}

/// In hexadecimal, or in Base64 as in Open Images.
fn checksum(candidate: &mut Candidate, digest: Option<Digest>, value: &str) {
    let hex = if value.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Some(value.to_ascii_lowercase())
    } else {
        base64(value)
    };
    let Some(hex) = hex else { return };
    let by_length = match hex.len() {
        32 => Digest::Md5,
        40 => Digest::Sha1,
        64 => Digest::Sha256,
        _ => return,
    };
    if digest.is_none_or(|digest| digest == by_length) {
        candidate.checksum = Some(Checksum { digest: by_length, hex });
    }
}

/// Base64 to hexadecimal.
fn base64(text: &str) -> Option<String> {
    let (mut bits, mut count, mut hex) = (0_u32, 0_u32, String::new());
    for byte in text.trim_end_matches('=').bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(six)) & 0xffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            hex.push_str(&format!("{:02x}", bits >> count & 0xff));
        }
    }
    Some(hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(cells: &[(Field, &str)]) -> Result<Candidate, Fault> {
        let mut picture = Picture::new();
        for (field, value) in cells {
            picture.set(*field, value);
        }
        picture.finish(true, None).map(|mut found| found.swap_remove(0))
    }

    const URL: (Field, &str) = (Field::Url, "https://example.org/a.jpg");

    #[test]
    fn every_field_is_read() {
        let found = picture(&[
            (Field::Url, " HTTPS://example.org/a b.jpg#c "),
            (Field::Description, "A fox\n at dawn"),
            (Field::Title, "Fox"),
            (Field::Label, "red, fox"),
            (Field::Labels, "vulpes"),
            (Field::Label, "dusk, dawn"),
            (Field::Tags, "dawn; snow|, fox"),
            (Field::License, "CC BY 4.0"),
            (Field::LicenseUrl, "https://creativecommons.org/licenses/by/4.0/"),
            (Field::Attribution, "Fox by Ada"),
            (Field::Creator, "Ada"),
            (Field::CreatorUrl, "https://example.org/ada"),
            (Field::Page, "https://example.org/fox"),
            (Field::Thumbnail, "https://example.org/s.jpg"),
            (Field::Id, "17"),
            (Field::Width, "640.0"),
            (Field::Height, "480"),
            (Field::Md5, "1B2M2Y8AsgTpgAmY7PhCfg=="),
            (Field::Mime, "Image/JPEG"),
            (Field::ByteSize, "1234"),
            (Field::Published, "2026-01-31 10:00"),
            (Field::Unsafe, "UNLIKELY"),
        ]);
        let expect = Candidate {
            id: Some("17".to_owned()),
            page_url: Some("https://example.org/fox".to_owned()),
            thumbnail_url: Some("https://example.org/s.jpg".to_owned()),
            title: Some("Fox".to_owned()),
            description: Some("A fox at dawn".to_owned()),
            creator: Some("Ada".to_owned()),
            creator_url: Some("https://example.org/ada".to_owned()),
            license: Some(License {
                id: "cc-by-4.0".to_owned(),
                url: Some("https://creativecommons.org/licenses/by/4.0/".to_owned()),
                attribution: Some("Fox by Ada".to_owned()),
            }),
            published: Some("2026-01-31".to_owned()),
            dimensions: Some(Dimensions { width: 640, height: 480 }),
            mime: Some("image/jpeg".to_owned()),
            byte_size: Some(1234),
            checksum: Some(Checksum {
                digest: Digest::Md5,
                hex: "d41d8cd98f00b204e9800998ecf8427e".to_owned(),
            }),
            tags: ["dawn", "snow", "fox"].map(str::to_owned).to_vec(),
            ..Candidate::new("https://example.org/a%20b.jpg")
        }
        .with_labels(["red, fox", "vulpes", "dusk, dawn"]);
        assert_eq!(found, Ok(expect));
    }

    #[test]
    fn only_absolute_addresses_count() {
        for url in [
            "",
            "a.jpg",
            "/a.jpg",
            "//example.org/a.jpg",
            "ftp://example.org/a.jpg",
            "data:image/gif;base64,R0",
        ] {
            assert_eq!(picture(&[(Field::Url, url)]), Err(Fault::Address), "{url}");
        }
        assert!(picture(&[URL]).is_ok());
    }

    #[test]
    fn what_is_no_value_is_left_out() {
        let cells = [
            (Field::Width, "640px"),
            (Field::Height, "480"),
            (Field::ByteSize, "0"),
            (Field::Sha256, "d41d8cd98f00b204e9800998ecf8427e"),
            (Field::Checksum, "abc"),
            (Field::Mime, "text/html"),
            (Field::Page, "fox.html"),
            (Field::License, "?"),
            (Field::Title, " "),
        ];
        let found = picture(&[&[URL], &cells[..]].concat());
        assert_eq!(found, Ok(Candidate::new("https://example.org/a.jpg")));
    }

    #[test]
    fn checksums_by_length() {
        for (length, digest) in [(32, Digest::Md5), (40, Digest::Sha1), (64, Digest::Sha256)] {
            let found = picture(&[URL, (Field::Checksum, &"A".repeat(length))]).unwrap();
            assert_eq!(found.checksum, Some(Checksum { digest, hex: "a".repeat(length) }));
        }
    }

    #[test]
    fn the_licence_is_what_is_known_of_it() {
        let license = |cells: &[(Field, &str)]| picture(&[&[URL], cells].concat()).unwrap().license;
        let by = "https://creativecommons.org/licenses/by/2.0/";
        let of = |id: &str, url: Option<&str>, attribution: Option<&str>| {
            Some(License {
                id: id.to_owned(),
                url: url.map(str::to_owned),
                attribution: attribution.map(str::to_owned),
            })
        };
        assert_eq!(license(&[(Field::License, by)]), of("cc-by-2.0", Some(by), None));
        assert_eq!(
            license(&[(Field::License, "ours"), (Field::LicenseUrl, by)]),
            of("cc-by-2.0", Some(by), Some("ours"))
        );
        assert_eq!(
            license(&[(Field::License, "by"), (Field::LicenseVersion, "2.0")]),
            of("cc-by-2.0", None, None)
        );
        assert_eq!(license(&[(Field::LicenseVersion, "2.0")]), None);
        assert_eq!(license(&[(Field::Attribution, "by Ada")]), of("unknown", None, Some("by Ada")));
        let mut picture = Picture::new();
        picture.set(URL.0, URL.1);
        let otherwise = License::new("cc0-1.0");
        assert_eq!(picture.finish(true, Some(&otherwise)).unwrap()[0].license, Some(otherwise));
    }

    #[test]
    fn what_is_not_safe_is_left_out_where_that_is_wanted() {
        for (value, expect) in [
            ("NSFW", true),
            ("unsafe", true),
            ("True", true),
            ("1", true),
            ("1.0", true),
            ("0.97", true),
            ("5e-1", true),
            ("0.5", true),
            ("0.4999", false),
            ("1e-7", false),
            ("0", false),
            ("-1", false),
            ("nan", false),
            ("UNSURE", false),
            ("UNLIKELY", false),
            ("false", false),
        ] {
            let mut picture = Picture::new();
            picture.set(URL.0, URL.1);
            picture.set(Field::Unsafe, value);
            assert_eq!(picture.is_unsafe, expect, "{value}");
            assert!(picture.finish(false, None).is_ok());
        }
        assert_eq!(picture(&[URL, (Field::Unsafe, "nsfw")]), Err(Fault::Unsafe));
        // One score of several is enough.
        assert_eq!(picture(&[URL, (Field::Unsafe, "0.9"), (Field::Unsafe, "0.1")]), Err(Fault::Unsafe));
    }
}
