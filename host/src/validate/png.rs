//! PNG and APNG: chunks, and decoding of the picture and of every frame.

use std::io::Cursor;

use ::image::metadata::Orientation;
use png::{Decoder, Limits as Memory, Transformations};

use super::{Header, Limits, Rejected, phash, reader::Reader};
use crate::image::Format;

const SIGNATURE: usize = 8;
/// What the decoder may hold beside the pixels: rows and metadata.
const BUFFERS: u64 = 64 << 20;

/// Walks from chunk to chunk to the end of the picture.
pub(super) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Header, Rejected> {
    let mut reader = Reader::new(bytes, SIGNATURE);
    let (kind, ihdr) = chunk(&mut reader)?;
    let (b"IHDR", [w3, w2, w1, w0, h3, h2, h1, h0, ..]) = (&kind, ihdr) else {
        return Err(Rejected::corrupt("no IHDR chunk first"));
    };
    let width = u32::from_be_bytes([*w3, *w2, *w1, *w0]);
    let height = u32::from_be_bytes([*h3, *h2, *h1, *h0]);
    limits.check_size(width, height)?;

    let mut orientation = None;
    let mut declared = None;
    let mut data = false;
    let (mut frames, mut pixels) = (0, 0);
    loop {
        let (kind, content) = chunk(&mut reader)?;
        match (&kind, content) {
            (b"IEND", _) => break,
            (b"IDAT", _) => data = true,
            (b"acTL", [n3, n2, n1, n0, ..]) => declared = Some(u32::from_be_bytes([*n3, *n2, *n1, *n0])),
            (b"fcTL", [_, _, _, _, w3, w2, w1, w0, h3, h2, h1, h0, ..]) => {
                let width = u32::from_be_bytes([*w3, *w2, *w1, *w0]);
                let height = u32::from_be_bytes([*h3, *h2, *h1, *h0]);
                limits.check_size(width, height)?;
                frames += 1;
                pixels += u64::from(width) * u64::from(height);
                limits.check_frames(frames, pixels)?;
            }
            (b"eXIf", exif) if orientation.is_none() => orientation = Orientation::from_exif_chunk(exif),
            _ => {}
        }
    }
    if !data {
        return Err(Rejected::corrupt("no IDAT chunk"));
    }
    // Without an `acTL` chunk the frames, if any, are no animation and are not shown.
    let frames = match declared {
        None => 1,
        Some(declared) if declared == frames && frames > 0 => frames,
        Some(declared) => {
            return Err(Rejected::corrupt(format!("{declared} frames announced, {frames} there")));
        }
    };
    Ok(Header {
        format: Format::Png,
        width,
        height,
        frames,
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        end: reader.position(),
        sequential: false,
        // 4 channels, once more for averaging over transparency, and rows of 16 bits.
        memory: u64::from(width) * u64::from(height) * 8 + u64::from(width) * 32 + (256 << 10),
    })
}

/// Decodes every frame and gives the perceptual hash of the first picture in the file.
pub(super) fn decode(picture: &[u8], header: &Header) -> Result<u64, String> {
    let explain = |error: png::DecodingError| error.to_string();
    let memory = usize::try_from(header.memory.max(BUFFERS)).unwrap_or(usize::MAX);
    let mut decoder = Decoder::new_with_limits(Cursor::new(picture), Memory { bytes: memory });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(explain)?;

    let (width, height) = (header.width, header.height);
    let mut pixels = vec![0; reader.output_buffer_size().ok_or("too large")?];
    let channels = reader.next_frame(&mut pixels).map_err(explain)?.color_type.samples();
    let raster = phash::Raster { pixels: &pixels, channels, width, height };
    let hash = phash::difference_hash(&raster, header.orientation)?;

    // A first picture without frame control is shown only by those who know no APNG.
    if let Some(animation) = reader.info().animation_control {
        let first_is_a_frame = reader.info().frame_control.is_some();
        for _ in u32::from(first_is_a_frame)..animation.num_frames {
            reader.next_frame(&mut pixels).map_err(explain)?;
        }
    }
    reader.finish().map_err(explain)?;
    Ok(hash)
}

/// Type and content of the next chunk. Checksums are the decoder's business.
fn chunk<'a>(reader: &mut Reader<'a>) -> Result<([u8; 4], &'a [u8]), Rejected> {
    let length = u32::from_be_bytes(reader.array()?);
    let kind = reader.array()?;
    let content = reader.take(length as usize)?;
    reader.array::<4>()?;
    Ok((kind, content))
}
