//! Pictures whose files are about as large, and as much work to decode, as photographs:
//! fractal clouds (detail at every scale, as in nature) with Gaussian noise on top, in
//! sizes that are log-normal around a long side of 900 pixels.

use std::{
    fs,
    io::Write as _,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};
use image::{RgbImage, codecs::png::PngEncoder, codecs::webp::WebPEncoder, metadata::Orientation};
use pixcrawler::validate::pdq;
use rand::{Rng, RngExt as _, SeedableRng as _, rngs::SmallRng};

/// Different pictures, which do not look alike; more are made of these by bytes after the end, which change the
/// hash of the file and nothing else.
pub(crate) const BASES: usize = 2000;
/// Of them, so many are hashed by themselves.
const HASHED: usize = 200;
/// Of the noise, in steps of brightness.
const NOISE: f32 = 3.0;

/// Makes the pictures, unless they were made before, as files whose names sort in a
/// mixed order.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn make(folder: &Path) -> anyhow::Result<()> {
    if fs::read_dir(folder).is_ok_and(|files| files.count() == BASES) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    let unfinished = folder.with_extension("unfinished");
    fs::create_dir_all(&unfinished)?;
    let threads = thread::available_parallelism()?.get();
    thread::scope(|scope| {
        let working: Vec<_> = (0..threads)
            .map(|first| {
                let folder = &unfinished;
                scope.spawn(move || (first..BASES).step_by(threads).try_for_each(|at| write(folder, at)))
            })
            .collect();
        working.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow::anyhow!("panic"))?)
    })?;
    fs::rename(unfinished, folder).context("cannot rename the folder of pictures")
}

/// What the pictures are like on average.
pub(crate) struct Kind {
    pub(crate) megapixels: f64,
    pub(crate) kilobytes: f64,
}

/// Reads the headers of all pictures.
///
/// # Errors
/// When a file is not a picture.
pub(crate) fn kind(folder: &Path) -> anyhow::Result<Kind> {
    let (mut pixels, mut bytes, mut files) = (0, 0, 0);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (width, height) = image::image_dimensions(entry.path())?;
        pixels += u64::from(width) * u64::from(height);
        bytes += entry.metadata()?.len();
        files += 1;
    }
    let mean = |sum: u64, unit: f64| sum as f64 / f64::from(files) / unit;
    Ok(Kind { megapixels: mean(pixels, 1e6), kilobytes: mean(bytes, 1e3) })
}

/// How long hash and scores of a megapixel of brightness take, beside all that it takes to have it.
///
/// # Errors
/// When a file is not a picture.
pub(crate) fn hash_a_megapixel(folder: &Path) -> anyhow::Result<Duration> {
    let (mut took, mut megapixels) = (Duration::ZERO, 0.0);
    for entry in fs::read_dir(folder)?.take(HASHED) {
        let picture = image::open(entry?.path())?.into_luma8();
        let (width, height) = picture.dimensions();
        megapixels += f64::from(width) * f64::from(height) / 1e6;
        let begun = Instant::now();
        let looks = pdq::Rows::new(width, height, 1, Orientation::NoTransforms)
            .and_then(|rows| rows.all(picture.into_raw()));
        took += begun.elapsed();
        anyhow::ensure!(looks.is_ok(), "a picture that cannot be hashed: {looks:?}");
    }
    Ok(took.div_f64(megapixels))
}

fn write(folder: &Path, at: usize) -> anyhow::Result<()> {
    let random = &mut SmallRng::seed_from_u64(at as u64);
    let picture = paint(random);
    let (extension, bytes) = match at * 1000 / BASES {
        0..850 => ("jpg", jpeg(&picture, random.random_range(70..=92), at.is_multiple_of(17))?),
        850..933 => ("png", encoded(|bytes| picture.write_with_encoder(PngEncoder::new(bytes)))?),
        933..985 => ("webp", encoded(|bytes| picture.write_with_encoder(WebPEncoder::new_lossless(bytes)))?),
        _ => ("gif", gif(&picture)?),
    };
    // A stride without a common divisor mixes the formats.
    let mixed = at * 163 % BASES;
    Ok(fs::File::create(folder.join(format!("{mixed:04}.{extension}")))?.write_all(&bytes)?)
}

fn paint(random: &mut SmallRng) -> RgbImage {
    let long = (900.0 * (0.5 * normal(random)).exp()).clamp(200.0, 4000.0);
    let short = long * [0.5625, 0.667, 0.75, 1.0][random.random_range(0..4)];
    let (width, height) = if random.random_ratio(1, 3) { (short, long) } else { (long, short) };
    let (width, height) = (width as u32, height as u32);

    let (mut size, mut spread) = ((4, 3), 90.0);
    let mut cloud = vec![128.0; 3 * 4 * 3];
    while size.0 < width / 2 && size.1 < height / 2 {
        for pixel in cloud.chunks_exact_mut(3) {
            let light = spread * random.random_range(-0.5..0.5);
            for part in pixel {
                *part += light + 0.3 * spread * random.random_range(-0.5..0.5);
            }
        }
        let next = (size.0 * 2, size.1 * 2);
        cloud = enlarged(&cloud, size, next);
        (size, spread) = (next, spread * 0.55);
    }
    let cloud = enlarged(&cloud, size, (width, height));

    let noise: Vec<f32> = (0..1 << 15).map(|_| NOISE * normal(random)).collect();
    let row = 3 * width as usize;
    let mut pixels = Vec::with_capacity(cloud.len());
    for colours in cloud.chunks_exact(row) {
        // Another start for each row hides that the noise repeats.
        let start = random.random_range(0..noise.len() - row);
        pixels.extend(colours.iter().zip(&noise[start..]).map(|(colour, noise)| (colour + noise) as u8));
    }
    RgbImage::from_raw(width, height, pixels).unwrap_or_default()
}

/// By Box and Muller.
fn normal(random: &mut impl Rng) -> f32 {
    let radius = (-2.0 * random.random_range(f32::EPSILON..1.0).ln()).sqrt();
    radius * random.random_range(0.0..std::f32::consts::TAU).cos()
}

fn enlarged(pixels: &[f32], from: (u32, u32), to: (u32, u32)) -> Vec<f32> {
    let bytes: Vec<u8> = pixels.iter().flat_map(|part| part.to_ne_bytes()).collect();
    let mut result = Image::new(to.0, to.1, PixelType::F32x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom));
    let source = ImageRef::new(from.0, from.1, &bytes, PixelType::F32x3);
    let resized = source.is_ok_and(|source| Resizer::new().resize(&source, &mut result, &options).is_ok());
    let bytes = if resized { result.into_vec() } else { Vec::new() };
    bytes.as_chunks().0.iter().copied().map(f32::from_ne_bytes).collect()
}

fn jpeg(picture: &RgbImage, quality: u8, progressive: bool) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::F_2_2);
    encoder.set_progressive(progressive);
    let (width, height) = (picture.width().try_into()?, picture.height().try_into()?);
    encoder.encode(picture, width, height, jpeg_encoder::ColorType::Rgb)?;
    Ok(bytes)
}

/// In 216 fixed colours.
fn gif(picture: &RgbImage) -> anyhow::Result<Vec<u8>> {
    let level = |part: u8| ((u16::from(part) * 5 + 127) / 255) as u8;
    let indices: Vec<u8> = picture
        .pixels()
        .map(|colour| colour.0.into_iter().fold(0, |index, part| index * 6 + level(part)))
        .collect();
    let palette: Vec<u8> =
        (0..216u8).flat_map(|index| [index / 36, index / 6 % 6, index % 6].map(|level| level * 51)).collect();
    let (width, height) = (picture.width().try_into()?, picture.height().try_into()?);
    let mut bytes = Vec::new();
    let mut encoder = gif::Encoder::new(&mut bytes, width, height, &palette)?;
    encoder.write_frame(&gif::Frame::from_indexed_pixels(width, height, indices, None))?;
    drop(encoder);
    Ok(bytes)
}

fn encoded(encode: impl FnOnce(&mut Vec<u8>) -> image::ImageResult<()>) -> image::ImageResult<Vec<u8>> {
    let mut bytes = Vec::new();
    encode(&mut bytes)?;
    Ok(bytes)
}
