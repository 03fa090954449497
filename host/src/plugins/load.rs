//! From files to sources that run: found, compiled, asked what they are, and put in place
//! of those before, at the start and again whenever the folder changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::Arc,
    time::Duration,
};

use futures_util::future::{BoxFuture, join_all};
use tokio::{sync::MutexGuard, task::JoinSet};

use super::{
    PluginsError, PluginsState,
    catalog::{self, Catalog, CompiledBuild, CompiledBuilds},
    inventory::{self, ComponentFile, FailedBuilds, Fingerprint, Inventory, LackingBuilds},
};
use crate::{
    error::chain,
    model::Sha256,
    sandbox::{self, Compiled},
};

/// Longest wait for small components that do not come with the binary; most take less than a second.
const A_LITTLE: Duration = Duration::from_secs(10);

/// What the catalog is made from; whoever changes it holds it alone.
#[derive(Default)]
pub(super) struct Loader {
    inventory: Inventory,
    builds: CompiledBuilds,
    /// Being compiled in the background.
    pub(super) compiling: BTreeSet<Sha256>,
    /// What the folder looked like when it was read.
    fingerprint: Fingerprint,
    failed: FailedBuilds,
    /// Names of the credentials that are configured, by source; none while that is not known.
    configured: Option<BTreeMap<String, BTreeSet<String>>>,
    lacking: LackingBuilds,
}

impl Loader {
    /// Tells whether the source would go on with another build if `from` failed.
    pub(super) fn can_go_back(&self, id: &str, from: &Sha256, granted_ids: &[String]) -> bool {
        let bundled = self.inventory.bundled(id).filter(|bundled| {
            let build = self.builds.get(&bundled.digest).and_then(|build| build.as_ref().ok());
            build.is_some_and(|build| catalog::decide(&self.inventory, bundled, build, granted_ids).is_ok())
        });
        self.inventory.can_go_back(id, from, &self.failed, &self.lacking, bundled)
    }

    /// Finds the version of the build that comes with the binary.
    pub(super) fn bundled_version(&self, id: &str) -> Option<&str> {
        let build = self.builds.get(&self.inventory.bundled(id)?.digest)?.as_ref().ok()?;
        Some(&build.info.version)
    }

    /// Finds the builds, of sources that were installed, which require a credential that is not configured.
    fn find_lacking(&self) -> LackingBuilds {
        let Some(configured) = &self.configured else { return LackingBuilds::new() };
        let missing = |(digest, build): (&Sha256, &Result<Arc<CompiledBuild>, String>)| {
            let info = &build.as_ref().ok()?.info;
            self.inventory.entries.get(&info.id)?.build.as_ref()?;
            let names = configured.get(&info.id);
            let spec = info.missing_credential(|name| names.is_some_and(|names| names.contains(name)))?;
            Some((*digest, spec.clone()))
        };
        self.builds.iter().filter_map(missing).collect()
    }
}

impl PluginsState {
    /// Reads everything for the first time.
    pub(super) async fn begin(self: &Arc<Self>) -> Result<(), PluginsError> {
        let mut loader = self.loader.lock().await;
        // Before the folder is read: what changes meanwhile is seen the next time.
        loader.fingerprint = inventory::fingerprint(&self.folder).await;
        self.reload(loader).await
    }

    /// Reads the folder again if it has changed, or if other builds have `failed` now.
    ///
    /// # Errors
    /// When the folder cannot be read or its record understood: then everything stays as it
    /// is until the folder changes again.
    pub(super) async fn follow(self: &Arc<Self>, failed: Option<FailedBuilds>) -> Result<(), PluginsError> {
        let mut loader = self.loader.lock().await;
        let fingerprint = inventory::fingerprint(&self.folder).await;
        let failed = failed.unwrap_or_else(|| loader.failed.clone());
        if fingerprint == loader.fingerprint && failed == loader.failed {
            return Ok(());
        }
        (loader.fingerprint, loader.failed) = (fingerprint, failed);
        self.reload(loader).await
    }

    /// Learns which credentials are `configured`, and reads the folder again if another build is to run for it.
    pub(super) async fn configure(
        self: &Arc<Self>,
        configured: BTreeMap<String, BTreeSet<String>>,
    ) -> Result<(), PluginsError> {
        let mut loader = self.loader.lock().await;
        loader.configured = Some(configured);
        if loader.find_lacking() == loader.lacking {
            return Ok(());
        }
        self.reload(loader).await
    }

    /// Reads binary, folder and record, and puts in place what is ready; what must be
    /// compiled for seconds follows later.
    async fn reload(self: &Arc<Self>, mut guard: MutexGuard<'_, Loader>) -> Result<(), PluginsError> {
        let mut later = JoinSet::new();
        guard.lacking = guard.find_lacking();
        loop {
            self.read_anew(&mut guard, &mut later).await?;
            // What a build requires is known only once it is compiled; then the one before it may be wanted.
            // Each that is found stays known, so this comes to its end.
            let lacking = guard.find_lacking();
            if lacking == guard.lacking {
                break;
            }
            guard.lacking = lacking;
        }
        self.publish(&guard);
        // Whoever compiles for later publishes under this lock.
        drop(guard);
        wait_for_small(later).await;
        Ok(())
    }

    /// The same as what can be spawned by what it spawns.
    fn reload_again<'a>(
        self: &'a Arc<Self>,
        guard: MutexGuard<'a, Loader>,
    ) -> BoxFuture<'a, Result<(), PluginsError>> {
        Box::pin(self.reload(guard))
    }

    /// Reads what there is and compiles what is not; what takes long is begun, and small ones of that are
    /// added to `small`.
    async fn read_anew(
        self: &Arc<Self>,
        loader: &mut Loader,
        small: &mut JoinSet<()>,
    ) -> Result<(), PluginsError> {
        loader.inventory =
            Inventory::read(self.bundled, &self.folder, &loader.failed, &loader.lacking).await?;
        let wanted = loader.inventory.digests();
        // What failed may have been the machine's fault, such as a full disk.
        // What lacks something is kept to see when it does not any more.
        let Loader { builds, lacking, .. } = loader;
        builds.retain(|digest, build| {
            build.is_ok() && (wanted.contains(digest) || lacking.contains_key(digest))
        });
        let mut missing: Vec<ComponentFile> = Vec::new();
        for found in &mut loader.inventory.found {
            // Held no longer than it takes to compile.
            let wasm = mem::take(&mut found.wasm);
            let known = loader.builds.contains_key(&found.digest)
                || loader.compiling.contains(&found.digest)
                || missing.iter().any(|component| component.digest == found.digest);
            if !known && found.is_wanted(&self.granted_ids) {
                missing.push(ComponentFile { wasm, ..found.clone() });
            }
        }
        let (now, later): (Vec<_>, Vec<_>) = missing.into_iter().partition(|component| {
            let small = component.wasm.len() <= sandbox::BIG;
            small && (component.bundled || self.sandbox.is_compiled(&component.wasm))
        });
        loader.compiling.extend(later.iter().map(|component| component.digest));
        self.compile_later(later, small);
        self.compile_now(now, &mut loader.builds).await;
        Ok(())
    }

    /// Puts a catalog of what is there now in the place of the one before.
    fn publish(&self, loader: &Loader) {
        let mut catalog = self.write();
        let next = Catalog::assemble(&loader.inventory, &loader.builds, &self.granted_ids, &catalog);
        next.log_changes(&catalog);
        *catalog = next;
    }

    /// Compiles all at once.
    async fn compile_now(self: &Arc<Self>, all: Vec<ComponentFile>, builds: &mut CompiledBuilds) {
        let build = |component: ComponentFile| async move {
            let compiled = self.sandbox.compile(component.wasm, component.bundled).await;
            (component.digest, self.describe(&component.name, compiled).await)
        };
        builds.extend(join_all(all.into_iter().map(build)).await);
    }

    /// Compiles beside everything else. Small ones are added to `small`.
    fn compile_later(self: &Arc<Self>, all: Vec<ComponentFile>, small: &mut JoinSet<()>) {
        for ComponentFile { digest, name, wasm, .. } in all {
            let (shared, is_small) = (Arc::clone(self), wasm.len() <= sandbox::BIG);
            let build = async move {
                let built = shared.describe(&name, shared.sandbox.compile(wasm, false).await).await;
                let mut loader = shared.loader.lock().await;
                loader.compiling.remove(&digest);
                loader.builds.insert(digest, built);
                if loader.find_lacking() == loader.lacking {
                    shared.publish(&loader);
                } else if let Err(error) = shared.reload_again(loader).await {
                    tracing::error!(error = %chain(&error), "the folder of plugins cannot be read; what runs goes on");
                }
            };
            if is_small {
                small.spawn(build);
            } else {
                tokio::spawn(build);
            }
        }
    }

    /// Asks a compiled component what it is, and checks that.
    ///
    /// # Errors
    /// Says in words what is wrong with it.
    pub(super) async fn describe(
        &self,
        name: &str,
        compiled: Result<Compiled, String>,
    ) -> Result<Arc<CompiledBuild>, String> {
        let compiled = compiled?;
        let info = self
            .sandbox
            .describe(&compiled, &Arc::from(name))
            .await
            .map_err(|error| format!("it cannot say what it is: {error}"))?;
        sandbox::check_info(&info)?;
        Ok(Arc::new(CompiledBuild { name: Arc::from(info.id.as_str()), info, compiled }))
    }
}

/// Waits for what is compiled, as far as it is soon done; the rest is published when it is.
async fn wait_for_small(mut later: JoinSet<()>) {
    let done = async { while later.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(A_LITTLE, done).await;
    later.detach_all();
}
