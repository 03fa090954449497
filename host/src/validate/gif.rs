//! GIF: blocks, and decoding of every frame to palette indices.

use ::image::metadata::Orientation;
use gif::{ColorOutput, DecodeOptions, MemoryLimit};

use super::{Header, Limits, Rejected, phash, reader::Reader};
use crate::image::Format;

const EXTENSION: u8 = 0x21;
const IMAGE: u8 = 0x2c;
const TRAILER: u8 = 0x3b;

/// Walks from block to block to the trailer.
pub(super) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Header, Rejected> {
    let mut reader = Reader::new(bytes, 6);
    let [w0, w1, h0, h1, packed, _background, _aspect] = reader.array()?;
    let (width, height) = (u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
    limits.check_size(width.into(), height.into())?;
    skip_palette(&mut reader, packed)?;

    let (mut frames, mut pixels, mut largest) = (0, 0, 0);
    loop {
        match reader.byte()? {
            TRAILER => break,
            EXTENSION => {
                reader.byte()?;
                skip_sub_blocks(&mut reader)?;
            }
            IMAGE => {
                let [_, _, _, _, w0, w1, h0, h1, packed] = reader.array()?;
                let (width, height) = (u16::from_le_bytes([w0, w1]), u16::from_le_bytes([h0, h1]));
                limits.check_size(width.into(), height.into())?;
                let area = u64::from(width) * u64::from(height);
                frames += 1;
                pixels += area;
                largest = area.max(largest);
                limits.check_frames(frames, pixels, bytes.len())?;
                skip_palette(&mut reader, packed)?;
                reader.byte()?;
                skip_sub_blocks(&mut reader)?;
            }
            block => return Err(Rejected::corrupt(format!("unknown block {block:#04x}"))),
        }
    }
    if frames == 0 {
        return Err(Rejected::corrupt("no frame"));
    }
    Ok(Header {
        format: Format::Gif,
        width: width.into(),
        height: height.into(),
        frames,
        orientation: Orientation::NoTransforms,
        end: reader.position(),
        sequential: false,
        pixels,
        memory: largest + phash::MEMORY,
    })
}

/// Decodes every frame and gives the perceptual hash of the first, on white.
pub(super) fn decode(picture: &[u8], header: &Header) -> Result<u64, String> {
    let explain = |error: gif::DecodingError| error.to_string();
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.set_memory_limit(MemoryLimit::Bytes(header.memory.try_into().map_err(|_| "no memory")?));
    let mut decoder = options.read_info(picture).map_err(explain)?;

    let mut hash = None;
    let mut frames = 0;
    // At once: growing would take up to twice as much.
    let largest = usize::try_from(header.memory.saturating_sub(phash::MEMORY)).unwrap_or(0);
    let mut indices = Vec::with_capacity(largest);
    while let Some(frame) = decoder.next_frame_info().map_err(explain)? {
        let (left, top) = (usize::from(frame.left), usize::from(frame.top));
        let (line, transparent) = (usize::from(frame.width), frame.transparent);
        indices.resize(decoder.buffer_size(), 0);
        decoder.read_into_buffer(&mut indices).map_err(explain)?;
        frames += 1;
        if hash.is_none() {
            let shades = shades(decoder.palette().map_err(explain)?, transparent);
            let mut canvas = phash::Rows::new(header.width, header.height, 1, header.orientation)?;
            // What lies outside the canvas is not shown, and what the frame leaves of it is white.
            for y in 0..header.height as usize {
                let to = canvas.next()?;
                to.fill(255);
                let from = y.checked_sub(top).and_then(|y| indices.chunks_exact(line).nth(y));
                for (to, from) in to.iter_mut().skip(left).zip(from.unwrap_or_default()) {
                    *to = shades[usize::from(*from)];
                }
            }
            hash = Some(canvas.hash()?);
        }
    }
    match hash {
        Some(hash) if frames == header.frames => Ok(hash),
        _ => Err(format!("{frames} of {} frames can be decoded", header.frames)),
    }
}

/// Grey value of each index; what is transparent or has no colour is white.
fn shades(palette: &[u8], transparent: Option<u8>) -> [u8; 256] {
    let mut shades = [255; 256];
    for (shade, colour) in shades.iter_mut().zip(palette.chunks_exact(3)) {
        *shade = phash::grey(colour);
    }
    if let Some(index) = transparent {
        shades[usize::from(index)] = 255;
    }
    shades
}

fn skip_palette(reader: &mut Reader<'_>, packed: u8) -> Result<(), Rejected> {
    if packed & 0x80 != 0 {
        reader.take(3 << ((packed & 7) + 1))?;
    }
    Ok(())
}

fn skip_sub_blocks(reader: &mut Reader<'_>) -> Result<(), Rejected> {
    loop {
        match reader.byte()? {
            0 => return Ok(()),
            length => reader.take(length.into())?,
        };
    }
}
