//! Who may reach what: the rules of granting, and what a granted source is given.

use super::granted_capabilities::GrantedCapabilities;
use crate::{
    config::ConfiguredCredential,
    model::{CredentialSpec, GrantedSecret, Grants, HostRule, SourceInfo},
};

/// Bundled sources that are granted every host, because the user names the address.
const ANY_HOST: [&str; 4] = ["feed", "sitemap", "url-list", "webpage"];

/// How a component came here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TrustSource {
    /// With the binary.
    Bundled,
    /// Somebody named its file for this one run.
    Named,
    /// From the folder of plugins.
    Installed,
    /// It is given recorded answers and reaches nothing.
    Offline,
}

/// Why a source may reach the hosts that it declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantedBy {
    /// It came with the program and asks for nothing that needs a word of the operator.
    Program,
    /// Its file was named for one run; for hosts, not for credentials.
    File,
    /// By the configuration: `--grant` or `PIXCRAWLER_GRANT`.
    Configuration,
    /// By `plugin install` or `plugin enable`, as recorded in the folder of plugins.
    Record,
}

impl GrantedBy {
    /// Names it for people and for scripts.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::File => "file",
            Self::Configuration => "configuration",
            Self::Record => "record",
        }
    }

    /// Tells whether the operator named this very source, which is more than to have it.
    const fn is_by_name(self) -> bool {
        matches!(self, Self::Configuration | Self::Record)
    }
}

/// Decides who grants the source what it asks for: the configuration `by_name`, where it comes
/// from, or the operator by the recorded `capabilities`.
///
/// # Errors
/// Why nobody does, and what to do about it.
pub(super) fn decide(
    info: &SourceInfo,
    trust: TrustSource,
    by_name: bool,
    capabilities: Option<&GrantedCapabilities>,
) -> Result<GrantedBy, String> {
    match trust {
        _ if by_name => return Ok(GrantedBy::Configuration),
        TrustSource::Offline => return Ok(GrantedBy::File),
        TrustSource::Bundled | TrustSource::Named | TrustSource::Installed => {}
    }
    let any_host = info.hosts.iter().any(|rule| rule.pattern == "*");
    let why = if trust == TrustSource::Installed {
        let hosts: Vec<_> = info.hosts.iter().map(|rule| rule.pattern.as_str()).collect();
        format!("it is not bundled and asks {}", hosts.join(", "))
    } else if let Some(restriction) = &info.restriction {
        restriction.trim_end_matches('.').to_owned()
    } else if info.ignores_robots {
        "it asks for what robots.txt forbids".to_owned()
    } else if any_host && !(trust == TrustSource::Bundled && ANY_HOST.contains(&info.id.as_str())) {
        "it asks any host".to_owned()
    } else {
        return Ok(if trust == TrustSource::Bundled { GrantedBy::Program } else { GrantedBy::File });
    };
    let why = match capabilities.map(|granted| granted.lacks(info)) {
        None => why,
        Some(lacking) if lacking.is_empty() => return Ok(GrantedBy::Record),
        Some(lacking) => format!("it asks for more than it was granted: {}", lacking.join(", ")),
    };
    Err(format!(
        "not granted: {why}; the operator grants it with `--grant {0}`, PIXCRAWLER_GRANT={0} or \
         `pixcrawler plugin enable {0}`",
        info.id
    ))
}

/// Gives what a source may reach: nothing unless it is granted, else its hosts (exact patterns
/// first, then narrow ones) and those of its declared credentials that are configured.
pub(super) fn grants(
    info: &SourceInfo,
    granted_by: Option<GrantedBy>,
    configured: &[ConfiguredCredential],
) -> Grants {
    let Some(granted_by) = granted_by else {
        return Grants { source: info.id.clone(), ..Grants::default() };
    };
    let mut hosts = info.hosts.clone();
    hosts.sort_by_key(|rule| (breadth(rule), std::cmp::Reverse(rule.pattern.len())));
    let credential = |spec: &CredentialSpec| {
        let given = configured.iter().find(|given| given.source == info.id && given.name == spec.name)?;
        Some(GrantedSecret { spec: spec.clone(), secret: given.secret.clone() })
    };
    Grants {
        source: info.id.clone(),
        hosts,
        ignores_robots: info.ignores_robots && granted_by.is_by_name(),
        // Anybody can write a file that says it is a source for which there is a secret.
        credentials: match granted_by {
            GrantedBy::File => Vec::new(),
            _ => info.credentials.iter().filter_map(credential).collect(),
        },
        declared: info.credentials.iter().map(|spec| spec.name.clone()).collect(),
    }
}

/// Ranks a pattern: an exact host, those of a domain, all.
fn breadth(rule: &HostRule) -> u8 {
    match rule.pattern.as_str() {
        "*" => 2,
        pattern if pattern.starts_with("*.") => 1,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CredentialKind, HostKind};

    fn info(id: &str, patterns: &[&str], ignores_robots: bool) -> SourceInfo {
        let rule = |pattern: &&str| HostRule { pattern: (*pattern).to_owned(), kind: HostKind::Web };
        SourceInfo {
            id: id.to_owned(),
            hosts: patterns.iter().map(rule).collect(),
            ignores_robots,
            credentials: vec![CredentialSpec {
                name: "token".to_owned(),
                help: String::new(),
                required: false,
                kind: CredentialKind::Basic,
                hosts: Vec::new(),
            }],
            ..SourceInfo::default()
        }
    }

    #[test]
    fn who_grants() {
        let polite = info("polite", &["a.example"], false);
        let rude = info("rude", &["a.example"], true);
        let anywhere = info("anywhere", &["*"], false);
        let webpage = info("webpage", &["*"], false);
        let terms = Some("The terms exclude training of models.".to_owned());
        let restricted = SourceInfo { restriction: terms, ..info("restricted", &["a.example"], false) };
        let (bundled, named, installed) = (TrustSource::Bundled, TrustSource::Named, TrustSource::Installed);
        for (info, trust, by) in [
            (&polite, bundled, GrantedBy::Program),
            (&polite, named, GrantedBy::File),
            (&webpage, bundled, GrantedBy::Program),
            (&rude, TrustSource::Offline, GrantedBy::File),
        ] {
            assert_eq!(decide(info, trust, false, None), Ok(by));
        }
        for (info, trust) in [
            (&polite, installed),
            (&rude, bundled),
            (&rude, named),
            (&rude, installed),
            (&anywhere, bundled),
            (&anywhere, named),
            (&webpage, named),
            (&webpage, installed),
            (&restricted, bundled),
            (&restricted, named),
        ] {
            let reason = decide(info, trust, false, None).unwrap_err();
            assert!(reason.contains(&format!("PIXCRAWLER_GRANT={}", info.id)), "{reason}");
            assert_eq!(decide(info, trust, true, None), Ok(GrantedBy::Configuration));
            assert_eq!(
                decide(info, trust, false, Some(&GrantedCapabilities::to(info))),
                Ok(GrantedBy::Record)
            );
        }
        let less = GrantedCapabilities::to(&polite);
        for (info, lacking) in [
            (&rude, "what robots.txt forbids"),
            (&anywhere, "host * (web)"),
            (&restricted, "to be used though it says: The terms"),
        ] {
            let reason = decide(info, installed, false, Some(&less)).unwrap_err();
            assert!(reason.contains(&format!("more than it was granted: {lacking}")), "{reason}");
        }
    }

    #[test]
    fn narrow_hosts_come_first() {
        let info = info("s", &["*", "*.example.org", "*.images.example.org", "example.org"], true);
        let patterns = |grants: &Grants| -> Vec<String> {
            grants.hosts.iter().map(|rule| rule.pattern.clone()).collect()
        };
        let granted = grants(&info, Some(GrantedBy::Record), &[]);
        assert_eq!(patterns(&granted), ["example.org", "*.images.example.org", "*.example.org", "*"]);
        assert!(granted.ignores_robots);
        assert!(grants(&info, None, &[]).hosts.is_empty());
    }

    #[test]
    fn only_own_credentials() {
        let info = info("s", &["a.example"], false);
        let configured = [("s", "token"), ("other", "token"), ("s", "unknown")].map(|(source, name)| {
            ConfiguredCredential { source: source.to_owned(), name: name.to_owned(), secret: "secret".into() }
        });
        let names = |granted| -> Vec<String> {
            grants(&info, granted, &configured).credentials.into_iter().map(|c| c.spec.name).collect()
        };
        assert_eq!(names(Some(GrantedBy::Program)), ["token"]);
        assert!(names(None).is_empty());
    }
}
