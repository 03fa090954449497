//! Credentials of every kind, at sites that repeat all they are told, for a plugin that tells
//! all it hears.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{Run, Settings, USER, canary, command, forms, rows, search};
use crate::support::{
    api::{json as with_body, send},
    origin::{Asked, Origin, Reply, refusal, reply},
    plugins::{folder, guest},
    postgres::database,
    site::picture,
};

/// Name of the credential and the secret that is configured.
fn configured() -> [(&'static str, String); 4] {
    [
        ("header", canary("header")),
        ("query", canary("query")),
        ("basic", format!("ann:{}", canary("basic"))),
        ("oauth", format!("client:{}", canary("oauth"))),
    ]
}

/// Everything that must not be seen, in every form.
fn secrets() -> BTreeMap<String, Vec<String>> {
    let names = ["header", "query", "basic", "oauth", "bearer"];
    let mut secrets: BTreeMap<_, _> =
        names.iter().map(|name| ((*name).to_owned(), forms(&canary(name)))).collect();
    // As it is sent, with what stands before it.
    let sent = STANDARD.encode(format!("ann:{}", canary("basic")));
    secrets.insert("the header of basic".to_owned(), vec![sent]);
    secrets
}

/// Sites that repeat all they are told.
fn echo(asked: &Asked, token_fails: &AtomicBool) -> Reply {
    let (host, path) = asked.url.split_once('/').unwrap();
    let told = format!("repeated: {} {:?} {}", asked.url, asked.headers, asked.body);
    let path = path.split('?').next().unwrap();
    let repeated = |status: u16, more: (&'static str, String)| {
        let mut answer = reply("text/plain", told.clone());
        *answer.status_mut() = status.try_into().unwrap();
        answer.headers_mut().insert(more.0, more.1.parse().unwrap());
        answer
    };
    let plain = |status| repeated(status, ("x-repeated", told.replace(|c: char| !c.is_ascii_graphic(), "")));
    let query = url::form_urlencoded::byte_serialize(told.as_bytes()).collect::<String>();
    let redirect = |to: &str| repeated(302, ("location", format!("{to}?told={query}")));
    if path.ends_with(".png") {
        return match (host, path.ends_with("away.png")) {
            ("site.example", true) => redirect("http://other.example/landed.png"),
            _ => reply("image/png", picture(path)),
        };
    }
    match path.rsplit('/').next().unwrap() {
        "token" if token_fails.load(Ordering::Relaxed) => refusal(400, &json!({ "error": told })),
        "token" => {
            let token = json!({ "access_token": canary("bearer"), "expires_in": 3600, "told": told });
            reply("application/json", token.to_string())
        }
        "away" => redirect("http://other.example/landed"),
        "outside" => redirect("http://elsewhere.example/landed"),
        "back" => redirect("http://site.example/landed"),
        "refused" => plain(401),
        "failing" => plain(500),
        "robots.txt" => plain(404),
        _ => plain(200),
    }
}

/// A host with the guest, its API and its commands.
struct Host {
    run: Run,
    more: Settings,
    mapping: String,
    database: String,
    format: &'static str,
    /// All that the API and the commands said.
    said: String,
}

impl Host {
    async fn get(&mut self, path: &str) -> Value {
        let answer = self.run.get(path).await.expect(200);
        self.said += &format!("{:?} {}", answer.headers, answer.text);
        serde_json::from_str(&answer.text).unwrap_or_default()
    }

    async fn post(&mut self, path: &str, body: &Value) -> Value {
        let request = self.run.client.post(self.run.url(path)).bearer_auth(&self.run.token);
        let answer = send(with_body(request, body)).await;
        self.said += &format!("{:?} {}", answer.headers, answer.text);
        answer.json()
    }

    /// A job of these keywords, to its end.
    async fn crawl(&mut self, keywords: &[&str]) {
        let body = json!({ "name": "x", "keywords": keywords, "sources": ["keys"], "max_images": 100 });
        let job = self.post("/api/v1/crawl-jobs/", &body).await["id"].clone();
        let path = format!("/api/v1/crawl-jobs/{job}");
        let run = &self.run;
        let over = async || {
            let status = run.get(&path).await.expect(200).json()["status"].clone();
            status == "completed" || status == "failed"
        };
        run.until("the job is over", over).await;
        for part in ["", "/images", "/logs"] {
            self.get(&format!("{path}{part}")).await;
        }
    }

    async fn command(&mut self, arguments: &[&str]) {
        let (data, format) = (&self.run.data, self.format);
        let mut command = command(arguments, format, &self.mapping, &self.database, data, &self.more);
        let output = command.current_dir(data.path()).output().await.unwrap();
        self.said += &String::from_utf8_lossy(&[output.stdout, output.stderr].concat());
    }
}

#[tokio::test]
async fn credentials_of_every_kind_stay_with_the_host() {
    let guests = folder(&[("keys.wasm", guest("keys"))]);
    let folder = ("PIXCRAWLER_PLUGINS", guests.path().to_str().unwrap().to_owned());
    let granted = ("PIXCRAWLER_GRANT", "keys".to_owned());
    let given: Vec<String> =
        configured().iter().map(|(name, secret)| format!("keys.{name}={secret}")).collect();
    // From the environment, a file and a command, and from the command line.
    let secret_file = guests.path().join("secrets");
    fs::write(&secret_file, &given[2]).unwrap();
    fs::set_permissions(&secret_file, fs::Permissions::from_mode(0o600)).unwrap();
    let apart = [
        ("PIXCRAWLER_CREDENTIALS", given[..2].join(",")),
        ("PIXCRAWLER_CREDENTIALS_FILE", secret_file.to_str().unwrap().to_owned()),
        ("PIXCRAWLER_CREDENTIALS_COMMAND", format!("echo '{}'", given[3])),
    ];
    let flags = given.iter().map(|given| format!("--credential={given}")).collect();
    let ways = [
        (
            "text",
            Settings {
                variables: [vec![folder.clone(), granted.clone()], apart.to_vec()].concat(),
                flags: Vec::new(),
            },
        ),
        ("json", Settings { variables: vec![folder, granted], flags }),
    ];
    for (format, more) in ways {
        let token_fails = Arc::new(AtomicBool::new(true));
        let fails = token_fails.clone();
        let sites = Origin::start(move |asked| echo(asked, &fails)).await;
        let database = database().await;
        database.sign_up(USER, "ann@example.org").await;
        let mapping = format!("*={}", sites.base());
        let url = database.url.expose_secret().to_owned();
        let run = Run::start(format, &mapping, &url, &more).await;
        let mut host = Host { run, more, mapping, database: url, format, said: String::new() };

        // In a crawl it would pause the source, as `refused` does at the end.
        host.post("/api/v1/sources/keys/preview", &json!({ "text": "no token" })).await;
        host.command(&["plugin", "run", "keys", "no token", "--json"]).await;
        assert!(host.said.contains("credential-refused"), "{}", host.said);
        token_fails.store(false, Ordering::Relaxed);
        host.crawl(&["echo", "away", "outside", "back", "failing"]).await;
        for text in ["echo", "away", "outside", "back", "failing"] {
            host.post("/api/v1/sources/keys/preview", &json!({ "text": text })).await;
        }
        host.command(&["plugin", "run", "keys", "echo", "--json"]).await;
        host.command(&["plugin", "record", "keys", "away", "-o", "cassette.toml"]).await;
        host.crawl(&["refused"]).await;
        for path in ["/api/v1/sources/", "/api/v1/sources/keys", "/metrics"] {
            host.get(path).await;
        }
        host.command(&["plugin", "list", "--json"]).await;
        host.command(&["plugin", "list"]).await;
        host.command(&["doctor"]).await;

        let cassette = fs::read_to_string(host.run.data.path().join("cassette.toml")).unwrap();
        let (rows, log) = (rows(&database.pool).await, host.run.end().await);
        // The search sees what the guest heard, and the log is as full as it gets.
        for (place, text) in [("rows", &rows), ("log", &log), ("said", &host.said), ("cassette", &cassette)] {
            assert!(text.contains("repeated: "), "{format}: {place} do not show what the sites said");
        }
        assert!(log.contains("TRACE") || log.contains("DEBUG"), "nothing is logged in detail");
        search(
            format,
            &[("rows", &rows), ("log", &log), ("answers", &host.said), ("cassette", &cassette)],
            &secrets(),
        );
        sent_where_they_belong(&sites.asked());
    }
}

/// Each secret was sent, as its kind says, and to `site.example` only.
fn sent_where_they_belong(asked: &[Asked]) {
    let told = |path: &str| {
        let found = asked.iter().find(|asked| asked.url.starts_with(&format!("site.example/{path}")));
        let found = found.unwrap_or_else(|| panic!("{path} was not asked for"));
        format!("{} {:?}", found.url, found.headers)
    };
    let basic = STANDARD.encode(format!("ann:{}", canary("basic")));
    let query = url::form_urlencoded::byte_serialize(canary("query").as_bytes()).collect::<String>();
    for (path, sent) in [
        ("header/echo", format!("Key {}", canary("header"))),
        ("header/echo.png", format!("Key {}", canary("header"))),
        ("query/echo", format!("api_key={query}")),
        ("basic/echo", format!("Basic {basic}")),
        ("oauth/echo", format!("Bearer {}", canary("bearer"))),
        ("token", "Basic ".to_owned()),
    ] {
        assert!(told(path).contains(&sent), "{path} was asked without its secret: {}", told(path));
    }
    let elsewhere = asked.iter().filter(|asked| !asked.url.starts_with("site.example/"));
    let elsewhere: Vec<_> = elsewhere.map(|asked| (&asked.url, &asked.headers)).collect();
    for path in ["other.example/landed?", "other.example/landed.png"] {
        assert!(elsewhere.iter().any(|(url, _)| url.starts_with(path)), "{path}: {elsewhere:?}");
    }
    // What a site itself writes into the address that it redirects to is the site's doing.
    let headers: String = elsewhere.iter().map(|(_, headers)| format!("{headers:?}")).collect();
    search("what other hosts were sent", &[("headers", &headers)], &secrets());
}
