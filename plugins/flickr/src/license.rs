//! Flickr's licences, which it numbers.

use pixcrawler_sdk::License;

/// A licence of Flickr.
pub(crate) struct Known {
    /// Its id, or for what has no id the name by which it is asked for.
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    /// Where Flickr says what it means, if not at Creative Commons.
    url: Option<&'static str>,
}

const fn known(name: &'static str, label: &'static str) -> Known {
    Known { name, label, url: None }
}

/// By their number (`flickr.photos.licenses.getInfo`); those of version 4.0 came in 2025.
pub(crate) const LICENSES: [Known; 17] = [
    known("all-rights-reserved", "All rights reserved"),
    known("cc-by-nc-sa-2.0", "CC BY-NC-SA 2.0"),
    known("cc-by-nc-2.0", "CC BY-NC 2.0"),
    known("cc-by-nc-nd-2.0", "CC BY-NC-ND 2.0"),
    known("cc-by-2.0", "CC BY 2.0"),
    known("cc-by-sa-2.0", "CC BY-SA 2.0"),
    known("cc-by-nd-2.0", "CC BY-ND 2.0"),
    Known {
        url: Some("https://www.flickr.com/commons/usage/"),
        ..known("no-known-restrictions", "No known copyright restrictions")
    },
    Known {
        url: Some("http://www.usa.gov/copyright.shtml"),
        ..known("us-government-work", "United States government work")
    },
    known("cc0-1.0", "CC0 1.0"),
    known("pdm-1.0", "Public Domain Mark 1.0"),
    known("cc-by-4.0", "CC BY 4.0"),
    known("cc-by-sa-4.0", "CC BY-SA 4.0"),
    known("cc-by-nd-4.0", "CC BY-ND 4.0"),
    known("cc-by-nc-4.0", "CC BY-NC 4.0"),
    known("cc-by-nc-sa-4.0", "CC BY-NC-SA 4.0"),
    known("cc-by-nc-nd-4.0", "CC BY-NC-ND 4.0"),
];

/// The licence of that number for a photo of that title and owner.
pub(crate) fn license(number: &str, title: Option<&str>, owner: Option<&str>) -> License {
    let Some(known) = number.parse().ok().and_then(|number: usize| LICENSES.get(number)) else {
        return License::new("unknown");
    };
    // What Flickr links to says what may be done, but is no licence with an id.
    let id = if known.url.is_some() { "unknown" } else { known.name };
    let work = title.unwrap_or("Photo");
    let by = owner.map_or_else(String::new, |owner| format!(" by {owner}"));
    License {
        url: known.url.map(str::to_owned).or_else(|| creative_commons(known.name)),
        attribution: Some(format!("{work}{by}, {}, via Flickr", known.label)),
        ..License::new(id)
    }
}

fn creative_commons(id: &str) -> Option<String> {
    let path = match id {
        "cc0-1.0" => "publicdomain/zero/1.0".to_owned(),
        "pdm-1.0" => "publicdomain/mark/1.0".to_owned(),
        _ => {
            let (code, version) = id.strip_prefix("cc-")?.rsplit_once('-')?;
            format!("licenses/{code}/{version}")
        }
    };
    Some(format!("https://creativecommons.org/{path}/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences() {
        let check = |number: &str, id: &str, url: Option<&str>| {
            let license = license(number, None, None);
            assert_eq!((license.id.as_str(), license.url.as_deref()), (id, url), "{number}");
            // What is read from the address is the same licence.
            let by_address = url.map_or("unknown".to_owned(), |url| License::from_url(url).id);
            assert!(by_address == id || url.is_none(), "{number}");
        };
        check("0", "all-rights-reserved", None);
        check("1", "cc-by-nc-sa-2.0", Some("https://creativecommons.org/licenses/by-nc-sa/2.0/"));
        check("4", "cc-by-2.0", Some("https://creativecommons.org/licenses/by/2.0/"));
        check("7", "unknown", Some("https://www.flickr.com/commons/usage/"));
        check("8", "unknown", Some("http://www.usa.gov/copyright.shtml"));
        check("9", "cc0-1.0", Some("https://creativecommons.org/publicdomain/zero/1.0/"));
        check("10", "pdm-1.0", Some("https://creativecommons.org/publicdomain/mark/1.0/"));
        check("11", "cc-by-4.0", Some("https://creativecommons.org/licenses/by/4.0/"));
        check("16", "cc-by-nc-nd-4.0", Some("https://creativecommons.org/licenses/by-nc-nd/4.0/"));
        check("17", "unknown", None);
        check("x", "unknown", None);
        for known in &LICENSES {
            assert!(
                known.url.is_some()
                    || known.label.starts_with("All")
                    || creative_commons(known.name).is_some()
            );
        }
    }

    #[test]
    fn lines_to_print() {
        let line = |title, owner| license("4", title, owner).attribution.unwrap();
        assert_eq!(line(Some("Fox"), Some("Ada")), "Fox by Ada, CC BY 2.0, via Flickr");
        assert_eq!(line(None, None), "Photo, CC BY 2.0, via Flickr");
    }
}
