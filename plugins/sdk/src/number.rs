//! Numbers as sites write them in JSON.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, Unexpected, Visitor},
};

/// A whole number, 0 or more, such as a count of pages or of bytes: `640`, and `640.0` too, which
/// is the same number in JSON. Everything else cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Whole<T>(pub T);

/// A width or a height in pixels, as a number or as a text. A text that is no number says
/// nothing; what can be no width (a fraction, less than 0, more than 32 bits) cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Side(pub Option<u32>);

impl<'de, T: TryFrom<u64>> Deserialize<'de> for Whole<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = deserializer.deserialize_any(Number { texts: false })?;
        number.and_then(fitting).map(Self).ok_or_else(too_large)
    }
}

impl<'de> Deserialize<'de> for Side {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(Number { texts: true })? {
            None => Ok(Self(None)),
            Some(number) => fitting(number).map(|side| Self(Some(side))).ok_or_else(too_large),
        }
    }
}

/// Numbers up to here are exact in every language; no count comes near.
const LARGEST: u64 = (1 << 53) - 1;

fn fitting<T: TryFrom<u64>>(number: u64) -> Option<T> {
    T::try_from(number).ok().filter(|_| number <= LARGEST)
}

fn too_large<E: Error>() -> E {
    E::custom("the number is too large")
}

/// Gives nothing for a text that is no number.
struct Number {
    texts: bool,
}

impl Visitor<'_> for Number {
    type Value = Option<u64>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a whole number, 0 or more")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Some(number))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        if number >= 0.0 && number.trunc() == number {
            // What is larger than fits is the largest, and too large.
            Ok(Some(number as u64))
        } else {
            Err(E::invalid_value(Unexpected::Float(number), &self))
        }
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        if !self.texts {
            return Err(E::invalid_type(Unexpected::Str(text), &self));
        }
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        Ok(is_number.then(|| text.parse().unwrap_or(u64::MAX)))
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
        for width in ["640", "640.0", "6.4e2", "64000e-2", "\"640\"", "\"0640\""] {
            let found = read(URL, &format!(r#""width": {width}, "height": 480"#)).unwrap();
            assert_eq!(found.dimensions, Some(Dimensions { width: 640, height: 480 }), "{width}");
        }
        for width in
            ["null", "0", "0.0", "-0", "\"0\"", "\"\"", "\"auto\"", "\"640px\"", "\"640.0\"", "\"-1\""]
        {
            let found = read(URL, &format!(r#""width": {width}, "height": 480"#)).unwrap();
            assert_eq!(found.dimensions, None, "{width}");
        }
        for width in [
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
            assert_eq!(read(URL, &format!(r#""width": {width}, "height": 480"#)), None, "{width}");
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
            "\"640\"",
            "\"\"",
            "9007199254740992",
            "36893488147419103232",
            "1e400",
        ] {
            assert_eq!(read(URL, &format!(r#""size": {size}"#)), None, "{size}");
        }
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
        assert!(fault("\"1\"").starts_with(&format!("invalid type: string \"1\", {expected}")));
        assert!(fault("256").starts_with("the number is too large"));
        let fault = Candidate::at("x".repeat(1_000)).unwrap_err();
        assert_eq!(fault, format!("not the address of a picture: {}", "x".repeat(100)));
    }
}
