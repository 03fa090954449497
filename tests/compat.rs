//! What the original's frontend and SDK call: jobs and datasets under their other names. A client that
//! reads JSON of every answer gets JSON.

use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::support::{
    api::{Answer, Api, User, json as with_body, pointers, send},
    site::PATIENCE,
};

async fn act(user: &User<'_>, method: &str, path: &str) -> Answer {
    send(user.request(method, path)).await
}

/// The names of an object's fields, sorted.
fn fields(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn jobs_have_another_name() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let dataset = ann.post("/api/v1/datasets", &json!({ "name": "Foxes" })).await.expect(201).json();
    let jobs = format!("/api/v1/jobs/datasets/{}/jobs", dataset["id"]);
    for (body, expect) in [
        (json!({ "keywords": [], "sources": ["altavista"] }), vec!["/keywords", "/name", "/sources/0"]),
        (
            json!({ "name": "a", "keywords": ["a"], "dataset_id": 7, "sources": "google" }),
            vec!["/dataset_id", "/sources"],
        ),
        (json!({ "name": "a", "keywords": ["a"], "sources": ["webpage"] }), vec![]),
    ] {
        let answer = ann.post(&jobs, &body).await;
        if expect.is_empty() {
            // It takes addresses only.
            let job = answer.expect(201).json();
            assert_eq!(job["sources"], json!(["openverse"]));
            act(&ann, "DELETE", &format!("/api/v1/jobs/{}", job["id"])).await.expect(200);
        } else {
            assert_eq!(pointers(&answer.expect(422).json()), expect);
        }
    }
    let body = json!({ "name": "Foxes", "keywords": ["fox", "cub"], "max_images": 10, "sources": ["bing", "openverse"] });
    let made = ann.post(&jobs, &body).await.expect(201).json();
    assert_eq!((&made["dataset_id"], &made["sources"]), (&dataset["id"], &json!(["openverse"])));
    let said = made["message"].as_str().unwrap();
    for part in
        ["`bing` cannot be asked now (not granted: ", "; pictures are looked for at `openverse` instead."]
    {
        assert!(said.contains(part), "{said}");
    }
    let id = made["id"].as_i64().unwrap();
    let path = format!("/api/v1/jobs/{id}");

    // All that it has under our name, it has here.
    let ours = format!("/api/v1/crawl-jobs/{id}");
    let alike = async |what: &str| {
        let (mut ours, mut theirs) =
            (ann.get(&format!("{ours}{what}")).await.json(), ann.get(&format!("{path}{what}")).await.json());
        for link in ["events_url", "manifest_url"] {
            for answer in [&mut ours, &mut theirs] {
                if let Some(answer) = answer.as_object_mut() {
                    answer.remove(link);
                }
            }
        }
        assert_eq!(theirs, ours, "{what}");
    };
    alike("").await;
    alike("/images?verdict=kept").await;
    assert_eq!(ann.get(&format!("{path}/manifest")).await.expect(200).text, "");
    let events = ann.request("GET", &format!("{path}/events")).send().await.unwrap();
    assert_eq!(events.headers()["content-type"], "text/event-stream");
    let first = tokio::time::timeout(PATIENCE, events.bytes_stream().next()).await.unwrap().unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains(&format!("\"id\":{id}")));

    let started = act(&ann, "POST", &format!("{path}/start")).await.expect(200).json();
    assert_eq!(
        started,
        json!({
            "job_id": id, "status": "pending", "task_ids": [], "total_chunks": 2, "message": "The job is under way."
        })
    );
    let again = ann.post("/api/v1/jobs/start", &json!({ "datasetId": dataset["id"] })).await;
    assert_eq!(again.expect(200).json(), started);
    let progress = ann.get(&format!("{path}/progress")).await.expect(200).json();
    assert_eq!(
        fields(&progress),
        [
            "active_chunks",
            "completed_chunks",
            "downloaded_images",
            "estimated_completion",
            "failed_chunks",
            "job_id",
            "progress",
            "started_at",
            "status",
            "total_chunks",
            "updated_at"
        ]
    );
    assert_eq!((&progress["total_chunks"], &progress["estimated_completion"]), (&json!(2), &Value::Null));

    let cancelled = act(&ann, "POST", &format!("{path}/cancel")).await.expect(200).json();
    assert_eq!(
        cancelled,
        json!({ "job_id": id, "status": "cancelled", "revoked_tasks": 2, "message": "The job is cancelled." })
    );
    let again = act(&ann, "POST", &format!("{path}/cancel")).await.expect(200).json();
    assert_eq!((&again["revoked_tasks"], &again["status"]), (&json!(0), &json!("cancelled")));
    assert_eq!(act(&ann, "POST", &format!("{path}/start")).await.expect(409).json()["code"], "wrong-status");
    let log = ann.get(&format!("{path}/logs")).await.expect(200).json();
    let actions: Vec<_> = log.as_array().unwrap().iter().map(|entry| entry["action"].clone()).collect();
    assert_eq!(actions, ["CANCEL_CRAWL_JOB", "START_CRAWL_JOB"]);
    assert_eq!(fields(&log[1]), ["action", "metadata", "timestamp"]);
    assert_eq!(act(&ann, "POST", &format!("{path}/retry")).await.expect(200).json()["status"], "pending");

    // A list of all, or of one dataset.
    let other = ann.create(&json!({ "name": "a", "keywords": ["a"], "sources": ["openverse"] })).await;
    let list = async |query: &str| {
        let page = ann.get(&format!("/api/v1/jobs{query}")).await.expect(200).json();
        assert_eq!(fields(&page), ["items", "next", "page", "pages", "size", "total"]);
        let ids: Vec<_> = page["items"].as_array().unwrap().iter().map(|job| job["id"].clone()).collect();
        (json!(ids), page["total"].clone())
    };
    assert_eq!(list("").await, (json!([other, id]), json!(2)));
    assert_eq!(list("?page=2&size=1").await, (json!([id]), json!(2)));
    assert_eq!(list(&format!("?dataset_id={}", dataset["id"])).await, (json!([id]), json!(1)));
    ann.get("/api/v1/jobs?datasetId=1").await.expect(422);

    assert_eq!(act(&ann, "DELETE", &path).await.expect(200).json(), json!({ "data": null }));
    act(&ann, "DELETE", &path).await.expect(404);
    act(&ann, "GET", "/api/v1/jobs/start").await.expect(405);
    api.stop().await;
}

#[tokio::test]
async fn a_dataset_is_started_by_its_id() {
    let api = Api::start().await;
    let (ann, bob) = (api.user("ann@example.org"), api.user("bob@example.org"));
    let body = json!({ "name": "Foxes", "keywords": ["fox"], "search_engines": ["duckduckgo"] });
    let dataset = ann.post("/api/v1/datasets", &body).await.expect(201).json();
    let start = async |user: &User<'_>, body: Value| user.post("/api/v1/jobs/start", &body).await;
    let started = start(&ann, json!({ "datasetId": dataset["id"] })).await.expect(200).json();
    let said = started["message"].as_str().unwrap();
    for part in [
        "`duckduckgo` cannot be asked now (not granted: ",
        "; pictures are looked for at `openverse` instead.",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let again = start(&ann, json!({ "datasetId": dataset["id"] })).await.expect(200).json();
    assert_eq!(again["job_id"], started["job_id"]);
    start(&bob, json!({ "datasetId": dataset["id"] })).await.expect(404);
    for (body, expect) in [
        (json!({}), vec!["/datasetId"]),
        (json!({ "datasetId": "1" }), vec!["/datasetId"]),
        (json!({ "datasetId": 1, "dataset": 1 }), vec!["/dataset"]),
    ] {
        assert_eq!(pointers(&start(&ann, body).await.expect(422).json()), expect);
    }
    api.stop().await;
}

#[tokio::test]
async fn datasets_lie_below_their_projects() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let project =
        async |name: &str| ann.post("/api/v1/projects", &json!({ "name": name })).await.json()["id"].clone();
    let (zoo, farm) = (project("Zoo").await, project("Farm").await);
    let within = |project: &Value| format!("/api/v1/projects/{project}/datasets");
    let made =
        ann.post(&within(&zoo), &json!({ "name": "Foxes", "keywords": ["fox"] })).await.expect(201).json();
    assert_eq!(made["project_id"], zoo);
    let told = ann.post(&within(&zoo), &json!({ "name": "a", "project_id": farm })).await.expect(422).json();
    assert_eq!(pointers(&told), ["/project_id"]);
    ann.post(&within(&json!(99_999)), &json!({ "name": "a" })).await.expect(404);

    let (here, there) =
        (format!("{}/{}", within(&zoo), made["id"]), format!("{}/{}", within(&farm), made["id"]));
    assert_eq!(ann.get(&here).await.expect(200).json(), made);
    let change = json!({ "name": "Vixens" });
    let patch = async |path: &str| send(with_body(ann.request("PATCH", path), &change)).await;
    assert_eq!(patch(&here).await.expect(200).json()["name"], "Vixens");
    patch(&there).await.expect(404);
    for method in ["GET", "DELETE"] {
        act(&ann, method, &there).await.expect(404);
    }
    let list = ann.get(&within(&zoo)).await.expect(200).json();
    assert_eq!((&list["items"][0]["id"], &list["total"]), (&made["id"], &json!(1)));
    assert_eq!(ann.get(&within(&farm)).await.expect(200).json()["total"], 0);

    // Two more of the original's names.
    let own = format!("/api/v1/datasets/{}", made["id"]);
    let put =
        send(with_body(ann.request("PUT", &own), &json!({ "description": "Red" }))).await.expect(200).json();
    assert_eq!((&put["name"], &put["description"]), (&json!("Vixens"), &json!("Red")));
    assert_eq!(ann.get(&format!("{own}/status")).await.expect(200).json(), put);
    assert_eq!(act(&ann, "DELETE", &here).await.expect(200).json(), json!({ "data": null }));
    act(&ann, "GET", &own).await.expect(404);
    api.stop().await;
}
