//! The caller's own profile.

use chrono::{DateTime, Utc};
use poem::web::Data;
use poem_openapi::{ApiResponse, Object, OpenApi, param::Query, payload::Json, types::Example};
use uuid::Uuid;

use super::{
    Tag,
    bearer::{Access, Bearer, READ},
    body::JsonBody,
    error::{BODY, PARAMETER, Problem, ProblemSet, SIGNED_IN},
    nullable::Nullable,
};
use crate::{app::App, db, services::profiles::check_profile};

pub(super) struct ProfileApi;

/// A row of `profiles`.
#[derive(Object)]
#[oai(example)]
struct Profile {
    /// The token's `sub`.
    id: Uuid,
    /// Made up from the id for users without an address.
    email: String,
    /// For people.
    full_name: Nullable<String>,
    /// Address of a picture.
    avatar_url: Nullable<String>,
    /// `user` or `admin`.
    role: String,
    /// Whether the frontend's introduction is over.
    onboarding_completed: bool,
    /// When it was.
    onboarding_completed_at: Nullable<DateTime<Utc>>,
    /// When the profile was made.
    created_at: DateTime<Utc>,
    /// When it last changed.
    updated_at: DateTime<Utc>,
    /// Always true: who is gone gets 401.
    #[oai(deprecated)]
    is_active: bool,
}

/// What is to change in a profile; what is absent stays.
#[derive(Object)]
#[oai(example, deny_unknown_fields, skip_serializing_if_is_none)]
struct ChangeProfile {
    /// For people; null takes it away.
    #[oai(nullable, validator(min_length = 1, max_length = 100))]
    full_name: Option<String>,
    /// Address of a picture, `http` or `https`; null takes it away.
    #[oai(nullable, validator(max_length = 2048, pattern = "^[Hh][Tt][Tt][Pp][Ss]?://"))]
    avatar_url: Option<String>,
    /// Whether the frontend's introduction is over.
    onboarding_completed: Option<bool>,
}

/// A profile that was made or brought up to date.
#[derive(Object)]
#[oai(example)]
struct SyncedProfile {
    #[oai(flatten)]
    profile: Profile,
    /// Which of the two, as the original says it.
    #[oai(deprecated)]
    message: String,
}

/// A token that is accepted.
#[derive(Object)]
#[oai(example)]
struct Verified {
    /// Always true; a token that is not accepted is answered with 401.
    valid: bool,
    /// Whose token it is.
    user: User,
}

/// What the token says.
#[derive(Object)]
struct User {
    /// The token's `sub`.
    id: Uuid,
    /// Absent for users without an address.
    email: Nullable<String>,
    /// Always `authenticated`.
    role: String,
    /// Signed in without saying who.
    is_anonymous: bool,
    /// When the token ends.
    expires_at: DateTime<Utc>,
    /// The user's profile; null where there is none yet.
    profile: Nullable<Profile>,
}

#[derive(ApiResponse)]
enum UserDeleted {
    /// The user is gone.
    #[oai(status = 204)]
    Gone,
}

#[OpenApi(prefix_path = "/auth", tag = "Tag::Auth")]
impl ProfileApi {
    /// Show the caller's profile
    ///
    /// It is made from the token if there is none yet.
    #[oai(path = "/me", method = "get", operation_id = "getMe")]
    async fn me(
        &self,
        Data(app): Data<&App>,
        Access(caller): Access<READ>,
    ) -> Result<Json<Profile>, ProblemSet<SIGNED_IN>> {
        Ok(Json(app.profile(&caller).await?.into()))
    }

    /// Change the caller's profile
    ///
    /// It is made from the token if there is none yet. The e-mail address is that of the user, and the
    /// role is the operator's.
    #[oai(path = "/me", method = "patch", operation_id = "changeMe")]
    async fn change_me(
        &self,
        Data(app): Data<&App>,
        Bearer(caller): Bearer,
        body: JsonBody<ChangeProfile>,
    ) -> Result<Json<Profile>, ProblemSet<{ SIGNED_IN | BODY }>> {
        let change = check_profile(body.value).map_err(Problem::rules)?;
        Ok(Json(app.change_profile(&caller, &change).await?.into()))
    }

    /// Delete the caller's account
    ///
    /// All rows and objects, the profile and, in a Supabase project, the user itself. Jobs that run are
    /// cancelled. It cannot be undone. The token, like all that were issued before, is answered 401 from
    /// then on; where this host issues them, a new one for the same address begins with nothing. If it
    /// fails in the middle it is ended within minutes, or by the same request.
    #[oai(path = "/me", method = "delete", operation_id = "deleteMe")]
    async fn delete_me(
        &self,
        Data(app): Data<&App>,
        Bearer(caller): Bearer,
        /// The caller's own e-mail address, or id, as the user has just typed it.
        Query(confirm): Query<String>,
    ) -> Result<UserDeleted, ProblemSet<{ SIGNED_IN | PARAMETER }>> {
        let confirm = confirm.trim();
        let by_email = caller.email.as_ref().is_some_and(|email| email.eq_ignore_ascii_case(confirm));
        if !by_email && confirm.parse() != Ok(caller.user.0) {
            return Err(
                Problem::parameter("confirm", "must be the e-mail address or the id of the caller").into()
            );
        }
        app.may_be_deleted(&caller).await?;
        app.delete_user(caller.user).await?;
        Ok(UserDeleted::Gone)
    }

    /// Verify the token
    ///
    /// 200 for a token that is accepted, 401 for any other. Makes no profile.
    #[oai(path = "/verify-token", method = "post", operation_id = "verifyToken")]
    async fn verify_token(
        &self,
        Data(app): Data<&App>,
        Bearer(caller): Bearer,
    ) -> Result<Json<Verified>, ProblemSet<SIGNED_IN>> {
        let profile = db::profiles::find(&app.db, caller.user).await?;
        let user = User {
            id: caller.user.0,
            email: caller.email.into(),
            role: caller.role,
            is_anonymous: caller.is_anonymous,
            expires_at: caller.expires,
            profile: profile.map(Profile::from).into(),
        };
        Ok(Json(Verified { valid: true, user }))
    }

    /// Take name and picture from the token
    ///
    /// The profile is made if there is none yet. What the token does not say stays as it is.
    #[oai(path = "/sync-profile", method = "post", operation_id = "syncProfile")]
    async fn sync_profile(
        &self,
        Data(app): Data<&App>,
        Bearer(caller): Bearer,
    ) -> Result<Json<SyncedProfile>, ProblemSet<SIGNED_IN>> {
        let db::profiles::SyncedProfile { profile, is_new } = app.sync_profile(&caller).await?;
        Ok(Json(SyncedProfile::of(profile.into(), is_new)))
    }
}

impl From<db::profiles::ProfileRow> for Profile {
    fn from(row: db::profiles::ProfileRow) -> Self {
        Self {
            id: row.id.0,
            email: row.email,
            full_name: row.full_name.into(),
            avatar_url: row.avatar_url.into(),
            role: row.role,
            onboarding_completed: row.onboarding_completed,
            onboarding_completed_at: row.onboarding_completed_at.map(Into::into).into(),
            created_at: row.created_at.into(),
            updated_at: row.updated_at.into(),
            is_active: true,
        }
    }
}

impl SyncedProfile {
    fn of(profile: Profile, is_new: bool) -> Self {
        let what = if is_new { "created" } else { "updated" };
        Self { profile, message: format!("User profile {what} successfully") }
    }
}

impl Example for Profile {
    fn example() -> Self {
        Self {
            id: Uuid::from_u128(1),
            email: "ann@example.org".to_owned(),
            full_name: Some("Ann Example".to_owned()).into(),
            avatar_url: None.into(),
            role: "user".to_owned(),
            onboarding_completed: false,
            onboarding_completed_at: None.into(),
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
            is_active: true,
        }
    }
}

impl Example for ChangeProfile {
    fn example() -> Self {
        Self {
            full_name: Some("Ann Example".to_owned()),
            avatar_url: Some("https://example.org/ann.png".to_owned()),
            onboarding_completed: Some(true),
        }
    }
}

impl Example for SyncedProfile {
    fn example() -> Self {
        Self::of(Profile::example(), true)
    }
}

impl Example for Verified {
    fn example() -> Self {
        let user = User {
            id: Uuid::from_u128(1),
            email: Some("ann@example.org".to_owned()).into(),
            role: "authenticated".to_owned(),
            is_anonymous: false,
            expires_at: DateTime::UNIX_EPOCH,
            profile: Some(Profile::example()).into(),
        };
        Self { valid: true, user }
    }
}
