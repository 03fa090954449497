//! Character references.

use std::borrow::Cow;

/// `text` with its character references (`&amp;`, `&#8211;`, `&#x2013;`)
/// replaced. Those of HTML 4 that stand in Western names, titles and addresses
/// are known by name; unknown ones, and those without `;`, stay as written.
#[must_use]
pub fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        decoded.push_str(&rest[..start]);
        rest = &rest[start..];
        // No known reference is longer, so a page full of `&` costs nothing.
        let end = rest.bytes().take(12).position(|byte| byte == b';');
        match end.and_then(|end| Some((end, character(&rest[1..end])?))) {
            Some((end, c)) => {
                decoded.push(c);
                rest = &rest[end + 1..];
            }
            None => {
                decoded.push('&');
                rest = &rest[1..];
            }
        }
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

fn character(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        // What is no character is shown as browsers show it.
        return Some(char::from_u32(code.ok()?).filter(|&c| c != '\0').unwrap_or('\u{fffd}'));
    }
    let latin = || LATIN.split_ascii_whitespace().zip('\u{a0}'..='\u{ff}').find(|(known, _)| *known == name);
    NAMED.iter().find(|(known, _)| *known == name).map(|(_, c)| *c).or_else(|| latin().map(|(_, c)| c))
}

const NAMED: [(&str, char); 22] = [
    ("amp", '&'),
    ("quot", '"'),
    ("apos", '\''),
    ("lt", '<'),
    ("gt", '>'),
    ("ndash", '–'),
    ("mdash", '—'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("sbquo", '‚'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bdquo", '„'),
    ("lsaquo", '‹'),
    ("rsaquo", '›'),
    ("bull", '•'),
    ("hellip", '…'),
    ("euro", '€'),
    ("trade", '™'),
    ("OElig", 'Œ'),
    ("oelig", 'œ'),
    ("Scaron", 'Š'),
];

/// The names of U+00A0 to U+00FF, in order.
const LATIN: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr \
    deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest \
    Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml \
    ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig \
    agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml \
    eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";

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
            ("&#8211;&#x2013;&#X2013;", "–––"),
            ("&hellip;&mdash;", "…—"),
            ("&amp;amp;", "&amp;"),
            ("&#0;&#xD800;&#x110000;", "\u{fffd}\u{fffd}\u{fffd}"),
            ("a?b&copy=1&c;", "a?b&copy=1&c;"),
            ("&", "&"),
            ("&;&#;&#x;&unknown;", "&;&#;&#x;&unknown;"),
            ("ü&amp", "ü&amp"),
            ("&üüüüüüüüüü;", "&üüüüüüüüüü;"),
        ] {
            assert_eq!(decode(text), expect);
        }
    }

    #[test]
    fn the_latin_names_are_complete() {
        assert_eq!(LATIN.split_ascii_whitespace().count(), 96);
    }
}
