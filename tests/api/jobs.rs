//! Creating, showing and ending jobs.

use serde_json::{Value, json};
use sqlx::{PgPool, Row as _};

use super::problem;
use crate::support::api::{Api, User, json as with_body, pointers, send};

fn pandas() -> Value {
    json!({ "name": "Pandas", "keywords": ["red panda", "raccoon"], "sources": ["openverse"], "max_images": 10 })
}

async fn create(user: &User<'_>, body: &Value) -> Value {
    user.post("/api/v1/crawl-jobs/", body).await.expect(201).json()
}

async fn count(pool: &PgPool, table: &str) -> i64 {
    let query = format!("select count(*) from {table}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn a_job_is_created_whole() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let answer = ann.post("/api/v1/crawl-jobs", &pandas()).await.expect(201);
    let job = answer.json();
    let path = format!("/api/v1/crawl-jobs/{}", job["id"]);
    assert_eq!(answer.header("location"), Some(path.as_str()));
    assert_eq!(
        (&job["status"], &job["progress"], &job["total_chunks"]),
        (&json!("pending"), &json!(0), &json!(2))
    );
    assert_eq!(job["keywords"], json!(["red panda", "raccoon"]));
    let chunks: Vec<_> = job["chunks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|chunk| (chunk["keyword"].as_str().unwrap(), chunk["state"].as_str().unwrap(), &chunk["share"]))
        .collect();
    assert_eq!(chunks, [("red panda", "queued", &json!(5)), ("raccoon", "queued", &json!(5))]);

    let mut shown = ann.get(&path).await.expect(200).json();
    for link in ["events_url", "manifest_url"] {
        shown[link] = job[link].clone();
    }
    assert_eq!(shown, job);

    let pool = &api.database.pool;
    let row = sqlx::query(
        "select chunk.image_range, private.run, private.state, job.wanted, log.action, log.metadata, dataset.name, dataset.user_id = job_row.user_id as owned
         from job_chunks chunk join pixcrawler.chunk private using (id) join pixcrawler.job job on job.job_id = private.job_id
         join crawl_jobs job_row on job_row.id = private.job_id join datasets dataset on dataset.id = job_row.dataset_id
         join activity_logs log on log.resource_id = job_row.id::text
         order by chunk.chunk_index desc limit 1",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!(row.get::<Value, _>("image_range"), json!({ "start": 5, "end": 10 }));
    assert_eq!(
        (row.get::<i32, _>("run"), row.get::<&str, _>("state"), row.get::<i32, _>("wanted")),
        (1, "queued", 10)
    );
    assert_eq!((row.get::<&str, _>("action"), row.get::<&str, _>("name")), ("START_CRAWL_JOB", "Pandas"));
    assert!(row.get::<bool, _>("owned"));
    assert_eq!(count(pool, "graphile_worker.jobs").await, 2);
    api.stop().await;
}

#[tokio::test]
async fn chunks_without_a_share_wait_as_reserve() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let mut body = pandas();
    body["max_images"] = json!(1);
    let job = create(&ann, &body).await;
    let states: Vec<_> =
        job["chunks"].as_array().unwrap().iter().map(|chunk| chunk["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["queued", "satisfied"]);
    assert_eq!(count(&api.database.pool, "graphile_worker.jobs").await, 1);
    api.stop().await;
}

#[tokio::test]
async fn every_broken_rule_is_told_and_nothing_is_written() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let body = json!({ "name": "", "keywords": ["\u{0}"], "urls": ["http://127.0.0.1/"], "sources": ["nowhere"], "max": 1 });
    let refused = problem(&ann.post("/api/v1/crawl-jobs/", &body).await, 422, "broken-rules");
    assert_eq!(pointers(&refused), ["/keywords/0", "/max", "/name", "/sources/0", "/urls/0"]);
    for table in ["crawl_jobs", "datasets", "activity_logs", "pixcrawler.chunk", "graphile_worker.jobs"] {
        assert_eq!(count(&api.database.pool, table).await, 0, "{table}");
    }
    api.stop().await;
}

#[tokio::test]
async fn a_job_goes_to_a_dataset_or_project_of_its_user() {
    let api = Api::start().await;
    let (ann, bob) = (api.user("ann@example.org"), api.user("bob@example.org"));
    let first = create(&ann, &pandas()).await;
    let into = |name: &str, id: &Value| {
        let mut body = pandas();
        body[name] = id.clone();
        body
    };
    let second = create(&ann, &into("dataset_id", &first["dataset_id"])).await;
    assert_eq!(second["dataset_id"], first["dataset_id"]);
    let foreign = bob.post("/api/v1/crawl-jobs/", &into("dataset_id", &first["dataset_id"])).await;
    assert_eq!(problem(&foreign, 422, "broken-rules")["errors"][0]["pointer"], "/dataset_id");

    let project: i32 =
        sqlx::query_scalar("insert into projects (name, user_id) values ('Zoo', $1::uuid) returning id")
            .bind(first["user_id"].as_str())
            .fetch_one(&api.database.pool)
            .await
            .unwrap();
    let third = create(&ann, &into("project_id", &json!(project))).await;
    assert_eq!(third["project_id"], project);
    assert_ne!(third["dataset_id"], first["dataset_id"]);
    let foreign = bob.post("/api/v1/crawl-jobs/", &into("project_id", &json!(project))).await;
    assert_eq!(problem(&foreign, 422, "broken-rules")["errors"][0]["pointer"], "/project_id");
    api.stop().await;
}

#[tokio::test]
async fn the_same_key_creates_one_job() {
    let api = Api::start().await;
    let (ann, bob) = (api.user("ann@example.org"), api.user("bob@example.org"));
    let with_key = |user: &User<'_>, key: &str, body: &Value| {
        send(with_body(user.request("POST", "/api/v1/crawl-jobs/").header("idempotency-key", key), body))
    };
    let (body, mut other) = (pandas(), pandas());
    other["name"] = json!("Others");
    // At the same time, as an impatient client does it.
    let answers = futures_util::future::join_all((0..5).map(|_| with_key(&ann, "k1", &body))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 200, 200, 200, 201]);
    assert!(answers.iter().all(|answer| answer.json()["id"] == answers[0].json()["id"]));
    assert_eq!(count(&api.database.pool, "crawl_jobs").await, 1);

    problem(&with_key(&ann, "k1", &other).await, 422, "idempotency-key-reused");
    with_key(&ann, "k2", &body).await.expect(201);
    with_key(&bob, "k1", &body).await.expect(201);
    problem(&with_key(&ann, "", &body).await, 400, "bad-idempotency-key");

    sqlx::query("update pixcrawler.idempotency_key set created_at = now() - interval '25 hours'")
        .execute(&api.database.pool)
        .await
        .unwrap();
    with_key(&ann, "k1", &other).await.expect(201);
    api.stop().await;
}

#[tokio::test]
async fn jobs_are_listed_newest_first_in_pages() {
    let api = Api::start().await;
    let (ann, bob) = (api.user("ann@example.org"), api.user("bob@example.org"));
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(create(&ann, &pandas()).await["id"].clone());
        create(&bob, &pandas()).await;
    }
    ids.reverse();
    let page = async |query: String| {
        let page = ann.get(&format!("/api/v1/crawl-jobs{query}")).await.expect(200).json();
        let ids: Vec<Value> = page["items"].as_array().unwrap().iter().map(|job| job["id"].clone()).collect();
        (ids, page["next"].clone())
    };
    assert_eq!(page(String::new()).await, (ids.clone(), Value::Null));
    assert_eq!(page("?limit=2".to_owned()).await, (ids[..2].to_vec(), ids[1].clone()));
    assert_eq!(page(format!("?limit=2&after={}", ids[1])).await, (ids[2..].to_vec(), Value::Null));
    assert_eq!(page("?status=running".to_owned()).await, (Vec::new(), Value::Null));
    assert_eq!(page("?status=pending&limit=3".to_owned()).await, (ids.clone(), Value::Null));

    // As the original asks.
    assert_eq!(page("?page=1&size=2".to_owned()).await, (ids[..2].to_vec(), ids[1].clone()));
    assert_eq!(page("?page=2&limit=2".to_owned()).await, (ids[2..].to_vec(), Value::Null));
    assert_eq!(page("?page=1000000&size=100".to_owned()).await, (Vec::new(), Value::Null));
    for (query, numbers) in [
        ("", [3, 1, 50, 1]),
        ("?page=2&size=2", [3, 2, 2, 2]),
        ("?limit=1", [3, 1, 1, 3]),
        ("?status=running&size=7", [0, 1, 7, 0]),
    ] {
        let page = ann.get(&format!("/api/v1/crawl-jobs{query}")).await.expect(200).json();
        assert_eq!(
            ["total", "page", "size", "pages"].map(|name| &page[name]),
            numbers.map(Value::from).each_ref()
        );
    }
    api.stop().await;
}

#[tokio::test]
async fn a_job_is_cancelled_retried_and_deleted() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let path = format!("/api/v1/crawl-jobs/{}", create(&ann, &pandas()).await["id"]);
    let act = |method: &str, what: &str| send(ann.request(method, &format!("{path}{what}")));
    problem(&act("POST", "/retry").await, 409, "wrong-status");
    for stopped in [2, 0] {
        let cancelled = act("POST", "/cancel").await.expect(200).json();
        assert_eq!(
            (&cancelled["status"], &cancelled["revoked_tasks"]),
            (&json!("cancelled"), &json!(stopped))
        );
        assert_eq!(cancelled["job_id"], cancelled["id"]);
        assert!(cancelled["message"].as_str().unwrap().contains("cancelled"), "{cancelled}");
    }
    assert_eq!(act("POST", "/retry").await.expect(200).json()["status"], "pending");
    sqlx::query("update crawl_jobs set status = 'completed'").execute(&api.database.pool).await.unwrap();
    let refused = problem(&act("POST", "/cancel").await, 409, "wrong-status");
    assert_eq!(refused["detail"], "A completed job cannot be cancelled.");
    let log = ann.get(&format!("{path}/logs")).await.expect(200).json();
    let actions: Vec<_> =
        log["items"].as_array().unwrap().iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!((actions.first(), actions.last()), (Some(&"CANCEL_CRAWL_JOB"), Some(&"START_CRAWL_JOB")));
    let page = ann.get(&format!("{path}/logs?limit=1")).await.expect(200).json();
    assert_eq!(page["next"], log["items"][0]["id"]);
    act("DELETE", "").await.expect(204);
    problem(&act("DELETE", "").await, 404, "not-found");
    assert_eq!(count(&api.database.pool, "pixcrawler.chunk").await, 0);
    api.stop().await;
}

#[tokio::test]
async fn what_belongs_to_someone_else_is_not_there() {
    let api = Api::start().await;
    let (ann, bob) = (api.user("ann@example.org"), api.user("bob@example.org"));
    let job = create(&ann, &pandas()).await["id"].clone();
    let image: i32 = sqlx::query_scalar(
        "insert into images (crawl_job_id, original_url, filename) select id, 'https://example.org/a.jpg', 'a.jpg' from crawl_jobs returning id",
    )
    .fetch_one(&api.database.pool)
    .await
    .unwrap();
    let image = json!(image);
    for (method, kind, id, what) in [
        ("GET", "crawl-jobs", &job, ""),
        ("DELETE", "crawl-jobs", &job, ""),
        ("POST", "crawl-jobs", &job, "/cancel"),
        ("POST", "crawl-jobs", &job, "/retry"),
        ("GET", "crawl-jobs", &job, "/events"),
        ("GET", "crawl-jobs", &job, "/images"),
        ("GET", "crawl-jobs", &job, "/logs"),
        ("GET", "images", &image, "/file"),
        ("GET", "images", &image, "/thumbnail"),
    ] {
        let call = |id: &Value| send(bob.request(method, &format!("/api/v1/{kind}/{id}{what}")));
        let foreign = problem(&call(id).await, 404, "not-found");
        // Nothing tells a foreign id from one that never was.
        let never = problem(&call(&json!(99_999)).await, 404, "not-found");
        assert_eq!(foreign["detail"], never["detail"], "{method} {kind} {what}");
    }
    ann.get(&format!("/api/v1/crawl-jobs/{job}")).await.expect(200);
    api.stop().await;
}
