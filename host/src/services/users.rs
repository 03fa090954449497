//! The end of a user: rows, objects, profile, and the row in `auth.users`.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::{
    app::App,
    db::{
        self, PgPool,
        objects::StoreHold,
        users::{self, Account, EndReason, UserEnd},
    },
    error::chain,
    model::UserId,
    services::{jobs, objects::Share},
    store::{Store, StoreError},
};

/// Objects that are deleted at a time: those of a bucket are far.
const DELETIONS: usize = 8;

/// What was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deletion {
    /// Jobs, with their images' rows.
    pub jobs: usize,
    /// Objects.
    pub objects: u64,
    /// Of these.
    pub bytes: u64,
    /// Objects that another database may name, which is why they are left.
    pub left: u64,
    /// The profile is gone. Else something that is not ours refers to it, and nothing is left in it.
    pub profile: bool,
    /// The row in `auth.users`.
    pub account: Account,
}

/// Why a user is not wholly gone. The user can do nothing any more, and the same again goes on.
#[derive(Debug, thiserror::Error)]
pub enum DeletionError {
    /// A backup or a sweep, which read the objects.
    #[error(
        "the user and all rows are gone, but a backup or a sweep is reading the objects; they are deleted by a server \
         that runs when that is done, or by the same command again"
    )]
    Busy,
    /// The store failed.
    #[error("the user and all rows are gone, but not all objects; the same command again goes on")]
    Store(#[from] StoreError),
    /// The database failed.
    #[error("the database failed; the same command again goes on")]
    Database(#[from] db::Error),
}

impl App {
    /// Deletes a user, to the end whoever waits for it: rows and objects, profile and account. What
    /// cannot be done now is done later.
    ///
    /// # Errors
    /// When the rows are not gone.
    pub async fn delete_user(&self, user: UserId) -> Result<(), db::Error> {
        let app = self.clone();
        let deletion = tokio::spawn(async move { delete(&app.db, &app.store, user, EndReason::Asked).await });
        let deleted = deletion.await;
        self.deleted_users.refresh().await;
        match deleted {
            Ok(Ok(None)) => Ok(()),
            Ok(Ok(Some(deletion))) => {
                tracing::info!(event = "user-deleted", %user, jobs = deletion.jobs, objects = deletion.objects, "a user was deleted");
                if deletion.left > 0 {
                    tracing::warn!(%user, left = deletion.left, "objects of the user are left: another database may name them; `pixcrawler sweep` says what to do");
                }
                if let Account::Left(reason) = deletion.account {
                    tracing::warn!(%user, reason, "the account is left in auth.users: delete it in the project's dashboard");
                }
                Ok(())
            }
            Ok(Err(DeletionError::Database(error))) => Err(error),
            Ok(Err(error)) => {
                tracing::warn!(%user, error = %chain(&error), "a user is not wholly gone yet");
                Ok(())
            }
            Err(panicked) => Err(db::Error::Io(std::io::Error::other(panicked))),
        }
    }
}

/// Deletes a user: from the first step on no token makes them anew; then jobs are cancelled, so that
/// workers let go, and deleted one by one; then all else in the database; then the objects. At any point
/// it may be interrupted, and the same again goes on. None where another one ended the user meanwhile.
///
/// Of a folder of objects that another database has used, or may have used, they are left: local users
/// have the same ids in all of them.
///
/// # Errors
/// When it did not come to its end.
pub async fn delete(
    db: &PgPool,
    store: &Store,
    user: UserId,
    reason: EndReason,
) -> Result<Option<Deletion>, DeletionError> {
    let Some(end) = UserEnd::begin(db, user, reason).await? else { return Ok(None) };
    let mut deleted = 0;
    loop {
        let page = users::jobs(db, user).await?;
        if page.is_empty() {
            break;
        }
        for job in page {
            deleted += usize::from(jobs::delete(db, user, job).await?);
        }
    }
    let (profile, account) = users::delete_rows(db, user).await?;
    let hold = StoreHold::to_delete(db).await?.ok_or(DeletionError::Busy)?;
    let share = Share::of::<DeletionError>(db, store).await?;
    let (mut objects, mut bytes, mut left, mut failure) = (0, 0, 0, None::<StoreError>);
    let mut pages = store.objects(user);
    while let Some(page) = pages.try_next().await? {
        let (own, others): (Vec<_>, Vec<_>) = page.into_iter().partition(|object| share.is_own(object));
        left += others.len() as u64;
        let mut deletions = stream::iter(own)
            .map(|object| async move { (store.delete_object(&object).await, object.size) })
            .buffer_unordered(DELETIONS);
        while let Some((deleted, size)) = deletions.next().await {
            match deleted {
                Ok(true) => {
                    objects += 1;
                    bytes += size;
                }
                Ok(false) => {}
                Err(error) if error.is_passing() => return Err(error.into()),
                // Such as one that is locked: all others go.
                Err(error) => failure = Some(error),
            }
        }
    }
    let mut pages = store.made(user);
    while let Some(page) = pages.try_next().await? {
        for made in page {
            if !share.is_own_since(made.written) {
                left += 1;
            } else if store.delete_made(user, made.place).await? {
                objects += 1;
                bytes += made.size;
            }
        }
    }
    if let Some(error) = failure {
        return Err(error.into());
    }
    end.end().await?;
    hold.end().await?;
    Ok(Some(Deletion { jobs: deleted, objects, bytes, left, profile, account }))
}
