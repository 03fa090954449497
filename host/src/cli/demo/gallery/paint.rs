//! Painted landscapes whose files are about as large as those of photographs:
//! 0.2 to 0.3 bytes a pixel in JPEG, because grain lies over the shapes.

use ::image::{
    ExtendedColorType, ImageEncoder as _, ImageError, ImageFormat, RgbImage,
    codecs::{jpeg::JpegEncoder, png::PngEncoder, webp::WebPEncoder},
    error::{EncodingError, ImageFormatHint},
};
use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use rand::{Rng, RngExt as _, SeedableRng as _, rngs::SmallRng};

type Colour = [u8; 3];

/// Order in which the pixels of a square become brighter where a colour has no name.
const DITHER: [[u32; 4]; 4] = [[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]];

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
        let third = (width / 3, height / 3);
        let shapes = self.shapes(third.0, third.1);
        let mut picture = resample(&shapes, PixelType::U8x3, third, (width, height));

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
        RgbImage::from_raw(width, height, picture).unwrap_or_default()
    }

    fn shapes(&self, width: u32, height: u32) -> Vec<u8> {
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

        let mut shapes = Vec::with_capacity((3 * width * height) as usize);
        for y in 0..height {
            let sky = mix(top, horizon, y as f32 / high * 1.4);
            let half_chord = (radius * radius - (y as f32 - disc_y).powi(2)).max(0.0).sqrt();
            let disc = (disc_x - half_chord) as u32..(disc_x + half_chord) as u32;
            for x in 0..width {
                let hill = outlines.iter().rposition(|outline| outline[x as usize] <= y);
                shapes.extend(match hill {
                    Some(at) => shades[at],
                    None if disc.contains(&x) => bright,
                    None => sky,
                });
            }
        }
        shapes
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

pub(super) fn png(picture: &RgbImage) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    picture.write_with_encoder(PngEncoder::new(&mut bytes))?;
    Ok(bytes)
}

/// Lossless: there is no lossy encoder.
pub(super) fn webp(picture: &RgbImage) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    picture.write_with_encoder(WebPEncoder::new_lossless(&mut bytes))?;
    Ok(bytes)
}

/// In 216 fixed colours; each frame is the one before moved up a little.
pub(super) fn gif(picture: &RgbImage, frames: usize) -> Result<Vec<u8>, ImageError> {
    let wrong = |error: gif::EncodingError| {
        ImageError::Encoding(EncodingError::new(ImageFormatHint::Exact(ImageFormat::Gif), error))
    };
    let [width, height] = [picture.width(), picture.height()].map(|side| side.min(u16::MAX.into()) as u16);
    let mut indices: Vec<u8> = picture
        .enumerate_pixels()
        .map(|(x, y, colour)| {
            let threshold = DITHER[(y % 4) as usize][(x % 4) as usize] * 16 + 8;
            let level = |part: u8| ((u32::from(part) * 5 + threshold) / 255) as u8;
            colour.0.into_iter().fold(0, |index, part| index * 6 + level(part))
        })
        .collect();
    let palette: Vec<u8> =
        (0..216u8).flat_map(|index| [index / 36, index / 6 % 6, index % 6].map(|level| level * 51)).collect();

    let mut bytes = Vec::new();
    let mut encoder = gif::Encoder::new(&mut bytes, width, height, &palette).map_err(wrong)?;
    for _ in 0..frames {
        encoder
            .write_frame(&gif::Frame::from_indexed_pixels(width, height, &indices[..], None))
            .map_err(wrong)?;
        indices.rotate_left(20 * usize::from(width));
    }
    drop(encoder);
    Ok(bytes)
}

/// A small copy as JPEG.
pub(super) fn small(picture: &RgbImage, width: u32) -> Result<Vec<u8>, ImageError> {
    let size = (width, (picture.height() * width / picture.width()).max(1));
    let pixels = resample(picture, PixelType::U8x3, picture.dimensions(), size);
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 75).encode(&pixels, size.0, size.1, ExtendedColorType::Rgb8)?;
    Ok(bytes)
}

/// Pixels of another size; none when `pixels` do not fill `from`.
fn resample(pixels: &[u8], kind: PixelType, from: (u32, u32), to: (u32, u32)) -> Vec<u8> {
    let mut result = Image::new(to.0, to.1, kind);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    let resized = ImageRef::new(from.0, from.1, pixels, kind)
        .is_ok_and(|source| Resizer::new().resize(&source, &mut result, &options).is_ok());
    if resized { result.into_vec() } else { Vec::new() }
}
