//! Answers that a crawl holds: those that its source will ask for again, and those of a step
//! that was deferred before it had all of them.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::KnownAnswer;
use crate::model::{Answer, ChunkId, Content, Failure, Request, Response};

/// The answers of one crawl, in a memory that it may share with others. Bounded for each crawl
/// and in all; what was not asked for longest goes first. What is gone, or held by another
/// worker, is fetched again.
#[derive(Clone, Default)]
pub struct ResponseCache {
    /// In the order in which they were asked for last. A list beside which a map would only be
    /// more to keep: there are few, and they are large.
    entries: Arc<Mutex<VecDeque<CacheEntry>>>,
    /// Whose they are; none where one crawl has the memory for itself.
    chunk: Option<ChunkId>,
}

struct CacheEntry {
    chunk: Option<ChunkId>,
    request: Request,
    response: Arc<Response>,
    bytes: usize,
}

impl ResponseCache {
    /// Bytes for one crawl.
    const OF_CRAWL: usize = 16 << 20;
    /// Bytes for all crawls that share the memory.
    const OF_ALL: usize = 64 << 20;
    /// What an answer counts beside its texts, so that small ones are bounded in number, too.
    const LEAST: usize = 4 << 10;

    /// The answers of this chunk, in the same memory.
    #[must_use]
    pub fn of(&self, chunk: ChunkId) -> Self {
        Self { entries: Arc::clone(&self.entries), chunk: Some(chunk) }
    }

    /// What these requests are answered with without being made: one for an item in `left_out`
    /// is skipped, and one that asks for the same as one of an earlier step gets its answer.
    #[must_use]
    pub fn known(&self, requests: &[Request], left_out: &HashSet<String>) -> Vec<KnownAnswer> {
        let known = |request: &Request| match &request.item {
            Some(item) if left_out.contains(item) => Some(Err(Failure::Skipped)),
            _ => self.get(request).map(Ok),
        };
        requests.iter().map(known).collect()
    }

    /// Holds the answers to those requests that are to be kept, and forgets those to the others,
    /// which are to be fetched anew.
    pub fn settle(&self, requests: &[Request], answers: &[Answer], is_kept: impl Fn(&Request) -> bool) {
        for (request, answer) in requests.iter().zip(answers) {
            match &answer.outcome {
                Ok(response) if is_kept(request) => self.insert(request, response),
                _ => self.entries().retain(|entry| !self.has(entry, request)),
            }
        }
    }

    /// Forgets all answers of a crawl that is over.
    pub fn clear(&self) {
        self.entries().retain(|entry| entry.chunk != self.chunk);
    }

    fn get(&self, request: &Request) -> Option<Arc<Response>> {
        let mut entries = self.entries();
        let at = entries.iter().position(|entry| self.has(entry, request))?;
        let entry = entries.remove(at)?;
        let response = Arc::clone(&entry.response);
        entries.push_back(entry);
        Some(response)
    }

    /// Holds an answer, unless it alone is more than a crawl may have.
    fn insert(&self, request: &Request, response: &Response) {
        let bytes = Self::LEAST + size_of_request(request) + size_of_response(response);
        if bytes > Self::OF_CRAWL || self.entries().iter().any(|entry| self.has(entry, request)) {
            return;
        }
        let response = Arc::new(response.clone());
        let entry = CacheEntry { chunk: self.chunk, request: request.clone(), response, bytes };
        let mut entries = self.entries();
        shrink(&mut entries, Self::OF_CRAWL - bytes, |entry| entry.chunk == self.chunk);
        shrink(&mut entries, Self::OF_ALL - bytes, |_| true);
        entries.push_back(entry);
    }

    fn has(&self, entry: &CacheEntry, request: &Request) -> bool {
        entry.chunk == self.chunk && entry.request.is_same(request)
    }

    /// Plain data that no panic can leave half changed.
    fn entries(&self) -> MutexGuard<'_, VecDeque<CacheEntry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops the first of those that count until the others have `most` bytes together.
fn shrink(entries: &mut VecDeque<CacheEntry>, most: usize, counts: impl Fn(&CacheEntry) -> bool) {
    let mut bytes: usize = entries.iter().filter(|entry| counts(entry)).map(|entry| entry.bytes).sum();
    entries.retain(|entry| {
        let goes = bytes > most && counts(entry);
        bytes -= if goes { entry.bytes } else { 0 };
        !goes
    });
}

fn size_of_request(request: &Request) -> usize {
    request.url.len()
        + request.key.len()
        + pairs(&request.headers)
        + request.body.as_ref().map_or(0, Content::len)
        + request.item.as_ref().map_or(0, String::len)
}

fn size_of_response(response: &Response) -> usize {
    response.url.len() + pairs(&response.headers) + response.body.len()
}

fn pairs(pairs: &[(String, String)]) -> usize {
    pairs.iter().map(|(name, value)| name.len() + value.len()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str) -> Request {
        Request { keep: true, ..Request::get(url.to_owned()) }
    }

    fn response(size: usize) -> Response {
        let body = Content::Binary(vec![0; size]);
        Response { status: 200, url: String::new(), headers: Vec::new(), body, encoding: None }
    }

    fn answer(outcome: Result<Response, Failure>) -> Answer {
        Answer { key: String::new(), url: String::new(), outcome }
    }

    /// Which of these requests have an answer; none is asked for by that.
    fn held(cache: &ResponseCache, urls: &[&str]) -> Vec<bool> {
        let is_held = |url: &&str| cache.entries().iter().any(|entry| cache.has(entry, &request(url)));
        urls.iter().map(is_held).collect()
    }

    #[test]
    fn the_same_request_is_what_a_site_is_asked() {
        let cache = ResponseCache::default().of(ChunkId(1));
        let asked = Request { headers: vec![("a".to_owned(), "b".to_owned())], ..request("list") };
        cache.insert(&asked, &response(7));
        let again =
            Request { key: "again".to_owned(), item: Some("1".to_owned()), keep: false, ..asked.clone() };
        assert_eq!(cache.get(&again).as_deref(), Some(&response(7)));
        let body = Some(Content::Text(String::new()));
        for other in [
            request("list"),
            Request { url: "other".to_owned(), ..asked.clone() },
            Request { method: crate::model::Method::Post, ..asked.clone() },
            Request { body, ..asked.clone() },
            Request { credential: Some("key".to_owned()), ..asked.clone() },
        ] {
            assert_eq!(cache.get(&other), None, "{other:?}");
        }
        assert_eq!(cache.of(ChunkId(2)).get(&asked), None, "another crawl may see another list");
        let left_out = HashSet::from(["1".to_owned()]);
        let known = cache.known(&[asked.clone(), again.clone(), request("other")], &left_out);
        assert_eq!(known, [Some(Ok(Arc::new(response(7)))), Some(Err(Failure::Skipped)), None]);
        let twice = cache.known(&[again.clone(), again.clone()], &HashSet::new());
        let [Some(Ok(one)), Some(Ok(other))] = &twice[..] else { panic!("{twice:?}") };
        assert!(Arc::ptr_eq(one, other), "many requests for one answer hold it once");
        cache.settle(&[again], &[answer(Ok(response(7)))], |request| request.keep);
        assert_eq!(cache.get(&asked), None);
    }

    #[test]
    fn what_is_no_answer_is_not_held() {
        let cache = ResponseCache::default();
        let requests = [request("a"), request("b"), request("c")];
        let answers = [Ok(response(1)), Ok(response(2)), Err(Failure::Timeout)].map(answer);
        cache.settle(&requests, &answers, |request| request.url != "b");
        assert_eq!(held(&cache, &["a", "b", "c"]), [true, false, false]);
        cache.settle(&requests, &answers, |_| true);
        assert_eq!(held(&cache, &["a", "b", "c"]), [true, true, false]);
        let failed = [answer(Err(Failure::Timeout))];
        cache.settle(&requests[..1], &failed, |_| true);
        assert_eq!(held(&cache, &["a", "b", "c"]), [false, true, false]);
    }

    #[test]
    fn what_was_not_asked_for_longest_goes_first() {
        let cache = ResponseCache::default();
        for url in ["a", "b", "c"] {
            cache.insert(&request(url), &response(5 << 20));
        }
        assert!(cache.get(&request("a")).is_some());
        cache.insert(&request("d"), &response(5 << 20));
        assert_eq!(held(&cache, &["a", "b", "c", "d"]), [true, false, true, true]);
        cache.insert(&request("whole"), &response(ResponseCache::OF_CRAWL));
        assert_eq!(held(&cache, &["a", "whole"]), [true, false], "too much for a crawl");
    }

    #[test]
    fn all_crawls_together_are_bounded() {
        let cache = ResponseCache::default();
        let crawls: Vec<_> = (1..=5).map(|chunk| cache.of(ChunkId(chunk))).collect();
        crawls.iter().for_each(|crawl| crawl.insert(&request("list"), &response(15 << 20)));
        let is_held: Vec<_> = crawls.iter().flat_map(|crawl| held(crawl, &["list"])).collect();
        assert_eq!(is_held, [false, true, true, true, true]);
        let bytes: usize = cache.entries().iter().map(|entry| entry.bytes).sum();
        assert!(bytes <= ResponseCache::OF_ALL);
        crawls[2].clear();
        assert_eq!(cache.entries().len(), 3);
    }
}
