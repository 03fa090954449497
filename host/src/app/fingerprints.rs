//! Tells the credentials that are configured from others, without telling them.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use secrecy::ExposeSecret as _;

use crate::{
    auth::link::fresh_secret,
    config::ConfiguredCredential,
    db::{self, PgPool, sources::BuildRef},
    plugins::LoadedPlugin,
};

/// Name of the key in `pixcrawler.secret` that tells credentials apart.
const KEY_NAME: &str = "credential-marks";

/// Tells the credentials that are configured for each source from others, without telling
/// them: 16 bits of a hash, keyed with what all processes of a system share.
#[derive(Clone, Debug)]
pub struct CredentialFingerprints {
    key: hmac::Key,
    by_source: BTreeMap<String, i32>,
}

impl CredentialFingerprints {
    /// Makes the fingerprints of these credentials.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn new(db: &PgPool, credentials: &[ConfiguredCredential]) -> Result<Self, db::Error> {
        let secret = db::secrets::get_or_insert(db, KEY_NAME, &fresh_secret()).await?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for given in credentials {
            let text = format!("{}={}", given.name, given.secret.expose_secret());
            texts.entry(given.source.clone()).or_default().push(text);
        }
        let by_source = texts.into_iter().map(|(source, mut texts)| {
            // The order in which they are configured says nothing.
            texts.sort();
            (source, fingerprint(&key, &texts.join("\n")))
        });
        Ok(Self { by_source: by_source.collect(), key })
    }

    /// Refers to the build as this process has it.
    #[must_use]
    pub fn build<'a>(&self, source: &'a LoadedPlugin) -> BuildRef<'a> {
        let id = source.info.id.as_str();
        let credential_mark = self.by_source.get(id).copied().unwrap_or_else(|| fingerprint(&self.key, ""));
        BuildRef { id, digest: source.digest, enabled_at: source.enabled_at, credential_mark }
    }
}

/// Keeps so few bits that nobody who reads them can guess the text.
fn fingerprint(key: &hmac::Key, text: &str) -> i32 {
    match hmac::sign(key, text.as_bytes()).as_ref() {
        [first, second, ..] => i32::from(u16::from_be_bytes([*first, *second])),
        _ => 0,
    }
}
