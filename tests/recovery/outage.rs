//! The database or the store going away and coming back.

use pixcrawler::db::embedded::{Durability, Embedded};

use super::{chunks, files, kept};
use crate::support::{
    postgres::{data_dir, prepared},
    process::System,
    site::{PATIENCE, Site, hashes},
};

#[tokio::test]
async fn a_database_that_comes_back_has_lost_nothing() {
    let dir = data_dir();
    let start = || Embedded::start(dir.path(), None, Durability::ThrownAway);
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
        site.closed("/gallery/", PATIENCE).await;
        server = start().await.unwrap();
        site.busy("/gallery/", 6).await;
    }
    server.stop().await.unwrap();
    site.release(slow);
    site.closed("/gallery/", PATIENCE).await;
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
    let objects = system.objects();
    std::fs::remove_dir_all(&objects).unwrap();
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
    std::fs::create_dir(&objects).unwrap();
    system.get("/api/v1/health/ready").await.expect(200);
    system.hurry().await;
    system.until_status(job, "completed").await;
    assert_eq!(kept(&system, job).await, hashes(&all));
    assert_eq!(files(&objects).len(), 5, "something else was left in the store");
}
