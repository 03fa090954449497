//! Licences as lists name them.

use pixcrawler_sdk::{License, url};

use crate::creative_commons::Reading;

/// The licence that a list names: by a name, an id or an address in one column, and by its version
/// and its address in others; none where it says that it knows none.
///
/// What is not understood to the last word is `unknown`, with its words as the line to print: a
/// word that is left over may be the one that forbids something. So is what a name and an address
/// say that contradict each other.
#[must_use]
pub(crate) fn license(named: Option<&str>, version: Option<&str>, address: Option<&str>) -> Option<License> {
    let by_url = address.map(License::from_url);
    let Some(name) = named.map(str::trim).filter(|name| !is_nothing(&words(name))) else { return by_url };
    if let Some(url) = url::resolve(name, "") {
        let named = License::from_url(&url);
        let id = by_url.map_or(Some(named.id.clone()), |by_url| agreed(&named.id, &by_url.id));
        return Some(License { id: id.unwrap_or_else(unknown), ..named });
    }
    let name_words = words(name);
    let version_words = version.map(words).filter(|version| !is_nothing(version)).unwrap_or_default();
    let all: Vec<_> = name_words.iter().chain(&version_words).map(String::as_str).collect();
    let by_name = id(&all);
    let id = match (&by_name, &by_url) {
        (Some(by_name), Some(by_url)) => agreed(by_name, &by_url.id),
        (None, Some(by_url)) => Some(by_url.id.clone()).filter(|id| !limits(&all, id)),
        (by_name, None) => by_name.clone(),
    };
    let is_named = by_name.is_some() && id.is_some();
    Some(License {
        id: id.unwrap_or_else(unknown),
        url: by_url.and_then(|by_url| by_url.url),
        attribution: (!is_named).then(|| name.to_owned()),
    })
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// What the name's and the address's id have in common: of the same licence the one with the
/// version, and nothing of two different ones. An address that is not known says nothing.
fn agreed(by_name: &str, by_url: &str) -> Option<String> {
    let has_version_of = |long: &str, short: &str| {
        let version = long.strip_prefix(short).and_then(|rest| rest.strip_prefix('-'));
        version.is_some_and(|version| version.starts_with(|c: char| c.is_ascii_digit()))
    };
    let id = if by_url == by_name || by_url == "unknown" || has_version_of(by_name, by_url) {
        by_name
    } else if has_version_of(by_url, by_name) || (by_name, by_url) == ("pdm-1.0", "cc0-1.0") {
        // CC0 is a dedication to the public domain, and often called that.
        by_url
    } else {
        return None;
    };
    Some(id.to_owned())
}

/// Whether a name that is not understood may say less than the licence of that id allows.
fn limits(words: &[&str], id: &str) -> bool {
    const LIMITS: [&str; 14] = [
        "but",
        "editorial",
        "educational",
        "except",
        "no",
        "not",
        "only",
        "permission",
        "personal",
        "private",
        "reserved",
        "restricted",
        "unless",
        "without",
    ];
    let Reading { parts, versions, .. } = Reading::of(words);
    let is_other = |version: &String| !id.ends_with(version.as_str());
    words.iter().any(|word| LIMITS.contains(word) || word.starts_with("non"))
        || parts.iter().any(|part| !id.split('-').any(|known| known == *part))
        || !parts.is_empty() && versions.iter().any(is_other)
}

/// What a licence is called, in lower case and without punctuation.
fn words(named: &str) -> Vec<String> {
    // Other signs are left where they are, so that they are not understood: `CC BY*`.
    let is_between =
        |c: char| c.is_whitespace() || "-_/,;:()[]\"'".contains(c) || ('\u{2010}'..='\u{201f}').contains(&c);
    let lower = named.to_ascii_lowercase().replace('©', " © ");
    let words = lower.split(is_between).map(|word| word.trim_matches('.'));
    let words = words.map(|word| match word.strip_prefix('v') {
        Some(number) if number.starts_with(|c: char| c.is_ascii_digit()) => number,
        _ => word,
    });
    words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn is_nothing(words: &[String]) -> bool {
    const NOTHING: [&str; 8] = ["", "?", "n-a", "na", "nan", "none", "null", "unknown"];
    NOTHING.contains(&words.join("-").as_str())
}

fn id(words: &[&str]) -> Option<String> {
    if is_reserved(words) {
        return Some("all-rights-reserved".to_owned());
    }
    other(words).map(str::to_owned).or_else(|| Reading::of(words).id())
}

/// Whether nothing is allowed: all rights are reserved, or a line of copyright says no more than
/// since when and whose.
fn is_reserved(words: &[&str]) -> bool {
    const DOUBTS: [&str; 18] = [
        "but", "cc", "cc0", "commons", "creative", "domain", "except", "expired", "free", "licence",
        "license", "licensed", "no", "non", "not", "public", "some", "unless",
    ];
    let is_sign = |word: &&&str| ["copyright", "©", "c"].contains(*word);
    let signs = words.iter().take_while(is_sign).count();
    let year = words.get(signs).filter(|_| signs > 0);
    let is_year = year.is_some_and(|year| year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit()));
    let is_said = is_year || words.windows(3).any(|words| *words == ["all", "rights", "reserved"]);
    is_said && !words.iter().any(|word| DOUBTS.contains(word))
}

/// Licences other than those of Creative Commons that pictures are found under. One that
/// names no version stands for the versions that it is known to stand for.
fn other(words: &[&str]) -> Option<&'static str> {
    const IDS: [&str; 12] = [
        "all-rights-reserved",
        "apache-2.0",
        "bsd-3-clause",
        "gfdl-1.2-only",
        "gfdl-1.2-or-later",
        "gfdl-1.3-only",
        "gfdl-1.3-or-later",
        "lal-1.2",
        "lal-1.3",
        "mit",
        "odbl-1.0",
        "ogl-uk-3.0",
    ];
    const NAMES: [(&str, &str); 6] = [
        ("gfdl", "gfdl-1.2-or-later"),
        ("gfdl-1.2", "gfdl-1.2-only"),
        ("gfdl-1.2+", "gfdl-1.2-or-later"),
        ("gfdl-1.3", "gfdl-1.3-only"),
        ("gfdl-1.3+", "gfdl-1.3-or-later"),
        ("fal-1.3", "lal-1.3"),
    ];
    let words: Vec<_> = words
        .iter()
        .copied()
        .filter(|word| !["licence", "license", "the", "version"].contains(word))
        .collect();
    let name = words.join("-").replace("gnu-free-documentation", "gfdl");
    let named = NAMES.iter().find(|(known, _)| *known == name).map(|(_, id)| *id);
    named.or_else(|| IDS.into_iter().find(|id| *id == name))
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
            ("by", "cc-by"),
            ("Attribution License", "cc-by"),
            ("Attribution 4.0 International", "cc-by-4.0"),
            ("CC_BY_NC 2.0", "cc-by-nc-2.0"),
            ("CC BY‑SA 4", "cc-by-sa-4.0"),
            ("CC-BY v2.5", "cc-by-2.5"),
            ("Creative Commons Attribution-ShareAlike 3.0 Unported", "cc-by-sa-3.0"),
            ("Creative Commons Attribution-Share Alike 4.0", "cc-by-sa-4.0"),
            ("CC Attribution Non-Commercial Share Alike 4.0", "cc-by-nc-sa-4.0"),
            ("Creative Commons Attribution Non-Commercial 4.0", "cc-by-nc-4.0"),
            ("Creative Commons Attribution No Derivatives 4.0", "cc-by-nd-4.0"),
            ("Creative Commons Attribution-Noncommercial-No Derivative Works 2.0 Generic", "cc-by-nc-nd-2.0"),
            ("Creative Commons Attribution 4.0 International Public License", "cc-by-4.0"),
            ("Attribution-NonCommercial 4.0 International (CC BY-NC 4.0)", "cc-by-nc-4.0"),
            ("CC BY-SA 3.0 de", "cc-by-sa-3.0"),
            ("CC-BY-NC-SA-2.0-UK", "cc-by-nc-sa-2.0"),
            ("CC0", "cc0-1.0"),
            ("CC0-1.0", "cc0-1.0"),
            ("Creative Commons Zero", "cc0-1.0"),
            ("CC0 1.0 Universal (CC0 1.0) Public Domain Dedication", "cc0-1.0"),
            ("Public Domain Mark 1.0", "pdm-1.0"),
            ("pdm-1.0", "pdm-1.0"),
            ("public domain", "pdm-1.0"),
            ("In the public domain.", "pdm-1.0"),
            ("PD", "pdm-1.0"),
            ("All rights reserved.", "all-rights-reserved"),
            ("Copyright 2026 by Ada", "all-rights-reserved"),
            ("©2026 Ada. All Rights Reserved", "all-rights-reserved"),
            ("(c) 2026 Ada", "all-rights-reserved"),
            ("MIT", "mit"),
            ("The MIT License", "mit"),
            ("Apache License, Version 2.0", "apache-2.0"),
            ("ODbL-1.0", "odbl-1.0"),
            ("GFDL", "gfdl-1.2-or-later"),
            ("GNU Free Documentation License", "gfdl-1.2-or-later"),
            ("GFDL 1.2", "gfdl-1.2-only"),
            ("GFDL-1.3-or-later", "gfdl-1.3-or-later"),
            ("https://creativecommons.org/licenses/by/4.0/", "cc-by-4.0"),
        ] {
            assert_eq!(
                license(Some(named), None, None),
                Some(License::new(expect)).map(|known| License { url: url::resolve(named, ""), ..known }),
                "{named}"
            );
        }
    }

    #[test]
    fn what_is_not_fully_understood_is_unknown() {
        for named in [
            "ask us",
            "by arrangement",
            "Attribution",
            "Attribution required",
            "CC",
            "Zero",
            "Zero 1.0",
            "Creative Commons",
            "CC BY 4.0 for personal use",
            "CC BY 4.0, no AI",
            "CC BY 4.0 no",
            "CC BY*",
            "CC BY?",
            "Not CC BY 4.0",
            "CC BY 4.0 or CC BY 2.0",
            "CC BY-ND-SA 4.0",
            "CC BY 7.0",
            "CC0 or CC BY",
            "CC BY de",
            "CC non kommerziell BY 4.0",
            "CC BY-NCSA",
            "Not public domain",
            "Not in the public domain",
            "Public domain in the United States only",
            "Public domain (US)",
            "PD-US",
            "No known copyright restrictions",
            "No rights reserved",
            "Some rights reserved",
            "Not all rights reserved",
            "No Copyright - United States",
            "copyright-free",
            "Copyright undetermined",
            "Copyright 2026 by Ada, CC BY",
            "cc by cc by cc by cc by cc by cc by cc by cc by cc by cc by cc by cc by cc by cc by no",
            "GFDL 1.2 or so",
            "MIT or GPL",
            "FAL",
        ] {
            // The words are not lost.
            let expect = License { attribution: Some(named.to_owned()), ..License::new("unknown") };
            assert_eq!(license(Some(named), None, None), Some(expect), "{named}");
        }
        let terms = "https://example.org/terms";
        assert_eq!(license(Some(terms), None, None), Some(License::from_url(terms)));
        for nothing in ["", " ", "?", "-", "N/A", "NaN", "null", "Unknown"] {
            assert_eq!(license(Some(nothing), Some("4.0"), None), None, "{nothing}");
        }
    }

    #[test]
    fn the_version_may_stand_apart() {
        for (named, version, expect) in [
            ("by-nc", "2.0", "cc-by-nc-2.0"),
            ("CC BY", "4", "cc-by-4.0"),
            ("CC BY 4.0", "4.0", "cc-by-4.0"),
            ("CC BY 4.0", "2.0", "unknown"),
            ("CC BY", "N/A", "cc-by"),
            ("cc0", "1.0", "cc0-1.0"),
            ("GFDL", "1.2", "gfdl-1.2-only"),
            ("ask us", "1.2", "unknown"),
        ] {
            let id = license(Some(named), Some(version), None).map(|license| license.id);
            assert_eq!(id.as_deref(), Some(expect), "{named} {version}");
        }
    }

    #[test]
    fn a_name_and_an_address_are_of_one_licence() {
        for (named, path, expect) in [
            ("CC BY", "licenses/by/4.0/", "cc-by-4.0"),
            ("CC BY 4.0", "licenses/by/deed.en", "cc-by-4.0"),
            ("CC BY 4.0", "licenses/by/4.0/", "cc-by-4.0"),
            ("CC BY 4.0", "about/", "cc-by-4.0"),
            ("ours", "licenses/by/4.0/", "cc-by-4.0"),
            ("CC BY-SA 3.0 Germany", "licenses/by-sa/3.0/de/", "cc-by-sa-3.0"),
            ("4", "licenses/by/2.0/", "cc-by-2.0"),
            ("Public domain", "publicdomain/zero/1.0/", "cc0-1.0"),
            ("CC BY 4.0", "licenses/by/2.0/", "unknown"),
            ("CC BY-SA 3.0 Germany", "licenses/by-sa/4.0/", "unknown"),
            ("CC BY", "licenses/by-nc/4.0/", "unknown"),
            ("CC BY-NC", "licenses/by/4.0/", "unknown"),
            ("All rights reserved", "licenses/by/4.0/", "unknown"),
            ("CC0", "publicdomain/mark/1.0/", "unknown"),
            ("Not public domain", "publicdomain/mark/1.0/", "unknown"),
            ("Non-commercial use", "licenses/by/4.0/", "unknown"),
            ("CC BY-SA 3.0 Germany", "licenses/by/3.0/de/", "unknown"),
            ("https://creativecommons.org/licenses/by-nc/4.0/", "licenses/by/4.0/", "unknown"),
            ("https://example.org/terms", "licenses/by/4.0/", "unknown"),
        ] {
            let address = format!("https://creativecommons.org/{path}");
            let found = license(Some(named), None, Some(&address)).unwrap();
            assert_eq!(found.id, expect, "{named} {path}");
            let own = named.starts_with("https:").then_some(named);
            assert_eq!(found.url.as_deref(), Some(own.unwrap_or(&address)), "{named}");
        }
    }
}
