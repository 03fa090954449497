//! New versions, and sources that come and go, without a restart.

use serde_json::json;

use super::{page, system};
use crate::support::site::{Reply, Site};

fn pictures(site: &Site, names: &[&str]) {
    for name in names {
        site.on(&format!("/{name}.png"), [Reply::Picture]);
    }
}

#[tokio::test]
async fn a_crawl_under_way_finishes_its_step_and_goes_on_with_the_new_version() {
    let site = Site::start().await;
    pictures(&site, &["a", "b", "c"]);
    site.on("/page/1?q=fox", [page(&["a"], true)]);
    site.on("/page/2?q=fox", [Reply::Held(Box::new(page(&["b"], true)))]);
    site.on("/next/1?q=fox", [page(&["a", "b"], true)]);
    site.on("/next/2?q=fox", [page(&["c"], false)]);
    let system = system(&site).await;
    let worker = system.server(&[]).await;
    system.install_for(&worker, "steps").await;
    let job = system.create_of("steps", &["fox"]).await;
    site.seen("/page/2", 1).await;

    system.install("upgrade").await;
    worker.took_up("0.2.0", true).await;
    site.release(&["/page/2?q=fox"]);
    let job = system.until_status(job, "completed").await;
    // The old state would have been refused, and the old version would have asked for page 3.
    assert_eq!((&job["kept"], &job["chunks"][0]["error"]), (&json!(3), &json!(null)), "{job:#}");
    for (path, times) in [("/page/2", 1), ("/page/3", 0), ("/next/1", 1), ("/next/2", 1), ("/b.png", 1)] {
        assert_eq!(site.requests(path).len(), times, "{path}: {:?}", site.requests("/"));
    }
}

#[tokio::test]
async fn sources_come_and_go() {
    let site = Site::start().await;
    pictures(&site, &["a"]);
    site.on("/page/1?q=fox", [page(&["a"], true)]);
    site.on("/page/2?q=fox", [Reply::Held(Box::new(page(&[], true)))]);
    let system = system(&site).await;
    let worker = system.worker(&[]).await;
    let refused = async |why: &str| {
        let detail = system.refused("steps").await;
        assert!(detail.contains(why), "`{detail}` does not say `{why}`");
    };
    refused("is not installed").await;
    system.install_for(&worker, "steps").await;
    let job = system.create_of("steps", &["fox"]).await;
    site.seen("/page/2", 1).await;

    system.plugin(&["disable", "steps"]).await;
    for process in [system.door(), &worker] {
        process.took_up("0.1.0", false).await;
    }
    refused("plugin enable steps").await;
    let shown = system.source("steps").await;
    assert_eq!(shown["available"], false, "{shown}");
    site.release(&["/page/2?q=fox"]);
    let ended = system.until(job, "its chunk fails", |job| job["chunks"][0]["status"] == "failed").await;
    assert_eq!(ended["kept"], 1, "what it had is kept: {ended:#}");
    let error = ended["chunks"][0]["error"].as_str().unwrap();
    assert!(error.contains("plugin enable steps"), "{error}");
    assert_eq!(site.requests("/page/3"), [""; 0]);

    system.plugin(&["remove", "steps"]).await;
    system.door().logged_with("source-removed", |line| line["source"] == "steps").await;
    refused("is not installed").await;
    system.get("/api/v1/sources/steps").await.expect(404);
}

#[tokio::test]
async fn a_file_that_is_not_as_recorded_is_not_taken_up() {
    let site = Site::start().await;
    let system = system(&site).await;
    system.install("steps").await;
    system.door().took_up("0.1.0", true).await;
    let source = system.listed("steps").await;
    let file = source["file"].as_str().unwrap().to_owned();
    let sound = std::fs::read(&file).unwrap();

    // What runs is what was recorded; a host that starts has nothing of that kind.
    std::fs::write(&file, [sound.as_slice(), &[0, 2, 1, b'x']].concat()).unwrap();
    let refused = system.door().logged("plugin-left-out").await;
    assert!(refused["reason"].as_str().unwrap().contains("was changed"), "{refused}");
    let shown = system.source("steps").await;
    assert_eq!((&shown["available"], &shown["sha256"]), (&json!(true), &source["sha256"]));
    let late = system.worker(&[]).await;
    late.logged("plugin-left-out").await;

    std::fs::write(&file, sound).unwrap();
    late.took_up("0.1.0", true).await;
}
