//! What a source says of itself, and what it may do for that.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What a plugin says of itself; as default nothing is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Why the operator must allow it by name.
    pub restriction: Option<String>,
    /// What the user may set.
    pub options: Vec<OptionSpec>,
    /// Secrets that the operator may configure.
    pub credentials: Vec<CredentialSpec>,
    /// The source's own rate rule.
    pub requests_per_minute: Option<u32>,
    /// The most one query can ever give.
    pub max_results: Option<u32>,
}

impl SourceInfo {
    /// Time between two requests to one host, by the source's own rate rule; none without one.
    #[must_use]
    pub fn interval(&self) -> Duration {
        let per_minute = self.requests_per_minute.filter(|rate| *rate > 0);
        per_minute.map_or(Duration::ZERO, |rate| Duration::from_secs(60) / rate)
    }

    /// What it requires and is not given, by name.
    #[must_use]
    pub fn missing_credential(&self, is_given: impl Fn(&str) -> bool) -> Option<&CredentialSpec> {
        self.credentials.iter().find(|spec| spec.required && !is_given(&spec.name))
    }
}

/// What `Query::text` is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// What a person would type into a search box.
    #[default]
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

impl HostKind {
    /// As the contract writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Web => "web",
        }
    }
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
    pub credentials: Vec<GrantedSecret>,
    /// Names of all credentials that are declared.
    pub declared: Vec<String>,
}

impl Grants {
    /// The rule that grants `host`; an exact or narrower pattern comes first in `hosts`.
    #[must_use]
    pub fn rule(&self, host: &str) -> Option<&HostRule> {
        self.hosts.iter().find(|rule| rule.matches(host))
    }

    /// Whether a credential of this name is declared and configured.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.credentials.iter().any(|given| given.spec.name == name)
    }
}

/// A declared credential with its secret.
#[derive(Clone, Debug)]
pub struct GrantedSecret {
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
