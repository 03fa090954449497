//! The profile of the one who is calling, and what a caller may do.

use serde_json::Value;

use crate::{
    app::App,
    auth::{Caller, picture_url},
    db::{
        self,
        profiles::{Identity, ProfileChange, ProfileOrigin, ProfileRow, SyncedProfile},
    },
    services::{Violation, Violations, form::Form},
};

/// Longest name of a user, in characters.
const LONGEST_NAME: usize = 100;

/// Why there is no profile, or why a caller may not do something.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// The token is good, but its user was deleted.
    #[error("the user was deleted")]
    UserGone,
    /// The token is good, but its user signed out since.
    #[error("the user has signed out")]
    SignedOut,
    /// Whoever it is has not said so, which is not enough here.
    #[error("users who signed in anonymously may not begin jobs here")]
    Anonymous,
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] db::Error),
}

impl App {
    /// The caller's profile; made from the token if absent.
    ///
    /// # Errors
    /// When the user is gone, or the database fails.
    pub async fn profile(&self, caller: &Caller) -> Result<ProfileRow, ProfileError> {
        self.profile_in(&mut *self.db.acquire().await?, caller).await
    }

    /// The same in a transaction.
    pub(super) async fn profile_in(
        &self,
        connection: &mut db::PgConnection,
        caller: &Caller,
    ) -> Result<ProfileRow, ProfileError> {
        ensure(connection, caller).await
    }

    /// Takes name and picture from the token.
    ///
    /// # Errors
    /// When the user is gone, or the database fails.
    pub async fn sync_profile(&self, caller: &Caller) -> Result<SyncedProfile, ProfileError> {
        let connection = &mut *self.db.acquire().await?;
        refuse_deleted(connection, caller).await?;
        let synced = db::profiles::sync(connection, &identity(caller), known(caller)).await?;
        synced.ok_or(ProfileError::UserGone)
    }

    /// Changes the caller's profile, which is made from the token if absent.
    ///
    /// # Errors
    /// When the user is gone, or the database fails.
    pub async fn change_profile(
        &self,
        caller: &Caller,
        change: &ProfileChange,
    ) -> Result<ProfileRow, ProfileError> {
        let mut tx = self.db.begin().await?;
        self.profile_in(&mut tx, caller).await?;
        let profile = db::profiles::change(&mut tx, caller.user, change).await?;
        tx.commit().await?;
        Ok(profile)
    }

    /// Whether the caller is signed in still, for what cannot be undone: a token lives on for up to
    /// an hour when its user has signed out or was deleted.
    ///
    /// # Errors
    /// When that is not so, or the database fails.
    pub async fn is_signed_in(&self, caller: &Caller) -> Result<(), ProfileError> {
        refuse_deleted(&mut *self.db.acquire().await?, caller).await?;
        if caller.is_local {
            return Ok(());
        }
        let there = db::profiles::there(&self.db, caller.user, caller.session).await?;
        match (there.user, there.session) {
            (false, _) => Err(ProfileError::UserGone),
            (_, false) => Err(ProfileError::SignedOut),
            _ => Ok(()),
        }
    }

    /// Whether the caller may have the user deleted: who is signed in, and who asked before and is not
    /// wholly gone.
    ///
    /// # Errors
    /// When not, or the database fails.
    pub async fn may_be_deleted(&self, caller: &Caller) -> Result<(), ProfileError> {
        if db::users::is_half_deleted(&self.db, caller.user).await? {
            return Ok(());
        }
        self.is_signed_in(caller).await
    }

    /// Whether the caller may have something crawled.
    ///
    /// # Errors
    /// When not, or the database fails.
    pub async fn may_crawl(&self, caller: &Caller) -> Result<(), ProfileError> {
        self.is_signed_in(caller).await?;
        if caller.is_anonymous && !self.config.supabase.anonymous_jobs {
            return Err(ProfileError::Anonymous);
        }
        Ok(())
    }
}

/// Reads a change of a profile.
///
/// # Errors
/// Every broken rule.
pub fn check_profile(body: Value) -> Result<ProfileChange, Vec<Violation>> {
    let mut report = Violations::default();
    let mut form = Form::new(body, &mut report);
    let (full_name, avatar_url) = (form.clearable_text("full_name"), form.clearable_text("avatar_url"));
    let onboarding_completed = form.boolean("onboarding_completed");
    form.end();
    let full_name = match full_name {
        Some(Some(name)) => report.text("/full_name", &name, LONGEST_NAME).map(Some),
        other => other,
    };
    let avatar_url = match avatar_url {
        Some(Some(url)) => {
            let sound = picture_url(&url).filter(|_| !url.contains(char::is_control));
            if sound.is_none() {
                report.broken(
                    "/avatar_url",
                    "must be an http or https address of at most 2048 characters, or null",
                );
            }
            sound.map(Some)
        }
        other => other,
    };
    report.into_result()?;
    Ok(ProfileChange { full_name, avatar_url, onboarding_completed })
}

/// The caller's profile; made from the token if absent.
///
/// # Errors
/// When the user is gone, or the database fails.
pub(super) async fn ensure(
    connection: &mut db::PgConnection,
    caller: &Caller,
) -> Result<ProfileRow, ProfileError> {
    refuse_deleted(connection, caller).await?;
    let profile = db::profiles::ensure(connection, &identity(caller), known(caller)).await?;
    profile.ok_or(ProfileError::UserGone)
}

/// Whoever was deleted here since the token was issued is gone, whatever else knows them still.
async fn refuse_deleted(connection: &mut db::PgConnection, caller: &Caller) -> Result<(), ProfileError> {
    if db::users::is_deleted(connection, caller.user, caller.issued).await? {
        return Err(ProfileError::UserGone);
    }
    Ok(())
}

const fn known(caller: &Caller) -> ProfileOrigin {
    if caller.is_local { ProfileOrigin::ByToken } else { ProfileOrigin::ByRow }
}

/// What the token says, as far as the profile goes.
fn identity(caller: &Caller) -> Identity {
    Identity {
        user: caller.user,
        email: caller.email.clone().filter(|email| email.chars().count() <= 255),
        full_name: caller.name.clone(),
        avatar_url: caller.avatar_url.clone(),
    }
}
