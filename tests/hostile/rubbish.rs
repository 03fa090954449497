//! Addresses, headers and descriptions that are rubbish.

use serde_json::{Value, json};

use super::{folder, guest};
use crate::support::{
    api::{Api, User},
    site::{Reply, Site},
};

/// A host with these guests, granted.
async fn host(site: &Site, names: &[&str]) -> (Api, tempfile::TempDir) {
    let files: Vec<_> = names.iter().map(|name| (format!("{name}.wasm"), guest(name))).collect();
    let plugins =
        folder(&files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect::<Vec<_>>());
    let (mapping, grant) = (site.mapping(), names.join(","));
    let settings =
        ["--plugins-dir", plugins.path().to_str().unwrap(), "--grant", &grant, "--map-origin", &mapping];
    (Api::crawling(&settings).await, plugins)
}

/// The job of one keyword, and its images.
async fn crawl(user: &User<'_>, source: &str, keyword: &str) -> (Value, Vec<Value>) {
    let body = json!({ "name": source, "keywords": [keyword], "sources": [source] });
    let job = user.over(user.create(&body).await).await;
    let images = user.get(&format!("/api/v1/crawl-jobs/{}/images", job["id"])).await.expect(200).json();
    (job, images["items"].as_array().unwrap().clone())
}

#[tokio::test]
async fn what_is_no_address_is_left_out_and_counted() {
    let site = Site::start().await;
    site.on("/picture.png", [Reply::Picture]);
    let (api, _plugins) = host(&site, &["rubbish"]).await;
    let ann = api.user("ann@example.org");
    let (job, images) = crawl(&ann, "rubbish", "addresses").await;
    assert_eq!((&job["status"], &job["kept"]), (&json!("completed"), &json!(1)), "{job:#}");
    assert_eq!(job["refused"], json!({ "bad-url": 2, "not-found": 1 }), "{job:#}");
    let warning = "17 candidates left out: not an absolute http or https address of at most 8192 bytes";
    assert_eq!(job["warnings"], json!([warning]));
    assert_eq!(images.len(), 4);
    assert!(!json!(images).to_string().contains("javascript"), "{images:#?}");
    let idn = images.iter().find(|image| image["reason"] == "not-found").unwrap();
    assert_eq!(idn["original_url"], "http://xn--bcher-kva.example/%F0%9F%A6%8A.png");
    assert_eq!(site.requests("/%F0%9F%A6%8A.png").len(), 1);
    api.stop().await;
}

#[tokio::test]
async fn headers_that_are_the_hosts_are_not_sent() {
    let site = Site::start().await;
    site.on("/headers.png", [Reply::Picture]);
    let (api, _plugins) = host(&site, &["rubbish"]).await;
    let ann = api.user("ann@example.org");
    let (job, _) = crawl(&ann, "rubbish", "headers").await;
    assert_eq!((&job["status"], &job["kept"]), (&json!("completed"), &json!(1)), "{job:#}");
    let told: Vec<&str> =
        job["warnings"].as_array().unwrap().iter().map(|said| said.as_str().unwrap()).collect();
    for name in ["authorization", "cookie", "proxy-authorization", "host", "content-length", "user-agent"] {
        let expected = format!("header `{name}` may not be set by a plugin");
        assert!(told.contains(&&*expected), "{told:#?}");
    }
    assert!(told.contains(&"header `not a header` is not valid"), "{told:#?}");
    assert_eq!((told.len(), site.requests("/asked").len()), (10, 0));
    for (name, expect) in
        [("referer", Some("http://site.example/")), ("authorization", None), ("cookie", None)]
    {
        assert_eq!(site.header("/headers.png", name), [expect.map(str::to_owned)], "{name}");
    }
    for name in ["host", "user-agent", "accept-encoding", "connection", "content-length"] {
        let sent = site.header("/headers.png", name);
        assert!(sent.iter().flatten().all(|value| value != "rubbish"), "{name}: {sent:?}");
    }
    api.stop().await;
}

/// Neither clock nor chance nor memory differ from call to call, so it says the same to every
/// host; and what it says later changes nothing.
#[tokio::test]
async fn a_source_says_always_the_same_of_itself() {
    let mut told = Vec::new();
    for _ in 0..2 {
        let site = Site::start().await;
        let (api, _plugins) = host(&site, &["shifty"]).await;
        let ann = api.user("ann@example.org");
        told.push(ann.get("/api/v1/sources/shifty").await.expect(200).text);
        let (job, _) = crawl(&ann, "shifty", "fox").await;
        let error = job["error"].as_str().unwrap();
        assert!(error.contains("`elsewhere.example` is not granted"), "{error}");
        assert!(site.requests("/").is_empty());
        api.stop().await;
    }
    assert_eq!(told[0], told[1]);
}
