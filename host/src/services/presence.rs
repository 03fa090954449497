//! Hosts that run say so, and which credentials they have, for whoever asks about the system from
//! another process.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    app::{self, App, CredentialSet},
    db::{
        self, PgPool,
        hosts::{self, HostCredentials, HostRow},
    },
    error::chain,
    store::{Store, StoreError},
};

/// How often a host says that it runs.
const BEAT: Duration = Duration::from_secs(10);
/// Who has said nothing for as long runs no more.
const SILENCE: Duration = Duration::from_secs(30);
/// Longest time to say that it ends.
const FAREWELL: Duration = Duration::from_secs(1);

/// Said where hosts of one database keep objects apart.
pub const NOT_SHARED: &str = "the hosts that run on this database keep objects elsewhere, so pictures that one keeps \
    are not found by another: give all the same bucket, or the same folder `objects`";

/// Why it is not known where others keep objects.
#[derive(Debug, thiserror::Error)]
pub enum UnknownStore {
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] db::Error),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
}

/// What a host is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The API, with or without a worker.
    Server,
    /// A worker alone.
    Worker,
}

impl Role {
    const fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Worker => "worker",
        }
    }
}

/// A host that has said that it runs, and goes on to say so.
pub struct Presence {
    app: App,
    row: HostRow,
}

impl Presence {
    /// Says for the first time that this process runs. That the database fails is no reason not to.
    pub async fn begin(app: &App, role: Role) -> Self {
        let row = HostRow {
            id: Uuid::new_v4(),
            role: role.name().to_owned(),
            pid: std::process::id().cast_signed(),
            // Where the system is Linux.
            machine: fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned()),
            credentials: had(&app.credentials.now()),
        };
        let presence = Self { app: app.clone(), row };
        presence.announce().await;
        match presence.is_store_shared().await {
            Ok(true) => {}
            Ok(false) => tracing::warn!(event = "store-not-shared", "{NOT_SHARED}"),
            Err(error) => {
                tracing::debug!(error = %chain(&error), "it is not known where others keep objects")
            }
        }
        presence
    }

    /// Tells whether the hosts that run keep objects where this one does. Where none runs, its store is that
    /// of those who come.
    async fn is_store_shared(&self) -> Result<bool, UnknownStore> {
        let App { db, store, .. } = &self.app;
        let mark = app::mark_store::<UnknownStore>(db, store).await?;
        let shared = db::secrets::shared_store(db).await?;
        if shared.as_deref() == Some(mark.as_bytes()) {
            return Ok(true);
        }
        let is_alone = running(db).await?.iter().all(|host| host.id == self.row.id);
        if is_alone || shared.is_none() {
            db::secrets::share_store(db, &mark).await?;
            return Ok(true);
        }
        Ok(false)
    }

    /// Says so again and again until `stop`, at once when its credentials have changed, and then that it ends.
    pub async fn keep(mut self, stop: CancellationToken) {
        let mut beat = tokio::time::interval(BEAT);
        beat.tick().await;
        let mut changes = self.app.credentials.changes();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = beat.tick() => {}
                changed = changes.changed() => if changed.is_err() { break },
            }
            self.row.credentials = had(&self.app.credentials.now());
            self.announce().await;
        }
        // Else it is forgotten when it has said nothing for a while.
        let _ = tokio::time::timeout(FAREWELL, hosts::leave(&self.app.db, self.row.id)).await;
    }

    async fn announce(&self) {
        if let Err(error) = hosts::announce(&self.app.db, &self.row).await {
            tracing::debug!(%error, "it cannot be said that this host runs");
        }
    }
}

/// Tells whether hosts run on this database that keep objects elsewhere than in this store; changes nothing.
///
/// # Errors
/// When the database or the store fails.
pub async fn is_store_elsewhere(db: &PgPool, store: &Store) -> Result<bool, UnknownStore> {
    let Some(shared) = db::secrets::shared_store(db).await? else { return Ok(false) };
    let mark = store.mark(&db::secrets::database_name(db).await?).await?;
    Ok(mark.is_none_or(|mark| mark.as_bytes() != shared) && !running(db).await?.is_empty())
}

/// Lists the hosts that run.
///
/// # Errors
/// When the database fails.
pub async fn running(db: &PgPool) -> Result<Vec<HostRow>, db::Error> {
    hosts::running(db, SILENCE).await
}

fn had(credentials: &CredentialSet) -> BTreeMap<String, HostCredentials> {
    let of = |(source, names): (String, BTreeSet<String>)| {
        let mark = credentials.mark(&source);
        (source, HostCredentials { names: names.into_iter().collect(), mark })
    };
    credentials.names().into_iter().map(of).collect()
}
