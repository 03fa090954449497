//! `jobs list`: the newest jobs.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser as _},
};
use serde::Serialize;
use serde_json::json;

use crate::{
    cli::{
        database::with_database,
        say,
        table::table,
        tell,
        user::{Whose, WhoseArgs},
    },
    config::Config,
    db::{
        self,
        jobs::{JobFilter, JobRow},
    },
    model::{JobId, JobState, UserId},
};

/// List crawl jobs, newest first
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler jobs list\n  \
    pixcrawler jobs list --all-users --status running\n  \
    pixcrawler jobs list --limit 100 --json | jq -r '.jobs[] | select(.kept < .wanted) | .id'")]
pub(super) struct List {
    /// Most jobs to list
    #[arg(long, short = 'L', value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    limit: u16,
    /// Only jobs with this status
    #[arg(long, short, value_name = "STATUS", value_parser = PossibleValuesParser::new(JobState::ALL.map(JobState::name)).try_map(|name| serde_json::from_value::<JobState>(name.into())))]
    status: Option<JobState>,
    #[command(flatten)]
    whose: WhoseArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A job in the list.
#[derive(Serialize)]
struct JobLine {
    id: JobId,
    user: UserId,
    name: String,
    status: JobState,
    wanted: i32,
    kept: i32,
    /// Why it failed or has fewer images than wanted.
    reason: Option<String>,
    sources: Vec<String>,
    created_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    completed_at: Option<DateTime<Utc>>,
}

impl List {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let whose = self.whose.read(config)?;
        let limit = usize::from(self.limit);
        let most = i64::from(self.limit) + 1;
        let filter = JobFilter { status: self.status, ..JobFilter::default() };
        let mut rows = with_database(config, async |db| {
            Ok(match (db, &whose) {
                (None, _) => Vec::new(),
                (Some(db), Whose::User(user, _)) => db::jobs::list(db, *user, filter, None, 0, most).await?,
                (Some(db), Whose::All) => db::jobs::list_of_all(db, self.status, most).await?,
            })
        })
        .await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let jobs: Vec<JobLine> = rows.into_iter().map(JobLine::from).collect();
        if self.json {
            say(&json!({"jobs": jobs}).to_string());
        } else if jobs.is_empty() {
            tell(&match &whose {
                Whose::User(_, whose) => {
                    format!("There is no such job {whose}. Jobs of the API: --user EMAIL or --all-users.")
                }
                Whose::All => "There is no such job.".to_owned(),
            });
        } else {
            say(&text(&jobs, self.whose.all_users));
        }
        if more {
            tell(&format!("There are more than {limit}; --limit shows more of them."));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn text(jobs: &[JobLine], of_all: bool) -> String {
    let mut rows = vec![["ID", "STATUS", "KEPT", "CREATED", "NAME"].map(str::to_owned).to_vec()];
    rows.extend(jobs.iter().map(|job| {
        vec![
            job.id.to_string(),
            job.status.name().to_owned(),
            format!("{}/{}", job.kept, job.wanted),
            job.created_at.format("%Y-%m-%d %H:%M UTC").to_string(),
            job.name.clone(),
        ]
    }));
    if of_all {
        let users = std::iter::once("USER".to_owned()).chain(jobs.iter().map(|job| job.user.to_string()));
        rows.iter_mut().zip(users).for_each(|(row, user)| row.insert(1, user));
    }
    table(&rows)
}

impl From<JobRow> for JobLine {
    fn from(row: JobRow) -> Self {
        Self {
            id: row.id,
            user: row.user_id,
            name: row.name,
            status: row.status.0,
            wanted: row.max_images,
            kept: row.valid_images,
            reason: row.error,
            sources: row.sources.0.0,
            created_at: row.created_at.into(),
            started_at: row.started_at.map(Into::into),
            completed_at: row.completed_at.map(Into::into),
        }
    }
}
