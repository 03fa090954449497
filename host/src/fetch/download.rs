//! Images: what is asked of their hosts, and which answers are images at all.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use url::Url;

use super::{
    Download, DownloadError, Inner,
    body::BodyBounds,
    cookies::CookieJar,
    error::{FailedFetch, FetchError},
    outbound::{OutboundRequest, RequestPurpose},
    redact::redact,
    source_request::{credential, header},
};
use crate::model::{Candidate, Grants, Refusal};

/// Formats that every site has as they were made. A site that reads more of `Accept` than it says makes
/// WebP or AVIF of its originals for who names them; what it has in no other form comes all the same.
const ACCEPT: HeaderValue = HeaderValue::from_static("image/jpeg, image/png, image/gif, */*;q=0.1");
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

impl Inner {
    /// See [`super::Fetcher::download`].
    pub(super) async fn download(
        &self,
        grants: &Grants,
        jar: Option<&CookieJar>,
        candidate: &Candidate,
        url: &str,
    ) -> Result<Download, DownloadError> {
        let url = self.guard.parse(url).map_err(|blocked| FailedFetch::from(FetchError::from(blocked)))?;
        let credential = credential(grants, candidate.credential.as_deref())
            .map_err(|reason| FailedFetch::from(FetchError::Denied(reason)))?;
        // What may not be set is left out: the picture may come without it.
        let mut plugin_headers: HeaderMap =
            candidate.headers.iter().filter_map(|pair| header(pair).ok()).collect();
        // What the source says of the page is for the address that it gave with it; none is for all copies.
        let is_for = self.guard.parse(&candidate.url).is_ok_and(|own| own.origin() == url.origin());
        if !is_for {
            plugin_headers.remove(header::REFERER);
        }
        let says_itself = candidate
            .headers
            .iter()
            .any(|(name, value)| name.eq_ignore_ascii_case("referer") && (is_for || value.trim().is_empty()));
        let page = candidate.page_url.as_deref().filter(|_| !says_itself);
        let errand = OutboundRequest {
            purpose: RequestPurpose::Image(grants),
            agent: &self.agents.own,
            method: Method::GET,
            headers: HeaderMap::from_iter([(header::ACCEPT, ACCEPT), (header::ACCEPT_ENCODING, IDENTITY)]),
            plugin_headers,
            page: page.and_then(|page| Url::parse(page).ok()),
            credential,
            jar,
            body: None,
            bounds: BodyBounds { bytes: self.max_image_bytes, cut: false, window: self.window },
        };
        let reply = self.perform(&errand, &url).await?;
        let status = reply.status.as_u16();
        if is_image(reply.status) {
            let content_type = reply.headers.get(header::CONTENT_TYPE);
            let content_type = content_type.map(|value| String::from_utf8_lossy(value.as_bytes()));
            return Ok(Download {
                bytes: reply.place.map_or_else(Bytes::new, |place| place.keep(reply.body)),
                url: redact(reply.url.into(), &reply.secrets),
                content_type: content_type.map(|text| redact(text.into_owned(), &reply.secrets)),
            });
        }
        let reason = if matches!(status, 404 | 410) { Refusal::NotFound } else { Refusal::HttpStatus };
        let unauthorized = reply.status == StatusCode::UNAUTHORIZED && errand.credential.is_some();
        Err(DownloadError { reason, detail: format!("status {status}"), retry_after: None, unauthorized })
    }
}

/// Whether an answer with this status may be an image. A page that says why there is none
/// is not, nor is a part of one, which nobody asked for.
pub(super) fn is_image(status: StatusCode) -> bool {
    status.is_success() && status != StatusCode::PARTIAL_CONTENT
}
