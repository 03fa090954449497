//! `plugin enable`: a source is turned on.

use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use super::{consent, find, load, tell};
use crate::{cli::say, config::Config, plugins::PluginStatus};

/// Turn a source on
///
/// One that needs to be granted what it asks for is shown first, with the question whether
/// to grant that; the answer is recorded for this build. Also ends a pause, and gives a
/// version that was set aside for its faults another chance.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler plugin enable openverse\n  \
    pixcrawler plugin enable my-source --yes\n\n\
    Exit codes: 0 it is on, 1 it cannot be or was not agreed to, 2 nobody to ask and no --yes.")]
pub(super) struct Enable {
    /// Id of the source
    id: String,
    /// Grant what it asks for without a question
    #[arg(long, short)]
    yes: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Enable {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let plugins = load(config).await?;
        let source = find(&plugins, &self.id).await?;
        if !source.is_known() {
            bail!("{}", source.unavailable().unwrap_or_default());
        }
        let grant = source.granted_by.is_none();
        if grant {
            if !self.json {
                say(&consent::shown(&source.info, source.size, &source.digest));
            }
            if !consent::agreed("Turn it on and grant what it asks for?", self.yes)? {
                bail!("nothing was changed");
            }
        }
        plugins.enable(&source, grant).await?;
        let source = tell(&plugins, &self.id, self.json, |source| match &source.status {
            PluginStatus::Off(reason) => format!("{} stays off: {reason}", source.info.id),
            PluginStatus::Ready | PluginStatus::Preparing => format!("{} is on.", source.info.id),
        })
        .await?;
        Ok(if source.unavailable().is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
