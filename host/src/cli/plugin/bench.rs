//! `plugin bench`: what the steps of a source cost, beside the last time.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use anyhow::Context as _;
use clap::Args;
use indicatif::HumanBytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::subject::{self, Subject};
use crate::{atomic_write, cli::say, config::Config, plugins::SandboxUse, runner};

/// Measure what the steps of a source cost, on its cassettes
///
/// For each step: CPU time (least and median), peak memory, bytes that it was given, and
/// candidates for a request. The figures are kept in the data folder and the next run is shown
/// beside them.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler plugin bench ./my-source\n  \
    pixcrawler plugin bench my-source.wasm cassettes/first-page.toml --runs 1000")]
pub(super) struct BenchArgs {
    /// Component, or folder of a project
    path: PathBuf,
    /// Cassettes, or folders of them [default: those of the project]
    cassettes: Vec<PathBuf>,
    /// How often each cassette is replayed
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Steps of each cassette, by its name.
type BenchResults = BTreeMap<String, Vec<StepBench>>;

/// What a step costs.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct StepBench {
    cpu_least_us: f64,
    cpu_median_us: f64,
    peak_memory: u64,
    received: usize,
    requests: usize,
    candidates: usize,
}

impl BenchArgs {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let subject = Subject::open(&self.path, SandboxUse::Offline, config).await?;
        let mut measured = BenchResults::new();
        for file in subject.cassettes(&self.cassettes)? {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            measured.insert(name, measure(&subject, &file, self.runs).await?);
        }
        let kept = config.data_dir().join("bench").join(format!("{}.json", subject.source.info.id));
        let mut before = last(&kept);
        say(&if self.json {
            json!({"source": subject.source.info.id, "runs": self.runs, "cassettes": measured, "before": before})
                .to_string()
        } else {
            text(&measured, &before)
        });
        before.extend(measured);
        keep(&kept, &before)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Replays a cassette many times. It must pass, or it is not known what is measured.
async fn measure(subject: &Subject, file: &Path, runs: u32) -> anyhow::Result<Vec<StepBench>> {
    let cassette = subject::read(file)?;
    let tested = runner::test(&subject.plugins, &subject.source, &cassette).await;
    if let Some(problem) = tested.problems.first() {
        anyhow::bail!("{} does not pass, see `plugin test`:\n{problem}", file.display());
    }
    let mut times: Vec<Vec<Duration>> = Vec::new();
    let mut last = Vec::new();
    for _ in 0..runs {
        last = runner::replay(&subject.plugins, &subject.source, &cassette).await?.steps;
        times.resize(last.len(), Vec::new());
        times.iter_mut().zip(&last).for_each(|(times, step)| times.push(step.cpu));
    }
    let step = |(mut times, step): (Vec<Duration>, runner::StepCost)| {
        times.sort_unstable();
        let us = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_nanos() as f64 / 1000.0);
        StepBench {
            cpu_least_us: us(times.first()),
            cpu_median_us: us(times.get(times.len() / 2)),
            peak_memory: step.peak_memory,
            received: step.received,
            requests: step.requests,
            candidates: step.candidates,
        }
    };
    Ok(times.into_iter().zip(last).map(step).collect())
}

/// A line for each step.
fn text(measured: &BenchResults, before: &BenchResults) -> String {
    let mut lines = Vec::new();
    for (name, steps) in measured {
        lines.push(name.clone());
        for (index, step) in steps.iter().enumerate() {
            let last = before.get(name).and_then(|steps| steps.get(index));
            let against = last.map_or_else(String::new, |last| {
                let change = (step.cpu_median_us / last.cpu_median_us - 1.0) * 100.0;
                format!("  (last time {:.0} µs, {change:+.0} %)", last.cpu_median_us)
            });
            let candidates = match step.requests {
                0 => format!("{} candidates", step.candidates),
                requests => format!("{:.1} candidates/request", step.candidates as f64 / requests as f64),
            };
            lines.push(format!(
                "  step {}  CPU {:.0} µs, least {:.0} µs  memory {}  given {}  {candidates}{against}",
                index + 1,
                step.cpu_median_us,
                step.cpu_least_us,
                HumanBytes(step.peak_memory),
                HumanBytes(step.received as u64),
            ));
        }
    }
    lines.join("\n")
}

/// What was measured last; nothing where that cannot be read, because it was never asked for
/// or an older version wrote it.
fn last(file: &Path) -> BenchResults {
    fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
}

fn keep(file: &Path, measured: &BenchResults) -> anyhow::Result<()> {
    let folder = file.parent().unwrap_or(file);
    fs::create_dir_all(folder)
        .and_then(|()| atomic_write::write(file, &serde_json::to_vec_pretty(measured)?))
        .with_context(|| format!("cannot write {}", file.display()))
}
