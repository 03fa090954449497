//! What Prometheus sees.

use std::{
    collections::BTreeSet,
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use pixcrawler::postgres::{Durability, PrivatePostgres};
use serde_json::json;

use crate::support::{
    api::{Api, send},
    postgres::{data_dir, prepared},
    process::{Process, System},
    site::{Site, page, picture},
};

impl Process {
    /// What it shows for Prometheus.
    async fn figures(&self) -> String {
        self.get("/metrics").await.expect(200).text
    }
}

/// The value of the sample that is spelt like this.
fn sample(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[tokio::test]
async fn requests_are_counted_by_operation_and_need_no_token() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    for _ in 0..2 {
        ann.get("/api/v1/crawl-jobs/").await.expect(200);
    }
    ann.get("/api/v1/crawl-jobs/77777").await.expect(404);
    send(api.request("GET", "/api/v1/crawl-jobs/")).await.expect(401);
    ann.get("/secret-path-of-nothing").await.expect(404);
    send(ann.request("POST", "/api/v1/crawl-jobs/").json(&json!({}))).await.expect(422);

    // As Prometheus asks, and as a person or an older tool does.
    let open = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
    let plain = "text/plain;version=0.0.4;q=0.5,application/openmetrics-text;q=0.2";
    for (accept, kind, counter, is_open) in [
        (open, "application/openmetrics-text; version=1.0.0", "http_requests", true),
        (plain, "text/plain; version=0.0.4", "http_requests_total", false),
        ("*/*", "text/plain; version=0.0.4", "http_requests_total", false),
    ] {
        let answer = send(api.request("GET", "/metrics").header("accept", accept)).await.expect(200);
        assert!(answer.header("content-type").unwrap().starts_with(kind), "{accept}");
        let text = &answer.text;
        assert!(text.contains(&format!("# HELP pixcrawler_{counter} Requests to the API")), "{text}");
        assert!(text.contains(&format!("# TYPE pixcrawler_{counter} counter\n")), "{text}");
        assert_eq!((text.contains("# UNIT "), text.ends_with("# EOF\n")), (is_open, is_open), "{text}");
    }
    let answer = api.get("/metrics").await.expect(200);
    let text = &answer.text;
    let requests = |operation: &str, status: &str| {
        sample(
            text,
            &format!(r#"pixcrawler_http_requests_total{{operation="{operation}",status="{status}"}}"#),
        )
    };
    assert_eq!(requests("listCrawlJobs", "2xx"), Some(2.0), "{text}");
    assert_eq!(requests("listCrawlJobs", "4xx"), Some(1.0), "{text}");
    assert_eq!(requests("getCrawlJob", "4xx"), Some(1.0), "{text}");
    assert_eq!(requests("createCrawlJob", "4xx"), Some(1.0), "{text}");
    assert_eq!(requests("none", "4xx"), Some(1.0), "{text}");
    let timed = r#"pixcrawler_http_request_seconds_count{operation="listCrawlJobs"}"#;
    assert_eq!(sample(text, timed), Some(3.0), "{text}");
    assert_eq!(sample(text, r#"pixcrawler_jobs{state="running"}"#), Some(0.0), "{text}");
    assert!(!text.contains("77777") && !text.contains("secret-path"), "no address is in it: {text}");
    api.stop().await;
}

#[tokio::test]
async fn a_crawl_is_counted_from_step_to_verdict() {
    let site = Site::start().await;
    let mut pictures = site.gallery("/gallery", 3, None);
    pictures.push("/gallery/missing.png".to_owned());
    site.on("/gallery", [page(&pictures, None)]);
    site.hold(&pictures[..1]);
    let system = System::start(&site).await;
    let job = system.create(&["/gallery"], 10).await;
    // Nobody works yet.
    let text = system.door().figures().await;
    for (name, expect) in [
        (r#"queue_messages{state="ready"}"#, 1.0),
        (r#"queue_messages{state="running"}"#, 0.0),
        (r#"jobs{state="pending"}"#, 1.0),
        (r#"chunks{state="queued"}"#, 1.0),
    ] {
        assert_eq!(sample(&text, &format!("pixcrawler_{name}")), Some(expect), "{name} in {text}");
    }
    let waits = sample(&text, "pixcrawler_queue_oldest_message_age_seconds").unwrap();
    assert!((0.0..60.0).contains(&waits) && waits > 0.0, "{waits}");

    let server = system.worker(&[("PIXCRAWLER_METRICS_LISTEN", "0")]).await;
    assert!(server.address().ip().is_loopback());
    site.busy(&pictures[0], 1).await;
    let text = system.door().figures().await;
    for name in
        [r#"queue_messages{state="running"}"#, r#"jobs{state="running"}"#, r#"chunks{state="running"}"#]
    {
        assert_eq!(sample(&text, &format!("pixcrawler_{name}")), Some(1.0), "{name} in {text}");
    }
    site.release(&pictures[..1]);
    system.until_status(job, "completed").await;

    // A worker shows no more than this.
    for process in [&server, system.door()] {
        assert_eq!(process.get("/health").await.expect(200).json()["status"], "healthy");
        assert_eq!(process.get("/health/ready").await.expect(200).json()["parts"]["queue"], "ready");
    }
    for path in ["/api/v1/crawl-jobs", "/openapi.json", "/docs"] {
        // By itself: it has no document that the answer could be held against.
        let asked = reqwest::Client::new().get(format!("http://{}{path}", server.address()));
        assert_eq!(asked.send().await.unwrap().status(), 404, "{path}");
    }

    let text = server.figures().await;
    let body: usize = pictures[..3].iter().map(|path| picture(path).len()).sum();
    let check = |name: &str, expect: usize| {
        assert_eq!(sample(&text, &format!("pixcrawler_{name}")), Some(expect as f64), "{name} in {text}");
    };
    check(r#"downloads_total{source="webpage",outcome="kept"}"#, 3);
    check(r#"downloads_total{source="webpage",outcome="not-found"}"#, 1);
    check("downloaded_bytes_total", body);
    check("downloads_in_flight", 0);
    check("download_seconds_count", 4);
    check("decode_seconds_count", 3);
    // Ask for the page, then read it.
    check(r#"plugin_steps_total{source="webpage",outcome="made"}"#, 2);
    check(r#"source_requests_total{source="webpage",status="2xx"}"#, 1);
    check(r#"source_candidates_total{source="webpage"}"#, 4);
    check(r#"chunk_slices_total{end="exhausted"}"#, 1);
    check("queue_restarts_total", 0);
    check("queue_wait_seconds_count", 1);
    let host = format!(r#"build_info{{version="{}"}}"#, env!("CARGO_PKG_VERSION"));
    check(&host, 1);
    for name in [r#"disk_free_bytes{folder="objects"}"#, r#"disk_size_bytes{folder="data"}"#] {
        assert!(sample(&text, &format!("pixcrawler_{name}")) > Some(1e6), "{name} in {text}");
    }
    let shown = system.get("/api/v1/sources/webpage").await.expect(200).json();
    check(&format!(r#"source_info{{source="webpage",version={}}}"#, shown["version"]), 1);
    assert!(sample(&text, "process_resident_memory_bytes") > Some(1e6), "{text}");
    assert!(sample(&text, "process_cpu_seconds_total") > Some(0.0), "{text}");
    assert!(sample(&text, "process_open_fds") < sample(&text, "process_max_fds"), "{text}");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64();
    let age = now - sample(&text, "process_start_time_seconds").unwrap();
    assert!((-5.0..600.0).contains(&age), "started {age} s ago");
    for name in ["plugin_cpu_seconds_total", "plugin_peak_memory_bytes"] {
        let name = format!("pixcrawler_{name}{{source=\"webpage\"}}");
        assert!(sample(&text, &name) > Some(0.0), "{name} in {text}");
    }
    assert!(!text.contains("gallery") && !text.contains("site.example"), "no address is in it: {text}");

    // What is of the whole system is told by each, also by one that does no work.
    let door = system.door().figures().await;
    assert_eq!(
        sample(&door, r#"pixcrawler_downloads_total{source="webpage",outcome="kept"}"#),
        None,
        "{door}"
    );
    let migrations = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations")).unwrap();
    let newest = migrations.map(|file| file.unwrap().file_name().into_string().unwrap()).max().unwrap();
    for text in [&text, &door] {
        for (name, expect) in [
            (r#"pictures_judged_total{source="webpage",outcome="kept"}"#, 3.0),
            (r#"pictures_judged_total{source="webpage",outcome="not-found"}"#, 1.0),
            (r#"pictures_judged_total{source="webpage",outcome="duplicate"}"#, 0.0),
            (r#"queue_messages{state="ready"}"#, 0.0),
            (r#"queue_messages{state="scheduled"}"#, 0.0),
            ("queue_oldest_message_age_seconds", 0.0),
            (r#"jobs{state="completed"}"#, 1.0),
            (r#"jobs{state="running"}"#, 0.0),
            (r#"chunks{state="exhausted"}"#, 1.0),
            (r#"chunks{state="running"}"#, 0.0),
            (r#"source_health{source="webpage",condition="ok"}"#, 1.0),
            (r#"source_health{source="webpage",condition="paused"}"#, 0.0),
            ("users_waiting", 0.0),
            ("users_waiting_spread_seconds", 0.0),
            ("database_up", 1.0),
            ("database_migration", newest.split_once('_').unwrap().0.parse().unwrap()),
        ] {
            assert_eq!(sample(text, &format!("pixcrawler_{name}")), Some(expect), "{name} in {text}");
        }
        assert!(text.contains("pixcrawler_database_info{version=\"1"), "{text}");
        is_told_well(text);
    }

    let figures = &shown["figures"];
    for (name, expect) in [
        ("steps", json!(2)),
        ("faults", json!(0)),
        ("requests", json!(1)),
        ("answers", json!({ "200": 1 })),
        ("candidates", json!(4)),
        ("kept", json!(3)),
        ("duplicates", json!(0)),
        ("refused", json!({ "not-found": 1 })),
    ] {
        assert_eq!(figures[name], expect, "{name} in {figures}");
    }
    assert!(figures["peak_memory"].as_u64() > Some(0), "{figures}");
    assert_eq!(
        shown["health"],
        json!({ "condition": "ok", "reason": null, "since": null, "resumes_at": null })
    );
    let listed: serde_json::Value = serde_json::from_str(&system.plugin(&["list", "--json"]).await).unwrap();
    let listed =
        listed["sources"].as_array().unwrap().iter().find(|source| source["id"] == "webpage").unwrap();
    assert_eq!((&listed["figures"], &listed["health"]["condition"]), (figures, &json!("ok")));
    let text = system.plugin(&["list"]).await;
    assert!(
        text.contains("2 steps (0 faults), 1 request, 4 found, 3 kept, 0 duplicate, 1 refused"),
        "{text}"
    );
}

/// Sees that each family is told once, says whose its figures are, and that counters have the names for such.
fn is_told_well(text: &str) {
    let mut families = BTreeSet::new();
    for line in text.lines() {
        let Some(about) = line.strip_prefix("# ") else {
            let name = line.split(['{', ' ']).next().unwrap();
            assert!(families.iter().any(|family| name.starts_with(family)), "{line} is of no family");
            continue;
        };
        match about.splitn(3, ' ').collect::<Vec<_>>()[..] {
            ["HELP", family, help] => {
                let whose = ["process", "whole system"];
                assert!(whose.iter().any(|whose| help.contains(whose)), "{family}: {help}");
            }
            ["TYPE", family, kind] => {
                assert!(families.insert(family), "{family} is told twice");
                assert_eq!(family.ends_with("_total"), kind == "counter", "{family} is a {kind}");
            }
            _ => panic!("{line}"),
        }
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_told_once() {
    let dir = data_dir();
    let start = || PrivatePostgres::start(dir.path(), None, Durability::ThrownAway);
    let mut server = start().await.unwrap();
    let site = Site::start().await;
    let system = System::with(&site, prepared(server.url()).await, &[]).await;
    let worker = system.worker(&[("PIXCRAWLER_METRICS_LISTEN", "127.0.0.1:0")]).await;
    assert!(worker.figures().await.contains("pixcrawler_jobs{"));

    server.stop().await.unwrap();
    for process in [&worker, system.door()] {
        process.logged("database-lost").await;
        let text = process.figures().await;
        assert_eq!(sample(&text, "pixcrawler_database_up"), Some(0.0), "{text}");
        assert!(!text.contains("pixcrawler_jobs{") && !text.contains("source_health"), "{text}");
        assert!(sample(&text, r#"pixcrawler_disk_free_bytes{folder="data"}"#) > Some(1e6), "{text}");
    }
    // Probes ask again and again; what they find is logged when it changes.
    for _ in 0..2 {
        let unready = worker.get("/health/ready").await.expect(503).json();
        assert_eq!(unready["parts"]["database"], "unavailable", "{unready}");
        worker.get("/health").await.expect(200);
    }
    worker.logged_with("not-ready", |line| line["part"] == "database").await;

    server = start().await.unwrap();
    for process in [&worker, system.door()] {
        process.logged("database-back").await;
        assert_eq!(sample(&process.figures().await, "pixcrawler_database_up"), Some(1.0));
        assert_eq!(process.lines("database-lost").len(), 1, "{}", process.log());
    }
    worker.get("/health/ready").await.expect(200);
    worker.logged_with("ready-again", |line| line["part"] == "database").await;
    assert_eq!(worker.lines("not-ready").iter().filter(|line| line["part"] == "database").count(), 1);
    assert!(worker.lines("queue-failed").len() <= 1, "{}", worker.log());
    drop((worker, system));
    server.stop().await.unwrap();
}
