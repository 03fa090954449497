//! What users have had: `pixcrawler.usage_day` and, for them to see, `usage_metrics`; their credits; and
//! what their open jobs may still have.
//!
//! Its functions fail when the database does.

use chrono::NaiveDate;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, FromRow, PgConnection, PgPool, types::Json};
use uuid::Uuid;

use crate::{
    db::column::{LenientJson, Timestamp},
    model::{JobId, UserId},
};

/// How a user stands, with all that open jobs may still have.
#[derive(Clone, Debug, FromRow)]
pub struct Standing {
    /// `plan_id` of the subscription, else `free`.
    pub tier: String,
    /// Images that count for this day in UTC.
    pub images_today: i64,
    /// Images that open jobs may have beyond these.
    pub images_open: i64,
    /// Credits that these would cost.
    pub credits_open: i64,
    /// Credits that there are.
    pub balance: i64,
    /// Seconds until the next day.
    pub seconds_left: i32,
}

/// Lets nobody else open a job for this user until the end of the transaction.
pub async fn lock(connection: &mut PgConnection, user: UserId) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_xact_lock(hashtext('pixcrawler.open_jobs'), hashtext($1::text))")
        .bind(user)
        .execute(connection)
        .await?;
    Ok(())
}

/// How this user stands; what `but` may have does not count.
pub async fn standing(
    connection: &mut PgConnection,
    user: UserId,
    but: Option<JobId>,
) -> sqlx::Result<Standing> {
    sqlx::query_as(AssertSqlSafe(format!(
        "select {tier} as tier,
                coalesce(
                    (select images from pixcrawler.usage_day
                      where user_id = $1 and day = (now() at time zone 'UTC')::date), 0)::bigint as images_today,
                images_open, credits_open,
                coalesce(
                    (select current_balance from public.credit_accounts where user_id = $1), 0)::bigint as balance,
                ceil(86400 - extract(epoch from now()) % 86400)::integer as seconds_left
           from (select coalesce(sum(more), 0)::bigint as images_open,
                        coalesce(sum(more * price), 0)::bigint as credits_open
                   from (select (greatest(wanted, kept) - charged)::bigint as more, price
                           from public.crawl_jobs join pixcrawler.job on job_id = id
                          where user_id = $1 and status in ('pending', 'running') and id is distinct from $2) as open
                ) as of_jobs",
        tier = tier_of("$1"),
    )))
    .bind(user)
    .bind(but)
    .fetch_one(connection)
    .await
}

/// The plan of a subscription of `user` that counts, in SQL. Who cancelled has paid until the period ends;
/// who pays late has two weeks, in which the shop tries again; and the shop's word that a period goes on may
/// be late by days.
fn tier_of(user: &str) -> String {
    format!(
        "coalesce(
            (select plan_id from public.subscriptions s
              where s.user_id = {user}
                and s.current_period_end > now() - case s.status
                    when 'active' then interval '3 days' when 'on_trial' then interval '3 days'
                    when 'past_due' then interval '14 days' when 'cancelled' then interval '0' end
              order by s.current_period_end desc, s.id limit 1), 'free')"
    )
}

/// Images that this job is to have, and how many more that may be than are counted.
pub async fn of_job(connection: &mut PgConnection, job: JobId) -> sqlx::Result<(i64, i64)> {
    sqlx::query_as(
        "select wanted::bigint, (greatest(wanted, kept) - charged)::bigint from pixcrawler.job where job_id = $1",
    )
    .bind(job)
    .fetch_one(connection)
    .await
}

/// Seconds until this user may begin another job, of `most` within a minute; none when one may be begun.
pub async fn wait(connection: &mut PgConnection, user: UserId, most: i64) -> sqlx::Result<Option<f64>> {
    let Some(before) = most.checked_sub(1).filter(|before| *before >= 0) else { return Ok(Some(60.0)) };
    let left: Option<f64> = sqlx::query_scalar(
        "select extract(epoch from log.timestamp + interval '1 minute' - clock_timestamp())::float8
           from public.activity_logs log where user_id = $1 and action = 'START_CRAWL_JOB'
          order by id desc offset $2 limit 1",
    )
    .bind(user)
    .bind(before)
    .fetch_optional(connection)
    .await?;
    Ok(left.filter(|left| *left > 0.0))
}

/// What further images of a job cost from now on.
pub async fn set_price(connection: &mut PgConnection, job: JobId, price: i32) -> sqlx::Result<()> {
    let set = sqlx::query("update pixcrawler.job set price = $2 where job_id = $1 and price <> $2");
    set.bind(job).bind(price).execute(connection).await.map(drop)
}

/// Counts what a job that ends has kept since it was counted last: for the day, and against the credit of
/// its user. The job's rows are locked. It never fails for want of credit: what is not covered is said.
pub async fn settle(connection: &mut PgConnection, user: UserId, job: JobId) -> sqlx::Result<()> {
    let due: Option<(i32, i32)> = sqlx::query_as(
        "select kept - charged, price from pixcrawler.job where job_id = $1 and kept > charged",
    )
    .bind(job)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((images, price)) = due else { return Ok(()) };
    // The bytes anew: an older version that works beside this one does not count them.
    sqlx::query(
        "update pixcrawler.job
            set charged = kept,
                bytes = (select coalesce(sum(file_size), 0) from public.images
                          where crawl_job_id = $1 and is_valid and not is_duplicate and hash is not null)
          where job_id = $1",
    )
    .bind(job)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "insert into pixcrawler.usage_day as counted (user_id, day, images)
         values ($1, (now() at time zone 'UTC')::date, $2)
         on conflict (user_id, day) do update set images = counted.images + excluded.images, is_new = true",
    )
    .bind(user)
    .bind(images)
    .execute(&mut *connection)
    .await?;
    if price == 0 {
        return Ok(());
    }
    let account: Option<(Uuid, i32)> = sqlx::query_as(
        "select id, current_balance from public.credit_accounts where user_id = $1 for update",
    )
    .bind(user)
    .fetch_optional(&mut *connection)
    .await?;
    let Some((account, balance)) = account else { return Ok(()) };
    let owed = images.saturating_mul(price);
    let paid = owed.min(balance.max(0));
    let mut metadata = json!({ "job_id": job, "images": images, "credits_per_image": price });
    if paid < owed {
        metadata["uncovered"] = json!(owed - paid);
    }
    sqlx::query("update public.credit_accounts set current_balance = current_balance - $2 where id = $1")
        .bind(account)
        .bind(paid)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "insert into public.credit_transactions
             (account_id, user_id, type, description, amount, balance_after, metadata, created_at)
         -- The account is locked now, and may not have been when the transaction began.
         values ($1, $2, 'usage', $3, $4, $5, $6, clock_timestamp())",
    )
    .bind(account)
    .bind(user)
    .bind(format!("{images} image{} of crawl job {job}", if images == 1 { "" } else { "s" }))
    .bind(-paid)
    .bind(balance - paid)
    .bind(Json(metadata))
    .execute(&mut *connection)
    .await?;
    Ok(())
}

/// Jobs that are over and of which images are not counted, as an older version leaves them; at most a hundred.
pub async fn unsettled(db: &PgPool) -> sqlx::Result<Vec<(UserId, JobId)>> {
    sqlx::query_as(
        "select user_id, id from pixcrawler.job join public.crawl_jobs on id = job_id
          where kept > charged and status in ('completed', 'failed', 'cancelled') limit 100",
    )
    .fetch_all(db)
    .await
}

/// Requests of a user, and bytes of images sent to them.
#[derive(Clone, Copy, Debug)]
pub struct Traffic {
    /// Whose.
    pub user: UserId,
    /// Requests with a token or key.
    pub calls: i64,
    /// Bytes.
    pub bytes: i64,
}

/// Adds to what users have had on this day. Users without a profile have none.
pub async fn add_traffic(db: &PgPool, traffic: &[Traffic]) -> sqlx::Result<()> {
    // In one order, so that processes that write at the same time do not wait for one another in a circle.
    let mut traffic = traffic.to_vec();
    traffic.sort_unstable_by_key(|of| of.user.0);
    sqlx::query(
        "insert into pixcrawler.usage_day as counted (user_id, day, api_calls, sent_bytes)
         select p.id, (now() at time zone 'UTC')::date, calls, bytes
           from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as given (user_id, calls, bytes)
           join public.profiles p on p.id = given.user_id
          order by p.id
         on conflict (user_id, day) do update
         set api_calls = counted.api_calls + excluded.api_calls,
             sent_bytes = counted.sent_bytes + excluded.sent_bytes, is_new = true",
    )
    .bind(traffic.iter().map(|of| of.user.0).collect::<Vec<_>>())
    .bind(traffic.iter().map(|of| of.calls).collect::<Vec<_>>())
    .bind(traffic.iter().map(|of| of.bytes).collect::<Vec<_>>())
    .execute(db)
    .await?;
    Ok(())
}

/// A day of a user that `usage_metrics` does not show as it is.
#[derive(Clone, Debug, FromRow)]
pub struct NewUsage {
    /// Whose.
    pub user_id: UserId,
    /// In UTC.
    pub day: NaiveDate,
    images: i32,
    api_calls: i64,
    sent_bytes: i64,
    /// As in [`Standing`].
    pub tier: String,
}

/// Takes the next such day `after` another, which nobody else takes before the end of the transaction.
pub async fn take_new(
    connection: &mut PgConnection,
    after: Option<&NewUsage>,
) -> sqlx::Result<Option<NewUsage>> {
    sqlx::query_as(AssertSqlSafe(format!(
        "update pixcrawler.usage_day d set is_new = false
          where (user_id, day) = (
                select user_id, day from pixcrawler.usage_day
                 where is_new and ($1::uuid is null or (user_id, day) > ($1, $2::date))
                 order by user_id, day limit 1
                   for update skip locked)
      returning user_id, day, images, api_calls, sent_bytes, {tier} as tier",
        tier = tier_of("d.user_id"),
    )))
    .bind(after.map(|usage| usage.user_id))
    .bind(after.map(|usage| usage.day))
    .fetch_optional(connection)
    .await
}

/// Shows a day in `usage_metrics`, which has one row for it.
pub async fn publish(
    connection: &mut PgConnection,
    usage: &NewUsage,
    images_limit: Option<i32>,
) -> sqlx::Result<()> {
    const UPDATE: &str = "update public.usage_metrics
            set images_processed = $3, api_calls = least($4, 2147483647)::integer,
                bandwidth_used_gb = least($5 / 1e9, 99999999), images_limit = coalesce($6, 10000),
                storage_used_gb = least($7 / 1e9, 99999999)
          where user_id = $1 and metric_date >= $2::date and metric_date < $2::date + 1
";
    const INSERT: &str = "insert into public.usage_metrics
            (user_id, metric_date, images_processed, api_calls, bandwidth_used_gb, images_limit, storage_used_gb)
         values ($1, $2::date, $3, least($4, 2147483647)::integer, least($5 / 1e9, 99999999), coalesce($6, 10000),
                least($7 / 1e9, 99999999))";
    let (bytes, _) = stored(&mut *connection, usage.user_id).await?;
    for write in [UPDATE, INSERT] {
        let written = sqlx::query(write)
            .bind(usage.user_id)
            .bind(usage.day)
            .bind(usage.images)
            .bind(usage.api_calls)
            .bind(usage.sent_bytes)
            .bind(images_limit)
            .bind(bytes)
            .execute(&mut *connection)
            .await?;
        if written.rows_affected() > 0 {
            break;
        }
    }
    Ok(())
}

/// Bytes of the images that this user's jobs have kept, and how many there are: a sum over jobs, of which
/// there are few. A picture that several datasets hold counts in each.
pub async fn stored(connection: &mut PgConnection, user: UserId) -> sqlx::Result<(i64, i64)> {
    sqlx::query_as(
        "select coalesce(sum(bytes), 0)::bigint, coalesce(sum(kept), 0)::bigint
           from public.crawl_jobs join pixcrawler.job on job_id = id
          where user_id = $1",
    )
    .bind(user)
    .fetch_one(connection)
    .await
}

/// A row of `credit_accounts`, with what was spent.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "columns, as the frontend declares them")]
pub struct CreditAccount {
    pub id: Uuid,
    pub user_id: UserId,
    pub current_balance: i32,
    pub auto_refill_enabled: bool,
    pub refill_threshold: i32,
    pub refill_amount: i32,
    pub monthly_limit: i32,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// Credits spent in this month, in UTC.
    pub spent_in_month: i64,
    /// Credits spent within the days that were asked for.
    pub spent: i64,
    /// In so many transactions.
    pub transactions: i64,
}

/// The account of this user, with what was spent within so many `days`.
pub async fn account(db: &PgPool, user: UserId, days: i32) -> sqlx::Result<Option<CreditAccount>> {
    sqlx::query_as(
        "select a.*,
                coalesce((select -sum(amount) from public.credit_transactions
                  where user_id = $1 and type = 'usage' and created_at >= date_trunc('month', now())), 0)::bigint
                    as spent_in_month,
                spent, transactions
           from public.credit_accounts a,
                (select coalesce(-sum(amount), 0)::bigint as spent, count(*) as transactions
                   from public.credit_transactions
                  where user_id = $1 and type = 'usage' and created_at >= now() - make_interval(days => $2)) as period
          where a.user_id = $1",
    )
    .bind(user)
    .bind(days)
    .fetch_optional(db)
    .await
}

/// A row of `credit_transactions`.
#[derive(Clone, Debug, FromRow)]
#[expect(missing_docs, reason = "columns, as the frontend declares them")]
pub struct CreditTransaction {
    pub id: Uuid,
    pub account_id: Uuid,
    pub user_id: UserId,
    #[sqlx(rename = "type")]
    pub kind: String,
    pub description: String,
    pub amount: i32,
    pub balance_after: i32,
    pub status: String,
    pub metadata: Option<LenientJson<Value>>,
    pub created_at: Timestamp,
}

/// At most `limit` transactions of this user and kind, newest first, without the first `skip`.
pub async fn transactions(
    db: &PgPool,
    user: UserId,
    kind: Option<&str>,
    skip: i64,
    limit: i64,
) -> sqlx::Result<Vec<CreditTransaction>> {
    sqlx::query_as(
        "select * from public.credit_transactions where user_id = $1 and ($2::text is null or type = $2)
          order by created_at desc, id offset $3 limit $4",
    )
    .bind(user)
    .bind(kind)
    .bind(skip)
    .bind(limit)
    .fetch_all(db)
    .await
}

/// How many transactions of this kind the user has.
pub async fn count_transactions(db: &PgPool, user: UserId, kind: Option<&str>) -> sqlx::Result<i64> {
    sqlx::query_scalar(
        "select count(*) from public.credit_transactions where user_id = $1 and ($2::text is null or type = $2)",
    )
    .bind(user)
    .bind(kind)
    .fetch_one(db)
    .await
}
