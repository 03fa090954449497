//! Trying again: what becomes of a 429, a 5xx, a timeout or a lost connection. Short waits are made here;
//! a longer one is told to who asked: `crawl::step` defers the source, `crawl::process_image` the picture.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use http::Method;
use url::Url;

use super::{
    client::{OutboundClient, OutboundResponse},
    error::{FetchError, FetchErrorKind},
    request::OutboundRequest,
    throttle::{MAX_SLEEP, OriginState},
};
use crate::model::Failure;

/// The attempts at one request.
pub(super) struct Attempts {
    /// Beyond the first.
    pub(super) retries: u32,
    /// The next may be made on a connection that was kept, and may be dead.
    pub(super) may_reuse_connection: bool,
    /// For all of them. Waiting for a host's turn does not count.
    time_left: Duration,
    /// That was asked last.
    pub(super) origin: Option<Arc<OriginState>>,
}

impl Attempts {
    pub(super) const MAX_RETRIES: u32 = 2;

    pub(super) async fn run<T>(
        &mut self,
        work: impl Future<Output = Result<T, FetchError>>,
    ) -> Result<T, FetchError> {
        let begun = Instant::now();
        let outcome = tokio::time::timeout(self.time_left, work).await;
        self.time_left = self.time_left.saturating_sub(begun.elapsed());
        outcome.unwrap_or_else(|_| Err(FetchErrorKind::Timeout.into()))
    }

    /// 250–500 ms, then twice that: never at the same moment as everyone else.
    fn backoff(&self) -> Duration {
        Duration::from_millis(rand::random_range(250..500)) * 2u32.pow(self.retries)
    }
}

impl OutboundClient {
    /// Performs `request`; what may pass is tried again where the wait is short.
    pub(super) async fn perform(
        &self,
        request: &OutboundRequest<'_>,
        url: &Url,
    ) -> Result<OutboundResponse, FetchError> {
        let mut attempts = Attempts {
            retries: 0,
            may_reuse_connection: true,
            time_left: self.request_timeout,
            origin: None,
        };
        let mut error = loop {
            let error = match self.attempt(request, url, &mut attempts).await {
                Ok(response) => {
                    attempts.origin.inspect(|origin| origin.succeeded());
                    return Ok(response);
                }
                Err(error) => error,
            };
            // RFC 9112, 9.3.1: a server may have closed a connection that was kept before the request came.
            // Of several all may be dead, so the next attempt opens one, and does not count.
            if std::mem::take(&mut attempts.may_reuse_connection)
                && request.method == Method::GET
                && matches!(error.kind, FetchErrorKind::Network { unanswered: true, .. })
            {
                continue;
            }
            let wait = attempts.backoff().max(error.retry_after.unwrap_or_default());
            if !error.is_retryable
                || attempts.retries == Attempts::MAX_RETRIES
                || wait > MAX_SLEEP.min(attempts.time_left)
            {
                break error;
            }
            tokio::time::sleep(wait).await;
            attempts.retries += 1;
        };
        if let Some(origin) = attempts.origin.filter(|_| error.is_retryable) {
            error.retry_after = error.retry_after.max(origin.failed());
        }
        if request.policy.is_granted_only && matches!(error.failure(), Failure::Network(_) | Failure::Timeout)
        {
            self.was_unanswered.store(true, Ordering::Relaxed);
        }
        Err(error)
    }
}
