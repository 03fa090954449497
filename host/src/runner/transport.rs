//! Ways to an answer, one around the other: from the network, within a time, told of, at a pace.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep, timeout_at};

use crate::{
    db::{
        self, PgPool,
        pace::{self, RequestSlot},
    },
    fetch::Fetcher,
    model::{Failure, Grants, Request, Response},
};

/// Where answers come from.
pub trait Transport: Sync {
    /// Requests of one step that are under way at a time; 1 keeps them in their order.
    const AT_A_TIME: usize;

    /// What comes of the request. `number` counts the requests of a run from 0, without those
    /// that need not be made, which do not come here.
    fn answer(&self, number: usize, request: &Request) -> impl Future<Output = RequestOutcome> + Send;
}

/// What came of a request.
#[derive(Debug)]
pub enum RequestOutcome {
    /// The site answered, with whatever status.
    Answered(Response),
    /// There is no answer; the source learns why.
    Failed(Failure),
    /// There is none now; the source is not told, but waits.
    Deferred(Deferred),
    /// There is none to go on with.
    Aborted(TransportError),
}

/// Why a request is left for later.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Deferred {
    /// The site wants to be left alone, which binds everybody.
    #[error("the site asks to come back in {} s: {failure}", after.as_secs())]
    Site {
        /// For so long.
        after: Duration,
        /// What it answered.
        failure: Failure,
    },
    /// The site, or its robots.txt, could not be reached or read lately.
    #[error("{} cannot be read for now: {failure}", without_query(url))]
    Unreachable {
        /// What was to be asked.
        url: String,
        /// It is not tried again for so long.
        after: Duration,
        /// What went wrong the last time.
        failure: Failure,
    },
    /// It would come too early; the site was not asked.
    #[error("{reason}")]
    Pace {
        /// The first time at which it may be asked.
        until: DateTime<Utc>,
        /// Why not before.
        reason: String,
    },
}

/// Why a run cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// What is asked is not what was recorded.
    #[error("request {number} differs from the recorded one:\n{diff}")]
    Differs {
        /// Counted from 1.
        number: usize,
        /// Lines that are missing and lines that are new.
        diff: String,
    },
    /// What is asked was not recorded, or not so often.
    #[error("{}", match was_asked {
        true => format!("it asks again for {url}"),
        false => format!("{url} is not recorded"),
    })]
    NotRecorded {
        /// What is asked.
        url: String,
        /// Whether it was asked, and answered, before.
        was_asked: bool,
    },
    /// The run may take no longer.
    #[error("there was no answer within the {} s that this may take", .0.as_secs())]
    TimeUp(Duration),
    /// The pace, or what is known already, cannot be looked up.
    #[error("the database does not answer")]
    Database(#[from] db::Error),
}

impl RequestOutcome {
    /// The site's answer, or why there is none.
    ///
    /// # Errors
    /// For people.
    pub fn response(&self) -> Result<&Response, String> {
        match self {
            Self::Answered(response) => Ok(response),
            Self::Failed(failure) => Err(failure.to_string()),
            Self::Deferred(deferred) => Err(deferred.to_string()),
            Self::Aborted(error) => Err(error.to_string()),
        }
    }

    /// The status of the site's answer; none where there is no answer.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Answered(response) => Some(response.status),
            _ => None,
        }
    }
}

impl From<Result<Response, Failure>> for RequestOutcome {
    fn from(outcome: Result<Response, Failure>) -> Self {
        outcome.map_or_else(Self::Failed, Self::Answered)
    }
}

/// An address without what was looked for, which has no place in what is logged.
pub(crate) fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// Asks the site itself, within what the source is granted.
#[derive(Clone, Copy)]
pub struct Live<'a> {
    fetcher: &'a Fetcher,
    grants: &'a Grants,
}

impl<'a> Live<'a> {
    /// With what the source may reach, and the cookies of `fetcher`.
    #[must_use]
    pub const fn new(fetcher: &'a Fetcher, grants: &'a Grants) -> Self {
        Self { fetcher, grants }
    }

    /// What the pace of a source's requests is kept for: the source at one origin, so that what
    /// one site says does not hold back those of others. None for what the fetcher refuses
    /// to ask.
    #[must_use]
    pub fn throttle_key(&self, request: &Request) -> Option<String> {
        let url = self.fetcher.check(&request.url).ok()?;
        url.host_str().filter(|host| self.grants.rule(host).is_some())?;
        Some(format!("{} {}", self.grants.source, url.origin().ascii_serialization()))
    }
}

impl Transport for Live<'_> {
    const AT_A_TIME: usize = 4;

    async fn answer(&self, _: usize, request: &Request) -> RequestOutcome {
        let error = match self.fetcher.ask(self.grants, request).await {
            Ok(response) => return RequestOutcome::Answered(response),
            Err(error) => error,
        };
        let asked_to_wait = error.asked_to_wait();
        let (failure, retry_after) = (error.failure(), error.retry_after);
        match (asked_to_wait, retry_after) {
            (Some(after), _) => RequestOutcome::Deferred(Deferred::Site { after, failure }),
            (None, Some(after)) => {
                RequestOutcome::Deferred(Deferred::Unreachable { url: request.url.clone(), after, failure })
            }
            (None, None) => RequestOutcome::Failed(failure),
        }
    }
}

/// Ends the run when an answer is not there in time.
pub struct TimeLimit<T> {
    transport: T,
    most: Duration,
    until: Instant,
}

impl<T> TimeLimit<T> {
    /// `most` from now on, for all requests together.
    pub fn new(transport: T, most: Duration) -> Self {
        Self { transport, most, until: Instant::now() + most }
    }
}

impl<T: Transport> Transport for TimeLimit<T> {
    const AT_A_TIME: usize = T::AT_A_TIME;

    async fn answer(&self, number: usize, request: &Request) -> RequestOutcome {
        let answer = timeout_at(self.until, self.transport.answer(number, request)).await;
        answer.unwrap_or(RequestOutcome::Aborted(TransportError::TimeUp(self.most)))
    }
}

/// Tells of every request once it is answered, or is not.
pub struct Logged<T, F> {
    transport: T,
    log: F,
}

impl<T, F: Fn(usize, &Request, &RequestOutcome, Duration) + Sync> Logged<T, F> {
    /// `log` is given number, request, outcome, and the time that it took.
    pub const fn new(transport: T, log: F) -> Self {
        Self { transport, log }
    }
}

impl<T: Transport, F: Fn(usize, &Request, &RequestOutcome, Duration) + Sync> Transport for Logged<T, F> {
    const AT_A_TIME: usize = T::AT_A_TIME;

    async fn answer(&self, number: usize, request: &Request) -> RequestOutcome {
        let begun = Instant::now();
        let outcome = self.transport.answer(number, request).await;
        (self.log)(number, request, &outcome, begun.elapsed());
        outcome
    }
}

/// Asks each origin as often as the source declares, and leaves it alone when it asks for that.
pub struct Paced<'a, T> {
    transport: T,
    live: Live<'a>,
    interval: Duration,
    schedule: Schedule<'a>,
}

/// Where it is kept when a source may ask an origin next.
pub enum Schedule<'a> {
    /// In the database, for all processes.
    Shared {
        /// The database.
        db: &'a PgPool,
        /// The longest that a request waits here for its turn; it is deferred beyond that.
        longest: &'a (dyn Fn() -> Duration + Sync),
        /// How long a site is left alone that asks for it but names no time; 0 is not at all.
        backoff: Duration,
    },
    /// In memory, for this run, which waits as long as it takes.
    Own(Mutex<HashMap<String, Instant>>),
}

impl<'a, T> Paced<'a, T> {
    /// One request every `interval` to each origin; `live` knows the origins.
    pub const fn new(transport: T, live: Live<'a>, interval: Duration, schedule: Schedule<'a>) -> Self {
        Self { transport, live, interval, schedule }
    }
}

impl<T: Transport> Transport for Paced<'_, T> {
    const AT_A_TIME: usize = T::AT_A_TIME;

    async fn answer(&self, number: usize, request: &Request) -> RequestOutcome {
        // What is refused without being asked needs no turn.
        let Some(place) = self.live.throttle_key(request) else {
            return self.transport.answer(number, request).await;
        };
        match self.schedule.reserve(&place, self.interval).await {
            Ok(RequestSlot::In(wait)) => sleep(wait).await,
            Ok(RequestSlot::NotBefore(until)) => {
                let reason = match self.interval.is_zero() {
                    true => format!("{} has asked to come back later", without_query(&request.url)),
                    false => format!("{} may not be asked more often", self.live.grants.source),
                };
                return RequestOutcome::Deferred(Deferred::Pace { until, reason });
            }
            Err(error) => return RequestOutcome::Aborted(error.into()),
        }
        let outcome = self.transport.answer(number, request).await;
        if let RequestOutcome::Deferred(Deferred::Site { after, .. }) = &outcome
            && let Err(error) = self.schedule.leave_alone(&place, *after).await
        {
            return RequestOutcome::Aborted(error.into());
        }
        outcome
    }
}

impl Schedule<'_> {
    async fn reserve(&self, place: &str, interval: Duration) -> Result<RequestSlot, db::Error> {
        match self {
            Self::Shared { db, longest, .. } => pace::reserve(db, place, interval, longest()).await,
            Self::Own(next) => {
                let now = Instant::now();
                let mut next = next.lock().unwrap_or_else(PoisonError::into_inner);
                let next = next.entry(place.to_owned()).or_insert(now);
                let turn = (*next).max(now);
                *next = turn + interval;
                Ok(RequestSlot::In(turn - now))
            }
        }
    }

    /// Nobody asks there before that, as the site wants.
    async fn leave_alone(&self, place: &str, asked: Duration) -> Result<(), db::Error> {
        match self {
            Self::Shared { db, backoff, .. } => match rest(Some(asked), *backoff) {
                Duration::ZERO => Ok(()),
                rest => pace::defer(db, place, Utc::now() + rest).await,
            },
            // The run ends with that.
            Self::Own(_) => Ok(()),
        }
    }
}

/// How long a site is left alone: as it asks, unless that is no wait at all, else `backoff`; at
/// most 24 hours.
#[must_use]
pub fn rest(asked: Option<Duration>, backoff: Duration) -> Duration {
    const SHORTEST: Duration = Duration::from_secs(1);
    const LONGEST: Duration = Duration::from_hours(24);
    asked.filter(|asked| *asked >= SHORTEST).unwrap_or(backoff).min(LONGEST)
}
