//! Secrets of sources that come from a file or a command, while the system runs.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    postgres::{data_dir, database},
    process::{Process, System},
    site::{Reply, Site},
};

/// A file for nobody but its owner.
fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Files of credentials.
struct Files(TempDir);

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| write(&folder.path().join(name), text));
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn shown(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }
}

/// A system that looks for changes often, with this setting.
async fn system(site: &Site, name: &'static str, value: &str) -> System {
    System::with(site, database().await, &[("PIXCRAWLER_PLUGINS_POLL", "50ms"), (name, value)]).await
}

/// Waits until each has taken up these credentials.
async fn loaded(processes: [&Process; 2], credentials: &str, nth: usize) {
    for process in processes {
        process.logged_nth("credentials-loaded", nth).await;
        assert_eq!(process.lines("credentials-loaded")[nth - 1]["credentials"], credentials);
    }
}

#[tokio::test]
async fn a_file_is_followed_and_the_server_is_asked_about() {
    const FILE: &str = "PIXCRAWLER_CREDENTIALS_FILE";
    let site = Site::start().await;
    site.on("/header/fox", [Reply::Status(401, None)]);
    let files =
        Files::new(&[("some", "# of today\nkeys.header=one\n"), ("none", ""), ("other", "keys.query=x")]);
    let system = system(&site, FILE, &files.shown("some")).await;
    let mut worker = system.worker(&[]).await;
    system.install_for(&worker, "keys").await;
    let job = system.create_of("keys", &["fox"]).await;
    system.until_status(job, "failed").await;
    assert_eq!(system.listed("keys").await["health"]["condition"], "paused");

    // Another secret ends the pause, without a restart.
    site.on("/header/fox", [Reply::Page("nothing".to_owned())]);
    write(&files.path("some"), "keys.header=two");
    loaded([system.door(), &worker], "keys.header", 1).await;
    let shown = system.source("keys").await;
    assert_eq!((&shown["available"], &shown["health"]["condition"]), (&json!(true), &json!("degraded")));
    let reason = shown["health"]["reason"].as_str().unwrap();
    assert!(reason.starts_with("it was not tried since its credential changed"), "{reason}");
    for process in [system.door(), &worker] {
        assert_eq!(process.logged("source-resumed").await["source"], "keys");
    }
    system.tell(job, "retry").await;
    system.until(job, "it ends", |job| job["status"] == "completed" || job["status"] == "failed").await;
    assert_eq!(system.source("keys").await["health"]["condition"], "ok");
    let sent = ["Key one", "Key two"].map(|key| Some(key.to_owned()));
    // The page, and then its picture.
    assert_eq!(site.header("/header/fox", "x-api-key")[..2], sent);

    // What is listed is what the server has; where the shell has something else, that is said.
    let server = system.listed("keys").await;
    let names = |listed: &Value| -> Vec<String> {
        let configured = listed["configured"].as_array().unwrap().iter();
        configured.map(|held| format!("{} {}", held["role"], held["credentials"])).collect()
    };
    let header = r#"["header"]"#;
    let expect = |shell: &str| {
        vec![format!("\"server\" {header}"), format!("\"worker\" {header}"), format!("\"shell\" {shell}")]
    };
    assert_eq!(names(&server), expect(header), "{server}");
    for (file, shell, said) in [("none", "[]", "none"), ("other", r#"["query"]"#, "query")] {
        let settings = [(FILE, files.shown(file))];
        let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
        let listed = system.listed_with("keys", &settings).await;
        assert_eq!((names(&listed), &listed["health"]), (expect(shell), &server["health"]));
        let text = system.plugin_with(&["list"], &settings).await;
        assert!(text.starts_with("As the server (pid "), "{text}");
        assert!(text.contains(") has header; the worker (pid "), "{text}");
        assert!(text.contains(&format!(") has header; this shell has {said}\n")), "{text}");
    }

    // What cannot be read changes nothing, and is said once.
    write(&files.path("some"), "keys.header=three\nCanary");
    for process in [system.door(), &worker] {
        let error = process.logged("credentials-unreadable").await["error"].to_string();
        assert!(error.contains("line 2 of ") && !error.contains("Canary"), "{error}");
    }
    fs::set_permissions(files.path("some"), fs::Permissions::from_mode(0o644)).unwrap();
    for process in [system.door(), &worker] {
        process.logged_nth("credentials-unreadable", 2).await;
        let error = process.lines("credentials-unreadable")[1]["error"].to_string();
        assert!(error.contains("is open to other users") && error.contains("chmod 600"), "{error}");
    }
    // A command of somebody with such settings changes nothing either.
    let steps = super::guest_file("steps");
    let install = ["plugin", "install", steps.to_str().unwrap(), "--yes"];
    assert_eq!(system.run(&install, &[]).await.status.code(), Some(2));
    let none = files.shown("none");
    system.tool(&install, &[(FILE, &none)]).await;
    // Many looks later.
    for process in [system.door(), &worker] {
        process.logged_with("source-loaded", |line| line["source"] == "steps").await;
        assert_eq!(process.lines("credentials-unreadable").len(), 2);
        assert_eq!(process.lines("source-loaded").len(), 2, "installed once");
    }
    assert_eq!(system.listed_with("keys", &[(FILE, &none)]).await["health"], server["health"]);

    // What no source takes is said, once each.
    write(&files.path("some"), "keys.header=two\nkeys.heder=x\nkeyz.header=y\nsteps.key=z");
    loaded([system.door(), &worker], "keys.header, keys.heder, keyz.header, steps.key", 2).await;
    for process in [system.door(), &worker] {
        process.logged_nth("credential-unknown", 4).await;
        // The first is from before its source was installed.
        let said = process.lines("credential-unknown").split_off(1);
        let said: Vec<String> = said.iter().map(|line| line["message"].to_string()).collect();
        for (line, part) in said.iter().zip([
            "the source keys has: header, query, basic, oauth",
            "there is no source `keyz` (did you mean `keys`?); credentials are taken as: ",
            "the source steps takes none",
        ]) {
            assert!(line.contains(part), "{said:?}");
        }
        assert!(said[1].contains("keys.header, keys.query"), "{said:?}");
    }
    let doctor = system.tool(&["doctor", "--port", "0"], &[(FILE, &files.shown("other"))]).await;
    assert!(doctor.contains("note   credentials        the server (pid "), "{doctor}");
    assert!(doctor.contains("the credential keyz.header is for nobody"), "{doctor}");
    assert!(
        doctor.contains("(did you mean `header`?)") && doctor.contains(") has keys.header\n"),
        "{doctor}"
    );
    assert!(doctor.contains("ok     credentials        this shell has keys.query\n"), "{doctor}");

    // Who ends says so.
    worker.terminate();
    worker.exited().await;
    let listed = system.listed("keys").await;
    assert_eq!(names(&listed).len(), 2, "{listed}");

    // One that keeps pictures where the server does not look for them.
    let elsewhere = data_dir();
    let elsewhere = [("PIXCRAWLER_DATA_DIR", elsewhere.path().to_str().unwrap())];
    let _stray = system.worker(&elsewhere).await.logged("store-not-shared").await;
    let doctor = system.tool(&["doctor", "--port", "0"], &elsewhere).await;
    assert!(
        doctor
            .contains("note   objects            the hosts that run on this database keep objects elsewhere"),
        "{doctor}"
    );
    assert!(!system.tool(&["doctor", "--port", "0"], &[]).await.contains("note   objects"));
    assert!(worker.lines("store-not-shared").is_empty());
}

#[tokio::test]
async fn a_command_is_run_again_when_what_it_gave_is_refused() {
    let site = Site::start().await;
    site.on("/header/fox", [Reply::Status(401, None)]);
    let files = Files::new(&[("some", "one")]);
    let command = format!("printf 'keys.header=%s' \"$(cat {})\"; [ -s {0} ]", files.shown("some"));
    let system = system(&site, "PIXCRAWLER_CREDENTIALS_COMMAND", &command).await;
    let worker = system.worker(&[]).await;
    system.install_for(&worker, "keys").await;
    let job = system.create_of("keys", &["fox"]).await;
    system.until_status(job, "failed").await;
    assert!(system.refused("keys").await.contains("paused: its credential is missing or refused"));

    // One that fails changes nothing, and what it printed is not told.
    write(&files.path("some"), "");
    for process in [system.door(), &worker] {
        let error = process.logged("credentials-unreadable").await["error"].to_string();
        assert!(error.contains("ended with exit status: 1") && !error.contains("keys.header="), "{error}");
    }
    site.on("/header/fox", [Reply::Page("nothing".to_owned())]);
    write(&files.path("some"), "two");
    loaded([system.door(), &worker], "keys.header", 1).await;
    assert_eq!(system.source("keys").await["available"], true);
    system.tell(job, "retry").await;
    system.until(job, "it ends", |job| job["status"] == "completed" || job["status"] == "failed").await;
    assert_eq!(site.header("/header/fox", "x-api-key").last().unwrap().as_deref(), Some("Key two"));
}
