//! The command line, as a person or a script uses it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use pixcrawler::auth::{Auth, issuer::Issuer};
use rustix::process::{Pid, Signal, kill_process};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::support::{
    postgres::{DataDir, TestDatabase, data_dir, database, empty_database},
    site::{ORIGIN, PATIENCE, Reply, Site, enlarged, hashes, page, picture},
};

mod author;
mod crawl;
mod datasets;
mod jobs;
mod plugins;
mod warnings;

/// Where commands are run: a folder, a database and a web site of their own.
struct Shell {
    folder: DataDir,
    database: TestDatabase,
    mapping: Option<String>,
}

/// A command that has ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Shell {
    async fn new() -> Self {
        Self { folder: data_dir(), database: database().await, mapping: None }
    }

    /// Every origin is `site`.
    async fn on(site: &Site) -> Self {
        Self { mapping: Some(site.mapping()), ..Self::new().await }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = pixcrawler(arguments);
        command
            .current_dir(self.folder.path())
            .env("DATABASE_URL", self.database.url.expose_secret())
            .env("PIXCRAWLER_DATA_DIR", self.folder.of_host())
            .env("PIXCRAWLER_CONTACT", "tests@example.org")
            .env("PIXCRAWLER_PER_HOST", "64")
            .env("PIXCRAWLER_PER_HOST_RATE", "10000")
            .envs(self.mapping.as_ref().map(|mapping| ("PIXCRAWLER_MAP_ORIGIN", mapping)));
        command
    }

    async fn run(&self, arguments: &[&str]) -> Ended {
        ended(self.command(arguments)).await
    }
}

impl Ended {
    /// The same, if it has this exit code.
    fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    fn says(&self, parts: &[&str]) -> &Self {
        for part in parts {
            assert!(self.stderr.contains(part), "`{part}` is missing: {self:#?}");
        }
        self
    }
}

fn pixcrawler(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pixcrawler"));
    command
        .args(arguments)
        .env("COLUMNS", "100")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn ended(mut command: Command) -> Ended {
    let output = tokio::time::timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    Ended {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[tokio::test]
async fn every_command_explains_itself() {
    let mut text = String::new();
    for arguments in [
        "-h",
        "demo -h",
        "crawl -h",
        "serve -h",
        "worker -h",
        "jobs -h",
        "jobs list -h",
        "jobs show -h",
        "jobs refused -h",
        "jobs cancel -h",
        "jobs retry -h",
        "jobs delete -h",
        "dataset -h",
        "dataset list -h",
        "dataset show -h",
        "dataset measure -h",
        "dataset dedupe -h",
        "dataset export -h",
        "dataset check -h",
        "dataset report -h",
        "token -h",
        "keys -h",
        "keys rotate -h",
        "plugin -h",
        "plugin new -h",
        "plugin build -h",
        "plugin list -h",
        "plugin install -h",
        "plugin enable -h",
        "plugin disable -h",
        "plugin rollback -h",
        "plugin remove -h",
        "plugin run -h",
        "plugin record -h",
        "plugin test -h",
        "plugin check -h",
        "plugin bench -h",
        "user -h",
        "user list -h",
        "user delete -h",
        "sweep -h",
        "objects -h",
        "objects copy -h",
        "backup -h",
        "restore -h",
        "migrate -h",
        "openapi -h",
        "doctor -h",
        "serve --help",
    ] {
        let arguments: Vec<&str> = arguments.split(' ').collect();
        let help = ended(pixcrawler(&arguments)).await.expect(0);
        text += &format!("$ pixcrawler {}\n{}\n", arguments.join(" "), help.stdout);
    }
    insta::with_settings!({ snapshot_path => "snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("help", text);
    });
}

#[tokio::test]
async fn wrong_usage_ends_with_two() {
    let check = async |arguments: &[&str], expect: &str| {
        ended(pixcrawler(arguments)).await.expect(2).says(&[expect]);
    };
    check(&["fly"], "unrecognized subcommand").await;
    check(&["http://example.org/"], "tip: to crawl an address: pixcrawler crawl http://example.org/").await;
    check(&["crawl"], "<KEYWORD|ADDRESS>...").await;
    check(&["crawl", ""], "it is empty; give what to look for, or an address").await;
    check(&["crawl", "--url", " "], "it is empty").await;
    check(&["crawl", "lion", "--label", "lion"], "expected INPUT=NAME").await;
    check(&["crawl", "lion", "--max", "0"], "0 is not in 1..=100000").await;
    check(&["crawl", "lion", "--min-size", "big"], "such as 640x480").await;
    check(&["crawl", "lion", "--format", "bmp"], "must be one of: jpeg, png, gif, webp").await;
    check(&["crawl", "lion", "--option", "a=b"], "expected SOURCE.NAME=VALUE").await;
    check(&["token", "--email", "ann@example.org", "--ttl", "1y"], "not a unit of time").await;
}

/// Settings of the environment are no arguments: what is missing is seen all the same, and no usage has one.
#[tokio::test]
async fn a_setting_of_the_environment_is_no_argument() {
    let run = async |arguments: &[&str]| {
        let mut command = pixcrawler(arguments);
        command.envs([
            ("HOST", "127.0.0.1"),
            ("PORT", "8000"),
            ("DATABASE_URL", "postgres://canary@127.0.0.1:1/x"),
            ("PIXCRAWLER_DATA_DIR", "/nowhere"),
            ("PIXCRAWLER_SLOTS", "2"),
        ]);
        ended(command).await
    };
    let help = run(&[]).await.expect(0);
    assert!(
        help.stdout.contains("Usage: pixcrawler [OPTIONS] <COMMAND>") && help.stderr.is_empty(),
        "{help:#?}"
    );
    let help = run(&["plugin"]).await.expect(0).stdout;
    assert!(
        help.contains("Usage: pixcrawler plugin [OPTIONS] <COMMAND>") && help.contains("install"),
        "{help}"
    );
    for (arguments, usage) in [
        ("crawl", "pixcrawler crawl [OPTIONS] <KEYWORD|[NAME=]ADDRESS>..."),
        ("crawl lion --fly", "pixcrawler crawl [OPTIONS] --url <[NAME=]ADDRESS>..."),
        ("token", "pixcrawler token [OPTIONS] --email <ADDRESS>"),
        ("plugin new", "pixcrawler plugin new [OPTIONS] <"),
        ("plugin install", "pixcrawler plugin install [OPTIONS] <"),
        ("plugin enable", "pixcrawler plugin enable [OPTIONS] <ID>"),
        ("plugin disable", "pixcrawler plugin disable [OPTIONS] <ID>"),
        ("plugin remove", "pixcrawler plugin remove [OPTIONS] <ID>"),
        ("plugin run", "pixcrawler plugin run [OPTIONS] <SOURCE> <QUERY>"),
        ("plugin record --fly", "pixcrawler plugin record [OPTIONS] "),
        ("serve --fly", "pixcrawler serve [OPTIONS]"),
        ("doctor --fly", "pixcrawler doctor [OPTIONS]"),
        ("fly", "pixcrawler [OPTIONS] <COMMAND>"),
    ] {
        let said = run(&arguments.split(' ').collect::<Vec<_>>()).await.expect(2).stderr;
        let (_, said) = said.split_once("Usage: ").unwrap_or_else(|| panic!("{arguments}: {said}"));
        assert!(said.contains(usage), "{arguments}: {said}");
        for setting in ["--host", "--port", "--data", "--slots", "canary"] {
            assert!(!said.contains(setting), "{arguments}: {said}");
        }
    }
}

#[tokio::test]
async fn the_document_needs_nothing() {
    let document = ended(pixcrawler(&["openapi"])).await.expect(0);
    assert_eq!(document.stdout.trim(), pixcrawler::api::document().trim());
    assert_eq!(document.stderr, "");
}

#[tokio::test]
async fn tokens_are_those_of_the_api() {
    let folder = data_dir();
    let data = folder.path().join("data");
    let token = async |arguments: &[&str], settings: &[(&str, &str)]| {
        let mut command = pixcrawler(&["token"]);
        command.args(arguments).env("PIXCRAWLER_DATA_DIR", &data).envs(settings.iter().copied());
        ended(command).await
    };
    let bare = token(&["--email", "Ann@example.org"], &[]).await.expect(0).stdout;
    let made = token(&["--email", "ann@example.org", "--ttl", "2h", "--json"], &[]).await.expect(0).json();

    let auth = Issuer::open(&data).map(Auth::local).unwrap();
    let caller = auth.verify(bare.trim()).await.unwrap();
    assert_eq!(caller.email.as_deref(), Some("ann@example.org"));
    assert_eq!(made["user"], json!(caller.user));
    let later = auth.verify(made["token"].as_str().unwrap()).await.unwrap();
    let apart = (later.expires - caller.expires).num_minutes();
    assert!((55..=65).contains(&apart), "{apart} minutes");

    let ttl = async |ttl: &str| token(&["--email", "ann@example.org", ttl], &[]).await.expect(2);
    ttl("--ttl=0").await.says(&["--ttl: a token must be valid for at least 1 s"]);
    ttl("--ttl=-5s").await.says(&["`-5s` is not a time"]);
    token(&["--email", "ann"], &[]).await.expect(2).says(&["--email", "`ann`"]);
    token(&["--email", "ann@example.org"], &[("SUPABASE_URL", "https://project.example")])
        .await
        .expect(1)
        .says(&["SUPABASE_URL is set", "sign in there"]);
}

#[tokio::test]
async fn sources_say_what_they_may_do() {
    let shell = Shell::new().await;
    let plugins = shell.path("plugins");
    fs::create_dir(&plugins).unwrap();
    fs::write(plugins.join("empty.wasm"), "").unwrap();
    // Another build of `webpage`: with an empty section that means nothing, it is no
    // longer the one that came with the binary.
    let bundled = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/plugins/webpage.wasm");
    let mut other = fs::read(&bundled)
        .unwrap_or_else(|error| panic!("{}: {error}; run `make plugins` first", bundled.display()));
    other.extend([0, 2, 1, b'x']);
    fs::write(plugins.join("webpage.wasm"), other).unwrap();

    let list =
        async |arguments: &[&str]| shell.run(&[&["plugin", "list"], arguments].concat()).await.expect(0);
    let find = |listed: &Value, id: &str| {
        let sources = listed["sources"].as_array().unwrap();
        sources.iter().find(|source| source["id"] == id).cloned().unwrap()
    };
    let listed = list(&["--json"]).await.json();
    let openverse = find(&listed, "openverse");
    assert_eq!((&openverse["status"], &openverse["bundled"]), (&json!("ready"), &json!(true)));
    assert_eq!((&openverse["input"], &openverse["granted"]), (&json!("keywords"), &json!(true)));
    assert!(openverse["hosts"].to_string().contains("openverse"), "{openverse}");

    let listed = list(&["--json", "--plugins-dir", "plugins"]).await.json();
    let webpage = find(&listed, "webpage");
    assert_eq!((&webpage["status"], &webpage["bundled"]), (&json!("ready"), &json!(true)));
    for (refused, name) in listed["refused"].as_array().unwrap().iter().zip(["empty", "webpage"]) {
        assert!(refused["name"].as_str().unwrap().ends_with(&format!("/{name}.wasm")), "{listed}");
        assert!(refused["reason"].as_str().unwrap().contains("not recorded"), "{listed}");
    }
    let text = list(&["--plugins-dir", "plugins"]).await.stdout;
    for part in ["openverse ", "pixcrawler plugin install ", "Left out: ", "* (web)"] {
        assert!(text.contains(part), "`{part}` is missing: {text}");
    }

    let granted = list(&["--json", "--plugins-dir", "plugins", "--grant", "webpage"]).await.json();
    let webpage = find(&granted, "webpage");
    assert_eq!((&webpage["status"], &webpage["bundled"]), (&json!("ready"), &json!(false)));

    // As the API judges: without what it requires no crawl of it is begun.
    let unavailable = find(&list(&["--json", "--grant", "pexels"]).await.json(), "pexels");
    assert_eq!(unavailable["status"], "unavailable", "{unavailable}");
    let reason = unavailable["reason"].as_str().unwrap();
    assert!(reason.starts_with("its credential `api` is not configured: "), "{reason}");
    let text = list(&["--grant", "pexels"]).await.stdout;
    let block = text.split("\npexels ").nth(1).unwrap().split("\n  about").next().unwrap();
    assert!(block.contains(", unavailable, ") && block.contains(reason), "{block}");
    assert!(!block.contains("health"), "{block}");
    let key = ["--json", "--grant", "pexels", "--credential", "pexels.api=canary"];
    assert_eq!(find(&list(&key).await.json(), "pexels")["status"], "ready");
    let doctor = shell.run(&["doctor", "--json", "--grant", "pexels"]).await.json();
    let told = finding(&doctor, "source pexels");
    assert_eq!((&told["verdict"], &told["detail"]), (&json!("note"), &json!(reason)));
}

#[tokio::test]
async fn tables_are_made_once() {
    let shell = Shell { database: empty_database().await, ..Shell::new().await };
    shell.run(&["migrate"]).await.expect(1).says(&["the database lacks what Supabase brings"]);
    pixcrawler::db::bootstrap(&shell.database.pool).await.unwrap();
    let doctor = shell.run(&["doctor", "--json"]).await.expect(0).json();
    assert_eq!(finding(&doctor, "migrations")["verdict"], "note", "{doctor}");

    let applied = shell.run(&["migrate", "--json"]).await.expect(0).json();
    assert_eq!(applied["applied"][0], json!({"version": 1, "description": "profiles"}));
    assert_eq!(shell.run(&["migrate"]).await.expect(0).stdout, "Everything is up to date.\n");
    let doctor = shell.run(&["doctor", "--json"]).await.expect(0).json();
    assert_eq!(finding(&doctor, "migrations")["verdict"], "ok", "{doctor}");
}

#[tokio::test]
async fn the_doctor_names_what_is_wrong() {
    let shell = Shell::new().await;
    let well = shell.run(&["doctor", "--port", "0"]).await.expect(0).stdout;
    for part in ["ok     database", "ok     notifications", "ok     source webpage", "ok     contact"] {
        assert!(well.contains(part), "`{part}` is missing: {well}");
    }
    let ill = shell
        .run(&["doctor", "--json", "--database-url", "postgres://canary:canary@127.0.0.1:1/x"])
        .await
        .expect(1)
        .json();
    assert_eq!(finding(&ill, "database")["verdict"], "wrong", "{ill}");
    assert!(!ill.to_string().contains("canary"), "{ill}");

    // Where nothing is yet, nothing is made.
    let nowhere = shell.path("none/yet");
    let mut doctor = shell.command(&["doctor", "--port", "0"]);
    doctor.env_remove("DATABASE_URL").env("PIXCRAWLER_DATA_DIR", &nowhere);
    let told = ended(doctor).await.expect(0).stdout;
    for part in [
        "note   data folder",
        "none/yet does not exist; `serve`",
        "note   database           there is none yet",
    ] {
        assert!(told.contains(part), "`{part}` is missing: {told}");
    }
    assert!(!shell.path("none").exists());
}

#[tokio::test]
async fn a_postgres_of_ones_own_is_prepared_when_asked() {
    let database = empty_database().await;
    let folder = data_dir();
    let migrate = async |arguments: &[&str]| {
        let mut migrate = pixcrawler(&[&["migrate"], arguments].concat());
        migrate.env("DATABASE_URL", database.url.expose_secret());
        migrate.env("PIXCRAWLER_DATA_DIR", folder.path().join("data"));
        ended(migrate).await
    };
    migrate(&[]).await.expect(1).says(&["pixcrawler migrate --bootstrap", "set no DATABASE_URL"]);
    let applied = migrate(&["--bootstrap"]).await.expect(0).stdout;
    assert!(applied.contains("Applied 0001 "), "{applied}");
    let again = migrate(&["--bootstrap"]).await.expect(0).stdout;
    assert!(again.contains("Everything is up to date."), "{again}");

    let others = empty_database().await;
    sqlx::raw_sql("create schema auth; create table auth.users (name text)")
        .execute(&others.pool)
        .await
        .unwrap();
    let mut refused = pixcrawler(&["migrate", "--bootstrap"]);
    refused
        .env("DATABASE_URL", others.url.expose_secret())
        .env("PIXCRAWLER_DATA_DIR", folder.path().join("data"));
    ended(refused).await.expect(1).says(&["a schema `auth` that is neither Supabase's nor made here"]);
}

#[tokio::test]
async fn a_project_is_an_origin_with_a_database() {
    let folder = data_dir();
    let data = folder.path().join("data");
    let serve = async |project: &str, more: &[(&str, &str)]| {
        let mut serve = pixcrawler(&["serve", "--port", "0", "--data-dir", data.to_str().unwrap()]);
        serve.env("SUPABASE_URL", project).envs(more.iter().copied());
        ended(serve).await.expect(2)
    };
    let alone = serve("https://project.example", &[]).await;
    alone.says(&["SUPABASE_URL needs DATABASE_URL", "session endpoint"]);
    assert!(!data.exists(), "no private database was made for it");
    let database = database().await;
    let url = database.url.expose_secret();
    for project in
        ["https://project.example/rest/v1", "https://project.example/?apikey=x", "https://me@project.example"]
    {
        serve(project, &[("DATABASE_URL", url)])
            .await
            .says(&["SUPABASE_URL is the origin of a project alone"]);
    }
}

fn finding<'a>(doctor: &'a Value, check: &str) -> &'a Value {
    doctor["checks"].as_array().unwrap().iter().find(|finding| finding["check"] == check).unwrap()
}

/// A command that cannot go on leaves no server behind: the next one would wonder whose it is.
#[tokio::test]
async fn a_host_that_cannot_start_stops_its_postgres() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = data_dir();
    let data = folder.path().join("data");
    let mut serve = pixcrawler(&["serve", "--port", &port, "--data-dir", data.to_str().unwrap()]);
    serve.current_dir(folder.path());
    let failed = ended(serve).await.expect(1);
    failed.says(&["cannot listen on", "--port"]);
    assert!(data.join("postgres/PG_VERSION").exists());
    assert!(!data.join("postgres/postmaster.pid").exists(), "{failed:#?}");
}

#[tokio::test]
async fn the_demo_finds_what_it_planted_and_leaves_other_files_alone() {
    let folder = data_dir();
    let out = folder.path().join("out");
    fs::create_dir(&out).unwrap();
    fs::write(out.join("thesis.txt"), "important").unwrap();
    let jobs = async || {
        let mut jobs = pixcrawler(&["jobs", "list", "--all-users", "--json", "--data-dir", "data/demo"]);
        jobs.current_dir(folder.path());
        ended(jobs).await.expect(0).json()
    };
    assert_eq!(jobs().await, json!({"jobs": []}));
    assert!(!folder.path().join("data").exists(), "a database was made to list no jobs");
    let mut demo = pixcrawler(&["demo", "--out", "out", "--data-dir", "data"]);
    demo.current_dir(folder.path());
    let done = ended(demo).await.expect(0);
    assert!(done.stdout.contains("refused: truncated") && !done.stdout.contains("differs"), "{done:#?}");
    assert_eq!(fs::read_to_string(out.join("thesis.txt")).unwrap(), "important");
    assert!(out.join("contact-sheet.png").exists());
    let listed = fs::read_to_string(out.join("metadata.jsonl")).unwrap();
    assert_eq!(listed.lines().count(), 38);
    assert_eq!(jobs().await["jobs"][0]["kept"], 38);
    let alike = done.stdout.lines().find(|line| line.starts_with("that only looks alike")).unwrap();
    assert_eq!(alike.split_whitespace().skip(4).collect::<Vec<_>>(), ["4", "4"], "{done:#?}");
    let report = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(report.matches("<img ").count() >= 38 + 2 && report.ends_with("</html>\n"));
    assert!(!folder.path().join("data/demo/postgres/postmaster.pid").exists(), "a database was left running");
}
