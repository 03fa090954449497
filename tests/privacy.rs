//! What is kept is for nobody but the user who runs the host.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use crate::support::{process::System, site::Site};

/// As versions before this one left it, under the umask that most systems have.
fn open_up(folder: &Path) {
    let open = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            open_up(&path);
        } else {
            open(&path, 0o644);
        }
    }
    open(folder, 0o755);
}

#[tokio::test]
async fn what_is_kept_is_closed_to_others_and_closed_again() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    site.gallery("/gallery", 3, None);
    let worker = system.worker(&[]).await;
    system.crawl(&["/gallery"], 3).await;
    assert!(fs::read_dir(system.objects()).unwrap().count() > 0);
    system.is_closed();

    worker.kill().await;
    open_up(&system.data());
    fs::write(system.data().join("postgres.log"), "of an earlier version").unwrap();
    let _worker = system.worker(&[]).await;
    system.is_closed();
}

/// Whoever names a folder that is in use for something else keeps that as it was.
#[tokio::test]
async fn a_folder_that_holds_other_things_stays_as_it_is() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let folder = tempfile::tempdir().unwrap();
    let letter = folder.path().join("letter.txt");
    fs::write(&letter, "mine").unwrap();
    let picture = folder.path().join("objects/ab/picture");
    fs::create_dir_all(picture.parent().unwrap()).unwrap();
    fs::write(&picture, "ours").unwrap();
    open_up(folder.path());
    let token = ["token", "--email", "ann@example.org"];
    system.tool(&token, &[("PIXCRAWLER_DATA_DIR", folder.path().to_str().unwrap())]).await;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(folder.path()), mode(&letter)), (0o755, 0o644));
    // What an earlier version left there is closed.
    assert_eq!((mode(&folder.path().join("objects/ab")), mode(&picture)), (0o700, 0o600));
    assert_eq!(mode(&folder.path().join("keys")), 0o700, "what is kept is closed all the same");
}

/// The demo has a data folder of its own in this one, which as root others must pass through.
#[tokio::test]
async fn a_data_folder_in_a_data_folder_is_let_alone() {
    let site = Site::start().await;
    let system = System::start(&site).await;
    let folder = tempfile::tempdir().unwrap();
    let (outer, inner) = (folder.path().to_owned(), folder.path().join("demo"));
    let token = async |data: &Path| {
        let settings = [("PIXCRAWLER_DATA_DIR", data.to_str().unwrap())];
        system.tool(&["token", "--email", "ann@example.org"], &settings).await;
    };
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let open = if rustix::process::geteuid().is_root() { 0o711 } else { 0o700 };
    for data in [&inner, &outer, &inner] {
        token(data).await;
        assert_eq!(mode(&inner), open, "after {}", data.display());
    }
    // As an earlier version left it.
    fs::set_permissions(&inner, fs::Permissions::from_mode(0o700)).unwrap();
    token(&inner).await;
    assert_eq!(mode(&inner), open);
}
