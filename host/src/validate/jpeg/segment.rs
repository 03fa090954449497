//! JPEG as a row of marker segments, as browsers read them: whatever stands between two of
//! them is passed over.

use super::super::{Rejection, reader::ByteReader};

pub(super) const SOF0: u8 = 0xc0;
pub(super) const SOF2: u8 = 0xc2;
pub(super) const DHT: u8 = 0xc4;
pub(super) const RST0: u8 = 0xd0;
pub(super) const RST7: u8 = 0xd7;
pub(super) const SOI: u8 = 0xd8;
pub(super) const EOI: u8 = 0xd9;
pub(super) const SOS: u8 = 0xda;
pub(super) const DQT: u8 = 0xdb;
pub(super) const DRI: u8 = 0xdd;
pub(super) const APP1: u8 = 0xe1;
pub(super) const APP2: u8 = 0xe2;
pub(super) const APP11: u8 = 0xeb;
pub(super) const APP14: u8 = 0xee;
/// Stands alone, without a length.
const TEM: u8 = 0x01;

/// The tables of Annex K of the standard, as a segment defines them. What leaves its own out means these,
/// as frames of films do.
pub(super) const USUAL_TABLES: &[&[u8]] = &[
    b"\x00\x00\x01\x05\x01\x01\x01\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04\x05\x06\x07\
      \x08\x09\x0a\x0b",
    b"\x10\x00\x02\x01\x03\x03\x02\x04\x03\x05\x05\x04\x04\x00\x00\x01\x7d\x01\x02\x03\x00\x04\x11\x05\x12\
      \x21\x31\x41\x06\x13\x51\x61\x07\x22\x71\x14\x32\x81\x91\xa1\x08\x23\x42\xb1\xc1\x15\x52\xd1\xf0\x24\
      \x33\x62\x72\x82\x09\x0a\x16\x17\x18\x19\x1a\x25\x26\x27\x28\x29\x2a\x34\x35\x36\x37\x38\x39\x3a\x43\
      \x44\x45\x46\x47\x48\x49\x4a\x53\x54\x55\x56\x57\x58\x59\x5a\x63\x64\x65\x66\x67\x68\x69\x6a\x73\x74\
      \x75\x76\x77\x78\x79\x7a\x83\x84\x85\x86\x87\x88\x89\x8a\x92\x93\x94\x95\x96\x97\x98\x99\x9a\xa2\xa3\
      \xa4\xa5\xa6\xa7\xa8\xa9\xaa\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xc2\xc3\xc4\xc5\xc6\xc7\xc8\xc9\xca\
      \xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xe1\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf1\xf2\xf3\xf4\xf5\xf6\
      \xf7\xf8\xf9\xfa",
    b"\x01\x00\x03\x01\x01\x01\x01\x01\x01\x01\x01\x01\x00\x00\x00\x00\x00\x00\x01\x02\x03\x04\x05\x06\x07\
      \x08\x09\x0a\x0b",
    b"\x11\x00\x02\x01\x02\x04\x04\x03\x04\x07\x05\x04\x04\x00\x01\x02\x77\x00\x01\x02\x03\x11\x04\x05\x21\
      \x31\x06\x12\x41\x51\x07\x61\x71\x13\x22\x32\x81\x08\x14\x42\x91\xa1\xb1\xc1\x09\x23\x33\x52\xf0\x15\
      \x62\x72\xd1\x0a\x16\x24\x34\xe1\x25\xf1\x17\x18\x19\x1a\x26\x27\x28\x29\x2a\x35\x36\x37\x38\x39\x3a\
      \x43\x44\x45\x46\x47\x48\x49\x4a\x53\x54\x55\x56\x57\x58\x59\x5a\x63\x64\x65\x66\x67\x68\x69\x6a\x73\
      \x74\x75\x76\x77\x78\x79\x7a\x82\x83\x84\x85\x86\x87\x88\x89\x8a\x92\x93\x94\x95\x96\x97\x98\x99\x9a\
      \xa2\xa3\xa4\xa5\xa6\xa7\xa8\xa9\xaa\xb2\xb3\xb4\xb5\xb6\xb7\xb8\xb9\xba\xc2\xc3\xc4\xc5\xc6\xc7\xc8\
      \xc9\xca\xd2\xd3\xd4\xd5\xd6\xd7\xd8\xd9\xda\xe2\xe3\xe4\xe5\xe6\xe7\xe8\xe9\xea\xf2\xf3\xf4\xf5\xf6\
      \xf7\xf8\xf9\xfa",
];

/// A marker segment.
#[derive(Clone, Copy)]
pub(super) struct Segment<'a> {
    pub(super) marker: u8,
    /// Behind its length.
    pub(super) content: &'a [u8],
    /// Of a scan: what follows its header up to the next segment, restart markers included.
    pub(super) data: &'a [u8],
}

/// The segments of a file, up to its end marker.
pub(super) struct Segments<'a> {
    bytes: &'a [u8],
    reader: ByteReader<'a>,
    /// There was a scan.
    scanned: bool,
}

impl<'a> Segments<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, reader: ByteReader::new(bytes, 2), scanned: false }
    }

    /// Bytes up to here; of the whole picture when there is no more.
    pub(super) const fn position(&self) -> usize {
        self.reader.position()
    }

    /// The next segment, none at the end marker. Where a scan is the last thing in a file, it is for
    /// what reads its codes to say whether anything is missing.
    ///
    /// # Errors
    /// `truncated` or `corrupt`.
    pub(super) fn next(&mut self) -> Result<Option<Segment<'a>>, Rejection> {
        let marker = match next_marker(&mut self.reader) {
            Ok(EOI) => return Ok(None),
            Err(_) if self.scanned => {
                self.reader = ByteReader::new(self.bytes, self.bytes.len());
                return Ok(None);
            }
            marker => marker?,
        };
        self.scanned |= marker == SOS;
        let length = usize::from(u16::from_be_bytes(self.reader.array()?));
        // One that is shorter than its own length is passed over like an empty one.
        let content = self.reader.take(length.saturating_sub(2))?;
        let data = if marker == SOS { self.data() } else { &[] };
        Ok(Some(Segment { marker, content, data }))
    }

    /// What stands up to the next marker that begins a segment or ends the picture.
    fn data(&self) -> &'a [u8] {
        let rest = self.bytes.get(self.reader.position()..).unwrap_or_default();
        let is_end = |at: &usize| rest.get(at + 1).is_some_and(|marker| is_outside(*marker));
        let end = memchr::memchr_iter(0xff, rest).find(is_end).unwrap_or(rest.len());
        &rest[..end]
    }
}

/// Writes a segment without data.
pub(super) fn write(bytes: &mut Vec<u8>, marker: u8, content: &[&[u8]]) {
    let length = 2 + content.iter().map(|part| part.len()).sum::<usize>();
    bytes.extend([0xff, marker]);
    bytes.extend(u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    bytes.extend(content.iter().copied().flatten());
}

/// Whether what follows `0xff` ends the data of a scan: it is no stuffing, fill or restart.
const fn is_outside(marker: u8) -> bool {
    !matches!(marker, 0x00 | 0xff | TEM | RST0..=RST7)
}

/// The next marker that is neither fill, stuffing nor a restart within a scan.
fn next_marker(reader: &mut ByteReader<'_>) -> Result<u8, Rejection> {
    loop {
        reader.skip_past(0xff)?;
        let mut marker = reader.byte()?;
        while marker == 0xff {
            marker = reader.byte()?;
        }
        if is_outside(marker) {
            return Ok(marker);
        }
    }
}
