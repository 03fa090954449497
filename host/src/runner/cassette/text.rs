//! A cassette as text, in the form in which people write one.

use toml::{Table, Value};

use super::{Cassette, CassetteError, Expect};

impl Cassette {
    /// The file's text; `purpose` is its first line.
    #[must_use]
    pub fn to_text(&self, purpose: &str) -> String {
        let mut text = format!("# {purpose}\nsource = {}\n\n", Value::from(self.source.as_str()));
        text += &section("[query]", table(&self.query));
        for exchange in &self.exchanges {
            let mut request = table(exchange);
            let answer = request.remove("answer");
            text += &section("\n[[exchange]]", request);
            if let Some(Value::Table(answer)) = answer {
                text += &section("[exchange.answer]", answer);
            }
        }
        text + &self.expect.as_ref().map(|expect| format!("\n{}", expect.to_text())).unwrap_or_default()
    }

    /// `text`, a cassette's file, with its expectations replaced and all else untouched.
    ///
    /// # Errors
    /// When other parts follow the expectations.
    pub fn updated(text: &str, expect: &Expect) -> Result<String, CassetteError> {
        let before = Self::parse(text)?;
        let kept = match before.expect {
            // The last such line: one before it is part of a body.
            Some(_) => lines_with_offsets(text)
                .filter(|(_, line)| line.trim() == "[expect]")
                .last()
                .map(|(offset, _)| &text[..offset])
                .ok_or(CassetteError::ExpectNotLast)?,
            None => text,
        };
        let updated = format!("{}\n\n{}", kept.trim_end(), expect.to_text());
        let after = Self::parse(&updated).map_err(|_| CassetteError::ExpectNotLast)?;
        // Said anew, because the order of pairs does not count.
        let meant = Self { expect: Some(expect.clone()), ..before };
        if after.to_text("") == meant.to_text("") { Ok(updated) } else { Err(CassetteError::ExpectNotLast) }
    }
}

impl Expect {
    /// The part of a file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut expect = table(self);
        expect.remove("candidate");
        let mut text = section("[expect]", expect);
        for candidate in &self.candidates {
            text += &section("\n[[expect.candidate]]", table(candidate));
        }
        text
    }
}

/// One line for each key; bodies of several lines stay readable.
pub(in crate::runner) fn lines(table: &Table) -> String {
    let mut text = String::new();
    for (name, value) in table {
        let value = match value {
            Value::String(body) if name == "text" && body.contains(['\n', '"']) => block(body),
            value => value.to_string(),
        };
        let bare = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        let name = if bare { name.clone() } else { Value::from(name.as_str()).to_string() };
        text += &format!("{name} = {value}\n");
    }
    text
}

fn section(head: &str, table: Table) -> String {
    format!("{head}\n{}", lines(&table))
}

/// A literal block where TOML can hold the text unchanged.
fn block(text: &str) -> String {
    let literal = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    if text.contains("'''") || text.ends_with('\'') || !text.chars().all(literal) {
        return Value::from(text).to_string();
    }
    format!("'''\n{text}'''")
}

/// All that is written can be: texts, numbers, lists and tables of these.
fn table(part: &impl serde::Serialize) -> Table {
    Table::try_from(part).unwrap_or_default()
}

fn lines_with_offsets(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |offset, line| {
        let at = *offset;
        *offset += line.len();
        Some((at, line))
    })
}
