//! A list that comes at once, and one request for each thing on it.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};

use crate::{Answer, Error, Failure, Found, Info, Machine, Next, Query, Request, Result, Turn};

/// A source whose search gives nothing but ids, all of them at once, and that is then asked for
/// each; export [`List<Self>`](List). The list may be long: it is walked in windows, so that the
/// host can stop when it has enough, and the host keeps it meanwhile.
pub trait Listed {
    /// Things asked for in one step; at most 63.
    const WINDOW: usize = 20;

    /// What the source is; constant.
    fn info() -> Info;

    /// The request for the list.
    fn list(query: &Query) -> Request;

    /// The ids on the list, best first. It is read again for every few hundred of them.
    ///
    /// # Errors
    ///
    /// When the list cannot be read.
    fn ids(query: &Query, list: Answer) -> Result<impl Iterator<Item = String>>;

    /// The request for one thing.
    fn item(query: &Query, id: &str) -> Request;

    /// The pictures of one thing; each should have the same `id`. A warning says why there are
    /// none; those of one step that are equal are counted into one. Not called for what the host
    /// left out and for what is no longer there (404, 410): those cost only themselves, but a list
    /// of nothing else ends in `layout-changed`.
    ///
    /// # Errors
    ///
    /// `rate-limited` and `unauthorized` are about all requests and end the step. Any other
    /// error costs only this thing, unless nothing could be read so far: then it is the site.
    fn read(query: &Query, id: &str, answer: Answer) -> Result<Found>;
}

/// A [`Listed`] source as a [`Machine`].
#[derive(Debug)]
pub struct List<T>(PhantomData<T>);

/// How far a list was walked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// Where the list goes on behind `block`.
    next: usize,
    /// The ids that are asked for next. A stretch of the list, because reading all of it in
    /// every step would take longer than all else.
    block: Vec<String>,
    /// Whether `block` is the last one.
    last: bool,
    /// Whether anything was read so far.
    #[serde(default)]
    read: bool,
    /// Things that were no longer there, until something was read.
    #[serde(default)]
    gone: usize,
}

/// Things that are no longer there, before any was read: where a list has so many of them and nothing
/// else, or begins with so many, it is their address that has moved. A list may be a little older than
/// what is on it.
const MOVED: usize = 3;
const MOVED_AT_LEAST: usize = 100;

/// Bytes of ids in a block, so that a crawl that waits costs little. It holds one window at least.
const BLOCK: usize = 2 << 10;

impl<T: Listed> Machine for List<T> {
    type State = Walk;

    fn info() -> Info {
        T::info()
    }

    fn start(query: &Query) -> Result<Turn<Walk>> {
        let next = Next::Fetch(vec![list::<T>(query)]);
        Ok(Turn { found: Found::default(), next, state: Walk::default() })
    }

    fn resume(query: &Query, mut walk: Walk, answers: Vec<Answer>) -> Result<Turn<Walk>> {
        let mut answers = answers.into_iter();
        if walk.block.is_empty() && !walk.last {
            let list = answers.next().ok_or_else(|| Error::Other("the list was not answered".to_owned()))?;
            walk.go_on(T::WINDOW, T::ids(query, list)?);
        }
        let found = walk.items::<T>(query, answers)?;
        let window = walk.block.len().min(T::WINDOW);
        let mut requests: Vec<Request> = walk
            .block
            .drain(..window)
            .map(|id| Request { key: id.clone(), item: Some(id.clone()), ..T::item(query, &id) })
            .collect();
        if walk.block.is_empty() && !walk.last {
            requests.insert(0, list::<T>(query));
        }
        let next = if requests.is_empty() { Next::Done } else { Next::Fetch(requests) };
        Ok(Turn { found, next, state: walk })
    }
}

impl Walk {
    /// Takes the next block of `ids`. Should the list have changed since, positions have moved a
    /// little: what comes twice is known to the host by its address.
    fn go_on(&mut self, window: usize, ids: impl Iterator<Item = String>) {
        let mut ids = ids.skip(self.next).peekable();
        let mut bytes = 0;
        while let Some(id) = ids.next_if(|id| self.block.len() < window || bytes + id.len() + 3 <= BLOCK) {
            // With the quotes and the comma that it has in the state.
            bytes += id.len() + 3;
            self.block.push(id);
        }
        self.next += self.block.len();
        self.last = ids.peek().is_none();
    }

    /// What a window of things holds.
    fn items<T: Listed>(
        &mut self,
        query: &Query,
        answers: impl ExactSizeIterator<Item = Answer>,
    ) -> Result<Found> {
        let all = answers.len();
        let mut found = Found::default();
        let mut warnings = Counted::default();
        let mut failed = None;
        for answer in answers {
            match &answer.outcome {
                // It was read before, or need not be.
                Err(Failure::Skipped) => {
                    self.read = true;
                    continue;
                }
                Ok(response) if matches!(response.status, 404 | 410) => {
                    warnings.add("no longer there".to_owned());
                    self.gone += usize::from(!self.read);
                    continue;
                }
                _ => {}
            }
            let id = answer.key.clone();
            match T::read(query, &id, answer) {
                Ok(item) => {
                    self.read = true;
                    found.candidates.extend(item.candidates);
                    item.warnings.into_iter().for_each(|warning| warnings.add(warning));
                }
                Err(error @ (Error::RateLimited(_) | Error::Unauthorized(_))) => return Err(error),
                Err(error) => {
                    warnings.add(format!("cannot be read: {}", reason(&error)));
                    failed = failed.or(Some(error));
                }
            }
        }
        let is_over = self.last && self.block.is_empty();
        let enough = if is_over { MOVED } else { MOVED_AT_LEAST };
        match failed {
            Some(error) if !self.read => Err(error),
            None if !self.read && self.gone >= enough => Err(Error::LayoutChanged(format!(
                "none of the first {} things on the list is where it is expected",
                self.gone
            ))),
            _ => Ok(Found { warnings: warnings.of(all), ..found }),
        }
    }
}

fn list<T: Listed>(query: &Query) -> Request {
    Request { keep: true, ..T::list(query) }
}

fn reason(error: &Error) -> &str {
    match error {
        Error::InvalidQuery(text)
        | Error::Unauthorized(text)
        | Error::Unavailable(text)
        | Error::LayoutChanged(text)
        | Error::Other(text) => text,
        Error::RateLimited(_) => "too many requests",
    }
}

/// Warnings of which many are equal, in the order in which they first came.
#[derive(Default)]
struct Counted(Vec<(String, usize)>);

impl Counted {
    fn add(&mut self, warning: String) {
        match self.0.iter_mut().find(|(known, _)| *known == warning) {
            Some((_, count)) => *count += 1,
            None => self.0.push((warning, 1)),
        }
    }

    fn of(self, all: usize) -> Vec<String> {
        self.0.into_iter().map(|(warning, count)| format!("{count} of {all} left out: {warning}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Candidate;

    /// As many things as the query says; each has a picture, but for every seventh.
    struct Many;

    impl Listed for Many {
        const WINDOW: usize = 3;

        fn info() -> Info {
            Info::keywords("many", "Many", "1.0.0")
        }

        fn list(_: &Query) -> Request {
            Request::get("https://example.org/list", &[])
        }

        fn ids(_: &Query, list: Answer) -> Result<impl Iterator<Item = String>> {
            let count: u32 = list.response()?.json()?;
            Ok((1..=count).map(|id| format!("{id:0100}")))
        }

        fn item(_: &Query, id: &str) -> Request {
            Request::get(&format!("https://example.org/{id}"), &[])
        }

        fn read(_: &Query, id: &str, answer: Answer) -> Result<Found> {
            let text = answer.response()?.into_text()?;
            if text.is_empty() {
                return Ok(Found { warnings: vec!["no picture".to_owned()], ..Found::default() });
            }
            Ok(Found::from_iter([Candidate { id: Some(id.to_owned()), ..Candidate::new(text) }]))
        }
    }

    fn answer(request: &Request, status: u16, text: &str) -> Answer {
        Answer { key: request.key.clone(), ..Answer::of(&request.url, status, text) }
    }

    fn asked<S>(turn: &Turn<S>) -> &[Request] {
        match &turn.next {
            Next::Fetch(requests) => requests,
            _ => &[],
        }
    }

    /// Walks a list of that length; the ids of the pictures, and how often the list was asked for.
    fn walked(count: u32) -> (Vec<u32>, usize) {
        let query = Query::of("");
        let mut turn = List::<Many>::start(&query).unwrap();
        let (mut ids, mut lists) = (Vec::new(), 0);
        while let Next::Fetch(requests) = &turn.next {
            assert!(!requests.is_empty() && requests.len() <= Many::WINDOW + 1);
            assert!(serde_json::to_string(&turn.state).unwrap().len() < 2_300);
            lists += requests.iter().filter(|request| request.keep).count();
            let answers = requests.iter().map(|request| {
                assert_eq!(request.keep, request.item.is_none());
                let text = if request.keep { count.to_string() } else { request.url.clone() };
                answer(request, 200, &text)
            });
            let answers = answers.collect();
            turn = List::<Many>::resume(&query, turn.state, answers).unwrap();
            assert_eq!(turn.found.warnings, [""; 0]);
            ids.extend(
                turn.found
                    .candidates
                    .iter()
                    .filter_map(|candidate| candidate.id.as_deref().and_then(|id| id.parse::<u32>().ok())),
            );
        }
        (ids, lists)
    }

    #[test]
    fn everything_is_asked_for_once() {
        // A block has 19 of these long ids.
        for (count, lists) in [(0, 1), (1, 1), (3, 1), (4, 1), (19, 1), (20, 2), (38, 2), (100, 6)] {
            assert_eq!(walked(count), ((1..=count).collect(), lists), "{count}");
        }
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let query = Query::of("");
        let walk = Walk { next: 5, block: Vec::new(), last: true, ..Walk::default() };
        let read_on = |walk: &Walk, outcomes: &[(u16, &str)]| {
            let request = Many::item(&query, "1");
            let answers = outcomes.iter().map(|(status, text)| match status {
                0 => Answer { outcome: Err(Failure::Skipped), ..answer(&request, 0, "") },
                1 => Answer { outcome: Err(Failure::Timeout), ..answer(&request, 0, "") },
                _ => answer(&request, *status, text),
            });
            List::<Many>::resume(&query, walk.clone(), answers.collect())
        };
        let read = |outcomes: &[(u16, &str)]| read_on(&walk, outcomes);
        let turn = read(&[(200, "a"), (200, ""), (404, ""), (0, ""), (200, ""), (1, ""), (410, "")]).unwrap();
        assert_eq!(turn.found.candidates.len(), 1);
        let warnings = [
            "2 of 7 left out: no picture",
            "2 of 7 left out: no longer there",
            "1 of 7 left out: cannot be read: https://example.org/1 took too long",
        ];
        assert_eq!((turn.found.warnings, turn.next), (warnings.map(str::to_owned).to_vec(), Next::Done));
        assert!(read(&[(0, ""), (0, "")]).unwrap().found.warnings.is_empty());
        // Nothing could be read: it is not about one of them.
        assert!(matches!(read(&[(404, ""), (1, ""), (1, "")]), Err(Error::Unavailable(_))));
        assert!(read(&[(400, ""), (200, "")]).is_ok());
        // A list may name what is gone by now, but not only that.
        assert_eq!(
            read(&[(404, ""), (410, "")]).unwrap().found.warnings,
            ["2 of 2 left out: no longer there"]
        );
        assert!(matches!(read(&[(404, ""), (404, ""), (410, "")]), Err(Error::LayoutChanged(_))));
        let mut begun = Walk { last: false, ..walk.clone() };
        begun.block = vec!["9".to_owned()];
        let windows = std::iter::repeat_n([(404, ""); 3], 40);
        let ended = windows.into_iter().position(|window| match read_on(&begun, &window) {
            Ok(turn) => {
                begun.gone = turn.state.gone;
                false
            }
            Err(error) => matches!(error, Error::LayoutChanged(_)),
        });
        assert_eq!(ended, Some(33));
        for other in [(200, "a"), (200, ""), (0, "")] {
            assert!(read(&[(404, ""), (404, ""), (410, ""), other]).is_ok());
        }
        // Something was, then or before: it is about those.
        let left_out = ["1 of 2 left out: cannot be read: https://example.org/1 took too long".to_owned()];
        assert_eq!(read(&[(0, ""), (1, "")]).unwrap().found.warnings, left_out);
        let later = read(&[(200, "a")]).unwrap().state;
        assert_eq!(read_on(&later, &[(1, "")]).unwrap().found.warnings.len(), 1);
        assert!(read_on(&later, &[(404, ""), (404, ""), (404, "")]).is_ok());
        assert_eq!(read_on(&later, &[(429, "")]), Err(Error::RateLimited(None)));
        assert_eq!(read(&[(200, "a"), (429, "")]), Err(Error::RateLimited(None)));
        assert!(matches!(read(&[(200, "a"), (401, "")]), Err(Error::Unauthorized(_))));
    }

    #[test]
    fn a_list_that_became_shorter_ends_the_walk() {
        let query = Query::of("");
        let walk = Walk { next: 19, ..Walk::default() };
        let turn = List::<Many>::resume(&query, walk, vec![answer(&Many::list(&query), 200, "7")]).unwrap();
        assert_eq!((turn.next.clone(), asked(&turn).len()), (Next::Done, 0));
        assert!(matches!(List::<Many>::resume(&query, Walk::default(), Vec::new()), Err(Error::Other(_))));
    }
}
