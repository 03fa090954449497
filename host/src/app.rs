//! Everything built once and passed explicitly.

mod fingerprints;
mod start;

use std::sync::Arc;

use tokio::sync::broadcast;

use crate::{
    auth::{Auth, link::LinkKey},
    config::{Config, ConfiguredCredential},
    db::PgPool,
    fetch::Fetcher,
    metrics::Metrics,
    model::{Grants, JobId},
    plugins::{LoadedPlugin, Plugins},
    postgres::Liveness,
    queue::Queue,
    store::Store,
};

pub use fingerprints::CredentialFingerprints;
pub(crate) use start::make_data_dir;
pub use start::{Announce, Database, StartError, announced, project_keys};

/// All parts of the host, each built once; cheap to clone.
#[derive(Clone)]
pub struct App {
    /// Settings.
    pub config: Arc<Config>,
    /// Secrets of sources.
    pub credentials: Arc<[ConfiguredCredential]>,
    /// Rows.
    pub db: PgPool,
    /// Whether the private Postgres lives, where the rows are in one.
    pub postgres: Option<Liveness>,
    /// Work.
    pub queue: Queue,
    /// Sources.
    pub plugins: Plugins,
    /// The outbound door.
    pub fetcher: Fetcher,
    /// Objects.
    pub store: Store,
    /// Who is calling.
    pub auth: Arc<Auth>,
    /// Signs what browsers fetch by themselves.
    pub links: Arc<LinkKey>,
    /// Tells the configured credentials from others.
    pub fingerprints: Arc<CredentialFingerprints>,
    /// What is counted and timed.
    pub metrics: Arc<Metrics>,
    /// What other processes tell through the database.
    pub signals: broadcast::Sender<Signal>,
}

/// What other processes tell through the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The job's public row was refreshed.
    Changed(JobId),
    /// The job was cancelled: let go of its chunks.
    Cancelled(JobId),
    /// The frontend made or cancelled the job by itself.
    Inbox(JobId),
}

impl Signal {
    /// The job that it is about.
    #[must_use]
    pub const fn job(self) -> JobId {
        match self {
            Self::Changed(job) | Self::Cancelled(job) | Self::Inbox(job) => job,
        }
    }

    /// Reads what the database told; none for what this version does not know.
    pub(crate) fn parse(payload: &str) -> Option<Self> {
        let (what, job) = payload.split_once(':')?;
        let job = JobId(job.parse().ok()?);
        match what {
            "job" => Some(Self::Changed(job)),
            "cancel" => Some(Self::Cancelled(job)),
            "inbox" => Some(Self::Inbox(job)),
            _ => None,
        }
    }
}

impl App {
    /// A source that may be asked, or why not.
    ///
    /// # Errors
    /// When it is not installed, not ready or not granted; says what to do.
    pub fn source(&self, id: &str) -> Result<LoadedPlugin, String> {
        let source = self.plugins.get(id).ok_or_else(|| format!("the source {id} is not installed"))?;
        source.unavailable().map_or(Ok(source), Err)
    }

    /// Whether a source that was looked up before is still on and the same build.
    #[must_use]
    pub fn is_current(&self, source: &LoadedPlugin) -> bool {
        self.source(&source.info.id).is_ok_and(|now| now.digest == source.digest)
    }

    /// What a source may reach, with the secrets that are configured for it.
    #[must_use]
    pub fn grants(&self, source: &LoadedPlugin) -> Grants {
        source.grants(&self.credentials)
    }
}

/// An error with its causes, for a log line or a reason; the API never shows it.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    for cause in std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string) {
        // Some errors say what their cause says.
        if !text.ends_with(&cause) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&cause);
        }
    }
    text
}
