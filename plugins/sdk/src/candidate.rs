//! What a source offers: pictures and their licences.

use crate::{Candidate, Dimensions, License, Result, Side};

impl Candidate {
    /// A picture of which only the address is known; the rest by struct update.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            alternates: Vec::new(),
            id: None,
            page_url: None,
            thumbnail_url: None,
            title: None,
            description: None,
            creator: None,
            creator_url: None,
            license: None,
            published: None,
            dimensions: None,
            mime: None,
            byte_size: None,
            checksum: None,
            tags: Vec::new(),
            headers: Vec::new(),
            credential: None,
            extra: Vec::new(),
        }
    }

    /// As [`new`](Self::new), for an address as a site gives it.
    ///
    /// # Errors
    /// When it is no absolute http(s) address; the scheme may be in capitals.
    pub fn at(url: impl Into<String>) -> Result<Self, String> {
        let url = url.into();
        let starts_with =
            |scheme: &str| url.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
        if starts_with("https://") || starts_with("http://") {
            return Ok(Self::new(url));
        }
        Err(format!("not the address of a picture: {}", url.chars().take(100).collect::<String>()))
    }
}

impl Candidate {
    /// As [`at`](Self::at), for a picture that a site has several copies of, best first: the first
    /// that has an address, with the others as alternates.
    ///
    /// # Errors
    /// When none has; what is said is of the first.
    pub fn of_copies(copies: impl IntoIterator<Item = impl Into<String>>) -> Result<Self, String> {
        let mut fault = None;
        let copies = copies.into_iter().filter_map(|copy| match Self::at(copy) {
            Ok(found) => Some(found.url),
            Err(why) => {
                fault.get_or_insert(why);
                None
            }
        });
        let mut copies: Vec<String> = copies.collect();
        if copies.is_empty() {
            return Err(fault.unwrap_or_else(|| "no address of a picture".to_owned()));
        }
        let best = copies.remove(0);
        Ok(Self { alternates: copies, ..Self::new(best) })
    }

    /// The picture in these classes, the foremost first: that is its folder in the dataset, unless the user
    /// gave another to the whole input. For sources that know classes, as those of labelled collections;
    /// words for what a picture shows are `tags`.
    #[must_use]
    pub fn with_labels(mut self, labels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.extra.extend(labels.into_iter().map(|label| ("label".to_owned(), label.into())));
        self
    }
}

impl Dimensions {
    /// Width and height in pixels, if both are known and neither is 0.
    #[must_use]
    pub fn known(width: Option<u32>, height: Option<u32>) -> Option<Self> {
        match (width, height) {
            (Some(width @ 1..), Some(height @ 1..)) => Some(Self { width, height }),
            _ => None,
        }
    }

    /// As [`known`](Self::known), for sides as a site gives them.
    #[must_use]
    pub fn of(width: Option<Side>, height: Option<Side>) -> Option<Self> {
        let side = |given: Option<Side>| given.and_then(|Side(side)| side);
        Self::known(side(width), side(height))
    }
}

impl License {
    /// A licence of which only the id is known; the rest by struct update.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self { id: id.into(), url: None, attribution: None }
    }

    /// The licence that a page or an API names by its address. Creative Commons
    /// addresses give their id, all others `unknown` and the address.
    #[must_use]
    pub fn from_url(url: &str) -> Self {
        let id = creative_commons(url).unwrap_or_else(|| "unknown".to_owned());
        Self { url: Some(url.to_owned()), ..Self::new(id) }
    }

    /// The id of a Creative Commons licence (`by-nc`, `2.0`), of `cc0` or of
    /// the public domain mark (`pdm`). `unknown` for everything else, retired
    /// ones (`sampling+`) and versions that there are not among them: no part
    /// of a licence is left out.
    #[must_use]
    pub fn creative_commons_id(code: &str, version: Option<&str>) -> String {
        let code = code.trim().to_ascii_lowercase().replace("nd-nc", "nc-nd");
        let version = version.map(str::trim).filter(|version| !version.is_empty());
        match (code.as_str(), version) {
            // These two have one version, and many sources do not say it.
            ("cc0" | "pdm", None | Some("1.0")) => format!("{code}-1.0"),
            (known, None) if LICENSES.contains(&known) => format!("cc-{code}"),
            (known, Some(version)) if LICENSES.contains(&known) && VERSIONS.contains(&version) => {
                format!("cc-{code}-{version}")
            }
            _ => "unknown".to_owned(),
        }
    }
}

/// The licences of Creative Commons, and the versions that they have had.
const LICENSES: [&str; 6] = ["by", "by-nc", "by-nc-nd", "by-nc-sa", "by-nd", "by-sa"];
const VERSIONS: [&str; 6] = ["1.0", "2.0", "2.1", "2.5", "3.0", "4.0"];

/// The media type that a file name's extension stands for (`jpg`, `.PNG`), if it is a picture's.
#[must_use]
pub fn media_type(extension: &str) -> Option<&'static str> {
    match extension.trim_start_matches('.').to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" => Some("image/jpeg"),
        "png" => Some("image/png"),
        "gif" => Some("image/gif"),
        "webp" => Some("image/webp"),
        "svg" => Some("image/svg+xml"),
        "tif" | "tiff" => Some("image/tiff"),
        _ => None,
    }
}

fn creative_commons(url: &str) -> Option<String> {
    let url = url.trim().to_ascii_lowercase();
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).unwrap_or(&url);
    let path = rest.strip_prefix("www.").unwrap_or(rest).strip_prefix("creativecommons.org/")?;
    let path = path.split(['?', '#']).next()?;
    // Words behind the address may say anything.
    if !path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/.-_".contains(&byte)) {
        return None;
    }
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    let (kind, code, version) = (parts.next()?, parts.next()?, parts.next());
    // `/licenses/by/deed.de` names no version.
    let version = version.filter(|version| version.starts_with(|c: char| c.is_ascii_digit()));
    match (kind, code) {
        ("publicdomain", "zero") => Some(License::creative_commons_id("cc0", version)),
        ("publicdomain", "mark") => Some(License::creative_commons_id("pdm", version)),
        ("licenses", code) if code.starts_with("by") => Some(License::creative_commons_id(code, version)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_by_address() {
        let check = |url: &str, expect: &str| {
            let license = License::from_url(url);
            assert_eq!((license.id.as_str(), license.url.as_deref()), (expect, Some(url)));
        };
        check("https://creativecommons.org/licenses/by/4.0/", "cc-by-4.0");
        check("http://www.creativecommons.org/licenses/by-nc-sa/2.0/deed.de", "cc-by-nc-sa-2.0");
        check("https://creativecommons.org/licenses/by-nd-nc/1.0/jp/", "cc-by-nc-nd-1.0");
        check("//creativecommons.org/licenses/by-sa/3.0", "unknown");
        check("creativecommons.org/licenses/by-sa/3.0", "cc-by-sa-3.0");
        check("https://creativecommons.org/licenses/by/deed.en", "cc-by");
        check("https://creativecommons.org/publicdomain/zero/1.0/", "cc0-1.0");
        check("https://creativecommons.org/publicdomain/mark/1.0/", "pdm-1.0");
        check("https://creativecommons.org/about/", "unknown");
        check("https://creativecommons.org.example.org/licenses/by/4.0/", "unknown");
        check("https://example.org/terms", "unknown");
        check("", "unknown");
        check(" HTTPS://CreativeCommons.org/licenses/by/4.0/legalcode.de?ref=chooser#s1 ", "cc-by-4.0");
        check("https://creativecommons.org/licenses/by/2.1/jp/", "cc-by-2.1");
        check("https://creativecommons.org/licenses/by-nc-only/4.0/", "unknown");
        check("https://creativecommons.org/licenses/bye/4.0/", "unknown");
        check("https://creativecommons.org/licenses/by/4.0,3.0/", "unknown");
        check("https://creativecommons.org/licenses/by/5/", "unknown");
        check("https://creativecommons.org/publicdomain/zero/9.9/", "unknown");
        check("https://creativecommons.org/licenses/by/4.0/ but ask first", "unknown");
        check("https://creativecommons.org/licenses/by/4.0/%20but%20ask", "unknown");
        check("https://creativecommons.org/?licenses/by/4.0/", "unknown");
        check("not https://creativecommons.org/licenses/by/4.0/", "unknown");
        check("ftp://creativecommons.org/licenses/by/4.0/", "unknown");
    }

    #[test]
    fn licences_by_code() {
        let check = |code: &str, version: Option<&str>, expect: &str| {
            assert_eq!(License::creative_commons_id(code, version), expect);
        };
        check("by", Some("4.0"), "cc-by-4.0");
        check("BY-NC-ND", Some("2.0"), "cc-by-nc-nd-2.0");
        check("cc0", Some("1.0"), "cc0-1.0");
        check("cc0", None, "cc0-1.0");
        check("pdm", Some(""), "pdm-1.0");
        check("by-nd-nc", Some("1.0"), "cc-by-nc-nd-1.0");
        check("by", None, "cc-by");
        check("sampling+", Some("1.0"), "unknown");
        check("by-nd-sa", Some("4.0"), "unknown");
        check("by-nc-only", None, "unknown");
        check("by", Some("4.0 or so"), "unknown");
        check("by", Some("7.0"), "unknown");
        check("cc0", Some("4.0"), "unknown");
        check("", None, "unknown");
    }

    #[test]
    fn copies_without_an_address_are_left_out() {
        let (a, b) = ("https://example.org/a.jpg", "HTTP://example.org/b.jpg");
        for (copies, url, alternates) in [
            (&[a, b][..], a, &[b][..]),
            (&["", a, "/b.jpg", b], a, &[b]),
            (&["//example.org/a.jpg", b], b, &[]),
        ] {
            let alternates = alternates.iter().map(|url| (*url).to_owned()).collect();
            assert_eq!(
                Candidate::of_copies(copies.to_vec()),
                Ok(Candidate { alternates, ..Candidate::new(url) })
            );
        }
        let fault = Candidate::of_copies(["/a.jpg", ""]);
        assert_eq!(fault, Err("not the address of a picture: /a.jpg".to_owned()));
        assert_eq!(Candidate::of_copies([""; 0]), Err("no address of a picture".to_owned()));
    }

    #[test]
    fn media_types_by_extension() {
        for (extension, expect) in
            [("jpg", Some("image/jpeg")), (".PNG", Some("image/png")), ("mp4", None), ("", None)]
        {
            assert_eq!(media_type(extension), expect, "{extension}");
        }
    }

    #[test]
    fn classes_are_pairs_of_their_own() {
        let own = Candidate {
            extra: vec![("a.b".to_owned(), "c".to_owned())],
            ..Candidate::new("https://a.example/")
        };
        let pairs = [("a.b", "c"), ("label", "fox"), ("label", "wild")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(own.with_labels(["fox", "wild"]).extra, pairs);
    }

    #[test]
    fn a_size_needs_both_sides() {
        assert_eq!(Dimensions::known(Some(2), Some(1)), Some(Dimensions { width: 2, height: 1 }));
        assert_eq!(Dimensions::known(Some(2), None), None);
        assert_eq!(Dimensions::known(Some(0), Some(1)), None);
    }
}
