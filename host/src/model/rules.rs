//! What a job accepts, and licences as people name them.

use serde::{Deserialize, Serialize};

use super::{Animation, AspectRatio, ConsentPolicy, Format, Level, Pdq, Refusal, Rejection, Scores};

/// What a job accepts beyond being a sound picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// Licence ids that are accepted; empty accepts all. `*` at the end stands for any version:
    /// `cc-by-*` has `cc-by-4.0`, but not `cc-by-nc-4.0`.
    pub licenses: Vec<String>,
    /// In pixels; 0 is what the level says.
    pub min_width: u32,
    /// In pixels; 0 is what the level says.
    pub min_height: u32,
    /// Empty accepts all.
    pub formats: Vec<Format>,
    /// Bits in which the perceptual hashes of two pictures may differ that count as one, at most
    /// [`Pdq::ALIKE`]. Requests that were recorded before there was this are still the same.
    #[serde(skip_serializing_if = "is_usual")]
    pub near_duplicates: u8,
    /// What is made of what owners say of AI training and data mining.
    #[serde(skip_serializing_if = "ConsentPolicy::is_usual")]
    pub consent: ConsentPolicy,
    /// Among which pictures a picture must be the only one of its look.
    #[serde(skip_serializing_if = "DuplicateScope::is_dataset")]
    pub duplicates_within: DuplicateScope,
    /// Whether a picture that is mirrored, or turned by quarters, looks like the one that it was made of.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub turned_duplicates: bool,
    /// What holds where a rule is not given. As with all below, requests that were recorded before there was
    /// this are still the same.
    #[serde(skip_serializing_if = "is_basic")]
    pub level: Level,
    /// In pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_width: Option<u32>,
    /// In pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_height: Option<u32>,
    /// How many times as long as the shorter side the longer one may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_aspect_ratio: Option<AspectRatio>,
    /// Of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_bytes: Option<u64>,
    /// Of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// Whether pictures of several frames are accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub animation: Option<Animation>,
    /// Of [`Scores::contrast`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_contrast: Option<u8>,
    /// Of [`Scores::brightness`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_brightness: Option<u8>,
    /// Of [`Scores::brightness`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_brightness: Option<u8>,
    /// Of [`Scores::sharpness`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_sharpness: Option<u8>,
    /// Of [`Scores::jpeg_quality`]; pictures in other formats have none and pass.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_jpeg_quality: Option<u8>,
}

/// Among which pictures one is looked for that looks like another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum DuplicateScope {
    /// Those of the same dataset.
    #[default]
    Dataset,
    /// Those of all datasets of the same user.
    User,
}

impl DuplicateScope {
    /// Serde calls it with a reference.
    const fn is_dataset(&self) -> bool {
        matches!(self, Self::Dataset)
    }
}

/// What rules look at of a sound picture.
#[derive(Clone, Copy, Debug)]
pub struct PictureFacts {
    /// By the bytes.
    pub format: Format,
    /// In pixels, as stored.
    pub width: u32,
    /// In pixels, as stored.
    pub height: u32,
    /// Of the file.
    pub bytes: u64,
    /// 1 for a still picture.
    pub frames: u32,
    /// As far as they were measured; what was not passes.
    pub scores: Scores,
}

/// Serde calls it with a reference.
const fn is_usual(near_duplicates: &u8) -> bool {
    *near_duplicates == Pdq::ALIKE
}

/// Serde calls it with a reference.
fn is_basic(level: &Level) -> bool {
    *level == Level::Basic
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            licenses: Vec::new(),
            min_width: 0,
            min_height: 0,
            formats: Vec::new(),
            near_duplicates: Pdq::ALIKE,
            duplicates_within: DuplicateScope::Dataset,
            turned_duplicates: false,
            level: Level::Basic,
            max_width: None,
            max_height: None,
            max_aspect_ratio: None,
            min_bytes: None,
            max_bytes: None,
            animation: None,
            min_contrast: None,
            min_brightness: None,
            max_brightness: None,
            min_sharpness: None,
            min_jpeg_quality: None,
            consent: ConsentPolicy::default(),
        }
    }
}

impl Rules {
    /// Longest side that may be asked for or allowed, in pixels.
    pub const LONGEST_SIDE: u32 = 100_000;

    /// Checks the licence under which a picture is offered, which is known before its bytes are. A
    /// job that names licences takes nothing whose licence is unknown.
    ///
    /// # Errors
    /// `license-not-allowed`.
    pub fn check_license(&self, license: Option<&str>) -> Result<(), Rejection> {
        let id = license.unwrap_or("unknown");
        if self.licenses.is_empty() || self.licenses.iter().any(|allowed| is_covered(id, allowed)) {
            return Ok(());
        }
        Err(Rejection::new(Refusal::LicenseNotAllowed, format!("its licence is {id}")))
    }

    /// The same with what the level says in place of what is not given.
    #[must_use]
    pub fn resolved(self) -> Self {
        let level = self.level.rules();
        let side = |given: u32, by_level: u32| if given == 0 { by_level } else { given };
        Self {
            min_width: side(self.min_width, level.min_width),
            min_height: side(self.min_height, level.min_height),
            max_width: self.max_width.or(level.max_width),
            max_height: self.max_height.or(level.max_height),
            max_aspect_ratio: self.max_aspect_ratio.or(level.max_aspect_ratio),
            min_bytes: self.min_bytes.or(level.min_bytes),
            max_bytes: self.max_bytes.or(level.max_bytes),
            animation: self.animation.or(level.animation),
            min_contrast: self.min_contrast.or(level.min_contrast),
            min_brightness: self.min_brightness.or(level.min_brightness),
            max_brightness: self.max_brightness.or(level.max_brightness),
            min_sharpness: self.min_sharpness.or(level.min_sharpness),
            min_jpeg_quality: self.min_jpeg_quality.or(level.min_jpeg_quality),
            ..self
        }
    }

    /// Whether any of the rules is about scores.
    #[must_use]
    pub const fn ask_for_scores(&self) -> bool {
        self.min_contrast.is_some()
            || self.min_brightness.is_some()
            || self.max_brightness.is_some()
            || self.min_sharpness.is_some()
            || self.min_jpeg_quality.is_some()
    }

    /// Checks what was measured of a sound picture, when the rules are [resolved](Self::resolved).
    ///
    /// # Errors
    /// The first rule that it breaks: `too-small`, `format-not-wanted`, `size-not-wanted`,
    /// `aspect-ratio-not-wanted`, `bytes-not-wanted`, `animated`, `uniform`, `too-dark`, `too-bright`, `blurred`
    /// or `over-compressed`.
    pub fn check_picture(&self, picture: &PictureFacts) -> Result<(), Rejection> {
        self.check_size(picture)?;
        let PictureFacts { format, bytes, frames, scores, .. } = *picture;
        let outside = |at_least: Option<u64>, at_most: Option<u64>| {
            let too_few = at_least.filter(|least| bytes < *least).map(|least| format!("at least {least}"));
            too_few.or_else(|| at_most.filter(|most| bytes > *most).map(|most| format!("at most {most}")))
        };
        if let Some(asked) = outside(self.min_bytes, self.max_bytes) {
            let detail = format!("{bytes} bytes, {asked} wanted");
            return Err(Rejection::new(Refusal::BytesNotWanted, detail));
        }
        if !self.formats.is_empty() && !self.formats.contains(&format) {
            return Err(Rejection::new(Refusal::FormatNotWanted, format!("{} is not wanted", format.name())));
        }
        if frames > 1 && self.animation == Some(Animation::Refused) {
            let detail = format!("{frames} frames, still pictures are wanted");
            return Err(Rejection::new(Refusal::Animated, detail));
        }
        at_least(Refusal::Uniform, "contrast", scores.contrast, self.min_contrast)?;
        at_least(Refusal::TooDark, "brightness", scores.brightness, self.min_brightness)?;
        if let (Some(score), Some(most)) = (scores.brightness, self.max_brightness)
            && score > most.into()
        {
            let detail = format!("brightness {score}, at most {most} wanted");
            return Err(Rejection::new(Refusal::TooBright, detail));
        }
        at_least(Refusal::Blurred, "sharpness", scores.sharpness, self.min_sharpness)?;
        at_least(Refusal::OverCompressed, "JPEG quality", scores.jpeg_quality, self.min_jpeg_quality)
    }

    fn check_size(&self, picture: &PictureFacts) -> Result<(), Rejection> {
        let PictureFacts { width, height, .. } = *picture;
        let Self { min_width, min_height, max_width, max_height, max_aspect_ratio, .. } = self;
        if width < *min_width || height < *min_height {
            let detail = format!("{width}×{height} pixels, at least {min_width}×{min_height} wanted");
            return Err(Rejection::new(Refusal::TooSmall, detail));
        }
        let is_more = |side: u32, most: Option<u32>| most.is_some_and(|most| side > most);
        if is_more(width, *max_width) || is_more(height, *max_height) {
            let most = |most: Option<u32>| most.map_or_else(|| "any".to_owned(), |most| most.to_string());
            let (most_across, most_down) = (most(*max_width), most(*max_height));
            let detail = format!("{width}×{height} pixels, at most {most_across}×{most_down} wanted");
            return Err(Rejection::new(Refusal::SizeNotWanted, detail));
        }
        if let Some(ratio) = max_aspect_ratio.filter(|ratio| ratio.is_exceeded_by(width, height)) {
            let is = f64::from(width.max(height)) / f64::from(width.min(height));
            let ratio = ratio.value();
            let detail = format!("{width}×{height} pixels are {is:.2} to 1, at most {ratio} to 1 wanted");
            return Err(Rejection::new(Refusal::AspectRatioNotWanted, detail));
        }
        Ok(())
    }
}

/// Refuses a score that is lower than asked for.
fn at_least(reason: Refusal, name: &str, score: Option<i16>, asked: Option<u8>) -> Result<(), Rejection> {
    match (score, asked) {
        (Some(score), Some(asked)) if score < asked.into() => {
            Err(Rejection::new(reason, format!("{name} {score}, at least {asked} wanted")))
        }
        _ => Ok(()),
    }
}

/// How much a licence allows, the more the higher, to choose between copies of one picture.
#[must_use]
pub fn openness(license: Option<&str>) -> u8 {
    let Some(id) = license else { return 0 };
    match id {
        "unknown" | "all-rights-reserved" => 0,
        _ if id.starts_with("cc0") || id.starts_with("pdm") => 6,
        _ if id.contains("-nc-nd") => 1,
        _ if id.contains("-nc") => 2,
        _ if id.contains("-nd") => 3,
        _ if id.starts_with("cc-by-sa") || id.starts_with("cc-sa") => 4,
        _ if id.starts_with("cc-by") => 5,
        // Others that sources name are free in one way or another.
        _ => 4,
    }
}

/// Licences that sources name, for who may have meant one of them: what may be asked for by itself.
pub const KNOWN_LICENSES: [&str; 21] = [
    "cc0",
    "pdm",
    "public domain",
    "cc-by",
    "cc-by-nc",
    "cc-by-nc-nd",
    "cc-by-nc-sa",
    "cc-by-nd",
    "cc-by-sa",
    "cc-sa",
    "all-rights-reserved",
    "apache-2.0",
    "bsd-3-clause",
    "gfdl-1.2-or-later",
    "gfdl-1.3-or-later",
    "lal-1.2",
    "lal-1.3",
    "mit",
    "odbl-1.0",
    "ogl-uk-3.0",
    "unknown",
];

/// Versions that licences of Creative Commons have had.
const VERSIONS: [&str; 6] = ["1.0", "2.0", "2.1", "2.5", "3.0", "4.0"];

/// The licences that are meant by a name, as [`Rules::licenses`] lists them: `CC BY 4.0` is `cc-by-4.0`, and
/// `cc-by` is that licence of whatever version, or of none. What is in the public domain is so by a mark or
/// by a dedication. None where no source can name it so: a licence that is not known by its name must be an
/// SPDX id with a version, or begin with `licenseref-`, as SPDX has it for those of one's own.
#[must_use]
pub fn license_ids(name: &str) -> Option<Vec<String>> {
    let name = name.to_lowercase();
    let (name, any_version) = match name.trim().strip_suffix('*') {
        Some(start) => (start, true),
        None => (name.trim(), false),
    };
    let is_between = |c: char| c.is_whitespace() || matches!(c, '-' | '_' | '/');
    let says_nothing =
        |word: &str| ["", "licence", "license", "international", "unported", "generic"].contains(&word);
    let words: Vec<&str> = name.split(is_between).filter(|word| !says_nothing(word)).collect();
    let id =
        words.join("-").replace("creative-commons", "cc").replace("nd-nc", "nc-nd").replace("sa-nc", "nc-sa");
    let of_any_version = |id: &str| {
        let version = Some(format!("{id}-*"));
        (!any_version).then(|| id.to_owned()).into_iter().chain(version).collect::<Vec<_>>()
    };
    let id = match id.as_str() {
        "public-domain" | "publicdomain" | "pd" => {
            return Some([of_any_version("pdm"), of_any_version("cc0")].concat());
        }
        "public-domain-mark" | "cc-pdm" => "pdm".to_owned(),
        "cc-0" | "cc-zero" | "zero" => "cc0".to_owned(),
        "by" => "cc-by".to_owned(),
        _ if id.starts_with("by-") => format!("cc-{id}"),
        _ => id,
    };
    if id.starts_with("cc") || id.starts_with("pdm") {
        return creative_commons(&id, any_version, of_any_version);
    }
    let has_versions = |known: &&str| {
        let version = known.strip_prefix(id.as_str()).and_then(|rest| rest.strip_prefix('-'));
        version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
    };
    if !id.is_empty() && KNOWN_LICENSES.iter().any(has_versions) {
        return Some(of_any_version(&id));
    }
    let is_versioned = || {
        let bytes = id.as_bytes();
        let is_plain =
            |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.+".contains(byte);
        bytes.iter().all(is_plain) && bytes.windows(2).any(|pair| pair[0] == b'-' && pair[1].is_ascii_digit())
    };
    let is_sound = KNOWN_LICENSES.contains(&id.as_str()) || id.starts_with("licenseref-") || is_versioned();
    (is_sound && !any_version).then(|| vec![id])
}

/// `cc-by`, `cc-by-4.0`, `cc-by-4`, `cc-by-3.0-de`, and the two that have one version each.
fn creative_commons(
    id: &str,
    any_version: bool,
    of_any_version: impl Fn(&str) -> Vec<String>,
) -> Option<Vec<String>> {
    let at = id
        .match_indices('-')
        .map(|(at, _)| at)
        .find(|at| id[at + 1..].starts_with(|c: char| c.is_ascii_digit()));
    let (code, version) = at.map_or((id, ""), |at| (&id[..at], &id[at + 1..]));
    let has_one = code == "cc0" || code == "pdm";
    let is_known = has_one || code.starts_with("cc-") && KNOWN_LICENSES.contains(&code);
    if !is_known {
        return None;
    }
    if version.is_empty() {
        return Some(of_any_version(code));
    }
    let (number, country) =
        version.split_once('-').map_or((version, None), |(number, country)| (number, Some(country)));
    let number = if number.contains('.') { number.to_owned() } else { format!("{number}.0") };
    let is_version = if has_one { number == "1.0" } else { VERSIONS.contains(&number.as_str()) };
    let is_country =
        country.is_none_or(|country| !has_one && country.bytes().all(|byte| byte.is_ascii_lowercase()));
    let country = country.map_or_else(String::new, |country| format!("-{country}"));
    (is_version && is_country && !any_version).then(|| vec![format!("{code}-{number}{country}")])
}

/// Whether the licence is the allowed one, where `*` at the end stands for a version: who allows
/// `cc-by-*` does not mean `cc-by-nc-4.0`.
fn is_covered(id: &str, allowed: &str) -> bool {
    match allowed.strip_suffix('*') {
        Some(start) => {
            id.strip_prefix(start).is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
        }
        None => id == allowed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_a_version_and_no_restriction() {
        for (allowed, ids, others) in [
            (
                "cc-by-*",
                &["cc-by-4.0", "cc-by-2.0-de"][..],
                &["cc-by-nc-4.0", "cc-by-sa-4.0", "cc-by", "unknown"][..],
            ),
            ("cc-by-nc-*", &["cc-by-nc-2.0"], &["cc-by-nc-nd-2.0", "cc-by-4.0"]),
            ("cc0-1.0", &["cc0-1.0"], &["cc0-1.0-x", "cc-by-1.0"]),
            ("*", &[], &["unknown", "cc0-1.0"]),
        ] {
            let rules =
                Rules { licenses: vec!["pdm-1.0".to_owned(), allowed.to_owned()], ..Rules::default() };
            assert!(ids.iter().all(|id| rules.check_license(Some(id)).is_ok()), "{allowed}");
            assert!(others.iter().all(|id| rules.check_license(Some(id)).is_err()), "{allowed}");
        }
    }

    #[test]
    fn licences_as_people_name_them() {
        let either: &[&str] = &["cc-by", "cc-by-*"];
        for (names, ids) in [
            (&["cc-by", "CC BY", "cc_by", "by", "Creative Commons BY license"][..], either),
            (&["cc-by-*", "cc-by*", "CC BY *"], &["cc-by-*"]),
            (&["CC BY 4.0", "cc-by-4.0", "CC-BY-4", "CC BY 4.0 International"], &["cc-by-4.0"]),
            (&["cc-by-sa-3.0-de"], &["cc-by-sa-3.0-de"]),
            (&["CC-BY-SA", "by-sa"], &["cc-by-sa", "cc-by-sa-*"]),
            (&["by-nd-nc 2.0", "cc-by-nc-nd-2.0"], &["cc-by-nc-nd-2.0"]),
            (&["cc0", "CC-0", "cc zero"], &["cc0", "cc0-*"]),
            (&["cc0-1.0", "CC0 1.0"], &["cc0-1.0"]),
            (&["pdm", "Public Domain Mark"], &["pdm", "pdm-*"]),
            (&["public domain", "PD"], &["pdm", "pdm-*", "cc0", "cc0-*"]),
            (&["GFDL"], &["gfdl", "gfdl-*"]),
            (&["MIT", "MIT License"], &["mit"]),
            (&["All rights reserved"], &["all-rights-reserved"]),
            (&["unknown"], &["unknown"]),
            (&["GPL-3.0-only"], &["gpl-3.0-only"]),
            (&["LicenseRef-ours"], &["licenseref-ours"]),
        ] {
            for name in names {
                let found = license_ids(name).unwrap_or_default();
                assert_eq!(found, ids, "{name}");
            }
        }
        for name in [
            "",
            "*",
            "banana",
            "cc",
            "cc-*",
            "cc-bye",
            "cc-by-7.0",
            "cc-by-4.0*",
            "cc0-4.0",
            "cc-by-4.0 or so 1",
            "pdm-1.0-de",
            "mit-*",
            "by sa by",
        ] {
            assert_eq!(license_ids(name), None, "{name}");
        }
        // What is understood covers what sources say.
        let covers = |name: &str, id: &str| {
            Rules { licenses: license_ids(name).unwrap(), ..Rules::default() }.check_license(Some(id)).is_ok()
        };
        assert!(covers("cc0", "cc0-1.0") && covers("CC BY", "cc-by") && covers("CC BY", "cc-by-2.5"));
        assert!(covers("public domain", "pdm-1.0") && covers("public domain", "cc0-1.0"));
        assert!(
            !covers("cc-by", "cc-by-nc-4.0")
                && !covers("pdm", "cc0-1.0")
                && !covers("cc-by-4.0", "cc-by-3.0")
        );
        assert!(KNOWN_LICENSES.iter().all(|known| license_ids(known).is_some()));
    }

    /// A picture that keeps every level.
    fn picture() -> PictureFacts {
        let scores =
            Scores { brightness: Some(50), contrast: Some(40), sharpness: Some(70), jpeg_quality: Some(90) };
        PictureFacts { format: Format::Jpeg, width: 800, height: 600, bytes: 9_000, frames: 1, scores }
    }

    #[test]
    fn each_rule_refuses_by_its_code_and_says_the_numbers() {
        let check =
            |rules: Rules, kept: PictureFacts, broken: PictureFacts, reason: Refusal, detail: &str| {
                assert_eq!(rules.check_picture(&kept), Ok(()), "{rules:?}");
                assert_eq!(rules.check_picture(&broken), Err(Rejection::new(reason, detail)), "{rules:?}");
                assert_eq!(Rules::default().check_picture(&broken), Ok(()));
            };
        let of = |change: fn(&mut PictureFacts)| {
            let mut facts = picture();
            change(&mut facts);
            facts
        };
        let with = |change: fn(&mut Rules)| {
            let mut rules = Rules::default();
            change(&mut rules);
            rules
        };
        check(
            with(|rules| rules.min_height = 600),
            picture(),
            of(|facts| facts.height = 599),
            Refusal::TooSmall,
            "800×599 pixels, at least 0×600 wanted",
        );
        check(
            with(|rules| rules.max_width = Some(800)),
            picture(),
            of(|facts| facts.width = 801),
            Refusal::SizeNotWanted,
            "801×600 pixels, at most 800×any wanted",
        );
        check(
            with(|rules| rules.max_aspect_ratio = AspectRatio::new(1.5)),
            of(|facts| (facts.width, facts.height) = (400, 600)),
            of(|facts| (facts.width, facts.height) = (399, 600)),
            Refusal::AspectRatioNotWanted,
            "399×600 pixels are 1.50 to 1, at most 1.5 to 1 wanted",
        );
        check(
            with(|rules| rules.min_bytes = Some(9_000)),
            picture(),
            of(|facts| facts.bytes = 8_999),
            Refusal::BytesNotWanted,
            "8999 bytes, at least 9000 wanted",
        );
        check(
            with(|rules| rules.max_bytes = Some(9_000)),
            picture(),
            of(|facts| facts.bytes = 9_001),
            Refusal::BytesNotWanted,
            "9001 bytes, at most 9000 wanted",
        );
        check(
            with(|rules| rules.animation = Some(Animation::Refused)),
            picture(),
            of(|facts| facts.frames = 12),
            Refusal::Animated,
            "12 frames, still pictures are wanted",
        );
        check(
            with(|rules| rules.min_contrast = Some(40)),
            picture(),
            of(|facts| facts.scores.contrast = Some(39)),
            Refusal::Uniform,
            "contrast 39, at least 40 wanted",
        );
        check(
            with(|rules| rules.min_brightness = Some(50)),
            picture(),
            of(|facts| facts.scores.brightness = Some(49)),
            Refusal::TooDark,
            "brightness 49, at least 50 wanted",
        );
        check(
            with(|rules| rules.max_brightness = Some(50)),
            picture(),
            of(|facts| facts.scores.brightness = Some(51)),
            Refusal::TooBright,
            "brightness 51, at most 50 wanted",
        );
        check(
            with(|rules| rules.min_sharpness = Some(70)),
            picture(),
            of(|facts| facts.scores.sharpness = Some(12)),
            Refusal::Blurred,
            "sharpness 12, at least 70 wanted",
        );
        check(
            with(|rules| rules.min_jpeg_quality = Some(90)),
            of(|facts| facts.scores.jpeg_quality = None),
            of(|facts| facts.scores.jpeg_quality = Some(89)),
            Refusal::OverCompressed,
            "JPEG quality 89, at least 90 wanted",
        );
        // What was not measured is not refused for it.
        let unmeasured = of(|facts| facts.scores = Scores::default());
        assert_eq!(Level::Strict.rules().check_picture(&unmeasured), Ok(()));
        assert_eq!(Level::Strict.rules().check_picture(&picture()), Ok(()));
    }

    #[test]
    fn a_rule_that_is_given_overrides_the_level() {
        assert_eq!(Rules::default().resolved(), Rules::default(), "nothing is stricter unless asked for");
        for level in Level::ALL {
            assert_eq!(Rules { level, ..Rules::default() }.resolved(), level.rules());
            assert_eq!(Level::named(level.name()), Some(level));
        }
        let given = Rules {
            min_width: 1,
            max_aspect_ratio: AspectRatio::new(1_000.0),
            animation: Some(Animation::Allowed),
            min_sharpness: Some(0),
            ..Level::Basic.rules()
        };
        let rules = Rules { level: Level::Strict, ..given.clone() }.resolved();
        let strict = Level::Strict.rules();
        assert_eq!(
            rules,
            Rules {
                min_width: 1,
                max_aspect_ratio: given.max_aspect_ratio,
                animation: given.animation,
                min_sharpness: given.min_sharpness,
                ..strict
            }
        );
    }

    #[test]
    fn a_stricter_level_asks_for_more() {
        let [basic, standard, strict] = Level::ALL.map(Level::rules);
        for (one, more) in [(&basic, &standard), (&standard, &strict)] {
            assert!(one.min_width < more.min_width && one.min_height < more.min_height);
            assert!(one.min_contrast < more.min_contrast && one.min_brightness < more.min_brightness);
            assert!(one.min_sharpness < more.min_sharpness && one.min_jpeg_quality < more.min_jpeg_quality);
            assert!(one.max_aspect_ratio.is_none_or(|ratio| more.max_aspect_ratio < Some(ratio)));
        }
    }

    /// As rows and folders of earlier versions have them.
    #[test]
    fn rules_are_recorded_as_ever() {
        let recorded = r#"{"licenses":[],"min_width":0,"min_height":480,"formats":["png"]}"#;
        let rules: Rules = serde_json::from_str(recorded).unwrap();
        assert_eq!(serde_json::to_string(&rules).unwrap(), recorded);
        let rules = Level::Strict.rules();
        let text = serde_json::to_string(&rules).unwrap();
        assert!(text.contains(r#""level":"strict""#) && text.contains(r#""max_aspect_ratio":3.0"#), "{text}");
        assert_eq!(serde_json::from_str::<Rules>(&text).unwrap(), rules);
    }

    #[test]
    fn an_unknown_licence_is_taken_only_where_none_is_named() {
        let named = Rules { licenses: vec!["cc0-1.0".to_owned()], ..Rules::default() };
        let refused = named.check_license(None).unwrap_err();
        assert_eq!(refused, Rejection::new(Refusal::LicenseNotAllowed, "its licence is unknown"));
        assert_eq!(Rules::default().check_license(None), Ok(()));
    }
}
