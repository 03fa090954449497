//! What those who watch a job are sent: by Supabase's Realtime, which reads the changes that
//! Postgres publishes, and by the API, whichever process answers.

use chrono::{DateTime, FixedOffset};
use pixcrawler::{auth::issuer::user_of, db::PgPool};
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::support::{
    database,
    events::Events,
    postgres::{as_user, execute},
    process::System,
    site::{ORIGIN, Site},
};

/// The published changes of a database, from now on.
pub(crate) struct Changes<'a>(&'a PgPool);

impl<'a> Changes<'a> {
    pub(crate) async fn of(pool: &'a PgPool) -> Self {
        let begin =
            "select pg_create_logical_replication_slot('live_' || current_database(), 'test_decoding')";
        sqlx::query(begin).execute(pool).await.unwrap();
        Self(pool)
    }

    /// Those of a table since it was asked last: when, and the row.
    pub(crate) async fn read(&self, table: &str) -> Vec<(DateTime<FixedOffset>, String)> {
        let lines: Vec<String> = sqlx::query_scalar(
            "select data from pg_logical_slot_get_changes(
                 'live_' || current_database(), null, null, 'include-timestamp', 'on')",
        )
        .fetch_all(self.0)
        .await
        .unwrap();
        // `COMMIT 745 (at 2026-01-01 …)` follows the rows of a transaction.
        let (mut read, mut open) = (Vec::new(), Vec::new());
        for line in lines {
            match line.split_once(" (at ") {
                Some((_, at)) if line.starts_with("COMMIT") => {
                    let at = DateTime::parse_from_str(at.trim_end_matches(')'), "%Y-%m-%d %H:%M:%S%.f%#z")
                        .unwrap();
                    read.extend(open.drain(..).map(|row| (at, row)));
                }
                _ if line.starts_with(&format!("table public.{table}: ")) => open.push(line),
                _ => {}
            }
        }
        read
    }
}

#[tokio::test]
async fn the_end_of_a_row_reaches_its_owner() {
    let pool = database().await.pool;
    let ann = user_of("ann@example.org").0;
    let prepare = format!(
        "insert into profiles (id, email) values ('{ann}', 'ann@example.org');
         insert into projects (name, user_id) values ('cats', '{ann}');
         insert into crawl_jobs (project_id, name, keywords) select id, 'x', '[\"cat\"]' from projects;
         insert into notifications (user_id, type, title, message) values ('{ann}', 'info', 'a', 'b')"
    );
    execute(&pool, &prepare).await;
    let changes = Changes::of(&pool).await;
    for table in ["crawl_jobs", "notifications"] {
        execute(&pool, &format!("delete from {table}")).await;
        let told = changes.read(table).await;
        let [(_, row)] = &told[..] else { panic!("{told:?}") };
        assert!(row.contains(" DELETE: ") && row.contains(&format!("user_id[uuid]:'{ann}'")), "{row}");
    }
}

/// The value of a column in a row as it is decoded.
pub(crate) fn field(row: &str, name: &str) -> String {
    let value = row.rsplit_once(&format!(" {name}[")).unwrap().1.split_once("]:").unwrap().1;
    value.split(' ').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_row_that_is_sent_is_small() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let changes = Changes::of(&system.pool).await;
    let many = |count: usize, length: usize| -> Vec<String> {
        (0..count).map(|number| format!("{number:0length$}")).collect()
    };
    let too_much = json!({ "name": "x", "keywords": many(50, 190) });
    let told = system.post("/api/v1/crawl-jobs/", &too_much).await.expect(422).json();
    let said = told["errors"][0]["detail"].as_str().unwrap();
    assert!(told["errors"][0]["pointer"] == "/keywords" && said.contains("at most 5500"), "{told:#}");

    // As large as a job may be, and with as long a reason as there may be.
    let urls: Vec<_> = many(900, 400).iter().map(|path| format!("{ORIGIN}/{path}")).collect();
    let labels =
        urls.iter().map(|url| (url.clone(), json!("é".repeat(100)))).collect::<serde_json::Map<_, _>>();
    let body = json!({
        "name": "é".repeat(100), "keywords": many(25, 190), "urls": urls, "labels": labels, "max_images": 100_000,
        "sources": ["openverse", "webpage"], "rules": { "formats": ["png", "jpeg", "gif", "webp"] },
    });
    let job = system.create_job(&body).await;
    let id = job["id"].as_i64().unwrap();
    assert_eq!((&job["options"]["urls"], &job["options"]["labels"]), (&json!(urls), &json!(labels)));
    sqlx::query("update pixcrawler.chunk set warnings = jsonb_build_array(repeat('é', 500) || id)")
        .execute(&system.pool)
        .await
        .unwrap();
    sqlx::query(
        "update pixcrawler.chunk set state = 'exhausted' where id > (select min(id) from pixcrawler.chunk)",
    )
    .execute(&system.pool)
    .await
    .unwrap();
    let _worker = system.worker(&[]).await;
    let done = system.until(id, "over", |job| job["completed_at"].is_string()).await;
    assert!(done["error"].as_str().unwrap().contains(" … "), "{}", done["error"]);

    let told = changes.read("crawl_jobs").await;
    let row = &told.last().unwrap().1;
    assert_eq!(field(row, "max_images"), "100000");
    for (_, row) in &told {
        let size = row.split("new-tuple:").last().unwrap().len();
        assert!((5 << 10..8 << 10).contains(&size), "{size} bytes: {row}");
    }
}

#[tokio::test]
async fn progress_is_sent_twice_a_second_at_most() {
    let site = Site::start().await;
    site.gallery("/gallery", 150, None);
    let system = System::start(&site).await;
    let changes = Changes::of(&system.pool).await;
    let _worker = system.worker(&[("PIXCRAWLER_PER_HOST_RATE", "60")]).await;
    let job = system.create(&["/gallery"], 150).await;
    let done = system.until_status(job, "completed").await;
    // Also a part that has its share and could have had more is over with its job.
    assert_eq!((&done["completed_chunks"], &done["chunks"][0]["status"]), (&1.into(), &"completed".into()));

    let told = changes.read("crawl_jobs").await;
    let state = |row: &str| ["status", "active_chunks", "completed_chunks"].map(|name| field(row, name));
    let revision = |row: &str| field(row, "revision").parse::<i64>().unwrap();
    let mut refreshed: Vec<DateTime<FixedOffset>> = Vec::new();
    for pair in told.windows(2) {
        let [(_, before), (at, row)] = pair else { unreachable!() };
        assert!(revision(row) > revision(before), "{row}");
        // A change of state is told always.
        if state(row) == state(before) {
            refreshed.push(*at);
        }
    }
    assert!(refreshed.len() >= 2, "{told:?}");
    // Locks may be waited for between the clock and the commit.
    let often = refreshed.windows(2).filter(|pair| (pair[1] - pair[0]).num_milliseconds() < 400);
    assert_eq!(often.count(), 0, "{refreshed:?}");
}

#[tokio::test]
async fn whoever_answers_tells_the_same() {
    let site = Site::start().await;
    let pictures = site.gallery("/gallery", 4, None);
    site.hold(&pictures);
    let system = System::start(&site).await;
    let other = system.server(&[("PIXCRAWLER_SLOTS", "0")]).await;
    let _worker = system.worker(&[]).await;
    let job = system.create(&["/gallery"], 4).await;
    let client = reqwest::Client::new();
    let open = |process: &crate::support::process::Process, seen: Option<&str>| {
        let url = format!("http://{}/api/v1/crawl-jobs/{job}/events", process.address());
        let request = client.get(url).bearer_auth(system.token());
        Events::open(match seen {
            Some(seen) => request.header("last-event-id", seen),
            None => request,
        })
    };
    let mut followers = [open(system.door(), None).await, open(&other, None).await];
    // One that never reads, and one that goes away.
    let _deaf = open(&other, None).await;
    drop(open(&other, None).await);
    site.busy("/gallery/", 4).await;
    site.release(&pictures);
    let mut ends = Vec::new();
    for follower in &mut followers {
        let mut last = None;
        while let Some((id, job)) = follower.next().await {
            let id: i64 = id.parse().unwrap();
            assert!(last.as_ref().is_none_or(|(before, _)| id > *before), "revisions only grow");
            last = Some((id, job));
        }
        let (id, job) = last.unwrap();
        assert_eq!((&job["status"], &job["kept"]), (&json!("completed"), &json!(4)));
        ends.push(id);
    }
    assert_eq!(ends[0], ends[1], "the last event is never lost");
    // Whoever was away for some of it gets where it stands, from any process.
    for process in [system.door(), &other] {
        let (id, job) = open(process, Some("1")).await.next().await.unwrap();
        assert_eq!((id, &job["status"]), (ends[0].to_string(), &json!("completed")));
    }

    // The client of the frontend hears of its own change, too.
    let held = site.gallery("/held", 1, None);
    site.hold(&held);
    let job = system.create(&["/held"], 1).await;
    let url = format!("http://{}/api/v1/crawl-jobs/{job}/events", other.address());
    let follower = Events::open(client.get(url).bearer_auth(system.token())).await;
    site.busy("/held/", 1).await;
    let mut browser = as_user(&system.pool, "authenticated", user_of("ann@example.org").0).await;
    let cancel = format!("update crawl_jobs set status = 'cancelled' where id = {job}");
    sqlx::query(AssertSqlSafe(cancel)).execute(&mut *browser).await.unwrap();
    browser.commit().await.unwrap();
    follower.until(|job| job["status"] == "cancelled").await;
}
