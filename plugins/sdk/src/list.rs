//! The two common forms of a source: page N of a list, and a chain of answers.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Answer, Error, Found, Info, Machine, Next, Query, Request, Result, Turn, repeat::Circle, url::hash,
};

/// A source that is asked for page 1, 2, 3, …; export [`Pages<Self>`](Pages). A page with the very
/// pictures of one before ends the list, whatever the site says. One that the host left out because of
/// its `item` is passed over.
pub trait Paged {
    /// What the source is; constant.
    fn info() -> Info;

    /// The request for page `number`, counted from 1.
    fn page(query: &Query, number: u32) -> Request;

    /// What page `number` holds, and whether there is another.
    ///
    /// # Errors
    ///
    /// When the page cannot be read; most sources only pass on what
    /// [`Answer::response`] and [`Response::json`](crate::Response::json) say.
    fn read(query: &Query, number: u32, answer: Answer) -> Result<(Found, bool)>;
}

/// A [`Paged`] source as a [`Machine`].
#[derive(Debug)]
pub struct Pages<T>(PhantomData<T>);

/// Where in the list a crawl is: the page that is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    number: u32,
    circle: Circle,
}

impl<T: Paged> Machine for Pages<T> {
    type State = Place;

    fn info() -> Info {
        T::info()
    }

    fn start(query: &Query) -> Result<Turn<Place>> {
        let state = Place { number: 1, ..Place::default() };
        Ok(Turn { found: Found::default(), next: Next::Fetch(vec![T::page(query, 1)]), state })
    }

    fn resume(query: &Query, mut state: Place, answers: Vec<Answer>) -> Result<Turn<Place>> {
        let answer = only(answers)?;
        let (found, more) = match answer.is_skipped() {
            true => (Found::default(), true),
            false => T::read(query, state.number, answer)?,
        };
        let pictures = found.candidates.iter().map(|candidate| candidate.url.as_bytes());
        let repeats = !found.candidates.is_empty() && state.circle.closes_at(hash(pictures));
        state.number = state.number.saturating_add(1);
        let next =
            if more && !repeats { Next::Fetch(vec![T::page(query, state.number)]) } else { Next::Done };
        Ok(Turn { found, next, state })
    }
}

/// A source whose every answer says where the next one is; export [`Chain<Self>`](Chain).
pub trait Chained {
    /// What is kept from answer to answer, for example a token or what was seen.
    type Memo: Serialize + DeserializeOwned + Default;

    /// What the source is; constant.
    fn info() -> Info;

    /// The first request.
    fn first(query: &Query) -> Request;

    /// What the answer holds, and the request for the next one if there is one. Where a request has
    /// an `item`, its answer may be [skipped](Answer::is_skipped).
    ///
    /// # Errors
    ///
    /// When the answer cannot be read; `memo` is then as it was before.
    fn read(query: &Query, memo: &mut Self::Memo, answer: Answer) -> Result<(Found, Option<Request>)>;
}

/// A [`Chained`] source as a [`Machine`]; its state is the memo.
#[derive(Debug)]
pub struct Chain<T>(PhantomData<T>);

impl<T: Chained> Machine for Chain<T> {
    type State = T::Memo;

    fn info() -> Info {
        T::info()
    }

    fn start(query: &Query) -> Result<Turn<T::Memo>> {
        let next = Next::Fetch(vec![T::first(query)]);
        Ok(Turn { found: Found::default(), next, state: T::Memo::default() })
    }

    fn resume(query: &Query, mut memo: T::Memo, answers: Vec<Answer>) -> Result<Turn<T::Memo>> {
        let (found, request) = T::read(query, &mut memo, only(answers)?)?;
        let next = request.map_or(Next::Done, |request| Next::Fetch(vec![request]));
        Ok(Turn { found, next, state: memo })
    }
}

fn only(answers: Vec<Answer>) -> Result<Answer> {
    let count = answers.len();
    let mut answers = answers.into_iter();
    match (answers.next(), answers.next()) {
        (Some(answer), None) => Ok(answer),
        _ => Err(Error::Other(format!("asked for one answer, was given {count}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Candidate, Failure};

    /// Three pages with a picture each.
    struct Three;

    impl Paged for Three {
        fn info() -> Info {
            Info::keywords("three", "Three", "1.0.0")
        }

        fn page(query: &Query, number: u32) -> Request {
            Request::get("https://example.org/", &[("q", &query.text), ("page", &number.to_string())])
        }

        fn read(_: &Query, number: u32, answer: Answer) -> Result<(Found, bool)> {
            let text = answer.response()?.into_text()?;
            Ok(([Candidate::new(text)].into_iter().collect(), number < 3))
        }
    }

    /// Follows the address in each answer until there is none.
    struct Linked;

    impl Chained for Linked {
        type Memo = Vec<String>;

        fn info() -> Info {
            Info::keywords("linked", "Linked", "1.0.0")
        }

        fn first(_: &Query) -> Request {
            Request::get("https://example.org/a", &[])
        }

        fn read(_: &Query, memo: &mut Vec<String>, answer: Answer) -> Result<(Found, Option<Request>)> {
            memo.push(answer.url.clone());
            let text = answer.response()?.into_text()?;
            Ok((Found::default(), (!text.is_empty()).then(|| Request::get(&text, &[]))))
        }
    }

    fn asked<S>(turn: &Turn<S>) -> Option<&str> {
        match &turn.next {
            Next::Fetch(requests) => requests.first().map(|request| request.url.as_str()),
            _ => None,
        }
    }

    #[test]
    fn pages_are_asked_one_after_the_other() {
        let query = Query::of("red fox");
        let mut turn = Pages::<Three>::start(&query).unwrap();
        let mut urls = Vec::new();
        while let Some(url) = asked(&turn).map(str::to_owned) {
            let answer = Answer::of(&url, 200, &url);
            turn = Pages::<Three>::resume(&query, turn.state, vec![answer]).unwrap();
            assert_eq!(turn.found.candidates.len(), 1);
            urls.push(url);
        }
        assert_eq!(urls, [1, 2, 3].map(|page| format!("https://example.org/?q=red%20fox&page={page}")));
    }

    #[test]
    fn a_page_that_was_left_out_is_passed_over() {
        let query = Query::of("");
        let turn = Pages::<Three>::start(&query).unwrap();
        let skipped =
            Answer { outcome: Err(Failure::Skipped), ..Answer::of("https://example.org/", 200, "") };
        let turn = Pages::<Three>::resume(&query, turn.state, vec![skipped]).unwrap();
        assert_eq!(asked(&turn), Some("https://example.org/?q=&page=2"));
        assert_eq!(turn.found, Found::default());
    }

    /// The number of pages that are read where each holds what `content` says of its number.
    fn pages_read(content: impl Fn(u32) -> Vec<u32>) -> u32 {
        struct Endless;

        impl Paged for Endless {
            fn info() -> Info {
                Info::keywords("endless", "Endless", "1.0.0")
            }

            fn page(_: &Query, number: u32) -> Request {
                Request::get(&format!("https://example.org/{number}"), &[])
            }

            fn read(_: &Query, _: u32, answer: Answer) -> Result<(Found, bool)> {
                let pictures: Vec<u32> = answer.response()?.json()?;
                Ok((pictures.into_iter().map(|number| Candidate::new(number.to_string())).collect(), true))
            }
        }

        let query = Query::of("");
        let mut turn = Pages::<Endless>::start(&query).unwrap();
        for number in 1..1_000 {
            let body = serde_json::to_string(&content(number)).unwrap();
            let answer = Answer::of("https://example.org/", 200, &body);
            turn = Pages::<Endless>::resume(&query, turn.state, vec![answer]).unwrap();
            assert!(serde_json::to_string(&turn.state).unwrap().len() < 100);
            if turn.next == Next::Done {
                return number;
            }
        }
        1_000
    }

    #[test]
    fn pages_that_come_again_end_a_list() {
        assert_eq!(pages_read(|_| vec![1, 2]), 2);
        assert_eq!(pages_read(|number| vec![number % 2]), 4);
        assert_eq!(pages_read(|number| vec![number.min(20)]), 33);
        // Others may have a picture twice, and some none.
        assert_eq!(pages_read(|number| vec![1, number]), 1_000);
        assert_eq!(pages_read(|_| vec![]), 1_000);
    }

    #[test]
    fn a_chain_ends_where_nothing_follows() {
        let query = Query::of("");
        let turn = Chain::<Linked>::start(&query).unwrap();
        assert_eq!(asked(&turn), Some("https://example.org/a"));
        let answer = Answer::of("https://example.org/a", 200, "https://example.org/b");
        let turn = Chain::<Linked>::resume(&query, turn.state, vec![answer]).unwrap();
        assert_eq!(asked(&turn), Some("https://example.org/b"));
        let turn =
            Chain::<Linked>::resume(&query, turn.state, vec![Answer::of("https://example.org/b", 200, "")]);
        let turn = turn.unwrap();
        assert_eq!(turn.next, Next::Done);
        assert_eq!(turn.state, ["https://example.org/a", "https://example.org/b"]);
    }

    #[test]
    fn exactly_one_answer_is_read() {
        for count in [0, 2] {
            let answers = vec![Answer::of("https://example.org/", 200, ""); count];
            let state = Place { number: 1, ..Place::default() };
            assert!(matches!(Pages::<Three>::resume(&Query::of(""), state, answers), Err(Error::Other(_))));
        }
    }
}
