//! Following the folder of plugins, so that no restart is needed.

use tokio::time::MissedTickBehavior;

use crate::app::{App, chain};

impl App {
    /// Takes up what is installed, turned on or off, or removed, for ever.
    pub(super) async fn follow_plugins(self) {
        let mut tick = tokio::time::interval(self.config.plugins.plugins_poll);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(error) = self.plugins.follow(None).await {
                tracing::error!(error = %chain(&error), "the folder of plugins cannot be followed; what runs goes on");
            }
        }
    }
}
