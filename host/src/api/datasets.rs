//! Datasets: where images are gathered, and what is to be looked for.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{
    ApiResponse, Enum, Object, OpenApi,
    param::{Path, Query},
    payload::Json,
    types::Example,
};
use uuid::Uuid;

use super::{
    PREFIX, Tag,
    bearer::{Access, CANCEL_JOBS, CREATE_JOBS, DELETE, READ_DATASETS, WRITE},
    body::JsonBody,
    compat::{
        Gone,
        paging::{PageNumbers, Window},
    },
    cut,
    error::{BEGINS_JOB, BODY, CONFLICT, NOT_FOUND, PARAMETER, Problem, ProblemCode, ProblemSet, SIGNED_IN},
    jobs::CrawlJob,
    nullable::Nullable,
    projects, word,
};
use crate::{
    app::App,
    auth::link::LinkHolder,
    db,
    model::{DatasetId, ProjectId, UserId},
    services::{
        Violation,
        datasets::{DatasetError, DatasetRequest},
    },
};

pub(super) struct DatasetsApi;

/// A row of `datasets`.
#[derive(Object)]
#[oai(example)]
pub(super) struct Dataset {
    /// Id of the dataset.
    id: i32,
    /// Whose it is.
    user_id: Uuid,
    /// The project that it belongs to.
    project_id: Nullable<i32>,
    /// For people.
    name: String,
    /// For people.
    description: Nullable<String>,
    /// What to look for.
    keywords: Vec<String>,
    /// Images that it is to have.
    max_images: i32,
    /// Where to look: ids of sources, or names of search engines. Empty leaves it to the host.
    search_engines: Vec<String>,
    /// Where it stands; what whoever wrote the row calls something else is `failed`.
    status: DatasetStatus,
    /// Images that it has of those that it is to have, in percent, as of the last end of a job.
    progress: f64,
    /// Images that it has, as of the last end of a job.
    images_collected: i32,
    /// The job that was begun last.
    crawl_job_id: Nullable<i32>,
    /// Not used here; kept for the original's column.
    download_url: Nullable<String>,
    /// Why its last job failed; null where it did not.
    error_message: Nullable<String>,
    /// Not used here; kept for the original's column.
    storage_tier: String,
    /// Not used here; kept for the original's column.
    archived_at: Nullable<DateTime<Utc>>,
    /// As the frontend writes it.
    last_accessed_at: DateTime<Utc>,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
}

/// Where a dataset stands.
#[derive(Enum)]
#[oai(rename_all = "lowercase")]
enum DatasetStatus {
    /// It has had no job yet.
    Pending,
    /// A job of it is under way.
    Processing,
    /// Its last job ended as it was to.
    Completed,
    /// Its last job failed.
    Failed,
    /// Its last job was cancelled.
    Cancelled,
}

/// A dataset with what it holds.
#[derive(Object)]
#[oai(example)]
pub(super) struct DatasetDetail {
    #[oai(flatten)]
    dataset: Dataset,
    /// Images that it has.
    image_count: i64,
    /// Images that were like another one of it.
    duplicate_count: i64,
    /// Images that were refused for another reason.
    refused_count: i64,
    /// What the images that it has take, in bytes.
    bytes: i64,
    /// Jobs that put images into it.
    job_count: i64,
    /// Of these one that is under way, or else the latest.
    latest_job: Nullable<CrawlJob>,
    /// The same as `image_count`, under the name that the original's SDK reads.
    #[oai(deprecated)]
    total_images: i64,
    /// `bytes` in MiB.
    #[oai(deprecated)]
    size_mb: f64,
    /// What was made of the request, for people, where there is something to say.
    message: Nullable<String>,
}

/// A page of datasets.
#[derive(Object)]
#[oai(example)]
pub(super) struct DatasetPage {
    /// Newest first.
    items: Vec<Dataset>,
    /// `after` of the next page; null on the last.
    next: Nullable<i32>,
    #[oai(flatten)]
    numbers: PageNumbers,
}

/// A new dataset.
#[derive(Object)]
#[oai(example, deny_unknown_fields, skip_serializing_if_is_none)]
pub(super) struct CreateDataset {
    /// For people.
    #[oai(validator(min_length = 1, max_length = 100))]
    name: String,
    /// For people; may have several lines.
    #[oai(validator(max_length = 1000))]
    description: Option<String>,
    /// What to look for, each 1 to 200 characters; repetitions, in any case, count once.
    #[oai(validator(max_items = 50, min_length = 1, max_length = 200))]
    keywords: Option<Vec<String>>,
    /// Images that it is to have; 100 by default.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    max_images: Option<i32>,
    /// Where to look: ids of installed sources, or `google`, `bing`, `baidu`, `duckduckgo`, `unsplash`,
    /// `pixabay`, in place of which another source is asked where they are not available.
    #[oai(validator(max_items = 100, min_length = 1, max_length = 100))]
    search_engines: Option<Vec<String>>,
    /// The project that it belongs to; to none by default.
    #[oai(validator(minimum(value = "1")))]
    project_id: Option<i32>,
}

/// What changes of a dataset; the rest stays as it is.
#[derive(Object)]
#[oai(example, deny_unknown_fields, skip_serializing_if_is_none)]
pub(super) struct UpdateDataset {
    /// For people.
    #[oai(validator(min_length = 1, max_length = 100))]
    name: Option<String>,
    /// For people; null takes it away.
    #[oai(nullable, validator(max_length = 1000))]
    description: Option<String>,
    /// What the next build looks for.
    #[oai(validator(max_items = 50, min_length = 1, max_length = 200))]
    keywords: Option<Vec<String>>,
    /// Images that it is to have.
    #[oai(validator(minimum(value = "1"), maximum(value = "100000")))]
    max_images: Option<i32>,
    /// Where the next build looks.
    #[oai(validator(max_items = 100, min_length = 1, max_length = 100))]
    search_engines: Option<Vec<String>>,
    /// Another project of the caller, or null for none.
    #[oai(nullable, validator(minimum(value = "1")))]
    project_id: Option<i32>,
}

#[derive(ApiResponse)]
pub(super) enum DatasetCreated {
    /// The dataset is created.
    #[oai(status = 201)]
    Now(Json<DatasetDetail>, #[oai(header = "Location")] String),
}

/// What can go wrong with a new dataset.
pub(super) const CREATING: u16 = SIGNED_IN | BODY;
/// What can go wrong with a change of a dataset.
pub(super) const CHANGING: u16 = CREATING | NOT_FOUND;

#[OpenApi(prefix_path = "/datasets", tag = "Tag::Datasets")]
impl DatasetsApi {
    /// List the caller's datasets
    ///
    /// Newest first.
    #[oai(path = "/", method = "get", operation_id = "listDatasets")]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ_DATASETS>,
        /// Only those of this project.
        Query(project_id): Query<Option<i32>>,
        /// Most datasets in the answer; 50 by default.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        Query(limit): Query<Option<u8>>,
        /// `next` of the page before.
        Query(after): Query<Option<i32>>,
        /// Number of the page, from 1: the original's way to ask, not together with `after`.
        #[oai(deprecated, validator(minimum(value = "1"), maximum(value = "1000000")))]
        Query(page): Query<Option<i32>>,
        /// The original's name of `limit`.
        #[oai(deprecated, validator(minimum(value = "1"), maximum(value = "100")))]
        Query(size): Query<Option<u8>>,
    ) -> Result<Json<DatasetPage>, ProblemSet<{ SIGNED_IN | PARAMETER }>> {
        let window = Window::of_pages(limit, after, page, size)?;
        Ok(Json(list(app, caller.user, project_id.map(ProjectId), window).await?))
    }

    /// Create a dataset
    ///
    /// Nothing is looked for before a build of it, or a job that names it.
    #[oai(path = "/", method = "post", operation_id = "createDataset")]
    async fn create(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<WRITE>,
        body: JsonBody<CreateDataset>,
    ) -> Result<DatasetCreated, ProblemSet<CREATING>> {
        let dataset = app.create_dataset(&caller, &DatasetRequest::from(body.value)).await?;
        let location = format!("{PREFIX}/datasets/{dataset}");
        Ok(DatasetCreated::Now(Json(find(app, caller.holder(), dataset).await?), location))
    }

    /// Show a dataset
    ///
    /// With how many images it has, what they take, and its latest job.
    #[oai(path = "/:id", method = "get", operation_id = "getDataset")]
    pub(super) async fn show(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ_DATASETS>,
        /// Id of the dataset.
        #[oai(example = "example_id")]
        Path(id): Path<i32>,
    ) -> Result<Json<DatasetDetail>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        Ok(Json(find(app, caller.holder(), DatasetId(id)).await?))
    }

    /// Change a dataset
    ///
    /// Rename it, describe it, move it to another project. Keywords, search engines and the number of
    /// images count from the next build on.
    #[oai(path = "/:id", method = "patch", operation_id = "updateDataset")]
    async fn update(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<WRITE>,
        /// Id of the dataset.
        #[oai(example = "example_id")]
        Path(id): Path<i32>,
        body: JsonBody<UpdateDataset>,
    ) -> Result<Json<DatasetDetail>, ProblemSet<CHANGING>> {
        let dataset = DatasetId(id);
        app.update_dataset(caller.user, dataset, None, &DatasetRequest::from(body.value)).await?;
        Ok(Json(find(app, caller.holder(), dataset).await?))
    }

    /// Change a dataset
    ///
    /// Another name of `PATCH`: what is not given stays as it is here, too.
    #[oai(path = "/:id", method = "put", operation_id = "putDataset", tag = "Tag::Compatibility", deprecated)]
    async fn put(
        &self,
        data: Data<&App>,
        access: Access<WRITE>,
        /// Id of the dataset.
        #[oai(example = "example_id")]
        id: Path<i32>,
        body: JsonBody<UpdateDataset>,
    ) -> Result<Json<DatasetDetail>, ProblemSet<CHANGING>> {
        self.update(data, access, id, body).await
    }

    /// Delete a dataset and all that is in it
    ///
    /// Its jobs and the rows of their images. Jobs that run are cancelled first. It cannot be undone; when
    /// it fails in the middle, the same request goes on.
    #[oai(path = "/:id", method = "delete", operation_id = "deleteDataset")]
    pub(super) async fn delete(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<DELETE>,
        /// Id of the dataset.
        #[oai(example = "example_id")]
        Path(id): Path<i32>,
    ) -> Result<Json<Gone>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        app.is_signed_in(&caller).await?;
        if app.delete_dataset(caller.user, DatasetId(id)).await? {
            Ok(Json(Gone::default()))
        } else {
            Err(not_found().into())
        }
    }

    /// Look for what a dataset lacks
    ///
    /// Begins a crawl job for its keywords and as many images as it has too few. Search engines that are
    /// not available are replaced by a source that is, which `message` says. What the dataset asks for
    /// may break rules of jobs where the frontend wrote it: `errors` names the fields.
    #[oai(path = "/:id/build", method = "post", operation_id = "buildDataset")]
    async fn build(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<CREATE_JOBS>,
        /// Id of the dataset.
        #[oai(example = "example_id")]
        Path(id): Path<i32>,
    ) -> Result<Json<DatasetDetail>, ProblemSet<{ BEGINS_JOB | NOT_FOUND | CONFLICT }>> {
        let build = app.build_dataset(&caller, DatasetId(id)).await?;
        let dataset = find(app, caller.holder(), DatasetId(id)).await?;
        Ok(Json(DatasetDetail { message: build.message.into(), ..dataset }))
    }

    /// Cancel the jobs of a dataset
    ///
    /// All that are under way; what they have stays. Where none is, nothing happens.
    #[oai(path = "/:id/cancel", method = "post", operation_id = "cancelDataset")]
    async fn cancel(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<CANCEL_JOBS>,
        /// Id of the dataset.
        #[oai(example = "example_id")]
        Path(id): Path<i32>,
    ) -> Result<Json<DatasetDetail>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        let cancelled = app.cancel_dataset(caller.user, DatasetId(id)).await?;
        let dataset = find(app, caller.holder(), DatasetId(id)).await?;
        let message = match cancelled {
            0 => "No job of this dataset was under way.".to_owned(),
            1 => "One job was cancelled.".to_owned(),
            several => format!("{several} jobs were cancelled."),
        };
        Ok(Json(DatasetDetail { message: Some(message).into(), ..dataset }))
    }
}

/// A page of the datasets of one project, or of all.
pub(super) async fn list(
    app: &App,
    user: UserId,
    project: Option<ProjectId>,
    window: Window,
) -> Result<DatasetPage, Problem> {
    let after = window.after.map(DatasetId);
    let mut rows = db::datasets::list(&app.db, user, project, after, window.skip, window.rows()).await?;
    let next = cut(&mut rows, window.limit, |dataset| dataset.id.0);
    let total = db::datasets::count(&app.db, user, project).await?;
    let items = rows.into_iter().map(Dataset::from).collect();
    Ok(DatasetPage { items, next, numbers: window.numbers(total) })
}

/// A dataset that there is, with what it holds.
pub(super) async fn find(
    app: &App,
    holder: LinkHolder,
    dataset: DatasetId,
) -> Result<DatasetDetail, Problem> {
    let found = db::datasets::detail(&app.db, holder.user, dataset).await?.ok_or_else(not_found)?;
    let job = match found.latest_job {
        Some(job) => db::jobs::show(&app.db, holder.user, job).await?,
        None => None,
    };
    Ok(DatasetDetail {
        image_count: found.image_count,
        duplicate_count: found.duplicate_count,
        refused_count: found.refused_count,
        bytes: found.bytes,
        job_count: found.job_count,
        latest_job: job.map(|job| CrawlJob::new(job, app, holder, Utc::now())).into(),
        total_images: found.image_count,
        size_mb: mebibytes(found.bytes),
        message: None.into(),
        dataset: found.dataset.into(),
    })
}

/// To two digits.
#[expect(clippy::cast_precision_loss, reason = "it is rounded anyway")]
fn mebibytes(bytes: i64) -> f64 {
    (bytes as f64 / f64::from(1 << 20) * 100.0).round() / 100.0
}

pub(super) fn not_found() -> Problem {
    Problem::not_found("dataset")
}

/// Id of the dataset in all examples.
pub(super) const fn example_id() -> i32 {
    1
}

impl From<DatasetError> for Problem {
    fn from(error: DatasetError) -> Self {
        match error {
            DatasetError::NotFound => not_found(),
            DatasetError::NoProject(project) => {
                let detail = format!("you have none with id {project}");
                Self::rules(vec![Violation { pointer: "/project_id".to_owned(), detail }])
            }
            DatasetError::UnderWay(job) => {
                let detail =
                    format!("Job {job} of this dataset is under way; wait for its end, or cancel it.");
                Self::new(ProblemCode::WrongStatus, detail)
            }
            DatasetError::Full(kept) => {
                let detail = format!(
                    "The dataset has the {kept} images that it asks for; give it a larger max_images to look for more."
                );
                Self::new(ProblemCode::NothingMissing, detail)
            }
            DatasetError::Job(error) => error.into(),
        }
    }
}

impl From<db::datasets::DatasetRow> for Dataset {
    fn from(row: db::datasets::DatasetRow) -> Self {
        Self {
            id: row.id.0,
            user_id: row.user_id.0,
            project_id: row.project_id.map(|project| project.0).into(),
            name: row.name,
            description: row.description.into(),
            keywords: row.keywords.0.0,
            max_images: row.max_images,
            search_engines: row.search_engines.0.0,
            status: word(&row.status).unwrap_or(DatasetStatus::Failed),
            progress: row.progress,
            images_collected: row.images_collected,
            crawl_job_id: row.crawl_job_id.map(|job| job.0).into(),
            download_url: row.download_url.into(),
            error_message: row.error_message.into(),
            storage_tier: row.storage_tier,
            archived_at: row.archived_at.map(Into::into).into(),
            last_accessed_at: row.last_accessed_at.into(),
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
        }
    }
}

impl Example for Dataset {
    fn example() -> Self {
        Self {
            id: example_id(),
            user_id: Uuid::from_u128(1),
            project_id: Some(projects::example_id()).into(),
            name: "Red pandas".to_owned(),
            description: None.into(),
            keywords: vec!["red panda".to_owned()],
            max_images: 200,
            search_engines: vec!["openverse".to_owned()],
            status: DatasetStatus::Processing,
            progress: 25.0,
            images_collected: 50,
            crawl_job_id: Some(super::jobs::example_id()).into(),
            download_url: None.into(),
            error_message: None.into(),
            storage_tier: "hot".to_owned(),
            archived_at: None.into(),
            last_accessed_at: DateTime::UNIX_EPOCH,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }
}

impl Example for DatasetDetail {
    fn example() -> Self {
        Self {
            dataset: Dataset::example(),
            image_count: 50,
            duplicate_count: 7,
            refused_count: 4,
            bytes: 52_428_800,
            job_count: 1,
            latest_job: Some(CrawlJob::example()).into(),
            total_images: 50,
            size_mb: 50.0,
            message: None.into(),
        }
    }
}

impl Example for DatasetPage {
    fn example() -> Self {
        Self { items: vec![Dataset::example()], next: None.into(), numbers: PageNumbers::example() }
    }
}

impl Example for CreateDataset {
    fn example() -> Self {
        Self {
            name: "Red pandas".to_owned(),
            description: None,
            keywords: Some(vec!["red panda".to_owned()]),
            max_images: Some(200),
            search_engines: Some(vec!["openverse".to_owned()]),
            project_id: None,
        }
    }
}

impl Example for UpdateDataset {
    fn example() -> Self {
        Self {
            name: Some("Lesser pandas".to_owned()),
            description: Some("Both subspecies.".to_owned()),
            keywords: None,
            max_images: Some(500),
            search_engines: None,
            project_id: None,
        }
    }
}
