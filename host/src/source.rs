//! What a source is, what it asks for and what it finds: the plugin contract
//! as plain data. The WIT types are turned into these at the edge (`plugin`),
//! so nothing else in the host depends on a version of the contract.

use serde::{Deserialize, Serialize};

/// What a plugin says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceInfo {
    /// Lower-case letters, digits and `-`; never changes.
    pub id: String,
    /// For people.
    pub name: String,
    /// Semantic version of the plugin.
    pub version: String,
    /// One or two sentences.
    pub description: String,
    /// The site's home page.
    pub homepage: Option<String>,
    /// Terms under which the source is used.
    pub terms_url: Option<String>,
    /// What `Query::text` is.
    pub input: Input,
    /// Hosts of the plugin's own requests.
    pub hosts: Vec<HostRule>,
    /// True for a source that asks for what robots.txt would forbid.
    pub ignores_robots: bool,
    /// What the user may set.
    pub options: Vec<OptionSpec>,
    /// Secrets that the operator may configure.
    pub credentials: Vec<CredentialSpec>,
    /// The source's own rate rule.
    pub requests_per_minute: Option<u32>,
    /// The most one query can ever give.
    pub max_results: Option<u32>,
}

/// What `Query::text` is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// What a person would type into a search box.
    Keywords,
    /// An absolute http(s) address.
    Address,
}

/// A host that a source asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRule {
    /// `example.org`, `*.example.org` or `*`.
    pub pattern: String,
    /// Whether robots.txt is asked.
    pub kind: HostKind,
}

impl HostRule {
    /// Whether `host` (lower case, as in a parsed URL) is meant by this rule.
    /// `*.example.org` means every subdomain but not `example.org` itself.
    #[must_use]
    pub fn matches(&self, host: &str) -> bool {
        match self.pattern.strip_prefix("*.") {
            Some(parent) => host.strip_suffix(parent).is_some_and(|sub| sub.len() > 1 && sub.ends_with('.')),
            None => self.pattern == "*" || self.pattern == host,
        }
    }
}

/// How a host is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HostKind {
    /// A documented API, used under its terms; robots.txt is not asked.
    Api,
    /// Pages made for people; robots.txt is asked.
    Web,
}

/// Something the user may set; a form can be drawn from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionSpec {
    /// Key in `Query::options`.
    pub name: String,
    /// For people.
    pub label: String,
    /// One sentence.
    pub help: String,
    /// Which values are legal.
    pub kind: OptionKind,
    /// A job without it is refused.
    pub required: bool,
    /// Used when the job says nothing.
    pub default: Option<String>,
    /// Value and label of each choice.
    pub choices: Vec<(String, String)>,
}

/// Which values an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OptionKind {
    /// Any text.
    Text,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
    /// One of `choices`.
    Choice,
    /// Several of `choices`, separated by commas.
    Choices,
}

/// A secret that the operator may configure; the host adds it, the plugin never sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialSpec {
    /// Name that requests use.
    pub name: String,
    /// Where to get one.
    pub help: String,
    /// Without it no crawl of this source is begun.
    pub required: bool,
    /// How the host uses the secret.
    pub kind: CredentialKind,
    /// Where it may be sent; each is one of `SourceInfo::hosts`.
    pub hosts: Vec<String>,
}

/// How the host uses a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum CredentialKind {
    /// In a header, after `prefix`.
    Header {
        /// For example `authorization`.
        name: String,
        /// For example `Bearer `.
        prefix: String,
    },
    /// In a query parameter.
    QueryParameter {
        /// Name of the parameter.
        name: String,
    },
    /// HTTP Basic; the secret is `user:password`.
    Basic,
    /// `OAuth` 2 client credentials; the secret is `id:secret`.
    Oauth2ClientCredentials {
        /// The https address that gives bearer tokens.
        token_url: String,
    },
}

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

/// Something for the host to fetch on behalf of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Comes back in the answer.
    pub key: String,
    /// GET or POST.
    pub method: Method,
    /// Absolute, http or https.
    pub url: String,
    /// Without those that are the host's business.
    pub headers: Vec<(String, String)>,
    /// For POST.
    pub body: Option<Content>,
    /// Name of a declared credential.
    pub credential: Option<String>,
    /// The source's id of the one thing this is about.
    pub item: Option<String>,
    /// The answer will be asked for again in this crawl.
    pub keep: bool,
}

impl Request {
    /// A plain GET.
    #[must_use]
    pub const fn get(url: String) -> Self {
        Self {
            key: String::new(),
            method: Method::Get,
            url,
            headers: Vec::new(),
            body: None,
            credential: None,
            item: None,
            keep: false,
        }
    }
}

/// How a request is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// GET.
    Get,
    /// POST.
    Post,
}

/// The body of a request or an answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// Decompressed and decoded.
    Text(String),
    /// Anything not known to be text.
    Binary(Vec<u8>),
}

impl Content {
    /// Size in bytes.
    #[must_use]
    pub const fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether there is nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// One request's outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// As asked.
    pub key: String,
    /// As asked.
    pub url: String,
    /// What came back, or why nothing did.
    pub outcome: Result<Response, Failure>,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Any status but those retried in vain.
    pub status: u16,
    /// Where the answer came from, after redirects.
    pub url: String,
    /// Names in lower case, without `set-cookie`.
    pub headers: Vec<(String, String)>,
    /// Decompressed.
    pub body: Content,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// By the host's rules; says which, and what to change.
    #[error("denied: {0}")]
    Denied(String),
    /// By the site's robots.txt.
    #[error("robots.txt forbids it: {0}")]
    Robots(String),
    /// Left out because of `Request::item`.
    #[error("left out, the item is already there")]
    Skipped,
    /// More than this many bytes.
    #[error("larger than {0} bytes")]
    TooLarge(u64),
    /// Longer than the host waits, retries included.
    #[error("timed out")]
    Timeout,
    /// No connection, TLS, an answer that breaks HTTP.
    #[error("network: {0}")]
    Network(String),
    /// Still this status after all retries.
    #[error("still status {0} after all retries")]
    Status(u16),
    /// What has no case of its own.
    #[error("{0}")]
    Other(String),
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

/// The form by which "seen before" is decided: no fragment, no default port, host in lower case.
#[must_use]
pub fn normalise(url: &url::Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    url.into()
}

/// A picture that may be downloaded. Only `url` must be known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Candidate {
    /// The largest original known.
    pub url: String,
    /// Other copies, best first, tried when `url` is gone for good.
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

/// What a source may reach: its declared hosts, granted, and its configured secrets.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    /// The source's id, for messages and pacing.
    pub source: String,
    /// Hosts of its own requests.
    pub hosts: Vec<HostRule>,
    /// Granted by name to ask for what robots.txt forbids.
    pub ignores_robots: bool,
    /// Credentials that are declared and configured.
    pub credentials: Vec<Credential>,
}

impl Grants {
    /// The rule that grants `host`; an exact or narrower pattern comes first in `hosts`.
    #[must_use]
    pub fn rule(&self, host: &str) -> Option<&HostRule> {
        self.hosts.iter().find(|rule| rule.matches(host))
    }
}

/// A declared credential with its secret.
#[derive(Clone, Debug)]
pub struct Credential {
    /// What the plugin declared.
    pub spec: CredentialSpec,
    /// What the operator configured; never printed.
    pub secret: secrecy::SecretString,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, host: &str) -> bool {
        HostRule { pattern: pattern.to_owned(), kind: HostKind::Api }.matches(host)
    }

    #[test]
    fn one_form_of_an_address() {
        let check = |text: &str, expect: &str| assert_eq!(normalise(&text.parse().unwrap()), expect);
        check("HTTPS://Example.ORG:443/A/../b?q#f", "https://example.org/b?q");
        check("http://example.org:443", "http://example.org:443/");
        check("https://bücher.example/%7E#", "https://xn--bcher-kva.example/%7E");
    }

    #[test]
    fn host_patterns() {
        assert!(matches("example.org", "example.org"));
        assert!(!matches("example.org", "a.example.org"));
        assert!(matches("*.example.org", "a.example.org"));
        assert!(matches("*.example.org", "a.b.example.org"));
        assert!(!matches("*.example.org", "example.org"));
        assert!(!matches("*.example.org", "badexample.org"));
        assert!(!matches("*.example.org", ".example.org"));
        assert!(matches("*", "anything.test"));
    }
}
