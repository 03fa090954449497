//! `openapi`: the API's document, for making clients.

use std::process::ExitCode;

use clap::Args;

use crate::{api, cli::say};

/// Print the OpenAPI document of the API
///
/// The same that a running `serve` has at /openapi.json; needs no database and no settings.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler openapi > openapi.json\n  \
    pixcrawler openapi | npx openapi-typescript -o api.d.ts")]
pub(super) struct Openapi {}

impl Openapi {
    pub(super) fn run(self) -> ExitCode {
        say(api::document().trim_end());
        ExitCode::SUCCESS
    }
}
