//! Reading a JSON body field by field, whatever it holds, so that one answer tells everything that is
//! wrong with it: null is as if absent, what is no text or no whole number becomes one that no rule
//! accepts, and every other form that does not fit is reported.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::{
    error::meant,
    services::violation::{Violations, list_of_at_most, pointer},
};

/// Most fields of an object whose fields are known: each other one is told.
const MOST_FIELDS: usize = 20;

/// An object whose fields are read one by one.
pub(super) struct Form<'a> {
    /// Those that were not read yet.
    fields: Map<String, Value>,
    /// Names of those that were looked for.
    known: Vec<String>,
    pointer: String,
    report: &'a mut Violations,
}

impl<'a> Form<'a> {
    pub(super) fn new(body: Value, report: &'a mut Violations) -> Self {
        let mut form = Self { fields: Map::new(), known: Vec::new(), pointer: String::new(), report };
        match body {
            Value::Object(fields) => form.fields = fields,
            _ => form.report.misread("", "the body must be an object"),
        }
        form
    }

    /// A field that is there and not null.
    fn take(&mut self, name: &str) -> Option<Value> {
        self.known.push(name.to_owned());
        self.fields.remove(name).filter(|value| !value.is_null())
    }

    /// Reports that a field is something else than it `must` be.
    pub(super) fn misread(&mut self, name: &str, must: impl Into<String>) {
        self.report.misread(pointer(&self.pointer, name), must);
    }

    /// Reports a rule that is broken at `place`, a JSON pointer from this object.
    pub(super) fn broken(&mut self, place: &str, must: impl Into<String>) {
        self.report.broken(format!("{}{place}", self.pointer), must);
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.take(name).map(text)
    }

    pub(super) fn number(&mut self, name: &str) -> Option<i64> {
        self.take(name).map(|value| value.as_i64().unwrap_or(i64::MIN))
    }

    /// Like [`Self::number`], whole or not.
    pub(super) fn decimal(&mut self, name: &str) -> Option<f64> {
        self.take(name).map(|value| value.as_f64().unwrap_or(f64::NEG_INFINITY))
    }

    pub(super) fn boolean(&mut self, name: &str) -> Option<bool> {
        let value = self.take(name)?.as_bool();
        if value.is_none() {
            self.misread(name, "must be true or false");
        }
        value
    }

    /// A text that null takes away: none when the field is absent, a none in it when it is null.
    pub(super) fn clearable_text(&mut self, name: &str) -> Option<Option<String>> {
        if self.fields.get(name).is_some_and(Value::is_null) {
            self.take(name);
            return Some(None);
        }
        let value = self.take(name)?;
        // The empty text, that any other becomes, would take away what is there.
        if !value.is_string() {
            self.misread(name, "must be a text or null");
        }
        Some(Some(text(value)))
    }

    /// A number that null takes away, like [`Self::clearable_text`].
    pub(super) fn clearable_number(&mut self, name: &str) -> Option<Option<i64>> {
        if self.fields.get(name).is_some_and(Value::is_null) {
            self.take(name);
            return Some(None);
        }
        self.number(name).map(Some)
    }

    /// [`Self::texts`], none when the field is absent.
    pub(super) fn optional_texts(&mut self, name: &str, most: usize) -> Option<Vec<String>> {
        let given = self.fields.get(name).is_some_and(|value| !value.is_null());
        let texts = self.texts(name, most);
        given.then_some(texts)
    }

    /// A list of texts, of which `most` are allowed. What is none becomes a list of one text that no
    /// rule accepts, for it is not as if nothing were given.
    pub(super) fn texts(&mut self, name: &str, most: usize) -> Vec<String> {
        match self.take(name) {
            None => Vec::new(),
            Some(Value::Array(list)) => list.into_iter().map(text).collect(),
            Some(_) => {
                self.misread(name, list_of_at_most(most));
                vec![String::new()]
            }
        }
    }

    /// A list of numbers, of which `most` are allowed, read like [`Self::texts`].
    pub(super) fn numbers(&mut self, name: &str, most: usize) -> Vec<i64> {
        match self.take(name) {
            None => Vec::new(),
            Some(Value::Array(list)) if list.iter().all(Value::is_i64) => {
                list.iter().filter_map(Value::as_i64).collect()
            }
            Some(_) => {
                self.misread(name, format!("must be a list of at most {most} whole numbers"));
                Vec::new()
            }
        }
    }

    /// An object of at most `most` fields; absent, it has none. One with more is not looked into.
    pub(super) fn object(&mut self, name: &str, most: usize) -> Form<'_> {
        self.object_or(name, most, format!("must be an object of at most {most} fields"))
    }

    /// An object that may have these fields; absent, it has none.
    pub(super) fn object_of(&mut self, name: &str, fields: &[&str]) -> Form<'_> {
        self.object_or(name, MOST_FIELDS, format!("must be an object of these fields: {}", fields.join(", ")))
    }

    fn object_or(&mut self, name: &str, most: usize, must: String) -> Form<'_> {
        let fields = match self.take(name) {
            None => Map::new(),
            Some(Value::Object(fields)) if fields.len() <= most => fields,
            Some(_) => {
                self.misread(name, must);
                Map::new()
            }
        };
        Form { fields, known: Vec::new(), pointer: pointer(&self.pointer, name), report: self.report }
    }

    /// All fields, each with what its object of at most `most` fields holds.
    pub(super) fn into_objects(mut self, most: usize) -> BTreeMap<String, BTreeMap<String, Value>> {
        let mut objects = BTreeMap::new();
        while let Some(name) = self.fields.keys().next().cloned() {
            let values = self.object(&name, most).into_values();
            objects.insert(name, values);
        }
        objects
    }

    /// All fields, as they are.
    pub(super) fn into_values(self) -> BTreeMap<String, Value> {
        self.fields.into_iter().collect()
    }

    /// All fields, as texts.
    pub(super) fn into_texts(self) -> BTreeMap<String, String> {
        let given = self.fields.into_iter().filter(|(_, value)| !value.is_null());
        given.map(|(name, value)| (name, text(value))).collect()
    }

    /// Reports what was not read: those that nobody looked for.
    pub(super) fn end(mut self) {
        for (name, _) in std::mem::take(&mut self.fields) {
            let meant = meant(&name, self.known.iter().map(String::as_str));
            self.misread(&name, format!("is not a field{meant}; see /docs"));
        }
    }
}

/// Any other value becomes the empty text.
fn text(value: Value) -> String {
    match value {
        Value::String(text) => text,
        _ => String::new(),
    }
}
