//! Answers that cost their receiver more than their sender.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use super::{
    super::body::{BodyLimits, decompress},
    Fetcher, config, download,
    downloading::{brotli, gzip},
    fetcher,
    site::{Act, Site, answer, header, path},
};
use crate::model::Refusal;

/// A gzip member that holds nothing.
const MEMBER: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0";
/// The head of a member, and a block that holds nothing and is not the last.
const BEGINNING: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03";
const BLOCK: &[u8] = b"\0\0\0\xff\xff";

fn packed(coding: &str, beginning: &[u8], part: &[u8]) -> Act {
    let head = format!("HTTP/1.1 200 X\r\ncontent-encoding: {coding}\r\n\r\n");
    Act::Endless([head.as_bytes(), beginning].concat(), part.repeat(1000))
}

#[tokio::test]
async fn what_expands_to_nothing_ends_soon() {
    let site = Site::start(|request| match (path(request), header(request, "host")) {
        ("/robots.txt", Some("robots.test")) => packed("gzip", BEGINNING, BLOCK),
        ("/members", _) => packed("gzip", b"", MEMBER),
        ("/gzip", _) => packed("gzip", BEGINNING, BLOCK),
        ("/deflate", _) => packed("deflate", b"\x78\x9c", BLOCK),
        // Metadata blocks of length 0.
        ("/br", _) => packed("br", b"\x0c", b"\x06"),
        _ => answer(404, &[], ""),
    })
    .await;
    let fetcher = fetcher(&site);
    let nothing = "the compressed answer holds too much that expands to nothing";
    for (url, detail) in [
        ("https://a.test/members", "the compressed answer has more than 1024 members"),
        ("https://b.test/gzip", nothing),
        ("https://c.test/deflate", nothing),
        ("https://d.test/br", nothing),
        ("https://robots.test/picture", nothing),
    ] {
        let refused = download(&fetcher, url).await.unwrap_err();
        assert_eq!((refused.refusal(), &*refused.to_string()), (Refusal::Network, detail), "{url}");
    }
    assert_eq!(site.requests().len(), 4, "none is asked for again");
}

#[tokio::test]
async fn the_head_of_an_answer_has_its_time() {
    let site = Site::start(|request| match path(request) {
        "/robots.txt" => answer(404, &[], ""),
        "/continue" => Act::Endless(Vec::new(), b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000)),
        "/hints" => Act::Endless(Vec::new(), b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n".repeat(1000)),
        _ => Act::Stall(Vec::new()),
    })
    .await;
    // The first try takes all the time there is.
    let limit = Duration::from_millis(300);
    let once = crate::config::Fetch { request_timeout: limit + Duration::from_millis(100), ..config(&site) };
    let mut fetcher = Fetcher::new(&once).unwrap();
    Arc::get_mut(&mut fetcher.client).unwrap().head_timeout = limit;
    for path in ["continue", "hints", "silence"] {
        let refused = download(&fetcher, &format!("https://{path}.test/{path}")).await.unwrap_err();
        let detail = "the head of the answer did not come within 300ms";
        assert_eq!((refused.refusal(), &*refused.to_string()), (Refusal::Timeout, detail), "{path}");
    }
}

/// Turns of another task while this file is decompressed, on one thread.
async fn turns(file: &[u8]) -> usize {
    let turns = Arc::new(AtomicUsize::new(0));
    let other = tokio::spawn({
        let turns = turns.clone();
        async move {
            loop {
                turns.fetch_add(1, Ordering::Relaxed);
                tokio::task::yield_now().await;
            }
        }
    });
    let limits = BodyLimits { bytes: 16 << 20, truncates: false };
    let _ = decompress(file, limits).await;
    other.abort();
    turns.load(Ordering::Relaxed)
}

#[tokio::test]
async fn decompressing_lets_others_have_their_turn() {
    assert!(turns(&gzip(&vec![0; 4 << 20]).await).await >= 128, "after each 32 KiB that come out");
    assert!(turns(&[BEGINNING, &BLOCK.repeat(100_000)].concat()).await >= 3, "or go in");
}

#[tokio::test]
async fn as_many_members_as_honest_files_have_are_read() {
    let limits = BodyLimits { bytes: 1 << 20, truncates: false };
    let member = gzip(b"line\n").await;
    assert_eq!(decompress(&member.repeat(1024), limits).await.unwrap().len(), 5 * 1024);
    assert!(decompress(&member.repeat(1025), limits).await.is_err());
}

proptest::proptest! {
    #[test]
    fn any_damage_to_a_file_is_survived(
        parts in proptest::collection::vec((0usize..4, proptest::collection::vec(proptest::prelude::any::<u8>(), 0..30)), 0..20),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let limits = BodyLimits { bytes: 1 << 20, truncates: false };
        let file = parts.iter().flat_map(|(kind, noise)| [[MEMBER, BEGINNING, BLOCK, b""][*kind], noise].concat());
        let file = [BEGINNING, &file.collect::<Vec<u8>>()].concat();
        let _ = runtime.block_on(decompress(&file, limits));
    }
}

#[tokio::test]
async fn what_cannot_be_compressed_comes_whole() {
    // The bound is 1 MiB on the wire, too.
    let noise: Vec<u8> = (0..1000 << 10).map(|_| rand::random()).collect();
    let (gzip, brotli, body) = (gzip(&noise).await, brotli(&noise).await, noise.clone());
    let site = Site::start(move |request| match path(request) {
        "/gzip" => answer(200, &["content-encoding: gzip"], &gzip),
        "/br" => answer(200, &["content-encoding: br"], &brotli),
        "/plain" => answer(200, &[], &body),
        _ => answer(404, &[], ""),
    })
    .await;
    let fetcher = fetcher(&site);
    for coding in ["gzip", "br", "plain"] {
        let image = download(&fetcher, &format!("https://img.test/{coding}")).await.unwrap();
        assert!(image.bytes[..] == noise[..], "{coding}");
    }
}
