//! What a crawl shows while it runs, on standard error: a bar on a terminal, else a line
//! every few seconds.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use chrono::{DateTime, Utc};
use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::{
    cli::tell,
    db::{self, PgPool},
    model::{ChunkState, JobId, JobState, UserId},
};

/// Lines are at least this far apart.
const LINES: Duration = Duration::from_secs(5);

/// A job at one moment.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct Snapshot {
    pub(in crate::cli) status: JobState,
    pub(in crate::cli) wanted: i32,
    /// Nobody said how many: `wanted` is the default.
    pub(in crate::cli) wanted_is_default: bool,
    pub(in crate::cli) kept: i32,
    /// Different pictures that the sources named.
    pub(in crate::cli) found: i64,
    pub(in crate::cli) duplicates: i64,
    /// By code.
    pub(in crate::cli) refused: BTreeMap<String, i64>,
    /// Why there are fewer than wanted, or none.
    pub(in crate::cli) reason: Option<String>,
    /// What the sources said.
    pub(in crate::cli) warnings: Vec<String>,
    /// What failed, whatever was kept.
    pub(in crate::cli) failed_parts: Vec<FailedPart>,
    /// A process works on it.
    #[serde(skip)]
    pub(super) running: bool,
    /// The most images that are still to come; none when nobody knows.
    #[serde(skip)]
    pub(super) left: Option<i32>,
    /// Why nothing happens for now, and until when.
    #[serde(skip)]
    pub(super) waits: Option<(String, DateTime<Utc>)>,
}

/// An input of which a source brought less than it has.
#[derive(Clone, Debug, Serialize)]
pub(in crate::cli) struct FailedPart {
    /// The keyword or address.
    pub(super) input: String,
    pub(super) label: String,
    pub(super) source: String,
    pub(super) reason: Option<String>,
}

impl Snapshot {
    /// How many images there are to be, as far as anybody knows.
    fn expected(&self) -> Option<i32> {
        if self.wanted_is_default { self.left.map(|left| self.kept + left) } else { Some(self.wanted) }
    }

    /// Looks at a job of this user.
    ///
    /// # Errors
    /// When the job is gone or the database fails.
    pub(super) async fn look(db: &PgPool, user: UserId, job: JobId) -> anyhow::Result<Self> {
        let detail = db::jobs::detail(db, user, job).await?.context("the job was deleted")?;
        Ok(Self::of(&detail, db::jobs::found(db, user, job).await?))
    }

    /// A job of which so many pictures were `found`.
    pub(in crate::cli) fn of(detail: &db::jobs::JobDetail, found: i64) -> Self {
        let (row, chunks) = (&detail.job, &detail.chunks.0);
        let (refused, duplicates) = db::jobs::ReasonCount::split(detail.reasons.0.clone());
        let running = chunks.iter().any(|chunk| chunk.state == ChunkState::Running);
        let busy = running || chunks.iter().any(|chunk| chunk.state == ChunkState::Queued);
        let waiting = chunks.iter().filter(|_| !busy).filter_map(|chunk| {
            let reason = chunk.reason.as_deref().unwrap_or("asked to wait");
            Some((format!("{}: {reason}", chunk.source), chunk.waiting_until?))
        });
        let failed = chunks.iter().filter(|chunk| chunk.state == ChunkState::Failed);
        let failed_parts = failed.map(FailedPart::of).collect();
        let mut warnings = Vec::new();
        for chunk in chunks {
            for warning in &chunk.warnings {
                let warning = format!("{}: {warning}", chunk.source);
                if !warnings.contains(&warning) {
                    warnings.push(warning);
                }
            }
        }
        Self {
            status: row.status.0,
            wanted: row.max_images,
            wanted_is_default: row.max_is_default,
            kept: row.valid_images,
            left: row.images_left(),
            found,
            duplicates,
            refused,
            reason: row.error.clone(),
            warnings,
            failed_parts,
            running,
            waits: waiting.min_by_key(|(_, until)| *until),
        }
    }
}

impl FailedPart {
    fn of(chunk: &db::jobs::ChunkDetail) -> Self {
        Self {
            input: chunk.keyword.clone(),
            label: chunk.label.clone(),
            source: chunk.source.clone(),
            reason: chunk.reason.clone(),
        }
    }
}

/// The display of one crawl.
pub(super) struct Progress {
    terminal: MultiProgress,
    bar: ProgressBar,
    /// How the bar looks where it is known how many there are to be, and where not.
    styles: [ProgressStyle; 2],
    began: Option<(Instant, i32)>,
    line: Option<(Instant, String)>,
}

impl Progress {
    pub(super) fn new(terminal: &MultiProgress) -> anyhow::Result<Self> {
        let styles = [
            ProgressStyle::with_template("{spinner} {bar:24} {pos}/{len} kept  {wide_msg}")?,
            ProgressStyle::with_template("{spinner} {pos} kept  {wide_msg}")?,
        ];
        let bar = ProgressBar::new(0).with_style(styles[1].clone()).with_message("starting");
        let bar = terminal.add(bar);
        bar.enable_steady_tick(Duration::from_millis(120));
        Ok(Self { terminal: terminal.clone(), bar, styles, began: None, line: None })
    }

    /// Says something beside the counts.
    pub(super) fn note(&self, text: &str) {
        self.terminal.suspend(|| tell(text));
    }

    /// Says what takes long before there is anything to count.
    pub(super) fn busy(&self, what: &str) {
        let text = format!("{what} …");
        if self.terminal.is_hidden() { self.note(&text) } else { self.bar.set_message(text) }
    }

    /// Shows the counts: in the bar or, without a terminal, now and then in a line.
    pub(super) fn show(&mut self, job: &Snapshot) {
        let (began, before) = *self.began.get_or_insert((Instant::now(), job.kept));
        let text = counts(job, began.elapsed(), job.kept - before);
        if !self.terminal.is_hidden() {
            let expected = job.expected().and_then(|expected| u64::try_from(expected).ok());
            self.bar.set_style(self.styles[usize::from(expected.is_none())].clone());
            self.bar.set_length(expected.unwrap_or_default());
            self.bar.set_position(u64::try_from(job.kept).unwrap_or_default());
            self.bar.set_message(text);
            return;
        }
        let due = self.line.as_ref().is_none_or(|(at, last)| at.elapsed() >= LINES && *last != text);
        if due || job.status.is_over() {
            self.note(&match job.expected() {
                Some(expected) => format!("{}/{expected} kept, {text}", job.kept),
                None => format!("{} kept, {text}", job.kept),
            });
            self.line = Some((Instant::now(), text));
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// Everything but the number kept, the most important first, because terminals are narrow.
fn counts(job: &Snapshot, elapsed: Duration, kept: i32) -> String {
    let mut parts = vec![format!("{} found", job.found)];
    let seconds = elapsed.as_secs_f64();
    // While nothing happens it would only grow.
    if kept > 0 && seconds >= 1.0 && !job.status.is_over() && job.waits.is_none() {
        let rate = f64::from(kept) / seconds;
        parts.push(format!("{rate:.1}/s"));
        if let Some(left) = job.left {
            let left = Duration::from_secs_f64(f64::from(left) / rate);
            parts.push(format!("{} left", HumanDuration(left)));
        }
    }
    if let Some((reason, until)) = &job.waits {
        let left = (*until - Utc::now()).to_std().unwrap_or_default();
        parts.push(format!("waiting {} ({reason})", HumanDuration(left)));
    }
    if job.duplicates > 0 {
        parts.push(format!("{} duplicates", job.duplicates));
    }
    if !job.refused.is_empty() {
        parts.push(refusals(&job.refused));
    }
    parts.join(", ")
}

/// `12 refused (8 not-found, 4 truncated)`, the most frequent first.
pub(in crate::cli) fn refusals(refused: &BTreeMap<String, i64>) -> String {
    if refused.is_empty() {
        return "0 refused".to_owned();
    }
    let mut codes: Vec<_> = refused.iter().collect();
    codes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let codes: Vec<String> = codes.into_iter().map(|(code, count)| format!("{count} {code}")).collect();
    format!("{} refused ({})", refused.values().sum::<i64>(), codes.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_in_one_line() {
        let mut job = Snapshot {
            status: JobState::Running,
            wanted: 200,
            wanted_is_default: false,
            kept: 50,
            found: 240,
            duplicates: 0,
            refused: BTreeMap::new(),
            reason: None,
            warnings: Vec::new(),
            failed_parts: Vec::new(),
            running: true,
            left: Some(150),
            waits: None,
        };
        assert_eq!(counts(&job, Duration::from_secs(10), 20), "240 found, 2.0/s, 75 seconds left");
        assert_eq!(counts(&job, Duration::from_millis(10), 20), "240 found");
        assert_eq!(job.expected(), Some(200));
        // Nobody knows how many there are, and then it is known.
        job.wanted_is_default = true;
        job.left = None;
        assert_eq!(counts(&job, Duration::from_secs(10), 20), "240 found, 2.0/s");
        assert_eq!(job.expected(), None);
        job.left = Some(10);
        assert_eq!(counts(&job, Duration::from_secs(10), 20), "240 found, 2.0/s, 5 seconds left");
        assert_eq!(job.expected(), Some(60));
        job.waits = Some(("site: status 503".to_owned(), Utc::now() + Duration::from_millis(30_400)));
        let expect = "240 found, waiting 30 seconds (site: status 503)";
        assert_eq!(counts(&job, Duration::from_secs(10), 20), expect);
        job.waits = None;
        job.duplicates = 3;
        job.refused = BTreeMap::from([("not-found".to_owned(), 1), ("truncated".to_owned(), 4)]);
        job.status = JobState::Completed;
        let expect = "240 found, 3 duplicates, 5 refused (4 truncated, 1 not-found)";
        assert_eq!(counts(&job, Duration::from_secs(10), 50), expect);
    }
}
