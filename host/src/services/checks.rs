//! Rules that are asked for later are applied to what a dataset has: what breaks one becomes a refusal.

use std::collections::BTreeMap;

use crate::{
    db::{
        self, PgPool,
        checks::{self, KeptRow},
        fairness,
    },
    model::{DatasetId, ImageId, Rejection, Rules},
    queue::{Queue, QueueError},
    services::jobs::messages,
};

/// Pictures that are looked at, and refused, in one go.
const PAGE: i64 = 500;

/// How far it has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct CheckProgress {
    /// Pictures that the dataset had kept at the beginning.
    pub images: u64,
    /// Pictures that were looked at.
    pub checked: u64,
    /// Those that break a rule.
    pub refused: u64,
    /// Of these.
    pub bytes: u64,
    /// How many break which rule first, by the code of the refusal.
    pub refusals: BTreeMap<&'static str, u64>,
    /// Pictures that keep all other rules and have no scores, by which rules go: they stay.
    pub unmeasured: u64,
}

/// Why not all was looked at; the same again goes on.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// The database failed.
    #[error("the database failed; the same command again goes on")]
    Database(#[from] db::Error),
    /// What goes on cannot be queued.
    #[error("a crawl that goes on cannot be queued; the same command again goes on")]
    Queue(#[from] QueueError),
}

/// Looks at what a dataset has kept and, unless it is a `dry_run`, makes refusals of what breaks the rules, which
/// are [resolved](Rules::resolved). What was done stays when it is interrupted.
///
/// # Errors
/// When the database or the queue fails.
pub async fn check(
    db: &PgPool,
    dataset: DatasetId,
    rules: &Rules,
    dry_run: bool,
    tell: impl Fn(&CheckProgress),
) -> Result<CheckProgress, CheckError> {
    let images = checks::count(db, dataset).await?;
    let mut progress =
        CheckProgress { images: u64::try_from(images).unwrap_or_default(), ..CheckProgress::default() };
    let queue = Queue::new(db);
    let mut after = ImageId(0);
    loop {
        tell(&progress);
        let page = checks::page(db, dataset, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(progress) };
        after = last.id;
        progress.checked += page.len() as u64;
        let mut broken = Vec::new();
        for row in &page {
            match verdict(rules, row) {
                Err(rejection) => {
                    *progress.refusals.entry(rejection.reason.code()).or_default() += 1;
                    progress.refused += 1;
                    progress.bytes += row.bytes();
                    broken.push((row.id, rejection));
                }
                Ok(true) => {}
                Ok(false) => progress.unmeasured += 1,
            }
        }
        if !dry_run && !broken.is_empty() {
            let mut tx = db.begin().await?;
            for (job, chunks) in checks::refuse(&mut tx, dataset, &broken).await? {
                let turns = fairness::turns(&mut tx, job, &chunks, None).await?;
                queue.enqueue(&mut tx, job, &messages(&turns), None).await?;
            }
            tx.commit().await?;
        }
    }
}

/// Whether all that the rules ask about a picture is known.
///
/// # Errors
/// The rule that it breaks.
fn verdict(rules: &Rules, row: &KeptRow) -> Result<bool, Rejection> {
    rules.consent.check(row.signals())?;
    rules.check_license(row.license.as_deref())?;
    let Some(facts) = row.facts() else { return Ok(false) };
    rules.check_picture(&facts)?;
    Ok(facts.scores.are_measured() || !rules.ask_for_scores())
}
