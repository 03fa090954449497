//! Tone curves of profiles, and that of sRGB.

use std::sync::LazyLock;

use moxcms::ToneReprCurve;

/// What becomes of a value from 0 to 1.
#[derive(Debug)]
pub(super) enum Curve {
    /// Values at equal steps, straight lines between.
    Table(Vec<f64>),
    /// `(a·x + b)^g + e` from `d` on, `c·x + f` before.
    Formula { g: f64, a: f64, b: f64, c: f64, d: f64, e: f64, f: f64 },
}

impl Curve {
    /// Of a profile, where it is one that the standard knows.
    pub(super) fn of(curve: &ToneReprCurve) -> Option<Self> {
        let formula = |g, a, b, c, d, e, f| Self::Formula { g, a, b, c, d, e, f };
        let numbers: Vec<f64> = match curve {
            ToneReprCurve::Lut(table) => match table[..] {
                [] => vec![1.0],
                [gamma] => vec![f64::from(gamma) / 256.0],
                _ => return Some(Self::of_words(table)),
            },
            ToneReprCurve::Parametric(numbers) => numbers.iter().copied().map(f64::from).collect(),
        };
        Some(match numbers[..] {
            [g] => formula(g, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0),
            [g, a, b] => formula(g, a, b, 0.0, -b / a, 0.0, 0.0),
            [g, a, b, c] => formula(g, a, b, 0.0, -b / a, c, c),
            [g, a, b, c, d] => formula(g, a, b, c, d, 0.0, 0.0),
            [g, a, b, c, d, e, f] => formula(g, a, b, c, d, e, f),
            _ => return None,
        })
    }

    /// Of a table of 16 bits a value.
    pub(super) fn of_words(table: &[u16]) -> Self {
        Self::Table(table.iter().map(|word| f64::from(*word) / 65_535.0).collect())
    }

    /// The value at `x`, both from 0 to 1.
    pub(super) fn at(&self, x: f64) -> f64 {
        let value = match *self {
            Self::Table(ref table) => {
                let at = held(x) * table.len().saturating_sub(1) as f64;
                let below = at.floor();
                let value = |at: f64| table.get(at as usize).or(table.last()).copied().unwrap_or_default();
                let (first, second) = (value(below), value(below + 1.0));
                first + (second - first) * (at - below)
            }
            Self::Formula { g, a, b, c, d, e, f } => {
                if x < d {
                    c * x + f
                } else {
                    (a * x + b).max(0.0).powf(g) + e
                }
            }
        };
        held(value)
    }
}

/// From 0 to 1; what is no number is 0.
pub(super) fn held(value: f64) -> f64 {
    if value.is_nan() { 0.0 } else { value.clamp(0.0, 1.0) }
}

/// The value of sRGB for light from 0 to 65 535.
static SRGB: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut table = Vec::with_capacity(65_536);
    for value in 0..=u8::MAX {
        // Up to the light that is half a step brighter.
        let encoded = (f64::from(value) + 0.5) / 255.0;
        let light = if encoded <= 0.040_45 { encoded / 12.92 } else { ((encoded + 0.055) / 1.055).powf(2.4) };
        let end = (light * 65_535.0).ceil().min(65_536.0) as usize;
        table.resize(if value == u8::MAX { 65_536 } else { end }, value);
    }
    table
});

/// Light from 0 to 65 535 as a value of sRGB; what is beyond is the nearest.
pub(super) fn srgb(light: i64) -> u8 {
    let light = usize::try_from(light.clamp(0, 65_535)).unwrap_or_default();
    SRGB.get(light).copied().unwrap_or(u8::MAX)
}

/// Light from 0 to 1 as [`srgb`] takes it.
pub(super) fn light(value: f64) -> i64 {
    (held(value) * 65_535.0 + 0.5) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn srgb_is_its_own_inverse() {
        let curve = ToneReprCurve::Parametric(vec![2.4, 1.0 / 1.055, 0.055 / 1.055, 1.0 / 12.92, 0.040_45]);
        let curve = Curve::of(&curve).unwrap();
        for value in 0..=u8::MAX {
            assert_eq!(srgb(light(curve.at(f64::from(value) / 255.0))), value);
        }
    }

    #[test]
    fn curves_are_what_the_standard_says() {
        for (curve, x, y) in [
            (ToneReprCurve::Lut(vec![]), 0.3, 0.3),
            (ToneReprCurve::Lut(vec![2 << 8]), 0.5, 0.25),
            (ToneReprCurve::Lut(vec![0, 65_535]), 0.25, 0.25),
            (ToneReprCurve::Lut(vec![0, 65_535, 0]), 0.75, 0.5),
            (ToneReprCurve::Lut(vec![7, 65_535]), 2.0, 1.0),
            (ToneReprCurve::Parametric(vec![2.0, 2.0, -1.0]), 0.25, 0.0),
            (ToneReprCurve::Parametric(vec![2.0, 2.0, -1.0, 0.5]), 0.25, 0.5),
            (ToneReprCurve::Parametric(vec![2.0, 1.0, 0.0, 0.5, 0.5]), 0.25, 0.125),
            (ToneReprCurve::Parametric(vec![1.0, 1.0, 0.0, 1.0, 0.5, 0.25, 0.125]), 0.25, 0.375),
            (ToneReprCurve::Parametric(vec![f32::NAN]), 0.25, 0.0),
        ] {
            assert!((Curve::of(&curve).unwrap().at(x) - y).abs() < 1e-9, "{curve:?} at {x}");
        }
        assert!(Curve::of(&ToneReprCurve::Parametric(vec![])).is_none());
    }
}
