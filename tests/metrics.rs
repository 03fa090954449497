//! What Prometheus sees.

use serde_json::json;

use crate::support::api::{Api, send};

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
