//! `plugin run`: one crawl of a source alone, against the network.

use std::process::ExitCode;

use clap::Args;
use indicatif::HumanBytes;
use serde_json::{Value, json};

use super::ask::{Ask, PreparedSource};
use crate::{
    cli::{counted, say},
    config::Config,
    model::{Candidate, Request},
    plugins::SandboxUse,
    runner::{CandidateView, RunEnd, RunLimits, SourceRun, cassette::Exchange},
    sandbox::StepError,
};

/// Crawl with one source alone, without a job and without downloading pictures
///
/// Every request is shown as it is answered. Guard, robots.txt and pace are those of a crawl.
/// A component named by its file is granted the hosts that it declares, but neither every host
/// (`*`) nor what robots.txt forbids: that takes `--grant`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler plugin run openverse \"red panda\" --option license=cc0\n  \
    pixcrawler plugin run ./my-source \"red panda\" --max 5 --json\n  \
    pixcrawler plugin run my-source.wasm \"red panda\" --dry-run\n\n\
    Exit codes: 0 done, 1 the source or the site failed, 2 wrong usage.")]
pub(super) struct Run {
    #[command(flatten)]
    ask: Ask,
    /// Show the first requests and make none
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Run {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let purpose = if self.dry_run { SandboxUse::Offline } else { SandboxUse::Live };
        let ready = self.ask.ready(purpose, config).await?;
        let limits =
            RunLimits { requests: if self.dry_run { 0 } else { ready.limits.requests }, ..ready.limits };
        let run = ready.run(&ready.transport(), limits).await;
        say(&if self.json {
            described(&ready, &run, self.ask.max).to_string()
        } else {
            text(&run, self.ask.max)
        });
        Ok(match run.end {
            RunEnd::Done | RunEnd::Open(_) => ExitCode::SUCCESS,
            RunEnd::Failed(_) | RunEnd::Deferred(_) | RunEnd::Aborted(_) => ExitCode::FAILURE,
        })
    }
}

/// A table of the candidates, then what else there is to say.
fn text(run: &SourceRun, max: usize) -> String {
    let rows: Vec<[String; 5]> = run.candidates.iter().take(max).zip(1..).map(row).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths = [width(0), width(1), width(2), width(3), 0];
    let mut lines: Vec<String> = Vec::new();
    for row in &rows {
        let cells = row.iter().zip(widths).filter(|(_, width)| *width > 0);
        let mut line: String = cells.map(|(cell, width)| format!("{cell:<width$}  ")).collect();
        line += &row[4];
        lines.push(line);
    }
    lines.extend(run.warnings.iter().map(|warning| format!("Warning: {warning}")));
    let received: usize = run.steps.iter().map(|step| step.received).sum();
    let more = run.candidates.len().saturating_sub(rows.len());
    let more = if more > 0 { format!(" ({more} more came with them)") } else { String::new() };
    lines.push(format!(
        "{}{more} in {}, {}, {}: {}",
        counted(rows.len(), "candidate"),
        counted(run.steps.len(), "step"),
        counted(run.requests, "request"),
        HumanBytes(received as u64),
        end(&run.end)
    ));
    lines.join("\n")
}

fn row((candidate, number): (&Candidate, usize)) -> [String; 5] {
    const LONGEST_TITLE: usize = 40;
    let size = candidate.dimensions.map_or_else(String::new, |(width, height)| format!("{width}x{height}"));
    let license = candidate.license.as_ref().map_or_else(String::new, |license| license.id.clone());
    let title = candidate.title.as_deref().unwrap_or_default();
    let mut title: String = title.split_whitespace().collect::<Vec<_>>().join(" ");
    if title.chars().count() > LONGEST_TITLE {
        title = title.chars().take(LONGEST_TITLE - 1).chain(['…']).collect();
    }
    [number.to_string(), size, license, title, candidate.url.clone()]
}

/// The end of a run in words; of an open one with the requests that would follow.
pub(super) fn end(end: &RunEnd) -> String {
    match end {
        RunEnd::Open(requests) => {
            let next = requests.iter().map(|request| {
                let lines = Exchange::request_text(request);
                format!("\n\n{}", lines.trim_end())
            });
            format!("next the source would ask for{}", next.collect::<String>())
        }
        end => end.to_string(),
    }
}

fn described(ready: &PreparedSource, run: &SourceRun, max: usize) -> Value {
    let (name, error) = match &run.end {
        RunEnd::Done => ("done", None),
        RunEnd::Open(_) => ("open", None),
        RunEnd::Failed(StepError::Source(error)) => (error.kind(), Some(error.to_string())),
        RunEnd::Failed(fault) => ("fault", Some(fault.to_string())),
        RunEnd::Deferred(_) | RunEnd::Aborted(_) => ("stopped", Some(run.end.to_string())),
    };
    let next: &[Request] = if let RunEnd::Open(requests) = &run.end { requests } else { &[] };
    let candidates: Vec<CandidateView> =
        run.candidates.iter().take(max).cloned().map(CandidateView).collect();
    json!({
        "source": ready.source.info.id,
        "query": ready.query,
        "candidates": candidates,
        "warnings": run.warnings,
        "steps": run.steps.len(),
        "requests": run.requests,
        "end": name,
        "error": error,
        "next": next,
    })
}
