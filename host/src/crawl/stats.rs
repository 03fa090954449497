//! What a source does in one slice, counted for its row and for the metrics.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{
    app::{App, CredentialSet},
    db::{self, sources},
    model::{Next, Refusal, SourceError, SourceStats},
    plugins::LoadedPlugin,
    sandbox::{MeteredStep, StepError},
};

/// Shared by all that works for the slice.
pub(super) struct SliceStats {
    app: App,
    plugin: LoadedPlugin,
    credentials: Arc<CredentialSet>,
    counts: Mutex<SliceCounts>,
}

#[derive(Default)]
struct SliceCounts {
    stats: SourceStats,
    /// It read an answer, or came to its end.
    is_well: bool,
    /// Something was wrong with it.
    has_problem: bool,
}

impl SliceStats {
    pub(super) fn new(app: App, plugin: LoadedPlugin, credentials: Arc<CredentialSet>) -> Self {
        Self { app, plugin, credentials, counts: Mutex::default() }
    }

    fn counts(&self) -> MutexGuard<'_, SliceCounts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn source(&self) -> &str {
        &self.plugin.info.id
    }

    /// What was counted so far.
    pub(super) fn so_far(&self) -> SourceStats {
        self.counts().stats.clone()
    }

    /// Writes what was counted, which is then nothing again.
    pub(super) async fn write(&self, connection: &mut db::PgConnection) -> Result<(), db::Error> {
        let SliceCounts { stats, is_well, has_problem } = std::mem::take(&mut *self.counts());
        let build = self.credentials.build(&self.plugin);
        sources::count(connection, &build, &stats, is_well && !has_problem).await
    }

    /// A request was answered, or not.
    pub(super) fn requested(&self, status: Option<u16>) {
        self.app.metrics.source_request(self.source(), status);
        let stats = &mut self.counts().stats;
        stats.requests += 1;
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        *stats.answers.entry(status).or_default() += 1;
    }

    /// A step was made, or not; whether it is one that had `answers`.
    pub(super) fn stepped(&self, made: &Result<MeteredStep, StepError>, answers: bool) {
        let metrics = &self.app.metrics;
        let mut counts = self.counts();
        let outcome = match made {
            Ok(made) => {
                let found = made.step.candidates.len();
                metrics.step_cost(self.source(), made.cpu, made.peak_memory);
                metrics.candidates(self.source(), found);
                counts.is_well |= answers || made.step.next == Next::Done;
                let stats = &mut counts.stats;
                stats.steps += 1;
                stats.candidates += found as u64;
                stats.cpu += made.cpu;
                stats.peak_memory = stats.peak_memory.max(made.peak_memory);
                "made"
            }
            Err(error) if error.is_plugins_fault() => {
                counts.has_problem = true;
                counts.stats.faults += 1;
                "fault"
            }
            Err(StepError::Source(error)) => {
                counts.has_problem |=
                    matches!(error, SourceError::Unauthorized(_) | SourceError::LayoutChanged(_));
                "error"
            }
            Err(_) => "not-run",
        };
        metrics.step(self.source(), outcome);
    }

    /// Pictures were judged.
    pub(super) fn judged(&self, kept: u64, duplicates: u64, refused: impl Iterator<Item = Refusal>) {
        let refused: Vec<_> = refused.collect();
        self.app.metrics.judged(self.source(), kept, duplicates, &refused);
        let stats = &mut self.counts().stats;
        stats.kept += kept;
        stats.duplicates += duplicates;
        for refusal in refused {
            *stats.refused.entry(refusal.code().to_owned()).or_default() += 1;
        }
    }
}
