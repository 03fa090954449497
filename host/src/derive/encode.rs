//! Pixels in sRGB as files.

use image_webp::WebPEncoder;
use jpeg_encoder::{ChromaSubsamplingMethod, Encoder, SamplingFactor};

use super::pixels::{Channels, Pixels};
use crate::model::DerivedFormat;

/// The file of a picture, which is RGB, or RGBA where the format is not JPEG.
pub(super) fn encode(picture: &Pixels, format: DerivedFormat, quality: u8) -> Result<Vec<u8>, String> {
    match format {
        DerivedFormat::Jpeg => jpeg(picture, quality),
        DerivedFormat::Png => png(picture).map_err(|error| error.to_string()),
        DerivedFormat::Webp => webp(picture),
    }
}

fn jpeg(picture: &Pixels, quality: u8) -> Result<Vec<u8>, String> {
    let side = |side: u32| u16::try_from(side).map_err(|_| format!("{side} pixels are more than a side has"));
    let (width, height) = (side(picture.width)?, side(picture.height)?);
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    encoder
        .encode(&picture.bytes, width, height, jpeg_encoder::ColorType::Rgb)
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn png(picture: &Pixels) -> Result<Vec<u8>, png::EncodingError> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, picture.width, picture.height);
    encoder.set_color(match picture.channels {
        Channels::Rgba => png::ColorType::Rgba,
        _ => png::ColorType::Rgb,
    });
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_source_srgb(png::SrgbRenderingIntent::Perceptual);
    encoder.set_compression(png::Compression::Balanced);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&picture.bytes)?;
    writer.finish()?;
    Ok(bytes)
}

fn webp(picture: &Pixels) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let colour = match picture.channels {
        Channels::Rgba => image_webp::ColorType::Rgba8,
        _ => image_webp::ColorType::Rgb8,
    };
    WebPEncoder::new(&mut bytes)
        .encode(&picture.bytes, picture.width, picture.height, colour)
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}
