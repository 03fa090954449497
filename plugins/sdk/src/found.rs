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
    /// Reads each result by itself, so that a bad one costs only itself: one warning says how
    /// many could not be read, and why the first could not.
    ///
    /// # Errors
    ///
    /// `layout-changed` when none of the results can be read: it is the site that has changed then.
    pub fn each<T>(
        results: impl IntoIterator<Item = T>,
        read: impl FnMut(T) -> Result<Candidate, String>,
    ) -> Result<Self> {
        let (mut found, mut bad, mut first) = (Self::default(), 0, None);
        for result in results.into_iter().map(read) {
            match result {
                Ok(candidate) => found.candidates.push(candidate),
                Err(fault) => {
                    bad += 1;
                    first.get_or_insert(fault);
                }
            }
        }
        let Some(fault) = first else { return Ok(found) };
        if found.candidates.is_empty() {
            return Err(Error::LayoutChanged(format!("in all results: {fault}")));
        }
        let all = bad + found.candidates.len();
        found.warnings.push(format!("{bad} of {all} results cannot be read: {fault}"));
        Ok(found)
    }
}

impl FromIterator<Candidate> for Found {
    fn from_iter<I: IntoIterator<Item = Candidate>>(candidates: I) -> Self {
        Self { candidates: candidates.into_iter().collect(), warnings: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_result_costs_only_itself() {
        let read = |results: &[&str]| {
            Found::each(results, |result| match result.strip_prefix("bad ") {
                Some(why) => Err(why.to_owned()),
                None => Ok(Candidate::new(*result)),
            })
        };
        let found = read(&["bad one", "https://example.org/a.jpg", "bad two"]).unwrap();
        assert_eq!(found.candidates, [Candidate::new("https://example.org/a.jpg")]);
        assert_eq!(found.warnings, ["2 of 3 results cannot be read: one"]);
        assert_eq!(read(&[]), Ok(Found::default()));
        assert_eq!(
            read(&["bad one", "bad two"]),
            Err(Error::LayoutChanged("in all results: one".to_owned()))
        );
    }
}
