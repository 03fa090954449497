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
    #[error("credential number {0} is not SOURCE.NAME=SECRET, such as flickr.api=… (it is not shown here)")]
    Malformed(usize),
    /// As above, of a file or of what a command printed.
    #[error("line {line} of {origin} is not SOURCE.NAME=SECRET, such as flickr.api=… (it is not shown here)")]
    MalformedLine {
        /// The file, or what printed it.
        origin: String,
        /// From 1.
        line: usize,
    },
    /// The file or the command itself, in words that hold nothing of a secret.
    #[error("{0}")]
    Unreadable(String),
    /// Most often an unset variable in a file of settings.
    #[error("the credential {0} has an empty secret")]
    Empty(String),
}

/// Reads settings of one or more credentials each.
pub(super) fn parse(settings: &[SecretString]) -> Result<Vec<ConfiguredCredential>, CredentialError> {
    let begins = |text: &str| place(text).is_some();
    let written = settings.iter().flat_map(|setting| split(setting.expose_secret(), begins));
    (1..).zip(written).map(|(number, text)| read(text, || CredentialError::Malformed(number))).collect()
}

/// Reads one credential a line, as they stand in `origin`, a file or a command. Empty lines and those that
/// begin with `#` count for nothing.
///
/// # Errors
/// When a line is not of the form `SOURCE.NAME=SECRET`; does not repeat it.
pub fn parse_lines(text: &str, origin: &str) -> Result<Vec<ConfiguredCredential>, CredentialError> {
    let lines = (1..).zip(text.lines().map(str::trim));
    let lines = lines.filter(|(_, text)| !text.is_empty() && !text.starts_with('#'));
    let malformed = |line| move || CredentialError::MalformedLine { origin: origin.to_owned(), line };
    lines.map(|(line, text)| read(text, malformed(line))).collect()
}

fn read(
    text: &str,
    malformed: impl FnOnce() -> CredentialError,
) -> Result<ConfiguredCredential, CredentialError> {
    let (source, name, secret) = place(text).ok_or_else(malformed)?;
    if secret.is_empty() {
        return Err(CredentialError::Empty(format!("{source}.{name}")));
    }
    Ok(ConfiguredCredential {
        source: source.to_owned(),
        name: name.to_owned(),
        secret: secret.to_owned().into(),
    })
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

    fn parsed(settings: &[&str]) -> Result<Vec<String>, CredentialError> {
        let settings: Vec<_> = settings.iter().map(|&text| SecretString::from(text)).collect();
        let shown = |given: ConfiguredCredential| {
            format!("{} {} {}", given.source, given.name, given.secret.expose_secret())
        };
        Ok(parse(&settings)?.into_iter().map(shown).collect())
    }

    #[test]
    fn credentials() {
        let check = |settings: &[&str], expect: &[&str]| assert_eq!(parsed(settings).unwrap(), expect);
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
            let error = parsed(&["a.b=c", setting]).unwrap_err();
            assert_eq!(error, CredentialError::Malformed(2), "{setting}");
            assert!(!format!("{error} {error:?}").to_lowercase().contains("canary"));
        }
        assert_eq!(parsed(&["a.b=,c.d=canary"]).unwrap_err(), CredentialError::Empty("a.b".to_owned()));
    }

    #[test]
    fn lines() {
        let shown = |text: &str| {
            let given = parse_lines(text, "/run/keys").unwrap().into_iter();
            let given = given
                .map(|given| format!("{}.{}={}", given.source, given.name, given.secret.expose_secret()));
            given.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(shown(""), "");
        assert_eq!(shown("# a.b=no\n\n  a.b=one,c.d=two\r\ne.f==#x  \n"), "a.b=one,c.d=two e.f==#x");
        for text in ["a.b=c\n\ncanary", "\n# a\nA.b=canary", "a.b=c\n \n=canary"] {
            let error = parse_lines(text, "/run/keys").unwrap_err();
            assert!(error.to_string().starts_with("line 3 of /run/keys is not"), "{error}");
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
    }
}
