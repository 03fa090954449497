//! What a user does to a job. Each change of state and the messages that follow from
//! it are one transaction.

use crate::{
    app::App,
    db::{
        self, PgPool,
        fairness::{self, QueueTurn},
        job_lifecycle::{self, RetryFound},
    },
    model::{JobId, JobState, UserId},
    queue::{ChunkMessage, QueueError},
    services::{
        Violation,
        profiles::ProfileError,
        quotas::{Admission, QuotaError},
    },
};

pub use job_lifecycle::{Cancelled, RetryOptions};

/// What a retry came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RetryOutcome {
    /// No such job of this user.
    NotFound,
    /// It is in this state, no part of it failed, and nothing else is asked of it.
    NotOver(JobState),
    /// It has as many images as were asked for, which leaves no room for new ones.
    Full(i32),
    /// It goes on.
    Now,
}

/// Why a job was not made, begun or changed; nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// What it asks for breaks rules: all of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Rules(Vec<Violation>),
    /// The user has no such dataset or project.
    #[error("{0}")]
    NoDestination(Violation),
    /// The key was used for another request less than a day ago.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// Its user may not.
    #[error(transparent)]
    Caller(#[from] ProfileError),
    /// The user has as many jobs under way as are allowed.
    #[error("{0} jobs of yours are under way, which is as many as are allowed; wait for one to end")]
    TooMany(i64),
    /// Its user has had, or is to have, as much as may be.
    #[error(transparent)]
    Quota(QuotaError),
    /// The database failed.
    #[error("the job cannot be written")]
    Database(#[from] db::Error),
    /// The queue failed.
    #[error("the job cannot be queued")]
    Queue(#[from] QueueError),
}

impl From<QuotaError> for JobError {
    fn from(error: QuotaError) -> Self {
        match error {
            QuotaError::Database(error) => Self::Database(error),
            reached => Self::Quota(reached),
        }
    }
}

impl App {
    /// Cancels a job: its workers drop it within two seconds and what was kept stays.
    ///
    /// # Errors
    /// When the database fails; then the job goes on.
    pub async fn cancel_job(&self, user: UserId, job: JobId) -> Result<Cancelled, JobError> {
        Ok(cancel(&self.db, user, job).await?)
    }

    /// Begins a job again that failed, was cancelled or lacks a part that failed, that is to have
    /// another number of images, or of which the sources are to be asked anew; nothing that is there is
    /// fetched again. One that the frontend wrote and that was not begun is checked.
    ///
    /// # Errors
    /// When it may not be begun, or cannot; then it stays as it is.
    pub async fn retry_job(
        &self,
        user: UserId,
        job: JobId,
        options: RetryOptions,
    ) -> Result<RetryOutcome, JobError> {
        let offered = self.offered().await?;
        let mut tx = self.db.begin().await?;
        let open = self.too_many_open(&mut tx, user).await?;
        match job_lifecycle::retry(&mut tx, user, job, options).await? {
            RetryFound::NotFound => return Ok(RetryOutcome::NotFound),
            RetryFound::NotOver(state) => return Ok(RetryOutcome::NotOver(state)),
            RetryFound::Full(kept) => return Ok(RetryOutcome::Full(kept)),
            RetryFound::NoParts(found) => self.begin_inserted(&mut tx, &found, open, &offered).await?,
            RetryFound::Now { reopened: true, .. } if let Some(most) = open => {
                return Err(JobError::TooMany(most));
            }
            RetryFound::Now { queued, reopened, grows } => {
                if reopened || grows {
                    self.admit(&mut tx, user, Admission::Again(job)).await?;
                }
                db::usage::set_price(&mut tx, job, self.config.crawl.credits_per_image).await?;
                let turns = fairness::turns(&mut tx, job, &queued, None).await?;
                self.queue.enqueue(&mut tx, job, &messages(&turns), None).await?;
            }
        }
        tx.commit().await?;
        Ok(RetryOutcome::Now)
    }

    /// The number of open jobs that this user may have, when there are so many. Nobody else opens one
    /// for the user before the end of the transaction.
    pub(super) async fn too_many_open(
        &self,
        connection: &mut db::PgConnection,
        user: UserId,
    ) -> Result<Option<i64>, db::Error> {
        self.lock_quotas(connection, user).await?;
        let Some(most) = self.config.crawl.open_jobs else { return Ok(None) };
        Ok((db::jobs::open(connection, user).await? >= most).then_some(most))
    }

    /// Deletes a job and its rows, cancelling it first; whether there was such a job of this user.
    ///
    /// # Errors
    /// When the database fails; then the job is there still, cancelled perhaps.
    pub async fn delete_job(&self, user: UserId, job: JobId) -> Result<bool, JobError> {
        Ok(delete(&self.db, user, job).await?)
    }
}

/// [`App::cancel_job`], where only the database is there.
///
/// # Errors
/// When the database fails; then the job goes on.
pub async fn cancel(db: &PgPool, user: UserId, job: JobId) -> Result<Cancelled, db::Error> {
    let mut tx = db.begin().await?;
    let cancelled = job_lifecycle::cancel(&mut tx, user, job).await?;
    tx.commit().await?;
    Ok(cancelled)
}

/// [`App::delete_job`], where only the database is there.
///
/// # Errors
/// When the database fails; then the job is there still, cancelled perhaps.
pub async fn delete(db: &PgPool, user: UserId, job: JobId) -> Result<bool, db::Error> {
    if cancel(db, user, job).await? == Cancelled::NotFound {
        return Ok(false);
    }
    let mut tx = db.begin().await?;
    let deleted = job_lifecycle::delete(&mut tx, user, job).await?;
    tx.commit().await?;
    Ok(deleted)
}

/// What the queue is told to carry.
pub(crate) fn messages(turns: &[QueueTurn]) -> Vec<(ChunkMessage, i16)> {
    turns.iter().map(|turn| (ChunkMessage { chunk: turn.id, run: turn.run }, turn.priority)).collect()
}
