//! Pictures that look alike are one picture of a dataset, of which the best is kept.

use image::{DynamicImage, ImageFormat, imageops::FilterType};
use serde_json::{Value, json};

use crate::support::{
    process::System,
    site::{ORIGIN, Reply, Site, enlarged, page, picture},
};

/// The picture of this name as a JPEG, soft and with so many times the pixels on each side.
fn soft(name: &str, times: u32) -> Vec<u8> {
    let small = image::load_from_memory(&picture(name)).unwrap();
    encoded(&small.resize_exact(16 * times, 16 * times, FilterType::Triangle), ImageFormat::Jpeg)
}

fn encoded(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Puts these pictures on a page.
fn show(site: &Site, path: &str, pictures: impl IntoIterator<Item = Vec<u8>>) {
    let addresses: Vec<String> = (0..)
        .zip(pictures)
        .map(|(number, bytes)| {
            let address = format!("{path}/{number}");
            site.on(&address, [Reply::Bytes(bytes.into())]);
            address
        })
        .collect();
    site.on(path, [page(&addresses, None)]);
}

async fn images(system: &System, job: &Value) -> Vec<Value> {
    let path = format!("/api/v1/crawl-jobs/{}/images?limit=100", job["id"]);
    system.get(&path).await.expect(200).json()["items"].as_array().unwrap().clone()
}

fn named<'a>(images: &'a [Value], end: &str) -> &'a Value {
    images.iter().find(|image| image["original_url"].as_str().unwrap().ends_with(end)).unwrap()
}

#[tokio::test]
async fn the_best_is_kept_whatever_comes_first() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    let copies =
        [enlarged("one", 2), enlarged("one", 5), soft("one", 4), enlarged("other", 1), picture("one")];
    show(&site, "/forth", copies.clone());
    show(&site, "/back", copies.into_iter().rev());
    for (path, best) in [("/forth", "/1"), ("/back", "/3")] {
        let job = system.create(&[path], 100).await;
        let shown = system.until_status(job, "completed").await;
        assert_eq!((&shown["kept"], &shown["duplicates"]), (&json!(2), &json!(3)), "{shown:#}");
        assert_eq!(shown["refused"], json!({}), "{shown:#}");
        let images = images(&system, &shown).await;
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
    show(&site, "/a", [picture("one")]);
    show(&site, "/b", [enlarged("one", 3)]);
    let labels = json!({ format!("{ORIGIN}/a"): "first", format!("{ORIGIN}/b"): "second" });
    let job = system.create_with(&["/a", "/b"], 100, json!({ "labels": labels })).await;
    let _worker = system.worker(&[("PIXCRAWLER_SLOTS", "1")]).await;
    let shown = system.until_status(job, "completed").await;
    assert_eq!((&shown["kept"], &shown["duplicates"]), (&json!(1), &json!(1)), "{shown:#}");
    let images = images(&system, &shown).await;
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
    show(
        &site,
        "/small",
        names.iter().map(|name| picture(name)).chain((0..6).map(|at| picture(&format!("more {at}")))),
    );
    show(&site, "/large", names.iter().map(|name| enlarged(name, 2)));
    let job = system.create(&["/small", "/large"], 12).await;
    let _worker = system.worker(&[("PIXCRAWLER_SLOTS", "1")]).await;
    let shown = system.until_status(job, "completed").await;
    assert_eq!((&shown["kept"], &shown["valid_images"]), (&json!(12), &json!(12)), "{shown:#}");
    let images = images(&system, &shown).await;
    let kept = images.iter().filter(|image| image["verdict"] == "kept").count();
    assert_eq!(kept, 12);
    let shares: i64 =
        shown["chunks"].as_array().unwrap().iter().map(|chunk| chunk["kept"].as_i64().unwrap()).sum();
    assert_eq!(shares, 12, "{shown:#}");
}

#[tokio::test]
async fn pictures_of_a_job_that_ended_stay() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    show(&site, "/early", [picture("one")]);
    show(&site, "/late", [enlarged("one", 4), picture("two")]);
    let early = system.create(&["/early"], 100).await;
    let early = system.until_status(early, "completed").await;
    let late = system.create_with(&["/late"], 100, json!({ "dataset_id": early["dataset_id"] })).await;
    let late = system.until_status(late, "completed").await;
    assert_eq!((&late["kept"], &late["duplicates"]), (&json!(1), &json!(1)), "{late:#}");
    let (one, more) = (images(&system, &early).await, images(&system, &late).await);
    assert_eq!(one[0]["verdict"], "kept");
    assert_eq!(named(&more, "/late/0")["duplicate_of"], one[0]["id"]);
    assert_eq!(system.job(early["id"].as_i64().unwrap()).await["kept"], 1);
}

#[tokio::test]
async fn how_far_they_may_differ_is_a_rule() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    show(&site, "/page", [enlarged("one", 4), soft("one", 3)]);
    for (bits, kept) in [(json!(null), 1), (json!(0), 2)] {
        let rules = if bits.is_null() { json!({}) } else { json!({ "near_duplicates": bits }) };
        let job = system.create_with(&["/page"], 100, json!({ "rules": rules })).await;
        let shown = system.until_status(job, "completed").await;
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
        encoded(&picture.into(), ImageFormat::Png)
    };
    show(&site, "/page", [flat(40), flat(50), flat(40)]);
    let job = system.create(&["/page"], 100).await;
    let shown = system.until_status(job, "completed").await;
    assert_eq!((&shown["kept"], &shown["duplicates"]), (&json!(2), &json!(1)), "{shown:#}");
}
