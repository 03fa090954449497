//! From files to sources that run: found, compiled, asked what they are, and put in place
//! of those before, at the start and again whenever the folder changes.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc, thread};

use tokio::{sync::mpsc, task};

use super::{
    Condemned, EngineError, Shared,
    found::{self, Fingerprint, Library},
    info,
    registry::{self, Build, Builds, Registry},
    runtime::{self, Compiled},
};
use crate::image::Sha256;

/// What the registry is made from; whoever changes it holds it alone.
#[derive(Default)]
pub(super) struct Loader {
    library: Library,
    builds: Builds,
    /// Being compiled in the background.
    compiling: BTreeSet<Sha256>,
    /// What the folder looked like when it was read.
    seen: Fingerprint,
    condemned: Condemned,
}

/// Bytes to compile.
struct Component {
    digest: Sha256,
    name: String,
    wasm: Cow<'static, [u8]>,
}

impl Loader {
    /// Whether the source would go on with another build if `from` were condemned.
    pub(super) fn can_go_back(&self, id: &str, from: &Sha256, granted: &[String]) -> bool {
        let bundled = self.library.bundled(id).filter(|bundled| {
            let build = self.builds.get(&bundled.digest).and_then(|build| build.as_ref().ok());
            build.is_some_and(|build| registry::decide(&self.library, bundled, build, granted).is_ok())
        });
        self.library.can_go_back(id, from, &self.condemned, bundled)
    }
}

impl Shared {
    /// Reads everything for the first time.
    pub(super) async fn begin(self: &Arc<Self>) -> Result<(), EngineError> {
        let mut loader = self.loader.lock().await;
        loader.seen = found::fingerprint(&self.folder).await;
        self.take_up(&mut loader).await
    }

    /// Reads the folder again if it has changed, or if other builds are `condemned` now.
    ///
    /// # Errors
    /// When the folder cannot be read or its record understood: then everything stays as it
    /// is until the folder changes again.
    pub(super) async fn follow(self: &Arc<Self>, condemned: Option<Condemned>) -> Result<(), EngineError> {
        let mut loader = self.loader.lock().await;
        let seen = found::fingerprint(&self.folder).await;
        let condemned = condemned.unwrap_or_else(|| loader.condemned.clone());
        if seen == loader.seen && condemned == loader.condemned {
            return Ok(());
        }
        (loader.seen, loader.condemned) = (seen, condemned);
        self.take_up(&mut loader).await
    }

    /// Reads binary, folder and record, and puts in place what is ready; what must be
    /// compiled for seconds follows later.
    async fn take_up(self: &Arc<Self>, loader: &mut Loader) -> Result<(), EngineError> {
        loader.library = Library::read(self.bundled, &self.folder, &loader.condemned).await?;
        let wanted = loader.library.digests();
        // What failed may have been the machine's fault, such as a full disk.
        loader.builds.retain(|digest, build| build.is_ok() && wanted.contains(digest));
        let mut missing: Vec<Component> = Vec::new();
        for found in &mut loader.library.found {
            let wasm = std::mem::take(&mut found.wasm);
            let known = loader.builds.contains_key(&found.digest)
                || loader.compiling.contains(&found.digest)
                || missing.iter().any(|component| component.digest == found.digest);
            if !known {
                missing.push(Component { digest: found.digest, name: found.name.clone(), wasm });
            }
        }
        let (big, small): (Vec<_>, Vec<_>) =
            missing.into_iter().partition(|component| component.wasm.len() > runtime::BIG);
        self.compile_now(small, &mut loader.builds).await;
        loader.compiling.extend(big.iter().map(|component| component.digest));
        self.put_in_place(loader);
        if big.is_empty() { Ok(()) } else { self.compile_later(big) }
    }

    fn put_in_place(&self, loader: &Loader) {
        let mut registry = self.write();
        let next = Registry::assemble(&loader.library, &loader.builds, &self.granted, &registry);
        next.log_changes(&registry);
        *registry = next;
    }

    /// Compiles all at once.
    async fn compile_now(self: &Arc<Self>, all: Vec<Component>, builds: &mut Builds) {
        let compile = |component: Component| {
            let shared = Arc::clone(self);
            task::spawn_blocking(move || {
                let compiled = shared.runtime.compile(&component.wasm);
                (component.digest, component.name, compiled)
            })
        };
        let compiling: Vec<_> = all.into_iter().map(compile).collect();
        for compiled in compiling {
            match compiled.await {
                Ok((digest, name, compiled)) => {
                    builds.insert(digest, self.describe(&name, compiled).await);
                }
                Err(error) => tracing::error!(%error, "compiling a plugin was broken off"),
            }
        }
    }

    /// Compiles one after the other, beside everything else. A plain thread, because the
    /// runtime would wait for its own blocking threads when the process ends.
    fn compile_later(self: &Arc<Self>, all: Vec<Component>) -> Result<(), EngineError> {
        let (done, mut compiled) = mpsc::unbounded_channel();
        let shared = Arc::clone(self);
        let compile = move || {
            for component in all {
                let compiled = shared.runtime.compile(&component.wasm);
                if done.send((component.digest, component.name, compiled)).is_err() {
                    return;
                }
            }
        };
        thread::Builder::new()
            .name("plugin-compiler".to_owned())
            .spawn(compile)
            .map_err(|source| EngineError::Thread { source })?;
        let shared = Arc::clone(self);
        tokio::spawn(async move {
            while let Some((digest, name, compiled)) = compiled.recv().await {
                let built = shared.describe(&name, compiled).await;
                let mut loader = shared.loader.lock().await;
                loader.compiling.remove(&digest);
                loader.builds.insert(digest, built);
                shared.put_in_place(&loader);
            }
        });
        Ok(())
    }

    /// Asks a compiled component what it is, and whether that can be.
    pub(super) async fn describe(
        &self,
        name: &str,
        compiled: Result<Compiled, String>,
    ) -> Result<Arc<Build>, String> {
        let compiled = compiled?;
        let info = self
            .runtime
            .describe(&compiled, &Arc::from(name))
            .await
            .map_err(|error| format!("it cannot say what it is: {error}"))?;
        info::check(&info)?;
        Ok(Arc::new(Build { name: Arc::from(info.id.as_str()), info, compiled }))
    }
}
