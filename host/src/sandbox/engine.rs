//! Wasmtime, set up: which features are on, the pool of instances, the cache of compiled code
//! and the clock of deadlines.

use std::{
    fs,
    hash::{Hash as _, Hasher},
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    thread,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use sha2::Digest as _;
use wasmtime::{
    Cache, CacheConfig, Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig,
    WasmBacktraceDetails,
};

use super::{instance, text::printable};

/// Instances at a time. A call is nothing but CPU time, so more would only wait for cores.
pub(super) const INSTANCES: u32 = 16;
/// How often running guests let others have the thread.
const TICK: Duration = Duration::from_millis(10);

/// What the engine is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum EngineMode {
    /// To run sources. Debug information is not looked at: it is hostile input, too.
    Serve,
    /// To try a source: the lines in its debug information are named when it breaks off.
    Author,
    /// To see whether a source is a pure function: every call is made twice, with its
    /// instructions counted.
    Compare,
}

impl EngineMode {
    /// As on the command line of a child.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::Author => "author",
            Self::Compare => "compare",
        }
    }
}

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
    pub(super) fn engine(error: wasmtime::Error) -> Self {
        Self::Engine { message: format!("{error:#}") }
    }
}

/// Whether Wasmtime finds the code of `wasm` in its `cache`: it names each file by what it is made from.
pub(super) fn is_cached(engine: &Engine, wasm: &[u8], cache: &Path) -> bool {
    /// As Wasmtime reads it; what is hashed is the whole digest.
    struct CacheKey(sha2::Sha256);
    impl Hasher for CacheKey {
        fn write(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        fn finish(&self) -> u64 {
            0
        }
    }
    let mut name = CacheKey(sha2::Sha256::new());
    let (split_debug_information, intrinsics) = (None::<()>, None::<()>);
    (engine.precompile_compatibility_hash(), wasm, split_debug_information, intrinsics).hash(&mut name);
    let name = URL_SAFE_NO_PAD.encode(name.0.finalize());
    let versions = fs::read_dir(cache.join("modules")).into_iter().flatten().flatten();
    versions.into_iter().any(|version| version.path().join(&name).is_file())
}

/// Makes an engine for instances with `memory` bytes each, whose compiled code is kept below `cache`.
///
/// # Errors
/// When it does not start on this machine, or the cache cannot be used.
pub(super) fn new(memory: usize, cache: &Path, mode: EngineMode) -> Result<(Engine, Cache), EngineError> {
    // A component takes no more of the pool than its share, so no call is turned away.
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES)
        .total_core_instances(INSTANCES * instance::MAX_CORE_INSTANCES)
        .total_memories(INSTANCES * instance::MAX_MEMORIES)
        .total_tables(INSTANCES * instance::MAX_TABLES)
        .total_stacks(INSTANCES)
        .max_core_instances_per_component(instance::MAX_CORE_INSTANCES)
        .max_memories_per_component(instance::MAX_MEMORIES)
        .max_tables_per_component(instance::MAX_TABLES)
        .max_tables_per_module(4)
        .table_elements(instance::MAX_TABLE_ELEMENTS)
        .max_memory_size(memory)
        // Zeroing so much by hand is cheaper than giving the pages back to the system.
        .linear_memory_keep_resident(512 << 10)
        .table_keep_resident(64 << 10);
    let mut settings = CacheConfig::new();
    settings.with_directory(cache);
    let cache = Cache::new(settings).map_err(EngineError::engine)?;
    let details = match mode {
        EngineMode::Serve => WasmBacktraceDetails::Disable,
        EngineMode::Author | EngineMode::Compare => WasmBacktraceDetails::Enable,
    };
    let mut config = Config::new();
    // Nothing that guests of this contract use is on: each feature is room for attack.
    config
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool))
        .cache(Some(cache.clone()))
        .consume_fuel(mode == EngineMode::Compare)
        .wasm_backtrace_details(details)
        .epoch_interruption(true)
        .concurrency_support(false)
        .gc_support(false)
        .wasm_memory64(false)
        // Which bits a NaN has would else depend on the processor.
        .cranelift_nan_canonicalization(true)
        // The stack that calls run on must have room for the guest's and for what the host does then.
        .max_wasm_stack(512 << 10)
        .async_stack_size(1 << 20)
        .wasm_backtrace_max_frames(NonZeroUsize::new(20));
    Ok((Engine::new(&config).map_err(EngineError::engine)?, cache))
}

/// Advances the epoch until the engine is gone.
///
/// # Errors
/// When there is no thread for it.
#[expect(
    clippy::disallowed_methods,
    reason = "a thread of its own keeps the time, whatever the async ones do"
)]
pub(super) fn tick(engine: &Engine) -> std::io::Result<()> {
    let engine = engine.weak();
    let ticker = move || {
        while let Some(engine) = engine.upgrade() {
            engine.increment_epoch();
            drop(engine);
            thread::sleep(TICK);
        }
    };
    thread::Builder::new().name("plugin-ticks".to_owned()).spawn(ticker).map(drop)
}

/// Checks that these can be the bytes of a component.
///
/// # Errors
/// What they are instead.
pub(super) fn is_component(wasm: &[u8]) -> Result<(), String> {
    match wasm {
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => {
            Err("a core module, not a component; build it for wasm32-wasip2".to_owned())
        }
        _ => Err("not a WebAssembly component".to_owned()),
    }
}

/// The compiler reads hostile input; should it fail, only this component is lost.
pub(super) fn guarded<T>(compile: impl FnOnce() -> wasmtime::Result<T>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(compile))
        .map_err(|_| "the compiler cannot take it".to_owned())?
        .map_err(|error| words(&error))
}

/// Wasmtime's reasons, outermost first, on one line.
pub(super) fn words(error: &wasmtime::Error) -> String {
    printable(&format!("{error:#}"), 1000).replace('\n', " ")
}
