//! Who is served when: each user gets its share, however much another has queued before.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use crate::support::{
    database,
    process::System,
    site::{PATIENCE, Reply, Site, page},
};

/// Users, and jobs of each, all of the first one's queued before any of the second one's.
const USERS: usize = 5;
const JOBS: usize = 3;

/// The slots are held as long as their slices are let: each job has one picture that comes
/// at once and others that do not come.
#[tokio::test]
async fn every_user_is_served_before_one_is_served_twice_over() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    for user in 0..USERS {
        for job in 0..JOBS {
            let page = format!("/{user}/{job}");
            site.hold(&site.gallery(&page, 4, None)[1..]);
            system.ask_as(&format!("user{user}@example.org"), &[&page], 100).await.expect(201);
        }
    }
    let _worker = system.worker(&[("PIXCRAWLER_SLOTS", "2")]).await;
    let mut kept: Vec<Uuid> = Vec::new();
    let mut listener = sqlx::postgres::PgListener::connect_with(&system.pool).await.unwrap();
    listener.listen(pixcrawler::db::progress::CHANNEL).await.unwrap();
    let served = async {
        while kept.iter().collect::<BTreeSet<_>>().len() < USERS {
            listener.recv().await.unwrap();
            kept = sqlx::query_scalar("select user_id from images order by id")
                .fetch_all(&system.pool)
                .await
                .unwrap();
        }
    };
    let _ = tokio::time::timeout(PATIENCE, served).await;
    let mut counts: BTreeMap<Uuid, usize> = BTreeMap::new();
    for user in &kept {
        *counts.entry(*user).or_default() += 1;
        if counts.len() == USERS {
            break;
        }
    }
    assert_eq!(counts.len(), USERS, "somebody got nothing: {kept:?}");
    // Two slots were free when the first one came.
    assert!(counts.values().all(|count| *count <= 2), "somebody got more than its share: {kept:?}");
}

/// After a slice that gave way before anything came of it, the next one has longer, and not for ever.
#[tokio::test]
async fn what_is_slow_is_done_all_the_same() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let slow = site.gallery("/slow", 1, None);
    site.hold(&slow);
    system.create(&["/slow"], 100).await;
    let mut first = system.worker(&[]).await;
    site.busy("/slow/", 1).await;
    first.terminate();
    first.exited().await;
    sqlx::query("update pixcrawler.chunk set gave_way = true").execute(&system.pool).await.unwrap();
    let worker = system.worker(&[("PIXCRAWLER_SLOTS", "1")]).await;
    site.busy("/slow/", 1).await;
    site.gallery("/quick", 1, None);
    system.ask_as("bob@example.org", &["/quick"], 100).await.expect(201);
    // Another one would be over by the third look.
    worker.logged_nth("users-waiting", 6).await;
    assert!(site.requests("/quick").is_empty(), "it gave way");
    sqlx::query("update pixcrawler.chunk set since = since - interval '1 minute' where lease is not null")
        .execute(&system.pool)
        .await
        .unwrap();
    worker.logged("slice-asked-to-yield").await;
    site.seen("/quick", 2).await;
}

/// Slices of a worker that is stopped give way to nobody, and keep nobody from asking others.
#[tokio::test]
async fn who_is_deaf_is_not_waited_for() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let pages = ["/a", "/b", "/c", "/d"];
    let all = pages.map(|page| site.gallery(page, 2, None));
    for pictures in &all {
        site.hold(&pictures[1..]);
    }
    let workers = [system.worker(&[("PIXCRAWLER_SLOTS", "2")]).await, {
        for page in &pages[..2] {
            system.create(&[page], 100).await;
            site.busy(&format!("{page}/"), 1).await;
        }
        system.worker(&[("PIXCRAWLER_SLOTS", "2")]).await
    }];
    for page in &pages[2..] {
        system.create(&[page], 100).await;
        site.busy(&format!("{page}/"), 1).await;
    }
    workers[0].freeze();
    site.gallery("/bob", 1, None);
    system.ask_as("bob@example.org", &["/bob"], 100).await.expect(201);
    site.seen("/bob", 2).await;
    let held: i64 = sqlx::query_scalar("select count(*) from pixcrawler.chunk where lease is not null")
        .fetch_one(&system.pool)
        .await
        .unwrap();
    assert!(held >= 2, "the stopped worker was found dead before: {held}");
}

/// A host that is silent takes its places and no more.
#[tokio::test]
async fn a_silent_host_holds_up_nobody_else() {
    let site = Site::start().await;
    let settings = [("PIXCRAWLER_PER_HOST", "8"), ("PIXCRAWLER_DOWNLOADS", "16")];
    let system = System::with(&site, database().await, &settings).await;
    let silent: Vec<_> = (0..100).map(|number| format!("/silent/{number}.png")).collect();
    let quick: Vec<_> = (0..30).map(|number| format!("/quick/{number}.png")).collect();
    for path in &silent {
        site.on(path, [Reply::Hang]);
    }
    for path in &quick {
        site.on(path, [Reply::Picture]);
    }
    let at = |host: &str, paths: &[String]| -> Vec<String> {
        paths.iter().map(|path| format!("http://{host}{path}")).collect()
    };
    site.on("/page", [page(&[at("silent.example", &silent), at("quick.example", &quick)].concat(), None)]);
    let _worker = system.worker(&[]).await;
    let job = system.create(&["/page"], 1000).await;
    system.until(job, "all of the quick host are kept", |job| job["kept"] == quick.len()).await;
    assert_eq!(site.requests("/silent/").len(), 8, "the silent ones were waited for");
    system.tell(job, "cancel").await;

    // Nor where as many are silent as are wanted.
    system.crawl(&["/page"], 8).await;
    assert!(site.requests("/silent/").len() <= 16, "the silent ones were waited for");
}

/// What would have to wait for hours ends the job instead, which says so and may be retried.
#[tokio::test]
async fn nobody_waits_for_hours() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let quick = site.gallery("/gallery", 2, None);
    let later = "/later.png".to_owned();
    site.on("/gallery", [page(&[&quick[..], &["http://later.example/later.png".to_owned()]].concat(), None)]);
    site.on(&later, [Reply::Status(429, Some(7200)), Reply::Picture]);
    site.on("/busy", [Reply::Status(503, Some(7200)), page(&[], None)]);
    let worker = system.worker(&[]).await;
    let job = system.create(&["/gallery"], 100).await;
    let shown = system.until_status(job, "completed").await;
    let error = shown["error"].as_str().unwrap();
    assert!(error.starts_with("kept 2 of 100: then it failed (webpage: 1 picture is left; "), "{error}");
    // Then the host of all pages closes.
    let busy = system.create(&["/busy"], 100).await;
    let shown = system.until_status(busy, "failed").await;
    assert!(shown["error"].as_str().unwrap().contains("nothing can be done before 20"), "{shown:#}");
    // This process heeds what the hosts said; another one does not know.
    worker.kill().await;
    sqlx::query("delete from pixcrawler.pace").execute(&system.pool).await.unwrap();
    let _worker = system.worker(&[]).await;
    system.tell(job, "retry").await;
    let shown = system.until_status(job, "completed").await;
    assert_eq!((&shown["kept"], site.requests("/gallery").len()), (&3.into(), 3), "{shown:#}");
    system.tell(busy, "retry").await;
    system.until_status(busy, "completed").await;
}

/// A limit of slots of a user holds for all workers, and leaves the others to others.
#[tokio::test]
async fn a_user_has_no_more_slots_than_are_allowed() {
    let site = Site::start().await;
    let system = System::with(&site, database().await, &[("PIXCRAWLER_USER_SLOTS", "1")]).await;
    let pages = ["/page/a", "/page/b", "/page/c"];
    let all = pages.map(|page| site.gallery(page, 1, None)).concat();
    site.hold(&all);
    let _workers = [system.worker(&[]).await, system.worker(&[]).await];
    let job = system.create(&pages, 100).await;
    site.seen("/page/", 2).await;
    system
        .until(job, "two parts wait", |job| {
            job["chunks"].as_array().unwrap().iter().filter(|chunk| chunk["state"] == "waiting").count() == 2
        })
        .await;
    site.gallery("/other", 1, None);
    system.ask_as("bob@example.org", &["/other"], 100).await.expect(201);
    site.seen("/other/", 1).await;
    let asked = site.requests("/page/");
    assert_eq!(asked.len(), 2, "one page and its picture: {asked:?}");
    site.release(&all);
    system.until_status(job, "completed").await;
}

#[tokio::test]
async fn a_user_has_no_more_jobs_than_are_allowed() {
    let site = Site::start().await;
    let system = System::with(&site, database().await, &[("PIXCRAWLER_OPEN_JOBS", "1")]).await;
    let refused = async || {
        let answer = system.ask_as("ann@example.org", &["/gallery"], 10).await.expect(429);
        assert_eq!((answer.header("retry-after"), &answer.json()["code"]), (Some("30"), &"too-many".into()));
    };
    let first = system.create(&["/gallery"], 10).await;
    refused().await;
    system.ask_as("bob@example.org", &["/gallery"], 10).await.expect(201);
    system.tell(first, "cancel").await;
    let second = system.create(&["/gallery"], 10).await;
    refused().await;
    let retry = format!("/api/v1/crawl-jobs/{first}/retry");
    let answer = system.post(&retry, &serde_json::json!({})).await.expect(429);
    assert_eq!(answer.json()["code"], "too-many", "one that begins again is open, too");
    system.tell(second, "cancel").await;
    system.tell(first, "retry").await;
}

/// The queue's priorities have 16 bits; virtual time has no end.
#[tokio::test]
async fn turns_are_counted_anew_before_the_count_is_full() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    sqlx::query("update pixcrawler.clock set virtual = 10000").execute(&system.pool).await.unwrap();
    let priority = async |job: i64| -> i16 {
        sqlx::query_scalar("select priority from graphile_worker.jobs where flags ? $1")
            .bind(format!("job:{job}"))
            .fetch_one(&system.pool)
            .await
            .unwrap()
    };
    let all = site.gallery("/first", 1, None);
    site.hold(&all);
    let first = system.create(&["/first"], 100).await;
    assert_eq!(priority(first).await, 5000);
    let worker = system.worker(&[("PIXCRAWLER_SLOTS", "1")]).await;
    site.busy("/first/", 1).await;
    let second = system.create(&["/first"], 100).await;
    worker.logged("turns-renumbered").await;
    // It comes after the first one, which is of the same user.
    assert_eq!(priority(second).await, 1);
}
