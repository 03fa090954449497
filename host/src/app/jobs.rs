//! Cancelling, retrying and deleting a job. (Stands in for the lead's.)

use crate::{
    app::App,
    db,
    job::{JobId, JobState, UserId},
};

/// What became of a request to change a job's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Done, or already so.
    Done,
    /// Not possible in this state.
    Conflict(JobState),
    /// The user has no such job.
    NotFound,
}

impl App {
    /// Stops a job; it keeps what it has.
    pub async fn cancel_job(&self, user: UserId, job: JobId) -> Result<Change, db::Error> {
        Ok(self.state(user, job).await?.map_or(Change::NotFound, Change::Conflict))
    }

    /// Starts a failed or cancelled job again.
    pub async fn retry_job(&self, user: UserId, job: JobId) -> Result<Change, db::Error> {
        Ok(self.state(user, job).await?.map_or(Change::NotFound, Change::Conflict))
    }

    /// Deletes a job, running or not; false where the user has no such job.
    pub async fn delete_job(&self, user: UserId, job: JobId) -> Result<bool, db::Error> {
        Ok(self.state(user, job).await?.is_some())
    }

    async fn state(&self, user: UserId, job: JobId) -> Result<Option<JobState>, db::Error> {
        Ok(db::jobs::show(&self.db, user, job).await?.map(|job| job.status))
    }
}
