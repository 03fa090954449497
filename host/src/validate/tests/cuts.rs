//! Pictures of which a part is missing, with an end put to them again: whatever a decoder would make
//! up for that part, they are refused.

use super::*;

/// Cuts that are tried, in percent of what makes the pixels.
const CUTS: std::ops::RangeInclusive<usize> = 5..=95;

/// Bytes that are cut at least: decoders read a little ahead, and encoders may end with what says nothing.
const LEAST: usize = 8;

/// The sound file passes, and none whose data are cut does.
#[track_caller]
fn sweep(what: &str, data: &[u8], close: impl Fn(&[u8]) -> Vec<u8>) {
    let whole = validate(&close(data), &DecodeLimits::default(), &Rules::default());
    assert!(whole.is_ok(), "{what}: {whole:?}");
    for percent in CUTS {
        let left = (data.len() * percent / 100).min(data.len() - LEAST);
        let cut = validate(&close(&data[..left]), &DecodeLimits::default(), &Rules::default());
        let refused = cut.as_ref().err().map(|rejected| rejected.reason);
        assert!(
            matches!(refused, Some(Refusal::Truncated | Refusal::Corrupt)),
            "{what}, {percent} %: {cut:?}"
        );
    }
}

#[test]
fn jpeg_in_every_coding() {
    type Cut = fn(&mut Encoder<&mut Vec<u8>>);
    let ways: [(&str, Cut); 7] = [
        ("one scan", |_| ()),
        ("one scan a component", |encoder| encoder.set_optimized_huffman_tables(true)),
        ("restarts", |encoder| encoder.set_restart_interval(3)),
        ("progressive", |encoder| encoder.set_progressive(true)),
        ("progressive in 4 scans", |encoder| encoder.set_progressive_scans(4)),
        ("progressive in 20 scans", |encoder| encoder.set_progressive_scans(20)),
        ("progressive with restarts", |encoder| {
            encoder.set_progressive(true);
            encoder.set_restart_interval(5);
        }),
    ];
    let scene = samples::scene(150, 110);
    let file = |what: &str, bytes: Vec<u8>| {
        let first = memchr::memmem::find(&bytes, &[0xff, 0xda]).unwrap() + 14;
        let (head, data) = (&bytes[..first], &bytes[first..bytes.len() - 2]);
        sweep(what, data, |data| [head, data, &[0xff, 0xd9]].concat());
    };
    for (way, change) in ways {
        for sampling in [SamplingFactor::F_1_1, SamplingFactor::F_2_2, SamplingFactor::F_2_1] {
            file(&format!("{way}, {sampling:?}"), samples::jpeg_as(&scene, sampling, change));
        }
    }
    file("cmyk", samples::jpeg_cmyk(&scene));
}

/// In the scans of a progressive picture each is a picture already, and lacks something.
#[test]
fn jpeg_without_its_last_scans() {
    let bytes = samples::jpeg_as(&samples::scene(90, 70), SamplingFactor::F_2_2, |encoder| {
        encoder.set_progressive_scans(12);
    });
    let scans: Vec<usize> = memchr::memmem::find_iter(&bytes, &[0xff, 0xda]).collect();
    assert!(scans.len() >= 6, "{scans:?}");
    for scan in &scans[1..] {
        check(&format!("{scan} bytes"), &[&bytes[..*scan], &[0xff, 0xd9]].concat(), "truncated");
    }
    let all: &[samples::SampleScan<'_>] = &[
        (&[1, 2, 3], 0, 0, 0, 1),
        (&[1], 1, 5, 0, 1),
        (&[2], 1, 63, 0, 0),
        (&[3], 1, 63, 0, 0),
        (&[1], 6, 63, 0, 0),
        (&[1], 1, 5, 1, 0),
        (&[1, 2, 3], 0, 0, 1, 0),
    ];
    check("all scans", &samples::jpeg_of_zeros(true, all), "jpeg 16×16 1");
    for missing in 1..all.len() {
        let scans = [&all[..missing], &all[missing + 1..]].concat();
        let verdict = verdict(&samples::jpeg_of_zeros(true, &scans));
        // The other bits of what is missing say nothing.
        let expect = if missing == 1 { "corrupt" } else { "truncated" };
        assert_eq!(verdict, expect, "without scan {missing}");
    }
    for scans in [
        &[(&[1][..], 0, 63, 0, 0)][..],
        &[(&[1, 2], 0, 63, 0, 0)],
        &[(&[3], 0, 63, 0, 0), (&[1], 0, 63, 0, 0)],
    ] {
        check("components without a scan", &samples::jpeg_of_zeros(false, scans), "truncated");
    }
}

#[test]
fn png_of_every_kind() {
    let scene = samples::scene(60, 50);
    let deep = DynamicImage::from(scene.clone());
    for (what, bytes) in [
        ("rgb", samples::png(&deep)),
        ("rgba", samples::png(&deep.to_rgba8().into())),
        ("16 bit", samples::png(&deep.to_rgb16().into())),
        ("grey", samples::png(&deep.to_luma8().into())),
        ("one bit", samples::png_packed(&scene, ::png::ColorType::Grayscale, ::png::BitDepth::One)),
        ("palette", samples::png_packed(&scene, ::png::ColorType::Indexed, ::png::BitDepth::Four)),
        ("interlaced", samples::png_interlaced(&scene)),
    ] {
        let chunks = samples::png_chunks(&bytes);
        let is_data = |(kind, _): &&samples::SampleChunk| kind == b"IDAT";
        let data: Vec<u8> = chunks.iter().filter(is_data).flat_map(|(_, data)| data.clone()).collect();
        let close = |data: Vec<u8>| {
            let mut chunks: Vec<_> = chunks.iter().filter(|chunk| !is_data(chunk)).cloned().collect();
            chunks.insert(chunks.len() - 1, (*b"IDAT", data));
            samples::png_of(&chunks)
        };
        sweep(what, &data, |data| close(data.to_vec()));
    }
    // A whole stream of too few rows.
    let rows: Vec<u8> = (0..40).flat_map(|row| [&[0][..], &[row; 40]].concat()).collect();
    let ihdr = [0, 0, 0, 40, 0, 0, 0, 40, 8, 0, 0, 0, 0].to_vec();
    sweep("too few rows", &rows, |rows| {
        samples::png_of(&[
            (*b"IHDR", ihdr.clone()),
            (*b"IDAT", samples::stored(rows)),
            (*b"IEND", Vec::new()),
        ])
    });
}

#[test]
fn gif_of_too_few_pixels() {
    let bytes = samples::gif(&samples::scene(60, 50), 1);
    // The data begin behind the palette of the frame and the size of the first code.
    let image = bytes.iter().rposition(|byte| *byte == 0x2c).unwrap();
    let image =
        (0..=image).rev().find(|at| bytes[*at..].starts_with(&[0x2c, 0, 0, 0, 0, 60, 0, 50, 0])).unwrap();
    let palette = if bytes[image + 9] & 0x80 == 0 { 0 } else { 3 << ((bytes[image + 9] & 7) + 1) };
    let (head, mut rest) = bytes.split_at(image + 10 + palette + 1);
    let mut data = Vec::new();
    while rest[0] > 0 {
        let (block, more) = rest[1..].split_at(rest[0].into());
        data.extend(block);
        rest = more;
    }
    let close = |data: &[u8]| {
        let blocks = data.chunks(255).flat_map(|block| [&[block.len() as u8][..], block].concat());
        [head, &blocks.collect::<Vec<u8>>(), &[0, 0x3b]].concat()
    };
    sweep("gif", &data, close);
}

#[test]
fn webp_of_every_kind() {
    let scene = samples::scene(60, 50);
    let alpha = DynamicImage::from(scene.clone()).to_rgba8();
    for (what, bytes) in [
        ("lossless", samples::webp(&scene)),
        ("lossless with alpha", samples::webp_alpha(&alpha)),
        ("lossy", samples::webp_lossy()),
        ("lossy with alpha", samples::webp_lossy_alpha()),
    ] {
        let chunks = samples::riff_chunks(&bytes[12..]);
        for (at, (kind, data)) in chunks.iter().enumerate() {
            if !matches!(kind, b"VP8 " | b"VP8L" | b"ALPH") {
                continue;
            }
            let close = |data: &[u8]| {
                let mut chunks = chunks.clone();
                chunks[at].1 = data.to_vec();
                samples::webp_of(&chunks)
            };
            sweep(&format!("{what}, {}", kind.escape_ascii()), data, close);
        }
    }
    let film = samples::riff_chunks(&samples::webp_animated()[12..]);
    let first = film.iter().position(|(kind, _)| kind == b"ANMF").unwrap();
    let frame = samples::riff_chunks(&film[first].1[16..]);
    let pixels = frame.iter().position(|(kind, _)| kind == b"VP8 ").unwrap();
    sweep("first frame", &frame[pixels].1, |data| {
        let (mut film, mut frame) = (film.clone(), frame.clone());
        frame[pixels].1 = data.to_vec();
        film[first].1 = [&film[first].1[..16], &samples::riff_of(&frame)].concat();
        samples::webp_of(&film)
    });
}
