//! Runs sources in sandboxed WebAssembly: compiles components and makes calls, each in a fresh
//! instance with a deadline, a memory limit and a measured cost. The only place that knows
//! Wasmtime; of folders, grants and jobs it knows nothing.

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

use std::{
    borrow::Cow,
    fmt,
    future::{pending, poll_fn},
    path::Path,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::time::{ClockId, clock_gettime};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    task,
    time::timeout,
};
use wasmtime::{
    Cache, CallHook, Engine, Store,
    component::{Component, Linker},
};

use crate::{config, model};

pub use compiler::{CompileError, SUBCOMMAND, compile};
pub use engine::{EngineError, EngineMode};
pub(crate) use info::check as check_info;
pub use info::check_id;
pub use step::{MOST_AGAIN, MeteredStep, StepError};

pub(crate) use compiler::MAX_SIZE;

use bindings::PluginPre;
use compiler::Compiler;
use instance::InstanceState;
use step::CallCost;

/// Open resources (streams, descriptors) of one instance.
const MAX_HANDLES: usize = 1000;
/// From this size on, in bytes, a component is an interpreter with its library:
/// it takes seconds to compile and its deadline is longer.
pub(crate) const BIG: usize = 5_000_000;
/// How much longer the deadline of a big component is.
const BIG_DEADLINE: u32 = 5;

/// The engine and what every call needs.
pub(crate) struct Sandbox {
    mode: EngineMode,
    engine: Engine,
    cache: Cache,
    compiler: Compiler,
    /// Components that were not in the cache when they were opened. Held while one is opened, so
    /// that the cache's own count is of that one.
    misses: Mutex<u64>,
    linker: Linker<InstanceState>,
    /// One for each instance that there may be at a time.
    permits: Semaphore,
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

/// One call of one instance, from waiting for a place until the outcome is known.
struct Invocation<'a> {
    store: Store<InstanceState>,
    deadline: Duration,
    _permit: SemaphorePermit<'a>,
}

impl Sandbox {
    /// Starts the engine; compiled code is kept below `cache`.
    pub(crate) fn new(config: &config::Plugins, cache: &Path, mode: EngineMode) -> Result<Self, EngineError> {
        let memory = config.plugin_memory << 20;
        let compiler = Compiler::new(config, cache, mode);
        let (engine, cache) = engine::new(memory, cache, mode)?;
        let mut linker = Linker::new(&engine);
        instance::link(&mut linker).map_err(EngineError::engine)?;
        engine::tick(&engine).map_err(|source| EngineError::Thread { source })?;
        Ok(Self {
            mode,
            engine,
            cache,
            compiler,
            misses: Mutex::default(),
            linker,
            permits: Semaphore::new(engine::INSTANCES as usize),
            deadline: config.plugin_deadline,
            memory,
        })
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
        let sandbox = Arc::clone(self);
        let opened = task::spawn_blocking(move || {
            let component = sandbox.open(&wasm)?;
            let plugin = sandbox.link(&component)?;
            let factor = if wasm.len() > BIG { BIG_DEADLINE } else { 1 };
            Ok(Compiled { plugin, deadline: sandbox.deadline * factor })
        });
        match opened.await {
            Ok(opened) => opened,
            // The process ends: nobody is to be told that the component is at fault.
            Err(error) if error.is_cancelled() => pending().await,
            Err(error) => Err(format!("opening it was broken off: {error}")),
        }
    }

    /// Sees that the code of `wasm` is in the cache.
    ///
    /// # Errors
    /// Those of [`Sandbox::compile`].
    pub(crate) async fn prepare(&self, wasm: &[u8], trusted: bool) -> Result<(), String> {
        engine::is_component(wasm)?;
        if self.is_compiled(wasm) {
            return Ok(());
        }
        self.compiler.compile(&self.engine, wasm, trusted).await?;
        // Whatever the compiler says, what is not there would be compiled in this process.
        let compiled = self.is_compiled(wasm);
        compiled.then_some(()).ok_or_else(|| "not compiled: its code is not in the cache".to_owned())
    }

    /// Whether the code of `wasm` is in the cache, so that opening it takes no time.
    pub(crate) fn is_compiled(&self, wasm: &[u8]) -> bool {
        engine::is_cached(&self.engine, wasm, self.cache.directory())
    }

    /// Counts the components that were compiled by this process itself: 0 unless the cache was spoilt.
    pub(crate) fn cache_misses(&self) -> u64 {
        *self.misses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens what was compiled.
    fn open(&self, wasm: &[u8]) -> Result<Component, String> {
        let mut misses = self.misses.lock().unwrap_or_else(PoisonError::into_inner);
        let hits = self.cache.cache_hits();
        let component = engine::guarded(|| {
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

    /// Checks that the component has the world of a source, as far as its types tell.
    fn link(&self, component: &Component) -> Result<PluginPre<InstanceState>, String> {
        self.linker.instantiate_pre(component).and_then(PluginPre::new).map_err(|error| engine::words(&error))
    }

    /// Says what is seen from outside of what was compiled.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn names(&self, wasm: &[u8]) -> Result<ComponentNames, String> {
        let component = self.open(wasm)?;
        let outside = component.component_type();
        Ok(ComponentNames {
            imports: outside.imports(&self.engine).map(|(name, _)| name.to_owned()).collect(),
            exports: outside.exports(&self.engine).map(|(name, _)| name.to_owned()).collect(),
            unlinked: self.link(&component).err(),
        })
    }

    /// Asks the component what it is; nothing of that is checked yet.
    pub(crate) async fn describe(
        &self,
        compiled: &Compiled,
        name: &Arc<str>,
    ) -> Result<model::SourceInfo, StepError> {
        self.call(|| self.describe_once(compiled, name)).await.map(|(info, _)| info)
    }

    /// Makes one step: the first, or the one after `resumed` (state and answers).
    pub(crate) async fn step(
        &self,
        compiled: &Compiled,
        name: &Arc<str>,
        query: &model::Query,
        resumed: Option<(&str, &[model::Answer])>,
    ) -> Result<MeteredStep, StepError> {
        let (step, cost) = self.call(|| self.step_once(compiled, name, query, resumed)).await?;
        let CallCost { cpu, peak_memory, fuel } = cost;
        Ok(MeteredStep { step, cpu, peak_memory, fuel })
    }

    /// Makes a call, in [`EngineMode::Compare`] twice.
    async fn call<T: PartialEq + fmt::Debug, F: Future<Output = Result<(T, CallCost), StepError>>>(
        &self,
        once: impl Fn() -> F,
    ) -> Result<(T, CallCost), StepError> {
        let first = retry_once_on_deadline(&once).await;
        match self.mode {
            EngineMode::Compare => determinism::same(first, retry_once_on_deadline(&once).await),
            EngineMode::Serve | EngineMode::Author => first,
        }
    }

    async fn describe_once(
        &self,
        compiled: &Compiled,
        name: &Arc<str>,
    ) -> Result<(model::SourceInfo, CallCost), StepError> {
        let mut invocation = self.enter(compiled, name).await?;
        let (outcome, cpu) = measured(invocation.deadline, async {
            let plugin = compiled.plugin.instantiate_async(&mut invocation.store).await?;
            plugin.pixcrawler_source_source().call_describe(&mut invocation.store).await
        })
        .await;
        let (info, cost) = invocation.leave(outcome, cpu)?;
        Ok((convert::info(info), cost))
    }

    async fn step_once(
        &self,
        compiled: &Compiled,
        name: &Arc<str>,
        query: &model::Query,
        resumed: Option<(&str, &[model::Answer])>,
    ) -> Result<(model::Step, CallCost), StepError> {
        let query = convert::QueryRef::new(query);
        let mut invocation = self.enter(compiled, name).await?;
        let (outcome, cpu) = measured(invocation.deadline, async {
            let plugin = compiled.plugin.instantiate_async(&mut invocation.store).await?;
            let guest = plugin.pixcrawler_source_source();
            match resumed {
                None => guest.call_start(&mut invocation.store, query.as_wit()).await,
                Some((state, answers)) => {
                    let too_large = limits::surplus_answers(answers);
                    let headers = convert::headers(answers);
                    let answers: Vec<_> = answers
                        .iter()
                        .zip(&headers)
                        .zip(&too_large)
                        .map(|((answer, headers), too_large)| convert::answer(answer, headers, *too_large))
                        .collect();
                    guest.call_resume(&mut invocation.store, query.as_wit(), state, &answers).await
                }
            }
        })
        .await;
        let (outcome, cost) = invocation.leave(outcome, cpu)?;
        let step = outcome.map_err(|error| StepError::Source(limits::error(convert::error(error))))?;
        let encoding = model::encoding_of(resumed.map_or(&[], |(_, answers)| answers));
        Ok((limits::step(convert::step(step), encoding)?, cost))
    }

    /// Waits for a place in the pool and makes a store with every limit set.
    async fn enter(&self, compiled: &Compiled, name: &Arc<str>) -> Result<Invocation<'_>, StepError> {
        let permit = self.permits.acquire().await.map_err(|error| StepError::host(&error))?;
        let mut store = Store::new(&self.engine, InstanceState::new(Arc::clone(name), self.memory));
        store.limiter(|state| state);
        // The fuel of host calls bounds both directions, each with a limit of its own, so it is
        // set anew at every passage.
        store.call_hook(|mut store, passage| {
            match passage {
                CallHook::CallingHost => store.set_hostcall_fuel(limits::MAX_GIVEN),
                CallHook::ReturningFromWasm => store.set_hostcall_fuel(limits::MAX_RETURNED),
                CallHook::CallingWasm | CallHook::ReturningFromHost => {}
            }
            Ok(())
        });
        store.set_max_component_handles(MAX_HANDLES);
        // At every tick the guest gives the thread back; the deadline itself is a timer, because
        // epochs do not pass while a call of the host waits.
        store.set_epoch_deadline(1);
        store.epoch_deadline_async_yield_and_update(1);
        if self.mode == EngineMode::Compare {
            // As much as there is: instructions are counted, not limited.
            store.set_fuel(u64::MAX).map_err(|error| StepError::host(&error))?;
        }
        Ok(Invocation { store, deadline: compiled.deadline, _permit: permit })
    }
}

impl Invocation<'_> {
    /// Turns what became of a call into its result or into words for its author.
    fn leave<T>(
        self,
        outcome: Option<wasmtime::Result<T>>,
        cpu: Duration,
    ) -> Result<(T, CallCost), StepError> {
        let state = self.store.data();
        state.close_log();
        let stderr = state.stderr();
        if !stderr.is_empty() {
            tracing::debug!(event = "plugin-stderr", source = %state.source(), stderr, "the plugin wrote to stderr");
        }
        // An engine that does not count has none to give.
        let fuel = self.store.get_fuel().ok().map(|left| u64::MAX - left);
        match outcome {
            Some(Ok(value)) => Ok((value, CallCost { cpu, peak_memory: state.peak_memory(), fuel })),
            None => Err(StepError::Deadline { limit: self.deadline, cpu }),
            Some(Err(error)) => Err(error::failed(&error, state.last_words())),
        }
    }
}

/// Makes `call` once more when it overran its deadline, which may have been the machine's fault.
async fn retry_once_on_deadline<T, F: Future<Output = Result<T, StepError>>>(
    call: impl Fn() -> F,
) -> Result<T, StepError> {
    match call().await {
        Err(StepError::Deadline { .. }) => call().await,
        outcome => outcome,
    }
}

/// Runs `call` for `deadline` at most: no outcome when it was not done by then. A guest
/// gives the thread back at every tick, and a call that is dropped ends there.
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
