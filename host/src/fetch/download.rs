//! Images: what is asked of their hosts, and what of an answer is kept.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use url::Url;

use super::{
    Fetcher, credentials,
    error::{FetchError, FetchErrorKind},
    redact::redact,
    request::{OutboundRequest, RequestPolicy, plugin_header},
};
use crate::model::{Candidate, ConsentSignal, Grants};

/// Formats that every site has as they were made. A site that reads more of `Accept` than it says makes
/// WebP or AVIF of its originals for who names them; what it has in no other form comes all the same.
const ACCEPT: HeaderValue = HeaderValue::from_static("image/jpeg, image/png, image/gif, */*;q=0.1");
const IDENTITY: HeaderValue = HeaderValue::from_static("identity");

/// An image as it came.
#[derive(Clone, Debug)]
pub struct Download {
    /// The body, not looked at.
    pub bytes: Bytes,
    /// Where it came from, after redirects; holds no secret.
    pub url: String,
    /// As declared by the site.
    pub content_type: Option<String>,
    /// What the site says of its use: in robots.txt, in tdmrep.json and in the header.
    pub signals: Vec<ConsentSignal>,
}

impl Fetcher {
    /// An image, from this address only. `headers` and `credential` of the candidate are sent to
    /// hosts in `grants` only, and no further than the first origin. Where it has no `referer`, not
    /// even an empty one, its page is named as a browser would by default; so it is where `url` is of
    /// another origin than the candidate's own, unless that `referer` is empty.
    ///
    /// What the site reserves is not received, where the policy is to refuse it.
    ///
    /// # Errors
    /// Of which [`FetchError::refusal`] is stored. While the host must be left alone for more than 5 s, the
    /// error comes at once, with that time.
    pub async fn download(
        &self,
        grants: &Grants,
        candidate: &Candidate,
        url: &str,
    ) -> Result<Download, FetchError> {
        let url = self.client.address_policy.parse(url)?;
        let credential =
            credentials::named(grants, candidate.credential.as_deref()).map_err(FetchError::denied)?;
        // What may not be set is left out: the image may come without it.
        let mut plugin_headers: HeaderMap =
            candidate.headers.iter().filter_map(|header| plugin_header(header).ok()).collect();
        // A `referer` of the source is for the address that it gave with it; an empty one is for all copies.
        let own = self.client.address_policy.parse(&candidate.url);
        let same_origin = own.is_ok_and(|own| own.origin() == url.origin());
        if !same_origin {
            plugin_headers.remove(header::REFERER);
        }
        let has_referer = candidate.headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("referer") && (same_origin || value.trim().is_empty())
        });
        let page = candidate.page_url.as_deref().filter(|_| !has_referer);
        let policy = RequestPolicy::image(grants, self.consent, self.client.max_image_bytes);
        let request = OutboundRequest {
            headers: HeaderMap::from_iter([(header::ACCEPT, ACCEPT), (header::ACCEPT_ENCODING, IDENTITY)]),
            plugin_headers,
            page: page.and_then(|page| Url::parse(page).ok()),
            credential,
            cookies: self.cookies.as_ref(),
            ..OutboundRequest::get(policy, &self.client.user_agents.own)
        };
        let response = self.client.perform(&request, &url).await?;
        if !policy.wants_body(response.status) {
            let kind = match response.status {
                status @ StatusCode::UNAUTHORIZED if credential.is_some() => {
                    FetchErrorKind::Unauthorized(format!("status {}", status.as_u16()))
                }
                status => FetchErrorKind::NotAnImage(status.as_u16()),
            };
            return Err(kind.into());
        }
        let redacted = |text: String| redact(text, &response.secrets);
        let content_type = response.headers.get(header::CONTENT_TYPE);
        let content_type = content_type.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        Ok(Download {
            bytes: response.memory.map_or_else(Bytes::new, |memory| memory.keep(response.body)),
            url: redacted(response.url.into()),
            content_type: content_type.map(redacted),
            signals: response.signals,
        })
    }
}
