//! Secrets redacted from what comes back, however a site writes them.

use std::ops::Range;

use memchr::memmem;

/// `text` with every one of `secrets` redacted.
pub(super) fn redact(text: String, secrets: &[String]) -> String {
    redactable(secrets).fold(text, |text, secret| {
        let found = find(text.as_bytes(), secret);
        if found.is_empty() {
            return text;
        }
        let (mut redacted, mut rest) = (String::with_capacity(text.len()), 0);
        for place in found {
            redacted += text.get(rest..place.start).unwrap_or_default();
            redacted += "[secret]";
            rest = place.end;
        }
        redacted + text.get(rest..).unwrap_or_default()
    })
}

/// `bytes` with every one of `secrets` overwritten; offsets in a file stay true.
pub(super) fn redact_bytes(mut bytes: Vec<u8>, secrets: &[String]) -> Vec<u8> {
    for secret in redactable(secrets) {
        for place in find(&bytes, secret) {
            bytes[place].fill(b'*');
        }
    }
    bytes
}

/// Whether one of `secrets` is in `text`.
pub(super) fn holds(text: &str, secrets: &[String]) -> bool {
    redactable(secrets).any(|secret| !find(text.as_bytes(), secret).is_empty())
}

/// The longest first, because one may be part of another. What is shorter than four
/// characters keeps nothing secret and would make holes everywhere.
fn redactable(secrets: &[String]) -> impl Iterator<Item = &str> {
    let mut secrets: Vec<&str> = secrets.iter().map(String::as_str).filter(|one| one.len() >= 4).collect();
    secrets.sort_unstable_by_key(|secret| std::cmp::Reverse(secret.len()));
    secrets.dedup();
    secrets.into_iter()
}

/// Where `secret` stands, its characters as they are or escaped as in addresses, JSON or HTML.
/// Letters, digits, `-`, `.` and `_` are escaped nowhere.
fn find(text: &[u8], secret: &str) -> Vec<Range<usize>> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if secret.bytes().all(is_plain) {
        return memmem::find_iter(text, secret).map(|at| at..at + secret.len()).collect();
    }
    let begins = |byte: &u8| secret.as_bytes().first() == Some(byte) || b"%\\&+".contains(byte);
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some(step) = text.get(from..).unwrap_or_default().iter().position(begins) {
        let start = from + step;
        from = start + 1;
        if let Some(end) = end_of(text, start, secret) {
            found.push(start..end);
            from = end;
        }
    }
    found
}

/// Where `secret` ends if it stands at `start`. An escape may also be taken for the characters
/// that it is made of, so there may be several ways; the longest counts.
fn end_of(text: &[u8], start: usize, secret: &str) -> Option<usize> {
    let mut characters = secret.chars();
    let mut ends: Vec<usize> = after(text, start, characters.next()?).collect();
    for character in characters {
        if ends.is_empty() {
            return None;
        }
        ends = ends.iter().flat_map(|&at| after(text, at, character)).collect();
        ends.sort_unstable();
        ends.dedup();
    }
    ends.pop()
}

/// Where the character ends if it stands at `start`: as it is, and escaped.
fn after(text: &[u8], start: usize, character: char) -> impl Iterator<Item = usize> {
    let text = text.get(start..).unwrap_or_default();
    let mut buffer = [0; 4];
    let raw: &[u8] = character.encode_utf8(&mut buffer).as_bytes();
    let plain = text.starts_with(raw).then_some(raw.len());
    let escaped = match text.first() {
        Some(b'+') if character == ' ' => Some(1),
        Some(b'%') => percent(text, raw),
        Some(b'\\') => backslash(text, character),
        Some(b'&') => entity(text, character),
        _ => None,
    };
    [plain, escaped].into_iter().flatten().map(move |length| start + length)
}

/// `%2F` or `%2f`, for each byte.
fn percent(text: &[u8], raw: &[u8]) -> Option<usize> {
    let is_byte = |(escape, &byte): (&[u8], &u8)| escape[0] == b'%' && hex(&escape[1..]) == Some(byte.into());
    let escapes = text.get(..raw.len() * 3)?;
    escapes.chunks(3).zip(raw).all(is_byte).then_some(escapes.len())
}

/// `\/` and `\u002f`, as in JSON and JavaScript.
fn backslash(text: &[u8], character: char) -> Option<usize> {
    if text.get(1).is_some_and(|&byte| char::from(byte) == character && !byte.is_ascii_alphanumeric()) {
        return Some(2);
    }
    let mut units = [0; 2];
    let units = character.encode_utf16(&mut units);
    let is_unit = |(escape, &mut unit): (&[u8], &mut u16)| {
        escape.starts_with(b"\\u") && hex(&escape[2..]) == Some(unit.into())
    };
    let escapes = text.get(..units.len() * 6)?;
    escapes.chunks(6).zip(units).all(is_unit).then_some(escapes.len())
}

/// `&amp;`, `&#38;` and `&#x26;`.
fn entity(text: &[u8], character: char) -> Option<usize> {
    const LONGEST: usize = 10;
    let end = text.iter().take(LONGEST).position(|&byte| byte == b';')?;
    let meant = match text.get(1..end)? {
        b"amp" => '&',
        b"quot" => '"',
        b"apos" => '\'',
        b"lt" => '<',
        b"gt" => '>',
        [b'#', b'x' | b'X', digits @ ..] => char::from_u32(hex(digits)?)?,
        [b'#', digits @ ..] => char::from_u32(std::str::from_utf8(digits).ok()?.parse().ok()?)?,
        _ => return None,
    };
    (meant == character).then_some(end + 1)
}

fn hex(digits: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
    u32::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::form_urlencoded::byte_serialize;

    use super::*;

    fn check(secret: &str, written: &str) {
        let secrets = [secret.to_owned()];
        assert_eq!(redact(format!("<{written}> {written}"), &secrets), "<[secret]> [secret]", "{written}");
        let bytes = redact_bytes(format!("<{written}>").into_bytes(), &secrets);
        assert_eq!(bytes, format!("<{}>", "*".repeat(written.len())).into_bytes());
        assert!(holds(written, &secrets));
    }

    #[test]
    fn every_way_to_write_it() {
        for written in [
            r#"a&b<c!d~e/f "é"#,
            "a%26b%3Cc%21d%7Ee%2Ff+%22%C3%A9",
            "a%26b%3Cc!d~e%2Ff%20%22%C3%A9",
            "a%26b%3cc!d~e%2ff%20%22%c3%a9",
            r#"a&b<c!d~e/f \"é"#,
            r#"a\u0026b\u003cc!d~e\/f \"\u00E9"#,
            "a&amp;b&lt;c!d~e/f &quot;é",
            "a&#38;b&#60;c!d~e&#x2F;f &#x22;&#233;",
        ] {
            check(r#"a&b<c!d~e/f "é"#, written);
        }
        for (secret, written) in [
            ("%25%", "%25%"),
            ("%25%", "%25%25"),
            ("%25%", "%2525%25"),
            (r"\\\n", r"\\\n"),
            (r"\\\n", r"\\\\\\n"),
        ] {
            check(secret, written);
        }
        assert_eq!(redact("abc".to_owned(), &["abc".to_owned()]), "abc", "too short to be a secret");
        assert_eq!(
            redact("canary-1 canary".to_owned(), &["canary".to_owned(), "canary-1".to_owned()]),
            "[secret] [secret]"
        );
        assert!(!holds("a%2", &["a%2/".to_owned()]) && !holds("a&#47", &["a/b/".to_owned()]));
    }

    proptest! {
        #[test]
        fn nothing_of_it_is_left(secret in "\\PC{4,12}", around in "\\PC{0,12}") {
            let html = secret.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
            let form: String = byte_serialize(secret.as_bytes()).collect();
            let json = serde_json::Value::from(secret.as_str()).to_string();
            for written in [secret.clone(), html, form, json.trim_matches('"').to_owned()] {
                if written.ends_with('\\') {
                    continue;
                }
                let text = format!("{around}{written}{around}");
                let redacted = redact(text.clone(), std::slice::from_ref(&secret));
                prop_assert!(redacted.contains("[secret]"), "{}", text);
                prop_assert_eq!(redact_bytes(text.clone().into_bytes(), std::slice::from_ref(&secret)).len(), text.len());
            }
        }
    }
}
