//! What was taken out of datasets goes, wherever it is, and does not come back until that is lifted.

use std::{fs, path::Path};

use image::ImageFormat;
use serde_json::{Value, json};

use crate::support::{
    api::{Answer, send},
    process::{System, named},
    site::{ORIGIN, Reply, Site, encoded, enlarged, page, picture, soft},
};

/// Takes out what the body says, of a dataset or of all.
async fn remove(system: &System, dataset: Option<&Value>, body: Value) -> Value {
    let path = match dataset {
        Some(dataset) => format!("/api/v1/datasets/{dataset}/removals"),
        None => "/api/v1/removals".to_owned(),
    };
    system.post(&path, &body).await.expect(200).json()
}

async fn remove_image(system: &System, image: &Value) -> Value {
    let path = format!("/api/v1/images/{}", image["id"]);
    system.call("DELETE", &path, None).await.expect(200).json()
}

/// What is kept out of the user's datasets, of those that the query asks for.
async fn kept_out(system: &System, query: &str) -> Value {
    system.get(&format!("/api/v1/removals{query}")).await.expect(200).json()
}

async fn lift(system: &System, removal: &Value) -> Answer {
    system.call("DELETE", &format!("/api/v1/removals/{removal}"), None).await
}

fn removal(images: u64, duplicates: u64, datasets: u64) -> Value {
    json!({ "images": images, "duplicates": duplicates, "unmeasured": 0, "datasets": datasets, "more": false })
}

/// Puts these pictures on a host of their own, where each has a number, and a page that shows them on the site.
fn show_from(site: &Site, path: &str, host: &str, pictures: impl IntoIterator<Item = Vec<u8>>) {
    let put = |(at, bytes): (u32, Vec<u8>)| {
        let address = format!("//{host}/{at}");
        site.on(&address, [Reply::Bytes(bytes.into())]);
        format!("http:{address}")
    };
    let addresses: Vec<String> = (0..).zip(pictures).map(put).collect();
    site.on(path, [page(&addresses, None)]);
}

/// A job of another user, which is over.
async fn theirs(system: &System, path: &str) -> Value {
    let job = system.ask_as("bob@example.org", &[path], 100).await.expect(201).json();
    let over = async || {
        let id = i32::try_from(job["id"].as_i64().unwrap()).unwrap();
        sqlx::query_scalar::<_, bool>("select status = 'completed' from crawl_jobs where id = $1")
            .bind(id)
            .fetch_one(&system.pool)
            .await
            .unwrap()
    };
    while !over().await {}
    job
}

/// Whether the bytes of an image are stored.
fn is_stored(system: &System, image: &Value) -> bool {
    fn holds(folder: &Path, name: &str) -> bool {
        fs::read_dir(folder).into_iter().flatten().any(|entry| {
            let path = entry.unwrap().path();
            path.is_dir() && holds(&path, name) || path.file_name().is_some_and(|file| file == name)
        })
    }
    holds(&system.objects(), image["filename"].as_str().unwrap())
}

/// How many files were made of exports and are stored.
fn made(system: &System) -> usize {
    let users = fs::read_dir(system.objects()).unwrap().map(|entry| entry.unwrap().path().join("exports"));
    let exports = users.flat_map(|exports| fs::read_dir(exports).into_iter().flatten());
    exports.map(|export| fs::read_dir(export.unwrap().path()).unwrap().count()).sum()
}

fn told(job: &Value) -> (&Value, &Value, &Value) {
    (&job["kept"], &job["duplicates"], &job["refused"])
}

#[tokio::test]
async fn a_picture_goes_with_its_duplicates_and_does_not_come_back() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    let seen = [enlarged("one", 5), soft("one", 4), picture("two"), picture("three")];
    site.show("/page", seen);
    let job = system.crawl(&["/page"], 100).await;
    assert_eq!(told(&job), (&json!(3), &json!(1), &json!({})), "{job:#}");
    let before = system.images(&job["id"]).await;
    let one = named(&before, "/page/0");
    assert!(is_stored(&system, one) && is_stored(&system, named(&before, "/page/1")));
    let exports = format!("/api/v1/datasets/{}/exports", job["dataset_id"]);
    let export = system.post(&exports, &json!({ "format": "jsonl" })).await.expect(201).json();
    let export = format!("{exports}/{}", export["id"]);
    let card = system.get(&format!("{export}/manifest.json")).await.expect(200);
    let table = system.post(&exports, &json!({ "format": "parquet" })).await.expect(201).json();
    let table = format!("{exports}/{}", table["id"]);
    while system.get(&table).await.expect(200).json()["state"] != "complete" {}
    assert_eq!(made(&system), 1);

    // By the one that is not kept, too.
    assert_eq!(remove_image(&system, named(&before, "/page/1")).await, removal(1, 1, 1));
    assert_eq!(remove_image(&system, one).await, removal(0, 0, 0));
    let left = system.job(job["id"].as_i64().unwrap()).await;
    assert_eq!(told(&left), (&json!(2), &json!(0), &json!({ "removed": 2 })), "{left:#}");
    assert_eq!(
        (&left["status"], &left["valid_images"], &left["progress"]),
        (&json!("completed"), &json!(2), &json!(100))
    );
    assert_eq!(left["error"], "kept 2 of 100: the sources have no more", "{left:#}");
    for end in ["/page/0", "/page/1"] {
        let rows = system.images(&job["id"]).await;
        let (row, was) = (named(&rows, end), named(&before, end));
        assert_eq!((&row["verdict"], &row["reason"]), (&json!("refused"), &json!("removed")), "{row:#}");
        assert_eq!((&row["storage_url"], &row["duplicate_of"]), (&Value::Null, &Value::Null), "{row:#}");
        assert_eq!(
            (&row["labels"], &row["hash"], &row["width"]),
            (&was["labels"], &was["hash"], &was["width"])
        );
        assert_eq!(row["metadata"]["detail"], "taken out", "{row:#}");
        for part in ["file", "thumbnail"] {
            system.get(&format!("/api/v1/images/{}/{part}", row["id"])).await.expect(404);
        }
        assert!(!is_stored(&system, was), "{was:#}");
    }
    let shown = system.get(&export).await.expect(200).json();
    assert_eq!(
        (&shown["images"], &shown["removed"], &shown["revision"]),
        (&json!(2), &json!(1), &json!(1)),
        "{shown:#}"
    );
    let manifest = system.get(&format!("{export}/manifest.json")).await.expect(200);
    assert_ne!(manifest.header("etag"), card.header("etag"));
    assert_eq!(manifest.json()["files"][0]["removed"], 1, "{manifest:?}");
    while system.get(&table).await.expect(200).json()["state"] != "complete" {}
    assert_eq!(made(&system), 1, "what was made with it is there still");
    let dataset = system.get(&format!("/api/v1/datasets/{}", job["dataset_id"])).await.expect(200).json();
    assert_eq!(
        (&dataset["image_count"], &dataset["images_collected"], &dataset["refused_count"]),
        (&json!(2), &json!(2), &json!(2))
    );

    // The same bytes, and others that look like them.
    site.show("/again", [enlarged("one", 5), soft("one", 7), picture("two"), picture("four")]);
    let more = json!({ "dataset_id": job["dataset_id"], "rules": { "near_duplicates": 0 } });
    let again = system.crawl_with(&["/again"], 100, more).await;
    assert_eq!(told(&again), (&json!(1), &json!(1), &json!({ "removed": 2 })), "{again:#}");
    let rows = system.images(&again["id"]).await;
    let detail = named(&rows, "/again/1")["metadata"]["detail"].as_str().unwrap().to_owned();
    assert!(detail.starts_with("it looks like a picture that was taken out: "), "{detail}");
    assert!(!is_stored(&system, named(&before, "/page/0")), "what is known is not stored again");
    // Nor by way of the job that had it.
    let path = format!("/api/v1/crawl-jobs/{}/retry", job["id"]);
    system.post(&path, &json!({ "update": true })).await.expect(200);
    let updated = system.until_status(job["id"].as_i64().unwrap(), "completed").await;
    assert_eq!(told(&updated), (&json!(2), &json!(0), &json!({ "removed": 2 })), "{updated:#}");
    // Another dataset may have it.
    let other = system.crawl(&["/again"], 100).await;
    assert_eq!(told(&other), (&json!(3), &json!(1), &json!({})), "{other:#}");
}

#[tokio::test]
async fn addresses_and_hosts_are_kept_out_before_anything_is_downloaded() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    let hosts = ["http://a.example.net", "http://b.example.net", "http://example.org"];
    let pictures: Vec<String> =
        hosts.iter().flat_map(|host| (0..2).map(move |at| format!("{host}/{at}"))).collect();
    for address in &pictures {
        let path = address.strip_prefix("http:").unwrap();
        site.on(path, [Reply::Bytes(picture(address).into())]);
    }
    site.on("/page", [page(&pictures, None)]);
    let job = system.crawl(&["/page"], 100).await;
    assert_eq!(job["kept"], 6, "{job:#}");
    let dataset = &job["dataset_id"];
    let theirs = theirs(&system, "/page").await;

    let host = json!({ "host": "Example.net", "reason": "the site asked for it" });
    let mut dry = host.clone();
    dry["dry_run"] = json!(true);
    assert_eq!(remove(&system, Some(dataset), dry.clone()).await, removal(4, 0, 1));
    assert_eq!(remove(&system, None, dry).await, removal(4, 0, 1));
    assert_eq!(system.job(job["id"].as_i64().unwrap()).await["kept"], 6, "nothing was taken out");
    assert_eq!(remove(&system, None, host.clone()).await, removal(4, 0, 1));
    assert_eq!(remove(&system, None, host).await, removal(0, 0, 0));
    let url = json!({ "url": "HTTP://example.org:80/0#part" });
    assert_eq!(remove(&system, Some(dataset), url).await, removal(1, 0, 1));
    let rows = system.images(&job["id"]).await;
    let detail = &named(&rows, "a.example.net/0")["metadata"]["detail"];
    assert_eq!(detail, "taken out with host example.net: the site asked for it");

    let requests = || [0, 1].map(|at| site.requests(&format!("/{at}")).len());
    let before = requests();
    let again = system.crawl_with(&["/page"], 100, json!({ "dataset_id": dataset })).await;
    assert_eq!(told(&again), (&json!(0), &json!(1), &json!({ "removed": 5 })), "{again:#}");
    assert_eq!(requests(), [before[0], before[1] + 1], "what is kept out was downloaded");
    // The host is kept out of all of the user's datasets, the address of that one only.
    let new = system.crawl(&["/page"], 100).await;
    assert_eq!(told(&new), (&json!(2), &json!(0), &json!({ "removed": 4 })), "{new:#}");
    // And nobody else is concerned.
    let kept: i64 = sqlx::query_scalar(
        "select count(*) from images where crawl_job_id = $1 and is_valid and not is_duplicate",
    )
    .bind(i32::try_from(theirs["id"].as_i64().unwrap()).unwrap())
    .fetch_one(&system.pool)
    .await
    .unwrap();
    assert_eq!(kept, 6);
}

#[tokio::test]
async fn by_what_they_are() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    site.show("/page", [picture("one"), soft("one", 5), picture("two"), picture("three")]);
    let rules = json!({ "rules": { "near_duplicates": 0 } });
    let job = system.crawl_with(&["/page"], 100, rules).await;
    assert_eq!(job["kept"], 4, "{job:#}");
    let rows = system.images(&job["id"]).await;
    let dataset = Some(&job["dataset_id"]);
    // Exactly that one, and then all that look like it.
    let of = |end: &str, field: &str| json!({ field: named(&rows, end)[field] });
    let sha256 = json!({ "sha256": named(&rows, "/page/2")["hash"] });
    assert_eq!(remove(&system, dataset, sha256).await, removal(1, 0, 1));
    assert_eq!(remove(&system, dataset, of("/page/0", "pdq")).await, removal(2, 0, 1));
    let other = system.crawl(&["/page"], 100).await;
    assert_eq!(other["kept"], 3, "{other:#}");
    assert_eq!(remove(&system, None, of("/page/0", "pdq")).await, removal(1, 1, 1));

    for (body, places) in [
        (json!({}), &[""][..]),
        (json!({ "host": "example.org", "creator": "Ann" }), &[""]),
        (json!({ "host": "org", "dry_run": "yes" }), &["/dry_run", "/host"]),
        (json!({ "url": "example.org" }), &["/url"]),
        (json!({ "sha256": "00", "reason": "x".repeat(501) }), &["/reason", "/sha256"]),
        (json!({ "pdq": "z".repeat(64) }), &["/pdq"]),
    ] {
        let told = system.post("/api/v1/removals", &body).await.expect(422).json();
        assert_eq!(crate::support::api::pointers(&told), places, "{told:#}");
    }
}

/// A picture of one dataset may stand for those of another: they go together, where both are meant.
#[tokio::test]
async fn duplicates_of_another_dataset() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    site.show("/first", [enlarged("one", 5)]);
    site.show("/second", [soft("one", 4), picture("two")]);
    let mut jobs = Vec::new();
    for path in ["/first", "/second"] {
        jobs.push(system.crawl_with(&[path], 100, json!({ "rules": { "duplicates_within": "user" } })).await);
    }
    assert_eq!(told(&jobs[1]), (&json!(1), &json!(1), &json!({})), "{:#}", jobs[1]);
    let url = json!({ "url": format!("{ORIGIN}/second/0") });
    let mut dry = url.clone();
    dry["dry_run"] = json!(true);
    assert_eq!(remove(&system, Some(&jobs[1]["dataset_id"]), dry.clone()).await, removal(0, 1, 1));
    assert_eq!(remove(&system, None, dry).await, removal(1, 1, 1));
    assert_eq!(remove(&system, None, url).await, removal(1, 1, 1));
    let [first, second] = [0, 1].map(|at| jobs[at]["id"].as_i64().unwrap());
    let (first, second) = (system.job(first).await, system.job(second).await);
    assert_eq!(told(&first), (&json!(0), &json!(0), &json!({ "removed": 1 })), "{first:#}");
    assert_eq!(told(&second), (&json!(1), &json!(0), &json!({ "removed": 1 })), "{second:#}");
}

/// What is taken from a job that runs is made up for; others are found in its place.
#[tokio::test]
async fn a_job_that_runs_gets_what_it_was_asked_for() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let pictures = site.gallery("/page", 6, None);
    site.hold(&pictures[3..]);
    let job = system.create(&["/page"], 4).await;
    let _worker = system.worker(&[]).await;
    let running = system.until(job, "three of four", |job| job["kept"] == 3).await;
    let rows = system.images(&running["id"]).await;
    assert_eq!(remove_image(&system, &rows[0]).await, removal(1, 0, 1));
    let left = system.job(job).await;
    assert_eq!((&left["kept"], &left["status"]), (&json!(2), &json!("running")), "{left:#}");
    site.release(&pictures[3..]);
    let over = system.until_status(job, "completed").await;
    assert_eq!(told(&over), (&json!(4), &json!(0), &json!({ "removed": 1 })), "{over:#}");
    let kept: i64 =
        over["chunks"].as_array().unwrap().iter().map(|chunk| chunk["kept"].as_i64().unwrap()).sum();
    assert_eq!(kept, 4, "{over:#}");
}

/// A verdict that is on its way when something is taken out is written before, and the picture is taken out, or
/// after, and it is refused.
#[tokio::test]
async fn what_is_on_its_way_does_not_slip_through() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let pictures = site.gallery("/page", 2, None);
    site.hold(&pictures);
    let job = system.create(&["/page"], 100).await;
    let _worker = system.worker(&[]).await;
    site.busy("/page/", 2).await;
    let dataset = system.job(job).await["dataset_id"].clone();
    let mut tx = system.pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(hashtext('pixcrawler.dataset'), $1)")
        .bind(i32::try_from(dataset.as_i64().unwrap()).unwrap())
        .execute(&mut *tx)
        .await
        .unwrap();
    site.release(&pictures);
    site.closed("/page/").await;
    let host = ORIGIN.strip_prefix("http://").unwrap();
    let asked = remove(&system, Some(&dataset), json!({ "host": host }));
    let unlocked = async {
        while sqlx::query_scalar::<_, i64>("select count(*) from pixcrawler.removal_key")
            .fetch_one(&system.pool)
            .await
            .unwrap()
            == 0
        {}
        tx.rollback().await.unwrap();
    };
    let (removed, ()) = tokio::join!(asked, unlocked);
    assert_eq!(removed["more"], false);
    let over = system.until_status(job, "completed").await;
    assert_eq!(told(&over), (&json!(0), &json!(0), &json!({ "removed": 2 })), "{over:#}");
}

/// The bytes stay as long as another dataset of the user has them, and one that is about to have them gets them.
#[tokio::test]
async fn bytes_are_deleted_with_the_last_that_has_them() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    site.show("/page", [picture("one")]);
    let mut jobs = Vec::new();
    for _ in 0..2 {
        jobs.push(system.crawl(&["/page"], 100).await);
    }
    let first = system.images(&jobs[0]["id"]).await.remove(0);
    let second = system.images(&jobs[1]["id"]).await.remove(0);
    assert_eq!(remove_image(&system, &first).await, removal(1, 0, 1));
    assert!(is_stored(&system, &second));
    system.get(&format!("/api/v1/images/{}/file", second["id"])).await.expect(200);

    // A third one has put them, and its verdict is on its way.
    site.on("/page/0", [Reply::Held(Box::new(Reply::Bytes(picture("one").into())))]);
    let third = system.create(&["/page"], 100).await;
    site.busy("/page/0", 1).await;
    let dataset = system.job(third).await["dataset_id"].clone();
    let mut tx = system.pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(hashtext('pixcrawler.dataset'), $1)")
        .bind(i32::try_from(dataset.as_i64().unwrap()).unwrap())
        .execute(&mut *tx)
        .await
        .unwrap();
    site.release(&["/page/0"]);
    let waits = "select count(*) from pg_locks where locktype = 'advisory' and not granted and database =
                 (select oid from pg_database where datname = current_database())";
    while sqlx::query_scalar::<_, i64>(waits).fetch_one(&system.pool).await.unwrap() == 0 {}
    assert_eq!(remove_image(&system, &second).await, removal(1, 0, 1));
    assert!(!is_stored(&system, &second));
    tx.rollback().await.unwrap();
    let third = system.until_status(third, "completed").await;
    assert_eq!(told(&third), (&json!(1), &json!(0), &json!({})), "{third:#}");
    let third = system.images(&third["id"]).await.remove(0);
    assert!(is_stored(&system, &third));
    system.get(&format!("/api/v1/images/{}/file", third["id"])).await.expect(200);
}

#[tokio::test]
async fn the_operator_takes_out_for_everybody() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    site.show("/page", [picture("one"), picture("two")]);
    let job = system.crawl(&["/page"], 100).await;
    let theirs = theirs(&system, "/page").await;
    let url = format!("{ORIGIN}/page/0");
    let run = async |arguments: &[&str]| -> Value {
        let all = [&["dataset", "remove", "--url", &url, "--json"], arguments].concat();
        serde_json::from_str(&system.tool(&all, &[]).await).unwrap()
    };
    let dry = run(&["--all-users", "--dry-run"]).await;
    assert_eq!((&dry["images"], &dry["datasets"], &dry["dry_run"]), (&json!(2), &json!(2), &json!(true)));
    let of_one = run(&["--user", "bob@example.org", "--dry-run"]).await;
    assert_eq!((&of_one["images"], &of_one["datasets"]), (&json!(1), &json!(1)));
    let asked = system.fails(&["dataset", "remove", "--url", &url, "--all-users"], &[]).await;
    assert!(asked.contains("there is no terminal to ask on"), "{asked}");
    let done = run(&["--all-users", "--yes", "--reason", "a court said so"]).await;
    assert_eq!((&done["images"], &done["objects"], &done["objects_left"]), (&json!(2), &json!(2), &json!(0)));
    for job in [&job, &theirs] {
        let reasons: Vec<String> = sqlx::query_scalar(
            "select metadata ->> 'detail' from images where crawl_job_id = $1 and reason = 'removed'",
        )
        .bind(i32::try_from(job["id"].as_i64().unwrap()).unwrap())
        .fetch_all(&system.pool)
        .await
        .unwrap();
        assert_eq!(reasons, [format!("taken out with url {url}: a court said so")]);
    }
    let again = system.crawl(&["/page"], 100).await;
    assert_eq!(told(&again), (&json!(1), &json!(0), &json!({ "removed": 1 })), "{again:#}");
    // The picture of the page's other address, by its id.
    let rows = system.images(&again["id"]).await;
    let id = named(&rows, "/page/1")["id"].to_string();
    let wrong = system.fails(&["dataset", "remove", "--image", &id, "--yes"], &[]).await;
    assert!(wrong.contains("there is no dataset"), "{wrong}");
    // Out of its dataset only.
    let wrong = system.fails(&["dataset", "remove", "--image", &id, "--all-users", "--yes"], &[]).await;
    let [sha256, pdq] = ["hash", "pdq"].map(|hash| named(&rows, "/page/1")[hash].as_str().unwrap());
    assert!(wrong.contains(&format!("--sha256 {sha256} or --pdq {pdq}")), "{wrong}");
    let dataset = again["dataset_id"].to_string();
    let by_id = ["dataset", "remove", &dataset, "--image", &id, "--all-users", "--yes"];
    let text = system.tool(&by_id, &[]).await;
    assert_eq!(text, "1 image taken out, of 1 dataset.\n");

    let run = async |arguments: &[&str]| -> Value {
        let all = [&["dataset", "removals", "--json"], arguments].concat();
        serde_json::from_str(&system.tool(&all, &[]).await).unwrap()
    };
    let all = run(&["--all-users"]).await["removals"].clone();
    let told_of = |at: usize| ["kind", "value", "dataset_id", "reason"].map(|field| all[at][field].clone());
    assert_eq!(all.as_array().unwrap().len(), 2, "{all:#}");
    assert_eq!(told_of(0), [json!("image"), json!(id), again["dataset_id"].clone(), Value::Null]);
    assert_eq!(told_of(1), [json!("url"), json!(url), Value::Null, json!("a court said so")]);
    assert_eq!((all[0]["user_id"].is_string(), &all[1]["user_id"]), (true, &Value::Null), "{all:#}");
    let [of_dataset, of_all] = [&all[0], &all[1]].map(|removal| removal["id"].to_string());
    let text = system.tool(&["dataset", "removals", "--all-users"], &[]).await;
    for part in [
        format!("{of_all} "),
        format!(" dataset {} ", again["dataset_id"]),
        " everybody ".to_owned(),
        format!("image {id}\n"),
        format!("url {url}: a court said so\n"),
    ] {
        assert!(text.contains(&part), "{part}: {text}");
    }
    // It concerns everybody: each sees it with the operator's command, over the API nobody does, nor lifts it.
    assert_eq!(run(&["--user", "bob@example.org"]).await["removals"], json!([all[1]]));
    let own = kept_out(&system, "").await;
    assert_eq!(own["items"].as_array().unwrap().len(), 1, "{own:#}");
    assert_eq!(own["items"][0]["id"], all[0]["id"]);
    lift(&system, &all[1]["id"]).await.expect(404);
    let by_bob = ["dataset", "removals", "--user", "bob@example.org", "--lift", &of_all];
    let wrong = system.fails(&by_bob, &[]).await;
    assert!(wrong.contains(&format!("the user has no removal {of_all}")), "{wrong}");
    let rows = system.images(&again["id"]).await;
    let detail = &named(&rows, "/page/0")["metadata"]["detail"];
    assert_eq!(detail, "its address, or that of its page, was taken out (by the operator)");

    let left = run(&["--all-users", "--lift", &of_all]).await;
    assert_eq!(left["removals"], json!([all[0]]));
    assert_eq!(run(&["--all-users", "--lift", &of_dataset]).await["removals"], json!([]));
    let gone = system.fails(&["dataset", "removals", "--all-users", "--lift", &of_dataset], &[]).await;
    assert!(gone.contains(&format!("there is no removal {of_dataset}")), "{gone}");
    let more = json!({ "dataset_id": again["dataset_id"] });
    let back = system.crawl_with(&["/page"], 100, more).await;
    assert_eq!(told(&back), (&json!(2), &json!(0), &json!({})), "{back:#}");
}

/// A removal keeps something out until it is lifted, by its user and nobody else. What it took out stays refused.
#[tokio::test]
async fn what_is_lifted_comes_in_again() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    site.show("/page", [enlarged("one", 5), picture("two")]);
    site.show("/other", [soft("one", 7)]);
    let job = system.crawl(&["/page"], 100).await;
    let rows = system.images(&job["id"]).await;
    assert_eq!(remove_image(&system, named(&rows, "/page/0")).await, removal(1, 0, 1));
    let host = ORIGIN.strip_prefix("http://").unwrap();
    let asked = json!({ "host": host, "reason": "the wrong one" });
    assert_eq!(remove(&system, None, asked).await, removal(1, 0, 1));
    let again = json!({ "host": host, "reason": "another one" });
    assert_eq!(remove(&system, None, again).await, removal(0, 0, 0), "it is the same removal");

    let all = kept_out(&system, "").await;
    let items = all["items"].as_array().unwrap();
    let [of_host, of_image] = &items[..] else { panic!("{all:#}") };
    let names = ["kind", "value", "dataset_id", "reason"];
    let fields = |removal: &Value| names.map(|name| removal[name].clone());
    assert_eq!(fields(of_host), [json!("host"), json!(host), Value::Null, json!("the wrong one")]);
    let id = named(&rows, "/page/0")["id"].to_string();
    assert_eq!(fields(of_image), [json!("image"), json!(id), job["dataset_id"].clone(), Value::Null]);
    assert_eq!(all["next"], Value::Null);
    let first = kept_out(&system, "?limit=1").await;
    assert_eq!((&first["items"], &first["next"]), (&json!([of_host]), &of_host["id"]));
    let second = kept_out(&system, &format!("?limit=1&after={}", first["next"])).await;
    assert_eq!((&second["items"], &second["next"]), (&json!([of_image]), &Value::Null));
    let of_dataset = kept_out(&system, &format!("?dataset_id={}", job["dataset_id"])).await;
    assert_eq!(of_dataset["items"], json!([of_image]));

    let bob = async |method: &str, path: &str| {
        let url = format!("http://{}/api/v1/removals{path}", system.door().address());
        let request = reqwest::Client::new().request(method.parse().unwrap(), url);
        send(request.bearer_auth(system.token_of("bob@example.org"))).await
    };
    theirs(&system, "/page").await;
    assert_eq!(bob("GET", "").await.expect(200).json()["items"], json!([]));
    bob("GET", &format!("?dataset_id={}", job["dataset_id"])).await.expect(404);
    bob("DELETE", &format!("/{}", of_host["id"])).await.expect(404);

    let crawl = async |paths: &[&str]| {
        system.crawl_with(paths, 100, json!({ "dataset_id": job["dataset_id"] })).await
    };
    let detail = async |job: &Value, end: &str| {
        named(&system.images(&job["id"]).await, end)["metadata"]["detail"].as_str().unwrap().to_owned()
    };
    let again = crawl(&["/page", "/other"]).await;
    assert_eq!(told(&again), (&json!(0), &json!(0), &json!({ "removed": 3 })), "{again:#}");
    let by = format!("what its host has was taken out (removal {})", of_host["id"]);
    assert_eq!(detail(&again, "/page/1").await, by);
    lift(&system, &of_host["id"]).await.expect(204);
    lift(&system, &of_host["id"]).await.expect(404);
    let done = system.get("/api/v1/activity?resource_type=dataset&limit=1").await.expect(200).json();
    let logged = &done["items"][0];
    assert_eq!(
        (&logged["metadata"], &logged["resource_id"]),
        (&json!({ "lifted": { "host": host } }), &Value::Null),
        "{done:#}"
    );
    assert_eq!(kept_out(&system, "").await["items"], json!([of_image]));
    let again = crawl(&["/page", "/other"]).await;
    assert_eq!(told(&again), (&json!(1), &json!(0), &json!({ "removed": 2 })), "{again:#}");
    let by = format!("(removal {})", of_image["id"]);
    assert_eq!(detail(&again, "/page/0").await, format!("the same picture was taken out {by}"));
    let looks = detail(&again, "/other/0").await;
    assert!(looks.starts_with("it looks like a picture that was taken out: "), "{looks}");
    assert!(looks.ends_with(&by), "{looks}");
    lift(&system, &of_image["id"]).await.expect(204);
    let done = system.get("/api/v1/activity?resource_type=dataset&limit=1").await.expect(200).json();
    assert_eq!(done["items"][0]["metadata"], json!({ "lifted": { "image": id } }));
    let again = crawl(&["/page"]).await;
    assert_eq!(told(&again), (&json!(1), &json!(1), &json!({})), "{again:#}");
    let rows = system.images(&again["id"]).await;
    assert!(is_stored(&system, named(&rows, "/page/0")));
    for row in system.images(&job["id"]).await {
        assert_eq!((&row["verdict"], &row["storage_url"]), (&json!("refused"), &Value::Null), "{row:#}");
    }
}

/// A picture that is out of one dataset is kept out of all that a later removal concerns, until that is lifted, too.
#[tokio::test]
async fn what_another_removal_took_out_is_kept_out_too() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    show_from(&site, "/page", "pictures.example.net", [enlarged("one", 5), picture("two")]);
    show_from(&site, "/mirror", "mirror.example.com", [enlarged("one", 5), soft("one", 7)]);
    let job = system.crawl(&["/page"], 100).await;
    let rows = system.images(&job["id"]).await;
    assert_eq!(remove_image(&system, named(&rows, "example.net/0")).await, removal(1, 0, 1));
    let by_operator = async || -> Value {
        let host = "pictures.example.net";
        let asked = ["dataset", "remove", "--from-host", host, "--all-users", "--yes", "--json"];
        serde_json::from_str(&system.tool(&asked, &[]).await).unwrap()
    };
    let batches = async || -> i64 {
        let count = "select count(*) from pixcrawler.removal_batch";
        sqlx::query_scalar(count).fetch_one(&system.pool).await.unwrap()
    };
    let done = by_operator().await;
    assert_eq!((&done["images"], &done["datasets"]), (&json!(1), &json!(1)), "{done:#}");
    let before = batches().await;
    assert_eq!(by_operator().await["images"], 0);
    assert_eq!(batches().await, before, "what is kept out is noted once");

    let theirs = theirs(&system, "/mirror").await;
    let details: Vec<String> = sqlx::query_scalar(
        "select metadata ->> 'detail' from images where crawl_job_id = $1 and reason = 'removed'
          order by original_url",
    )
    .bind(i32::try_from(theirs["id"].as_i64().unwrap()).unwrap())
    .fetch_all(&system.pool)
    .await
    .unwrap();
    let [same, alike] = &details[..] else { panic!("{details:?}") };
    assert_eq!(same, "the same picture was taken out (by the operator)");
    assert!(alike.starts_with("it looks like a picture that was taken out: "), "{alike}");

    // The end of the first is none of the second.
    let own = kept_out(&system, "").await;
    assert_eq!((own["items"].as_array().unwrap().len(), &own["items"][0]["kind"]), (1, &json!("image")));
    lift(&system, &own["items"][0]["id"]).await.expect(204);
    let again = system.crawl_with(&["/mirror"], 100, json!({ "dataset_id": job["dataset_id"] })).await;
    assert_eq!(told(&again), (&json!(0), &json!(0), &json!({ "removed": 2 })), "{again:#}");
}

/// What was lifted is kept out again by the same removal. What was refused for another reason was never in.
#[tokio::test]
async fn a_lift_is_undone() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    show_from(&site, "/page", "pictures.example.net", [enlarged("one", 5), picture("small")]);
    show_from(&site, "/mirror", "mirror.example.com", [enlarged("one", 5), soft("one", 7)]);
    let job = system.crawl_with(&["/page"], 100, json!({ "rules": { "min_width": 20 } })).await;
    assert_eq!((&job["kept"], job["refused"].as_object().unwrap().len()), (&json!(1), 1), "{job:#}");
    let (rows, dataset) = (system.images(&job["id"]).await, job["dataset_id"].to_string());
    let by_operator = async |image: &Value| {
        let id = image["id"].to_string();
        system.run(&["dataset", "remove", &dataset, "--image", &id, "--all-users", "--yes"], &[]).await
    };
    let small = named(&rows, "example.net/1");
    let refused = system.call("DELETE", &format!("/api/v1/images/{}", small["id"]), None).await;
    assert_eq!(refused.expect(409).json()["code"], "wrong-status");
    let refused = by_operator(small).await;
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("was refused") && said.contains("the image was not kept"), "{said}");
    assert_eq!(kept_out(&system, "").await["items"], json!([]), "nothing is noted");

    let one = named(&rows, "example.net/0");
    let crawl =
        async || system.crawl_with(&["/mirror"], 100, json!({ "dataset_id": job["dataset_id"] })).await;
    let lift_the_only_one = async || {
        let all = kept_out(&system, "").await;
        let [only] = &all["items"].as_array().unwrap()[..] else { panic!("{all:#}") };
        lift(&system, &only["id"]).await.expect(204);
    };
    assert_eq!(remove_image(&system, one).await, removal(1, 0, 1));
    lift_the_only_one().await;
    for _ in 0..2 {
        assert_eq!(remove_image(&system, one).await, removal(0, 0, 0));
    }
    let again = crawl().await;
    assert_eq!(told(&again), (&json!(0), &json!(0), &json!({ "removed": 2 })), "{again:#}");
    lift_the_only_one().await;
    let done = by_operator(one).await;
    assert!(done.status.success(), "{done:?}");
    let again = crawl().await;
    assert_eq!(told(&again), (&json!(0), &json!(0), &json!({ "removed": 2 })), "{again:#}");
    lift_the_only_one().await;
    let host = json!({ "host": "pictures.example.net" });
    for _ in 0..2 {
        assert_eq!(remove(&system, None, host.clone()).await, removal(0, 0, 0));
        let again = crawl().await;
        assert_eq!(told(&again), (&json!(0), &json!(0), &json!({ "removed": 2 })), "{again:#}");
        lift_the_only_one().await;
    }
    let again = crawl().await;
    assert_eq!(told(&again), (&json!(1), &json!(1), &json!({})), "{again:#}");
}

/// What went with a picture as its duplicate is kept out again with it, by whichever of them.
#[tokio::test]
async fn a_lift_is_undone_for_duplicates_too() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    site.show("/page", [enlarged("one", 5), soft("one", 4)]);
    let job = system.create(&["/page"], 100).await;
    let job = system.until_status(job, "completed").await;
    assert_eq!(told(&job), (&json!(1), &json!(1), &json!({})), "{job:#}");
    // By their looks one would keep out the other.
    let forget = "update images set pdq = null, pdq_quality = null, pdq_trimmed = null";
    sqlx::query(forget).execute(&system.pool).await.unwrap();
    let rows = system.images(&job["id"]).await;
    let gone = remove_image(&system, named(&rows, "/page/0")).await;
    assert_eq!((&gone["images"], &gone["duplicates"]), (&json!(1), &json!(1)), "{gone}");
    let lift_the_only_one = async || {
        let all = kept_out(&system, "").await;
        let [only] = &all["items"].as_array().unwrap()[..] else { panic!("{all:#}") };
        lift(&system, &only["id"]).await.expect(204);
    };
    let crawl = async || {
        let again = system.create_with(&["/page"], 100, json!({ "dataset_id": job["dataset_id"] })).await;
        system.until_status(again, "completed").await
    };
    lift_the_only_one().await;
    for end in ["/page/0", "/page/1"] {
        assert_eq!(remove_image(&system, named(&rows, end)).await, removal(0, 0, 0), "{end}");
        let again = crawl().await;
        assert_eq!(told(&again), (&json!(0), &json!(0), &json!({ "removed": 2 })), "{end}: {again:#}");
        lift_the_only_one().await;
    }
    let again = crawl().await;
    assert_eq!(told(&again), (&json!(1), &json!(1), &json!({})), "{again:#}");
}

/// Who lifts a removal that is under way ends it there.
#[tokio::test]
async fn what_is_lifted_is_not_gone_on_with() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    site.show("/page", [picture("one")]);
    let job = system.crawl(&["/page"], 100).await;
    let dataset = &job["dataset_id"];
    let mut tx = system.pool.begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(hashtext('pixcrawler.dataset'), $1)")
        .bind(i32::try_from(dataset.as_i64().unwrap()).unwrap())
        .execute(&mut *tx)
        .await
        .unwrap();
    let host = ORIGIN.strip_prefix("http://").unwrap();
    let (path, body) = (format!("/api/v1/datasets/{dataset}/removals"), json!({ "host": host }));
    let lifted = async {
        let id = loop {
            let listed = kept_out(&system, "").await;
            if let Some(removal) = listed["items"].get(0) {
                break removal["id"].clone();
            }
        };
        lift(&system, &id).await.expect(204);
        tx.rollback().await.unwrap();
    };
    let (ended, ()) = tokio::join!(system.post(&path, &body), lifted);
    assert_eq!(ended.expect(409).json()["code"], "wrong-status");
    assert_eq!(system.job(job["id"].as_i64().unwrap()).await["kept"], 1);
    // The same again is another removal.
    assert_eq!(remove(&system, Some(dataset), body).await, removal(1, 0, 1));
}

#[tokio::test]
async fn what_resembles_a_list_is_not_wanted() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    site.show("/page", [picture("one"), soft("one", 5), picture("two")]);
    let job = system.crawl(&["/page"], 100).await;
    let rows = system.images(&job["id"]).await;
    let hash = named(&rows, "/page/1")["pdq"].as_str().unwrap().to_uppercase();
    let more = json!({ "unlike": [hash, hash], "rules": { "near_duplicates": 0 } });
    let again = system.crawl_with(&["/page"], 100, more).await;
    assert_eq!(told(&again), (&json!(1), &json!(0), &json!({ "unwanted": 2 })), "{again:#}");
    let rows = system.images(&again["id"]).await;
    let detail = &named(&rows, "/page/0")["metadata"]["detail"];
    assert!(detail.as_str().unwrap().contains("the list of unwanted ones"), "{detail}");
    assert_eq!(again.get("unlike"), None, "every change of a job is sent, and the list is long");
}

/// A mirrored or turned copy is the picture that was taken out, whatever the job says of duplicates.
#[tokio::test]
async fn mirrored_ones_do_not_come_back() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    let one = image::load_from_memory(&enlarged("one", 5)).unwrap();
    let mirrored = [one.fliph(), one.rotate90()].map(|picture| encoded(picture, ImageFormat::Png));
    site.show("/page", [enlarged("one", 5)]);
    site.show("/mirrored", mirrored);
    let job = system.crawl(&["/page"], 100).await;
    let one = system.images(&job["id"]).await.remove(0);
    assert_eq!(remove_image(&system, &one).await, removal(1, 0, 1));
    let again = system.crawl_with(&["/mirrored"], 100, json!({ "dataset_id": job["dataset_id"] })).await;
    assert_eq!(told(&again), (&json!(0), &json!(0), &json!({ "removed": 2 })), "{again:#}");
}

/// Of what was never measured only the bytes are known: that is said.
#[tokio::test]
async fn unmeasured_ones_are_told() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    site.show("/page", [picture("one"), picture("two")]);
    let job = system.crawl(&["/page"], 100).await;
    let forget =
        "update images set pdq = null, pdq_quality = null, pdq_trimmed = null where original_url like '%/0'";
    sqlx::query(forget).execute(&system.pool).await.unwrap();
    let host = ORIGIN.strip_prefix("http://").unwrap();
    let dry = json!({ "host": host, "dry_run": true });
    assert_eq!(remove(&system, Some(&job["dataset_id"]), dry).await["unmeasured"], 1);
    let rows = system.images(&job["id"]).await;
    for (end, unmeasured) in [("/page/0", 1), ("/page/1", 0)] {
        let gone = remove_image(&system, named(&rows, end)).await;
        assert_eq!((&gone["images"], &gone["unmeasured"]), (&json!(1), &json!(unmeasured)), "{gone}");
    }
}

/// A part that was done goes on at once when a picture of its job is taken out.
#[tokio::test]
async fn a_part_that_was_done_goes_on() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    site.show("/first", ["one", "two", "three"].map(picture));
    let second = site.gallery("/second", 2, None);
    site.hold(&second);
    let job = system.create(&["/first", "/second"], 4).await;
    let is_done = |job: &Value| job["chunks"][0]["state"] == "satisfied" && job["chunks"][0]["kept"] == 2;
    let before = system.until(job, "the first part has its share", is_done).await;
    assert_eq!(remove_image(&system, &system.images(&before["id"]).await[0]).await, removal(1, 0, 1));
    let has_another = |job: &Value| job["chunks"][0]["kept"] == 2;
    system.until(job, "the first part has its share again", has_another).await;
    site.release(&second);
    let over = system.until_status(job, "completed").await;
    assert_eq!((&over["kept"], &over["error"]), (&json!(4), &Value::Null), "{over:#}");
}
