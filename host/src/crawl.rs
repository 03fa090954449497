//! The story: a chunk from claim to checkpoint.
//!
//! A worker claims a chunk under a lease and works on it for a slice of time. It asks
//! the plugin what to fetch next, fetches that, and puts what the plugin found into
//! the backlog; beside that it takes pictures from the backlog, downloads, checks and
//! stores them, and writes verdicts in batches. Then it gives the chunk back, for
//! later, or for good.

mod balance;
mod budget;
pub mod decode;
mod failpoint;
mod process_image;
mod response_cache;
mod slice;
mod step;
mod stats;
mod worker;

pub use worker::Worker;

use crate::{
    db::{self, chunks::Deferral, lifecycle::ChunkEnd},
    queue::QueueError,
};

/// What ends a slice from outside; the chunk comes back by itself.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    #[error("the database failed")]
    Database(#[from] db::Error),
    #[error("the queue failed")]
    Queue(#[from] QueueError),
    #[error("the lease was lost: cancelled, or taken over by another worker")]
    LeaseLost,
}

/// How a slice ended.
enum SliceEnd {
    /// There is more to do: queue again behind the others.
    Again,
    /// There is more to do, but another user waits and has less.
    GaveWay,
    /// There is nothing to do before a time.
    Wait(Deferral),
    /// The chunk is over.
    End(ChunkEnd),
}

impl SliceEnd {
    /// As metrics name it.
    const fn name(&self) -> &'static str {
        match self {
            Self::Again => "again",
            Self::GaveWay => "gave-way",
            Self::Wait(_) => "wait",
            Self::End(ChunkEnd::Share) => "share",
            Self::End(ChunkEnd::Exhausted) => "exhausted",
            Self::End(ChunkEnd::Failed(_)) => "failed",
        }
    }
}
