//! Character references.

use std::borrow::Cow;

/// Where a reference stands, which decides what is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In text, where `&copy2024` is `©2024`.
    Text,
    /// In an attribute, where `&copy=1` is part of an address.
    Attribute,
    /// In XML, where every reference ends with `;`. Other names than XML's own are known
    /// all the same: feeds use them.
    Xml,
}

/// `text` with its character references (`&amp;`, `&#8211;`, `&#x2013;`, `&rarr;`)
/// replaced as in the value of an attribute: without `;`, where HTML allows that, only in front of
/// what is neither a letter, a digit nor `=`, so that no address is spoilt.
#[must_use]
pub fn decode(text: &str) -> Cow<'_, str> {
    replace(text, Place::Attribute)
}

/// As browsers do; line breaks become `\n`.
pub(crate) fn replace(text: &str, place: Place) -> Cow<'_, str> {
    // Bytes are looked through much faster than characters.
    let mark = |text: &str| text.bytes().position(|byte| matches!(byte, b'&' | b'\r'));
    if mark(text).is_none() {
        return Cow::Borrowed(text);
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = mark(rest) {
        decoded.push_str(&rest[..start]);
        rest = &rest[start..];
        if let Some(after) = rest.strip_prefix('\r') {
            decoded.push('\n');
            rest = after.strip_prefix('\n').unwrap_or(after);
            continue;
        }
        let number = rest.strip_prefix("&#");
        let length = match number {
            Some(number) => numeric(number, place, &mut decoded).map(|length| 2 + length),
            None => named(&rest[1..], place, &mut decoded).map(|length| 1 + length),
        };
        match length {
            Some(length) => rest = &rest[length..],
            None => {
                decoded.push('&');
                rest = &rest[1..];
            }
        }
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

/// Reads what stands behind `&#` and writes what it means; the bytes read.
fn numeric(text: &str, place: Place, decoded: &mut String) -> Option<usize> {
    let (digits, radix) = match text.strip_prefix(['x', 'X']) {
        Some(digits) => (digits, 16),
        None => (text, 10),
    };
    let count = digits.bytes().take_while(|&byte| char::from(byte).is_digit(radix)).count();
    let ends = digits[count..].starts_with(';');
    if count == 0 || (place == Place::Xml && !ends) {
        return None;
    }
    let code = u32::from_str_radix(&digits[..count], radix).unwrap_or(u32::MAX);
    decoded.push(match code {
        // Written by programs that meant the Windows character set.
        0x80..=0x9f => WINDOWS[code as usize - 0x80],
        // What is no character is shown as browsers show it.
        0 => char::REPLACEMENT_CHARACTER,
        _ => char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
    });
    Some(text.len() - digits.len() + count + usize::from(ends))
}

/// Reads what stands behind `&` and writes what it means; the bytes read.
fn named(text: &str, place: Place, decoded: &mut String) -> Option<usize> {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric();
    // No name is longer, so a page full of `&` costs nothing.
    let length = text.bytes().take(LONGEST + 1).take_while(is_name).count();
    if text[length..].starts_with(';')
        && let Some(characters) = find(&text[..length])
    {
        decoded.extend(characters);
        return Some(length + 1);
    }
    if place == Place::Xml {
        return None;
    }
    let known = |length: &usize| BARE.split_ascii_whitespace().any(|name| name == &text[..*length]);
    let length = (2..=length.min(LONGEST_BARE)).rev().find(known)?;
    let goes_on = text.as_bytes().get(length).is_some_and(|byte| is_name(byte) || *byte == b'=');
    if place == Place::Attribute && goes_on {
        return None;
    }
    decoded.extend(find(&text[..length])?);
    Some(length)
}

/// The characters of that name, by halving the list.
fn find(name: &str) -> Option<impl Iterator<Item = char>> {
    let mut list = NAMES;
    while !list.is_empty() {
        let start = list[..list.len() / 2].rfind('\n').map_or(0, |at| at + 1);
        let end = list[start..].find('\n').map_or(list.len(), |at| start + at + 1);
        let (known, codes) = list[start..end].trim_end().split_once(' ')?;
        match name.cmp(known) {
            std::cmp::Ordering::Less => list = &list[..start],
            std::cmp::Ordering::Greater => list = &list[end..],
            std::cmp::Ordering::Equal => {
                let character = |code| u32::from_str_radix(code, 16).ok().and_then(char::from_u32);
                return Some(codes.split('+').filter_map(character));
            }
        }
    }
    None
}

/// HTML's names, sorted, each with its characters: `NotEqualTilde 2242+338`.
const NAMES: &str = include_str!("entities.txt");
/// Bytes of the longest of them, and of those in `BARE`.
const LONGEST: usize = 31;
const LONGEST_BARE: usize = 6;
/// Those that need no `;`.
const BARE: &str = "AElig AMP Aacute Acirc Agrave Aring Atilde Auml COPY Ccedil ETH Eacute Ecirc Egrave Euml GT \
    Iacute Icirc Igrave Iuml LT Ntilde Oacute Ocirc Ograve Oslash Otilde Ouml QUOT REG THORN Uacute Ucirc \
    Ugrave Uuml Yacute aacute acirc acute aelig agrave amp aring atilde auml brvbar ccedil cedil cent copy \
    curren deg divide eacute ecirc egrave eth euml frac12 frac14 frac34 gt iacute icirc iexcl igrave iquest \
    iuml laquo lt macr micro middot nbsp not ntilde oacute ocirc ograve ordf ordm oslash otilde ouml para \
    plusmn pound quot raquo reg sect shy sup1 sup2 sup3 szlig thorn times uacute ucirc ugrave uml uuml \
    yacute yen yuml";
/// What Windows has from 0x80 to 0x9F.
const WINDOWS: [char; 32] = [
    '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}', '\u{90}',
    '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        for (text, expect) in [
            ("plain", "plain"),
            ("a&amp;b", "a&b"),
            ("&lt;&gt;&quot;&apos;&#39;", "<>\"''"),
            ("&nbsp;&copy;&eacute;&Uuml;&yuml;&szlig;&divide;", "\u{a0}©éÜÿß÷"),
            ("&#8211;&#x2013;&#X2013;&#8211", "––––"),
            ("&hellip;&mdash;&rarr;&Ccaron;&alpha;&zwnj;&NotEqualTilde;", "…—→Čα\u{200c}≂̸"),
            ("&AElig;&zwj;&CounterClockwiseContourIntegral;", "Æ\u{200d}∳"),
            ("A fox&#146;s den &#150; &#x93;red&#148;", "A fox’s den – “red”"),
            ("&amp;amp;", "&amp;"),
            ("&#0;&#xD800;&#x110000;&#99999999999;", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            ("&", "&"),
            ("&;&#;&#x;&unknown;", "&;&#;&#x;&unknown;"),
            ("a\r\nb\rc", "a\nb\nc"),
            ("&üüüüüüüüüü;", "&üüüüüüüüüü;"),
        ] {
            for place in [Place::Text, Place::Attribute] {
                assert_eq!(replace(text, place), expect);
            }
        }
    }

    #[test]
    fn references_without_their_end() {
        for (text, in_text, in_attribute, in_xml) in [
            ("&copy 2024", "© 2024", "© 2024", "&copy 2024"),
            ("a?b&copy=1&c;", "a?b©=1&c;", "a?b&copy=1&c;", "a?b&copy=1&c;"),
            ("&notit; &notin;", "¬it; ∉", "&notit; ∉", "&notit; ∉"),
            ("ü&amp", "ü&", "ü&", "ü&amp"),
            ("&#38b=1", "&b=1", "&b=1", "&#38b=1"),
            ("&ampersand", "&ersand", "&ampersand", "&ampersand"),
            ("&rarr", "&rarr", "&rarr", "&rarr"),
        ] {
            assert_eq!(replace(text, Place::Text), in_text);
            assert_eq!(replace(text, Place::Attribute), in_attribute);
            assert_eq!(replace(text, Place::Xml), in_xml);
        }
    }

    #[test]
    fn every_name_is_found() {
        let lines: Vec<_> = NAMES.lines().filter_map(|line| line.split_once(' ')).collect();
        assert_eq!(lines.len(), NAMES.lines().count());
        assert!(lines.is_sorted());
        for (name, codes) in lines {
            assert!(
                name.len() <= LONGEST && find(name).unwrap().count() == codes.split('+').count(),
                "{name}"
            );
        }
        assert!(BARE.split(' ').all(|name| find(name).is_some()));
        assert_eq!(find("").map(Iterator::count), None);
    }
}
