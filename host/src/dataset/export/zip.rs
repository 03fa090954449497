//! Zip archives of class folders: pictures, which are compressed already, stored as they are, then the texts
//! beside them, then the directory. ZIP64 where numbers need it and nowhere else; names in UTF-8; one time, the
//! first that there is, for all.
//!
//! Lengths and checksums stand before the bytes: those of pictures come with the items, those of texts from a
//! run of the same passes that nobody is sent.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::segments::{Layout, RowFile, Rows, Segment, TextMeasure};
use crate::model::ExportItem;

/// 1980-01-01.
const DATE: u16 = 0x0021;
/// Names are UTF-8.
const FLAGS: u16 = 0x0800;
/// Made on Unix, by the rules of version 2.0.
const MADE_BY: u16 = 0x0314;
/// What is needed to read it.
const PLAIN: u16 = 20;
/// The same where ZIP64 is.
const ZIP64: u16 = 45;
/// A file that its owner may write and all may read, as Unix says it, in the upper half.
const MODE: u32 = 0o100_644 << 16;
/// Stands for a number that is in ZIP64's place.
const ELSEWHERE: u32 = u32::MAX;

/// A zip archive: a pass for the pictures, one for each text, and one for the directory.
pub struct ZipFile {
    texts: Vec<ZipText>,
    /// Of the directory: where in the archive the file is that it comes to next.
    at: u64,
    /// How many it has listed.
    files: u64,
    /// Where it begins.
    directory: u64,
    /// How long it is so far, in bytes.
    directory_len: u64,
}

/// A text in a zip archive.
pub struct ZipText {
    name: &'static str,
    content: Content,
    /// As its header says.
    known: TextMeasure,
    /// Of what has been given of it.
    crc32: crc32fast::Hasher,
    sha256: Sha256,
    size: u64,
}

/// A text that speaks of those before it, each with its name.
pub type Describe = Box<dyn Fn(&[(&'static str, TextMeasure)]) -> String + Send>;

enum Content {
    /// The same whatever the items are.
    Fixed(Describe),
    /// Of the items.
    Rows(RowFile),
}

/// What the directory says of a file.
struct Entry<'a> {
    name: &'a str,
    crc32: u32,
    size: u64,
    start: u64,
}

impl ZipText {
    /// A text of this name with a row for each of so many items.
    #[must_use]
    pub fn of_rows(name: &'static str, rows: Rows, records: usize) -> Self {
        Self::new(name, Content::Rows(RowFile::new(rows, records)))
    }

    /// A text that does not depend on single items.
    #[must_use]
    pub fn fixed(name: &'static str, text: Describe) -> Self {
        Self::new(name, Content::Fixed(text))
    }

    fn new(name: &'static str, content: Content) -> Self {
        let (known, crc32, sha256) = (TextMeasure::default(), crc32fast::Hasher::new(), Sha256::new());
        Self { name, content, known, crc32, sha256, size: 0 }
    }

    fn begin(&mut self, before: &[(&'static str, TextMeasure)]) -> Vec<u8> {
        (self.crc32, self.sha256, self.size) = (crc32fast::Hasher::new(), Sha256::new(), 0);
        let text = match &mut self.content {
            Content::Fixed(text) => text(before).into_bytes(),
            Content::Rows(rows) => rows.head(),
        };
        self.count(&text);
        text
    }

    fn row(&mut self, item: &ExportItem) -> Vec<u8> {
        let Content::Rows(rows) = &mut self.content else { return Vec::new() };
        let text = rows.row(&item.record);
        self.count(&text);
        text
    }

    fn end(&mut self) -> &'static [u8] {
        let text = match &self.content {
            Content::Fixed(_) => b"",
            Content::Rows(rows) => rows.foot(),
        };
        self.count(text);
        let (crc32, sha256) = (self.crc32.clone().finalize(), hex::encode(self.sha256.clone().finalize()));
        self.known = TextMeasure { size: self.size, crc32, sha256 };
        text
    }

    fn count(&mut self, text: &[u8]) {
        self.crc32.update(text);
        self.sha256.update(text);
        self.size += text.len() as u64;
    }

    const fn entry(&self, start: u64) -> Entry<'_> {
        Entry { name: self.name, crc32: self.known.crc32, size: self.known.size, start }
    }
}

impl ZipFile {
    /// With these texts, and what is known of them; where nothing is, their headers are wrong.
    #[must_use]
    pub fn new(mut texts: Vec<ZipText>, known: &[TextMeasure]) -> Self {
        texts.iter_mut().zip(known).for_each(|(text, known)| text.known = known.clone());
        Self { texts, at: 0, files: 0, directory: 0, directory_len: 0 }
    }

    const fn is_directory(&self, pass: usize) -> bool {
        pass == self.texts.len() + 1
    }

    /// Gives the directory's word for a file, of which `at` is the beginning, and goes on behind it.
    fn list(&mut self, entry: &Entry<'_>) -> Vec<u8> {
        let listed = entry.listed();
        self.files += 1;
        self.at += entry.header_len() + entry.size;
        self.directory_len += listed.len() as u64;
        listed
    }
}

impl Layout for ZipFile {
    fn passes(&self) -> usize {
        self.texts.len() + 2
    }

    fn reads_items(&self, pass: usize) -> bool {
        let text = pass.checked_sub(1).and_then(|text| self.texts.get(text));
        text.is_none_or(|text| matches!(text.content, Content::Rows(_)))
    }

    fn texts(&self) -> Vec<TextMeasure> {
        self.texts.iter().map(|text| text.known.clone()).collect()
    }

    fn begin(&mut self, pass: usize, start: u64, out: &mut Vec<Segment>) {
        if self.is_directory(pass) {
            // The files are gone through again: where each of them is, it says itself.
            (self.at, self.files, self.directory, self.directory_len) = (0, 0, start, 0);
        } else if let Some((text, before)) = self.texts[..pass].split_last_mut() {
            let before: Vec<_> = before.iter().map(|text| (text.name, text.known.clone())).collect();
            out.push(text.entry(start).header().into());
            out.push(text.begin(&before).into());
        }
    }

    fn item(&mut self, pass: usize, item: &ExportItem, out: &mut Vec<Segment>) {
        let name = item.record.path();
        let entry =
            Entry { name: &name, crc32: item.crc32.unwrap_or_default(), size: item.size, start: self.at };
        if pass == 0 {
            out.push(entry.header().into());
            out.push(Segment::picture(item));
        } else if self.is_directory(pass) {
            out.push(self.list(&entry).into());
        } else {
            out.push(self.texts[pass - 1].row(item).into());
        }
    }

    fn end(&mut self, pass: usize, out: &mut Vec<Segment>) {
        if let Some(text) = pass.checked_sub(1).and_then(|text| self.texts.get_mut(text)) {
            out.push(Segment::Bytes(Bytes::from_static(text.end())));
        } else if self.is_directory(pass) {
            let texts = std::mem::take(&mut self.texts);
            for text in &texts {
                out.push(self.list(&text.entry(self.at)).into());
            }
            self.texts = texts;
            out.push(end(self.files, self.directory, self.directory_len).into());
        }
    }
}

impl Entry<'_> {
    /// What stands before the bytes of the file.
    fn header(&self) -> Vec<u8> {
        let is_large = self.is_large();
        let size = if is_large { ELSEWHERE } else { narrow(self.size) };
        let mut header = Vec::new();
        header.extend(b"PK\x03\x04");
        self.common(if is_large { ZIP64 } else { PLAIN }, size, &mut header);
        let extra: &[u64] = if is_large { &[self.size, self.size] } else { &[] };
        self.name_and_extra(extra, &[], &mut header);
        header
    }

    const fn header_len(&self) -> u64 {
        30 + self.name.len() as u64 + if self.is_large() { 20 } else { 0 }
    }

    /// What stands in the directory.
    fn listed(&self) -> Vec<u8> {
        let is_far = self.start >= ELSEWHERE as u64;
        let size = if self.is_large() { ELSEWHERE } else { narrow(self.size) };
        let mut extra = Vec::new();
        if self.is_large() {
            extra.extend([self.size, self.size]);
        }
        if is_far {
            extra.push(self.start);
        }
        let mut listed = Vec::new();
        listed.extend(b"PK\x01\x02");
        listed.extend(MADE_BY.to_le_bytes());
        self.common(if extra.is_empty() { PLAIN } else { ZIP64 }, size, &mut listed);
        // No comment, the first disk, no attributes of its own.
        let mut rest = vec![0; 6];
        rest.extend(MODE.to_le_bytes());
        rest.extend(if is_far { ELSEWHERE } else { narrow(self.start) }.to_le_bytes());
        self.name_and_extra(&extra, &rest, &mut listed);
        listed
    }

    /// What both say, up to the sizes.
    fn common(&self, needed: u16, size: u32, out: &mut Vec<u8>) {
        out.extend(needed.to_le_bytes());
        out.extend(FLAGS.to_le_bytes());
        // Stored, at midnight.
        out.extend([0; 4]);
        out.extend(DATE.to_le_bytes());
        out.extend(self.crc32.to_le_bytes());
        out.extend(size.to_le_bytes());
        out.extend(size.to_le_bytes());
    }

    /// The lengths of both, what stands between, and both.
    fn name_and_extra(&self, extra: &[u64], between: &[u8], out: &mut Vec<u8>) {
        let len = u16::try_from(8 * extra.len()).unwrap_or_default();
        out.extend(u16::try_from(self.name.len()).unwrap_or(u16::MAX).to_le_bytes());
        out.extend(if len == 0 { 0 } else { len + 4 }.to_le_bytes());
        out.extend(between);
        out.extend(self.name.as_bytes());
        if len > 0 {
            out.extend(1_u16.to_le_bytes());
            out.extend(len.to_le_bytes());
            extra.iter().for_each(|number| out.extend(number.to_le_bytes()));
        }
    }

    const fn is_large(&self) -> bool {
        self.size >= ELSEWHERE as u64
    }
}

/// What stands behind the directory.
fn end(files: u64, start: u64, len: u64) -> Vec<u8> {
    let mut end = Vec::new();
    let most = u64::from(ELSEWHERE);
    if files >= u64::from(u16::MAX) || start >= most || len >= most {
        end.extend(b"PK\x06\x06");
        end.extend(44_u64.to_le_bytes());
        end.extend((MADE_BY & 0xff00 | ZIP64).to_le_bytes());
        end.extend(ZIP64.to_le_bytes());
        end.extend([0; 8]);
        [files, files, len, start].iter().for_each(|number| end.extend(number.to_le_bytes()));
        // Where that is, on the one disk that there is.
        end.extend(b"PK\x06\x07");
        end.extend([0; 4]);
        end.extend((start + len).to_le_bytes());
        end.extend(1_u32.to_le_bytes());
    }
    let files = u16::try_from(files).unwrap_or(u16::MAX);
    end.extend(b"PK\x05\x06");
    end.extend([0; 4]);
    end.extend(files.to_le_bytes());
    end.extend(files.to_le_bytes());
    end.extend(narrow(len).to_le_bytes());
    end.extend(narrow(start).to_le_bytes());
    end.extend([0; 2]);
    end
}

/// The number, or the word that it is elsewhere.
fn narrow(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(ELSEWHERE)
}
