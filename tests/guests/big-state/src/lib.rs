//! A guest whose state grows past the limit.

use guest_frame::{Answer, Error, Guest, Info, Next, Query, Step, get, info, step};

struct BigState;

impl Guest for BigState {
    fn describe() -> Info {
        info("big-state")
    }

    /// As many bytes of state as the query says.
    fn start(query: Query) -> Result<Step, Error> {
        let size =
            query.text.parse().map_err(|_| Error::InvalidQuery("write a number of bytes".to_owned()))?;
        Ok(step(Next::Fetch(vec![get("http://site.example/")]), "x".repeat(size)))
    }

    fn resume(query: Query, _: String, _: Vec<Answer>) -> Result<Step, Error> {
        Self::start(query)
    }
}

guest_frame::bindings::export!(BigState with_types_in guest_frame::bindings);
