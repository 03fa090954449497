//! What the database knows of the sources, where it is within reach.

use serde_json::{Value, json};

use crate::{
    app::{
        self,
        health::{CredentialMarks, Health, SourceStates},
    },
    cli::tell,
    config::{Config, ConfiguredCredential},
    plugin::{Installed, Plugins},
    source::Figures,
};

/// How the sources fare and what they did.
pub(super) struct Known {
    states: SourceStates,
    marks: CredentialMarks,
}

impl Known {
    /// Asks the database, if there is one; none is started for this, and one that does not
    /// answer is only told of. What was left aside for its faults is left aside here, too.
    pub(super) async fn find(config: &Config, plugins: &Plugins) -> anyhow::Result<Option<Self>> {
        let credentials = config.credentials().map_err(app::StartError::from)?;
        match Self::read(config, &credentials).await {
            Ok(Some(known)) => {
                plugins.follow(Some(known.states.condemned())).await?;
                Ok(Some(known))
            }
            Ok(None) => Ok(None),
            Err(error) => {
                let why = app::chain(error.as_ref());
                tell(&format!("Warning: how the sources fare is not known: {why}"));
                Ok(None)
            }
        }
    }

    async fn read(config: &Config, credentials: &[ConfiguredCredential]) -> anyhow::Result<Option<Self>> {
        let Some(db) = app::Database::reach(config).await? else { return Ok(None) };
        let marks = CredentialMarks::new(&db, credentials).await?;
        let states = SourceStates::read(&db).await?;
        db.close().await;
        Ok(Some(Self { states, marks }))
    }

    pub(super) fn health(&self, source: &Installed) -> Health {
        self.states.health(source, &self.marks)
    }

    pub(super) fn figures(&self, source: &Installed) -> Figures {
        self.states.figures(&source.info.id)
    }

    /// For scripts: health and figures.
    pub(super) fn described(&self, source: &Installed) -> (Value, Value) {
        let health = self.health(source);
        let health_json = json!({
            "condition": health.condition.name(),
            "reason": health.reason,
            "detail": health.detail,
            "since": health.since,
            "resumes_at": health.resumes_at,
        });
        let figures = self.figures(source);
        let figures_json = json!({
            "steps": figures.steps,
            "faults": figures.faults,
            "requests": figures.requests,
            "answers": figures.answers,
            "candidates": figures.candidates,
            "kept": figures.kept,
            "duplicates": figures.duplicates,
            "refused": figures.refused,
            "cpu_ms": u64::try_from(figures.cpu.as_millis()).unwrap_or(u64::MAX),
            "peak_memory": figures.peak_memory,
        });
        (health_json, figures_json)
    }

    /// For people: a line of each.
    pub(super) fn told(&self, source: &Installed) -> (String, String) {
        let Health { condition, reason, detail, since, .. } = self.health(source);
        let since = since.map(|since| format!(" since {}", since.format("%Y-%m-%d %H:%M UTC")));
        let words = [reason, detail].into_iter().flatten().map(|words| words.replace('\n', " "));
        let words: String = words.map(|words| format!("; {words}")).collect();
        let health = format!("{}{}{words}", condition.name(), since.unwrap_or_default());
        let figures = self.figures(source);
        if figures == Figures::default() {
            return (health, String::new());
        }
        let refused: u64 = figures.refused.values().sum();
        let done = format!(
            "{} steps ({} faults), {} requests, {} found, {} kept, {} duplicate, {refused} refused, {:.1} s CPU, \
             {} peak",
            figures.steps,
            figures.faults,
            figures.requests,
            figures.candidates,
            figures.kept,
            figures.duplicates,
            figures.cpu.as_secs_f64(),
            indicatif::HumanBytes(figures.peak_memory),
        );
        (health, done)
    }
}
