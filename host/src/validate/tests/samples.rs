//! Pictures for the tests, made here from numbers alone.

use ::image::{
    DynamicImage, ExtendedColorType, Frame, ImageEncoder, Luma, RgbImage, RgbaImage,
    codecs::{gif::GifEncoder, jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder},
    metadata::Orientation,
};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

/// Kind and content of a chunk.
pub(super) type SampleChunk = ([u8; 4], Vec<u8>);
pub(super) type Chunks = Vec<SampleChunk>;

/// Hills of many sizes, each part unlike its neighbours, and a little noise.
pub(super) fn scene(width: u32, height: u32) -> RgbImage {
    let mut seed = 1u32;
    RgbImage::from_fn(width, height, |x, y| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let noise = f64::from(seed >> 28) - 8.0;
        let (u, v) = (f64::from(x) / f64::from(width), f64::from(y) / f64::from(height));
        let hills = (u * 17.0 + v * 5.0).sin() * 60.0 + (v * 11.0 - u * 3.0).cos() * 45.0;
        let level = |base: f64| (base + hills + noise).clamp(0.0, 255.0) as u8;
        ::image::Rgb([level(120.0 + 20.0 * u), level(125.0), level(110.0 + 30.0 * v)])
    })
}

/// EXIF with nothing but an orientation.
pub(super) fn exif(orientation: Orientation) -> Vec<u8> {
    let mut exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0".to_vec();
    exif[19] = orientation.to_exif();
    exif
}

pub(super) fn jpeg(picture: &RgbImage) -> Vec<u8> {
    jpeg_turned(picture, Orientation::NoTransforms)
}

pub(super) fn jpeg_turned(picture: &RgbImage, orientation: Orientation) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(JpegEncoder::new_with_quality(&mut bytes, 90), picture, Some(orientation));
    bytes
}

/// A JPEG of another kind.
pub(super) fn jpeg_as(
    picture: &RgbImage,
    sampling: SamplingFactor,
    change: impl FnOnce(&mut Encoder<&mut Vec<u8>>),
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    encoder.set_sampling_factor(sampling);
    change(&mut encoder);
    let (width, height) = (picture.width() as u16, picture.height() as u16);
    encoder.encode(picture, width, height, ColorType::Rgb).unwrap();
    bytes
}

pub(super) fn jpeg_cmyk(picture: &RgbImage) -> Vec<u8> {
    let cmyk: Vec<u8> =
        picture.pixels().flat_map(|pixel| [255 - pixel[0], 255 - pixel[1], 255 - pixel[2], 0]).collect();
    let mut bytes = Vec::new();
    let (width, height) = (picture.width() as u16, picture.height() as u16);
    Encoder::new(&mut bytes, 90).encode(&cmyk, width, height, ColorType::Cmyk).unwrap();
    bytes
}

pub(super) fn png(picture: &DynamicImage) -> Vec<u8> {
    png_turned(picture, Orientation::NoTransforms)
}

pub(super) fn png_turned(picture: &DynamicImage, orientation: Orientation) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(&mut bytes);
    encoder.set_exif_metadata(exif(orientation)).unwrap();
    picture.write_with_encoder(encoder).unwrap();
    bytes
}

/// A PNG with a palette of grey values or with fewer than 8 bits.
pub(super) fn png_packed(picture: &RgbImage, colour: png::ColorType, depth: png::BitDepth) -> Vec<u8> {
    let grey = DynamicImage::from(picture.clone()).into_luma8();
    let bits = depth as u32;
    let mut packed = Vec::new();
    for row in grey.rows() {
        let levels: Vec<u32> = row.map(|Luma([level])| u32::from(*level) >> (8 - bits)).collect();
        for group in levels.chunks((8 / bits) as usize) {
            let byte = group
                .iter()
                .enumerate()
                .fold(0, |byte, (at, level)| byte | level << (8 - bits * (at as u32 + 1)));
            packed.push(byte as u8);
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, picture.width(), picture.height());
    encoder.set_color(colour);
    encoder.set_depth(depth);
    if colour == png::ColorType::Indexed {
        let most = (1u32 << bits) - 1;
        let palette: Vec<u8> = (0..=most).flat_map(|level| [(level * 255 / most) as u8; 3]).collect();
        encoder.set_palette(palette);
    }
    encoder.write_header().unwrap().write_image_data(&packed).unwrap();
    bytes
}

/// A grey PNG whose rows come in seven passes, not compressed.
pub(super) fn png_interlaced(picture: &RgbImage) -> Vec<u8> {
    let grey = DynamicImage::from(picture.clone()).into_luma8();
    let (width, height) = grey.dimensions();
    let mut rows = Vec::new();
    for (x, y, across, down) in
        [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    {
        for y in (y..height).step_by(down) {
            let row: Vec<u8> = (x..width).step_by(across).map(|x| grey.get_pixel(x, y).0[0]).collect();
            if !row.is_empty() {
                rows.push(0);
                rows.extend(row);
            }
        }
    }
    let sides = [width.to_be_bytes(), height.to_be_bytes()].concat();
    png_of(&[
        (*b"IHDR", [&sides[..], &[8, 0, 0, 0, 1]].concat()),
        (*b"IDAT", stored(&rows)),
        (*b"IEND", Vec::new()),
    ])
}

/// A zlib stream of at most 65 535 bytes that are not compressed.
pub(super) fn stored(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap();
    let (a, b) = bytes.iter().fold((1, 0), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    let lengths = [length.to_le_bytes(), (!length).to_le_bytes()].concat();
    [&[0x78, 0x01, 0x01][..], &lengths, bytes, &(b << 16 | a).to_be_bytes()].concat()
}

/// The chunks of a PNG.
pub(super) fn png_chunks(png: &[u8]) -> Chunks {
    let mut chunks = Vec::new();
    let mut rest = &png[8..];
    while let Some((head, more)) = rest.split_first_chunk::<8>() {
        let (length, kind) = head.split_at(4);
        let length = u32::from_be_bytes(length.try_into().unwrap()) as usize;
        chunks.push((kind.try_into().unwrap(), more[..length].to_vec()));
        rest = &more[length + 4..];
    }
    chunks
}

/// A PNG of these chunks.
pub(super) fn png_of(chunks: &[SampleChunk]) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, content) in chunks {
        let body = [&kind[..], content].concat();
        file.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
        file.extend(&body);
        file.extend(crc(&body).to_be_bytes());
    }
    file
}

pub(super) fn crc(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1));
    !bytes.iter().fold(u32::MAX, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

/// The chunks of a WebP file, or of a frame of one.
pub(super) fn riff_chunks(mut rest: &[u8]) -> Chunks {
    let mut chunks = Vec::new();
    while let Some((head, more)) = rest.split_first_chunk::<8>() {
        let (kind, length) = head.split_at(4);
        let length = u32::from_le_bytes(length.try_into().unwrap()) as usize;
        chunks.push((kind.try_into().unwrap(), more[..length].to_vec()));
        rest = more.get(length.next_multiple_of(2)..).unwrap_or_default();
    }
    chunks
}

/// Chunks of a WebP file as bytes.
pub(super) fn riff_of(chunks: &[SampleChunk]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (kind, content) in chunks {
        bytes.extend(kind);
        bytes.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
        bytes.extend(content);
        bytes.extend(&[0][..content.len() % 2]);
    }
    bytes
}

/// A WebP file of these chunks.
pub(super) fn webp_of(chunks: &[SampleChunk]) -> Vec<u8> {
    let body = [b"WEBP", &riff_of(chunks)[..]].concat();
    [b"RIFF", &u32::try_from(body.len()).unwrap().to_le_bytes()[..], &body].concat()
}

/// One scan: the components by number, the band, and the bits before and after.
pub(super) type SampleScan<'a> = (&'a [u8], u8, u8, u8, u8);

/// A grey JPEG of 16 × 16 in which every code is the one bit 0, with 4 blocks of brightness and 1 of
/// each colour.
pub(super) fn jpeg_of_zeros(progressive: bool, scans: &[SampleScan<'_>]) -> Vec<u8> {
    let table = [&[0; 1][..], &[16; 64]].concat();
    let codes = |class: u8| [&[class, 1][..], &[0; 15], &[0]].concat();
    let frame = [8, 0, 16, 0, 16, 3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0];
    let mut file = vec![0xff, 0xd8];
    let mut write = |marker: u8, content: &[u8], data: &[u8]| {
        file.extend([0xff, marker]);
        file.extend(u16::try_from(2 + content.len()).unwrap().to_be_bytes());
        file.extend(content);
        file.extend(data);
    };
    write(0xdb, &table, &[]);
    write(if progressive { 0xc2 } else { 0xc0 }, &frame, &[]);
    write(0xc4, &[codes(0x00), codes(0x10)].concat(), &[]);
    for (components, first, last, high, low) in scans {
        let count = u8::try_from(components.len()).unwrap();
        let mut header = vec![count];
        header.extend(components.iter().flat_map(|component| [*component, 0]));
        header.extend([*first, *last, high << 4 | low]);
        let blocks: usize = components.iter().map(|component| if *component == 1 { 4 } else { 1 }).sum();
        let bits = blocks * if progressive { 1 } else { 2 };
        write(0xda, &header, &vec![0; bits.div_ceil(8)]);
    }
    file.extend([0xff, 0xd9]);
    file
}

pub(super) fn apng(picture: &RgbImage, frames: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, picture.width(), picture.height());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_animated(frames, 0).unwrap();
    let mut writer = encoder.write_header().unwrap();
    for _ in 0..frames {
        writer.write_image_data(picture).unwrap();
    }
    writer.finish().unwrap();
    bytes
}

pub(super) fn gif(picture: &RgbImage, frames: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new(&mut bytes);
    let frame = Frame::new(DynamicImage::from(picture.clone()).into_rgba8());
    encoder.encode_frames(std::iter::repeat_n(frame, frames)).unwrap();
    drop(encoder);
    bytes
}

pub(super) fn webp(picture: &RgbImage) -> Vec<u8> {
    webp_turned(picture, None)
}

pub(super) fn webp_turned(picture: &RgbImage, orientation: Option<Orientation>) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(WebPEncoder::new_lossless(&mut bytes), picture, orientation);
    bytes
}

pub(super) fn webp_alpha(picture: &RgbaImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let encoder = WebPEncoder::new_lossless(&mut bytes);
    encoder.encode(picture, picture.width(), picture.height(), ExtendedColorType::Rgba8).unwrap();
    bytes
}

/// 16 × 16, lossy: slopes in red and green.
pub(super) fn webp_lossy() -> Vec<u8> {
    hex::decode(concat!(
        "5249464644000000574542505650382038000000b001009d012a1000100003805a25b00274010eb4ebc000fef49be7af6b",
        "c40879eabc03f74029c2c82de3ddd7bb9ff1a65ffebc11fef80000"
    ))
    .unwrap()
}

/// The same, fading out to the right.
pub(super) fn webp_lossy_alpha() -> Vec<u8> {
    hex::decode(concat!(
        "524946468400000057454250565038580a000000100000000f00000f0000414c504825000000017f202448fe3fa619bd10",
        "1199835900681462892596586289259619ec8fe87f8072bafb0b005650382038000000b001009d012a1000100003805a25",
        "b00274010eb4ebc000fef49be7af6bc40879eabc03f74029c2c82de3ddd7bb9ff1a65ffebc11fef80000"
    ))
    .unwrap()
}

/// The same as three frames.
pub(super) fn webp_animated() -> Vec<u8> {
    hex::decode(concat!(
        "52494646c601000057454250565038580a000000120000000f00000f0000414e494d06000000000000000000414e4d467e",
        "0000000000000000000f00000f000064000002414c504825000000017f202448fe3fa619bd101199835900681462892596",
        "586289259619ec8fe87f8072bafb0b005650382038000000b001009d012a1000100003805a25b00274010eb4ebc000fef4",
        "9be7af6bc40879eabc03f74029c2c82de3ddd7bb9ff1a65ffebc11fef80000414e4d46860000000000000000000f00000f",
        "000064000002414c504825000000017f202448fe3fa619bd101199835900681462892596586289259619ec8fe87f8072ba",
        "fb0b005650382040000000b001009d012a1000100003805a25b00274010eb4d58000feef60a050cb6e62c1ad9ddf6d2b84",
        "0b15d30f60ecbe05df9cda6f6c1fcbbdbba9af47815cf2000000414e4d46860000000000000000000f00000f0000640000",
        "02414c504825000000017f202448fe3fa619bd101199835900681462892596586289259619ec8fe87f8072bafb0b005650",
        "382040000000d001009d012a1000100003805a25b0027400dc0d07cd8000fee5ec2fd9bf354c1794a2913ad66e21c84770",
        "f600ddbfddfdeb344b48ba11f5191e5a7b20000000"
    ))
    .unwrap()
}

fn encode(mut encoder: impl ImageEncoder, picture: &RgbImage, orientation: Option<Orientation>) {
    if let Some(orientation) = orientation {
        encoder.set_exif_metadata(exif(orientation)).unwrap();
    }
    encoder.write_image(picture, picture.width(), picture.height(), ExtendedColorType::Rgb8).unwrap();
}
