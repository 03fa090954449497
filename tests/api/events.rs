//! Following a job.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::problem;
use crate::support::{
    api::{Api, User, send},
    events::Events,
};

async fn create(user: &User<'_>) -> Value {
    let body = json!({ "name": "Pandas", "keywords": ["red panda"], "max_images": 5 });
    user.post("/api/v1/crawl-jobs/", &body).await.expect(201).json()
}

async fn change(api: &Api, statement: &'static str) {
    sqlx::raw_sql(statement).execute(&api.database.pool).await.unwrap();
}

#[tokio::test]
async fn a_snapshot_then_every_change_then_the_end() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let job = create(&ann).await;
    let mut events = Events::open(api.request("GET", job["events_url"].as_str().unwrap())).await;
    let (id, snapshot) = events.next().await.unwrap();
    assert_eq!((id, &snapshot["status"]), (job["revision"].to_string(), &json!("pending")));

    let began = Instant::now();
    change(&api, "update crawl_jobs set status = 'running'; select pg_notify('pixcrawler', 'job:' || id) from crawl_jobs").await;
    let (id, running) = events.next().await.unwrap();
    assert_eq!((id, &running["status"]), (running["revision"].to_string(), &json!("running")));
    assert!(began.elapsed() < Duration::from_secs(1), "the notice came late: {:?}", began.elapsed());

    // A lost notice heals.
    change(&api, "update crawl_jobs set valid_images = 3").await;
    assert_eq!(events.next().await.unwrap().1["kept"], 3);

    let path = format!("/api/v1/crawl-jobs/{}", job["id"]);
    send(ann.request("POST", &format!("{path}/cancel"))).await.expect(200);
    let (last, over) = events.next().await.unwrap();
    assert_eq!(over["status"], "cancelled");
    assert!(events.next().await.is_none());

    // A browser comes back by itself, until it is told that there is no more.
    let again = || ann.request("GET", &format!("{path}/events"));
    send(again().header("last-event-id", &last)).await.expect(204);
    let mut events = Events::open(again().header("last-event-id", "0")).await;
    assert_eq!(events.next().await.unwrap().1["status"], "cancelled");
    assert!(events.next().await.is_none());
    api.stop().await;
}

#[tokio::test]
async fn a_deleted_job_ends_its_events() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let job = create(&ann).await;
    let mut events = Events::open(api.request("GET", job["events_url"].as_str().unwrap())).await;
    events.next().await.unwrap();
    change(&api, "delete from crawl_jobs").await;
    assert!(events.next().await.is_none());
    api.stop().await;
}

#[tokio::test]
async fn events_end_with_the_token() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let job = create(&ann).await;
    let token = api.app.auth.issuer().unwrap().issue("ann@example.org", Duration::from_secs(2)).unwrap();
    let path = format!("/api/v1/crawl-jobs/{}/events", job["id"]);
    let mut events = Events::open(api.request("GET", &path).bearer_auth(token)).await;
    events.next().await.unwrap();
    assert!(events.next().await.is_none());
    api.stop().await;
}

#[tokio::test]
async fn a_link_is_for_one_job() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let (first, second) = (create(&ann).await, create(&ann).await);
    let (_, query) = first["events_url"].as_str().unwrap().split_once('?').unwrap();
    let path = format!("/api/v1/crawl-jobs/{}/events", second["id"]);
    problem(&api.get(&format!("{path}?{query}")).await, 401, "unauthorized");
    problem(&api.get(&path).await, 401, "unauthorized");
    api.stop().await;
}
