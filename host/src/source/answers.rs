//! Answers while a crawl holds them: those of one step, and those that will be asked for again.

use super::{Answer, Failure, Request, Response};

/// The answers of one step, within what a plugin is given together.
#[derive(Debug, Default)]
pub struct Answers {
    answers: Vec<Answer>,
    held: usize,
    received: usize,
}

impl Answers {
    /// Bytes of all bodies of one step.
    pub const MOST: usize = 16 << 20;

    /// Takes the answer; the body of one that does not fit beside the others is dropped at once.
    pub fn push(&mut self, mut answer: Answer) {
        let size = answer.outcome.as_ref().map_or(0, |response| response.body.len());
        self.received = self.received.saturating_add(size);
        if self.held + size > Self::MOST {
            answer.outcome = Err(Failure::TooLarge(Self::MOST as u64));
        } else {
            self.held += size;
        }
        self.answers.push(answer);
    }

    /// Bytes that came, dropped ones included.
    #[must_use]
    pub const fn received(&self) -> usize {
        self.received
    }

    /// In the order in which they were taken.
    #[must_use]
    pub fn into_inner(self) -> Vec<Answer> {
        self.answers
    }
}

/// Answers to requests with `keep`, which ask for the same again later in the crawl.
#[derive(Debug, Default)]
pub struct Kept {
    answers: Vec<(Request, Response)>,
    held: usize,
}

impl Kept {
    /// Bytes of all bodies that are kept.
    pub const MOST: usize = 16 << 20;

    /// Keeps the answer to `request` if it says so and there is room.
    pub fn keep(&mut self, request: &Request, outcome: &Result<Response, Failure>) {
        let Ok(response) = outcome else { return };
        let size = response.body.len();
        if request.keep && self.held + size <= Self::MOST && self.get(request).is_none() {
            self.held += size;
            self.answers.push((request.clone(), response.clone()));
        }
    }

    /// What came when the same was asked before: all that is sent must be equal.
    #[must_use]
    pub fn get(&self, request: &Request) -> Option<&Response> {
        self.answers.iter().find(|(other, _)| other.asks_as(request)).map(|(_, response)| response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::Content;

    fn response(size: usize) -> Response {
        let body = Content::Binary(vec![0; size]);
        Response { status: 200, url: String::new(), headers: Vec::new(), body }
    }

    #[test]
    fn answers_fit_together() {
        let mut answers = Answers::default();
        let sizes = [10 << 20, 7 << 20, 6 << 20, 1, 0];
        for size in sizes {
            answers.push(Answer { key: String::new(), url: String::new(), outcome: Ok(response(size)) });
        }
        assert_eq!((answers.held, answers.received()), (16 << 20, sizes.iter().sum()));
        let answers = answers.into_inner();
        let kept: Vec<bool> = answers.iter().map(|answer| answer.outcome.is_ok()).collect();
        assert_eq!(kept, [true, false, true, false, true]);
        assert_eq!(answers[1].outcome, Err(Failure::TooLarge(16 << 20)));
    }

    #[test]
    fn what_is_kept_is_known_by_what_is_sent() {
        let asked = Request { keep: true, ..Request::get("https://example.org/ids".to_owned()) };
        let mut kept = Kept::default();
        kept.keep(&Request { keep: false, ..asked.clone() }, &Ok(response(1)));
        assert!(kept.get(&asked).is_none());
        kept.keep(&asked, &Err(Failure::Timeout));
        kept.keep(&asked, &Ok(response(2)));
        kept.keep(&Request::get("https://example.org/other".to_owned()), &Ok(response(3)));
        let again = Request { key: "part 2".to_owned(), keep: false, ..asked.clone() };
        assert_eq!(kept.get(&again).map(|response| response.body.len()), Some(2));
        let post = Request { method: crate::source::Method::Post, ..asked.clone() };
        assert!(kept.get(&post).is_none());
        let large = Request { url: "https://example.org/large".to_owned(), ..asked };
        kept.keep(&large, &Ok(response(Kept::MOST - 1)));
        assert!(kept.get(&large).is_none());
    }
}
