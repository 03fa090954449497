//! From the folder of objects to a bucket, or back: what rows name, while hosts go on.

use futures_util::{StreamExt as _, TryStreamExt as _};

use crate::{
    app,
    db::{
        self, PgPool,
        objects::{NamedObject, StoreHold},
    },
    services::{
        backup::{Copied, Faults, copy_object},
        presence,
    },
    store::{Store, StoreError},
};

/// Objects that are looked up, and that are copied, at a time.
const PAGE: i64 = 1000;
const COPIES: usize = 16;

/// How objects are copied.
#[derive(Clone, Copy, Debug, Default)]
pub struct CopyOptions {
    /// Those that are there are read and compared with their hash, and copied anew where they are damaged.
    pub verify: bool,
    /// Only looks what there is to do.
    pub dry_run: bool,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct CopyProgress {
    /// Objects that rows name.
    pub named: u64,
    /// Objects that are at the target, and their bytes.
    pub objects: u64,
    /// Of these.
    pub bytes: u64,
    /// Objects that the target had not had, or would not have.
    pub new: u64,
    /// Of these.
    pub new_bytes: u64,
    /// Objects that are not there, or are not what their name says.
    pub faulty: u64,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct CopyDone {
    /// All of it.
    pub progress: CopyProgress,
    /// What could not be copied.
    pub faults: Faults,
    /// Hosts run that keep objects elsewhere than at the target, so that there may be more of them by now.
    pub goes_on: bool,
}

/// Why not all was copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A sweep, or the end of a user.
    #[error("objects are being deleted, by a sweep or with a user; try again when that is done")]
    Busy,
    /// One of the two stores failed.
    #[error("a store failed; the same command again goes on")]
    Store(#[from] StoreError),
    /// The database failed.
    #[error("the database failed; the same command again goes on")]
    Database(#[from] db::Error),
}

impl From<presence::UnknownStore> for CopyError {
    fn from(error: presence::UnknownStore) -> Self {
        match error {
            presence::UnknownStore::Database(error) => error.into(),
            presence::UnknownStore::Store(error) => error.into(),
        }
    }
}

/// Copies every object that a row names and that the target lacks, each compared with its hash. Nothing is
/// deleted meanwhile, at either place, and nothing at the source ever. The tables must be up to date.
///
/// # Errors
/// When not all was looked at; what was copied stays.
pub async fn copy(
    db: &PgPool,
    from: &Store,
    to: &Store,
    options: CopyOptions,
    tell: impl Fn(&CopyProgress),
) -> Result<CopyDone, CopyError> {
    if !options.dry_run {
        app::mark_store::<CopyError>(db, to).await?;
    }
    let mut hold = StoreHold::to_read(db).await?.ok_or(CopyError::Busy)?;
    hold.list().await?;
    let named = u64::try_from(hold.counts().await?.objects).unwrap_or_default();
    let mut progress = CopyProgress { named, ..CopyProgress::default() };
    let mut faults = Faults::default();
    let mut last = Some(0);
    while let Some(after) = last {
        let page;
        (page, last) = hold.page(after, PAGE).await?;
        let mut copies = futures_util::stream::iter(page)
            .map(|object| async move {
                if options.dry_run {
                    look(from, to, object).await
                } else {
                    copy_object(from, to, object, options.verify).await
                }
            })
            .buffer_unordered(COPIES);
        while let Some((object, copied)) = copies.try_next().await? {
            match copied {
                Copied::Faulty(what) => {
                    faults.add(&Store::path(object.user, &object.sha256, object.format), what);
                    progress.faulty += 1;
                }
                Copied::Now(size) => {
                    progress.new += 1;
                    progress.new_bytes += size;
                    progress.objects += 1;
                    progress.bytes += size;
                }
                Copied::Before(size) => {
                    progress.objects += 1;
                    progress.bytes += size;
                }
            }
            tell(&progress);
        }
    }
    hold.end().await?;
    let goes_on = presence::is_store_elsewhere(db, to).await?;
    Ok(CopyDone { progress, faults, goes_on })
}

/// What a copy would do with an object, by the sizes.
async fn look(from: &Store, to: &Store, object: NamedObject) -> Result<(NamedObject, Copied), StoreError> {
    let NamedObject { user, sha256, format, .. } = object;
    let (here, there) = (from.size(user, &sha256, format).await?, to.size(user, &sha256, format).await?);
    let copied = match (here, there) {
        (here, Some(there)) if here.is_none_or(|here| here == there) => Copied::Before(there),
        (Some(here), _) => Copied::Now(here),
        (None, _) => Copied::Faulty("is missing"),
    };
    Ok((object, copied))
}
