//! A guest that writes more than anyone wants to read.

use guest_frame::{
    Answer, Error, Guest, Info, Next, Query, Step,
    bindings::pixcrawler::source::log::{Level, log},
    candidate, info, step,
};

struct Flood;

impl Guest for Flood {
    fn describe() -> Info {
        info("flood")
    }

    fn start(query: Query) -> Result<Step, Error> {
        let line = format!("\u{1b}[2Jflood\n{}", "x".repeat(10_000));
        for _ in 0..10_000 {
            log(Level::Error, &line);
        }
        for _ in 0..1_000 {
            eprintln!("{line}");
        }
        if query.text == "sink" {
            panic!("sunk");
        }
        let mut last = step(Next::Done, "");
        last.candidates = vec![candidate("http://site.example/flood.png")];
        last.warnings = vec![line; 1_000];
        Ok(last)
    }

    fn resume(query: Query, _: String, _: Vec<Answer>) -> Result<Step, Error> {
        Self::start(query)
    }
}

guest_frame::bindings::export!(Flood with_types_in guest_frame::bindings);
