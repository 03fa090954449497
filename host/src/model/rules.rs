//! What a job accepts, and licences as people name them.

use serde::{Deserialize, Serialize};

use super::{Format, Pdq, Refusal, Rejection};

/// What a job accepts beyond being a sound picture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// Licence ids that are accepted; empty accepts all. `*` at the end stands for any version:
    /// `cc-by-*` has `cc-by-4.0`, but not `cc-by-nc-4.0`.
    pub licenses: Vec<String>,
    /// In pixels.
    pub min_width: u32,
    /// In pixels.
    pub min_height: u32,
    /// Empty accepts all.
    pub formats: Vec<Format>,
    /// Bits in which the perceptual hashes of two pictures may differ that count as one, at most
    /// [`Pdq::ALIKE`]. Requests that were recorded before there was this are still the same.
    #[serde(skip_serializing_if = "is_usual")]
    pub near_duplicates: u8,
    /// Among which pictures a picture must be the only one of its look.
    #[serde(skip_serializing_if = "DuplicateScope::is_dataset")]
    pub duplicates_within: DuplicateScope,
    /// Whether a picture that is mirrored, or turned by quarters, looks like the one that it was made of.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub turned_duplicates: bool,
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

/// Serde calls it with a reference.
const fn is_usual(near_duplicates: &u8) -> bool {
    *near_duplicates == Pdq::ALIKE
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
        }
    }
}

impl Rules {
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

    /// Checks what the header of a picture says, `width` and `height` in pixels.
    ///
    /// # Errors
    /// `too-small` or `format-not-wanted`.
    pub fn check_picture(&self, format: Format, width: u32, height: u32) -> Result<(), Rejection> {
        let Self { min_width, min_height, formats, .. } = self;
        if width < *min_width || height < *min_height {
            let detail = format!("{width}×{height} pixels, at least {min_width}×{min_height} wanted");
            return Err(Rejection::new(Refusal::TooSmall, detail));
        }
        if !formats.is_empty() && !formats.contains(&format) {
            return Err(Rejection::new(Refusal::FormatNotWanted, format!("{} is not wanted", format.name())));
        }
        Ok(())
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

    #[test]
    fn an_unknown_licence_is_taken_only_where_none_is_named() {
        let named = Rules { licenses: vec!["cc0-1.0".to_owned()], ..Rules::default() };
        let refused = named.check_license(None).unwrap_err();
        assert_eq!(refused, Rejection::new(Refusal::LicenseNotAllowed, "its licence is unknown"));
        assert_eq!(Rules::default().check_license(None), Ok(()));
    }
}
