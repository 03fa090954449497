//! Datasets: what they ask for, what they hold, and the jobs that fill them.

use std::collections::HashSet;

use futures_util::future::join_all;
use pixcrawler::{
    auth::issuer::user_of,
    dataset::export::facts::ExportFacts,
    db::facts::Scope,
    model::{DatasetId, JobId},
};
use serde_json::{Value, json};

use super::{
    problem,
    projects::{below, make},
};
use crate::support::{
    api::{Api, User, json as with_body, pointers, send},
    postgres::{as_user, execute, until_waiting},
    site::{ORIGIN, Reply, Site, picture},
};

async fn create(user: &User<'_>, body: &Value) -> (Value, String) {
    let answer = user.post("/api/v1/datasets", body).await.expect(201);
    let dataset = answer.json();
    let path = format!("/api/v1/datasets/{}", dataset["id"]);
    assert_eq!(answer.header("location"), Some(path.as_str()));
    (dataset, path)
}

async fn act(user: &User<'_>, method: &str, path: &str) -> Value {
    send(user.request(method, path)).await.expect(200).json()
}

fn foxes() -> Value {
    json!({
        "name": "Foxes", "keywords": ["fox", "FOX", "vixen"], "max_images": 4,
        "search_engines": ["Google", "openverse", "bing"]
    })
}

#[tokio::test]
async fn a_dataset_is_made_changed_moved_and_listed() {
    let api = Api::start().await;
    let (ann, bob) = (api.user("ann@example.org"), api.user("bob@example.org"));
    let (zoo, farm, foreign) = (make(&ann, "Zoo").await, make(&ann, "Farm").await, make(&bob, "Park").await);
    let (made, path) = create(&ann, &foxes()).await;
    assert_eq!(
        (&made["keywords"], &made["search_engines"], &made["max_images"], &made["status"]),
        (&json!(["fox", "vixen"]), &json!(["google", "openverse", "bing"]), &json!(4), &json!("pending"))
    );
    assert_eq!((&made["project_id"], &made["latest_job"]), (&Value::Null, &Value::Null));
    assert_eq!(
        (&made["total_images"], &made["size_mb"], &made["bytes"]),
        (&json!(0), &json!(0.0), &json!(0))
    );
    assert_eq!(ann.get(&path).await.expect(200).json(), made);
    let (plain, _) = create(&ann, &json!({ "name": "Later", "project_id": zoo })).await;
    assert_eq!(
        (&plain["keywords"], &plain["max_images"], &plain["project_id"]),
        (&json!([]), &json!(100), &json!(zoo))
    );

    for (body, expect) in [
        (json!({}), vec!["/name"]),
        (json!({ "name": "a", "project_id": foreign }), vec!["/project_id"]),
        (json!({ "name": "a", "project_id": 99_999 }), vec!["/project_id"]),
        (
            json!({ "name": "", "keywords": ["a", ""], "max_images": 0, "search_engines": ["gogle"], "rules": {} }),
            vec!["/keywords/1", "/max_images", "/name", "/rules", "/search_engines/0"],
        ),
        (
            json!({ "name": "a", "keywords": (0..50).map(|n| format!("{n}{}", "é".repeat(90))).collect::<Vec<_>>() }),
            vec!["/keywords"],
        ),
    ] {
        let told = problem(&ann.post("/api/v1/datasets", &body).await, 422, "broken-rules");
        assert_eq!(pointers(&told), expect, "{told}");
    }
    let told =
        ann.post("/api/v1/datasets", &json!({ "name": "a", "search_engines": ["gogle"] })).await.json();
    let detail = told["errors"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("did you mean `google`?") && detail.contains("openverse"), "{detail}");
    let (_, names) = detail.split_once("there are: ").unwrap();
    let names: Vec<&str> = names.split(", ").collect();
    let distinct: HashSet<&str> = names.iter().copied().collect();
    assert_eq!(names.len(), distinct.len(), "each once: {detail}");

    // Its jobs say where it belongs, too.
    let body =
        json!({ "name": "a", "keywords": ["fox"], "sources": ["openverse"], "dataset_id": made["id"] });
    let job = ann.create(&body).await;
    let change = async |body: Value| send(with_body(ann.request("PATCH", &path), &body)).await;
    let moved = change(json!({ "project_id": farm, "name": "Vulpes" })).await.expect(200).json();
    assert_eq!((&moved["project_id"], &moved["name"]), (&json!(farm), &json!("Vulpes")));
    assert_eq!(moved["latest_job"]["project_id"], farm);
    assert_eq!(ann.get(&format!("/api/v1/projects/{farm}")).await.json()["dataset_count"], 1);
    assert_eq!(
        pointers(&problem(&change(json!({ "project_id": foreign })).await, 422, "broken-rules")),
        ["/project_id"]
    );
    let out = change(json!({ "project_id": null, "keywords": ["wolf"], "description": "Dogs" })).await;
    let out = out.expect(200).json();
    assert_eq!(
        (&out["project_id"], &out["keywords"], &out["description"], &out["name"]),
        (&Value::Null, &json!(["wolf"]), &json!("Dogs"), &json!("Vulpes"))
    );
    assert_eq!(out["latest_job"]["id"], job);
    assert_eq!((&out["status"], &out["crawl_job_id"]), (&json!("processing"), &json!(job)));

    // Rows that the frontend wrote, as odd as they may be.
    let odd = format!(
        "insert into datasets (user_id, name, keywords, search_engines, max_images) values
             ('{0}', 'Odd', '{{\"keywords\": [\"a\", 7]}}', '\"google\"', -5), ('{0}', 'None', 'null', '[]', 0)",
        made["user_id"].as_str().unwrap()
    );
    execute(&api.database.pool, &odd).await;
    create(&bob, &json!({ "name": "Bob's" })).await;
    let list = async |query: &str| {
        let page = ann.get(&format!("/api/v1/datasets{query}")).await.expect(200).json();
        let names: Vec<_> =
            page["items"].as_array().unwrap().iter().map(|dataset| dataset["name"].clone()).collect();
        (json!(names), ["total", "page", "size", "pages"].map(|name| page[name].as_i64().unwrap()))
    };
    assert_eq!(list("").await, (json!(["None", "Odd", "Later", "Vulpes"]), [4, 1, 50, 1]));
    assert_eq!(list("?page=2&size=3").await, (json!(["Vulpes"]), [4, 2, 3, 2]));
    assert_eq!(list(&format!("?project_id={zoo}")).await, (json!(["Later"]), [1, 1, 50, 1]));
    assert_eq!(list(&format!("?project_id={foreign}")).await, (json!([]), [0, 1, 50, 0]));
    let page = ann.get("/api/v1/datasets?limit=2").await.json();
    assert_eq!(list(&format!("?after={}", page["next"])).await.0, json!(["Later", "Vulpes"]));
    assert_eq!(page["items"][1]["keywords"], json!(["a", "7"]));
    assert_eq!(page["items"][1]["search_engines"], json!(["google"]));
    // Where what it asks for breaks rules, a build says which.
    for (row, expect) in [(0, vec!["/keywords", "/max_images"]), (1, vec!["/max_images"])] {
        let path = format!("/api/v1/datasets/{}/build", page["items"][row]["id"]);
        let told = problem(&send(ann.request("POST", &path)).await, 422, "broken-rules");
        assert_eq!(pointers(&told), expect);
    }

    assert_eq!(send(bob.request("DELETE", &path)).await.status, 404);
    assert_eq!(act(&ann, "DELETE", &path).await, json!({ "data": null }));
    problem(&ann.get(&path).await, 404, "not-found");
    assert_eq!(below(&api.database.pool).await, [("datasets", 4)]);
    api.stop().await;
}

/// The frontend moves datasets and deletes projects by itself, whatever is done to the jobs meanwhile.
#[tokio::test]
async fn what_the_frontend_does_to_projects_stands_against_nothing() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let pool = &api.database.pool;
    let owner = user_of("ann@example.org").0;
    for change in ["move", "cancel"] {
        let (zoo, farm) = (make(&ann, "Zoo").await, make(&ann, "Farm").await);
        let body = json!({ "name": "a", "keywords": ["fox"], "sources": ["openverse"], "project_id": zoo });
        let path = format!("/api/v1/crawl-jobs/{}", ann.create(&body).await);
        let show = async || ann.get(&path).await.expect(200).json();
        let dataset = show().await["dataset_id"].clone();
        for project in [farm, zoo] {
            let mut client = as_user(pool, "authenticated", owner).await;
            let moved = format!("update datasets set project_id = {project} where id = {dataset}");
            sqlx::query(sqlx::AssertSqlSafe(moved)).execute(&mut *client).await.unwrap();
            client.commit().await.unwrap();
            assert_eq!(show().await["project_id"], project);
        }

        // The project is to be deleted first, and is half way when the other comes.
        let mut holder = pool.begin().await.unwrap();
        sqlx::query("select from datasets for update").execute(&mut *holder).await.unwrap();
        let mut client = as_user(pool, "authenticated", owner).await;
        let delete = async {
            let delete = sqlx::query("delete from projects where id = $1").bind(i32::try_from(zoo).unwrap());
            delete.execute(&mut *client).await.unwrap();
            client.commit().await.unwrap();
        };
        let request = match change {
            "move" => {
                let request = ann.request("PATCH", &format!("/api/v1/datasets/{dataset}"));
                with_body(request, &json!({ "project_id": farm }))
            }
            _ => ann.request("POST", &format!("{path}/cancel")),
        };
        let changed = async {
            until_waiting(pool, 1).await;
            send(request).await
        };
        let let_go = async {
            until_waiting(pool, 2).await;
            holder.commit().await.unwrap();
        };
        let ((), changed, ()) = tokio::join!(delete, changed, let_go);
        changed.expect(200);
        let shown = show().await;
        let expect = match change {
            "move" => (json!(farm), "pending"),
            _ => (Value::Null, "cancelled"),
        };
        assert_eq!((shown["project_id"].clone(), shown["status"].as_str().unwrap()), expect);
    }
    api.stop().await;
}

#[tokio::test]
async fn a_dataset_is_built_once_at_a_time() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let (dataset, path) = create(&ann, &foxes()).await;
    let build = || send(ann.request("POST", &format!("{path}/build")));
    let answers = join_all((0..4).map(|_| build())).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409]);
    let built = answers.iter().find(|answer| answer.status == 200).unwrap().json();
    let job = &built["latest_job"];
    assert_eq!((&built["status"], &built["job_count"]), (&json!("processing"), &json!(1)));
    assert_eq!(
        (&job["status"], &job["keywords"], &job["sources"], &job["max_images"]),
        (&json!("pending"), &json!(["fox", "vixen"]), &json!(["openverse"]), &json!(4))
    );
    let said = built["message"].as_str().unwrap();
    for part in [
        "`google` cannot be asked now (not granted: ",
        "`bing` cannot be asked now (not granted: ",
        "; pictures are looked for at `openverse` instead.",
    ] {
        assert!(said.contains(part), "{said}");
    }
    let refused = problem(&build().await, 409, "wrong-status");
    assert!(refused["detail"].as_str().unwrap().contains(&job["id"].to_string()), "{refused}");

    let cancelled = act(&ann, "POST", &format!("{path}/cancel")).await;
    assert_eq!(
        (&cancelled["status"], &cancelled["message"]),
        (&json!("cancelled"), &json!("One job was cancelled."))
    );
    let nothing = act(&ann, "POST", &format!("{path}/cancel")).await;
    assert_eq!(nothing["message"], "No job of this dataset was under way.");

    // The next one looks for what is missing.
    let kept = format!(
        "insert into images (crawl_job_id, original_url, filename, hash, file_size)
         select {}, 'https://a.example/' || n, 'a', repeat(n::text, 64), 1048576 from generate_series(1, 3) as n",
        job["id"]
    );
    execute(&api.database.pool, &kept).await;
    let again = build().await.expect(200).json();
    assert_ne!(again["latest_job"]["id"], job["id"]);
    assert_eq!((&again["latest_job"]["max_images"], &again["image_count"]), (&json!(1), &json!(3)));
    assert_eq!((&again["bytes"], &again["size_mb"]), (&json!(3 << 20), &json!(3.0)));
    act(&ann, "POST", &format!("{path}/cancel")).await;
    let fewer =
        send(with_body(ann.request("PATCH", &path), &json!({ "max_images": 3 }))).await.expect(200).json();
    assert_eq!((&fewer["progress"], &fewer["images_collected"]), (&json!(100.0), &json!(3)));
    problem(&build().await, 409, "nothing-missing");
    assert_eq!(dataset["id"], fewer["id"]);
    api.stop().await;
}

#[tokio::test]
async fn a_dataset_shows_what_it_holds() {
    let site = Site::start().await;
    let pictures: Vec<String> = (0..3).map(|number| format!("/fox/{number}.png")).collect();
    let result = |picture: &String| {
        site.on(picture, [Reply::Picture]);
        json!({
            "id": picture, "title": picture, "url": format!("{ORIGIN}{picture}"), "license": "cc0",
            "license_version": "1.0", "foreign_landing_url": ORIGIN, "mature": false,
        })
    };
    let results: Vec<_> = pictures.iter().map(result).collect();
    let page = json!({ "result_count": 3, "page_count": 1, "page": 1, "results": results });
    site.on("/v1/images/?q=fox&page=1&page_size=20", [Reply::Json(page.to_string())]);
    let api = Api::crawling(&["--map-origin", &site.mapping()]).await;
    let ann = api.user("ann@example.org");
    let (_, path) = create(&ann, &json!({ "name": "Foxes", "keywords": ["fox"], "max_images": 2 })).await;
    let built = act(&ann, "POST", &format!("{path}/build")).await;
    assert_eq!(built["message"], Value::Null);
    let job = ann.over(built["latest_job"]["id"].as_i64().unwrap()).await;
    assert_eq!(job["status"], "completed", "{job:#}");
    let full = ann.get(&path).await.expect(200).json();
    let kept = ann.get(&format!("/api/v1/crawl-jobs/{}/images?verdict=kept", job["id"])).await.json();
    let kept = kept["items"].as_array().unwrap().iter();
    let bytes: usize = kept
        .map(|image| picture(image["original_url"].as_str().unwrap().strip_prefix(ORIGIN).unwrap()).len())
        .sum();
    assert_eq!(
        (&full["image_count"], &full["total_images"], &full["bytes"]),
        (&json!(2), &json!(2), &json!(bytes))
    );
    assert_eq!((&full["progress"], &full["status"]), (&json!(100.0), &json!("completed")));

    // One more, which the first job did not keep. Then the first job goes, with what it had kept.
    send(with_body(ann.request("PATCH", &path), &json!({ "max_images": 3 }))).await.expect(200);
    let more = act(&ann, "POST", &format!("{path}/build")).await;
    assert_eq!(ann.over(more["latest_job"]["id"].as_i64().unwrap()).await["kept"], 1);
    assert_eq!(ann.get(&path).await.json()["image_count"], 3);
    send(ann.request("DELETE", &format!("/api/v1/crawl-jobs/{}", job["id"]))).await.expect(204);
    let left = ann.get(&path).await.expect(200).json();
    assert_eq!(
        (&left["image_count"], &left["images_collected"], &left["progress"], &left["job_count"]),
        (&json!(1), &json!(1), &json!(33.33), &json!(1))
    );
    assert_eq!(
        (&left["status"], &left["latest_job"]["id"]),
        (&json!("completed"), &more["latest_job"]["id"])
    );
    api.stop().await;
}

/// What the documents beside an export say of a dataset or of a job, whoever wrote the rows.
#[tokio::test]
async fn what_was_asked_and_refused_is_said() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let body = json!({ "name": "Foxes", "description": "Red ones.", "keywords": ["fox"], "max_images": 2 });
    let (dataset, _) = create(&ann, &body).await;
    let dataset = DatasetId(dataset["id"].as_i64().unwrap().try_into().unwrap());
    let user = user_of("ann@example.org");
    let urls: Vec<String> = (0..25).map(|number| format!("{ORIGIN}/{number}")).collect();
    let input = json!({
        "urls": urls, "labels": { "fox": "Fox", &urls[1]: "One", &urls[18]: "Eighteen", &urls[19]: "Nineteen" },
    });
    let job: i32 = sqlx::query_scalar(
        "with job as (
              insert into public.crawl_jobs (dataset_id, user_id, name, keywords, sources, options, rules, max_images)
              values ($1, $2, 'First', '[\"fox\"]', '[\"openverse\"]', '{\"safe_search\": false, \"language\": \"de\"}',
                      '{\"min_width\": 5}', 7) returning id),
              input as (
              insert into pixcrawler.job (job_id, dataset_id, wanted, wanted_is_default, input)
              select id, $1, 7, true, $3 from job),
              images as (
              insert into public.images (crawl_job_id, dataset_id, user_id, original_url, filename, is_valid, is_duplicate, reason)
              select id, $1, $2, 'https://site.example/' || at, 'x', at = 1, at = 2, case when at > 2 then 'too-small' end
                from job, generate_series(1, 4) at)
         select id from job",
    )
    .bind(dataset)
    .bind(user)
    .bind(input)
    .fetch_one(&api.database.pool)
    .await
    .unwrap();
    // One of the frontend's own, which nobody has begun.
    sqlx::query(
        "insert into public.crawl_jobs (dataset_id, user_id, name, keywords)
         values ($1, $2, 'Second', '{\"keywords\": [\"vixen\"]}')",
    )
    .bind(dataset)
    .bind(user)
    .execute(&api.database.pool)
    .await
    .unwrap();

    let mut connection = api.database.pool.acquire().await.unwrap();
    let mut said = async |user, scope| ExportFacts::of(&mut connection, user, scope).await.unwrap();
    let facts = said(user, Scope::Dataset(dataset)).await.unwrap();
    let owner = (facts.name.as_str(), facts.description.as_deref(), &facts.keywords[..]);
    assert_eq!(owner, ("Foxes", Some("Red ones."), &["fox".to_owned()][..]));
    assert_eq!(json!(facts.refused), json!({ "duplicate": 1, "too-small": 2 }));
    let [first, second] = &facts.crawls[..] else { panic!("{facts:#?}") };
    assert_eq!((&first.urls[..], first.inputs), (&urls[..19], 26));
    assert_eq!(json!(first.labels), json!({ "fox": "Fox", &urls[1]: "One", &urls[18]: "Eighteen" }));
    let rest = (first.max_images, first.rules.min_width, first.safe_search, first.language.as_deref());
    assert_eq!(rest, (None, 5, false, Some("de")));
    assert_eq!(first.sources, ["openverse"]);
    let second = (&second.keywords[..], second.inputs, second.max_images, second.safe_search);
    assert_eq!(second, (&["vixen".to_owned()][..], 1, Some(1000), true));

    let of_job = said(user, Scope::Job(JobId(job))).await.unwrap();
    assert_eq!((of_job.name.as_str(), of_job.description), ("First", None));
    assert_eq!((&of_job.crawls[..], of_job.refused), (&facts.crawls[..1], facts.refused));
    assert_eq!(said(user_of("bob@example.org"), Scope::Dataset(dataset)).await, None);
    drop(connection);
    api.stop().await;
}
