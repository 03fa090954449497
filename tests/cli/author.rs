//! `plugin`: the tools of who writes a source. None of them needs a database.

mod project;
mod same;

use super::*;
use crate::support::origin::{Asked, Origin, Reply, refusal, reply};

/// A secret, the token that it gives, and what else must not be in a cassette.
const SECRETS: [&str; 3] = ["canary-secret", "canary-token", "canary-cookie"];
const PAGES: [&str; 2] = [include_str!("../openverse/page-1.json"), include_str!("../openverse/page-2.json")];

/// A folder to work in. The data folder is shared: what is kept there is compiled code.
struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let file = self.path(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    async fn plugin(&self, arguments: &[&str]) -> Ended {
        ended(self.command(pixcrawler(&[&["plugin"], arguments].concat()))).await
    }

    fn command(&self, mut command: Command) -> Command {
        command
            .current_dir(self.folder.path())
            .env("PIXCRAWLER_DATA_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-data"))
            .env("PIXCRAWLER_CONTACT", "tests@example.org")
            .env("PIXCRAWLER_CREDENTIALS", "openverse.api=me:canary-secret")
            // None of this is a database.
            .env("DATABASE_URL", "postgres://127.0.0.1:1/none");
        command
    }
}

/// A built component below `target`.
fn built(name: &str) -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target").join(name);
    let file = file.canonicalize();
    file.unwrap_or_else(|error| panic!("{name}: {error}; run `make plugins guests` first"))
        .into_os_string()
        .into_string()
        .unwrap()
}

/// Openverse with two pages, which repeats what it should keep to itself.
fn openverse(asked: &Asked) -> Reply {
    if asked.url.contains("/auth_tokens/") {
        return reply("application/json", r#"{"access_token": "canary-token", "expires_in": 60}"#);
    }
    let page = if asked.url.contains("&page=2&") { PAGES[1] } else { PAGES[0] };
    let mut body: Value = serde_json::from_str(page).unwrap();
    body["echo"] = json!(format!("{:?}, me:canary-secret", asked.authorization));
    let mut answer = reply("application/json", serde_json::to_string_pretty(&body).unwrap());
    let headers = answer.headers_mut();
    headers.insert("set-cookie", "session=canary-cookie".parse().unwrap());
    headers.insert("x-served-by", "edge-1".parse().unwrap());
    headers.insert("x-ratelimit-limit", "20".parse().unwrap());
    answer
}

#[tokio::test]
async fn what_is_recorded_replays_without_secrets_and_without_a_network() {
    let (desk, component) = (Desk::new(), built("plugins/openverse.wasm"));
    let site = Origin::start(openverse).await;
    let mapping = site.mapping("https://api.openverse.org");
    let record = ["record", &component, "grey heron", "--max", "40", "-o", "c.toml", &mapping];
    let recorded = desk.plugin(&record).await.expect(0);
    assert!(recorded.stdout.starts_with("c.toml: 2 requests, 9 candidates, "), "{recorded:#?}");
    recorded.says(&["  1  200", " ms  GET https://api.openverse.org/v1/images/?q=grey%20heron&page=1&"]);
    drop(site);
    let cassette = desk.read("c.toml");
    for secret in SECRETS {
        assert!(!format!("{cassette}{recorded:?}").contains(secret), "{secret}: {cassette}");
    }
    assert!(cassette.contains("[secret]") && cassette.contains("credential = \"api\""), "{cassette}");
    assert!(!cassette.contains("x-served-by") && cassette.contains("x-ratelimit-limit"), "{cassette}");
    desk.plugin(&record).await.expect(2).says(&["c.toml is there already"]);

    let test = async |more: &[&str]| desk.plugin(&[&["test", &component, "c.toml"], more].concat()).await;
    let passed = test(&["--json"]).await.expect(0).json();
    assert_eq!((&passed["passed"], &passed["cassettes"][0]["candidates"]), (&json!(true), &json!(9)));

    // The second request is another.
    desk.write("c.toml", cassette.replace("&page=2&", "&page=3&"));
    let failed = test(&[]).await.expect(1).stdout;
    for part in ["FAILED  c.toml", "request 2 differs", "-url = ", "&page=3&", "+url = ", "&page=2&"] {
        assert!(failed.contains(part), "`{part}` is missing: {failed}");
    }
    // A request too many was recorded, or one too few.
    let (head, rest) = cassette.split_once("\n[[exchange]]").unwrap();
    let (exchanges, expect) = rest.split_once("\n[expect]").unwrap();
    let (one, two) = exchanges.split_once("\n[[exchange]]").unwrap();
    let with = |exchanges: &[&str]| {
        let exchanges = exchanges.iter().map(|exchange| format!("\n[[exchange]]{exchange}"));
        format!("{head}{}\n[expect]{expect}", exchanges.collect::<String>())
    };
    desk.write("c.toml", with(&[one, two, two]));
    let failed = test(&[]).await.expect(1).stdout;
    assert!(failed.contains("recorded requests 3 to 3 were not asked"), "{failed}");
    desk.write("c.toml", with(&[one]));
    let failed = test(&[]).await.expect(1).stdout;
    assert!(
        failed.contains("-end = \"done\"") && failed.contains("asks for what is not recorded"),
        "{failed}"
    );

    // What is expected is another; what comes out is taken for right.
    let wrong = cassette.replacen("title = \"Heron at the weir\"", "title = \"Duck\"", 1);
    assert_ne!(wrong, cassette);
    desk.write("c.toml", &wrong);
    let failed = test(&[]).await.expect(1).stdout;
    assert!(failed.contains("-title = \"Duck\"\n    +title = \"Heron at the weir\""), "{failed}");
    assert!(test(&["--update"]).await.expect(0).stdout.starts_with("updated c.toml"));
    assert_eq!(desk.read("c.toml"), cassette);
    test(&[]).await.expect(0);
}

#[tokio::test]
async fn a_recording_is_neither_lost_nor_taken_for_well() {
    let desk = Desk::new();
    let site = Origin::start(|asked| match asked.method.as_str() {
        "POST" => openverse(asked),
        _ => reply("application/json", r#"{"found": []}"#),
    })
    .await;
    let mapping = site.mapping("https://api.openverse.org");
    let record = async |file: &str| desk.plugin(&["record", "openverse", "fox", "-o", file, &mapping]).await;
    record("gone/c.toml").await.expect(1).says(&["cannot write gone/c.toml"]);
    desk.write("folder/README.md", "");
    desk.plugin(&["record", "openverse", "fox", "-o", "folder", "--force", &mapping]).await.expect(1);
    assert!(site.asked().is_empty(), "{:?}", site.asked());

    // As `run` ends, though it is written.
    let failed = record("c.toml").await.expect(1).stdout;
    assert!(failed.contains("layout-changed: "), "{failed}");
    let cassette = desk.read("c.toml");
    desk.plugin(&["test", &built("plugins/openverse.wasm"), "c.toml"]).await.expect(0);
    assert_eq!(fs::read_dir(desk.path("")).unwrap().count(), 2);

    // What came of it is told where nothing is expected, too.
    let (asked, _) = cassette.split_once("[expect]").unwrap();
    let more = asked.split_once("[[exchange]]").unwrap().1;
    desk.write("c.toml", format!("{asked}[[exchange]]{more}"));
    let failed = desk.plugin(&["test", &built("plugins/openverse.wasm"), "c.toml"]).await.expect(1).stdout;
    let told =
        ["it has no [expect]", "the source ends with layout-changed: ", "requests 2 to 2 were not asked"];
    assert!(told.iter().all(|part| failed.contains(part)), "{failed}");
}

#[tokio::test]
async fn a_run_shows_what_a_crawl_would_do() {
    let desk = Desk::new();
    let site = Origin::start(openverse).await;
    let mapping = site.mapping("https://api.openverse.org");
    let run = async |more: &[&str]| {
        desk.plugin(&[&["run", "openverse", "grey heron", &mapping], more].concat()).await
    };

    let dry = run(&["--dry-run", "--option", "license=cc0"]).await.expect(0).stdout;
    assert!(dry.contains("url = \"https://api.openverse.org/v1/images/?q=grey%20heron&page=1&"), "{dry}");
    assert!(dry.contains("&license=cc0\"") && site.asked().is_empty(), "{dry}");

    // Nobody is asked, so nobody need know whom to write to.
    let mut quiet = desk.command(pixcrawler(&["plugin", "run", "openverse", "fox", "--dry-run"]));
    quiet.env_remove("PIXCRAWLER_CONTACT");
    assert_eq!(ended(quiet).await.expect(0).stderr, "");

    let found = run(&["--max", "3", "--json"]).await.expect(0).json();
    assert_eq!((found["candidates"].as_array().unwrap().len(), &found["requests"]), (3, &json!(1)));
    assert_eq!((&found["end"], &found["query"]["limit"]), (&json!("open"), &json!(3)));
    let first = &found["candidates"][0];
    assert_eq!((&first["license"]["id"], &first["dimensions"]["width"]), (&json!("cc-by-4.0"), &json!(1024)));
    let table = run(&[]).await.expect(0);
    assert!(table.stdout.starts_with("1  1024x683  cc-by-4.0"), "{table:#?}");
    assert!(table.stdout.contains("9 candidates in 3 steps, 2 requests, "), "{table:#?}");
    assert!(!SECRETS.iter().any(|secret| format!("{table:?}").contains(secret)), "{table:#?}");

    run(&["--option", "licence=cc0"])
        .await
        .expect(2)
        .says(&["--option licence is not an option (did you mean `license`?)", "`license` (some of: "]);
    run(&["--option", "license=mit"]).await.expect(2).says(&["--option license must be some of: by, "]);
    desk.plugin(&["run", "nothing", "fox"]).await.expect(2).says(&["neither a file nor an installed source"]);
    desk.plugin(&["run", "reddit", "fox"]).await.expect(2).says(&["--credential reddit."]);
}

#[tokio::test]
async fn a_run_names_what_holds_it_up() {
    let desk = Desk::new();
    let site = Origin::start(|asked| {
        if !asked.url.contains("busy") {
            return if asked.method == "POST" {
                openverse(asked)
            } else {
                reply("text/html", "<img src=/a.jpg>")
            };
        }
        let mut busy = refusal(429, &Value::Null);
        busy.headers_mut().insert("retry-after", "3600".parse().unwrap());
        busy
    })
    .await;
    let mapping = site.mapping("*");
    let run = async |component: &str, query: &str| desk.plugin(&["run", component, query, &mapping]).await;

    let busy = run(&built("plugins/openverse.wasm"), "busy").await.expect(1);
    assert!(busy.stdout.contains("asks to come back in 3600 s"), "{busy:#?}");

    // A file that asks any host needs a grant by name; the bundled component has it.
    run(&built("plugins/webpage.wasm"), "https://site.example/").await.expect(0);
    let mut other = fs::read(built("plugins/webpage.wasm")).unwrap();
    other.extend([0, 2, 1, b'x']);
    desk.write("webpage.wasm", other);
    run("./webpage.wasm", "https://site.example/")
        .await
        .expect(1)
        .says(&["it asks any host", "--grant webpage"]);

    // What it declares is granted, and nothing else.
    let refused = run(&built("guests/forbidden.wasm"), "http://elsewhere.example/").await;
    refused.says(&[
        "is granted what it asks for, for this run",
        "`elsewhere.example` is not granted",
        "PIXCRAWLER_GRANT=forbidden",
    ]);

    // Whose fault it is, by how much, and in which line of its source.
    let fault = async |guest: &str, query: &str| run(&built(guest), query).await.expect(1).stdout;
    let trap = fault("guests/debug/trap.wasm", "fox").await;
    assert!(trap.contains("tests/guests/trap/src/lib.rs:13") && trap.contains("no page for `fox`"), "{trap}");
    let state = fault("guests/big-state.wasm", "65537").await;
    assert!(state.contains("fault of the plugin: too many bytes of state: 65537, at most 65536"), "{state}");
    let again = fault("guests/again.wasm", "fox").await;
    assert!(again.contains("steps in a row that say `again`: 65, at most 64"), "{again}");
}

#[tokio::test]
async fn a_check_says_whether_a_component_is_a_source() {
    let desk = Desk::new();
    let cassettes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/openverse/cassettes");
    let component = built("plugins/openverse.wasm");
    let sound = desk.plugin(&["check", &component, cassettes.to_str().unwrap()]).await.expect(0).stdout;
    for part in
        ["openverse 0.", "api.openverse.org (api)", "compiled in ", "pixcrawler:source/log@0.1.0", "Sound."]
    {
        assert!(sound.contains(part), "`{part}` is missing: {sound}");
    }
    let checked = desk.plugin(&["check", &component, "--json"]).await.expect(0).json();
    assert_eq!((&checked["sound"], &checked["compared"]["steps"]), (&json!(true), &json!(0)));
    assert_eq!(checked["source"]["id"], "openverse");

    // Without a cassette its first step is tried, which must not break off; with one, every step of it.
    assert_eq!(checked["tried"], json!({ "query": "red fox", "requests": 1, "refused": null }));
    let trap = desk.plugin(&["check", &built("guests/debug/trap.wasm")]).await.expect(1).stdout;
    for part in [
        "Faulty: `red fox`, step 1: ",
        "no page for `red fox`",
        "tests/guests/trap/src/lib.rs:13",
        "Not sound.",
    ] {
        assert!(trap.contains(part), "`{part}` is missing: {trap}");
    }
    desk.write("c.toml", "source = \"trap\"\n[query]\ntext = \"owl\"\n");
    let trap = desk.plugin(&["check", &built("guests/trap.wasm"), "c.toml", "--json"]).await.expect(1).json();
    assert_eq!((&trap["sound"], &trap["tried"]), (&json!(false), &Value::Null));
    let told = trap["problems"][0].as_str().unwrap();
    assert!(told.starts_with("c.toml, step 1: ") && told.contains("no page for `owl`"), "{told}");
    // One that needs a credential, and an address, is given both.
    for (source, query) in [("reddit", "red fox"), ("webpage", "https://example.org/")] {
        let component = built(&format!("plugins/{source}.wasm"));
        let tried = desk.plugin(&["check", &component]).await.expect(0).stdout;
        assert!(tried.contains(&format!("for `{query}`, which is made up: asks for 1 request")), "{tried}");
        assert!(tried.contains("made twice  what it says of itself\n"), "{tried}");
        assert!(tried.contains("beyond it   nothing could be tried without a cassette"), "{tried}");
    }
    // A project whose folder of cassettes is empty has none; one that is named must have some.
    desk.write("bare/dist/reddit.wasm", std::fs::read(built("plugins/reddit.wasm")).unwrap());
    std::fs::create_dir(desk.path("bare/cassettes")).unwrap();
    let tried = desk.plugin(&["check", "bare"]).await.expect(0).stdout;
    assert!(tried.contains("for `red fox`, which is made up: asks for 1 request"), "{tried}");
    desk.plugin(&["check", "bare", "bare/cassettes"])
        .await
        .expect(2)
        .says(&["there is no cassette; name one"]);
    // What it says of a query that is made up is no fault.
    let tried = desk.plugin(&["check", &built("guests/big-state.wasm")]).await.expect(0).stdout;
    assert!(tried.contains("made up: could not be tried: invalid-query: write a number of bytes"), "{tried}");

    desk.write("empty.wasm", b"\0asm\x0d\0\x01\0");
    let misfit = desk.plugin(&["check", "empty.wasm"]).await.expect(1).stdout;
    assert!(misfit.contains("Not a source: it does not export pixcrawler:source/source@0.1.0"), "{misfit}");
    desk.write("module.wasm", b"\0asm\x01\0\0\0");
    desk.plugin(&["check", "module.wasm"]).await.expect(1).says(&["a core module", "wasm32-wasip2"]);
    // An instance `wasi:http/types@0.2.0` with nothing in it is imported.
    let http = b"\0asm\x0d\0\x01\0\x07\x03\x01\x42\0\x0a\x1a\x01\0\x15wasi:http/types@0.2.0\x05\0";
    desk.write("http.wasm", http);
    let misfit = desk.plugin(&["check", "http.wasm"]).await.expect(1).stdout;
    assert!(misfit.contains("it imports wasi:http/types@0.2.0, which the host does not have"), "{misfit}");

    for command in ["check", "test", "bench"] {
        let told = desk.plugin(&[command, "nothing.wasm"]).await.expect(2);
        told.says(&["there is no `nothing.wasm`; name a component (.wasm) or the folder of a project"]);
    }
    let told = desk.plugin(&["test", &component, "nothing.toml"]).await.expect(2);
    told.says(&["there is no cassette `nothing.toml`"]);
    desk.plugin(&["run", "./nothing.wasm", "fox"]).await.expect(2).says(&["there is no `./nothing.wasm`"]);
}

#[tokio::test]
async fn a_bench_stands_beside_the_last_one() {
    let desk = Desk::new();
    let component = built("plugins/openverse.wasm");
    let cassette =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/openverse/cassettes/next-page.toml");
    let bench = async |more: &[&str]| {
        let arguments =
            ["bench", &component, cassette.to_str().unwrap(), "--runs", "3", "--data-dir", "data"];
        desk.plugin(&[&arguments, more].concat()).await.expect(0)
    };
    let first = bench(&["--json"]).await.json();
    let steps = first["cassettes"]["next-page"].as_array().unwrap();
    assert_eq!((steps.len(), &first["before"]), (3, &json!({})));
    assert_eq!((&steps[1]["requests"], &steps[1]["candidates"]), (&json!(1), &json!(1)));
    assert!(steps[1]["cpu_median_us"].as_f64().unwrap() >= steps[1]["cpu_least_us"].as_f64().unwrap());
    assert!(steps[1]["peak_memory"].as_u64().unwrap() > 0 && steps[1]["received"].as_u64().unwrap() > 200);
    let second = bench(&[]).await.stdout;
    assert!(second.contains("1.0 candidates/request") && second.contains("(last time "), "{second}");
}

#[tokio::test]
async fn a_cassette_does_not_hide_what_no_crawl_would_do() {
    let desk = Desk::new();
    let address = "http://elsewhere.example/";
    desk.write(
        "c.toml",
        format!(
            "source = \"forbidden\"\n[query]\ntext = \"{address}\"\n[[exchange]]\nurl = \"{address}\"\n\
             key = \"{address}\"\n[exchange.answer]\ntext = \"\"\n[expect]\n[[expect.candidate]]\nurl = \"{address}\"\n"
        ),
    );
    let forbidden = built("guests/forbidden.wasm");
    let told = "`elsewhere.example` is asked, which is not among the source's `hosts`: site.example";
    let failed = desk.plugin(&["test", &forbidden, "c.toml"]).await.expect(1).stdout;
    assert!(failed.contains(told), "{failed}");

    // What it names: `run` and a crawl say the same.
    let site = Origin::start(|_| reply("text/plain", "nothing")).await;
    let mapping = site.mapping("*");
    let address = "http://site.example/";
    for (what, request, candidate, told) in [
        (
            "credential",
            "credential = \"api\"",
            "",
            "credential `api` is not among the source's `credentials`: none",
        ),
        (
            "authorization",
            "headers = { authorization = \"mine\" }",
            "",
            "header `authorization` may not be set",
        ),
        ("user-agent", "headers = { user-agent = \"mine\" }", "", "header `user-agent` may not be set"),
        ("x:y", "headers = { \"x:y\" = \"mine\" }", "", "header `x:y` is not valid"),
        (
            "candidate",
            "",
            "credential = \"api\"",
            "credential `api` is not among the source's `credentials`: none",
        ),
    ] {
        let query = format!("{address} {what}");
        desk.write(
            "c.toml",
            format!(
                "source = \"forbidden\"\n[query]\ntext = \"{query}\"\n[[exchange]]\nurl = \"{address}\"\n\
                 key = \"{address}\"\n{request}\n[exchange.answer]\ntext = \"\"\n[expect]\n\
                 [[expect.candidate]]\nurl = \"{address}\"\n{candidate}\n"
            ),
        );
        let failed = desk.plugin(&["test", &forbidden, "c.toml"]).await.expect(1).stdout;
        assert!(failed.contains(told), "{failed}");
        let unsound = desk.plugin(&["check", &forbidden, "c.toml"]).await.expect(1).stdout;
        assert!(unsound.contains(told) && unsound.contains("Not sound."), "{unsound}");
        let run = desk.plugin(&["run", &forbidden, &query, &mapping]).await;
        if what != "candidate" {
            run.says(&[told]);
            assert!(site.asked().is_empty(), "{run:#?}");
        }
    }

    // A fault is not written down as what is expected.
    let cassette = "source = \"contract\"\n[query]\ntext = \"a fault\"\n[expect]\nend = \"done\"\n";
    desk.write("c.toml", cassette);
    let component = built("guests/contract.wasm");
    desk.plugin(&["test", &component, "c.toml", "--update"]).await.expect(1);
    assert_eq!(desk.read("c.toml"), cassette);
}

#[tokio::test]
async fn a_file_that_is_only_named_gets_no_credential() {
    let desk = Desk::new();
    let site = Origin::start(|_| reply("text/plain", "nothing")).await;
    let (component, mapping) = (built("guests/keys.wasm"), site.mapping("*"));
    let credential = "--credential=keys.header=canary-secret";
    let run = ["run", &component, "echo", &mapping, credential];
    let told = desk.plugin(&run).await;
    let sent = || format!("{:?}", site.asked().iter().map(|asked| &asked.headers).collect::<Vec<_>>());
    assert!(!sent().contains("canary-secret"), "{told:#?}");
    desk.plugin(&[&run[..], &["--grant", "keys"]].concat()).await.says(&["keys", "header"]);
    assert!(sent().contains("canary-secret"));
}
