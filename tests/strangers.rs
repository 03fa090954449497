//! Judges from outside, which are fetched and take long: `make strangers`. What they find becomes a
//! test of our own among those of `make test`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "support/postgres.rs"]
#[expect(dead_code, reason = "the other tests use the rest")]
mod postgres;

use std::{
    path::{Path, PathBuf},
    process::Output,
};

use pixcrawler::db::{
    self, PgPool,
    embedded::{Durability, Embedded},
};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use tokio::{
    net::{TcpListener, UnixStream},
    process::Command,
};

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
           from pg_constraint where connamespace = 'public'::regnamespace
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
    const LAYOUTS: [(&str, &[&str]); 4] = [
        ("ours", &[]),
        ("drizzle", &[include_str!("layouts/drizzle.sql")]),
        ("files", &[include_str!("layouts/drizzle.sql"), include_str!("layouts/files.sql")]),
        ("production", &[include_str!("layouts/drizzle.sql"), include_str!("layouts/production.sql")]),
    ];
    for (layout, statements) in LAYOUTS {
        let dir = postgres::data_dir();
        let server = Embedded::start(dir.path(), None, Durability::ThrownAway).await.unwrap();
        let pool = db::connect(&server.url(), 5).await.unwrap();
        db::bootstrap(&pool).await.unwrap();
        for statement in statements {
            sqlx::raw_sql(AssertSqlSafe(*statement)).execute(&pool).await.unwrap();
        }
        db::migrate(&pool).await.unwrap();
        pixcrawler::queue::Queue::new(&pool).migrate().await.unwrap();
        sqlx::raw_sql("create role postgres superuser login").execute(&pool).await.unwrap();
        pool.close().await;

        let project = tempfile::tempdir().unwrap();
        let port = forward_to(dir.path().join("postgres/.s.PGSQL.5432")).await;
        std::fs::create_dir(project.path().join("supabase")).unwrap();
        let config = format!("project_id = \"strangers\"\n[db]\nport = {port}\n");
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
        server.stop().await.unwrap();
    }
}

/// A port of loopback that leads to the socket of a private Postgres, which opens none.
async fn forward_to(socket: PathBuf) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = UnixStream::connect(&socket).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
        }
    });
    port
}
