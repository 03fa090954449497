//! `compile-component`: what this program is as a child that compiles plugins.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use crate::sandbox::{self, EngineMode};

/// Compile components for the process that started this one
#[derive(Args, Debug)]
pub(super) struct Compile {
    /// What their engine is for
    mode: EngineMode,
    /// Most memory of an instance, in MiB
    memory: usize,
    /// Where compiled code is kept
    cache: PathBuf,
    /// They come with this program, and somebody waits for them
    #[arg(long)]
    trusted: bool,
}

impl Compile {
    /// Done before there are other threads or a log: whoever started this hears what comes of it.
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        sandbox::compile(self.mode, self.memory, &self.cache, self.trusted)?;
        Ok(ExitCode::SUCCESS)
    }
}
