//! Crawl jobs: create, list, show, cancel, retry, delete.

use std::time::Duration;

use chrono::Utc;
use poem::web::Data;
use poem_openapi::{
    ApiResponse, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};

use super::{
    PREFIX, Tag,
    bearer::{Access, CANCEL_JOBS, CREATE_JOBS, DELETE, READ_JOBS},
    body::{JsonBody, OptionalJsonBody},
    compat::paging::Window,
    cut,
    error::{BEGINS_JOB, BODY, CONFLICT, NOT_FOUND, PARAMETER, Problem, ProblemCode, ProblemSet, SIGNED_IN},
};
use crate::{
    app::App,
    auth::link::LinkHolder,
    db,
    model::{DatasetId, JobId, JobState},
    services::{
        create::{CreateOutcome, JobRequest, RetryRequest},
        jobs::{Cancelled, JobError, RetryOptions, RetryOutcome},
    },
};

mod cancelled;
mod detail;
mod log;
mod request;
mod shape;

use cancelled::CancelledJob;
pub(super) use detail::CrawlJobDetail;
use log::{LogEntry, LogPage};
use request::CreateCrawlJob;
pub(super) use request::RetryCrawlJob;
pub(super) use shape::example_id;
pub(super) use shape::{CrawlJob, CrawlJobPage, Status, seconds_left};

pub(super) struct JobsApi;

#[derive(ApiResponse)]
enum CreatedJob {
    /// The job is created and started.
    #[oai(status = 201)]
    New(Json<CrawlJobDetail>, #[oai(header = "Location")] String),
    /// The same request was made before under this `Idempotency-Key`; this is its job.
    #[oai(status = 200)]
    Before(Json<CrawlJobDetail>, #[oai(header = "Location")] String),
}

#[derive(ApiResponse)]
pub(super) enum Deleted {
    /// The job and its images' rows are gone.
    #[oai(status = 204)]
    Gone,
}

#[OpenApi(prefix_path = "/crawl-jobs", tag = "Tag::CrawlJobs")]
impl JobsApi {
    /// Create and start a crawl job
    ///
    /// One chunk is made for each input (keyword or address) and source that takes it. A job
    /// that names no `sources` gets `openverse` for keywords and `webpage` for addresses, or
    /// where these are not available the first source that is. With an `Idempotency-Key` the
    /// same request made again within a day gives the same job.
    #[oai(path = "/", method = "post", operation_id = "createCrawlJob")]
    async fn create(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<CREATE_JOBS>,
        /// Any text of 1 to 255 visible ASCII characters, such as a UUID.
        #[oai(name = "Idempotency-Key")]
        Header(key): Header<Option<String>>,
        body: JsonBody<CreateCrawlJob>,
    ) -> Result<CreatedJob, ProblemSet<{ BEGINS_JOB | BODY }>> {
        let visible = |key: &String| {
            (1..=255).contains(&key.len()) && key.chars().all(|c| c.is_ascii_graphic() || c == ' ')
        };
        if key.as_ref().is_some_and(|key| !visible(key)) {
            let detail = "Idempotency-Key must be 1 to 255 visible ASCII characters.";
            return Err(Problem::new(ProblemCode::BadIdempotencyKey, detail).into());
        }
        let request = JobRequest::from(body.value.clone());
        let key = key.as_deref().map(|key| (key, &body.value));
        let created = app.create_job(&caller, &request, key).await?;
        let (CreateOutcome::New(job) | CreateOutcome::Before(job)) = created;
        let detail = Json(detail(app, caller.holder(), job).await?);
        let location = format!("{PREFIX}/crawl-jobs/{job}");
        Ok(match created {
            CreateOutcome::New(_) => CreatedJob::New(detail, location),
            CreateOutcome::Before(_) => CreatedJob::Before(detail, location),
        })
    }

    /// List the caller's crawl jobs
    ///
    /// Newest first.
    #[oai(path = "/", method = "get", operation_id = "listCrawlJobs")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    pub(super) async fn list(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ_JOBS>,
        /// Most jobs in the answer; 50 by default.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        Query(limit): Query<Option<u8>>,
        /// `next` of the page before.
        Query(after): Query<Option<i32>>,
        /// Only jobs with this status.
        Query(status): Query<Option<Status>>,
        /// Only jobs of this dataset.
        Query(dataset_id): Query<Option<i32>>,
        /// Number of the page, from 1: the original's way to ask, not together with `after`.
        #[oai(deprecated, validator(minimum(value = "1"), maximum(value = "1000000")))]
        Query(page): Query<Option<i32>>,
        /// The original's name of `limit`.
        #[oai(deprecated, validator(minimum(value = "1"), maximum(value = "100")))]
        Query(size): Query<Option<u8>>,
    ) -> Result<Json<CrawlJobPage>, ProblemSet<{ SIGNED_IN | PARAMETER }>> {
        let window = Window::of_pages(limit, after, page, size)?;
        let filter =
            db::jobs::JobFilter { status: status.map(JobState::from), dataset: dataset_id.map(DatasetId) };
        let after = window.after.map(JobId);
        let mut rows =
            db::jobs::list(&app.db, caller.user, filter, after, window.skip, window.rows()).await?;
        let next = cut(&mut rows, window.limit, |job| job.id.0);
        let items =
            rows.into_iter().map(|row| CrawlJob::new(row, app, caller.holder(), Utc::now())).collect();
        let total = db::jobs::count(&app.db, caller.user, filter).await?;
        Ok(Json(CrawlJobPage { items, next, numbers: window.numbers(total) }))
    }

    /// Show a crawl job
    ///
    /// With its chunks, what was refused and why, and how long it will take.
    #[oai(path = "/:id", method = "get", operation_id = "getCrawlJob")]
    pub(super) async fn show(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ_JOBS>,
        /// Id of the job.
        #[oai(example = "example_id")]
        Path(id): Path<i32>,
    ) -> Result<Json<CrawlJobDetail>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        Ok(Json(detail(app, caller.holder(), JobId(id)).await?))
    }

    /// Read a crawl job's log
    ///
    /// What happened to it, newest first: started, completed, cancelled, and by what.
    #[oai(path = "/:id/logs", method = "get", operation_id = "listCrawlJobLogs")]
    async fn logs(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ_JOBS>,
        /// Id of the job.
        #[oai(example = "example_id")]
        Path(id): Path<i32>,
        /// Most entries in the answer.
        #[oai(default = "fifty", validator(minimum(value = "1"), maximum(value = "100")))]
        Query(limit): Query<u8>,
        /// `next` of the page before.
        Query(after): Query<Option<i32>>,
    ) -> Result<Json<LogPage>, ProblemSet<{ SIGNED_IN | PARAMETER | NOT_FOUND }>> {
        let job = JobId(id);
        db::jobs::revision(&app.db, caller.user, job).await?.ok_or_else(not_found)?;
        let mut rows =
            db::activity::list_of_job(&app.db, caller.user, job, after, i64::from(limit) + 1).await?;
        let next = cut(&mut rows, limit, |entry| entry.id);
        let items = rows.into_iter().map(LogEntry::from).collect();
        Ok(Json(LogPage { items, next }))
    }

    /// Delete a crawl job
    ///
    /// A job that runs is cancelled first. The rows of its images go with it.
    #[oai(path = "/:id", method = "delete", operation_id = "deleteCrawlJob")]
    pub(super) async fn delete(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<DELETE>,
        /// Id of the job.
        #[oai(example = "example_id")]
        Path(id): Path<i32>,
    ) -> Result<Deleted, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        app.is_signed_in(&caller).await?;
        if app.delete_job(caller.user, JobId(id)).await? {
            Ok(Deleted::Gone)
        } else {
            Err(not_found().into())
        }
    }

    /// Cancel a crawl job
    ///
    /// It stops within 2 seconds and keeps what it has. A job that is cancelled already stays so.
    #[oai(path = "/:id/cancel", method = "post", operation_id = "cancelCrawlJob")]
    async fn cancel(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<CANCEL_JOBS>,
        /// Id of the job.
        #[oai(example = "example_id")]
        Path(id): Path<i32>,
    ) -> Result<Json<CancelledJob>, ProblemSet<{ SIGNED_IN | NOT_FOUND | CONFLICT }>> {
        let stopped = match app.cancel_job(caller.user, JobId(id)).await? {
            Cancelled::NotFound => return Err(not_found().into()),
            Cancelled::Over(state) if state != JobState::Cancelled => {
                return Err(conflict(state, "cancelled").into());
            }
            Cancelled::Over(_) => None,
            Cancelled::Now(parts) => Some(parts),
        };
        Ok(Json(CancelledJob::of(detail(app, caller.holder(), JobId(id)).await?, id, stopped)))
    }

    /// Retry a crawl job
    ///
    /// One that failed, was cancelled, or completed with fewer images because a part of it failed.
    /// What is there is not fetched again; what was refused for something that may pass (a timeout,
    /// a rate limit, a server error, the limits of decoding) is tried again. With a larger
    /// `max_images` any job goes on, and one that is under way with a smaller one, too; with `update` any
    /// that is over and lacks some, and its sources are asked anew for what is new. A job that the frontend wrote and that could not be
    /// begun is checked again and begun.
    #[oai(path = "/:id/retry", method = "post", operation_id = "retryCrawlJob")]
    pub(super) async fn retry(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<CREATE_JOBS>,
        /// Id of the job.
        #[oai(example = "example_id")]
        Path(id): Path<i32>,
        body: OptionalJsonBody<RetryCrawlJob>,
    ) -> Result<Json<CrawlJobDetail>, ProblemSet<{ BEGINS_JOB | BODY | NOT_FOUND | CONFLICT }>> {
        app.may_crawl(&caller).await?;
        let options = match body.value {
            Some(value) => RetryRequest::from(value).check().map_err(JobError::Rules)?,
            None => RetryOptions::default(),
        };
        match app.retry_job(caller.user, JobId(id), options).await? {
            RetryOutcome::NotFound => Err(not_found().into()),
            RetryOutcome::NotOver(state) => Err(conflict(state, "retried").into()),
            RetryOutcome::Full(kept) => {
                let detail = format!(
                    "The job has the {kept} images that it was asked for; give a larger max_images to look for more."
                );
                Err(Problem::new(ProblemCode::NothingMissing, detail).into())
            }
            RetryOutcome::Now => Ok(Json(detail(app, caller.holder(), JobId(id)).await?)),
        }
    }
}

/// Everything that is shown of a job that there is.
async fn detail(app: &App, holder: LinkHolder, job: JobId) -> Result<CrawlJobDetail, Problem> {
    find(app, holder, job).await?.ok_or_else(not_found)
}

/// Everything that is shown of a job, if there is one.
pub(super) async fn find(
    app: &App,
    holder: LinkHolder,
    job: JobId,
) -> Result<Option<CrawlJobDetail>, db::Error> {
    let detail = db::jobs::detail(&app.db, holder.user, job).await?;
    Ok(detail.map(|detail| CrawlJobDetail::new(detail, app, holder)))
}

pub(super) fn not_found() -> Problem {
    Problem::not_found("crawl job")
}

pub(super) fn conflict(state: JobState, wanted: &str) -> Problem {
    let more = match (state, wanted) {
        (JobState::Completed, "retried") => {
            " when no part of it failed; with a larger `max_images`, or with `update`, it goes on"
        }
        _ => "",
    };
    Problem::new(ProblemCode::WrongStatus, format!("A {} job cannot be {wanted}{more}.", state.name()))
}

const fn fifty() -> u8 {
    50
}

impl From<JobError> for Problem {
    fn from(error: JobError) -> Self {
        match error {
            JobError::Rules(broken) => Self::rules(broken),
            JobError::NoDestination(broken) => Self::rules(vec![broken]),
            JobError::KeyReused => Self::key_reused(),
            JobError::Caller(error) => error.into(),
            JobError::TooMany(_) => Self::too_many(format!("{error}."), Duration::from_secs(30)),
            JobError::Quota(error) => error.into(),
            JobError::Database(error) => error.into(),
            JobError::Queue(error) => Self::internal(error),
        }
    }
}
