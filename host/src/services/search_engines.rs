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
    let installed = installed.filter(|id| !ENGINES.contains(id));
    let all: Vec<&str> = ENGINES.into_iter().chain(installed).collect();
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
    let mut sources: Vec<String> = Vec::new();
    // Those that nobody installed, and what keeps others from being asked.
    let (mut missing, mut unfit): (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    let add = |list: &mut Vec<String>, said: String| {
        if !list.contains(&said) {
            list.push(said);
        }
    };
    for name in names.iter().map(|name| name.trim().to_lowercase()) {
        let own = offered.iter().find(|source| source.info.id == name);
        let fit = match own {
            None => {
                add(&mut missing, format!("`{name}`"));
                None
            }
            Some(source) if source.info.input != Input::Keywords => {
                add(&mut unfit, format!("`{name}` takes addresses and no keywords"));
                None
            }
            Some(SourceOffer { unavailable: Some(reason), .. }) => {
                add(&mut unfit, format!("`{name}` cannot be asked now ({reason})"));
                None
            }
            Some(source) => Some(source),
        };
        if let Some(source) = fit.or(preferred)
            && !sources.contains(&source.info.id)
        {
            sources.push(source.info.id.clone());
        }
    }
    let missing = match &missing[..] {
        [] => None,
        [one] => Some(format!("{one} is not available here")),
        several => Some(format!("{} are not available here", several.join(", "))),
    };
    let reasons: Vec<String> = missing.into_iter().chain(unfit).collect();
    let message = preferred.filter(|_| !reasons.is_empty()).map(|preferred| {
        let (reasons, instead) = (reasons.join("; "), &preferred.info.id);
        format!("{reasons}; pictures are looked for at `{instead}` instead.")
    });
    ChosenSources { sources, message }
}
