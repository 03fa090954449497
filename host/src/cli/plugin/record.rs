//! `plugin record`: a crawl of a source alone, written as a cassette.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;

use super::{
    ask::{Ask, PreparedSource},
    run::end,
};
use crate::{
    atomic_write,
    cli::{counted, say, tell, wrong_usage},
    config::Config,
    plugins::SandboxUse,
    runner::{
        self, Recorder, RunEnd,
        cassette::{Cassette, Expect, RecordedQuery},
    },
};

/// Crawl with one source alone and write what was asked and answered as a cassette
///
/// Secrets are not in it: a request names its credential only, and where a site repeats a
/// secret it is blotted out. Cookies and headers that no source needs are left out. A
/// recording is somebody's data: to publish a cassette, replace the values by invented ones.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler plugin record ./my-source \"red panda\" -o cassettes/first-page.toml\n  \
    pixcrawler plugin test ./my-source\n\n\
    Exit codes: 0 written, 1 not, or the source or the site failed, or its replay differs, 2 wrong usage.")]
pub(super) struct Record {
    #[command(flatten)]
    ask: Ask,
    /// The cassette
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replace a cassette that is there
    #[arg(long)]
    force: bool,
}

impl Record {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        if self.output.exists() && !self.force {
            return Err(wrong_usage(format!(
                "{} is there already; --force replaces it",
                self.output.display()
            )));
        }
        let unwritable = || format!("cannot write {}", self.output.display());
        // Before anything is asked that could not be kept.
        atomic_write::check(&self.output).with_context(unwritable)?;
        let ready = self.ask.ready(SandboxUse::Live, config).await?;
        let recorder = Recorder::new(ready.transport());
        let run = ready.run(&recorder, ready.limits).await;
        if matches!(run.end, RunEnd::Deferred(_) | RunEnd::Aborted(_)) {
            anyhow::bail!("nothing is written: {}", end(&run.end));
        }
        let cassette = Cassette {
            source: ready.source.info.id.clone(),
            query: RecordedQuery::new(&ready.query, &ready.source.info),
            exchanges: recorder.into_exchanges(),
            expect: Expect::outcome(&run, None),
        };
        let purpose =
            format!("`{}` as {} answers it.", ready.query.text.escape_default(), ready.source.info.name);
        atomic_write::write(&self.output, cassette.to_text(&purpose).as_bytes()).with_context(unwritable)?;
        say(&format!(
            "{}: {}, {}, {}",
            self.output.display(),
            counted(cassette.exchanges.len(), "request"),
            counted(run.candidates.len(), "candidate"),
            end(&run.end)
        ));
        match &run.end {
            // It is there to find out why, and says nothing of what should come of it.
            RunEnd::Failed(error) if error.is_plugins_fault() => Ok(ExitCode::FAILURE),
            RunEnd::Failed(_) => {
                replay(&ready, &cassette).await;
                Ok(ExitCode::FAILURE)
            }
            _ => Ok(replay(&ready, &cassette).await),
        }
    }
}

/// What is recorded must give the same again; where it does not, the source depends on
/// something that a cassette does not hold.
async fn replay(ready: &PreparedSource, cassette: &Cassette) -> ExitCode {
    let tested = runner::test(&ready.plugins, &ready.source, cassette).await;
    for problem in &tested.problems {
        tell(&format!("its replay differs:\n{problem}"));
    }
    if tested.problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
