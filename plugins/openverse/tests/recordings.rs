//! Recorded answers, where there are some.

use std::fs;

use openverse::Openverse;
use pixcrawler_recordings::{recordings, say};
use pixcrawler_sdk::{Answer, Candidate, Paged, Query};
use serde_json::Value;

/// Every recorded answer is read completely, or there is no reading it at all.
#[test]
fn recordings_are_read_completely() {
    let Some(recordings) = recordings("openverse") else { return };
    let mut read = 0;
    for (name, path) in recordings {
        if !name.ends_with(".json") || name.ends_with(".meta.json") {
            continue;
        }
        let body = fs::read_to_string(&path).unwrap();
        let json: Value = serde_json::from_str(&body).unwrap();
        let answer = Answer::of("https://api.openverse.org/v1/images/?q=cat&page=1&page_size=20", 200, &body);
        let (found, more) = Openverse::read(&Query::of("cat"), 1, answer).unwrap();
        let results = json["results"].as_array().unwrap();
        assert_eq!(found.candidates.len(), results.len(), "{name}");
        assert_eq!(found.warnings, [""; 0], "{name}");
        assert_eq!(more, json["page_count"].as_u64() > Some(1), "{name}");
        for (candidate, result) in found.candidates.iter().zip(results) {
            check(candidate, result);
        }
        read += 1;
    }
    assert!(read > 0);
    say(&format!("read {read} recordings of openverse, skipped none"));
}

fn check(candidate: &Candidate, result: &Value) {
    let text = |name: &str| result[name].as_str();
    assert_eq!(Some(candidate.url.as_str()), text("url"));
    assert_eq!(candidate.id.as_deref(), text("id"));
    assert_eq!(candidate.title.as_deref(), text("title"));
    assert_eq!(candidate.creator.as_deref(), text("creator"));
    assert_eq!(candidate.creator_url.as_deref(), text("creator_url"));
    assert_eq!(candidate.page_url.as_deref(), text("foreign_landing_url"));
    assert_eq!(candidate.thumbnail_url.as_deref(), text("thumbnail"));
    let names: Vec<_> =
        result["tags"].as_array().into_iter().flatten().filter_map(|tag| tag["name"].as_str()).collect();
    assert_eq!(candidate.tags, names);
    let license = candidate.license.as_ref().map(|license| license.id.as_str());
    let (code, version) = (text("license").unwrap_or_default(), text("license_version").unwrap_or_default());
    let prefix = if code.starts_with("by") { "cc-" } else { "" };
    assert_eq!(license, Some(format!("{prefix}{code}-{version}").as_str()));
    let license = candidate.license.as_ref();
    assert!(
        license.and_then(|license| license.attribution.as_deref()).is_some_and(|line| line.ends_with('.'))
    );
    let url = license.and_then(|license| license.url.as_deref());
    assert!(url.is_some_and(|url| url.starts_with("https://creativecommons.org/")), "{url:?}");
    if let Some(expected) = text("license_url") {
        assert_eq!(url, Some(expected));
    }
}
