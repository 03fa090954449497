//! `plugin`: the tools of who writes a source and of who runs one; one file a subcommand.

mod ask;
mod bench;
mod build;
mod check;
mod list;
mod new;
mod record;
mod run;
mod subject;
mod test;

use std::{process::ExitCode, time::Duration};

use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;

use crate::{
    config::Config,
    plugin::{Plugins, Status},
};

/// Sources: what they take, ask and may do; and the tools to write one
#[derive(Args, Debug)]
#[command(arg_required_else_help = true)]
pub(super) struct Plugin {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(new::New),
    Build(build::Build),
    List(list::List),
    Run(run::Run),
    Record(record::Record),
    Test(test::Test),
    Check(check::Check),
    Bench(bench::Bench),
}

impl Plugin {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::New(command) => command.run(),
            Command::Build(command) => command.run().await,
            Command::List(command) => command.run(&config).await,
            Command::Run(command) => command.run(&config).await,
            Command::Record(command) => command.run(&config).await,
            Command::Test(command) => command.run(&config).await,
            Command::Check(command) => command.run(&config).await,
            Command::Bench(command) => command.run(&config).await,
        }
    }
}

/// Waits until every source can say whether it can be used: big ones are compiled at the first start.
pub(super) async fn prepared(plugins: &Plugins, stop: &CancellationToken) {
    let mut tick = tokio::time::interval(Duration::from_millis(100));
    while !stop.is_cancelled() && plugins.list().iter().any(|source| source.status == Status::Preparing) {
        tick.tick().await;
    }
}
