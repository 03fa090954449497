//! A guest that takes all the memory it can get.

use guest_frame::{Answer, Error, Guest, Info, Next, Query, Step, info, step};

struct Hog;

impl Guest for Hog {
    fn describe() -> Info {
        info("hog")
    }

    fn start(_: Query) -> Result<Step, Error> {
        let mut hoard = Vec::new();
        while hoard.len() < 4096 {
            hoard.push(std::hint::black_box(vec![1_u8; 1 << 20]));
        }
        Ok(step(Next::Done, ""))
    }

    fn resume(query: Query, _: String, _: Vec<Answer>) -> Result<Step, Error> {
        Self::start(query)
    }
}

guest_frame::bindings::export!(Hog with_types_in guest_frame::bindings);
