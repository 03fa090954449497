//! Reads the records of a part of a list into pictures.

use std::borrow::Cow;
use std::collections::BTreeMap;

use pixcrawler_sdk::{CANDIDATES_PER_STEP, Candidate, Error, Found, Part, Result, json};
use serde_json::value::RawValue;

use crate::Wishes;
use crate::column::{Columns, Field};
use crate::picture::{Fault, Picture, address};
use crate::record::{Format, LONGEST, Reach};
use crate::state::State;

/// Bytes that are read in one step, so that even a list of nothing is done in time.
const BYTES_PER_STEP: u64 = 1 << 20;
/// Lines without an address, where no line has one, after which it is no list.
const HOPELESS: u64 = 1_000;

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
            let is_comment = text.starts_with('#')
                && match format {
                    Format::Text => true,
                    Format::Csv(_) | Format::Tsv => self.columns.is_none(),
                    Format::Jsonl => false,
                };
            if text.trim().is_empty() || is_comment {
                continue;
            }
            match reader.record(format, text, bytes, &mut self.columns, &mut found.warnings)? {
                None => {}
                Some(Ok(candidate)) => {
                    self.found += 1;
                    found.candidates.push(candidate);
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
    /// The picture of a record; none where it names the columns. `bytes` are what is known of the list
    /// from this record on.
    fn record(
        &mut self,
        format: Format,
        text: &str,
        bytes: &[u8],
        columns: &mut Option<Columns>,
        warnings: &mut Vec<String>,
    ) -> Result<Option<Result<Candidate, Fault>>> {
        Ok(match format {
            Format::Text => {
                let mut picture = Picture::new();
                picture.set(Field::Url, text);
                Some(self.finish(picture))
            }
            Format::Jsonl => Some(self.json(text)),
            Format::Csv(_) | Format::Tsv => {
                let cells = format.cells(text);
                match columns {
                    Some(columns) => Some(self.row(&cells, columns)),
                    None => {
                        let is_data = cells.iter().any(|cell| address(cell).is_some());
                        let known = if is_data {
                            Columns::unnamed(cells.len(), &self.wishes.columns)
                        } else {
                            Columns::named(&cells, &self.wishes.columns)
                        };
                        let known = known.map_err(|name| no_column(&name, &cells, is_data))?;
                        let columns = columns.insert(known);
                        let rows = rows(format, bytes);
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

    fn row<S: AsRef<str>>(&self, cells: &[S], columns: &mut Columns) -> Result<Candidate, Fault> {
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

    /// A line of JSON: an object, or an address by itself.
    fn json(&mut self, text: &str) -> Result<Candidate, Fault> {
        let mut picture = Picture::new();
        let text = &json::mend(text);
        let Ok(object) = serde_json::from_str::<BTreeMap<String, &RawValue>>(text) else {
            let url: String = serde_json::from_str(text).map_err(|_| Fault::Address)?;
            picture.set(Field::Url, &url);
            return self.finish(picture);
        };
        if !object.keys().eq(&self.keys) {
            self.keys = object.keys().cloned().collect();
            // Only some objects may lack what the user names.
            self.by_key = Columns::named(&self.keys, &self.wishes.columns).map_err(|_| Fault::Address)?;
        }
        let values: Vec<_> = object.values().map(|value| value.get()).collect();
        for (at, field) in self.by_key.iter() {
            set(&mut picture, field, values.get(at).copied().unwrap_or_default());
        }
        if self.by_key.column(Field::Url).is_none() {
            let free = values.iter().enumerate().filter(|(at, _)| self.by_key.field(*at).is_none());
            let texts = free.filter_map(|(_, value)| serde_json::from_str::<String>(value).ok());
            texts.into_iter().any(|value| picture.guess(&value));
        }
        self.finish(picture)
    }

    fn finish(&self, picture: Picture) -> Result<Candidate, Fault> {
        picture.finish(self.wishes.only_safe, self.wishes.license.as_ref())
    }
}

/// Rows that are looked at to tell what columns hold.
const ROWS: usize = 50;

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

/// Adds a value of JSON: a text, a number or a truth, or a list of those.
fn set(picture: &mut Picture, field: Field, json: &str) {
    match json.as_bytes().first() {
        Some(b'"') => {
            if let Ok(text) = serde_json::from_str::<String>(json) {
                picture.set(field, &text);
            }
        }
        Some(b'[') => {
            let values: Vec<&RawValue> = serde_json::from_str(json).unwrap_or_default();
            let adds_up = matches!(field, Field::Tags | Field::Label);
            // A tag in a list is set apart already.
            let field = if adds_up { Field::Label } else { field };
            let values = values.into_iter().map(RawValue::get).filter(|value| !value.starts_with(['[', '{']));
            values.take(if adds_up { usize::MAX } else { 1 }).for_each(|value| set(picture, field, value));
        }
        Some(b'{' | b'n') | None => {}
        Some(_) => picture.set(field, json),
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
