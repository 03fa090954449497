//! The table of sources in plugins/README.md: what it says of each is what the components say
//! of themselves. `make table` writes it anew, with figures measured on that machine.

use std::{env, fs, path::Path, process::Command};

use serde_json::Value;

use super::{root, sources};

const GUIDE: &str = "plugins/README.md";
const BEGIN: &str = "<!-- table -->\n";
const END: &str = "<!-- end of table -->";
const HEAD: &str = "| Source | Language | Input | Hosts | Credentials | Options | KB | CPU of a step |\n\
    | --- | --- | --- | --- | --- | --- | ---: | ---: |\n";
/// Figures, which are other ones on other machines: the last columns.
const MEASURED: usize = 2;

/// The folder of a source below `plugins`, its component below `target`, and its language.
fn all() -> Vec<(String, String, &'static str)> {
    let rust = |source: String| {
        let component = format!("plugins/{source}.wasm");
        (source, component, "Rust")
    };
    let example = |language: &'static str, suffix: &str| {
        let component = format!("examples/openverse-{suffix}/dist/openverse.wasm");
        (format!("examples/openverse-{suffix}"), component, language)
    };
    let mut all: Vec<_> = sources().into_iter().map(rust).collect();
    all.extend([example("JavaScript", "js"), example("Python", "python")]);
    all
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test has no settings but those of its environment")]
fn the_table_of_sources_is_true() {
    let guide = fs::read_to_string(root().join(GUIDE)).unwrap();
    let (before, rest) = guide.split_once(BEGIN).unwrap();
    let (table, after) = rest.split_once(END).unwrap();
    let writes = env::var_os("PIXCRAWLER_WRITE_TABLE").is_some();
    let rows: Vec<String> =
        all().iter().map(|(folder, component, language)| row(folder, component, language, writes)).collect();
    if writes {
        let table = format!("{HEAD}{}", rows.concat());
        fs::write(root().join(GUIDE), format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    let told: Vec<&str> = table.strip_prefix(HEAD).unwrap_or_default().lines().map(facts).collect();
    let true_ones: Vec<&str> = rows.iter().map(|row| facts(row.trim_end())).collect();
    assert_eq!(told, true_ones, "run `make table`");
}

/// A row without its figures.
fn facts(row: &str) -> &str {
    let end = row.match_indices('|').rev().nth(MEASURED).map(|(at, _)| at);
    &row[..end.unwrap_or(row.len())]
}

fn row(folder: &str, component: &str, language: &str, measures: bool) -> String {
    let component = root().join("target").join(component);
    assert!(component.exists(), "{} is missing: run `make plugins examples`", component.display());
    let component = component.to_str().unwrap();
    let check = cli(&["plugin", "check", component, "--json"]);
    let info = &check["source"];
    let list = |field: &str, each: &dyn Fn(&Value) -> String| {
        let all: Vec<String> = info[field].as_array().unwrap().iter().map(each).collect();
        all.join(", ")
    };
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let hosts = list("hosts", &|rule| format!("`{}` ({})", text(&rule["pattern"]), text(&rule["kind"])));
    let credentials = list("credentials", &|spec| match spec["required"].as_bool().unwrap() {
        true => format!("`{}`, required", text(&spec["name"])),
        false => format!("`{}`", text(&spec["name"])),
    });
    let options = list("options", &|spec| format!("`{}`", text(&spec["name"])));
    let (size, cpu) = match measures {
        true => (check["component"]["size"].as_u64().unwrap() / 1000, step_cost(folder, component)),
        false => (0, 0),
    };
    let input = text(&info["input"]);
    format!(
        "| [{folder}]({folder}) | {language} | {input} | {hosts} | {credentials} | {options} | {size} | {cpu} µs |\n"
    )
}

/// CPU time of the dearest step of its first page, in microseconds: the median of many.
fn step_cost(folder: &str, component: &str) -> u64 {
    // The twins replay the cassettes of the source in Rust.
    let folder = if Path::new(folder).starts_with("examples") { "openverse" } else { folder };
    let cassette = root().join("plugins").join(folder).join("cassettes/first-page.toml");
    let bench = cli(&["plugin", "bench", component, cassette.to_str().unwrap(), "--json"]);
    let steps = bench["cassettes"]["first-page"].as_array().unwrap().clone();
    let costs = steps.iter().map(|step| step["cpu_median_us"].as_f64().unwrap());
    costs.fold(0.0, f64::max).round() as u64
}

/// What a command prints as JSON.
fn cli(arguments: &[&str]) -> Value {
    let data = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pixcrawler"));
    let ended = command.args(arguments).env("PIXCRAWLER_DATA_DIR", data.path()).output().unwrap();
    assert!(ended.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ended.stderr));
    serde_json::from_slice(&ended.stdout).unwrap()
}
