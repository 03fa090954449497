//! Choices that stand for a site's own words.

use crate::{OptionSpec, Query};

/// A choice that narrows a search, and what each value is in requests.
///
/// ```
/// use pixcrawler_sdk::{Filter, Query};
///
/// const SIZE: Filter = Filter {
///     name: "size",
///     label: "Size",
///     help: "Only pictures of this size.",
///     choices: &[("large", "Large", "isz:l"), ("medium", "Medium", "isz:m")],
/// };
///
/// assert_eq!(SIZE.of(&Query::of("fox").with(&[("size", "large")])), Some("isz:l"));
/// assert_eq!(SIZE.spec().choices[0], ("large".to_owned(), "Large".to_owned()));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Filter {
    /// Of the option.
    pub name: &'static str,
    /// For a form.
    pub label: &'static str,
    /// One sentence.
    pub help: &'static str,
    /// Value, label, and what the site calls it.
    pub choices: &'static [(&'static str, &'static str, &'static str)],
}

impl Filter {
    /// The option to declare.
    #[must_use]
    pub fn spec(&self) -> OptionSpec {
        let choices: Vec<_> = self.choices.iter().map(|&(value, label, _)| (value, label)).collect();
        OptionSpec::choice(self.name, self.label, self.help, &choices)
    }

    /// What the site calls the value that the query chooses, if it chooses one.
    #[must_use]
    pub fn of(&self, query: &Query) -> Option<&'static str> {
        let chosen = query.option(self.name)?;
        self.choices.iter().find(|(value, _, _)| *value == chosen).map(|&(_, _, site)| site)
    }
}
