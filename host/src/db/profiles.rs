//! `profiles`: one row a user.

use sqlx::PgConnection;

use crate::{db::timestamp::Timestamp, job::UserId};

/// What a token says of a user.
#[derive(Clone, Debug)]
pub struct Identity {
    /// `profiles.id`.
    pub user: UserId,
    /// At most 255 characters.
    pub email: Option<String>,
    /// At most 100 characters.
    pub full_name: Option<String>,
    /// An http or https address.
    pub avatar_url: Option<String>,
}

/// A row of `profiles`.
#[derive(Clone, Debug, sqlx::FromRow)]
#[expect(missing_docs, reason = "columns, as the frontend declares them")]
pub struct Profile {
    pub id: UserId,
    pub email: String,
    pub full_name: Option<String>,
    pub avatar_url: Option<String>,
    pub role: String,
    pub onboarding_completed: bool,
    pub onboarding_completed_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// The user's profile; made from the token if absent.
///
/// # Errors
/// When the database fails.
pub async fn ensure(db: &mut PgConnection, identity: &Identity) -> Result<Profile, sqlx::Error> {
    let found = sqlx::query_as("select * from public.profiles where id = $1")
        .bind(identity.user)
        .fetch_optional(&mut *db)
        .await?;
    match found {
        Some(profile) => Ok(profile),
        None => upsert(db, identity).await,
    }
}

/// Takes name and avatar from the token, where it has them.
///
/// # Errors
/// When the database fails.
pub async fn sync(db: &mut PgConnection, identity: &Identity) -> Result<Profile, sqlx::Error> {
    upsert(db, identity).await
}

/// The column `email` must be filled and unique. A user without an address, or with one
/// that another profile still has, gets one made from the id that can never receive mail.
async fn upsert(db: &mut PgConnection, identity: &Identity) -> Result<Profile, sqlx::Error> {
    sqlx::query_as(
        "insert into public.profiles (id, email, full_name, avatar_url)
         select $1,
                case when $2 is null or exists (select from public.profiles where email = $2 and id <> $1)
                    then $1::text || '@users.invalid' else $2 end,
                $3, $4
         on conflict (id) do update
         set full_name = coalesce(excluded.full_name, profiles.full_name),
             avatar_url = coalesce(excluded.avatar_url, profiles.avatar_url),
             updated_at = now()
         returning *",
    )
    .bind(identity.user)
    .bind(&identity.email)
    .bind(&identity.full_name)
    .bind(&identity.avatar_url)
    .fetch_one(db)
    .await
}
