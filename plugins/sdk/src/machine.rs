//! The general form of a source, and what turns one into the exported component.

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};

use crate::bindings::exports::pixcrawler::source::source::Guest;
use crate::{
    Answer, Candidate, Content, Error, Found, Info, Next, Query, Request, Step, repeat::Circle, url::hash,
};

/// Everything that can go wrong for a source is one of the contract's errors.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A source as a state machine. Nothing is remembered between calls but `State`,
/// which travels as JSON and may have 64 KiB. A turn that asks for the same with the same state as
/// one before it is the last, because what follows would be the same, too.
pub trait Machine {
    /// What is known so far: a page number, a cursor, a token.
    type State: Serialize + DeserializeOwned;

    /// What the source is; constant.
    fn info() -> Info;

    /// The first turn, before anything was fetched.
    ///
    /// # Errors
    ///
    /// When the query cannot be answered at all.
    fn start(query: &Query) -> Result<Turn<Self::State>>;

    /// Every other turn: `answers` are those to the last turn's requests, in the order asked.
    ///
    /// # Errors
    ///
    /// Ends the turn and leaves the state as it was; see [`Error`] for what the host does then.
    fn resume(query: &Query, state: Self::State, answers: Vec<Answer>) -> Result<Turn<Self::State>>;
}

/// The outcome of one turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Turn<S> {
    /// Pictures and warnings. More pictures than fit a step are handed over in parts.
    pub found: Found,
    /// What to fetch, or the end.
    pub next: Next,
    /// For the next turn.
    pub state: S,
}

/// Turns a [`Machine`] into what the host calls; see [`export_source!`](crate::export_source).
#[derive(Debug)]
pub struct Component<M>(PhantomData<M>);

/// Candidates in one step. A [`Turn`] may have more, and is then made once for every
/// step that it fills; one that reads a large file in parts gives no more than these.
pub const CANDIDATES_PER_STEP: usize = 2_000;
/// Bytes of text in them (but for the first): a host accepts 16 MiB from one call, and
/// going over is a trap.
const BYTES_PER_STEP: usize = 4 << 20;

/// Before the state of a turn that is handed over in parts: how many candidates
/// were given, then the state that the turn began with.
const AGAIN: &str = "again ";

impl<M: Machine> Guest for Component<M> {
    fn describe() -> Info {
        report_panics();
        M::info()
    }

    fn start(query: Query) -> Result<Step> {
        report_panics();
        step::<M>(&query, "", Vec::new(), 0)
    }

    fn resume(query: Query, state: String, answers: Vec<Answer>) -> Result<Step> {
        report_panics();
        match state.strip_prefix(AGAIN).and_then(|rest| rest.split_once(' ')) {
            Some((given, before)) => {
                let given = given.parse().map_err(|_| unreadable(&state))?;
                step::<M>(&query, before, answers, given)
            }
            None => step::<M>(&query, &state, answers, 0),
        }
    }
}

/// Makes the turn that begins with `state` (empty: the first one) and hands over
/// the part of it that follows the candidates already given. A turn that is
/// larger than a step is made again for every part: a source is a pure
/// function, so it comes out the same.
fn step<M: Machine>(query: &Query, state: &str, answers: Vec<Answer>, given: usize) -> Result<Step> {
    let (mut circle, turn) = if state.is_empty() {
        (Circle::default(), M::start(query)?)
    } else {
        let (circle, known) = parts(state).ok_or_else(|| unreadable(state))?;
        let known = serde_json::from_str(known).map_err(|_| unreadable(state))?;
        (circle, M::resume(query, known, answers)?)
    };
    let Found { mut candidates, mut warnings } = turn.found;
    if given > 0 {
        candidates.drain(..given.min(candidates.len()));
        warnings.clear();
    }
    let fitting = fitting(&candidates);
    let (next, state) = if candidates.len() > fitting {
        candidates.truncate(fitting);
        (Next::Again, format!("{AGAIN}{} {state}", given + fitting))
    } else if turn.next == Next::Done {
        (Next::Done, String::new())
    } else {
        let state = serde_json::to_string(&turn.state)
            .map_err(|error| Error::Other(format!("the state cannot be written as JSON: {error}")))?;
        if circle.closes_at(place(&turn.next, &state)) {
            warnings.push("the site leads round in a circle, so the list ends here".to_owned());
            (Next::Done, String::new())
        } else {
            (turn.next, format!("{} {} {state}", circle.steps, circle.mark))
        }
    };
    Ok(Step { candidates, next, state, warnings, extra: Vec::new() })
}

/// The two parts of a state: the turns that were made, and what the source knows.
fn parts(state: &str) -> Option<(Circle, &str)> {
    let mut parts = state.splitn(3, ' ');
    let mut number = || parts.next()?.parse().ok();
    let circle = Circle { steps: number()?, mark: number()? };
    Some((circle, parts.next()?))
}

/// Tells apart where turns lead: what is asked for, and what the source knows.
fn place(next: &Next, state: &str) -> u64 {
    let requests: &[Request] = if let Next::Fetch(requests) = next { requests } else { &[] };
    let asked = requests.iter().flat_map(|request| {
        let body = request.body.as_ref().map(|body| match body {
            Content::Text(text) => text.as_bytes(),
            Content::Binary(bytes) => bytes.as_slice(),
        });
        let headers = request.headers.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
        headers.chain([request.key.as_bytes(), request.url.as_bytes(), body.unwrap_or_default()])
    });
    hash(asked.chain([state.as_bytes()]))
}

/// How many of the candidates fit a step.
fn fitting(candidates: &[Candidate]) -> usize {
    let mut bytes = 0;
    let full = candidates.iter().take(CANDIDATES_PER_STEP).position(|candidate| {
        bytes += weight(candidate);
        bytes > BYTES_PER_STEP
    });
    full.map_or(CANDIDATES_PER_STEP, |full| full.max(1))
}

/// Bytes of text in a candidate.
fn weight(candidate: &Candidate) -> usize {
    let Candidate { url, alternates, id, page_url, thumbnail_url, title, description, creator, .. } =
        candidate;
    let Candidate { creator_url, license, tags, headers, extra, .. } = candidate;
    let license = license.iter().flat_map(|license| license.url.iter().chain(&license.attribution));
    let pairs = headers.iter().chain(extra).map(|(name, value)| name.len() + value.len());
    let texts = [id, page_url, thumbnail_url, title, description, creator, creator_url];
    let texts = texts.into_iter().flatten().chain(alternates).chain(tags).chain(license);
    url.len() + texts.map(String::len).chain(pairs).sum::<usize>()
}

fn unreadable(state: &str) -> Error {
    Error::Other(format!("not a state of this source: {}", state.chars().take(100).collect::<String>()))
}

/// A panic ends the instance; its message would be lost without this.
#[cfg(target_arch = "wasm32")]
fn report_panics() {
    std::panic::set_hook(Box::new(|panic| crate::log(crate::Level::Error, &panic.to_string())));
}

#[cfg(not(target_arch = "wasm32"))]
const fn report_panics() {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Request;

    /// Gives as many pictures as the query says, all in the turn that the query names.
    struct Many;

    impl Machine for Many {
        type State = u32;

        fn info() -> Info {
            Info::keywords("many", "Many", "1.0.0")
        }

        fn start(query: &Query) -> Result<Turn<u32>> {
            let found = if query.text == "start" { pictures(query.limit) } else { Found::default() };
            Ok(Turn { found, next: Next::Fetch(vec![Request::get("https://example.org/", &[])]), state: 7 })
        }

        fn resume(query: &Query, state: u32, _: Vec<Answer>) -> Result<Turn<u32>> {
            let found = if query.text == "resume" { pictures(query.limit) } else { Found::default() };
            Ok(Turn { found, next: Next::Done, state })
        }
    }

    fn pictures(count: u32) -> Found {
        let candidates = (0..count).map(|n| Candidate::new(format!("https://example.org/{n}.jpg"))).collect();
        Found { candidates, warnings: vec!["one left out".to_owned()] }
    }

    /// Walks to the end as a host does; the sizes of the steps.
    fn check(turn: &str, count: u32, expect: &[usize]) {
        let query = Query { limit: count, ..Query::of(turn) };
        let mut step = Component::<Many>::start(query.clone()).unwrap();
        let (mut sizes, mut urls, mut warnings) = (Vec::new(), Vec::new(), 0);
        loop {
            sizes.push(step.candidates.len());
            warnings += step.warnings.len();
            urls.extend(step.candidates.into_iter().map(|candidate| candidate.url));
            if step.next == Next::Done {
                break;
            }
            step = Component::<Many>::resume(query.clone(), step.state, Vec::new()).unwrap();
        }
        assert_eq!(sizes, expect, "{turn} {count}");
        assert_eq!(warnings, 1, "{turn} {count}");
        assert_eq!(
            urls,
            pictures(count).candidates.into_iter().map(|candidate| candidate.url).collect::<Vec<_>>()
        );
    }

    #[test]
    fn turns_larger_than_a_step_are_handed_over_in_parts() {
        check("start", 0, &[0, 0]);
        check("start", 2_000, &[2_000, 0]);
        check("start", 4_001, &[2_000, 2_000, 1, 0]);
        check("resume", 2_000, &[0, 2_000]);
        check("resume", 4_000, &[0, 2_000, 2_000]);
        check("resume", 4_001, &[0, 2_000, 2_000, 1]);
    }

    #[test]
    fn heavy_candidates_fill_a_step_sooner() {
        let heavy = |bytes: usize| Candidate { tags: vec!["x".repeat(bytes)], ..Candidate::new("") };
        assert_eq!(fitting(&[]), CANDIDATES_PER_STEP);
        assert_eq!(fitting(&vec![heavy(1); 3_000]), CANDIDATES_PER_STEP);
        assert_eq!(fitting(&vec![heavy(1 << 20); 9]), 4);
        assert_eq!(fitting(&vec![heavy(5 << 20); 2]), 1);
    }

    /// Asks for 1, 2, 3, …, and from the number that the query limits on for that number of
    /// others in turn; its state is the number, or empty as the query says.
    struct Round;

    impl Machine for Round {
        type State = Option<u32>;

        fn info() -> Info {
            Info::keywords("round", "Round", "1.0.0")
        }

        fn start(query: &Query) -> Result<Turn<Option<u32>>> {
            Self::resume(query, None, vec![Answer::of("https://example.org/0", 200, "")])
        }

        fn resume(query: &Query, state: Option<u32>, answers: Vec<Answer>) -> Result<Turn<Option<u32>>> {
            let last = answers.first().and_then(|answer| answer.url.rsplit('/').next()?.parse().ok());
            let number = state.or(last).unwrap_or_default() + 1;
            let number = if number > query.limit { 1 } else { number };
            let next = Next::Fetch(vec![Request::get(&format!("https://example.org/{number}"), &[])]);
            let state = (query.text == "known").then_some(number);
            Ok(Turn { found: pictures(1), next, state })
        }
    }

    #[test]
    fn turns_that_come_again_end_a_crawl() {
        for (text, round, expect) in
            [("known", 1, 2), ("known", 2, 4), ("asked", 2, 4), ("asked", 5, 13), ("asked", 1_000, 1_000)]
        {
            let query = Query { limit: round, ..Query::of(text) };
            let mut step = Component::<Round>::start(query.clone()).unwrap();
            let mut turns = 1;
            while let Next::Fetch(requests) = &step.next
                && turns < 1_000
            {
                let answers = vec![Answer::of(&requests[0].url, 200, "")];
                assert!(step.state.len() < 50);
                step = Component::<Round>::resume(query.clone(), step.state, answers).unwrap();
                turns += 1;
            }
            assert_eq!(turns, expect, "{text} {round}");
            assert_eq!(step.candidates.len(), 1);
            let is_told = |warning: &String| warning.contains("circle");
            assert_eq!(step.warnings.iter().any(is_told), step.next == Next::Done);
        }
    }

    #[test]
    fn a_foreign_state_is_an_error() {
        for state in
            ["7", "page 2", "1 2", "1 2 seven", "1 x 7", "again", "again x 7", "again 7 seven", "\"seven\""]
        {
            let error =
                Component::<Many>::resume(Query::of("start"), state.to_owned(), Vec::new()).unwrap_err();
            assert!(matches!(error, Error::Other(_)), "{state}: {error:?}");
        }
    }
}
