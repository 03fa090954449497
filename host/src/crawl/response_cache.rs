//! Answers that a worker holds for its chunks: those that a source will ask for again, and
//! those of a step that had to be put off before it had all of them.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::model::{ChunkId, Content, Request, Response};

/// Bounded for each chunk and in all; what was not asked for longest goes first. What is
/// gone, or held by another worker, is fetched again.
#[derive(Default)]
pub(super) struct ResponseCache {
    state: Mutex<CacheState>,
}

#[derive(Default)]
struct CacheState {
    /// In the order in which they were asked for last.
    entries: VecDeque<CacheEntry>,
    bytes: usize,
}

struct CacheEntry {
    chunk: ChunkId,
    request: Request,
    response: Arc<Response>,
    bytes: usize,
}

impl ResponseCache {
    /// Bytes for one chunk.
    const OF_CHUNK: usize = 16 << 20;
    /// Bytes for all chunks of the process.
    const OF_ALL: usize = 64 << 20;
    /// What an answer counts beside its texts, so that small ones are bounded in number, too.
    const LEAST: usize = 4 << 10;

    /// The answer to the same request of this chunk.
    pub(super) fn get(&self, chunk: ChunkId, request: &Request) -> Option<Response> {
        let response = {
            let mut state = self.state();
            let at = state.find(chunk, request)?;
            let entry = state.entries.remove(at)?;
            let response = Arc::clone(&entry.response);
            state.entries.push_back(entry);
            response
        };
        Some(Response::clone(&response))
    }

    /// Holds an answer, unless it alone is more than a chunk may have.
    pub(super) fn insert(&self, chunk: ChunkId, request: &Request, response: &Response) {
        let bytes = Self::LEAST + size_of_request(request) + size_of_response(response);
        if bytes > Self::OF_CHUNK || self.state().find(chunk, request).is_some() {
            return;
        }
        let entry =
            CacheEntry { chunk, request: request.clone(), response: Arc::new(response.clone()), bytes };
        let mut state = self.state();
        while state.of(chunk) + bytes > Self::OF_CHUNK {
            let oldest = state.entries.iter().position(|entry| entry.chunk == chunk);
            state.remove(oldest);
        }
        while state.bytes + bytes > Self::OF_ALL {
            state.remove(Some(0));
        }
        state.bytes += bytes;
        state.entries.push_back(entry);
    }

    /// Forgets the answer to this request, which is to be fetched anew.
    pub(super) fn remove_one(&self, chunk: ChunkId, request: &Request) {
        let mut state = self.state();
        let at = state.find(chunk, request);
        state.remove(at);
    }

    /// Forgets all answers of a chunk that is over.
    pub(super) fn remove_chunk(&self, chunk: ChunkId) {
        let mut state = self.state();
        state.entries.retain(|entry| entry.chunk != chunk);
        state.bytes = state.entries.iter().map(|entry| entry.bytes).sum();
    }

    /// Plain data that no panic can leave half changed.
    fn state(&self) -> MutexGuard<'_, CacheState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CacheState {
    fn find(&self, chunk: ChunkId, request: &Request) -> Option<usize> {
        self.entries.iter().position(|entry| entry.chunk == chunk && entry.request.is_same(request))
    }

    fn of(&self, chunk: ChunkId) -> usize {
        self.entries.iter().filter(|entry| entry.chunk == chunk).map(|entry| entry.bytes).sum()
    }

    fn remove(&mut self, at: Option<usize>) {
        if let Some(entry) = at.and_then(|at| self.entries.remove(at)) {
            self.bytes -= entry.bytes;
        }
    }
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

    /// Which of these requests have an answer.
    fn held(kept: &ResponseCache, chunk: ChunkId, urls: &[&str]) -> Vec<bool> {
        urls.iter().map(|url| kept.state().find(chunk, &request(url)).is_some()).collect()
    }

    #[test]
    fn the_same_request_is_what_a_site_is_asked() {
        let (kept, chunk) = (ResponseCache::default(), ChunkId(1));
        let asked = Request { headers: vec![("a".to_owned(), "b".to_owned())], ..request("list") };
        kept.insert(chunk, &asked, &response(7));
        let again =
            Request { key: "again".to_owned(), item: Some("1".to_owned()), keep: false, ..asked.clone() };
        assert_eq!(kept.get(chunk, &again), Some(response(7)));
        let body = Some(Content::Text(String::new()));
        for other in [
            request("list"),
            Request { url: "other".to_owned(), ..asked.clone() },
            Request { method: crate::model::Method::Post, ..asked.clone() },
            Request { body, ..asked.clone() },
            Request { credential: Some("key".to_owned()), ..asked.clone() },
        ] {
            assert_eq!(kept.get(chunk, &other), None, "{other:?}");
        }
        assert_eq!(kept.get(ChunkId(2), &asked), None, "another crawl may see another list");
        kept.remove_one(chunk, &again);
        assert_eq!(kept.get(chunk, &asked), None);
        assert_eq!(kept.state().bytes, 0);
    }

    #[test]
    fn what_was_not_asked_for_longest_goes_first() {
        let (kept, chunk) = (ResponseCache::default(), ChunkId(1));
        for url in ["a", "b", "c"] {
            kept.insert(chunk, &request(url), &response(5 << 20));
        }
        assert!(kept.get(chunk, &request("a")).is_some());
        kept.insert(chunk, &request("d"), &response(5 << 20));
        assert_eq!(held(&kept, chunk, &["a", "b", "c", "d"]), [true, false, true, true]);
        kept.insert(chunk, &request("whole"), &response(ResponseCache::OF_CHUNK));
        assert_eq!(held(&kept, chunk, &["a", "whole"]), [true, false], "too much for a chunk");
    }

    #[test]
    fn all_chunks_together_are_bounded() {
        let kept = ResponseCache::default();
        for chunk in 1..=5 {
            kept.insert(ChunkId(chunk), &request("list"), &response(15 << 20));
        }
        let held: Vec<_> = (1..=5).flat_map(|chunk| held(&kept, ChunkId(chunk), &["list"])).collect();
        assert_eq!(held, [false, true, true, true, true]);
        assert!(kept.state().bytes <= ResponseCache::OF_ALL);
        kept.remove_chunk(ChunkId(3));
        let state = kept.state();
        assert_eq!((state.entries.len(), state.bytes), (3, 3 * state.entries[0].bytes));
    }
}
