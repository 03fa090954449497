//! PNG and APNG: chunks, and decoding of the picture and of every frame.

use std::io::Cursor;

use ::image::metadata::Orientation;
use png::{Decoder, Limits as Memory, Transformations};

use super::{
    DecodeLimits, Decoded, Embedded, Header, Rejection, Still, embedded::MAX_UNPACKING, pdq,
    reader::ByteReader,
};
use crate::model::Format;

const SIGNATURE: usize = 8;
/// The last chunk, checksum included.
const END: [u8; 12] = *b"\0\0\0\0IEND\xae\x42\x60\x82";
/// Chunks without content say nothing, and cost the decoder as much as others.
const MAX_EMPTY: usize = 1000;
/// Files of this many bytes a chunk, and of so many chunks beside, are usual: encoders write
/// thousands of bytes a chunk.
const BYTES_A_CHUNK: usize = 512;
const MAX_CHUNKS: usize = 10_000;

/// Walks from chunk to chunk to the end of the picture.
pub(super) fn inspect(bytes: &[u8], limits: &DecodeLimits) -> Result<Header, Rejection> {
    let mut reader = ByteReader::new(bytes, SIGNATURE);
    let (kind, ihdr) = chunk(&mut reader)?;
    if &kind == b"CgBI" {
        return Err(Rejection::unsupported("PNG as Apple's tools change it is not kept"));
    }
    let (b"IHDR", [w3, w2, w1, w0, h3, h2, h1, h0, _, _, _, _, interlaced]) = (&kind, ihdr) else {
        return Err(Rejection::corrupt("no IHDR chunk first"));
    };
    let width = u32::from_be_bytes([*w3, *w2, *w1, *w0]);
    let height = u32::from_be_bytes([*h3, *h2, *h1, *h0]);
    limits.check_size(width, height)?;
    let area = u64::from(width) * u64::from(height);

    let mut orientation = None;
    let mut declared = None;
    let mut data = false;
    let (mut frames, mut pixels, mut broken) = (0, 0, false);
    let (mut chunks, mut empty) = (0, 0);
    // Nothing is missing where only the chunk that says so is.
    while !(data && reader.is_at_end()) {
        let (kind, content) = chunk(&mut reader)?;
        chunks += 1;
        empty += usize::from(content.is_empty());
        if empty > MAX_EMPTY || chunks > MAX_CHUNKS + bytes.len() / BYTES_A_CHUNK {
            return Err(Rejection::corrupt(format!("more than {chunks} chunks, {empty} of them empty")));
        }
        match (&kind, content) {
            (b"IEND", _) => break,
            (b"IDAT", _) => data = true,
            (b"acTL", [n3, n2, n1, n0, ..]) => declared = Some(u32::from_be_bytes([*n3, *n2, *n1, *n0])),
            (b"fcTL", [_, _, _, _, w3, w2, w1, w0, h3, h2, h1, h0, ..]) => {
                let width = u32::from_be_bytes([*w3, *w2, *w1, *w0]);
                let height = u32::from_be_bytes([*h3, *h2, *h1, *h0]);
                frames += 1;
                broken |= width == 0 || height == 0;
                if !broken {
                    limits.check_size(width, height)?;
                }
                pixels += u64::from(width) * u64::from(height);
                limits.check_frames(frames, pixels, bytes.len())?;
            }
            (b"eXIf", exif) if orientation.is_none() => orientation = Orientation::from_exif_chunk(exif),
            _ => {}
        }
    }
    if !data {
        return Err(Rejection::corrupt("no IDAT chunk"));
    }
    // Without an `acTL` chunk the frames, if any, are no animation and are not shown, nor are those
    // of a broken animation: viewers then show the picture that all others see.
    let is_film = declared == Some(frames) && frames > 0 && !broken;
    let frames = if is_film { frames } else { 1 };
    Ok(Header {
        format: Format::Png,
        width,
        height,
        frames,
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        end: reader.position(),
        pixels: area + pixels,
        // A few rows of up to four channels of 16 bits; what is interlaced is there as a whole.
        memory: u64::from(width) * 64
            + if *interlaced == 0 { 0 } else { area * 4 }
            + bytes.len() as u64
            + pdq::MEMORY,
    })
}

/// Decodes every frame and gives the hash and scores of the first picture in the file.
pub(super) fn decode(picture: &[u8], header: &Header) -> Result<Decoded, Rejection> {
    let whole = frames(picture, header, header.frames);
    // What is wrong may be beside the picture, or in a later frame: viewers then show the picture.
    whole.or_else(|wrong| frames(&stripped(picture, false)?, header, 1).map_err(|_| wrong))
}

/// Decodes as many frames as there are said to be.
fn frames(picture: &[u8], header: &Header, frames: u32) -> Result<Decoded, Rejection> {
    let explain = |error: png::DecodingError| error.to_string();
    let memory = usize::try_from(header.memory).unwrap_or(usize::MAX);
    let mut decoder = Decoder::new_with_limits(Cursor::new(picture), Memory { bytes: memory });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(explain)?;

    let channels = reader.output_color_type().0.samples();
    let mut rows = pdq::Rows::new(header.width, header.height, channels, header.orientation)?;
    let looks = if reader.info().interlaced {
        let mut pixels = vec![0; reader.output_buffer_size().ok_or_else(|| Rejection::corrupt("too large"))?];
        reader.next_frame(&mut pixels).map_err(explain)?;
        rows.all(pixels)?
    } else {
        for _ in 0..header.height {
            let row = reader.read_row(rows.next()).map_err(explain)?;
            row.ok_or_else(|| Rejection::corrupt("a frame smaller than the picture"))?;
        }
        rows.looks()?
    };

    if frames > 1 {
        // A first picture without frame control is shown only by those who know no APNG.
        let first_is_a_frame = reader.info().frame_control.is_some();
        while reader.next_row().map_err(explain)?.is_some() {}
        for _ in u32::from(first_is_a_frame)..frames {
            reader.next_frame_info().map_err(explain)?;
            while reader.next_row().map_err(explain)?.is_some() {}
        }
    }
    reader.finish().map_err(explain)?;
    Ok(looks.of_frames(frames))
}

/// The picture with nothing but what makes its pixels, and its profile.
pub(super) fn still(picture: &[u8]) -> Result<Still, Rejection> {
    // The decoder unpacks the profile, within its limit of memory.
    Ok(Still { bytes: stripped(picture, true)?, profile: None, inverted: false })
}

/// The picture with nothing but what makes its pixels, and perhaps its profile.
fn stripped(picture: &[u8], with_profile: bool) -> Result<Vec<u8>, Rejection> {
    let mut reader = ByteReader::new(picture, SIGNATURE);
    let mut bytes = picture[..SIGNATURE].to_vec();
    let (mut has_palette, mut data, mut before) = (false, false, [0; 4]);
    while !reader.is_at_end() {
        let begin = reader.position();
        let (kind, content) = chunk(&mut reader)?;
        has_palette |= &kind == b"IHDR" && content.get(9) == Some(&3);
        // Without need of it, it may be wrong.
        if &kind == b"PLTE" && !has_palette {
            continue;
        }
        // What comes after something else is not shown.
        let is_late = &kind == b"IDAT" && data && &before != b"IDAT";
        let is_profile = with_profile && &kind == b"iCCP" && !data;
        if is_profile || matches!(&kind, b"IHDR" | b"PLTE" | b"tRNS" | b"IDAT") && !is_late {
            bytes.extend(&picture[begin..reader.position()]);
        }
        data |= &kind == b"IDAT";
        before = kind;
    }
    bytes.extend(END);
    Ok(bytes)
}

/// XMP in a text of its name, and C2PA in a chunk of its own.
pub(super) fn embedded(picture: &[u8], found: &mut Embedded) -> Result<(), Rejection> {
    let mut reader = ByteReader::new(picture, SIGNATURE);
    let mut budget = MAX_UNPACKING;
    while !reader.is_at_end() {
        match chunk(&mut reader)? {
            (kind, content) if &kind == b"iTXt" && !found.is_full() => {
                let Some(text) = content.strip_prefix(b"XML:com.adobe.xmp\0") else { continue };
                // Whether it is compressed and how, a language, and the name in it.
                let mut parts = text.get(2..).unwrap_or_default().splitn(3, |byte| *byte == 0);
                let packet = parts.nth(2).unwrap_or_default();
                match text.first() {
                    Some(0) => found.add_xmp(packet),
                    _ => found.add_compressed_xmp(packet, &mut budget),
                }
            }
            (kind, content) if &kind == b"caBX" => found.add_jumbf(content),
            (kind, _) if &kind == b"IEND" => break,
            _ => {}
        }
    }
    Ok(())
}

/// Type and content of the next chunk. Checksums are the decoder's business.
fn chunk<'a>(reader: &mut ByteReader<'a>) -> Result<([u8; 4], &'a [u8]), Rejection> {
    let length = u32::from_be_bytes(reader.array()?);
    let kind = reader.array()?;
    let content = reader.take(length as usize)?;
    reader.array::<4>()?;
    Ok((kind, content))
}
