//! Where the reading of a list stands.

use pixcrawler_delimited::{Format, LONGEST};
use pixcrawler_sdk::{Part, Request, Response};
use serde::{Deserialize, Serialize};

use crate::column::Columns;

/// The state of a crawl.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Bytes of the list that were read, and lines.
    pub(crate) at: u64,
    pub(crate) line: u64,
    pub(crate) way: Way,
    /// Reading stopped in a line that is too long.
    pub(crate) skips: bool,
    pub(crate) format: Option<Format>,
    /// Its lines end in a carriage return alone.
    #[serde(default)]
    pub(crate) cr: bool,
    pub(crate) columns: Option<Columns>,
    /// The list that is being read; another one at the same address begins anew.
    pub(crate) version: Option<Version>,
    pub(crate) restarts: u32,
    pub(crate) found: u64,
    /// Lines without an absolute address.
    pub(crate) bad: Lines,
    /// Lines that are no UTF-8.
    pub(crate) unclear: Lines,
    /// Pictures left out because they are not safe for work.
    pub(crate) not_safe: u64,
}

/// How a list is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Way {
    #[default]
    Parts,
    /// In parts, but its server gives all of it.
    Ignored,
    /// Whole, because it is compressed or in another character set.
    Whole,
}

/// Bytes of a list that are asked for at a time.
pub(crate) const WINDOW: u64 = 1 << 20;

impl State {
    /// The request for what follows. What is given whole is kept, because there may be more
    /// in it than fits a step. A part is not: the next one must be of the same list.
    pub(crate) fn request(&self, url: &str) -> Request {
        match self.way {
            Way::Parts => Request::part(url, self.at, WINDOW),
            Way::Ignored => Request { keep: true, ..Request::part(url, 0, WINDOW) },
            Way::Whole => Request { keep: true, ..Request::get(url, &[]) },
        }
    }

    /// Begins anew with a list that has changed; what was found is known to the host.
    pub(crate) fn restart(&mut self) {
        let Self { way, restarts, found, .. } = *self;
        *self = Self { way, restarts: restarts + 1, found, ..Self::default() };
    }
}

/// Characters of what tells one version from another; servers that write more differ in these already.
const LONGEST_TAG: usize = 200;

/// What tells one version of a list from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Version {
    pub(crate) etag: Option<String>,
    pub(crate) modified: Option<String>,
    pub(crate) total: Option<u64>,
}

impl Version {
    pub(crate) fn of(response: &Response, total: Option<u64>) -> Self {
        let header = |name| response.header(name).map(|value| value.chars().take(LONGEST_TAG).collect());
        Self { etag: header("etag"), modified: header("last-modified"), total }
    }

    /// Whether it is another list. Servers that share a name may tag the same
    /// file differently, but not give it another size or time.
    pub(crate) fn differs(&self, other: &Self) -> bool {
        let changed =
            |one: &Option<String>, other: &Option<String>| one.is_some() && other.is_some() && one != other;
        let same_time = self.modified.is_some() && self.modified == other.modified;
        (self.total.is_some() && other.total.is_some() && self.total != other.total)
            || changed(&self.modified, &other.modified)
            || (changed(&self.etag, &other.etag) && !same_time)
    }
}

/// A whole list in UTF-8. The host decodes what is declared to be text; anything else may say by its byte
/// order mark that it is UTF-16.
pub(crate) fn decoded(bytes: Vec<u8>) -> Vec<u8> {
    let unit: fn([u8; 2]) -> u16 = match bytes[..] {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return bytes,
    };
    let units = bytes[2..].as_chunks().0.iter().map(|pair| unit(*pair));
    let text: String = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
    text.into_bytes()
}

/// Whether the lines of the list that begins like that end in a carriage return alone, as those of old
/// spreadsheets. In any other list one within a line is nothing but space.
pub(crate) fn has_cr_only(start: &[u8]) -> bool {
    let start = &start[..start.len().min(LONGEST)];
    let first = start.iter().position(|byte| *byte == b'\r');
    first.is_some_and(|at| at + 1 < start.len()) && !start.contains(&b'\n')
}

/// Whether nothing follows that part.
pub(crate) fn is_last(part: &Part, is_range: bool) -> bool {
    let is_short = part.total.is_none() && (part.bytes.len() as u64) < WINDOW;
    !is_range || part.is_last() || is_short
}

/// Some lines of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lines {
    pub(crate) count: u64,
    /// The first of them.
    first: Vec<u64>,
    /// How many there were when the user was told.
    told: u64,
}

impl Lines {
    pub(crate) fn add(&mut self, line: u64) {
        self.count += 1;
        if self.first.len() < 5 {
            self.first.push(line);
        }
    }

    /// What to tell the user: at once when there are some, and the sum at the end.
    pub(crate) fn tell(&mut self, what: &str, at_end: bool) -> Option<String> {
        let news = self.count > self.told && (at_end || self.told == 0);
        news.then(|| {
            self.told = self.count;
            format!("{what}: {self}")
        })
    }
}

impl std::fmt::Display for Lines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let numbers: Vec<_> = self.first.iter().map(u64::to_string).collect();
        let noun = if self.count == 1 { "line" } else { "lines" };
        write!(f, "{noun} {}", numbers.join(", "))?;
        match self.count - self.first.len() as u64 {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
