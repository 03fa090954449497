//! Answers in the API's shape, with invented values.

use openverse::Openverse;
use pixcrawler_sdk::{Answer, Candidate, Dimensions, Error, Failure, Found, License, Paged, Query, Result};

const URL: &str = "https://api.openverse.org/v1/images/?q=red%20fox&page=1&page_size=20";

fn read(number: u32, status: u16, body: &str) -> Result<(Found, bool)> {
    Openverse::read(&Query::of("red fox"), number, Answer::of(URL, status, body))
}

fn with_credential() -> Query {
    Query { credentials: vec!["api".to_owned()], ..Query::of("red fox") }
}

fn page(results: &str, page_count: u32) -> String {
    format!(
        r#"{{"result_count": 240, "page_count": {page_count}, "page_size": 20, "page": 1, "results": [{results}]}}"#
    )
}

const FULL: &str = r#"{
    "id": "0b1c2d3e-0000-4000-8000-000000000001", "title": "Fox at dawn", "indexed_on": "2021-03-04T05:06:07Z",
    "foreign_landing_url": "https://photos.example.org/fox", "url": "https://img.example.org/fox.jpg",
    "creator": "Ada Fuchs", "creator_url": "https://photos.example.org/ada", "license": "by-nc-sa",
    "license_version": "2.0", "license_url": "https://creativecommons.org/licenses/by-nc-sa/2.0/",
    "provider": "flickr", "source": "flickr", "category": "photograph", "filesize": 123456, "filetype": "jpg",
    "tags": [{"name": "fox", "accuracy": null}, {"name": "dawn", "accuracy": 0.9}, {"name": null}],
    "attribution": "\"Fox at dawn\" by Ada Fuchs is licensed under CC BY-NC-SA 2.0.",
    "fields_matched": ["title"], "mature": false, "height": 768, "width": 1024,
    "thumbnail": "https://api.openverse.org/v1/images/0b1c2d3e-0000-4000-8000-000000000001/thumb/",
    "detail_url": "x", "related_url": "y", "unstable__sensitivity": []
}"#;

fn full() -> Candidate {
    Candidate {
        id: Some("0b1c2d3e-0000-4000-8000-000000000001".to_owned()),
        page_url: Some("https://photos.example.org/fox".to_owned()),
        thumbnail_url: Some(
            "https://api.openverse.org/v1/images/0b1c2d3e-0000-4000-8000-000000000001/thumb/".to_owned(),
        ),
        title: Some("Fox at dawn".to_owned()),
        creator: Some("Ada Fuchs".to_owned()),
        creator_url: Some("https://photos.example.org/ada".to_owned()),
        license: Some(License {
            id: "cc-by-nc-sa-2.0".to_owned(),
            url: Some("https://creativecommons.org/licenses/by-nc-sa/2.0/".to_owned()),
            attribution: Some("\"Fox at dawn\" by Ada Fuchs is licensed under CC BY-NC-SA 2.0.".to_owned()),
        }),
        dimensions: Some(Dimensions { width: 1024, height: 768 }),
        mime: Some("image/jpeg".to_owned()),
        byte_size: Some(123_456),
        tags: vec!["fox".to_owned(), "dawn".to_owned()],
        extra: vec![
            ("openverse.provider".to_owned(), "flickr".to_owned()),
            ("openverse.source".to_owned(), "flickr".to_owned()),
            ("openverse.category".to_owned(), "photograph".to_owned()),
        ],
        ..Candidate::new("https://img.example.org/fox.jpg")
    }
}

#[test]
fn every_field_is_read() {
    let (found, more) = read(1, 200, &page(FULL, 3)).unwrap();
    assert_eq!((found.candidates, found.warnings, more), (vec![full()], vec![], true));
}

#[test]
fn only_address_and_licence_must_be_there() {
    let result = r#"{"url": "https://img.example.org/a.png", "license": "CC0", "title": null, "tags": null, "width": 5}"#;
    let (found, _) = read(1, 200, &page(result, 1)).unwrap();
    let license = License {
        id: "cc0-1.0".to_owned(),
        url: Some("https://creativecommons.org/publicdomain/zero/1.0/".to_owned()),
        attribution: Some("This work is marked with CC0 1.0.".to_owned()),
    };
    let expect = Candidate { license: Some(license), ..Candidate::new("https://img.example.org/a.png") };
    assert_eq!(found.candidates, [expect]);
}

#[test]
fn licences() {
    for (code, version, id, url, attribution) in [
        ("by", r#""4.0""#, "cc-by-4.0", "licenses/by/4.0/", "\"T\" by C is licensed under CC BY 4.0."),
        (
            "by-nd",
            r#""2.5""#,
            "cc-by-nd-2.5",
            "licenses/by-nd/2.5/",
            "\"T\" by C is licensed under CC BY-ND 2.5.",
        ),
        ("cc0", r#""1.0""#, "cc0-1.0", "publicdomain/zero/1.0/", "\"T\" by C is marked with CC0 1.0."),
        (
            "pdm",
            "null",
            "pdm-1.0",
            "publicdomain/mark/1.0/",
            "\"T\" by C is marked with Public Domain Mark 1.0.",
        ),
    ] {
        let result = format!(
            r#"{{"url": "https://img.example.org/", "license": "{code}", "license_version": {version}, "title": "T", "creator": "C"}}"#
        );
        let (found, _) = read(1, 200, &page(&result, 1)).unwrap();
        let expect = License {
            id: id.to_owned(),
            url: Some(format!("https://creativecommons.org/{url}")),
            attribution: Some(attribution.to_owned()),
        };
        assert_eq!(found.candidates[0].license, Some(expect));
    }
}

#[test]
fn the_list_ends_with_its_last_page_or_an_empty_one() {
    let more = |number, page: String| read(number, 200, &page).unwrap().1;
    assert!(more(1, page(FULL, 2)));
    assert!(!more(2, page(FULL, 2)));
    assert!(!more(2, page("", 3)));
    assert!(!more(1, page("", 0).replace("240", "0")));
}

#[test]
fn one_bad_result_costs_only_itself() {
    let results = format!(r#"{FULL}, {{"license": "by"}}, {{"url": 7, "license": "by"}}, "rubbish""#);
    let (found, _) = read(1, 200, &page(&results, 1)).unwrap();
    assert_eq!(found.candidates, [full()]);
    assert_eq!(found.warnings.len(), 1);
    assert!(
        found.warnings[0].starts_with("3 of 4 results cannot be read: missing field `url`"),
        "{:?}",
        found.warnings
    );
}

#[test]
fn a_changed_answer_says_what_was_looked_for() {
    for (body, expect) in [
        (r#"{"items": [], "page_count": 1}"#, "results"),
        (r#"{"results": []}"#, "page_count"),
        (r#"{"results": {}, "page_count": 1}"#, "sequence"),
        (&page(r#"{"image": "https://img.example.org/a.jpg", "license": "by"}"#, 1), "`url`"),
        (&page(r#"{"url": "https://img.example.org/a.jpg", "licence": "by"}"#, 1), "`license`"),
        (&page(r#"{"url": "/a.jpg", "license": "by"}"#, 1), "not the address of a picture: /a.jpg"),
        (r#"{"results": [], "page_count": 240}"#, "expected 240 results in `results`, found none"),
        (r#"{"results": [], "page_count": 0, "result_count": 7}"#, "expected 7 results in `results`"),
        ("<html>Just a moment", "expected value"),
        ("", "EOF"),
    ] {
        let Err(Error::LayoutChanged(message)) = read(1, 200, body) else { panic!("{body}") };
        assert!(message.contains(expect), "{message}");
    }
}

#[test]
fn the_end_of_an_anonymous_search_is_no_error() {
    for (status, body) in [
        (401, r#"{"detail": "Authentication credentials were not provided."}"#),
        (400, r#"{"detail": {"page": ["Ensure this value is less than or equal to 12."]}}"#),
        (403, ""),
        (404, r#"{"detail": "Invalid page."}"#),
    ] {
        let (found, more) = read(13, status, body).unwrap();
        assert_eq!((found.candidates.len(), found.warnings.len(), more), (0, 1, false), "{status}");
        assert!(found.warnings[0].contains("240"), "{:?}", found.warnings);
    }
    // Where the API itself counts only what it will show.
    let (found, more) = read(12, 200, &page(FULL, 12)).unwrap();
    assert_eq!((found.candidates.len(), found.warnings.len(), more), (1, 1, false));
    let (found, _) = Openverse::read(&with_credential(), 12, Answer::of(URL, 200, &page(FULL, 12))).unwrap();
    assert_eq!(found.warnings.len(), 0);
}

#[test]
fn errors_are_told_apart() {
    let throttled = r#"{"detail": "Request was throttled. Expected available in 86 seconds."}"#;
    assert_eq!(read(1, 429, throttled), Err(Error::RateLimited(Some(86))));
    assert_eq!(read(1, 429, "{}"), Err(Error::RateLimited(None)));
    assert!(matches!(read(1, 401, "{}"), Err(Error::Unauthorized(_))));
    assert!(matches!(read(1, 403, "{}"), Err(Error::Unavailable(_))));
    assert!(matches!(read(5, 503, "{}"), Err(Error::Unavailable(_))));
    assert!(matches!(read(1, 404, "{}"), Err(Error::LayoutChanged(_))));
    let unknown = r#"{"detail": {"license": ["License 'mit' does not exist."]}}"#;
    let Err(Error::InvalidQuery(message)) = read(1, 400, unknown) else { panic!() };
    assert!(message.contains("License 'mit' does not exist."), "{message}");
    let refused = Openverse::read(&with_credential(), 2, Answer::of(URL, 401, "{}"));
    assert!(matches!(refused, Err(Error::Unauthorized(_))));
    let failed = Answer { outcome: Err(Failure::Status(429)), ..Answer::of(URL, 0, "") };
    assert_eq!(Openverse::read(&Query::of("red fox"), 2, failed), Err(Error::RateLimited(None)));
}

#[test]
fn requests() {
    let url = |query: &Query, number| Openverse::page(query, number).url;
    let at = |rest: &str| format!("https://api.openverse.org/v1/images/?q={rest}");
    assert_eq!(url(&Query::of(" red fox "), 3), at("red%20fox&page=3&page_size=20"));
    assert_eq!(url(&with_credential(), 1), at("red%20fox&page=1&page_size=50"));
    assert_eq!(url(&Query { limit: 30, ..with_credential() }, 1), at("red%20fox&page=1&page_size=30"));
    let options = [("license", "by,cc0"), ("source", ""), ("size", "large")];
    let query = Query { safe_search: false, limit: 1, ..Query::of("ü&").with(&options) };
    assert_eq!(url(&query, 1), at("%C3%BC%26&page=1&page_size=20&mature=true&license=by%2Ccc0&size=large"));
    assert_eq!(Openverse::page(&query, 1).credential.as_deref(), Some("api"));
}

#[test]
fn a_long_search_is_cut_and_said() {
    let long = Query::of(&"ü".repeat(201));
    assert!(Openverse::page(&long, 1).url.contains(&format!("q={}&", "%C3%BC".repeat(200))));
    let warnings = |query: &Query, number| {
        Openverse::read(query, number, Answer::of(URL, 200, &page(FULL, 3))).unwrap().0.warnings.len()
    };
    assert_eq!(
        (warnings(&long, 1), warnings(&long, 2), warnings(&Query::of(&"ü".repeat(200)), 1)),
        (1, 0, 0)
    );
}

#[test]
fn every_filter_is_an_option() {
    let info = Openverse::info();
    for spec in &info.options {
        let query = Query::of("fox").with(&[(&spec.name, "x")]);
        assert!(Openverse::page(&query, 1).url.ends_with(&format!("&{}=x", spec.name)), "{}", spec.name);
    }
    assert_eq!(info.options.len(), 7);
}

#[test]
fn an_odd_type_costs_only_its_field() {
    let essential = ["results", "results[]", "results[].url", "page_count"];
    pixcrawler_sweep::sweep::<pixcrawler_sdk::Pages<Openverse>>(env!("CARGO_MANIFEST_DIR"), &essential);
}
