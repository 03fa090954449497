//! A job that ended goes on with what it has.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{chunks, kept};
use crate::support::{
    film::film_of_one_colour,
    process::System,
    site::{Reply, Site, hashes, page},
};

#[tokio::test]
async fn a_cancelled_job_goes_on_without_fetching_again() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let all = site.gallery("/gallery", 8, None);
    let (quick, slow) = all.split_at(4);
    site.hold(slow);
    let _worker = system.worker(&[]).await;
    let job = system.create(&["/gallery"], 100).await;
    site.busy("/gallery/", 4).await;
    system.until(job, "the quick pictures are kept", |job| job["kept"] == 4).await;
    system.tell(job, "cancel").await;
    let before = images(&system, job).await;

    site.release(slow);
    let shown = system.tell(job, "retry").await;
    assert_eq!((&shown["kept"], &shown["error"]), (&4.into(), &().into()), "{shown:#}");
    let shown = system.until_status(job, "completed").await;
    assert_eq!((&shown["kept"], &shown["total_images"]), (&8.into(), &8.into()), "{shown:#}");
    assert_eq!(kept(&system, job).await, hashes(&all));
    let after = images(&system, job).await;
    for path in quick {
        assert_eq!(site.requests(path).len(), 1, "{path} was fetched again");
        let row = before.iter().find(|(address, _)| address.ends_with(path)).unwrap();
        assert_eq!(after[row.0], *row.1, "the row of {path} has changed");
    }
}

/// What an operator gave too little memory for is sound under other settings.
#[tokio::test]
async fn what_was_too_costly_is_tried_again() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    site.on("/gallery", [page(&["/large.webp".to_owned()], None)]);
    site.on("/large.webp", [Reply::Bytes(film_of_one_colour(2000, 2, 1).into())]);
    let worker = system.worker(&[("PIXCRAWLER_DECODE_MEMORY", "32")]).await;
    let job = system.create(&["/gallery", "/gone"], 100).await;
    let shown = system.until_status(job, "failed").await;
    assert_eq!(shown["refused"], json!({ "too-costly": 1 }), "{shown:#}");
    worker.kill().await;

    let _worker = system.worker(&[]).await;
    system.tell(job, "retry").await;
    let shown = system.until(job, "over", |job| job["completed_at"].is_string()).await;
    assert_eq!((&shown["kept"], &shown["refused"]), (&1.into(), &json!({})), "{shown:#}");
}

#[tokio::test]
async fn refusals_that_may_pass_are_tried_again_in_place() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let all = site.gallery("/gallery", 3, None);
    // Each is asked three times before it is given up.
    let down = vec![Reply::Status(503, None); 3];
    for path in &all[..2] {
        site.on(path, down.iter().cloned().chain([Reply::Picture]));
    }
    site.on(&all[2], [Reply::Status(404, None)]);
    let _worker = system.worker(&[]).await;
    let job = system.create(&["/gallery", "/gone"], 100).await;
    let shown = system.until_status(job, "failed").await;
    assert_eq!(shown["refused"], json!({ "server-error": 2, "not-found": 1 }));
    assert_eq!(chunks(&shown, "state"), ["exhausted", "failed"]);
    let before = images(&system, job).await;

    let more = site.gallery("/gone", 1, None);
    system.tell(job, "retry").await;
    let shown = system.until_status(job, "completed").await;
    assert_eq!((&shown["kept"], &shown["total_images"]), (&3.into(), &4.into()), "{shown:#}");
    assert_eq!(shown["refused"], json!({ "not-found": 1 }));
    let now_there = [&all[..2], &more[..]].concat();
    assert_eq!(kept(&system, job).await, hashes(&now_there));
    let mut after = images(&system, job).await;
    after.retain(|address, _| before.contains_key(address));
    let ids = |rows: &BTreeMap<String, (i32, Option<String>)>| {
        rows.iter().map(|(address, (id, _))| (address.clone(), *id)).collect::<Vec<_>>()
    };
    assert_eq!(ids(&after), ids(&before), "a picture has another row");
    assert_eq!(site.requests(&all[2]).len(), 1, "what will not pass was tried again");
}

#[tokio::test]
async fn a_completed_job_with_a_failed_part_says_so_and_goes_on() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let there = site.gallery("/there", 2, None);
    let _worker = system.worker(&[]).await;
    let job = system.create(&["/there", "/gone"], 100).await;
    let shown = system.until_status(job, "completed").await;
    let error = shown["error"].as_str().unwrap();
    assert!(error.starts_with("kept 2 of 100: 1 of 2 parts failed (webpage: "), "{error}");

    let more = site.gallery("/gone", 2, None);
    site.hold(&more);
    let shown = system.tell(job, "retry").await;
    assert_eq!((&shown["error"], &shown["progress"]), (&().into(), &2.into()), "{shown:#}");
    site.release(&more);
    let shown = system.until_status(job, "completed").await;
    assert_eq!(kept(&system, job).await, hashes(there.iter().chain(&more)));
    assert_eq!(shown["error"], "kept 4 of 100: the sources have no more");
    let again = system.post(&format!("/api/v1/crawl-jobs/{job}/retry"), &Value::Null).await;
    again.expect(409);
}

/// Another number changes a job that is over or under way: what is there stays, shares are even, and it
/// keeps exactly so many.
#[tokio::test]
async fn a_job_goes_on_with_another_number() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let (quick, slow) = (site.gallery("/quick", 20, None), site.gallery("/slow", 20, None));
    site.hold(&slow[1..]);
    let _worker = system.worker(&[]).await;
    let job = system.create(&["/quick", "/slow"], 6).await;
    system.until(job, "all but the slow", |job| job["kept"] == 4).await;
    let retry = async |body: Value| system.post(&format!("/api/v1/crawl-jobs/{job}/retry"), &body).await;
    for (body, status) in [
        (json!({ "max_images": 6 }), 409),
        (json!({ "max_images": 12, "update": true }), 409),
        (json!({ "max_images": 0 }), 422),
        (json!({ "max": 7 }), 422),
        (json!([]), 422),
    ] {
        retry(body).await.expect(status);
    }
    // While it is under way: whoever was faster has no more than its share.
    let shown = retry(json!({ "max_images": 16 })).await.expect(200).json();
    assert_eq!((&shown["max_images"], &shown["error"]), (&16.into(), &().into()), "{shown:#}");
    assert_eq!(chunks(&shown, "share"), [8, 8]);
    site.release(&slow);
    let shown = system.until_status(job, "completed").await;
    assert_eq!(chunks(&shown, "kept"), [8, 8], "{shown:#}");
    assert!(shown["error"].is_null(), "{shown:#}");
    assert_eq!(kept(&system, job).await.len(), 16);

    // It has as many as were asked for, and is not to have fewer.
    let full = retry(json!({ "update": true })).await.expect(409).json();
    assert_eq!(full["code"], "nothing-missing", "{full:#}");
    retry(json!({ "max_images": 5 })).await.expect(409);
    retry(json!({ "max_images": 30 })).await.expect(200);
    let shown = system.until_status(job, "completed").await;
    assert_eq!(chunks(&shown, "kept"), [15, 15], "{shown:#}");
    retry(json!({ "max_images": 100, "update": true })).await.expect(200);
    let shown = system.until(job, "over", |job| job["completed_at"].is_string()).await;
    assert_eq!((&shown["kept"], &shown["total_images"]), (&40.into(), &40.into()), "{shown:#}");
    assert_eq!(shown["error"], "kept 40 of 100: the sources have no more");
    assert_eq!(kept(&system, job).await, hashes(quick.iter().chain(&slow)));
    let dataset: i32 =
        sqlx::query_scalar("select max_images from datasets").fetch_one(&system.pool).await.unwrap();
    assert_eq!(dataset, 100, "the dataset was made for the job");

    // With fewer a job under way is over as soon as it has them.
    site.hold(&slow);
    let job = system.create(&["/slow", "/quick"], 30).await;
    system.until(job, "the quick ones", |job| job["kept"] == 15).await;
    let shown = system
        .call("POST", &format!("/api/v1/crawl-jobs/{job}/retry"), Some(&json!({ "max_images": 3 })))
        .await;
    let shown = shown.expect(200).json();
    assert_eq!(
        (&shown["status"], &shown["max_images"], &shown["error"]),
        (&json!("completed"), &json!(15), &Value::Null)
    );
}

/// The id and hash of each address's row.
async fn images(system: &System, job: i64) -> BTreeMap<String, (i32, Option<String>)> {
    let rows: Vec<(String, i32, Option<String>)> =
        sqlx::query_as("select original_url, id, hash from images where crawl_job_id = $1")
            .bind(job)
            .fetch_all(&system.pool)
            .await
            .unwrap();
    rows.into_iter().map(|(address, id, hash)| (address, (id, hash))).collect()
}
