//! Secrets stay where they are: a run with every one set and everything logged, and a
//! search for them in all that comes out.

mod credentials;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    net::SocketAddr,
    os::unix::fs::PermissionsExt as _,
    process::Stdio,
    time::{Duration, SystemTime},
};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use jsonwebtoken::{EncodingKey, Header};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::process::{Child, Command};

use crate::support::{
    api::{Answer, json, send},
    bucket::{BucketServer, SECRET},
    postgres::{DataDir, data_dir, database},
    site::{ORIGIN, PATIENCE, Reply, Site},
};

const PROJECT: &str = "https://canary.supabase.example";
const USER: &str = "5f0c4b9e-8d2a-4c57-9a61-0f2f3c1d7e42";

/// A secret of its own kind, with letters that some forms have to escape.
fn canary(what: &str) -> String {
    format!("Canary+{what}/of?40&bytes=or~somewhat-more!")
}

/// The binary with all secrets, logging all there is into a file.
struct Run {
    child: Child,
    client: reqwest::Client,
    address: SocketAddr,
    data: DataDir,
    token: String,
}

impl Run {
    /// `more` settings come on top.
    async fn start(format: &str, mapping: &str, database: &str, more: &Settings) -> Self {
        let data = data_dir();
        let log = File::create(data.path().join("log")).unwrap();
        let child = command(&["serve"], format, mapping, database, &data, more)
            .env("HOST", "127.0.0.1")
            .env("PORT", "0")
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut run = Self { child, client: reqwest::Client::new(), address, data, token: token() };
        run.until("it listens", async || run.docs().is_some()).await;
        run.address = run.docs().unwrap();
        run.until("the API answers", async || {
            run.client
                .get(run.url("/api/v1/health/ready"))
                .send()
                .await
                .is_ok_and(|answer| answer.status() == 200)
        })
        .await;
        run
    }

    /// Where it is ready to show its documentation, as its log says in either format.
    fn docs(&self) -> Option<SocketAddr> {
        self.log().split("http://").find_map(|rest| rest.split_once("/docs")?.0.parse().ok())
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    async fn get(&self, path: &str) -> Answer {
        send(self.client.get(self.url(path)).bearer_auth(&self.token)).await
    }

    async fn until(&self, what: &str, met: impl AsyncFn() -> bool) {
        let mut tick = tokio::time::interval(Duration::from_millis(50));
        let wait = async {
            while !met().await {
                tick.tick().await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, wait).await;
        if waited.is_err() {
            let log = self.log();
            panic!(
                "not in time: {what}; {}",
                &log[log.floor_char_boundary(log.len().saturating_sub(5000))..]
            );
        }
    }

    /// Ends it; all that it wrote.
    async fn end(&mut self) -> String {
        self.child.kill().await.unwrap();
        self.log()
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.data.path().join("log")).unwrap()).into_owned()
    }
}

/// What a command gets beside what all get: variables, and flags.
#[derive(Default)]
struct Settings {
    variables: Vec<(&'static str, String)>,
    flags: Vec<String>,
}

/// A command of the binary with every secret set, logging all there is.
fn command(
    arguments: &[&str],
    format: &str,
    mapping: &str,
    database: &str,
    data: &DataDir,
    more: &Settings,
) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pixcrawler"));
    command
        .args(arguments)
        .args(&more.flags)
        .env("DATABASE_URL", database)
        .env("SUPABASE_URL", PROJECT)
        .env("SUPABASE_JWT_SECRET", canary("jwt"))
        .env("SUPABASE_SERVICE_ROLE_KEY", canary("role"))
        .env("SUPABASE_ANON_KEY", canary("anon"))
        .env("REDIS_URL", format!("redis://:{}@redis.example/0", canary("redis")))
        .env("CELERY_BROKER_URL", format!("redis://:{}@celery.example/0", canary("celery")))
        .env("PIXCRAWLER_CREDENTIALS", format!("openverse.api=client:{}", canary("credential")))
        .env("PIXCRAWLER_MAP_ORIGIN", mapping)
        .env("PIXCRAWLER_DATA_DIR", data.of_host())
        .env("PIXCRAWLER_LOG", "trace")
        .env("PIXCRAWLER_LOG_FORMAT", format)
        .envs(more.variables.iter().map(|(name, value)| (name, value)));
    command
}

#[tokio::test]
async fn nothing_that_comes_out_holds_a_secret() {
    for format in ["text", "json"] {
        let site = Site::start().await;
        let result =
            json!({ "url": format!("{ORIGIN}/fox.png"), "license": "cc0", "license_version": "1.0" });
        let results = json!({ "result_count": 1, "page_count": 1, "page_size": 20, "results": [result] });
        let granted = json!({ "access_token": canary("token"), "expires_in": 3600, "token_type": "Bearer" });
        site.on("/v1/auth_tokens/token/", [Reply::Page(granted.to_string())]);
        site.on("/v1/images/?q=fox&page=1&page_size=20", [Reply::Page(results.to_string())]);
        site.on("/fox.png", [Reply::Picture]);
        let database = database().await;
        database.sign_up(USER, "ann@example.org").await;
        let mut url = url::Url::parse(database.url.expose_secret()).unwrap();
        url.set_password(Some(&canary("password"))).unwrap();

        let bucket = BucketServer::start().await;
        let mapping = site.mapping();
        let more = Settings { variables: bucket.settings(), ..Settings::default() };
        let mut run = Run::start(format, &mapping, url.as_str(), &more).await;
        let body = json!({ "name": "x", "keywords": ["fox"], "sources": ["openverse"], "max_images": 5 });
        let create = run.client.post(run.url("/api/v1/crawl-jobs/")).bearer_auth(&run.token);
        let job = send(json(create, &body)).await.expect(201).json();
        let path = format!("/api/v1/crawl-jobs/{}", job["id"]);
        run.until("the job is over", async || {
            run.get(&path).await.expect(200).json()["status"] == "completed"
        })
        .await;
        let image = run.get(&format!("{path}/images")).await.expect(200).json()["items"][0].clone();
        assert_eq!(image["original_url"], format!("{ORIGIN}/fox.png"), "{:?}", site.requests("/"));

        assert!(!site.requests("/v1/auth_tokens/token/").is_empty(), "the credential was not used");
        assert!(bucket.requests().iter().any(|request| request.ends_with(".png")), "the bucket was not used");

        // Signed links are followed; those of another path, and tokens cut short, are refused.
        let [events, file] =
            [&job["events_url"], &image["url"]].map(|link| link.as_str().unwrap().to_owned());
        for link in [&events, &file] {
            send(run.client.get(run.url(link))).await.expect(200);
        }
        let (_, query) = file.split_once('?').unwrap();
        let cut = &run.token[..run.token.len() - 4];
        let mut problems = String::new();
        for refused in [
            run.client.get(run.url(&format!("{path}/events?{query}"))),
            run.client.get(run.url(&path)).bearer_auth(cut),
            run.client.get(run.url(&format!("/api/v1/nothing?token={}", run.token))),
            run.client.post(run.url("/api/v1/crawl-jobs/")).bearer_auth(&run.token).body("{"),
        ] {
            let answer = send(refused).await;
            assert!(answer.status >= 400, "{answer:?}");
            problems.push_str(&answer.text);
        }

        let secrets = secrets(&run.token, &[&events, &file]);
        let key: Vec<String> = sqlx::query_scalar("select encode(value, 'hex') from pixcrawler.secret")
            .fetch_all(&database.pool)
            .await
            .unwrap();
        let rows = rows(&database.pool).await;
        assert!(rows.contains("fox.png"), "the search does not see the rows");
        let log = run.end().await;
        assert!(log.contains("TRACE") || log.contains("DEBUG"), "nothing is logged in detail");
        let mut commands = String::new();
        for arguments in [
            "plugin list --json",
            "migrate --json",
            "doctor --json",
            "crawl fox --source openverse --max 1 --out fox --json",
        ] {
            let arguments: Vec<&str> = arguments.split(' ').collect();
            let mut command = command(&arguments, format, &mapping, url.as_str(), &run.data, &more);
            let output = command.current_dir(run.data.path()).output().await.unwrap();
            assert!(output.stdout.starts_with(b"{") || output.stdout.starts_with(b"["), "{output:?}");
            commands.push_str(&String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
        }
        assert!(commands.contains("\"kept\""), "{commands}");
        let places = [("log", &log), ("problems", &problems), ("rows", &rows), ("commands", &commands)];
        search(format, &places, &secrets);
        assert!(!key.is_empty());
        for key in key {
            assert!(!log.contains(&key) && !problems.contains(&key), "the key of links is told");
        }
    }
}

#[tokio::test]
async fn a_credential_that_cannot_be_read_is_not_shown() {
    for setting in ["canary", "openverse=canary", "openverse.api canary", "Canary.b=canary,c.d=e"] {
        let data = data_dir();
        let file = data.path().join("credentials");
        fs::write(&file, setting).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let ends = async |arguments: &[&str], variables: &[(&str, &str)]| {
            let mut binary = Command::new(env!("CARGO_BIN_EXE_pixcrawler"));
            binary.arg("serve").args(arguments).envs(variables.iter().copied());
            binary.env("PIXCRAWLER_DATA_DIR", data.path()).env("PIXCRAWLER_LOG", "trace");
            let output = binary.output().await.unwrap();
            let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert_eq!(output.status.code(), Some(2), "{setting}: {said}");
            assert!(said.contains("SOURCE.NAME=SECRET"), "{said}");
            assert!(!said.to_lowercase().contains("canary"), "{said}");
        };
        ends(&["--credential", setting], &[]).await;
        ends(&[], &[("PIXCRAWLER_CREDENTIALS", setting)]).await;
        ends(&[], &[("PIXCRAWLER_CREDENTIALS_FILE", file.to_str().unwrap())]).await;
        ends(&[], &[("PIXCRAWLER_CREDENTIALS_COMMAND", &format!("echo '{setting}'"))]).await;
    }
}

/// Panics where one of the secrets is found.
fn search(run: &str, places: &[(&str, &String)], secrets: &BTreeMap<String, Vec<String>>) {
    for (place, text) in places {
        for (name, forms) in secrets {
            for form in forms {
                if let Some(at) = text.find(form.as_str()) {
                    let from = text.floor_char_boundary(at.saturating_sub(300));
                    panic!("{run}: {place} hold {name} as {form}: …{}", &text[from..at + form.len()]);
                }
            }
        }
    }
}

/// Every secret in every form it may be written in.
fn secrets(token: &str, links: &[&String]) -> BTreeMap<String, Vec<String>> {
    let names = ["password", "jwt", "role", "anon", "redis", "celery", "credential", "token", "bucket"];
    assert_eq!(canary("bucket"), SECRET);
    let mut secrets: BTreeMap<_, _> =
        names.iter().map(|name| ((*name).to_owned(), forms(&canary(name)))).collect();
    let signature = token.rsplit('.').next().unwrap();
    secrets.insert("bearer token".to_owned(), forms(signature));
    for (number, link) in links.iter().enumerate() {
        let signature = link.split("signature=").nth(1).unwrap();
        secrets.insert(format!("link {number}"), forms(signature.split('&').next().unwrap()));
    }
    secrets
}

fn forms(secret: &str) -> Vec<String> {
    let form = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect::<String>();
    let bytes = format!("{:?}", secret.as_bytes());
    let mut password = url::Url::parse("http://user@x").unwrap();
    password.set_password(Some(secret)).unwrap();
    let mut forms = vec![
        secret.to_owned(),
        form,
        password.password().unwrap().to_owned(),
        hex::encode(secret),
        bytes.trim_matches(['[', ']']).to_owned(),
    ];
    // In base64 it depends on what stands before it; the letters at both ends may differ.
    for before in 0..3 {
        let encoded = STANDARD_NO_PAD.encode([vec![0; before], secret.as_bytes().to_vec()].concat());
        let middle = &encoded[4..encoded.len() - 4];
        forms.extend([middle.to_owned(), middle.replace('+', "-").replace('/', "_")]);
    }
    forms
}

/// All rows of all tables.
async fn rows(pool: &PgPool) -> String {
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', schemaname, tablename) from pg_tables
         where schemaname not in ('pg_catalog', 'information_schema')",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut rows = String::new();
    for table in tables {
        let query = format!("select t::text from {table} t");
        let found: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_all(pool).await.unwrap();
        rows.extend(found);
    }
    rows
}

/// A token of the project, by its legacy secret.
fn token() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let claims: Value = json!({
        "sub": USER, "email": "ann@example.org", "role": "authenticated", "aud": "authenticated",
        "iss": format!("{PROJECT}/auth/v1"), "iat": now, "exp": now + 3600,
    });
    let key = EncodingKey::from_secret(canary("jwt").as_bytes());
    jsonwebtoken::encode(&Header::new(jsonwebtoken::Algorithm::HS256), &claims, &key).unwrap()
}
