//! `doctor`: whether everything that a crawl needs is there.

use std::{error::Error, fs, io, net::TcpListener, path::Path, process::ExitCode, time::Duration};

use clap::Args;
use rustix::fs::Access;
use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    app::{CredentialReader, Database, StartError, project_keys},
    auth::{Auth, key_set::NO_KEYS},
    cli::{
        plugin::{self, Known},
        say, stop,
    },
    config::Config,
    db::{self, MigrateError, PgPool, guard::Drift, inspect::Inspection},
    error::chain,
    fetch::{self, Fetcher},
    plugins::{LoadedPlugin, Plugins},
    postgres, private,
    services::{
        presence,
        sources::{left_aside, unknown_credential},
    },
    store::{self, Store, StoreError},
};

/// Check whether everything that a crawl needs is there
///
/// Changes nothing but that it starts the private Postgres, where one was made, for as long as it
/// looks. Where there is no data folder yet, only what needs none is looked at. No request leaves the
/// machine but those to the database, to the bucket, in which a small object is written and deleted, and to
/// the project of `SUPABASE_URL` for its keys.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler doctor\n  \
    DATABASE_URL=postgres://… pixcrawler doctor --json\n\n\
    Exit codes: 0 all is well or there are only notes, 1 something is wrong.")]
pub(super) struct Doctor {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What was looked at and what was found.
#[derive(Debug, Serialize)]
struct Finding {
    check: String,
    verdict: CheckOutcome,
    detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum CheckOutcome {
    Ok,
    /// Works, but could be better.
    Note,
    Wrong,
}

impl Doctor {
    pub(super) async fn run(self, config: Config) -> anyhow::Result<ExitCode> {
        let stop = stop::on_signal()?;
        let folder = config.data_dir();
        let is_made = folder.is_dir();
        let mut findings = vec![if is_made { data_folder(&folder) } else { no_data_folder(&folder) }];
        if is_made || config.objects.s3_bucket.is_some() {
            findings.push(store(&config).await);
        }
        let database = if postgres::is_made(&folder) {
            Database::connect(&config).await.map(Some)
        } else {
            Database::configured(&config).await
        };
        match &database {
            Ok(Some(database)) => {
                findings.extend(of_database(database, config.database.database_sessions).await);
            }
            Ok(None) => findings.push(no_database(&config).await),
            Err(error) => findings.push(wrong("database", chain(error))),
        }
        let database = database.ok().flatten();
        if is_made {
            let db = database.as_ref().map(|database| &database.pool);
            findings.extend(plugins(&config, db, &stop).await);
        }
        if let Some(database) = database {
            findings.extend(objects_elsewhere(&config, &database.pool).await);
            database.close().await;
        }
        if is_made || config.supabase.supabase_url.is_some() {
            findings.push(tokens(&config).await.unwrap_or_else(|wrong| wrong));
        }
        findings.push(outbound(&config));
        findings.extend(fetch::openings(&config.fetch).into_iter().map(|opening| note("opened", opening)));
        findings.extend([contact(&config), port(&config)]);
        let well = findings.iter().all(|finding| finding.verdict != CheckOutcome::Wrong);
        if self.json {
            say(&json!({"ok": well, "checks": findings}).to_string());
        } else {
            for Finding { check, verdict, detail } in &findings {
                let mark = match verdict {
                    CheckOutcome::Ok => "ok",
                    CheckOutcome::Note => "note",
                    CheckOutcome::Wrong => "WRONG",
                };
                say(&format!("{mark:<6} {check:<18} {detail}"));
            }
        }
        Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn ok(check: &str, detail: impl Into<String>) -> Finding {
    Finding { check: check.to_owned(), verdict: CheckOutcome::Ok, detail: detail.into() }
}

fn note(check: &str, detail: impl Into<String>) -> Finding {
    Finding { verdict: CheckOutcome::Note, ..ok(check, detail) }
}

fn wrong(check: &str, detail: impl Into<String>) -> Finding {
    Finding { verdict: CheckOutcome::Wrong, ..ok(check, detail) }
}

/// Makes a finding of what went wrong in a check.
fn failed<E: Error>(check: &str) -> impl FnOnce(E) -> Finding {
    move |error| wrong(check, chain(&error))
}

fn data_folder(folder: &Path) -> Finding {
    let trial = folder.join(".doctor");
    let tried = private::data_folder(folder)
        .and_then(|()| fs::write(&trial, b"trial"))
        .and_then(|()| fs::remove_file(&trial));
    match tried {
        Ok(()) => ok("data folder", folder.display().to_string()),
        Err(error) => wrong(
            "data folder",
            format!("cannot write {}: {error}; choose another with --data-dir", folder.display()),
        ),
    }
}

/// Tells of a folder that is not there, and whether it can be made.
fn no_data_folder(folder: &Path) -> Finding {
    let parent = folder.ancestors().find(|parent| parent.exists()).unwrap_or(folder);
    match rustix::fs::access(parent, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) if parent.is_dir() && parent != folder => note(
            "data folder",
            format!(
                "{} does not exist; `serve` and `crawl` make it, and store, sources and keys can be looked at then",
                folder.display()
            ),
        ),
        tried => {
            let why = tried.err().map_or_else(|| "it is no folder".to_owned(), |error| error.to_string());
            let (folder, parent) = (folder.display(), parent.display());
            wrong(
                "data folder",
                format!("{folder} cannot be made in {parent}: {why}; choose another with --data-dir"),
            )
        }
    }
}

/// Tells that there is no database yet, and whether one can be made.
async fn no_database(config: &Config) -> Finding {
    let programs = postgres::programs(&config.data_dir(), config.database.pg_bin.as_deref()).await;
    programs.map_or_else(failed("database"), |programs| {
        let programs = programs.display();
        note("database", format!("there is none yet; `serve` and `crawl` make a private one with {programs}"))
    })
}

/// Tries whether objects can be written, deleted and listed.
async fn store(config: &Config) -> Finding {
    let tried = async {
        let store = Store::open(&config.objects, &config.data_dir())?;
        store.check().await?;
        store.databases().await?;
        Ok::<_, StoreError>(store.place())
    };
    tried
        .await
        .map_or_else(failed("store"), |place| ok("store", format!("objects can be written to {place}")))
}

/// Tells of hosts that keep objects elsewhere. Nothing where that cannot be told, as others tell why.
async fn objects_elsewhere(config: &Config, db: &PgPool) -> Option<Finding> {
    let folder = config.data_dir().join(store::FOLDER);
    let store = match Store::bucket(&config.objects).ok()? {
        None => folder.is_dir().then(|| Store::local(&folder).ok()).flatten()?,
        Some(bucket) => bucket,
    };
    let is_elsewhere = presence::is_store_elsewhere(db, &store).await.ok()?;
    is_elsewhere.then(|| note("objects", presence::NOT_SHARED))
}

async fn of_database(database: &Database, sessions: u32) -> Vec<Finding> {
    let pool = &database.pool;
    let which = if database.is_private() { "private" } else { "DATABASE_URL" };
    let version = db::server_version(pool).await;
    let pending = pending(database).await;
    let heard = db::listen::is_heard(pool, Duration::from_secs(5)).await;
    let mut findings = vec![
        version.map_or_else(failed("database"), |version| {
            ok("database", format!("Postgres {version} ({which})"))
        }),
        pending.map_or_else(failed("migrations"), |pending| match pending {
            0 => ok("migrations", "up to date"),
            count => note(
                "migrations",
                format!("{count} to apply: `pixcrawler migrate`, or the next start, does it"),
            ),
        }),
        heard.map_or_else(failed("notifications"), |heard| match heard {
            true => ok("notifications", "LISTEN works"),
            false => wrong("notifications", "LISTEN hears nothing: is there a pooler that shares sessions?"),
        }),
    ];
    match db::inspect::inspect(pool).await {
        Ok(inspection) => findings.extend(reached(&inspection, sessions)),
        Err(error) => findings.push(failed("sessions")(error)),
    }
    match db::inspect::unfit(pool).await {
        Ok(reasons) if reasons.is_empty() => {
            findings.push(ok("tables", "columns, their types and time zones are fit"))
        }
        Ok(reasons) => findings.extend(reasons.into_iter().map(|reason| wrong("tables", reason))),
        Err(error) => findings.push(failed("tables")(error)),
    }
    match db::guard::look(pool).await {
        Ok(Some(drift)) => findings.extend(protection(drift)),
        Ok(None) => {
            findings.push(note("protection", "looked at only when the migrations are those of this version"))
        }
        Err(error) => findings.push(failed("protection")(error)),
    }
    findings
}

/// How many migrations are to be applied. What Supabase brings is made in the private database only.
async fn pending(database: &Database) -> Result<usize, MigrateError> {
    let prepared = db::is_prepared(&mut *database.pool.acquire().await?).await?;
    if !prepared && !database.is_private() {
        return Err(MigrateError::NotSupabase);
    }
    Ok(db::pending(&database.pool).await?)
}

/// How the database is reached, and what it allows; a process takes so many `sessions`.
fn reached(seen: &Inspection, sessions: u32) -> Vec<Finding> {
    let tls = match (&seen.tls, &seen.address) {
        (Some(version), _) => ok("encryption", version.clone()),
        (None, None) => ok("encryption", "none, by a socket of this machine"),
        (None, Some(address)) if address.starts_with("127.") || address == "::1" => {
            ok("encryption", "none, on this machine")
        }
        (None, Some(address)) => wrong(
            "encryption",
            format!(
                "what is said to {address} can be read on the way: take sslmode=disable out of DATABASE_URL"
            ),
        ),
    };
    let left = seen.most_sessions - seen.sessions;
    let free = format!("{} of {} in use; a process takes {sessions}", seen.sessions, seen.most_sessions);
    let free = if left < i64::from(sessions) {
        note("sessions", format!("{free}: stop others, or set PIXCRAWLER_DATABASE_SESSIONS lower"))
    } else {
        ok("sessions", free)
    };
    let role = &seen.role;
    let rights = match (seen.bypasses, seen.reads_sessions) {
        (false, _) => wrong(
            "role",
            format!(
                "{role} is held back by row-level security: run `alter role {role} bypassrls`, or use another"
            ),
        ),
        (_, Some(false)) => wrong(
            "role",
            format!("{role} cannot see who is signed in: run `grant select on auth.sessions to {role}`"),
        ),
        _ => ok("role", role.clone()),
    };
    let live = match (seen.published, &*seen.wal_level) {
        (false, _) => note("publication", "there is no supabase_realtime: browsers see no changes live"),
        (true, "logical") => ok("publication", "supabase_realtime, with wal_level logical"),
        (true, level) => {
            ok("publication", format!("supabase_realtime, of which nothing is sent, as wal_level is {level}"))
        }
    };
    vec![tls, free, rights, live]
}

/// What others changed in the tables, with the statements that change it back.
fn protection(drift: Drift) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !drift.is_unsafe() {
        findings.push(ok("protection", "row-level security, policies, grants and triggers are in place"));
    }
    let Drift { unprotected, unpublished, tables, columns, indexes } = drift;
    let put_back = "`pixcrawler migrate`, a start, or a running host within ten minutes does it: ";
    findings
        .extend(unprotected.iter().map(|statement| wrong("protection", format!("{put_back}{statement}"))));
    findings.extend(
        tables
            .iter()
            .map(|table| wrong("tables", format!("{table} is gone, with all that was in it: restore it"))),
    );
    findings.extend(columns.iter().map(|statement| {
        wrong("columns", format!("one is gone with what was in it; restore it, or add it empty: {statement}"))
    }));
    findings
        .extend(unpublished.iter().map(|statement| note("live changes", format!("{put_back}{statement}"))));
    findings.extend(indexes.iter().map(|statement| note("indexes", format!("one is gone: {statement}"))));
    findings
}

async fn plugins(config: &Config, db: Option<&PgPool>, stop: &CancellationToken) -> Vec<Finding> {
    let reader = match CredentialReader::begin(&config.plugins).await {
        Ok(reader) => reader,
        Err(error) => return vec![failed("credentials")(error)],
    };
    let plugins = match Plugins::load(&config.plugins, &config.data_dir()).await {
        Ok(plugins) => plugins,
        Err(error) => return vec![failed("plugin runtime")(error)],
    };
    let known = match Known::read(db, &reader, &plugins).await {
        Err(error) if db.is_some() => {
            tracing::debug!(error = chain(error.as_ref()), "how the sources fare is not known");
            Known::read(None, &reader, &plugins).await
        }
        known => known,
    };
    let known = match known {
        Ok(known) => known,
        Err(error) => return vec![wrong("plugin runtime", chain(error.as_ref()))],
    };
    plugin::prepared(&plugins, stop).await;
    let sources = plugins.list();
    let mut findings = vec![match sources.len() {
        0 => wrong("plugin runtime", "no source is installed: build them with `make plugins`"),
        count => ok("plugin runtime", format!("{count} sources")),
    }];
    findings.extend(credentials(&known, &sources));
    for source in &sources {
        let check = format!("source {}", source.info.id);
        findings.push(match (known.unavailable(source), left_aside(source)) {
            (None, None) => ok(&check, format!("{} is ready", source.info.version)),
            (Some(reason), _) | (None, Some(reason)) => note(&check, reason),
        });
    }
    findings.extend(
        plugins
            .refused()
            .iter()
            .map(|plugin| wrong("plugin left out", format!("{}: {}", plugin.name, plugin.reason))),
    );
    findings
}

/// Which credentials are configured, in hosts that run and here, and which of them are for nobody.
fn credentials(known: &Known, sources: &[LoadedPlugin]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for holder in known.holders() {
        let all = holder.all();
        let all: Vec<_> =
            all.iter().flat_map(|(id, names)| names.iter().map(move |name| (id, name))).collect();
        let mut taken = Vec::new();
        for (id, name) in all {
            match unknown_credential(id, name, sources) {
                Some(why) => findings.push(note("credentials", format!("{}: {why}", holder.name()))),
                None => taken.push(format!("{id}.{name}")),
            }
        }
        if !taken.is_empty() {
            findings.push(ok("credentials", format!("{} has {}", holder.name(), taken.join(", "))));
        }
    }
    findings
}

/// What tokens are verified by, or why none can be.
async fn tokens(config: &Config) -> Result<Finding, Finding> {
    let supabase = &config.supabase;
    let fetcher = Fetcher::new(&config.fetch).map_err(failed("tokens"))?;
    let keys = |project: &Url| project_keys(&fetcher, project);
    let auth = Auth::new(supabase, &config.data_dir(), keys).map_err(failed("tokens"))?;
    let (Some(project), Some(keys)) = (&supabase.supabase_url, auth.published()) else {
        return Ok(ok("tokens", "of this host: `pixcrawler token`"));
    };
    if config.lacks_database() {
        return Err(failed("tokens")(StartError::ProjectWithoutDatabase));
    }
    let by_secret = supabase.supabase_jwt_secret.is_some();
    if let Some(until) = supabase.supabase_jwt_secret_until {
        let until = until.format("%Y-%m-%d %H:%M UTC");
        return Ok(match keys.count().await {
            Ok(0) => wrong(
                "tokens",
                format!(
                    "{project} publishes no keys yet, so that from {until} on (SUPABASE_JWT_SECRET_UNTIL) no token is accepted"
                ),
            ),
            Ok(count) => ok(
                "tokens",
                format!("of {project}, by {count} keys, and by SUPABASE_JWT_SECRET until {until}"),
            ),
            Err(reason) => wrong("tokens", format!("the keys of {project} cannot be fetched: {reason}")),
        });
    }
    Ok(match keys.count().await {
        Ok(0) | Err(_) if by_secret => ok("tokens", format!("of {project}, by SUPABASE_JWT_SECRET")),
        Ok(count) if by_secret => note(
            "tokens",
            format!(
                "of {project}, by SUPABASE_JWT_SECRET; it publishes {count} keys, too, and what they sign is refused: \
                 unset the secret once tokens are signed by them"
            ),
        ),
        Ok(0) => wrong("tokens", format!("{project}: {NO_KEYS}")),
        Ok(count) => ok("tokens", format!("of {project}, by {count} keys")),
        Err(reason) => wrong("tokens", format!("the keys of {project} cannot be fetched: {reason}")),
    })
}

fn outbound(config: &Config) -> Finding {
    let set_up = Fetcher::new(&config.fetch);
    set_up.map_or_else(failed("outbound requests"), |_| ok("outbound requests", "can be set up"))
}

fn contact(config: &Config) -> Finding {
    match &config.fetch.contact {
        Some(contact) => ok("contact", contact.clone()),
        None => note(
            "contact",
            "not set: sites want to know whom to write to; set PIXCRAWLER_CONTACT to an address or a page",
        ),
    }
}

fn port(config: &Config) -> Finding {
    let address = config.listen();
    match TcpListener::bind(address) {
        Ok(_) => ok("port", format!("{address} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => note(
            "port",
            format!("{address} is taken, perhaps by a running `serve`; choose another with --port"),
        ),
        Err(error) => wrong("port", format!("cannot listen on {address}: {error}")),
    }
}
