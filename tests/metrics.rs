//! What Prometheus sees.

use serde_json::json;

use crate::support::{
    api::{Api, send},
    process::System,
    site::{Site, page, picture},
};

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

    let answer = api.get("/metrics").await.expect(200);
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
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
    assert_eq!(sample(text, "pixcrawler_jobs_running"), Some(0.0), "{text}");
    assert!(!text.contains("77777") && !text.contains("secret-path"), "no address is in it: {text}");
    assert!(text.ends_with("# EOF\n"));
    api.stop().await;
}

#[tokio::test]
async fn a_crawl_is_counted_from_step_to_verdict() {
    let site = Site::start().await;
    let mut pictures = site.gallery("/gallery", 3, None);
    pictures.push("/gallery/missing.png".to_owned());
    site.on("/gallery", [page(&pictures, None)]);
    let system = System::start(&site).await;
    let server = system.server(&[]).await;
    let ready = server.logged("ready").await;
    let job = system.create(&["/gallery"], 10).await;
    system.until_status(job, "completed").await;

    let url = format!("http://{}/metrics", ready["address"].as_str().unwrap());
    let text = reqwest::Client::new().get(url).send().await.unwrap().text().await.unwrap();
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
    check(r#"source_health{source="webpage",condition="ok"}"#, 1);
    check(r#"source_health{source="webpage",condition="paused"}"#, 0);
    check(r#"chunk_slices_total{end="exhausted"}"#, 1);
    check("queue_restarts_total", 0);
    check("leases_held", 0);
    check("queue_wait_seconds_count", 1);
    check("users_waiting", 0);
    check("users_waiting_spread_seconds", 0);
    for name in ["plugin_cpu_seconds_total", "plugin_peak_memory_bytes"] {
        let name = format!("pixcrawler_{name}{{source=\"webpage\"}}");
        assert!(sample(&text, &name) > Some(0.0), "{name} in {text}");
    }
    assert!(!text.contains("gallery") && !text.contains("site.example"), "no address is in it: {text}");

    let shown = system.get("/api/v1/sources/webpage").await.expect(200).json();
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
