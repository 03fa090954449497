//! The command line: one file a subcommand.

mod api_key;
mod backup;
mod bar;
mod client;
mod compile;
mod crawl;
mod database;
mod dataset;
mod decode;
mod demo;
mod doctor;
mod hash;
mod jobs;
mod keys;
mod lock;
mod log;
mod migrate;
mod objects;
mod openapi;
mod plugin;
mod rules;
mod serve;
mod stop;
mod sweep;
mod table;
mod token;
mod user;
mod users;
mod visible;

use std::{fmt::Display, io::Write as _, process::ExitCode, time::Duration};

use clap::{
    CommandFactory as _, FromArgMatches as _, Parser, Subcommand,
    error::{ContextKind, ContextValue, ErrorKind},
};
use indicatif::MultiProgress;

use crate::{app, config::Config, private, services::Violation};

/// Keywords in, trustworthy image dataset out.
#[derive(Debug, Parser)]
#[command(
    name = "pixcrawler",
    version,
    max_term_width = 100,
    after_help = "Examples:\n  \
        pixcrawler demo                           see it work, without the internet\n  \
        pixcrawler crawl \"red panda\" --max 200    from keywords or addresses to a dataset folder\n  \
        pixcrawler jobs list                      what became of crawls, and what was refused\n  \
        pixcrawler dataset list                   what was gathered, and what is in it\n  \
        pixcrawler serve                          API and worker on http://127.0.0.1:8000\n  \
        pixcrawler token --email you@example.org  a bearer token for that API\n  \
        pixcrawler doctor                         what is missing on this machine\n\n\
        `pixcrawler COMMAND -h` shows the options of a command, `--help` also all settings, which may be\n\
        given as environment variables.\n\n\
        Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted."
)]
struct Cli {
    #[command(flatten)]
    config: Config,
    #[command(subcommand)]
    command: TopCommand,
}

#[derive(Debug, Subcommand)]
enum TopCommand {
    Demo(demo::Demo),
    Crawl(crawl::CrawlArgs),
    Serve(serve::Serve),
    Worker(serve::WorkerArgs),
    #[command(alias = "job")]
    Jobs(jobs::Jobs),
    #[command(alias = "datasets")]
    Dataset(dataset::Dataset),
    Hash(hash::HashArgs),
    Token(token::TokenArgs),
    #[command(alias = "api-keys")]
    ApiKey(api_key::ApiKey),
    Keys(keys::Keys),
    Plugin(plugin::Plugin),
    #[command(alias = "users")]
    User(users::User),
    Sweep(sweep::SweepArgs),
    Objects(objects::Objects),
    Backup(backup::Backup),
    Restore(backup::Restore),
    Migrate(migrate::Migrate),
    Openapi(openapi::Openapi),
    Doctor(doctor::Doctor),
    #[command(name = crate::crawl::decode::SUBCOMMAND)]
    Decode(decode::Decode),
    #[command(name = crate::sandbox::SUBCOMMAND, hide = true)]
    Compile(compile::Compile),
}

/// Arguments that cannot be done: ends with exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WrongUsage(String);

fn wrong_usage(message: impl Into<String>) -> anyhow::Error {
    WrongUsage(message.into()).into()
}

/// Every broken rule in a line of its own, behind the `argument` that it is about.
fn broken_rules(broken: &[Violation], argument: impl Fn(&Violation) -> String) -> anyhow::Error {
    let lines = broken.iter().map(|rule| format!("{} {}", argument(rule), rule.detail));
    wrong_usage(lines.collect::<Vec<_>>().join("\n"))
}

/// Runs what the arguments ask for.
#[must_use]
pub fn main() -> ExitCode {
    let matches = command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match matches {
        Ok(cli) => cli,
        Err(error) if error.kind() == ErrorKind::MissingSubcommand => return help(&error),
        Err(error) => {
            if let Some(ContextValue::String(given)) = error.get(ContextKind::InvalidSubcommand)
                && given.contains("://")
            {
                tell(&format!("tip: to crawl an address: pixcrawler crawl {given}"));
            }
            error.exit()
        }
    };
    if let TopCommand::Compile(command) = &cli.command {
        return command.run().unwrap_or_else(|error| report(&error));
    }
    if cli.command.is_private(&cli.config) {
        private::begin();
    }
    let terminal = MultiProgress::new();
    log::start(&cli.config.log, cli.command.is_quiet(), &terminal);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return report(&error.into()),
    };
    let code = runtime.block_on(run(cli, &terminal)).unwrap_or_else(|error| report(&error));
    // A picture may still be decoding; nobody waits for it any more.
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

/// The command line. Settings stand before or behind the subcommand. They are many: `-h` leaves
/// them out, and neither shows their present values, which may be long or secret.
fn command() -> clap::Command {
    let command =
        Cli::command().mut_args(|setting| setting.global(true).hide_short_help(true).hide_env_values(true));
    let mut built = command.clone();
    built.build();
    plain(command, &mut built)
}

/// A command and those below it, with the usage that their help has in errors, too: what clap makes up there
/// has every setting that the environment has, as if it were required. For the same reason clap does not
/// see where nothing was given; see [`help`].
fn plain(command: clap::Command, built: &mut clap::Command) -> clap::Command {
    let usage = built.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim().to_owned();
    let command = command.override_usage(usage).arg_required_else_help(false);
    let names: Vec<String> = command.get_subcommands().map(|below| below.get_name().to_owned()).collect();
    names.iter().fold(command, |command, name| match built.find_subcommand_mut(name) {
        Some(built) => command.mut_subcommand(name, |below| plain(below, built)),
        None => command,
    })
}

/// Shows the help of a command that is nothing without one below it, as of `pixcrawler` alone.
fn help(missing: &clap::Error) -> ExitCode {
    let mut command = command();
    command.build();
    let path = match missing.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(path)) => path.as_str(),
        _ => "",
    };
    let mut asked = path
        .split_whitespace()
        .skip(1)
        .fold(command, |command, name| command.find_subcommand(name).cloned().unwrap_or(command));
    say(asked.render_help().to_string().trim_end());
    ExitCode::SUCCESS
}

async fn run(cli: Cli, terminal: &MultiProgress) -> anyhow::Result<ExitCode> {
    match cli.command {
        TopCommand::Demo(command) => command.run(cli.config, terminal).await,
        TopCommand::Crawl(command) => command.run(cli.config, terminal).await,
        TopCommand::Serve(command) => command.run(cli.config).await,
        TopCommand::Worker(command) => command.run(cli.config).await,
        TopCommand::Jobs(command) => command.run(cli.config).await,
        TopCommand::Dataset(command) => command.run(cli.config, terminal).await,
        TopCommand::Hash(command) => command.run(&cli.config).await,
        TopCommand::Token(command) => command.run(&cli.config),
        TopCommand::ApiKey(command) => command.run(cli.config).await,
        TopCommand::Keys(command) => command.run(cli.config).await,
        TopCommand::Plugin(command) => command.run(cli.config).await,
        TopCommand::User(command) => command.run(cli.config).await,
        TopCommand::Sweep(command) => command.run(cli.config).await,
        TopCommand::Objects(command) => command.run(cli.config, terminal).await,
        TopCommand::Backup(command) => command.run(cli.config).await,
        TopCommand::Restore(command) => command.run(cli.config).await,
        TopCommand::Migrate(command) => command.run(cli.config).await,
        TopCommand::Openapi(command) => Ok(command.run()),
        TopCommand::Doctor(command) => command.run(cli.config).await,
        TopCommand::Decode(command) => command.run(&cli.config),
        TopCommand::Compile(command) => command.run(),
    }
}

impl TopCommand {
    /// Whether what it writes is for nobody but this user. The tools of authors write into their
    /// projects, and run the tools of their languages there.
    const fn is_private(&self, config: &Config) -> bool {
        match self {
            Self::Plugin(command) => command.changes_the_data_folder(config),
            _ => true,
        }
    }

    /// Whether its output is for a person who waits: only warnings are logged.
    const fn is_quiet(&self) -> bool {
        !matches!(self, Self::Serve(_) | Self::Worker(_))
    }
}

/// Writes to standard output.
fn say(text: &str) {
    // Nothing sensible can be done when it is closed.
    let _ = writeln!(std::io::stdout(), "{}", visible::visible(text));
}

/// How many of what: `1 step`, `2 steps`.
fn counted(count: impl Display + PartialEq + From<u8>, noun: &str) -> String {
    let plural = if count == 1.into() { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Writes to standard error: what goes on, for who watches.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", visible::visible(text));
}

/// Says why a command failed.
fn report(error: &anyhow::Error) -> ExitCode {
    tell(&format!("pixcrawler: {}", crate::error::chain(error.as_ref())));
    match error.downcast_ref() {
        Some(app::StartError::Stopped) => ExitCode::from(130),
        Some(error) if error.is_of_settings() => ExitCode::from(2),
        _ if error.is::<WrongUsage>() => ExitCode::from(2),
        _ => ExitCode::FAILURE,
    }
}
