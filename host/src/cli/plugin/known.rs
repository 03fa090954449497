//! What this host and its database know of the sources.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::{
    app::{self, CredentialReader, CredentialSet},
    cli::{counted, tell},
    config::Config,
    db::{PgPool, hosts::HostRow},
    error,
    model::{CredentialSpec, SourceInfo, SourceStats},
    plugins::{LoadedPlugin, Plugins},
    services::{
        presence,
        sources::{self, Condition, HealthReport, SourceStates},
    },
};

/// What is known of the sources beside what they say of themselves: which credentials the hosts that run have, or
/// else the settings here, and, where the database answers, how they fare and what they did.
pub(in crate::cli) struct Known {
    here: BTreeMap<String, BTreeSet<String>>,
    /// None where no database answers.
    database: Option<KnownByDatabase>,
}

struct KnownByDatabase {
    states: SourceStates,
    /// Those of the settings here.
    credentials: CredentialSet,
    /// Those that run; by the first it is judged what can be used.
    hosts: Vec<HostRow>,
}

/// Who has credentials: a host that runs, or the settings of this command.
#[derive(Clone, Copy)]
pub(in crate::cli) enum Holder<'a> {
    Host(&'a HostRow),
    Here(&'a BTreeMap<String, BTreeSet<String>>),
}

impl<'a> Holder<'a> {
    /// Names it for people.
    pub(in crate::cli) fn name(self) -> String {
        match self {
            Self::Here(_) => "this shell".to_owned(),
            Self::Host(HostRow { role, pid, machine, .. }) => {
                let machine = machine.as_ref().map(|machine| format!(" on {machine}"));
                format!("the {role} (pid {pid}{})", machine.unwrap_or_default())
            }
        }
    }

    /// Lists the names of the credentials that it has for a source.
    fn names(self, source: &str) -> Vec<&'a str> {
        match self {
            Self::Here(names) => names.get(source).into_iter().flatten().map(String::as_str).collect(),
            Self::Host(host) => {
                let had = host.credentials.get(source);
                had.into_iter().flat_map(|had| &had.names).map(String::as_str).collect()
            }
        }
    }

    /// Lists all that it has, by source.
    pub(in crate::cli) fn all(self) -> BTreeMap<String, BTreeSet<String>> {
        match self {
            Self::Here(names) => names.clone(),
            Self::Host(host) => {
                let had = host.credentials.iter();
                had.map(|(id, had)| (id.clone(), had.names.iter().cloned().collect())).collect()
            }
        }
    }

    fn described(self) -> Value {
        match self {
            Self::Here(_) => json!({"role": "shell"}),
            Self::Host(HostRow { role, pid, machine, .. }) => {
                json!({"role": role, "pid": pid, "machine": machine})
            }
        }
    }
}

impl Known {
    /// Asks the database, if there is one; none is started for this, and one that does not
    /// answer is only warned of. What was set aside for its faults, or lacks a credential, is set aside
    /// here, too.
    pub(super) async fn find(config: &Config, plugins: &Plugins) -> anyhow::Result<Self> {
        let reader = CredentialReader::begin(&config.plugins).await.map_err(app::StartError::from)?;
        let reached = async {
            let Some(db) = app::Database::reach(config).await? else { return Ok(None) };
            let read = Self::read(Some(&db), &reader, plugins).await;
            db.close().await;
            read.map(Some)
        };
        match reached.await {
            Ok(Some(known)) => Ok(known),
            Ok(None) => Self::read(None, &reader, plugins).await,
            Err(error) => {
                let why = error::chain(error.as_ref());
                tell(&format!("Warning: how the sources fare is not known: {why}"));
                Self::read(None, &reader, plugins).await
            }
        }
    }

    /// Reads what this database tells of them, if there is one.
    ///
    /// # Errors
    /// When it does not, or the folder of plugins cannot be read.
    pub(in crate::cli) async fn read(
        db: Option<&PgPool>,
        reader: &CredentialReader,
        plugins: &Plugins,
    ) -> anyhow::Result<Self> {
        let configured = reader.credentials();
        let mut known = Self { here: app::credential_names(&configured), database: None };
        if let Some(db) = db {
            let states = SourceStates::read(db).await?;
            plugins.follow(Some(states.failed_builds())).await?;
            let hosts = presence::running(db).await?;
            let credentials = CredentialSet::new(db, configured).await?;
            known.database = Some(KnownByDatabase { states, credentials, hosts });
        }
        plugins.configure(known.judge().all()).await?;
        Ok(known)
    }

    fn hosts(&self) -> &[HostRow] {
        self.database.as_ref().map(|database| database.hosts.as_slice()).unwrap_or_default()
    }

    /// Lists all who have credentials, those that count first.
    pub(in crate::cli) fn holders(&self) -> impl Iterator<Item = Holder<'_>> {
        self.hosts().iter().map(Holder::Host).chain([Holder::Here(&self.here)])
    }

    /// By whose credentials it is judged what can be used.
    pub(in crate::cli) fn judge(&self) -> Holder<'_> {
        self.hosts().first().map_or(Holder::Here(&self.here), Holder::Host)
    }

    /// Says that in a sentence.
    pub(super) fn judged_by(&self) -> String {
        match self.judge() {
            host @ Holder::Host(_) => format!("As {} has it.", host.name()),
            Holder::Here(_) if self.database.is_some() => {
                "No server or worker runs here: as the settings of this shell have it.".to_owned()
            }
            Holder::Here(_) => "As the settings of this shell have it.".to_owned(),
        }
    }

    /// The same for scripts.
    pub(super) fn described_judge(&self) -> Value {
        self.judge().described()
    }

    /// Finds the credential that this build requires and that is not there, and who lacks it, in words.
    pub(super) fn missing<'a>(&self, info: &'a SourceInfo) -> Option<(&'a CredentialSpec, String)> {
        let judge = self.judge();
        let names = judge.names(&info.id);
        let spec = info.missing_credential(|name| names.contains(&name))?;
        Some((spec, judge.name()))
    }

    /// Says who has which of a source's credentials; nothing where it takes none, and only which where all
    /// have the same.
    pub(super) fn configured(&self, source: &LoadedPlugin) -> String {
        let id = source.info.id.as_str();
        let held: Vec<_> = self.holders().map(|holder| (holder, holder.names(id))).collect();
        if source.info.credentials.is_empty() && held.iter().all(|(_, names)| names.is_empty()) {
            return String::new();
        }
        let said = |names: &[&str]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let judge = self.judge().names(id);
        if held.iter().all(|(holder, names)| *names == judge && self.is_as_judge(*holder, id)) {
            return said(&judge);
        }
        let each = held.iter().map(|(holder, names)| {
            let other = *names == judge && !self.is_as_judge(*holder, id);
            let other = if other { " with another secret" } else { "" };
            format!("{} has {}{other}", holder.name(), said(names))
        });
        each.collect::<Vec<_>>().join("; ")
    }

    /// The same for scripts.
    pub(super) fn described_configured(&self, source: &LoadedPlugin) -> Value {
        let id = source.info.id.as_str();
        let each = self.holders().map(|holder| {
            let mut described = holder.described();
            described["credentials"] = json!(holder.names(id));
            described["same_as_judge"] = json!(self.is_as_judge(holder, id));
            described
        });
        each.collect()
    }

    /// Tells whether one has the very credentials of a source by which it is judged.
    fn is_as_judge(&self, holder: Holder<'_>, source: &str) -> bool {
        self.mark(holder, source) == self.mark(self.judge(), source)
    }

    /// What tells the credentials of a source from others; none where no database answers.
    fn mark(&self, holder: Holder<'_>, source: &str) -> Option<i32> {
        let credentials = &self.database.as_ref()?.credentials;
        Some(match holder {
            Holder::Here(_) => credentials.mark(source),
            Holder::Host(host) => {
                let had = host.credentials.get(source);
                had.map_or_else(|| credentials.mark_of_none(), |had| had.mark)
            }
        })
    }

    /// Says why no crawl of a source can be begun now, as the API judges it.
    pub(in crate::cli) fn unavailable(&self, source: &LoadedPlugin) -> Option<String> {
        let health = self.observed(source).map_or(HealthReport::OK, |(health, _)| health);
        let names = self.judge().names(&source.info.id);
        sources::unavailable(source, |name| names.contains(&name), &health)
    }

    /// How a source fares and what it did, where a database told.
    pub(super) fn observed(&self, source: &LoadedPlugin) -> Option<(HealthReport, SourceStats)> {
        let states = &self.database.as_ref()?.states;
        let id = &source.info.id;
        let mark = self.mark(self.judge(), id)?;
        Some((states.health(source, mark), states.figures(id)))
    }

    /// Describes both for people, a line of each. That one is well which cannot be used is not said.
    pub(super) fn text(&self, source: &LoadedPlugin) -> (String, String) {
        let Some((health, figures)) = self.observed(source) else { return Default::default() };
        let is_shown = health.condition != Condition::Ok || self.unavailable(source).is_none();
        let HealthReport { condition, reason, detail, since, .. } = health;
        let since = since.map(|since| format!(" since {}", since.format("%Y-%m-%d %H:%M UTC")));
        let words = [reason, detail].into_iter().flatten().map(|words| words.replace('\n', " "));
        let words: String = words.map(|words| format!("; {words}")).collect();
        let health = format!("{}{}{words}", condition.name(), since.unwrap_or_default());
        let health = if is_shown { health } else { String::new() };
        if figures == SourceStats::default() {
            return (health, String::new());
        }
        let refused: u64 = figures.refused.values().sum();
        let done = format!(
            "{} ({}), {}, {} found, {} kept, {} duplicate, {refused} refused, {:.1} s CPU, \
             {} peak",
            counted(figures.steps, "step"),
            counted(figures.faults, "fault"),
            counted(figures.requests, "request"),
            figures.candidates,
            figures.kept,
            figures.duplicates,
            figures.cpu.as_secs_f64(),
            indicatif::HumanBytes(figures.peak_memory),
        );
        (health, done)
    }
}
