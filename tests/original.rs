//! The original's calls as its client makes them: with a bearer token, with and without the slash at the
//! end, and whatever comes is read as JSON, but for an archive.

use serde_json::{Value, json};

use crate::support::{
    api::{Api, User, json as with_body, send},
    postgres::execute,
};

/// A call and what must come of it.
struct Call {
    method: &'static str,
    /// Below `/api/v1`; names in braces stand for ids.
    path: &'static str,
    body: Value,
    status: u16,
    /// What the answer must hold, see [`check`].
    answer: Value,
}

/// What the paths name.
struct Ids {
    project: i64,
    job: i64,
    notification: i64,
    dataset: i64,
}

/// The calls; those that end something come last.
fn calls() -> Vec<Call> {
    let call = |method, path, body, status, answer| Call { method, path, body, status, answer };
    let profile = json!({
        "id": "<uuid>", "email": "ann@example.org", "full_name": "<text?>", "avatar_url": "<text?>", "role": "user",
        "is_active": true, "onboarding_completed": false, "created_at": "<time>", "updated_at": "<time>",
    });
    let job = json!({
        "id": "{job}", "project_id": "{project}", "name": "Pandas", "keywords": ["red panda"], "max_images": 100,
        "search_engine": "<text>", "status": "pending", "progress": 0, "total_images": 0, "downloaded_images": 0,
        "valid_images": 0, "config": {}, "created_at": "<time>", "updated_at": "<time>", "started_at": null,
        "completed_at": null,
    });
    let new_job = json!({
        "project_id": "{project}", "name": "Pandas", "keywords": ["red panda"], "max_images": 100,
        "search_engine": "duckduckgo", "config": {},
    });
    let mut created = job.clone();
    created["id"] = json!("<number>");
    let notification = json!({
        "id": "{notification}", "user_id": "<uuid>", "type": "info", "category": null, "title": "a", "message": "b",
        "icon": null, "color": null, "action_url": null, "action_label": null, "metadata": null, "is_read": false,
        "read_at": null, "created_at": "<time>",
    });
    let entry = json!({
        "id": "<number>", "user_id": "<uuid>", "action": "<text>", "resource_type": "<text>", "resource_id": "<text>",
        "metadata": "<object>", "timestamp": "<time>",
    });
    let component = json!({ "status": "healthy", "message": "<text>" });
    let flow = json!({ "keywords": ["red panda"], "max_images": 20, "engines": ["duckduckgo"], "output_name": "first" });
    let flow_status = json!({
        "flow_id": "<text>", "status": "pending", "progress": 0, "downloaded_images": 0, "total_tasks": "<number>",
        "completed_tasks": 0, "keywords": ["red panda"], "engines": ["<text>"], "output_path": "<text>",
        "started_at": null, "completed_at": null, "error_message": null,
    });
    vec![
        call(
            "GET",
            "/health",
            Value::Null,
            200,
            json!({
                "service": "pixcrawler", "status": "healthy", "timestamp": "<time>", "version": "<text>",
                "environment": "<text>",
            }),
        ),
        call(
            "GET",
            "/health/detailed",
            Value::Null,
            200,
            json!({
                "status": "healthy", "timestamp": "<time>", "version": "<text>", "environment": "<text>",
                "components": { "database": component, "queue": component, "store": component, "plugins": component },
            }),
        ),
        call("GET", "/auth/me", Value::Null, 200, profile.clone()),
        call(
            "POST",
            "/auth/verify-token",
            Value::Null,
            200,
            json!({
                "valid": true, "user": { "id": "<uuid>", "email": "ann@example.org", "profile": profile },
            }),
        ),
        call(
            "POST",
            "/auth/sync-profile",
            Value::Null,
            200,
            json!({
                "message": "User profile updated successfully",
            }),
        ),
        call("POST", "/crawl-jobs", new_job, 201, created),
        call(
            "POST",
            "/tokens/generate",
            Value::Null,
            201,
            json!({ "token": "<text>", "token_type": "service", "expires_at": "<time>", "created_at": "<time>" }),
        ),
        call("POST", "/crawl-jobs", json!({}), 422, json!({ "detail": "<text>" })),
        call(
            "POST",
            "/crawl-jobs",
            json!({ "name": "", "keywords": [], "max_images": 0 }),
            422,
            json!({
                "detail": "<text>",
            }),
        ),
        call(
            "GET",
            "/crawl-jobs",
            Value::Null,
            200,
            json!({
                "items": [{ "id": "<number>", "status": "<text>" }], "total": "<number>", "page": 1, "size": 50, "pages": 1,
            }),
        ),
        call(
            "GET",
            "/crawl-jobs?page=2&size=1",
            Value::Null,
            200,
            json!({
                "items": "<list>", "total": "<number>", "page": 2, "size": 1, "pages": "<number>",
            }),
        ),
        call("GET", "/crawl-jobs/{job}", Value::Null, 200, job),
        call("GET", "/crawl-jobs/999999", Value::Null, 404, json!({ "detail": "<text>" })),
        call(
            "GET",
            "/notifications",
            Value::Null,
            200,
            json!({
                "data": [notification], "meta": { "total": 1, "skip": 0, "limit": 50 },
            }),
        ),
        call(
            "GET",
            "/notifications?skip=0&limit=10&unread_only=true",
            Value::Null,
            200,
            json!({
                "data": [notification], "meta": { "total": 1, "skip": 0, "limit": 10 },
            }),
        ),
        call(
            "PATCH",
            "/notifications/{notification}",
            json!({ "is_read": true }),
            200,
            json!({
                "data": { "id": "{notification}", "is_read": true },
            }),
        ),
        call(
            "PATCH",
            "/notifications/999999",
            json!({ "is_read": true }),
            404,
            json!({ "detail": "<text>" }),
        ),
        call(
            "POST",
            "/notifications/mark-all-read",
            Value::Null,
            200,
            json!({
                "data": { "success": true, "count": 0 },
            }),
        ),
        call(
            "GET",
            "/activity",
            Value::Null,
            200,
            json!({
                "data": [entry], "meta": { "total": "<number>", "skip": 0, "limit": 50 },
            }),
        ),
        call(
            "GET",
            "/activity?resource_type=crawl_job&limit=1&skip=0",
            Value::Null,
            200,
            json!({
                "data": [{ "action": "START_CRAWL_JOB", "resource_type": "crawl_job" }], "meta": { "skip": 0, "limit": 1 },
            }),
        ),
        call(
            "GET",
            "/dashboard/stats",
            Value::Null,
            200,
            json!({
                "total_projects": 1, "active_jobs": 2, "total_datasets": 2, "total_images": 0, "storage_used": "0.00 GB",
                "processing_speed": "0/min", "credits_remaining": 100,
            }),
        ),
        call(
            "POST",
            "/simple-flow/start",
            flow,
            201,
            json!({
                "flow_id": "<text>", "status": "pending", "message": "<text>", "output_path": "<text>", "task_count": 1,
            }),
        ),
        call(
            "POST",
            "/simple-flow/start",
            json!({ "keywords": [], "max_images": 5000, "engines": ["yahoo"] }),
            422,
            json!({
                "detail": "<text>",
            }),
        ),
        call("GET", "/simple-flow/{flow}/status", Value::Null, 200, json!({ "flow_id": "{flow}" })),
        call("GET", "/simple-flow/flow_0badcafe/status", Value::Null, 404, json!({ "detail": "<text>" })),
        call("GET", "/simple-flow/{flow}/result", Value::Null, 409, json!({ "detail": "<text>" })),
        call("GET", "/simple-flow", Value::Null, 200, json!([flow_status])),
        call(
            "POST",
            "/projects",
            json!({ "name": "Bears", "description": "all" }),
            201,
            json!({
                "id": "<number>", "name": "Bears", "description": "all", "user_id": "<uuid>", "status": "active",
                "created_at": "<time>", "updated_at": "<time>",
            }),
        ),
        call(
            "GET",
            "/projects",
            Value::Null,
            200,
            json!({
                "data": [{ "id": "<number>", "name": "<text>", "status": "active" }], "meta": { "total": 2 },
            }),
        ),
        call("GET", "/projects/{project}", Value::Null, 200, json!({ "id": "{project}", "name": "p" })),
        call("GET", "/projects/999999", Value::Null, 404, json!({ "detail": "<text>" })),
        call(
            "GET",
            "/projects/{project}/datasets",
            Value::Null,
            200,
            json!({
                "items": [{ "project_id": "{project}", "name": "Pandas" }], "total": 2, "page": 1, "size": 50, "pages": 1,
            }),
        ),
        call(
            "POST",
            "/batch/projects/batch-delete",
            json!({ "ids": [999_999] }),
            200,
            json!({
                "deleted_count": 0, "failed_ids": [999_999],
            }),
        ),
        call(
            "GET",
            "/datasets",
            Value::Null,
            200,
            json!({
                "items": "<list>", "total": 3, "page": 1, "size": 50, "pages": 1,
            }),
        ),
        // As its SDK asks, from here on.
        call(
            "GET",
            "/datasets?project_id={project}&page=1&size=50",
            Value::Null,
            200,
            json!({
                "items": [{ "id": "<number>", "name": "Pandas", "project_id": "{project}" }], "total": 2,
            }),
        ),
        call(
            "GET",
            "/datasets/{dataset}",
            Value::Null,
            200,
            json!({
                "id": "{dataset}", "name": "Pandas", "total_images": 0, "size_mb": 0.0,
            }),
        ),
        call("GET", "/datasets/{dataset}/export/json", Value::Null, 200, json!([])),
        call("GET", "/datasets/999999/export/json", Value::Null, 404, json!({ "detail": "<text>" })),
        call("GET", "/datasets/{dataset}/export/zip", Value::Null, 200, json!("<archive>")),
        call("GET", "/datasets/999999/export/zip", Value::Null, 404, json!({ "detail": "<text>" })),
        call(
            "GET",
            "/jobs",
            Value::Null,
            200,
            json!({
                "items": "<list>", "total": 3, "page": 1, "size": 50, "pages": 1,
            }),
        ),
        call("GET", "/jobs/{job}", Value::Null, 200, json!({ "id": "{job}", "status": "pending" })),
        call("DELETE", "/notifications/{notification}", Value::Null, 200, json!({ "success": true })),
        call(
            "POST",
            "/crawl-jobs/{job}/cancel",
            Value::Null,
            200,
            json!({
                "message": "<text>", "job_id": "{job}", "status": "cancelled", "revoked_tasks": 1,
            }),
        ),
        call("POST", "/crawl-jobs/{job}/cancel", Value::Null, 200, json!({ "revoked_tasks": 0 })),
        call(
            "GET",
            "/simple-flow/{flow}/result",
            Value::Null,
            200,
            json!({
                "flow_id": "{flow}", "status": "cancelled", "total_downloaded": 0, "output_path": "<text>",
                "total_size_bytes": 0, "total_size_mb": 0.0, "processing_time": "<number>", "file_list": [],
                "keywords": ["red panda"], "engines": ["<text>"], "error_message": null,
            }),
        ),
        call("DELETE", "/projects/{project}", Value::Null, 200, json!({ "data": null })),
        call("GET", "/jobs/{job}", Value::Null, 404, json!({ "detail": "<text>" })),
    ]
}

/// Whether `answer` holds what is `expected`: of an object these fields, of a list as many elements as there
/// are or, with one expected, each; `<text>`, `<archive>`, `<number>`, `<time>`, `<uuid>`, `<object>` and `<list>` stand for
/// any of that, with `?` also for null.
fn check(answer: &Value, expected: &Value, place: &str) -> Result<(), String> {
    let wrong = || Err(format!("{place} is {answer}, not {expected}"));
    match (answer, expected) {
        (Value::Object(fields), Value::Object(wanted)) if !wanted.is_empty() => {
            for (name, expected) in wanted {
                let Some(field) = fields.get(name) else { return Err(format!("{place}.{name} is missing")) };
                check(field, expected, &format!("{place}.{name}"))?;
            }
            Ok(())
        }
        (Value::Array(items), Value::Array(wanted)) if wanted.len() == 1 => {
            if items.is_empty() {
                return wrong();
            }
            items.iter().try_for_each(|item| check(item, &wanted[0], &format!("{place}[]")))
        }
        (_, Value::String(kind)) if kind.starts_with('<') => {
            let text = answer.as_str();
            let fits = match kind.trim_matches(['<', '>', '?']) {
                "text" => text.is_some_and(|text| !text.is_empty()),
                "archive" => text.is_some_and(|text| text.starts_with("PK\x03\x04")),
                "time" => text.is_some_and(|text| chrono::DateTime::parse_from_rfc3339(text).is_ok()),
                "uuid" => text.is_some_and(|text| text.parse::<uuid::Uuid>().is_ok()),
                "number" => answer.is_number(),
                "object" => answer.is_object(),
                "list" => answer.is_array(),
                other => panic!("<{other}> is no type"),
            };
            if fits || kind.ends_with("?>") && answer.is_null() { Ok(()) } else { wrong() }
        }
        _ if answer == expected => Ok(()),
        _ => wrong(),
    }
}

impl Ids {
    async fn make(api: &Api, ann: &User<'_>) -> Self {
        let insert = async |rows: &'static str| -> i64 {
            sqlx::query_scalar(rows).fetch_one(&api.database.pool).await.unwrap()
        };
        let project =
            insert("insert into projects (name, user_id) select 'p', id from profiles returning id::bigint")
                .await;
        let notification = insert(
            "insert into notifications (user_id, type, title, message) select id, 'info', 'a', 'b' from profiles
             returning id::bigint",
        )
        .await;
        let body =
            json!({ "project_id": project, "name": "Pandas", "keywords": ["red panda"], "max_images": 100 });
        let job = ann.create(&body).await;
        let dataset = ann.get(&format!("/api/v1/crawl-jobs/{job}")).await.json()["dataset_id"].as_i64();
        Self { project, job, notification, dataset: dataset.unwrap() }
    }

    /// The same with ids in place of names in braces: as numbers where nothing else is in a text.
    fn put_in(&self, value: Value) -> Value {
        match value {
            Value::String(text) => match text.as_str() {
                "{job}" => json!(self.job),
                "{project}" => json!(self.project),
                "{notification}" => json!(self.notification),
                "{dataset}" => json!(self.dataset),
                _ => json!(self.named(&text)),
            },
            Value::Array(items) => items.into_iter().map(|item| self.put_in(item)).collect(),
            Value::Object(fields) => {
                fields.into_iter().map(|(name, value)| (name, self.put_in(value))).collect()
            }
            other => other,
        }
    }

    fn named(&self, text: &str) -> String {
        text.replace("{job}", &self.job.to_string())
            .replace("{project}", &self.project.to_string())
            .replace("{notification}", &self.notification.to_string())
            .replace("{dataset}", &self.dataset.to_string())
            .replace("{flow}", &format!("flow_{:08x}", self.job))
    }
}

#[tokio::test]
async fn the_originals_client_is_answered() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    ann.get("/api/v1/auth/me").await.expect(200);
    let mut wrong = Vec::new();
    for slash in ["", "/"] {
        let ids = Ids::make(&api, &ann).await;
        for Call { method, path, body, status, answer } in calls() {
            let (path, query) = path.split_once('?').map_or((path, ""), |(path, query)| (path, query));
            let query = if query.is_empty() { String::new() } else { format!("?{}", ids.named(query)) };
            let path = format!("/api/v1{}{slash}{query}", ids.named(path));
            let place = format!("{method} {path}");
            let request = ann.request(method, &path).header("content-type", "application/json");
            let body = ids.put_in(body);
            let got =
                send(if body.is_null() { request } else { with_body(ann.request(method, &path), &body) })
                    .await;
            let is_archive = got.header("content-type") == Some("application/zip");
            let read =
                if is_archive { Ok(json!(got.text)) } else { serde_json::from_str::<Value>(&got.text) };
            let Ok(read) = read else {
                wrong.push(format!("{place}: no JSON: {got:?}"));
                continue;
            };
            if got.status != status {
                wrong.push(format!("{place}: {} instead of {status}: {read}", got.status));
            } else if let Err(error) = check(&read, &ids.put_in(answer), "the answer") {
                wrong.push(format!("{place}: {error}"));
            }
        }
        let all =
            "delete from crawl_jobs; delete from datasets; delete from projects; delete from activity_logs";
        execute(&api.database.pool, all).await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    api.stop().await;
}

#[tokio::test]
async fn who_has_no_token_is_told_so() {
    let api = Api::start().await;
    let mut asked = 0;
    for Call { method, path, .. } in calls() {
        if path.starts_with("/health") {
            continue;
        }
        let path = format!("/api/v1{}", Ids { project: 1, job: 1, notification: 1, dataset: 1 }.named(path));
        let answer = send(with_body(api.request(method, &path), &json!({}))).await.expect(401);
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert_eq!(
            detail.contains("though it needed none before"),
            path.contains("/simple-flow") || path.ends_with("/tokens/generate"),
            "{method} {path}: {detail}"
        );
        asked += 1;
    }
    assert!(asked > 20, "{asked}");
    // What is wrong with a token is told as everywhere.
    let answer = send(api.request("GET", "/api/v1/simple-flow").bearer_auth("a.b.c")).await.expect(401);
    assert!(answer.json()["detail"].as_str().unwrap().contains("malformed"), "{answer:?}");
    api.stop().await;
}

/// What its pages take for granted of answers: that a list without parameters is whole, that a first call
/// finds an account, that nothing changes nothing, and that a reason is the real one.
#[tokio::test]
async fn answers_are_as_the_originals_pages_take_them() {
    let api = Api::start_with(&["--limits", "free.images_per_job=500"]).await;
    let pool = &api.database.pool;
    for (first, field, credits) in [
        ("/credits/balance", "/current_balance", json!(100)),
        ("/credits/usage", "/current_balance", json!(100)),
        ("/dashboard/stats", "/credits_remaining", json!(100)),
        ("/credits/transactions", "/meta/skip", json!(0)),
    ] {
        let new = api.user(&format!("{}@example.org", first.replace('/', "-")));
        let answer = new.get(&format!("/api/v1{first}")).await.expect(200).json();
        assert_eq!(answer.pointer(field), Some(&credits), "{first}: {answer:#}");
    }

    let ann = api.user("ann@example.org");
    ann.get("/api/v1/auth/me").await.expect(200);
    execute(
        pool,
        "insert into projects (name, user_id)
         select 'p' || n, id from profiles, generate_series(1, 120) n where email = 'ann@example.org'",
    )
    .await;
    let whole = ann.get("/api/v1/projects").await.expect(200).json();
    let ids: Vec<i64> =
        whole["items"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect();
    assert_eq!((ids.len(), &whole["next"], &whole["meta"]["total"]), (120, &Value::Null, &json!(120)));
    for (query, rows) in [("?limit=7", 7), ("?skip=100", 20), ("?skip=0", 50)] {
        let part = ann.get(&format!("/api/v1/projects{query}")).await.expect(200).json();
        assert_eq!(part["data"].as_array().unwrap().len(), rows, "{query}");
    }
    let gone = ann.post("/api/v1/batch/projects/batch-delete", &json!({ "ids": ids[1..] })).await;
    assert_eq!(gone.expect(200).json(), json!({ "deleted_count": 119, "failed_ids": [] }));
    let many: Vec<i64> = (1..=1001).collect();
    let told = ann.post("/api/v1/batch/projects/batch-delete", &json!({ "ids": many })).await;
    assert!(told.expect(422).text.contains("1000"));

    // Nothing that is to change changes nothing, and says nothing.
    let project = format!("/api/v1/projects/{}", ids[0]);
    let made = ann.post("/api/v1/datasets", &json!({ "name": "Foxes" })).await.expect(201).json();
    let dataset = format!("/api/v1/datasets/{}", made["id"]);
    let said: i64 = sqlx::query_scalar("select count(*) from activity_logs").fetch_one(pool).await.unwrap();
    for (method, path) in [("PATCH", &project), ("PATCH", &dataset), ("PUT", &dataset)] {
        let before = ann.get(path).await.json();
        let after = send(with_body(ann.request(method, path), &json!({}))).await.expect(200).json();
        assert_eq!(after["updated_at"], before["updated_at"], "{method} {path}");
    }
    send(with_body(ann.request("PATCH", "/api/v1/projects/99999"), &json!({}))).await.expect(404);
    let now: i64 = sqlx::query_scalar("select count(*) from activity_logs").fetch_one(pool).await.unwrap();
    assert_eq!(now, said);
    let larger = send(with_body(ann.request("PATCH", &dataset), &json!({ "max_images": 200 }))).await;
    assert_eq!(larger.expect(200).json()["status"], "pending", "no job of it is under way");

    let told = send(ann.request("POST", &format!("{dataset}/build"))).await.expect(422).json();
    assert_eq!(told["detail"], "/keywords must be given to the dataset first: it has none to look for");
    let jobs = format!("/api/v1/jobs/datasets/{}/jobs", made["id"]);
    let body = json!({ "name": "a", "keywords": ["a"], "sources": ["webpage", "bing"] });
    let job = ann.post(&jobs, &body).await.expect(201).json();
    let said = job["message"].as_str().unwrap();
    for part in [
        "`webpage` takes addresses and no keywords; ",
        "`bing` cannot be asked now (not granted: ",
        "; pictures are looked for at `openverse` instead.",
    ] {
        assert!(said.contains(part), "{said}");
    }
    // Of a default there is only as much as the tier has.
    assert_eq!((&job["max_images"], &job["max_is_default"]), (&json!(500), &json!(true)));
    let body = json!({ "name": "a", "keywords": ["a"], "max_images": 1000 });
    ann.post("/api/v1/crawl-jobs", &body).await.expect(403);
    let flow = json!({ "keywords": ["fox"], "output_name": "first", "engines": ["openverse"] });
    let started = ann.post("/api/v1/simple-flow/start", &flow).await.expect(201).json();
    assert_eq!(started["message"], "Started 1 crawl task.");

    // Rows with words of somebody else are shown, in words that the document has.
    execute(
        pool,
        "update datasets set status = 'odd'; update projects set status = 'odd';
         alter table notifications drop constraint ck_notifications_type_valid;
         insert into notifications (user_id, type, category, title, message)
         select id, 'odd', 'odd', 'a', 'b' from profiles where email = 'ann@example.org'",
    )
    .await;
    for (path, field, shown) in [
        ("/datasets", "status", json!("failed")),
        ("/projects", "status", json!("archived")),
        ("/notifications", "type", json!("info")),
        ("/notifications", "category", Value::Null),
    ] {
        let listed = ann.get(&format!("/api/v1{path}")).await.expect(200).json();
        assert_eq!(listed["items"][0][field], shown, "{path} {field}");
    }

    for (path, status, said) in [
        ("/projects?limit=1&limit=2", 422, "The parameter `limit` must be given once."),
        ("/projects/abc", 404, "There is nothing of that name: an id in the path is not one."),
        ("/notifications?unread_only=perhaps", 422, "The parameter `unread_only` must be true or false."),
    ] {
        let told = ann.get(&format!("/api/v1{path}")).await.expect(status).json();
        assert_eq!(told["detail"], said, "{path}");
    }
    api.stop().await;
}
