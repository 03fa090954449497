//! Reads the records of a part of a list into pictures.

use std::borrow::Cow;
use std::collections::BTreeMap;

use pixcrawler_delimited::{Format, LONGEST, Reach, separator};
use pixcrawler_sdk::{CANDIDATES_PER_STEP, Candidate, Error, Found, Part, Result};
use serde_json::value::RawValue;

use crate::column::{Columns, Field, Wanted};
use crate::picture::{Fault, Picture, address, address_of};
use crate::state::State;
use crate::{Wishes, json};

/// Bytes that are read in one step, so that even a list of nothing is done in time.
const BYTES_PER_STEP: u64 = 1 << 20;
/// Lines without an address, where no line has one, after which it is no list.
const HOPELESS: u64 = 1_000;
/// The byte order mark of UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// How far a part was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// There is more of it than fits a step.
    Full,
    /// What follows stands in the next part.
    Part,
    /// The list is at its end.
    End,
}

impl State {
    /// Reads on in the part, which holds the byte at which reading stopped.
    pub(crate) fn read(
        &mut self,
        format: Format,
        part: &Part,
        is_last: bool,
        wishes: &Wishes<'_>,
        found: &mut Found,
    ) -> Result<Progress> {
        let mut reader = Reader { wishes, keys: Vec::new(), by_key: Columns::default() };
        let (begun, mut reach) = (self.at, Reach::default());
        loop {
            let bytes = part.from(self.at).unwrap_or_default();
            if bytes.is_empty() {
                return Ok(if is_last { Progress::End } else { Progress::Part });
            }
            if self.at == 0 && bytes.starts_with(MARK) {
                self.at = MARK.len() as u64;
                continue;
            }
            if found.candidates.len() >= CANDIDATES_PER_STEP || self.at - begun >= BYTES_PER_STEP {
                return Ok(Progress::Full);
            }
            if self.skips {
                let newline = bytes.iter().position(|byte| *byte == b'\n');
                self.skips = newline.is_none();
                self.at += newline.map_or(bytes.len(), |at| at + 1) as u64;
                continue;
            }
            let Some(record) = format.record(bytes, is_last, reach.at(self.at)) else {
                if bytes.len() <= LONGEST {
                    return Ok(Progress::Part);
                }
                self.line += 1;
                self.bad.add(self.line);
                self.skips = true;
                continue;
            };
            let line = self.line + 1;
            self.at += record.end as u64;
            self.line += record.lines;
            if record.bytes.len() > LONGEST {
                self.bad.add(line);
                continue;
            }
            let text = String::from_utf8_lossy(record.bytes);
            if text.contains('\u{fffd}') && str::from_utf8(record.bytes).is_err() {
                self.unclear.add(line);
            }
            let text = text.trim_start_matches('\u{feff}');
            let is_comment = match format {
                Format::Text => text.trim_start().starts_with(['#', ';']),
                Format::Csv(_) | Format::Tsv if self.columns.is_some() => false,
                Format::Csv(_) | Format::Tsv => text.starts_with('#') || separator(text).is_some(),
                Format::Jsonl => json::is_bracket(text),
            };
            if text.trim().is_empty() || is_comment {
                continue;
            }
            match reader.record(format, text, bytes, &mut self.columns, &mut found.warnings)? {
                None => {}
                Some(Ok(candidates)) => {
                    self.found += candidates.len() as u64;
                    found.candidates.extend(candidates);
                }
                Some(Err(Fault::Address)) => self.bad.add(line),
                Some(Err(Fault::Unsafe)) => self.not_safe += 1,
            }
            if self.found == 0 && self.bad.count >= HOPELESS {
                return Ok(Progress::End);
            }
        }
    }
}

struct Reader<'a> {
    wishes: &'a Wishes<'a>,
    /// The keys of the object before, and what they hold: mostly the next one has the same.
    keys: Vec<String>,
    by_key: Columns,
}

impl Reader<'_> {
    /// The pictures of a record; none where it names the columns. `bytes` are what is known of the list
    /// from this record on.
    fn record(
        &mut self,
        format: Format,
        text: &str,
        bytes: &[u8],
        columns: &mut Option<Columns>,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Result<Vec<Candidate>, Fault>>> {
        Ok(match format {
            Format::Text => {
                let mut picture = Picture::new();
                picture.set(Field::Url, address_of(text));
                Some(self.finish(picture))
            }
            Format::Jsonl => Some(json::value(text).ok_or(Fault::Address).and_then(|json| self.json(&json))),
            Format::Csv(_) | Format::Tsv => {
                let cells = format.cells(text);
                if cells.iter().all(|cell| cell.is_empty()) {
                    return Ok(None);
                }
                match columns {
                    Some(columns) => Some(self.row(&cells, columns)),
                    None => {
                        let is_data = cells.iter().any(|cell| address(cell).is_some());
                        let rows = rows(format, bytes);
                        if !is_data && is_heading(&cells, &rows) {
                            return Ok(None);
                        }
                        let known = if is_data {
                            Columns::unnamed(cells.len(), &self.wishes.columns)
                        } else {
                            Columns::named(&cells, &self.wishes.columns)
                        };
                        let known = known.map_err(|name| no_column(&name, &cells, is_data))?;
                        let columns = columns.insert(known);
                        if !is_data {
                            warnings
                                .extend(columns.unread_captions(&cells, rows.get(1..).unwrap_or_default()));
                        } else if self.wishes.columns.caption.is_none() {
                            warnings.extend(columns.guess_caption(&rows).map(str::to_owned));
                        }
                        is_data.then(|| self.row(&cells, columns))
                    }
                }
            }
        })
    }

    fn row<S: AsRef<str>>(&self, cells: &[S], columns: &mut Columns) -> Result<Vec<Candidate>, Fault> {
        let mut picture = Picture::new();
        for (at, field) in columns.iter() {
            if let Some(cell) = cells.get(at) {
                picture.set(field, cell.as_ref());
            }
        }
        if columns.column(Field::Url).is_none() {
            let free = cells.iter().enumerate().filter(|(at, _)| columns.field(*at).is_none());
            let guessed = free.into_iter().find(|(_, cell)| picture.guess(cell.as_ref())).map(|(at, _)| at);
            if let Some(at) = guessed {
                columns.push(at, Field::Url);
            }
        }
        self.finish(picture)
    }

    /// A line of JSON: an object, or addresses by themselves.
    fn json(&mut self, text: &str) -> Result<Vec<Candidate>, Fault> {
        let mut picture = Picture::new();
        let Ok(object) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) else {
            picture.set_urls(addresses(text, DEEPEST));
            return self.finish(picture);
        };
        if !object.keys().eq(&self.keys) {
            self.keys = object.keys().cloned().collect();
            // Only some objects may lack what the user names.
            self.by_key = Columns::named(&self.keys, &self.wishes.columns).map_err(|_| Fault::Address)?;
        }
        let values: Vec<_> = object.values().map(|value| value.get()).collect();
        for (at, field) in self.by_key.iter() {
            let value = values.get(at).copied().unwrap_or_default();
            match field {
                Field::Url => picture.set_urls(addresses(value, DEEPEST)),
                _ => set(&mut picture, field, value),
            }
        }
        if self.by_key.column(Field::Url).is_none() {
            picture.set_urls(in_free(&values, &self.by_key, DEEPEST));
        }
        self.finish(picture)
    }

    fn finish(&self, picture: Picture) -> Result<Vec<Candidate>, Fault> {
        picture.finish(self.wishes.only_safe, self.wishes.license.as_ref())
    }
}

/// Rows that are looked at to tell what columns hold.
const ROWS: usize = 50;

/// Whether the first row is what stands above a table and its names: one cell, where others have more.
fn is_heading<S: AsRef<str>>(cells: &[S], rows: &[Vec<String>]) -> bool {
    let names = Columns::named(cells, &Wanted::default()).unwrap_or_default();
    filled(cells) == 1 && names.column(Field::Url).is_none() && rows.iter().any(|row| filled(row) > 1)
}

fn filled<S: AsRef<str>>(cells: &[S]) -> usize {
    cells.iter().filter(|cell| !cell.as_ref().is_empty()).count()
}

/// The first rows.
fn rows(format: Format, mut bytes: &[u8]) -> Vec<Vec<String>> {
    let (mut rows, mut reach) = (Vec::new(), Reach::default());
    while rows.len() < ROWS
        && let Some(record) = format.record(bytes, true, reach.at(0))
    {
        let text = String::from_utf8_lossy(record.bytes);
        if !text.trim().is_empty() {
            rows.push(format.cells(&text).into_iter().map(Cow::into_owned).collect());
        }
        bytes = &bytes[record.end..];
    }
    rows
}

/// Values of JSON in one another that are looked into.
const DEEPEST: usize = 4;

/// The addresses in a value of JSON: a text, or an object or a list with them.
fn addresses(json: &str, depth: usize) -> Vec<String> {
    let Some(depth) = depth.checked_sub(1) else { return Vec::new() };
    match json.as_bytes().first() {
        Some(b'"') => {
            serde_json::from_str(json).ok().and_then(|text: String| address(&text)).into_iter().collect()
        }
        Some(b'[') => {
            let values: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
            values.into_iter().flat_map(|value| addresses(value.get(), depth)).collect()
        }
        Some(b'{') => {
            let object: BTreeMap<String, &RawValue> = serde_json::from_str(json).unwrap_or_default();
            let names: Vec<_> = object.keys().collect();
            let columns = Columns::named(&names, &Wanted::default()).unwrap_or_default();
            let values: Vec<_> = object.values().map(|value| value.get()).collect();
            match columns.column(Field::Url).and_then(|at| values.get(at)) {
                Some(value) => addresses(value, depth),
                None => in_free(&values, &columns, depth),
            }
        }
        _ => Vec::new(),
    }
}

/// The addresses in the first value that has any and is known to hold nothing else; texts come before what
/// has others in it.
fn in_free(values: &[&str], columns: &Columns, depth: usize) -> Vec<String> {
    let free =
        || values.iter().enumerate().filter(|(at, _)| columns.field(*at).is_none()).map(|(_, value)| value);
    let texts = free().filter(|value| value.starts_with('"'));
    let others = free().filter(|value| value.starts_with(['[', '{']));
    texts
        .chain(others)
        .map(|value| addresses(value, depth))
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

/// Adds a value of JSON: a text, a number or a truth, or a list of those.
fn set(picture: &mut Picture, field: Field, json: &str) {
    if !json.starts_with('[') {
        if let Some(value) = scalar(json) {
            picture.set(field, &value);
        }
        return;
    }
    let values: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
    let adds_up = matches!(field, Field::Tags | Field::Label | Field::Labels);
    let values = values.into_iter().map(RawValue::get).filter(|value| !value.starts_with(['[', '{']));
    for value in values.take(if adds_up { usize::MAX } else { 1 }).filter_map(scalar) {
        picture.add(field, &value);
    }
}

/// A text, or a number or a truth as it is written.
fn scalar(json: &str) -> Option<Cow<'_, str>> {
    match json.as_bytes().first()? {
        b'"' => serde_json::from_str(json).ok().map(Cow::Owned),
        b'[' | b'{' | b'n' => None,
        _ => Some(Cow::Borrowed(json)),
    }
}

fn no_column<S: AsRef<str>>(name: &str, cells: &[S], is_data: bool) -> Error {
    let count = cells.len();
    Error::InvalidQuery(if is_data {
        format!("the list has no column `{name}`: its columns have no names, only numbers from 1 to {count}")
    } else {
        let names: Vec<_> = cells.iter().map(AsRef::as_ref).collect();
        let names: String = names.join(", ").chars().take(300).collect();
        format!("the list has no column `{name}`; it has {names}")
    })
}
