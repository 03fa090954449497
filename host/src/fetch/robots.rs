//! What sites ask of crawlers in files of their own: robots.txt (RFC 9309), and tdmrep.json of the TDM Reservation
//! Protocol.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use url::Url;

use super::{
    client::OutboundClient,
    error::{FetchError, FetchErrorKind},
    expiring_cache::{Expiring, ExpiringCache, expiring_cache},
    request::{OutboundRequest, RequestPolicy},
    user_agent::UserAgent,
};
use crate::{
    consent::{TdmRules, robots_txt::RobotsRules},
    model::ConsentSignal,
};

/// The rules of each origin for each name of ours, or why they could not be read.
pub(super) type RobotsCache = ExpiringCache<KnownRobots>;
type KnownRobots = Result<Arc<RobotsRules>, FetchError>;

/// The tdmrep.json of each origin; where there is none, or none that can be read, no rules.
pub(super) type TdmCache = ExpiringCache<Arc<TdmRules>>;

/// Where a site says what it reserves.
const TDMREP: &str = "/.well-known/tdmrep.json";
/// How long a file that was read is good.
const GOOD_FOR: Duration = Duration::from_secs(24 * 3600);
/// How long a site is left alone whose robots.txt could not be read, and a tdmrep.json is not asked for again.
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

/// Holds nothing yet.
pub(super) fn tdm_cache() -> TdmCache {
    expiring_cache(MAX_BYTES, |rules| MIN_BYTES + rules.weight())
}

/// What a robots.txt says of an address that it does not forbid.
#[derive(Default)]
pub(super) struct RobotsAnswer {
    /// Time that is to be kept from one request to the next.
    pub(super) interval: Duration,
    /// What the answer may be used for.
    pub(super) usage: Vec<ConsentSignal>,
}

impl OutboundClient {
    /// What the robots.txt of `url`'s origin says to `user_agent`; an error when it forbids that address, or
    /// cannot be read.
    pub(super) async fn check_robots(
        &self,
        url: &Url,
        user_agent: &UserAgent,
    ) -> Result<RobotsAnswer, FetchError> {
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

    /// What the tdmrep.json of `url`'s origin says of that address. A site that does not give the file does not
    /// speak the protocol.
    ///
    /// # Errors
    /// While the host is left alone, or may not be asked.
    pub(super) async fn tdm_reservation(
        &self,
        url: &Url,
        user_agent: &UserAgent,
    ) -> Result<Option<ConsentSignal>, FetchError> {
        let origin = url.origin().ascii_serialization();
        let file = format!("{origin}{TDMREP}");
        // It, too, is asked for by a request.
        let read = Box::pin(self.read_tdmrep(url, user_agent));
        let known = self.tdm.try_get_with(origin, read).await.map_err(|error| (*error).clone())?;
        let rules = known.value;
        if rules.len() <= QUICK_RULES {
            return Ok(rules.signal(path(url), &file));
        }
        let url = url.clone();
        let search = tokio::task::spawn_blocking(move || rules.signal(path(&url), &file));
        search.await.map_err(|_| FetchError::lasting("tdmrep.json could not be searched"))
    }

    /// What is to be remembered of the tdmrep.json of `url`'s origin.
    async fn read_tdmrep(
        &self,
        url: &Url,
        user_agent: &UserAgent,
    ) -> Result<Expiring<Arc<TdmRules>>, FetchError> {
        let address =
            url.join(TDMREP).map_err(|_| FetchError::lasting("no tdmrep.json for such an address"))?;
        let request = OutboundRequest::get(RequestPolicy::tdmrep(), user_agent);
        let (rules, good_for) = match self.perform(&request, &address).await {
            Ok(response) if response.status.is_success() => {
                let parsed = tokio::task::spawn_blocking(move || TdmRules::parse(&response.body)).await;
                (parsed.map_err(|_| FetchError::lasting("tdmrep.json could not be parsed"))?, GOOD_FOR)
            }
            Ok(_) => (TdmRules::default(), GOOD_FOR),
            // Of the host and not of its tdmrep.json.
            Err(error) if matches!(error.kind, FetchErrorKind::Blocked(_) | FetchErrorKind::Held { .. }) => {
                return Err(error);
            }
            Err(error) => {
                tracing::debug!(%error, file = %address, "a tdmrep.json cannot be read");
                (TdmRules::default(), UNREADABLE_FOR)
            }
        };
        Ok(Expiring { until: Instant::now() + good_for, value: Arc::new(rules) })
    }
}

/// The path and the query.
fn path(url: &Url) -> &str {
    &url[url::Position::BeforePath..url::Position::AfterQuery]
}

fn check_rules(rules: &RobotsRules, origin: &str, url: &Url) -> Result<RobotsAnswer, FetchError> {
    match rules.forbidding(path(url)) {
        None => {
            let usage = rules.usage(path(url), &format!("{origin}/robots.txt"));
            Ok(RobotsAnswer { interval: rules.interval, usage })
        }
        Some(pattern) => Err(FetchErrorKind::Robots(format!(
            "{origin}/robots.txt disallows `{pattern}` for `{}`",
            rules.agent
        ))
        .into()),
    }
}
