//! `jobs retry`: a job goes on with what it lacks.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use super::JobArgs;
use crate::{
    cli::{database::has_database, stop, tell, user::Whose},
    config::Config,
    model::{JobId, JobState},
    services::{
        host::RunningHost,
        jobs::{RetryOptions, RetryOutcome},
    },
};

/// Retry a crawl job that failed, was cancelled, or lacks images because a part of it failed
///
/// With `--max` any job goes on with another number, with `--update` any that is over looks at its sources
/// again for what is new. What is there is not fetched again; what was refused for something that may pass is tried again. The
/// work itself is done by a `serve` or `worker` that runs on the same database, now or later; the folder
/// of a `crawl` goes on by the same `crawl` command, too.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler jobs retry 12\n  \
    pixcrawler jobs retry 12 --max 5000\n  \
    pixcrawler jobs retry 12 --update\n  \
    pixcrawler jobs retry 12 --user you@example.org")]
pub(super) struct Retry {
    #[command(flatten)]
    job: JobArgs,
    /// Images wanted from now on
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=100_000))]
    max: Option<i32>,
    /// Ask every source from its beginning, for what is new, and try again what the site may have mended
    #[arg(long)]
    update: bool,
}

impl Retry {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        let whose = self.job.whose.read(&config)?;
        let job = self.job.job();
        if !has_database(&config) {
            return Err(whose.has_no(job));
        }
        let stop = stop::on_signal()?;
        let running = RunningHost::start(config, &stop, &|what| tell(&format!("{what} …"))).await?;
        let retried = self.retry(&running, &whose, job).await;
        running.stop().await?;
        match retried? {
            RetryOutcome::Now => {
                let text =
                    format!("Job {job} goes on as soon as a `serve` or `worker` runs on this database.");
                self.job.done("retried", &text);
                Ok(ExitCode::SUCCESS)
            }
            RetryOutcome::NotFound => bail!("job {job} was deleted meanwhile"),
            RetryOutcome::Full(kept) => {
                bail!("job {job} has the {kept} images that it was asked for; raise --max to look for more")
            }
            RetryOutcome::NotOver(JobState::Completed) => {
                bail!("job {job} cannot be retried: it is completed, and no part of it failed")
            }
            RetryOutcome::NotOver(state) => {
                bail!("job {job} cannot be retried: it is {}; cancel it first", state.name())
            }
        }
    }

    async fn retry(&self, running: &RunningHost, whose: &Whose, job: JobId) -> anyhow::Result<RetryOutcome> {
        let user = whose.owner(&running.app.db, job).await?;
        let options = RetryOptions { max_images: self.max, update: self.update };
        Ok(running.app.retry_job(user, job, options).await?)
    }
}
