//! Following a job.

use serde_json::{Value, json};

use super::problem;
use crate::support::{
    api::{Api, User, send},
    database,
    events::Events,
    process::System,
    site::Site,
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

    change(&api, "update crawl_jobs set status = 'running'; select pg_notify('pixcrawler', 'job:' || id) from crawl_jobs").await;
    let (id, running) = events.next().await.unwrap();
    assert_eq!((id, &running["status"]), (running["revision"].to_string(), &json!("running")));

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

/// Nobody waits for the next look at the database where a change is told.
#[tokio::test]
async fn a_notice_brings_a_change() {
    let log = ("PIXCRAWLER_LOG", "info,pixcrawler::api::events=debug");
    let system = System::with(&Site::start().await, database().await, &[log]).await;
    let job = system.create(&["/gallery"], 5).await;
    let url = format!("http://{}/api/v1/crawl-jobs/{job}/events", system.door().address());
    let mut events = Events::open(reqwest::Client::new().get(url).bearer_auth(system.token())).await;
    events.next().await.unwrap();
    let mut noticed = false;
    // A look may be first by chance, but not every time.
    for kept in 1..=10 {
        let change =
            "update crawl_jobs set valid_images = $1 returning pg_notify('pixcrawler', 'job:' || id)";
        sqlx::query(change).bind(kept).execute(&system.pool).await.unwrap();
        assert_eq!(events.next().await.unwrap().1["kept"], kept);
        system.door().logged_nth("change-followed", usize::try_from(kept).unwrap()).await;
        noticed = noticed || system.door().lines("change-followed").last().unwrap()["noticed"] == true;
        if noticed {
            break;
        }
    }
    assert!(noticed, "only a look at the database brings changes");
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
