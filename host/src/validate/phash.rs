//! The perceptual hash: a 64-bit difference hash of the upright picture.
//!
//! The picture is averaged down to 9 × 8 grey values; each bit says whether a value is
//! brighter than its left neighbour, row by row, the first in the highest bit. Pictures
//! that look alike differ in few bits.

use ::image::{DynamicImage, GrayImage, metadata::Orientation};
use fast_image_resize::{
    FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};

/// Decoded pixels, 8 bits a channel, rows without padding.
pub(super) struct Raster<'a> {
    /// `width × height × channels` bytes.
    pub(super) pixels: &'a [u8],
    /// 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
    pub(super) channels: usize,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// The hash of the picture turned by `orientation`.
///
/// # Errors
/// When the pixels do not match the size.
pub(super) fn difference_hash(raster: &Raster<'_>, orientation: Orientation) -> Result<u64, String> {
    // A picture that lies on its side is averaged to the grid lying on its side, so that
    // only 72 values have to be turned.
    let lying = matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    let (columns, rows) = if lying { (8, 9) } else { (9, 8) };
    let mut grid = DynamicImage::ImageLuma8(averages(raster, columns, rows)?);
    grid.apply_orientation(orientation);
    let grid = grid.into_luma8();
    let mut hash = 0;
    for row in grid.rows() {
        let row: Vec<u8> = row.map(|pixel| pixel.0[0]).collect();
        for pair in row.windows(2) {
            hash = hash << 1 | u64::from(pair[1] > pair[0]);
        }
    }
    Ok(hash)
}

/// Weighted means of grey for a grid of parts; what is transparent counts as white.
fn averages(raster: &Raster<'_>, columns: u32, rows: u32) -> Result<GrayImage, String> {
    let kind = match raster.channels {
        1 => PixelType::U8,
        2 => PixelType::U8x2,
        3 => PixelType::U8x3,
        4 => PixelType::U8x4,
        channels => return Err(format!("{channels} channels")),
    };
    let source =
        ImageRef::new(raster.width, raster.height, raster.pixels, kind).map_err(|error| error.to_string())?;
    let mut grid = Image::new(columns, rows, kind);
    // Unlike a box, the triangle treats both directions alike where a part ends within a
    // pixel: a turned picture has the same averages.
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
    Resizer::new().resize(&source, &mut grid, &options).map_err(|error| error.to_string())?;
    let grey: Vec<u8> = grid.buffer().chunks_exact(raster.channels).map(grey).collect();
    GrayImage::from_raw(columns, rows, grey).ok_or_else(|| "no grid".to_owned())
}

/// Luma as in JPEG (BT.601), on white.
pub(super) fn grey(pixel: &[u8]) -> u8 {
    let luma = |r: u8, g: u8, b: u8| (u32::from(r) * 299 + u32::from(g) * 587 + u32::from(b) * 114) / 1000;
    let (luma, alpha) = match *pixel {
        [grey] => return grey,
        [grey, alpha] => (u32::from(grey), u32::from(alpha)),
        [r, g, b] => (luma(r, g, b), 255),
        [r, g, b, alpha] => (luma(r, g, b), u32::from(alpha)),
        _ => (255, 255),
    };
    let on_white = (luma * alpha + 255 * (255 - alpha)) / 255;
    u8::try_from(on_white).unwrap_or(u8::MAX)
}
