//! Words without end: logs, standard error, warnings.

use serde_json::json;

use super::{folder, guest};
use crate::support::{
    database,
    process::System,
    site::{Reply, Site},
};

#[tokio::test]
async fn a_flood_of_words_is_cut() {
    let plugins = folder(&[("flood.wasm", guest("flood"))]);
    let site = Site::start().await;
    site.on("/flood.png", [Reply::Picture]);
    let settings = [
        ("PIXCRAWLER_PLUGINS", plugins.path().to_str().unwrap()),
        ("PIXCRAWLER_GRANT", "flood"),
        ("PIXCRAWLER_LOG", "debug"),
    ];
    let system = System::with(&site, database().await, &settings).await;
    let worker = system.worker(&[]).await;
    let body = json!({ "name": "x", "keywords": ["swim"], "sources": ["flood"], "max_images": 5 });
    let job = system.create_job(&body).await["id"].as_i64().unwrap();
    let shown = system.until_status(job, "completed").await;
    assert_eq!(shown["kept"], 1, "{shown:#}");
    // Equal ones are shown once.
    let warnings = shown["warnings"].as_array().unwrap();
    assert_eq!((warnings.len(), &warnings[1]), (2, &json!("980 more warnings left out")));
    assert!(warnings[0].as_str().unwrap().len() <= 500);

    let lines = worker.lines("plugin-log");
    assert_eq!(lines.len(), 100);
    assert!(lines.iter().all(|line| line["text"].as_str().unwrap().len() <= 1000), "{}", lines[0]);
    let rest = worker.lines("plugin-log-cut");
    assert_eq!((&rest[0]["most"], &rest[0]["left_out"]), (&json!(100), &json!(9_900)));
    let written = worker.lines("plugin-stderr");
    assert!(written[0]["stderr"].as_str().unwrap().len() <= 16 << 10);
    assert!(worker.log().len() < 1 << 20);
    assert!(!worker.log().contains('\u{1b}') && !worker.log().contains("\\u001b"));
}
