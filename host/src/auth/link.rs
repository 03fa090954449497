//! Signed links: how a browser reaches what it cannot put a token on, such as
//! `EventSource` and `<img>`.

use std::time::Duration;

use aws_lc_rs::hmac;
use chrono::{DateTime, Utc};

use crate::model::UserId;

/// How long a link is good for that is asked for again whenever it is needed.
pub const LIFETIME: Duration = Duration::from_secs(15 * 60);
/// How long a link is good for that is one of very many, which are downloaded one after the other.
pub const DOWNLOAD_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Name of the key's row in `pixcrawler.secret`.
pub const KEY_NAME: &str = "signed-links";

/// Signs and checks links. All processes of a system share one key.
pub struct LinkKey(hmac::Key);

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

impl LinkKey {
    /// Takes the `secret`, 32 random bytes.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// Adds to `path` a query that lets whoever holds it read this one thing as `user` until then, in
    /// whole seconds.
    #[must_use]
    pub fn sign(&self, path: &str, user: UserId, until: DateTime<Utc>) -> String {
        let expires = until.timestamp();
        let tag = hmac::sign(&self.0, &message(path, user, expires));
        format!("{path}?user={user}&expires={expires}&signature={}", hex::encode(tag))
    }

    /// Checks the parts of a link's query against the path that is asked for, in constant time.
    ///
    /// # Errors
    /// When the link was not made for this, or is over.
    pub fn check(
        &self,
        path: &str,
        user: UserId,
        expires: i64,
        signature: &str,
        now: DateTime<Utc>,
    ) -> Result<(), LinkError> {
        let tag = hex::decode(signature).map_err(|_| LinkError::Signature)?;
        hmac::verify(&self.0, &message(path, user, expires), &tag).map_err(|_| LinkError::Signature)?;
        if expires <= now.timestamp() { Err(LinkError::Expired) } else { Ok(()) }
    }
}

/// Makes a new random secret.
#[must_use]
pub fn fresh_secret() -> [u8; 32] {
    rand::random()
}

/// Links are for reading only, so the method is always GET.
fn message(path: &str, user: UserId, expires: i64) -> Vec<u8> {
    format!("GET\n{path}\n{user}\n{expires}").into_bytes()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_link_opens_one_thing_for_one_user_for_a_while() {
        let key = LinkKey::new(&[7; 32]);
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let user = UserId(Uuid::from_u128(1));
        let path = "/api/v1/images/5/file";
        let link = key.sign(path, user, now + LIFETIME);
        let (_, signature) = link.rsplit_once("signature=").unwrap();
        let expires = 1_800_000_900;
        assert_eq!(link, format!("{path}?user={user}&expires={expires}&signature={signature}"));

        let later = now + Duration::from_secs(900);
        let other = UserId(Uuid::from_u128(2));
        let cut = &signature[2..];
        for (path, user, expires, signature, now, expected) in [
            (path, user, expires, signature, now, Ok(())),
            (path, user, expires, signature, later, Err(LinkError::Expired)),
            (path, user, expires + 1, signature, now, Err(LinkError::Signature)),
            (path, other, expires, signature, now, Err(LinkError::Signature)),
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
        assert_eq!(
            LinkKey::new(&[8; 32]).check(path, user, expires, signature, now),
            Err(LinkError::Signature)
        );
    }
}
