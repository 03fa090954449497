//! The report of a dataset, by a judge of HTML and in a browser.

use std::path::Path;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    command_line,
    openapi::browser,
    run,
    support::{
        postgres::{self, execute},
        site::{ORIGIN, Reply, Site, enlarged, page},
    },
    text, tools,
};

/// It is sound HTML, it asks for nothing, nothing complains, and it fits on a telephone.
#[tokio::test]
async fn a_browser_shows_the_report() {
    let site = Site::start().await;
    let mut pictures = site.gallery("/cats", 30, None);
    for times in [2, 3] {
        let path = format!("/cats/large-{times}.png");
        site.on(&path, [Reply::Bytes(enlarged("/cats/0.png", times).into())]);
        pictures.push(path);
    }
    pictures.push("/cats/gone.png".to_owned());
    site.on("/cats", [page(&pictures, None)]);
    let (database, data) = (postgres::database().await, postgres::data_dir());
    let command = async |arguments: &[&str]| command_line(&site, &database, &data, arguments).await;
    command(&["crawl", &format!("cat={ORIGIN}/cats"), "--out", "out"]).await;
    execute(
        &database.pool,
        "update images set title = '<img src=https://x.example onerror=alert(1)>', license = 'cc-by-4.0' where id % 2 = 0;
         update images set labels = '[\"a label that is as long as one may be, without an end and without a place to break it: \
         aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]' where id % 5 = 0",
    )
    .await;
    let listed: Value = serde_json::from_str(&command(&["dataset", "list", "--json"]).await).unwrap();
    let id = listed["datasets"][0]["id"].to_string();
    command(&["dataset", "report", &id, "--out", "report.html"]).await;
    let report = data.path().join("report.html").to_string_lossy().into_owned();

    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/strangers/html-validate.json");
    let judged = run("html-validate", &["--config", &rules.to_string_lossy(), &report], data.path()).await;
    assert!(judged.status.success(), "{}", text(&judged));

    let seen = Command::new("node")
        .arg(tools().join("report.mjs"))
        .arg(browser())
        .arg(&report)
        .current_dir(tools())
        .output()
        .await
        .unwrap();
    assert!(seen.status.success(), "{}", text(&seen));
    let seen: Value = serde_json::from_slice(&seen.stdout).unwrap();
    assert_eq!(seen["complaints"], json!([]), "{seen:#}");
    let asked = seen["asked"].as_array().unwrap();
    assert!(asked.iter().all(|address| address.as_str().unwrap().ends_with("/report")), "{asked:?}");
    for view in seen["views"].as_array().unwrap() {
        assert!(view["images"].as_u64().unwrap() > 25, "{view}");
        assert_eq!((&view["broken"], &view["overflow"]), (&json!(0), &json!(0)), "{view}");
        let headings: Vec<u64> =
            view["headings"].as_array().unwrap().iter().map(|level| level.as_u64().unwrap()).collect();
        assert!(headings[0] == 1 && headings.windows(2).all(|pair| pair[1] <= pair[0] + 1), "{headings:?}");
    }
}
