//! Answers from the network, at the source's own pace.

use std::{collections::HashMap, time::Duration};

use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};

use super::{Answering, Stop};
use crate::{
    fetch::{Fetcher, Jar, Unanswered},
    plugin::Installed,
    source::{Failure, Grants, Request, Response},
};

/// Asks through the outbound door, with its guard, robots.txt and pace. The source's own rate
/// rule is heeded within this process only.
pub struct Live {
    fetcher: Fetcher,
    grants: Grants,
    interval: Duration,
    /// When each host may be asked next.
    turns: Mutex<HashMap<String, Instant>>,
}

impl Live {
    /// With what the source may reach.
    #[must_use]
    pub fn new(fetcher: Fetcher, source: &Installed, grants: Grants) -> Self {
        let per_minute = source.info.requests_per_minute.filter(|rate| *rate > 0);
        let interval = per_minute.map_or(Duration::ZERO, |rate| Duration::from_secs(60) / rate);
        let fetcher = fetcher.with_cookies(Jar::default());
        Self { fetcher, grants, interval, turns: Mutex::default() }
    }

    async fn turn(&self, request: &Request) {
        let Ok(url) = self.fetcher.check(&request.url) else { return };
        let now = Instant::now();
        let mut turns = self.turns.lock().await;
        let next = turns.entry(url.host_str().unwrap_or_default().to_owned()).or_insert(now);
        let mine = (*next).max(now);
        *next = mine + self.interval;
        drop(turns);
        sleep_until(mine).await;
    }
}

impl Answering for Live {
    const AT_A_TIME: usize = 4;

    async fn answer(&self, _: usize, request: &Request) -> Result<Result<Response, Failure>, Stop> {
        self.turn(request).await;
        match self.fetcher.ask(&self.grants, request).await {
            Ok(response) => Ok(Ok(response)),
            Err(Unanswered { failure, retry_after: None }) => Ok(Err(failure)),
            Err(Unanswered { failure, retry_after: Some(after) }) => {
                Err(Stop::Later { after, reason: failure.to_string() })
            }
        }
    }
}
