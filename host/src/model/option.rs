//! The values that an option takes, whoever gives them: a job, a preview, a cassette.

use serde_json::Value;

use super::{OptionKind, OptionSpec};

/// Longest value of an option, in characters.
const LONGEST_VALUE: usize = 2_000;

impl OptionSpec {
    /// The value as the source is given it; the declared default where none is `given`. Numbers,
    /// truth values and lists of choices may be written as such or as text.
    ///
    /// # Errors
    /// What must be the case, in words that follow the name.
    pub fn value(&self, given: Option<&Value>) -> Result<Option<String>, String> {
        let Some(given) = given.filter(|value| !value.is_null()) else {
            return match &self.default {
                None if self.required => Err(format!("is required: {}", self.help)),
                default => Ok(default.clone()),
            };
        };
        let choice = |value: &str| self.choices.iter().any(|(known, _)| known == value);
        let written = match given {
            Value::Array(values) if self.kind == OptionKind::Choices => {
                values.iter().map(Value::as_str).collect::<Option<Vec<_>>>().map(|values| values.join(","))
            }
            Value::Number(number) if self.kind == OptionKind::Integer => Some(number.to_string()),
            Value::Bool(value) if self.kind == OptionKind::Boolean => Some(value.to_string()),
            Value::String(value) => Some(value.clone()),
            _ => None,
        };
        let written = written.filter(|value| value.chars().count() <= LONGEST_VALUE);
        let is_sound = match (self.kind, written.as_deref()) {
            (OptionKind::Text, _) => {
                // What is no text is refused like an empty one.
                return plain_text(given.as_str().unwrap_or_default(), LONGEST_VALUE).map(Some);
            }
            (OptionKind::Integer, value) => value.is_some_and(|value| value.parse::<i64>().is_ok()),
            (OptionKind::Boolean, value) => matches!(value, Some("true" | "false")),
            (OptionKind::Choice, value) => value.is_some_and(choice),
            (OptionKind::Choices, value) => value.is_some_and(|value| value.split(',').all(choice)),
        };
        if is_sound { Ok(written) } else { Err(format!("must be {}", self.form(usize::MAX))) }
    }

    /// What a value must be, in words; of its choices at most `most` are named.
    #[must_use]
    pub fn form(&self, most: usize) -> String {
        let choices = || {
            let named = self.choices.iter().take(most).map(|(known, _)| known.as_str());
            let more = (self.choices.len() > most).then_some("…");
            named.chain(more).collect::<Vec<_>>().join(", ")
        };
        match self.kind {
            OptionKind::Text => "text".to_owned(),
            OptionKind::Integer => "a whole number".to_owned(),
            OptionKind::Boolean => "true or false".to_owned(),
            OptionKind::Choice => format!("one of: {}", choices()),
            OptionKind::Choices => format!("some of: {}", choices()),
        }
    }
}

/// `text`, trimmed, of 1 to `longest` characters. Control characters are refused because they mean
/// nothing here, and because Postgres cannot store the first of them.
///
/// # Errors
/// That this must be the case.
pub fn plain_text(text: &str, longest: usize) -> Result<String, String> {
    // As it was sent: padding without end is nobody's name.
    let fits = text.chars().count() <= longest;
    let text = text.trim();
    if fits && !text.is_empty() && !text.contains(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(format!("must be text of 1 to {longest} characters, none of them a control character"))
}
