//! Licences as lists name them.

use pixcrawler_sdk::{License, url};

/// The licence that a list names, by id, by name or by address; none where it says that it knows none.
#[must_use]
pub(crate) fn license(named: &str) -> Option<License> {
    let named = named.trim();
    if let Some(url) = url::resolve(named, "") {
        return Some(License::from_url(&url));
    }
    let words = words(named);
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    if words.is_empty() || NOTHING.contains(&words.join("-").as_str()) {
        return None;
    }
    let id = id(&words);
    let attribution = id.is_none().then(|| named.to_owned());
    Some(License { attribution, ..License::new(id.unwrap_or_else(|| "unknown".to_owned())) })
}

const NOTHING: [&str; 6] = ["unknown", "none", "null", "nan", "n-a", "na"];

/// Licences other than those of Creative Commons that pictures are found under.
const OTHERS: [&str; 12] = [
    "all-rights-reserved",
    "apache-2.0",
    "bsd-3-clause",
    "fal",
    "gfdl-1.2-only",
    "gfdl-1.2-or-later",
    "gfdl-1.3-only",
    "gfdl-1.3-or-later",
    "mit",
    "odbl-1.0",
    "ogl-uk-3.0",
    "pdm-1.0",
];

/// What a licence is called, in lower case, with the short words for the long ones.
fn words(named: &str) -> Vec<String> {
    let lower = named.to_ascii_lowercase();
    let words = lower
        .split(|c: char| !(c.is_ascii_alphanumeric() || !c.is_ascii() || c == '.' || c == '+'))
        .filter(|word| !word.is_empty());
    let short = words.map(|word| match word {
        "attribution" => "by",
        "sharealike" => "sa",
        "noncommercial" => "nc",
        "noderivatives" | "noderivs" => "nd",
        word => word,
    });
    short.map(str::to_owned).collect()
}

/// Whether it can stand in the name of a licence that leaves out whose it is.
fn is_short(word: &str) -> bool {
    const SHORT: [&str; 8] = ["by", "nc", "nd", "sa", "international", "unported", "generic", "license"];
    SHORT.contains(&word) || word.starts_with(|c: char| c.is_ascii_digit())
}

fn id(words: &[&str]) -> Option<String> {
    let joined = words.join("-");
    if OTHERS.contains(&joined.as_str()) {
        return Some(joined);
    }
    let has = |word| words.contains(&word);
    let version = words
        .iter()
        .copied()
        .find(|word| word.starts_with(|c: char| c.is_ascii_digit()) && word.contains('.'));
    let code = if has("cc0") || has("zero") && (has("cc") || has("creative")) {
        "cc0".to_owned()
    } else if joined == "pd"
        || joined.starts_with("pdm")
        || joined.contains("public-domain")
        || has("publicdomain")
    {
        return Some("pdm-1.0".to_owned());
    } else if has("by") && (has("cc") || has("creative") || words.iter().all(|word| is_short(word))) {
        let also = ["nc", "nd", "sa"].into_iter().filter(|word| has(word));
        ["by"].into_iter().chain(also).collect::<Vec<_>>().join("-")
    } else if joined.contains("rights-reserved") || has("copyright") {
        return Some("all-rights-reserved".to_owned());
    } else {
        return None;
    };
    Some(License::creative_commons_id(&code, version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences() {
        for (named, expect) in [
            ("CC BY-SA 4.0", "cc-by-sa-4.0"),
            ("cc-by-4.0", "cc-by-4.0"),
            ("by-nc-nd", "cc-by-nc-nd"),
            ("Attribution 4.0 International", "cc-by-4.0"),
            ("CC_BY_NC 2.0", "cc-by-nc-2.0"),
            ("Creative Commons Attribution-ShareAlike 3.0 Unported", "cc-by-sa-3.0"),
            ("CC0", "cc0-1.0"),
            ("CC0-1.0", "cc0-1.0"),
            ("Creative Commons Zero", "cc0-1.0"),
            ("Public Domain Mark 1.0", "pdm-1.0"),
            ("public domain", "pdm-1.0"),
            ("PD", "pdm-1.0"),
            ("All rights reserved.", "all-rights-reserved"),
            ("Copyright 2026 by Ada", "all-rights-reserved"),
            ("MIT", "mit"),
            ("ODbL-1.0", "odbl-1.0"),
            ("by arrangement", "unknown"),
            ("https://creativecommons.org/licenses/by/4.0/", "cc-by-4.0"),
            ("https://example.org/terms", "unknown"),
            ("ask us", "unknown"),
        ] {
            assert_eq!(license(named).map(|license| license.id).as_deref(), Some(expect), "{named}");
        }
        for nothing in ["", " ", "?", "-", "N/A", "NaN", "null", "Unknown"] {
            assert_eq!(license(nothing), None, "{nothing}");
        }
        assert_eq!(license("ask us").and_then(|license| license.attribution).as_deref(), Some("ask us"));
    }
}
