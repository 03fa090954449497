//! A guest that never comes back.

use guest_frame::{Answer, Error, Guest, Info, Query, Step, info};

struct Loops;

impl Guest for Loops {
    fn describe() -> Info {
        info("loops")
    }

    /// Waits in the host when the query is `sleep`, else in itself.
    fn start(query: Query) -> Result<Step, Error> {
        loop {
            if query.text == "sleep" {
                std::thread::sleep(std::time::Duration::from_secs(3600));
            }
            std::hint::black_box(());
        }
    }

    fn resume(query: Query, _: String, _: Vec<Answer>) -> Result<Step, Error> {
        Self::start(query)
    }
}

guest_frame::bindings::export!(Loops with_types_in guest_frame::bindings);
