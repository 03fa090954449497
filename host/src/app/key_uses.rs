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
    db::{self, PgPool, api_keys::MetApiKey},
    error::chain,
    model::ApiKeyId,
};

/// What is counted is written after so long.
const WRITE_AFTER: Duration = Duration::from_secs(5);
/// Or when it is this part of what the key may do within an hour. So all processes together let through
/// at most this part too many for each of them but one, and one alone none.
const SHARE: i32 = 20;

/// Clones share what is counted.
#[derive(Clone, Debug)]
pub struct KeyUses {
    db: PgPool,
    counts: Arc<Mutex<HashMap<ApiKeyId, Count>>>,
}

/// Requests with a key.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    /// To be written.
    pending: i32,
    /// Somebody waits to write it.
    waits: bool,
    /// The hour that the rest is of, in hours since 1970.
    hour: i32,
    /// Let through here within the hour.
    admitted: i32,
    /// Of what the database showed of the hour, let through elsewhere for certain. What it shows may be
    /// older than what was written meanwhile, so only the most that was seen counts.
    elsewhere: i32,
    /// Written within the hour, or being written.
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

    /// Counts a request with a key as it was found for that, unless it has had its rate within this hour;
    /// whether it may go on.
    pub async fn admit(&self, key: &MetApiKey, from: Option<IpAddr>) -> bool {
        let Some(pending) = self.counts().entry(key.id).or_default().admit(key, from) else { return false };
        if pending < key.rate_limit / SHARE || !self.write(key.id).await {
            self.write_later(key.id);
        }
        true
    }

    /// Writes what is counted some seconds from now, and again until that goes well.
    fn write_later(&self, key: ApiKeyId) {
        if !self.is_first_to_wait(key) {
            return;
        }
        let uses = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(WRITE_AFTER).await;
                if let Some(count) = uses.counts().get_mut(&key) {
                    count.waits = false;
                }
                if uses.write(key).await || !uses.is_first_to_wait(key) {
                    return;
                }
            }
        });
    }

    /// Says for a key that somebody waits to write what is counted, unless somebody does.
    fn is_first_to_wait(&self, key: ApiKeyId) -> bool {
        !std::mem::replace(&mut self.counts().entry(key).or_default().waits, true)
    }

    /// Writes all that is counted, before the process ends.
    pub async fn write_all(&self) {
        let keys: Vec<ApiKeyId> = self.counts().keys().copied().collect();
        for key in keys {
            self.write(key).await;
        }
    }

    /// Writes what is counted; false where that failed.
    async fn write(&self, key: ApiKeyId) -> bool {
        let Some(count) = self.begin(key) else { return true };
        let written = db::api_keys::add_uses(&self.db, key, count.pending, count.last, count.from).await;
        let mut counts = self.counts();
        let is_written = written.is_ok();
        if let Err(error) = written
            && let Some(left) = counts.get_mut(&key)
        {
            tracing::debug!(error = %chain(&error), "the use of an API key is not written yet");
            left.pending += count.pending;
            if left.hour == count.hour {
                left.written -= count.pending;
            }
        }
        // What belongs to hours that are over says nothing any more.
        counts.retain(|_, kept| kept.pending > 0 || kept.waits || kept.hour >= count.hour);
        is_written
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

impl Count {
    /// How many are to be written with this one; none when it is one too many.
    fn admit(&mut self, key: &MetApiKey, from: Option<IpAddr>) -> Option<i32> {
        // What was looked up before the hour began counts for it, too.
        if key.hour > self.hour {
            (self.hour, self.admitted, self.elsewhere, self.written) = (key.hour, 0, 0, 0);
        }
        if key.hour == self.hour {
            self.elsewhere = self.elsewhere.max(key.used - self.written);
        }
        if self.elsewhere.saturating_add(self.admitted) >= key.rate_limit.max(1) {
            return None;
        }
        self.admitted += 1;
        self.pending += 1;
        (self.last, self.from) = (Utc::now(), from);
        Some(self.pending)
    }
}
