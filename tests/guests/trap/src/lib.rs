//! A guest that panics.

use guest_frame::{Answer, Error, Guest, Info, Query, Step, info};

struct Trap;

impl Guest for Trap {
    fn describe() -> Info {
        info("trap")
    }

    fn start(query: Query) -> Result<Step, Error> {
        panic!("no page for `{}`", query.text)
    }

    fn resume(query: Query, _: String, _: Vec<Answer>) -> Result<Step, Error> {
        Self::start(query)
    }
}

guest_frame::bindings::export!(Trap with_types_in guest_frame::bindings);
