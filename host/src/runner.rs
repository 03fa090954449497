//! Runs one source alone, without a job: against the network or against recorded answers.

mod candidate_view;
pub mod cassette;
mod cache;
mod mutation;
mod transport;
mod record;
mod replay;

use std::time::Duration;

use futures_util::{StreamExt as _, stream};

pub use candidate_view::CandidateView;
pub use record::Recorder;
pub use replay::{CassetteProblem, TestReport, forbidden, replay, test};
pub use transport::{Live, Paced};

use cache::RunCache;

use crate::{
    model::{Answer, Answers, Candidate, Failure, Next, Query, Request, Response, Step},
    plugins::{LoadedPlugin, Plugins},
    sandbox::{MOST_AGAIN, MeteredStep, StepError},
};

/// Where answers come from.
pub trait Transport: Sync {
    /// Requests of one step that are under way at a time; 1 keeps them in their order.
    const AT_A_TIME: usize;

    /// What comes of the request. `number` counts the requests of this run from 0. A request
    /// that repeats one with `keep` does not come here.
    ///
    /// # Errors
    /// When the run cannot go on.
    fn answer(
        &self,
        number: usize,
        request: &Request,
    ) -> impl Future<Output = Result<Result<Response, Failure>, TransportError>> + Send;
}

/// When a run ends although the source has more. Nothing is cut: a step that passes a limit is
/// taken whole, and the next one is not made.
#[derive(Clone, Copy, Debug)]
pub struct RunLimits {
    /// Candidates from which on nothing more is asked.
    pub candidates: usize,
    /// Requests; 0 ends the run before the first.
    pub requests: usize,
    /// Steps.
    pub steps: usize,
}

impl RunLimits {
    /// As far as a crawl goes.
    pub const NONE: Self = Self { candidates: usize::MAX, requests: usize::MAX, steps: 10_000 };
}

/// What came of a run.
#[derive(Debug)]
pub struct SourceRun {
    /// In order.
    pub candidates: Vec<Candidate>,
    /// In order.
    pub warnings: Vec<String>,
    /// What each step cost that was made.
    pub steps: Vec<StepCost>,
    /// Requests that were answered; kept answers are not counted again.
    pub requests: usize,
    /// Why there are no more steps.
    pub end: RunEnd,
}

/// What one step cost and brought.
#[derive(Clone, Copy, Debug)]
pub struct StepCost {
    /// CPU time of the call.
    pub cpu: Duration,
    /// Instructions, weighted, where the engine counts them.
    pub fuel: Option<u64>,
    /// Most linear memory, in bytes.
    pub peak_memory: u64,
    /// Requests made for it.
    pub requests: usize,
    /// Bytes of the answers it was given anew.
    pub received: usize,
    /// Candidates that it found.
    pub candidates: usize,
}

/// Why a run ended.
#[derive(Debug)]
pub enum RunEnd {
    /// The source has no more.
    Done,
    /// A limit is reached; the source would ask for these.
    Open(Vec<Request>),
    /// The step could not be made: the source's own error, or its fault.
    Failed(StepError),
    /// There is no answer to go on with.
    Stopped(TransportError),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The site wants to be left alone for now.
    #[error("the site asks to come back in {} s: {reason}", after.as_secs())]
    Later {
        /// For so long.
        after: Duration,
        /// What it said.
        reason: String,
    },
    /// What is asked is not what was recorded.
    #[error("request {number} differs from the recorded one:\n{diff}")]
    Differs {
        /// Counted from 1.
        number: usize,
        /// Lines that are missing and lines that are new.
        diff: String,
    },
}

/// One crawl of the source, from its first step on. The future may be dropped at any time.
pub async fn run(
    plugins: &Plugins,
    source: &LoadedPlugin,
    query: &Query,
    answering: &impl Transport,
    limits: RunLimits,
) -> SourceRun {
    let mut run = SourceRun {
        candidates: Vec::new(),
        warnings: Vec::new(),
        steps: Vec::new(),
        requests: 0,
        end: RunEnd::Done,
    };
    run.end = run.steps(plugins, source, query, answering, limits).await;
    run
}

impl SourceRun {
    async fn steps(
        &mut self,
        plugins: &Plugins,
        source: &LoadedPlugin,
        query: &Query,
        answering: &impl Transport,
        limits: RunLimits,
    ) -> RunEnd {
        let mut kept = RunCache::default();
        let mut answers = Vec::new();
        let (mut again, mut requests_before, mut received) = (0, 0, 0);
        let mut made = plugins.start(source, query).await;
        loop {
            let step = match made {
                Ok(made) => self.take(made, self.requests - requests_before, received),
                Err(error) => return RunEnd::Failed(error),
            };
            (requests_before, received) = (self.requests, 0);
            match step.next {
                Next::Done => return RunEnd::Done,
                Next::Again if again == MOST_AGAIN => return RunEnd::Failed(StepError::too_often()),
                Next::Again
                    if self.candidates.len() >= limits.candidates || self.steps.len() >= limits.steps =>
                {
                    return RunEnd::Open(Vec::new());
                }
                Next::Again => again += 1,
                Next::Fetch(requests) => {
                    again = 0;
                    let anew = requests.iter().filter(|request| kept.get(request).is_none()).count();
                    if self.candidates.len() >= limits.candidates
                        || self.steps.len() >= limits.steps
                        || anew > limits.requests.saturating_sub(self.requests)
                    {
                        return RunEnd::Open(requests);
                    }
                    match perform(&requests, answering, self.requests, &mut kept).await {
                        Ok(given) => {
                            received = given.received();
                            answers = given.into_inner();
                        }
                        Err(stop) => return RunEnd::Stopped(stop),
                    }
                    self.requests += anew;
                }
            }
            made = plugins.resume(source, query, &step.state, &answers).await;
        }
    }

    fn take(&mut self, made: MeteredStep, requests: usize, received: usize) -> Step {
        let MeteredStep { mut step, cpu, peak_memory, fuel } = made;
        let candidates = step.candidates.len();
        self.steps.push(StepCost { cpu, fuel, peak_memory, requests, received, candidates });
        self.candidates.append(&mut step.candidates);
        self.warnings.append(&mut step.warnings);
        step
    }
}

/// The answers to `requests`, of which `before` were answered before them.
async fn perform<A: Transport>(
    requests: &[Request],
    answering: &A,
    before: usize,
    kept: &mut RunCache,
) -> Result<Answers, TransportError> {
    let mut number = before;
    let mut asked = Vec::with_capacity(requests.len());
    for request in requests {
        let known = kept.get(request).cloned();
        let own = number;
        number += usize::from(known.is_none());
        asked.push(async move {
            match known {
                Some(response) => Ok(Ok(response)),
                None => answering.answer(own, request).await,
            }
        });
    }
    let mut answered = stream::iter(asked).buffered(A::AT_A_TIME);
    let mut answers = Answers::default();
    let mut unanswered = requests.iter();
    while let (Some(outcome), Some(request)) = (answered.next().await, unanswered.next()) {
        let outcome = outcome?;
        kept.take(request, &outcome);
        answers.push(Answer { key: request.key.clone(), url: request.url.clone(), outcome });
    }
    Ok(answers)
}
