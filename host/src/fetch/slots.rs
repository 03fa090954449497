//! What is remembered of each host or origin, bounded however many there are.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// One `T` for each key, made when first asked for. When they weigh more than `capacity`
/// together, those that were not asked for longest go, unless they are in use.
pub(super) struct KeyedCache<T> {
    capacity: usize,
    least: usize,
    kept: Mutex<KeyedCacheState<T>>,
}

struct KeyedCacheState<T> {
    slots: HashMap<String, Slot<T>>,
    weight: usize,
}

struct Slot<T> {
    used: Instant,
    weight: usize,
    value: Arc<T>,
}

impl<T> KeyedCache<T> {
    /// At most `capacity` slots.
    pub(super) fn new(capacity: usize) -> Self {
        Self::weighing(capacity, 1)
    }

    /// At most `capacity` in all; each slot weighs `least` until [`Self::weigh`] says more.
    pub(super) fn weighing(capacity: usize, least: usize) -> Self {
        Self { capacity, least, kept: Mutex::new(KeyedCacheState { slots: HashMap::new(), weight: 0 }) }
    }

    pub(super) fn get(&self, key: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let now = Instant::now();
        let mut kept = lock(&self.kept);
        if let Some(slot) = kept.slots.get_mut(key) {
            slot.used = now;
            return slot.value.clone();
        }
        kept.make_room(self.capacity.saturating_sub(self.least));
        let value = Arc::new(make());
        kept.slots.insert(key.to_owned(), Slot { used: now, weight: self.least, value: value.clone() });
        kept.weight += self.least;
        value
    }

    /// Sets what `slot`, which is in use, weighs beyond the least.
    pub(super) fn weigh(&self, key: &str, slot: &Arc<T>, weight: usize) {
        let mut kept = lock(&self.kept);
        let Some(found) = kept.slots.get_mut(key).filter(|found| Arc::ptr_eq(&found.value, slot)) else {
            return;
        };
        let before = std::mem::replace(&mut found.weight, self.least + weight);
        kept.weight = kept.weight - before + self.least + weight;
        kept.make_room(self.capacity);
    }
}

impl<T> KeyedCacheState<T> {
    fn make_room(&mut self, capacity: usize) {
        while self.weight > capacity {
            let unused = self.slots.iter().filter(|(_, slot)| Arc::strong_count(&slot.value) == 1);
            let oldest = unused.min_by_key(|(_, slot)| slot.used).map(|(key, _)| key.clone());
            let Some(gone) = oldest.and_then(|key| self.slots.remove(&key)) else { return };
            self.weight -= gone.weight;
        }
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
        let slots = KeyedCache::new(2);
        let first = slots.get("a", || 1);
        slots.get("b", || 2);
        slots.get("c", || 3);
        assert_eq!(*slots.get("b", || 4), 4, "`b` was the oldest that was not in use");
        assert_eq!(*slots.get("a", || 5), 1, "`a` was in use");
        drop(first);
        assert_eq!(lock(&slots.kept).slots.len(), 2);
    }

    #[test]
    fn the_heavy_push_out_the_old() {
        let slots = KeyedCache::weighing(100, 10);
        for key in ["a", "b", "c", "d"] {
            slots.get(key, || 1);
        }
        let heavy = slots.get("b", || 2);
        slots.weigh("b", &heavy, 60);
        assert_eq!(lock(&slots.kept).weight, 100);
        slots.get("e", || 1);
        assert_eq!(lock(&slots.kept).weight, 100);
        assert!(!lock(&slots.kept).slots.contains_key("a"), "`a` was not asked for longest");
        slots.weigh("b", &heavy, 500);
        assert_eq!(lock(&slots.kept).slots.keys().collect::<Vec<_>>(), ["b"], "what is in use stays");
        slots.weigh("b", &heavy, 0);
        assert_eq!(lock(&slots.kept).weight, 10);
    }
}
