//! Reads the fields of a JSON object one by one and notes what is wrong with each.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::{JsonObject, Violation};
use crate::model::plain_text;

/// An object of the request and where it stands.
pub(super) struct Fields<'a> {
    object: &'a JsonObject,
    pointer: String,
}

/// Every broken rule so far; of very many the first, and how many more.
#[derive(Default)]
pub(super) struct Violations {
    said: Vec<Violation>,
    unsaid: usize,
}

/// Most broken rules that are told one by one: an answer must not be many times the request.
const MOST_BROKEN: usize = 100;

impl Violations {
    pub(super) fn broken(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        if self.said.len() < MOST_BROKEN {
            self.said.push(Violation { pointer: pointer.into(), detail: detail.into() });
        } else {
            self.unsaid += 1;
        }
    }

    pub(super) fn into_inner(mut self) -> Vec<Violation> {
        if self.unsaid > 0 {
            let detail = format!("breaks {} more rules", self.unsaid);
            self.said.push(Violation { pointer: String::new(), detail });
        }
        self.said
    }
}

impl<'a> Fields<'a> {
    pub(super) fn new(object: &'a JsonObject, pointer: impl Into<String>) -> Self {
        Self { object, pointer: pointer.into() }
    }

    /// JSON pointer to a field.
    pub(super) fn pointer(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, name.replace('~', "~0").replace('/', "~1"))
    }

    /// A field that is there and not null.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &'a String> + use<'a> {
        self.object.keys()
    }

    /// Whether a list is absent or has nothing in it.
    pub(super) fn is_empty(&self, name: &str) -> bool {
        self.get(name).is_none_or(|value| value.as_array().is_some_and(Vec::is_empty))
    }

    /// Refuses every other field.
    pub(super) fn only(&self, known: &[&str], report: &mut Violations) {
        for key in self.keys().filter(|key| !known.contains(&key.as_str())) {
            report.broken(self.pointer(key), "is not a field; see /docs");
        }
    }

    /// An object of at most `most` fields; one with more is not looked into.
    pub(super) fn object(&self, name: &str, most: usize, report: &mut Violations) -> Option<Self> {
        let object = self.get(name)?.as_object().filter(|object| object.len() <= most);
        if object.is_none() {
            report.broken(self.pointer(name), format!("must be an object of at most {most} fields"));
        }
        Some(Self::new(object?, self.pointer(name)))
    }

    /// Trimmed text of 1 to `longest` characters.
    pub(super) fn text(&self, name: &str, longest: usize, report: &mut Violations) -> Option<String> {
        text(self.get(name)?, longest, &self.pointer(name), report)
    }

    /// The sound ones of a list of at most `most` texts, each with its place in the list. A
    /// longer list is one broken rule and is not looked into.
    pub(super) fn texts(
        &self,
        name: &str,
        most: usize,
        longest: usize,
        report: &mut Violations,
    ) -> Vec<(usize, String)> {
        let Some(value) = self.get(name) else { return Vec::new() };
        let Some(list) = value.as_array().filter(|list| list.len() <= most) else {
            report.broken(self.pointer(name), format!("must be a list of at most {most} texts"));
            return Vec::new();
        };
        let base = self.pointer(name);
        let read = |(index, value)| Some((index, text(value, longest, &format!("{base}/{index}"), report)?));
        list.iter().enumerate().filter_map(read).collect()
    }

    /// What is text in a list, sound or not.
    pub(super) fn strings(&self, name: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        self.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    pub(super) fn integer(
        &self,
        name: &str,
        range: RangeInclusive<i64>,
        report: &mut Violations,
    ) -> Option<i64> {
        let value = self.get(name)?.as_i64().filter(|number| range.contains(number));
        if value.is_none() {
            let (least, most) = range.into_inner();
            report.broken(self.pointer(name), format!("must be a whole number from {least} to {most}"));
        }
        value
    }

    pub(super) fn boolean(&self, name: &str, report: &mut Violations) -> Option<bool> {
        let value = self.get(name)?.as_bool();
        if value.is_none() {
            report.broken(self.pointer(name), "must be true or false");
        }
        value
    }
}

fn text(value: &Value, longest: usize, pointer: &str, report: &mut Violations) -> Option<String> {
    plain_text(value, longest).map_err(|must| report.broken(pointer, must)).ok()
}
