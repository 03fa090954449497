//! An outbound request, and the policy that it is made by.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use url::Url;

use super::{body::BodyLimits, cookies::CookieJar, user_agent::UserAgent};
use crate::{
    consent::{MAX_TDMREP_BYTES, robots_txt::MAX_ROBOTS_BYTES},
    model::{ConsentPolicy, GrantedSecret, Grants, is_hosts_header},
};

/// Most bytes of an answer to a source.
pub(super) const MAX_SOURCE_BYTES: u64 = 16 << 20;
/// Most bytes of what a token endpoint says.
const MAX_TOKEN_BYTES: u64 = 64 << 10;

/// What is asked, and on whose behalf.
pub(super) struct OutboundRequest<'a> {
    pub(super) policy: RequestPolicy<'a>,
    pub(super) user_agent: &'a UserAgent,
    pub(super) method: Method,
    /// The host's own; sent on every hop.
    pub(super) headers: HeaderMap,
    /// The plugin's; not sent any more once a redirect has left the origin.
    pub(super) plugin_headers: HeaderMap,
    /// The page that is named as the referrer, where the plugin says nothing of that.
    pub(super) page: Option<Url>,
    pub(super) credential: Option<&'a GrantedSecret>,
    /// For granted hosts.
    pub(super) cookies: Option<&'a CookieJar>,
    pub(super) body: Option<Bytes>,
}

/// What one kind of request may do, and what it must heed.
#[derive(Clone, Copy)]
pub(super) struct RequestPolicy<'a> {
    /// What the source behind the request may reach; none for what the host asks for itself.
    pub(super) grants: Option<&'a Grants>,
    /// Every host on the way must be granted. To one that is not, nothing of the source is sent in any case.
    pub(super) is_granted_only: bool,
    pub(super) robots: RobotsScope,
    pub(super) max_redirects: usize,
    /// A redirect from https to http is followed.
    pub(super) may_downgrade: bool,
    /// A page that is cut short at the last attempt is taken as far as it came.
    pub(super) accepts_partial: bool,
    /// The body is that of an image: read only where the status says so, and in the memory for images.
    pub(super) is_image: bool,
    pub(super) body: BodyLimits,
    /// What owners say of the use of the answer is read, and judged by this.
    pub(super) consent: Option<ConsentPolicy>,
}

/// Of which hosts robots.txt is heeded.
#[derive(Clone, Copy)]
pub(super) enum RobotsScope {
    All,
    /// Those that are granted as websites and not as APIs.
    Websites,
    None,
}

impl<'a> RequestPolicy<'a> {
    /// A bearer token, from an endpoint whose host was found to be granted. The plainest: the others say in
    /// what they differ from it.
    pub(super) const fn token() -> Self {
        Self {
            grants: None,
            is_granted_only: false,
            robots: RobotsScope::None,
            max_redirects: 0,
            may_downgrade: false,
            accepts_partial: false,
            is_image: false,
            body: BodyLimits { bytes: MAX_TOKEN_BYTES, truncates: false },
            consent: None,
        }
    }

    /// A robots.txt, from any public host; RFC 9309 asks for at least five redirects.
    pub(super) const fn robots_txt() -> Self {
        let body = BodyLimits { bytes: MAX_ROBOTS_BYTES as u64, truncates: true };
        Self { max_redirects: 5, may_downgrade: true, body, ..Self::token() }
    }

    /// A tdmrep.json, as a robots.txt; but of a part of it nobody knows what it says.
    pub(super) const fn tdmrep() -> Self {
        let body = BodyLimits { bytes: MAX_TDMREP_BYTES as u64, truncates: false };
        Self { body, robots: RobotsScope::All, ..Self::robots_txt() }
    }

    /// A source's own request: to granted hosts only.
    pub(super) const fn source(grants: &'a Grants) -> Self {
        Self {
            grants: Some(grants),
            is_granted_only: true,
            robots: if grants.ignores_robots { RobotsScope::None } else { RobotsScope::Websites },
            max_redirects: 10,
            accepts_partial: true,
            body: BodyLimits { bytes: MAX_SOURCE_BYTES, truncates: false },
            ..Self::token()
        }
    }

    /// An image, from any public host.
    pub(super) const fn image(grants: &'a Grants, consent: ConsentPolicy, max_bytes: u64) -> Self {
        Self {
            grants: Some(grants),
            robots: RobotsScope::All,
            max_redirects: 10,
            may_downgrade: true,
            is_image: true,
            body: BodyLimits { bytes: max_bytes, truncates: false },
            consent: Some(consent),
            ..Self::token()
        }
    }

    /// Whether the body of an answer with this status is of use. A page that says why there is no image
    /// is none, nor is a part of one, which nobody asked for.
    pub(super) fn wants_body(&self, status: StatusCode) -> bool {
        !self.is_image || (status.is_success() && status != StatusCode::PARTIAL_CONTENT)
    }
}

impl<'a> OutboundRequest<'a> {
    /// A plain GET.
    pub(super) fn get(policy: RequestPolicy<'a>, user_agent: &'a UserAgent) -> Self {
        Self {
            policy,
            user_agent,
            method: Method::GET,
            headers: HeaderMap::new(),
            plugin_headers: HeaderMap::new(),
            page: None,
            credential: None,
            cookies: None,
            body: None,
        }
    }
}

/// Headers that carry what only the host knows.
const SECRET_HEADERS: [&str; 2] = ["authorization", "cookie"];

/// A plugin's header, or why it may not be sent.
pub(super) fn plugin_header((name, value): &(String, String)) -> Result<(HeaderName, HeaderValue), String> {
    let invalid = || format!("header `{}` is not valid", name.escape_debug());
    let name = HeaderName::try_from(name.as_str()).map_err(|_| invalid())?;
    if is_hosts_header(name.as_str()) || SECRET_HEADERS.contains(&name.as_str()) {
        return Err(format!("header `{name}` may not be set by a plugin"));
    }
    let value = HeaderValue::try_from(value.as_str()).map_err(|_| invalid())?;
    Ok((name, value))
}
