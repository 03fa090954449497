//! The only place that holds SQL: how the database is reached and brought up to date.
//!
//! Here and below, a function that says nothing of its errors fails when the database does.

pub mod activity;
pub mod api_keys;
pub mod checks;
pub mod chunks;
pub mod column;
mod consent;
pub mod dashboard;
pub mod datasets;
pub mod dedupe;
pub mod export;
pub mod exports;
pub mod facts;
pub mod fairness;
pub mod figures;
pub mod guard;
pub mod hosts;
pub mod idempotency;
pub mod images;
pub mod inbox;
pub mod inspect;
pub mod known_items;
pub mod jobs;
mod labels;
mod layout;
pub mod listen;
mod look_alikes;
pub mod measurements;
pub mod notifications;
pub mod objects;
pub mod pace;
pub mod profiles;
pub mod progress;
pub mod projects;
pub mod removals;
pub mod report;
pub mod secrets;
pub mod usage;
pub mod job_lifecycle;
pub mod sources;
pub mod statistics;
pub mod steps;
pub mod transfer;
pub mod image_batch;
pub mod users;

use std::{io::ErrorKind, path::PathBuf, time::Duration};

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    Connection,
    postgres::{PgConnectOptions, PgPoolOptions, PgSslMode},
};
pub use sqlx::{PgConnection, PgPool};
use tracing_log::log::LevelFilter;
use url::Url;

use crate::{
    config,
    model::{DatasetId, UserId},
};

/// What goes wrong with a query.
pub type Error = sqlx::Error;

/// Set in every session, because a role or a pooler may bring others: no statement, no
/// wait for a lock and no forgotten transaction holds up everybody else.
const SESSION: &str = "set time zone 'UTC'; set statement_timeout = '30s'; set lock_timeout = '5s'; \
     set idle_in_transaction_session_timeout = '60s'";

/// Longest wait for the first session.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest wait for a session: whoever asks the API is not kept for longer.
const ACQUIRE: Duration = Duration::from_secs(4);
/// Sessions that nobody used for so long are closed.
const IDLE: Duration = Duration::from_secs(60);
/// Sessions that nobody used for so long are asked whether they live: they may have lost their server.
const DOUBTED: Duration = Duration::from_millis(100);

/// The oldest major version that the SQL here is written for.
const OLDEST_POSTGRES: i32 = 15;

/// What became of something that is to be deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// No such thing of this user.
    NotFound,
    /// Something below it is there still, or came meanwhile; nothing was deleted.
    HasMore,
    /// It is gone.
    Now,
}

/// A server and how it is known.
#[derive(Clone, Debug)]
pub struct ServerAddress {
    /// Address, with its password.
    pub url: SecretString,
    /// File with the certificate of its CA, where no public one knows it.
    pub ca: Option<PathBuf>,
}

impl ServerAddress {
    /// The one that the settings name.
    #[must_use]
    pub fn configured(settings: &config::Database) -> Option<Self> {
        let url = settings.database_url.clone()?;
        Some(Self { url, ca: settings.database_ca.clone() })
    }
}

impl ServerAddress {
    /// Address and password as the programs of Postgres take them.
    ///
    /// # Errors
    /// When it is not an address of Postgres, or leads to a transaction pooler.
    pub fn for_tools(&self) -> Result<(String, Option<SecretString>), ConnectError> {
        /// What libpq knows, too.
        const KNOWN: [&str; 7] =
            ["host", "port", "user", "dbname", "sslmode", "sslrootcert", "connect_timeout"];
        let (mut url, says_how) = normalised(self.url.expose_secret())?;
        let verified = !says_how && !is_here(&options(self.url.expose_secret())?);
        let password =
            url.password().map(|password| percent_decode_str(password).decode_utf8_lossy().into_owned());
        // Of what has no host nothing can be taken.
        let _ = url.set_password(None);
        let given: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        url.set_query(None);
        let mut query = url.query_pairs_mut();
        for (key, value) in given {
            if KNOWN.contains(&&*key) && !(verified && key == "sslmode") {
                query.append_pair(&key, &value);
            }
        }
        if verified {
            query.append_pair("sslmode", "verify-full");
        }
        match &self.ca {
            Some(file) => {
                query.append_pair("sslrootcert", &file.to_string_lossy());
            }
            None if verified => {
                query.append_pair("sslrootcert", "system");
            }
            None => {}
        }
        drop(query);
        Ok((String::from(url).trim_end_matches('?').to_owned(), password.map(SecretString::from)))
    }
}

impl From<&SecretString> for ServerAddress {
    fn from(url: &SecretString) -> Self {
        Self { url: url.clone(), ca: None }
    }
}

/// A pool of at most `sessions` on a database, which was reached once. A free session is waited for
/// 4 s at most.
///
/// # Errors
/// The address is not one of Postgres or leads to a transaction pooler, the server does
/// not answer, is not the one that its certificate names, or is too old.
pub async fn connect(server: impl Into<ServerAddress>, sessions: u32) -> Result<PgPool, ConnectError> {
    let server = server.into();
    let options = options(server.url.expose_secret())?;
    let options = match server.ca {
        Some(file) => match std::fs::read(&file) {
            Ok(pem) => options.ssl_root_cert_from_pem(pem),
            Err(source) => return Err(ConnectError::Ca { file, source }),
        },
        None => options,
    };
    // Not by the pool, which tries a closed port again for as long as it waits.
    let version = async {
        let mut connection = PgConnection::connect_with(&options).await?;
        let version = sqlx::query_scalar("select current_setting('server_version_num')::integer / 10000")
            .fetch_one(&mut connection)
            .await?;
        connection.close().await?;
        Ok(version)
    };
    let version: i32 = tokio::time::timeout(PATIENCE, version)
        .await
        .unwrap_or_else(|_| Err(Error::Io(ErrorKind::TimedOut.into())))
        .map_err(|error| match error {
            Error::Tls(error) if error.to_string().contains("does not support TLS") => ConnectError::NoTls,
            Error::Tls(error) => ConnectError::Tls(error),
            // What the handshake ends with.
            Error::Io(error) if error.kind() == ErrorKind::InvalidData => ConnectError::Tls(error.into()),
            error => ConnectError::Connect(error),
        })?;
    if version < OLDEST_POSTGRES {
        return Err(ConnectError::TooOld(version));
    }
    Ok(PgPoolOptions::new()
        .max_connections(sessions)
        .acquire_timeout(ACQUIRE)
        // Whoever waits for too long is told so, and tells it.
        .acquire_slow_level(LevelFilter::Debug)
        .idle_timeout(IDLE)
        .max_lifetime(Duration::from_secs(30 * 60))
        // Before every use it would double what a short query takes, when there are many of them.
        .test_before_acquire(false)
        .before_acquire(|connection, session| {
            Box::pin(async move { Ok(session.idle_for < DOUBTED || connection.ping().await.is_ok()) })
        })
        // Not among the startup options, which some poolers refuse.
        .after_connect(|connection, _| {
            Box::pin(async move { sqlx::raw_sql(SESSION).execute(connection).await.map(drop) })
        })
        .connect_lazy_with(options))
}

/// Another pool on the same database, of at most `sessions`. Needs a tokio runtime, which must run for as long as the
/// pool is used.
#[must_use]
pub fn another_pool(pool: &PgPool, sessions: u32) -> PgPool {
    let options = pool.options().clone().max_connections(sessions);
    options.connect_lazy_with(PgConnectOptions::clone(&pool.connect_options()))
}

/// Whether the database answers.
pub async fn ping(pool: &PgPool) -> sqlx::Result<()> {
    sqlx::query("select 1").execute(pool).await.map(drop)
}

/// The version of the server, in its own words.
pub async fn server_version(pool: &PgPool) -> sqlx::Result<String> {
    sqlx::query_scalar("select current_setting('server_version')").fetch_one(pool).await
}

/// The major version of the server.
pub async fn server_major(pool: &PgPool) -> sqlx::Result<i32> {
    let major = sqlx::query_scalar("select current_setting('server_version_num')::integer / 10000");
    major.fetch_one(pool).await
}

/// How many migrations of this binary are yet to be applied.
pub async fn pending(pool: &PgPool) -> sqlx::Result<usize> {
    let mut connection = pool.acquire().await?;
    let applied = applied(&mut connection).await?;
    let migrator = sqlx::migrate!("../migrations");
    Ok(migrator.iter().filter(|migration| !applied.contains(&migration.version)).count())
}

/// Makes what Supabase brings where it is not there; see [`bootstrap`].
///
/// # Errors
/// When it cannot be made.
pub async fn prepare(pool: &PgPool) -> Result<(), BootstrapError> {
    let mut connection = pool.acquire().await?;
    let prepared = is_prepared(&mut connection).await?;
    drop(connection);
    if prepared { Ok(()) } else { bootstrap(pool).await }
}

/// Whether what Supabase brings is there, in its database or by a bootstrap.
pub async fn is_prepared(connection: &mut PgConnection) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select to_regclass('auth.users') is not null and to_regrole('authenticated') is not null",
    )
    .fetch_one(connection)
    .await
}

/// Brings the tables up to date. Processes that start together take turns. Says which
/// migrations it applied, by version and name; migrations that this binary does not know
/// are left alone, so that a binary can be rolled back.
///
/// # Errors
/// The database lacks what Supabase brings, has tables that these cannot be built on, or a migration
/// failed; nothing was changed.
pub async fn migrate(pool: &PgPool) -> Result<Vec<(i64, String)>, MigrateError> {
    // A connection of its own: closing it undoes its settings and frees the lock, come what may.
    let mut connection = pool.acquire().await?.detach();
    // The lock below is waited for as long as another process migrates; those that the
    // migrations take are not, because others queue behind them.
    sqlx::raw_sql("set client_min_messages = warning; set statement_timeout = '10min'; set lock_timeout = 0")
        .execute(&mut connection)
        .await?;
    sqlx::query("select pg_advisory_lock(hashtext('pixcrawler.migrate'))").execute(&mut connection).await?;
    sqlx::raw_sql("set lock_timeout = '5s'").execute(&mut connection).await?;

    if !is_prepared(&mut connection).await? {
        return Err(MigrateError::NotSupabase);
    }
    let before = applied(&mut connection).await?;
    let mut migrator = sqlx::migrate!("../migrations");
    migrator.set_ignore_missing(true).set_locking(false);
    let of_projects = layout::jobs_belong_to_projects(&mut connection).await?;
    let reasons = layout::unfit(&mut connection, of_projects).await?;
    if !reasons.is_empty() {
        return Err(MigrateError::Unfit(reasons));
    }
    // All of them or none.
    let mut transaction = connection.begin().await?;
    if of_projects {
        migrator.run_to(layout::BEFORE_JOBS, &mut *transaction).await?;
        sqlx::raw_sql(include_str!("db/adopt.sql")).execute(&mut *transaction).await?;
        tracing::info!("jobs that belonged to a project have a dataset of it now");
    }
    migrator.run(&mut *transaction).await?;
    transaction.commit().await?;
    let applied = sqlx::query_as(
        "select version, description from pixcrawler.migration where version <> all($1) order by version",
    )
    .bind(before)
    .fetch_all(&mut connection)
    .await?;
    connection.close().await?;
    Ok(applied)
}

/// Version of the last migration that this binary has.
pub(crate) fn newest_migration() -> i64 {
    sqlx::migrate!("../migrations").iter().map(|migration| migration.version).max().unwrap_or_default()
}

/// Versions of the migrations that were applied.
async fn applied(connection: &mut PgConnection) -> sqlx::Result<Vec<i64>> {
    let any: bool = sqlx::query_scalar("select to_regclass('pixcrawler.migration') is not null")
        .fetch_one(&mut *connection)
        .await?;
    if !any {
        return Ok(Vec::new());
    }
    sqlx::query_scalar("select version from pixcrawler.migration").fetch_all(connection).await
}

/// Makes what Supabase brings (roles, `auth`, `realtime`, `storage`, the publication) in a
/// database of our own, so that the migrations find it. Needs a superuser; may be run again.
///
/// # Errors
/// The database is a Supabase: nothing was touched.
pub async fn bootstrap(pool: &PgPool) -> Result<(), BootstrapError> {
    let (supabase, others): (bool, bool) = sqlx::query_as(
        "select exists (select from pg_roles where rolname = 'supabase_admin'),
                exists (select from pg_namespace
                         where nspname = 'auth' and to_regclass('realtime.messages_default') is null
                           and coalesce(obj_description(oid), '') not like 'made by pixcrawler%')",
    )
    .fetch_one(pool)
    .await?;
    if supabase {
        return Err(BootstrapError::Supabase);
    }
    if others {
        return Err(BootstrapError::Others);
    }
    let mut transaction = pool.begin().await?;
    sqlx::raw_sql(
        "set local client_min_messages = error; set local lock_timeout = '25s';
         select pg_advisory_xact_lock(hashtext('pixcrawler.bootstrap'))",
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::raw_sql(include_str!("db/bootstrap.sql")).execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}

/// Makes an empty database, for which the name needs no quotes. Needs a superuser.
pub async fn create_database(pool: &PgPool, name: &str) -> sqlx::Result<()> {
    let statement = format!("create database {name} template template0");
    sqlx::query(sqlx::AssertSqlSafe(statement)).execute(pool).await.map(drop)
}

/// Drops a database that nobody is connected to.
pub async fn drop_database(pool: &PgPool, name: &str) -> sqlx::Result<()> {
    sqlx::query(sqlx::AssertSqlSafe(format!("drop database {name}"))).execute(pool).await.map(drop)
}

/// Why there is no connection. No message holds the address, which holds the password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Not an address of Postgres.
    #[error("the database address is not of the form postgresql://user:password@host:5432/database: {0}")]
    Address(&'static str),
    /// It does not keep a session, which prepared statements, locks and LISTEN need.
    #[error(
        "the database address leads to a transaction pooler, which keeps no session; \
         use the session endpoint, {session}"
    )]
    TransactionPooler {
        /// Host and port to use in its place.
        session: String,
    },
    /// The certificate that is to vouch for the server cannot be read.
    #[error("cannot read DATABASE_CA, {file}")]
    Ca {
        /// Which file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It speaks no TLS.
    #[error(
        "the database's server speaks no TLS; where nobody else is on the network between, add `?sslmode=disable` to \
         the address"
    )]
    NoTls,
    /// Nobody vouches for the server.
    #[error(
        "the database's server is not trusted: give the certificate of its CA with DATABASE_CA (Supabase: database \
         settings, SSL configuration), or add `?sslmode=require` to the address to encrypt without asking who it is"
    )]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server is not there, or refuses.
    #[error("cannot connect to the database")]
    Connect(#[source] Error),
    /// The server's major version.
    #[error("the database is Postgres {0}, but {OLDEST_POSTGRES} or newer is needed")]
    TooOld(i32),
}

impl ConnectError {
    /// Whether it may pass by itself: the server, or the pooler before it, has no session left.
    #[must_use]
    pub fn is_for_now(&self) -> bool {
        let Self::Connect(Error::Database(error)) = self else { return false };
        // Supabase's pooler has no code of its own for it.
        error.code().is_some_and(|code| code == "53300")
            || error.message().contains("max clients reached")
            || error.message().contains("MaxClientsInSessionMode")
    }
}

/// Why the tables are not up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// It was neither made by Supabase nor bootstrapped.
    #[error(
        "the database lacks what Supabase brings (role `authenticated`, table `auth.users`): use the database \
         of a Supabase project, make it by `pixcrawler migrate --bootstrap` in a Postgres of your own, or set no \
         DATABASE_URL to have a private one"
    )]
    NotSupabase,
    /// There are tables that the migrations cannot build on; every reason.
    #[error("the tables that are there cannot be built on, and nothing was changed:\n- {}", .0.join("\n- "))]
    Unfit(Vec<String>),
    /// One of the files failed.
    #[error("cannot apply a migration")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The rest.
    #[error("cannot read which migrations were applied")]
    Query(#[from] Error),
}

/// Why a database was not prepared.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// It brings its own.
    #[error("the database is a Supabase, which brings what this would make")]
    Supabase,
    /// There is a schema `auth` that somebody else uses.
    #[error(
        "the database has a schema `auth` that is neither Supabase's nor made here: use another database"
    )]
    Others,
    /// The rest.
    #[error("cannot make what Supabase would bring; that needs a superuser")]
    Query(#[from] Error),
}

/// Reads an address as Supabase, `SQLAlchemy` and Drizzle write it.
fn options(address: &str) -> Result<PgConnectOptions, ConnectError> {
    let (url, says_how) = normalised(address)?;
    let options: PgConnectOptions =
        url.as_str().parse().map_err(|_| ConnectError::Address("a parameter in it is not known"))?;
    // The default falls back to plain text when somebody in between says no to TLS.
    let options =
        if is_here(&options) || says_how { options } else { options.ssl_mode(PgSslMode::VerifyFull) };
    Ok(options.application_name("pixcrawler"))
}

/// Whether the server is on this machine.
fn is_here(options: &PgConnectOptions) -> bool {
    let host = options.get_host().trim_matches(['[', ']']);
    host == "localhost"
        || host.starts_with('/')
        || options.get_socket().is_some()
        || host.parse::<std::net::IpAddr>().is_ok_and(|host| host.is_loopback())
}

/// An address as most programs take it, and whether it says how to encrypt.
fn normalised(address: &str) -> Result<(Url, bool), ConnectError> {
    let (scheme, rest) = address.split_once("://").ok_or(ConnectError::Address("there is no `://`"))?;
    // SQLAlchemy names the driver: postgresql+asyncpg.
    let scheme = scheme.split('+').next().unwrap_or(scheme);
    if !matches!(scheme, "postgres" | "postgresql") {
        return Err(ConnectError::Address("it begins with another scheme"));
    }
    let mut url = Url::parse(&format!("{scheme}://{rest}")).map_err(|_| {
        ConnectError::Address(
            "it cannot be read; in the password, characters such as # / ? @ are written as %23 %2F %3F %40",
        )
    })?;
    let mut pooled = url.port() == Some(6543);
    let mut query = Vec::new();
    for (key, value) in url.query_pairs() {
        match &*key {
            "pgbouncer" => pooled |= value == "true",
            "port" if value == "6543" => pooled = true,
            // asyncpg's name.
            "ssl" => query.push(("sslmode".to_owned(), value.into_owned())),
            _ => query.push((key.into_owned(), value.into_owned())),
        }
    }
    if pooled {
        let session = format!("{}:5432", url.host_str().unwrap_or("the host"));
        return Err(ConnectError::TransactionPooler { session });
    }
    let says_how =
        query.iter().any(|(key, value)| key == "sslmode" && !matches!(&**value, "allow" | "prefer"));
    url.set_query(None);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    Ok((url, says_how))
}

/// Whether the database works but will never take this: a value out of range, a broken constraint.
#[must_use]
pub fn refuses_data(error: &Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| code.starts_with("22") || code.starts_with("23") || code.starts_with("54"))
}

/// Whether the database works, but others were in the way for now: a lock or a statement took too long, or
/// two transactions stood against one another. Nothing was written, and the same again may go well.
#[must_use]
pub fn is_busy(error: &Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.is_some_and(|code| matches!(&*code, "55P03" | "57014" | "40P01" | "40001"))
}

/// Deletes rows that have had their day: answers to repeated requests after 24 hours, and
/// paces that hold nobody back.
pub async fn tidy(pool: &PgPool) -> sqlx::Result<()> {
    for old in [
        "delete from pixcrawler.idempotency_key where created_at < now() - interval '24 hours'",
        "delete from pixcrawler.pace where next_at < now() - interval '1 hour'",
    ] {
        sqlx::query(old).execute(pool).await?;
    }
    Ok(())
}

/// Waits for and takes the lock of a dataset until the end of the transaction: whoever
/// counts slots, looks for duplicates or moves shares holds it.
async fn lock_dataset(connection: &mut PgConnection, dataset: DatasetId) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtext('pixcrawler.dataset'), $1)")
        .bind(dataset)
        .execute(connection)
        .await?;
    Ok(())
}

/// The same for all datasets of a user. Whoever locks several of them takes this one first.
async fn lock_datasets_of(connection: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtext('pixcrawler.datasets'), hashtext($1::text))")
        .bind(user)
        .execute(connection)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_others_write_them() {
        let check = |address: &str, tls: &str| {
            let options = options(address).unwrap();
            assert_eq!((options.get_username(), options.get_port()), ("me", 5432), "{address}");
            assert_eq!(options.get_database(), Some("rows"), "{address}");
            assert_eq!(format!("{:?}", options.get_ssl_mode()), tls, "{address}");
        };
        check("postgres://me@localhost:5432/rows?sslmode=disable", "Disable");
        check("postgres://me@localhost:5432/rows", "Prefer");
        check("postgres://me@127.0.0.2:5432/rows", "Prefer");
        check("postgres://me@[::1]:5432/rows", "Prefer");
        check("postgres://me@example.org:5432/rows", "VerifyFull");
        check("postgres://me@10.0.0.7:5432/rows?sslmode=prefer", "VerifyFull");
        check("postgres://me@10.0.0.7:5432/rows?sslmode=disable", "Disable");
        check("postgresql://me:p%40ss@localhost:5432/rows?sslmode=prefer", "Prefer");
        check("postgresql+asyncpg://me:secret@localhost/rows?ssl=require", "Require");
        check("postgresql://me:secret@db.example.supabase.co:5432/rows?sslmode=require", "Require");
        check("postgresql://me@a.pooler.supabase.com/rows?sslmode=verify-full", "VerifyFull");
        check("postgresql://me@localhost/rows?host=/run/postgresql&sslmode=disable", "Disable");
    }

    #[test]
    fn programs_are_given_what_they_know() {
        let check = |address: &str, ca: Option<&str>, expect: &str, password: Option<&str>| {
            let server = ServerAddress { url: address.to_owned().into(), ca: ca.map(PathBuf::from) };
            let (address, given) = server.for_tools().unwrap();
            assert_eq!(address, expect);
            assert_eq!(given.as_ref().map(ExposeSecret::expose_secret), password);
        };
        check("postgres://me@localhost/rows", None, "postgres://me@localhost/rows", None);
        check(
            "postgresql+asyncpg://me:p%40ss@localhost:5433/rows?ssl=require&statement-cache-capacity=5",
            None,
            "postgresql://me@localhost:5433/rows?sslmode=require",
            Some("p@ss"),
        );
        check(
            "postgresql://me:secret@db.example.org/rows?sslmode=prefer",
            Some("/ca.crt"),
            "postgresql://me@db.example.org/rows?sslmode=verify-full&sslrootcert=%2Fca.crt",
            Some("secret"),
        );
        check(
            "postgresql://me@db.example.org/rows",
            None,
            "postgresql://me@db.example.org/rows?sslmode=verify-full&sslrootcert=system",
            None,
        );
    }

    #[test]
    fn addresses_that_are_refused_are_not_repeated() {
        let check = |address: &str, expect: &str| {
            let message = options(address).unwrap_err().to_string();
            assert!(message.contains(expect), "{address}: {message}");
            assert!(!message.contains("secret"), "{message}");
        };
        check(
            "postgresql://me:secret@a.pooler.supabase.com:6543/rows",
            "use the session endpoint, a.pooler.supabase.com:5432",
        );
        check(
            "postgresql+asyncpg://me:secret@host/rows?pgbouncer=true",
            "use the session endpoint, host:5432",
        );
        check("postgresql://me:secret@host/rows?port=6543", "transaction pooler");
        check("mysql://me:secret@host/rows", "another scheme");
        check("me:secret@host", "no `://`");
        check("postgresql://me:secret@host:port/rows", "cannot be read");
        check("postgresql://me:secret@host/rows?sslmode=secret", "not known");
    }
}
