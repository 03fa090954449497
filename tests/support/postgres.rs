//! One throw-away Postgres for a run of the test binary, a database of its own for each test.

use std::{
    fs,
    io::PipeWriter,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use pixcrawler::{
    db::{self, PgPool},
    postgres::{Durability, PrivatePostgres},
};
use secrecy::{ExposeSecret, SecretString};
use sqlx::{Postgres, Transaction};
use tokio::sync::OnceCell;
use uuid::Uuid;

use super::site::PATIENCE;

/// An empty database, up to date, that nobody else uses. It goes with the run.
pub(crate) struct TestDatabase {
    /// For programs under test.
    pub(crate) url: SecretString,
    /// Connected as the superuser.
    pub(crate) pool: PgPool,
}

impl TestDatabase {
    /// Makes a user of Supabase, whose tokens others issue.
    pub(crate) async fn sign_up(&self, id: &str, email: &str) {
        sqlx::query("insert into auth.users (id, email, raw_user_meta_data) values ($1::uuid, $2, $3)")
            .bind(id)
            .bind(email)
            .bind(serde_json::json!({ "full_name": "Ann" }))
            .execute(&self.pool)
            .await
            .unwrap();
    }
}

/// A copy of the template.
pub(crate) async fn database() -> TestDatabase {
    static CREATED: AtomicU32 = AtomicU32::new(0);
    let cluster = cluster().await;
    let name = format!("test_{}", CREATED.fetch_add(1, Ordering::Relaxed));
    cluster.create(&name, "template_pixcrawler").await;
    cluster.connect(&name).await
}

/// A database with nothing in it, not even what Supabase brings.
pub(crate) async fn empty_database() -> TestDatabase {
    static CREATED: AtomicU32 = AtomicU32::new(0);
    let cluster = cluster().await;
    let name = format!("empty_{}", CREATED.fetch_add(1, Ordering::Relaxed));
    cluster.create(&name, "template0").await;
    cluster.connect(&name).await
}

/// One that only has what Supabase brings, and what these statements make on top.
pub(crate) async fn made_by(statements: &str) -> TestDatabase {
    let database = empty_database().await;
    db::bootstrap(&database.pool).await.unwrap();
    execute(&database.pool, statements).await;
    database
}

/// The database at this address, brought up to date.
pub(crate) async fn prepared(url: SecretString) -> TestDatabase {
    let pool = db::connect(&url, 5).await.unwrap();
    db::bootstrap(&pool).await.unwrap();
    db::migrate(&pool).await.unwrap();
    TestDatabase { url, pool }
}

/// Runs statements that must go well.
pub(crate) async fn execute(pool: &PgPool, statements: &str) {
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned())).execute(pool).await;
    done.unwrap_or_else(|error| panic!("{statements}: {error}"));
}

/// Waits until so many transactions wait for others.
pub(crate) async fn until_waiting(pool: &PgPool, most: i64) {
    let waiting = async {
        let count = "select count(*) from pg_stat_activity
                      where datname = current_database() and wait_event_type = 'Lock'";
        while sqlx::query_scalar::<_, i64>(count).fetch_one(pool).await.unwrap() < most {}
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("nobody waits");
}

/// The same database, as another role.
pub(crate) fn as_role(url: &SecretString, role: &str) -> SecretString {
    url.expose_secret().replacen("pixcrawler@", &format!("{role}@"), 1).into()
}

/// A transaction of the browser of `user`, with the rights of `role`.
pub(crate) async fn as_user(pool: &PgPool, role: &str, user: Uuid) -> Transaction<'static, Postgres> {
    let mut transaction = pool.begin().await.unwrap();
    let claims = serde_json::json!({"sub": user, "role": role}).to_string();
    sqlx::query("select set_config('request.jwt.claims', $1, true), set_config('role', $2, true)")
        .bind(claims)
        .bind(role)
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction
}

/// A data folder of this run, removed with the test that asked for it; with the run when
/// the test failed, because its server may still be there.
pub(crate) struct DataDir(tempfile::TempDir);

impl DataDir {
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The data folder of a host, in this one.
    pub(crate) fn of_host(&self) -> PathBuf {
        let host = self.path().join("data");
        fs::create_dir_all(&host).unwrap();
        host
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        self.0.disable_cleanup(std::thread::panicking());
    }
}

/// An empty folder that the user who runs Postgres can enter.
pub(crate) fn data_dir() -> DataDir {
    let dir = tempfile::tempdir_in(&run().dir).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o711)).unwrap();
    DataDir(dir)
}

/// What this run of the test binary leaves behind, until it ends.
struct Run {
    dir: PathBuf,
    _end: PipeWriter,
}

fn run() -> &'static Run {
    static RUN: LazyLock<Run> = LazyLock::new(|| {
        let dir = tempfile::Builder::new().prefix("pixcrawler-test-").tempdir().unwrap().keep();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o711)).unwrap();
        let end = clean_up_at_end_of_run(&dir);
        Run { dir, _end: end }
    });
    &RUN
}

async fn cluster() -> &'static TestCluster {
    static CLUSTER: OnceCell<TestCluster> = OnceCell::const_new();
    CLUSTER.get_or_init(TestCluster::start).await
}

struct TestCluster {
    server: PrivatePostgres,
    _dir: DataDir,
}

impl TestCluster {
    async fn start() -> Self {
        let dir = data_dir();
        let server = PrivatePostgres::start(dir.path(), None, Durability::ThrownAway).await.unwrap();
        let cluster = Self { server, _dir: dir };
        cluster.create("template_pixcrawler", "template0").await;
        let template = cluster.connect("template_pixcrawler").await;
        db::bootstrap(&template.pool).await.unwrap();
        db::migrate(&template.pool).await.unwrap();
        // A database in use cannot be copied.
        template.pool.close().await;
        cluster
    }

    async fn create(&self, name: &str, template: &str) {
        let admin = db::connect(&self.server.url(), 1).await.unwrap();
        let statement = format!("create database {name} template {template}");
        sqlx::query(sqlx::AssertSqlSafe(statement)).execute(&admin).await.unwrap();
        admin.close().await;
    }

    async fn connect(&self, name: &str) -> TestDatabase {
        let mut url = url::Url::parse(self.server.url().expose_secret()).unwrap();
        url.set_path(name);
        let url = SecretString::from(String::from(url));
        let pool = db::connect(&url, 5).await.unwrap();
        TestDatabase { url, pool }
    }
}

/// Statics are not dropped, and a run may be killed: a process of its own waits for its
/// end, ends the servers that are left and removes the folder.
#[expect(clippy::zombie_processes, reason = "it outlives this process")]
fn clean_up_at_end_of_run(dir: &Path) -> PipeWriter {
    let (end_of_run, ours) = std::io::pipe().unwrap();
    let script = r#"
        read -r _
        servers() { find "$1" -name postmaster.pid; }
        for server in $(servers "$1"); do kill -QUIT "$(head -n 1 "$server")"; done
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            [ -n "$(servers "$1")" ] || break
            sleep 0.2
        done
        rm -rf "$1"
    "#;
    Command::new("/bin/sh")
        .args(["-c", script, "clean-up"])
        .arg(dir)
        .stdin(end_of_run)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    ours
}
