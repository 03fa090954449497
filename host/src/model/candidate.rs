//! A picture that a source found: where it is and what the source says of it.

use serde::{Deserialize, Serialize};

use super::ConsentSignal;

/// Longest name of a class, in characters.
pub const LONGEST_LABEL: usize = 100;
/// Classes of a picture.
pub const MOST_LABELS: usize = 100;

/// A picture that may be downloaded. Only `url` must be known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Candidate {
    /// The largest original known.
    pub url: String,
    /// Other copies, best first, tried in order when one is refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alternates: Vec<String>,
    /// The source's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The page a person would open to see it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_url: Option<String>,
    /// A small copy, for previews.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail_url: Option<String>,
    /// Title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Description or alternative text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creator: Option<String>,
    /// The creator's page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creator_url: Option<String>,
    /// Under which terms it is offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub license: Option<License>,
    /// RFC 3339 date or date-time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<String>,
    /// Width and height in pixels, as declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dimensions: Option<(u32, u32)>,
    /// Media type, as declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// In bytes, as declared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub byte_size: Option<u64>,
    /// What the source says about the bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Checksum>,
    /// The source's own words for what it shows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The classes that the source puts it in, the foremost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// For the download; sent only to granted hosts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// For the download.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// What has no field of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<(String, String)>,
    /// What its page says of its use, as the host read it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub consent: Vec<ConsentSignal>,
}

/// Under which terms a picture is offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct License {
    /// Lower-case SPDX where there is one.
    pub id: String,
    /// The licence's text.
    pub url: Option<String>,
    /// The line to print beside the picture.
    pub attribution: Option<String>,
}

/// A checksum as the source declares it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// The algorithm.
    pub digest: Digest,
    /// Lower-case hexadecimal.
    pub hex: String,
}

/// The algorithm of a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Digest {
    /// MD5.
    Md5,
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
}

/// The form by which "seen before" is decided: no fragment, no default port, host in lower case.
#[must_use]
pub fn normalise(url: &url::Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    url.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_of_an_address() {
        let check = |text: &str, expect: &str| assert_eq!(normalise(&text.parse().unwrap()), expect);
        check("HTTPS://Example.ORG:443/A/../b?q#f", "https://example.org/b?q");
        check("http://example.org:443", "http://example.org:443/");
        check("https://bücher.example/%7E#", "https://xn--bcher-kva.example/%7E");
    }

    proptest::proptest! {
        #[test]
        fn the_form_of_a_form_is_itself(
            any: String,
            likely in "(https?|HTTP)://[a-zA-Z0-9.ü-]{1,8}(:(80|443|8080))?(/|\\.\\.|\\.|%[0-9a-fA-F]{2}|\\?|#|&|=|ü| |[A-Z]){0,12}",
        ) {
            for text in [any, likely] {
                let Ok(url) = url::Url::parse(&text) else { continue };
                let form = normalise(&url);
                proptest::prop_assert!(!form.contains('#'));
                let again = url::Url::parse(&form).map(|url| normalise(&url));
                proptest::prop_assert_eq!(again.as_ref(), Ok(&form));
            }
        }
    }
}
