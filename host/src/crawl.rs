//! The story: a chunk from claim to checkpoint.
//!
//! A worker (`worker`) claims a chunk under a lease and works on it for a slice of time (`slice`).
//! It asks the plugin what to fetch next, fetches that (`step`), and puts what the plugin found into
//! the backlog; beside that it takes pictures from the backlog, downloads, checks and
//! stores them (`process_image`), and writes verdicts in batches. Then it gives the chunk back,
//! for later, or for good. Whether the source may be asked meanwhile, and how the slice ends, are
//! transitions of states (`source_state`).
//!
//! After a crash of its worker a chunk is as its last write left it ([`crate::db::steps`],
//! [`crate::db::image_batch`]). The queue finds that the worker is dead and calls `recover` of
//! [`Worker`], which counts the crash ([`crate::db::chunks::crashed`]) and says when the chunk is
//! claimed again.

mod balance;
mod budget;
pub mod decode;
mod failpoint;
mod process_image;
mod slice;
mod source_state;
mod step;
mod stats;
mod worker;

pub use worker::Worker;

use crate::{
    db::{self, chunks::Deferral, job_lifecycle::ChunkEnd},
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
#[derive(Clone, Debug, PartialEq, Eq)]
enum SliceEnd {
    /// There is more to do: queue again behind the others.
    Again,
    /// There is more to do, but another user waits and has less.
    GaveWay,
    /// There is something to do, but not before a time.
    Wait(Deferral),
    /// Nothing is left but what must wait, the first of it until then.
    Idle(Deferral),
    /// The chunk is over.
    End(ChunkEnd),
}

impl SliceEnd {
    /// As metrics name it.
    const fn name(&self) -> &'static str {
        match self {
            Self::Again => "again",
            Self::GaveWay => "gave-way",
            Self::Wait(_) | Self::Idle(_) => "wait",
            Self::End(ChunkEnd::Share) => "share",
            Self::End(ChunkEnd::Exhausted) => "exhausted",
            Self::End(ChunkEnd::Failed(_)) => "failed",
        }
    }
}
