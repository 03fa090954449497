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
