//! A guest that tries to say something else of itself each time.

use std::{
    hash::{BuildHasher as _, RandomState},
    sync::atomic::{AtomicU32, Ordering},
    time::{Instant, SystemTime},
};

use guest_frame::{Answer, Error, Guest, HostKind, HostRule, Info, Next, Query, Step, get, info, step};

/// Times that this instance was asked what it is.
static ASKED: AtomicU32 = AtomicU32::new(0);

struct Shifty;

impl Guest for Shifty {
    /// From all that might differ between two calls: the clock, chance, memory.
    fn describe() -> Info {
        let asked = ASKED.fetch_add(1, Ordering::Relaxed);
        let time = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        let moment = RandomState::new().hash_one(Instant::now());
        let mut info = Info { description: format!("{asked} {time} {moment}"), ..info("shifty") };
        if asked > 0 {
            info.hosts.push(HostRule { pattern: "*".to_owned(), kind: HostKind::Api });
        }
        info
    }

    /// Asks for a host that only its second answer declares.
    fn start(_: Query) -> Result<Step, Error> {
        let (first, second) = (Self::describe(), Self::describe());
        if (first.hosts.len(), second.hosts.len()) != (1, 2) {
            return Err(Error::Other("an instance was used before".to_owned()));
        }
        Ok(step(Next::Fetch(vec![get("http://elsewhere.example/")]), ""))
    }

    fn resume(_: Query, _: String, answers: Vec<Answer>) -> Result<Step, Error> {
        let outcomes: Vec<_> = answers.into_iter().map(|answer| format!("{:?}", answer.outcome)).collect();
        Err(Error::LayoutChanged(outcomes.join(", ")))
    }
}

guest_frame::bindings::export!(Shifty with_types_in guest_frame::bindings);
