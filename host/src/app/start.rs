//! From settings to a host that runs: database, queue, sources, store.

use std::{
    io,
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use tokio::{sync::broadcast, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    app::{App, Components, Signal, health::CredentialFingerprints},
    auth::{
        self, Auth,
        key_set::FetchKeys,
        link::{self, LinkKey},
    },
    config::{Config, ConfiguredCredential, CredentialError},
    db::{
        self, PgPool, ServerAddress,
        embedded::{Durability, PrivatePostgres},
    },
    fetch::{self, Fetcher},
    metrics::Metrics,
    plugin::{EngineError, Plugins},
    private,
    queue::{Queue, QueueError},
    store::{Store, StoreError},
};

/// Sessions of one process on the private Postgres: requests are short, and a chunk holds one only
/// while it writes.
const PRIVATE_SESSIONS: u32 = 16;
/// How often a server that has no session left is asked for one.
const NO_SESSION: Duration = Duration::from_secs(2);
/// Longest wait for a database that may not be there.
const REACH: Duration = Duration::from_secs(5);
/// Signals that a slow listener may fall behind before it has to look for itself.
const SIGNALS: usize = 1024;

/// What is not done by then is said.
const SILENCE: Duration = Duration::from_secs(1);

/// Who waits for a start is told what takes long.
pub type Announce<'a> = &'a (dyn Fn(&str) + Sync);

/// A host that runs, with the private Postgres when it has one.
pub struct RunningHost {
    /// All parts.
    pub app: App,
    database: Database,
    /// What goes on beside all else until the stop.
    beside: [JoinHandle<()>; 3],
}

/// The rows: the configured database, or else the private one.
pub struct Database {
    /// Sessions.
    pub pool: PgPool,
    embedded: Option<PrivatePostgres>,
}

/// Why the host cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It was told to end before everything was there.
    #[error("ended by a signal before everything was ready")]
    Stopped,
    /// Users and rows of a project are in its own database, and not in a private one.
    #[error(
        "SUPABASE_URL needs DATABASE_URL: the users of a project are in its own database (its settings show the address of the session endpoint)"
    )]
    ProjectWithoutDatabase,
    /// A secret of a source is not given as it must be.
    #[error("cannot read PIXCRAWLER_CREDENTIALS or --credential")]
    Credential(#[from] CredentialError),
    /// The data folder cannot be made or used.
    #[error("cannot use the data folder {folder}; choose another with --data-dir")]
    DataDir {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The private Postgres does not start.
    #[error("the private Postgres does not start")]
    Embedded(#[from] db::embedded::PostgresError),
    /// The database cannot be reached.
    #[error("cannot connect to the database")]
    Connect(#[from] db::ConnectError),
    /// What Supabase would bring cannot be made.
    #[error("cannot prepare the private database")]
    Bootstrap(#[from] db::BootstrapError),
    /// The tables cannot be made.
    #[error("cannot bring the tables up to date")]
    Migrate(#[from] db::MigrateError),
    /// Users would read and write each other's rows.
    #[error("the database is not safe to serve")]
    Guard(#[from] db::guard::GuardError),
    /// The queue's tables cannot be made.
    #[error("cannot bring the queue up to date")]
    Queue(#[from] QueueError),
    /// The sandbox cannot be made.
    #[error("cannot start the plugin runtime")]
    Plugins(#[from] EngineError),
    /// The outbound door cannot be made.
    #[error("cannot set up outbound requests")]
    Fetch(#[from] fetch::FetchSetupError),
    /// The store cannot be used.
    #[error("cannot use the store")]
    Store(#[from] StoreError),
    /// Tokens cannot be verified.
    #[error("cannot set up authentication")]
    Auth(#[from] auth::AuthSetupError),
    /// The key of signed links or that of credential marks cannot be had.
    #[error("cannot read the keys that all processes share")]
    Keys(#[from] db::Error),
}

impl RunningHost {
    /// Starts everything that the settings ask for; what is there already is joined. Lets go of
    /// what is begun when `stop` comes first.
    ///
    /// # Errors
    /// When a part cannot be had; says what to do.
    pub async fn start(config: Config, stop: &CancellationToken) -> Result<Self, StartError> {
        Self::start_announcing(config, stop, &|_| ()).await
    }

    /// The same, for somebody who waits.
    ///
    /// # Errors
    /// The same.
    pub async fn start_announcing(
        config: Config,
        stop: &CancellationToken,
        tell: Announce<'_>,
    ) -> Result<Self, StartError> {
        let credentials = config.credentials()?;
        let data_dir = make_data_dir(&config)?;
        for name in config.ignored() {
            tracing::warn!("{name} is set but not used: the queue is in Postgres");
        }
        // Compiling plugins and starting Postgres both take their time, on different resources.
        let (database, plugins) = tokio::join!(
            stop.run_until_cancelled(announced(tell, database_start(&config), Database::wait_for(&config))),
            stop.run_until_cancelled(announced(
                tell,
                "compiling the sources, which is done once",
                Plugins::load(&config.plugins, &data_dir)
            )),
        );
        let database = database.ok_or(StartError::Stopped)??;
        let Some(plugins) = plugins else {
            database.close().await;
            return Err(StartError::Stopped);
        };
        if plugins.as_ref().is_ok_and(|plugins| plugins.list().is_empty()) {
            tracing::warn!(
                "no source is installed: build the bundled ones with `make plugins`, or name a folder with --plugins-dir"
            );
        }
        match Self::assemble(config, credentials, &data_dir, plugins, &database, tell).await {
            Ok(app) => {
                let keys = app.clone();
                let beside = [
                    tokio::spawn(listen(app.clone())),
                    tokio::spawn(app.clone().watch_plugins()),
                    tokio::spawn(async move { keys.auth.keep_fresh().await }),
                ];
                Ok(Self { app, database, beside })
            }
            Err(error) => {
                database.close().await;
                Err(error)
            }
        }
    }

    async fn assemble(
        config: Config,
        credentials: Vec<ConfiguredCredential>,
        data_dir: &Path,
        plugins: Result<Plugins, EngineError>,
        database: &Database,
        tell: Announce<'_>,
    ) -> Result<App, StartError> {
        // Before anything is changed in the database: what is set wrong ends here.
        fetch::warn_of_openings(&config.fetch);
        let fetcher = Fetcher::new(&config.fetch)?;
        let auth = Auth::new(&config.supabase, data_dir, |project| project_keys(&fetcher, project))?;
        announced(tell, "making the tables", database.migrate()).await?;
        let db = database.pool.clone();
        let queue = Queue::new(&db);
        let links =
            LinkKey::new(&db::secrets::get_or_insert(&db, link::KEY_NAME, &link::fresh_secret()).await?);
        let marks = CredentialFingerprints::new(&db, &credentials).await?;
        let store = Store::local(&data_dir.join("objects"))?;
        let (signals, _) = broadcast::channel(SIGNALS);
        Ok(App::new(Components {
            config,
            credentials,
            db,
            postgres: database.embedded.as_ref().map(PrivatePostgres::alive),
            queue,
            plugins: plugins?,
            fetcher,
            store,
            auth,
            links,
            fingerprints: marks,
            metrics: Metrics::default(),
            signals,
        }))
    }

    /// Lets go of everything; the private Postgres is stopped last, unless others use it.
    pub async fn stop(self) {
        self.beside.iter().for_each(JoinHandle::abort);
        self.database.close().await;
    }
}

/// Does `work`, and tells `what` it is when that takes long.
pub async fn announced<T>(tell: Announce<'_>, what: &str, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    match tokio::time::timeout(SILENCE, &mut work).await {
        Ok(done) => done,
        Err(_) => {
            tell(what);
            work.await
        }
    }
}

/// What it takes to have a database.
fn database_start(config: &Config) -> &'static str {
    if ServerAddress::configured(&config.database).is_some() {
        "connecting to the database"
    } else if db::embedded::is_made(&config.data_dir()) {
        "starting the private Postgres"
    } else {
        "making a private Postgres, which is done once"
    }
}

/// Passes on what other processes tell, for ever.
async fn listen(app: App) {
    db::listen::listen(app.db.clone(), |payload| {
        if let Some(signal) = Signal::parse(payload) {
            // Nobody need be listening.
            let _ = app.signals.send(signal);
        }
    })
    .await;
}

impl Database {
    /// The same, and waits for a session where the server has none left.
    async fn wait_for(config: &Config) -> Result<Self, StartError> {
        loop {
            match Self::connect(config).await {
                Err(StartError::Connect(error)) if error.is_for_now() => {
                    tracing::warn!(error = %super::chain(&error), "waiting for a session of the database");
                    tokio::time::sleep(NO_SESSION).await;
                }
                connected => return connected,
            }
        }
    }

    /// Connects; the private Postgres is started, or joined where it runs already.
    ///
    /// # Errors
    /// When it cannot be had; says what to do.
    pub async fn connect(config: &Config) -> Result<Self, StartError> {
        let data_dir = make_data_dir(config)?;
        if let Some(server) = ServerAddress::configured(&config.database) {
            let pool = db::connect(server, config.database.database_sessions).await?;
            return Ok(Self { pool, embedded: None });
        }
        let embedded =
            PrivatePostgres::start(&data_dir, config.database.pg_bin.as_deref(), Durability::Kept).await?;
        match db::connect(&embedded.url(), PRIVATE_SESSIONS).await {
            Ok(pool) => Ok(Self { pool, embedded: Some(embedded) }),
            Err(error) => {
                stop(embedded).await;
                Err(error.into())
            }
        }
    }

    /// A session on the database that is configured, or on the private one if it runs; nothing
    /// is started, made or changed.
    ///
    /// # Errors
    /// When it does not answer within seconds, or does not let anybody in.
    pub async fn reach(config: &Config) -> Result<Option<PgPool>, db::ConnectError> {
        let server = match ServerAddress::configured(&config.database) {
            Some(server) => server,
            None => match db::embedded::running(&config.data_dir()).await {
                Some(url) => ServerAddress::from(&url),
                None => return Ok(None),
            },
        };
        let late = |_| db::ConnectError::Connect(db::Error::Io(io::ErrorKind::TimedOut.into()));
        tokio::time::timeout(REACH, db::connect(server, 1)).await.map_err(late)?.map(Some)
    }

    /// Brings all tables up to date: says which migrations were applied, by version and name.
    ///
    /// # Errors
    /// When one fails; those before it stay.
    pub async fn migrate(&self) -> Result<Vec<(i64, String)>, StartError> {
        if self.embedded.is_some() {
            db::bootstrap(&self.pool).await?;
        }
        let applied = db::migrate(&self.pool).await?;
        match db::guard::enforce(&self.pool).await {
            // It is tried again while the host runs.
            Err(error @ db::guard::GuardError::Busy) => tracing::warn!(%error, "the tables are not guarded"),
            seen => seen?,
        }
        Queue::new(&self.pool).migrate().await?;
        Ok(applied)
    }

    /// Whether it is the private one.
    #[must_use]
    pub const fn is_private(&self) -> bool {
        self.embedded.is_some()
    }

    /// Lets go of it; the private Postgres is stopped unless others use it.
    pub async fn close(self) {
        self.pool.close().await;
        if let Some(embedded) = self.embedded {
            stop(embedded).await;
        }
    }
}

async fn stop(embedded: PrivatePostgres) {
    if let Err(error) = embedded.stop().await {
        tracing::warn!(error = %super::chain(&error), "the private Postgres did not stop");
    }
}

fn make_data_dir(config: &Config) -> Result<PathBuf, StartError> {
    let folder = config.data_dir();
    match private::data_folder(&folder) {
        Ok(()) => Ok(folder),
        Err(source) => Err(StartError::DataDir { folder, source }),
    }
}

/// Fetches the keys of the Supabase project, from its own origin only.
pub fn project_keys(fetcher: &Fetcher, project: &Url) -> FetchKeys {
    let project = fetcher.service(project);
    Box::new(move |url| {
        let project = project.clone();
        Box::pin(async move { project.get(&url).await })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_takes_long_is_told() {
        announced(&|what| panic!("{what} is told"), "what is quick", async {}).await;
        let (tell, mut heard) = tokio::sync::mpsc::unbounded_channel();
        let tell = move |what: &str| tell.send(what.to_owned()).unwrap_or_default();
        let done = announced(&tell, "making the tables", async { heard.recv().await }).await;
        assert_eq!(done.as_deref(), Some("making the tables"));
    }
}
