//! `sweep`: objects that no row names are deleted.

use std::process::ExitCode;

use clap::Args;
use indicatif::HumanBytes;

use crate::{
    app::Database,
    cli::{counted, say},
    config::Config,
    services::{backup, objects},
};

/// Delete objects that no row names, and say which are missing
///
/// A job that is deleted leaves its pictures in the store; `serve` and `worker` do this every few hours.
/// What was written within the last 24 hours is spared, because its row may be on its way. In a bucket what
/// is found is noted at first, and deleted ten minutes later at the earliest: give it again, or let them do it.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler sweep --dry-run\n  \
    pixcrawler sweep --json\n\n\
    Exit codes: 0 done, 1 objects are missing, or it failed.")]
pub(super) struct SweepArgs {
    /// Only count
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl SweepArgs {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        let database = Database::connect(&config).await?;
        let done = async {
            database.migrate().await?;
            let data_dir = config.data_dir();
            // Who only counts leaves no note, which would keep the owners of another store from sweeping theirs.
            let store = match self.dry_run {
                true => database.unmarked_store(&data_dir).await?,
                false => database.store(&data_dir).await?,
            };
            anyhow::Ok(objects::sweep(&database.pool, &store, self.dry_run).await?)
        };
        let done = done.await;
        database.close().await;
        let sweep = done?;
        if self.json {
            say(&serde_json::to_string(&sweep)?);
        } else {
            let did = if self.dry_run { "would be deleted" } else { "deleted" };
            say(&format!(
                "{} in the store ({}): {} that no row names {did} ({}), {} spared as too young, {} missing",
                counted(sweep.objects, "object"),
                HumanBytes(sweep.bytes),
                sweep.swept,
                HumanBytes(sweep.swept_bytes),
                sweep.spared,
                sweep.missing,
            ));
            for path in &sweep.missing_paths {
                say(&format!("missing: {path}"));
            }
            let more = sweep.missing - sweep.missing_paths.len() as u64;
            if more > 0 {
                say(&format!("missing: and {more} more"));
            }
            if sweep.noted > 0 {
                let noted = if self.dry_run { "would be noted" } else { "noted" };
                say(&format!(
                    "{} that no row names {noted}: a sweep deletes what was noted ten minutes before.",
                    counted(sweep.noted, "object"),
                ));
            }
            if let Some(reason) = &sweep.undeletable_reason {
                say(&format!(
                    "{} that no row names cannot be deleted: {reason}",
                    counted(sweep.undeletable, "object")
                ));
            }
            if let Some(until) = sweep.waits_until {
                say(&format!(
                    "Nothing is deleted before {}: other databases that use this store have a day to show themselves.",
                    backup::moment(until),
                ));
            }
        }
        Ok(if sweep.missing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
