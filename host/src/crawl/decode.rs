//! Decoding: threads and memory, shared by all chunks of the process.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::{
    image::{Measured, Refusal, Rules},
    metrics::Metrics,
    source::Checksum,
    validate::{self, Header, Limits, Rejected},
};

/// Threads that decode, always the same ones: the allocator keeps for each thread what
/// that has freed, so that pictures decoded now here, now there add up to hundreds of MiB.
pub(super) struct Decoders {
    limits: Limits,
    work: mpsc::Sender<Work>,
    /// In KiB.
    memory: Arc<Semaphore>,
    memory_size: u32,
}

/// One picture to decode.
struct Work {
    bytes: Bytes,
    header: Header,
    rules: Rules,
    declared: Option<Checksum>,
    answer: oneshot::Sender<(Result<Measured, Rejected>, Duration)>,
    /// A picture that is being decoded holds it even when nobody waits any more.
    memory: Option<OwnedSemaphorePermit>,
}

impl Decoders {
    /// One core is left to everything else. `memory` is in bytes. Needs a tokio runtime.
    pub(super) fn new(limits: Limits, memory: u64) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let (work, waiting) = mpsc::channel();
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..cores.saturating_sub(1).max(1) {
            let waiting = Arc::clone(&waiting);
            tokio::task::spawn_blocking(move || decode(&waiting));
        }
        let memory_size = kib(memory);
        Self { limits, work, memory: Arc::new(Semaphore::new(memory_size as usize)), memory_size }
    }

    /// Checks a file completely, as soon as there are memory and a thread for it.
    ///
    /// # Errors
    /// The first check that refuses.
    pub(super) async fn validate(
        &self,
        bytes: &Bytes,
        rules: Rules,
        declared: Option<Checksum>,
        metrics: &Metrics,
    ) -> Result<Measured, Rejected> {
        let header = validate::inspect(bytes, &self.limits)?;
        // A picture that needs more than all there is waits until it is alone.
        let cost = kib(header.cost()).min(self.memory_size);
        let memory = Arc::clone(&self.memory).acquire_many_owned(cost).await.ok();
        let (answer, decoded) = oneshot::channel();
        // Without threads the answer is dropped, which is seen below.
        let _ = self.work.send(Work { bytes: bytes.clone(), header, rules, declared, answer, memory });
        let Ok((measured, took)) = decoded.await else {
            return Err(Rejected::new(Refusal::DecoderFault, "the decoder ended without an answer"));
        };
        metrics.decoded(took);
        measured
    }
}

impl Work {
    fn measure(&self) -> Result<Measured, Rejected> {
        let measured = validate::measure(&self.bytes, &self.header, &self.rules)?;
        self.declared.as_ref().map_or(Ok(()), |declared| validate::check_checksum(&self.bytes, declared))?;
        Ok(measured)
    }
}

/// What a thread does until there are no decoders any more.
fn decode(waiting: &Mutex<mpsc::Receiver<Work>>) {
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else { return };
        // Whoever asked may have let go meanwhile.
        if work.answer.is_closed() {
            continue;
        }
        let begun = Instant::now();
        let measured = catch_unwind(AssertUnwindSafe(|| work.measure()));
        drop(work.memory);
        if let Ok(measured) = measured {
            let _ = work.answer.send((measured, begun.elapsed()));
        }
    }
}

fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}
