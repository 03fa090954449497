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
    services::backup::{self, BackupError, Checked, Faults, Manifest, Options},
};

/// Back up the private Postgres with objects, keys and plugins
///
/// Works while `serve` runs, and is of one moment. Into the same folder again only new objects are
/// copied; the backup there before counts until this one is whole. Of plugins it has those that are in the
/// data folder. Whoever can read it can make tokens. A folder that has a backup of another database, or a
/// damaged one, is left as it is unless --replace is given.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler backup /mnt/backup/pixcrawler\n  \
    pixcrawler backup /mnt/backup/pixcrawler --verify\n\n\
    Exit codes: 0 done, 1 objects were missing or damaged before, or it failed, 130 interrupted.")]
pub(super) struct Backup {
    /// A new folder, or that of a backup; best on another disk
    #[arg(value_name = "FOLDER")]
    target: PathBuf,
    /// Compare the objects in the backup with their hashes, too, and copy anew what is damaged
    #[arg(long)]
    verify: bool,
    /// Take the place of a backup of another database, or of a damaged one, which is then gone
    #[arg(long)]
    replace: bool,
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
        let options = Options { replace: self.replace, verify: self.verify };
        let made = backup::back_up(&database, &data_dir, &self.target, options, &tell);
        let done = or_stopped(&stop, made).await;
        database.close().await;
        let done = done?;
        let new = [("new_objects", json!(done.new))];
        if self.json {
            say(&summary(&done.manifest, &done.faults, &new));
        } else {
            say(&format!(
                "{} is a backup of {}; {} new",
                self.target.display(),
                contents(&done.manifest, done.manifest.copied, done.manifest.bytes),
                counted(done.new, "object"),
            ));
        }
        Ok(end(&done.faults, "left out, missing or damaged in the store already"))
    }
}

impl Restore {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        let stop = stop::on_signal()?;
        let Checked { manifest, objects, bytes, faults } = if self.verify {
            or_stopped(&stop, backup::verify(&self.source)).await?
        } else {
            backup::restore(&config, &self.source, &stop, &tell).await.map_err(|error| match error {
                // Of which the exit code speaks.
                BackupError::Start(error) => anyhow::Error::from(error),
                other => other.into(),
            })?
        };
        if self.json {
            say(&summary(&manifest, &faults, &[("objects", json!(objects))]));
        } else if self.verify {
            say(&format!("{} holds {}", self.source.display(), contents(&manifest, objects, bytes)));
        } else {
            say(&format!("{} has {}", config.data_dir().display(), contents(&manifest, objects, bytes)));
        }
        let code = end(&faults, "of the backup missing or damaged");
        if self.verify && faults.count > 0 {
            tell("`pixcrawler backup FOLDER --verify` copies them anew, where the store still has them.");
        }
        Ok(code)
    }
}

async fn or_stopped<T>(
    stop: &CancellationToken,
    work: impl Future<Output = Result<T, BackupError>>,
) -> anyhow::Result<T> {
    Ok(stop.run_until_cancelled(work).await.ok_or(StartError::Stopped)??)
}

fn contents(manifest: &Manifest, objects: u64, bytes: u64) -> String {
    let rows = &manifest.rows;
    format!(
        "{}, {}, {} and {} ({}) as of {}",
        counted(rows.users, "user"),
        counted(rows.jobs, "job"),
        counted(rows.images, "image row"),
        counted(objects, "object"),
        HumanBytes(bytes),
        backup::moment(manifest.made_at),
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
    let more = faults.count - faults.named.len() as u64;
    if more > 0 {
        tell(&format!("  and {more} more"));
    }
    ExitCode::FAILURE
}
