//! Log lines, to standard error: text for people or one JSON object a line. A line that somebody
//! may wait for has a field `event`, which stays the same where the words around it change.

use std::io;

use indicatif::MultiProgress;
use tracing::{Level, Metadata};
use tracing_log::LogTracer;
use tracing_subscriber::{EnvFilter, Layer as _, filter::filter_fn, fmt, layer::SubscriberExt as _};

use crate::{
    cli::visible::visible,
    config::{Log, LogFormat},
};

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
    let lines = fmt::layer().with_writer(move || LineWriter(terminal.clone()));
    let lines = match config.log_format {
        LogFormat::Text => lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).boxed(),
    };
    let lines = tracing_subscriber::registry().with(lines.with_filter(filter_fn(keeps_secrets))).with(filter);
    // Only who starts this process sets it, and only here.
    let _ = tracing::subscriber::set_global_default(lines);
    // Crates that tell through `log` (the compiler of components tells every step of it) are
    // stopped before they have made their lines; the filter would only see these made.
    let _ = LogTracer::builder().with_max_level(tracing_log::log::LevelFilter::Info).init();
    if let Some(error) = wrong {
        tracing::warn!(%error, "cannot read the log filter `{asked}`; using `{default}`");
    }
}

/// What other crates tell below `info` is what goes over the wire: headers, addresses with
/// their queries, rows. Secrets are in there, and nobody blots them out, so no filter that
/// is asked for lets it through; our own lines are written with that in mind.
fn keeps_secrets(what: &Metadata<'_>) -> bool {
    let ours = what.target().split("::").next() == Some(env!("CARGO_CRATE_NAME"));
    ours || *what.level() <= Level::INFO
}

/// Writes whole lines without breaking progress bars.
struct LineWriter(MultiProgress);

impl io::Write for LineWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.0.suspend(|| io::stderr().write_all(visible(&text).as_bytes()))?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
