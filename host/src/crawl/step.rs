//! What a crawl adds to a step of its source: what it used, back-off, and reports of what is
//! wrong with the source.

use std::{collections::HashSet, sync::Arc, time::Duration};

use chrono::Utc;
use url::Url;

use crate::{
    consent,
    crawl::process_image::ChunkContext,
    db::{
        self,
        chunks::{ClaimedChunk, Deferral},
        known_items, pace,
        sources::SourceProblem,
        steps::Usage,
    },
    model::{
        Answer, ConsentSignal, Failure, Grants, HostKind, Request, Sha256, SourceError, Step, add_signals,
        normalise,
    },
    plugins::LoadedPlugin,
    runner::{self, Deferred, Live, Logged, Paced, Performed, Schedule, TransportError, rest, without_query},
    sandbox::{MOST_AGAIN, MeteredStep, StepError},
};

/// Passing errors in a row before the chunk fails.
pub(super) const MOST_ERRORS: i32 = 6;

/// Everything a step needs, owned, so that it can go on beside the downloads.
pub(super) struct StepTask {
    pub(super) context: Arc<ChunkContext>,
    pub(super) source: LoadedPlugin,
    pub(super) chunk: ClaimedChunk,
    /// Answers of the step before, when it asked to be called again with them.
    pub(super) answers: Option<Arc<Vec<Answer>>>,
    /// Steps in a row that asked for that.
    pub(super) again: u32,
}

/// What a step came to.
pub(super) enum StepOutcome {
    /// The plugin made it.
    Made { step: Step, digest: Sha256, answers: Arc<Vec<Answer>>, usage: Usage },
    /// An error that may pass, or no more requests for now: the same step is made again, later.
    Deferred(Deferral, Usage),
    /// An error that will not pass: the chunk fails, for this reason.
    Failed(String),
}

impl StepTask {
    /// Makes the step. Dropping the future closes its connections.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn make(self) -> Result<StepOutcome, db::Error> {
        let requests = match &self.chunk.requests {
            Some(requests) if self.again <= MOST_AGAIN => requests,
            requests => {
                let made = match requests {
                    Some(_) => Err(StepError::too_often()),
                    None => self.context.app.plugins.start(&self.source, &self.chunk.query).await,
                };
                self.context.stats.stepped(&made, false);
                return self.outcome(made, Arc::default(), Usage::default()).await;
            }
        };
        let (answers, usage) = match &self.answers {
            Some(answers) => (Arc::clone(answers), Usage::default()),
            None => {
                let performed = match self.perform(requests).await {
                    Ok(performed) => performed,
                    Err(TransportError::Database(error)) => return Err(error),
                    Err(error) => {
                        let deferral = self.passing_error(None, error.to_string());
                        return Ok(self.defer(deferral, Usage::default()));
                    }
                };
                let usage = Usage {
                    asked: performed.made.try_into().unwrap_or(i32::MAX),
                    received: performed.received.try_into().unwrap_or(i64::MAX),
                };
                if let Some(deferred) = performed.deferred {
                    // What was answered by then is held, so that a step of many requests is made in the end.
                    self.context.responses.settle(requests, &performed.answers, |_| true);
                    return Ok(self.defer(self.deferral(deferred), usage));
                }
                (Arc::new(performed.answers), usage)
            }
        };
        let made = self
            .context
            .app
            .plugins
            .resume(&self.source, &self.chunk.query, &self.chunk.plugin_state, &answers)
            .await;
        self.context.stats.stepped(&made, true);
        // After an error the source is to see what the site says by then.
        self.context.responses.settle(requests, &answers, |request| request.keep && made.is_ok());
        let limited = matches!(made, Err(StepError::Source(SourceError::RateLimited(_))));
        let outcome = self.outcome(made, answers, usage).await?;
        if let (true, StepOutcome::Deferred(deferral, _)) = (limited, &outcome) {
            // Said in a page, so that only this plugin understood it; it holds for all workers.
            let live = Live::new(&self.context.fetcher, &self.context.grants);
            for place in requests.iter().filter_map(|request| live.throttle_key(request)) {
                pace::defer(&self.context.app.db, &place, deferral.until).await?;
            }
        }
        Ok(outcome)
    }

    /// Performs the requests, but for items that are there already and what was answered before,
    /// at the pace that all workers share.
    async fn perform(&self, requests: &[Request]) -> Result<Performed, TransportError> {
        let items: Vec<&str> = requests.iter().filter_map(|request| request.item.as_deref()).collect();
        let known_items = match items.is_empty() {
            true => HashSet::new(),
            false => known_items::known(&self.context.app.db, &self.chunk, &items).await?,
        };
        let known = self.context.responses.known(requests, &known_items);
        let live = Live::new(&self.context.fetcher, &self.context.grants);
        let counted = Logged::new(live, |_, _, outcome, _| self.context.stats.requested(outcome.status()));
        let schedule = Schedule::Shared {
            db: &self.context.app.db,
            longest: &|| self.context.app.config.crawl.longest_sleep,
            backoff: self.backoff(),
        };
        let transport = Paced::new(counted, live, self.source.info.interval(), schedule);
        runner::perform(&transport, requests, known, 0).await
    }

    fn deferral(&self, deferred: Deferred) -> Deferral {
        match deferred {
            Deferred::Site { after, failure } => {
                let reason = format!("{} asks to come back later: {failure}", self.chunk.source);
                self.passing_error(Some(after), reason)
            }
            Deferred::Unreachable { after, .. } => self.passing_error(Some(after), deferred.to_string()),
            Deferred::Pace { until, reason } => Deferral { until, reason, error: false },
        }
    }

    /// What follows from a step that was made, or was not.
    async fn outcome(
        &self,
        made: Result<MeteredStep, StepError>,
        answers: Arc<Vec<Answer>>,
        usage: Usage,
    ) -> Result<StepOutcome, db::Error> {
        let error = match made {
            Ok(made) => {
                let mut step = made.step;
                self.put_consent(&mut step, &answers).await;
                return Ok(StepOutcome::Made { step, digest: self.source.digest, answers, usage });
            }
            Err(fault) if fault.is_plugins_fault() => return self.fault(&fault, usage).await,
            Err(StepError::Source(error)) => error,
            Err(StepError::Preparing { .. }) => return Ok(self.defer(preparing(&self.chunk.source), usage)),
            Err(StepError::Host { .. }) => {
                let deferral = self.passing_error(None, "the plugin runtime failed".to_owned());
                return Ok(self.defer(deferral, usage));
            }
            Err(refused) => return Ok(StepOutcome::Failed(refused.to_string())),
        };
        let problem = match &error {
            SourceError::RateLimited(seconds) => {
                let after = seconds.map(|seconds| Duration::from_secs(seconds.into()));
                return Ok(self.defer(self.passing_error(after, error.to_string()), usage));
            }
            SourceError::Unavailable(_) => {
                return Ok(match lasting(&answers) {
                    Some(cause) => StepOutcome::Failed(cause),
                    None => self.defer(self.passing_error(None, error.to_string()), usage),
                });
            }
            SourceError::InvalidQuery(_) | SourceError::Other(_) => None,
            SourceError::Unauthorized(message) => Some((SourceProblem::Unauthorized, message)),
            SourceError::LayoutChanged(message) => Some((SourceProblem::LayoutChanged, message)),
        };
        // What the host refused to fetch says more than what the plugin makes of that.
        let cause = answers.iter().find_map(|answer| match &answer.outcome {
            Err(failure @ (Failure::Denied(_) | Failure::Robots(_))) => {
                Some(format!("{} cannot be read: {failure}", without_query(&answer.url)))
            }
            _ => None,
        });
        if let (None, Some((problem, message))) = (&cause, problem) {
            let (app, credentials) = (&self.context.app, &self.context.credentials);
            app.report_problem(&self.source, credentials, &self.chunk, problem, message).await?;
        }
        Ok(StepOutcome::Failed(cause.unwrap_or_else(|| error.to_string())))
    }

    /// Puts what pages say of the pictures on them to these: to a picture what its own page says, and where that
    /// was not asked for, what any answer says that led to it.
    async fn put_consent(&self, step: &mut Step, answers: &Arc<Vec<Answer>>) {
        if step.candidates.is_empty() || self.context.grants.ignores_robots {
            return;
        }
        let (context, answers) = (Arc::clone(&self.context), Arc::clone(answers));
        // A large page takes a while.
        let read = tokio::task::spawn_blocking(move || said_by_pages(&answers, &context.grants));
        let Ok(pages) = read.await else { return };
        if pages.iter().all(|(_, signals)| signals.is_empty()) {
            return;
        }
        for candidate in &mut step.candidates {
            let own = candidate.page_url.as_deref().and_then(page_key);
            let is_own = |addresses: &[String]| own.as_ref().is_some_and(|own| addresses.contains(own));
            let has_own = pages.iter().any(|(addresses, _)| is_own(addresses));
            for (_, signals) in pages.iter().filter(|(addresses, _)| !has_own || is_own(addresses)) {
                add_signals(&mut candidate.consent, signals.iter().cloned());
            }
        }
    }

    /// The chunk fails by the plugin's fault; but where there is an earlier build to go back
    /// to, it waits for what becomes of this one.
    async fn fault(&self, fault: &StepError, usage: Usage) -> Result<StepOutcome, db::Error> {
        let goes_back = self
            .context
            .app
            .report_problem(
                &self.source,
                &self.context.credentials,
                &self.chunk,
                SourceProblem::Fault,
                &fault.to_string(),
            )
            .await?;
        let reason = format!("fault of the plugin: {fault}");
        if !goes_back {
            return Ok(StepOutcome::Failed(reason));
        }
        let mut deferral = self.passing_error(None, reason);
        if !self.context.app.is_current(&self.source) {
            deferral.until = Utc::now();
        }
        Ok(self.defer(deferral, usage))
    }

    /// For as long as the site asks, or the back-off.
    fn passing_error(&self, asked: Option<Duration>, reason: String) -> Deferral {
        Deferral { until: Utc::now() + rest(asked, self.backoff()), reason, error: true }
    }

    /// 30 s, doubling to one hour.
    fn backoff(&self) -> Duration {
        let doublings = u32::try_from(self.chunk.progress.errors_in_row).unwrap_or(0).min(7);
        (Duration::from_secs(30) * 2u32.pow(doublings)).min(Duration::from_hours(1))
    }

    fn defer(&self, deferral: Deferral, usage: Usage) -> StepOutcome {
        if deferral.error && self.chunk.progress.errors_in_row + 1 >= MOST_ERRORS {
            return StepOutcome::Failed(format!("{} (tried {MOST_ERRORS} times in a row)", deferral.reason));
        }
        StepOutcome::Deferred(deferral, usage)
    }
}

/// What answers of websites say of the use of pictures, each with the addresses that it is known by. APIs are used
/// under their own terms.
fn said_by_pages(answers: &[Answer], grants: &Grants) -> Vec<(Vec<String>, Vec<ConsentSignal>)> {
    let pages = answers.iter().filter_map(|answer| {
        let response = answer.outcome.as_ref().ok()?;
        let host = Url::parse(&response.url).ok()?;
        let rule = grants.rule(host.host_str()?)?;
        let addresses = [&answer.url, &response.url].into_iter().filter_map(|url| page_key(url)).collect();
        (rule.kind == HostKind::Web).then(|| (addresses, consent::of_page(response)))
    });
    pages.collect()
}

/// The form in which addresses of pages are compared.
fn page_key(url: &str) -> Option<String> {
    Url::parse(url).ok().map(|url| normalise(&url))
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

/// A component that is still being compiled is there in seconds.
pub(super) fn preparing(source: &str) -> Deferral {
    let reason = format!("the source {source} is still being prepared");
    Deferral { until: Utc::now() + Duration::from_secs(5), reason, error: false }
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
