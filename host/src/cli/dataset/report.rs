//! `dataset report`: what a dataset holds, as a page for people.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context as _;
use clap::Args;
use indicatif::{HumanBytes, MultiProgress};
use serde_json::json;

use super::dataset_id;
use crate::{
    app::StartError,
    cli::{bar::Bar, counted, database::has_database, say, stop, user::WhoseArgs, wrong_usage},
    config::Config,
    dataset::report,
    model::DatasetId,
    services::host::RunningHost,
};

/// Show a dataset as a page: pictures by label, what looks alike, figures, and what was refused
///
/// Writes one HTML file with small copies of the pictures inside. It runs no script and loads nothing from anywhere,
/// and is the same for the same dataset.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler dataset report 3\n  \
    pixcrawler dataset report 3 --out pandas.html --per-label 60\n\n\
    Exit codes: 0 done, 1 there is no such dataset or it cannot be done, 2 wrong usage, 130 interrupted.")]
pub(super) struct ReportArgs {
    /// Id of the dataset, see `pixcrawler dataset list`
    #[arg(value_name = "ID", value_parser = dataset_id)]
    id: i32,
    /// File to write, in place of an earlier report [default: dataset-ID.html]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Most pictures of each label
    #[arg(long, value_name = "COUNT", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=500))]
    per_label: u32,
    #[command(flatten)]
    whose: WhoseArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl ReportArgs {
    pub(super) async fn run(self, config: Config, terminal: &MultiProgress) -> anyhow::Result<ExitCode> {
        let whose = self.whose.read(&config)?;
        let dataset = DatasetId(self.id);
        if !has_database(&config) {
            return Err(whose.has_no_dataset(dataset));
        }
        let file = self.out.clone().unwrap_or_else(|| format!("dataset-{dataset}.html").into());
        if !report::may_write(&file) {
            return Err(wrong_usage(format!(
                "{} is no report; choose another file with --out",
                file.display()
            )));
        }
        let stop = stop::on_signal()?;
        let bar = Bar::new(terminal, "{bar:30} {msg}, {eta} left");
        let running = RunningHost::start(config, &stop, &|what| bar.say(what)).await?;
        let app = &running.app;
        let written = stop.run_until_cancelled(async {
            let user = whose.owner_of_dataset(&app.db, dataset).await?;
            bar.say("counting pictures");
            let tell = |done, total| {
                let message = format!("{done} of {total} pictures");
                bar.show(done, total, message.clone(), || message);
            };
            let written = report::write(app, user, dataset, &file, self.per_label, &tell).await;
            let written = written.with_context(|| format!("cannot write {}", file.display()))?;
            written.context("the dataset was deleted")
        });
        let written = written.await;
        bar.end();
        running.stop().await?;
        let summary = written.ok_or(StartError::Stopped)??;
        if self.json {
            let report::ReportSummary { images, shown, groups, bytes } = summary;
            say(&json!({
                "dataset": dataset, "file": file, "images": images, "shown": shown, "look_alikes": groups,
                "bytes": bytes,
            })
            .to_string());
        } else {
            say(&format!(
                "Dataset {dataset} of {} is shown in {} ({})",
                counted(summary.images, "image"),
                file.display(),
                HumanBytes(summary.bytes),
            ));
        }
        Ok(ExitCode::SUCCESS)
    }
}
