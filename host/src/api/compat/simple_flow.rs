//! A crawl by keywords alone, as the original's introduction asks for it. A flow is a crawl job by another
//! name: each job of the caller is one.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{ApiResponse, Object, OpenApi, param::Path, payload::Json, types::Example};

use super::formerly_open::FormerlyOpen;
use crate::{
    api::{
        PREFIX, Tag,
        bearer::{CREATE_JOBS, READ_JOBS},
        body::JsonBody,
        error::{BEGINS_JOB, BODY, CONFLICT, NOT_FOUND, Problem, ProblemCode, ProblemSet, SIGNED_IN},
        jobs::Status,
        nullable::Nullable,
    },
    app::App,
    db::{
        self,
        images::{KeptFile, KeptFiles},
        jobs::{JobFilter, JobRow},
    },
    model::{JobId, UserId},
    services::flows::FlowRequest,
};

pub(in crate::api) struct SimpleFlowApi;

/// Most flows in the list.
const MOST_FLOWS: i64 = 100;
/// Files that are named in a result.
const MOST_FILES: i64 = 20;
/// Bytes of what the original calls a megabyte.
const MEGABYTE: f64 = 1_048_576.0;

/// A crawl by keywords.
#[derive(Object)]
#[oai(example, deny_unknown_fields, skip_serializing_if_is_none)]
struct StartSimpleFlow {
    /// What to look for, each 1 to 200 characters.
    #[oai(validator(min_items = 1, max_items = 10, min_length = 1, max_length = 200))]
    keywords: Vec<String>,
    /// Images wanted; 10 by default.
    #[oai(validator(minimum(value = "1"), maximum(value = "1000")))]
    max_images: Option<i32>,
    /// Where to look: ids of installed sources, or `google`, `bing`, `baidu`, `duckduckgo`, `unsplash`,
    /// `pixabay`, in place of which another source is asked where they are not available; `duckduckgo` by
    /// default.
    #[oai(validator(max_items = 100, min_length = 1, max_length = 100))]
    engines: Option<Vec<String>>,
    /// For people: the name of the job. No file is named by it.
    #[oai(validator(min_length = 1, max_length = 100))]
    output_name: String,
}

/// A flow that was begun.
#[derive(Object)]
#[oai(example)]
struct StartedSimpleFlow {
    /// Id of the flow: `flow_` and eight digits that say which job it is.
    flow_id: String,
    /// Where it stands.
    status: Status,
    /// What was done, for people.
    message: String,
    /// Path of its images in this API.
    output_path: String,
    /// Parts: one keyword at one source each.
    task_count: i32,
}

/// Where a flow stands.
#[derive(Object)]
#[oai(example)]
struct SimpleFlow {
    /// Id of the flow.
    flow_id: String,
    /// Where it stands.
    status: Status,
    /// Images kept of those wanted, in whole percent.
    progress: i32,
    /// Images kept.
    downloaded_images: i32,
    /// Parts.
    total_tasks: i32,
    /// Parts that are over.
    completed_tasks: i32,
    /// What it looks for.
    keywords: Vec<String>,
    /// Ids of the sources that are asked.
    engines: Vec<String>,
    /// Path of its images in this API.
    output_path: String,
    /// When the first part was begun.
    started_at: Nullable<DateTime<Utc>>,
    /// When it was over.
    completed_at: Nullable<DateTime<Utc>>,
    /// Why it failed, or why it has fewer images than asked.
    error_message: Nullable<String>,
}

/// What a flow brought.
#[derive(Object)]
#[oai(example)]
struct SimpleFlowResult {
    /// Id of the flow.
    flow_id: String,
    /// How it ended.
    status: Status,
    /// Images kept.
    total_downloaded: i64,
    /// Path of its images in this API.
    output_path: String,
    /// Bytes of these.
    total_size_bytes: i64,
    /// The same in units of 1 048 576 bytes.
    total_size_mb: f64,
    /// Seconds from its start to its end.
    processing_time: f64,
    /// The first twenty.
    file_list: Vec<SimpleFlowFile>,
    /// What it looked for.
    keywords: Vec<String>,
    /// Ids of the sources that were asked.
    engines: Vec<String>,
    /// Why it failed, or why it has fewer images than asked.
    error_message: Nullable<String>,
}

/// An image of a flow.
#[derive(Object)]
struct SimpleFlowFile {
    /// SHA-256 and extension.
    filename: String,
    /// Path of the bytes in this API.
    path: String,
    /// Of the file.
    size_bytes: i64,
    /// The same in units of 1 048 576 bytes.
    size_mb: f64,
}

#[derive(ApiResponse)]
enum Started {
    /// The flow is begun.
    #[oai(status = 201)]
    Now(Json<StartedSimpleFlow>, #[oai(header = "Location")] String),
}

#[OpenApi(prefix_path = "/simple-flow", tag = "Tag::Compatibility")]
impl SimpleFlowApi {
    /// Start a flow
    ///
    /// Creates and starts a crawl job of these keywords; `POST /crawl-jobs` can do more. It needs a token,
    /// though it needed none in the original.
    #[oai(path = "/start", method = "post", operation_id = "startSimpleFlow", deprecated)]
    async fn start(
        &self,
        Data(app): Data<&App>,
        FormerlyOpen(caller): FormerlyOpen<CREATE_JOBS>,
        body: JsonBody<StartSimpleFlow>,
    ) -> Result<Started, ProblemSet<{ BEGINS_JOB | BODY }>> {
        let flow = app.start_flow(&caller, &FlowRequest::from(body.value)).await?;
        let job = find(app, caller.user, flow.job).await?;
        let replaced = flow.replaced.map(|message| format!(" {message}")).unwrap_or_default();
        let tasks = if job.total_chunks == 1 { "crawl task" } else { "crawl tasks" };
        let started = StartedSimpleFlow {
            flow_id: flow_id(flow.job),
            status: job.status.0.into(),
            message: format!("Started {} {tasks}.{replaced}", job.total_chunks),
            output_path: output_path(flow.job),
            task_count: job.total_chunks,
        };
        Ok(Started::Now(Json(started), format!("{PREFIX}/simple-flow/{}/status", flow_id(flow.job))))
    }

    /// Show where a flow stands
    ///
    /// `GET /crawl-jobs/{id}` says more.
    #[oai(path = "/:id/status", method = "get", operation_id = "getSimpleFlowStatus", deprecated)]
    async fn status(
        &self,
        Data(app): Data<&App>,
        FormerlyOpen(caller): FormerlyOpen<READ_JOBS>,
        /// Id of the flow.
        #[oai(example = "example_id")]
        Path(id): Path<String>,
    ) -> Result<Json<SimpleFlow>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        let job = job_id(&id).ok_or_else(not_found)?;
        Ok(Json(find(app, caller.user, job).await?.into()))
    }

    /// Show what a flow brought
    ///
    /// Once it is over. `GET /crawl-jobs/{id}/images` says more.
    #[oai(path = "/:id/result", method = "get", operation_id = "getSimpleFlowResult", deprecated)]
    async fn result(
        &self,
        Data(app): Data<&App>,
        FormerlyOpen(caller): FormerlyOpen<READ_JOBS>,
        /// Id of the flow.
        #[oai(example = "example_id")]
        Path(id): Path<String>,
    ) -> Result<Json<SimpleFlowResult>, ProblemSet<{ SIGNED_IN | NOT_FOUND | CONFLICT }>> {
        let job = job_id(&id).ok_or_else(not_found)?;
        let row = find(app, caller.user, job).await?;
        if !row.status.0.is_over() {
            let detail = format!("The flow is {}; its result is there when it is over.", row.status.0.name());
            return Err(Problem::new(ProblemCode::WrongStatus, detail).into());
        }
        let files = db::images::kept_files(&app.db, caller.user, job, MOST_FILES).await?;
        Ok(Json(SimpleFlowResult::of(row, files)))
    }

    /// List the caller's flows
    ///
    /// The newest hundred of all crawl jobs, newest first; `GET /crawl-jobs` has all.
    #[oai(path = "/", method = "get", operation_id = "listSimpleFlows", deprecated)]
    async fn list(
        &self,
        Data(app): Data<&App>,
        FormerlyOpen(caller): FormerlyOpen<READ_JOBS>,
    ) -> Result<Json<Vec<SimpleFlow>>, ProblemSet<SIGNED_IN>> {
        let rows = db::jobs::list(&app.db, caller.user, JobFilter::default(), None, 0, MOST_FLOWS).await?;
        Ok(Json(rows.into_iter().map(SimpleFlow::from).collect()))
    }
}

async fn find(app: &App, user: UserId, job: JobId) -> Result<JobRow, Problem> {
    db::jobs::show(&app.db, user, job).await?.ok_or_else(not_found)
}

fn not_found() -> Problem {
    Problem::not_found("flow")
}

fn flow_id(job: JobId) -> String {
    format!("flow_{:08x}", job.0)
}

/// The job that a flow is; none for what is no id of a flow.
fn job_id(flow: &str) -> Option<JobId> {
    let digits = flow.strip_prefix("flow_")?;
    let job = JobId(i32::from_str_radix(digits, 16).ok()?);
    // Each has one spelling.
    (flow_id(job) == flow).then_some(job)
}

fn output_path(job: JobId) -> String {
    format!("{PREFIX}/crawl-jobs/{job}/images")
}

fn example_id() -> String {
    flow_id(JobId(1))
}

/// In the original's megabytes, to two places.
#[expect(clippy::cast_precision_loss, reason = "rounded anyway")]
fn megabytes(bytes: i64) -> f64 {
    (bytes as f64 / MEGABYTE * 100.0).round() / 100.0
}

impl From<JobRow> for SimpleFlow {
    fn from(row: JobRow) -> Self {
        Self {
            flow_id: flow_id(row.id),
            status: row.status.0.into(),
            progress: row.progress,
            downloaded_images: row.valid_images,
            total_tasks: row.total_chunks,
            completed_tasks: row.completed_chunks + row.failed_chunks,
            keywords: row.keywords.0.0,
            engines: row.sources.0.0,
            output_path: output_path(row.id),
            started_at: row.started_at.map(Into::into).into(),
            completed_at: row.completed_at.map(Into::into).into(),
            error_message: row.error.into(),
        }
    }
}

impl SimpleFlowResult {
    fn of(row: JobRow, files: KeptFiles) -> Self {
        let took = row.started_at.zip(row.completed_at).map(|(start, end)| end.0 - start.0);
        Self {
            flow_id: flow_id(row.id),
            status: row.status.0.into(),
            total_downloaded: files.count,
            output_path: output_path(row.id),
            total_size_bytes: files.bytes,
            total_size_mb: megabytes(files.bytes),
            processing_time: took.and_then(|took| took.to_std().ok()).unwrap_or_default().as_secs_f64(),
            file_list: files.first.into_iter().map(SimpleFlowFile::from).collect(),
            keywords: row.keywords.0.0,
            engines: row.sources.0.0,
            error_message: row.error.into(),
        }
    }
}

impl From<KeptFile> for SimpleFlowFile {
    fn from(file: KeptFile) -> Self {
        Self {
            filename: file.filename,
            path: format!("{PREFIX}/images/{}/file", file.id),
            size_bytes: file.bytes,
            size_mb: megabytes(file.bytes),
        }
    }
}

impl Example for StartSimpleFlow {
    fn example() -> Self {
        Self {
            keywords: vec!["red panda".to_owned()],
            max_images: Some(10),
            engines: Some(vec!["duckduckgo".to_owned()]),
            output_name: "red-pandas".to_owned(),
        }
    }
}

impl Example for StartedSimpleFlow {
    fn example() -> Self {
        Self {
            flow_id: example_id(),
            status: Status::Pending,
            message: "Started 1 crawl tasks.".to_owned(),
            output_path: output_path(JobId(1)),
            task_count: 1,
        }
    }
}

impl Example for SimpleFlow {
    fn example() -> Self {
        Self {
            flow_id: example_id(),
            status: Status::Running,
            progress: 40,
            downloaded_images: 4,
            total_tasks: 1,
            completed_tasks: 0,
            keywords: vec!["red panda".to_owned()],
            engines: vec!["openverse".to_owned()],
            output_path: output_path(JobId(1)),
            started_at: Some(DateTime::UNIX_EPOCH).into(),
            completed_at: None.into(),
            error_message: None.into(),
        }
    }
}

impl Example for SimpleFlowResult {
    fn example() -> Self {
        let hash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
        Self {
            flow_id: example_id(),
            status: Status::Completed,
            total_downloaded: 10,
            output_path: output_path(JobId(1)),
            total_size_bytes: 3_145_728,
            total_size_mb: 3.0,
            processing_time: 12.5,
            file_list: vec![SimpleFlowFile {
                filename: format!("{hash}.jpg"),
                path: format!("{PREFIX}/images/1/file"),
                size_bytes: 314_573,
                size_mb: 0.3,
            }],
            keywords: vec!["red panda".to_owned()],
            engines: vec!["openverse".to_owned()],
            error_message: None.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_leads_back_to_its_job() {
        for job in [1, 4711, i32::MAX] {
            assert_eq!(job_id(&flow_id(JobId(job))), Some(JobId(job)));
        }
        for id in
            ["", "flow_", "flow_1", "flow_+0000001", "flow_0000000G", "flow_FFFFFFFF", "flow_0000000A", "7"]
        {
            assert_eq!(job_id(id), None, "{id}");
        }
    }
}
