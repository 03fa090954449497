//! `jobs cancel`: a job is stopped.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use super::JobArgs;
use crate::{
    config::Config,
    model::JobState,
    services::jobs::{self, Cancelled},
};

/// Cancel a crawl job; it stops within two seconds and keeps what it has
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler jobs cancel 12\n  \
    pixcrawler jobs cancel 12 --user you@example.org")]
pub(super) struct Cancel {
    #[command(flatten)]
    job: JobArgs,
}

impl Cancel {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let job = self.job.job();
        let cancelled = self.job.with(config, async |db, user| Ok(jobs::cancel(db, user, job).await?));
        match cancelled.await? {
            Cancelled::NotFound => bail!("job {job} was deleted meanwhile"),
            Cancelled::Over(state) if state != JobState::Cancelled => {
                bail!("job {job} cannot be cancelled: it is {}", state.name())
            }
            Cancelled::Over(_) | Cancelled::Now(_) => {
                self.job.done("cancelled", &format!("Job {job} is cancelled; what it kept stays."));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
