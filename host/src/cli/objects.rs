//! `objects`: the bytes of pictures, from the folder to a bucket and back.

use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use indicatif::{HumanBytes, MultiProgress};
use serde_json::json;

use crate::{
    app::{Database, StartError},
    cli::{bar::Bar, counted, say, stop, tell, wrong_usage},
    config::Config,
    postgres,
    services::copy::{CopyDone, CopyOptions, CopyProgress, copy},
    store::{self, Store},
};

/// Copy the objects of this installation to a bucket, or back
#[derive(Args, Debug)]
pub(super) struct Objects {
    #[command(subcommand)]
    command: ObjectsCommand,
}

#[derive(Debug, Subcommand)]
enum ObjectsCommand {
    Copy(CopyArgs),
}

/// Where objects are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Target {
    /// That of the settings `PIXCRAWLER_S3_…`
    Bucket,
    /// `objects` in the data folder
    Folder,
}

/// Copy all objects that rows name to the bucket of the settings, or from there to the data folder
///
/// Each is compared with its hash on the way. What the target has already is left, so that it may be
/// interrupted and given again; nothing is deleted at either place. `serve` and `worker` may go on, with the
/// store that they have: then give it once more when they are stopped, which takes a moment, and start them with
/// the other store.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler objects copy --to bucket --dry-run    how much there is to do\n  \
    pixcrawler objects copy --to bucket              while `serve` runs on the folder\n  \
    pixcrawler objects copy --to folder --verify     and back; compares also what is there already\n\n\
    The bucket is that of PIXCRAWLER_S3_BUCKET and the settings beside it, which `serve` need not have yet.\n\n\
    Exit codes: 0 done, 1 objects are missing or damaged, or it failed, 130 interrupted.")]
struct CopyArgs {
    /// Where to
    #[arg(long, value_enum)]
    to: Target,
    /// Compare the objects that are there already with their hashes, too, and copy anew what is damaged
    #[arg(long)]
    verify: bool,
    /// Only count
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Objects {
    pub(super) async fn run(self, config: Config, terminal: &MultiProgress) -> anyhow::Result<ExitCode> {
        let ObjectsCommand::Copy(command) = self.command;
        command.run(config, terminal).await
    }
}

impl CopyArgs {
    async fn run(self, config: Config, terminal: &MultiProgress) -> anyhow::Result<ExitCode> {
        let Some(bucket) = Store::bucket(&config.objects)? else {
            return Err(wrong_usage(
                "there is no bucket: set PIXCRAWLER_S3_BUCKET and the settings beside it for this command",
            ));
        };
        let data_dir = config.data_dir();
        if config.database.database_url.is_none() && !postgres::is_made(&data_dir) {
            anyhow::bail!(
                "there is no database in {}, so no objects to copy; name the data folder with --data-dir",
                data_dir.display()
            );
        }
        let stop = stop::on_signal()?;
        bucket.check().await?;
        let folder = Store::local(&data_dir.join(store::FOLDER))?;
        let (from, to) = match self.to {
            Target::Bucket => (&folder, &bucket),
            Target::Folder => (&bucket, &folder),
        };
        let database = Database::connect(&config).await?;
        let options = CopyOptions { verify: self.verify, dry_run: self.dry_run };
        let bar = Bar::new(terminal, "{bar:30} {pos}/{len} objects, {msg}");
        let done = stop.run_until_cancelled(async {
            database.migrate().await?;
            anyhow::Ok(copy(&database.pool, from, to, options, |progress| show(&bar, progress)).await?)
        });
        let done = done.await;
        bar.end();
        database.close().await;
        let done = done.ok_or(StartError::Stopped)??;
        self.report(&done, from, to);
        Ok(if done.faults.count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn report(&self, done: &CopyDone, from: &Store, to: &Store) {
        let CopyDone { progress, faults, goes_on } = done;
        if self.json {
            let mut summary = json!(progress);
            summary["faulty_objects"] = json!(faults.named);
            summary["hosts_run_elsewhere"] = json!(goes_on);
            say(&summary.to_string());
        } else {
            let did = if self.dry_run { "would be copied" } else { "copied" };
            say(&format!(
                "{} of {} that rows name are in {} ({}); {} {did} ({})",
                if self.dry_run { progress.objects - progress.new } else { progress.objects },
                counted(progress.named, "object"),
                to.place(),
                HumanBytes(if self.dry_run { progress.bytes - progress.new_bytes } else { progress.bytes }),
                progress.new,
                HumanBytes(progress.new_bytes),
            ));
        }
        if faults.count > 0 {
            tell(&format!(
                "pixcrawler: {} missing or damaged in {}:",
                counted(faults.count, "object"),
                from.place()
            ));
            faults.named.iter().for_each(|fault| tell(&format!("  {fault}")));
            let more = faults.count - faults.named.len() as u64;
            if more > 0 {
                tell(&format!("  and {more} more"));
            }
        }
        if self.dry_run {
            return;
        }
        if faults.count > 0 {
            tell(&format!(
                "What is in {} is needed still: put these back, such as from a backup, or delete their jobs, and give \
                 this command again.",
                from.place()
            ));
            return;
        }
        let begin = match self.to {
            Target::Bucket => "start them with the settings PIXCRAWLER_S3_… that this command had",
            Target::Folder => "start them without the settings PIXCRAWLER_S3_…",
        };
        let next = if *goes_on {
            format!(
                "`serve` or `worker` run, and keep objects in {} still: stop all of them, give this command again, and {begin}.",
                from.place()
            )
        } else {
            format!("Nothing that runs keeps objects elsewhere; for `serve` and `worker`: {begin}.")
        };
        tell(&next);
        tell(&format!("What is in {} is no longer needed then; it is yours to delete.", from.place()));
    }
}

fn show(bar: &Bar, progress: &CopyProgress) {
    let CopyProgress { named, new, .. } = *progress;
    let seen = progress.objects + progress.faulty;
    let message = format!("{new} new ({})", HumanBytes(progress.new_bytes));
    bar.show(seen, named, message, || format!("{seen} of {named} objects, {new} new"));
}
