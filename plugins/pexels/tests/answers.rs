//! Answers in the API's shape, with invented values.

use pexels::Pexels;
use pixcrawler_sdk::{
    Answer, Candidate, CredentialKind, Dimensions, Error, Found, License, Paged, Query, Result,
};
use serde_json::{Value, json};

const URL: &str = "https://api.pexels.com/v1/search?query=red%20fox&page=1&per_page=80";

fn read(number: u32, status: u16, body: &str) -> Result<(Found, bool)> {
    Pexels::read(&Query::of("red fox"), number, Answer::of(URL, status, body))
}

fn photo() -> Value {
    let file = |rest: &str| format!("https://images.example.org/photos/7/fox.jpeg{rest}");
    json!({
        "id": 7, "width": 6000, "height": 4000, "url": "https://www.example.org/photo/fox-7/",
        "photographer": "Ada Fuchs", "photographer_url": "https://www.example.org/@ada", "photographer_id": 9,
        "avg_color": "#978E82", "liked": false, "alt": "A red fox on snow",
        "src": {
            "original": file(""), "large2x": file("?dpr=2&h=650&w=940"), "large": file("?h=650&w=940"),
            "medium": file("?h=350"), "small": file("?h=130"), "portrait": file("?fit=crop&h=1200&w=800"),
            "landscape": file("?fit=crop&h=627&w=1200"), "tiny": file("?dpr=1&fit=crop&h=200&w=280"),
        },
    })
}

fn page(total: u32, photos: &Value) -> String {
    json!({"total_results": total, "page": 1, "per_page": 80, "photos": photos}).to_string()
}

#[test]
fn every_field_is_read() {
    let text = |text: &str| Some(text.to_owned());
    let expected = Candidate {
        alternates: vec!["https://images.example.org/photos/7/fox.jpeg?dpr=2&h=650&w=940".to_owned()],
        id: text("7"),
        page_url: text("https://www.example.org/photo/fox-7/"),
        thumbnail_url: text("https://images.example.org/photos/7/fox.jpeg?h=350"),
        description: text("A red fox on snow"),
        creator: text("Ada Fuchs"),
        creator_url: text("https://www.example.org/@ada"),
        license: Some(License {
            id: "unknown".to_owned(),
            url: text("https://www.pexels.com/license/"),
            attribution: text("Photo by Ada Fuchs on Pexels"),
        }),
        dimensions: Some(Dimensions { width: 6000, height: 4000 }),
        ..Candidate::new("https://images.example.org/photos/7/fox.jpeg")
    };
    let (found, more) = read(1, 200, &page(100, &json!([photo()]))).unwrap();
    assert_eq!((found.candidates, found.warnings, more), (vec![expected], vec![], true));
}

#[test]
fn odd_numbers_cost_nothing_but_themselves() {
    let mut odd = photo();
    (odd["id"], odd["width"], odd["height"]) = (json!(7.0), json!(6000.0), "4000".into());
    let body = |photo: &Value| page(160, &json!([photo])).replace("160", "160.0");
    let (found, more) = read(1, 200, &body(&odd)).unwrap();
    let fox = &found.candidates[0];
    assert_eq!(
        (fox.id.as_deref(), fox.dimensions),
        (Some("7"), Some(Dimensions { width: 6000, height: 4000 }))
    );
    assert!(more);
    odd["width"] = json!(640.5);
    assert_eq!(read(1, 200, &body(&odd)).unwrap().0.candidates[0].dimensions, None);
}

#[test]
fn the_first_copy_with_an_address_counts() {
    let with = |original: &str, large: &str| {
        let mut photo = photo();
        photo["src"]["original"] = original.into();
        photo["src"]["large2x"] = large.into();
        read(1, 200, &page(100, &json!([photo]))).map(|(found, _)| found.candidates)
    };
    let (fox, large) = ("https://images.example.org/fox.jpeg", "HTTPS://images.example.org/fox.jpeg?w=940");
    let only = &with("/photos/1.jpg", large).unwrap()[0];
    assert_eq!((only.url.as_str(), only.alternates.len(), only.dimensions), (large, 0, None));
    let only = &with(fox, "").unwrap()[0];
    assert_eq!((only.url.as_str(), only.alternates.len(), only.dimensions.is_some()), (fox, 0, true));
    let Err(Error::LayoutChanged(message)) = with("/photos/1.jpg", "") else { panic!() };
    assert_eq!(message, "in all results: not the address of a picture: /photos/1.jpg");
}

#[test]
fn what_is_not_known_is_left_out() {
    for alt in [Value::Null, "".into(), " ".into()] {
        let mut bare = photo();
        bare["alt"] = alt;
        let (found, _) = read(1, 200, &page(1, &json!([bare]))).unwrap();
        assert_eq!(found.candidates[0].description, None);
    }
}

#[test]
fn pages_end_where_the_api_says() {
    for (number, total, photos, expect) in [
        (1, 81, json!([photo()]), true),
        (1, 80, json!([photo()]), false),
        (2, 160, json!([photo()]), false),
        (2, 8_000, json!([]), false),
    ] {
        assert_eq!(read(number, 200, &page(total, &photos)).unwrap().1, expect, "{number} of {total}");
    }
    assert_eq!(read(1, 200, &page(0, &json!([]))), Ok((Found::default(), false)));
    assert!(matches!(read(1, 200, &page(8_000, &json!([]))), Err(Error::LayoutChanged(_))));
}

#[test]
fn a_field_with_another_name_is_a_changed_layout() {
    let body = page(1, &json!([photo()]));
    for field in
        ["photos", "total_results", "id", "width", "height", "url", "photographer", "photographer_url", "src"]
    {
        let body = body.replace(&format!("\"{field}\":"), "\"other\":");
        assert!(matches!(read(1, 200, &body), Err(Error::LayoutChanged(_))), "{field}");
    }
    // What others stand in for is missed, and no more.
    for field in ["original", "large2x", "medium"] {
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
    assert!(matches!(
        read(1, 401, "{\"error\": \"Authorization field missing\"}"),
        Err(Error::Unauthorized(_))
    ));
    assert!(matches!(read(1, 403, "{\"error\": \"disallowed\"}"), Err(Error::Unauthorized(_))));
    assert!(matches!(read(1, 403, "<html>Just a moment"), Err(Error::Unavailable(_))));
    assert_eq!(read(1, 429, "{}"), Err(Error::RateLimited(None)));
    assert!(matches!(read(1, 503, ""), Err(Error::Unavailable(_))));
    assert!(matches!(read(1, 404, ""), Err(Error::LayoutChanged(_))));
    let Err(Error::InvalidQuery(said)) = read(1, 400, "{\"code\": \"Invalid color\"}") else { panic!() };
    assert!(said.contains("Invalid color"), "{said}");
}

#[test]
fn requests() {
    let at = |rest: &str| format!("https://api.pexels.com/v1/search?query=red%20fox&{rest}");
    let request = Pexels::page(&Query::of(" red fox "), 3);
    assert_eq!(request.url, at("page=3&per_page=80"));
    assert_eq!(request.credential.as_deref(), Some("api"));
    assert_eq!(Pexels::page(&Query { limit: 3, ..Query::of("red fox") }, 1).url, at("page=1&per_page=15"));
    for (language, expect) in [
        ("de", "&locale=de-DE"),
        ("pt-PT", "&locale=pt-BR"),
        ("zh-cn", "&locale=zh-CN"),
        ("no", "&locale=nb-NO"),
        ("eo", ""),
    ] {
        let query = Query { language: Some(language.to_owned()), ..Query::of("red fox") };
        assert_eq!(Pexels::page(&query, 1).url, at(&format!("page=1&per_page=80{expect}")), "{language}");
    }
    let info = Pexels::info();
    for spec in &info.options {
        let query = Query::of("red fox").with(&[(&spec.name, "x")]);
        assert_eq!(Pexels::page(&query, 1).url, at(&format!("page=1&per_page=80&{}=x", spec.name)));
    }
    assert!(
        matches!(&info.credentials[0].kind, CredentialKind::Header(header) if header.name == "authorization" && header.prefix.is_empty())
    );
}

#[test]
fn an_odd_type_costs_only_its_field() {
    let essential = ["photos", "photos[]", "photos[].src", "photos[].src.original", "total_results"];
    pixcrawler_sweep::sweep::<pixcrawler_sdk::Pages<Pexels>>(env!("CARGO_MANIFEST_DIR"), &essential);
}
