//! A list, and one request for each thing on it.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Answer, Error, Found, Info, Machine, Next, Query, Request, Result, Turn, repeat::Circle, url::hash,
};

/// A source whose list only names things, each of which is then asked for; export
/// [`List<Self>`](List). A page of the list may be long: it is walked in windows, so that the host can
/// stop when it has enough, and the host keeps it meanwhile. A page that begins as one before it ends
/// the list.
pub trait Listed {
    /// What tells a page of the list from the others: a number, a cursor; `()` where there is only one.
    type Place: Serialize + DeserializeOwned;

    /// Things asked for in one step; at most 63.
    const WINDOW: usize = 20;

    /// What the source is; constant.
    fn info() -> Info;

    /// The request for a page of the list; `place` is none for the first.
    fn page(query: &Query, place: Option<&Self::Place>) -> Request;

    /// The ids on that page, best first, and where the next one is, if there is one. A page is read
    /// again for every few hundred of its ids.
    ///
    /// # Errors
    ///
    /// When the page cannot be read.
    fn ids(
        query: &Query,
        place: Option<&Self::Place>,
        page: Answer,
    ) -> Result<(impl Iterator<Item = String>, Option<Self::Place>)>;

    /// The request for one thing. Its `key` and `item` are set to the id.
    fn item(query: &Query, id: &str) -> Request;

    /// The pictures of one thing; their `id` is its own where they say none. A warning says why there are
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk<P> {
    /// The page that is walked.
    place: Option<P>,
    /// Where that page goes on behind `block`.
    next: usize,
    /// The ids that are asked for next. A stretch of the page, because reading all of it in
    /// every step would take longer than all else.
    block: Vec<String>,
    /// Whether `block` is the last one of all.
    last: bool,
    /// Whether the page is asked for, before the things.
    asked: bool,
    /// Whether anything was read so far.
    read: bool,
    /// Things that were no longer there, until something was read.
    gone: usize,
    /// Over the pages, by the ids with which they begin.
    circle: Circle,
}

/// Things that are no longer there, before any was read: where a list has so many of them and nothing
/// else, or begins with so many, it is their address that has moved. A list may be a little older than
/// what is on it.
const MOVED: usize = 3;
const MOVED_AT_LEAST: usize = 100;

/// Bytes of ids in a block, so that a crawl that waits costs little. It holds one window at least.
const BLOCK: usize = 2 << 10;

impl<T: Listed> Machine for List<T> {
    type State = Walk<T::Place>;

    fn info() -> Info {
        T::info()
    }

    fn start(query: &Query) -> Result<Turn<Self::State>> {
        Ok(Walk::begin().turn::<T>(query, Found::default()))
    }

    fn resume(query: &Query, mut walk: Self::State, answers: Vec<Answer>) -> Result<Turn<Self::State>> {
        let mut answers = answers.into_iter();
        if walk.asked {
            let page = answers.next().ok_or_else(|| Error::Other("the list was not answered".to_owned()))?;
            let place = walk.place.take();
            let (ids, follows) = T::ids(query, place.as_ref(), page)?;
            let is_over = walk.go_on(T::WINDOW, ids, follows.is_none());
            walk.place = if is_over { follows } else { place };
        }
        let found = walk.items::<T>(query, answers)?;
        Ok(walk.turn::<T>(query, found))
    }
}

impl<P> Walk<P> {
    const fn begin() -> Self {
        let circle = Circle { steps: 0, mark: 0 };
        let block = Vec::new();
        Self { place: None, next: 0, block, last: false, asked: false, read: false, gone: 0, circle }
    }

    /// Asks for the next window of things.
    fn turn<T: Listed<Place = P>>(mut self, query: &Query, found: Found) -> Turn<Self> {
        let window = self.block.len().min(T::WINDOW);
        let mut requests: Vec<Request> = self
            .block
            .drain(..window)
            .map(|id| Request { key: id.clone(), item: Some(id.clone()), ..T::item(query, &id) })
            .collect();
        // The host has kept the page that goes on, so it comes along. A new one is asked for by itself:
        // where it cannot be read, nothing else is lost.
        self.asked = self.block.is_empty() && !self.last && (self.next > 0 || requests.is_empty());
        if self.asked {
            requests.insert(0, Request { keep: true, ..T::page(query, self.place.as_ref()) });
        }
        let next = if requests.is_empty() { Next::Done } else { Next::Fetch(requests) };
        Turn { found, next, state: self }
    }

    /// Takes the next block of a page's `ids`; whether that is the page's last. Should the list have changed
    /// since, positions have moved a little: what comes twice is known to the host by its address.
    fn go_on(&mut self, window: usize, ids: impl Iterator<Item = String>, is_last_page: bool) -> bool {
        let is_new = self.next == 0;
        let mut ids = ids.skip(self.next).peekable();
        let mut bytes = 0;
        while let Some(id) = ids.next_if(|id| self.block.len() < window || bytes + id.len() + 3 <= BLOCK) {
            // With the quotes and the comma that it has in the state.
            bytes += id.len() + 3;
            self.block.push(id);
        }
        let begins_with = hash(self.block.iter().map(String::as_bytes));
        if is_new && !self.block.is_empty() && self.circle.closes_at(begins_with) {
            self.block.clear();
            self.last = true;
            return true;
        }
        let is_over = ids.peek().is_none();
        self.next = if is_over { 0 } else { self.next + self.block.len() };
        self.last = is_over && is_last_page;
        is_over
    }

    /// What a window of things holds.
    fn items<T: Listed<Place = P>>(
        &mut self,
        query: &Query,
        answers: impl ExactSizeIterator<Item = Answer>,
    ) -> Result<Found> {
        let all = answers.len();
        let mut found = Found::default();
        let mut warnings = Counted::default();
        let mut failed = None;
        for answer in answers {
            if answer.is_skipped() {
                // It was read before, or need not be.
                self.read = true;
                continue;
            }
            if answer.outcome.as_ref().is_ok_and(|response| matches!(response.status, 404 | 410)) {
                warnings.add("no longer there".to_owned());
                self.gone += usize::from(!self.read);
                continue;
            }
            let id = answer.key.clone();
            match T::read(query, &id, answer) {
                Ok(item) => {
                    self.read = true;
                    found.candidates.extend(item.candidates.into_iter().map(|mut candidate| {
                        candidate.id.get_or_insert_with(|| id.clone());
                        candidate
                    }));
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
    use crate::{Candidate, Failure};

    /// As many things as the query says; each has a picture, but for every seventh.
    struct Many;

    impl Listed for Many {
        type Place = u32;

        const WINDOW: usize = 3;

        fn info() -> Info {
            Info::keywords("many", "Many", "1.0.0")
        }

        fn page(_: &Query, place: Option<&u32>) -> Request {
            Request::get("https://example.org/list", &[("page", &place.unwrap_or(&1).to_string())])
        }

        /// A page says which ids are on it, and which page is behind it.
        fn ids(
            _: &Query,
            _: Option<&u32>,
            page: Answer,
        ) -> Result<(impl Iterator<Item = String>, Option<u32>)> {
            let (first, last, follows): (u32, u32, Option<u32>) = page.response()?.json()?;
            Ok(((first..=last).map(|id| format!("{id:0100}")), follows))
        }

        fn item(_: &Query, id: &str) -> Request {
            Request::get(&format!("https://example.org/{id}"), &[])
        }

        fn read(_: &Query, _: &str, answer: Answer) -> Result<Found> {
            let text = answer.response()?.into_text()?;
            if text.is_empty() {
                return Ok(Found { warnings: vec!["no picture".to_owned()], ..Found::default() });
            }
            let own = (text == "a").then(|| "own".to_owned());
            Ok(Candidate { id: own, ..Candidate::new(text) }.into())
        }
    }

    fn answer(request: &Request, status: u16, text: &str) -> Answer {
        Answer { key: request.key.clone(), ..Answer::of(&request.url, status, text) }
    }

    /// Walks a list of these pages; the ids of the pictures, and the pages that were asked for.
    fn walked(pages: &[(u32, u32, Option<u32>)]) -> (Vec<u32>, Vec<usize>) {
        let query = Query::of("");
        let mut turn = List::<Many>::start(&query).unwrap();
        let (mut ids, mut asked) = (Vec::new(), Vec::new());
        while let Next::Fetch(requests) = &turn.next {
            assert!(!requests.is_empty() && requests.len() <= Many::WINDOW + 1);
            assert!(serde_json::to_string(&turn.state).unwrap().len() < 2_300);
            let answers = requests.iter().map(|request| {
                assert_eq!(request.keep, request.item.is_none());
                let Some((_, page)) = request.url.split_once("page=") else {
                    return answer(request, 200, &request.url);
                };
                let page: usize = page.parse().unwrap();
                // What is new may be missing, and then only by itself.
                assert!(asked.last() == Some(&page) || requests.len() == 1);
                asked.push(page);
                answer(request, 200, &serde_json::to_string(&pages[page - 1]).unwrap())
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
        (ids, asked)
    }

    #[test]
    fn everything_is_asked_for_once() {
        // A block has 19 of these long ids.
        for (count, lists) in [(0, 1), (1, 1), (3, 1), (4, 1), (19, 1), (20, 2), (38, 2), (100, 6)] {
            assert_eq!(walked(&[(1, count, None)]), ((1..=count).collect(), vec![1; lists]), "{count}");
        }
    }

    #[test]
    fn pages_are_walked_one_after_the_other() {
        let pages = [(1, 4, Some(2)), (5, 24, Some(3)), (1, 0, Some(4)), (25, 26, None)];
        assert_eq!(walked(&pages), ((1..=26).collect(), vec![1, 2, 2, 3, 4]));
    }

    #[test]
    fn pages_that_come_again_end_a_list() {
        assert_eq!(walked(&[(1, 3, Some(2)), (4, 5, Some(2))]), (vec![1, 2, 3, 4, 5], vec![1, 2, 2]));
        let round = [(1, 3, Some(2)), (4, 5, Some(1))];
        assert_eq!(walked(&round).1, [1, 2, 1, 2]);
    }

    #[test]
    fn what_is_left_out_is_counted() {
        let query = Query::of("");
        let walk = Walk { next: 5, last: true, ..Walk::begin() };
        let read_on = |walk: &Walk<u32>, outcomes: &[(u16, &str)]| {
            let request = Request { key: "1".to_owned(), ..Many::item(&query, "1") };
            let answers = outcomes.iter().map(|(status, text)| match status {
                0 => Answer { outcome: Err(Failure::Skipped), ..answer(&request, 0, "") },
                1 => Answer { outcome: Err(Failure::Timeout), ..answer(&request, 0, "") },
                _ => answer(&request, *status, text),
            });
            List::<Many>::resume(&query, walk.clone(), answers.collect())
        };
        let read = |outcomes: &[(u16, &str)]| read_on(&walk, outcomes);
        let outcomes = [(200, "a"), (200, ""), (404, ""), (0, ""), (200, ""), (1, ""), (410, ""), (200, "b")];
        let turn = read(&outcomes).unwrap();
        let ids: Vec<_> = turn.found.candidates.iter().map(|found| found.id.as_deref()).collect();
        assert_eq!(ids, [Some("own"), Some("1")], "that of the thing, where there is none");
        let warnings = [
            "2 of 8 left out: no picture",
            "2 of 8 left out: no longer there",
            "1 of 8 left out: cannot be read: https://example.org/1 took too long",
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
        let walk = Walk { next: 19, asked: true, ..Walk::begin() };
        let page = answer(&Many::page(&query, None), 200, "[1, 7, null]");
        let turn = List::<Many>::resume(&query, walk.clone(), vec![page]).unwrap();
        assert_eq!(turn.next, Next::Done);
        assert!(matches!(List::<Many>::resume(&query, walk, Vec::new()), Err(Error::Other(_))));
    }
}
