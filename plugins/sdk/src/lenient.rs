//! Fields that only decorate: however a site writes them, the picture is one all the same.

use std::{borrow::Borrow, collections::BTreeMap};

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::{Error, Found, Result};

/// A field beside the address of a picture. What is null or of another type than `T` is not
/// known, and costs its result nothing but that; likewise within a list (`Lenient<Vec<Lenient<T>>>`).
/// A field that is not there is missed unless it has a default, as that of any other type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lenient<T>(pub Option<T>);

/// Yes or no. Yes is `true`, a number other than 0, or a text that says so (`"true"`, `"yes"`,
/// `"1"`); everything else is no.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flag(pub bool);

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Lenient<Vec<Lenient<T>>> {
    /// The elements that are known.
    pub fn known(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten().filter_map(|Lenient(element)| element.as_ref())
    }
}

impl Lenient<String> {
    /// The text without space around it, where it says anything.
    #[must_use]
    pub fn said(&self) -> Option<String> {
        self.0.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
    }
}

impl<'de, T: for<'text> Deserialize<'text>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(given.get()).ok()))
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Box::<RawValue>::deserialize(deserializer)?;
        let text: Option<String> = serde_json::from_str(given.get()).ok();
        let said = text.as_deref().unwrap_or(given.get()).trim();
        let is_yes = ["true", "yes"].iter().any(|yes| yes.eq_ignore_ascii_case(said));
        Ok(Self(is_yes || said.parse().is_ok_and(|number: f64| number != 0.0 && !number.is_nan())))
    }
}

impl Found {
    /// Checks that one of an answer's results at least has each of these fields, of whatever type: a
    /// source that reads leniently would otherwise lose in silence what a site has renamed.
    ///
    /// # Errors
    ///
    /// `layout-changed` when none has one of them. One that only some results lack is theirs.
    pub fn expect_fields(results: &[impl Borrow<RawValue>], fields: &[&str]) -> Result<()> {
        match missing(results, fields) {
            Some(field) => Err(Error::LayoutChanged(format!("no result has the field `{field}`"))),
            None => Ok(()),
        }
    }

    /// As [`expect_fields`](Self::expect_fields), for fields that others stand in for and for those of
    /// an object within (`user.name`), which may be missing because the object is an odd one: a warning.
    pub fn warn_missing(&mut self, results: &[impl Borrow<RawValue>], fields: &[&str]) {
        let warn = |field| format!("no result has the field `{field}`; the site may have changed");
        self.warnings.extend(missing(results, fields).map(warn));
    }
}

/// The first of the fields that no object has.
fn missing<'a>(results: &[impl Borrow<RawValue>], fields: &[&'a str]) -> Option<&'a str> {
    let mut objects = results.iter().filter_map(|result| object(result.borrow())).peekable();
    objects.peek()?;
    let mut missing = fields.to_vec();
    for object in objects {
        missing.retain(|field| !has(&object, field));
        if missing.is_empty() {
            break;
        }
    }
    missing.first().copied()
}

type Object<'a> = BTreeMap<String, &'a RawValue>;

fn object(json: &RawValue) -> Option<Object<'_>> {
    serde_json::from_str(json.get()).ok()
}

/// Whether the object has the field. What is no object may have any within.
fn has(object: &Object<'_>, field: &str) -> bool {
    let (name, within) = field.split_once('.').map_or((field, None), |(name, rest)| (name, Some(rest)));
    let inner = |value: &&RawValue, rest: &str| self::object(value).is_none_or(|inner| has(&inner, rest));
    object.get(name).is_some_and(|value| within.is_none_or(|rest| inner(value, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Side, Whole};

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default)]
    struct Picture {
        title: Lenient<String>,
        size: Lenient<Whole<u64>>,
        tags: Lenient<Vec<Lenient<Tag>>>,
        width: Side,
        is_safe: Flag,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    struct Tag {
        name: String,
    }

    const ODD: [&str; 9] =
        ["null", "true", "7", "-7.5", "1e400", r#""""#, r#""odd""#, "[[7]]", r#"{"a": 7}"#];

    #[test]
    fn an_odd_type_costs_only_its_field() {
        for odd in ODD {
            let json = format!(
                r#"{{"title": {odd}, "size": {odd}, "tags": {odd}, "width": {odd}, "is_safe": {odd}}}"#
            );
            let read: Picture = serde_json::from_str(&json).unwrap();
            let text = odd.strip_prefix('"').and_then(|odd| odd.strip_suffix('"'));
            assert_eq!(read.title.0.as_deref(), text, "{odd}");
            assert_eq!(read.size.0, (odd == "7").then_some(Whole(7)), "{odd}");
            assert_eq!(read.tags.known().count(), 0, "{odd}");
            assert_eq!(read.width.0, (odd == "7").then_some(7), "{odd}");
        }
        assert_eq!(serde_json::from_str::<Picture>("{}").unwrap(), Picture::default());
    }

    #[test]
    fn an_odd_element_costs_only_itself() {
        let json = r#"{"tags": [null, {"name": "fox"}, 7, {"name": null}, {}, [], {"name": "hare"}]}"#;
        let read: Picture = serde_json::from_str(json).unwrap();
        assert_eq!(read.tags.known().map(|tag| tag.name.as_str()).collect::<Vec<_>>(), ["fox", "hare"]);
    }

    #[test]
    fn a_field_that_is_not_there_is_missed() {
        #[derive(Debug, Deserialize)]
        struct Named {
            #[expect(dead_code, reason = "only whether it is there counts")]
            title: Lenient<String>,
        }
        let fault = serde_json::from_str::<Named>("{}").unwrap_err().to_string();
        assert!(fault.starts_with("missing field `title`"), "{fault}");
    }

    #[test]
    fn yes_and_no() {
        for (json, expect) in [
            ("true", true),
            ("1", true),
            ("1.0", true),
            ("-1", true),
            (r#""True""#, true),
            (r#""yes""#, true),
            (r#"" 1 ""#, true),
            ("false", false),
            ("0", false),
            ("0.0", false),
            ("null", false),
            (r#""""#, false),
            (r#""0""#, false),
            (r#""no""#, false),
            (r#""NaN""#, false),
            ("[true]", false),
            (r#"{"a": true}"#, false),
        ] {
            assert_eq!(serde_json::from_str::<Flag>(json).unwrap(), Flag(expect), "{json}");
        }
    }

    #[test]
    fn texts_that_say_something() {
        for (text, expect) in
            [(Some(" a b\n"), Some("a b")), (Some("a"), Some("a")), (Some(" "), None), (None, None)]
        {
            assert_eq!(Lenient(text.map(str::to_owned)).said().as_deref(), expect, "{text:?}");
        }
    }

    #[test]
    fn a_field_that_no_result_has_is_missed() {
        let fields = &["title", "user.name"];
        for (results, expect) in [
            ("[]", None),
            (r#"[7, null, "a", []]"#, None),
            (r#"[{"title": "", "user": {"name": null}}]"#, None),
            (r#"[{"title": null}, {"user": {"name": 7}}]"#, None),
            (r#"[{"title": 7, "user": null}]"#, None),
            (r#"[{"titl\u0065": 7, "user": []}]"#, None),
            ("[{}]", Some("title")),
            (r#"[{"Title": 7, "user": null}, 7]"#, Some("title")),
            (r#"[{"title": 7}, {"title": 7}]"#, Some("user.name")),
            (r#"[{"title": 7, "user": {}}]"#, Some("user.name")),
        ] {
            let json: Vec<Box<RawValue>> = serde_json::from_str(results).unwrap();
            let fault = expect.map(|field| format!("no result has the field `{field}`"));
            let error = fault.clone().map_or(Ok(()), |fault| Err(Error::LayoutChanged(fault)));
            assert_eq!(Found::expect_fields(&json, fields), error, "{results}");
            let mut found = Found::default();
            found.warn_missing(&json, fields);
            let warnings = Vec::from_iter(fault.map(|fault| format!("{fault}; the site may have changed")));
            assert_eq!(found.warnings, warnings, "{results}");
        }
    }
}
