//! A well-behaved guest: a list in pages.

use guest_frame::{Answer, Error, Guest, Info, Next, Query, Step, candidate, get, info, step, text};

/// Page N of `http://site.example/page/N?q=…` has one address of a picture a line
/// and ends with a line `more` when there is a page after it.
struct Steps;

impl Guest for Steps {
    fn describe() -> Info {
        info("steps")
    }

    fn start(query: Query) -> Result<Step, Error> {
        Ok(page(&query, 1))
    }

    fn resume(query: Query, state: String, answers: Vec<Answer>) -> Result<Step, Error> {
        let number: u32 =
            state.parse().map_err(|_| Error::Other(format!("state `{state}` is not a page")))?;
        let (pictures, more): (Vec<&str>, Vec<&str>) =
            text(&answers)?.lines().partition(|line| *line != "more");
        let mut next = if more.is_empty() { step(Next::Done, "") } else { page(&query, number + 1) };
        next.candidates = pictures.into_iter().map(candidate).collect();
        Ok(next)
    }
}

/// Asks for one page; the query text is made of words, so only spaces need care.
fn page(query: &Query, number: u32) -> Step {
    let words = query.text.replace(' ', "+");
    step(Next::Fetch(vec![get(format!("http://site.example/page/{number}?q={words}"))]), number.to_string())
}

guest_frame::bindings::export!(Steps with_types_in guest_frame::bindings);
