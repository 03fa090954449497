//! One request from asking to body: hop by hop through guard, grants, robots and
//! pace, and again when what went wrong may pass.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant, SystemTime},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use url::Url;

use super::{
    Inner,
    body::{BodyBounds, Incoming},
    cookies::CookieJar,
    credentials,
    download::is_image,
    error::{FailedFetch, FetchError},
    memory_budget::{MemoryBudget, MemoryPermit},
    origin_map::authority,
    redirect::RedirectState,
    robots,
    throttle::{self, LONGEST_SLEEP, OriginState},
    user_agent::UserAgent,
};
use crate::model::{GrantedSecret, Grants, HostKind};

/// What is asked, and on whose behalf.
pub(super) struct OutboundRequest<'a> {
    pub(super) purpose: RequestPurpose<'a>,
    pub(super) agent: &'a UserAgent,
    pub(super) method: Method,
    /// The host's own; sent on every hop.
    pub(super) headers: HeaderMap,
    /// The plugin's; not sent any more once a redirect has left the origin.
    pub(super) plugin_headers: HeaderMap,
    /// The page that is told of, where the plugin says nothing of that.
    pub(super) page: Option<Url>,
    pub(super) credential: Option<&'a GrantedSecret>,
    /// For granted hosts.
    pub(super) jar: Option<&'a CookieJar>,
    pub(super) body: Option<Bytes>,
    pub(super) bounds: BodyBounds,
}

/// Whose rules a request follows.
#[derive(Clone, Copy)]
pub(super) enum RequestPurpose<'a> {
    /// A source's own request: every hop must be granted.
    Ask(&'a Grants),
    /// A picture, from any public host.
    Image(&'a Grants),
    /// A robots.txt, from any public host.
    Robots,
    /// A bearer token; redirects are not followed.
    Token,
}

/// What is sent, once everything is added to it.
pub(super) struct PreparedRequest {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
}

/// Under which terms a request may be sent.
struct AuthorizedRequest {
    /// The source's headers may go along.
    granted: bool,
    /// As what the site may ask not to come: by robots.txt, and by what it says in the answer.
    as_robot: bool,
    /// The time that the site wants between requests.
    interval: Duration,
}

/// What came back.
pub(super) struct ResponseHead {
    /// After redirects, without what a credential added.
    pub(super) url: Url,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Where the body of an image is kept.
    pub(super) place: Option<MemoryPermit>,
    /// What must not be seen in the answer.
    pub(super) secrets: Vec<String>,
}

/// How one of several tries is made.
#[derive(Clone, Copy)]
struct Attempt {
    /// On a connection that may have been kept, and may be dead.
    keeping: bool,
    /// There is no other after it.
    last: bool,
}

/// Time that an errand may still take. Waiting for a host's turn does not count.
struct Deadline(Duration);

impl Deadline {
    async fn run<T>(&mut self, work: impl Future<Output = Result<T, FetchError>>) -> Result<T, FetchError> {
        let begun = Instant::now();
        let outcome = tokio::time::timeout(self.0, work).await;
        self.0 = self.0.saturating_sub(begun.elapsed());
        outcome.unwrap_or(Err(FetchError::Timeout))
    }

    /// The same for what must be there within `limit`.
    async fn run_within<T>(
        &mut self,
        limit: Duration,
        work: impl Future<Output = Result<T, FetchError>>,
    ) -> Result<T, FetchError> {
        let limited = async {
            let outcome = tokio::time::timeout(limit, work).await;
            outcome.unwrap_or(Err(FetchError::LateHead(limit)))
        };
        self.run(limited).await
    }
}

impl Inner {
    /// Tries beyond the first.
    const RETRIES: u32 = 2;

    /// Performs `errand`; what may pass is tried again where the wait is short.
    pub(super) async fn perform(
        &self,
        errand: &OutboundRequest<'_>,
        url: &Url,
    ) -> Result<ResponseHead, FailedFetch> {
        let mut deadline = Deadline(self.request_timeout);
        let mut origin = None;
        let mut tries = 0;
        // What was kept may be dead; of several connections all may be.
        let mut keeping = true;
        let trouble = loop {
            let mode = Attempt { keeping, last: tries == Self::RETRIES };
            let trouble = match self.attempt(errand, url, mode, &mut deadline, &mut origin).await {
                Ok(reply) => {
                    origin.inspect(|origin| origin.succeeded());
                    return Ok(reply);
                }
                Err(trouble) => trouble,
            };
            let was_kept = std::mem::take(&mut keeping);
            // RFC 9112, 9.3.1: the server may have closed it before the request came.
            if was_kept
                && errand.method == Method::GET
                && matches!(trouble, FetchError::Network { lost: true, .. })
            {
                continue;
            }
            let wait = backoff(tries).max(trouble.retry_after().unwrap_or_default());
            if !trouble.may_pass() || tries == Self::RETRIES || wait > LONGEST_SLEEP.min(deadline.0) {
                break trouble;
            }
            tokio::time::sleep(wait).await;
            tries += 1;
        };
        let closed = origin.filter(|_| trouble.may_pass()).and_then(|origin| origin.failed());
        let mut failed = FailedFetch::from(trouble);
        failed.retry_after = failed.retry_after.max(closed);
        Err(failed)
    }

    /// One try: from hop to hop until something is no redirect.
    async fn attempt(
        &self,
        errand: &OutboundRequest<'_>,
        start: &Url,
        mode: Attempt,
        deadline: &mut Deadline,
        last: &mut Option<Arc<OriginState>>,
    ) -> Result<ResponseHead, FetchError> {
        let mut hop = RedirectState::first(errand, start);
        let mut secrets = match errand.purpose {
            RequestPurpose::Ask(grants) | RequestPurpose::Image(grants) => credentials::secrets(grants),
            RequestPurpose::Robots | RequestPurpose::Token => Vec::new(),
        };
        let most = errand.purpose.redirects();
        for _ in 0..=most {
            self.guard.check(&hop.url)?;
            let AuthorizedRequest { granted, as_robot, interval } = self.authorize(errand, &hop.url).await?;
            let mut outgoing = PreparedRequest { url: hop.url.clone(), headers: errand.headers.clone() };
            outgoing.headers.insert(header::USER_AGENT, errand.agent.header.clone());
            if let Some(told) = hop.refer() {
                outgoing.headers.insert(header::REFERER, told);
            }
            if hop.at_home && granted {
                outgoing.headers.extend(hop.plugin_headers.clone());
                if let Some(credential) = errand.credential {
                    secrets.extend(self.attach(errand.purpose, credential, &mut outgoing).await?);
                }
            }
            // An empty one says that there is to be none.
            if outgoing.headers.get(header::REFERER).is_some_and(HeaderValue::is_empty) {
                outgoing.headers.remove(header::REFERER);
            }
            let jar = errand.jar.filter(|_| granted);
            if let Some(jar) = jar {
                jar.attach(&hop.url, &mut outgoing.headers);
            }
            let turn = self.pace.turn(&hop.url, interval).await?;
            *last = Some(turn.origin.clone());
            // Interim answers (1xx) come without a limit from the client library, so time is the limit.
            let response = deadline.run_within(self.longest_head, self.send(&hop, outgoing, mode)).await?;
            self.reach.somewhere.store(true, Ordering::Relaxed);
            if let Some(jar) = jar {
                jar.take(&hop.url, response.headers(), &secrets);
            }
            let status = response.status();
            if status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error() {
                let retry_after = throttle::retry_after(response.headers(), SystemTime::now());
                if let Some(wait) = retry_after {
                    turn.origin.wait(status.as_u16(), wait);
                }
                return Err(FetchError::Status { status: status.as_u16(), retry_after });
            }
            match hop.redirect(&response)? {
                Some(next) => hop.follow(errand, status, next)?,
                None => {
                    let headers = response.headers().clone();
                    if as_robot && status.is_success() {
                        robots::opt_out(&headers)?;
                    }
                    let (body, place) = self.receive(errand, response, mode, deadline).await?;
                    return Ok(ResponseHead { url: hop.url, status, headers, body, place, secrets });
                }
            }
        }
        Err(FetchError::TooManyRedirects(most))
    }

    /// Under which terms a request may be sent; an error when it may not.
    async fn authorize(
        &self,
        errand: &OutboundRequest<'_>,
        url: &Url,
    ) -> Result<AuthorizedRequest, FetchError> {
        let host = url.host_str().unwrap_or_default();
        let (granted, as_robot) = match errand.purpose {
            RequestPurpose::Ask(grants) => match grants.rule(host) {
                Some(rule) => (true, rule.kind == HostKind::Web && !grants.ignores_robots),
                None => return Err(not_granted(grants, host)),
            },
            RequestPurpose::Image(grants) => (grants.rule(host).is_some(), true),
            RequestPurpose::Robots | RequestPurpose::Token => (true, false),
        };
        let interval = match as_robot {
            // A robots.txt is itself an errand.
            true => Box::pin(self.ask_robots(url, errand.agent)).await?,
            false => Duration::ZERO,
        };
        Ok(AuthorizedRequest { granted, as_robot, interval })
    }

    /// Sends one request to its address, or to where that origin is mapped.
    async fn send(
        &self,
        hop: &RedirectState,
        outgoing: PreparedRequest,
        mode: Attempt,
    ) -> Result<reqwest::Response, FetchError> {
        let PreparedRequest { url, mut headers } = outgoing;
        let (clients, target) = match self.origins.target(&url) {
            None => (&self.public, url),
            Some(target) => {
                // The public host, so that one server can stand for many origins.
                let host = HeaderValue::from_str(authority(&url));
                headers.insert(header::HOST, host.map_err(|_| FetchError::network("not a host name"))?);
                (&self.mapped, target)
            }
        };
        let client = if mode.keeping { &clients.keeping } else { &clients.opening }.clone();
        let mut request = reqwest::Request::new(hop.method.clone(), target);
        *request.headers_mut() = headers;
        *request.body_mut() = hop.body.clone().map(reqwest::Body::from);
        self.io.run(async move { client.execute(request).await }).await
    }

    /// The body, where it is of use. That of an image waits for room, on its own time.
    async fn receive(
        &self,
        errand: &OutboundRequest<'_>,
        response: reqwest::Response,
        mode: Attempt,
        deadline: &mut Deadline,
    ) -> Result<(Vec<u8>, Option<MemoryPermit>), FetchError> {
        let image = matches!(errand.purpose, RequestPurpose::Image(_));
        if image && !is_image(response.status()) {
            return Ok((Vec::new(), None));
        }
        // A page is shown by browsers as far as it came. What else is cut may be no more than broken.
        let takes_part =
            mode.last && matches!(errand.purpose, RequestPurpose::Ask(_)) && is_page(response.headers());
        let mut incoming = Incoming::new(response, errand.bounds, takes_part)?;
        if !image {
            return Ok((deadline.run(self.io.run(incoming.read_to_end())).await?, None));
        }
        let mut place = self.room.beginning(incoming.length).await;
        let fits = incoming.length.is_some_and(|length| length <= MemoryBudget::BEGINNING);
        if !fits {
            let beginning = async move {
                Ok::<_, FetchError>((incoming.read_to(MemoryBudget::BEGINNING).await?, incoming))
            };
            let is_whole;
            (is_whole, incoming) = deadline.run(self.io.run(beginning)).await?;
            if !is_whole {
                place = self.room.whole(incoming.length.unwrap_or(errand.bounds.bytes)).await;
            }
        }
        Ok((deadline.run(self.io.run(incoming.read_to_end())).await?, Some(place)))
    }
}

impl RequestPurpose<'_> {
    /// How many redirects are followed; RFC 9309 asks for at least five for robots.txt.
    const fn redirects(self) -> usize {
        match self {
            Self::Robots => 5,
            _ => 10,
        }
    }
}

fn is_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(HeaderValue::as_bytes).unwrap_or_default();
    kind.get(..9).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/html"))
}

fn not_granted(grants: &Grants, host: &str) -> FetchError {
    let source = &grants.source;
    FetchError::Denied(format!(
        "host `{host}` is not granted to source `{source}`: the plugin must declare it in its `hosts`, \
         and unless it is bundled the configuration must say PIXCRAWLER_GRANT={source}"
    ))
}

/// 250–500 ms, then twice that: never at the same moment as everyone else.
fn backoff(tries: u32) -> Duration {
    Duration::from_millis(rand::random_range(250..500)) * 2u32.pow(tries)
}
