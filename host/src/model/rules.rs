//! What a job accepts.

use serde::{Deserialize, Serialize};

use super::{Format, Refusal, Rejection};

/// What a job accepts beyond being a sound picture.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    fn an_unknown_licence_is_taken_only_where_none_is_named() {
        let named = Rules { licenses: vec!["cc0-1.0".to_owned()], ..Rules::default() };
        let refused = named.check_license(None).unwrap_err();
        assert_eq!(refused, Rejection::new(Refusal::LicenseNotAllowed, "its licence is unknown"));
        assert_eq!(Rules::default().check_license(None), Ok(()));
    }
}
