//! What a document says of its own encoding, as the HTML standard reads it ("prescan a byte stream to
//! determine its encoding", "get an XML encoding"). Pure.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};

/// The encoding that HTML declares in a `meta`, or else as XML does.
pub(super) fn of_html(document: &[u8]) -> Option<&'static Encoding> {
    Prescan { rest: document }.run().or_else(|| of_xml(document))
}

/// The encoding in `<?xml … encoding="…"?>`.
pub(super) fn of_xml(document: &[u8]) -> Option<&'static Encoding> {
    // The beginning of a declaration shows how it is written.
    for (encoding, begin) in [(UTF_16LE, b"<\0?\0x\0"), (UTF_16BE, b"\0<\0?\0x")] {
        if document.starts_with(begin) {
            return Some(encoding);
        }
    }
    let declaration = document.trim_ascii_start().strip_prefix(b"<?xml")?;
    let declaration = &declaration[..memchr::memchr(b'>', declaration)?];
    let after = &declaration[memchr::memmem::find(declaration, b"encoding")? + b"encoding".len()..];
    let value = after.trim_ascii_start().strip_prefix(b"=")?.trim_ascii_start();
    let (quote, value) = value.split_first().filter(|(quote, _)| matches!(quote, b'"' | b'\''))?;
    named(&value[..memchr::memchr(*quote, value)?])
}

/// The encoding of that label, where it was read as ASCII: one that claims UTF-16 is wrong and means UTF-8.
fn named(label: &[u8]) -> Option<&'static Encoding> {
    Some(match Encoding::for_label(label)? {
        encoding if encoding == UTF_16LE || encoding == UTF_16BE => UTF_8,
        encoding if encoding == X_USER_DEFINED => WINDOWS_1252,
        encoding => encoding,
    })
}

/// What is left to look at. Nothing is said where it ends in the midst of a tag.
struct Prescan<'a> {
    rest: &'a [u8],
}

const fn is_space(byte: &u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\x0c' | b'\r' | b' ')
}

impl<'a> Prescan<'a> {
    fn run(mut self) -> Option<&'static Encoding> {
        loop {
            self.rest = &self.rest[memchr::memchr(b'<', self.rest)?..];
            let is_tag = |name: &[u8]| name.first().is_some_and(u8::is_ascii_alphabetic);
            match &self.rest[1..] {
                [b'!', b'-', b'-', ..] => {
                    // Its dashes may be those of the end, too.
                    self.rest = &self.rest[2..];
                    self.rest = &self.rest[memchr::memmem::find(self.rest, b"-->")? + 3..];
                }
                [b'm' | b'M', b'e' | b'E', b't' | b'T', b'a' | b'A', next, ..]
                    if is_space(next) || *next == b'/' =>
                {
                    self.rest = &self.rest[5..];
                    if let Some(encoding) = self.meta()? {
                        return Some(encoding);
                    }
                }
                [b'/', name @ ..] | name if is_tag(name) => {
                    let end = self.rest.iter().position(|byte| is_space(byte) || *byte == b'>');
                    self.rest = &self.rest[end?..];
                    while self.attribute()?.is_some() {}
                }
                [b'!' | b'/' | b'?', ..] => self.rest = &self.rest[memchr::memchr(b'>', self.rest)? + 1..],
                _ => self.rest = &self.rest[1..],
            }
        }
    }

    /// The encoding that this `meta` declares; none at all when the bytes end within it.
    fn meta(&mut self) -> Option<Option<&'static Encoding>> {
        let mut seen: Vec<Vec<u8>> = Vec::new();
        let (mut is_pragma, mut needs_pragma, mut declared) = (false, None, None);
        while let Some((name, value)) = self.attribute()? {
            if seen.contains(&name) {
                continue;
            }
            match &name[..] {
                b"http-equiv" => is_pragma |= value == b"content-type",
                b"content" if declared.is_none() => {
                    declared = in_content(&value);
                    needs_pragma = needs_pragma.or(declared.map(|_| true));
                }
                b"charset" => (declared, needs_pragma) = (named(&value), Some(false)),
                _ => {}
            }
            seen.push(name);
        }
        Some(declared.filter(|_| needs_pragma == Some(false) || is_pragma))
    }

    /// Name and value of the next attribute, in lower case; `Some(None)` where there is no more, and none at
    /// all when the bytes end before that is known.
    #[expect(clippy::option_option, reason = "the end of the bytes ends everything")]
    fn attribute(&mut self) -> Option<Option<(Vec<u8>, Vec<u8>)>> {
        self.skip(|byte| is_space(byte) || *byte == b'/');
        if *self.rest.first()? == b'>' {
            return Some(None);
        }
        // An equals sign may begin a name.
        let end = 1 + self.rest[1..].iter().position(|b| is_space(b) || matches!(b, b'=' | b'/' | b'>'))?;
        let name = self.take(end);
        self.skip(is_space);
        if *self.rest.first()? != b'=' {
            return Some(Some((name, Vec::new())));
        }
        self.take(1);
        self.skip(is_space);
        let value = match *self.rest.first()? {
            quote @ (b'"' | b'\'') => {
                self.take(1);
                let value = self.take(memchr::memchr(quote, self.rest)?);
                self.take(1);
                value
            }
            b'>' => Vec::new(),
            _ => self.take(self.rest.iter().position(|byte| is_space(byte) || *byte == b'>')?),
        };
        Some(Some((name, value)))
    }

    fn skip(&mut self, what: impl Fn(&u8) -> bool) {
        let end = self.rest.iter().position(|byte| !what(byte)).unwrap_or(self.rest.len());
        self.rest = &self.rest[end..];
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let (taken, rest) = self.rest.split_at(count);
        self.rest = rest;
        taken.to_ascii_lowercase()
    }
}

/// The encoding in a `content`, which is in lower case ("extracting a character encoding from a meta element").
fn in_content(content: &[u8]) -> Option<&'static Encoding> {
    let mut rest = content;
    loop {
        rest = &rest[memchr::memmem::find(rest, b"charset")? + b"charset".len()..];
        if let Some(value) = rest.trim_ascii_start().strip_prefix(b"=") {
            let value = value.trim_ascii_start();
            let end = match value.first()? {
                quote @ (b'"' | b'\'') => return named(&value[1..=memchr::memchr(*quote, &value[1..])?]),
                _ => value.iter().position(|byte| is_space(byte) || *byte == b';').unwrap_or(value.len()),
            };
            return named(&value[..end]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_documents_declare() {
        let check = |document: &str, expect: Option<&str>| {
            assert_eq!(of_html(document.as_bytes()).map(Encoding::name), expect, "{document}");
        };
        for (document, expect) in [
            ("<meta charset=koi8-r>", Some("KOI8-R")),
            ("<META\nCHARSET = 'gbk' />", Some("GBK")),
            ("<meta/charset=\"big5\">", Some("Big5")),
            ("<meta charset=latin1", None),
            ("<meta charset=nonsense><meta charset=euc-kr>", Some("EUC-KR")),
            ("<meta charset=koi8-r charset=gbk>", Some("KOI8-R")),
            ("<metacharset=gbk>", None),
            ("<meta name=charset content=gbk>", None),
            ("<meta content='text/html; charset=gbk'>", None),
            ("<meta content='text/html; charset=gbk' http-equiv=Content-Type>", Some("GBK")),
            ("<meta http-equiv=refresh content='1; charset=gbk'>", None),
            ("<meta http-equiv=content-type content='charset charset = \"gbk\"x'>", Some("GBK")),
            ("<meta http-equiv=content-type content='charset=\"gbk'>", None),
            ("<meta http-equiv=content-type content='text/html; charset=gbk' charset=big5>", Some("Big5")),
            ("<meta charset=utf-16><p>", Some("UTF-8")),
            ("<meta charset=x-user-defined>", Some("windows-1252")),
            ("<!-- <meta charset=gbk> --><meta charset=big5>", Some("Big5")),
            ("<!--> <meta charset=gbk> -->", Some("GBK")),
            ("<!-- <meta charset=gbk>", None),
            ("<a title='<meta charset=gbk>'><meta charset=big5>", Some("Big5")),
            ("</a title='<meta charset=gbk>'><meta charset=big5>", Some("Big5")),
            ("<! <meta charset=gbk>", None),
            ("<? <meta charset=gbk><meta charset=big5>", Some("Big5")),
            ("< <meta charset=big5>", Some("Big5")),
            ("<?xml version='1.0' encoding='koi8-r'?>", Some("KOI8-R")),
            ("<?xml version='1.0' encoding='koi8-r'?><meta charset=gbk>", Some("GBK")),
            ("<?xml encoding = \"utf-16\"?>", Some("UTF-8")),
            ("<?xml encoding=koi8-r?>", None),
            ("<?xml encoding='koi8-r", None),
            ("<\0?\0x\0", Some("UTF-16LE")),
            ("\0<\0?\0x", Some("UTF-16BE")),
            ("", None),
            ("<", None),
            ("<meta =charset=gbk>", None),
        ] {
            check(document, expect);
        }
    }
}
