//! What protects the tables, when others take it away.

use std::{fs, path::Path};

use pixcrawler::db::{
    self, PgPool,
    guard::{self, GuardError},
};

use crate::{
    layouts::Layout,
    support::{
        database,
        postgres::{TestDatabase, as_role, execute},
        process::System,
        site::Site,
    },
};

async fn facts(pool: &PgPool) -> Vec<String> {
    guard::facts(&mut pool.begin().await.unwrap()).await.unwrap()
}

/// Held to the migrations; `INSTA_UPDATE=always` writes the file anew.
#[expect(clippy::disallowed_methods, reason = "a setting of the tests, as for their other snapshots")]
#[tokio::test]
async fn what_is_expected_is_what_the_migrations_make() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/db/guard/expected.sql");
    let made: String = facts(&database().await.pool).await.iter().map(|fact| format!("{fact};\n")).collect();
    if std::env::var("INSTA_UPDATE").as_deref() == Ok("always") {
        fs::write(&file, &made).unwrap();
    }
    assert!(fs::read_to_string(&file).unwrap() == made, "run this test with INSTA_UPDATE=always");
}

#[tokio::test]
async fn every_layout_is_as_expected() {
    for layout in Layout::ALL {
        let pool = layout.migrated().await;
        assert_eq!(guard::look(&pool).await.unwrap(), Some(guard::Drift::default()), "{layout:?}");
    }
}

/// What a push of the frontend's older schema does, and worse.
const PUSHED: &str = "
    do $$
    declare
        gone record;
    begin
        for gone in select tablename, policyname from pg_policies where schemaname = 'public' loop
            execute format('alter table %I disable row level security', gone.tablename);
            execute format('drop policy %I on %I', gone.policyname, gone.tablename);
        end loop;
        for gone in select indexname from pg_indexes where indexname like '%\\_idx' and schemaname = 'public' loop
            execute format('drop index %I', gone.indexname);
        end loop;
    end $$;
    drop trigger own_job on crawl_jobs;
    alter table profiles disable trigger own_profile;
    drop trigger pixcrawler_delete_profile on auth.users;
    grant all on all tables in schema public to anon, authenticated;
    grant all on all sequences in schema public to anon;
    grant usage on schema pixcrawler to authenticated;
    revoke all on images from service_role;
    alter publication supabase_realtime drop table crawl_jobs;
    alter table notifications replica identity default;
    create policy mine on images as restrictive using (true);
    create policy everyone on images using (true);
    create policy pixcrawler_open on profiles for select to authenticated using (true);
    create policy pixcrawler_select on projects for select to authenticated using (true);
    alter table crawl_jobs enable replica trigger stop_job";

#[tokio::test]
async fn what_is_taken_away_is_put_back() {
    let pool = database().await.pool;
    let before = facts(&pool).await;
    execute(&pool, PUSHED).await;
    let drift = guard::look(&pool).await.unwrap().unwrap();
    assert!(drift.is_unsafe(), "{drift:#?}");
    assert_eq!((drift.unpublished.len(), drift.columns.len()), (2, 0), "{drift:#?}");
    guard::enforce(&pool).await.unwrap();

    let after = facts(&pool).await;
    // An index is not written as it was.
    let is_index = |fact: &String| fact.starts_with("create ");
    let others = |fact: &&String| !before.contains(fact) && !is_index(fact);
    let left: Vec<&String> = after.iter().filter(others).collect();
    assert_eq!(left.len(), 1, "what only restricts stays: {left:#?}");
    assert!(before.iter().all(|fact| after.contains(fact) || is_index(fact)));
    let again = guard::look(&pool).await.unwrap().unwrap();
    assert!(!again.is_unsafe() && again.unpublished.is_empty(), "{again:#?}");
    // Those are made by people, when few write.
    assert_eq!(again.indexes.len(), 26, "{again:#?}");
    for statement in &again.indexes {
        execute(&pool, statement).await;
    }
    assert_eq!(guard::look(&pool).await.unwrap(), Some(guard::Drift::default()));
}

/// A statement that changes nothing is not taken for one that did.
#[tokio::test]
async fn what_others_granted_is_named() {
    let pool = database().await.pool;
    execute(
        &pool,
        "do $$ begin create role guard_granter; exception when duplicate_object then end $$;
         grant all on profiles to guard_granter with grant option;
         set role guard_granter;
         grant select on profiles to anon;
         reset role",
    )
    .await;
    let error = guard::enforce(&pool).await.unwrap_err().to_string();
    let line = "revoke all on public.profiles from anon; -- it was run and changed nothing";
    assert!(error.contains(line), "{error}");
}

/// Who reads for long, as a backup does, ends nobody's service.
#[tokio::test]
async fn tables_that_are_in_use_are_mended_later() {
    let pool = database().await.pool;
    execute(&pool, "drop policy pixcrawler_select on images").await;
    let mut reader = pool.begin().await.unwrap();
    sqlx::query("select count(*) from images").execute(&mut *reader).await.unwrap();
    assert!(matches!(guard::enforce(&pool).await, Err(GuardError::Busy)));
    reader.rollback().await.unwrap();
    guard::enforce(&pool).await.unwrap();
}

#[tokio::test]
async fn who_may_not_put_it_back_does_not_serve() {
    let TestDatabase { url, pool } = database().await;
    execute(
        &pool,
        "do $$ begin create role guard_reader login; exception when duplicate_object then end $$;
         grant usage on schema pixcrawler to guard_reader;
         grant select on pixcrawler.migration to guard_reader;
         alter table images disable row level security;
         alter publication supabase_realtime drop table crawl_jobs",
    )
    .await;
    let reader = db::connect(&as_role(&url, "guard_reader"), 1).await.unwrap();
    let error = guard::enforce(&reader).await.unwrap_err().to_string();
    assert!(error.contains("alter table public.images enable row level security; -- "), "{error}");
    assert!(error.contains("must be owner of table images") && !error.contains("publication"), "{error}");
}

#[tokio::test]
async fn a_newer_version_knows_better() {
    let pool = database().await.pool;
    execute(
        &pool,
        "insert into pixcrawler.migration (version, description, success, checksum, execution_time)
         values (9999, 'newer', true, '', 0);
         grant update (title) on images to authenticated",
    )
    .await;
    assert_eq!(guard::look(&pool).await.unwrap(), None);
    guard::enforce(&pool).await.unwrap();
}

#[tokio::test]
async fn a_server_whose_tables_are_not_safe_ends() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let mut server = system.server(&[("PIXCRAWLER_GUARD_EVERY", "200ms")]).await;
    execute(&system.pool, "alter table images disable row level security").await;
    server.logged("protection-mended").await;

    execute(&system.pool, "alter table images drop column pdq").await;
    assert_eq!(server.exited().await.code(), Some(1));
    assert!(server.log().contains("alter table public.images add column pdq text"), "{}", server.log());
    let told = system.fails(&["migrate"], &[]).await;
    assert!(told.contains("not safe to serve") && told.contains("add column pdq text"), "{told}");
}

#[tokio::test]
async fn the_doctor_names_what_is_gone_and_leaves_it() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let told = system.tool(&["doctor"], &[]).await;
    assert!(told.contains("ok     protection"), "{told}");
    execute(
        &system.pool,
        "alter table profiles disable row level security;
         alter table images drop column pdq;
         drop index crawl_jobs_open_idx;
         create policy everyone on images using (true);
         drop table transactions",
    )
    .await;
    for _ in 0..2 {
        let output = system.run(&["doctor"], &[]).await;
        assert_eq!(output.status.code(), Some(1));
        let told = String::from_utf8(output.stdout).unwrap();
        for expect in [
            "within ten minutes does it: alter table public.profiles enable row level security",
            "WRONG  tables             public.transactions is gone",
            "alter table public.images add column pdq text",
            "note   indexes            one is gone: create index crawl_jobs_open_idx",
            "within ten minutes does it: drop policy if exists everyone on public.images",
        ] {
            assert!(told.contains(expect), "{expect}: {told}");
        }
    }
}
