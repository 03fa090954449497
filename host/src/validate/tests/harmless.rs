//! Files with faults over which viewers only shrug: the whole picture is there, and kept.

use super::*;

/// Puts bytes where others begin.
fn insert(bytes: &[u8], before: &[u8], new: &[u8]) -> Vec<u8> {
    let at = memchr::memmem::find(bytes, before).unwrap();
    [&bytes[..at], new, &bytes[at..]].concat()
}

#[test]
fn jpeg_with_something_between() {
    let scene = samples::scene(21, 19);
    for (way, plain) in [
        ("sequential", samples::jpeg(&scene)),
        (
            "progressive",
            samples::jpeg_as(&scene, SamplingFactor::F_2_2, |encoder| encoder.set_progressive(true)),
        ),
        (
            "restarts",
            samples::jpeg_as(&scene, SamplingFactor::F_2_2, |encoder| encoder.set_restart_interval(1)),
        ),
    ] {
        let closed = |end: &[u8]| [&plain[..plain.len() - 2], end, &[0xff, 0xd9]].concat();
        for (what, bytes) in [
            ("zeros before a table", insert(&plain, &[0xff, 0xdb], &[0; 12])),
            ("bytes before a table", insert(&plain, &[0xff, 0xc4], b"0123456789abcdef")),
            ("bytes before the first scan", insert(&plain, &[0xff, 0xda], b"0123456789abcdef")),
            ("fill before the first scan", insert(&plain, &[0xff, 0xda], &[0xff; 5])),
            ("an unknown segment", insert(&plain, &[0xff, 0xdb], &[0xff, 0xf3, 0, 4, 1, 2])),
            ("an empty profile", insert(&plain, &[0xff, 0xdb], &[0xff, 0xe2, 0, 2])),
            ("bytes before the end", closed(b"0123456789abcdef")),
            ("a restart before the end", closed(&[0xff, 0xd0])),
            ("fill before the end", closed(&[0xff; 7])),
            ("a second end", closed(&[0xff, 0xd9])),
        ] {
            check(&format!("{way}, {what}"), &bytes, "jpeg 21×19 1");
            assert_eq!(hash(&bytes), hash(&plain), "{way}, {what}");
        }
    }
    // As frames of films are; the encoder has the usual tables.
    let mut bare = samples::jpeg(&scene);
    while let Some(table) = memchr::memmem::find(&bare, &[0xff, 0xc4]) {
        let length = usize::from(u16::from_be_bytes([bare[table + 2], bare[table + 3]]));
        bare.drain(table..table + 2 + length);
    }
    check("no tables", &bare, "jpeg 21×19 1");
    assert_eq!(hash(&bare), hash(&samples::jpeg(&scene)));
    let mut odd = samples::jpeg(&scene);
    let scan = memchr::memmem::find(&odd, &[0xff, 0xda]).unwrap();
    odd[scan + 12] = 0;
    check("a band that means nothing", &odd, "jpeg 21×19 1");
}

#[test]
fn jpeg_with_much_fill_behind_each_scan() {
    let flat = RgbImage::from_pixel(1024, 1024, ::image::Rgb([90, 120, 60]));
    let plain = samples::jpeg_as(&flat, SamplingFactor::F_2_2, |encoder| encoder.set_progressive(true));
    let mut bytes = Vec::new();
    let mut scanned = false;
    for (at, byte) in plain.iter().enumerate() {
        let marker = plain.get(at + 1).filter(|_| *byte == 0xff);
        if scanned && matches!(marker, Some(0xc4 | 0xd9 | 0xda)) {
            bytes.extend([0xff; 20_000]);
        }
        scanned |= marker == Some(&0xda);
        bytes.push(*byte);
    }
    assert!(bytes.len() > plain.len() + 100_000, "{} scans", (bytes.len() - plain.len()) / 20_000);
    check("much fill", &bytes, "jpeg 1024×1024 1");
    assert_eq!(hash(&bytes), hash(&plain));
}

#[test]
fn jpeg_in_scans_of_every_kind() {
    let whole: samples::SampleScan<'_> = (&[1, 2, 3], 0, 63, 0, 0);
    for scans in [
        &[whole][..],
        &[whole, whole],
        &[whole, (&[1], 0, 63, 0, 0)],
        &[(&[1], 0, 63, 0, 0), (&[2], 0, 63, 0, 0), (&[3], 0, 63, 0, 0)],
        &[(&[3], 0, 63, 0, 0), (&[2], 0, 63, 0, 0), (&[1], 0, 63, 0, 0)],
        &[(&[1], 0, 63, 0, 0), (&[2, 3], 0, 63, 0, 0)],
        &[(&[2, 3], 0, 63, 0, 0), (&[1], 0, 63, 0, 0)],
    ] {
        check(&format!("{scans:?}"), &samples::jpeg_of_zeros(false, scans), "jpeg 16×16 1");
    }
    let mixed: &[samples::SampleScan<'_>] = &[(&[1, 2], 0, 63, 0, 0), (&[3], 0, 63, 0, 0)];
    check("what the decoder cannot do", &samples::jpeg_of_zeros(false, mixed), "unsupported-format");
}

#[test]
fn jpeg_that_is_beyond_the_decoder() {
    let mut odd = samples::jpeg_of_zeros(false, &[(&[1, 2, 3], 0, 63, 0, 0)]);
    let frame = memchr::memmem::find(&odd, &[0xff, 0xc0]).unwrap();
    odd[frame + 11] = 0x31;
    let end = odd.len() - 2;
    odd.splice(end..end, [0; 8]);
    check("three blocks across", &odd, "unsupported-format");
    odd[frame + 11] = 0x51;
    check("five blocks across", &odd, "corrupt");
    odd[frame + 5..frame + 7].fill(0);
    check("no height", &odd, "unsupported-format");
}

#[test]
fn png_whose_animation_is_broken() {
    let scene = samples::scene(21, 19);
    let chunks = samples::png_chunks(&samples::apng(&scene, 3));
    let with = |change: fn(&mut [u8; 4], &mut Vec<u8>)| {
        let mut chunks = chunks.clone();
        chunks.iter_mut().for_each(|(kind, data)| change(kind, data));
        samples::png_of(&chunks)
    };
    let without = |gone: [u8; 4]| {
        let left: Vec<_> = chunks.iter().filter(|(kind, _)| *kind != gone).cloned().collect();
        samples::png_of(&left)
    };
    check("sound", &with(|_, _| ()), "png 21×19 3");
    for (what, bytes) in [
        (
            "more announced",
            with(|kind, data| {
                if kind == b"acTL" {
                    data[3] = 5
                }
            }),
        ),
        (
            "none announced",
            with(|kind, data| {
                if kind == b"acTL" {
                    data[3] = 0
                }
            }),
        ),
        (
            "out of order",
            with(|kind, data| {
                if kind == b"fdAT" {
                    data[3] = 9
                }
            }),
        ),
        (
            "cut",
            with(|kind, data| {
                if kind == b"fdAT" {
                    data.truncate(data.len() / 2)
                }
            }),
        ),
        (
            "too large",
            with(|kind, data| {
                if kind == b"fcTL" && data[3] > 0 {
                    data[7] = 200
                }
            }),
        ),
        (
            "without a size",
            with(|kind, data| {
                if kind == b"fcTL" && data[3] > 0 {
                    data[7] = 0
                }
            }),
        ),
        ("no data", without(*b"fdAT")),
        ("no control", without(*b"fcTL")),
        (
            "short control",
            with(|kind, data| {
                if kind == b"acTL" {
                    data.truncate(3)
                }
            }),
        ),
    ] {
        check(what, &bytes, "png 21×19 1");
    }
    check("no animation", &without(*b"acTL"), "png 21×19 1");
    check(
        "cut first",
        &with(|kind, data| {
            if kind == b"IDAT" {
                data.truncate(data.len() / 2)
            }
        }),
        "corrupt",
    );
    let mut apple = chunks;
    apple.insert(0, (*b"CgBI", vec![0x50, 0, 0x20, 0x02]));
    check("as Apple's tools write it", &samples::png_of(&apple), "unsupported-format");
}

#[test]
fn gif_with_something_wrong() {
    let scene = samples::scene(21, 19);
    let plain = samples::gif(&scene, 1);
    let mut screen = plain.clone();
    screen[6..10].fill(0);
    check("a screen without a size", &screen, "gif 21×19 1");
    assert_eq!(hash(&screen), hash(&plain));
    let end = plain.len() - 1;
    for (what, behind) in [
        ("no trailer", &b""[..]),
        ("bytes instead of the trailer", b"abc"),
        ("an empty block", b"\0\0;"),
        ("an unknown extension", b"\x21\x42\x01\x01\0;"),
    ] {
        check(what, &[&plain[..end], behind].concat(), "gif 21×19 1");
    }

    let film = samples::gif(&scene, 3);
    let frames: Vec<usize> = memchr::memmem::find_iter(&film, &[0x2c, 0, 0, 0, 0, 21, 0, 19, 0]).collect();
    assert_eq!(frames.len(), 3);
    let with = |change: fn(&mut [u8])| {
        let mut film = film.clone();
        change(&mut film[frames[2]..]);
        film
    };
    check("a later frame without a size", &with(|frame| frame[5] = 0), "gif 21×19 1");
    check("a later frame of more rows", &with(|frame| frame[7] = 90), "gif 21×19 1");
    let mut first = film.clone();
    first[frames[0] + 7] = 90;
    check("a first frame of more rows", &first, "corrupt");
}

#[test]
fn webp_that_says_what_is_not_so() {
    let film = samples::riff_chunks(&samples::webp_animated()[12..]);
    let with = |change: &dyn Fn(&mut samples::Chunks)| {
        let mut film = film.clone();
        change(&mut film);
        samples::webp_of(&film)
    };
    let last = film.len() - 1;
    assert_eq!(film[last].0, *b"ANMF");
    check("sound", &with(&|_| ()), "webp 16×16 3");
    check("no loops", &with(&|film| film.retain(|(kind, _)| kind != b"ANIM")), "webp 16×16 3");
    check("a profile that is not there", &with(&|film| film[0].1[0] |= 0x2c), "webp 16×16 3");
    check("a cut later frame", &with(&|film| film[last].1.truncate(60)), "webp 16×16 1");
    check("an empty later frame", &with(&|film| film[last].1.clear()), "webp 16×16 1");
    check(
        "noise in a later frame",
        &with(&|film| {
            let half = film[last].1.len() / 2;
            film[last].1[half..].fill(0);
        }),
        "webp 16×16 1",
    );
    let frames: Vec<usize> = (0..film.len()).filter(|at| film[*at].0 == *b"ANMF").collect();
    check("a cut first frame", &with(&|film| film[frames[0]].1.truncate(60)), "truncated");

    let still = samples::riff_chunks(&samples::webp_lossy()[12..]);
    let extended = |flags: u8| (*b"VP8X", vec![flags, 0, 0, 0, 15, 0, 0, 15, 0, 0]);
    for flags in [0, 0x08, 0x10, 0x2c, 0x3c] {
        let chunks = [vec![extended(flags)], still.clone()].concat();
        check(&format!("flags {flags:#x} for nothing"), &samples::webp_of(&chunks), "webp 16×16 1");
    }
    check("two pictures", &samples::webp_of(&[still.clone(), still].concat()), "webp 16×16 1");
}
