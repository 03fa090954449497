//! A look at what a source finds: asked at once, bounded, and nothing is stored.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::Utc;
use poem_openapi::{
    Object,
    types::{Any, Example},
};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use crate::{
    api::{error::Problem, nullable::Nullable},
    app::{App, chain},
    db::pace::{self, RequestSlot},
    model::{Candidate, Failure, Grants, Method, Request, Response, SourceError, UserId},
    plugins::LoadedPlugin,
    runner::{self, Live, RunEnd, RunLimits, SourceRun, Transport, TransportError},
    sandbox::StepError,
    services::create::{QueryRequest, Violation},
};

/// Most candidates of a preview.
const MOST_CANDIDATES: u32 = 50;
/// Most requests of a preview: one step's, and some before that.
const MOST_REQUESTS: usize = 70;
/// Most steps of a preview.
const MOST_STEPS: usize = 50;
/// No request of a preview is begun after this time, and none is waited for longer.
const LONGEST: Duration = Duration::from_secs(20);
/// A site that asks for a longer rest gets this one.
const LONGEST_HOLD: Duration = Duration::from_hours(24);
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
    text: String,
    /// Values for the options that the source declares.
    options: Option<std::collections::BTreeMap<String, Any<Value>>>,
    /// Leave out what is not safe for work, where the source can tell; true by default.
    safe_search: Option<bool>,
    /// BCP 47, such as `de` or `pt-BR`.
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
    /// The page a person would open to see it.
    page_url: Nullable<String>,
    /// A small copy.
    thumbnail_url: Nullable<String>,
    /// Title.
    title: Nullable<String>,
    /// Description or alternative text.
    description: Nullable<String>,
    /// Who made it.
    creator: Nullable<String>,
    /// The creator's page.
    creator_url: Nullable<String>,
    /// Licence id, such as `cc-by-4.0`.
    license: Nullable<String>,
    /// The licence's text.
    license_url: Nullable<String>,
    /// The line to print beside the picture.
    attribution: Nullable<String>,
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
            return Err(Problem::conflict(
                "source-unavailable",
                format!("The source is not available: {reason}."),
            ));
        }
        let _place = self.place(user)?;
        let limit = query.limit as usize;
        let limits = RunLimits { candidates: limit, requests: MOST_REQUESTS, steps: MOST_STEPS };
        let grants = app.grants(&source);
        let door = PreviewTransport {
            app,
            live: Live::new(&app.fetcher, grants.clone()),
            grants: &grants,
            source: &source,
            until: Instant::now() + LONGEST,
            made: Mutex::default(),
        };
        let run = runner::run(&app.plugins, &source, &query, &door, limits).await;
        let requests = door.made.into_inner().unwrap_or_else(PoisonError::into_inner);
        shown(run, limit, requests)
    }

    fn place(&self, user: UserId) -> Result<PreviewPermit<'_>, Problem> {
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

/// The way to the network, at the pace that all workers share, for as long as a preview takes.
struct PreviewTransport<'a> {
    app: &'a App,
    live: Live,
    grants: &'a Grants,
    source: &'a LoadedPlugin,
    until: Instant,
    made: Mutex<Vec<PreviewedRequest>>,
}

impl Transport for PreviewTransport<'_> {
    const AT_A_TIME: usize = Live::AT_A_TIME;

    async fn answer(
        &self,
        number: usize,
        request: &Request,
    ) -> Result<Result<Response, Failure>, TransportError> {
        let place = self.app.throttle_key(self.grants, request);
        if let Some(place) = &place {
            self.turn(place).await?;
        }
        let too_slow = || {
            let reason = format!("a preview takes {} s at most", LONGEST.as_secs());
            TransportError::Later { after: Duration::ZERO, reason }
        };
        let answering = self.live.answer(number, request);
        let outcome = timeout_at(self.until, answering).await.unwrap_or_else(|_| Err(too_slow()));
        if let (Err(TransportError::Later { after, .. }), Some(place)) = (&outcome, &place)
            && !after.is_zero()
        {
            let until = Utc::now() + (*after).min(LONGEST_HOLD);
            pace::defer(&self.app.db, place, until).await.map_err(|error| unpaced(&error))?;
        }
        self.note(request, &outcome);
        outcome
    }
}

impl PreviewTransport<'_> {
    /// Waits for the source's turn at a host, if that comes in time.
    async fn turn(&self, place: &str) -> Result<(), TransportError> {
        let interval = self.source.info.interval();
        let longest = self.until.saturating_duration_since(Instant::now());
        let turn = pace::reserve(&self.app.db, place, interval, longest).await;
        match turn.map_err(|error| unpaced(&error))? {
            RequestSlot::In(wait) => tokio::time::sleep(wait).await,
            RequestSlot::NotBefore(at) => {
                let after = (at - Utc::now()).to_std().unwrap_or_default();
                return Err(TransportError::Later {
                    after,
                    reason: "the source may not be asked more often".to_owned(),
                });
            }
        }
        Ok(())
    }

    fn note(&self, request: &Request, outcome: &Result<Result<Response, Failure>, TransportError>) {
        let (status, failure) = match outcome {
            Ok(Ok(response)) => (Some(response.status), None),
            Ok(Err(failure)) => (None, Some(failure.to_string())),
            Err(stop) => (None, Some(stop.to_string())),
        };
        self.app.metrics.source_request(&self.source.info.id, status);
        let method = match request.method {
            Method::Get => "GET",
            Method::Post => "POST",
        };
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(PreviewedRequest {
            method: method.to_owned(),
            url: request.url.clone(),
            status: status.into(),
            failure: failure.into(),
        });
    }
}

/// The pace is in the database.
fn unpaced(error: &crate::db::Error) -> TransportError {
    tracing::warn!(error = %chain(error), "a preview cannot learn the pace of its source");
    TransportError::Later { after: Duration::ZERO, reason: "the database does not answer".to_owned() }
}

/// What was found; an error only where nothing was.
fn shown(run: SourceRun, limit: usize, requests: Vec<PreviewedRequest>) -> Result<Preview, Problem> {
    let SourceRun { candidates, mut warnings, end, .. } = run;
    let more = !matches!(end, RunEnd::Done) || candidates.len() > limit;
    let problem = match end {
        RunEnd::Done | RunEnd::Open(_) => None,
        RunEnd::Stopped(stop) => Some(Problem::site("site-unavailable", stop.to_string())),
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
    let words = error.to_string();
    match error {
        StepError::Source(SourceError::InvalidQuery(detail)) => {
            Problem::rules(vec![Violation { pointer: "/text".to_owned(), detail }])
        }
        StepError::Source(SourceError::RateLimited(_) | SourceError::Unavailable(_)) => {
            Problem::site("site-unavailable", words)
        }
        StepError::Source(SourceError::Unauthorized(_)) => Problem::plugin("credential-refused", words),
        StepError::Source(SourceError::LayoutChanged(_)) => Problem::plugin("layout-changed", words),
        StepError::Preparing { .. } | StepError::Off { .. } => Problem::conflict("source-unavailable", words),
        StepError::Host { .. } => Problem::internal(error),
        _ => Problem::plugin("plugin-fault", format!("fault of the plugin: {words}")),
    }
}

impl From<Candidate> for PreviewCandidate {
    fn from(found: Candidate) -> Self {
        let (license, license_url, attribution) = found
            .license
            .map_or((None, None, None), |license| (Some(license.id), license.url, license.attribution));
        Self {
            url: found.url,
            page_url: found.page_url.into(),
            thumbnail_url: found.thumbnail_url.into(),
            title: found.title.into(),
            description: found.description.into(),
            creator: found.creator.into(),
            creator_url: found.creator_url.into(),
            license: license.into(),
            license_url: license_url.into(),
            attribution: attribution.into(),
            width: found.dimensions.map(|(width, _)| width).into(),
            height: found.dimensions.map(|(_, height)| height).into(),
            mime: found.mime.into(),
            byte_size: found.byte_size.into(),
            tags: found.tags,
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
        let found = Candidate {
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
        Self { candidates: vec![found.into()], warnings: Vec::new(), more: true, requests: vec![request] }
    }
}
