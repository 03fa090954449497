//! Whether each part of the host can do its work now.

use std::{error::Error, time::Duration};

use crate::{app::App, db, error::chain};

/// Longest that one part is tried: what takes longer is of no use to who asks.
const PATIENCE: Duration = Duration::from_secs(3);

impl App {
    /// Checks every part; the reason of a failure is for the log only.
    pub async fn check_readiness(&self) -> Vec<(&'static str, bool)> {
        let (database, queue, store) =
            tokio::join!(check(db::ping(&self.db)), check(self.queue.check()), check(self.store.check()));
        let plugins =
            if self.plugins.list().is_empty() { Err("no source is installed".to_owned()) } else { Ok(()) };
        let checked = [("database", database), ("queue", queue), ("store", store), ("plugins", plugins)];
        let ready = checked.into_iter().map(|(part, checked)| {
            if let Err(reason) = &checked {
                tracing::warn!(part, reason, "not ready");
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
