//! JPEG: markers, and decoding to grey where the file stores brightness apart.

use ::image::metadata::Orientation;
use zune_jpeg::{
    JpegDecoder, SampleRatios,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::{Header, Limits, Rejected, phash, reader::Reader};
use crate::image::{Format, Refusal};

const SOF0: u8 = 0xc0;
const SOF2: u8 = 0xc2;
const SOF15: u8 = 0xcf;
const DHT: u8 = 0xc4;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const APP1: u8 = 0xe1;
const APP14: u8 = 0xee;

/// Every scan of a progressive picture walks over all of it: ten are usual, thousands are an attack.
const MAX_SCANS: u32 = 100;
/// A profile or other metadata of 64 MB needs about a thousand; the decoder sorts some of
/// them again for each that follows.
const MAX_SEGMENTS: u32 = 2048;
/// More than the decoder ever holds of bits that it does not use.
const LOOKAHEAD: usize = 8;

/// Walks from marker to marker to the end of the picture.
pub(super) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Header, Rejected> {
    let mut reader = Reader::new(bytes, 2);
    let mut frame: Option<Frame> = None;
    let mut orientation = None;
    let mut adobe = None;
    let (mut scans, mut segments) = (0, 0);
    loop {
        let marker = next_marker(&mut reader)?;
        if marker == EOI {
            break;
        }
        segments += 1;
        if segments > MAX_SEGMENTS {
            return Err(Rejected::corrupt(format!("more than {MAX_SEGMENTS} marker segments")));
        }
        let length = usize::from(u16::from_be_bytes(reader.array()?));
        let Some(length) = length.checked_sub(2) else {
            return Err(Rejected::corrupt("a marker segment shorter than its length"));
        };
        let segment = reader.take(length)?;
        match marker {
            DHT => {}
            SOF0..=SOF15 if !matches!(marker, SOF0..=SOF2) => {
                // The other ways of coding: lossless, hierarchical, arithmetic.
                let detail = format!("JPEG coding {} is not kept", marker - SOF0);
                return Err(Rejected::new(Refusal::UnsupportedFormat, detail));
            }
            SOF0..=SOF15 if frame.is_some() => return Err(Rejected::corrupt("two frame headers")),
            SOF0..=SOF15 => {
                let found = Frame::read(segment, marker == SOF2)?;
                limits.check_size(found.width.into(), found.height.into())?;
                frame = Some(found);
            }
            SOS => {
                scans += 1;
                let Some(frame) = &frame else {
                    return Err(Rejected::corrupt("a scan before the frame header"));
                };
                // The decoder would stop at a second scan and call the picture whole.
                let complete = !frame.progressive
                    && segment.first().is_some_and(|count| usize::from(*count) == frame.components.len());
                if scans > if complete { 1 } else { MAX_SCANS } {
                    return Err(Rejected::corrupt(format!("{scans} scans")));
                }
            }
            APP1 if orientation.is_none() => {
                orientation = segment.strip_prefix(b"Exif\0\0").and_then(Orientation::from_exif_chunk);
            }
            APP14 if segment.starts_with(b"Adobe") => adobe = segment.get(11).copied(),
            _ => {}
        }
    }
    let (Some(frame), 1..) = (frame, scans) else {
        return Err(Rejected::corrupt("no picture before the end marker"));
    };
    let end = reader.position();
    Ok(Header {
        format: Format::Jpeg,
        width: frame.width.into(),
        height: frame.height.into(),
        frames: 1,
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        end,
        sequential: !frame.progressive,
        pixels: u64::from(frame.width) * u64::from(frame.height),
        memory: frame.memory(scans, adobe) + end as u64,
    })
}

/// Decodes strictly and gives the perceptual hash.
pub(super) fn decode(picture: &[u8], header: &Header) -> Result<u64, String> {
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_max_scans(MAX_SCANS as usize);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(picture), options);
    decoder.decode_headers().map_err(|error| error.to_string())?;
    let colour_is_halved_vertically = decoder.info().is_some_and(|info| info.sample_ratio == SampleRatios::V);
    let (output, channels) = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => (ColorSpace::Luma, 1),
        // Colour is read and checked, but neither transformed nor converted. In 4:4:0 the
        // decoder would then read twice the rows that there are.
        Some(ColorSpace::YCbCr) if !colour_is_halved_vertically => (ColorSpace::Luma, 1),
        _ => (ColorSpace::RGB, 3),
    };
    let options = options.jpeg_set_out_colorspace(output);

    // Past the end marker the decoder makes up grey pixels without end. In a sequential
    // picture a few bytes stand in for the marker, so that running out of data is an error.
    let padded;
    let input = if header.sequential {
        let data = picture.strip_suffix(&[0xff, EOI]).unwrap_or(picture);
        padded = [data, &[0; LOOKAHEAD]].concat();
        &padded
    } else {
        picture
    };
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(input), options);
    let pixels = decoder.decode().map_err(|error| error.to_string())?;
    let (width, height) = (header.width, header.height);
    if decoder.dimensions() != Some((width as usize, height as usize)) {
        return Err("two different sizes".to_owned());
    }
    phash::Rows::new(width, height, channels, header.orientation)?.all(&pixels)
}

/// What the frame header says.
struct Frame {
    width: u16,
    height: u16,
    progressive: bool,
    /// Of each component: how many blocks it has across and down in a unit.
    components: Vec<(u8, u8)>,
    /// By their names the components are red, green and blue.
    is_rgb: bool,
}

impl Frame {
    fn read(segment: &[u8], progressive: bool) -> Result<Self, Rejected> {
        let [precision, h1, h0, w1, w0, count, components @ ..] = segment else {
            return Err(Rejected::corrupt("a frame header of a few bytes"));
        };
        if *precision != 8 || !matches!(count, 1 | 3 | 4) {
            let detail = format!("JPEG with {count} components of {precision} bits is not kept");
            return Err(Rejected::new(Refusal::UnsupportedFormat, detail));
        }
        let is_rgb = components.iter().step_by(3).eq(b"RGB");
        let components: Vec<_> =
            components.chunks_exact(3).map(|component| (component[1] >> 4, component[1] & 0xf)).collect();
        if components.len() != usize::from(*count) {
            return Err(Rejected::corrupt("a frame header with other components than it says"));
        }
        let (width, height) = (u16::from_be_bytes([*w1, *w0]), u16::from_be_bytes([*h1, *h0]));
        Ok(Self { width, height, progressive, components, is_rgb })
    }

    /// Bytes that decoding takes: the pixels, rows of blocks, and between scans every coefficient
    /// of every component. `adobe` is how the file says that its colours are transformed.
    fn memory(&self, scans: u32, adobe: Option<u8>) -> u64 {
        let (width, height) = (u64::from(self.width), u64::from(self.height));
        let components = self.components.len() as u64;
        let across = self.components.iter().map(|(across, _)| u64::from(*across)).max().unwrap_or(1).max(1);
        let down = self.components.iter().map(|(_, down)| u64::from(*down)).max().unwrap_or(1).max(1);
        // Grey alone is decoded where brightness is stored apart; see `decode`.
        let is_grey = components == 1
            || components == 3 && !self.is_rgb && matches!(adobe, None | Some(1)) && (across, down) != (1, 2);
        let channels = if is_grey { 1 } else { 3 };
        let units = width.div_ceil(8 * across) * height.div_ceil(8 * down);
        let blocks: u64 = self.components.iter().map(|(x, y)| u64::from(*x) * u64::from(*y)).sum();
        // 64 coefficients of two bytes a block.
        let coefficients = if self.progressive || scans > 1 { units * blocks * 128 } else { 0 };
        let rows = 256 * (width + 64) * components;
        width * height * channels + coefficients + rows + phash::MEMORY
    }
}

/// The next marker that is neither fill, stuffing nor a restart within a scan.
fn next_marker(reader: &mut Reader<'_>) -> Result<u8, Rejected> {
    loop {
        reader.skip_past(0xff)?;
        let mut marker = reader.byte()?;
        while marker == 0xff {
            marker = reader.byte()?;
        }
        if !matches!(marker, 0x00 | 0x01 | 0xd0..=0xd7) {
            return Ok(marker);
        }
    }
}
