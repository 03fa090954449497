//! Broken rules: where each is, what must be the case there, and how many are told.

use std::{fmt, ops::RangeInclusive};

use crate::model::plain_text;

/// Most broken rules that are told one by one: an answer must not be many times the request.
const MOST_BROKEN: usize = 100;

/// A rule that a request breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// JSON pointer (RFC 6901) to the place in the body.
    pub pointer: String,
    /// What must be the case there.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pointer.strip_prefix('/') {
            Some(place) => write!(f, "{place} {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

/// Every broken rule so far; of very many the first hundred, and how many more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violations {
    first: Vec<Violation>,
    more: usize,
    /// The first ones are of the form: nothing else is said of their places and what is below.
    of_form: usize,
}

impl Violations {
    /// Reports a place that has another form than what belongs there.
    pub(super) fn misread(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.push(pointer.into(), detail.into());
        self.of_form = self.first.len();
    }

    /// Reports a broken rule, unless its place could not even be read.
    pub(super) fn broken(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        let pointer = pointer.into();
        let is_within = |place: &str| {
            pointer.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if !self.first.iter().take(self.of_form).any(|misread| is_within(&misread.pointer)) {
            self.push(pointer, detail.into());
        }
    }

    fn push(&mut self, pointer: String, detail: String) {
        if self.first.len() < MOST_BROKEN {
            self.first.push(Violation { pointer, detail });
        } else {
            self.more += 1;
        }
    }

    /// Trimmed text of 1 to `longest` characters.
    pub(super) fn text(&mut self, pointer: &str, text: &str, longest: usize) -> Option<String> {
        plain_text(text, longest).map_err(|must| self.broken(pointer, must)).ok()
    }

    /// [`Self::text`] that must be given.
    pub(super) fn required(&mut self, pointer: &str, text: Option<&str>, longest: usize) -> Option<String> {
        if text.is_none() {
            self.broken(pointer, "is required");
        }
        self.text(pointer, text?, longest)
    }

    /// Text of at most `longest` characters, trimmed, which may have several lines; none when nothing is
    /// left of it.
    pub(super) fn prose(&mut self, pointer: &str, text: &str, longest: usize) -> Option<String> {
        let harmless = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\r' | '\t');
        // As it was sent.
        if text.chars().count() > longest || !text.chars().all(harmless) {
            let must = format!("must be text of at most {longest} characters, without control characters");
            self.broken(pointer, must);
        }
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// The sound ones of a list of at most `most` texts, each with its place in the list. A
    /// longer list is one broken rule and is not looked into.
    pub(super) fn texts(
        &mut self,
        pointer: &str,
        list: &[String],
        most: usize,
        longest: usize,
    ) -> Vec<(usize, String)> {
        if list.len() > most {
            self.broken(pointer, list_of_at_most(most));
            return Vec::new();
        }
        let list = list.iter().enumerate();
        list.filter_map(|(index, text)| {
            Some((index, self.text(&format!("{pointer}/{index}"), text, longest)?))
        })
        .collect()
    }

    /// A number within `range`, if one is given.
    pub(super) fn number<T: TryFrom<i64>>(
        &mut self,
        pointer: &str,
        number: Option<i64>,
        range: RangeInclusive<i64>,
    ) -> Option<T> {
        let sound = number.filter(|number| range.contains(number));
        if number.is_some() && sound.is_none() {
            let (least, most) = range.into_inner();
            self.broken(pointer, format!("must be a whole number from {least} to {most}"));
        }
        T::try_from(sound?).ok()
    }

    /// Ends the report.
    ///
    /// # Errors
    /// Every broken rule, if there is one.
    pub(super) fn into_result(mut self) -> Result<(), Vec<Violation>> {
        if self.more > 0 {
            let detail = format!("breaks {} more rules", self.more);
            self.first.push(Violation { pointer: String::new(), detail });
        }
        if self.first.is_empty() { Ok(()) } else { Err(self.first) }
    }
}

/// What a list of texts must be.
pub(super) fn list_of_at_most(most: usize) -> String {
    format!("must be a list of at most {most} texts")
}

/// JSON pointer to the member `name` of what stands at `base`.
pub(super) fn pointer(base: &str, name: &str) -> String {
    format!("{base}/{}", name.replace('~', "~0").replace('/', "~1"))
}
