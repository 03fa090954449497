//! Answers in the API's shape, with invented values.
#![expect(clippy::unwrap_used, reason = "a failed `unwrap` is a failed test")]

use flickr::{Flickr, Place};
use pixcrawler_sdk::{Answer, Candidate, Chained, Dimensions, Error, Found, License, Query, Request, Result};
use serde_json::{Value, json};

const URL: &str = "https://api.flickr.com/services/rest/?method=flickr.photos.search";

fn read(query: &Query, place: &mut Place, json: &Value) -> Result<(Found, Option<Request>)> {
    Flickr::read(query, place, Answer::of(URL, 200, &json.to_string()))
}

fn first(json: &Value) -> Result<(Found, Option<Request>)> {
    read(&Query::of("red fox"), &mut Place::default(), json)
}

fn resumed(state: Value) -> Place {
    serde_json::from_value(state).unwrap()
}

fn page(pages: u64, photos: Value) -> Value {
    json!({"photos": {"page": 1, "pages": pages, "perpage": 100, "total": "400", "photo": photos}, "stat": "ok"})
}

fn photo(id: u64) -> Value {
    json!({
        "id": id.to_string(), "owner": "1@N00", "secret": "s", "server": "1", "farm": 1, "title": "Fox", "ispublic": 1,
        "license": "4", "description": {"_content": "A <b>fox</b> &amp; snow\n"}, "ownername": "Ada Fuchs",
        "dateupload": "1600000000", "datetaken": "2020-09-01 10:11:12", "datetakenunknown": "0",
        "tags": "fox snow camera:model=x",
        "url_o": "https://live.example.org/1/1_o.png", "height_o": "1600", "width_o": 1200,
        "url_l": "https://live.example.org/1/1_b.jpg", "height_l": 1024, "width_l": "768",
        "url_z": "https://live.example.org/1/1_z.jpg", "height_z": 640, "width_z": 480,
        "url_n": "https://live.example.org/1/1_n.jpg", "height_n": 320, "width_n": 240,
        "url_sq": "https://live.example.org/1/1_s.jpg", "height_sq": 75, "width_sq": 75,
    })
}

fn with(changes: Value) -> Value {
    let mut photo = photo(1);
    if let (Some(photo), Value::Object(changes)) = (photo.as_object_mut(), changes) {
        photo.extend(changes);
        photo.retain(|_, value| *value != "gone");
    }
    photo
}

fn only(photo: Value) -> Candidate {
    first(&page(1, json!([photo]))).unwrap().0.candidates.remove(0)
}

#[test]
fn every_field_is_read() {
    let text = |text: &str| Some(text.to_owned());
    let expected = Candidate {
        alternates: vec![
            "https://live.example.org/1/1_b.jpg".to_owned(),
            "https://live.example.org/1/1_z.jpg".to_owned(),
        ],
        id: text("1"),
        page_url: text("https://www.flickr.com/photos/1@N00/1/"),
        thumbnail_url: text("https://live.example.org/1/1_n.jpg"),
        title: text("Fox"),
        description: text("A fox & snow"),
        creator: text("Ada Fuchs"),
        creator_url: text("https://www.flickr.com/people/1@N00/"),
        license: Some(License {
            id: "cc-by-2.0".to_owned(),
            url: text("https://creativecommons.org/licenses/by/2.0/"),
            attribution: text("Fox by Ada Fuchs, CC BY 2.0, via Flickr"),
        }),
        published: text("2020-09-13T12:26:40Z"),
        dimensions: Some(Dimensions { width: 1200, height: 1600 }),
        mime: text("image/png"),
        tags: vec!["fox".to_owned(), "snow".to_owned()],
        extra: vec![("flickr.taken".to_owned(), "2020-09-01 10:11:12".to_owned())],
        ..Candidate::new("https://live.example.org/1/1_o.png")
    };
    let (found, next) = first(&page(1, json!([photo(1)]))).unwrap();
    assert_eq!((found.candidates, found.warnings, next), (vec![expected], vec![], None));
}

#[test]
fn the_largest_copy_that_is_given() {
    let large = only(with(json!({"url_o": "gone"})));
    assert_eq!(large.url, "https://live.example.org/1/1_b.jpg");
    assert_eq!(large.alternates, ["https://live.example.org/1/1_z.jpg"]);
    assert_eq!(large.dimensions, Some(Dimensions { width: 768, height: 1024 }));
    assert_eq!(large.mime.as_deref(), Some("image/jpeg"));
    // A photo so small that there is nothing but previews of it.
    let small = only(with(json!({"url_o": "gone", "url_l": null, "url_z": "gone"})));
    assert_eq!((small.url.as_str(), small.alternates.len()), ("https://live.example.org/1/1_n.jpg", 0));
    assert_eq!(small.dimensions, Some(Dimensions { width: 240, height: 320 }));
    let huge = only(with(
        json!({"url_o": "gone", "url_6k": "https://live.example.org/6k.jpg", "url_k": "https://live.example.org/k.jpg"}),
    ));
    assert_eq!(huge.url, "https://live.example.org/6k.jpg");
    assert_eq!(huge.alternates[0], "https://live.example.org/k.jpg");
}

#[test]
fn the_first_copy_with_an_address_counts() {
    let large = only(with(json!({"url_o": "/o.jpg", "url_n": "n.jpg"})));
    assert_eq!(large.url, "https://live.example.org/1/1_b.jpg");
    assert_eq!(large.dimensions, Some(Dimensions { width: 768, height: 1024 }));
    assert_eq!(large.thumbnail_url.as_deref(), Some("https://live.example.org/1/1_s.jpg"));
    let bad =
        with(json!({"url_o": "/o.jpg", "url_l": "", "url_z": "//z.jpg", "url_n": "n", "url_sq": "gone"}));
    assert!(matches!(first(&page(1, json!([bad]))), Err(Error::LayoutChanged(_))));
}

#[test]
fn numbers_and_texts_and_nothing() {
    let bare = only(with(json!({
        "dateupload": 0, "license": 10, "title": "", "tags": "", "description": {"_content": ""}, "ownername": null,
        "datetakenunknown": 1,
    })));
    assert_eq!((&bare.title, &bare.description, &bare.creator, bare.tags.len()), (&None, &None, &None, 0));
    assert_eq!(bare.published.as_deref(), Some("1970-01-01T00:00:00Z"));
    assert_eq!(bare.license.map(|license| license.id).as_deref(), Some("pdm-1.0"));
    assert!(bare.extra.is_empty());
    assert_eq!(only(with(json!({"datetakenunknown": "gone"}))).extra.len(), 1);
    let odd = only(with(
        json!({"dateupload": 1_600_000_000.0, "width_o": 1200.0, "height_o": "1600.0", "license": 4.0}),
    ));
    assert_eq!(odd, only(photo(1)));
    assert_eq!(only(with(json!({"width_o": 640.5}))).dimensions, None);
    let whole = json!({"photos": {"pages": 2.0, "total": "101.0", "photo": [photo(1)]}, "stat": "ok"});
    assert!(first(&whole).unwrap().1.is_some());
    let text = json!({"photos": {"pages": "2", "total": 101, "photo": [photo(1)]}, "stat": "ok"});
    assert!(first(&text).unwrap().1.is_some());
}

#[test]
fn pages_follow_one_another() {
    let query = Query::of("red fox");
    let mut place = Place::default();
    let mut urls = vec![Flickr::first(&query).url];
    while let (_, Some(next)) = read(&query, &mut place, &page(3, json!([photo(1)]))).unwrap() {
        assert_eq!(next.credential.as_deref(), Some("api"));
        urls.push(next.url);
    }
    let numbers: Vec<_> =
        urls.iter().map(|url| url.split_once("&page=").unwrap().1.split('&').next()).collect();
    assert_eq!(numbers, [Some("1"), Some("2"), Some("3")]);
    // A later page without photos is the end, whatever is counted.
    let mut second = resumed(json!({"pages": 1, "by_upload": false, "until": null, "oldest": 9}));
    assert_eq!(read(&query, &mut second, &page(9, json!([]))).unwrap(), (Found::default(), None));
}

#[test]
fn photos_that_are_counted_must_be_given() {
    let body = |pages: Value, total: Value| json!({"photos": {"pages": pages, "total": total, "photo": []}, "stat": "ok"});
    for (pages, total) in [(json!(5), json!("500")), (json!(0), json!("500")), (json!("90"), json!(0))] {
        let read = first(&body(pages.clone(), total.clone()));
        assert!(matches!(read, Err(Error::LayoutChanged(_))), "{pages} {total}: {read:?}");
    }
    for zero in [json!(0), json!("0")] {
        assert_eq!(first(&body(zero.clone(), zero)).unwrap(), (Found::default(), None));
    }
    // A window that gives nothing leads to no other one.
    let query = Query::of("red fox");
    let mut window = resumed(json!({"pages": 0, "by_upload": true, "until": 9, "oldest": null}));
    let (found, next) = read(&query, &mut window, &body(json!(90), json!("9000"))).unwrap();
    let ends = "Flickr counts 9000 more photos and gives none of them; the search ends here";
    assert_eq!((found.warnings, next), (vec![ends.to_owned()], None));
}

/// Walks a search of which every page has one photo, uploaded a second before the one before it;
/// pairs of order and time, one for each request, and all warnings.
fn walked(query: &Query, pages: &[u64], same_second: bool) -> (Vec<String>, Vec<String>) {
    let (mut place, mut asked, mut warnings) = (Place::default(), Vec::new(), Vec::new());
    let mut next = Some(Flickr::first(query));
    let mut uploaded = 2_000;
    while let Some(request) = next {
        let parameter = |name: &str| {
            let rest = request.url.split(&format!("&{name}=")).nth(1)?;
            Some(rest.split('&').next().unwrap_or(rest).to_owned())
        };
        let number: usize = parameter("page").unwrap().parse().unwrap();
        if number == 1 {
            asked.push(
                [parameter("sort"), parameter("max_upload_date")].map(Option::unwrap_or_default).join(" "),
            );
        }
        uploaded -= u64::from(!same_second);
        let mut photo = photo(number as u64);
        photo["dateupload"] = uploaded.to_string().into();
        let total = pages[(asked.len() - 1).min(pages.len() - 1)];
        let (found, follows) = read(query, &mut place, &page(total, json!([photo]))).unwrap();
        warnings.extend(found.warnings);
        assert!(asked.len() < 9);
        next = follows;
    }
    (asked, warnings)
}

#[test]
fn more_than_a_search_gives_comes_in_windows() {
    let switch = "Flickr gives 4000 results for a search; the others follow, newest upload first";
    // 40 pages of 100 are all that a search gives.
    let query = Query::of("red fox");
    assert_eq!(walked(&query, &[40], false), (vec!["relevance ".to_owned()], vec![]));
    let (asked, warnings) = walked(&query, &[41, 90, 50, 10], false);
    let windows = ["relevance ", "date-posted-desc ", "date-posted-desc 1920", "date-posted-desc 1880"];
    assert_eq!((asked, warnings), (windows.map(str::to_owned).to_vec(), vec![switch.to_owned()]));
    // Larger pages reach the depth sooner.
    let large = Query { limit: 5_000, ..query.clone() };
    assert_eq!(walked(&large, &[9, 3], false).0, ["relevance ", "date-posted-desc "]);
    // By upload from the start: nothing to switch.
    let query = query.with(&[("sort", "newest")]);
    let windows = ["date-posted-desc ", "date-posted-desc 1960"];
    assert_eq!(walked(&query, &[50, 40], false), (windows.map(str::to_owned).to_vec(), vec![]));
    // Windows of one second go past it.
    let (asked, warnings) = walked(&query, &[50, 50, 40], true);
    let windows = ["date-posted-desc ", "date-posted-desc 2000", "date-posted-desc 1999"];
    assert_eq!(asked, windows);
    assert_eq!(warnings, ["Flickr gives 4000 of the photos of one second; the others are left out"]);
}

#[test]
fn a_field_with_another_name_is_a_changed_layout() {
    for field in [
        "stat",
        "photos",
        "photo",
        "pages",
        "total",
        "id",
        "owner",
        "title",
        "license",
        "dateupload",
        "ownername",
        "tags",
        "description",
    ] {
        let body = page(1, json!([photo(1)])).to_string().replace(&format!("\"{field}\":"), "\"other\":");
        let read = Flickr::read(&Query::of(""), &mut Place::default(), Answer::of(URL, 200, &body));
        assert!(matches!(read, Err(Error::LayoutChanged(_))), "{field}");
    }
    let mut bare = photo(1);
    bare.as_object_mut().unwrap().retain(|name, _| !name.starts_with("url_"));
    let read = first(&page(1, json!([bare])));
    assert!(matches!(&read, Err(Error::LayoutChanged(why)) if why.contains("url_o")), "{read:?}");
    let (found, _) = first(&page(1, json!([photo(1), bare]))).unwrap();
    assert!(found.warnings[0].starts_with("1 of 2 results cannot be read"), "{:?}", found.warnings);
}

#[test]
fn failures_are_told_apart() {
    let error = |code: u32| first(&json!({"stat": "fail", "code": code, "message": "Why."})).unwrap_err();
    let said = |code: u32| format!("Flickr says {code}: Why.");
    for code in [98, 99, 100] {
        assert_eq!(error(code), Error::Unauthorized(said(code)));
    }
    for code in [1, 2, 3, 4, 5, 11, 12, 17, 18, 116] {
        assert_eq!(error(code), Error::InvalidQuery(said(code)));
    }
    for code in [111, 112] {
        assert_eq!(error(code), Error::LayoutChanged(said(code)));
    }
    for code in [0, 10, 105, 106, 201, 500] {
        assert_eq!(error(code), Error::Unavailable(said(code)));
    }
    assert!(matches!(first(&json!({"stat": "ok"})), Err(Error::LayoutChanged(_))));
}

#[test]
fn searches() {
    let url = |options: &[(&str, &str)]| {
        let url = Flickr::first(&Query::of(" red  fox ").with(options)).url;
        let (before, rest) = url.split_once("&per_page=100&page=1&").unwrap();
        assert!(before.contains("&safe_search=1&"), "{before}");
        (
            before.split("&sort=").nth(1).and_then(|rest| rest.split('&').next()).unwrap().to_owned(),
            rest.to_owned(),
        )
    };
    assert_eq!(url(&[]), ("relevance".to_owned(), "text=red%20%20fox".to_owned()));
    assert_eq!(
        url(&[
            ("license", "all-rights-reserved,cc0-1.0,cc-by-nc-nd-4.0"),
            ("tags", "false"),
            ("content", "photographs")
        ])
        .1,
        "text=red%20%20fox&license=0%2C9%2C16&content_type=1"
    );
    assert_eq!(
        url(&[("tags", "true"), ("commons", "true"), ("user", "1@N00"), ("sort", "interesting")]),
        (
            "interestingness-desc".to_owned(),
            "tags=red%2Cfox&tag_mode=all&is_commons=true&user_id=1%40N00".to_owned()
        )
    );
    let info = Flickr::info();
    let default =
        info.options.iter().find(|spec| spec.name == "license").and_then(|spec| spec.default.clone());
    let numbers: Vec<_> = (1..=16).map(|number| number.to_string()).collect();
    let asked = url(&[("license", &default.unwrap())]).1;
    assert_eq!(asked, format!("text=red%20%20fox&license={}", numbers.join("%2C")));
    let open = Query { safe_search: false, ..Query::of("x") };
    assert!(Flickr::first(&open).url.contains("&safe_search=3&"));
}

#[test]
fn windows_that_go_back_in_time_end_the_search() {
    let query = Query::of("red fox").with(&[("sort", "newest")]);
    let (mut place, mut last) = (Place::default(), None);
    for answer in 0..80 {
        let mut photo = photo(answer);
        photo["dateupload"] = json!((1_600_000_000 + answer).to_string());
        last = Some(read(&query, &mut place, &page(50, json!([photo]))).unwrap());
    }
    let (found, next) = last.unwrap();
    assert_eq!((found.warnings.len(), next), (1, None));
}

#[test]
fn an_odd_type_costs_only_its_field() {
    let essential = [
        "stat",
        "photos",
        "photos.photo",
        "photos.photo[]",
        "photos.photo[].dateupload",
        "photos.photo[].url_o",
        "photos.photo[].url_z",
        "photos.pages",
        "photos.total",
    ];
    pixcrawler_sweep::sweep::<pixcrawler_sdk::Chain<Flickr>>(env!("CARGO_MANIFEST_DIR"), &essential);
}
