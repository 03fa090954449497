//! A guest that asks hosts it did not declare.

use guest_frame::{Answer, Error, Guest, Info, Next, Query, Step, candidate, get, info, step};

struct Forbidden;

impl Guest for Forbidden {
    fn describe() -> Info {
        info("forbidden")
    }

    /// Asks for the address that the query names, whoever that is.
    fn start(query: Query) -> Result<Step, Error> {
        Ok(step(Next::Fetch(vec![get(query.text)]), ""))
    }

    /// One candidate for each answer that should not have come.
    fn resume(_: Query, _: String, answers: Vec<Answer>) -> Result<Step, Error> {
        let mut last = step(Next::Done, "");
        for answer in answers {
            match answer.outcome {
                Ok(response) => last.candidates.push(candidate(response.url)),
                Err(failure) => last.warnings.push(format!("{failure:?}")),
            }
        }
        Ok(last)
    }
}

guest_frame::bindings::export!(Forbidden with_types_in guest_frame::bindings);
