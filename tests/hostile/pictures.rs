//! Pictures that cost more than they are worth: each gets a verdict, once, and nobody else waits.

use serde_json::{Value, json};

use crate::support::{
    api::{Api, User},
    database,
    film::film_of_one_colour,
    process::System,
    site::{Reply, Site, hashes, page},
};

/// How often children that decode ended so.
async fn killed(user: &User<'_>, why: &str) -> u64 {
    let text = user.get("/metrics").await.expect(200).text;
    let name = format!("pixcrawler_decoders_killed_total{{why=\"{why}\"}} ");
    text.lines().find_map(|line| line.strip_prefix(&*name)?.parse().ok()).unwrap_or(0)
}

async fn images(user: &User<'_>, job: i64) -> Vec<Value> {
    let images = user.get(&format!("/api/v1/crawl-jobs/{job}/images?limit=100")).await.expect(200).json();
    images["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_picture_that_takes_too_long_gets_a_verdict_once_and_holds_nobody_up() {
    const DIFFERENT: u8 = 6;
    let site = Site::start().await;
    let mapping = site.mapping();
    let settings = ["--map-origin", &mapping, "--per-host-rate", "10000", "--decode-deadline", "300ms"];
    let api = Api::crawling(&settings).await;
    let (ann, bob) = (api.user("ann@example.org"), api.user("bob@example.org"));
    // Five addresses each.
    let bombs: Vec<String> = (0..DIFFERENT * 5).map(|number| format!("/bombs/{number}.webp")).collect();
    for (number, path) in bombs.iter().enumerate() {
        let film = film_of_one_colour(3400, 5, number as u8 % DIFFERENT);
        assert!(film.len() < 500, "{}", film.len());
        site.on(path, [Reply::Bytes(film.into())]);
    }
    site.on("/bombs", [page(&bombs, None)]);
    let good = site.gallery("/good", 24, None);
    let job = |path: &str| {
        let url = format!("{}{path}", crate::support::site::ORIGIN);
        json!({ "name": path, "urls": [url], "sources": ["webpage"] })
    };

    let costly = ann.create(&job("/bombs")).await;
    site.seen("/bombs/", usize::from(DIFFERENT)).await;
    let sound = bob.over(bob.create(&job("/good")).await).await;
    assert_eq!(sound["kept"], good.len(), "{sound:#}");
    let shown = ann.get(&format!("/api/v1/crawl-jobs/{costly}")).await.expect(200).json();
    assert_eq!(shown["status"], "running", "the others did not wait for these: {shown:#}");

    let shown = ann.over(costly).await;
    assert_eq!(shown["refused"], json!({ "too-costly": bombs.len() }), "{shown:#}");
    assert_eq!(killed(&ann, "deadline").await, u64::from(DIFFERENT), "each was decoded once");
    for image in images(&ann, costly).await {
        let detail = image["metadata"]["detail"].as_str().unwrap();
        assert!(detail.starts_with("decoding takes longer than "), "{image:#}");
    }
    api.stop().await;
}

/// A retry is for those who know better, and believes nothing that is remembered.
#[tokio::test]
async fn a_retry_decodes_what_was_too_costly_again() {
    let site = Site::start().await;
    let mapping = site.mapping();
    let api = Api::crawling(&["--map-origin", &mapping, "--decode-deadline", "300ms"]).await;
    let ann = api.user("ann@example.org");
    site.on("/bombs", [page(&["/bomb.webp".to_owned()], None)]);
    site.on("/bomb.webp", [Reply::Bytes(film_of_one_colour(3400, 5, 77).into())]);
    let urls = ["/bombs", "/gone"].map(|path| format!("{}{path}", crate::support::site::ORIGIN));
    let job = ann.create(&json!({ "name": "bombs", "urls": urls, "sources": ["webpage"] })).await;
    assert_eq!(ann.over(job).await["refused"], json!({ "too-costly": 1 }));
    assert_eq!(killed(&ann, "deadline").await, 1);
    ann.request("POST", &format!("/api/v1/crawl-jobs/{job}/retry")).send().await.unwrap();
    assert_eq!(ann.over(job).await["refused"], json!({ "too-costly": 1 }));
    assert_eq!(killed(&ann, "deadline").await, 2);
    api.stop().await;
}

/// What a dataset has seen it knows, also when those who saw it are gone.
#[tokio::test]
async fn bytes_that_a_dataset_has_seen_are_not_decoded_again() {
    let site = Site::start().await;
    let system = System::with(&site, database().await, &[("PIXCRAWLER_DECODE_DEADLINE", "300ms")]).await;
    let bomb = film_of_one_colour(3400, 5, 9);
    let first = site.gallery("/first", 2, None);
    site.on("/first/bomb.webp", [Reply::Bytes(bomb.clone().into())]);
    site.on("/first", [page(&[first.clone(), vec!["/first/bomb.webp".to_owned()]].concat(), None)]);
    let worker = system.worker(&[]).await;
    let job = system.create(&["/first"], 100).await;
    let shown = system.until_status(job, "completed").await;
    assert_eq!((&shown["kept"], &shown["refused"]), (&json!(2), &json!({ "too-costly": 1 })), "{shown:#}");
    worker.kill().await;

    // The same bytes elsewhere.
    let again = ["/again/a.png", "/again/b.webp"].map(str::to_owned);
    site.on(&again[0], [Reply::Bytes(crate::support::site::picture(&first[0]).into())]);
    site.on(&again[1], [Reply::Bytes(bomb.into())]);
    site.on("/again", [page(&again, None)]);
    let worker = system.server(&[]).await;
    let dataset = json!({ "dataset_id": shown["dataset_id"] });
    let shown = system.crawl_with(&["/again"], 100, dataset).await;
    assert_eq!(
        (&shown["duplicates"], &shown["refused"]),
        (&json!(1), &json!({ "too-costly": 1 })),
        "{shown:#}"
    );
    let metrics = worker.get("/metrics").await.expect(200).text;
    assert!(metrics.contains("pixcrawler_decode_seconds_count 0"), "{metrics}");
    assert!(!metrics.contains("pixcrawler_decoders_killed_total{"), "{metrics}");
}

/// Somebody ends the children: the pictures they had are decoded by others.
#[tokio::test]
async fn a_child_that_is_killed_takes_no_picture_along() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let worker = system.worker(&[("PIXCRAWLER_DOWNLOADS", "1")]).await;
    let (first, second) = (site.gallery("/first", 3, None), site.gallery("/second", 3, None));
    let job = system.create(&["/first"], 100).await;
    system.until_status(job, "completed").await;
    let children = worker.children("decode-pictures");
    assert!(!children.is_empty());
    for child in children {
        rustix::process::kill_process(child, rustix::process::Signal::KILL).unwrap();
    }
    let shown = system.crawl(&["/second"], 100).await;
    assert_eq!(shown["kept"], second.len(), "{shown:#}");
    assert_eq!(hashes(&first).len(), first.len());
}
