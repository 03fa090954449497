//! The answers of one step.

use super::{Answer, Failure};

/// The answers of one step, within what a plugin is given together.
#[derive(Debug, Default)]
pub struct Answers {
    answers: Vec<Answer>,
    room: AnswerBudget,
}

/// What is taken of the bytes that the bodies of one step may have. What else there is of an
/// answer is bounded where it comes in.
#[derive(Debug, Default)]
pub struct AnswerBudget {
    held: usize,
}

impl AnswerBudget {
    /// Whether the body of the answer still fits; it counts then.
    pub fn takes(&mut self, answer: &Answer) -> bool {
        let fits = self.held + answer.size() <= Answers::MOST;
        if fits {
            self.held += answer.size();
        }
        fits
    }
}

impl Answers {
    /// Bytes of all bodies of one step.
    pub const MOST: usize = 16 << 20;

    /// Takes the answer; the body of one that does not fit beside the others is dropped at once.
    pub fn push(&mut self, mut answer: Answer) {
        if !self.room.takes(&answer) {
            answer.outcome = Err(Failure::TooLarge(Self::MOST as u64));
        }
        self.answers.push(answer);
    }

    /// In the order in which they were taken.
    #[must_use]
    pub fn into_inner(self) -> Vec<Answer> {
        self.answers
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Content, Response};

    fn response(size: usize) -> Response {
        let body = Content::Binary(vec![0; size]);
        Response { status: 200, url: String::new(), headers: Vec::new(), body, encoding: None }
    }

    #[test]
    fn answers_fit_together() {
        let mut answers = Answers::default();
        let sizes = [10 << 20, 7 << 20, 6 << 20, 1, 0];
        for size in sizes {
            answers.push(Answer { key: String::new(), url: String::new(), outcome: Ok(response(size)) });
        }
        assert_eq!(answers.room.held, 16 << 20);
        let answers = answers.into_inner();
        let kept: Vec<bool> = answers.iter().map(|answer| answer.outcome.is_ok()).collect();
        assert_eq!(kept, [true, false, true, false, true]);
        assert_eq!(answers[1].outcome, Err(Failure::TooLarge(16 << 20)));
    }
}
