//! API keys: what a program sends in place of a token.

use chrono::{TimeDelta, Utc};
use futures_util::future::join_all;
use pixcrawler::{
    auth::{issuer::user_of, link::LinkHolder},
    model::ApiKeyId,
};
use serde_json::{Value, json};

use crate::support::{
    api::{Answer, Api, User, json as with_body, pointers, send},
    events::Events,
    postgres::{as_user, execute},
    process::System,
    site::{PATIENCE, Site},
};

const KEYS: &str = "/api/v1/api-keys/";

/// A key of Ann's with these permissions: its row, and the key itself.
async fn make(ann: &User<'_>, permissions: &Value) -> (Value, String) {
    let made =
        ann.post(KEYS, &json!({ "name": "Training", "permissions": permissions })).await.expect(201).json();
    let key = made["key"].as_str().unwrap().to_owned();
    (made, key)
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_key_is_made_once_seen_renamed_and_ended() {
    let api = Api::start().await;
    let (ann, bob) = (api.user("ann@example.org"), api.user("bob@example.org"));
    let wrong = json!({
        "name": "", "permissions": ["read", "crawl_jobs:creat", 7], "rate_limit": 0, "days": 0,
        "expires_at": "2001-01-01T00:00:00Z", "scope": "all",
    });
    let told = ann.post(KEYS, &wrong).await.expect(422).json();
    let expected = [
        "/days",
        "/days",
        "/expires_at",
        "/name",
        "/permissions/1",
        "/permissions/2",
        "/rate_limit",
        "/scope",
    ];
    assert_eq!(pointers(&told), expected, "{told:#}");
    assert!(told.to_string().contains("did you mean `crawl_jobs:create`?"), "{told:#}");
    let told = ann.post(KEYS, &json!({ "name": "x", "permissions": [] })).await.expect(422).json();
    assert!(told.to_string().contains("datasets:export"), "{told:#}");

    let body =
        json!({ "name": " Training ", "permissions": ["read", "read", "datasets:export"], "days": 30 });
    let made = ann.post(KEYS, &body).await.expect(201).json();
    let key = made["key"].as_str().unwrap();
    assert!(key.len() == 72 && key.starts_with(made["key_prefix"].as_str().unwrap()), "{made:#}");
    assert_eq!(made["name"], "Training");
    assert_eq!(
        (&made["permissions"], &made["rate_limit"], &made["status"]),
        (&json!(["read", "datasets:export"]), &json!(1000), &json!("active"))
    );
    // What is kept opens nothing.
    let rows: String = sqlx::query_scalar("select json_agg(k)::text from api_keys k")
        .fetch_one(&api.database.pool)
        .await
        .unwrap();
    assert!(!rows.contains(key) && !rows.contains(&key[20..]), "{rows}");
    let by_key = |method: &str, path: &str| api.request(method, path).bearer_auth(key);
    let me = send(by_key("GET", "/api/v1/auth/me")).await.expect(200).json();
    assert_eq!(me["email"], "ann@example.org");

    let (second, _) = make(&ann, &json!(["write"])).await;
    let listed = ann.get(&format!("{KEYS}?limit=1")).await.expect(200).json();
    assert_eq!((&listed["items"][0]["id"], &listed["items"]), (&second["id"], &listed["data"]));
    assert_eq!(listed["meta"], json!({ "total": 2, "skip": 0, "limit": 1 }));
    for next in [format!("after={}", second["id"].as_str().unwrap()), "skip=1".to_owned()] {
        let rest = ann.get(&format!("{KEYS}?{next}")).await.expect(200).json();
        assert_eq!((&rest["items"][0]["id"], &rest["next"]), (&made["id"], &Value::Null), "{next}");
        assert!(rest["items"][0]["key"].is_null() && !rest.to_string().contains(key), "{rest:#}");
    }
    ann.get(&format!("{KEYS}?skip=1&after={}", second["id"].as_str().unwrap())).await.expect(422);

    let path = format!("{KEYS}{}", made["id"].as_str().unwrap());
    let renamed =
        send(with_body(ann.request("PATCH", &path), &json!({ "name": "Second" }))).await.expect(200).json();
    assert_eq!(renamed["name"], "Second");
    let told =
        send(with_body(ann.request("PATCH", &path), &json!({ "name": "x", "status": "active" }))).await;
    assert_eq!(pointers(&told.expect(422).json()), ["/status"]);
    assert_eq!(bob.get(KEYS).await.expect(200).json()["items"], json!([]));
    send(bob.request("DELETE", &path)).await.expect(404);

    // What was signed for the key ends with it, and so does what it follows.
    let job = ann.create(&json!({ "name": "Foxes", "keywords": ["fox"] })).await;
    let shown = send(by_key("GET", &format!("/api/v1/crawl-jobs/{job}"))).await.expect(200).json();
    let link = shown["events_url"].as_str().unwrap();
    let own = ann.get(&format!("/api/v1/crawl-jobs/{job}")).await.expect(200).json();
    assert!(link.contains("&key=") && !own["events_url"].as_str().unwrap().contains("&key="));
    let mut by_link = Events::open(api.request("GET", link)).await;
    let mut by_header = Events::open(by_key("GET", &format!("/api/v1/crawl-jobs/{job}/events"))).await;
    for events in [&mut by_link, &mut by_header] {
        let (_, followed) = events.next().await.unwrap();
        assert!(followed["events_url"].as_str().unwrap().contains("&key="), "{followed:#}");
    }
    let over = send(ann.request("DELETE", &path)).await.expect(200).json();
    assert_eq!(over["key_id"], made["id"]);
    let told = send(by_key("GET", "/api/v1/auth/me")).await;
    assert_eq!(code(&told), (401, "unauthorized".to_owned()));
    assert!(told.text.contains("revoked") && !told.text.contains(key), "{told:?}");
    for events in [&mut by_link, &mut by_header] {
        assert!(events.next().await.is_none(), "it goes on");
    }
    assert_eq!(code(&api.get(link).await).0, 401);
    let other_way = link.replace(&format!("&key={}", made["id"].as_str().unwrap()), "");
    assert_eq!(code(&api.get(&other_way).await).0, 401, "a link without the key it was made for");
    api.get(own["events_url"].as_str().unwrap().split("/events").next().unwrap()).await.expect(401);
    send(ann.request("DELETE", &path)).await.expect(200);
    assert_eq!(ann.get(KEYS).await.json()["items"][1]["status"], "revoked");

    // No key makes another, nor ends its user.
    let (_, all) = make(&ann, &json!(["admin"])).await;
    for (method, path) in [
        ("POST", KEYS),
        ("GET", KEYS),
        ("DELETE", &*path),
        ("DELETE", "/api/v1/auth/me?confirm=ann@example.org"),
    ] {
        let answer = send(with_body(api.request(method, path).bearer_auth(&all), &body)).await;
        assert_eq!(code(&answer), (403, "key-not-enough".to_owned()), "{method} {path}");
    }
    for nonsense in ["pk_live_", "pk_live_0", &all[..71], &format!("{}0", &all[..71])] {
        let answer = send(api.request("GET", "/api/v1/auth/me").bearer_auth(nonsense)).await;
        assert!(answer.status == 401 || nonsense == all, "{answer:?}");
    }
    api.stop().await;
}

#[tokio::test]
async fn a_key_ends_at_its_time_and_with_its_user_and_odd_rows_open_nothing() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let pool = &api.database.pool;
    let (made, key) = make(&ann, &json!(["read"])).await;
    let ask = async || send(api.request("GET", "/api/v1/auth/me").bearer_auth(&key)).await;
    let id = made["id"].as_str().unwrap();
    execute(pool, &format!("update api_keys set expires_at = now() - interval '1 second' where id = '{id}'"))
        .await;
    assert_eq!(ann.get(KEYS).await.json()["items"][0]["status"], "expired");
    let told = ask().await.expect(401);
    assert!(told.text.contains("expired"), "{told:?}");
    let status: String = sqlx::query_scalar("select status from api_keys").fetch_one(pool).await.unwrap();
    assert_eq!(status, "expired");
    // As a key that the frontend's server has made, or unmade.
    for permissions in
        [json!({ "read": true }), json!("read"), json!(["READ", "root"]), json!([1]), json!([])]
    {
        let row = format!(
            "update api_keys set status = 'active', expires_at = null, permissions = '{permissions}' where id = '{id}'"
        );
        execute(pool, &row).await;
        assert_eq!(code(&ask().await), (403, "key-not-enough".to_owned()), "{permissions}");
        ann.get(KEYS).await.expect(200);
        ann.get(&format!("{KEYS}{id}/usage")).await.expect(200);
    }
    // Its user alone can make none, bring none back and give none away.
    let owner = user_of("ann@example.org").0;
    for (statement, error) in [
        (
            format!(
                "insert into api_keys (user_id, name, key_hash, key_prefix) values ('{owner}', 'x', 'y', 'z')"
            ),
            "42501",
        ),
        ("update api_keys set status = 'active'".to_owned(), "42501"),
        ("update api_keys set permissions = '[\"admin\"]'".to_owned(), "42501"),
        ("select key_hash from api_keys".to_owned(), "42501"),
    ] {
        let mut client = as_user(pool, "authenticated", owner).await;
        let told =
            sqlx::query(sqlx::AssertSqlSafe(statement.clone())).execute(&mut *client).await.unwrap_err();
        assert_eq!(told.as_database_error().unwrap().code().as_deref(), Some(error), "{statement}");
    }
    execute(pool, "update api_keys set permissions = '[\"read\"]'").await;
    ask().await.expect(200);
    let mut client = as_user(pool, "authenticated", owner).await;
    sqlx::query("delete from api_keys").execute(&mut *client).await.unwrap();
    client.commit().await.unwrap();
    ask().await.expect(401);

    let (_, key) = make(&ann, &json!(["admin"])).await;
    send(ann.request("DELETE", "/api/v1/auth/me?confirm=ann@example.org")).await.expect(204);
    send(api.request("GET", "/api/v1/auth/me").bearer_auth(&key)).await.expect(401);
    let again = api.user("ann@example.org");
    assert_eq!(again.get(KEYS).await.expect(200).json()["items"], json!([]));
    send(api.request("GET", "/api/v1/auth/me").bearer_auth(&key)).await.expect(401);
    api.stop().await;
}

/// Links stand in all answers, and open what the key may for which they were made.
#[tokio::test]
async fn a_signed_link_opens_what_its_key_may() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    let job = ann.create(&json!({ "name": "Foxes", "keywords": ["fox"], "sources": ["openverse"] })).await;
    let (events, manifest) =
        (format!("/api/v1/crawl-jobs/{job}/events"), format!("/api/v1/crawl-jobs/{job}/manifest"));
    // Without that image, who may have it is told that it is not there.
    let (file, small) = ("/api/v1/images/7/file", "/api/v1/images/7/thumbnail");
    let links = [
        (&*events, 200, &["read", "crawl_jobs:read"][..]),
        (&*manifest, 200, &["read", "datasets:export"]),
        (file, 404, &["read", "crawl_jobs:read", "datasets:read", "datasets:export"]),
        (small, 404, &["read", "crawl_jobs:read", "datasets:read", "datasets:export"]),
    ];
    // A stream of events does not end.
    let status = async |request: reqwest::RequestBuilder| request.send().await.unwrap().status().as_u16();
    let mut wrong = Vec::new();
    for permission in [
        "read",
        "write",
        "delete",
        "admin",
        "crawl_jobs:create",
        "crawl_jobs:read",
        "crawl_jobs:cancel",
        "datasets:read",
        "datasets:export",
    ] {
        let (made, key) = make(&ann, &json!([permission])).await;
        let id: uuid::Uuid = made["id"].as_str().unwrap().parse().unwrap();
        let holder = LinkHolder { user: user_of("ann@example.org"), api_key: Some(ApiKeyId(id)) };
        for (path, opened, enough) in links {
            let may = permission == "admin" || enough.contains(&permission);
            let expected = if may { opened } else { 403 };
            let link = api.app.links.sign(path, holder, Utc::now() + TimeDelta::minutes(5));
            let by_link = status(api.request("GET", &link)).await;
            let by_key = status(api.request("GET", path).bearer_auth(&key)).await;
            if (by_link, by_key) != (expected, expected) {
                wrong
                    .push(format!("{permission} {path}: {by_link} by link, {by_key} by key, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));

    // As such keys get their links, and as a key that comes to have less.
    let dataset = ann.get(&format!("/api/v1/crawl-jobs/{job}")).await.json()["dataset_id"].clone();
    let (_, writer) = make(&ann, &json!(["write"])).await;
    let path = format!("/api/v1/datasets/{dataset}");
    send(api.request("GET", &path).bearer_auth(&writer)).await.expect(403);
    let changed = send(with_body(api.request("PATCH", &path).bearer_auth(&writer), &json!({}))).await;
    let changed = changed.expect(200).json();
    let told = api.get(changed["latest_job"]["manifest_url"].as_str().unwrap()).await;
    assert_eq!(code(&told), (403, "key-not-enough".to_owned()));
    assert!(told.text.contains("`read`, `datasets:export`, or `admin`"), "{told:?}");
    let (_, reader) = make(&ann, &json!(["read"])).await;
    let shown = send(api.request("GET", &path).bearer_auth(&reader)).await.expect(200).json();
    let link = shown["latest_job"]["manifest_url"].as_str().unwrap();
    api.get(link).await.expect(200);
    execute(&api.database.pool, "update api_keys set permissions = '[\"write\"]'").await;
    assert_eq!(code(&api.get(link).await), (403, "key-not-enough".to_owned()));
    api.stop().await;
}

#[tokio::test]
async fn one_process_counts_exactly_however_many_ask_at_a_time() {
    let api = Api::start().await;
    let ann = api.user("ann@example.org");
    for rate in [1, 2, 5, 10, 20, 40] {
        let body = json!({ "name": "few", "permissions": ["read"], "rate_limit": rate });
        let made = ann.post(KEYS, &body).await.expect(201).json();
        let key = made["key"].as_str().unwrap();
        let asked = (0..rate + 20).map(|_| send(api.request("GET", "/api/v1/auth/me").bearer_auth(key)));
        let answers = join_all(asked).await;
        let admitted = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(admitted, rate, "of the rate {rate}");
    }
    api.stop().await;
}

/// Whatever process is asked, a key has its rate once, and ends at once.
#[tokio::test]
async fn all_processes_count_together_and_know_what_is_revoked() {
    let system = System::start(&Site::start().await).await;
    let mut other = system.begin("serve", &[("PIXCRAWLER_SLOTS", "0")]);
    other.logged("ready").await;
    let body = json!({ "name": "few", "permissions": ["read"], "rate_limit": 6 });
    let few = system.post(KEYS, &body).await.expect(201).json();
    let ask = async |at: std::net::SocketAddr, key: &Value| {
        let request = reqwest::Client::new().get(format!("http://{at}/api/v1/auth/me"));
        send(request.bearer_auth(key.as_str().unwrap())).await
    };
    let doors = [system.door().address(), other.address()];
    let mut answers = Vec::new();
    for count in 0..8 {
        answers.push(ask(doors[count % 2], &few["key"]).await);
    }
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 429, 429]);
    let last = answers.last().unwrap();
    assert_eq!(last.json()["code"], "key-rate");
    let wait: u32 = last.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=3600).contains(&wait), "{wait}");
    assert!(last.json()["detail"].as_str().unwrap().ends_with(" seconds."), "{last:?}");

    let body = json!({ "name": "many", "permissions": ["read"] });
    let many = system.post(KEYS, &body).await.expect(201).json();
    for door in doors {
        ask(door, &many["key"]).await.expect(200);
    }
    let uses = async || {
        let path = format!("{KEYS}{}/usage", many["id"].as_str().unwrap());
        system.get(&path).await.expect(200).json()
    };
    // No request writes by itself; what a process has counted it writes before it ends.
    assert_eq!(uses().await["total_usage"], 0);
    other.terminate();
    other.exited().await;
    let used = uses().await;
    assert_eq!((&used["total_usage"], &used["last_used_ip"]), (&json!(1), &json!("127.0.0.1")), "{used:#}");
    let changed = "select updated_at > created_at from api_keys where name = 'many'";
    let changed: bool = sqlx::query_scalar(changed).fetch_one(&system.pool).await.unwrap();
    assert!(!changed, "a use of it is no change of it");

    // What cannot be written now is written later.
    let away =
        "create function away() returns trigger language plpgsql as $$ begin raise exception 'away'; end $$;
        create trigger away before insert on pixcrawler.api_key_hour for each row execute function away()";
    execute(&system.pool, away).await;
    let late = system
        .post(KEYS, &json!({ "name": "late", "permissions": ["read"], "rate_limit": 6 }))
        .await
        .expect(201)
        .json();
    ask(system.door().address(), &late["key"]).await.expect(200);
    execute(&system.pool, "drop trigger away on pixcrawler.api_key_hour").await;
    let written = "select usage_count from api_keys where name = 'late'";
    let until_written = async {
        while sqlx::query_scalar::<_, i32>(written).fetch_one(&system.pool).await.unwrap() == 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, until_written).await.expect("it is written");

    let other = system.server(&[]).await;
    ask(other.address(), &few["key"]).await.expect(429);
    // The next hour is another one. Who has counted this one knows better, but not who begins.
    execute(&system.pool, "update pixcrawler.api_key_hour set hour = hour - interval '1 hour'").await;
    let later = system.server(&[]).await;
    ask(later.address(), &few["key"]).await.expect(200);
    for key in [&few, &many] {
        system.call("DELETE", &format!("{KEYS}{}", key["id"].as_str().unwrap()), None).await.expect(200);
        for door in [system.door().address(), other.address()] {
            assert_eq!(code(&ask(door, &key["key"]).await), (401, "unauthorized".to_owned()));
        }
        for process in [system.door(), &other] {
            assert!(!process.log().contains(&key["key"].as_str().unwrap()[8..]), "a key is in a log");
        }
    }
}
