//! API keys: what one looks like, and what is kept of it.

use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

/// What every key begins with, and no token.
pub const BEGIN: &str = "pk_live_";
/// Characters of a key that are kept, to tell keys apart.
const SHOWN: usize = 16;
/// Digits after [`BEGIN`]: 256 bits.
const DIGITS: usize = 64;

/// A key that was just made: nobody can have it again.
#[derive(Debug)]
pub struct FreshKey {
    /// As its owner is told it, once.
    pub secret: SecretString,
    /// The first of it, which is kept.
    pub prefix: String,
    /// What it is known by.
    pub hash: String,
}

impl FreshKey {
    /// Makes a key of 256 random bits.
    #[must_use]
    pub fn generate() -> Self {
        let key = format!("{BEGIN}{}", hex::encode(rand::random::<[u8; DIGITS / 2]>()));
        Self { prefix: key[..SHOWN].to_owned(), hash: hash(&key), secret: key.into() }
    }
}

/// Tells whether a bearer credential is meant to be a key.
#[must_use]
pub fn is_key(credential: &str) -> bool {
    credential.starts_with(BEGIN)
}

/// What the row of a key has of it; none for what cannot be one. Keys are random, so one SHA-256 is
/// enough, and that a row is found by it tells nothing of others.
#[must_use]
pub fn known_by(key: &str) -> Option<String> {
    let digits = key.strip_prefix(BEGIN)?;
    let is_sound =
        digits.len() == DIGITS && digits.bytes().all(|c| c.is_ascii_digit() || matches!(c, b'a'..=b'f'));
    is_sound.then(|| hash(key))
}

fn hash(key: &str) -> String {
    hex::encode(Sha256::digest(key))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn keys_are_known_by_their_hash() {
        let key = FreshKey::generate();
        let text = key.secret.expose_secret();
        assert!(is_key(text) && text.starts_with(&key.prefix) && text.len() == 72, "{text}");
        assert_eq!(known_by(text), Some(key.hash.clone()));
        assert_ne!(FreshKey::generate().hash, key.hash);
        for other in
            [&text[..71], &format!("{text}0"), &text.to_uppercase(), &text.replace("live", "test"), BEGIN, ""]
        {
            assert_eq!(known_by(other), None, "{other}");
        }
    }
}
