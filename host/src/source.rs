//! What a source is, what it asks for and what it finds: the plugin contract
//! as plain data. The WIT types are turned into these at the edge (`plugin`),
//! so nothing else in the host depends on a version of the contract.

mod address;
mod answers;
mod cookies;
mod exchange;
mod stats;
mod info;
mod option;

pub use address::{address, encoding_of};
pub use answers::{AnswerBudget, Answers};
pub use cookies::Cookies;
pub use exchange::{Answer, Content, Failure, Method, Request, Response, is_hosts_header};
pub use info::{
    CredentialKind, CredentialSpec, GrantedSecret, Grants, HostKind, HostRule, Input, OptionKind, OptionSpec,
    SourceInfo,
};
pub use option::plain_text;
pub use stats::SourceStats;

use serde::{Deserialize, Serialize};

/// What a chunk looks for. The same in every step of a crawl.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Query {
    /// Keywords or an address.
    pub text: String,
    /// Images the whole job wants: a hint for page sizes.
    pub limit: u32,
    /// Leave out what is not safe for work, where the source can tell.
    pub safe_search: bool,
    /// BCP 47.
    pub language: Option<String>,
    /// Values for the declared options, defaults filled in.
    pub options: Vec<(String, String)>,
    /// Names of the declared credentials that are configured.
    pub credentials: Vec<String>,
}

/// What a source found and what it wants next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Pictures that may be downloaded, in order.
    pub candidates: Vec<Candidate>,
    /// What the host does next.
    pub next: Next,
    /// Handed back in the next call.
    pub state: String,
    /// For the person whose crawl it is.
    pub warnings: Vec<String>,
}

/// What the host does next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Next {
    /// The source has no more.
    Done,
    /// Perform these, then call again with the answers in the same order.
    Fetch(Vec<Request>),
    /// Call again at once with the same answers and the new state.
    Again,
}

/// A source's own refusal to make a step. State and requests stay as they were.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The user's; never retried.
    #[error("{0}")]
    InvalidQuery(String),
    /// The operator's; never retried.
    #[error("credential missing or refused: {0}")]
    Unauthorized(String),
    /// The site's; seconds to wait, if known.
    #[error("the site limits the rate of requests")]
    RateLimited(Option<u32>),
    /// The site's.
    #[error("the site is unavailable: {0}")]
    Unavailable(String),
    /// The plugin author's.
    #[error("the site no longer looks as expected: {0}")]
    LayoutChanged(String),
    /// Counts as the plugin's fault.
    #[error("{0}")]
    Other(String),
}

impl SourceError {
    /// Its name in the contract.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::InvalidQuery(_) => "invalid-query",
            Self::Unauthorized(_) => "unauthorized",
            Self::RateLimited(_) => "rate-limited",
            Self::Unavailable(_) => "unavailable",
            Self::LayoutChanged(_) => "layout-changed",
            Self::Other(_) => "other",
        }
    }
}

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
    /// For the download; sent only to granted hosts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<(String, String)>,
    /// For the download.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// What has no field of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extra: Vec<(String, String)>,
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
