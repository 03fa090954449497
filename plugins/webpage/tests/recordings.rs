//! Recorded pages, where there are some.

use std::collections::BTreeSet;
use std::fs;

use pixcrawler_recordings::{recordings, say};
use pixcrawler_sdk::html::tokens;
use webpage::read;

/// Every page has pictures, each once, and all of them have an address.
#[test]
fn recordings_are_read() {
    let Some(recordings) = recordings("html-gallery") else { return };
    let (mut pages, mut pictures) = (0, 0);
    for (name, path) in recordings {
        let html = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        let page = read(tokens(&html), "https://example.org/folder/page.html", "");
        assert!(!page.candidates.is_empty() && page.warnings.is_empty(), "{name}: {:?}", page.warnings);
        let mut seen = BTreeSet::new();
        for candidate in &page.candidates {
            assert!(candidate.url.starts_with("https://") || candidate.url.starts_with("http://"), "{name}");
            assert!(
                !candidate.url.contains([' ', '<', '"']) && candidate.url.is_ascii(),
                "{name}: {}",
                candidate.url
            );
            assert!(!candidate.alternates.contains(&candidate.url), "{name}: {}", candidate.url);
            assert!(seen.insert(&candidate.url), "{name}: twice {}", candidate.url);
        }
        // A page may be cut off anywhere.
        for end in (0..html.len()).step_by(html.len() / 50 + 1).filter(|&end| html.is_char_boundary(end)) {
            let part = read(tokens(&html[..end]), "https://example.org/folder/page.html", "");
            assert!(part.candidates.len() <= page.candidates.len(), "{name} at {end}");
        }
        pages += 1;
        pictures += page.candidates.len();
    }
    assert!(pages > 0);
    say(&format!("read {pages} recorded pages with {pictures} pictures, skipped none"));
}
