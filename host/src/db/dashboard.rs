//! What a user has, at a glance.
//!
//! Fails when the database does.

use sqlx::PgPool;

use crate::model::UserId;

/// Counts of a user.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct Dashboard {
    /// That are not deleted.
    pub projects: i64,
    /// Jobs that are pending or running.
    pub active_jobs: i64,
    /// All of them.
    pub datasets: i64,
    /// That were kept.
    pub images: i64,
    /// That were kept.
    pub images_in_last_minute: i64,
    /// Balance.
    pub credits: i32,
}

/// Counts of this user; none of them reads the rows of all images.
pub async fn of_user(db: &PgPool, user: UserId) -> sqlx::Result<Dashboard> {
    sqlx::query_as(
        // Of very many images within the minute the newest thousand say how fast they came.
        "with newest as (
            select created_at, is_valid and not is_duplicate as is_kept
              from public.images where user_id = $1 order by id desc limit 1000),
         recent as (select * from newest where created_at > now() - interval '1 minute')
         select (select count(*) from public.projects where user_id = $1 and status <> 'deleted') as projects,
                (select count(*) from public.crawl_jobs
                  where user_id = $1 and status in ('pending', 'running')) as active_jobs,
                (select count(*) from public.datasets where user_id = $1) as datasets,
                (select coalesce(sum(valid_images), 0) from public.crawl_jobs where user_id = $1) as images,
                (select case when count(*) < 1000 then count(*) filter (where is_kept)
                             else (count(*) filter (where is_kept) * 60
                                   / greatest(0.001, extract(epoch from now() - min(created_at))))::bigint end
                   from recent) as images_in_last_minute,
                coalesce((select current_balance from public.credit_accounts where user_id = $1), 0) as credits",
    )
    .bind(user)
    .fetch_one(db)
    .await
}
