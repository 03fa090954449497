//! Several things at once.

use poem::web::Data;
use poem_openapi::{Object, OpenApi, payload::Json, types::Example};

use crate::{
    api::{
        Tag,
        bearer::{Access, DELETE},
        body::JsonBody,
        error::{BODY, Problem, ProblemSet, SIGNED_IN},
    },
    app::App,
    error::chain,
    model::ProjectId,
    services::projects::DeleteProjectsRequest,
};

pub(in crate::api) struct BatchApi;

/// Which projects are to be deleted.
#[derive(Object)]
#[oai(example, deny_unknown_fields)]
struct DeleteProjects {
    /// Their ids.
    #[oai(validator(min_items = 1, max_items = 1000))]
    ids: Vec<i64>,
}

/// What became of them.
#[derive(Object)]
#[oai(example)]
struct ProjectsDeleted {
    /// How many are gone.
    deleted_count: usize,
    /// Ids of those that were not there, belong to someone else, or could not be deleted for now, which the
    /// same again tells apart.
    failed_ids: Vec<i64>,
}

#[OpenApi(prefix_path = "/batch", tag = "Tag::Compatibility")]
impl BatchApi {
    /// Delete several projects and all that is in them
    ///
    /// As `DELETE /projects/{id}` does each. What fails is said, and does not keep the others.
    #[oai(path = "/projects/batch-delete", method = "post", operation_id = "batchDeleteProjects", deprecated)]
    async fn delete_projects(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<DELETE>,
        body: JsonBody<DeleteProjects>,
    ) -> Result<Json<ProjectsDeleted>, ProblemSet<{ SIGNED_IN | BODY }>> {
        let ids = DeleteProjectsRequest::from(body.value).check().map_err(Problem::rules)?;
        app.is_signed_in(&caller).await?;
        let mut done = ProjectsDeleted { deleted_count: 0, failed_ids: Vec::new() };
        for id in ids {
            let gone = match i32::try_from(id) {
                Ok(project) => app.delete_project(caller.user, ProjectId(project)).await.unwrap_or_else(|error| {
                    tracing::warn!(project, error = %chain(&error), "a project of several is not deleted");
                    false
                }),
                Err(_) => false,
            };
            if gone {
                done.deleted_count += 1;
            } else {
                done.failed_ids.push(id);
            }
        }
        Ok(Json(done))
    }
}

impl Example for DeleteProjects {
    fn example() -> Self {
        Self { ids: vec![7, 8] }
    }
}

impl Example for ProjectsDeleted {
    fn example() -> Self {
        Self { deleted_count: 1, failed_ids: vec![8] }
    }
}
