//! The host as its own issuer of tokens, for as long as there is no Supabase project.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    time::Duration,
};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use chrono::Utc;
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header,
    jwk::{Jwk, JwkSet, PublicKeyUse, ThumbprintHash},
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{model::UserId, private};

/// `iss` of the tokens.
pub const ISSUER: &str = "pixcrawler";

/// Signs tokens with a P-256 key that stays in the data folder.
pub struct Issuer {
    signing: EncodingKey,
    verifying: DecodingKey,
    jwk: Jwk,
    key_id: String,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// The key cannot be read or written.
    #[error("cannot use `{path}`")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file does not hold a P-256 key; delete it and tokens given out so far end.
    #[error("`{path}` holds no P-256 key in PKCS #8")]
    NotAKey {
        /// Which file.
        path: PathBuf,
    },
    /// The random number generator or the signature failed.
    #[error("the crypto library failed to make or use a key")]
    Crypto,
    /// Over before it began.
    #[error("a token must be valid for at least 1 s")]
    Lifetime,
    /// Something that no mail could be sent to.
    #[error("`{0}` is not an e-mail address")]
    Email(String),
}

impl Issuer {
    /// Opens the issuer of this data folder; its key is made when it is first asked for.
    ///
    /// # Errors
    /// When the key cannot be read, made or kept.
    pub fn open(data_dir: &Path) -> Result<Self, IssuerError> {
        let path = data_dir.join("keys/issuer.pk8");
        let key = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => make_key(&path)?,
            read => read.map_err(|source| IssuerError::File { path: path.clone(), source })?,
        };
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &key)
            .map_err(|_| IssuerError::NotAKey { path })?;
        Self::from_pkcs8(&key).map_err(|_| IssuerError::Crypto)
    }

    fn from_pkcs8(key: &[u8]) -> jsonwebtoken::errors::Result<Self> {
        let signing = EncodingKey::from_ec_der(key);
        let mut jwk = Jwk::from_encoding_key(&signing, Algorithm::ES256)?;
        let key_id = jwk.thumbprint(ThumbprintHash::SHA256)?;
        jwk.common.key_id = Some(key_id.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { verifying: DecodingKey::from_jwk(&jwk)?, signing, jwk, key_id })
    }

    /// Makes a token for the user of this address; the same address is the same user.
    ///
    /// # Errors
    /// When the text is no address, or `ttl` less than a second.
    pub fn issue(&self, email: &str, ttl: Duration) -> Result<String, IssuerError> {
        let email = normalised(email)?;
        if ttl.as_secs() == 0 {
            return Err(IssuerError::Lifetime);
        }
        let now = jsonwebtoken::get_current_timestamp();
        let claims = json!({
            "iss": ISSUER,
            "aud": super::AUTHENTICATED,
            "role": super::AUTHENTICATED,
            "sub": user_of(&email).0,
            "email": email,
            "is_anonymous": false,
            // With a fraction, so that who was deleted can begin anew within the same second.
            "iat": Utc::now().timestamp_micros() as f64 / 1e6,
            "exp": now.saturating_add(ttl.as_secs()),
        });
        let header = Header { kid: Some(self.key_id.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &claims, &self.signing).map_err(|_| IssuerError::Crypto)
    }

    /// Gives the public key, as served at `/auth/v1/.well-known/jwks.json`.
    #[must_use]
    pub fn key_set(&self) -> JwkSet {
        JwkSet { keys: vec![self.jwk.clone()] }
    }

    /// Names the key in a token's header.
    pub(super) fn key_id(&self) -> &str {
        &self.key_id
    }

    pub(super) fn verifying(&self) -> &DecodingKey {
        &self.verifying
    }
}

/// The form of an address that [`user_of`] takes.
///
/// # Errors
/// When the text is no address.
pub fn normalised(email: &str) -> Result<String, IssuerError> {
    let email = email.trim().to_lowercase();
    let sound = email.len() <= 255
        && email
            .split_once('@')
            .is_some_and(|(user, host)| !user.is_empty() && !host.is_empty() && !host.contains('@'))
        && !email.contains(|c: char| c.is_whitespace() || c.is_control());
    if sound { Ok(email) } else { Err(IssuerError::Email(email)) }
}

/// The id of a local user: made from the normalised address, so that it needs no table.
#[must_use]
pub fn user_of(email: &str) -> UserId {
    let digest = Sha256::new().chain_update(b"pixcrawler local user\n").chain_update(email).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    UserId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

/// Makes the key, under another name first: two processes may do this at the same time,
/// and one that is killed in the middle must not leave half a key.
fn make_key(path: &Path) -> Result<Vec<u8>, IssuerError> {
    let fault = |source| IssuerError::File { path: path.to_owned(), source };
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .map_err(|_| IssuerError::Crypto)?;
    if let Some(folder) = path.parent() {
        private::folder(folder).map_err(fault)?;
    }
    let draft = path.with_extension(Uuid::new_v4().to_string());
    let written = (|| {
        let mut file = private::file().write(true).create_new(true).open(&draft)?;
        file.write_all(key.as_ref())?;
        file.sync_all()?;
        match fs::hard_link(&draft, path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked,
        }
    })();
    let removed = fs::remove_file(&draft);
    written.and(removed).map_err(fault)?;
    fs::read(path).map_err(fault)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let ids: Vec<String> = std::thread::scope(|scope| {
            let opened: Vec<_> =
                (0..4).map(|_| scope.spawn(|| Issuer::open(dir.path()).unwrap().key_id)).collect();
            opened.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        let files: Vec<_> =
            fs::read_dir(dir.path().join("keys")).unwrap().map(|file| file.unwrap()).collect();
        assert_eq!(files.len(), 1);
        assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_spoilt_key_is_said_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/issuer.pk8");
        fs::create_dir(dir.path().join("keys")).unwrap();
        fs::write(&path, b"half a key").unwrap();
        assert!(matches!(Issuer::open(dir.path()), Err(IssuerError::NotAKey { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"half a key");
    }

    #[test]
    fn the_same_address_is_the_same_user() {
        assert_eq!(user_of("ann@example.org"), user_of("ann@example.org"));
        assert_ne!(user_of("ann@example.org"), user_of("bob@example.org"));
    }

    #[test]
    fn a_token_lives() {
        let dir = tempfile::tempdir().unwrap();
        let issuer = Issuer::open(dir.path()).unwrap();
        for (ttl, sound) in [(0, false), (999, false), (1000, true)] {
            let issued = issuer.issue("ann@example.org", Duration::from_millis(ttl));
            assert_eq!(issued.is_ok(), sound, "{ttl} ms");
        }
    }

    #[test]
    fn only_addresses_get_a_token() {
        let dir = tempfile::tempdir().unwrap();
        let issuer = Issuer::open(dir.path()).unwrap();
        for (email, sound) in [
            ("ann@example.org", true),
            (" Ann@Example.org ", true),
            ("ann", false),
            ("@example.org", false),
            ("ann@", false),
            ("a@b@c", false),
            ("a nn@example.org", false),
        ] {
            assert_eq!(issuer.issue(email, Duration::from_secs(60)).is_ok(), sound, "{email}");
        }
    }
}
