//! A guest that asks for what it did not declare.

use guest_frame::{
    Answer, Candidate, Error, Guest, Info, Next, Query, Request, Step, candidate, get, info, step,
};

struct Forbidden;

impl Guest for Forbidden {
    fn describe() -> Info {
        info("forbidden")
    }

    /// Asks for the address that the query names, whoever that is; with a credential or the
    /// header that it names behind that.
    fn start(query: Query) -> Result<Step, Error> {
        let (address, what) = query.text.split_once(' ').unwrap_or((&query.text, ""));
        let request = match what {
            "" | "candidate" => get(address),
            "credential" => Request { credential: Some("api".to_owned()), ..get(address) },
            header => Request { headers: vec![(header.to_owned(), "mine".to_owned())], ..get(address) },
        };
        Ok(step(Next::Fetch(vec![request]), ""))
    }

    /// One candidate for each answer that should not have come.
    fn resume(query: Query, _: String, answers: Vec<Answer>) -> Result<Step, Error> {
        let mut last = step(Next::Done, "");
        let credential = query.text.ends_with(" candidate").then(|| "api".to_owned());
        for answer in answers {
            match answer.outcome {
                Ok(response) => {
                    let credential = credential.clone();
                    last.candidates.push(Candidate { credential, ..candidate(response.url) });
                }
                Err(failure) => last.warnings.push(format!("{failure:?}")),
            }
        }
        Ok(last)
    }
}

guest_frame::bindings::export!(Forbidden with_types_in guest_frame::bindings);
