//! A host that runs: all parts, and what goes on beside them until the stop.

use std::{path::PathBuf, time::Duration};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    app::{self, Announce, App, CredentialReader, Database, Signal, StartError, announced},
    config::Config,
    db,
    plugins::Plugins,
    postgres::PrivatePostgres,
    private::HeldFolder,
    services::{
        keys::watch_link_keys,
        sources::{watch_credentials, watch_plugins},
    },
};

/// How often it is looked whether the data folder is where it was.
const LOOK: Duration = Duration::from_millis(500);

/// A host that runs, with the private Postgres when it has one.
pub struct RunningHost {
    /// All parts.
    pub app: App,
    database: Database,
    /// What goes on beside all else until the stop.
    tasks: [JoinHandle<()>; 7],
    data_dir: PathBuf,
    /// Cancelled when the data folder is gone.
    lost: CancellationToken,
}

/// Somebody took the folder away under a host that runs.
#[derive(Debug, thiserror::Error)]
#[error(
    "the data folder {0} was moved or deleted while it was in use, so this process has stopped; start it again with \
     the folder in its place, or name where it is now with --data-dir"
)]
pub struct DataFolderLost(PathBuf);

impl RunningHost {
    /// Starts everything that the settings ask for; what is there already is joined. Lets go of
    /// what is begun when `stop` comes first, and announces what takes long. When the data folder is
    /// moved or deleted later, that is a `stop`, too.
    ///
    /// # Errors
    /// When a part cannot be had; says what to do.
    pub async fn start(
        config: Config,
        stop: &CancellationToken,
        announce: Announce<'_>,
    ) -> Result<Self, StartError> {
        let credentials = CredentialReader::begin(&config.plugins).await?;
        let data_dir = app::make_data_dir(&config)?;
        let held = HeldFolder::open(&data_dir)
            .map_err(|source| StartError::DataDir { folder: data_dir.clone(), source })?;
        for name in config.ignored() {
            tracing::warn!("{name} is set but not used: the queue is in Postgres");
        }
        // Compiling plugins and starting Postgres both take their time, on different resources.
        let (database, plugins) = tokio::join!(
            stop.run_until_cancelled(announced(
                announce,
                Database::start_text(&config),
                Database::wait_for(&config)
            )),
            stop.run_until_cancelled(announced(
                announce,
                "loading the sources; those that are new are compiled, which is done once",
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
        let assembled = App::assemble(config, credentials, &data_dir, plugins, &database, announce);
        match stop.run_until_cancelled(assembled).await.unwrap_or(Err(StartError::Stopped)) {
            Ok(app) => {
                let keys = app.clone();
                let lost = database.private().map_or_else(CancellationToken::new, PrivatePostgres::lost);
                let tasks = [
                    tokio::spawn(listen(app.clone())),
                    tokio::spawn(watch_plugins(app.clone())),
                    tokio::spawn(watch_credentials(app.clone())),
                    tokio::spawn(app.clone().publish_usage()),
                    tokio::spawn(async move { keys.auth.keep_fresh().await }),
                    tokio::spawn(watch_link_keys(app.clone())),
                    tokio::spawn(watch_data_folder(held, lost.clone(), stop.clone())),
                ];
                Ok(Self { app, database, tasks, data_dir, lost })
            }
            Err(error) => {
                database.close().await;
                Err(error)
            }
        }
    }

    /// Lets go of everything; the private Postgres is stopped last, unless others use it.
    ///
    /// # Errors
    /// When the data folder is gone, which is why it was stopped.
    pub async fn stop(self) -> Result<(), DataFolderLost> {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.app.key_uses.write_all().await;
        self.app.user_traffic.write().await;
        self.database.close().await;
        if self.lost.is_cancelled() { Err(DataFolderLost(self.data_dir)) } else { Ok(()) }
    }
}

/// Stops the host when its data folder, or that of the private Postgres in it, is moved or deleted: what it
/// wrote from then on would be where nobody looks for it.
async fn watch_data_folder(folder: HeldFolder, lost: CancellationToken, stop: CancellationToken) {
    while folder.is_in_place() {
        if lost.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_none() {
            break;
        }
    }
    tracing::error!(event = "data-folder-lost", folder = %folder.path().display(), "the data folder was moved or deleted; stopping");
    lost.cancel();
    stop.cancel();
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
