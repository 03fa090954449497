//! `backup` and `restore`: the private Postgres with its objects, keys and plugins.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use indicatif::HumanBytes;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    app::{Database, StartError},
    cli::{counted, say, stop, tell},
    config::Config,
    postgres,
    services::backup::{self, BackupError, Faults, Manifest},
};

/// Back up the private Postgres with objects, keys and plugins
///
/// Works while `serve` runs, and is of one moment. Into the same folder again only new objects are
/// copied; the backup there before counts until this one is whole. Of plugins it has those that are in the
/// data folder. Whoever can read it can make tokens.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler backup /mnt/backup/pixcrawler\n  \
    pixcrawler restore /mnt/backup/pixcrawler --verify\n\n\
    Exit codes: 0 done, 1 objects were missing or damaged before, or it failed, 130 interrupted.")]
pub(super) struct Backup {
    /// A new folder, or that of a backup; best on another disk
    #[arg(value_name = "FOLDER")]
    target: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Make a new data folder of a backup
///
/// In --data-dir, which must be absent or empty. Every object is compared with its hash. A newer version
/// of the program, or a newer Postgres, may restore what an older one backed up, not the other way round.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler restore /mnt/backup/pixcrawler --data-dir ./restored\n  \
    pixcrawler restore /mnt/backup/pixcrawler --verify\n\n\
    Exit codes: 0 done, 1 objects are missing or damaged and were left out, or it failed, 130 interrupted.")]
pub(super) struct Restore {
    /// Folder of the backup
    #[arg(value_name = "FOLDER")]
    source: PathBuf,
    /// Only look whether the backup is whole, and change nothing
    #[arg(long)]
    verify: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        if config.database.database_url.is_some() {
            return Err(BackupError::NotPrivate.into());
        }
        let data_dir = config.data_dir();
        if !postgres::is_made(&data_dir) {
            return Err(BackupError::Nothing(data_dir).into());
        }
        let stop = stop::on_signal()?;
        let database = Database::connect(&config).await?;
        let done = or_stopped(&stop, backup::back_up(&database, &data_dir, &self.target, &tell)).await;
        database.close().await;
        let done = done?;
        let new = [("new_objects", json!(done.new))];
        if self.json {
            say(&summary(&done.manifest, &done.faults, &new));
        } else {
            say(&format!(
                "{} is a backup of {}; {} new",
                self.target.display(),
                contents(&done.manifest),
                counted(done.new, "object"),
            ));
        }
        Ok(end(&done.faults, "cannot be backed up: they were missing or damaged in the store before"))
    }
}

impl Restore {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        let stop = stop::on_signal()?;
        let (manifest, faults) = if self.verify {
            or_stopped(&stop, backup::verify(&self.source)).await?
        } else {
            backup::restore(&config, &self.source, &stop, &tell).await.map_err(|error| match error {
                // Of which the exit code speaks.
                BackupError::Start(error) => anyhow::Error::from(error),
                other => other.into(),
            })?
        };
        if self.json {
            say(&summary(&manifest, &faults, &[]));
        } else if self.verify {
            say(&format!("{} holds {}", self.source.display(), contents(&manifest)));
        } else {
            say(&format!("{} has {}", config.data_dir().display(), contents(&manifest)));
        }
        Ok(end(&faults, "are not in the backup as they should be"))
    }
}

async fn or_stopped<T>(
    stop: &CancellationToken,
    work: impl Future<Output = Result<T, BackupError>>,
) -> anyhow::Result<T> {
    Ok(stop.run_until_cancelled(work).await.ok_or(StartError::Stopped)??)
}

fn contents(manifest: &Manifest) -> String {
    let rows = &manifest.rows;
    format!(
        "{}, {}, {} and {} ({}) as of {}",
        counted(rows.users, "user"),
        counted(rows.jobs, "job"),
        counted(rows.images, "image row"),
        counted(manifest.copied, "object"),
        HumanBytes(manifest.bytes),
        manifest.made_at.format("%Y-%m-%d %H:%M:%S UTC"),
    )
}

fn summary(manifest: &Manifest, faults: &Faults, more: &[(&str, serde_json::Value)]) -> String {
    let mut summary = json!({ "backup": manifest, "faulty": faults.count, "faulty_objects": faults.named });
    for (name, value) in more {
        summary[name] = value.clone();
    }
    summary.to_string()
}

/// Says which objects are at fault, if any are.
fn end(faults: &Faults, what: &str) -> ExitCode {
    if faults.count == 0 {
        return ExitCode::SUCCESS;
    }
    tell(&format!("pixcrawler: {} {what}:", counted(faults.count, "object")));
    for fault in &faults.named {
        tell(&format!("  {fault}"));
    }
    ExitCode::FAILURE
}
