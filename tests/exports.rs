//! Exports, through the front door: what comes out of a dataset, whole, in parts, and while pictures go.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read as _},
};

use bytes::Bytes;
use futures_util::{FutureExt as _, StreamExt as _};
use pixcrawler::{
    db,
    model::{Format, Sha256, UserId},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::support::{
    api::{Answer, Api, User, pointers, send},
    postgres::{execute, until_waiting},
    site::PATIENCE,
};

/// A dataset with a job that has kept pictures.
struct Kept {
    owner: UserId,
    job: i64,
    dataset: i64,
}

impl Kept {
    /// Of pictures that are no pictures, which is none of an export's business: label and bytes of each.
    async fn make(api: &Api, user: &User<'_>, pictures: &[(&str, Vec<u8>)]) -> Self {
        let body = json!({ "name": "Animals", "keywords": ["animal"], "max_images": 5 });
        let shown = user.post("/api/v1/crawl-jobs/", &body).await.expect(201).json();
        let owner = UserId(shown["user_id"].as_str().unwrap().parse().unwrap());
        let kept = Self {
            owner,
            job: shown["id"].as_i64().unwrap(),
            dataset: shown["dataset_id"].as_i64().unwrap(),
        };
        kept.add(api, kept.job, pictures).await;
        kept
    }

    async fn add(&self, api: &Api, job: i64, pictures: &[(&str, Vec<u8>)]) {
        let puts = pictures.iter().map(|(_, bytes)| {
            let bytes = Bytes::from(bytes.clone());
            let sha256 = Sha256::of(&bytes);
            async move { api.app.store.put(self.owner, &sha256, Format::Png, bytes).await.unwrap() }
        });
        futures_util::stream::iter(puts).buffer_unordered(16).collect::<Vec<()>>().await;
        let hashes: Vec<String> = pictures.iter().map(|(_, bytes)| Sha256::of(bytes).to_string()).collect();
        sqlx::query(
            "insert into images (crawl_job_id, original_url, filename, storage_url, format, hash, file_size, width,
                                 height, is_valid, is_duplicate, labels, pdq, crc32, title)
             select $1, 'https://example.org/' || hash, hash || '.png', 'object', 'png', hash, size, 4, 3, true, false,
                    jsonb_build_array(label, 'z', 'a'), repeat('f', 64), crc32, 'A \"title\"'
               from unnest($2::text[], $3::integer[], $4::text[], $5::bigint[]) as kept (hash, size, label, crc32)",
        )
        .bind(i32::try_from(job).unwrap())
        .bind(&hashes)
        .bind(pictures.iter().map(|(_, bytes)| i32::try_from(bytes.len()).unwrap()).collect::<Vec<_>>())
        .bind(pictures.iter().map(|(label, _)| *label).collect::<Vec<_>>())
        .bind(pictures.iter().map(|(_, bytes)| i64::from(crc32fast::hash(bytes))).collect::<Vec<_>>())
        .execute(&api.database.pool)
        .await
        .unwrap();
    }

    fn exports(&self) -> String {
        format!("/api/v1/datasets/{}/exports", self.dataset)
    }

    async fn export(&self, user: &User<'_>, body: &Value) -> Value {
        let answer = user.post(&self.exports(), body).await.expect(201);
        let export = answer.json();
        assert_eq!(answer.header("location"), Some(format!("{}/{}", self.exports(), export["id"]).as_str()));
        export
    }

    async fn shown(&self, user: &User<'_>, export: &Value) -> Value {
        user.get(&format!("{}/{}", self.exports(), export["id"])).await.expect(200).json()
    }

    fn file(&self, export: &Value, name: &str) -> String {
        format!("{}/{}/{name}", self.exports(), export["id"])
    }
}

/// Five, of two labels, the larger of which is not read in one go.
fn pictures() -> Vec<(&'static str, Vec<u8>)> {
    let bytes = |number: u8, size: usize| vec![number; size];
    vec![
        ("cat", bytes(1, 100)),
        ("Černý kůň", bytes(2, 0)),
        ("cat", bytes(3, 512)),
        ("Černý kůň", bytes(4, 3 << 20)),
        ("cat", bytes(5, 70_000)),
    ]
}

async fn bytes(request: reqwest::RequestBuilder, status: u16) -> (reqwest::header::HeaderMap, Bytes) {
    let answer = request.send().await.unwrap();
    let (found, headers) = (answer.status().as_u16(), answer.headers().clone());
    let bytes = answer.bytes().await.unwrap();
    assert_eq!(found, status, "{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(500)]));
    (headers, bytes)
}

fn problem(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.json()["code"].as_str()), (status, Some(code)), "{answer:?}");
}

async fn finish(api: &Api) {
    api.app.finish_exports(&CancellationToken::new()).await.unwrap();
}

#[tokio::test]
async fn every_format_comes_out_whole_and_in_parts_and_the_same_for_everybody() {
    let api = Api::start().await;
    let (ann, bob) = (api.user("ann@example.org"), api.user("bob@example.org"));
    let hers = Kept::make(&api, &ann, &pictures()).await;
    let mut turned = pictures();
    turned.reverse();
    let his = Kept::make(&api, &bob, &turned).await;
    // What owners say is the same in whatever order it was read.
    let noai = json!({ "signal": "noai", "place": "header", "value": "noai", "meaning": "reserved" });
    let c2pa = json!({ "signal": "c2pa", "place": "file", "value": "manifest", "meaning": "noted" });
    for (kept, said) in [(&hers, [&noai, &c2pa]), (&his, [&c2pa, &noai])] {
        sqlx::query("update images set consent = $2 where crawl_job_id = $1 and file_size = 512")
            .bind(i32::try_from(kept.job).unwrap())
            .bind(json!(said))
            .execute(&api.database.pool)
            .await
            .unwrap();
    }
    for (body, data) in [
        (json!({ "format": "zip" }), &["data.zip"][..]),
        (
            json!({ "format": "zip", "shard_images": 2 }),
            &["data-00000.zip", "data-00001.zip", "data-00002.zip"],
        ),
        (
            json!({ "format": "webdataset", "parquet_beside": true }),
            &["data-00000.tar", "data-00000.parquet"],
        ),
        (
            json!({ "format": "webdataset", "shard_bytes": 1 << 20 }),
            &["data-00000.tar", "data-00001.tar", "data-00002.tar"],
        ),
        (json!({ "format": "parquet" }), &["data-00000.parquet"]),
        (json!({ "format": "csv", "order": "shuffled", "seed": 7 }), &["data.csv"]),
        (json!({ "format": "json" }), &["data.json"]),
        (json!({ "format": "jsonl" }), &["data.jsonl"]),
        (json!({ "format": "yaml" }), &["data.yaml"]),
        (json!({ "format": "txt" }), &["data.txt"]),
    ] {
        let export = hers.export(&ann, &body).await;
        let twin = his.export(&bob, &body).await;
        assert_eq!((&export["images"], &export["revision"]), (&json!(5), &json!(0)), "{body}");
        let is_made = |name: &str| name.ends_with(".parquet");
        let names: Vec<&str> =
            export["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
        assert_eq!(names, [data, &["attribution.csv", "README.md"]].concat(), "{body}");
        for file in export["files"].as_array().unwrap() {
            let name = file["name"].as_str().unwrap();
            assert_eq!(file["bytes"].is_null(), is_made(name), "{body} {name}");
            assert_eq!(file["sha256"], Value::Null);
            if is_made(name) {
                let answer = ann.get(&hers.file(&export, name)).await;
                problem(&answer, 409, "export-not-ready");
                assert_eq!(answer.header("retry-after"), Some("5"));
            }
        }
        finish(&api).await;
        let (export, twin) = (hers.shown(&ann, &export).await, his.shown(&bob, &twin).await);
        assert_eq!(
            (&export["state"], &twin["state"]),
            (&json!("complete"), &json!("complete")),
            "{export:#}"
        );
        for (file, other) in export["files"].as_array().unwrap().iter().zip(twin["files"].as_array().unwrap())
        {
            let name = file["name"].as_str().unwrap();
            // A link needs no token.
            let (headers, whole) = bytes(api.request("GET", file["url"].as_str().unwrap()), 200).await;
            assert_eq!(file["bytes"], json!(whole.len()), "{name}");
            assert_eq!(headers["content-length"], whole.len().to_string());
            assert_eq!(file["sha256"], json!(Sha256::of(&whole).to_string()), "{name}");
            assert_eq!(other["sha256"], file["sha256"], "{body} {name}");
            let path = hers.file(&export, name);
            let head = ann.request("HEAD", &path).send().await.unwrap();
            assert_eq!(
                (head.status().as_u16(), &head.headers()["content-length"]),
                (200, &headers["content-length"])
            );
            let tag = headers["etag"].to_str().unwrap();
            let known = ann.request("GET", &path).header("if-none-match", tag);
            bytes(known, 304).await;
            let size = whole.len();
            for (start, end) in [(0, 1), (size / 3, size / 2), (size - 1, size), (1, size), (size / 2, size)]
            {
                let part = ann.request("GET", &path).header("range", format!("bytes={start}-{}", end - 1));
                let (headers, part) = bytes(part.header("if-range", tag), 206).await;
                assert_eq!(headers["content-range"], format!("bytes {start}-{}/{size}", end - 1));
                assert!(part == whole[start..end], "{name} {start}..{end}");
            }
            let beyond = send(ann.request("GET", &path).header("range", format!("bytes={size}-"))).await;
            problem(&beyond, 416, "range-not-satisfiable");
            read(name, &whole);
            if name == "data.jsonl" {
                let text = std::str::from_utf8(&whole).unwrap();
                let said = r#""consent":["noted c2pa file manifest","reserved noai header noai"],"#;
                let counts = [said, r#""consent":[],"#].map(|said| text.matches(said).count());
                assert_eq!(counts, [1, 4], "{text}");
            }
        }
        for name in ["manifest.json", "croissant.json"] {
            let text = ann.get(&hers.file(&export, name)).await.expect(200).json();
            let sha256 = export["files"][0]["sha256"].as_str().unwrap();
            assert!(text.to_string().contains(sha256), "{name} {text:#}");
        }
        ann.get(&format!("{}/{}", his.exports(), twin["id"])).await.expect(404);
        send(ann.request("DELETE", &format!("{}/{}", hers.exports(), export["id"]))).await.expect(200);
        problem(&ann.get(&hers.file(&export, names[0])).await, 404, "not-found");
        send(bob.request("DELETE", &format!("{}/{}", his.exports(), twin["id"]))).await.expect(200);
    }
    let made: Vec<_> = api.app.store.made(hers.owner).collect().await;
    assert!(made.is_empty(), "{made:?}");
    api.stop().await;
}

/// An archive is one for those who know the format.
fn read(name: &str, bytes: &[u8]) {
    if name.ends_with(".zip") {
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        for at in 0..archive.len() {
            archive.by_index(at).unwrap().read_to_end(&mut Vec::new()).unwrap();
        }
        let mut text = String::new();
        archive.by_name("metadata.jsonl").unwrap().read_to_string(&mut text).unwrap();
        for line in text.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            let name = record["file_name"].as_str().unwrap();
            assert_eq!(record["labels"], json!([record["label"], "a", "z"]));
            let mut picture = Vec::new();
            archive.by_name(name).unwrap().read_to_end(&mut picture).unwrap();
            assert_eq!(record["sha256"], json!(Sha256::of(&picture).to_string()));
        }
        for name in ["README.md", "attribution.csv", "croissant.json"] {
            archive.by_name(name).unwrap();
        }
    } else if name.ends_with(".tar") {
        let mut archive = tar::Archive::new(bytes);
        let mut entries = archive.entries().unwrap();
        while let Some(picture) = entries.next() {
            let mut picture = picture.unwrap();
            let (mut bytes, mut text) = (Vec::new(), String::new());
            picture.read_to_end(&mut bytes).unwrap();
            entries.next().unwrap().unwrap().read_to_string(&mut text).unwrap();
            let record: Value = serde_json::from_str(&text).unwrap();
            assert_eq!(record["sha256"], json!(Sha256::of(&bytes).to_string()));
        }
    } else if name.ends_with(".parquet") {
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    } else if name.ends_with(".jsonl") {
        let text = std::str::from_utf8(bytes).unwrap();
        let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let key = |record: &Value| {
            (record["label"].as_str().unwrap().to_owned(), record["sha256"].as_str().unwrap().to_owned())
        };
        assert!(records.len() == 5 && records.is_sorted_by_key(key));
    }
}

#[tokio::test]
async fn a_download_that_was_cut_goes_on_and_begins_anew_when_a_picture_has_gone() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let kept = Kept::make(&api, &ann, &pictures()).await;
    let body = json!({ "name": "More", "keywords": ["cat"], "dataset_id": kept.dataset });
    let job = ann.create(&body).await;
    kept.add(&api, job, &[("cat", vec![6; 9000])]).await;
    for format in ["zip", "webdataset", "parquet"] {
        if format == "parquet" {
            // What went below is there again, with other ids.
            kept.add(&api, kept.job, &[("cat", vec![6; 9000])]).await;
        }
        let export = kept.export(&ann, &json!({ "format": format })).await;
        finish(&api).await;
        let export = kept.shown(&ann, &export).await;
        let file = &export["files"][0];
        let path = kept.file(&export, file["name"].as_str().unwrap());
        let (headers, whole) = bytes(ann.request("GET", &path), 200).await;
        let tag = headers["etag"].to_str().unwrap();

        let mut cut = ann.request("GET", &path).send().await.unwrap();
        let begun = cut.chunk().await.unwrap().unwrap();
        drop(cut);
        assert!(!begun.is_empty() && whole.starts_with(&begun));
        let go_on = || {
            let range = format!("bytes={}-", begun.len());
            ann.request("GET", &path).header("range", range).header("if-range", tag)
        };
        let (_, rest) = bytes(go_on(), 206).await;
        assert!([begun.clone(), rest].concat() == whole);

        if format == "webdataset" {
            continue;
        }
        match format {
            "zip" => {
                send(ann.request("POST", &format!("/api/v1/crawl-jobs/{job}/cancel"))).await;
                send(ann.request("DELETE", &format!("/api/v1/crawl-jobs/{job}"))).await.expect(204);
            }
            // Or it is refused after all.
            _ => {
                let refused = "update images set is_valid = false, reason = 'corrupt' where file_size = 9000";
                sqlx::query(refused).execute(&api.database.pool).await.unwrap();
            }
        }
        let shown = kept.shown(&ann, &export).await;
        let changed = &shown["files"][0];
        assert_eq!(
            (&shown["images"], &shown["removed"], &shown["revision"]),
            (&json!(5), &json!(1), &json!(1))
        );
        assert_eq!(
            (&changed["revision"], &changed["removed"], &changed["sha256"]),
            (&json!(1), &json!(1), &Value::Null)
        );
        if format == "parquet" {
            problem(&send(go_on()).await, 409, "export-not-ready");
            finish(&api).await;
        }
        let (headers, anew) = bytes(go_on(), 200).await;
        assert_ne!(headers["etag"], tag);
        assert!(anew.len() < whole.len() && anew != whole);
        read(file["name"].as_str().unwrap(), &anew);
        finish(&api).await;
        let shown = kept.shown(&ann, &export).await;
        assert_eq!(shown["files"][0]["sha256"], json!(Sha256::of(&anew).to_string()));
        // As if it had never been there, but for what documents say of how it went.
        let twin = kept.export(&ann, &json!({ "format": format })).await;
        finish(&api).await;
        let twin = kept.shown(&ann, &twin).await;
        let same = if format == "zip" { 1..2 } else { 0..2 };
        for at in same {
            assert_eq!(shown["files"][at]["sha256"], twin["files"][at]["sha256"], "{twin:#}");
        }
    }
    api.stop().await;
}

/// Memory does not grow with a file: nothing is read far ahead of who reads slowly, so what goes meanwhile is
/// missed in the middle.
#[tokio::test]
async fn a_large_file_comes_as_it_is_read_and_breaks_off_when_pictures_go() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let picture = |number: usize| {
        let mut bytes = vec![0; 40_000];
        bytes[..8].copy_from_slice(&number.to_le_bytes());
        ("cat", bytes)
    };
    let many: Vec<_> = (0..1100).map(picture).collect();
    let kept = Kept::make(&api, &ann, &many).await;
    for gone in ["rows", "objects"] {
        let export = kept.export(&ann, &json!({ "format": "webdataset" })).await;
        let path = kept.file(&export, "data-00000.tar");
        let size = export["files"][0]["bytes"].as_u64().unwrap();
        let mut answer = ann.request("GET", &path).send().await.unwrap();
        assert_eq!(answer.content_length(), Some(size));
        let mut read = answer.chunk().await.unwrap().unwrap().len() as u64;
        if gone == "rows" {
            let one = "delete from images where hash = (select max(hash) from images)";
            sqlx::query(one).execute(&api.database.pool).await.unwrap();
        } else {
            let objects: Vec<_> = api.app.store.objects(kept.owner).collect().await;
            for object in objects.into_iter().flat_map(Result::unwrap) {
                api.app.store.delete_object(&object).await.unwrap();
            }
        }
        let broken = loop {
            match answer.chunk().await {
                Ok(Some(bytes)) => read += bytes.len() as u64,
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        assert!(broken && read < size, "{gone}: {read} of {size}");
    }
    // Before the first byte it can be told.
    let export = kept.export(&ann, &json!({ "format": "webdataset", "shard_images": 1 })).await;
    let path = kept.file(&export, "data-00000.tar");
    let part = send(ann.request("GET", &path).header("range", "bytes=512-1000")).await;
    problem(&part, 503, "store-unavailable");
    api.stop().await;
}

#[tokio::test]
async fn what_a_worker_left_is_made_by_another_and_what_was_lost_is_made_again() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let kept = Kept::make(&api, &ann, &pictures()).await;
    let export = kept.export(&ann, &json!({ "format": "parquet" })).await;
    // Workers that were killed with each file in their hands.
    while db::exports::claim(&api.app.db, None).await.unwrap().is_some() {}
    finish(&api).await;
    assert_eq!(kept.shown(&ann, &export).await["state"], "preparing");
    let over = "update pixcrawler.export_file set claimed_until = now() - interval '1 second'";
    sqlx::query(over).execute(&api.database.pool).await.unwrap();
    // Several at a time do each once.
    tokio::join!(finish(&api), finish(&api), finish(&api));
    let shown = kept.shown(&ann, &export).await;
    assert_eq!(shown["state"], "complete", "{shown:#}");
    let path = kept.file(&export, "data-00000.parquet");
    let (headers, whole) = bytes(ann.request("GET", &path), 200).await;

    let made: Vec<_> = api.app.store.made(kept.owner).collect().await;
    let [made] = made[0].as_ref().unwrap()[..] else { panic!("{made:?}") };
    assert_eq!(made.size, whole.len() as u64);
    api.app.store.delete_made(kept.owner, made.place).await.unwrap();
    problem(&ann.get(&path).await, 409, "export-not-ready");
    finish(&api).await;
    let (again, same) = bytes(ann.request("GET", &path), 200).await;
    assert!(same == whole && again["etag"] == headers["etag"]);

    // A picture that cannot be read is told.
    let objects: Vec<_> = api.app.store.objects(kept.owner).collect().await;
    for object in objects.into_iter().flat_map(Result::unwrap) {
        api.app.store.delete_object(&object).await.unwrap();
    }
    api.app.store.delete_made(kept.owner, made.place).await.unwrap();
    problem(&ann.get(&path).await, 409, "export-not-ready");
    finish(&api).await;
    let answer = ann.get(&path).await;
    problem(&answer, 409, "export-not-ready");
    assert!(answer.json()["detail"].as_str().unwrap().contains("missing"), "{answer:?}");

    send(ann.request("DELETE", "/api/v1/auth/me")).await;
    let made: Vec<_> = api.app.store.made(kept.owner).collect().await;
    assert!(made.is_empty(), "{made:?}");
    api.stop().await;
}

/// The other way round each would make it anew, again and again.
#[tokio::test]
async fn a_file_that_a_newer_version_made_is_left_to_it() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let kept = Kept::make(&api, &ann, &pictures()).await;
    let export = kept.export(&ann, &json!({ "format": "parquet" })).await;
    finish(&api).await;
    let newer = "update pixcrawler.export_file set layout = layout + 1, length = 5, sha256 = null
                  where kind = 'parquet'";
    execute(&api.database.pool, newer).await;
    finish(&api).await;
    let row = async || -> (i16, i64, Option<Vec<u8>>) {
        let row = "select layout, length, sha256 from pixcrawler.export_file where kind = 'parquet'";
        sqlx::query_as(row).fetch_one(&api.database.pool).await.unwrap()
    };
    assert_eq!(row().await, (db::exports::LAYOUT + 1, 5, None));
    let path = kept.file(&export, "data-00000.parquet");
    let answer = ann.get(&path).await;
    problem(&answer, 409, "export-not-ready");
    assert!(answer.json()["detail"].as_str().unwrap().contains("newer version"), "{answer:?}");
    bytes(ann.request("GET", &kept.file(&export, "README.md")), 200).await;
    // One of an earlier version is made anew.
    let older = "update pixcrawler.export_file set layout = layout - 2 where kind = 'parquet'";
    execute(&api.database.pool, older).await;
    finish(&api).await;
    bytes(ann.request("GET", &path), 200).await;
    assert_eq!(row().await.0, db::exports::LAYOUT);
    api.stop().await;
}

/// Whoever deletes a picture before the export is there, and is done with it after, has not found it there.
#[tokio::test]
async fn a_picture_that_goes_while_an_export_is_made_is_taken_out() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let kept = Kept::make(&api, &ann, &pictures()).await;
    let mut tx = api.database.pool.begin().await.unwrap();
    sqlx::query("delete from images where file_size = 512").execute(&mut *tx).await.unwrap();
    let export = kept.export(&ann, &json!({ "format": "jsonl" })).await;
    assert_eq!(export["images"], 5);
    tx.commit().await.unwrap();
    finish(&api).await;
    let shown = kept.shown(&ann, &export).await;
    assert_eq!((&shown["images"], &shown["removed"]), (&json!(4), &json!(1)));
    // Transactions in all databases of the server count.
    let settled = async {
        while !sqlx::query_scalar::<_, bool>("select settled from pixcrawler.export")
            .fetch_one(&api.database.pool)
            .await
            .unwrap()
        {
            finish(&api).await;
        }
    };
    tokio::time::timeout(PATIENCE, settled).await.expect("all that began before have ended");
    send(ann.request("DELETE", &format!("/api/v1/datasets/{}", kept.dataset))).await.expect(200);
    let left: i64 = sqlx::query_scalar(
        "select (select count(*) from pixcrawler.export) + (select count(*) from pixcrawler.export_item)
              + (select count(*) from pixcrawler.export_file)",
    )
    .fetch_one(&api.database.pool)
    .await
    .unwrap();
    assert_eq!(left, 0);
    api.stop().await;
}

/// Members of a tar archive: name and bytes.
fn members(mut tar: &[u8]) -> Vec<(String, &[u8])> {
    let mut members = Vec::new();
    while tar[0] != 0 {
        let text = |from: usize, to: usize| String::from_utf8_lossy(&tar[from..to]).replace('\0', "");
        let size = usize::from_str_radix(&text(124, 136), 8).unwrap();
        members.push((text(0, 100), &tar[512..512 + size]));
        tar = &tar[512 + size.div_ceil(512) * 512..];
    }
    members
}

#[tokio::test]
async fn pictures_are_made_of_others() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let png = |width: u32, height: u32| {
        let mut bytes = Vec::new();
        let picture = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([x as u8, y as u8, 7]));
        picture.write_with_encoder(image::codecs::png::PngEncoder::new(&mut bytes)).unwrap();
        bytes
    };
    let kept =
        Kept::make(&api, &ann, &[("cat", png(64, 48)), ("dog", png(10, 20)), ("cat", png(200, 300))]).await;
    let wish = |format: &str, pictures: Value| json!({ "format": format, "pictures": pictures });
    let small = json!({ "width": 32, "height": 32 });
    let bodies = [
        (wish("webdataset", small.clone()), "data-00000.tar"),
        (wish("parquet", small.clone()), "data-00000.parquet"),
        (wish("zip", json!({ "width": 32, "height": 32, "fit": "border", "format": "webp" })), "data.zip"),
        (wish("webdataset", small), "data-00000.tar"),
    ];
    let mut files = Vec::new();
    for (body, name) in bodies {
        let export = kept.export(&ann, &body).await;
        problem(&ann.get(&kept.file(&export, name)).await, 409, "export-not-ready");
        finish(&api).await;
        let shown = kept.shown(&ann, &export).await;
        assert_eq!(shown["state"], "complete", "{shown:#}");
        files.push(bytes(ann.request("GET", &kept.file(&export, name)), 200).await.1);
    }
    assert!(files[0] == files[3], "the same pictures and wish, other bytes");

    let members = members(&files[0]);
    let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    let stems = ["000000000", "000000001", "000000002"].iter();
    let expected: Vec<String> =
        stems.flat_map(|stem| [format!("{stem}.jpg"), format!("{stem}.json")]).collect();
    assert_eq!(names, expected);
    let mut sizes = Vec::new();
    for pair in members.chunks_exact(2) {
        let picture = image::load_from_memory_with_format(pair[0].1, image::ImageFormat::Jpeg).unwrap();
        let record: Value = serde_json::from_slice(pair[1].1).unwrap();
        assert_eq!(
            (record["width"].as_u64(), record["height"].as_u64()),
            (Some(picture.width().into()), Some(picture.height().into()))
        );
        assert_eq!(record["size"].as_u64(), Some(pair[0].1.len() as u64));
        assert_eq!(record["sha256"], Sha256::of(pair[0].1).to_string());
        assert!(record["file_name"].as_str().unwrap().ends_with(".jpg"), "{record:#}");
        // As the rows say.
        let of = ["original_width", "original_height"].map(|side| record[side].as_u64().unwrap());
        assert_eq!((of, record["original_sha256"].as_str().map(str::len)), ([4, 3], Some(64)));
        sizes.push([picture.width(), picture.height()]);
    }
    sizes.sort_unstable();
    assert_eq!(sizes, [[10, 20], [21, 32], [32, 24]]);
    assert!(files[2].windows(4).any(|bytes| bytes == b"WEBP"));

    // What is none is left out, which is said.
    let other = Kept::make(&api, &ann, &[("cat", b"no picture".to_vec()), ("cat", png(8, 8))]).await;
    let export = other.export(&ann, &wish("webdataset", json!({ "fit": "none" }))).await;
    finish(&api).await;
    let shown = other.shown(&ann, &export).await;
    let file = &shown["files"][0];
    let said = file["error"].as_str().unwrap_or_default();
    assert!(shown["state"] == "complete" && said.contains("one picture is left out"), "{shown:#}");
    let tar = bytes(ann.request("GET", &other.file(&export, "data-00000.tar")), 200).await.1;
    assert_eq!(self::members(&tar).len(), 2);
    api.stop().await;
}

/// Pictures with a part each, by label: from the folders of an archive, names of files or a column.
fn parts(records: &[Value]) -> BTreeMap<(String, String), usize> {
    let mut parts = BTreeMap::new();
    for record in records {
        let [part, label] = ["split", "label"].map(|key| record[key].as_str().unwrap().to_owned());
        *parts.entry((part, label)).or_default() += 1;
    }
    parts
}

#[tokio::test]
async fn an_export_is_split_with_what_looks_alike_on_one_side() {
    let api = Api::start().await;
    let (ann, bob) = (api.user("ann@example.org"), api.user("bob@example.org"));
    let pictures: Vec<(&str, Vec<u8>)> =
        (0..60u8).map(|number| (if number < 40 { "cat" } else { "dog" }, vec![number; 50])).collect();
    let hers = Kept::make(&api, &ann, &pictures).await;
    let his = Kept::make(&api, &bob, &pictures.iter().rev().cloned().collect::<Vec<_>>()).await;
    // As crawls leave them that were asked to, or were over: the first six look alike, but for a bit each; one of
    // these has too little to see, and one is like them by what is within its border.
    let alike: Vec<String> = pictures[..6].iter().map(|(_, bytes)| Sha256::of(bytes).to_string()).collect();
    for (sql, hashes) in [
        ("update images set pdq = hash, pdq_quality = 100 where not hash = any($1)", &alike[..]),
        (
            "update images set pdq = repeat('0', 63 - at::int) || '1' || repeat('0', at::int), pdq_quality = 100
               from unnest($1::text[]) with ordinality as alike (of, at) where hash = of",
            &alike,
        ),
        ("update images set pdq_quality = 49 where hash = any($1)", &alike[4..5]),
        (
            "update images set pdq = repeat('7', 64), pdq_trimmed = repeat('0', 64) where hash = any($1)",
            &alike[5..],
        ),
    ] {
        sqlx::query(sql).bind(hashes).execute(&api.database.pool).await.unwrap();
    }
    let split = json!({ "train": 70, "validation": 20, "test": 10 });
    let expected: BTreeMap<(String, String), usize> = [
        ("train", "cat", 28),
        ("train", "dog", 14),
        ("validation", "cat", 8),
        ("validation", "dog", 4),
        ("test", "cat", 4),
        ("test", "dog", 2),
    ]
    .map(|(part, label, images)| ((part.to_owned(), label.to_owned()), images))
    .into();
    let mut seen = Vec::new();
    for (body, names) in [
        (json!({ "format": "jsonl", "split": split, "seed": 5 }), &["data.jsonl"][..]),
        (json!({ "format": "zip", "split": split, "seed": 5, "order": "shuffled" }), &["data.zip"]),
        (
            json!({ "format": "webdataset", "split": split, "seed": 5, "shard_images": 20, "parquet_beside": true }),
            &[
                "train-00000.tar",
                "train-00000.parquet",
                "train-00001.tar",
                "train-00001.parquet",
                "train-00002.tar",
                "train-00002.parquet",
                "validation-00000.tar",
                "validation-00000.parquet",
                "test-00000.tar",
                "test-00000.parquet",
            ],
        ),
        (
            json!({ "format": "parquet", "split": split, "seed": 5 }),
            &["train-00000.parquet", "validation-00000.parquet", "test-00000.parquet"],
        ),
    ] {
        let (export, twin) = (hers.export(&ann, &body).await, his.export(&bob, &body).await);
        finish(&api).await;
        let (export, twin) = (hers.shown(&ann, &export).await, his.shown(&bob, &twin).await);
        assert_eq!(export["options"]["split"], split);
        let files = export["files"].as_array().unwrap();
        let found: Vec<&str> = files.iter().map(|file| file["name"].as_str().unwrap()).collect();
        assert_eq!(found, [names, &["attribution.csv", "README.md"]].concat(), "{body}");
        let mut records: Vec<Value> = Vec::new();
        for (file, other) in files.iter().zip(twin["files"].as_array().unwrap()) {
            assert_eq!(file["sha256"], other["sha256"], "{body} {file:#}");
            let (_, whole) = bytes(api.request("GET", file["url"].as_str().unwrap()), 200).await;
            let name = file["name"].as_str().unwrap();
            if name.ends_with(".tar") {
                let texts = members(&whole).into_iter().filter(|(name, _)| name.ends_with(".json"));
                let some: Vec<Value> = texts.map(|(_, text)| serde_json::from_slice(text).unwrap()).collect();
                assert!(
                    some.iter().all(|record| name.starts_with(record["split"].as_str().unwrap())),
                    "{name}"
                );
                records.extend(some);
            } else if name.ends_with(".jsonl") {
                let text = String::from_utf8(whole.to_vec()).unwrap();
                records.extend(text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()));
                // By part, then as without.
                let order = ["train", "validation", "test"];
                assert!(records.is_sorted_by_key(|record| {
                    let [part, label, hash] =
                        ["split", "label", "sha256"].map(|key| record[key].as_str().unwrap());
                    let part = order.iter().position(|name| *name == part);
                    (part, label.to_owned(), hash.to_owned())
                }));
            } else if name.ends_with(".zip") {
                records.extend(of_split_zip(&whole));
            } else if name == "README.md" {
                let text = String::from_utf8(whole.to_vec()).unwrap();
                assert!(text.contains("\n| validation | 20 % | 12 |\n"), "{text}");
            }
        }
        if !records.is_empty() {
            assert_eq!(parts(&records), expected, "{body}");
            let part_of = |hash: &String| {
                records.iter().find(|record| record["sha256"] == **hash).unwrap()["split"].clone()
            };
            let group: Vec<Value> = [&alike[..4], &alike[5..]].concat().iter().map(part_of).collect();
            assert!(group.iter().all(|part| *part == group[0]), "{group:?}");
            let mut all: Vec<(String, String)> = records
                .iter()
                .map(|record| ["sha256", "split"].map(|key| record[key].as_str().unwrap().to_owned()).into())
                .collect();
            all.sort_unstable();
            seen.push(all);
        }
    }
    assert!(
        seen.len() == 3 && seen.iter().all(|all| *all == seen[0]),
        "the format or the order has changed parts"
    );
    // Another seed, another split.
    let export = hers.export(&ann, &json!({ "format": "csv", "split": split, "seed": 6 })).await;
    let (_, csv) = bytes(ann.request("GET", &hers.file(&export, "data.csv")), 200).await;
    let csv = String::from_utf8(csv.to_vec()).unwrap();
    let differ = seen[0].iter().any(|(hash, part)| {
        let line = csv.lines().find(|line| line.contains(hash)).unwrap();
        !line.ends_with(&format!(",{part}"))
    });
    assert!(csv.lines().next().unwrap().ends_with(",jpeg_quality,split") && differ, "{csv}");
    // A dataset of nothing, and parts of which some stay empty.
    let empty = Kept::make(&api, &ann, &[]).await;
    let export = empty.export(&ann, &json!({ "format": "webdataset", "split": split })).await;
    assert_eq!(export["files"][0]["name"], "data-00000.tar");
    let few = Kept::make(&api, &ann, &pictures[..2]).await;
    let export = few.export(&ann, &json!({ "format": "zip", "split": split })).await;
    let (_, zip) = bytes(ann.request("GET", &few.file(&export, "data.zip")), 200).await;
    assert_eq!(of_split_zip(&zip).len(), 2);
    api.stop().await;
}

/// The records of an archive that is split; a picture is where its record says, beside the listing of its part.
fn of_split_zip(bytes: &[u8]) -> Vec<Value> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let listings: Vec<String> =
        archive.file_names().filter(|name| name.ends_with("metadata.jsonl")).map(str::to_owned).collect();
    let mut records = Vec::new();
    for listing in listings {
        let part = listing.strip_suffix("/metadata.jsonl").unwrap();
        let mut text = String::new();
        archive.by_name(&listing).unwrap().read_to_string(&mut text).unwrap();
        assert!(!text.is_empty(), "{listing}");
        for line in text.lines() {
            let record: Value = serde_json::from_str(line).unwrap();
            assert_eq!(record["split"], part);
            let mut picture = Vec::new();
            let name = format!("{part}/{}", record["file_name"].as_str().unwrap());
            archive.by_name(&name).unwrap().read_to_end(&mut picture).unwrap();
            assert_eq!(record["sha256"], json!(Sha256::of(&picture).to_string()));
            records.push(record);
        }
    }
    records
}

#[tokio::test]
async fn what_may_not_be_asked_for_is_said() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let kept = Kept::make(&api, &ann, &[]).await;
    for (body, wrong) in [
        (json!({}), &["/format"][..]),
        (json!({ "format": "folder" }), &["/format"]),
        (json!({ "format": "zip", "order": "size", "shard": 1 }), &["/order", "/shard"]),
        (json!({ "format": "zip", "parquet_beside": true }), &["/parquet_beside"]),
        (json!({ "format": "zip", "split": { "train": 80, "validation": 10, "test": 5 } }), &["/split"]),
        (
            json!({ "format": "zip", "split": { "train": -1, "test": "x", "rest": 1 } }),
            &["/split/rest", "/split/test", "/split/train", "/split/validation"],
        ),
        (json!({ "format": "zip", "split": 80 }), &["/split"]),
        (
            json!({ "format": "zip", "pictures": { "width": 0, "fit": "stretch", "quality": 101 } }),
            &["/pictures/fit", "/pictures/height", "/pictures/quality", "/pictures/width"],
        ),
        (json!({ "format": "csv", "pictures": { "fit": "none" } }), &["/pictures"]),
        (
            json!({ "format": "zip", "shard_images": 0, "shard_bytes": 1, "seed": "x" }),
            &["/seed", "/shard_bytes", "/shard_images"],
        ),
    ] {
        let answer = ann.post(&kept.exports(), &body).await;
        problem(&answer, 422, "broken-rules");
        assert_eq!(pointers(&answer.json()), wrong, "{body}");
    }
    for (body, fields) in [
        (json!({ "format": "zip", "split": "train" }), "train, validation, test"),
        (json!({ "format": "zip", "pictures": "png" }), "width, height, fit, enlarge, format, quality"),
    ] {
        let wrong = ann.post(&kept.exports(), &body).await.expect(422).json();
        let must = format!("must be an object of these fields: {fields}");
        assert_eq!(wrong["errors"][0]["detail"], must, "{wrong:#}");
    }
    // An empty dataset has an export.
    for number in 0..20 {
        let format = ["zip", "webdataset", "parquet", "json", "yaml"][number % 5];
        let export = kept.export(&ann, &json!({ "format": format })).await;
        assert_eq!(export["images"], 0);
    }
    finish(&api).await;
    let listed = ann.get(&kept.exports()).await.expect(200).json();
    let states: Vec<&Value> = listed["items"].as_array().unwrap().iter().map(|item| &item["state"]).collect();
    assert_eq!(states, vec!["complete"; 20]);
    problem(&ann.post(&kept.exports(), &json!({ "format": "csv" })).await, 409, "too-many-exports");
    api.stop().await;
}

/// Neither sees the other's when it begins.
#[tokio::test]
async fn of_two_that_ask_for_the_last_export_at_once_one_has_it() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let kept = Kept::make(&api, &ann, &pictures()).await;
    let pool = &api.database.pool;
    let others = "insert into pixcrawler.export (user_id, dataset_id, format, options, images, facts)
                  select user_id, id, 'json', '{}', 0, '{}' from datasets, generate_series(1, 19)";
    execute(pool, others).await;
    let mut tx = pool.begin().await.unwrap();
    sqlx::query("lock table pixcrawler.export_item in share mode").execute(&mut *tx).await.unwrap();
    let let_go = async {
        until_waiting(pool, 2).await;
        tx.commit().await.unwrap();
    };
    let (path, body) = (kept.exports(), json!({ "format": "json" }));
    let (one, other, ()) = tokio::join!(ann.post(&path, &body), ann.post(&path, &body), let_go);
    let (made, refused) = if one.status == 201 { (one, other) } else { (other, one) };
    made.expect(201);
    problem(&refused, 409, "too-many-exports");
    api.stop().await;
}

/// As the original has it: the archive is the same until the dataset is another one, in whatever way.
#[tokio::test]
async fn the_archive_of_a_dataset_is_made_once_for_what_it_is() {
    let api = Api::start().await;
    let (ann, bob) = (api.user("ann@example.org"), api.user("bob@example.org"));
    let kept = Kept::make(&api, &ann, &pictures()).await;
    let path = format!("/api/v1/datasets/{}/export/zip", kept.dataset);
    let ids = async || -> Vec<i32> {
        let ids = "select id from pixcrawler.export where fingerprint is not null order by id";
        sqlx::query_scalar(ids).fetch_all(&api.database.pool).await.unwrap()
    };
    let get = async || {
        let (headers, whole) = bytes(ann.request("GET", &path), 200).await;
        read("data.zip", &whole);
        (headers["etag"].to_str().unwrap().to_owned(), whole)
    };

    ann.get("/api/v1/datasets/999999/export/zip").await.expect(404);
    bob.get(&path).await.expect(404);
    let head = ann.request("HEAD", &path).send().await.unwrap();
    let (mut tag, mut whole) = get().await;
    assert_eq!((head.status().as_u16(), head.headers()["etag"].to_str().unwrap()), (200, &*tag));
    assert_eq!(head.headers()["content-length"], whole.len().to_string());
    let named = format!("attachment; filename=\"dataset_{}.zip\"", kept.dataset);
    assert_eq!(head.headers()["content-disposition"], named);
    // As an export that was asked for, which it is not: it is in no list, and takes nobody's place.
    let export = kept.export(&ann, &json!({ "format": "zip" })).await;
    let (_, asked) = bytes(ann.request("GET", &kept.file(&export, "data.zip")), 200).await;
    assert!(asked == whole);
    let listed = ann.get(&kept.exports()).await.expect(200).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed:#}");
    finish(&api).await;
    assert!(get().await == (tag.clone(), whole.clone()) && ids().await.len() == 1);

    let change = async |sql: &'static str| execute(&api.database.pool, sql).await;
    let drops = "update images set is_valid = false, reason = 'corrupt' where file_size = 512";
    for (at, change) in [
        change("update datasets set name = 'Beasts'").boxed_local(),
        kept.add(&api, kept.job, &[("cat", vec![6; 9000])]).boxed_local(),
        // Crawls change labels without a date.
        change("update images set labels = '[\"dog\", \"z\", \"a\"]' where file_size = 9000").boxed_local(),
        change(drops).boxed_local(),
        async {
            change("update images set is_valid = true, reason = null where file_size = 512").await;
            change("update images set is_valid = false, reason = 'corrupt' where file_size = 9000").await;
        }
        .boxed_local(),
    ]
    .into_iter()
    .enumerate()
    {
        change.await;
        let go_on = ann.request("GET", &path).header("range", "bytes=9-").header("if-range", &tag);
        let (headers, anew) = bytes(go_on, 200).await;
        assert!(headers["etag"] != tag && anew != whole, "change {at}");
        (tag, whole) = get().await;
        assert!(headers["etag"] == tag && anew == whole, "change {at}");
        let go_on = ann.request("GET", &path).header("range", "bytes=9-").header("if-range", &tag);
        assert!(bytes(go_on, 206).await.1 == whole[9..], "change {at}");
        bytes(ann.request("GET", &path).header("if-none-match", &tag), 304).await;
        assert!(ids().await.len() == 3.min(at + 2), "change {at}");
    }
    api.stop().await;
}
