//! All that a job or a dataset has kept, an object of JSON each, with signed links to the bytes.

use std::io;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use poem::{Body, IntoResponse, Request, Response, http::header};
use poem_openapi::{
    ApiResponse,
    registry::{MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry},
};
use serde::Serialize;
use serde_json::{Value, json};
use url::Url;

use super::{example_id, file_path};
use crate::{
    app::App,
    auth::link::{DOWNLOAD_LIFETIME, LinkHolder},
    dataset::{ExportError, ListedImage, Listing},
    error::chain,
};

/// Media type of lines of JSON.
const JSON_LINES: &str = "application/jsonl";

/// An answer that is made while it is sent: only a page of it is in memory.
pub(in crate::api) struct Manifest(Response);

/// A line of it.
#[derive(Serialize)]
struct ManifestLine {
    #[serde(flatten)]
    image: ListedImage,
    /// Whole, so that any program can follow it.
    download_url: String,
    /// RFC 3339, in UTC.
    expires_at: String,
}

impl Manifest {
    /// With links to `origin`, where the client found this host.
    pub(super) fn new(
        app: &App,
        holder: LinkHolder,
        listing: Listing,
        origin: String,
        now: DateTime<Utc>,
    ) -> Self {
        let pages = pages(app, holder, listing, origin, now).map_ok(|images| {
            let mut lines = images.join(&b'\n');
            lines.push(b'\n');
            Bytes::from(lines)
        });
        let response = Response::builder().content_type(JSON_LINES).header(header::CACHE_CONTROL, "no-store");
        Self(response.body(Body::from_bytes_stream(pages)))
    }
}

/// Pages of what is listed, each image as JSON; none is empty.
fn pages(
    app: &App,
    holder: LinkHolder,
    listing: Listing,
    origin: String,
    now: DateTime<Utc>,
) -> impl Stream<Item = io::Result<Vec<Vec<u8>>>> + Send + 'static {
    let links = app.links.clone();
    let until = now + DOWNLOAD_LIFETIME;
    let expires_at = until.to_rfc3339_opts(SecondsFormat::Secs, true);
    let render = move |page: Vec<ListedImage>| {
        let line = |image: ListedImage| {
            let link = links.sign(&file_path(image.record.id), holder, until);
            let line = ManifestLine {
                image,
                download_url: format!("{origin}{link}"),
                expires_at: expires_at.clone(),
            };
            Ok(serde_json::to_vec(&line)?)
        };
        page.into_iter().map(line).collect()
    };
    let pages = stream::try_unfold(listing, |mut listing| async move {
        let page = listing.next().await?;
        Ok((!page.is_empty()).then_some((page, listing)))
    });
    // The connection is closed in the middle, which every client takes for a failure.
    let broken = |error: ExportError| {
        tracing::warn!(error = %chain(&error), "a listing breaks off");
        io::Error::other(error)
    };
    pages.map_err(broken).and_then(move |page| std::future::ready(render(page)))
}

/// Where the client found this host: the name in `Host`, which a browser sets and a proxy passes on, with
/// https where a proxy says so. No other header leads links elsewhere. Empty where nothing sensible is said.
pub(in crate::api) fn origin(request: &Request) -> String {
    let said = |name: &str| Some(request.header(name)?.split(',').next()?.trim().to_owned());
    let scheme = said("x-forwarded-proto").filter(|scheme| scheme == "https").unwrap_or("http".to_owned());
    let host = said("host").unwrap_or_default();
    let origin = Url::parse(&format!("{scheme}://{host}")).ok().map(|url| url.origin());
    origin.filter(url::Origin::is_tuple).map_or_else(String::new, |origin| origin.ascii_serialization())
}

impl IntoResponse for Manifest {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for Manifest {
    fn meta() -> MetaResponses {
        let example = format!("{}\n", example_line());
        let schema = MetaSchema { example: Some(example.into()), ..MetaSchema::new("string") };
        meta("A JSON object a line, in the order in which the images came.", JSON_LINES, schema)
    }

    fn register(_: &mut Registry) {}
}

/// The same as one array, which is made while it is sent, too.
pub(in crate::api) struct ManifestArray(Response);

impl ManifestArray {
    /// With links to `origin`, where the client found this host. `name` is that of the file.
    pub(in crate::api) fn new(
        app: &App,
        holder: LinkHolder,
        listing: Listing,
        origin: String,
        now: DateTime<Utc>,
        name: &str,
    ) -> Self {
        let mut separator = &b""[..];
        let pages = pages(app, holder, listing, origin, now).map_ok(move |images| {
            let begin = std::mem::replace(&mut separator, b",");
            Bytes::from([begin, &images.join(&b',')].concat())
        });
        let fixed = |text: &'static [u8]| stream::once(std::future::ready(Ok(Bytes::from_static(text))));
        let parts = fixed(b"[").chain(pages).chain(fixed(b"]"));
        let response = Response::builder()
            .content_type("application/json")
            .header(header::CACHE_CONTROL, "no-store")
            .header(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""));
        Self(response.body(Body::from_bytes_stream(parts)))
    }
}

impl IntoResponse for ManifestArray {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for ManifestArray {
    fn meta() -> MetaResponses {
        let item = MetaSchemaRef::Inline(Box::new(MetaSchema::new("object")));
        let schema = MetaSchema {
            items: Some(Box::new(item)),
            example: Some(json!([example_line()])),
            ..MetaSchema::new("array")
        };
        meta("An array of JSON objects, in the order in which the images came.", "application/json", schema)
    }

    fn register(_: &mut Registry) {}
}

fn example_line() -> Value {
    let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    json!({
        "file_name": format!("panda/{hash}.jpg"),
        "label": "panda",
        "url": "https://images.example.org/red-panda.jpg",
        "sha256": hash,
        "download_url": format!(
            "http://127.0.0.1:8000{}?user=…&expires=…&signature=…",
            file_path(crate::model::ImageId(example_id()))
        ),
        "expires_at": "1970-01-02T00:00:00Z",
    })
}

/// The only answer, of this type.
fn meta(description: &'static str, content_type: &'static str, schema: MetaSchema) -> MetaResponses {
    let content = MetaMediaType { content_type, schema: MetaSchemaRef::Inline(Box::new(schema)) };
    let response = MetaResponse {
        status: Some(200),
        description,
        status_range: None,
        content: vec![content],
        headers: Vec::new(),
    };
    MetaResponses { responses: vec![response] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_where_the_client_found_us() {
        for (headers, expected) in [
            (&[("host", "127.0.0.1:8000")][..], "http://127.0.0.1:8000"),
            (&[("host", "[::1]:8000")], "http://[::1]:8000"),
            (&[("host", "images.example"), ("x-forwarded-proto", "https")], "https://images.example"),
            (&[("host", "images.example"), ("x-forwarded-host", "evil.example")], "http://images.example"),
            (&[("host", "images.example"), ("x-forwarded-proto", "javascript")], "http://images.example"),
            (&[("host", "user@evil.example/path?")], "http://evil.example"),
            (&[("host", "a b")], ""),
            (&[], ""),
        ] {
            let request = headers
                .iter()
                .fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
            assert_eq!(origin(&request.finish()), expected, "{headers:?}");
        }
    }
}
