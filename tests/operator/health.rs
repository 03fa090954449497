//! Versions that fail, sources that are paused, and who is told.

use serde_json::{Value, json};

use super::system;
use crate::support::{
    process::System,
    site::{ORIGIN, Reply, Site},
};

impl System {
    /// Whether the metrics show this source in this condition.
    async fn is_measured(&self, id: &str, condition: &str) -> bool {
        let text = self.get("/metrics").await.expect(200).text;
        text.contains(&format!(r#"pixcrawler_source_health{{source="{id}",condition="{condition}"}} 1"#))
    }

    /// Waits until the job has ended, well or not.
    async fn until_ended(&self, id: i64) -> Value {
        self.until(id, "it ends", |job| job["status"] == "completed" || job["status"] == "failed").await
    }
}

#[tokio::test]
async fn a_version_that_faults_is_left_aside_for_the_one_before() {
    let site = Site::start().await;
    for keyword in ["fox", "owl"] {
        site.on(&format!("/{keyword}.png"), [Reply::Picture]);
        let page = Reply::Page(format!("{ORIGIN}/{keyword}.png"));
        for path in ["page/1", "next/1", "broken"] {
            site.on(&format!("/{path}?q={keyword}"), [page.clone()]);
        }
    }
    let system = system(&site).await;
    let workers = [system.worker(&[]).await, system.worker(&[]).await];
    system.install("steps").await;
    system.install("upgrade-broken").await;
    for process in workers.iter().chain([system.door()]) {
        process.took_up("0.3.0", true).await;
    }
    // No chunk fails for it: each waits and is tried again until the version is given up.
    let job = system.create_of("steps", &["fox", "owl"]).await;
    let waiting = |job: &Value| {
        job["chunks"]
            .as_array()
            .unwrap()
            .iter()
            .all(|chunk| chunk["state_detail"].to_string().contains("nobody tried"))
    };
    system.until(job, "both chunks wait", waiting).await;
    assert!(system.is_measured("steps", "degraded").await);
    system.hurry().await;
    for process in workers.iter().chain([system.door()]) {
        process.took_up("0.1.0", true).await;
    }
    let done = system.until_hurried(job, "it completes", |job| job["status"] == "completed").await;
    assert_eq!(done["kept"], 2, "{done:#}");
    assert_eq!(site.requests("/page/1").len(), 2, "{:?}", site.requests("/"));
    let said: usize = workers.iter().map(|worker| worker.lines("source-rolled-back").len()).sum();
    assert_eq!(said, 1);

    let shown = system.source("steps").await;
    assert_eq!((&shown["version"], &shown["available"]), (&json!("0.1.0"), &json!(true)));
    assert_eq!(shown["health"]["condition"], "degraded");
    let reason = shown["health"]["reason"].as_str().unwrap();
    assert!(reason.contains("version 0.3.0 is installed but left aside"), "{reason}");
    assert!(shown["health"]["since"].is_string(), "{shown}");
    let listed = system.listed("steps").await;
    assert_eq!(listed["rolled_back"]["version"], "0.3.0", "{listed}");
    assert!(listed["health"]["detail"].as_str().unwrap().contains("nobody tried this version"), "{listed}");

    // A host that starts now does as the others do.
    let late = system.worker(&[]).await;
    late.took_up("0.1.0", true).await;
    drop(late);

    // Another version is given its chance.
    system.install("upgrade").await;
    for process in workers.iter().chain([system.door()]) {
        process.took_up("0.2.0", true).await;
    }
    let job = system.create_of("steps", &["fox"]).await;
    system.until_status(job, "completed").await;
    assert_eq!(site.requests("/next/1").len(), 1, "{:?}", site.requests("/"));
    let shown = system.source("steps").await;
    assert_eq!((&shown["version"], &shown["health"]["condition"]), (&json!("0.2.0"), &json!("ok")));
}

#[tokio::test]
async fn a_source_that_faults_is_paused_for_a_while() {
    let site = Site::start().await;
    let system = system(&site).await;
    let worker = system.worker(&[("PIXCRAWLER_SLOTS", "1")]).await;
    system.install_for(&worker, "trap").await;
    let job = system.create_of("trap", &["a", "b", "c", "d", "e", "f", "g", "h"]).await;
    let chunks = |job: &Value, status: &str| {
        job["chunks"].as_array().unwrap().iter().filter(|chunk| chunk["status"] == status).count()
    };
    let paused = system.until(job, "three fail", |job| chunks(job, "failed") == 3).await;
    let waiting = |job: &Value| {
        let chunks = job["chunks"].as_array().unwrap().iter();
        chunks
            .filter(|chunk| chunk["state_detail"].to_string().contains("paused: its plugin faulted"))
            .count()
            == 5
    };
    system.until(job, "the others wait", waiting).await;
    assert_eq!(paused["status"], "running");
    assert_eq!(worker.lines("source-paused").len(), 1);

    let shown = system.source("trap").await;
    assert_eq!((&shown["health"]["condition"], &shown["available"]), (&json!("paused"), &json!(false)));
    assert!(shown["health"]["resumes_at"].is_string() && shown["health"]["since"].is_string(), "{shown}");
    // What a user looked for is not told to others.
    assert!(!shown.to_string().contains("no page for"), "{shown}");
    let listed = system.listed("trap").await;
    assert!(listed["health"]["detail"].as_str().unwrap().contains("no page for"), "{listed}");
    assert_eq!((&listed["status"], &listed["reason"]), (&json!("unavailable"), &shown["unavailable_reason"]));
    let doctor = system.tool(&["doctor", "--port", "0"], &[]).await;
    assert!(doctor.contains("note   source trap        it is paused: its plugin faulted"), "{doctor}");
    assert!(system.refused("trap").await.contains("plugin enable trap"));
    assert!(system.is_measured("trap", "paused").await);

    // The operator says that it is well again; it is not, and as many faults as before tell.
    system.plugin(&["enable", "trap"]).await;
    worker.logged_with("source-loaded", |_| true).await;
    system.until_hurried(job, "three more fail", |job| chunks(job, "failed") == 6).await;
    assert_eq!(system.source("trap").await["health"]["condition"], "paused");
    let minutes: f64 = sqlx::query_scalar(
        "select (extract(epoch from resumes_at - paused_at) / 60)::float8 from pixcrawler.source where id = 'trap'",
    )
    .fetch_one(&system.pool)
    .await
    .unwrap();
    assert!((9.9..10.1).contains(&minutes), "one user alone does not make the pauses longer: {minutes}");

    // Nobody waits for it for ever.
    sqlx::query(
        "update pixcrawler.chunk set paused_since = now() - interval '24 hours'
          where id = (select min(id) from pixcrawler.chunk where state = 'waiting')",
    )
    .execute(&system.pool)
    .await
    .unwrap();
    let given_up = system.until_hurried(job, "one is given up", |job| chunks(job, "failed") == 7).await;
    assert!(given_up["chunks"].to_string().contains("waited for 24 hours"), "{given_up:#}");

    // Time passes: it is tried again by itself.
    sqlx::query("update pixcrawler.source set resumes_at = now() where id = 'trap'")
        .execute(&system.pool)
        .await
        .unwrap();
    assert_eq!(system.source("trap").await["health"]["condition"], "degraded");
    let over = system.until_hurried(job, "the last fails", |job| job["status"] == "failed").await;
    assert_eq!(chunks(&over, "failed"), 8, "{over:#}");
    let figures = &system.source("trap").await["figures"];
    assert_eq!((&figures["faults"], &figures["steps"]), (&json!(7), &json!(0)), "{figures}");
    assert_eq!(system.source("trap").await["health"]["condition"], "degraded", "one fault is one fault");
}

#[tokio::test]
async fn one_input_pauses_nothing() {
    let site = Site::start().await;
    let system = system(&site).await;
    let worker = system.worker(&[("PIXCRAWLER_SLOTS", "1")]).await;
    system.install_for(&worker, "trap").await;
    for _ in 0..4 {
        let job = system.create_of("trap", &["a"]).await;
        system.until_status(job, "failed").await;
    }
    let shown = system.source("trap").await;
    assert_eq!((&shown["health"]["condition"], &shown["available"]), (&json!("degraded"), &json!(true)));
}

#[tokio::test]
async fn a_refused_credential_pauses_until_there_is_another() {
    let site = Site::start().await;
    site.on("/header/fox", [Reply::Status(401, None)]);
    let system = system(&site).await;
    let worker = system.worker(&[]).await;
    system.install_for(&worker, "keys").await;
    let job = system.create_of("keys", &["fox"]).await;
    system.until_status(job, "failed").await;
    let refused = system.refused("keys").await;
    assert!(refused.contains("paused: its credential is missing or refused"), "{refused}");
    let listed = system.listed("keys").await;
    assert_eq!(listed["health"]["condition"], "paused", "{listed}");
    assert!(listed["health"]["resumes_at"].is_null(), "{listed}");

    // With another credential it is not paused, and what goes well ends the pause.
    site.on("/header/fox", [Reply::Page("nothing".to_owned())]);
    let two = ("PIXCRAWLER_CREDENTIALS", "keys.header=two");
    worker.kill().await;
    let _worker = system.worker(&[two]).await;
    // The server has still the first; who asks has what the second worker has.
    let listed = system.listed_with("keys", &[two]).await;
    assert_eq!(listed["health"]["condition"], "paused", "{listed}");
    let same = |role: &str| {
        let mut configured = listed["configured"].as_array().unwrap().iter();
        let last = configured.rfind(|held| held["role"] == role).unwrap();
        assert_eq!(last["credentials"], json!(["header"]), "{listed}");
        last["same_as_judge"].as_bool().unwrap()
    };
    assert_eq!(["server", "worker", "shell"].map(same), [true, false, false], "{listed}");
    let text = system.plugin_with(&["list"], &[two]).await;
    assert!(text.contains("; this shell has header with another secret"), "{text}");
    system.tell(job, "retry").await;
    system.until_ended(job).await;
    assert_eq!(system.listed("keys").await["health"]["condition"], "ok");
}

#[tokio::test]
async fn what_was_found_before_a_pause_is_kept_all_the_same() {
    let site = Site::start().await;
    site.on("/header/owl", [Reply::Page(String::new())]);
    site.on("/header/owl.png", [Reply::Redirect("http://pictures.example/owl".to_owned())]);
    site.on("/owl", [Reply::Status(429, Some(60)), Reply::Picture]);
    site.on("/header/fox", [Reply::Status(401, None)]);
    let system = system(&site).await;
    let worker = system.worker(&[]).await;
    system.install("keys").await;
    for process in [system.door(), &worker] {
        process.logged_with("source-loaded", |line| line["source"] == "keys").await;
    }
    let found = system.create_of("keys", &["owl"]).await;
    let waits = |job: &Value| job["chunks"][0]["state_detail"].to_string().contains("come back later");
    system.until(found, "its picture waits", waits).await;
    // Another knows nothing of the host that asked to wait.
    worker.kill().await;
    let _worker = system.worker(&[]).await;
    let refused = system.create_of("keys", &["fox"]).await;
    system.until_status(refused, "failed").await;
    assert_eq!(system.source("keys").await["health"]["condition"], "paused");
    let done = system
        .until_hurried(found, "it ends", |job| job["status"] == "completed" || job["status"] == "failed")
        .await;
    assert_eq!((&done["status"], &done["kept"]), (&json!("completed"), &json!(1)), "{done:#}");
}

#[tokio::test]
async fn pictures_wait_for_a_better_credential() {
    let site = Site::start().await;
    site.on("/header/owl", [Reply::Page(String::new())]);
    site.on("/header/owl.png", [Reply::Status(401, None)]);
    let system = system(&site).await;
    let worker = system.worker(&[]).await;
    system.install_for(&worker, "keys").await;
    let job = system.create_of("keys", &["owl"]).await;
    let failed = system.until_status(job, "failed").await;
    assert!(
        failed.to_string().contains("its pictures need another credential `header`: status 401"),
        "{failed:#}"
    );
    assert_eq!(failed["refused"], json!({}), "{failed:#}");

    site.on("/header/owl.png", [Reply::Picture]);
    worker.kill().await;
    let _worker = system.worker(&[("PIXCRAWLER_CREDENTIALS", "keys.header=two")]).await;
    system.tell(job, "retry").await;
    assert_eq!(system.until_ended(job).await["kept"], 1);
    assert_eq!(site.requests("/header/owl").len(), 3, "the page once, the picture twice");
}

#[tokio::test]
async fn a_pause_that_is_over_is_forgotten() {
    let site = Site::start().await;
    site.on("/page/1?q=fox", [Reply::Status(429, Some(3600))]);
    let system = system(&site).await;
    let worker = system.worker(&[]).await;
    system.install_for(&worker, "steps").await;
    let job = system.create_of("steps", &["fox"]).await;
    system.until(job, "it waits", |_| worker.lines("source-deferred").len() == 1).await;
    sqlx::query("update pixcrawler.chunk set paused_since = now() - interval '25 hours'")
        .execute(&system.pool)
        .await
        .unwrap();
    system.until_hurried(job, "it waits again", |_| worker.lines("source-deferred").len() > 1).await;
    let since: Option<chrono::DateTime<chrono::Utc>> =
        sqlx::query_scalar("select paused_since from pixcrawler.chunk")
            .fetch_one(&system.pool)
            .await
            .unwrap();
    assert_eq!(since, None);
}

#[tokio::test]
async fn what_a_source_is_paused_for_stays() {
    let site = Site::start().await;
    site.on("/header/fox", [Reply::Status(401, None)]);
    site.on("/header/owl", [Reply::Held(Box::new(Reply::Page("the layout has changed".to_owned())))]);
    let system = system(&site).await;
    let worker = system.worker(&[]).await;
    system.install_for(&worker, "keys").await;
    let owl = system.create_of("keys", &["owl"]).await;
    site.seen("/header/owl", 1).await;
    let fox = system.create_of("keys", &["fox"]).await;
    system.until_status(fox, "failed").await;
    site.release(&["/header/owl"]);
    system.until_status(owl, "failed").await;
    let health = &system.listed("keys").await["health"];
    assert_eq!(health["condition"], "paused", "{health}");
    assert!(health["reason"].as_str().unwrap().contains("its credential is missing or refused"), "{health}");
    assert!(system.refused("keys").await.contains("paused: its credential is missing or refused"));
}

#[tokio::test]
async fn a_version_that_did_well_is_not_given_up() {
    let site = Site::start().await;
    let keywords = ["fox", "owl", "cat"];
    for keyword in keywords {
        site.on(&format!("/broken?q={keyword}"), [Reply::Page(String::new())]);
    }
    let system = system(&site).await;
    let worker = system.worker(&[("PIXCRAWLER_SLOTS", "1")]).await;
    for (guest, version) in [("steps", "0.1.0"), ("upgrade-broken", "0.3.0")] {
        system.install(guest).await;
        for process in [system.door(), &worker] {
            process.took_up(version, true).await;
        }
    }
    let sha256 = system.source("steps").await["sha256"].as_str().unwrap().to_owned();
    sqlx::query("insert into pixcrawler.source (id, digest, did_well) values ('steps', $1, true)")
        .bind(sha256)
        .execute(&system.pool)
        .await
        .unwrap();
    let job = system.create_of("steps", &keywords).await;
    system.until_status(job, "failed").await;
    let shown = system.source("steps").await;
    assert_eq!((&shown["version"], &shown["health"]["condition"]), (&json!("0.3.0"), &json!("paused")));
    assert!(shown["health"]["resumes_at"].is_string(), "{shown}");
}

#[tokio::test]
async fn a_changed_layout_shows_until_the_site_is_understood_again() {
    let site = Site::start().await;
    let system = system(&site).await;
    let worker = system.worker(&[]).await;
    system.install_for(&worker, "keys").await;
    for (page, condition) in [("the layout has changed", "degraded"), ("nothing", "ok")] {
        site.on("/header/fox", [Reply::Page(page.to_owned())]);
        let job = system.create_of("keys", &["fox"]).await;
        system.until_ended(job).await;
        let shown = system.source("keys").await;
        assert_eq!(shown["health"]["condition"], condition, "{shown}");
        assert_eq!(shown["health"]["since"].is_string(), condition == "degraded", "{shown}");
        assert_eq!(
            shown["health"]["reason"].to_string().contains("no longer looks"),
            condition == "degraded"
        );
    }
}
