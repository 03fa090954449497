//! Numbers as sites write them in JSON.

use std::{fmt, str::FromStr};

use serde::{
    Deserialize, Deserializer,
    de::{Error, Unexpected, Visitor},
};
use serde_json::value::RawValue;

/// A whole number, 0 or more, such as a count of pages or of bytes: `640`, and `640.0` too, which
/// is the same number in JSON, or a text of one. Everything else cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whole<T>(pub T);

/// A width or a height in pixels, as a number or as a text of one. Anything else (a fraction, less
/// than 0, more than 32 bits, no number) is no size, and costs its result nothing but that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Side(pub Option<u32>);

impl<'de, T: TryFrom<u64>> Deserialize<'de> for Whole<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = deserializer.deserialize_any(Number)?;
        fitting(number).map(Self).ok_or_else(|| D::Error::custom(TOO_LARGE))
    }
}

impl<T: TryFrom<u64>> FromStr for Whole<T> {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = digits(text).ok_or_else(|| {
            format!("expected {WHOLE}, found {}", text.chars().take(100).collect::<String>())
        })?;
        fitting(number).map(Self).ok_or_else(|| TOO_LARGE.to_owned())
    }
}

impl<'de> Deserialize<'de> for Side {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let given = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(given.get()).ok().map(|Whole(side)| side)))
    }
}

const WHOLE: &str = "a whole number, 0 or more";
const TOO_LARGE: &str = "the number is too large";
/// Numbers up to here are exact in every language; no count comes near.
const LARGEST: u64 = (1 << 53) - 1;

fn fitting<T: TryFrom<u64>>(number: u64) -> Option<T> {
    T::try_from(number).ok().filter(|_| number <= LARGEST)
}

/// The number in a text such as `640` or `640.0`; one that is larger than fits is the largest.
fn digits(text: &str) -> Option<u64> {
    let (digits, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_whole = is_number(digits) && is_number(fraction) && fraction.bytes().all(|digit| digit == b'0');
    is_whole.then(|| digits.parse().unwrap_or(u64::MAX))
}

struct Number;

impl Visitor<'_> for Number {
    type Value = u64;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(WHOLE)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
        Ok(number)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<u64, E> {
        if number >= 0.0 && number.trunc() == number {
            // What is larger than fits is the largest, and too large.
            Ok(number as u64)
        } else {
            Err(E::invalid_value(Unexpected::Float(number), &self))
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<u64, E> {
        digits(text).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Candidate, Dimensions};

    /// A result as a source reads it.
    #[derive(Deserialize)]
    struct Picture {
        url: String,
        width: Option<Side>,
        height: Option<Side>,
        size: Option<Whole<u64>>,
    }

    /// The candidate of a result with that address and these fields; none where it cannot be read.
    fn read(url: &str, fields: &str) -> Option<Candidate> {
        let json = format!(r#"{{"url": "{url}", {fields}}}"#);
        let picture: Picture = serde_json::from_str(&json).ok()?;
        Some(Candidate {
            dimensions: Dimensions::of(picture.width, picture.height),
            byte_size: picture.size.map(|Whole(size)| size),
            ..Candidate::at(picture.url).ok()?
        })
    }

    const URL: &str = "https://example.org/1.jpg";

    // These tables stand in the tests of every SDK.
    #[test]
    fn addresses_of_pictures() {
        for url in [URL, "HTTPS://example.org/1.jpg", "Http://example.org/1.jpg"] {
            assert_eq!(read(url, r#""a": 1"#).map(|found| found.url).as_deref(), Some(url));
        }
        for url in [
            "",
            "/2.jpg",
            "//example.org/2.jpg",
            "ftp://example.org/2.jpg",
            "https:/2.jpg",
            "data:,",
            " https://a/",
        ] {
            assert_eq!(read(url, r#""a": 1"#), None, "{url}");
        }
    }

    #[test]
    fn sizes_of_pictures() {
        for width in ["640", "640.0", "6.4e2", "64000e-2", "\"640\"", "\"0640\"", "\"640.0\""] {
            let found = read(URL, &format!(r#""width": {width}, "height": 480"#)).unwrap();
            assert_eq!(found.dimensions, Some(Dimensions { width: 640, height: 480 }), "{width}");
        }
        // What is no size is not known, and the picture is one all the same.
        for width in [
            "null",
            "0",
            "0.0",
            "-0",
            "\"0\"",
            "\"\"",
            "\"auto\"",
            "\"640px\"",
            "\"640.5\"",
            "\"640.\"",
            "\"-1\"",
            "640.5",
            "-1",
            "-640.0",
            "true",
            "[640]",
            "{}",
            "4294967296",
            "4294967296.0",
            "\"4294967296\"",
            "36893488147419103232",
            "\"36893488147419103232\"",
            "1e400",
        ] {
            let found = read(URL, &format!(r#""width": {width}, "height": 480"#)).unwrap();
            assert_eq!(found.dimensions, None, "{width}");
        }
    }

    #[test]
    fn counts() {
        for (size, expect) in [
            ("640", Some(640)),
            ("640.0", Some(640)),
            ("6.4e2", Some(640)),
            ("0", Some(0)),
            ("0.0", Some(0)),
            ("9007199254740991", Some(9_007_199_254_740_991)),
            ("\"640\"", Some(640)),
            ("\"640.0\"", Some(640)),
            ("null", None),
        ] {
            assert_eq!(read(URL, &format!(r#""size": {size}"#)).unwrap().byte_size, expect, "{size}");
        }
        for size in [
            "640.5",
            "-1",
            "-640.0",
            "true",
            "[640]",
            "{}",
            "\"\"",
            "\"640 \"",
            "\"6.4e2\"",
            "\"640px\"",
            "\"9007199254740992\"",
            "\"36893488147419103232\"",
            "9007199254740992",
            "36893488147419103232",
            "1e400",
        ] {
            assert_eq!(read(URL, &format!(r#""size": {size}"#)), None, "{size}");
        }
    }

    #[test]
    fn numbers_in_texts() {
        for (text, expect) in
            [("640", Some(640)), ("640.0", Some(640)), ("0640.00", Some(640)), ("0", Some(0))]
        {
            assert_eq!(text.parse().ok().map(|Whole(number): Whole<u16>| number), expect, "{text}");
        }
        for text in ["", ".", ".0", "640.", "640.5", "-1", "+1", " 1", "1e2", "65536", "36893488147419103232"]
        {
            assert!(text.parse::<Whole<u16>>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_size_that_is_not_there_is_missed() {
        #[derive(Debug, Deserialize)]
        struct Sized {
            #[expect(dead_code, reason = "only whether it is there counts")]
            width: Side,
        }
        assert!(serde_json::from_str::<Sized>(r#"{"width": null}"#).is_ok());
        let fault = serde_json::from_str::<Sized>("{}").unwrap_err().to_string();
        assert!(fault.starts_with("missing field `width`"), "{fault}");
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let fault = |json| serde_json::from_str::<Whole<u8>>(json).unwrap_err().to_string();
        let expected = "expected a whole number, 0 or more";
        assert!(fault("1.5").starts_with(&format!("invalid value: floating point `1.5`, {expected}")));
        assert!(
            fault("-1").starts_with(&format!("invalid type: integer `-1`, {expected}")),
            "{}",
            fault("-1")
        );
        assert!(fault("\"a\"").starts_with(&format!("invalid value: string \"a\", {expected}")));
        assert!(fault("[]").starts_with(&format!("invalid type: sequence, {expected}")));
        assert!(fault("256").starts_with("the number is too large"));
        let fault = Candidate::at("x".repeat(1_000)).unwrap_err();
        assert_eq!(fault, format!("not the address of a picture: {}", "x".repeat(100)));
    }
}
