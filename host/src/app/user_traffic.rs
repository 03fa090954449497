//! What users ask for and are sent, counted without a write for each request: a process writes what it
//! has counted some seconds after the first of it, and before it ends.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::{
    db::{self, PgPool, usage::Traffic},
    error::chain,
    model::UserId,
};

/// What is counted is written after so long.
const WRITE_AFTER: Duration = Duration::from_secs(10);

/// Clones share what is counted. What a process that is killed has not written is lost.
#[derive(Clone, Debug)]
pub struct UserTraffic {
    db: PgPool,
    counts: Arc<Mutex<HashMap<UserId, Traffic>>>,
}

impl UserTraffic {
    /// Counts nothing yet.
    #[must_use]
    pub fn new(db: &PgPool) -> Self {
        Self { db: db.clone(), counts: Arc::default() }
    }

    /// Counts a request of this user.
    pub fn called(&self, user: UserId) {
        self.add(Traffic { user, calls: 1, bytes: 0 });
    }

    /// Counts bytes of images that are sent to this user.
    pub fn sent(&self, user: UserId, bytes: usize) {
        self.add(Traffic { user, calls: 0, bytes: i64::try_from(bytes).unwrap_or(i64::MAX) });
    }

    fn add(&self, more: Traffic) {
        let mut counts = self.counts();
        let is_first = counts.is_empty();
        let count = counts.entry(more.user).or_insert(Traffic { calls: 0, bytes: 0, ..more });
        count.calls = count.calls.saturating_add(more.calls);
        count.bytes = count.bytes.saturating_add(more.bytes);
        drop(counts);
        if is_first {
            let traffic = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(WRITE_AFTER).await;
                traffic.write().await;
            });
        }
    }

    /// Writes all that is counted.
    pub async fn write(&self) {
        let counted: Vec<Traffic> = self.counts().drain().map(|(_, count)| count).collect();
        if counted.is_empty() {
            return;
        }
        if let Err(error) = db::usage::add_traffic(&self.db, &counted).await {
            tracing::debug!(error = %chain(&error), "what users asked for is not written yet");
            counted.into_iter().for_each(|count| self.add(count));
        }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<UserId, Traffic>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
