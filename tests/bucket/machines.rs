//! Many machines: they share a database and a bucket, and nothing on disk.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{kept, system};
use crate::support::{
    bucket::BucketServer,
    postgres::{DataDir, data_dir},
    process::Process,
    site::{Site, hashes},
};

#[tokio::test]
async fn workers_that_share_no_disk_lose_nothing_and_keep_nothing_twice() {
    let (site, bucket) = (Site::start().await, BucketServer::start().await);
    // The front door is a machine of its own, too.
    let system = system(&site, &bucket).await;
    let pages = ["/a", "/b", "/c"];
    let all: Vec<Vec<String>> = pages.iter().map(|page| site.gallery(page, 8, None)).collect();
    for pictures in &all {
        site.hold(&pictures[2..]);
    }
    let folders: Vec<DataDir> = (0..4).map(|_| data_dir()).collect();
    let folder = |number: usize| folders[number].of_host().to_str().unwrap().to_owned();
    let mut workers: Vec<Process> = Vec::new();
    for number in 0..3 {
        let settings = [("PIXCRAWLER_DATA_DIR", &*folder(number)), ("PIXCRAWLER_SLOTS", "1")];
        workers.push(system.worker(&settings).await);
    }
    let job = system.create(&pages, 100).await;
    for page in pages {
        site.busy(&format!("{page}/"), 6).await;
    }
    system.until(job, "the quick ones are kept", |job| job["kept"] == 6).await;

    workers.remove(0).kill().await;
    workers[0].freeze();
    for pictures in &all {
        site.release(&pictures[2..]);
    }
    let shown = system
        .until_hurried(job, "the one that is left does it all", |job| job["status"] == "completed")
        .await;
    let all: Vec<String> = all.concat();
    assert_eq!(shown["kept"], all.len(), "{shown:#}");
    // What the frozen one had in its hands it finds to be others' by now.
    workers[0].thaw();
    workers[0].logged("chunk-dropped").await;

    let rows: Vec<(String, String, bool)> = sqlx::query_as(
        "select original_url, hash, is_valid and not is_duplicate from public.images where crawl_job_id = $1",
    )
    .bind(i32::try_from(job).unwrap())
    .fetch_all(&system.pool)
    .await
    .unwrap();
    let addresses: BTreeSet<&String> = rows.iter().map(|(address, ..)| address).collect();
    assert_eq!((addresses.len(), rows.len()), (all.len(), all.len()), "{rows:?}");
    assert!(rows.iter().all(|(.., kept)| *kept), "{rows:?}");
    let named: BTreeSet<String> = rows.into_iter().map(|(_, hash, _)| hash).collect();
    assert_eq!(named, hashes(&all));
    assert_eq!(kept(&bucket), named);
    for (number, folder) in folders.iter().enumerate() {
        assert!(!folder.of_host().join("objects").exists(), "machine {number} keeps objects to itself");
    }

    // It is as good as before, and shows what the others kept.
    drop(workers.pop());
    site.gallery("/d", 3, None);
    let job = system.create(&["/d"], 100).await;
    system.until_hurried(job, "the thawed one does it", |job| job["status"] == "completed").await;
    let other = folder(3);
    let door = system.server(&[("PIXCRAWLER_DATA_DIR", &other), ("PIXCRAWLER_SLOTS", "0")]).await;
    assert!(door.lines("store-not-shared").is_empty());
    let shown = system.get(&format!("/api/v1/crawl-jobs/{job}/images")).await.expect(200).json();
    for image in shown["items"].as_array().unwrap() {
        // A signed link is good at every door.
        door.get(image["url"].as_str().unwrap()).await.expect(200);
    }
    let swept = system.tool(&["sweep", "--json"], &[("PIXCRAWLER_DATA_DIR", &other)]).await;
    let swept: Value = serde_json::from_str(&swept).unwrap();
    assert_eq!((&swept["objects"], &swept["missing"], &swept["spared"]), (&json!(27), &json!(0), &json!(0)));
}
