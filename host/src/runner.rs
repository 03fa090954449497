//! Performs what one source asks for, against the network or against recorded answers: for a
//! crawl step by step, or in a run of its own without a job.

mod transport;
mod perform;
mod response_cache;
mod candidate_view;
pub mod cassette;
mod mutation;
mod record;
mod replay;

use std::{collections::HashSet, fmt, time::Duration};

pub use candidate_view::CandidateView;
pub use perform::{KnownAnswer, Performed, perform};
pub use record::Recorder;
pub use replay::{CassetteProblem, TestReport, forbidden, replay, test};
pub use response_cache::ResponseCache;
pub(crate) use transport::without_query;
pub use transport::{
    Deferred, Live, Logged, Paced, RequestOutcome, Schedule, TimeLimit, Transport, TransportError, rest,
};

use crate::{
    model::{Candidate, Next, Query, Request, SourceError, Step},
    plugins::{LoadedPlugin, Plugins},
    sandbox::{MOST_AGAIN, MeteredStep, StepError},
};

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
    /// Requests that were made, in vain or not.
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
    /// A request is left for later.
    Deferred(Deferred),
    /// There is no answer to go on with.
    Aborted(TransportError),
}

impl fmt::Display for RunEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("the source has no more"),
            Self::Open(_) => f.write_str("the source has more"),
            Self::Failed(StepError::Source(error @ SourceError::RateLimited(Some(seconds)))) => {
                write!(f, "{error}, for {seconds} s")
            }
            Self::Failed(StepError::Source(error)) => write!(f, "{}: {error}", error.kind()),
            Self::Failed(fault) if fault.is_plugins_fault() => write!(f, "fault of the plugin: {fault}"),
            Self::Failed(refused) => write!(f, "{refused}"),
            Self::Deferred(deferred) => write!(f, "{deferred}"),
            Self::Aborted(error) => write!(f, "{error}"),
        }
    }
}

/// One crawl of the source, from its first step on. The future may be dropped at any time.
pub async fn run(
    plugins: &Plugins,
    source: &LoadedPlugin,
    query: &Query,
    transport: &impl Transport,
    limits: RunLimits,
) -> SourceRun {
    run_knowing(plugins, source, query, transport, limits, &HashSet::new()).await
}

/// As [`run`], in a crawl that has the things with these ids already: requests for them are not made,
/// but answered `skipped`.
async fn run_knowing(
    plugins: &Plugins,
    source: &LoadedPlugin,
    query: &Query,
    transport: &impl Transport,
    limits: RunLimits,
    known: &HashSet<String>,
) -> SourceRun {
    let mut run = SourceRun {
        candidates: Vec::new(),
        warnings: Vec::new(),
        steps: Vec::new(),
        requests: 0,
        end: RunEnd::Done,
    };
    run.end = run.steps(plugins, source, query, transport, limits, known).await;
    run
}

impl SourceRun {
    async fn steps(
        &mut self,
        plugins: &Plugins,
        source: &LoadedPlugin,
        query: &Query,
        transport: &impl Transport,
        limits: RunLimits,
        left_out: &HashSet<String>,
    ) -> RunEnd {
        let cache = ResponseCache::default();
        let mut answers = Vec::new();
        let (mut again, mut requests_before, mut received) = (0, 0, 0);
        let mut made = plugins.start(source, query).await;
        loop {
            let step = match made {
                Ok(made) => self.take(made, self.requests - requests_before, received),
                Err(error) => return RunEnd::Failed(error),
            };
            (requests_before, received) = (self.requests, 0);
            let is_over = self.candidates.len() >= limits.candidates || self.steps.len() >= limits.steps;
            match step.next {
                Next::Done => return RunEnd::Done,
                Next::Again if again == MOST_AGAIN => return RunEnd::Failed(StepError::too_often()),
                Next::Again if is_over => return RunEnd::Open(Vec::new()),
                Next::Again => again += 1,
                Next::Fetch(requests) => {
                    again = 0;
                    let known = cache.known(&requests, left_out);
                    let unknown = known.iter().filter(|known| known.is_none()).count();
                    if is_over || unknown > limits.requests.saturating_sub(self.requests) {
                        return RunEnd::Open(requests);
                    }
                    let performed = match perform(transport, &requests, known, self.requests).await {
                        Ok(performed) => performed,
                        Err(error) => return RunEnd::Aborted(error),
                    };
                    self.requests += performed.made;
                    if let Some(deferred) = performed.deferred {
                        return RunEnd::Deferred(deferred);
                    }
                    received = performed.received;
                    answers = performed.answers;
                    cache.settle(&requests, &answers, |request| request.keep);
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
