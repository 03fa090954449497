//! Values that are good for a time of their own. Who finds none gets one while the others wait for it.

use std::time::{Duration, Instant};

use moka::{Expiry, future::Cache, policy::EvictionPolicy};

/// One value for each key; of those that weigh too much together, the least recently used go.
pub(super) type ExpiringCache<T> = Cache<String, Expiring<T>>;

/// A value until it must be had anew.
#[derive(Clone)]
pub(super) struct Expiring<T> {
    pub(super) until: Instant,
    pub(super) value: T,
}

struct Until;

impl<T> Expiry<String, Expiring<T>> for Until {
    fn expire_after_create(&self, _: &String, entry: &Expiring<T>, now: Instant) -> Option<Duration> {
        Some(entry.until.saturating_duration_since(now))
    }

    fn expire_after_update(
        &self,
        key: &String,
        entry: &Expiring<T>,
        now: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        self.expire_after_create(key, entry, now)
    }
}

/// Empty, for values that weigh `capacity` together.
pub(super) fn expiring_cache<T: Clone + Send + Sync + 'static>(
    capacity: u64,
    weight: fn(&T) -> usize,
) -> ExpiringCache<T> {
    Cache::builder()
        .max_capacity(capacity)
        .weigher(move |_, entry: &Expiring<T>| weight(&entry.value).try_into().unwrap_or(u32::MAX))
        // By default what was not asked for often does not get in.
        .eviction_policy(EvictionPolicy::lru())
        .expire_after(Until)
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(cache: &ExpiringCache<usize>, key: &str, value: usize, good_for: u64) -> usize {
        let made = Expiring { until: Instant::now() + Duration::from_secs(good_for), value };
        cache.try_get_with(key.to_owned(), async { Ok::<_, ()>(made) }).await.unwrap().value
    }

    #[tokio::test]
    async fn a_value_is_had_anew_after_its_time() {
        let cache = expiring_cache(10, |_| 1);
        assert_eq!(get(&cache, "a", 1, 0).await, 1);
        assert_eq!(get(&cache, "a", 2, 3600).await, 2);
        assert_eq!(get(&cache, "a", 3, 3600).await, 2);
    }

    #[tokio::test]
    async fn the_heavy_push_out_the_least_recently_used() {
        let cache = expiring_cache(100, |weight| *weight);
        for key in ["a", "b", "a"] {
            get(&cache, key, 40, 3600).await;
            cache.run_pending_tasks().await;
        }
        get(&cache, "c", 60, 3600).await;
        cache.run_pending_tasks().await;
        assert_eq!(["a", "b", "c"].map(|key| cache.contains_key(key)), [true, false, true]);
    }
}
