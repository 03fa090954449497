//! From the version before to this one, and back.

use pixcrawler::{
    auth::issuer::user_of,
    db::{self, PgPool},
    model::{ChunkId, JobId},
    queue::{ChunkMessage, Queue},
};
use serde_json::{Value, json};

use crate::support::{
    database,
    postgres::{TestDatabase, empty_database, execute},
    process::System,
    site::{ORIGIN, Site},
};

/// The last migration of the version before.
const BEFORE: i64 = 22;

/// A database as the version before left it.
async fn of_before() -> TestDatabase {
    let database = empty_database().await;
    sqlx::raw_sql(include_str!("bootstrap-0.1.sql")).execute(&database.pool).await.unwrap();
    let mut migrator = sqlx::migrate!("../migrations");
    migrator.set_locking(false);
    migrator.run_to(BEFORE, &database.pool).await.unwrap();
    Queue::new(&database.pool).migrate().await.unwrap();
    let ann = user_of("ann@example.org");
    let person = format!("insert into profiles (id, email) values ('{ann}', 'ann@example.org')");
    execute(&database.pool, &person).await;
    database
}

/// Writes a job of one page as the version before does, and queues it.
async fn create_as_before(pool: &PgPool, page: &str) -> i64 {
    let ann = user_of("ann@example.org");
    let url = format!("{ORIGIN}{page}");
    let mut tx = pool.begin().await.unwrap();
    let dataset: i32 = sqlx::query_scalar(
        "insert into public.datasets (user_id, project_id, name, keywords, max_images, search_engines)
         values ($1, null, 'old', '[]', 2, '[\"webpage\"]') returning id",
    )
    .bind(ann)
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    let job: i32 = sqlx::query_scalar(
        "insert into public.crawl_jobs
             (user_id, dataset_id, name, keywords, max_images, status, total_chunks, sources, options, rules)
         values ($1, $2, 'old', '[]', 2, 'pending', 1, '[\"webpage\"]', $3, '{}') returning id",
    )
    .bind(ann)
    .bind(dataset)
    .bind(json!({ "urls": [url], "sources": {}, "labels": { &url: "cat" }, "safe_search": true, "language": null }))
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    let chunk: i32 = sqlx::query_scalar(
        "insert into public.job_chunks (user_id, job_id, chunk_index, image_range)
         values ($1, $2, 0, '{\"start\": 0, \"end\": 2}') returning id",
    )
    .bind(ann)
    .bind(job)
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    let query = json!({
        "text": url, "limit": 2, "safe_search": true, "language": null, "options": [], "credentials": [],
    });
    sqlx::query(
        "insert into pixcrawler.job (job_id, dataset_id, wanted, refreshed_at) values ($1, $2, 2, '-infinity')",
    )
    .bind(job)
    .bind(dataset)
    .execute(&mut *tx)
    .await
    .unwrap();
    sqlx::query(
        "insert into pixcrawler.chunk (id, job_id, source, label, input, rank, query, share, run, state)
         values ($1, $2, 'webpage', 'cat', 0, 0, $3, 2, 1, 'queued')",
    )
    .bind(chunk)
    .bind(job)
    .bind(query)
    .execute(&mut *tx)
    .await
    .unwrap();
    let message = ChunkMessage { chunk: ChunkId(chunk), run: 1 };
    Queue::new(pool).enqueue(&mut tx, JobId(job), &[(message, 0)], None).await.unwrap();
    tx.commit().await.unwrap();
    job.into()
}

#[tokio::test]
async fn jobs_of_the_version_before_go_on() {
    let site = Site::start().await;
    for page in ["/before", "/beside"] {
        site.gallery(page, 2, None);
    }
    let database = of_before().await;
    let waiting = create_as_before(&database.pool, "/before").await;
    let system = System::with(&site, database, &[]).await;
    let told = system.job(waiting).await;
    assert_eq!(told["options"]["urls"], json!([format!("{ORIGIN}/before")]), "{told:#}");
    assert_eq!(told["options"]["labels"], json!({ format!("{ORIGIN}/before"): "cat" }));

    // A process of the version before runs on and takes a job meanwhile.
    let beside = create_as_before(&system.pool, "/beside").await;
    let _worker = system.worker(&[]).await;
    for job in [waiting, beside] {
        let done = system.until_status(job, "completed").await;
        assert_eq!((&done["kept"], &done["error"]), (&json!(2), &Value::Null), "{done:#}");
    }
    let inbox: i64 =
        sqlx::query_scalar("select count(*) from pixcrawler.inbox").fetch_one(&system.pool).await.unwrap();
    assert_eq!(inbox, 0, "what has parts is nobody else's");
}

/// A later version has been here, which may have added and granted what this one does not know.
#[tokio::test]
async fn this_version_works_on_what_a_later_one_made() {
    let site = Site::start().await;
    site.gallery("/gallery", 2, None);
    let database = database().await;
    let later = "
        insert into pixcrawler.migration (version, description, success, checksum, execution_time)
            values (9999, 'later', true, '', 0);
        alter table images add column aesthetic real, add column embedding jsonb not null default '[]';
        alter table crawl_jobs add column priority integer not null default 0;
        alter table pixcrawler.job add column later text;
        create table public.exports (id serial primary key, user_id uuid);
        grant update (title) on images to authenticated";
    sqlx::raw_sql(later).execute(&database.pool).await.unwrap();
    let system = System::with(&site, database, &[]).await;
    let _worker = system.worker(&[]).await;
    let job = system.create(&["/gallery"], 2).await;
    assert_eq!(system.until_status(job, "completed").await["kept"], 2);
    let granted = "select has_column_privilege('authenticated', 'images', 'title', 'update')";
    assert!(sqlx::query_scalar::<_, bool>(granted).fetch_one(&system.pool).await.unwrap());
    assert_eq!(db::pending(&system.pool).await.unwrap(), 0);
}
