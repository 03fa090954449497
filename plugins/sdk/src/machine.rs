//! The general form of a source, and what turns one into the exported component.

use std::marker::PhantomData;

use serde::{Serialize, de::DeserializeOwned};

use crate::bindings::exports::pixcrawler::source::source::Guest;
use crate::{Answer, Candidate, Error, Found, Info, Next, Query, Step};

/// Everything that can go wrong for a source is one of the contract's errors.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A source as a state machine. Nothing is remembered between calls but `State`,
/// which travels as JSON and may have 64 KiB.
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
    let turn = if state.is_empty() {
        M::start(query)?
    } else {
        let known = serde_json::from_str(state).map_err(|_| unreadable(state))?;
        M::resume(query, known, answers)?
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
        (turn.next, state)
    };
    Ok(Step { candidates, next, state, warnings, extra: Vec::new() })
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

    #[test]
    fn a_foreign_state_is_an_error() {
        for state in ["page 2", "again", "again x 7", "again 7 seven", "\"seven\""] {
            let error =
                Component::<Many>::resume(Query::of("start"), state.to_owned(), Vec::new()).unwrap_err();
            assert!(matches!(error, Error::Other(_)), "{state}: {error:?}");
        }
    }
}
