//! What an author does: begins a project, builds it, replays its cassette; in each language.
//!
//! The compilers of JavaScript and Python are those that `make examples` installed.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    postgres::database,
    process::System,
    site::{Reply, Site},
};

/// Languages, and where a project expects what `make examples` installed for them.
const LANGUAGES: [(&str, Option<(&str, &str)>); 3] = [
    ("rust", None),
    ("js", Some(("tools/js/node_modules", "node_modules"))),
    ("python", Some(("tools/python", ".venv"))),
];

/// A folder for projects. Compiled components are kept in it, and thrown away with it.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, program: &str, arguments: &[&str], place: &str) -> Command {
        let mut command = Command::new(program);
        command
            .args(arguments)
            .current_dir(self.path(place))
            .env("PIXCRAWLER_DATA_DIR", self.path("data"))
            // The versions of the workspace are there already, compiled with the same profile.
            .env("CARGO_TARGET_DIR", target())
            .env("CARGO_NET_OFFLINE", "true");
        command
    }

    fn pixcrawler(&self, arguments: &[&str], place: &str) -> Command {
        self.command(env!("CARGO_BIN_EXE_pixcrawler"), arguments, place)
    }

    /// A project with the tools that its author would have installed.
    fn project(&self, name: &str, language: &str) {
        ended(self.pixcrawler(&["plugin", "new", name, "--lang", language], ""), true);
        fs::copy(target().join("../Cargo.lock"), self.path(name).join("Cargo.lock")).unwrap();
        let tools = LANGUAGES.iter().find(|(known, _)| *known == language).and_then(|(_, tools)| *tools);
        if let Some((installed, expected)) = tools {
            let installed = target().join(installed);
            assert!(installed.exists(), "{} is missing; run `make examples` first", installed.display());
            symlink(installed, self.path(name).join(expected)).unwrap();
        }
    }
}

/// What it said, standard error last.
fn ended(mut command: Command, success: bool) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let said = String::from_utf8([stdout, stderr].concat()).unwrap();
    assert_eq!(status.success(), success, "{command:?}: {said}");
    said
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../target").canonicalize().unwrap()
}

#[test]
fn a_new_project_builds_and_replays() {
    let desk = Desk::new();
    for (language, _) in LANGUAGES {
        let name = format!("red-fox-{language}");
        desk.project(&name, language);
        let built = ended(desk.pixcrawler(&["plugin", "build", "--debug"], &name), true);
        assert!(built.contains(&format!("Built dist/{name}.wasm, ")), "{built}");
        let replayed = ended(desk.pixcrawler(&["plugin", "test", "."], &name), true);
        assert!(replayed.contains("1 passed, 0 failed"), "{replayed}");
        // Compiled anew, with fuel: once is enough for the largest.
        if language != "python" {
            let checked = ended(desk.pixcrawler(&["plugin", "check", "."], &name), true);
            assert!(checked.ends_with("Sound.\n"), "{checked}");
        }
        let readme = fs::read_to_string(desk.path(&name).join("README.md")).unwrap();
        assert!(readme.starts_with(&format!("# Red fox {language}\n")), "{readme}");
    }
    ended(desk.command("node", &["--test"], "red-fox-js"), true);
    ended(desk.command("python3", &["-m", "unittest"], "red-fox-python"), true);
}

/// The guide's source for a list with a request for each result, in that language.
fn recipe(language: &str, id: &str) -> String {
    let guide = include_str!("../plugins/README.md");
    let (_, recipe) = guide.split_once("\n### A request for each result\n").unwrap();
    let (_, code) = recipe.split_once(&format!("\n```{language}\n")).unwrap();
    code.split_once("\n```\n").unwrap().0.replace("my-source", id) + "\n"
}

/// A cassette of that source, up to the end of the first page or of the second.
fn cassette(id: &str, query: &str, pages: usize) -> String {
    let thing = |id: &str, more: &str| {
        let file = format!("https://img.example.org/{id}.jpg");
        let exchange = format!(
            "[[exchange]]\nurl = \"https://api.example.org/photos/{id}\"\nkey = \"{id}\"\nitem = \"{id}\"\n\
             [exchange.answer]\ntext = '{{\"file\": \"{file}\", \"author\": \"Ada Fuchs\"}}'\n"
        );
        (exchange, format!("[[expect.candidate]]\nurl = \"{file}\"\nid = \"{id}\"\n{more}"))
    };
    let list = |number: usize, ids: &[&str]| {
        let things: Vec<String> = ids.iter().map(|id| format!("{{\"id\": {id}}}")).collect();
        format!(
            "[[exchange]]\nurl = \"https://api.example.org/search?q=red%20fox&page={number}\"\nkeep = true\n\
             [exchange.answer]\ntext = '{{\"results\": [{}], \"pages\": 2}}'\n",
            things.join(", ")
        )
    };
    let creator = "creator = \"Ada Fuchs\"\n";
    let (mut exchanges, mut candidates) = (String::new(), String::new());
    for (number, ids) in (1..=pages).zip([&["17", "18"][..], &["19"]]) {
        exchanges += &list(number, ids);
        for (exchange, candidate) in ids.iter().map(|id| thing(id, creator)) {
            exchanges += &exchange;
            candidates += &candidate;
        }
    }
    format!("source = \"{id}\"\n[query]\ntext = \"{query}\"\n{exchanges}[expect]\n{candidates}")
}

/// Answers as the API of the guide's recipe, on the second page with these things.
fn api(site: &Site, second: &[u32]) {
    let list = |ids: &[u32]| {
        let things: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        [Reply::Json(json!({ "results": things, "pages": 2 }).to_string())]
    };
    site.on("/search?q=red%20fox&page=1", list(&[17, 18]));
    site.on("/search?q=red%20fox&page=2", list(second));
    for id in [17, 18, 19, 20] {
        let photo = json!({ "file": format!("https://img.example.org/{id}.jpg"), "author": "Ada Fuchs" });
        site.on(&format!("/photos/{id}"), [Reply::Json(photo.to_string())]);
        site.on(&format!("/{id}.jpg"), [Reply::Picture]);
    }
}

/// The same source in each language: on the same answers it gives the same, and a crawl that has some of
/// the things already asks only for the others, and waits for nothing.
#[tokio::test]
async fn a_request_for_each_result_is_made_alike_in_all_languages() {
    let desk = Desk::new();
    fs::create_dir(desk.path("plugins")).unwrap();
    let names = LANGUAGES.map(|(language, _)| format!("recipe-{language}"));
    for ((language, _), name) in LANGUAGES.iter().zip(&names) {
        desk.project(name, language);
        let place = match *language {
            "rust" => "src/lib.rs",
            "js" => "source.js",
            _ => "source.py",
        };
        fs::write(desk.path(name).join(place), recipe(language, name)).unwrap();
        fs::write(desk.path(name).join("cassettes/first-page.toml"), cassette(name, "red fox", 2)).unwrap();
        ended(desk.pixcrawler(&["plugin", "build"], name), true);
        let replayed = ended(desk.pixcrawler(&["plugin", "test", "."], name), true);
        assert!(replayed.contains("1 passed, 0 failed"), "{replayed}");
        let file = format!("{name}.wasm");
        fs::copy(desk.path(name).join("dist").join(&file), desk.path("plugins").join(&file)).unwrap();
    }

    let site = Site::start().await;
    let (plugins, cache, grant) = (desk.path("plugins"), desk.path("data/cache"), names.join(","));
    let settings = [
        ("PIXCRAWLER_PLUGINS", plugins.to_str().unwrap()),
        ("PIXCRAWLER_CACHE_DIR", cache.to_str().unwrap()),
        ("PIXCRAWLER_GRANT", grant.as_str()),
    ];
    // Compiled once, for all processes; the one in Python takes long.
    let mut list = desk.pixcrawler(&["plugin", "list"], "");
    list.envs(settings);
    ended(list, true);
    let system = System::with(&site, database().await, &settings).await;
    let _worker = system.worker(&[]).await;
    let job =
        |name: &str| json!({ "name": name, "keywords": ["red fox"], "sources": [name], "max_images": 100 });
    for (round, name) in (1..).zip(&names) {
        api(&site, &[19]);
        let first = system.create_job(&job(name)).await;
        let shown = system.until_status(first["id"].as_i64().unwrap(), "completed").await;
        assert_eq!((&shown["kept"], &shown["warnings"]), (&json!(3), &json!([])), "{name}: {shown:#}");

        api(&site, &[19, 20]);
        let mut again = job(name);
        again["dataset_id"] = first["dataset_id"].clone();
        let second = system.create_job(&again).await["id"].as_i64().unwrap();
        let shown = system.until_status(second, "completed").await;
        assert_eq!((&shown["kept"], &shown["warnings"]), (&json!(1), &json!([])), "{name}: {shown:#}");
        let asked = [17, 18, 19, 20].map(|id| site.requests(&format!("/photos/{id}")).len());
        assert_eq!(asked, [round; 4], "{name}");
    }
}

/// One in JavaScript that walks by hand, and what may go wrong with it where things are known.
#[test]
fn a_source_that_is_not_ready_for_what_is_known_does_not_pass() {
    let desk = Desk::new();
    desk.project("fox", "js");
    fs::remove_file(desk.path("fox/cassettes/first-page.toml")).unwrap();
    let source = r#"
import { Unavailable, api, candidate, get, machine } from "./sdk/pixcrawler.js";

const list = (fields) => get("https://api.example.org/search", { q: "red fox", page: 1 }, fields);
const thing = (id) => get(`https://api.example.org/photos/${id}`, {}, { key: id, item: id });

export const source = machine({
  info: { id: "fox", name: "Fox", version: "0.1.0", hosts: [api("api.example.org")] },
  start: () => ({ fetch: [list({ keep: true })], state: "list" }),
  resume(query, state, answers) {
    if (state === "list") {
      return { fetch: [thing("17"), thing("18")], state: "things" };
    }
    const candidates = [];
    for (const answer of answers) {
      if (answer.skipped && query.text === "passed over") continue;
      if (answer.skipped && query.text === "waited for") throw new Unavailable("not yet");
      if (answer.skipped && query.text === "begun anew") return { fetch: [list({ keep: true })], state: "list" };
      const photo = answer.response().json();
      candidates.push(candidate(photo.file, { id: answer.key, creator: photo.author }));
    }
    return { candidates };
  },
});
"#;
    fs::write(desk.path("fox/source.js"), source).unwrap();
    ended(desk.pixcrawler(&["plugin", "build"], "fox"), true);
    for (query, told) in [
        ("passed over", None),
        ("not looked at", Some("look at `skipped` of the answer before `response`")),
        ("waited for", Some("but: unavailable: the site is unavailable: not yet")),
        ("begun anew", Some("does not come to an end")),
    ] {
        fs::write(desk.path("fox/c.toml"), cassette("fox", query, 1)).unwrap();
        let said = ended(desk.pixcrawler(&["plugin", "test", ".", "c.toml"], "fox"), told.is_none());
        if let Some(told) = told {
            assert!(said.contains("every request with an `item` is answered `skipped`"), "{said}");
            assert!(said.contains(told), "{said}");
        }
    }
}

/// The twins are the same source in other languages.
#[test]
fn the_same_cassettes_give_identical_candidates() {
    let desk = Desk::new();
    let cassettes = target().join("../plugins/openverse/cassettes");
    for twin in ["openverse-js", "openverse-python"] {
        let component = target().join("examples").join(twin).join("dist/openverse.wasm");
        assert!(component.exists(), "{} is missing; run `make examples` first", component.display());
        let paths = [component.to_str().unwrap(), cassettes.to_str().unwrap()];
        let mut replay = desk.pixcrawler(&["plugin", "test", paths[0], paths[1]], "");
        // Compiling the one in Python takes long; it is the same until its sources change.
        replay.env("PIXCRAWLER_DATA_DIR", target().join("examples/data"));
        let replayed = ended(replay, true);
        assert!(replayed.contains(" 0 failed"), "{replayed}");
    }
}

#[test]
fn a_missing_tool_is_a_one_line_instruction() {
    let desk = Desk::new();
    fs::create_dir(desk.path("nothing")).unwrap();
    for (language, instruction) in [
        ("rust", "install Rust from https://rustup.rs"),
        ("js", "run `npm install` in the project"),
        ("python", ".venv/bin/pip install -r requirements.txt"),
    ] {
        ended(desk.pixcrawler(&["plugin", "new", "fox", "--lang", language, "--dir", language], ""), true);
        let mut build = desk.pixcrawler(&["plugin", "build"], language);
        build.env("PATH", desk.path("nothing"));
        let said = ended(build, false);
        assert!(said.contains(instruction), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}

#[test]
fn a_tool_says_where_the_mistake_is() {
    let desk = Desk::new();
    desk.project("fox", "js");
    fs::write(desk.path("fox/source.js"), "export const source = {\n  describe() { return 1 +; }\n};\n")
        .unwrap();
    let said = ended(desk.pixcrawler(&["plugin", "build"], "fox"), false);
    assert!(said.contains("source.js:2"), "{said}");
}

#[test]
fn a_panic_is_told_with_its_line() {
    let desk = Desk::new();
    desk.project("fox", "rust");
    let place = desk.path("fox/src/lib.rs");
    let text = fs::read_to_string(&place).unwrap();
    let line = 1 + text.lines().position(|line| line.contains("let page: Page = ")).unwrap();
    let text = text.replacen(
        "let page: Page = ",
        "if number > 0 { panic!(\"what now\") }\n        let page: Page = ",
        1,
    );
    fs::write(&place, text).unwrap();
    ended(desk.pixcrawler(&["plugin", "build", "--debug"], "fox"), true);
    let mut test = desk.pixcrawler(&["plugin", "test", "."], "fox");
    test.env("PIXCRAWLER_LOG", "off");
    let said = ended(test, false);
    assert!(said.contains("what now") && said.contains(&format!("src/lib.rs:{line}")), "{said}");
}

#[test]
fn a_misspelt_field_ends_the_build() {
    let desk = Desk::new();
    for (language, source, field) in
        [("js", "source.js", "`requestsPerMinute`"), ("python", "source.py", "'requests_per_minute'")]
    {
        desk.project(language, language);
        let place = desk.path(language).join(source);
        let text = fs::read_to_string(&place).unwrap();
        fs::write(&place, text.replacen("requests", "request", 1)).unwrap();
        let said = ended(desk.pixcrawler(&["plugin", "build"], language), false);
        let misspelt = field.replace("requests", "request");
        assert!(said.contains(&misspelt) && said.contains(&format!("id you mean {field}?")), "{said}");
    }
}

#[test]
fn what_cannot_be_begun_or_built_is_said() {
    let desk = Desk::new();
    let check = |arguments: &[&str], expect: &str| {
        let Output { status, stderr, .. } =
            desk.pixcrawler(&[&["plugin"], arguments].concat(), "").output().unwrap();
        let said = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(expect), "{said}");
    };
    check(&["new", "Fox"], "id `Fox` is not 1 to 64 lower-case letters");
    check(&["new", "5foxes"], "cannot begin with a digit or `-`");
    check(&["new", "fox", "--lang", "go"], "[possible values: rust, js, python]");
    fs::create_dir(desk.path("fox")).unwrap();
    check(&["build", "fox"], "begin a project with `pixcrawler plugin new`");
    fs::write(desk.path("fox/thesis.txt"), "important").unwrap();
    check(&["new", "fox"], "`fox` is not empty");
    fs::write(desk.path("fox/package.json"), r#"{"name": "@fox/fox"}"#).unwrap();
    check(&["build", "fox"], "the name in the manifest: id `@fox/fox` is not");
    assert_eq!(fs::read_dir(desk.path("fox")).unwrap().count(), 2);
}
