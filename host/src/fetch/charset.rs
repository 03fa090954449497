//! Bytes of an answer to text, in the encoding that a browser would see (the HTML standard's "encoding
//! sniffing", RFC 7303 for XML). Pure.

mod prescan;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, UTF_8};
use url::Url;

use crate::model::Content;

/// How far into a document its own declaration is looked for first.
const DECLARED_WITHIN: usize = 1024;
/// Bytes of a document from which its encoding is guessed, from where it has letters beyond ASCII.
const GUESSED_FROM: usize = 64 << 10;

/// Text when `content_type` says so, or says nothing and the bytes are UTF-8, begin with the mark of
/// UTF-16 or as markup does. Decoded by byte order mark, then `charset`, then what the document declares;
/// what declares nothing is UTF-8 where it can be, and else guessed. The encoding is that of a document
/// with links (HTML, XML); lists and JSON have none that would say how the addresses in them are meant.
pub(super) fn content(
    content_type: Option<&str>,
    url: &Url,
    body: Vec<u8>,
) -> (Content, Option<&'static Encoding>) {
    let (essence, charset) = parts(content_type.unwrap_or_default());
    if !essence.is_empty() {
        return match is_text(&essence) {
            true => text(&essence, charset, url, body),
            false => (Content::Binary(body), None),
        };
    }
    let is_marked = || {
        Encoding::for_bom(&body)
            .is_some_and(|(encoding, mark)| !encoding.decode_without_bom_handling(&body[mark..]).1)
    };
    if std::str::from_utf8(&body).is_ok() || body.trim_ascii_start().starts_with(b"<") || is_marked() {
        return text("text/html", None, url, body);
    }
    (Content::Binary(body), None)
}

/// As far as a `content-type` says it, the encoding of a document with links.
#[must_use]
pub fn declared_encoding(content_type: &str) -> Option<&'static Encoding> {
    let (essence, charset) = parts(content_type);
    has_links(&essence).then(|| charset.unwrap_or(UTF_8))
}

fn text(
    essence: &str,
    charset: Option<&'static Encoding>,
    url: &Url,
    body: Vec<u8>,
) -> (Content, Option<&'static Encoding>) {
    let (encoding, mark) = Encoding::for_bom(&body)
        .unwrap_or_else(|| (charset.unwrap_or_else(|| sniff(essence, url, &body)), 0));
    let text = if encoding == UTF_8 && mark == 0 {
        // No copy of what is right already.
        String::from_utf8(body).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    } else {
        encoding.decode_without_bom_handling(body.get(mark..).unwrap_or_default()).0.into_owned()
    };
    (Content::Text(text), has_links(essence).then_some(encoding))
}

/// The encoding of a document of which nothing else says it.
fn sniff(essence: &str, url: &Url, body: &[u8]) -> &'static Encoding {
    let suffix = suffix(essence);
    // RFC 8259, 8.1.
    if matches!(suffix, "json" | "ndjson") {
        return UTF_8;
    }
    let declared = match suffix {
        "xml" => prescan::of_xml,
        _ => prescan::of_html,
    };
    if let Some(encoding) = declared(body.get(..DECLARED_WITHIN).unwrap_or(body)) {
        return encoding;
    }
    if is_mostly_utf8(body) {
        return UTF_8;
    }
    // A browser begins anew when it meets a late declaration.
    declared(body).unwrap_or_else(|| guess(url, body))
}

/// Whether the bytes are UTF-8 but for slips here and there; what is cut within a character is.
fn is_mostly_utf8(body: &[u8]) -> bool {
    let (mut characters, mut slips) = (0, 0);
    for chunk in body.utf8_chunks() {
        characters += chunk.valid().chars().filter(|character| !character.is_ascii()).count();
        slips += usize::from(!chunk.invalid().is_empty());
    }
    slips == 0 || characters > 4 * slips
}

/// As browsers guess: by what the bytes would be in each encoding, and by the country of the host. It is
/// windows-1252 where nothing speaks for another.
fn guess(url: &Url, body: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let telling = &body[body.iter().position(|byte| !byte.is_ascii()).unwrap_or_default()..];
    detector.feed(&telling[..telling.len().min(GUESSED_FROM)], true);
    let country = url.domain().and_then(|host| host.rsplit('.').next());
    let is_label =
        |label: &&str| label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    detector.guess(country.filter(is_label).map(str::as_bytes), Utf8Detection::Deny)
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
    essence.starts_with("text/")
        || matches!(suffix(essence), "json" | "ndjson" | "xml" | "javascript" | "ecmascript")
}

fn has_links(essence: &str) -> bool {
    matches!(suffix(essence), "html" | "xml")
}

/// What kind of thing a media type is in the end: `xml` of `application/rss+xml`.
fn suffix(essence: &str) -> &str {
    let subtype = essence.split_once('/').map_or("", |(_, subtype)| subtype);
    subtype.rsplit(['+', '-', '.']).next().unwrap_or(subtype)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn content(content_type: Option<&str>, body: Vec<u8>) -> Content {
        super::content(content_type, &"https://example.org/".parse().unwrap(), body).0
    }

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
        check(None, b"\xff\xfea\0", Some("a"));
        check(None, b"\xff\xfe\xfd", None);
        check(None, b" <p>\xe9t\xe9", Some(" <p>été"));
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
        check(Some("text/xml"), b"<meta charset=koi8-r>\xe9", Some("<meta charset=koi8-r>é"));
        let late = |bytes: &[u8]| {
            let late = [&[b' '; DECLARED_WITHIN][..], b"<meta charset=koi8-r>", bytes].concat();
            let Content::Text(text) = content(Some("text/html"), late) else { panic!("HTML is text") };
            text.chars().next_back().unwrap()
        };
        assert_eq!((late(b"\xc3\xa9"), late(b"\xc1")), ('é', 'а'));
    }

    #[test]
    fn what_declares_nothing() {
        check(Some("text/html"), b"Gr\xfcner Baum \x96 sch\xf6n", Some("Grüner Baum – schön"));
        check(Some("text/plain"), b"caf\xe9", Some("café"));
        check(Some("text/html"), "schön".as_bytes(), Some("schön"));
        check(
            Some("text/html"),
            b"sch\xc3\xb6n gr\xc3\xbcn \xc3\xa4\xc3\xb6\xc3\xbc \xc3",
            Some("schön grün äöü \u{fffd}"),
        );
        check(Some("application/json"), b"\"\xe9\"", Some("\"\u{fffd}\""));
        check(Some("application/json; charset=latin1"), b"\"\xe9\"", Some("\"é\""));
    }

    /// Short pages that say nothing of their encoding, by hosts that say nothing of their country.
    #[test]
    fn guesses() {
        let pages = [
            ("windows-1252", "Die schönsten Bäume im Frühling – ein Spaziergang durch die Gärten von Köln"),
            ("windows-1252", "Les forêts françaises à l’automne : où trouver des cèpes près de chez vous"),
            ("windows-1252", "El jardín del señor Núñez está lleno de pájaros y árboles en otoño"),
            ("windows-1252", "Små røde hytter ved fjorden, og sjøen som ligger blå under åsene"),
            ("windows-1251", "Рыжая лиса живёт в лесу у реки, а зимой приходит к людям за едой"),
            ("windows-1251", "Фотографии птиц нашего города: воробьи, синицы и голуби"),
            ("koi8-r", "Рыжая лиса живёт в лесу у реки, а зимой приходит к людям за едой"),
            ("windows-1250", "Zdjęcia żółtych kwiatów rosnących na łące pod lasem, źródło zdjęć własne"),
            ("windows-1250", "Příliš žluťoučký kůň pěl ďábelské ódy u řeky pod lesem"),
            ("windows-1253", "Η αλεπού ζει στο δάσος κοντά στο ποτάμι και το χειμώνα έρχεται στο χωριό"),
            ("windows-1254", "Küçük tilki ormanda yaşıyor, kışın köye gelip yiyecek arıyor, çok güzel şey"),
            ("shift_jis", "赤い狐は森に住んでいます。冬になると町へ来て食べ物を探します。"),
            ("shift_jis", "写真の一覧：東京の桜と京都の紅葉"),
            ("euc-jp", "赤い狐は森に住んでいます。冬になると町へ来て食べ物を探します。"),
            ("euc-jp", "写真の一覧：東京の桜と京都の紅葉"),
            ("gbk", "红色的狐狸住在森林里，冬天它会到城里来找食物。"),
            ("gbk", "图片列表：北京的春天和上海的秋天"),
            ("big5", "紅色的狐狸住在森林裡，冬天牠會到城裡來找食物。"),
            ("big5", "圖片列表：台北的春天和高雄的秋天"),
            ("euc-kr", "붉은 여우는 숲에 살고 겨울이면 마을로 내려와 먹이를 찾습니다"),
            ("windows-1255", "השועל האדום גר ביער ובחורף הוא בא אל העיר לחפש אוכל"),
            ("windows-1256", "الثعلب الأحمر يعيش في الغابة وفي الشتاء يأتي إلى القرية ليبحث عن الطعام"),
            ("windows-874", "จิ้งจอกแดงอาศัยอยู่ในป่าและมาที่หมู่บ้านในฤดูหนาวเพื่อหาอาหาร"),
        ];
        let mut wrong = Vec::new();
        for (label, page) in pages {
            let (bytes, encoding, lossy) = Encoding::for_label(label.as_bytes()).unwrap().encode(page);
            assert!(!lossy, "{label} has no letters for {page}");
            let html = [b"<html><body><img src=a.jpg alt='", &bytes[..], b"'></body></html>"].concat();
            let Content::Text(text) = content(Some("text/html"), html) else { panic!("HTML is text") };
            if !text.contains(page) {
                wrong.push((encoding.name(), page));
            }
        }
        assert!(wrong.is_empty(), "{wrong:?}");
    }

    /// html5lib's tests of what browsers see, where the recordings are.
    #[test]
    fn as_browsers_see_it() {
        let Some(files) = pixcrawler_recordings::recordings("conformance/html5lib") else { return };
        let (mut passed, mut wrong) = (0, Vec::new());
        for (name, path) in files.iter().filter(|(name, _)| name.starts_with("encoding__")) {
            let file = std::fs::read(path).unwrap();
            let lines: Vec<_> = file.split_inclusive(|byte| *byte == b'\n').collect();
            for case in lines.split(|line| *line == b"#data\n").skip(1) {
                let end = case.iter().position(|line| *line == b"#encoding\n").unwrap();
                // Of many that are ASCII all encodings make the same.
                let data = [&case[..end], &[b"\xe9"]].concat().concat();
                let expect = Encoding::for_label(case[end + 1].trim_ascii()).unwrap();
                let sniffed = || sniff("text/html", &"https://example.org/".parse().unwrap(), &data);
                let found = Encoding::for_bom(&data).map_or_else(sniffed, |(marked, _)| marked);
                match found == expect {
                    true => passed += 1,
                    false => wrong.push((
                        name,
                        String::from_utf8_lossy(&data[..data.len().min(200)]).into_owned(),
                        expect.name(),
                        found.name(),
                    )),
                }
            }
        }
        let all = passed + wrong.len();
        pixcrawler_recordings::say(&format!("{passed} of html5lib's {all} encodings are as expected"));
        assert!(wrong.is_empty(), "{wrong:#?}");
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
