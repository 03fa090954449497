//! Addresses as documents write them: what is not ASCII in a query is in the encoding of the document.

use std::borrow::Cow;

use encoding_rs::{EncoderResult, Encoding, UTF_8};
use url::{ParseError, Url};

use super::Answer;

/// What `text` means to browsers in a document of that encoding (the URL standard): a query is escaped in
/// the encoding, all else as UTF-8. All of it is ASCII then.
///
/// # Errors
/// When it is no absolute address.
pub fn address(text: &str, encoding: &'static Encoding) -> Result<Url, ParseError> {
    Url::options().encoding_override(Some(&|query| encoded(query, encoding))).parse(text)
}

/// The encoding of the queries in what a source makes of these answers: that in which all its documents
/// were read, and UTF-8 where they differ, because nobody knows which address is from which.
#[must_use]
pub fn encoding_of(answers: &[Answer]) -> &'static Encoding {
    let responses = answers.iter().filter_map(|answer| answer.outcome.as_ref().ok());
    let read = responses.filter(|response| matches!(response.status, 200..=299));
    let mut encodings = read.filter_map(|response| response.encoding);
    let first = encodings.next().unwrap_or(UTF_8);
    if encodings.all(|other| other == first) { first.output_encoding() } else { UTF_8 }
}

/// What the encoding does not have is `&#NNN;`, already escaped ("percent-encode after encoding").
fn encoded<'a>(query: &'a str, encoding: &'static Encoding) -> Cow<'a, [u8]> {
    if query.is_ascii() || encoding.output_encoding() == UTF_8 {
        return Cow::Borrowed(query.as_bytes());
    }
    let mut encoder = encoding.new_encoder();
    let (mut bytes, mut rest) = (Vec::new(), query);
    loop {
        // Room for all that is left, and no less than a character needs.
        bytes.reserve(
            encoder
                .max_buffer_length_from_utf8_without_replacement(rest.len())
                .unwrap_or_else(|| rest.len().saturating_mul(4)),
        );
        let (result, read) = encoder.encode_from_utf8_to_vec_without_replacement(rest, &mut bytes, true);
        rest = &rest[read..];
        match result {
            EncoderResult::InputEmpty => return Cow::Owned(bytes),
            EncoderResult::OutputFull => {}
            EncoderResult::Unmappable(character) => {
                bytes.extend(format!("%26%23{}%3B", u32::from(character)).into_bytes());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use encoding_rs::{
        BIG5, EUC_JP, EUC_KR, GB18030, GBK, ISO_2022_JP, KOI8_R, REPLACEMENT, SHIFT_JIS, UTF_16BE, UTF_16LE,
        WINDOWS_1252, X_USER_DEFINED,
    };
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Content, Failure, Response};

    #[test]
    fn queries_are_in_the_encoding_of_the_document() {
        let check = |encoding, text: &str, expect: &str| {
            assert_eq!(address(text, encoding).unwrap().as_str(), expect, "{} {text}", encoding.name());
        };
        let grün = "http://bücher.example:80/grün?grün=ö&a='%C3%BC b'#ü";
        let rest = "'%C3%BC b'".replace('\'', "%27").replace(' ', "%20");
        for (encoding, query) in [
            (UTF_8, "gr%C3%BCn=%C3%B6"),
            (UTF_16LE, "gr%C3%BCn=%C3%B6"),
            (UTF_16BE, "gr%C3%BCn=%C3%B6"),
            (REPLACEMENT, "gr%C3%BCn=%C3%B6"),
            (WINDOWS_1252, "gr%FCn=%F6"),
            (GBK, "gr%A8%B9n=%26%23246%3B"),
            (KOI8_R, "gr%26%23252%3Bn=%26%23246%3B"),
        ] {
            let expect = format!("http://xn--bcher-kva.example/gr%C3%BCn?{query}&a={rest}#%C3%BC");
            check(encoding, grün, &expect);
        }
        check(WINDOWS_1252, "http://a.example/?€–𝄞", "http://a.example/?%80%96%26%23119070%3B");
        // The second byte of a character may be a letter, or what is escaped.
        check(SHIFT_JIS, "http://a.example/?q=ソ表", "http://a.example/?q=%83\\%95\\");
        check(ISO_2022_JP, "http://a.example/?q=日", "http://a.example/?q=%1B$BF|%1B(B");
        check(WINDOWS_1252, "http://a.example/?gr\tü\nn", "http://a.example/?gr%FCn");
        assert!(address("a?ü", WINDOWS_1252).is_err());
    }

    #[test]
    fn one_encoding_of_all_documents() {
        let read = |status, encoding| {
            let body = Content::Text(String::new());
            Ok(Response { status, url: String::new(), headers: Vec::new(), body, encoding })
        };
        let check = |outcomes: Vec<Result<Response, Failure>>, expect| {
            let answer = |outcome| Answer { key: String::new(), url: String::new(), outcome };
            assert_eq!(encoding_of(&outcomes.into_iter().map(answer).collect::<Vec<_>>()), expect);
        };
        check(vec![], UTF_8);
        check(vec![read(200, Some(SHIFT_JIS))], SHIFT_JIS);
        check(vec![read(200, Some(UTF_16LE))], UTF_8);
        check(
            vec![
                Err(Failure::Timeout),
                read(404, Some(UTF_8)),
                read(200, None),
                read(200, Some(EUC_JP)),
                read(206, Some(EUC_JP)),
            ],
            EUC_JP,
        );
        check(vec![read(200, Some(BIG5)), read(200, Some(UTF_8))], UTF_8);
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_ascii_and_stays_as_it_is(query in any::<String>(), which in 0_usize..8) {
            let encodings =
                [WINDOWS_1252, SHIFT_JIS, EUC_KR, GB18030, ISO_2022_JP, BIG5, X_USER_DEFINED, UTF_16LE];
            let read = address(&format!("http://a.example/?{query}"), encodings[which]).unwrap();
            prop_assert!(read.as_str().is_ascii());
            for encoding in [UTF_8, encodings[which]] {
                let again = address(read.as_str(), encoding).unwrap();
                prop_assert_eq!(&again, &read);
            }
        }
    }
}
