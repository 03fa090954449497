//! Recorded answers, where there are some.

use std::collections::BTreeMap;
use std::fs;

use baidu::{Baidu, Place};
use pixcrawler_recordings::{recordings, say};
use pixcrawler_sdk::{Answer, Candidate, Chained, Dimensions, Error, Found, Query, Request, Result};
use serde_json::Value;

fn read(body: &str) -> Result<(Found, Option<Request>)> {
    let query = Query::of("x");
    let mut place = Place::default();
    Baidu::read(&query, &mut place, Answer::of("https://image.baidu.com/", 200, ""))?;
    Baidu::read(&query, &mut place, Answer::of("https://image.baidu.com/search/acjson", 200, body))
}

#[test]
fn recordings_are_read_completely() {
    let Some(recordings) = recordings("baidu-images") else { return };
    let mut count = 0;
    for (name, path) in recordings {
        let body = fs::read_to_string(&path).unwrap();
        if path.extension().is_some_and(|extension| extension == "html") {
            assert_eq!(read(&body), Err(Error::RateLimited(None)), "{name}");
        } else {
            let json: Value = serde_json::from_str(&body).unwrap();
            let (found, next) = read(&body).unwrap();
            assert_eq!(found.warnings, [""; 0], "{name}");
            let results = json["data"].as_array().unwrap();
            let (last, results) = results.split_last().unwrap();
            assert_eq!(last.as_object().map(serde_json::Map::len), Some(0), "{name}");
            assert_eq!(found.candidates.len(), results.len(), "{name}");
            for (candidate, result) in found.candidates.iter().zip(results) {
                assert_eq!(*candidate, expected(result), "{name}");
            }
            assert!(next.is_some_and(|next| next.url.ends_with("&pn=30&rn=30")), "{name}");
        }
        count += 1;
    }
    assert!(count > 0);
    say(&format!("read {count} recordings of baidu, skipped none"));
}

fn expected(result: &Value) -> Candidate {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let number = |name: &str| result[name].as_u64().and_then(|number| number.try_into().ok());
    let url = plain(result["objURL"].as_str().unwrap_or_default());
    let places = result["replaceUrl"].as_array().into_iter().flatten();
    let copies = places.filter_map(|place| text(&place["ObjURL"]));
    Candidate {
        alternates: copies.filter(|copy| !copy.contains("imgtn.bdimg.com") && *copy != url).collect(),
        id: text(&result["cs"]),
        page_url: Some(plain(result["fromURL"].as_str().unwrap_or_default())),
        thumbnail_url: text(&result["thumbURL"]),
        title: text(&result["fromPageTitle"])
            .map(|title| title.replace("<strong>", "").replace("</strong>", "").trim().to_owned()),
        published: text(&result["bdImgnewsDate"]).map(|date| date[..10].to_owned()),
        dimensions: Dimensions::known(number("width"), number("height")),
        ..Candidate::new(url)
    }
}

/// The cipher, written down as pairs.
fn plain(written: &str) -> String {
    let pairs =
        "wa kb vc 1d je uf 2g ih ti 3j hk sl 4m gn 5o rp qq 6r fs pt 7u ev ow 81 d2 n3 94 c5 m6 07 b8 l9 a0";
    let meant: BTreeMap<char, char> =
        pairs.split(' ').filter_map(|pair| Some((pair.chars().next()?, pair.chars().nth(1)?))).collect();
    let written = written.replace("_z2C$q", ":").replace("_z&e3B", ".").replace("AzdH3F", "/");
    written.chars().map(|c| meant.get(&c).copied().unwrap_or(c)).collect()
}
