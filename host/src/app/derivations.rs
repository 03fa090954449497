//! Pictures made of others, a few at a time and within a bound of memory, off the threads that wait.

use std::{sync::Arc, thread::available_parallelism};

use bytes::Bytes;
use tokio::{
    sync::{AcquireError, OwnedSemaphorePermit, Semaphore},
    task::{JoinError, spawn_blocking},
};

use super::decode_limits;
use crate::{
    config::Config,
    derive::DeriveError,
    validate::{self, DecodeLimits, Header},
};

/// Memory for making them, in MiB; one that needs more gets all of it.
const MEMORY: u32 = 512;
/// Most that are made at a time, however many processors there are.
const MOST: usize = 8;

/// What bounds the making of pictures in this process. Clones share it.
#[derive(Clone, Debug)]
pub struct Derivations {
    turns: Arc<Semaphore>,
    at_once: usize,
    /// In MiB.
    memory: Arc<Semaphore>,
    limits: DecodeLimits,
}

/// A turn to read an original and to make a picture of it.
#[derive(Debug)]
pub struct DeriveTurn {
    derivations: Derivations,
    permit: OwnedSemaphorePermit,
}

/// Why a picture was not made.
#[derive(Debug, thiserror::Error)]
pub enum DerivationError {
    /// It is of no use to try again.
    #[error(transparent)]
    Derive(#[from] DeriveError),
    /// This process ends, or made a mistake.
    #[error("it was not made to its end")]
    Stopped,
}

impl From<JoinError> for DerivationError {
    fn from(_: JoinError) -> Self {
        Self::Stopped
    }
}

impl From<AcquireError> for DerivationError {
    fn from(_: AcquireError) -> Self {
        Self::Stopped
    }
}

impl Derivations {
    /// Nothing is made yet.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let at_once = available_parallelism().map_or(1, usize::from).min(MOST);
        Self {
            turns: Arc::new(Semaphore::new(at_once)),
            at_once,
            memory: Arc::new(Semaphore::new(MEMORY as usize)),
            limits: decode_limits(config),
        }
    }

    /// How many are made at a time.
    #[must_use]
    pub const fn at_once(&self) -> usize {
        self.at_once
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// When this process ends.
    pub async fn turn(&self) -> Result<DeriveTurn, DerivationError> {
        let permit = Arc::clone(&self.turns).acquire_owned().await?;
        Ok(DeriveTurn { derivations: self.clone(), permit })
    }
}

impl DeriveTurn {
    /// Makes a picture of an original by `work`, which takes as many bytes of memory as `need` says.
    ///
    /// # Errors
    /// What `work` says, and when the original is none.
    pub async fn make<T: Send + 'static>(
        self,
        original: Bytes,
        need: impl FnOnce(&Header) -> u64 + Send + 'static,
        work: impl FnOnce(&[u8], &DecodeLimits) -> Result<T, DeriveError> + Send + 'static,
    ) -> Result<T, DerivationError> {
        // Whoever waits for memory has a turn, and whoever has memory needs nothing more: nobody waits in a
        // circle. Both are held until the work is done, though nobody may wait for it any more.
        let Self { derivations: Derivations { memory, limits, .. }, permit } = self;
        let inspected = spawn_blocking(move || {
            let need = validate::inspect(&original, &limits).map(|header| need(&header));
            (need, original, permit)
        });
        let (need, original, permit) = inspected.await?;
        let need = need.map_err(DeriveError::from)?;
        let need = u32::try_from(need.div_ceil(1 << 20)).unwrap_or(MEMORY).min(MEMORY);
        let memory = memory.acquire_many_owned(need).await?;
        let made = spawn_blocking(move || {
            let made = work(&original, &limits);
            drop((original, memory, permit));
            made
        });
        Ok(made.await??)
    }
}
