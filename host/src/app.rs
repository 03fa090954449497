//! Everything built once and passed explicitly.

use std::{ops::Deref, sync::Arc};

use sqlx::{PgConnection, PgPool};
use tokio::sync::broadcast;
use url::Url;

use crate::{
    auth::{Auth, link::LinkKey},
    config::Config,
    db,
    job::{ChunkId, JobId},
    plugin::Plugins,
    store::Store,
};

pub mod create;
pub mod jobs;
mod profile;
mod readiness;

/// All parts of the host; cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

/// What an [`App`] is made of.
#[expect(missing_docs, reason = "each part is documented on its type")]
pub struct Parts {
    pub config: Config,
    pub db: PgPool,
    pub auth: Auth,
    pub links: LinkKey,
    pub plugins: Plugins,
    pub store: Store,
    /// Ids of jobs that have changed.
    pub changes: broadcast::Sender<JobId>,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The installed sources, as far as creating a job goes.
    #[must_use]
    pub fn offered(&self) -> Vec<create::Offered> {
        let offered = |source: crate::plugin::Installed| create::Offered {
            unavailable: source.unavailable(),
            credentials: Vec::new(),
            info: source.info,
        };
        self.plugins.list().into_iter().map(offered).collect()
    }

    /// Why an address may not be asked.
    pub fn check_url(&self, _url: &Url) -> Result<(), String> {
        Ok(())
    }

    /// Tells the queue of chunks to work on.
    pub async fn enqueue(
        &self,
        _transaction: &mut PgConnection,
        _chunks: &[(ChunkId, i32)],
    ) -> Result<(), db::Error> {
        Ok(())
    }
}
