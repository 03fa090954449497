//! WebP: RIFF chunks, and decoding of the picture or of every frame.

use std::io::Cursor;

use ::image::metadata::Orientation;
use image_webp::{DecodingError, UpsamplingMethod, WebPDecodeOptions, WebPDecoder};

use super::{Header, Limits, Rejected, phash, reader::Reader};
use crate::image::{Format, Refusal};

/// Walks from chunk to chunk to the end that the file announces.
pub(super) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Header, Rejected> {
    let mut reader = Reader::new(bytes, 4);
    let announced = 8 + u32::from_le_bytes(reader.array()?) as usize;
    reader.take(4)?;
    let mut canvas: Option<Canvas> = None;
    let mut orientation = None;
    let (mut frames, mut pictures, mut lossless) = (0, 0, false);
    // A file that was cut off is walked too: its size may be a better reason.
    let end = announced.min(bytes.len());
    let mut reader = Reader::new(&bytes[..end], reader.position());
    while !reader.is_at_end() {
        let (kind, content) = chunk(&mut reader)?;
        match &kind {
            b"VP8X" if canvas.is_none() => canvas = Some(Canvas::read(content, limits)?),
            b"VP8 " | b"VP8L" => {
                let (width, height) = bitstream_size(&kind, content, limits)?;
                let alpha = &kind == b"VP8L";
                let canvas = canvas.get_or_insert(Canvas { width, height, animated: false, alpha });
                if !canvas.animated && (canvas.width, canvas.height) != (width, height) {
                    return Err(Rejected::corrupt("canvas and picture differ in size"));
                }
                pictures += 1;
                lossless |= &kind == b"VP8L";
            }
            b"ANMF" => {
                let Some(canvas) = &canvas else { return Err(Rejected::corrupt("a frame without canvas")) };
                frames += 1;
                // Every frame is put on a canvas of full size.
                limits.check_frames(frames, u64::from(frames) * canvas.pixels(), bytes.len())?;
                check_frame(content, canvas, limits)?;
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
        return Err(Rejected::new(Refusal::Truncated, detail));
    }
    let Some(canvas) = canvas else { return Err(Rejected::corrupt("no picture")) };
    let frames = match (canvas.animated, pictures, frames) {
        (true, _, 1..) => frames,
        (false, 1, _) => 1,
        _ => return Err(Rejected::corrupt(format!("{pictures} pictures, {frames} frames"))),
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
        frames,
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        end: announced,
        sequential: false,
        pixels: u64::from(frames) * canvas.pixels(),
        memory: canvas.pixels() * bytes_per_pixel + bytes.len() as u64 + phash::MEMORY,
    })
}

/// Decodes every frame and gives the perceptual hash of the first.
pub(super) fn decode(picture: &[u8], header: &Header) -> Result<u64, String> {
    let explain = |error: DecodingError| error.to_string();
    let mut options = WebPDecodeOptions::default();
    // Smoother colour would cost time and change nothing that is kept.
    options.lossy_upsampling = UpsamplingMethod::Simple;
    let mut decoder = WebPDecoder::new_with_options(Cursor::new(picture), options).map_err(explain)?;
    let (width, height) = (header.width, header.height);
    if decoder.dimensions() != (width, height) {
        return Err("two different sizes".to_owned());
    }
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    let mut pixels = vec![0; decoder.output_buffer_size().ok_or("too large")?];
    if decoder.is_animated() {
        decoder.read_frame(&mut pixels).map_err(explain)?;
    } else {
        decoder.read_image(&mut pixels).map_err(explain)?;
    }
    let hash = phash::Rows::new(width, height, channels, header.orientation)?.all(&pixels)?;
    for _ in 1..header.frames {
        decoder.read_frame(&mut pixels).map_err(explain)?;
    }
    Ok(hash)
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
    fn read(content: &[u8], limits: &Limits) -> Result<Self, Rejected> {
        let [flags, _, _, _, w0, w1, w2, h0, h1, h2, ..] = *content else {
            return Err(Rejected::corrupt("a VP8X chunk of a few bytes"));
        };
        let width = 1 + u32::from_le_bytes([w0, w1, w2, 0]);
        let height = 1 + u32::from_le_bytes([h0, h1, h2, 0]);
        limits.check_size(width, height)?;
        Ok(Self { width, height, animated: flags & 0x02 != 0, alpha: flags & 0x10 != 0 })
    }

    fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// Checks that the pictures within an `ANMF` chunk are not larger than they may be: the
/// decoder believes the picture, whatever the frame says.
fn check_frame(content: &[u8], canvas: &Canvas, limits: &Limits) -> Result<(), Rejected> {
    let mut reader = Reader::new(content, 16);
    while !reader.is_at_end() {
        let (kind, content) = chunk(&mut reader)?;
        if matches!(&kind, b"VP8 " | b"VP8L") {
            let (width, height) = bitstream_size(&kind, content, limits)?;
            if width > canvas.width || height > canvas.height {
                return Err(Rejected::corrupt("a frame larger than its canvas"));
            }
        }
    }
    Ok(())
}

/// Width and height that a `VP8 ` or `VP8L` chunk says of itself.
fn bitstream_size(kind: &[u8; 4], content: &[u8], limits: &Limits) -> Result<(u32, u32), Rejected> {
    let (width, height) = match (kind, content) {
        (b"VP8 ", [_, _, _, 0x9d, 0x01, 0x2a, w0, w1, h0, h1, ..]) => {
            (u16::from_le_bytes([*w0, *w1]) & 0x3fff, u16::from_le_bytes([*h0, *h1]) & 0x3fff)
        }
        (b"VP8L", [0x2f, b0, b1, b2, b3, ..]) => {
            let bits = u32::from_le_bytes([*b0, *b1, *b2, *b3]);
            // 14 bits each, less one.
            (1 + (bits & 0x3fff) as u16, 1 + (bits >> 14 & 0x3fff) as u16)
        }
        _ => return Err(Rejected::corrupt("no picture data where they should begin")),
    };
    limits.check_size(width.into(), height.into())?;
    Ok((width.into(), height.into()))
}

/// Type and content of the next chunk.
fn chunk<'a>(reader: &mut Reader<'a>) -> Result<([u8; 4], &'a [u8]), Rejected> {
    let kind = reader.array()?;
    let length = u32::from_le_bytes(reader.array()?);
    let content = reader.take(length as usize)?;
    if length % 2 == 1 && !reader.is_at_end() {
        reader.byte()?;
    }
    Ok((kind, content))
}
