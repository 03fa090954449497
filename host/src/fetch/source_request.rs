//! A source's own requests: what a plugin may say, and what it sees of the answer.

use bytes::Bytes;
use encoding_rs::Encoding;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use url::Url;

use super::{
    Inner,
    body::{self, BodyBounds},
    charset,
    cookies::CookieJar,
    credentials::reaches,
    error::{FailedFetch, FetchError},
    outbound::{OutboundRequest, RequestPurpose, ResponseHead},
    redact::{redact, redact_bytes},
};
use crate::model::{self, Content, CredentialKind, Grants, is_hosts_header};

/// Most bytes of an answer to a source.
pub(super) const MAX_ANSWER_BYTES: u64 = 16 << 20;

impl Inner {
    /// See [`super::Fetcher::ask`].
    pub(super) async fn ask(
        &self,
        grants: &Grants,
        jar: Option<&CookieJar>,
        request: &model::Request,
    ) -> Result<model::Response, FailedFetch> {
        let url = self.guard.parse(&request.address()).map_err(FetchError::from)?;
        let mut plugin_headers = HeaderMap::new();
        for pair in &request.headers {
            let (name, value) = header(pair).map_err(FetchError::Denied)?;
            plugin_headers.append(name, value);
        }
        let credential = credential(grants, request.credential.as_deref()).map_err(FetchError::Denied)?;
        if let Some(credential) = credential.filter(|credential| !reaches(credential, &url)) {
            return Err(FetchError::Denied(format!(
                "credential `{}` may be sent to {} only",
                credential.spec.name,
                credential.spec.hosts.join(", ")
            ))
            .into());
        }
        if let Some(credential) = credential.filter(|_| !self.keeps_secrets(&url)) {
            let name = &credential.spec.name;
            return Err(FetchError::Denied(format!("credential `{name}` may be sent over https only")).into());
        }
        // A part of a compressed answer could not be decompressed.
        let codings = if plugin_headers.contains_key(header::RANGE) { "identity" } else { "gzip, br" };
        let errand = OutboundRequest {
            purpose: RequestPurpose::Ask(grants),
            agent: self.agents.of(&grants.source),
            method: match request.method {
                model::Method::Get => Method::GET,
                model::Method::Post => Method::POST,
            },
            headers: HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(codings))]),
            plugin_headers,
            page: None,
            credential,
            jar,
            body: request.body.as_ref().map(|body| match body {
                Content::Text(text) => Bytes::copy_from_slice(text.as_bytes()),
                Content::Binary(bytes) => Bytes::copy_from_slice(bytes),
            }),
            bounds: BodyBounds { bytes: MAX_ANSWER_BYTES, cut: false, window: self.window },
        };
        let performed = self.perform(&errand, &url).await;
        // To the plugin it is the site that does not accept the credential, wherever it says so.
        if let Err(failed) = &performed
            && let Some(words) = failed.trouble.refused_credential()
        {
            let body = Content::Text(words.to_owned());
            return Ok(model::Response {
                status: 401,
                url: request.url.clone(),
                headers: Vec::new(),
                body,
                encoding: None,
            });
        }
        let mut reply = performed?;
        // A token can be withdrawn before its time.
        if let Some(credential) = credential.filter(|credential| {
            reply.status == StatusCode::UNAUTHORIZED
                && matches!(credential.spec.kind, CredentialKind::Oauth2ClientCredentials { .. })
        }) {
            self.forget_token(grants, credential, &reply.secrets).await;
            reply = self.perform(&errand, &url).await?;
        }
        Ok(self.io.run(answer(reply, errand.bounds)).await?)
    }
}

/// What a plugin sees of a reply.
async fn answer(reply: ResponseHead, bounds: BodyBounds) -> Result<model::Response, FetchError> {
    let status = reply.status.as_u16();
    let mut headers = Vec::new();
    let unpacked = reply.headers.contains_key(header::CONTENT_ENCODING);
    for (name, value) in &reply.headers {
        // What described the body before it was decompressed is true no longer.
        let stale = unpacked && matches!(*name, header::CONTENT_ENCODING | header::CONTENT_LENGTH);
        if !stale && *name != header::SET_COOKIE {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            headers.push((name.as_str().to_owned(), redact(value, &reply.secrets)));
        }
    }
    let content_type =
        headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.as_str());
    let (body, encoding) = if reply.status == StatusCode::PARTIAL_CONTENT {
        (Content::Binary(reply.body), None)
    } else if reply.body.starts_with(&[0x1f, 0x8b]) {
        gzip_file(reply.body, &reply.url, bounds).await?
    } else {
        charset::content(content_type, &reply.url, reply.body)
    };
    // Decoding to UTF-8 can make it longer.
    if body.len() as u64 > bounds.bytes {
        return Err(FetchError::TooLarge(bounds.bytes));
    }
    let body = match body {
        Content::Text(text) => Content::Text(redact(text, &reply.secrets)),
        Content::Binary(bytes) => Content::Binary(redact_bytes(bytes, &reply.secrets)),
    };
    let url = redact(reply.url.into(), &reply.secrets);
    Ok(model::Response { status, url, headers, body, encoding })
}

/// The text in a file such as `sitemap.xml.gz`; any other file stays as it is.
async fn gzip_file(
    file: Vec<u8>,
    url: &Url,
    bounds: BodyBounds,
) -> Result<(Content, Option<&'static Encoding>), FetchError> {
    match body::unpack(&file, bounds).await {
        Ok(unpacked) => match charset::content(None, url, unpacked) {
            text @ (Content::Text(_), _) => Ok(text),
            (Content::Binary(_), _) => Ok((Content::Binary(file), None)),
        },
        Err(FetchError::TooLarge(limit)) => Err(FetchError::TooLarge(limit)),
        Err(_) => Ok((Content::Binary(file), None)),
    }
}

/// Headers that carry what only the host knows.
const SECRET_HEADERS: [&str; 2] = ["authorization", "cookie"];

/// A plugin's header, or why it may not be sent.
pub(super) fn header((name, value): &(String, String)) -> Result<(HeaderName, HeaderValue), String> {
    let invalid = || format!("header `{}` is not valid", name.escape_debug());
    let name = HeaderName::try_from(name.as_str()).map_err(|_| invalid())?;
    if is_hosts_header(name.as_str()) || SECRET_HEADERS.contains(&name.as_str()) {
        return Err(format!("header `{name}` may not be set by a plugin"));
    }
    let value = HeaderValue::try_from(value.as_str()).map_err(|_| invalid())?;
    Ok((name, value))
}

/// The configured credential of that name; one that is not configured is left out. Or why it
/// may not be named at all.
pub(super) fn credential<'a>(
    grants: &'a Grants,
    name: Option<&str>,
) -> Result<Option<&'a model::GrantedSecret>, String> {
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
    headers.iter().try_for_each(|pair| header(pair).map(drop))?;
    credential(grants, credential_name).map(drop)
}
