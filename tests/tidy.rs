//! What must not be there: the absences that keep the parts apart.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// A name that only these places may use. Places are paths below `host/src`, without `.rs`.
const ONLY_UNDER: [(&str, &[&str]); 9] = [
    ("poem", &["api"]),
    ("poem_openapi", &["api"]),
    ("graphile_worker", &["queue"]),
    ("wasmtime", &["sandbox"]),
    ("wasmtime_wasi", &["sandbox"]),
    ("reqwest", &["fetch", "store"]),
    ("hickory_resolver", &["fetch"]),
    ("object_store", &["store"]),
    // In `model` derives, in `queue` the wake-up and the look at the engine's table, in `postgres`
    // the question whether the server answers.
    ("sqlx", &["db", "model", "queue", "postgres"]),
];

/// What the domain, `consent`, `validate` and `derive`, which are pure, must not name.
const INPUT_AND_OUTPUT: [&str; 5] = ["std::fs", "std::net", "std::process", "tokio", "tracing"];
const PURE: [&str; 4] = ["model", "consent", "validate", "derive"];

/// Modules by level, lowest first. A module sees those of lower levels.
const LEVELS: [&[&str]; 10] = [
    &["model"],
    &["config", "error", "metrics", "atomic_write", "private", "subprocess", "consent"],
    &["sandbox", "fetch", "validate", "store", "db", "postgres", "queue", "auth"],
    &["plugins", "derive"],
    &["runner"],
    &["app"],
    &["services"],
    &["dataset"],
    &["api", "crawl"],
    &["cli"],
];

/// A Rust file.
struct File {
    /// Below the repository.
    path: String,
    text: String,
}

impl File {
    /// Lines with code, numbered; comments left out.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.text.lines().enumerate().map(|(index, line)| (index + 1, line));
        lines.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    /// Its place below `host/src`, such as `db/jobs`.
    fn place(&self) -> &str {
        self.path.trim_start_matches("host/src/").trim_end_matches(".rs")
    }

    /// The first part of its place.
    fn module(&self) -> &str {
        self.place().split('/').next().unwrap_or_default()
    }

    /// Whether it is this place or below it.
    fn is_under(&self, place: &str) -> bool {
        self.place().strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

#[test]
fn each_dependency_has_its_place() {
    let mut broken = Vec::new();
    for file in host() {
        for (number, line) in file.code() {
            for (name, places) in ONLY_UNDER {
                let belongs = places.iter().any(|place| file.is_under(place));
                if names(line, name) && !belongs {
                    broken.push(format!("{}:{number} names {name}, which is for {places:?}", file.path));
                }
            }
            if ["env::var", "env::temp_dir", "env::args"].iter().any(|read| line.contains(read))
                && file.place() != "config"
            {
                broken.push(format!("{}:{number} reads the environment, which is for config", file.path));
            }
            if file.is_under("model")
                && names(line, "sqlx")
                && !line.contains("sqlx::Type")
                && !line.contains("sqlx::FromRow")
                && !line.contains("#[sqlx(")
            {
                broken.push(format!("{}:{number} does more than derive", file.path));
            }
            if file.is_under("queue")
                && line.contains("sqlx::query")
                && !statement(&file.text, number).contains("pg_notify")
                && !statement(&file.text, number).contains("graphile_worker.")
            {
                broken.push(format!("{}:{number} reads or writes rows, which is for db", file.path));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// A line and what follows it up to the end of the statement.
fn statement(text: &str, number: usize) -> String {
    let lines = text.lines().skip(number - 1);
    let end = lines.clone().position(|line| line.ends_with(';')).unwrap_or_default();
    lines.take(end + 1).collect()
}

#[test]
fn the_domain_does_no_input_or_output() {
    let mut broken = Vec::new();
    for file in host().iter().filter(|file| PURE.iter().any(|place| file.is_under(place))) {
        for (number, line) in file.code() {
            for name in INPUT_AND_OUTPUT.iter().filter(|name| names(line, name)) {
                broken.push(format!("{}:{number} names {name}", file.path));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn dependencies_point_one_way() {
    let level = |module: &str| LEVELS.iter().position(|modules| modules.contains(&module));
    let mut broken = Vec::new();
    for file in host().iter().filter(|file| !matches!(file.place(), "lib" | "main")) {
        let Some(own) = level(file.module()) else {
            broken.push(format!("{} is on no level; give `{}` one here", file.path, file.module()));
            continue;
        };
        for seen in imports(&file.text) {
            // What is no module is an item at the root, and there are none.
            let other = level(&seen).unwrap_or(LEVELS.len());
            if seen != file.module() && other >= own {
                broken.push(format!("{} sees `{seen}`", file.path));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn lib_and_readme_know_the_levels() {
    let lib = fs::read_to_string(root().join("host/src/lib.rs")).unwrap();
    let levels: Vec<String> = LEVELS.iter().rev().map(|level| level.join(" ")).collect();
    assert!(
        lib.contains(&format!("//! {}", levels.join("\n//! "))),
        "lib.rs draws other levels: {levels:#?}"
    );
    let modules: BTreeSet<&str> = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")).collect();
    let modules: BTreeSet<&str> = modules.iter().map(|module| module.trim_end_matches(';')).collect();
    assert_eq!(modules, LEVELS.concat().into_iter().collect());

    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let named: Vec<&str> = rows.map(|(module, _)| module).filter(|name| modules.contains(name)).collect();
    assert_eq!(named.len(), modules.len(), "README.md has a row for each module: {named:?}");
    assert!(readme.contains(&levels.join("\n")), "README.md draws other levels");
}

#[test]
fn files_say_what_they_are_for() {
    let mut broken = Vec::new();
    for file in everywhere() {
        let path = &file.path;
        if !file.text.starts_with("//! ") {
            broken.push(format!("{path} does not open with its purpose"));
        }
        for (index, line) in file.text.lines().enumerate() {
            // Put together, so that this file may be looked at like all others.
            if [["TO", "DO"], ["FIX", "ME"], ["XX", "X:"]].iter().any(|note| line.contains(&note.concat())) {
                broken.push(format!("{path}:{} puts something off", index + 1));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn migrations_have_an_order() {
    let mut numbers = BTreeSet::new();
    for entry in fs::read_dir(root().join("migrations")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let (number, rest) = name.split_once('_').unwrap_or_default();
        let sound = number.len() == 4 && number.parse::<u16>().is_ok() && rest.ends_with(".sql");
        assert!(sound, "{name} is not NNNN_name.sql");
        assert!(numbers.insert(number.to_owned()), "{name}: its number is taken");
        let sql = fs::read_to_string(root().join("migrations").join(&name)).unwrap();
        assert!(sql.starts_with("-- "), "{name} does not open with its purpose");
    }
    assert!(!numbers.is_empty());
}

/// The modules below the crate that a file names: `crate::db::…`, `use crate::{api, db::…}`.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for rest in text.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            found.insert(identifier(rest));
            continue;
        };
        let (mut depth, mut starts) = (1, true);
        for (at, letter) in group.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => starts = true,
                letter if depth == 1 && starts && !letter.is_whitespace() => {
                    found.insert(identifier(&group[at..]));
                    starts = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    found
}

fn identifier(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

/// Whether the line has this path or name as a whole word of code.
fn names(line: &str, name: &str) -> bool {
    let is_part = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '"');
    line.match_indices(name).any(|(at, _)| {
        !line[..at].ends_with(is_part)
            && !line[at + name.len()..].starts_with(|letter| is_part(letter) || letter == '.')
    })
}

fn host() -> Vec<File> {
    rust_files("host/src")
}

fn everywhere() -> Vec<File> {
    ["host", "plugins", "tests"].into_iter().flat_map(rust_files).collect()
}

fn rust_files(folder: &str) -> Vec<File> {
    let (mut files, mut folders) = (Vec::new(), vec![root().join(folder)]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                files.push(File { path, text });
            }
        }
    }
    assert!(!files.is_empty(), "{folder} has no Rust files");
    files
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let modules = |text: &str| imports(text).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(
        modules("use crate::{\n    api,\n    db::{self, jobs::Job},\n    fetch::Fetcher,\n};"),
        "api db fetch"
    );
    assert_eq!(modules("fn f(x: crate::app::App) -> crate::job::Id"), "app job");
    assert!(names("use sqlx::query;", "sqlx") && names("#[derive(sqlx::Type)]", "sqlx"));
    assert!(!names("\"sqlx\"", "sqlx") && !names("let sqlx_like = 1;", "sqlx"));
    assert!(names("    tokio::spawn(x)", "tokio") && names("use std::fs;", "std::fs"));
}
