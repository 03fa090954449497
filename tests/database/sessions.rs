//! How few sessions are enough, and what becomes of everybody while there are none.

use std::time::Duration;

use pixcrawler::db::{self, ConnectError, ServerAddress};
use secrecy::ExposeSecret as _;

use crate::support::{
    database,
    events::Events,
    postgres::{TestDatabase, as_role, execute},
    process::System,
    relay::Relay,
    site::{PATIENCE, Site},
};

#[tokio::test]
async fn a_server_and_a_worker_fit_in_fifteen() {
    let TestDatabase { url, pool } = database().await;
    let role =
        "do $$ begin create role of_processes superuser login; exception when duplicate_object then end $$";
    execute(&pool, role).await;
    let site = Site::start().await;
    let paths: Vec<String> = (0..16).map(|number| format!("/gallery-{number}")).collect();
    paths.iter().for_each(|path| drop(site.gallery(path, 8, None)));
    let theirs = TestDatabase { url: as_role(&url, "of_processes"), pool: pool.clone() };
    let system = System::with(&site, theirs, &[("PIXCRAWLER_SLOTS", "16")]).await;
    let _worker = system.worker(&[]).await;
    let pages: Vec<&str> = paths.iter().map(String::as_str).collect();
    let job = system.create(&pages, 128).await;
    let sessions = "select count(*) from pg_stat_activity where usename = 'of_processes' and datname = current_database()";
    let mut most = 0;
    let done = loop {
        let now: i64 = sqlx::query_scalar(sessions).fetch_one(&pool).await.unwrap();
        most = most.max(now);
        let job = system.job(job).await;
        if job["status"] == "completed" {
            break job;
        }
    };
    assert_eq!(done["kept"], 128);
    assert!((4..=14).contains(&most), "{most} sessions");
}

#[tokio::test]
async fn a_worker_that_gets_no_session_waits() {
    let TestDatabase { url, pool } = database().await;
    let role = "do $$ begin create role limited login connection limit 0; exception when duplicate_object then end $$;
        grant usage on schema pixcrawler to limited";
    execute(&pool, role).await;
    let site = Site::start().await;
    site.gallery("/gallery", 2, None);
    let system = System::with(&site, TestDatabase { url: url.clone(), pool: pool.clone() }, &[]).await;
    let worker = system.begin("worker", &[("DATABASE_URL", as_role(&url, "limited").expose_secret())]);
    worker.logged("session-awaited").await;
    assert_eq!(worker.logged("preparing").await["what"], "connecting to the database");
    let job = system.create(&["/gallery"], 2).await;
    execute(&pool, "alter role limited superuser").await;
    system.until_status(job, "completed").await;
}

/// Nothing comes through, and nobody is told.
#[tokio::test]
async fn a_database_that_is_cut_off_is_said_soon_and_nothing_is_lost() {
    let TestDatabase { url, pool } = database().await;
    let relay = Relay::to(&url).await;
    let site = Site::start().await;
    let pictures = site.gallery("/gallery", 6, None);
    site.hold(&pictures);
    let system = System::with(&site, TestDatabase { url: relay.url(), pool }, &[]).await;
    let _worker = system.worker(&[("PIXCRAWLER_SLICE", "1h"), ("PIXCRAWLER_REQUEST_TIMEOUT", "1h")]).await;
    let job = system.create(&["/gallery"], 6).await;
    site.busy("/gallery/", 6).await;
    let events = reqwest::Client::new()
        .get(format!("http://{}/api/v1/crawl-jobs/{job}/events", system.door().address()))
        .bearer_auth(system.token());
    let events = Events::open(events).await;

    relay.cut();
    for path in ["/api/v1/health/ready", &format!("/api/v1/crawl-jobs/{job}"), "/api/v1/auth/me"] {
        // Nothing but a limit of the host's own brings an answer.
        let answer = tokio::time::timeout(PATIENCE, system.get(path)).await;
        answer.unwrap_or_else(|_| panic!("{path} is not answered")).expect(503);
    }
    system.get("/api/v1/health").await.expect(200);
    site.release(&pictures);
    relay.mend();
    let done = system.until_status(job, "completed").await;
    assert_eq!(done["kept"], 6);
    events.until(|job| job["status"] == "completed").await;

    // What is told is heard again.
    let held = site.gallery("/held", 1, None);
    site.hold(&held);
    let job = system.create(&["/held"], 1).await;
    site.busy("/held/", 1).await;
    system.tell(job, "cancel").await;
    site.closed("/held/").await;
}

#[tokio::test]
async fn a_session_that_is_held_is_not_waited_for_long() {
    let TestDatabase { url, .. } = database().await;
    let pool = db::connect(&url, 1).await.unwrap();
    let held = pool.acquire().await.unwrap();
    // Callers of the API wait for it.
    assert!(pool.options().get_acquire_timeout() < Duration::from_secs(5));
    let refused = pool.acquire().await;
    assert!(matches!(refused, Err(sqlx::Error::PoolTimedOut)), "{refused:?}");
    drop(held);
    pool.acquire().await.unwrap();
}

#[tokio::test]
async fn a_server_is_who_its_certificate_says() {
    // Signed by nobody but itself; its key protects nothing.
    const PEM: &[u8] = include_bytes!("../../host/src/fetch/tests/untrusted.pem");
    let TestDatabase { url, .. } = database().await;
    let relay = Relay::encrypted(&url, PEM).await;
    let refused = db::connect(&relay.verified_url(), 1).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Tls(_)), "{refused:?}");
    let told = refused.to_string();
    assert!(told.contains("DATABASE_CA") && told.contains("sslmode=require"), "{told}");

    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, PEM).unwrap();
    let trusted = ServerAddress { url: relay.verified_url(), ca: Some(ca) };
    let pool = db::connect(trusted.clone(), 1).await.unwrap();
    let encrypted = "select current_setting('server_version') is not null";
    assert!(sqlx::query_scalar::<_, bool>(encrypted).fetch_one(&pool).await.unwrap());
    let missing = ServerAddress { ca: Some(folder.path().join("none.pem")), ..trusted };
    let told = db::connect(missing, 1).await.unwrap_err().to_string();
    assert!(told.contains("none.pem"), "{told}");

    // One that speaks no TLS is not spoken to at all.
    let plain = Relay::to(&url).await;
    let refused = db::connect(&plain.verified_url(), 1).await.unwrap_err();
    assert!(matches!(refused, ConnectError::NoTls), "{refused:?}");
}
