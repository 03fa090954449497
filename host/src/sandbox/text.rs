//! Text that a plugin wrote, made fit for logs, terminals and the database.

/// Gives at most `max` characters of `text` without control characters (terminal escapes,
/// U+0000, which Postgres cannot hold); line breaks and tabs stay.
pub(crate) fn printable(text: &str, max: usize) -> String {
    text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).take(max).collect()
}
