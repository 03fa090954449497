//! How often API keys are used, counted without a write for each request: a process writes what it
//! has counted some seconds after the first of it, or as soon as that is a good share of the key's rate.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, Utc};

use crate::{
    db::{self, PgPool},
    error::chain,
    model::ApiKeyId,
};

/// What is counted is written after so long.
const WRITE_AFTER: Duration = Duration::from_secs(5);
/// Or when it is this part of what the key may do within an hour. So all processes together let through
/// at most this part too many for each of them but one.
const SHARE: i32 = 20;

/// Clones share what is counted.
#[derive(Clone, Debug)]
pub struct KeyUses {
    db: PgPool,
    counts: Arc<Mutex<HashMap<ApiKeyId, Count>>>,
}

/// Requests with a key that the database does not show yet.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// To be written.
    pending: i32,
    /// Being written.
    written: i32,
    last: DateTime<Utc>,
    from: Option<IpAddr>,
}

impl KeyUses {
    /// Counts nothing yet.
    #[must_use]
    pub fn new(db: &PgPool) -> Self {
        Self { db: db.clone(), counts: Arc::default() }
    }

    /// Counts a request, unless the key has had `limit` within this hour, of which the database shows
    /// `shown`; whether it may go on.
    pub async fn admit(&self, key: ApiKeyId, shown: i32, limit: i32, from: Option<IpAddr>) -> bool {
        let Some(pending) = self.count(key, shown, limit, from) else { return false };
        if pending >= limit / SHARE {
            self.write(key).await;
        } else if pending == 1 {
            let uses = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(WRITE_AFTER).await;
                uses.write(key).await;
            });
        }
        true
    }

    /// How many are to be written with this one; none when it is one too many.
    fn count(&self, key: ApiKeyId, shown: i32, limit: i32, from: Option<IpAddr>) -> Option<i32> {
        let mut counts = self.counts();
        let count = counts.entry(key).or_default();
        if shown.saturating_add(count.pending).saturating_add(count.written) >= limit.max(1) {
            return None;
        }
        count.pending += 1;
        (count.last, count.from) = (Utc::now(), from);
        Some(count.pending)
    }

    /// Writes all that is counted, before the process ends.
    pub async fn write_all(&self) {
        let keys: Vec<ApiKeyId> = self.counts().keys().copied().collect();
        for key in keys {
            self.write(key).await;
        }
    }

    async fn write(&self, key: ApiKeyId) {
        let Some(count) = self.begin(key) else { return };
        let written = db::api_keys::add_uses(&self.db, key, count.pending, count.last, count.from).await;
        let mut counts = self.counts();
        let Some(left) = counts.get_mut(&key) else { return };
        left.written -= count.pending;
        if let Err(error) = written {
            tracing::debug!(error = %chain(&error), "the use of an API key is not written yet");
            left.pending += count.pending;
        }
        if (left.pending, left.written) == (0, 0) {
            counts.remove(&key);
        }
    }

    /// What is to be written now.
    fn begin(&self, key: ApiKeyId) -> Option<Count> {
        let mut counts = self.counts();
        let count = counts.get_mut(&key).filter(|count| count.pending > 0)?;
        let begun = *count;
        count.written += count.pending;
        count.pending = 0;
        Some(begun)
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<ApiKeyId, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
