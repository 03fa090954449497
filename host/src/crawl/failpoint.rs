//! Named points at which the process ends as if killed, so that tests can show that
//! whatever moment a machine dies in, nothing is lost. A release build has none.

use crate::config;

/// At most one point that is armed; none in normal use.
#[derive(Debug)]
pub(super) struct Failpoint {
    #[cfg(debug_assertions)]
    armed: Option<ArmedFailpoint>,
}

#[cfg(debug_assertions)]
#[derive(Debug)]
struct ArmedFailpoint {
    point: String,
    /// Only passings whose text contains this count.
    text: String,
    left: std::sync::atomic::AtomicU32,
}

#[cfg(debug_assertions)]
impl Failpoint {
    /// Reads `POINT`, `POINT:N` or `POINT:N@TEXT`: ends the process at the Nth passing
    /// (the first, when not given) of this point with this text.
    pub(super) fn new(config: &config::Crawl) -> Self {
        let armed = config.kill_at.as_deref().map(|setting| {
            let (place, text) = setting.split_once('@').unwrap_or((setting, ""));
            let (point, count) = place.split_once(':').unwrap_or((place, "1"));
            let left = count.parse::<u32>().unwrap_or(1).into();
            ArmedFailpoint { point: point.to_owned(), text: text.to_owned(), left }
        });
        Self { armed }
    }

    /// Passes a point.
    pub(super) fn hit(&self, point: &str, text: &str) {
        let Some(armed) = &self.armed else { return };
        if armed.point == point
            && text.contains(&armed.text)
            && armed.left.fetch_sub(1, std::sync::atomic::Ordering::Relaxed) == 1
        {
            // SIGKILL cannot be caught or delayed, so nothing is tidied up.
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
    }
}

#[cfg(not(debug_assertions))]
impl Failpoint {
    pub(super) const fn new(_: &config::Crawl) -> Self {
        Self {}
    }

    pub(super) const fn hit(&self, _point: &str, _text: &str) {}
}
