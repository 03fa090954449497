//! Users as their operator sees them: who there is, what each holds, and their end.
//!
//! Its functions fail when the database does.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{Acquire as _, Connection as _, PgConnection, PgPool};

use crate::{
    db::column::Timestamp,
    model::{JobId, UserId},
};

/// What looks at all images may take so long.
const PATIENCE: &str = "set local statement_timeout = '10min'";
/// The same, for a session.
const PATIENT_SESSION: &str = "set statement_timeout = '10min'";
/// Why a user stays in `auth.users` for good: no right to delete there, and two of what others hold.
const LEFT: [&str; 3] = ["42501", "23503", "23001"];
/// Jobs that are named at a time.
const PAGE: i64 = 1000;
/// Objects that rows name: each once for its user, with the number of rows and its bytes.
const OBJECTS: &str = "select user_id, hash, count(*) as images, max(file_size)::bigint as bytes
       from public.images where is_valid and not is_duplicate and hash is not null
      group by user_id, hash";

/// A user and what belongs to them.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct UserUsage {
    /// `profiles.id`.
    pub id: UserId,
    /// Made up for who has none.
    pub email: String,
    /// Of all states.
    pub jobs: i64,
    /// That were kept.
    pub images: i64,
    /// Of their objects. A picture that several datasets of theirs hold is stored once.
    pub bytes: i64,
    /// When the profile was made.
    pub created_at: Timestamp,
}

/// What became of the user's row in `auth.users`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Account {
    /// There was none, or it is gone.
    Gone,
    /// It is there still, because the database says this.
    Left(String),
}

/// All users or one, those first who hold most.
pub async fn usage(db: &PgPool, one: Option<UserId>) -> sqlx::Result<Vec<UserUsage>> {
    let mut tx = db.begin().await?;
    sqlx::query(PATIENCE).execute(&mut *tx).await?;
    let query = format!(
        "select p.id, p.email, p.created_at, coalesce(images, 0) as images, coalesce(bytes, 0) as bytes,
                (select count(*) from public.crawl_jobs where user_id = p.id) as jobs
           from public.profiles p
           left join (select user_id, sum(images)::bigint as images, sum(bytes)::bigint as bytes
                        from ({OBJECTS}) as objects group by user_id) as held on held.user_id = p.id
          where $1::uuid is null or p.id = $1
          order by bytes desc, p.email"
    );
    sqlx::query_as(sqlx::AssertSqlSafe(query)).bind(one).fetch_all(&mut *tx).await
}

/// Bytes of all objects that rows name.
pub async fn stored_bytes(db: &PgPool) -> sqlx::Result<i64> {
    let query = format!("select coalesce(sum(bytes), 0)::bigint from ({OBJECTS}) as objects");
    sqlx::query_scalar(sqlx::AssertSqlSafe(query)).fetch_one(db).await
}

/// Whoever has this address, or had it and is not wholly gone.
pub async fn with_email(db: &PgPool, email: &str) -> sqlx::Result<Vec<UserId>> {
    sqlx::query_scalar(
        "select id from public.profiles where lower(email) = lower($1)
          union select id from auth.users where lower(email) = lower($1)
          union select user_id from pixcrawler.deleted_user where email = lower($1) and not done",
    )
    .bind(email)
    .fetch_all(db)
    .await
}

/// Whether there is anything of this user.
pub async fn is_known(db: &PgPool, user: UserId) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (select from public.profiles where id = $1)
             or exists (select from auth.users where id = $1)
             or exists (select from pixcrawler.deleted_user where user_id = $1 and not done)",
    )
    .bind(user)
    .fetch_one(db)
    .await
}

/// Whether this user was deleted since a token was issued, or is being deleted.
pub async fn is_deleted(
    connection: &mut PgConnection,
    user: UserId,
    issued: DateTime<Utc>,
) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (select from pixcrawler.deleted_user where user_id = $1 and (not done or deleted_at >= $2))",
    )
    .bind(user)
    .bind(issued)
    .fetch_one(connection)
    .await
}

/// All users who were deleted here and are wholly gone, with when that was.
pub async fn deleted(db: &PgPool) -> sqlx::Result<HashMap<UserId, DateTime<Utc>>> {
    let users: Vec<(UserId, DateTime<Utc>)> =
        sqlx::query_as("select user_id, deleted_at from pixcrawler.deleted_user where done")
            .fetch_all(db)
            .await?;
    Ok(users.into_iter().collect())
}

/// Whether the end of this user was begun and is not over.
pub async fn is_half_deleted(db: &PgPool, user: UserId) -> sqlx::Result<bool> {
    sqlx::query_scalar("select exists (select from pixcrawler.deleted_user where user_id = $1 and not done)")
        .bind(user)
        .fetch_one(db)
        .await
}

/// The end of a user under way, which nobody else drives meanwhile.
pub struct UserEnd {
    connection: PgConnection,
    user: UserId,
}

/// Why a user is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// Somebody asks for it now.
    Asked,
    /// It was begun and is not over.
    Begun,
}

impl UserEnd {
    /// Begins the end of a user, or goes on with it: no token makes them anew from now on. Waits for who is
    /// at it already; none where that was the end that is meant, since after it the user may have begun anew.
    pub async fn begin(db: &PgPool, user: UserId, reason: EndReason) -> sqlx::Result<Option<Self>> {
        // Of its own: the lock goes with it, come what may.
        let mut connection = db.acquire().await?.detach();
        sqlx::raw_sql(PATIENT_SESSION).execute(&mut connection).await?;
        let now = sqlx::query_scalar("select clock_timestamp()");
        let asked: DateTime<Utc> = now.fetch_one(&mut connection).await?;
        let lock =
            sqlx::query("select pg_advisory_lock(hashtext('pixcrawler.end-of-user'), hashtext($1::text))");
        lock.bind(user).execute(&mut connection).await?;
        let begin = sqlx::query(match reason {
            EndReason::Asked => {
                "insert into pixcrawler.deleted_user (user_id, email)
                 select $1, (select lower(email) from public.profiles where id = $1)
                     on conflict (user_id) do update
                    set deleted_at = now(), done = false, email = coalesce(excluded.email, deleted_user.email)
                  where not deleted_user.done or deleted_user.deleted_at < $2"
            }
            EndReason::Begun => {
                "update pixcrawler.deleted_user set deleted_at = greatest(deleted_at, $2) where user_id = $1 and not done"
            }
        });
        let begun = begin.bind(user).bind(asked).execute(&mut connection).await?.rows_affected() > 0;
        if begun {
            return Ok(Some(Self { connection, user }));
        }
        connection.close().await?;
        Ok(None)
    }

    /// Nothing is left of the user.
    pub async fn end(mut self) -> sqlx::Result<()> {
        let end = sqlx::query(
            "update pixcrawler.deleted_user set deleted_at = now(), done = true, email = null where user_id = $1",
        );
        end.bind(self.user).execute(&mut self.connection).await?;
        self.connection.close().await
    }
}

/// Jobs of this user.
pub async fn jobs(db: &PgPool, user: UserId) -> sqlx::Result<Vec<JobId>> {
    let jobs = sqlx::query_scalar("select id from public.crawl_jobs where user_id = $1 order by id limit $2");
    jobs.bind(user).bind(PAGE).fetch_all(db).await
}

/// Deletes all rows of this user, and the one in `auth.users` where that may be. Tells whether the profile
/// is gone, too: what others keep may refer to it, and then nothing is left in it.
pub async fn delete_rows(db: &PgPool, user: UserId) -> sqlx::Result<(bool, Account)> {
    let mut tx = db.begin().await?;
    sqlx::query(PATIENCE).execute(&mut *tx).await?;
    // First, because as long as it is there the address of a profile that stays is that of the user.
    let mut attempt = tx.begin().await?;
    let deleted = sqlx::query("delete from auth.users where id = $1").bind(user).execute(&mut *attempt).await;
    let account = match deleted {
        Ok(_) => {
            attempt.commit().await?;
            Account::Gone
        }
        // What else there is, such as a lock, passes.
        Err(sqlx::Error::Database(error)) if error.code().is_some_and(|code| LEFT.contains(&&*code)) => {
            attempt.rollback().await?;
            Account::Left(error.message().to_owned())
        }
        Err(error) => return Err(error),
    };
    let profile = sqlx::query_scalar("select pixcrawler.delete_rows_of($1)");
    let profile = profile.bind(user).fetch_one(&mut *tx).await?;
    tx.commit().await?;
    Ok((profile, account))
}

/// Users whose end was begun a while ago, and is not over.
pub async fn half_deleted(db: &PgPool) -> sqlx::Result<Vec<UserId>> {
    sqlx::query_scalar(
        "select user_id from pixcrawler.deleted_user where not done and deleted_at < now() - interval '1 minute'",
    )
    .fetch_all(db)
    .await
}
