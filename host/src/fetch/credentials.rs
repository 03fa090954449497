//! Secrets of sources: added to a request at the last moment, and kept out of answers.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::{Url, form_urlencoded};

use super::{
    Inner,
    body::BodyBounds,
    error::FetchError,
    outbound::{OutboundRequest, PreparedRequest, RequestPurpose},
    slots::KeyedCache,
};
use crate::model::{CredentialKind, GrantedSecret, Grants, HostRule};

/// The bearer tokens that are still good; who finds none asks for one while the others wait.
pub(super) type TokenCache = KeyedCache<Mutex<Option<BearerToken>>>;

/// A bearer token.
pub(super) struct BearerToken {
    until: Instant,
    text: SecretString,
}

/// What a token endpoint answers (RFC 6749, 5.1).
#[derive(Deserialize)]
struct GrantedToken {
    access_token: String,
    /// In seconds; some write it as text.
    #[serde(default)]
    expires_in: serde_json::Value,
}

impl Inner {
    /// Adds `credential` where it may be sent; says what must not be seen in the answer beside
    /// the [`secrets`] of the source.
    pub(super) async fn attach(
        &self,
        purpose: RequestPurpose<'_>,
        credential: &GrantedSecret,
        outgoing: &mut PreparedRequest,
    ) -> Result<Vec<String>, FetchError> {
        if !reaches(credential, &outgoing.url) || !self.keeps_secrets(&outgoing.url) {
            return Ok(Vec::new());
        }
        let secret = credential.secret.expose_secret();
        let unusable = || {
            FetchError::Denied(format!("credential `{}` cannot be put into a header", credential.spec.name))
        };
        let mut hidden = Vec::new();
        let (name, value) = match &credential.spec.kind {
            CredentialKind::QueryParameter { name } => {
                let mut query = other_parameters(&outgoing.url, |found, _| found == name);
                query.push(format!("{}={}", escape(name), escape(secret)));
                outgoing.url.set_query(Some(&query.join("&")));
                return Ok(hidden);
            }
            CredentialKind::Header { name, prefix } => {
                let name = HeaderName::try_from(name.as_str()).map_err(|_| unusable())?;
                (name, format!("{prefix}{secret}"))
            }
            CredentialKind::Basic => {
                let encoded = STANDARD.encode(secret);
                let value = format!("Basic {encoded}");
                hidden.push(encoded);
                (header::AUTHORIZATION, value)
            }
            CredentialKind::Oauth2ClientCredentials { token_url } => {
                let token = self.bearer(purpose, credential, token_url).await?;
                let value = format!("Bearer {token}");
                hidden.push(token);
                (header::AUTHORIZATION, value)
            }
        };
        let mut value = HeaderValue::try_from(value).map_err(|_| unusable())?;
        value.set_sensitive(true);
        outgoing.headers.insert(name, value);
        Ok(hidden)
    }

    /// Whether nobody on the way to `url` can read what is sent there: it is https, or served
    /// from where the operator says, or a literal address in a range that the operator opened.
    pub(super) fn keeps_secrets(&self, url: &Url) -> bool {
        url.scheme() == "https" || self.origins.target(url).is_some() || self.guard.was_opened(url)
    }

    /// Forgets the token of `credential` that is among `used`, because the site no longer
    /// takes it; one that another request has renewed meanwhile stays.
    pub(super) async fn forget_token(&self, grants: &Grants, credential: &GrantedSecret, used: &[String]) {
        let slot = self.tokens.get(&token_key(grants, credential), Mutex::default);
        let mut token = slot.lock().await;
        *token = token.take().filter(|token| !used.iter().any(|used| used == token.text.expose_secret()));
    }

    async fn bearer(
        &self,
        purpose: RequestPurpose<'_>,
        credential: &GrantedSecret,
        url: &str,
    ) -> Result<String, FetchError> {
        let (RequestPurpose::Ask(grants) | RequestPurpose::Image(grants)) = purpose else {
            return Err(FetchError::Denied("a token is for a source's requests only".to_owned()));
        };
        let slot = self.tokens.get(&token_key(grants, credential), Mutex::default);
        let mut token = slot.lock().await;
        if let Some(token) = token.as_ref().filter(|token| token.until > Instant::now()) {
            return Ok(token.text.expose_secret().to_owned());
        }
        // A token is itself an errand.
        let fresh = Box::pin(self.ask_token(grants, credential, url)).await?;
        Ok(token.insert(fresh).text.expose_secret().to_owned())
    }

    async fn ask_token(
        &self,
        grants: &Grants,
        credential: &GrantedSecret,
        url: &str,
    ) -> Result<BearerToken, FetchError> {
        let denied =
            |why: String| FetchError::Denied(format!("credential `{}`: {why}", credential.spec.name));
        let url = self.guard.parse(url)?;
        if url.scheme() != "https" || grants.rule(url.host_str().unwrap_or_default()).is_none() {
            return Err(denied("its token endpoint must be https, on one of the source's hosts".to_owned()));
        }
        let (id, secret) = credential
            .secret
            .expose_secret()
            .split_once(':')
            .ok_or_else(|| denied("the configured secret must be `id:secret`".to_owned()))?;
        let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", escape(id), escape(secret))));
        let mut basic = HeaderValue::try_from(basic).map_err(|_| denied("not a header".to_owned()))?;
        basic.set_sensitive(true);
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let errand = OutboundRequest {
            purpose: RequestPurpose::Token,
            agent: self.agents.of(&grants.source),
            method: Method::POST,
            headers: HeaderMap::from_iter([(header::AUTHORIZATION, basic), (header::CONTENT_TYPE, form)]),
            plugin_headers: HeaderMap::new(),
            page: None,
            credential: None,
            jar: None,
            body: Some(Bytes::from_static(b"grant_type=client_credentials")),
            bounds: BodyBounds { bytes: 64 << 10, cut: false, window: self.window },
        };
        let begun = Instant::now();
        let reply = self.perform(&errand, &url).await.map_err(|failed| failed.trouble)?;
        if !reply.status.is_success() {
            let words = format!("the token endpoint answers with status {}", reply.status.as_u16());
            // RFC 6749 says 400 and 401; others say 403.
            let is_refused = matches!(reply.status.as_u16(), 400 | 401 | 403);
            return Err(if is_refused { FetchError::Unauthorized(words) } else { denied(words) });
        }
        let granted: GrantedToken = serde_json::from_slice(&reply.body)
            .map_err(|_| denied("the token endpoint's answer has no `access_token`".to_owned()))?;
        // Renewed a little early, so that none expires on the way.
        let good_for = granted.expires_in.as_u64().unwrap_or(300).saturating_sub(30).min(24 * 3600);
        Ok(BearerToken { until: begun + Duration::from_secs(good_for), text: granted.access_token.into() })
    }
}

/// Whether `credential` may be sent to the host of `url`.
pub(super) fn reaches(credential: &GrantedSecret, url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let kind = crate::model::HostKind::Api;
    credential.spec.hosts.iter().any(|pattern| HostRule { pattern: pattern.clone(), kind }.matches(host))
}

/// `url` without the query parameter that carries this secret: a site that echoes it in a
/// redirect must not make it visible, nor send it on to others.
pub(super) fn without_secret(url: &Url, credential: &GrantedSecret) -> Url {
    let mut url = url.clone();
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

fn escape(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

fn token_key(grants: &Grants, credential: &GrantedSecret) -> String {
    format!("{}.{}", grants.source, credential.spec.name)
}
