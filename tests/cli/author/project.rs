//! A project of an author: its component, its sources and its cassettes.

use std::{
    os::unix::process::ExitStatusExt as _,
    time::{Duration, SystemTime},
};

use super::*;

#[tokio::test]
async fn a_project_is_a_component_and_its_cassettes() {
    let desk = Desk::new();
    desk.write("mine/README.md", "");
    desk.plugin(&["test", "mine"]).await.expect(2).says(&["mine has no dist/*.wasm", "plugin build mine"]);
    desk.write("mine/dist/openverse.wasm", fs::read(built("plugins/openverse.wasm")).unwrap());
    desk.plugin(&["test", "mine"]).await.expect(2).says(&["there is no cassette"]);
    let cassettes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/openverse/cassettes");
    for name in ["first-page.toml", "rate-limit.toml"] {
        desk.write(&format!("mine/cassettes/{name}"), fs::read(cassettes.join(name)).unwrap());
    }
    let passed = desk.plugin(&["test", "mine"]).await.expect(0).stdout;
    assert!(
        passed.contains("ok      mine/cassettes/rate-limit.toml") && passed.contains("2 passed, 0 failed")
    );

    // A name that is read must be missed, and one that is not there is a mistake of the cassette.
    let first = desk.read("mine/cassettes/first-page.toml");
    let names = first.replacen("changed-layout = [\"results\"", "changed-layout = [\"title\", \"titel\"", 1);
    desk.write("mine/cassettes/first-page.toml", &names);
    let failed = desk.plugin(&["test", "mine"]).await.expect(1).stdout;
    for part in ["`title` is renamed in the answers, and instead of layout-changed", "`titel` does not occur"]
    {
        assert!(failed.contains(part), "`{part}` is missing: {failed}");
    }
    desk.write("mine/cassettes/first-page.toml", first.replacen("limit = 40", "limits = 40", 1));
    let failed = desk.plugin(&["test", "mine"]).await.expect(1);
    failed.says(&["mine/cassettes/first-page.toml", "line 6", "unknown field `limits`"]);

    desk.write("mine/dist/other.wasm", "");
    desk.plugin(&["test", "mine"]).await.expect(2).says(&["has several components"]);
}

#[tokio::test]
async fn a_component_that_is_older_than_its_sources_is_told() {
    let desk = Desk::new();
    desk.write("mine/dist/openverse.wasm", fs::read(built("plugins/openverse.wasm")).unwrap());
    let cassettes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/openverse/cassettes");
    desk.write("mine/cassettes/rate-limit.toml", fs::read(cassettes.join("rate-limit.toml")).unwrap());
    let built_at = fs::metadata(desk.path("mine/dist/openverse.wasm")).unwrap().modified().unwrap();
    let change = |name: &str, when: SystemTime| {
        desk.write(name, "");
        fs::File::options().write(true).open(desk.path(name)).unwrap().set_modified(when).unwrap();
    };
    let (before, after) = (built_at - Duration::from_mins(1), built_at + Duration::from_mins(1));
    let test = async |path: &str| {
        let tested = desk.plugin(&["test", path, "mine/cassettes"]).await.expect(0);
        assert!(tested.stdout.ends_with("1 passed, 0 failed\n"), "{tested:#?}");
        tested.stderr
    };

    // What was built from them, and what it is not built from.
    for name in ["src/lib.rs", "Cargo.toml"] {
        change(&format!("mine/{name}"), before);
    }
    for name in [
        "README.md",
        "cassettes/README.md",
        "tests/answers.rs",
        "source.test.js",
        "test_source.py",
        "target/debug/build.rs",
        "node_modules/tool/index.js",
        ".venv/lib/tool.py",
        "venv/lib/tool.py",
        "env/lib/tool.py",
        "build/lib/source.py",
        "python/pyvenv.cfg",
        "python/lib/tool.py",
    ] {
        change(&format!("mine/{name}"), after);
    }
    assert_eq!(test("mine").await, "");

    for name in [
        "src/page/list.rs",
        "Cargo.toml",
        "sdk/src/url.rs",
        "sdk/wit/source.wit",
        "source.js",
        "package.json",
        "source.py",
        "pyproject.toml",
    ] {
        let name = format!("mine/{name}");
        change(&name, after);
        let told = format!("Warning: {name} is newer than mine/dist/openverse.wasm,");
        let warning = test("mine").await;
        assert!(warning.contains(&told) && warning.contains("`pixcrawler plugin build mine`"), "{warning}");
        change(&name, before);
    }
    change("mine/src/lib.rs", after);
    let told = "Warning: mine/src/lib.rs is newer";
    for command in
        [&["check", "mine"][..], &["bench", "mine", "--runs", "1"], &["run", "./mine", "fox", "--dry-run"]]
    {
        desk.plugin(command).await.expect(0).says(&[told]);
    }
    // With a file alone there is nothing to compare it with.
    assert_eq!(test("mine/dist/openverse.wasm").await, "");
}

#[tokio::test]
async fn a_cassette_asks_only_what_a_job_may_ask() {
    let desk = Desk::new();
    let component = built("guests/contract.wasm");
    let cassette = |options: &str| {
        let asked = format!("[query]\ntext = \"unavailable\"\noptions = {{ {options} }}\n");
        format!("source = \"contract\"\n{asked}[expect]\nerror = \"unavailable\"\n")
    };
    for (options, expect) in [
        ("texts = \"a\"", "the source declares no option `texts`; it declares: text, integer, boolean, "),
        ("choice = \"c\"", "option `choice` must be one of: a, b"),
        ("choice = 1", "option `choice` must be one of: a, b"),
        ("choices = \"a,c\"", "option `choices` must be some of: a, b"),
        ("choices = [1]", "option `choices` must be some of: a, b"),
        ("integer = \"wide\"", "option `integer` must be a whole number"),
        ("integer = 1.5", "option `integer` must be a whole number"),
        ("boolean = \"yes\"", "option `boolean` must be true or false"),
        ("text = true", "option `text` must be text of 1 to 2000 characters"),
    ] {
        let cassette = cassette(options);
        desk.write("c.toml", &cassette);
        // What is not allowed is not written down as what is expected, either.
        for more in [&[][..], &["--update"]] {
            let failed =
                desk.plugin(&[&["test", &component, "c.toml"], more].concat()).await.expect(1).stdout;
            assert!(failed.contains("FAILED  c.toml") && failed.contains(expect), "{options}: {failed}");
            assert_eq!(desk.read("c.toml"), cassette);
        }
        desk.plugin(&["check", &component, "c.toml"]).await.expect(1).says(&["c.toml", expect]);
    }
    // As a job may write them.
    for options in [
        "choices = [\"a\", \"b\"], integer = 7, boolean = true",
        "choices = \"a,b\", integer = \"7\", boolean = \"true\"",
    ] {
        desk.write("c.toml", cassette(options));
        desk.plugin(&["test", &component, "c.toml"]).await.expect(0);
    }
}

#[tokio::test]
async fn a_cassette_that_cannot_be_written_is_as_it_was() {
    let (desk, component) = (Desk::new(), built("plugins/openverse.wasm"));
    let empty = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/openverse/cassettes/empty.toml");
    let cassette = fs::read_to_string(empty).unwrap().replace("end = \"done\"", "end = \"open\"");
    let cassette = "# More than what may be written.\n".repeat(100_000) + &cassette;
    desk.write("c.toml", &cassette);
    desk.plugin(&["test", &component, "c.toml"]).await.expect(1);
    // The system ends who writes more than 2 MiB to a file; compiled code is smaller.
    let mut command = Command::new("bash");
    command.args(["-c", "ulimit -c 0 -f 2048; exec \"$@\"", "-", env!("CARGO_BIN_EXE_pixcrawler"), "plugin"]);
    command.args(["test", &component, "c.toml", "--update"]);
    let output = desk.command(command).output().await.unwrap();
    assert_eq!(output.status.signal(), Some(Signal::XFSZ.as_raw()), "{output:?}");
    assert_eq!(desk.read("c.toml"), cassette);
}
