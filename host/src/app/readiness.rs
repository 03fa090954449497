//! Whether each part of the host can do its work now.

use crate::{
    app::{App, chain},
    db,
};

impl App {
    /// Tries every part; the reason of a failure is for the log only.
    pub async fn try_parts(&self) -> Vec<(&'static str, bool)> {
        let database = db::ping(&self.db).await.map_err(|error| chain(&error));
        let queue = self.queue.check().await.map_err(|error| chain(&error));
        let store = self.store.check().await.map_err(|error| chain(&error));
        let plugins =
            if self.plugins.list().is_empty() { Err("no source is installed".to_owned()) } else { Ok(()) };
        let tried = [("database", database), ("queue", queue), ("store", store), ("plugins", plugins)];
        let said = tried.into_iter().map(|(part, tried)| {
            if let Err(reason) = &tried {
                tracing::warn!(part, reason, "not ready");
            }
            (part, tried.is_ok())
        });
        said.collect()
    }
}
