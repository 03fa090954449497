//! Datasets under the other paths that the original has for them.

use chrono::Utc;
use poem::{Request, web::Data};
use poem_openapi::{
    OpenApi,
    param::{Header, Path, Query},
    payload::Json,
};

use super::{Gone, paging::Window};
use crate::{
    api::{
        PREFIX, Tag,
        bearer::{Access, DELETE, EXPORT_DATASETS, READ_DATASETS, WRITE},
        body::JsonBody,
        datasets::{
            self, CHANGING, CreateDataset, DatasetCreated, DatasetDetail, DatasetPage, DatasetsApi,
            UpdateDataset,
        },
        error::{CONFLICT, NOT_FOUND, PARAMETER, Problem, ProblemSet, RANGE, SIGNED_IN},
        exports::File,
        images::{self, ManifestArray},
        projects,
        ranges::Conditions,
    },
    app::App,
    dataset::{
        Listing,
        export::{ARCHIVE, ExportFileError},
    },
    db::{self, images::ImageScope},
    model::{DatasetId, ProjectId, UserId},
    services::datasets::{DatasetError, DatasetRequest},
};

pub(in crate::api) struct OtherDatasetsApi;

#[OpenApi(tag = "Tag::Compatibility")]
impl OtherDatasetsApi {
    /// Show a dataset
    ///
    /// Another name of `GET /datasets/{id}`.
    #[oai(path = "/datasets/:id/status", method = "get", operation_id = "getDatasetStatus", deprecated)]
    async fn status(
        &self,
        data: Data<&App>,
        access: Access<READ_DATASETS>,
        /// Id of the dataset.
        #[oai(example = "datasets::example_id")]
        id: Path<i32>,
    ) -> Result<Json<DatasetDetail>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        DatasetsApi.show(data, access, id).await
    }

    /// List all that a dataset has kept, with links
    ///
    /// What the original's SDK loads: an array with what `metadata.jsonl` of a dataset folder says of each
    /// image kept so far, and a signed link to its bytes that is good for a day. It comes as it is read; an
    /// answer that breaks off was not whole. `POST /datasets/{id}/exports` makes what can be gone on with.
    #[oai(path = "/datasets/:id/export/json", method = "get", operation_id = "exportDatasetJson", deprecated)]
    async fn export_json(
        &self,
        Data(app): Data<&App>,
        request: &Request,
        Access(caller): Access<EXPORT_DATASETS>,
        /// Id of the dataset.
        #[oai(example = "datasets::example_id")]
        Path(id): Path<i32>,
    ) -> Result<ManifestArray, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        let dataset = DatasetId(id);
        if !db::datasets::exists(&app.db, caller.user, dataset).await? {
            return Err(datasets::not_found().into());
        }
        let listing = Listing::of(&app.db, caller.user, ImageScope::Dataset(dataset)).await?;
        let name = format!("dataset_{dataset}.json");
        let origin = images::origin(request);
        Ok(ManifestArray::new(app, caller.holder(), listing, origin, Utc::now(), &name))
    }

    /// Get all that a dataset has kept, as an archive
    ///
    /// What the original's SDK downloads: the file of an export as `zip` with default options, which is made where
    /// there is none of the dataset as it is now. Such exports are not listed. `Range`, `If-Range` and
    /// `If-None-Match` are understood; once the dataset has changed, the archive is another.
    #[oai(path = "/datasets/:id/export/zip", method = "get", operation_id = "exportDatasetZip", deprecated)]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn export_zip(
        &self,
        Data(app): Data<&App>,
        request: &Request,
        Access(caller): Access<EXPORT_DATASETS>,
        /// Id of the dataset.
        #[oai(example = "datasets::example_id")]
        Path(id): Path<i32>,
        /// ETags that the client has.
        #[oai(name = "If-None-Match")]
        Header(if_none_match): Header<Option<String>>,
        /// Only with this ETag does `Range` count.
        #[oai(name = "If-Range")]
        Header(if_range): Header<Option<String>>,
        /// One range of bytes; several are answered with the whole.
        #[oai(name = "Range")]
        Header(range): Header<Option<String>>,
    ) -> Result<File, ProblemSet<{ SIGNED_IN | NOT_FOUND | CONFLICT | RANGE }>> {
        let dataset = DatasetId(id);
        let export = app.current_zip(caller.user, dataset).await?;
        // Newer ones may have taken its place by now.
        let opened = app.open_export_file(caller.user, dataset, export, ARCHIVE).await?;
        let opened = opened.ok_or(ExportFileError::Changed)?;
        let (name, conditions) =
            (format!("dataset_{dataset}.zip"), Conditions { if_none_match, if_range, range });
        Ok(File::get(app, caller.user, opened, &name, &conditions, request.method()).await?)
    }

    /// List the datasets of a project
    ///
    /// As `GET /datasets` with its `project_id`.
    #[oai(path = "/projects/:id/datasets", method = "get", operation_id = "listProjectDatasets", deprecated)]
    #[expect(clippy::too_many_arguments, reason = "each is a parameter of the operation")]
    async fn list(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ_DATASETS>,
        /// Id of the project.
        #[oai(example = "projects::example_id")]
        Path(id): Path<i32>,
        /// Most datasets in the answer; 50 by default.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        Query(limit): Query<Option<u8>>,
        /// `next` of the page before.
        Query(after): Query<Option<i32>>,
        /// Number of the page, from 1; not together with `after`.
        #[oai(validator(minimum(value = "1"), maximum(value = "1000000")))]
        Query(page): Query<Option<i32>>,
        /// Another name of `limit`.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        Query(size): Query<Option<u8>>,
    ) -> Result<Json<DatasetPage>, ProblemSet<{ SIGNED_IN | PARAMETER | NOT_FOUND }>> {
        let window = Window::of_pages(limit, after, page, size)?;
        let project = ProjectId(id);
        exists(app, caller.user, project).await?;
        Ok(Json(datasets::list(app, caller.user, Some(project), window).await?))
    }

    /// Create a dataset in a project
    ///
    /// As `POST /datasets` with its `project_id`.
    #[oai(
        path = "/projects/:id/datasets",
        method = "post",
        operation_id = "createProjectDataset",
        deprecated
    )]
    async fn create(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<WRITE>,
        /// Id of the project.
        #[oai(example = "projects::example_id")]
        Path(id): Path<i32>,
        body: JsonBody<CreateDataset>,
    ) -> Result<DatasetCreated, ProblemSet<CHANGING>> {
        let request = DatasetRequest::from(body.value).within(ProjectId(id));
        let dataset = match app.create_dataset(&caller, &request).await {
            Err(DatasetError::NoProject(_)) => return Err(projects::not_found().into()),
            created => created?,
        };
        let location = format!("{PREFIX}/datasets/{dataset}");
        Ok(DatasetCreated::Now(Json(datasets::find(app, caller.holder(), dataset).await?), location))
    }

    /// Show a dataset of a project
    ///
    /// As `GET /datasets/{id}`, where it belongs to this project.
    #[oai(
        path = "/projects/:id/datasets/:dataset_id",
        method = "get",
        operation_id = "getProjectDataset",
        deprecated
    )]
    async fn show(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ_DATASETS>,
        /// Id of the project.
        #[oai(example = "projects::example_id")]
        Path(id): Path<i32>,
        /// Id of the dataset.
        #[oai(example = "datasets::example_id")]
        Path(dataset_id): Path<i32>,
    ) -> Result<Json<DatasetDetail>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        is_in(app, caller.user, ProjectId(id), DatasetId(dataset_id)).await?;
        DatasetsApi.show(Data(app), Access(caller), Path(dataset_id)).await
    }

    /// Change a dataset of a project
    ///
    /// As `PATCH /datasets/{id}`, where it belongs to this project.
    #[oai(
        path = "/projects/:id/datasets/:dataset_id",
        method = "patch",
        operation_id = "updateProjectDataset",
        deprecated
    )]
    async fn update(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<WRITE>,
        /// Id of the project.
        #[oai(example = "projects::example_id")]
        Path(id): Path<i32>,
        /// Id of the dataset.
        #[oai(example = "datasets::example_id")]
        Path(dataset_id): Path<i32>,
        body: JsonBody<UpdateDataset>,
    ) -> Result<Json<DatasetDetail>, ProblemSet<CHANGING>> {
        let (project, dataset) = (ProjectId(id), DatasetId(dataset_id));
        let request = DatasetRequest::from(body.value);
        app.update_dataset(caller.user, dataset, Some(project), &request).await?;
        Ok(Json(datasets::find(app, caller.holder(), dataset).await?))
    }

    /// Delete a dataset of a project and all that is in it
    ///
    /// As `DELETE /datasets/{id}`, where it belongs to this project.
    #[oai(
        path = "/projects/:id/datasets/:dataset_id",
        method = "delete",
        operation_id = "deleteProjectDataset",
        deprecated
    )]
    async fn delete(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<DELETE>,
        /// Id of the project.
        #[oai(example = "projects::example_id")]
        Path(id): Path<i32>,
        /// Id of the dataset.
        #[oai(example = "datasets::example_id")]
        Path(dataset_id): Path<i32>,
    ) -> Result<Json<Gone>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        is_in(app, caller.user, ProjectId(id), DatasetId(dataset_id)).await?;
        DatasetsApi.delete(Data(app), Access(caller), Path(dataset_id)).await
    }
}

/// Refuses a project that is none of the user's.
async fn exists(app: &App, user: UserId, project: ProjectId) -> Result<(), Problem> {
    db::projects::show(&app.db, user, project).await?.map(drop).ok_or_else(projects::not_found)
}

/// Refuses a dataset that does not belong to this project of the user.
async fn is_in(app: &App, user: UserId, project: ProjectId, dataset: DatasetId) -> Result<(), Problem> {
    if db::datasets::is_in(&app.db, user, project, dataset).await? {
        Ok(())
    } else {
        Err(datasets::not_found())
    }
}
