//! The next version of the guest `steps`: other addresses, and a state of its own.

use guest_frame::{Answer, Error, Guest, Info, Next, Query, Step, candidate, get, info, step, text};

/// Page N of `http://site.example/next/N?q=…` is as those of `steps`.
struct Upgrade;

impl Guest for Upgrade {
    fn describe() -> Info {
        Info { version: "0.2.0".to_owned(), ..info("steps") }
    }

    fn start(query: Query) -> Result<Step, Error> {
        Ok(page(&query, 1))
    }

    fn resume(query: Query, state: String, answers: Vec<Answer>) -> Result<Step, Error> {
        let number: u32 = state
            .strip_prefix("next ")
            .and_then(|number| number.parse().ok())
            .unwrap_or_else(|| panic!("the state `{state}` is another build's"));
        let (pictures, more): (Vec<&str>, Vec<&str>) =
            text(&answers)?.lines().partition(|line| *line != "more");
        let mut next = if more.is_empty() { step(Next::Done, "") } else { page(&query, number + 1) };
        next.candidates = pictures.into_iter().map(candidate).collect();
        Ok(next)
    }
}

fn page(query: &Query, number: u32) -> Step {
    let request = get(format!("http://site.example/next/{number}?q={}", query.text));
    step(Next::Fetch(vec![request]), format!("next {number}"))
}

guest_frame::bindings::export!(Upgrade with_types_in guest_frame::bindings);
