//! What a source finds, before a job is made of it.

use serde_json::{Value, json};

use super::page;
use crate::support::{
    api::{Api, User},
    plugins::{folder, guest},
    site::{ORIGIN, Reply, Site},
};

impl User<'_> {
    async fn preview(&self, source: &str, body: Value, expect: u16) -> Value {
        self.post(&format!("/api/v1/sources/{source}/preview"), &body).await.expect(expect).json()
    }
}

/// An API with these guests, which are granted.
async fn api(site: &Site, guests: &[&str]) -> (Api, tempfile::TempDir) {
    let files: Vec<_> = guests.iter().map(|name| (format!("{name}.wasm"), guest(name))).collect();
    let files: Vec<_> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
    let folder = folder(&files);
    let mapping = site.mapping();
    let settings = [
        "--plugins-dir",
        folder.path().to_str().unwrap(),
        "--grant=steps,trap,keys",
        "--credential=keys.header=one",
        "--map-origin",
        &mapping,
    ];
    (Api::start_with(&settings).await, folder)
}

#[tokio::test]
async fn the_first_candidates_are_shown_and_nothing_is_stored() {
    let site = Site::start().await;
    site.on("/page/1?q=red+fox", [page(&["a", "b", "c"], true)]);
    site.on("/page/2?q=red+fox", [page(&["d", "e"], true)]);
    let (api, _folder) = api(&site, &["steps"]).await;
    let ann = api.user("ann@example.org");

    let shown = ann.preview("steps", json!({ "text": " red fox ", "limit": 2 }), 200).await;
    let urls: Vec<_> = shown["candidates"].as_array().unwrap().iter().map(|found| &found["url"]).collect();
    assert_eq!(urls, [&json!(format!("{ORIGIN}/a.png")), &json!(format!("{ORIGIN}/b.png"))]);
    assert_eq!(shown["more"], true);
    let request = json!({ "method": "GET", "url": format!("{ORIGIN}/page/1?q=red+fox"), "status": 200, "failure": null });
    assert_eq!(shown["requests"], json!([request]));

    let shown = ann.preview("steps", json!({ "text": "red fox", "limit": 4 }), 200).await;
    assert_eq!((shown["candidates"].as_array().unwrap().len(), &shown["more"]), (4, &json!(true)));
    // What was found is shown although the next page is not there.
    let shown = ann.preview("steps", json!({ "text": "red fox" }), 200).await;
    assert_eq!(shown["candidates"].as_array().unwrap().len(), 5);
    assert!(shown["warnings"][0].as_str().unwrap().contains("status 404"), "{shown}");

    assert_eq!(site.requests("/a.png"), [""; 0], "a picture was downloaded");
    for table in ["public.crawl_jobs", "public.images", "pixcrawler.candidate", "pixcrawler.source"] {
        let count = format!("select count(*) from {table}");
        let rows: i64 =
            sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(&api.database.pool).await.unwrap();
        assert_eq!(rows, 0, "{table}");
    }
    api.stop().await;
}

#[tokio::test]
async fn what_goes_wrong_has_a_name() {
    let site = Site::start().await;
    site.on("/page/1?q=down", [Reply::Status(503, Some(0))]);
    site.on("/page/1?q=later", [Reply::Status(429, Some(600))]);
    site.on("/header/refused", [Reply::Status(401, None)]);
    site.on("/header/changed", [Reply::Page("the layout has changed".to_owned())]);
    let (api, _folder) = api(&site, &["steps", "trap", "keys"]).await;
    let ann = api.user("ann@example.org");
    for (source, text, status, code, detail) in [
        ("steps", "down", 503, "site-unavailable", "503"),
        ("trap", "fox", 502, "plugin-fault", "no page for `fox`"),
        ("keys", "refused", 502, "credential-refused", "credential"),
        ("keys", "changed", 502, "layout-changed", "no longer looks"),
        // From here on the site is left alone.
        ("steps", "later", 503, "site-unavailable", "come back"),
        ("google", "fox", 409, "source-unavailable", "--grant google"),
        ("nowhere", "fox", 404, "not-found", "source"),
    ] {
        let told = ann.preview(source, json!({ "text": text }), status).await;
        assert_eq!(told["code"], code, "{told}");
        assert!(told["detail"].as_str().unwrap().contains(detail), "{told}");
    }
    let told = ann.preview("openverse", json!({ "limit": 51, "options": { "colour": "red" } }), 422).await;
    let pointers: Vec<_> = told["errors"].as_array().unwrap().iter().map(|rule| &rule["pointer"]).collect();
    assert_eq!(pointers, ["/text", "/options/colour", "/limit"], "{told}");
    let told = ann.preview("webpage", json!({ "text": "http://127.0.0.1/" }), 422).await;
    assert_eq!(told["errors"][0]["pointer"], "/text", "{told}");
    api.stop().await;
}

#[tokio::test]
async fn a_user_has_a_few_at_a_time() {
    let site = Site::start().await;
    site.on("/page/1?q=slow", [Reply::Held(Box::new(Reply::Page(String::new())))]);
    let (api, _folder) = api(&site, &["steps"]).await;
    let (ann, bob) = (api.user("ann@example.org"), api.user("bob@example.org"));
    let slow = json!({ "text": "slow" });
    let refused = async {
        site.seen("/page/1", 2).await;
        let told = ann.preview("steps", slow.clone(), 429).await;
        assert!(told["detail"].as_str().unwrap().contains("2 previews"), "{told}");
        let bobs = async {
            site.seen("/page/1", 3).await;
            site.release(&["/page/1?q=slow"]);
        };
        tokio::join!(bob.preview("steps", slow.clone(), 200), bobs);
    };
    tokio::join!(ann.preview("steps", slow.clone(), 200), ann.preview("steps", slow.clone(), 200), refused);
    ann.preview("steps", slow, 200).await;
    api.stop().await;
}
