//! Installed sources and their options, so that a form can be drawn.

use poem::web::Data;
use poem_openapi::{Object, OpenApi, param::Path, payload::Json, types::Example};

use super::{
    Tag,
    caller::Bearer,
    error::{Failure, NOT_FOUND, Problem, SIGNED_IN},
    nullable::Nullable,
};
use crate::{
    app::App,
    plugin::Installed,
    source::{Input, OptionKind},
};

pub(super) struct Api;

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
impl Api {
    /// List the installed sources
    ///
    /// All of them in one page, by id, with those that cannot be used now and why.
    #[oai(path = "/", method = "get", operation_id = "listSources")]
    async fn list(
        &self,
        Data(app): Data<&App>,
        _caller: Bearer,
    ) -> Result<Json<SourcePage>, Failure<SIGNED_IN>> {
        let items = app.plugins.list().into_iter().map(|source| Source::new(source, app)).collect();
        Ok(Json(SourcePage { items, next: None.into() }))
    }

    /// Show an installed source
    ///
    /// With the options that a job may set for it and whether a job can use it now.
    #[oai(path = "/:id", method = "get", operation_id = "getSource")]
    async fn show(
        &self,
        Data(app): Data<&App>,
        _caller: Bearer,
        /// Id of the source.
        Path(id): Path<String>,
    ) -> Result<Json<Source>, Failure<{ SIGNED_IN | NOT_FOUND }>> {
        let source = app.plugins.get(&id).ok_or_else(|| Problem::not_found("source"))?;
        Ok(Json(Source::new(source, app)))
    }
}

impl Source {
    fn new(installed: Installed, app: &App) -> Self {
        let unavailable_reason = app.unavailable(&installed);
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
        }
    }
}

impl From<crate::source::OptionSpec> for SourceOption {
    fn from(spec: crate::source::OptionSpec) -> Self {
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
        }
    }
}

impl Example for SourcePage {
    fn example() -> Self {
        Self { items: vec![Source::example()], next: None.into() }
    }
}
