//! PDQ, the perceptual hash: 256 bits and a quality of the upright picture.
//!
//! As in the reference (two passes of Jarosz's box filter, every 64th of each side, the 16 × 16
//! lowest waves of a cosine transform against their median), but for pictures that come row by row:
//! what two passes of a box do at the 64 × 64 places that are looked at is one weighted mean of each
//! place's surroundings, so every pixel is read once and no filtered picture is made.
//!
//! A side of more than 1 024 pixels is averaged first, in cells of as many whole pixels as it takes.
//! The weights are those of the full picture all the same.

use std::{ops::Range, sync::LazyLock};

use ::image::metadata::Orientation;

use super::scores::scores;
use crate::model::{Decoded, Pdq, PictureHash, Scores, TurnedHash};

/// Most bytes that hashing takes: the cells, what is made of them and a row of the longest.
pub(super) const MEMORY: u64 = 3 << 20;

/// Places of a side that are looked at.
const PLACES: usize = 64;
/// Waves of each direction that make the hash, without the constant one.
const WAVES: usize = 16;
/// Most cells of a side.
const MOST_CELLS: usize = 1024;
/// Sides of fewer pixels have no hash, as in the reference.
const SMALLEST_SIDE: usize = 5;
/// Cells of a row, and rows, that are multiplied with their weights at a time.
const COLUMNS: usize = 16;
const ROWS: usize = 4;
/// What the weights of rows add up to: times 255, that is what 16 bits hold.
const ROW_WEIGHT: u32 = 256;
/// What the weights of columns add up to: times the sum of a column, that is what 32 bits hold.
const COLUMN_WEIGHT: u32 = 65_535;

/// Grey levels by which the cells of a border may stray from its own mean, on average: beside a picture, lossy
/// formats make some noise.
const BORDER_NOISE: f32 = 6.0;
/// Borders that make less of both sides change the hash too little to be trimmed.
const LEAST_BORDER: usize = 64;
/// Of a picture that has less than this part of a side left within its borders, they are no borders.
const LEAST_INNER: usize = 4;

/// Takes a picture row by row from the top, 8 bits a channel.
pub struct Rows {
    orientation: Orientation,
    channels: usize,
    across: Side,
    down: Side,
    /// The row that is being written.
    row: Vec<u8>,
    has_row: bool,
    /// Brightness of the row, where its bytes are not that.
    grey: Vec<u8>,
    /// Of a row of cells that is not complete: the sums of its pixels' columns.
    sums: Vec<u16>,
    /// Rows so far.
    rows: usize,
    /// Mean brightness of each cell, row by row.
    cells: Vec<u8>,
}

/// What rows come to.
#[derive(Clone, Copy, Debug)]
pub struct Looks {
    /// By which pictures that look alike are found.
    pub hash: PictureHash,
    /// Without what is read in the file.
    pub scores: Scores,
}

impl Looks {
    /// Of the first of so many frames.
    pub(super) const fn of_frames(self, frames: u32) -> Decoded {
        let Self { hash, scores } = self;
        Decoded { hash, scores, frames }
    }
}

/// A side of the picture.
#[derive(Clone, Copy)]
pub(super) struct Side {
    pub(super) pixels: usize,
    /// Pixels of a cell; the last one may have fewer.
    pub(super) cell: usize,
}

impl Side {
    const fn new(pixels: u32) -> Self {
        let pixels = pixels as usize;
        Self { pixels, cell: pixels.div_ceil(MOST_CELLS) }
    }

    pub(super) const fn cells(self) -> usize {
        self.pixels.div_ceil(self.cell)
    }
}

impl Rows {
    /// `channels`: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
    ///
    /// # Errors
    /// When there is no such number of channels, or no pixel.
    pub fn new(width: u32, height: u32, channels: usize, orientation: Orientation) -> Result<Self, String> {
        if !matches!(channels, 1..=4) || width == 0 || height == 0 {
            return Err(format!("{width}×{height} pixels of {channels} channels"));
        }
        let (across, down) = (Side::new(width), Side::new(height));
        Ok(Self {
            orientation,
            channels,
            across,
            down,
            row: vec![0; across.pixels * channels],
            has_row: false,
            grey: vec![0; if channels == 1 { 0 } else { across.pixels }],
            sums: vec![0; across.pixels],
            rows: 0,
            cells: Vec::new(),
        })
    }

    /// Where the next row is to be written, all of it.
    pub(super) fn next(&mut self) -> &mut [u8] {
        self.take_row();
        self.has_row = true;
        &mut self.row
    }

    /// Takes all rows of a picture at once.
    ///
    /// # Errors
    /// When there are not as many as the picture has.
    pub fn all(mut self, pixels: Vec<u8>) -> Result<Looks, String> {
        let is_of_cells = self.channels == 1 && self.across.cell == 1 && self.down.cell == 1;
        if is_of_cells && pixels.len() == self.across.pixels * self.down.pixels {
            self.rows = self.down.pixels;
            self.cells = pixels;
        } else {
            pixels.chunks_exact(self.row.len()).for_each(|row| self.add(row));
        }
        self.looks()
    }

    /// Hash and scores, when every row was written.
    ///
    /// # Errors
    /// When there are not as many rows as the picture has.
    pub(super) fn looks(mut self) -> Result<Looks, String> {
        self.take_row();
        let Self { orientation, across, down, rows, cells, .. } = self;
        if rows != down.pixels {
            return Err(format!("{rows} rows of {}", down.pixels));
        }
        let scores = scores(&cells, across, down);
        let picture = Cells { orientation, across, down, cells };
        let whole = (0..across.pixels, 0..down.pixels);
        let (waves, quality) = picture.hash(whole);
        let trimmed = picture.inner().map(|inner| picture.hash(inner));
        let trimmed = trimmed.filter(|(_, quality)| *quality >= Pdq::LEAST_QUALITY).map(|(waves, _)| waves);
        let is_telling = quality >= Pdq::LEAST_QUALITY || trimmed.is_some();
        let turned = is_telling
            .then(|| TurnedHash { pdq: waves.turned(), trimmed: trimmed.as_ref().map(Waves::turned) });
        let hash =
            PictureHash { pdq: waves.hash(), quality, trimmed: trimmed.as_ref().map(Waves::hash), turned };
        Ok(Looks { hash, scores })
    }

    fn take_row(&mut self) {
        if std::mem::take(&mut self.has_row) {
            let row = std::mem::take(&mut self.row);
            self.add(&row);
            self.row = row;
        }
    }

    fn add(&mut self, row: &[u8]) {
        let grey = match self.channels {
            1 => row,
            2 => to_grey::<2>(row, &mut self.grey),
            3 => to_grey::<3>(row, &mut self.grey),
            _ => to_grey::<4>(row, &mut self.grey),
        };
        if self.rows == 0 {
            self.cells.reserve_exact(self.across.cells() * self.down.cells());
        }
        self.rows += 1;
        if self.across.cell == 1 && self.down.cell == 1 {
            self.cells.extend(grey);
            return;
        }
        // 64 rows of 255 are the most that there can be of the longest side.
        self.sums.iter_mut().zip(grey).for_each(|(sum, grey)| *sum += u16::from(*grey));
        let of_cell = (self.rows - 1) % self.down.cell + 1;
        if of_cell == self.down.cell || self.rows == self.down.pixels {
            match self.across.cell {
                1 => self.average::<1>(of_cell),
                2 => self.average::<2>(of_cell),
                3 => self.average::<3>(of_cell),
                4 => self.average::<4>(of_cell),
                cell => average(self.sums.chunks_exact(cell), cell * of_cell, &mut self.cells),
            }
            let rest = self.sums.chunks_exact(self.across.cell).remainder();
            if !rest.is_empty() {
                average(std::iter::once(rest), rest.len() * of_cell, &mut self.cells);
            }
            self.sums.fill(0);
        }
    }

    /// Averages cells of `N` columns: of a known number, several are done at a time.
    fn average<const N: usize>(&mut self, rows: usize) {
        let (cells, _) = self.sums.as_chunks::<N>();
        average(cells.iter(), N * rows, &mut self.cells);
    }
}

/// Averages cells of `pixels`, which come as sums of columns.
#[inline]
fn average<'a, C: AsRef<[u16]> + ?Sized + 'a>(
    cells: impl Iterator<Item = &'a C>,
    pixels: usize,
    to: &mut Vec<u8>,
) {
    // In parts of 2²⁴: 255 of them are what 32 bits hold.
    let share = (1 << 24) / u32::try_from(pixels).unwrap_or(u32::MAX);
    let mean = |cell: &C| {
        let sum: u32 = cell.as_ref().iter().map(|sum| u32::from(*sum)).sum();
        ((sum * share + (1 << 23)) >> 24) as u8
    };
    to.extend(cells.map(mean));
}

/// Brightness of a row of pixels of `N` channels.
fn to_grey<'a, const N: usize>(row: &[u8], to: &'a mut [u8]) -> &'a [u8] {
    let (pixels, _) = row.as_chunks::<N>();
    if N == 3 {
        to.iter_mut().zip(pixels).for_each(|(to, pixel)| *to = luma(pixel[0], pixel[1], pixel[2]));
        return to;
    }
    to.iter_mut().zip(pixels).for_each(|(to, pixel)| *to = grey(pixel));
    to
}

/// As in JPEG (BT.601), in parts of 256. Of 16 bits, so that several pixels are done at a time.
const fn luma(r: u8, g: u8, b: u8) -> u8 {
    let sum = r as u16 * 77 + g as u16 * 150 + b as u16 * 29;
    ((sum + 128) >> 8) as u8
}

/// Brightness of a pixel, on white.
pub(super) fn grey(pixel: &[u8]) -> u8 {
    let (grey, alpha) = match *pixel {
        [grey] => (grey, 255),
        [grey, alpha] => (grey, alpha),
        [r, g, b] => (luma(r, g, b), 255),
        [r, g, b, alpha] => (luma(r, g, b), alpha),
        _ => (255, 255),
    };
    let on_white = u32::from(grey) * u32::from(alpha) + 255 * u32::from(255 - alpha);
    ((on_white + 127) / 255) as u8
}

/// A picture in cells.
struct Cells {
    orientation: Orientation,
    across: Side,
    down: Side,
    /// Row by row.
    cells: Vec<u8>,
}

impl Cells {
    /// Waves and quality of a part of the picture, in pixels across and down.
    fn hash(&self, (across, down): (Range<usize>, Range<usize>)) -> (Waves, u8) {
        if across.len() < SMALLEST_SIDE || down.len() < SMALLEST_SIDE {
            return (Waves([0.0; WAVES * WAVES]), 0);
        }
        let turn = Turn::of(self.orientation);
        let columns = weights::<COLUMNS>(self.across, across, turn.mirrored, COLUMN_WEIGHT);
        let rows = weights::<ROWS>(self.down, down, turn.upside_down, ROW_WEIGHT);
        let mut looked_at = [[0.0; PLACES]; PLACES];
        let mut sums = vec![0; self.across.cells() + COLUMNS];
        for (row, values) in rows.iter().zip(&mut looked_at) {
            self.add_up(row, &mut sums);
            for (column, value) in columns.iter().zip(values) {
                *value = column.mean(&sums);
            }
        }
        if turn.on_its_side {
            looked_at = std::array::from_fn(|y| std::array::from_fn(|x| looked_at[x][y]));
        }
        (Waves::of(&looked_at), quality(&looked_at))
    }

    /// Of each column, the weighted sum of the rows of a place. What `sums` has beyond the columns is left alone.
    fn add_up(&self, place: &Weights<ROWS>, sums: &mut [u16]) {
        let (width, last) = (self.across.cells(), self.down.cells() - 1);
        let sums = &mut sums[..width];
        sums.fill(0);
        for (first, weights) in (place.first..).step_by(ROWS).zip(&place.weights) {
            // What a block has beyond the last row has no weight.
            let row = |at: usize| &self.cells[(first + at).min(last) * width..][..width];
            let ([one, two, three, four], [a, b, c, d]) = ([row(0), row(1), row(2), row(3)], *weights);
            let rows = one.iter().zip(two).zip(three.iter().zip(four));
            for (sum, ((one, two), (three, four))) in sums.iter_mut().zip(rows) {
                let [one, two, three, four] = [one, two, three, four].map(|cell| u16::from(*cell));
                *sum += a * one + b * two + c * three + d * four;
            }
        }
    }

    /// What is within uniform borders, where there are any that matter.
    fn inner(&self) -> Option<(Range<usize>, Range<usize>)> {
        let (width, height) = (self.across.cells(), self.down.cells());
        let row = |y: usize| self.cells[y * width..][..width].iter().copied();
        let top = border((0..height).map(row));
        let bottom = border((top..height).rev().map(row));
        let within = top..height - bottom;
        let column = |x: usize| self.cells[..width * height][x..].iter().step_by(width).copied();
        let column = |x: usize| column(x).skip(within.start).take(within.len());
        let left = border((0..width).map(column));
        let right = border((left..width).rev().map(column));
        let part = |side: Side, before: usize, after: usize| {
            let end = ((side.cells() - after) * side.cell).min(side.pixels);
            let inner = before * side.cell..end;
            let is_border = (side.pixels - inner.len()) * LEAST_BORDER >= side.pixels;
            (inner.len() * LEAST_INNER >= side.pixels).then_some((inner, is_border))
        };
        let (across, is_border_across) = part(self.across, left, right)?;
        let (down, is_border_down) = part(self.down, top, bottom)?;
        (is_border_across || is_border_down).then_some((across, down))
    }
}

/// How many of these rows (or columns), the outermost first, have the brightness of the first one.
fn border<R: Iterator<Item = u8> + Clone>(mut rows: impl Iterator<Item = R> + Clone) -> usize {
    let Some(first) = rows.clone().next() else { return 0 };
    let (sum, count) = first.fold((0.0, 0.0), |(sum, count), cell| (sum + f32::from(cell), count + 1.0));
    let is_border = |row: R| {
        let mut rest = BORDER_NOISE * count;
        row.into_iter().all(|cell| {
            rest -= (f32::from(cell) - sum / count).abs();
            rest >= 0.0
        })
    };
    let mut border = 0;
    while rows.next().is_some_and(is_border) {
        border += 1;
    }
    border
}

/// How a stored picture is turned to be upright: mirrored in its own columns and rows, then on its side.
#[derive(Clone, Copy)]
struct Turn {
    mirrored: bool,
    upside_down: bool,
    on_its_side: bool,
}

impl Turn {
    const fn of(orientation: Orientation) -> Self {
        let (mirrored, upside_down, on_its_side) = match orientation {
            Orientation::NoTransforms => (false, false, false),
            Orientation::FlipHorizontal => (true, false, false),
            Orientation::FlipVertical => (false, true, false),
            Orientation::Rotate180 => (true, true, false),
            Orientation::Rotate90FlipH => (false, false, true),
            Orientation::Rotate90 => (false, true, true),
            Orientation::Rotate270 => (true, false, true),
            Orientation::Rotate270FlipH => (true, true, true),
        };
        Self { mirrored, upside_down, on_its_side }
    }
}

/// What the cells of a side weigh at one place.
struct Weights<const N: usize> {
    /// The first cell.
    first: usize,
    /// Of the cells from there on; the last ones of the last block may weigh nothing.
    weights: Vec<[u16; N]>,
}

impl Weights<COLUMNS> {
    /// The weighted mean of columns whose rows are added up.
    fn mean(&self, sums: &[u16]) -> f32 {
        let (sums, _) = sums[self.first..].as_chunks::<COLUMNS>();
        let mut mean = 0;
        for (sums, weights) in sums.iter().zip(&self.weights) {
            mean += sums
                .iter()
                .zip(weights)
                .map(|(sum, weight)| u32::from(*sum) * u32::from(*weight))
                .sum::<u32>();
        }
        (f64::from(mean) / f64::from(ROW_WEIGHT * COLUMN_WEIGHT)) as f32
    }
}

/// The weights at each place of a part of a side, which are those of two passes of a box over its pixels. They add up
/// to `total`.
fn weights<const N: usize>(side: Side, part: Range<usize>, mirrored: bool, total: u32) -> Vec<Weights<N>> {
    let length = part.len();
    let window = length.div_ceil(2 * PLACES);
    // The window of a pixel, as far as there are pixels. One of an even number reaches farther behind it.
    let window = |at: usize| {
        let after = (window + 2) / 2;
        at.saturating_sub(window - after)..(at + after).min(length)
    };
    let place = |place: usize| {
        let at = (2 * place + 1) * length / (2 * PLACES);
        let second = window(at);
        let begin = window(second.start).start;
        let end = window(second.end - 1).end;
        // By how much each pixel weighs more than the one before it.
        let mut rises = vec![0.0; end - begin + 1];
        for first in second.clone().map(window) {
            let share = 1.0 / (second.len() * first.len()) as f64;
            rises[first.start - begin] += share;
            rises[first.end - begin] -= share;
        }
        let cell = |at: usize| (part.start + if mirrored { length - 1 - at } else { at }) / side.cell;
        let (one, other) = (cell(begin), cell(end - 1));
        let (first, last) = (one.min(other), one.max(other));
        let mut cells = vec![0.0; last - first + 1];
        let mut weight = 0.0;
        for (at, rise) in (begin..end).zip(rises) {
            weight += rise;
            cells[cell(at) - first] += weight;
        }
        Weights::new(first, &cells, total)
    };
    (0..PLACES).map(place).collect()
}

impl<const N: usize> Weights<N> {
    /// Of shares of one, in whole numbers. What is lost of a share is given to the next, so that they add up to `total`.
    fn new(first: usize, shares: &[f64], total: u32) -> Self {
        let (mut sum, mut given) = (0.0, 0);
        let weight = |share: &f64| {
            sum += share;
            let all = ((sum * f64::from(total)).round() as u32).min(total);
            (all - std::mem::replace(&mut given, all)) as u16
        };
        let mut weights: Vec<u16> = shares.iter().map(weight).collect();
        weights.resize(weights.len().next_multiple_of(N), 0);
        Self { first, weights: weights.as_chunks().0.to_vec() }
    }
}

/// Strengths of the lowest waves of a picture: those down it, and of each of these those across it.
struct Waves([f32; WAVES * WAVES]);

impl Waves {
    fn of(picture: &[[f32; PLACES]; PLACES]) -> Self {
        static WAVE: LazyLock<[[f32; PLACES]; WAVES]> = LazyLock::new(|| {
            std::array::from_fn(|wave| {
                std::array::from_fn(|at| {
                    let angle =
                        std::f64::consts::PI / (2 * PLACES) as f64 * ((wave + 1) * (2 * at + 1)) as f64;
                    angle.cos() as f32
                })
            })
        });
        let mut half = [[0.0; PLACES]; WAVES];
        for (wave, half) in WAVE.iter().zip(&mut half) {
            for (weight, row) in wave.iter().zip(picture) {
                half.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
            }
        }
        let mut waves = [0.0; WAVES * WAVES];
        let (rows, _) = waves.as_chunks_mut::<WAVES>();
        for (row, half) in rows.iter_mut().zip(&half) {
            for (strength, wave) in row.iter_mut().zip(WAVE.iter()) {
                *strength = wave.iter().zip(half).map(|(weight, value)| weight * value).sum();
            }
        }
        Self(waves)
    }

    /// Which of them are stronger than half of all.
    fn hash(&self) -> Pdq {
        let mut sorted = self.0;
        let (_, median, _) = sorted.select_nth_unstable_by(self.0.len() / 2 - 1, f32::total_cmp);
        let mut bytes = [0; 32];
        for (bit, _) in self.0.iter().enumerate().filter(|(_, strength)| **strength > *median) {
            bytes[31 - bit / 8] |= 1 << (bit % 8);
        }
        Pdq(bytes)
    }

    /// The hashes of the picture mirrored, upside down and on its side, in all ways but none of the three.
    fn turned(&self) -> [Pdq; 7] {
        std::array::from_fn(|way| {
            let [mirrored, upside_down, on_its_side] = [1, 2, 4].map(|what| (way + 1) & what != 0);
            let turned = std::array::from_fn(|bit| {
                let (row, column) = (bit / WAVES, bit % WAVES);
                let (down, across) = if on_its_side { (column, row) } else { (row, column) };
                // A wave that has its highest point on one side and its lowest on the other, as every second one
                // from the first on, is its own opposite in a mirror.
                let is_opposite = (mirrored && across % 2 == 0) != (upside_down && down % 2 == 0);
                let strength = self.0[down * WAVES + across];
                if is_opposite { -strength } else { strength }
            });
            Self(turned).hash()
        })
    }
}

/// How much there is to see, 0 to 100: steps between neighbours, those of less than a hundredth not counted.
fn quality(picture: &[[f32; PLACES]; PLACES]) -> u8 {
    let step = |a: f32, b: f32| (((a - b) * 100.0 / 255.0) as i32).abs();
    let down = picture.windows(2).flat_map(|rows| rows[0].iter().zip(&rows[1]));
    let across = picture.iter().flat_map(|row| row.iter().zip(&row[1..]));
    let steps: i32 = down.chain(across).map(|(a, b)| step(*a, *b)).sum();
    u8::try_from((steps / 90).min(100)).unwrap_or(100)
}
