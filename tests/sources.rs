//! The sources and their cassettes: each replays in the sandbox, each source has those that its
//! shape demands, and what they hold has the shape of what was really recorded.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use pixcrawler::{
    model::Content,
    runner::cassette::{Cassette, Exchange},
};
use pixcrawler_recordings::recordings;
use serde_json::Value;

mod table;

/// Cassettes that every source must have.
const COMMON: [&str; 6] = ["first-page", "next-page", "last-page", "empty", "rate-limit", "changed-layout"];

/// Those that a source must have beside them: how its site refuses, and what is its own.
const DEMANDED: &[(&str, &[&str])] = &[
    ("baidu", &["blocked", "captcha"]),
    ("bing", &["captcha"]),
    ("duckduckgo", &["blocked"]),
    ("feed", &["blocked"]),
    ("flickr", &["windows", "blocked", "unauthorized", "unavailable"]),
    ("google", &["soft-block", "captcha"]),
    ("met-museum", &["blocked", "captcha"]),
    ("openverse", &["unauthorized"]),
    ("pexels", &["blocked", "unauthorized"]),
    ("pixabay", &["blocked", "unauthorized"]),
    ("reddit", &["blocked", "unauthorized"]),
    ("sitemap", &["blocked"]),
    ("unsplash", &["blocked", "unauthorized"]),
    ("url-list", &["blocked"]),
    ("webpage", &["blocked"]),
    ("wikimedia-commons", &["parts", "blocked"]),
];

/// A source, one of the common cassettes that it cannot have, and why.
const WITHOUT: &[(&str, &str, &str)] = &[
    ("met-museum", "last-page", "one answer has all ids, and then each object is asked for"),
    ("url-list", "changed-layout", "what a list calls its columns is the user's business"),
    ("webpage", "changed-layout", "pages of all layouts are its input"),
];

/// A source, the folder of its recordings, and key paths that no recording has, each with the
/// reason why it is right nevertheless.
type Recorded = (&'static str, &'static str, &'static [(&'static str, &'static str)]);
const RECORDED: &[Recorded] = &[
    ("baidu", "baidu-images", &[]),
    ("duckduckgo", "duckduckgo", &[]),
    ("flickr", "flickr", &[]),
    ("met-museum", "met-museum", &[]),
    (
        "openverse",
        "openverse",
        &[
            (
                ".results[].attribution",
                "recordings with results are of 2022; the API's reference has it since",
            ),
            (".results[].filesize", "as above"),
            (".results[].filetype", "as above"),
            (".results[].height", "as above"),
            (".results[].width", "as above"),
        ],
    ),
    (
        "pexels",
        "pexels",
        &[
            (".photos[].alt", "recordings are of 2020; answers have it since"),
            (".photos[].avg_color", "as above"),
        ],
    ),
    (
        "pixabay",
        "pixabay",
        &[
            (".hits[].fullHDURL", "recordings are of a key without full access"),
            (".hits[].imageURL", "as above"),
            (".hits[].isAiGenerated", "recordings are of 2021; answers have it since"),
            (".hits[].noAiTraining", "as above"),
        ],
    ),
    (
        "reddit",
        "reddit",
        &[(
            ".data.children[].data.crosspost_parent",
            "no recording has a crosspost; it is a post within a post",
        )],
    ),
    ("unsplash", "unsplash", &[]),
    (
        "wikimedia-commons",
        "wikimedia-commons",
        &[
            (".query.pages[]", "recordings are of the older form; the cassette of that has the same fields"),
            (".query.pages.*.imageinfo[].mime", "recordings asked for less"),
            (".query.pages.*.imageinfo[].sha1", "as above"),
            (".query.pages.*.imageinfo[].timestamp", "as above"),
            (".continue.iicontinue", "what continues in recordings is something else"),
            (".warnings", "no recording was warned"),
        ],
    ),
];

/// Objects whose keys are no names but ids.
const KEYED_BY_ID: [&str; 1] = ["media_metadata"];

/// A folder below `plugins` that holds a source.
fn sources() -> Vec<String> {
    let folders = fs::read_dir(root().join("plugins")).unwrap().map(|entry| entry.unwrap());
    let mut sources: Vec<String> = folders
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| name != "sdk")
        .collect();
    sources.sort();
    sources
}

/// By name.
fn cassettes(source: &str) -> BTreeMap<String, Cassette> {
    let folder = root().join("plugins").join(source).join("cassettes");
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let cassette = |file: PathBuf| {
        let cassette = Cassette::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        (file.file_stem().unwrap().to_str().unwrap().to_owned(), cassette)
    };
    files.map(|entry| cassette(entry.unwrap().path())).collect()
}

#[test]
fn every_cassette_replays() {
    let data = tempfile::tempdir().unwrap();
    let mut failed = Vec::new();
    for source in sources() {
        let component = root().join("target/plugins").join(format!("{source}.wasm"));
        assert!(component.exists(), "{} is missing; run `make plugins` first", component.display());
        let output = Command::new(env!("CARGO_BIN_EXE_pixcrawler"))
            .args(["plugin", "test"])
            .arg(component)
            .arg(root().join("plugins").join(&source).join("cassettes"))
            .arg("--data-dir")
            .arg(data.path())
            .output()
            .unwrap();
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            failed.push(format!("{source}:\n{}", String::from_utf8_lossy(&said)));
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_source_has_the_cassettes_that_its_shape_demands() {
    let mut wrong = Vec::new();
    for source in sources() {
        let Some((_, demanded)) = DEMANDED.iter().find(|(name, _)| *name == source) else {
            wrong.push(format!("{source}: say in tests/sources.rs which cassettes it must have"));
            continue;
        };
        let cassettes = cassettes(&source);
        let cannot = |name: &str| WITHOUT.iter().any(|&(of, cassette, _)| (of, cassette) == (&source, name));
        let missing = COMMON.iter().filter(|name| !cannot(name)).chain(*demanded);
        let missing = missing.filter(|name| !cassettes.contains_key(**name));
        wrong.extend(missing.map(|name| format!("{source} has no cassette `{name}`")));
        let foreign = cassettes.iter().filter(|(_, cassette)| cassette.source != source);
        wrong.extend(foreign.map(|(name, _)| format!("{source}: `{name}` is of another source")));
        let renames = |cassette: &Cassette| {
            cassette.expect.as_ref().is_some_and(|expect| !expect.changed_layout.is_empty())
        };
        if !cannot("changed-layout") && !cassettes.values().any(renames) {
            wrong.push(format!("{source}: no cassette says `changed-layout = [...]`"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a cassette invents are values; the names around them are the site's.
#[test]
fn cassettes_have_the_shape_of_recordings() {
    let mut wrong = Vec::new();
    for (source, folder, exceptions) in RECORDED {
        let Some(recordings) = recordings(folder) else { continue };
        let known = recorded_paths(recordings.into_values());
        assert!(!known.is_empty(), "{folder} holds no JSON");
        for (name, cassette) in cassettes(source) {
            let success = cassette.expect.as_ref().is_some_and(|expect| expect.error.is_none());
            for body in cassette.exchanges.iter().filter(|_| success).filter_map(json) {
                let excepted = |path: &str| exceptions.iter().any(|(known, _)| path.starts_with(known));
                // Some were recorded as one of several.
                let known = |path: &str| known.contains(path) || known.contains(&format!("[]{path}"));
                let invented = paths(&body).into_iter().filter(|path| !known(path) && !excepted(path));
                wrong.extend(invented.map(|path| format!("{source}, {name}: no recording has `{path}`")));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The body of an answer of status 200, if it is JSON.
fn json(exchange: &Exchange) -> Option<Value> {
    let response = exchange.outcome.as_ref().ok().filter(|response| response.status == 200)?;
    match &response.body {
        Content::Text(text) => serde_json::from_str(text).ok(),
        Content::Binary(_) => None,
    }
}

/// Of all that are JSON.
fn recorded_paths(files: impl Iterator<Item = PathBuf>) -> BTreeSet<String> {
    let bodies = files
        .filter(|file| file.extension().is_some_and(|extension| extension == "json"))
        .filter(|file| !file.to_str().unwrap().ends_with(".meta.json"))
        .filter_map(|file| serde_json::from_slice::<Value>(&fs::read(file).unwrap()).ok());
    bodies.flat_map(|body| paths(&body)).collect()
}

/// The path of each key; a number or an id stands for any, and an element of a list for all.
fn paths(body: &Value) -> BTreeSet<String> {
    fn walk(value: &Value, path: &str, paths: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                let ids = KEYED_BY_ID.iter().any(|name| path.ends_with(name));
                for (name, value) in fields {
                    let name = if ids || name.parse::<f64>().is_ok() { "*" } else { name };
                    let path = format!("{path}.{name}");
                    walk(value, &path, paths);
                    paths.insert(path);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| walk(value, &format!("{path}[]"), paths)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    walk(body, "", &mut found);
    found
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
