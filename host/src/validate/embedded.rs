//! What lies beside the picture in its file and speaks of it: XMP packets, and whether there is a C2PA manifest.
//! What is in them is read by `consent`.

use std::io::Read as _;

use super::{gif, jpeg, png, webp};
use crate::model::Format;

/// Most bytes of all packets of a file; beyond them they are cut. Usual ones have some thousands.
const MAX_BYTES: usize = 4 << 20;
/// Most packets; a file should have one.
const MAX_PACKETS: usize = 8;

/// What was found in a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Embedded {
    /// XMP packets as they stand in the file, unpacked; at most 4 MiB together.
    pub xmp: Vec<Vec<u8>>,
    /// A C2PA manifest (Content Credentials). Nothing in it was checked.
    pub has_c2pa: bool,
}

/// Looks through a file of this format, as far as it is whole.
#[must_use]
pub fn embedded(bytes: &[u8], format: Format) -> Embedded {
    let mut found = Embedded::default();
    // What comes after damage is not looked for.
    let _ = match format {
        Format::Jpeg => jpeg::embedded(bytes, &mut found),
        Format::Png => png::embedded(bytes, &mut found),
        Format::Gif => gif::embedded(bytes, &mut found),
        Format::Webp => webp::embedded(bytes, &mut found),
    };
    found
}

impl Embedded {
    /// Takes a packet.
    pub(super) fn add_xmp(&mut self, packet: &[u8]) {
        let room = self.room();
        if self.xmp.len() < MAX_PACKETS && room > 0 && !packet.is_empty() {
            self.xmp.push(packet[..packet.len().min(room)].to_vec());
        }
    }

    /// Takes a packet that zlib compressed, as far as it can be unpacked.
    pub(super) fn add_compressed_xmp(&mut self, packed: &[u8]) {
        let mut packet = Vec::new();
        let room = self.room() as u64;
        // An error leaves what came before it.
        let _ = flate2::read::ZlibDecoder::new(packed).take(room).read_to_end(&mut packet);
        self.add_xmp(&packet);
    }

    /// Bytes that packets may still have.
    pub(super) fn room(&self) -> usize {
        MAX_BYTES.saturating_sub(self.xmp.iter().map(Vec::len).sum())
    }

    /// Takes a JUMBF box, which is a C2PA manifest store by the type of its description.
    pub(super) fn add_jumbf(&mut self, content: &[u8]) {
        // Lengths and types of the box and of its description, and then the type of what is described.
        let kinds = content.get(4..8).zip(content.get(12..20));
        self.has_c2pa |= kinds == Some((&b"jumb"[..], &b"jumdc2pa"[..]));
    }
}
