//! The pace of the sources' own requests, shared by all workers through one row a source and origin.
//!
//! Its functions fail when the database does.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgPool;

/// When a request may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestSlot {
    /// A place was taken; wait this long, then ask.
    In(Duration),
    /// The next place is too far away to wait for; none was taken.
    NotBefore(DateTime<Utc>),
}

/// Takes the next place where a source may be asked once every `interval`, unless
/// that means to wait longer than `longest`. Without an interval only what
/// [`hold`] said counts, and nothing is written.
pub async fn reserve(
    pool: &PgPool,
    place: &str,
    interval: Duration,
    longest: Duration,
) -> sqlx::Result<RequestSlot> {
    if interval.is_zero() {
        let held: Option<(DateTime<Utc>, f64)> = sqlx::query_as(
            "select next_at, extract(epoch from next_at - now())::float8
               from pixcrawler.pace where place = $1 and next_at > now()",
        )
        .bind(place)
        .fetch_optional(pool)
        .await?;
        return Ok(match held {
            Some((at, seconds)) if seconds > longest.as_secs_f64() => RequestSlot::NotBefore(at),
            Some((_, seconds)) => RequestSlot::In(Duration::from_secs_f64(seconds.max(0.0))),
            None => RequestSlot::In(Duration::ZERO),
        });
    }
    let wait: Option<(f64,)> = sqlx::query_as(
        "insert into pixcrawler.pace as p (place, next_at) values ($1, now() + make_interval(secs => $2))
             on conflict (place) do update
            set next_at = greatest(p.next_at, now()) + make_interval(secs => $2)
          where p.next_at <= now() + make_interval(secs => $3)
      returning extract(epoch from p.next_at - now())::float8 - $2",
    )
    .bind(place)
    .bind(interval.as_secs_f64())
    .bind(longest.as_secs_f64())
    .fetch_optional(pool)
    .await?;
    if let Some((seconds,)) = wait {
        return Ok(RequestSlot::In(Duration::from_secs_f64(seconds.max(0.0))));
    }
    let (at,): (DateTime<Utc>,) = sqlx::query_as("select next_at from pixcrawler.pace where place = $1")
        .bind(place)
        .fetch_one(pool)
        .await?;
    Ok(RequestSlot::NotBefore(at))
}

/// Lets nobody ask there before `at`, as the site wants.
pub async fn defer(pool: &PgPool, place: &str, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query(
        "insert into pixcrawler.pace as p (place, next_at) values ($1, $2)
             on conflict (place) do update set next_at = greatest(p.next_at, $2)",
    )
    .bind(place)
    .bind(at)
    .execute(pool)
    .await?;
    Ok(())
}
