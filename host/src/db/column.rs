//! Instants in the tables that the frontend may have made.

use chrono::{DateTime, NaiveDateTime, Utc};
use sqlx::{
    Decode, Postgres, Type,
    error::BoxDynError,
    postgres::{PgTypeInfo, PgValueRef},
};

/// A column that is `timestamptz` where the migrations made the table, and `timestamp`, in UTC,
/// where Drizzle did.
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
        // Both are microseconds since the year 2000, in UTC.
        <DateTime<Utc> as Decode<'r, Postgres>>::decode(value).map(Self)
    }
}
