//! `migrate`: the tables, up to date.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use crate::{app::Database, cli::say, config::Config, db};

/// Bring the tables of the database up to date
///
/// `serve`, `worker` and `crawl` do the same when they start; this is for deployments
/// that migrate first. Works on `DATABASE_URL`, else on the private Postgres. Tables and
/// columns that the frontend declares are made when absent and never altered.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler migrate\n  \
    DATABASE_URL=postgres://… pixcrawler migrate --json\n  \
    DATABASE_URL=postgres://… pixcrawler migrate --bootstrap")]
pub(super) struct Migrate {
    /// In a Postgres of your own, first make what Supabase brings: roles, `auth`, `realtime`, the
    /// publication. Needs a superuser; a Supabase is refused
    #[arg(long)]
    bootstrap: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Migrate {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        let database = Database::connect(&config).await?;
        let migrated = async {
            if self.bootstrap {
                db::bootstrap(&database.pool).await?;
            }
            anyhow::Ok(database.migrate().await?)
        };
        let migrated = migrated.await;
        database.close().await;
        let applied = migrated?;
        if self.json {
            let applied: Vec<Value> = applied
                .iter()
                .map(|(version, description)| json!({"version": version, "description": description}))
                .collect();
            say(&json!({"applied": applied}).to_string());
        } else if applied.is_empty() {
            say("Everything is up to date.");
        } else {
            for (version, description) in applied {
                say(&format!("Applied {version:04} {description}"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
