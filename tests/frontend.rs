//! Jobs that the frontend makes and cancels with its own client: rows that its user writes, under
//! the rights of that user.

use pixcrawler::auth::issuer::user_of;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::support::{
    postgres::{as_user, database, execute},
    process::{ENDLESS, System},
    site::{ORIGIN, PATIENCE, Reply, Site},
};

/// Pictures that Openverse finds for these words; `held` until they are released.
fn found(site: &Site, words: &str, count: usize, held: bool) -> Vec<String> {
    let pictures: Vec<_> = (0..count).map(|number| format!("/{words}/{number}.png")).collect();
    let result = |picture: &String| {
        json!({
            "id": picture, "title": picture, "url": format!("{ORIGIN}{picture}"), "license": "cc0",
            "license_version": "1.0", "foreign_landing_url": format!("{ORIGIN}/{words}"), "mature": false,
        })
    };
    let results: Vec<_> = pictures.iter().map(result).collect();
    let page = json!({ "result_count": count, "page_count": 1, "page": 1, "results": results });
    site.on(&format!("/v1/images/?q={words}&page=1&page_size=20"), [Reply::Json(page.to_string())]);
    if held {
        site.hold(&pictures);
    } else {
        pictures.iter().for_each(|picture| site.on(picture, [Reply::Picture]));
    }
    pictures
}

/// What Ann's client writes: one id, or the code of the error and what it says.
async fn write(system: &System, statement: &str) -> Result<i64, String> {
    let ann = user_of("ann@example.org").0;
    let mut client = as_user(&system.pool, "authenticated", ann).await;
    let written =
        sqlx::query_scalar::<_, i32>(AssertSqlSafe(statement.to_owned())).fetch_one(&mut *client).await;
    match written {
        Ok(id) => {
            client.commit().await.unwrap();
            Ok(id.into())
        }
        Err(sqlx::Error::Database(error)) => Err(format!("{} {}", error.code().unwrap(), error.message())),
        Err(error) => Err(error.to_string()),
    }
}

async fn make_project(system: &System) -> i64 {
    system.get("/api/v1/auth/me").await.expect(200);
    let ann = user_of("ann@example.org");
    let project = format!("insert into projects (name, user_id) values ('cats', '{ann}') returning id");
    write(system, &project).await.unwrap()
}

async fn insert(system: &System, project: i64, keywords: &Value) -> i64 {
    let job = format!(
        "insert into crawl_jobs (project_id, name, keywords, max_images)
         values ({project}, 'mine', '{keywords}', 2) returning id"
    );
    write(system, &job).await.unwrap()
}

#[tokio::test]
async fn a_job_that_is_inserted_is_crawled() {
    let site = Site::start().await;
    found(&site, "fox", 2, false);
    let system = System::start(&site).await;
    let project = make_project(&system).await;
    let _worker = system.worker(&[]).await;
    // As one of the frontend's forms has them.
    let job = insert(&system, project, &json!({ "keywords": ["fox"] })).await;
    let done = system.until_status(job, "completed").await;
    assert_eq!((&done["kept"], &done["progress"], &done["error"]), (&json!(2), &json!(100), &Value::Null));
    assert_eq!((&done["keywords"], &done["sources"]), (&json!(["fox"]), &json!(["openverse"])));
    assert_eq!((&done["project_id"], &done["options"]["safe_search"]), (&json!(project), &json!(true)));
    let logs = system.get(&format!("/api/v1/crawl-jobs/{job}/logs")).await.expect(200).json();
    assert_eq!(logs["items"].as_array().unwrap().len(), 2, "{logs:#}");

    // Into a dataset that is there, with the pictures it has.
    let again = format!(
        "insert into crawl_jobs (dataset_id, name, keywords, max_images)
         values ({}, 'again', '[\"fox\"]', 2) returning id",
        done["dataset_id"]
    );
    let again = write(&system, &again).await.unwrap();
    let done = system.until_status(again, "completed").await;
    assert_eq!(
        (&done["kept"], &done["duplicates"], &done["project_id"]),
        (&json!(0), &json!(2), &json!(project))
    );
    system.call("DELETE", &format!("/api/v1/crawl-jobs/{job}"), None).await.expect(204);
}

#[tokio::test]
async fn a_job_that_nobody_heard_of_is_found() {
    let site = Site::start().await;
    found(&site, "fox", 2, false);
    let database = database().await;
    let (pool, ann) = (database.pool.clone(), user_of("ann@example.org"));
    let before = format!(
        "insert into profiles (id, email) values ('{ann}', 'ann@example.org');
         insert into projects (name, user_id) values ('cats', '{ann}');
         insert into crawl_jobs (project_id, name, keywords, max_images) select id, 'early', '\"fox\"', 2 from projects;
         insert into crawl_jobs (project_id, name, keywords, status) select id, 'over', '[\"fox\"]', 'completed' from projects"
    );
    execute(&pool, &before).await;
    let system = System::with(&site, database, &[]).await;
    let _worker = system.worker(&[]).await;
    let jobs = system.get("/api/v1/crawl-jobs").await.expect(200).json();
    let [over, early] = &jobs["items"].as_array().unwrap()[..] else { panic!("{jobs:#}") };
    assert_eq!(over["status"], "completed");
    assert_eq!(system.until_status(early["id"].as_i64().unwrap(), "completed").await["kept"], 2);
}

#[tokio::test]
async fn a_user_writes_jobs_of_its_own_and_stops_them() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let project = make_project(&system).await;
    let ann = user_of("ann@example.org");
    let bob = user_of("bob@example.org");
    let prepare = format!(
        "insert into profiles (id, email) values ('{bob}', 'bob@example.org');
         insert into projects (id, name, user_id) values (9000, 'dogs', '{bob}'), (9001, 'birds', '{ann}');
         insert into datasets (id, user_id, project_id, name, keywords)
             values (9000, '{bob}', 9000, 'dogs', '[]'), (9001, '{ann}', {project}, 'cats', '[]');
         insert into crawl_jobs (id, dataset_id, name, keywords, status)
             values (9000, 9000, 'of bob', '[]', 'running'), (9001, 9001, 'over', '[]', 'completed'),
                    (9002, 9001, 'on', '[]', 'running')"
    );
    execute(&system.pool, &prepare).await;

    let into = |columns: &str, values: &str| {
        format!(
            "insert into crawl_jobs (name, keywords, {columns}) values ('x', '[\"a\"]', {values}) returning id"
        )
    };
    let set = |id: i64, what: &str| format!("update crawl_jobs set {what} where id = {id} returning id");
    let long = "x".repeat(5100);
    for (statement, expect) in [
        (into("dataset_id", "9000"), "23503 there is no dataset 9000 of yours"),
        (into("project_id", "9000"), "23503 there is no project 9000 of yours"),
        (into("dataset_id, project_id", "9001, 9001"), "23503 dataset 9001 does not belong to project 9001"),
        (into("max_images", "5"), "23502 a job needs a dataset_id or a project_id"),
        (into("dataset_id, status", "9001, 'completed'"), "42501 permission denied"),
        (into("dataset_id, user_id", &format!("9001, '{ann}'")), "42501 permission denied"),
        (
            format!(
                "insert into crawl_jobs (name, keywords, dataset_id) values ('x', '[\"{long}\"]', 9001) returning id"
            ),
            "54000 keywords take 5104 bytes, of at most 5000",
        ),
        (set(9002, "status = 'completed'"), "23514 a job that is running cannot be made completed"),
        (set(9001, "status = 'cancelled'"), "23514 a job that is completed cannot be made cancelled"),
        (set(9001, "status = 'pending'"), "23514 a job that is completed cannot be made pending"),
        (set(9002, "max_images = 9"), "42501 permission denied"),
        (set(9002, "progress = 100"), "42501 permission denied"),
        (set(9000, "status = 'cancelled'"), "no rows returned"),
        ("delete from crawl_jobs where id = 9002 returning id".to_owned(), "42501 permission denied"),
    ] {
        let told = write(&system, &statement).await.expect_err(&statement);
        assert!(told.starts_with(expect), "{statement}: {told}");
    }

    for statement in [
        format!(
            "insert into datasets (user_id, name, keywords) values ('{ann}', 'x', '[\"{long}\", \"{long}\"]') returning id"
        ),
        format!("update datasets set description = '{long}{long}' where id = 9001 returning id"),
    ] {
        let told = write(&system, &statement).await.expect_err(&statement);
        assert!(told.starts_with("54000 keywords and description take "), "{told}");
    }
    assert_eq!(
        write(&system, &set(9001, "status = status")).await.unwrap_err(),
        "no rows returned by a query that expected to return at least one row"
    );

    // Nobody works on this one, so that it only ends.
    write(&system, &set(9002, "status = 'cancelled'")).await.unwrap();
    let ended = system.until(9002, "ended", |job| job["completed_at"] != Value::Null).await;
    assert_eq!(ended["status"], "cancelled");

    let many = "insert into crawl_jobs (dataset_id, name, keywords) select 9001, 'x', '[]' from generate_series(1, 1001) returning id";
    assert_eq!(write(&system, many).await.unwrap_err(), "54000 1000 jobs of yours are under way");
}

#[tokio::test]
async fn what_breaks_rules_fails_with_every_reason() {
    let site = Site::start().await;
    found(&site, "fox", 2, false);
    let system = System::with(&site, database().await, &[("PIXCRAWLER_OPEN_JOBS", "1")]).await;
    let project = make_project(&system).await;
    let long = "x".repeat(201);
    let bad = format!(
        "insert into crawl_jobs (project_id, name, keywords, max_images)
         values ({project}, ' ', '[\"{long}\"]', 0) returning id"
    );
    let bad = write(&system, &bad).await.unwrap();
    let failed = system.until_status(bad, "failed").await;
    let reason = failed["error"].as_str().unwrap();
    for expect in ["name must", "keywords/0 must be", "max_images must be a whole number from 1 to 100000"] {
        assert!(reason.contains(expect), "{reason}");
    }
    let told = system.post(&format!("/api/v1/crawl-jobs/{bad}/retry"), &json!({})).await.expect(422).json();
    // Who has not said who it is does not get round that by the row.
    let ann = user_of("ann@example.org");
    let anonymous = async |is: bool| {
        let person = format!(
            "insert into auth.users (id, email, is_anonymous) values ('{ann}', 'ann@example.org', {is})
                 on conflict (id) do update set is_anonymous = {is}"
        );
        execute(&system.pool, &person).await;
    };
    anonymous(true).await;
    let job = insert(&system, project, &json!(["fox"])).await;
    let failed = system.until_status(job, "failed").await;
    assert!(failed["error"].as_str().unwrap().contains("signed in anonymously"), "{failed:#}");
    system.post(&format!("/api/v1/crawl-jobs/{job}/retry"), &json!({})).await.expect(403);
    anonymous(false).await;
    assert_eq!(told["errors"].as_array().unwrap().len(), 3, "{told:#}");

    // One that nobody works on yet, and one too many.
    let first = insert(&system, project, &json!(["fox"])).await;
    system.until(first, "begun", |job| job["total_chunks"] == 1).await;
    let second = insert(&system, project, &json!(["fox"])).await;
    let refused = system.until_status(second, "failed").await;
    assert!(refused["error"].as_str().unwrap().starts_with("1 jobs of yours are under way"), "{refused:#}");
    system.post(&format!("/api/v1/crawl-jobs/{second}/retry"), &json!({})).await.expect(429);

    let _worker = system.worker(&[]).await;
    system.until_status(first, "completed").await;
    system.tell(second, "retry").await;
    assert_eq!(system.until_status(second, "completed").await["kept"], 2);
    system.call("DELETE", &format!("/api/v1/crawl-jobs/{bad}"), None).await.expect(204);
}

#[tokio::test]
async fn a_job_that_is_cancelled_by_its_row_stops() {
    let site = Site::start().await;
    let pictures = found(&site, "fox", 2, true);
    let system = System::start(&site).await;
    let project = make_project(&system).await;
    let worker = system.worker(&ENDLESS).await;
    let job = insert(&system, project, &json!(["fox"])).await;
    site.busy("/fox", 2).await;
    write(&system, &format!("update crawl_jobs set status = 'cancelled' where id = {job} returning id"))
        .await
        .unwrap();
    site.closed("/fox").await;
    worker.logged("cancel-heard").await;
    let ended = system.until(job, "ended", |job| job["completed_at"] != Value::Null).await;
    assert_eq!((&ended["status"], &ended["active_chunks"]), (&json!("cancelled"), &json!(0)), "{ended:#}");
    site.release(&pictures);
    system.tell(job, "retry").await;
    assert_eq!(system.until_status(job, "completed").await["kept"], 2);

    // Before anybody has seen it.
    let both = format!(
        "with new as (insert into crawl_jobs (project_id, name, keywords) values ({project}, 'x', '[\"fox\"]') returning id)
         select id from new"
    );
    let ann = user_of("ann@example.org").0;
    let mut client = as_user(&system.pool, "authenticated", ann).await;
    let job: i32 = sqlx::query_scalar(AssertSqlSafe(both)).fetch_one(&mut *client).await.unwrap();
    sqlx::query("update crawl_jobs set status = 'cancelled' where id = $1")
        .bind(job)
        .execute(&mut *client)
        .await
        .unwrap();
    client.commit().await.unwrap();
    let ended = system.until(job.into(), "ended", |job| job["completed_at"] != Value::Null).await;
    assert_eq!((&ended["status"], &ended["total_chunks"]), (&json!("cancelled"), &json!(0)));
}

#[tokio::test]
async fn who_writes_many_keeps_nobody_waiting() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    make_project(&system).await;
    let bob = user_of("bob@example.org");
    let rows = format!(
        "insert into profiles (id, email) values ('{bob}', 'bob@example.org');
         insert into projects (name, user_id) values ('dogs', '{bob}');
         insert into crawl_jobs (project_id, name, keywords)
             select id, 'x', '[\"cat\"]' from projects, generate_series(1, 300) where user_id <> '{bob}';
         insert into crawl_jobs (project_id, name, keywords)
             select id, 'x', '[\"dog\"]' from projects where user_id = '{bob}'"
    );
    execute(&system.pool, &rows).await;
    let begun = "select count(*) filter (where user_id = $1), count(*) filter (where user_id <> $1)
                   from crawl_jobs where total_chunks > 0";
    let before = tokio::time::timeout(PATIENCE, async {
        loop {
            let (his, others): (i64, i64) =
                sqlx::query_as(begun).bind(bob).fetch_one(&system.pool).await.unwrap();
            if his == 1 {
                return others;
            }
        }
    });
    let before = before.await.unwrap();
    assert!(before < 100, "{before} of another were begun before");
}

/// What Postgres takes for JSON and nobody else does breaks no list, and holds up nobody.
#[tokio::test]
async fn what_cannot_be_read_is_refused_and_holds_up_nobody() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let project = make_project(&system).await;
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    for keywords in ["[1e400]", &deep] {
        let odd = format!(
            "insert into crawl_jobs (project_id, name, keywords)
             select {project}, 'odd', '{keywords}' from generate_series(1, 200) returning id"
        );
        let job = write(&system, &odd).await.unwrap();
        let failed = system.until_status(job, "failed").await;
        assert!(failed["error"].as_str().unwrap().contains("keyword"), "{failed:#}");
        system.get("/api/v1/crawl-jobs").await.expect(200);
        system.post(&format!("/api/v1/crawl-jobs/{job}/cancel"), &json!({})).await.expect(409);
        system.call("DELETE", &format!("/api/v1/crawl-jobs/{job}"), None).await.expect(204);
    }
    let sound = insert(&system, project, &json!(["fox"])).await;
    system.until(sound, "begun", |job| job["total_chunks"] == 1).await;
}

/// A user who changes their mind at once is heard: neither side waits for the other.
#[tokio::test]
async fn a_job_may_be_cancelled_while_it_is_begun() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let project = make_project(&system).await;
    for _ in 0..30 {
        let job = insert(&system, project, &json!(["fox"])).await;
        let cancel = format!("update crawl_jobs set status = 'cancelled' where id = {job} returning id");
        write(&system, &cancel).await.unwrap();
        let ended = system.until(job, "ended", |job| job["completed_at"] != Value::Null).await;
        assert_eq!(ended["status"], "cancelled", "{ended:#}");
    }
}
