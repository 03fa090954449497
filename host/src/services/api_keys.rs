//! API keys: how one is made, and who is calling with one.

use std::{net::IpAddr, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::Value;

use crate::{
    app::App,
    auth::{
        Caller,
        api_key::{self, FreshKey},
    },
    db::{
        self,
        api_keys::{ApiKeyRow, NewApiKey},
    },
    error::{chain, meant},
    model::{ApiKeyId, Permission, UserId},
    services::{
        Violation, Violations,
        form::Form,
        profiles::{ProfileError, ensure},
    },
};

/// Longest name of a key, in characters.
const LONGEST_NAME: usize = 200;
/// Requests an hour when nobody says how many.
pub const DEFAULT_RATE: i32 = 1000;
/// Most keys of a user that are good at a time.
const MOST_KEYS: i64 = 100;
/// Longest life of a key that is given in days.
const MOST_DAYS: i64 = 3650;

/// A key that is asked for, read whatever the body holds.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "meanings are in the API's document")]
pub struct ApiKeyRequest {
    pub name: Option<String>,
    pub permissions: Vec<String>,
    pub rate_limit: Option<i64>,
    pub expires_at: Option<String>,
    pub days: Option<i64>,
    pub misread: Violations,
}

/// A new name that is asked for, read whatever the body holds.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "meanings are in the API's document")]
pub struct RenameRequest {
    pub name: Option<String>,
    pub misread: Violations,
}

/// What a key is to be, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "meanings are in the API's document")]
pub struct ApiKeySpec {
    pub name: String,
    pub permissions: Vec<Permission>,
    pub rate_limit: i32,
    pub expires_at: Option<DateTime<Utc>>,
}

/// Who is calling with a key.
#[derive(Clone, Debug)]
pub struct AuthenticatedKey {
    /// The key's user.
    pub caller: Caller,
    /// A sum of [bits](Permission::bit).
    pub permissions: u16,
}

/// Why a key is refused.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No key, or none of ours.
    #[error("there is no such API key")]
    Unknown,
    /// Its user has ended it.
    #[error("the API key was revoked")]
    Revoked,
    /// Its time is over.
    #[error("the API key has expired")]
    Expired,
    /// Too many requests.
    #[error(
        "the API key may be used {limit} times an hour, and was; the next hour begins in {} seconds",
        .retry_after.as_secs()
    )]
    TooMany {
        /// How many an hour.
        limit: i32,
        /// When the next hour begins.
        retry_after: Duration,
    },
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] db::Error),
}

/// Why no key is made or named.
#[derive(Debug, thiserror::Error)]
pub enum MakeKeyError {
    /// What is asked for breaks rules: all of them.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Rules(Vec<Violation>),
    /// Its user may not.
    #[error(transparent)]
    Caller(#[from] ProfileError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] db::Error),
}

impl From<Value> for ApiKeyRequest {
    fn from(body: Value) -> Self {
        let mut misread = Violations::default();
        let mut form = Form::new(body, &mut misread);
        let mut request = Self {
            name: form.text("name"),
            permissions: form.texts("permissions", Permission::ALL.len()),
            rate_limit: form.number("rate_limit"),
            expires_at: form.text("expires_at"),
            days: form.number("days"),
            misread: Violations::default(),
        };
        form.end();
        request.misread = misread;
        request
    }
}

impl From<Value> for RenameRequest {
    fn from(body: Value) -> Self {
        let mut misread = Violations::default();
        let mut form = Form::new(body, &mut misread);
        let mut request = Self { name: form.text("name"), misread: Violations::default() };
        form.end();
        request.misread = misread;
        request
    }
}

impl ApiKeyRequest {
    /// Checks what is asked for, as of now.
    ///
    /// # Errors
    /// Every broken rule.
    pub fn check(&self, now: DateTime<Utc>) -> Result<ApiKeySpec, Vec<Violation>> {
        let mut report = self.misread.clone();
        let name = report.required("/name", self.name.as_deref(), LONGEST_NAME);
        let mut permissions: Vec<Permission> = Vec::new();
        if self.permissions.is_empty() {
            report.broken("/permissions", format!("must name at least one of: {}", known().join(", ")));
        }
        if self.permissions.len() > Permission::ALL.len() {
            report
                .broken("/permissions", format!("must be a list of at most {} texts", Permission::ALL.len()));
        }
        for (index, name) in self.permissions.iter().enumerate().take(Permission::ALL.len()) {
            match Permission::named(name) {
                Some(permission) if permissions.contains(&permission) => {}
                Some(permission) => permissions.push(permission),
                None => {
                    let meant = meant(name, known());
                    let detail = format!("must be one of: {}{meant}", known().join(", "));
                    report.broken(format!("/permissions/{index}"), detail);
                }
            }
        }
        let rate_limit = report.number("/rate_limit", self.rate_limit, 1..=100_000);
        let days: Option<i64> = report.number("/days", self.days, 1..=MOST_DAYS);
        let expires_at = self.expires_at.as_deref().and_then(|text| match text.parse::<DateTime<Utc>>() {
            Ok(at) if at > now => Some(at),
            Ok(_) => {
                report.broken("/expires_at", "must lie in the future");
                None
            }
            Err(_) => {
                report.broken("/expires_at", "must be an instant by RFC 3339, such as 2030-01-01T00:00:00Z");
                None
            }
        });
        if self.expires_at.is_some() && self.days.is_some() {
            report.broken("/days", "must not be given together with `expires_at`");
        }
        report.into_result()?;
        Ok(ApiKeySpec {
            name: name.unwrap_or_default(),
            permissions,
            rate_limit: rate_limit.unwrap_or(DEFAULT_RATE),
            expires_at: expires_at.or_else(|| Some(now + TimeDelta::days(days?))),
        })
    }
}

impl RenameRequest {
    /// Checks the name.
    ///
    /// # Errors
    /// Every broken rule.
    pub fn check(&self) -> Result<String, Vec<Violation>> {
        let mut report = self.misread.clone();
        let name = report.required("/name", self.name.as_deref(), LONGEST_NAME);
        report.into_result()?;
        Ok(name.unwrap_or_default())
    }
}

impl App {
    /// Makes a key for the caller: its row, and the key itself, which nobody can have again.
    ///
    /// # Errors
    /// When the caller may not, has too many, or the database fails.
    pub async fn create_key(
        &self,
        caller: &Caller,
        spec: &ApiKeySpec,
    ) -> Result<(ApiKeyRow, SecretString), MakeKeyError> {
        self.is_signed_in(caller).await?;
        let mut transaction = self.db.begin().await?;
        self.profile_in(&mut transaction, caller).await?;
        let made = make(&mut transaction, caller, spec).await?;
        transaction.commit().await?;
        Ok(made)
    }

    /// Who is calling with this key, which counts as a use of it. The database is asked each time, so a
    /// key that is revoked is so at once, everywhere.
    ///
    /// # Errors
    /// When it is refused, or the database fails.
    pub async fn authenticate_key(
        &self,
        key: &str,
        from: Option<IpAddr>,
    ) -> Result<AuthenticatedKey, KeyError> {
        let hash = api_key::known_by(key).ok_or(KeyError::Unknown)?;
        let found = db::api_keys::find(&self.db, &hash).await?.ok_or(KeyError::Unknown)?;
        match found.status.as_str() {
            "active" => {}
            "expired" => {
                if let Err(error) = db::api_keys::expire(&self.db, found.id).await {
                    tracing::debug!(error = %chain(&error), "an expired API key is not marked");
                }
                return Err(KeyError::Expired);
            }
            _ => return Err(KeyError::Revoked),
        }
        let issued = DateTime::from(found.created_at);
        if self.deleted_users.since(found.user_id, issued) {
            return Err(KeyError::Unknown);
        }
        if !self.key_uses.admit(&found, from).await {
            let retry_after = Duration::from_secs(found.seconds_left.max(1).unsigned_abs().into());
            return Err(KeyError::TooMany { limit: found.rate_limit, retry_after });
        }
        let permissions = set_of(&found.permissions.0);
        let caller = Caller {
            user: found.user_id,
            email: None,
            name: None,
            avatar_url: None,
            issued,
            expires: found.expires_at.map_or(DateTime::<Utc>::MAX_UTC, DateTime::from),
            role: "authenticated".to_owned(),
            is_anonymous: found.is_anonymous,
            session: None,
            is_local: self.auth.issuer().is_some(),
            api_key: Some(found.id),
        };
        Ok(AuthenticatedKey { caller, permissions })
    }
}

/// What a key of this user may do, a sum of [bits](Permission::bit); none when there is no such key, or it
/// is not good.
///
/// # Errors
/// When the database fails.
pub async fn permissions_of(db: &db::PgPool, user: UserId, key: ApiKeyId) -> Result<Option<u16>, db::Error> {
    let names = db::api_keys::permissions(db, user, key).await?;
    Ok(names.map(|names| set_of(&names.0)))
}

/// Those of these names that are known.
fn set_of(names: &[String]) -> u16 {
    names.iter().filter_map(|name| Permission::named(name)).fold(0, |set, one| set | one.bit())
}

/// Makes a key for who is only known here, where only the database is there.
///
/// # Errors
/// When there are too many, or the database fails.
pub async fn make_local(
    db: &db::PgPool,
    caller: &Caller,
    spec: &ApiKeySpec,
) -> Result<(ApiKeyRow, SecretString), MakeKeyError> {
    let mut transaction = db.begin().await?;
    ensure(&mut transaction, caller).await?;
    let made = make(&mut transaction, caller, spec).await?;
    transaction.commit().await?;
    Ok(made)
}

async fn make(
    transaction: &mut db::PgConnection,
    caller: &Caller,
    spec: &ApiKeySpec,
) -> Result<(ApiKeyRow, SecretString), MakeKeyError> {
    let key = FreshKey::generate();
    if db::api_keys::good(transaction, caller.user).await? >= MOST_KEYS {
        let detail =
            format!("You have {MOST_KEYS} API keys that are good, which is as many as may be; revoke one");
        return Err(MakeKeyError::Rules(vec![Violation { pointer: String::new(), detail }]));
    }
    let permissions: Vec<&str> = spec.permissions.iter().map(|permission| permission.name()).collect();
    let new = NewApiKey {
        user: caller.user,
        name: &spec.name,
        key_hash: &key.hash,
        key_prefix: &key.prefix,
        permissions: &permissions,
        rate_limit: spec.rate_limit,
        expires_at: spec.expires_at,
    };
    let row = db::api_keys::insert(transaction, &new).await?;
    tracing::info!(event = "api-key-made", key = %row.id, user = %caller.user, "an API key was made");
    Ok((row, key.secret))
}

fn known() -> [&'static str; 9] {
    Permission::ALL.map(Permission::name)
}
