//! Files as arithmetic: what each is made of, in order, without the bytes of pictures, so that lengths and any
//! range of it come without the rest.
//!
//! A file is made in passes over the same items. What a pass gives for each of them depends on the item and on
//! what came before, and never on bytes of pictures.

use std::ops::Range;

use bytes::Bytes;

use crate::model::{ExportItem, ExportRecord, Format, Sha256};

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
    /// What comes before the first item of a pass. `start` is where in the file that is, in bytes.
    fn begin(&mut self, pass: usize, start: u64, out: &mut Vec<Segment>);
    /// What an item gives in a pass.
    fn item(&mut self, pass: usize, item: &ExportItem, out: &mut Vec<Segment>);
    /// What comes behind the last item of a pass.
    fn end(&mut self, pass: usize, out: &mut Vec<Segment>);
}

/// How a file of text says what is known of pictures: what stands before the first of them, each of them, told
/// whether it is the first, and what stands behind the last, told whether there is none.
#[derive(Clone, Copy, Debug)]
pub struct TextFormat {
    /// Before all.
    pub head: fn() -> String,
    /// One.
    pub row: fn(&ExportRecord, bool) -> String,
    /// Behind all.
    pub tail: fn(bool) -> String,
}

/// A file of text, in one pass.
#[derive(Debug)]
pub struct TextFile {
    format: TextFormat,
    is_empty: bool,
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

impl TextFile {
    /// An empty one.
    #[must_use]
    pub const fn new(format: TextFormat) -> Self {
        Self { format, is_empty: true }
    }

    /// What stands before all.
    #[must_use]
    pub fn head(&mut self) -> String {
        self.is_empty = true;
        (self.format.head)()
    }

    /// What stands for a picture.
    #[must_use]
    pub fn row(&mut self, record: &ExportRecord) -> String {
        (self.format.row)(record, std::mem::take(&mut self.is_empty))
    }

    /// What stands behind all.
    #[must_use]
    pub fn tail(&self) -> String {
        (self.format.tail)(self.is_empty)
    }
}

impl Layout for TextFile {
    fn passes(&self) -> usize {
        1
    }

    fn begin(&mut self, _: usize, _: u64, out: &mut Vec<Segment>) {
        out.push(self.head().into());
    }

    fn item(&mut self, _: usize, item: &ExportItem, out: &mut Vec<Segment>) {
        out.push(self.row(&item.record).into());
    }

    fn end(&mut self, _: usize, out: &mut Vec<Segment>) {
        out.push(self.tail().into());
    }
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
