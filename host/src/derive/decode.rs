//! The first frame of a file that was inspected, as pixels in the colours in which they are stored.

use std::io::Cursor;

use gif::{ColorOutput, DecodeOptions, MemoryLimit};
use image_webp::WebPDecoder;
use png::{ColorType, Decoder, Limits, Transformations};
use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::{
    colour,
    pixels::{Channels, Pixels},
};
use crate::{
    model::Format,
    validate::{Header, Still},
};

/// Most bytes that a PNG may take to unpack beside its pixels: a profile, above all.
const PNG_MEMORY: usize = 32 << 20;

/// The pixels and the profile of their colours.
pub(super) fn pixels(header: &Header, still: Still) -> Result<(Pixels, Option<Vec<u8>>), String> {
    let (picture, profile) = match header.format {
        Format::Jpeg => (jpeg(&still.bytes, still.inverted)?, still.profile),
        Format::Png => png(header, &still.bytes)?,
        Format::Gif => (gif(header, &still.bytes)?, None),
        Format::Webp => (webp(&still.bytes)?, still.profile),
    };
    if (picture.width, picture.height) != (header.width, header.height) {
        return Err("two different sizes".to_owned());
    }
    Ok((picture, profile))
}

fn jpeg(bytes: &[u8], inverted: bool) -> Result<Pixels, String> {
    let options = DecoderOptions::default()
        .set_strict_mode(false)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX));
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|error| error.to_string())?;
    let stored = decoder.input_colorspace().ok_or("no frame header")?;
    let (output, channels) = match stored {
        ColorSpace::Luma => (ColorSpace::Luma, Channels::Grey),
        // The decoder would multiply inks, and take all for inverted.
        ColorSpace::CMYK | ColorSpace::YCCK => (stored, Channels::Cmyk),
        _ => (ColorSpace::RGB, Channels::Rgb),
    };
    let options = options.jpeg_set_out_colorspace(output);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let mut bytes = decoder.decode().map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions().ok_or("no size")?;
    if stored == ColorSpace::YCCK {
        colour::ycck_to_cmyk(&mut bytes);
    }
    if channels == Channels::Cmyk && inverted {
        bytes.iter_mut().for_each(|ink| *ink = !*ink);
    }
    let side = |side: usize| u32::try_from(side).map_err(|error| error.to_string());
    Ok(Pixels { width: side(width)?, height: side(height)?, channels, bytes })
}

fn png(header: &Header, bytes: &[u8]) -> Result<(Pixels, Option<Vec<u8>>), String> {
    let explain = |error: png::DecodingError| error.to_string();
    let memory = usize::try_from(header.memory()).unwrap_or(usize::MAX).saturating_add(PNG_MEMORY);
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: memory });
    // Palettes, transparent colours and less than 8 bits are unpacked; 16 bits are rounded below, not cut.
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(explain)?;
    let (colour, depth) = reader.output_color_type();
    let channels = match colour {
        ColorType::Grayscale => Channels::Grey,
        ColorType::GrayscaleAlpha => Channels::GreyAlpha,
        ColorType::Rgb => Channels::Rgb,
        ColorType::Rgba => Channels::Rgba,
        ColorType::Indexed => return Err("a palette that is left".to_owned()),
    };
    let (width, height) = (reader.info().width, reader.info().height);
    let line = width as usize * channels.count();
    let mut pixels = Vec::with_capacity(line * height as usize);
    let mut push = |row: &[u8]| {
        if depth == png::BitDepth::Sixteen {
            let (values, _) = row.as_chunks::<2>();
            pixels.extend(values.iter().map(|value| rounded(u16::from_be_bytes(*value))));
        } else {
            pixels.extend_from_slice(row);
        }
    };
    if reader.info().interlaced {
        let mut all = vec![0; reader.output_buffer_size().ok_or("too large")?];
        reader.next_frame(&mut all).map_err(explain)?;
        push(&all);
    } else {
        for _ in 0..height {
            push(reader.next_row().map_err(explain)?.ok_or("rows are missing")?.data());
        }
    }
    let profile = reader.info().icc_profile.as_ref().map(|profile| profile.to_vec());
    // What says that it is sRGB is that, whatever else it says.
    let profile = profile.filter(|_| reader.info().srgb.is_none());
    Ok((Pixels { width, height, channels, bytes: pixels }, profile))
}

/// A value of 16 bits as the nearest of 8.
fn rounded(value: u16) -> u8 {
    u8::try_from((u32::from(value) * 255 + 32_767) / 65_535).unwrap_or(u8::MAX)
}

fn gif(header: &Header, bytes: &[u8]) -> Result<Pixels, String> {
    let explain = |error: gif::DecodingError| error.to_string();
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    options.allow_unknown_blocks(true);
    let memory = header.memory().try_into().map_err(|_| "no memory")?;
    options.set_memory_limit(MemoryLimit::Bytes(memory));
    let mut decoder = options.read_info(bytes).map_err(explain)?;
    let frame = decoder.next_frame_info().map_err(explain)?.ok_or("no frame")?;
    let (left, top, across) = (usize::from(frame.left), usize::from(frame.top), usize::from(frame.width));
    let transparent = frame.transparent;
    let mut indices = vec![0; decoder.buffer_size()];
    decoder.read_into_buffer(&mut indices).map_err(explain)?;

    // What the frame leaves of the canvas, and what has no colour, is transparent.
    let mut colours = [[0; 4]; 256];
    for (to, from) in colours.iter_mut().zip(decoder.palette().map_err(explain)?.as_chunks::<3>().0) {
        *to = [from[0], from[1], from[2], u8::MAX];
    }
    if let Some(index) = transparent {
        colours[usize::from(index)] = [0; 4];
    }
    let (width, height) = (header.width as usize, header.height as usize);
    let mut canvas = vec![0; 4 * width * height];
    let rows = indices.chunks_exact(across.max(1)).zip(canvas.chunks_exact_mut(4 * width).skip(top));
    for (from, to) in rows {
        for (index, pixel) in from.iter().zip(to.as_chunks_mut::<4>().0.iter_mut().skip(left)) {
            *pixel = colours[usize::from(*index)];
        }
    }
    Ok(Pixels { width: header.width, height: header.height, channels: Channels::Rgba, bytes: canvas })
}

fn webp(bytes: &[u8]) -> Result<Pixels, String> {
    let explain = |error: image_webp::DecodingError| error.to_string();
    let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(explain)?;
    let (width, height) = decoder.dimensions();
    let channels = if decoder.has_alpha() { Channels::Rgba } else { Channels::Rgb };
    let mut pixels = vec![0; decoder.output_buffer_size().ok_or("too large")?];
    if decoder.is_animated() {
        decoder.read_frame(&mut pixels).map_err(explain)?;
    } else {
        decoder.read_image(&mut pixels).map_err(explain)?;
    }
    Ok(Pixels { width, height, channels, bytes: pixels })
}
