//! How strict a job is, in a word, and what else rules are made of.

use serde::{Deserialize, Serialize};

use super::Rules;

/// What a job accepts, in a word: a set of rules, of which each may be given another value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Every sound picture.
    #[default]
    Basic,
    /// Not what nobody would miss: icons, banners, empty pictures and what is hardly to be seen.
    Standard,
    /// What shows something well.
    Strict,
}

impl Level {
    /// All of them, from the one that accepts most.
    pub const ALL: [Self; 3] = [Self::Basic, Self::Standard, Self::Strict];

    /// As stored and asked for.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Standard => "standard",
            Self::Strict => "strict",
        }
    }

    /// The level of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.name() == name)
    }

    /// The rules that it stands for. The table in the README says these.
    #[must_use]
    pub fn rules(self) -> Rules {
        let rules = Rules { level: self, ..Rules::default() };
        match self {
            Self::Basic => rules,
            Self::Standard => Rules {
                min_width: 100,
                min_height: 100,
                max_aspect_ratio: AspectRatio::new(5.0),
                min_contrast: Some(3),
                min_brightness: Some(4),
                min_sharpness: Some(20),
                min_jpeg_quality: Some(25),
                ..rules
            },
            Self::Strict => Rules {
                min_width: 256,
                min_height: 256,
                max_aspect_ratio: AspectRatio::new(3.0),
                animation: Some(Animation::Refused),
                min_contrast: Some(8),
                min_brightness: Some(8),
                max_brightness: Some(97),
                min_sharpness: Some(35),
                min_jpeg_quality: Some(50),
                ..rules
            },
        }
    }
}

/// Whether pictures of several frames are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Animation {
    /// Like others.
    Allowed,
    /// Still pictures only.
    Refused,
}

impl Animation {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Allowed, Self::Refused];

    /// As stored and asked for.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused => "refused",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|animation| animation.name() == name)
    }
}

/// How many times as long as the shorter side the longer one is, to a hundredth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct AspectRatio(u32);

impl AspectRatio {
    /// What may be asked for.
    pub const RANGE: std::ops::RangeInclusive<f64> = 1.0..=1_000.0;

    /// Of a number within the [range](Self::RANGE).
    #[must_use]
    pub fn new(ratio: f64) -> Option<Self> {
        Self::RANGE.contains(&ratio).then(|| Self((ratio * 100.0).round() as u32))
    }

    /// As a number.
    #[must_use]
    pub fn value(self) -> f64 {
        f64::from(self.0) / 100.0
    }

    /// Whether a picture of these sides, in pixels, is longer.
    pub(super) fn is_exceeded_by(self, width: u32, height: u32) -> bool {
        u64::from(width.max(height)) * 100 > u64::from(width.min(height)) * u64::from(self.0)
    }
}

impl TryFrom<f64> for AspectRatio {
    type Error = &'static str;

    fn try_from(ratio: f64) -> Result<Self, Self::Error> {
        Self::new(ratio).ok_or("an aspect ratio is a number from 1 to 1000")
    }
}

impl From<AspectRatio> for f64 {
    fn from(ratio: AspectRatio) -> Self {
        ratio.value()
    }
}
