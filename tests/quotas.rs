//! What users may have, by tier and by credit, and what they are shown of what they had.

use pixcrawler::auth::issuer::user_of;
use serde_json::{Value, json};

use crate::support::{
    api::{Answer, Api, json as with_body, send},
    database,
    postgres::{as_user, execute},
    process::System,
    site::Site,
};

const JOBS: &str = "/api/v1/crawl-jobs/";

fn foxes(max_images: i32) -> Value {
    json!({ "name": "Foxes", "keywords": ["fox"], "sources": ["openverse"], "max_images": max_images })
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_tier_has_so_much_and_not_more_however_many_ask_at_a_time() {
    let limits = "free.images_per_job=500,free.images_per_day=1000,free.jobs_per_minute=8,pro.images_per_day=5000,\
         small.images_per_day=3,none.jobs_per_minute=0";
    let api = Api::start_with(&["--limits", limits]).await;
    let (ann, pool) = (api.user("ann@example.org"), &api.database.pool);
    let told = ann.post(JOBS, &foxes(501)).await;
    assert_eq!(code(&told), (403, "beyond-tier".to_owned()));
    let limit = json!({ "limit": "images_per_job", "tier": "free", "most": 500, "used": 501 });
    assert_eq!((&told.json()["limit"], told.header("retry-after")), (&limit, None));

    // Of many at a time no two get the same.
    let body = foxes(250);
    let asked = (0..12).map(|_| ann.post(JOBS, &body));
    let answers = futures_util::future::join_all(asked).await;
    let begun: Vec<i64> = answers
        .iter()
        .filter(|answer| answer.status == 201)
        .map(|answer| answer.json()["id"].as_i64().unwrap())
        .collect();
    assert_eq!(begun.len(), 4, "{answers:?}");
    for told in answers.iter().filter(|answer| answer.status != 201) {
        assert_eq!(code(told), (429, "tier-limit".to_owned()));
        let limit = json!({ "limit": "images_per_day", "tier": "free", "most": 1000, "used": 1000 });
        assert_eq!(told.json()["limit"], limit);
        let wait: u32 = told.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=86_400).contains(&wait), "{wait}");
    }
    // What a job does not keep is free again; what it kept is not, wherever its rows are.
    execute(pool, &format!("update pixcrawler.job set kept = 100 where job_id = {}", begun[0])).await;
    for job in &begun[..2] {
        send(ann.request("DELETE", &format!("{JOBS}{job}"))).await.expect(204);
    }
    ann.post(JOBS, &foxes(401)).await.expect(429);
    ann.create(&foxes(300)).await;
    // A retry is counted like a new one, but for what it has.
    let retry = async |job: i64, more: &Value| {
        send(with_body(ann.request("POST", &format!("{JOBS}{job}/retry")), more)).await
    };
    let told = retry(begun[2], &json!({ "max_images": 351 })).await;
    assert_eq!(code(&told), (429, "tier-limit".to_owned()));
    retry(begun[2], &json!({ "max_images": 501 })).await.expect(403);
    retry(begun[2], &json!({ "max_images": 350 })).await.expect(200);
    assert_eq!(ann.get(&format!("{JOBS}{}", begun[2])).await.json()["max_images"], 350);

    // A job can be made smaller also where there is no more.
    execute(pool, "update pixcrawler.usage_day set images = images + 1000").await;
    retry(begun[2], &json!({ "max_images": 340 })).await.expect(200);
    retry(begun[2], &json!({ "max_images": 341 })).await.expect(429);
    execute(pool, "update pixcrawler.usage_day set images = images - 1000").await;

    // The plan of a subscription that is paid for is another tier.
    let plan = async |email: &str, plan: &str, status: &str, end: &str| {
        let row = format!(
            "delete from subscriptions;
             insert into subscriptions (user_id, lemonsqueezy_customer_id, lemonsqueezy_subscription_id,
                 lemonsqueezy_variant_id, plan_id, status, current_period_start, current_period_end)
             values ('{}', 'c', 's', 'v', '{plan}', '{status}', now(), now() + interval '{end}')",
            user_of(email)
        );
        execute(pool, &row).await;
    };
    for (status, end) in [
        ("expired", "1 day"),
        ("unpaid", "1 day"),
        ("paused", "1 day"),
        ("cancelled", "-1 second"),
        ("active", "-4 days"),
        ("past_due", "-15 days"),
    ] {
        plan("ann@example.org", "pro", status, end).await;
        ann.post(JOBS, &foxes(20)).await.expect(429);
    }
    for (status, end) in
        [("cancelled", "1 hour"), ("past_due", "-13 days"), ("on_trial", "0"), ("active", "-2 days")]
    {
        plan("ann@example.org", "pro", status, end).await;
        ann.create(&foxes(501)).await;
    }
    plan("ann@example.org", "without limits", "active", "1 day").await;
    ann.create(&foxes(100_000)).await;

    let bob = api.user("bob@example.org");
    let mut waits = Vec::new();
    for _ in 0..9 {
        waits.push(bob.post(JOBS, &foxes(1)).await);
    }
    let last = waits.pop().unwrap();
    assert!(waits.iter().all(|answer| answer.status == 201), "{waits:?}");
    assert_eq!(code(&last), (429, "tier-limit".to_owned()));
    assert_eq!(last.json()["limit"]["limit"], "jobs_per_minute");
    assert!((1..=60).contains(&last.header("retry-after").unwrap().parse::<u32>().unwrap()), "{last:?}");
    execute(pool, "update activity_logs set timestamp = timestamp - interval '1 minute'").await;
    bob.create(&foxes(1)).await;

    // What waiting does not help is refused for good.
    let refused = async |images: i32, limit: &str, tier: &str, most: i64, used: i64| {
        let told = bob.post(JOBS, &foxes(images)).await;
        assert_eq!(code(&told), (403, "beyond-tier".to_owned()));
        let limit = json!({ "limit": limit, "tier": tier, "most": most, "used": used });
        assert_eq!((&told.json()["limit"], told.header("retry-after")), (&limit, None), "{told:?}");
    };
    plan("bob@example.org", "small", "active", "1 day").await;
    refused(4, "images_per_day", "small", 3, 4).await;
    plan("bob@example.org", "none", "active", "1 day").await;
    refused(1, "jobs_per_minute", "none", 0, 1).await;
    api.stop().await;
}

#[tokio::test]
async fn what_the_frontend_inserts_is_limited_too_and_unknown_limits_are_refused() {
    let settings = [("PIXCRAWLER_LIMITS", "free.images_per_job=5")];
    let system = System::with(&Site::start().await, database().await, &settings).await;
    system.get("/api/v1/auth/me").await.expect(200);
    let ann = user_of("ann@example.org").0;
    let mut client = as_user(&system.pool, "authenticated", ann).await;
    let insert = format!(
        "with project as (insert into projects (name, user_id) values ('cats', '{ann}') returning id) select id from project"
    );
    let project: i32 = sqlx::query_scalar(sqlx::AssertSqlSafe(insert)).fetch_one(&mut *client).await.unwrap();
    let insert = "insert into crawl_jobs (project_id, name, keywords, max_images) values ($1, 'mine', '[\"fox\"]', 6) returning id";
    let job: i32 = sqlx::query_scalar(insert).bind(project).fetch_one(&mut *client).await.unwrap();
    client.commit().await.unwrap();
    let failed = system.until_status(job.into(), "failed").await;
    let said = failed["error"].as_str().unwrap();
    assert!(said.contains("the tier `free` may have at most 5 images, and it asks for 6"), "{said}");
    let dataset = system.get(&format!("/api/v1/datasets/{}", failed["dataset_id"])).await.expect(200).json();
    assert_eq!((&dataset["status"], &dataset["error_message"]), (&json!("failed"), &failed["error"]));

    let run = system.run(&["doctor"], &[("PIXCRAWLER_LIMITS", "free.image_per_day=5")]).await;
    assert_eq!(run.status.code(), Some(2));
    let told = String::from_utf8_lossy(&run.stderr).into_owned();
    assert!(told.contains("did you mean `images_per_day`?"), "{told}");
}

/// A job costs what it keeps, once, whoever is killed and however often it is retried.
#[tokio::test]
async fn each_image_is_paid_once() {
    let site = Site::start().await;
    let settings = [("PIXCRAWLER_CREDITS_PER_IMAGE", "3"), ("PIXCRAWLER_USAGE_EVERY", "100ms")];
    let system = System::with(&site, database().await, &settings).await;
    let gallery = site.gallery("/gallery", 4, None);
    let balance =
        async || system.get("/api/v1/credits/balance").await.expect(200).json()["current_balance"].clone();
    system.get("/api/v1/auth/me").await.expect(200);
    assert_eq!(balance().await, 100);
    // A limit that is no more, and a day of somebody else that cannot be shown and holds up no other.
    let days =
        "insert into usage_metrics (user_id, metric_date, images_limit) select id, now(), 5 from profiles;
        insert into auth.users (id, email) values ('00000000-0000-4000-8000-000000000000', 'zoe@example.org');
        insert into pixcrawler.usage_day (user_id, day, images)
             select id, now() at time zone 'UTC', 1 from profiles where email = 'zoe@example.org';
        create function no_zoe() returns trigger language plpgsql as $$ begin raise exception 'no'; end $$;
        create trigger no_zoe before insert on usage_metrics for each row
             when (new.user_id = '00000000-0000-4000-8000-000000000000') execute function no_zoe()";
    execute(&system.pool, days).await;
    let create = async |images: usize| system.ask_as("ann@example.org", &["/gallery"], images).await;
    let told = create(34).await;
    assert_eq!(code(&told), (402, "credits-short".to_owned()));
    assert!(told.text.contains("102 credits") && told.text.contains("100 that you have"), "{told:?}");
    let job = create(2).await.expect(201).json()["id"].as_i64().unwrap();
    // What open jobs may cost is spoken for.
    assert_eq!(code(&create(32).await).0, 402);

    // Killed after the last image is kept, before the job ends.
    let mut dying = system.begin("worker", &[("PIXCRAWLER_KILL_AT", "after-batch:1")]);
    dying.exited().await;
    assert_eq!(balance().await, 100);
    let worker = system.worker(&[]).await;
    let done = system.until_status(job, "completed").await;
    assert_eq!(done["kept"], 2);
    assert_eq!(balance().await, 94);
    // It goes on for more, and is paid for these.
    let more = system.post(&format!("{JOBS}{job}/retry"), &json!({ "max_images": 4 })).await;
    more.expect(200);
    system.until(job, "all four", |job| job["status"] == "completed" && job["kept"] == 4).await;
    let listed = system.get("/api/v1/credits/transactions?type=usage").await.expect(200).json();
    let rows = listed["data"].as_array().unwrap();
    let amounts: Vec<_> = rows.iter().map(|row| (&row["amount"], &row["balance_after"])).collect();
    assert_eq!(amounts, [(&json!(-6), &json!(88)), (&json!(-6), &json!(94))]);
    let expected = json!({ "job_id": job, "images": 2, "credits_per_image": 3 });
    assert_eq!((&rows[0]["metadata"], &rows[0]["is_debit"]), (&expected, &json!(true)));
    assert_eq!(listed["meta"], json!({ "total": 2, "skip": 0, "limit": 50 }));
    // Ended again with nothing new, it costs nothing.
    system.post(&format!("{JOBS}{job}/retry"), &json!({ "max_images": 5, "update": true })).await.expect(200);
    system.until(job, "its end", |job| job["status"] == "completed" && job["max_images"] == 5).await;
    assert_eq!(balance().await, 88);
    let used = system.get("/api/v1/credits/usage?days=7").await.expect(200).json();
    assert_eq!((&used["period_usage"], &used["transaction_count"]), (&json!(12), &json!(2)));
    // What an older version left when it ended a job is counted by the next worker.
    execute(&system.pool, "update pixcrawler.job set charged = charged - 1, bytes = 0").await;
    let newer = system.worker(&[]).await;
    let settled = async { while balance().await != 85 {} };
    tokio::time::timeout(crate::support::site::PATIENCE, settled).await.expect("it is charged");
    drop(newer);

    // Somebody else takes the credits of a job that is under way: it is kept and said, and never below 0.
    let held = site.gallery("/held", 1, None);
    site.hold(&held);
    let last = system.create(&["/held"], 1).await;
    site.busy("/held/", 1).await;
    execute(&system.pool, "update credit_accounts set current_balance = 1").await;
    site.release(&held);
    system.until_status(last, "completed").await;
    let listed = system.get("/api/v1/credits/transactions?limit=1").await.expect(200).json();
    let row = &listed["data"][0];
    assert_eq!(
        (&row["amount"], &row["balance_after"], &row["metadata"]["uncovered"]),
        (&json!(-1), &json!(0), &json!(2))
    );

    let stored = system.get("/api/v1/storage/usage").await.expect(200).json();
    let bytes: i64 =
        sqlx::query_scalar("select sum(file_size)::bigint from images where is_valid and not is_duplicate")
            .fetch_one(&system.pool)
            .await
            .unwrap();
    assert_eq!(
        (&stored["file_count"], &stored["total_size_bytes"]),
        (&json!(5), &json!(bytes)),
        "{gallery:?}"
    );
    // And the frontend is shown the day: what is counted in a process is written before it ends.
    let other = system.begin("serve", &[("PIXCRAWLER_SLOTS", "0")]);
    other.logged("ready").await;
    let shown = system.job(job).await;
    let url = format!("http://{}{}", other.address(), shown["manifest_url"].as_str().unwrap());
    let client = reqwest::Client::new();
    let manifest = client.get(url).send().await.unwrap().text().await.unwrap();
    let image: Value = serde_json::from_str(manifest.lines().next().unwrap()).unwrap();
    let picture = client.get(image["download_url"].as_str().unwrap()).send().await.unwrap();
    let sent = picture.bytes().await.unwrap().len();
    let me = format!("http://{}/api/v1/auth/me", other.address());
    send(client.get(me).bearer_auth(system.token())).await.expect(200);
    let mut other = other;
    other.terminate();
    other.exited().await;
    let day: (i64, i64) =
        sqlx::query_as("select api_calls, sent_bytes from pixcrawler.usage_day where images > 1")
            .fetch_one(&system.pool)
            .await
            .unwrap();
    assert!(day.0 >= 1 && day.1 == i64::try_from(sent).unwrap(), "{day:?} {sent}");
    let seen = async {
        loop {
            let row: Option<(i32, i32, i32)> =
                sqlx::query_as("select images_processed, api_calls, images_limit from usage_metrics")
                    .fetch_optional(&system.pool)
                    .await
                    .unwrap();
            if let Some((6, 1.., 10_000)) = row {
                return;
            }
        }
    };
    tokio::time::timeout(crate::support::site::PATIENCE, seen).await.expect("the day is shown");
    drop(worker);
}

#[tokio::test]
async fn the_original_makes_a_key_and_the_operator_one_for_the_local_user() {
    let system = System::start(&Site::start().await).await;
    let door = system.door().address();
    let ask = async |method: &str, path: &str, bearer: &str| {
        let url = format!("http://{door}/api/v1{path}");
        send(reqwest::Client::new().request(method.parse().unwrap(), url).bearer_auth(bearer)).await
    };
    let without = reqwest::Client::new().post(format!("http://{door}/api/v1/tokens/generate"));
    assert_eq!(code(&send(without).await), (401, "unauthorized".to_owned()));
    let made = system.post("/api/v1/tokens/generate", &json!({})).await.expect(201).json();
    assert_eq!(made["token_type"], "service");
    assert_eq!(
        ask("GET", "/auth/me", made["token"].as_str().unwrap()).await.expect(200).json()["email"],
        "ann@example.org"
    );
    let told = system.get("/api/v1/tokens/current").await.expect(404).json();
    assert!(told["detail"].as_str().unwrap().contains("shown once"), "{told}");

    let made = system
        .tool(&["api-key", "create", "--name", "nightly", "--permission", "read,delete", "--json"], &[])
        .await;
    let made: Value = serde_json::from_str(&made).unwrap();
    let key = made["key"].as_str().unwrap();
    assert_eq!(ask("GET", "/crawl-jobs", key).await.expect(200).json()["items"], json!([]));
    let plain = system.tool(&["api-key", "create", "--name", "plain"], &[]).await;
    ask("GET", "/auth/me", plain.trim()).await.expect(200);
    let listed = system.tool(&["api-key", "list"], &[]).await;
    assert!(
        listed.contains("nightly") && listed.contains("read,delete") && !listed.contains(key),
        "{listed}"
    );
    let id = made["id"].as_str().unwrap();
    system.tool(&["api-key", "revoke", id], &[]).await;
    ask("GET", "/crawl-jobs", key).await.expect(401);
    let other = system.fails(&["api-key", "revoke", &uuid::Uuid::nil().to_string()], &[]).await;
    assert!(other.contains("there is no API key"), "{other}");
    let wrong = system.run(&["api-key", "create", "--name", "x", "--permission", "raed"], &[]).await;
    assert_eq!(wrong.status.code(), Some(2));
    let told = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert!(told.contains("--permission") && told.contains("did you mean `read`?"), "{told}");
}
