//! Cookies: kept for one crawl, sent to whom they are meant for, seen by nobody.

use std::os::unix::process::ExitStatusExt as _;

use rustix::process::Signal;
use serde_json::json;

use crate::support::{
    process::System,
    site::{ORIGIN, Reply, Site, page},
};

const SECRET: &str = "canary-of-a-cookie";

/// As the reply, and sets the cookie `id` for the whole host.
fn setting(value: &str, reply: Reply) -> Reply {
    Reply::Cookie(format!("id={value}; Path=/"), Box::new(reply))
}

/// A page without pictures that links to the page that follows.
fn link(next: &str) -> Reply {
    page(&[], Some(next))
}

/// The cookies of the only request for a path.
fn sent(site: &Site, path: &str) -> Option<String> {
    let mut sent = site.header(path, "cookie");
    assert_eq!(sent.len(), 1, "{path}: {sent:?}");
    sent.remove(0)
}

#[tokio::test]
async fn a_crawl_has_its_own() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let id = format!("id={SECRET}");
    // By way of a redirect; the second page replaces it, and the last is of another host.
    site.on("/warm-up", [setting("first", Reply::Redirect(format!("{ORIGIN}/one")))]);
    site.on("/one", [setting(SECRET, link("/two"))]);
    site.on(
        "/two",
        [page(&["/two.png".to_owned(), "http://images.example/far.png".to_owned()], Some("/three"))],
    );
    site.on("/two.png", [Reply::Picture]);
    site.on("/far.png", [Reply::Picture]);
    site.on("/three", [link("http://other.example/four")]);
    site.on("/four", [link(&format!("{ORIGIN}/five"))]);
    site.gallery("/five", 1, None);
    site.gallery("/beside", 1, None);

    let trace = [("PIXCRAWLER_LOG", "trace"), ("PIXCRAWLER_SLOTS", "1")];
    let worker = system.worker(&trace).await;
    let job = system.create(&["/warm-up", "/beside"], 100).await;
    let shown = system.until_status(job, "completed").await;
    assert_eq!(shown["kept"], 4, "{shown:#}");
    assert_eq!(sent(&site, "/warm-up"), None);
    assert_eq!(sent(&site, "/one").as_deref(), Some("id=first"));
    for path in ["/two", "/three", "/five"] {
        assert_eq!(site.header(path, "cookie")[0].as_deref(), Some(&*id), "{path}");
    }
    for path in ["/four", "/far.png", "/beside", "/robots.txt"] {
        assert!(site.header(path, "cookie").iter().all(Option::is_none), "{path}");
    }

    let answers = [format!("/api/v1/crawl-jobs/{job}/images"), format!("/api/v1/crawl-jobs/{job}/logs")];
    let mut told = format!("{shown}{}", worker.log());
    assert!(told.contains("DEBUG"), "nothing is logged in detail");
    for answer in answers {
        told.push_str(&system.get(&answer).await.expect(200).text);
    }
    if let Some(at) = told.find(SECRET) {
        panic!("told: …{}", &told[told.floor_char_boundary(at.saturating_sub(500))..at]);
    }
    let open: bool = sqlx::query_scalar(
        "select has_schema_privilege('authenticated', 'pixcrawler', 'usage')
             or has_table_privilege('authenticated', 'pixcrawler.chunk', 'select')",
    )
    .fetch_one(&system.pool)
    .await
    .unwrap();
    assert!(!open, "users can read what the backend keeps");
}

#[tokio::test]
async fn they_survive_the_worker() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    site.on("/one", [setting(SECRET, link("/two"))]);
    site.gallery("/two", 1, None);
    let mut dying = system.worker(&[("PIXCRAWLER_KILL_AT", "after-step:2")]).await;
    let job = system.create(&["/one"], 100).await;
    assert_eq!(dying.exited().await.signal(), Some(Signal::KILL.as_raw()));
    assert!(site.requests("/two").is_empty());

    let _worker = system.worker(&[]).await;
    let shown = system.until_status(job, "completed").await;
    assert_eq!((&shown["kept"], site.requests("/one").len()), (&json!(1), 1), "{shown:#}");
    assert_eq!(site.header("/two", "cookie")[0], Some(format!("id={SECRET}")));
}

/// What an answer brought that is only held in memory is stored with the wait.
#[tokio::test]
async fn they_are_stored_when_a_step_is_put_off() {
    let site = Site::start().await;
    let (system, _plugins) = super::museum(&site, &[("PIXCRAWLER_LONGEST_SLEEP", "0s")]).await;
    let list = super::things(&site, "fox", 1..3);
    site.on("/list?q=fox", [setting(SECRET, Reply::Page(list))]);
    let _worker = system.worker(&[]).await;
    let job = super::create(&system, &super::job(&["fox"])).await;
    let shown = system.until_status(job, "completed").await;
    assert_eq!(shown["kept"], 2, "{shown:#}");
    for path in ["/thing/1", "/thing/2", "/1.png"] {
        assert_eq!(sent(&site, path), Some(format!("id={SECRET}")), "{path}");
    }
}
