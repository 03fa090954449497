//! From one database into another: what of an installation is in schemas that others have a part in.
//!
//! Its functions fail when the database does.

use sqlx::{AssertSqlSafe, PgConnection, PgPool};

/// What is in the way of an installation with these schemas that is to come into this database, if anything is.
pub async fn occupied_by(pool: &PgPool, schemas: &[&str]) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar(
        "select what from (
            select 'the schema ' || nspname from pg_namespace where nspname = any ($1) and nspname <> 'public'
            union all
            select 'the table ' || oid::regclass from pg_class
             where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm', 'f')
               and not exists (select from pg_depend where objid = pg_class.oid and deptype = 'e')
            ) as things (what)
          order by what limit 1",
    )
    .bind(schemas)
    .fetch_optional(pool)
    .await
}

/// Makes those of these roles that are not there; nobody can log in as one of them.
pub async fn make_roles(pool: &PgPool, roles: &[String]) -> sqlx::Result<()> {
    let missing: Vec<String> = sqlx::query_scalar(
        "select format('create role %I nologin', role) from unnest($1) as role
          where not exists (select from pg_roles where rolname = role)",
    )
    .bind(roles)
    .fetch_all(pool)
    .await?;
    run(&mut *pool.acquire().await?, &missing).await
}

/// Schema that is there from before the first row of a restore until its end.
const RESTORING: &str = "pixcrawler_restoring";

/// Whether a restore into this database has not come to its end.
pub async fn is_half_restored(pool: &PgPool) -> sqlx::Result<bool> {
    let there = sqlx::query_scalar("select to_regnamespace($1) is not null");
    there.bind(RESTORING).fetch_one(pool).await
}

/// Whether the tables of an installation are there.
pub async fn is_loaded(pool: &PgPool) -> sqlx::Result<bool> {
    sqlx::query_scalar("select to_regclass('pixcrawler.migration') is not null").fetch_one(pool).await
}

/// Notes that a restore of this backup begins, or goes on; gives the one whose tables are there, if any are.
pub async fn begin_restore(pool: &PgPool, backup: &str) -> sqlx::Result<String> {
    sqlx::raw_sql(
        "set client_min_messages = warning;
         create schema if not exists pixcrawler_restoring;
         create table if not exists pixcrawler_restoring.restore (
             is_only boolean primary key default true check (is_only), backup text not null, grants text[]);
         reset client_min_messages",
    )
    .execute(pool)
    .await?;
    sqlx::query(
        "insert into pixcrawler_restoring.restore (backup) values ($1)
             on conflict (is_only) do update set backup = excluded.backup
              where to_regclass('pixcrawler.migration') is null",
    )
    .bind(backup)
    .execute(pool)
    .await?;
    sqlx::query_scalar("select backup from pixcrawler_restoring.restore").fetch_one(pool).await
}

/// The restore is at its end.
pub async fn end_restore(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::raw_sql("drop schema pixcrawler_restoring cascade").execute(pool).await.map(drop)
}

/// What this role grants by default on what it makes in `public`, and how that is taken away and given again:
/// a dump says what is granted beyond the least, and not that there is less than is usual elsewhere.
#[derive(Debug, sqlx::FromRow)]
pub struct DefaultGrants {
    revoke: Vec<String>,
    grant: Vec<String>,
}

impl DefaultGrants {
    /// Takes them away. What they were stays noted in the database until they are given again, also where a restore
    /// is interrupted.
    pub async fn suspend(pool: &PgPool) -> sqlx::Result<()> {
        let mut suspension = pool.begin().await?;
        let grants: Self = sqlx::query_as(
            "select coalesce(array_agg(distinct prefix || 'revoke all on ' || kind || ' from ' || role), '{}') as revoke,
                    coalesce(array_agg(prefix || 'grant ' || privilege_type || ' on ' || kind || ' to ' || role), '{}') as \"grant\"
               from (select privilege_type, grantee::regrole::text as role, 'alter default privileges in schema public ' as prefix,
                            case defaclobjtype when 'r' then 'tables' when 'S' then 'sequences'
                                               when 'f' then 'functions' when 'T' then 'types' end as kind
                       from pg_default_acl, aclexplode(defaclacl)
                      where defaclrole = (select oid from pg_roles where rolname = current_user) and defaclnamespace = 'public'::regnamespace
                        and grantee <> 0 and grantee <> defaclrole) as given
              where kind is not null",
        )
        .fetch_one(&mut *suspension)
        .await?;
        // Those of a restore that was interrupted are noted already.
        sqlx::query("update pixcrawler_restoring.restore set grants = coalesce(grants, '{}') || $1")
            .bind(&grants.grant)
            .execute(&mut *suspension)
            .await?;
        run(&mut suspension, &grants.revoke).await?;
        suspension.commit().await
    }

    /// Gives them again.
    pub async fn resume(pool: &PgPool) -> sqlx::Result<()> {
        let mut resumption = pool.begin().await?;
        let grants: Option<Vec<String>> =
            sqlx::query_scalar("select grants from pixcrawler_restoring.restore")
                .fetch_one(&mut *resumption)
                .await?;
        run(&mut resumption, &grants.unwrap_or_default()).await?;
        sqlx::query("update pixcrawler_restoring.restore set grants = null")
            .execute(&mut *resumption)
            .await?;
        resumption.commit().await
    }
}

async fn run(connection: &mut PgConnection, statements: &[String]) -> sqlx::Result<()> {
    if statements.is_empty() {
        return Ok(());
    }
    sqlx::raw_sql(AssertSqlSafe(statements.join(";"))).execute(connection).await.map(drop)
}

/// Inserts rows of `auth.users`, as JSON, that are not there. What one of another version has more is left out.
pub async fn insert_accounts(pool: &PgPool, rows: &[String]) -> sqlx::Result<()> {
    let rows = format!("[{}]", rows.join(","));
    let columns: Option<String> = sqlx::query_scalar(
        "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
          where attrelid = 'auth.users'::regclass and attnum > 0 and not attisdropped and attgenerated = ''
            and $1::jsonb -> 0 ? attname",
    )
    .bind(&rows)
    .fetch_one(pool)
    .await?;
    let Some(columns) = columns else { return Ok(()) };
    let insert = format!(
        "insert into auth.users ({columns})
         select {columns} from jsonb_populate_recordset(null::auth.users, $1::jsonb) on conflict (id) do nothing"
    );
    sqlx::query(AssertSqlSafe(insert)).bind(rows).execute(pool).await.map(drop)
}
