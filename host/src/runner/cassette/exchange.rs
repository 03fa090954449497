//! A request with its answer.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use encoding_rs::{Encoding, UTF_8};
use serde::{Deserialize, Serialize};

use super::pairs;
use crate::{
    fetch,
    model::{Content, Failure, Method, Request, Response},
};

/// A request and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct Exchange {
    /// As the source asks it.
    pub request: Request,
    /// What it is given.
    pub outcome: Result<Response, Failure>,
}

/// Headers of answers that a source may need; a cassette has no others.
const HEADERS: [&str; 11] = [
    "accept-ranges",
    "content-disposition",
    "content-language",
    "content-range",
    "content-type",
    "etag",
    "last-modified",
    "link",
    "location",
    "retry-after",
    "www-authenticate",
];

/// Also those that begin so: how many there are, and how many one may ask.
const HEADERS_BEGIN: [&str; 5] = ["ratelimit", "x-page", "x-per-page", "x-ratelimit", "x-total"];

impl Exchange {
    /// What came from the network, without headers that no source needs. What only the bytes said of the
    /// encoding is said in `content-type`, because a cassette holds the text.
    #[must_use]
    pub fn recorded(request: Request, outcome: Result<Response, Failure>) -> Self {
        let outcome = outcome.map(|mut response| {
            response.headers.retain(|(name, _)| {
                HEADERS.contains(&name.as_str()) || HEADERS_BEGIN.iter().any(|start| name.starts_with(start))
            });
            if let Some(encoding) = response.encoding {
                declare(&mut response.headers, encoding);
            }
            response
        });
        Self { request, outcome }
    }

    /// How it is asked, in upper case.
    #[must_use]
    pub const fn method(request: &Request) -> &'static str {
        match request.method {
            Method::Get => "GET",
            Method::Post => "POST",
        }
    }

    /// The request alone, as a cassette says it.
    #[must_use]
    pub fn request_text(request: &Request) -> String {
        let outcome = Err(Failure::Skipped);
        let written = Written { answer: None, ..Self { request: request.clone(), outcome }.into() };
        toml::Table::try_from(written).map(|table| super::lines(&table)).unwrap_or_default()
    }
}

/// Has `content-type` name that encoding.
fn declare(headers: &mut Vec<(String, String)>, encoding: &'static Encoding) {
    if encoding_in(headers).unwrap_or(UTF_8) == encoding {
        return;
    }
    let essence = content_type(headers).split(';').next().unwrap_or_default().trim();
    let essence = if essence.is_empty() { "text/html" } else { essence };
    let declared = format!("{essence}; charset={}", encoding.name().to_ascii_lowercase());
    headers.retain(|(name, _)| name != "content-type");
    headers.push(("content-type".to_owned(), declared));
}

fn encoding_in(headers: &[(String, String)]) -> Option<&'static Encoding> {
    fetch::declared_encoding(content_type(headers))
}

fn content_type(headers: &[(String, String)]) -> &str {
    headers.iter().find(|(name, _)| name == "content-type").map_or("", |(_, value)| value)
}

/// An exchange in the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default = "get", skip_serializing_if = "is_get", with = "WrittenMethod")]
    method: Method,
    url: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    key: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "pairs")]
    headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    item: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    keep: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<Base64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<WrittenAnswer>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Method", rename_all = "UPPERCASE")]
enum WrittenMethod {
    Get,
    Post,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAnswer {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", with = "pairs")]
    headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<Base64>,
}

/// Bytes in the file; white space between does not count.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Base64(Vec<u8>);

impl TryFrom<String> for Base64 {
    type Error = String;

    fn try_from(written: String) -> Result<Self, String> {
        let packed: String = written.split_whitespace().collect();
        STANDARD.decode(packed).map(Self).map_err(|error| format!("not base64: {error}"))
    }
}

impl From<Base64> for String {
    fn from(bytes: Base64) -> Self {
        STANDARD.encode(bytes.0)
    }
}

const fn get() -> Method {
    Method::Get
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_get(method: &Method) -> bool {
    matches!(method, Method::Get)
}

impl TryFrom<Written> for Exchange {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { method, url, key, headers, credential, item, keep, text, base64, answer } = written;
        let here = |what: &str| format!("exchange of {url}: {what}");
        let answer = answer.ok_or_else(|| here("it has no [exchange.answer]"))?;
        let body = content(text, base64).map_err(|what| here(&what))?;
        let WrittenAnswer { failure, status, url: from, headers: of_answer, text, base64 } = answer;
        let outcome = match failure {
            Some(_) if status.is_some() || text.is_some() || base64.is_some() => {
                return Err(here("an answer has either a `failure` or a response"));
            }
            Some(failure) => Err(failure),
            None => {
                let headers: Vec<_> =
                    of_answer.into_iter().map(|(name, value)| (name.to_lowercase(), value)).collect();
                Ok(Response {
                    status: status.unwrap_or(200),
                    url: from.unwrap_or_else(|| url.clone()),
                    encoding: encoding_in(&headers),
                    headers,
                    body: content(text, base64)
                        .map_err(|what| here(&what))?
                        .unwrap_or_else(|| Content::Text(String::new())),
                })
            }
        };
        let request = Request { key, method, url, encoding: None, headers, body, credential, item, keep };
        Ok(Self { request, outcome })
    }
}

impl From<Exchange> for Written {
    fn from(Exchange { request, outcome }: Exchange) -> Self {
        let Request { key, method, url, encoding: _, headers, body, credential, item, keep } = request;
        let (text, base64) = body.map_or((None, None), written);
        let answer = match outcome {
            Err(failure) => WrittenAnswer {
                failure: Some(failure),
                status: None,
                url: None,
                headers: Vec::new(),
                text: None,
                base64: None,
            },
            Ok(response) => {
                let (text, base64) = written(response.body);
                WrittenAnswer {
                    failure: None,
                    status: Some(response.status).filter(|status| *status != 200),
                    url: Some(response.url).filter(|from| *from != url),
                    headers: response.headers,
                    text,
                    base64,
                }
            }
        };
        Self { method, url, key, headers, credential, item, keep, text, base64, answer: Some(answer) }
    }
}

fn content(text: Option<String>, base64: Option<Base64>) -> Result<Option<Content>, String> {
    match (text, base64) {
        (Some(_), Some(_)) => Err("a body is either `text` or `base64`".to_owned()),
        (Some(text), None) => Ok(Some(Content::Text(text))),
        (None, Some(base64)) => Ok(Some(Content::Binary(base64.0))),
        (None, None) => Ok(None),
    }
}

fn written(body: Content) -> (Option<String>, Option<Base64>) {
    match body {
        Content::Text(text) => (Some(text), None),
        Content::Binary(bytes) => (None, Some(Base64(bytes))),
    }
}
