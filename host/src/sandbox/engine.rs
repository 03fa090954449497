//! Wasmtime, set up once: compiles components and makes calls, each in a fresh
//! instance with a deadline, a memory limit and a measured bill.

use std::{
    borrow::Cow,
    fs,
    future::poll_fn,
    hash::{Hash as _, Hasher},
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rustix::time::{ClockId, clock_gettime};
use sha2::Digest as _;
use tokio::{sync::Semaphore, sync::SemaphorePermit, task, time::timeout};
use wasmtime::{
    Cache, CacheConfig, CallHook, Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Store,
    WasmBacktraceDetails,
    component::{Component, Linker},
};

use super::{
    EngineError, MeteredStep, StepError,
    bindings::PluginPre,
    compiler::Compiler,
    convert, determinism, error,
    instance::{self, InstanceState},
    limits,
    text::printable,
};
use crate::{config, model};

/// Instances at a time. A call is nothing but CPU time, so more would only wait for cores.
const INSTANCES: u32 = 16;
/// How often running guests let others have the thread, and how fine the deadline is.
const TICK: Duration = Duration::from_millis(10);
/// Bytes of what a call of the guest returns, counted by Wasmtime as it copies.
pub(crate) const MAX_RETURNED: usize = 16 << 20;
/// Bytes that the guest gives to one function of the host, counted before they are copied.
pub(crate) const MAX_GIVEN: usize = 64 << 10;
/// Open resources (streams, descriptors) of one instance.
const MAX_HANDLES: usize = 1000;
/// From this size on, in bytes, a component is an interpreter with its library:
/// it takes seconds to compile and its deadline is longer.
pub(crate) const BIG: usize = 5_000_000;
/// How much longer the deadline of a big component is.
const BIG_DEADLINE: u32 = 5;

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

/// The engine and what every call needs.
pub(crate) struct SandboxEngine {
    mode: EngineMode,
    engine: Engine,
    cache: Cache,
    compiler: Compiler,
    /// Components that were not in the cache when they were opened. Held while one is opened, so
    /// that the cache's own count is of that one.
    misses: Mutex<u64>,
    linker: Linker<InstanceState>,
    free: Semaphore,
    deadline: Duration,
    memory: usize,
}

/// A component ready to be instantiated.
pub(crate) struct Compiled {
    plugin: PluginPre<InstanceState>,
    deadline: Duration,
}

/// What is seen of a component without running it.
pub(crate) struct ComponentNames {
    pub(crate) imports: Vec<String>,
    pub(crate) exports: Vec<String>,
    /// Why it cannot be instantiated.
    pub(crate) unlinked: Option<String>,
}

/// One instance's surroundings, from entering until the outcome is known.
struct Invocation<'a> {
    store: Store<InstanceState>,
    deadline: Duration,
    _place: SemaphorePermit<'a>,
}

/// What a call cost.
#[derive(Clone, Copy, Debug)]
struct CallCost {
    cpu: Duration,
    peak_memory: u64,
    fuel: Option<u64>,
}

impl SandboxEngine {
    /// Starts the engine; compiled code is kept below `cache`, and put there by `compiler`.
    pub(crate) fn new(
        config: &config::Plugins,
        cache: &Path,
        mode: EngineMode,
        compiler: Compiler,
    ) -> Result<Self, EngineError> {
        let memory = config.plugin_memory << 20;
        let (engine, cache) = engine(memory, cache, mode).map_err(EngineError::engine)?;
        let mut linker = Linker::new(&engine);
        instance::link(&mut linker).map_err(EngineError::engine)?;
        tick(&engine).map_err(|source| EngineError::Thread { source })?;
        let free = Semaphore::new(INSTANCES as usize);
        let (misses, deadline) = (Mutex::default(), config.plugin_deadline);
        Ok(Self { mode, engine, cache, compiler, misses, linker, free, deadline, memory })
    }

    /// Compiles `wasm`, or takes it from the cache; `trusted` is what comes with the binary.
    ///
    /// # Errors
    /// Says in words what is wrong with the component, or which limit it passed.
    pub(crate) async fn compile(
        self: &Arc<Self>,
        wasm: Cow<'static, [u8]>,
        trusted: bool,
    ) -> Result<Compiled, String> {
        self.prepare(&wasm, trusted).await?;
        let runtime = Arc::clone(self);
        let opened = task::spawn_blocking(move || {
            let component = runtime.open(&wasm)?;
            let plugin =
                runtime.linker.instantiate_pre(&component).and_then(PluginPre::new).map_err(words)?;
            let big = if wasm.len() > BIG { BIG_DEADLINE } else { 1 };
            Ok(Compiled { plugin, deadline: runtime.deadline * big })
        });
        opened.await.unwrap_or_else(|error| Err(format!("opening it was broken off: {error}")))
    }

    /// Sees that `wasm` is in the cache.
    ///
    /// # Errors
    /// Those of [`Runtime::compile`].
    pub(crate) async fn prepare(&self, wasm: &[u8], trusted: bool) -> Result<(), String> {
        is_component(wasm)?;
        match &self.compiler {
            Compiler::Children(_) if self.is_compiled(wasm) => Ok(()),
            Compiler::Children(children) => {
                children.compile(wasm, trusted).await?;
                let kept = self.is_compiled(wasm);
                kept.then_some(()).ok_or_else(|| "not compiled: its code is not in the cache".to_owned())
            }
            #[cfg(test)]
            Compiler::Here => guarded(|| Component::new(&self.engine, wasm)).map(drop),
        }
    }

    /// Whether the code of `wasm` is in the cache, so that opening it takes no time.
    pub(crate) fn is_compiled(&self, wasm: &[u8]) -> bool {
        is_cached(&self.engine, wasm, self.cache.directory())
    }

    /// Components that were compiled by this process itself: 0 unless the cache was spoilt.
    pub(crate) fn cache_misses(&self) -> u64 {
        *self.misses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens what was compiled.
    fn open(&self, wasm: &[u8]) -> Result<Component, String> {
        let mut misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        let hits = self.cache.cache_hits();
        let component = guarded(|| {
            let component = Component::new(&self.engine, wasm)?;
            component.initialize_copy_on_write_image()?;
            Ok(component)
        })?;
        if self.cache.cache_hits() == hits {
            *misses += 1;
            tracing::warn!("the code of a plugin in the cache was spoilt; it was compiled anew");
        }
        Ok(component)
    }

    /// Says what is seen from outside of what was compiled.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn names(&self, wasm: &[u8]) -> Result<ComponentNames, String> {
        let component = self.open(wasm)?;
        let outside = component.component_type();
        let unlinked = self.linker.instantiate_pre(&component).and_then(PluginPre::new).err().map(words);
        Ok(ComponentNames {
            imports: outside.imports(&self.engine).map(|(name, _)| name.to_owned()).collect(),
            exports: outside.exports(&self.engine).map(|(name, _)| name.to_owned()).collect(),
            unlinked,
        })
    }

    /// What the component says of itself, not yet judged.
    pub(crate) async fn describe(
        &self,
        compiled: &Compiled,
        name: &Arc<str>,
    ) -> Result<model::SourceInfo, StepError> {
        let call = || twice(|| self.describe_once(compiled, name));
        let described = call().await;
        match self.mode {
            EngineMode::Compare => determinism::described(described, call().await),
            EngineMode::Serve | EngineMode::Author => described.map(|(info, _)| info),
        }
    }

    /// One step: the first, or the one after `resumed` (state and answers).
    pub(crate) async fn step(
        &self,
        compiled: &Compiled,
        name: &Arc<str>,
        query: &model::Query,
        resumed: Option<(&str, &[model::Answer])>,
    ) -> Result<MeteredStep, StepError> {
        let call = || twice(|| self.step_once(compiled, name, query, resumed));
        let made = call().await;
        match self.mode {
            EngineMode::Compare => determinism::made(made, call().await),
            EngineMode::Serve | EngineMode::Author => made,
        }
    }

    async fn describe_once(
        &self,
        compiled: &Compiled,
        name: &Arc<str>,
    ) -> Result<(model::SourceInfo, Option<u64>), StepError> {
        let mut visit = self.enter(compiled, name).await?;
        let (outcome, cpu) = measured(visit.deadline, async {
            let plugin = compiled.plugin.instantiate_async(&mut visit.store).await?;
            plugin.pixcrawler_source_source().call_describe(&mut visit.store).await
        })
        .await;
        let (info, bill) = visit.leave(outcome, cpu)?;
        Ok((convert::info(info), bill.fuel))
    }

    async fn step_once(
        &self,
        compiled: &Compiled,
        name: &Arc<str>,
        query: &model::Query,
        resumed: Option<(&str, &[model::Answer])>,
    ) -> Result<MeteredStep, StepError> {
        let lent = convert::QueryRef::new(query);
        let mut visit = self.enter(compiled, name).await?;
        let (outcome, cpu) = measured(visit.deadline, async {
            let plugin = compiled.plugin.instantiate_async(&mut visit.store).await?;
            let guest = plugin.pixcrawler_source_source();
            match resumed {
                None => guest.call_start(&mut visit.store, lent.query()).await,
                Some((state, answers)) => {
                    let too_large = limits::surplus_answers(answers);
                    let headers = convert::headers(answers);
                    let answers: Vec<_> = answers
                        .iter()
                        .zip(&headers)
                        .zip(&too_large)
                        .map(|((answer, headers), too_large)| convert::answer(answer, headers, *too_large))
                        .collect();
                    guest.call_resume(&mut visit.store, lent.query(), state, &answers).await
                }
            }
        })
        .await;
        let (outcome, bill) = visit.leave(outcome, cpu)?;
        let step = outcome.map_err(|error| StepError::Source(limits::error(convert::error(error))))?;
        let CallCost { cpu, peak_memory, fuel } = bill;
        let encoding = model::encoding_of(resumed.map_or(&[], |(_, answers)| answers));
        Ok(MeteredStep { step: limits::step(convert::step(step), encoding)?, cpu, peak_memory, fuel })
    }

    /// Waits for a place in the pool and makes a store with every limit set.
    async fn enter(&self, compiled: &Compiled, name: &Arc<str>) -> Result<Invocation<'_>, StepError> {
        let place = self.free.acquire().await.map_err(|error| StepError::host(&error))?;
        let mut store = Store::new(&self.engine, InstanceState::new(Arc::clone(name), self.memory));
        store.limiter(|sandbox| sandbox);
        store.call_hook(|mut store, passage| {
            match passage {
                CallHook::CallingHost => store.set_hostcall_fuel(MAX_GIVEN),
                CallHook::ReturningFromWasm => store.set_hostcall_fuel(MAX_RETURNED),
                CallHook::CallingWasm | CallHook::ReturningFromHost => {}
            }
            Ok(())
        });
        store.set_max_component_handles(MAX_HANDLES);
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        if self.mode == EngineMode::Compare {
            store.set_fuel(u64::MAX).map_err(|error| StepError::host(&error))?;
        }
        Ok(Invocation { store, deadline: compiled.deadline, _place: place })
    }
}

impl Invocation<'_> {
    /// Turns what became of a call into its result or into words for its author.
    fn leave<T>(
        self,
        outcome: Option<wasmtime::Result<T>>,
        cpu: Duration,
    ) -> Result<(T, CallCost), StepError> {
        let sandbox = self.store.data();
        sandbox.close_log();
        let stderr = sandbox.stderr();
        if !stderr.is_empty() {
            tracing::debug!(source = %sandbox.source(), stderr, "the plugin wrote to stderr");
        }
        // An engine that does not count has none to give.
        let fuel = self.store.get_fuel().ok().map(|left| u64::MAX - left);
        let bill = CallCost { cpu, peak_memory: sandbox.peak_memory(), fuel };
        match outcome {
            Some(Ok(value)) => Ok((value, bill)),
            None => Err(StepError::Deadline { limit: self.deadline, cpu }),
            Some(Err(error)) => Err(error::failed(&error, sandbox.last_words())),
        }
    }
}

/// A first overrun of the deadline may be the machine's fault, so it is tried once more.
async fn twice<T, F: Future<Output = Result<T, StepError>>>(call: impl Fn() -> F) -> Result<T, StepError> {
    match call().await {
        Err(StepError::Deadline { .. }) => call().await,
        outcome => outcome,
    }
}

/// Runs `call` for `deadline` at most: no outcome when it was not done by then. A guest
/// gives the thread back at every tick, and a call that is let go ends there.
/// Also says for how long it had the CPU.
async fn measured<T>(deadline: Duration, call: impl Future<Output = T>) -> (Option<T>, Duration) {
    let mut call = pin!(call);
    let mut cpu = Duration::ZERO;
    let on_cpu = poll_fn(|context| {
        let before = thread_time();
        let polled = call.as_mut().poll(context);
        cpu += thread_time().saturating_sub(before);
        polled
    });
    let outcome = timeout(deadline, on_cpu).await.ok();
    (outcome, cpu)
}

/// CPU time of this thread; a poll begins and ends on one.
fn thread_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

/// Whether Wasmtime finds the code of `wasm` in its `cache`: it names each file by what it is made from.
pub(crate) fn is_cached(engine: &Engine, wasm: &[u8], cache: &Path) -> bool {
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

/// An engine whose compiled code is kept below `cache`.
pub(crate) fn engine(memory: usize, cache: &Path, mode: EngineMode) -> wasmtime::Result<(Engine, Cache)> {
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
        .linear_memory_keep_resident(512 << 10)
        .table_keep_resident(64 << 10);
    let mut compiled = CacheConfig::new();
    compiled.with_directory(cache);
    let cache = Cache::new(compiled)?;
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
        .cranelift_nan_canonicalization(true)
        .max_wasm_stack(512 << 10)
        .async_stack_size(1 << 20)
        .wasm_backtrace_max_frames(NonZeroUsize::new(20));
    Ok((Engine::new(&config)?, cache))
}

/// Advances the epoch until the engine is gone.
#[expect(
    clippy::disallowed_methods,
    reason = "a thread of its own keeps the time, whatever the async ones do"
)]
fn tick(engine: &Engine) -> std::io::Result<()> {
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

/// Whether these can be the bytes of a component.
fn is_component(wasm: &[u8]) -> Result<(), String> {
    match wasm {
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => Ok(()),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => {
            Err("a core module, not a component; build it for wasm32-wasip2".to_owned())
        }
        _ => Err("not a WebAssembly component".to_owned()),
    }
}

/// The compiler reads hostile input; should it fail, only this component is lost.
pub(crate) fn guarded<T>(compile: impl FnOnce() -> wasmtime::Result<T>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(compile))
        .map_err(|_| "the compiler cannot take it".to_owned())?
        .map_err(words)
}

/// Wasmtime's reasons, outermost first, on one line.
#[expect(clippy::needless_pass_by_value, reason = "given to map_err")]
fn words(error: wasmtime::Error) -> String {
    printable(&format!("{error:#}"), 1000).replace('\n', " ")
}
