//! The database or the store going away and coming back.

use std::{fs::File, net::SocketAddr};

use pixcrawler::postgres::{Durability, PrivatePostgres};
use rustix::process::{Signal, kill_process};
use serde_json::Value;

use super::{chunks, files, kept};
use crate::embedded::server;
use crate::support::{
    postgres::{data_dir, prepared},
    process::System,
    site::{PATIENCE, Site, hashes},
};

/// More than a pool has.
const SESSIONS: usize = 20;

#[tokio::test]
async fn a_database_that_comes_back_has_lost_nothing() {
    let dir = data_dir();
    let start = || PrivatePostgres::start(dir.path(), None, Durability::ThrownAway);
    let mut server = start().await.unwrap();
    let site = Site::start().await;
    let system = System::with(&site, prepared(server.url()).await, &[]).await;
    let all = site.gallery("/gallery", 12, None);
    let (quick, slow) = all.split_at(6);
    site.hold(slow);
    let _worker = system.worker(&[]).await;
    let job = system.create(&["/gallery"], 100).await;
    site.busy("/gallery/", 6).await;
    system.until(job, "the quick pictures are kept", |job| job["kept"] == 6).await;

    // As often as a worker may die; nobody does.
    for _ in 0..2 {
        server.stop().await.unwrap();
        site.closed("/gallery/").await;
        server = start().await.unwrap();
        site.busy("/gallery/", 6).await;
    }
    server.stop().await.unwrap();
    site.release(slow);
    site.closed("/gallery/").await;
    server = start().await.unwrap();
    let shown = system.until_status(job, "completed").await;
    assert_eq!(shown["kept"], 12, "{shown:#}");
    assert_eq!(kept(&system, job).await, hashes(&all));
    for path in quick {
        assert_eq!(site.requests(path).len(), 1, "{path} was fetched again");
    }
    drop(system);
    server.stop().await.unwrap();
}

/// Several processes use it, one of them in the middle of a crawl.
#[tokio::test]
async fn a_server_that_dies_under_those_who_use_it_is_started_again_once() {
    let site = Site::start().await;
    let system = System::private(&site).await;
    let worker = system.server(&[]).await;
    let health = |at: SocketAddr, path| async move {
        let url = format!("http://{at}/api/v1/health/{path}");
        let answer = reqwest::Client::new().get(url).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let all = site.gallery("/gallery", 12, None);
    let (quick, slow) = all.split_at(6);
    site.hold(slow);
    let job = system.create(&["/gallery"], 12).await;
    site.busy("/gallery/", 6).await;
    system.until(job, "the quick pictures are kept", |job| job["kept"] == 6).await;

    // Whoever wants to start it waits for this.
    let turn = File::options().write(true).open(system.data().join("postgres.lock")).unwrap();
    turn.lock().unwrap();
    let dead = server(&system.data()).unwrap();
    kill_process(dead, Signal::KILL).unwrap();
    for process in [system.door(), &worker] {
        process.logged("postgres-died").await;
        let (status, ready) = health(process.address(), "ready").await;
        assert_eq!((status, &ready["parts"]["database"]), (503, &"unavailable".into()), "{ready}");
        let (status, live) = health(process.address(), "").await;
        assert_eq!((status, &live["status"]), (200, &"degraded".into()), "{live}");
    }
    system.is_closed();
    site.release(slow);
    turn.unlock().unwrap();

    let again = ["postgres-restarted", "postgres-found-again"];
    let (door, worked) = tokio::join!(system.door().logged_any(&again), worker.logged_any(&again));
    assert_ne!(door["event"], worked["event"], "one of them started it");
    assert_ne!(server(&system.data()), Some(dead));
    for process in [system.door(), &worker] {
        assert_eq!(health(process.address(), "ready").await.0, 200);
        assert_eq!(health(process.address(), "").await.1["status"], "healthy");
    }
    system.until_status(job, "completed").await;
    assert_eq!(kept(&system, job).await, hashes(&all));
    for path in quick {
        assert_eq!(site.requests(path).len(), 1, "{path} was fetched again");
    }
}

#[tokio::test]
async fn sessions_that_are_cut_off_lose_nothing() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let all = site.gallery("/gallery", 12, None);
    let (quick, slow) = all.split_at(6);
    site.hold(slow);
    let _worker = system.worker(&[]).await;
    let job = system.create(&["/gallery"], 100).await;
    site.busy("/gallery/", 6).await;
    system.until(job, "the quick pictures are kept", |job| job["kept"] == 6).await;

    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()",
    )
    .execute(&system.pool)
    .await
    .unwrap();
    // What was in use a moment ago is not asked whether it lives: who meets it is told to come again, and it is gone.
    for _ in 0..SESSIONS {
        let _ = sqlx::query("select 1").execute(&system.pool).await;
        let shown = system.get(&format!("/api/v1/crawl-jobs/{job}")).await;
        assert!(matches!(shown.status, 200 | 503), "{shown:?}");
    }
    site.release(slow);
    system.until_status(job, "completed").await;
    assert_eq!(kept(&system, job).await, hashes(&all));
    for path in quick {
        assert_eq!(site.requests(path).len(), 1, "{path} was fetched again");
    }
}

#[tokio::test]
async fn a_store_that_fails_pauses_the_work_and_spends_nothing() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let all = site.gallery("/gallery", 5, None);
    let _worker = system.worker(&[]).await;
    // As root, too, nothing can be written below a file.
    let (objects, aside) = (system.objects(), system.objects().with_file_name("aside"));
    std::fs::rename(&objects, &aside).unwrap();
    std::fs::write(&objects, "not a folder").unwrap();

    let job = system.create(&["/gallery"], 100).await;
    let shown = system.until(job, "it waits", |job| chunks(job, "state")[0] == "waiting").await;
    let reason = chunks(&shown, "state_detail")[0].as_str().unwrap();
    assert!(reason.starts_with("images cannot be stored"), "{reason}");
    assert_eq!((&shown["status"], &shown["total_images"]), (&"running".into(), &0.into()), "{shown:#}");
    let readiness = system.get("/api/v1/health/ready").await.expect(503).json();
    assert_eq!(readiness["parts"]["store"], "unavailable");
    assert_eq!(readiness["parts"]["database"], "ready");

    std::fs::remove_file(&objects).unwrap();
    std::fs::rename(&aside, &objects).unwrap();
    system.get("/api/v1/health/ready").await.expect(200);
    system.hurry().await;
    system.until_status(job, "completed").await;
    assert_eq!(kept(&system, job).await, hashes(&all));
    std::fs::remove_dir_all(objects.join("databases")).unwrap();
    assert_eq!(files(&objects).len(), 5, "something else was left in the store");
}

/// All who write to a job's rows lock the private one first: several parts that begin while others end
/// would wait in a circle.
#[tokio::test]
async fn who_begins_a_part_holds_nothing_that_others_lock_later() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    site.gallery("/gallery", 1, None);
    let job = system.create(&["/gallery"], 1).await;
    let mut other = system.pool.begin().await.unwrap();
    sqlx::query("select from pixcrawler.job for update").execute(&mut *other).await.unwrap();
    let _worker = system.worker(&[]).await;
    let waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()";
    let begun = async {
        while sqlx::query_scalar::<_, i64>(waits).fetch_one(&system.pool).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, begun).await.expect("the worker begins");
    sqlx::raw_sql("select from crawl_jobs for update nowait").execute(&mut *other).await.unwrap();
    other.commit().await.unwrap();
    system.until_status(job, "completed").await;
}
