//! How far long work is, on standard error: a bar on a terminal, else a line now and then.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::tell;

/// Lines are at least this far apart, where there is no terminal.
const LINES: Duration = Duration::from_secs(10);

/// The display of one piece of work.
pub(super) struct Bar {
    bar: ProgressBar,
    last: Mutex<Instant>,
}

impl Bar {
    /// One that looks like this template.
    pub(super) fn new(terminal: &MultiProgress, template: &str) -> Self {
        let bar = terminal.add(ProgressBar::new(0));
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar, last: Mutex::new(Instant::now()) }
    }

    /// Says what is done before there is anything to count.
    pub(super) fn say(&self, what: &str) {
        self.bar.set_message(format!("{what} …"));
    }

    /// Shows how much is done, of how much, with a message on the bar, or a line in its place.
    pub(super) fn show(&self, done: u64, total: u64, message: String, line: impl FnOnce() -> String) {
        self.bar.set_length(total);
        self.bar.set_position(done);
        self.bar.set_message(message);
        if !self.bar.is_hidden() {
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() >= LINES {
            *last = Instant::now();
            tell(&line());
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}
