//! The perceptual hash, against a plain implementation of the same.

use ::image::{Rgba, RgbaImage, imageops};

use super::*;

/// Discs of all sizes that lie over one another, as leaves do: like most pictures, it has waves of all lengths,
/// and the longer ones are stronger.
pub(super) fn leaves(width: u32, height: u32) -> RgbImage {
    let mut seed = 7u32;
    let mut random = |below: u32| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(seed >> 8) / f64::from(1 << 24) * f64::from(below)
    };
    let mut picture = RgbImage::new(width, height);
    for leaf in 0..400 {
        let (x, y) = (random(width), random(height));
        let radius = f64::from(width.min(height)) / (1.5 + f64::from(leaf) / 8.0);
        let grey = random(216);
        let colour = [0; 3].map(|_| (grey + random(40)) as u8);
        let within =
            |at: f64, side: u32| (at - radius).max(0.0) as u32..side.min((at + radius).max(0.0) as u32 + 1);
        for row in within(y, height) {
            for column in within(x, width) {
                if (f64::from(column) - x).hypot(f64::from(row) - y) <= radius {
                    picture.put_pixel(column, row, ::image::Rgb(colour));
                }
            }
        }
    }
    picture
}

/// PDQ as it is described: every pixel filtered twice in both directions.
fn plain(picture: &RgbImage) -> (Pdq, i32) {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let luma = |[r, g, b]: [u8; 3]| 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
    let mut rows: Vec<Vec<f64>> =
        picture.rows().map(|row| row.map(|pixel| luma(pixel.0)).collect()).collect();
    for _ in 0..2 {
        rows = rows.iter().map(|row| filtered(row, width.div_ceil(128))).collect();
        let columns = (0..width).map(|x| rows.iter().map(|row| row[x]).collect::<Vec<_>>());
        let columns: Vec<_> = columns.map(|column| filtered(&column, height.div_ceil(128))).collect();
        rows = (0..height).map(|y| columns.iter().map(|column| column[y]).collect()).collect();
    }
    let middle = |at: usize, side: usize| ((at as f64 + 0.5) * side as f64 / 64.0) as usize;
    let value = |y: usize, x: usize| rows[middle(y, height)][middle(x, width)];

    let step = |a: f64, b: f64| ((a - b) * 100.0 / 255.0).trunc().abs() as i32;
    let mut steps = 0;
    for at in 0..64 {
        for to in 1..64 {
            steps += step(value(at, to - 1), value(at, to)) + step(value(to - 1, at), value(to, at));
        }
    }
    let wave =
        |wave: usize, at: usize| (std::f64::consts::PI / 128.0 * ((wave + 1) * (2 * at + 1)) as f64).cos();
    let mut strengths = Vec::new();
    for bit in 0..256 {
        let mut strength = 0.0;
        for place in 0..4096 {
            let (y, x) = (place / 64, place % 64);
            strength += wave(bit / 16, y) * wave(bit % 16, x) * value(y, x);
        }
        strengths.push(strength);
    }
    let mut sorted = strengths.clone();
    sorted.sort_by(f64::total_cmp);
    let mut bytes = [0; 32];
    for (bit, _) in strengths.iter().enumerate().filter(|(_, strength)| **strength > sorted[127]) {
        bytes[31 - bit / 8] |= 1 << (bit % 8);
    }
    (Pdq(bytes), (steps / 90).min(100))
}

/// The mean of a window about each value, of which more is behind it where it is even.
fn filtered(values: &[f64], window: usize) -> Vec<f64> {
    let behind = (window + 2) / 2;
    let mean = |at: usize| {
        let around = &values[(at + behind).saturating_sub(window)..(at + behind).min(values.len())];
        around.iter().sum::<f64>() / around.len() as f64
    };
    (0..values.len()).map(mean).collect()
}

#[test]
fn the_hash_is_pdq() {
    for (width, height) in
        [(5, 5), (64, 64), (65, 40), (128, 129), (300, 200), (701, 433), (1024, 90), (1025, 33), (70, 2100)]
    {
        let scene = leaves(width, height);
        let (pdq, quality) = plain(&scene);
        let found = hash(&samples::png(&scene.into()));
        let differ = distance(found.pdq, pdq);
        assert!(differ <= 6, "{width}×{height}: {differ} bits differ");
        assert!((i32::from(found.quality) - quality).abs() <= 1, "{width}×{height}: {found:?}, {quality}");
    }
}

/// A picture has the hash of each way to turn it, up to what rounding makes of it.
#[test]
fn a_turned_picture_has_the_hashes_of_the_upright_one() {
    // Of these sides the places, and the boxes around them, are the same from each end.
    let scene = leaves(576, 320);
    let turned = hash(&samples::png(&scene.clone().into())).turned.unwrap();
    for on_its_side in [false, true] {
        for (mirrored, upside_down) in [(false, false), (true, false), (false, true), (true, true)] {
            let mut other = if on_its_side {
                imageops::flip_horizontal(&imageops::rotate90(&scene))
            } else {
                scene.clone()
            };
            if mirrored {
                imageops::flip_horizontal_in_place(&mut other);
            }
            if upside_down {
                imageops::flip_vertical_in_place(&mut other);
            }
            let found = hash(&samples::png(&other.into())).pdq;
            let nearest = turned.pdq.iter().map(|hash| distance(*hash, found)).min().unwrap();
            let is_turned = on_its_side || mirrored || upside_down;
            assert_eq!(
                nearest <= 10,
                is_turned,
                "{mirrored} {upside_down} {on_its_side}: {nearest} bits differ"
            );
        }
    }
}

/// Values that stand here for ever: what is stored is compared with what is hashed later.
#[test]
fn the_hash_stays_what_it_is() {
    for (width, height, expect, quality) in EXPECTED {
        let found = hash(&samples::png(&leaves(width, height).into()));
        assert_eq!((found.pdq.to_string().as_str(), found.quality), (expect, quality), "{width}×{height}");
    }
    let white = hash(&samples::png(&RgbImage::from_pixel(90, 80, ::image::Rgb([255; 3])).into()));
    assert_eq!((white.quality, white.trimmed), (0, None));
    for (width, height) in [(4, 300), (300, 4), (1, 1)] {
        let found = hash(&samples::png(&leaves(width, height).into()));
        let nothing = PictureHash { pdq: Pdq([0; 32]), quality: 0, trimmed: None, turned: None };
        assert_eq!(found, nothing, "{width}×{height}");
    }
}

const EXPECTED: [(u32, u32, &str, u8); 2] = [
    (400, 300, "008932034859312d7ba749cfad469cee6d7708df862a6a5fa1892e78a7d36d9e", 100),
    (90, 700, "28b889cbd3719dbe1e82c52e41c9b9c37bc602939eac470efdc704f8e5dbcc80", 100),
];

#[test]
fn the_hash_is_that_of_what_is_seen() {
    let scene = leaves(400, 300);
    let expect = hash(&samples::png(&scene.clone().into())).pdq;
    let near = |what: &str, bytes: &[u8], most: u32| {
        let differ = distance(hash(bytes).pdq, expect);
        assert!(differ <= most, "{what}: {differ} bits differ");
    };
    let deep = DynamicImage::from(scene.clone());
    for (what, picture) in [
        ("rgba", deep.to_rgba8().into()),
        ("16 bit", deep.to_rgb16().into()),
        ("grey", deep.to_luma8().into()),
        ("grey and alpha", deep.to_luma_alpha8().into()),
    ] {
        near(what, &samples::png(&picture), 4);
    }
    near("interlaced", &samples::png_interlaced(&imageops::thumbnail(&scene, 200, 150)), 16);
    near("jpeg", &samples::jpeg(&scene), 8);
    near("cmyk", &samples::jpeg_cmyk(&scene), 8);
    near("gif", &samples::gif(&scene, 2), 16);
    near("webp", &samples::webp(&scene), 0);
    near("half", &samples::jpeg(&imageops::thumbnail(&scene, 200, 150)), 16);
    // What is transparent shows the white below.
    let hole = |at: u32| (50..250).contains(&at);
    let holed = RgbaImage::from_fn(400, 300, |x, y| {
        let [r, g, b] = scene.get_pixel(x, y).0;
        Rgba([r, g, b, if hole(x) && hole(y) { 0 } else { 255 }])
    });
    let white = RgbImage::from_fn(400, 300, |x, y| {
        if hole(x) && hole(y) { ::image::Rgb([255; 3]) } else { *scene.get_pixel(x, y) }
    });
    let [holed, white] = [samples::png(&holed.into()), samples::png(&white.into())].map(|png| hash(&png).pdq);
    assert!(distance(holed, white) <= 2 && distance(white, expect) > 31);
}

#[test]
fn borders_are_trimmed() {
    let scene = leaves(400, 300);
    let upright = hash(&samples::png(&scene.clone().into()));
    assert_eq!(upright.trimmed, None, "no borders");
    for (what, left, top, right, bottom, shade) in [
        ("all around", 40, 30, 40, 30, 255),
        ("above and below", 0, 60, 0, 60, 0),
        ("left", 90, 0, 0, 0, 128),
        ("thin", 7, 5, 7, 5, 0),
    ] {
        let (width, height) = (400 + left + right, 300 + top + bottom);
        let mut framed = RgbImage::from_pixel(width, height, ::image::Rgb([shade; 3]));
        imageops::replace(&mut framed, &scene, left.into(), top.into());
        for (format, bytes) in
            [("png", samples::png(&framed.clone().into())), ("jpeg", samples::jpeg(&framed))]
        {
            let found = hash(&bytes);
            let trimmed = found.trimmed.unwrap_or_else(|| panic!("{what}, {format}: not trimmed"));
            let differ = distance(trimmed, upright.pdq);
            assert!(differ <= 10, "{what}, {format}: {differ} bits differ");
        }
    }
    let mut large = RgbImage::from_pixel(2600, 1900, ::image::Rgb([255; 3]));
    let big = leaves(2000, 1500);
    imageops::replace(&mut large, &big, 301, 199);
    let (large, big) = (hash(&samples::png(&large.into())), hash(&samples::png(&big.into())));
    assert!(distance(large.trimmed.unwrap(), big.pdq) <= 16, "{large:?} {big:?}");
    // What is left is a spot.
    let mut spot = RgbImage::from_pixel(400, 400, ::image::Rgb([255; 3]));
    imageops::replace(&mut spot, &leaves(60, 60), 170, 170);
    assert_eq!(hash(&samples::png(&spot.into())).trimmed, None);
}
