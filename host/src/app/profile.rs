//! The profile of the one who is calling.

use crate::{
    app::App,
    auth::Caller,
    db::{
        self,
        profiles::{Identity, Profile},
    },
};

impl App {
    /// The caller's profile; made from the token if absent.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn profile(&self, caller: &Caller) -> Result<Profile, db::Error> {
        db::profiles::ensure(&mut *self.db.acquire().await?, &identity(caller)).await
    }

    /// Takes name and picture from the token.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn sync_profile(&self, caller: &Caller) -> Result<Profile, db::Error> {
        db::profiles::sync(&mut *self.db.acquire().await?, &identity(caller)).await
    }
}

/// What the token says, as far as the profile goes.
pub(super) fn identity(caller: &Caller) -> Identity {
    Identity {
        user: caller.user,
        email: caller.email.clone().filter(|email| email.chars().count() <= 255),
        full_name: caller.name.clone(),
        avatar_url: caller.avatar_url.clone(),
    }
}
