//! Pictures for the tests, made here from numbers alone.

use ::image::{
    DynamicImage, ExtendedColorType, Frame, ImageEncoder, Luma, RgbImage, RgbaImage,
    codecs::{gif::GifEncoder, jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder},
    metadata::Orientation,
};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

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
