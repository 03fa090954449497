//! Named points at which the process ends as if killed, so that tests can show that
//! whatever moment a machine dies in, nothing is lost.

use std::sync::atomic::{AtomicU32, Ordering};

/// At most one point that is armed; none in normal use.
#[derive(Debug, Default)]
pub struct Failpoint {
    armed: Option<ArmedFailpoint>,
}

#[derive(Debug)]
struct ArmedFailpoint {
    point: String,
    /// Only passings whose text contains this count.
    text: String,
    left: AtomicU32,
}

impl Failpoint {
    /// Reads `POINT`, `POINT:N` or `POINT:N@TEXT`: ends the process at the Nth passing
    /// (the first, when not given) of this point with this text.
    #[must_use]
    pub fn new(setting: Option<&str>) -> Self {
        let armed = setting.map(|setting| {
            let (place, text) = setting.split_once('@').unwrap_or((setting, ""));
            let (point, count) = place.split_once(':').unwrap_or((place, "1"));
            ArmedFailpoint {
                point: point.to_owned(),
                text: text.to_owned(),
                left: AtomicU32::new(count.parse().unwrap_or(1)),
            }
        });
        Self { armed }
    }

    /// Passes a point.
    pub(super) fn hit(&self, point: &str, text: &str) {
        let Some(armed) = &self.armed else { return };
        if armed.point == point
            && text.contains(&armed.text)
            && armed.left.fetch_sub(1, Ordering::Relaxed) == 1
        {
            // SIGKILL cannot be caught or delayed, so nothing is tidied up.
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }
}
