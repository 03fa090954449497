//! `backup` and `restore`: an installation, which is its database, objects, keys and plugins.

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
    services::backup::{self, BackupError, Checked, Faults, Manifest, Options, PutBack},
};

/// Back up the database with objects, keys and plugins
///
/// Works while `serve` runs, and is of one moment. Of a database of your own it has the schemas `public`,
/// `pixcrawler` and `graphile_worker` and the users in `auth.users`, and needs `pg_dump` as new as its server. Into the same folder again only new objects are
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

/// Make a new data folder of a backup, or fill an empty database
///
/// In --data-dir, which must be absent or empty. With `DATABASE_URL` a backup of a database of your own goes
/// into that one, which must be empty, a Supabase project's or another's, and its objects into the store that
/// is configured; without, into a private Postgres. A bucket that the database of the backup uses is refused,
/// unless --take-over is given. Every object is compared with its hash. A newer version
/// of the program, or a newer Postgres, may restore what an older one backed up, not the other way round.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler restore /mnt/backup/pixcrawler --data-dir ./restored\n  \
    pixcrawler restore /mnt/backup/pixcrawler --verify\n  \
    pixcrawler restore /mnt/backup/pixcrawler --objects\n\n\
    Exit codes: 0 done, 1 objects are missing or damaged and were left out, or it failed, 130 interrupted.")]
pub(super) struct Restore {
    /// Folder of the backup
    #[arg(value_name = "FOLDER")]
    source: PathBuf,
    /// Only look whether the backup is whole, and change nothing
    #[arg(long)]
    verify: bool,
    /// Only put back objects that rows name and the store lacks, as after the database was brought back by
    /// other means, such as a backup of Supabase
    #[arg(long, conflicts_with = "verify")]
    objects: bool,
    /// The database that the backup is of is gone for good: take over the bucket of the settings, which has its
    /// objects
    #[arg(long, conflicts_with_all = ["verify", "objects"])]
    take_over: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Backup {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        let data_dir = config.data_dir();
        if config.database.database_url.is_none() && !postgres::is_made(&data_dir) {
            return Err(BackupError::Nothing(data_dir).into());
        }
        let stop = stop::on_signal()?;
        let database = Database::connect(&config).await?;
        let options = Options { replace: self.replace, verify: self.verify };
        let made = backup::back_up(&config, &database, &self.target, options, &tell);
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
        if self.objects {
            return self.put_back(&config, &stop).await;
        }
        let Checked { manifest, objects, bytes, faults } = if self.verify {
            or_stopped(&stop, backup::verify(&self.source)).await?
        } else {
            backup::restore(&config, &self.source, self.take_over, &stop, &tell).await.map_err(|error| {
                match error {
                    // Of which the exit code speaks.
                    BackupError::Start(error) => anyhow::Error::from(error),
                    other => other.into(),
                }
            })?
        };
        if self.json {
            say(&summary(&manifest, &faults, &[("objects", json!(objects))]));
        } else if self.verify {
            say(&format!("{} holds {}", self.source.display(), contents(&manifest, objects, bytes)));
        } else {
            let place = match config.database.database_url {
                Some(_) => "The database of DATABASE_URL".to_owned(),
                None => config.data_dir().display().to_string(),
            };
            say(&format!("{place} has {}", contents(&manifest, objects, bytes)));
        }
        let code = end(&faults, "of the backup missing or damaged");
        if self.verify && faults.count > 0 {
            tell("`pixcrawler backup FOLDER --verify` copies them anew, where the store still has them.");
        }
        Ok(code)
    }
}

impl Restore {
    async fn put_back(&self, config: &Config, stop: &CancellationToken) -> anyhow::Result<ExitCode> {
        let done = backup::restore_objects(config, &self.source, &tell);
        let PutBack { new, bytes, there, faults } = or_stopped(stop, done).await?;
        if self.json {
            let summary = json!({ "new_objects": new, "objects": new + there, "faulty": faults.count,
                "faulty_objects": faults.named });
            say(&summary.to_string());
        } else {
            let (new, bytes) = (counted(new, "object"), HumanBytes(bytes));
            say(&format!("{new} ({bytes}) put back; {} there", counted(there, "object")));
        }
        Ok(end(&faults, "named by rows and missing or damaged in the backup, too"))
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
