//! What sites ask of crawlers: robots.txt (RFC 9309) and `X-Robots-Tag`.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use http::HeaderMap;
use url::Url;

use super::{
    client::OutboundClient,
    error::{FetchError, FetchErrorKind},
    expiring_cache::{Expiring, ExpiringCache, expiring_cache},
    request::{OutboundRequest, RequestPolicy},
    robots_rules::RobotsRules,
    user_agent::{PRODUCT, UserAgent},
};

/// The rules of each origin for each name of ours, or why they could not be read.
pub(super) type RobotsCache = ExpiringCache<KnownRobots>;
type KnownRobots = Result<Arc<RobotsRules>, FetchError>;

/// How long a robots.txt that was read is good.
const GOOD_FOR: Duration = Duration::from_secs(24 * 3600);
/// How long a site is left alone whose robots.txt could not be read.
const UNREADABLE_FOR: Duration = Duration::from_secs(300);
/// Most bytes of rules in memory, of all origins, and what an origin counts at least.
const MAX_BYTES: u64 = 32 << 20;
const MIN_BYTES: usize = 4 << 10;
/// More rules than this are not searched between other tasks: long patterns and a long
/// address can take milliseconds.
const QUICK_RULES: usize = 250;

/// Holds nothing yet.
pub(super) fn cache() -> RobotsCache {
    expiring_cache(MAX_BYTES, |rules| MIN_BYTES + rules.as_ref().map_or(0, |rules| rules.weight()))
}

impl OutboundClient {
    /// The time that the robots.txt of `url`'s origin asks `user_agent` to keep from one request to the next;
    /// an error when it forbids that address, or cannot be read.
    pub(super) async fn check_robots(
        &self,
        url: &Url,
        user_agent: &UserAgent,
    ) -> Result<Duration, FetchError> {
        let origin = url.origin().ascii_serialization();
        // A robots.txt is itself asked for by a request, which passes the same gates; hence the box.
        let read = Box::pin(self.read_robots(url, user_agent));
        let known = self.robots.try_get_with(format!("{origin} {}", user_agent.product), read).await;
        let known = known.map_err(|error| (*error).clone())?;
        match known.value {
            Ok(rules) if rules.len() <= QUICK_RULES => check_rules(&rules, &origin, url),
            Ok(rules) => {
                let url = url.clone();
                let search = tokio::task::spawn_blocking(move || check_rules(&rules, &origin, &url));
                search.await.unwrap_or_else(|_| Err(FetchError::lasting("robots.txt could not be searched")))
            }
            Err(error) => {
                let left = known.until.saturating_duration_since(Instant::now());
                Err(match error.kind {
                    FetchErrorKind::Status(status) => FetchError::from(FetchErrorKind::Robots(format!(
                        "{origin}/robots.txt cannot be read (status {status}), so nothing is asked for now"
                    )))
                    .held_for(left),
                    // Not the file but the whole host cannot be reached.
                    _ if error.is_retryable => error.held_for(left),
                    _ => error,
                })
            }
        }
    }

    /// What is to be remembered of the robots.txt of `url`'s origin.
    async fn read_robots(
        &self,
        url: &Url,
        user_agent: &UserAgent,
    ) -> Result<Expiring<KnownRobots>, FetchError> {
        let request = OutboundRequest::get(RequestPolicy::robots_txt(), user_agent);
        let address =
            url.join("/robots.txt").map_err(|_| FetchError::lasting("no robots.txt for such an address"))?;
        let rules = match self.perform(&request, &address).await {
            Ok(response) if response.status.is_success() => {
                // A file of the largest size takes a while.
                let product = user_agent.product.clone();
                let parsed =
                    tokio::task::spawn_blocking(move || RobotsRules::parse(&response.body, &product)).await;
                parsed.map(Arc::new).map_err(|_| FetchError::lasting("robots.txt could not be parsed"))
            }
            // 4xx: the site has no robots.txt.
            Ok(_) => Ok(Arc::default()),
            Err(error) => match error.kind {
                FetchErrorKind::TooManyRedirects(_) => Ok(Arc::default()),
                // Of the host and not of its robots.txt.
                FetchErrorKind::Blocked(_) | FetchErrorKind::Held { .. } => return Err(error),
                _ => Err(error),
            },
        };
        if let Ok(asked) = rules.as_ref().map(|rules| rules.interval)
            && !asked.is_zero()
        {
            tracing::info!(robots = %address, ?asked, "a site asks for time between requests");
        }
        let good_for = if rules.is_ok() { GOOD_FOR } else { UNREADABLE_FOR };
        Ok(Expiring { until: Instant::now() + good_for, value: rules })
    }
}

fn check_rules(rules: &RobotsRules, origin: &str, url: &Url) -> Result<Duration, FetchError> {
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    match rules.forbidding(path) {
        None => Ok(rules.interval),
        Some(pattern) => Err(FetchErrorKind::Robots(format!(
            "{origin}/robots.txt disallows `{pattern}` for `{}`",
            rules.agent
        ))
        .into()),
    }
}

/// An error when `X-Robots-Tag` says `noai` or `noimageai` to all or to us.
pub(super) fn check_opt_out(headers: &HeaderMap) -> Result<(), FetchError> {
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
                return Err(FetchErrorKind::OptOut(directive).into());
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
            let found = match check_opt_out(&headers.collect()).map_err(|error| error.kind) {
                Err(FetchErrorKind::OptOut(directive)) => Some(directive),
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
                let _ = check_opt_out(&HeaderMap::from_iter([(http::HeaderName::from_static("x-robots-tag"), value)]));
            }
        }
    }
}
