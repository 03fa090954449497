//! `api-key`: what programs send to the API for the local user.

use std::process::ExitCode;

use anyhow::anyhow;
use chrono::Utc;
use clap::{Args, Subcommand};
use secrecy::ExposeSecret as _;
use serde_json::json;
use uuid::Uuid;

use crate::{
    app::Database,
    cli::{broken_rules, say, user::local_user},
    config::Config,
    db::api_keys::{self, ApiKeyRow},
    model::ApiKeyId,
    services::api_keys::{ApiKeyRequest, make_local},
};

/// API keys: let a program use the API as who `pixcrawler crawl` works for
///
/// A key is sent like a token, as `Authorization: Bearer pk_live_…`, to a `serve` on the same database. It
/// lasts until it is revoked or its days are over. Users of the API make theirs with `POST /api/v1/api-keys`.
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(super) struct ApiKey {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Create(Create),
    List(List),
    Revoke(Revoke),
}

/// Make a key, which is shown this once
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler api-key create --name training\n  \
    pixcrawler api-key create --name nightly --permission crawl_jobs:create --permission read --days 365")]
struct Create {
    /// For people
    #[arg(long, value_name = "TEXT")]
    name: String,
    /// What it may do: `read`, `write`, `delete`, `admin`, `crawl_jobs:create`, `crawl_jobs:read`,
    /// `crawl_jobs:cancel`, `datasets:read` or `datasets:export`; may be repeated
    #[arg(long, value_name = "NAME", value_delimiter = ',', default_value = "read")]
    permission: Vec<String>,
    /// Requests an hour
    #[arg(long, value_name = "N")]
    rate_limit: Option<i64>,
    /// How long it is good [default: until it is revoked]
    #[arg(long, value_name = "N")]
    days: Option<i64>,
    /// Print one JSON object instead of the bare key
    #[arg(long)]
    json: bool,
}

/// List keys, newest first
#[derive(Args, Debug)]
struct List {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// End a key for good, at once
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler api-key revoke 0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0")]
struct Revoke {
    /// As in the list
    #[arg(value_name = "ID")]
    id: Uuid,
}

impl ApiKey {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        let database = Database::connect(&config).await?;
        let done = async {
            database.migrate().await?;
            match self.command {
                Command::Create(command) => command.run(&database).await,
                Command::List(command) => command.run(&database).await,
                Command::Revoke(command) => command.run(&database).await,
            }
        };
        let done = done.await;
        database.close().await;
        done.map(|()| ExitCode::SUCCESS)
    }
}

impl Create {
    async fn run(self, database: &Database) -> anyhow::Result<()> {
        let request = ApiKeyRequest {
            name: Some(self.name),
            permissions: self.permission,
            rate_limit: self.rate_limit,
            days: self.days,
            ..ApiKeyRequest::default()
        };
        let spec = request.check(Utc::now()).map_err(|broken| {
            broken_rules(&broken, |rule| match rule.pointer.split('/').nth(1) {
                Some("permissions") => "--permission".to_owned(),
                Some(field) => format!("--{}", field.replace('_', "-")),
                None => String::new(),
            })
        })?;
        let (row, key) = make_local(&database.pool, &local_user(), &spec).await?;
        if self.json {
            let mut shown = shown(&row);
            shown["key"] = json!(key.expose_secret());
            say(&shown.to_string());
        } else {
            say(key.expose_secret());
        }
        Ok(())
    }
}

impl List {
    async fn run(self, database: &Database) -> anyhow::Result<()> {
        let rows = api_keys::list(&database.pool, local_user().user, None, 0, i64::MAX).await?;
        if self.json {
            say(&json!({ "api_keys": rows.iter().map(shown).collect::<Vec<_>>() }).to_string());
            return Ok(());
        }
        for row in &rows {
            let permissions = row.permissions.0.join(",");
            say(&format!(
                "{}  {}…  {:8}  {permissions}  {} uses  {}",
                row.id, row.key_prefix, row.status, row.usage_count, row.name
            ));
        }
        Ok(())
    }
}

impl Revoke {
    async fn run(self, database: &Database) -> anyhow::Result<()> {
        if !api_keys::revoke(&database.pool, local_user().user, ApiKeyId(self.id)).await? {
            return Err(anyhow!("there is no API key {}; see `pixcrawler api-key list`", self.id));
        }
        say(&format!("{} is revoked", self.id));
        Ok(())
    }
}

fn shown(row: &ApiKeyRow) -> serde_json::Value {
    json!({
        "id": row.id, "name": row.name, "key_prefix": row.key_prefix, "status": row.status,
        "permissions": row.permissions.0, "rate_limit": row.rate_limit, "usage_count": row.usage_count,
        "last_used_at": row.last_used_at.map(|at| at.0), "expires_at": row.expires_at.map(|at| at.0),
        "created_at": row.created_at.0,
    })
}
