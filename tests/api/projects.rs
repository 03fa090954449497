//! Projects: what is in them, and how they end with all of it.

use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::PgPool;

use super::problem;
use crate::support::{
    api::{Api, User, json as with_body, pointers, send},
    postgres::execute,
    site::{ORIGIN, Site},
};

/// Tables with rows of what is below a project.
const BELOW: [&str; 8] = [
    "datasets",
    "crawl_jobs",
    "job_chunks",
    "images",
    "pixcrawler.job",
    "pixcrawler.chunk",
    "pixcrawler.candidate",
    "pixcrawler.idempotency_key",
];

pub(super) async fn make(user: &User<'_>, name: &str) -> i64 {
    let made = user.post("/api/v1/projects", &json!({ "name": name })).await.expect(201);
    made.json()["id"].as_i64().unwrap()
}

/// How many rows there are of what is below all projects.
pub(super) async fn below(pool: &PgPool) -> Vec<(&'static str, i64)> {
    let mut counts = Vec::new();
    for table in BELOW {
        let count = sqlx::AssertSqlSafe(format!("select count(*) from {table}"));
        let count: i64 = sqlx::query_scalar(count).fetch_one(pool).await.unwrap();
        if count > 0 {
            counts.push((table, count));
        }
    }
    counts
}

async fn end(user: &User<'_>, project: i64) -> u16 {
    send(user.request("DELETE", &format!("/api/v1/projects/{project}"))).await.status
}

#[tokio::test]
async fn a_project_is_made_changed_and_listed() {
    let api = Api::start().await;
    let (ann, bob) = (api.user("ann@example.org"), api.user("bob@example.org"));
    let body = json!({ "name": " Zoo ", "description": "Animals.\nAll of them." });
    let answer = ann.post("/api/v1/projects/", &body).await.expect(201);
    let zoo = answer.json();
    let path = format!("/api/v1/projects/{}", zoo["id"]);
    assert_eq!(answer.header("location"), Some(path.as_str()));
    assert_eq!(
        (&zoo["name"], &zoo["description"], &zoo["status"]),
        (&json!("Zoo"), &json!("Animals.\nAll of them."), &json!("active"))
    );
    assert_eq!((&zoo["dataset_count"], &zoo["image_count"]), (&json!(0), &json!(0)));
    assert_eq!(ann.get(&path).await.expect(200).json(), zoo);

    let change = async |body: Value| send(with_body(ann.request("PATCH", &path), &body)).await;
    let changed = change(json!({ "status": "archived" })).await.expect(200).json();
    assert_eq!((&changed["name"], &changed["status"]), (&json!("Zoo"), &json!("archived")));
    let changed = change(json!({ "name": "Park", "description": null })).await.expect(200).json();
    assert_eq!(
        (&changed["name"], &changed["description"], &changed["status"]),
        (&json!("Park"), &Value::Null, &json!("archived"))
    );
    let long = "x".repeat(1001);
    let broken = json!({ "name": "", "description": long, "status": "deleted", "titel": 1 });
    let told = problem(&change(broken).await, 422, "broken-rules");
    assert_eq!(pointers(&told), ["/description", "/name", "/status", "/titel"]);
    let told =
        problem(&ann.post("/api/v1/projects", &json!({ "description": 7 })).await, 422, "broken-rules");
    assert_eq!(pointers(&told), ["/description", "/name"]);
    let told = problem(&change(json!({ "description": {} })).await, 422, "broken-rules");
    assert_eq!(pointers(&told), ["/description"], "it would be taken away");
    assert_eq!(ann.get(&path).await.expect(200).json()["name"], "Park");

    // A row that the frontend wrote, with a word of its own.
    let others = format!(
        "insert into projects (user_id, name, status) values ({0}, 'Farm', 'deleted'), ({0}, 'Woods', 'active')",
        format_args!("'{}'", zoo["user_id"].as_str().unwrap())
    );
    execute(&api.database.pool, &others).await;
    make(&bob, "Bob's").await;
    let page = async |query: &str| {
        let page = ann.get(&format!("/api/v1/projects{query}")).await.expect(200).json();
        assert_eq!(page["items"], page["data"]);
        let names: Vec<_> =
            page["items"].as_array().unwrap().iter().map(|project| project["name"].clone()).collect();
        (json!(names), page["next"].clone(), page["meta"].clone())
    };
    let meta = |skip: i32, limit: i32| json!({ "total": 3, "skip": skip, "limit": limit });
    assert_eq!(page("").await, (json!(["Woods", "Farm", "Park"]), Value::Null, meta(0, 1000)));
    let (names, next, _) = page("?limit=2").await;
    assert_eq!(names, json!(["Woods", "Farm"]));
    assert_eq!(page(&format!("?limit=2&after={next}")).await, (json!(["Park"]), Value::Null, meta(0, 2)));
    assert_eq!(page("?skip=2&limit=2").await, (json!(["Park"]), Value::Null, meta(2, 2)));
    let both = ann.get(&format!("/api/v1/projects?skip=1&after={next}")).await;
    problem(&both, 422, "bad-parameter");

    assert_eq!(end(&bob, zoo["id"].as_i64().unwrap()).await, 404);
    let gone = send(ann.request("DELETE", &path)).await.expect(200);
    assert_eq!(gone.json(), json!({ "data": null }));
    problem(&ann.get(&path).await, 404, "not-found");
    let log: Vec<String> = sqlx::query_scalar(
        "select action from activity_logs where resource_type = 'project' and resource_id = $1 order by id",
    )
    .bind(zoo["id"].to_string())
    .fetch_all(&api.database.pool)
    .await
    .unwrap();
    assert_eq!(log, ["CREATE_PROJECT", "UPDATE_PROJECT", "UPDATE_PROJECT", "DELETE_PROJECT"]);
    api.stop().await;
}

#[tokio::test]
async fn a_project_goes_with_all_that_is_below_and_nothing_else() {
    let api = Api::start().await;
    let (ann, bob) = (api.user("ann@example.org"), api.user("bob@example.org"));
    let (zoo, farm, park) = (make(&ann, "Zoo").await, make(&ann, "Farm").await, make(&bob, "Park").await);
    let job = async |user: &User<'_>, project: i64| {
        let body = json!({
            "name": "Foxes", "keywords": ["fox"], "sources": ["openverse"], "project_id": project, "max_images": 5
        });
        user.create(&body).await
    };
    let (first, second) = (job(&ann, zoo).await, job(&ann, zoo).await);
    let (kept, foreign) = (job(&ann, farm).await, job(&bob, park).await);
    let dataset = ann.get(&format!("/api/v1/crawl-jobs/{first}")).await.json()["dataset_id"].clone();
    let again =
        json!({ "name": "Cubs", "keywords": ["cub"], "sources": ["openverse"], "dataset_id": dataset });
    ann.create(&again).await;
    ann.post("/api/v1/datasets", &json!({ "name": "Empty", "project_id": zoo })).await.expect(201);
    let images = format!(
        "insert into images (crawl_job_id, original_url, filename) values ({first}, 'https://a.example/a', 'a'),
             ({second}, 'https://a.example/b', 'b'), ({kept}, 'https://a.example/c', 'c')"
    );
    execute(&api.database.pool, &images).await;

    let delete =
        async |ids: Value| ann.post("/api/v1/batch/projects/batch-delete", &json!({ "ids": ids })).await;
    for ids in [json!([]), json!("1"), json!([1.5]), json!(null), json!(vec![1; 1001])] {
        assert_eq!(pointers(&problem(&delete(ids).await, 422, "broken-rules")), ["/ids"]);
    }
    let done = delete(json!([zoo, park, 99_999, zoo, -1, 1_i64 << 40])).await.expect(200).json();
    assert_eq!(done, json!({ "deleted_count": 1, "failed_ids": [park, 99_999, -1, 1_i64 << 40] }));
    assert_eq!(
        below(&api.database.pool).await,
        [
            ("datasets", 2),
            ("crawl_jobs", 2),
            ("job_chunks", 2),
            ("images", 1),
            ("pixcrawler.job", 2),
            ("pixcrawler.chunk", 2)
        ]
    );
    for (user, job) in [(&ann, kept), (&bob, foreign)] {
        let job = user.get(&format!("/api/v1/crawl-jobs/{job}")).await.expect(200).json();
        assert_eq!(job["status"], "pending");
    }
    // What was cancelled on the way is told as that.
    let told: i64 =
        sqlx::query_scalar("select count(*) from activity_logs where action = 'CANCEL_CRAWL_JOB'")
            .fetch_one(&api.database.pool)
            .await
            .unwrap();
    assert_eq!(told, 3);
    api.stop().await;
}

/// What others hold in the database is for later, and of several projects one keeps no other.
#[tokio::test]
async fn what_others_hold_is_for_later() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    // Fails as the database does when others are in the way.
    let in_the_way = "create function in_the_way() returns trigger language plpgsql as
             $$ begin raise exception 'others are in the way' using errcode = old.name; end $$;
         create trigger in_the_way before delete on projects
             for each row when (old.name ~ '^[0-9P]{5}$') execute function in_the_way()";
    execute(&api.database.pool, in_the_way).await;
    let mut held = Vec::new();
    for code in ["55P03", "57014", "40P01", "40001"] {
        held.push(make(&ann, code).await);
        let answer = send(ann.request("DELETE", &format!("/api/v1/projects/{}", held[held.len() - 1]))).await;
        problem(&answer, 503, "database-busy");
        assert_eq!(answer.header("retry-after"), Some("2"));
    }
    let (first, last) = (make(&ann, "Zoo").await, make(&ann, "Farm").await);
    let ids = [&[first][..], &held, &[last]].concat();
    let done = ann.post("/api/v1/batch/projects/batch-delete", &json!({ "ids": ids })).await;
    assert_eq!(done.expect(200).json(), json!({ "deleted_count": 2, "failed_ids": held }));
    api.stop().await;
}

/// A project ends once, and whole, whatever else goes on: a worker that writes what it finds, another one
/// who deletes it, and jobs that are created in it at that moment.
#[tokio::test]
async fn a_project_ends_amid_work() {
    let site = Site::start().await;
    let api = Api::crawling(&["--map-origin", &site.mapping(), "--per-host-rate", "10000"]).await;
    let ann = api.user("ann@example.org");
    for round in 0..4 {
        let project = make(&ann, "Zoo").await;
        let body = |name: String| {
            json!({
                "name": name, "urls": [format!("{ORIGIN}/{name}")], "sources": ["webpage"], "max_images": 100,
                "project_id": project,
            })
        };
        let mut slow = Vec::new();
        for job in 0..3 {
            let name = format!("{round}-{job}");
            let mut pictures = site.gallery(&format!("/{name}"), 30, None);
            let held = pictures.split_off(25);
            site.hold(&held);
            slow.extend(held);
            let job = ann.create(&body(name)).await;
            if round % 2 == 0 {
                ann.until(job, |job| job["kept"].as_i64().unwrap() > 0).await;
            }
        }
        let late: Vec<Value> = (0..4).map(|late| body(format!("{round}-late-{late}"))).collect();
        let creates = join_all(late.iter().map(|body| ann.post("/api/v1/crawl-jobs", body)));
        let ends = join_all((0..2).map(|_| end(&ann, project)));
        let (mut ends, creates) = tokio::join!(ends, creates);
        ends.sort_unstable();
        assert_eq!(ends, [200, 404]);
        for answer in creates {
            match answer.status {
                201 => {}
                // There was no such project any more.
                422 => assert_eq!(answer.json()["errors"][0]["pointer"], "/project_id"),
                _ => panic!("{answer:?}"),
            }
        }
        assert_eq!(below(&api.database.pool).await, [], "round {round}");
        // Workers let go.
        site.closed(&format!("/{round}-")).await;
    }
    api.stop().await;
}
