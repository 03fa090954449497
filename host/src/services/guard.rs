//! Keeping the tables protected, whatever others do to them.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    db::guard::{self, GuardError},
    error::chain,
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
        // The start has looked, but may have found the tables in use.
        let (mut pause, mut failed) = (SECOND_TRY.min(every), false);
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(pause) => {}
            }
            (pause, failed) = match guard::enforce(&self.db).await {
                Ok(()) => (every, false),
                Err(error @ (GuardError::Unprotected(_) | GuardError::Gone(_))) if failed => {
                    return Err(error);
                }
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "the tables are not guarded");
                    // When the database is away there is nothing to protect.
                    (SECOND_TRY.min(every), !matches!(error, GuardError::Query(_) | GuardError::Busy))
                }
            };
        }
    }
}
