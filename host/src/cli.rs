//! The command line: one file a subcommand.

mod client;
mod demo;
mod log;
mod serve;
mod stop;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::{app, config::Config};

/// Keywords in, trustworthy image dataset out.
#[derive(Debug, Parser)]
#[command(
    name = "pixcrawler",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "Examples:\n  \
        pixcrawler demo                       see it work, without the internet\n  \
        pixcrawler serve                      API and worker on http://127.0.0.1:8000\n  \
        pixcrawler token --email you@example.org\n\n\
        Exit codes: 0 done, 1 failed, 2 wrong usage, 130 ended by a second signal."
)]
struct Cli {
    #[command(flatten)]
    config: Config,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// See it work: a crawl of a gallery on this machine, from job to dataset
    Demo(demo::Demo),
    /// Run the API and a worker in this process
    Serve(serve::Serve),
    /// Run a worker only, beside the API or on another machine
    Worker(serve::Work),
}

/// Runs what the arguments ask for.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    log::start(&cli.config.log);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&error.into()),
    };
    match runtime.block_on(run(cli)) {
        Ok(code) => code,
        Err(error) => report(&error),
    }
}

async fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    match cli.command {
        Command::Demo(command) => command.run(cli.config).await,
        Command::Serve(command) => command.run(cli.config).await,
        Command::Worker(command) => command.run(cli.config).await,
    }
}

#[expect(clippy::print_stderr, reason = "the one place where a command says why it failed")]
fn report(error: &anyhow::Error) -> ExitCode {
    eprintln!("pixcrawler: {}", app::chain(error.as_ref()));
    ExitCode::FAILURE
}
