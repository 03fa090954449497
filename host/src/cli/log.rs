//! Log lines, to standard error: text for people or one JSON object a line.

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Log, LogFormat};

/// Starts logging. A filter that cannot be read is named, and the default used.
pub(super) fn start(config: &Log) {
    let default = if config.debug { "info,pixcrawler=debug" } else { "warn,pixcrawler=info" };
    let asked = config.log.as_deref().unwrap_or(default);
    let (filter, wrong) = match EnvFilter::try_new(asked) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(default), Some(error)),
    };
    let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => lines.json().flatten_event(true).with_span_list(false).init(),
    }
    if let Some(error) = wrong {
        tracing::warn!(%error, "cannot read the log filter `{asked}`; using `{default}`");
    }
}
