//! Files that are read in parts, by HTTP range requests.

use crate::{Content, Error, Request, Response, Result};

/// What an answer holds of a file: the part that [`Request::part`] asked for, or
/// all of it where the server does not know parts or was not asked for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Where in the file it begins, in bytes.
    pub start: u64,
    /// Bytes of the whole file, where the server says that.
    pub total: Option<u64>,
    /// As they are in the file, or as UTF-8 where the host has decoded it.
    pub bytes: Vec<u8>,
}

impl Request {
    /// A GET of at most `length` bytes (at least 1) of a file from byte `start` on.
    #[must_use]
    pub fn part(address: &str, start: u64, length: u64) -> Self {
        let last = start.saturating_add(length.max(1) - 1);
        let headers = vec![("range".to_owned(), format!("bytes={start}-{last}"))];
        Self { headers, ..Self::get(address, &[]) }
    }
}

impl Part {
    /// What there is from that byte of the file on; `None` when the part begins
    /// behind it or ends before it.
    #[must_use]
    pub fn from(&self, at: u64) -> Option<&[u8]> {
        self.bytes.get(usize::try_from(at.checked_sub(self.start)?).ok()?..)
    }

    /// Whether the file is known to end with this part.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.total.is_some_and(|total| self.start.saturating_add(self.bytes.len() as u64) >= total)
    }
}

impl Response {
    /// The part of a file that a successful answer holds, without a copy.
    ///
    /// # Errors
    ///
    /// `layout-changed` when status 206 comes without saying which part.
    pub fn into_part(self) -> Result<Part> {
        let range = self.header("content-range").and_then(content_range);
        let is_part = self.status == 206;
        let bytes = match self.body {
            Content::Text(text) => text.into_bytes(),
            Content::Binary(bytes) => bytes,
        };
        match range {
            Some((start, total)) if is_part => Ok(Part { start, total, bytes }),
            None if is_part => {
                Err(Error::LayoutChanged(format!("expected `content-range` with status 206 at {}", self.url)))
            }
            _ => Ok(Part { start: 0, total: Some(bytes.len() as u64), bytes }),
        }
    }
}

/// Start and total of `bytes 0-1023/4096`, where the total may be `*`.
fn content_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (unit, rest) = value.trim().split_once(' ')?;
    let (range, total) = rest.trim().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    (unit.eq_ignore_ascii_case("bytes") && first <= last).then(|| (first, number(total)))
}

fn number(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Answer;

    fn part(status: u16, range: Option<&str>, body: &[u8]) -> Result<Part> {
        let mut response = Answer::of("https://example.org/list", status, "").outcome.unwrap();
        response.headers.extend(range.map(|range| ("content-range".to_owned(), range.to_owned())));
        Response { body: Content::Binary(body.to_vec()), ..response }.into_part()
    }

    #[test]
    fn parts_are_asked_for() {
        let range = |start, length| Request::part("https://example.org/list", start, length).headers;
        assert_eq!(range(0, 10), [("range".to_owned(), "bytes=0-9".to_owned())]);
        assert_eq!(range(10, 0), [("range".to_owned(), "bytes=10-10".to_owned())]);
    }

    #[test]
    fn an_answer_says_which_part_it_is() {
        let of = |start, total| Ok(Part { start, total, bytes: b"abc".to_vec() });
        for (range, expect) in [
            ("bytes 7-9/10", of(7, Some(10))),
            ("Bytes 7-9 / 11", of(7, Some(11))),
            ("bytes 7-9/*", of(7, None)),
        ] {
            assert_eq!(part(206, Some(range), b"abc"), expect, "{range}");
        }
        for range in
            [None, Some(""), Some("bytes */10"), Some("bytes 9-7/10"), Some("lines 1-2/3"), Some("-1-2/3")]
        {
            assert!(matches!(part(206, range, b"abc"), Err(Error::LayoutChanged(_))), "{range:?}");
        }
        // A server may say what it can do with a whole file, too.
        assert_eq!(part(200, Some("bytes 7-9/10"), b"abc"), of(0, Some(3)));
    }

    #[test]
    fn a_file_is_read_from_any_place() {
        let part = Part { start: 7, total: Some(10), bytes: b"abc".to_vec() };
        for (at, expect) in [(6, None), (7, Some("abc")), (9, Some("c")), (10, Some("")), (11, None)] {
            assert_eq!(part.from(at), expect.map(str::as_bytes), "{at}");
        }
        assert!(part.is_last());
        assert!(!Part { total: Some(11), ..part.clone() }.is_last());
        assert!(!Part { total: None, ..part }.is_last());
    }
}
