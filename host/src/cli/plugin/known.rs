//! What this host and its database know of the sources.

use crate::{
    app::{self, CredentialFingerprints},
    cli::{counted, tell},
    config::{Config, ConfiguredCredential},
    db::PgPool,
    error,
    model::SourceStats,
    plugins::{LoadedPlugin, Plugins},
    services::sources::{self, Condition, HealthReport, SourceStates},
};

/// What this host knows of the sources beside what they say of themselves: what is configured
/// for them and, where the database answers, how they fare and what they did.
pub(in crate::cli) struct Known {
    credentials: Vec<ConfiguredCredential>,
    /// None where no database answers.
    states: Option<(SourceStates, CredentialFingerprints)>,
}

impl Known {
    /// Asks the database, if there is one; none is started for this, and one that does not
    /// answer is only warned of. What was set aside for its faults is set aside here, too.
    pub(super) async fn find(config: &Config, plugins: &Plugins) -> anyhow::Result<Self> {
        let mut known = Self::configured(config)?;
        let reached = async {
            let Some(db) = app::Database::reach(config).await? else { return Ok(()) };
            let read = known.read(&db, plugins).await;
            db.close().await;
            read
        };
        if let Err(error) = reached.await {
            let why = error::chain(error.as_ref());
            tell(&format!("Warning: how the sources fare is not known: {why}"));
        }
        Ok(known)
    }

    /// Reads what is configured, alone.
    ///
    /// # Errors
    /// When it cannot be understood.
    pub(in crate::cli) fn configured(config: &Config) -> anyhow::Result<Self> {
        let credentials = config.credentials().map_err(app::StartError::from)?;
        Ok(Self { credentials, states: None })
    }

    /// Reads what this database tells of them.
    ///
    /// # Errors
    /// When it does not, or the folder of plugins cannot be read.
    pub(in crate::cli) async fn read(&mut self, db: &PgPool, plugins: &Plugins) -> anyhow::Result<()> {
        let fingerprints = CredentialFingerprints::new(db, &self.credentials).await?;
        let states = SourceStates::read(db).await?;
        plugins.follow(Some(states.failed_builds())).await?;
        self.states = Some((states, fingerprints));
        Ok(())
    }

    /// Says why no crawl of a source can be begun now, as the API judges it.
    pub(in crate::cli) fn unavailable(&self, source: &LoadedPlugin) -> Option<String> {
        let health = self.observed(source).map_or(HealthReport::OK, |(health, _)| health);
        sources::unavailable(source, &source.grants(&self.credentials), &health)
    }

    /// How a source fares and what it did, where a database told.
    pub(super) fn observed(&self, source: &LoadedPlugin) -> Option<(HealthReport, SourceStats)> {
        let (states, fingerprints) = self.states.as_ref()?;
        Some((states.health(source, fingerprints), states.figures(&source.info.id)))
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
