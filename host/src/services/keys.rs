//! Keys that all processes of a system share, and that an operator changes while they run.

use std::time::Duration;

use crate::{
    app::{App, link_secrets},
    auth::link::{self, fresh_secret},
    db::{self, PgPool},
    error::chain,
};

/// How often it is looked whether the keys of links were changed: well before a new one signs.
const LOOK: Duration = Duration::from_secs(5);

/// Takes up the keys of signed links as they are in the database, for ever.
pub(super) async fn watch_link_keys(app: App) {
    loop {
        tokio::time::sleep(LOOK).await;
        match link_secrets(&app.db).await {
            Ok(secrets) => app.links.replace(&secrets),
            Err(error) => tracing::debug!(error = %chain(&error), "the keys of links stay as they are"),
        }
    }
}

/// Makes a new key for signed links. Those of the one before are good until they expire, or `end_old` ends
/// them within seconds; those of the one before that end in any case.
///
/// # Errors
/// When the database fails; then nothing has changed.
pub async fn rotate_links(db: &PgPool, end_old: bool) -> Result<(), db::Error> {
    db::secrets::change_key(db, link::KEY_NAME, &fresh_secret(), !end_old).await
}
