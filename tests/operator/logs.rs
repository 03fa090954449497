//! What an operator reads who follows a process as it is when nothing is set.

use pixcrawler::postgres::{Durability, PrivatePostgres};

use super::system;
use crate::support::{
    postgres::{data_dir, prepared},
    process::System,
    site::{Reply, Site, page},
};

/// As when nothing is set.
const USUAL: [(&str, &str); 2] = [("PIXCRAWLER_LOG", ""), ("PIXCRAWLER_LOG_FORMAT", "text")];

/// The lines behind the time, as who reads them sees them.
fn read(log: &str) -> Vec<String> {
    let lines = log.lines().map(|line| serde_json::from_str::<String>(line).unwrap());
    lines.map(|line| line.split_once("Z ").unwrap().1.trim_start().to_owned()).collect()
}

#[tokio::test]
async fn a_crawl_can_be_followed_by_its_lines() {
    let site = Site::start().await;
    let mut pictures = site.gallery("/gallery", 3, None);
    pictures.push("/gallery/missing.png".to_owned());
    site.on("/gallery", [page(&pictures, None)]);
    let system = System::start(&site).await;
    let job = system.create(&["/gallery"], 10).await;
    let mut worker = system.begin("worker", &USUAL);
    system.until_status(job, "completed").await;
    worker.terminate();
    worker.exited().await;
    // Whoever looks again and again is not told of.
    assert_eq!(system.door().lines("request").len(), 1, "{}", system.door().log());
    let made = &system.door().lines("request")[0];
    assert_eq!((&made["method"], &made["status"]), (&"POST".into(), &201.into()), "{made}");

    let log = worker.log();
    let mut lines = read(&log);
    // Where the machine is slow.
    lines.retain(|line| !line.starts_with("INFO preparing"));
    let told = |what: &str| {
        let told: Vec<&String> = lines.iter().filter(|line| line.starts_with(what)).collect();
        assert_eq!(told.len(), 1, "`{what}` in {log}");
        told[0]
    };
    told("INFO ready slots=8");
    let taken = told("INFO chunk taken job=");
    assert!(taken.contains(&format!("job={job} ")) && taken.contains("source=\"webpage\""), "{taken}");
    let done = told("INFO chunk done job=");
    for part in [
        "end=\"exhausted\"",
        "steps=2",
        "requests=1",
        "found=4",
        "kept=3",
        "duplicates=0",
        "refused=1",
        "codes=\"not-found=1\"",
    ] {
        assert!(done.contains(part), "`{part}` is missing: {done}");
    }
    assert!(done.contains(" seconds="), "{done}");
    told(&format!("INFO job done job={job} state=\"completed\" kept=3 wanted=10 failed_parts=0"));
    told("INFO stopping");
    // One for the mapping to the site of the test.
    told("WARN requests to every site are sent to");
    assert_eq!(lines.len(), 6, "each is of use, once: {log}");
    for inside in ["pixcrawler::", "graphile", "sqlx", "event="] {
        assert!(!log.contains(inside), "`{inside}` in {log}");
    }
}

#[tokio::test]
async fn a_source_that_is_paused_is_told_once() {
    let site = Site::start().await;
    site.on("/header/fox", [Reply::Status(401, None)]);
    let system = system(&site).await;
    system.install("keys").await;
    system.door().logged_with("source-loaded", |line| line["source"] == "keys").await;
    let jobs = [system.create_of("keys", &["fox"]).await, system.create_of("keys", &["fox"]).await];
    let mut worker = system.begin("worker", &USUAL);
    for job in jobs {
        system.until_status(job, "failed").await;
    }
    worker.terminate();
    worker.exited().await;
    let log = worker.log();
    let lines = read(&log);
    let paused: Vec<_> = lines.iter().filter(|line| line.contains("the source is paused")).collect();
    assert_eq!(paused.len(), 1, "{log}");
    assert!(paused[0].starts_with("ERROR ") && paused[0].contains("source=\"keys\""), "{log}");
    assert!(paused[0].contains("401"), "it says why: {log}");
    assert!(paused[0].contains("the operator runs `pixcrawler plugin enable keys`"), "and what to do: {log}");
    let ill = lines.iter().filter(|line| {
        line.starts_with("WARN job done")
            && line.contains("state=\"failed\" kept=0")
            && line.contains("reason=")
    });
    assert_eq!(ill.count(), 2, "{log}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("WARN chunk failed")).count(), 2, "{log}");
    for inside in ["pixcrawler::", "graphile", "sqlx"] {
        assert!(!log.contains(inside), "`{inside}` in {log}");
    }
}

#[tokio::test]
async fn a_database_that_goes_and_comes_back_is_two_lines() {
    let dir = data_dir();
    let start = || PrivatePostgres::start(dir.path(), None, Durability::ThrownAway);
    let mut server = start().await.unwrap();
    let site = Site::start().await;
    let pictures = site.gallery("/gallery", 2, None);
    site.hold(&pictures[..1]);
    let system = System::with(&site, prepared(server.url()).await, &[]).await;
    let mut worker = system.begin("worker", &USUAL);
    worker.said("INFO ready slots").await;
    let job = system.create(&["/gallery"], 10).await;
    worker.said("INFO chunk taken").await;
    server.stop().await.unwrap();
    worker.said("the database is out of reach").await;
    server = start().await.unwrap();
    worker.said("the database is back").await;
    site.release(&pictures[..1]);
    system.until_hurried(job, "it completes", |job| job["status"] == "completed").await;
    worker.terminate();
    worker.exited().await;
    drop(system);
    server.stop().await.unwrap();

    let log = worker.log();
    let lines = read(&log);
    let count = |what: &str| lines.iter().filter(|line| line.contains(what)).count();
    assert_eq!(
        (count("out of reach; trying again"), count("the database is back seconds=")),
        (1, 1),
        "{log}"
    );
    assert_eq!(count("WARN work on a chunk was interrupted; it goes on later"), 1, "{log}");
    assert!(count("the queue failed; trying again") <= 1, "{log}");
    // Nothing comes from elsewhere: all that is grave is ours, and told by us.
    assert_eq!(count("WARN queue: ") + count("WARN database: ") + count("ERROR "), 0, "{log}");
}
