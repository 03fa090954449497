//! A bucket that speaks S3, as Amazon's, Supabase Storage and others do, each a little differently. Nothing is
//! asked of it that not all of them do: no conditions (Supabase does not heed them and does not say so), no tags,
//! no deletion of several at once.

use std::{
    fs, io,
    net::{Ipv4Addr, Ipv6Addr},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use futures_util::{StreamExt as _, stream};
use http::{Method, StatusCode};
use http_body_util::{BodyExt as _, Limited, StreamBody};
use object_store::{
    BackoffConfig, ClientOptions, Error, ObjectStore, Result as StoreResult, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder, S3ConditionalPut},
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
        HttpService,
    },
    path::Path as Location,
    prefix::PrefixStore,
    signer::{SignedUrlOptions, Signer as _},
};
use secrecy::ExposeSecret as _;
use url::{Host, Url};

use super::error::{FailureKind, find};
use crate::{config, model::Format};

/// Longest time to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest time for an answer, and between two pieces of it.
const PATIENCE: Duration = Duration::from_secs(10);
/// The least rate at which a bucket must take what is put, in bytes a second.
const LEAST_RATE: u64 = 1 << 20;
/// After so long nothing is tried again.
const RETRIES: Duration = Duration::from_secs(10);
const MOST_RETRIES: usize = 3;
/// A connection that waits for longer may be closed at the other end.
const IDLE: Duration = Duration::from_secs(20);
/// Of the body of an answer that says why not, in bytes.
const LONGEST_BODY: usize = 64 << 10;
/// Of what is repeated of it, in characters.
const LONGEST_MESSAGE: usize = 200;

/// Where it is, and what signs addresses in it.
#[derive(Debug)]
pub(super) struct Bucket {
    /// What is in it, below the prefix.
    pub(super) objects: Arc<dyn ObjectStore>,
    place: String,
    prefix: Location,
    signer: AmazonS3,
}

/// Why the settings mean no bucket.
#[derive(Debug, thiserror::Error)]
pub enum BucketSettingsError {
    /// Part of the settings of a bucket; kept in a folder the objects would be elsewhere than is meant.
    #[error(
        "{0} is set, but PIXCRAWLER_S3_BUCKET is not: name the bucket, or unset the former to keep objects in the \
         data folder"
    )]
    WithoutBucket(&'static str),
    /// Something else is needed, too.
    #[error("PIXCRAWLER_S3_BUCKET is set, and {0} is not: a bucket needs the key's id and its secret")]
    WithoutKey(&'static str),
    /// What no bucket is called.
    #[error("PIXCRAWLER_S3_BUCKET must be a name of letters, digits, `-`, `_` and `.`, and not `{0}`")]
    Name(String),
    /// No address of a server.
    #[error("PIXCRAWLER_S3_ENDPOINT {0}")]
    Endpoint(&'static str),
    /// Pictures on the way for all to see.
    #[error(
        "PIXCRAWLER_S3_ENDPOINT begins with http:// and is of another machine, so that pictures can be read and \
         changed on the way: give its https address, or set PIXCRAWLER_S3_ALLOW_HTTP=true"
    )]
    Http,
    /// No path.
    #[error("PIXCRAWLER_S3_PREFIX must be names with `/` between, of letters, digits, `-`, `_` and `.`")]
    Prefix,
    /// It cannot be read.
    #[error("PIXCRAWLER_S3_CA: cannot read {0}")]
    CaFile(PathBuf, #[source] io::Error),
    /// It can be read.
    #[error("PIXCRAWLER_S3_CA: {0} has no certificate in the form PEM")]
    Ca(PathBuf),
    /// What is left.
    #[error("cannot set up requests to the bucket")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Bucket {
    /// Opens the bucket of the settings, if they name one; nothing is asked of it yet.
    pub(super) fn open(config: &config::Objects) -> Result<Option<Self>, BucketSettingsError> {
        let Some(name) = &config.s3_bucket else {
            return config
                .without_bucket()
                .map_or(Ok(None), |given| Err(BucketSettingsError::WithoutBucket(given)));
        };
        if name.is_empty() || !name.bytes().all(is_plain) {
            return Err(BucketSettingsError::Name(name.clone()));
        }
        let id = config.s3_access_key_id.as_ref();
        let id = id.ok_or(BucketSettingsError::WithoutKey("PIXCRAWLER_S3_ACCESS_KEY_ID"))?;
        let secret = config.s3_secret_access_key.as_ref();
        let secret = secret.ok_or(BucketSettingsError::WithoutKey("PIXCRAWLER_S3_SECRET_ACCESS_KEY"))?;
        let prefix = config.s3_prefix.as_deref().unwrap_or_default();
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if !prefix.bytes().all(|byte| byte == b'/' || is_plain(byte)) {
            return Err(BucketSettingsError::Prefix);
        }
        let prefix = Location::parse(prefix).map_err(|_| BucketSettingsError::Prefix)?;

        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(name)
            .with_access_key_id(id)
            .with_secret_access_key(secret.expose_secret())
            .with_virtual_hosted_style_request(config.s3_virtual_hosted)
            .with_conditional_put(S3ConditionalPut::Disabled)
            .with_disable_tagging(true)
            .with_disable_bulk_delete(true)
            .with_retry(RetryConfig {
                backoff: BackoffConfig {
                    init_backoff: Duration::from_millis(100),
                    max_backoff: Duration::from_secs(2),
                    base: 2.0,
                },
                max_retries: MOST_RETRIES,
                retry_timeout: RETRIES,
            })
            .with_client_options(with_types())
            .with_http_connector(Connector(BoundedClient::new(config)?));
        if let Some(region) = &config.s3_region {
            builder = builder.with_region(region);
        }
        let mut place = "Amazon S3".to_owned();
        if let Some(url) = &config.s3_endpoint {
            let endpoint = endpoint(url, name, config)?;
            url.host_str().unwrap_or_default().clone_into(&mut place);
            builder = builder.with_endpoint(endpoint);
        }
        let signer = builder.build().map_err(|error| BucketSettingsError::Client(error.into()))?;
        let objects: Arc<dyn ObjectStore> = if prefix.is_root() {
            Arc::new(signer.clone())
        } else {
            Arc::new(PrefixStore::new(signer.clone(), prefix.clone()))
        };
        Ok(Some(Self { objects, place: format!("the bucket `{name}` of {place}"), prefix, signer }))
    }

    /// Says where it is, for people.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Signs an address at which anybody can read an object for so long. What is said of it there is fixed
    /// with it: its type, and the name under which it is saved.
    pub(super) async fn signed_url(
        &self,
        location: &Location,
        format: Format,
        expires_in: Duration,
    ) -> StoreResult<Url> {
        let name = location.filename().unwrap_or_default();
        let options = SignedUrlOptions::new().with_query([
            ("response-content-type", format.media_type().to_owned()),
            ("response-content-disposition", format!("inline; filename=\"{name}\"")),
        ]);
        let location: Location = self.prefix.parts().chain(location.parts()).collect();
        self.signer.signed_url_opts(Method::GET, &location, expires_in, &options).await
    }
}

/// Whether a byte is the same in every form of an address.
const fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

/// Makes who looks into the bucket by other means see pictures.
fn with_types() -> ClientOptions {
    Format::ALL.iter().fold(ClientOptions::new(), |options, format| {
        options.with_content_type_for_suffix(format.extension(), format.media_type())
    })
}

/// Reads the address of the server, with the bucket's name before it where that is asked for.
fn endpoint(url: &Url, bucket: &str, config: &config::Objects) -> Result<String, BucketSettingsError> {
    let wrong = |what| Err(BucketSettingsError::Endpoint(what));
    let is_loopback = match url.host() {
        _ if !matches!(url.scheme(), "http" | "https") => return wrong("must begin with https://"),
        None => return wrong("names no server"),
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => Ipv4Addr::is_loopback(&ip),
        Some(Host::Ipv6(ip)) => Ipv6Addr::is_loopback(&ip),
    };
    if !url.username().is_empty() || url.password().is_some() {
        return wrong("must have no user and no password: the key has settings of its own");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("must end with its path");
    }
    if url.scheme() == "http" && !is_loopback && !config.s3_allow_http {
        return Err(BucketSettingsError::Http);
    }
    let mut url = url.clone();
    if config.s3_virtual_hosted {
        let host = match url.host() {
            Some(Host::Domain(name)) => format!("{bucket}.{name}"),
            _ => return wrong("must have a name, which the bucket's is put before, and no number"),
        };
        if url.set_host(Some(&host)).is_err() {
            return wrong("cannot have the bucket's name before it");
        }
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// Sends requests, none of which goes on for ever, and reads why one is refused.
#[derive(Clone, Debug)]
struct BoundedClient(reqwest::Client);

impl BoundedClient {
    fn new(config: &config::Objects) -> Result<Self, BucketSettingsError> {
        let certificates = match &config.s3_ca {
            None => Vec::new(),
            Some(file) => {
                let pem = fs::read(file).map_err(|error| BucketSettingsError::CaFile(file.clone(), error))?;
                let read = reqwest::Certificate::from_pem_bundle(&pem).unwrap_or_default();
                if read.is_empty() {
                    return Err(BucketSettingsError::Ca(file.clone()));
                }
                read
            }
        };
        let client = reqwest::Client::builder()
            .user_agent(concat!("pixcrawler/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .tls_certs_merge(certificates);
        client.build().map(Self).map_err(|error| BucketSettingsError::Client(error.into()))
    }
}

/// Gives the client to the library.
#[derive(Debug)]
struct Connector(BoundedClient);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> StoreResult<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

#[async_trait]
impl HttpService for BoundedClient {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        // All of what is put is sent before anything comes.
        let size = request.body().content_length() as u64;
        let longest = PATIENCE + Duration::from_secs(size / LEAST_RATE);
        let answered = tokio::time::timeout(longest, exchange(&self.0, request)).await;
        let (parts, body) = answered.unwrap_or_else(|_| Err(late(longest)))?.into_parts();
        // Of what is read each piece, from the moment at which somebody waits for it: who reads slowly may.
        let pieces = stream::unfold(Some(body), |body| async move {
            let mut body = body?;
            match tokio::time::timeout(PATIENCE, body.frame()).await {
                Ok(piece) => piece.map(|piece| (piece, Some(body))),
                Err(_) => Some((Err(late(PATIENCE)), None)),
            }
        });
        // Somebody may ask again after the end.
        let body = HttpResponseBody::new(StreamBody::new(pieces.fuse()));
        Ok(HttpResponse::from_parts(parts, body))
    }
}

fn late(longest: Duration) -> HttpError {
    let late = format!("nothing came within {} s", longest.as_secs());
    HttpError::new(HttpErrorKind::Timeout, io::Error::new(io::ErrorKind::TimedOut, late))
}

/// Sends a request; an answer that is neither what was asked for nor the word that there is no such object
/// is an error that says what it is.
async fn exchange(client: &reqwest::Client, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let method = request.method().clone();
    let response = client.call(request).await?;
    let status = response.status();
    if status.is_success() || status == StatusCode::NOT_MODIFIED {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    // Without it the status must do.
    let body =
        Limited::new(body, LONGEST_BODY).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let answer = BucketAnswer::read(status, &String::from_utf8_lossy(&body));
    if status == StatusCode::NOT_FOUND && method != Method::PUT && !answer.is_of_bucket() {
        return Ok(HttpResponse::from_parts(parts, body.into()));
    }
    // The latter is tried again.
    let kind = if answer.kind() == FailureKind::Unavailable {
        HttpErrorKind::Request
    } else {
        HttpErrorKind::Unknown
    };
    Err(HttpError::new(kind, answer))
}

/// What a bucket answered instead of doing what it was asked for.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the bucket answered {}: {}", self.name(), self.advice())]
pub(super) struct BucketAnswer {
    status: StatusCode,
    /// Of S3, such as `NoSuchBucket`; empty where there is none.
    code: String,
    message: String,
    region: Option<String>,
}

impl BucketAnswer {
    fn read(status: StatusCode, body: &str) -> Self {
        let code = element(body, "Code").unwrap_or_default();
        let message = element(body, "Message").unwrap_or_else(|| shown(body));
        Self { status, code, message, region: element(body, "Region") }
    }

    fn name(&self) -> String {
        if self.code.is_empty() {
            self.status.to_string()
        } else {
            format!("{} {}", self.status.as_u16(), self.code)
        }
    }

    /// Whether it is about the whole bucket, or about no bucket at all.
    fn is_of_bucket(&self) -> bool {
        self.code == "NoSuchBucket"
    }

    /// What is wrong, in words that say where to look.
    fn advice(&self) -> String {
        let advice = match &*self.code {
            "InvalidAccessKeyId" | "NotSignedUp" => {
                "it does not know the key's id; look at PIXCRAWLER_S3_ACCESS_KEY_ID"
            }
            "SignatureDoesNotMatch" => {
                "the secret is not that of the key; look at PIXCRAWLER_S3_SECRET_ACCESS_KEY"
            }
            "NoSuchBucket" => {
                "there is no bucket of this name; make it, or look at PIXCRAWLER_S3_BUCKET and PIXCRAWLER_S3_ENDPOINT"
            }
            "RequestTimeTooSkewed" => "the clock of this machine, or that of the server, is wrong; set it",
            "AccessDenied" => "the key must be allowed to list, read, write and delete in the bucket",
            _ if self.is_elsewhere() => {
                let region = self.region.as_ref().map_or_else(String::new, |region| format!(", `{region}`"));
                return format!("the bucket is in another region{region}; look at PIXCRAWLER_S3_REGION");
            }
            "" if self.status == StatusCode::PAYLOAD_TOO_LARGE => {
                "a proxy before it takes no body of that size; raise its limit"
            }
            "" if self.status == StatusCode::FORBIDDEN => "the key is refused, or may not do this",
            "" if !self.status.is_server_error() && self.status != StatusCode::TOO_MANY_REQUESTS => {
                "that is no answer of S3; look at PIXCRAWLER_S3_ENDPOINT"
            }
            _ if self.message.is_empty() => "it does not say why",
            _ => &self.message,
        };
        advice.to_owned()
    }

    fn is_elsewhere(&self) -> bool {
        matches!(&*self.code, "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException")
            || self.status.is_redirection()
    }

    pub(super) fn kind(&self) -> FailureKind {
        let status = self.status;
        match &*self.code {
            "EntityTooLarge" => FailureKind::TooLarge,
            "SlowDown" | "RequestTimeout" | "InternalError" | "ServiceUnavailable" => {
                FailureKind::Unavailable
            }
            _ if status == StatusCode::INSUFFICIENT_STORAGE => FailureKind::Full,
            _ if status.is_server_error()
                || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT) =>
            {
                FailureKind::Unavailable
            }
            _ => FailureKind::Lasting,
        }
    }
}

/// Finds the text of an element, whose name is nowhere else in the errors of S3.
fn element(xml: &str, name: &str) -> Option<String> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(shown(text))
}

/// Makes of somebody else's text a short one in one line.
fn shown(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    words.join(" ").chars().take(LONGEST_MESSAGE).collect()
}

/// A bucket that did not answer.
#[derive(Debug, thiserror::Error)]
#[error("the bucket did not answer: {0}")]
pub(super) struct Unanswered(String);

impl Unanswered {
    /// None where it did, or where no request was made.
    pub(super) fn of(error: &Error) -> Option<Self> {
        let mut cause: &dyn std::error::Error = find::<HttpError>(error)?;
        // The innermost says what was the case; those around it, that there was an error.
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let reason = cause.to_string();
        let advice = if reason.contains("certificate") {
            "; a CA of your own is named by PIXCRAWLER_S3_CA"
        } else {
            ""
        };
        Some(Self(format!("{reason}{advice}")))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn settings(arguments: &[&str]) -> config::Objects {
        #[derive(clap::Parser)]
        struct Line {
            #[command(flatten)]
            objects: config::Objects,
        }
        Line::parse_from(["test"].iter().chain(arguments)).objects
    }

    const KEY: [&str; 3] = ["--s3-bucket=b", "--s3-access-key-id=id", "--s3-secret-access-key=canary"];

    #[test]
    fn settings_that_mean_no_bucket() {
        assert!(Bucket::open(&settings(&[])).unwrap().is_none());
        let with = |more: &[&'static str]| [&KEY[..], more].concat();
        for (arguments, expect) in [
            (vec!["--s3-redirect"], "PIXCRAWLER_S3_REDIRECT is set, but PIXCRAWLER_S3_BUCKET is not"),
            (KEY[1..].to_vec(), "PIXCRAWLER_S3_ACCESS_KEY_ID is set, but PIXCRAWLER_S3_BUCKET is not"),
            (KEY[..2].to_vec(), "PIXCRAWLER_S3_SECRET_ACCESS_KEY is not"),
            (vec!["--s3-bucket=a/b"], "not `a/b`"),
            (with(&["--s3-endpoint=http://s3.example"]), "PIXCRAWLER_S3_ALLOW_HTTP"),
            (with(&["--s3-endpoint=ftp://s3.example"]), "must begin with https://"),
            (with(&["--s3-endpoint=https://u:p@s3.example"]), "no user and no password"),
            (with(&["--s3-endpoint=https://s3.example?x=1"]), "must end with its path"),
            (with(&["--s3-endpoint=https://127.0.0.1", "--s3-virtual-hosted"]), "must have a name"),
            (with(&["--s3-prefix=a//b"]), "PIXCRAWLER_S3_PREFIX must be"),
            (with(&["--s3-prefix=a/../b"]), "PIXCRAWLER_S3_PREFIX must be"),
            (with(&["--s3-ca=/nowhere.pem"]), "cannot read /nowhere.pem"),
            (with(&["--s3-ca=/dev/null"]), "no certificate"),
        ] {
            let error = Bucket::open(&settings(&arguments)).unwrap_err().to_string();
            assert!(error.contains(expect), "{arguments:?}: {error}");
        }
    }

    #[tokio::test]
    async fn where_a_bucket_is() {
        let location = Location::from("u/ab/abc.png");
        for (arguments, expect) in [
            (vec!["--s3-region=eu-west-1"], "https://s3.eu-west-1.amazonaws.com/b/u/ab/abc.png?"),
            (
                vec!["--s3-region=eu-west-1", "--s3-virtual-hosted"],
                "https://b.s3.eu-west-1.amazonaws.com/u/ab/abc.png?",
            ),
            (
                vec!["--s3-endpoint=https://ref.storage.supabase.co/storage/v1/s3/"],
                "https://ref.storage.supabase.co/storage/v1/s3/b/u/ab/abc.png?",
            ),
            (
                vec!["--s3-endpoint=https://s3.example:8443/", "--s3-virtual-hosted", "--s3-prefix=p/q/"],
                "https://b.s3.example:8443/p/q/u/ab/abc.png?",
            ),
            (vec!["--s3-endpoint=http://[::1]:9000"], "http://[::1]:9000/b/u/ab/abc.png?"),
            (vec!["--s3-endpoint=http://s3.example", "--s3-allow-http"], "http://s3.example/b/u/ab/abc.png?"),
        ] {
            let bucket = Bucket::open(&settings(&[&KEY[..], &arguments].concat())).unwrap().unwrap();
            let url = bucket.signed_url(&location, Format::Png, Duration::from_mins(15)).await.unwrap();
            assert!(url.as_str().starts_with(expect), "{url}");
            let query: std::collections::HashMap<_, _> = url.query_pairs().collect();
            assert_eq!(query["response-content-type"], "image/png");
            assert_eq!(query["response-content-disposition"], "inline; filename=\"abc.png\"");
            assert_eq!(query["X-Amz-Expires"], "900");
            assert!(!format!("{bucket:?} {url}").contains("canary"));
        }
    }

    #[test]
    fn what_a_bucket_answers() {
        let xml = |code: &str| {
            format!(
                "<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>Some\n words</Message><Region>eu-west-1</Region></Error>"
            )
        };
        for (status, body, kind, expect) in [
            (
                403,
                xml("SignatureDoesNotMatch"),
                FailureKind::Lasting,
                "403 SignatureDoesNotMatch: the secret is not that",
            ),
            (
                400,
                xml("AuthorizationHeaderMalformed"),
                FailureKind::Lasting,
                "in another region, `eu-west-1`",
            ),
            (
                301,
                String::new(),
                FailureKind::Lasting,
                "301 Moved Permanently: the bucket is in another region; look",
            ),
            (403, String::new(), FailureKind::Lasting, "403 Forbidden: the key is refused"),
            (405, "<html>".to_owned(), FailureKind::Lasting, "that is no answer of S3"),
            (503, xml("SlowDown"), FailureKind::Unavailable, "503 SlowDown: Some words"),
            (502, "<html>".to_owned(), FailureKind::Unavailable, "502 Bad Gateway: <html>"),
            (429, String::new(), FailureKind::Unavailable, "429 Too Many Requests: it does not say why"),
            (400, xml("EntityTooLarge"), FailureKind::TooLarge, "400 EntityTooLarge: Some words"),
            (507, String::new(), FailureKind::Full, "507"),
            (413, "<html>".to_owned(), FailureKind::Lasting, "a proxy before it takes no body of that size"),
        ] {
            let answer = BucketAnswer::read(StatusCode::from_u16(status).unwrap(), &body);
            assert_eq!(answer.kind(), kind, "{answer}");
            assert!(answer.to_string().contains(expect), "{answer}");
        }
    }
}
