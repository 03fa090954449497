//! Painted landscapes whose files are about as large as those of photographs:
//! 0.2 to 0.3 bytes a pixel in JPEG, because grain lies over the shapes.

use std::io::Cursor;

use image::{
    DynamicImage, Frame, ImageEncoder as _, ImageError, ImageFormat, Rgb, RgbImage,
    codecs::{gif::GifEncoder, jpeg::JpegEncoder},
    imageops::{self, FilterType},
};
use rand::{Rng, RngExt as _, SeedableRng as _, rngs::SmallRng};

type Colour = [u8; 3];

/// Names of light, with the colours of the upper sky, the horizon and the foreground.
const LIGHTS: [(&str, [Colour; 3]); 8] = [
    ("dawn", [[84, 96, 150], [250, 190, 150], [50, 40, 60]]),
    ("noon", [[70, 130, 200], [200, 225, 240], [40, 80, 40]]),
    ("dusk", [[40, 40, 90], [235, 120, 80], [20, 20, 35]]),
    ("fog", [[170, 178, 182], [225, 226, 222], [90, 100, 104]]),
    ("desert", [[110, 160, 200], [245, 215, 160], [150, 80, 40]]),
    ("night", [[8, 12, 30], [50, 70, 110], [4, 6, 12]]),
    ("autumn", [[150, 180, 205], [240, 230, 205], [120, 50, 20]]),
    ("sea", [[60, 110, 170], [190, 215, 225], [15, 70, 95]]),
];
/// Most change of brightness from pixel to pixel.
const GRAIN: u8 = 16;

/// A landscape before it is painted.
pub(super) struct Scene {
    pub(super) title: &'static str,
    colours: [Colour; 3],
    /// Centre and radius of sun or moon, in parts of width and height.
    disc: [f32; 3],
    /// Far to near.
    ridges: Vec<Ridge>,
    seed: u64,
}

/// A line of hills: height above its base as a sum of waves.
struct Ridge {
    base: f32,
    /// Amplitude, frequency and phase.
    waves: [[f32; 3]; 4],
}

impl Scene {
    pub(super) fn new(random: &mut impl Rng) -> Self {
        let (title, mut colours) = LIGHTS[random.random_range(0..LIGHTS.len())];
        for part in colours.as_flattened_mut() {
            *part = part.saturating_add_signed(random.random_range(-15..=15));
        }
        let count = random.random_range(3..=6);
        let ridges = (0..count).map(|at| Ridge {
            base: 0.4 + 0.55 * (at as f32 + random.random_range(0.0..0.6)) / count as f32,
            waves: [1.0, 2.7, 7.0, 19.0].map(|scale: f32| {
                let amplitude = random.random_range(0.02..0.12) / scale;
                [amplitude, random.random_range(3.0..6.0) * scale, random.random_range(0.0..6.3)]
            }),
        });
        Self {
            title,
            colours,
            ridges: ridges.collect(),
            disc: [
                random.random_range(0.1..0.9),
                random.random_range(0.1..0.4),
                random.random_range(0.04..0.1),
            ],
            seed: random.random(),
        }
    }

    /// Shapes at a third of the size, enlarged, with grain on top of them.
    pub(super) fn paint(&self, width: u32, height: u32) -> RgbImage {
        let shapes = self.shapes(width / 3, height / 3);
        let mut picture = imageops::resize(&shapes, width, height, FilterType::Triangle);

        // Changes of brightness modulo 256; the shapes leave room for them at both ends.
        let mut random = SmallRng::seed_from_u64(self.seed);
        let darkest = 0u8.wrapping_sub(GRAIN);
        let grain: Vec<u8> =
            (0..1 << 14).map(|_| darkest.wrapping_add(random.random_range(..=2 * GRAIN))).collect();
        // Another start in the grain for each row hides that it repeats.
        let columns = width as usize;
        for row in picture.chunks_exact_mut(3 * columns) {
            let start = random.random_range(0..grain.len() - columns);
            for (pixel, change) in row.chunks_exact_mut(3).zip(&grain[start..]) {
                for part in pixel {
                    *part = part.wrapping_add(*change);
                }
            }
        }
        picture
    }

    fn shapes(&self, width: u32, height: u32) -> RgbImage {
        let [top, horizon, near] = self.colours;
        let (wide, high) = (width as f32, height as f32);
        // Row at which each ridge begins, column by column.
        let outlines: Vec<Vec<u32>> = self.ridges.iter().map(|ridge| ridge.outline(width, height)).collect();
        let shades: Vec<Colour> = (1..=self.ridges.len())
            .map(|at| mix(horizon, near, at as f32 / self.ridges.len() as f32))
            .collect();
        let [disc_x, disc_y, radius] =
            [self.disc[0] * wide, self.disc[1] * high, self.disc[2] * wide.min(high)];
        let bright = mix(horizon, [255, 250, 235], 0.8);

        RgbImage::from_fn(width, height, |x, y| {
            let half_chord = (radius * radius - (y as f32 - disc_y).powi(2)).max(0.0).sqrt();
            let disc = (disc_x - half_chord) as u32..(disc_x + half_chord) as u32;
            Rgb(match outlines.iter().rposition(|outline| outline[x as usize] <= y) {
                Some(at) => shades[at],
                None if disc.contains(&x) => bright,
                None => mix(top, horizon, y as f32 / high * 1.4),
            })
        })
    }
}

impl Ridge {
    fn outline(&self, width: u32, height: u32) -> Vec<u32> {
        let row = |x: u32| {
            let along = x as f32 / width as f32;
            let waves = self
                .waves
                .iter()
                .map(|[amplitude, frequency, phase]| amplitude * (along * frequency + phase).sin());
            ((self.base + waves.sum::<f32>()) * height as f32) as u32
        };
        (0..width).map(row).collect()
    }
}

fn mix(from: Colour, to: Colour, part: f32) -> Colour {
    let part = part.clamp(0.0, 1.0);
    std::array::from_fn(|at| {
        let mixed = (f32::from(from[at]) * (1.0 - part) + f32::from(to[at]) * part) as u8;
        mixed.clamp(GRAIN, u8::MAX - GRAIN)
    })
}

/// Discs of all colours, with more to see than a landscape has.
pub(super) fn mosaic(random: &mut impl Rng, width: u32, height: u32) -> RgbImage {
    let mut picture = RgbImage::from_pixel(width, height, Rgb([128; 3]));
    for _ in 0..150 {
        let radius = random.random_range(height / 30..height / 8);
        let (x, y) = (random.random_range(0..width), random.random_range(0..height));
        let colour = Rgb(std::array::from_fn(|_| random.random()));
        for row in y.saturating_sub(radius)..(y + radius).min(height) {
            let half_chord = radius.pow(2).saturating_sub(row.abs_diff(y).pow(2)).isqrt();
            for column in x.saturating_sub(half_chord)..(x + half_chord).min(width) {
                picture.put_pixel(column, row, colour);
            }
        }
    }
    picture
}

/// Baseline JPEG that says by EXIF how it is to be turned (1: not at all).
pub(super) fn jpeg(picture: &RgbImage, orientation: u8) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 80);
    if orientation != 1 {
        let mut exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0".to_vec();
        exif[19] = orientation;
        encoder.set_exif_metadata(exif).map_err(ImageError::Unsupported)?;
    }
    encoder.encode_image(picture)?;
    Ok(bytes)
}

/// PNG or WebP, where nothing is lost.
pub(super) fn encoded(picture: &RgbImage, format: ImageFormat) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format)?;
    Ok(bytes.into_inner())
}

/// Each frame is the one before moved up a little.
pub(super) fn gif(picture: &RgbImage, frames: u32) -> Result<Vec<u8>, ImageError> {
    /// The least careful choice of colours: they are few, and the grain hides it.
    const FASTEST: i32 = 30;
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut bytes, FASTEST);
    let mut picture = DynamicImage::from(picture.clone()).into_rgba8();
    let step = 4 * 20 * picture.width() as usize;
    for _ in 0..frames {
        encoder.encode_frame(Frame::new(picture.clone()))?;
        picture.rotate_left(step);
    }
    drop(encoder);
    Ok(bytes)
}

/// A small copy as JPEG.
pub(super) fn small(picture: &RgbImage, width: u32) -> Result<Vec<u8>, ImageError> {
    let height = (picture.height() * width / picture.width()).max(1);
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 75)
        .encode_image(&imageops::thumbnail(picture, width, height))?;
    Ok(bytes)
}
