//! Recorded answers, where there are some.

use std::fs;

use bing::read;
use pixcrawler_recordings::{recordings, say};
use pixcrawler_sdk::Dimensions;
use serde_json::Value;

#[test]
fn recordings_are_read_completely() {
    let Some(recordings) = recordings("bing-images") else { return };
    let (mut pages, mut pictures) = (0, 0);
    for (name, path) in recordings {
        let html = fs::read_to_string(&path).unwrap();
        let page = read(&html).unwrap();
        assert_eq!(page.found.warnings, [""; 0], "{name}");
        assert_eq!(page.next, Some(35), "{name}");
        // Cut at every link, the page is read without regard to its structure.
        let mut expected = 0;
        let mut seen = Vec::new();
        for part in html.split("class=\"iusc\"").skip(1) {
            let json: Value = serde_json::from_str(&between(part, " m=\"", "\"").unwrap()).unwrap();
            let url = json["murl"].as_str().unwrap();
            let found: Vec<_> = page.found.candidates.iter().filter(|found| found.url == url).collect();
            assert_eq!(found.len(), 1, "{name}: {url}");
            let found = found[0];
            if !seen.contains(&url.to_owned()) {
                seen.push(url.to_owned());
                expected += 1;
            }
            if let Some(title) = json["t"].as_str() {
                assert_eq!(found.title, Some(title.replace(['\u{e000}', '\u{e001}'], "")), "{name}");
                assert_eq!(found.id.as_deref(), json["mid"].as_str(), "{name}");
                assert_eq!(found.page_url.as_deref(), json["purl"].as_str(), "{name}");
                assert_eq!(found.thumbnail_url.as_deref(), json["turl"].as_str(), "{name}");
            }
            let number = |start: &str, end: &str| between(part, start, end)?.parse().ok();
            let size = Dimensions::known(number("expw=", "&"), number("exph=", "&"));
            assert!(found.dimensions.is_some() && found.dimensions == size, "{name}: {url}");
            // Most pictures also show their size, and the raw copy that the site keeps.
            let (own, _) = part.split_once("</li>").unwrap();
            if let Some(shown) = between(own, "<span class=\"nowrap\">", "</span>") {
                let (width, height) = shown.split_once("&#215;").unwrap();
                assert_eq!(size, Dimensions::known(width.parse().ok(), height.parse().ok()), "{name}: {url}");
            }
            if let Some(copy) = between(own, "cdnurl=", "&").filter(|_| json["t"].is_string()) {
                let (host_and_path, _) = copy.split_once("%3f").unwrap();
                let start = host_and_path.replace("%3a", ":").replace("%2f", "/");
                let last = found.alternates.last().unwrap();
                assert!(last.starts_with(&start) && last.ends_with("&pid=ImgRaw&r=0"), "{name}: {last}");
            }
        }
        assert_eq!(page.found.candidates.len(), expected, "{name}");
        pages += 1;
        pictures += expected;
    }
    assert!(pages > 0);
    say(&format!("read {pages} recordings of bing with {pictures} pictures, skipped none"));
}

/// What stands between the first `start` and the next `end`, with its entities replaced.
fn between(text: &str, start: &str, end: &str) -> Option<String> {
    let (_, rest) = text.split_once(start)?;
    let (value, _) = rest.split_once(end)?;
    Some(value.replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&"))
}
