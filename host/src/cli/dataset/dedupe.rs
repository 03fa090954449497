//! `dataset dedupe`: of pictures that look alike the best is kept, also where crawls that ended kept others.

use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use indicatif::MultiProgress;

use super::dataset_id;
use crate::{
    app::{Database, StartError},
    cli::{bar::Bar, counted, database::has_database, plugin::consent, say, stop, tell, user::WhoseArgs},
    config::Config,
    db,
    model::{DatasetId, Pdq},
    services::dedupe::{DedupeError, DedupeProgress, dedupe},
};

/// Keep of pictures that look alike the best, also where crawls that have ended kept others
///
/// A crawl leaves alone what earlier ones have kept; this does not. Of all pictures that are connected, one by way of
/// another, the one with most pixels is kept, then the one with the more open licence; also one that came too late
/// to be kept, as long as its bytes are there (for a day or so) and its crawl has fewer pictures than it asked for.
/// The others are duplicates of it, and their classes are added to it. A crawl that runs and loses pictures by it
/// goes on for others. Exports that are there have gaps in their place. It is said first how many go.
/// It may be interrupted and given again; `serve` and `worker` may go on. Mirrored and turned copies are found by
/// crawls only (`crawl --turned-duplicates`).
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler dataset dedupe 3 --dry-run\n  \
    pixcrawler dataset dedupe 3 --near-duplicates 16 --yes --json\n\n\
    Exit codes: 0 done, 1 there is no such dataset, nobody agreed, or it failed, 2 wrong usage, 130 interrupted.")]
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
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
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
        let bar = || Bar::new(terminal, "{bar:30} {pos}/{len} groups, {msg}, {eta} left");
        let done = async {
            database.migrate().await?;
            let store = database.unmarked_store(&config.data_dir()).await?;
            let pool = &database.pool;
            let user = whose.owner_of_dataset(pool, dataset).await?;
            let run = async |dry_run| {
                let bar = bar();
                bar.say("comparing");
                let show = |progress: &DedupeProgress| show(&bar, progress);
                let done =
                    dedupe(pool, &store, (user, dataset), self.near_duplicates, dry_run, &stop, show).await;
                bar.end();
                done
            };
            if self.dry_run || self.yes {
                return anyhow::Ok(Some(run(self.dry_run).await?));
            }
            let found = run(true).await?;
            if found.changed == 0 {
                return Ok(Some(found));
            }
            let detail = db::datasets::detail(pool, user, dataset).await?;
            let name = detail.context("the dataset was deleted meanwhile")?.dataset.name;
            let question = format!(
                "Keep {} of dataset {dataset}, “{name}”, no more, and {} in their place that had come too late?",
                counted(found.removed, "picture"),
                found.added,
            );
            Ok(if consent::agreed(&question, false)? { Some(run(false).await?) } else { None })
        };
        let done = done.await;
        database.close().await;
        let progress = match done {
            Err(error) if matches!(error.downcast_ref(), Some(DedupeError::Stopped)) => {
                return Err(StartError::Stopped.into());
            }
            done => done?,
        };
        let Some(progress) = progress else {
            tell("Nothing was changed.");
            return Ok(ExitCode::FAILURE);
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
