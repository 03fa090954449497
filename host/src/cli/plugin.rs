//! `plugin`: the tools of who writes a source and of who runs one; one file a subcommand.

mod ask;
mod bench;
mod build;
mod check;
pub(super) mod consent;
mod disable;
mod enable;
mod install;
mod known;
mod list;
mod new;
mod record;
mod remove;
mod rollback;
mod run;
mod stale;
mod subject;
mod test;

pub(super) use known::Known;

use std::{process::ExitCode, time::Duration};

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::{
    cli::{say, stop},
    config::Config,
    error::meant,
    plugins::{LoadedPlugin, Plugins, PluginsError},
};

/// Sources: what they take, ask and may do; and the tools to write one
#[derive(Args, Debug)]
pub(super) struct Plugin {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(new::New),
    Build(build::BuildArgs),
    List(list::List),
    Install(install::Install),
    Enable(enable::Enable),
    Disable(disable::Disable),
    Rollback(rollback::Rollback),
    Remove(remove::Remove),
    Run(run::Run),
    Record(record::Record),
    Test(test::Test),
    Check(check::Check),
    Bench(bench::BenchArgs),
}

impl Plugin {
    /// Tells whether it writes what is installed, and not into a folder that was made for that.
    pub(super) const fn changes_the_data_folder(&self, config: &Config) -> bool {
        let installs = matches!(
            self.command,
            Command::Install(_)
                | Command::Enable(_)
                | Command::Disable(_)
                | Command::Rollback(_)
                | Command::Remove(_)
        );
        installs && config.plugins.plugins_dir.is_none()
    }

    pub(super) async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::New(command) => command.run(),
            Command::Build(command) => command.run().await,
            Command::List(command) => command.run(&config).await,
            Command::Install(command) => command.run(&config).await,
            Command::Enable(command) => command.run(&config).await,
            Command::Disable(command) => command.run(&config).await,
            Command::Rollback(command) => command.run(&config).await,
            Command::Remove(command) => command.run(&config).await,
            Command::Run(command) => command.run(&config).await,
            Command::Record(command) => command.run(&config).await,
            Command::Test(command) => command.run(&config).await,
            Command::Check(command) => command.run(&config).await,
            Command::Bench(command) => command.run(&config).await,
        }
    }
}

/// Loads what is installed.
async fn load(config: &Config) -> Result<Plugins, PluginsError> {
    Plugins::load(&config.plugins, &config.data_dir()).await
}

/// Finds the source with this id, as soon as it is compiled.
async fn find(plugins: &Plugins, id: &str) -> anyhow::Result<LoadedPlugin> {
    prepared(plugins, &stop::on_signal()?).await;
    match plugins.get(id) {
        Some(source) => Ok(source),
        None => {
            let known: Vec<String> = plugins.list().into_iter().map(|source| source.info.id).collect();
            let meant = meant(id, known.iter().map(String::as_str));
            bail!("there is no source `{id}`{meant}; there are: {}", known.join(", "))
        }
    }
}

/// Says what a source is now, after a change.
async fn tell(
    plugins: &Plugins,
    id: &str,
    json: bool,
    text: impl FnOnce(&LoadedPlugin) -> String,
) -> anyhow::Result<LoadedPlugin> {
    plugins.follow(None).await?;
    let source = find(plugins, id).await?;
    say(&if json {
        json!({"source": list::described(&source, None, &[])}).to_string()
    } else {
        text(&source)
    });
    Ok(source)
}

/// Waits until every source can say whether it can be used: some are compiled at the first start.
pub(super) async fn prepared(plugins: &Plugins, stop: &CancellationToken) {
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    while !stop.is_cancelled() && !plugins.is_settled().await {
        tick.tick().await;
    }
}
