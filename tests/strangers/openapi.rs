//! Judges of the API: a client that is generated from its document, `EventSource`, a browser, and a fuzzer.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use super::{run, text, tools};
use crate::support::{
    database,
    origin::{Origin, reply},
    postgres::execute,
    process::System,
    site::{ORIGIN, PATIENCE, Site},
};

/// A client in Node or a browser that follows a job.
struct Follower {
    child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Follower {
    /// Gives also the origin of its page, if it has one.
    async fn start(arguments: &[&str]) -> (Self, Value) {
        let mut child = Command::new("node")
            .arg("events.mjs")
            .args(arguments)
            .current_dir(tools())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut follower = Self { child, input, output: BufReader::new(output).lines() };
        let ready = follower.seen("ready").await;
        (follower, ready["origin"].clone())
    }

    async fn tell(&mut self, what: Value) {
        self.input.write_all(format!("{what}\n").as_bytes()).await.unwrap();
    }

    async fn next(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.output.next_line()).await;
        let line = line.expect("nothing was seen in time").unwrap();
        serde_json::from_str(&line.expect("it ended")).unwrap()
    }

    /// What is seen next must be this.
    async fn seen(&mut self, what: &str) -> Value {
        let next = self.next().await;
        assert_eq!(next["seen"], what, "{next}");
        next
    }

    /// The end of what it says, which comes when it is told no more.
    async fn end(mut self) {
        drop(self.input);
        assert_eq!(self.output.next_line().await.unwrap(), None);
        assert!(self.child.wait().await.unwrap().success());
    }
}

/// The operations of the document, as `GET /api/v1/health`.
fn operations() -> Vec<String> {
    let document: Value = serde_json::from_str(&pixcrawler::api::document()).unwrap();
    let paths = document["paths"].as_object().unwrap().iter();
    let operations = paths.flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().keys();
        methods.map(move |method| format!("{} {path}", method.to_uppercase()))
    });
    let mut operations: Vec<_> = operations.collect();
    operations.sort_unstable();
    operations
}

/// A client that others' tool makes of the document compiles, strictly, with code that calls every operation,
/// and what it gets is as its types say.
#[tokio::test]
async fn a_generated_client_drives_the_whole_api() {
    let folder = tools();
    std::fs::write(folder.join("openapi.json"), pixcrawler::api::document()).unwrap();
    let generated = run("openapi-typescript", &["openapi.json", "--output", "api.d.ts"], &folder).await;
    assert!(generated.status.success(), "{}", text(&generated));
    let checked = run("tsc", &["--project", "tsconfig.client.json"], &folder).await;
    assert!(checked.status.success(), "{}", text(&checked));

    let site = Site::start().await;
    site.gallery("/foxes", 3, None);
    site.hold(&site.gallery("/held", 3, None));
    let system = System::with(&site, database().await, &[("PIXCRAWLER_CREDITS_PER_IMAGE", "1")]).await;
    let _worker = system.worker(&[]).await;
    // With it comes the account of credits, of which the jobs may cost more than a new one has.
    system.get("/api/v1/auth/me").await.expect(200);
    execute(&system.pool, "update credit_accounts set current_balance = 1000000").await;
    let base = format!("http://{}", system.door().address());
    let galleries = ["/foxes", "/held"].map(|path| format!("{ORIGIN}{path}"));
    let mut node = Command::new("node");
    let node = node.args(["built/client.js", &base, system.token()]).args(galleries).current_dir(&folder);
    let driven = node.output().await.unwrap();
    assert!(driven.status.success(), "{}", text(&driven));
    let mut called: Vec<String> = serde_json::from_slice(&driven.stdout).unwrap();
    called.sort_unstable();
    assert_eq!(called, operations(), "tests/strangers/client.ts calls each operation of the document");
}

/// The end of a job that was followed while its server was away.
async fn follow_through_a_restart(system: &System, follower: &mut Follower, settings: &[(&str, &str)]) {
    let server = system.server(&[&[("PIXCRAWLER_SLOTS", "0")], settings].concat()).await;
    let address = server.address();
    let job = system.create(&["/gallery"], 5).await;
    let shown = system.job(job).await;
    let url = format!("http://{address}{}", shown["events_url"].as_str().unwrap());
    follower.tell(json!({ "what": "follow", "url": url })).await;
    follower.seen("open").await;
    let snapshot = follower.seen("job").await;
    assert_eq!(
        (&snapshot["status"], snapshot["id"].as_str()),
        (&json!("pending"), Some(&*shown["revision"].to_string()))
    );

    server.kill().await;
    follower.seen("lost").await;
    // Another server knows nothing of it, and cancels the job meanwhile.
    let over = system.tell(job, "cancel").await;
    let port = address.port().to_string();
    let _server = system.server(&[&[("PIXCRAWLER_SLOTS", "0"), ("PORT", &port)], settings].concat()).await;
    // It may have tried in vain meanwhile.
    let mut next = follower.next().await;
    while next["seen"] == "lost" {
        next = follower.next().await;
    }
    assert_eq!(next["seen"], "open", "{next}");
    let last = follower.seen("job").await;
    assert_eq!(
        (&last["status"], last["id"].as_str()),
        (&json!("cancelled"), Some(&*over["revision"].to_string()))
    );
    // The stream ends with the job. It comes back with the last revision, and is told that there is no more.
    follower.seen("lost").await;
    follower.seen("closed").await;
}

/// `EventSource` in Node.
#[tokio::test]
async fn event_source_follows_through_a_restart() {
    let system = System::start(&Site::start().await).await;
    let (mut follower, _) = Follower::start(&["node"]).await;
    follow_through_a_restart(&system, &mut follower, &[]).await;
    follower.end().await;
}

/// A page of an origin that is allowed follows a job, shows its picture by the signed link and asks with a
/// token; one that is not allowed sees nothing.
#[tokio::test]
async fn a_browser_follows_and_shows() {
    let site = Site::start().await;
    site.gallery("/shown", 1, None);
    let system = System::start(&site).await;
    let (mut follower, origin) = Follower::start(&["browser", browser().to_str().unwrap()]).await;
    let allowed = [("ALLOWED_ORIGINS", origin.as_str().unwrap())];
    follow_through_a_restart(&system, &mut follower, &allowed).await;

    let server = system.server(&allowed).await;
    let job = system.create(&["/shown"], 1).await;
    let done = system.until_status(job, "completed").await;
    let images =
        system.get(&format!("/api/v1/crawl-jobs/{job}/images?verdict=kept")).await.expect(200).json();
    let base = format!("http://{}", server.address());
    let url = format!("{base}{}", images["items"][0]["url"].as_str().unwrap());
    follower.tell(json!({ "what": "show", "url": url })).await;
    let picture = follower.seen("picture").await;
    assert_eq!((&picture["width"], &picture["height"]), (&json!(16), &json!(16)));
    let forged = url.replace("expires=", "expires=9");
    follower.tell(json!({ "what": "show", "url": forged })).await;
    follower.seen("no picture").await;

    let jobs = format!("{base}/api/v1/crawl-jobs");
    follower.tell(json!({ "what": "fetch", "url": jobs, "token": system.token() })).await;
    let answer = follower.seen("answer").await;
    assert_eq!((&answer["status"], &answer["has_id"]), (&json!(200), &json!(true)));

    let events = format!("{base}{}", done["events_url"].as_str().unwrap());
    follower.tell(json!({ "what": "follow-from-elsewhere", "url": events })).await;
    follower.seen("closed").await;
    follower.end().await;
}

/// schemathesis makes up requests, right ones and wrong ones, and holds the answers against the document. What
/// is asked of the internet is answered here, and no worker crawls but for a job that is there before.
#[tokio::test]
async fn the_api_is_fuzzed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let schemathesis = root.join("target/tools/strangers/python/bin/schemathesis");
    assert!(schemathesis.exists(), "run `make fuzz-api`, which fetches schemathesis");
    let empty = json!({ "result_count": 0, "page_count": 0, "page": 1, "results": [] }).to_string();
    let internet = Origin::start(move |_| reply("application/json", empty.clone())).await;
    let mapping = format!("*={}", internet.base());
    let log = "info,pixcrawler::api::middleware=warn";
    let settings = [("PIXCRAWLER_MAP_ORIGIN", &*mapping), ("PIXCRAWLER_LOG", log)];
    let site = Site::start().await;
    site.gallery("/foxes", 3, None);
    let system = System::with(&site, database().await, &settings).await;
    let worker = system.worker(&[("PIXCRAWLER_MAP_ORIGIN", &site.mapping())]).await;
    // The first is deleted soon.
    for _ in 0..2 {
        system.crawl(&["/foxes"], 3).await;
    }
    worker.kill().await;
    let folder = tempfile::tempdir().unwrap();
    let user = |name: &str| {
        let token = format!("Bearer {}", system.token_of(&format!("{name}@example.org")));
        json!({ "name": name, "fixedHeaders": [{ "name": "Authorization", "value": token }] })
    };
    let users = folder.path().join("users.json");
    std::fs::write(&users, json!({ "auth": [user("ann"), user("bob")] }).to_string()).unwrap();
    let base = format!("http://{}", system.door().address());
    let fuzzed = Command::new(schemathesis)
        .arg("--config-file")
        .arg(root.join("tests/strangers/schemathesis.toml"))
        .args(["run", &format!("{base}/openapi.json"), "--no-color"])
        .current_dir(&folder)
        .env("FUZZ_HOOKS", root.join("tests/strangers/fuzz.py"))
        .env("FUZZ_USERS", &users)
        .status()
        .await
        .unwrap();
    assert!(fuzzed.success(), "the API and its document differ");
    let log = system.door().log();
    assert!(!log.contains(r#""level":"ERROR""#), "{log}");
}

/// Chromium, by the names that it has.
#[expect(clippy::disallowed_methods, reason = "where programs are")]
pub(crate) fn browser() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut places = std::env::split_paths(&path).flat_map(|folder| names.map(|name| folder.join(name)));
    places
        .find(|place| place.exists())
        .expect("no Chromium: run `make strangers`, which installs it where it can")
}
