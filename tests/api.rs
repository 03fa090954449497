//! The API as its clients see it.

use serde_json::{Value, json};

use crate::support::api::{Answer, Api, json as with_body, pointers, send};

mod connections;
mod contents;
mod datasets;
mod events;
mod files;
mod jobs;
mod pages;
mod projects;

/// What every route needs a token for, and what it is called with.
const ROUTES: [(&str, &str); 30] = [
    ("GET", "/api/v1/auth/me"),
    ("PATCH", "/api/v1/auth/me"),
    ("POST", "/api/v1/auth/verify-token"),
    ("POST", "/api/v1/auth/sync-profile"),
    ("POST", "/api/v1/crawl-jobs/"),
    ("GET", "/api/v1/crawl-jobs/"),
    ("GET", "/api/v1/crawl-jobs/1"),
    ("DELETE", "/api/v1/crawl-jobs/1"),
    ("POST", "/api/v1/crawl-jobs/1/cancel"),
    ("POST", "/api/v1/crawl-jobs/1/retry"),
    ("GET", "/api/v1/crawl-jobs/1/events"),
    ("GET", "/api/v1/crawl-jobs/1/images"),
    ("GET", "/api/v1/crawl-jobs/1/logs"),
    ("GET", "/api/v1/crawl-jobs/1/manifest"),
    ("GET", "/api/v1/images/1/file"),
    ("GET", "/api/v1/images/1/thumbnail"),
    ("PATCH", "/api/v1/images/1"),
    ("GET", "/api/v1/datasets/1/images"),
    ("GET", "/api/v1/datasets/1/statistics"),
    ("GET", "/api/v1/projects/1/statistics"),
    ("GET", "/api/v1/sources/"),
    ("GET", "/api/v1/sources/webpage"),
    ("GET", "/api/v1/notifications"),
    ("GET", "/api/v1/notifications/1"),
    ("PATCH", "/api/v1/notifications/1"),
    ("DELETE", "/api/v1/notifications/1"),
    ("POST", "/api/v1/notifications/mark-all-read"),
    ("GET", "/api/v1/notification-preferences"),
    ("PATCH", "/api/v1/notification-preferences"),
    ("GET", "/api/v1/activity"),
];

/// A problem document, and what it must be like.
fn problem(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!(answer.status, status, "{answer:?}");
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
    let problem = answer.json();
    assert_eq!(problem["code"], code, "{problem}");
    assert_eq!(problem["status"], status);
    assert_eq!(problem["request_id"].as_str(), answer.header("x-request-id"));
    problem
}

#[tokio::test]
async fn nothing_is_served_to_nobody() {
    let api = Api::start().await;
    for (method, path) in ROUTES {
        let answer = send(with_body(api.request(method, path), &json!({}))).await;
        problem(&answer, 401, "unauthorized");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{method} {path}");
        let answer = send(with_body(api.request(method, path).bearer_auth("no token"), &json!({}))).await;
        problem(&answer, 401, "unauthorized");
    }
    for path in [
        "/openapi.json",
        "/docs",
        "/problems",
        "/refusals/truncated",
        "/api/v1/health/",
        "/api/v1/health/ready",
        "/auth/v1/.well-known/jwks.json",
    ] {
        api.get(path).await.expect(200);
    }
    api.stop().await;
}

#[tokio::test]
async fn paths_work_with_and_without_the_slash() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    for path in ["/api/v1/health", "/api/v1/crawl-jobs", "/api/v1/sources", "/api/v1/auth/me", "/docs"] {
        ann.get(path).await.expect(200);
        ann.get(&format!("{path}/")).await.expect(200);
        ann.get(&format!("{path}/?")).await.expect(200);
    }
    api.stop().await;
}

#[tokio::test]
async fn what_poem_refuses_is_a_problem_too() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    problem(&ann.get("/api/v1/nothing").await, 404, "not-found");
    problem(&ann.get("/").await, 404, "not-found");
    let answer = send(ann.request("PUT", "/api/v1/crawl-jobs/")).await;
    problem(&answer, 405, "method-not-allowed");
    assert_eq!(answer.header("allow"), Some("GET, HEAD, POST"));
    for (query, expect) in [
        ("limit=0", "The parameter `limit` must be a whole number from 1 to 100."),
        ("limit=1000", "The parameter `limit` must be a whole number from 1 to 100."),
        ("limit=x", "The parameter `limit` must be a whole number from 1 to 100."),
        ("after=x", "The parameter `after` must be a whole number."),
        (
            "status=lost",
            "The parameter `status` must be one of: pending, running, completed, failed, cancelled.",
        ),
        ("page=0", "The parameter `page` must be a whole number from 1 to 1000000."),
        ("page=2&after=7", "The parameter `page` must not be given with `after`, which says where to begin."),
        ("limit=2&size=2", "The parameter `size` must not be given with `limit`, which says the same."),
        (
            "state=failed",
            "There is no parameter `state`; there are: limit, after, status, dataset_id, page, size.",
        ),
        (
            "limit=5&Limit=5",
            "There is no parameter `Limit`; there are: limit, after, status, dataset_id, page, size.",
        ),
    ] {
        let answer = ann.get(&format!("/api/v1/crawl-jobs/?{query}")).await;
        assert_eq!(problem(&answer, 422, "bad-parameter")["detail"], expect);
    }
    let images = async |query: &str| {
        let answer = ann.get(&format!("/api/v1/crawl-jobs/1/images?{query}")).await;
        problem(&answer, 422, "bad-parameter")["detail"].as_str().unwrap().to_owned()
    };
    assert_eq!(images("url=%00").await, "The parameter `url` must not contain control characters.");
    for query in ["reason=banana", "reason=%00x", "reason=", "reason=Truncated"] {
        let told = images(query).await;
        assert!(told.starts_with("The parameter `reason` must be one of: bad-url, "), "{told}");
        for refusal in pixcrawler::model::Refusal::ALL {
            assert!(told.contains(refusal.code()), "{} is missing: {told}", refusal.code());
        }
    }
    assert_eq!(
        images("verdict=lost").await,
        "The parameter `verdict` must be one of: kept, refused, duplicate."
    );
    let there_are = "there are: limit, after, verdict, reason, url, label, source, license.";
    assert!(images("reasons=truncated").await.ends_with(there_are));
    for (path, there_are) in [
        ("/api/v1/sources?input=keywords", "There is no parameter `input`; this list has none."),
        ("/api/v1/crawl-jobs/1/logs?q=x", "There is no parameter `q`; there are: limit, after."),
    ] {
        assert_eq!(problem(&ann.get(path).await, 422, "bad-parameter")["detail"], there_are);
    }
    problem(&ann.get("/api/v1/crawl-jobs/one").await, 404, "not-found");
    let post = || ann.request("POST", "/api/v1/crawl-jobs/");
    let typed = || post().header("content-type", "application/json");
    problem(&send(post().body("{}")).await, 415, "unsupported-media-type");
    problem(&send(typed().body("{\"name\":")).await, 400, "malformed-json");
    problem(&send(typed().body("")).await, 400, "malformed-json");
    problem(&send(typed().body("[".repeat(100_000))).await, 400, "malformed-json");
    problem(&send(typed().body(" ".repeat((1 << 20) + 1))).await, 413, "too-large");
    api.stop().await;
}

#[tokio::test]
async fn browsers_may_call_from_where_it_is_allowed() {
    let api = Api::start().await;
    let preflight = |origin: &str| {
        api.request("OPTIONS", "/api/v1/crawl-jobs")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type,idempotency-key")
    };
    let answer = send(preflight("http://localhost:3000")).await.expect(204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:3000"));
    assert!(answer.header("access-control-allow-headers").unwrap().contains("idempotency-key"));
    assert!(answer.header("access-control-allow-methods").unwrap().contains("DELETE"));
    let answer = send(preflight("https://elsewhere.example")).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);

    // An error must be readable, too.
    let refused = send(api.request("GET", "/api/v1/auth/me").header("origin", "http://localhost:3000")).await;
    assert_eq!(refused.header("access-control-allow-origin"), Some("http://localhost:3000"));
    assert_eq!(refused.header("vary"), Some("Origin"));
    let exposed = refused.header("access-control-expose-headers").unwrap();
    for name in ["retry-after", "www-authenticate", "location", "x-request-id"] {
        assert!(exposed.split(", ").any(|exposed| exposed == name), "{name}: {exposed}");
    }
    assert_eq!(refused.header("x-content-type-options"), Some("nosniff"));
    api.stop().await;
}

#[tokio::test]
async fn a_request_keeps_its_id() {
    let api = Api::start().await;
    let with = |id: &str| send(api.request("GET", "/api/v1/auth/me").header("x-request-id", id));
    assert_eq!(with("trace-1.a").await.json()["request_id"], "trace-1.a");
    assert_ne!(with("not harmless").await.json()["request_id"], "not harmless");
    api.stop().await;
}

#[tokio::test]
async fn the_profile_comes_from_the_token() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let first = ann.get("/api/v1/auth/me").await.expect(200).json();
    assert_eq!(first["email"], "ann@example.org");
    assert_eq!(first["role"], "user");
    assert_eq!(ann.get("/api/v1/auth/me").await.json(), first);
    let synced = send(ann.request("POST", "/api/v1/auth/sync-profile")).await.expect(200).json();
    assert_eq!(synced["id"], first["id"]);
    assert_eq!(synced["message"], "User profile updated successfully");
    let verified = send(ann.request("POST", "/api/v1/auth/verify-token")).await.expect(200).json();
    assert_eq!((&verified["valid"], &verified["user"]["id"]), (&json!(true), &first["id"]));
    assert_eq!((&verified["user"]["profile"]["email"], &first["is_active"]), (&first["email"], &json!(true)));
    let bob = api.user("bob@example.org");
    let verified = send(bob.request("POST", "/api/v1/auth/verify-token")).await.expect(200).json();
    assert_eq!(verified["user"]["profile"], Value::Null);
    let synced = send(bob.request("POST", "/api/v1/auth/sync-profile")).await.expect(200).json();
    assert_eq!(synced["message"], "User profile created successfully");

    // The address of someone who is gone does not lock the next one out.
    let gone = "delete from public.profiles;
        insert into public.profiles (id, email) values (gen_random_uuid(), 'ann@example.org')";
    sqlx::raw_sql(gone).execute(&api.database.pool).await.unwrap();
    let again = ann.get("/api/v1/auth/me").await.expect(200).json();
    assert_eq!(again["email"], format!("{}@users.invalid", again["id"].as_str().unwrap()));
    api.stop().await;
}

#[tokio::test]
async fn a_profile_is_changed_by_its_user() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let change = async |body: Value| send(with_body(ann.request("PATCH", "/api/v1/auth/me"), &body)).await;
    let over = json!({ "full_name": " Ann Example ", "avatar_url": "https://example.org/a.png", "onboarding_completed": true });
    let first = change(over).await.expect(200).json();
    assert_eq!(first["full_name"], "Ann Example");
    assert_eq!(first["avatar_url"], "https://example.org/a.png");
    assert!(first["onboarding_completed"] == true && first["onboarding_completed_at"].is_string(), "{first}");
    // What is absent stays, null takes away, and the introduction was over when it was over first.
    let again = change(json!({ "full_name": null, "onboarding_completed": true })).await.expect(200).json();
    assert_eq!((&again["full_name"], &again["avatar_url"]), (&Value::Null, &first["avatar_url"]));
    assert_eq!(again["onboarding_completed_at"], first["onboarding_completed_at"]);
    assert_eq!(ann.get("/api/v1/auth/me").await.json(), again);
    let anew = change(json!({ "onboarding_completed": false })).await.expect(200).json();
    assert_eq!(anew["onboarding_completed_at"], Value::Null);
    for (body, expect) in [
        (
            json!({ "full_name": "a\u{0}b", "avatar_url": "javascript:alert(1)" }),
            &["/avatar_url", "/full_name"][..],
        ),
        (
            json!({ "full_name": "x".repeat(101), "avatar_url": "https://a\tb/" }),
            &["/avatar_url", "/full_name"],
        ),
        (
            json!({ "full_name": 7, "avatar_url": format!("https://a/{}", "x".repeat(2048)) }),
            &["/avatar_url", "/full_name"],
        ),
        (json!({ "full_name": "", "onboarding_completed": "yes" }), &["/full_name", "/onboarding_completed"]),
        (
            json!({ "role": "admin", "email": "eve@example.org", "is_active": false }),
            &["/email", "/is_active", "/role"],
        ),
        (json!([]), &[""]),
    ] {
        let told = problem(&change(body).await, 422, "broken-rules");
        assert_eq!(pointers(&told), expect, "{told}");
    }
    assert_eq!(ann.get("/api/v1/auth/me").await.json(), anew);
    api.stop().await;
}

#[tokio::test]
async fn readiness_names_the_part_that_fails() {
    let api = Api::start().await;
    let health = api.get("/api/v1/health/").await.expect(200).json();
    assert_eq!(health["status"], "healthy");
    let ready = api.get("/api/v1/health/ready").await.expect(200).json();
    assert_eq!(
        ready["parts"],
        json!({ "database": "ready", "plugins": "ready", "queue": "ready", "store": "ready" })
    );
    sqlx::raw_sql("drop schema graphile_worker cascade").execute(&api.database.pool).await.unwrap();
    let ready = api.get("/api/v1/health/ready").await.expect(503).json();
    assert_eq!(ready["parts"]["queue"], "unavailable");
    assert_eq!(ready["parts"]["database"], "ready");
    api.stop().await;
}

#[tokio::test]
async fn sources_describe_themselves() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let sources = ann.get("/api/v1/sources").await.expect(200).json();
    let ids: Vec<&str> =
        sources["items"].as_array().unwrap().iter().map(|source| source["id"].as_str().unwrap()).collect();
    assert!(ids.contains(&"openverse") && ids.contains(&"webpage"), "{ids:?}; run `make plugins` first");
    let webpage = ann.get("/api/v1/sources/webpage").await.expect(200).json();
    assert_eq!((&webpage["input"], &webpage["available"]), (&json!("address"), &json!(true)));
    problem(&ann.get("/api/v1/sources/nowhere").await, 404, "not-found");
    api.stop().await;
}

#[test]
fn the_document_is_the_list_of_routes() {
    let document: Value = serde_json::from_str(&pixcrawler::api::document()).unwrap();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let place = format!("{method} {path}");
            assert!(operation["operationId"].is_string(), "{place}");
            assert!(operation["summary"].is_string(), "{place}");
            assert!(operation["responses"].as_object().unwrap().len() > 1, "{place}");
        }
    }
    insta::with_settings!({ snapshot_path => "snapshots", prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("openapi", pixcrawler::api::document());
    });
}
