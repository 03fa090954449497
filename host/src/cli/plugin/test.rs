//! `plugin test`: replays cassettes in the sandbox, without a network.

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::Args;
use serde_json::{Value, json};

use super::subject::{self, Subject};
use crate::{
    atomic_write,
    cli::say,
    config::Config,
    plugins::SandboxUse,
    runner::{self, CassetteProblem, TestReport, cassette::Cassette},
};

/// Replay cassettes in the sandbox, without a network
///
/// Each request that the source makes must be the recorded one, and what comes of the answers
/// must be what the cassette expects: candidates, warnings, end or error. Each name of its
/// `changed-layout`, renamed in the answers, must give that error. Where requests have an `item`, it is
/// replayed as in a crawl that has these things already, too: the source must go on without them.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler plugin test ./my-source                      a project: dist/*.wasm and cassettes/\n  \
    pixcrawler plugin test my-source.wasm cassettes/empty.toml\n  \
    pixcrawler plugin test ./my-source --update             take what comes out for right\n\n\
    Exit codes: 0 all passed, 1 one did not, 2 wrong usage.")]
pub(super) struct Test {
    /// Component, or folder of a project
    path: PathBuf,
    /// Cassettes, or folders of them [default: those of the project]
    cassettes: Vec<PathBuf>,
    /// Write what comes out as what is expected
    #[arg(long)]
    update: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Test {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let subject = Subject::open(&self.path, SandboxUse::Offline, config).await?;
        let files = subject.cassettes(&self.cassettes)?;
        let (mut results, mut failed) = (Vec::new(), 0);
        for file in &files {
            let cassette = subject::read(file)?;
            let mut tested = runner::test(&subject.plugins, &subject.source, &cassette).await;
            let updated = self.update && update(file, &cassette, &mut tested)?;
            failed += usize::from(!tested.problems.is_empty());
            if self.json {
                results.push(described(file, &tested, updated));
            } else {
                say(&text(file, &tested, updated));
            }
        }
        if self.json {
            let source = &subject.source.info.id;
            say(&json!({"source": source, "passed": failed == 0, "cassettes": results}).to_string());
        } else {
            say(&format!("{} passed, {failed} failed", files.len() - failed));
        }
        Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Takes what came out for right, if the cassette says something else; then that is no problem
/// any more. Whether something was written.
fn update(file: &Path, cassette: &Cassette, tested: &mut TestReport) -> anyhow::Result<bool> {
    let Some(outcome) = &tested.outcome else { return Ok(false) };
    // A fault is not what anybody expects, and what is wrong beside it is to be mended first.
    let is_fault = outcome.error.as_deref() == Some("other");
    if is_fault || tested.problems.iter().any(|problem| matches!(problem, CassetteProblem::Other(_))) {
        return Ok(false);
    }
    if cassette.expect.as_ref().is_some_and(|expect| expect.complete() == *outcome) {
        return Ok(false);
    }
    let text = fs::read_to_string(file)
        .map_err(Into::into)
        .and_then(|text| Cassette::updated(&text, outcome))
        .with_context(|| format!("cannot update {}", file.display()))?;
    atomic_write::write(file, text.as_bytes()).with_context(|| format!("cannot write {}", file.display()))?;
    tested.problems.retain(|problem| !matches!(problem, CassetteProblem::Unexpected(_)));
    Ok(true)
}

fn text(file: &Path, tested: &TestReport, updated: bool) -> String {
    let mark = match (tested.problems.is_empty(), updated) {
        (false, _) => "FAILED",
        (true, true) => "updated",
        (true, false) => "ok",
    };
    let mut text = format!("{mark:<8}{}  {} ms", file.display(), tested.took.as_millis());
    for problem in &tested.problems {
        for line in problem.to_string().lines() {
            text += &format!("\n    {line}");
        }
    }
    text
}

fn described(file: &Path, tested: &TestReport, updated: bool) -> Value {
    json!({
        "cassette": file,
        "passed": tested.problems.is_empty(),
        "updated": updated,
        "milliseconds": u64::try_from(tested.took.as_millis()).unwrap_or(u64::MAX),
        "candidates": tested.run.as_ref().map_or(0, |run| run.candidates.len()),
        "problems": tested.problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
