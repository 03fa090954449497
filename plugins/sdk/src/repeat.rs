//! Where a list begins to repeat itself.

use serde::{Deserialize, Serialize};

use crate::{Found, url::hash};

/// The pictures of the page before, as part of a source's state. Some sites have
/// no last page: past the end they give the last one again, or the first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PageBefore(Vec<u64>);

/// Pictures of a page that are remembered, so that the state stays small.
const MOST: usize = 500;

impl PageBefore {
    /// Whether the page has a picture that the one before had not. From now on
    /// it is the page before.
    pub fn is_followed_by(&mut self, page: &Found) -> bool {
        let page = page.candidates.iter().take(MOST).map(|candidate| hash(&candidate.url)).collect();
        let before = std::mem::replace(&mut self.0, page);
        self.0.iter().any(|picture| !before.contains(picture))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Candidate;

    #[test]
    fn little_is_remembered() {
        let mut before = PageBefore::default();
        let page: Found = (0..10_000).map(|picture| Candidate::new(picture.to_string())).collect();
        assert!(before.is_followed_by(&page) && !before.is_followed_by(&page));
        assert!(serde_json::to_string(&before).unwrap().len() < 12 << 10);
    }

    #[test]
    fn a_page_that_repeats_the_one_before_is_told() {
        let mut before = PageBefore::default();
        for (pictures, expect) in [
            ("", false),
            ("a b c", true),
            ("c d", true),
            ("d c", false),
            ("c", false),
            ("a", true),
            ("", false),
            ("a", true),
        ] {
            let page = pictures.split_whitespace().map(Candidate::new).collect();
            assert_eq!(before.is_followed_by(&page), expect, "{pictures}");
            // It travels as JSON between the steps.
            before = serde_json::from_str(&serde_json::to_string(&before).unwrap()).unwrap();
        }
    }
}
