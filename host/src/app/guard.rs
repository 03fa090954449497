//! Keeping the tables protected, whatever others do to them.

use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::{
    app::{App, chain},
    db::guard::{self, GuardError},
};

/// What cannot be put back is tried once more after this: it may have been a lock.
const SECOND_TRY: Duration = Duration::from_secs(10);

impl App {
    /// Looks now and then whether the tables are protected and puts back what is missing, until `stop`.
    ///
    /// # Errors
    /// When they are not and it cannot be put back: nobody should be served then.
    pub async fn keep_guarded(&self, stop: CancellationToken) -> Result<(), GuardError> {
        let every = self.config.database.guard_every;
        let mut tick = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                _ = tick.tick() => {}
            }
            let Err(first) = guard::see_to(&self.db).await else { continue };
            tracing::warn!(error = %chain(&first), "the tables are not guarded");
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(SECOND_TRY.min(every)) => {}
            }
            match guard::see_to(&self.db).await {
                // When the database is away there is nothing to protect.
                Ok(()) | Err(GuardError::Query(_)) => {}
                Err(error) => return Err(error),
            }
        }
    }
}
