//! What the answer to a cancel looks like.

use poem_openapi::{Object, types::Example};

use super::{CrawlJobDetail, example_id};

/// A job that is cancelled, with what the original says of that.
#[derive(Object)]
#[oai(rename = "CancelledCrawlJob", example)]
pub(super) struct CancelledJob {
    #[oai(flatten)]
    job: CrawlJobDetail,
    /// For people.
    #[oai(deprecated)]
    message: String,
    /// `id` of the job.
    #[oai(deprecated)]
    job_id: i32,
    /// Chunks that were stopped by this.
    #[oai(deprecated)]
    revoked_tasks: u64,
}

impl CancelledJob {
    /// `stopped` are the parts that were stopped now; none where the job was cancelled before.
    pub(super) fn of(job: CrawlJobDetail, job_id: i32, stopped: Option<u64>) -> Self {
        let message = match stopped {
            Some(_) => "Job cancelled successfully",
            None => "Job was cancelled before",
        };
        Self { job, message: message.to_owned(), job_id, revoked_tasks: stopped.unwrap_or_default() }
    }
}

impl Example for CancelledJob {
    fn example() -> Self {
        Self::of(CrawlJobDetail::example(), example_id(), Some(1))
    }
}
