//! Cuts bytes into records and records into cells, for lists of addresses: those that the host reads from
//! a file, and those that the source `url-list` reads from the web. A record is a line, but for CSV, where a
//! cell in quotes may go over several lines.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// How a list is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// An address a line.
    Text,
    /// Cells between that byte, in quotes where they need them (RFC 4180).
    Csv(u8),
    /// Cells between tabs.
    Tsv,
    /// A JSON object, or an address as a JSON text, a line.
    Jsonl,
}

/// The bytes at the start of a list that are one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Without the end of the line.
    pub bytes: &'a [u8],
    /// Where the next one begins.
    pub end: usize,
    /// Lines that it takes.
    pub lines: u64,
}

/// Bytes within which a quote must be closed, and beyond which a line is none.
pub const LONGEST: usize = 64 << 10;

/// How far the end of a record with quotes is looked for. It is halved where that was in vain, so
/// that a list of stray quotes is not read to the end for each of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reach {
    bytes: usize,
    /// Where in the list it is as far as ever again.
    until: u64,
}

impl Reach {
    /// How far it is for the record that begins at that byte of the list.
    pub const fn at(&mut self, at: u64) -> &mut Self {
        if at >= self.until {
            *self = Self { bytes: LONGEST, until: at + LONGEST as u64 };
        }
        self
    }
}

impl Format {
    /// The first record of `bytes`; none where there is no more, or where more
    /// bytes must be known first, which come unless `is_last`.
    #[must_use]
    pub fn record<'a>(self, bytes: &'a [u8], is_last: bool, reach: &mut Reach) -> Option<Record<'a>> {
        let newline = bytes.iter().position(|byte| *byte == b'\n');
        let line = &bytes[..newline.unwrap_or(bytes.len())];
        if let Self::Csv(delimiter) = self
            && line.contains(&b'"')
        {
            let within = &bytes[..bytes.len().min(reach.bytes)];
            let is_all = within.len() == bytes.len();
            match csv_end(within, delimiter) {
                Ok(Some(end)) => return Some(Record::to(bytes, end)),
                Ok(None) if is_all && is_last => return Some(Record::to(bytes, bytes.len())),
                // More bytes may close the quote; where they do not, it is one that nobody meant.
                _ if is_all && !is_last => return None,
                _ => reach.bytes /= 2,
            }
        }
        match newline {
            Some(end) => Some(Record::to(bytes, end)),
            None if is_last && !bytes.is_empty() => Some(Record::to(bytes, bytes.len())),
            None => None,
        }
    }

    /// The cells of a record; all of it where it has none.
    #[must_use]
    pub fn cells(self, record: &str) -> Vec<Cow<'_, str>> {
        match self {
            Self::Text | Self::Jsonl => vec![Cow::Borrowed(record)],
            Self::Tsv => record.split('\t').map(bare).collect(),
            Self::Csv(delimiter) => csv_cells(record, delimiter),
        }
    }
}

/// What the line `sep=;` says that spreadsheets write before all others: what sets cells apart.
#[must_use]
pub fn separator(line: &str) -> Option<u8> {
    let line = line.trim_matches(['"', '\r', ' ']);
    let is_one = line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("sep="));
    match line.as_bytes().get(4..)? {
        [byte] if is_one && byte.is_ascii() && !byte.is_ascii_alphanumeric() => Some(*byte),
        _ => None,
    }
}

impl<'a> Record<'a> {
    /// The record that ends before that byte, which ends a line or all.
    fn to(bytes: &'a [u8], end: usize) -> Self {
        let record = &bytes[..end];
        let lines = 1 + record.iter().filter(|byte| **byte == b'\n').count() as u64;
        Self { bytes: record.strip_suffix(b"\r").unwrap_or(record), end: bytes.len().min(end + 1), lines }
    }
}

/// A cell of CSV.
struct Cell {
    start: usize,
    end: usize,
    is_quoted: bool,
    /// The delimiter or the end of the line behind it, or the end of all.
    stop: usize,
}

/// The cell that begins at `from`; none where its quote is not closed.
fn csv_cell(bytes: &[u8], from: usize, delimiter: u8) -> Option<Cell> {
    let find = |from: usize, is: &dyn Fn(u8) -> bool| {
        bytes[from..].iter().position(|byte| is(*byte)).map(|at| from + at)
    };
    let stop = |from: usize| find(from, &|byte| byte == delimiter || byte == b'\n').unwrap_or(bytes.len());
    let quote = find(from, &|byte| byte != b' ').filter(|at| bytes[*at] == b'"');
    let Some(quote) = quote else {
        let end = stop(from);
        return Some(Cell { start: from, end, is_quoted: false, stop: end });
    };
    let mut at = quote + 1;
    loop {
        let end = find(at, &|byte| byte == b'"')?;
        if bytes.get(end + 1) != Some(&b'"') {
            return Some(Cell { start: quote + 1, end, is_quoted: true, stop: stop(end + 1) });
        }
        at = end + 2;
    }
}

/// Where the line ends that begins with `bytes` (none: with them), or an error
/// where a quote is not closed.
fn csv_end(bytes: &[u8], delimiter: u8) -> Result<Option<usize>, ()> {
    let mut from = 0;
    loop {
        let stop = csv_cell(bytes, from, delimiter).ok_or(())?.stop;
        match bytes.get(stop) {
            None => return Ok(None),
            Some(b'\n') => return Ok(Some(stop)),
            Some(_) => from = stop + 1,
        }
    }
}

fn csv_cells(record: &str, delimiter: u8) -> Vec<Cow<'_, str>> {
    let bytes = record.as_bytes();
    let mut cells = Vec::new();
    let mut from = 0;
    loop {
        let stop = match csv_cell(bytes, from, delimiter) {
            Some(Cell { start, end, is_quoted: true, stop }) => {
                let text = &record[start..end];
                cells.push(match text.contains("\"\"") {
                    true => Cow::Owned(text.replace("\"\"", "\"")),
                    false => Cow::Borrowed(text),
                });
                stop
            }
            Some(Cell { start, end, stop, .. }) => {
                cells.push(Cow::Borrowed(record[start..end].trim()));
                stop
            }
            None => {
                let stop = bytes[from..].iter().position(|byte| *byte == delimiter);
                let stop = stop.map_or(bytes.len(), |at| from + at);
                cells.push(Cow::Borrowed(record[from..stop].trim()));
                stop
            }
        };
        if stop >= bytes.len() {
            return cells;
        }
        from = stop + 1;
    }
}

/// A cell of TSV: in quotes only where they stand at both ends.
fn bare(cell: &str) -> Cow<'_, str> {
    let cell = cell.trim();
    match cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')) {
        Some(inside) if inside.contains("\"\"") => Cow::Owned(inside.replace("\"\"", "\"")),
        Some(inside) if !inside.contains('"') => Cow::Borrowed(inside),
        _ => Cow::Borrowed(cell),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CSV: Format = Format::Csv(b',');

    /// All records of a list, with their lines.
    fn records(format: Format, list: &[u8]) -> Vec<(&[u8], u64)> {
        let (mut rest, mut all, mut reach) = (list, Vec::new(), Reach::default());
        while let Some(record) = format.record(rest, true, reach.at((list.len() - rest.len()) as u64)) {
            all.push((record.bytes, record.lines));
            rest = &rest[record.end..];
        }
        all
    }

    #[test]
    fn records_are_lines_but_for_quotes() {
        let check = |format, list: &str, expect: &[(&str, u64)]| {
            let found: Vec<_> = records(format, list.as_bytes())
                .into_iter()
                .map(|(bytes, lines)| (str::from_utf8(bytes).unwrap(), lines))
                .collect();
            assert_eq!(found, expect, "{list:?}");
        };
        check(Format::Text, "", &[]);
        check(Format::Text, "a\r\nb\n\nc", &[("a", 1), ("b", 1), ("", 1), ("c", 1)]);
        check(Format::Text, "\"a\nb\"\n", &[("\"a", 1), ("b\"", 1)]);
        check(CSV, "a,\"b\nc\",d\r\ne", &[("a,\"b\nc\",d", 2), ("e", 1)]);
        check(CSV, "a,\"b\"\"\nc\"\n", &[("a,\"b\"\"\nc\"", 2)]);
        check(CSV, "a, \"b\nc\"\nd", &[("a, \"b\nc\"", 2), ("d", 1)]);
        check(CSV, "a,b\"c\nd", &[("a,b\"c", 1), ("d", 1)]);
        check(CSV, "a,\"b\nc\nd", &[("a,\"b", 1), ("c", 1), ("d", 1)]);
        let long = format!("\"{}\n\",b\nc", "a".repeat(LONGEST));
        check(CSV, &long, &[(&long[..=LONGEST], 1), ("\",b", 1), ("c", 1)]);
    }

    /// The first record, with nothing looked for in vain before.
    fn first(format: Format, bytes: &[u8], is_last: bool) -> Option<Record<'_>> {
        format.record(bytes, is_last, Reach::default().at(0))
    }

    #[test]
    fn stray_quotes_are_not_followed_to_the_end_each() {
        // Half a second in a debug build where reading is linear; many minutes where it is not.
        let list = ",\"a\",\"c\n".repeat(200_000);
        assert_eq!(records(CSV, list.as_bytes()).len(), 200_000);
        let more = format!("a,\"b\n{}c,\"d\ne\"\n", "f\n".repeat(LONGEST));
        assert_eq!(records(CSV, more.as_bytes()).last(), Some(&(b"c,\"d\ne\"".as_slice(), 2)));
    }

    #[test]
    fn what_may_go_on_is_waited_for() {
        for (format, list) in
            [(Format::Text, ""), (Format::Text, "a"), (CSV, "a,\"b\nc"), (CSV, "a,\"b\nc\""), (CSV, "\"")]
        {
            assert_eq!(first(format, list.as_bytes(), false), None, "{list}");
        }
        assert!(first(Format::Text, b"a\n", false).is_some());
        assert!(first(CSV, &[b"\"".as_slice(), &vec![b'\n'; LONGEST]].concat(), false).is_some());
    }

    #[test]
    fn cells() {
        for (format, record, expect) in [
            (CSV, "", &[""][..]),
            (CSV, "a,,b ,", &["a", "", "b", ""]),
            (CSV, "\"a,b\", \"c\"\"d\" x,\"\"", &["a,b", "c\"d", ""]),
            (CSV, "a\"b,\"c,d", &["a\"b", "\"c", "d"]),
            (Format::Csv(b';'), "a;\"b;c\",d;e", &["a", "b;c", "e"]),
            (Format::Tsv, "a\t\"b\"\t\"c\" d\t\"e \"\"f\"\"\"", &["a", "b", "\"c\" d", "e \"f\""]),
            (Format::Tsv, "\"\t\"\t", &["\"", "\"", ""]),
            (Format::Text, "a,b\tc", &["a,b\tc"]),
            (CSV, "grün,\"ä,ö\"", &["grün", "ä,ö"]),
        ] {
            assert_eq!(format.cells(record), expect, "{record}");
        }
    }

    proptest! {
        #[test]
        fn records_take_everything(list in "[a\",;\t\r\n é]{0,40}", cut in 0_usize..40) {
            for format in [Format::Text, CSV, Format::Tsv, Format::Jsonl] {
                let mut rest = list.as_bytes();
                let mut lines = 0;
                while let Some(record) = first(format, rest, true) {
                    prop_assert!(record.end > 0);
                    lines += record.lines;
                    rest = &rest[record.end..];
                    let text = str::from_utf8(record.bytes).unwrap();
                    prop_assert!(!format.cells(text).is_empty());
                }
                prop_assert!(rest.is_empty());
                prop_assert_eq!(lines, list.lines().count() as u64);
                // Where a part is enough, the record is the same as with all of it.
                let part = &list.as_bytes()[..cut.min(list.len())];
                if let Some(record) = first(format, part, false) {
                    prop_assert_eq!(Some(record.bytes), first(format, list.as_bytes(), true).map(|record| record.bytes));
                }
            }
        }
    }
}
