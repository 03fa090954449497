//! One picture that shows many: a grid of thumbnails.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder as _, ImageReader, Limits, Rgba, RgbaImage, imageops};

/// The paper that the pictures lie on.
const PAPER: Rgba<u8> = Rgba([238, 238, 236, 255]);
/// Between pictures and around them, in pixels.
const MARGIN: u32 = 8;

/// Thumbnails of `pictures` (whole files) in rows of `columns`, each upright and within a
/// square of `cell` pixels with its proportions kept. What cannot be decoded leaves its
/// place empty, and what is transparent shows the paper.
#[must_use]
pub(in crate::cli) fn contact_sheet(pictures: &[Vec<u8>], columns: u32, cell: u32) -> RgbaImage {
    let columns = columns.clamp(1, u32::try_from(pictures.len()).unwrap_or(u32::MAX).max(1));
    let rows = u32::try_from(pictures.len()).unwrap_or(u32::MAX).div_ceil(columns);
    let step = cell + MARGIN;
    let mut sheet = RgbaImage::from_pixel(columns * step + MARGIN, rows * step + MARGIN, PAPER);
    for (place, picture) in (0..).zip(pictures) {
        let Ok(thumbnail) = thumbnail(picture, cell) else { continue };
        let left = MARGIN + place % columns * step + (cell - thumbnail.width()) / 2;
        let top = MARGIN + place / columns * step + (cell - thumbnail.height()) / 2;
        imageops::overlay(&mut sheet, &thumbnail.to_rgba8(), left.into(), top.into());
    }
    sheet
}

fn thumbnail(bytes: &[u8], cell: u32) -> image::ImageResult<DynamicImage> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    reader.limits(Limits::default());
    let mut decoder = reader.into_decoder()?;
    let orientation = decoder.orientation()?;
    let mut thumbnail = DynamicImage::from_decoder(decoder)?.thumbnail(cell, cell);
    thumbnail.apply_orientation(orientation);
    Ok(thumbnail)
}

#[cfg(test)]
mod tests {
    use image::{ExtendedColorType, ImageEncoder as _, codecs::png::PngEncoder};

    use super::*;

    /// Red in the upper half, see-through in the lower; stored as it is, turned by EXIF.
    fn flag(orientation: u8) -> Vec<u8> {
        let flag = RgbaImage::from_fn(40, 20, |_, y| Rgba(if y < 10 { [255, 0, 0, 255] } else { [0; 4] }));
        let mut bytes = Vec::new();
        let mut encoder = PngEncoder::new(&mut bytes);
        let mut exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\0\0\0\0\0\0\0".to_vec();
        exif[19] = orientation;
        encoder.set_exif_metadata(exif).unwrap();
        encoder.write_image(&flag, 40, 20, ExtendedColorType::Rgba8).unwrap();
        bytes
    }

    #[test]
    fn each_picture_lies_upright_in_its_place() {
        let sheet = contact_sheet(&[flag(1), b"no picture".to_vec(), flag(6)], 2, 20);
        let step = 20 + MARGIN;
        assert_eq!(sheet.dimensions(), (2 * step + MARGIN, 2 * step + MARGIN));
        let at = |column: u32, row: u32, x: u32, y: u32| {
            *sheet.get_pixel(MARGIN + column * step + x, MARGIN + row * step + y)
        };
        let red = Rgba([255, 0, 0, 255]);
        // 20 × 10 in the middle of the first place, see-through below.
        assert_eq!(
            [at(0, 0, 1, 4), at(0, 0, 1, 6), at(0, 0, 18, 8), at(0, 0, 1, 12)],
            [PAPER, red, red, PAPER]
        );
        assert_eq!(at(1, 0, 10, 10), PAPER);
        // Turned clockwise: what was up is at the right.
        assert_eq!([at(0, 1, 7, 1), at(0, 1, 12, 1), at(0, 1, 12, 18)], [PAPER, red, red]);
        assert_eq!(contact_sheet(&[], 3, 20).dimensions(), (step + MARGIN, MARGIN));
    }
}
