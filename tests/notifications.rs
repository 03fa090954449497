//! What a user is told of the end of their jobs, once for each end, and what they did.

use pixcrawler::auth::issuer::user_of;
use serde_json::{Value, json};

use crate::{
    live::{Changes, field},
    support::{
        api::{Api, json as with_body, pointers, send},
        postgres::execute,
        process::System,
        site::Site,
    },
};

/// The notifications of Ann, the oldest first.
async fn told(system: &System) -> Vec<Value> {
    let page = system.get("/api/v1/notifications").await.expect(200).json();
    assert_eq!((&page["items"], &page["meta"]["skip"]), (&page["data"], &json!(0)), "{page}");
    assert_eq!(page["meta"]["total"], page["items"].as_array().unwrap().len(), "{page}");
    page["items"].as_array().unwrap().iter().rev().cloned().collect()
}

#[tokio::test]
async fn each_end_of_a_job_is_told_once() {
    let site = Site::start().await;
    let pictures = site.gallery("/all", 3, None);
    let system = System::start(&site).await;
    let changes = Changes::of(&system.pool).await;

    // However often its worker dies.
    let mut dying = system.worker(&[("PIXCRAWLER_KILL_AT", "after-batch")]).await;
    let all = system.create(&["/all"], 3).await;
    dying.exited().await;
    let _worker = system.worker(&[]).await;
    let done = system.until_status(all, "completed").await;
    let [end] = &told(&system).await[..] else { panic!("{:#?}", told(&system).await) };
    let expected = json!({
        "type": "success", "category": "crawl_job", "title": "Crawl job completed",
        "message": "“test” is ready with 3 images", "icon": "circle-check-big", "color": "green",
        "action_url": format!("/dashboard/datasets/{}", done["dataset_id"]), "action_label": "View dataset",
        "metadata": {
            "job_id": all, "dataset_id": done["dataset_id"], "status": "completed", "valid_images": 3, "max_images": 3,
        },
        "is_read": false, "read_at": null, "user_id": done["user_id"],
    });
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&end[name], value, "{name}");
    }

    // A retry that ends is an end: with fewer than asked, with the reason that the job shows.
    system.post(&format!("/api/v1/crawl-jobs/{all}/retry"), &json!({ "max_images": 5 })).await.expect(200);
    let done = system.until_status(all, "completed").await;
    let end = told(&system).await.pop().unwrap();
    assert_eq!((&end["type"], &end["color"]), (&json!("warning"), &json!("yellow")));
    let reason = done["error"].as_str().unwrap();
    assert_eq!(end["message"], format!("“test” could not bring all images: {reason}"));
    assert_eq!((&end["metadata"]["valid_images"], &end["metadata"]["max_images"]), (&json!(3), &json!(5)));

    let gone = system.create(&["/gone"], 1).await;
    let failed = system.until_status(gone, "failed").await;
    let end = told(&system).await.pop().unwrap();
    assert_eq!((&end["type"], &end["title"]), (&json!("error"), &json!("Crawl job failed")));
    assert_eq!(end["message"], format!("“test” failed: {}", failed["error"].as_str().unwrap()));

    // Who cancels knows it, and who does not want to be told is not.
    site.hold(&pictures);
    let held = system.create(&["/all"], 3).await;
    site.busy("/all/", 1).await;
    system.tell(held, "cancel").await;
    let preferences = "/api/v1/notification-preferences";
    let quiet = json!({ "crawl_jobs_enabled": false });
    system.call("PATCH", preferences, Some(&quiet)).await.expect(200);
    site.release(&pictures);
    system.tell(held, "retry").await;
    system.until_status(held, "completed").await;
    assert_eq!(told(&system).await.len(), 3);
    // Nothing said is the default.
    execute(&system.pool, "delete from notification_preferences").await;
    system.post(&format!("/api/v1/crawl-jobs/{held}/retry"), &json!({ "max_images": 4 })).await.expect(200);
    system.until_status(held, "completed").await;
    assert_eq!(told(&system).await.len(), 4);

    // As the browser is told.
    let rows = changes.read("notifications").await;
    let ann = format!("'{}'", user_of("ann@example.org"));
    let inserted = rows.iter().filter(|(_, row)| row.contains(" INSERT: "));
    let owners: Vec<_> = inserted.map(|(_, row)| field(row, "user_id")).collect();
    assert_eq!(owners, vec![ann; 4]);

    // The same at a glance, and a job as a flow.
    let result = format!("/api/v1/simple-flow/flow_{all:08x}/result");
    let flow = system.get(&result).await.expect(200).json();
    assert_eq!(
        (&flow["total_downloaded"], flow["file_list"].as_array().unwrap().len()),
        (&json!(3), 3),
        "{flow}"
    );
    assert!(flow["processing_time"].as_f64().unwrap() > 0.0, "{flow}");
    system.get(flow["file_list"][0]["path"].as_str().unwrap()).await.expect(200);
    execute(&system.pool, "update images set file_size = 1073741824, created_at = now()").await;
    execute(&system.pool, "update pixcrawler.job set bytes = kept * 1250000000::bigint").await;
    let stats = system.get("/api/v1/dashboard/stats").await.expect(200).json();
    let expected = json!({
        "total_projects": 0, "active_jobs": 0, "total_datasets": 3, "total_images": 6, "storage_used": "7.50 GB",
        "processing_speed": "6/min", "credits_remaining": 100,
    });
    assert_eq!(stats, expected);
    let flow = system.get(&result).await.expect(200).json();
    let sizes = (flow["total_size_bytes"].as_i64(), flow["total_size_mb"].as_f64());
    assert_eq!(sizes, (Some(3 << 30), Some(3072.0)));

    // What happened, as the user reads it.
    let log = system.get("/api/v1/activity?resource_type=crawl_job").await.expect(200).json();
    let held = json!(held.to_string());
    let of_held = log["items"].as_array().unwrap().iter().filter(|entry| entry["resource_id"] == held);
    let actions: Vec<_> = of_held.map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["COMPLETE_CRAWL_JOB", "COMPLETE_CRAWL_JOB", "CANCEL_CRAWL_JOB", "START_CRAWL_JOB"]);
}

#[tokio::test]
async fn notifications_are_read_and_deleted_by_whose_they_are() {
    let api = Api::start().await;
    let (ann, bob) = (api.user("ann@example.org"), api.user("bob@example.org"));
    for user in [&ann, &bob] {
        user.get("/api/v1/auth/me").await.expect(200);
    }
    let rows = "insert into notifications (user_id, type, title, message)
                select id, 'info', number::text, 'x' from profiles, generate_series(1, 4) number order by number, email";
    execute(&api.database.pool, rows).await;
    let list = async |query: &str| ann.get(&format!("/api/v1/notifications{query}")).await.expect(200).json();
    let titles = |page: &Value| -> Vec<String> {
        let items = page["items"].as_array().unwrap().iter();
        items.map(|row| row["title"].as_str().unwrap().to_owned()).collect()
    };
    let all = list("").await;
    assert_eq!(
        (titles(&all), &all["next"]),
        (vec!["4".into(), "3".into(), "2".into(), "1".into()], &Value::Null)
    );
    assert_eq!(all["meta"], json!({ "total": 4, "skip": 0, "limit": 50 }));
    let first = list("?limit=2").await;
    assert_eq!(titles(&first), ["4", "3"]);
    assert_eq!(titles(&list(&format!("?limit=2&after={}", first["next"])).await), ["2", "1"]);
    let skipped = list("?skip=1&limit=2").await;
    assert_eq!((titles(&skipped), &skipped["data"]), (vec!["3".into(), "2".into()], &skipped["items"]));
    assert_eq!(skipped["meta"], json!({ "total": 4, "skip": 1, "limit": 2 }));
    ann.get("/api/v1/notifications?skip=1&after=9").await.expect(422);

    let path = format!("/api/v1/notifications/{}", all["items"][0]["id"]);
    let mark = async |is_read: Value| {
        send(with_body(ann.request("PATCH", &path), &json!({ "is_read": is_read }))).await
    };
    let read = mark(json!(true)).await.expect(200).json();
    assert_eq!(read["data"], json!({ "id": all["items"][0]["id"], "is_read": true }));
    assert!(read["title"] == "4" && read["is_read"] == true && read["read_at"].is_string(), "{read}");
    assert_eq!(mark(json!(true)).await.expect(200).json()["read_at"], read["read_at"]);
    let unread = list("?unread_only=true").await;
    assert_eq!(
        (titles(&unread), &unread["meta"]["total"]),
        (vec!["3".into(), "2".into(), "1".into()], &json!(3))
    );
    assert_eq!(mark(json!(false)).await.expect(200).json()["read_at"], Value::Null);
    assert_eq!(pointers(&mark(json!("yes")).await.expect(422).json()), ["/is_read"]);
    let told = send(with_body(ann.request("PATCH", &path), &json!({}))).await.expect(422).json();
    assert_eq!(pointers(&told), ["/is_read"]);

    let post = || send(ann.request("POST", "/api/v1/notifications/mark-all-read"));
    for count in [4, 0] {
        let marked = post().await.expect(200).json();
        assert_eq!(marked, json!({ "count": count, "data": { "success": true, "count": count } }));
    }
    assert_eq!(send(ann.request("DELETE", &path)).await.expect(200).json()["success"], true);
    send(ann.request("DELETE", &path)).await.expect(404);
    let others = bob.get("/api/v1/notifications?unread_only=true").await.expect(200).json();
    assert_eq!(
        (others["meta"]["total"].as_i64(), list("").await["meta"]["total"].as_i64()),
        (Some(4), Some(3))
    );
    api.stop().await;
}

#[tokio::test]
async fn a_user_says_what_they_want_to_be_told() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let path = "/api/v1/notification-preferences";
    let change = async |body: Value| send(with_body(ann.request("PATCH", path), &body)).await;
    // Before there is a profile.
    let begun = ann.get(path).await.expect(200).json();
    for (name, enabled) in [
        ("email", true),
        ("push", false),
        ("sms", false),
        ("crawl_jobs", true),
        ("datasets", true),
        ("billing", true),
        ("security", true),
        ("marketing", false),
        ("product_updates", true),
    ] {
        let name = format!("{name}_enabled");
        assert_eq!(begun[&name], enabled, "{name}");
        let changed = change(json!({ &name: !enabled })).await.expect(200).json();
        assert_eq!(changed[&name], !enabled, "{name}");
    }
    assert_eq!((&begun["digest_frequency"], &begun["quiet_hours_start"]), (&json!("daily"), &Value::Null));
    let night =
        json!({ "digest_frequency": "never", "quiet_hours_start": "22:00", "quiet_hours_end": "06:30:15" });
    let changed = change(night).await.expect(200).json();
    let hours =
        ["digest_frequency", "quiet_hours_start", "quiet_hours_end"].map(|name| changed[name].clone());
    assert_eq!(hours, [json!("never"), json!("22:00:00"), json!("06:30:15")]);
    let changed = change(json!({ "quiet_hours_start": null })).await.expect(200).json();
    assert_eq!(
        (&changed["quiet_hours_start"], &changed["quiet_hours_end"]),
        (&Value::Null, &json!("06:30:15"))
    );
    for time in ["24:00", "7:00", "22:60", "23:59:60", "22:00:00.5", "", " 22:0"] {
        let told = change(json!({ "quiet_hours_end": time })).await.expect(422).json();
        assert_eq!(pointers(&told), ["/quiet_hours_end"], "{time}");
    }
    let wrong = json!({ "digest_frequency": "hourly", "push_enabled": "yes", "user_id": "x", "quiet_hours_start": 7 });
    let told = change(wrong).await.expect(422).json();
    assert_eq!(pointers(&told), ["/digest_frequency", "/push_enabled", "/quiet_hours_start", "/user_id"]);
    assert_eq!(ann.get(path).await.json(), changed);
    api.stop().await;
}
