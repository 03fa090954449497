//! What is there already is not asked for again, and what is not is never left out.

use std::{fs, os::unix::process::ExitStatusExt as _};

use rustix::process::Signal;

use super::{create, job, museum, thing, things};
use crate::support::{
    process::System,
    site::{ORIGIN, Reply, Site},
};

/// How often each of these things was asked for.
fn asked(site: &Site, ids: std::ops::Range<u32>) -> Vec<usize> {
    ids.map(|id| site.requests(&thing(id)).len()).collect()
}

#[tokio::test]
async fn two_keywords_ask_once_for_what_both_find() {
    let site = Site::start().await;
    let (system, _plugins) = museum(&site, &[("PIXCRAWLER_SLOTS", "1")]).await;
    things(&site, "fox", 1..6);
    things(&site, "owl", 4..9);
    let _worker = system.worker(&[]).await;
    let id = create(&system, &job(&["fox", "owl"])).await;
    let shown = system.until_status(id, "completed").await;
    assert_eq!(shown["kept"], 8, "{shown:#}");
    assert_eq!(asked(&site, 1..9), [1; 8]);
}

/// Only the build that made a state can read it, so that the new one begins anew.
#[tokio::test]
async fn after_an_upgrade_a_retry_asks_only_for_what_is_missing() {
    let site = Site::start().await;
    let (system, plugins) = museum(&site, &[]).await;
    things(&site, "fox", 1..6);
    let last = thing(5);
    site.on(&last, [Reply::Hang, Reply::Page(format!("{ORIGIN}/5.png"))]);
    let worker = system.worker(&[]).await;
    let id = create(&system, &job(&["fox"])).await;
    site.busy(&last, 1).await;
    system.until(id, "what was found is kept", |job| job["kept"] == 4).await;
    system.tell(id, "cancel").await;
    worker.kill().await;

    // A custom section makes it another component.
    let file = plugins.path().join("museum.wasm");
    let upgraded = [fs::read(&file).unwrap(), vec![0, 2, 1, b'x']].concat();
    fs::write(&file, upgraded).unwrap();
    let _worker = system.worker(&[]).await;
    system.tell(id, "retry").await;
    let shown = system.until_status(id, "completed").await;
    assert_eq!(shown["kept"], 5, "{shown:#}");
    assert_eq!(asked(&site, 1..6), [1, 1, 1, 1, 2]);
}

#[tokio::test]
async fn another_job_asks_only_for_what_its_dataset_does_not_have() {
    let site = Site::start().await;
    let (system, _plugins) = museum(&site, &[]).await;
    things(&site, "fox", 1..6);
    site.on("/3.png", [Reply::Status(404, None)]);
    let _worker = system.worker(&[]).await;
    let first = system.create_job(&job(&["fox"])).await;
    let shown = system.until_status(first["id"].as_i64().unwrap(), "completed").await;
    assert_eq!(shown["kept"], 4, "{shown:#}");

    things(&site, "fox", 1..8);
    let mut body = job(&["fox"]);
    body["dataset_id"] = first["dataset_id"].clone();
    let second = create(&system, &body).await;
    let shown = system.until_status(second, "completed").await;
    assert_eq!(shown["kept"], 3, "{shown:#}");
    assert_eq!(asked(&site, 1..8), [1, 1, 2, 1, 1, 1, 1]);

    let elsewhere = create(&system, &job(&["fox"])).await;
    let shown = system.until_status(elsewhere, "completed").await;
    assert_eq!(shown["kept"], 7, "another dataset has nothing of it: {shown:#}");
}

/// The first half of a thing's pictures is there when the worker dies.
#[tokio::test]
async fn half_a_thing_is_not_there() {
    let site = Site::start().await;
    let (system, _plugins) = museum(&site, &[]).await;
    things(&site, "fox", 1..2);
    let pictures: Vec<String> = (0..5).map(|number| format!("/half/{number}.png")).collect();
    for picture in &pictures {
        site.on(picture, [Reply::Picture]);
    }
    let addresses: Vec<String> = pictures.iter().map(|path| format!("{ORIGIN}{path}")).collect();
    site.on(&thing(1), [Reply::Page(addresses.join("\n"))]);
    let mut dying = system.worker(&[("PIXCRAWLER_KILL_AT", "after-step:3")]).await;
    let id = create(&system, &job(&["fox"])).await;
    assert_eq!(dying.exited().await.signal(), Some(Signal::KILL.as_raw()));
    assert_eq!(found(&system, id).await, 2);

    let _worker = system.worker(&[]).await;
    let shown = system.until_status(id, "completed").await;
    assert_eq!(shown["kept"], 5, "{shown:#}");
    assert_eq!(asked(&site, 1..2), [2]);
}

/// Candidates of a job so far.
async fn found(system: &System, job: i64) -> i64 {
    sqlx::query_scalar("select count(*) from pixcrawler.candidate where job_id = $1")
        .bind(i32::try_from(job).unwrap())
        .fetch_one(&system.pool)
        .await
        .unwrap()
}
