//! `decode-pictures`: the child that decodes for a worker.

use std::process::ExitCode;

use clap::Args;

use crate::{app::decode_limits, config::Config, crawl::decode};

/// Decode pictures for a worker, which starts this by itself
#[derive(Args, Debug)]
#[command(name = decode::SUBCOMMAND, hide = true)]
pub(super) struct Decode {}

impl Decode {
    pub(super) fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        decode::serve(&decode_limits(config))?;
        Ok(ExitCode::SUCCESS)
    }
}
