//! What came of one call of a plugin: a step with its cost, or whose fault it was.

use std::time::Duration;

use crate::model::{SourceError, Step};

/// Steps in a row that may ask to be called again with the same answers; who calls counts them.
pub const MOST_AGAIN: u32 = 64;

/// A step that a source made, within all bounds.
#[derive(Clone, Debug)]
pub struct MeteredStep {
    /// What it found and what it wants next.
    pub step: Step,
    /// CPU time of the call, instantiation included.
    pub cpu: Duration,
    /// Most linear memory of the instance, in bytes.
    pub peak_memory: u64,
    /// Instructions, weighted, where the engine counts them: see [`EngineMode::Compare`](super::EngineMode).
    pub fuel: Option<u64>,
}

/// What a call cost.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallCost {
    pub(super) cpu: Duration,
    /// In bytes.
    pub(super) peak_memory: u64,
    /// Instructions, weighted, where the engine counts them.
    pub(super) fuel: Option<u64>,
}

/// Why there is no step. State and requests of the crawl stay as they were.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// The source said so itself.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The call did not come back, twice.
    #[error("the plugin did not come back within {limit:?}, twice ({cpu:?} of CPU time)")]
    Deadline {
        /// Wall time that a call may take.
        limit: Duration,
        /// CPU time that it had had by then.
        cpu: Duration,
    },
    /// The instance wanted more memory than it may have.
    #[error("the plugin wanted {wanted} bytes of memory, {limit} are allowed")]
    Memory {
        /// In bytes.
        limit: usize,
        /// In bytes.
        wanted: usize,
    },
    /// The plugin broke off: a panic, an overflow of its stack, an exit.
    #[error("the plugin broke off: {message}{}{last_words}", if last_words.is_empty() { "" } else { ": " })]
    Trap {
        /// What WebAssembly says.
        message: String,
        /// The end of what the plugin wrote to stderr, or its last error in the log; may be empty.
        last_words: String,
    },
    /// The step carries more than it may.
    #[error("too many {what}: {}at most {limit} are allowed", found.map(|found| format!("{found}, ")).unwrap_or_default())]
    TooMuch {
        /// What there is too much of, in the plural.
        what: &'static str,
        /// The most there may be.
        limit: usize,
        /// How much there was, where it was counted to the end.
        found: Option<usize>,
    },
    /// The step contradicts the contract.
    #[error("the step is not valid: {what}")]
    Invalid {
        /// Which rule it breaks.
        what: &'static str,
    },
    /// The same call, made twice, gave two results: only where calls are compared.
    #[error("the same step made twice differs: {what}")]
    Unsteady {
        /// In what.
        what: String,
    },
    /// The component is still being compiled; later it is ready.
    #[error("the source `{id}` is being prepared")]
    Preparing {
        /// Of the source.
        id: String,
    },
    /// The source may not run.
    #[error("the source `{id}` is off: {reason}")]
    Off {
        /// Of the source.
        id: String,
        /// Why, and what turns it on.
        reason: String,
    },
    /// The host's own failure.
    #[error("the plugin could not be run: {message}")]
    Host {
        /// What failed.
        message: String,
    },
}

impl StepError {
    /// Tells whether the plugin is to blame, so that the fault counts against it.
    #[must_use]
    pub const fn is_plugins_fault(&self) -> bool {
        match self {
            Self::Deadline { .. }
            | Self::Memory { .. }
            | Self::Trap { .. }
            | Self::TooMuch { .. }
            | Self::Invalid { .. }
            | Self::Unsteady { .. } => true,
            Self::Source(error) => matches!(error, SourceError::Other(_)),
            Self::Preparing { .. } | Self::Off { .. } | Self::Host { .. } => false,
        }
    }

    /// Makes the error that one more than [`MOST_AGAIN`] steps in a row that say `again` is.
    #[must_use]
    pub const fn too_often() -> Self {
        let limit = MOST_AGAIN as usize;
        Self::TooMuch { what: "steps in a row that say `again`", limit, found: Some(limit + 1) }
    }

    pub(crate) fn host(error: &impl ToString) -> Self {
        Self::Host { message: error.to_string() }
    }
}
