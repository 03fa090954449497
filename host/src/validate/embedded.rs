//! What lies beside the picture in its file and speaks of it: XMP packets, and whether there is a C2PA manifest.
//! What is in them is read by `consent`.

use std::io::Read as _;

use super::{gif, jpeg, png, webp};
use crate::model::Format;

/// Most bytes of all packets of a file; beyond them they are cut. Usual ones have some thousands.
const MAX_BYTES: usize = 4 << 20;
/// Most packets; a file should have one.
pub(super) const MAX_PACKETS: usize = 8;
/// Bytes that all compressed packets of a file may have, packed or unpacked, whichever is more.
pub(super) const MAX_UNPACKING: usize = MAX_BYTES;
/// What trying to unpack a packet counts as at least: a decoder is made, even where nothing comes out of it.
const LEAST_UNPACKING: usize = 64 << 10;

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
        if !self.is_full() && !packet.is_empty() {
            self.xmp.push(packet[..packet.len().min(self.room())].to_vec());
        }
    }

    /// Takes a packet that zlib compressed, as far as it can be unpacked and the `budget` of the file goes, which
    /// begins with [`MAX_UNPACKING`].
    pub(super) fn add_compressed_xmp(&mut self, packed: &[u8], budget: &mut usize) {
        if self.is_full() || *budget == 0 {
            return;
        }
        let packed = &packed[..packed.len().min(*budget)];
        let room = self.room().min(*budget) as u64;
        let mut packet = Vec::new();
        // An error leaves what came before it.
        let _ = flate2::read::ZlibDecoder::new(packed).take(room).read_to_end(&mut packet);
        *budget = budget.saturating_sub(packet.len().max(packed.len()).max(LEAST_UNPACKING));
        self.add_xmp(&packet);
    }

    /// Whether no more packets are taken.
    pub(super) fn is_full(&self) -> bool {
        self.xmp.len() >= MAX_PACKETS || self.room() == 0
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
