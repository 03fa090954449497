//! Rows of comma-separated values as RFC 4180 has them.

/// A row. A field that needs no quotes has none; a text that is empty has them, which tells it from none.
pub(super) fn row<'a>(fields: impl IntoIterator<Item = Option<&'a str>>) -> Vec<u8> {
    let mut row = String::new();
    for (position, field) in fields.into_iter().enumerate() {
        if position > 0 {
            row.push(',');
        }
        let Some(field) = field else { continue };
        if field.is_empty()
            || field.contains(['"', ',', '\r', '\n'])
            || field.starts_with(' ')
            || field.ends_with(' ')
        {
            row.push('"');
            row += &field.replace('"', "\"\"");
            row.push('"');
        } else {
            row += field;
        }
    }
    row += "\r\n";
    row.into_bytes()
}

/// What a spreadsheet shows as this text, where it would else take it for a formula: with an apostrophe
/// before it.
pub(super) fn shown(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_a_meaning_is_quoted() {
        let fields = [Some("a"), None, Some(""), Some("b,\"c\"\r\nd"), Some(" e"), Some("=f()")];
        assert_eq!(row(fields), b"a,,\"\",\"b,\"\"c\"\"\r\nd\",\" e\",=f()\r\n");
        assert_eq!(
            ["=1+1", "-x", "+4", "@a", "\t=1", "a=b", ""].map(shown).join(" "),
            "'=1+1 '-x '+4 '@a '\t=1 a=b "
        );
    }
}
