//! What a source asks for, shown before anyone agrees to it.

use std::io::{IsTerminal as _, Write as _, stderr, stdin};

use indicatif::HumanBytes;

use super::list;
use crate::{
    cli::{visible::visible, wrong_usage},
    model::{CredentialKind, CredentialSpec, HostKind, Sha256, SourceInfo},
};

/// Lists all that the operator must know, a fact a line.
pub(super) fn shown(info: &SourceInfo, size: usize, digest: &Sha256) -> String {
    let mut lines = vec![format!("{} {}  {}", info.id, info.version, info.name)];
    let mut fact = |name: &'static str, values: Vec<String>| {
        let names = std::iter::once(name).chain(std::iter::repeat(""));
        lines.extend(names.zip(&values).map(|(name, value)| list::fact(name, value)));
    };
    fact("about", vec![info.description.replace('\n', " ")]);
    fact("size", vec![HumanBytes(size as u64).to_string()]);
    fact("sha256", vec![digest.to_string()]);
    let hosts = info.hosts.iter().map(|rule| match rule.kind {
        HostKind::Api => format!("{} (api: used under its terms, robots.txt is not asked)", rule.pattern),
        HostKind::Web => format!("{} (web: pages made for people, robots.txt is asked)", rule.pattern),
    });
    fact("hosts", hosts.collect());
    fact("terms", info.terms_url.iter().cloned().collect());
    if info.ignores_robots {
        fact("robots.txt", vec!["is ignored: it asks for what sites forbid there".to_owned()]);
    }
    fact("restriction", info.restriction.iter().cloned().collect());
    fact("credentials", info.credentials.iter().map(credential).collect());
    let options = info.options.iter().map(|option| format!("{}: {}", option.name, option.label));
    fact("options", options.collect());
    lines.join("\n")
}

fn credential(spec: &CredentialSpec) -> String {
    let need = if spec.required { "required" } else { "optional" };
    let how = match &spec.kind {
        CredentialKind::Header { name, .. } => format!("in header `{name}`"),
        CredentialKind::QueryParameter { name } => format!("in query parameter `{name}`"),
        CredentialKind::Basic => "as user and password".to_owned(),
        CredentialKind::Oauth2ClientCredentials { token_url } => {
            format!("as a bearer token that {token_url} gives for it")
        }
    };
    format!("{} ({need}): sent {how} to {}", spec.name, spec.hosts.join(", "))
}

/// Asks whether whoever sits there agrees; `yes` was said on the command line.
///
/// # Errors
/// When there is nobody to ask.
pub(in crate::cli) fn agreed(question: &str, yes: bool) -> anyhow::Result<bool> {
    if yes {
        return Ok(true);
    }
    if !stdin().is_terminal() {
        return Err(wrong_usage(
            "nothing was changed: there is no terminal to ask on; say --yes when you have looked at what it is about",
        ));
    }
    write!(stderr(), "{} [y/N] ", visible(question))?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}
