//! A guest that always asks on and never finds anything.

use guest_frame::{Answer, Error, Guest, Info, Next, Query, Request, Step, get, info, step};

struct Endless;

impl Guest for Endless {
    fn describe() -> Info {
        info("endless")
    }

    fn start(query: Query) -> Result<Step, Error> {
        Self::resume(query, "0".to_owned(), Vec::new())
    }

    /// Many `requests` in each step, one for many `bytes`, or else one that is `kept`, so that
    /// no request is made.
    fn resume(query: Query, state: String, _: Vec<Answer>) -> Result<Step, Error> {
        let times: u32 =
            state.parse().map_err(|_| Error::Other(format!("state `{state}` is not a number")))?;
        let page = |number: u32| get(format!("http://site.example/endless/{number}"));
        let requests = match query.text.as_str() {
            "requests" => (0..64).map(|number| page(times * 64 + number)).collect(),
            "bytes" => vec![get("http://site.example/bytes")],
            _ => vec![Request { keep: true, ..get("http://site.example/kept") }],
        };
        Ok(step(Next::Fetch(requests), (times + 1).to_string()))
    }
}

guest_frame::bindings::export!(Endless with_types_in guest_frame::bindings);
