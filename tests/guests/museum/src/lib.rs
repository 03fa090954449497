//! A guest that walks a long list in windows, with a request for each thing.

use guest_frame::{
    Answer, Content, Error, Failure, Guest, Info, Next, Query, Request, Response, Step, candidate, get, info,
    step,
};

/// Things asked for at a time.
const WINDOW: usize = 2;
/// Pictures given in one step.
const HANDFUL: usize = 2;

/// `http://site.example/list?q=…` has one id a line, `http://site.example/thing/ID` the
/// addresses of its pictures. The state is how many things were asked for so far, and how
/// many pictures of the last ones were given.
struct Museum;

impl Guest for Museum {
    /// One request every 10 ms.
    fn describe() -> Info {
        Info { requests_per_minute: Some(6000), ..info("museum") }
    }

    fn start(query: Query) -> Result<Step, Error> {
        Ok(step(Next::Fetch(vec![list(&query)]), "0 0"))
    }

    fn resume(query: Query, state: String, answers: Vec<Answer>) -> Result<Step, Error> {
        let numbers: Result<Vec<usize>, _> = state.split(' ').map(str::parse).collect();
        let Ok([at, given]) = numbers.as_deref() else {
            return Err(Error::Other(format!("state `{state}` is not a place")));
        };
        let mut answers = answers.into_iter();
        let ids = answers.next().map(text).ok_or_else(|| Error::Other("no list".to_owned()))??;
        if ids == "slow down" {
            return Err(Error::RateLimited(Some(1)));
        }
        let mut pictures = Vec::new();
        for answer in answers {
            if matches!(answer.outcome, Err(Failure::Skipped)) {
                continue;
            }
            let id = answer.url.rsplit('/').next().map(str::to_owned);
            pictures.extend(text(answer)?.lines().map(|url| {
                let mut found = candidate(url);
                found.id.clone_from(&id);
                found
            }));
        }
        let left = pictures.len().saturating_sub(given + HANDFUL);
        let window: Vec<&str> = ids.lines().skip(*at).take(WINDOW).collect();
        let mut next = if left > 0 {
            step(Next::Again, format!("{at} {}", given + HANDFUL))
        } else if window.is_empty() {
            step(Next::Done, "")
        } else {
            let things = window.iter().map(|id| Request {
                item: Some((*id).to_owned()),
                ..get(format!("http://site.example/thing/{id}"))
            });
            let all = std::iter::once(list(&query)).chain(things).collect();
            step(Next::Fetch(all), format!("{} 0", at + window.len()))
        };
        next.candidates = pictures.into_iter().skip(*given).take(HANDFUL).collect();
        Ok(next)
    }
}

fn list(query: &Query) -> Request {
    Request { keep: true, ..get(format!("http://site.example/list?q={}", query.text.replace(' ', "+"))) }
}

fn text(answer: Answer) -> Result<String, Error> {
    match answer.outcome {
        Ok(Response { status: 200, body: Content::Text(text), .. }) => Ok(text),
        other => Err(Error::Unavailable(format!("{}: {other:?}", answer.url))),
    }
}

guest_frame::bindings::export!(Museum with_types_in guest_frame::bindings);
