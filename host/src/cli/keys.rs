//! `keys`: new keys in place of those that sign.

use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;

use crate::{app::Database, auth::issuer::Issuer, cli::say, config::Config, services::keys};

/// Keys that sign links and tokens: new ones in their place
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(super) struct Keys {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Rotate(Rotate),
}

/// Make a new key, which signs from now on
///
/// Whatever runs takes it up within seconds, without a restart. What the key before has signed is good
/// until it expires: links for a day at most, tokens as long as they were made for. With --end-old it ends
/// within seconds, as after a key was seen by others; so does what was signed before an earlier change.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler keys rotate links\n  \
    pixcrawler keys rotate tokens --end-old\n\n\
    `links` is the key of signed links, in the database. `tokens` is the key of this host's own tokens, in\n\
    the data folder: to be run as the user whose that is. Keys of a Supabase project are changed there.")]
struct Rotate {
    /// Of what
    #[arg(value_enum, value_name = "links|tokens")]
    which: Which,
    /// What the keys before have signed ends, too
    #[arg(long)]
    end_old: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Which {
    Links,
    Tokens,
}

impl Keys {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Rotate(command) => command.run(config).await,
        }
    }
}

impl Rotate {
    async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        let Self { which, end_old, json } = self;
        match which {
            Which::Links => {
                let database = Database::connect(&config).await?;
                let rotated = async {
                    database.migrate().await?;
                    anyhow::Ok(keys::rotate_links(&database.pool, end_old).await?)
                };
                let rotated = rotated.await;
                database.close().await;
                rotated?;
            }
            Which::Tokens => {
                if config.supabase.supabase_url.is_some() {
                    bail!(
                        "SUPABASE_URL is set, so tokens are signed by that project: change its signing keys there; they \
                         are taken up by themselves"
                    );
                }
                Issuer::rotate(&config.data_dir(), end_old)?;
            }
        }
        let what = match which {
            Which::Links => "links",
            Which::Tokens => "tokens",
        };
        if json {
            say(&json!({ "rotated": what, "old_ended": end_old }).to_string());
        } else if end_old {
            say(&format!("There is a new key for {what}; those of before end within seconds."));
        } else {
            say(&format!(
                "There is a new key for {what}; those of the key before are good until they expire."
            ));
        }
        Ok(ExitCode::SUCCESS)
    }
}
