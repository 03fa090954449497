//! `plugin list`: which sources there are and what they may do.

use std::process::ExitCode;

use clap::Args;
use indicatif::HumanBytes;
use serde_json::{Value, json};

use super::{Known, load, prepared};
use crate::{
    cli::{say, stop},
    config::Config,
    model::{Input, OptionSpec, SourceInfo},
    plugins::{GrantedBy, LoadedPlugin, LockedBuild, PluginStatus, RefusedPlugin, SetAside},
};

/// List the installed sources, and what was left out and why
///
/// For each: version, what it takes, whether it can be used and if not what to do about
/// it, how it fares and what it did until now (where a database answers; none is started for
/// this), which credentials are configured, by what it was granted, whether it is pinned, the hosts it asks (`api`: a documented interface; `web`: pages, robots.txt is
/// asked), its options and credentials. Credentials are those of a `serve` or `worker` that runs on the
/// same database; where none does, those of the settings here.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler plugin list\n  \
    pixcrawler plugin list --plugins-dir ./plugins --grant my-source\n  \
    pixcrawler plugin list --json | jq -r '.sources[].id'")]
pub(super) struct List {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl List {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let stop = stop::on_signal()?;
        let plugins = load(config).await?;
        let known = Known::find(config, &plugins).await?;
        // By what is known an earlier build may be wanted, which is compiled first.
        prepared(&plugins, &stop).await;
        let (sources, refused) = (plugins.list(), plugins.refused());
        if self.json {
            let sources: Vec<Value> =
                sources.iter().map(|source| described(source, Some(&known), &refused)).collect();
            let refused: Vec<Value> =
                refused.iter().map(|plugin| json!({"name": plugin.name, "reason": plugin.reason})).collect();
            let judged_by = known.described_judge();
            say(&json!({"judged_by": judged_by, "sources": sources, "refused": refused}).to_string());
        } else {
            say(&text(&sources, &refused, &known));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn text(sources: &[LoadedPlugin], refused: &[RefusedPlugin], known: &Known) -> String {
    let mut lines = vec![known.judged_by()];
    for source in sources {
        let info = &source.info;
        let (status, reason) = status(source, Some(known), refused);
        let takes = if source.is_known() { format!("{}, ", input(info.input)) } else { String::new() };
        lines.push(format!("{} {}  {takes}{status}, {}", info.id, info.version, from(source)));
        let known_facts = known_facts(source, known);
        // What it is paused for is told with its health.
        let reason = reason.filter(|reason| !known_facts.iter().any(|(_, value)| value.contains(reason)));
        lines.extend(reason.map(|reason| fact("status", &reason)));
        lines.extend(known_facts.iter().map(|(name, value)| fact(name, value)));
        lines.extend(facts(info));
    }
    if sources.is_empty() {
        lines.push("No source is installed.".to_owned());
    }
    lines.extend(refused.iter().map(|plugin| format!("Left out: {}: {}", plugin.name, plugin.reason)));
    lines.join("\n")
}

/// Says whether a source can be used, in a word, and why not: as the API judges it where that is
/// `known`, else as far as its component tells. Whoever reads this is told what is wrong with
/// a file; the users of the API are not.
fn status(
    source: &LoadedPlugin,
    known: Option<&Known>,
    refused: &[RefusedPlugin],
) -> (&'static str, Option<String>) {
    let file = source.file.as_ref().filter(|_| !source.is_known()).map(|file| file.display().to_string());
    let reason = match (refused.iter().find(|plugin| Some(&plugin.name) == file.as_ref()), known) {
        (Some(damaged), _) => Some(format!("its file {}", damaged.reason)),
        (None, Some(known)) => known.unavailable(source),
        (None, None) => source.unavailable(),
    };
    match (&source.status, &reason) {
        (PluginStatus::Preparing, _) => ("preparing", None),
        (PluginStatus::Off(_), _) => ("off", reason),
        (PluginStatus::Ready, Some(_)) => ("unavailable", reason),
        (PluginStatus::Ready, None) => ("ready", None),
    }
}

/// Lists what a source says of itself, a line each.
pub(super) fn facts(info: &SourceInfo) -> Vec<String> {
    let hosts = info.hosts.iter().map(|rule| format!("{} ({})", rule.pattern, rule.kind.name()));
    let credentials = info.credentials.iter().map(|spec| match spec.required {
        true => format!("{} (required)", spec.name),
        false => format!("{} (optional)", spec.name),
    });
    let robots = if info.ignores_robots { "ignored" } else { "" };
    let options = info.options.iter().map(option).collect::<Vec<_>>().join("; ");
    let all = [
        ("about", info.description.clone()),
        ("hosts", hosts.collect::<Vec<_>>().join(", ")),
        ("robots.txt", robots.to_owned()),
        ("options", options),
        ("credentials", credentials.collect::<Vec<_>>().join(", ")),
    ];
    all.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| fact(name, value)).collect()
}

/// Writes a named line of a block.
pub(super) fn fact(name: &str, value: &str) -> String {
    format!("  {name:<12}{value}")
}

/// Lists how it fares, what it did and why it may, by name.
fn known_facts(source: &LoadedPlugin, known: &Known) -> Vec<(&'static str, String)> {
    let (health, done) = known.text(source);
    let set_aside = |newer: &SetAside| {
        let why = match &newer.lacks {
            Some(spec) => format!("which lacks its credential `{}`: {}", spec.name, spec.help),
            None => "which faulted too often".to_owned(),
        };
        format!("{} ({}), {why}", newer.build.version, newer.build.file)
    };
    let locked =
        |locked: &LockedBuild| format!("sha256 {}, {}", locked.sha256, locked.installed_at.date_naive());
    let all = [
        ("left aside", source.set_aside.as_ref().map(set_aside).unwrap_or_default()),
        ("health", health),
        ("until now", done),
        ("configured", known.configured(source)),
        ("granted by", source.granted_by.map(GrantedBy::name).unwrap_or_default().to_owned()),
        ("pinned", source.locked.as_ref().map(locked).unwrap_or_default()),
    ];
    all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}

/// Describes a source for scripts.
pub(super) fn described(source: &LoadedPlugin, known: Option<&Known>, refused: &[RefusedPlugin]) -> Value {
    let info = &source.info;
    let (status, reason) = status(source, known, refused);
    let set_aside = |is_such: fn(&SetAside) -> bool| {
        source.set_aside.as_ref().filter(|newer| is_such(newer)).map(|SetAside { build, lacks }| {
            let LockedBuild { version, sha256, file, .. } = build;
            let lacks = lacks.as_ref().map(|spec| &spec.name);
            json!({"version": version, "sha256": sha256, "file": file, "lacks": lacks})
        })
    };
    let (health, figures) = known.and_then(|known| known.observed(source)).unzip();
    json!({
        "id": info.id,
        "name": info.name,
        "version": info.version,
        "description": info.description,
        "homepage": info.homepage,
        "terms_url": info.terms_url,
        "input": info.input,
        "hosts": info.hosts,
        "ignores_robots": info.ignores_robots,
        "options": info.options,
        "credentials": info.credentials,
        "restriction": info.restriction,
        "enabled": source.enabled,
        "granted": source.granted_by.is_some(),
        "granted_by": source.granted_by.map(GrantedBy::name),
        "pinned": source.locked.is_some(),
        "rolled_back": set_aside(|newer| newer.lacks.is_none()),
        "waiting": set_aside(|newer| newer.lacks.is_some()),
        "configured": known.map(|known| known.described_configured(source)),
        "status": status,
        "reason": reason,
        "bundled": source.bundled,
        "file": source.file,
        "size": source.size,
        "sha256": source.digest.to_string(),
        "health": health,
        "figures": figures,
    })
}

fn from(source: &LoadedPlugin) -> String {
    let size = HumanBytes(source.size as u64);
    match &source.file {
        Some(file) => format!("{} ({size})", file.display()),
        None => format!("bundled ({size})"),
    }
}

fn option(spec: &OptionSpec) -> String {
    let choices: Vec<&str> = spec.choices.iter().map(|(value, _)| value.as_str()).collect();
    let mut text = spec.name.clone();
    if !choices.is_empty() {
        text += &format!(" = {}", choices.join(" | "));
    }
    if let Some(default) = &spec.default {
        text += &format!(" [default: {default}]");
    }
    if spec.required {
        text += " [required]";
    }
    text
}

pub(super) const fn input(input: Input) -> &'static str {
    match input {
        Input::Keywords => "keywords",
        Input::Address => "addresses",
    }
}
