//! `plugin check`: whether a component is a sound source, and what it asks for.

use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use indicatif::HumanBytes;
use serde_json::{Value, json};

use super::{
    list::{described, fact, facts, input},
    subject::{self, Subject},
};
use crate::{
    cli::{counted, say},
    config::Config,
    model::{Input, OptionKind, OptionSpec, SourceInfo},
    plugins::{self, InspectedComponent, SandboxUse},
    runner::{
        self, RunEnd, SourceRun,
        cassette::{Cassette, CassetteError, RecordedQuery},
    },
    sandbox::StepError,
};

/// Check that a component is a sound source, and show what it asks for
///
/// It must fit the world of a source, describe itself legally, and be a pure function: what it
/// says of itself, and every step of its cassettes, is made twice, and must give the same in the
/// same number of instructions. It must not break off, and ask only what a crawl may ask for it. Where
/// there is no cassette, its first step is made for a query that is made up; nothing is fetched.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler plugin check ./my-source\n  \
    pixcrawler plugin check my-source.wasm cassettes --json\n\n\
    Exit codes: 0 sound, 1 not, 2 wrong usage.")]
pub(super) struct Check {
    /// Component, or folder of a project
    path: PathBuf,
    /// Cassettes, or folders of them [default: those of the project, if any]
    cassettes: Vec<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What came of making everything twice.
#[derive(Default)]
struct Compared {
    cassettes: usize,
    steps: usize,
    /// What was made for a query that is made up, where there is no cassette.
    tried: Option<Tried>,
    /// What the source broke off with.
    faults: Vec<String>,
    differences: Vec<String>,
    /// What no crawl would do.
    forbidden: Vec<String>,
}

/// The first step, for a query that is made up.
struct Tried {
    query: String,
    /// Requests that it asks for.
    requests: usize,
    /// Why it could not be made, where that is no fault.
    refused: Option<String>,
}

impl Compared {
    fn problems(&self) -> Vec<&String> {
        self.faults.iter().chain(&self.differences).chain(&self.forbidden).collect()
    }

    /// Takes the faults of a run; `place` says which step of what it was.
    fn judge(&mut self, subject: &Subject, cassette: &Cassette, run: &SourceRun, place: &str) {
        let forbidden = runner::forbidden(&subject.source, cassette, run);
        self.forbidden.extend(forbidden.map(|problem| format!("{place}: {problem}")));
        let step = format!("{place}, step {}", run.steps.len() + 1);
        // One that is expected is shown on purpose.
        let expected = cassette.expect.as_ref().and_then(|expect| expect.error.as_deref());
        match &run.end {
            RunEnd::Failed(error @ StepError::Unsteady { .. }) => {
                self.differences.push(format!("{step}: {error}"));
            }
            RunEnd::Failed(StepError::Source(error)) if Some(error.kind()) == expected => {}
            RunEnd::Failed(fault) if fault.is_plugins_fault() => self.faults.push(format!("{step}: {fault}")),
            _ => {}
        }
    }
}

impl Check {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let file = subject::component(&self.path)?;
        let seen = plugins::inspect(&file, &config.plugins, &config.data_dir()).await?;
        if !seen.misfits.is_empty() {
            subject::warn_if_stale(&self.path, &file);
            say(&if self.json {
                json!({"sound": false, "component": described_component(&seen), "problems": seen.misfits})
                    .to_string()
            } else {
                let misfits = seen.misfits.iter().map(|misfit| format!("Not a source: {misfit}"));
                let all: Vec<String> = component(&seen).into_iter().chain(misfits).collect();
                all.join("\n")
            });
            return Ok(ExitCode::FAILURE);
        }
        let subject = Subject::open(&self.path, SandboxUse::Compare, config).await?;
        let compared = compare(&subject, &self.cassettes).await?;
        let sound = compared.problems().is_empty();
        say(&if self.json {
            json!({
                "sound": sound,
                "source": described(&subject.source, None, &[]),
                "component": described_component(&seen),
                "compared": {"cassettes": compared.cassettes, "steps": compared.steps},
                "tried": compared.tried.as_ref().map(|tried| json!({
                    "query": tried.query, "requests": tried.requests, "refused": tried.refused,
                })),
                "problems": compared.problems(),
            })
            .to_string()
        } else {
            text(&subject, &seen, &compared)
        });
        Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Replays every cassette in an engine that makes each step twice. Whether what comes of it is
/// what is expected is not asked here.
async fn compare(subject: &Subject, named: &[PathBuf]) -> anyhow::Result<Compared> {
    let mut compared = Compared::default();
    for file in subject.cassettes_if_any(named)? {
        let cassette = subject::read(&file)?;
        let place = file.display().to_string();
        let run = replay(subject, &cassette).await.with_context(|| place.clone())?;
        compared.cassettes += 1;
        compared.steps += run.steps.len();
        compared.judge(subject, &cassette, &run, &place);
    }
    if compared.cassettes == 0 {
        let info = &subject.source.info;
        let cassette =
            Cassette { source: info.id.clone(), query: made_up(info), exchanges: Vec::new(), expect: None };
        let query = cassette.query.text.clone();
        let (requests, refused) = match replay(subject, &cassette).await {
            Err(error) => (0, Some(error.to_string())),
            Ok(run) => {
                compared.judge(subject, &cassette, &run, &format!("`{query}`"));
                match &run.end {
                    RunEnd::Open(requests) => (requests.len(), None),
                    RunEnd::Failed(error) if !error.is_plugins_fault() => (0, Some(run.end.to_string())),
                    _ => (0, None),
                }
            }
        };
        compared.tried = Some(Tried { query, requests, refused });
    }
    Ok(compared)
}

async fn replay(subject: &Subject, cassette: &Cassette) -> Result<SourceRun, CassetteError> {
    runner::replay(&subject.plugins, &subject.source, cassette).await
}

/// A query such as a job might ask of this source: what is required is given, all else has its default.
/// A credential that is required counts as configured; no source ever sees one.
fn made_up(info: &SourceInfo) -> RecordedQuery {
    const WORDS: &str = "red fox";
    let given = |spec: &OptionSpec| match spec.kind {
        OptionKind::Text => Value::from(WORDS),
        OptionKind::Integer => Value::from(1),
        OptionKind::Boolean => Value::from(true),
        OptionKind::Choice | OptionKind::Choices => {
            Value::from(spec.choices.first().map(|(value, _)| value.as_str()))
        }
    };
    let lacking = info.options.iter().filter(|spec| spec.required && spec.default.is_none());
    let required = info.credentials.iter().filter(|spec| spec.required);
    RecordedQuery {
        text: match info.input {
            Input::Keywords => WORDS.to_owned(),
            Input::Address => address(info),
        },
        limit: 100,
        safe_search: true,
        language: None,
        options: lacking.map(|spec| (spec.name.clone(), given(spec))).collect::<BTreeMap<_, _>>(),
        credentials: required.map(|spec| spec.name.clone()).collect(),
    }
}

/// A page of the first host that it asks.
fn address(info: &SourceInfo) -> String {
    let pattern = info.hosts.first().map_or("*", |rule| rule.pattern.as_str());
    let host = match pattern.strip_prefix("*") {
        None => pattern.to_owned(),
        Some("") => "example.org".to_owned(),
        Some(domain) => format!("www{domain}"),
    };
    format!("https://{host}/")
}

fn text(subject: &Subject, seen: &InspectedComponent, compared: &Compared) -> String {
    let info = &subject.source.info;
    let mut lines = vec![format!("{} {}  {}, {}", info.id, info.version, info.name, input(info.input))];
    lines.extend(facts(info));
    lines.extend(component(seen));
    if !subject.source.bundled {
        lines.push(fact("grant", &format!("not bundled: a crawl needs `--grant {}`", info.id)));
    }
    let Compared { cassettes, steps, tried, faults, differences, forbidden } = compared;
    let made = match cassettes {
        0 => String::new(),
        _ => format!(", {} of {}", counted(*steps, "step"), counted(*cassettes, "cassette")),
    };
    lines.push(fact("made twice", &format!("what it says of itself{made}")));
    if let Some(Tried { query, requests, refused }) = tried {
        let came = match refused {
            Some(why) => format!("could not be tried: {why}"),
            None => format!("asks for {}", counted(*requests, "request")),
        };
        lines.push(fact("first step", &format!("for `{query}`, which is made up: {came}")));
        let beyond = "nothing could be tried without a cassette; make one with `pixcrawler plugin record`";
        lines.push(fact("beyond it", beyond));
    }
    lines.extend(faults.iter().map(|fault| format!("Faulty: {fault}")));
    lines.extend(differences.iter().map(|difference| format!("Not a pure function: {difference}")));
    lines.extend(forbidden.iter().map(|problem| format!("Not allowed: {problem}")));
    lines.push(if compared.problems().is_empty() { "Sound." } else { "Not sound." }.to_owned());
    lines.join("\n")
}

fn component(seen: &InspectedComponent) -> Vec<String> {
    let InspectedComponent { size, digest, imports, exports, compiled_in, .. } = seen;
    let size = HumanBytes(*size as u64);
    let (wasi, own): (Vec<_>, Vec<_>) = imports.iter().partition(|name| name.starts_with("wasi:"));
    let wasi = format!("{} interfaces of WASI, with nothing behind them", wasi.len());
    let shown: Vec<String> = own.into_iter().cloned().chain([wasi]).collect();
    vec![
        fact("component", &format!("{size}, compiled in {} ms", compiled_in.as_millis())),
        fact("sha256", &digest.to_string()),
        fact("imports", &shown.join(", ")),
        fact("exports", &exports.join(", ")),
    ]
}

fn described_component(seen: &InspectedComponent) -> Value {
    json!({
        "size": seen.size,
        "sha256": seen.digest.to_string(),
        "imports": seen.imports,
        "exports": seen.exports,
        "compile_milliseconds": u64::try_from(seen.compiled_in.as_millis()).unwrap_or(u64::MAX),
    })
}
