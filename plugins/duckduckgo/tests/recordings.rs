//! Recorded answers, where there are some.

use std::fs;

use duckduckgo::{DuckDuckGo, Memo};
use pixcrawler_recordings::{recordings, say};
use pixcrawler_sdk::{Answer, Candidate, Chained, Dimensions, Error, Found, Query, Request, Result};
use serde_json::Value;

const URL: &str = "https://duckduckgo.com/";

/// Reads a recording as the token page, or as results after `token`.
fn read(token: Option<&str>, body: &str) -> Result<(Found, Option<Request>)> {
    let query = Query::of("minecraft");
    let mut memo = Memo::default();
    if let Some(token) = token {
        let page = Answer::of(URL, 200, &format!("vqd=\"{token}\""));
        DuckDuckGo::read(&query, &mut memo, page)?;
    }
    DuckDuckGo::read(&query, &mut memo, Answer::of(URL, 200, body))
}

#[test]
fn recordings_are_read_completely() {
    let Some(recordings) = recordings("duckduckgo") else { return };
    let mut count = 0;
    for (name, path) in recordings {
        let body = fs::read_to_string(&path).unwrap();
        match name.rsplit("__").next().unwrap() {
            "vqd.html" => {
                let (_, request) = read(None, &body).unwrap();
                let (_, token) = body.split_once("vqd='").unwrap();
                let (token, _) = token.split_once('\'').unwrap();
                assert!(request.unwrap().url.ends_with(&format!("&vqd={token}")));
            }
            "no-vqd.html" => {
                assert!(matches!(read(None, &body), Err(Error::LayoutChanged(_))), "{name}");
            }
            "anomalyDetectionBlock.js.txt" => {
                for token in [None, Some("4-123456789")] {
                    assert_eq!(read(token, &body), Err(Error::RateLimited(None)), "{name}");
                }
            }
            "506.js.txt" => {
                for token in [None, Some("4-123456789")] {
                    assert!(matches!(read(token, &body), Err(Error::Unavailable(_))), "{name}");
                }
            }
            _ => {
                let json: Value = serde_json::from_str(&body).unwrap();
                let (found, next) = read(Some("4-123456789"), &body).unwrap();
                let expect: Vec<Candidate> =
                    json["results"].as_array().unwrap().iter().map(candidate).collect();
                assert_eq!((&found.candidates, found.warnings), (&expect, Vec::new()), "{name}");
                let next_url = format!("{URL}{}&vqd=4-123456789", json["next"].as_str().unwrap());
                let next_url = (!expect.is_empty()).then_some(next_url);
                assert_eq!(next.map(|request| request.url), next_url, "{name}");
            }
        }
        count += 1;
    }
    assert!(count > 0);
    say(&format!("read {count} recordings of duckduckgo, skipped none"));
}

fn candidate(result: &Value) -> Candidate {
    let text = |name: &str| result[name].as_str().map(str::to_owned);
    let number = |name: &str| result[name].as_u64().and_then(|number| number.try_into().ok()).unwrap_or(0);
    Candidate {
        page_url: text("url"),
        thumbnail_url: text("thumbnail"),
        title: text("title"),
        dimensions: Some(Dimensions { width: number("width"), height: number("height") }),
        extra: vec![("duckduckgo.source".to_owned(), text("source").unwrap_or_default())],
        ..Candidate::new(text("image").unwrap_or_default())
    }
}
