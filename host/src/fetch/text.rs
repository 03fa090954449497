//! Bytes of an answer to text. Pure.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use crate::source::Content;

/// How far into a document its own declaration is looked for.
const DECLARED_WITHIN: usize = 1024;

/// Text when `content_type` says so, or says nothing and the bytes are UTF-8;
/// decoded by byte order mark, then `charset`, then what the document declares, else UTF-8.
pub(super) fn content(content_type: Option<&str>, body: Vec<u8>) -> Content {
    let (essence, charset) = parts(content_type.unwrap_or_default());
    if essence.is_empty() {
        return match String::from_utf8(body) {
            Ok(text) => Content::Text(without_mark(text)),
            Err(error) if declared(error.as_bytes()).is_some() => text(None, error.into_bytes()),
            Err(error) => Content::Binary(error.into_bytes()),
        };
    }
    if is_text(&essence) { text(charset, body) } else { Content::Binary(body) }
}

fn text(charset: Option<&'static Encoding>, body: Vec<u8>) -> Content {
    let (encoding, mark) = match Encoding::for_bom(&body) {
        Some(found) => found,
        None => (charset.or_else(|| declared(&body)).unwrap_or(UTF_8), 0),
    };
    if encoding == UTF_8 && mark == 0 {
        // No copy of what is right already.
        return Content::Text(
            String::from_utf8(body)
                .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
        );
    }
    let (text, _) = encoding.decode_without_bom_handling(body.get(mark..).unwrap_or_default());
    Content::Text(text.into_owned())
}

fn without_mark(text: String) -> String {
    text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)
}

/// Media type in lower case, and the encoding that `charset` names.
fn parts(content_type: &str) -> (String, Option<&'static Encoding>) {
    let mut parameters = content_type.split(';');
    let essence = parameters.next().unwrap_or_default().trim().to_ascii_lowercase();
    let charset = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches(['"', '\'']))
    });
    (essence, charset.and_then(|label| Encoding::for_label(label.as_bytes())))
}

fn is_text(essence: &str) -> bool {
    let (kind, subtype) = essence.split_once('/').unwrap_or((essence, ""));
    let suffix = subtype.rsplit(['+', '-', '.']).next().unwrap_or(subtype);
    kind == "text" || matches!(suffix, "json" | "ndjson" | "xml" | "javascript" | "ecmascript")
}

/// The encoding in `<?xml … encoding="…"?>` or `<meta … charset=…>`. The declaration was
/// read as ASCII, so one that claims UTF-16 is wrong and means UTF-8.
fn declared(body: &[u8]) -> Option<&'static Encoding> {
    let start = body.get(..DECLARED_WITHIN).unwrap_or(body).to_ascii_lowercase();
    let start = String::from_utf8_lossy(&start);
    let label = if start.trim_start().starts_with("<?xml") {
        value(start.split_once("?>")?.0, "encoding")
    } else {
        start.split("<meta").skip(1).find_map(|meta| value(meta.split_once('>')?.0, "charset"))
    };
    let encoding = Encoding::for_label(label?.as_bytes())?;
    Some(if encoding == UTF_16LE || encoding == UTF_16BE { UTF_8 } else { encoding })
}

/// What stands after `name=`, with or without quotes.
fn value<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let after = tag.split_once(name)?.1.trim_start().strip_prefix('=')?.trim_start();
    let after = after.trim_start_matches(['"', '\'']);
    let end =
        after.find(|c: char| matches!(c, '"' | '\'' | ';' | '/') || c.is_whitespace()).unwrap_or(after.len());
    after.get(..end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(content_type: Option<&str>, body: &[u8], expect: Option<&str>) {
        let expect = match expect {
            Some(text) => Content::Text(text.to_owned()),
            None => Content::Binary(body.to_vec()),
        };
        assert_eq!(content(content_type, body.to_vec()), expect, "{content_type:?} {body:?}");
    }

    #[test]
    fn what_is_text() {
        for text in [
            "text/html",
            "TEXT/plain",
            "application/json",
            "application/xml",
            "application/rss+xml",
            "application/ld+json",
            "application/javascript",
            "application/x-javascript",
            "image/svg+xml",
            "application/x-ndjson",
            "text/html;",
            " text/css ; a=b",
        ] {
            check(Some(text), b"a", Some("a"));
        }
        for binary in ["image/jpeg", "application/octet-stream", "application/gzip", "video/mp4", "x"] {
            check(Some(binary), b"a", None);
        }
        check(None, "é".as_bytes(), Some("é"));
        check(None, b"\xe9", None);
        check(
            None,
            b"<?xml version='1.0' encoding='latin1'?>\xe9",
            Some("<?xml version='1.0' encoding='latin1'?>é"),
        );
        check(Some(""), b"\xef\xbb\xbfa", Some("a"));
    }

    #[test]
    fn the_mark_then_the_type_then_the_document() {
        check(Some("text/html; charset=latin1"), b"\xef\xbb\xbf\xc3\xa9", Some("é"));
        check(Some("text/plain"), b"\xff\xfea\0", Some("a"));
        check(Some("text/plain"), b"\xfe\xff\0a", Some("a"));
        check(
            Some("text/html; charset=\"ISO-8859-1\""),
            b"<meta charset=utf-8>\xe9",
            Some("<meta charset=utf-8>é"),
        );
        check(Some("text/html; Charset = shift_jis"), b"\x93\xfa", Some("日"));
        check(Some("text/html; charset=nonsense"), b"\xc3\xa9", Some("é"));
        check(
            Some("text/html"),
            b"<META CHARSET='windows-1251'>\xe4",
            Some("<META CHARSET='windows-1251'>д"),
        );
        check(
            Some("text/html"),
            b"<meta name=x><meta http-equiv=Content-Type content=\"text/html; charset=gbk\">\xc4\xe3",
            Some("<meta name=x><meta http-equiv=Content-Type content=\"text/html; charset=gbk\">你"),
        );
        check(Some("text/html"), b"<meta charset=utf-16>\xc3\xa9", Some("<meta charset=utf-16>é"));
        check(Some("text/xml"), b"<?xml encoding=\"koi8-r\"?>\xc1", Some("<?xml encoding=\"koi8-r\"?>а"));
        check(Some("text/html"), b"<meta charset=>a<meta", Some("<meta charset=>a<meta"));
        check(Some("text/plain"), b"a\xffb", Some("a\u{fffd}b"));
        let late = [&[b' '; DECLARED_WITHIN][..], b"<meta charset=latin1>\xc3\xa9"].concat();
        assert!(matches!(content(Some("text/html"), late), Content::Text(text) if text.ends_with('é')));
    }

    proptest! {
        #[test]
        fn any_bytes_become_something(
            content_type: Option<String>,
            body: Vec<u8>,
            label in "utf-8|utf-16|utf-16be|latin1|shift_jis|gbk|gb18030|big5|euc-kr|iso-2022-jp|koi8-r|replacement|x-user-defined|[a-z0-9-]{0,9}",
            start in 0usize..6,
        ) {
            content(content_type.as_deref(), body.clone());
            let meta = format!("<meta charset={label}>");
            let xml = format!("<?xml encoding='{label}'?>");
            let start = [&b""[..], b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", meta.as_bytes(), xml.as_bytes()][start];
            let body = [start, &body].concat();
            for content_type in [Some(format!("text/html; charset={label}")), Some("text/html".to_owned()), None] {
                let found = content(content_type.as_deref(), body.clone());
                prop_assert!(content_type.is_none() || matches!(found, Content::Text(_)));
                prop_assert!(found.len() <= 3 * body.len(), "{} of {}", found.len(), body.len());
            }
        }
    }
}
