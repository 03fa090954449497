//! Several programs at one folder.

use std::{fs, thread};

use super::*;
use crate::plugins::lockfile::{self, FolderLock};

#[tokio::test]
async fn who_reads_sees_all_of_a_change() {
    let host = TestHost::with(&[]).await;
    let folder = host.plugins.shared.folder.clone();
    let outside = TempDir::new().unwrap();
    let file = outside.path().join("steps.wasm");
    fs::write(&file, component("steps")).unwrap();
    let component = host.plugins.component(&file).await.unwrap();

    // Half of an installation: the file is there and not recorded yet.
    let mut turn = FolderLock::take(&folder).await.unwrap();
    let name = lockfile::file_name(&component.info, &component.digest);
    fs::write(folder.join(&name), &component.wasm).unwrap();
    let reader = thread::spawn({
        let folder = folder.clone();
        move || {
            let data = TempDir::new().unwrap();
            let load = async {
                Plugins::load_from(&[], &settings(Some(folder), Vec::new()), data.path(), Compiler::here)
                    .await
            };
            let plugins = tokio::runtime::Runtime::new().unwrap().block_on(load).unwrap();
            plugins.get("steps").unwrap().status
        }
    });
    // Whoever does not wait is done by the time that a second one is who need not wait.
    TestHost::with(&[("steps.wasm", component.wasm.clone())]).await;
    let entry = turn.entries.entry(component.info.id.clone()).or_default();
    entry.enable();
    entry.replace(LockedBuild {
        version: component.info.version.clone(),
        file: name,
        sha256: component.digest,
        size: component.wasm.len() as u64,
        installed_at: Utc::now(),
        granted: GrantedCapabilities::to(&component.info),
    });
    turn.save().unwrap();
    drop(turn);
    assert_eq!(reader.join().unwrap(), PluginStatus::Ready);
}
