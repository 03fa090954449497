//! A data folder that is taken away under those who use it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
};

use rustix::process::Pid;
use tokio::process::Command;

use crate::{
    embedded::server as postgres_of,
    support::{
        postgres::data_dir,
        process::System,
        site::{PATIENCE, Site},
    },
};

/// Waits for the end of a process that is not ours.
async fn gone(pid: Pid) {
    let path = format!("/proc/{pid}/stat");
    let ended = || {
        let stat = fs::read_to_string(&path).unwrap_or_default();
        let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
        state.is_none_or(|state| state == 'Z')
    };
    let wait = async {
        while !ended() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("process {pid} stays behind"));
}

#[tokio::test]
async fn a_moved_folder_ends_who_uses_it_and_is_whole_where_it_is() {
    let site = Site::start().await;
    let system = System::private(&site).await;
    let pictures = site.gallery("/gallery", 9, None);
    site.hold(&pictures[1..]);
    let mut server = system.server(&[]).await;
    let mut worker = system.worker(&[]).await;
    let job = system.create(&["/gallery"], 9).await;
    system.until(job, "one is kept", |job| job["kept"] == 1).await;
    let postgres = postgres_of(&system.data()).unwrap();

    // Asked for again, it would be made by the test.
    let place = system.data();
    let moved = place.with_file_name("moved");
    fs::rename(&place, &moved).unwrap();
    // They come before it is noticed.
    site.release(&pictures[1..]);
    for process in [&mut server, &mut worker] {
        assert_eq!(process.exited().await.code(), Some(1));
        process.logged("data-folder-lost").await;
        assert!(process.log().contains("with the folder in its place"), "{}", process.log());
    }
    gone(postgres).await;
    assert!(!place.exists(), "made where it was: {:?}", below(&place));

    let server = system.server(&[("PIXCRAWLER_DATA_DIR", moved.to_str().unwrap())]).await;
    let pool =
        pixcrawler::db::connect(&pixcrawler::postgres::running(&moved).await.unwrap(), 2).await.unwrap();
    let completed = async {
        let status = || sqlx::query_scalar::<_, String>("select status from public.crawl_jobs");
        while status().fetch_one(&pool).await.unwrap() != "completed" {}
    };
    tokio::time::timeout(PATIENCE, completed).await.unwrap();
    pool.close().await;
    let there = [("PIXCRAWLER_DATA_DIR", moved.to_str().unwrap())];
    let swept = system.tool(&["sweep", "--json"], &there).await;
    let swept: serde_json::Value = serde_json::from_str(&swept).unwrap();
    assert_eq!(
        (&swept["objects"], &swept["missing"]),
        (&9.into(), &0.into()),
        "each kept row has its object"
    );
    let mut server = server;
    server.terminate();
    assert_eq!(server.exited().await.code(), Some(0));
}

#[tokio::test]
async fn a_deleted_folder_ends_a_crawl() {
    let site = Site::start().await;
    let pictures = site.gallery("/gallery", 1, None);
    site.hold(&pictures);
    let folder = data_dir();
    let data = folder.of_host();
    let crawl = Command::new(env!("CARGO_BIN_EXE_pixcrawler"))
        .args(["crawl", "--url", "http://site.example/gallery", "--out"])
        .arg(folder.path().join("out"))
        .env("PIXCRAWLER_DATA_DIR", &data)
        .env("PIXCRAWLER_MAP_ORIGIN", site.mapping())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    site.busy(&pictures[0], 1).await;
    let postgres = postgres_of(&data).unwrap();
    delete(&data);
    let done = tokio::time::timeout(PATIENCE, crawl.wait_with_output()).await.unwrap().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("was moved or deleted while it was in use"), "{said}");
    gone(postgres).await;
}

/// What is in a folder, and in those below it.
fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).into_iter().flatten().flatten() {
            found.push(entry.path());
            folders.push(entry.path());
        }
    }
    found
}

/// As often as it takes: others write in it.
fn delete(folder: &Path) {
    while folder.exists() {
        let _ = fs::remove_dir_all(folder);
    }
}
