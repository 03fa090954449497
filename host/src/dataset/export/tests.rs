//! Archives are read by others as they were meant, and any part of one is that of the whole.

use std::{
    io::{self, Cursor, Read, Seek, SeekFrom},
    ops::Range,
};

use proptest::prelude::*;

use super::{
    labels::{LabelFormat, keyed},
    segments::{Cut, Layout, Piece, RowFile, Rows, Segment, TextMeasure},
    tar::TarFile,
    zip::{ZipFile, ZipText},
};
use crate::model::{ExportItem, ExportRecord, Format, ImageId, Sha256};

const LINES: Rows = Rows::Labels(LabelFormat::Jsonl, false);

/// Pictures are numbers over and over, that of their item.
fn picture(item: &ExportItem) -> Vec<u8> {
    vec![number(item); usize::try_from(item.size).unwrap()]
}

fn number(item: &ExportItem) -> u8 {
    item.sha256.0[0]
}

fn items(sizes: &[u64]) -> Vec<ExportItem> {
    let item = |(at, size): (usize, &u64)| {
        let label = ["cat", "Černý kůň, 貓"][at % 2].to_owned();
        let sha256 = Sha256([at as u8; 32]);
        let crc32 = (*size < 1 << 20).then(|| crc32fast::hash(&vec![at as u8; *size as usize]));
        let record = ExportRecord {
            file_name: format!("{label}/{at}.png"),
            labels: vec![label.clone()],
            label,
            size: *size,
            ..ExportRecord::default()
        };
        let position = i32::try_from(at).unwrap();
        ExportItem { position, image: ImageId(1), sha256, format: Format::Png, size: *size, crc32, record }
    };
    sizes.iter().enumerate().map(item).collect()
}

/// What is wanted of a file, and what it comes to altogether.
fn pieces(layout: &mut dyn Layout, items: &[ExportItem], range: Range<u64>) -> (Vec<(Piece, u8)>, u64) {
    let (mut cut, mut start, mut pieces) = (Cut::new(range), 0, Vec::new());
    for pass in 0..layout.passes() {
        let mut take = |segments: &mut Vec<Segment>, number| {
            for segment in segments.drain(..) {
                start += segment.len();
                pieces.extend(cut.take(segment).map(|piece| (piece, number)));
            }
            start
        };
        let mut segments = Vec::new();
        let begin = take(&mut segments, 0);
        layout.begin(pass, begin, &mut segments);
        let read = if layout.reads_items(pass) { items } else { &[] };
        for item in read {
            take(&mut segments, 0);
            layout.item(pass, item, &mut segments);
            take(&mut segments, number(item));
        }
        layout.end(pass, &mut segments);
        take(&mut segments, 0);
    }
    (pieces, start)
}

fn bytes(layout: &mut dyn Layout, items: &[ExportItem], range: Range<u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (piece, number) in pieces(layout, items, range).0 {
        match piece {
            Piece::Bytes(some) => bytes.extend(some),
            Piece::Picture(_, range) => {
                let len = usize::try_from(range.end - range.start).unwrap();
                bytes.resize(bytes.len() + len, number);
            }
        }
    }
    bytes
}

/// The last text speaks of those before.
fn zip(items: &[ExportItem], known: &[TextMeasure]) -> ZipFile {
    let text = |before: &[(&str, TextMeasure)]| format!("{}: {} bytes\n", before[0].0, before[0].1.size);
    let texts = vec![
        ZipText::of_rows("metadata.jsonl", LINES, items.len()),
        ZipText::fixed("README.md", Box::new(text)),
    ];
    ZipFile::new(texts, known)
}

fn measured_zip(items: &[ExportItem]) -> (ZipFile, u64) {
    let mut file = zip(items, &[]);
    let (_, size) = pieces(&mut file, items, 0..0);
    (zip(items, &file.texts()), size)
}

#[test]
fn a_tar_has_what_was_put_into_it() {
    let items = items(&[0, 1, 511, 512, 513, 70_000]);
    let whole = bytes(&mut TarFile, &items, 0..u64::MAX);
    assert_eq!(whole.len() % 512, 0);
    let mut archive = ::tar::Archive::new(whole.as_slice());
    let mut entries = archive.entries().unwrap();
    for item in &items {
        for (extension, expected) in [
            ("png", picture(item)),
            ("json", keyed(&format!("{:09}", item.position), &item.record).into_bytes()),
        ] {
            let mut entry = entries.next().unwrap().unwrap();
            let header = entry.header().clone();
            assert_eq!(entry.path().unwrap().to_str().unwrap(), format!("{:09}.{extension}", item.position));
            assert!(header.as_ustar().is_some());
            assert_eq!((header.mode().unwrap(), header.mtime().unwrap()), (0o644, 0));
            assert_eq!((header.uid().unwrap(), header.gid().unwrap()), (0, 0));
            let mut found = Vec::new();
            entry.read_to_end(&mut found).unwrap();
            assert_eq!(found, expected);
        }
    }
    assert!(entries.next().is_none());
}

#[test]
fn a_zip_has_what_was_put_into_it() {
    for sizes in [&[0, 1, 512, 70_000][..], &[]] {
        let items = items(sizes);
        let (mut file, size) = measured_zip(&items);
        let whole = bytes(&mut file, &items, 0..u64::MAX);
        assert_eq!(whole.len() as u64, size);
        assert!(!whole.windows(4).any(|four| four == b"PK\x06\x06"), "ZIP64 where nothing needs it");
        let mut archive = ::zip::ZipArchive::new(Cursor::new(&whole)).unwrap();
        assert_eq!(archive.len(), items.len() + 2);
        let lines: String = items.iter().map(|item| item.record.json() + "\n").collect();
        let card = format!("metadata.jsonl: {} bytes\n", lines.len());
        let texts = [("metadata.jsonl", lines.into_bytes()), ("README.md", card.into_bytes())];
        let pictures = items.iter().map(|item| (item.record.file_name.as_str(), picture(item)));
        for (at, (name, expected)) in pictures.chain(texts).enumerate() {
            let mut entry = archive.by_index(at).unwrap();
            assert_eq!((entry.name(), entry.unix_mode()), (name, Some(0o100_644)));
            let time = entry.last_modified().unwrap();
            assert_eq!((time.year(), time.month(), time.day(), time.hour()), (1980, 1, 1, 0));
            let mut found = Vec::new();
            // The reader compares checksums.
            entry.read_to_end(&mut found).unwrap();
            assert_eq!(found, expected, "{name}");
        }
        // Without a look at the directory, too.
        let mut reader = whole.as_slice();
        for _ in 0..items.len() + 2 {
            let mut entry = ::zip::read::read_zipfile_from_stream(&mut reader).unwrap().unwrap();
            io::copy(&mut entry, &mut io::sink()).unwrap();
        }
        assert!(::zip::read::read_zipfile_from_stream(&mut reader).unwrap().is_none());
    }
}

/// An archive that is never in memory.
struct Virtual {
    file: ZipFile,
    items: Vec<ExportItem>,
    size: u64,
    at: u64,
}

impl Read for Virtual {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let end = self.size.min(self.at + into.len().min(1 << 16) as u64);
        let read = bytes(&mut self.file, &self.items, self.at..end);
        into[..read.len()].copy_from_slice(&read);
        self.at = end;
        Ok(read.len())
    }
}

impl Seek for Virtual {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.at = match to {
            SeekFrom::Start(at) => at,
            SeekFrom::End(by) => self.size.saturating_add_signed(by),
            SeekFrom::Current(by) => self.at.saturating_add_signed(by),
        };
        Ok(self.at)
    }
}

#[test]
fn a_zip_may_be_larger_than_four_gibibytes() {
    const GIB: u64 = 1 << 30;
    for sizes in [&[3 * GIB, 3 * GIB, 7][..], &[5 * GIB, 7], &[u64::from(u32::MAX), 7], &[4 * GIB - 2, 7]] {
        let items = items(sizes);
        let (file, size) = measured_zip(&items);
        let archive = Virtual { file, items: items.clone(), size, at: 0 };
        let mut archive = ::zip::ZipArchive::new(io::BufReader::new(archive)).unwrap();
        assert_eq!(archive.len(), items.len() + 2);
        for (at, size) in sizes.iter().enumerate() {
            assert_eq!(archive.by_index(at).unwrap().size(), *size);
        }
        // They lie where the directory says.
        for at in [items.len() - 1, items.len(), items.len() + 1] {
            io::copy(&mut archive.by_index(at).unwrap(), &mut io::sink()).unwrap();
        }
    }
}

#[test]
fn a_zip_may_have_more_files_than_a_number_of_two_bytes_counts() {
    for count in [65_532, 65_533, 70_000] {
        let mut items = items(&vec![3; 256]);
        let more: Vec<ExportItem> = (0..count)
            .map(|at| {
                let mut item = items[at % 256].clone();
                item.record = ExportRecord { file_name: format!("cat/{at}.png"), ..ExportRecord::default() };
                item
            })
            .collect();
        items = more;
        let (mut file, size) = measured_zip(&items);
        let whole = bytes(&mut file, &items, 0..u64::MAX);
        assert_eq!(whole.len() as u64, size);
        let mut archive = ::zip::ZipArchive::new(Cursor::new(&whole)).unwrap();
        assert_eq!(archive.len(), count + 2);
        let has_more = whole[whole.len() - 100..].windows(4).any(|four| four == b"PK\x06\x06");
        assert_eq!(has_more, count + 2 >= 65_535);
        for at in [0, count - 1, count] {
            io::copy(&mut archive.by_index(at).unwrap(), &mut io::sink()).unwrap();
        }
    }
}

proptest! {
    #[test]
    fn any_part_is_that_of_the_whole(sizes in prop::collection::vec(0_u64..2_000, 0..8), start in 0_u64..20_000, len in 0_u64..20_000) {
        let items = items(&sizes);
        let (zip, size) = measured_zip(&items);
        let files: [(Box<dyn Layout>, Option<u64>); 3] = [
            (Box::new(zip), Some(size)),
            (Box::new(TarFile), None),
            (Box::new(RowFile::new(Rows::Labels(LabelFormat::Json, false), items.len())), None),
        ];
        for (mut file, size) in files {
            let whole = bytes(&mut *file, &items, 0..u64::MAX);
            let (_, found) = pieces(&mut *file, &items, 0..0);
            prop_assert_eq!(found, whole.len() as u64);
            prop_assert!(size.is_none_or(|size| size == found));
            let end = (start + len).min(found);
            let begin = start.min(end);
            let part = bytes(&mut *file, &items, begin..end);
            prop_assert_eq!(&part[..], &whole[begin as usize..end as usize]);
        }
    }
}
