//! The cipher of Baidu's addresses, in which letters and digits stand for others.

/// What stands for a character that an address has between words.
const MARKS: [(&str, char); 3] = [("_z2C$q", ':'), ("_z&e3B", '.'), ("AzdH3F", '/')];
/// Letters and digits, and what they stand for. All others stand for themselves.
const WRITTEN: &[u8; 33] = b"wkv1ju2it3hs4g5rq6fp7eo8dn9cm0bla";
const MEANT: &[u8; 33] = b"abcdefghijklmnopqrstuvw1234567890";

/// The address that is meant; those that are not obfuscated are given as they are.
pub(crate) fn decode(text: &str) -> String {
    if text.contains("://") {
        return text.to_owned();
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some((mark, meant)) = MARKS.iter().find(|(mark, _)| rest.starts_with(mark)) {
            decoded.push(*meant);
            rest = &rest[mark.len()..];
            continue;
        }
        let place = WRITTEN.iter().position(|&written| char::from(written) == c);
        decoded.push(place.map_or(c, |place| char::from(MEANT[place])));
        rest = &rest[c.len_utf8()..];
    }
    decoded
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The other way round.
    fn encode(address: &str) -> String {
        let mut encoded = String::new();
        for c in address.chars() {
            match (
                MARKS.iter().find(|(_, meant)| *meant == c),
                MEANT.iter().position(|&meant| char::from(meant) == c),
            ) {
                (Some((mark, _)), _) => encoded.push_str(mark),
                (None, Some(place)) => encoded.push(char::from(WRITTEN[place])),
                (None, None) => encoded.push(c),
            }
        }
        encoded
    }

    #[test]
    fn addresses_are_decoded() {
        let written = "ippr_z2C$qAzdH3FAzdH3Ft42_z&e3Bjxw4rsj_z&e3B562AzdH3Fu5x-8_z&e3B3r2";
        assert_eq!(decode(written), "http://img.example.org/fox-1.jpg");
        for address in [
            "http://img.example.org/abcdefghijklmnopqrstuvwxyz-0123456789.JPG?a=b%20c&d=ü",
            "http://a_b.example.org/!~*'()@,;",
        ] {
            assert_eq!(decode(&encode(address)), address);
        }
        assert_eq!(decode("https://img.example.org/wkv.jpg"), "https://img.example.org/wkv.jpg");
        assert_eq!(decode(""), "");
    }
}
