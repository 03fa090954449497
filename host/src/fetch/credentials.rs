//! Secrets of sources: added to a request at the last moment, and kept out of answers.

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderName, HeaderValue, header};
use secrecy::ExposeSecret;
use url::{Url, form_urlencoded};

use super::error::FetchError;
use crate::model::{CredentialKind, GrantedSecret, Grants, HostKind, HostRule};

/// The configured credential of that name; one that is not configured is left out. Or why it
/// may not be named at all.
pub(super) fn named<'a>(grants: &'a Grants, name: Option<&str>) -> Result<Option<&'a GrantedSecret>, String> {
    let Some(name) = name else { return Ok(None) };
    if !grants.declared.iter().any(|declared| declared == name) {
        let declared = if grants.declared.is_empty() { "none" } else { &grants.declared.join(", ") };
        return Err(format!(
            "credential `{}` is not among the source's `credentials`: {declared}",
            name.escape_debug()
        ));
    }
    Ok(grants.credentials.iter().find(|credential| credential.spec.name == name))
}

/// Adds `credential` to a request for a host that it [`reaches`], with the bearer `token` where it stands
/// for one; says what must not be seen in the answer beside the [`secrets`] of the source.
pub(super) fn attach(
    credential: &GrantedSecret,
    token: Option<String>,
    request: &mut reqwest::Request,
) -> Result<Vec<String>, FetchError> {
    let secret = credential.secret.expose_secret();
    let unusable =
        || FetchError::denied(format!("credential `{}` cannot be put into a header", credential.spec.name));
    let (name, value, derived) = match &credential.spec.kind {
        CredentialKind::QueryParameter { name } => {
            let mut query = other_parameters(request.url(), |found, _| found == name);
            query.push(format!("{}={}", escape(name), escape(secret)));
            request.url_mut().set_query(Some(&query.join("&")));
            return Ok(Vec::new());
        }
        CredentialKind::Header { name, prefix } => {
            let name = HeaderName::try_from(name.as_str()).map_err(|_| unusable())?;
            (name, format!("{prefix}{secret}"), None)
        }
        CredentialKind::Basic => {
            let encoded = STANDARD.encode(secret);
            (header::AUTHORIZATION, format!("Basic {encoded}"), Some(encoded))
        }
        CredentialKind::Oauth2ClientCredentials { .. } => {
            let token = token.ok_or_else(unusable)?;
            (header::AUTHORIZATION, format!("Bearer {token}"), Some(token))
        }
    };
    let mut value = HeaderValue::try_from(value).map_err(|_| unusable())?;
    value.set_sensitive(true);
    request.headers_mut().insert(name, value);
    Ok(derived.into_iter().collect())
}

/// Whether `credential` may be sent to the host of `url`.
pub(super) fn reaches(credential: &GrantedSecret, url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let rule = |pattern: &String| HostRule { pattern: pattern.clone(), kind: HostKind::Api };
    credential.spec.hosts.iter().any(|pattern| rule(pattern).matches(host))
}

/// `url` without the query parameter that carries this secret: a site that echoes it in a
/// redirect must not make it visible, nor send it on to others.
pub(super) fn without_secret(mut url: Url, credential: &GrantedSecret) -> Url {
    if let (CredentialKind::QueryParameter { .. }, Some(_)) = (&credential.spec.kind, url.query()) {
        let rest = other_parameters(&url, |_, value| value == credential.secret.expose_secret()).join("&");
        url.set_query(Some(rest.as_str()).filter(|rest| !rest.is_empty()));
    }
    url
}

/// The query's pairs as they are written, without those whose name and value are `unwanted`.
fn other_parameters(url: &Url, unwanted: impl Fn(&str, &str) -> bool) -> Vec<String> {
    let pairs = url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let wanted =
        |pair: &&str| !form_urlencoded::parse(pair.as_bytes()).any(|(name, value)| unwanted(&name, &value));
    pairs.filter(wanted).map(str::to_owned).collect()
}

/// What must not be seen of a source's secrets, whether they were sent or not.
pub(super) fn secrets(grants: &Grants) -> Vec<String> {
    let all = grants.credentials.iter().map(|credential| credential.secret.expose_secret());
    // In `user:password` and `id:secret` the second half is secret even when it stands alone.
    all.flat_map(|secret| [Some(secret), secret.split_once(':').map(|(_, half)| half)])
        .flatten()
        .map(str::to_owned)
        .collect()
}

/// `text` as in a query or a form.
pub(super) fn escape(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
