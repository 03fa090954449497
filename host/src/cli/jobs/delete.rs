//! `jobs delete`: a job goes, with the rows of its images.

use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;

use super::JobArgs;
use crate::{
    cli::{plugin::consent, tell},
    config::Config,
    db,
    services::jobs,
};

/// Delete a crawl job with the rows of its images; one that runs is cancelled first
///
/// Folders that `crawl` wrote stay as they are.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler jobs delete 12\n  \
    pixcrawler jobs delete 12 --yes --json")]
pub(super) struct Delete {
    #[command(flatten)]
    job: JobArgs,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
}

impl Delete {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let job = self.job.job();
        let deleted = self.job.with(config, async |db, user| {
            let row = db::jobs::show(db, user, job).await?.context("the job was deleted meanwhile")?;
            let question = format!(
                "Delete job {job}, “{}” ({}, {} images kept)?",
                row.name,
                row.status.0.name(),
                row.valid_images
            );
            Ok(match consent::agreed(&question, self.yes)? {
                true => Some(jobs::delete(db, user, job).await?),
                false => None,
            })
        });
        match deleted.await? {
            Some(true) => self.job.done("deleted", &format!("Job {job} is deleted.")),
            Some(false) => bail!("job {job} was deleted meanwhile"),
            None => {
                tell("Nothing was changed.");
                return Ok(ExitCode::FAILURE);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
