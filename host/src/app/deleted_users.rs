//! Users who were deleted here, as this process knows them: no token from before counts any more, also
//! where the same address began anew. They are few, so that no request has to ask for its own.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};

use crate::{
    db::{self, PgPool},
    error::chain,
    model::UserId,
};

/// They are read again after so long, when somebody asks.
const FRESH: Duration = Duration::from_secs(5);

/// Clones share what is known.
#[derive(Clone, Debug)]
pub struct DeletedUsers {
    db: PgPool,
    known: Arc<Mutex<Known>>,
}

#[derive(Debug)]
struct Known {
    /// When each was gone.
    users: HashMap<UserId, DateTime<Utc>>,
    /// When that was last asked for.
    asked: Instant,
}

impl DeletedUsers {
    /// Reads them.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read(db: &PgPool) -> Result<Self, db::Error> {
        let known = Known { asked: Instant::now(), users: db::users::deleted(db).await? };
        Ok(Self { db: db.clone(), known: Arc::new(Mutex::new(known)) })
    }

    /// Tells whether this user was deleted since a token was `issued`: by this process, or by another
    /// some seconds ago. Nobody waits for the database.
    #[must_use]
    pub fn since(&self, user: UserId, issued: DateTime<Utc>) -> bool {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.asked.elapsed() >= FRESH {
            known.asked = Instant::now();
            let again = self.clone();
            tokio::spawn(async move { again.refresh().await });
        }
        known.users.get(&user).is_some_and(|gone| *gone >= issued)
    }

    /// Reads them again.
    pub async fn refresh(&self) {
        match db::users::deleted(&self.db).await {
            Ok(users) => self.known.lock().unwrap_or_else(PoisonError::into_inner).users = users,
            // Who was known is so still, and others are refused where they would write.
            Err(error) => tracing::debug!(error = %chain(&error), "deleted users are not known anew"),
        }
    }
}
