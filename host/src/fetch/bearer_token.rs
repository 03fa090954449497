//! Bearer tokens of sources (OAuth 2.0 client credentials, RFC 6749), shared by their requests.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, header};
use moka::ops::compute::Op;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{
    client::OutboundClient,
    credentials::escape,
    error::{FetchError, FetchErrorKind},
    expiring_cache::{Expiring, ExpiringCache},
    request::{OutboundRequest, RequestPolicy},
};
use crate::model::{GrantedSecret, Grants};

/// The tokens that are still good, by source and credential.
pub(super) type TokenCache = ExpiringCache<SecretString>;

/// What a token endpoint answers (RFC 6749, 5.1).
#[derive(Deserialize)]
struct GrantedToken {
    access_token: String,
    /// In seconds; some write it as text.
    #[serde(default)]
    expires_in: serde_json::Value,
}

impl OutboundClient {
    /// The token that stands for `credential`.
    pub(super) async fn bearer_token(
        &self,
        grants: &Grants,
        credential: &GrantedSecret,
        token_url: &str,
    ) -> Result<String, FetchError> {
        // A token is itself asked for by a request, which passes the same gates; hence the box.
        let token = Box::pin(self.request_token(grants, credential, token_url));
        let token = self.tokens.try_get_with(cache_key(grants, credential), token).await;
        token.map(|token| token.value.expose_secret().to_owned()).map_err(|error| (*error).clone())
    }

    /// Forgets the token of `credential` that is among `used`, because the site no longer
    /// takes it; one that another request has renewed meanwhile stays.
    pub(super) async fn forget_token(&self, grants: &Grants, credential: &GrantedSecret, used: &[String]) {
        let entry = self.tokens.entry(cache_key(grants, credential));
        entry
            .and_compute_with(async |token| match token {
                Some(token) if used.iter().any(|used| used == token.value().value.expose_secret()) => {
                    Op::Remove
                }
                _ => Op::Nop,
            })
            .await;
    }

    async fn request_token(
        &self,
        grants: &Grants,
        credential: &GrantedSecret,
        token_url: &str,
    ) -> Result<Expiring<SecretString>, FetchError> {
        let denied = |why: &str| FetchError::denied(format!("credential `{}`: {why}", credential.spec.name));
        let url = self.address_policy.parse(token_url)?;
        if url.scheme() != "https" || grants.rule(url.host_str().unwrap_or_default()).is_none() {
            return Err(denied("its token endpoint must be https, on one of the source's hosts"));
        }
        let (id, secret) = credential
            .secret
            .expose_secret()
            .split_once(':')
            .ok_or_else(|| denied("the configured secret must be `id:secret`"))?;
        let basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", escape(id), escape(secret))));
        let mut basic = HeaderValue::try_from(basic).map_err(|_| denied("not a header"))?;
        basic.set_sensitive(true);
        let form = HeaderValue::from_static("application/x-www-form-urlencoded");
        let request = OutboundRequest {
            method: Method::POST,
            headers: HeaderMap::from_iter([(header::AUTHORIZATION, basic), (header::CONTENT_TYPE, form)]),
            body: Some(Bytes::from_static(b"grant_type=client_credentials")),
            ..OutboundRequest::get(RequestPolicy::token(), self.user_agents.of(&grants.source))
        };
        let begun = Instant::now();
        let response = self.perform(&request, &url).await.map_err(|error| match error.kind {
            FetchErrorKind::TooManyRedirects(_) => FetchError::lasting("the token endpoint redirects"),
            // How long the endpoint is left alone says nothing of the site that the token is for.
            _ => FetchError { retry_after: None, ..error },
        })?;
        if !response.status.is_success() {
            let status = response.status.as_u16();
            let detail = format!("the token endpoint answers with status {status}");
            // RFC 6749 says 400 and 401; others say 403.
            return Err(match status {
                400 | 401 | 403 => FetchErrorKind::Unauthorized(detail).into(),
                _ => denied(&detail),
            });
        }
        let granted: GrantedToken = serde_json::from_slice(&response.body)
            .map_err(|_| denied("the token endpoint's answer has no `access_token`"))?;
        // Renewed a little early, so that none expires on the way.
        let good_for = granted.expires_in.as_u64().unwrap_or(300).saturating_sub(30).min(24 * 3600);
        Ok(Expiring { until: begun + Duration::from_secs(good_for), value: granted.access_token.into() })
    }
}

/// With the secret: another one that is configured while the host runs begins anew.
fn cache_key(grants: &Grants, credential: &GrantedSecret) -> String {
    format!("{}.{}={}", grants.source, credential.spec.name, credential.secret.expose_secret())
}
