//! From one address to the next: what a redirect changes, and what it must not take along.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use url::Url;

use super::{
    address_policy::without_root_dot,
    credentials::without_secret,
    error::FetchError,
    origin_map::authority,
    outbound::{OutboundRequest, RequestPurpose},
    referrer::{may_be_told, referrer},
};

/// One request on the way to an answer.
pub(super) struct RedirectState {
    pub(super) url: Url,
    pub(super) method: Method,
    pub(super) body: Option<Bytes>,
    pub(super) plugin_headers: HeaderMap,
    /// No redirect has left the origin so far; what is the source's may go along.
    pub(super) at_home: bool,
    /// What may still be told of the page that led here.
    page: Option<Url>,
}

impl RedirectState {
    pub(super) fn first(errand: &OutboundRequest<'_>, url: &Url) -> Self {
        let mut hop = Self {
            url: url.clone(),
            method: errand.method.clone(),
            body: errand.body.clone(),
            plugin_headers: errand.plugin_headers.clone(),
            at_home: true,
            page: errand.page.clone(),
        };
        hop.withhold(true);
        hop
    }

    /// Takes away, for this hop and all later ones, what the source says of a page and may not be told here.
    fn withhold(&mut self, is_for: bool) {
        let is_told =
            |said: &HeaderValue| may_be_told(&String::from_utf8_lossy(said.as_bytes()), &self.url, is_for);
        if !self.plugin_headers.get_all(header::REFERER).iter().all(is_told) {
            self.plugin_headers.remove(header::REFERER);
        }
    }

    /// What is told of the page, and from then on no more than that.
    pub(super) fn refer(&mut self) -> Option<HeaderValue> {
        self.page = referrer(self.page.as_ref()?, &self.url);
        HeaderValue::from_str(self.page.as_ref()?.as_str()).ok()
    }

    /// Where `response` redirects to, if it does.
    pub(super) fn redirect(&self, response: &reqwest::Response) -> Result<Option<Url>, FetchError> {
        let Some(location) = response.headers().get(header::LOCATION) else { return Ok(None) };
        if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Ok(None);
        }
        // Bytes beyond ASCII go back as they came, in whatever encoding they are, as browsers do.
        let location = location.as_bytes().iter().fold(String::new(), |mut text, byte| {
            match byte.is_ascii() {
                true => text.push(char::from(*byte)),
                false => text.push_str(&format!("%{byte:02X}")),
            }
            text
        });
        self.url
            .join(&location)
            .ok()
            .and_then(without_root_dot)
            .map(Some)
            .ok_or_else(|| FetchError::network("a redirect to what is not an address"))
    }

    /// Becomes the request for `next`, as `status` asks.
    pub(super) fn follow(
        &mut self,
        errand: &OutboundRequest<'_>,
        status: StatusCode,
        next: Url,
    ) -> Result<(), FetchError> {
        match errand.purpose {
            RequestPurpose::Token => return Err(FetchError::network("the token endpoint redirects")),
            RequestPurpose::Ask(_) if self.url.scheme() == "https" && next.scheme() == "http" => {
                return Err(FetchError::Denied(format!(
                    "a redirect from https to http://{}",
                    authority(&next)
                )));
            }
            _ => {}
        }
        self.at_home &= same_home(&self.url, &next);
        let moved = matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND);
        if status == StatusCode::SEE_OTHER || (moved && self.method == Method::POST) {
            (self.method, self.body) = (Method::GET, None);
            self.plugin_headers.remove(header::CONTENT_TYPE);
        }
        let stays = self.url.origin() == next.origin();
        self.url =
            errand.credential.map_or_else(|| next.clone(), |credential| without_secret(&next, credential));
        self.withhold(stays);
        Ok(())
    }
}

/// Whether what was meant for `from` may be sent to `to`: the same origin, or the same host now with TLS.
fn same_home(from: &Url, to: &Url) -> bool {
    let upgraded =
        from.scheme() == "http" && to.scheme() == "https" && from.port().is_none() && to.port().is_none();
    from.host() == to.host() && (from.origin() == to.origin() || upgraded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn homes() {
        let check = |from: &str, to: &str, expect: bool| {
            assert_eq!(same_home(&from.parse().unwrap(), &to.parse().unwrap()), expect, "{from} → {to}");
        };
        check("https://a.test/x", "https://a.test/y", true);
        check("http://a.test/", "https://a.test/", true);
        check("https://a.test/", "http://a.test/", false);
        check("https://a.test/", "https://b.test/", false);
        check("https://a.test/", "https://a.test:8443/", false);
        check("http://a.test/", "https://a.test:8443/", false);
        check("http://a.test:8080/", "https://a.test/", false);
    }
}
