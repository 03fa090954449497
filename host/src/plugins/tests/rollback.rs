//! Which build takes the place of one that faulted too often.

use std::collections::BTreeMap;

use super::*;
use crate::model::Sha256;

/// A host with this guest bundled, and builds of the same guest to be installed.
struct Versions {
    plugins: Plugins,
    all: Bundled,
    id: &'static str,
    bundled: Sha256,
    data: TempDir,
}

impl Versions {
    async fn of(id: &'static str) -> Self {
        let data = TempDir::new().unwrap();
        let folder = data.path().join("plugins");
        std::fs::create_dir(&folder).unwrap();
        let wasm: &'static [u8] = component(id).leak();
        let all: Bundled = vec![(id, wasm)].leak();
        let plugins =
            Plugins::load_from(all, &settings(Some(folder), Vec::new()), data.path()).await.unwrap();
        let bundled = plugins.get(id).unwrap().digest;
        Self { plugins, all, id, bundled, data }
    }

    /// The same host, started again.
    async fn again(self) -> Self {
        let settings = settings(Some(self.data.path().join("plugins")), Vec::new());
        let plugins = Plugins::load_from(self.all, &settings, self.data.path()).await.unwrap();
        Self { plugins, ..self }
    }

    /// Installs a build that only a custom section tells from the others.
    async fn install(&self, mark: u8) -> Sha256 {
        let mut wasm = component(self.id);
        wasm.extend([0, 2, 1, mark]);
        let file = self.data.path().join("new.wasm");
        std::fs::write(&file, wasm).unwrap();
        let new = self.plugins.describe(&file).await.unwrap();
        self.plugins.install(&new).await.unwrap();
        self.plugins.follow(None).await.unwrap();
        assert_eq!(self.now().digest, new.digest);
        new.digest
    }

    fn now(&self) -> LoadedPlugin {
        self.plugins.get(self.id).unwrap()
    }

    async fn fail(&self, digest: Sha256, did_well: &[Sha256]) -> LoadedPlugin {
        let failed = BTreeMap::from([((self.id.to_owned(), digest), self.now().enabled_at)]);
        let failed = FailedBuilds { failed, did_well: did_well.iter().copied().collect() };
        self.plugins.follow(Some(failed)).await.unwrap();
        self.now()
    }
}

#[tokio::test]
async fn the_last_that_did_well_or_else_the_one_before() {
    let versions = Versions::of("steps").await;
    let (first, second) = (versions.install(b'a').await, versions.install(b'b').await);
    let third = versions.install(b'c').await;
    assert!(versions.plugins.can_go_back(&versions.now()).await);
    let bundled = versions.bundled;
    for (did_well, expected) in [
        (vec![], second),
        (vec![first], first),
        (vec![bundled], bundled),
        (vec![bundled, first, second], second),
    ] {
        let source = versions.fail(third, &did_well).await;
        assert_eq!((source.digest, &source.status), (expected, &PluginStatus::Ready));
        assert_eq!(source.set_aside.unwrap().build.sha256, third);
    }
}

#[tokio::test]
async fn none_that_is_not_granted() {
    for (guest, may_run) in [("steps", true), ("contract", false)] {
        let versions = Versions::of(guest).await;
        assert_eq!(versions.now().status == PluginStatus::Ready, may_run);
        let installed = versions.install(b'a').await;
        assert_eq!(versions.plugins.can_go_back(&versions.now()).await, may_run, "{guest}");
        let source = versions.fail(installed, &[]).await;
        let expected = if may_run { versions.bundled } else { installed };
        assert_eq!((source.digest, &source.status), (expected, &PluginStatus::Ready), "{guest}");
        assert_eq!(source.set_aside.is_some(), may_run, "{guest}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_file_is_for_the_operator() {
    let mut versions = Versions::of("steps").await;
    versions.install(b'a').await;
    let file = versions.now().file.unwrap();
    for damage in ["changed", "gone"] {
        if damage == "changed" {
            std::fs::write(&file, component("trap")).unwrap();
        } else {
            std::fs::remove_file(&file).unwrap();
        }
        // One that runs would go on with what it has in memory.
        versions = versions.again().await;
        let said = versions.now().unavailable().unwrap();
        assert!(said.contains("plugin list") && !said.contains("steps@") && !said.contains("SHA"), "{said}");
        let refused = versions.plugins.refused();
        assert_eq!(refused[0].name, file.display().to_string());
    }
}
