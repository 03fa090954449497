//! Errors in words: for a log line or a reason. The API shows none of these.

pub use crate::model::meant;

/// Puts an error and its causes on one line, the outermost first.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    for cause in std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string) {
        // Some errors say what their cause says.
        if !text.ends_with(&cause) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&cause);
        }
    }
    text
}
