//! WebP: RIFF chunks, and decoding of the picture or of every frame.

use std::io::Cursor;

use ::image::metadata::Orientation;
use image_webp::{DecodingError, UpsamplingMethod, WebPDecodeOptions, WebPDecoder};

use super::{DecodeLimits, Decoded, Embedded, Header, Rejection, Still, pdq, reader::ByteReader};
use crate::model::{Format, Refusal};

/// Flags of a `VP8X` chunk.
const ANIMATED: u8 = 0x02;
const ALPHA: u8 = 0x10;

/// Walks from chunk to chunk to the end that the file announces.
pub(super) fn inspect(bytes: &[u8], limits: &DecodeLimits) -> Result<Header, Rejection> {
    let mut reader = ByteReader::new(bytes, 4);
    let announced = 8 + u32::from_le_bytes(reader.array()?) as usize;
    reader.take(4)?;
    let mut canvas: Option<Canvas> = None;
    let mut orientation = None;
    let (mut frames, mut pictures, mut lossless, mut broken) = (0, 0, false, false);
    // A file that was cut off is walked too: its size may be a better reason.
    let end = announced.min(bytes.len());
    let mut reader = ByteReader::new(&bytes[..end], reader.position());
    while !reader.is_at_end() {
        let (kind, content) = chunk(&mut reader)?;
        match &kind {
            b"VP8X" if canvas.is_none() => canvas = Some(Canvas::read(content, limits)?),
            b"VP8 " | b"VP8L" => {
                let (width, height) = bitstream_size(&kind, content, limits)?;
                pictures += 1;
                if pictures > 1 {
                    // Nobody shows it.
                    continue;
                }
                let alpha = &kind == b"VP8L";
                let canvas = canvas.get_or_insert(Canvas { width, height, animated: false, alpha });
                if !canvas.animated && (canvas.width, canvas.height) != (width, height) {
                    return Err(Rejection::corrupt("canvas and picture differ in size"));
                }
                lossless |= &kind == b"VP8L";
            }
            b"ANMF" => {
                let Some(canvas) = &canvas else { return Err(Rejection::corrupt("a frame without canvas")) };
                frames += 1;
                // Every frame is put on a canvas of full size.
                limits.check_frames(frames, u64::from(frames) * canvas.pixels(), bytes.len())?;
                match check_frame(content, canvas, limits) {
                    // Of a film with a broken frame the first is shown.
                    Err(Rejection { reason: Refusal::Corrupt | Refusal::Truncated, .. }) if frames > 1 => {
                        broken = true;
                    }
                    checked => checked?,
                }
            }
            b"EXIF" if orientation.is_none() => {
                let exif = content.strip_prefix(b"Exif\0\0").unwrap_or(content);
                orientation = Orientation::from_exif_chunk(exif);
            }
            _ => {}
        }
    }
    if bytes.len() < announced {
        let detail = format!("{} of {announced} bytes", bytes.len());
        return Err(Rejection::new(Refusal::Truncated, detail));
    }
    let Some(canvas) = canvas else { return Err(Rejection::corrupt("no picture")) };
    let shown = match (canvas.animated, pictures, frames) {
        (true, _, 1..) if !broken => frames,
        (true, _, 1..) | (false, 1.., _) => 1,
        _ => return Err(Rejection::corrupt(format!("{pictures} pictures, {frames} frames"))),
    };
    // Planes or ARGB and the result; with alpha that of its own, in an animation the canvas.
    let bytes_per_pixel = match (canvas.animated, canvas.alpha, lossless) {
        (true, ..) => 18,
        (false, true, _) => 12,
        (false, false, true) => 8,
        (false, false, false) => 5,
    };
    Ok(Header {
        format: Format::Webp,
        width: canvas.width,
        height: canvas.height,
        frames: shown,
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        end: announced,
        pixels: u64::from(frames) * canvas.pixels(),
        memory: canvas.pixels() * bytes_per_pixel + 2 * bytes.len() as u64 + pdq::MEMORY,
    })
}

/// Decodes every frame and gives the hash and scores of the first.
pub(super) fn decode(picture: &[u8], header: &Header) -> Result<Decoded, Rejection> {
    let explain = |error: DecodingError| error.to_string();
    let mut options = WebPDecodeOptions::default();
    // Smoother colour would cost time and change nothing that is kept.
    options.lossy_upsampling = UpsamplingMethod::Simple;
    let plain = plain(picture, header)?;
    let mut decoder = WebPDecoder::new_with_options(Cursor::new(&plain), options).map_err(explain)?;
    let (width, height) = (header.width, header.height);
    if decoder.dimensions() != (width, height) {
        return Err(Rejection::corrupt("two different sizes"));
    }
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    let size = decoder.output_buffer_size().ok_or_else(|| Rejection::corrupt("too large"))?;
    let mut pixels = vec![0; size];
    let is_film = decoder.is_animated();
    if is_film {
        decoder.read_frame(&mut pixels).map_err(explain)?;
    } else {
        decoder.read_image(&mut pixels).map_err(explain)?;
    }
    let looks = pdq::Rows::new(width, height, channels, header.orientation)?.all(pixels)?;
    // Of a film with a broken frame the first is shown.
    let mut later = vec![0; if header.frames > 1 { size } else { 0 }];
    let is_whole = (1..header.frames).all(|_| decoder.read_frame(&mut later).is_ok());
    Ok(looks.of_frames(if is_whole { header.frames } else { 1 }))
}

/// The file with nothing but what makes pixels, and its profile.
pub(super) fn still(picture: &[u8], header: &Header) -> Result<Still, Rejection> {
    let mut reader = ByteReader::new(picture, 12);
    let mut profile = None;
    while !reader.is_at_end() && profile.is_none() {
        let (kind, content) = chunk(&mut reader)?;
        profile = Some(content.to_vec()).filter(|_| &kind == b"ICCP");
    }
    Ok(Still { bytes: plain(picture, header)?, profile, inverted: false })
}

/// XMP and C2PA in chunks of their own.
pub(super) fn embedded(picture: &[u8], found: &mut Embedded) -> Result<(), Rejection> {
    let mut reader = ByteReader::new(picture, 12);
    while !reader.is_at_end() {
        match chunk(&mut reader)? {
            (kind, content) if &kind == b"XMP " => found.add_xmp(content),
            (kind, content) if &kind == b"C2PA" => found.add_jumbf(content),
            _ => {}
        }
    }
    Ok(())
}

/// The file with nothing but what makes pixels, and with what it then says of itself: the decoder
/// refuses a file that announces a profile or transparency that is not there.
fn plain(picture: &[u8], header: &Header) -> Result<Vec<u8>, Rejection> {
    let mut reader = ByteReader::new(picture, 12);
    let (mut extended, mut loops, mut alpha, mut pixels) = (None, None, None, Vec::new());
    while !reader.is_at_end() {
        let (kind, content) = chunk(&mut reader)?;
        match &kind {
            b"VP8X" if extended.is_none() => extended = content.first_chunk::<10>(),
            b"ANIM" if loops.is_none() => loops = content.first_chunk::<6>(),
            b"ALPH" if alpha.is_none() && pixels.is_empty() => alpha = Some(content),
            b"VP8 " | b"VP8L" | b"ANMF" => pixels.push((kind, content)),
            _ => {}
        }
    }
    let film = extended.filter(|flags| flags[0] & ANIMATED != 0);
    pixels.retain(|(kind, _)| (kind == b"ANMF") == film.is_some());
    pixels.truncate(header.frames as usize);
    let mut chunks = Vec::with_capacity(picture.len() + 64);
    let mut write = |kind: &[u8; 4], content: &[u8]| {
        chunks.extend(kind);
        chunks.extend(u32::try_from(content.len()).unwrap_or(u32::MAX).to_le_bytes());
        chunks.extend(content);
        chunks.extend(&[0][..content.len() % 2]);
    };
    let alpha = alpha.filter(|_| film.is_none() && pixels.first().is_some_and(|(kind, _)| kind == b"VP8 "));
    if film.is_some() || alpha.is_some() {
        let mut flags = *extended.ok_or_else(|| Rejection::corrupt("transparency without a VP8X chunk"))?;
        flags[0] = if film.is_some() { flags[0] & ALPHA | ANIMATED } else { ALPHA };
        write(b"VP8X", &flags);
    }
    if film.is_some() {
        write(b"ANIM", loops.unwrap_or(&[0; 6]));
    }
    if let Some(alpha) = alpha {
        write(b"ALPH", alpha);
    }
    for (kind, content) in pixels {
        write(&kind, content);
    }
    let size = u32::try_from(4 + chunks.len()).unwrap_or(u32::MAX).to_le_bytes();
    Ok([b"RIFF", &size[..], b"WEBP", &chunks].concat())
}

/// The area that all frames are put on.
struct Canvas {
    width: u32,
    height: u32,
    animated: bool,
    alpha: bool,
}

impl Canvas {
    /// From the content of a `VP8X` chunk.
    fn read(content: &[u8], limits: &DecodeLimits) -> Result<Self, Rejection> {
        let [flags, _, _, _, w0, w1, w2, h0, h1, h2, ..] = *content else {
            return Err(Rejection::corrupt("a VP8X chunk of a few bytes"));
        };
        let width = 1 + u32::from_le_bytes([w0, w1, w2, 0]);
        let height = 1 + u32::from_le_bytes([h0, h1, h2, 0]);
        limits.check_size(width, height)?;
        Ok(Self { width, height, animated: flags & ANIMATED != 0, alpha: flags & ALPHA != 0 })
    }

    fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// Checks that the pictures within an `ANMF` chunk are not larger than they may be: the
/// decoder believes the picture, whatever the frame says.
fn check_frame(content: &[u8], canvas: &Canvas, limits: &DecodeLimits) -> Result<(), Rejection> {
    let mut reader = ByteReader::new(content, 16);
    let mut pictures = 0;
    while !reader.is_at_end() {
        let (kind, content) = chunk(&mut reader)?;
        if matches!(&kind, b"VP8 " | b"VP8L") {
            let (width, height) = bitstream_size(&kind, content, limits)?;
            if width > canvas.width || height > canvas.height {
                return Err(Rejection::corrupt("a frame larger than its canvas"));
            }
            pictures += 1;
        }
    }
    if pictures == 1 { Ok(()) } else { Err(Rejection::corrupt(format!("{pictures} pictures in a frame"))) }
}

/// Width and height that a `VP8 ` or `VP8L` chunk says of itself.
fn bitstream_size(kind: &[u8; 4], content: &[u8], limits: &DecodeLimits) -> Result<(u32, u32), Rejection> {
    let (width, height) = match (kind, content) {
        (b"VP8 ", [_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..]) => {
            (u16::from_le_bytes([*w0, *w1]) & 0x3fff, u16::from_le_bytes([*h0, *h1]) & 0x3fff)
        }
        (b"VP8L", [0x2f, b0, b1, b2, b3, ..]) => {
            let bits = u32::from_le_bytes([*b0, *b1, *b2, *b3]);
            // 14 bits each, less one.
            (1 + (bits & 0x3fff) as u16, 1 + (bits >> 14 & 0x3fff) as u16)
        }
        _ => return Err(Rejection::corrupt("no picture data where they should begin")),
    };
    limits.check_size(width.into(), height.into())?;
    Ok((width.into(), height.into()))
}

/// Type and content of the next chunk.
fn chunk<'a>(reader: &mut ByteReader<'a>) -> Result<([u8; 4], &'a [u8]), Rejection> {
    let kind = reader.array()?;
    let length = u32::from_le_bytes(reader.array()?);
    let content = reader.take(length as usize)?;
    if length % 2 == 1 && !reader.is_at_end() {
        reader.byte()?;
    }
    Ok((kind, content))
}
