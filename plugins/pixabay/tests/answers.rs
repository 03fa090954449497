//! Answers in the API's shape, with invented values.

use pixabay::Pixabay;
use pixcrawler_sdk::{
    Answer, Candidate, CredentialKind, Dimensions, Error, Failure, Found, License, Paged, Query, Result,
};
use serde_json::{Value, json};

const URL: &str = "https://pixabay.com/api/?q=red%20fox&page=1&per_page=100";

fn read(number: u32, status: u16, body: &str) -> Result<(Found, bool)> {
    Pixabay::read(&Query::of("red fox"), number, Answer::of(URL, status, body))
}

fn hit() -> Value {
    json!({
        "id": 7, "pageURL": "https://example.org/photos/fox-7/", "type": "photo", "tags": "fox, red fox, snow",
        "previewURL": "https://cdn.example.org/fox-7_150.jpg", "previewWidth": 150, "previewHeight": 100,
        "webformatURL": "https://example.org/get/7_640.jpg", "webformatWidth": 640, "webformatHeight": 427,
        "largeImageURL": "https://example.org/get/7_1280.jpg", "imageWidth": 4000, "imageHeight": 2670,
        "imageSize": 3_000_000, "views": 1, "downloads": 1, "likes": 1, "comments": 1, "user_id": 9,
        "user": "Ada Fuchs", "userImageURL": "",
    })
}

fn page(total: u32, hits: &Value) -> String {
    json!({"total": 9_000, "totalHits": total, "hits": hits}).to_string()
}

fn fox() -> Candidate {
    let text = |text: &str| Some(text.to_owned());
    Candidate {
        alternates: vec!["https://example.org/get/7_640.jpg".to_owned()],
        id: text("7"),
        page_url: text("https://example.org/photos/fox-7/"),
        thumbnail_url: text("https://cdn.example.org/fox-7_150.jpg"),
        creator: text("Ada Fuchs"),
        creator_url: text("https://pixabay.com/users/Ada%20Fuchs-9/"),
        license: Some(License {
            id: "unknown".to_owned(),
            url: text("https://pixabay.com/service/license-summary/"),
            attribution: text("Image by Ada Fuchs on Pixabay"),
        }),
        tags: ["fox", "red fox", "snow"].map(str::to_owned).to_vec(),
        extra: vec![("pixabay.type".to_owned(), "photo".to_owned())],
        ..Candidate::new("https://example.org/get/7_1280.jpg")
    }
}

#[test]
fn every_field_is_read() {
    let (found, more) = read(1, 200, &page(500, &json!([hit()]))).unwrap();
    assert_eq!((found.candidates, found.warnings, more), (vec![fox()], vec![], true));
}

#[test]
fn full_access_gives_the_picture_itself() {
    let mut full = hit();
    full["fullHDURL"] = "https://example.org/get/7_1920.jpg".into();
    full["imageURL"] = "".into();
    let (found, _) = read(1, 200, &page(1, &json!([full]))).unwrap();
    let candidate = &found.candidates[0];
    assert_eq!(candidate.url, "https://example.org/get/7_1920.jpg");
    assert_eq!((candidate.alternates.len(), candidate.dimensions, candidate.byte_size), (2, None, None));
    full["imageURL"] = "https://example.org/get/7.jpg".into();
    let (found, _) = read(1, 200, &page(1, &json!([full]))).unwrap();
    let candidate = &found.candidates[0];
    assert_eq!(candidate.url, "https://example.org/get/7.jpg");
    // What is said of the original is true of that file only.
    assert_eq!(candidate.dimensions, Some(Dimensions { width: 4000, height: 2670 }));
    assert_eq!((candidate.alternates.len(), candidate.byte_size), (3, Some(3_000_000)));
}

#[test]
fn odd_numbers_cost_nothing_but_themselves() {
    let mut odd = hit();
    odd["imageURL"] = "https://example.org/get/7.jpg".into();
    (odd["id"], odd["user_id"], odd["imageSize"]) = (json!(7.0), json!(9.0), json!(3e6));
    (odd["imageWidth"], odd["imageHeight"]) = (json!(4000.0), "2670".into());
    let body = |hit: &Value| page(500, &json!([hit])).replace("500", "500.0");
    let (found, more) = read(1, 200, &body(&odd)).unwrap();
    let candidate = &found.candidates[0];
    assert_eq!(candidate.dimensions, Some(Dimensions { width: 4000, height: 2670 }));
    assert_eq!((candidate.byte_size, &candidate.id, more), (Some(3_000_000), &fox().id, true));
    assert_eq!(candidate.creator_url, fox().creator_url);
    odd["imageWidth"] = json!(-1);
    assert_eq!(read(1, 200, &body(&odd)).unwrap().0.candidates[0].dimensions, None);
}

#[test]
fn the_first_copy_with_an_address_counts() {
    let with = |changes: &[(&str, &str)]| {
        let mut hit = hit();
        for (name, url) in changes {
            hit[name] = (*url).into();
        }
        read(1, 200, &page(1, &json!([hit]))).map(|(found, _)| found.candidates)
    };
    assert_eq!(with(&[("imageURL", "/o.jpg"), ("fullHDURL", "")]).unwrap(), [fox()]);
    let small = &with(&[("largeImageURL", "")]).unwrap()[0];
    assert_eq!((small.url.as_str(), small.alternates.len()), ("https://example.org/get/7_640.jpg", 0));
    let bad = [("largeImageURL", ""), ("webformatURL", "/get/7_640.jpg"), ("imageURL", "/o.jpg")];
    assert!(matches!(with(&bad), Err(Error::LayoutChanged(_))));
}

#[test]
fn who_opted_out_is_left_out() {
    let (mut out, mut made) = (hit(), hit());
    out["noAiTraining"] = true.into();
    made["isAiGenerated"] = true.into();
    let body = page(3, &json!([out, made, hit()]));
    let (found, _) = read(1, 200, &body).unwrap();
    assert_eq!(found.candidates.len(), 2);
    assert_eq!(found.candidates[0].extra[1], ("pixabay.ai-generated".to_owned(), "true".to_owned()));
    assert_eq!(found.warnings, ["left out because their makers want no training with them: 1"]);
    let query = Query::of("fox").with(&[("without-generated", "true")]);
    let (found, _) = Pixabay::read(&query, 1, Answer::of(URL, 200, &body)).unwrap();
    assert_eq!(found.candidates, [fox()]);
}

#[test]
fn pages_end_where_the_api_says() {
    for (number, total, hits, expect) in [
        (1, 101, json!([hit()]), true),
        (1, 100, json!([hit()]), false),
        (5, 500, json!([hit()]), false),
        (2, 500, json!([]), false),
    ] {
        assert_eq!(read(number, 200, &page(total, &hits)).unwrap().1, expect, "{number} of {total}");
    }
    assert_eq!(read(1, 200, &page(0, &json!([]))), Ok((Found::default(), false)));
    assert!(matches!(read(1, 200, &page(500, &json!([]))), Err(Error::LayoutChanged(_))));
    // Where it counts more than it gives.
    assert_eq!(read(6, 400, "[ERROR 400] \"page\" is out of valid range."), Ok((Found::default(), false)));
}

#[test]
fn a_field_with_another_name_is_a_changed_layout() {
    let body = page(1, &json!([hit()]));
    for field in [
        "hits",
        "totalHits",
        "id",
        "pageURL",
        "type",
        "tags",
        "previewURL",
        "imageWidth",
        "imageHeight",
        "user",
        "user_id",
    ] {
        let body = body.replace(&format!("\"{field}\":"), "\"other\":");
        assert!(matches!(read(1, 200, &body), Err(Error::LayoutChanged(_))), "{field}");
    }
    let mut bad = hit();
    bad["largeImageURL"] = 7.into();
    bad["webformatURL"] = "7.jpg".into();
    let (found, _) = read(1, 200, &page(2, &json!([bad, hit()]))).unwrap();
    assert_eq!((found.candidates, found.warnings.len()), (vec![fox()], 1));
    // What others stand in for is missed, and no more.
    for field in ["webformatURL", "largeImageURL"] {
        let (found, _) = read(1, 200, &body.replace(&format!("\"{field}\":"), "\"other\":")).unwrap();
        assert_eq!((found.candidates.len(), found.warnings.len()), (1, 1), "{field}: {:?}", found.warnings);
        assert!(
            found.warnings[0].contains(&format!("{field}`; the site may have changed")),
            "{:?}",
            found.warnings
        );
    }
}

#[test]
fn errors_are_told_apart() {
    let key = "[ERROR 400] Invalid or missing API key (https://pixabay.com/api/docs/).";
    assert!(matches!(read(1, 400, key), Err(Error::Unauthorized(_))));
    assert!(matches!(read(6, 400, key), Err(Error::Unauthorized(_))));
    let Err(Error::InvalidQuery(said)) = read(1, 400, "[ERROR 400] \"colors\" is invalid.") else { panic!() };
    assert!(said.contains("\"colors\""), "{said}");
    assert!(matches!(
        read(1, 400, "[ERROR 400] \"page\" is out of valid range."),
        Err(Error::InvalidQuery(_))
    ));
    assert_eq!(read(1, 429, "[ERROR 429] API rate limit exceeded."), Err(Error::RateLimited(None)));
    let mut slow = Answer::of(URL, 429, "");
    if let Ok(response) = &mut slow.outcome {
        response.headers.push(("x-ratelimit-reset".to_owned(), "42".to_owned()));
    }
    assert_eq!(Pixabay::read(&Query::of("fox"), 1, slow), Err(Error::RateLimited(Some(42))));
    let failed = Answer { outcome: Err(Failure::Status(429)), ..Answer::of(URL, 0, "") };
    assert_eq!(Pixabay::read(&Query::of("fox"), 1, failed), Err(Error::RateLimited(None)));
    assert!(matches!(read(1, 503, ""), Err(Error::Unavailable(_))));
    assert!(matches!(read(1, 404, ""), Err(Error::LayoutChanged(_))));
    assert!(matches!(read(1, 200, "<html>"), Err(Error::LayoutChanged(_))));
}

#[test]
fn requests() {
    let at = |rest: &str| format!("https://pixabay.com/api/?q=red%20fox&{rest}");
    let query = Query { language: Some("pt-BR".to_owned()), ..Query::of(" red fox ") };
    let request = Pixabay::page(&query, 3);
    assert_eq!(request.url, at("page=3&per_page=100&safesearch=true&lang=pt"));
    assert_eq!(request.credential.as_deref(), Some("api"));
    for (limit, size) in [(1, 20), (200, 200), (5_000, 200)] {
        let query = Query { limit, safe_search: false, ..Query::of("red fox") };
        assert_eq!(Pixabay::page(&query, 1).url, at(&format!("page=1&per_page={size}")));
    }
    for (language, expect) in [("nb-NO", "&lang=no"), ("DE", "&lang=de"), ("eo", ""), ("", "")] {
        let query = Query { language: Some(language.to_owned()), safe_search: false, ..Query::of("red fox") };
        assert_eq!(Pixabay::page(&query, 1).url, at(&format!("page=1&per_page=100{expect}")), "{language}");
    }
    let info = Pixabay::info();
    for spec in info.options.iter().filter(|spec| spec.name != "without-generated") {
        let query = Query { safe_search: false, ..Query::of("red fox").with(&[(&spec.name, "x")]) };
        assert_eq!(Pixabay::page(&query, 1).url, at(&format!("page=1&per_page=100&{}=x", spec.name)));
    }
    assert_eq!(info.credentials[0].kind, CredentialKind::QueryParameter("key".to_owned()));
}

#[test]
fn a_long_search_is_cut_and_said() {
    let long = Query::of(&"ü".repeat(101));
    assert!(Pixabay::page(&long, 1).url.contains(&format!("q={}&", "%C3%BC".repeat(100))));
    let (found, _) = Pixabay::read(&long, 1, Answer::of(URL, 200, &page(1, &json!([hit()])))).unwrap();
    assert_eq!(found.warnings, ["Pixabay searches for the first 100 characters only"]);
}

#[test]
fn an_odd_type_costs_only_its_field() {
    let essential =
        ["hits", "hits[]", "hits[].largeImageURL", "hits[].imageURL", "hits[].noAiTraining", "totalHits"];
    pixcrawler_sweep::sweep::<pixcrawler_sdk::Pages<Pixabay>>(env!("CARGO_MANIFEST_DIR"), &essential);
}
