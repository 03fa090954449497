//! `plugin install`, `rollback`, `enable`, `disable` and `remove`, and the record they keep.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Ended, Shell, ended};
use crate::support::{plugins::guest, postgres::empty_database};

/// A shell with components in its folder.
async fn shell(guests: &[&str]) -> Shell {
    let shell = Shell::new().await;
    for name in guests {
        fs::write(shell.path(&format!("{name}.wasm")), guest(name)).unwrap();
    }
    shell
}

impl Shell {
    async fn plugin(&self, line: &str) -> Ended {
        let words: Vec<&str> = ["plugin"].into_iter().chain(line.split(' ')).collect();
        self.run(&words).await
    }

    /// What `plugin list` says of a source.
    async fn source(&self, id: &str) -> Value {
        let listed = self.plugin("list --json").await.expect(0).json();
        let sources = listed["sources"].as_array().unwrap();
        sources.iter().find(|source| source["id"] == id).cloned().unwrap_or(Value::Null)
    }

    async fn refused(&self) -> String {
        self.plugin("list --json").await.expect(0).json()["refused"].to_string()
    }

    fn record(&self) -> String {
        fs::read_to_string(self.path("data/plugins/plugins.toml")).unwrap()
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("data/plugins")).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn digest(name: &str) -> String {
    hex::encode(Sha256::digest(guest(name)))
}

#[tokio::test]
async fn from_install_to_remove() {
    let shell = shell(&["steps", "upgrade", "upgrade-greedy", "trap"]).await;
    // Nobody can be asked.
    let asked = shell.plugin("install steps.wasm").await.expect(2);
    asked.says(&["nothing was changed", "--yes"]);
    for part in ["steps 0.1.0", "site.example (api", &digest("steps")] {
        assert!(asked.stdout.contains(part), "`{part}` is missing: {asked:#?}");
    }
    assert_eq!(shell.source("steps").await, Value::Null);

    let installed = shell.plugin("install steps.wasm --yes --json").await.expect(0).json();
    let source = &installed["source"];
    assert_eq!(
        (&source["status"], &source["granted_by"], &source["pinned"]),
        (&json!("ready"), &json!("record"), &json!(true)),
        "{installed}"
    );
    assert_eq!(source["sha256"], digest("steps"));
    let record = shell.record();
    for part in
        ["version = 1", "[plugin.steps", "enabled = true", "pattern = \"site.example\"", &digest("steps")]
    {
        assert!(record.contains(part), "`{part}` is missing: {record}");
    }

    // What asks for no more needs no word; the version before is kept.
    shell.plugin("install upgrade.wasm").await.expect(0);
    assert_eq!(shell.source("steps").await["version"], "0.2.0");
    let short = |name: &str| digest(name)[..8].to_owned();
    let (old, new) =
        (format!("steps@0.1.0-{}.wasm", short("steps")), format!("steps@0.2.0-{}.wasm", short("upgrade")));
    assert_eq!(shell.files(), ["plugins.toml", &old, &new]);
    assert!(shell.record().contains("[[plugin.steps.previous]]"), "{}", shell.record());

    // What asks for more does.
    let more = shell.plugin("install upgrade-greedy.wasm").await.expect(2);
    more.says(&["nothing was changed"]);
    assert_eq!(shell.source("steps").await["version"], "0.2.0");
    shell.plugin("install upgrade-greedy.wasm --yes").await.expect(0);
    assert_eq!(shell.source("steps").await["version"], "0.4.0");

    shell.plugin("disable steps").await.expect(0);
    let off = shell.source("steps").await;
    assert_eq!((&off["status"], &off["enabled"]), (&json!("off"), &json!(false)));
    assert!(off["reason"].as_str().unwrap().contains("plugin enable steps"), "{off}");
    shell.plugin("enable steps").await.expect(0);
    assert_eq!(shell.source("steps").await["status"], "ready");

    let removed = shell.plugin("remove steps --json").await.expect(0).json();
    assert_eq!(removed["files"].as_array().unwrap().len(), 3, "{removed}");
    assert_eq!(shell.files(), ["plugins.toml"]);
    shell.plugin("remove steps").await.expect(1).says(&["steps is not installed"]);
    shell.plugin("enable steps").await.expect(1).says(&["there is no source `steps`", "openverse"]);
    fs::write(shell.path("none.wasm"), "nothing").unwrap();
    shell.plugin("install none.wasm --yes").await.expect(1).says(&["none.wasm", "not a WebAssembly"]);
    shell.plugin("install absent.wasm --yes").await.expect(2).says(&["there is no `absent.wasm`"]);
}

#[tokio::test]
async fn back_to_the_build_before_and_forth() {
    let shell = shell(&["steps", "upgrade", "upgrade-greedy"]).await;
    let version = async || shell.source("steps").await["version"].as_str().unwrap().to_owned();
    let refused = async |line: &str, says: &[&str]| {
        shell.plugin(&format!("rollback {line}")).await.expect(1).says(says);
    };
    refused("steps", &["there is no source `steps`"]).await;
    refused("openverse", &["there is no build of openverse to go back to: it was never installed"]).await;
    shell.plugin("install steps.wasm --yes").await.expect(0);
    refused("steps", &["there is no build of steps to go back to: 0.1.0 is all that was installed"]).await;
    shell.plugin("install upgrade.wasm").await.expect(0);
    shell.plugin("install upgrade-greedy.wasm --yes").await.expect(0);

    let back = shell.plugin("rollback steps").await.expect(0).stdout;
    assert!(back.starts_with("steps 0.4.0 → 0.2.0. Hosts that run"), "{back}");
    assert!(back.ends_with("Undo it with `pixcrawler plugin rollback steps`.\n"), "{back}");
    assert_eq!(version().await, "0.2.0");
    shell.plugin("rollback steps").await.expect(0);
    // What was granted to it holds.
    let greedy = shell.source("steps").await;
    assert_eq!((&greedy["version"], &greedy["granted_by"]), (&json!("0.4.0"), &json!("record")));
    refused("steps --to 9", &["beside 0.4.0 there are: 0.2.0, 0.1.0"]).await;
    let back = shell.plugin("rollback steps --to 0.1.0 --json").await.expect(0).json();
    assert_eq!((&back["from"], &back["to"]), (&json!("0.4.0"), &json!("0.1.0")), "{back}");
    assert_eq!((&back["source"]["version"], &back["source"]["status"]), (&json!("0.1.0"), &json!("ready")));

    // One that is off stays off, and what is not as it was is not gone back to.
    shell.plugin("disable steps").await.expect(0);
    let off = shell.plugin("rollback steps").await.expect(0).stdout;
    assert!(off.contains("0.1.0 → 0.4.0. It is off: it was turned off"), "{off}");
    let (record, old) = (shell.record(), shell.files().into_iter().find(|name| name.contains("@0.1.0")));
    fs::write(shell.path(&format!("data/plugins/{}", old.unwrap())), guest("trap")).unwrap();
    refused("steps", &["nothing was changed: ", "@0.1.0", "was changed: its SHA-256 is"]).await;
    assert_eq!(shell.record(), record);
    assert_eq!(
        shell.plugin("remove steps --json").await.expect(0).json()["files"].as_array().unwrap().len(),
        3
    );

    // What comes with the program is before all that takes its place.
    let bundled = shell.source("webpage").await;
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/plugins/webpage.wasm");
    let other = [fs::read(&file).unwrap(), vec![0, 2, 1, b'x']].concat();
    fs::write(shell.path("webpage.wasm"), other).unwrap();
    shell.plugin("install webpage.wasm --yes").await.expect(0);
    let installed = shell.source("webpage").await;
    assert_eq!((&installed["bundled"], &installed["pinned"]), (&json!(false), &json!(true)));
    let back = shell.plugin("rollback webpage").await.expect(0).stdout;
    assert!(back.contains(", which comes with the program."), "{back}");
    let now = shell.source("webpage").await;
    assert_eq!((&now["sha256"], &now["bundled"]), (&bundled["sha256"], &json!(true)), "{now}");
    shell.plugin("rollback webpage").await.expect(0);
    assert_eq!(shell.source("webpage").await["sha256"], installed["sha256"]);
    shell.plugin("rollback webpage").await.expect(0);
    shell.plugin("remove webpage").await.expect(0);
    refused("webpage", &["it was never installed"]).await;
    assert_eq!(shell.files(), ["plugins.toml"]);
}

#[tokio::test]
async fn what_lacks_a_credential_is_installed_with_a_warning() {
    let shell = shell(&["upgrade-keyed"]).await;
    let list = shell.plugin("list").await.expect(0).stdout;
    assert!(
        list.starts_with("No server or worker runs here: as the settings of this shell have it.\n"),
        "{list}"
    );
    let installed = shell.plugin("install upgrade-keyed.wasm --yes").await.expect(0);
    installed
        .says(&["steps 0.5.0 needs the credential `key`, which this shell does not have", "it is off until"]);
    let listed = shell.source("steps").await;
    assert_eq!((&listed["status"], &listed["waiting"]), (&json!("unavailable"), &json!(null)), "{listed}");
    let mut command = shell.command(&["plugin", "list", "--json"]);
    command.env("PIXCRAWLER_CREDENTIALS", "steps.key=one");
    let listed = ended(command).await.expect(0).json();
    assert_eq!(listed["judged_by"], json!({"role": "shell"}), "{listed}");
    let sources = listed["sources"].as_array().unwrap();
    let steps = sources.iter().find(|source| source["id"] == "steps").unwrap();
    assert_eq!(steps["status"], "ready", "{steps}");
    let mut command = shell.command(&["plugin", "install", "upgrade-keyed.wasm"]);
    command.env("PIXCRAWLER_CREDENTIALS", "steps.key=one");
    assert_eq!(ended(command).await.expect(0).stderr, "");
}

#[tokio::test]
async fn a_project_is_installed_as_it_was_built() {
    let shell = shell(&[]).await;
    fs::create_dir_all(shell.path("mine/dist")).unwrap();
    fs::write(shell.path("mine/README.md"), "").unwrap();
    shell
        .plugin("install mine --yes")
        .await
        .expect(2)
        .says(&["mine has no dist/*.wasm", "plugin build mine"]);
    fs::write(shell.path("mine/dist/steps.wasm"), guest("steps")).unwrap();
    let source = fs::File::create(shell.path("mine/source.py")).unwrap();
    source.set_modified(SystemTime::now() + Duration::from_mins(1)).unwrap();
    shell.plugin("install mine --yes").await.expect(0).says(&["Warning: mine/source.py is newer than"]);
    assert_eq!(shell.source("steps").await["status"], "ready");
}

#[tokio::test]
async fn what_comes_with_the_program_can_be_turned_off() {
    let shell = shell(&[]).await;
    shell.plugin("remove openverse").await.expect(1).says(&["comes with the program", "disable openverse"]);
    let off = shell.plugin("disable openverse --json").await.expect(0).json();
    assert_eq!(off["source"]["status"], "off");
    shell.run(&["crawl", "fox", "--source", "openverse"]).await.expect(2).says(&["plugin enable openverse"]);
    let on = shell.plugin("enable openverse --json").await.expect(0).json();
    assert_eq!((&on["source"]["status"], &on["source"]["granted_by"]), (&json!("ready"), &json!("program")));

    // One that needs a word of the operator gets it for good, and for no more than was shown.
    let bundled = shell.plugin("list --json").await.json();
    let restricted = bundled["sources"].as_array().unwrap().iter().find(|source| source["granted"] == false);
    let id = restricted.unwrap()["id"].as_str().unwrap().to_owned();
    shell.plugin(&format!("enable {id}")).await.expect(2).says(&["--yes"]);
    shell.plugin(&format!("enable {id} --yes")).await.expect(0);
    let on = shell.source(&id).await;
    assert_eq!((&on["status"], &on["granted_by"]), (&json!("ready"), &json!("record")), "{on}");
    let less = shell.record().replace("ignores_robots = true", "ignores_robots = false");
    let less: String =
        less.lines().filter(|line| !line.starts_with("restriction")).map(|l| format!("{l}\n")).collect();
    assert_ne!(less, shell.record());
    fs::write(shell.path("data/plugins/plugins.toml"), less).unwrap();
    let off = shell.source(&id).await;
    assert!(off["reason"].as_str().unwrap().contains("more than it was granted"), "{off}");
}

#[tokio::test]
async fn what_was_changed_is_refused() {
    let shell = shell(&["steps", "upgrade-greedy"]).await;
    shell.plugin("install steps.wasm --yes").await.expect(0);
    let (name, sound) = (shell.files()[1].clone(), guest("steps"));
    let file = shell.path(&format!("data/plugins/{name}"));

    let mut changed = sound.clone();
    changed.extend([0, 2, 1, b'x']);
    let found = hex::encode(Sha256::digest(&changed));
    fs::write(&file, changed).unwrap();
    let off = shell.source("steps").await;
    assert_eq!((&off["status"], &off["version"]), (&json!("off"), &json!("0.1.0")));
    assert_eq!((&off["bundled"], &off["pinned"]), (&json!(false), &json!(true)));
    assert_eq!((&off["size"], &off["sha256"]), (&json!(sound.len()), &json!(digest("steps"))));
    let text = shell.plugin("list").await.expect(0).stdout;
    let shown = text.split("\nsteps ").nth(1).unwrap();
    assert!(shown.starts_with("0.1.0  ") && shown.contains(&format!("{} (", file.display())), "{shown}");
    assert!(shown.contains(&format!("plugin install {}", file.display())), "{shown}");
    let refused = shell.refused().await;
    for part in [&name, &found, &digest("steps"), "pixcrawler plugin install"] {
        assert!(refused.contains(part), "`{part}` is missing: {refused}");
    }
    // Its users are told less.
    assert!(off["reason"].as_str().unwrap().contains(&found), "{off}");
    let told = shell.run(&["crawl", "fox", "--source", "steps"]).await.expect(2);
    let said = told.stderr.lines().last().unwrap();
    assert!(said.contains("plugin list") && !said.contains(&name) && !said.contains(&found), "{said}");
    shell
        .plugin("enable steps --yes")
        .await
        .expect(1)
        .says(&["not there as it was installed", "plugin list"]);
    let again = shell.plugin("install steps.wasm").await.expect(0).stdout;
    assert!(again.contains("replaces    0.1.0, which is installed"), "{again}");
    assert_eq!(shell.source("steps").await["status"], "ready");
    fs::remove_file(&file).unwrap();
    assert!(shell.refused().await.contains("cannot be read"));
    fs::write(&file, sound).unwrap();
    assert_eq!(shell.source("steps").await["status"], "ready");

    // The record says what was granted, whoever wrote the rest of it.
    let greedy = guest("upgrade-greedy");
    fs::write(&file, &greedy).unwrap();
    let record = shell.record().replace(&digest("steps"), &digest("upgrade-greedy"));
    fs::write(shell.path("data/plugins/plugins.toml"), record).unwrap();
    let off = shell.source("steps").await["reason"].as_str().unwrap().to_owned();
    for part in ["more than it was granted", "host other.example (web)", "credential `key`", "enable steps"] {
        assert!(off.contains(part), "`{part}` is missing: {off}");
    }
    shell.plugin("enable steps --yes").await.expect(0);
    assert_eq!(shell.source("steps").await["status"], "ready");

    for (record, expect) in [
        ("version = 2\n[steps]\nfuture = true\n", "has version 2"),
        ("version = 1\n[plugin.steps]\nenabled = 1\n", "line 3"),
        ("nonsense", "plugins.toml cannot be understood"),
    ] {
        fs::write(shell.path("data/plugins/plugins.toml"), record).unwrap();
        shell.plugin("list").await.expect(1).says(&["plugins.toml", expect]);
    }
    let outside = format!(
        "version = 1\n[plugin.steps]\nenabled = true\n[plugin.steps.build]\nversion = '1.0.0'\nfile = '../x.wasm'\n\
         sha256 = '{}'\nsize = 1\ninstalled_at = '2026-01-01T00:00:00Z'\n\
         [plugin.steps.build.granted]\nignores_robots = false\nhosts = []\n",
        digest("steps")
    );
    fs::write(shell.path("data/plugins/plugins.toml"), outside).unwrap();
    shell.plugin("list").await.expect(1).says(&["`../x.wasm` is not the name of a file"]);
}

#[tokio::test]
async fn a_file_in_the_folder_is_nothing_until_it_is_installed() {
    let shell = shell(&[]).await;
    fs::create_dir_all(shell.path("data/plugins")).unwrap();
    fs::write(shell.path("data/plugins/mine.wasm"), guest("steps")).unwrap();
    assert_eq!(shell.source("steps").await, Value::Null);
    let refused = shell.refused().await;
    assert!(refused.contains("not recorded") && refused.contains("plugin install"), "{refused}");
    shell.plugin("enable steps").await.expect(1).says(&["there is no source `steps`"]);
    shell.plugin("install data/plugins/mine.wasm --yes").await.expect(0);
    let on = shell.source("steps").await;
    assert_eq!((&on["status"], &on["pinned"]), (&json!("ready"), &json!(true)));

    // Another one of this id does not take its place by lying there.
    fs::write(shell.path("data/plugins/a.wasm"), guest("upgrade")).unwrap();
    assert_eq!(shell.source("steps").await["version"], "0.1.0");
    shell.plugin("install data/plugins/a.wasm").await.expect(0);
    assert_eq!(shell.source("steps").await["version"], "0.2.0");
}

#[tokio::test]
async fn a_list_without_the_database_says_so() {
    let shell = shell(&[]).await;
    let list = async |url: &str| {
        let mut command = shell.command(&["plugin", "list", "--json"]);
        command.env("DATABASE_URL", url);
        ended(command).await.expect(0)
    };
    let closed = list("postgresql://nobody@127.0.0.1:1/none").await;
    closed.says(&["how the sources fare is not known: cannot connect to the database", "refused"]);
    assert!(closed.json()["sources"].as_array().unwrap().iter().all(|source| source["health"].is_null()));
    let empty = empty_database().await;
    let empty = list(empty.url.expose_secret()).await;
    empty.says(&["how the sources fare is not known", "does not exist"]);
    let mut without = shell.command(&["plugin", "list", "--json"]);
    without.env_remove("DATABASE_URL");
    assert_eq!(ended(without).await.expect(0).stderr, "");
}

#[tokio::test]
async fn nobody_waits_for_ever_for_who_changes_the_folder() {
    let shell = shell(&["steps"]).await;
    shell.plugin("install steps.wasm --yes").await.expect(0);
    let turn = fs::File::open(shell.path("data/plugins")).unwrap();
    turn.lock().unwrap();
    let (listed, disabled) = tokio::join!(shell.plugin("list --json"), shell.plugin("disable steps"));
    let listed = listed.expect(0);
    listed.says(&["a program that changes the plugins does not end", "data/plugins"]);
    assert!(listed.stdout.contains("\"steps\""), "{listed:#?}");
    disabled.expect(1).says(&["another program has been changing or reading the plugins in", "for 10 s"]);
    turn.unlock().unwrap();
    assert_eq!(shell.source("steps").await["enabled"], true);
}

/// What turns or hides a part of a line is seen by who is asked.
#[tokio::test]
async fn what_is_hidden_in_what_is_shown_for_consent_is_seen() {
    let (plain, hidden) = ("A guest of the tests.", "A guest\u{202e}of\u{200b}tests.");
    let mut wasm = guest("steps");
    let at = wasm.windows(plain.len()).position(|part| part == plain.as_bytes()).unwrap();
    wasm[at..at + plain.len()].copy_from_slice(hidden.as_bytes());
    let shell = shell(&[]).await;
    fs::write(shell.path("steps.wasm"), wasm).unwrap();
    let asked = shell.plugin("install steps.wasm").await.expect(2);
    assert!(asked.stdout.contains(r"A guest\u202eof\u200btests."), "{asked:#?}");
    assert!(!asked.stdout.contains(['\u{202e}', '\u{200b}']), "{asked:#?}");
    let installed = shell.plugin("install steps.wasm --yes --json").await.expect(0);
    assert!(installed.stdout.is_ascii(), "{installed:#?}");
    assert_eq!(installed.json()["source"]["description"], hidden);
}
