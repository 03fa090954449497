//! Every kind of picture and of damage, as tables.

mod beside;
mod cuts;
mod damage;
mod harmless;
mod hashes;
mod samples;
mod scores;

use ::image::{DynamicImage, RgbImage};
use jpeg_encoder::{Encoder, SamplingFactor};
use proptest::{prelude::*, test_runner::TestRunner};

use super::*;
use crate::model::{Pdq, PictureHash};

/// Verdict in short: format and frames, or the code.
fn verdict(bytes: &[u8]) -> String {
    match validate(bytes, &DecodeLimits::default(), &Rules::default()) {
        Ok(found) => format!("{} {}×{} {}", found.format.name(), found.width, found.height, found.frames),
        Err(rejected) => rejected.reason.code().to_owned(),
    }
}

#[track_caller]
fn check(what: &str, bytes: &[u8], expect: &str) {
    let result = validate(bytes, &DecodeLimits::default(), &Rules::default());
    assert_eq!(verdict(bytes), expect, "{what}: {result:?}");
}

/// A small picture in every format, still and moving, with the verdict it gets.
fn small() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let scene = samples::scene(21, 19);
    let deep = DynamicImage::from(scene.clone());
    let (grey, bits) = (::png::ColorType::Grayscale, ::png::BitDepth::One);
    let progressive = |scans: u8| {
        samples::jpeg_as(&scene, SamplingFactor::F_2_2, |encoder| encoder.set_progressive_scans(scans))
    };
    vec![
        ("jpeg", samples::jpeg(&scene), "jpeg 21×19 1"),
        (
            "jpeg with restarts",
            samples::jpeg_as(&scene, SamplingFactor::F_2_2, |encoder| encoder.set_restart_interval(2)),
            "jpeg 21×19 1",
        ),
        ("progressive jpeg", progressive(4), "jpeg 21×19 1"),
        ("progressive jpeg of many scans", progressive(30), "jpeg 21×19 1"),
        ("cmyk jpeg", samples::jpeg_cmyk(&scene), "jpeg 21×19 1"),
        ("png", samples::png(&deep), "png 21×19 1"),
        ("png rgba", samples::png(&deep.to_rgba8().into()), "png 21×19 1"),
        ("png grey and alpha", samples::png(&deep.to_luma_alpha8().into()), "png 21×19 1"),
        ("png 16 bit", samples::png(&deep.to_rgba16().into()), "png 21×19 1"),
        ("png 16 bit grey", samples::png(&deep.to_luma16().into()), "png 21×19 1"),
        ("png 1 bit", samples::png_packed(&scene, grey, bits), "png 21×19 1"),
        (
            "png palette",
            samples::png_packed(&scene, ::png::ColorType::Indexed, ::png::BitDepth::Four),
            "png 21×19 1",
        ),
        ("apng", samples::apng(&scene, 3), "png 21×19 3"),
        ("gif", samples::gif(&scene, 1), "gif 21×19 1"),
        ("moving gif", samples::gif(&scene, 3), "gif 21×19 3"),
        ("webp", samples::webp(&scene), "webp 21×19 1"),
        ("webp alpha", samples::webp_alpha(&deep.to_rgba8()), "webp 21×19 1"),
        ("lossy webp", samples::webp_lossy(), "webp 16×16 1"),
        ("lossy webp alpha", samples::webp_lossy_alpha(), "webp 16×16 1"),
        ("moving webp", samples::webp_animated(), "webp 16×16 3"),
    ]
}

#[test]
fn sound_pictures_pass() {
    for (what, bytes, expect) in small() {
        check(what, &bytes, expect);
        // What stands behind the picture is not part of it: zip archives, second pictures, padding.
        check(what, &[&bytes[..], &[0; 3], b"PK\x03\x04 \xff\xd8\xff trailing"].concat(), expect);
    }
}

#[test]
fn every_cut_is_refused() {
    for (what, bytes, _) in small() {
        let mut open = 0;
        for length in 0..bytes.len() {
            let cut = &bytes[..length];
            // Of a few nothing is missing but what says that this is the end.
            if let Ok(found) = validate(cut, &DecodeLimits::default(), &Rules::default()) {
                open += 1;
                assert_eq!(found.hash, hash(&bytes), "{what}, {length} of {} bytes", bytes.len());
                continue;
            }
            let expect = match length {
                0 => "empty",
                // The magic bytes themselves are cut.
                _ if sniff::sniff(cut).is_err() => "not-an-image",
                _ => "truncated",
            };
            check(&format!("{what}, {length} of {} bytes", bytes.len()), cut, expect);
        }
        // An end marker of two bytes, or the ends of blocks.
        let most = match what {
            _ if what.contains("jpeg") => 2,
            _ if what.contains("webp") => 0,
            _ if what.contains("moving") || what == "apng" => 8,
            _ => 1,
        };
        assert!(open <= most, "{what}: {open} cuts are kept");
    }
}

#[test]
fn a_hole_is_found() {
    let scene = samples::scene(300, 200);
    let cut = |bytes: Vec<u8>, end: &[u8]| [&bytes[..bytes.len() / 2], end].concat();
    let hole = |mut bytes: Vec<u8>| {
        let middle = bytes.len() / 2;
        bytes.drain(middle..middle + 64);
        bytes
    };
    check("jpeg closed early", &cut(samples::jpeg(&scene), &[0xff, 0xd9]), "truncated");
    check("gif closed early", &cut(samples::gif(&scene, 1), &[0, 0x3b]), "truncated");
    check("png", &hole(samples::png(&scene.clone().into())), "truncated");
    check("webp", &hole(samples::webp(&scene)), "truncated");
    let mut flipped = samples::png(&scene.clone().into());
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x10;
    check("png with a wrong bit", &flipped, "corrupt");
}

#[test]
fn what_is_no_picture_says_so() {
    check("nothing", b"", "empty");
    for other in [
        &b"<!DOCTYPE html><html><body>not found</body></html>"[..],
        b"<html><svg></svg></html>",
        b"{\"error\": \"no such picture\"}",
        b"BMW is a car maker, not a bitmap",
        b"%PDF-1.7",
        b"PK\x03\x04",
        b"\0\0\0\x18ftypmp42",
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"\xff\xd8",
        &[0; 64],
    ] {
        check(&other.escape_ascii().to_string(), other, "not-an-image");
    }
    for picture in [
        &b"II\x2a\0\x08\0\0\0"[..],
        b"MM\0\x2a\0\0\0\x08",
        b"BM\x46\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0",
        b"\0\0\0\x1cftypavif\0\0\0\0",
        b"\0\0\0\x18ftypheic\0\0\0\0",
        b"\xff\x0a\xfa\x7f",
        b"\0\0\0\x0cJXL \r\n\x87\n",
        b"\0\0\0\x0cjP  \r\n\x87\n",
        b"\0\0\x01\0\x01\0\x10\x10",
        b"8BPS\0\x01",
        b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>",
        b"\xef\xbb\xbf<?xml version=\"1.0\"?>\n<!-- <html> -->\n<!DOCTYPE svg>\n<svg/>",
    ] {
        check(&picture.escape_ascii().to_string(), picture, "unsupported-format");
    }
    let mut arithmetic = samples::jpeg(&samples::scene(20, 20));
    let frame = memchr::memmem::find(&arithmetic, &[0xff, 0xc0]).unwrap();
    arithmetic[frame + 1] = 0xc9;
    check("arithmetic jpeg", &arithmetic, "unsupported-format");
    arithmetic[frame + 1] = 0xc0;
    arithmetic[frame + 4] = 12;
    check("12-bit jpeg", &arithmetic, "unsupported-format");
}

#[test]
fn bombs_are_refused_by_their_headers() {
    let png_chunk = |kind: &[u8], content: &[u8]| {
        [&(content.len() as u32).to_be_bytes()[..], kind, content, &[0; 4]].concat()
    };
    let ihdr = |side: u32| {
        let sides = [side.to_be_bytes(), side.to_be_bytes()].concat();
        let ihdr = png_chunk(b"IHDR", &[&sides[..], &[8, 6, 0, 0, 0]].concat());
        [&b"\x89PNG\r\n\x1a\n"[..], &ihdr].concat()
    };
    let gif = |width: u16, frames: usize, frame: u16| {
        let side = frame.to_le_bytes();
        let image = [&[0x2c, 0, 0, 0, 0][..], &side, &side, &[0, 2, 1, 0x44, 0]].concat();
        let screen = [width.to_le_bytes(), width.to_le_bytes()].concat();
        let palette = [0; 6];
        [&b"GIF89a"[..], &screen, &[0x80, 0, 0], &palette, &image.repeat(frames), &[0x3b]].concat()
    };
    let riff =
        |chunks: &[u8]| [b"RIFF", &(4 + chunks.len() as u32).to_le_bytes()[..], b"WEBP", chunks].concat();
    let huge_canvas = riff(b"VP8X\x0a\0\0\0\0\0\0\0\xfe\x3f\0\xfe\x3f\0");
    let huge_lossless = riff(b"VP8L\x05\0\0\0\x2f\xfe\xbf\xff\x0f\0");
    let huge_frame =
        riff(b"VP8X\x0a\0\0\0\0\0\0\0\x0f\0\0\x0f\0\0VP8 \x0a\0\0\0\0\0\0\x9d\x01\x2a\xff\x3f\xff\x3f");
    let many_webp = {
        let mut animated = samples::webp_animated();
        let frame = animated[44..44 + 134].to_vec();
        animated.extend(frame.repeat(10_000));
        let size = animated.len() as u32 - 8;
        animated[4..8].copy_from_slice(&size.to_le_bytes());
        animated
    };
    let large_film = {
        let mut film = samples::webp_animated();
        film[24..27].copy_from_slice(&6999u32.to_le_bytes()[..3]);
        film[27..30].copy_from_slice(&6999u32.to_le_bytes()[..3]);
        film
    };
    let many_png = {
        let scene = samples::scene(4, 4);
        let mut bytes = samples::apng(&scene, 1);
        let control = memchr::memmem::find(&bytes, b"fcTL").unwrap() - 4;
        let control = bytes[control..control + 38].repeat(10_000);
        bytes.splice(33..33, control);
        bytes
    };
    let mut huge_jpeg = samples::jpeg(&samples::scene(20, 20));
    let frame = memchr::memmem::find(&huge_jpeg, &[0xff, 0xc0]).unwrap();
    huge_jpeg[frame + 5..frame + 9].fill(0xff);
    let scans = {
        let mut bytes = samples::jpeg_as(&samples::scene(20, 20), SamplingFactor::F_1_1, |encoder| {
            encoder.set_progressive_scans(4);
        });
        let last = memchr::memmem::rfind(&bytes, &[0xff, 0xda]).unwrap();
        let end = bytes.len() - 2;
        let scan = bytes[last..end].repeat(5000);
        bytes.splice(end..end, scan);
        bytes
    };

    let long = |width: u32, height: u32| {
        let ihdr = png_chunk(
            b"IHDR",
            &[&[width.to_be_bytes(), height.to_be_bytes()].concat()[..], &[8, 6, 0, 0, 0]].concat(),
        );
        [&b"\x89PNG\r\n\x1a\n"[..], &ihdr].concat()
    };
    let empty_chunks = |count: usize| {
        let mut bytes = samples::png(&samples::scene(20, 20).into());
        let data = memchr::memmem::find(&bytes, b"IDAT").unwrap() - 4;
        // The checksum of `IDAT` alone.
        bytes.splice(data..data, b"\0\0\0\0IDAT\x35\xaf\x06\x1e".repeat(count));
        bytes
    };
    let small_chunks = {
        let chunk = png_chunk(b"tEXt", b"a");
        [&ihdr(20)[..], &chunk.repeat(20_000)].concat()
    };
    let check = |what: &str, bytes: &[u8], expect: &str| {
        let rejected = inspect(bytes, &DecodeLimits::default()).unwrap_err();
        assert_eq!(rejected.reason.code(), expect, "{what}: {rejected}");
    };
    super::validate(&empty_chunks(900), &DecodeLimits::default(), &Rules::default()).unwrap();
    check("png of empty chunks", &empty_chunks(1100), "corrupt");
    check("png of tiny chunks", &small_chunks, "corrupt");
    check("png 50000000×1", &long(50_000_000, 1), "too-many-pixels");
    check("png 1×50000000", &long(1, 50_000_000), "too-many-pixels");
    check("webp of 3 frames of 49 megapixels", &large_film, "too-many-pixels");
    check("png 50000²", &ihdr(50_000), "too-many-pixels");
    check("png with no size", &ihdr(0), "corrupt");
    check("gif 65535²", &gif(65_535, 1, 10), "too-many-pixels");
    check("gif with a frame of 65535²", &gif(10, 1, 65_535), "too-many-pixels");
    check("gif of 10000 frames", &gif(10, 10_000, 10), "too-many-frames");
    check("gif of 900 frames of 1000²", &gif(1000, 900, 1000), "too-many-pixels");
    check("webp 16383²", &huge_canvas, "too-many-pixels");
    check("lossless webp 16383²", &huge_lossless, "too-many-pixels");
    check("small webp with a picture of 16383²", &huge_frame, "too-many-pixels");
    check("webp of 10000 frames", &many_webp, "too-many-frames");
    check("apng of 10000 frames", &many_png, "too-many-frames");
    check("jpeg 65535²", &huge_jpeg, "too-many-pixels");
    check("jpeg of 5000 scans", &scans, "corrupt");
    check(
        "jpeg of empty segments",
        &[b"\xff\xd8".to_vec(), b"\xff\xfe\0\x02".repeat(9999)].concat(),
        "corrupt",
    );
    let large =
        validate(&[0; 11], &DecodeLimits { max_bytes: 10, ..DecodeLimits::default() }, &Rules::default());
    assert_eq!(large.unwrap_err().reason, Refusal::TooLarge);
}

#[test]
fn rules_come_after_soundness() {
    let check = |bytes: &[u8], rules: Rules, expect: Option<Refusal>| {
        let verdict = validate(bytes, &DecodeLimits::default(), &rules);
        assert_eq!(verdict.err().map(|rejected| rejected.reason), expect, "{rules:?}");
    };
    let bytes = samples::jpeg(&samples::scene(40, 30));
    let formats = |formats: &[Format]| Rules { formats: formats.to_vec(), ..Rules::default() };
    check(&bytes, Rules { min_width: 40, min_height: 30, ..Rules::default() }, None);
    check(&bytes, Rules { min_width: 41, ..Rules::default() }, Some(Refusal::TooSmall));
    check(&bytes, Rules { min_height: 31, ..Rules::default() }, Some(Refusal::TooSmall));
    check(&bytes, formats(&[Format::Png, Format::Jpeg]), None);
    check(&bytes, formats(&[Format::Png]), Some(Refusal::FormatNotWanted));
    check(&bytes[..500], formats(&[Format::Png]), Some(Refusal::Truncated));
}

#[test]
fn a_panic_in_a_decoder_is_its_own() {
    let failed = guarded::<()>(|| panic!("index {}", 7)).unwrap_err();
    assert_eq!(failed, Rejection::new(Refusal::DecoderFault, "index 7"));
    let failed = guarded::<()>(|| panic!("plain")).unwrap_err();
    assert_eq!(failed, Rejection::new(Refusal::DecoderFault, "plain"));
}

fn hash(bytes: &[u8]) -> PictureHash {
    validate(bytes, &DecodeLimits::default(), &Rules::default()).unwrap().hash
}

/// Bits in which hashes differ.
fn distance(one: Pdq, other: Pdq) -> u32 {
    one.0.iter().zip(other.0).map(|(one, other)| (one ^ other).count_ones()).sum()
}

/// Brightness is decoded alone where it is stored apart. That must lead to the hash of the
/// picture that was encoded, in every way of storing colour beside it.
#[test]
fn every_sampling_of_colour_passes() {
    use SamplingFactor as Factor;
    let samplings = [
        Factor::F_1_1,
        Factor::F_2_1,
        Factor::F_1_2,
        Factor::F_2_2,
        Factor::F_4_1,
        Factor::F_1_4,
        Factor::F_4_2,
        Factor::F_2_4,
    ];
    type Edit = fn(&mut Encoder<&mut Vec<u8>>);
    let ways: [(&str, Edit); 4] = [
        ("one scan", |_| ()),
        ("one scan a component", |encoder| encoder.set_optimized_huffman_tables(true)),
        ("progressive", |encoder| encoder.set_progressive(true)),
        ("restarts", |encoder| encoder.set_restart_interval(3)),
    ];
    for (width, height) in [(1, 1), (8, 8), (9, 70), (70, 9), (33, 47), (320, 240)] {
        let scene = samples::scene(width, height);
        for sampling in samplings {
            for (way, change) in ways {
                let what = format!("{width}×{height} {sampling:?}, {way}");
                let bytes = samples::jpeg_as(&scene, sampling, change);
                check(&what, &bytes, &format!("jpeg {width}×{height} 1"));
                let distance = distance(hash(&bytes).pdq, hash(&samples::png(&scene.clone().into())).pdq);
                assert!(distance <= 10 || width * height < 5000, "{what}: {distance} bits differ");
            }
        }
    }
}

#[test]
fn the_hash_is_that_of_the_upright_picture() {
    let scene = samples::scene(400, 300);
    let upright = hash(&samples::png(&scene.clone().into()));
    let all = |hash: PictureHash| hash.turned.unwrap().pdq.into_iter().chain([hash.pdq]);
    // Rows and columns are not rounded alike, and a wave may be nearly as strong as half of all.
    let differ =
        |found: PictureHash| all(found).zip(all(upright)).map(|(one, other)| distance(one, other)).max();
    for stored in 1..=8 {
        let orientation = Orientation::from_exif(stored).unwrap();
        // What has to be undone for the picture to be stored that way.
        let undo = match orientation {
            Orientation::Rotate90 => Orientation::Rotate270,
            Orientation::Rotate270 => Orientation::Rotate90,
            other => other,
        };
        let mut turned = DynamicImage::from(scene.clone());
        turned.apply_orientation(undo);
        let rgb = turned.to_rgb8();
        for bytes in
            [samples::png_turned(&turned, orientation), samples::webp_turned(&rgb, Some(orientation))]
        {
            let found = hash(&bytes);
            assert!(differ(found) <= Some(2), "{stored}: {found:?} {upright:?}");
        }
        let jpeg = hash(&samples::jpeg_turned(&rgb, orientation));
        assert!(distance(jpeg.pdq, upright.pdq) <= 10, "jpeg {stored}: {jpeg:?} {upright:?}");
    }
}

/// What another decoder sees, if it sees anything: it may refuse what is harmless, and fail.
fn size_elsewhere(bytes: &[u8]) -> Option<(u32, u32)> {
    let decoded = catch_unwind(|| ::image::load_from_memory(bytes)).ok()?.ok()?;
    Some((decoded.width(), decoded.height())).filter(|(width, height)| *width > 0 && *height > 0)
}

/// Whatever is done to the bytes: no panic gets out, and what is kept is what its header says.
#[test]
fn damage_is_survived() {
    let small = small();
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8);
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 16 * ProptestConfig::default().cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let run = runner.run(&(0..small.len(), changes), |(which, changes)| {
        let mut bytes = small[which].1.clone();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let limits = DecodeLimits { max_pixels: 1_000_000, ..DecodeLimits::default() };
        if let Ok(found) = validate(&bytes, &limits, &Rules::default())
            && let Some(size) = size_elsewhere(&bytes)
        {
            prop_assert_eq!(size, (found.width, found.height));
        }
        Ok(())
    });
    run.unwrap();
}

proptest! {
    #[test]
    fn noise_is_survived(noise in prop::collection::vec(any::<u8>(), 0..200), magic in 0usize..5) {
        let magic = [&b""[..], b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"RIFF\xc0\0\0\0WEBP"][magic];
        let verdict = validate(&[magic, &noise].concat(), &DecodeLimits::default(), &Rules::default());
        prop_assert!(verdict.is_err());
    }
}
