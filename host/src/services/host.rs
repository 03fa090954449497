//! A host that runs: all parts, and what goes on beside them until the stop.

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::{
    app::{self, Announce, App, CredentialReader, Database, Signal, StartError, announced},
    config::Config,
    db,
    plugins::Plugins,
    services::sources::{watch_credentials, watch_plugins},
};

/// A host that runs, with the private Postgres when it has one.
pub struct RunningHost {
    /// All parts.
    pub app: App,
    database: Database,
    /// What goes on beside all else until the stop.
    tasks: [JoinHandle<()>; 4],
}

impl RunningHost {
    /// Starts everything that the settings ask for; what is there already is joined. Lets go of
    /// what is begun when `stop` comes first, and announces what takes long.
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
        match App::assemble(config, credentials, &data_dir, plugins, &database, announce).await {
            Ok(app) => {
                let keys = app.clone();
                let tasks = [
                    tokio::spawn(listen(app.clone())),
                    tokio::spawn(watch_plugins(app.clone())),
                    tokio::spawn(watch_credentials(app.clone())),
                    tokio::spawn(async move { keys.auth.keep_fresh().await }),
                ];
                Ok(Self { app, database, tasks })
            }
            Err(error) => {
                database.close().await;
                Err(error)
            }
        }
    }

    /// Lets go of everything; the private Postgres is stopped last, unless others use it.
    pub async fn stop(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.database.close().await;
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
