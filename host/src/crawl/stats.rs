//! What a source does in one slice, counted for its figures and for the metrics.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{
    app::App,
    model::{Next, Refusal, SourceError, SourceStats},
    sandbox::{MeteredStep, StepError},
};

/// Shared by all that works for the slice.
pub(super) struct SliceStats {
    app: App,
    source: String,
    counted: Mutex<SliceCounts>,
}

/// What was counted.
#[derive(Default)]
pub(super) struct SliceCounts {
    pub(super) figures: SourceStats,
    /// It read an answer, or came to its end.
    well: bool,
    /// Something was wrong with it.
    ailing: bool,
}

impl SliceCounts {
    /// Whether it did what it is for.
    pub(super) const fn is_well(&self) -> bool {
        self.well && !self.ailing
    }
}

impl SliceStats {
    pub(super) fn new(app: App, source: String) -> Self {
        Self { app, source, counted: Mutex::default() }
    }

    fn counted(&self) -> MutexGuard<'_, SliceCounts> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything until now.
    pub(super) fn take(&self) -> SliceCounts {
        std::mem::take(&mut self.counted())
    }

    /// A request was answered, or not.
    pub(super) fn requested(&self, status: Option<u16>) {
        self.app.metrics.source_request(&self.source, status);
        let figures = &mut self.counted().figures;
        figures.requests += 1;
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        *figures.answers.entry(status).or_default() += 1;
    }

    /// A step was made, or not; whether it is one that had `answers`.
    pub(super) fn stepped(&self, made: &Result<MeteredStep, StepError>, answers: bool) {
        let metrics = &self.app.metrics;
        let mut counted = self.counted();
        let outcome = match made {
            Ok(made) => {
                let found = made.step.candidates.len();
                metrics.step_cost(&self.source, made.cpu, made.peak_memory);
                metrics.candidates(&self.source, found);
                counted.well |= answers || made.step.next == Next::Done;
                let figures = &mut counted.figures;
                figures.steps += 1;
                figures.candidates += found as u64;
                figures.cpu += made.cpu;
                figures.peak_memory = figures.peak_memory.max(made.peak_memory);
                "made"
            }
            Err(error) if error.is_plugins_fault() => {
                counted.ailing = true;
                counted.figures.faults += 1;
                "fault"
            }
            Err(StepError::Source(error)) => {
                counted.ailing |=
                    matches!(error, SourceError::Unauthorized(_) | SourceError::LayoutChanged(_));
                "error"
            }
            Err(_) => "not-run",
        };
        metrics.step(&self.source, outcome);
    }

    /// Pictures were judged.
    pub(super) fn judged(&self, kept: u64, duplicates: u64, refused: impl Iterator<Item = Refusal>) {
        let refused: Vec<_> = refused.collect();
        self.app.metrics.judged(&self.source, kept, duplicates, &refused);
        let figures = &mut self.counted().figures;
        figures.kept += kept;
        figures.duplicates += duplicates;
        for refusal in refused {
            *figures.refused.entry(refusal.code().to_owned()).or_default() += 1;
        }
    }
}
