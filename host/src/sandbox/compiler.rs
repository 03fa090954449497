//! Compiling in children of this program. A component from outside may take any time and memory
//! to compile, and the compiler cannot be stopped in the middle; a child can.
//!
//! A child fills Wasmtime's own cache. What is not in there afterwards is not compiled.

use std::{
    io::{self, Read as _, Write as _, stdin, stdout},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout},
    sync::Semaphore,
    time::timeout,
};
use wasmtime::{Engine, component::Component};

use super::{
    engine::{self, EngineError, EngineMode},
    shape,
};
use crate::{
    config, private,
    subprocess::{self, Meter},
};

/// Bytes of one component; Python's, the largest, have 20 MB.
pub(crate) const MAX_SIZE: u64 = 100 << 20;
/// The subcommand of this program that a child runs.
pub const SUBCOMMAND: &str = "compile-component";
/// Most memory of a child, in bytes.
const MEMORY: u64 = 1 << 30;
/// A child that is not given the processor is waited for this many times as long.
const PATIENCE: u32 = 5;
/// Children at a time: beside one that takes its time the others go on.
const CHILDREN: usize = 2;

/// The children of one engine.
pub(super) struct Compiler {
    program: Option<PathBuf>,
    arguments: [String; 3],
    deadline: Duration,
    permits: Semaphore,
    /// Held once more for each component that is compiled or waits for its turn.
    wanted: Arc<()>,
    idle: Mutex<Vec<CompilerProcess>>,
}

struct CompilerProcess {
    trusted: bool,
    child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
}

impl Compiler {
    /// Compiles for an engine of this `mode` with this `cache`; no child is started yet.
    pub(super) fn new(config: &config::Plugins, cache: &Path, mode: EngineMode) -> Self {
        let cache = cache.to_string_lossy().into_owned();
        Self {
            program: config.program.clone(),
            arguments: [mode.name().to_owned(), config.plugin_memory.to_string(), cache],
            deadline: config.plugin_compile_deadline,
            permits: Semaphore::new(CHILDREN),
            wanted: Arc::default(),
            idle: Mutex::default(),
        }
    }

    /// Compiles `wasm` into the cache of `engine`. What is `trusted` is compiled as fast as can be:
    /// the start waits for it; all else lets others have the cores.
    ///
    /// # Errors
    /// Says what is wrong with the component, or which limit it passed.
    pub(super) async fn compile(&self, engine: &Engine, wasm: &[u8], trusted: bool) -> Result<(), String> {
        if cfg!(test) {
            // The program of unit tests is none that could be its own child.
            return engine::guarded(|| Component::new(engine, wasm)).map(drop);
        }
        let wanted = Arc::clone(&self.wanted);
        let permit = self.permits.acquire().await.map_err(|error| error.to_string())?;
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut process = match idle {
            // Its priority was settled when it was started.
            Some(process) if process.trusted == trusted => process,
            _ => self.start(trusted).map_err(|error| format!("the compiler cannot be started: {error}"))?,
        };
        let compiled = match self.within_deadline(&mut process, wasm).await {
            Some(Ok(compiled)) => compiled,
            Some(Err(_)) => {
                return Err(format!(
                    "it takes more than {} MiB of memory to compile, or breaks the compiler otherwise",
                    MEMORY >> 20
                ));
            }
            None => return Err(format!("it takes longer than {:?} to compile", self.deadline)),
        };
        // One that nobody else needs ends with its input, which is closed here. Neither this call
        // nor the compiler itself is somebody else.
        let others = Arc::strong_count(&wanted).saturating_sub(2);
        if others >= CHILDREN {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(process);
        }
        drop(permit);
        compiled
    }

    /// Waits for the child: none when the deadline has passed, in processor time: others may have the cores meanwhile.
    async fn within_deadline(
        &self,
        process: &mut CompilerProcess,
        wasm: &[u8],
    ) -> Option<io::Result<Result<(), String>>> {
        let before = Meter::of(&process.child, Duration::ZERO).cpu().unwrap_or_default();
        let (meter, begun) = (Meter::of(&process.child, before), Instant::now());
        let mut compiling = std::pin::pin!(process.compile(wasm));
        let mut look = self.deadline;
        loop {
            if let Ok(compiled) = timeout(look, &mut compiling).await {
                return Some(compiled);
            }
            // It may have been stopped, and then uses no processor time for ever.
            if begun.elapsed() > self.deadline * PATIENCE {
                return None;
            }
            look = meter.rest(begun, self.deadline)?;
        }
    }

    fn start(&self, trusted: bool) -> io::Result<CompilerProcess> {
        let mut child = subprocess::command(self.program.as_deref(), SUBCOMMAND)
            .args(&self.arguments)
            .args(trusted.then_some("--trusted"))
            .spawn()?;
        let closed = || io::Error::from(io::ErrorKind::BrokenPipe);
        let to = child.stdin.take().ok_or_else(closed)?;
        let from = BufReader::new(child.stdout.take().ok_or_else(closed)?);
        Ok(CompilerProcess { trusted, child, to, from })
    }
}

impl CompilerProcess {
    /// Hands the component to the child, and gives what that says of it: nothing when it is in the
    /// cache now.
    async fn compile(&mut self, wasm: &[u8]) -> io::Result<Result<(), String>> {
        self.to.write_all(&(wasm.len() as u64).to_le_bytes()).await?;
        self.to.write_all(wasm).await?;
        let mut answer = String::new();
        if self.from.read_line(&mut answer).await? == 0 {
            self.child.wait().await?;
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let refused: Option<String> = serde_json::from_str(&answer)?;
        Ok(refused.map_or(Ok(()), Err))
    }
}

/// Compiles, as a child does, what it is given, one after the other, until its input ends.
/// `memory` is that of an instance, in MiB, and counts for what is compiled.
///
/// # Errors
/// When the engine does not start, or whoever asks is gone.
pub fn compile(mode: EngineMode, memory: usize, cache: &Path, trusted: bool) -> Result<(), CompileError> {
    if trusted {
        subprocess::end_with_parent();
    } else {
        subprocess::begin();
    }
    private::begin();
    subprocess::limit_memory(MEMORY).map_err(io::Error::from)?;
    let (engine, _) = engine::new(memory << 20, cache, mode)?;
    let mut input = stdin().lock();
    let mut size = [0; 8];
    loop {
        match input.read_exact(&mut size) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        let mut wasm = Vec::new();
        let size = u64::from_le_bytes(size).min(MAX_SIZE);
        if (&mut input).take(size).read_to_end(&mut wasm)? as u64 != size {
            return Ok(());
        }
        let refused = compile_one(&engine, &wasm, cache).err();
        let mut output = stdout().lock();
        serde_json::to_writer(&mut output, &refused).map_err(io::Error::from)?;
        output.write_all(b"\n")?;
        output.flush()?;
    }
}

/// Why a child ended early.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// The engine does not start.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Whoever asks is gone, or a limit cannot be set.
    #[error("cannot compile for another process")]
    Io(#[from] io::Error),
}

fn compile_one(engine: &Engine, wasm: &[u8], cache: &Path) -> Result<(), String> {
    shape::check(wasm)?;
    engine::guarded(|| Component::new(engine, wasm))?;
    if engine::is_cached(engine, wasm, cache) {
        Ok(())
    } else {
        Err(format!("not compiled: its code cannot be kept in {}", cache.display()))
    }
}
