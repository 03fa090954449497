//! `jobs`: what became of crawls, and what may be done to them; those of `crawl`, and as an operator
//! those of anybody.

mod cancel;
mod delete;
mod list;
mod refused;
mod retry;
mod show;

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::{
    app::{Database, announced},
    cli::{say, stop, tell, user::WhoseArgs},
    config::Config,
    db::{self, PgPool, ServerAddress},
    model::{JobId, UserId},
    postgres,
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

/// Works on the database of the settings. The private one is started if need be, but not made for this:
/// none is given where there is none.
///
/// # Errors
/// When it cannot be had, its tables are not up to date, or the work fails.
async fn with_database<T>(
    config: &Config,
    work: impl AsyncFnOnce(Option<&PgPool>) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    if !has_database(config) {
        return work(None).await;
    }
    let stop = stop::on_signal()?;
    let start = Database::start_text(config);
    let database = announced(&|what| tell(&format!("{what} …")), start, Database::connect(config)).await?;
    let worked = stop.run_until_cancelled(async {
        if db::pending(&database.pool).await? > 0 {
            if !database.is_private() {
                bail!("the tables of this database are not up to date; run `pixcrawler migrate` first");
            }
            database.migrate().await?;
        }
        work(Some(&database.pool)).await
    });
    let worked = worked.await;
    database.close().await;
    worked.unwrap_or_else(|| Err(crate::app::StartError::Stopped.into()))
}

/// Whether there is anything to look at: none is made for that.
fn has_database(config: &Config) -> bool {
    ServerAddress::configured(&config.database).is_some() || postgres::is_made(&config.data_dir())
}

/// Lines of cells, each column as wide as its widest but the last.
fn table(rows: &[Vec<String>]) -> String {
    // What sites and users wrote must not move the cursor.
    let plain = |cell: &String| cell.replace(char::is_control, " ");
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(plain).collect()).collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let lines = rows.iter().map(|row| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let row = |cells: &[&str]| cells.iter().map(|&cell| cell.to_owned()).collect::<Vec<_>>();
        let rows = [row(&["ID", "NAME"]), row(&["12", "a\u{1b}[2Jb\nc"]), row(&["123", ""])];
        assert_eq!(table(&rows), "ID   NAME\n12   a [2Jb c\n123");
        assert_eq!(table(&[]), "");
    }
}
