//! `plugin rollback`: a source goes back to the build before.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::{find, list, load};
use crate::{cli::say, config::Config, plugins::PluginStatus};

/// Go back to the version of a source that was there before
///
/// The last three are kept with what was granted to them; where none is left, the one that comes with the
/// program takes its place. Hosts that run take it up within seconds. The same again undoes it.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler plugin rollback my-source\n  \
    pixcrawler plugin rollback my-source --to 1.1.0\n\n\
    Exit codes: 0 done, 1 there is none to go back to.")]
pub(super) struct Rollback {
    /// Id of the source
    id: String,
    /// Version to go back to [default: the one before]
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Rollback {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let plugins = load(config).await?;
        find(&plugins, &self.id).await?;
        let done = plugins.roll_back(&self.id, self.to.as_deref()).await?;
        plugins.follow(None).await?;
        let source = find(&plugins, &self.id).await?;
        if self.json {
            let source = list::described(&source, None, &[]);
            say(&json!({"from": done.from, "to": done.to, "source": source}).to_string());
            return Ok(ExitCode::SUCCESS);
        }
        let bundled = if done.is_bundled { ", which comes with the program" } else { "" };
        let status = match &source.status {
            PluginStatus::Off(reason) => format!("It is off: {reason}."),
            PluginStatus::Ready | PluginStatus::Preparing => {
                "Hosts that run take it up within seconds.".to_owned()
            }
        };
        say(&format!(
            "{0} {1} → {2}{bundled}. {status} Undo it with `pixcrawler plugin rollback {0}`.",
            self.id, done.from, done.to
        ));
        Ok(ExitCode::SUCCESS)
    }
}
