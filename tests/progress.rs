//! What listeners are told while a job runs.

use sqlx::postgres::PgListener;

use crate::support::{
    process::System,
    site::{ORIGIN, PATIENCE, Reply, Site, page},
};

#[tokio::test]
async fn a_job_that_starts_says_so() {
    let site = Site::start().await;
    site.on("/page", [Reply::Held(Box::new(page(&[], None)))]);
    let system = System::start(&site).await;
    let mut listener = PgListener::connect_with(&system.pool).await.unwrap();
    listener.listen("pixcrawler").await.unwrap();
    let _worker = system.worker(&[]).await;
    let job = system.create(&["/page"], 5).await;

    let told = tokio::time::timeout(PATIENCE, listener.recv()).await.expect("told nothing").unwrap();
    assert_eq!(told.payload(), format!("job:{job}"));
    assert_eq!(
        system.job(job).await["status"],
        "running",
        "its page is held, so nothing else can have happened"
    );
    site.release(&["/page"]);
    system.until_status(job, "completed").await;
}

/// The time that is left comes from what there is, and not from a number that nobody asked for.
#[tokio::test]
async fn nobody_waits_for_what_is_not_there() {
    let site = Site::start().await;
    let first = site.gallery("/a", 3, Some("/b"));
    let second: Vec<String> = (0..4).map(|number| format!("/b/{number}.png")).collect();
    site.hold(&second);
    site.on("/b", [Reply::Held(Box::new(page(&second, None)))]);
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    let body = serde_json::json!({ "name": "all", "urls": [format!("{ORIGIN}/a")], "sources": ["webpage"] });
    let job = system.create_job(&body).await["id"].as_i64().unwrap();
    let shown = system.until(job, "the first page", |job| job["kept"] == first.len()).await;
    assert_eq!((&shown["max_images"], &shown["max_is_default"]), (&1000.into(), &true.into()));
    assert!(shown["rate"].is_number() && shown["eta_seconds"].is_null(), "{shown:#}");
    site.release(&["/b"]);
    site.busy("/b/", second.len()).await;
    let shown = system.until(job, "no page is left", |job| job["eta_seconds"].is_number()).await;
    let minutes = 4.0 / shown["rate"].as_f64().unwrap();
    assert_eq!(shown["eta_seconds"].as_f64().unwrap(), (minutes * 60.0).ceil(), "{shown:#}");
    site.release(&second);
    let shown = system.until_status(job, "completed").await;
    assert_eq!((&shown["kept"], &shown["error"]), (&7.into(), &().into()), "{shown:#}");
}

/// Who waits for a time begins then, and not when somebody happens to look: here nobody does.
#[tokio::test]
async fn what_waits_begins_when_its_time_comes() {
    let site = Site::start().await;
    site.gallery("/gallery", 3, None);
    let gallery: Vec<String> = (0..3).map(|number| format!("/gallery/{number}.png")).collect();
    site.on("/gallery", [Reply::Status(429, Some(1)), page(&gallery, None)]);
    let system = System::start(&site).await;
    let rare = [("PIXCRAWLER_HEARTBEAT", "10m"), ("PIXCRAWLER_LONGEST_SLEEP", "100ms")];
    let _worker = system.worker(&rare).await;
    let job = system.create(&["/gallery"], 3).await;
    assert_eq!(system.until_status(job, "completed").await["kept"], 3);
}
