//! Files as arithmetic: what each is made of, in order, without the bytes of pictures, so that lengths and any
//! range of it come without the rest.
//!
//! A file is made in passes over the same items. What a pass gives for each of them depends on the item and on
//! what came before, and never on bytes of pictures.

use std::ops::Range;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{attribution, labels::LabelFormat};
use crate::model::{ExportItem, ExportRecord, Format, Sha256, SplitPart};

/// A part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// These bytes.
    Bytes(Bytes),
    /// Those of the picture of the item at hand, all of them.
    Picture(PictureRef),
}

/// The bytes of a picture, wherever they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PictureRef {
    /// Of the bytes; names the object with `format`.
    pub sha256: Sha256,
    /// Of the bytes.
    pub format: Format,
    /// In bytes.
    pub size: u64,
}

/// A file that is made in passes over its items.
pub trait Layout: Send {
    /// How many passes it takes.
    fn passes(&self) -> usize;
    /// Whether a pass looks at the items.
    fn reads_items(&self, pass: usize) -> bool;
    /// What the texts within have come to, in their order, once their passes are done.
    fn texts(&self) -> Vec<TextMeasure> {
        Vec::new()
    }
    /// What comes before the first item of a pass. `start` is where in the file that is, in bytes.
    fn begin(&mut self, pass: usize, start: u64, out: &mut Vec<Segment>);
    /// What an item gives in a pass.
    fn item(&mut self, pass: usize, item: &ExportItem, out: &mut Vec<Segment>);
    /// What comes behind the last item of a pass.
    fn end(&mut self, pass: usize, out: &mut Vec<Segment>);
}

/// A file of text with a row for each item, in one pass.
#[derive(Debug)]
pub struct RowFile {
    rows: Rows,
    /// How many there are.
    records: usize,
    is_first: bool,
}

/// What the rows of a file say.
#[derive(Clone, Copy, Debug)]
pub enum Rows {
    /// What is known of each picture, of an export that is split or not.
    Labels(LabelFormat, bool),
    /// What is known of each picture of this part, a record a line.
    Part(SplitPart),
    /// Whom to name for it, by the name that it has where it is made into this format.
    Attribution(Option<Format>),
}

/// A text that is the same whatever the items are.
#[derive(Debug)]
pub struct FixedFile(pub String);

/// How long a text is, and its hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextMeasure {
    /// In bytes.
    pub size: u64,
    /// As in zip archives.
    pub crc32: u32,
    /// In hexadecimal.
    pub sha256: String,
}

/// What of a file is wanted, as it comes by.
#[derive(Clone, Debug)]
pub struct Cut {
    /// Bytes still to be left out.
    skip: u64,
    /// Bytes still to be given.
    left: u64,
}

/// A part of a file that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Bytes(Bytes),
    /// These of the picture's bytes.
    Picture(PictureRef, Range<u64>),
}

impl Segment {
    /// A picture of this item.
    #[must_use]
    pub const fn picture(item: &ExportItem) -> Self {
        let ExportItem { sha256, format, size, .. } = *item;
        Self::Picture(PictureRef { sha256, format, size })
    }

    /// In bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Picture(picture) => picture.size,
        }
    }

    /// Whether it has no bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl From<Vec<u8>> for Segment {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<String> for Segment {
    fn from(text: String) -> Self {
        Self::Bytes(text.into())
    }
}

impl RowFile {
    /// With so many rows.
    #[must_use]
    pub const fn new(rows: Rows, records: usize) -> Self {
        Self { rows, records, is_first: true }
    }

    /// What stands before all.
    #[must_use]
    pub fn head(&mut self) -> Vec<u8> {
        self.is_first = true;
        match self.rows {
            Rows::Labels(format, is_split) => format.head(self.records, is_split),
            Rows::Part(_) => Vec::new(),
            Rows::Attribution(_) => attribution::head(),
        }
    }

    /// What stands for a picture.
    #[must_use]
    pub fn row(&mut self, record: &ExportRecord) -> Vec<u8> {
        let is_first = std::mem::take(&mut self.is_first);
        match self.rows {
            Rows::Labels(format, _) if is_first => format.record(record),
            Rows::Labels(format, _) => [format.separator(), &format.record(record)].concat(),
            Rows::Part(part) if record.split == Some(part) => LabelFormat::Jsonl.record(record),
            Rows::Part(_) => Vec::new(),
            Rows::Attribution(None) => attribution::row(record),
            Rows::Attribution(Some(format)) => {
                attribution::row(&ExportRecord { file_name: record.made_file_name(format), ..record.clone() })
            }
        }
    }

    /// What stands behind all.
    #[must_use]
    pub const fn foot(&self) -> &'static [u8] {
        match self.rows {
            Rows::Labels(format, _) => format.foot(self.records),
            Rows::Part(_) | Rows::Attribution(_) => b"",
        }
    }
}

impl Layout for RowFile {
    fn passes(&self) -> usize {
        1
    }

    fn reads_items(&self, _: usize) -> bool {
        true
    }

    fn begin(&mut self, _: usize, _: u64, out: &mut Vec<Segment>) {
        out.push(self.head().into());
    }

    fn item(&mut self, _: usize, item: &ExportItem, out: &mut Vec<Segment>) {
        out.push(self.row(&item.record).into());
    }

    fn end(&mut self, _: usize, out: &mut Vec<Segment>) {
        out.push(Segment::Bytes(Bytes::from_static(self.foot())));
    }
}

impl Layout for FixedFile {
    fn passes(&self) -> usize {
        1
    }

    fn reads_items(&self, _: usize) -> bool {
        false
    }

    fn begin(&mut self, _: usize, _: u64, out: &mut Vec<Segment>) {
        out.push(self.0.clone().into());
    }

    fn item(&mut self, _: usize, _: &ExportItem, _: &mut Vec<Segment>) {}

    fn end(&mut self, _: usize, _: &mut Vec<Segment>) {}
}

impl Cut {
    /// Of this range of the file.
    #[must_use]
    pub const fn new(range: Range<u64>) -> Self {
        Self { skip: range.start, left: range.end.saturating_sub(range.start) }
    }

    /// Whether all that is wanted has come by.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.left == 0
    }

    /// Lets so many bytes of the file go by at once if none of them is wanted; tells whether they did.
    pub const fn pass(&mut self, bytes: u64) -> bool {
        if self.skip < bytes {
            return false;
        }
        self.skip -= bytes;
        true
    }

    /// What is wanted of the next part of the file.
    pub fn take(&mut self, segment: Segment) -> Option<Piece> {
        let len = segment.len();
        let start = self.skip.min(len);
        self.skip -= start;
        let end = len.min(start.saturating_add(self.left));
        if start == end {
            return None;
        }
        self.left -= end - start;
        Some(match segment {
            // Bytes in memory have lengths that fit.
            Segment::Bytes(bytes) => Piece::Bytes(bytes.slice(index(start)..index(end))),
            Segment::Picture(picture) => Piece::Picture(picture, start..end),
        })
    }
}

fn index(of: u64) -> usize {
    usize::try_from(of).unwrap_or(usize::MAX)
}
