//! Crawl jobs under the paths that the original has for them: all that `/crawl-jobs` has, and what only
//! the original has.

use chrono::{DateTime, TimeDelta, Utc};
use poem::{Request, web::Data};
use poem_openapi::{
    ApiResponse, Object, OpenApi,
    param::{Header, Path, Query},
    payload::Json,
    types::{Any, Example},
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Gone;
use crate::{
    api::{
        PREFIX, Tag,
        bearer::{
            Access, AccessOrLink, CANCEL_JOBS, CREATE_JOBS, DELETE, EXPORT_DATASETS, READ_IMAGES, READ_JOBS,
        },
        body::{JsonBody, OptionalJsonBody},
        datasets,
        error::{BEGINS_JOB, BODY, CONFLICT, NOT_FOUND, PARAMETER, Problem, ProblemSet, SIGNED_IN},
        events::{Changes, EventsApi},
        images::{ImagePage, ImageVerdict, ImagesApi, Manifest, Reason},
        jobs::{self, CrawlJobDetail, CrawlJobPage, JobsApi, RetryCrawlJob, Status, conflict, seconds_left},
        nullable::Nullable,
    },
    app::App,
    db::{self, jobs::JobRow},
    model::{DatasetId, JobId, JobState, UserId},
    services::{
        datasets::{DatasetError, DatasetJobRequest, StartRequest},
        jobs::Cancelled,
    },
};

pub(in crate::api) struct OtherJobsApi;

/// A job of a dataset.
#[derive(Object)]
#[oai(example, deny_unknown_fields, skip_serializing_if_is_none)]
struct CreateDatasetJob {
    /// For people.
    #[oai(validator(min_length = 1, max_length = 100))]
    name: String,
    /// What to look for, each 1 to 200 characters; repetitions, in any case, count once.
    #[oai(validator(min_items = 1, max_items = 50, min_length = 1, max_length = 200))]
    keywords: Vec<String>,
    /// Images wanted; 1000 by default, or as many as the user's tier allows where these are fewer.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    max_images: Option<i32>,
    /// Where to look: ids of installed sources, or `google`, `bing`, `baidu`, `duckduckgo`, `unsplash`,
    /// `pixabay`, in place of which another source is asked where they are not available.
    #[oai(validator(max_items = 100, min_length = 1, max_length = 100))]
    sources: Option<Vec<String>>,
}

/// A job of a dataset that was created and started.
#[derive(Object)]
#[oai(example)]
struct DatasetJob {
    #[oai(flatten)]
    job: CrawlJobDetail,
    /// Which sources were replaced, and by what, for people.
    message: Nullable<String>,
}

/// Which dataset is to be crawled for.
#[derive(Object)]
#[oai(example, deny_unknown_fields)]
struct StartDataset {
    /// Its id.
    #[oai(rename = "datasetId", validator(minimum(value = "1")))]
    dataset_id: i32,
}

/// A job that is under way.
#[derive(Object)]
#[oai(example)]
struct StartedJob {
    /// Id of the job.
    job_id: i32,
    /// Where it stands.
    status: Status,
    /// Always empty.
    task_ids: Vec<String>,
    /// All chunks; a chunk is one input at one source.
    total_chunks: i32,
    /// What was done, for people.
    message: String,
}

/// A job that is over.
#[derive(Object)]
#[oai(example)]
struct StoppedJob {
    /// Id of the job.
    job_id: i32,
    /// Where it stands.
    status: Status,
    /// Chunks that were stopped.
    revoked_tasks: u64,
    /// What was done, for people.
    message: String,
}

/// Something that happened to a job.
#[derive(Object)]
#[oai(example, skip_serializing_if_is_none)]
struct JobLogEntry {
    /// `START_CRAWL_JOB`, `COMPLETE_CRAWL_JOB`, `CANCEL_CRAWL_JOB`, …
    action: String,
    /// When it happened.
    timestamp: DateTime<Utc>,
    /// What belongs to it, such as the reason.
    metadata: Option<Any<Value>>,
}

/// How far a job is.
#[derive(Object)]
#[oai(example)]
struct JobProgress {
    /// Id of the job.
    job_id: i32,
    /// Where it stands.
    status: Status,
    /// Images kept of those wanted, in whole percent.
    progress: i32,
    /// All chunks; a chunk is one input at one source.
    total_chunks: i32,
    /// Chunks being worked on.
    active_chunks: i32,
    /// Chunks that are over.
    completed_chunks: i32,
    /// Chunks that ended by an error.
    failed_chunks: i32,
    /// Bodies received whole.
    downloaded_images: i32,
    /// When all images that are still to come are there at this rate, while it runs.
    estimated_completion: Nullable<DateTime<Utc>>,
    /// When the first chunk was begun.
    started_at: Nullable<DateTime<Utc>>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

#[derive(ApiResponse)]
enum DatasetJobCreated {
    /// The job is created and started.
    #[oai(status = 201)]
    Now(Json<DatasetJob>, #[oai(header = "Location")] String),
}

#[OpenApi(prefix_path = "/jobs", tag = "Tag::Compatibility")]
impl OtherJobsApi {
    /// List the caller's crawl jobs
    ///
    /// Another name of `GET /crawl-jobs`.
    #[oai(path = "/", method = "get", operation_id = "listJobs", deprecated)]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        data: Data<&App>,
        access: Access<READ_JOBS>,
        /// Most jobs in the answer; 50 by default.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        limit: Query<Option<u8>>,
        /// `next` of the page before.
        after: Query<Option<i32>>,
        /// Only jobs with this status.
        status: Query<Option<Status>>,
        /// Only jobs of this dataset.
        dataset_id: Query<Option<i32>>,
        /// Number of the page, from 1; not together with `after`.
        #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
        page: Query<Option<i32>>,
        /// Another name of `limit`.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        size: Query<Option<u8>>,
    ) -> Result<Json<CrawlJobPage>, ProblemSet<{ SIGNED_IN | PARAMETER }>> {
        JobsApi.list(data, access, limit, after, status, dataset_id, page, size).await
    }

    /// Create and start a crawl job of a dataset
    ///
    /// As `POST /crawl-jobs` with its `dataset_id`. Sources that are not available are replaced by one
    /// that is, which `message` says.
    #[oai(path = "/datasets/:id/jobs", method = "post", operation_id = "createDatasetJob", deprecated)]
    async fn create(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<CREATE_JOBS>,
        /// Id of the dataset.
        #[oai(example = "datasets::example_id")]
        Path(id): Path<i32>,
        body: JsonBody<CreateDatasetJob>,
    ) -> Result<DatasetJobCreated, ProblemSet<{ BEGINS_JOB | BODY | NOT_FOUND }>> {
        let request = DatasetJobRequest::from(body.value);
        let created = app.create_dataset_job(&caller, DatasetId(id), &request).await?;
        let job = jobs::find(app, caller.holder(), created.job).await?.ok_or_else(jobs::not_found)?;
        let location = format!("{PREFIX}/crawl-jobs/{}", created.job);
        Ok(DatasetJobCreated::Now(Json(DatasetJob { job, message: created.message.into() }), location))
    }

    /// Look for what a dataset lacks
    ///
    /// As `POST /datasets/{id}/build`; where a job of the dataset is under way already, it is that one.
    #[oai(path = "/start", method = "post", operation_id = "startDataset", deprecated)]
    async fn start_dataset(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<CREATE_JOBS>,
        body: JsonBody<StartDataset>,
    ) -> Result<Json<StartedJob>, ProblemSet<{ BEGINS_JOB | BODY | NOT_FOUND | CONFLICT }>> {
        let dataset = StartRequest::from(body.value).check().map_err(Problem::rules)?;
        let (job, message) = match app.build_dataset(&caller, dataset).await {
            Ok(build) => (build.job, build.message.unwrap_or_else(|| "The job is started.".to_owned())),
            Err(DatasetError::UnderWay(job)) => (job, UNDER_WAY.to_owned()),
            Err(error) => return Err(error.into()),
        };
        Ok(Json(StartedJob::new(&row(app, caller.user, job).await?, message)))
    }

    /// Show a crawl job
    ///
    /// Another name of `GET /crawl-jobs/{id}`.
    #[oai(path = "/:id", method = "get", operation_id = "getJob", deprecated)]
    async fn show(
        &self,
        data: Data<&App>,
        access: Access<READ_JOBS>,
        /// Id of the job.
        #[oai(example = "jobs::example_id")]
        id: Path<i32>,
    ) -> Result<Json<CrawlJobDetail>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        JobsApi.show(data, access, id).await
    }

    /// Delete a crawl job
    ///
    /// As `DELETE /crawl-jobs/{id}`, answered with JSON.
    #[oai(path = "/:id", method = "delete", operation_id = "deleteJob", deprecated)]
    async fn delete(
        &self,
        data: Data<&App>,
        access: Access<DELETE>,
        /// Id of the job.
        #[oai(example = "jobs::example_id")]
        id: Path<i32>,
    ) -> Result<Json<Gone>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        JobsApi.delete(data, access, id).await?;
        Ok(Json(Gone::default()))
    }

    /// Start a crawl job
    ///
    /// Jobs start when they are created: this says so of one that is pending or running. One that is
    /// over can be retried.
    #[oai(path = "/:id/start", method = "post", operation_id = "startJob", deprecated)]
    async fn start(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<CREATE_JOBS>,
        /// Id of the job.
        #[oai(example = "jobs::example_id")]
        Path(id): Path<i32>,
    ) -> Result<Json<StartedJob>, ProblemSet<{ SIGNED_IN | NOT_FOUND | CONFLICT }>> {
        let job = row(app, caller.user, JobId(id)).await?;
        if job.status.0.is_over() {
            return Err(conflict(job.status.0, "started; retry it").into());
        }
        Ok(Json(StartedJob::new(&job, UNDER_WAY.to_owned())))
    }

    /// Cancel a crawl job
    ///
    /// As `POST /crawl-jobs/{id}/cancel`, but one that is over stays as it is.
    #[oai(path = "/:id/cancel", method = "post", operation_id = "cancelJob", deprecated)]
    async fn cancel(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<CANCEL_JOBS>,
        /// Id of the job.
        #[oai(example = "jobs::example_id")]
        Path(id): Path<i32>,
    ) -> Result<Json<StoppedJob>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        let (revoked_tasks, message) = match app.cancel_job(caller.user, JobId(id)).await? {
            Cancelled::NotFound => return Err(jobs::not_found().into()),
            Cancelled::Over(state) => (0, format!("The job is {} already; nothing was done.", state.name())),
            Cancelled::Now(parts) => (parts, "The job is cancelled.".to_owned()),
        };
        let status = row(app, caller.user, JobId(id)).await?.status.0.into();
        Ok(Json(StoppedJob { job_id: id, status, revoked_tasks, message }))
    }

    /// Retry a crawl job
    ///
    /// Another name of `POST /crawl-jobs/{id}/retry`.
    #[oai(path = "/:id/retry", method = "post", operation_id = "retryJob", deprecated)]
    async fn retry(
        &self,
        data: Data<&App>,
        access: Access<CREATE_JOBS>,
        /// Id of the job.
        #[oai(example = "jobs::example_id")]
        id: Path<i32>,
        body: OptionalJsonBody<RetryCrawlJob>,
    ) -> Result<Json<CrawlJobDetail>, ProblemSet<{ BEGINS_JOB | BODY | NOT_FOUND | CONFLICT }>> {
        JobsApi.retry(data, access, id, body).await
    }

    /// Read a crawl job's log
    ///
    /// What happened to it, newest first, as a bare list.
    #[oai(path = "/:id/logs", method = "get", operation_id = "listJobLogs", deprecated)]
    async fn logs(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ_JOBS>,
        /// Id of the job.
        #[oai(example = "jobs::example_id")]
        Path(id): Path<i32>,
        /// Most entries in the answer.
        #[oai(default = "hundred", validator(minimum(value = "1"), maximum(value = "100")))]
        Query(limit): Query<u8>,
    ) -> Result<Json<Vec<JobLogEntry>>, ProblemSet<{ SIGNED_IN | PARAMETER | NOT_FOUND }>> {
        let job = JobId(id);
        row(app, caller.user, job).await?;
        let entries = db::activity::list_of_job(&app.db, caller.user, job, None, limit.into()).await?;
        Ok(Json(entries.into_iter().map(JobLogEntry::from).collect()))
    }

    /// Show how far a crawl job is
    ///
    /// A part of what `GET /crawl-jobs/{id}` shows.
    #[oai(path = "/:id/progress", method = "get", operation_id = "getJobProgress", deprecated)]
    async fn progress(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ_JOBS>,
        /// Id of the job.
        #[oai(example = "jobs::example_id")]
        Path(id): Path<i32>,
    ) -> Result<Json<JobProgress>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        Ok(Json(JobProgress::new(&row(app, caller.user, JobId(id)).await?, Utc::now())))
    }

    /// Follow a crawl job
    ///
    /// Another name of `GET /crawl-jobs/{id}/events`, which the links of a job lead to.
    #[oai(path = "/:id/events", method = "get", operation_id = "followJob", deprecated)]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn follow(
        &self,
        data: Data<&App>,
        access: AccessOrLink<READ_JOBS>,
        /// Id of the job.
        #[oai(example = "jobs::example_id")]
        id: Path<i32>,
        /// Of a signed link.
        user: Query<Option<Uuid>>,
        /// Of a signed link that was made for an API key.
        key: Query<Option<Uuid>>,
        /// Of a signed link.
        expires: Query<Option<i64>>,
        /// Of a signed link.
        signature: Query<Option<String>>,
        /// Last revision seen; browsers send it by themselves.
        #[oai(name = "Last-Event-ID")]
        seen: Header<Option<String>>,
    ) -> Result<Changes, ProblemSet<{ SIGNED_IN | PARAMETER | NOT_FOUND }>> {
        EventsApi.follow(data, access, id, user, key, expires, signature, seen).await
    }

    /// List the images of a crawl job
    ///
    /// Another name of `GET /crawl-jobs/{id}/images`.
    #[oai(path = "/:id/images", method = "get", operation_id = "listJobImages", deprecated)]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn images(
        &self,
        data: Data<&App>,
        access: Access<READ_IMAGES>,
        /// Id of the job.
        #[oai(example = "jobs::example_id")]
        id: Path<i32>,
        /// Most images in the answer.
        #[oai(default = "hundred_images", validator(minimum(value = "1"), maximum(value = "500")))]
        limit: Query<u16>,
        /// `next` of the page before, or the id of the last image seen.
        after: Query<Option<i32>>,
        /// Only images with this verdict.
        verdict: Query<Option<ImageVerdict>>,
        /// Only images refused for this code, such as `truncated`.
        reason: Query<Option<Reason>>,
        /// Only images from exactly this address.
        url: Query<Option<String>>,
    ) -> Result<Json<ImagePage>, ProblemSet<{ SIGNED_IN | PARAMETER | NOT_FOUND }>> {
        let none = || Query(None);
        ImagesApi.list(data, access, id, limit, after, verdict, reason, url, none(), none(), none()).await
    }

    /// List all that a crawl job has kept, with links
    ///
    /// Another name of `GET /crawl-jobs/{id}/manifest`, which the links of a job lead to.
    #[oai(path = "/:id/manifest", method = "get", operation_id = "getJobManifest", deprecated)]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn manifest(
        &self,
        data: Data<&App>,
        request: &Request,
        access: AccessOrLink<EXPORT_DATASETS>,
        /// Id of the job.
        #[oai(example = "jobs::example_id")]
        id: Path<i32>,
        /// Of a signed link.
        user: Query<Option<Uuid>>,
        /// Of a signed link that was made for an API key.
        key: Query<Option<Uuid>>,
        /// Of a signed link.
        expires: Query<Option<i64>>,
        /// Of a signed link.
        signature: Query<Option<String>>,
    ) -> Result<Manifest, ProblemSet<{ SIGNED_IN | PARAMETER | NOT_FOUND }>> {
        ImagesApi.manifest(data, request, access, id, user, key, expires, signature).await
    }
}

/// What is said of a job that needs no start.
const UNDER_WAY: &str = "The job is under way.";

/// A job that there is.
async fn row(app: &App, user: UserId, job: JobId) -> Result<JobRow, Problem> {
    db::jobs::show(&app.db, user, job).await?.ok_or_else(jobs::not_found)
}

const fn hundred() -> u8 {
    100
}

const fn hundred_images() -> u16 {
    100
}

impl StartedJob {
    fn new(row: &JobRow, message: String) -> Self {
        Self {
            job_id: row.id.0,
            status: row.status.0.into(),
            task_ids: Vec::new(),
            total_chunks: row.total_chunks,
            message,
        }
    }
}

impl JobProgress {
    fn new(row: &JobRow, now: DateTime<Utc>) -> Self {
        let left = seconds_left(row, now).and_then(TimeDelta::try_seconds);
        Self {
            job_id: row.id.0,
            status: row.status.0.into(),
            progress: row.progress,
            total_chunks: row.total_chunks,
            active_chunks: row.active_chunks,
            completed_chunks: row.completed_chunks,
            failed_chunks: row.failed_chunks,
            downloaded_images: row.downloaded_images,
            estimated_completion: left.map(|left| now + left).into(),
            started_at: row.started_at.map(Into::into).into(),
            updated_at: row.updated_at.into(),
        }
    }
}

impl From<db::activity::ActivityEntry> for JobLogEntry {
    fn from(row: db::activity::ActivityEntry) -> Self {
        let metadata = row.metadata.map(|metadata| Any(metadata.0));
        Self { action: row.action, timestamp: row.timestamp.into(), metadata }
    }
}

impl Example for CreateDatasetJob {
    fn example() -> Self {
        Self {
            name: "Red pandas".to_owned(),
            keywords: vec!["red panda".to_owned()],
            max_images: Some(200),
            sources: Some(vec!["openverse".to_owned()]),
        }
    }
}

impl Example for DatasetJob {
    fn example() -> Self {
        Self { job: CrawlJobDetail::example(), message: None.into() }
    }
}

impl Example for StartDataset {
    fn example() -> Self {
        Self { dataset_id: datasets::example_id() }
    }
}

impl Example for StartedJob {
    fn example() -> Self {
        Self {
            job_id: jobs::example_id(),
            status: JobState::Pending.into(),
            task_ids: Vec::new(),
            total_chunks: 1,
            message: UNDER_WAY.to_owned(),
        }
    }
}

impl Example for StoppedJob {
    fn example() -> Self {
        Self {
            job_id: jobs::example_id(),
            status: JobState::Cancelled.into(),
            revoked_tasks: 1,
            message: "The job is cancelled.".to_owned(),
        }
    }
}

impl Example for JobLogEntry {
    fn example() -> Self {
        Self {
            action: "START_CRAWL_JOB".to_owned(),
            timestamp: DateTime::UNIX_EPOCH,
            metadata: Some(Any(json!({ "name": "Red pandas", "sources": ["openverse"] }))),
        }
    }
}

impl Example for JobProgress {
    fn example() -> Self {
        Self {
            job_id: jobs::example_id(),
            status: JobState::Running.into(),
            progress: 25,
            total_chunks: 1,
            active_chunks: 1,
            completed_chunks: 0,
            failed_chunks: 0,
            downloaded_images: 58,
            estimated_completion: Some(DateTime::UNIX_EPOCH).into(),
            started_at: Some(DateTime::UNIX_EPOCH).into(),
            updated_at: DateTime::UNIX_EPOCH,
        }
    }
}
