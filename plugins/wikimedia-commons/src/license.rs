//! Licences as description pages name them.

use pixcrawler_sdk::License;

/// The licence of a file. Commons says `Public domain` where Openverse says `pdm`, for the same
/// files, and so does this source: the work was identified as free of known restrictions, though
/// seldom with that very mark. Other free terms without an SPDX id are `unknown`, with their address.
pub(crate) fn license(
    code: Option<&str>,
    short: Option<&str>,
    url: Option<String>,
    attribution: Option<String>,
    creator: Option<&str>,
) -> License {
    let by_url = url.as_deref().map(|url| License::from_url(url).id).filter(|id| id != "unknown");
    let [code, name] = [code, short].map(|said| said.map(|said| said.to_ascii_lowercase().replace(' ', "-")));
    // Which GFDL it is only the name says.
    let is_gfdl =
        code.as_deref() == Some("gfdl") && name.as_deref().is_some_and(|name| name.starts_with("gfdl"));
    let code = code.filter(|_| !is_gfdl).or(name);
    let by_code = || id(&code?);
    // The form that Commons recommends.
    let line = || {
        let parts = [creator, short, Some("via Wikimedia Commons")];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    };
    License {
        id: by_url.or_else(by_code).unwrap_or_else(|| "unknown".to_owned()),
        url,
        attribution: Some(attribution.unwrap_or_else(line)),
    }
}

/// The id of `cc-by-sa-3.0-de`, `cc0`, `pd`, …, where every part of it is understood.
fn id(code: &str) -> Option<String> {
    let id = match code {
        "cc0" | "cc0-1.0" | "cc-zero" => "cc0-1.0",
        "pd" | "public-domain" | "cc-pd" | "cc-pd-mark" | "cc-pdm" | "cc-pdm-1.0" => "pdm-1.0",
        // Nothing is said of other countries than the United States.
        _ if code.starts_with("pd-") && code.split('-').any(|part| part.starts_with("us")) => return None,
        _ if code.starts_with("pd-") => "pdm-1.0",
        "gfdl" | "gfdl-1.2+" | "gfdl-1.2-or-later" => "gfdl-1.2-or-later",
        "gfdl-1.2" | "gfdl-1.2-only" => "gfdl-1.2-only",
        "gfdl-1.3+" | "gfdl-1.3-or-later" => "gfdl-1.3-or-later",
        "gfdl-1.3" | "gfdl-1.3-only" => "gfdl-1.3-only",
        "apache-2.0" | "apache-license-2.0" => "apache-2.0",
        "mit" | "mit-license" => "mit",
        "cc-sa-1.0" => "cc-sa-1.0",
        _ => return creative_commons(code.strip_prefix("cc-")?),
    };
    Some(id.to_owned())
}

/// The id of `by-sa-3.0-de` and the like. What follows the version is the country, that the licence
/// came from another one, or further versions, of which the newest stands first.
fn creative_commons(code: &str) -> Option<String> {
    let parts: Vec<_> = code.split(['-', ',']).collect();
    let is_version = |part: &&str| *part == "all" || part.starts_with(|c: char| c.is_ascii_digit());
    let end = parts.iter().position(is_version).unwrap_or(parts.len());
    let (name, versions) = (parts[..end].join("-"), &parts[end..]);
    let of = |version: Option<&str>| {
        Some(License::creative_commons_id(&name, version)).filter(|id| id != "unknown")
    };
    match versions {
        [] | ["all"] => of(None),
        [version, more @ ..] => {
            let is_country = |part: &str| {
                part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_lowercase())
                    || ["igo", "scotland"].contains(&part)
            };
            let countries = more.iter().filter(|part| is_country(part)).count();
            let known = |part: &&str| *part == "migrated" || is_country(part) || of(Some(part)).is_some();
            of(Some(version)).filter(|_| countries <= 1 && more.iter().all(known))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids() {
        let check = |code: Option<&str>, short: &str, url: Option<&str>, expect: &str| {
            let license = license(code, Some(short), url.map(str::to_owned), None, None);
            assert_eq!((license.id.as_str(), license.url.as_deref()), (expect, url), "{code:?} {short}");
        };
        let by_sa = "https://creativecommons.org/licenses/by-sa/3.0/de/deed.en";
        check(Some("cc-by-sa-3.0-de"), "CC BY-SA 3.0 de", Some(by_sa), "cc-by-sa-3.0");
        check(Some("cc-by-sa-3.0-de"), "CC BY-SA 3.0 de", None, "cc-by-sa-3.0");
        check(Some("cc-by-sa-4.0,3.0,2.5,2.0,1.0"), "CC BY-SA 4.0", None, "cc-by-sa-4.0");
        check(Some("cc-by-2.0"), "CC BY 2.0", None, "cc-by-2.0");
        check(None, "CC BY 2.5", None, "cc-by-2.5");
        check(Some("cc-sa-1.0"), "CC SA 1.0", None, "cc-sa-1.0");
        check(Some("cc0"), "CC0", None, "cc0-1.0");
        check(None, "CC0", Some("http://creativecommons.org/publicdomain/zero/1.0/deed.en"), "cc0-1.0");
        check(Some("pd"), "Public domain", None, "pdm-1.0");
        check(None, "Public domain", None, "pdm-1.0");
        check(Some("gfdl"), "GFDL", Some("http://www.gnu.org/copyleft/fdl.html"), "gfdl-1.2-or-later");
        check(None, "No restrictions", Some("https://www.flickr.com/commons/usage/"), "unknown");
        check(Some("attribution"), "Attribution", None, "unknown");
        check(Some("cc-by-sa-all"), "CC BY-SA", None, "cc-by-sa");
        check(Some("cc-by-nc-sa-4.0 / gfdl"), "CC BY-NC-SA 4.0 / GFDL", None, "unknown");
        check(None, "CC BY-SA 3.0 / GFDL", None, "unknown");
        check(None, "CC BY-SA 4.0-3.0-2.5", None, "cc-by-sa-4.0");
        check(None, "CC BY 3.0 us", None, "cc-by-3.0");
        check(None, "CC BY-SA 3.0 igo", None, "cc-by-sa-3.0");
        check(Some("cc-by-sa-3.0-migrated"), "CC BY-SA 3.0", None, "cc-by-sa-3.0");
        check(None, "CC BY 4.0 for personal use", None, "unknown");
        check(Some("cc-by-foo-4.0"), "CC BY-Foo 4.0", None, "unknown");
        check(Some("cc-by-sa-4.0,9.9"), "CC BY-SA 4.0", None, "unknown");
        check(Some("cc-sampling-1.0"), "CC Sampling 1.0", None, "unknown");
        check(Some("cc-by-sa"), "CC BY-SA", None, "cc-by-sa");
        check(Some("gfdl"), "GFDL 1.2", Some("http://www.gnu.org/copyleft/fdl.html"), "gfdl-1.2-only");
        check(Some("gfdl"), "GFDL 1.3 or later", None, "gfdl-1.3-or-later");
        check(Some("gfdl"), "GFDL 1.2 for some", None, "unknown");
        check(None, "GFDL 1.2+", None, "gfdl-1.2-or-later");
        check(Some("gfdl-1.3"), "GFDL 1.3", None, "gfdl-1.3-only");
        check(Some("mit"), "MIT", None, "mit");
        check(None, "Apache-2.0", None, "apache-2.0");
        check(Some("apache license 2.0"), "Apache License 2.0", None, "apache-2.0");
        check(Some("fal"), "FAL", None, "unknown");
        check(Some("cc-pd"), "CC-PD", None, "pdm-1.0");
        check(Some("cc-pd-not"), "No", None, "unknown");
        check(Some("pd-old-100"), "Public domain", None, "pdm-1.0");
        for us in ["pd-us", "pd-us-expired", "pd-usgov", "pd-ineligible-usonly"] {
            check(Some(us), us, None, "unknown");
        }
        assert_eq!(license(None, None, None, None, None).id, "unknown");
    }

    #[test]
    fn lines_to_print() {
        let line = |creator, short, given: Option<&str>| {
            license(None, short, None, given.map(str::to_owned), creator).attribution.unwrap()
        };
        assert_eq!(line(Some("Ada"), Some("CC BY 4.0"), None), "Ada, CC BY 4.0, via Wikimedia Commons");
        assert_eq!(line(None, Some("CC0"), None), "CC0, via Wikimedia Commons");
        assert_eq!(line(Some("Ada"), Some("CC BY 4.0"), Some("© Ada")), "© Ada");
    }
}
