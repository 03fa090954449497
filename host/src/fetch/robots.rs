//! What sites ask of crawlers: robots.txt (RFC 9309) and `X-Robots-Tag`.

mod rules;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::{HeaderMap, Method};
use tokio::sync::Mutex;
use url::Url;

use super::{
    Inner,
    body::BodyBounds,
    error::{FailedFetch, FetchError},
    outbound::{OutboundRequest, RequestPurpose},
    slots::KeyedCache,
    user_agent::{PRODUCT, UserAgent},
};
pub(super) use rules::MOST_FILE_BYTES;
use rules::RobotsRules;

/// The rules of each origin for each name of ours; who finds none fetches them while the others wait.
pub(super) type RobotsCache = KeyedCache<Mutex<Option<KnownRobots>>>;

/// What is known of one origin's robots.txt.
pub(super) struct KnownRobots {
    until: Instant,
    rules: Result<Arc<RobotsRules>, FetchError>,
}

/// How long a robots.txt that was read is good.
const GOOD_FOR: Duration = Duration::from_secs(24 * 3600);
/// How long a site is left alone whose robots.txt could not be read.
const UNREADABLE_FOR: Duration = Duration::from_secs(300);
/// Most bytes of rules in memory, of all origins, and what an origin counts at least.
const MOST_BYTES: usize = 32 << 20;
const LEAST_BYTES: usize = 4 << 10;
/// Longest time between two requests that is kept where a site asks for more.
pub(super) const LONGEST_INTERVAL: Duration = Duration::from_secs(30);
/// More rules than this are not searched between other tasks: long patterns and a long
/// address can take milliseconds.
const QUICK_RULES: usize = 250;

/// Holds nothing yet.
pub(super) fn cache() -> RobotsCache {
    KeyedCache::weighing(MOST_BYTES, LEAST_BYTES)
}

impl Inner {
    /// The time that the robots.txt of `url`'s origin asks `agent` to keep from one request to the next;
    /// an error when it forbids that address, or cannot be read.
    pub(super) async fn ask_robots(&self, url: &Url, agent: &UserAgent) -> Result<Duration, FetchError> {
        let origin = url.origin().ascii_serialization();
        let (rules, left) = self.rules(&origin, url, agent).await?;
        match rules {
            Err(FetchError::Status { status, .. }) => Err(FetchError::Robots {
                detail: format!(
                    "{origin}/robots.txt cannot be read (status {status}), so nothing is asked for now"
                ),
                retry_after: Some(left),
            }),
            // Not the file but the whole host cannot be reached.
            Err(trouble) if trouble.may_pass() => {
                Err(FetchError::Later { cause: Box::new(trouble), retry_after: left })
            }
            Err(trouble) => Err(trouble),
            Ok(rules) if rules.len() <= QUICK_RULES => allowed(&rules, &origin, url),
            Ok(rules) => {
                let url = url.clone();
                let search = tokio::task::spawn_blocking(move || allowed(&rules, &origin, &url));
                search.await.unwrap_or_else(|_| Err(FetchError::network("robots.txt could not be searched")))
            }
        }
    }

    /// The rules of `origin`, and for how long they are good.
    async fn rules(
        &self,
        origin: &str,
        url: &Url,
        agent: &UserAgent,
    ) -> Result<(Result<Arc<RobotsRules>, FetchError>, Duration), FetchError> {
        let key = format!("{origin} {}", agent.product);
        let slot = self.robots.get(&key, Mutex::default);
        let mut known = slot.lock().await;
        let known = match known.take().filter(|known| known.until > Instant::now()) {
            Some(fresh) => known.insert(fresh),
            None => {
                let read = self.read_robots(url, agent).await?;
                self.robots.weigh(&key, &slot, read.rules.as_ref().map_or(0, |rules| rules.weight()));
                known.insert(read)
            }
        };
        Ok((known.rules.clone(), known.until.saturating_duration_since(Instant::now())))
    }

    async fn read_robots(&self, url: &Url, agent: &UserAgent) -> Result<KnownRobots, FetchError> {
        let errand = OutboundRequest {
            purpose: RequestPurpose::Robots,
            agent,
            method: Method::GET,
            headers: HeaderMap::new(),
            plugin_headers: HeaderMap::new(),
            page: None,
            credential: None,
            jar: None,
            body: None,
            bounds: BodyBounds { bytes: MOST_FILE_BYTES as u64, cut: true, window: self.window },
        };
        let address =
            url.join("/robots.txt").map_err(|_| FetchError::network("no robots.txt for such an address"))?;
        let rules = match self.perform(&errand, &address).await {
            Ok(reply) if reply.status.is_success() => {
                // A file of the largest size takes a while.
                let product = agent.product.clone();
                let parsed =
                    tokio::task::spawn_blocking(move || RobotsRules::parse(&reply.body, &product)).await;
                parsed.map(Arc::new).map_err(|_| FetchError::network("robots.txt could not be parsed"))
            }
            // 4xx, and redirects without end: the site has no robots.txt.
            Ok(_) | Err(FailedFetch { trouble: FetchError::TooManyRedirects(_), .. }) => Ok(Arc::default()),
            // Of the host and not of its robots.txt.
            Err(FailedFetch {
                trouble: trouble @ (FetchError::Blocked(_) | FetchError::Held { .. }),
                ..
            }) => {
                return Err(trouble);
            }
            Err(FailedFetch { trouble, .. }) => Err(trouble),
        };
        if let Ok(asked) = rules.as_ref().map(|rules| rules.interval)
            && !asked.is_zero()
        {
            tracing::info!(robots = %address, ?asked, "a site asks for time between requests");
        }
        let good_for = if rules.is_ok() { GOOD_FOR } else { UNREADABLE_FOR };
        Ok(KnownRobots { until: Instant::now() + good_for, rules })
    }
}

fn allowed(rules: &RobotsRules, origin: &str, url: &Url) -> Result<Duration, FetchError> {
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    match rules.forbidding(path) {
        None => Ok(rules.interval),
        Some(pattern) => {
            let detail = format!("{origin}/robots.txt disallows `{pattern}` for `{}`", rules.agent);
            Err(FetchError::Robots { detail, retry_after: None })
        }
    }
}

/// An error when `X-Robots-Tag` says `noai` or `noimageai` to all or to us.
pub(super) fn opt_out(headers: &HeaderMap) -> Result<(), FetchError> {
    for value in headers.get_all("x-robots-tag") {
        // `agent: a, b` is meant for that agent only, up to the next agent.
        let mut for_us = true;
        for part in String::from_utf8_lossy(value.as_bytes()).split(',') {
            let directive = match part.split_once(':') {
                Some((agent, rest)) if is_agent(agent.trim()) => {
                    for_us = matches!(agent.trim(), "*") || agent.trim().eq_ignore_ascii_case(PRODUCT);
                    rest
                }
                _ => part,
            };
            let directive = directive.trim().to_ascii_lowercase();
            if for_us && matches!(directive.as_str(), "noai" | "noimageai") {
                return Err(FetchError::OptOut(directive));
            }
        }
    }
    Ok(())
}

/// Whether what stands before a colon names a crawler, and is not a directive that
/// takes a value, nor part of a date such as `25 Jun 2010 15:00:00`.
fn is_agent(text: &str) -> bool {
    const VALUED: [&str; 4] = ["unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"];
    !text.is_empty()
        && !text.contains(char::is_whitespace)
        && !VALUED.iter().any(|directive| directive.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        let check = |values: &[&str], expect: Option<&str>| {
            let headers = values
                .iter()
                .map(|value| (http::HeaderName::from_static("x-robots-tag"), value.parse().unwrap()));
            let found = match opt_out(&headers.collect()) {
                Err(FetchError::OptOut(directive)) => Some(directive),
                _ => None,
            };
            assert_eq!(found.as_deref(), expect, "{values:?}");
        };
        check(&[], None);
        check(&["noindex, nofollow"], None);
        check(&["noai"], Some("noai"));
        check(&["noindex", "NoImageAI"], Some("noimageai"));
        check(&["noindex, noai"], Some("noai"));
        check(&["otherbot: noai, noimageai"], None);
        check(&["otherbot: noai", "noai"], Some("noai"));
        check(&["pixcrawler: noai"], Some("noai"));
        check(&["PixCrawler : noindex, noimageai"], Some("noimageai"));
        check(&["*: noai"], Some("noai"));
        check(&["otherbot: noai, pixcrawler: noimageai"], Some("noimageai"));
        check(&["pixcrawler: noindex, otherbot: noai"], None);
        check(&["unavailable_after: 25 Jun 2010 15:00:00 PST, noai"], Some("noai"));
        check(&["unavailable_after: Friday, 25-Jun-10 15:00:00 UTC, noai"], Some("noai"));
        check(&["max-snippet: 5, noai"], Some("noai"));
        check(&["noaix, xnoai"], None);
        check(&[",:,"], None);
    }

    proptest::proptest! {
        #[test]
        fn any_tag_is_read(tag: Vec<u8>) {
            if let Ok(value) = http::HeaderValue::from_bytes(&tag) {
                let _ = opt_out(&HeaderMap::from_iter([(http::HeaderName::from_static("x-robots-tag"), value)]));
            }
        }
    }
}
