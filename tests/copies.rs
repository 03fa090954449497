//! Of a picture of which a source knows several copies, the best that is any good is kept.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::{
    process::System,
    site::{ORIGIN, Reply, Site, hashes, picture},
};

/// Where the best copy of a picture is. A host that asks to come back later means all that it has.
fn best(name: &str) -> String {
    let origin = if name == "later" { "http://later.example" } else { ORIGIN };
    format!("{origin}/best/{name}")
}

/// A page of pictures with a small copy and a best one each.
fn page(names: &[&str]) -> Reply {
    let mut html = String::new();
    for name in names {
        let best = best(name);
        write!(html, "<img src=/small/{name} srcset='/small/{name} 160w, {best} 320w'>").unwrap();
    }
    Reply::Page(html)
}

#[tokio::test]
async fn whatever_is_wrong_with_a_copy_the_next_is_tried() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    let bytes = |bytes: &[u8]| Reply::Bytes(bytes.into());
    let huge = {
        let mut png = picture("huge");
        png[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        png
    };
    let cut = picture("cut");
    let wrong: [(&str, Reply, &str); 9] = [
        ("forbidden", Reply::Status(403, None), "http-status"),
        ("gone", Reply::Status(404, None), "not-found"),
        ("down", Reply::Status(503, None), "server-error"),
        ("later", Reply::Status(429, Some(3600)), "rate-limited"),
        ("page", bytes(b"<!DOCTYPE html><h1>Not here</h1>"), "not-an-image"),
        ("empty", bytes(b""), "empty"),
        ("cut", bytes(&cut[..cut.len() / 2]), "truncated"),
        ("avif", bytes(b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf"), "unsupported-format"),
        ("huge", bytes(&huge), "too-many-pixels"),
    ];
    let names: Vec<&str> = wrong.iter().map(|(name, ..)| *name).collect();
    let small: Vec<String> = names.iter().map(|name| format!("/small/{name}")).collect();
    site.on("/all", [page(&names)]);
    for (name, reply, _) in &wrong {
        site.on(&format!("/best/{name}"), [reply.clone()]);
        site.on(&format!("/small/{name}"), [Reply::Picture]);
    }
    let job = system.create(&["/all"], 100).await;
    let shown = system.until_status(job, "completed").await;
    assert_eq!((&shown["kept"], &shown["refused"]), (&json!(wrong.len()), &json!({})), "{shown:#}");
    assert_eq!(shown["total_images"], wrong.len(), "{shown:#}");

    let rows = system.images(job).await;
    let kept: std::collections::BTreeSet<String> =
        rows.iter().map(|row| row["hash"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kept, hashes(&small));
    for (name, _, reason) in wrong {
        let (best, small) = (best(name), format!("{ORIGIN}/small/{name}"));
        let row = rows.iter().find(|row| row["original_url"] == *small).unwrap();
        let copy = &row["metadata"]["refused_copies"][0];
        assert_eq!(
            (&row["asked_url"], &copy["url"], &copy["reason"]),
            (&json!(best), &json!(best), &json!(reason))
        );
        // Found by either address.
        for url in [best, small] {
            let found = system.get(&format!("/api/v1/crawl-jobs/{job}/images?url={url}")).await.expect(200);
            assert_eq!(found.json()["items"][0]["id"], row["id"], "{url}");
        }
    }
}

/// What is shown of several refusals is what a retry can mend, and a retry begins with the best.
#[tokio::test]
async fn a_retry_begins_with_the_best_copy() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    site.on("/all", [page(&["a", "b"])]);
    let down = vec![Reply::Status(503, None); 3];
    site.on("/best/a", [Reply::Status(404, None), Reply::Picture]);
    site.on("/small/a", down.iter().cloned().chain([Reply::Picture]));
    site.on("/best/b", [Reply::Status(403, None)]);
    site.on("/small/b", [Reply::Status(404, None)]);
    // Something to go on with.
    let job = system.create(&["/all", "/gone"], 100).await;
    let shown = system.until_status(job, "failed").await;
    assert_eq!(shown["refused"], json!({ "server-error": 1, "http-status": 1 }), "{shown:#}");
    for row in system.images(job).await {
        assert!(row["original_url"].as_str().unwrap().contains("/best/"), "{row:#}");
        assert_eq!(row["metadata"]["refused_copies"].as_array().unwrap().len(), 1, "{row:#}");
    }
    system.tell(job, "retry").await;
    let shown = system.until(job, "the picture", |job| job["kept"] == 1).await;
    assert_eq!(shown["refused"], json!({ "http-status": 1 }), "{shown:#}");
    let rows = system.images(job).await;
    let kept = rows.iter().find(|row| row["is_valid"] == true).unwrap();
    assert_eq!(
        (&kept["original_url"], &kept["asked_url"]),
        (&json!(format!("{ORIGIN}/best/a")), &Value::Null)
    );
    assert_eq!(site.requests("/best/b").len(), 1, "what will not pass was tried again");
}

#[tokio::test]
async fn a_worker_that_dies_takes_no_refusal_along() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    site.on("/all", [page(&["a"])]);
    site.on("/best/a", [Reply::Status(403, None)]);
    site.on("/small/a", [Reply::Picture]);
    let mut worker = system.worker(&[("PIXCRAWLER_KILL_AT", "decode@/small/a")]).await;
    let job = system.create(&["/all"], 100).await;
    worker.exited().await;
    let _worker = system.worker(&[]).await;
    let shown = system.until_status(job, "completed").await;
    assert_eq!(shown["kept"], 1, "{shown:#}");
    assert_eq!((site.requests("/best/a").len(), site.requests("/small/a").len()), (1, 2));
    let row = &system.images(job).await[0];
    assert_eq!(row["metadata"]["refused_copies"][0]["reason"], "http-status", "{row:#}");
}

/// Workers that die one after the other, each a copy further on, get on.
#[tokio::test]
async fn a_refused_copy_is_progress() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let copies = ["a", "b", "c", "d", "e"];
    let last = copies.len() - 1;
    let set: Vec<String> = (0..).zip(copies).map(|(at, copy)| format!("/{copy} {}w", 900 - at)).collect();
    site.on("/page", [Reply::Page(format!("<img src=/{} srcset='{}'>", copies[last], set.join(", ")))]);
    for copy in copies {
        site.on(&format!("/{copy}"), [Reply::Bytes((&b"no picture"[..]).into())]);
    }
    site.on(&format!("/{}", copies[last]), [Reply::Picture]);
    let mut job = 0;
    for copy in &copies[1..last] {
        let at = format!("decode@/{copy}");
        let mut worker = system.worker(&[("PIXCRAWLER_KILL_AT", &at)]).await;
        if job == 0 {
            job = system.create(&["/page"], 100).await;
        }
        worker.exited().await;
    }
    let _worker = system.worker(&[]).await;
    let shown = system.until_status(job, "completed").await;
    assert_eq!(shown["kept"], 1, "{shown:#}");
    let row = &system.images(job).await[0];
    assert_eq!(row["metadata"]["refused_copies"].as_array().unwrap().len(), last, "{row:#}");
    assert_eq!(copies.map(|copy| site.requests(&format!("/{copy}")).len()), [1, 2, 2, 2, 1]);
}
