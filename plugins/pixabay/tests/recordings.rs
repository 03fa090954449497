//! Recorded answers, where there are some.
#![expect(clippy::unwrap_used, reason = "a failed `unwrap` is a failed test")]

use std::fs;

use pixabay::Pixabay;
use pixcrawler_recordings::{recordings, say};
use pixcrawler_sdk::{Answer, Candidate, Dimensions, Paged, Query};
use serde_json::Value;

#[test]
fn recordings_are_read_completely() {
    let Some(recordings) = recordings("pixabay") else { return };
    let mut read = 0;
    for (name, path) in recordings {
        let body = fs::read_to_string(&path).unwrap();
        let json: Value = serde_json::from_str(&body).unwrap();
        let answer = Answer::of("https://api.example.org/", 200, &body);
        let (found, more) = Pixabay::read(&Query::of("cat"), 1, answer).unwrap();
        let results = json["hits"].as_array().unwrap();
        assert_eq!((found.candidates.len(), found.warnings.len()), (results.len(), 0), "{name}");
        assert_eq!(more, has_more(&json), "{name}");
        found.candidates.iter().zip(results).for_each(|(candidate, result)| check(candidate, result));
        read += results.len();
    }
    assert!(read > 0);
    say(&format!("read {read} pictures of recordings of pixabay, skipped none"));
}

/// Pages have 100 here.
fn has_more(list: &Value) -> bool {
    list["totalHits"].as_u64() > Some(100)
}

fn check(candidate: &Candidate, hit: &Value) {
    let text = |name: &str| hit[name].as_str().map(str::to_owned);
    let files = [candidate.url.clone(), candidate.alternates.concat()].map(Some);
    if hit.get("imageURL").is_none() {
        assert_eq!(files, [text("largeImageURL"), text("webformatURL")]);
        assert_eq!((candidate.dimensions, candidate.byte_size), (None, None));
    } else {
        let side = |name: &str| u32::try_from(hit[name].as_u64().unwrap()).unwrap();
        assert_eq!(
            candidate.dimensions,
            Some(Dimensions { width: side("imageWidth"), height: side("imageHeight") })
        );
    }
    assert_eq!(candidate.thumbnail_url, text("previewURL"));
    assert_eq!(candidate.page_url, text("pageURL"));
    assert_eq!(candidate.id, Some(hit["id"].to_string()));
    assert_eq!(candidate.creator, text("user"));
    assert!(candidate.creator_url.as_ref().unwrap().ends_with(&format!("-{}/", hit["user_id"])));
    assert_eq!(Some(candidate.tags.join(", ")), text("tags"));
    assert!(
        candidate.license.as_ref().unwrap().attribution.as_ref().unwrap().contains(&text("user").unwrap())
    );
}
