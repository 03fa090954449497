//! Why a call broke off, in words for the plugin's author.

use wasmtime::{FrameSymbol, WasmBacktrace};

use super::{
    instance::OutOfMemory,
    limits::{MAX_GIVEN, MAX_RETURNED},
    step::StepError,
    text::printable,
};

/// Lines of source that are named.
const MOST_LINES: usize = 5;

/// Finds which limit was passed, or what the guest broke off with.
pub(super) fn failed(error: &wasmtime::Error, last_words: String) -> StepError {
    if let Some(memory) = error.downcast_ref::<OutOfMemory>() {
        return StepError::Memory { limit: memory.limit, wanted: memory.wanted };
    }
    let message = error.root_cause().to_string();
    // Wasmtime keeps the type of this error to itself.
    if message.contains("fuel allocated for hostcalls has been exhausted") {
        // Only while the guest runs there are frames of it.
        let (what, limit) = match error.downcast_ref::<WasmBacktrace>() {
            Some(_) => ("bytes in what it gives to a function of the host", MAX_GIVEN),
            None => ("bytes in what the step returns", MAX_RETURNED),
        };
        return StepError::TooMuch { what, limit, found: None };
    }
    let lines = error.downcast_ref::<WasmBacktrace>().map(lines).unwrap_or_default();
    let at = if lines.is_empty() { String::new() } else { format!(" at {}", lines.join(", called at ")) };
    StepError::Trap { message: printable(&(message + &at), 1000), last_words }
}

/// Names the author's own lines of source, innermost first; none without debug information.
fn lines(backtrace: &WasmBacktrace) -> Vec<String> {
    let symbols = backtrace.frames().iter().flat_map(|frame| frame.symbols());
    let mut lines: Vec<String> = symbols.filter_map(line).collect();
    lines.dedup();
    lines.truncate(MOST_LINES);
    lines
}

/// None for the standard library and for dependencies.
fn line(symbol: &FrameSymbol) -> Option<String> {
    const OTHERS: [&str; 4] = ["/rustc/", "/rustlib/", "/.cargo/registry/", "/.cargo/git/"];
    let file = symbol.file().filter(|file| !OTHERS.iter().any(|other| file.contains(other)))?;
    Some(format!("{file}:{}", symbol.line()?))
}
