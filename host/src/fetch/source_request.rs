//! A source's own requests: what a plugin may ask for, and what it sees of the answer.

use bytes::Bytes;
use encoding_rs::Encoding;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use url::Url;

use super::{
    Fetcher,
    body::{self, BodyLimits},
    charset,
    client::OutboundResponse,
    credentials,
    error::{FetchError, FetchErrorKind},
    redact::{redact, redact_bytes},
    request::{OutboundRequest, RequestPolicy, plugin_header},
};
use crate::model::{self, Content, CredentialKind, Grants};

impl Fetcher {
    /// A source's own request. The grants are checked on the address and again on every redirect;
    /// robots.txt is asked for hosts of kind `web`.
    ///
    /// # Errors
    /// Any status but 429 and 5xx is an answer; those are tried again twice first, like
    /// timeouts and lost connections, where the wait is at most 5 s. For a connection that was
    /// kept and is lost, another one is opened besides.
    pub async fn ask(
        &self,
        grants: &Grants,
        request: &model::Request,
    ) -> Result<model::Response, FetchError> {
        let url = self.client.address_policy.parse(&request.address())?;
        let plugin_headers = request.headers.iter().map(plugin_header).collect::<Result<HeaderMap, _>>();
        let plugin_headers = plugin_headers.map_err(FetchError::denied)?;
        let credential =
            credentials::named(grants, request.credential.as_deref()).map_err(FetchError::denied)?;
        if let Some(credential) = credential {
            let (name, hosts) = (&credential.spec.name, credential.spec.hosts.join(", "));
            if !credentials::reaches(credential, &url) {
                return Err(FetchError::denied(format!("credential `{name}` may be sent to {hosts} only")));
            }
            if !self.client.keeps_secrets(&url) {
                return Err(FetchError::denied(format!("credential `{name}` may be sent over https only")));
            }
        }
        // A part of a compressed answer could not be decompressed.
        let codings = if plugin_headers.contains_key(header::RANGE) { "identity" } else { "gzip, br" };
        let policy = RequestPolicy::source(grants);
        let outbound = OutboundRequest {
            method: match request.method {
                model::Method::Get => Method::GET,
                model::Method::Post => Method::POST,
            },
            headers: HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(codings))]),
            plugin_headers,
            credential,
            cookies: self.cookies.as_ref(),
            body: request.body.as_ref().map(|body| match body {
                Content::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
                Content::Binary(bytes) => Bytes::copy_from_slice(bytes),
            }),
            ..OutboundRequest::get(policy, self.client.user_agents.of(&grants.source))
        };
        let mut response = match self.client.perform(&outbound, &url).await {
            Ok(response) => response,
            // To the plugin it is the site that does not accept the credential, wherever it says so.
            Err(FetchError { kind: FetchErrorKind::Unauthorized(detail), .. }) => {
                return Ok(model::Response {
                    status: 401,
                    url: request.url.clone(),
                    headers: Vec::new(),
                    body: Content::Text(detail),
                    encoding: None,
                });
            }
            Err(error) => return Err(error),
        };
        // A token can be withdrawn before its time.
        if let Some(credential) = credential.filter(|credential| {
            response.status == StatusCode::UNAUTHORIZED
                && matches!(credential.spec.kind, CredentialKind::Oauth2ClientCredentials { .. })
        }) {
            self.client.forget_token(grants, credential, &response.secrets).await;
            response = self.client.perform(&outbound, &url).await?;
        }
        self.client.connector.io.run(visible_response(response, policy.body)).await
    }
}

/// What a plugin sees of a response.
async fn visible_response(
    response: OutboundResponse,
    limits: BodyLimits,
) -> Result<model::Response, FetchError> {
    let status = response.status.as_u16();
    let mut headers = Vec::new();
    let was_decompressed = response.headers.contains_key(header::CONTENT_ENCODING);
    for (name, value) in &response.headers {
        // What described the body before it was decompressed is true no longer.
        let stale = was_decompressed && matches!(*name, header::CONTENT_ENCODING | header::CONTENT_LENGTH);
        if !stale && *name != header::SET_COOKIE {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            headers.push((name.as_str().to_owned(), redact(value, &response.secrets)));
        }
    }
    let content_type =
        headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.as_str());
    let (body, encoding) = if response.status == StatusCode::PARTIAL_CONTENT {
        (Content::Binary(response.body), None)
    } else if response.body.starts_with(&[0x1f, 0x8b]) {
        gzip_file(response.body, &response.url, limits).await?
    } else {
        charset::content(content_type, &response.url, response.body)
    };
    // Decoding to UTF-8 can make it longer.
    if body.len() as u64 > limits.bytes {
        return Err(FetchErrorKind::TooLarge(limits.bytes).into());
    }
    let body = match body {
        Content::Text(text) => Content::Text(redact(text, &response.secrets)),
        Content::Binary(bytes) => Content::Binary(redact_bytes(bytes, &response.secrets)),
    };
    let url = redact(response.url.into(), &response.secrets);
    Ok(model::Response { status, url, headers, body, encoding })
}

/// The text in a file such as `sitemap.xml.gz`; any other file stays as it is.
async fn gzip_file(
    file: Vec<u8>,
    url: &Url,
    limits: BodyLimits,
) -> Result<(Content, Option<&'static Encoding>), FetchError> {
    match body::decompress(&file, limits).await {
        Ok(content) => match charset::content(None, url, content) {
            text @ (Content::Text(_), _) => Ok(text),
            (Content::Binary(_), _) => Ok((Content::Binary(file), None)),
        },
        Err(error) if matches!(error.kind, FetchErrorKind::TooLarge(_)) => Err(error),
        Err(_) => Ok((Content::Binary(file), None)),
    }
}

/// Why a source may not name these headers of a request, or this credential, wherever they
/// would be sent.
///
/// # Errors
/// The very words with which [`super::Fetcher`] denies them.
pub fn check_named(
    grants: &Grants,
    headers: &[(String, String)],
    credential_name: Option<&str>,
) -> Result<(), String> {
    headers.iter().try_for_each(|header| plugin_header(header).map(drop))?;
    credentials::named(grants, credential_name).map(drop)
}
