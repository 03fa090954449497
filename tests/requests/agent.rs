//! The name that an operator gives a source goes along with its own requests, and with nothing else.

use super::{create, job, museum, things};
use crate::support::site::Site;

#[tokio::test]
async fn a_source_asks_under_its_own_name() {
    let site = Site::start().await;
    let name = "Guest/1.0 (like B, C; +https://example.org/)";
    let setting = format!("webpage=Other/2.0,museum={name}");
    let (system, _plugins) = museum(&site, &[("PIXCRAWLER_USER_AGENTS", &setting)]).await;
    things(&site, "fox", 1..2);
    let _worker = system.worker(&[]).await;
    let id = create(&system, &job(&["fox"])).await;
    system.until_status(id, "completed").await;
    for path in ["/list", "/thing/1"] {
        assert_eq!(site.header(path, "user-agent"), [Some(name.to_owned())], "{path}");
    }
    for path in ["/robots.txt", "/1.png"] {
        let agents = site.header(path, "user-agent");
        let ours = |agent: &Option<String>| agent.as_ref().unwrap().starts_with("PixCrawler/");
        assert!(!agents.is_empty() && agents.iter().all(ours), "{path}: {agents:?}");
    }
}
