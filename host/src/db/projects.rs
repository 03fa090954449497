//! `projects`: what a user groups datasets by. The frontend writes it, too.
//!
//! Its functions fail when the database does.

use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection, PgExecutor, PgPool};

use crate::{
    db::{
        End,
        activity::{self, Action},
        column::Timestamp,
    },
    model::{DatasetId, ProjectId, UserId},
};

/// Datasets that are named at a time.
const PAGE: i64 = 1000;

/// A row of `projects`, and what is in it.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "columns, as the frontend declares them; meanings are in the API's document")]
pub struct ProjectRow {
    pub id: ProjectId,
    pub user_id: UserId,
    pub name: String,
    pub description: Option<String>,
    pub status: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Its datasets.
    pub dataset_count: i64,
    /// What these hold, as of the last end of a job of each.
    pub image_count: i64,
}

/// What a [`ProjectRow`] is made of, where `shown` is the row.
const PROJECT_ROW: &str = "shown.*, held.*
       from public.projects shown
      cross join lateral (
            select count(*) as dataset_count, coalesce(sum(images_collected), 0)::bigint as image_count
              from public.datasets where project_id = shown.id and user_id = shown.user_id) as held";

/// Fields of a project, checked; those that are none stay as they are, or have their default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProjectFields {
    /// For people.
    pub name: Option<String>,
    /// None in it takes it away.
    pub description: Option<Option<String>>,
    /// One of those that the API knows.
    pub status: Option<&'static str>,
}

/// At most `limit` projects of this user, newest first, older than `after`, without the first `skip` of these.
pub async fn list(
    db: &PgPool,
    user: UserId,
    after: Option<ProjectId>,
    skip: i64,
    limit: i64,
) -> sqlx::Result<Vec<ProjectRow>> {
    sqlx::query_as(AssertSqlSafe(format!(
        "select {PROJECT_ROW}
          where shown.user_id = $1 and ($2::integer is null or shown.id < $2)
          order by shown.id desc offset $3 limit $4",
    )))
    .bind(user)
    .bind(after)
    .bind(skip)
    .bind(limit)
    .fetch_all(db)
    .await
}

/// How many projects this user has.
pub async fn count(db: &PgPool, user: UserId) -> sqlx::Result<i64> {
    sqlx::query_scalar("select count(*) from public.projects where user_id = $1")
        .bind(user)
        .fetch_one(db)
        .await
}

/// A project of this user.
pub async fn show(
    db: impl PgExecutor<'_>,
    user: UserId,
    project: ProjectId,
) -> sqlx::Result<Option<ProjectRow>> {
    sqlx::query_as(AssertSqlSafe(format!("select {PROJECT_ROW} where shown.user_id = $1 and shown.id = $2")))
        .bind(user)
        .bind(project)
        .fetch_optional(db)
        .await
}

/// Writes a project, which has a name.
pub async fn insert(
    connection: &mut PgConnection,
    user: UserId,
    fields: &ProjectFields,
) -> sqlx::Result<ProjectId> {
    let project = sqlx::query_scalar(
        "insert into public.projects (user_id, name, description, status)
         values ($1, $2, $3, coalesce($4, 'active')) returning id",
    )
    .bind(user)
    .bind(&fields.name)
    .bind(fields.description.as_ref().and_then(Option::as_ref))
    .bind(fields.status)
    .fetch_one(&mut *connection)
    .await?;
    let metadata = json!({ "name": fields.name });
    activity::log(connection, user, Action::CreateProject, project, metadata).await?;
    Ok(project)
}

/// Changes a project of this user; whether there is one.
pub async fn update(
    connection: &mut PgConnection,
    user: UserId,
    project: ProjectId,
    fields: &ProjectFields,
) -> sqlx::Result<bool> {
    let updated: Option<(String, String)> = sqlx::query_as(
        "update public.projects
            set name = coalesce($3, name), description = case when $4 then $5 else description end,
                status = coalesce($6, status), updated_at = now()
          where user_id = $1 and id = $2
      returning name, status",
    )
    .bind(user)
    .bind(project)
    .bind(&fields.name)
    .bind(fields.description.is_some())
    .bind(fields.description.as_ref().and_then(Option::as_ref))
    .bind(fields.status)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((name, status)) = updated else { return Ok(false) };
    let metadata = json!({ "name": name, "status": status });
    activity::log(connection, user, Action::UpdateProject, project, metadata).await?;
    Ok(true)
}

/// Datasets in a project of this user, or the first of very many.
pub async fn datasets(db: &PgPool, user: UserId, project: ProjectId) -> sqlx::Result<Vec<DatasetId>> {
    sqlx::query_scalar(
        "select id from public.datasets where user_id = $1 and project_id = $2 order by id limit $3",
    )
    .bind(user)
    .bind(project)
    .bind(PAGE)
    .fetch_all(db)
    .await
}

/// Deletes a project of this user that has no datasets. Who puts one into it at the moment is waited
/// for, and who comes after finds no project.
pub async fn delete(connection: &mut PgConnection, user: UserId, project: ProjectId) -> sqlx::Result<End> {
    let locked =
        sqlx::query_scalar("select name from public.projects where user_id = $1 and id = $2 for update");
    let locked: Option<String> = locked.bind(user).bind(project).fetch_optional(&mut *connection).await?;
    let Some(name) = locked else { return Ok(End::NotFound) };
    let held: bool = sqlx::query_scalar(
        "select exists (select from public.datasets where user_id = $1 and project_id = $2)",
    )
    .bind(user)
    .bind(project)
    .fetch_one(&mut *connection)
    .await?;
    if held {
        return Ok(End::HasMore);
    }
    sqlx::query("delete from public.projects where id = $1").bind(project).execute(&mut *connection).await?;
    activity::log(connection, user, Action::DeleteProject, project, json!({ "name": name })).await?;
    Ok(End::Now)
}
