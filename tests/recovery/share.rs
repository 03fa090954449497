//! Who gets how much: several workers, chunks, jobs in one dataset.

use std::{collections::BTreeSet, path::Path};

use serde_json::{Value, json};

use super::{chunks, kept};
use crate::support::{
    database,
    postgres::data_dir,
    process::{ENDLESS, System},
    site::{ORIGIN, Reply, Site, hashes, page},
};

/// Workers that are not to be taken for dead on a busy machine.
const PATIENT: [(&str, &str); 1] = [("PIXCRAWLER_HEARTBEAT", "10s")];

#[tokio::test]
async fn two_workers_share_a_job_and_fetch_nothing_twice() {
    let site = Site::start().await;
    let system = System::with(&site, database().await, &PATIENT).await;
    let paths: Vec<_> = (0..6).map(|number| format!("/{number}")).collect();
    let mut all = Vec::new();
    for path in &paths {
        let pictures = site.gallery(path, 4, None);
        site.on(path, [Reply::Held(Box::new(page(&pictures, None)))]);
        all.extend(pictures);
    }
    let one = [("PIXCRAWLER_SLOTS", "1")];
    let workers = [system.worker(&one).await, system.worker(&one).await];
    let job = system.create(&paths.iter().map(String::as_str).collect::<Vec<_>>(), 100).await;
    // Neither goes on before both have begun.
    while site.requests("/").iter().filter(|path| paths.contains(path)).count() < 2 {
        site.seen("/", site.requests("/").len() + 1).await;
    }
    site.release(&paths);
    system.until_status(job, "completed").await;

    assert_eq!(kept(&system, job).await, hashes(&all));
    for worker in &workers {
        let claimed: Vec<i32> = worker
            .lines("chunk-claimed")
            .iter()
            .map(|line| line["chunk"].as_str().unwrap().parse().unwrap())
            .collect();
        let (kept,): (i64,) =
            sqlx::query_as("select count(*) from images where is_valid and chunk_id = any ($1)")
                .bind(claimed)
                .fetch_one(&system.pool)
                .await
                .unwrap();
        assert!(kept > 0, "a worker kept nothing");
    }
    let mut asked = site.requests("/");
    asked.retain(|path| all.contains(path));
    asked.sort();
    assert_eq!(asked.len(), all.len(), "fetched twice: {asked:?}");
}

#[tokio::test]
async fn a_job_gets_exactly_what_was_asked_where_there_is_as_much() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let mut name = 0;
    let mut jobs = Vec::new();
    // Pictures of each address, images wanted, the shares at first; images kept of each at
    // last where that does not depend on who is first.
    for (lengths, wanted, shares, of_each) in [
        (vec![3, 3], 10, vec![5, 5], Some(vec![3, 3])),
        (vec![2, 10, 10], 12, vec![4, 4, 4], None),
        (vec![1, 20], 20, vec![10, 10], Some(vec![1, 19])),
        (vec![0, 3, 3], 2, vec![1, 1, 0], Some(vec![0, 1, 1])),
    ] {
        let mut paths = Vec::new();
        let mut all = Vec::new();
        for length in &lengths {
            name += 1;
            paths.push(format!("/{name}"));
            all.extend(site.gallery(&format!("/{name}"), *length, None));
        }
        let job = system.create(&paths.iter().map(String::as_str).collect::<Vec<_>>(), wanted).await;
        let (first,): (Vec<i32>,) = sqlx::query_as(
            "select array_agg((image_range ->> 'end')::integer - (image_range ->> 'start')::integer
                              order by chunk_index) from job_chunks where job_id = $1",
        )
        .bind(job)
        .fetch_one(&system.pool)
        .await
        .unwrap();
        assert_eq!(first, shares);
        jobs.push((job, lengths, wanted, all, of_each));
    }
    // Only now, because it shares out anew when a chunk is over.
    let _worker = system.worker(&[]).await;
    for (job, lengths, wanted, all, of_each) in jobs {
        let shown = system.until_status(job, "completed").await;
        let there = wanted.min(lengths.iter().sum());
        let kept = kept(&system, job).await;
        assert_eq!(kept.len(), there, "{lengths:?}: {shown:#}");
        assert!(kept.is_subset(&hashes(&all)));
        assert_eq!(shown["error"].is_null(), there == wanted, "{shown:#}");
        if let Some(of_each) = of_each {
            assert_eq!(chunks(&shown, "kept"), of_each, "{lengths:?}");
        }
    }
}

#[tokio::test]
async fn two_jobs_of_one_dataset_do_not_both_keep_a_picture() {
    let site = Site::start().await;
    let system = System::with(&site, database().await, &PATIENT).await;
    let all = site.gallery("/both", 8, None);
    site.hold(&all);
    let _workers = [system.worker(&[]).await, system.worker(&[]).await];
    let first = system.create(&["/both"], 100).await;
    let dataset = system.job(first).await["dataset_id"].clone();
    let second = system.create_with(&["/both"], 100, json!({ "dataset_id": dataset })).await;
    site.busy("/both/", 16).await;
    site.release(&all);

    let (first, second) =
        (system.until_status(first, "completed").await, system.until_status(second, "completed").await);
    let of = |field: &str| first[field].as_i64().unwrap() + second[field].as_i64().unwrap();
    assert_eq!((of("kept"), of("duplicates")), (8, 8), "{first:#} {second:#}");
    let mut hashes_of_both = kept(&system, first["id"].as_i64().unwrap()).await;
    hashes_of_both.extend(kept(&system, second["id"].as_i64().unwrap()).await);
    assert_eq!(hashes_of_both, hashes(&all));
    let (lost,): (i64,) = sqlx::query_as(
        "select count(*) from images d left join images o on o.id = d.duplicate_of and o.hash = d.hash
          where d.is_duplicate and o.id is null",
    )
    .fetch_one(&system.pool)
    .await
    .unwrap();
    assert_eq!(lost, 0, "a duplicate does not say of what");

    // Another job shows them under another class: they get it too, and whoever follows theirs is told.
    let mut third = site.gallery("/third", 1, None);
    third.extend(all);
    site.on("/third", [page(&third, None)]);
    let named = json!({ "dataset_id": dataset, "labels": { format!("{ORIGIN}/third"): "other" } });
    let other = system.crawl_with(&["/third"], 100, named).await;
    assert_eq!((&other["kept"], &other["duplicates"]), (&json!(1), &json!(8)), "{other:#}");
    let labels: Vec<(i32, Value)> = sqlx::query_as(
        "select crawl_job_id, to_jsonb(labels) from images where is_valid and not is_duplicate",
    )
    .fetch_all(&system.pool)
    .await
    .unwrap();
    assert_eq!(labels.len(), 9);
    for (job, labels) in labels {
        let is_new = other["id"] == json!(job);
        let of_both = format!("{ORIGIN}/both");
        assert_eq!(labels, if is_new { json!(["other"]) } else { json!([of_both, "other"]) });
    }
    for before in [first, second].iter().filter(|job| job["kept"] != json!(0)) {
        let now = system.job(before["id"].as_i64().unwrap()).await;
        assert!(now["revision"].as_i64() > before["revision"].as_i64(), "{now:#}");
        for field in ["status", "kept", "duplicates", "progress"] {
            assert_eq!(now[field], before[field]);
        }
    }
}

/// The queue hands out one message a signal: whoever ends one must signal for the next.
#[tokio::test]
async fn a_long_backlog_of_short_chunks_keeps_the_slots_busy() {
    const CHUNKS: usize = 64;
    let site = Site::start().await;
    // Nobody looks for a message by itself before the test is over.
    let system = System::with(&site, database().await, &ENDLESS).await;
    let _worker = system.worker(&[("PIXCRAWLER_SLOTS", "2")]).await;
    let paths: Vec<_> = (0..CHUNKS).map(|number| format!("/page/{number}")).collect();
    let mut pictures = Vec::new();
    for (number, path) in paths.iter().enumerate() {
        let picture = format!("/picture/{number}.png");
        site.on(&picture, [Reply::Picture]);
        site.on(path, [Reply::Held(Box::new(page(std::slice::from_ref(&picture), None)))]);
        pictures.push(picture);
    }
    let job = system.create(&paths.iter().map(String::as_str).collect::<Vec<_>>(), CHUNKS).await;
    for ended in 0..CHUNKS {
        site.seen("/page/", CHUNKS.min(ended + 2)).await;
        site.release(&[&site.requests("/page/")[ended]]);
    }
    system.until_status(job, "completed").await;
    assert_eq!(kept(&system, job).await, hashes(&pictures));
    let pages: BTreeSet<_> = site.requests("/page/").into_iter().collect();
    assert_eq!(pages.len(), site.requests("/page/").len(), "a page was read twice");
}

#[tokio::test]
async fn what_a_source_gave_before_it_failed_is_kept() {
    let plugins = data_dir();
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/guests/steps.wasm");
    std::fs::copy(&built, plugins.path().join("steps.wasm"))
        .unwrap_or_else(|error| panic!("{}: {error}; run `make guests`", built.display()));
    let settings = [("PIXCRAWLER_PLUGINS", plugins.path().to_str().unwrap()), ("PIXCRAWLER_GRANT", "steps")];
    let site = Site::start().await;
    let system = System::with(&site, database().await, &settings).await;
    let _worker = system.worker(&[("PIXCRAWLER_DOWNLOADS", "4")]).await;
    // Four are under way and three wait when the second page is asked for.
    let all = site.gallery("/gallery", 7, None);
    site.hold(&all);
    let lines: String = all.iter().map(|path| format!("{ORIGIN}{path}\n")).collect();
    site.on("/page/1?q=cats", [Reply::Page(format!("{lines}more"))]);
    site.on("/page/2?q=cats", [Reply::Redirect("http://elsewhere.example/".to_owned())]);

    let keyword = json!({ "keywords": ["cats"], "urls": [], "sources": ["steps"] });
    let job = system.create_with(&[], 100, keyword).await;
    site.seen("/page/2", 1).await;
    site.closed("/page/2").await;
    site.release(&all);
    // It may pass, as far as the plugin can tell, and is tried again until that is enough.
    let shown = loop {
        let rests = |job: &Value| job["status"] == "completed" || chunks(job, "state")[0] == "waiting";
        let shown = system.until(job, "it rests", rests).await;
        if shown["status"] == "completed" {
            break shown;
        }
        system.hurry().await;
    };
    assert_eq!(chunks(&shown, "state"), ["failed"]);
    assert_eq!(kept(&system, job).await, hashes(&all));
}
