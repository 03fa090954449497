//! `plugin install`: a component becomes a source.

use std::{fs, path::PathBuf, process::ExitCode};

use anyhow::{Context as _, bail};
use clap::Args;

use super::{Known, consent, list, load, prepared, subject, tell};
use crate::{
    cli::{say, stop, tell as warn},
    config::Config,
    plugins::{PluginStatus, Plugins},
};

/// Install a source from a file, or a new version of one
///
/// Shows what it asks for (hosts, credentials, whether it ignores robots.txt), asks whether
/// to grant that, copies it into the folder of plugins, and records its SHA-256 and what was
/// granted in `plugins.toml` there. What asks for no more than the version before is not
/// asked about again. Hosts that run take it up within seconds; they go back to the version
/// before by themselves when the new one faults again and again, and stay with it while the new one
/// requires a credential that is not configured. `plugin rollback` goes back by hand.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  \
    pixcrawler plugin install ./my-source                   a project: dist/*.wasm\n  \
    pixcrawler plugin install my-source.wasm --yes --json | jq -r .source.sha256\n\n\
    Exit codes: 0 installed, 1 not a sound plugin or not agreed to, 2 nobody to ask and no --yes.")]
pub(super) struct Install {
    /// Component, or folder of a project
    path: PathBuf,
    /// Grant what it asks for without a question
    #[arg(long, short)]
    yes: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Install {
    pub(super) async fn run(self, config: &Config) -> anyhow::Result<ExitCode> {
        let file = subject::component(&self.path)?;
        subject::warn_if_stale(&self.path, &file);
        if let Some(folder) = &config.plugins.plugins_dir {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let plugins = load(config).await?;
        let component = plugins.describe(&file).await?;
        let info = &component.info;
        if component.bundled {
            bail!(
                "this very build of {0} comes with the program; to use it remove what is installed in its \
                 place (`pixcrawler plugin remove {0}`), or turn it on (`pixcrawler plugin enable {0}`)",
                info.id
            );
        }
        let shown = consent::shown(info, component.wasm.len(), &component.digest);
        if !self.json {
            say(&shown);
            if let Some(before) = plugins.get(&info.id) {
                let origin = if before.bundled { "comes with the program" } else { "is installed" };
                say(&list::fact("replaces", &format!("{}, which {origin}", before.info.version)));
            }
        }
        let lacking = plugins.granted_capabilities(&info.id)?.map(|granted| granted.lacks(info));
        let question = match &lacking {
            None => "Install it and grant what it asks for?".to_owned(),
            Some(lacking) => format!(
                "It asks for more than was granted before: {}. Install it and grant that?",
                lacking.join(", ")
            ),
        };
        // Who is asked must see what it is about, also where a script reads the answer.
        let question = if self.json { format!("{shown}\n{question}") } else { question };
        let is_granted = lacking.is_some_and(|lacking| lacking.is_empty());
        if !is_granted && !consent::agreed(&question, self.yes)? {
            bail!("nothing was installed");
        }
        // Before anything is changed, because it may fail.
        let known = Known::find(config, &plugins).await?;
        let installed = plugins.install(&component).await?;
        plugins.follow(None).await?;
        // Only then it is known whether the version before goes on.
        prepared(&plugins, &stop::on_signal()?).await;
        let missing = known.missing(info);
        if let Some((spec, who)) = &missing {
            let instead = plugins.get(&info.id).filter(|source| source.set_aside.is_some());
            let then = match instead {
                Some(source) => {
                    format!("{} goes on until it is there, then this one takes over", source.info.version)
                }
                None => "it is off until that is there".to_owned(),
            };
            warn(&format!(
                "Warning: {0} {1} needs the credential `{2}`, which {who} does not have ({3}); {then}. Give it as \
                 `{0}.{2}=SECRET` in the file of PIXCRAWLER_CREDENTIALS_FILE, or by another of the settings for that.",
                info.id, info.version, spec.name, spec.help
            ));
        }
        tell(&plugins, &info.id, self.json, |source| {
            let file = Plugins::folder(&config.plugins, &config.data_dir()).join(&installed.file);
            let status = match &source.status {
                PluginStatus::Off(reason) => format!("it is off: {reason}"),
                PluginStatus::Ready | PluginStatus::Preparing if missing.is_some() => {
                    "it waits for its credential".to_owned()
                }
                PluginStatus::Ready | PluginStatus::Preparing => {
                    "hosts that run take it up within seconds".to_owned()
                }
            };
            format!("Installed as {}; {status}.", file.display())
        })
        .await?;
        Ok(ExitCode::SUCCESS)
    }
}
