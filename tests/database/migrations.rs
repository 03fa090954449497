//! Migrations and bootstrap on databases of every kind.

use pixcrawler::{
    db::{self, BootstrapError, MigrateError, PgPool},
    postgres::{Durability, PrivatePostgres},
};

use crate::support::{
    database,
    postgres::{as_role, data_dir, empty_database, execute},
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
    let server = PrivatePostgres::start(dir.path(), None, Durability::ThrownAway).await.unwrap();
    let pool = db::connect(&server.url(), 2).await.unwrap();
    execute(&pool, "create schema auth; create table auth.users (name text)").await;
    assert!(matches!(db::bootstrap(&pool).await, Err(BootstrapError::Others)));
    execute(&pool, "create role supabase_admin").await;
    assert!(matches!(db::bootstrap(&pool).await, Err(BootstrapError::Supabase)));
    let made: i64 = sqlx::query_scalar("select count(*) from pg_roles where rolname = 'authenticated'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(made, 0);
    pool.close().await;
    server.stop().await.unwrap();
}

/// Supabase's `postgres` is no superuser: it owns the database and the publication, and
/// may put triggers on `auth.users`. Sign-ups are made by a role that may nothing else.
#[tokio::test]
async fn an_ordinary_owner_can_migrate() {
    let database = empty_database().await;
    db::bootstrap(&database.pool).await.unwrap();
    execute(
        &database.pool,
        "do $$ begin execute format('alter database %I owner to postgres', current_database()); end $$;
         alter publication supabase_realtime owner to postgres",
    )
    .await;
    let owner = db::connect(&as_role(&database.url, "postgres"), 2).await.unwrap();
    assert!(!db::migrate(&owner).await.unwrap().is_empty());
    assert_eq!(db::guard::look(&owner).await.unwrap(), Some(db::guard::Drift::default()));

    let mut transaction = database.pool.begin().await.unwrap();
    sqlx::raw_sql(
        "set local role supabase_auth_admin;
         insert into auth.users (id, email) values (gen_random_uuid(), 'a@example.org')",
    )
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

/// What an earlier version made of a database is brought to what this one makes, but for the type of a
/// column that a trigger names.
#[tokio::test]
async fn what_was_bootstrapped_before_is_brought_forward() {
    let catalog = async |pool: &PgPool| -> Vec<String> {
        sqlx::query_scalar(
            "select concat_ws(' ', table_schema, table_name, column_name, data_type, is_nullable, column_default)
               from information_schema.columns where table_schema in ('auth', 'realtime', 'storage')
              union all
             select concat_ws(' ', schemaname, indexname) from pg_indexes where schemaname in ('auth', 'realtime')
              order by 1",
        )
        .fetch_all(pool)
        .await
        .unwrap()
    };
    let (new, old) = (empty_database().await, empty_database().await);
    db::bootstrap(&new.pool).await.unwrap();
    execute(&old.pool, include_str!("bootstrap-0.1.sql")).await;
    db::migrate(&old.pool).await.unwrap();
    for _ in 0..2 {
        db::bootstrap(&old.pool).await.unwrap();
        db::migrate(&old.pool).await.unwrap();
    }
    let (new, old) = (catalog(&new.pool).await, catalog(&old.pool).await);
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|line| !those.contains(line)).cloned().collect()
    };
    assert_eq!(only(&old, &new), ["auth sessions aal text YES"]);
    assert_eq!(only(&new, &old), ["auth sessions aal USER-DEFINED YES"]);
}
