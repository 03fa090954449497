//! Whether what a plugin says of itself can be true and can be shown.

use std::collections::BTreeSet;

use http::{HeaderName, HeaderValue};
use url::{Host, Url};

use super::text::printable;
use crate::model::{CredentialKind, CredentialSpec, OptionKind, OptionSpec, SourceInfo, is_hosts_header};

/// Characters of an id.
const MAX_ID: usize = 64;
/// Characters of a name, a label, a value.
const MAX_LINE: usize = 200;
/// Characters of a description or a help text.
const MAX_TEXT: usize = 2000;
/// Elements of one list.
const MAX_LIST: usize = 500;

/// Checks every rule; the first that is broken is the answer.
///
/// # Errors
/// The rule that is broken, with the value that breaks it.
pub(crate) fn check(info: &SourceInfo) -> Result<(), String> {
    check_id(&info.id)?;
    line("name", &info.name)?;
    semver::Version::parse(&info.version)
        .map_err(|error| format!("version `{}` is not semantic: {error}", shown(&info.version)))?;
    text("description", &info.description)?;
    for (what, address) in [("homepage", &info.homepage), ("terms-url", &info.terms_url)] {
        address.as_deref().map_or(Ok(()), |address| web_address(what, address))?;
    }
    info.restriction.as_deref().map_or(Ok(()), |why| line("restriction", why))?;
    rule(info.requests_per_minute != Some(0), "requests-per-minute is 0")?;
    rule(info.max_results != Some(0), "max-results is 0")?;
    unique("host", info.hosts.iter().map(|rule| rule.pattern.as_str()))?;
    info.hosts.iter().try_for_each(|rule| host_pattern(&rule.pattern))?;
    unique("option", info.options.iter().map(|option| option.name.as_str()))?;
    info.options.iter().try_for_each(option)?;
    unique("credential", info.credentials.iter().map(|credential| credential.name.as_str()))?;
    info.credentials.iter().try_for_each(|spec| credential(spec, info))
}

/// Checks that a source may be called that.
///
/// # Errors
/// The rule that is broken.
pub fn check_id(id: &str) -> Result<(), String> {
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    rule(
        !id.is_empty() && id.len() <= MAX_ID && id.bytes().all(legal),
        &format!("id `{}` is not 1 to {MAX_ID} lower-case letters, digits and `-`", shown(id)),
    )
}

/// `*`, `*.` before a domain of two labels or more, or a host as it stands in a parsed URL.
fn host_pattern(pattern: &str) -> Result<(), String> {
    if pattern == "*" {
        return Ok(());
    }
    let (host, wide) = pattern.strip_prefix("*.").map_or((pattern, false), |parent| (parent, true));
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
    let parsed = host.bytes().all(legal) && !host.ends_with('.') && Host::parse(host).is_ok();
    rule(
        parsed,
        &format!(
            "host `{}` is not `example.org`, `*.example.org` or `*`, in lower case and without scheme, port and path",
            shown(pattern)
        ),
    )?;
    rule(!wide || host.contains('.'), &format!("host `{}` is all of a top-level domain", shown(pattern)))
}

fn option(option: &OptionSpec) -> Result<(), String> {
    let name = shown(&option.name);
    line("label of an option", &option.label)?;
    text("help of an option", &option.help)?;
    let values = || option.choices.iter().map(|(value, _)| value.as_str());
    unique(&format!("choice of option `{name}`"), values())?;
    option.choices.iter().try_for_each(|(_, label)| line("label of a choice", label))?;
    let takes_choices = matches!(option.kind, OptionKind::Choice | OptionKind::Choices);
    rule(
        takes_choices != option.choices.is_empty(),
        &format!("option `{name}`: choices and kind do not agree"),
    )?;
    rule(
        option.kind != OptionKind::Choices || values().all(|value| !value.contains(',')),
        &format!("option `{name}`: a value of a list has a comma"),
    )?;
    let Some(default) = option.default.as_deref() else { return Ok(()) };
    let legal = match option.kind {
        OptionKind::Text => text("default", default).is_ok(),
        OptionKind::Integer => default.parse::<i64>().is_ok(),
        OptionKind::Boolean => matches!(default, "true" | "false"),
        OptionKind::Choice => values().any(|value| value == default),
        OptionKind::Choices => default.split(',').all(|part| values().any(|value| value == part)),
    };
    rule(legal, &format!("option `{name}`: default `{}` is not a legal value", shown(default)))
}

fn credential(spec: &CredentialSpec, info: &SourceInfo) -> Result<(), String> {
    let name = shown(&spec.name);
    text("help of a credential", &spec.help)?;
    rule(
        !spec.name.contains(['=', '.', ',']),
        &format!("credential `{name}` has `=`, `.` or `,` in its name"),
    )?;
    rule(!spec.hosts.is_empty(), &format!("credential `{name}` names no host"))?;
    for host in &spec.hosts {
        rule(
            info.hosts.iter().any(|rule| rule.pattern == *host),
            &format!("credential `{name}`: `{}` is not one of the hosts", shown(host)),
        )?;
    }
    match &spec.kind {
        CredentialKind::Header { name: header, prefix } => {
            let header = HeaderName::from_bytes(header.as_bytes())
                .ok()
                .filter(|_| HeaderValue::from_str(prefix).is_ok())
                .ok_or_else(|| format!("credential `{name}`: not a header"))?;
            rule(
                !is_hosts_header(header.as_str()),
                &format!("credential `{name}`: header `{header}` is the host's"),
            )
        }
        CredentialKind::QueryParameter { name: parameter } => line("query parameter", parameter),
        CredentialKind::Basic => Ok(()),
        CredentialKind::Oauth2ClientCredentials { token_url } => {
            let reached = address(token_url).is_some_and(|url| {
                let host = url.host_str().unwrap_or_default();
                url.scheme() == "https" && info.hosts.iter().any(|rule| rule.matches(host))
            });
            rule(
                reached,
                &format!(
                    "credential `{name}`: token address `{}` is not https on one of the hosts",
                    shown(token_url)
                ),
            )
        }
    }
}

/// People click on it, so it must not be a script.
fn web_address(what: &str, value: &str) -> Result<(), String> {
    let web = address(value).is_some_and(|url| matches!(url.scheme(), "http" | "https"));
    rule(web, &format!("{what} `{}` is not an http(s) address", shown(value)))
}

/// URL parsers drop tabs and line breaks, so what has them is not what it looks like.
fn address(value: &str) -> Option<Url> {
    let plain = value.chars().count() <= MAX_TEXT && !value.chars().any(char::is_control);
    plain.then(|| Url::parse(value).ok()).flatten()
}

fn unique<'a>(what: &str, names: impl ExactSizeIterator<Item = &'a str>) -> Result<(), String> {
    rule(names.len() <= MAX_LIST, &format!("more than {MAX_LIST} of {what}"))?;
    let mut seen = BTreeSet::new();
    for name in names {
        line(what, name)?;
        rule(seen.insert(name), &format!("{what} `{}` is there twice", shown(name)))?;
    }
    Ok(())
}

fn line(what: &str, value: &str) -> Result<(), String> {
    rule(!value.trim().is_empty(), &format!("{what} is empty"))?;
    let fits = value.chars().count() <= MAX_LINE && !value.chars().any(char::is_control);
    rule(fits, &format!("{what} is longer than {MAX_LINE} characters or has control characters"))
}

fn text(what: &str, value: &str) -> Result<(), String> {
    let fits = value.chars().count() <= MAX_TEXT && !value.chars().any(|c| c.is_control() && c != '\n');
    rule(fits, &format!("{what} is longer than {MAX_TEXT} characters or has control characters"))
}

fn rule(holds: bool, broken: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(broken.to_owned()) }
}

/// A value in a message.
fn shown(value: &str) -> String {
    printable(value, 100).replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{HostKind, HostRule, Input};

    fn sound() -> SourceInfo {
        SourceInfo {
            id: "openverse-2".to_owned(),
            name: "Openverse".to_owned(),
            version: "1.2.3-rc.1".to_owned(),
            description: "Openly licensed pictures.\nMany of them.".to_owned(),
            homepage: Some("https://example.org/".to_owned()),
            terms_url: None,
            input: Input::Keywords,
            hosts: vec![host("api.example.org"), host("*.example.net")],
            ignores_robots: false,
            restriction: None,
            options: vec![OptionSpec {
                name: "sizes".to_owned(),
                label: "Sizes".to_owned(),
                help: String::new(),
                kind: OptionKind::Choices,
                required: false,
                default: Some("small,large".to_owned()),
                choices: ["small", "large"].map(|value| (value.to_owned(), value.to_owned())).to_vec(),
            }],
            credentials: vec![CredentialSpec {
                name: "token".to_owned(),
                help: "Ask for one.".to_owned(),
                required: true,
                kind: CredentialKind::Oauth2ClientCredentials {
                    token_url: "https://auth.example.net/token".to_owned(),
                },
                hosts: vec!["api.example.org".to_owned()],
            }],
            requests_per_minute: Some(20),
            max_results: None,
        }
    }

    fn host(pattern: &str) -> HostRule {
        HostRule { pattern: pattern.to_owned(), kind: HostKind::Api }
    }

    /// Breaks one thing of a sound description and expects to read about it.
    fn refused(expect: &str, break_it: impl FnOnce(&mut SourceInfo)) {
        let mut info = sound();
        break_it(&mut info);
        let reason = check(&info).unwrap_err();
        assert!(reason.contains(expect), "`{reason}` does not contain `{expect}`");
    }

    #[test]
    fn what_is_sound_passes() {
        assert_eq!(check(&sound()), Ok(()));
    }

    #[test]
    fn ids() {
        for id in ["", "Upper", "a/b", "../up", "a b", "a.b", "\u{e4}", &"x".repeat(65)] {
            refused("id `", |info| info.id = id.to_owned());
        }
    }

    #[test]
    fn hosts() {
        for pattern in
            ["", "Example.org", "https://a.example", "a.example:80", "a.example/x", "a.example.", "*.", "a.*"]
        {
            refused(if pattern.is_empty() { "host is empty" } else { "host `" }, |info| {
                info.hosts.push(host(pattern));
            });
        }
        refused("top-level", |info| info.hosts.push(host("*.com")));
        refused("twice", |info| info.hosts.push(host("api.example.org")));
        for pattern in ["*", "xn--mnchen-3ya.example", "203.0.113.7"] {
            let mut info = sound();
            info.hosts.push(host(pattern));
            assert_eq!(check(&info), Ok(()), "{pattern}");
        }
    }

    #[test]
    fn texts() {
        refused("name is empty", |info| info.name = " ".to_owned());
        refused("name is longer", |info| info.name = "\u{1b}[31mred".to_owned());
        refused("version `1.0`", |info| info.version = "1.0".to_owned());
        refused("description is longer", |info| info.description = "x".repeat(MAX_TEXT + 1));
        refused("homepage `javascript:", |info| info.homepage = Some("javascript:alert(1)".to_owned()));
        refused("terms-url `https://a.example/ `", |info| {
            info.terms_url = Some("https://a.example/\n".to_owned());
        });
        refused("requests-per-minute", |info| info.requests_per_minute = Some(0));
    }

    #[test]
    fn options() {
        refused("default `small,tiny`", |info| info.options[0].default = Some("small,tiny".to_owned()));
        refused("do not agree", |info| info.options[0].kind = OptionKind::Text);
        refused("do not agree", |info| info.options[0].choices.clear());
        refused("`small` is there twice", |info| info.options[0].choices[1].0 = "small".to_owned());
        refused("has a comma", |info| info.options[0].choices[1].0 = "large,huge".to_owned());
        refused("option `sizes` is there twice", |info| info.options.push(info.options[0].clone()));
        refused("default `many`", |info| {
            info.options[0].choices.clear();
            (info.options[0].kind, info.options[0].default) = (OptionKind::Integer, Some("many".to_owned()));
        });
    }

    #[test]
    fn credentials() {
        refused("`other.example` is not one of the hosts", |info| {
            info.credentials[0].hosts = vec!["other.example".to_owned()];
        });
        refused("names no host", |info| info.credentials[0].hosts.clear());
        for token_url in ["http://auth.example.net/", "https://elsewhere.example/", "token"] {
            refused("token address", |info| {
                let token_url = token_url.to_owned();
                info.credentials[0].kind = CredentialKind::Oauth2ClientCredentials { token_url };
            });
        }
        let header = |name: &str, prefix: &str| CredentialKind::Header {
            name: name.to_owned(),
            prefix: prefix.to_owned(),
        };
        refused("not a header", |info| info.credentials[0].kind = header("x-key", "Bearer\r\n"));
        for name in ["Host", "content-length", "Transfer-Encoding", "user-agent", "proxy-authorization"] {
            refused("is the host's", |info| info.credentials[0].kind = header(name, ""));
        }
        for name in ["Authorization", "cookie", "x-api-key"] {
            let mut info = sound();
            info.credentials[0].kind = header(name, "Token ");
            assert_eq!(check(&info), Ok(()), "{name}");
        }
    }
}
