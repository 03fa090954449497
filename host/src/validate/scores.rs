//! How bright, how even and how sharp a picture is, by numbers that hardly depend on how many pixels it has:
//! it is looked at as if its longer side had 256 of them, at evenly spaced bands of rows, which costs a tenth of
//! what the hash does.

use super::pdq::Side;
use crate::model::Scores;

/// Places of the longer side.
const PLACES: usize = 256;
/// Bands of rows that are looked at, each as high as it takes to see what is above and below a place.
const BANDS: usize = 6;
/// Parts of a band whose sharpness is told apart: a sharp subject before a soft background is sharp.
const PARTS: usize = 8;
/// Of all parts of all bands, one in so many is looked at, the sharpest.
const SHARPEST: usize = 4;
/// What the weights of the rows of a place add up to: times 255, that is what 16 bits hold.
const WEIGHT: usize = 256;
/// Steps of a place's brightness from one of a pixel to the next.
const STEPS: i16 = 16;

/// Scores of a picture in cells, row by row from the top. How it is turned makes no difference but by chance.
pub(super) fn scores(cells: &[u8], across: Side, down: Side) -> Scores {
    let place = (across.pixels.max(down.pixels) as f64 / PLACES as f64).max(1.0);
    let places = |side: Side| ((side.pixels as f64 / place) as usize).max(1);
    let (columns, rows) = (places(across), places(down));
    let mut grid = Grid::new(cells, across.cells(), columns, place / across.cell as f64);
    let height = place / down.cell as f64;
    let mut tones = Tones::default();
    let mut energies = Vec::with_capacity(BANDS * PARTS);
    let mut band: [Vec<i16>; 3] = std::array::from_fn(|_| vec![0; columns]);
    let inner = rows.saturating_sub(2);
    let bands = inner.clamp(1, BANDS);
    for number in 0..bands {
        let first = (2 * number + 1) * inner / (2 * bands);
        let seen = &mut band[..rows.min(3)];
        for (row, places) in (first..).zip(&mut *seen) {
            grid.look(row as f64 * height, height, places);
            tones.add(places);
        }
        if let [above, middle, below] = seen {
            add_energies(above, middle, below, &mut energies);
        }
    }
    let (brightness, contrast) = tones.scores();
    Scores {
        brightness: Some(brightness),
        contrast: Some(contrast),
        sharpness: Some(sharpness(energies)),
        jpeg_quality: None,
    }
}

/// A picture in cells, to be seen in places.
struct Grid<'a> {
    cells: &'a [u8],
    width: usize,
    /// Where each place ends: the cell, and 256ths of it.
    ends: Vec<(usize, u32)>,
    /// What makes a mean of the sum of a place.
    scale: f32,
    /// Of each column, the weighted sum of the rows of a place.
    sums: Vec<u16>,
    /// Of all columns before each.
    before: Vec<u32>,
}

impl<'a> Grid<'a> {
    /// `across`: cells of a place.
    fn new(cells: &'a [u8], width: usize, columns: usize, across: f64) -> Self {
        let end = |column: usize| {
            let at = ((column + 1) as f64 * across * 256.0).round() as usize;
            // The last cell may have fewer pixels than others.
            let at = at.min(width * 256 - 1);
            (at / 256, (at % 256) as u32)
        };
        Self {
            cells,
            width,
            ends: (0..columns).map(end).collect(),
            scale: (f64::from(STEPS) / (across * WEIGHT as f64)) as f32,
            sums: vec![0; width],
            before: vec![0; width],
        }
    }

    /// Mean brightness, in [`STEPS`], of the places of a row of them, in cells from the top.
    fn look(&mut self, top: f64, height: f64, places: &mut [i16]) {
        let Self { cells, width, ends, scale, sums, before } = self;
        let weight_to = |at: f64| (at.min(height) / height * WEIGHT as f64).round() as u16;
        sums.fill(0);
        let last = cells.len() / *width - 1;
        let mut done = 0;
        for at in top as usize..(top + height).ceil() as usize {
            let weight = weight_to((at + 1) as f64 - top);
            let share = weight - std::mem::replace(&mut done, weight);
            let cells = &cells[at.min(last) * *width..][..*width];
            sums.iter_mut().zip(cells).for_each(|(sum, cell)| *sum += share * u16::from(*cell));
        }
        let mut all = 0;
        for (sum, before) in sums.iter().zip(&mut *before) {
            *before = all;
            all += u32::from(*sum);
        }
        let mut done = 0;
        for (place, (cell, part)) in places.iter_mut().zip(ends) {
            let sum = before[*cell] + ((u32::from(sums[*cell]) * *part) >> 8);
            *place = ((sum - std::mem::replace(&mut done, sum)) as f32 * *scale) as i16;
        }
    }
}

/// How places differ from the four around them, in quarters of a pixel's step: of each part of a band, the mean
/// square.
fn add_energies(above: &[i16], middle: &[i16], below: &[i16], energies: &mut Vec<f32>) {
    let inner = middle.len().saturating_sub(2);
    let parts = inner.min(PARTS);
    for part in 0..parts {
        let (begin, end) = (part * inner / parts, (part + 1) * inner / parts);
        let (left, own, right) = (&middle[begin..end], &middle[begin + 1..=end], &middle[begin + 2..end + 2]);
        let (above, below) = (&above[begin + 1..=end], &below[begin + 1..=end]);
        let sides = left.iter().zip(right).zip(above.iter().zip(below));
        let squares = own.iter().zip(sides).map(|(own, ((left, right), (above, below)))| {
            let differs = (4 * own - left - right - above - below) >> 2;
            i32::from(differs) * i32::from(differs)
        });
        let unit = f32::from(STEPS / 4);
        energies.push(squares.sum::<i32>() as f32 / ((end - begin) as f32 * unit * unit));
    }
}

/// Tenfold energy is 20 more.
fn sharpness(mut energies: Vec<f32>) -> i16 {
    energies.sort_unstable_by(|one, other| other.total_cmp(one));
    energies.truncate(energies.len().div_ceil(SHARPEST));
    let mean = energies.iter().sum::<f32>() / energies.len().max(1) as f32;
    (20.0 * (1.0 + mean).log10()).round().min(100.0) as i16
}

/// Brightness of places.
#[derive(Default)]
struct Tones {
    count: usize,
    sum: u64,
    squares: u64,
}

impl Tones {
    /// At most 256 places: of more, the sum of the squares might not fit 32 bits.
    fn add(&mut self, places: &[i16]) {
        let number = |place: &i16| u32::from(place.unsigned_abs());
        self.count += places.len();
        self.sum += u64::from(places.iter().map(number).sum::<u32>());
        self.squares += u64::from(places.iter().map(|place| number(place) * number(place)).sum::<u32>());
    }

    /// The mean, as a part of white, and by how much places stray from it, as a part of what half black and
    /// half white do.
    fn scores(&self) -> (i16, i16) {
        let count = self.count as f64;
        let mean = self.sum as f64 / count;
        let deviation = (self.squares as f64 / count - mean * mean).max(0.0).sqrt();
        let score = |part: f64| (100.0 * part / f64::from(STEPS)).round().clamp(0.0, 100.0) as i16;
        (score(mean / 255.0), score(deviation / 127.5))
    }
}
