//! From one address to the next: what a redirect changes, and what it must not take along.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use url::Url;

use super::{
    address_policy::without_root_dot,
    credentials::without_secret,
    error::{FetchError, FetchErrorKind},
    origin_map::authority,
    referrer::{may_be_sent, referrer},
    request::OutboundRequest,
};

/// One request on the way to an answer.
pub(super) struct RedirectState {
    pub(super) url: Url,
    pub(super) method: Method,
    pub(super) body: Option<Bytes>,
    pub(super) plugin_headers: HeaderMap,
    /// No redirect has left the origin so far; what is the source's may go along.
    pub(super) is_at_home: bool,
    /// What may still be told of the page that led here.
    page: Option<Url>,
    /// Redirects so far.
    followed: usize,
}

impl RedirectState {
    pub(super) fn first(request: &OutboundRequest<'_>, url: &Url) -> Self {
        let mut first = Self {
            url: url.clone(),
            method: request.method.clone(),
            body: request.body.clone(),
            plugin_headers: request.plugin_headers.clone(),
            is_at_home: true,
            page: request.page.clone(),
            followed: 0,
        };
        first.withhold_referer(true);
        first
    }

    /// Takes away, for this hop and all later ones, a `referer` of the source that may not be sent here.
    fn withhold_referer(&mut self, same_origin: bool) {
        let may_be_sent = |referer: &HeaderValue| {
            may_be_sent(&String::from_utf8_lossy(referer.as_bytes()), &self.url, same_origin)
        };
        if !self.plugin_headers.get_all(header::REFERER).iter().all(may_be_sent) {
            self.plugin_headers.remove(header::REFERER);
        }
    }

    /// What is told of the page, and from then on no more than that.
    pub(super) fn next_referrer(&mut self) -> Option<HeaderValue> {
        self.page = referrer(self.page.as_ref()?, &self.url);
        HeaderValue::from_str(self.page.as_ref()?.as_str()).ok()
    }

    /// Where an answer with this status and these headers redirects to, if it does.
    pub(super) fn location(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Result<Option<Url>, FetchError> {
        let Some(location) = headers.get(header::LOCATION) else { return Ok(None) };
        if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
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
        let location = self.url.join(&location).ok().and_then(without_root_dot);
        location.map(Some).ok_or_else(|| FetchError::lasting("a redirect to what is not an address"))
    }

    /// Becomes the request for `next`, as `status` asks.
    pub(super) fn follow(
        &mut self,
        request: &OutboundRequest<'_>,
        status: StatusCode,
        next: Url,
    ) -> Result<(), FetchError> {
        let policy = &request.policy;
        if self.followed == policy.max_redirects {
            return Err(FetchErrorKind::TooManyRedirects(self.followed).into());
        }
        if !policy.may_downgrade && self.url.scheme() == "https" && next.scheme() == "http" {
            return Err(FetchError::denied(format!("a redirect from https to http://{}", authority(&next))));
        }
        self.followed += 1;
        self.is_at_home &= is_same_home(&self.url, &next);
        let moved = matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND);
        if status == StatusCode::SEE_OTHER || (moved && self.method == Method::POST) {
            (self.method, self.body) = (Method::GET, None);
            self.plugin_headers.remove(header::CONTENT_TYPE);
        }
        let same_origin = self.url.origin() == next.origin();
        self.url = match request.credential {
            Some(credential) => without_secret(next, credential),
            None => next,
        };
        self.withhold_referer(same_origin);
        Ok(())
    }
}

/// Whether what was meant for `from` may be sent to `to`: the same origin, or the same host now with TLS.
fn is_same_home(from: &Url, to: &Url) -> bool {
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
            assert_eq!(is_same_home(&from.parse().unwrap(), &to.parse().unwrap()), expect, "{from} → {to}");
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
