//! Answers from a cassette, and whether the source makes of them what it must.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use similar::TextDiff;
use url::Url;

use super::{
    RequestOutcome, RunEnd, RunLimits, SourceRun, Transport, TransportError,
    cassette::{Cassette, CassetteError, Exchange, Expect},
    mutation, run, run_knowing,
};
use crate::{
    fetch,
    model::{Candidate, Failure, Query, Request, SourceError, SourceInfo},
    plugins::{LoadedPlugin, Plugins},
    sandbox::StepError,
};

/// What came of a cassette.
#[derive(Debug)]
pub struct TestReport {
    /// What is wrong; nothing when it passed.
    pub problems: Vec<CassetteProblem>,
    /// What really came of it, when that can be expected.
    pub outcome: Option<Expect>,
    /// Replays included.
    pub took: Duration,
    /// The run itself; none when the cassette does not fit the source.
    pub run: Option<SourceRun>,
}

/// What is wrong with a cassette, or with the source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CassetteProblem {
    /// Something else came of it than it expects; says how the two differ.
    #[error("{0}")]
    Unexpected(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

/// Gives the recorded answers, as long as the same is asked in the same order.
struct Replay<'a>(&'a [Exchange]);

impl Transport for Replay<'_> {
    const AT_A_TIME: usize = 1;

    async fn answer(&self, number: usize, request: &Request) -> RequestOutcome {
        let recorded = self.0.get(number);
        match (recorded, difference(recorded, Some(request))) {
            (Some(exchange), None) => exchange.outcome.clone().into(),
            (_, diff) => {
                let diff = diff.unwrap_or_default();
                RequestOutcome::Aborted(TransportError::Differs { number: number + 1, diff })
            }
        }
    }
}

/// Gives the recorded answers in whatever order they are asked for, each once.
struct AnyOrder<'a>(Mutex<Vec<(&'a Exchange, bool)>>);

impl Transport for AnyOrder<'_> {
    const AT_A_TIME: usize = 1;

    async fn answer(&self, _: usize, request: &Request) -> RequestOutcome {
        let mut exchanges = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut was_asked = false;
        for (exchange, is_given) in &mut *exchanges {
            if difference(Some(exchange), Some(request)).is_some() {
                continue;
            }
            if !std::mem::replace(is_given, true) {
                return exchange.outcome.clone().into();
            }
            was_asked = true;
        }
        RequestOutcome::Aborted(TransportError::NotRecorded { url: request.url.clone(), was_asked })
    }
}

/// Replays the cassette in the sandbox, offline, once more for each name of `changed-layout`, and as a
/// crawl would go that has the things already.
pub async fn test(plugins: &Plugins, source: &LoadedPlugin, cassette: &Cassette) -> TestReport {
    let begun = Instant::now();
    let query = match cassette.query(&source.info) {
        Ok(query) => query,
        Err(error) => return TestReport::unfit(&error, begun.elapsed()),
    };
    let run = replay_query(plugins, source, &query, &cassette.exchanges).await;
    let expected = cassette.expect.as_ref();
    let outcome = Expect::outcome(&run, expected);
    let mut problems = Vec::new();
    problems.extend(match &outcome {
        Some(outcome) => expectation_diff(expected, outcome, &run.end).map(CassetteProblem::Unexpected),
        None => Some(CassetteProblem::Other(end_text(&run.end))),
    });
    problems.extend(unmade(&cassette.exchanges, &run).map(CassetteProblem::Other));
    problems.extend(forbidden(source, cassette, &run).map(CassetteProblem::Other));
    // What is wrong already would only be said again for each name.
    let names = expected.iter().flat_map(|expect| &expect.changed_layout).filter(|_| problems.is_empty());
    let mut layout = Vec::new();
    for name in names {
        let problem = layout_problem(plugins, source, &query, &cassette.exchanges, name).await;
        layout.extend(problem.map(CassetteProblem::Other));
    }
    problems.append(&mut layout);
    if problems.is_empty() {
        let problem = known_problem(plugins, source, &query, cassette, run.steps.len()).await;
        problems.extend(problem.map(CassetteProblem::Other));
    }
    TestReport { problems, outcome, took: begun.elapsed(), run: Some(run) }
}

impl TestReport {
    fn unfit(error: &CassetteError, took: Duration) -> Self {
        Self { problems: vec![CassetteProblem::Other(error.to_string())], outcome: None, took, run: None }
    }
}

/// One run on the cassette's answers; it ends where these end. What must come of it is not asked.
///
/// # Errors
/// When the cassette does not fit the source.
pub async fn replay(
    plugins: &Plugins,
    source: &LoadedPlugin,
    cassette: &Cassette,
) -> Result<SourceRun, CassetteError> {
    let query = cassette.query(&source.info)?;
    Ok(replay_query(plugins, source, &query, &cassette.exchanges).await)
}

async fn replay_query(
    plugins: &Plugins,
    source: &LoadedPlugin,
    query: &Query,
    exchanges: &[Exchange],
) -> SourceRun {
    let limits = RunLimits { requests: exchanges.len(), ..RunLimits::NONE };
    run(plugins, source, query, &Replay(exchanges), limits).await
}

/// How the outcome differs from what is expected.
fn expectation_diff(expected: Option<&Expect>, outcome: &Expect, end: &RunEnd) -> Option<String> {
    let Some(expected) = expected else {
        let ends_with = match end {
            RunEnd::Failed(_) => format!("\nthe source ends with {}", end_text(end)),
            _ => String::new(),
        };
        return Some(format!("it has no [expect]; --update writes what comes of it{ends_with}"));
    };
    let (expected, found) = (expected.complete().to_text(), outcome.to_text());
    if expected == found {
        return None;
    }
    let diff = diff(&expected, &found, "expected", "found");
    Some(match end {
        // Most often it should have been an exchange.
        RunEnd::Open(_) if !expected.contains("end = \"open\"") => format!("{diff}{}", end_text(end)),
        RunEnd::Failed(StepError::Source(error)) if outcome.message.is_none() => {
            format!("{diff}the source says: {error}")
        }
        _ => diff,
    })
}

/// Exchanges that the source did not ask for, beside what it asked for instead.
fn unmade(exchanges: &[Exchange], run: &SourceRun) -> Option<String> {
    let made = run.requests;
    let left = exchanges.get(made..).filter(|left| !left.is_empty())?;
    let instead = match &run.end {
        RunEnd::Open(requests) => &requests[..],
        RunEnd::Done | RunEnd::Failed(StepError::Source(_)) => &[],
        RunEnd::Failed(_) | RunEnd::Deferred(_) | RunEnd::Aborted(_) => return None,
    };
    let numbers = (made + 1)..=exchanges.len();
    let mut pairs = (0..left.len().max(instead.len())).map(|at| (left.get(at), instead.get(at)));
    let diff = pairs.find_map(|(recorded, request)| difference(recorded, request)).unwrap_or_default();
    Some(format!("recorded requests {} to {} were not asked:\n{diff}", numbers.start(), numbers.end()))
}

/// What the source asks for or names without having declared it, or though no source may: no
/// crawl would do that. What the cassette says was denied is as it should be.
#[must_use]
pub fn forbidden(source: &LoadedPlugin, cassette: &Cassette, run: &SourceRun) -> Option<String> {
    let open = match &run.end {
        RunEnd::Open(requests) => &requests[..],
        _ => &[],
    };
    let denied = |exchange: &&Exchange| matches!(exchange.outcome, Err(Failure::Denied(_)));
    let recorded = cassette.exchanges.iter().filter(|exchange| !denied(exchange));
    let grants = source.grants(&[]);
    let request = |request: &Request| {
        let Ok(url) = Url::parse(&request.url) else {
            return Some(format!(
                "`{}` is asked, which is not a whole address: write it with `https://` and its host",
                request.url
            ));
        };
        url.host_str().and_then(|host| undeclared(&source.info, host)).or_else(|| {
            let named = fetch::check_named(&grants, &request.headers, request.credential.as_deref());
            named.err().map(|reason| format!("{} is asked, but {reason}", request.url))
        })
    };
    let candidate = |candidate: &Candidate| {
        let named = fetch::check_named(&grants, &[], candidate.credential.as_deref());
        named.err().map(|reason| format!("{} is found, but {reason}", candidate.url))
    };
    let mut requests = recorded.map(|exchange| &exchange.request).chain(open);
    requests.find_map(request).or_else(|| run.candidates.iter().find_map(candidate))
}

/// Why a host may not be asked.
fn undeclared(info: &SourceInfo, host: &str) -> Option<String> {
    let declared: Vec<_> = info.hosts.iter().map(|rule| rule.pattern.as_str()).collect();
    (!info.hosts.iter().any(|rule| rule.matches(host))).then(|| {
        format!("`{host}` is asked, which is not among the source's `hosts`: {}", declared.join(", "))
    })
}

/// What is wrong when `name` is renamed in the answers.
async fn layout_problem(
    plugins: &Plugins,
    source: &LoadedPlugin,
    query: &Query,
    exchanges: &[Exchange],
    name: &str,
) -> Option<String> {
    let Some(changed) = mutation::renamed(exchanges, name) else {
        return Some(format!("changed-layout: `{name}` does not occur in the answers as a name"));
    };
    let run = replay_query(plugins, source, query, &changed).await;
    if matches!(run.end, RunEnd::Failed(StepError::Source(SourceError::LayoutChanged(_)))) {
        return None;
    }
    let found = run.candidates.len();
    Some(format!(
        "changed-layout: `{name}` is renamed in the answers, and instead of layout-changed there are \
         {found} candidates and then this: {}",
        end_text(&run.end)
    ))
}

/// What is wrong where a crawl has all the things that are asked for already, or every second one. Such
/// a run may ask for what is not recorded, which ends it.
async fn known_problem(
    plugins: &Plugins,
    source: &LoadedPlugin,
    query: &Query,
    cassette: &Cassette,
    steps: usize,
) -> Option<String> {
    let mut items: Vec<&String> = Vec::new();
    for Exchange { request, outcome } in &cassette.exchanges {
        if let Some(item) = request.item.as_ref().filter(|item| !items.contains(item))
            && !matches!(outcome, Err(Failure::Skipped))
        {
            items.push(item);
        }
    }
    let expected = cassette.expect.as_ref().and_then(|expect| expect.error.as_deref());
    // Far more than is needed: in windows that are smaller by what was left out, and with `again`.
    let limits = RunLimits { steps: 64 + 4 * (steps + cassette.exchanges.len()), ..RunLimits::NONE };
    for (one_in, which) in [(1, "every request with an `item`"), (2, "every second request with an `item`")] {
        let known: HashSet<String> = items.iter().step_by(one_in).map(|item| (*item).clone()).collect();
        if known.is_empty() {
            return None;
        }
        let exchanges = cassette.exchanges.iter().map(|exchange| (exchange, false)).collect();
        let transport = AnyOrder(Mutex::new(exchanges));
        let run = run_knowing(plugins, source, query, &transport, limits, &known).await;
        let wrong = match &run.end {
            RunEnd::Done | RunEnd::Aborted(TransportError::NotRecorded { was_asked: false, .. }) => continue,
            RunEnd::Failed(StepError::Source(error)) if Some(error.kind()) == expected => continue,
            RunEnd::Open(_) => format!("it does not come to an end in {} steps", run.steps.len()),
            end => end.to_string(),
        };
        return Some(format!(
            "skipped: {which} is answered `skipped`, as in a crawl that has the thing already, and there is nothing \
             to be told or to wait for; but: {wrong}"
        ));
    }
    None
}

/// An end in words; more than the cassette holds is named.
fn end_text(end: &RunEnd) -> String {
    match end {
        RunEnd::Open(requests) => {
            let lines = requests.iter().map(|request| format!("\n  {}", request.url));
            format!("the source asks for what is not recorded:{}", lines.collect::<String>())
        }
        end => end.to_string(),
    }
}

/// How a request differs from the recorded one, none if it does not.
fn difference(recorded: Option<&Exchange>, request: Option<&Request>) -> Option<String> {
    let text = |request: Option<&Request>| request.map(Exchange::request_text).unwrap_or_default();
    let (recorded, asked) = (text(recorded.map(|exchange| &exchange.request)), text(request));
    (recorded != asked).then(|| diff(&recorded, &asked, "recorded", "asked"))
}

/// Lines that are missing and lines that are new, with some around them.
fn diff(before: &str, after: &str, before_is: &str, after_is: &str) -> String {
    TextDiff::from_lines(before, after)
        .unified_diff()
        .context_radius(4)
        .header(before_is, after_is)
        .missing_newline_hint(false)
        .to_string()
}
