//! Memory for the bodies of images: how many bytes of them the process holds at a time,
//! from the first byte until the image was stored.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of image bodies that may be in memory, in two parts. A body begins in the first;
/// one that proves larger than [`MemoryBudget::BEGINNING`] gets all it may need from the second and
/// gives the first back. Who has that waits for no more, so nobody waits in a circle. What a
/// site merely declares takes no more than a beginning from others.
pub(super) struct MemoryBudget {
    beginnings: MemoryPool,
    wholes: MemoryPool,
}

/// Memory for one body; free again when dropped.
pub(super) struct MemoryPermit {
    permit: Option<OwnedSemaphorePermit>,
}

struct MemoryPool {
    /// In KiB.
    free: Arc<Semaphore>,
    size: u32,
}

impl MemoryBudget {
    /// What a body may have before it must ask for more.
    pub(super) const BEGINNING: u64 = 1 << 20;
    const BEGINNINGS: u64 = 64 << 20;
    const WHOLES: u64 = 128 << 20;

    /// 192 MiB, or more where that is needed for one image of `largest` bytes.
    pub(super) fn new(largest: u64) -> Self {
        Self {
            beginnings: MemoryPool::new(Self::BEGINNINGS),
            wholes: MemoryPool::new(Self::WHOLES.max(largest)),
        }
    }

    /// Waits for memory for the beginning of a body of that many bytes, if it is known.
    pub(super) async fn beginning(&self, length: Option<u64>) -> MemoryPermit {
        self.beginnings.acquire(length.map_or(Self::BEGINNING, |length| length.min(Self::BEGINNING))).await
    }

    /// Waits for memory for a whole body of at most that many bytes.
    pub(super) async fn whole(&self, most: u64) -> MemoryPermit {
        self.wholes.acquire(most).await
    }
}

impl MemoryPool {
    fn new(bytes: u64) -> Self {
        let size = kib(bytes);
        Self { free: Arc::new(Semaphore::new(size as usize)), size }
    }

    async fn acquire(&self, bytes: u64) -> MemoryPermit {
        let size = kib(bytes).min(self.size);
        // The semaphore is never closed.
        MemoryPermit { permit: Arc::clone(&self.free).acquire_many_owned(size).await.ok() }
    }
}

impl MemoryPermit {
    /// `body` as it came, in this memory until the last clone is dropped; what it does not need is given back.
    pub(super) fn keep(mut self, mut body: Vec<u8>) -> Bytes {
        struct BudgetedBody {
            body: Vec<u8>,
            _permit: MemoryPermit,
        }
        impl AsRef<[u8]> for BudgetedBody {
            fn as_ref(&self) -> &[u8] {
                &self.body
            }
        }
        body.shrink_to_fit();
        if let Some(permit) = &mut self.permit {
            let surplus = permit.num_permits().saturating_sub(kib(body.len() as u64) as usize);
            drop(permit.split(surplus));
        }
        Bytes::from_owner(BudgetedBody { body, _permit: self })
    }
}

fn kib(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_holds_what_it_needs_until_its_last_clone_is_dropped() {
        let budget = MemoryBudget::new(0);
        let free = || budget.wholes.free.available_permits();
        let all = free();
        let permit = budget.whole(64 << 20).await;
        assert_eq!(all - free(), 64 << 10);
        let body = permit.keep(vec![1; 2049]);
        assert_eq!(all - free(), 3);
        let part = body.slice(1..2);
        drop(body);
        assert_eq!((all - free(), &part[..]), (3, &[1][..]));
        drop(part);
        assert_eq!(free(), all);
    }

    #[tokio::test]
    async fn the_largest_image_fits() {
        let largest = 1 << 30;
        let budget = MemoryBudget::new(largest);
        drop(budget.whole(largest).await);
        drop(budget.whole(u64::MAX).await);
        assert_eq!(budget.beginning(Some(10)).await.permit.map(|permit| permit.num_permits()), Some(1));
        assert_eq!(budget.beginning(None).await.permit.map(|permit| permit.num_permits()), Some(1024));
    }
}
