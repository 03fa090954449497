//! GIF: blocks, and decoding of every frame to palette indices.

use ::image::metadata::Orientation;
use gif::{ColorOutput, DecodeOptions, MemoryLimit};

use super::{DecodeLimits, Decoded, Embedded, Header, Rejection, pdq, reader::ByteReader};
use crate::model::Format;

const EXTENSION: u8 = 0x21;
const IMAGE: u8 = 0x2c;
const TRAILER: u8 = 0x3b;

/// Walks from block to block to the trailer.
pub(super) fn inspect(bytes: &[u8], limits: &DecodeLimits) -> Result<Header, Rejection> {
    let mut reader = ByteReader::new(bytes, 6);
    let [w0, w1, h0, h1, packed, _background, _aspect] = reader.array()?;
    let (mut width, mut height) = (u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
    skip_palette(&mut reader, packed)?;

    let (mut frames, mut pixels, mut largest, mut broken) = (0, 0, 0, false);
    loop {
        // Viewers show what came until then, be it that there is no trailer or that there is something else.
        if frames > 0 && reader.is_at_end() {
            break;
        }
        match reader.byte()? {
            TRAILER => break,
            EXTENSION => {
                reader.byte()?;
                skip_sub_blocks(&mut reader)?;
            }
            IMAGE => {
                let [l0, l1, t0, t1, w0, w1, h0, h1, packed] = reader.array()?;
                let frame = (u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
                if frames == 0 && (width == 0 || height == 0) {
                    // A screen without a size is as large as what is shown on it.
                    let [left, top] = [[l0, l1], [t0, t1]].map(u16::from_le_bytes);
                    (width, height) = (left.saturating_add(frame.0), top.saturating_add(frame.1));
                }
                frames += 1;
                let area = u64::from(frame.0) * u64::from(frame.1);
                broken |= area == 0 && frames > 1;
                if !broken {
                    limits.check_size(frame.0.into(), frame.1.into())?;
                }
                pixels += area;
                largest = area.max(largest);
                limits.check_frames(frames, pixels, bytes.len())?;
                skip_palette(&mut reader, packed)?;
                reader.byte()?;
                skip_sub_blocks(&mut reader)?;
            }
            0 => {}
            _ if frames > 0 => break,
            block => return Err(Rejection::corrupt(format!("unknown block {block:#04x}"))),
        }
    }
    limits.check_size(width.into(), height.into())?;
    if frames == 0 {
        return Err(Rejection::corrupt("no frame"));
    }
    Ok(Header {
        format: Format::Gif,
        width: width.into(),
        height: height.into(),
        frames: if broken { 1 } else { frames },
        orientation: Orientation::NoTransforms,
        end: reader.position(),
        pixels,
        memory: largest + pdq::MEMORY,
    })
}

/// Decodes every frame and gives the hash and scores of the first, on white.
pub(super) fn decode(picture: &[u8], header: &Header) -> Result<Decoded, Rejection> {
    let explain = |error: gif::DecodingError| error.to_string();
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.allow_unknown_blocks(true);
    let memory = header.memory.try_into().map_err(|_| Rejection::corrupt("no memory"))?;
    options.set_memory_limit(MemoryLimit::Bytes(memory));
    let mut decoder = options.read_info(picture).map_err(explain)?;

    // At once: growing would take up to twice as much.
    let largest = usize::try_from(header.memory.saturating_sub(pdq::MEMORY)).unwrap_or(0);
    let mut indices = Vec::with_capacity(largest);
    let frame = next(&mut decoder, &mut indices)?;
    let shades = shades(decoder.palette().map_err(explain)?, frame.transparent);
    let mut canvas = pdq::Rows::new(header.width, header.height, 1, header.orientation)?;
    // What lies outside the canvas is not shown, and what the frame leaves of it is white.
    for y in 0..header.height as usize {
        let to = canvas.next();
        to.fill(255);
        let from = y.checked_sub(frame.top).and_then(|y| indices.chunks_exact(frame.width).nth(y));
        for (to, from) in to.iter_mut().skip(frame.left).zip(from.unwrap_or_default()) {
            *to = shades[usize::from(*from)];
        }
    }
    let looks = canvas.looks()?;
    // Of a film with a broken frame the first is shown.
    let is_whole = (1..header.frames).all(|_| next(&mut decoder, &mut indices).is_ok());
    Ok(looks.of_frames(if is_whole { header.frames } else { 1 }))
}

/// XMP and C2PA in application extensions.
pub(super) fn embedded(picture: &[u8], found: &mut Embedded) -> Result<(), Rejection> {
    const APPLICATION: u8 = 0xff;
    let mut reader = ByteReader::new(picture, 10);
    let [packed, _background, _aspect] = reader.array()?;
    skip_palette(&mut reader, packed)?;
    loop {
        match reader.byte()? {
            EXTENSION if reader.byte()? == APPLICATION => {
                let length = reader.byte()?;
                let name = reader.take(length.into())?;
                let begin = reader.position();
                skip_sub_blocks(&mut reader)?;
                let content = picture.get(begin..reader.position()).unwrap_or_default();
                match name {
                    b"XMP DataXMP" => found.add_xmp(packet(content)),
                    b"C2PA_GIF\x01\0\0" => found.add_jumbf(content.get(1..).unwrap_or_default()),
                    _ => {}
                }
            }
            EXTENSION => skip_sub_blocks(&mut reader)?,
            IMAGE => {
                let [_, _, _, _, _, _, _, _, packed] = reader.array()?;
                skip_palette(&mut reader, packed)?;
                reader.byte()?;
                skip_sub_blocks(&mut reader)?;
            }
            0 => {}
            _ => return Ok(()),
        }
    }
}

/// An XMP packet: it is not cut into sub-blocks, but its letters are taken for their lengths, and what follows
/// leads to their end wherever one comes out.
fn packet(content: &[u8]) -> &[u8] {
    /// Bytes that follow: 1, then from 255 down to 0, and the end.
    const AFTER: usize = 258;
    match content.split_last_chunk::<AFTER>() {
        Some((packet, [1, 255, ..])) => packet,
        _ => content,
    }
}

/// What is needed of a frame to draw it.
struct FrameArea {
    left: usize,
    top: usize,
    width: usize,
    transparent: Option<u8>,
}

/// Decodes the next frame to palette indices.
fn next(decoder: &mut gif::Decoder<&[u8]>, indices: &mut Vec<u8>) -> Result<FrameArea, String> {
    let frame = decoder.next_frame_info().map_err(|error| error.to_string())?.ok_or("no more frames")?;
    let place = FrameArea {
        left: frame.left.into(),
        top: frame.top.into(),
        width: frame.width.into(),
        transparent: frame.transparent,
    };
    indices.resize(decoder.buffer_size(), 0);
    decoder.read_into_buffer(indices).map_err(|error| error.to_string())?;
    Ok(place)
}

/// Grey value of each index; what is transparent or has no colour is white.
fn shades(palette: &[u8], transparent: Option<u8>) -> [u8; 256] {
    let mut shades = [255; 256];
    for (shade, colour) in shades.iter_mut().zip(palette.chunks_exact(3)) {
        *shade = pdq::grey(colour);
    }
    if let Some(index) = transparent {
        shades[usize::from(index)] = 255;
    }
    shades
}

fn skip_palette(reader: &mut ByteReader<'_>, packed: u8) -> Result<(), Rejection> {
    if packed & 0x80 != 0 {
        reader.take(3 << ((packed & 7) + 1))?;
    }
    Ok(())
}

fn skip_sub_blocks(reader: &mut ByteReader<'_>) -> Result<(), Rejection> {
    loop {
        match reader.byte()? {
            0 => return Ok(()),
            length => reader.take(length.into())?,
        };
    }
}
