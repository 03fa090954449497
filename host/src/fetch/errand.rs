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
    agent::Agent,
    body::{Bounds, Incoming},
    download::is_image,
    hop::Hop,
    jar::Jar,
    origins::authority,
    pace::{self, LONGEST_SLEEP, Origin},
    robots,
    room::{Place, Room},
    secret,
    trouble::{Failed, Trouble},
};
use crate::source::{Credential, Grants, HostKind};

/// What is asked, and on whose behalf.
pub(super) struct Errand<'a> {
    pub(super) purpose: Purpose<'a>,
    pub(super) agent: &'a Agent,
    pub(super) method: Method,
    /// The host's own; sent on every hop.
    pub(super) headers: HeaderMap,
    /// The plugin's; not sent any more once a redirect has left the origin.
    pub(super) plugin_headers: HeaderMap,
    /// The page that is told of, where the plugin says nothing of that.
    pub(super) page: Option<Url>,
    pub(super) credential: Option<&'a Credential>,
    /// For granted hosts.
    pub(super) jar: Option<&'a Jar>,
    pub(super) body: Option<Bytes>,
    pub(super) bounds: Bounds,
}

/// Whose rules a request follows.
#[derive(Clone, Copy)]
pub(super) enum Purpose<'a> {
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
pub(super) struct Outgoing {
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
}

/// Under which terms a request may be sent.
struct Admitted {
    /// The source's headers may go along.
    granted: bool,
    /// As what the site may ask not to come: by robots.txt, and by what it says in the answer.
    as_robot: bool,
    /// The time that the site wants between requests.
    interval: Duration,
}

/// What came back.
pub(super) struct Reply {
    /// After redirects, without what a credential added.
    pub(super) url: Url,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// Where the body of an image is kept.
    pub(super) place: Option<Place>,
    /// What must not be seen in the answer.
    pub(super) secrets: Vec<String>,
}

/// How one of several tries is made.
#[derive(Clone, Copy)]
struct Mode {
    /// On a connection that may have been kept, and may be dead.
    keeping: bool,
    /// There is no other after it.
    last: bool,
}

/// Time that an errand may still take. Waiting for a host's turn does not count.
struct Deadline(Duration);

impl Deadline {
    async fn run<T>(&mut self, work: impl Future<Output = Result<T, Trouble>>) -> Result<T, Trouble> {
        let begun = Instant::now();
        let outcome = tokio::time::timeout(self.0, work).await;
        self.0 = self.0.saturating_sub(begun.elapsed());
        outcome.unwrap_or(Err(Trouble::Timeout))
    }

    /// The same for what must be there within `limit`.
    async fn run_within<T>(
        &mut self,
        limit: Duration,
        work: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        let limited = async {
            let outcome = tokio::time::timeout(limit, work).await;
            outcome.unwrap_or(Err(Trouble::LateHead(limit)))
        };
        self.run(limited).await
    }
}

impl Inner {
    /// Tries beyond the first.
    const RETRIES: u32 = 2;

    /// Performs `errand`; what may pass is tried again where the wait is short.
    pub(super) async fn perform(&self, errand: &Errand<'_>, url: &Url) -> Result<Reply, Failed> {
        let mut deadline = Deadline(self.request_timeout);
        let mut origin = None;
        let mut tries = 0;
        // What was kept may be dead; of several connections all may be.
        let mut keeping = true;
        let trouble = loop {
            let mode = Mode { keeping, last: tries == Self::RETRIES };
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
                && matches!(trouble, Trouble::Network { lost: true, .. })
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
        let mut failed = Failed::from(trouble);
        failed.retry_after = failed.retry_after.max(closed);
        Err(failed)
    }

    /// One try: from hop to hop until something is no redirect.
    async fn attempt(
        &self,
        errand: &Errand<'_>,
        start: &Url,
        mode: Mode,
        deadline: &mut Deadline,
        last: &mut Option<Arc<Origin>>,
    ) -> Result<Reply, Trouble> {
        let mut hop = Hop::first(errand, start);
        let mut secrets = match errand.purpose {
            Purpose::Ask(grants) | Purpose::Image(grants) => secret::secrets(grants),
            Purpose::Robots | Purpose::Token => Vec::new(),
        };
        let most = errand.purpose.redirects();
        for _ in 0..=most {
            self.guard.check(&hop.url)?;
            let Admitted { granted, as_robot, interval } = self.admit(errand, &hop.url).await?;
            let mut outgoing = Outgoing { url: hop.url.clone(), headers: errand.headers.clone() };
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
                let retry_after = pace::retry_after(response.headers(), SystemTime::now());
                if let Some(wait) = retry_after {
                    turn.origin.wait(status.as_u16(), wait);
                }
                return Err(Trouble::Status { status: status.as_u16(), retry_after });
            }
            match hop.redirect(&response)? {
                Some(next) => hop.follow(errand, status, next)?,
                None => {
                    let headers = response.headers().clone();
                    if as_robot && status.is_success() {
                        robots::opt_out(&headers)?;
                    }
                    let (body, place) = self.receive(errand, response, mode, deadline).await?;
                    return Ok(Reply { url: hop.url, status, headers, body, place, secrets });
                }
            }
        }
        Err(Trouble::TooManyRedirects(most))
    }

    /// Under which terms a request may be sent; an error when it may not.
    async fn admit(&self, errand: &Errand<'_>, url: &Url) -> Result<Admitted, Trouble> {
        let host = url.host_str().unwrap_or_default();
        let (granted, as_robot) = match errand.purpose {
            Purpose::Ask(grants) => match grants.rule(host) {
                Some(rule) => (true, rule.kind == HostKind::Web && !grants.ignores_robots),
                None => return Err(not_granted(grants, host)),
            },
            Purpose::Image(grants) => (grants.rule(host).is_some(), true),
            Purpose::Robots | Purpose::Token => (true, false),
        };
        let interval = match as_robot {
            // A robots.txt is itself an errand.
            true => Box::pin(self.ask_robots(url, errand.agent)).await?,
            false => Duration::ZERO,
        };
        Ok(Admitted { granted, as_robot, interval })
    }

    /// Sends one request to its address, or to where that origin is mapped.
    async fn send(&self, hop: &Hop, outgoing: Outgoing, mode: Mode) -> Result<reqwest::Response, Trouble> {
        let Outgoing { url, mut headers } = outgoing;
        let (clients, target) = match self.origins.target(&url) {
            None => (&self.public, url),
            Some(target) => {
                // The public host, so that one server can stand for many origins.
                let host = HeaderValue::from_str(authority(&url));
                headers.insert(header::HOST, host.map_err(|_| Trouble::network("not a host name"))?);
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
        errand: &Errand<'_>,
        response: reqwest::Response,
        mode: Mode,
        deadline: &mut Deadline,
    ) -> Result<(Vec<u8>, Option<Place>), Trouble> {
        let image = matches!(errand.purpose, Purpose::Image(_));
        if image && !is_image(response.status()) {
            return Ok((Vec::new(), None));
        }
        // A page is shown by browsers as far as it came. What else is cut may be no more than broken.
        let takes_part =
            mode.last && matches!(errand.purpose, Purpose::Ask(_)) && is_page(response.headers());
        let mut incoming = Incoming::new(response, errand.bounds, takes_part)?;
        if !image {
            return Ok((deadline.run(self.io.run(incoming.read_to_end())).await?, None));
        }
        let mut place = self.room.beginning(incoming.length).await;
        let fits = incoming.length.is_some_and(|length| length <= Room::BEGINNING);
        if !fits {
            let beginning =
                async move { Ok::<_, Trouble>((incoming.read_to(Room::BEGINNING).await?, incoming)) };
            let is_whole;
            (is_whole, incoming) = deadline.run(self.io.run(beginning)).await?;
            if !is_whole {
                place = self.room.whole(incoming.length.unwrap_or(errand.bounds.bytes)).await;
            }
        }
        Ok((deadline.run(self.io.run(incoming.read_to_end())).await?, Some(place)))
    }
}

impl Purpose<'_> {
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

fn not_granted(grants: &Grants, host: &str) -> Trouble {
    let source = &grants.source;
    Trouble::Denied(format!(
        "host `{host}` is not granted to source `{source}`: the plugin must declare it in its `hosts`, \
         and unless it is bundled the configuration must say PIXCRAWLER_GRANT={source}"
    ))
}

/// 250–500 ms, then twice that: never at the same moment as everyone else.
fn backoff(tries: u32) -> Duration {
    Duration::from_millis(rand::random_range(250..500)) * 2u32.pow(tries)
}
