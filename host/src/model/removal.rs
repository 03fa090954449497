//! What is taken out of datasets and kept out of them: which pictures, and whose.

use url::{Host, Url};

use super::{Candidate, DatasetId, ImageId, Pdq, Sha256, UserId, normalise};

/// Where pictures are taken out, and kept out after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovalScope {
    /// One dataset, and whose it is.
    Dataset(DatasetId, UserId),
    /// All of a user.
    User(UserId),
    /// Everybody's, by the operator.
    All,
}

impl RemovalScope {
    /// Whose datasets; none means all users'.
    #[must_use]
    pub const fn user(self) -> Option<UserId> {
        match self {
            Self::Dataset(_, user) | Self::User(user) => Some(user),
            Self::All => None,
        }
    }

    /// The only dataset, if it is one.
    #[must_use]
    pub const fn dataset(self) -> Option<DatasetId> {
        match self {
            Self::Dataset(dataset, _) => Some(dataset),
            Self::User(_) | Self::All => None,
        }
    }
}

/// Which pictures are taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RemovalCriterion {
    /// This one.
    Image(ImageId),
    /// From this address, which is [normal](normalise), or shown at it.
    Url(String),
    /// From this host or one below it, or shown there. As in addresses: ASCII, in lower case.
    Host(String),
    /// By this creator, in lower case.
    Creator(String),
    /// With these bytes.
    Sha256(Sha256),
    /// That look like the picture with this hash.
    Pdq(Pdq),
}

/// Tells an address, host, creator or file from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovalKey {
    /// Of what.
    pub kind: &'static str,
    /// SHA-256 of kind and value.
    pub digest: Sha256,
}

impl RemovalKey {
    fn new(kind: &'static str, value: &str) -> Self {
        Self { kind, digest: Sha256::of(format!("{kind}:{value}").as_bytes()) }
    }

    /// Of a file.
    #[must_use]
    pub fn of_bytes(sha256: &Sha256) -> Self {
        Self::new("sha256", &sha256.to_string())
    }

    /// Of an address, and of its host and those above that; none of what is no address.
    pub fn of_address(address: &str) -> impl Iterator<Item = Self> + use<> {
        let url = Url::parse(address).ok();
        let host = url.as_ref().and_then(Url::host_str).map(plain_host).map(str::to_owned);
        let hosts: Vec<Self> = host.iter().flat_map(|host| with_above(host)).map(Self::host).collect();
        url.map(|url| Self::new("url", &normalise(&url))).into_iter().chain(hosts)
    }

    fn host(host: &str) -> Self {
        Self::new("host", host)
    }

    /// Of a creator.
    #[must_use]
    pub fn of_creator(creator: &str) -> Self {
        Self::new("creator", &plain_creator(creator))
    }

    /// Of all that is known of a picture before it is downloaded, as its source says.
    #[must_use]
    pub fn of_candidate(candidate: &Candidate) -> Vec<Self> {
        let addresses = [Some(&candidate.url), candidate.page_url.as_ref()];
        let addresses = addresses.into_iter().flatten().flat_map(|address| Self::of_address(address));
        addresses.chain(candidate.creator.as_deref().map(Self::of_creator)).collect()
    }
}

impl RemovalCriterion {
    /// Reads an address.
    #[must_use]
    pub fn url(text: &str) -> Option<Self> {
        let url = Url::parse(text.trim()).ok()?;
        matches!(url.scheme(), "http" | "https").then(|| Self::Url(normalise(&url)))
    }

    /// Reads the name of a host, without scheme, port or path. One part alone, such as `org`, is none: that
    /// would be all hosts below it.
    #[must_use]
    pub fn host(text: &str) -> Option<Self> {
        let host = Host::parse(text.trim()).ok()?.to_string();
        let host = plain_host(&host);
        let is_one = host.contains(['.', ':']) || host == "localhost";
        is_one.then(|| Self::Host(host.to_owned()))
    }

    /// Reads a name.
    #[must_use]
    pub fn creator(text: &str) -> Option<Self> {
        let creator = plain_creator(text);
        (!creator.is_empty()).then_some(Self::Creator(creator))
    }

    /// As stored.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Image(_) => "image",
            Self::Url(_) => "url",
            Self::Host(_) => "host",
            Self::Creator(_) => "creator",
            Self::Sha256(_) => "sha256",
            Self::Pdq(_) => "pdq",
        }
    }

    /// As stored.
    #[must_use]
    pub fn value(&self) -> String {
        match self {
            Self::Image(image) => image.to_string(),
            Self::Url(text) | Self::Host(text) | Self::Creator(text) => text.clone(),
            Self::Sha256(sha256) => sha256.to_string(),
            Self::Pdq(pdq) => pdq.to_string(),
        }
    }

    /// What tells it from others.
    #[must_use]
    pub fn key(&self) -> RemovalKey {
        RemovalKey::new(self.kind(), &self.value())
    }

    /// What is kept out by that alone. A picture is by what it is, once it is taken out.
    #[must_use]
    pub fn kept_out(&self) -> Option<RemovalKey> {
        (!matches!(self, Self::Image(_) | Self::Pdq(_))).then(|| self.key())
    }
}

/// A host without the dot that may end it.
fn plain_host(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

fn plain_creator(creator: &str) -> String {
    creator.trim().to_lowercase()
}

/// A host and those above it. One that is a number has none.
fn with_above(host: &str) -> impl Iterator<Item = &str> {
    let is_number = host.starts_with('[') || host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let above = host.match_indices('.').filter(move |_| !is_number).map(|(at, _)| &host[at + 1..]);
    std::iter::once(host).chain(above)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keeps_out(criterion: Option<RemovalCriterion>, address: &str) -> bool {
        let key = criterion.unwrap().kept_out().unwrap();
        RemovalKey::of_address(address).any(|other| other == key)
    }

    #[test]
    fn hosts_and_those_below() {
        let host = |text: &str| RemovalCriterion::host(text);
        for (text, address, expect) in [
            ("example.org", "https://example.org/a", true),
            ("EXAMPLE.org.", "http://img.example.org:8080/a", true),
            ("example.org", "http://Example.org./a", true),
            ("example.org", "https://badexample.org/a", false),
            ("img.example.org", "https://example.org/a", false),
            ("bücher.example", "https://xn--bcher-kva.example/a", true),
            ("127.0.0.1", "http://127.0.0.1:9/a", true),
            ("0.0.1", "http://127.0.0.1:9/a", false),
            ("localhost", "http://localhost/a", true),
            ("[::1]", "http://[::1]:9/a", true),
            ("example.org", "no address", false),
        ] {
            assert_eq!(keeps_out(host(text), address), expect, "{text} {address}");
        }
        for wrong in ["", "org", "https://example.org", "example.org/a", "a b.org", "example.org:80"] {
            assert_eq!(host(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn addresses_however_they_are_spelt() {
        let url = RemovalCriterion::url(" HTTPS://Example.org:443/a#b ");
        assert!(keeps_out(url.clone(), "https://example.org/a"));
        assert!(!keeps_out(url, "https://example.org/b"));
        for wrong in ["", "example.org/a", "file:///a"] {
            assert_eq!(RemovalCriterion::url(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn creators_in_any_case() {
        let creator = RemovalCriterion::creator(" Ann Ö. ").unwrap();
        assert_eq!(creator.kept_out(), Some(RemovalKey::of_creator("ann ö.")));
        assert_eq!(RemovalCriterion::creator("  "), None);
        let page_url = Some("https://a.example/page".to_owned());
        let candidate = Candidate { creator: Some("ANN Ö.".to_owned()), page_url, ..Candidate::default() };
        let keys = RemovalKey::of_candidate(&candidate);
        assert!(keys.contains(&creator.key()));
        assert!(keys.contains(&RemovalCriterion::host("a.example").unwrap().key()));
    }
}
