//! Signed links: how a browser reaches what it cannot put a token on, such as
//! `EventSource` and `<img>`.

use std::{
    sync::{PoisonError, RwLock},
    time::Duration,
};

use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};

use crate::model::{ApiKeyId, UserId};

/// How long a link is good for that is asked for again whenever it is needed.
pub const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// How long a link is good for that is one of very many, which are downloaded one after the other.
pub const DOWNLOAD_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Name of the key's row in `pixcrawler.secret`.
pub const KEY_NAME: &str = "signed-links";

/// How long a new key is only checked by, and not yet signed with, where there is one before it: in that
/// time all processes of a system come to know it.
pub const KNOWN_AFTER: Duration = Duration::from_secs(15);

/// Signs and checks links. All processes of a system share its keys.
pub struct LinkKeys(RwLock<Keys>);

struct Keys {
    signing: hmac::Key,
    /// Links of it are good until they expire, too.
    other: Option<hmac::Key>,
}

/// What the keys are made of, 32 random bytes each.
pub struct LinkSecrets {
    /// The newest.
    pub current: Vec<u8>,
    /// Since it was made.
    pub age: Duration,
    /// The one before, whose links count still.
    pub previous: Option<Vec<u8>>,
}

/// Who was given a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkHolder {
    /// Whose things it opens.
    pub user: UserId,
    /// The key by which they asked for it: the link ends with that. Whether it is still good is for
    /// others to say.
    pub api_key: Option<ApiKeyId>,
}

/// Why a link is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Ask for the thing again to get a new link.
    #[error("the link has expired")]
    Expired,
    /// Not made here, or for something else.
    #[error("the link's signature is wrong")]
    Signature,
}

impl LinkKeys {
    /// Takes these secrets.
    #[must_use]
    pub fn new(secrets: &LinkSecrets) -> Self {
        Self(RwLock::new(Keys::of(secrets)))
    }

    /// Takes these in place of those before.
    pub fn replace(&self, secrets: &LinkSecrets) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Keys::of(secrets);
    }

    /// Adds to `path` a query that lets whoever has it read this one thing as its `holder` until then, in
    /// whole seconds.
    #[must_use]
    pub fn sign(&self, path: &str, holder: LinkHolder, until: DateTime<Utc>) -> String {
        let expires = until.timestamp();
        let tag = {
            let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
            hmac::sign(&keys.signing, &message(path, holder, expires))
        };
        let key = holder.api_key.map_or_else(String::new, |key| format!("&key={key}"));
        format!("{path}?user={}{key}&expires={expires}&signature={}", holder.user, hex::encode(tag))
    }

    /// Checks the parts of a link's query against the path that is asked for, in constant time.
    ///
    /// # Errors
    /// When the link was not made for this, or is over.
    pub fn check(
        &self,
        path: &str,
        holder: LinkHolder,
        expires: i64,
        signature: &str,
        now: DateTime<Utc>,
    ) -> Result<(), LinkError> {
        let tag = hex::decode(signature).map_err(|_| LinkError::Signature)?;
        let message = message(path, holder, expires);
        let keys = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let is_of = |key: &hmac::Key| hmac::verify(key, &message, &tag).is_ok();
        if !is_of(&keys.signing) && !keys.other.as_ref().is_some_and(is_of) {
            return Err(LinkError::Signature);
        }
        if expires <= now.timestamp() { Err(LinkError::Expired) } else { Ok(()) }
    }
}

impl Keys {
    fn of(secrets: &LinkSecrets) -> Self {
        let key = |secret: &[u8]| hmac::Key::new(hmac::HMAC_SHA256, secret);
        let (current, previous) = (key(&secrets.current), secrets.previous.as_deref().map(key));
        match previous {
            Some(previous) if secrets.age < KNOWN_AFTER => Self { signing: previous, other: Some(current) },
            other => Self { signing: current, other },
        }
    }
}

/// Makes a new random secret.
#[must_use]
pub fn fresh_secret() -> [u8; 32] {
    rand::random()
}

/// Links are for reading only, so the method is always GET.
fn message(path: &str, holder: LinkHolder, expires: i64) -> Vec<u8> {
    let key = holder.api_key.map_or_else(String::new, |key| format!("\n{key}"));
    format!("GET\n{path}\n{}\n{expires}{key}", holder.user).into_bytes()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_link_opens_one_thing_for_one_user_for_a_while() {
        let key = keys(7, None, Duration::ZERO);
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let user = LinkHolder { user: UserId(Uuid::from_u128(1)), api_key: None };
        let path = "/api/v1/images/5/file";
        let link = key.sign(path, user, now + LIFETIME);
        let (_, signature) = link.rsplit_once("signature=").unwrap();
        let expires = 1_800_000_900;
        assert_eq!(link, format!("{path}?user={}&expires={expires}&signature={signature}", user.user));

        let later = now + Duration::from_secs(900);
        let other = LinkHolder { user: UserId(Uuid::from_u128(2)), api_key: None };
        let by_key = LinkHolder { api_key: Some(ApiKeyId(Uuid::from_u128(3))), ..user };
        let cut = &signature[2..];
        for (path, user, expires, signature, now, expected) in [
            (path, user, expires, signature, now, Ok(())),
            (path, user, expires, signature, later, Err(LinkError::Expired)),
            (path, user, expires + 1, signature, now, Err(LinkError::Signature)),
            (path, other, expires, signature, now, Err(LinkError::Signature)),
            (path, by_key, expires, signature, now, Err(LinkError::Signature)),
            ("/api/v1/images/6/file", user, expires, signature, now, Err(LinkError::Signature)),
            (path, user, expires, cut, now, Err(LinkError::Signature)),
            (path, user, expires, "", now, Err(LinkError::Signature)),
            (path, user, expires, "zz", now, Err(LinkError::Signature)),
        ] {
            assert_eq!(
                key.check(path, user, expires, signature, now),
                expected,
                "{path} {expires} {signature}"
            );
        }
        let link = key.sign(path, by_key, now + LIFETIME);
        assert!(link.contains(&format!("&key={}&", Uuid::from_u128(3))), "{link}");
        let (_, of_key) = link.rsplit_once("signature=").unwrap();
        assert_eq!(key.check(path, by_key, expires, of_key, now), Ok(()));
        assert_eq!(key.check(path, user, expires, of_key, now), Err(LinkError::Signature));
        let wrong = keys(8, None, Duration::ZERO).check(path, user, expires, signature, now);
        assert_eq!(wrong, Err(LinkError::Signature));
    }

    #[test]
    fn a_new_key_is_known_before_it_signs() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let user = LinkHolder { user: UserId(Uuid::from_u128(1)), api_key: None };
        let path = "/api/v1/images/5/file";
        let [young, grown] = [Duration::ZERO, KNOWN_AFTER].map(|age| keys(8, Some(7), age));
        let (before, after) = (keys(7, None, Duration::ZERO), keys(8, None, Duration::ZERO));
        let opens = |signer: &LinkKeys, checker: &LinkKeys| {
            let link = signer.sign(path, user, now + LIFETIME);
            let (_, signature) = link.rsplit_once("signature=").unwrap();
            checker.check(path, user, 1_800_000_900, signature, now).is_ok()
        };
        // Who does not know the new key yet gets no link of it, and no link of the old one ends.
        assert!(opens(&young, &before) && !opens(&grown, &before));
        for signer in [&before, &young, &grown] {
            assert!(opens(signer, &young) && opens(signer, &grown));
        }
        assert!(opens(&grown, &after) && !opens(&before, &after));
    }

    fn keys(current: u8, previous: Option<u8>, age: Duration) -> LinkKeys {
        let secret = |byte| vec![byte; 32];
        LinkKeys::new(&LinkSecrets { current: secret(current), age, previous: previous.map(secret) })
    }
}
