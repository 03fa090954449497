//! Where a crawl stands: the indexes that are open, the file that is read, and what was found so far.

use pixcrawler_sdk::{Content, Error, Found, Next, Request, Response, Result, Turn, url};
use serde::{Deserialize, Serialize};

/// The state of a crawl.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Indexes that are being walked, outermost first.
    pub(crate) levels: Vec<Level>,
    /// The file that was asked for.
    pub(crate) file: Place,
    pub(crate) counts: Counts,
}

/// A place in a document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Place {
    /// The document's address.
    pub(crate) url: String,
    /// In bytes: what stands before it has been read.
    pub(crate) at: u64,
    /// The document is larger than an answer and read by ranges.
    pub(crate) parts: bool,
}

/// An index that is being walked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Level {
    /// Behind the sitemaps in `left`.
    pub(crate) place: Place,
    /// Addresses of sitemaps that come next.
    pub(crate) left: Vec<String>,
    /// There are more in the document.
    pub(crate) more: bool,
}

/// What was read and left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// Files asked for, and those of them that named pages.
    pub(crate) files: u32,
    pub(crate) read: u32,
    /// Pages named, and those of them without pictures.
    pub(crate) pages: u64,
    pub(crate) bare: u64,
    /// Pictures whose address is missing or none.
    pub(crate) nameless: u64,
    /// Pictures whose address is longer than one may be.
    pub(crate) too_long: u64,
    /// Pictures beyond what a page may have.
    pub(crate) surplus: u64,
    /// Files that could not be read, and how many of them in a row might be had later.
    pub(crate) lost: u32,
    pub(crate) passing: u32,
}

/// Which document an answer is.
pub(crate) const ROBOTS: &str = "robots.txt";
/// A file looked for where a site mostly has it.
pub(crate) const GUESS: &str = "guess";
pub(crate) const FILE: &str = "file";
/// An index that is walked further.
pub(crate) const INDEX: &str = "index";

/// Bytes of a document that are asked for at a time, where it is read by ranges.
pub(crate) const WINDOW: u64 = 1 << 20;
/// Indexes in one another.
pub(crate) const MOST_LEVELS: usize = 3;
/// Bytes of addresses in [`Level::left`], so that the state stays below 64 KiB.
pub(crate) const LEFT: usize = 8 << 10;
/// Files that could not be read and are named one by one.
const NAMED: u32 = 5;

impl Place {
    pub(crate) fn start(url: impl Into<String>) -> Self {
        Self { url: url.into(), ..Self::default() }
    }

    /// The request for what is there. What is given whole is kept, because there may be
    /// more in it than fits a step.
    pub(crate) fn request(&self, key: &str) -> Request {
        let request = if self.parts {
            Request::part(&self.url, self.at, WINDOW)
        } else {
            Request { keep: true, ..Request::get(&self.url, &[]) }
        };
        Request { key: key.to_owned(), ..request }
    }

    /// The text of the answer.
    pub(crate) fn open(&self, response: Response) -> Result<Text> {
        if response.status != 206 {
            let text = match response.body {
                Content::Text(text) => text,
                Content::Binary(bytes) => lenient(bytes),
            };
            return Ok(Text { text, start: 0, is_last: true });
        }
        let part = response.into_part()?;
        Ok(Text { is_last: part.is_last(), start: part.start, text: lenient(part.bytes) })
    }
}

/// A document, or a part of one.
#[derive(Debug)]
pub(crate) struct Text {
    pub(crate) text: String,
    /// Where in the document it begins, in bytes.
    pub(crate) start: u64,
    /// The document ends with it.
    pub(crate) is_last: bool,
}

impl Text {
    /// Where in the text that byte of the document is.
    pub(crate) fn place(&self, at: u64) -> usize {
        usize::try_from(at.saturating_sub(self.start)).unwrap_or(usize::MAX).min(self.text.len())
    }
}

/// The bytes as text of the same length: what is no UTF-8 becomes `?`.
fn lenient(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| {
        let bytes = error.into_bytes();
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            text.extend(chunk.invalid().iter().map(|_| '?'));
        }
        text
    })
}

impl State {
    /// Asks for a file that was not asked for yet.
    pub(crate) fn fetch(mut self, found: Found, key: &str, url: String) -> Turn<Self> {
        self.file = Place::start(url);
        self.counts.files += 1;
        self.read_on(found, key)
    }

    /// Asks for the rest of the file.
    pub(crate) fn read_on(self, found: Found, key: &str) -> Turn<Self> {
        Turn { found, next: Next::Fetch(vec![self.file.request(key)]), state: self }
    }

    /// Reads on in the same answer.
    pub(crate) fn again(self, found: Found) -> Turn<Self> {
        Turn { found, next: Next::Again, state: self }
    }

    /// Goes on with the next file, as long as there is one.
    ///
    /// # Errors
    ///
    /// `why` the last file could not be read, when there is no other and none could.
    pub(crate) fn advance(
        mut self,
        mut found: Found,
        most_files: u32,
        why: Option<Error>,
    ) -> Result<Turn<Self>> {
        while let Some(level) = self.levels.last_mut() {
            if !level.left.is_empty() {
                if self.counts.files >= most_files {
                    found.warnings.push(format!(
                        "stopped after {most_files} sitemaps, there are more (option `max-files`)"
                    ));
                    break;
                }
                let url = level.left.remove(0);
                return Ok(self.fetch(found, FILE, url));
            }
            if level.more {
                let request = level.place.request(INDEX);
                return Ok(Turn { found, next: Next::Fetch(vec![request]), state: self });
            }
            self.levels.pop();
        }
        if let Some(why) = why.filter(|_| self.counts.read == 0) {
            return Err(why);
        }
        found.warnings.extend(self.counts.summary());
        Ok(Turn { found, next: Next::Done, state: self })
    }

    /// Counts a file that cannot be read, and says so as long as there are few.
    pub(crate) fn lose(&mut self, found: &mut Found, why: &str) {
        self.counts.lost += 1;
        if self.counts.lost <= NAMED {
            found.warnings.push(format!("left out: {why}"));
        }
    }
}

impl Counts {
    /// What was left out of all that was read, in words.
    fn summary(&self) -> impl Iterator<Item = String> + use<> {
        let Self { read, pages, bare, nameless, too_long, surplus, lost, .. } = *self;
        let left_out =
            |why: &str, count: u64| (count > 0).then(|| format!("left out because {why}: {count}"));
        let said = [
            (read > 0 && pages == 0).then(|| "the sitemaps name no pages".to_owned()),
            (bare > 0).then(|| {
                format!("pages named without pictures: {bare} of {pages}; the source `webpage` reads a page itself")
            }),
            left_out("they have no address, pictures", nameless),
            left_out(&format!("their addresses are longer than {} bytes, pictures", url::LONGEST), too_long),
            left_out("a page may have 1000, pictures", surplus),
            left_out("they could not be read, sitemaps", u64::from(lost).saturating_sub(NAMED.into())),
        ];
        said.into_iter().flatten()
    }
}
