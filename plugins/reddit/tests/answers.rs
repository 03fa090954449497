//! Answers in the API's shape, with invented values.

use pixcrawler_sdk::{
    Answer, Candidate, Dimensions, Error, Failure, License, Machine, Next, Query, Result, Turn,
};
use reddit::{Place, Reddit};
use serde_json::{Value, json};

const URL: &str = "https://oauth.reddit.com/search?q=red%20fox";

fn read_as(query: &Query, status: u16, body: &str) -> Result<Turn<Place>> {
    Reddit::resume(query, Place::default(), vec![Answer::of(URL, status, body)])
}

fn listing(posts: &[Value], after: &Value) -> String {
    let children: Vec<_> = posts.iter().map(|post| json!({"kind": "t3", "data": post})).collect();
    json!({"kind": "Listing", "data": {"after": after, "before": null, "children": children}}).to_string()
}

fn found(posts: &[Value]) -> Vec<Candidate> {
    match read_as(&Query::of("red fox"), 200, &listing(posts, &Value::Null)) {
        Ok(turn) if turn.found.warnings.is_empty() => turn.found.candidates,
        other => panic!("{other:?}"),
    }
}

/// A post with everything that all posts have, and the fields in `more`.
fn post(more: &Value) -> Value {
    let mut post = json!({
        "id": "abc12", "title": " Red fox [OC] ", "author": "ada_fuchs", "subreddit": "foxes",
        "permalink": "/r/foxes/comments/abc12/red_fox_oc/", "created_utc": 1_600_000_000.0, "over_18": false,
        "url": "https://i.redd.it/fox1.jpg", "removed_by_category": null
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        post[name] = value.clone();
    }
    post
}

fn picture() -> Value {
    let copy = |width: u32| json!({"url": format!("https://preview.redd.it/fox1.jpg?width={width}&s=0f"), "width": width, "height": width / 2});
    let images = json!([{"source": {"url": "https://preview.redd.it/fox1.jpg?auto=webp&s=0e", "width": 2000, "height": 1000},
        "resolutions": [copy(108), copy(216), copy(320), copy(640)], "id": "x"}]);
    post(&json!({"post_hint": "image", "preview": {"images": images, "enabled": true}}))
}

/// What is said of every picture of `post`.
fn described(url: &str) -> Candidate {
    Candidate {
        id: Some("abc12".to_owned()),
        page_url: Some("https://www.reddit.com/r/foxes/comments/abc12/red_fox_oc/".to_owned()),
        title: Some("Red fox [OC]".to_owned()),
        creator: Some("ada_fuchs".to_owned()),
        creator_url: Some("https://www.reddit.com/user/ada_fuchs".to_owned()),
        license: Some(License::new("unknown")),
        published: Some("2020-09-13T12:26:40Z".to_owned()),
        extra: vec![("reddit.subreddit".to_owned(), "foxes".to_owned())],
        ..Candidate::new(url)
    }
}

#[test]
fn a_picture_with_its_previews() {
    let expect = Candidate {
        alternates: vec!["https://preview.redd.it/fox1.jpg?auto=webp&s=0e".to_owned()],
        thumbnail_url: Some("https://preview.redd.it/fox1.jpg?width=320&s=0f".to_owned()),
        dimensions: Some(Dimensions { width: 2000, height: 1000 }),
        ..described("https://i.redd.it/fox1.jpg")
    };
    assert_eq!(found(&[picture()]), [expect]);
}

#[test]
fn a_still_preview_is_no_copy_of_what_moves() {
    let moves: Value = serde_json::from_str(&picture().to_string().replace("fox1.jpg", "fox1.gif")).unwrap();
    assert_eq!(found(&[moves])[0].alternates, [""; 0]);
}

#[test]
fn a_gallery_without_pictures_has_none() {
    let mut gone = gallery();
    (gone["gallery_data"], gone["media_metadata"]) = (Value::Null, Value::Null);
    assert_eq!(found(&[gone]), []);
}

#[test]
fn what_is_a_picture() {
    for (url, hint, expect) in [
        ("https://img.example.org/a.PNG?x=1", Value::Null, Some("https://img.example.org/a.PNG?x=1")),
        ("https://img.example.org/a", json!("image"), Some("https://img.example.org/a")),
        ("https://img.example.org/a?b=1&amp;c=2", json!("image"), Some("https://img.example.org/a?b=1&c=2")),
        ("https://img.example.org/a.jpg", json!("link"), None),
        ("https://img.example.org/a.gifv", Value::Null, None),
        ("https://img.example.org/a.jpg/b", Value::Null, None),
        ("https://wiki.example.org/wiki/File:A.jpg", Value::Null, None),
        ("https://v.redd.it/a", json!("hosted:video"), None),
        ("/r/foxes/comments/abc12/", json!("self"), None),
        ("/r/foxes/a.jpg", Value::Null, None),
    ] {
        let found = found(&[post(&json!({"url": url, "post_hint": hint}))]);
        assert_eq!(found.first().map(|candidate| candidate.url.as_str()), expect, "{url}");
    }
    // The copy that was posted is not the original.
    let copy = "https://preview.redd.it/red-fox-v0-fox2.png?width=640&s=0f";
    let expect = Candidate { alternates: vec![copy.to_owned()], ..described("https://i.redd.it/fox2.png") };
    assert_eq!(found(&[post(&json!({"url": copy}))]), [expect]);
}

fn gallery() -> Value {
    let copy = |name: &str, width: u32| format!("https://preview.redd.it/{name}?width={width}&s=0f");
    post(&json!({
        "url": "https://www.reddit.com/gallery/abc12", "is_gallery": true,
        "gallery_data": {"items": [
            {"media_id": "two", "id": 1, "caption": " The second "}, {"media_id": "one", "id": 2},
            {"media_id": "film", "id": 3}, {"media_id": "gone", "id": 4},
            {"media_id": "moves", "id": 6}
        ]},
        "media_metadata": {
            "one": {"status": "valid", "e": "Image", "m": "image/jpg", "id": "one",
                "p": [{"x": 108, "y": 54, "u": copy("one.jpg", 108)}, {"x": 640, "y": 320, "u": copy("one.jpg", 640)}],
                "s": {"x": 3000, "y": 1500, "u": copy("one.jpg", 3000)}},
            "two": {"status": "valid", "e": "Image", "m": "image/png", "id": "two", "p": [],
                "s": {"x": 10, "y": 20, "u": "https://preview.redd.it/two.png?width=10&amp;s=0f"}},
            "film": {"status": "valid", "e": "RedditVideo", "x": 1, "y": 1, "id": "film"},
            "gone": {"status": "failed"},
            "moves": {"status": "valid", "e": "AnimatedImage", "m": "image/gif", "id": "moves", "p": [],
                "s": {"x": 30, "y": 40, "gif": "https://i.redd.it/moves.gif", "mp4": copy("moves.gif", 30)}}
        }
    }))
}

#[test]
fn a_gallery_in_its_order() {
    let two = Candidate {
        alternates: vec!["https://preview.redd.it/two.png?width=10&s=0f".to_owned()],
        description: Some("The second".to_owned()),
        dimensions: Some(Dimensions { width: 10, height: 20 }),
        mime: Some("image/png".to_owned()),
        ..described("https://i.redd.it/two.png")
    };
    let one = Candidate {
        alternates: vec!["https://preview.redd.it/one.jpg?width=3000&s=0f".to_owned()],
        thumbnail_url: Some("https://preview.redd.it/one.jpg?width=640&s=0f".to_owned()),
        dimensions: Some(Dimensions { width: 3000, height: 1500 }),
        mime: Some("image/jpeg".to_owned()),
        ..described("https://i.redd.it/one.jpg")
    };
    let moves = Candidate {
        dimensions: Some(Dimensions { width: 30, height: 40 }),
        mime: Some("image/gif".to_owned()),
        ..described("https://i.redd.it/moves.gif")
    };
    assert_eq!(found(&[gallery()]), [two, one, moves]);
}

#[test]
fn a_picture_that_a_gallery_does_not_describe_is_missed() {
    let read = |posts: &[Value]| read_as(&Query::of("red fox"), 200, &listing(posts, &Value::Null));
    for (media, fault) in [
        (json!({"status": "VALID"}), "a picture of a gallery has the unknown status `VALID`"),
        (Value::Null, "a picture of a gallery is not in `media_metadata`"),
    ] {
        let lost = |items: Value| {
            let mut gallery = gallery();
            gallery["gallery_data"]["items"] = items;
            if !media.is_null() {
                gallery["media_metadata"]["lost"] = media.clone();
            }
            gallery
        };
        let turn = read(&[lost(json!([{"media_id": "lost"}, {"media_id": "two"}]))]).unwrap();
        assert_eq!(turn.found.candidates.len(), 1);
        let said = format!("1 parts of posts cannot be read: {fault}");
        assert_eq!(turn.found.warnings, [said]);
        let all = lost(json!([{"media_id": "lost"}, {"media_id": "gone"}]));
        let beside = read(&[all.clone(), picture()]).unwrap().found;
        assert_eq!(beside.warnings, [format!("1 of 2 results cannot be read: {fault}")]);
        assert_eq!(read(&[all]), Err(Error::LayoutChanged(format!("in all results: {fault}"))));
    }
}

#[test]
fn odd_numbers_cost_nothing_but_themselves() {
    let mut odd = picture();
    odd["preview"]["images"][0]["source"]["width"] = json!(2000.0);
    odd["preview"]["images"][0]["resolutions"][2]["width"] = json!("320");
    assert_eq!(found(&[odd.clone()]), found(&[picture()]));
    odd["preview"]["images"][0]["source"]["width"] = json!(true);
    odd["created_utc"] = json!(-5.0);
    let fox = &found(&[odd])[0];
    assert_eq!((fox.dimensions, &fox.published), (None, &None));
    let mut sizes = gallery();
    sizes["media_metadata"]["two"]["s"]["x"] = json!(10.0);
    assert_eq!(found(&[sizes]), found(&[gallery()]));
}

#[test]
fn a_crosspost_is_the_post_that_was_first() {
    let page = "/r/pics/comments/zzz99/look/";
    let cross = post(&json!({"id": "zzz99", "title": "Look!", "author": "someone", "subreddit": "pics",
        "permalink": page, "crosspost_parent_list": [gallery()]}));
    let found = found(&[cross]);
    assert_eq!(found.len(), 3);
    for candidate in found {
        let crosspost = ("reddit.crosspost".to_owned(), format!("https://www.reddit.com{page}"));
        assert_eq!(candidate.extra, [described("").extra[0].clone(), crosspost]);
        assert_eq!((candidate.id, candidate.creator), (described("").id, described("").creator));
    }
}

#[test]
fn what_is_removed_or_for_adults_is_passed_over() {
    let adult = post(&json!({"over_18": true}));
    let cases = [
        (adult.clone(), 0, 1),
        (post(&json!({"crosspost_parent_list": [adult]})), 0, 1),
        (post(&json!({"removed_by_category": "moderator"})), 0, 0),
        (post(&json!({"crosspost_parent_list": [post(&json!({"removed_by_category": "deleted"}))]})), 0, 0),
    ];
    for (post, safe, unsafe_) in cases {
        for (safe_search, expect) in [(true, safe), (false, unsafe_)] {
            let query = Query { safe_search, ..Query::of("red fox") };
            let turn = read_as(&query, 200, &listing(std::slice::from_ref(&post), &Value::Null)).unwrap();
            assert_eq!(turn.found.candidates.len(), expect, "{post}");
        }
    }
    let nameless = found(&[post(&json!({"author": "[deleted]"}))]);
    assert_eq!((&nameless[0].creator, &nameless[0].creator_url), (&None, &None));
}

#[test]
fn a_field_that_no_post_has_is_missed() {
    for field in ["id", "title", "author", "subreddit", "permalink", "created_utc", "over_18", "url"] {
        let renamed: Value =
            serde_json::from_str(&picture().to_string().replace(&format!("\"{field}\""), "\"renamed\""))
                .unwrap();
        let Err(Error::LayoutChanged(message)) =
            read_as(&Query::of("x"), 200, &listing(std::slice::from_ref(&renamed), &Value::Null))
        else {
            panic!("{field}")
        };
        assert!(message.contains(field), "{message}");
        // Where others have it, it is that post's.
        let turn = read_as(&Query::of("x"), 200, &listing(&[renamed, gallery()], &Value::Null)).unwrap();
        let expect = if field == "url" { (3, 1) } else { (4, 0) };
        assert_eq!((turn.found.candidates.len(), turn.found.warnings.len()), expect, "{field}");
    }
    for field in ["images", "source"] {
        let renamed = picture().to_string().replace(&format!("\"{field}\""), "\"renamed\"");
        let renamed = serde_json::from_str(&renamed).unwrap();
        let found = read_as(&Query::of("x"), 200, &listing(&[renamed], &Value::Null)).unwrap().found;
        assert_eq!(found.candidates, [described("https://i.redd.it/fox1.jpg")], "{field}");
        assert_eq!(found.warnings, ["1 parts of posts cannot be read: `preview` looks different"]);
    }
    for field in ["gallery_data", "media_metadata", "items", "media_id", "s"] {
        let renamed = gallery().to_string().replace(&format!("\"{field}\":"), "\"renamed\":");
        let renamed = serde_json::from_str(&renamed).unwrap();
        let read = read_as(&Query::of("x"), 200, &listing(&[renamed], &Value::Null));
        assert!(matches!(read, Err(Error::LayoutChanged(_))), "{field}");
    }
}

#[test]
fn pages_follow_until_there_is_no_next() {
    let query = Query::of("red fox");
    let turn = Reddit::start(&query).unwrap();
    let first = "https://oauth.reddit.com/search?q=red%20fox&type=link&limit=100&raw_json=1";
    let asked = |turn: &Turn<Place>| match &turn.next {
        Next::Fetch(requests) => Some((requests[0].url.clone(), requests[0].credential.clone())),
        _ => None,
    };
    assert_eq!(asked(&turn), Some((first.to_owned(), Some("app".to_owned()))));
    let page = |turn: Turn<Place>, after: Value| {
        Reddit::resume(&query, turn.state, vec![Answer::of(URL, 200, &listing(&[], &after))])
    };
    let turn = page(turn, json!("t3_abc12")).unwrap();
    assert_eq!(asked(&turn).unwrap().0, format!("{first}&after=t3_abc12"));
    assert_eq!(page(turn.clone(), json!("t3_abc12")).unwrap().next, Next::Done);
    let mut turn = page(turn, json!("t3_def34")).unwrap();
    assert_eq!(asked(&turn).unwrap().0, format!("{first}&after=t3_def34"));
    assert_eq!(page(turn.clone(), Value::Null).unwrap().next, Next::Done);
    for number in 3..10 {
        turn = page(turn, json!(format!("t3_{number}"))).unwrap();
    }
    let last = page(turn, Value::Null).unwrap();
    assert_eq!((last.next, last.found.warnings.len()), (Next::Done, 1));
}

#[test]
fn a_list_goes_no_further_than_the_site_does() {
    let query = Query::of("red fox");
    let read = |turn: Turn<Place>, after: &str| {
        Reddit::resume(&query, turn.state, vec![Answer::of(URL, 200, &listing(&[], &json!(after)))])
    };
    let mut turn = Reddit::start(&query).unwrap();
    let mut pages = 0;
    while turn.next != Next::Done && pages < 100 {
        turn = read(turn, if pages % 2 == 0 { "t3_abc12" } else { "t3_def34" }).unwrap();
        pages += 1;
    }
    assert_eq!((pages, turn.found.warnings.len()), (10, 1));
    let first = || Reddit::start(&query).unwrap();
    assert!(read(first(), &"x".repeat(2_000)).is_ok());
    let Err(Error::LayoutChanged(message)) = read(first(), &"x".repeat(100_000)) else { panic!() };
    assert!(message.contains("100000 bytes"), "{message}");
}

fn with_option(name: &str, value: &str) -> Query {
    Query::of("red fox").with(&[(name, value)])
}

#[test]
fn options_are_asked_for() {
    let url = |query: &Query| match Reddit::start(query).unwrap().next {
        Next::Fetch(requests) => requests[0].url.clone(),
        other => panic!("{other:?}"),
    };
    assert!(url(&with_option("sort", "new")).ends_with("&sort=new"));
    assert!(url(&with_option("time", "year")).ends_with("&t=year"));
    assert!(url(&Query { safe_search: false, ..Query::of("x") }).ends_with("&include_over_18=on"));
    let communities = url(&with_option("subreddits", "EarthPorn, r/foxes,/r/red_fox/"));
    assert!(communities.starts_with("https://oauth.reddit.com/r/EarthPorn+foxes+red_fox/search?q="));
    assert!(communities.ends_with("&restrict_sr=on"));
    for wrong in ["a", "../api", "foxes?x", "füchse", &"x".repeat(24)] {
        assert!(
            matches!(Reddit::start(&with_option("subreddits", wrong)), Err(Error::InvalidQuery(_))),
            "{wrong}"
        );
    }
    let long = Reddit::start(&Query::of(&"ü".repeat(513))).unwrap();
    assert_eq!(long.found.warnings.len(), 1);
}

#[test]
fn errors_are_told_apart() {
    let all = Query::of("red fox");
    let some = with_option("subreddits", "foxes");
    let private = r#"{"reason": "private", "message": "Forbidden", "error": 403}"#;
    let similar =
        json!({"kind": "Listing", "data": {"after": null, "children": [{"kind": "t5", "data": {}}]}});
    assert!(matches!(read_as(&all, 401, ""), Err(Error::Unauthorized(_))));
    assert!(matches!(read_as(&all, 403, "<html>"), Err(Error::Unavailable(_))));
    assert!(matches!(read_as(&all, 404, ""), Err(Error::LayoutChanged(_))));
    assert!(matches!(read_as(&all, 200, "<html>"), Err(Error::LayoutChanged(_))));
    assert!(matches!(
        read_as(&all, 200, r#"{"kind": "t2", "data": {"children": [], "after": null}}"#),
        Err(Error::LayoutChanged(_))
    ));
    assert!(matches!(
        read_as(&all, 200, r#"{"kind": "Listing", "data": {"children": []}}"#),
        Err(Error::LayoutChanged(_))
    ));
    assert!(matches!(read_as(&all, 200, &similar.to_string()), Err(Error::LayoutChanged(_))));
    assert!(matches!(read_as(&some, 403, "<html>"), Err(Error::Unavailable(_))));
    for (status, body, why) in
        [(403, private, "private"), (404, "", "exist"), (200, &similar.to_string(), "foxes")]
    {
        let Err(Error::InvalidQuery(message)) = read_as(&some, status, body) else { panic!("{status}") };
        assert!(message.contains(why), "{message}");
    }
    let failed = Answer { outcome: Err(Failure::Status(429)), ..Answer::of(URL, 0, "") };
    assert_eq!(Reddit::resume(&all, Place::default(), vec![failed]), Err(Error::RateLimited(None)));
}

#[test]
fn an_odd_type_costs_only_its_field() {
    let post = "data.children[].data";
    let first = "data.children[].data.crosspost_parent_list[]";
    let of = |post: &str| {
        let fields = [
            // What leads to the addresses of a gallery, and these.
            "gallery_data",
            "gallery_data.items",
            "gallery_data.items[]",
            "gallery_data.items[].media_id",
            "media_metadata",
            "media_metadata.*",
            "media_metadata.*.s",
            "media_metadata.*.s.u",
            "media_metadata.*.s.gif",
            // Films, and what is not to be shown.
            "over_18",
            "removed_by_category",
        ];
        fields.map(|field| format!("{post}.{field}"))
    };
    let outside = [
        "kind",
        "data",
        "data.children",
        "data.children[]",
        "data.children[].kind",
        post,
        "data.children[].data.url",
        "data.children[].data.crosspost_parent_list",
        first,
        "data.after",
    ];
    let original = of(first).into_iter().filter(|field| !field.ends_with("removed_by_category"));
    let essential: Vec<_> = of(post).into_iter().chain(original).chain(outside.map(str::to_owned)).collect();
    let essential: Vec<_> = essential.iter().map(String::as_str).collect();
    pixcrawler_sweep::sweep::<Reddit>(env!("CARGO_MANIFEST_DIR"), &essential);
}
