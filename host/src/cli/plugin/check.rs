//! `plugin check`: whether a component is a sound source, and what it asks for.

use std::{path::PathBuf, process::ExitCode};

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
    plugins::{self, InspectedComponent, SandboxUse},
    runner::{self, RunEnd},
    sandbox::StepError,
};

/// Check that a component is a sound source, and show what it asks for
///
/// It must fit the world of a source, describe itself legally, and be a pure function: what it
/// says of itself, and every step of its cassettes, is made twice, and must give the same in the
/// same number of instructions. In its cassettes it must ask only what a crawl may ask for it.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler plugin check ./my-source\n  \
    pixcrawler plugin check my-source.wasm cassettes --json\n\n\
    Exit codes: 0 sound, 1 not.")]
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
    differences: Vec<String>,
    /// What no crawl would do.
    forbidden: Vec<String>,
}

impl Compared {
    fn problems(&self) -> Vec<&String> {
        self.differences.iter().chain(&self.forbidden).collect()
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
        let run = runner::replay(&subject.plugins, &subject.source, &cassette)
            .await
            .with_context(|| file.display().to_string())?;
        let forbidden = runner::forbidden(&subject.source, &cassette, &run);
        compared.forbidden.extend(forbidden.map(|problem| format!("{}: {problem}", file.display())));
        compared.cassettes += 1;
        compared.steps += run.steps.len();
        if let RunEnd::Failed(error @ StepError::Unsteady { .. }) = run.end {
            compared.differences.push(format!("{}, step {}: {error}", file.display(), run.steps.len() + 1));
        }
    }
    Ok(compared)
}

fn text(subject: &Subject, seen: &InspectedComponent, compared: &Compared) -> String {
    let info = &subject.source.info;
    let mut lines = vec![format!("{} {}  {}, {}", info.id, info.version, info.name, input(info.input))];
    lines.extend(facts(info));
    lines.extend(component(seen));
    if !subject.source.bundled {
        lines.push(fact("grant", &format!("not bundled: a crawl needs `--grant {}`", info.id)));
    }
    let Compared { cassettes, steps, differences, forbidden } = compared;
    let made = format!("{} of {}", counted(*steps, "step"), counted(*cassettes, "cassette"));
    lines.push(fact("made twice", &format!("what it says of itself, {made}")));
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
