//! From files to sources that run: found, compiled, asked what they are, and put in place
//! of those before, at the start and again whenever the folder changes.

use std::{borrow::Cow, collections::BTreeSet, sync::Arc, time::Duration};

use futures_util::future::join_all;
use tokio::{sync::MutexGuard, task::JoinSet};

use super::{
    FailedBuild, PluginsError, PluginsState,
    catalog::{self, Catalog, CatalogEntry, CompiledBuild},
    dirs::{self, Fingerprint, PluginDirs},
};
use crate::model::Sha256;
use crate::sandbox::{self, Compiled};

/// Longest wait for small components that do not come with the binary; most take less than a second.
const A_LITTLE: Duration = Duration::from_secs(10);

/// What the registry is made from; whoever changes it holds it alone.
#[derive(Default)]
pub(super) struct Loader {
    library: PluginDirs,
    builds: CatalogEntry,
    /// Being compiled in the background.
    pub(super) compiling: BTreeSet<Sha256>,
    /// What the folder looked like when it was read.
    seen: Fingerprint,
    condemned: FailedBuild,
}

/// Bytes to compile.
struct ComponentSource {
    digest: Sha256,
    name: String,
    wasm: Cow<'static, [u8]>,
    /// It comes with the binary.
    trusted: bool,
}

impl Loader {
    /// Whether the source would go on with another build if `from` were condemned.
    pub(super) fn can_go_back(&self, id: &str, from: &Sha256, granted: &[String]) -> bool {
        let bundled = self.library.bundled(id).filter(|bundled| {
            let build = self.builds.get(&bundled.digest).and_then(|build| build.as_ref().ok());
            build.is_some_and(|build| catalog::decide(&self.library, bundled, build, granted).is_ok())
        });
        self.library.can_go_back(id, from, &self.condemned, bundled)
    }
}

impl PluginsState {
    /// Reads everything for the first time.
    pub(super) async fn begin(self: &Arc<Self>) -> Result<(), PluginsError> {
        let mut loader = self.loader.lock().await;
        loader.seen = dirs::fingerprint(&self.folder).await;
        self.reload(loader).await
    }

    /// Reads the folder again if it has changed, or if other builds are `condemned` now.
    ///
    /// # Errors
    /// When the folder cannot be read or its record understood: then everything stays as it
    /// is until the folder changes again.
    pub(super) async fn follow(self: &Arc<Self>, condemned: Option<FailedBuild>) -> Result<(), PluginsError> {
        let mut loader = self.loader.lock().await;
        let seen = dirs::fingerprint(&self.folder).await;
        let condemned = condemned.unwrap_or_else(|| loader.condemned.clone());
        if seen == loader.seen && condemned == loader.condemned {
            return Ok(());
        }
        (loader.seen, loader.condemned) = (seen, condemned);
        self.reload(loader).await
    }

    /// Reads binary, folder and record, and puts in place what is ready; what must be
    /// compiled for seconds follows later.
    async fn reload(self: &Arc<Self>, mut guard: MutexGuard<'_, Loader>) -> Result<(), PluginsError> {
        let loader = &mut *guard;
        loader.library = PluginDirs::read(self.bundled, &self.folder, &loader.condemned).await?;
        let wanted = loader.library.digests();
        // What failed may have been the machine's fault, such as a full disk.
        loader.builds.retain(|digest, build| build.is_ok() && wanted.contains(digest));
        let mut missing: Vec<ComponentSource> = Vec::new();
        for found in &mut loader.library.found {
            let wasm = std::mem::take(&mut found.wasm);
            if !found.is_wanted(&self.granted) {
                continue;
            }
            let known = loader.builds.contains_key(&found.digest)
                || loader.compiling.contains(&found.digest)
                || missing.iter().any(|component| component.digest == found.digest);
            if !known {
                let trusted = found.bundled;
                missing.push(ComponentSource {
                    digest: found.digest,
                    name: found.name.clone(),
                    wasm,
                    trusted,
                });
            }
        }
        let (now, later): (Vec<_>, Vec<_>) = missing.into_iter().partition(|component| {
            let small = component.wasm.len() <= sandbox::BIG;
            small && (component.trusted || self.runtime.is_compiled(&component.wasm))
        });
        loader.compiling.extend(later.iter().map(|component| component.digest));
        let later = self.compile_later(later);
        self.compile_now(now, &mut loader.builds).await;
        self.put_in_place(loader);
        drop(guard);
        wait_a_little(later).await;
        Ok(())
    }

    fn put_in_place(&self, loader: &Loader) {
        let mut registry = self.write();
        let next = Catalog::assemble(&loader.library, &loader.builds, &self.granted, &registry);
        next.log_changes(&registry);
        *registry = next;
    }

    /// Compiles all at once.
    async fn compile_now(self: &Arc<Self>, all: Vec<ComponentSource>, builds: &mut CatalogEntry) {
        let build = |ComponentSource { digest, name, wasm, trusted }| async move {
            (digest, self.describe(&name, self.runtime.compile(wasm, trusted).await).await)
        };
        builds.extend(join_all(all.into_iter().map(build)).await);
    }

    /// Compiles beside everything else. Small ones are in what is given.
    fn compile_later(self: &Arc<Self>, all: Vec<ComponentSource>) -> JoinSet<()> {
        let mut small = JoinSet::new();
        for ComponentSource { digest, name, wasm, .. } in all {
            let (shared, is_small) = (Arc::clone(self), wasm.len() <= sandbox::BIG);
            let build = async move {
                let built = shared.describe(&name, shared.runtime.compile(wasm, false).await).await;
                let mut loader = shared.loader.lock().await;
                loader.compiling.remove(&digest);
                loader.builds.insert(digest, built);
                shared.put_in_place(&loader);
            };
            if is_small {
                small.spawn(build);
            } else {
                tokio::spawn(build);
            }
        }
        small
    }

    /// Asks a compiled component what it is, and whether that can be.
    pub(super) async fn describe(
        &self,
        name: &str,
        compiled: Result<Compiled, String>,
    ) -> Result<Arc<CompiledBuild>, String> {
        let compiled = compiled?;
        let info = self
            .runtime
            .describe(&compiled, &Arc::from(name))
            .await
            .map_err(|error| format!("it cannot say what it is: {error}"))?;
        sandbox::check_info(&info)?;
        Ok(Arc::new(CompiledBuild { name: Arc::from(info.id.as_str()), info, compiled }))
    }
}

/// Waits for what is compiled, as far as it is soon done: the rest is taken up when it is.
async fn wait_a_little(mut later: JoinSet<()>) {
    let done = async { while later.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(A_LITTLE, done).await;
    later.detach_all();
}
