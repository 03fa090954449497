//! Where a list begins to repeat itself.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{Found, url::hash};

/// The pictures of the pages so far, as part of a source's state. Some sites have
/// no last page: past the end they give the last one again, or the first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seen(Vec<u64>);

/// Pictures that are remembered, and of one page. Those seen first are forgotten first, so the
/// state has 32 KB at most.
const MOST: usize = 2_000;
const MOST_OF_PAGE: usize = 500;
/// Bits of a picture's number, of which 2 000 hardly ever have two the same.
const BITS: u32 = 48;

impl Seen {
    /// Whether the page has a picture that none before it had. From now on it is one of those.
    pub fn has_more_in(&mut self, page: &Found) -> bool {
        let mut known: BTreeSet<u64> = self.0.iter().copied().collect();
        let before = self.0.len();
        for candidate in page.candidates.iter().take(MOST_OF_PAGE) {
            let picture = hash([candidate.url.as_bytes()]) >> (u64::BITS - BITS);
            if known.insert(picture) {
                self.0.push(picture);
            }
        }
        let has_more = self.0.len() > before;
        self.0.drain(..self.0.len().saturating_sub(MOST));
        has_more
    }
}

/// Tells a walk that goes round in circles, however long, by one of the steps behind it (Brent's
/// algorithm): a list of any length costs the state a few bytes. It goes at most three rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Circle {
    /// Steps so far.
    pub(crate) steps: u64,
    /// The last step whose number is a power of two.
    pub(crate) mark: u64,
}

impl Circle {
    /// Whether the walk has been at this step, given by its hash, before.
    pub(crate) fn closes_at(&mut self, step: u64) -> bool {
        if self.steps > 0 && self.mark == step {
            return true;
        }
        self.steps += 1;
        if self.steps.is_power_of_two() {
            self.mark = step;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Candidate;

    fn page(pictures: std::ops::Range<usize>) -> Found {
        pictures.map(|picture| Candidate::new(picture.to_string())).collect()
    }

    #[test]
    fn little_is_remembered() {
        let mut seen = Seen::default();
        let large = page(0..10_000);
        assert!(seen.has_more_in(&large) && !seen.has_more_in(&large));
        for number in 0..1_000 {
            assert!(seen.has_more_in(&page(number * 30..number * 30 + 35)) || number < 20, "{number}");
        }
        assert!(serde_json::to_string(&seen).unwrap().len() <= 32_002);
    }

    #[test]
    fn a_page_that_repeats_what_was_there_is_told() {
        let mut seen = Seen::default();
        for (pictures, expect) in [
            ("", false),
            ("a b c", true),
            ("c d", true),
            ("d c", false),
            ("c", false),
            ("a", false),
            ("e a", true),
            ("b d", false),
            ("", false),
            ("f", true),
        ] {
            let page = pictures.split_whitespace().map(Candidate::new).collect();
            assert_eq!(seen.has_more_in(&page), expect, "{pictures}");
            // It travels as JSON between the steps.
            seen = serde_json::from_str(&serde_json::to_string(&seen).unwrap()).unwrap();
        }
    }

    #[test]
    fn pages_in_turn_come_to_an_end() {
        for pages in [1, 2, 3, 10, 50] {
            let mut seen = Seen::default();
            let read = (0..1_000).take_while(|step| {
                let first = step % pages * 35;
                seen.has_more_in(&page(first..first + 35))
            });
            assert_eq!(read.count(), pages);
        }
    }

    #[test]
    fn circles_are_told_from_long_walks() {
        let walk = |before: u64, round: u64| {
            let mut circle = Circle::default();
            (0..100_000).position(|step| {
                circle.closes_at(if step < before { step } else { before + (step - before) % round })
            })
        };
        assert_eq!(walk(100_000, 1), None);
        for (before, round) in [(0, 1), (0, 2), (0, 3), (1, 1), (5, 2), (100, 7), (7, 5_000)] {
            let end = walk(before, round).unwrap();
            let longest = usize::try_from(3 * before.max(round) + 1).unwrap();
            assert!(end <= longest, "{before} {round}: {end}");
        }
        assert_eq!((walk(0, 1), walk(0, 2), walk(1, 1)), (Some(1), Some(3), Some(2)));
    }
}
