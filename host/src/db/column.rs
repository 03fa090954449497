//! Columns of the tables that the frontend may have made and writes too: read whatever they hold,
//! so that no row breaks a list.

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use sqlx::{
    Decode, Postgres, Type,
    error::BoxDynError,
    postgres::{PgTypeInfo, PgValueRef},
};

use crate::model::{ConsentSignal, JobState};

/// An instant, `timestamptz` where the migrations made the table and `timestamp`, in UTC, where
/// Drizzle did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp(pub DateTime<Utc>);

impl From<Timestamp> for DateTime<Utc> {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.0
    }
}

impl Type<Postgres> for Timestamp {
    fn type_info() -> PgTypeInfo {
        <DateTime<Utc> as Type<Postgres>>::type_info()
    }

    fn compatible(column: &PgTypeInfo) -> bool {
        <DateTime<Utc> as Type<Postgres>>::compatible(column)
            || <NaiveDateTime as Type<Postgres>>::compatible(column)
    }
}

impl<'r> Decode<'r, Postgres> for Timestamp {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        /// 2000-01-01, in microseconds since 1970.
        const EPOCH: i64 = 946_684_800_000_000;
        /// What RFC 3339 can say: of the years 1 to 9999.
        const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800_000_000..=253_402_300_799_999_999;
        // Both are microseconds since the year 2000, in UTC, or at an end where they are infinite.
        let since = i64::from_be_bytes(value.as_bytes()?.try_into()?);
        let micros = since.saturating_add(EPOCH).clamp(*RANGE.start(), *RANGE.end());
        DateTime::from_timestamp_micros(micros).map(Self).ok_or_else(|| "an instant out of range".into())
    }
}

/// A list of texts in JSON, which may be one text, or an object whose values are the texts or the list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Value")]
pub struct Texts(pub Vec<String>);

impl From<Value> for Texts {
    fn from(value: Value) -> Self {
        fn add(value: Value, texts: &mut Vec<String>, depth: u8) {
            match value {
                Value::String(text) => texts.push(text),
                Value::Number(number) => texts.push(number.to_string()),
                Value::Array(items) if depth < 2 => {
                    items.into_iter().for_each(|item| add(item, texts, depth + 1));
                }
                Value::Object(fields) if depth == 0 => {
                    fields.into_iter().for_each(|(_, field)| add(field, texts, depth + 1));
                }
                _ => {}
            }
        }
        let mut texts = Vec::new();
        add(value, &mut texts, 0);
        Self(texts)
    }
}

/// `images.consent`; what cannot be read is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Value")]
pub struct ConsentSignals(pub Vec<ConsentSignal>);

impl From<Value> for ConsentSignals {
    fn from(value: Value) -> Self {
        let Value::Array(signals) = value else { return Self::default() };
        Self(signals.into_iter().filter_map(|signal| serde_json::from_value(signal).ok()).collect())
    }
}

/// The same as datasets have it: see [`ConsentSignal::texts`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Value")]
pub struct ConsentTexts(pub Vec<String>);

impl From<Value> for ConsentTexts {
    fn from(value: Value) -> Self {
        Self(ConsentSignal::texts(&ConsentSignals::from(value).0))
    }
}

/// A `T` in JSON. What is none counts as the default, and so does what is too deep or has a number that
/// is too large: the database keeps more than can be read here.
#[derive(Clone, Debug, Default)]
pub struct LenientJson<T>(pub T);

impl<T> Type<Postgres> for LenientJson<T> {
    fn type_info() -> PgTypeInfo {
        <Value as Type<Postgres>>::type_info()
    }

    fn compatible(column: &PgTypeInfo) -> bool {
        <Value as Type<Postgres>>::compatible(column)
    }
}

impl<'r, T: DeserializeOwned + Default> Decode<'r, Postgres> for LenientJson<T> {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        let json = <Value as Decode<'_, Postgres>>::decode(value).unwrap_or_default();
        Ok(Self(serde_json::from_value(json).unwrap_or_default()))
    }
}

/// `crawl_jobs.status`; a word that is none of ours is shown as failed, because nothing goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LenientStatus(pub JobState);

impl Type<Postgres> for LenientStatus {
    fn type_info() -> PgTypeInfo {
        <&str as Type<Postgres>>::type_info()
    }

    fn compatible(column: &PgTypeInfo) -> bool {
        <&str as Type<Postgres>>::compatible(column)
    }
}

impl<'r> Decode<'r, Postgres> for LenientStatus {
    fn decode(value: PgValueRef<'r>) -> Result<Self, BoxDynError> {
        Ok(Self(JobState::decode(value).unwrap_or(JobState::Failed)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn texts_are_found_in_whatever_holds_them() {
        for (held, expect) in [
            (json!(["a", "b"]), &["a", "b"][..]),
            (json!("a"), &["a"]),
            (json!({ "keywords": ["a", "b"] }), &["a", "b"]),
            (json!({ "0": "a", "1": "b" }), &["a", "b"]),
            (json!(["a", 7, null, { "b": "c" }]), &["a", "7"]),
            (json!(null), &[]),
            (json!({ "a": { "b": "c" } }), &[]),
        ] {
            assert_eq!(Texts::from(held.clone()).0, expect, "{held}");
        }
    }

    #[test]
    fn signals_are_found_in_whatever_holds_them() {
        let signal = json!({ "signal": "noai", "place": "header", "value": "noai", "meaning": "reserved" });
        let text = "reserved noai header noai";
        for (held, expect) in [
            (json!([signal]), &[text][..]),
            (json!([{ "signal": "tea" }, 7, signal, signal]), &[text]),
            (json!([]), &[]),
            (json!(null), &[]),
            (signal.clone(), &[]),
        ] {
            let read: ConsentTexts = serde_json::from_value(held.clone()).unwrap();
            assert_eq!(read.0, expect, "{held}");
            assert_eq!(serde_json::to_value(&read).unwrap(), json!(expect));
        }
    }
}
