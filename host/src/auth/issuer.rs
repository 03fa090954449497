//! The host as its own issuer of tokens, for as long as there is no Supabase project.

use std::{
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
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

use crate::{error::chain, model::UserId, private};

/// `iss` of the tokens.
pub const ISSUER: &str = "pixcrawler";

/// The key that signs, in the data folder.
const CURRENT: &str = "keys/issuer.pk8";
/// The one before, whose tokens count still.
const PREVIOUS: &str = "keys/issuer-previous.pk8";
/// How often it is looked whether the keys were changed.
const LOOK: Duration = Duration::from_secs(5);
/// For a token of an unknown key it is looked at once, but not more often than this.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Signs tokens with a P-256 key that stays in the data folder, and knows those of the key before.
pub struct Issuer {
    data_dir: PathBuf,
    known: Mutex<Known>,
}

struct Known {
    keys: Arc<Keys>,
    looked: Option<Instant>,
}

/// All keys of one moment.
struct Keys {
    current: Key,
    previous: Option<Key>,
}

struct Key {
    pkcs8: Vec<u8>,
    signing: EncodingKey,
    verifying: DecodingKey,
    jwk: Jwk,
    id: String,
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
    /// Nothing was ever signed here.
    #[error(
        "there is no key of tokens in {0} to be changed: name the data folder of the host that issues them, with --data-dir"
    )]
    NoKey(PathBuf),
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
        let path = data_dir.join(CURRENT);
        if !path.try_exists().map_err(|source| IssuerError::File { path: path.clone(), source })? {
            make_key(&path)?;
        }
        let known = Known { keys: Arc::new(Keys::read(data_dir)?), looked: None };
        Ok(Self { data_dir: data_dir.to_owned(), known: Mutex::new(known) })
    }

    /// Makes a new key, which signs from now on. Tokens of the one before are good until they expire, or
    /// `end_old` ends them; those of the one before that end in any case.
    ///
    /// # Errors
    /// When there is none yet, or the key cannot be made or kept; then the one before signs still.
    pub fn rotate(data_dir: &Path, end_old: bool) -> Result<(), IssuerError> {
        let (current, previous) = (data_dir.join(CURRENT), data_dir.join(PREVIOUS));
        // In the wrong folder a leaked token would be thought to have ended.
        if !current.exists() {
            return Err(IssuerError::NoKey(data_dir.to_owned()));
        }
        let fault = |path: &Path| {
            let path = path.to_owned();
            move |source| IssuerError::File { path, source }
        };
        let draft = draft_key(&current)?;
        // There is a key at every moment, or who looks would make one.
        let kept = if end_old { Ok(()) } else { put_aside(&current, &previous) };
        let put = kept.and_then(|()| fs::rename(&draft, &current));
        put.inspect_err(|_| drop(fs::remove_file(&draft))).map_err(fault(&current))?;
        if end_old {
            match fs::remove_file(&previous) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(fault(&previous))?,
            }
        }
        let folder = current.parent().unwrap_or(data_dir);
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(fault(folder))
    }

    /// Looks now and then whether the keys were changed, for ever.
    pub(super) async fn keep_fresh(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            self.look();
        }
    }

    /// Reads the keys again. What cannot be read is as it was: a folder that is moved ends the process.
    fn look(&self) {
        let read = Keys::read(&self.data_dir);
        let mut known = self.known();
        known.looked = Some(Instant::now());
        match read {
            Ok(keys) if keys.is_same(&known.keys) => {}
            Ok(keys) => {
                tracing::info!(event = "token-keys-changed", "tokens are signed with another key");
                known.keys = Arc::new(keys);
            }
            Err(error) => tracing::debug!(error = %chain(&error), "the keys of tokens stay as they are"),
        }
    }

    /// Finds the key of this id by which tokens are verified now.
    pub(super) fn find(&self, id: &str) -> Option<DecodingKey> {
        let known = |keys: &Keys| keys.all().find(|key| key.id == id).map(|key| key.verifying.clone());
        let found = known(&self.keys());
        let recent = |looked: Instant| looked.elapsed() < LOOK_AGAIN;
        if found.is_some() || self.known().looked.is_some_and(recent) {
            return found;
        }
        self.look();
        known(&self.keys())
    }

    fn keys(&self) -> Arc<Keys> {
        Arc::clone(&self.known().keys)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
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
        let key = &self.keys().current;
        let header = Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &claims, &key.signing).map_err(|_| IssuerError::Crypto)
    }

    /// Gives the public keys, as served at `/auth/v1/.well-known/jwks.json`.
    #[must_use]
    pub fn key_set(&self) -> JwkSet {
        JwkSet { keys: self.keys().all().map(|key| key.jwk.clone()).collect() }
    }

    /// Names the key in the header of tokens that are made now.
    #[cfg(test)]
    pub(super) fn key_id(&self) -> String {
        self.keys().current.id.clone()
    }
}

impl Keys {
    fn read(data_dir: &Path) -> Result<Self, IssuerError> {
        let current = data_dir.join(CURRENT);
        let read =
            fs::read(&current).map_err(|source| IssuerError::File { path: current.clone(), source })?;
        let current = Key::of(read, &current)?;
        let path = data_dir.join(PREVIOUS);
        let previous = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(IssuerError::File { path, source }),
            Ok(read) => Some(Key::of(read, &path)?),
        };
        Ok(Self { current, previous })
    }

    fn all(&self) -> impl Iterator<Item = &Key> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    fn is_same(&self, other: &Self) -> bool {
        self.all().map(|key| &key.pkcs8).eq(other.all().map(|key| &key.pkcs8))
    }
}

impl Key {
    fn of(pkcs8: Vec<u8>, path: &Path) -> Result<Self, IssuerError> {
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &pkcs8)
            .map_err(|_| IssuerError::NotAKey { path: path.to_owned() })?;
        Self::from_pkcs8(pkcs8).map_err(|_| IssuerError::Crypto)
    }

    fn from_pkcs8(pkcs8: Vec<u8>) -> jsonwebtoken::errors::Result<Self> {
        let signing = EncodingKey::from_ec_der(&pkcs8);
        let mut jwk = Jwk::from_encoding_key(&signing, Algorithm::ES256)?;
        let id = jwk.thumbprint(ThumbprintHash::SHA256)?;
        jwk.common.key_id = Some(id.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        Ok(Self { verifying: DecodingKey::from_jwk(&jwk)?, signing, jwk, id, pkcs8 })
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

/// Makes the key where there is none: two processes may do this at the same time.
fn make_key(path: &Path) -> Result<(), IssuerError> {
    let draft = draft_key(path)?;
    let linked = match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    };
    let removed = fs::remove_file(&draft);
    linked.and(removed).map_err(|source| IssuerError::File { path: path.to_owned(), source })
}

/// Makes a key under another name than it will have: who is killed in the middle must not leave half a key.
fn draft_key(path: &Path) -> Result<PathBuf, IssuerError> {
    let fault = |source| IssuerError::File { path: path.to_owned(), source };
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .map_err(|_| IssuerError::Crypto)?;
    if let Some(folder) = path.parent() {
        private::folder(folder).map_err(fault)?;
    }
    let draft = path.with_extension(Uuid::new_v4().to_string());
    let mut file = private::file().write(true).create_new(true).open(&draft).map_err(fault)?;
    file.write_all(key.as_ref()).and_then(|()| file.sync_all()).map_err(fault)?;
    Ok(draft)
}

/// Gives a key a second name, in place of what had it; nothing where there is no key.
fn put_aside(current: &Path, previous: &Path) -> io::Result<()> {
    let link = previous.with_extension(Uuid::new_v4().to_string());
    match fs::hard_link(current, &link) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        linked => linked.and_then(|()| fs::rename(&link, previous)),
    }
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
                (0..4).map(|_| scope.spawn(|| Issuer::open(dir.path()).unwrap().key_id())).collect();
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
