//! `dataset measure`: rows of earlier versions get what this one measures.

use std::process::ExitCode;

use clap::Args;
use indicatif::{HumanBytes, MultiProgress};
use serde_json::json;

use super::dataset_id;
use crate::{
    app::{Database, StartError},
    cli::{
        bar::Bar,
        counted,
        database::has_database,
        say, stop, tell,
        user::{Whose, WhoseArgs},
    },
    config::Config,
    db::measurements::MeasureScope,
    model::DatasetId,
    services::{
        backup::Faults,
        measure::{MeasureProgress, measure},
    },
};

/// Measure the pictures that an earlier version kept, where it did not do what this one does
///
/// Each object whose rows lack something (its CRC-32, which archives need, its perceptual
/// hash, by which copies are found, or its scores, which rules ask for) is read once and compared with
/// its hash. What is done is not done again, so that it may be interrupted and given again; `serve` and `worker`
/// may go on.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler dataset measure 3\n  \
    pixcrawler dataset measure --all-users\n  \
    pixcrawler dataset measure --user you@example.org --json\n\n\
    Exit codes: 0 done, 1 objects are missing or damaged, or it failed, 130 interrupted.")]
pub(super) struct MeasureArgs {
    /// Only this dataset, see `pixcrawler dataset list`
    #[arg(value_name = "ID", value_parser = dataset_id)]
    id: Option<i32>,
    #[command(flatten)]
    whose: WhoseArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl MeasureArgs {
    pub(super) async fn run(self, config: &Config, terminal: &MultiProgress) -> anyhow::Result<ExitCode> {
        let whose = self.whose.read(config)?;
        let dataset = self.id.map(DatasetId);
        if !has_database(config) {
            if let Some(dataset) = dataset {
                return Err(whose.has_no_dataset(dataset));
            }
            self.report(&MeasureProgress::default(), &Faults::default());
            return Ok(ExitCode::SUCCESS);
        }
        let stop = stop::on_signal()?;
        let database = Database::connect(config).await?;
        let bar = Bar::new(terminal, "{bar:30} {pos}/{len} objects, {msg}, {eta} left");
        let done = stop.run_until_cancelled(async {
            database.migrate().await?;
            let store = database.unmarked_store(&config.data_dir()).await?;
            let user = match (&whose, dataset) {
                (_, Some(dataset)) => Some(whose.owner_of_dataset(&database.pool, dataset).await?),
                (Whose::User(user, _), None) => Some(*user),
                (Whose::All, None) => None,
            };
            let scope = MeasureScope { user, dataset, only_crc32: false };
            let measured = measure(&database.pool, &store, scope, |progress| show(&bar, progress));
            anyhow::Ok(measured.await?)
        });
        let done = done.await;
        bar.end();
        database.close().await;
        let (progress, faults) = done.ok_or(StartError::Stopped)??;
        self.report(&progress, &faults);
        Ok(if faults.count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn report(&self, progress: &MeasureProgress, faults: &Faults) {
        if self.json {
            let mut summary = json!(progress);
            summary["faults"] = json!(faults.named);
            say(&summary.to_string());
        } else if progress.lacking == 0 {
            say("Nothing lacks a measurement.");
        } else {
            say(&format!(
                "{} measured ({}), of {}",
                counted(progress.measured, "object"),
                HumanBytes(progress.bytes),
                counted(progress.images, "image"),
            ));
        }
        if faults.count > 0 {
            tell(&format!("pixcrawler: {} could not be measured:", counted(faults.count, "object")));
            faults.named.iter().for_each(|fault| tell(&format!("  {fault}")));
            let more = faults.count - faults.named.len() as u64;
            if more > 0 {
                tell(&format!("  and {more} more"));
            }
            tell("Put them back, such as from a backup, or delete their jobs, and give this command again.");
        }
    }
}

fn show(bar: &Bar, progress: &MeasureProgress) {
    let (seen, lacking) = (progress.measured + progress.faulty, progress.lacking);
    bar.show(seen, lacking, HumanBytes(progress.bytes).to_string(), || {
        format!("{seen} of {lacking} objects")
    });
}
