//! `plugin new`: a project that builds and has a passing replay test.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::build::quoted;
use crate::{
    cli::{say, wrong_usage},
    sandbox::check_id,
};

/// Begin a source: a project that builds and has a passing replay test
///
/// Writes the sources, a cassette, tests, a README and all that is needed to build them: the
/// SDK of the language and the contract. The example reads a made-up API; put the real one
/// in its place.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler plugin new my-source\n  \
    pixcrawler plugin new my-source --lang python\n  \
    pixcrawler plugin new my-source --lang js --dir ~/sources/mine")]
pub(super) struct New {
    /// The source's id: lower-case letters, digits and `-`
    #[arg(value_name = "NAME")]
    id: String,
    /// What it is written in
    #[arg(long, value_enum, default_value = "rust")]
    lang: Language,
    /// The project's folder, new or empty [default: ./NAME]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Language {
    /// A component of some 150 KB; the fastest
    Rust,
    /// 1.6 MB with its interpreter
    Js,
    /// 18 MB with its interpreter, prepared by the host in some seconds
    Python,
}

/// For each language the files of a project: path and text.
type Projects = &'static [(&'static str, &'static [(&'static str, &'static str)])];
const PROJECTS: Projects = include!(concat!(env!("OUT_DIR"), "/projects.rs"));

/// What stands in the files for the source's id and name.
const ID: &str = "my-source";
const NAME: &str = "My source";

impl New {
    pub(super) fn run(self) -> anyhow::Result<ExitCode> {
        check_id(&self.id).map_err(wrong_usage)?;
        if !self.id.starts_with(|letter: char| letter.is_ascii_lowercase()) {
            return Err(wrong_usage(format!(
                "`{}` cannot begin with a digit or `-`: cargo and npm take no such name for a project",
                self.id
            )));
        }
        let folder = self.dir.unwrap_or_else(|| PathBuf::from(&self.id));
        if !is_new(&folder).with_context(|| format!("cannot look into `{}`", folder.display()))? {
            return Err(wrong_usage(format!(
                "`{}` is not empty: choose another folder with --dir",
                folder.display()
            )));
        }
        let (language, next) = self.lang.next();
        let name = name(&self.id);
        for (path, text) in
            PROJECTS.iter().filter(|(known, _)| *known == language).flat_map(|(_, files)| *files)
        {
            let text = text.replace(ID, &self.id).replace(NAME, &name);
            write(&folder.join(path), &text)
                .with_context(|| format!("cannot write `{}`", folder.join(path).display()))?;
        }
        say(&format!("Made {}. Next:\n\n  cd {}", folder.display(), quoted(&folder)));
        next.iter().for_each(|line| say(&format!("  {line}")));
        say("  pixcrawler plugin build\n  pixcrawler plugin test .");
        Ok(ExitCode::SUCCESS)
    }
}

impl Language {
    /// Its name among the projects, and what is done once before the first build.
    const fn next(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Rust => ("rust", &["rustup target add wasm32-wasip2"]),
            Self::Js => ("js", &["npm install"]),
            Self::Python => {
                ("python", &["python3 -m venv .venv", ".venv/bin/pip install -r requirements.txt"])
            }
        }
    }
}

/// Tells whether a project may be written there.
fn is_new(folder: &Path) -> io::Result<bool> {
    match fs::read_dir(folder) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}

/// Writes `red-fox` as a person does: `Red fox`.
fn name(id: &str) -> String {
    let words = id.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    words.chars().take(1).map(|letter| letter.to_ascii_uppercase()).chain(words.chars().skip(1)).collect()
}
