//! What the source of one chunk may use up in all; each limit is named when it is passed.

use crate::{db::chunks::Chunk, plugin::MOST_AGAIN};

const MOST_STEPS: i32 = 10_000;
const MOST_REQUESTS: i32 = 50_000;
/// Of answers to the source's own requests.
const MOST_BYTES: i64 = 4 << 30;

/// The budget that does not allow for another step, in words for the user.
pub(super) fn exceeded(chunk: &Chunk, again: u32) -> Option<String> {
    let used_up = |most: i64, what: &str| Some(format!("the source used up its budget of {most} {what}"));
    if chunk.steps >= MOST_STEPS {
        used_up(MOST_STEPS.into(), "steps")
    } else if chunk.asked >= MOST_REQUESTS {
        used_up(MOST_REQUESTS.into(), "requests")
    } else if chunk.received >= MOST_BYTES {
        used_up(MOST_BYTES, "bytes of answers")
    } else if again > MOST_AGAIN {
        Some(format!(
            "fault of the plugin: it asked to be called again more than {MOST_AGAIN} times in a row"
        ))
    } else {
        None
    }
}
