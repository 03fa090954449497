//! Runs sources in sandboxed WebAssembly: compiles components and makes calls, each in a fresh
//! instance. The only place that knows Wasmtime; of folders, grants and jobs it knows nothing.

mod bindings;
mod compiler;
mod convert;
mod determinism;
mod engine;
mod error;
mod info;
mod instance;
mod limits;
mod shape;
mod stderr;
mod step;
mod text;

pub use compiler::{CompileError, SUBCOMMAND, compile};
pub use engine::EngineMode;
pub(crate) use info::check as check_info;
pub use info::check_id;
pub use step::{MOST_AGAIN, MeteredStep, StepError};

pub(crate) use compiler::{Compiler, MAX_SIZE};
pub(crate) use engine::{BIG, Compiled, SandboxEngine};

/// Why the engine does not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// Wasmtime does not start with these settings on this machine.
    #[error("cannot start the WebAssembly engine: {message}")]
    Engine {
        /// Wasmtime's words.
        message: String,
    },
    /// No thread for the clock of deadlines, or for compiling.
    #[error("cannot start a thread of the WebAssembly engine")]
    Thread {
        /// The system's answer.
        source: std::io::Error,
    },
}

impl EngineError {
    fn engine(error: wasmtime::Error) -> Self {
        Self::Engine { message: format!("{error:#}") }
    }
}
