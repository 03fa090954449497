//! `plugin disable`: a source is turned off.

use std::process::ExitCode;

use clap::Args;

use super::{find, load, tell};
use crate::config::Config;

/// Turn a source off, also one that comes with the program
///
/// New jobs cannot use it, and those under way go on without it: within seconds, on every
/// host that shares the folder of plugins.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler plugin disable openverse")]
pub(super) struct Disable {
    /// Id of the source
    id: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Disable {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let plugins = load(config).await?;
        find(&plugins, &self.id).await?;
        plugins.disable(&self.id).await?;
        tell(&plugins, &self.id, self.json, |source| format!("{} is off.", source.info.id)).await?;
        Ok(ExitCode::SUCCESS)
    }
}
