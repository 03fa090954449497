//! From settings to parts: database, queue, sources, store.

use std::{
    io,
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use tokio::sync::{Semaphore, broadcast};
use url::Url;

use crate::{
    app::{
        App, CredentialReader, DeletedUsers, Derivations, KeyUses, LiveCredentials, Thumbnails, UserTraffic,
    },
    auth::{
        self, Auth,
        key_set::FetchKeys,
        link::{self, LinkKeys, LinkSecrets},
    },
    config::{self, Config, CredentialError},
    db::{self, PgPool, ServerAddress},
    error::chain,
    fetch::{self, Fetcher},
    plugins::{Plugins, PluginsError},
    postgres::{self, Durability, PrivatePostgres},
    private,
    queue::{Queue, QueueError},
    store::{Store, StoreError},
};

/// Sessions of one process on the private Postgres: requests are short, and a chunk holds one only
/// while it writes. See [`Background`](crate::app::Background) for more.
const PRIVATE_SESSIONS: u32 = 12;
/// How often a server that has no session left is asked for one.
const NO_SESSION: Duration = Duration::from_secs(2);
/// Longest wait for a database that may not be there.
const REACH: Duration = Duration::from_secs(5);
/// Exports that may be begun at a time.
const EXPORTS: usize = 2;
/// Signals that a slow listener may fall behind before it has to look for itself.
const SIGNALS: usize = 1024;

/// How the private Postgres is known to who uses another database with its data folder.
const PRIVATE: &str = "private";

/// What is not done by then is announced.
const SILENCE: Duration = Duration::from_secs(1);

/// Tells who waits for a start what takes long.
pub type Announce<'a> = &'a (dyn Fn(&str) + Sync);

/// The rows: the configured database, or else the private one; and where their objects are.
pub struct Database {
    /// Sessions.
    pub pool: PgPool,
    objects: config::Objects,
    /// None where one is configured.
    private: Option<PrivatePostgres>,
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
    #[error("cannot read the credentials of sources")]
    Credential(#[from] CredentialError),
    /// The data folder cannot be made or used.
    #[error("cannot use the data folder {folder}; choose another with --data-dir")]
    DataDir {
        /// Which.
        folder: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A restore into it was interrupted.
    #[error(
        "a restore into {0} has not come to its end: give `pixcrawler restore` again, or remove the folder `restoring` \
         in it to begin with nothing"
    )]
    HalfRestored(PathBuf),
    /// A restore into the configured database was interrupted.
    #[error(
        "a restore into the database of DATABASE_URL has not come to its end: give the same `pixcrawler restore` again, or \
         begin with an empty database"
    )]
    HalfRestoredDatabase,
    /// The private Postgres does not start.
    #[error("the private Postgres does not start")]
    Embedded(#[from] postgres::PostgresError),
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
    Plugins(#[from] PluginsError),
    /// Outbound requests cannot be made.
    #[error("cannot set up outbound requests")]
    Fetch(#[from] fetch::FetchSetupError),
    /// The store cannot be used.
    #[error("cannot use the store")]
    Store(#[from] StoreError),
    /// Tokens cannot be verified.
    #[error("cannot set up authentication")]
    Auth(#[from] auth::AuthSetupError),
    /// The key of signed links or that of credential fingerprints cannot be had.
    #[error("cannot read the keys that all processes share")]
    Keys(#[from] db::Error),
}

impl StartError {
    /// Whether it stays as it is until somebody changes a setting, so that another start is of no use.
    #[must_use]
    pub const fn is_of_settings(&self) -> bool {
        use auth::AuthSetupError::{NotAnOrigin, ShortSecret, WithoutProject, WithoutSecret};
        use db::ConnectError::{Address, Ca, TransactionPooler};
        matches!(
            self,
            Self::ProjectWithoutDatabase
                | Self::Credential(_)
                | Self::Connect(Address(_) | TransactionPooler { .. } | Ca { .. })
                | Self::Auth(WithoutProject | WithoutSecret | NotAnOrigin | ShortSecret)
                | Self::Store(StoreError::Settings(_))
        )
    }
}

impl App {
    /// Puts the parts together.
    pub(crate) async fn assemble(
        config: Config,
        credentials: CredentialReader,
        data_dir: &Path,
        plugins: Result<Plugins, PluginsError>,
        database: &Database,
        announce: Announce<'_>,
    ) -> Result<Self, StartError> {
        // Before anything is changed in the database: what is set wrong ends here.
        let fetcher = Fetcher::new(&config.fetch)?;
        Store::bucket(&config.objects)?;
        let auth = Auth::new(&config.supabase, data_dir, |project| project_keys(&fetcher, project))?;
        announced(announce, "making the tables", database.migrate()).await?;
        let db = database.pool.clone();
        let queue = Queue::new(&db);
        let links = LinkKeys::new(&link_secrets(&db).await?);
        let credentials = LiveCredentials::new(&db, credentials).await?;
        let plugins = plugins?;
        // Before a source is asked for: a build that lacks one gives way to one that does not.
        plugins.configure(credentials.now().names()).await?;
        let store = announced(announce, "looking at the store", database.store(data_dir)).await?;
        let deleted_users = DeletedUsers::read(&db).await?;
        let (signals, _) = broadcast::channel(SIGNALS);
        let derivations = Derivations::new(&config);
        Ok(Self {
            thumbnails: Thumbnails::new(&derivations),
            derivations,
            config: Arc::new(config),
            credentials: Arc::new(credentials),
            key_uses: KeyUses::new(&db),
            user_traffic: UserTraffic::new(&db),
            export_wake: Arc::default(),
            export_turns: Arc::new(Semaphore::new(EXPORTS)),
            db,
            postgres: database.private.as_ref().map(PrivatePostgres::alive),
            background_db: Arc::default(),
            queue,
            plugins,
            fetcher,
            store,
            auth: Arc::new(auth),
            deleted_users,
            links: Arc::new(links),
            metrics: Arc::default(),
            system_figures: Arc::default(),
            bucket_checked: Arc::default(),
            unready: Arc::default(),
            signals,
        })
    }
}

/// Reads what the keys of signed links are made of, which is made where there is none.
///
/// # Errors
/// When the database fails.
pub async fn link_secrets(db: &PgPool) -> Result<LinkSecrets, db::Error> {
    let key = db::secrets::changed_key(db, link::KEY_NAME, &link::fresh_secret()).await?;
    Ok(LinkSecrets { current: key.current, age: key.age, previous: key.previous })
}

/// Does `work`, and announces `what` it is when that takes long.
pub async fn announced<T>(announce: Announce<'_>, what: &str, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    match tokio::time::timeout(SILENCE, &mut work).await {
        Ok(done) => done,
        Err(_) => {
            announce(what);
            work.await
        }
    }
}

impl Database {
    /// Connects as [`Database::connect`] does, and waits for a session where the server has none left.
    pub(crate) async fn wait_for(config: &Config) -> Result<Self, StartError> {
        loop {
            match Self::connect(config).await {
                Err(StartError::Connect(error)) if error.is_for_now() => {
                    tracing::warn!(event = "session-awaited", error = %chain(&error), "waiting for a session of the database");
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
        if data_dir.join(private::RESTORING).is_dir() && !postgres::is_made(&data_dir) {
            return Err(StartError::HalfRestored(data_dir));
        }
        if let Some(database) = Self::configured(config).await? {
            return Ok(database);
        }
        let server =
            PrivatePostgres::start(&data_dir, config.database.pg_bin.as_deref(), Durability::Kept).await?;
        match db::connect(&server.url(), PRIVATE_SESSIONS).await {
            Ok(pool) => Ok(Self { pool, objects: config.objects.clone(), private: Some(server) }),
            Err(error) => {
                stop(server).await;
                Err(error.into())
            }
        }
    }

    /// Connects to the configured one, if one is; nothing is made.
    ///
    /// # Errors
    /// When it cannot be had; says what to do.
    pub async fn configured(config: &Config) -> Result<Option<Self>, StartError> {
        let Some(database) = Self::to_restore(config).await? else { return Ok(None) };
        if db::transfer::is_half_restored(&database.pool).await? {
            database.close().await;
            return Err(StartError::HalfRestoredDatabase);
        }
        Ok(Some(database))
    }

    /// The same, also where a restore into it has not come to its end.
    ///
    /// # Errors
    /// When it cannot be had; says what to do.
    pub(crate) async fn to_restore(config: &Config) -> Result<Option<Self>, StartError> {
        let Some(server) = ServerAddress::configured(&config.database) else { return Ok(None) };
        let pool = db::connect(server, config.database.database_sessions).await?;
        Ok(Some(Self { pool, objects: config.objects.clone(), private: None }))
    }

    /// Opens a session on the database that is configured, or on the private one if it runs; nothing
    /// is started, made or changed.
    ///
    /// # Errors
    /// When it does not answer within seconds, or does not let anybody in.
    pub async fn reach(config: &Config) -> Result<Option<PgPool>, db::ConnectError> {
        let server = match ServerAddress::configured(&config.database) {
            Some(server) => server,
            None => match postgres::running(&config.data_dir()).await {
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
        if self.private.is_some() {
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

    /// Opens the store, whose objects the rows of this database name: the bucket of the settings, or the folder
    /// in the data folder. The tables must be up to date.
    ///
    /// # Errors
    /// When the store cannot be used, or the database fails.
    pub(crate) async fn store(&self, data_dir: &Path) -> Result<Store, StartError> {
        let store = self.unmarked_store(data_dir).await?;
        mark_store::<StartError>(&self.pool, &store).await?;
        if !store.is_bucket() && self.private.is_none() && postgres::is_made(data_dir) {
            // One that was used before, or is in turn: its rows name objects, too.
            store.serve_database(PRIVATE).await?;
        }
        Ok(store)
    }

    /// The same, for who only looks: nothing is noted in it.
    ///
    /// # Errors
    /// When the store cannot be used.
    pub(crate) async fn unmarked_store(&self, data_dir: &Path) -> Result<Store, StartError> {
        let store = Store::open(&self.objects, data_dir)?;
        if store.is_bucket() {
            // What is wrong with the key is told at once, and not by the first picture.
            store.check().await?;
        }
        Ok(store)
    }

    /// Tells whether it is the private one.
    #[must_use]
    pub const fn is_private(&self) -> bool {
        self.private.is_some()
    }

    /// Gives the private one, where it is that.
    pub(crate) const fn private(&self) -> Option<&PrivatePostgres> {
        self.private.as_ref()
    }

    /// Lets go of it; the private Postgres is stopped unless others use it.
    pub async fn close(self) {
        self.pool.close().await;
        if let Some(server) = self.private {
            stop(server).await;
        }
    }

    /// Says what it takes to have a database.
    pub(crate) fn start_text(config: &Config) -> &'static str {
        if ServerAddress::configured(&config.database).is_some() {
            "connecting to the database"
        } else if postgres::is_made(&config.data_dir()) {
            "starting the private Postgres"
        } else {
            "making a private Postgres, which is done once"
        }
    }
}

/// Notes in the store that rows of this database name its objects; gives what tells it from other stores.
///
/// # Errors
/// When the store or the database fails.
pub(crate) async fn mark_store<E: From<StoreError> + From<db::Error>>(
    db: &PgPool,
    store: &Store,
) -> Result<String, E> {
    let name = db::secrets::database_name(db).await?;
    // Without a turn, which others would wait for as long as the bucket takes.
    if let Some(mark) = store.mark(&name).await?.filter(|mark| !mark.is_empty()) {
        return Ok(mark);
    }
    // A folder may be of a version that noted nothing.
    if store.is_bucket() && db::objects::is_any_named(db).await? {
        tracing::warn!(
            event = "store-unknown",
            store = store.place(),
            "rows name objects, and this database was never used with the store: see whether the settings name \
             the right one; `pixcrawler sweep --dry-run` says what is missing in it"
        );
    }
    let turn = db::objects::turn_to_mark(db).await?;
    let mark = store.serve_database(&name).await?;
    turn.commit().await?;
    Ok(mark)
}

async fn stop(server: PrivatePostgres) {
    if let Err(error) = server.stop().await {
        tracing::warn!(error = %chain(&error), "the private Postgres did not stop");
    }
}

/// Makes the data folder, if absent, and closes it to other users.
///
/// # Errors
/// When it cannot be made or used.
pub(crate) fn make_data_dir(config: &Config) -> Result<PathBuf, StartError> {
    let folder = config.data_dir();
    match private::data_folder(&folder) {
        Ok(()) => Ok(folder),
        Err(source) => Err(StartError::DataDir { folder, source }),
    }
}

/// Makes what fetches the keys of the Supabase project, from its own origin only.
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
