//! The pages about codes, where the `type` of a problem leads.

use pixcrawler::model::{Refusal, RefusalHelp};
use serde_json::{Value, json};

use super::problem;
use crate::support::api::{Answer, Api, json as with_body, send};

#[tokio::test]
async fn every_code_has_a_page() {
    let api = Api::start().await;
    let as_browser = async |path: &str| {
        let accept = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        send(api.request("GET", path).header("accept", accept)).await
    };
    for list in ["/problems", "/refusals"] {
        let pages = api.get(list).await.expect(200).json();
        let pages = pages["items"].as_array().unwrap().clone();
        let all = as_browser(list).await.expect(200);
        assert_eq!(all.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(pages.len() > 20, "{pages:?}");
        for page in pages {
            let code = page["code"].as_str().unwrap();
            let path = format!("{list}/{code}");
            assert_eq!(api.get(&path).await.expect(200).json(), page);
            let html = as_browser(&path).await.expect(200).text;
            assert!(html.contains(&format!("<h1>{code}</h1>")) && html.contains("<p>"), "{html}");
            assert!(all.text.contains(&format!("<a href=\"{path}\">{code}</a>")), "{path}");
            for text in ["meaning", "what_to_do"] {
                assert!(page[text].as_str().unwrap().len() > 10, "{page}");
            }
        }
        problem(&api.get(&format!("{list}/banana")).await, 404, "not-found");
        send(api.request("HEAD", list)).await.expect(200);
    }
    api.stop().await;
}

#[tokio::test]
async fn the_type_of_a_problem_leads_to_its_page() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let key = || ann.request("POST", "/api/v1/crawl-jobs").header("idempotency-key", "ü");
    let answers: [Answer; 7] = [
        api.get("/api/v1/crawl-jobs").await,
        api.get("/nowhere").await,
        ann.get("/api/v1/crawl-jobs?limit=0").await,
        ann.post("/api/v1/crawl-jobs", &json!({})).await,
        send(key().body("{}")).await,
        send(with_body(ann.request("PUT", "/api/v1/crawl-jobs"), &json!({}))).await,
        ann.post("/api/v1/sources/google/preview", &json!({ "text": "fox" })).await,
    ];
    for answer in answers {
        let told = answer.json();
        let page = api.get(told["type"].as_str().unwrap()).await.expect(200).json();
        for field in ["code", "status", "title"] {
            assert_eq!(page[field], told[field], "{told}");
        }
        assert_eq!(u64::from(answer.status), told["status"].as_u64().unwrap());
    }
    api.stop().await;
}

/// The document says where the pages are, and the README has what those of refusals say.
#[test]
fn the_readme_has_every_code_of_a_refusal() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let rows = Refusal::ALL.map(|refusal| {
        let (RefusalHelp { meaning, advice }, again) = (refusal.help(), refusal.tried_again());
        format!("| `{}` | {meaning} | {advice} | {again} |\n", refusal.code())
    });
    assert!(readme.contains(&rows.concat()), "README.md must have this table:\n{}", rows.concat());
    let document: Value = serde_json::from_str(&pixcrawler::api::document()).unwrap();
    let description = document["info"]["description"].as_str().unwrap();
    assert!(description.contains("`/problems`") && description.contains("`/refusals`"));
}
