//! `jobs`: what became of crawls, and what may be done to them; those of `crawl`, and as an operator
//! those of anybody.

mod cancel;
mod delete;
mod list;
mod refused;
mod retry;
mod show;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    cli::{database::with_database, say, user::WhoseArgs},
    config::Config,
    db::PgPool,
    model::{JobId, UserId},
};

/// List crawl jobs, look at one and at what it refused, cancel, retry or delete it
///
/// Works on the database of the settings: `DATABASE_URL`, else the private Postgres of the data folder,
/// which is started when nothing runs there. No server is needed, and one that runs sees every change
/// within seconds.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler jobs list\n  \
    pixcrawler jobs refused 12 --reason not-found\n  \
    pixcrawler jobs retry 12\n  \
    pixcrawler jobs list --user you@example.org --status running --json | jq -r '.jobs[].id'\n\n\
    Exit codes: 0 done, 1 there is no such job or it cannot be done, 2 wrong usage.")]
pub(super) struct Jobs {
    #[command(subcommand)]
    command: JobsCommand,
}

#[derive(Debug, Subcommand)]
enum JobsCommand {
    #[command(alias = "ls")]
    List(list::List),
    #[command(alias = "view")]
    Show(show::Show),
    Refused(refused::Refused),
    Cancel(cancel::Cancel),
    #[command(alias = "rerun")]
    Retry(retry::Retry),
    #[command(alias = "rm")]
    Delete(delete::Delete),
}

/// Which job.
#[derive(Args, Debug)]
struct JobArgs {
    /// Id of the job, see `pixcrawler jobs list`
    #[arg(value_name = "ID", value_parser = job_id)]
    id: i32,
    #[command(flatten)]
    whose: WhoseArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Id of a job as it was given.
fn job_id(text: &str) -> Result<i32, String> {
    text.parse().ok().filter(|id| *id > 0).ok_or_else(|| {
        "the id of a job is a number from 1 on, which `pixcrawler jobs list` shows before its name".to_owned()
    })
}

impl Jobs {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        match self.command {
            JobsCommand::List(command) => command.run(&config).await,
            JobsCommand::Show(command) => command.run(&config).await,
            JobsCommand::Refused(command) => command.run(&config).await,
            JobsCommand::Cancel(command) => command.run(&config).await,
            JobsCommand::Retry(command) => command.run(config).await,
            JobsCommand::Delete(command) => command.run(&config).await,
        }
    }
}

impl JobArgs {
    const fn job(&self) -> JobId {
        JobId(self.id)
    }

    /// Works on the job, which is one of those that are meant.
    ///
    /// # Errors
    /// When there is no such job, or the work fails.
    async fn with<T>(
        &self,
        config: &Config,
        work: impl AsyncFnOnce(&PgPool, UserId) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let whose = self.whose.read(config)?;
        with_database(config, async |db| match db {
            Some(db) => work(db, whose.owner(db, self.job()).await?).await,
            None => Err(whose.has_no(self.job())),
        })
        .await
    }

    /// Says what was done.
    fn done(&self, what: &str, text: &str) {
        if self.json {
            say(&json!({"job": self.id, "done": what}).to_string());
        } else {
            say(text);
        }
    }
}
