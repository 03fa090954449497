//! The figures for Prometheus, with those that are looked up when they are asked for.

use std::time::Duration;

use crate::{
    app::App,
    db,
    services::sources::{Condition, SourceStates},
};

/// Longest wait for the database; who asks gives up after some seconds.
const PATIENCE: Duration = Duration::from_secs(2);

impl App {
    /// All figures, in the text format of `OpenMetrics` 1.0. While the database is out of
    /// reach those that it knows are not a number.
    pub async fn render_metrics(&self) -> String {
        self.metrics.cache_misses(self.plugins.cache_misses());
        self.metrics.connections(self.db.size(), self.db.num_idle());
        self.metrics.under_way(soon(db::jobs::under_way(&self.db)).await);
        let fairness = soon(db::fairness::measure(&self.db)).await;
        self.metrics.fairness(fairness.map(|fairness| (fairness.waiting, fairness.spread)));
        let states = soon(SourceStates::read(&self.db)).await;
        let sources = if states.is_some() { self.plugins.list() } else { Vec::new() };
        let states = states.unwrap_or_default();
        let credentials = self.credentials.now();
        self.metrics.health(sources.iter().flat_map(|source| {
            let condition = states.health(source, credentials.mark(&source.info.id)).condition;
            Condition::ALL.map(|each| (source.info.id.as_str(), each.name(), each == condition))
        }));
        self.measure_stored().await;
        self.metrics.text()
    }

    /// Looks what is stored, unless that was done lately. What takes longer than who asks waits is seen by
    /// the next who does.
    async fn measure_stored(&self) {
        if !self.metrics.is_stored_due() {
            return;
        }
        let app = self.clone();
        let measured = tokio::spawn(async move {
            if let Ok(bytes) = db::users::stored_bytes(&app.db).await {
                app.metrics.stored(bytes);
            }
        });
        let _ = tokio::time::timeout(PATIENCE, measured).await;
    }
}

/// What the database says, if it does so in time.
async fn soon<T>(asked: impl Future<Output = Result<T, db::Error>>) -> Option<T> {
    tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()
}
