//! The tables as the frontend meets them: who may read and write what, and what fills itself in.

mod migrations;
mod sessions;
mod upgrade;

use pixcrawler::db::PgPool;
use sqlx::Row;
use uuid::Uuid;

use crate::support::{database, postgres::as_user};

const TABLES: [&str; 8] = [
    "profiles",
    "projects",
    "datasets",
    "crawl_jobs",
    "job_chunks",
    "images",
    "activity_logs",
    "notifications",
];

/// A user with one row in each table.
async fn user(pool: &PgPool, name: &str) -> Uuid {
    let user = Uuid::new_v4();
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!(
        "insert into auth.users (id, email) values ('{user}', '{name}@example.org');
         insert into projects (name, user_id) values ('{name}', '{user}');
         insert into crawl_jobs (name, keywords, project_id)
             select '{name}', '[\"cat\"]', id from projects where user_id = '{user}';
         insert into job_chunks (job_id, chunk_index, image_range)
             select id, 0, '{{\"start\": 0, \"end\": 9}}' from crawl_jobs where user_id = '{user}';
         insert into images (crawl_job_id, original_url, filename, hash)
             select id, 'https://example.org/a.png', 'a.png', 'aa' from crawl_jobs where user_id = '{user}';
         insert into activity_logs (user_id, action) values ('{user}', 'START_CRAWL_JOB');
         insert into notifications (user_id, type, title, message) values ('{user}', 'info', 'a', 'b')"
    )))
    .execute(pool)
    .await
    .unwrap();
    user
}

/// Runs `statement` as the browser of `user` would, without a trace: rows touched or seen,
/// or the error's code.
async fn run_as(pool: &PgPool, role: &str, user: Uuid, statement: &str) -> Result<u64, String> {
    let mut transaction = as_user(pool, role, user).await;
    sqlx::raw_sql(sqlx::AssertSqlSafe(statement.to_owned()))
        .execute(&mut *transaction)
        .await
        .map(|done| done.rows_affected())
        .map_err(|error| error.as_database_error().unwrap().code().unwrap().into_owned())
}

fn denied() -> Result<u64, String> {
    Err("42501".to_owned())
}

#[tokio::test]
async fn sessions_are_bounded_and_in_utc() {
    let pool = database().await.pool;
    for (setting, expect) in [
        ("TimeZone", "UTC"),
        ("statement_timeout", "30s"),
        ("lock_timeout", "5s"),
        ("idle_in_transaction_session_timeout", "1min"),
        ("application_name", "pixcrawler"),
    ] {
        let value: String =
            sqlx::query_scalar("select current_setting($1)").bind(setting).fetch_one(&pool).await.unwrap();
        assert_eq!(value, expect, "{setting}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_is_said_at_once() {
    // Port 9 of this machine: discard, which nothing serves.
    let url = "postgresql://me:secret@127.0.0.1:9/rows".to_owned().into();
    let connected =
        tokio::time::timeout(std::time::Duration::from_secs(5), pixcrawler::db::connect(&url, 1)).await;
    let error = connected.unwrap().unwrap_err();
    assert_eq!(error.to_string(), "cannot connect to the database");
}

#[tokio::test]
async fn users_see_their_own_rows_only() {
    let pool = database().await.pool;
    let ann = user(&pool, "ann").await;
    user(&pool, "bob").await;
    for table in TABLES {
        let read = format!("select * from {table}");
        assert_eq!(run_as(&pool, "authenticated", ann, &read).await, Ok(1), "{table}");
        assert_eq!(run_as(&pool, "authenticated", Uuid::nil(), &read).await, Ok(0), "{table}");
        assert_eq!(run_as(&pool, "anon", ann, &read).await, denied(), "{table}");
        assert_eq!(run_as(&pool, "service_role", ann, &read).await, Ok(2), "{table}");
    }
}

#[tokio::test]
async fn users_write_what_the_frontend_writes_and_nothing_else() {
    let pool = database().await.pool;
    let ann = user(&pool, "ann").await;
    let bob = user(&pool, "bob").await;
    let id = |table: &str, user: Uuid| format!("(select id from public.{table} where user_id = '{user}')");
    let project: i32 = sqlx::query_scalar("select id from projects where user_id = $1")
        .bind(bob)
        .fetch_one(&pool)
        .await
        .unwrap();

    for (statement, expect) in [
        ("update profiles set full_name = 'Ann', avatar_url = 'a', onboarding_completed = true".to_owned(), Ok(1)),
        ("update profiles set role = 'admin'".to_owned(), denied()),
        (format!("update profiles set id = '{bob}'"), denied()),
        (format!("update profiles set full_name = 'x' where id = '{bob}'"), Ok(0)),
        (
            format!(
                "insert into profiles (id, email, onboarding_completed, onboarding_completed_at, updated_at)
                 values ('{ann}', 'ann@example.org', true, now(), now())
                 on conflict (id) do update set id = excluded.id, email = excluded.email,
                     onboarding_completed = excluded.onboarding_completed,
                     onboarding_completed_at = excluded.onboarding_completed_at, updated_at = excluded.updated_at"
            ),
            Ok(1),
        ),
        (format!("insert into profiles (id, email, role) values ('{}', 'c@example.org', 'admin')", Uuid::nil()), denied()),
        (format!("insert into profiles (id, email) values ('{}', 'c@example.org')", Uuid::nil()), denied()),
        ("delete from profiles".to_owned(), denied()),
        (format!("insert into projects (name, description, user_id) values ('new', 'text', '{ann}')"), Ok(1)),
        (format!("insert into projects (name, user_id) values ('new', '{bob}')"), denied()),
        ("update projects set name = 'x', status = 'archived'".to_owned(), Ok(1)),
        (format!("update projects set user_id = '{bob}'"), denied()),
        ("delete from projects".to_owned(), Ok(1)),
        (
            format!(
                "insert into datasets (user_id, project_id, name, keywords) values ('{ann}', {}, 'new', '[]')",
                id("projects", ann)
            ),
            Ok(1),
        ),
        (
            format!("insert into datasets (user_id, project_id, name, keywords) values ('{ann}', {project}, 'new', '[]')"),
            denied(),
        ),
        (format!("insert into datasets (user_id, name, keywords) values ('{bob}', 'new', '[]')"), denied()),
        ("update datasets set name = 'x'".to_owned(), Ok(1)),
        (format!("update datasets set project_id = {project}"), denied()),
        ("update datasets set status = 'completed'".to_owned(), denied()),
        ("delete from datasets".to_owned(), denied()),
        ("delete from crawl_jobs".to_owned(), denied()),
        ("update job_chunks set status = 'completed'".to_owned(), denied()),
        ("delete from job_chunks".to_owned(), denied()),
        ("update images set is_valid = true".to_owned(), denied()),
        ("delete from images".to_owned(), denied()),
        (format!("insert into activity_logs (user_id, action) values ('{ann}', 'x')"), denied()),
        ("delete from activity_logs".to_owned(), denied()),
        ("update notifications set is_read = true, read_at = now()".to_owned(), Ok(1)),
        ("update notifications set title = 'x'".to_owned(), denied()),
        (
            format!("insert into notifications (user_id, type, title, message) values ('{ann}', 'info', 'a', 'b')"),
            denied(),
        ),
        ("delete from notifications".to_owned(), Ok(1)),
        ("select * from pixcrawler.chunk".to_owned(), denied()),
        ("select * from pixcrawler.secret".to_owned(), denied()),
    ] {
        assert_eq!(run_as(&pool, "authenticated", ann, &statement).await, expect, "{statement}");
        let anonymous = run_as(&pool, "anon", ann, &statement).await;
        assert_eq!(anonymous, denied(), "anon: {statement}");
    }
}

#[tokio::test]
async fn no_table_is_left_open() {
    let pool = database().await.pool;
    let names = async |query: &'static str| -> Vec<String> {
        sqlx::query_scalar(query).fetch_all(&pool).await.unwrap()
    };

    let tables = names(
        "select relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'",
    )
    .await;
    assert_eq!(tables.len(), 15, "{tables:?}: a new table belongs into the tests of layouts");
    let unguarded = "select relname::text from pg_class
         where relnamespace = 'public'::regnamespace and relkind = 'r' and not relrowsecurity";
    assert!(names(unguarded).await.is_empty());
    let open = "select grantee || ' ' || table_schema || '.' || table_name from information_schema.table_privileges
         where table_schema = 'public' and grantee in ('anon', 'PUBLIC')
            or table_schema = 'pixcrawler' and grantee in ('anon', 'PUBLIC', 'authenticated', 'service_role')";
    assert_eq!(names(open).await, Vec::<String>::new());
    let entered = "select rolname::text from pg_roles
         where rolname in ('anon', 'authenticated', 'service_role') and has_schema_privilege(oid, 'pixcrawler', 'usage')";
    assert_eq!(names(entered).await, Vec::<String>::new());
    // Policies compare this column: without an index that it leads, each read walks the table.
    let slow = "select relname::text from pg_class
         where relnamespace = 'public'::regnamespace and relkind = 'r' and not exists (
             select from pg_index join pg_attribute on attrelid = indrelid and attnum = indkey[0]
             where indrelid = pg_class.oid and attname = case relname when 'profiles' then 'id' else 'user_id' end)";
    assert_eq!(names(slow).await, Vec::<String>::new());
    let live =
        "select tablename::text from pg_publication_tables where pubname = 'supabase_realtime' order by 1";
    assert_eq!(names(live).await, ["crawl_jobs", "datasets", "notifications"]);
}

#[tokio::test]
async fn rows_know_their_owner_and_dataset() {
    let pool = database().await.pool;
    let ann = user(&pool, "ann").await;
    let row = sqlx::query(
        "select job.user_id job, chunk.user_id chunk, image.user_id image, dataset.user_id dataset, dataset.name,
             image.dataset_id = dataset.id same, dataset.project_id = job.project_id project
         from crawl_jobs job join job_chunks chunk on chunk.job_id = job.id
         join images image on image.crawl_job_id = job.id join datasets dataset on dataset.id = job.dataset_id",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    for column in ["job", "chunk", "image", "dataset"] {
        assert_eq!(row.get::<Uuid, _>(column), ann, "{column}");
    }
    assert!(row.get::<bool, _>("same") && row.get::<bool, _>("project"));
    assert_eq!(row.get::<String, _>("name"), "ann");

    let nowhere = "insert into crawl_jobs (name, keywords, project_id) values ('x', '[]', -1)";
    assert_eq!(run_as(&pool, "service_role", ann, nowhere).await, Err("23503".to_owned()));
    let by_service = "insert into crawl_jobs (name, keywords, project_id) select 'x', '[]', id from projects";
    assert_eq!(run_as(&pool, "service_role", ann, by_service).await, Ok(1));
}

#[tokio::test]
async fn every_update_of_a_job_moves_its_revision() {
    let pool = database().await.pool;
    user(&pool, "ann").await;
    for expect in 1..=3_i64 {
        let revision: i64 =
            sqlx::query_scalar("update crawl_jobs set progress = progress + 1 returning revision")
                .fetch_one(&pool)
                .await
                .unwrap();
        assert_eq!(revision, expect);
    }
    for table in ["profiles", "projects", "datasets", "crawl_jobs", "job_chunks"] {
        let update =
            format!("update {table} set updated_at = '2000-01-01' returning updated_at > '2001-01-01'");
        assert!(
            sqlx::query_scalar::<_, bool>(sqlx::AssertSqlSafe(update)).fetch_one(&pool).await.unwrap(),
            "{table}"
        );
    }
}

#[tokio::test]
async fn a_kept_picture_is_once_in_a_dataset() {
    let pool = database().await.pool;
    let ann = user(&pool, "ann").await;
    let again = |rest: &str| {
        format!(
            "insert into images (crawl_job_id, original_url, filename, hash, is_valid, is_duplicate)
             select id, 'https://example.org/b.png', 'b.png', {rest} from crawl_jobs where user_id = '{ann}'"
        )
    };
    assert_eq!(
        run_as(&pool, "service_role", ann, &again("'aa', true, false")).await,
        Err("23505".to_owned())
    );
    assert_eq!(run_as(&pool, "service_role", ann, &again("'aa', true, true")).await, Ok(1));
    assert_eq!(run_as(&pool, "service_role", ann, &again("'aa', false, false")).await, Ok(1));
    assert_eq!(run_as(&pool, "service_role", ann, &again("'bb', true, false")).await, Ok(1));
}

#[tokio::test]
async fn a_new_user_has_a_profile_until_deleted() {
    let pool = database().await.pool;
    let taken = user(&pool, "taken").await;
    let sign_up = async |email: Option<&str>, metadata: serde_json::Value| {
        let id: Uuid = sqlx::query_scalar(
            "insert into auth.users (id, email, raw_user_meta_data) values (gen_random_uuid(), $1, $2) returning id",
        )
        .bind(email)
        .bind(metadata)
        .fetch_one(&pool)
        .await
        .unwrap();
        let profile: (String, Option<String>, Option<String>, String) =
            sqlx::query_as("select email, full_name, avatar_url, role from profiles where id = $1")
                .bind(id)
                .fetch_one(&pool)
                .await
                .unwrap();
        (id, profile)
    };
    let some = |text: &str| Some(text.to_owned());
    let (_, profile) =
        sign_up(Some("a@example.org"), serde_json::json!({"name": "A", "picture": "p", "role": "admin"}))
            .await;
    assert_eq!(profile, ("a@example.org".to_owned(), some("A"), some("p"), "user".to_owned()));
    let (id, profile) = sign_up(None, serde_json::json!({"full_name": "x".repeat(200)})).await;
    assert_eq!(profile, (format!("{id}@users.invalid"), some(&"x".repeat(100)), None, "user".to_owned()));

    // A profile that is there already does not stop a sign-up.
    sqlx::raw_sql("delete from auth.users where email = 'a@example.org'; update profiles set email = 'b@example.org' where email = 'taken@example.org'; insert into auth.users (id, email) values (gen_random_uuid(), 'b@example.org')")
        .execute(&pool)
        .await
        .unwrap();

    sqlx::query("delete from auth.users where id = $1").bind(taken).execute(&pool).await.unwrap();
    for table in TABLES.iter().filter(|&&table| table != "profiles") {
        let count = format!("select count(*) from {table}");
        let left: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(count)).fetch_one(&pool).await.unwrap();
        assert_eq!(left, 0, "{table}");
    }
}
