//! Recorded answers, where there are some.
#![expect(clippy::unwrap_used, reason = "a failed `unwrap` is a failed test")]

use std::fs;

use met_museum::MetMuseum;
use pixcrawler_recordings::{recordings, say};
use pixcrawler_sdk::{Answer, Candidate, Failure, List, Listed, Machine, Next, Query, Request};
use serde_json::Value;

/// Every object gives all its pictures, with what a reader of its JSON would say of them.
#[test]
fn recorded_objects_are_read_completely() {
    let Some(recordings) = recordings("met-museum") else { return };
    for (name, path) in recordings {
        let body = fs::read_to_string(&path).unwrap();
        let json: Value = serde_json::from_str(&body).unwrap();
        let answer =
            Answer::of("https://collectionapi.metmuseum.org/public/collection/v1/objects/1", 200, &body);
        let read = MetMuseum::read(&Query::of("cat"), "1", answer);
        if json["objectID"].is_null() {
            assert!(read.is_err(), "{name}");
            continue;
        }
        let found = read.unwrap();
        let urls: Vec<&str> = std::iter::once(&json["primaryImage"])
            .chain(json["additionalImages"].as_array().unwrap())
            .filter_map(Value::as_str)
            .filter(|url| !url.is_empty())
            .collect();
        assert_eq!(
            found.candidates.iter().map(|candidate| &candidate.url).collect::<Vec<_>>(),
            urls,
            "{name}"
        );
        assert_eq!(found.warnings, [""; 0], "{name}");
        found.candidates.iter().for_each(|candidate| check(candidate, &json));
        say(&format!("read {name}: {} pictures", urls.len()));
    }
}

fn check(candidate: &Candidate, json: &Value) {
    let text = |name: &str| json[name].as_str().filter(|text| !text.is_empty());
    let main = Some(candidate.url.as_str()) == text("primaryImage");
    let wikidata = text("artistWikidata_URL").or_else(|| text("artistULAN_URL"));
    assert_eq!(candidate.id, Some(json["objectID"].to_string()));
    assert_eq!(candidate.page_url.as_deref(), text("objectURL"));
    assert_eq!(candidate.thumbnail_url.as_deref(), text("primaryImageSmall").filter(|_| main));
    assert_eq!(candidate.title.as_deref(), text("title"));
    assert_eq!(candidate.creator.as_deref(), text("artistDisplayName"));
    assert_eq!(candidate.creator_url.as_deref(), wikidata);
    let terms: Vec<_> =
        json["tags"].as_array().into_iter().flatten().filter_map(|tag| tag["term"].as_str()).collect();
    assert_eq!(candidate.tags, terms);
    let license = candidate.license.as_ref().unwrap();
    assert_eq!((license.id.as_str(), json["isPublicDomain"].as_bool()), ("cc0-1.0", Some(true)));
    assert!(license.url.is_some());
    for said in ["title", "artistDisplayName", "objectDate", "creditLine"] {
        assert!(license.attribution.as_deref().unwrap().contains(text(said).unwrap_or_default()), "{said}");
    }
    for (name, value) in &candidate.extra {
        assert_eq!(Some(value.as_str()), text(name.strip_prefix("met-museum.").unwrap()), "{name}");
    }
    let said = ["objectName", "objectDate", "medium", "classification", "culture", "period", "department"];
    let said = said.into_iter().chain(["accessionNumber"]).filter(|name| text(name).is_some()).count();
    assert_eq!(candidate.extra.len(), said);
}

/// All ids of the recorded lists are asked for, each once, in order and within the limits of a step.
#[test]
fn recorded_lists_are_walked_to_their_end() {
    let Some(recordings) = recordings("met-museum") else { return };
    let (_, gone) = recordings.iter().find(|(name, _)| name.ends_with("_404.json")).unwrap();
    let gone = fs::read_to_string(gone).unwrap();
    for (name, path) in recordings.iter().filter(|(name, _)| name.contains("__search_")) {
        let list = fs::read_to_string(path).unwrap();
        let expected: Vec<u64> =
            serde_json::from_value(serde_json::from_str::<Value>(&list).unwrap()["objectIDs"].take())
                .unwrap();
        let answer = |request: &Request| Answer {
            key: request.key.clone(),
            ..match request.keep {
                true => Answer::of(&request.url, 200, &list),
                // One that is known already, for lists of which nothing is there have moved.
                false if request.item == Some(expected[0].to_string()) => {
                    Answer { outcome: Err(Failure::Skipped), ..Answer::of(&request.url, 0, "") }
                }
                false => Answer::of(&request.url, 404, &gone),
            }
        };
        let query = Query::of("cat");
        let mut turn = List::<MetMuseum>::start(&query).unwrap();
        let (mut asked, mut lists): (Vec<u64>, u32) = (Vec::new(), 0);
        while let Next::Fetch(requests) = &turn.next {
            assert!(requests.len() <= 21, "{name}");
            lists += u32::from(requests[0].keep);
            asked.extend(requests.iter().filter_map(|request| request.item.as_deref()?.parse::<u64>().ok()));
            let answers = requests.iter().map(answer).collect();
            turn = List::<MetMuseum>::resume(&query, turn.state, answers).unwrap();
            assert!(serde_json::to_string(&turn.state).unwrap().len() < 2_300, "{name}");
        }
        assert_eq!(asked, expected, "{name}");
        say(&format!("walked {name}: {} ids, the list read {lists} times", asked.len()));
    }
}
