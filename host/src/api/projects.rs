//! Projects: what a user groups datasets by.

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
    bearer::{Access, DELETE, READ, WRITE},
    body::JsonBody,
    compat::{
        Gone,
        paging::{ListMeta, Window},
    },
    cut,
    error::{BODY, NOT_FOUND, PARAMETER, Problem, ProblemSet, SIGNED_IN},
    nullable::Nullable,
    word,
};
use crate::{
    app::App,
    db,
    model::{ProjectId, UserId},
    services::projects::ProjectRequest,
};

pub(super) struct ProjectsApi;

/// A row of `projects`, and what is in it.
#[derive(Clone, Object)]
#[oai(example)]
pub(super) struct Project {
    /// Id of the project.
    id: i32,
    /// Whose it is.
    user_id: Uuid,
    /// For people.
    name: String,
    /// For people.
    description: Nullable<String>,
    /// Whether it is worked with; what whoever wrote the row calls something else is `archived`.
    status: ProjectStatus,
    /// When it was created.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
    /// Datasets in it.
    dataset_count: i64,
    /// Images that these have, those of jobs that run not counted.
    image_count: i64,
}

/// A page of projects.
#[derive(Object)]
#[oai(example)]
struct ProjectPage {
    /// Newest first.
    items: Vec<Project>,
    /// `after` of the next page; null on the last.
    next: Nullable<i32>,
    /// The same as `items`.
    #[oai(deprecated)]
    data: Vec<Project>,
    /// What `data` is a part of.
    #[oai(deprecated)]
    meta: ListMeta,
}

/// A new project.
#[derive(Object)]
#[oai(example, deny_unknown_fields, skip_serializing_if_is_none)]
struct CreateProject {
    /// For people.
    #[oai(validator(min_length = 1, max_length = 100))]
    name: String,
    /// For people; may have several lines.
    #[oai(validator(max_length = 1000))]
    description: Option<String>,
    /// `active` by default, or `archived`.
    status: Option<ProjectStatus>,
}

/// What changes of a project; the rest stays as it is.
#[derive(Object)]
#[oai(example, deny_unknown_fields, skip_serializing_if_is_none)]
struct UpdateProject {
    /// For people.
    #[oai(validator(min_length = 1, max_length = 100))]
    name: Option<String>,
    /// For people; null takes it away.
    #[oai(nullable, validator(max_length = 1000))]
    description: Option<String>,
    /// `active` or `archived`.
    status: Option<ProjectStatus>,
}

/// Whether a project is worked with.
#[derive(Clone, Copy, Enum)]
#[oai(rename_all = "lowercase")]
enum ProjectStatus {
    /// It is.
    Active,
    /// It is put away.
    Archived,
}

#[derive(ApiResponse)]
enum ProjectCreated {
    /// The project is created.
    #[oai(status = 201)]
    Now(Json<Project>, #[oai(header = "Location")] String),
}

#[OpenApi(prefix_path = "/projects", tag = "Tag::Projects")]
impl ProjectsApi {
    /// List the caller's projects
    ///
    /// Newest first.
    #[oai(path = "/", method = "get", operation_id = "listProjects")]
    async fn list(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ>,
        /// Most projects in the answer; 50 by default, and 1000 where none of these is given, because the
        /// original takes the answer for all.
        #[oai(validator(minimum(value = "1"), maximum(value = "100")))]
        Query(limit): Query<Option<u8>>,
        /// `next` of the page before.
        Query(after): Query<Option<i32>>,
        /// Projects to leave out, from the first: the original's way to ask, not together with `after`.
        #[oai(deprecated, validator(minimum(value = "0"), maximum(value = "1000000")))]
        Query(skip): Query<Option<i32>>,
    ) -> Result<Json<ProjectPage>, ProblemSet<{ SIGNED_IN | PARAMETER }>> {
        let window = Window::whole_or_of_skip(limit, after, skip)?;
        let after = window.after.map(ProjectId);
        let mut rows = db::projects::list(&app.db, caller.user, after, window.skip, window.rows()).await?;
        let next = cut(&mut rows, window.limit, |project| project.id.0);
        let items: Vec<Project> = rows.into_iter().map(Project::from).collect();
        let total = db::projects::count(&app.db, caller.user).await?;
        Ok(Json(ProjectPage { data: items.clone(), items, next, meta: window.meta(total) }))
    }

    /// Create a project
    ///
    /// It holds datasets: new ones by their `project_id`, or those of jobs that name it.
    #[oai(path = "/", method = "post", operation_id = "createProject")]
    async fn create(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<WRITE>,
        body: JsonBody<CreateProject>,
    ) -> Result<ProjectCreated, ProblemSet<{ SIGNED_IN | BODY }>> {
        let fields = ProjectRequest::from(body.value).check_new().map_err(Problem::rules)?;
        let project = app.create_project(&caller, &fields).await?;
        let location = format!("{PREFIX}/projects/{project}");
        Ok(ProjectCreated::Now(Json(find(app, caller.user, project).await?), location))
    }

    /// Show a project
    ///
    /// With how many datasets and images are in it.
    #[oai(path = "/:id", method = "get", operation_id = "getProject")]
    async fn show(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ>,
        /// Id of the project.
        #[oai(example = "example_id")]
        Path(id): Path<i32>,
    ) -> Result<Json<Project>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        Ok(Json(find(app, caller.user, ProjectId(id)).await?))
    }

    /// Change a project
    ///
    /// Its name, its description, or whether it is archived, which changes nothing about its datasets.
    #[oai(path = "/:id", method = "patch", operation_id = "updateProject")]
    async fn update(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<WRITE>,
        /// Id of the project.
        #[oai(example = "example_id")]
        Path(id): Path<i32>,
        body: JsonBody<UpdateProject>,
    ) -> Result<Json<Project>, ProblemSet<{ SIGNED_IN | BODY | NOT_FOUND }>> {
        let fields = ProjectRequest::from(body.value).check().map_err(Problem::rules)?;
        if !app.update_project(caller.user, ProjectId(id), &fields).await? {
            return Err(not_found().into());
        }
        Ok(Json(find(app, caller.user, ProjectId(id)).await?))
    }

    /// Delete a project and all that is in it
    ///
    /// Its datasets, their jobs and the rows of their images. Jobs that run are cancelled first. It cannot
    /// be undone; when it fails in the middle, the same request goes on.
    #[oai(path = "/:id", method = "delete", operation_id = "deleteProject")]
    async fn delete(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<DELETE>,
        /// Id of the project.
        #[oai(example = "example_id")]
        Path(id): Path<i32>,
    ) -> Result<Json<Gone>, ProblemSet<{ SIGNED_IN | NOT_FOUND }>> {
        app.is_signed_in(&caller).await?;
        if app.delete_project(caller.user, ProjectId(id)).await? {
            Ok(Json(Gone::default()))
        } else {
            Err(not_found().into())
        }
    }
}

async fn find(app: &App, user: UserId, project: ProjectId) -> Result<Project, Problem> {
    let found = db::projects::show(&app.db, user, project).await?;
    found.map(Project::from).ok_or_else(not_found)
}

pub(super) fn not_found() -> Problem {
    Problem::not_found("project")
}

/// Id of the project in all examples.
pub(super) const fn example_id() -> i32 {
    1
}

impl From<db::projects::ProjectRow> for Project {
    fn from(row: db::projects::ProjectRow) -> Self {
        Self {
            id: row.id.0,
            user_id: row.user_id.0,
            name: row.name,
            description: row.description.into(),
            status: word(&row.status).unwrap_or(ProjectStatus::Archived),
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            dataset_count: row.dataset_count,
            image_count: row.image_count,
        }
    }
}

impl Example for Project {
    fn example() -> Self {
        Self {
            id: example_id(),
            user_id: Uuid::from_u128(1),
            name: "Zoo".to_owned(),
            description: Some("Animals, for the classifier.".to_owned()).into(),
            status: ProjectStatus::Active,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
            dataset_count: 1,
            image_count: 200,
        }
    }
}

impl Example for ProjectPage {
    fn example() -> Self {
        Self {
            items: vec![Project::example()],
            next: None.into(),
            data: vec![Project::example()],
            meta: ListMeta::example(),
        }
    }
}

impl Example for CreateProject {
    fn example() -> Self {
        Self {
            name: "Zoo".to_owned(),
            description: Some("Animals, for the classifier.".to_owned()),
            status: None,
        }
    }
}

impl Example for UpdateProject {
    fn example() -> Self {
        Self {
            name: Some("Zoo of 2026".to_owned()),
            description: None,
            status: Some(ProjectStatus::Archived),
        }
    }
}
