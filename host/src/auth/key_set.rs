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

/// Older keys are fetched anew; Supabase's edge keeps them as long.
const FRESH: Duration = Duration::from_secs(10 * 60);
/// Older keys are not used, however long the project is out of reach: one may have been revoked.
const USABLE: Duration = Duration::from_secs(60 * 60);
/// Between two fetches, because anyone can send a token that names an unknown key.
const PAUSE: Duration = Duration::from_secs(30);
/// Between two fetches, the first of which failed.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Keys by their id.
pub struct KeySet(Arc<Shared>);

struct Shared {
    url: String,
    fetch: FetchKeys,
    cached: RwLock<Cached>,
    /// Held by the one who fetches.
    refresh: Mutex<()>,
}

#[derive(Default)]
struct Cached {
    keys: Vec<(String, Algorithm, DecodingKey)>,
    fetched: Option<Instant>,
    /// Before this time the project is not asked.
    next: Option<Instant>,
}

#[derive(Deserialize)]
struct Published {
    keys: Vec<serde_json::Value>,
}

impl KeySet {
    /// No key is fetched before the first is needed.
    pub fn new(url: String, fetch: FetchKeys) -> Self {
        Self(Arc::new(Shared { url, fetch, cached: RwLock::default(), refresh: Mutex::default() }))
    }

    /// The key of this id and the one algorithm it is for. The project is asked for a key that is
    /// not there or too old, and callers wait for one such fetch. A key that is merely old is
    /// given at once and fetched behind the caller's back.
    ///
    /// # Errors
    /// When no such key is published, or none could be fetched for too long.
    pub async fn find(&self, id: &str, now: Instant) -> Result<(Algorithm, DecodingKey), AuthError> {
        let clock = Clock { began: Instant::now(), now };
        let (found, due) = self.0.cached.read().await.look_up(id, now);
        if !due {
            return found;
        }
        if found.is_err() {
            let _turn = self.0.refresh.lock().await;
            self.0.refresh_if_due(id, &clock).await;
            return self.0.cached.read().await.look_up(id, clock.now()).0;
        }
        let (shared, id) = (self.0.clone(), id.to_owned());
        tokio::spawn(async move {
            if let Ok(_turn) = shared.refresh.try_lock() {
                shared.refresh_if_due(&id, &clock).await;
            }
        });
        found
    }
}

/// The caller's time, going on while others and the project are waited for.
struct Clock {
    began: Instant,
    now: Instant,
}

impl Clock {
    fn now(&self) -> Instant {
        self.now + self.began.elapsed()
    }
}

impl Shared {
    async fn refresh_if_due(&self, id: &str, clock: &Clock) {
        if !self.cached.read().await.look_up(id, clock.now()).1 {
            return;
        }
        let fetched = (self.fetch)(self.url.clone()).await.and_then(|body| parse(&body));
        let mut cached = self.cached.write().await;
        let now = clock.now();
        match fetched {
            Ok(keys) => *cached = Cached { keys, fetched: Some(now), next: Some(now + PAUSE) },
            Err(reason) => {
                tracing::warn!(reason, "cannot fetch the keys that tokens are verified by");
                cached.next = Some(now + PAUSE_AFTER_FAILURE);
            }
        }
    }
}

impl Cached {
    /// The key, if it may be used, and whether the project should be asked.
    fn look_up(&self, id: &str, now: Instant) -> (Result<(Algorithm, DecodingKey), AuthError>, bool) {
        let age = self.fetched.map(|then| now.duration_since(then));
        let found = match self.keys.iter().find(|key| key.0 == id) {
            _ if age.is_none_or(|age| age > USABLE) => Err(AuthError::KeysUnavailable),
            Some((_, algorithm, key)) => Ok((*algorithm, key.clone())),
            None => Err(AuthError::UnknownKey),
        };
        let wanted = found.is_err() || age.is_none_or(|age| age > FRESH);
        (found, wanted && self.next.is_none_or(|next| now >= next))
    }
}

/// The keys of a set that may verify signatures here. A key that cannot be understood
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
