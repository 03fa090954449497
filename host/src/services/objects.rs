//! Whether rows and objects agree: what no row names is waste and deleted, what rows name and is not there
//! is said.

use std::{collections::HashSet, time::Duration};

use bytes::Bytes;
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    db::{
        self, PgPool,
        objects::{NamedObject, StoreHold, is_due, is_due_still},
        users::EndReason,
    },
    error::chain,
    model::{Format, Sha256, UserId},
    services::users::{self, DeletionError},
    store::{MadeObject, Store, StoreError, StoredObject},
};

/// What was put since may get its row still. It takes seconds; a clock that is wrong may make more of it.
const SPARED: TimeDelta = TimeDelta::hours(24);
/// How often it is looked whether something is to be done. At the start there is enough else.
const LOOK: Duration = Duration::from_mins(5);
/// Objects that are looked up at a time.
const PAGE: i64 = 1000;
/// Missing ones that are named.
const MOST_NAMED: usize = 20;
/// Objects of a bucket that are deleted in one go, and at a time.
const DELETIONS: usize = 64;
pub(super) const DELETIONS_AT_A_TIME: usize = 8;
/// Within which a deletion that was begun must be sent, by the clock of the wall: a machine that sleeps wakes up
/// with it. What is put at the same moment waits for longer, see [`db::objects::spare`].
pub(super) const BEGUN: TimeDelta = TimeDelta::minutes(1);

/// What a sweep found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Sweep {
    /// Objects in the store.
    pub objects: u64,
    /// Of all of them.
    pub bytes: u64,
    /// Objects that no row names and that were deleted, or would be.
    pub swept: u64,
    /// Of these.
    pub swept_bytes: u64,
    /// Objects that no row names, but of which it is too early to be sure.
    pub spared: u64,
    /// Objects of a bucket that no row names and that a later sweep deletes, ten minutes from now at the
    /// earliest: by then whoever is putting one at this moment is done.
    pub noted: u64,
    /// Objects that no row names and that the store does not let anybody delete, such as locked ones.
    pub undeletable: u64,
    /// Why not the first of these.
    pub undeletable_reason: Option<String>,
    /// Nothing is deleted before: this database is known in the folder for less than a day, and another
    /// that uses the folder, too, may not have said so yet.
    pub waits_until: Option<DateTime<Utc>>,
    /// Objects that rows name and that are not in the store.
    pub missing: u64,
    /// Paths of the first of these.
    pub missing_paths: Vec<String>,
}

impl Sweep {
    /// Counts an object that the store does not let anybody delete. What passes by itself is an error still.
    fn leave(&mut self, error: StoreError) -> Result<(), StoreError> {
        if error.is_passing() || matches!(error, StoreError::Moved { .. }) {
            return Err(error);
        }
        self.undeletable += 1;
        self.undeletable_reason.get_or_insert_with(|| chain(&error));
        Ok(())
    }
}

/// Why nothing was swept, or not all.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// A sweep, a backup or the end of a user.
    #[error("a backup, another sweep or the deletion of a user is under way; try again when it is done")]
    Busy,
    /// What one database does not name another may.
    #[error(
        "the objects belong to another database, too, so it is not known which of them are waste; if that database \
         is no more, remove these files of the folder `objects/databases`, or of `databases/` in the bucket (for `private` \
         also the folder `postgres`) and try again: {0}"
    )]
    Shared(String),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] db::Error),
}

/// Why an object is not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// It was waste, and will be there no more in a moment.
    #[error("a sweep is deleting what was there")]
    Deleting,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] db::Error),
}

/// What of a folder of objects is this database's alone. Each database that uses the folder is noted in it,
/// but versions before did not do that: in the first day others may be there that are not noted yet.
pub(super) struct Share {
    since: DateTime<Utc>,
    others: Vec<String>,
}

impl Share {
    pub(super) async fn of<E: From<StoreError> + From<db::Error>>(
        db: &PgPool,
        store: &Store,
    ) -> Result<Self, E> {
        let own = db::secrets::database_name(db).await?;
        let mut databases = store.databases().await?;
        // Somebody may have removed it under a process that runs.
        let since = databases.remove(&own).unwrap_or_else(Utc::now);
        Ok(Self { since, others: databases.into_keys().collect() })
    }

    /// The end of the first day, unless that is over.
    fn waits_until(&self) -> Option<DateTime<Utc>> {
        let end = self.since + SPARED;
        (end > Utc::now()).then(|| end.trunc_subsecs(0))
    }

    /// Whether no other database can name an object.
    pub(super) fn is_own(&self, object: &StoredObject) -> bool {
        self.is_own_since(object.written)
    }

    /// The same of what was last put at this time.
    pub(super) fn is_own_since(&self, written: DateTime<Utc>) -> bool {
        self.others.is_empty() && (self.waits_until().is_none() || written >= self.since)
    }
}

impl App {
    /// Keeps an object, for whose row there is a day's time. When this returns, it survives a crash and is not
    /// deleted as the waste that it may have been.
    ///
    /// # Errors
    /// When it could not be kept, or not now.
    pub async fn keep_object(
        &self,
        user: UserId,
        sha256: &Sha256,
        format: Format,
        bytes: Bytes,
    ) -> Result<(), KeepError> {
        if !db::objects::spare(&self.db, user, sha256).await? {
            return Err(KeepError::Deleting);
        }
        Ok(self.store.put(user, sha256, format, bytes).await?)
    }

    /// Deletes waste now and then, and ends what was begun of the end of users, until `stop`. Of all
    /// processes one does it at a time.
    pub async fn keep_objects(&self, stop: &CancellationToken) {
        let every = self.config.database.sweep_every;
        while stop.run_until_cancelled(tokio::time::sleep(LOOK.min(every))).await.is_some() {
            if let Some(Err(error)) = stop.run_until_cancelled(self.tidy_up(every)).await {
                tracing::warn!(error = %chain(&error), "objects without rows are left for now");
            }
        }
    }

    async fn tidy_up(&self, every: Duration) -> Result<(), SweepError> {
        for user in db::users::half_deleted(&self.db).await? {
            match users::delete(&self.db, &self.store, user, EndReason::Begun).await {
                Ok(None) => {}
                Ok(Some(_)) => tracing::info!(event = "user-deleted", %user, "the end of a user was ended"),
                Err(DeletionError::Busy) => return Err(SweepError::Busy),
                Err(error) => tracing::warn!(%user, error = %chain(&error), "a user is not wholly gone yet"),
            }
        }
        if !is_due(&self.db, "sweep", every).await? {
            return Ok(());
        }
        let swept = match sweep(&self.db, &self.store, false).await {
            Err(SweepError::Busy) => {
                is_due_still(&self.db, "sweep").await?;
                return Err(SweepError::Busy);
            }
            swept => swept?,
        };
        let reason = swept.undeletable_reason.clone();
        let Sweep {
            objects,
            bytes,
            swept,
            swept_bytes,
            noted,
            missing,
            waits_until,
            ref missing_paths,
            undeletable,
            ..
        } = swept;
        if let Some(reason) = reason {
            tracing::warn!(
                event = "objects-undeletable",
                undeletable,
                reason,
                "the store does not let objects be deleted that no row names"
            );
        }
        if let Some(until) = waits_until {
            tracing::info!(%until, "nothing is swept yet: other databases that use the folder of objects have a day to show themselves");
        }
        tracing::info!(
            event = "swept",
            objects,
            bytes,
            swept,
            swept_bytes,
            noted,
            missing,
            "objects that no row names were deleted"
        );
        if missing > 0 {
            tracing::error!(event = "objects-missing", missing, first = ?missing_paths, "rows name objects that are not there; `pixcrawler restore` them from a backup, or delete the jobs");
        }
        Ok(())
    }
}

/// Looks at all objects and all rows: deletes what no row names and was last written over 24 hours ago,
/// or only counts it. Needs the memory of a page; the list of what is named is the database's.
///
/// # Errors
/// When it may not be done now, or the store or the database failed. What was deleted stays so.
pub async fn sweep(db: &PgPool, store: &Store, dry_run: bool) -> Result<Sweep, SweepError> {
    let share = Share::of::<SweepError>(db, store).await?;
    if !share.others.is_empty() {
        return Err(SweepError::Shared(share.others.join(", ")));
    }
    // Before the list is made: whose row comes later was put later, too.
    let limit = Utc::now() - SPARED;
    let mut hold = StoreHold::to_delete(db).await?.ok_or(SweepError::Busy)?;
    hold.list().await?;
    let mut done = Sweep { waits_until: share.waits_until(), ..Sweep::default() };
    for user in store.users().await? {
        let mut pages = store.objects(user);
        while let Some(page) = pages.try_next().await? {
            sweep_page(store, &mut hold, (user, &page), (limit, &share), dry_run, &mut done).await?;
        }
        drop(pages);
        sweep_made(db, store, user, (limit, &share), dry_run, &mut done).await?;
    }
    let mut last = Some(0);
    while let Some(after) = last {
        let page;
        (page, last) = hold.unseen_page(after, PAGE).await?;
        for object in page {
            let NamedObject { user, sha256, format, .. } = object;
            // Since the list was made its row may have gone, and then the object may have.
            if store.size(user, &sha256, format).await?.is_none() && hold.is_named(object).await? {
                done.missing += 1;
                if done.missing_paths.len() < MOST_NAMED {
                    done.missing_paths.push(Store::path(user, &sha256, format));
                }
            }
        }
    }
    if !dry_run {
        hold.forget_notes().await?;
    }
    hold.end().await?;
    Ok(done)
}

async fn sweep_page(
    store: &Store,
    hold: &mut StoreHold,
    (user, page): (UserId, &[StoredObject]),
    (limit, share): (DateTime<Utc>, &Share),
    dry_run: bool,
    done: &mut Sweep,
) -> Result<(), SweepError> {
    let hashes: Vec<String> = page.iter().map(|object| object.sha256.to_string()).collect();
    let named = hold.see(user, &hashes).await?;
    let mut waste = Vec::new();
    for (object, hash) in page.iter().zip(hashes) {
        done.objects += 1;
        done.bytes += object.size;
        if named.contains(&hash) {
            continue;
        }
        if object.written < limit && share.is_own(object) {
            waste.push((object, hash));
        } else {
            done.spared += 1;
        }
    }
    if store.is_bucket() {
        return sweep_bucket(store, hold, (user, &waste), limit, dry_run, done).await;
    }
    for (object, _) in waste {
        match if dry_run { Ok(true) } else { store.delete_if_old(object, limit).await } {
            Ok(true) => {
                done.swept += 1;
                done.swept_bytes += object.size;
            }
            Ok(false) => done.spared += 1,
            Err(error) => done.leave(error)?,
        }
    }
    Ok(())
}

/// Deletes what was made of exports that are gone or have changed. Nobody puts such a thing again: its place has
/// the revision in it.
async fn sweep_made(
    db: &PgPool,
    store: &Store,
    user: UserId,
    (limit, share): (DateTime<Utc>, &Share),
    dry_run: bool,
    done: &mut Sweep,
) -> Result<(), SweepError> {
    let mut pages = store.made(user);
    while let Some(page) = pages.try_next().await? {
        let places: Vec<_> = page
            .iter()
            .map(|MadeObject { place, .. }| (place.export, place.number, place.revision))
            .collect();
        let wanted = db::exports::wanted(db, user, &places).await?;
        for (MadeObject { place, size, written }, key) in page.into_iter().zip(places) {
            done.objects += 1;
            done.bytes += size;
            if wanted.contains(&key) {
                continue;
            }
            if written >= limit || !share.is_own_since(written) {
                done.spared += 1;
                continue;
            }
            match if dry_run { Ok(true) } else { store.delete_made(user, place).await } {
                Ok(_) => {
                    done.swept += 1;
                    done.swept_bytes += size;
                }
                Err(error) => done.leave(error)?,
            }
        }
    }
    Ok(())
}

/// Deletes what an earlier sweep noted, and notes the rest. A bucket deletes whatever is there at the moment,
/// also what was put after a look at its time. So whoever puts an object takes it off the notes before, and
/// waits where its deletion has begun; and who did that before it was noted is done long before it may go.
async fn sweep_bucket(
    store: &Store,
    hold: &mut StoreHold,
    (user, waste): (UserId, &[(&StoredObject, String)]),
    limit: DateTime<Utc>,
    dry_run: bool,
    done: &mut Sweep,
) -> Result<(), SweepError> {
    for part in waste.chunks(DELETIONS) {
        let hashes: Vec<String> = part.iter().map(|(_, hash)| hash.clone()).collect();
        if dry_run {
            let noted = hold.noted(user, &hashes).await?;
            for (object, hash) in part {
                if noted.contains(hash) {
                    done.swept += 1;
                    done.swept_bytes += object.size;
                } else {
                    done.noted += 1;
                }
            }
            continue;
        }
        hold.note(user, &hashes).await?;
        let begun_at = Utc::now();
        let begun: HashSet<String> = hold.begin_deletion(user, &hashes).await?;
        let part = part.iter().map(|(object, hash)| ((*object).clone(), hash.clone()));
        let (now, later): (Vec<_>, Vec<_>) = part.partition(|(_, hash)| begun.contains(hash));
        done.noted += later.len() as u64;
        // All of them: a request that is on its way is waited for, also where another failed.
        let deleted: Vec<_> = futures_util::stream::iter(now)
            .map(|(object, hash)| async move {
                if Utc::now() - begun_at > BEGUN {
                    return Ok((object, hash, None));
                }
                match store.delete_if_old(&object, limit).await {
                    Ok(deleted) => Ok((object, hash, Some(deleted))),
                    Err(error) => Err((hash, error)),
                }
            })
            .buffer_unordered(DELETIONS_AT_A_TIME)
            .collect()
            .await;
        let mut failure: Option<StoreError> = None;
        let mut over = Vec::new();
        for deleted in deleted {
            match deleted {
                Ok((object, hash, Some(true))) => {
                    done.swept += 1;
                    done.swept_bytes += object.size;
                    over.push(hash);
                }
                Ok((_, hash, Some(false))) => {
                    done.spared += 1;
                    over.push(hash);
                }
                Ok((_, _, None)) => done.noted += 1,
                Err((hash, error)) => match done.leave(error) {
                    // It was refused: no request is on its way.
                    Ok(()) => over.push(hash),
                    Err(error) => failure = Some(error),
                },
            }
        }
        hold.end_deletion(user, &over).await?;
        if let Some(error) = failure {
            return Err(error.into());
        }
    }
    Ok(())
}
