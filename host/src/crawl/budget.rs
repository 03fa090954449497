//! What the source of one chunk may use up in all; each limit is named when it is passed.

use crate::{config, db::chunks::ChunkProgress};

/// The budget that does not allow for another step, in words for the user.
pub(super) fn exceeded(used: &ChunkProgress, most: &config::Crawl) -> Option<String> {
    let used_up = |most: i64, what: &str, setting: &str| {
        Some(format!("the source used up its budget of {most} {what} ({setting})"))
    };
    if used.steps >= most.source_steps {
        used_up(most.source_steps.into(), "steps", "PIXCRAWLER_SOURCE_STEPS")
    } else if used.asked >= most.source_requests {
        used_up(most.source_requests.into(), "requests", "PIXCRAWLER_SOURCE_REQUESTS")
    } else if used.received >= most.source_bytes {
        used_up(most.source_bytes, "bytes of answers", "PIXCRAWLER_SOURCE_BYTES")
    } else {
        None
    }
}
