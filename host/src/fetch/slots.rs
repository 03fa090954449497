//! What is remembered of each host or origin, bounded however many there are.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// One `T` for each key, made when first asked for. When full, the one that was
/// not asked for longest goes, unless it is in use.
pub(super) struct Slots<T> {
    capacity: usize,
    slots: Mutex<HashMap<String, (Instant, Arc<T>)>>,
}

impl<T> Slots<T> {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, slots: Mutex::default() }
    }

    pub(super) fn get(&self, key: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let now = Instant::now();
        let mut slots = lock(&self.slots);
        if let Some((used, slot)) = slots.get_mut(key) {
            *used = now;
            return slot.clone();
        }
        if slots.len() >= self.capacity {
            let unused = slots.iter().filter(|(_, (_, slot))| Arc::strong_count(slot) == 1);
            let oldest = unused.min_by_key(|(_, (used, _))| *used).map(|(key, _)| key.clone());
            oldest.and_then(|key| slots.remove(&key));
        }
        let slot = Arc::new(make());
        slots.insert(key.to_owned(), (now, slot.clone()));
        slot
    }
}

/// A panic elsewhere cannot leave these values half changed, so a poisoned lock is as good as any.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_not_asked_for_longest_goes_unless_in_use() {
        let slots = Slots::new(2);
        let first = slots.get("a", || 1);
        slots.get("b", || 2);
        slots.get("c", || 3);
        assert_eq!(*slots.get("b", || 4), 4, "`b` was the oldest that was not in use");
        assert_eq!(*slots.get("a", || 5), 1, "`a` was in use");
        drop(first);
        assert_eq!(lock(&slots.slots).len(), 2);
    }
}
