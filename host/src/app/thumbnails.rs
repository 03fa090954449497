//! Small copies of pictures for people to look at: made when they are asked for, kept in memory for a while.

use std::sync::Arc;

use bytes::Bytes;
use moka::future::Cache;

use super::{DerivationError, Derivations};
use crate::{
    derive,
    model::{Format, Sha256, UserId},
    store::{Store, StoreError},
};

/// Bytes of small copies that are kept.
const KEPT: u64 = 64 << 20;
/// What an entry takes beside its bytes.
const ENTRY: usize = 200;

/// Makes small copies, each once however many ask for it at the same time. Clones share what is kept.
#[derive(Clone, Debug)]
pub struct Thumbnails {
    kept: Cache<(Sha256, u32), Thumbnail>,
    derivations: Derivations,
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
    /// It was not made.
    #[error(transparent)]
    Derivation(#[from] DerivationError),
}

impl Thumbnails {
    /// Sides of the squares into which they go, in pixels. Those of few sizes are asked for more than once.
    pub const SIZES: [u32; 5] = [64, 128, 256, 512, 1024];

    /// Keeps none yet.
    #[must_use]
    pub fn new(derivations: &Derivations) -> Self {
        let weight =
            |_: &(Sha256, u32), made: &Thumbnail| u32::try_from(made.bytes.len() + ENTRY).unwrap_or(u32::MAX);
        let kept = Cache::builder().weigher(weight).max_capacity(KEPT).build();
        Self { kept, derivations: derivations.clone() }
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
        object: (Sha256, Format),
        side: u32,
    ) -> Result<Thumbnail, Arc<ThumbnailError>> {
        // The same bytes have the same copy, whoever's they are.
        self.kept.try_get_with((object.0, side), self.make(store, user, object, side)).await
    }

    async fn make(
        &self,
        store: &Store,
        user: UserId,
        (sha256, format): (Sha256, Format),
        side: u32,
    ) -> Result<Thumbnail, ThumbnailError> {
        let turn = self.derivations.turn().await?;
        let object = store.get(user, &sha256, format, None).await?.ok_or(ThumbnailError::Missing)?;
        let original = object.bytes().await?;
        let need = move |header: &_| derive::thumbnail_memory(header, side);
        let made = turn.make(original, need, move |bytes, limits| derive::thumbnail(bytes, side, limits));
        let made = made.await?;
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
