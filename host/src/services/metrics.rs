//! The figures for Prometheus, with those that are looked up when they are asked for.

use std::{path::Path, time::Duration};

use tokio::time::Instant;

use crate::{
    app::App,
    db::{self, PgPool, fairness},
    metrics::{DiskSpace, HostFigures, SystemFigures, TextFormat},
    model::{ChunkState, JobState},
    queue::QueueError,
    services::sources::{Condition, SourceStates},
};

/// Longest wait for the database and for the disks; who asks gives up after some seconds.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why there are no figures of the whole system.
#[derive(Debug, thiserror::Error)]
enum Unknown {
    #[error("the database failed")]
    Database(#[from] db::Error),
    #[error("the queue failed")]
    Queue(#[from] QueueError),
}

impl App {
    /// All figures, in this format. While the database is out of reach those that it knows are left out.
    pub async fn render_metrics(&self, format: TextFormat) -> String {
        let (host, system) = tokio::join!(self.host_figures(), self.system_figures());
        self.metrics.text(format, &host, system.as_ref())
    }

    async fn host_figures(&self) -> HostFigures {
        let sources = self.plugins.list().into_iter();
        let pools = || std::iter::once(&self.db).chain(self.background_db.get());
        let data = self.config.data_dir();
        // A folder on a network may not answer.
        let disks = tokio::task::spawn_blocking(move || {
            let folders = [("objects", data.join("objects")), ("data", data)];
            folders.into_iter().filter_map(|(name, folder)| Some((name, space(&folder)?))).collect::<Vec<_>>()
        });
        HostFigures {
            sources: sources.map(|source| (source.info.id, source.info.version)).collect(),
            plugin_cache_misses: self.plugins.cache_misses(),
            connections: (pools().map(PgPool::size).sum(), pools().map(PgPool::num_idle).sum()),
            disks: tokio::time::timeout(PATIENCE, disks).await.ok().and_then(Result::ok).unwrap_or_default(),
        }
    }

    /// What the database knows, if it says so in time. Those who ask while it is read wait for one
    /// another, and share what was read since they asked: nobody who asks often has it read more often.
    async fn system_figures(&self) -> Option<SystemFigures> {
        let asked = Instant::now();
        let read = async {
            let mut last = self.system_figures.lock().await;
            if let Some((_, figures)) = last.as_ref().filter(|(begun, _)| *begun >= asked) {
                return Some(figures.clone());
            }
            let begun = Instant::now();
            let read = self.read_system_figures().await;
            let figures =
                read.inspect_err(|error| tracing::debug!(%error, "the figures are not known")).ok()?;
            *last = Some((begun, figures.clone()));
            Some(figures)
        };
        tokio::time::timeout(PATIENCE, read).await.ok()?
    }

    async fn read_system_figures(&self) -> Result<SystemFigures, Unknown> {
        let counts = db::figures::count(&self.db).await?;
        let messages = self.queue.count().await?;
        let fairness = fairness::measure(&self.db).await?;
        let states = SourceStates::read(&self.db).await?;
        let credentials = self.credentials.now();
        let health = self.plugins.list().into_iter().flat_map(|source| {
            let condition = states.health(&source, credentials.mark(&source.info.id)).condition;
            Condition::ALL.map(|each| (source.info.id.clone(), each.name(), each == condition))
        });
        Ok(SystemFigures {
            messages: [
                ("ready", messages.ready),
                ("scheduled", messages.scheduled),
                ("running", messages.running),
            ],
            oldest_message: messages.oldest,
            jobs: JobState::ALL.map(|state| (state.name(), counts.jobs(state))).into(),
            chunks: ChunkState::ALL.map(|state| (state.name(), counts.chunks(state))).into(),
            users_waiting: fairness.waiting,
            users_spread: fairness.spread,
            judged: states.judged(),
            health: health.collect(),
            stored: self.stored().await,
            postgres: counts.server_version,
            migration: counts.migration,
        })
    }

    /// What is stored, as of the last minutes. What takes longer to look at than who asks waits is seen by
    /// the next who does.
    async fn stored(&self) -> Option<i64> {
        if self.metrics.is_stored_due() {
            let app = self.clone();
            let measured = tokio::spawn(async move {
                if let Ok(bytes) = db::users::stored_bytes(&app.db).await {
                    app.metrics.stored(bytes);
                }
            });
            let _ = tokio::time::timeout(PATIENCE / 2, measured).await;
        }
        self.metrics.last_stored()
    }
}

/// Space of the file system that a folder is on; none where it cannot be looked at.
fn space(folder: &Path) -> Option<DiskSpace> {
    let seen = rustix::fs::statvfs(folder).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(seen.f_frsize);
    Some(DiskSpace { free: bytes(seen.f_bavail), size: bytes(seen.f_blocks) })
}
