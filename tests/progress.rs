//! What listeners are told while a job runs.

use sqlx::postgres::PgListener;

use crate::support::{
    process::System,
    site::{PATIENCE, Reply, Site, page},
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
