//! The private Postgres: started, shared, left behind, recovered.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
};

use pixcrawler::{
    db,
    postgres::{Durability, PostgresError, PrivatePostgres},
};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use secrecy::{ExposeSecret, SecretString};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::support::{postgres::data_dir, site::PATIENCE};

async fn start(dir: &Path) -> Result<PrivatePostgres, PostgresError> {
    PrivatePostgres::start(dir, None, Durability::ThrownAway).await
}

/// One row for each call, all of them counted.
async fn count_call(url: &SecretString) -> i64 {
    let pool = db::connect(url, 1).await.unwrap();
    sqlx::query("create table if not exists call (at timestamptz default now())")
        .execute(&pool)
        .await
        .unwrap();
    sqlx::query("insert into call default values").execute(&pool).await.unwrap();
    let calls = sqlx::query_scalar("select count(*) from call").fetch_one(&pool).await.unwrap();
    pool.close().await;
    calls
}

fn record(dir: &Path) -> PathBuf {
    dir.join("postgres/postmaster.pid")
}

pub(crate) fn server(dir: &Path) -> Option<Pid> {
    let record = fs::read_to_string(record(dir)).ok()?;
    Pid::from_raw(record.lines().next()?.parse().ok()?)
}

#[tokio::test]
async fn what_was_written_is_there_at_the_next_start() {
    let dir = data_dir();
    let first = start(dir.path()).await.unwrap();
    assert_eq!(count_call(&first.url()).await, 1);
    first.stop().await.unwrap();
    assert!(!record(dir.path()).exists(), "the last one out ends the server");

    let second = start(dir.path()).await.unwrap();
    assert_eq!(count_call(&second.url()).await, 2);
    second.stop().await.unwrap();
}

#[tokio::test]
async fn the_server_is_shared_and_ended_by_the_last() {
    let dir = data_dir();
    // Together, from nothing.
    let (first, second) = tokio::join!(start(dir.path()), start(dir.path()));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(count_call(&first.url()).await, 1);
    let running = server(dir.path());

    first.stop().await.unwrap();
    assert_eq!(count_call(&second.url()).await, 2);
    assert_eq!(server(dir.path()), running);
    second.stop().await.unwrap();
    assert!(!record(dir.path()).exists());
}

#[tokio::test]
async fn a_server_left_behind_is_adopted() {
    let dir = data_dir();
    let killed = start(dir.path()).await.unwrap();
    let running = server(dir.path());
    // What the kernel does when the process is killed: the locks are let go of.
    drop(killed);

    let next = start(dir.path()).await.unwrap();
    assert_eq!(server(dir.path()), running);
    next.stop().await.unwrap();
    assert!(!record(dir.path()).exists());
}

#[tokio::test]
async fn a_killed_server_is_recovered() {
    let dir = data_dir();
    let first = start(dir.path()).await.unwrap();
    assert_eq!(count_call(&first.url()).await, 1);
    kill_process(server(dir.path()).unwrap(), Signal::KILL).unwrap();
    drop(first);

    let next = start(dir.path()).await.unwrap();
    assert_eq!(count_call(&next.url()).await, 2);
    next.stop().await.unwrap();
}

#[tokio::test]
async fn the_record_of_a_server_whose_number_went_to_another_process_is_stale() {
    let dir = data_dir();
    start(dir.path()).await.unwrap().stop().await.unwrap();
    // A live process of the user who runs Postgres, but no Postgres.
    let owner = fs::metadata(dir.path().join("postgres")).unwrap();
    let mut other = tokio::process::Command::new("sleep");
    other.arg("1000").kill_on_drop(true);
    if rustix::process::geteuid().is_root() {
        use std::os::unix::fs::MetadataExt;
        other.uid(owner.uid()).gid(owner.gid());
    }
    let mut other = other.spawn().unwrap();
    let pid = other.id().unwrap();
    fs::write(record(dir.path()), format!("{pid}\n{}\n0\n5432\n\n\n\n\n", dir.path().display())).unwrap();
    fs::set_permissions(record(dir.path()), fs::Permissions::from_mode(0o666)).unwrap();

    let next = start(dir.path()).await.unwrap();
    next.stop().await.unwrap();
    assert!(other.try_wait().unwrap().is_none(), "the other process is none of our business");
}

#[tokio::test]
async fn a_half_made_cluster_is_made_anew() {
    let dir = data_dir();
    let half = dir.path().join("postgres.new-1");
    fs::create_dir(&half).unwrap();
    fs::write(half.join("PG_VERSION"), "15\n").unwrap();
    start(dir.path()).await.unwrap().stop().await.unwrap();
    assert!(!half.exists());
}

#[tokio::test]
async fn a_long_or_odd_path_gets_a_short_socket() {
    let dir = data_dir();
    let odd = dir.path().join(format!("a, \"b\" é {}", "long-".repeat(25)));
    let server = start(&odd).await.unwrap();
    assert_eq!(count_call(&server.url()).await, 1);
    assert!(server.url().expose_secret().contains("tmp%2Fpixcrawler-"));
    let socket = fs::read_to_string(record(&odd)).unwrap().lines().nth(4).map(PathBuf::from).unwrap();
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o700);
    server.stop().await.unwrap();
    assert!(!socket.exists());
}

#[tokio::test]
async fn data_of_another_version_are_left_alone() {
    let dir = data_dir();
    let cluster = dir.path().join("postgres");
    fs::create_dir(&cluster).unwrap();
    fs::write(cluster.join("PG_VERSION"), "11\n").unwrap();
    let Err(error) = start(dir.path()).await else { panic!("started") };
    let message = error.to_string();
    assert!(matches!(error, PostgresError::WrongVersion { needed: 11, .. }), "{message}");
    for part in [
        "are of Postgres 11",
        "--pg-bin",
        "pixcrawler backup",
        "pixcrawler restore",
        cluster.to_str().unwrap(),
    ] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(fs::read_dir(&cluster).unwrap().count(), 1);
}

#[tokio::test]
async fn missing_programs_are_named() {
    let dir = data_dir();
    let Err(error) = PrivatePostgres::start(dir.path(), Some(Path::new("/nowhere")), Durability::Kept).await
    else {
        panic!("started")
    };
    let message = error.to_string();
    assert!(message.contains("apt install postgresql") && message.contains("/nowhere"), "{message}");
}

#[tokio::test]
async fn a_closed_folder_says_how_to_open_it() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let dir = data_dir();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let Err(error) = start(&dir.path().join("data")).await else { panic!("started") };
    let message = error.to_string();
    assert!(message.contains(&format!("chmod o+x {}", dir.path().display())), "{message}");
}

#[tokio::test]
async fn postgres_has_none_of_the_groups_of_root() {
    let dir = data_dir();
    let running = start(dir.path()).await.unwrap();
    let pid = server(dir.path()).unwrap();
    test_kill_process(pid).unwrap();
    if let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status"))
        && rustix::process::geteuid().is_root()
    {
        let groups = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap();
        assert_eq!(groups.trim(), "");
    }
    running.stop().await.unwrap();
}

/// Long before anything is ready: it waits for its turn at Postgres.
#[tokio::test]
async fn a_signal_is_heeded_from_the_start() {
    let dir = data_dir();
    let turn = fs::File::create(dir.path().join("postgres.lock")).unwrap();
    turn.lock().unwrap();
    let mut serve = tokio::process::Command::new(env!("CARGO_BIN_EXE_pixcrawler"))
        .args(["serve", "--port=0"])
        .env("PIXCRAWLER_DATA_DIR", dir.path())
        .env("REDIS_URL", "redis://ignored")
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(serve.stderr.take().unwrap()).lines();
    while !lines.next_line().await.unwrap().unwrap().contains("REDIS_URL is set but not used") {}
    let pid = Pid::from_raw(serve.id().unwrap().try_into().unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    let ended = tokio::time::timeout(PATIENCE / 2, serve.wait()).await;
    assert!(ended.expect("it goes on waiting").unwrap().success());
    assert_eq!(server(dir.path()), None);
}
