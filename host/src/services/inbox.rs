//! Jobs that the frontend makes and cancels by itself, with its own client and as its user: they
//! are checked like those of the API, and begun or stopped.

use std::time::Duration;

use tokio::{sync::broadcast::error::RecvError, time::MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::{
    app::{App, Signal},
    db::{self, PgConnection, inbox, job_lifecycle, jobs::JobRow},
    error::chain,
    model::{JobId, JobState, UserId},
    services::{
        create::{JobRequest, SourceOffer},
        jobs::{JobError, messages},
        profiles::ProfileError,
        quotas::Admission,
    },
};

/// How often the inbox is looked into when nothing is told: a signal may be lost.
const SWEEP: Duration = Duration::from_secs(10);
/// Failures until the next look.
const MOST_FAILURES: usize = 100;

impl App {
    /// Acts on what the frontend wrote, within two seconds when it is told, until `stop`.
    pub async fn watch_inbox(self, stop: CancellationToken) {
        let mut signals = self.signals.subscribe();
        let mut sweep = tokio::time::interval(SWEEP);
        sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = sweep.tick() => {}
                signal = signals.recv() => match signal {
                    Ok(Signal::Inbox(_)) | Err(RecvError::Lagged(_)) => {}
                    Ok(_) => continue,
                    Err(RecvError::Closed) => return,
                },
            }
            // A job that names no source gets what is there, which is not known before.
            if self.plugins.is_settled().await {
                self.drain_inbox().await;
            }
        }
    }

    /// Acts on all that is there, for one user after the other.
    async fn drain_inbox(&self) {
        let mut served = Vec::new();
        // One that failed comes again, behind the others: not without end.
        let mut failures = 0;
        while failures < MOST_FAILURES {
            let (job, user) = match inbox::next(&self.db, &served).await {
                Ok(Some(next)) => next,
                Ok(None) if served.is_empty() => return,
                Ok(None) => {
                    served.clear();
                    continue;
                }
                Err(error) => return tracing::debug!(%error, "the inbox cannot be read"),
            };
            served.push(user);
            if let Err(error) = self.act_on(job, user).await {
                tracing::warn!(%job, error = %chain(&error), "a job of the frontend could not be acted on");
                failures += 1;
                // When the database is away this fails, too, and the next sweep comes.
                if inbox::defer(&self.db, job).await.is_err() {
                    return;
                }
            }
        }
    }

    async fn act_on(&self, id: JobId, user: UserId) -> Result<(), JobError> {
        let offered = self.offered().await?;
        let mut tx = self.db.begin().await?;
        let open = self.too_many_open(&mut tx, user).await?;
        let Some(job) = inbox::take(&mut tx, user, id).await? else { return Ok(()) };
        match job.status.0 {
            JobState::Pending if !job.has_parts() => {
                let refused = match self.begin_inserted(&mut tx, &job, open, &offered).await {
                    Ok(()) => None,
                    Err(JobError::Database(error)) if db::refuses_data(&error) => {
                        // Nothing more can be done in this transaction.
                        tx.rollback().await?;
                        tx = self.db.begin().await?;
                        if inbox::take(&mut tx, user, id).await?.is_none() {
                            return Ok(());
                        }
                        Some("what it asks for cannot be written to the database".to_owned())
                    }
                    Err(error @ (JobError::Database(_) | JobError::Queue(_))) => return Err(error),
                    Err(refused) => Some(refused.to_string()),
                };
                if let Some(reason) = refused {
                    job_lifecycle::refuse(&mut tx, &job, &reason).await?;
                }
            }
            JobState::Cancelled => {
                job_lifecycle::stop(&mut tx, &job).await?;
            }
            // Somebody else acted on it meanwhile.
            _ => {}
        }
        tx.commit().await?;
        Ok(())
    }

    /// Checks a job without parts as if it were asked for now, and begins it, unless its user has as
    /// many `open` as are allowed. Nothing is written where it is refused.
    pub(super) async fn begin_inserted(
        &self,
        tx: &mut PgConnection,
        job: &JobRow,
        open: Option<i64>,
        offered: &[SourceOffer],
    ) -> Result<(), JobError> {
        if let Some(most) = open {
            return Err(JobError::TooMany(most));
        }
        if !self.config.supabase.anonymous_jobs && db::profiles::is_anonymous(tx, job.user_id).await? {
            return Err(ProfileError::Anonymous.into());
        }
        let spec = self.check(&request(job), offered).map_err(JobError::Rules)?;
        self.admit(tx, job.user_id, Admission::New(spec.max_images)).await?;
        let queued = db::jobs::begin_inserted(tx, job, &spec).await?;
        db::usage::set_price(tx, job.id, self.config.crawl.credits_per_image).await?;
        let turns = db::fairness::turns(tx, job.id, &queued, None).await?;
        self.queue.enqueue(tx, job.id, &messages(&turns), None).await?;
        tracing::info!(job = %job.id, chunks = spec.chunks.len(), "job of the frontend begun");
        Ok(())
    }
}

/// The request that would have made this row.
fn request(job: &JobRow) -> JobRequest {
    let options = &job.options.0;
    let inputs = job.input.as_ref().map(|input| input.0.clone()).unwrap_or_default();
    let values = options.sources.iter().map(|(source, values)| {
        let values = values.iter().map(|(name, value)| (name.clone(), value.clone().into()));
        (source.clone(), values.collect())
    });
    JobRequest {
        name: Some(job.name.clone()),
        keywords: job.keywords.0.0.clone(),
        urls: inputs.urls,
        max_images: Some(job.max_images.into()),
        sources: job.sources.0.0.clone(),
        options: values.collect(),
        safe_search: Some(options.safe_search),
        language: options.language.clone(),
        labels: inputs.labels,
        rules: job.rules.0.clone(),
        dataset_id: Some(job.dataset_id.0.into()),
        ..JobRequest::default()
    }
}
