//! Answers in the API's shape, with invented values.

use met_museum::MetMuseum;
use pixcrawler_sdk::{Answer, Candidate, Error, Found, License, List, Listed, Machine, Next, Query, Result};
use serde_json::{Value, json};

const SEARCH: &str =
    "https://collectionapi.metmuseum.org/public/collection/v1/search?hasImages=true&q=red%20fox";
const GUARD: &str = "<html><head><script src=\"/_Incapsula_Resource?x=1\"></script></head></html>";

fn object() -> Value {
    json!({
        "objectID": 7, "isHighlight": false, "accessionNumber": "1.2.3", "isPublicDomain": true,
        "primaryImage": "https://images.example.org/original/fox.jpg",
        "primaryImageSmall": "https://images.example.org/web-large/fox.jpg",
        "additionalImages": ["https://images.example.org/original/fox-back.jpg"],
        "constituents": null, "department": "Drawings and Prints", "objectName": "Drawing",
        "title": "Red Fox", "culture": "", "period": "", "artistDisplayName": "Ada Fuchs",
        "artistWikidata_URL": "https://www.wikidata.example.org/Q7", "artistULAN_URL": "https://ulan.example.org/7",
        "objectDate": "ca. 1891", "medium": "Ink", "creditLine": "Gift of B. Dachs, 1920", "classification": "Drawings",
        "objectURL": "https://www.example.org/art/7",
        "tags": [{"term": "Foxes", "AAT_URL": "https://aat.example.org/1"}, {"term": ""}],
    })
}

fn with(changes: Value) -> Value {
    let mut object = object();
    if let (Some(object), Value::Object(changes)) = (object.as_object_mut(), changes) {
        object.extend(changes);
    }
    object
}

fn read(status: u16, body: &str) -> Result<Found> {
    let answer =
        Answer { key: "7".to_owned(), ..Answer::of(&MetMuseum::item(&Query::of(""), "7").url, status, body) };
    MetMuseum::read(&Query::of("red fox"), "7", answer)
}

fn ids(status: u16, body: &str) -> Result<Vec<String>> {
    MetMuseum::ids(&Query::of("red fox"), None, Answer::of(SEARCH, status, body))
        .map(|(ids, _)| ids.collect())
}

#[test]
fn every_field_is_read() {
    let known = Candidate {
        id: Some("7".to_owned()),
        page_url: Some("https://www.example.org/art/7".to_owned()),
        title: Some("Red Fox".to_owned()),
        creator: Some("Ada Fuchs".to_owned()),
        creator_url: Some("https://www.wikidata.example.org/Q7".to_owned()),
        license: Some(License {
            id: "cc0-1.0".to_owned(),
            url: Some("https://creativecommons.org/publicdomain/zero/1.0/".to_owned()),
            attribution: Some(
                "Red Fox, Ada Fuchs, ca. 1891. The Metropolitan Museum of Art, New York, Gift of B. Dachs, 1920."
                    .to_owned(),
            ),
        }),
        tags: vec!["Foxes".to_owned()],
        extra: [
            ("objectName", "Drawing"),
            ("objectDate", "ca. 1891"),
            ("medium", "Ink"),
            ("classification", "Drawings"),
            ("department", "Drawings and Prints"),
            ("accessionNumber", "1.2.3"),
        ]
        .map(|(name, value)| (format!("met-museum.{name}"), value.to_owned()))
        .to_vec(),
        ..Candidate::new("https://images.example.org/original/fox-back.jpg")
    };
    let main = Candidate {
        url: "https://images.example.org/original/fox.jpg".to_owned(),
        thumbnail_url: Some("https://images.example.org/web-large/fox.jpg".to_owned()),
        ..known.clone()
    };
    let found = read(200, &object().to_string()).unwrap();
    assert_eq!((found.candidates, found.warnings), (vec![main, known], vec![]));
}

#[test]
fn objects_without_a_free_picture() {
    let left_out = |changes| {
        let found = read(200, &with(changes).to_string()).unwrap();
        (found.candidates.len(), found.warnings.concat())
    };
    let none = json!({"primaryImage": "", "primaryImageSmall": "", "additionalImages": []});
    assert_eq!(left_out(none), (0, "no picture".to_owned()));
    assert_eq!(left_out(json!({"isPublicDomain": false})), (0, "not in the public domain".to_owned()));
    // Only pictures beside the main one: no thumbnail that would show another.
    let found = read(200, &with(json!({"primaryImage": ""})).to_string()).unwrap();
    assert_eq!((found.candidates.len(), &found.candidates[0].thumbnail_url), (1, &None));
}

#[test]
fn what_is_no_address_is_left_out() {
    let read = |changes| read(200, &with(changes).to_string());
    let found = read(json!({"primaryImage": "/CRD/1.jpg"})).unwrap();
    let back = "https://images.example.org/original/fox-back.jpg";
    assert_eq!((found.candidates.len(), found.candidates[0].url.as_str()), (1, back));
    assert_eq!((&found.candidates[0].thumbnail_url, found.warnings.len()), (&None, 1));
    let found = read(json!({"additionalImages": ["/CRD/2.jpg", "/CRD/3.jpg"]})).unwrap();
    assert_eq!((found.candidates.len(), found.warnings.len()), (1, 1));
    for other in [json!([]), json!(["/CRD/2.jpg"])] {
        let bad = read(json!({"primaryImage": "/CRD/1.jpg", "additionalImages": other}));
        let Err(Error::LayoutChanged(message)) = bad else { panic!("{bad:?}") };
        assert_eq!(message, "not the address of a picture: /CRD/1.jpg");
    }
}

#[test]
fn what_is_not_known_is_left_out() {
    let nobody = json!({
        "artistDisplayName": "", "artistWikidata_URL": "", "artistULAN_URL": "", "tags": null, "creditLine": "",
        "objectDate": "", "title": "Cup",
    });
    let found = read(200, &with(nobody).to_string()).unwrap();
    let cup = &found.candidates[0];
    assert_eq!((&cup.creator, &cup.creator_url, cup.tags.len()), (&None, &None, 0));
    let line = cup.license.as_ref().and_then(|license| license.attribution.as_deref());
    assert_eq!(line, Some("Cup. The Metropolitan Museum of Art, New York."));
    let ulan = read(200, &with(json!({"artistWikidata_URL": ""})).to_string()).unwrap();
    assert_eq!(ulan.candidates[0].creator_url.as_deref(), Some("https://ulan.example.org/7"));
}

#[test]
fn a_field_with_another_name_is_a_changed_layout() {
    for field in [
        "objectID",
        "isPublicDomain",
        "primaryImage",
        "primaryImageSmall",
        "additionalImages",
        "title",
        "artistDisplayName",
        "objectURL",
        "tags",
    ] {
        let body = object().to_string().replace(&format!("\"{field}\""), "\"other\"");
        assert!(matches!(read(200, &body), Err(Error::LayoutChanged(_))), "{field}");
    }
    for body in [
        r#"{"other": 2, "objectIDs": [1, 2]}"#,
        r#"{"total": 2, "other": [1, 2]}"#,
        r#"{"total": 2, "objectIDs": []}"#,
        "[]",
    ] {
        assert!(matches!(ids(200, body), Err(Error::LayoutChanged(_))), "{body}");
    }
}

#[test]
fn lists_of_ids() {
    assert_eq!(ids(200, r#"{"total": 2, "objectIDs": [20, 3]}"#), Ok(vec!["20".to_owned(), "3".to_owned()]));
    assert_eq!(ids(200, r#"{"total": 2.0, "objectIDs": [20.0]}"#), Ok(vec!["20".to_owned()]));
    assert_eq!(ids(200, r#"{"total": 0, "objectIDs": null}"#), Ok(vec![]));
}

#[test]
fn the_guard_is_told_apart() {
    for (status, body) in [(403, GUARD), (403, ""), (200, GUARD)] {
        assert_eq!(read(status, body), Err(Error::RateLimited(Some(60))), "{status} {body}");
        assert_eq!(ids(status, body), Err(Error::RateLimited(Some(60))), "{status} {body}");
    }
    assert!(matches!(read(200, "<html>Hello</html>"), Err(Error::LayoutChanged(_))));
    assert!(matches!(read(502, GUARD), Err(Error::RateLimited(Some(60)))));
    assert!(matches!(read(502, ""), Err(Error::Unavailable(_))));
}

#[test]
fn a_crawl_asks_for_each_object() {
    let query = Query::of("red fox");
    let turn = List::<MetMuseum>::start(&query).unwrap();
    let Next::Fetch(requests) = turn.next else { panic!() };
    assert_eq!((requests[0].url.as_str(), requests[0].keep), (SEARCH, true));
    let list = Answer::of(SEARCH, 200, r#"{"total": 2, "objectIDs": [7, 8]}"#);
    let turn = List::<MetMuseum>::resume(&query, turn.state, vec![list]).unwrap();
    let Next::Fetch(requests) = turn.next else { panic!() };
    let asked: Vec<_> =
        requests.iter().map(|request| (request.url.as_str(), request.item.as_deref())).collect();
    let api = "https://collectionapi.metmuseum.org/public/collection/v1/objects";
    assert_eq!(asked, [(format!("{api}/7").as_str(), Some("7")), (format!("{api}/8").as_str(), Some("8"))]);
    let gone = Answer::of(&requests[1].url, 404, r#"{"message": "ObjectID not found"}"#);
    let answers = vec![Answer::of(&requests[0].url, 200, &object().to_string()), gone];
    let turn = List::<MetMuseum>::resume(&query, turn.state, answers).unwrap();
    assert_eq!((turn.found.candidates.len(), turn.next), (2, Next::Done));
    assert_eq!(turn.found.warnings, ["1 of 2 left out: no longer there"]);
}

#[test]
fn objects_that_have_moved_are_a_changed_layout() {
    let query = Query::of("red fox");
    let state = List::<MetMuseum>::start(&query).unwrap().state;
    let list = Answer::of(SEARCH, 200, r#"{"total": 3, "objectIDs": [7, 8, 9]}"#);
    let turn = List::<MetMuseum>::resume(&query, state, vec![list]).unwrap();
    let Next::Fetch(requests) = turn.next else { panic!() };
    let gone = requests.iter().map(|request| Answer::of(&request.url, 404, "{}")).collect();
    let read = List::<MetMuseum>::resume(&query, turn.state, gone);
    assert!(matches!(read, Err(Error::LayoutChanged(_))), "{read:?}");
}

#[test]
fn searches() {
    let url = |options: &[(&str, &str)]| {
        let list = MetMuseum::page(&Query::of(" red fox ").with(options), None);
        list.url.split_once("?hasImages=true&").map(|(_, rest)| rest.to_owned()).unwrap()
    };
    assert_eq!(url(&[]), "q=red%20fox");
    assert_eq!(
        url(&[
            ("department", "asian-art"),
            ("highlights", "true"),
            ("on-view", "false"),
            ("medium", "Silk|Paintings")
        ]),
        "departmentId=6&isHighlight=true&medium=Silk%7CPaintings&q=red%20fox"
    );
    assert_eq!(
        url(&[
            ("search-in", "artist-or-culture"),
            ("place", "Paris"),
            ("on-view", "true"),
            ("from-year", "-50")
        ]),
        "artistOrCulture=true&isOnView=true&geoLocation=Paris&dateBegin=-50&dateEnd=9999&q=red%20fox"
    );
    assert_eq!(url(&[("to-year", "1500")]), "dateBegin=-1000000&dateEnd=1500&q=red%20fox");
    for spec in MetMuseum::info().options {
        let value = spec.choices.first().map_or("true", |(value, _)| value.as_str());
        assert_ne!(url(&[(&spec.name, value)]), "q=red%20fox", "{}", spec.name);
    }
}

#[test]
fn an_odd_type_costs_only_its_field() {
    let essential = [
        "objectIDs",
        "objectIDs[]",
        "primaryImage",
        "additionalImages",
        "additionalImages[]",
        "isPublicDomain",
    ];
    pixcrawler_sweep::sweep::<pixcrawler_sdk::List<MetMuseum>>(env!("CARGO_MANIFEST_DIR"), &essential);
}
