//! What one instance may use: memory up to a limit, a WASI with nothing behind it,
//! and a bounded log. Made anew for every call.

use std::{sync::Arc, time::Duration};

use rand::{SeedableRng, rngs::StdRng};
use wasmtime::{ResourceLimiter, component::HasSelf, component::Linker};
use wasmtime_wasi::{
    HostMonotonicClock, HostWallClock, ResourceTable, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView,
};

use super::{
    bindings::{
        Plugin,
        pixcrawler::source::{log, types},
    },
    stderr::Stderr,
    text::printable,
};

/// Log lines of one call; what is more is counted, not written.
const MAX_LOG_LINES: u32 = 100;
/// Characters of one log line.
const MAX_LOG_CHARS: usize = 1000;
/// Elements of one table: function pointers of the largest guests (Python) with room to spare.
pub(super) const MAX_TABLE_ELEMENTS: usize = 100_000;
/// Random bytes that one call makes; each costs the host some nanoseconds.
const MAX_RANDOM: u64 = 64 << 10;
/// Core instances of one component; Python's has the most.
pub(super) const MAX_CORE_INSTANCES: u32 = 128;
/// Tables of one component.
pub(super) const MAX_TABLES: u32 = 16;
/// Linear memories of one component.
pub(super) const MAX_MEMORIES: u32 = 4;

/// What the host holds for one running instance.
pub(super) struct InstanceState {
    source: Arc<str>,
    wasi: WasiCtx,
    resources: ResourceTable,
    stderr: Stderr,
    memory: MemoryMeter,
    log_lines: u32,
    last_error: String,
}

/// Linear memory of one instance, all its memories together, in bytes.
#[derive(Clone, Copy, Debug)]
struct MemoryMeter {
    limit: usize,
    used: usize,
    peak: usize,
}

/// The instance wanted more memory than it may have.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{wanted} bytes of memory wanted, {limit} allowed")]
pub(super) struct OutOfMemory {
    /// In bytes, what it would have had.
    pub(super) wanted: usize,
    /// In bytes.
    pub(super) limit: usize,
}

impl InstanceState {
    /// Makes what an instance of `source` has, with `memory` bytes at most.
    pub(super) fn new(source: Arc<str>, memory: usize) -> Self {
        let stderr = Stderr::default();
        let wasi = WasiCtxBuilder::new()
            // Nobody reads it, but it takes no more at a time than the other.
            .stdout(Stderr::default())
            .stderr(stderr.clone())
            .wall_clock(FixedClock)
            .monotonic_clock(FixedClock)
            .secure_random(StdRng::seed_from_u64(0))
            .insecure_random(StdRng::seed_from_u64(0))
            .insecure_random_seed(0)
            .max_random_size(MAX_RANDOM)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false)
            .build();
        let memory = MemoryMeter { limit: memory, used: 0, peak: 0 };
        Self {
            source,
            wasi,
            resources: ResourceTable::new(),
            stderr,
            memory,
            log_lines: 0,
            last_error: String::new(),
        }
    }

    /// Names the source whose instance this is.
    pub(super) fn source(&self) -> &str {
        &self.source
    }

    /// Gives the most linear memory so far, in bytes.
    pub(super) const fn peak_memory(&self) -> u64 {
        self.memory.peak as u64
    }

    /// Gives the end of what the guest wrote to stderr, fit for a terminal.
    pub(super) fn stderr(&self) -> String {
        self.stderr.contents()
    }

    /// Gives what the guest said last when it broke off: on stderr, or as an error in its log, where
    /// the SDK for Rust has its panics.
    pub(super) fn last_words(&self) -> String {
        Some(self.stderr())
            .filter(|words| !words.is_empty())
            .unwrap_or_else(|| printable(&self.last_error, MAX_LOG_CHARS))
    }

    /// Logs how many log lines were left out.
    pub(super) fn close_log(&self) {
        if let Some(left_out) = self.log_lines.checked_sub(MAX_LOG_LINES).filter(|lines| *lines > 0) {
            let most = MAX_LOG_LINES;
            tracing::info!(event = "plugin-log-cut", source = %self.source, most, left_out, "further log lines of the plugin left out");
        }
    }
}

/// Links everything a component may import.
///
/// A guest is stopped at its deadline only between two of these calls, so that each must be
/// short. What it gives to one is at most [`MAX_GIVEN`](super::limits::MAX_GIVEN) bytes, also
/// as a list of handles, or it is trapped before they are copied. Beyond that:
///
/// | Import | What bounds one call |
/// | --- | --- |
/// | `pixcrawler:source/log` | the line is cut, lines after the first hundred are only counted |
/// | `wasi:random` | [`MAX_RANDOM`] bytes, more is a trap |
/// | `wasi:io/streams`, out | what `check-write` allows: more is a trap, zeroes too |
/// | `wasi:io/streams`, in | standard input is at its end |
/// | `wasi:io/poll`, `wasi:clocks` | a wait is a timer of the host's, ended by the deadline |
/// | `wasi:cli/environment`, `arguments` | there are none |
/// | `wasi:cli/exit` | a trap |
/// | `wasi:cli/terminal-*` | there is none |
/// | `wasi:filesystem` | no folder is open, so no descriptor can be had |
/// | `wasi:sockets` | none may be made, no name looked up |
/// | handles of all of these | Wasmtime's count of live ones |
pub(super) fn link(linker: &mut Linker<InstanceState>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    Plugin::add_to_linker::<InstanceState, HasSelf<InstanceState>>(linker, |state| state)
}

impl log::Host for InstanceState {
    fn log(&mut self, level: log::Level, message: String) {
        self.log_lines = self.log_lines.saturating_add(1);
        if self.log_lines <= MAX_LOG_LINES {
            self.show(level, &message);
        }
        if matches!(level, log::Level::Error) {
            // What comes last is why it broke off, however much came before.
            self.last_error = message;
        }
    }
}

impl InstanceState {
    fn show(&self, level: log::Level, message: &str) {
        let (source, message) = (&self.source, printable(message, MAX_LOG_CHARS));
        match level {
            log::Level::Debug => tracing::debug!(event = "plugin-log", %source, text = message, "plugin log"),
            log::Level::Info => tracing::info!(event = "plugin-log", %source, text = message, "plugin log"),
            log::Level::Warn => tracing::warn!(event = "plugin-log", %source, text = message, "plugin log"),
            log::Level::Error => tracing::error!(event = "plugin-log", %source, text = message, "plugin log"),
        }
    }
}

impl types::Host for InstanceState {}

impl WasiView for InstanceState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.resources }
    }
}

/// Refusing growth is a trap and not a quiet failure: the author then reads the limit
/// and not whatever the guest's allocator makes of it.
impl ResourceLimiter for InstanceState {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let wanted = self.memory.used.saturating_add(desired.saturating_sub(current));
        if wanted > self.memory.limit {
            return Err(OutOfMemory { wanted, limit: self.memory.limit }.into());
        }
        self.memory.used = wanted;
        self.memory.peak = self.memory.peak.max(wanted);
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE_ELEMENTS)
    }

    fn instances(&self) -> usize {
        MAX_CORE_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        MAX_TABLES as usize
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES as usize
    }
}

/// Always the same instant: a plugin is a pure function, and a recorded run must replay.
struct FixedClock;

impl HostWallClock for FixedClock {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// 2026-01-01 00:00 UTC.
    fn now(&self) -> Duration {
        Duration::from_secs(1_767_225_600)
    }
}

impl HostMonotonicClock for FixedClock {
    fn resolution(&self) -> u64 {
        1_000_000_000
    }

    fn now(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, sync::Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct LogLines(Arc<Mutex<Vec<u8>>>);

    impl Write for LogLines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn the_log_is_bounded_and_harmless() {
        let lines = LogLines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            let mut state = InstanceState::new(Arc::from("chatty"), 0);
            for _ in 0..MAX_LOG_LINES + 7 {
                let message = format!("\u{1b}[2J forged\nline{}", "x".repeat(MAX_LOG_CHARS));
                log::Host::log(&mut state, log::Level::Info, message);
            }
            state.close_log();
        });
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.lines().count(), MAX_LOG_LINES as usize + 1, "one line each and one for the rest");
        assert!(text.lines().all(|line| line.len() < MAX_LOG_CHARS + 200 && line.contains("chatty")));
        assert!(text.ends_with("left_out=7\n") && !text.contains('\u{1b}'), "{text}");
    }
}
