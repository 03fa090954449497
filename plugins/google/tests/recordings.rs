//! Recorded answers, where there are some.

use std::collections::BTreeMap;
use std::fs;

use google::read;
use pixcrawler_recordings::{recordings, say};
use pixcrawler_sdk::{Candidate, Dimensions, Error};
use serde_json::Value;

#[test]
fn recordings_are_read_completely() {
    let Some(recordings) = recordings("google-images") else { return };
    let (mut pages, mut found, mut tiles) = (0, BTreeMap::new(), String::new());
    for (name, path) in recordings {
        let html = fs::read_to_string(&path).unwrap();
        for first in [true, false] {
            match name.rsplit("__").next().unwrap() {
                "imagedata.html" => {
                    let page = read(&html, first).unwrap();
                    assert_eq!(page.warnings, [""; 0], "{name}");
                    let expect = expected(&html);
                    assert_eq!(page.candidates.len(), expect.len(), "{name}");
                    for (candidate, expect) in page.candidates.iter().zip(&expect) {
                        assert_eq!(candidate, expect, "{name}");
                    }
                    found.extend(page.candidates.into_iter().map(|found| (found.id.clone().unwrap(), found)));
                }
                // The same page without its scripts.
                "first60_tiles.html" => {
                    assert!(matches!(read(&html, first), Err(Error::LayoutChanged(_))), "{name}");
                    tiles.clone_from(&html);
                }
                "google_search_captcha.html" => {
                    assert_eq!(read(&html, first), Err(Error::RateLimited(None)), "{name}");
                }
                "google_search_soft_block.html" => {
                    assert!(matches!(read(&html, first), Err(Error::LayoutChanged(_))), "{name}");
                }
                _ => panic!("say what must come of {name}"),
            }
        }
        pages += 1;
    }
    // The tiles that people see show the same pages and sizes.
    let mut shown = 0;
    for tile in tiles.split("data-docid=\"").skip(1) {
        let (id, tile) = tile.split_once('"').unwrap();
        let Some(candidate) = found.get(id) else { continue };
        assert_eq!(candidate.page_url, between(tile, "data-lpage=\"", "\""), "{id}");
        let size = |from: &str| between(tile, from, "&").and_then(|size| size.parse().ok());
        if let (Some(width), Some(height)) = (size("&amp;w="), size("&amp;h=")) {
            assert_eq!(candidate.dimensions, Some(Dimensions { width, height }), "{id}");
        }
        shown += 1;
    }
    assert!(pages > 0 && shown > 0);
    let pictures = found.len();
    say(&format!("read {pages} recordings of google with {pictures} pictures, skipped none"));
}

/// What the script holds, found by the names that stand before each picture.
fn expected(html: &str) -> Vec<Candidate> {
    let mut expected = Vec::new();
    for (at, _) in html.match_indices("\":[1,[0,\"") {
        let list = serde_json::Deserializer::from_str(&html[at + 2..]).into_iter::<Value>().next();
        let Some(Ok(list)) = list else { continue };
        let text = |path: &str| list.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let number = |path: &str| list.pointer(path).and_then(Value::as_u64).and_then(|n| n.try_into().ok());
        expected.push(Candidate {
            id: text("/1/1"),
            page_url: text("/1/9/2003/2"),
            thumbnail_url: text("/1/2/0"),
            title: text("/1/9/2003/3").map(|title| title.trim().to_owned()),
            dimensions: Dimensions::known(number("/1/3/2"), number("/1/3/1")),
            extra: vec![("google.site".to_owned(), text("/1/9/2003/12").unwrap_or_default())],
            ..Candidate::new(text("/1/3/0").unwrap_or_default())
        });
    }
    expected
}

fn between(text: &str, start: &str, end: &str) -> Option<String> {
    let (_, rest) = text.split_once(start)?;
    Some(rest.split_once(end)?.0.replace("&amp;", "&"))
}
