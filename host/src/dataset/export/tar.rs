//! Tar archives as `webdataset` has them: of each picture its bytes and, under the same stem, its record as JSON.
//! POSIX ustar with nothing in it that is not the same everywhere: no times, no owners.

use super::{
    labels::keyed,
    parquet::key,
    segments::{Layout, Segment},
};
use crate::model::ExportItem;

/// All is in blocks of so many bytes.
const BLOCK: usize = 512;

/// A tar archive, in one pass.
#[derive(Debug)]
pub struct TarFile;

impl Layout for TarFile {
    fn passes(&self) -> usize {
        1
    }

    fn reads_items(&self, _: usize) -> bool {
        true
    }

    fn begin(&mut self, _: usize, _: u64, _: &mut Vec<Segment>) {}

    fn item(&mut self, _: usize, item: &ExportItem, out: &mut Vec<Segment>) {
        let key = key(item.position);
        let name = |extension: &str| format!("{key}.{extension}");
        out.push(header(&name(item.format.extension()), item.size).into());
        out.push(Segment::picture(item));
        // What fills up the block and what comes next are one piece.
        let record = keyed(&key, &item.record).into_bytes();
        let mut between = padding(item.size);
        between.extend(header(&name("json"), record.len() as u64));
        let end = padding(record.len() as u64);
        between.extend(record);
        between.extend(end);
        out.push(between.into());
    }

    fn end(&mut self, _: usize, out: &mut Vec<Segment>) {
        out.push(vec![0; 2 * BLOCK].into());
    }
}

/// The header of a file of this size, whose name has at most 100 bytes.
fn header(name: &str, size: u64) -> Vec<u8> {
    let mut block = vec![0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| block[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    // 8 GiB and more have no place in it; pictures are far below.
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, b"00000000000\0");
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(329, b"0000000\0");
    put(337, b"0000000\0");
    let sum: u32 = block.iter().copied().map(u32::from).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    block
}

/// What fills up the last block of a file of this size.
fn padding(size: u64) -> Vec<u8> {
    let over = size % BLOCK as u64;
    let missing = if over == 0 { 0 } else { BLOCK as u64 - over };
    vec![0; usize::try_from(missing).unwrap_or_default()]
}
