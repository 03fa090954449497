//! `dataset measure`: rows of earlier versions get what this one measures.

use std::{
    process::ExitCode,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use clap::Args;
use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};
use serde_json::json;

use super::dataset_id;
use crate::{
    app::{Database, StartError},
    cli::{
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

/// Lines about how far it is are at least this far apart, where there is no terminal.
const LINES: Duration = Duration::from_secs(10);

/// Measure the pictures that an earlier version kept, where it did not do what this one does
///
/// Each object whose rows lack something (now: its CRC-32, which archives need) is read once and compared with
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
        let bar = Bar::new(terminal);
        let done = stop.run_until_cancelled(async {
            database.migrate().await?;
            let store = database.unmarked_store(&config.data_dir()).await?;
            let user = match (&whose, dataset) {
                (_, Some(dataset)) => Some(whose.owner_of_dataset(&database.pool, dataset).await?),
                (Whose::User(user, _), None) => Some(*user),
                (Whose::All, None) => None,
            };
            let scope = MeasureScope { user, dataset };
            let measured = measure(&database.pool, &store, scope, |progress| bar.show(progress));
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

/// How far it is, on standard error.
struct Bar {
    bar: ProgressBar,
    last: Mutex<Instant>,
}

impl Bar {
    fn new(terminal: &MultiProgress) -> Self {
        let bar = terminal.add(ProgressBar::new(0));
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} objects, {msg}, {eta} left") {
            bar.set_style(style);
        }
        Self { bar, last: Mutex::new(Instant::now()) }
    }

    fn show(&self, progress: &MeasureProgress) {
        let seen = progress.measured + progress.faulty;
        self.bar.set_length(progress.lacking);
        self.bar.set_position(seen);
        self.bar.set_message(HumanBytes(progress.bytes).to_string());
        if !self.bar.is_hidden() {
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= LINES {
            *last = Instant::now();
            tell(&format!("{seen} of {} objects", progress.lacking));
        }
    }

    fn end(&self) {
        self.bar.finish_and_clear();
    }
}
