//! How hard one host is asked: connections, rate, and for each of its origins `Retry-After` and a circuit
//! breaker. One slow host never holds up another, nor what is broken at one port what is well at another.

use std::{
    collections::HashMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use http::{HeaderMap, header};
use moka::{policy::EvictionPolicy, sync::Cache};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use url::Url;

use super::error::{FetchError, FetchErrorKind};

/// Longest hold that is slept; a longer one is the caller's to plan with.
pub(super) const MAX_SLEEP: Duration = Duration::from_secs(5);
/// Longest time between two requests that is kept where a site asks for more.
pub(super) const MAX_INTERVAL: Duration = Duration::from_secs(30);
/// How many hosts are known before those that need not be are forgotten, and how many origins at all.
const CAPACITY: usize = 10_000;

/// The throttles of all hosts.
pub(super) struct Throttle {
    /// No cache that evicts by itself: a host that is forgotten while it is asked would be asked twice as hard.
    hosts: Mutex<HashMap<String, Arc<HostThrottle>>>,
    origins: Cache<String, Arc<OriginState>>,
    connections: usize,
    rate: NonZeroU32,
}

/// The throttle of one host.
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
    _host: Arc<HostThrottle>,
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
        let origins = Cache::builder().max_capacity(CAPACITY as u64).eviction_policy(EvictionPolicy::lru());
        Self { hosts: Mutex::default(), origins: origins.build(), connections: connections.max(1), rate }
    }

    /// The throttle of this address's host, for a request to it.
    fn host(&self, url: &Url, now: Instant) -> Arc<HostThrottle> {
        let name = url.host_str().unwrap_or_default();
        let mut hosts = lock(&self.hosts);
        if let Some(host) = hosts.get(name) {
            return Arc::clone(host);
        }
        if hosts.len() >= CAPACITY {
            hosts.retain(|_, host| !host.is_as_new(now));
        }
        let host = Arc::new(HostThrottle {
            connections: Arc::new(Semaphore::new(self.connections)),
            waiting: Arc::default(),
            rate: RateLimiter::direct(Quota::per_second(self.rate)),
            spaced: tokio::sync::Mutex::default(),
            last: Mutex::default(),
            interval: Mutex::default(),
        });
        hosts.insert(name.to_owned(), Arc::clone(&host));
        host
    }

    fn known_host(&self, url: &Url) -> Option<Arc<HostThrottle>> {
        lock(&self.hosts).get(url.host_str()?).map(Arc::clone)
    }

    /// Whether a request to this address would get its turn now, or its refusal. Others may be faster.
    pub(super) fn has_capacity(&self, url: &Url) -> bool {
        let now = Instant::now();
        let hold = self.origins.get(&url.origin().ascii_serialization()).and_then(|origin| origin.hold(now));
        let is_free = self.known_host(url).is_none_or(|host| {
            Arc::strong_count(&host.waiting) == 1 && host.connections.available_permits() > 0
        });
        is_free && hold.is_none_or(|hold| hold.until.saturating_duration_since(now) > MAX_SLEEP)
    }

    /// The time that the host of this address wants between requests; none where it wants none in particular.
    pub(super) fn interval(&self, url: &Url) -> Option<Duration> {
        let interval = *lock(&self.known_host(url)?.interval);
        Some(interval).filter(|interval| !interval.is_zero())
    }

    /// Waits for the turn of this address's host, which comes no sooner than `interval` after the request
    /// before, or 30 s where that is longer. A hold of over 5 s is an error at once.
    pub(super) async fn acquire(&self, url: &Url, interval: Duration) -> Result<ThrottlePermit, FetchError> {
        let host = self.host(url, Instant::now());
        let origin = self.origins.get_with(url.origin().ascii_serialization(), Arc::default);
        let _waiting = Arc::clone(&host.waiting);
        loop {
            while let Some(hold) = origin.hold(Instant::now()) {
                let wait = hold.until.saturating_duration_since(Instant::now());
                if wait > MAX_SLEEP {
                    return Err(FetchErrorKind::Held { status: hold.status, wait }.into());
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
                tokio::time::sleep_until((last + interval.min(MAX_INTERVAL)).into()).await;
            }
            let Ok(connection) = Arc::clone(&host.connections).acquire_owned().await else {
                return Err(FetchErrorKind::Held { status: None, wait: MAX_SLEEP }.into());
            };
            host.rate.until_ready().await;
            // The answers of others may have closed the origin meanwhile.
            if origin.hold(Instant::now()).is_none() {
                *lock(&host.last) = Some(Instant::now());
                drop(first);
                return Ok(ThrottlePermit { origin, _host: host, _connection: connection });
            }
        }
    }
}

impl HostThrottle {
    /// Whether another in its place would let through the same: nobody asks this one, nor did lately.
    fn is_as_new(self: &Arc<Self>, now: Instant) -> bool {
        let rests = lock(&self.last).is_none_or(|last| now.saturating_duration_since(last) > MAX_INTERVAL);
        rests && Arc::strong_count(self) == 1
    }
}

impl OriginState {
    fn hold(&self, now: Instant) -> Option<Hold> {
        lock(&self.0).held.filter(|hold| hold.until > now)
    }

    /// The site asked to be left alone for `wait`.
    pub(super) fn defer(&self, status: u16, wait: Duration) {
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
    /// Failures in a row that are no chance any more; the origin is left alone then.
    const MAX_FAILURES: u32 = 5;
    const FIRST_PAUSE: Duration = Duration::from_secs(30);
    const MAX_PAUSE: Duration = Duration::from_secs(600);

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
        if let Some(closed_before) = self.failures.checked_sub(Self::MAX_FAILURES) {
            let pause = Self::FIRST_PAUSE * 2u32.pow(closed_before.min(10));
            self.hold(now, pause.min(Self::MAX_PAUSE), None);
        }
    }
}

/// A panic elsewhere cannot leave these values half changed, so a poisoned lock is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

    #[tokio::test]
    async fn a_host_that_is_asked_or_was_lately_is_not_forgotten() {
        let throttle = Throttle::new(1, NonZeroU32::MIN);
        let url = |host: &str| Url::parse(&format!("https://{host}.test/")).unwrap();
        let held = throttle.acquire(&url("held"), Duration::ZERO).await.unwrap();
        drop(throttle.acquire(&url("recent"), Duration::ZERO).await.unwrap());
        let now = Instant::now();
        let fill = |now, name: &str| {
            let known = lock(&throttle.hosts).len();
            for number in known..=CAPACITY {
                throttle.host(&url(&format!("{name}{number}")), now);
            }
        };
        fill(now, "a");
        assert_eq!(
            lock(&throttle.hosts).len(),
            3,
            "those that were never asked are gone, but for the newest"
        );
        assert!(throttle.known_host(&url("recent")).is_some());
        fill(now + MAX_INTERVAL + Duration::from_secs(1), "b");
        assert!(throttle.known_host(&url("recent")).is_none(), "it may be asked at once, as a new one may");
        assert!(!throttle.has_capacity(&url("held")), "its only connection is taken");
        drop(held);
        assert!(throttle.has_capacity(&url("held")));
        fill(now + MAX_INTERVAL + Duration::from_secs(1), "c");
        assert!(throttle.known_host(&url("held")).is_none());
    }

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
