//! Users as their operator sees them: what each holds, the end of one, and objects that are nobody's.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use pixcrawler::auth::issuer::{Issuer, user_of};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    api::{Answer, send},
    database,
    postgres::execute,
    process::System,
    site::{Site, page, picture},
};

/// Objects of a user, sorted.
fn objects(system: &System, user: &str) -> Vec<PathBuf> {
    fn files(folder: &Path) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
        let entries = entries.map(|entry| entry.unwrap().path());
        entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
    }
    let mut files = files(&system.objects().join(user));
    files.sort();
    files
}

fn id(email: &str) -> String {
    user_of(email).to_string()
}

/// A request of whoever has this token.
async fn ask(system: &System, token: &str, method: &str, path: &str) -> Answer {
    let url = format!("http://{}/api/v1{path}", system.door().address());
    send(reqwest::Client::new().request(method.parse().unwrap(), url).bearer_auth(token)).await
}

fn token(system: &System, email: &str) -> String {
    Issuer::open(&system.data()).unwrap().issue(email, Duration::from_secs(3600)).unwrap()
}

/// How many rows of a user each table has, of those that have any.
async fn rows(system: &System, user: &str) -> Vec<(String, i64)> {
    let tables: Vec<(String, String)> = sqlx::query_as(
        "select c.table_name::text, c.column_name::text from information_schema.columns c
         join information_schema.tables using (table_schema, table_name)
          where c.table_schema = 'public' and table_type = 'BASE TABLE'
            and (c.column_name = 'user_id' or c.table_name = 'profiles' and c.column_name = 'id') order by 1",
    )
    .fetch_all(&system.pool)
    .await
    .unwrap();
    assert!(tables.len() > 10, "{tables:?}");
    let mut counts = Vec::new();
    for (table, column) in tables {
        let query = format!("select count(*) from public.{table} where {column} = '{user}'");
        let count = sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(&system.pool).await.unwrap();
        if count > 0 {
            counts.push((table, count));
        }
    }
    counts
}

fn size(pictures: &[String]) -> i64 {
    pictures.iter().map(|path| i64::try_from(picture(path).len()).unwrap()).sum()
}

#[tokio::test]
async fn a_user_goes_with_rows_and_objects_and_no_token_brings_them_back() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let pictures = site.gallery("/gallery", 3, None);
    let worker = system.worker(&[]).await;
    let ann = "ann@example.org";
    let job = system.create(&["/gallery"], 3).await;
    system.until_status(job, "completed").await;
    // The same pictures in another dataset are stored once, and those of another user apart.
    let job = system.create(&["/gallery"], 3).await;
    system.until_status(job, "completed").await;
    system.ask_as("bob@example.org", &["/gallery"], 3).await.expect(201);
    let bob = token(&system, "bob@example.org");
    let wait = async {
        while ask(&system, &bob, "GET", "/crawl-jobs/").await.json()["items"][0]["status"] != "completed" {}
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.unwrap();
    let bytes = size(&pictures);
    let text = system.door().get("/metrics").await.expect(200).text;
    assert!(text.contains(&format!("\npixcrawler_stored_bytes {}", 2 * bytes)), "{text}");
    let listed: Value = serde_json::from_str(&system.tool(&["user", "list", "--json"], &[]).await).unwrap();
    let of =
        |email: &str| listed["users"].as_array().unwrap().iter().find(|user| user["email"] == email).unwrap();
    assert_eq!(
        (&of(ann)["jobs"], &of(ann)["images"], &of(ann)["bytes"]),
        (&json!(2), &json!(6), &json!(bytes))
    );
    assert_eq!(
        (&of("bob@example.org")["id"], &listed["bytes"]),
        (&json!(id("bob@example.org")), &json!(2 * bytes))
    );

    // While a worker downloads for her.
    let slow = site.gallery("/slow", 1, None);
    site.hold(&slow);
    system.create(&["/slow"], 1).await;
    site.busy("/slow/", 1).await;
    for confirm in ["", "?confirm=bob@example.org", "?confirm=yes"] {
        let told = system.call("DELETE", &format!("/api/v1/auth/me{confirm}"), None).await.expect(422).json();
        assert!(told["detail"].as_str().unwrap().contains("confirm"), "{told}");
    }
    assert_eq!(objects(&system, &id(ann)).len(), 3);
    system.call("DELETE", "/api/v1/auth/me?confirm=Ann@example.org", None).await.expect(204);
    site.closed("/slow/").await;
    worker.logged("cancel-heard").await;
    assert_eq!(rows(&system, &id(ann)).await, []);
    assert!(!system.objects().join(id(ann)).exists());
    assert_eq!(objects(&system, &id("bob@example.org")).len(), 3, "what is another's stays");

    let told = system.get("/api/v1/auth/me").await.expect(401).json();
    assert!(told["detail"].as_str().unwrap().contains("deleted"), "{told}");
    system.call("POST", "/api/v1/auth/sync-profile", None).await.expect(401);
    system.call("DELETE", "/api/v1/auth/me?confirm=ann@example.org", None).await.expect(401);
    assert_eq!(rows(&system, &id(ann)).await, []);
    let anew = token(&system, ann);
    ask(&system, &anew, "GET", "/auth/me").await.expect(200);
    assert_eq!(ask(&system, &anew, "GET", "/crawl-jobs/").await.json()["items"], json!([]));
    // The token from before does not reach what is begun anew, not even to read it.
    for path in ["/auth/me", "/crawl-jobs", "/crawl-jobs/1", "/crawl-jobs/1/manifest", "/sources"] {
        system.get(&format!("/api/v1{path}")).await.expect(401);
    }
    for path in ["/auth/verify-token", "/crawl-jobs/1/cancel"] {
        system.call("POST", &format!("/api/v1{path}"), None).await.expect(401);
    }

    // By the operator, who is asked.
    let asked = system.run(&["user", "delete", "bob@example.org"], &[]).await;
    assert_eq!(asked.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&asked.stderr).contains("bob@example.org  1 job, 3 images"), "{asked:?}");
    let told = system.tool(&["user", "delete", "Bob@example.org", "--yes", "--json"], &[]).await;
    let told: Value = serde_json::from_str(&told).unwrap();
    let expected = json!({
        "user": id("bob@example.org"), "jobs": 1, "objects": 3, "bytes": bytes, "left": 0, "profile": "gone", "account": "gone",
    });
    assert_eq!(told, expected);
    assert_eq!(rows(&system, &id("bob@example.org")).await, []);
    for who in ["bob@example.org", &id("bob@example.org")] {
        let told = system.fails(&["user", "delete", who, "--yes"], &[]).await;
        assert!(told.contains("there is no user") && told.contains("user list"), "{told}");
    }
}

#[tokio::test]
async fn an_end_that_was_interrupted_is_ended_and_what_others_hold_is_said() {
    let site = Site::start().await;
    let database = database().await;
    // A user of Supabase, and a table of somebody else that refers to user and profile.
    let zoe = Uuid::new_v4().to_string();
    database.sign_up(&zoe, "zoe@example.org").await;
    let held = format!(
        "create table public.theirs (of uuid references auth.users (id), profile uuid references public.profiles (id));
         insert into public.theirs values ('{zoe}', '{zoe}')"
    );
    execute(&database.pool, &held).await;
    let system = System::with(&site, database, &[]).await;
    // What passes is no reason to leave the account.
    let locked = "create function public.locked() returns trigger language plpgsql as
             $$ begin raise exception 'canceling statement due to lock timeout' using errcode = '55P03'; end $$;
         create trigger locked before delete on auth.users for each row execute function public.locked()";
    sqlx::raw_sql(locked).execute(&system.pool).await.unwrap();
    let told = system.fails(&["user", "delete", &zoe, "--yes"], &[]).await;
    assert!(told.contains("the same command again goes on") && told.contains("lock timeout"), "{told}");
    execute(&system.pool, "drop function public.locked cascade").await;
    let told = system.tool(&["user", "delete", &zoe, "--yes"], &[]).await;
    assert!(
        told.contains("The profile is empty") && told.contains("theirs") && told.contains("dashboard"),
        "{told}"
    );
    let left = vec![("profiles".to_owned(), 1)];
    assert_eq!(rows(&system, &zoe).await, left);
    execute(&system.pool, "drop table public.theirs").await;
    system.tool(&["user", "delete", &zoe, "--yes"], &[]).await;
    assert_eq!(rows(&system, &zoe).await, []);
    let users: i64 =
        sqlx::query_scalar("select count(*) from auth.users").fetch_one(&system.pool).await.unwrap();
    assert_eq!(users, 0);

    let pictures = site.gallery("/gallery", 2, None);
    let worker = system.worker(&[]).await;
    system.crawl(&["/gallery"], 2).await;
    worker.kill().await;
    let ann = id("ann@example.org");
    assert_eq!(objects(&system, &ann).len(), pictures.len());
    // As a crash after the first step leaves it.
    let begun = format!(
        "insert into pixcrawler.deleted_user (user_id, deleted_at) values ('{ann}', now() - interval '1 hour')
             on conflict (user_id) do update set deleted_at = excluded.deleted_at, done = false"
    );
    execute(&system.pool, &begun).await;
    ended_by_another_meanwhile(&system, &ann).await;
    execute(&system.pool, &begun).await;
    let anew = token(&system, "ann@example.org");
    ask(&system, &anew, "GET", "/auth/me").await.expect(401);
    let server = system.server(&[("PIXCRAWLER_SWEEP_EVERY", "200ms")]).await;
    server.logged_with("user-deleted", |line| line["user"] == ann.as_str()).await;
    assert_eq!(rows(&system, &ann).await, []);
    assert_eq!(objects(&system, &ann).len(), 0);
}

/// Whoever waits for another process that ends this user, by itself or because somebody asked, leaves alone what
/// the user has begun anew since.
async fn ended_by_another_meanwhile(system: &System, user: &str) {
    let before = rows(system, user).await;
    let mut other = system.pool.acquire().await.unwrap();
    let lock = sqlx::query("select pg_advisory_lock(hashtext('pixcrawler.end-of-user'), hashtext($1))");
    lock.bind(user).execute(&mut *other).await.unwrap();
    let server = system.server(&[("PIXCRAWLER_SWEEP_EVERY", "200ms")]).await;
    let ended = async {
        let waiting = || {
            sqlx::query_scalar::<_, i64>(
                "select count(*) from pg_locks where locktype = 'advisory' and not granted
                    and database = (select oid from pg_database where datname = current_database())",
            )
        };
        let wait = async { while waiting().fetch_one(&system.pool).await.unwrap() < 2 {} };
        tokio::time::timeout(Duration::from_secs(60), wait).await.expect("both wait");
        execute(
            &system.pool,
            &format!(
                "update pixcrawler.deleted_user set done = true, deleted_at = now() where user_id = '{user}'"
            ),
        )
        .await;
        sqlx::query("select pg_advisory_unlock_all()").execute(&mut *other).await.unwrap();
    };
    let arguments = ["user", "delete", user, "--yes"];
    let (told, ()) = tokio::join!(system.fails(&arguments, &[]), ended);
    assert!(told.contains("another process deleted this user"), "{told}");
    server.logged("swept").await;
    assert_eq!(rows(system, user).await, before);
    assert_eq!(objects(system, user).len(), 2);
    server.kill().await;
}

#[tokio::test]
async fn objects_that_no_row_names_are_swept_when_they_are_old() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let all = site.gallery("/all", 3, None);
    site.on("/some", [page(&all[..2], None)]);
    let worker = system.worker(&[]).await;
    let all = system.create(&["/all"], 3).await;
    system.until_status(all, "completed").await;
    let some = system.create(&["/some"], 2).await;
    system.until_status(some, "completed").await;
    worker.kill().await;
    system.call("DELETE", &format!("/api/v1/crawl-jobs/{all}"), None).await.expect(204);
    let ann = id("ann@example.org");
    // And what was left of somebody of whom nothing is known any more.
    let stray = system.objects().join(format!("{}/ab/{}.png", Uuid::new_v4(), "ab".repeat(32)));
    fs::create_dir_all(stray.parent().unwrap()).unwrap();
    fs::write(&stray, "0123456789").unwrap();
    assert_eq!(objects(&system, &ann).len(), 3);

    let sweep = async |arguments: &[&str], code: i32| -> Value {
        let output = system.run(&[&["sweep", "--json"], arguments].concat(), &[]).await;
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let done = sweep(&[], 0).await;
    assert_eq!(
        (&done["objects"], &done["swept"], &done["spared"]),
        (&json!(4), &json!(0), &json!(2)),
        "they are young"
    );
    let age = |path: &Path, hours: u64| {
        let time = SystemTime::now() - Duration::from_secs(hours * 3600);
        File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    };
    objects(&system, &ann).iter().for_each(|path| age(path, 25));
    age(&stray, 23);
    // Other databases of the folder may not be noted yet: as after an update from a version that did not.
    let own: Vec<PathBuf> = fs::read_dir(system.objects().join("databases"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let done = sweep(&[], 0).await;
    assert_eq!((&done["swept"], &done["spared"]), (&json!(0), &json!(2)));
    assert!(done["waits_until"].as_str().unwrap().ends_with('Z'), "{done}");
    let told = system.tool(&["sweep"], &[]).await;
    assert!(told.contains("Nothing is deleted before"), "{told}");
    age(&own[0], 25);
    let done = sweep(&["--dry-run"], 0).await;
    assert_eq!((&done["swept"], &done["spared"], &done["missing"]), (&json!(1), &json!(1), &json!(0)));
    assert_eq!(objects(&system, &ann).len(), 3);

    // Nobody deletes what others read, or what a second database may name.
    let mut reader = system.pool.acquire().await.unwrap();
    let lock = "select pg_advisory_lock_shared(hashtext('pixcrawler.objects'))";
    sqlx::query(lock).execute(&mut *reader).await.unwrap();
    let told = system.fails(&["sweep"], &[]).await;
    assert!(told.contains("is under way"), "{told}");
    sqlx::query("select pg_advisory_unlock_all()").execute(&mut *reader).await.unwrap();
    drop(reader);
    let other = system.objects().join("databases/0123");
    fs::write(&other, "").unwrap();
    let told = system.fails(&["sweep"], &[]).await;
    assert!(told.contains("another database") && told.contains("0123"), "{told}");
    fs::remove_file(&other).unwrap();
    let private = system.data().join("postgres");
    fs::create_dir(&private).unwrap();
    let told = system.fails(&["sweep"], &[]).await;
    assert!(told.contains("another database") && told.contains("private"), "{told}");
    fs::remove_dir(&private).unwrap();
    fs::remove_file(system.objects().join("databases/private")).unwrap();

    assert_eq!(sweep(&[], 0).await["swept"], 1);
    let left = objects(&system, &ann);
    assert_eq!(left.len(), 2, "what another job names stays");
    let shown =
        system.get(&format!("/api/v1/crawl-jobs/{some}/images?verdict=kept")).await.expect(200).json();
    for image in shown["items"].as_array().unwrap() {
        system.get(image["storage_url"].as_str().unwrap()).await.expect(200);
    }
    // By itself, and what is missing is said.
    age(&stray, 25);
    fs::remove_file(&left[0]).unwrap();
    let server = system.server(&[("PIXCRAWLER_SWEEP_EVERY", "200ms")]).await;
    let swept = server.logged("swept").await;
    assert_eq!((&swept["swept"], &swept["swept_bytes"]), (&json!(1), &json!(10)));
    server.logged("objects-missing").await;
    assert!(!stray.parent().unwrap().parent().unwrap().exists(), "no folder is left of it");
    drop(server);
    let done = sweep(&[], 1).await;
    let path = left[0].strip_prefix(system.objects()).unwrap().to_str().unwrap();
    assert_eq!((&done["missing"], &done["missing_paths"]), (&json!(1), &json!([path])));

    // Her id is the same in each database of this folder, so with another one there her objects stay.
    fs::write(&other, "").unwrap();
    let delete = async || -> Value {
        let told = system.tool(&["user", "delete", &ann, "--yes", "--json"], &[]).await;
        serde_json::from_str(&told).unwrap()
    };
    let told = delete().await;
    assert_eq!((&told["jobs"], &told["objects"], &told["left"]), (&json!(1), &json!(0), &json!(1)));
    assert_eq!(rows(&system, &ann).await, []);
    fs::remove_file(&other).unwrap();
    // Or may be there: the object is older than what is known of the folder.
    for (hours, deleted) in [(1, 0), (25, 1)] {
        age(&own[0], hours);
        execute(&system.pool, "update pixcrawler.deleted_user set done = false").await;
        let told = delete().await;
        assert_eq!((&told["objects"], &told["left"]), (&json!(deleted), &json!(1 - deleted)));
        assert_eq!(objects(&system, &ann).len(), 1 - deleted);
    }
}
