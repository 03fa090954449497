//! New versions, and sources that come and go, without a restart.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::json;

use super::{guest_file, page, system};
use crate::support::{
    postgres::database,
    process::System,
    site::{ORIGIN, Reply, Site},
};

fn pictures(site: &Site, names: &[&str]) {
    for name in names {
        site.on(&format!("/{name}.png"), [Reply::Picture]);
    }
}

/// A custom section of a component, at least so long and with nothing in it.
fn custom_section(size: u32) -> Vec<u8> {
    // The length takes up to five bytes, seven bits in each.
    let length = (0..5).map(|at| (size >> (7 * at)) as u8 & 0x7f | if at < 4 { 0x80 } else { 0 });
    let mut section: Vec<u8> = [0].into_iter().chain(length).chain([1, b'x']).collect();
    section.resize(6 + size as usize, 0);
    section
}

#[tokio::test]
async fn a_crawl_under_way_finishes_its_step_and_goes_on_with_the_new_version() {
    let site = Site::start().await;
    pictures(&site, &["a", "b", "c"]);
    site.on("/page/1?q=fox", [page(&["a"], true)]);
    site.on("/page/2?q=fox", [Reply::Held(Box::new(page(&["b"], true)))]);
    site.on("/next/1?q=fox", [page(&["a", "b"], true)]);
    site.on("/next/2?q=fox", [page(&["c"], false)]);
    let system = system(&site).await;
    let worker = system.server(&[]).await;
    system.install_for(&worker, "steps").await;
    let job = system.create_of("steps", &["fox"]).await;
    site.seen("/page/2", 1).await;

    system.install("upgrade").await;
    worker.took_up("0.2.0", true).await;
    site.release(&["/page/2?q=fox"]);
    let job = system.until_status(job, "completed").await;
    // The old state would have been refused, and the old version would have asked for page 3.
    assert_eq!((&job["kept"], &job["chunks"][0]["error"]), (&json!(3), &json!(null)), "{job:#}");
    for (path, times) in [("/page/2", 1), ("/page/3", 0), ("/next/1", 1), ("/next/2", 1), ("/b.png", 1)] {
        assert_eq!(site.requests(path).len(), times, "{path}: {:?}", site.requests("/"));
    }
}

#[tokio::test]
async fn sources_come_and_go() {
    let site = Site::start().await;
    pictures(&site, &["a"]);
    site.on("/page/1?q=fox", [page(&["a"], true)]);
    site.on("/page/2?q=fox", [Reply::Held(Box::new(page(&[], true)))]);
    let system = system(&site).await;
    let worker = system.worker(&[]).await;
    let refused = async |why: &str| {
        let detail = system.refused("steps").await;
        assert!(detail.contains(why), "`{detail}` does not say `{why}`");
    };
    refused("is not installed").await;
    system.install_for(&worker, "steps").await;
    let job = system.create_of("steps", &["fox"]).await;
    site.seen("/page/2", 1).await;

    system.plugin(&["disable", "steps"]).await;
    for process in [system.door(), &worker] {
        process.took_up("0.1.0", false).await;
    }
    refused("plugin enable steps").await;
    let shown = system.source("steps").await;
    assert_eq!(shown["available"], false, "{shown}");
    site.release(&["/page/2?q=fox"]);
    let ended = system.until(job, "its chunk fails", |job| job["chunks"][0]["status"] == "failed").await;
    assert_eq!(ended["kept"], 1, "what it had is kept: {ended:#}");
    let error = ended["chunks"][0]["error"].as_str().unwrap();
    assert!(error.contains("plugin enable steps"), "{error}");
    assert_eq!(site.requests("/page/3"), [""; 0]);

    system.plugin(&["remove", "steps"]).await;
    system.door().logged_with("source-removed", |line| line["source"] == "steps").await;
    refused("is not installed").await;
    system.get("/api/v1/sources/steps").await.expect(404);
}

#[tokio::test]
async fn a_file_that_is_not_as_recorded_is_not_taken_up() {
    let site = Site::start().await;
    let system = system(&site).await;
    system.install("steps").await;
    system.door().took_up("0.1.0", true).await;
    let source = system.listed("steps").await;
    let file = source["file"].as_str().unwrap().to_owned();
    let sound = std::fs::read(&file).unwrap();

    // What runs is what was recorded; a host that starts has nothing of that kind.
    std::fs::write(&file, [sound.as_slice(), &[0, 2, 1, b'x']].concat()).unwrap();
    let refused = system.door().logged("plugin-left-out").await;
    assert!(refused["reason"].as_str().unwrap().contains("was changed"), "{refused}");
    let shown = system.source("steps").await;
    assert_eq!((&shown["available"], &shown["sha256"]), (&json!(true), &source["sha256"]));
    let late = system.worker(&[]).await;
    late.logged("plugin-left-out").await;

    std::fs::write(&file, sound).unwrap();
    late.took_up("0.1.0", true).await;
}

#[tokio::test]
async fn a_version_waits_for_its_credential_while_the_one_before_goes_on() {
    let site = Site::start().await;
    pictures(&site, &["a", "b"]);
    site.on("/page/1?q=fox", [page(&["a"], false)]);
    site.on("/keyed?q=fox", [Reply::Page(format!("{ORIGIN}/b.png"))]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    fs::write(&file, "").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let settings =
        [("PIXCRAWLER_PLUGINS_POLL", "50ms"), ("PIXCRAWLER_CREDENTIALS_FILE", file.to_str().unwrap())];
    let system = System::with(&site, database().await, &settings).await;
    let worker = system.worker(&[]).await;
    let both = [system.door(), &worker];
    // How often either has taken up another build or state of the source.
    let taken_up = async |times: usize, version: &str| {
        for process in both {
            process.logged_nth("source-loaded", times).await;
            let line = process.lines("source-loaded").pop().unwrap();
            assert_eq!((&line["version"], &line["off"]), (&json!(version), &json!(null)), "{line}");
        }
    };
    let crawled = async |path: &str| {
        let before = site.requests(path).len();
        let job = system.create_of("steps", &["fox"]).await;
        let done = system.until_status(job, "completed").await;
        assert_eq!((&done["kept"], site.requests(path).len()), (&json!(1), before + 1), "{done:#}");
    };
    // Both are so big that they are compiled in the background.
    let big = ["steps", "upgrade-keyed"].map(|guest| {
        let file = folder.path().join(format!("{guest}.wasm"));
        fs::write(&file, [fs::read(guest_file(guest)).unwrap(), custom_section(5_000_000)].concat()).unwrap();
        file.to_str().unwrap().to_owned()
    });
    system.plugin(&["install", &big[0], "--yes"]).await;
    taken_up(1, "0.1.0").await;

    let installed = system.run(&["plugin", "install", &big[1], "--yes"], &[]).await;
    assert!(installed.status.success(), "{installed:?}");
    let said = String::from_utf8(installed.stderr).unwrap();
    for part in [
        "Warning: steps 0.5.0 needs the credential `key`, which the server (pid ",
        "does not have (Ask for one.); 0.1.0 goes on until it is there, then this one takes over",
        "`steps.key=SECRET`",
    ] {
        assert!(said.contains(part), "`{part}` is missing: {said}");
    }
    let listed = system.listed("steps").await;
    assert_eq!((&listed["version"], &listed["status"]), (&json!("0.1.0"), &json!("ready")), "{listed}");
    assert_eq!(
        (&listed["waiting"]["version"], &listed["waiting"]["lacks"]),
        (&json!("0.5.0"), &json!("key"))
    );
    assert_eq!(listed["rolled_back"], json!(null));
    let list = system.run(&["plugin", "list"], &[]).await;
    let [text, warned] = [list.stdout, list.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(
        text.contains("\nsteps 0.1.0  keywords, ready, ") && !warned.contains("left out"),
        "{text}{warned}"
    );
    let doctor = system.tool(&["doctor", "--port", "0"], &[]).await;
    let aside = "version 0.5.0 is installed but left aside, until its credential `key` is configured; version 0.1.0 runs";
    assert!(doctor.contains(&format!("note   source steps       {aside}")), "{doctor}");
    assert!(text.contains("left aside  0.5.0 (steps@0.5.0-"), "{text}");
    assert!(text.contains("which lacks its credential `key`: Ask for one."), "{text}");
    crawled("/page/1").await;

    // It comes, goes, and comes again, and each time everybody follows.
    for (text, times, version, path) in [
        ("steps.key=one", 2, "0.5.0", "/keyed"),
        ("", 3, "0.1.0", "/page/1"),
        ("steps.key=two", 4, "0.5.0", "/keyed"),
    ] {
        fs::write(&file, text).unwrap();
        taken_up(times, version).await;
        crawled(path).await;
    }
    let sent = ["one", "two"].map(|key| Some(key.to_owned()));
    assert_eq!(site.header("/keyed", "x-api-key"), sent);
    assert_eq!(system.listed("steps").await["waiting"], json!(null));
    assert!(system.door().lines("credential-unknown").is_empty());

    // By hand to the one before, and back.
    let back = system.plugin(&["rollback", "steps"]).await;
    assert!(back.contains("steps 0.5.0 → 0.1.0. Hosts that run take it up within seconds."), "{back}");
    taken_up(5, "0.1.0").await;
    crawled("/page/1").await;
    let forth = system.plugin(&["rollback", "steps", "--json"]).await;
    let forth: serde_json::Value = serde_json::from_str(&forth).unwrap();
    assert_eq!((&forth["from"], &forth["to"]), (&json!("0.1.0"), &json!("0.5.0")));
    assert_eq!(forth["source"]["granted_by"], "record");
    taken_up(6, "0.5.0").await;
    crawled("/keyed").await;
}
