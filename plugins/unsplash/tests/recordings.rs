//! Recorded answers, where there are some.
#![expect(clippy::unwrap_used, reason = "a failed `unwrap` is a failed test")]

use std::fs;

use pixcrawler_recordings::{recordings, say};
use pixcrawler_sdk::{Answer, Candidate, Dimensions, Paged, Query};
use serde_json::Value;
use unsplash::Unsplash;

#[test]
fn recordings_are_read_completely() {
    let Some(recordings) = recordings("unsplash") else { return };
    let mut read = 0;
    for (name, path) in recordings {
        if name.ends_with(".headers.json") {
            continue;
        }
        let body = fs::read_to_string(&path).unwrap();
        let json: Value = serde_json::from_str(&body).unwrap();
        let answer = Answer::of("https://api.unsplash.com/search/photos", 200, &body);
        let (found, more) = Unsplash::read(&Query::of("cat"), 1, answer).unwrap();
        let results = json["results"].as_array().unwrap();
        assert_eq!((found.candidates.len(), found.warnings.len()), (results.len(), 0), "{name}");
        assert_eq!(more, json["total_pages"].as_u64() > Some(1), "{name}");
        found.candidates.iter().zip(results).for_each(|(candidate, photo)| check(candidate, photo));
        read += results.len();
    }
    assert!(read > 0);
    say(&format!("read {read} photos of recordings of unsplash, skipped none"));
}

fn check(candidate: &Candidate, photo: &Value) {
    let text = |pointer: &str| photo.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    assert_eq!(Some(candidate.url.clone()), text("/urls/raw"));
    assert_eq!(candidate.alternates, [text("/urls/full").unwrap(), text("/urls/regular").unwrap()]);
    assert_eq!(candidate.thumbnail_url, text("/urls/thumb"));
    assert_eq!(candidate.id, text("/id"));
    assert_eq!(candidate.page_url, text("/links/html"));
    assert_eq!(candidate.title, text("/description"));
    assert_eq!(candidate.description, text("/alt_description"));
    assert_eq!(candidate.creator, text("/user/name"));
    assert_eq!(candidate.creator_url, text("/user/links/html"));
    assert_eq!(candidate.published, text("/created_at"));
    let side = |name: &str| u32::try_from(photo[name].as_u64().unwrap()).unwrap();
    assert_eq!(candidate.dimensions, Some(Dimensions { width: side("width"), height: side("height") }));
    let tags: Vec<_> =
        photo["tags"].as_array().unwrap().iter().filter_map(|tag| tag["title"].as_str()).collect();
    assert_eq!(candidate.tags, tags);
    assert_eq!(candidate.extra.first().map(|(_, url)| url.clone()), text("/links/download_location"));
    let license = candidate.license.as_ref().unwrap();
    assert_eq!(
        (license.id.as_str(), license.url.as_deref()),
        ("unknown", Some("https://unsplash.com/license"))
    );
    assert!(license.attribution.as_deref().unwrap().contains(&text("/user/name").unwrap()));
}
