//! Work that waits, served in turn: each user has as much as the next, and of each user each
//! chunk, however much of it waits.

use std::collections::VecDeque;

use crate::model::{ChunkId, UserId};

/// Whose work it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::crawl) struct Owner {
    pub(in crate::crawl) user: UserId,
    pub(in crate::crawl) chunk: ChunkId,
}

/// Never holds an empty queue.
pub(super) struct FairQueue<T> {
    users: OwnerQueues<UserId, OwnerQueues<ChunkId, VecDeque<T>>>,
}

/// In the order of their turns.
type OwnerQueues<K, Q> = VecDeque<(K, Q)>;

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        Self { users: VecDeque::new() }
    }
}

impl<T> FairQueue<T> {
    pub(super) fn push(&mut self, owner: Owner, work: T) {
        let chunks = queue(&mut self.users, owner.user);
        queue(chunks, owner.chunk).push_back(work);
    }

    /// What is next.
    pub(super) fn front(&self) -> Option<&T> {
        self.users.front()?.1.front()?.1.front()
    }

    /// Takes what is next; its chunk and its user go behind all others.
    pub(super) fn pop(&mut self) -> Option<T> {
        let (user, mut chunks) = self.users.pop_front()?;
        let (chunk, mut waiting) = chunks.pop_front()?;
        let work = waiting.pop_front();
        if !waiting.is_empty() {
            chunks.push_back((chunk, waiting));
        }
        if !chunks.is_empty() {
            self.users.push_back((user, chunks));
        }
        work
    }
}

/// The queue of this key, made as the last one where there is none.
fn queue<K: PartialEq, Q: Default>(queues: &mut OwnerQueues<K, Q>, key: K) -> &mut Q {
    let at = queues.iter().position(|(found, _)| *found == key).unwrap_or_else(|| {
        queues.push_back((key, Q::default()));
        queues.len() - 1
    });
    &mut queues[at].1
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn users_and_their_chunks_take_turns() {
        let owner = |user, chunk| Owner { user: UserId(Uuid::from_u128(user)), chunk: ChunkId(chunk) };
        let mut turns = FairQueue::default();
        for (user, chunk, name) in
            [(1, 1, "a1"), (1, 1, "a2"), (1, 1, "a3"), (1, 2, "b1"), (2, 3, "c1"), (2, 3, "c2"), (3, 4, "d1")]
        {
            turns.push(owner(user, chunk), name);
        }
        assert_eq!(turns.front(), Some(&"a1"));
        let order: Vec<_> = std::iter::from_fn(|| turns.pop()).collect();
        assert_eq!(order, ["a1", "c1", "d1", "b1", "c2", "a2", "a3"]);
        assert!(turns.users.is_empty());
        turns.push(owner(1, 1), "again");
        assert_eq!(turns.pop(), Some("again"));
    }
}
