//! `user`: who there is, what each holds, and the end of one.

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use indicatif::HumanBytes;
use serde_json::json;

use crate::{
    app::Database,
    auth::issuer::user_of,
    cli::{counted, plugin::consent, say, tell},
    config::Config,
    db::users::{self, Account, EndReason, UserUsage},
    model::UserId,
    services,
};

/// Users: what each holds on the disk, and deleting one
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(super) struct User {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Delete(Delete),
}

/// List users with their jobs, images and bytes
///
/// Those first who hold most. A picture that several datasets of a user hold is stored once.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler user list\n  \
    pixcrawler user list --json | jq '.users[] | [.email, .bytes]'")]
struct List {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Delete a user with all rows and objects
///
/// Jobs that run are cancelled. In a Supabase project the user goes too, unless the role of
/// `DATABASE_URL` may not delete there; that is said. Tokens from before are not accepted any more;
/// with tokens of this host's own the same address may begin anew with a new one. It cannot be
/// undone; interrupted, the same command goes on. To be run where the objects are.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler user delete ann@example.org\n  \
    pixcrawler user delete 5f0c7d6e-3b1a-8f6e-9d2c-1a2b3c4d5e6f --yes")]
struct Delete {
    /// Address or id of the user
    #[arg(value_name = "EMAIL|ID")]
    user: String,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl User {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        let database = Database::connect(&config).await?;
        let done = async {
            database.migrate().await?;
            match self.command {
                Command::List(command) => command.run(&database).await,
                Command::Delete(command) => command.run(&config, &database).await,
            }
        };
        let done = done.await;
        database.close().await;
        done
    }
}

impl List {
    async fn run(self, database: &Database) -> anyhow::Result<ExitCode> {
        let users = users::usage(&database.pool, None).await?;
        let bytes: i64 = users.iter().map(|user| user.bytes).sum();
        if self.json {
            let listed = users.iter().map(|user| {
                let UserUsage { id, email, jobs, images, bytes, created_at } = user;
                json!({"id": id, "email": email, "jobs": jobs, "images": images, "bytes": bytes, "created_at": created_at.0})
            });
            say(&json!({"users": listed.collect::<Vec<_>>(), "bytes": bytes}).to_string());
            return Ok(ExitCode::SUCCESS);
        }
        for user in &users {
            say(&format!("{}  {}", user.id, shown(user)));
        }
        say(&format!("{}, {}", counted(users.len() as u64, "user"), human(bytes)));
        Ok(ExitCode::SUCCESS)
    }
}

impl Delete {
    async fn run(self, config: &Config, database: &Database) -> anyhow::Result<ExitCode> {
        let user = self.find(config, database).await?;
        let held = users::usage(&database.pool, Some(user)).await?;
        let name = held.first().map_or_else(|| self.user.clone(), shown);
        tell(&format!("{user}  {name}"));
        if !consent::agreed("Delete this user with all of that?", self.yes)? {
            tell("Nothing was changed.");
            return Ok(ExitCode::FAILURE);
        }
        let store = database.store(&config.data_dir()).await?;
        let done = services::users::delete(&database.pool, &store, user, EndReason::Asked).await?;
        let Some(done) = done else {
            bail!(
                "another process deleted this user at the same time; nothing of what is there since was changed"
            );
        };
        if self.json {
            let account = match &done.account {
                Account::Gone => json!("gone"),
                Account::Left(reason) => json!({ "left": reason }),
            };
            say(&json!({
                "user": user, "jobs": done.jobs, "objects": done.objects, "bytes": done.bytes, "left": done.left,
                "profile": if done.profile { "gone" } else { "emptied" }, "account": account,
            })
            .to_string());
        } else {
            let (jobs, objects) = (counted(done.jobs as u64, "job"), counted(done.objects, "object"));
            say(&format!("{user} is deleted: {jobs}, {objects} ({})", HumanBytes(done.bytes)));
            if done.left > 0 {
                say(&format!(
                    "{} left: another database uses the same folder of objects, or may, and may name them; \
                     `pixcrawler sweep` says what to do, and deletes them then.",
                    counted(done.left, "object"),
                ));
            }
            if !done.profile {
                say("The profile is empty, and stays: a table that is not PixCrawler's refers to it.");
            }
            if let Account::Left(reason) = &done.account {
                say(&format!(
                    "The user may still sign in, and begin with nothing: the role of DATABASE_URL cannot delete from \
                     auth.users ({reason}); delete the user in the project's dashboard."
                ));
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Finds who is meant.
    async fn find(&self, config: &Config, database: &Database) -> anyhow::Result<UserId> {
        let none = format!("there is no user `{}`; `pixcrawler user list` shows all", self.user);
        if let Ok(id) = self.user.parse() {
            if users::is_known(&database.pool, UserId(id)).await? {
                return Ok(UserId(id));
            }
            bail!(none);
        }
        let email = self.user.trim().to_lowercase();
        match users::with_email(&database.pool, &email).await?[..] {
            [user] => Ok(user),
            [] => {
                // Of a local user who is not wholly gone the address is no longer known.
                let local = user_of(&email);
                let known =
                    config.supabase.supabase_url.is_none() && users::is_known(&database.pool, local).await?;
                if known { Ok(local) } else { bail!(none) }
            }
            _ => bail!("several users have the address `{}`; say which by id", self.user),
        }
    }
}

fn shown(user: &UserUsage) -> String {
    let UserUsage { email, jobs, images, bytes, .. } = user;
    format!("{email}  {}, {}, {}", counted(*jobs, "job"), counted(*images, "image"), human(*bytes))
}

fn human(bytes: i64) -> HumanBytes {
    HumanBytes(bytes.unsigned_abs())
}
