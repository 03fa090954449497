//! Objects in a bucket: all that is done with them in a folder, on a server that checks signatures, differs from
//! Amazon's as Supabase Storage does, and fails.

mod copied;
mod machines;
mod waste;

use std::{path::Path, process::Stdio, time::Instant};

use chrono::{TimeDelta, Utc};
use hyper::Method;
use pixcrawler::{auth::link::LinkHolder, model::UserId, services::objects::sweep};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::support::{
    api::{Api, send},
    bucket::{BucketServer, Fault, SECRET},
    postgres::database,
    process::System,
    site::{ORIGIN, PATIENCE, Site, hashes},
};

/// A system that keeps its objects in the bucket.
async fn system(site: &Site, bucket: &BucketServer) -> System {
    let settings = bucket.settings();
    let settings: Vec<(&'static str, &str)> =
        settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    System::with(site, database().await, &settings).await
}

/// The hashes of the pictures in the bucket, each looked at; keys begin with the user's id.
fn kept(bucket: &BucketServer) -> std::collections::BTreeSet<String> {
    let mut hashes = std::collections::BTreeSet::new();
    for path in files(&bucket.folder()) {
        let key = path.strip_prefix(bucket.folder()).unwrap().to_str().unwrap().to_owned();
        if key.contains("databases/") {
            continue;
        }
        let (user, name) = key.split_once('/').unwrap();
        user.parse::<uuid::Uuid>().unwrap();
        let hash = hex::encode(Sha256::digest(std::fs::read(&path).unwrap()));
        assert_eq!(name, format!("{}/{hash}.png", &hash[..2]));
        hashes.insert(hash);
    }
    hashes
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn a_crawl_into_a_bucket() {
    let (site, bucket) = (Site::start().await, BucketServer::start().await);
    let system = system(&site, &bucket).await;
    let worker = system.worker(&[]).await;
    let all = site.gallery("/gallery", 5, None);
    let job = system.create(&["/gallery"], 5).await;
    system.until_status(job, "completed").await;
    assert_eq!(kept(&bucket), hashes(&all));
    assert!(!system.objects().exists(), "nothing is in the data folder");
    system.get("/api/v1/health/ready").await.expect(200);

    // Served with our headers, whatever the bucket's are.
    let shown = system.get(&format!("/api/v1/crawl-jobs/{job}/images")).await.expect(200).json();
    let image = &shown["items"][0];
    let file = image["storage_url"].as_str().unwrap();
    let whole = system.get(file).await.expect(200);
    assert_eq!(whole.header("content-security-policy"), Some("sandbox; default-src 'none'"));
    assert_eq!(whole.header("content-type"), Some("image/png"));
    let url = format!("http://{}{}", system.door().address(), image["url"].as_str().unwrap());
    let part = async |range: &str, status: u16| {
        let answer = reqwest::Client::new().get(&url).header("range", range).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), status);
        let said = answer.headers()["content-range"].to_str().unwrap().to_owned();
        (answer.bytes().await.unwrap(), said)
    };
    let bytes = reqwest::Client::new().get(&url).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(hex::encode(Sha256::digest(&bytes)), image["hash"].as_str().unwrap());
    let size = bytes.len();
    let (some, said) = part("bytes=3-9", 206).await;
    assert_eq!((&some[..], said), (&bytes[3..10], format!("bytes 3-9/{size}")));
    let (some, _) = part("bytes=-4", 206).await;
    assert_eq!(some[..], bytes[size - 4..]);
    let (_, said) = part(&format!("bytes={size}-"), 416).await;
    assert_eq!(said, format!("bytes */{size}"));

    // What operators do.
    let swept: Value = serde_json::from_str(&system.tool(&["sweep", "--json"], &[]).await).unwrap();
    assert_eq!((&swept["objects"], &swept["missing"], &swept["spared"]), (&json!(5), &json!(0), &json!(0)));
    let checks: Value = serde_json::from_slice(&system.run(&["doctor", "--json"], &[]).await.stdout).unwrap();
    let store = checks["checks"].as_array().unwrap().iter().find(|check| check["check"] == "store").unwrap();
    assert_eq!(store["verdict"], "ok", "{checks:#}");
    assert!(store["detail"].as_str().unwrap().contains("the bucket `pictures` of 127.0.0.1"), "{store}");
    let elsewhere = [("PIXCRAWLER_S3_PREFIX", "elsewhere")];
    let checks: Value =
        serde_json::from_slice(&system.run(&["doctor", "--json"], &elsewhere).await.stdout).unwrap();
    assert!(checks.to_string().contains("keep objects elsewhere"), "{checks:#}");
    // One that is another's is only looked at, and who would use it is asked whether that is meant.
    let looked = system.run(&["sweep", "--dry-run"], &elsewhere).await;
    assert!(String::from_utf8_lossy(&looked.stdout).contains("5 missing"), "{looked:?}");
    assert!(
        !bucket.requests().iter().any(|asked| asked.starts_with("PUT")
            && asked.contains("databases/")
            && asked.contains("elsewhere")),
        "{:?}",
        bucket.requests()
    );
    let used = system.run(&["sweep"], &elsewhere).await;
    let told = String::from_utf8_lossy(&used.stderr);
    assert!(told.contains("this database was never used with the store"), "{told}");

    // Only what every server knows was asked for.
    for request in bucket.requests() {
        let method = request.split(' ').next().unwrap();
        assert!(["GET", "HEAD", "PUT", "DELETE"].contains(&method), "{request}");
    }
    for log in [system.door().log(), worker.log()] {
        assert!(!log.contains(SECRET) && !log.contains("Signature="), "{log}");
    }
    // Whoever is deleted leaves nothing.
    let locked = hashes(&all[..1]);
    bucket.fault(Some(Method::DELETE), locked.first().unwrap(), Fault::Answer(403, "AccessDenied"));
    let told = system.fails(&["user", "delete", "ann@example.org", "--yes"], &[]).await;
    assert_eq!(kept(&bucket), locked, "all that can be: {told}");
    bucket.mend();
    // The account is gone, and with it the address.
    let user = told.split_whitespace().next().unwrap();
    let told = system.tool(&["user", "delete", user, "--yes"], &[]).await;
    assert!(kept(&bucket).is_empty(), "{told}");
}

/// The word before the settings are used, at each door.
#[tokio::test]
async fn what_is_wrong_with_a_bucket_is_said_in_words() {
    let (site, bucket) = (Site::start().await, BucketServer::start().await);
    let system = system(&site, &bucket).await;
    let elsewhere = format!("http://{}", site.address());
    let nowhere = "http://127.0.0.1:9";
    for (name, value, expect) in [
        ("PIXCRAWLER_S3_SECRET_ACCESS_KEY", "Canary+wrong", "look at PIXCRAWLER_S3_SECRET_ACCESS_KEY"),
        ("PIXCRAWLER_S3_ACCESS_KEY_ID", "nobody", "look at PIXCRAWLER_S3_ACCESS_KEY_ID"),
        ("PIXCRAWLER_S3_BUCKET", "another", "there is no bucket of this name"),
        ("PIXCRAWLER_S3_REGION", "us-east-1", "look at PIXCRAWLER_S3_REGION"),
        ("PIXCRAWLER_S3_ENDPOINT", &*elsewhere, "look at PIXCRAWLER_S3_ENDPOINT"),
        ("PIXCRAWLER_S3_ENDPOINT", nowhere, "the bucket did not answer: Connection refused"),
        ("PIXCRAWLER_S3_ENDPOINT", "http://s3.example.org", "PIXCRAWLER_S3_ALLOW_HTTP=true"),
    ] {
        let settings = [(name, value)];
        let told = system.fails(&["sweep"], &settings).await;
        assert!(told.contains("cannot use the store") && told.contains(expect), "{name}: {told}");
        assert!(!told.contains("Canary") && told.lines().count() == 1, "{told}");
        let checks = system.run(&["doctor", "--json"], &settings).await;
        let said: Value = serde_json::from_slice(&checks.stdout).unwrap();
        let mut found = said["checks"].as_array().unwrap().iter();
        let store = found.find(|check| check["check"] == "store").unwrap();
        assert!(store["verdict"] == "wrong" && store["detail"].as_str().unwrap().contains(expect), "{store}");
    }
    bucket.fault(None, "", Fault::Answer(403, "RequestTimeTooSkewed"));
    let mut server = system.begin("serve", &[]);
    assert_eq!(server.exited().await.code(), Some(1));
    assert!(server.log().contains("the clock of this machine"), "{}", server.log());
}

#[tokio::test]
async fn a_bucket_that_fails_pauses_the_work_and_spends_nothing() {
    let (site, bucket) = (Site::start().await, BucketServer::start().await);
    let system = system(&site, &bucket).await;
    let all = site.gallery("/gallery", 4, None);
    let mut worker = system.worker(&[]).await;
    let put = Some(Method::PUT);
    // Each passes by itself, or is put right there.
    for (fault, words) in [
        (Fault::Answer(503, "SlowDown"), "503 SlowDown"),
        (Fault::Answer(403, "SignatureDoesNotMatch"), "PIXCRAWLER_S3_SECRET_ACCESS_KEY"),
        // Of a proxy, and not of the bucket.
        (Fault::Answer(413, ""), "a proxy before it takes no body of that size"),
    ] {
        bucket.fault(put.clone(), "", fault);
        let job = system.create(&["/gallery"], 100).await;
        let waits = |job: &Value| job["chunks"][0]["state"] == "waiting";
        let shown = system.until(job, "it waits", waits).await;
        let reason = shown["chunks"][0]["state_detail"].as_str().unwrap();
        assert!(reason.starts_with("images cannot be stored"), "{reason}");
        assert_eq!((&shown["status"], &shown["total_images"]), (&json!("running"), &json!(0)), "{shown:#}");
        assert!(worker.log().contains(words), "{}", worker.log());
        // Who asks often gets the answer of a moment ago.
        let ready = async |status: u16| {
            let asked = async {
                loop {
                    let answer = system.get("/api/v1/health/ready").await;
                    if answer.status == status {
                        return answer.json();
                    }
                }
            };
            tokio::time::timeout(PATIENCE, asked).await.unwrap()
        };
        assert_eq!(ready(503).await["parts"]["store"], "unavailable");
        bucket.mend();
        ready(200).await;
        let shown = system.until_hurried(job, "all are kept", |job| job["status"] == "completed").await;
        assert_eq!(shown["kept"], 4, "{shown:#}");
        assert_eq!(kept(&bucket), hashes(&all));
    }

    // One that says nothing holds up no end.
    let slow = site.gallery("/slow", 4, None);
    bucket.fault(put, ".png", Fault::Hang);
    let job = system.create(&["/slow"], 100).await;
    bucket.asked(|request| hashes(&slow).iter().any(|hash| request.contains(hash.as_str()))).await;
    let begun = Instant::now();
    worker.terminate();
    assert_eq!(worker.exited().await.code(), Some(0));
    // Ten, and what a busy machine adds.
    assert!(begun.elapsed().as_secs() < 15, "{:?}", begun.elapsed());
    bucket.mend();
    let _worker = system.worker(&[]).await;
    system.until_hurried(job, "all are kept", |job| job["status"] == "completed").await;
    assert_eq!(kept(&bucket).len(), 8);

    // Nor that of one that begins.
    for command in ["serve", "worker"] {
        bucket.mend();
        bucket.fault(None, "", Fault::Hang);
        let mut beginner = system.begin(command, &[]);
        // The other worker asks for no probe.
        bucket.asked(|request| request.contains("readiness-probe")).await;
        let begun = Instant::now();
        beginner.terminate();
        assert_eq!(beginner.exited().await.code(), Some(0), "{}", beginner.log());
        assert!(begun.elapsed().as_secs() < 8, "{:?}", begun.elapsed());
    }
}

/// Of a bucket with a bound of its own, as Supabase's have: nothing else is wrong.
#[tokio::test]
async fn what_a_bucket_does_not_take_is_refused() {
    let (site, bucket) = (Site::start().await, BucketServer::start().await);
    let system = system(&site, &bucket).await;
    let all = site.gallery("/gallery", 3, None);
    let large = hashes(&all[1..2]).pop_first().unwrap();
    bucket.fault(Some(Method::PUT), &large, Fault::Answer(413, "EntityTooLarge"));
    let _worker = system.worker(&[]).await;
    let shown = system.crawl(&["/gallery"], 100).await;
    assert_eq!((&shown["kept"], &shown["refused"]), (&json!(2), &json!({ "too-large": 1 })), "{shown:#}");
}

#[tokio::test]
async fn clients_are_sent_to_the_bucket_where_that_is_set() {
    let (site, bucket) = (Site::start().await, BucketServer::start().await);
    let mapping = site.mapping();
    let flags = bucket.flags();
    let mut settings = vec!["--map-origin", &mapping, "--s3-redirect", "--s3-prefix=of/pixcrawler"];
    settings.extend(flags.iter().map(String::as_str));
    let api = Api::crawling(&settings).await;
    let ann = api.user("ann@example.org");
    site.gallery("/gallery", 2, None);
    let urls = [format!("{ORIGIN}/gallery")];
    let job = ann.create(&json!({ "name": "x", "urls": urls, "max_images": 5 })).await;
    ann.over(job).await;
    let images = ann.get(&format!("/api/v1/crawl-jobs/{job}/images")).await.expect(200).json();
    let image = &images["items"][0];
    let hash = image["hash"].as_str().unwrap();

    let sent = api.get(image["url"].as_str().unwrap()).await.expect(302);
    assert_eq!(sent.header("cache-control"), Some("no-store"));
    let place = sent.header("location").unwrap();
    assert!(place.starts_with(&format!("{}/pictures/of/pixcrawler/", bucket.endpoint())), "{place}");
    assert!(place.contains("X-Amz-Expires=900"), "{place}");
    let client = reqwest::Client::new();
    let answer = client.get(place).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert_eq!(answer.headers()["content-type"], "image/png");
    assert_eq!(answer.headers()["content-disposition"], format!("inline; filename=\"{hash}.png\""));
    assert_eq!(hex::encode(Sha256::digest(answer.bytes().await.unwrap())), hash);
    let part = send(client.get(place).header("range", "bytes=1-3")).await.expect(206);
    assert_eq!(part.text, "PNG");
    // What it is said to be is part of what is signed.
    for (what, other) in [("image%2Fpng", "text%2Fhtml"), ("inline", "attachment"), ("=900", "=9000")] {
        assert!(place.contains(what), "{place}");
        send(client.get(place.replace(what, other))).await.expect(403);
    }
    // No longer than the link.
    let user = image["url"].as_str().unwrap().split_once("user=").unwrap().1.split('&').next().unwrap();
    let holder = LinkHolder { user: UserId(user.parse().unwrap()), api_key: None };
    let path = image["storage_url"].as_str().unwrap();
    let short = api.app.links.sign(path, holder, Utc::now() + TimeDelta::seconds(60));
    let sent = api.get(&short).await.expect(302);
    let seconds = sent.header("location").unwrap().split_once("X-Amz-Expires=").unwrap().1;
    let seconds: u64 = seconds.split('&').next().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    let tag = format!("\"{hash}\"");
    let same = api.request("GET", image["url"].as_str().unwrap()).header("if-none-match", tag);
    send(same).await.expect(304);

    let swept = sweep(&api.app.db, &api.app.store, false).await.unwrap();
    assert_eq!((swept.objects, swept.missing, swept.spared), (2, 0, 0), "below the prefix");

    // Whoever downloads by the manifest comes to the bytes as well.
    let manifest = ann.get(&format!("/api/v1/crawl-jobs/{job}/manifest")).await.expect(200);
    let lines: Vec<Value> = manifest.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    for line in lines {
        let bytes =
            client.get(line["download_url"].as_str().unwrap()).send().await.unwrap().bytes().await.unwrap();
        assert_eq!(hex::encode(Sha256::digest(bytes)), line["sha256"].as_str().unwrap());
    }
    api.stop().await;
}

#[tokio::test]
async fn a_server_is_who_its_certificate_says() {
    // Signed by nobody but itself; its key protects nothing.
    const PEM: &[u8] = include_bytes!("../host/src/fetch/tests/untrusted.pem");
    let (site, bucket) = (Site::start().await, BucketServer::encrypted(PEM).await);
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca.pem");
    std::fs::write(&ca, PEM).unwrap();
    let mut settings = bucket.settings();
    settings.push(("PIXCRAWLER_S3_CA", ca.to_str().unwrap().to_owned()));
    let settings: Vec<(&'static str, &str)> =
        settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let system = System::with(&site, database().await, &settings).await;
    std::fs::write(&ca, "").unwrap();
    let told = system.fails(&["sweep"], &[]).await;
    assert!(told.contains("PIXCRAWLER_S3_CA: ") && told.contains("no certificate"), "{told}");
    let own = folder.path().join("own.pem");
    std::fs::write(&own, PEM).unwrap();
    let run = async |name: &str, value: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_pixcrawler"))
            .args(["doctor", "--json"])
            .envs(bucket.settings())
            .env("PIXCRAWLER_DATA_DIR", folder.path().join("none"))
            .env(name, value)
            .output()
            .await
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let told = run("PIXCRAWLER_S3_VIRTUAL_HOSTED", "false").await;
    assert!(told.contains("certificate") && told.contains("is named by PIXCRAWLER_S3_CA"), "{told}");
    assert!(run("PIXCRAWLER_S3_CA", own.to_str().unwrap()).await.contains("objects can be written to"));
}

/// A part of the settings is no bucket.
#[tokio::test]
async fn half_of_the_settings_begin_nothing() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let half = [("PIXCRAWLER_S3_ENDPOINT", "https://s3.example.org")];
    for command in [&["serve"][..], &["sweep"]] {
        let output = system.run(command, &half).await;
        // By which a service that would be started again and again stays down.
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains("PIXCRAWLER_S3_ENDPOINT is set, but PIXCRAWLER_S3_BUCKET is not"), "{told}");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_pixcrawler"))
        .args(["worker", "--s3-bucket=b", "--s3-secret-access-key", SECRET])
        .env("PIXCRAWLER_DATA_DIR", system.data())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("PIXCRAWLER_S3_ACCESS_KEY_ID is not") && !told.contains(SECRET), "{told}");
}
