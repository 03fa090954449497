//! One step of a source: perform what it asked for, then ask what it found and what is next.

use std::{
    collections::HashSet,
    sync::{Arc, OnceLock},
    time::Duration,
};

use chrono::Utc;
use futures_util::{StreamExt, stream};

use crate::{
    app::App,
    crawl::{response_cache::ResponseCache, stats::SliceStats},
    db::{
        self,
        chunks::{ClaimedChunk, Deferral},
        known_items,
        pace::{self, RequestSlot},
        sources::SourceProblem,
        steps::Usage,
    },
    fetch::{Fetcher, RequestError},
    model::{Answer, Answers, Failure, Grants, Request, Sha256, SourceError, Step},
    plugins::LoadedPlugin,
    sandbox::{MOST_AGAIN, MeteredStep, StepError},
};

/// Requests of one step that are under way at a time.
const AT_A_TIME: usize = 4;
/// Passing errors in a row before the chunk fails.
pub(super) const MOST_ERRORS: i32 = 6;
/// What a site asks for is believed between these.
const SHORTEST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// Everything a step needs, owned, so that it can go on beside the downloads.
pub(super) struct StepTask {
    pub(super) app: App,
    /// The outbound door, with the cookies of the chunk.
    pub(super) fetcher: Fetcher,
    pub(super) source: LoadedPlugin,
    pub(super) grants: Grants,
    pub(super) kept: Arc<ResponseCache>,
    pub(super) tally: Arc<SliceStats>,
    pub(super) chunk: ClaimedChunk,
    /// Answers of the step before, when it asked to be called again with them.
    pub(super) answers: Option<Arc<Vec<Answer>>>,
    /// Steps in a row that asked for that.
    pub(super) again: u32,
}

/// What a step came to.
pub(super) enum StepOutcome {
    /// The plugin made it.
    Made { step: Step, digest: Sha256, answers: Arc<Vec<Answer>>, spent: Usage },
    /// An error that may pass, or no more requests for now: the same step is made again, later.
    Later(Deferral, Usage),
    /// An error that will not pass: the chunk fails, for this reason.
    Failed(String),
}

impl StepTask {
    /// Makes the step. Dropping the future closes its connections.
    pub(super) async fn make(self) -> Result<StepOutcome, db::Error> {
        if self.again > MOST_AGAIN {
            let made = Err(StepError::too_often());
            self.tally.stepped(&made, false);
            return self.outcome(made, Arc::default(), Usage::default()).await;
        }
        let Some(requests) = self.chunk.requests.as_ref() else {
            let made = self.app.plugins.start(&self.source, &self.chunk.query).await;
            self.tally.stepped(&made, false);
            return self.outcome(made, Arc::default(), Usage::default()).await;
        };
        let (answers, spent) = match &self.answers {
            Some(answers) => (Arc::clone(answers), Usage::default()),
            None => match self.perform(requests).await? {
                (Ok(answers), spent) => (Arc::new(answers), spent),
                (Err(wait), spent) => return Ok(self.defer(wait, spent)),
            },
        };
        let made = self
            .app
            .plugins
            .resume(&self.source, &self.chunk.query, &self.chunk.plugin_state, &answers)
            .await;
        self.tally.stepped(&made, true);
        for (request, answer) in requests.iter().zip(answers.iter()) {
            match &answer.outcome {
                Ok(response) if request.keep && made.is_ok() => {
                    self.kept.insert(self.chunk.id, request, response);
                }
                // After an error the source is to see what the site says by then.
                _ => self.kept.remove_one(self.chunk.id, request),
            }
        }
        let limited = matches!(made, Err(StepError::Source(SourceError::RateLimited(_))));
        let outcome = self.outcome(made, answers, spent).await?;
        if let (true, StepOutcome::Later(wait, _)) = (limited, &outcome) {
            // Said in a page, so that only this plugin understood it; it holds for all workers.
            for place in requests.iter().filter_map(|request| self.app.throttle_key(&self.grants, request)) {
                pace::defer(&self.app.db, &place, wait.until).await?;
            }
        }
        Ok(outcome)
    }

    /// Performs the requests at the source's pace and gives the answers in the order asked; or
    /// says until when to wait, because the site or the pace wants that. What was answered by
    /// then is held, so that a step of many requests is done in the end.
    async fn perform(
        &self,
        requests: &[Request],
    ) -> Result<(Result<Vec<Answer>, Deferral>, Usage), db::Error> {
        let things: Vec<&str> = requests.iter().filter_map(|request| request.item.as_deref()).collect();
        let there = match things.is_empty() {
            true => HashSet::new(),
            false => known_items::known(&self.app.db, &self.chunk, &things).await?,
        };
        let put_off = OnceLock::new();
        // Collected first: a closure over borrowed requests is not general enough for a spawned task.
        let mut asks = Vec::with_capacity(requests.len());
        for request in requests {
            let is_there = request.item.as_ref().is_some_and(|item| there.contains(item));
            asks.push(self.ask(request, is_there, &put_off));
        }
        let mut asked = stream::iter(asks).buffered(AT_A_TIME);
        let (mut answers, mut spent) = (Answers::default(), Usage::default());
        while let Some(asked) = asked.next().await {
            let StepAnswer { answer, fresh } = asked?;
            if fresh {
                spent.asked = spent.asked.saturating_add(1);
                spent.received = spent.received.saturating_add(answer.size().try_into().unwrap_or(i64::MAX));
            }
            answers.push(answer);
        }
        drop(asked);
        let Some(wait) = put_off.into_inner() else { return Ok((Ok(answers.into_inner()), spent)) };
        for (request, answer) in requests.iter().zip(answers.into_inner()) {
            if let Ok(response) = &answer.outcome {
                self.kept.insert(self.chunk.id, request, response);
            }
        }
        Ok((Err(wait), spent))
    }

    /// The answer to one request, from where it is to be had at the least cost. Sets `put_off`
    /// when it must wait, and begins nothing once that is set; the answer means nothing then.
    async fn ask(
        &self,
        request: &Request,
        is_there: bool,
        put_off: &OnceLock<Deferral>,
    ) -> Result<StepAnswer, db::Error> {
        let asked = |outcome, fresh| {
            let answer = Answer { key: request.key.clone(), url: request.url.clone(), outcome };
            Ok(StepAnswer { answer, fresh })
        };
        if is_there {
            return asked(Err(Failure::Skipped), false);
        }
        if let Some(response) = self.kept.get(self.chunk.id, request) {
            return asked(Ok(response), false);
        }
        let not_now = || asked(Err(Failure::Other("put off".to_owned())), false);
        if put_off.get().is_some() {
            return not_now();
        }
        let interval = self.source.info.interval();
        let place = self.app.throttle_key(&self.grants, request);
        if let Some(place) = &place {
            let longest = self.app.config.crawl.longest_sleep;
            match pace::reserve(&self.app.db, place, interval, longest).await? {
                RequestSlot::In(wait) => tokio::time::sleep(wait).await,
                RequestSlot::NotBefore(until) => {
                    let reason = match interval.is_zero() {
                        true => format!("{} has asked to come back later", without_query(&request.url)),
                        false => format!("{} may not be asked more often", self.chunk.source),
                    };
                    put_off.get_or_init(|| Deferral { until, reason, error: false });
                    return not_now();
                }
            }
        }
        let outcome = self.fetcher.ask(&self.grants, request).await;
        let status = outcome.as_ref().ok().map(|response| response.status);
        self.tally.requested(status);
        match outcome {
            Ok(response) => asked(Ok(response), true),
            Err(RequestError { failure, retry_after: None }) => asked(Err(failure), true),
            Err(unanswered) => {
                let failure = &unanswered.failure;
                let reason = match unanswered.asked_to_wait() {
                    Some(_) => format!("{} asks to come back later: {failure}", self.chunk.source),
                    None => format!("{} cannot be read for now: {failure}", without_query(&request.url)),
                };
                let wait = self.backoff(unanswered.retry_after, reason);
                if let (Some(place), Some(_)) = (&place, unanswered.asked_to_wait()) {
                    pace::defer(&self.app.db, place, wait.until).await?;
                }
                put_off.get_or_init(|| wait);
                asked(Err(unanswered.failure), true)
            }
        }
    }

    /// What follows from a step that was made, or was not.
    async fn outcome(
        &self,
        made: Result<MeteredStep, StepError>,
        answers: Arc<Vec<Answer>>,
        spent: Usage,
    ) -> Result<StepOutcome, db::Error> {
        let error = match made {
            Ok(made) => {
                return Ok(StepOutcome::Made { step: made.step, digest: self.source.digest, answers, spent });
            }
            Err(fault) if fault.is_plugins_fault() => return self.fault(&fault, spent).await,
            Err(StepError::Source(error)) => error,
            Err(StepError::Preparing { .. }) => return Ok(self.defer(preparing(&self.chunk.source), spent)),
            Err(StepError::Host { .. }) => {
                return Ok(self.defer(self.backoff(None, "the plugin runtime failed".to_owned()), spent));
            }
            Err(refused) => return Ok(StepOutcome::Failed(refused.to_string())),
        };
        let trouble = match &error {
            SourceError::RateLimited(seconds) => {
                let after = seconds.map(|seconds| Duration::from_secs(seconds.into()));
                return Ok(self.defer(self.backoff(after, error.to_string()), spent));
            }
            SourceError::Unavailable(_) => {
                return Ok(match lasting(&answers) {
                    Some(cause) => StepOutcome::Failed(cause),
                    None => self.defer(self.backoff(None, error.to_string()), spent),
                });
            }
            SourceError::InvalidQuery(_) | SourceError::Other(_) => None,
            SourceError::Unauthorized(words) => Some((SourceProblem::Unauthorized, words)),
            SourceError::LayoutChanged(words) => Some((SourceProblem::LayoutChanged, words)),
        };
        // What the host refused to fetch says more than what the plugin makes of that.
        let cause = answers.iter().find_map(|answer| match &answer.outcome {
            Err(failure @ (Failure::Denied(_) | Failure::Robots(_))) => {
                Some(format!("{} cannot be read: {failure}", without_query(&answer.url)))
            }
            _ => None,
        });
        if let (None, Some((trouble, words))) = (&cause, trouble) {
            self.app.report_problem(&self.source, &self.chunk, trouble, words).await?;
        }
        Ok(StepOutcome::Failed(cause.unwrap_or_else(|| error.to_string())))
    }

    /// The chunk fails by the plugin's fault; but where there is an earlier build to go back
    /// to, it waits for what becomes of this one.
    async fn fault(&self, fault: &StepError, spent: Usage) -> Result<StepOutcome, db::Error> {
        let goes_back = self
            .app
            .report_problem(&self.source, &self.chunk, SourceProblem::Fault, &fault.to_string())
            .await?;
        let reason = format!("fault of the plugin: {fault}");
        if !goes_back {
            return Ok(StepOutcome::Failed(reason));
        }
        let mut wait = self.backoff(None, reason);
        if !self.app.is_current(&self.source) {
            wait.until = Utc::now();
        }
        Ok(self.defer(wait, spent))
    }

    /// 30 s doubling to one hour, or what the site says unless that is no wait at all.
    fn backoff(&self, said: Option<Duration>, reason: String) -> Deferral {
        let doublings = u32::try_from(self.chunk.progress.errors_in_row).unwrap_or(0).min(7);
        let own = (Duration::from_secs(30) * 2u32.pow(doublings)).min(Duration::from_hours(1));
        Deferral {
            until: Utc::now() + said.filter(|said| *said >= SHORTEST_WAIT).unwrap_or(own).min(LONGEST_WAIT),
            reason,
            error: true,
        }
    }

    fn defer(&self, wait: Deferral, spent: Usage) -> StepOutcome {
        if wait.error && self.chunk.progress.errors_in_row + 1 >= MOST_ERRORS {
            return StepOutcome::Failed(format!("{} (tried {MOST_ERRORS} times in a row)", wait.reason));
        }
        StepOutcome::Later(wait, spent)
    }
}

/// Why the same requests would bring no more another time, where nothing that went wrong may pass.
/// The contract has no word for that, so the source, which says to wait, cannot know.
fn lasting(answers: &[Answer]) -> Option<String> {
    let mut cause = None;
    for answer in answers {
        let why = match &answer.outcome {
            // A redirect that leads nowhere, and what HTTP does not know, such as 999.
            Ok(response) if !matches!(response.status, 200..=299 | 400..=599) => {
                format!("the site answers with status {}", response.status)
            }
            Ok(_) | Err(Failure::Skipped) => continue,
            Err(Failure::Timeout | Failure::Network(_) | Failure::Status(_) | Failure::Other(_)) => {
                return None;
            }
            Err(
                failure @ (Failure::Denied(_)
                | Failure::Robots(_)
                | Failure::TooLarge(_)
                | Failure::Lasting(_)),
            ) => failure.to_string(),
        };
        cause.get_or_insert_with(|| format!("{} cannot be read: {why}", without_query(&answer.url)));
    }
    cause
}

/// An address without what was looked for, which has no place in what is logged.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// A component that is still being compiled is there in seconds.
pub(super) fn preparing(source: &str) -> Deferral {
    let reason = format!("the source {source} is still being prepared");
    Deferral { until: Utc::now() + Duration::from_secs(5), reason, error: false }
}

/// An answer, and whether it was asked for now.
struct StepAnswer {
    answer: Answer,
    fresh: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Content, Response};

    #[test]
    fn only_what_cannot_pass_ends_a_chunk() {
        let answered = |status| {
            Ok(Response {
                status,
                url: String::new(),
                headers: Vec::new(),
                body: Content::Text(String::new()),
                encoding: None,
            })
        };
        let nameless = || Err(Failure::Lasting("no such name".to_owned()));
        let check = |outcomes: Vec<Result<Response, Failure>>, expect: Option<&str>| {
            let answer =
                |outcome| Answer { key: String::new(), url: "https://a.test/b?secret#c".to_owned(), outcome };
            let answers: Vec<_> = outcomes.into_iter().map(answer).collect();
            let expect = expect.map(|why| format!("https://a.test/b cannot be read: {why}"));
            assert_eq!(lasting(&answers), expect, "{answers:?}");
        };
        check(vec![], None);
        check(vec![nameless()], Some("no such name"));
        check(vec![answered(200), nameless(), answered(404)], Some("no such name"));
        for status in [101, 300, 304, 600, 999] {
            let why = format!("the site answers with status {status}");
            check(vec![answered(status)], Some(&why));
        }
        for status in [200, 299, 400, 403, 451, 599] {
            check(vec![answered(status)], None);
        }
        for passing in [
            Failure::Timeout,
            Failure::Status(503),
            Failure::Network("reset".to_owned()),
            Failure::Other("?".to_owned()),
        ] {
            check(vec![nameless(), Err(passing)], None);
        }
        check(vec![Err(Failure::Skipped), Err(Failure::TooLarge(9))], Some("larger than 9 bytes"));
    }
}
