//! What owners say of the use of their pictures: read wherever it stands, recorded, and honoured by the policy of
//! a job.

use serde_json::{Value, json};

use crate::support::{
    process::{System, named},
    site::{Reply, Site, enlarged, page, picture, soft},
};

const RDF: &str = "http://www.w3.org/1999/02/22-rdf-syntax-ns#";

/// The picture of this name as a PNG, with this chunk behind its header.
fn with_chunk(name: &str, kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    const HEADER: usize = 33;
    let png = picture(name);
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    let checked = [kind, content].concat();
    let checksum = crc32fast::hash(&checked).to_be_bytes();
    [&png[..HEADER], &length, &checked, &checksum, &png[HEADER..]].concat()
}

/// The same with a property in XMP.
fn with_xmp(name: &str, namespace: &str, property: &str, value: &str) -> Vec<u8> {
    let xmp = format!(
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'><r:RDF xmlns:r='{RDF}'><r:Description r:about='' xmlns:n='{namespace}'>\
         <n:{property}>{value}</n:{property}></r:Description></r:RDF></x:xmpmeta>"
    );
    with_chunk(name, b"iTXt", &[b"XML:com.adobe.xmp\0\0\0\0\0", xmp.as_bytes()].concat())
}

/// An answer with this picture and these lines in its header.
fn answer(bytes: &[u8], lines: &str) -> Reply {
    let head =
        format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n{lines}\r\n", bytes.len());
    Reply::Raw([head.as_bytes(), bytes].concat())
}

fn text(text: &str) -> Reply {
    answer(text.as_bytes(), "")
}

/// What is read of a picture, what it says, and the code with which `respect` and `strict` refuse it.
struct Case {
    host: &'static str,
    /// Vocabulary, place, value and meaning.
    signal: Option<[&'static str; 4]>,
    respect: Option<&'static str>,
    strict: Option<&'static str>,
}

const fn case(host: &'static str, signal: [&'static str; 4], refused: [Option<&'static str>; 2]) -> Case {
    let [respect, strict] = refused;
    Case { host, signal: Some(signal), respect, strict }
}

const RESERVED: [Option<&str>; 2] = [Some("opt-out"), Some("opt-out")];
const KEPT: [Option<&str>; 2] = [None, None];

const CASES: [Case; 16] = [
    Case { host: "plain", signal: None, respect: None, strict: None },
    case("tag", ["noai", "header", "noimageai", "reserved"], RESERVED),
    case("usage", ["content-usage", "header", "train-ai=n", "reserved"], RESERVED),
    case("usage-yes", ["content-usage", "header", "train-ai=y", "allowed"], KEPT),
    case("usage-odd", ["content-usage", "header", "train-ai: n", "unreadable"], KEPT),
    case("robots", ["content-usage", "robots-txt", "/p train-ai=n", "reserved"], RESERVED),
    case("signal", ["content-signal", "robots-txt", "search=yes, AI-train = No", "reserved"], RESERVED),
    case("tdm", ["tdm-reservation", "header", "1", "reserved"], RESERVED),
    case("tdm-odd", ["tdm-reservation", "header", "maybe", "unreadable"], KEPT),
    case("tdmrep", ["tdm-reservation", "tdmrep-json", "1", "reserved"], RESERVED),
    case("mining", ["data-mining", "file", "DMI-PROHIBITED-AIMLTRAINING", "reserved"], RESERVED),
    case("mining-yes", ["data-mining", "file", "DMI-ALLOWED", "allowed"], KEPT),
    case(
        "made",
        ["digital-source-type", "file", "trainedAlgorithmicMedia", "generated"],
        [None, Some("ai-generated")],
    ),
    case("c2pa", ["c2pa", "file", "manifest", "noted"], KEPT),
    case("page-meta", ["tdm-reservation", "page-meta", "1", "reserved"], RESERVED),
    case("page-header", ["noai", "page-header", "noai", "reserved"], RESERVED),
];

/// A site that says all of it, each about a picture of its own. Gives the pages.
pub(crate) fn site_of_all(site: &Site) -> [&'static str; 3] {
    const PLUS: &str = "http://ns.useplus.org/ldf/xmp/1.0/";
    const IPTC: &str = "http://iptc.org/std/Iptc4xmpExt/2008-02-29/";
    let mut on_page = Vec::new();
    for Case { host, .. } in CASES {
        let bytes = picture(host);
        let line = |line: &str| answer(&bytes, &format!("{line}\r\n"));
        let reply = match host {
            "tag" => line("X-Robots-Tag: noindex, noimageai"),
            "usage" => line("Content-Usage: train-ai=n"),
            "usage-yes" => line("Content-Usage: train-ai=y"),
            "usage-odd" => line("Content-Usage: train-ai: n"),
            "tdm" => line("tdm-reservation: 1\r\ntdm-policy: https://a.example/policy.json"),
            "tdm-odd" => line("tdm-reservation: maybe"),
            "mining" => {
                let term = "http://ns.useplus.org/ldf/vocab/DMI-PROHIBITED-AIMLTRAINING";
                Reply::Bytes(with_xmp(host, PLUS, "DataMining", term).into())
            }
            "mining-yes" => Reply::Bytes(with_xmp(host, PLUS, "DataMining", "DMI-ALLOWED").into()),
            "made" => {
                let term = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia";
                Reply::Bytes(with_xmp(host, IPTC, "DigitalSourceType", term).into())
            }
            "c2pa" => {
                let manifest =
                    b"\0\0\0\x40jumb\0\0\0\x1ejumdc2pa\0\x11\0\x10\x80\0\0\xaa\0\x38\x9b\x71\x03c2pa\0";
                Reply::Bytes(with_chunk(host, b"caBX", manifest).into())
            }
            _ => Reply::Bytes(bytes.clone().into()),
        };
        site.on(&format!("//{host}.example/p.png"), [reply]);
        let address = format!("http://{host}.example/p.png");
        match host {
            "page-meta" => site.on(
                "/meta",
                [Reply::Page(format!("<meta name=tdm-reservation content=1><img src='{address}'>"))],
            ),
            "page-header" => {
                let html = format!("<img src='{address}'>");
                site.on(
                    "/header",
                    [answer(html.as_bytes(), "content-type: text/html\r\nx-robots-tag: noai\r\n")],
                );
            }
            _ => on_page.push(address),
        }
    }
    site.on(
        "//robots.example/robots.txt",
        [text("user-agent: *\nContent-Usage: train-ai=y\nContent-Usage: /p train-ai=n\n")],
    );
    site.on(
        "//signal.example/robots.txt",
        [text("user-agent: *\nContent-Signal: search=yes, AI-train = No\nallow: /\n")],
    );
    let rules = r#"[{ "location": "/*.png$", "tdm-reservation": 1 }]"#;
    site.on("//tdmrep.example/.well-known/tdmrep.json", [text(rules)]);
    site.on("/page", [page(&on_page, None)]);
    ["/page", "/meta", "/header"]
}

#[tokio::test]
async fn each_signal_is_recorded_and_honoured_by_the_policy() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    let pages = site_of_all(&site);
    for policy in [None, Some("record"), Some("Respect"), Some("strict")] {
        let rules = policy.map_or(json!({}), |policy| json!({ "consent": policy }));
        let shown = system.crawl_with(&pages, 100, json!({ "rules": rules })).await;
        let name = policy.unwrap_or("respect").to_lowercase();
        assert_eq!(shown["rules"]["consent"], name, "{shown:#}");
        let images = system.images(&shown["id"]).await;
        assert_eq!(images.len(), CASES.len(), "{shown:#}");
        for Case { host, signal, respect, strict } in CASES {
            let address = format!("http://{host}.example/p.png");
            let image = images.iter().find(|image| image["original_url"] == address.as_str()).unwrap();
            let reason = match name.as_str() {
                "record" => None,
                "respect" => respect,
                _ => strict,
            };
            assert_eq!(image["reason"], json!(reason), "{name} {host}: {image:#}");
            assert_eq!(image["verdict"], if reason.is_some() { "refused" } else { "kept" }, "{name} {host}");
            let said = image["consent"].as_array().unwrap();
            let Some([vocabulary, place, value, meaning]) = signal else {
                assert!(said.is_empty(), "{name} {host}: {image:#}");
                continue;
            };
            assert_eq!(said.len(), 1, "{name} {host}: {image:#}");
            let [first, ..] = &said[..] else { unreachable!() };
            let found = ["signal", "place", "value", "meaning"].map(|key| first[key].as_str().unwrap());
            assert_eq!(found, [vocabulary, place, value, meaning], "{name} {host}");
            let url = match host {
                "robots" | "signal" => json!(format!("http://{host}.example/robots.txt")),
                "tdmrep" => json!("http://tdmrep.example/.well-known/tdmrep.json"),
                "page-meta" => json!("http://site.example/meta"),
                "page-header" => json!("http://site.example/header"),
                _ if place == "header" => json!(address),
                _ => Value::Null,
            };
            assert_eq!(first["url"], url, "{name} {host}");
            if let Some(reason) = reason {
                let detail = image["metadata"]["detail"].as_str().unwrap();
                assert!(detail.contains(value), "{reason} says what was read: {detail}");
            }
        }
        let tdm = images.iter().find(|image| image["original_url"] == "http://tdm.example/p.png").unwrap();
        assert_eq!(tdm["consent"][0]["policy"], "https://a.example/policy.json");
        if name == "record" {
            is_taken_along(&system, &shown).await;
        }
    }
    let answer = system
        .call("POST", "/api/v1/crawl-jobs/", Some(&json!({
            "name": "x", "urls": ["http://site.example/page"], "max_images": 1, "rules": { "consent": "ignore" }
        })))
        .await;
    let problem = answer.expect(422).json();
    assert!(problem.to_string().contains("must be one of: record, respect, strict"), "{problem:#}");
}

/// Whoever takes what a job has kept away has with each picture what was read.
async fn is_taken_along(system: &System, job: &Value) {
    let exports = format!("/api/v1/datasets/{}/exports", job["dataset_id"]);
    let export = system.post(&exports, &json!({ "format": "jsonl" })).await.expect(201).json();
    for path in [
        format!("{exports}/{}/data.jsonl", export["id"]),
        format!("/api/v1/crawl-jobs/{}/manifest", job["id"]),
    ] {
        let text = system.get(&path).await.expect(200).text;
        let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(records.len(), CASES.len(), "{path}");
        for Case { host, signal, .. } in CASES {
            let address = format!("http://{host}.example/p.png");
            let record = records.iter().find(|record| record["url"] == address.as_str()).unwrap();
            let said = signal
                .map(|[vocabulary, place, value, meaning]| format!("{meaning} {vocabulary} {place} {value}"));
            assert_eq!(record["consent"], json!(Vec::from_iter(said)), "{path} {host}");
        }
    }
    let card = system.get(&format!("{exports}/{}/README.md", export["id"])).await.expect(200).text;
    for (said, count) in [("reserved tdm-reservation", 3), ("reserved noai", 2), ("noted c2pa", 1)] {
        assert!(card.contains(&format!("\n| {said} | {count} |\n")), "{said}: {card}");
    }
}

/// A page of two pictures, of which the second is held: this from a site that says nothing, or reserves it.
fn show_two(site: &Site, name: &str, first: Reply, second: Reply) -> [String; 2] {
    let addresses = [1, 2].map(|number| format!("/{name}/{number}"));
    site.on(&addresses[0], [first]);
    site.on(&addresses[1], [Reply::Held(Box::new(second))]);
    site.on(&format!("/{name}"), [page(&addresses, None)]);
    addresses
}

fn silent(bytes: Vec<u8>) -> Reply {
    Reply::Bytes(bytes.into())
}

fn reserved(bytes: &[u8]) -> Reply {
    answer(bytes, "tdm-reservation: 1\r\n")
}

/// What the reservation of the picture at this path is recorded as.
fn reservation(path: &str) -> Value {
    let url = format!("http://site.example{path}");
    json!([{ "signal": "tdm-reservation", "place": "header", "url": url, "value": "1", "meaning": "reserved" }])
}

/// The same without what is null.
fn without_nulls(signals: &Value) -> Value {
    let signals = signals.as_array().unwrap().iter().map(|signal| {
        let fields = signal.as_object().unwrap().iter().filter(|(_, value)| !value.is_null());
        Value::Object(fields.map(|(name, value)| (name.clone(), value.clone())).collect())
    });
    signals.collect()
}

/// Of one picture at two addresses the better one is kept, or the first, and what either says is known of it.
#[tokio::test]
async fn a_picture_that_is_kept_has_what_was_read_of_its_copies() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    let same = picture("same");
    for (name, first, second, kept, says) in [
        // What is kept says nothing, and then it says all.
        ("same", silent(same.clone()), reserved(&same), 0, Some(1)),
        ("first", reserved(&same), silent(same.clone()), 0, Some(0)),
        ("better", reserved(&picture("one")), silent(enlarged("one", 3)), 1, Some(0)),
        ("worse", silent(enlarged("one", 3)), reserved(&picture("one")), 0, Some(1)),
        ("silent", silent(picture("one")), silent(enlarged("one", 3)), 1, None),
    ] {
        let paths = show_two(&site, name, first, second);
        let rules = json!({ "rules": { "consent": "record" } });
        let job = system.create_with(&[&format!("/{name}")], 100, rules).await;
        system.until(job, "the first one is kept", |job| job["kept"] == 1).await;
        site.release(&paths[1..]);
        let shown = system.until_status(job, "completed").await;
        assert_eq!((&shown["kept"], &shown["duplicates"]), (&json!(1), &json!(1)), "{name}: {shown:#}");
        let images = system.images(job).await;
        let [image, copy] = [kept, 1 - kept].map(|which: usize| named(&images, &paths[which]));
        let said = says.map_or(json!([]), |which: usize| reservation(&paths[which]));
        assert_eq!(image["verdict"], "kept", "{name}: {image:#}");
        assert_eq!(without_nulls(&image["consent"]), said, "{name}: {image:#}");
        // A copy has what was read of itself.
        let own = if says == Some(1 - kept) { said } else { json!([]) };
        assert_eq!(without_nulls(&copy["consent"]), own, "{name}: {copy:#}");

        let exports = format!("/api/v1/datasets/{}/exports", shown["dataset_id"]);
        let export = system.post(&exports, &json!({ "format": "jsonl" })).await.expect(201).json();
        let texts = Vec::from_iter(says.map(|_| "reserved tdm-reservation header 1"));
        for path in
            [format!("{exports}/{}/data.jsonl", export["id"]), format!("/api/v1/crawl-jobs/{job}/manifest")]
        {
            let text = system.get(&path).await.expect(200).text;
            let record: Value = serde_json::from_str(text.trim_end()).unwrap();
            assert_eq!(record["consent"], json!(texts), "{name} {path}");
        }
    }
}

/// A later page that shows a picture says something of it, too: of one that is not judged yet as if the first had said
/// it; with one that is kept it is recorded.
#[tokio::test]
async fn every_page_that_shows_a_picture_is_heard() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    for (name, is_kept) in [("waits", false), ("came", true)] {
        let [first, second, path] = ["", "-too", "/0"].map(|end| format!("/{name}{end}"));
        let says = format!("<meta name=tdm-reservation content=1><img src='{path}'>");
        site.on(&path, [Reply::Held(Box::new(silent(picture(name))))]);
        site.on(&first, [page(std::slice::from_ref(&path), None)]);
        site.on(&second, [Reply::Held(Box::new(Reply::Page(says)))]);
        let job = system.create(&[&first, &second], 100).await;
        site.busy(&path, 1).await;
        if is_kept {
            site.release(&[&path]);
            system.until(job, "it is kept", |job| job["kept"] == 1).await;
            site.release(&[&second]);
        } else {
            site.release(&[&second]);
            system.until(job, "the page is read", |job| job["chunks"][1]["state"] == "exhausted").await;
            site.release(&[&path]);
        }
        let shown = system.until_status(job, "completed").await;
        let refused = if is_kept { json!({}) } else { json!({ "opt-out": 1 }) };
        assert_eq!((&shown["kept"], &shown["refused"]), (&json!(i32::from(is_kept)), &refused), "{shown:#}");
        let images = system.images(job).await;
        let [image] = &images[..] else { panic!("{name}: {images:#?}") };
        let url = format!("http://site.example{second}");
        let said = json!([{
            "signal": "tdm-reservation", "place": "page-meta", "url": url, "value": "1", "meaning": "reserved"
        }]);
        assert_eq!(without_nulls(&image["consent"]), said, "{name}: {image:#}");
    }
}

/// Where nobody looked there is null, and no longer once a copy was looked at.
#[tokio::test]
async fn a_picture_of_an_earlier_version_has_what_is_read_of_its_copies() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    let same = picture("same");
    for (name, second) in [("silent", silent(same.clone())), ("reserved", reserved(&same))] {
        let paths = show_two(&site, name, silent(same.clone()), second);
        let rules = json!({ "rules": { "consent": "record" } });
        let job = system.create_with(&[&format!("/{name}")], 100, rules).await;
        system.until(job, "the first one is kept", |job| job["kept"] == 1).await;
        let forget = "update images set consent = null where crawl_job_id = $1";
        sqlx::query(forget).bind(i32::try_from(job).unwrap()).execute(&system.pool).await.unwrap();
        assert_eq!(system.images(job).await[0]["consent"], Value::Null);
        site.release(&paths[1..]);
        system.until_status(job, "completed").await;
        let images = system.images(job).await;
        let image = named(&images, &paths[0]);
        let said = if name == "reserved" { reservation(&paths[1]) } else { json!([]) };
        assert_eq!(
            (&image["verdict"], without_nulls(&image["consent"])),
            (&json!("kept"), said),
            "{image:#}"
        );
    }
}

#[tokio::test]
async fn dedupe_joins_what_was_read_of_what_looks_alike() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let _worker = system.worker(&[]).await;
    let addresses = ["/page/large", "/page/small"].map(str::to_owned);
    site.on(&addresses[0], [silent(enlarged("one", 4))]);
    site.on(&addresses[1], [reserved(&soft("one", 3))]);
    site.on("/page", [page(&addresses, None)]);
    let rules = json!({ "rules": { "consent": "record", "near_duplicates": 0 } });
    let job = system.create_with(&["/page"], 100, rules).await;
    let shown = system.until_status(job, "completed").await;
    assert_eq!(shown["kept"], 2, "{shown:#}");
    let dataset = shown["dataset_id"].to_string();
    let done = system.tool(&["dataset", "dedupe", &dataset, "--all-users", "--yes", "--json"], &[]).await;
    let done: Value = serde_json::from_str(&done).unwrap();
    assert_eq!((&done["removed"], &done["added"]), (&json!(1), &json!(0)), "{done}");
    let images = system.images(job).await;
    let image = named(&images, "/large");
    assert_eq!(
        (&image["verdict"], without_nulls(&image["consent"])),
        (&json!("kept"), reservation("/page/small")),
        "{image:#}"
    );
}
