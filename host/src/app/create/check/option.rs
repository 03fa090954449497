//! The options of a job's sources, against what each source declares.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    MOST_SOURCES, Offered,
    field::{Fields, Report, text},
};
use crate::source::{OptionKind, OptionSpec};

/// Most options of one source.
pub(super) const MOST_OPTIONS: usize = 100;
/// Longest value of an option, in characters.
const LONGEST_VALUE: usize = 2_000;

/// Values per source, defaults filled in. What a source does not declare is refused.
pub(super) fn options(
    fields: &Fields<'_>,
    sources: &[&Offered],
    report: &mut Report,
) -> BTreeMap<String, BTreeMap<String, String>> {
    let given = fields.object("options", MOST_SOURCES, report);
    if let Some(given) = &given {
        for key in given.keys().filter(|key| sources.iter().all(|source| source.info.id != **key)) {
            report.broken(given.pointer(key), "is not a source of this job");
        }
    }
    let mut options = BTreeMap::new();
    for source in sources {
        let id = &source.info.id;
        let given = given.as_ref().and_then(|given| given.object(id, MOST_OPTIONS, report));
        let values = of_source(source, given.as_ref(), &format!("/options/{id}"), report);
        if !values.is_empty() {
            options.insert(id.clone(), values);
        }
    }
    options
}

/// The values of one source, defaults filled in; `given` stands at `base`.
pub(super) fn of_source(
    source: &Offered,
    given: Option<&Fields<'_>>,
    base: &str,
    report: &mut Report,
) -> BTreeMap<String, String> {
    let declared: Vec<&str> = source.info.options.iter().map(|spec| spec.name.as_str()).collect();
    if let Some(fields) = given {
        fields.only(&declared, report);
    }
    let specs = source.info.options.iter();
    specs.filter_map(|spec| Some((spec.name.clone(), value(spec, base, given, report)?))).collect()
}

fn value(spec: &OptionSpec, base: &str, given: Option<&Fields<'_>>, report: &mut Report) -> Option<String> {
    let pointer = format!("{base}/{}", spec.name.replace('~', "~0").replace('/', "~1"));
    let Some(given) = given.and_then(|given| given.get(&spec.name)) else {
        if spec.required && spec.default.is_none() {
            report.broken(pointer, format!("is required: {}", spec.help));
        }
        return spec.default.clone();
    };
    let choice = |value: &str| spec.choices.iter().any(|(known, _)| known == value);
    let choices = || spec.choices.iter().map(|(known, _)| known.as_str()).collect::<Vec<_>>().join(", ");
    let written = match given {
        Value::Array(values) if spec.kind == OptionKind::Choices => {
            values.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(|values| values.join(","))
        }
        Value::Number(number) if spec.kind == OptionKind::Integer => Some(number.to_string()),
        Value::Bool(value) if spec.kind == OptionKind::Boolean => Some(value.to_string()),
        Value::String(value) => Some(value.clone()),
        _ => None,
    };
    let written = written.filter(|value| value.chars().count() <= LONGEST_VALUE);
    let (sound, must_be) = match (spec.kind, written.as_deref()) {
        (OptionKind::Text, _) => return text(given, LONGEST_VALUE, &pointer, report),
        (OptionKind::Integer, value) => {
            (value.is_some_and(|value| value.parse::<i64>().is_ok()), "a whole number".to_owned())
        }
        (OptionKind::Boolean, value) => (matches!(value, Some("true" | "false")), "true or false".to_owned()),
        (OptionKind::Choice, value) => (value.is_some_and(choice), format!("one of: {}", choices())),
        (OptionKind::Choices, value) => {
            (value.is_some_and(|value| value.split(',').all(choice)), format!("some of: {}", choices()))
        }
    };
    if !sound {
        report.broken(pointer, format!("must be {must_be}"));
        return None;
    }
    written
}
