//! JPEG: markers, whether all of it is there, and decoding to grey where the file stores
//! brightness apart.

mod bits;
mod quality;
mod scan;
mod segment;

use std::collections::BTreeMap;

use ::image::metadata::Orientation;
use zune_jpeg::{
    JpegDecoder, SampleRatios,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use self::segment::{
    APP1, APP2, APP11, APP14, DHT, DQT, DRI, EOI, RST0, RST7, SOF0, SOF2, SOI, SOS, Segment, Segments,
};
use super::{
    DecodeLimits, Decoded, Embedded, Header, Rejection, Still,
    embedded::MAX_PACKETS,
    pdq::{self, Looks},
};
use crate::model::{Format, Refusal, Scores};

const SOF15: u8 = 0xcf;
/// Tables of arithmetic coding; without it they mean nothing.
const DAC: u8 = 0xcc;

/// Every scan of a progressive picture walks over all of it: ten are usual, thousands are an attack.
const MAX_SCANS: u32 = 100;
/// A profile or other metadata of 64 MB needs about a thousand.
const MAX_SEGMENTS: u32 = 2048;
/// Most parts of all extended packets. One has up to 64 KiB, so that these are many more than are kept; the rest is
/// left out.
const MAX_PARTS: usize = 256;
/// Ones, which are no code: as many as the decoder ever holds of bits that it does not use.
const NO_CODE: [u8; 16] = [0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0];

/// Walks from marker to marker to the end of the picture.
pub(super) fn inspect(bytes: &[u8], limits: &DecodeLimits) -> Result<Header, Rejection> {
    let mut segments = Segments::new(bytes);
    let mut frame: Option<Frame> = None;
    let mut orientation = None;
    let mut adobe = None;
    let (mut scans, mut count) = (0, 0);
    while let Some(Segment { marker, content, .. }) = segments.next()? {
        count += 1;
        if count > MAX_SEGMENTS {
            return Err(Rejection::corrupt(format!("more than {MAX_SEGMENTS} marker segments")));
        }
        match marker {
            DHT | DAC => {}
            SOF0..=SOF15 if !matches!(marker, SOF0..=SOF2) => {
                // The other ways of coding: lossless, hierarchical, arithmetic.
                let detail = format!("JPEG coding {} is not kept", marker - SOF0);
                return Err(Rejection::new(Refusal::UnsupportedFormat, detail));
            }
            SOF0..=SOF15 if frame.is_some() => return Err(Rejection::corrupt("two frame headers")),
            SOF0..=SOF15 => {
                let found = Frame::read(content, marker == SOF2)?;
                limits.check_size(found.width.into(), found.height.into())?;
                frame = Some(found);
            }
            SOS => {
                scans += 1;
                if frame.is_none() {
                    return Err(Rejection::corrupt("a scan before the frame header"));
                }
                if scans > MAX_SCANS {
                    return Err(Rejection::corrupt(format!("more than {MAX_SCANS} scans")));
                }
            }
            APP1 if orientation.is_none() => {
                orientation = content.strip_prefix(b"Exif\0\0").and_then(Orientation::from_exif_chunk);
            }
            APP14 if content.starts_with(b"Adobe") => adobe = content.get(11).copied(),
            _ => {}
        }
    }
    let (Some(frame), 1..) = (frame, scans) else {
        return Err(Rejection::corrupt("no picture before the end marker"));
    };
    let end = segments.position();
    let (width, height) = (u32::from(frame.width), u32::from(frame.height));
    Ok(Header {
        format: Format::Jpeg,
        width,
        height,
        frames: 1,
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        end,
        pixels: u64::from(width) * u64::from(height),
        memory: Frame { adobe, ..frame }.memory(scans) + end as u64,
    })
}

/// Makes sure that the picture is whole, and gives its hash and scores.
///
/// # Errors
/// `truncated` or `corrupt` where it is not whole, `unsupported-format` where it is and the decoder
/// can do nothing with it.
pub(super) fn decode(picture: &[u8], header: &Header) -> Result<Decoded, Rejection> {
    let Plain { frame, mut bytes, scans, restarts, quality } = Plain::of(picture, None)?;
    let still = |looks: Looks| {
        let scores = Scores { jpeg_quality: quality, ..looks.scores };
        Looks { scores, ..looks }.of_frames(1)
    };
    if let [scan] = &scans[..]
        && !frame.progressive
        // With restart markers the decoder goes on wherever it finds the next one.
        && !restarts
        && scan.len() == frame.components.len()
    {
        // Past the end marker the decoder makes up grey pixels without end. Where ones stand in for
        // the marker, running out of data is an error. Most pictures go this way, which costs least.
        let end = bytes.len();
        bytes.extend(NO_CODE);
        if let Ok(looks) = looks(&bytes, &frame, header.orientation, true) {
            return Ok(still(looks));
        }
        bytes.truncate(end);
    }
    bytes.extend([0xff, EOI]);
    scan::check(&bytes, &frame)?;
    // Nothing is missing: what the decoder cannot do now is its own fault.
    let seen = match frame.first_alone(&scans) {
        Some(id) => {
            let Plain { frame, mut bytes, .. } = Plain::of(picture, Some(id))?;
            bytes.extend([0xff, EOI]);
            looks(&bytes, &frame, header.orientation, false)
        }
        None if !frame.progressive && scans.len() > 1 && scans.iter().any(|scan| scan.len() > 1) => {
            Err("scans of several components".to_owned())
        }
        None => looks(&bytes, &frame, header.orientation, false),
    };
    seen.map(still).map_err(|why| Rejection::unsupported(format!("the decoder cannot read this JPEG: {why}")))
}

/// The picture with nothing but what makes its pixels.
///
/// # Errors
/// `unsupported-format` where its scans are such that the decoder mixes them up.
pub(super) fn still(picture: &[u8]) -> Result<Still, Rejection> {
    let Plain { frame, mut bytes, scans, .. } = Plain::of(picture, None)?;
    if !frame.progressive && scans.len() > 1 && scans.iter().any(|scan| scan.len() > 1) {
        return Err(Rejection::unsupported(
            "the decoder cannot read a JPEG with scans of several components",
        ));
    }
    bytes.extend([0xff, EOI]);
    Ok(Still { bytes, profile: profile(picture), inverted: frame.adobe.is_some() })
}

/// The ICC profile, put together of its parts in the order of their numbers.
fn profile(picture: &[u8]) -> Option<Vec<u8>> {
    let mut parts = BTreeMap::new();
    let mut segments = Segments::new(picture);
    while let Ok(Some(Segment { marker, content, .. })) = segments.next() {
        if marker == SOS {
            break;
        }
        if marker == APP2
            && let Some([number, _, part @ ..]) = content.strip_prefix(b"ICC_PROFILE\0")
        {
            parts.entry(*number).or_insert(part);
        }
    }
    (!parts.is_empty()).then(|| parts.into_values().flatten().copied().collect())
}

/// XMP and C2PA in segments before the first scan. Of XMP, what does not fit into one segment lies in parts in
/// others, each with the digest of the whole, by which the packet in the one names it.
pub(super) fn embedded(picture: &[u8], found: &mut Embedded) -> Result<(), Rejection> {
    let mut segments = Segments::new(picture);
    while let Some(Segment { marker, content, .. }) = segments.next()? {
        match marker {
            SOS => break,
            APP1 => {
                if let Some(packet) = content.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
                    found.add_xmp(packet);
                }
            }
            // Of its parts the first one begins with what says what it is.
            APP11 => {
                if let Some(rest) = content.strip_prefix(b"JP") {
                    found.add_jumbf(rest.get(6..).unwrap_or_default());
                }
            }
            _ => {}
        }
    }
    for parts in extended(picture, &named_extensions(&found.xmp))? {
        let whole: Vec<u8> = parts.into_values().flatten().copied().take(found.room()).collect();
        found.add_xmp(&whole);
    }
    Ok(())
}

/// The parts of each of the extended packets with these digests, by their places. Whatever else calls itself a part
/// costs no more than being passed over.
fn extended<'a>(picture: &'a [u8], named: &[[u8; 32]]) -> Result<Vec<BTreeMap<u32, &'a [u8]>>, Rejection> {
    let mut extended = vec![BTreeMap::new(); named.len()];
    let mut left = MAX_PARTS;
    let mut segments = Segments::new(picture);
    while !named.is_empty()
        && left > 0
        && let Some(Segment { marker, content, .. }) = segments.next()?
        && marker != SOS
    {
        if marker == APP1
            && let Some(rest) = content.strip_prefix(b"http://ns.adobe.com/xmp/extension/\0")
            && let Some((digest, rest)) = rest.split_first_chunk::<32>()
            && let Some(([_, _, _, _, at @ ..], part)) = rest.split_first_chunk::<8>()
            && let Some(parts) =
                named.iter().position(|named| named == digest).and_then(|index| extended.get_mut(index))
        {
            parts.entry(u32::from_be_bytes(*at)).or_insert(part);
            left -= 1;
        }
    }
    Ok(extended)
}

/// The digests by which packets name what extends them: values of `xmpNote:HasExtendedXMP`, be that an attribute or an
/// element.
fn named_extensions(packets: &[Vec<u8>]) -> Vec<[u8; 32]> {
    const NAME: &[u8] = b"HasExtendedXMP";
    /// What may stand between name and value, such as ` = "`.
    const BETWEEN: usize = 16;
    let mut named = Vec::new();
    for packet in packets {
        for at in memchr::memmem::find_iter(packet, NAME) {
            let rest = packet.get(at + NAME.len()..).unwrap_or_default();
            let begin = rest.iter().take(BETWEEN).position(u8::is_ascii_hexdigit);
            let digest = begin.and_then(|begin| rest.get(begin..)?.first_chunk::<32>());
            if let Some(digest) = digest
                && digest.iter().all(u8::is_ascii_hexdigit)
                && named.len() < MAX_PACKETS
                && !named.contains(digest)
            {
                named.push(*digest);
            }
        }
    }
    named
}

/// Whether all of a picture is there, without asking the decoder.
#[cfg(test)]
pub(super) fn walk(picture: &[u8]) -> Result<(), Rejection> {
    let Plain { frame, mut bytes, .. } = Plain::of(picture, None)?;
    bytes.extend([0xff, EOI]);
    scan::check(&bytes, &frame)
}

/// Decodes and gives hash and scores. What is not `strict` makes do with what it can read.
fn looks(input: &[u8], frame: &Frame, orientation: Orientation, strict: bool) -> Result<Looks, String> {
    let options = DecoderOptions::default()
        .set_strict_mode(strict)
        .set_max_width(usize::from(u16::MAX))
        .set_max_height(usize::from(u16::MAX))
        .jpeg_set_max_scans(MAX_SCANS as usize);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(input), options);
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
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(input), options);
    let pixels = decoder.decode().map_err(|error| error.to_string())?;
    if decoder.dimensions() != Some((frame.width.into(), frame.height.into())) {
        return Err("two different sizes".to_owned());
    }
    pdq::Rows::new(frame.width.into(), frame.height.into(), channels, orientation)?.all(pixels)
}

/// A file with nothing in it but what makes pixels, up to where its end marker belongs.
struct Plain {
    frame: Frame,
    bytes: Vec<u8>,
    /// The components of each scan, by their ids.
    scans: Vec<Vec<u8>>,
    /// There are restart markers within the scans, or should be.
    restarts: bool,
    /// At which brightness was encoded, 1 to 100.
    quality: Option<i16>,
}

impl Plain {
    /// Of a file, or of one component that has scans of its own, as a grey picture.
    fn of(picture: &[u8], alone: Option<u8>) -> Result<Self, Rejection> {
        let mut bytes = Vec::with_capacity(picture.len() + NO_CODE.len());
        bytes.extend([0xff, SOI]);
        segment::write(&mut bytes, DHT, segment::USUAL_TABLES);
        let (mut found, mut adobe, mut scans): (Option<Frame>, _, Vec<Vec<u8>>) = (None, None, Vec::new());
        let mut restarts = false;
        let mut tables = quality::Tables::default();
        let mut segments = Segments::new(picture);
        while let Some(segment) = segments.next()? {
            let Segment { marker, content, data } = segment;
            match (marker, &found) {
                (DHT | DQT | DRI, _) => {
                    if marker == DQT {
                        tables.read(content);
                    }
                    restarts |= marker == DRI && content != [0, 0];
                    segment::write(&mut bytes, marker, &[content]);
                }
                // How colours are transformed.
                (APP14, _) if content.starts_with(b"Adobe") && content.len() > 11 && alone.is_none() => {
                    adobe = content.get(11).copied();
                    segment::write(&mut bytes, marker, &[content]);
                }
                (SOF0..=SOF2, None) => {
                    let mut frame = Frame::read(content, marker == SOF2)?;
                    if let Some(id) = alone {
                        frame = frame.only(id);
                    }
                    segment::write(&mut bytes, marker, &[&frame.header()]);
                    found = Some(frame);
                }
                (SOS, Some(frame)) => {
                    let (components, parameters) = scan_header(content)?;
                    let ids: Vec<u8> = components.iter().copied().step_by(2).collect();
                    if alone.is_some_and(|id| ids != [id]) {
                        continue;
                    }
                    // What stands there in a sequential picture means nothing.
                    let parameters = if frame.progressive { parameters } else { &[0, 63, 0] };
                    segment::write(&mut bytes, marker, &[&content[..1], components, parameters]);
                    bytes.extend(data);
                    restarts |= memchr::memchr_iter(0xff, data)
                        .any(|at| matches!(data.get(at + 1), Some(RST0..=RST7)));
                    // Nobody shows what may follow a scan that has all of a sequential picture.
                    let is_all = !frame.progressive && ids.len() == frame.components.len();
                    scans.push(ids);
                    if is_all {
                        break;
                    }
                }
                _ => {}
            }
        }
        let frame = found.ok_or_else(|| Rejection::corrupt("no frame header"))?;
        let quality = frame.components.first().and_then(|first| tables.quality(first.table));
        Ok(Self { frame: Frame { adobe, ..frame }, bytes, scans, restarts, quality })
    }
}

/// The components of a scan, two bytes each, and its parameters.
fn scan_header(content: &[u8]) -> Result<(&[u8], &[u8]), Rejection> {
    let header =
        content.split_first().and_then(|(count, rest)| rest.split_at_checked(2 * usize::from(*count)));
    header
        .filter(|(components, parameters)| !components.is_empty() && parameters.len() == 3)
        .ok_or_else(|| Rejection::corrupt("a scan header that is none"))
}

/// What the frame header says.
struct Frame {
    width: u16,
    height: u16,
    progressive: bool,
    components: Vec<FrameComponent>,
    /// How an Adobe segment says that colours are transformed.
    adobe: Option<u8>,
}

struct FrameComponent {
    id: u8,
    /// Blocks in a unit, 1 to 4.
    across: u8,
    down: u8,
    /// Which quantization table is meant.
    table: u8,
}

impl Frame {
    fn read(segment: &[u8], progressive: bool) -> Result<Self, Rejection> {
        let [precision, h1, h0, w1, w0, count, components @ ..] = segment else {
            return Err(Rejection::corrupt("a frame header of a few bytes"));
        };
        if *precision != 8 || !matches!(count, 1 | 3 | 4) {
            return Err(Rejection::unsupported(format!(
                "JPEG with {count} components of {precision} bits is not kept"
            )));
        }
        let (width, height) = (u16::from_be_bytes([*w1, *w0]), u16::from_be_bytes([*h1, *h0]));
        if height == 0 {
            return Err(Rejection::unsupported("JPEG that tells its height last is not kept"));
        }
        let (components, []) = components.as_chunks::<3>() else {
            return Err(Rejection::corrupt("a frame header with a part of a component"));
        };
        let component = |[id, sampling, table]: &[u8; 3]| {
            let (across, down) = (sampling >> 4, sampling & 0xf);
            let sound = matches!((across, down), (1..=4, 1..=4));
            sound.then_some(FrameComponent { id: *id, across, down, table: *table })
        };
        let components: Option<Vec<_>> = components.iter().map(component).collect();
        let is_repeated = |at: usize, part: &FrameComponent| {
            components.iter().flatten().take(at).any(|other| other.id == part.id)
        };
        if components.iter().flatten().enumerate().any(|(at, part)| is_repeated(at, part)) {
            return Err(Rejection::unsupported("JPEG whose components have one name is not kept"));
        }
        match components {
            Some(components) if components.len() == usize::from(*count) => {
                Ok(Self { width, height, progressive, components, adobe: None })
            }
            _ => Err(Rejection::corrupt("a frame header with other components than it says")),
        }
    }

    /// As in a file.
    fn header(&self) -> Vec<u8> {
        let [[h1, h0], [w1, w0]] = [self.height.to_be_bytes(), self.width.to_be_bytes()];
        let count = u8::try_from(self.components.len()).unwrap_or(u8::MAX);
        let components = self.components.iter();
        let components = components.flat_map(|part| [part.id, part.across << 4 | part.down, part.table]);
        [8, h1, h0, w1, w0, count].into_iter().chain(components).collect()
    }

    /// Most blocks in a unit of any component, across and down.
    fn sampling(&self) -> (usize, usize) {
        let across = self.components.iter().map(|component| usize::from(component.across)).max();
        let down = self.components.iter().map(|component| usize::from(component.down)).max();
        (across.unwrap_or(1), down.unwrap_or(1))
    }

    /// Whether brightness is stored apart from colour.
    fn is_grey_and_colour(&self) -> bool {
        let is_rgb = self.components.iter().map(|component| component.id).eq(*b"RGB");
        self.components.len() == 3 && !is_rgb && matches!(self.adobe, None | Some(1))
    }

    /// The component of brightness, where a sequential picture is in several scans and this has its own:
    /// the decoder mixes scans of one and of several components up.
    fn first_alone(&self, scans: &[Vec<u8>]) -> Option<u8> {
        let id = self.components[0].id;
        let apart = !self.progressive && scans.len() > 1 && self.is_grey_and_colour();
        (apart && scans.iter().any(|scan| *scan == [id])).then_some(id)
    }

    /// One component as a grey picture; the whole where there is no such one.
    fn only(self, id: u8) -> Self {
        let (across, down) = self.sampling();
        let Some(part) = self.components.iter().find(|component| component.id == id) else { return self };
        let side = |side: u16, own: u8, most: usize| {
            u16::try_from((usize::from(side) * usize::from(own)).div_ceil(most)).unwrap_or(side)
        };
        let (width, height) = (side(self.width, part.across, across), side(self.height, part.down, down));
        let component = FrameComponent { across: 1, down: 1, ..*part };
        Self { width, height, components: vec![component], ..self }
    }

    /// Bytes that decoding takes: the pixels, rows of blocks, and between scans every coefficient
    /// of every component.
    fn memory(&self, scans: u32) -> u64 {
        let (width, height) = (u64::from(self.width), u64::from(self.height));
        let (across, down) = self.sampling();
        // Grey alone is decoded where brightness is stored apart; see `looks`.
        let is_grey = self.components.len() == 1 || self.is_grey_and_colour() && (across, down) != (1, 2);
        let channels = if is_grey { 1 } else { 3 };
        let units = width.div_ceil(8 * across as u64) * height.div_ceil(8 * down as u64);
        let blocks: u64 =
            self.components.iter().map(|part| u64::from(part.across) * u64::from(part.down)).sum();
        // 64 coefficients of two bytes a block.
        let coefficients = if self.progressive || scans > 1 { units * blocks * 128 } else { 0 };
        let rows = 256 * (width + 64) * self.components.len() as u64;
        width * height * channels + coefficients + rows + pdq::MEMORY
    }
}
