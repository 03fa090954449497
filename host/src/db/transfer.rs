//! From one database into another: what of an installation is in schemas that others have a part in.
//!
//! Its functions fail when the database does.

use sqlx::{AssertSqlSafe, PgPool};

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
    run(pool, &missing).await
}

/// What this role grants by default on what it makes in `public`, and how that is taken away and given again:
/// a dump says what is granted beyond the least, and not that there is less than is usual elsewhere.
#[derive(Debug, sqlx::FromRow)]
pub struct DefaultGrants {
    revoke: Vec<String>,
    grant: Vec<String>,
}

impl DefaultGrants {
    /// Takes them away.
    pub async fn suspend(pool: &PgPool) -> sqlx::Result<Self> {
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
        .fetch_one(pool)
        .await?;
        run(pool, &grants.revoke).await?;
        Ok(grants)
    }

    /// Gives them again.
    pub async fn resume(self, pool: &PgPool) -> sqlx::Result<()> {
        run(pool, &self.grant).await
    }
}

async fn run(pool: &PgPool, statements: &[String]) -> sqlx::Result<()> {
    if statements.is_empty() {
        return Ok(());
    }
    sqlx::raw_sql(AssertSqlSafe(statements.join(";"))).execute(pool).await.map(drop)
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
