//! `dataset list`: the newest datasets.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Args;
use indicatif::HumanBytes;
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
    db::{self, datasets::DatasetSummary},
    model::{DatasetId, ProjectId, UserId},
};

/// List datasets, newest first
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler dataset list\n  \
    pixcrawler dataset list --all-users\n  \
    pixcrawler dataset list --limit 100 --json | jq -r '.datasets[] | [.id, .images, .name] | @tsv'")]
pub(super) struct List {
    /// Most datasets to list
    #[arg(long, short = 'L', value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..))]
    limit: u16,
    #[command(flatten)]
    whose: WhoseArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A dataset in the list.
#[derive(Serialize)]
struct DatasetLine {
    id: DatasetId,
    user: UserId,
    project: Option<ProjectId>,
    name: String,
    status: String,
    /// Images that it is to have.
    wanted: i32,
    /// Images that it has.
    images: i64,
    /// What these take.
    bytes: i64,
    created_at: DateTime<Utc>,
}

impl List {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let whose = self.whose.read(config)?;
        let limit = usize::from(self.limit);
        let user = match &whose {
            Whose::User(user, _) => Some(*user),
            Whose::All => None,
        };
        let mut rows = with_database(config, async |db| {
            Ok(match db {
                Some(db) => db::datasets::summaries(db, user, i64::from(self.limit) + 1).await?,
                None => Vec::new(),
            })
        })
        .await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let datasets: Vec<DatasetLine> = rows.into_iter().map(DatasetLine::from).collect();
        if self.json {
            say(&json!({"datasets": datasets}).to_string());
        } else if datasets.is_empty() {
            tell(&match &whose {
                Whose::User(_, whose) => {
                    format!("There is no dataset {whose}. Datasets of the API: --user EMAIL or --all-users.")
                }
                Whose::All => "There is no dataset.".to_owned(),
            });
        } else {
            say(&text(&datasets, self.whose.all_users));
        }
        if more {
            tell(&format!("There are more than {limit}; --limit shows more of them."));
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn text(datasets: &[DatasetLine], of_all: bool) -> String {
    let mut rows = vec![["ID", "STATUS", "IMAGES", "SIZE", "CREATED", "NAME"].map(str::to_owned).to_vec()];
    rows.extend(datasets.iter().map(|dataset| {
        vec![
            dataset.id.to_string(),
            dataset.status.clone(),
            dataset.images.to_string(),
            HumanBytes(dataset.bytes.unsigned_abs()).to_string(),
            dataset.created_at.format("%Y-%m-%d %H:%M UTC").to_string(),
            dataset.name.clone(),
        ]
    }));
    if of_all {
        let users =
            std::iter::once("USER".to_owned()).chain(datasets.iter().map(|dataset| dataset.user.to_string()));
        rows.iter_mut().zip(users).for_each(|(row, user)| row.insert(1, user));
    }
    table(&rows)
}

impl From<DatasetSummary> for DatasetLine {
    fn from(summary: DatasetSummary) -> Self {
        let DatasetSummary { dataset: row, images, bytes } = summary;
        Self {
            id: row.id,
            user: row.user_id,
            project: row.project_id,
            name: row.name,
            status: row.status,
            wanted: row.max_images,
            images,
            bytes,
            created_at: row.created_at.into(),
        }
    }
}
