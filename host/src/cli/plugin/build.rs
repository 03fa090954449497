//! `plugin build`: from a project to a component, with the tools of its language.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
};

use anyhow::{Context as _, bail};
use clap::Args;
use indicatif::HumanBytes;
use serde::Deserialize;
use tokio::process::Command;

use crate::{
    cli::{say, wrong_usage},
    sandbox::check_id,
};

/// Build a source: from a project to `dist/NAME.wasm`
///
/// The project's manifest says what it is written in: Cargo.toml (Rust, built by cargo with the
/// profile `plugin`), package.json (JavaScript, by componentize-qjs, which `npm install` brings)
/// or pyproject.toml (Python, by componentize-py, which is taken from `.venv` if it is there).
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler plugin build\n  \
    pixcrawler plugin build ~/sources/mine --debug")]
pub(super) struct BuildArgs {
    /// The project's folder
    #[arg(value_name = "DIR", default_value = ".")]
    dir: PathBuf,
    /// Rust: keep line numbers, so that a trap names its place (the others always do)
    #[arg(long)]
    debug: bool,
}

/// The one-line instruction for each tool that may be missing.
const NO_CARGO: &str = "cargo is missing: install Rust from https://rustup.rs, then run \
    `rustup target add wasm32-wasip2`";
const NO_NODE: &str = "node is missing: install Node.js 18 or newer, then run `npm install` in the project";
const NO_COMPONENTIZE_QJS: &str =
    "componentize-qjs is missing: run `npm install` in the project (it needs Node.js 18 or newer)";
const NO_COMPONENTIZE_PY: &str = "componentize-py is missing: run `python3 -m venv .venv && \
    .venv/bin/pip install -r requirements.txt` in the project";

/// What `--debug` changes of cargo's profile.
const DEBUG: [&str; 6] = [
    "strip=false",
    "debug='line-tables-only'",
    "package.'*'.strip=true",
    "package.'*'.debug=false",
    "package.pixcrawler-sdk.strip=false",
    "package.pixcrawler-sdk.debug='line-tables-only'",
];

impl BuildArgs {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let project = &self.dir;
        let has = |manifest: &str| project.join(manifest).is_file();
        let built = if has("Cargo.toml") {
            rust(project, self.debug).await?
        } else if has("package.json") {
            javascript(project).await?
        } else if has("pyproject.toml") {
            python(project).await?
        } else {
            return Err(wrong_usage(format!(
                "`{}` has no Cargo.toml, package.json or pyproject.toml: begin a project with `pixcrawler plugin new`",
                project.display()
            )));
        };
        let size = fs::metadata(&built).with_context(|| format!("`{}` was not made", built.display()))?.len();
        say(&format!("Built {}, {}. Next:\n", shown(&built), HumanBytes(size)));
        say(&format!("  pixcrawler plugin test {}", shown(project)));
        Ok(ExitCode::SUCCESS)
    }
}

/// Says where the component of that id comes to lie.
fn place(project: &Path, id: &str) -> anyhow::Result<PathBuf> {
    check_id(id).map_err(|reason| wrong_usage(format!("the name in the manifest: {reason}")))?;
    let folder = project.join("dist");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    Ok(folder.join(format!("{id}.wasm")))
}

/// Asks cargo where it put the component: target folders may be shared, and projects be
/// part of a workspace.
async fn rust(project: &Path, debug: bool) -> anyhow::Result<PathBuf> {
    #[derive(Deserialize)]
    struct CargoMessage {
        reason: String,
        #[serde(default)]
        filenames: Vec<PathBuf>,
        manifest_path: Option<PathBuf>,
    }
    let manifest = project.join("Cargo.toml");
    let id: CargoManifest = toml::from_str(&read(&manifest)?).with_context(|| unreadable(&manifest))?;
    let place = place(project, &id.package.name)?;
    let mut cargo = Command::new("cargo");
    cargo
        .args(["build", "--lib", "--target", "wasm32-wasip2", "--profile", "plugin"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(project)
        .stdout(Stdio::piped());
    if debug {
        // Other crates stay as they are, so that going back and forth compiles little.
        for setting in DEBUG {
            cargo.args(["--config", &format!("profile.plugin.{setting}")]);
        }
    }
    let output = started(cargo, NO_CARGO)?.wait_with_output().await.context("cannot wait for cargo")?;
    if !output.status.success() {
        bail!("cargo could not build it");
    }
    let manifest = manifest.canonicalize().with_context(|| unreadable(&manifest))?;
    let component = String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<CargoMessage>(line).ok())
        .filter(|message| message.reason == "compiler-artifact")
        .filter(|message| message.manifest_path.as_deref() == Some(&manifest))
        .flat_map(|message| message.filenames)
        .find(|file| file.extension() == Some(OsStr::new("wasm")))
        .context("cargo made no component: Cargo.toml needs `crate-type = [\"cdylib\"]` under [lib]")?;
    fs::copy(&component, &place)
        .with_context(|| format!("cannot copy `{}` to `{}`", component.display(), place.display()))?;
    Ok(place)
}

async fn javascript(project: &Path) -> anyhow::Result<PathBuf> {
    let manifest = project.join("package.json");
    let package: Package = serde_json::from_str(&read(&manifest)?).with_context(|| unreadable(&manifest))?;
    let place = place(project, &package.name)?;
    // Its own name for the place: it is run in the project's folder, which is the root for imports.
    let place_inside = Path::new("dist").join(place.file_name().unwrap_or_default());
    let script = Path::new("node_modules/.bin/componentize-qjs");
    let (mut tool, missing) = if project.join(script).exists() {
        let mut node = Command::new("node");
        node.arg(script);
        (node, NO_NODE)
    } else {
        (Command::new("componentize-qjs"), NO_COMPONENTIZE_QJS)
    };
    // Without `--sync` the component would need a feature of the host that is off.
    tool.args(["--sync", "--world", "plugin", "--wit", "sdk/wit", "--js"])
        .arg(package.main.as_deref().unwrap_or(Path::new("source.js")))
        .arg("--output")
        .arg(place_inside)
        .current_dir(project);
    quietly(tool, missing, "componentize-qjs").await?;
    Ok(place)
}

async fn python(project: &Path) -> anyhow::Result<PathBuf> {
    let manifest = project.join("pyproject.toml");
    let python: PythonManifest = toml::from_str(&read(&manifest)?).with_context(|| unreadable(&manifest))?;
    let place = place(project, &python.project.name)?;
    let own = project.join(".venv").canonicalize().ok();
    let own = own.map(|venv| (venv.join("bin/componentize-py"), venv)).filter(|(tool, _)| tool.exists());
    let mut tool = match own {
        Some((program, venv)) => {
            let mut tool = Command::new(program);
            // Else it packs what is installed on this machine beside what the project asked for.
            tool.env("VIRTUAL_ENV", venv);
            tool
        }
        None => Command::new("componentize-py"),
    };
    // Not `--stub-wasi`: a traceback would be lost with it.
    tool.args(["--quiet", "--wit-path", "pixcrawler/wit", "--world", "plugin", "componentize"])
        .args(["--python-path", ".", "pixcrawler.component", "--output"])
        .arg(Path::new("dist").join(place.file_name().unwrap_or_default()))
        // Its own stack says nothing of the project.
        .env("RUST_BACKTRACE", "0")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(project);
    quietly(tool, NO_COMPONENTIZE_PY, "componentize-py").await?;
    Ok(place)
}

#[derive(Deserialize)]
struct CargoManifest {
    package: NamedPackage,
}

#[derive(Deserialize)]
struct PythonManifest {
    project: NamedPackage,
}

#[derive(Deserialize)]
struct NamedPackage {
    name: String,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    main: Option<PathBuf>,
}

/// Runs a tool; what it prints is shown when it fails.
async fn quietly(mut tool: Command, missing: &str, name: &str) -> anyhow::Result<()> {
    tool.stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = started(tool, missing)?.wait_with_output().await;
    let output = output.with_context(|| format!("cannot wait for {name}"))?;
    if output.status.success() {
        return Ok(());
    }
    let printed = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).trim().to_owned());
    bail!("{name} could not build it:\n{}", printed.join("\n").trim())
}

/// Starts a tool, which ends with this process.
fn started(mut tool: Command, missing: &str) -> anyhow::Result<tokio::process::Child> {
    match tool.stdin(Stdio::null()).kill_on_drop(true).spawn() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => bail!("{missing}"),
        child => child.with_context(|| format!("cannot start {}", tool.as_std().get_program().display())),
    }
}

fn read(manifest: &Path) -> anyhow::Result<String> {
    fs::read_to_string(manifest).with_context(|| unreadable(manifest))
}

fn unreadable(manifest: &Path) -> String {
    format!("cannot read `{}`", manifest.display())
}

/// Writes a path below this folder as a shell takes it, without `./`.
pub(super) fn shown(path: &Path) -> String {
    let below = path.strip_prefix(".").ok().filter(|below| !below.as_os_str().is_empty());
    quoted(below.unwrap_or(path))
}

/// Writes a path as a shell takes it.
pub(super) fn quoted(path: &Path) -> String {
    let path = path.display().to_string();
    shlex::try_quote(&path).map_or_else(|_| path.clone(), Into::into)
}
