//! Pictures of every kind become what they should, and whatever is none is survived.

use ::image::{
    DynamicImage, ImageDecoder as _, ImageEncoder as _, ImageReader, Rgb, RgbImage, Rgba, RgbaImage,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
    metadata::Orientation,
};
use proptest::prelude::*;

use super::*;
use crate::model::{Format, Refusal, Sha256};

const KEEP: Fit = Fit::KeepRatio;

fn wish(fit: Fit, width: u32, height: u32, format: DerivedFormat) -> Derivative {
    Derivative { width, height, fit, enlarge: false, format, quality: 90 }
}

fn made(bytes: &[u8], wish: &Derivative) -> DynamicImage {
    let derived = derive(bytes, wish, &DecodeLimits::default()).unwrap();
    let picture = ::image::load_from_memory(&derived.bytes).unwrap();
    assert_eq!((picture.width(), picture.height()), (derived.width, derived.height));
    picture
}

/// Pixels of the whole picture.
fn pixels(bytes: &[u8]) -> RgbaImage {
    made(bytes, &wish(Fit::None, 0, 0, DerivedFormat::Png)).into_rgba8()
}

/// No two parts of it are alike.
fn scene(width: u32, height: u32) -> RgbImage {
    let level = |at: u32, side: u32| u8::try_from(at * 255 / side).unwrap();
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([level(x, width), level(y, height), level(x + y, width + height)])
    })
}

fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.into().write_with_encoder(PngEncoder::new(&mut bytes)).unwrap();
    bytes
}

/// A PNG of raw rows.
fn png_of(
    side: u32,
    colour: png::ColorType,
    depth: png::BitDepth,
    change: impl FnOnce(&mut png::Encoder<'_, &mut Vec<u8>>),
    data: &[u8],
) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side, 1);
    encoder.set_color(colour);
    encoder.set_depth(depth);
    change(&mut encoder);
    encoder.write_header().unwrap().write_image_data(data).unwrap();
    bytes
}

#[test]
fn every_kind_of_pixel_is_what_it_was() {
    use png::{BitDepth, ColorType};
    let none = |_: &mut png::Encoder<'_, &mut Vec<u8>>| {};
    let red = [255, 0, 0, 255];
    for (what, bytes, expected) in [
        ("grey", png_of(1, ColorType::Grayscale, BitDepth::Eight, none, &[7]), [7, 7, 7, 255]),
        ("one bit", png_of(1, ColorType::Grayscale, BitDepth::One, none, &[0x80]), [255; 4]),
        ("four bits", png_of(1, ColorType::Grayscale, BitDepth::Four, none, &[0x30]), [51, 51, 51, 255]),
        (
            "grey and alpha",
            png_of(1, ColorType::GrayscaleAlpha, BitDepth::Eight, none, &[7, 9]),
            [7, 7, 7, 9],
        ),
        (
            "16 bits, rounded down",
            png_of(1, ColorType::Grayscale, BitDepth::Sixteen, none, &[1, 0x81]),
            [1, 1, 1, 255],
        ),
        (
            "16 bits, rounded up",
            png_of(1, ColorType::Grayscale, BitDepth::Sixteen, none, &[1, 0x82]),
            [2, 2, 2, 255],
        ),
        (
            "colours of 16 bits",
            png_of(1, ColorType::Rgba, BitDepth::Sixteen, none, &[255, 255, 0, 0, 0x80, 0x80, 0, 0xff]),
            [255, 0, 128, 1],
        ),
        (
            "a palette",
            png_of(
                1,
                ColorType::Indexed,
                BitDepth::Two,
                |encoder| encoder.set_palette(&[0, 0, 0, 255, 0, 0][..]),
                &[0x40],
            ),
            red,
        ),
        (
            "a transparent colour of a palette",
            png_of(
                1,
                ColorType::Indexed,
                BitDepth::Eight,
                |encoder| {
                    encoder.set_palette(&[255, 0, 0][..]);
                    encoder.set_trns(&[3][..]);
                },
                &[0],
            ),
            [255, 0, 0, 3],
        ),
        (
            "a transparent grey",
            png_of(1, ColorType::Grayscale, BitDepth::Eight, |encoder| encoder.set_trns(&[0, 7][..]), &[7]),
            [7, 7, 7, 0],
        ),
    ] {
        assert_eq!(pixels(&bytes).get_pixel(0, 0).0, expected, "{what}");
    }
}

#[test]
fn animations_are_their_first_frame() {
    let mut bytes = Vec::new();
    {
        let mut encoder = gif::Encoder::new(&mut bytes, 3, 2, &[9, 8, 7, 200, 100, 50]).unwrap();
        // The first frame leaves a part of the canvas, and one of its pixels is transparent.
        for (index, transparent) in [(1, Some(0)), (0, None)] {
            let frame = gif::Frame {
                left: 1,
                top: 1,
                width: 2,
                height: 1,
                buffer: vec![index, 0].into(),
                transparent,
                ..gif::Frame::default()
            };
            encoder.write_frame(&frame).unwrap();
        }
    }
    let picture = pixels(&bytes);
    assert_eq!(picture.dimensions(), (3, 2));
    assert_eq!(picture.get_pixel(1, 1).0, [200, 100, 50, 255]);
    assert!(picture.pixels().filter(|pixel| pixel.0[3] == 0).count() == 5);
}

#[test]
fn every_turn_is_upright() {
    let stored = scene(60, 40);
    for turn in 1..=8 {
        let orientation = Orientation::from_exif(turn).unwrap();
        let mut exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0".to_vec();
        exif[19] = turn;
        let mut bytes = Vec::new();
        let mut encoder = PngEncoder::new(&mut bytes);
        encoder.set_exif_metadata(exif).unwrap();
        stored.write_with_encoder(encoder).unwrap();
        let mut upright = DynamicImage::from(stored.clone());
        upright.apply_orientation(orientation);
        assert_eq!(DynamicImage::from(pixels(&bytes)).into_rgb8(), upright.clone().into_rgb8(), "{turn}");

        // Turned before or after, it is the same picture in the same box; nothing says to turn it again.
        for fit in [KEEP, Fit::CenterCrop, Fit::Border] {
            let wish = wish(fit, 20, 30, DerivedFormat::Png);
            let derived = derive(&bytes, &wish, &DecodeLimits::default()).unwrap();
            let mut decoder = ImageReader::new(std::io::Cursor::new(&derived.bytes))
                .with_guessed_format()
                .unwrap()
                .into_decoder()
                .unwrap();
            assert_eq!(decoder.orientation().unwrap(), Orientation::NoTransforms);
            let one = ::image::load_from_memory(&derived.bytes).unwrap().into_rgb8();
            let other = made(&png(upright.clone()), &wish).into_rgb8();
            assert_eq!(one.dimensions(), other.dimensions(), "{fit:?} {turn}");
            let differences = one.as_raw().iter().zip(other.as_raw()).map(|(a, b)| a.abs_diff(*b));
            assert!(differences.max() <= Some(2), "{fit:?} {turn}");
        }
    }
}

#[test]
fn what_is_transparent_is_white_in_a_jpeg_and_stays_elsewhere() {
    let half =
        RgbaImage::from_fn(64, 64, |x, _| if x < 32 { Rgba([200, 0, 0, 255]) } else { Rgba([0, 0, 200, 0]) });
    let bytes = png(half);
    let jpeg = made(&bytes, &wish(KEEP, 16, 16, DerivedFormat::Jpeg)).into_rgb8();
    assert!(jpeg.get_pixel(15, 8).0.iter().all(|channel| *channel > 250), "{:?}", jpeg.get_pixel(15, 8));
    for format in [DerivedFormat::Png, DerivedFormat::Webp] {
        let kept = made(&bytes, &wish(KEEP, 16, 16, format));
        assert!(kept.color().has_alpha());
        let kept = kept.into_rgba8();
        assert_eq!((kept.get_pixel(0, 8).0, kept.get_pixel(15, 8).0[3]), ([200, 0, 0, 255], 0));
        // What lies beside is not mixed with what cannot be seen.
        assert!(kept.pixels().all(|pixel| pixel.0[3] == 0 || pixel.0[2] < 3));
        let opaque = made(&png(scene(8, 8)), &wish(KEEP, 4, 4, format));
        assert!(!opaque.color().has_alpha());
    }
    let small = thumbnail(&bytes, 16, &DecodeLimits::default()).unwrap();
    assert_eq!((small.format, small.width), (DerivedFormat::Png, 16));
    let small = thumbnail(&png(scene(90, 30)), 16, &DecodeLimits::default()).unwrap();
    assert_eq!((small.format, small.width, small.height), (DerivedFormat::Jpeg, 16, 5));
}

#[test]
fn a_border_is_white_and_around() {
    let bytes = png(RgbImage::from_pixel(40, 10, Rgb([10, 20, 30])));
    let picture = made(&bytes, &wish(Fit::Border, 20, 11, DerivedFormat::Png)).into_rgb8();
    assert_eq!(picture.dimensions(), (20, 11));
    for (y, row) in picture.rows().enumerate() {
        let expected = if (3..8).contains(&y) { [10, 20, 30] } else { [255; 3] };
        assert!(row.into_iter().all(|pixel| pixel.0 == expected), "{y}");
    }
}

#[test]
fn inks_are_taken_as_they_are_meant() {
    // By Adobe's programs, which store what is left of the paper, and by others.
    let inks: Vec<u8> = [[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255], [0, 255, 255, 128]]
        .iter()
        .flat_map(|pixel| pixel.repeat(16 * 16))
        .collect();
    let expected = [[255; 3], [0, 255, 255], [0; 3], [127, 0, 0]];
    for (colour, what) in
        [(jpeg_encoder::ColorType::Cmyk, "CMYK"), (jpeg_encoder::ColorType::CmykAsYcck, "YCCK")]
    {
        let mut bytes = Vec::new();
        jpeg_encoder::Encoder::new(&mut bytes, 100).encode(&inks, 16, 64, colour).unwrap();
        let picture = pixels(&bytes);
        for (at, expected) in expected.iter().enumerate() {
            let found = picture.get_pixel(8, 16 * at as u32 + 8).0;
            let far = found.iter().zip(expected).any(|(a, b)| a.abs_diff(*b) > 4);
            assert!(!far, "{what} {at}: {found:?}, not {expected:?}");
        }
    }
}

#[test]
fn the_same_on_every_machine() {
    let (rgb, alpha) =
        (scene(301, 203), RgbaImage::from_fn(97, 203, |x, y| Rgba([x as u8, y as u8, 9, (x + y) as u8])));
    let mut jpeg = Vec::new();
    rgb.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, 90)).unwrap();
    let of = |bytes: &[u8], fit, format| {
        let derived = derive(bytes, &wish(fit, 64, 48, format), &DecodeLimits::default()).unwrap();
        Sha256::of(&derived.bytes).to_string()[..12].to_owned()
    };
    let found = [
        of(&jpeg, KEEP, DerivedFormat::Jpeg),
        of(&png(rgb), Fit::CenterCrop, DerivedFormat::Png),
        of(&png(alpha.clone()), KEEP, DerivedFormat::Webp),
        of(&png(alpha), Fit::Border, DerivedFormat::Jpeg),
    ];
    // Of the pictures as they are now. Another encoder, and exports made anew have other bytes.
    assert_eq!(found, ["d37bea627b9f", "04713f3c46b3", "ca1683b038b1", "45343c6631aa"]);
}

#[test]
fn what_cannot_be_made_says_why() {
    let picture = png(scene(8, 8));
    let said = |bytes: &[u8], wish: Derivative| {
        derive(bytes, &wish, &DecodeLimits::default()).unwrap_err().to_string()
    };
    let plain = wish(KEEP, 4, 4, DerivedFormat::Jpeg);
    assert_eq!(said(&picture, Derivative { width: 0, ..plain }), "width must be from 1 to 8192");
    assert_eq!(said(&picture, Derivative { quality: 101, ..plain }), "quality must be from 1 to 100");
    assert_eq!(said(b"", plain), "the picture cannot be read: no bytes");
    let limits = DecodeLimits { max_pixels: 63, ..DecodeLimits::default() };
    let refused = derive(&picture, &plain, &limits);
    assert!(matches!(
        refused,
        Err(DeriveError::Unreadable(Rejection { reason: Refusal::TooManyPixels, .. }))
    ));
    let wide = png(RgbImage::new(17_000, 1));
    assert!(said(&wide, wish(Fit::None, 0, 0, DerivedFormat::Webp)).contains("Webp"));
}

#[test]
fn memory_is_said_before() {
    let header = validate::inspect(&png(scene(100, 50)), &DecodeLimits::default()).unwrap();
    assert_eq!(header.format, Format::Png);
    let small = memory(&header, &wish(KEEP, 10, 10, DerivedFormat::Png));
    assert_eq!(small, header.memory() + 12 * 5000 + 4 * 10 * 100 + 16 * 100);
    assert_eq!(memory(&header, &wish(Fit::None, 0, 0, DerivedFormat::Png)), header.memory() + 28 * 5000);
    assert!(thumbnail_memory(&header, 10) == small);
}

proptest! {
    #[test]
    fn damage_is_survived(at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<prop::sample::Index>()) {
        let mut jpeg = Vec::new();
        scene(33, 17).write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, 80)).unwrap();
        for mut bytes in [jpeg, png(scene(33, 17))] {
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = derive(&bytes, &wish(KEEP, 8, 8, DerivedFormat::Jpeg), &DecodeLimits::default());
            bytes.truncate(cut.index(bytes.len()));
            let _ = derive(&bytes, &wish(KEEP, 8, 8, DerivedFormat::Jpeg), &DecodeLimits::default());
        }
    }

    #[test]
    fn profiles_of_noise_are_survived(mut profile in prop::collection::vec(any::<u8>(), 128..1000), space in 0usize..3) {
        profile[36..40].copy_from_slice(b"acsp");
        profile[16..20].copy_from_slice([b"RGB ", b"GRAY", b"CMYK"][space]);
        let picture = Pixels { width: 1, height: 1, channels: pixels::Channels::Rgb, bytes: vec![1, 2, 3] };
        let _ = colour::to_srgb(picture, Some(&profile));
    }
}
