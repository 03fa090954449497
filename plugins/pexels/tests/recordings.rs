//! Recorded answers, where there are some.
#![expect(clippy::unwrap_used, reason = "a failed `unwrap` is a failed test")]

use std::fs;

use pexels::Pexels;
use pixcrawler_recordings::{recordings, say};
use pixcrawler_sdk::{Answer, Candidate, Dimensions, Paged, Query};
use serde_json::Value;

#[test]
fn recordings_are_read_completely() {
    let Some(recordings) = recordings("pexels") else { return };
    let mut read = 0;
    for (name, path) in recordings {
        let body = fs::read_to_string(&path).unwrap();
        let json: Value = serde_json::from_str(&body).unwrap();
        let answer = Answer::of("https://api.example.org/", 200, &body);
        let (found, more) = Pexels::read(&Query::of("cat"), 1, answer).unwrap();
        let results = json["photos"].as_array().unwrap();
        assert_eq!((found.candidates.len(), found.warnings.len()), (results.len(), 0), "{name}");
        assert_eq!(more, has_more(&json), "{name}");
        found.candidates.iter().zip(results).for_each(|(candidate, result)| check(candidate, result));
        read += results.len();
    }
    assert!(read > 0);
    say(&format!("read {read} photos of recordings of pexels, skipped none"));
}

/// Pages have 80 here; those of the recordings have fewer, and say that others follow.
fn has_more(list: &Value) -> bool {
    assert!(list["next_page"].is_string());
    list["total_results"].as_u64() > Some(80)
}

fn check(candidate: &Candidate, photo: &Value) {
    let text = |pointer: &str| photo.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
    assert_eq!(Some(candidate.url.clone()), text("/src/original"));
    assert_eq!(candidate.alternates, [text("/src/large2x").unwrap()]);
    assert_eq!(candidate.thumbnail_url, text("/src/medium"));
    assert_eq!(candidate.id, Some(photo["id"].to_string()));
    assert_eq!(candidate.page_url, text("/url"));
    assert_eq!(candidate.creator, text("/photographer"));
    assert_eq!(candidate.creator_url, text("/photographer_url"));
    let side = |name: &str| u32::try_from(photo[name].as_u64().unwrap()).unwrap();
    assert_eq!(candidate.dimensions, Some(Dimensions { width: side("width"), height: side("height") }));
    let license = candidate.license.as_ref().unwrap();
    assert!(license.attribution.as_ref().unwrap().contains(&text("/photographer").unwrap()));
}
