//! What every route of the document keeps to, so that a new one cannot forget it.

use std::collections::BTreeMap;

use pixcrawler::model::Permission;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    api::{Api, User, json as with_body, send},
    document,
    origin::{Origin, reply},
};

/// What anyone may ask.
const OPEN: [&str; 3] = ["/api/v1/health", "/api/v1/health/detailed", "/api/v1/health/ready"];

/// What an API key needs for each operation, beside `admin`: one of these permissions, any at all, or nothing
/// that a key has.
const NEEDS: [(&str, &str); 93] = [
    ("getMe", "read"),
    ("changeMe", "a user"),
    ("deleteMe", "a user"),
    ("verifyToken", "a user"),
    ("syncProfile", "a user"),
    ("createCrawlJob", "write crawl_jobs:create"),
    ("listCrawlJobs", "read crawl_jobs:read"),
    ("getCrawlJob", "read crawl_jobs:read"),
    ("listCrawlJobLogs", "read crawl_jobs:read"),
    ("deleteCrawlJob", "delete"),
    ("cancelCrawlJob", "write crawl_jobs:cancel"),
    ("retryCrawlJob", "write crawl_jobs:create"),
    ("followCrawlJob", "read crawl_jobs:read"),
    ("listImages", "read crawl_jobs:read datasets:read"),
    ("getCrawlJobManifest", "read datasets:export"),
    ("listDatasetImages", "read crawl_jobs:read datasets:read"),
    ("updateImage", "write"),
    ("deleteImage", "delete"),
    ("removeFromDataset", "delete"),
    ("removeImages", "delete"),
    ("listRemovals", "read datasets:read"),
    ("liftRemoval", "delete"),
    ("getImageFile", "read crawl_jobs:read datasets:read datasets:export"),
    ("getImageThumbnail", "read crawl_jobs:read datasets:read datasets:export"),
    ("listSources", "any"),
    ("getSource", "any"),
    ("previewSource", "write crawl_jobs:create"),
    ("listNotifications", "read"),
    ("getNotification", "read"),
    ("markNotification", "write"),
    ("markAllNotificationsRead", "write"),
    ("deleteNotification", "delete"),
    ("getNotificationPreferences", "read"),
    ("changeNotificationPreferences", "write"),
    ("listActivity", "read"),
    ("getDashboardStats", "read"),
    ("startSimpleFlow", "write crawl_jobs:create"),
    ("getSimpleFlowStatus", "read crawl_jobs:read"),
    ("getSimpleFlowResult", "read crawl_jobs:read"),
    ("listSimpleFlows", "read crawl_jobs:read"),
    ("createApiKey", "a user"),
    ("listApiKeys", "a user"),
    ("renameApiKey", "a user"),
    ("revokeApiKey", "a user"),
    ("getApiKeyUsage", "a user"),
    ("listProjects", "read"),
    ("createProject", "write"),
    ("getProject", "read"),
    ("updateProject", "write"),
    ("deleteProject", "delete"),
    ("batchDeleteProjects", "delete"),
    ("listDatasets", "read datasets:read"),
    ("createDataset", "write"),
    ("getDataset", "read datasets:read"),
    ("updateDataset", "write"),
    ("deleteDataset", "delete"),
    ("buildDataset", "write crawl_jobs:create"),
    ("cancelDataset", "write crawl_jobs:cancel"),
    ("createExport", "read datasets:export"),
    ("listExports", "read datasets:read datasets:export"),
    ("getExport", "read datasets:read datasets:export"),
    ("deleteExport", "delete"),
    ("getExportFile", "read datasets:export"),
    ("getDatasetStatistics", "read crawl_jobs:read datasets:read"),
    ("getProjectStatistics", "read crawl_jobs:read datasets:read"),
    ("putDataset", "write"),
    ("exportDatasetJson", "read datasets:export"),
    ("exportDatasetZip", "read datasets:export"),
    ("getDatasetStatus", "read datasets:read"),
    ("listProjectDatasets", "read datasets:read"),
    ("createProjectDataset", "write"),
    ("getProjectDataset", "read datasets:read"),
    ("updateProjectDataset", "write"),
    ("deleteProjectDataset", "delete"),
    ("listJobs", "read crawl_jobs:read"),
    ("createDatasetJob", "write crawl_jobs:create"),
    ("startDataset", "write crawl_jobs:create"),
    ("getJob", "read crawl_jobs:read"),
    ("deleteJob", "delete"),
    ("startJob", "write crawl_jobs:create"),
    ("cancelJob", "write crawl_jobs:cancel"),
    ("retryJob", "write crawl_jobs:create"),
    ("listJobLogs", "read crawl_jobs:read"),
    ("getJobProgress", "read crawl_jobs:read"),
    ("followJob", "read crawl_jobs:read"),
    ("listJobImages", "read crawl_jobs:read datasets:read"),
    ("getJobManifest", "read datasets:export"),
    ("generateToken", "a user"),
    ("getCurrentToken", "a user"),
    ("getCreditBalance", "read"),
    ("listCreditTransactions", "read"),
    ("getCreditUsage", "read"),
    ("getStorageUsage", "read"),
];

/// The example that the document has of a body; an empty one where there is no body.
fn example(document: &Value, body: &Value) -> Value {
    let Some(schema) = body["content"]["application/json"]["schema"]["$ref"].as_str() else {
        return json!({});
    };
    document.pointer(schema.trim_start_matches('#')).unwrap()["example"].clone()
}

/// Ids for the paths, of things that are there or are not.
#[derive(Clone, Copy)]
struct Ids {
    job: i64,
    image: i64,
    notification: i64,
    project: i64,
    dataset: i64,
    export: i64,
    removal: i64,
}

impl Ids {
    const fn all(id: i64) -> Self {
        Self { job: id, image: id, notification: id, project: id, dataset: id, export: id, removal: id }
    }

    /// Id of an API key, which has the number of the image.
    fn key(&self) -> Uuid {
        Uuid::from_u128(self.image.unsigned_abs().into())
    }
}

/// An operation of the document.
struct Operation {
    id: String,
    method: String,
    path: String,
    /// What the document says of who may call it.
    security: Value,
    has_body: bool,
    needs_body: bool,
    /// Its path as the document shows it.
    shown: String,
    /// A body that it takes.
    example: Value,
}

impl Operation {
    fn all() -> Vec<Self> {
        let document: Value = serde_json::from_str(&pixcrawler::api::document()).unwrap();
        let paths = document["paths"].as_object().unwrap();
        let operations = paths.iter().flat_map(|(path, operations)| {
            let operations = operations.as_object().unwrap().iter();
            operations.map(|(method, operation)| Self {
                id: operation["operationId"].as_str().unwrap().to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                security: operation["security"].clone(),
                has_body: operation["requestBody"].is_object(),
                needs_body: operation["requestBody"]["required"] == true,
                shown: shown(path, operation),
                example: example(&document, &operation["requestBody"]),
            })
        });
        operations.collect()
    }

    fn is_open(&self) -> bool {
        OPEN.contains(&self.path.trim_end_matches('/'))
    }

    /// Its path with these ids.
    fn filled(&self, ids: &Ids) -> String {
        let Some((before, _)) = self.path.split_once("{id}") else { return self.path.clone() };
        let id = match before {
            "/api/v1/crawl-jobs/" | "/api/v1/jobs/" => ids.job.to_string(),
            "/api/v1/images/" => ids.image.to_string(),
            "/api/v1/notifications/" => ids.notification.to_string(),
            "/api/v1/removals/" => ids.removal.to_string(),
            "/api/v1/projects/" => ids.project.to_string(),
            "/api/v1/datasets/" | "/api/v1/jobs/datasets/" => ids.dataset.to_string(),
            "/api/v1/simple-flow/" => format!("flow_{:08x}", ids.job),
            "/api/v1/sources/" => "nowhere".to_owned(),
            "/api/v1/api-keys/" => ids.key().to_string(),
            _ => panic!("{}: say here what its id is of", self.path),
        };
        self.path
            .replace("{id}", &id)
            .replace("{dataset_id}", &ids.dataset.to_string())
            .replace("{export_id}", &ids.export.to_string())
            .replace("{file}", "manifest.json")
    }
}

/// The path of an operation with the ids that the document shows.
fn shown(path: &str, operation: &Value) -> String {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    parameters.fold(path.to_owned(), |path, parameter| {
        let (name, example) = (parameter["name"].as_str().unwrap(), &parameter["schema"]["example"]);
        let example = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
        path.replace(&format!("{{{name}}}"), &example)
    })
}

/// The first thing of each kind, which is the user's.
async fn first_of_each(api: &Api, user: &User<'_>) -> Ids {
    let body = json!({ "name": "Foxes", "keywords": ["fox"], "sources": ["openverse"] });
    let job = user.create(&body).await;
    let insert = async |rows: &'static str| -> i64 {
        sqlx::query_scalar(rows).fetch_one(&api.database.pool).await.unwrap()
    };
    let image = insert(
        "insert into images (crawl_job_id, original_url, filename) select id, 'https://example.org/a', 'a' from crawl_jobs
         returning id::bigint",
    );
    let notification = insert(
        "insert into notifications (user_id, type, title, message) select user_id, 'info', 'a', 'b' from crawl_jobs
         returning id::bigint",
    );
    let project = insert(
        "insert into projects (user_id, name) select user_id, 'a' from crawl_jobs returning id::bigint",
    );
    let (image, notification, project) = (image.await, notification.await, project.await);
    let dataset = insert("update datasets set project_id = (select id from projects) returning id::bigint");
    let dataset = dataset.await;
    let export = insert(
        "insert into pixcrawler.export (user_id, dataset_id, format, options, images, facts)
         select user_id, id, 'csv', '{}', 0, '{}' from datasets returning id::bigint",
    );
    let removal = insert(
        "insert into pixcrawler.removal (user_id, dataset_id, kind, value, digest)
         select user_id, id, 'host', 'example.org', sha256('a') from datasets returning id",
    );
    let (export, removal) = (export.await, removal.await);
    let owned = Ids { job, image, notification, project, dataset, export, removal };
    let key = "insert into api_keys (id, user_id, name, key_hash, key_prefix) select $1, user_id, 'hers', 'x', 'x' from crawl_jobs";
    sqlx::query(key).bind(owned.key()).execute(&api.database.pool).await.unwrap();
    owned
}

#[tokio::test]
async fn examples_are_as_the_document_says_and_are_accepted() {
    let examples = document::examples();
    assert!(examples.len() > 50, "only {} examples were found", examples.len());
    let wrong: Vec<_> = examples.iter().filter(|(_, wrong)| wrong.is_some()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");

    let empty = json!({ "result_count": 0, "page_count": 0, "page": 1, "results": [] }).to_string();
    let openverse = Origin::start(move |_| reply("application/json", empty.clone())).await;
    let api = Api::start_with(&[&openverse.mapping("*")]).await;
    let ann = api.user("ann@example.org");
    first_of_each(&api, &ann).await;
    for operation in Operation::all().iter().filter(|operation| operation.has_body) {
        let Operation { method, shown: path, example: body, .. } = operation;
        // The only thing shown that depends on what was done before.
        if let Some(job) = path.strip_suffix("/retry") {
            send(ann.request("POST", &format!("{job}/cancel"))).await.expect(200);
        }
        let answer = send(with_body(ann.request(method, path), body)).await;
        assert!((200..300).contains(&answer.status), "{method} {path} {body}: {answer:?}");
    }
    api.stop().await;
}

#[tokio::test]
async fn the_document_refuses_what_the_host_refuses() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    for (fields, accepted) in [
        (json!({}), true),
        (json!({ "name": "\t Foxes\n" }), true),
        (json!({ "name": " " }), false),
        (json!({ "name": "Fo\u{7}xes" }), false),
        (json!({ "name": format!("Foxes{}", " ".repeat(100)) }), false),
        (json!({ "name": null }), false),
        (json!({ "keywords": null }), false),
        (json!({ "keywords": [] }), false),
        (json!({ "keywords": ["fox", ""] }), false),
        (json!({ "keywords": "fox" }), false),
        (json!({ "keywords": null, "urls": ["https://example.org/"] }), true),
        (json!({ "keywords": [], "urls": [] }), false),
        (
            json!({ "max_images": null, "sources": null, "options": null, "labels": null, "rules": null }),
            true,
        ),
        (json!({ "max_images": 0 }), false),
        (json!({ "options": { "openverse": null }, "labels": { "fox": null } }), true),
        (json!({ "language": "pt-BR" }), true),
        (json!({ "language": "p" }), false),
        (json!({ "rules": { "min_width": 100_001 } }), false),
        (json!({ "rules": { "most_width": 100 } }), false),
        (json!({ "rules": { "level": "strict", "animation": "allowed", "max_aspect_ratio": 2.5 } }), true),
        (json!({ "rules": { "level": "severe" } }), false),
        (json!({ "rules": { "max_aspect_ratio": 0.5 } }), false),
        (json!({ "rules": { "min_sharpness": 101 } }), false),
        (json!({ "rules": { "min_bytes": 1000, "max_bytes": 0 } }), false),
        (json!({ "dataset_id": 1, "project_id": 1 }), false),
        (json!({ "dataset_id": null, "project_id": null }), true),
        (json!({ "colour": "red" }), false),
    ] {
        let mut body = json!({ "name": "Foxes", "keywords": ["fox"] });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let expect = if accepted { 201 } else { 422 };
        ann.post("/api/v1/crawl-jobs", &body).await.expect(expect);
        assert_eq!(document::lets_send("CreateCrawlJob", &body), accepted, "{body}");
    }
    let key = |more: Value| {
        let mut body =
            json!({ "name": "Looks", "permissions": ["read"], "expires_at": "2999-01-01T00:00:00Z" });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (body, accepted) in [(key(json!({})), true), (key(json!({ "days": 1 })), false)] {
        ann.post("/api/v1/api-keys", &body).await.expect(if accepted { 201 } else { 422 });
        assert_eq!(document::lets_send("CreateApiKey", &body), accepted, "{body}");
    }

    let made = async |path: &str, body: &Value| ann.post(path, body).await.expect(201).json()["id"].clone();
    let named = json!({ "name": "Foxes" });
    let project = format!("/api/v1/projects/{}", made("/api/v1/projects", &named).await);
    let dataset = made("/api/v1/datasets", &named).await;
    let job = format!("/api/v1/jobs/datasets/{dataset}/jobs");
    let dataset = format!("/api/v1/datasets/{dataset}");
    let wanted = json!({ "name": "Foxes", "keywords": ["fox"] });
    let long = |letters: usize| "é".repeat(letters);
    let (fields, projects) = (["keywords", "search_engines", "description", "project_id"], ["description"]);
    for (method, path, schema, body, fields) in [
        ("POST", "/api/v1/datasets", "CreateDataset", &named, &fields[..]),
        ("PATCH", &dataset, "UpdateDataset", &named, &fields),
        ("PUT", &dataset, "UpdateDataset", &named, &fields),
        ("POST", &job, "CreateDatasetJob", &wanted, &["keywords", "sources"]),
        ("POST", "/api/v1/projects", "CreateProject", &named, &projects),
        ("PATCH", &project, "UpdateProject", &named, &projects),
    ] {
        for (field, value, accepted) in [
            ("keywords", json!([" fox "]), true),
            ("keywords", json!(["fox", ""]), false),
            ("keywords", json!([long(200)]), true),
            ("keywords", json!([long(201)]), false),
            ("keywords", json!(["fo\u{7}x"]), false),
            ("search_engines", json!([" Bing\n"]), true),
            ("search_engines", json!([" "]), false),
            ("search_engines", json!([format!("bing{}", " ".repeat(97))]), false),
            ("sources", json!([" Bing\n"]), true),
            ("sources", json!([" "]), false),
            ("sources", json!([format!("bing{}", " ".repeat(97))]), false),
            ("description", json!(" red,\n\tand small\r\n"), true),
            ("description", json!(""), true),
            ("description", json!(long(1001)), false),
            ("description", json!("re\u{1b}d"), false),
            ("description", json!("red\u{c}"), false),
            ("project_id", json!(0), false),
            ("project_id", Value::Null, true),
        ] {
            if !fields.contains(&field) {
                continue;
            }
            let mut body = body.clone();
            body[field] = value;
            let answer = send(with_body(ann.request(method, path), &body)).await;
            assert_eq!(answer.status < 300, accepted, "{method} {path} {body}: {answer:?}");
            assert!(accepted || answer.status == 422, "{method} {path} {body}: {answer:?}");
            assert_eq!(document::lets_send(schema, &body), accepted, "{method} {path} {body}");
        }
    }
    api.stop().await;
}

/// No text in a body is of any length, and no list of any number.
#[test]
fn what_is_in_a_body_is_bounded() {
    let document: Value = serde_json::from_str(&pixcrawler::api::document()).unwrap();
    let mut parts: Vec<(String, &Value)> = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let operations = operations.as_object().unwrap().iter();
        parts.extend(operations.map(|(method, says)| (format!("{method} {path}"), &says["requestBody"])));
    }
    let mut unbounded = Vec::new();
    let mut texts = 0;
    while let Some((place, part)) = parts.pop() {
        if let Some(name) = part["$ref"].as_str() {
            parts.push((place.clone(), document.pointer(name.trim_start_matches('#')).unwrap()));
        }
        let bounds = match part["type"].as_str() {
            Some("string") => &["maxLength", "pattern", "enum", "format"][..],
            // Of two lists one must have something in it: that says no more of them.
            Some("array") if part.get("items").is_some() => &["maxItems"],
            _ => &[],
        };
        texts += usize::from(part["type"] == "string");
        if !bounds.is_empty() && bounds.iter().all(|bound| part.get(bound).is_none()) {
            unbounded.push(place.clone());
        }
        match part {
            Value::Object(fields) => {
                // What must not be given together is bounded where it may be given.
                let fields = fields.iter().filter(|(name, _)| *name != "example" && *name != "not");
                parts.extend(fields.map(|(name, part)| (format!("{place} {name}"), part)));
            }
            Value::Array(list) => parts.extend(list.iter().map(|part| (place.clone(), part))),
            _ => {}
        }
    }
    assert!(texts > 30, "only {texts} texts were found");
    assert_eq!(unbounded, Vec::<String>::new());
}

#[tokio::test]
async fn nobody_is_let_in_without_a_token() {
    let api = Api::start().await;
    for operation in Operation::all() {
        let path = operation.filled(&Ids::all(1));
        let plain =
            || api.request(&operation.method, &path).header("content-type", "application/json").body("{}");
        if operation.is_open() {
            send(plain()).await.expect(200);
            continue;
        }
        let wrong = ["", "no token", "a.b.c"].map(|token| plain().bearer_auth(token));
        for request in [plain()].into_iter().chain(wrong) {
            let answer = send(request).await.expect(401);
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{} {path}", operation.method);
        }
    }
    api.stop().await;
}

#[tokio::test]
async fn what_is_foreign_is_not_there() {
    let api = Api::start().await;
    let (ann, bob) = (api.user("ann@example.org"), api.user("bob@example.org"));
    let owned = first_of_each(&api, &ann).await;
    for operation in Operation::all().iter().filter(|operation| operation.path.contains("{id}")) {
        let ask = async |user: &User<'_>, ids: &Ids| {
            let path = operation.filled(ids);
            let request = user.request(&operation.method, &path).header("content-type", "application/json");
            let answer = send(request.body(operation.example.to_string())).await.expect(404).json();
            (answer["code"].clone(), answer["detail"].clone())
        };
        let foreign = ask(&bob, &owned).await;
        // Nothing tells what is someone else's from what never was.
        for never in [99_999, i64::from(i32::MAX)] {
            assert_eq!(ask(&bob, &Ids::all(never)).await, foreign, "{} {}", operation.method, operation.path);
        }
    }
    let job = ann.get(&format!("/api/v1/crawl-jobs/{}", owned.job)).await.expect(200).json();
    assert_eq!(job["status"], "pending", "a stranger changed it");
    let notification =
        ann.get(&format!("/api/v1/notifications/{}", owned.notification)).await.expect(200).json();
    assert_eq!(notification["is_read"], false, "a stranger changed it");
    let project = ann.get(&format!("/api/v1/projects/{}", owned.project)).await.expect(200).json();
    assert_eq!(
        (&project["name"], &project["dataset_count"]),
        (&json!("a"), &json!(1)),
        "a stranger changed it"
    );
    let dataset = ann.get(&format!("/api/v1/datasets/{}", owned.dataset)).await.expect(200).json();
    assert_eq!(
        (&dataset["name"], &dataset["job_count"]),
        (&json!("Foxes"), &json!(1)),
        "a stranger changed it"
    );
    let removals = ann.get("/api/v1/removals").await.expect(200).json();
    assert_eq!(removals["items"][0]["id"], owned.removal, "a stranger lifted it");
    api.stop().await;
}

#[tokio::test]
async fn bodies_are_bounded_and_read_whole() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    for operation in Operation::all().iter().filter(|operation| operation.has_body) {
        let path = operation.filled(&Ids::all(1)).replace("nowhere", "openverse");
        let typed = || ann.request(&operation.method, &path).header("content-type", "application/json");
        let check = async |request: RequestBuilder, status: u16| {
            let answer = send(request).await;
            assert_eq!(answer.status, status, "{} {path}: {answer:?}", operation.method);
            assert_eq!(answer.header("content-type"), Some("application/problem+json"));
            answer.json()
        };
        for malformed in ["{", "{\"name\":", "nonsense"] {
            check(typed().body(malformed), 400).await;
        }
        if operation.needs_body {
            check(typed().body(""), 400).await;
        }
        let other = ann.request(&operation.method, &path).header("content-type", "text/plain");
        check(other.body("{}"), 415).await;
        let large = " ".repeat((1 << 20) + 1);
        check(typed().body(large.clone()), 413).await;
        // In chunks, so that nothing says beforehand how large it is.
        let parts = large
            .into_bytes()
            .chunks(64 << 10)
            .map(|part| Ok::<_, std::io::Error>(part.to_vec()))
            .collect::<Vec<_>>();
        check(typed().body(reqwest::Body::wrap_stream(futures_util::stream::iter(parts))), 413).await;
        let told = check(typed().body(r#"{"unheard-of": 1, "name": 7}"#), 422).await;
        assert!(told["errors"].as_array().unwrap().len() > 1, "not all that is wrong: {told}");
    }
    api.stop().await;
}

#[tokio::test]
async fn an_unknown_source_is_told_which_there_are() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let body = json!({ "name": "Foxes", "keywords": ["fox"], "sources": ["openverse", "nowhere"] });
    let told = ann.post("/api/v1/crawl-jobs/", &body).await.expect(422).json();
    let error = &told["errors"][0];
    assert_eq!(error["pointer"], "/sources/1");
    for source in api.app.plugins.list() {
        assert!(error["detail"].as_str().unwrap().contains(&source.info.id), "{error}");
    }
    // And which may have been meant, of whatever has a name.
    let body = json!({
        "name": "Foxes", "keywords": ["fox"], "keyword": "fox", "sources": ["openverse", "opnverse"],
        "options": { "openverse": { "licence": "cc0" } },
        "rules": { "licenses": ["CC BY 4.0", "banana", "cc-bye"], "formats": ["jpg", "tiff"] },
    });
    let told = ann.post("/api/v1/crawl-jobs/", &body).await.expect(422).json();
    for (pointer, part) in [
        ("/keyword", "is not a field (did you mean `keywords`?)"),
        ("/sources/1", "is not installed (did you mean `openverse`?)"),
        (
            "/options/openverse/licence",
            "is not an option (did you mean `license`?); those of `openverse` are: ",
        ),
        ("/rules/licenses/1", "is not a licence that is known; accepted are cc0, "),
        ("/rules/licenses/2", "is not a licence that is known (did you mean `cc-by`?)"),
        ("/rules/formats/1", "must be one of: jpeg, png, gif, webp"),
    ] {
        let errors = told["errors"].as_array().unwrap().iter();
        let details: Vec<_> = errors.filter(|error| error["pointer"] == pointer).collect();
        let [error] = details[..] else { panic!("{pointer}: {told}") };
        assert!(error["detail"].as_str().unwrap().starts_with(part), "{error}");
    }
    assert_eq!(told["errors"].as_array().unwrap().len(), 6, "{told}");
    let body = json!({
        "name": "Foxes", "keywords": ["fox"], "sources": ["openverse"],
        "rules": { "licenses": ["CC BY 4.0", "public domain"], "formats": ["jpg", "image/jpeg"] },
    });
    let job = ann.post("/api/v1/crawl-jobs/", &body).await.expect(201).json();
    let rules = &job["rules"];
    assert_eq!(rules["licenses"], json!(["cc-by-4.0", "pdm", "pdm-*", "cc0", "cc0-*"]), "{job}");
    assert_eq!(rules["formats"], json!(["jpeg"]), "{job}");
    api.stop().await;
}

#[tokio::test]
async fn a_key_may_do_what_its_permissions_say_and_nothing_else() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let mut keys = Vec::new();
    for permission in Permission::ALL {
        let body =
            json!({ "name": permission.name(), "permissions": [permission.name()], "rate_limit": 100_000 });
        let made = ann.post("/api/v1/api-keys/", &body).await.expect(201).json();
        keys.push((permission.name(), made["key"].as_str().unwrap().to_owned()));
    }
    let document: Value = serde_json::from_str(&pixcrawler::api::document()).unwrap();
    let mut left: BTreeMap<&str, &str> = NEEDS.into_iter().collect();
    assert_eq!(left.len(), NEEDS.len());
    for operation in Operation::all().iter().filter(|operation| !operation.is_open()) {
        let needs = left
            .remove(&*operation.id)
            .unwrap_or_else(|| panic!("{}: say above what it needs", operation.id));
        let enough = |permission: &str| match needs {
            "a user" => false,
            "any" => true,
            needs => permission == "admin" || needs.split(' ').any(|need| need == permission),
        };
        let path = operation.filled(&Ids::all(99_999));
        for (permission, key) in &keys {
            let request = api.request(&operation.method, &path).bearer_auth(key);
            let answer = send(request.header("content-type", "application/json").body("{}")).await;
            let refused = answer.status == 403 && answer.json()["code"] == "key-not-enough";
            assert_eq!(!refused, enough(permission), "{} with {permission}: {answer:?}", operation.id);
            assert_ne!(answer.status, 401, "{} with {permission}: {answer:?}", operation.id);
        }
        // And the document says so.
        let schemes = operation.security.as_array().unwrap().iter();
        let schemes: Vec<&String> = schemes.flat_map(|scheme| scheme.as_object().unwrap().keys()).collect();
        let told: Vec<&str> = schemes
            .iter()
            .filter(|name| name.starts_with("ApiKey"))
            .map(|name| document["components"]["securitySchemes"][*name]["description"].as_str().unwrap())
            .collect();
        let [told] = told[..] else {
            assert!(told.is_empty() && needs == "a user", "{}: {told:?}", operation.id);
            continue;
        };
        let mut told: Vec<&str> =
            told.split('`').skip(1).step_by(2).filter(|name| *name != "admin").collect();
        let mut needed: Vec<&str> = needs.split(' ').filter(|need| *need != "any").collect();
        told.sort_unstable();
        needed.sort_unstable();
        assert_eq!(told, needed, "{}", operation.id);
    }
    assert!(left.is_empty(), "there is no more: {left:?}");
    api.stop().await;
}
