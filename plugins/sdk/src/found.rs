//! What an answer held.

use crate::{Candidate, Error, Result};

/// What an answer held.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// In the source's own order.
    pub candidates: Vec<Candidate>,
    /// For the person whose crawl it is: what was left out and why.
    pub warnings: Vec<String>,
}

impl Found {
    /// What `read` makes of each of an answer's results: none, one or several
    /// pictures, or else what was looked for and not found. What cannot be read
    /// is left out and said in a warning.
    ///
    /// # Errors
    ///
    /// `layout-changed` when none could be read: then it is the site that has changed, and not
    /// one result.
    pub fn each<T, C: IntoIterator<Item = Candidate>>(
        results: impl IntoIterator<Item = T>,
        mut read: impl FnMut(T) -> Result<C, String>,
    ) -> Result<Self> {
        let (mut all, mut bad, mut first_fault) = (0, 0, None);
        let mut found = Self::default();
        for result in results {
            all += 1;
            match read(result) {
                Ok(candidates) => found.candidates.extend(candidates),
                Err(fault) => {
                    bad += 1;
                    first_fault = first_fault.or(Some(fault));
                }
            }
        }
        match first_fault {
            Some(fault) if bad == all => Err(Error::LayoutChanged(format!("in all results: {fault}"))),
            Some(fault) => {
                found.warnings.push(format!("{bad} of {all} results cannot be read: {fault}"));
                Ok(found)
            }
            None => Ok(found),
        }
    }
}

impl Found {
    /// Checks that a list without results is one; for the first page, because later ones may
    /// rightly have none.
    ///
    /// # Errors
    ///
    /// `layout-changed` when the site counts results, for which `list` was looked in.
    pub fn expect_none(counted: u64, list: &str) -> Result<()> {
        match counted {
            0 => Ok(()),
            _ => Err(Error::LayoutChanged(format!("expected {counted} results in `{list}`, found none"))),
        }
    }
}

impl FromIterator<Candidate> for Found {
    fn from_iter<I: IntoIterator<Item = Candidate>>(candidates: I) -> Self {
        Self { candidates: candidates.into_iter().collect(), warnings: Vec::new() }
    }
}

impl From<Candidate> for Found {
    fn from(candidate: Candidate) -> Self {
        Self::from_iter([candidate])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a word as that many pictures; what is no number is bad.
    fn each(words: &str) -> Result<Found> {
        Found::each(words.split_whitespace(), |word| {
            let count: usize = word.parse().map_err(|_| format!("expected a number, found {word}"))?;
            Ok(vec![Candidate::new("https://example.org/1.jpg"); count])
        })
    }

    #[test]
    fn a_bad_result_costs_only_itself() {
        let found = each("2 0 one two 1").unwrap();
        assert_eq!(found.candidates.len(), 3);
        assert_eq!(found.warnings, ["2 of 5 results cannot be read: expected a number, found one"]);
        assert_eq!(each(""), Ok(Found::default()));
        assert_eq!(each("0 0"), Ok(Found::default()));
    }

    #[test]
    fn what_is_counted_must_be_given() {
        assert_eq!(Found::expect_none(0, "photos"), Ok(()));
        let message = "expected 7 results in `photos`, found none";
        assert_eq!(Found::expect_none(7, "photos"), Err(Error::LayoutChanged(message.to_owned())));
    }

    #[test]
    fn nothing_but_bad_results_is_a_changed_layout() {
        let error = |message: &str| Err(Error::LayoutChanged(message.to_owned()));
        assert_eq!(each("one two"), error("in all results: expected a number, found one"));
        // One that rightly has no picture was read.
        let found = each("0 two").unwrap();
        assert_eq!(found.warnings, ["1 of 2 results cannot be read: expected a number, found two"]);
    }
}
