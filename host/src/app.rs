//! Everything built once and passed explicitly. What is done with it stands in `services`.

mod background;
mod credentials;
mod deleted_users;
mod derivations;
mod key_uses;
mod start;
mod thumbnails;
mod user_traffic;

use std::sync::{Arc, OnceLock};

use tokio::{
    sync::{Mutex, Notify, Semaphore, broadcast},
    time::Instant,
};

use crate::{
    auth::{Auth, link::LinkKeys},
    config::{self, Config},
    db::PgPool,
    fetch::Fetcher,
    metrics::{Metrics, SystemFigures},
    model::JobId,
    plugins::Plugins,
    postgres::Liveness,
    queue::Queue,
    store::Store,
    validate::DecodeLimits,
};

pub use background::Background;
pub use credentials::{CredentialReader, CredentialSet, LiveCredentials, credential_names};
pub use deleted_users::DeletedUsers;
pub use derivations::{DerivationError, Derivations, DeriveTurn};
pub use key_uses::KeyUses;
pub use start::{Announce, Database, StartError, announced, link_secrets, project_keys};
pub(crate) use start::{make_data_dir, mark_store};
pub use thumbnails::{Thumbnail, ThumbnailError, Thumbnails};
pub use user_traffic::UserTraffic;

/// All parts of the host, each built once; cheap to clone.
#[derive(Clone)]
pub struct App {
    /// Settings.
    pub config: Arc<Config>,
    /// Secrets of sources, and what tells them from others.
    pub credentials: Arc<LiveCredentials>,
    /// Rows.
    pub db: PgPool,
    /// Sessions for work that nobody waits for, where it has its own.
    pub background_db: Arc<OnceLock<PgPool>>,
    /// Whether the private Postgres lives, where the rows are in one.
    pub postgres: Option<Liveness>,
    /// Work.
    pub queue: Queue,
    /// Sources.
    pub plugins: Plugins,
    /// Makes every outbound request.
    pub fetcher: Fetcher,
    /// Objects.
    pub store: Store,
    /// Verifies who is calling.
    pub auth: Arc<Auth>,
    /// Whose tokens from before do not count.
    pub deleted_users: DeletedUsers,
    /// How often API keys are used.
    pub key_uses: KeyUses,
    /// What users ask for and are sent.
    pub user_traffic: UserTraffic,
    /// Makes pictures of others.
    pub derivations: Derivations,
    /// Small copies of pictures.
    pub thumbnails: Thumbnails,
    /// Told when something is to be done for exports in this process.
    pub export_wake: Arc<Notify>,
    /// Exports that may be begun at a time: each holds a session of the database for as long as that takes.
    pub export_turns: Arc<Semaphore>,
    /// Signs what browsers fetch by themselves.
    pub links: Arc<LinkKeys>,
    /// What is counted and timed.
    pub metrics: Arc<Metrics>,
    /// What the database said last of the whole system, and when that was begun to be read.
    pub system_figures: Arc<Mutex<Option<(Instant, SystemFigures)>>>,
    /// Whether the bucket worked when it was last tried, and when that was.
    pub bucket_checked: Arc<Mutex<Option<BucketCheck>>>,
    /// Parts that were not ready when they were last tried.
    pub unready: Arc<std::sync::Mutex<Vec<&'static str>>>,
    /// What other processes tell through the database.
    pub signals: broadcast::Sender<Signal>,
}

/// What is refused without being decoded.
#[must_use]
pub fn decode_limits(config: &Config) -> DecodeLimits {
    let config::Fetch { max_image_bytes, max_image_pixels, .. } = config.fetch;
    DecodeLimits { max_bytes: max_image_bytes, max_pixels: max_image_pixels, ..DecodeLimits::default() }
}

/// Whether the bucket worked, with the reason where it did not.
#[derive(Clone, Debug)]
pub struct BucketCheck {
    /// When it was tried.
    pub at: Instant,
    /// What came of it.
    pub result: Result<(), String>,
}

/// What other processes tell through the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The job's public row was refreshed.
    Changed(JobId),
    /// The job was cancelled: drop its chunks.
    Cancelled(JobId),
    /// The frontend made or cancelled the job by itself.
    Inbox(JobId),
}

impl Signal {
    /// Names the job that it is about.
    #[must_use]
    pub const fn job(self) -> JobId {
        match self {
            Self::Changed(job) | Self::Cancelled(job) | Self::Inbox(job) => job,
        }
    }

    /// Parses what the database told; none for what this version does not know.
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
