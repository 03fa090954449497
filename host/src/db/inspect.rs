//! How a database is reached and what it lets this role do, for an operator who wants to know.
//!
//! Its functions fail when the database does.

use sqlx::{FromRow, PgPool};

/// What can be seen from one session.
#[derive(Clone, Debug, FromRow)]
pub struct Inspection {
    /// Version of TLS; none when the session is not encrypted.
    pub tls: Option<String>,
    /// Address of the server; none for a socket of this machine.
    pub address: Option<String>,
    /// Who is connected.
    pub role: String,
    /// Row-level security does not hold the role back.
    pub bypasses: bool,
    /// It may see who is signed in. None where there is no `auth.sessions`.
    pub reads_sessions: Option<bool>,
    /// Sessions of all programs that the server has now.
    pub sessions: i64,
    /// The most that it has for this role.
    pub most_sessions: i64,
    /// `logical` where changes can be sent to browsers.
    pub wal_level: String,
    /// There is a publication for them.
    pub published: bool,
}

/// Looks at the database.
pub async fn inspect(pool: &PgPool) -> sqlx::Result<Inspection> {
    sqlx::query_as(
        "select (select version from pg_stat_ssl where pid = pg_backend_pid() and ssl) as tls,
                host(inet_server_addr()) as address, current_user::text as role,
                (select rolsuper or rolbypassrls from pg_roles where rolname = current_user) as bypasses,
                case when to_regclass('auth.sessions') is not null
                     then has_table_privilege('auth.sessions', 'select') end as reads_sessions,
                (select count(*) from pg_stat_activity where backend_type = 'client backend') as sessions,
                least(current_setting('max_connections')::bigint
                          - current_setting('superuser_reserved_connections')::bigint,
                      (select nullif(rolconnlimit, -1) from pg_roles where rolname = current_user)) as most_sessions,
                current_setting('wal_level') as wal_level,
                exists (select from pg_publication where pubname = 'supabase_realtime') as published",
    )
    .fetch_one(pool)
    .await
}

/// Why the tables that are there cannot be worked with: every reason, and what to do about it.
pub async fn unfit(pool: &PgPool) -> sqlx::Result<Vec<String>> {
    let mut connection = pool.acquire().await?;
    let of_projects = super::layout::jobs_belong_to_projects(&mut connection).await?;
    super::layout::unfit(&mut connection, of_projects).await
}
