//! What a job accepts, and what of a dataset other rules leave.

use image::{DynamicImage, Frame, ImageFormat, RgbImage, codecs, imageops};
use serde_json::{Value, json};

use crate::{
    consent::site_of_all,
    support::{
        process::System,
        site::{ORIGIN, Site, encoded},
    },
};

/// Tiles of all tones, as sharp as they are large.
fn scene(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let tile = (x / 20 * 7 + y / 20 * 13) % 11;
        image::Rgb([(tile * 23) as u8, (tile * 19 + x / 10) as u8, (tile * 20 + y / 10) as u8])
    })
}

fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
    encoded(picture, ImageFormat::Png)
}

fn jpeg(picture: &RgbImage, quality: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    picture.write_with_encoder(codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, quality)).unwrap();
    bytes
}

fn film(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    let frame = Frame::new(DynamicImage::from(picture.clone()).to_rgba8());
    let mut encoder = codecs::gif::GifEncoder::new(&mut bytes);
    encoder.encode_frames([frame.clone(), frame]).unwrap();
    drop(encoder);
    bytes
}

/// Pictures, each of which breaks one rule of a level or more, by the code.
fn pictures() -> Vec<(&'static str, Vec<u8>)> {
    let good = scene(400, 300);
    // A little of it is lit.
    let mut dark = RgbImage::new(400, 300);
    imageops::replace(&mut dark, &scene(30, 100), 180, 100);
    vec![
        ("good", png(good.clone())),
        ("too-small", png(scene(90, 300))),
        ("aspect-ratio-not-wanted", png(scene(700, 120))),
        ("animated", film(&good)),
        ("uniform", png(RgbImage::from_pixel(300, 300, image::Rgb([90, 120, 60])))),
        ("too-dark", png(dark)),
        ("blurred", png(imageops::fast_blur(&good, 25.0))),
        ("over-compressed", jpeg(&good, 10)),
    ]
}

fn show(site: &Site) {
    site.show_named("/page", pictures().into_iter().map(|(name, bytes)| (name.to_owned(), bytes)));
}

fn named<'a>(images: &'a [Value], name: &str) -> &'a Value {
    let address = format!("{ORIGIN}/page/{name}");
    images.iter().find(|image| image["original_url"] == json!(address)).unwrap()
}

/// Each refused once, under its name.
fn refusals() -> Value {
    let refused = pictures().into_iter().skip(1).map(|(name, _)| (name.to_owned(), json!(1)));
    refused.collect::<serde_json::Map<_, _>>().into()
}

#[tokio::test]
async fn a_level_and_the_rules_beside_it_say_what_is_kept() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    show(&site);
    let rules = json!({ "level": "standard", "animation": "refused", "near_duplicates": 0 });
    let job = system.create_with(&["/page"], 100, json!({ "rules": rules })).await;
    let shown = system.until_status(job, "completed").await;
    assert_eq!((&shown["kept"], &shown["refused"]), (&json!(1), &refusals()), "{shown:#}");
    // The job has what the level stood for when it was made.
    let rules = &shown["rules"];
    assert_eq!(
        (&rules["level"], &rules["animation"], &rules["min_sharpness"], &rules["max_aspect_ratio"]),
        (&json!("standard"), &json!("refused"), &json!(20), &json!(5.0))
    );
    assert_eq!((&rules["min_width"], &rules["max_width"]), (&json!(100), &json!(null)));
    let images = system.images(&shown["id"]).await;
    let good = named(&images, "good");
    for score in ["brightness", "contrast", "sharpness"] {
        assert!((20..=95).contains(&good[score].as_i64().unwrap()), "{score}: {good:#}");
    }
    assert_eq!(good["jpeg_quality"], Value::Null);
    for (name, begin, end) in [
        ("uniform", "contrast 0, ", "at least 3 wanted"),
        ("too-dark", "brightness ", "at least 4 wanted"),
        ("blurred", "sharpness ", "at least 20 wanted"),
        ("over-compressed", "JPEG quality 10, ", "at least 25 wanted"),
        ("animated", "2 frames, ", "still pictures are wanted"),
        ("aspect-ratio-not-wanted", "700×120 pixels are 5.83 to 1, ", "at most 5 to 1 wanted"),
    ] {
        let image = named(&images, name);
        let detail = image["metadata"]["detail"].as_str().unwrap();
        assert!(detail.starts_with(begin) && detail.ends_with(end), "{name}: {detail}");
        assert_eq!(image["reason"], name, "{image:#}");
    }
}

#[tokio::test]
async fn other_rules_are_applied_to_what_is_there() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    show(&site);
    let job = system.create_with(&["/page"], 100, json!({ "rules": { "near_duplicates": 0 } })).await;
    let shown = system.until_status(job, "completed").await;
    assert_eq!((&shown["kept"], &shown["refused"]), (&json!(8), &json!({})), "{shown:#}");
    let dataset = shown["dataset_id"].to_string();
    let exports = format!("/api/v1/datasets/{dataset}/exports");
    let export = system.post(&exports, &json!({ "format": "jsonl" })).await.expect(201).json();
    assert_eq!(export["images"], 8, "{export:#}");

    let check = |more: &[&'static str]| {
        let rules = ["--level", "standard", "--animation", "refused", "--all-users"];
        [&["dataset", "check", &dataset], &rules[..], more].concat().into_iter().map(str::to_owned)
    };
    let run = async |more: &[&'static str]| {
        let arguments: Vec<String> = check(more).collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        system.run(&arguments, &[]).await
    };
    let json_of = |output: std::process::Output| -> Value {
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let told = json_of(run(&["--dry-run", "--json"]).await);
    assert_eq!((&told["images"], &told["refused"], &told["unmeasured"]), (&json!(8), &json!(7), &json!(0)));
    assert_eq!((&told["refusals"], &told["dry_run"]), (&refusals(), &json!(true)));
    let asked = run(&[]).await;
    assert_eq!(asked.status.code(), Some(2), "{asked:?}");
    assert!(String::from_utf8_lossy(&asked.stderr).contains("say --yes"), "{asked:?}");
    assert_eq!(system.job(job).await["kept"], 8, "nothing was done");

    // What was not measured is not judged by its scores.
    let forget = "update images set sharpness = null, brightness = null, contrast = null, jpeg_quality = null
                   where original_url like '%/blurred'";
    sqlx::query(forget).execute(&system.pool).await.unwrap();
    let part = run(&["--yes", "--json"]).await;
    assert_eq!(part.status.code(), Some(1), "{part:?}");
    assert!(String::from_utf8_lossy(&part.stderr).contains("dataset measure"), "{part:?}");
    let part: Value = serde_json::from_slice(&part.stdout).unwrap();
    assert_eq!((&part["refused"], &part["unmeasured"]), (&json!(6), &json!(1)));
    system.tool(&["dataset", "measure", "--all-users"], &[]).await;
    let rest = json_of(run(&["--yes", "--json"]).await);
    assert_eq!((&rest["images"], &rest["refusals"]), (&json!(2), &json!({ "blurred": 1 })));
    let nothing = json_of(run(&["--json"]).await);
    assert_eq!((&nothing["images"], &nothing["refused"]), (&json!(1), &json!(0)));

    let shown = system.job(job).await;
    assert_eq!(
        (&shown["kept"], &shown["valid_images"], &shown["refused"]),
        (&json!(1), &json!(1), &refusals())
    );
    let chunks = shown["chunks"].as_array().unwrap();
    assert_eq!(chunks.iter().map(|chunk| chunk["kept"].as_i64().unwrap()).sum::<i64>(), 1, "{shown:#}");
    let images = system.images(&shown["id"]).await;
    let blurred = named(&images, "blurred");
    assert_eq!(
        (&blurred["verdict"], &blurred["reason"], &blurred["url"], &blurred["storage_url"]),
        (&json!("refused"), &json!("blurred"), &Value::Null, &Value::Null)
    );
    assert!(blurred["metadata"]["detail"].as_str().unwrap().ends_with("at least 20 wanted"), "{blurred:#}");
    assert_eq!(named(&images, "good")["verdict"], "kept");
    let export = system.get(&format!("{exports}/{}", export["id"])).await.expect(200).json();
    assert_eq!((&export["images"], &export["removed"]), (&json!(1), &json!(7)), "{export:#}");
    let held = system.get(&format!("/api/v1/datasets/{dataset}")).await.expect(200).json();
    assert_eq!((&held["image_count"], &held["images_collected"]), (&json!(1), &json!(1)), "{held:#}");
    // What was refused by another rule is known, and no retry brings it back.
    let again = system.fails(&["dataset", "check", &dataset, "--all-users"], &[]).await;
    assert!(again.contains("no rule is given"), "{again}");
    let wrong = ["dataset", "check", &dataset, "--all-users", "--min-bytes", "10", "--max-bytes", "5"];
    let wrong = system.fails(&wrong, &[]).await;
    assert!(wrong.contains("--max-bytes must be at least `min_bytes`, which is 10"), "{wrong}");
}

/// What was recorded of pictures counts when another policy is asked for; nothing does where none is.
#[tokio::test]
async fn a_policy_is_applied_to_what_was_recorded() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    let pages = site_of_all(&site);
    let job = system.create_with(&pages, 100, json!({ "rules": { "consent": "record" } })).await;
    let shown = system.until_status(job, "completed").await;
    assert_eq!((&shown["kept"], &shown["refused"]), (&json!(16), &json!({})), "{shown:#}");
    let dataset = shown["dataset_id"].to_string();
    let check = async |more: &[&str]| -> Value {
        let arguments = [&["dataset", "check", &dataset, "--all-users", "--json"], more].concat();
        serde_json::from_str(&system.tool(&arguments, &[]).await).unwrap()
    };
    let refusals = async |more: &[&str]| check(&[more, &["--dry-run"]].concat()).await["refusals"].clone();
    assert_eq!(refusals(&["--min-bytes", "1"]).await, json!({}));
    assert_eq!(refusals(&["--min-bytes", "1", "--consent", "record"]).await, json!({}));
    assert_eq!(refusals(&["--consent", "Respect"]).await, json!({ "opt-out": 9 }));
    assert_eq!(refusals(&["--consent", "strict"]).await, json!({ "opt-out": 9, "ai-generated": 1 }));
    // Of one of them nobody knows.
    let forget = "update images set consent = null where original_url = 'http://tdm.example/p.png'";
    sqlx::query(forget).execute(&system.pool).await.unwrap();
    let done = check(&["--consent", "strict", "--yes"]).await;
    let refused = json!({ "opt-out": 8, "ai-generated": 1 });
    assert_eq!((&done["refusals"], &done["unmeasured"]), (&refused, &json!(0)), "{done}");
    let shown = system.job(job).await;
    assert_eq!((&shown["kept"], &shown["refused"]), (&json!(7), &refused), "{shown:#}");
    let images = system.images(job).await;
    for (host, verdict, reason, detail) in [
        ("tag", "refused", Some("opt-out"), Some("the header of the picture says `X-Robots-Tag: noimageai`")),
        (
            "made",
            "refused",
            Some("ai-generated"),
            Some("the file of the picture says `Iptc4xmpExt:DigitalSourceType: trainedAlgorithmicMedia`"),
        ),
        ("tdm", "kept", None, None),
        ("plain", "kept", None, None),
    ] {
        let address = format!("http://{host}.example/p.png");
        let image = images.iter().find(|image| image["original_url"] == address.as_str()).unwrap();
        assert_eq!((&image["verdict"], &image["reason"]), (&json!(verdict), &json!(reason)), "{image:#}");
        assert_eq!(image["metadata"]["detail"], json!(detail), "{image:#}");
    }

    let idle = ["dataset", "check", &dataset, "--all-users", "--consent", "record"];
    let idle = system.fails(&idle, &[]).await;
    assert!(idle.contains("no rule is given"), "{idle}");
    let wrong = ["dataset", "check", &dataset, "--all-users", "--consent", "ignore"];
    let wrong = system.fails(&wrong, &[]).await;
    assert!(wrong.contains("must be one of: record, respect, strict"), "{wrong}");
}
