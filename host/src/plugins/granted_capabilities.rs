//! What an operator was shown and agreed to, and whether a source asks for more than that.

use serde::{Deserialize, Serialize};

use crate::model::{CredentialKind, CredentialSpec, HostKind, HostRule, SourceInfo};

/// What a source may do because its operator said so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantedCapabilities {
    /// Go on where robots.txt forbids it.
    pub ignores_robots: bool,
    /// Be used in spite of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restriction: Option<String>,
    /// Ask these hosts.
    pub hosts: Vec<HostRule>,
    /// Have the host add these secrets, where they are configured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub credentials: Vec<GrantedCredential>,
}

/// A secret that a source may have added to its requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GrantedCredential {
    /// As the source names it.
    pub name: String,
    /// Where it may be sent.
    pub hosts: Vec<String>,
    /// How it is sent.
    pub how: CredentialKind,
}

impl GrantedCapabilities {
    /// Grants all that `info` asks for.
    #[must_use]
    pub fn to(info: &SourceInfo) -> Self {
        let credential = |spec: &CredentialSpec| GrantedCredential {
            name: spec.name.clone(),
            hosts: spec.hosts.clone(),
            how: spec.kind.clone(),
        };
        Self {
            ignores_robots: info.ignores_robots,
            restriction: info.restriction.clone(),
            hosts: info.hosts.clone(),
            credentials: info.credentials.iter().map(credential).collect(),
        }
    }

    /// Lists what `info` asks for beyond this, in words; empty when it asks for the same or less.
    #[must_use]
    pub fn lacks(&self, info: &SourceInfo) -> Vec<String> {
        let hosts =
            info.hosts.iter().filter(|asked| !self.hosts.iter().any(|granted| covers(granted, asked)));
        let hosts = hosts.map(|asked| format!("host {} ({})", asked.pattern, asked.kind.name()));
        let secrets = info.credentials.iter().filter(|asked| !self.has(asked));
        let secrets =
            secrets.map(|asked| format!("credential `{}` for {}", asked.name, asked.hosts.join(", ")));
        let robots =
            (info.ignores_robots && !self.ignores_robots).then(|| "what robots.txt forbids".to_owned());
        let restriction = info.restriction.iter().filter(|why| self.restriction.as_ref() != Some(*why));
        let restriction = restriction.map(|why| format!("to be used though it says: {why}"));
        hosts.chain(secrets).chain(robots).chain(restriction).collect()
    }

    fn has(&self, asked: &CredentialSpec) -> bool {
        self.credentials.iter().any(|granted| {
            granted.name == asked.name
                && granted.how == asked.kind
                && asked.hosts.iter().all(|host| granted.hosts.iter().any(|pattern| includes(pattern, host)))
        })
    }
}

/// Tells whether who may do `granted` may do `asked`: for a host of kind `web` robots.txt is
/// asked, so it is the lesser right.
fn covers(granted: &HostRule, asked: &HostRule) -> bool {
    includes(&granted.pattern, &asked.pattern)
        && (granted.kind == HostKind::Api || asked.kind == HostKind::Web)
}

/// Tells whether every host that `asked` means is meant by `granted` too.
fn includes(granted: &str, asked: &str) -> bool {
    let rule = HostRule { pattern: granted.to_owned(), kind: HostKind::Web };
    let wide = granted.starts_with('*');
    granted == asked || wide && asked != "*" && rule.matches(asked.strip_prefix("*.").unwrap_or(asked))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_that_include_others() {
        for (granted, asked, expect) in [
            ("a.example", "a.example", true),
            ("a.example", "b.example", false),
            ("a.example", "*.a.example", false),
            ("*.a.example", "b.a.example", true),
            ("*.a.example", "*.b.a.example", true),
            ("*.a.example", "*.a.example", true),
            ("*.a.example", "a.example", false),
            ("*.b.a.example", "*.a.example", false),
            ("*", "*.a.example", true),
            ("*", "*", true),
            ("a.example", "*", false),
            ("*.a.example", "*", false),
        ] {
            assert_eq!(includes(granted, asked), expect, "{granted} for {asked}");
        }
    }

    #[test]
    fn the_kind_of_a_host_counts() {
        let rule = |kind| HostRule { pattern: "a.example".to_owned(), kind };
        let (api, web) = (rule(HostKind::Api), rule(HostKind::Web));
        assert!(covers(&api, &web) && covers(&api, &api) && covers(&web, &web));
        assert!(!covers(&web, &api));
    }

    #[test]
    fn credentials_stay_where_they_were_granted() {
        let spec = |hosts: &[&str], kind| CredentialSpec {
            name: "key".to_owned(),
            help: String::new(),
            required: false,
            kind,
            hosts: hosts.iter().map(|&host| host.to_owned()).collect(),
        };
        let query = |name: &str| CredentialKind::QueryParameter { name: name.to_owned() };
        let granted = GrantedCapabilities {
            credentials: vec![GrantedCredential {
                name: "key".to_owned(),
                hosts: vec!["*.a.example".to_owned()],
                how: query("k"),
            }],
            ..GrantedCapabilities::default()
        };
        assert!(granted.has(&spec(&["b.a.example"], query("k"))));
        assert!(!granted.has(&spec(&["b.a.example", "c.example"], query("k"))));
        assert!(!granted.has(&spec(&["b.a.example"], CredentialKind::Basic)));
        assert!(!granted.has(&spec(&["b.a.example"], query("q"))));
    }
}
