//! `profiles`: one row a user.
//!
//! Its functions fail when the database does.

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{db::column::Timestamp, model::UserId};

/// Whether there must be a user in `auth.users`: where Supabase issues the tokens, one may outlive
/// its user by an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileOrigin {
    /// A token is proof enough.
    ByToken,
    /// It must be there.
    ByRow,
}

/// What `auth` knows of a caller.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct SessionState {
    /// There is such a user.
    pub user: bool,
    /// The session goes on, or none was asked for.
    pub session: bool,
}

/// Whether a user is there, and a session of theirs.
pub async fn there(db: &PgPool, user: UserId, session: Option<Uuid>) -> sqlx::Result<SessionState> {
    sqlx::query_as(
        "select exists (select from auth.users where id = $1 and deleted_at is null) as user,
                $2 is null or exists (
                    select from auth.sessions
                     where id = $2 and user_id = $1 and coalesce(not_after, now()) >= now()) as session",
    )
    .bind(user)
    .bind(session)
    .fetch_one(db)
    .await
}

/// Whether this user signed in without saying who.
pub async fn is_anonymous(db: &mut PgConnection, user: UserId) -> sqlx::Result<bool> {
    sqlx::query_scalar("select exists (select from auth.users where id = $1 and is_anonymous)")
        .bind(user)
        .fetch_one(db)
        .await
}

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
pub struct ProfileRow {
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

/// A profile that was made or brought up to date from a token.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct SyncedProfile {
    /// As it is now.
    #[sqlx(flatten)]
    pub profile: ProfileRow,
    /// There was none before.
    pub is_new: bool,
}

/// What is to change in a profile; none leaves a column as it is, and a none in it empties it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// At most 100 characters.
    pub full_name: Option<Option<String>>,
    /// An http or https address.
    pub avatar_url: Option<Option<String>>,
    /// Whether the frontend's introduction is over.
    pub onboarding_completed: Option<bool>,
}

/// The user's profile, if there is one.
pub async fn find(db: &PgPool, user: UserId) -> sqlx::Result<Option<ProfileRow>> {
    sqlx::query_as("select * from public.profiles where id = $1").bind(user).fetch_optional(db).await
}

/// Changes a profile that there is. When the introduction was over first stays.
pub async fn change(db: &mut PgConnection, user: UserId, change: &ProfileChange) -> sqlx::Result<ProfileRow> {
    sqlx::query_as(
        "update public.profiles
            set full_name = case when $2 then $3 else full_name end,
                avatar_url = case when $4 then $5 else avatar_url end,
                onboarding_completed = coalesce($6, onboarding_completed),
                onboarding_completed_at = case when $6 is null then onboarding_completed_at
                                               when not $6 then null
                                               when onboarding_completed then onboarding_completed_at
                                               else now() end,
                updated_at = now()
          where id = $1
      returning *",
    )
    .bind(user)
    .bind(change.full_name.is_some())
    .bind(change.full_name.as_ref().and_then(Option::as_ref))
    .bind(change.avatar_url.is_some())
    .bind(change.avatar_url.as_ref().and_then(Option::as_ref))
    .bind(change.onboarding_completed)
    .fetch_one(db)
    .await
}

/// The user's profile; made from the token if absent. None when there is no such user any more.
pub async fn ensure(
    db: &mut PgConnection,
    identity: &Identity,
    known: ProfileOrigin,
) -> sqlx::Result<Option<ProfileRow>> {
    let found = sqlx::query_as(
        "select p.* from public.profiles p
          where id = $1 and ($2 or exists (select from auth.users u where u.id = $1 and u.deleted_at is null))",
    )
        .bind(identity.user)
        .bind(known == ProfileOrigin::ByToken)
        .fetch_optional(&mut *db)
        .await?;
    match found {
        Some(profile) => Ok(Some(profile)),
        None => Ok(sync(db, identity, known).await?.map(|synced| synced.profile)),
    }
}

/// Takes name and avatar from the token, where it has them; makes the profile if absent. None when
/// there is no such user any more.
///
/// The column `email` must be filled and unique. A user without an address, or with one
/// that another profile still has, gets one made from the id that can never receive mail.
pub async fn sync(
    db: &mut PgConnection,
    identity: &Identity,
    known: ProfileOrigin,
) -> sqlx::Result<Option<SyncedProfile>> {
    sqlx::query_as(
        "insert into public.profiles (id, email, full_name, avatar_url)
         select $1, pixcrawler.free_email($1, $2), $3, $4
          where $5 or exists (select from auth.users u where u.id = $1 and u.deleted_at is null)
         on conflict (id) do update
         set full_name = coalesce(excluded.full_name, profiles.full_name),
             avatar_url = coalesce(excluded.avatar_url, profiles.avatar_url),
             updated_at = now()
         returning *, xmax = 0 as is_new",
    )
    .bind(identity.user)
    .bind(&identity.email)
    .bind(&identity.full_name)
    .bind(&identity.avatar_url)
    .bind(known == ProfileOrigin::ByToken)
    .fetch_optional(db)
    .await
}
