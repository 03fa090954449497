//! `dataset dedupe`: of pictures that look alike the best is kept, also where crawls that ended kept others.

use std::process::ExitCode;

use clap::Args;
use indicatif::MultiProgress;

use super::dataset_id;
use crate::{
    app::{Database, StartError},
    cli::{bar::Bar, counted, database::has_database, say, stop, tell, user::WhoseArgs},
    config::Config,
    model::{DatasetId, Pdq},
    services::dedupe::{DedupeError, DedupeProgress, dedupe},
};

/// Keep of pictures that look alike the best, also where crawls that have ended kept others
///
/// A crawl leaves alone what earlier ones have kept; this does not. Of all pictures that are connected, one by way of
/// another, the one with most pixels is kept, then the one with the more open licence; also one that came too late
/// to be kept, as long as its bytes are there (for a day or so) and its crawl has fewer pictures than it asked for.
/// The others are duplicates of it, and their classes are added to it. A crawl that runs and loses pictures by it
/// goes on for others. Exports that are there have gaps in their place.
/// It may be interrupted and given again; `serve` and `worker` may go on.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler dataset dedupe 3 --dry-run\n  \
    pixcrawler dataset dedupe 3 --near-duplicates 16 --json\n\n\
    Exit codes: 0 done, 1 there is no such dataset or it failed, 130 interrupted.")]
pub(super) struct DedupeArgs {
    /// Which dataset, see `pixcrawler dataset list`
    #[arg(value_name = "ID", value_parser = dataset_id)]
    id: i32,
    #[command(flatten)]
    whose: WhoseArgs,
    /// How far two pictures may differ that look alike: 0 to 31 bits of their perceptual hashes
    #[arg(long, value_name = "BITS", default_value_t = Pdq::ALIKE, value_parser = clap::value_parser!(u8).range(0..=31))]
    near_duplicates: u8,
    /// Only count
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl DedupeArgs {
    pub(super) async fn run(self, config: &Config, terminal: &MultiProgress) -> anyhow::Result<ExitCode> {
        let whose = self.whose.read(config)?;
        let dataset = DatasetId(self.id);
        if !has_database(config) {
            return Err(whose.has_no_dataset(dataset));
        }
        let stop = stop::on_signal()?;
        let database = Database::connect(config).await?;
        let bar = Bar::new(terminal, "{bar:30} {pos}/{len} groups, {msg}, {eta} left");
        let done = async {
            database.migrate().await?;
            let store = database.unmarked_store(&config.data_dir()).await?;
            let user = whose.owner_of_dataset(&database.pool, dataset).await?;
            bar.say("comparing");
            let (distance, dry_run) = (self.near_duplicates, self.dry_run);
            let done =
                dedupe(&database.pool, &store, (user, dataset), distance, dry_run, &stop, |progress| {
                    show(&bar, progress);
                });
            anyhow::Ok(done.await?)
        };
        let done = done.await;
        bar.end();
        database.close().await;
        let progress = match done {
            Err(error) if matches!(error.downcast_ref(), Some(DedupeError::Stopped)) => {
                return Err(StartError::Stopped.into());
            }
            done => done?,
        };
        self.report(&progress)?;
        Ok(ExitCode::SUCCESS)
    }

    fn report(&self, progress: &DedupeProgress) -> anyhow::Result<()> {
        let DedupeProgress { images, unmeasured, groups, changed, removed, added, .. } = *progress;
        if self.json {
            say(&serde_json::to_string(progress)?);
        } else {
            let would = if self.dry_run { "would be" } else { "are" };
            say(&format!(
                "{} compared, {} of them look alike in {}: {} {would} no more kept, in {}; {} {would} kept in their place that had come too late",
                counted(images, "picture"),
                progress.grouped,
                counted(groups, "group"),
                removed,
                counted(changed, "group"),
                added,
            ));
        }
        if unmeasured > 0 {
            tell(&format!(
                "pixcrawler: {} of an earlier version cannot be compared until `pixcrawler dataset measure {}` has read them",
                counted(unmeasured, "picture"),
                self.id,
            ));
        }
        Ok(())
    }
}

fn show(bar: &Bar, progress: &DedupeProgress) {
    let DedupeProgress { groups, settled, removed, .. } = *progress;
    bar.show(settled, groups, format!("{removed} too many"), || format!("{settled} of {groups} groups"));
}
