//! The rules for pictures as arguments: of `crawl`, and of `dataset check` for what is there.

use clap::{Args, ValueEnum};

use crate::model::{Animation, AspectRatio, ConsentPolicy, Format, Level, Rules};

/// What is accepted beyond being a sound picture.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Rules")]
pub(super) struct RulesArgs {
    /// What holds where a rule is not given: `basic` accepts every sound picture; `standard` leaves out icons,
    /// banners, blank, dark, blurred and badly compressed ones; `strict` more of these, and animations; the table
    /// in the README says by which values [default: basic]
    #[arg(long, value_name = "LEVEL", value_enum)]
    level: Option<LevelName>,
    /// Licence that is accepted: `cc0`, `pdm`, `public domain`, `cc-by` and the like of any version, or of one
    /// (`cc-by-4.0`); others by SPDX id; may be repeated [default: any, or none known]
    #[arg(long, value_name = "LICENCE", value_delimiter = ',')]
    license: Vec<String>,
    /// Smallest picture that is accepted, in pixels: width and height, or one number that both sides must
    /// have (512 is 512x512)
    #[arg(long, value_name = "WxH", value_parser = size)]
    min_size: Option<(u32, u32)>,
    /// Largest picture that is accepted, in pixels, like --min-size
    #[arg(long, value_name = "WxH", value_parser = size)]
    max_size: Option<(u32, u32)>,
    /// How many times as long as the shorter side the longer one may be, such as 2.5
    #[arg(long, value_name = "N", value_parser = aspect_ratio)]
    max_aspect_ratio: Option<AspectRatio>,
    /// Format that is accepted: jpeg (or jpg), png, gif, webp; may be repeated [default: all]
    #[arg(long, value_name = "FORMAT", value_delimiter = ',', value_parser = Format::understood)]
    format: Vec<Format>,
    /// Smallest file that is accepted, in bytes
    #[arg(long, value_name = "BYTES")]
    min_bytes: Option<u64>,
    /// Largest file that is accepted, in bytes
    #[arg(long, value_name = "BYTES")]
    max_bytes: Option<u64>,
    /// Whether pictures of several frames are accepted
    #[arg(long, value_name = "WHICH", value_enum)]
    animation: Option<AnimationName>,
    /// Lowest contrast, 0 to 100: what has less is blank, or nearly
    #[arg(long, value_name = "SCORE", value_parser = score())]
    min_contrast: Option<u8>,
    /// Lowest brightness, 0 (black) to 100 (white)
    #[arg(long, value_name = "SCORE", value_parser = score())]
    min_brightness: Option<u8>,
    /// Highest brightness, 0 (black) to 100 (white)
    #[arg(long, value_name = "SCORE", value_parser = score())]
    max_brightness: Option<u8>,
    /// Lowest sharpness, 0 to 100
    #[arg(long, value_name = "SCORE", value_parser = score())]
    min_sharpness: Option<u8>,
    /// Lowest quality of JPEGs, 1 to 100
    #[arg(long, value_name = "SCORE", value_parser = score())]
    min_jpeg_quality: Option<u8>,
    /// What is made of what owners say of AI training and data mining, which is recorded in any case: `record`
    /// refuses nothing for it, `respect` refuses what is reserved, `strict` also what is said to be made by a
    /// generative model [default: respect; in `dataset check` record]
    #[arg(long, value_name = "POLICY", value_parser = ConsentPolicy::understood)]
    consent: Option<ConsentPolicy>,
}

/// A level by its name.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum LevelName {
    Basic,
    Standard,
    Strict,
}

/// Whether animations are accepted, in a word.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum AnimationName {
    Allowed,
    Refused,
}

impl RulesArgs {
    /// Puts every rule that is given into these.
    pub(super) fn put(&self, rules: &mut Rules) {
        if let Some(level) = self.level {
            rules.level = match level {
                LevelName::Basic => Level::Basic,
                LevelName::Standard => Level::Standard,
                LevelName::Strict => Level::Strict,
            };
        }
        if !self.license.is_empty() {
            rules.licenses.clone_from(&self.license);
        }
        if !self.format.is_empty() {
            rules.formats.clone_from(&self.format);
        }
        if let Some((width, height)) = self.min_size {
            // 0 would mean what the level says.
            (rules.min_width, rules.min_height) = (width.max(1), height.max(1));
        }
        if let Some((width, height)) = self.max_size {
            (rules.max_width, rules.max_height) = (Some(width), Some(height));
        }
        let animation = self.animation.map(|animation| match animation {
            AnimationName::Allowed => Animation::Allowed,
            AnimationName::Refused => Animation::Refused,
        });
        rules.max_aspect_ratio = self.max_aspect_ratio.or(rules.max_aspect_ratio);
        rules.min_bytes = self.min_bytes.or(rules.min_bytes);
        rules.max_bytes = self.max_bytes.or(rules.max_bytes);
        rules.animation = animation.or(rules.animation);
        rules.min_contrast = self.min_contrast.or(rules.min_contrast);
        rules.min_brightness = self.min_brightness.or(rules.min_brightness);
        rules.max_brightness = self.max_brightness.or(rules.max_brightness);
        rules.min_sharpness = self.min_sharpness.or(rules.min_sharpness);
        rules.min_jpeg_quality = self.min_jpeg_quality.or(rules.min_jpeg_quality);
        rules.consent = self.consent.unwrap_or(rules.consent);
    }
}

/// The argument of a field of the rules.
pub(super) fn argument(field: &str) -> String {
    match field {
        "licenses" => "--license".to_owned(),
        "formats" => "--format".to_owned(),
        "min_width" | "min_height" => "--min-size".to_owned(),
        "max_width" | "max_height" => "--max-size".to_owned(),
        field => format!("--{}", field.replace('_', "-")),
    }
}

/// Width and height of `640x480`, or of `512` for both sides.
fn size(text: &str) -> Result<(u32, u32), String> {
    let (width, height) = text.split_once(['x', '×']).unwrap_or((text, text));
    match (width.parse(), height.parse()) {
        (Ok(width), Ok(height)) => Ok((width, height)),
        _ => Err("expected a size such as 640x480, or 512 for both sides".to_owned()),
    }
}

fn aspect_ratio(text: &str) -> Result<AspectRatio, String> {
    let ratio = text.parse().ok().and_then(AspectRatio::new);
    ratio.ok_or_else(|| "expected a number from 1 to 1000, such as 2.5".to_owned())
}

fn score() -> clap::builder::RangedI64ValueParser<u8> {
    clap::value_parser!(u8).range(0..=100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ratios() {
        assert_eq!(size("640x480"), Ok((640, 480)));
        assert_eq!(size("512"), Ok((512, 512)));
        for wrong in ["", "x", "640x", "-1x2", "1x2x3"] {
            assert!(size(wrong).is_err(), "{wrong}");
        }
        assert_eq!(aspect_ratio("2.5").map(AspectRatio::value), Ok(2.5));
        for wrong in ["", "0.5", "16:9", "NaN", "inf"] {
            assert!(aspect_ratio(wrong).is_err(), "{wrong}");
        }
    }
}
