//! `dataset`: what was gathered, what is in it, and what is done with all of it.

mod check;
mod dedupe;
mod export;
mod exports;
mod list;
mod measure;
mod removals;
mod remove;
mod report;
mod show;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use indicatif::MultiProgress;

use crate::config::Config;

/// List datasets, look at one, export it, make a page of it, keep each picture once, check it by
/// other rules, take pictures out, let them in again, and measure what older versions did not
///
/// Works on the database of the settings: `DATABASE_URL`, else the private Postgres of the data folder,
/// which is started when nothing runs there. No server is needed, and one that runs may go on.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler dataset list\n  \
    pixcrawler dataset show 3 --json | jq .licenses\n  \
    pixcrawler dataset export 3 --format webdataset --size 256\n  \
    pixcrawler dataset measure --all-users\n  \
    pixcrawler dataset report 3\n  \
    pixcrawler dataset dedupe 3 --dry-run\n  \
    pixcrawler dataset check 3 --level strict --dry-run\n  \
    pixcrawler dataset remove 3 --from-host example.org --dry-run\n  \
    pixcrawler dataset removals --all-users\n\n\
    Exit codes: 0 done, 1 there is no such dataset or it cannot be done, 2 wrong usage.")]
pub(super) struct Dataset {
    #[command(subcommand)]
    command: DatasetCommand,
}

#[derive(Debug, Subcommand)]
enum DatasetCommand {
    #[command(alias = "ls")]
    List(list::List),
    #[command(alias = "view")]
    Show(show::Show),
    Measure(measure::MeasureArgs),
    Dedupe(dedupe::DedupeArgs),
    Export(export::ExportArgs),
    Exports(exports::Exports),
    Check(check::CheckArgs),
    Remove(remove::RemoveArgs),
    Removals(removals::Removals),
    Report(report::ReportArgs),
}

/// Id of a dataset as it was given.
fn dataset_id(text: &str) -> Result<i32, String> {
    text.parse().ok().filter(|id| *id > 0).ok_or_else(|| {
        "the id of a dataset is a number from 1 on, which `pixcrawler dataset list` shows before its name"
            .to_owned()
    })
}

impl Dataset {
    pub(super) async fn run(self, config: Config, terminal: &MultiProgress) -> anyhow::Result<ExitCode> {
        match self.command {
            DatasetCommand::List(command) => command.run(&config).await,
            DatasetCommand::Show(command) => command.run(&config).await,
            DatasetCommand::Measure(command) => command.run(&config, terminal).await,
            DatasetCommand::Dedupe(command) => command.run(&config, terminal).await,
            DatasetCommand::Export(command) => command.run(config, terminal).await,
            DatasetCommand::Exports(command) => command.run(&config).await,
            DatasetCommand::Check(command) => command.run(&config, terminal).await,
            DatasetCommand::Remove(command) => command.run(&config, terminal).await,
            DatasetCommand::Removals(command) => command.run(&config).await,
            DatasetCommand::Report(command) => command.run(config, terminal).await,
        }
    }
}
