//! Following what an operator and other workers do to the sources, so that no restart is needed.

use tokio::time::MissedTickBehavior;

use crate::app::App;

impl App {
    /// Takes up what is installed, turned on or off, removed or left aside, for ever.
    pub(super) async fn watch_plugins(self) {
        let mut tick = tokio::time::interval(self.config.plugins.plugins_poll);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(error) = self.set_aside_failed_builds().await {
                tracing::debug!(%error, "the states of the sources cannot be read");
            }
        }
    }
}
