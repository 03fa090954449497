//! `crawl`: keywords in, dataset folder out, in one process. The job is made, worked on
//! and stored as the API's are, for the local user; the folder remembers which job it
//! belongs to, so that the same command again goes on where the last one ended.

mod folder;
mod listed;
pub(super) mod progress;
mod request;
mod summary;

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use indicatif::MultiProgress;
use serde_json::Value;
use tokio::{sync::watch, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{App, Signal, announced},
    auth::Caller,
    cli::{broken_rules, plugin, say, stop, user::local_user, wrong_usage},
    config::{self, Config},
    crawl::Worker,
    dataset::{self, ExportError, Exported, REFUSALS},
    db,
    error::chain,
    model::{DatasetId, JobId, JobState, UserId},
    plugins::PluginStatus,
    services::{
        Violation,
        create::{CreateOutcome, JobRequest},
        host::RunningHost,
        jobs::{JobError, RetryOptions, RetryOutcome},
    },
};

use folder::{Folder, FolderJob};
use progress::{Progress, Snapshot};
use summary::Summary;

pub(super) use request::CrawlArgs;

/// Characters of an argument that is said to be wrong.
const LONGEST_SAID: usize = 100;
/// Looks at the job are at least this far apart, and at most so far.
const SOONEST_LOOK: Duration = Duration::from_millis(200);
const LATEST_LOOK: Duration = Duration::from_secs(2);
/// Somebody waits for the end of the command, and can give it again.
const LONGEST_WAIT: Duration = Duration::from_mins(2);
/// So long the database may be away.
const PATIENCE: Duration = Duration::from_secs(120);
/// The folder is written no sooner after it was written, and rests this many times as long as that took.
const SOONEST_WRITE: Duration = Duration::from_secs(2);
const REST: u32 = 20;
/// Said when a crawl is begun, not when it goes on.
const NO_CONTACT: &str = "Note: sites are told the project's page as who asks; set PIXCRAWLER_CONTACT to an \
    address or a page of yours.";
/// When no site has answered by then, that is said.
const NOBODY: Duration = Duration::from_secs(6);

/// How the command came to its job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Begun {
    /// It is new.
    New,
    /// It goes on.
    Continued,
    /// Its sources are asked anew.
    Updated,
    /// It was complete already.
    Complete,
    /// It has all that it was asked for, so that there is no room for what is new.
    Full,
}

/// How the work on a job came to its end.
enum JobEnd {
    /// The job is over.
    Over,
    /// By a signal.
    Stopped,
    /// No site could be reached so far: why not, of one of them.
    Nobody(String),
}

impl CrawlArgs {
    pub(super) async fn run(self, mut config: Config, terminal: &MultiProgress) -> anyhow::Result<ExitCode> {
        let stop = stop::on_signal()?;
        config.crawl.longest_wait.get_or_insert(LONGEST_WAIT);
        config.crawl.lift_limits();
        let (mut folder, request) = self.asked()?;
        let mut progress = Progress::new(terminal)?;
        let running = RunningHost::start(config, &stop, &|what| progress.busy(what)).await?;
        let done = self.crawl(&running.app, &mut folder, &request, &stop, &mut progress).await;
        running.stop().await?;
        done
    }

    /// The folder and what is asked for in it: by the arguments or, where these have no input, before.
    fn asked(&self) -> anyhow::Result<(Folder, JobRequest)> {
        if let (true, Some(out)) = (self.has_no_input(), &self.out) {
            let mut folder = Folder::open(out)?;
            let Some(before) = folder.request() else {
                folder.leave()?;
                return Err(wrong_usage(format!(
                    "{} has no crawl that could go on; give keywords or addresses",
                    out.display()
                )));
            };
            let request = self.request_like(before)?;
            return Ok((folder, request));
        }
        let request = self.request()?;
        let out = self.out.clone().unwrap_or_else(|| request::folder_name(&request));
        Ok((Folder::open(&out)?, request))
    }

    async fn crawl(
        &self,
        app: &App,
        folder: &mut Folder,
        request: &JobRequest,
        stop: &CancellationToken,
        progress: &mut Progress,
    ) -> anyhow::Result<ExitCode> {
        let caller = local_user();
        if self.restart
            && let Some(dataset) = forget(app, folder, caller.user).await?
            && !db::removals::list(&app.db, caller.user, Some(dataset), None, 1).await?.is_empty()
        {
            progress.note(&format!(
                "Note: what was taken out of dataset {dataset} alone may come in again: this begins a new one."
            ));
        }
        prepared(app, stop, progress).await;
        let (job, begun) = begin(app, folder, &caller, request, self).await?;
        let first = Snapshot::look(&app.db, caller.user, job).await?;
        if begun == Begun::New && app.config.fetch.contact.is_none() {
            progress.note(NO_CONTACT);
        }
        self.say_begin(job, begun, &first, progress);
        let end = match begun {
            Begun::New | Begun::Continued | Begun::Updated => {
                work(app, caller.user, job, folder, stop, progress).await?
            }
            Begun::Complete | Begun::Full => JobEnd::Over,
        };
        if let JobEnd::Nobody(_) = end {
            // Nobody else goes on with it, and it can be begun again at once.
            app.cancel_job(caller.user, job).await?;
        }
        progress.end();

        let last = Snapshot::look(&app.db, caller.user, job).await?;
        let mut finished = last.status.is_over();
        let out = folder.path().display().to_string();
        let mut summary = Summary {
            job,
            new: last.kept - first.kept,
            last,
            reached_nobody: false,
            is_continued: begun != Begun::New,
            out,
            files: 0,
            refused_file: None,
            resume_with: None,
        };
        let nobody = match end {
            JobEnd::Nobody(reason) => Some(Some(reason)),
            JobEnd::Over if summary.failed() && app.fetcher.reaches_nobody() => Some(None),
            JobEnd::Over | JobEnd::Stopped => None,
        };
        if let Some(reason) = nobody {
            summary.say_nobody(reason);
            finished = false;
        }
        let export = async {
            if summary.last.kept > 0 {
                dataset::export(app, caller.user, job, folder.path()).await
            } else {
                // What an earlier crawl left there stays.
                let refusals = dataset::export_refusals(app, caller.user, job, folder.path()).await?;
                Ok(Exported { files: Vec::new(), refusals })
            }
        };
        // What was interrupted has little left to write; else this may be what is interrupted.
        let exported = if finished { stop.run_until_cancelled(export).await } else { Some(export.await) };
        match exported {
            Some(exported) => {
                let exported = exported.map_err(|error| not_whole(folder, error))?;
                summary.files = exported.files.len();
                let refused_file = folder.path().join(REFUSALS).display().to_string();
                summary.refused_file = exported.refusals.then_some(refused_file);
            }
            None => finished = false,
        }
        if !finished {
            summary.resume_with = Some(config::command_line());
        }
        say(&if self.json { serde_json::to_string(&summary)? } else { summary.text() });
        Ok(match finished {
            _ if summary.failed() => ExitCode::FAILURE,
            false => ExitCode::from(130),
            // An empty dataset is none, and one that lacks a part is not what was asked.
            true if summary.last.kept == 0 || !summary.last.failed_parts.is_empty() => ExitCode::FAILURE,
            true => ExitCode::SUCCESS,
        })
    }

    /// Says what is about to be done.
    fn say_begin(&self, job: JobId, begun: Begun, first: &Snapshot, progress: &Progress) {
        match begun {
            // So far only what became of the request.
            Begun::New => {
                first.warnings.iter().for_each(|warning| progress.note(&format!("Note: {warning}")))
            }
            Begun::Continued if first.running => progress.note(&format!(
                "Continuing job {job}. Another process works on it, or died within the last minute."
            )),
            Begun::Continued => progress.note(&format!("Continuing job {job}.")),
            Begun::Updated => progress.note(&format!("Looking again for what is new to job {job}.")),
            Begun::Complete => {
                let more = if first.kept < first.wanted {
                    "With --update it looks for what is new."
                } else {
                    "With a larger --max it goes on."
                };
                progress.note(&format!(
                    "Job {job} is complete already: only the folder is written again. {more}"
                ));
            }
            Begun::Full if let Some(max) = self.max.filter(|max| *max < first.kept) => {
                progress.note(&format!(
                    "Job {job} has {} images, so that --max {max} has room for none: with a larger --max it \
                     looks for more.",
                    first.kept
                ));
            }
            Begun::Full => progress.note(&format!(
                "Job {job} has all {} images that it was asked for: with a larger --max it looks for more.",
                first.kept
            )),
        }
        if let Some(max) = self.max.filter(|max| *max < first.kept) {
            progress.note(&format!(
                "{} images are there already, which is more than --max {max}: nothing is deleted.",
                first.kept
            ));
        }
    }
}

/// What is there is listed still, and what is missing is in the store.
fn not_whole(folder: &Folder, error: ExportError) -> anyhow::Error {
    let folder = folder.path().display();
    anyhow::Error::from(error).context(format!(
        "not all that was kept is in {folder}; nothing is lost, the same command again goes on"
    ))
}

/// Waits for the sources that are being compiled.
async fn prepared(app: &App, stop: &CancellationToken, progress: &Progress) {
    let sources = app.plugins.list().into_iter().filter(|source| source.status == PluginStatus::Preparing);
    let sources: Vec<String> = sources.map(|source| source.info.id).collect();
    let what = format!("compiling {}, which is done once", sources.join(", "));
    announced(&|what| progress.busy(what), &what, plugin::prepared(&app.plugins, stop)).await;
}

/// Lets go of the folder's job, which goes on for nobody. Gives its dataset, where it is of this database.
async fn forget(app: &App, folder: &mut Folder, user: UserId) -> anyhow::Result<Option<DatasetId>> {
    let mut dataset = None;
    if let Some(before) = folder.job()
        && let Some(row) = db::jobs::show(&app.db, user, before.id).await?
        && row.created_at.0 == before.created_at
    {
        app.cancel_job(user, before.id).await?;
        dataset = Some(row.dataset_id);
    }
    folder.forget()?;
    Ok(dataset)
}

/// The folder's job, set going if it is not; a new one for a folder without.
///
/// # Errors
/// When the job is another's, or cannot be begun.
async fn begin(
    app: &App,
    folder: &mut Folder,
    caller: &Caller,
    request: &JobRequest,
    arguments: &CrawlArgs,
) -> anyhow::Result<(JobId, Begun)> {
    let Some(before) = folder.job() else { return create(app, folder, caller, request).await };
    let row = db::jobs::show(&app.db, caller.user, before.id).await?;
    let Some(row) = row.filter(|row| row.created_at.0 == before.created_at) else {
        return Err(wrong_usage(format!(
            "{} belongs to job {} of another database, or the job was deleted; use the --data-dir or \
             --database-url of that time, begin anew with --restart, or choose another folder with --out",
            folder.path().display(),
            before.id
        )));
    };
    let differences = folder.differences(request);
    if !differences.is_empty() {
        if row.valid_images > 0 {
            return Err(wrong_usage(format!(
                "{} belongs to another crawl, which differs in {}; repeat that command to continue it, choose \
                 another folder with --out, or begin anew in this one with --restart",
                folder.path().display(),
                differences.join(", "),
            )));
        }
        // Nothing came of it.
        forget(app, folder, caller.user).await?;
        return create(app, folder, caller, request).await;
    }
    let state = row.status.0;
    let (max_images, update) = (arguments.max, arguments.update);
    // A smaller number gives nothing to do where nothing is missing, and is not what the folder is for.
    if state == JobState::Completed
        && row.valid_images > 0
        && let Some(max) = max_images.filter(|max| *max < row.max_images)
    {
        if max < row.valid_images {
            return Ok((before.id, if update { Begun::Full } else { Begun::Complete }));
        }
        if !update && row.failed_chunks == 0 {
            return Ok((before.id, Begun::Complete));
        }
    }
    let options = RetryOptions {
        max_images,
        // What is not over goes on with where it is, and one that kept nothing has nothing to go on with.
        update: state.is_over() && update || state == JobState::Completed && row.valid_images == 0,
    };
    if !state.is_over() && max_images.is_none_or(|max| max == row.max_images) {
        return Ok((before.id, Begun::Continued));
    }
    let begun = match app.retry_job(caller.user, before.id, options).await {
        Ok(RetryOutcome::Now) if options.update => Begun::Updated,
        Ok(RetryOutcome::Now) => Begun::Continued,
        Ok(RetryOutcome::Full(_)) => Begun::Full,
        Ok(RetryOutcome::NotOver(_) | RetryOutcome::NotFound) | Err(JobError::Rules(_))
            if state == JobState::Completed =>
        {
            Begun::Complete
        }
        // Where another process was faster it goes on as well.
        Ok(RetryOutcome::NotOver(_) | RetryOutcome::NotFound)
        | Err(JobError::Rules(_) | JobError::Caller(_)) => Begun::Continued,
        Err(error) => return Err(error.into()),
    };
    Ok((before.id, begun))
}

/// Makes a job for a folder without.
async fn create(
    app: &App,
    folder: &mut Folder,
    caller: &Caller,
    request: &JobRequest,
) -> anyhow::Result<(JobId, Begun)> {
    // The key is kept first, so that a crash between the two makes no second job.
    let key = folder.remember(request)?;
    let request = request::with_sources(request.clone(), &app.plugins.list());
    let body = serde_json::to_value(&request)?;
    let job = match app.create_job(caller, &request, Some((&key, &body))).await {
        Ok(CreateOutcome::New(job) | CreateOutcome::Before(job)) => job,
        Err(JobError::Rules(broken)) => {
            folder.leave()?;
            return Err(broken_rules(&broken, |rule| argument(rule, &body)));
        }
        Err(error) => return Err(error.into()),
    };
    let row = db::jobs::show(&app.db, caller.user, job).await?.context("the new job is gone")?;
    folder.belongs_to(FolderJob { id: job, created_at: row.created_at.into() })?;
    Ok((job, Begun::New))
}

/// The argument that a rule is about, with what was given where that is a text.
fn argument(rule: &Violation, body: &Value) -> String {
    let argument = request::argument(&rule.pointer);
    match body.pointer(&rule.pointer).and_then(Value::as_str) {
        Some(label) if rule.pointer.starts_with("/labels/") => format!("`{argument}={label}`"),
        Some(value) => match value.char_indices().nth(LONGEST_SAID) {
            Some((end, _)) => format!("{argument} `{}…`", &value[..end]),
            None => format!("{argument} `{value}`"),
        },
        None => argument,
    }
}

/// Works on the job until it is over or the stop, and writes the folder meanwhile; then all leases are
/// given back.
async fn work(
    app: &App,
    user: UserId,
    job: JobId,
    folder: &Folder,
    stop: &CancellationToken,
    progress: &mut Progress,
) -> anyhow::Result<JobEnd> {
    let (enough, done) = (stop.child_token(), CancellationToken::new());
    let worker = tokio::spawn(Worker::run_job(app.clone(), job, enough.clone()));
    let (kept, seen) = watch::channel(0);
    let path = folder.path().to_owned();
    let mut writer = tokio::spawn(write_along(app.clone(), user, job, path, seen, done.clone()));
    let (end, written) = tokio::select! {
        end = watch(app, user, job, &kept, progress) => (end, None),
        // By itself it ends only when the folder cannot be written.
        written = &mut writer => (Ok(JobEnd::Stopped), Some(written)),
        () = stop.cancelled() => {
            progress.note("Stopping; Ctrl-C again ends at once.");
            (Ok(JobEnd::Stopped), None)
        }
    };
    enough.cancel();
    worker.await?;
    done.cancel();
    // What it is about to write it writes: nobody else may write there meanwhile.
    let written = match written {
        Some(written) => written,
        None => writer.await,
    };
    let end = end?;
    written?.map_err(|error| not_whole(folder, error))?;
    Ok(end)
}

/// Writes the folder whenever more is `kept`, until `done`: what is left then is for who waits for it.
///
/// # Errors
/// When the folder cannot be written. It ends the crawl, so that it is seen.
async fn write_along(
    app: App,
    user: UserId,
    job: JobId,
    folder: PathBuf,
    mut kept: watch::Receiver<i32>,
    done: CancellationToken,
) -> Result<(), ExportError> {
    while let Some(Ok(())) = done.run_until_cancelled(kept.changed()).await {
        let begun = Instant::now();
        match dataset::export(&app, user, job, &folder).await {
            // Who watches the job sees that, too, and how long it lasts.
            Err(ExportError::Database(error)) => {
                tracing::warn!(error = %chain(&error), "cannot write the folder; trying again");
                kept.mark_changed();
            }
            exported => drop(exported?),
        }
        let rest = SOONEST_WRITE.max(begun.elapsed() * REST);
        done.run_until_cancelled(tokio::time::sleep(rest)).await;
    }
    Ok(())
}

/// Follows the job to its end: told by signals, and by slow looks where one was lost. Says how much is `kept`.
async fn watch(
    app: &App,
    user: UserId,
    job: JobId,
    kept: &watch::Sender<i32>,
    progress: &mut Progress,
) -> anyhow::Result<JobEnd> {
    let mut signals = app.signals.subscribe();
    let mut soonest = tokio::time::interval(SOONEST_LOOK);
    soonest.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let begun = Instant::now();
    let mut seen = begun;
    let mut said = false;
    loop {
        soonest.tick().await;
        let snapshot = match Snapshot::look(&app.db, user, job).await {
            // The worker waits for the database as well.
            Err(error) if seen.elapsed() < PATIENCE => {
                tracing::warn!(error = %chain(error.as_ref()), "cannot look at the job; trying again");
                tokio::time::sleep(LATEST_LOOK).await;
                continue;
            }
            looked => looked?,
        };
        seen = Instant::now();
        kept.send_if_modified(|kept| std::mem::replace(kept, snapshot.kept) != snapshot.kept);
        progress.show(&snapshot);
        if snapshot.status.is_over() {
            return Ok(JobEnd::Over);
        }
        let (nobody, silence) = (app.fetcher.reaches_nobody(), !app.fetcher.was_answered());
        match &snapshot.waits {
            Some((reason, _)) if nobody && snapshot.found == 0 => return Ok(JobEnd::Nobody(reason.clone())),
            // An outage passes, and there is something to go on with; or it takes long to be sure.
            waits
                if !said
                    && (nobody && waits.is_some()
                        || silence
                            && snapshot.running
                            && snapshot.found == 0
                            && begun.elapsed() >= NOBODY) =>
            {
                said = true;
                progress.note("No site has answered so far; is this machine online? Still trying.");
            }
            _ => {}
        }
        let changed =
            async { while !matches!(signals.recv().await, Ok(Signal::Changed(id)) if id == job) {} };
        // In time or not, it is looked again.
        let _ = tokio::time::timeout(LATEST_LOOK, changed).await;
    }
}
