//! Pictures made of other pictures: how large, how fitted and in what format.

use serde::{Deserialize, Serialize};

use super::Format;

/// What is to be made of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Derivative {
    /// Of the box, in pixels, 1 to [`Derivative::LARGEST`]; not looked at with [`Fit::None`].
    #[serde(default)]
    pub width: u32,
    /// Of the box, in pixels, 1 to [`Derivative::LARGEST`]; not looked at with [`Fit::None`].
    #[serde(default)]
    pub height: u32,
    /// How it gets into the box.
    #[serde(default)]
    pub fit: Fit,
    /// Whether a picture that is smaller than the box is made larger. A border is put around it all the same.
    #[serde(default)]
    pub enlarge: bool,
    /// How it is encoded.
    #[serde(default)]
    pub format: DerivedFormat,
    /// Of lossy formats, 1 to 100.
    #[serde(default = "default_quality")]
    pub quality: u8,
}

/// How a picture gets into a box.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// As large as the box allows, with the ratio that it has.
    #[default]
    KeepRatio,
    /// Fills the box; what of it sticks out on both sides is cut off.
    CenterCrop,
    /// Like [`Fit::KeepRatio`], in the middle of a box whose rest is white.
    Border,
    /// Keeps its size and is only encoded anew.
    None,
}

/// Formats that pictures are made in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DerivedFormat {
    /// JPEG.
    #[default]
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    Webp,
}

impl Derivative {
    /// Longest side of a box, in pixels.
    pub const LARGEST: u32 = 8192;
    /// Quality where nobody says.
    pub const QUALITY: u8 = 90;

    /// Checks that the numbers are within what the fields say.
    ///
    /// # Errors
    /// The field, and what is to be said of it in words that follow its name.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let is_side = |side: u32| (1..=Self::LARGEST).contains(&side);
        let said = || format!("must be from 1 to {}", Self::LARGEST);
        if self.fit != Fit::None && !is_side(self.width) {
            return Err(("width", said()));
        }
        if self.fit != Fit::None && !is_side(self.height) {
            return Err(("height", said()));
        }
        if !(1..=100).contains(&self.quality) {
            return Err(("quality", "must be from 1 to 100".to_owned()));
        }
        Ok(())
    }
}

impl DerivedFormat {
    /// The format that the made picture has.
    #[must_use]
    pub const fn format(self) -> Format {
        match self {
            Self::Jpeg => Format::Jpeg,
            Self::Png => Format::Png,
            Self::Webp => Format::Webp,
        }
    }
}

const fn default_quality() -> u8 {
    Derivative::QUALITY
}
