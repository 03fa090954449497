//! Answers in the API's shape, with invented values.

use pixcrawler_sdk::bindings::exports::pixcrawler::source::source::Guest;
use pixcrawler_sdk::{
    Answer, Candidate, Chain, Chained, Checksum, Component, Digest, Dimensions, Error, Found, License, Next,
    Query, Request, Result, Step,
};
use serde_json::{Value, json};
use wikimedia_commons::{Batch, WikimediaCommons};

const URL: &str = "https://commons.wikimedia.org/w/api.php?action=query";

fn read(batch: &mut Batch, json: &Value) -> Result<(Found, Option<Request>)> {
    WikimediaCommons::read(&Query::of("red fox"), batch, Answer::of(URL, 200, &json.to_string()))
}

/// The first answer to a search.
fn first(json: &Value) -> Result<(Found, Option<Request>)> {
    read(&mut Batch::default(), json)
}

fn urls(found: &Found) -> Vec<&str> {
    found.candidates.iter().map(|candidate| candidate.url.rsplit('/').next().unwrap_or_default()).collect()
}

fn info(name: &str) -> Value {
    json!({
        "timestamp": "2021-02-03T04:05:06Z", "user": "Dachs", "size": 123_456, "width": 1200, "height": 800,
        "thumburl": format!("https://upload.example.org/thumb/330px-{name}.jpg"),
        "url": format!("https://upload.example.org/{name}.jpg"),
        "descriptionurl": format!("https://commons.example.org/wiki/File:{name}.jpg"),
        "sha1": "a9993e364706816aba3e25717850c26c9cd0d89d", "mime": "image/jpeg",
        "extmetadata": {
            "ObjectName": {"value": "<div><i>Red Fox</i><div style=\"display: none;\">label QS:Len</div></div>"},
            "ImageDescription": {"value": "A fox &amp; <a href=\"/wiki/Snow\">snow</a>", "source": "commons-desc-page"},
            "Artist": {"value": "<a href=\"//commons.wikimedia.org/wiki/User:Ada\" title=\"User:Ada\">Ada Fuchs</a>"},
            "Categories": {"value": "Foxes|Snow", "hidden": ""},
            "DateTimeOriginal": {"value": "1891<div style=\"display: none;\">date QS:P,+1891</div>"},
            "License": {"value": "cc-by-sa-4.0", "hidden": ""},
            "LicenseShortName": {"value": "CC BY-SA 4.0"},
            "LicenseUrl": {"value": "https://creativecommons.org/licenses/by-sa/4.0"},
            "Restrictions": {"value": "", "hidden": ""},
        },
    })
}

fn page(id: u64, index: u64, name: &str) -> Value {
    json!({"pageid": id, "ns": 6, "title": format!("File:{name}.jpg"), "index": index,
        "imagerepository": "local", "imageinfo": [info(name)]})
}

/// A page that a later answer describes.
fn bare(id: u64, index: u64, name: &str) -> Value {
    let mut page = page(id, index, name);
    page.as_object_mut().unwrap_or(&mut serde_json::Map::new()).remove("imageinfo");
    page
}

fn complete(pages: Value) -> Value {
    json!({"batchcomplete": true, "query": {"pages": pages}})
}

#[test]
fn every_field_is_read() {
    let (found, next) = first(&complete(json!([page(7, 1, "fox")]))).unwrap();
    let text = |text: &str| Some(text.to_owned());
    let expected = Candidate {
        id: text("7"),
        page_url: text("https://commons.example.org/wiki/File:fox.jpg"),
        thumbnail_url: text("https://upload.example.org/thumb/330px-fox.jpg"),
        title: text("Red Fox"),
        description: text("A fox & snow"),
        creator: text("Ada Fuchs"),
        creator_url: text("https://commons.wikimedia.org/wiki/User:Ada"),
        license: Some(License {
            id: "cc-by-sa-4.0".to_owned(),
            url: text("https://creativecommons.org/licenses/by-sa/4.0"),
            attribution: text("Ada Fuchs, CC BY-SA 4.0, via Wikimedia Commons"),
        }),
        published: text("2021-02-03T04:05:06Z"),
        dimensions: Some(Dimensions { width: 1200, height: 800 }),
        mime: text("image/jpeg"),
        byte_size: Some(123_456),
        checksum: Some(Checksum {
            digest: Digest::Sha1,
            hex: "a9993e364706816aba3e25717850c26c9cd0d89d".to_owned(),
        }),
        tags: vec!["Foxes".to_owned(), "Snow".to_owned()],
        extra: [("license", "CC BY-SA 4.0"), ("date", "1891"), ("uploader", "Dachs")]
            .map(|(name, value)| (format!("wikimedia-commons.{name}"), value.to_owned()))
            .to_vec(),
        alternates: [960, 500, 330, 250]
            .map(|width| format!("https://upload.example.org/thumb/{width}px-fox.jpg"))
            .to_vec(),
        ..Candidate::new("https://upload.example.org/fox.jpg")
    };
    assert_eq!((found.candidates, found.warnings, next), (vec![expected], vec![], None));
}

#[test]
fn what_is_not_known_is_left_out() {
    let mut page = page(7, 1, "Red fox.2");
    page["imageinfo"][0] = json!({
        "url": "https://upload.example.org/a.png", "descriptionurl": "https://commons.example.org/a", "extmetadata": [],
    });
    let (found, _) = first(&complete(json!([page]))).unwrap();
    let fox = &found.candidates[0];
    assert_eq!((fox.title.as_deref(), &fox.creator, &fox.checksum), (Some("Red fox.2"), &None, &None));
    let license = fox.license.as_ref().map(|license| (license.id.as_str(), license.attribution.as_deref()));
    assert_eq!(license, Some(("unknown", Some("via Wikimedia Commons"))));
    assert!(fox.extra.is_empty() && fox.tags.is_empty());
}

#[test]
fn a_file_needs_an_address() {
    for (address, expect) in [
        ("//upload.example.org/a.jpg", Some("https://upload.example.org/a.jpg")),
        ("", None),
        ("/a.jpg", None),
        ("a.jpg", None),
    ] {
        let mut page = page(7, 1, "fox");
        page["imageinfo"][0]["url"] = address.into();
        let found = first(&complete(json!([page]))).map(|(found, _)| found.candidates);
        match expect {
            Some(expect) => assert_eq!(found.unwrap()[0].url, expect),
            None => assert!(matches!(found, Err(Error::LayoutChanged(_))), "{address}"),
        }
    }
}

#[test]
fn a_creator_without_a_page_has_no_address() {
    for (artist, creator, address) in [
        ("Ada Fuchs", "Ada Fuchs", None),
        (
            "<a href=\"//commons.wikimedia.org/w/index.php?title=User:Ada&amp;action=edit&amp;redlink=1\">Ada</a>",
            "Ada",
            None,
        ),
        (
            "<bdi><a href=\"https://en.example.org/wiki/Ada\">Ada</a>\n</bdi> and <a href=\"/wiki/User:B\">B</a>",
            "Ada and B",
            Some("https://en.example.org/wiki/Ada"),
        ),
    ] {
        let mut page = page(7, 1, "fox");
        page["imageinfo"][0]["extmetadata"]["Artist"]["value"] = artist.into();
        let (found, _) = first(&complete(json!([page]))).unwrap();
        let fox = &found.candidates[0];
        assert_eq!(
            (fox.creator.as_deref(), fox.creator_url.as_deref()),
            (Some(creator), address),
            "{artist}"
        );
    }
}

#[test]
fn results_come_in_the_order_of_the_search() {
    let newer = complete(json!([page(1, 3, "c"), page(2, 1, "a"), page(3, 2, "b")]));
    let older = json!({"batchcomplete": "", "query": {"pages": {
        "1": page(1, 3, "c"), "2": page(2, 1, "a"), "3": page(3, 2, "b"),
    }}});
    for answer in [newer, older] {
        assert_eq!(urls(&first(&answer).unwrap().0), ["a.jpg", "b.jpg", "c.jpg"]);
    }
}

#[test]
fn what_continues_is_asked_for_whole() {
    let answer = json!({"batchcomplete": true, "continue": {"gsroffset": 50, "continue": "gsroffset||"},
        "query": {"pages": [page(1, 1, "a")]}});
    let (_, next) = first(&answer).unwrap();
    let start = WikimediaCommons::first(&Query::of("red fox")).url;
    assert_eq!(next.unwrap().url, format!("{start}&continue=gsroffset%7C%7C&gsroffset=50"));
}

#[test]
fn a_batch_in_parts_is_merged() {
    let mut batch = Batch::default();
    let part = |from: &str, pages: Value| json!({"continue": {"iicontinue": from, "continue": "||"}, "query": {"pages": pages}});
    let (found, next) =
        read(&mut batch, &part("B.jpg|2021", json!([bare(1, 1, "a"), page(2, 2, "b"), bare(3, 3, "c")])))
            .unwrap();
    assert_eq!(urls(&found), ["b.jpg"]);
    assert!(next.unwrap().url.ends_with("&continue=%7C%7C&iicontinue=B.jpg%7C2021"));
    let (found, _) =
        read(&mut batch, &part("C.jpg|2021", json!([bare(1, 1, "a"), bare(2, 2, "b"), page(3, 3, "c")])))
            .unwrap();
    assert_eq!((urls(&found), found.warnings.len()), (vec!["c.jpg"], 0));
    // A file that was given already is not given again.
    let last = complete(json!([page(1, 1, "a"), page(2, 2, "b"), bare(3, 3, "c")]));
    let (found, next) = read(&mut batch, &last).unwrap();
    assert_eq!((urls(&found), found.warnings.len(), next), (vec!["a.jpg"], 0, None));
    // The next batch begins anew.
    assert_eq!(urls(&read(&mut batch, &complete(json!([page(2, 1, "b")]))).unwrap().0), ["b.jpg"]);
}

#[test]
fn files_that_are_gone_are_counted() {
    let gone = json!({"ns": 6, "title": "File:Gone.jpg", "missing": true, "index": 2});
    let no_file = json!({"pageid": 3, "ns": 6, "title": "File:No.jpg", "imagerepository": "", "index": 3});
    let (found, _) = first(&complete(json!([page(1, 1, "a"), gone, no_file, bare(4, 4, "d")]))).unwrap();
    assert_eq!(
        (urls(&found), found.warnings.concat()),
        (vec!["a.jpg"], "3 of 4 left out: no longer there".to_owned())
    );
    // A search that finds nothing but them has found nothing.
    let (found, _) = first(&complete(json!([gone, no_file]))).unwrap();
    assert_eq!((found.candidates.len(), found.warnings.len()), (0, 1));
    let hidden = json!({"pageid": 5, "title": "File:H.jpg", "index": 5, "imageinfo": [{"filehidden": true}]});
    let (found, _) = first(&complete(json!([page(1, 1, "a"), hidden]))).unwrap();
    assert!(found.warnings[0].starts_with("1 of 2 results cannot be read"), "{:?}", found.warnings);
}

#[test]
fn no_match_is_no_error() {
    let (found, next) = first(&json!({"batchcomplete": true})).unwrap();
    assert_eq!((found, next), (Found::default(), None));
    let limits = json!({"batchcomplete": "", "limits": {"imageinfo": 50}, "servedby": "mw1"});
    assert_eq!(first(&limits).unwrap().0, Found::default());
}

#[test]
fn an_answer_without_files_is_none() {
    for query in [json!({"searchinfo": {"totalhits": 500}, "pages": []}), json!({"pages": {}})] {
        let read = first(&json!({"batchcomplete": true, "query": query}));
        assert!(matches!(read, Err(Error::LayoutChanged(_))), "{query}");
    }
    let mut renamed = complete(json!([page(1, 1, "a")]));
    renamed["carryOn"] = json!({"gsroffset": 50, "carryOn": "gsroffset||"});
    let fault = Error::LayoutChanged("expected `continue`, found `carryOn`".to_owned());
    assert_eq!(first(&renamed), Err(fault));
    // What is new and says nothing of where to go on may be anything.
    renamed["carryOn"] = json!({"node": 7});
    assert_eq!(first(&renamed).unwrap().1, None);
}

#[test]
fn odd_numbers_cost_nothing_but_themselves() {
    let mut odd = page(7, 1, "fox");
    (odd["pageid"], odd["index"]) = (json!(7.0), json!(1.0));
    let info = &mut odd["imageinfo"][0];
    (info["width"], info["height"], info["size"]) = (json!(1200.0), "800".into(), json!(123_456.0));
    let read = |page: &Value| first(&complete(json!([page]))).unwrap().0.candidates;
    assert_eq!(read(&odd), read(&page(7, 1, "fox")));
    let info = &mut odd["imageinfo"][0];
    (info["width"], info["timestamp"]) = (json!(true), "yesterday".into());
    assert_eq!((read(&odd)[0].dimensions, &read(&odd)[0].published), (None, &None));
}

#[test]
fn the_search_ends_at_its_depth() {
    let answer = |offset: u32, complete: bool| {
        let mut answer = json!({"continue": {"gsroffset": offset, "continue": "gsroffset||"}, "query": {"pages": [page(1, 1, "a")]}});
        if complete {
            answer["batchcomplete"] = true.into();
        }
        let (found, next) = first(&answer).unwrap();
        (found.warnings.concat().contains("10000"), next.is_some())
    };
    assert_eq!(answer(9_950, true), (false, true));
    assert_eq!(answer(10_000, true), (true, false));
    assert_eq!(answer(10_000, false), (false, true));
}

/// The number of steps, up to 1 000, of a crawl that is always given that answer, and the last.
fn walked(answer: &Value) -> (usize, Result<Step>) {
    type Source = Component<Chain<WikimediaCommons>>;
    let query = Query::of("red fox");
    let mut last = Source::start(query.clone());
    let mut steps = 1;
    while let Ok(Step { next: Next::Fetch(requests), state, .. }) = &last
        && steps < 1_000
    {
        let answers = vec![Answer::of(&requests[0].url, 200, &answer.to_string())];
        last = Source::resume(query.clone(), state.clone(), answers);
        steps += 1;
    }
    (steps, last)
}

#[test]
fn a_search_that_goes_nowhere_ends() {
    let pages = json!({"pages": [page(1, 1, "a")]});
    let same = json!({"batchcomplete": true, "continue": {"gsroffset": 50, "continue": "gsroffset||"}, "query": pages});
    let (steps, last) = walked(&same);
    assert_eq!((steps, last.unwrap().next), (3, Next::Done));
    let endless = json!({"continue": {"iicontinue": "B.jpg|2021", "continue": "||"}, "query": pages});
    let (steps, last) = walked(&endless);
    assert!(steps < 300 && matches!(last, Err(Error::LayoutChanged(_))), "{steps} {last:?}");
    let many: Vec<_> = (1..1_000).map(|id| bare(id, id, "a")).collect();
    let crowded =
        json!({"continue": {"iicontinue": "B.jpg|2021", "continue": "||"}, "query": {"pages": many}});
    assert!(matches!(first(&crowded), Err(Error::LayoutChanged(_))));
    let long = json!({"batchcomplete": true, "continue": {"gsroffset": "1".repeat(100_000)}, "query": pages});
    assert!(matches!(first(&long), Err(Error::LayoutChanged(_))));
}

#[test]
fn a_field_with_another_name_is_a_changed_layout() {
    let body = complete(json!([page(7, 1, "fox")])).to_string();
    for field in ["query", "pages", "title", "imageinfo", "url", "descriptionurl", "extmetadata", "pageid"] {
        let body = body.replace(&format!("\"{field}\":"), "\"other\":");
        let read = WikimediaCommons::read(&Query::of(""), &mut Batch::default(), Answer::of(URL, 200, &body));
        assert!(matches!(read, Err(Error::LayoutChanged(_))), "{field} {read:?}");
    }
    let cut = json!({"query": {"pages": [page(7, 1, "fox")]}});
    assert!(matches!(first(&cut), Err(Error::LayoutChanged(_))));
}

#[test]
fn errors_are_told_apart() {
    let error = |code: &str| {
        let body = json!({"error": {"code": code, "info": "Why.", "docref": "See …"}}).to_string();
        let mut answer = Answer::of(URL, 200, &body);
        if let Ok(response) = &mut answer.outcome {
            response.headers.push(("retry-after".to_owned(), "5".to_owned()));
        }
        WikimediaCommons::read(&Query::of("x"), &mut Batch::default(), answer).unwrap_err()
    };
    assert_eq!(error("maxlag"), Error::RateLimited(Some(5)));
    assert_eq!(error("ratelimited"), Error::RateLimited(Some(5)));
    let said = |code: &str| format!("Wikimedia Commons says {code}: Why.");
    assert_eq!(error("badvalue"), Error::InvalidQuery(said("badvalue")));
    assert_eq!(
        error("cirrussearch-query-too-long"),
        Error::InvalidQuery(said("cirrussearch-query-too-long"))
    );
    assert_eq!(error("unknown_action"), Error::LayoutChanged(said("unknown_action")));
    for code in ["readonly", "internal_api_error_DBQueryError", "blocked"] {
        assert_eq!(error(code), Error::Unavailable(said(code)));
    }
}

#[test]
fn warnings_are_said_once() {
    let mut batch = Batch::default();
    let with = |form: Value| {
        let mut answer = complete(json!([page(1, 1, "a")]));
        answer["warnings"] = form;
        answer
    };
    let newer = with(json!({"main": {"warnings": "Unrecognized parameter: x."}}));
    let older = with(json!({"search": {"*": "Old."}}));
    let (found, _) = read(&mut batch, &newer).unwrap();
    assert_eq!(found.warnings, ["Wikimedia Commons says: Unrecognized parameter: x."]);
    assert_eq!(read(&mut batch, &newer).unwrap().0.warnings, [""; 0]);
    assert_eq!(first(&older).unwrap().0.warnings, ["Wikimedia Commons says: Old."]);
}

#[test]
fn searches() {
    let search = |options: &[(&str, &str)]| {
        let query = Query { language: Some("pt-BR".to_owned()), ..Query::of(" red fox ").with(options) };
        let url = WikimediaCommons::first(&query).url;
        assert!(url.contains("&iiextmetadatalanguage=pt-br"), "{url}");
        let search =
            url.split("gsrsearch=").nth(1).and_then(|rest| rest.split('&').next()).unwrap().to_owned();
        (search, url.split("&gsrsort=").nth(1).map(str::to_owned))
    };
    assert_eq!(search(&[]), ("red%20fox%20filetype%3Abitmap".to_owned(), None));
    assert_eq!(
        search(&[("category", "Category:\"Foxes\""), ("file-type", "png"), ("min-width", "800")]).0,
        "red%20fox%20filetype%3Abitmap%20incategory%3A%22Foxes%22%20filemime%3Aimage%2Fpng%20filew%3A%3E800"
    );
    assert_eq!(
        search(&[("category", "Foxes"), ("subcategories", "true"), ("min-height", "1"), ("sort", "oldest")]),
        (
            "red%20fox%20filetype%3Abitmap%20deepcategory%3A%22Foxes%22%20fileh%3A%3E1".to_owned(),
            Some("create_timestamp_asc".to_owned())
        )
    );
    assert!(WikimediaCommons::first(&Query::of("x")).url.contains("&iiextmetadatalanguage=en"));
}

#[test]
fn an_odd_type_costs_only_its_field() {
    let essential = [
        // Where it goes on, or that it does not.
        "continue",
        "continue.continue",
        "continue.gsroffset",
        "continue.iicontinue",
        "query",
        "query.pages",
        "query.pages[]",
        "query.pages.*",
        // By which a later answer says what it describes.
        "query.pages[].pageid",
        "query.pages[].imageinfo",
        "query.pages[].imageinfo[]",
        "query.pages[].imageinfo[].url",
        "query.pages.*.imageinfo",
        "query.pages.*.imageinfo[]",
        "query.pages.*.imageinfo[].url",
    ];
    pixcrawler_sweep::sweep::<pixcrawler_sdk::Chain<WikimediaCommons>>(
        env!("CARGO_MANIFEST_DIR"),
        &essential,
    );
}

#[test]
fn smaller_copies_have_the_widths_that_commons_keeps() {
    let urls = |changes: Value| {
        let mut page = page(7, 1, "fox");
        for (name, value) in changes.as_object().into_iter().flatten() {
            page["imageinfo"][0][name] = value.clone();
        }
        let picture = first(&complete(json!([page]))).unwrap().0.candidates.remove(0);
        let end = |url: &String| url.trim_start_matches("https://upload.example.org/").to_owned();
        (end(&picture.url), picture.alternates.iter().map(end).collect::<Vec<_>>(), picture)
    };
    let (_, copies, _) = urls(json!({"width": 8000}));
    let widths = [3840, 1920, 1280, 960, 500, 330, 250];
    assert_eq!(copies, widths.map(|width| format!("thumb/{width}px-fox.jpg")));
    let at = "https://upload.example.org/thumb";
    for (width, thumbnail, expect) in [
        // None is larger than the file, and none is as large.
        (
            960,
            format!("{at}/330px-fox.jpg"),
            &["thumb/500px-fox.jpg", "thumb/330px-fox.jpg", "thumb/250px-fox.jpg"][..],
        ),
        (250, format!("{at}/330px-fox.jpg"), &[]),
        // Parameters stay, and so do widths in the name of the file.
        (
            400,
            format!("{at}/a/330px-x/330px-330px-fox.jpg?u=330px-"),
            &["thumb/a/330px-x/330px-330px-fox.jpg?u=330px-", "thumb/a/330px-x/250px-330px-fox.jpg?u=330px-"],
        ),
        // The file itself where it is small, and a width that was not asked for.
        (300, "https://upload.example.org/fox.jpg".to_owned(), &[]),
        (900, format!("{at}/366px-fox.jpg"), &["thumb/366px-fox.jpg"]),
        (900, format!("{at}/fox1330px-fox.jpg"), &["thumb/fox1330px-fox.jpg"]),
    ] {
        let (url, copies, _) = urls(json!({"width": width, "thumburl": thumbnail}));
        assert_eq!(
            (url.as_str(), copies),
            ("fox.jpg", Vec::from_iter(expect.iter().map(|url| (*url).to_owned())))
        );
    }
    // What browsers do not show is rendered, and only the address of the file is said of it.
    let tiff = json!({"width": 1500, "mime": "image/tiff", "url": "https://upload.example.org/fox.tif",
        "thumburl": "https://upload.example.org/thumb/lossy-page1-330px-fox.tif.jpg"});
    let (url, copies, picture) = urls(tiff);
    assert_eq!(url, "thumb/lossy-page1-1280px-fox.tif.jpg");
    assert_eq!(copies[0], "thumb/lossy-page1-960px-fox.tif.jpg");
    assert_eq!(
        (&picture.mime, &picture.checksum, picture.dimensions, picture.byte_size),
        (&None, &None, None, None)
    );
    let original = ("wikimedia-commons.original".to_owned(), "https://upload.example.org/fox.tif".to_owned());
    assert!(picture.extra.contains(&original), "{:?}", picture.extra);
    let (url, copies, _) = urls(json!({"width": 200, "mime": "image/tiff",
        "thumburl": "https://upload.example.org/thumb/lossy-page1-200px-fox.tif.jpg"}));
    assert_eq!((url.as_str(), copies.len()), ("thumb/lossy-page1-200px-fox.tif.jpg", 0));
    let (url, _, _) = urls(json!({"mime": "image/tiff", "thumburl": null}));
    assert_eq!(url, "fox.jpg");
}

#[test]
fn a_page_without_a_number_costs_nothing() {
    let mut nameless = page(8, 2, "cub");
    nameless.as_object_mut().unwrap().remove("pageid");
    let (found, _) = first(&complete(json!([page(7, 1, "fox"), nameless]))).unwrap();
    assert_eq!((urls(&found), found.warnings.len()), (vec!["fox.jpg", "cub.jpg"], 0));
    assert_eq!(found.candidates[1].id, None);
}
