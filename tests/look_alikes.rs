//! Pictures that look alike are one picture of a dataset, of which the best is kept.

use image::ImageFormat;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    recovery::files,
    support::{
        bucket::age,
        process::{System, named},
        site::{ORIGIN, Reply, Site, encoded, enlarged, page, picture, soft},
    },
};

/// Holds the page at this path, which shows so many pictures.
fn hold_page(site: &Site, path: &str, pictures: usize) {
    let addresses: Vec<String> = (0..pictures).map(|number| format!("{path}/{number}")).collect();
    site.on(path, [Reply::Held(Box::new(page(&addresses, None)))]);
}

#[tokio::test]
async fn the_best_is_kept_whatever_comes_first() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    let copies =
        [enlarged("one", 2), enlarged("one", 5), soft("one", 4), enlarged("other", 1), picture("one")];
    site.show("/forth", copies.clone());
    site.show("/back", copies.into_iter().rev());
    for (path, best) in [("/forth", "/1"), ("/back", "/3")] {
        let shown = system.crawl(&[path], 100).await;
        assert_eq!((&shown["kept"], &shown["duplicates"]), (&json!(2), &json!(3)), "{shown:#}");
        assert_eq!(shown["refused"], json!({}), "{shown:#}");
        let images = system.images(&shown["id"]).await;
        let best = named(&images, &format!("{path}{best}"));
        assert_eq!((&best["verdict"], &best["width"]), (&json!("kept"), &json!(80)), "{best:#}");
        for image in images.iter().filter(|image| image["verdict"] == "duplicate") {
            assert_eq!((&image["duplicate_of"], &image["url"]), (&best["id"], &Value::Null), "{image:#}");
        }
    }
}

#[tokio::test]
async fn the_kept_one_has_the_classes_of_all() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    site.show("/a", [picture("one")]);
    site.show("/b", [enlarged("one", 3)]);
    let labels = json!({ format!("{ORIGIN}/a"): "first", format!("{ORIGIN}/b"): "second" });
    let job = system.create_with(&["/a", "/b"], 100, json!({ "labels": labels })).await;
    let _worker = system.worker(&[("PIXCRAWLER_SLOTS", "1")]).await;
    let shown = system.until_status(job, "completed").await;
    assert_eq!((&shown["kept"], &shown["duplicates"]), (&json!(1), &json!(1)), "{shown:#}");
    let images = system.images(&shown["id"]).await;
    let best = named(&images, "/b/0");
    assert_eq!(
        (&best["verdict"], &best["labels"]),
        (&json!("kept"), &json!(["second", "first"])),
        "{best:#}"
    );
}

/// What a picture of one part loses to one of another is made up for by what the sources have beside.
#[tokio::test]
async fn a_job_gets_exactly_what_was_asked() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let names: Vec<String> = (0..8).map(|number| format!("group {number}")).collect();
    site.show(
        "/small",
        names.iter().map(|name| picture(name)).chain((0..6).map(|at| picture(&format!("more {at}")))),
    );
    site.show("/large", names.iter().map(|name| enlarged(name, 2)));
    let job = system.create(&["/small", "/large"], 12).await;
    let _worker = system.worker(&[("PIXCRAWLER_SLOTS", "1")]).await;
    let shown = system.until_status(job, "completed").await;
    assert_eq!((&shown["kept"], &shown["valid_images"]), (&json!(12), &json!(12)), "{shown:#}");
    let images = system.images(&shown["id"]).await;
    let kept = images.iter().filter(|image| image["verdict"] == "kept").count();
    assert_eq!(kept, 12);
    let shares: i64 =
        shown["chunks"].as_array().unwrap().iter().map(|chunk| chunk["kept"].as_i64().unwrap()).sum();
    assert_eq!(shares, 12, "{shown:#}");
}

/// What it lost is made up for at once, by a part that was done, and not when another part of it ends.
#[tokio::test]
async fn a_job_that_loses_a_picture_to_another_is_made_whole_again() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    site.show("/first", ["one", "two", "three"].map(picture));
    site.hold(&["/first/2"]);
    let second = site.gallery("/second", 2, None);
    site.hold(&second);
    let of_first = |job: &Value| (job["chunks"][0]["kept"].clone(), job["chunks"][0]["state"].clone());
    let job = system.create(&["/first", "/second"], 4).await;
    let done = (json!(2), json!("satisfied"));
    let before = system.until(job, "the first part has its share", |job| of_first(job) == done).await;

    site.show("/better", [enlarged("one", 4)]);
    let beside = json!({ "dataset_id": before["dataset_id"] });
    let other = system.crawl_with(&["/better"], 100, beside).await;
    assert_eq!((&other["kept"], &other["duplicates"]), (&json!(1), &json!(0)), "{other:#}");
    site.busy("/first/2", 1).await;
    let during = system.job(job).await;
    assert_eq!(during["kept"], 1, "{during:#}");
    assert_eq!(during["progress"], before["progress"], "what was shown does not fall: {during:#}");
    site.release(&["/first/2"]);
    system.until(job, "the first part has its share again", |job| of_first(job).0 == 2).await;
    site.release(&second);
    let shown = system.until_status(job, "completed").await;
    assert_eq!((&shown["kept"], &shown["error"]), (&json!(4), &json!(null)), "{shown:#}");
}

#[tokio::test]
async fn pictures_of_a_job_that_ended_stay() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    site.show("/early", [picture("one")]);
    site.show("/late", [enlarged("one", 4), picture("two")]);
    let early = system.crawl(&["/early"], 100).await;
    let late = system.crawl_with(&["/late"], 100, json!({ "dataset_id": early["dataset_id"] })).await;
    assert_eq!((&late["kept"], &late["duplicates"]), (&json!(1), &json!(1)), "{late:#}");
    let (one, more) = (system.images(&early["id"]).await, system.images(&late["id"]).await);
    assert_eq!(one[0]["verdict"], "kept");
    assert_eq!(named(&more, "/late/0")["duplicate_of"], one[0]["id"]);
    assert_eq!(system.job(early["id"].as_i64().unwrap()).await["kept"], 1);
}

/// Of jobs of one dataset that run together it makes no difference which one ends first; what is kept when all
/// have ended stays.
#[tokio::test]
async fn of_jobs_that_run_together_either_may_end_first() {
    either_may_end_first(|dataset| json!({ "dataset_id": dataset })).await;
}

/// The same of jobs that look at all datasets of their user, each in its own.
#[tokio::test]
async fn of_jobs_of_several_datasets_either_may_end_first() {
    either_may_end_first(|_| json!({ "rules": { "duplicates_within": "user" } })).await;
}

/// `more` of what is asked for, with the dataset of the first job once there is one.
async fn either_may_end_first(more: impl Fn(&Value) -> Value) {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    for small_first in [true, false] {
        let [small, large, later] = ["small", "large", "later"].map(|name| format!("/{small_first}/{name}"));
        let [one, two, three] = ["one", "two", "three"].map(|name| format!("{name} {small_first}"));
        site.show(&small, [picture(&one), picture(&two)]);
        site.show(&large, [enlarged(&one, 3), picture(&three)]);
        site.show(&later, [enlarged(&one, 4), enlarged(&two, 4)]);
        let (first, second) = if small_first { (&small, &large) } else { (&large, &small) };
        hold_page(&site, second, 2);
        let waits = system.create_with(&[second], 100, more(&Value::Null)).await;
        let beside = more(&system.job(waits).await["dataset_id"]);
        site.busy(second, 1).await;
        let ends = system.create_with(&[first], 100, beside.clone()).await;
        assert_eq!(system.until_status(ends, "completed").await["kept"], 2);
        site.release(&[second]);
        system.until_status(waits, "completed").await;
        let (of_small, of_large) = if small_first { (ends, waits) } else { (waits, ends) };
        for (job, kept) in [(of_small, 1), (of_large, 2)] {
            let shown = system.job(job).await;
            let said = format!("kept {kept} of 100: the sources have no more");
            assert_eq!((&shown["kept"], &shown["error"]), (&json!(kept), &json!(said)), "{shown:#}");
            let path = format!("/api/v1/datasets/{}", shown["dataset_id"]);
            let dataset = system.get(&path).await.expect(200).json();
            assert_eq!(dataset["images_collected"], dataset["image_count"], "{dataset:#}");
        }
        let later = system.crawl_with(&[&later], 100, beside).await;
        assert_eq!((&later["kept"], &later["duplicates"]), (&json!(0), &json!(2)), "{later:#}");
    }
}

/// A job that ended with all that was asked for does not lose any of it.
#[tokio::test]
async fn what_was_asked_for_and_came_stays() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    site.show("/small", [picture("one"), picture("two")]);
    site.show("/large", [enlarged("one", 3), enlarged("two", 3)]);
    hold_page(&site, "/large", 2);
    let waits = system.create(&["/large"], 100).await;
    let dataset = json!({ "dataset_id": system.job(waits).await["dataset_id"] });
    site.busy("/large", 1).await;
    let full = system.create_with(&["/small"], 1, dataset).await;
    system.until_status(full, "completed").await;
    site.release(&["/large"]);
    let shown = system.until_status(waits, "completed").await;
    assert_eq!((&shown["kept"], &shown["duplicates"]), (&json!(1), &json!(1)), "{shown:#}");
    let shown = system.job(full).await;
    assert_eq!((&shown["kept"], &shown["error"]), (&json!(1), &json!(null)), "{shown:#}");
}

/// What lost its place keeps its row, and its bytes only as long as somebody keeps the same ones.
#[tokio::test]
async fn bytes_that_nobody_keeps_are_swept() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    site.show("/elsewhere", [picture("one")]);
    site.show("/page", [picture("one"), enlarged("one", 3)]);
    site.on("/page/1", [Reply::Held(Box::new(Reply::Bytes(enlarged("one", 3).into())))]);
    let elsewhere = system.create(&["/elsewhere"], 100).await;
    system.until_status(elsewhere, "completed").await;
    let job = system.create(&["/page"], 100).await;
    system.until(job, "the smaller one is kept", |job| job["kept"] == 1).await;
    site.release(&["/page/1"]);
    let shown = system.until_status(job, "completed").await;
    assert_eq!((&shown["kept"], &shown["duplicates"]), (&json!(1), &json!(1)), "{shown:#}");

    let sweep = async || -> Value {
        files(&system.objects()).iter().for_each(|path| age(path, 25));
        serde_json::from_str(&system.tool(&["sweep", "--json"], &[]).await).unwrap()
    };
    let swept = sweep().await;
    assert_eq!(
        (&swept["objects"], &swept["swept"]),
        (&json!(2), &json!(0)),
        "one is kept elsewhere: {swept}"
    );
    system.call("DELETE", &format!("/api/v1/crawl-jobs/{elsewhere}"), None).await.expect(204);
    let swept = sweep().await;
    assert_eq!((&swept["swept"], &swept["missing"]), (&json!(1), &json!(0)), "{swept}");
    let images = system.images(&shown["id"]).await;
    let smaller = named(&images, "/page/0");
    let name = format!("{}.png", hex::encode(Sha256::digest(picture("one"))));
    assert_eq!(smaller["filename"], name, "{smaller:#}");
    assert_eq!(smaller["duplicate_of"], named(&images, "/page/1")["id"], "{smaller:#}");
}

#[tokio::test]
async fn all_datasets_of_the_user_are_looked_at_where_that_is_asked_for() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    site.show("/first", [picture("one")]);
    site.show("/again", [enlarged("one", 3), picture("one"), picture("two")]);
    let first = system.crawl(&["/first"], 100).await;
    let one = system.images(&first["id"]).await[0]["id"].clone();
    for (scope, kept) in [("user", 1), ("dataset", 2)] {
        let rules = json!({ "rules": { "duplicates_within": scope } });
        let job = system.create_with(&["/again"], 100, rules).await;
        let shown = system.until_status(job, "completed").await;
        assert_eq!((&shown["kept"], &shown["duplicates"]), (&json!(kept), &json!(3 - kept)), "{shown:#}");
        assert_eq!(shown["rules"]["duplicates_within"], scope);
        let images = system.images(&shown["id"]).await;
        let same_bytes = named(&images, "/again/1");
        assert_eq!(same_bytes["duplicate_of"] == one, scope == "user", "{same_bytes:#}");
    }
    assert_eq!(system.job(first["id"].as_i64().unwrap()).await["kept"], 1);
}

#[tokio::test]
async fn mirrored_and_turned_ones_look_alike_where_that_is_asked_for() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    let one = image::load_from_memory(&enlarged("one", 4)).unwrap();
    let turned =
        [one.fliph(), one.flipv(), one.rotate90(), one.rotate180(), one.rotate270(), one.rotate90().fliph()];
    let turned = turned.map(|turned| encoded(turned, ImageFormat::Jpeg));
    site.show("/first", turned[..3].iter().cloned().chain([enlarged("one", 5), picture("two")]));
    site.show("/more", turned[3..].to_vec());
    for (is_asked, kept) in [(true, 2), (false, 8)] {
        let rules = json!({ "rules": { "turned_duplicates": is_asked } });
        let shown = system.crawl_with(&["/first", "/more"], 100, rules).await;
        assert_eq!((&shown["kept"], &shown["duplicates"]), (&json!(kept), &json!(8 - kept)), "{shown:#}");
        assert_eq!(shown["rules"]["turned_duplicates"], is_asked);
    }
}

/// What jobs that have ended kept is replaced by the best where that is asked for, and then the same is there.
#[tokio::test]
async fn a_dataset_is_rid_of_what_looks_alike() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    site.show("/early", [enlarged("one", 4), soft("one", 3), picture("two")]);
    site.show("/late", [enlarged("one", 6), picture("three")]);
    let early = system.crawl_with(&["/early"], 100, json!({ "rules": { "near_duplicates": 0 } })).await;
    assert_eq!(early["kept"], 3, "{early:#}");
    let late = system.crawl_with(&["/late"], 100, json!({ "dataset_id": early["dataset_id"] })).await;
    assert_eq!((&late["kept"], &late["duplicates"]), (&json!(1), &json!(1)), "{late:#}");

    let id = early["dataset_id"].to_string();
    let dedupe = async |more: &[&str]| -> Value {
        let arguments = [&["dataset", "dedupe", &id, "--all-users", "--yes", "--json"], more].concat();
        serde_json::from_str(&system.tool(&arguments, &[]).await).unwrap()
    };
    let kept = async || {
        let of = async |job: &Value| system.job(job["id"].as_i64().unwrap()).await["kept"].clone();
        [of(&early).await, of(&late).await]
    };
    let found = json!({
        "images": 5, "unmeasured": 0, "groups": 1, "grouped": 3, "settled": 1, "changed": 1, "removed": 2, "added": 1
    });
    assert_eq!(dedupe(&["--dry-run"]).await, found);
    let told = system.fails(&["dataset", "dedupe", &id, "--all-users"], &[]).await;
    assert!(told.contains("nothing was changed") && told.contains("--yes"), "{told}");
    assert_eq!(kept().await, [3, 1], "it only counts");
    assert_eq!(dedupe(&[]).await, found);
    assert_eq!(kept().await, [1, 2]);
    assert_eq!(dedupe(&[]).await["changed"], 0);
    let best = named(&system.images(&late["id"]).await, "/late/0").clone();
    assert_eq!(best["verdict"], "kept", "{best:#}");
    system.get(&format!("/api/v1/images/{}/file", best["id"])).await.expect(200);
    for image in system.images(&early["id"]).await.iter().filter(|image| image["verdict"] == "duplicate") {
        assert_eq!(image["duplicate_of"], best["id"], "{image:#}");
    }
    assert_eq!(
        system.job(early["id"].as_i64().unwrap()).await["error"],
        "kept 1 of 100: the sources have no more"
    );
    let told = system.fails(&["dataset", "dedupe", "4711"], &[]).await;
    assert!(told.contains("there is no dataset"), "{told}");
}

#[tokio::test]
async fn how_far_they_may_differ_is_a_rule() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    site.show("/page", [enlarged("one", 4), soft("one", 3)]);
    for (bits, kept) in [(json!(null), 1), (json!(0), 2)] {
        let rules = if bits.is_null() { json!({}) } else { json!({ "near_duplicates": bits }) };
        let shown = system.crawl_with(&["/page"], 100, json!({ "rules": rules })).await;
        assert_eq!((&shown["kept"], &shown["duplicates"]), (&json!(kept), &json!(2 - kept)), "{shown:#}");
        assert_eq!(shown["rules"]["near_duplicates"], json!(bits.as_i64().unwrap_or(31)), "{shown:#}");
    }
}

/// The hash of a picture with little to see says nothing: it is told from others by its bytes alone.
#[tokio::test]
async fn what_has_little_to_see_is_compared_by_bytes() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    let flat = |side: u32| {
        let picture = image::RgbImage::from_pixel(side, side, image::Rgb([90, 120, 60]));
        encoded(picture, ImageFormat::Png)
    };
    site.show("/page", [flat(40), flat(50), flat(40)]);
    let shown = system.crawl(&["/page"], 100).await;
    assert_eq!((&shown["kept"], &shown["duplicates"]), (&json!(2), &json!(1)), "{shown:#}");
}

/// Where other rules refuse what stands for others, a job that runs judges these again.
#[tokio::test]
async fn copies_of_what_is_refused_later_are_tried_again() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    site.show("/first", [enlarged("one", 5), soft("one", 3)]);
    let second = site.gallery("/second", 2, None);
    site.hold(&second);
    let job = system.create(&["/first", "/second"], 100).await;
    let is_done = |job: &Value| {
        let first = &job["chunks"][0];
        first["state"] == "exhausted" && first["kept"] == 1
    };
    let before = system.until(job, "the first part is done", is_done).await;
    assert_eq!((&before["kept"], &before["duplicates"]), (&json!(1), &json!(1)), "{before:#}");
    let dataset = before["dataset_id"].to_string();
    let check = ["dataset", "check", &dataset, "--max-size", "60x60", "--all-users", "--yes", "--json"];
    let told: Value = serde_json::from_str(&system.tool(&check, &[]).await).unwrap();
    assert_eq!(told["refused"], 1, "{told}");
    let during = system.until(job, "the copy is kept", is_done).await;
    assert_eq!((&during["kept"], &during["duplicates"]), (&json!(1), &json!(0)), "{during:#}");
    site.release(&second);
    let over = system.until_status(job, "completed").await;
    assert_eq!((&over["kept"], &over["duplicates"]), (&json!(3), &json!(0)), "{over:#}");
    assert_eq!(named(&system.images(&over["id"]).await, "/first/1")["verdict"], "kept");
}

/// Where other rules refuse what stands for others, an update of a job that is over judges these again, but not the
/// same bytes.
#[tokio::test]
async fn an_update_tries_copies_of_what_was_refused_later() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    site.show("/page", [enlarged("one", 5), soft("one", 3), enlarged("one", 5)]);
    let job = system.create(&["/page"], 100).await;
    let before = system.until_status(job, "completed").await;
    assert_eq!((&before["kept"], &before["duplicates"]), (&json!(1), &json!(2)), "{before:#}");
    let dataset = before["dataset_id"].to_string();
    let check = ["dataset", "check", &dataset, "--max-size", "60x60", "--all-users", "--yes", "--json"];
    let told: Value = serde_json::from_str(&system.tool(&check, &[]).await).unwrap();
    assert_eq!(told["refused"], 1, "{told}");
    let refused = json!({ "size-not-wanted": 1 });
    for (what, kept, duplicates) in [(json!({ "max_images": 99 }), 0, 2), (json!({ "update": true }), 1, 1)] {
        system.post(&format!("/api/v1/crawl-jobs/{job}/retry"), &what).await.expect(200);
        let shown = system.until_status(job, "completed").await;
        assert_eq!(
            (&shown["kept"], &shown["duplicates"], &shown["refused"]),
            (&json!(kept), &json!(duplicates), &refused),
            "{what}: {shown:#}"
        );
    }
    assert_eq!(named(&system.images(job).await, "/page/1")["verdict"], "kept");
}

/// Of tables that have just been filled the database has no statistics, and may take a dataset for one row.
#[tokio::test]
async fn no_batch_reads_the_dataset_for_each_of_its_pictures_more_than_once() {
    const PICTURES: usize = 240;
    let site = Site::start().await;
    let system = System::start(&site).await;
    site.gallery("/gallery", PICTURES, None);
    let job = system.create(&["/gallery"], PICTURES).await;
    let mut worker = system.worker(&[]).await;
    system.until_status(job, "completed").await;
    // A session says what it has read when it ends.
    worker.terminate();
    worker.exited().await;
    let read: i64 = sqlx::query_scalar(
        "select (seq_tup_read + idx_tup_fetch)::bigint from pg_stat_user_tables where relname = 'images'",
    )
    .fetch_one(&system.pool)
    .await
    .unwrap();
    let most = (PICTURES * PICTURES) as i64;
    assert!((1..=most).contains(&read), "{read} rows of images were read");
}
