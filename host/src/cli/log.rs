//! Log lines, to standard error: text for people or one JSON object a line.

use std::io;

use indicatif::MultiProgress;
use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Log, LogFormat};

/// Starts logging. A filter that cannot be read is named, and the default used: warnings
/// only for a command that is `quiet`. Lines go above what `terminal` shows.
pub(super) fn start(config: &Log, quiet: bool, terminal: &MultiProgress) {
    let default = match (config.debug, quiet) {
        (true, _) => "info,pixcrawler=debug",
        (false, false) => "warn,pixcrawler=info",
        (false, true) => "warn",
    };
    let asked = config.log.as_deref().unwrap_or(default);
    let (filter, wrong) = match EnvFilter::try_new(asked) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(default), Some(error)),
    };
    let terminal = terminal.clone();
    let lines = fmt().with_env_filter(filter).with_writer(move || Lines(terminal.clone()));
    match config.log_format {
        LogFormat::Text => lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).init(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).init(),
    }
    if let Some(error) = wrong {
        tracing::warn!(%error, "cannot read the log filter `{asked}`; using `{default}`");
    }
}

/// Writes whole lines without breaking progress bars.
struct Lines(MultiProgress);

impl io::Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.suspend(|| io::stderr().write(line))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
