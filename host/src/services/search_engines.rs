//! Search engines as the original names them, and the sources that are asked in their place.

use crate::{
    error::meant,
    model::Input,
    services::{
        create::{LONGEST_NAME, MOST_SOURCES, SourceOffer},
        violation::Violations,
    },
};

/// What the original's forms offer.
pub const ENGINES: [&str; 6] = ["google", "bing", "baidu", "duckduckgo", "unsplash", "pixabay"];

/// The sources for some names of search engines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChosenSources {
    /// Ids, in the order of the names. None leaves the choice to the rules of a job.
    pub sources: Vec<String>,
    /// Which were replaced, and by what, for the user.
    pub message: Option<String>,
}

/// Checks names of search engines and ids of sources that stand at `pointer`: those that are known, each
/// once.
pub(super) fn check(
    pointer: &str,
    names: &[String],
    offered: &[SourceOffer],
    report: &mut Violations,
) -> Vec<String> {
    let mut known: Vec<String> = Vec::new();
    for (index, name) in report.texts(pointer, names, MOST_SOURCES, LONGEST_NAME) {
        match check_one(format!("{pointer}/{index}"), &name, offered, report) {
            Some(name) if !known.contains(&name) => known.push(name),
            _ => {}
        }
    }
    known
}

/// Checks one such name: as it is known, if it is.
pub(super) fn check_one(
    pointer: impl Into<String>,
    name: &str,
    offered: &[SourceOffer],
    report: &mut Violations,
) -> Option<String> {
    let installed = offered.iter().map(|source| source.info.id.as_str());
    // Some engines are sources, too.
    let others = installed.filter(|id| !ENGINES.contains(id));
    let all: Vec<&str> = ENGINES.into_iter().chain(others).collect();
    let name = name.trim().to_lowercase();
    if all.contains(&name.as_str()) {
        return Some(name);
    }
    let meant = meant(&name, all.iter().copied());
    let detail = format!("is neither a search engine nor a source{meant}; there are: {}", all.join(", "));
    report.broken(pointer, detail);
    None
}

/// Chooses the sources for search engines, or for ids of sources: each its own where keywords can be
/// crawled from it now, else the one that jobs get by default.
#[must_use]
pub fn choose(names: &[String], offered: &[SourceOffer]) -> ChosenSources {
    let preferred = SourceOffer::default_of(offered, Input::Keywords);
    let (mut sources, mut replaced): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for name in names.iter().map(|name| name.trim().to_lowercase()) {
        let own = offered.iter().find(|source| {
            source.info.id == name && source.info.input == Input::Keywords && source.unavailable.is_none()
        });
        let quoted = format!("`{name}`");
        if own.is_none() && !replaced.contains(&quoted) {
            replaced.push(quoted);
        }
        if let Some(source) = own.or(preferred)
            && !sources.contains(&source.info.id)
        {
            sources.push(source.info.id.clone());
        }
    }
    let message = preferred.filter(|_| !replaced.is_empty()).map(|preferred| {
        let (names, are) = match &replaced[..] {
            [one] => (one.clone(), "is"),
            several => (several.join(", "), "are"),
        };
        format!(
            "{names} {are} not available here; pictures are looked for at `{}` instead.",
            preferred.info.id
        )
    });
    ChosenSources { sources, message }
}
