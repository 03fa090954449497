//! A guest that gives more than fits: candidates or requests.

use guest_frame::{Answer, Error, Guest, Info, Next, Query, Step, candidate, get, info, step};

struct TooMany;

impl Guest for TooMany {
    fn describe() -> Info {
        info("too-many")
    }

    /// `requests N` or `candidates N`.
    fn start(query: Query) -> Result<Step, Error> {
        let usage = || Error::InvalidQuery("write `requests N` or `candidates N`".to_owned());
        let (what, number) = query.text.split_once(' ').ok_or_else(usage)?;
        let numbers = 0..number.parse::<u32>().map_err(|_| usage())?;
        match what {
            "requests" => {
                Ok(step(Next::Fetch(numbers.map(|n| get(format!("http://site.example/{n}"))).collect()), ""))
            }
            "candidates" => {
                let mut last = step(Next::Done, "");
                last.candidates =
                    numbers.map(|n| candidate(format!("http://site.example/{n}.jpg"))).collect();
                Ok(last)
            }
            _ => Err(usage()),
        }
    }

    fn resume(query: Query, _: String, _: Vec<Answer>) -> Result<Step, Error> {
        Self::start(query)
    }
}

guest_frame::bindings::export!(TooMany with_types_in guest_frame::bindings);
