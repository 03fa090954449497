//! Secrets of sources out of the settings, without showing one in an error.

use secrecy::{ExposeSecret as _, SecretString};

/// A secret for one declared credential.
#[derive(Clone, Debug)]
pub struct ConfiguredCredential {
    /// Id of the source.
    pub source: String,
    /// Name of the credential.
    pub name: String,
    /// The secret itself.
    pub secret: SecretString,
}

/// Why a configured credential cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Nothing of it can be told from a secret, so it is named by its place.
    #[error("credential number {0} is not SOURCE.NAME=SECRET, such as flickr.key=… (it is not shown here)")]
    Malformed(usize),
    /// Most often an unset variable in a file of settings.
    #[error("the credential {0} has an empty secret")]
    Empty(String),
}

/// Reads settings of one or more credentials each.
pub(super) fn parse(settings: &[SecretString]) -> Result<Vec<ConfiguredCredential>, CredentialError> {
    let begins = |text: &str| place(text).is_some();
    let written = settings.iter().flat_map(|setting| split(setting.expose_secret(), begins));
    let read = |(number, text): (usize, &str)| {
        let (source, name, secret) = place(text).ok_or(CredentialError::Malformed(number))?;
        if secret.is_empty() {
            return Err(CredentialError::Empty(format!("{source}.{name}")));
        }
        Ok(ConfiguredCredential {
            source: source.to_owned(),
            name: name.to_owned(),
            secret: secret.to_owned().into(),
        })
    };
    (1..).zip(written).map(read).collect()
}

/// The parts of one setting. A comma may be within a part: it ends one only where the next begins.
pub(super) fn split(setting: &str, begins: impl Fn(&str) -> bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut begin = 0;
    for (comma, _) in setting.match_indices(',') {
        if begins(setting[comma + 1..].trim_start()) {
            parts.push(&setting[begin..comma]);
            begin = comma + 1;
        }
    }
    parts.push(&setting[begin..]);
    parts.retain_mut(|part| {
        *part = part.trim();
        !part.is_empty()
    });
    parts
}

/// `SOURCE.NAME` in its two parts, and what follows its `=`.
fn place(text: &str) -> Option<(&str, &str, &str)> {
    let (place, secret) = text.split_once('=')?;
    let (source, name) = place.split_once('.')?;
    let sound =
        is_source(source) && !name.is_empty() && name.chars().all(|c| letter(c) || matches!(c, '.' | '_'));
    sound.then_some((source, name, secret))
}

/// Whether it could be the id of a source.
pub(super) fn is_source(text: &str) -> bool {
    !text.is_empty() && text.chars().all(letter)
}

const fn letter(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(settings: &[&str]) -> Result<Vec<String>, CredentialError> {
        let settings: Vec<_> = settings.iter().map(|&text| SecretString::from(text)).collect();
        let shown = |given: ConfiguredCredential| {
            format!("{} {} {}", given.source, given.name, given.secret.expose_secret())
        };
        Ok(parse(&settings)?.into_iter().map(shown).collect())
    }

    #[test]
    fn credentials() {
        let check = |settings: &[&str], expect: &[&str]| assert_eq!(read(settings).unwrap(), expect);
        check(&[], &[]);
        check(&[""], &[]);
        check(&["a.b=one"], &["a b one"]);
        check(&["a.b=one,two=,three", "c-1.d_e.f==,="], &["a b one,two=,three", "c-1 d_e.f =,="]);
        check(&["a.b=one,c.d=two, e.f=three,"], &["a b one", "c d two", "e f three,"]);
    }

    #[test]
    fn what_may_be_a_secret_is_not_shown() {
        for setting in
            ["canary", "canary=", "Canary.b=c", "a=canary", ".b=canary", "a.=canary", "a b.c=canary"]
        {
            let error = read(&["a.b=c", setting]).unwrap_err();
            assert_eq!(error, CredentialError::Malformed(2), "{setting}");
            assert!(!format!("{error} {error:?}").to_lowercase().contains("canary"));
        }
        assert_eq!(read(&["a.b=,c.d=canary"]).unwrap_err(), CredentialError::Empty("a.b".to_owned()));
    }
}
