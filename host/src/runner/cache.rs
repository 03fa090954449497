//! Answers that a source will ask for again in its run.

use crate::model::{Failure, Request, Response};

/// Bounded as a chunk's are in a crawl: what was kept first goes first.
#[derive(Default)]
pub(super) struct RunCache {
    answers: Vec<(Request, Response)>,
}

impl RunCache {
    /// Bytes of all bodies.
    const MOST: usize = 16 << 20;

    /// The answer to a request that was made with `keep` and asks for the same.
    pub(super) fn get(&self, request: &Request) -> Option<&Response> {
        self.answers.iter().find(|(other, _)| other.is_same(request)).map(|(_, response)| response)
    }

    /// Keeps the answer if `request` says so; else forgets what it was answered with.
    pub(super) fn take(&mut self, request: &Request, outcome: &Result<Response, Failure>) {
        self.answers.retain(|(other, _)| !other.is_same(request));
        let Ok(response) = outcome else { return };
        if !request.keep || response.body.len() > Self::MOST {
            return;
        }
        let mut held = response.body.len();
        self.answers.push((request.clone(), response.clone()));
        let fits = self.answers.iter().rev().skip(1).take_while(|(_, response)| {
            held += response.body.len();
            held <= Self::MOST
        });
        let surplus = self.answers.len() - 1 - fits.count();
        self.answers.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Content;

    fn response(size: usize) -> Result<Response, Failure> {
        let body = Content::Binary(vec![0; size]);
        Ok(Response { status: 200, url: String::new(), headers: Vec::new(), body, encoding: None })
    }

    fn request(name: &str) -> Request {
        Request { keep: true, ..Request::get(format!("https://example.org/{name}")) }
    }

    #[test]
    fn what_is_kept_is_known_by_what_is_sent() {
        let mut kept = RunCache::default();
        let asked = request("ids");
        kept.take(&asked, &Err(Failure::Timeout));
        assert!(kept.get(&asked).is_none());
        kept.take(&asked, &response(2));
        let last = Request { key: "part 2".to_owned(), keep: false, ..asked.clone() };
        assert_eq!(kept.get(&last).map(|response| response.body.len()), Some(2));
        assert!(kept.get(&request("other")).is_none());
        kept.take(&last, &response(2));
        assert!(kept.get(&asked).is_none());
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut kept = RunCache::default();
        let sizes = [("a", 6 << 20), ("b", 6 << 20), ("c", 4 << 20), ("d", 1), ("e", RunCache::MOST + 1)];
        for (name, size) in sizes {
            kept.take(&request(name), &response(size));
        }
        let held = sizes.map(|(name, _)| kept.get(&request(name)).is_some());
        assert_eq!(held, [false, true, true, true, false]);
    }
}
