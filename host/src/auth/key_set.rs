//! The public keys of a Supabase project, fetched now and then and kept.

use std::{sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse},
};
use serde::Deserialize;
use tokio::{
    sync::{Mutex, RwLock},
    time::Instant,
};

use crate::auth::AuthError;

/// Gets the body of an address, or says why not.
pub type FetchKeys = Box<dyn Fn(String) -> BoxFuture<'static, Result<Vec<u8>, String>> + Send + Sync>;

/// How often keys are fetched anew, so that one that was taken away ends within ten minutes.
const REFRESH: Duration = Duration::from_secs(5 * 60);
/// The same after a fetch that failed.
const REFRESH_AFTER_FAILURE: Duration = Duration::from_secs(10);
/// Older keys are not used, however long the project is out of reach: one may have been revoked.
const USABLE: Duration = Duration::from_secs(60 * 60);
/// Fetches for keys that are not known, which anyone can ask for with a token that names one: so many
/// at once, and one more after each of these pauses.
const BURST: u32 = 5;
const REFILL: Duration = Duration::from_secs(10);

/// What a project with the legacy secret only publishes.
pub const NO_KEYS: &str = "the project publishes no keys that tokens could be verified by: one with the legacy secret \
     only needs SUPABASE_JWT_SECRET";

/// Tells the time; a test has one of its own.
type Clock = Box<dyn Fn() -> Instant + Send + Sync>;

/// Keys by their id.
#[derive(Clone)]
pub struct KeySet(Arc<KeySetState>);

struct KeySetState {
    url: String,
    fetch: FetchKeys,
    clock: Clock,
    cached: RwLock<Cached>,
    /// Held by the one who fetches.
    refresh: Mutex<FetchAllowance>,
}

#[derive(Default)]
struct Cached {
    keys: Vec<(String, Algorithm, DecodingKey)>,
    fetched: Option<Instant>,
}

/// What is left of the fetches that anyone can cause.
struct FetchAllowance {
    left: u32,
    since: Instant,
    /// When the last fetch of any kind ended.
    ended: Option<Instant>,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    /// No key is fetched before the first is needed.
    pub fn new(url: String, fetch: FetchKeys) -> Self {
        Self::with_clock(url, fetch, Box::new(Instant::now))
    }

    pub(super) fn with_clock(url: String, fetch: FetchKeys, clock: Clock) -> Self {
        let refresh = Mutex::new(FetchAllowance { left: BURST, since: clock(), ended: None });
        Self(Arc::new(KeySetState { url, fetch, clock, cached: RwLock::default(), refresh }))
    }

    /// Finds the key of this id and the one algorithm it is for. For one that is not there the project is
    /// asked, which callers wait for together.
    ///
    /// # Errors
    /// When no such key is published, or none could be fetched for too long.
    pub async fn find(&self, id: &str) -> Result<(Algorithm, DecodingKey), AuthError> {
        let asked = (self.0.clock)();
        let found = self.0.find(id).await;
        if found.is_ok() {
            return found;
        }
        let mut allowance = self.0.refresh.lock().await;
        // Another caller may have fetched them meanwhile, or tried.
        if allowance.ended.is_none_or(|ended| ended < asked) && allowance.take((self.0.clock)()) {
            let _ = self.0.fetch_allowed(&mut allowance).await;
        }
        drop(allowance);
        self.0.find(id).await
    }

    /// Fetches the keys now and then, for ever.
    pub async fn keep_fresh(&self) {
        loop {
            tokio::time::sleep(self.refresh().await).await;
        }
    }

    /// Fetches the keys, and says when to do it again.
    pub(super) async fn refresh(&self) -> Duration {
        let mut allowance = self.0.refresh.lock().await;
        match self.0.fetch_allowed(&mut allowance).await {
            Ok(0) => {
                tracing::warn!(event = "no-keys", url = self.0.url, "{NO_KEYS}");
                REFRESH
            }
            Ok(_) => REFRESH,
            Err(()) => REFRESH_AFTER_FAILURE,
        }
    }

    /// Counts the keys that are published and may verify tokens here.
    ///
    /// # Errors
    /// When they cannot be fetched, or are no set of keys; says why.
    pub async fn count(&self) -> Result<usize, String> {
        self.0.fetch().await
    }
}

impl KeySetState {
    async fn fetch(&self) -> Result<usize, String> {
        let body = (self.fetch)(self.url.clone()).await?;
        let keys = parse(&body).map_err(|error| format!("{} is no set of keys: {error}", self.url))?;
        let count = keys.len();
        *self.cached.write().await = Cached { keys, fetched: Some((self.clock)()) };
        Ok(count)
    }

    /// Fetches the keys as the one that may now; logs why it fails.
    async fn fetch_allowed(&self, allowance: &mut FetchAllowance) -> Result<usize, ()> {
        let fetched = self.fetch().await;
        allowance.ended = Some((self.clock)());
        fetched.map_err(|reason| tracing::warn!(reason, "cannot fetch the keys that tokens are verified by"))
    }

    async fn find(&self, id: &str) -> Result<(Algorithm, DecodingKey), AuthError> {
        let now = (self.clock)();
        let cached = self.cached.read().await;
        if cached.fetched.is_none_or(|then| now.duration_since(then) > USABLE) {
            return Err(AuthError::KeysUnavailable);
        }
        let found = cached.keys.iter().find(|key| key.0 == id);
        found.map(|(_, algorithm, key)| (*algorithm, key.clone())).ok_or(AuthError::UnknownKey)
    }
}

impl FetchAllowance {
    /// Takes one fetch, if one is left.
    fn take(&mut self, now: Instant) -> bool {
        let refilled = now.duration_since(self.since).as_secs() / REFILL.as_secs();
        if refilled > 0 {
            self.left = BURST.min(self.left.saturating_add(u32::try_from(refilled).unwrap_or(u32::MAX)));
            self.since = now;
        }
        let any = self.left > 0;
        self.left -= u32::from(any);
        any
    }
}

/// Reads the keys of a set that may verify signatures here. A key that cannot be understood
/// is left out, so that a new kind of key does not spoil the others.
fn parse(body: &[u8]) -> Result<Vec<(String, Algorithm, DecodingKey)>, String> {
    let published: Published = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let keys = published.keys.into_iter().filter_map(|key| usable(&serde_json::from_value(key).ok()?));
    Ok(keys.collect())
}

fn usable(key: &Jwk) -> Option<(String, Algorithm, DecodingKey)> {
    // A shared secret in a public document would let anyone sign.
    let (algorithm, declared) = match &key.algorithm {
        AlgorithmParameters::EllipticCurve(curve) if curve.curve == EllipticCurve::P256 => {
            (Algorithm::ES256, KeyAlgorithm::ES256)
        }
        AlgorithmParameters::RSA(_) => (Algorithm::RS256, KeyAlgorithm::RS256),
        _ => return None,
    };
    let common = &key.common;
    let verifies = common.key_algorithm.is_none_or(|algorithm| algorithm == declared)
        && common.public_key_use.as_ref().is_none_or(|purpose| *purpose == PublicKeyUse::Signature)
        && common.key_operations.as_ref().is_none_or(|allowed| allowed.contains(&KeyOperations::Verify));
    let id = common.key_id.clone().filter(|_| verifies)?;
    Some((id, algorithm, DecodingKey::from_jwk(key).ok()?))
}
