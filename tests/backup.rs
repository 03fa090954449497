//! A backup, proven by restoring it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use pixcrawler::{db::PgPool, postgres};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sqlx::postgres::PgListener;

use crate::support::{
    api::send,
    bucket::{BucketServer, Fault},
    postgres::{data_dir, database, empty_database, execute, made_by},
    process::{Process, System},
    site::{PATIENCE, Site},
};

/// What is below a folder, by path.
fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for path in fs::read_dir(next).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.strip_prefix(folder).unwrap().to_owned(), fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// Everything of these tables that must come back as it was.
async fn rows(pool: &PgPool) -> Value {
    sqlx::query_scalar(
        "select jsonb_build_object(
            'profiles', (select jsonb_agg(to_jsonb(p) order by id) from public.profiles p),
            'images', (select jsonb_agg(to_jsonb(i) order by id) from public.images i),
            'candidates', (select count(*) from pixcrawler.candidate),
            'migrations', (select jsonb_agg(version order by version) from pixcrawler.migration),
            'secrets', (select jsonb_agg(to_jsonb(s) order by name) from pixcrawler.secret s
                         where name not in ('database-name', 'database-home', 'store')),
            'queued', (select count(*) from graphile_worker._private_jobs))",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

/// Waits until the job of this id is completed.
async fn completed(pool: &PgPool, job: i64) {
    let mut listener = PgListener::connect_with(pool).await.unwrap();
    listener.listen(pixcrawler::db::progress::CHANNEL).await.unwrap();
    let wait = async {
        loop {
            let status = sqlx::query_scalar("select status from public.crawl_jobs where id = $1");
            let status: String = status.bind(i32::try_from(job).unwrap()).fetch_one(pool).await.unwrap();
            if status == "completed" {
                return;
            }
            let _ = tokio::time::timeout(Duration::from_millis(200), listener.recv()).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
}

async fn connect(data: &Path) -> PgPool {
    pixcrawler::db::connect(&postgres::running(data).await.unwrap(), 3).await.unwrap()
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

async fn stop(mut process: Process) {
    process.terminate();
    assert_eq!(process.exited().await.code(), Some(0));
}

#[tokio::test]
async fn what_was_backed_up_while_it_ran_is_restored_and_goes_on() {
    let site = Site::start().await;
    let system = System::private(&site).await;
    let folder = data_dir();
    let [backup, restored] = ["backup", "restored"].map(|name| folder.path().join(name));
    let target = backup.to_str().unwrap();
    let plugins = system.data().join("plugins");
    fs::create_dir(&plugins).unwrap();
    fs::write(plugins.join("notes.txt"), "mine").unwrap();
    std::os::unix::fs::symlink("nowhere", plugins.join("dangling")).unwrap();

    // One that is over, and one in the middle, whose worker is at work all the time.
    let server = system.server(&[]).await;
    site.gallery("/over", 3, None);
    let over = system.create(&["/over"], 3).await;
    system.until_status(over, "completed").await;
    let first = parsed(&system.tool(&["backup", target, "--json"], &[]).await);
    assert_eq!(
        (&first["new_objects"], &first["backup"]["jobs"], &first["faulty"]),
        (&json!(3), &json!(1), &json!(0))
    );
    let all = site.gallery("/half", 4, None);
    site.hold(&all[2..]);
    let half = system.create(&["/half"], 4).await;
    system.until(half, "the quick ones are kept", |job| job["kept"] == 2).await;
    let second = parsed(&system.tool(&["backup", target, "--json"], &[]).await);
    assert_eq!((&second["new_objects"], &second["backup"]["copied"]), (&json!(2), &json!(5)));
    let unchanged = parsed(&system.tool(&["backup", target, "--json"], &[]).await);
    assert_eq!((&unchanged["new_objects"], &unchanged["backup"]["jobs"]), (&json!(0), &json!(2)));
    let names = fs::read_dir(&backup).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(names.filter(|name| name.starts_with("run-")).count(), 1, "older runs are gone");
    let shown = system.get(&format!("/api/v1/crawl-jobs/{over}/images")).await.expect(200).json();
    let links: Vec<String> = shown["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| image["url"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(links.len(), 3);
    let before = rows(&system.pool).await;
    let objects = tree(&system.objects());
    let last = refusals(&system, &backup).await;

    // The machine is lost.
    server.kill().await;
    let postgres = crate::embedded::server(&system.data()).unwrap();
    system.pool.close().await;
    rustix::process::kill_process(postgres, rustix::process::Signal::KILL).unwrap();
    // The front door starts it again, and ends with its folder.
    while system.data().join("postgres").exists() {
        let _ = fs::remove_dir_all(system.data());
    }

    // A restore that was interrupted is no data folder, and the next begins anew.
    fs::create_dir_all(restored.join("restoring/postgres")).unwrap();
    fs::create_dir_all(restored.join("keys")).unwrap();
    let there = [("PIXCRAWLER_DATA_DIR", restored.to_str().unwrap())];
    for own in [&[][..], &["--database-url", "postgresql://nobody@localhost/x"]] {
        let told = system.fails(&[&["serve", "--port=0"], own].concat(), &there).await;
        assert!(told.contains("has not come to its end") && told.contains("pixcrawler restore"), "{told}");
    }
    let lock = fs::File::create(restored.join("restore.lock")).unwrap();
    lock.lock().unwrap();
    let told = system.fails(&["restore", target], &there).await;
    assert!(told.contains("another restore into"), "{told}");
    drop(lock);
    let done = parsed(&system.tool(&["restore", target, "--json"], &there).await);
    assert_eq!((&done["backup"], &done["objects"]), (&last["backup"], &json!(5)));
    assert!(!restored.join("restoring").exists());
    // Each store has a mark of its own by which it is told from others.
    let pictures = |mut files: BTreeMap<PathBuf, Vec<u8>>| {
        files.retain(|path, _| !path.starts_with("databases"));
        files
    };
    let objects = pictures(objects);
    assert!(pictures(tree(&restored.join("objects"))) == objects);
    assert_eq!(fs::read_to_string(restored.join("plugins/notes.txt")).unwrap(), "mine");
    assert!(!restored.join("plugins/link").exists(), "no link of a backup is followed");
    let told = system.fails(&["restore", target], &there).await;
    assert!(told.contains("is in use") && told.contains("--data-dir"), "{told}");

    // Same rows; the same token and links; the job goes on.
    let door = system.server(&[there[0], ("PIXCRAWLER_SLOTS", "0")]).await;
    let pool = connect(&restored).await;
    assert_eq!(rows(&pool).await, before);
    let client = reqwest::Client::new();
    let ask = async |path: &str, token: bool| {
        let request = client.get(format!("http://{}{path}", door.address()));
        send(if token { request.bearer_auth(system.token()) } else { request }).await.expect(200)
    };
    assert_eq!(ask("/api/v1/crawl-jobs/", true).await.json()["items"].as_array().unwrap().len(), 2);
    for link in &links {
        let answer = client.get(format!("http://{}{link}", door.address())).send().await.unwrap();
        let hash = answer.headers()["etag"].to_str().unwrap().trim_matches('"').to_owned();
        let bytes = answer.error_for_status().unwrap().bytes().await.unwrap();
        assert!(
            objects
                .iter()
                .any(|(path, object)| path.ends_with(format!("{hash}.png")) && object[..] == bytes[..])
        );
    }
    site.release(&all[2..]);
    let worker = system.worker(&there).await;
    completed(&pool, half).await;
    let kept = ask(&format!("/api/v1/crawl-jobs/{half}/images?verdict=kept"), true).await.json();
    assert_eq!(kept["items"].as_array().unwrap().len(), 4);
    let doctor = parsed(&system.tool(&["doctor", "--json"], &there).await);
    assert_eq!(doctor["ok"], true, "{doctor}");
    pool.close().await;
    stop(worker).await;
    stop(door).await;
}

/// What is not backed up or restored, and why; gives what the last backup said.
async fn refusals(system: &System, backup: &Path) -> Value {
    let target = backup.to_str().unwrap();
    let fails = async |arguments: &[&str], parts: &[&str]| {
        let told = system.fails(arguments, &[("PIXCRAWLER_DATA_DIR", system.data().to_str().unwrap())]).await;
        assert!(parts.iter().all(|part| told.contains(part)), "{arguments:?}: {told}");
    };
    let url = ["--database-url", "postgresql://nobody@localhost/x"];
    fails(&["backup", target, url[0], url[1]], &["cannot connect to the database"]).await;
    for own in [&[][..], &url] {
        fails(&[&["restore", target], own].concat(), &["is in use", "move this one away"]).await;
    }
    let (empty, data) = (empty_database().await, data_dir());
    let told = system
        .fails(
            &["restore", target, url[0], empty.url.expose_secret()],
            &[("PIXCRAWLER_DATA_DIR", data.of_host().to_str().unwrap())],
        )
        .await;
    assert!(told.contains("is of a private Postgres"), "{told}");
    fails(&["backup", system.data().join("b").to_str().unwrap()], &["is in the data folder"]).await;
    let other = backup.with_file_name("other");
    fs::create_dir(&other).unwrap();
    fails(&["restore", other.to_str().unwrap()], &["is no backup", "manifest.json"]).await;
    fs::write(other.join("letter"), "mine").unwrap();
    fails(&["backup", other.to_str().unwrap()], &["holds other things", "letter"]).await;

    system.tool(&["restore", target, "--verify"], &[]).await;
    let manifest = backup.join("manifest.json");
    let sound = fs::read_to_string(&manifest).unwrap();
    let mut newer = parsed(&sound);
    newer["migration"] = json!(9999);
    newer["version"] = json!("99.1.0");
    fs::write(&manifest, newer.to_string()).unwrap();
    fails(&["restore", target, "--verify"], &["last migration of the backup is 9999", "made it, 99.1.0"])
        .await;
    for run in ["../other", "run-/..", ""] {
        let mut elsewhere = parsed(&sound);
        elsewhere["run"] = json!(run);
        fs::write(&manifest, elsewhere.to_string()).unwrap();
        fails(&["restore", target, "--verify"], &["is damaged", "manifest.json"]).await;
    }

    // A run into the backup of another database, as after the loss of the data folder, or into one that may be:
    // nothing is touched.
    let mut others = parsed(&sound);
    others["database"] = json!("0123");
    for (text, parts) in [
        (others.to_string(), ["backup of another database", "--replace"]),
        (sound[..sound.len() / 2].to_owned(), ["is damaged", "--replace"]),
    ] {
        fs::write(&manifest, text).unwrap();
        let before = tree(backup);
        fails(&["backup", target], &parts).await;
        assert!(tree(backup) == before);
    }
    let output = system.run(&["backup", target, "--replace"], &[]).await;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("left out") && said.contains("plugins/dangling"), "{said}");
    let sound = fs::read_to_string(&manifest).unwrap();

    let run = parsed(&sound)["run"].as_str().unwrap().to_owned();
    let dump = backup.join(&run).join("database.dump");
    let bytes = fs::read(&dump).unwrap();
    fs::write(&dump, &bytes[1..]).unwrap();
    fails(&["restore", target, "--verify"], &["is damaged", "database.dump"]).await;
    fs::write(&dump, bytes).unwrap();
    let objects = tree(&backup.join("objects"));
    let [spoilt, missing] = [0, 1].map(|nth| {
        let object = objects.keys().filter(|path| path.extension().is_some()).nth(nth).unwrap();
        backup.join("objects").join(object)
    });
    let whole = fs::read(&spoilt).unwrap();
    fs::write(&spoilt, [&whole[1..], &whole[..1]].concat()).unwrap();
    fs::remove_file(&missing).unwrap();
    // Sound, but of no row.
    let planted = missing.with_file_name(format!("{}.png", pixcrawler::model::Sha256::of(b"planted")));
    fs::write(&planted, "planted").unwrap();
    let [damaged, gone] = [(&spoilt, "is damaged"), (&missing, "is missing")]
        .map(|(path, what)| format!("{} {what}", path.file_name().unwrap().to_str().unwrap()));
    let parts = ["2 objects of the backup missing or damaged", &damaged, &gone, "backup FOLDER --verify"];
    fails(&["restore", target, "--verify"], &parts).await;
    // By its size only the one that is missing is seen.
    let again = parsed(&system.tool(&["backup", target, "--json"], &[]).await);
    assert_eq!((&again["new_objects"], planted.exists()), (&json!(1), false));
    fails(&["restore", target, "--verify"], &["1 object of the backup missing or damaged", &damaged]).await;
    let again = parsed(&system.tool(&["backup", target, "--verify", "--json"], &[]).await);
    assert_eq!(again["new_objects"], 1);
    system.tool(&["restore", target, "--verify"], &[]).await;
    assert_eq!(tree(&backup.join("objects")), objects);
    std::os::unix::fs::symlink(
        "/etc",
        backup.join(again["backup"]["run"].as_str().unwrap()).join("plugins/link"),
    )
    .unwrap();
    again
}

/// What the frontend of a project has beside us: a table with a type, a policy and a role of its own.
const NOTES: &str = "
    do $$ begin create role backup_reports nologin; exception when duplicate_object then null; end $$;
    create type public.mood as enum ('calm', 'wild');
    create table public.notes (
        id serial primary key, user_id uuid not null references auth.users (id), mood public.mood not null);
    alter table public.notes enable row level security;
    create policy own on public.notes for select to authenticated using ((select auth.uid()) = user_id);
    revoke all on public.notes from anon, authenticated, service_role;
    grant select on public.notes to backup_reports;
    alter default privileges in schema public grant select on tables to backup_reports;
    insert into auth.users (id, email, encrypted_password, raw_user_meta_data)
        values ('6f9a3c9e-7b0c-4a39-9a55-0d4a0d0f2a11', 'bob@example.org', 'hashed', '{\"full_name\": \"Bob\"}');
    insert into public.notes (user_id, mood) select id, 'wild' from auth.users where email = 'bob@example.org'";

/// The same of a database.
async fn notes(pool: &PgPool) -> Value {
    sqlx::query_scalar(
        "select jsonb_build_object(
            'notes', (select jsonb_agg(to_jsonb(n)) from public.notes n),
            'next', (select nextval('public.notes_id_seq')),
            'security', (select relrowsecurity from pg_class where oid = 'public.notes'::regclass),
            'policies', (select jsonb_agg(policyname) from pg_policies where tablename = 'notes'),
            'reports', has_table_privilege('backup_reports', 'public.notes', 'select'),
            'anon', has_table_privilege('anon', 'public.notes', 'select'),
            'users', (select jsonb_agg(to_jsonb(u) order by id) from auth.users u),
            'published', (select jsonb_agg(tablename order by tablename) from pg_publication_tables
                           where pubname = 'supabase_realtime'),
            'private', (select count(*) from information_schema.role_table_grants
                         where table_schema in ('pixcrawler', 'graphile_worker')
                           and grantee in ('anon', 'authenticated', 'PUBLIC')))",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

/// A database of one's own with a bucket goes into a private Postgres with a folder and into another database
/// with another bucket, while it is worked on.
#[tokio::test]
async fn a_database_of_ones_own_is_stood_up_elsewhere() {
    let site = Site::start().await;
    let database = database().await;
    execute(&database.pool, NOTES).await;
    let (bucket, other_bucket) = (BucketServer::start().await, BucketServer::start().await);
    let (settings, other_settings) = (bucket.settings(), other_bucket.settings());
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let system = System::with(&site, database, &settings).await;
    let folder = data_dir();
    let [backup, private, elsewhere] =
        ["backup", "private", "elsewhere"].map(|name| folder.path().join(name));
    let target = backup.to_str().unwrap();
    let server = system.server(&[]).await;
    site.gallery("/over", 3, None);
    system.crawl(&["/over"], 3).await;
    let all = site.gallery("/half", 4, None);
    site.hold(&all[2..]);
    let half = system.create(&["/half"], 4).await;
    system.until(half, "the quick ones are kept", |job| job["kept"] == 2).await;
    let done = parsed(&system.tool(&["backup", target, "--json"], &[]).await);
    assert_eq!(
        (&done["new_objects"], &done["backup"]["jobs"], &done["faulty"]),
        (&json!(5), &json!(2), &json!(0))
    );
    assert_eq!(done["backup"]["format"], 2);
    system.tool(&["restore", target, "--verify"], &[]).await;
    let before = (rows(&system.pool).await, notes(&system.pool).await);
    assert_eq!(
        (&before.1["users"][0]["encrypted_password"], &before.1["anon"]),
        (&json!("hashed"), &json!(false))
    );
    server.kill().await;

    // Into a private Postgres, whose server has none of the roles.
    let mut restore = tokio::process::Command::new(env!("CARGO_BIN_EXE_pixcrawler"));
    restore
        .args(["restore", target, "--json"])
        .env("PIXCRAWLER_DATA_DIR", &private)
        .env_remove("DATABASE_URL");
    let restored = restore.output().await.unwrap();
    assert!(restored.status.success(), "{restored:?}");
    let restored = parsed(std::str::from_utf8(&restored.stdout).unwrap());
    assert_eq!((&restored["objects"], &restored["faulty"]), (&json!(5), &json!(0)));
    let started =
        postgres::PrivatePostgres::start(&private, None, postgres::Durability::ThrownAway).await.unwrap();
    let pool = connect(&private).await;
    let after = (rows(&pool).await, notes(&pool).await);
    assert_eq!(after, before);
    pool.close().await;
    started.stop().await.unwrap();

    // Into an empty database, which goes on with the job.
    let empty = empty_database().await;
    let mut there = vec![
        ("DATABASE_URL", empty.url.expose_secret()),
        ("PIXCRAWLER_DATA_DIR", elsewhere.to_str().unwrap()),
    ];
    there.extend(other_settings.iter().map(|(name, value)| (*name, value.as_str())));
    let restored = parsed(&system.tool(&["restore", target, "--json"], &there).await);
    assert_eq!((&restored["objects"], &restored["faulty"]), (&json!(5), &json!(0)));
    assert_eq!((rows(&empty.pool).await, notes(&empty.pool).await), before);
    let other = folder.path().join("other");
    let mut again = there.clone();
    again[1].1 = other.to_str().unwrap();
    let told = system.fails(&["restore", target], &again).await;
    assert!(told.contains("has the schema graphile_worker already"), "{told}");
    let told = system.fails(&["restore", target], &there).await;
    assert!(told.contains("is in use"), "{told}");
    site.release(&all[2..]);
    let server = system.server(&there).await;
    completed(&empty.pool, half).await;
    let doctor = parsed(&system.tool(&["doctor", "--json"], &there).await);
    assert_eq!(doctor["ok"], true, "{doctor}");

    // Where the database came back by other means, and some objects did not.
    assert!(!elsewhere.join("objects").exists());
    let objects = tree(&other_bucket.folder());
    let pictures = || objects.keys().filter(|path| path.extension().is_some_and(|kind| kind == "png"));
    assert_eq!(pictures().count(), 7);
    for path in pictures().take(2) {
        fs::remove_file(other_bucket.folder().join(path)).unwrap();
    }
    let missing = async || {
        // With some that are missing it ends with exit code 1.
        let swept = system.run(&["sweep", "--dry-run", "--json"], &there).await;
        parsed(std::str::from_utf8(&swept.stdout).unwrap())["missing"].clone()
    };
    assert_eq!(missing().await, 2);
    let output = system.run(&["restore", target, "--objects", "--json"], &there).await;
    let put_back = parsed(std::str::from_utf8(&output.stdout).unwrap());
    // Those that came after the backup cannot be had from it.
    let [new, faulty] = ["new_objects", "faulty"].map(|name| put_back[name].as_u64().unwrap());
    assert_eq!((new + faulty, put_back["objects"].as_u64().unwrap() + faulty), (2, 7), "{put_back}");
    assert_eq!(output.status.code(), Some(i32::from(faulty > 0)));
    assert_eq!(missing().await, faulty);
    stop(server).await;
}

/// The objects in a bucket.
fn pictures(bucket: &BucketServer) -> usize {
    tree(&bucket.folder()).keys().filter(|path| path.extension().is_some_and(|kind| kind == "png")).count()
}

/// Whoever looks at a copy, or has one by other means than ours, loses nothing of what it was made of.
#[tokio::test]
async fn a_copy_and_what_it_was_made_of_leave_each_other_alone() {
    let (site, bucket) = (Site::start().await, BucketServer::start().await);
    let settings = bucket.settings();
    let settings: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let system = System::with(&site, database().await, &settings).await;
    let folder = data_dir();
    let [backup, copy] = ["backup", "copy"].map(|name| folder.path().join(name));
    let target = backup.to_str().unwrap();
    let worker = system.worker(&[]).await;
    let made = async |path: &str, count: usize| {
        site.gallery(path, count, None);
        system.crawl(&[path], count).await;
    };
    made("/before", 3).await;
    system.tool(&["backup", target], &[]).await;
    made("/since", 2).await;
    stop(worker).await;
    // As if all of it were of last week.
    for (path, _) in tree(&bucket.folder()) {
        bucket.age(path.to_str().unwrap(), 200);
    }

    // With the settings of the one that is there still.
    let alone = async |arguments: &[&str]| {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_pixcrawler"));
        command.args(arguments).env("PIXCRAWLER_DATA_DIR", &copy).env_remove("DATABASE_URL");
        let done = command.envs(settings.iter().copied()).output().await.unwrap();
        let said = String::from_utf8([done.stdout, done.stderr].concat()).unwrap();
        (done.status.code().unwrap(), said)
    };
    let empty = empty_database().await;
    let there =
        [("DATABASE_URL", empty.url.expose_secret()), ("PIXCRAWLER_DATA_DIR", copy.to_str().unwrap())];
    for told in [alone(&["restore", target]).await.1, system.fails(&["restore", target], &there).await] {
        for part in
            ["the bucket `pictures` of", "unset PIXCRAWLER_S3_BUCKET", "PIXCRAWLER_S3_PREFIX", "--take-over"]
        {
            assert!(told.contains(part), "{told}");
        }
    }

    // Even where it was wrong to say that it is gone.
    let (code, said) = alone(&["restore", target, "--take-over"]).await;
    assert_eq!(code, 0, "{said}");
    let (code, said) = alone(&["sweep", "--json"]).await;
    assert!(code == 0 && said.contains("\"swept\":0") && said.contains("\"noted\":0"), "{said}");
    let (_, said) = alone(&["user", "delete", "ann@example.org", "--yes"]).await;
    assert_eq!(pictures(&bucket), 5, "{said}");
    let told = system.fails(&["sweep"], &[]).await;
    assert!(told.contains("belong to another database"), "{told}");
    let (code, said) = alone(&["backup", target]).await;
    assert!(code == 1 && said.contains("backup of another database"), "{said}");
    assert_eq!(tree(&backup.join("objects")).keys().filter(|path| path.extension().is_some()).count(), 3);

    // A copy by the means of Postgres has the name, too.
    let clone = database().await;
    let secrets: Value = sqlx::query_scalar("select jsonb_agg(to_jsonb(s)) from pixcrawler.secret s")
        .fetch_one(&system.pool)
        .await
        .unwrap();
    execute(&clone.pool, "truncate pixcrawler.secret").await;
    sqlx::query(
        "insert into pixcrawler.secret select * from jsonb_populate_recordset(null::pixcrawler.secret, $1)",
    )
    .bind(secrets)
    .execute(&clone.pool)
    .await
    .unwrap();
    let own = fs::read_dir(bucket.folder().join("databases")).unwrap().count();
    let told = system.fails(&["sweep"], &[("DATABASE_URL", clone.url.expose_secret())]).await;
    assert!(told.contains("belong to another database"), "{told}");
    assert_eq!(fs::read_dir(bucket.folder().join("databases")).unwrap().count(), own + 1);
    assert_eq!(pictures(&bucket), 5);
}

/// At whatever moment: the same again goes on, and nothing starts on the half.
#[tokio::test]
async fn an_interrupted_restore_into_a_database_goes_on() {
    const DEFAULTS: &str = "select coalesce(array_agg(a::text order by a::text), '{}')
        from (select defaclobjtype, grantee::regrole, privilege_type from pg_default_acl, aclexplode(defaclacl)
               where defaclnamespace = 'public'::regnamespace and grantee <> defaclrole) as a";
    const WAITS: &str = "select exists (select from pg_stat_activity
        where datname = current_database() and application_name = 'pg_restore' and wait_event_type = 'Lock')";
    let (site, bucket, other) =
        (Site::start().await, BucketServer::start().await, BucketServer::start().await);
    let [settings, others] = [bucket.settings(), other.settings()];
    let [settings, others] = [&settings, &others]
        .map(|set| set.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>());
    let system = System::with(&site, database().await, &settings).await;
    let folder = data_dir();
    let [backup, data, elsewhere] = ["backup", "data", "elsewhere"].map(|name| folder.path().join(name));
    let target = backup.to_str().unwrap();
    let plugins = system.data().join("plugins");
    fs::create_dir_all(&plugins).unwrap();
    fs::write(plugins.join("notes.txt"), "mine").unwrap();
    let worker = system.worker(&[]).await;
    site.gallery("/gallery", 3, None);
    system.crawl(&["/gallery"], 3).await;
    stop(worker).await;
    system.tool(&["backup", target], &[]).await;

    let restored = made_by("select 1").await;
    let defaults =
        async || -> Vec<String> { sqlx::query_scalar(DEFAULTS).fetch_one(&restored.pool).await.unwrap() };
    let before = defaults().await;
    assert!(!before.is_empty());
    let url = restored.url.expose_secret();
    let mut there = vec![("DATABASE_URL", url), ("PIXCRAWLER_DATA_DIR", data.to_str().unwrap())];
    there.extend(others.iter().copied());
    let mut away = there.clone();
    away[1].1 = elsewhere.to_str().unwrap();
    let begin = || {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_pixcrawler"));
        command.args(["restore", target]).envs(there.iter().copied()).kill_on_drop(true);
        command.stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    let interrupt = async |process: tokio::process::Child| {
        let pid = rustix::process::Pid::from_raw(process.id().unwrap().cast_signed()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
        let done = process.wait_with_output().await.unwrap();
        let said = String::from_utf8(done.stderr).unwrap();
        assert!(done.status.code() == Some(130) && said.contains("the same command again goes on"), "{said}");
    };
    let none_starts = async || {
        for arguments in [&["serve", "--port=0"][..], &["worker"], &["sweep"]] {
            for settings in [&there, &away] {
                let told = system.fails(arguments, settings).await;
                assert!(
                    told.contains("has not come to its end") && told.contains("pixcrawler restore"),
                    "{told}"
                );
            }
        }
    };

    // While the tables are read.
    let mut held = restored.pool.begin().await.unwrap();
    sqlx::query("create schema pixcrawler").execute(&mut *held).await.unwrap();
    let process = begin();
    let waits = async {
        while !sqlx::query_scalar::<_, bool>(WAITS).fetch_one(&restored.pool).await.unwrap() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waits).await.unwrap();
    assert_ne!(defaults().await, before, "those of this role are held back meanwhile");
    interrupt(process).await;
    held.rollback().await.unwrap();
    none_starts().await;
    // As one that was killed leaves it.
    fs::write(data.join("postgres-restore.list"), "").unwrap();

    // While the objects are copied.
    other.fault(Some(hyper::Method::PUT), ".png", Fault::Hold);
    let process = begin();
    other.asked(|request| request.starts_with("PUT") && request.ends_with(".png")).await;
    assert_eq!(defaults().await, before);
    interrupt(process).await;
    none_starts().await;
    other.mend();
    let done = parsed(&system.tool(&["restore", target, "--json"], &there).await);
    assert_eq!((&done["objects"], &done["faulty"]), (&json!(3), &json!(0)));
    assert_eq!(defaults().await, before);
    assert_eq!(fs::read_to_string(data.join("plugins/notes.txt")).unwrap(), "mine");
    assert_eq!(rows(&restored.pool).await, rows(&system.pool).await);
    let left: bool =
        sqlx::query_scalar("select exists (select from pg_namespace where nspname = 'pixcrawler_restoring')")
            .fetch_one(&restored.pool)
            .await
            .unwrap();
    assert!(!left);
    let swept = parsed(&system.tool(&["sweep", "--json"], &there).await);
    assert_eq!((&swept["objects"], &swept["missing"]), (&json!(3), &json!(0)));
}
