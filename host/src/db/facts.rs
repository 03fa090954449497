//! What was asked of a dataset or of one job and what was refused there, for the documents beside what it
//! gathered.
//!
//! Its functions fail when the database does.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, FromRow, PgConnection};

use crate::{
    db::{
        column::{LenientJson, Texts},
        jobs::JobOptions,
    },
    model::{DatasetId, JobId, Rules, UserId},
};

/// What the facts are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All that a dataset gathered.
    Dataset(DatasetId),
    /// What one job gathered.
    Job(JobId),
}

/// What people call it.
#[derive(Clone, Debug, FromRow)]
pub struct NameRow {
    /// Its name.
    pub name: String,
    /// In the words of its owner; a job has none.
    pub description: Option<String>,
    /// What it is to show.
    pub keywords: LenientJson<Texts>,
}

/// What was asked of a job.
#[derive(Clone, Debug, FromRow)]
pub struct CrawlRow {
    /// Its name.
    pub name: String,
    /// What it is to show.
    pub keywords: LenientJson<Texts>,
    /// The first of its addresses.
    pub urls: LenientJson<Vec<String>>,
    /// All of them.
    pub url_count: i32,
    /// Labels of keywords and of these addresses.
    pub labels: LenientJson<BTreeMap<String, String>>,
    /// Ids of sources.
    pub sources: LenientJson<Texts>,
    /// Most images.
    pub max_images: i32,
    /// Nobody said how many.
    pub max_is_default: bool,
    /// What was asked for beyond the keywords.
    pub options: LenientJson<JobOptions>,
    /// What was accepted.
    pub rules: LenientJson<Rules>,
    /// Hashes of pictures that it does not want.
    pub unlike_count: i32,
}

/// The name of a dataset or job of this user.
pub async fn name(
    connection: &mut PgConnection,
    user: UserId,
    scope: Scope,
) -> sqlx::Result<Option<NameRow>> {
    let (table, description, id) = match scope {
        Scope::Dataset(dataset) => ("datasets", "description", dataset.0),
        Scope::Job(job) => ("crawl_jobs", "null::text as description", job.0),
    };
    sqlx::query_as(AssertSqlSafe(format!(
        "select name, {description}, keywords from public.{table} where user_id = $1 and id = $2",
    )))
    .bind(user)
    .bind(id)
    .fetch_optional(connection)
    .await
}

/// What was asked of the jobs of a dataset of this user, or of one job, in the order in which they were
/// asked, with the first `urls` addresses of each.
pub async fn crawls(
    connection: &mut PgConnection,
    user: UserId,
    scope: Scope,
    urls: i32,
) -> sqlx::Result<Vec<CrawlRow>> {
    let (column, id) = match scope {
        Scope::Dataset(dataset) => ("dataset_id", dataset.0),
        Scope::Job(job) => ("id", job.0),
    };
    // An input may be megabytes long.
    sqlx::query_as(AssertSqlSafe(format!(
        "select shown.name, shown.keywords, shown.sources, shown.max_images, shown.options, shown.rules,
                coalesce(job.wanted_is_default, false) as max_is_default, asked.urls,
                coalesce(jsonb_array_length(jsonb_path_query_array(job.input, 'lax $.urls[*]')), 0) as url_count,
                coalesce(octet_length(job.unlike) / 32, 0) as unlike_count,
                (select coalesce(jsonb_object_agg(label.key, label.value), '{{}}')
                   from jsonb_each(job.input -> 'labels') as label
                  where to_jsonb(shown.keywords) ? label.key or asked.urls ? label.key) as labels
           from public.crawl_jobs shown
           left join pixcrawler.job job on job.job_id = shown.id
          cross join lateral (
                select coalesce(jsonb_agg(url order by at), '[]') as urls
                  from jsonb_path_query(job.input, 'lax $.urls[*]') with ordinality as listed (url, at)
                 where at <= $3) as asked
          where shown.user_id = $1 and shown.{column} = $2
          order by shown.id",
    )))
    .bind(user)
    .bind(id)
    .bind(urls)
    .fetch_all(connection)
    .await
}

/// What a dataset or job of this user found and did not keep, counted by code.
pub async fn refused(
    connection: &mut PgConnection,
    user: UserId,
    scope: Scope,
) -> sqlx::Result<Vec<(String, i64)>> {
    let (column, id) = match scope {
        Scope::Dataset(dataset) => ("dataset_id", dataset.0),
        Scope::Job(job) => ("crawl_job_id", job.0),
    };
    sqlx::query_as(AssertSqlSafe(format!(
        "select case when is_duplicate then 'duplicate' else reason end as code, count(*)
           from public.images
          where user_id = $1 and {column} = $2 and (is_duplicate or not is_valid and reason is not null)
          group by code order by code",
    )))
    .bind(user)
    .bind(id)
    .fetch_all(connection)
    .await
}
