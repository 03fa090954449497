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
    let named = || short.map(|short| short.replace(' ', "-"));
    let by_code = || id(&code.map(str::to_owned).or_else(named)?.to_ascii_lowercase());
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

/// The id of `cc-by-sa-3.0-de`, `cc0`, `pd`, …
fn id(code: &str) -> Option<String> {
    match code {
        "cc0" | "cc-zero" => Some("cc0-1.0".to_owned()),
        "pd" | "public-domain" => Some("pdm-1.0".to_owned()),
        "gfdl" => Some("gfdl-1.2-or-later".to_owned()),
        _ if code.starts_with("pd-") || code.starts_with("cc-pd") => Some("pdm-1.0".to_owned()),
        _ if code.starts_with("cc-") => {
            // What follows the version is the country, or further versions.
            let version = code.split('-').position(|part| part.starts_with(|c: char| c.is_ascii_digit()));
            let parts = code.split('-').take(version.map_or(usize::MAX, |at| at + 1));
            let id = parts.collect::<Vec<_>>().join("-");
            Some(id.split(',').next().unwrap_or(&id).to_owned())
        }
        _ => None,
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
