//! Whether each part of the host can do its work now.

use std::{error::Error, sync::PoisonError, time::Duration};

use tokio::time::Instant;

use crate::{
    app::{App, BucketCheck},
    db,
    error::chain,
};

/// Longest that one part is tried: what takes longer is of no use to who asks.
const PATIENCE: Duration = Duration::from_secs(3);
/// For so long a bucket is not tried again: each time costs money there, and anybody may ask.
const FRESH: Duration = Duration::from_secs(2);

impl App {
    /// Checks every part; the reason of a failure is for the log only, which tells it when a part is
    /// found not to be ready, and when it is again: who asks for it asks often.
    pub async fn check_readiness(&self) -> Vec<(&'static str, bool)> {
        let (database, queue, store) =
            tokio::join!(check(db::ping(&self.db)), check(self.queue.check()), self.check_store());
        let plugins =
            if self.plugins.list().is_empty() { Err("no source is installed".to_owned()) } else { Ok(()) };
        let checked = [("database", database), ("queue", queue), ("store", store), ("plugins", plugins)];
        let mut unready = self.unready.lock().unwrap_or_else(PoisonError::into_inner);
        let ready = checked.into_iter().map(|(part, checked)| {
            match (&checked, unready.contains(&part)) {
                (Err(reason), false) => {
                    tracing::warn!(event = "not-ready", part, reason, "a part of this process is not ready");
                    unready.push(part);
                }
                (Ok(()), true) => {
                    tracing::info!(event = "ready-again", part, "a part of this process is ready again");
                    unready.retain(|other| *other != part);
                }
                _ => {}
            }
            (part, checked.is_ok())
        });
        ready.collect()
    }

    async fn check_store(&self) -> Result<(), String> {
        if !self.store.is_bucket() {
            return check(self.store.check()).await;
        }
        // Who comes meanwhile gets the same answer.
        let mut last = self.bucket_checked.lock().await;
        if let Some(BucketCheck { at, result }) = &*last
            && at.elapsed() < FRESH
        {
            return result.clone();
        }
        let result = check(self.store.check()).await;
        *last = Some(BucketCheck { at: Instant::now(), result: result.clone() });
        result
    }
}

async fn check<E: Error>(part: impl Future<Output = Result<(), E>>) -> Result<(), String> {
    match tokio::time::timeout(PATIENCE, part).await {
        Ok(checked) => checked.map_err(|error| chain(&error)),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}
