//! Scores: in the order that people see, and hardly others for another size or file.

use ::image::imageops::{self, FilterType};

use super::{hashes::leaves, *};
use crate::model::Scores;

/// Scores in the order of their columns.
fn scores(bytes: &[u8]) -> [i16; 3] {
    let Scores { brightness, contrast, sharpness, .. } =
        validate(bytes, &DecodeLimits::default(), &Rules::default()).unwrap().scores;
    [brightness, contrast, sharpness].map(Option::unwrap)
}

fn of(picture: &RgbImage) -> [i16; 3] {
    scores(&samples::png(&picture.clone().into()))
}

/// The same scene with every tone moved about the middle by this factor, and by so much up.
fn toned(picture: &RgbImage, factor: f64, up: f64) -> RgbImage {
    let mut toned = picture.clone();
    for value in toned.iter_mut() {
        *value = (128.0 + (f64::from(*value) - 128.0) * factor + up).round().clamp(0.0, 255.0) as u8;
    }
    toned
}

#[test]
fn more_blur_is_less_sharp() {
    for (width, height) in [(200, 150), (640, 480), (1500, 1000)] {
        let scene = leaves(width, height);
        let mut before = of(&scene);
        assert!((55..=90).contains(&before[2]), "{width}×{height}: {before:?}");
        for step in 1..=4 {
            // As a part of the picture, so that it is the same blur whatever its size.
            let sigma = width as f32 * 0.002 * (1 << step) as f32;
            // The fast one is not exact, and for small numbers says the same for several.
            let blurred =
                if sigma < 4.0 { imageops::blur(&scene, sigma) } else { imageops::fast_blur(&scene, sigma) };
            let blurred = of(&blurred);
            assert!(blurred[2] < before[2], "{width}×{height}, {step}: {blurred:?} after {before:?}");
            assert!((blurred[0] - before[0]).abs() <= 2, "{blurred:?} after {before:?}");
            before = blurred;
        }
        assert!(before[2] < 25, "{width}×{height}: {before:?}");
    }
}

#[test]
fn brightness_and_contrast_are_those_of_the_tones() {
    let scene = leaves(300, 400);
    let [brightness, contrast, _] = of(&scene);
    let darker = of(&toned(&scene, 0.5, -50.0));
    let brighter = of(&toned(&scene, 0.5, 50.0));
    assert!(darker[0] < brightness - 10 && brighter[0] > brightness + 10, "{darker:?} {brighter:?}");
    let softer = of(&toned(&scene, 0.25, 0.0));
    assert!((softer[1] - contrast / 4).abs() <= 1, "{softer:?} of {contrast}");
    for (grey, brightness) in [(0, 0), (128, 50), (255, 100)] {
        let flat = RgbImage::from_pixel(333, 50, ::image::Rgb([grey; 3]));
        assert_eq!(of(&flat), [brightness, 0, 0], "{grey}");
    }
    let halves = RgbImage::from_fn(600, 400, |x, _| ::image::Rgb([if x < 300 { 0 } else { 255 }; 3]));
    assert_eq!(of(&halves)[..2], [50, 100]);
    for (width, height) in [(1, 1), (1, 3000), (3000, 2), (3, 3)] {
        let [_, _, sharpness] = of(&RgbImage::from_pixel(width, height, ::image::Rgb([9; 3])));
        assert_eq!(sharpness, 0, "{width}×{height}");
    }
}

/// The picture that people see is the same, be it larger or smaller, turned, or in another format.
#[test]
fn scores_are_of_what_is_seen() {
    let scene = leaves(1024, 768);
    let expect = of(&scene);
    let near = |what: &str, found: [i16; 3]| {
        let differs = found.iter().zip(expect).map(|(one, other)| (one - other).abs()).max();
        assert!(differs <= Some(4), "{what}: {found:?}, not {expect:?}");
    };
    for width in [511, 513, 700, 1025, 1600, 2500] {
        let resized = imageops::resize(&scene, width, width * 3 / 4, FilterType::Lanczos3);
        near(&format!("{width} wide"), of(&resized));
    }
    // Not many more pixels than are looked at: seen twice through a grid, it is a little softer.
    let small = of(&imageops::resize(&scene, 300, 225, FilterType::Lanczos3));
    assert!((expect[2] - 9..=expect[2]).contains(&small[2]), "{small:?}, not {expect:?}");
    near("turned", of(&imageops::rotate90(&scene)));
    near("mirrored", of(&imageops::flip_horizontal(&scene)));
    near("jpeg", scores(&samples::jpeg(&scene)));
    near("webp", scores(&samples::webp_turned(&scene, None)));
    near("gif", scores(&samples::gif(&scene, 2)));
    near("grey", scores(&samples::png(&DynamicImage::from(scene.clone()).to_luma8().into())));
}

/// A sharp subject is sharp, whatever is behind it.
#[test]
fn a_soft_background_does_not_matter() {
    let scene = leaves(600, 400);
    let mut before_soft = imageops::fast_blur(&scene, 20.0);
    let soft = of(&before_soft)[2];
    imageops::replace(&mut before_soft, &imageops::crop_imm(&scene, 200, 50, 200, 300).to_image(), 200, 50);
    let [_, _, sharpness] = of(&before_soft);
    assert!(sharpness > soft + 30 && sharpness > 50, "{sharpness}, {soft} without");
}

#[test]
fn quality_is_that_of_the_encoder() {
    let scene = samples::scene(80, 60);
    let quality = |bytes: &[u8]| {
        validate(bytes, &DecodeLimits::default(), &Rules::default()).unwrap().scores.jpeg_quality
    };
    for asked in [1, 2, 5, 10, 25, 49, 50, 51, 75, 90, 95, 99, 100] {
        for progressive in [false, true] {
            let mut bytes = Vec::new();
            let mut encoder = Encoder::new(&mut bytes, asked);
            encoder.set_progressive(progressive);
            encoder.encode(&scene, 80, 60, jpeg_encoder::ColorType::Rgb).unwrap();
            assert_eq!(quality(&bytes), Some(asked.into()), "{progressive}");
        }
    }
    assert_eq!(quality(&samples::png(&scene.clone().into())), None);
    assert_eq!(quality(&samples::webp_turned(&scene, None)), None);
}
