//! How a source names itself to the sites it asks, where that is not the host's own name.

use std::collections::BTreeMap;

use super::credential::{is_source, split};

/// Why a configured User-Agent cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserAgentError {
    /// No source is named.
    #[error(
        "`{0}` is not SOURCE=TEXT, such as wikimedia-commons=MyCrawler/1.0 (+https://example.org/crawler)"
    )]
    Malformed(String),
    /// Which of them is meant?
    #[error("the source {0} has two User-Agents")]
    Twice(String),
}

/// Reads settings of one or more User-Agents each, by source. A comma may be part of one: it
/// ends one only where the next begins.
pub(super) fn parse(settings: &[String]) -> Result<BTreeMap<String, String>, UserAgentError> {
    let mut agents = BTreeMap::new();
    for written in settings.iter().flat_map(|setting| split(setting, |text| read(text).is_some())) {
        let (source, agent) = read(written).ok_or_else(|| UserAgentError::Malformed(written.to_owned()))?;
        if agents.insert(source.to_owned(), agent.trim().to_owned()).is_some() {
            return Err(UserAgentError::Twice(source.to_owned()));
        }
    }
    Ok(agents)
}

fn read(text: &str) -> Option<(&str, &str)> {
    text.split_once('=').filter(|(source, _)| is_source(source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_agents() {
        let check = |settings: &[&str], expect: &[(&str, &str)]| {
            let settings: Vec<_> = settings.iter().map(|&text| text.to_owned()).collect();
            let owned = |(source, agent): &(&str, &str)| ((*source).to_owned(), (*agent).to_owned());
            assert_eq!(parse(&settings).unwrap(), expect.iter().map(owned).collect());
        };
        check(&[], &[]);
        check(
            &["bing=A/1 (like B, C=d), Safari, met-museum=E=F"],
            &[("bing", "A/1 (like B, C=d), Safari"), ("met-museum", "E=F")],
        );
        check(&["a=One/1", "b=Two/2,"], &[("a", "One/1"), ("b", "Two/2,")]);
        for wrong in ["One/1", "=One/1", "A.b=One/1"] {
            assert_eq!(parse(&[wrong.to_owned()]), Err(UserAgentError::Malformed(wrong.to_owned())));
        }
        assert_eq!(parse(&["a=1,a=2".to_owned()]), Err(UserAgentError::Twice("a".to_owned())));
    }
}
