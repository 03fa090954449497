//! Log lines, to standard error: text for people or one JSON object a line. A line that somebody
//! may wait for has a field `event`, which stays the same where the words around it change. What a
//! command for people warns of is a plain sentence instead, said once.

use std::{
    collections::HashSet,
    fmt::{self, Write as _},
    io,
    sync::{Mutex, PoisonError},
};

use indicatif::MultiProgress;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
};
use tracing_log::{LogTracer, NormalizeEvent as _};
use tracing_subscriber::{
    EnvFilter, Layer as _,
    filter::filter_fn,
    fmt::{
        FmtContext, FormatEvent, FormatFields, FormattedFields,
        format::Writer,
        time::{FormatTime as _, SystemTime},
    },
    layer::SubscriberExt as _,
    registry::LookupSpan,
};

use crate::{
    cli::visible::visible,
    config::{Log, LogFormat},
};

/// What crates of others do here, by the beginnings of their names: who reads a log does not know them.
const OTHERS: [(&str, &str); 10] = [
    ("graphile_worker", "queue"),
    ("sqlx", "database"),
    ("poem", "http"),
    ("object_store", "store"),
    ("hyper", "http"),
    ("reqwest", "http"),
    ("rustls", "tls"),
    ("hickory", "dns"),
    ("wasmtime", "plugins"),
    ("cranelift", "plugins"),
];

/// Starts logging. A filter that cannot be read is named, and the default used: warnings
/// of our own only for a command that is `quiet`, which tells by itself what becomes of a crawl. Lines go
/// above what `terminal` shows.
pub(super) fn start(config: &Log, quiet: bool, terminal: &MultiProgress) {
    let default = match (config.debug, quiet) {
        (true, _) => "info,pixcrawler=debug",
        // The engine of the queue and the pool of connections tell each failure once for each slot and
        // connection, and we tell it for all. Names are matched by how they begin.
        (false, false) => "warn,graphile=off,sqlx_core::pool=off,pixcrawler=info",
        (false, true) => "pixcrawler=warn,pixcrawler::crawl=error",
    };
    let log = config.log.as_deref().filter(|log| !log.is_empty());
    let asked = log.unwrap_or(default);
    let (filter, wrong) = match EnvFilter::try_new(asked) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new(default), Some(error)),
    };
    let terminal = terminal.clone();
    let lines = tracing_subscriber::fmt::layer().with_writer(move || LineWriter(terminal.clone()));
    let is_for_people = quiet && log.is_none() && !config.debug;
    let lines = match config.log_format {
        LogFormat::Text if is_for_people => lines.event_format(Sentences::default()).boxed(),
        LogFormat::Text => {
            lines.with_ansi(io::IsTerminal::is_terminal(&io::stderr())).event_format(Lines).boxed()
        }
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
    is_ours(what.target()) || *what.level() <= Level::INFO
}

fn is_ours(target: &str) -> bool {
    target.split("::").next() == Some(env!("CARGO_CRATE_NAME"))
}

/// What a crate of others does here.
fn other(target: &str) -> Option<&str> {
    let crate_name = target.split("::").next().filter(|_| !is_ours(target))?;
    let known = OTHERS.iter().find(|(begin, _)| crate_name.starts_with(begin));
    Some(known.map_or(crate_name, |(_, name)| name))
}

/// A line of log as text: when, how grave, what, and the fields but for `event`, which is for programs.
struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let normalized = event.normalized_metadata();
        let metadata = normalized.as_ref().unwrap_or_else(|| event.metadata());
        SystemTime.format_time(&mut writer)?;
        let colour = match *metadata.level() {
            Level::ERROR => 31,
            Level::WARN => 33,
            Level::INFO => 32,
            _ => 34,
        };
        if writer.has_ansi_escapes() {
            write!(writer, " \u{1b}[{colour}m{:>5}\u{1b}[0m ", metadata.level())?;
        } else {
            write!(writer, " {:>5} ", metadata.level())?;
        }
        let words = Words::of(event, false);
        let mut line = other(metadata.target()).map_or_else(String::new, |name| format!("{name}: "));
        line += &words.message;
        line += &words.fields;
        for span in
            context.event_scope().into_iter().flatten().filter(|span| is_ours(span.metadata().target()))
        {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                line += &format!(" {}", fields.fields);
            }
        }
        writeln!(writer, "{}", harmless(&line, false))
    }
}

/// What a command for people warns of: plain sentences, each once.
#[derive(Default)]
struct Sentences {
    said: Mutex<HashSet<String>>,
}

impl<S, N> FormatEvent<S, N> for Sentences
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let words = Words::of(event, true);
        let mut sentence = words.message;
        if let Some(reason) = words.reason {
            sentence += &format!(": {reason}");
        }
        if let Some(fields) = words.fields.strip_prefix(", ") {
            sentence += &format!(" ({fields})");
        }
        let kind = if *event.metadata().level() == Level::ERROR { "Error" } else { "Warning" };
        let sentence = format!("{kind}: {}", harmless(&sentence, true));
        if self.said.lock().unwrap_or_else(PoisonError::into_inner).insert(sentence.clone()) {
            writeln!(writer, "{sentence}")?;
        }
        Ok(())
    }
}

/// What an event says.
struct Words {
    message: String,
    /// Why, where it is to be a sentence.
    reason: Option<String>,
    /// The others, each behind what separates it.
    fields: String,
    is_sentence: bool,
}

impl Words {
    /// Reads what is said. In a sentence texts have no quotes, and the reason stands apart.
    fn of(event: &Event<'_>, is_sentence: bool) -> Self {
        let mut words = Self { message: String::new(), reason: None, fields: String::new(), is_sentence };
        event.record(&mut words);
        words
    }

    fn add(&mut self, field: &Field, value: String) {
        match field.name() {
            "message" => self.message = value,
            "event" => {}
            // Where a line comes from that was told through `log`.
            name if name.starts_with("log.") => {}
            "error" | "reason" if self.is_sentence => self.reason = Some(value),
            name => {
                let name = name.strip_prefix("r#").unwrap_or(name);
                // Writing to a string does not fail.
                let _ = if self.is_sentence {
                    write!(self.fields, ", {name} {value}")
                } else {
                    write!(self.fields, " {name}={value}")
                };
            }
        }
    }
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        let value = if self.is_sentence { value.to_owned() } else { format!("{value:?}") };
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}

/// The text without what moves a terminal's cursor or changes its colours; what plugins and sites
/// wrote may be in it. A sentence may have several lines.
fn harmless(text: &str, lines: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() && !(lines && letter == '\n') {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    shown
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
