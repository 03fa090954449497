//! Recorded sitemaps, where there are some.

use std::fs;

use pixcrawler_recordings::{recordings, say};
use pixcrawler_sdk::{Answer, Machine, Next, Query};
use sitemap::Sitemap;

/// Every picture is read, with its page and its words, by another way of reading.
#[test]
fn recordings_are_read_completely() {
    let Some(recordings) = recordings("sitemap") else { return };
    let (mut files, mut pictures) = (0, 0);
    for (name, path) in recordings {
        let text = fs::read_to_string(&path).unwrap();
        let query = Query::of("https://example.org/sitemap.xml");
        let start = Sitemap::start(&query).unwrap();
        let Next::Fetch(requests) = start.next else { panic!() };
        let answer = Answer { key: requests[0].key.clone(), ..Answer::of(&query.text, 200, &text) };
        let turn = Sitemap::resume(&query, start.state, vec![answer]).unwrap();
        assert_eq!((turn.next, turn.found.warnings), (Next::Done, vec![]), "{name}");
        let expect = expected(&text);
        assert!(!expect.is_empty(), "{name}");
        let found: Vec<_> = turn.found.candidates;
        assert_eq!(found.len(), expect.len(), "{name}");
        for (candidate, [page, url, title, caption]) in found.iter().zip(&expect) {
            assert_eq!(Some(&candidate.url), url.as_ref(), "{name}");
            assert_eq!(&candidate.page_url, page, "{name}");
            assert_eq!(&candidate.title, title, "{name}");
            assert_eq!(&candidate.description, caption, "{name}");
            assert_eq!(candidate.license, None, "{name}");
        }
        files += 1;
        pictures += found.len();
    }
    assert!(files > 0);
    say(&format!("read {files} recorded sitemaps with {pictures} pictures, skipped none"));
}

/// Page, address, title and caption of every picture, cut out of the text as it is written.
fn expected(text: &str) -> Vec<[Option<String>; 4]> {
    let between = |text: &str, name: &str| {
        let rest = text.split_once(&format!("<{name}>"))?.1;
        let value = rest.split_once(&format!("</{name}>"))?.0;
        Some(value.trim().replace("&amp;", "&").replace("&apos;", "'").replace("&quot;", "\""))
    };
    let mut expected = Vec::new();
    for page in text.split("<url>").skip(1) {
        for picture in page.split("<image:image>").skip(1) {
            let of = |name: &str| between(picture, &format!("image:{name}"));
            expected.push([between(page, "loc"), of("loc"), of("title"), of("caption")]);
        }
    }
    expected
}
