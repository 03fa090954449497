//! ICC profiles: from what devices store to sRGB. They are read by a library and computed here, in integers
//! or in plain 64-bit steps, which are the same on every processor.

use moxcms::{ColorProfile, DataColorSpace, LutStore, LutWarehouse, ParsingOptions};

use super::curve::{self, Curve, held};

/// Most bytes of a profile; those of printing presses have up to three million.
const LARGEST: usize = 4 << 20;
/// From XYZ under the light of profiles (D50) to linear sRGB, adapted by Bradford's matrix.
const TO_SRGB: [[f64; 3]; 3] = [
    [3.133_856_1, -1.616_866_7, -0.490_614_6],
    [-0.978_768_4, 1.916_141_5, 0.033_454_0],
    [0.071_945_3, -0.228_991_4, 1.405_242_7],
];
/// White under that light.
const WHITE: [f64; 3] = [0.964_22, 1.0, 0.825_21];
/// Fixed point of the matrices.
const ONE: f64 = 65_536.0;
/// What is beside sRGB by no more than this much everywhere is sRGB, as its many profiles are.
const SAME: u8 = 1;

/// How to get from stored values to sRGB.
#[derive(Debug)]
pub(super) enum Conversion {
    /// Grey by table.
    Grey(Box<[u8; 256]>),
    /// Light of each channel, mixed.
    Matrix { light: Box<[[i64; 256]; 3]>, mix: [[i64; 3]; 3] },
    /// Three or four channels by a grid.
    Grid(Box<Grid>),
}

impl Conversion {
    /// By a profile for so many channels without alpha; none where it is sRGB already, or where the
    /// profile is for something else or cannot be read, as browsers have it.
    pub(super) fn by(profile: &[u8], channels: usize) -> Option<Self> {
        let options = ParsingOptions { max_profile_size: LARGEST, ..ParsingOptions::default() };
        let profile = ColorProfile::new_from_slice_with_options(profile, options).ok()?;
        match (channels, profile.color_space) {
            (1, DataColorSpace::Gray) => Self::grey(&profile),
            (3, DataColorSpace::Rgb) => {
                let conversion = Self::grid(&profile, 3).or_else(|| Self::matrix(&profile))?;
                (!conversion.is_nothing()).then_some(conversion)
            }
            (4, DataColorSpace::Cmyk) => Self::grid(&profile, 4),
            _ => None,
        }
    }

    fn grey(profile: &ColorProfile) -> Option<Self> {
        // Beside Lab the curve is one of lightness.
        let curve = Curve::of(profile.gray_trc.as_ref()?).filter(|_| profile.pcs == DataColorSpace::Xyz)?;
        Some(Self::Grey(Box::new(values().map(|value| curve::srgb(curve::light(curve.at(value)))))))
    }

    fn matrix(profile: &ColorProfile) -> Option<Self> {
        let curves = [&profile.red_trc, &profile.green_trc, &profile.blue_trc];
        let mut light = Box::new([[0; 256]; 3]);
        for (light, curve) in light.iter_mut().zip(curves) {
            let curve = Curve::of(curve.as_ref()?)?;
            *light = values().map(|value| curve::light(curve.at(value)));
        }
        let colours = [profile.red_colorant, profile.green_colorant, profile.blue_colorant];
        let mix = TO_SRGB.map(|row| {
            colours.map(|colour| {
                let part = row[0] * colour.x + row[1] * colour.y + row[2] * colour.z;
                (part.clamp(-16.0, 16.0) * ONE).round() as i64
            })
        });
        Some(Self::Matrix { light, mix })
    }

    fn grid(profile: &ColorProfile, channels: usize) -> Option<Self> {
        let tables = [
            &profile.lut_a_to_b_perceptual,
            &profile.lut_a_to_b_colorimetric,
            &profile.lut_a_to_b_saturation,
        ];
        let table = tables.into_iter().flatten().next()?;
        Grid::of(table, channels, profile.pcs).map(|grid| Self::Grid(Box::new(grid)))
    }

    /// A pixel of as many channels as were said, in sRGB.
    pub(super) fn pixel(&self, stored: &[u8]) -> [u8; 3] {
        match (self, stored) {
            (Self::Grey(table), [grey, ..]) => [table[usize::from(*grey)]; 3],
            (Self::Matrix { light, mix }, [r, g, b, ..]) => {
                let light = [light[0][usize::from(*r)], light[1][usize::from(*g)], light[2][usize::from(*b)]];
                mix.map(|row| {
                    let sum = row[0] * light[0] + row[1] * light[1] + row[2] * light[2];
                    curve::srgb((sum + ONE as i64 / 2) >> 16)
                })
            }
            (Self::Grid(grid), _) => grid.pixel(stored),
            _ => [0; 3],
        }
    }

    /// Whether colours of three channels stay what they are.
    fn is_nothing(&self) -> bool {
        let levels = [0, 32, 64, 96, 128, 160, 192, 224, 255];
        let colours = levels.iter().flat_map(|r| levels.iter().map(move |g| (*r, *g)));
        let mut colours = colours.flat_map(|(r, g)| levels.iter().map(move |b| [r, g, *b]));
        colours.all(|colour| {
            self.pixel(&colour).iter().zip(colour).all(|(new, old): (&u8, u8)| new.abs_diff(old) <= SAME)
        })
    }
}

/// All values of 8 bits, from 0 to 1.
fn values() -> [f64; 256] {
    std::array::from_fn(|value| value as f64 / 255.0)
}

/// Curves, a grid with straight lines between its points, curves with a matrix between, and what comes out.
#[derive(Debug)]
pub(super) struct Grid {
    /// Of each channel of the device.
    first: Vec<Curve>,
    /// Points in each direction, the last direction closest together; three words a point. None where there
    /// is no grid.
    points: Option<(Vec<usize>, Vec<u16>)>,
    /// Curves and a matrix with an offset.
    middle: Option<(Vec<Curve>, [[f64; 4]; 3])>,
    last: Vec<Curve>,
    meaning: Meaning,
}

/// What the three values that come out stand for.
#[derive(Clone, Copy, Debug)]
enum Meaning {
    Xyz,
    /// By the factor the largest value is more than 100 and 255.
    Lab(f64),
}

impl Grid {
    fn of(table: &LutWarehouse, channels: usize, pcs: DataColorSpace) -> Option<Self> {
        let curves =
            |curves: &[moxcms::ToneReprCurve]| curves.iter().map(Curve::of).collect::<Option<Vec<_>>>();
        let (grid, outputs) = match table {
            LutWarehouse::Lut(lut) => {
                let sides = vec![usize::from(lut.num_clut_grid_points); channels];
                let tables = |store: &LutStore, entries: u16| {
                    words(store).chunks_exact(usize::from(entries).max(2)).map(Curve::of_words).collect()
                };
                // The largest value of 16 bits stood for a little more, once.
                let scale = match lut.clut_table {
                    LutStore::Store8(_) => 1.0,
                    LutStore::Store16(_) => 65_535.0 / 65_280.0,
                };
                let grid = Self {
                    first: tables(&lut.input_table, lut.num_input_table_entries),
                    points: Some((sides, words(&lut.clut_table))),
                    middle: None,
                    last: tables(&lut.output_table, lut.num_output_table_entries),
                    meaning: Meaning::new(pcs, scale)?,
                };
                (grid, lut.num_output_channels)
            }
            LutWarehouse::Multidimensional(lut) => {
                let sides = lut.grid_points.iter().take(channels).map(|side| usize::from(*side)).collect();
                let (m, bias) = (lut.matrix.v, lut.bias.v);
                let rows = std::array::from_fn(|at| [m[at][0], m[at][1], m[at][2], bias[at]]);
                let points = lut.clut.as_ref().map(|clut| (sides, words(clut)));
                let middle = curves(&lut.m_curves)?;
                let grid = Self {
                    first: curves(&lut.a_curves)?,
                    points,
                    middle: (!middle.is_empty()).then_some((middle, rows)),
                    last: curves(&lut.b_curves)?,
                    meaning: Meaning::new(pcs, 1.0)?,
                };
                (grid, lut.num_output_channels)
            }
        };
        let points_are_there = match &grid.points {
            Some((sides, words)) => {
                let points = sides.iter().try_fold(1usize, |all, side| all.checked_mul(*side))?;
                sides.iter().all(|side| *side >= 2) && words.len() == points.checked_mul(3)?
            }
            None => channels == 3,
        };
        let is_whole = grid.first.len() == channels || grid.points.is_none() && grid.first.is_empty();
        let middle_is_whole = grid.middle.as_ref().is_none_or(|(curves, _)| curves.len() == 3);
        (outputs == 3 && points_are_there && is_whole && middle_is_whole && grid.last.len() == 3)
            .then_some(grid)
    }

    fn pixel(&self, stored: &[u8]) -> [u8; 3] {
        let mut device = [0.0; 4];
        for (at, (value, stored)) in device.iter_mut().zip(stored).enumerate() {
            let plain = f64::from(*stored) / 255.0;
            *value = self.first.get(at).map_or(plain, |curve| curve.at(plain));
        }
        let mut values = match &self.points {
            Some((sides, words)) => between(sides, words, &device),
            None => [device[0], device[1], device[2]],
        };
        if let Some((curves, rows)) = &self.middle {
            let [a, b, c] = std::array::from_fn(|at| curves[at].at(values[at]));
            values = rows.map(|[x, y, z, offset]| held(x * a + y * b + z * c + offset));
        }
        let values = std::array::from_fn(|at| self.last[at].at(values[at]));
        let [x, y, z] = self.meaning.xyz(values);
        TO_SRGB.map(|row| curve::srgb(curve::light(row[0] * x + row[1] * y + row[2] * z)))
    }
}

impl Meaning {
    fn new(pcs: DataColorSpace, scale: f64) -> Option<Self> {
        match pcs {
            DataColorSpace::Xyz => Some(Self::Xyz),
            DataColorSpace::Lab => Some(Self::Lab(scale)),
            _ => None,
        }
    }

    fn xyz(self, [a, b, c]: [f64; 3]) -> [f64; 3] {
        match self {
            Self::Xyz => [a, b, c].map(|value| value * (1.0 + 32_767.0 / 32_768.0)),
            Self::Lab(scale) => {
                let lightness = (a * scale * 100.0 + 16.0) / 116.0;
                let red = (b * scale * 255.0 - 128.0) / 500.0;
                let blue = (c * scale * 255.0 - 128.0) / 200.0;
                let light =
                    |f: f64| if f > 6.0 / 29.0 { f * f * f } else { (f - 16.0 / 116.0) * 108.0 / 841.0 };
                let [x, y, z] = [lightness + red, lightness, lightness - blue].map(light);
                [x * WHITE[0], y * WHITE[1], z * WHITE[2]]
            }
        }
    }
}

/// The values between the points around it.
fn between(sides: &[usize], words: &[u16], device: &[f64; 4]) -> [f64; 3] {
    let mut corners = [(0usize, 1.0); 16];
    let mut count = 1;
    for (side, value) in sides.iter().zip(device) {
        let at = value * (side - 1) as f64;
        let below = (at as usize).min(side - 2);
        let part = at - below as f64;
        for corner in 0..count {
            let (point, weight) = corners[corner];
            corners[corner] = (point * side + below, weight * (1.0 - part));
            corners[corner + count] = (point * side + below + 1, weight * part);
        }
        count *= 2;
    }
    let mut values = [0.0; 3];
    for (point, weight) in &corners[..count] {
        for (value, word) in values.iter_mut().zip(&words[point * 3..]) {
            *value += weight * f64::from(*word);
        }
    }
    values.map(|value| value / 65_535.0)
}

fn words(store: &LutStore) -> Vec<u16> {
    match store {
        LutStore::Store8(bytes) => bytes.iter().map(|byte| u16::from(*byte) * 257).collect(),
        LutStore::Store16(words) => words.clone(),
    }
}
