//! What cannot pass ends a part of a job at once, with the reason, and holds up no other.

use crate::support::{
    database,
    process::System,
    site::{ORIGIN, Reply, Site},
};

#[tokio::test]
async fn what_another_try_would_meet_again_is_not_waited_for() {
    let site = Site::start().await;
    let raw = |head: &str, body: &str| {
        let length = body.len();
        Reply::Raw(format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes())
    };
    site.on("/odd", [Reply::Status(999, None)]);
    site.on("/unchanged", [Reply::Status(304, None)]);
    site.on("/nowhere", [Reply::Redirect("http://[".to_owned())]);
    site.on("/loop", [Reply::Redirect("/loop".to_owned())]);
    site.on("/packed", [raw("200 -\r\ncontent-encoding: gzip", "<img src=/a.png>")]);
    site.on("/no-http", [Reply::Raw(b"+OK POP3 ready\r\n\r\n".to_vec())]);
    site.on("//site.example/robots.txt", [Reply::Page("User-agent: *\nRequest-rate: 100/1".to_owned())]);
    // A name that does not exist, below what stands for the site.
    let mapping = format!("http://gone.example=http://no-such-name.invalid,{}", site.mapping());
    let names = crate::support::name_server::NameServer::start().await.unwrap();
    let names = names.address().to_string();
    let settings = [("PIXCRAWLER_MAP_ORIGIN", &*mapping), ("PIXCRAWLER_NAME_SERVER", &names)];
    let system = System::with(&site, database().await, &settings).await;
    let pictures = site.gallery("/good", 3, None);
    let _worker = system.worker(&[]).await;
    let paths = ["/odd", "/unchanged", "/nowhere", "/loop", "/packed", "/no-http", "/good"];
    let mut urls: Vec<_> = paths.iter().map(|path| format!("{ORIGIN}{path}")).collect();
    urls.push("http://gone.example/".to_owned());
    let job =
        serde_json::json!({ "name": "lasting", "urls": urls, "sources": ["webpage"], "max_images": 80 });
    let id = system.create_job(&job).await["id"].as_i64().unwrap();
    let done = system.until_status(id, "completed").await;
    assert_eq!(done["kept"], pictures.len(), "{done:#}");
    let warned = "the robots.txt of site.example asks for 10ms between requests";
    assert_eq!(done["warnings"], serde_json::json!([warned]), "once: {done:#}");
    let chunks = done["chunks"].as_array().unwrap();
    for (url, why) in urls.iter().zip([
        "/odd cannot be read: the site answers with status 999",
        "/unchanged cannot be read: the site answers with status 304",
        "/nowhere cannot be read: a redirect to what is not an address",
        "/loop cannot be read: more than 10 redirects",
        "/packed cannot be read: the answer cannot be decompressed",
        "/no-http cannot be read: ",
        "null",
        "http://gone.example/ cannot be read: `no-such-name.invalid` has no address",
    ]) {
        let chunk = chunks.iter().find(|chunk| chunk["keyword"] == *url).unwrap();
        assert!(chunk["error"].to_string().contains(why), "{why}: {chunk:#}");
    }
    for path in &paths[..6] {
        let times = if *path == "/loop" { 11 } else { 1 };
        assert_eq!(site.requests(path).len(), times, "{path}");
    }
}

#[tokio::test]
async fn pictures_are_asked_for_with_their_page() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let pictures = site.gallery("/gallery", 2, None);
    let worker = system.worker(&[]).await;
    system.crawl(&["/gallery"], 2).await;
    for picture in &pictures {
        assert_eq!(site.header(picture, "referer"), [Some(format!("{ORIGIN}/gallery"))]);
    }
    for process in [&worker, system.door()] {
        assert!(!process.log().contains("Unknown task_id"), "{}", process.log());
    }
}
