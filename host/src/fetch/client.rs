//! One attempt at a request: hop by hop, and before each of these the gates. Who tries again is `retry`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use http::{HeaderMap, HeaderValue, StatusCode, header};
use url::Url;

use super::{
    address_policy::AddressPolicy,
    bearer_token::TokenCache,
    body::IncomingBody,
    connector::Connector,
    cookies::CookieJar,
    credentials,
    error::{FetchError, FetchErrorKind},
    memory_budget::{MemoryBudget, MemoryPermit},
    redact::redact,
    redirect::RedirectState,
    request::{OutboundRequest, RobotsScope},
    retry::Attempts,
    robots::{RobotsAnswer, RobotsCache, TdmCache},
    throttle::{self, Throttle, ThrottlePermit},
    user_agent::UserAgents,
};
use crate::{
    consent,
    model::{ConsentPlace, ConsentSignal, CredentialKind, GrantedSecret, Grants, HostKind, add_signals},
};

/// All that clones of a [`super::Fetcher`] share.
pub(super) struct OutboundClient {
    pub(super) address_policy: AddressPolicy,
    pub(super) user_agents: UserAgents,
    pub(super) connector: Connector,
    pub(super) throttle: Throttle,
    pub(super) robots: RobotsCache,
    pub(super) tdm: TdmCache,
    pub(super) tokens: TokenCache,
    pub(super) memory: MemoryBudget,
    pub(super) max_image_bytes: u64,
    pub(super) request_timeout: Duration,
    /// Within which the head of an answer must be whole, connecting included.
    pub(super) head_timeout: Duration,
    /// Over which time the least rate of a body is measured.
    pub(super) rate_window: Duration,
    /// A site answered.
    pub(super) was_answered: AtomicBool,
    /// A source had no answer, because its site could not be reached.
    pub(super) was_unanswered: AtomicBool,
}

/// What came back.
pub(super) struct OutboundResponse {
    /// After redirects, without what a credential added.
    pub(super) url: Url,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// For the body of an image.
    pub(super) memory: Option<MemoryPermit>,
    /// What must not be seen in the answer.
    pub(super) secrets: Vec<String>,
    /// What owners say of the use of the answer, where that is read.
    pub(super) signals: Vec<ConsentSignal>,
}

/// A hop that has passed all gates.
struct AuthorizedHop<'a> {
    request: reqwest::Request,
    /// May send and get cookies.
    cookies: Option<&'a CookieJar>,
    permit: ThrottlePermit,
}

impl OutboundClient {
    /// One attempt: from hop to hop until something is no redirect.
    pub(super) async fn attempt(
        &self,
        request: &OutboundRequest<'_>,
        url: &Url,
        attempts: &mut Attempts,
    ) -> Result<OutboundResponse, FetchError> {
        let policy = &request.policy;
        let mut hop = RedirectState::first(request, url);
        let mut secrets = policy.grants.map(credentials::secrets).unwrap_or_default();
        let mut signals = Vec::new();
        loop {
            let authorized = self.authorize(request, &mut hop, &mut secrets, &mut signals).await?;
            // Held until the body is there.
            let permit = authorized.permit;
            attempts.origin = Some(Arc::clone(&permit.origin));
            let head = self.connector.send(authorized.request, attempts.may_reuse_connection);
            // Interim answers (1xx) come without a limit from the client library, so time is the limit.
            let head = async {
                let head = tokio::time::timeout(self.head_timeout, head).await;
                head.unwrap_or_else(|_| Err(FetchErrorKind::LateHead(self.head_timeout).into()))
            };
            let response = attempts.run(head).await?;
            self.was_answered.store(true, Ordering::Relaxed);
            let (status, headers) = (response.status(), response.headers().clone());
            if let Some(jar) = authorized.cookies {
                jar.take(&hop.url, &headers, &secrets);
            }
            if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
                let retry_after = throttle::retry_after(&headers, SystemTime::now());
                if let Some(wait) = retry_after {
                    permit.origin.defer(status.as_u16(), wait);
                }
                let error = FetchErrorKind::Status(status.as_u16()).into();
                return Err(FetchError { retry_after, ..error });
            }
            if let Some(next) = hop.location(status, &headers)? {
                hop.follow(request, status, next)?;
                continue;
            }
            if let Some(consent) = policy.consent.filter(|_| status.is_success()) {
                // With where it was read, because it speaks for no other site that led there.
                let url = redact(hop.url.to_string(), &secrets);
                add_signals(&mut signals, consent::in_header(&headers, ConsentPlace::Header, Some(&url)));
                // Once all is known, because a header may outweigh a file; and before the body.
                if let Err(rejection) = consent.check(&signals) {
                    return Err(FetchErrorKind::Reserved { rejection, signals }.into());
                }
            }
            let (body, memory) = self.receive(request, response, attempts).await?;
            return Ok(OutboundResponse { url: hop.url, status, headers, body, memory, secrets, signals });
        }
    }

    /// The gates, in the order in which each hop passes them. What must not be seen in its answer is
    /// added to `secrets`, and what its host says of the use of that to `signals`.
    ///
    /// # Errors
    /// Of the first gate that does not let it pass; nothing was sent to its host by then, but for robots.txt and
    /// tdmrep.json.
    async fn authorize<'a>(
        &self,
        request: &OutboundRequest<'a>,
        hop: &mut RedirectState,
        secrets: &mut Vec<String>,
        signals: &mut Vec<ConsentSignal>,
    ) -> Result<AuthorizedHop<'a>, FetchError> {
        let policy = &request.policy;

        // The address comes first: of one that is not asked nothing may learn, no name server and no
        // site that would be asked on its behalf. What a name stands for is checked when it is resolved
        // for the connection (`dns`), because it could be something else by then.
        self.address_policy.check(&hop.url)?;

        // Grants are checked on every hop: no site may lead a source to where it may not go by itself.
        // Before robots.txt, because a host that is not granted is not asked for that either.
        let host = hop.url.host_str().unwrap_or_default();
        let rule = policy.grants.and_then(|grants| grants.rule(host));
        if let Some(grants) = policy.grants.filter(|_| policy.is_granted_only && rule.is_none()) {
            return Err(not_granted(grants, host));
        }

        // robots.txt comes before all that is done for this request alone: what it forbids needs no token.
        let heeds_robots = match policy.robots {
            RobotsScope::All => true,
            RobotsScope::Websites => rule.is_some_and(|rule| rule.kind == HostKind::Web),
            RobotsScope::None => false,
        };
        let RobotsAnswer { interval, usage } = match heeds_robots {
            true => self.check_robots(&hop.url, request.user_agent).await?,
            false => RobotsAnswer::default(),
        };
        // What is asked for may be reserved only in files beside it. They come before it, as it must not wait for
        // them while it holds its host.
        if policy.consent.is_some() {
            add_signals(signals, usage);
            add_signals(signals, self.tdm_reservation(&hop.url, request.user_agent).await?);
        }

        let mut outgoing = reqwest::Request::new(hop.method.clone(), hop.url.clone());
        *outgoing.body_mut() = hop.body.clone().map(Into::into);
        *outgoing.headers_mut() = request.headers.clone();
        outgoing.headers_mut().insert(header::USER_AGENT, request.user_agent.header.clone());
        if let Some(referrer) = hop.next_referrer() {
            outgoing.headers_mut().insert(header::REFERER, referrer);
        }

        // What is the source's own goes to granted hosts, and its headers and credential only until a
        // redirect has left home, even if it comes back: who leads where is the site's choice.
        if let Some(grants) = policy.grants.filter(|_| hop.is_at_home && rule.is_some()) {
            outgoing.headers_mut().extend(hop.plugin_headers.clone());
            if let Some(credential) = request.credential {
                secrets.extend(self.attach(grants, credential, &mut outgoing).await?);
            }
        }
        // An empty one says that there is to be none.
        if outgoing.headers().get(header::REFERER).is_some_and(HeaderValue::is_empty) {
            outgoing.headers_mut().remove(header::REFERER);
        }
        let cookies = request.cookies.filter(|_| rule.is_some());
        if let Some(jar) = cookies {
            jar.attach(&hop.url, outgoing.headers_mut());
        }

        // The throttle comes last. Its permit counts against the host as soon as it is there, so nothing else
        // may have to be waited for before the request is sent; and who waits for it, perhaps for long,
        // must hold nothing that others wait for.
        let permit = self.throttle.acquire(&hop.url, interval).await?;
        Ok(AuthorizedHop { request: outgoing, cookies, permit })
    }

    /// Adds `credential` where it may be sent; says what must not be seen in the answer beside the
    /// [`credentials::secrets`] of the source.
    async fn attach(
        &self,
        grants: &Grants,
        credential: &GrantedSecret,
        outgoing: &mut reqwest::Request,
    ) -> Result<Vec<String>, FetchError> {
        if !credentials::reaches(credential, outgoing.url()) || !self.keeps_secrets(outgoing.url()) {
            return Ok(Vec::new());
        }
        let token = match &credential.spec.kind {
            CredentialKind::Oauth2ClientCredentials { token_url } => {
                Some(self.bearer_token(grants, credential, token_url).await?)
            }
            _ => None,
        };
        credentials::attach(credential, token, outgoing)
    }

    /// Whether nobody on the way to `url` can read what is sent there: it is https, or served
    /// from where the operator says, or a literal address in a range that the operator opened.
    pub(super) fn keeps_secrets(&self, url: &Url) -> bool {
        url.scheme() == "https" || self.connector.is_mapped(url) || self.address_policy.was_opened(url)
    }

    /// The body, where it is of use. That of an image waits for memory, on its own time.
    async fn receive(
        &self,
        request: &OutboundRequest<'_>,
        response: reqwest::Response,
        attempts: &mut Attempts,
    ) -> Result<(Vec<u8>, Option<MemoryPermit>), FetchError> {
        let policy = &request.policy;
        if !policy.wants_body(response.status()) {
            return Ok((Vec::new(), None));
        }
        // A page is shown by browsers as far as it came. What else is cut may be no more than broken.
        let accepts_partial = policy.accepts_partial
            && attempts.retries == Attempts::MAX_RETRIES
            && is_page(response.headers());
        let io = &self.connector.io;
        let mut body = IncomingBody::new(response, policy.body, self.rate_window, accepts_partial)?;
        if !policy.is_image {
            return Ok((attempts.run(io.run(body.read_to_end())).await?, None));
        }
        let mut memory = self.memory.beginning(body.length).await;
        if body.length.is_none_or(|length| length > MemoryBudget::BEGINNING) {
            let beginning =
                async move { Ok::<_, FetchError>((body.read_to(MemoryBudget::BEGINNING).await?, body)) };
            let is_whole;
            (is_whole, body) = attempts.run(io.run(beginning)).await?;
            if !is_whole {
                memory = self.memory.whole(body.length.unwrap_or(policy.body.bytes)).await;
            }
        }
        Ok((attempts.run(io.run(body.read_to_end())).await?, Some(memory)))
    }
}

fn is_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.get(..9).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/html"))
}

fn not_granted(grants: &Grants, host: &str) -> FetchError {
    let source = &grants.source;
    FetchError::denied(format!(
        "host `{host}` is not granted to source `{source}`: the plugin must declare it in its `hosts`, \
         and unless it is bundled the configuration must say PIXCRAWLER_GRANT={source}"
    ))
}
