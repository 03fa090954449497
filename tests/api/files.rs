//! Images: the list, and the bytes.

use bytes::Bytes;
use pixcrawler::model::{Format, JobId, Sha256, UserId};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256 as Hash};

use super::problem;
use crate::support::{
    api::{Answer, Api, User, send},
    postgres::data_dir,
    site::{ORIGIN, Site, page},
};

const BYTES: &[u8] = b"0123456789 not really a picture, which is none of the route's business";

/// A job with a kept image, a refused one and a duplicate; the path of its images.
async fn crawled(api: &Api, user: &User<'_>) -> String {
    let body = json!({ "name": "Pandas", "keywords": ["red panda"], "max_images": 5 });
    let job = user.post("/api/v1/crawl-jobs/", &body).await.expect(201).json();
    let sha256 = Sha256(Hash::digest(BYTES).into());
    let owner = UserId(job["user_id"].as_str().unwrap().parse().unwrap());
    api.app.store.put(owner, &sha256, Format::Png, Bytes::from_static(BYTES)).await.unwrap();
    sqlx::query(
        "insert into images (crawl_job_id, original_url, filename, storage_url, format, hash, file_size, is_valid, is_duplicate, duplicate_of, reason, pdq) values
             ($1, 'https://example.org/a.png', 'a.png', 'object', 'png', $2, 70, true, false, null, null, repeat('0f', 32)),
             ($1, 'https://example.org/b.jpg', 'b.jpg', null, null, null, null, false, false, null, 'truncated', null),
             ($1, 'https://example.org/c.png', 'c.png', null, 'png', $2, 70, true, true, 1, null, repeat('0f', 32))",
    )
    .bind(i32::try_from(job["id"].as_i64().unwrap()).unwrap())
    .bind(sha256.to_string())
    .execute(&api.database.pool)
    .await
    .unwrap();
    format!("/api/v1/crawl-jobs/{}/images", job["id"])
}

#[tokio::test]
async fn images_are_listed_with_their_verdict() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let path = crawled(&api, &ann).await;
    let page = async |query: &str| ann.get(&format!("{path}{query}")).await.expect(200).json();
    let urls = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items
            .map(|image| image["original_url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned())
            .collect()
    };
    let all = page("").await;
    assert_eq!(urls(&all), ["a.png", "b.jpg", "c.png"]);
    assert_eq!(all["next"], Value::Null);
    assert_eq!(all["items"][0]["pdq"], "0f".repeat(32));
    for (query, expected) in [
        ("?verdict=kept", vec!["a.png"]),
        ("?verdict=refused", vec!["b.jpg"]),
        ("?verdict=duplicate", vec!["c.png"]),
        ("?reason=truncated", vec!["b.jpg"]),
        ("?reason=corrupt", vec![]),
        ("?url=https%3A%2F%2Fexample.org%2Fb.jpg", vec!["b.jpg"]),
    ] {
        assert_eq!(urls(&page(query).await), expected, "{query}");
    }
    let first = page("?limit=2").await;
    assert_eq!(urls(&first), ["a.png", "b.jpg"]);
    assert_eq!(urls(&page(&format!("?limit=2&after={}", first["next"])).await), ["c.png"]);

    let job = ann.get(path.strip_suffix("/images").unwrap()).await.expect(200).json();
    assert_eq!((&job["refused"], &job["duplicates"]), (&json!({ "truncated": 1 }), &json!(1)));
    api.stop().await;
}

#[tokio::test]
async fn bytes_are_served_to_whoever_holds_the_link() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let path = crawled(&api, &ann).await;
    let images = ann.get(&path).await.expect(200).json();
    let link = images["items"][0]["url"].as_str().unwrap().to_owned();
    assert_eq!(images["items"][1]["url"], Value::Null);

    let file = api.get(&link).await.expect(200);
    assert_eq!(file.text.as_bytes(), BYTES);
    assert_eq!(file.header("content-type"), Some("image/png"));
    assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(file.header("content-security-policy"), Some("sandbox; default-src 'none'"));
    let tag = format!("\"{}\"", hex::encode(Hash::digest(BYTES)));
    assert_eq!(file.header("etag"), Some(tag.as_str()));
    assert_eq!(file.header("content-length"), Some("70"));

    let (bare, query) = link.split_once('?').unwrap();
    ann.get(bare).await.expect(200);
    problem(&api.get(bare).await, 401, "unauthorized");
    problem(&api.get(&link.replace("expires=1", "expires=2")).await, 401, "unauthorized");
    let refused = images["items"][1]["id"].clone();
    problem(&api.get(&format!("/api/v1/images/{refused}/file?{query}")).await, 401, "unauthorized");
    problem(&ann.get(&format!("/api/v1/images/{refused}/file")).await, 404, "not-found");
    api.stop().await;
}

/// All that a job has kept, downloaded by its links, is what its folder has.
#[tokio::test]
async fn a_manifest_is_the_whole_dataset() {
    let site = Site::start().await;
    let mapping = site.mapping();
    let mut pictures = site.gallery("/foxes", 4, None);
    pictures.push("/lost.png".to_owned());
    site.on("/foxes", [page(&pictures, None)]);
    site.gallery("/more", 3, None);
    let api = Api::crawling(&["--map-origin", &mapping]).await;
    let ann = api.user("ann@example.org");
    let urls = ["/foxes", "/more"].map(|path| format!("{ORIGIN}{path}"));
    let body = json!({ "name": "Foxes", "urls": urls, "labels": { &urls[0]: "fox" }, "max_images": 50 });
    let job = ann.create(&body).await;
    let shown = ann.over(job).await;
    assert_eq!(shown["kept"], 7, "{shown:#}");

    // By its link alone, as a program without a token does it.
    let answer = api.get(shown["manifest_url"].as_str().unwrap()).await.expect(200);
    assert_eq!(answer.header("content-type"), Some("application/jsonl"));
    let mut lines = lines(&answer);
    let owner = UserId(shown["user_id"].as_str().unwrap().parse().unwrap());
    let folder = data_dir();
    let out = folder.path().join("out");
    let id = JobId(i32::try_from(job).unwrap());
    pixcrawler::dataset::export(&api.app, owner, id, &out).await.unwrap();
    for line in &mut lines {
        let line = line.as_object_mut().unwrap();
        let until: chrono::DateTime<chrono::Utc> =
            serde_json::from_value(line.remove("expires_at").unwrap()).unwrap();
        let left = (until - chrono::Utc::now()).num_minutes();
        assert!((23 * 60..=24 * 60).contains(&left), "{left} minutes");
        let link = line.remove("download_url").unwrap();
        let link = link.as_str().unwrap().strip_prefix(&format!("http://{}", api.address)).unwrap();
        let bytes = api.request("GET", link).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(bytes, std::fs::read(out.join(line["file_name"].as_str().unwrap())).unwrap());
    }
    let written = std::fs::read_to_string(out.join("metadata.jsonl")).unwrap();
    let written: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, written);

    let path = format!("/api/v1/crawl-jobs/{job}/manifest");
    ann.get(&path).await.expect(200);
    let (_, query) = shown["events_url"].as_str().unwrap().split_once('?').unwrap();
    problem(&api.get(&format!("{path}?{query}")).await, 401, "unauthorized");
    problem(&api.user("bob@example.org").get(&path).await, 404, "not-found");
    problem(&ann.get("/api/v1/crawl-jobs/99999/manifest").await, 404, "not-found");
    api.stop().await;
}

/// More than a page of it, of a job that goes on.
#[tokio::test]
async fn a_manifest_has_what_is_there() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let body = json!({ "name": "Pandas", "keywords": ["red panda"], "max_images": 5000 });
    let job = ann.create(&body).await;
    let path = format!("/api/v1/crawl-jobs/{job}/manifest");
    assert_eq!(ann.get(&path).await.expect(200).text, "");
    sqlx::query(
        "insert into images (crawl_job_id, original_url, filename, storage_url, format, hash, width, height, file_size, is_valid)
         select $1, 'https://example.org/' || n, n, 'object', 'png', lpad(to_hex(n), 64, '0'), 1, 1, 70, n % 3 > 0
           from generate_series(1, 1800) n",
    )
    .bind(i32::try_from(job).unwrap())
    .execute(&api.database.pool)
    .await
    .unwrap();
    let lines = lines(&ann.get(&path).await.expect(200));
    let urls: Vec<&str> = lines.iter().map(|line| line["url"].as_str().unwrap()).collect();
    let expected: Vec<String> =
        (1..=1800).filter(|n| n % 3 > 0).map(|n| format!("https://example.org/{n}")).collect();
    assert_eq!(urls, expected);

    // What cannot be read breaks it off: nobody takes that for the whole.
    sqlx::query("update images set hash = 'none' where original_url = 'https://example.org/1700'")
        .execute(&api.database.pool)
        .await
        .unwrap();
    let broken = ann.request("GET", &path).send().await.unwrap();
    assert_eq!(broken.status().as_u16(), 200);
    assert!(broken.bytes().await.is_err(), "it looks whole");
    api.stop().await;
}

fn lines(answer: &Answer) -> Vec<Value> {
    answer.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn ranges_and_conditions() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let images = ann.get(&crawled(&api, &ann).await).await.expect(200).json();
    let link = images["items"][0]["url"].as_str().unwrap().to_owned();
    let with = |headers: &[(&str, &str)]| {
        let request = api.request("GET", &link);
        send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)))
    };
    let part = with(&[("range", "bytes=2-4")]).await.expect(206);
    assert_eq!((part.text.as_str(), part.header("content-range")), ("234", Some("bytes 2-4/70")));
    assert_eq!(with(&[("range", "bytes=-8")]).await.expect(206).text, "business");
    let outside = with(&[("range", "bytes=70-")]).await;
    problem(&outside, 416, "range-not-satisfiable");
    assert_eq!(outside.header("content-range"), Some("bytes */70"));
    with(&[("range", "bytes=0-1,3-4")]).await.expect(200);
    let tag = format!("\"{}\"", hex::encode(Hash::digest(BYTES)));
    with(&[("range", "bytes=2-4"), ("if-range", &tag)]).await.expect(206);
    with(&[("range", "bytes=2-4"), ("if-range", "\"other\"")]).await.expect(200);
    let same = with(&[("if-none-match", &tag)]).await.expect(304);
    assert_eq!((same.text.as_str(), same.header("etag")), ("", Some(tag.as_str())));
    let head = send(api.request("HEAD", &link)).await.expect(200);
    assert_eq!(head.header("content-length"), Some("70"));
    api.stop().await;
}

/// A picture of 300 × 200 pixels, lying on its side, and the list of the one image that it is.
async fn pictured(api: &Api, user: &User<'_>) -> Value {
    let body = json!({ "name": "Pandas", "keywords": ["red panda"], "max_images": 5 });
    let job = user.post("/api/v1/crawl-jobs/", &body).await.expect(201).json();
    let owner = UserId(job["user_id"].as_str().unwrap().parse().unwrap());
    let mut bytes = Vec::new();
    let picture = image::RgbImage::from_fn(300, 200, |x, y| image::Rgb([x as u8, y as u8, 90]));
    let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    let exif = b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
    image::ImageEncoder::set_exif_metadata(&mut encoder, exif.to_vec()).unwrap();
    picture.write_with_encoder(encoder).unwrap();
    for (name, bytes) in [("a", bytes), ("b", BYTES.to_vec())] {
        let sha256 = Sha256(Hash::digest(&bytes).into());
        api.app.store.put(owner, &sha256, Format::Png, bytes.into()).await.unwrap();
        sqlx::query(
            "insert into images (crawl_job_id, original_url, filename, storage_url, format, hash, is_valid)
             values ($1, 'https://example.org/' || $2, $2, 'object', 'png', $3, true)",
        )
        .bind(i32::try_from(job["id"].as_i64().unwrap()).unwrap())
        .bind(name)
        .bind(sha256.to_string())
        .execute(&api.database.pool)
        .await
        .unwrap();
    }
    user.get(&format!("/api/v1/crawl-jobs/{}/images", job["id"])).await.expect(200).json()
}

#[tokio::test]
async fn small_copies_are_made_when_they_are_asked_for() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let images = pictured(&api, &ann).await;
    let link = images["items"][0]["thumbnail_url"].as_str().unwrap();
    let hash = images["items"][0]["hash"].as_str().unwrap();
    let asked = |size: &str| api.request("GET", &format!("{link}{size}")).send();
    // Many at once ask for what is made once.
    let answers = futures_util::future::join_all((0..12).map(|_| asked("&size=100"))).await;
    let mut copies = Vec::new();
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 200);
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "image/jpeg");
        assert_eq!(header("etag"), format!("\"{hash}-128-1\""));
        assert_eq!(header("cache-control"), "private, max-age=31536000, immutable");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("content-security-policy"), "sandbox; default-src 'none'");
        copies.push(answer.bytes().await.unwrap());
    }
    assert!(copies.windows(2).all(|pair| pair[0] == pair[1]));
    for (size, expected) in
        [("", (171, 256)), ("&size=16", (43, 64)), ("&size=128", (85, 128)), ("&size=1000", (200, 300))]
    {
        let copy = asked(size).await.unwrap().bytes().await.unwrap();
        let copy = image::load_from_memory(&copy).unwrap();
        assert_eq!((copy.width(), copy.height()), expected, "{size}");
    }

    let (bare, query) = link.split_once('?').unwrap();
    let tag = format!("W/\"other\", \"{hash}-256-1\"");
    let known = send(ann.request("GET", bare).header("if-none-match", tag)).await.expect(304);
    assert_eq!(known.header("etag"), Some(&*format!("\"{hash}-256-1\"")));
    for size in ["15", "1025", "-1", "x", ""] {
        problem(&ann.get(&format!("{bare}?size={size}")).await, 422, "bad-parameter");
    }
    problem(&api.get(bare).await, 401, "unauthorized");
    let file = images["items"][0]["url"].as_str().unwrap().split_once('?').unwrap().0;
    problem(&api.get(&format!("{file}?{query}")).await, 401, "unauthorized");
    // What is no picture has no small copy.
    let other = images["items"][1]["thumbnail_url"].as_str().unwrap();
    let told = problem(&api.get(other).await, 404, "not-found");
    assert_eq!(told["detail"], "You have no such small copy: it cannot be made.");
    api.stop().await;
}
