//! `dataset exports`: the exports that a dataset has in the database, and away with those that nobody needs.

use std::process::ExitCode;

use anyhow::bail;
use chrono::{DateTime, Utc};
use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::dataset_id;
use crate::{
    app::{Database, StartError},
    cli::{database::has_database, say, stop, table::table, tell, user::WhoseArgs},
    config::Config,
    dataset::export::delete_export,
    db::exports::{self, ExportRow},
    model::{DatasetId, ExportFormat, ExportId, ExportOptions},
};

/// List the exports of a dataset, or delete some
///
/// They are those that were asked for over the API. `dataset export` writes into a folder and has one here only until
/// it is finished: what it wrote is not listed, and stays as it is. A dataset has 20 at most.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler dataset exports 3\n  \
    pixcrawler dataset exports 3 --delete 17 --delete 18\n  \
    pixcrawler dataset exports 3 --json | jq '.exports[].id'")]
pub(super) struct Exports {
    /// Id of the dataset, see `pixcrawler dataset list`
    #[arg(value_name = "ID", value_parser = dataset_id)]
    id: i32,
    /// Delete this export, with what was made of it
    #[arg(long, value_name = "EXPORT")]
    delete: Vec<i32>,
    #[command(flatten)]
    whose: WhoseArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// An export in the list, under the names that the API has.
#[derive(Serialize)]
struct ExportLine {
    id: ExportId,
    format: ExportFormat,
    options: ExportOptions,
    images: u64,
    removed: i32,
    created_at: DateTime<Utc>,
}

impl Exports {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let whose = self.whose.read(config)?;
        let dataset = DatasetId(self.id);
        if !has_database(config) {
            return Err(whose.has_no_dataset(dataset));
        }
        let stop = stop::on_signal()?;
        let database = Database::connect(config).await?;
        let done = stop.run_until_cancelled(async {
            database.migrate().await?;
            let store = database.unmarked_store(&config.data_dir()).await?;
            let user = whose.owner_of_dataset(&database.pool, dataset).await?;
            let mut missing = Vec::new();
            for export in self.delete.iter().copied().map(ExportId) {
                if !delete_export(&database.pool, &store, user, dataset, export).await? {
                    missing.push(export.to_string());
                }
            }
            let left = exports::list(&database.pool, user, dataset).await?;
            anyhow::Ok((left, missing))
        });
        let done = done.await;
        database.close().await;
        let (left, missing) = done.ok_or(StartError::Stopped)??;
        self.report(left.into_iter().map(ExportLine::from).collect());
        if !missing.is_empty() {
            bail!("dataset {dataset} has no export {}", missing.join(", "));
        }
        Ok(ExitCode::SUCCESS)
    }

    fn report(&self, left: Vec<ExportLine>) {
        if self.json {
            say(&json!({ "exports": left }).to_string());
        } else if left.is_empty() {
            tell(&format!(
                "Dataset {} has no export in the database. What `dataset export` wrote into a folder is not listed.",
                self.id
            ));
        } else {
            let head = ["ID", "FORMAT", "IMAGES", "REMOVED", "CREATED"].map(str::to_owned).to_vec();
            let lines = left.iter().map(|export| {
                vec![
                    export.id.to_string(),
                    export.format.name().to_owned(),
                    export.images.to_string(),
                    export.removed.to_string(),
                    export.created_at.format("%Y-%m-%d %H:%M UTC").to_string(),
                ]
            });
            say(&table(&std::iter::once(head).chain(lines).collect::<Vec<_>>()));
        }
    }
}

impl From<ExportRow> for ExportLine {
    fn from(row: ExportRow) -> Self {
        Self {
            id: row.id,
            images: row.left(),
            format: row.format,
            options: row.options,
            removed: row.removed,
            created_at: row.created_at,
        }
    }
}
