//! Requests that keep the rules, and each way to break one.

use serde_json::{Map, json};

use super::*;
use crate::model::{OptionKind, OptionSpec};

fn source(id: &str, input: Input) -> SourceOffer {
    let option = |name: &str, kind, choices: &[&str]| OptionSpec {
        name: name.to_owned(),
        label: name.to_owned(),
        help: "what it is for".to_owned(),
        kind,
        required: name == "needed",
        default: (name == "size").then(|| "large".to_owned()),
        choices: choices.iter().map(|choice| ((*choice).to_owned(), (*choice).to_owned())).collect(),
    };
    let options = match id {
        "openverse" => vec![
            option("size", OptionKind::Choice, &["large", "small"]),
            option("kinds", OptionKind::Choices, &["photo", "drawing"]),
            option("depth", OptionKind::Integer, &[]),
            option("exact", OptionKind::Boolean, &[]),
            option("words", OptionKind::Text, &[]),
        ],
        "picky" => vec![option("needed", OptionKind::Text, &[])],
        _ => Vec::new(),
    };
    let info = SourceInfo {
        id: id.to_owned(),
        name: id.to_owned(),
        version: "0.1.0".to_owned(),
        description: String::new(),
        homepage: None,
        terms_url: None,
        input,
        hosts: Vec::new(),
        ignores_robots: false,
        restriction: None,
        options,
        credentials: Vec::new(),
        requests_per_minute: None,
        max_results: None,
    };
    let unavailable = (id == "paused").then(|| "it is paused".to_owned());
    SourceOffer { info, credentials: vec![format!("{id}-key")], unavailable }
}

fn installed() -> Vec<SourceOffer> {
    vec![
        source("commons", Input::Keywords),
        source("openverse", Input::Keywords),
        source("paused", Input::Keywords),
        source("picky", Input::Keywords),
        source("sitemap", Input::Address),
        source("webpage", Input::Address),
    ]
}

fn parse_url(text: &str) -> Result<Url, String> {
    match Url::parse(text) {
        Ok(url) if url.host_str() == Some("127.0.0.1") => Err("is not public".to_owned()),
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(url),
        _ => Err("is not an address".to_owned()),
    }
}

fn run(body: &Value, offered: &[SourceOffer]) -> Result<JobSpec, Vec<Violation>> {
    JobRequest::from(body.clone()).check(offered, &parse_url)
}

/// A sound body with these fields instead.
fn body(fields: Value) -> Value {
    let mut body = json!({ "name": "Pandas", "keywords": ["red panda"] });
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

fn spec(fields: Value) -> JobSpec {
    run(&body(fields), &installed()).unwrap()
}

#[test]
fn broken_rules_are_said_where_they_are() {
    let many = |n| (0..n).map(|i| format!("word {i}")).collect::<Vec<_>>();
    let keys = |n| (0..n).map(|i| (format!("key {i}"), json!({}))).collect::<Map<_, _>>();
    for (fields, pointers) in [
        (json!({ "name": null }), vec!["/name"]),
        (json!({ "name": "  " }), vec!["/name"]),
        (json!({ "name": 5 }), vec!["/name"]),
        (json!({ "name": "é".repeat(101) }), vec!["/name"]),
        (json!({ "name": format!("x{}", " ".repeat(100)) }), vec!["/name"]),
        (json!({ "name": "a\u{0}b" }), vec!["/name"]),
        (json!({ "keywords": null }), vec!["/keywords"]),
        (json!({ "keywords": [] }), vec!["/keywords"]),
        (json!({ "keywords": "panda" }), vec!["/keywords"]),
        (
            json!({ "keywords": ["ok", "", 5, "x".repeat(201)] }),
            vec!["/keywords/1", "/keywords/2", "/keywords/3"],
        ),
        (json!({ "keywords": many(51) }), vec!["/keywords"]),
        (json!({ "keywords": vec![0; 51] }), vec!["/keywords"]),
        (json!({ "urls": vec![0; 1_001] }), vec!["/urls"]),
        (json!({ "sources": vec![0; 101] }), vec!["/sources"]),
        (json!({ "rules": { "licenses": vec![0; 101] } }), vec!["/rules/licenses"]),
        (json!({ "rules": { "formats": vec![0; 5] } }), vec!["/rules/formats"]),
        (json!({ "unlike": ["0f".repeat(32), "0f", 5] }), vec!["/unlike/1", "/unlike/2"]),
        (json!({ "unlike": vec![0; 100_001] }), vec!["/unlike"]),
        (json!({ "labels": keys(1_051) }), vec!["/labels"]),
        (json!({ "options": keys(101) }), vec!["/options"]),
        (json!({ "options": { "openverse": keys(101) } }), vec!["/options/openverse"]),
        (
            json!({ "options": { "openverse": { "depth": "0".repeat(2_001) } } }),
            vec!["/options/openverse/depth"],
        ),
        (
            json!({ "urls": ["ftp://example.org/", "/relative", "http://127.0.0.1/"] }),
            vec!["/urls/0", "/urls/1", "/urls/2"],
        ),
        (json!({ "urls": [format!("https://example.org/{}", "x".repeat(8192))] }), vec!["/urls/0"]),
        (json!({ "urls": [format!("https://example.org/{}", "é".repeat(1_400))] }), vec!["/urls/0"]),
        (json!({ "max_images": 0 }), vec!["/max_images"]),
        (json!({ "max_images": 100_001 }), vec!["/max_images"]),
        (json!({ "max_images": 1.5 }), vec!["/max_images"]),
        (json!({ "max_images": "10" }), vec!["/max_images"]),
        (json!({ "sources": ["nowhere"] }), vec!["/sources/0"]),
        (json!({ "sources": ["paused"] }), vec!["/sources/0"]),
        (json!({ "sources": ["openverse", "webpage"] }), vec!["/urls"]),
        (json!({ "sources": ["webpage"] }), vec!["/urls", "/keywords"]),
        (json!({ "sources": ["openverse"], "urls": ["https://example.org/"] }), vec!["/urls"]),
        (json!({ "sources": ["picky"] }), vec!["/options/picky/needed"]),
        (json!({ "options": { "commons": {} } }), vec!["/options/commons"]),
        (json!({ "options": { "a/b": {} } }), vec!["/options/a~1b"]),
        (
            json!({ "options": { "openverse": { "size": "huge", "kinds": ["photo", "film"], "depth": "deep",
                                             "exact": "maybe", "words": 1, "more": 1 } } }),
            vec![
                "/options/openverse/depth",
                "/options/openverse/exact",
                "/options/openverse/kinds",
                "/options/openverse/more",
                "/options/openverse/size",
                "/options/openverse/words",
            ],
        ),
        (json!({ "options": { "openverse": [] } }), vec!["/options/openverse"]),
        (json!({ "options": [] }), vec!["/options"]),
        (json!({ "safe_search": "yes" }), vec!["/safe_search"]),
        (json!({ "language": "english language" }), vec!["/language"]),
        (json!({ "language": "d" }), vec!["/language"]),
        (json!({ "labels": { "green panda": "panda" } }), vec!["/labels/green panda"]),
        (json!({ "labels": { "red panda": "" } }), vec!["/labels/red panda"]),
        (json!({ "labels": { "Red Panda": "cat", "red panda": "bear" } }), vec!["/labels/red panda"]),
        (
            json!({ "rules": { "licenses": ["cc0", "banana", "cc-by-9.0", "*"] } }),
            vec!["/rules/licenses/1", "/rules/licenses/2", "/rules/licenses/3"],
        ),
        (json!({ "rules": { "formats": ["JPG", "image/png", "tiff"] } }), vec!["/rules/formats/2"]),
        (
            json!({ "rules": { "min_width": -1, "min_height": 1e9, "formats": ["jpeg", "bmp"], "licenses": [1], "max": 1, "near_duplicates": 32, "duplicates_within": "all", "turned_duplicates": "yes" } }),
            vec![
                "/rules/duplicates_within",
                "/rules/formats/1",
                "/rules/licenses/0",
                "/rules/max",
                "/rules/min_height",
                "/rules/min_width",
                "/rules/near_duplicates",
                "/rules/turned_duplicates",
            ],
        ),
        (json!({ "dataset_id": 1, "project_id": 1 }), vec!["/project_id"]),
        (json!({ "dataset_id": 0 }), vec!["/dataset_id"]),
        (json!({ "dataset_id": 3_000_000_000u32 }), vec!["/dataset_id"]),
        (json!({ "colour": "red", "name": null, "max_images": 0 }), vec!["/colour", "/max_images", "/name"]),
    ] {
        let body = body(fields);
        let broken = run(&body, &installed()).map(drop).unwrap_err();
        let mut found: Vec<&str> = broken.iter().map(|broken| broken.pointer.as_str()).collect();
        if pointers.len() > 1 && pointers.is_sorted() {
            found.sort_unstable();
        }
        assert_eq!(found, pointers, "{body} {broken:?}");
    }
    assert_eq!(run(&json!([]), &installed()).unwrap_err()[0].pointer, "");
}

#[test]
fn what_cannot_be_read_is_told_beside_the_rules() {
    let body = json!({
        "name": 5, "keywords": "panda", "urls": [true], "sources": { "id": "openverse" }, "options": [],
        "safe_search": 1, "max_images": 0, "language": null, "labels": { "panda": [] }, "rules": "none",
        "dataset_id": "7", "colour": null,
    });
    let broken = run(&body, &installed()).unwrap_err();
    let broken: Vec<String> = broken.iter().map(ToString::to_string).collect();
    let text = "must be text of 1 to";
    assert_eq!(
        broken,
        [
            "keywords must be a list of at most 50 texts".to_owned(),
            "sources must be a list of at most 100 texts".to_owned(),
            "options must be an object of at most 100 fields".to_owned(),
            "safe_search must be true or false".to_owned(),
            "rules must be an object of at most 32 fields".to_owned(),
            "colour is not a field; see /docs".to_owned(),
            format!("name {text} 100 characters, none of them a control character"),
            format!("urls/0 {text} 8192 characters, none of them a control character"),
            "max_images must be a whole number from 1 to 100000".to_owned(),
            format!("labels/panda {text} 100 characters, none of them a control character"),
            "labels/panda is neither a keyword nor an address of this job".to_owned(),
            "dataset_id must be a whole number from 1 to 2147483647".to_owned(),
        ]
    );
}

#[test]
fn one_source_alone_is_asked_by_the_same_rules() {
    let ask = |id: &str, body: Value| {
        let installed = installed();
        let offered = installed.iter().find(|source| source.info.id == id).unwrap();
        QueryRequest::from(body).check(offered, 50, &parse_url)
    };
    let query = ask("openverse", json!({ "text": " red panda ", "options": { "depth": 3 } })).unwrap();
    assert_eq!((query.text.as_str(), query.limit, query.safe_search), ("red panda", 20, true));
    let options =
        [("depth", "3"), ("size", "large")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(query.options, options);
    assert_eq!(query.credentials, ["openverse-key"]);
    let query = ask("webpage", json!({ "text": "https://EXAMPLE.org#top", "limit": 50 })).unwrap();
    assert_eq!((query.text.as_str(), query.limit), ("https://example.org/", 50));
    for (id, body, pointers) in [
        ("openverse", json!({}), &["/text"][..]),
        ("openverse", json!({ "text": 5, "limit": 51, "options": [] }), &["/options", "/text", "/limit"]),
        ("openverse", json!({ "text": "x".repeat(201), "language": "d" }), &["/text", "/language"]),
        (
            "openverse",
            json!({ "text": "x", "options": { "depth": "deep", "more": 1 } }),
            &["/options/more", "/options/depth"],
        ),
        ("picky", json!({ "text": "x", "keywords": [] }), &["/keywords", "/options/needed"]),
        ("webpage", json!({ "text": "red panda" }), &["/text"]),
        ("webpage", json!("https://example.org/"), &[""]),
    ] {
        let broken = ask(id, body.clone()).unwrap_err();
        let found: Vec<&str> = broken.iter().map(|broken| broken.pointer.as_str()).collect();
        assert_eq!(found, pointers, "{body} {broken:?}");
    }
}

#[test]
fn of_very_many_broken_rules_a_hundred_are_told() {
    let mut body = body(json!({}));
    for number in 0..5_000 {
        body[format!("field {number}")] = json!(1);
    }
    let broken = run(&body, &installed()).unwrap_err();
    assert_eq!(broken.len(), 101);
    assert_eq!(
        broken[100],
        Violation { pointer: String::new(), detail: "breaks 4900 more rules".to_owned() }
    );
}

#[test]
fn an_unknown_source_is_told_which_there_are() {
    let broken = run(&body(json!({ "sources": ["nowhere"] })), &installed()).unwrap_err();
    assert_eq!(
        broken[0].detail,
        "is not installed; installed are: commons, openverse, paused, picky, sitemap, webpage"
    );
}

/// Whoever misspells a name is told which was meant, and what there is.
#[test]
fn what_may_have_been_meant_is_said() {
    let check = |fields: Value, expect: &str| {
        let broken = run(&body(fields), &installed()).unwrap_err();
        assert!(broken.iter().any(|rule| rule.to_string() == expect), "{expect}: {broken:?}");
    };
    check(
        json!({ "sources": ["openvrse"] }),
        "sources/0 is not installed (did you mean `openverse`?); installed are: commons, openverse, paused, \
         picky, sitemap, webpage",
    );
    check(
        json!({ "options": { "openverse": { "dept": 1 } } }),
        "options/openverse/dept is not an option (did you mean `depth`?); those of `openverse` are: `size` (one \
         of: large, small), `kinds` (some of: photo, drawing), `depth` (a whole number), `exact` (true or false), \
         `words` (text)",
    );
    check(
        json!({ "sources": ["commons"], "options": { "commons": { "size": 1 } } }),
        "options/commons/size is not an option: `commons` has none",
    );
    check(
        json!({ "options": { "opnverse": {} } }),
        "options/opnverse is not a source of this job (did you mean `openverse`?)",
    );
    check(json!({ "keyword": "lion" }), "keyword is not a field (did you mean `keywords`?); see /docs");
    check(
        json!({ "rules": { "licences": ["cc0"] } }),
        "rules/licences is not a field (did you mean `licenses`?); see /docs",
    );
    check(
        json!({ "rules": { "licenses": ["cc-bye"] } }),
        &format!(
            "rules/licenses/0 is not a licence that is known (did you mean `cc-by`?); {ACCEPTED_LICENSES}"
        ),
    );
    check(
        json!({ "rules": { "formats": ["tiff"] } }),
        "rules/formats/0 must be one of: jpeg, png, gif, webp; no other is kept",
    );
    check(json!({ "sources": ["webpage"] }), "urls must be given: the source `webpage` takes addresses");
    check(json!({ "sources": ["webpage"] }), "keywords cannot be used: none of the sources takes keywords");
}

#[test]
fn licences_and_formats_are_those_that_are_meant() {
    let rules = spec(json!({ "rules": {
        "licenses": ["CC BY 4.0", "cc0", "cc-by-4.0"], "formats": ["jpg", "JPEG", ".png"],
    } }))
    .rules;
    assert_eq!(rules.licenses, ["cc-by-4.0", "cc0", "cc0-*"]);
    assert_eq!(rules.formats, [crate::model::Format::Jpeg, crate::model::Format::Png]);
}

#[test]
fn what_is_not_said_has_defaults() {
    let spec = spec(json!({}));
    assert_eq!(spec.max_images, 1_000);
    assert_eq!(spec.sources, ["openverse"]);
    assert!(spec.safe_search);
    assert_eq!(spec.destination, Destination::New);
    assert_eq!(spec.rules, Rules::default());
    assert_eq!(spec.options["openverse"]["size"], "large");
    let [chunk] = &spec.chunks[..] else { panic!("{:?}", spec.chunks) };
    assert_eq!((chunk.label.as_str(), chunk.share, chunk.query.limit), ("red panda", 1_000, 1_000));
    assert_eq!(chunk.query.options, [("size".to_owned(), "large".to_owned())]);
    assert_eq!(chunk.query.credentials, ["openverse-key"]);
}

#[test]
fn default_sources_fit_the_inputs() {
    let of = |fields, offered: &[SourceOffer]| run(&body(fields), offered).map(|spec| spec.sources);
    let both = json!({ "urls": ["https://example.org/"] });
    assert_eq!(of(both.clone(), &installed()).unwrap(), ["openverse", "webpage"]);
    let urls = json!({ "urls": ["https://example.org/"], "keywords": [] });
    assert_eq!(of(urls.clone(), &installed()).unwrap(), ["webpage"]);
    assert_eq!(
        of(both, &[source("sitemap", Input::Address), source("commons", Input::Keywords)]).unwrap(),
        ["commons", "sitemap"]
    );
    let broken = of(urls, &[source("commons", Input::Keywords)]).unwrap_err();
    assert_eq!(broken[0].pointer, "/sources");
    let broken = of(json!({}), &[source("paused", Input::Keywords)]).unwrap_err();
    assert_eq!(broken[0].pointer, "/sources");
}

#[test]
fn inputs_are_trimmed_and_come_once() {
    let spec = spec(json!({
        "name": " Pandas ",
        "keywords": [" Red Panda", "red panda ", "raccoon"],
        "urls": ["https://EXAMPLE.org", "https://example.org/", "https://example.org:443/#top"],
        "sources": ["webpage", "openverse", "webpage"],
        "labels": { "RED PANDA": "panda", "https://example.org/#top": "site" },
        "max_images": 9,
    }));
    assert_eq!(spec.name, "Pandas");
    assert_eq!(spec.keywords, ["Red Panda", "raccoon"]);
    assert_eq!(spec.urls, ["https://example.org/"]);
    assert_eq!(spec.sources, ["webpage", "openverse"]);
    let chunks: Vec<_> = spec
        .chunks
        .iter()
        .map(|chunk| (chunk.query.text.as_str(), chunk.source.as_str(), chunk.label.as_str(), chunk.share))
        .collect();
    assert_eq!(
        chunks,
        [
            ("Red Panda", "openverse", "panda", 3),
            ("raccoon", "openverse", "raccoon", 3),
            ("https://example.org/", "webpage", "site", 3),
        ]
    );
    let warnings: Vec<&String> = spec.chunks.iter().flat_map(|chunk| &chunk.warnings).collect();
    let warning = "the keyword `Red Panda` was given as `red panda` too: upper and lower case are one keyword, and one class";
    assert_eq!(warnings, [warning]);
}

#[test]
fn fewer_images_than_chunks_leave_reserve() {
    let spec = spec(json!({ "keywords": ["a", "b"], "sources": ["openverse", "commons"], "max_images": 3 }));
    let chunks: Vec<_> = spec
        .chunks
        .iter()
        .map(|chunk| (chunk.input, chunk.rank, chunk.source.as_str(), chunk.share))
        .collect();
    assert_eq!(
        chunks,
        [(0, 0, "openverse", 1), (0, 1, "commons", 1), (1, 0, "openverse", 1), (1, 1, "commons", 0)]
    );
}

#[test]
fn options_may_be_written_as_json_or_as_text() {
    for (value, expected) in [
        (json!({ "depth": 3, "exact": true, "kinds": ["photo", "drawing"] }), ["3", "true", "photo,drawing"]),
        (json!({ "depth": "3", "exact": "true", "kinds": "photo,drawing" }), ["3", "true", "photo,drawing"]),
    ] {
        let spec = spec(json!({ "options": { "openverse": value } }));
        let options = &spec.options["openverse"];
        assert_eq!([&options["depth"], &options["exact"], &options["kinds"]], expected);
    }
}

#[test]
fn languages() {
    for (tag, sound) in
        [("de", true), ("pt-BR", true), ("zh-Hant-TW", true), ("x", false), ("de_DE", false), ("de-", false)]
    {
        assert_eq!(is_language(tag), sound, "{tag}");
    }
}

proptest::proptest! {
    /// Whatever comes in, the answer is a sound job or a list of broken rules.
    #[test]
    fn nothing_is_taken_for_a_job_that_is_none(
        name in ".{0,120}",
        keywords in proptest::collection::vec(".{0,10}", 0..5),
        urls in proptest::collection::vec("(https?://)?[a-z.:@/]{0,20}", 0..5),
        max_images in -5..100_010i64,
    ) {
        let body = json!({ "name": name, "keywords": keywords, "urls": urls, "max_images": max_images });
        match run(&body, &installed()) {
            Ok(spec) => {
                proptest::prop_assert_eq!(spec.chunks.iter().map(|chunk| chunk.share).sum::<i32>(), spec.max_images);
                proptest::prop_assert!(!spec.name.contains(char::is_control));
            }
            Err(broken) => proptest::prop_assert!(!broken.is_empty()),
        }
    }
}
