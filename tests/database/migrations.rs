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

async fn execute(pool: &PgPool, statements: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned())).execute(pool).await.unwrap();
}
