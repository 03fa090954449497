//! Judges from outside, which are fetched and take long: `make strangers`. What they find becomes a
//! test of our own among those of `make test`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "they say what they found, and what was skipped"
)]

#[path = "strangers/consent.rs"]
mod consent;
#[path = "strangers/derive.rs"]
mod derive;
#[path = "strangers/exports.rs"]
mod exports;
#[path = "strangers/look_alikes.rs"]
mod look_alikes;
#[path = "strangers/openapi.rs"]
mod openapi;
#[path = "strangers/report.rs"]
mod report;
#[path = "strangers/scores.rs"]
mod scores;
#[expect(dead_code, reason = "the other tests use the rest")]
mod support;

use std::{
    collections::BTreeMap,
    io::{BufRead as _, Read as _, Write as _},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Output, Stdio},
};

use pixcrawler::{
    db::{
        self, PgPool,
        guard::{self, Drift, GuardError},
    },
    postgres::{Durability, PrivatePostgres},
};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::{
    api::{Api, send},
    events::Events,
    origin::{Origin, reply},
    postgres::{self, DataDir, TestDatabase, execute},
    process::{ENDLESS, System},
    relay::Relay,
    site::{ORIGIN, Site, page},
};

/// The frontend's tables before us, as its tools name their shapes.
const LAYOUTS: [(&str, &[&str]); 3] = [
    ("b", &[include_str!("layouts/drizzle.sql")]),
    ("c", &[include_str!("layouts/drizzle.sql"), include_str!("layouts/files.sql")]),
    ("d", &[include_str!("layouts/drizzle.sql"), include_str!("layouts/production.sql")]),
];

/// A server of its own with the tables of a layout.
struct Frontend {
    server: PrivatePostgres,
    pool: PgPool,
    _dir: DataDir,
}

impl Frontend {
    async fn with(statements: &[&'static str]) -> Self {
        let dir = postgres::data_dir();
        let server = PrivatePostgres::start(dir.path(), None, Durability::ThrownAway).await.unwrap();
        let pool = db::connect(&server.url(), 5).await.unwrap();
        db::bootstrap(&pool).await.unwrap();
        // Supabase's tools look for it.
        sqlx::raw_sql("alter role postgres superuser").execute(&pool).await.unwrap();
        for statement in statements {
            execute(&pool, statement).await;
        }
        Self { server, pool, _dir: dir }
    }

    /// The way to it for tools that need a port, of which it opens none.
    async fn relay(&self) -> Relay {
        Relay::to(&self.server.url()).await
    }

    async fn stop(self) {
        self.pool.close().await;
        self.server.stop().await.unwrap();
    }
}

/// Where `make strangers` puts the tools, beside the schema that they look at.
fn tools() -> PathBuf {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/strangers");
    assert!(tools.join("node_modules").exists(), "run `make strangers`, which fetches the tools");
    tools
}

/// What a tool says, which must go well.
async fn run(tool: &str, arguments: &[&str], folder: &Path) -> Output {
    let program = tools().join("node_modules/.bin").join(tool);
    Command::new(program).args(arguments).current_dir(folder).output().await.unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// What a command of ours prints, in a folder and on a database of its own, where every origin is the site.
async fn command_line(site: &Site, database: &TestDatabase, data: &DataDir, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pixcrawler"));
    command.args(arguments).current_dir(data.path());
    command.env("DATABASE_URL", database.url.expose_secret());
    command.env("PIXCRAWLER_DATA_DIR", data.of_host()).env("PIXCRAWLER_MAP_ORIGIN", site.mapping());
    let ended = command.output().await.unwrap();
    assert!(ended.status.success(), "{}", text(&ended));
    String::from_utf8(ended.stdout).unwrap()
}

/// Columns, constraints, indexes, policies and row-level security of the public tables.
async fn catalog(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "select concat_ws(' ', 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
                          pg_get_expr(d.adbin, d.adrelid)) as line
           from pg_class c
           join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
           left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
          where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
         union all
         select concat_ws(' ', 'constraint', conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated)
           from pg_constraint where connamespace = 'public'::regnamespace and contype <> 't'
         union all
         select concat_ws(' ', 'index', indexdef) from pg_indexes where schemaname = 'public'
         union all
         select concat_ws(' ', 'policy', tablename, policyname, permissive, cmd, roles, 'using', qual, 'check', with_check)
           from pg_policies where schemaname = 'public'
         union all
         select concat_ws(' ', 'security', relname, relrowsecurity, relforcerowsecurity)
           from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'
         order by line",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

/// A database that Drizzle makes of `drizzle/schema.ts` alone has the catalog of one that the
/// migrations made; and the file is sound TypeScript.
#[tokio::test]
async fn drizzle_makes_the_same_tables() {
    let folder = tools();
    let checked = run("tsc", &["--noEmit"], &folder).await;
    assert!(checked.status.success(), "{}", text(&checked));
    let arguments = ["export", "--dialect", "postgresql", "--schema", "schema.ts", "--sql"];
    let exported = run("drizzle-kit", &arguments, &folder).await;
    assert!(exported.status.success(), "{}", text(&exported));
    let statements = String::from_utf8(exported.stdout).unwrap();

    let theirs = postgres::made_by(&statements).await;
    let ours = postgres::database().await;
    let (theirs, ours) = (catalog(&theirs.pool).await, catalog(&ours.pool).await);
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|line| !those.contains(line)).cloned().collect()
    };
    assert_eq!(only(&ours, &theirs), Vec::<String>::new(), "missing in drizzle/schema.ts");
    assert_eq!(only(&theirs, &ours), Vec::<String>::new(), "not in the migrations");
}

/// Supabase's advisor has nothing to say of what the migrations make, over each layout, but that
/// indexes of a database nobody uses are not used, and what is the queue engine's own.
#[tokio::test]
async fn the_advisor_of_supabase_is_content() {
    for (layout, statements) in LAYOUTS.into_iter().chain([("ours", &[][..])]) {
        let frontend = Frontend::with(statements).await;
        let pool = &frontend.pool;
        db::migrate(pool).await.unwrap();
        pixcrawler::queue::Queue::new(pool).migrate().await.unwrap();
        let project = tempfile::tempdir().unwrap();
        let relay = frontend.relay().await;
        std::fs::create_dir(project.path().join("supabase")).unwrap();
        let config = format!("project_id = \"strangers\"\n[db]\nport = {}\n", relay.port());
        std::fs::write(project.path().join("supabase/config.toml"), config).unwrap();
        let advised =
            run("supabase", &["db", "advisors", "--level", "info", "--fail-on", "none"], project.path())
                .await;
        let advice: Vec<Value> = serde_json::from_slice(&advised.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", text(&advised)));
        let of_engine =
            |advice: &Value| advice["metadata"]["schema"] == "graphile_worker" && advice["level"] == "INFO";
        let rest: Vec<&Value> =
            advice.iter().filter(|advice| advice["name"] != "unused_index" && !of_engine(advice)).collect();
        assert!(!advice.is_empty() && rest.is_empty(), "{layout}: {rest:#?}");
        frontend.stop().await;
    }
}

/// The frontend's own ORM works with every table in each of its shapes, before us, with us, and after
/// its tool has pushed a schema that does not know us: what that takes away is put back.
#[tokio::test]
async fn the_frontends_drizzle_works_beside_us() {
    let folder = tools();
    for (shape, statements) in LAYOUTS {
        let frontend = Frontend::with(statements).await;
        let (pool, url) = (&frontend.pool, frontend.server.url());
        let play = async || -> Value {
            let mut node = Command::new("node");
            node.args(["frontend.mjs", shape]).current_dir(&folder).env("DATABASE_URL", url.expose_secret());
            let played = node.output().await.unwrap();
            assert!(played.status.success(), "{shape}: {}", text(&played));
            serde_json::from_slice(&played.stdout).unwrap()
        };
        let before = play().await;
        db::migrate(pool).await.unwrap();
        assert_eq!(guard::look(pool).await.unwrap(), Some(Drift::default()), "{shape}");
        for _ in 0..2 {
            assert_eq!(play().await, before, "{shape}");
        }

        // Nobody pushes over what the script made: the tool stops at its names and asks.
        if shape == "d" {
            frontend.stop().await;
            continue;
        }
        let schema = format!("pushed-{shape}.mjs");
        let names =
            before.as_object().unwrap().keys().map(|table| camel(table)).collect::<Vec<_>>().join(", ");
        let exports = format!(
            "import {{ tables }} from './shapes.mjs';\nexport const {{ {names} }} = tables('{shape}');\n"
        );
        std::fs::write(folder.join(&schema), exports).unwrap();
        let relay = frontend.relay().await;
        let address = relay.url();
        let address = address.expose_secret();
        let arguments = ["push", "--force", "--dialect", "postgresql", "--schema", &schema, "--url", address];
        let pushed = run("drizzle-kit", &arguments, &folder).await;
        let drift = guard::look(pool).await.unwrap().unwrap();
        assert!(drift.is_unsafe(), "{shape}: {drift:#?}: {}", text(&pushed));
        match guard::enforce(pool).await {
            Ok(()) => {}
            // Its older shapes do not have these tables and columns, and a push drops them: refused until
            // they are back, because the rights on them cannot be.
            Err(GuardError::Gone(gone)) => {
                assert!(shape != "b" && gone.iter().any(|table| table == "public.job_chunks"), "{gone:?}");
                frontend.stop().await;
                continue;
            }
            Err(error) => panic!("{shape}: {error}"),
        }
        for statement in guard::look(pool).await.unwrap().unwrap().indexes {
            execute(pool, &statement).await;
        }
        assert_eq!(guard::look(pool).await.unwrap(), Some(Drift::default()), "{shape}");
        assert_eq!(play().await, before, "{shape}");
        frontend.stop().await;
    }
}

/// The name of a table in the frontend's code.
fn camel(table: &str) -> String {
    let mut parts = table.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| name + &part[..1].to_uppercase() + &part[1..])
}

#[derive(Deserialize)]
struct Tokens {
    jwks: Value,
    secret: String,
    tokens: Vec<Token>,
    secret_tokens: Vec<Token>,
}

#[derive(Deserialize)]
struct Token {
    name: String,
    token: String,
    expect: u16,
}

/// Tokens that a library of others made, of every kind that is right or wrong.
#[tokio::test]
async fn tokens_are_taken_as_the_standards_say() {
    const USER: &str = "6f9a3c9e-7b0c-4a39-9a55-0d4a0d0f2a11";
    let published = std::sync::Arc::new(std::sync::Mutex::new(Value::Null));
    let keys = published.clone();
    let project = Origin::start(move |_| reply("application/json", keys.lock().unwrap().to_string())).await;
    let mut node = Command::new("node");
    node.args(["tokens.mjs", &format!("{}/auth/v1", project.base()), USER]).current_dir(tools());
    let made = node.output().await.unwrap();
    assert!(made.status.success(), "{}", text(&made));
    let Tokens { jwks, secret, tokens, secret_tokens } = serde_json::from_slice(&made.stdout).unwrap();
    assert!(tokens.len() >= 250 && secret_tokens.len() >= 40, "{} {}", tokens.len(), secret_tokens.len());
    *published.lock().unwrap() = jwks;
    for (settings, tokens) in [(&[][..], tokens), (&["--supabase-jwt-secret", &*secret][..], secret_tokens)] {
        let api = Api::start_with(&[&["--supabase-url", &*project.base()], settings].concat()).await;
        api.database.sign_up(USER, "ann@example.org").await;
        let mut wrong = Vec::new();
        for Token { name, token, expect } in tokens {
            let answer = send(api.request("GET", "/api/v1/auth/me").bearer_auth(token)).await;
            if answer.status != expect || expect == 200 && answer.json()["id"] != json!(USER) {
                wrong.push(format!("{name}: {} instead of {expect}", answer.status));
            }
        }
        assert!(wrong.is_empty(), "{settings:?}: {wrong:#?}");
        api.stop().await;
    }
}

/// The statements of a migration of Realtime, which is written in Elixir: what `execute` is given.
fn statements(migration: &str) -> Vec<String> {
    let up = migration.split("  def down").next().unwrap();
    let mut statements = Vec::new();
    // Within the SQL there are others, which are given no text.
    for (at, call) in up.match_indices("\n    execute") {
        let given = up[at + call.len()..].trim_start_matches(['(', ' ', '\n']).trim_start_matches("~S");
        let text = match given.strip_prefix("\"\"\"") {
            Some(block) => block.split("\"\"\"").next(),
            None => given.strip_prefix('"').and_then(|line| {
                line.match_indices('"')
                    .find(|(end, _)| !line[..*end].ends_with('\\'))
                    .map(|(end, _)| &line[..end])
            }),
        };
        statements.extend(text.map(|text| text.replace("\\\\", "\\").replace("\\\"", "\"")));
    }
    statements
}

/// Who is told of which change, by the SQL of Supabase's own Realtime: in `PIXCRAWLER_REALTIME` is the
/// folder `lib/realtime/tenants/repo/migrations` of a copy.
#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "where a copy is, as nobody may fetch it from here")]
async fn realtime_tells_owners_and_nobody_else() {
    let Ok(copy) = std::env::var("PIXCRAWLER_REALTIME") else {
        eprintln!("skipped: PIXCRAWLER_REALTIME names no copy of Realtime's migrations");
        return;
    };
    let frontend = Frontend::with(&[]).await;
    let pool = &frontend.pool;
    db::migrate(pool).await.unwrap();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(copy).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    // Nothing here broadcasts, and what that needs is not there.
    const OTHER: [&str; 7] = [
        "realtime.messages",
        "realtime.channel",
        "broadcast",
        "presence",
        "OWNER TO",
        "schema_migrations",
        "dashboard_user",
    ];
    for file in files {
        for statement in statements(&std::fs::read_to_string(&file).unwrap()) {
            if OTHER.iter().any(|other| statement.contains(other)) {
                continue;
            }
            execute(pool, &statement).await;
        }
    }
    let run = async |statement: String| execute(pool, &statement).await;
    run("select pg_create_logical_replication_slot('realtime', 'wal2json')".to_owned()).await;
    let [ann, bob] =
        [("ann", 1_u128), ("bob", 2)].map(|(name, number)| (name, uuid::Uuid::from_u128(number)));
    for (name, user) in [ann, bob] {
        run(format!(
            "insert into auth.users (id, email) values ('{user}', '{name}@example.org');
             insert into projects (name, user_id) values ('{name}', '{user}')"
        ))
        .await;
        for table in ["crawl_jobs", "notifications", "datasets"] {
            run(format!(
                "insert into realtime.subscription (subscription_id, entity, filters, claims)
                 values (gen_random_uuid(), 'public.{table}',
                         array[('user_id', 'eq', '{user}', false)::realtime.user_defined_filter],
                         jsonb_build_object('sub', '{user}', 'role', 'authenticated'))"
            ))
            .await;
        }
    }
    // What became of a change: its kind, its table, who was told, and what is wrong with it.
    let told = async || -> Vec<(String, String, Vec<uuid::Uuid>, Vec<String>)> {
        sqlx::query_as(
            "select wal ->> 'type', wal ->> 'table',
                    array(select (claims ->> 'sub')::uuid from realtime.subscription
                           where subscription_id = any (subscription_ids) order by 1), errors
               from realtime.list_changes('supabase_realtime', 'realtime', 100, 1048576) where wal is not null",
        )
        .fetch_all(pool)
        .await
        .unwrap()
    };
    told().await;
    let only_ann =
        |kind: &str, table: &str| (kind.to_owned(), table.to_owned(), vec![ann.1], Vec::<String>::new());
    let steps = [
        (
            format!(
                "insert into crawl_jobs (project_id, name, keywords) select id, 'x', '[\"cat\"]' from projects where user_id = '{}'",
                ann.1
            ),
            vec![only_ann("INSERT", "datasets"), only_ann("INSERT", "crawl_jobs")],
        ),
        (
            "update crawl_jobs set valid_images = 5, progress = 5".to_owned(),
            vec![only_ann("UPDATE", "crawl_jobs")],
        ),
        ("update crawl_jobs set status = 'completed'".to_owned(), vec![only_ann("UPDATE", "crawl_jobs")]),
        (
            format!(
                "insert into notifications (user_id, type, title, message) values ('{}', 'info', 'a', 'b')",
                ann.1
            ),
            vec![only_ann("INSERT", "notifications")],
        ),
        ("update notifications set is_read = true".to_owned(), vec![only_ann("UPDATE", "notifications")]),
        ("delete from notifications".to_owned(), vec![only_ann("DELETE", "notifications")]),
        ("delete from crawl_jobs".to_owned(), vec![only_ann("DELETE", "crawl_jobs")]),
    ];
    for (statement, expect) in steps {
        run(statement.clone()).await;
        assert_eq!(told().await, expect, "{statement}");
    }
    frontend.stop().await;
}

/// What Pillow says of a file.
#[derive(Deserialize)]
struct Judged {
    path: PathBuf,
    format: String,
    wrong: Option<String>,
}

/// The host's decoder, asked as the host asks it: without a crawl.
struct Decoder {
    child: std::process::Child,
}

impl Decoder {
    fn start() -> Self {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pixcrawler"));
        command.arg("decode-pictures");
        Self { child: command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap() }
    }

    /// Why a file is refused, if it is.
    fn wrong(&mut self, file: &[u8]) -> Option<String> {
        const MEMORY: u64 = 4 << 30;
        let numbers = [MEMORY, file.len() as u64].map(u64::to_le_bytes);
        let input = self.child.stdin.as_mut().unwrap();
        input.write_all(&[numbers.as_flattened(), file].concat()).unwrap();
        input.flush().unwrap();
        let mut head = [0; 5];
        let output = self.child.stdout.as_mut().unwrap();
        output.read_exact(&mut head).unwrap();
        let mut answer = vec![0; u32::from_le_bytes(head[1..].try_into().unwrap()) as usize];
        output.read_exact(&mut answer).unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let rejected = answer["decoded"].get("Err")?;
        Some(format!("{}: {}", rejected["refusal"].as_str().unwrap(), rejected["detail"].as_str().unwrap()))
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Which pictures of public corpora are whole, beside Pillow: a table of counts, and every file on which
/// the two differ. `PIXCRAWLER_CORPORA` names the folders, with `:` between them.
#[test]
#[expect(clippy::disallowed_methods, reason = "where the corpora are, as they are too large to fetch here")]
fn pillow_sees_the_same_pictures() {
    let Some(folders) = std::env::var_os("PIXCRAWLER_CORPORA") else {
        eprintln!("skipped: PIXCRAWLER_CORPORA names no folders of pictures");
        return;
    };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let script = root.join("tests/strangers/pictures.py");
    let python = root.join("target/tools/strangers/python/bin/python");
    assert!(python.exists(), "run `make strangers`, which fetches Pillow");
    let mut pillow = std::process::Command::new(python);
    let mut pillow =
        pillow.arg(script).args(std::env::split_paths(&folders)).stdout(Stdio::piped()).spawn().unwrap();
    let mut decoder = Decoder::start();
    let mut counts: BTreeMap<String, [usize; 4]> = BTreeMap::new();
    let mut differences = Vec::new();
    for line in std::io::BufReader::new(pillow.stdout.take().unwrap()).lines() {
        let theirs: Judged = serde_json::from_str(&line.unwrap()).unwrap();
        let ours = decoder.wrong(&std::fs::read(&theirs.path).unwrap());
        let column = match (&ours, &theirs.wrong) {
            (None, None) => 0,
            (Some(_), Some(_)) => 1,
            (None, Some(wrong)) => {
                differences.push(format!("only we: {}: {wrong}", theirs.path.display()));
                2
            }
            (Some(wrong), None) => {
                differences.push(format!("only Pillow: {}: {wrong}", theirs.path.display()));
                3
            }
        };
        counts.entry(theirs.format).or_default()[column] += 1;
    }
    assert!(pillow.wait().unwrap().success());
    differences.sort();
    println!("{}\n", differences.join("\n"));
    println!(
        "| Format | Both whole | Both refuse | Only we | Only Pillow |\n| --- | --- | --- | --- | --- |"
    );
    for (format, [whole, refused, we, they]) in &counts {
        println!("| {format} | {whole} | {refused} | {we} | {they} |");
    }
    let all: usize = counts.values().flatten().sum();
    assert!(differences.len() * 20 < all, "{} of {all} files are judged differently", differences.len());
}

/// A folder of `crawl` is loaded as it is, with its labels, whatever lies beside the pictures, also by its
/// description for programs.
#[tokio::test]
async fn hugging_face_loads_a_folder() {
    let site = Site::start().await;
    let (lions, tigers) = (site.gallery("/lions", 3, None), site.gallery("/tigers", 2, None));
    site.on("/tigers", [page(&[&tigers[..], &["/tigers/gone.png".to_owned()]].concat(), None)]);
    let (database, data) = (postgres::database().await, postgres::data_dir());
    let folder = data.path().join("out");
    let crawled = Command::new(env!("CARGO_BIN_EXE_pixcrawler"))
        .args(["crawl", "--url", &format!("{ORIGIN}/lions"), "--url", &format!("{ORIGIN}/tigers"), "--out"])
        .arg(&folder)
        .env("DATABASE_URL", database.url.expose_secret())
        .env("PIXCRAWLER_DATA_DIR", data.of_host())
        .env("PIXCRAWLER_MAP_ORIGIN", site.mapping())
        .output()
        .await
        .unwrap();
    assert!(crawled.status.success(), "{}", text(&crawled));
    assert!(folder.join("refused.jsonl").exists() && folder.join("README.md").exists());

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join("target/tools/strangers/python/bin/python");
    assert!(python.exists(), "run `make strangers`, which fetches the library");
    let loaded = Command::new(python)
        .arg(root.join("tests/strangers/folder.py"))
        .arg(&folder)
        .env("HF_HUB_OFFLINE", "1")
        .env("HF_HOME", data.path().join("cache"))
        .output()
        .await
        .unwrap();
    assert!(loaded.status.success(), "{}", text(&loaded));
    let loaded: Value = serde_json::from_slice(&loaded.stdout).unwrap();
    let label = |page: &str, count: usize| vec![json!(format!("{ORIGIN}{page}")); count];
    let labels = [label("/lions", lions.len()), label("/tigers", tigers.len())].concat();
    assert_eq!(loaded["labels"], json!(labels), "{loaded}");
    assert_eq!((&loaded["plain"], &loaded["sizes"]), (&json!(5), &json!([[16, 16]])), "{loaded}");

    // So is the description for programs right.
    std::fs::copy(folder.join("metadata.jsonl"), data.path().join("rows.jsonl")).unwrap();
    std::fs::create_dir(data.path().join("pictures")).unwrap();
    let rows = std::fs::read_to_string(folder.join("metadata.jsonl")).unwrap();
    for row in rows.lines().map(|row| serde_json::from_str::<Value>(row).unwrap()) {
        let file = Path::new(row["file_name"].as_str().unwrap());
        let copy = data.path().join("pictures").join(file.file_name().unwrap());
        std::fs::copy(folder.join(file), copy).unwrap();
    }
    let described = exports::asked("croissant.py", data.path()).await;
    assert_eq!(described, json!({ "out/croissant.json": { "records": 5 } }));
}

/// The original's SDK, as it is on `PyPI`, reads projects and datasets, and what is in them, and downloads it.
#[tokio::test]
async fn the_originals_sdk_works() {
    let site = Site::start().await;
    let pictures = site.gallery("/gallery", 5, None);
    let api = Api::crawling(&["--map-origin", &site.mapping()]).await;
    let ann = api.user("ann@example.org");
    let project = ann.post("/api/v1/projects", &json!({ "name": "Animals" })).await.expect(201).json();
    let gallery = format!("{ORIGIN}/gallery");
    let body = json!({
        "name": "Foxes", "urls": [gallery], "sources": ["webpage"], "max_images": 5,
        "labels": { &gallery: "fox" }, "project_id": project["id"],
    });
    let job = ann.over(ann.create(&body).await).await;
    assert_eq!(job["kept"], 5, "{job:#}");

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let python = root.join("target/tools/strangers/python/bin/python");
    assert!(python.exists(), "run `make strangers`, which fetches the SDK");
    let base = format!("http://{}/api/v1", api.address);
    let folder = tempfile::tempdir().unwrap();
    let asked = Command::new(python)
        .arg(root.join("tests/strangers/sdk.py"))
        .args([&base, &ann.token, &project["id"].to_string()])
        .arg(folder.path().join("foxes/dataset.zip"))
        .output()
        .await
        .unwrap();
    assert!(asked.status.success(), "{}", text(&asked));
    let said: Value = serde_json::from_slice(&asked.stdout).unwrap();
    let dataset = ann.get(&format!("/api/v1/datasets/{}", job["dataset_id"])).await.expect(200).json();
    for (name, expect) in [
        ("project", json!("Animals")),
        ("listed", json!(["Foxes"])),
        ("others", json!([])),
        ("info", dataset["id"].clone()),
        ("name", json!("Foxes")),
        ("image_count", json!(5)),
        ("size_mb", dataset["size_mb"].clone()),
        ("len", json!(5)),
        ("labels", json!(["fox", "fox", "fox", "fox", "fox"])),
        ("hashes", json!(support::site::hashes(&pictures))),
        ("downloaded_hashes", said["hashes"].clone()),
        ("downloaded_paths", said["paths"].clone()),
    ] {
        assert_eq!(said[name], expect, "{name}: {said:#}");
    }
    for missing in ["missing", "missing_archive"] {
        assert!(said[missing].as_str().unwrap().contains("not found"), "{said:#}");
    }
    for link in said["links"].as_array().unwrap() {
        send(reqwest::Client::new().get(link.as_str().unwrap())).await.expect(200);
    }
    api.stop().await;
}

/// nginx by the file of `deploy/`, which is not touched but for its places, before two clients.
#[tokio::test]
async fn nginx_stands_before_it() {
    let site = Site::start().await;
    let pictures = site.gallery("/gallery", 3, None);
    site.hold(&pictures[1..]);
    let settings = [("PIXCRAWLER_TRUSTED_PROXIES", "127.0.0.1/32"), ("PIXCRAWLER_MAX_CONNECTIONS", "16")];
    let system = System::with(&site, postgres::database().await, &settings).await;
    let _worker = system.worker(&ENDLESS).await;
    let nginx = Nginx::start(system.door().address()).await;
    let [ann, bob] = [2, 3].map(|last| nginx.client([127, 0, 0, last]));
    let url = |path: &str| format!("https://{}:{}{path}", Nginx::NAME, nginx.address.port());
    let get = |client: &reqwest::Client, path: &str| client.get(url(path)).bearer_auth(system.token());

    // `Location` and links are right for who came by https.
    let body = json!({ "name": "x", "urls": [format!("{ORIGIN}/gallery")], "sources": ["webpage"], "max_images": 3 });
    let made =
        ann.post(url("/api/v1/crawl-jobs/")).bearer_auth(system.token()).json(&body).send().await.unwrap();
    assert_eq!(made.status(), 201);
    let location = made.headers()["location"].to_str().unwrap().to_owned();
    let job: Value = send(get(&ann, &location)).await.expect(200).json();
    system.until(job["id"].as_i64().unwrap(), "one is kept", |job| job["kept"] == 1).await;
    let manifest = get(&ann, &format!("{location}/manifest")).send().await.unwrap().text().await.unwrap();
    let line: Value = serde_json::from_str(manifest.lines().next().unwrap()).unwrap();
    let link = line["download_url"].as_str().unwrap();
    assert!(link.starts_with(&url("/api/v1/images/")), "{link}");
    let whole = ann.get(link).send().await.unwrap().bytes().await.unwrap();
    let part = ann.get(link).header("range", "bytes=2-5").send().await.unwrap();
    assert_eq!(part.status(), 206);
    assert_eq!(part.bytes().await.unwrap(), whole.slice(2..6));

    // A change is there before the stream ends, and before its heartbeat.
    let events = job["events_url"].as_str().unwrap();
    let mut followed = Events::open(ann.get(url(events))).await;
    assert_eq!(followed.next().await.unwrap().1["kept"], 1);
    site.release(&pictures[1..2]);
    assert_eq!(followed.next().await.unwrap().1["kept"], 2);

    // What is too large is refused here in JSON, and far beyond that there.
    for (mebibytes, by_host) in [(2, true), (5, false)] {
        let body = vec![b' '; mebibytes << 20];
        let post = ann.post(url("/api/v1/crawl-jobs/")).bearer_auth(system.token()).body(body);
        let answer = post.header("content-type", "application/json").send().await.unwrap();
        assert_eq!(answer.status(), 413, "{mebibytes} MiB");
        assert_eq!(answer.headers()["content-type"] == "application/problem+json", by_host);
    }

    // A client has its share, whoever it says to be, and another has its own.
    let mut streams = vec![followed];
    while streams.len() < 4 {
        let mut events = Events::open(ann.get(url(events))).await;
        events.next().await.unwrap();
        streams.push(events);
    }
    for said in [None, Some("203.0.113.9")] {
        let request = get(&ann, &location);
        let request = match said {
            Some(said) => request.header("x-forwarded-for", said),
            None => request,
        };
        send(request).await.expect(429);
    }
    send(get(&bob, &location)).await.expect(200);
    assert!(!nginx.log().contains("signature"), "{}", nginx.log());
    assert!(nginx.log().contains("/file"), "{}", nginx.log());
}

/// nginx with the site of `deploy/nginx.conf`.
struct Nginx {
    child: tokio::process::Child,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

impl Nginx {
    const NAME: &str = "images.example.org";

    async fn start(host: SocketAddr) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name).display().to_string();
        let mut openssl = Command::new("openssl");
        openssl.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]);
        openssl.args(["-days", "2", "-subj", &format!("/CN={}", Self::NAME)]);
        openssl.args(["-keyout", &place("key.pem"), "-out", &place("cert.pem")]);
        let made = openssl.output().await.unwrap();
        assert!(made.status.success(), "{}", text(&made));
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();

        let mut site = std::fs::read_to_string(root.join("deploy/nginx.conf")).unwrap();
        for (there, here) in [
            ("server 127.0.0.1:8000;", format!("server {host};")),
            ("listen 443 ssl http2;", format!("listen {address} ssl http2;")),
            ("    listen [::]:443 ssl http2;\n", String::new()),
            ("/etc/letsencrypt/live/images.example.org/fullchain.pem", place("cert.pem")),
            ("/etc/letsencrypt/live/images.example.org/privkey.pem", place("key.pem")),
            ("/var/log/nginx/pixcrawler.log", place("access.log")),
        ] {
            assert!(site.contains(there), "{there}");
            site = site.replace(there, &here);
        }
        let own: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|kind| format!("{kind}_temp_path {};\n", place(kind)))
            .collect();
        let main = format!(
            "daemon off;\nmaster_process off;\npid {};\nerror_log {};\nevents {{}}\nhttp {{\n{own}{site}}}\n",
            place("pid"),
            place("error.log")
        );
        std::fs::write(place("nginx.conf"), main).unwrap();
        let fetched = root.join("target/tools/nginx/usr/sbin/nginx");
        let program = if fetched.exists() { fetched } else { PathBuf::from("nginx") };
        let child = Command::new(program)
            .args([
                "-p",
                folder.path().to_str().unwrap(),
                "-c",
                &place("nginx.conf"),
                "-e",
                &place("error.log"),
            ])
            .kill_on_drop(true)
            .spawn()
            .expect("run `make strangers`, which fetches nginx");
        let mut nginx = Self { child, address, folder };
        while tokio::net::TcpStream::connect(address).await.is_err() {
            assert!(nginx.child.try_wait().unwrap().is_none(), "nginx ended: {}", nginx.read("error.log"));
            tokio::task::yield_now().await;
        }
        nginx
    }

    /// A client with this address of the machine.
    fn client(&self, from: [u8; 4]) -> reqwest::Client {
        reqwest::Client::builder()
            .resolve(Self::NAME, self.address)
            .local_address(std::net::IpAddr::from(from))
            .tls_danger_accept_invalid_certs(true)
            .build()
            .unwrap()
    }

    fn log(&self) -> String {
        self.read("access.log")
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name)).unwrap_or_default()
    }
}

/// A server of S3 that others wrote, in which objects are put, listed, read in part, redirected to, copied and
/// deleted. It believes every signature.
#[tokio::test]
async fn moto_keeps_objects() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let program = root.join("target/tools/strangers/python/bin/moto_server");
    assert!(program.exists(), "run `make strangers`, which fetches the server");
    let mut moto = Command::new(program)
        .args(["-H", "127.0.0.1", "-p", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut said = tokio::io::BufReader::new(moto.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("Running on") {
        line.clear();
        assert_ne!(
            tokio::io::AsyncBufReadExt::read_line(&mut said, &mut line).await.unwrap(),
            0,
            "moto ended"
        );
    }
    let endpoint = line.trim().rsplit_once(' ').unwrap().1.to_owned();
    // Else it stops when the pipe is full.
    tokio::spawn(async move { tokio::io::copy(&mut said, &mut tokio::io::sink()).await });
    let client = reqwest::Client::new();
    assert_eq!(send(client.put(format!("{endpoint}/pictures"))).await.status, 200);
    let keys = async || {
        let listed = send(client.get(format!("{endpoint}/pictures?list-type=2"))).await.text;
        listed.matches(".png</Key>").count()
    };

    let site = Site::start().await;
    site.gallery("/gallery", 5, None);
    let (mapping, at) = (site.mapping(), format!("--s3-endpoint={endpoint}"));
    let mut settings = vec!["--map-origin", &mapping, &at, "--s3-bucket=pictures", "--s3-prefix=some/where"];
    settings.extend(["--s3-access-key-id=id", "--s3-secret-access-key=secret"]);
    let api = Api::crawling(&settings).await;
    let ann = api.user("ann@example.org");
    let body = json!({ "name": "x", "urls": [format!("{ORIGIN}/gallery")], "max_images": 5 });
    let job = ann.create(&body).await;
    let shown = ann.over(job).await;
    assert_eq!(shown["kept"], 5);
    assert_eq!(keys().await, 5);
    let images = ann.get(&format!("/api/v1/crawl-jobs/{job}/images")).await.expect(200).json();
    let link = images["items"][0]["url"].as_str().unwrap();
    assert_eq!(send(api.request("GET", link).header("range", "bytes=1-3")).await.expect(206).text, "PNG");
    let user = pixcrawler::model::UserId(shown["user_id"].as_str().unwrap().parse().unwrap());
    let store = &api.app.store;
    let object = {
        let mut pages = store.objects(user);
        futures_util::TryStreamExt::try_next(&mut pages).await.unwrap().unwrap().remove(0)
    };
    let url = store.signed_url(user, &object.sha256, object.format, std::time::Duration::from_mins(1)).await;
    let file = send(client.get(url.unwrap().unwrap())).await.expect(200);
    assert_eq!(file.header("content-type"), Some("image/png"));
    assert_eq!(
        file.header("content-disposition"),
        Some(&*format!("inline; filename=\"{}.png\"", object.sha256))
    );
    let swept = pixcrawler::services::objects::sweep(&api.app.db, store, false).await.unwrap();
    assert_eq!((swept.objects, swept.missing, swept.spared), (5, 0, 0));

    let folder = postgres::data_dir();
    let copied = Command::new(env!("CARGO_BIN_EXE_pixcrawler"))
        .args(["objects", "copy", "--to=folder", "--verify"])
        .args(&settings[2..])
        .env("DATABASE_URL", api.database.url.expose_secret())
        .env("PIXCRAWLER_DATA_DIR", folder.of_host())
        .output()
        .await
        .unwrap();
    assert!(copied.status.success() && text(&copied).contains("5 copied"), "{}", text(&copied));
    api.app.delete_user(user).await.unwrap();
    assert_eq!(keys().await, 0);
    api.stop().await;
}
