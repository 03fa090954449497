//! What one chunk may cost its source and this host, all its slices together.

use crate::db::chunks::Chunk;

/// Steps in a row that may ask for the same answers again.
const MOST_AGAIN: u32 = 64;
/// Steps.
const MOST_STEPS: i32 = 10_000;
/// Requests of the source.
const MOST_ASKED: i32 = 50_000;
/// Bytes of answers to them.
const MOST_RECEIVED: i64 = 4 << 30;

/// Why no further step may be made, if so; `again` is how many in a row asked for the
/// same answers.
pub(super) fn used_up(chunk: &Chunk, again: u32) -> Option<String> {
    let over = |what: &str, most: String| Some(format!("the source used up its budget of {most} {what}"));
    if chunk.steps >= MOST_STEPS {
        over("steps", MOST_STEPS.to_string())
    } else if chunk.asked >= MOST_ASKED {
        over("requests", MOST_ASKED.to_string())
    } else if chunk.received >= MOST_RECEIVED {
        over("bytes of answers", MOST_RECEIVED.to_string())
    } else if again > MOST_AGAIN {
        Some(format!(
            "fault of the plugin: it asked to be called again more than {MOST_AGAIN} times in a row"
        ))
    } else {
        None
    }
}
