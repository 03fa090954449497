//! Whether each part of the host can do its work now.

use std::{error::Error, sync::PoisonError, time::Duration};

use crate::{app::App, db, error::chain};

/// Longest that one part is tried: what takes longer is of no use to who asks.
const PATIENCE: Duration = Duration::from_secs(3);

impl App {
    /// Checks every part; the reason of a failure is for the log only, which tells it when a part is
    /// found not to be ready, and when it is again: who asks for it asks often.
    pub async fn check_readiness(&self) -> Vec<(&'static str, bool)> {
        let (database, queue, store) =
            tokio::join!(check(db::ping(&self.db)), check(self.queue.check()), check(self.store.check()));
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
}

async fn check<E: Error>(part: impl Future<Output = Result<(), E>>) -> Result<(), String> {
    match tokio::time::timeout(PATIENCE, part).await {
        Ok(checked) => checked.map_err(|error| chain(&error)),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs())),
    }
}
