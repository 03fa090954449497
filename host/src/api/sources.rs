//! Installed sources and their options, so that a form can be drawn.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{Object, OpenApi, param::Path, payload::Json, types::Example};

use self::preview::{Preview, PreviewRequest, Previews};
use super::{
    Tag,
    bearer::{ANY_KEY, Access, CREATE_JOBS},
    body::JsonBody,
    error::{
        BAD_GATEWAY, BODY, CONFLICT, FORBIDDEN, NOT_FOUND, PARAMETER, Problem, ProblemSet, SIGNED_IN,
        TOO_MANY,
    },
    nullable::Nullable,
};
use crate::{
    app::App,
    model::{Input, OptionKind, SourceStats},
    plugins::LoadedPlugin,
    services::sources::{HealthReport, SourceStates},
};

mod preview;

/// What can go wrong with a preview.
const PREVIEW: u16 = SIGNED_IN | BODY | FORBIDDEN | NOT_FOUND | CONFLICT | TOO_MANY | BAD_GATEWAY;

/// The routes, and the previews that are under way.
#[derive(Default)]
pub(super) struct SourcesApi {
    previews: Previews,
}

/// An installed source.
#[derive(Object)]
#[oai(example)]
struct Source {
    /// Never changes.
    id: String,
    /// For people.
    name: String,
    /// Semantic version of the plugin.
    version: String,
    /// One or two sentences.
    description: String,
    /// The site's home page.
    homepage: Nullable<String>,
    /// Terms under which the source is used.
    terms_url: Nullable<String>,
    /// `keywords` or `address`: what the source takes.
    input: String,
    /// Hosts that the source asks; its images may be anywhere.
    hosts: Vec<Host>,
    /// What a job may set.
    options: Vec<SourceOption>,
    /// Secrets that the operator may configure.
    credentials: Vec<Credential>,
    /// The source's own rate rule.
    requests_per_minute: Nullable<u32>,
    /// The most images one input can ever give.
    max_results: Nullable<u32>,
    /// Comes with the program.
    bundled: bool,
    /// May ask the hosts it declares.
    granted: bool,
    /// Whether a job can use it now.
    available: bool,
    /// Why not.
    unavailable_reason: Nullable<String>,
    /// Why its operator had to allow it by name.
    restriction: Nullable<String>,
    /// SHA-256 of the plugin, in hexadecimal.
    sha256: String,
    /// How it fares.
    health: SourceHealth,
    /// What it did until now, for all users together.
    figures: SourceFigures,
}

/// How a source fares.
#[derive(Object)]
struct SourceHealth {
    /// `ok`, `degraded` (it is asked, but something is wrong) or `paused` (it is not asked).
    condition: String,
    /// Why it is not `ok`.
    reason: Nullable<String>,
    /// Since when it is not `ok`.
    since: Nullable<DateTime<Utc>>,
    /// When a paused source is tried again by itself.
    resumes_at: Nullable<DateTime<Utc>>,
}

/// What a source did until now; counts are written when a worker gives back a part of a job,
/// which takes a minute at most.
#[derive(Object)]
struct SourceFigures {
    /// Steps that its plugin made.
    steps: u64,
    /// Steps that failed by the plugin's own fault.
    faults: u64,
    /// Requests made for it.
    requests: u64,
    /// Answers to them by HTTP status; `none` where there was none.
    answers: BTreeMap<String, u64>,
    /// Pictures found.
    candidates: u64,
    /// Pictures kept.
    kept: u64,
    /// Pictures that a dataset had already.
    duplicates: u64,
    /// Pictures refused, by code.
    refused: BTreeMap<String, u64>,
    /// CPU time of its steps, in milliseconds.
    cpu_ms: u64,
    /// Most memory of a step, in bytes.
    peak_memory: u64,
}

/// A host that a source asks.
#[derive(Object)]
#[oai(rename = "SourceHost")]
struct Host {
    /// `example.org`, `*.example.org` or `*`.
    pattern: String,
    /// `api`, used under its terms, or `web`, where robots.txt is asked.
    kind: String,
}

/// Something a job may set.
#[derive(Object)]
struct SourceOption {
    /// Key in the job's `options`.
    name: String,
    /// For people.
    label: String,
    /// One sentence.
    help: String,
    /// `text`, `integer`, `boolean`, `choice` or `choices`.
    kind: String,
    /// A job without it is refused.
    required: bool,
    /// Used when the job says nothing.
    default: Nullable<String>,
    /// What may be chosen.
    choices: Vec<Choice>,
}

/// One of what may be chosen.
#[derive(Object)]
#[oai(rename = "SourceOptionChoice")]
struct Choice {
    /// What the job says.
    value: String,
    /// For people.
    label: String,
}

/// A secret that the operator may configure.
#[derive(Object)]
#[oai(rename = "SourceCredential")]
struct Credential {
    /// Name that the operator uses.
    name: String,
    /// Where to get one.
    help: String,
    /// Without it no crawl of this source is begun.
    required: bool,
}

/// All installed sources.
#[derive(Object)]
#[oai(example)]
struct SourcePage {
    /// By id.
    items: Vec<Source>,
    /// Always null: all are in one page.
    next: Nullable<i32>,
}

#[OpenApi(prefix_path = "/sources", tag = "Tag::Sources")]
impl SourcesApi {
    /// List the installed sources
    ///
    /// All of them in one page, by id, with those that cannot be used now and why.
    #[oai(path = "/", method = "get", operation_id = "listSources")]
    async fn list(
        &self,
        Data(app): Data<&App>,
        _caller: Access<ANY_KEY>,
    ) -> Result<Json<SourcePage>, ProblemSet<{ SIGNED_IN | PARAMETER }>> {
        let states = SourceStates::read(&app.db).await?;
        let items = app.plugins.list().into_iter().map(|source| Source::new(source, app, &states)).collect();
        Ok(Json(SourcePage { items, next: None.into() }))
    }

    /// Show an installed source
    ///
    /// With the options that a job may set for it, whether a job can use it now, how it fares
    /// and what it did until now.
    #[oai(path = "/:id", method = "get", operation_id = "getSource")]
    async fn show(
        &self,
        Data(app): Data<&App>,
        _caller: Access<ANY_KEY>,
        /// Id of the source.
        #[oai(example = "example_id")]
        Path(id): Path<String>,
    ) -> Result<Json<Source>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        let source = app.plugins.get(&id).ok_or_else(|| Problem::not_found("source"))?;
        Ok(Json(Source::new(source, app, &SourceStates::read(&app.db).await?)))
    }

    /// Preview what a source finds
    ///
    /// Asks the source at once, with few requests and for 20 seconds at most, and answers the
    /// first candidates. Nothing is downloaded and nothing is stored.
    #[oai(path = "/:id/preview", method = "post", operation_id = "previewSource")]
    async fn preview(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<CREATE_JOBS>,
        /// Id of the source.
        #[oai(example = "example_id")]
        Path(id): Path<String>,
        body: JsonBody<PreviewRequest>,
    ) -> Result<Json<Preview>, ProblemSet<PREVIEW>> {
        let source = app.plugins.get(&id).ok_or_else(|| Problem::not_found("source"))?;
        app.may_crawl(&caller).await?;
        Ok(Json(self.previews.show(app, caller.user, source, &body.value.into()).await?))
    }
}

fn example_id() -> String {
    "openverse".to_owned()
}

impl Source {
    fn new(installed: LoadedPlugin, app: &App, states: &SourceStates) -> Self {
        let health = states.health(&installed, app.credentials.now().mark(&installed.info.id));
        let unavailable_reason = app.unavailable(&installed, &health);
        let figures = states.figures(&installed.info.id);
        let info = installed.info;
        let input = match info.input {
            Input::Keywords => "keywords",
            Input::Address => "address",
        };
        let hosts = info
            .hosts
            .into_iter()
            .map(|rule| Host { pattern: rule.pattern, kind: rule.kind.name().to_owned() });
        let credentials = info.credentials.into_iter();
        Self {
            id: info.id,
            name: info.name,
            version: info.version,
            description: info.description,
            homepage: info.homepage.into(),
            terms_url: info.terms_url.into(),
            input: input.to_owned(),
            hosts: hosts.collect(),
            options: info.options.into_iter().map(SourceOption::from).collect(),
            credentials: credentials
                .map(|spec| Credential { name: spec.name, help: spec.help, required: spec.required })
                .collect(),
            requests_per_minute: info.requests_per_minute.into(),
            max_results: info.max_results.into(),
            bundled: installed.bundled,
            granted: installed.granted_by.is_some(),
            available: unavailable_reason.is_none(),
            unavailable_reason: unavailable_reason.into(),
            restriction: info.restriction.into(),
            sha256: installed.digest.to_string(),
            health: health.into(),
            figures: figures.into(),
        }
    }
}

impl From<HealthReport> for SourceHealth {
    fn from(health: HealthReport) -> Self {
        Self {
            condition: health.condition.name().to_owned(),
            reason: health.reason.into(),
            since: health.since.into(),
            resumes_at: health.resumes_at.into(),
        }
    }
}

impl From<SourceStats> for SourceFigures {
    fn from(figures: SourceStats) -> Self {
        Self {
            steps: figures.steps,
            faults: figures.faults,
            requests: figures.requests,
            answers: figures.answers,
            candidates: figures.candidates,
            kept: figures.kept,
            duplicates: figures.duplicates,
            refused: figures.refused,
            cpu_ms: u64::try_from(figures.cpu.as_millis()).unwrap_or(u64::MAX),
            peak_memory: figures.peak_memory,
        }
    }
}

impl From<crate::model::OptionSpec> for SourceOption {
    fn from(spec: crate::model::OptionSpec) -> Self {
        let kind = match spec.kind {
            OptionKind::Text => "text",
            OptionKind::Integer => "integer",
            OptionKind::Boolean => "boolean",
            OptionKind::Choice => "choice",
            OptionKind::Choices => "choices",
        };
        Self {
            name: spec.name,
            label: spec.label,
            help: spec.help,
            kind: kind.to_owned(),
            required: spec.required,
            default: spec.default.into(),
            choices: spec.choices.into_iter().map(|(value, label)| Choice { value, label }).collect(),
        }
    }
}

impl Example for Source {
    fn example() -> Self {
        let choice = |value: &str, label: &str| Choice { value: value.to_owned(), label: label.to_owned() };
        let license = SourceOption {
            name: "license".to_owned(),
            label: "Licence".to_owned(),
            help: "Only works under these licences.".to_owned(),
            kind: "choices".to_owned(),
            required: false,
            default: None.into(),
            choices: vec![choice("cc0", "CC0"), choice("by", "CC BY")],
        };
        Self {
            id: "openverse".to_owned(),
            name: "Openverse".to_owned(),
            version: "0.1.0".to_owned(),
            description: "Openly licensed works from many collections.".to_owned(),
            homepage: Some("https://openverse.org/".to_owned()).into(),
            terms_url: None.into(),
            input: "keywords".to_owned(),
            hosts: vec![Host { pattern: "api.openverse.org".to_owned(), kind: "api".to_owned() }],
            options: vec![license],
            credentials: Vec::new(),
            requests_per_minute: Some(20).into(),
            max_results: Some(240).into(),
            bundled: true,
            granted: true,
            available: true,
            unavailable_reason: None.into(),
            restriction: None.into(),
            sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned(),
            health: HealthReport::OK.into(),
            figures: SourceStats {
                steps: 42,
                requests: 40,
                answers: BTreeMap::from([("200".to_owned(), 39), ("404".to_owned(), 1)]),
                candidates: 800,
                kept: 730,
                duplicates: 20,
                refused: BTreeMap::from([("not-found".to_owned(), 50)]),
                cpu: Duration::from_millis(126),
                peak_memory: 2 << 20,
                ..SourceStats::default()
            }
            .into(),
        }
    }
}

impl Example for SourcePage {
    fn example() -> Self {
        Self { items: vec![Source::example()], next: None.into() }
    }
}
