//! A look at what a source finds: asked at once, bounded, and nothing is stored.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use poem_openapi::{
    Object,
    types::{Any, Example},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    api::{
        error::{Problem, ProblemCode},
        nullable::Nullable,
        provenance::ProvenanceFields,
    },
    app::App,
    fetch::CookieJar,
    model::{Candidate, Provenance, Request, SourceError, UserId},
    plugins::LoadedPlugin,
    runner::{
        self, Live, Logged, Paced, RequestOutcome, RunEnd, RunLimits, Schedule, SourceRun, TimeLimit,
        TransportError, cassette::Exchange,
    },
    sandbox::StepError,
    services::{Violation, create::QueryRequest},
};

/// Most candidates of a preview.
const MOST_CANDIDATES: u32 = 50;
/// Most requests of a preview: one step's, and some before that.
const MOST_REQUESTS: usize = 70;
/// Most steps of a preview.
const MOST_STEPS: usize = 50;
/// No request of a preview is begun after this time, and none is waited for longer.
const LONGEST: Duration = Duration::from_secs(20);
/// Previews at a time.
const AT_A_TIME: usize = 8;
/// Who is refused for these limits is to try again after this.
const LATER: Duration = Duration::from_secs(5);
/// Previews of one user at a time.
const OF_A_USER: usize = 2;

/// What to look for. `text` is required.
#[derive(Object)]
#[oai(example, deny_unknown_fields, skip_serializing_if_is_none)]
pub(super) struct PreviewRequest {
    /// Keywords (1 to 200 characters) or an address, whichever the source takes.
    #[oai(validator(min_length = 1, max_length = 8192))]
    text: String,
    /// Values for the options that the source declares.
    #[oai(validator(max_properties = 100))]
    options: Option<std::collections::BTreeMap<String, Any<Value>>>,
    /// Leave out what is not safe for work, where the source can tell; true by default.
    safe_search: Option<bool>,
    /// BCP 47, such as `de` or `pt-BR`.
    #[oai(validator(max_length = 35, pattern = "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$"))]
    language: Option<String>,
    /// Candidates wanted; 20 by default.
    #[oai(validator(minimum(value = "1"), maximum(value = "50")))]
    limit: Option<u32>,
}

/// What a source finds first.
#[derive(Object)]
#[oai(example)]
pub(super) struct Preview {
    /// Pictures as the source describes them; none was downloaded.
    candidates: Vec<PreviewCandidate>,
    /// What the source left out and why, and why there is no more.
    warnings: Vec<String>,
    /// Whether the source has more.
    more: bool,
    /// What was asked for this.
    requests: Vec<PreviewedRequest>,
}

/// A picture that a source found.
#[derive(Object)]
struct PreviewCandidate {
    /// The largest original known.
    url: String,
    /// A small copy.
    thumbnail_url: Nullable<String>,
    #[oai(flatten)]
    provenance: ProvenanceFields,
    /// In pixels, as declared.
    width: Nullable<u32>,
    /// In pixels, as declared.
    height: Nullable<u32>,
    /// Media type, as declared.
    mime: Nullable<String>,
    /// In bytes, as declared.
    byte_size: Nullable<u64>,
    /// The source's own words for what it shows.
    tags: Vec<String>,
    /// The classes that the source puts it in, the foremost first.
    labels: Vec<String>,
}

/// A request that was made for a preview.
#[derive(Object)]
struct PreviewedRequest {
    /// `GET` or `POST`.
    method: String,
    /// As the source asked for it; secrets are added later and not shown.
    url: String,
    /// Of the answer.
    status: Nullable<u16>,
    /// Why there is no answer.
    failure: Nullable<String>,
}

/// Who is previewing what.
#[derive(Default)]
pub(super) struct Previews {
    under_way: Mutex<HashMap<UserId, usize>>,
}

/// One of the previews under way, until it is dropped.
struct PreviewPermit<'a> {
    previews: &'a Previews,
    user: UserId,
}

impl Previews {
    /// Shows what `source` finds for what is asked.
    pub(super) async fn show(
        &self,
        app: &App,
        user: UserId,
        source: LoadedPlugin,
        request: &QueryRequest,
    ) -> Result<Preview, Problem> {
        let health = app.health(&source).await?;
        let offered = app.offer(source.clone(), &health);
        let parse =
            |text: &str| app.fetcher.check(text).map_err(|blocked| format!("cannot be asked: {blocked}"));
        let query = request.check(&offered, MOST_CANDIDATES, &parse).map_err(Problem::rules)?;
        if let Some(reason) = offered.unavailable {
            return Err(Problem::new(
                ProblemCode::SourceUnavailable,
                format!("The source is not available: {reason}."),
            ));
        }
        let _permit = self.permit(user)?;
        let limit = query.limit as usize;
        let limits = RunLimits { candidates: limit, requests: MOST_REQUESTS, steps: MOST_STEPS };
        let (fetcher, grants) = (app.fetcher.with_cookies(CookieJar::default()), app.grants(&source));
        let live = Live::new(&fetcher, &grants);
        let requests = Mutex::<Vec<PreviewedRequest>>::default();
        let noted = Logged::new(TimeLimit::new(live, LONGEST), |_, request, outcome, _| {
            app.metrics.source_request(&source.info.id, outcome.status());
            let request = PreviewedRequest::new(request, outcome);
            requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        });
        let until = Instant::now() + LONGEST;
        let schedule = Schedule::Shared {
            db: &app.db,
            longest: &|| until.saturating_duration_since(Instant::now()),
            backoff: Duration::ZERO,
        };
        let transport = Paced::new(noted, live, source.info.interval(), schedule);
        let run = runner::run(&app.plugins, &source, &query, &transport, limits).await;
        drop(transport);
        shown(run, limit, requests.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn permit(&self, user: UserId) -> Result<PreviewPermit<'_>, Problem> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = under_way.values().sum();
        let own = under_way.entry(user).or_default();
        if *own >= OF_A_USER {
            let detail = format!("You have {OF_A_USER} previews under way; wait for one to end.");
            return Err(Problem::too_many(detail, LATER));
        }
        if all >= AT_A_TIME {
            let detail = format!("{AT_A_TIME} previews are under way; try again in a moment.");
            return Err(Problem::too_many(detail, LATER));
        }
        *own += 1;
        Ok(PreviewPermit { previews: self, user })
    }
}

impl Drop for PreviewPermit<'_> {
    fn drop(&mut self) {
        let mut under_way = self.previews.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        let own = under_way.entry(self.user).or_default();
        *own = own.saturating_sub(1);
        under_way.retain(|_, count| *count > 0);
    }
}

impl PreviewedRequest {
    fn new(request: &Request, outcome: &RequestOutcome) -> Self {
        Self {
            method: Exchange::method(request).to_owned(),
            url: request.url.clone(),
            status: outcome.status().into(),
            failure: outcome.response().err().into(),
        }
    }
}

/// What was found; an error only where nothing was.
fn shown(run: SourceRun, limit: usize, requests: Vec<PreviewedRequest>) -> Result<Preview, Problem> {
    let SourceRun { candidates, mut warnings, end, .. } = run;
    let more = !matches!(end, RunEnd::Done) || candidates.len() > limit;
    let problem = match end {
        RunEnd::Done | RunEnd::Open(_) => None,
        RunEnd::Deferred(deferred) => Some(Problem::new(ProblemCode::SiteUnavailable, deferred.to_string())),
        RunEnd::Aborted(TransportError::Database(error)) => Some(error.into()),
        RunEnd::Aborted(error) => Some(Problem::new(ProblemCode::SiteUnavailable, error.to_string())),
        RunEnd::Failed(error) => Some(failed(error)),
    };
    match problem {
        Some(problem) if candidates.is_empty() => return Err(problem),
        Some(problem) => warnings.push(format!("There may be more: {}", problem.detail())),
        None => {}
    }
    let candidates = candidates.into_iter().take(limit).map(PreviewCandidate::from).collect();
    Ok(Preview { candidates, warnings, more, requests })
}

fn failed(error: StepError) -> Problem {
    let message = error.to_string();
    match error {
        StepError::Source(SourceError::InvalidQuery(detail)) => {
            Problem::rules(vec![Violation { pointer: "/text".to_owned(), detail }])
        }
        StepError::Source(SourceError::RateLimited(_) | SourceError::Unavailable(_)) => {
            Problem::new(ProblemCode::SiteUnavailable, message)
        }
        StepError::Source(SourceError::Unauthorized(_)) => {
            Problem::new(ProblemCode::CredentialRefused, message)
        }
        StepError::Source(SourceError::LayoutChanged(_)) => Problem::new(ProblemCode::LayoutChanged, message),
        StepError::Preparing { .. } | StepError::Off { .. } => {
            Problem::new(ProblemCode::SourceUnavailable, message)
        }
        StepError::Host { .. } => Problem::internal(error),
        _ => Problem::new(ProblemCode::PluginFault, format!("fault of the plugin: {message}")),
    }
}

impl From<Candidate> for PreviewCandidate {
    fn from(candidate: Candidate) -> Self {
        Self {
            provenance: Provenance::from(&candidate).into(),
            url: candidate.url,
            thumbnail_url: candidate.thumbnail_url.into(),
            width: candidate.dimensions.map(|(width, _)| width).into(),
            height: candidate.dimensions.map(|(_, height)| height).into(),
            mime: candidate.mime.into(),
            byte_size: candidate.byte_size.into(),
            tags: candidate.tags,
            labels: candidate.labels,
        }
    }
}

impl Example for PreviewRequest {
    fn example() -> Self {
        Self {
            text: "red panda".to_owned(),
            options: Some([("license".to_owned(), Any(json!("cc0,by")))].into()),
            safe_search: Some(true),
            language: Some("en".to_owned()),
            limit: Some(10),
        }
    }
}

impl Example for Preview {
    fn example() -> Self {
        let license = crate::model::License { id: "cc0-1.0".to_owned(), url: None, attribution: None };
        let candidate = Candidate {
            url: "https://images.example.org/17.jpg".to_owned(),
            page_url: Some("https://example.org/17".to_owned()),
            title: Some("Red panda".to_owned()),
            license: Some(license),
            dimensions: Some((1600, 1200)),
            ..Candidate::default()
        };
        let request = PreviewedRequest {
            method: "GET".to_owned(),
            url: "https://api.example.org/images?q=red+panda".to_owned(),
            status: Some(200).into(),
            failure: None.into(),
        };
        Self { candidates: vec![candidate.into()], warnings: Vec::new(), more: true, requests: vec![request] }
    }
}
