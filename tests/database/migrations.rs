//! Migrations and bootstrap on databases of every kind.

use pixcrawler::db::{
    self, BootstrapError, MigrateError, PgPool,
    embedded::{Durability, Embedded},
};
use secrecy::{ExposeSecret, SecretString};

use crate::support::{
    database,
    postgres::{data_dir, empty_database},
};

#[tokio::test]
async fn migrating_again_does_nothing() {
    let pool = database().await.pool;
    assert_eq!(db::migrate(&pool).await.unwrap(), []);
    db::bootstrap(&pool).await.unwrap();
    assert_eq!(db::migrate(&pool).await.unwrap(), []);
    // A newer binary was here, and was rolled back.
    sqlx::query("insert into pixcrawler.migration values (9999, 'later', now(), true, '', 0)")
        .execute(&pool)
        .await
        .unwrap();
    assert_eq!(db::migrate(&pool).await.unwrap(), []);
}

#[tokio::test]
async fn processes_that_start_together_migrate_once() {
    let pool = empty_database().await.pool;
    let (first, second) = tokio::join!(db::bootstrap(&pool), db::bootstrap(&pool));
    first.and(second).unwrap();
    let (first, second) = tokio::join!(db::migrate(&pool), db::migrate(&pool));
    let (first, second) = (first.unwrap(), second.unwrap());
    assert!(first.is_empty() != second.is_empty(), "{first:?} {second:?}");
    let public: bool = sqlx::query_scalar("select to_regclass('public._sqlx_migrations') is not null")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert!(!public, "the bookkeeping is not for the frontend");
}

#[tokio::test]
async fn a_database_without_supabase_is_refused_untouched() {
    let pool = empty_database().await.pool;
    assert!(matches!(db::migrate(&pool).await, Err(MigrateError::NotSupabase)));
    let schemas: i64 = sqlx::query_scalar("select count(*) from pg_namespace where nspname = 'pixcrawler'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(schemas, 0);
}

/// Roles are shared by all databases of a cluster, so this one has a cluster of its own.
#[tokio::test]
async fn a_real_supabase_is_never_bootstrapped() {
    let dir = data_dir();
    let server = Embedded::start(dir.path(), None, Durability::ThrownAway).await.unwrap();
    let pool = db::connect(&server.url(), 2).await.unwrap();
    for role in ["supabase_admin", "supabase_auth_admin"] {
        execute(&pool, &format!("create role {role}")).await;
        assert!(matches!(db::bootstrap(&pool).await, Err(BootstrapError::Supabase)), "{role}");
        execute(&pool, &format!("drop role {role}")).await;
    }
    let made: i64 = sqlx::query_scalar("select count(*) from pg_roles where rolname = 'authenticated'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(made, 0);
    pool.close().await;
    server.stop().await.unwrap();
}

/// Supabase's `postgres` is no superuser: it owns the database and the publication, and
/// may put triggers on `auth.users`.
#[tokio::test]
async fn an_ordinary_owner_can_migrate() {
    let database = empty_database().await;
    db::bootstrap(&database.pool).await.unwrap();
    execute(
        &database.pool,
        "create role plain_owner login nosuperuser;
         do $$ begin execute format('alter database %I owner to plain_owner', current_database()); end $$;
         grant usage on schema auth to plain_owner;
         grant select, references, trigger on auth.users to plain_owner;
         alter publication supabase_realtime owner to plain_owner",
    )
    .await;
    let url = database.url.expose_secret().replace("pixcrawler@", "plain_owner@");
    let owner = db::connect(&SecretString::from(url), 2).await.unwrap();
    assert!(!db::migrate(&owner).await.unwrap().is_empty());

    // Sign-ups are made by another role, with rights on `auth` only.
    execute(&database.pool, "create role sign_up nologin; grant usage on schema auth to sign_up; grant insert on auth.users to sign_up").await;
    let mut transaction = database.pool.begin().await.unwrap();
    sqlx::raw_sql("set local role sign_up; insert into auth.users (email) values ('a@example.org')")
        .execute(&mut *transaction)
        .await
        .unwrap();
    transaction.commit().await.unwrap();
    let profiles: i64 = sqlx::query_scalar("select count(*) from profiles").fetch_one(&owner).await.unwrap();
    assert_eq!(profiles, 1);
    let live: i64 =
        sqlx::query_scalar("select count(*) from pg_publication_tables").fetch_one(&owner).await.unwrap();
    assert_eq!(live, 3);
}

/// Tables that the frontend made, with rows, keep their columns and gain ours.
#[tokio::test]
async fn tables_of_the_frontend_are_joined_not_altered() {
    let pool = empty_database().await.pool;
    db::bootstrap(&pool).await.unwrap();
    execute(
        &pool,
        "create table profiles (id uuid primary key, email varchar(255) not null unique, full_name varchar(100),
             avatar_url text, role varchar(20) not null default 'user', onboarding_completed boolean not null default false,
             onboarding_completed_at timestamp, created_at timestamp not null default now(),
             updated_at timestamp not null default now());
         create table projects (id serial primary key, name varchar(100) not null, description text,
             user_id uuid not null references profiles (id), status varchar(20) not null default 'active',
             created_at timestamp not null default now(), updated_at timestamp not null default now());
         create table datasets (id serial primary key, user_id uuid not null references profiles (id) on delete cascade,
             project_id integer references projects (id) on delete set null, name varchar(100) not null,
             description text, keywords jsonb not null, max_images integer not null default 100,
             search_engines jsonb not null default '[]', last_accessed_at timestamp not null default now(),
             crawl_job_id integer, updated_at timestamp not null default now());
         create table crawl_jobs (id serial primary key,
             dataset_id integer not null references datasets (id) on delete cascade, name varchar(100) not null,
             keywords jsonb not null, max_images integer not null default 1000,
             status varchar(20) not null default 'pending', updated_at timestamp not null default now());
         create table images (id serial primary key, crawl_job_id integer not null references crawl_jobs (id),
             original_url text not null, filename varchar(255) not null, hash varchar(64),
             is_valid boolean not null default true, is_duplicate boolean not null default false);
         grant all on all tables in schema public to anon, authenticated;
         insert into profiles (id, email) values ('6f1fd3f7-2a0d-4f3e-9d9c-3f4c8f1d2b10', 'a@example.org');
         insert into datasets (user_id, name, keywords) select id, 'd', '[]' from profiles;
         insert into crawl_jobs (dataset_id, name, keywords) select id, 'j', '[]' from datasets;
         insert into images (crawl_job_id, original_url, filename, hash)
             select id, 'https://example.org/' || n, n, 'aa' from crawl_jobs, generate_series(1, 3) n",
    )
    .await;
    let columns = "select string_agg(concat_ws(' ', table_name, column_name, data_type, is_nullable, column_default), ',' order by table_name, ordinal_position)
         from information_schema.columns where table_schema = 'public' and column_name not in (select unnest($1::text[]))
             and table_name in ('profiles', 'projects', 'datasets', 'crawl_jobs', 'images')";
    let ours = [
        "project_id",
        "sources",
        "options",
        "rules",
        "error",
        "revision",
        "user_id",
        "dataset_id",
        "chunk_id",
        "source",
        "source_id",
        "page_url",
        "title",
        "description",
        "creator",
        "creator_url",
        "license",
        "license_url",
        "attribution",
        "declared_width",
        "declared_height",
        "declared_mime",
        "declared_size",
        "reason",
        "frames",
        "phash",
        "duplicate_of",
    ];
    let read =
        async || -> String { sqlx::query_scalar(columns).bind(&ours[..]).fetch_one(&pool).await.unwrap() };
    let before = read().await;
    db::migrate(&pool).await.unwrap();
    assert_eq!(read().await, before);

    let kept: (i64, i64) = sqlx::query_as(
        "select count(*) filter (where not is_duplicate), count(*) filter (where duplicate_of is not null)
         from images where user_id is not null and dataset_id is not null",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(kept, (1, 2));
    let open: i64 = sqlx::query_scalar(
        "select count(*) from information_schema.table_privileges where table_schema = 'public' and grantee = 'anon'",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!(open, 0);
    execute(&pool, "delete from datasets").await;
}

async fn execute(pool: &PgPool, statements: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned())).execute(pool).await.unwrap();
}
