//! Sites whose answers cost their receiver more than their sender.

use std::cell::Cell;

use serde_json::json;

use crate::support::{
    database,
    process::System,
    site::{Reply, Site, page},
};

const BEGINNING: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03";
const EMPTY_BLOCK: &[u8] = b"\0\0\0\xff\xff";
const EMPTY_MEMBER: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0";

/// Questions to the API, one after the other, that are answered while sites send; those that had
/// to wait for what a site sends waited tens of seconds each.
const ANSWERED: u32 = 30;

fn packed(coding: &str, first: &[u8], part: &[u8]) -> Reply {
    let head = format!("HTTP/1.1 200 -\r\ncontent-type: text/html\r\ncontent-encoding: {coding}\r\n\r\n");
    Reply::Endless([head.as_bytes(), first].concat(), part.repeat((64 << 10) / part.len() + 1))
}

/// A gzip file of zeros: as many of these members as there is room for.
async fn zeros() -> Vec<u8> {
    let zeros = vec![0; 1 << 20];
    let mut encoder = async_compression::tokio::bufread::GzipEncoder::new(&zeros[..]);
    let mut member = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(&mut encoder, &mut member).await.unwrap();
    member
}

#[tokio::test]
async fn what_a_site_sends_holds_up_nobody_else() {
    let site = Site::start().await;
    let interim =
        |line: &str| Reply::Endless(Vec::new(), format!("HTTP/1.1 {line}\r\n\r\n").repeat(1000).into());
    let answers = [
        ("continue", 1, interim("100 Continue")),
        ("hints", 1, interim("103 Early Hints\r\nlink: </a>")),
        ("members", 4, packed("gzip", b"", EMPTY_MEMBER)),
        ("blocks", 4, packed("gzip", BEGINNING, EMPTY_BLOCK)),
        ("deflate", 4, packed("deflate", b"\x78\x9c", EMPTY_BLOCK)),
        ("brotli", 4, packed("br", b"\x0c", b"\x06")),
        ("bomb", 4, packed("gzip", b"", &zeros().await)),
    ];
    let mut pictures = Vec::new();
    for (name, copies, answer) in &answers {
        for copy in 0..*copies {
            // One host each, so that none is left alone for what it did before.
            let path = format!("/{name}/{copy}.png");
            site.on(&path, [answer.clone()]);
            pictures.push(format!("http://{name}-{copy}.example{path}"));
        }
    }
    site.on("//robots.example/robots.txt", [packed("gzip", b"", EMPTY_MEMBER)]);
    pictures.push("http://robots.example/robots.png".to_owned());
    site.on("/hostile", [page(&pictures, None)]);
    let pages = [
        ("/page/blocks", packed("gzip", BEGINNING, EMPTY_BLOCK)),
        ("/page/brotli", packed("br", b"\x0c", b"\x06")),
        ("/page/sitemap.xml.gz", packed("identity", BEGINNING, EMPTY_BLOCK)),
    ];
    let own = pages.map(|(path, answer)| {
        site.on(path, [answer]);
        format!("http://pages.example{path}")
    });
    let own = json!({ "name": "own", "urls": own, "sources": ["webpage"] });
    let sound = site.gallery("/sound", 40, None);

    let settings = [("PIXCRAWLER_REQUEST_TIMEOUT", "45s"), ("PIXCRAWLER_MAX_IMAGE_BYTES", "8388608")];
    let system = System::with(&site, database().await, &settings).await;
    let server = system.server(&[]).await;
    let health = format!("http://{}/api/v1/health", server.address());
    let answered = Cell::new(0);
    let watch = async {
        let client = reqwest::Client::new();
        loop {
            assert_eq!(client.get(&health).send().await.unwrap().status(), 200);
            answered.set(answered.get() + 1);
        }
    };
    let crawls = async {
        let hostile = system.create(&["/hostile"], 100).await;
        let own = system.create_job(&own).await["id"].as_i64().unwrap();
        site.seen("/continue", 1).await;
        site.seen("/page", 3).await;
        let sound_job = system.crawl(&["/sound"], 100).await;
        assert_eq!(sound_job["kept"], sound.len(), "{sound_job:#}");
        // Bombs are too large, what holds nothing is no answer, and no head comes in time.
        let refused = json!({ "too-large": 4, "network": 17, "timeout": 2 });
        system.until(hostile, "all of them refused", |job| job["refused"] == refused).await;
        assert!(answered.get() >= ANSWERED, "the API was held up: {} answers", answered.get());
        site.closed("/page").await;
        // Nor would any of its pages be one another time.
        system.until_status(own, "failed").await;
    };
    tokio::select! {
        () = crawls => {}
        () = watch => {}
    }
}
