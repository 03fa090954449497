//! Answers from the network, at the source's own pace.

use std::{collections::HashMap, time::Duration};

use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};

use super::{Transport, TransportError};
use crate::{
    fetch::{CookieJar, Fetcher},
    model::{Failure, Grants, Request, Response, SourceInfo},
};

/// Asks through the outbound door, with its guard and robots.txt.
pub struct Live {
    fetcher: Fetcher,
    grants: Grants,
}

impl Live {
    /// With what the source may reach, and cookies of its own.
    #[must_use]
    pub fn new(fetcher: &Fetcher, grants: Grants) -> Self {
        Self { fetcher: fetcher.with_cookies(CookieJar::default()), grants }
    }
}

impl Transport for Live {
    const AT_A_TIME: usize = 4;

    async fn answer(&self, _: usize, request: &Request) -> Result<Result<Response, Failure>, TransportError> {
        match self.fetcher.ask(&self.grants, request).await {
            Ok(response) => Ok(Ok(response)),
            Err(unanswered) => match unanswered.asked_to_wait() {
                Some(after) => Err(TransportError::Later { after, reason: unanswered.failure.to_string() }),
                None => Ok(Err(unanswered.failure)),
            },
        }
    }
}

/// Asks each host as often as the source declares; heeded within this run only.
pub struct Paced<A> {
    answering: A,
    interval: Duration,
    /// When each host may be asked next.
    turns: Mutex<HashMap<String, Instant>>,
}

impl<A> Paced<A> {
    /// At the pace that the source declares.
    #[must_use]
    pub fn new(answering: A, info: &SourceInfo) -> Self {
        Self { answering, interval: info.interval(), turns: Mutex::default() }
    }

    async fn turn(&self, request: &Request) {
        // What is no address is refused without being asked.
        let Ok(url) = url::Url::parse(&request.url) else { return };
        let now = Instant::now();
        let mut turns = self.turns.lock().await;
        let next = turns.entry(url.host_str().unwrap_or_default().to_owned()).or_insert(now);
        let mine = (*next).max(now);
        *next = mine + self.interval;
        drop(turns);
        sleep_until(mine).await;
    }
}

impl<A: Transport> Transport for Paced<A> {
    const AT_A_TIME: usize = A::AT_A_TIME;

    async fn answer(
        &self,
        number: usize,
        request: &Request,
    ) -> Result<Result<Response, Failure>, TransportError> {
        self.turn(request).await;
        self.answering.answer(number, request).await
    }
}
