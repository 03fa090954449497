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

/// Bytes of pixels that are averaged at a time.
const STRIP: usize = 1 << 20;
/// Most bytes that hashing takes: a strip, once more for its transparency, and tables for
/// the longest sides.
pub(super) const MEMORY: u64 = 8 << 20;

/// The hash of a picture that comes row by row from the top, 8 bits a channel. Takes the
/// memory of a few rows, whatever the picture's size.
pub(super) struct Rows {
    kind: PixelType,
    width: u32,
    height: u32,
    orientation: Orientation,
    /// Rows that are not averaged yet.
    strip: Vec<u8>,
    /// Bytes of a row.
    line: usize,
    /// Grey of each row so far, averaged to the columns of the grid.
    columns: Vec<u8>,
    resizer: Resizer,
}

impl Rows {
    /// `channels`: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
    ///
    /// # Errors
    /// When there is no such number of channels.
    pub(super) fn new(
        width: u32,
        height: u32,
        channels: usize,
        orientation: Orientation,
    ) -> Result<Self, String> {
        let kind = match channels {
            1 => PixelType::U8,
            2 => PixelType::U8x2,
            3 => PixelType::U8x3,
            4 => PixelType::U8x4,
            channels => return Err(format!("{channels} channels")),
        };
        let line = width as usize * channels;
        let (strip, columns) = (Vec::with_capacity(STRIP.max(line)), Vec::new());
        Ok(Self { kind, width, height, orientation, strip, line, columns, resizer: Resizer::new() })
    }

    /// Where the next row is to be written, all zeros until then.
    ///
    /// # Errors
    /// When the rows before it cannot be averaged.
    pub(super) fn next(&mut self) -> Result<&mut [u8], String> {
        if !self.strip.is_empty() && self.strip.len() + self.line > STRIP {
            let strip = std::mem::take(&mut self.strip);
            self.average(&strip)?;
            self.strip = strip;
            self.strip.clear();
        }
        let start = self.strip.len();
        self.strip.resize(start + self.line, 0);
        Ok(&mut self.strip[start..])
    }

    /// Takes all rows of a picture at once.
    ///
    /// # Errors
    /// When they cannot be averaged.
    pub(super) fn all(mut self, pixels: &[u8]) -> Result<u64, String> {
        let strip = (STRIP / self.line.max(1)).max(1) * self.line;
        pixels.chunks(strip.max(1)).try_for_each(|strip| self.average(strip))?;
        self.hash()
    }

    /// The hash, when every row was written.
    ///
    /// # Errors
    /// When there are not as many rows as the picture has.
    pub(super) fn hash(mut self) -> Result<u64, String> {
        let rest = std::mem::take(&mut self.strip);
        self.average(&rest)?;
        let (columns, rows) = self.grid();
        let lines = std::mem::take(&mut self.columns);
        let averages = self.resize(&lines, PixelType::U8, (columns, self.height), (columns, rows))?;
        let grid = GrayImage::from_raw(columns, rows, averages).ok_or("no grid")?;
        let mut grid = DynamicImage::ImageLuma8(grid);
        grid.apply_orientation(self.orientation);
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

    /// Columns and rows of the grid. A picture that lies on its side is averaged to the grid
    /// lying on its side, so that only 72 values have to be turned.
    const fn grid(&self) -> (u32, u32) {
        match self.orientation {
            Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH => (8, 9),
            _ => (9, 8),
        }
    }

    /// Averages whole rows to the columns of the grid; what is transparent counts as white.
    fn average(&mut self, rows: &[u8]) -> Result<(), String> {
        let count = u32::try_from(rows.len() / self.line.max(1)).map_err(|error| error.to_string())?;
        if count == 0 {
            return Ok(());
        }
        let (columns, _) = self.grid();
        let averages = self.resize(rows, self.kind, (self.width, count), (columns, count))?;
        self.columns.extend(averages.chunks_exact(self.line / self.width as usize).map(grey));
        Ok(())
    }

    fn resize(
        &mut self,
        pixels: &[u8],
        kind: PixelType,
        from: (u32, u32),
        to: (u32, u32),
    ) -> Result<Vec<u8>, String> {
        let source = ImageRef::new(from.0, from.1, pixels, kind).map_err(|error| error.to_string())?;
        let mut averages = Image::new(to.0, to.1, kind);
        // Unlike a box, the triangle treats both directions alike where a part ends within a
        // pixel: a turned picture has the same averages.
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Bilinear));
        self.resizer.resize(&source, &mut averages, &options).map_err(|error| error.to_string())?;
        Ok(averages.into_vec())
    }
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
