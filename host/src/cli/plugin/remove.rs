//! `plugin remove`: a source is taken out of the folder of plugins.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::load;
use crate::{cli::say, config::Config};

/// Remove an installed source with its files, earlier versions included
///
/// One that comes with the program cannot be removed, only turned off; where an installed
/// one had taken its place, it comes back.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler plugin remove my-source")]
pub(super) struct Remove {
    /// Id of the source
    id: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Remove {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let plugins = load(config).await?;
        let files = plugins.remove(&self.id).await?;
        plugins.follow(None).await?;
        let instead = plugins.get(&self.id);
        if self.json {
            let instead = instead.map(|source| source.info.version);
            say(&json!({"removed": self.id, "files": files, "instead": instead}).to_string());
        } else {
            let instead = instead.map_or_else(String::new, |source| {
                format!(" In its place now: {}, which comes with the program.", source.info.version)
            });
            say(&format!("{} is removed ({}).{instead}", self.id, files.join(", ")));
        }
        Ok(ExitCode::SUCCESS)
    }
}
