//! `api_keys`: what users give to programs in place of their tokens.
//!
//! Its functions fail when the database does.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection, PgPool, types::Json};

use crate::{
    db::column::{LenientJson, Timestamp},
    model::{ApiKeyId, UserId},
};

/// A row of `api_keys`, without its hash.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "columns, as the frontend declares them")]
pub struct ApiKeyRow {
    pub id: ApiKeyId,
    pub user_id: UserId,
    pub name: String,
    pub key_prefix: String,
    /// `expired` also where nobody has written that yet.
    pub status: String,
    pub permissions: LenientJson<Vec<String>>,
    pub rate_limit: i32,
    pub usage_count: i32,
    pub last_used_at: Option<Timestamp>,
    pub last_used_ip: Option<String>,
    pub expires_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Columns of an [`ApiKeyRow`].
const ROW: &str =
    "id, user_id, name, key_prefix, permissions, rate_limit, usage_count, last_used_at, last_used_ip,
    expires_at, created_at, updated_at,
    case when status = 'active' and expires_at <= now() then 'expired' else status end as status";

/// A key that is to be.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "columns, as the frontend declares them")]
pub struct NewApiKey<'a> {
    pub user: UserId,
    pub name: &'a str,
    pub key_hash: &'a str,
    pub key_prefix: &'a str,
    pub permissions: &'a [&'a str],
    pub rate_limit: i32,
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key as it is met in a request.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct MetApiKey {
    /// `api_keys.id`.
    pub id: ApiKeyId,
    /// Whose it is.
    pub user_id: UserId,
    /// As in [`ApiKeyRow`].
    pub status: String,
    /// Names, known or not.
    pub permissions: LenientJson<Vec<String>>,
    /// Requests an hour.
    pub rate_limit: i32,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Its user signed in without saying who.
    pub is_anonymous: bool,
    /// This hour, in hours since 1970.
    pub hour: i32,
    /// Requests within it that are counted.
    pub used: i32,
    /// Seconds until the next hour.
    pub seconds_left: i32,
}

/// Makes a key.
pub async fn insert(connection: &mut PgConnection, key: &NewApiKey<'_>) -> sqlx::Result<ApiKeyRow> {
    let insert = format!(
        "insert into public.api_keys (user_id, name, key_hash, key_prefix, permissions, rate_limit, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7) returning {ROW}"
    );
    sqlx::query_as(AssertSqlSafe(insert))
        .bind(key.user)
        .bind(key.name)
        .bind(key.key_hash)
        .bind(key.key_prefix)
        .bind(Json(key.permissions))
        .bind(key.rate_limit)
        .bind(key.expires_at)
        .fetch_one(connection)
        .await
}

/// At most `limit` keys of this user, newest first, older than `after`, without the first `skip` of these.
pub async fn list(
    db: &PgPool,
    user: UserId,
    after: Option<ApiKeyId>,
    skip: i64,
    limit: i64,
) -> sqlx::Result<Vec<ApiKeyRow>> {
    let list = format!(
        "select {ROW} from public.api_keys
          where user_id = $1
            and ($2::uuid is null
                 or (created_at, id) < (select created_at, id from public.api_keys where id = $2 and user_id = $1))
          order by public.api_keys.created_at desc, id desc offset $3 limit $4"
    );
    sqlx::query_as(AssertSqlSafe(list)).bind(user).bind(after).bind(skip).bind(limit).fetch_all(db).await
}

/// How many keys this user has.
pub async fn count(db: &PgPool, user: UserId) -> sqlx::Result<i64> {
    let count = sqlx::query_scalar("select count(*) from public.api_keys where user_id = $1");
    count.bind(user).fetch_one(db).await
}

/// How many keys of this user are good. Who asks is alone to make one until the end of the transaction.
pub async fn good(connection: &mut PgConnection, user: UserId) -> sqlx::Result<i64> {
    sqlx::query("select pg_advisory_xact_lock(hashtext('pixcrawler.api_keys'), hashtext($1::text))")
        .bind(user)
        .execute(&mut *connection)
        .await?;
    sqlx::query_scalar(
        "select count(*) from public.api_keys
          where user_id = $1 and status = 'active' and coalesce(expires_at > now(), true)",
    )
    .bind(user)
    .fetch_one(connection)
    .await
}

/// A key of this user.
pub async fn show(db: &PgPool, user: UserId, key: ApiKeyId) -> sqlx::Result<Option<ApiKeyRow>> {
    let show = format!("select {ROW} from public.api_keys where user_id = $1 and id = $2");
    sqlx::query_as(AssertSqlSafe(show)).bind(user).bind(key).fetch_optional(db).await
}

/// Names a key of this user anew; none when there is no such key.
pub async fn rename(db: &PgPool, user: UserId, key: ApiKeyId, name: &str) -> sqlx::Result<Option<ApiKeyRow>> {
    let rename =
        format!("update public.api_keys set name = $3 where user_id = $1 and id = $2 returning {ROW}");
    sqlx::query_as(AssertSqlSafe(rename)).bind(user).bind(key).bind(name).fetch_optional(db).await
}

/// Ends a key of this user for good; whether there is such a key.
pub async fn revoke(db: &PgPool, user: UserId, key: ApiKeyId) -> sqlx::Result<bool> {
    let revoke = sqlx::query("update public.api_keys set status = 'revoked' where user_id = $1 and id = $2");
    Ok(revoke.bind(user).bind(key).execute(db).await?.rows_affected() > 0)
}

/// The key that is known by this hash, whatever its status.
pub async fn find(db: &PgPool, hash: &str) -> sqlx::Result<Option<MetApiKey>> {
    sqlx::query_as(
        "select key.id, user_id, permissions, rate_limit, expires_at, created_at,
                case when status = 'active' and expires_at <= now() then 'expired' else status end as status,
                exists (select from auth.users u where u.id = user_id and u.is_anonymous) as is_anonymous,
                floor(extract(epoch from now()) / 3600)::integer as hour,
                case when hour.hour = date_trunc('hour', now(), 'UTC') then hour.used else 0 end as used,
                ceil(3600 - extract(epoch from now()) % 3600)::integer as seconds_left
           from public.api_keys key left join pixcrawler.api_key_hour hour on key_id = key.id
          where key_hash = $1",
    )
    .bind(hash)
    .fetch_optional(db)
    .await
}

/// Names of what such a key of this user may do; none when there is none, or it is not good.
pub async fn permissions(
    db: &PgPool,
    user: UserId,
    key: ApiKeyId,
) -> sqlx::Result<Option<LenientJson<Vec<String>>>> {
    sqlx::query_scalar(
        "select permissions from public.api_keys
          where user_id = $1 and id = $2 and status = 'active' and coalesce(expires_at > now(), true)",
    )
    .bind(user)
    .bind(key)
    .fetch_optional(db)
    .await
}

/// Says of a key whose time is over that it is.
pub async fn expire(db: &PgPool, key: ApiKeyId) -> sqlx::Result<()> {
    let expire = sqlx::query(
        "update public.api_keys set status = 'expired' where id = $1 and status = 'active' and expires_at <= now()",
    );
    expire.bind(key).execute(db).await.map(drop)
}

/// Adds requests that were made with a key, the last of them at this time from there.
pub async fn add_uses(
    db: &PgPool,
    key: ApiKeyId,
    uses: i32,
    last: DateTime<Utc>,
    from: Option<IpAddr>,
) -> sqlx::Result<()> {
    sqlx::query(
        "with counted as (
             insert into pixcrawler.api_key_hour as counted (key_id, hour, used)
             select id, date_trunc('hour', now(), 'UTC'), $2 from public.api_keys where id = $1
                 on conflict (key_id) do update
                set hour = excluded.hour,
                    used = case when counted.hour = excluded.hour then counted.used + excluded.used else excluded.used end
         )
         update public.api_keys
            set usage_count = least(usage_count::bigint + $2, 2147483647)::integer,
                last_used_at = greatest(last_used_at, $3), last_used_ip = coalesce($4, last_used_ip)
          where id = $1",
    )
    .bind(key)
    .bind(uses)
    .bind(last)
    .bind(from.map(|address| address.to_string()))
    .execute(db)
    .await?;
    Ok(())
}
