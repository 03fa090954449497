//! Small copies of pictures for people to look at: made when they are asked for, kept in memory for a while.

use std::sync::Arc;

use bytes::Bytes;
use moka::future::Cache;
use tokio::{
    sync::{AcquireError, Semaphore},
    task::{JoinError, spawn_blocking},
};

use super::decode_limits;
use crate::{
    config::Config,
    derive::{self, DeriveError},
    model::{Format, Sha256, UserId},
    store::{Store, StoreError},
    validate::{self, DecodeLimits},
};

/// Bytes of small copies that are kept.
const KEPT: u64 = 64 << 20;
/// What an entry takes beside its bytes.
const ENTRY: usize = 200;
/// Most that are made at a time: each takes a processor and the bytes of its original.
const TURNS: usize = 4;
/// Memory for making them, in MiB; one that needs more gets all of it.
const MEMORY: u32 = 512;

/// Makes small copies, few at a time, each once however many ask for it. Clones share what is kept.
#[derive(Clone, Debug)]
pub struct Thumbnails {
    kept: Cache<(Sha256, u32), Thumbnail>,
    turns: Arc<Semaphore>,
    /// In MiB.
    memory: Arc<Semaphore>,
    limits: DecodeLimits,
}

/// A small copy.
#[derive(Clone, Debug)]
pub struct Thumbnail {
    /// Its file.
    pub bytes: Bytes,
    /// Of the file.
    pub format: Format,
}

/// Why there is no small copy.
#[derive(Debug, thiserror::Error)]
pub enum ThumbnailError {
    /// There is no such object.
    #[error("the object is missing from the store")]
    Missing,
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] StoreError),
    /// It is of no use to try again.
    #[error(transparent)]
    Derive(#[from] DeriveError),
    /// This process ends, or made a mistake.
    #[error("it was not made to its end")]
    Stopped,
}

impl From<JoinError> for ThumbnailError {
    fn from(_: JoinError) -> Self {
        Self::Stopped
    }
}

impl From<AcquireError> for ThumbnailError {
    fn from(_: AcquireError) -> Self {
        Self::Stopped
    }
}

impl Thumbnails {
    /// Sides of the squares into which they go, in pixels. Those of few sizes are asked for more than once.
    pub const SIZES: [u32; 5] = [64, 128, 256, 512, 1024];

    /// Keeps none yet.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let weight =
            |_: &(Sha256, u32), made: &Thumbnail| u32::try_from(made.bytes.len() + ENTRY).unwrap_or(u32::MAX);
        Self {
            kept: Cache::builder().weigher(weight).max_capacity(KEPT).build(),
            turns: Arc::new(Semaphore::new(TURNS)),
            memory: Arc::new(Semaphore::new(MEMORY as usize)),
            limits: decode_limits(config),
        }
    }

    /// The side of the square that is as large as was asked, or the next larger one.
    #[must_use]
    pub fn side(asked: u32) -> u32 {
        let largest = Self::SIZES[Self::SIZES.len() - 1];
        Self::SIZES.into_iter().find(|side| *side >= asked).unwrap_or(largest)
    }

    /// The small copy of an object of this user, for a square of one of [`Self::SIZES`].
    ///
    /// # Errors
    /// See [`ThumbnailError`].
    pub async fn get(
        &self,
        store: &Store,
        user: UserId,
        (sha256, format): (Sha256, Format),
        side: u32,
    ) -> Result<Thumbnail, Arc<ThumbnailError>> {
        // The same bytes have the same copy, whoever's they are.
        self.kept.try_get_with((sha256, side), self.make(store, user, (sha256, format), side)).await
    }

    async fn make(
        &self,
        store: &Store,
        user: UserId,
        (sha256, format): (Sha256, Format),
        side: u32,
    ) -> Result<Thumbnail, ThumbnailError> {
        // Whoever waits for memory has a turn, and whoever has memory needs nothing more: nobody waits in a
        // circle. Both are held until the work is done, though nobody may wait for it any more.
        let turn = Arc::clone(&self.turns).acquire_owned().await?;
        let object = store.get(user, &sha256, format, None).await?.ok_or(ThumbnailError::Missing)?;
        let bytes = object.bytes().await?;
        let limits = self.limits;
        let inspected = spawn_blocking(move || {
            let need =
                validate::inspect(&bytes, &limits).map(|header| derive::thumbnail_memory(&header, side));
            (need, bytes, turn)
        });
        let (need, bytes, turn) = inspected.await?;
        let need = need.map_err(DeriveError::from)?;
        let need = u32::try_from(need.div_ceil(1 << 20)).unwrap_or(MEMORY).min(MEMORY);
        let memory = Arc::clone(&self.memory).acquire_many_owned(need).await?;
        let made = spawn_blocking(move || {
            let made = derive::thumbnail(&bytes, side, &limits);
            drop((bytes, memory, turn));
            made
        });
        let made = made.await??;
        Ok(Thumbnail { bytes: made.bytes.into(), format: made.format.format() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_few() {
        for (asked, side) in
            [(16, 64), (64, 64), (65, 128), (256, 256), (1000, 1024), (1024, 1024), (9999, 1024)]
        {
            assert_eq!(Thumbnails::side(asked), side, "{asked}");
        }
    }
}
