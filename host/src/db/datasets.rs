//! `datasets`: where images are gathered, and what is to be looked for. The frontend writes it, too.
//!
//! Its functions fail when the database does.

use serde_json::json;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, types::Json};

use crate::{
    db::{
        End,
        activity::{self, Action},
        column::{LenientJson, Texts, Timestamp},
        job_lifecycle,
    },
    model::{DatasetId, JobId, ProjectId, UserId},
};

/// Jobs that are named at a time.
const PAGE: i64 = 1000;

/// A row of `datasets`.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "columns, as the frontend declares them; meanings are in the API's document")]
pub struct DatasetRow {
    pub id: DatasetId,
    pub user_id: UserId,
    pub project_id: Option<ProjectId>,
    pub name: String,
    pub description: Option<String>,
    pub keywords: LenientJson<Texts>,
    pub max_images: i32,
    pub search_engines: LenientJson<Texts>,
    pub status: String,
    pub progress: f64,
    pub images_collected: i32,
    pub crawl_job_id: Option<JobId>,
    pub download_url: Option<String>,
    pub error_message: Option<String>,
    pub storage_tier: String,
    pub archived_at: Option<Timestamp>,
    pub last_accessed_at: Timestamp,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a [`DatasetRow`] is made of, where `shown` is the row.
const DATASET_ROW: &str =
    "shown.id, shown.user_id, shown.project_id, shown.name, shown.description, shown.keywords,
    shown.max_images, shown.search_engines, shown.status, shown.progress::float8 as progress,
    shown.images_collected, shown.crawl_job_id, shown.download_url, shown.error_message, shown.storage_tier,
    shown.archived_at, shown.last_accessed_at, shown.created_at, shown.updated_at";

/// A dataset with what it holds, as of one moment.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct DatasetDetail {
    /// The dataset itself.
    #[sqlx(flatten)]
    pub dataset: DatasetRow,
    /// Kept.
    pub image_count: i64,
    /// Of these.
    pub bytes: i64,
    /// Not kept, because another is like it.
    pub duplicate_count: i64,
    /// Not kept for another reason.
    pub refused_count: i64,
    /// Jobs that put images into it.
    pub job_count: i64,
    /// Of these one that is under way, or else the latest.
    pub latest_job: Option<JobId>,
}

/// A dataset with how much it holds.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct DatasetSummary {
    /// The dataset itself.
    #[sqlx(flatten)]
    pub dataset: DatasetRow,
    /// Kept.
    pub images: i64,
    /// Of these.
    pub bytes: i64,
}

/// Fields of a dataset, checked; those that are none stay as they are, or have their default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatasetFields {
    /// For people.
    pub name: Option<String>,
    /// None in it takes it away.
    pub description: Option<Option<String>>,
    /// What to look for.
    pub keywords: Option<Vec<String>>,
    /// Images that it is to have.
    pub max_images: Option<i32>,
    /// Where to look, by ids of sources or names of search engines.
    pub search_engines: Option<Vec<String>>,
    /// Where it belongs; none in it is no project.
    pub project: Option<Option<ProjectId>>,
}

/// At most `limit` datasets of this user, of one `project` or of all, newest first, older than `after`,
/// without the first `skip` of these.
pub async fn list(
    db: &PgPool,
    user: UserId,
    project: Option<ProjectId>,
    after: Option<DatasetId>,
    skip: i64,
    limit: i64,
) -> sqlx::Result<Vec<DatasetRow>> {
    sqlx::query_as(AssertSqlSafe(format!(
        "select {DATASET_ROW} from public.datasets shown
          where user_id = $1 and ($2::integer is null or project_id = $2) and ($3::integer is null or id < $3)
          order by id desc offset $4 limit $5",
    )))
    .bind(user)
    .bind(project)
    .bind(after)
    .bind(skip)
    .bind(limit)
    .fetch_all(db)
    .await
}

/// At most `limit` datasets with how much they hold, newest first: of this user, or for the operator of all.
pub async fn summaries(db: &PgPool, user: Option<UserId>, limit: i64) -> sqlx::Result<Vec<DatasetSummary>> {
    sqlx::query_as(AssertSqlSafe(format!(
        "select {DATASET_ROW}, held.images,
                -- The jobs know it without any image being read.
                (select coalesce(sum(begun.bytes), 0)::bigint from pixcrawler.job begun
                   join public.crawl_jobs on crawl_jobs.id = begun.job_id
                  where crawl_jobs.dataset_id = shown.id) as bytes
           from (select * from public.datasets where $1::uuid is null or user_id = $1
                  order by id desc limit $2) as shown
          cross join lateral (select count(*) as images from public.images
                               where dataset_id = shown.id and is_valid and not is_duplicate) as held
          order by shown.id desc",
    )))
    .bind(user)
    .bind(limit)
    .fetch_all(db)
    .await
}

/// How many datasets this user has, in one `project` or in all.
pub async fn count(db: &PgPool, user: UserId, project: Option<ProjectId>) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "select count(*) from public.datasets where user_id = $1 and ($2::integer is null or project_id = $2)",
    )
    .bind(user)
    .bind(project)
    .fetch_one(db)
    .await
}

/// A dataset of this user with what it holds.
pub async fn detail(db: &PgPool, user: UserId, dataset: DatasetId) -> sqlx::Result<Option<DatasetDetail>> {
    sqlx::query_as(AssertSqlSafe(format!(
        "select {DATASET_ROW}, held.*, jobs.*
           from public.datasets shown
          cross join lateral (
                select count(*) filter (where is_valid and not is_duplicate) as image_count,
                       coalesce(sum(file_size) filter (where is_valid and not is_duplicate), 0)::bigint as bytes,
                       count(*) filter (where is_duplicate) as duplicate_count,
                       count(*) filter (where not is_valid and not is_duplicate) as refused_count
                  from public.images where dataset_id = shown.id and user_id = $1) as held
          cross join lateral (
                select count(*) as job_count,
                       coalesce(max(id) filter (where status in ('pending', 'running')), max(id)) as latest_job
                  from public.crawl_jobs where dataset_id = shown.id and user_id = $1) as jobs
          where shown.user_id = $1 and shown.id = $2",
    )))
    .bind(user)
    .bind(dataset)
    .fetch_optional(db)
    .await
}

/// Whether this user has this dataset.
pub async fn exists(db: &PgPool, user: UserId, dataset: DatasetId) -> sqlx::Result<bool> {
    sqlx::query_scalar("select exists (select from public.datasets where user_id = $1 and id = $2)")
        .bind(user)
        .bind(dataset)
        .fetch_one(db)
        .await
}

/// Whose a dataset is, for the operator.
pub async fn owner(db: &PgPool, dataset: DatasetId) -> sqlx::Result<Option<UserId>> {
    sqlx::query_scalar("select user_id from public.datasets where id = $1")
        .bind(dataset)
        .fetch_optional(db)
        .await
}

/// Whether a dataset of this user belongs to this project.
pub async fn is_in(db: &PgPool, user: UserId, project: ProjectId, dataset: DatasetId) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (select from public.datasets where user_id = $1 and project_id = $2 and id = $3)",
    )
    .bind(user)
    .bind(project)
    .bind(dataset)
    .fetch_one(db)
    .await
}

/// Writes a dataset, which has a name; or gives the project that the user does not have.
pub async fn insert(
    connection: &mut PgConnection,
    user: UserId,
    fields: &DatasetFields,
) -> sqlx::Result<Result<DatasetId, ProjectId>> {
    let project = fields.project.flatten();
    if let Some(project) = project
        && !is_there(connection, user, project).await?
    {
        return Ok(Err(project));
    }
    let dataset: DatasetId = sqlx::query_scalar(
        "insert into public.datasets (user_id, project_id, name, description, keywords, max_images, search_engines)
         values ($1, $2, $3, $4, $5, $6, $7) returning id",
    )
    .bind(user)
    .bind(project)
    .bind(&fields.name)
    .bind(fields.description.as_ref().and_then(Option::as_ref))
    .bind(Json(fields.keywords.as_deref().unwrap_or_default()))
    .bind(fields.max_images)
    .bind(Json(fields.search_engines.as_deref().unwrap_or_default()))
    .fetch_one(&mut *connection)
    .await?;
    let metadata = json!({ "name": fields.name });
    activity::log(connection, user, Action::CreateDataset, dataset, metadata).await?;
    Ok(Ok(dataset))
}

/// Changes a dataset of this user, which is locked; or gives the project that the user does not have.
pub async fn update(
    connection: &mut PgConnection,
    user: UserId,
    dataset: DatasetId,
    fields: &DatasetFields,
) -> sqlx::Result<Result<(), ProjectId>> {
    if let Some(Some(project)) = fields.project
        && !is_there(connection, user, project).await?
    {
        return Ok(Err(project));
    }
    // Its jobs follow by a trigger, and so after it, as when its project is deleted.
    let name: String = sqlx::query_scalar(
        "update public.datasets
            set name = coalesce($2, name), description = case when $3 then $4 else description end,
                keywords = coalesce($5, keywords), max_images = coalesce($6, max_images),
                search_engines = coalesce($7, search_engines),
                project_id = case when $8 then $9 else project_id end, updated_at = now()
          where id = $1
      returning name",
    )
    .bind(dataset)
    .bind(&fields.name)
    .bind(fields.description.is_some())
    .bind(fields.description.as_ref().and_then(Option::as_ref))
    .bind(fields.keywords.as_ref().map(Json))
    .bind(fields.max_images)
    .bind(fields.search_engines.as_ref().map(Json))
    .bind(fields.project.is_some())
    .bind(fields.project.flatten())
    .fetch_one(&mut *connection)
    .await?;
    activity::log(connection, user, Action::UpdateDataset, dataset, json!({ "name": name })).await?;
    // How far it is depends on that.
    if fields.max_images.is_some() {
        job_lifecycle::publish_dataset(connection, dataset).await?;
    }
    Ok(Ok(()))
}

/// A dataset of this user, locked until the end of the transaction.
pub async fn lock(
    connection: &mut PgConnection,
    user: UserId,
    dataset: DatasetId,
) -> sqlx::Result<Option<DatasetRow>> {
    super::lock_dataset(connection, dataset).await?;
    sqlx::query_as(AssertSqlSafe(format!(
        "select {DATASET_ROW} from public.datasets shown where user_id = $1 and id = $2"
    )))
    .bind(user)
    .bind(dataset)
    .fetch_optional(connection)
    .await
}

/// The job of a dataset that is under way, if there is one, and how many images are in it. It is locked.
pub async fn standing(
    connection: &mut PgConnection,
    dataset: DatasetId,
) -> sqlx::Result<(Option<JobId>, i64)> {
    sqlx::query_as(
        "select (select max(id) from public.crawl_jobs
                  where dataset_id = $1 and status in ('pending', 'running')),
                (select count(*) from public.images
                  where dataset_id = $1 and is_valid and not is_duplicate)",
    )
    .bind(dataset)
    .fetch_one(connection)
    .await
}

/// Jobs of a dataset of this user, or the first of very many; only those under way, where `open`.
pub async fn jobs(db: &PgPool, user: UserId, dataset: DatasetId, open: bool) -> sqlx::Result<Vec<JobId>> {
    sqlx::query_scalar(
        "select id from public.crawl_jobs
          where user_id = $1 and dataset_id = $2 and (not $3 or status in ('pending', 'running'))
          order by id limit $4",
    )
    .bind(user)
    .bind(dataset)
    .bind(open)
    .bind(PAGE)
    .fetch_all(db)
    .await
}

/// Deletes a dataset of this user that has no jobs. Who begins one of it at the moment is waited for,
/// and who comes after finds no dataset.
pub async fn delete(connection: &mut PgConnection, user: UserId, dataset: DatasetId) -> sqlx::Result<End> {
    super::lock_dataset(connection, dataset).await?;
    let locked =
        sqlx::query_scalar("select name from public.datasets where user_id = $1 and id = $2 for update");
    let locked: Option<String> = locked.bind(user).bind(dataset).fetch_optional(&mut *connection).await?;
    let Some(name) = locked else { return Ok(End::NotFound) };
    let held: bool = sqlx::query_scalar(
        "select exists (select from public.crawl_jobs where user_id = $1 and dataset_id = $2)",
    )
    .bind(user)
    .bind(dataset)
    .fetch_one(&mut *connection)
    .await?;
    if held {
        return Ok(End::HasMore);
    }
    sqlx::query("delete from public.datasets where id = $1").bind(dataset).execute(&mut *connection).await?;
    activity::log(connection, user, Action::DeleteDataset, dataset, json!({ "name": name })).await?;
    Ok(End::Now)
}

/// Whether this user has this project, which is not deleted before the end of the transaction.
async fn is_there(connection: &mut PgConnection, user: UserId, project: ProjectId) -> sqlx::Result<bool> {
    let found = sqlx::query("select from public.projects where user_id = $1 and id = $2 for key share");
    Ok(found.bind(user).bind(project).fetch_optional(connection).await?.is_some())
}
