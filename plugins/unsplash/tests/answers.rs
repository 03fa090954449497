//! Answers in the API's shape, with invented values.

use pixcrawler_sdk::{
    Answer, Candidate, CredentialKind, Dimensions, Error, Found, License, Paged, Query, Result,
};
use serde_json::{Value, json};
use unsplash::Unsplash;

const URL: &str = "https://api.unsplash.com/search/photos?query=red%20fox";

fn read(number: u32, status: u16, body: &str) -> Result<(Found, bool)> {
    Unsplash::read(&Query::of("red fox"), number, Answer::of(URL, status, body))
}

fn photo() -> Value {
    json!({
        "id": "Fox7", "slug": "a-fox", "created_at": "2021-02-03T04:05:06-05:00", "width": 6000, "height": 4000,
        "color": "#0C0C0F", "description": "Fox at dawn", "alt_description": "a red fox on snow",
        "urls": {
            "raw": "https://images.example.org/fox?ixid=1", "full": "https://images.example.org/fox?fm=jpg&ixid=1",
            "regular": "https://images.example.org/fox?w=1080&ixid=1", "small": "https://images.example.org/fox?w=400",
            "thumb": "https://images.example.org/fox?w=200&ixid=1",
        },
        "links": {
            "self": "https://api.example.org/photos/Fox7", "html": "https://www.example.org/photos/Fox7",
            "download": "https://www.example.org/photos/Fox7/download",
            "download_location": "https://api.example.org/photos/Fox7/download",
        },
        "user": {"id": "u", "name": "Ada Fuchs", "links": {"html": "https://www.example.org/@ada"}},
        "tags": [{"type": "search", "title": "fox"}, {"title": "snow"}],
    })
}

fn page(pages: u32, photos: &Value) -> String {
    json!({"total": 40, "total_pages": pages, "results": photos}).to_string()
}

#[test]
fn every_field_is_read() {
    let text = |text: &str| Some(text.to_owned());
    let expected = Candidate {
        alternates: vec![
            "https://images.example.org/fox?fm=jpg&ixid=1".to_owned(),
            "https://images.example.org/fox?w=1080&ixid=1".to_owned(),
        ],
        id: text("Fox7"),
        page_url: text("https://www.example.org/photos/Fox7"),
        thumbnail_url: text("https://images.example.org/fox?w=200&ixid=1"),
        title: text("Fox at dawn"),
        description: text("a red fox on snow"),
        creator: text("Ada Fuchs"),
        creator_url: text("https://www.example.org/@ada"),
        license: Some(License {
            id: "unknown".to_owned(),
            url: text("https://unsplash.com/license"),
            attribution: text("Photo by Ada Fuchs on Unsplash"),
        }),
        published: text("2021-02-03T04:05:06-05:00"),
        dimensions: Some(Dimensions { width: 6000, height: 4000 }),
        tags: vec!["fox".to_owned(), "snow".to_owned()],
        extra: vec![(
            "unsplash.download_location".to_owned(),
            "https://api.example.org/photos/Fox7/download".to_owned(),
        )],
        ..Candidate::new("https://images.example.org/fox?ixid=1")
    };
    let (found, more) = read(1, 200, &page(2, &json!([photo()]))).unwrap();
    assert_eq!((found.candidates, found.warnings, more), (vec![expected], vec![], true));
}

#[test]
fn odd_values_cost_nothing_but_themselves() {
    let mut odd = photo();
    (odd["width"], odd["height"], odd["created_at"]) = (json!(6000.0), "4000".into(), "yesterday".into());
    let (found, _) = read(1, 200, &page(1, &json!([odd])).replace("40,", "40.0,")).unwrap();
    let fox = &found.candidates[0];
    assert_eq!((fox.dimensions, &fox.published), (Some(Dimensions { width: 6000, height: 4000 }), &None));
    odd["width"] = json!(640.5);
    assert_eq!(read(1, 200, &page(1, &json!([odd]))).unwrap().0.candidates[0].dimensions, None);
}

#[test]
fn the_first_copy_with_an_address_counts() {
    let with = |urls: [&str; 3]| {
        let mut photo = photo();
        for (name, url) in ["raw", "full", "regular"].into_iter().zip(urls) {
            photo["urls"][name] = url.into();
        }
        read(1, 200, &page(1, &json!([photo]))).map(|(found, _)| found.candidates)
    };
    let (full, regular) = ("https://images.example.org/full", "https://images.example.org/regular");
    let fox = &with(["", full, regular]).unwrap()[0];
    assert_eq!((fox.url.as_str(), fox.alternates.as_slice()), (full, [regular.to_owned()].as_slice()));
    assert!(fox.dimensions.is_some());
    // That one is smaller.
    let fox = &with(["", "/full", regular]).unwrap()[0];
    assert_eq!((fox.url.as_str(), fox.alternates.len(), fox.dimensions), (regular, 0, None));
    assert!(matches!(with(["", "/full", "//images.example.org/regular"]), Err(Error::LayoutChanged(_))));
}

#[test]
fn what_is_not_known_is_left_out() {
    let mut bare = photo();
    bare["description"] = Value::Null;
    bare["alt_description"] = " ".into();
    bare["tags"] = json!([]);
    let (found, _) = read(1, 200, &page(1, &json!([bare]))).unwrap();
    let fox = &found.candidates[0];
    assert_eq!((&fox.title, &fox.description, fox.tags.len()), (&None, &None, 0));
}

#[test]
fn pages_end_where_the_api_says() {
    for (number, pages, photos, expect) in
        [(1, 2, json!([photo()]), true), (2, 2, json!([photo()]), false), (2, 9, json!([]), false)]
    {
        assert_eq!(read(number, 200, &page(pages, &photos)).unwrap().1, expect, "{number} of {pages}");
    }
    let empty = |total: Value, pages: Value| {
        read(1, 200, &json!({"total": total, "total_pages": pages, "results": []}).to_string())
    };
    assert_eq!(empty(json!(0), json!(0.0)), Ok((Found::default(), false)));
    for (total, pages) in [(0, 9), (5, 0), (5, 9)] {
        assert!(matches!(empty(json!(total), json!(pages)), Err(Error::LayoutChanged(_))), "{total} {pages}");
    }
}

#[test]
fn a_field_with_another_name_is_a_changed_layout() {
    let body = page(1, &json!([photo()]));
    for field in
        ["results", "total", "total_pages", "id", "width", "height", "urls", "links", "user", "created_at"]
    {
        let body = body.replace(&format!("\"{field}\":"), "\"other\":");
        assert!(matches!(read(1, 200, &body), Err(Error::LayoutChanged(_))), "{field}");
    }
    // What others stand in for is missed, and no more.
    for field in ["raw", "full", "regular", "thumb", "html", "name"] {
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
    assert_eq!(read(1, 403, "Rate Limit Exceeded"), Err(Error::RateLimited(Some(3_600))));
    assert!(matches!(read(1, 403, "{\"errors\":[\"Forbidden\"]}"), Err(Error::Unavailable(_))));
    assert!(matches!(read(1, 401, "{\"errors\":[\"OAuth error\"]}"), Err(Error::Unauthorized(_))));
    assert!(matches!(read(1, 404, ""), Err(Error::LayoutChanged(_))));
    assert!(matches!(read(1, 503, ""), Err(Error::Unavailable(_))));
    for status in [400, 422] {
        let Err(Error::InvalidQuery(said)) = read(1, status, "{\"errors\":[\"color is invalid\"]}") else {
            panic!("{status}");
        };
        assert!(said.contains("color is invalid"), "{said}");
    }
}

#[test]
fn requests() {
    let at = |rest: &str| format!("https://api.unsplash.com/search/photos?query=red%20fox&{rest}");
    let request = Unsplash::page(&Query::of(" red fox "), 3);
    assert_eq!(request.url, at("page=3&per_page=30&content_filter=high"));
    assert_eq!(request.credential.as_deref(), Some("api"));
    assert_eq!(request.headers, [("accept-version".to_owned(), "v1".to_owned())]);
    let info = Unsplash::info();
    for spec in &info.options {
        let (value, _) = &spec.choices[0];
        let query = Query { safe_search: false, ..Query::of("red fox").with(&[(&spec.name, value)]) };
        let expect = at(&format!("page=1&per_page=30&content_filter=low&{}={value}", spec.name));
        assert_eq!(Unsplash::page(&query, 1).url, expect);
    }
    assert!(
        matches!(&info.credentials[0].kind, CredentialKind::Header(header) if header.prefix == "Client-ID ")
    );
    assert!(info.restriction.is_some_and(|why| why.contains("AI models") && why.chars().count() <= 200));
}

#[test]
fn an_odd_type_costs_only_its_field() {
    let essential = ["results", "results[]", "results[].urls", "results[].urls.raw", "total", "total_pages"];
    pixcrawler_sweep::sweep::<pixcrawler_sdk::Pages<Unsplash>>(env!("CARGO_MANIFEST_DIR"), &essential);
}
