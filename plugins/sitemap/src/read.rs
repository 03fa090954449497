//! Reads what an answer holds into the state of the crawl.

use pixcrawler_sdk::{CANDIDATES_PER_STEP, Error, Found, Result, url};

use crate::document::{Entries, Kind, entries, kind};
use crate::walk::{LEFT, Level, MOST_LEVELS, Place, State, Text};
use crate::{Filter, origin};

/// How far a document was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There is more in the answer than fits a step.
    Full,
    /// There is more of it in the next part.
    Part,
    End,
}

/// Bytes that are read in one step, so that even a file without pictures is done in time.
const BYTES_PER_STEP: usize = 4 << 20;
/// How a compressed file begins, where what is no UTF-8 is a question mark.
const PACKED: &str = "\u{1f}?";

impl State {
    /// Reads the file that was asked for, or what of it fits a step.
    ///
    /// # Errors
    ///
    /// When it is no sitemap.
    pub(crate) fn read(&mut self, text: &Text, filter: &Filter<'_>, found: &mut Found) -> Result<Progress> {
        let address = self.file.url.clone();
        if text.text.starts_with(PACKED) {
            return Err(Error::InvalidQuery(format!(
                "{address} is a compressed file that cannot be unpacked"
            )));
        }
        if self.file.at == 0 && kind(&text.text, &address)? == Kind::Index {
            if self.levels.len() >= MOST_LEVELS {
                return Err(Error::InvalidQuery(format!(
                    "{address} is an index in an index, more than {MOST_LEVELS} deep"
                )));
            }
            let mut level = Level { place: self.file.clone(), left: Vec::new(), more: false };
            level.refill(text, filter)?;
            // An index that names itself, or one that it stands in, would never end.
            level
                .left
                .retain(|left| *left != address && self.levels.iter().all(|level| level.place.url != *left));
            self.levels.push(level);
            return Ok(Progress::End);
        }
        self.pages(text, filter, found)
    }

    fn pages(&mut self, text: &Text, filter: &Filter<'_>, found: &mut Found) -> Result<Progress> {
        let start = text.place(self.file.at);
        let mut entries = entries(&text.text, start);
        let mut seen = Seen::default();
        let mut end = start;
        let mut full = false;
        while let Some(entry) = entries.next() {
            let many = !found.candidates.is_empty()
                && found.candidates.len() + entry.pictures.len() > CANDIDATES_PER_STEP;
            full = many || (end > start && end - start >= BYTES_PER_STEP);
            if full {
                break;
            }
            end = entries.offset();
            seen.entries += 1;
            seen.located += usize::from(entry.location.is_some());
            if !filter.page(&entry) {
                continue;
            }
            let before = found.candidates.len();
            found.candidates.extend(entry.candidates(&self.file.url));
            seen.pictures += entry.pictures.len();
            seen.strays += entry.strays;
            let missing = entry.pictures.len() - (found.candidates.len() - before);
            let too_long = if missing > 0 { entry.too_long(&self.file.url) } else { 0 };
            seen.nameless += missing - too_long;
            self.counts.too_long += too_long as u64;
            self.counts.pages += 1;
            self.counts.bare += u64::from(entry.pictures.is_empty());
            self.counts.surplus += entry.surplus as u64;
        }
        if self.file.at == 0 {
            seen.check("url", &entries, &self.file.url)?;
        }
        self.counts.read += u32::from(self.file.at == 0);
        self.counts.nameless += seen.nameless as u64;
        if !full {
            end = entries.offset();
        }
        let at = text.start + end as u64;
        let cut = end < text.text.len();
        let moved = at > self.file.at;
        self.file.at = at;
        match (full, text.is_last) {
            (true, _) => Ok(Progress::Full),
            (false, false) if moved => Ok(Progress::Part),
            (false, _) => {
                if cut {
                    found.warnings.push(format!("{} ends in the middle of an entry", self.file.url));
                }
                Ok(Progress::End)
            }
        }
    }
}

/// What was seen of a document.
#[derive(Debug, Default)]
struct Seen {
    entries: usize,
    /// Entries with an address.
    located: usize,
    pictures: usize,
    /// Pictures without an address.
    nameless: usize,
    /// Addresses that would be those of pictures.
    strays: usize,
}

impl Seen {
    /// Whether the document has what a sitemap has.
    fn check(&self, element: &str, entries: &Entries<'_>, address: &str) -> Result<()> {
        let expected =
            |what: &str| Err(Error::LayoutChanged(format!("expected {what} at {address}, found none")));
        if self.entries == 0 && entries.has_foreign() {
            return expected(&format!("`{element}`"));
        }
        if self.entries > 0 && self.located == 0 {
            return expected(&format!("`loc` in `{element}`"));
        }
        if self.pictures == 0 && self.strays > 0 {
            return expected("`image` around the `loc` of pictures");
        }
        if self.pictures > 0 && self.nameless == self.pictures {
            return expected("addresses in `loc` of `image`");
        }
        Ok(())
    }
}

impl Level {
    /// Takes the next sitemaps that the index or robots.txt names.
    ///
    /// # Errors
    ///
    /// When it is no index.
    pub(crate) fn refill(&mut self, text: &Text, filter: &Filter<'_>) -> Result<()> {
        let start = text.place(self.place.at);
        let mut size = 0;
        // Whether there was room; for one address there always is.
        let mut take = |left: &mut Vec<String>, address: Option<String>| {
            size += address.as_ref().map_or(0, String::len);
            let has_room = size <= LEFT || left.is_empty();
            left.extend(address.filter(|_| has_room));
            has_room
        };
        self.more = false;
        if origin(&self.place.url, "/robots.txt").is_some() {
            let mut end = start;
            for line in text.text.get(start..).unwrap_or_default().split_inclusive(['\n', '\r']) {
                if !take(&mut self.left, sitemap_line(line, &self.place.url)) {
                    self.more = true;
                    break;
                }
                end += line.len();
            }
            self.place.at = text.start + end as u64;
            return Ok(());
        }
        let mut entries = entries(&text.text, start);
        let mut seen = Seen::default();
        let mut end = entries.offset();
        while let Some(entry) = entries.next() {
            seen.entries += 1;
            seen.located += usize::from(entry.location.is_some());
            let address = entry.location.as_deref().filter(|_| filter.date(&entry));
            if !take(&mut self.left, address.and_then(|address| url::resolve(&self.place.url, address))) {
                self.more = true;
                break;
            }
            end = entries.offset();
        }
        if !self.more {
            end = entries.offset();
        }
        if self.place.at == 0 {
            seen.check("sitemap", &entries, &self.place.url)?;
        }
        let at = text.start + end as u64;
        self.more |= !text.is_last && at > self.place.at;
        self.place = Place { at, ..self.place.clone() };
        Ok(())
    }
}

/// The address in a line `Sitemap: https://…`, in the spellings that Google takes.
fn sitemap_line(line: &str, base: &str) -> Option<String> {
    let line = line.trim_start_matches('\u{feff}').split('#').next()?.trim();
    let (name, value) = line.split_at(line.find(|c: char| c == ':' || c.is_whitespace())?);
    let value = value.trim_start();
    let value = value.strip_prefix(':').unwrap_or(value).trim();
    let is_sitemap = ["sitemap", "site-map"].iter().any(|known| name.eq_ignore_ascii_case(known));
    (is_sitemap && !value.is_empty()).then(|| url::resolve(base, value))?
}
