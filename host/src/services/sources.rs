//! What the host does with its sources: which may be asked, how each fares as all workers know it,
//! when one is paused, and when it goes back to an earlier build.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::{
    app::{App, CredentialSet},
    db::{
        self, PgPool,
        chunks::ClaimedChunk,
        sources::{self, BuildRef, FaultCount, SourceProblem, SourceRow},
    },
    error::{chain, meant},
    model::{Grants, Input, SourceInfo, SourceStats},
    plugins::{FailedBuilds, LoadedPlugin},
};

/// Slices in a row that the faults of a build may end before it is paused, or set aside for
/// the one before; see [`weigh`] for those that count.
pub const MOST_FAULTS: i32 = 3;
/// Length of a first pause for faults; each that follows is twice as long where several
/// users met them.
const FIRST_PAUSE: Duration = Duration::from_mins(10);
/// Longest pause for faults.
const LONGEST_PAUSE: Duration = Duration::from_hours(6);
/// Most characters of what is kept about a problem.
const MOST_REASON: usize = 500;

/// Whether a source does what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// Nothing is known against it.
    Ok,
    /// It is asked still, but something is wrong.
    Degraded,
    /// It is not asked.
    Paused,
}

/// How a source fares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HealthReport {
    /// In a word.
    pub condition: Condition,
    /// Why, for everybody.
    pub reason: Option<String>,
    /// What the source or the sandbox said, for the operator only: it may tell what some
    /// user was looking for.
    pub detail: Option<String>,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
    /// When it goes on by itself.
    pub resumes_at: Option<DateTime<Utc>>,
    /// What is wrong with it.
    #[serde(skip)]
    pub problem: Option<SourceProblem>,
}

/// What is known of all sources at one moment.
#[derive(Clone, Debug, Default)]
pub struct SourceStates(Vec<SourceRow>);

impl Condition {
    /// Names it for scripts and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Degraded => "degraded",
            Self::Paused => "paused",
        }
    }

    /// Every condition.
    pub const ALL: [Self; 3] = [Self::Ok, Self::Degraded, Self::Paused];
}

impl SourceStates {
    /// Reads all of them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read(db: &PgPool) -> Result<Self, db::Error> {
        Ok(Self(sources::all(db).await?))
    }

    /// Judges how a source fares where its credentials have this mark.
    #[must_use]
    pub fn health(&self, source: &LoadedPlugin, credential_mark: i32) -> HealthReport {
        let (id, enabled_at) = (source.info.id.as_str(), source.enabled_at);
        let build = BuildRef { id, digest: source.digest, enabled_at, credential_mark };
        let of = |digest| self.0.iter().find(|row| row.id == build.id && row.digest() == Some(digest));
        let own = of(build.digest).map_or(HealthReport::OK, |row| HealthReport::of(row, &build));
        let newer = source.set_aside.as_ref().filter(|_| own.condition != Condition::Paused);
        let Some(newer) = newer else { return own };
        let reason = left_aside(source);
        // What is missing is no problem of the source.
        if newer.lacks.is_some() {
            return HealthReport { condition: Condition::Degraded, reason, ..HealthReport::OK };
        }
        let row = of(newer.build.sha256);
        HealthReport {
            condition: Condition::Degraded,
            reason,
            detail: row.and_then(|row| row.message.clone()),
            since: row.and_then(|row| row.paused_at),
            resumes_at: None,
            problem: Some(SourceProblem::Fault),
        }
    }

    /// Tells whether this source is paused because it was refused, with these credentials.
    fn is_refused(&self, source: &LoadedPlugin, credentials: &CredentialSet) -> bool {
        let health = self.health(source, credentials.mark(&source.info.id));
        health.condition == Condition::Paused && health.problem == Some(SourceProblem::Unauthorized)
    }

    /// Sums up what a source did until now, all its builds together.
    #[must_use]
    pub fn figures(&self, id: &str) -> SourceStats {
        let mut figures = SourceStats::default();
        self.0.iter().filter(|row| row.id == id).for_each(|row| row.add_to(&mut figures));
        figures
    }

    /// Counts the pictures that were judged until now, by source and outcome: kept, duplicate, or the
    /// code of the refusal.
    #[must_use]
    pub fn judged(&self) -> Vec<(String, String, u64)> {
        let ids: BTreeSet<&str> = self.0.iter().map(|row| row.id.as_str()).collect();
        let judged = ids.into_iter().flat_map(|id| {
            let SourceStats { kept, duplicates, refused, .. } = self.figures(id);
            let kept = [("kept".to_owned(), kept), ("duplicate".to_owned(), duplicates)];
            kept.into_iter().chain(refused).map(|(outcome, count)| (id.to_owned(), outcome, count))
        });
        judged.collect()
    }

    /// Lists the builds that are set aside for earlier ones, and those to go back to.
    #[must_use]
    pub fn failed_builds(&self) -> FailedBuilds {
        let rows = self.0.iter().filter(|row| row.rolled_back && row.paused_at.is_some());
        let key = |row: &SourceRow| Some(((row.id.clone(), row.digest()?), row.enabled_at));
        let did_well = self.0.iter().filter(|row| row.did_well).filter_map(SourceRow::digest);
        FailedBuilds { failed: rows.filter_map(key).collect(), did_well: did_well.collect() }
    }
}

impl HealthReport {
    /// Nothing is known against it.
    pub const OK: Self = Self {
        condition: Condition::Ok,
        reason: None,
        detail: None,
        since: None,
        resumes_at: None,
        problem: None,
    };

    fn of(row: &SourceRow, build: &BuildRef<'_>) -> Self {
        let Some(problem) = row.trouble else { return Self::OK };
        let what = match problem {
            SourceProblem::Fault if row.paused_at.is_some() => {
                "its plugin faulted several times in a row, and not for one input or one user alone"
            }
            SourceProblem::Fault => "its plugin faulted",
            SourceProblem::LayoutChanged => "its site no longer looks as it expects",
            SourceProblem::Unauthorized if row.is_of_other_credentials(build) => {
                "it was not tried since its credential changed; the one before was missing or refused"
            }
            SourceProblem::Unauthorized => "its credential is missing or refused",
        };
        let report = Self {
            condition: Condition::Degraded,
            reason: Some(what.to_owned()),
            detail: row.message.clone(),
            since: row.since,
            resumes_at: None,
            problem: Some(problem),
        };
        if !row.pauses(build) {
            return report;
        }
        let how = goes_on(build.id, problem, row.resumes_at.is_some());
        let reason = format!("it is paused: {what}; {how}");
        Self {
            condition: Condition::Paused,
            reason: Some(reason),
            since: row.paused_at,
            resumes_at: row.resumes_at,
            ..report
        }
    }
}

/// Says which newer version of a source is installed but does not run, and why.
#[must_use]
pub fn left_aside(source: &LoadedPlugin) -> Option<String> {
    let newer = source.set_aside.as_ref()?;
    let why = match &newer.lacks {
        Some(spec) => format!("until its credential `{}` is configured", spec.name),
        None => format!("because it faulted {MOST_FAULTS} times in a row"),
    };
    let (newer, runs) = (&newer.build.version, &source.info.version);
    Some(format!("version {newer} is installed but left aside, {why}; version {runs} runs in its place"))
}

/// Says what ends the pause of a source, for its users and the operator.
fn goes_on(id: &str, problem: SourceProblem, by_itself: bool) -> String {
    let how = match (problem, by_itself) {
        (SourceProblem::Unauthorized, _) => "goes on with another credential or version",
        (_, true) => "is tried again after a while",
        (_, false) => "goes on with another version",
    };
    format!("it {how}, or when the operator runs `pixcrawler plugin enable {id}`")
}

/// Says why no crawl of a source can be begun now, with the credentials that it is given, by name, and as
/// it fares; none when one can.
#[must_use]
pub fn unavailable(
    source: &LoadedPlugin,
    is_given: impl Fn(&str) -> bool,
    health: &HealthReport,
) -> Option<String> {
    let missing = || {
        let spec = source.info.missing_credential(is_given)?;
        Some(format!("its credential `{}` is not configured: {}", spec.name, spec.help))
    };
    let paused = || health.reason.clone().filter(|_| health.condition == Condition::Paused);
    source.unavailable().or_else(missing).or_else(paused)
}

/// Says why nobody takes the credential `SOURCE.NAME`, and what there is; none when its source does.
#[must_use]
pub fn unknown_credential(source: &str, name: &str, sources: &[LoadedPlugin]) -> Option<String> {
    let names = |info: &SourceInfo| -> Vec<String> {
        info.credentials.iter().map(|spec| spec.name.clone()).collect()
    };
    let Some(found) = sources.iter().find(|other| other.info.id == source) else {
        let with_some = sources
            .iter()
            .flat_map(|other| names(&other.info).into_iter().map(|name| format!("{}.{name}", other.info.id)));
        let meant = meant(source, sources.iter().map(|other| other.info.id.as_str()));
        return Some(format!(
            "the credential {source}.{name} is for nobody: there is no source `{source}`{meant}; credentials are taken \
             as: {}",
            with_some.collect::<Vec<_>>().join(", ")
        ));
    };
    // What waits for it declares it, too.
    let mut newer = found.set_aside.iter().flat_map(|newer| &newer.build.granted.credentials);
    let is_known = found.info.credentials.iter().any(|spec| spec.name == name)
        || newer.any(|granted| granted.name == name);
    if is_known || !found.is_known() {
        return None;
    }
    let known = names(&found.info);
    let meant = meant(name, known.iter().map(String::as_str));
    let known = if known.is_empty() { "takes none".to_owned() } else { format!("has: {}", known.join(", ")) };
    Some(format!("the credential {source}.{name} is for nobody: the source {source} {known}{meant}"))
}

impl App {
    /// Finds a source that may be asked.
    ///
    /// # Errors
    /// When it is not installed, not ready or not granted; says what to do.
    pub fn source(&self, id: &str) -> Result<LoadedPlugin, String> {
        let source = self.plugins.get(id).ok_or_else(|| format!("the source {id} is not installed"))?;
        source.unavailable().map_or(Ok(source), Err)
    }

    /// Tells whether a source that was looked up before is still on and the same build.
    #[must_use]
    pub fn is_current(&self, source: &LoadedPlugin) -> bool {
        self.source(&source.info.id).is_ok_and(|now| now.digest == source.digest)
    }

    /// Gives what a source may reach, with the secrets that are configured for it.
    #[must_use]
    pub fn grants(&self, source: &LoadedPlugin) -> Grants {
        self.credentials.now().grants(source)
    }

    /// Reads how one source fares.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn health(&self, source: &LoadedPlugin) -> Result<HealthReport, db::Error> {
        let credentials = self.credentials.now();
        let build = credentials.build(source);
        let row = sources::find(&self.db, &build).await?;
        Ok(row.map_or(HealthReport::OK, |row| HealthReport::of(&row, &build)))
    }

    /// Records a problem that a source had with these credentials, for all workers, and does what follows from that.
    /// Tells whether it goes back to an earlier build, or may yet, so that the chunk had better wait.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn report_problem(
        &self,
        source: &LoadedPlugin,
        credentials: &CredentialSet,
        chunk: &ClaimedChunk,
        problem: SourceProblem,
        reason: &str,
    ) -> Result<bool, db::Error> {
        // Nothing that the operator of a source without credentials could do.
        if problem == SourceProblem::Unauthorized && source.info.credentials.is_empty() {
            return Ok(false);
        }
        let build = credentials.build(source);
        let reason: String = reason.chars().take(MOST_REASON).collect();
        let may_go_back = problem == SourceProblem::Fault && self.plugins.can_go_back(source).await;
        let Some(faults) = sources::record_problem(&self.db, &build, chunk, problem, &reason).await? else {
            // Another worker paused it; this one may not have gone back with it yet.
            if may_go_back {
                self.set_aside_failed_builds().await?;
            }
            return Ok(may_go_back);
        };
        let may_go_back = may_go_back && !faults.did_well;
        let (id, version) = (build.id, &source.info.version);
        let resumes_at = match (problem, weigh(source.info.input, faults)) {
            (SourceProblem::LayoutChanged, _) => {
                tracing::warn!(source = id, version, reason, "the site of the source has changed");
                return Ok(may_go_back);
            }
            (SourceProblem::Fault, None) => {
                tracing::warn!(source = id, version, reason, "the source faulted");
                return Ok(may_go_back);
            }
            (SourceProblem::Fault, Some(_)) if may_go_back => {
                if sources::pause(&self.db, &build, None, true).await? {
                    tracing::error!(event = "source-rolled-back", source = id, version, digest = %build.digest, reason, "the source goes back to an earlier version");
                }
                self.set_aside_failed_builds().await?;
                return Ok(may_go_back);
            }
            (SourceProblem::Fault, Some(pause)) => Some(Utc::now() + pause),
            (SourceProblem::Unauthorized, _) => None,
        };
        if sources::pause(&self.db, &build, resumes_at, false).await? {
            let how = goes_on(id, problem, resumes_at.is_some());
            let resumes_at = resumes_at.map(tracing::field::display);
            tracing::error!(
                event = "source-paused",
                source = id,
                version,
                resumes_at,
                reason,
                "the source is paused; {how}"
            );
        }
        Ok(may_go_back)
    }

    /// Warns of the credentials that no source takes, but for those that were `told` before. Gives all of them.
    fn warn_of_unknown_credentials(&self, told: &BTreeSet<String>) -> BTreeSet<String> {
        let (sources, configured) = (self.plugins.list(), self.credentials.now().names());
        let all = configured.iter().flat_map(|(source, names)| names.iter().map(move |name| (source, name)));
        let unknown = all.filter_map(|(source, name)| {
            let why = unknown_credential(source, name, &sources)?;
            let credential = format!("{source}.{name}");
            if !told.contains(&credential) {
                tracing::warn!(event = "credential-unknown", credential, "{why}");
            }
            Some(credential)
        });
        unknown.collect()
    }

    /// Sets aside the builds that any worker found too faulty, and reloads what has changed in the
    /// folder of plugins.
    ///
    /// # Errors
    /// When the database fails; what changed in the folder is reloaded all the same.
    pub async fn set_aside_failed_builds(&self) -> Result<(), db::Error> {
        let states = SourceStates::read(&self.db).await;
        let failed = states.as_ref().ok().map(SourceStates::failed_builds);
        if let Err(error) = self.plugins.follow(failed).await {
            tracing::error!(error = %chain(&error), "the folder of plugins cannot be followed; what runs goes on");
        }
        states.map(drop)
    }
}

/// Weighs how long a source is paused for these faults of a build, if they are enough.
///
/// What one user asks for must not take a source from all others. So only faults for several
/// inputs count; and of a source that goes to an address, which may be made for the purpose,
/// only those of several users. One user alone can have it paused for a short time, not longer
/// each time. And a build that ever did well is paused but never given up.
fn weigh(input: Input, faults: FaultCount) -> Option<Duration> {
    let counts = match input {
        Input::Keywords => faults.several_inputs,
        Input::Address => faults.several_users,
    };
    let doublings = if faults.several_users { faults.pauses.unsigned_abs().min(10) } else { 0 };
    (faults.in_row >= MOST_FAULTS && counts).then(|| (FIRST_PAUSE * 2u32.pow(doublings)).min(LONGEST_PAUSE))
}

/// Reloads what is installed, turned on or off, removed or set aside by an operator or another
/// worker, for ever, so that no restart is needed.
pub(crate) async fn watch_plugins(app: App) {
    let mut tick = tokio::time::interval(app.config.plugins.plugins_poll);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut told = BTreeSet::new();
    loop {
        tick.tick().await;
        if let Err(error) = app.set_aside_failed_builds().await {
            tracing::debug!(%error, "the states of the sources cannot be read");
        }
        if app.plugins.is_settled().await {
            told = app.warn_of_unknown_credentials(&told);
        }
    }
}

/// Takes up credentials that have changed in their file, or that their command gives, for ever. Where they
/// come from neither, there is nothing to do.
pub(crate) async fn watch_credentials(app: App) {
    if !app.credentials.may_change().await {
        return;
    }
    let poll = app.config.plugins.plugins_poll;
    let mut tick = tokio::time::interval(poll);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let states = SourceStates::read(&app.db).await.unwrap_or_default();
        let (mut refused, before) = (app.plugins.list(), app.credentials.now());
        refused.retain(|source| states.is_refused(source, &before));
        let Some(credentials) = app.credentials.follow(poll, !refused.is_empty()).await else { continue };
        let names = credentials.names();
        let all =
            names.iter().flat_map(|(source, names)| names.iter().map(move |name| format!("{source}.{name}")));
        let all = all.collect::<Vec<_>>().join(", ");
        tracing::info!(
            event = "credentials-loaded",
            credentials = all,
            "other credentials are used from now on"
        );
        for source in refused.iter().filter(|source| !states.is_refused(source, &credentials)) {
            tracing::info!(
                event = "source-resumed",
                source = source.info.id,
                "the source is paused no more: its credential has changed"
            );
        }
        if let Err(error) = app.plugins.configure(names).await {
            tracing::error!(error = %chain(&error), "the folder of plugins cannot be read; what runs goes on");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_alone_pauses_little() {
        let faults = |in_row, several_inputs, several_users, pauses| FaultCount {
            in_row,
            several_inputs,
            several_users,
            pauses,
            did_well: true,
        };
        for (faults, keywords, address) in [
            (faults(2, true, true, 0), None, None),
            (faults(9, false, false, 0), None, None),
            (faults(3, true, false, 0), Some(10), None),
            (faults(3, true, false, 5), Some(10), None),
            (faults(3, false, true, 0), None, Some(10)),
            (faults(3, true, true, 0), Some(10), Some(10)),
            (faults(3, true, true, 2), Some(40), Some(40)),
            (faults(3, true, true, 99), Some(360), Some(360)),
        ] {
            assert_eq!(weigh(Input::Keywords, faults), keywords.map(Duration::from_mins), "{faults:?}");
            assert_eq!(weigh(Input::Address, faults), address.map(Duration::from_mins), "{faults:?}");
        }
    }
}
