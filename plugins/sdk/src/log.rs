//! Lines for the author of a source.

use crate::Level;

/// Writes a line to the source's log; in a native test, to stderr. It is not
/// part of the result: what the user should know belongs in
/// [`Found::warnings`](crate::Found::warnings).
pub fn log(level: Level, message: &str) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::pixcrawler::source::log::log(level, message);
    #[cfg(not(target_arch = "wasm32"))]
    #[expect(clippy::print_stderr, reason = "there is no host to take it")]
    {
        eprintln!("{level:?}: {message}");
    }
}
