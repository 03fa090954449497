//! How hard one host is asked: connections, rate, and for each of its origins `Retry-After` and a breaker.
//! One slow host never holds up another, nor what is broken at one port what is well at another.

use std::{
    num::NonZeroU32,
    sync::{Arc, Mutex},
    time::{Duration, Instant, SystemTime},
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::{HeaderMap, header};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use super::{
    error::FetchError,
    robots::LONGEST_INTERVAL,
    slots::{KeyedCache, lock},
};

/// Longest hold that is slept; a longer one is the caller's to plan with.
pub(super) const LONGEST_SLEEP: Duration = Duration::from_secs(5);

/// The pace of every host.
pub(super) struct Throttle {
    hosts: KeyedCache<HostThrottle>,
    origins: KeyedCache<OriginState>,
    connections: usize,
    rate: NonZeroU32,
}

/// The pace of one host.
struct HostThrottle {
    connections: Arc<Semaphore>,
    /// Held once more by each who waits for its turn.
    waiting: Arc<()>,
    rate: DefaultDirectRateLimiter,
    /// In turn, those who keep more time from the last request than the rate asks for.
    spaced: tokio::sync::Mutex<()>,
    last: Mutex<Option<Instant>>,
    /// The time that it wants between requests, as it was asked for last.
    interval: Mutex<Duration>,
}

/// Leave to send one request; ends when dropped.
pub(super) struct ThrottlePermit {
    pub(super) origin: Arc<OriginState>,
    _connection: OwnedSemaphorePermit,
}

/// One scheme, host and port.
#[derive(Default)]
pub(super) struct OriginState(Mutex<CircuitBreaker>);

/// Since when and why an origin is left alone.
#[derive(Default)]
struct CircuitBreaker {
    failures: u32,
    held: Option<Hold>,
}

#[derive(Clone, Copy)]
struct Hold {
    until: Instant,
    /// 429 or 5xx, when it was the site that asked to wait.
    status: Option<u16>,
}

impl Throttle {
    pub(super) fn new(connections: usize, rate: NonZeroU32) -> Self {
        Self {
            hosts: KeyedCache::new(10_000),
            origins: KeyedCache::new(10_000),
            connections: connections.max(1),
            rate,
        }
    }

    fn host(&self, url: &Url) -> Arc<HostThrottle> {
        self.hosts.get(url.host_str().unwrap_or_default(), || HostThrottle {
            connections: Arc::new(Semaphore::new(self.connections)),
            waiting: Arc::default(),
            rate: RateLimiter::direct(Quota::per_second(self.rate)),
            spaced: tokio::sync::Mutex::default(),
            last: Mutex::default(),
            interval: Mutex::default(),
        })
    }

    fn origin(&self, url: &Url) -> Arc<OriginState> {
        self.origins.get(&url.origin().ascii_serialization(), OriginState::default)
    }

    /// Whether a request to this address would get its turn now, or its refusal. Others may be faster.
    pub(super) fn has_room(&self, url: &Url) -> bool {
        let (host, now) = (self.host(url), Instant::now());
        let held = self.origin(url).hold(now).map(|hold| hold.until.saturating_duration_since(now));
        Arc::strong_count(&host.waiting) == 1
            && host.connections.available_permits() > 0
            && held.is_none_or(|wait| wait > LONGEST_SLEEP)
    }

    /// The time that the host of this address wants between requests; none where it wants none in particular.
    pub(super) fn interval(&self, url: &Url) -> Option<Duration> {
        Some(*lock(&self.host(url).interval)).filter(|interval| !interval.is_zero())
    }

    /// Waits for the turn of this address's host, which comes no sooner than `interval` after the request
    /// before, or 30 s where that is longer. A hold of over 5 s is an error at once.
    pub(super) async fn turn(&self, url: &Url, interval: Duration) -> Result<ThrottlePermit, FetchError> {
        let (host, origin) = (self.host(url), self.origin(url));
        let _waiting = Arc::clone(&host.waiting);
        loop {
            while let Some(hold) = origin.hold(Instant::now()) {
                let wait = hold.until.saturating_duration_since(Instant::now());
                if wait > LONGEST_SLEEP {
                    return Err(FetchError::Held { status: hold.status, retry_after: wait });
                }
                tokio::time::sleep(wait).await;
            }
            // Whoever goes away meanwhile leaves the turn to the next.
            let first = match interval.is_zero() {
                true => None,
                false => {
                    *lock(&host.interval) = interval;
                    Some(host.spaced.lock().await)
                }
            };
            let last = *lock(&host.last);
            if let (Some(_), Some(last)) = (&first, last) {
                tokio::time::sleep_until((last + interval.min(LONGEST_INTERVAL)).into()).await;
            }
            let Ok(connection) = host.connections.clone().acquire_owned().await else {
                return Err(FetchError::Held { status: None, retry_after: LONGEST_SLEEP });
            };
            host.rate.until_ready().await;
            // The answers of others may have closed the origin meanwhile.
            if origin.hold(Instant::now()).is_none() {
                *lock(&host.last) = Some(Instant::now());
                drop(first);
                return Ok(ThrottlePermit { origin, _connection: connection });
            }
        }
    }
}

impl OriginState {
    fn hold(&self, now: Instant) -> Option<Hold> {
        lock(&self.0).held.filter(|hold| hold.until > now)
    }

    /// The site asked to be left alone for `wait`.
    pub(super) fn wait(&self, status: u16, wait: Duration) {
        lock(&self.0).hold(Instant::now(), wait, Some(status));
    }

    /// A request ended well.
    pub(super) fn succeeded(&self) {
        lock(&self.0).failures = 0;
    }

    /// A request failed in a way that may pass, after all tries; says how long the origin is left alone now.
    pub(super) fn failed(&self) -> Option<Duration> {
        let now = Instant::now();
        let mut breaker = lock(&self.0);
        breaker.failed(now);
        breaker.held.map(|hold| hold.until.saturating_duration_since(now)).filter(|wait| !wait.is_zero())
    }
}

impl CircuitBreaker {
    /// Failures in a row that close an origin.
    const PATIENCE: u32 = 5;
    const FIRST_PAUSE: Duration = Duration::from_secs(30);
    const LONGEST_PAUSE: Duration = Duration::from_secs(600);

    fn hold(&mut self, now: Instant, wait: Duration, status: Option<u16>) {
        let until = now + wait;
        if self.held.is_none_or(|hold| hold.until < until) {
            self.held = Some(Hold { until, status });
        }
    }

    fn failed(&mut self, now: Instant) {
        // What was under way when the origin was closed says nothing new.
        if self.held.is_some_and(|hold| hold.until > now) {
            return;
        }
        self.failures += 1;
        if let Some(closed_before) = self.failures.checked_sub(Self::PATIENCE) {
            let pause = Self::FIRST_PAUSE * 2u32.pow(closed_before.min(10));
            self.hold(now, pause.min(Self::LONGEST_PAUSE), None);
        }
    }
}

/// `Retry-After` in seconds or as a date, at most 24 h.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        httpdate::parse_http_date(text).ok()?.duration_since(now).unwrap_or_default()
    };
    Some(wait.min(Duration::from_secs(24 * 3600)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_breaker_doubles_its_pause() {
        let mut breaker = CircuitBreaker::default();
        let mut now = Instant::now();
        for _ in 0..4 {
            breaker.failed(now);
        }
        assert!(breaker.held.is_none(), "four failures may be chance");
        for pause in [30, 60, 120, 240, 480, 600, 600] {
            breaker.failed(now);
            breaker.failed(now);
            assert_eq!(breaker.held.unwrap().until - now, Duration::from_secs(pause));
            now = breaker.held.unwrap().until;
        }
    }

    #[test]
    fn the_longest_hold_counts() {
        let (mut breaker, now) = (CircuitBreaker::default(), Instant::now());
        breaker.hold(now, Duration::from_secs(9), Some(429));
        breaker.hold(now, Duration::from_secs(3), Some(503));
        assert_eq!(breaker.held.unwrap().until, now + Duration::from_secs(9));
    }

    #[test]
    fn both_forms_of_retry_after() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let check = |text: &str, expect: Option<u64>| {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, text.parse().unwrap())]);
            assert_eq!(retry_after(&headers, now), expect.map(Duration::from_secs), "{text}");
        };
        check("120", Some(120));
        check(" 0 ", Some(0));
        check("31536000", Some(86_400));
        check("99999999999999999999999999", Some(86_400));
        check("Sun, 06 Nov 1994 08:50:37 GMT", Some(60));
        check("Sun, 06 Nov 1994 08:00:00 GMT", Some(0));
        check("Sun, 06 Nov 2044 08:50:37 GMT", Some(86_400));
        check("soon", None);
        check("-5", None);
        check("", None);
    }
}
