//! Plugins that do what they must not, granted and run for real users.

use serde_json::json;

use super::{assert_sound, chunk_errors, folder, guest, sound_job};
use crate::support::{
    api::Api,
    site::{Reply, Site},
};

/// A guest, what it is asked, and how its chunk ends.
const HARM: [(&str, &str, &str); 14] = [
    ("loops", "forever", "did not come back within 1s"),
    ("loops", "sleep", "did not come back within 1s"),
    ("hog", "memory", "67108864 are allowed"),
    ("trap", "red panda", "no page for `red panda`"),
    ("big-state", "65537", "too many bytes of state: 65537, at most 65536 are allowed"),
    ("too-many", "requests 65", "too many requests in one step: 65, at most 64 are allowed"),
    ("too-many", "candidates 40000", "too many bytes in what the step returns: at most 16777216 are allowed"),
    ("too-many", "candidates 500000", "67108864 are allowed"),
    ("again", "for ever", "too many steps in a row that say `again`: 65, at most 64 are allowed"),
    ("endless", "kept", "its budget of 100 steps (PIXCRAWLER_SOURCE_STEPS)"),
    ("endless", "requests", "its budget of 300 requests (PIXCRAWLER_SOURCE_REQUESTS)"),
    ("endless", "bytes", "its budget of 5000000 bytes of answers (PIXCRAWLER_SOURCE_BYTES)"),
    ("flood", "sink", "sunk"),
    ("shifty", "fox", "host `elsewhere.example` is not granted to source `shifty`"),
];

#[tokio::test]
async fn each_ends_by_the_limit_it_broke_and_nobody_else_does() {
    let names = [
        "again",
        "big-state",
        "endless",
        "flood",
        "forbidden",
        "hog",
        "loops",
        "shifty",
        "steps",
        "too-many",
        "trap",
    ];
    let files = names.map(|name| (format!("{name}.wasm"), guest(name)));
    let plugins = folder(&files.each_ref().map(|(name, bytes)| (name.as_str(), bytes.clone())));
    let site = Site::start().await;
    for (path, size) in [("/", 10), ("/kept", 10), ("/bytes", 1 << 20)] {
        site.on(path, [Reply::Page("x".repeat(size))]);
    }
    let (mapping, grant) = (site.mapping(), names.join(","));
    let api = Api::crawling(&[
        "--plugins-dir",
        plugins.path().to_str().unwrap(),
        "--grant",
        &grant,
        "--plugin-deadline",
        "1s",
        "--source-steps=100",
        "--source-requests=300",
        "--source-bytes=5000000",
        "--per-host-rate=10000",
        "--map-origin",
        &mapping,
    ])
    .await;
    assert_eq!(api.app.plugins.refused(), []);
    let ann = api.user("ann@example.org");

    let before = sound_job(&site, &ann, "before").await;
    let mut jobs = Vec::new();
    for (source, keyword, end) in HARM {
        let body = json!({ "name": source, "keywords": [keyword], "sources": [source] });
        jobs.push((ann.create(&body).await, source, end));
    }
    let beside = sound_job(&site, &ann, "beside").await;
    for (id, source, end) in jobs {
        let job = ann.over(id).await;
        assert_eq!(job["status"], "failed", "{source}: {job:#}");
        for told in [&job["error"], &job["chunks"][0]["error"]] {
            let told = told.as_str().unwrap();
            assert!(told.contains(end), "{source}: {told} does not say `{end}`");
            assert!(told.len() < 20_000, "{source}: {} bytes are told", told.len());
        }
        let rows = chunk_errors(&api, id).await;
        assert!(rows[0].as_ref().unwrap().contains(end), "{source}: {rows:?}");
    }
    assert_sound(&ann, before).await;
    assert_sound(&ann, beside).await;
    assert_eq!(site.requests("/kept").len(), 1);

    // A host that is not granted is not asked; the plugin is told, and may go on.
    let asked = site.requests("/").len();
    let body =
        json!({ "name": "forbidden", "keywords": ["http://elsewhere.example/"], "sources": ["forbidden"] });
    let job = ann.over(ann.create(&body).await).await;
    let told = job["error"].as_str().unwrap();
    assert!(told.contains("host `elsewhere.example` is not granted to source `forbidden`"), "{told}");
    assert_eq!((&job["kept"], &job["total_images"], site.requests("/").len()), (&json!(0), &json!(0), asked));
    api.stop().await;
}

#[tokio::test]
async fn who_is_not_granted_does_not_run() {
    let plugins = folder(&[("steps.wasm", guest("steps"))]);
    let api = Api::crawling(&["--plugins-dir", plugins.path().to_str().unwrap()]).await;
    let ann = api.user("ann@example.org");
    let body = json!({ "name": "x", "keywords": ["fox"], "sources": ["steps"] });
    let refused = ann.post("/api/v1/crawl-jobs/", &body).await.expect(422).json();
    assert!(refused["errors"][0]["detail"].as_str().unwrap().contains("is not installed"), "{refused}");
    ann.get("/api/v1/sources/steps").await.expect(404);
    let told = &api.app.plugins.refused()[0].reason;
    assert!(told.contains("not recorded") && told.contains("plugin install"), "{told}");
    api.stop().await;
}
