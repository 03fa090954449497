//! Who is calling: verifies bearer tokens, locally, of Supabase or of this host itself.

use std::path::Path;

use chrono::{DateTime, Utc};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind};
use secrecy::ExposeSecret;
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use crate::{
    auth::{
        issuer::Issuer,
        key_set::{FetchKeys, KeySet},
        link::LinkHolder,
    },
    config,
    model::{ApiKeyId, UserId},
};

pub mod api_key;
pub mod issuer;
pub mod key_set;
pub mod link;

/// Tokens of a project may be this much off the clock, in seconds. Those of this host are made
/// by the same clock, or by that of another machine on the same data folder: they end when they say.
const LEEWAY: u64 = 30;
/// Longer tokens are not looked at, in bytes.
const LONGEST_TOKEN: usize = 16 << 10;
/// Longer addresses of a user's picture are left out, in characters.
const LONGEST_PICTURE: usize = 2_048;
/// Both the audience and the role of a signed-in user, as Supabase has it.
const AUTHENTICATED: &str = "authenticated";

/// Verifies tokens by one family of keys: a public key must not be taken for a shared secret. Only while a
/// project goes over to published keys there are two, and then the token's algorithm says which is asked.
pub struct Auth {
    issuer: String,
    keys: Keys,
    /// Of the project, used or not.
    published: Option<KeySet>,
}

enum Keys {
    /// This host's own.
    Local(Box<Issuer>),
    /// The project's published ones, ES256 or RS256.
    Published,
    /// The project's legacy secret, HS256; with an end, until then, and its published ones beside it.
    Secret(DecodingKey, Option<DateTime<Utc>>),
}

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The token's `sub`.
    pub user: UserId,
    /// Absent for users who signed up by telephone or anonymously. Without control characters.
    pub email: Option<String>,
    /// As the user wrote it, at most 100 characters, without control characters; no ground for trust.
    pub name: Option<String>,
    /// An http or https address of at most 2 048 characters; no ground for trust.
    pub avatar_url: Option<String>,
    /// When the token was issued, as exactly as it says; long ago where it does not say so.
    pub issued: DateTime<Utc>,
    /// When the token ends.
    pub expires: DateTime<Utc>,
    /// Always `authenticated`.
    pub role: String,
    /// Signed in without saying who.
    pub is_anonymous: bool,
    /// Of Supabase, where the token names one; it may have ended before the token.
    pub session: Option<Uuid>,
    /// Only this host knows the user: by its own issuer, or at its command line.
    pub is_local: bool,
    /// The API key that was sent in place of a token.
    pub api_key: Option<ApiKeyId>,
}

impl Caller {
    /// Whose links are those that are made for the caller.
    #[must_use]
    pub const fn holder(&self) -> LinkHolder {
        LinkHolder { user: self.user, api_key: self.api_key }
    }
}

/// Why a token is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Not a JSON web token.
    #[error("the token is malformed")]
    Malformed,
    /// An algorithm that is not accepted here.
    #[error("the token's algorithm is not accepted")]
    Algorithm,
    /// Signed by a key that is not known.
    #[error("the token's key is not known")]
    UnknownKey,
    /// Not signed by the key it names.
    #[error("the token's signature is wrong")]
    Signature,
    /// Over, or not begun.
    #[error("the token is expired or not yet valid")]
    Expired,
    /// From elsewhere or for something else, or without a claim that it must have.
    #[error("the token's claim `{0}` is missing or not accepted")]
    Claim(&'static str),
    /// Nothing to verify it by; not the caller's fault.
    #[error("the keys that tokens are verified by cannot be had")]
    KeysUnavailable,
}

/// Why tokens cannot be verified at all.
#[derive(Debug, thiserror::Error)]
pub enum AuthSetupError {
    /// How to verify tokens of a project, but no project.
    #[error("SUPABASE_JWT_SECRET and SUPABASE_JWT_ISSUER need SUPABASE_URL")]
    WithoutProject,
    /// The end of a secret that is not given.
    #[error("SUPABASE_JWT_SECRET_UNTIL needs SUPABASE_JWT_SECRET")]
    WithoutSecret,
    /// More than an origin, so that the keys would be looked for elsewhere.
    #[error(
        "SUPABASE_URL is the origin of a project alone, such as https://REF.supabase.co: it has no path, query or user"
    )]
    NotAnOrigin,
    /// Short secrets can be guessed from one token.
    #[error("SUPABASE_JWT_SECRET is shorter than 32 bytes")]
    ShortSecret,
    /// The host's own key.
    #[error("the key of the local issuer")]
    Issuer(#[from] issuer::IssuerError),
}

impl Auth {
    /// Verifies tokens of the Supabase project if one is configured, else of this host. `fetch` makes
    /// what gets the project's keys.
    ///
    /// # Errors
    /// When the settings contradict each other, or the host's own key cannot be had.
    pub fn new(
        settings: &config::Supabase,
        data_dir: &Path,
        fetch: impl FnOnce(&Url) -> FetchKeys,
    ) -> Result<Self, AuthSetupError> {
        let secret = settings.supabase_jwt_secret.as_ref().map(|secret| secret.expose_secret().as_bytes());
        if secret.is_none() && settings.supabase_jwt_secret_until.is_some() {
            return Err(AuthSetupError::WithoutSecret);
        }
        let Some(project) = &settings.supabase_url else {
            if secret.is_some() || settings.supabase_jwt_issuer.is_some() {
                return Err(AuthSetupError::WithoutProject);
            }
            return Ok(Self::local(Issuer::open(data_dir)?));
        };
        if !is_origin(project) {
            return Err(AuthSetupError::NotAnOrigin);
        }
        let auth = format!("{}/auth/v1", project.as_str().trim_end_matches('/'));
        let published = KeySet::new(format!("{auth}/.well-known/jwks.json"), fetch(project));
        let issuer = settings.supabase_jwt_issuer.clone().unwrap_or(auth);
        let keys = match secret {
            None => Keys::Published,
            Some(secret) if secret.len() < 32 => return Err(AuthSetupError::ShortSecret),
            Some(secret) => {
                Keys::Secret(DecodingKey::from_secret(secret), settings.supabase_jwt_secret_until)
            }
        };
        Ok(Self { issuer, keys, published: Some(published) })
    }

    /// Gives the keys that the project publishes, if tokens are a project's.
    #[must_use]
    pub const fn published(&self) -> Option<&KeySet> {
        self.published.as_ref()
    }

    /// Takes up other keys, of the project or of this host, where tokens are verified by them, for ever.
    pub async fn keep_fresh(&self) {
        match (&self.keys, &self.published) {
            (Keys::Local(issuer), _) => issuer.keep_fresh().await,
            (Keys::Published | Keys::Secret(_, Some(_)), Some(keys)) => keys.keep_fresh().await,
            _ => std::future::pending().await,
        }
    }

    /// Verifies tokens of this host.
    #[must_use]
    pub fn local(issuer: Issuer) -> Self {
        Self { issuer: issuer::ISSUER.to_owned(), keys: Keys::Local(Box::new(issuer)), published: None }
    }

    /// Gives this host's own issuer, if tokens are its.
    #[must_use]
    pub fn issuer(&self) -> Option<&Issuer> {
        match &self.keys {
            Keys::Local(issuer) => Some(issuer),
            _ => None,
        }
    }

    /// Finds who holds `token`. Asks nobody, but for new keys now and then.
    ///
    /// # Errors
    /// When it is refused, or nothing is there to verify it by.
    pub async fn verify(&self, token: &str) -> Result<Caller, AuthError> {
        if token.len() > LONGEST_TOKEN {
            return Err(AuthError::Malformed);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| AuthError::Malformed)?;
        // No extension is understood here, and what is critical must be (RFC 7515, 4.1.11).
        if header.crit.is_some() {
            return Err(AuthError::Malformed);
        }
        let (algorithm, key) = match &self.keys {
            Keys::Local(issuer) => {
                let key = header.kid.as_deref().and_then(|id| issuer.find(id));
                (Algorithm::ES256, key.ok_or(AuthError::UnknownKey)?)
            }
            Keys::Secret(key, None) => (Algorithm::HS256, key.clone()),
            Keys::Secret(key, Some(until)) if header.alg == Algorithm::HS256 && Utc::now() < *until => {
                (Algorithm::HS256, key.clone())
            }
            Keys::Secret(_, Some(_)) | Keys::Published => {
                if !matches!(header.alg, Algorithm::ES256 | Algorithm::RS256) {
                    return Err(AuthError::Algorithm);
                }
                let id = header.kid.as_deref().ok_or(AuthError::UnknownKey)?;
                let keys = self.published.as_ref().ok_or(AuthError::KeysUnavailable)?;
                keys.find(id).await?
            }
        };
        if header.alg != algorithm {
            return Err(AuthError::Algorithm);
        }
        self.check(token, algorithm, &key)
    }

    fn check(&self, token: &str, algorithm: Algorithm, key: &DecodingKey) -> Result<Caller, AuthError> {
        let mut rules = Validation::new(algorithm);
        rules.leeway = if self.issuer().is_some() { 0 } else { LEEWAY };
        rules.validate_nbf = true;
        rules.set_audience(&[AUTHENTICATED]);
        rules.set_issuer(&[&self.issuer]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let claims =
            jsonwebtoken::decode::<Value>(token, key, &rules).map_err(|error| refusal(&error))?.claims;
        // Hooks of the project may add, remove and change claims, so each is read by itself.
        // The library accepts a list of issuers that contains the right one.
        if text(&claims, "iss").as_ref() != Some(&self.issuer) {
            return Err(AuthError::Claim("iss"));
        }
        let role =
            text(&claims, "role").filter(|role| role == AUTHENTICATED).ok_or(AuthError::Claim("role"))?;
        let user = text(&claims, "sub").and_then(|sub| sub.parse().ok()).ok_or(AuthError::Claim("sub"))?;
        let instant = |name: &str| DateTime::from_timestamp_micros((claims[name].as_f64()? * 1e6) as i64);
        let metadata = &claims["user_metadata"];
        let name = clean(metadata, "full_name").or_else(|| clean(metadata, "name"));
        Ok(Caller {
            user: UserId(user),
            email: clean(&claims, "email"),
            name: name.map(|name| name.chars().take(100).collect()),
            avatar_url: picture(metadata, "avatar_url").or_else(|| picture(metadata, "picture")),
            issued: instant("iat").unwrap_or_default(),
            expires: instant("exp").ok_or(AuthError::Claim("exp"))?,
            role,
            is_anonymous: claims["is_anonymous"].as_bool().unwrap_or(false),
            session: text(&claims, "session_id").and_then(|id| id.parse().ok()),
            is_local: self.issuer().is_some(),
            api_key: None,
        })
    }
}

fn is_origin(url: &Url) -> bool {
    let rest = (url.path(), url.query(), url.fragment(), url.username(), url.password());
    url.has_host() && rest == ("/", None, None, "", None)
}

fn text(claims: &Value, name: &str) -> Option<String> {
    claims.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Reads what a user may have written: Postgres cannot store the first of the control characters,
/// and the others mean nothing in a name or an address.
fn clean(claims: &Value, name: &str) -> Option<String> {
    let written: String = text(claims, name)?.chars().filter(|c| !c.is_control()).collect();
    Some(written.trim().to_owned()).filter(|text| !text.is_empty())
}

fn picture(claims: &Value, name: &str) -> Option<String> {
    picture_url(&text(claims, name)?)
}

/// An address that a browser may show as a picture, in its usual form, if `text` is one: `http` or `https`,
/// at most 2 048 characters.
#[must_use]
pub fn picture_url(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    Some(String::from(url)).filter(|url| url.len() <= LONGEST_PICTURE)
}

fn refusal(error: &jsonwebtoken::errors::Error) -> AuthError {
    match error.kind() {
        ErrorKind::ExpiredSignature | ErrorKind::ImmatureSignature => AuthError::Expired,
        ErrorKind::InvalidSignature => AuthError::Signature,
        ErrorKind::InvalidIssuer => AuthError::Claim("iss"),
        ErrorKind::InvalidAudience => AuthError::Claim("aud"),
        ErrorKind::InvalidAlgorithm => AuthError::Algorithm,
        ErrorKind::MissingRequiredClaim(claim) | ErrorKind::InvalidClaimFormat(claim) => {
            AuthError::Claim(match claim.as_str() {
                "exp" => "exp",
                "nbf" => "nbf",
                "iss" => "iss",
                "aud" => "aud",
                _ => "sub",
            })
        }
        _ => AuthError::Malformed,
    }
}

#[cfg(test)]
mod tests;
