//! `plugin`: which sources there are and what they may do.

mod consent;
mod disable;
mod enable;
mod install;
mod remove;

use std::{process::ExitCode, time::Duration};

use anyhow::bail;
use clap::{Args, Subcommand};
use indicatif::HumanBytes;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{say, stop},
    config::Config,
    plugin::{GrantedBy, Installed, Plugins, RefusedPlugin, Status},
    source::{HostKind, Input, OptionSpec},
};

/// Sources: what they take, ask and may do
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(super) struct Plugin {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Install(install::Install),
    Enable(enable::Enable),
    Disable(disable::Disable),
    Remove(remove::Remove),
}

/// List the installed sources, and what was left out and why
///
/// For each: version, what it takes, whether it can be used and if not what to do about
/// it, the hosts it asks (`api`: a documented interface; `web`: pages, robots.txt is
/// asked), its options and credentials.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler plugin list\n  \
    pixcrawler plugin list --plugins-dir ./plugins --grant my-source\n  \
    pixcrawler plugin list --json | jq -r '.sources[].id'")]
struct List {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Plugin {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::List(command) => command.run(&config).await,
            Command::Install(command) => command.run(&config).await,
            Command::Enable(command) => command.run(&config).await,
            Command::Disable(command) => command.run(&config).await,
            Command::Remove(command) => command.run(&config).await,
        }
    }
}

impl List {
    async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let json = self.json;
        let stop = stop::on_signal()?;
        let plugins = Plugins::load(&config.plugins, &config.data_dir()).await?;
        prepared(&plugins, &stop).await;
        let (sources, refused) = (plugins.list(), plugins.refused());
        if json {
            let refused: Vec<Value> =
                refused.iter().map(|plugin| json!({"name": plugin.name, "reason": plugin.reason})).collect();
            let sources: Vec<Value> = sources.iter().map(described).collect();
            say(&json!({"sources": sources, "refused": refused}).to_string());
        } else {
            say(&text(&sources, &refused));
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The source with this id, as soon as it is compiled.
async fn find(plugins: &Plugins, id: &str) -> anyhow::Result<Installed> {
    prepared(plugins, &stop::on_signal()?).await;
    match plugins.get(id) {
        Some(source) => Ok(source),
        None => {
            let known: Vec<String> = plugins.list().into_iter().map(|source| source.info.id).collect();
            bail!("there is no source `{id}`; there are: {}", known.join(", "))
        }
    }
}

/// Says what a source is now, after a change.
async fn tell(
    plugins: &Plugins,
    id: &str,
    json: bool,
    text: impl FnOnce(&Installed) -> String,
) -> anyhow::Result<Installed> {
    plugins.follow(None).await?;
    let source = find(plugins, id).await?;
    say(&if json { json!({"source": described(&source)}).to_string() } else { text(&source) });
    Ok(source)
}

/// Waits until every source can say whether it can be used: big ones are compiled at the first start.
pub(super) async fn prepared(plugins: &Plugins, stop: &CancellationToken) {
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    while !stop.is_cancelled() && plugins.list().iter().any(|source| source.status == Status::Preparing) {
        tick.tick().await;
    }
}

fn text(sources: &[Installed], refused: &[RefusedPlugin]) -> String {
    let mut lines = Vec::new();
    for source in sources {
        let info = &source.info;
        let status = match &source.status {
            Status::Ready => "ready",
            Status::Preparing => "preparing",
            Status::Off(_) => "off",
        };
        lines.push(format!(
            "{} {}  {}, {status}, {}",
            info.id,
            info.version,
            input(info.input),
            from(source)
        ));
        let mut fact = |name: &str, value: String| {
            if !value.is_empty() {
                lines.push(format!("  {name:<12}{value}"));
            }
        };
        if let Status::Off(reason) = &source.status {
            fact("status", reason.clone());
        }
        fact("about", info.description.clone());
        let hosts = info.hosts.iter().map(|rule| format!("{} ({})", rule.pattern, kind(rule.kind)));
        fact("hosts", hosts.collect::<Vec<_>>().join(", "));
        if info.ignores_robots {
            fact("robots.txt", "ignored".to_owned());
        }
        fact("options", info.options.iter().map(option).collect::<Vec<_>>().join("; "));
        let credentials = info.credentials.iter().map(|spec| match spec.required {
            true => format!("{} (required)", spec.name),
            false => format!("{} (optional)", spec.name),
        });
        fact("credentials", credentials.collect::<Vec<_>>().join(", "));
    }
    if sources.is_empty() {
        lines.push("No source is installed.".to_owned());
    }
    lines.extend(refused.iter().map(|plugin| format!("Left out: {}: {}", plugin.name, plugin.reason)));
    lines.join("\n")
}

fn described(source: &Installed) -> Value {
    let info = &source.info;
    let (status, reason) = match &source.status {
        Status::Ready => ("ready", None),
        Status::Preparing => ("preparing", None),
        Status::Off(reason) => ("off", Some(reason)),
    };
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
        "enabled": source.enabled,
        "granted": source.granted_by.is_some(),
        "granted_by": source.granted_by.map(GrantedBy::name),
        "pinned": source.pinned.is_some(),
        "rolled_back": source.rolled_back.as_ref().map(|newer| json!({
            "version": newer.version, "sha256": newer.sha256, "file": newer.file,
        })),
        "status": status,
        "reason": reason,
        "bundled": source.bundled,
        "file": source.file,
        "size": source.size,
        "sha256": source.digest.to_string(),
    })
}

fn from(source: &Installed) -> String {
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

const fn input(input: Input) -> &'static str {
    match input {
        Input::Keywords => "keywords",
        Input::Address => "addresses",
    }
}

const fn kind(kind: HostKind) -> &'static str {
    match kind {
        HostKind::Api => "api",
        HostKind::Web => "web",
    }
}
