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
    let component = host.plugins.describe(&file).await.unwrap();

    // Half of an installation: the file is there and not recorded yet.
    let mut lock = FolderLock::take(&folder).await.unwrap();
    let name = lockfile::file_name(&component.info, &component.digest);
    fs::write(folder.join(&name), &component.wasm).unwrap();
    let reader = thread::spawn({
        let folder = folder.clone();
        move || {
            let data = TempDir::new().unwrap();
            let load =
                async { Plugins::load_from(&[], &settings(Some(folder), Vec::new()), data.path()).await };
            let plugins = tokio::runtime::Runtime::new().unwrap().block_on(load).unwrap();
            plugins.get("steps").unwrap().status
        }
    });
    // Whoever does not wait is done by the time that a second one is who need not wait.
    TestHost::with(&[("steps.wasm", component.wasm.clone())]).await;
    let entry = lock.entries.entry(component.info.id.clone()).or_default();
    entry.enable();
    entry.replace(Some(LockedBuild::new(&component.info, name, component.digest, component.wasm.len())));
    lock.save().unwrap();
    drop(lock);
    assert_eq!(reader.join().unwrap(), PluginStatus::Ready);
}
